"""The verdict: who wins, on how much that rests, and what to try."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import some

from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.summary import score_model, summarize
from seqkit.evaluation.verdict import ADVICE, FEW_FORECASTS, FEW_SERIES, Case, judge, sentences


def labelled(n, right, baseline_right, labels="ab"):
    """Score a classifier and a baseline that are right on so many of n series."""
    y = np.asarray(list(labels))[np.arange(n) % len(labels)]
    other = np.roll(np.asarray(list(labels)), 1)[np.arange(n) % len(labels)]

    def answers(k):
        return Predictions(labels=np.where(np.arange(n) < k, y, other))

    part = score_model(
        "classification",
        y,
        answers(right),
        metrics=["accuracy"],
        baselines={"nearest_neighbour": answers(baseline_right)},
    )
    return summarize("classification", {"test": part})["verdict"]


def forecast(truth, model, **baselines):
    part = score_model(
        "forecasting",
        truth,
        Predictions(values=model),
        metrics=["mae"],
        baselines={name: Predictions(values=values) for name, values in baselines.items()},
    )
    return summarize("forecasting", {"test": part})["verdict"]


def test_it_compares_with_the_best_baseline_and_says_by_how_much():
    truth = np.zeros((1, 20, 5))
    verdict = forecast(truth, truth + 0.9, naive=truth + 3.0, drift=truth + 1.0)
    assert verdict["better"]
    assert (verdict["rival"], verdict["difference"]) == ("drift", "10.0% less")
    verdict = forecast(truth, truth + 1.5, naive=truth + 3.0, drift=truth + 1.0)
    assert not verdict["better"]
    assert verdict["difference"] == "50.0% more"
    assert not forecast(truth, truth + 1.0, drift=truth + 1.0)["better"]


@pytest.mark.parametrize("n", [FEW_FORECASTS - 1, FEW_FORECASTS])
def test_few_forecasts_are_a_hint(n):
    truth = np.zeros((1, n, 5))
    verdict = forecast(truth, truth + 0.9, naive=truth + 1.0)
    assert verdict["rests_on"] == f"It rests on {5 * n} values: {n} windows."
    assert (verdict["few"] is not None) == (n < FEW_FORECASTS)


def test_windows_that_overlap_count_as_what_they_cover():
    truth = np.zeros((1, 13, 12))
    part = score_model(
        "forecasting",
        truth,
        Predictions(values=truth + 0.9),
        metrics=["mae"],
        baselines={"naive": Predictions(values=truth + 1.0)},
    ) | {"windows": 13, "step": 1}
    verdict = summarize("forecasting", {"test": part})["verdict"]
    assert verdict["rests_on"] == "It rests on 156 values: 13 overlapping windows."
    assert "2 forecasts that do not overlap" in verdict["few"]


@pytest.mark.parametrize(("scatter", "chance"), [(2.0, True), (0.05, False)])
def test_a_difference_that_series_scatter_by_may_be_chance(scatter, chance):
    """The same mean difference, of series that agree about it, and of series that do not."""
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 1, 4))
    gain = rng.normal(size=(40, 1, 1))
    gain = 0.1 + scatter * (gain - gain.mean())
    verdict = forecast(truth, truth + 10.0 - gain, naive=truth + 10.0)
    assert verdict["better"]
    assert (verdict["few"] is not None and "may be chance" in verdict["few"]) == chance


def test_few_series_and_small_differences_are_hints():
    assert "few" in labelled(FEW_SERIES - 1, 40, 20)["few"]
    assert labelled(1000, 900, 700)["few"] is None
    assert "may be chance" in labelled(100, 82, 80)["few"]


def test_over_many_series_the_scaled_error_decides():
    """One series of large numbers must not outvote the rest."""
    truth = np.zeros((40, 1, 4))
    size = np.where(np.arange(40) == 0, 1e6, 1.0)[:, None, None]
    history = [np.tile([0.0, 1.0], 10) * s for s in size.ravel()]
    wins_most = np.where(size > 1, 2.0, 0.5) * size
    part = score_model(
        "forecasting",
        truth,
        Predictions(values=truth + wins_most),
        metrics=["mae", "mase"],
        baselines={"naive": Predictions(values=truth + size)},
        history=history,
    )
    verdict = summarize("forecasting", {"test": part})["verdict"]
    assert (verdict["metric"], verdict["better"]) == ("MASE", True)


def test_a_collapsed_classifier_is_said_to_be_one():
    y = np.asarray(list("ab") * 40)
    one = Predictions(labels=np.full(80, "b"))
    part = score_model("classification", y, one, metrics=["accuracy"], baselines={"majority": one})
    verdict = summarize("classification", {"test": part})["verdict"]
    assert verdict["collapsed"] == "The model has collapsed: it answers b for every series."
    assert verdict["collapsed"] in sentences(verdict)
    assert "learning_rate" in verdict["try"][0]


@pytest.mark.parametrize(("spread", "collapsed"), [(1e-4, True), (0.3, False)])
def test_a_regression_without_variance_is_said_to_be_one(spread, collapsed):
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    part = score_model(
        "regression",
        y,
        Predictions(values=5 + spread * rng.normal(size=200)),
        metrics=["mae"],
        baselines={"mean": Predictions(values=np.zeros(200))},
    )
    verdict = summarize("regression", {"test": part})["verdict"]
    assert bool(verdict["collapsed"]) == collapsed
    assert not collapsed or "about 5.0" in verdict["collapsed"]


def test_truth_of_one_class_is_no_collapse():
    y = np.full(60, "a")
    part = score_model("classification", y, Predictions(labels=y), metrics=["accuracy"])
    assert "collapsed" not in part


def test_the_worse_of_test_part_and_sample_is_what_is_said():
    truth = np.zeros((1, 20, 5))
    parts = {
        name: score_model(
            "forecasting",
            truth,
            Predictions(values=truth + 1.0),
            metrics=["mae"],
            baselines={who: Predictions(values=truth + error)},
        )
        for name, who, error in (("test", "naive", 2.0), ("sample", "auto_ets", 0.5))
    }
    parts["sample"]["n"] = {"series": 1, "forecasts": 20, "values": 100}
    verdict = summarize("forecasting", parts)["verdict"]
    assert (verdict["rival"], verdict["better"]) == ("AutoETS", False)
    assert "on the sample, AutoETS" in sentences(verdict)[0]
    assert "drawn at random" in verdict["rests_on"]


def test_nothing_to_compare_with_is_no_verdict():
    part = score_model("regression", [1.0, 2.0], Predictions(values=[1.0, 2.0]), metrics=["mae"])
    assert judge(summarize("regression", {"test": part})) is None


SEASONAL = {
    "model": {"departure_from": "none"},
    "forecast": {"context_length": 24, "horizon": 12},
    "evaluate": {"season": 12},
    "train": {"ensemble": 1},
}
CASES = {
    "collapsed": Case("classification", "majority", collapsed=True),
    "hardly begun": Case("classification", "majority", loss=[1.0, 0.9]),
    "departure": Case(
        "forecasting", "auto_ets", ahead=("auto_ets", "seasonal_naive"), settings=SEASONAL
    ),
    "longer context": Case(
        "forecasting",
        "auto_ets",
        settings={"forecast": {"context_length": 12}, "evaluate": {"season": 12}},
    ),
    "shorter context": Case(
        "forecasting",
        "drift",
        settings={"forecast": {"context_length": 60, "horizon": 6}, "evaluate": {"season": 1}},
    ),
    "ensemble": Case("forecasting", "drift", settings={"train": {"ensemble": 1}}),
    "data": Case("classification", "nearest_neighbour"),
}


@pytest.mark.parametrize("row", ADVICE, ids=lambda row: row.name)
def test_every_advice_is_given_where_it_applies_and_only_there(row):
    assert row.applies(CASES[row.name])
    assert row.text(CASES[row.name])
    assert row.evidence
    assert not row.applies(Case("regression", "mean"))


def test_every_advice_names_settings_that_there_are():
    from seqkit.recipe.schema import RECIPES, leaves

    known = {path for task in RECIPES.values() for path in leaves(task)}
    for row in some(ADVICE):
        words = row.text(CASES[row.name]).replace(":", " ").replace(",", " ").split()
        named = [w for w in words if w.split(".")[0] in ("model", "train", "forecast") and "." in w]
        assert {*named} <= known, row.name


def test_a_departure_is_advised_to_who_loses_to_what_it_departs_from():
    truth = np.zeros((1, 20, 5))
    for error, wanted in ((1.5, True), (0.9, False)):
        part = score_model(
            "forecasting",
            truth,
            Predictions(values=truth + error),
            metrics=["mae"],
            baselines={
                "seasonal_naive": Predictions(values=truth + 1.0),
                "auto_ets": Predictions(values=truth + 0.5),
            },
        )
        verdict = summarize("forecasting", {"test": part}, settings=SEASONAL)["verdict"]
        assert not verdict["better"]
        assert any("departure_from" in advice for advice in verdict["try"]) == wanted


def test_a_winner_is_given_no_advice():
    truth = np.zeros((1, 20, 5))
    assert forecast(truth, truth + 0.9, naive=truth + 1.0)["try"] == []


def test_what_cannot_be_better_is_given_no_advice():
    """A model as right as it can be, like its baseline; one that errs as often is given some."""
    assert not labelled(60, 60, 60)["better"]
    assert labelled(60, 60, 60)["try"] == []
    assert labelled(60, 58, 58)["try"]
    truth = np.zeros((1, 20, 5))
    assert "perfect" not in forecast(truth, truth, naive=truth)
    assert forecast(truth, truth, naive=truth)["try"] == []


def test_an_ensemble_is_told_as_its_task_combines_it():
    [row] = [row for row in ADVICE if row.name == "ensemble"]
    assert "the median of" in row.text(Case("forecasting", "drift"))
    assert "the mean of" in row.text(Case("classification", "majority"))
