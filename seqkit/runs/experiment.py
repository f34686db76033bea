"""The whole flow of a run: recipe, data, model, training, evaluation, report, run folder.

Begin reading at :func:`run`. What differs between labelled series and forecasting
is in :mod:`seqkit.runs.flows`, a row of a table each. What scores and draws is imported where it is
used, so that a prediction of a run comes quickly.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.cells import find_cell
from seqkit.errors import DataError, ExportError, RunError, TrainingError
from seqkit.estimators.saving import save_estimator
from seqkit.estimators.starting import start_line
from seqkit.exports import EXPORTS
from seqkit.exports import export as write_export
from seqkit.network.summary import layer_rows, summary_lines
from seqkit.recipe.reading import Resolved, read_recipe
from seqkit.runs.checkpoints import CHECKPOINT, Keeper
from seqkit.runs.finished import (
    Result,
    evaluate,
    export,
    forecast,
    generate,
    load_run,
    origin_of,
    predict,
)
from seqkit.runs.flows import Parts, begun, flow_of
from seqkit.runs.folder import RunFolder, fingerprint
from seqkit.runs.tracking import Tracking
from seqkit.stopping import refit_of
from seqkit.system.console import say_lines
from seqkit.training import not_native

if TYPE_CHECKING:
    from seqkit.system.progress import Progress


__all__ = [
    "Plan",
    "Result",
    "dry_run",
    "evaluate",
    "export",
    "fitted",
    "forecast",
    "generate",
    "history_text",
    "load_run",
    "predict",
    "resume",
    "run",
    "set_threads",
]


@dataclass
class Plan:
    """What a run would do: its ``text``, and the same as a ``document``."""

    text: str
    document: dict[str, Any]

    def print(self) -> None:
        """Print the text."""
        say_lines([*self.text.splitlines(), *self.document["notes"]])


def set_threads(intra_op: int = 1, inter_op: int | None = None) -> None:
    """Set TensorFlow's threads for this process, as the command line does for its own.

    The kernels run independent work (directions, shards of a batch) at the same time, each on
    one thread, which beats many threads on one small product. A program of yours may do the same
    before TensorFlow starts; the library never does it by itself. Native networks need no
    TensorFlow, and so none of this.

    Parameters
    ----------
    intra_op : int, default=1
        Threads inside one operation.
    inter_op : int, default=None
        Operations at a time; default: the number of processors.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(intra_op)
        tf.config.threading.set_inter_op_parallelism_threads(inter_op or os.cpu_count() or 1)
    except RuntimeError:
        return  # TensorFlow runs already: the threads are the program's


def run(
    recipe: Resolved | str | os.PathLike[str] | Mapping[str, object],
    *,
    out: str | os.PathLike[str] = "runs",
    name: str | None = None,
    command: str = "",
    show: Progress | None = None,
) -> Result:
    """Train, evaluate and save the model of a recipe.

    Parameters
    ----------
    recipe : path, dict or Resolved
        A recipe's file, its settings, or what :func:`seqkit.read_recipe` returns.
    out : path, default="runs"
        Folder in which the run folder is made.
    name : str, default=None
        Part of the run folder's name; default: the recipe's file name.
    command : str, default=""
        The command line, for the record.
    show : Progress, default=None
        Shows progress; ``None`` is silent.

    Returns
    -------
    Result
        With the fitted estimator, the scores and, in ``document["run"]``, the run folder.

    Raises
    ------
    seqkit.errors.RecipeError, seqkit.errors.DataError
        If the recipe or the data are not what they must be; nothing is written then.
    seqkit.errors.TrainingError
        If training diverged; the run folder is kept and marked failed.

    Examples
    --------
    >>> import tempfile
    >>> from seqkit import load_run, run
    >>> recipe = {"task": "classification", "seed": 0, "data": {"dataset": "gunpoint"},
    ...           "model": {"cell": "gru", "units": 4, "patch": 10}, "train": {"epochs": 2}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(recipe, out=folder, name="tiny")
    ...     estimator = load_run(result.document["run"])
    >>> estimator.predict(np.zeros((3, 150, 1))).shape
    (3,)
    """
    resolved = recipe if isinstance(recipe, Resolved) else read_recipe(recipe)
    with show or contextlib.nullcontext():
        return _run(resolved, Path(out), name, command, show)


def _run(
    resolved: Resolved, out: Path, name: str | None, command: str, show: Progress | None
) -> Result:
    resolved, began = _ready(resolved)
    flow = flow_of(resolved)
    if show:
        show.doing("reading the data")
    parts = flow.load()
    flow.check(parts)
    given = "recipe" if resolved.path is None else str(resolved.path)
    filled = flow.filled(parts)
    folder = RunFolder.create(
        out,
        name or Path(given).stem,
        {
            "task": resolved.recipe.task,
            "recipe": given,
            "command": command,
            "seed": resolved.recipe.seed,
            "settings": hashlib.sha256(filled.encode()).hexdigest(),
            "data": fingerprint(parts.files),
            **({"start": began} if began else {}),
            "base": str(Path.cwd()),
        },
        {"recipe.yaml": resolved.text, "recipe.resolved.yaml": filled},
    )
    with folder:
        for line in folder.cleared:
            folder.log(line)
            if show:
                show.say(line)
        return _carry_out(flow, parts, folder, None, show, new=True)


def _ready(resolved: Resolved) -> tuple[Resolved, dict[str, str] | None]:
    """Return a recipe and its start, once all that it will need in the end is there."""
    for format in resolved.recipe.export:
        EXPORTS[format].require()
    Tracking.check(resolved)
    return begun(resolved)


def resume(run: str | os.PathLike[str], *, show: Progress | None = None) -> Result:
    """Go on with a run that was broken off, to the result it would have had.

    Parameters
    ----------
    run : path
        The run folder, with or without ``.partial``.
    show : Progress, default=None

    Raises
    ------
    seqkit.errors.RunError
        If there is nothing to resume, or the data have changed since.
    """
    with show or contextlib.nullcontext(), RunFolder.reopen(Path(run)) as folder:
        settings = folder.path / "recipe.resolved.yaml"
        if folder.record["status"] == "complete":  # all that was missing is its name
            scores = json.loads((folder.path / "metrics.json").read_text("utf-8"))
            return _conclude(folder, scores, _tracking(folder, read_recipe(settings), show))
        began = folder.record.get("settings")
        if began and hashlib.sha256(settings.read_bytes()).hexdigest() != began:
            raise RunError(
                f"{settings}: the settings have changed since the run began. Restore them, or "
                f"start a new run with them: seqkit fit {settings}"
            )
        resolved, start = _ready(read_recipe(settings))
        if start != folder.record.get("start"):
            raise RunError(
                f"{folder.path}: the fit {resolved.recipe.train.start} has changed since this one "
                "began from it. Restore it, or start a new run."
            )
        flow = flow_of(resolved)
        parts = flow.load()
        now = fingerprint(parts.files)
        changed = sorted(k for k, v in now.items() if folder.record["data"].get(k) != v)
        if changed:
            raise RunError(
                f"{folder.path}: the data have changed since the run began: {', '.join(changed)}. "
                "Start a new run."
            )
        checkpoint = folder.path / CHECKPOINT
        state = None
        if checkpoint.is_file():
            try:
                state = flow.load_state(checkpoint)
            except ValueError as error:
                raise _no_way_on(folder, error) from error
        folder.note(status="running")
        folder.log(f"resumed after epoch {state.epoch}" if state else "resumed from the beginning")
        return _carry_out(flow, parts, folder, state, show)


def _no_way_on(folder: RunFolder, error: Exception) -> RunError:
    return RunError(
        f"{error} The run cannot go on from this state. Restore {folder.path / CHECKPOINT} from a "
        f"copy; or delete it, then train from the beginning: seqkit fit --resume {folder.path}"
    )


def _carry_out(
    flow: Any,
    parts: Parts,
    folder: RunFolder,
    state: Any,
    show: Progress | None,
    new: bool = False,
) -> Result:
    """Train, evaluate, save and report in an open run folder."""
    from seqkit.evaluation.findings import find_all
    from seqkit.report.plots import save_displays
    from seqkit.report.samples import SAMPLE, without_series
    from seqkit.runs.evidence import run_evidence

    for note in parts.notes:
        folder.log(note)
        if show:
            show.say(note)
    tracking = _tracking(folder, flow.resolved, show)
    begun = time.monotonic()
    estimator = _train(flow, parts, folder, state, show, new, tracking)
    trained = time.monotonic()
    folder.write("history.csv", history_text(estimator))
    for line in flow.remarks(estimator):
        folder.log(line)
    if show:
        if hasattr(estimator, "start_"):
            show.say(start_line(estimator.start_))
        show.say(flow.ending(estimator))
        show.doing("scoring the model beside its baselines")
    assessment = flow.assess(estimator, parts)
    folder.write("model.json", save_estimator(estimator, folder.path, parts.columns))
    evidence, said = run_evidence(flow, estimator, parts, assessment)
    assessment.document["findings"] = find_all(evidence)
    assessment.document["notes"] += said
    assessed = time.monotonic()
    folder.write("metrics.json", assessment.document)
    for note in assessment.document["notes"]:
        folder.log(note)
    folder.write("predictions.parquet", assessment.predictions.to_parquet(index=False))
    sample, figures = assessment.sample(), assessment.figures
    if not flow.recipe.evaluate.keep_series:
        sample = without_series(sample)
        figures = {name: one for name, one in figures.items() if not name.startswith("forecast")}
    folder.write(SAMPLE, json.dumps(sample, ensure_ascii=False))
    if show:
        show.doing("drawing and writing the report")
    save_displays(folder.path / "plots", figures)
    exports, refused = _exported(flow, estimator, parts, folder)
    timings = {"fit": trained - begun, "evaluation": assessed - trained}
    folder.note(
        status="complete",
        exports=exports,
        timings={name: round(value, 3) for name, value in timings.items()},
    )
    result = _conclude(folder, assessment.document, tracking, estimator)
    if refused:  # said once nothing can be lost by it
        raise ExportError(f"{' '.join(refused)} The run itself is complete: {folder.path}")
    return result


def _exported(
    flow: Any, estimator: Any, parts: Parts, folder: RunFolder
) -> tuple[dict[str, Any], list[str]]:
    """Write the formats of a recipe; return what is noted of them, and why others are not there."""
    exports: dict[str, Any] = {}
    refused: list[str] = []
    for format in flow.recipe.export:
        target = folder.path / "export" / f"{format}{EXPORTS[format].suffix}"
        try:
            made = write_export(
                estimator, target, format, data=flow.shown(parts),
                origin=origin_of(flow, folder.record),
            )  # fmt: skip
        except ExportError as error:
            refused.append(str(error))
            folder.log(str(error))
            continue
        folder.log(f"export/{target.name}: {made.sentence().partition(': ')[2]}")
        exports[format] = {"path": f"export/{target.name}", **made.document()}
    return exports, refused


def _tracking(folder: RunFolder, resolved: Resolved, show: Progress | None) -> Tracking:
    """Return the trackers of a run, which say through it what they cannot do."""
    return Tracking.begin(folder, resolved, show.say if show else lambda line: None)


def _conclude(
    folder: RunFolder, scores: dict[str, Any], tracking: Tracking, estimator: Any = None
) -> Result:
    """Write the report of a run that is otherwise complete, and give the folder its name."""
    from seqkit.report.html import write_report
    from seqkit.report.model_card import write_card

    write_report(folder.path)
    write_card(folder.path)
    tracking.finish(estimator, scores)
    final = folder.finish("complete")
    return Result(
        {"run": str(final), "status": "complete", "metrics": scores},
        [f"run: {final}", f"report: {final / 'report.html'}"],
        scores,
        estimator or load_run(final),
    )


def fitted(
    flow: Any,
    parts: Parts,
    on_epoch: Any = None,
    *,
    state: Any = None,
    show: Progress | None = None,
    log: Callable[[str], None] | None = None,
) -> Any:
    """Fit the estimator of a flow to the parts of its data, and show how it goes."""
    estimator = flow.estimator()
    if show:
        from seqkit.network.cpu.sequences import is_ready, unsupported

        cell = find_cell(flow.recipe.model.cell)
        if not unsupported(cell) and not is_ready(cell):
            what = f"the {cell.family} kernels are compiled for this computer, once, and kept"
            if log:
                log(what)
            show.say(f"{what}: 5 to 7 seconds")
        refits = refit_of(flow.recipe.data.split.validation)[1] and parts.auto.get("patience", 1)
        times = 2 if refits else 1
        show.begin(parts.auto.get("epochs", flow.recipe.train.epochs), times)
    try:
        flow.fit(estimator, parts, on_epoch=on_epoch, resume=state)
    finally:
        if show:
            show.end()
    return estimator


def _train(
    flow: Any,
    parts: Parts,
    folder: RunFolder,
    state: Any,
    show: Progress | None,
    new: bool,
    tracking: Tracking,
) -> Any:
    """Fit the estimator; if that fails, leave the folder in the state it deserves."""
    keeper = Keeper(folder, show, tracking)
    try:
        return fitted(flow, parts, keeper, state=state, show=show, log=folder.log)
    except TrainingError as error:
        folder.write("history.csv", _rows({"": error.history}))
        folder.log(str(error))
        tracking.fail("failed")
        final = folder.finish("failed")
        raise TrainingError(
            f"{error} The history is kept in {final}.", error.history, error.state
        ) from error
    except ValueError as error:
        # an estimator refuses data, or a state, this way: before the first epoch
        if keeper.epochs:
            raise
        if state is not None:
            raise _no_way_on(folder, error) from error
        tracking.fail("failed")
        if new:
            folder.discard()
        raise DataError(str(error)) from error
    except KeyboardInterrupt:
        folder.note(status="interrupted")
        folder.log("interrupted")
        tracking.fail("interrupted")
        if show:
            show.say(f"Interrupted. Go on with: seqkit fit --resume {folder.path}")
        raise


def history_text(estimator: Any) -> str:
    """Return ``history.csv``: a row an epoch; with a training before, its rows first, and which."""
    history, stopped = estimator.history_, getattr(estimator, "stopped_histories_", None)
    return _rows({"stopped": stopped[0], "refit": history} if stopped else {"": history})


def _rows(trainings: Mapping[str, Mapping[str, list[float]]]) -> str:
    text = io.StringIO(newline="")
    named = ["training"] if len(trainings) > 1 else []
    writer = csv.DictWriter(text, [*named, "epoch", *next(iter(trainings.values()))])
    writer.writeheader()
    for training, curves in trainings.items():
        told = {"training": training} if named else {}
        for epoch, row in enumerate(zip(*curves.values(), strict=True), start=1):
            values = zip(curves, (repr(float(value)) for value in row), strict=True)
            writer.writerow({**told, "epoch": epoch, **dict(values)})
    return text.getvalue()


def dry_run(resolved: Resolved) -> Plan:
    """Read the data and build the model of a recipe, and say what would be trained."""
    flow = flow_of(_ready(resolved)[0])
    parts = flow.load()
    sizes = flow.describe(parts)
    estimator = flow.estimator()
    architecture = flow.architecture(estimator, parts)
    members = architecture.members
    lines: list[str] = []
    if not any(not_native(member, optimizer=estimator.optimizer) for member in members):
        for number, member in enumerate(members, start=1):
            lines += [f"network {number}:"] if len(members) > 1 else []
            lines += summary_lines(member.network)
        n_parameters = sum(row.trained for member in members for row in layer_rows(member.network))
        kernels = flow.native_kernels(estimator)
    else:
        model = architecture()
        model.summary(print_fn=lines.append, line_length=88)
        n_parameters = int(sum(np.prod(w.shape) for w in model.trainable_weights))
        kernels = flow.kernels_of(model)
    text = "\n".join(
        [
            *(f"{name}: {value}" for name, value in sizes.items()),
            *lines,
            *(f"{name}: {report}" for name, report in kernels.items()),
        ]
    )
    return Plan(
        text,
        {
            "data": sizes,
            "parameters": n_parameters,
            "kernels": kernels,
            "notes": parts.notes,
        },
    )
