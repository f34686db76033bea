"""Help with examples that run, short-cuts of fit, completion, and what a terminal shows when."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some

from seqkit.cli import SHELLS, VARIABLE, cli

SMALL = ["--set", "train.epochs=1", "--set", "model.units=2"]
EXAMPLES = [
    (name, example)
    for name, command in cli.commands.items()
    for example in command.examples
    if "--resume" not in example and name != "completion"
]


def invoke(*arguments):
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def sales(n=120):
    t = np.arange(n)
    return pd.DataFrame(
        {
            "month": pd.date_range("2012-01-01", periods=n, freq="MS"),
            "sales": 100 + t + 20 * np.sin(2 * np.pi * t / 12),
        }
    )


def trials(n_series=40, n_steps=9):
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(n_series) % 2, n_steps)
    return pd.DataFrame(
        {
            "trial": np.repeat(np.arange(n_series), n_steps),
            "t": np.tile(np.arange(n_steps), n_series),
            "ax": rng.normal(size=n_series * n_steps) + kind,
            "label": np.where(kind, "run", "rest"),
        }
    )


FORECAST = """\
task: forecasting
data: {path: sales.csv, time: month, target: sales}
model: {units: 2}
train: {epochs: 1}
forecast: {context_length: 24, horizon: 12}
evaluate: {season: 12, baselines: [naive], backtest: {windows: 2}}
"""
CLASSIFY = """\
task: classification
data: {path: trials.csv, target: label, series_id: trial, time: t}
model: {units: 2}
train: {epochs: 1}
"""

GENERATE = """\
task: tagging
data: {path: play.txt, target: next}
model: {units: 2}
train: {epochs: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data, recipes and a run of each kind."""
    path = tmp_path_factory.mktemp("work")
    sales().to_csv(path / "sales.csv", index=False)
    trials().to_csv(path / "trials.csv", index=False)
    (path / "forecast.yaml").write_text(FORECAST)
    (path / "play.txt").write_text("ROMEO: but soft!\nJULIET: ay me!\n" * 200)
    (path / "classify.yaml").write_text(CLASSIFY)
    (path / "generate.yaml").write_text(GENERATE)
    before = Path.cwd()
    os.chdir(path)
    try:
        for kind in ("forecast", "classify", "generate"):
            assert invoke("fit", f"{kind}.yaml", "--out", kind, "--quiet").exit_code == 0
    finally:
        os.chdir(before)
    return path


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[e for _, e in EXAMPLES])
def test_examples_of_help_run(name, example, folder, tmp_path, monkeypatch):
    kind = "classify" if name in ("predict", "evaluate", "export") else "forecast"
    kind = name if name == "generate" else kind
    data = {"classify": "trials.csv", "forecast": "sales.csv", "generate": "play.txt"}[kind]
    for source, target in (
        ("sales.csv", "sales.csv"),
        (data, "other.csv"),
        (data, data),
        (f"{kind}.yaml", "recipe.yaml"),
    ):
        if name != "init" or target.endswith(".csv"):
            shutil.copy(folder / source, tmp_path / target)
    for number, part in trials().groupby("trial"):
        walks = tmp_path / "walks" / part["label"].iloc[0]
        walks.mkdir(parents=True, exist_ok=True)
        part[["t", "ax"]].to_csv(walks / f"{number}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    [run] = (folder / kind).iterdir()
    for copy in ("one", "other"):
        shutil.copytree(run, tmp_path / "runs" / copy)
    named = iter([run, tmp_path / "runs" / "other"])
    words = [str(next(named)) if word == "RUN" else word for word in shlex.split(example)]
    assert words[:2] == ["seqkit", name]
    result = invoke(*words[1:])
    assert result.exit_code == 0, result.output
    assert result.output or "-o" in words


def test_every_command_has_examples_and_they_are_the_end_of_its_help():
    for name, command in some(cli.commands.items()):
        text = invoke(name, "--help").output.rstrip()
        assert command.examples, name
        assert text.endswith(command.examples[-1])
        assert max(map(len, text.splitlines())) <= 80, name


def test_shortcuts_of_fit_are_settings(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sales(96).to_csv("other one's.csv", index=False)
    shutil.copy(folder / "forecast.yaml", "recipe.yaml")
    shutil.copy(folder / "sales.csv", "sales.csv")
    assert invoke("fit", "recipe.yaml", "--epochs", "3", "--data", "other one's.csv").exit_code == 0
    [run] = Path("runs").iterdir()
    history = (run / "history.csv").read_text().splitlines()
    assert len(history) == 4
    assert json.loads((run / "run.json").read_text())["data"].keys() == {
        str(tmp_path / "other one's.csv")
    }
    text = invoke("fit", "recipe.yaml", "--epochs", "0").output
    assert "x>=1" in text


def test_data_takes_the_place_of_an_embedded_set(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(FORECAST.replace("path: sales.csv", "dataset: airline"))
    plan = invoke("fit", "recipe.yaml", "--data", folder / "sales.csv", "--dry-run", "--json")
    assert json.loads(plan.output)["data"]["series"] == "1 of 120 steps"


def test_a_fit_says_how_it_ended(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    out = invoke("fit", "classify.yaml", "--out", tmp_path).output
    assert "trained 1 epochs; the last weights are kept" in out
    early = ["--set", "data.split.validation=0.4", "--set", "train.patience=1"]
    early += ["--set", "train.learning_rate=1e-30", "--epochs", "4000"]
    out = invoke("fit", "classify.yaml", "--out", tmp_path, "--name", "early", *early).output
    assert "stopped early after" in out
    assert "the weights of epoch" in out


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_clicks_own(shell):
    text = invoke("completion", shell).output
    assert VARIABLE in text
    assert "seqkit" in text
    done = subprocess.run(
        [sys.executable, "-m", "seqkit.cli"],
        env={
            **os.environ,
            VARIABLE: f"{shell}_complete",
            "COMP_WORDS": "seqkit fore",
            "COMP_CWORD": "fore" if shell == "fish" else "1",
        },
        capture_output=True,
        text=True,
    )
    assert "forecast" in done.stdout


def test_a_broken_recipe_loads_nothing_heavy(tmp_path):
    (tmp_path / "r.yaml").write_text("task: nonsense\n")
    heavy = ("numpy", "pandas", "numba", "sklearn", "keras", "tensorflow", "rich")
    code = (
        "import sys; from click.testing import CliRunner; from seqkit.cli import cli\n"
        "print(CliRunner().invoke(cli, ['fit', 'r.yaml']).stderr)\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "r.yaml:1:7: task must be one of" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("width", [60, 80])
def test_lists_and_scores_fit_the_terminal(width, folder, monkeypatch):
    from seqkit.listing import LISTS

    monkeypatch.setenv("COLUMNS", str(width))
    for what in some([None, *LISTS]):
        text = invoke("list", *([what] if what else [])).output
        for line in some(text.splitlines()):
            # a name that is longer than what is left stays whole
            assert len(line) <= width or len(line.split("  ")[-1].split()) <= 3, line
    for kind in ("forecast", "classify"):
        [run] = (folder / kind).iterdir()
        monkeypatch.chdir(folder)
        text = invoke("evaluate", run).output
        assert max(map(len, text.splitlines())) <= width


def test_a_baseline_that_is_not_installed_is_refused_before_training(folder, monkeypatch):
    monkeypatch.setattr("seqkit.runs.flows.base.has_statsforecast", lambda: False)
    monkeypatch.chdir(folder)
    result = invoke("fit", "forecast.yaml", "--set", "evaluate.baselines=[naive, auto_ets]")
    assert result.exit_code == 2
    assert "evaluate.baselines must be installed here; got 'auto_ets'" in result.output
    assert "pip install 'seqkit[baselines]'" in result.output


def test_a_run_is_scored_where_less_is_installed_than_where_it_was_made(folder, monkeypatch):
    """What is not there is left out and said."""
    from seqkit.recipe.reading import read_recipe
    from seqkit.runs.flows import flow_of

    monkeypatch.setattr("seqkit.runs.flows.base.has_statsforecast", lambda: False)
    every = "[naive, seasonal_naive, drift, auto_ets, auto_theta]"
    recipe = read_recipe(folder / "forecast.yaml", [f"evaluate.baselines={every}"])
    names, said = flow_of(recipe).baselines_here()
    assert names == ["naive", "seasonal_naive", "drift"]
    assert "AutoETS and AutoTheta" in said[0]
