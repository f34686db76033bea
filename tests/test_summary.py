"""metrics.json: what it holds, why a score is missing, and how it looks in a terminal."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import some
from rich.console import Console

from seqkit.evaluation.baselines import BASELINES, ForecastProblem, SeriesProblem, run_baselines
from seqkit.evaluation.metrics import METRICS, Predictions
from seqkit.evaluation.summary import best_of, score_model, score_table, summarize
from seqkit.evaluation.verdict import number
from seqkit.tasks import TASKS


@pytest.mark.parametrize("task", list(TASKS))
def test_every_name_of_a_task_is_a_row(task):
    row = TASKS[task]
    assert all(task in METRICS[name].tasks for name in some(row.metrics))
    assert all(task in BASELINES[name].tasks for name in some(row.all_baselines))


def rendered(table, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


def test_classification_beside_its_baselines():
    generator = np.random.default_rng(0)
    y = np.asarray(["a", "b", "c"])[np.arange(60) % 3]
    X = generator.normal(size=(60, 8)) + (y == "a")[:, None]
    problem = SeriesProblem(X[:30], y[:30], X[30:])
    baselines, notes = run_baselines("classification", problem)
    probabilities = generator.dirichlet([1, 1, 1], 30)
    prediction = Predictions(np.asarray(["a", "b", "c"])[probabilities.argmax(1)], probabilities)
    part = score_model(
        "classification", y[30:], prediction, baselines=baselines, classes=["a", "b", "c"]
    )
    summary = summarize("classification", {"test": part}, notes=notes)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    scores = summary["parts"]["test"]
    assert scores["baselines"]["majority"]["accuracy"] == pytest.approx(1 / 3)
    assert scores["baselines"]["majority"]["roc_auc"] == pytest.approx(0.5)
    assert scores["baselines"]["nearest_neighbour"]["log_loss"] is None
    assert summary["notes"] == [
        "test: log_loss, roc_auc of nearest_neighbour: no probabilities were predicted"
    ]
    assert np.sum(scores["confusion"]["counts"]) == 30
    text = rendered(score_table(summary))
    assert "balanced accuracy ↑" in text
    assert "1-nearest neighbour" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_tagging_counts_steps():
    y = [np.asarray(["x", "y", "x"]), np.asarray(["y"])]
    prediction = Predictions(labels=[np.asarray(["x", "y", "y"]), np.asarray(["y"])])
    part = score_model("tagging", y, prediction, metrics=["accuracy"])
    assert part["model"]["accuracy"] == 0.75
    assert part["n"] == {"series": 2, "steps": 4}


def test_forecasts_by_step_and_series_and_what_is_missing():
    generator = np.random.default_rng(0)
    history = [generator.normal(size=40), np.ones(40)]
    truth = generator.normal(size=(2, 1, 3))
    baselines, _ = run_baselines("forecasting", ForecastProblem(history, 3, 4))
    part = score_model(
        "forecasting", truth, Predictions(values=truth + 1), baselines=baselines,
        metrics=["mae", "mase", "owa", "crps"], history=history, season=4, ids=["p", "q"],
    )  # fmt: skip
    json.dumps(part, allow_nan=False)
    assert part["by_step"]["model"]["mae"] == pytest.approx([1, 1, 1])
    assert part["by_series"]["ids"] == ["p", "q"]
    assert part["by_series"]["model"]["mase"][1] is None
    assert part["model"]["crps"] is None
    assert part["baselines"]["naive2"]["owa"] == pytest.approx(1.0)
    everyone = "model, naive, seasonal_naive, drift, naive2"
    assert part["notes"] == [
        f"mase, owa of {everyone}: does not exist for 1 of 2 series",
        f"crps of {everyone}: the forecast holds no quantiles",
    ]


def test_quantiles_bring_their_metrics_and_the_nominal_coverage():
    truth = np.zeros((1, 2, 3))
    prediction = Predictions(
        values=truth, quantiles=np.stack([truth - 1, truth, truth + 1], -1), levels=(0.1, 0.5, 0.9)
    )
    part = score_model("forecasting", truth + 0.5, prediction, history=[np.arange(9.0)])
    assert part["model"]["coverage"] == 1.0
    assert part["model"]["interval_width"] == 2.0
    assert "coverage should be 80%: quantiles 0.1 to 0.9" in part["notes"]


def test_the_best_is_bold_and_ties_share_it():
    assert best_of("accuracy", {"model": 0.9, "majority": 0.5}) == {"model"}
    assert best_of("mae", {"model": 0.9, "naive": 0.5, "drift": 0.5}) == {"naive", "drift"}
    assert best_of("coverage", {"model": 0.9, "naive": 0.5}) == set()
    assert best_of("mae", {"model": 0.9, "naive": None}) == set()
    summary = summarize(
        "regression",
        {"test": {"model": {"mae": 2.0}, "baselines": {"mean": {"mae": 1.0}}, "n": {"series": 3},
                  "notes": []}},
    )  # fmt: skip
    cells = [list(column.cells) for column in score_table(summary).columns]
    assert cells == [["MAE ↓"], ["2.000"], ["[bold]1.000[/bold]"]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.5000"), (12345678, "1.235e+07"), (-3.14159, "-3.142"), (0, "0"), (None, "–")],
)
def test_numbers_have_four_digits(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize("width", [30, 45, 60, 80])
def test_a_narrow_terminal_shows_the_model_and_the_best_and_says_so(width):
    truth = np.zeros((3, 2, 4))
    errors = {"naive": 123.456, "seasonal_naive": 0.5, "drift": 12.5, "auto_ets": 1.0}
    part = score_model(
        "forecasting",
        truth,
        Predictions(values=truth + 7.0),
        metrics=["mae", "rmse"],
        baselines={who: Predictions(values=truth + e) for who, e in errors.items()},
    )
    summary = summarize("forecasting", {"test": part})
    text = rendered(score_table(summary, width=width), width)
    assert max(map(len, text.splitlines())) <= width
    assert "7.000" in text
    flat = " ".join(text.split())
    for title, error in (("naive", 123.5), ("drift", 12.50), ("AutoETS", 1.0)):
        shown = f"{error:#.4g}" in text
        assert shown or title in flat.split("narrow for:")[1]
    if width >= 45:
        assert "0.5000" in text  # the best baseline goes last
    assert ("narrow" in text) == (width < 60)
