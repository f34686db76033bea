"""What a run tells others while it goes on: MLflow, TensorBoard.

A tracker that fails, as when its server cannot be reached, is told no more; the run says so and
goes on. What it makes lies in its run folder all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from seqkit.errors import DataError, explain
from seqkit.recipe.writing import flow

if TYPE_CHECKING:
    from seqkit.recipe.reading import Resolved
    from seqkit.runs.folder import RunFolder

__all__ = ["TRACKING", "MlflowTracker", "TensorBoardTracker", "Tracker", "Tracking"]

INSTALL = "pip install 'seqkit[tracking]'"
NOTED = "tracking.json"
"""File of a run folder that says under which names trackers know the run."""


class Tracker:
    """What is told of a run.

    Parameters
    ----------
    folder : RunFolder
    resolved : Resolved
    known : str or None
        Under what name it knows the run already: of one that is gone on with.
    """

    package = ""

    def __init__(self, folder: RunFolder, resolved: Resolved, known: str | None) -> None:
        raise NotImplementedError

    name: str
    """Under what it knows the run."""
    where: str
    """Where to look, for people."""

    def epoch(self, step: int, values: Mapping[str, float]) -> None:
        """Be told of an epoch."""
        raise NotImplementedError

    def finish(self, estimator: Any, scores: Mapping[str, float], step: int) -> None:
        """Be told how it ended, once all files but ``run.json`` and the log are there.

        `estimator` is None where a run only had its name to be given.
        """
        raise NotImplementedError

    def fail(self, status: str) -> None:
        """Be told that the run is ``failed`` or ``interrupted``."""
        raise NotImplementedError


class TensorBoardTracker(Tracker):
    """Scalars in event files, which ``tensorboard --logdir runs`` shows; without TensorFlow."""

    package = "tensorboard"

    def __init__(self, folder: RunFolder, resolved: Resolved, known: str | None) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.name, self.where = "tensorboard", f"tensorboard --logdir {folder.path.parent}"
        target = folder.path / "tensorboard"
        target.mkdir(exist_ok=True)
        number = len(list(target.iterdir()))  # a run that is gone on with begins another file
        path = target / f"events.out.tfevents.{int(time.time()):010d}.{number}"
        self._writer = RecordWriter(path.open("wb"))
        self._write(file_version="brain.Event:2")

    def _write(self, step: int = 0, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step, **content)
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def epoch(self, step: int, values: Mapping[str, float]) -> None:
        """Write the curves of an epoch."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        named = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(step, summary=Summary(value=named))

    def finish(self, estimator: Any, scores: Mapping[str, float], step: int) -> None:
        """Write the scores, at the last epoch."""
        self.epoch(step, scores)
        self._writer.close()

    def fail(self, status: str) -> None:
        """Close the file."""
        self._writer.close()


class MlflowTracker(Tracker):
    """A run of MLflow: settings, curves, scores, files, and the estimator as a model.

    It goes where ``MLFLOW_TRACKING_URI`` says, into the experiment of ``MLFLOW_EXPERIMENT_NAME``;
    else into MLflow's local store, and ``seqkit``.
    """

    package = "mlflow"
    TOGETHER = 100  # parameters, or metrics, of one request
    SECONDS = 2.0  # between requests of epochs
    LONGEST = 6000  # characters of a parameter's value
    # A server that does not answer must not hold up a fit for minutes, as it would by itself.
    PATIENCE: ClassVar = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    }
    FILES = (
        "recipe.yaml", "recipe.resolved.yaml", "metrics.json", "history.csv",
        "predictions.parquet", "report.html", "MODEL_CARD.md", "log.txt",
    )  # fmt: skip

    def __init__(self, folder: RunFolder, resolved: Resolved, known: str | None) -> None:
        with self._patient():
            import mlflow
            from mlflow.tracking import MlflowClient

            self._folder = folder.path
            self._client = MlflowClient()
            self._waiting: list[Any] = []
            self._told = time.monotonic()
            self.where = mlflow.get_tracking_uri()
            if known is not None:
                self.name = known
                self._client.update_run(known, "RUNNING")
                return
            title = os.environ.get("MLFLOW_EXPERIMENT_NAME", "seqkit")
            experiment = os.environ.get("MLFLOW_EXPERIMENT_ID")
            if experiment is None:
                there = self._client.get_experiment_by_name(title)
                experiment = (
                    self._client.create_experiment(title) if there is None else there.experiment_id
                )
            title = folder.path.name.removesuffix(".partial")
            tags = {"task": resolved.recipe.task, "seqkit.run": title}
            made = self._client.create_run(experiment, run_name=title, tags=tags)
            self.name = made.info.run_id
            self._log_settings(resolved)

    def _log_settings(self, resolved: Resolved) -> None:
        from mlflow.entities import Param

        params = [
            Param(path, flow(entry["value"])[: self.LONGEST])
            for path, entry in resolved.as_dict().items()
        ]
        for first in range(0, len(params), self.TOGETHER):
            self._client.log_batch(self.name, params=params[first : first + self.TOGETHER])

    @contextlib.contextmanager
    def _patient(self) -> Iterator[None]:
        """Ask a server no longer than is fit, unless the user says how long."""
        added = [name for name in self.PATIENCE if name not in os.environ]
        os.environ.update({name: self.PATIENCE[name] for name in added})
        try:
            with _quiet_mlflow():
                yield
        finally:
            for name in added:
                del os.environ[name]

    def _measure(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting += [Metric(name, float(v), now, step) for name, v in values.items()]

    def _send(self) -> None:
        with self._patient():
            while self._waiting:
                self._client.log_batch(self.name, metrics=self._waiting[: self.TOGETHER])
                del self._waiting[: self.TOGETHER]
        self._told = time.monotonic()

    def epoch(self, step: int, values: Mapping[str, float]) -> None:
        """Send the curves of the epochs since the last time, now and then."""
        self._measure(step, values)
        if time.monotonic() - self._told >= self.SECONDS:
            self._send()

    def finish(self, estimator: Any, scores: Mapping[str, float], step: int) -> None:
        """Send the scores, the files and the model."""
        self._measure(step, scores)
        self._send()
        with self._patient():
            for name in self.FILES:
                if (self._folder / name).is_file():
                    self._client.log_artifact(self.name, str(self._folder / name))
            if (self._folder / "plots").is_dir():
                self._client.log_artifacts(self.name, str(self._folder / "plots"), "plots")
            if estimator is not None:
                self._log_model(estimator)
            self._client.set_terminated(self.name, "FINISHED")

    def _log_model(self, estimator: Any) -> None:
        """Log the estimator, in a format in which nothing can run when it is loaded."""
        import mlflow.sklearn

        kind = type(estimator)
        with mlflow.start_run(run_id=self.name, nested=True):
            mlflow.sklearn.log_model(
                estimator,
                name="model",
                serialization_format="skops",
                skops_trusted_types=[f"{kind.__module__}.{kind.__qualname__}"],
                pip_requirements=["seqkit"],  # else MLflow loads the model to see what it needs
            )

    def fail(self, status: str) -> None:
        """Send what waits, and how it ended."""
        self._send()
        with self._patient():
            ended = {"failed": "FAILED", "interrupted": "KILLED"}[status]
            self._client.set_terminated(self.name, ended)


@contextlib.contextmanager
def _quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's own lines out of what a run says."""
    import logging

    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


TRACKING: dict[str, type[Tracker]] = {"mlflow": MlflowTracker, "tensorboard": TensorBoardTracker}
"""What makes each of the recipe's ``track``."""


@dataclass
class Tracking:
    """The trackers of a run, none of which can fail it.

    Parameters
    ----------
    folder : RunFolder
    say : callable
        Is given a line for people.
    """

    folder: RunFolder
    say: Callable[[str], None]
    trackers: dict[str, Tracker] = field(default_factory=dict)
    training: int = 0
    step: int = 0

    @staticmethod
    def check(resolved: Resolved) -> None:
        """Raise where the recipe names what is not installed.

        Raises
        ------
        seqkit.errors.DataError
        """
        for name in _wanted(resolved):
            if find_spec(TRACKING[name].package) is None:
                what = explain(f"{resolved.path or 'recipe'}", "track", "installed here", name,
                               f"Install it: {INSTALL}")  # fmt: skip
                raise DataError(what)

    @classmethod
    def begin(cls, folder: RunFolder, resolved: Resolved, say: Callable[[str], None]) -> Tracking:
        """Open what the recipe names; of a run that is gone on with, where it was left."""
        made = cls(folder, say)
        names = _wanted(resolved)
        if not names:
            return made
        path = folder.path / NOTED
        known: dict[str, str] = {}
        if path.is_file():
            with contextlib.suppress(ValueError):
                known = json.loads(path.read_text("utf-8"))
        log = (folder.path / "log.txt").read_text("utf-8", "replace")
        # a fit that begins anew tells the same epochs again
        made.training = log.rpartition("resumed from the beginning")[2].count(" epoch 1 ")
        for name in names:
            with made._guarded(name):
                made.trackers[name] = TRACKING[name](folder, resolved, known.get(name))
                made._tell(f"track: {name}: {made.trackers[name].where}")
        folder.write(NOTED, known | {name: one.name for name, one in made.trackers.items()})
        return made

    def _tell(self, line: str) -> None:
        self.folder.log(line)
        self.say(line)

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Say what a tracker fails with, and ask it no more."""
        try:
            yield
        except Exception as error:  # of a client, a server, a disk: none of them is the run's
            self.trackers.pop(name, None)
            first = " ".join(str(error).split())[:300]
            self._tell(
                f"track: {name} failed, and is told no more of this run, which goes on: "
                f"{type(error).__name__}: {first}"
            )

    def epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Tell of an epoch; curves of the second training on have its number."""
        if not self.trackers:
            return
        self.training += epoch == 0
        self.step = epoch + 1
        ending = f"_{self.training}" if self.training > 1 else ""
        values = {f"{name}{ending}": float(value) for name, value in logs.items()}
        for name, tracker in list(self.trackers.items()):
            with self._guarded(name):
                tracker.epoch(self.step, values)

    def finish(self, estimator: Any, document: Mapping[str, Any]) -> None:
        """Tell how the run ended."""
        scores = dict(_named_scores(document)) if self.trackers else {}
        for name, tracker in list(self.trackers.items()):
            with self._guarded(name):
                tracker.finish(estimator, scores, self.step)

    def fail(self, status: str) -> None:
        """Tell that the run ``failed`` or was ``interrupted``."""
        for name, tracker in list(self.trackers.items()):
            with self._guarded(name):
                tracker.fail(status)


def _wanted(resolved: Resolved) -> list[str]:
    track = resolved.recipe.track
    return [track] if isinstance(track, str) else list(track)


def _named_scores(document: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield every score as ``test/mae``, of a baseline as ``test/naive/mae``."""
    for part, content in document["parts"].items():
        rows = {f"{part}/": content["model"]}
        rows |= {f"{part}/{who}/": of for who, of in content["baselines"].items()}
        for prefix, of_one in rows.items():
            for metric, value in of_one.items():
                if value is not None:
                    yield f"{prefix}{metric}", float(value)
