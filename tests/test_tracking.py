"""Who is told of a run while it goes on, and that none of them can fail it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqkit import load_run, run
from seqkit.errors import DataError, RecipeError, TrainingError
from seqkit.recipe.reading import read_recipe
from seqkit.recipe.sections import TRACKERS
from seqkit.runs import tracking
from seqkit.runs.experiment import resume
from seqkit.runs.folder import open_run, read_verified

RECIPE = {
    "task": "classification",
    "data": {"dataset": "gunpoint"},
    "model": {"units": 2, "patch": 30},
    "train": {"epochs": 3, "ensemble": 1},
    "evaluate": {"metrics": ["accuracy", "log_loss"]},
}


class Remembering(tracking.Tracker):
    """A tracker that keeps what it is told."""

    package = "json"
    made: list = []  # noqa: RUF012

    def __init__(self, folder, resolved, known):
        self.name, self.where, self.known = "id-7", "memory", known
        self.epochs, self.scores, self.ended = [], None, None
        self.made.append(self)

    def epoch(self, step, values):
        self.epochs.append((step, dict(values)))

    def finish(self, estimator, scores, step):
        self.estimator, self.scores, self.ended = estimator, scores, "complete"

    def fail(self, status):
        self.ended = status


@pytest.fixture
def remembered(monkeypatch):
    monkeypatch.setitem(tracking.TRACKING, "mlflow", Remembering)
    monkeypatch.setattr(Remembering, "made", [])
    return Remembering.made


def test_every_tracker_of_the_grammar_is_there():
    assert list(tracking.TRACKING) == list(TRACKERS)


@pytest.mark.parametrize("given", ["mlflow", ["mlflow"], ["mlflow", "tensorboard"], []])
def test_one_tracker_or_several_are_named(given):
    resolved = read_recipe({**RECIPE, "track": given})
    assert read_recipe({**RECIPE}).recipe.track == []
    assert resolved.recipe.track == given
    assert f"track: {'mlflow' if given == 'mlflow' else '['}" in resolved.dump()


def test_another_name_is_refused():
    with pytest.raises(RecipeError, match="track must be mlflow or tensorboard or a list"):
        read_recipe({**RECIPE, "track": "wandb"})


def test_what_is_not_installed_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"track must be installed here; .*seqkit\[tracking\]"):
        run({**RECIPE, "track": "mlflow"}, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_tracker_is_told_of_epochs_and_scores(tmp_path, remembered):
    result = run({**RECIPE, "track": "mlflow"}, out=tmp_path)
    [told] = remembered
    assert [step for step, _ in told.epochs] == [1, 2, 3]
    assert [values["loss"] for _, values in told.epochs] == result.estimator.history_["loss"]
    assert told.scores["test/accuracy"] == result.scores["parts"]["test"]["model"]["accuracy"]
    baselines = result.scores["parts"]["test"]["baselines"]
    assert told.scores["test/majority/accuracy"] == baselines["majority"]["accuracy"]
    assert told.estimator is result.estimator
    record = json.loads(Path(result.document["run"], "tracking.json").read_text())
    assert record == {"mlflow": "id-7"}


def test_curves_of_other_networks_have_their_number(tmp_path, remembered):
    train = {"epochs": 2, "ensemble": 2}
    run({**RECIPE, "train": train, "track": "mlflow"}, out=tmp_path)
    [told] = remembered
    assert [(step, "loss" in v, "loss_2" in v) for step, v in told.epochs] == [
        (1, True, False), (2, True, False), (1, False, True), (2, False, True),
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["__init__", "epoch", "finish"])
def test_a_tracker_that_fails_does_not_fail_the_run(tmp_path, remembered, monkeypatch, method):
    def broken(self, *arguments):
        raise ConnectionError("the server is away")

    monkeypatch.setattr(Remembering, method, broken)
    result = run({**RECIPE, "track": "mlflow"}, out=tmp_path)
    folder = Path(result.document["run"])
    log = (folder / "log.txt").read_text()
    assert log.count("track: mlflow failed, and is told no more of this run") == 1
    assert "ConnectionError: the server is away" in log
    record = open_run(folder)
    for name in ("log.txt", "report.html", "tracking.json"):
        read_verified(folder, record, name, 1 << 24)
    assert load_run(folder).predict(np.zeros((1, 150, 1))).shape == (1,)


def test_a_training_that_diverges_is_told(tmp_path, remembered):
    train = {"epochs": 3, "ensemble": 1, "learning_rate": 1e30, "clipnorm": None}
    with pytest.raises(TrainingError):
        run({**RECIPE, "train": {**train, "optimizer": "sgd"}, "track": "mlflow"}, out=tmp_path)
    [told] = remembered
    assert told.ended == "failed"


def test_a_run_that_is_gone_on_with_is_known(tmp_path, remembered, monkeypatch):
    epoch = Remembering.epoch

    def stopped(self, step, values):
        epoch(self, step, values)
        if step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Remembering, "epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        run({**RECIPE, "track": "mlflow"}, out=tmp_path)
    monkeypatch.setattr(Remembering, "epoch", epoch)
    [folder] = tmp_path.iterdir()
    resume(folder)
    first, second = remembered
    assert first.ended == "interrupted"
    assert (first.known, second.known) == (None, "id-7")
    assert second.ended == "complete"


# -- TensorBoard ---------------------------------------------------------------------------------


def test_tensorboard_reads_what_was_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = run({**RECIPE, "track": "tensorboard"}, out=tmp_path)
    folder = Path(result.document["run"])
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    loss = events.Tensors("loss") if "loss" in events.Tags()["tensors"] else events.Scalars("loss")
    values = [getattr(e, "value", None) or e.tensor_proto.float_val[0] for e in loss]
    np.testing.assert_allclose(values, result.estimator.history_["loss"], rtol=1e-6)
    assert [e.step for e in loss] == [1, 2, 3]
    assert "test/accuracy" in str(events.Tags())
    assert open_run(folder)["files"].keys() >= {
        path.relative_to(folder).as_posix() for path in folder.glob("tensorboard/*")
    }


def test_tensorboard_needs_no_tensorflow(tmp_path):
    code = (
        "import sys; from seqkit import run\n"
        f"run({ {**RECIPE, 'track': 'tensorboard'}!r}, out={str(tmp_path)!r})\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


# -- MLflow, with a store of its own ---------------------------------------------------------------


@pytest.fixture
def store(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="pip install 'seqkit[tracking]'")
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)  # where its artefacts go
    return MlflowClient(uri)


@pytest.mark.slow
def test_a_run_is_in_the_store_whole(tmp_path, store, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gunpoints")
    before = mlflow.active_run()
    environment = dict(os.environ)
    result = run({**RECIPE, "track": "mlflow"}, out=tmp_path / "runs")
    assert dict(os.environ) == environment
    assert mlflow.active_run() is before
    folder = Path(result.document["run"])
    assert "track: mlflow failed" not in (folder / "log.txt").read_text()
    experiment = store.get_experiment_by_name("gunpoints")
    [kept] = store.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == folder.name
    assert kept.data.params["model.units"] == "2"
    assert kept.data.params["data.dataset"] == "gunpoint"
    accuracy = result.scores["parts"]["test"]["model"]["accuracy"]
    assert kept.data.metrics["test/accuracy"] == accuracy
    curve = store.get_metric_history(kept.info.run_id, "loss")
    assert [(m.step, m.value) for m in curve] == [
        (i + 1, value) for i, value in enumerate(result.estimator.history_["loss"])
    ]
    names = {item.path for item in store.list_artifacts(kept.info.run_id)}
    assert {"recipe.resolved.yaml", "report.html", "predictions.parquet", "plots"} <= names
    model = mlflow.sklearn.load_model(f"runs:/{kept.info.run_id}/model")
    X = np.random.default_rng(0).normal(size=(5, 150, 1))
    np.testing.assert_array_equal(model.predict_proba(X), result.estimator.predict_proba(X))


@pytest.mark.slow
def test_an_interrupted_run_goes_on_under_its_id(tmp_path, store, monkeypatch):
    epoch = tracking.Tracking.epoch

    def stopped(self, number, logs):
        epoch(self, number, logs)
        if number == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(tracking.Tracking, "epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        run({**RECIPE, "track": "mlflow"}, out=tmp_path / "runs")
    monkeypatch.setattr(tracking.Tracking, "epoch", epoch)
    experiment = store.get_experiment_by_name("seqkit")
    [kept] = store.search_runs([experiment.experiment_id])
    assert kept.info.status == "KILLED"
    [folder] = (tmp_path / "runs").iterdir()
    resume(folder)
    [kept] = store.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED"
    steps = {m.step for m in store.get_metric_history(kept.info.run_id, "loss")}
    assert steps == {1, 2, 3}


@pytest.mark.slow
def test_a_server_that_is_away_does_not_fail_the_run(tmp_path, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = run({**RECIPE, "track": "mlflow"}, out=tmp_path / "runs")
    log = Path(result.document["run"], "log.txt").read_text()
    assert "track: mlflow failed, and is told no more of this run, which goes on" in log
    assert result.document["status"] == "complete"


@pytest.mark.slow
@pytest.mark.parametrize("format", ["skops", "cloudpickle"])
def test_estimators_are_logged_and_loaded_by_hand(store, format):
    import mlflow

    from seqkit import SequenceForecaster, SequenceRegressor, SequenceTagger

    X = np.random.default_rng(0).normal(size=(12, 8, 2))
    fits = (
        SequenceRegressor(units=2, epochs=1).fit(X, X[:, 0, 0]),
        SequenceTagger(units=2, epochs=1).fit(X, np.where(X[..., 0] > 0, "u", "d")),
        SequenceForecaster(context_length=6, horizon=2, units=2, epochs=1).fit(X[0, :, :1]),
    )
    for model in fits:
        trusted = {}
        if format == "skops":
            kind = type(model)
            trusted["skops_trusted_types"] = [f"{kind.__module__}.{kind.__qualname__}"]
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(
                model, name="model", serialization_format=format, pip_requirements=["seqkit"],
                **trusted,
            )  # fmt: skip
        loaded = mlflow.sklearn.load_model(info.model_uri)
        asked = X[0, :, :1] if isinstance(model, SequenceForecaster) else X
        for one, other in zip(loaded.predict(asked), model.predict(asked), strict=True):
            np.testing.assert_array_equal(one, other)
