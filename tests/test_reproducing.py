"""A run trained again: equal bit for bit, or named what is not; other data are refused."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from attack.tampering import sign
from click.testing import CliRunner
from conftest import some
from safetensors.numpy import load, save
from test_runs import Interrupting, content

from seqkit.cli import cli
from seqkit.errors import RunError
from seqkit.runs.checkpoints import Keeper
from seqkit.runs.environment import differences_of, environment
from seqkit.runs.experiment import resume, run
from seqkit.runs.reproducing import reproduce
from seqkit.system.commands import DIFFERENT, USER_ERROR

STORED = Path(__file__).parent / "runs"
SHORT = {"epochs": 3, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Small data of every task, by the recipe that reads them."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(16) % 2, 8)
    rows = pd.DataFrame({
        "trial": np.repeat(np.arange(16), 8), "t": np.tile(np.arange(8), 16),
        "x": rng.normal(size=128) + kind, "label": np.where(kind, "run", "rest"),
        "dose": np.repeat(rng.normal(size=16), 8),
        "step": np.where(rng.random(128) > 0.5, "a", "b"),
    })  # fmt: skip
    rows.to_csv(folder / "rows.csv", index=False)
    days = pd.date_range("2024-01-01", periods=60)
    load = pd.DataFrame({"day": days, "load": 10 + np.sin(np.arange(60) / 3) + rng.normal(size=60)})
    load.to_csv(folder / "load.csv", index=False)
    labelled = {"path": str(folder / "rows.csv"), "series_id": "trial", "time": "t",
                "features": ["x"]}  # fmt: skip
    small = {"seed": 5, "model": {"units": 3}, "train": SHORT}
    return {
        "classification": {**small, "task": "classification", "train": {**SHORT, "ensemble": 2},
                           "data": {**labelled, "target": "label"}, "model": {}},
        "regression": {**small, "task": "regression", "model": {"units": 3, "dropout": 0.2},
                       "data": {**labelled, "target": "dose", "split": {"validation": "refit"}}},
        "tagging": {**small, "task": "tagging", "data": {**labelled, "target": "step"}},
        "forecasting": {
            **small, "task": "forecasting", "train": {**SHORT, "ensemble": 2},
            "data": {"path": str(folder / "load.csv"), "time": "day", "target": "load"},
            "forecast": {"horizon": 3, "context_length": 8, "quantiles": [0.1, 0.5, 0.9]},
            "evaluate": {"backtest": {"windows": 2}, "baselines": ["naive"]},
        },
    }  # fmt: skip


def trained(recipe, out):
    return Path(run(recipe, out=out).document["run"])


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    """A run that nobody writes to."""
    return trained(files["forecasting"], tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def call(folder, status):
    done = CliRunner().invoke(cli, ["reproduce", str(folder), "--json"])
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("task", ["classification", "regression", "tagging", "forecasting"])
def test_it_is_equal_and_not_altered(task, files, tmp_path):
    """Of recipes whose settings are partly auto, too: the resolved one says what they became."""
    folder = trained(files[task], tmp_path)
    before = content(tmp_path)
    assert call(folder, 0) == {
        "run": str(folder), "equal": True, "differences": {}, "environment": {}
    }  # fmt: skip
    assert content(tmp_path) == before


def test_another_seed_differs_from_the_first_epoch_on(copy):
    recipe = copy / "recipe.resolved.yaml"
    recipe.write_text(recipe.read_text().replace("seed: 5", "seed: 6"))
    sign(copy)
    found = call(copy, DIFFERENT)
    assert not found["equal"]
    differences = found["differences"]
    assert set(differences) == {"history", "weights", "predictions", "scores"}
    assert (differences["history"]["network"], differences["history"]["epoch"]) == (1, 1)
    assert set(differences["history"]["values"]) == {"loss", "grad_norm", "grad_norm_max"}
    assert differences["weights"]["parameter"].startswith("member_1/")
    assert differences["weights"]["greatest_difference"] > 0
    said = " ".join(CliRunner().invoke(cli, ["reproduce", str(copy)]).stdout.split())
    assert "trained again, but different" in said
    assert "history: first in epoch 1: loss" in said
    assert "environment: the same" in said


def changed_history(folder):
    rows = list(csv.DictReader(io.StringIO((folder / "history.csv").read_text())))
    rows[1]["loss"] = repr(np.nextafter(float(rows[1]["loss"]), np.inf))
    pd.DataFrame(rows).to_csv(folder / "history.csv", index=False)


def changed_second_history(folder):
    document = json.loads((folder / "model.json").read_text())
    losses = document["fitted"]["histories_"][1]["loss"]
    losses[2] = np.nextafter(losses[2], np.inf)
    (folder / "model.json").write_text(json.dumps(document))


def changed_weight(folder):
    arrays = {n: a.copy() for n, a in load((folder / "weights.safetensors").read_bytes()).items()}
    arrays["member_2/recurrent_1/bias"].flat[0] += np.float32(0.25)
    (folder / "weights.safetensors").write_bytes(save(arrays))


def changed_predictions(folder):
    frame = pd.read_parquet(folder / "predictions.parquet")
    name = next(n for n in frame if frame[n].dtype.kind == "f")
    frame.loc[frame.index[2], name] += 0.5
    frame.to_parquet(folder / "predictions.parquet", index=False)


def changed_scores(folder):
    document = json.loads((folder / "metrics.json").read_text())
    document["parts"]["test"]["model"]["mae"] += 1
    (folder / "metrics.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "part", "expected"),
    [
        (changed_history, "history", {"network": 1, "epoch": 2}),
        (changed_second_history, "history", {"network": 2, "epoch": 3}),
        (changed_weight, "weights",
         {"parameter": "member_2/recurrent_1/bias", "different": 1, "greatest_difference": 0.25}),
        (changed_predictions, "predictions", {"greatest_difference": 0.5}),
        (changed_scores, "scores", {"score": "test.model.mae"}),
    ],
)  # fmt: skip
def test_the_first_that_differs_is_named(change, part, expected, copy):
    """One bit, whoever has signed the folder anew."""
    change(copy)
    with pytest.raises(RunError, match="damaged: it was changed after the run"):
        reproduce(copy)
    sign(copy)
    differences = call(copy, DIFFERENT)["differences"]
    assert list(differences) == [part]
    got = {name: differences[part][name] for name in some(expected)}
    assert got == pytest.approx(expected)


def test_other_data_are_refused_and_moved_ones_are_not(files, tmp_path):
    recipe = json.loads(json.dumps(files["tagging"]))
    moved = tmp_path / "rows.csv"
    shutil.copy(recipe["data"]["path"], moved)
    recipe["data"]["path"] = str(moved)
    folder = trained(recipe, tmp_path / "runs")
    text = moved.read_text()
    moved.write_text(text.replace("rest", "Rest"))
    found = call(folder, USER_ERROR)
    assert found["error"] == "RunError"
    assert f"its data have changed since the run: {moved}" in found["messages"][0]
    moved.unlink()
    assert call(folder, USER_ERROR)["error"] == "DataError"
    other = tmp_path / "elsewhere.csv"
    other.write_text(text)
    resolved = folder / "recipe.resolved.yaml"
    resolved.write_text(resolved.read_text().replace(str(moved), str(other)))
    sign(folder)
    assert call(folder, 0)["equal"]


def test_a_run_that_began_from_another(made, files, tmp_path):
    start = shutil.copytree(made, tmp_path / "start")
    recipe = {**files["forecasting"], "train": {**files["forecasting"]["train"],
              "start": str(start), "freeze": ["encoder"]}}  # fmt: skip
    folder = trained(recipe, tmp_path / "runs")
    assert call(folder, 0)["equal"]
    changed_weight(start)
    sign(start)
    with pytest.raises(RunError, match=f"the fit {start} has changed since this one began"):
        reproduce(folder)
    shutil.rmtree(start)
    assert call(folder, USER_ERROR)["error"] == "RunError"


def test_a_run_that_was_broken_off_and_resumed(files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "LEAST", 0.0)
        patch.setattr(Keeper, "SHARE", 0.0)
        with pytest.raises(KeyboardInterrupt):
            run(files["regression"], out=tmp_path, show=Interrupting(1))
    [partial] = tmp_path.iterdir()
    with pytest.raises(RunError, match="not complete"):
        reproduce(partial)
    folder = Path(resume(partial).document["run"])
    assert "resumed after epoch" in (folder / "log.txt").read_text()
    assert call(folder, 0)["equal"]


def test_another_environment_is_told(copy):
    """What earlier versions have not noted is said not to have been."""
    record = json.loads((copy / "run.json").read_text())
    assert record["host"]["processor"]
    record["versions"]["numpy"] = "1.0"
    del record["host"]["blas"], record["versions"]["numba"]
    (copy / "run.json").write_text(json.dumps(record))
    found = call(copy, 0)["environment"]
    assert {name: pair["then"] for name, pair in found.items()} == {
        "numpy": "1.0", "numba": None, "blas": None
    }  # fmt: skip
    said = " ".join(CliRunner().invoke(cli, ["reproduce", str(copy)]).stdout.split())
    assert "equal bit for bit" in said
    assert "although the environment is another: numpy, numba, blas" in said
    assert differences_of({"versions": [], "host": None}, environment()).keys() >= {
        "cores",
        "keras",
    }


def test_predictions_are_compared_whole(made):
    """A column more, a column less, other rows, other texts: each is told as what it is."""
    from seqkit.runs.reproducing import _tables

    table = pq.read_table(made / "predictions.parquet")
    name = table.column_names[-1]
    assert _tables(table, table) is None
    assert _tables(table, table.drop_columns([name])) == {"column": name, "there": "then"}
    assert _tables(table.drop_columns([name]), table) == {"column": name, "there": "now"}
    assert _tables(table, table.slice(1))["rows"] == {
        "then": len(table), "now": len(table) - 1
    }  # fmt: skip


@pytest.mark.parametrize("stored", ["regression", "forecasting_ensemble"])
def test_runs_of_format_1_are_trained_again(stored, tmp_path):
    """Keras trained them then, compiled kernels today: what differs is named, or nothing does."""
    folder = shutil.copytree(STORED / "0.1.0" / stored, tmp_path / "stored") / "run"
    found = reproduce(folder).document
    assert found["equal"] == (not found["differences"])
    assert found["environment"]["numba"]["then"] is None
