from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some

from seqkit import load_run
from seqkit.cli import cli

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
SMALL = ["--set", "train.epochs=2", "--set", "model.units=4"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run a command in an empty folder; return its exit status, output and messages."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, status=0):
        result = CliRunner().invoke(cli, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.stdout if status == 0 else result.stderr

    return run


def long_table(n_series=12, n_steps=9, seed=0):
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(n_series) % 2, n_steps)
    return pd.DataFrame(
        {
            "trial": np.repeat(np.arange(n_series), n_steps),
            "t": np.tile(np.arange(n_steps), n_series),
            "ax": rng.normal(size=n_series * n_steps) + kind,
            "ay": rng.normal(size=n_series * n_steps),
            "label": np.where(kind, "run", "rest"),
        }
    )


RECIPE = """\
task: classification
data:
  path: table.csv
  layout: long
  target: label
  series_id: trial
  time: t
  split: {test: 0.25, validation: 0.25}
model:
  units: 4
train:
  epochs: 2
"""


@pytest.fixture
def table(tmp_path):
    """Write table.csv and recipe.yaml; return a function that writes them changed."""

    def write(frame=None, recipe=RECIPE):
        (long_table() if frame is None else frame).to_csv(tmp_path / "table.csv", index=False)
        (tmp_path / "recipe.yaml").write_text(recipe)
        return tmp_path / "recipe.yaml"

    return write


# -- what works ------------------------------------------------------------------------------------


def test_a_run_from_a_file_through_every_command(call, table, tmp_path):
    recipe = table()
    assert "no errors" in " ".join(call("check", recipe, "--data").split())
    plan = call("fit", recipe, "--dry-run")
    assert "recurrent_1" in plan
    assert not (tmp_path / "runs").exists()
    out = call("fit", recipe, "--name", "walk")
    assert "nearest" in out.lower()
    assert "\x1b" not in out
    assert "\r" not in out
    [run] = (tmp_path / "runs").iterdir()
    assert run.name.split("-")[2] == "walk"
    names = {p.name for p in run.iterdir()}
    assert names >= {
        "recipe.yaml",
        "recipe.resolved.yaml",
        "run.json",
        "network.json",
        "weights.safetensors",
        "model.json",
        "checkpoints",
        "history.csv",
        "metrics.json",
        "predictions.parquet",
        "log.txt",
        "report.html",
        "MODEL_CARD.md",
        "plots",
    }
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["data"]
    assert (run / "recipe.yaml").read_text() == RECIPE
    scores = json.loads((run / "metrics.json").read_text())
    again = json.loads(call("evaluate", run, "--json"))
    assert again["metrics"]["parts"] == scores["parts"]
    other = json.loads(call("evaluate", run, "--data", "table.csv", "--json"))
    assert other["metrics"]["n"]["test"]["series"] == 12
    call("predict", run, "table.csv", "-o", "p.csv", "--proba")
    predicted = pd.read_csv("p.csv")
    assert len(predicted) == 12
    np.testing.assert_allclose(predicted["p_run"] + predicted["p_rest"], 1, rtol=1e-6)
    long_table().drop(columns="label").to_csv(tmp_path / "new.csv", index=False)
    call("predict", run, "new.csv", "-o", "p.parquet")
    assert pd.read_parquet("p.parquet")["predicted"].tolist() == predicted["predicted"].tolist()
    call("export", run, "--format", "saved_model", "-o", "served")
    call("export", run, "--format", "keras", "-o", "model.keras")
    message = call("export", run, "--format", "keras", "-o", "model.keras", status=2)
    assert "not overwritten" in message
    # the resolved recipe runs again and gives the same scores
    call("fit", run / "recipe.resolved.yaml", "--quiet", "--out", "second")
    [second] = Path("second").iterdir()
    assert json.loads((second / "metrics.json").read_text()) == scores


def test_compiled_kernels_are_announced_once(call, table, tmp_path, monkeypatch):
    from seqkit.network.cpu.code import compiling

    with monkeypatch.context() as patch:
        patch.setattr(compiling, "_cache_folder", lambda: tmp_path)
        assert "kernels are compiled for this computer" in call("fit", table(), "--name", "a")
        assert "kernels are compiled" not in call("fit", table(), "--json", "--name", "b")
    assert "kernels are compiled" not in call("fit", table(), "--name", "c")


def test_json_is_one_object_and_nothing_else(call, table):
    document = json.loads(call("fit", table(), "--json"))
    assert document["status"] == "complete"
    error = CliRunner().invoke(cli, ["fit", "nowhere.yaml", "--json"])
    assert error.exit_code == 2
    assert json.loads(error.stdout)["error"] == "RecipeError"


def test_a_forecasting_run_through_every_command(call, tmp_path):
    call("fit", RECIPES / "airline.yaml", "--quiet", *SMALL)
    [run] = (tmp_path / "runs").iterdir()
    rows = json.loads(call("forecast", run, "--json", "--horizon", "15"))["forecast"]
    assert len(rows) == 15
    assert str(rows[0]["month"]).startswith("1961-01")
    assert "1961" in call("forecast", run)
    rows = json.loads(call("forecast", run, "--json", "--interval", "0.8"))["forecast"]
    middle = [(row["passengers_low80"] + row["passengers_high80"]) / 2 for row in rows]
    np.testing.assert_allclose(middle, [row["passengers"] for row in rows], rtol=1e-6)
    assert all(row["passengers_low80"] < row["passengers_high80"] for row in rows)
    error = call("forecast", run, "--interval", "0.8", "--horizon", "15", status=2)
    assert "leave out --horizon or --interval" in error
    assert json.loads(call("evaluate", run, "--json"))["metrics"]["parts"]["test"]
    call("export", run, "--format", "saved_model", "-o", "served")


def test_exported_model_is_served_without_seqkit(call, table, tmp_path):
    call("fit", table(), "--quiet")
    [run] = (tmp_path / "runs").iterdir()
    call("export", run, "--format", "saved_model", "-o", "served")
    call("predict", run, "table.csv", "-o", "p.csv", "--proba")
    expected = pd.read_csv("p.csv")[["p_rest", "p_run"]].to_numpy()
    X = long_table()[["ax", "ay"]].to_numpy(np.float32).reshape(12, 9, 2)
    np.save("X.npy", X)
    code = (
        "import sys, numpy as np, tensorflow as tf;"
        "served = tf.saved_model.load('served');"
        "np.save('answer.npy', served.serve(np.load('X.npy')).numpy());"
        "assert 'seqkit' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load("answer.npy"), expected, rtol=1e-4, atol=1e-6)


def test_killed_in_an_epoch_and_resumed_ends_with_the_same_weights(tmp_path):
    """SIGKILL at any moment; the resumed run has the weights of an uninterrupted one."""
    common = [sys.executable, "-m", "seqkit.cli", "fit"]
    recipe = [str(RECIPES / "gunpoint.yaml")]
    for setting in ("train.epochs=250", "model.units=16", "model.dropout=0.1"):
        recipe += ["--set", setting]
    environment = {**os.environ, "PYTHONPATH": str(RECIPES.parent)}

    def weights(folder):
        [run] = folder.iterdir()
        assert json.loads((run / "run.json").read_text())["status"] == "complete"
        return load_run(run).weights_

    killed = tmp_path / "killed"
    with subprocess.Popen(
        [*common, *recipe, "--out", str(killed), "--quiet"], env=environment
    ) as p:
        for _ in range(1800):
            time.sleep(0.1)
            if list(killed.glob("*.partial/checkpoints/last.npz")):
                break
        else:
            pytest.fail("no checkpoint was written in three minutes")
        time.sleep(0.3)
        p.send_signal(signal.SIGKILL)
    [partial] = killed.iterdir()
    assert partial.name.endswith(".partial")
    subprocess.run([*common, "--resume", str(partial), "--quiet"], check=True, env=environment)
    whole = tmp_path / "whole"
    subprocess.run([*common, *recipe, "--out", str(whole), "--quiet"], check=True, env=environment)
    for a, b in some(zip(weights(killed), weights(whole), strict=True)):
        np.testing.assert_array_equal(a, b)


def test_help_and_check_are_quick_to_load():
    code = (
        "import sys; from seqkit.cli import cli; from seqkit.recipe.reading import read_recipe;"
        f"read_recipe(r'{RECIPES / 'gunpoint.yaml'}');"
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules), "
        "'something heavy was loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_check_of_data_loads_no_tensorflow():
    code = (
        "import sys; from seqkit.cli import cli;"
        f"cli(['check', r'{RECIPES / 'airline.yaml'}', '--data'], standalone_mode=False);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules), "
        "'something heavy was loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- bad input: exit status 2 and one clear message ------------------------------------------------


def changed(**columns):
    frame = long_table()
    for name, change in columns.items():
        frame[name] = change(frame)
    return frame


def put(column, row, value):
    def change(frame):
        values = frame[column].astype(object)
        values[row] = value
        return values

    return change


BAD_TABLES = {
    "empty file": (lambda: pd.DataFrame(), RECIPE, "empty"),
    "unknown column": (long_table, RECIPE.replace("target: label", "target: labl"), "labl"),
    "text among the features": (
        lambda: changed(ax=put("ax", 5, "oops")),
        RECIPE,
        "oops",
    ),
    "one class": (lambda: changed(label=lambda f: "run"), RECIPE, "two or more classes"),
    "class with one sample": (
        lambda: changed(label=lambda f: np.where(f.trial == 3, "fall", f.label)),
        RECIPE,
        "at least 2 in every class",
    ),
    "NaN": (lambda: changed(ax=put("ax", 12, np.nan)), RECIPE, "table.csv"),
    "infinity": (lambda: changed(ay=put("ay", 12, np.inf)), RECIPE, "inf"),
    "duplicate time stamps": (lambda: changed(t=put("t", 4, 3)), RECIPE, "twice|duplicate|ascend"),
    "unsorted time stamps": (lambda: changed(t=put("t", 4, -1)), RECIPE, "ascend|sorted|before"),
    "label unseen in training": (
        lambda: changed(label=lambda f: np.where(f.trial >= 11, "fall", f.label)),
        RECIPE.replace("split: {", "split: {method: time, "),
        "fall",
    ),
    "label varies in a series": (
        lambda: changed(label=put("label", 4, "run")),
        RECIPE,
        "label",
    ),
    "series shorter than the patch": (
        long_table,
        RECIPE.replace("units: 4", "units: 4\n  patch: 20"),
        "patch=20",
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(case, call, table, tmp_path):
    frame, recipe, message = BAD_TABLES[case]
    path = table(frame(), recipe)
    said = call("fit", path, status=2)
    print(f"{case}: {said}")
    assert __import__("re").search(message, said), said
    assert said.startswith("Error: ")
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


BAD_RECIPES = {
    "no YAML": ("task: [classification\n", "recipe.yaml:"),
    "duplicate key": (RECIPE + "train:\n  epochs: 3\n", "train"),
    "wrong type": (RECIPE.replace("epochs: 2", "epochs: many"), r"recipe.yaml:12:\d+: .*epochs"),
    "out of range": (RECIPE.replace("epochs: 2", "epochs: 0"), r"recipe.yaml:12:\d+: .*epochs"),
    "unknown key": (RECIPE.replace("units: 4", "unts: 4"), "did you mean 'units'"),
    "unknown key deep down": (RECIPE.replace("{test: 0.25", "{tset: 0.25"), "did you mean 'test'"),
    "another task's setting": (RECIPE + "forecast:\n  horizon: 3\n", "forecast"),
}


@pytest.mark.parametrize("case", BAD_RECIPES)
@pytest.mark.parametrize("command", ["check", "fit"])
def test_bad_recipes(case, command, call, table):
    recipe, message = BAD_RECIPES[case]
    said = call(command, table(recipe=recipe), status=2)
    print(f"{case}: {said}")
    assert __import__("re").search(message, said), said


def series(n=60, **changes):
    frame = pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=n), "load": np.sin(np.arange(n)) + 5.0}
    )
    for name, change in changes.items():
        frame[name] = change(frame)
    return frame


FORECAST = """\
task: forecasting
data: {path: table.csv, target: load, time: day}
model: {units: 4}
train: {epochs: 2}
forecast: {context_length: 8, horizon: 4}
evaluate: {backtest: {windows: 2, step: 4}}
"""
BAD_SERIES = {
    "irregular frequency": (
        lambda: series(day=lambda f: f.day.where(f.index < 30, f.day + pd.Timedelta("7h"))),
        "frequency|irregular|regular",
    ),
    "duplicate stamps": (lambda: series(day=lambda f: f.day.where(f.index != 9, f.day[8])), "2024"),
    "unsorted stamps": (lambda: series()[::-1], "2024|ascend|sort"),
    "NaN": (lambda: series(load=lambda f: f.load.where(f.index != 17)), "NaN|missing"),
    "infinity": (lambda: series(load=lambda f: f.load.where(f.index != 17, np.inf)), "inf"),
    "too short": (lambda: series(12), r"\b4 steps|4\b.*horizon|length"),
    "unknown column": (lambda: series().rename(columns={"load": "lode"}), "load"),
}


@pytest.mark.parametrize("case", BAD_SERIES)
def test_bad_series(case, call, table, tmp_path):
    frame, message = BAD_SERIES[case]
    said = call("fit", table(frame(), FORECAST), status=2)
    print(f"{case}: {said}")
    assert __import__("re").search(message, said), said
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_missing_files(call, table, tmp_path):
    assert "nowhere.yaml" in call("fit", "nowhere.yaml", status=2)
    path = table()
    (tmp_path / "table.csv").rename(tmp_path / "tables.csv")
    said = call("fit", path, status=2)
    assert "table.csv" in said


def test_output_folder_that_cannot_be_written(call, table, tmp_path):
    (tmp_path / "taken").write_text("a file")
    said = call("fit", table(), "--out", "taken/runs", status=2)
    assert "cannot be written" in said
    assert "--out" in said


def test_a_full_disk_breaks_a_run_off_that_can_be_gone_on_with(call, table, tmp_path):
    """A limit on the size of a file stands for the disk: writes fail the same way."""
    recipe = table()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [sys.executable, "-B", "-m", "seqkit.cli", "fit", str(recipe)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(RECIPES.parent)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "the run was broken off: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    [partial] = (tmp_path / "runs").iterdir()
    assert f"--resume {partial.relative_to(tmp_path)}" in done.stderr
    call("fit", "--resume", partial)
    [run] = (tmp_path / "runs").iterdir()
    assert str(run) == str(partial).removesuffix(".partial")


def test_a_diverging_run_is_kept_and_marked_failed(call, table, tmp_path):
    recipe = RECIPE.replace(
        "epochs: 2", "epochs: 30\n  learning_rate: 1e38\n  clipnorm: null\n  optimizer: sgd"
    )
    said = call(
        "fit", table(recipe=recipe.replace("units: 4", "units: 4\n  cell: simple_rnn")), status=1
    )
    assert "epoch" in said
    assert "learning_rate" in said
    [run] = (tmp_path / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert (run / "history.csv").is_file()
    assert "failed" in call("evaluate", run, status=2)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "run.json").write_text("{"), "damaged"),
        (lambda run: (run / "weights.safetensors").unlink(), "weights.safetensors missing"),
        (lambda run: (run / "weights.safetensors").write_bytes(b"nonsense"), "was changed"),
        (lambda run: (run / "model.json").write_text('{"task": 1}'), "was changed"),
        (
            lambda run: (run / "run.json").write_text(
                json.dumps({**json.loads((run / "run.json").read_text()), "format": 99})
            ),
            "format 99",
        ),
    ],
    ids=["run.json", "no model", "bad model", "bad model.json", "newer version"],
)
def test_damaged_run_folders(damage, message, call, table, tmp_path):
    call("fit", table(), "--quiet")
    [run] = (tmp_path / "runs").iterdir()
    damage(run)
    said = call("evaluate", run, status=2)
    assert message in said
    assert "no such run folder" in call("evaluate", "nothing", status=2)
