"""Comparing runs: scores over drawn series, intervals of differences, and the page."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import compare, run
from seqkit.cli import cli
from seqkit.errors import RunError
from seqkit.evaluation.comparing import compared, holm, pareto
from seqkit.evaluation.forecast_errors import (
    FORECAST_ERRORS,
    ForecastCase,
    Undefined,
    forecast_case,
    forecast_score,
)
from seqkit.evaluation.metrics import METRICS, Predictions, find_metrics, metric_value
from seqkit.evaluation.resampling import (
    LABEL_SCORES,
    NUMBER_SCORES,
    Cases,
    drawn_weights,
    forecast_sums,
    score_sums,
)
from seqkit.report.comparison import write_comparison
from seqkit.runs.comparison import expanded
from seqkit.runs.pairing import paired, unit_names, units_of

RNG = np.random.default_rng(0)

# -- scores of drawn series are those of cases that are really repeated ------------------------

N = 40
CLASSES = np.array(["a", "b", "c", "d"])
PROBABILITIES = RNG.dirichlet(np.ones(4), N)
TRUE_LABELS = CLASSES[RNG.integers(0, 4, N)]
LABELS = Predictions(labels=CLASSES[PROBABILITIES.argmax(1)], probabilities=PROBABILITIES)
NUMBERS = RNG.normal(size=(N, 2))
LEVELS = (0.1, 0.5, 0.9)
QUANTILES = np.sort(RNG.normal(size=(N, 2, 3)), axis=-1)
VALUES = Predictions(values=RNG.normal(size=(N, 2)), quantiles=QUANTILES, levels=LEVELS)


def repeated(prediction, counts):
    def again(block):
        return None if block is None else np.repeat(block, counts, axis=0)

    return replace(
        prediction, labels=again(prediction.labels), values=again(prediction.values),
        probabilities=again(prediction.probabilities), quantiles=again(prediction.quantiles),
    )  # fmt: skip


ONE_EACH = [*LABEL_SCORES, *(name for name, row in NUMBER_SCORES.items() if row[0] != "surprise")]
OF_NUMBERS = [name for name in ONE_EACH if METRICS[name].needs in ("values", "quantiles")]


@pytest.mark.parametrize(
    ("name", "several"), [*((n, False) for n in ONE_EACH), *((n, True) for n in OF_NUMBERS)]
)
def test_a_score_of_weights_is_the_metric_of_repeated_series(name, several):
    numbers = name in OF_NUMBERS
    y = (NUMBERS if several else NUMBERS[:, 0]) if numbers else TRUE_LABELS
    prediction = VALUES if numbers else LABELS
    if numbers and not several:
        prediction = replace(VALUES, values=VALUES.values[:, 0], quantiles=QUANTILES[:, 0])
    score = score_sums(name, Cases(y, prediction, np.arange(N), CLASSES))
    for weights in drawn_weights(N, 7, seed=3):
        for row, found in zip(weights, score(weights), strict=True):
            counts = row.astype(int)
            expected = metric_value(
                METRICS[name], np.repeat(y, counts, axis=0), repeated(prediction, counts),
                classes=CLASSES,
            )  # fmt: skip
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert score.of_all() == pytest.approx(
        metric_value(METRICS[name], y, prediction, classes=CLASSES), rel=1e-9
    )


@pytest.mark.filterwarnings("ignore:A single label was found")
def test_classes_that_a_draw_has_not_are_no_zeros():
    """Three series of one class and one of another that is not drawn."""
    y, labels = np.array(["a", "a", "a", "b"]), np.array(["a", "b", "a", "c"])
    cases = Cases(y, Predictions(labels=labels), np.arange(4))
    weights = np.array([[2.0, 0.0, 2.0, 0.0]])
    for name in some(LABEL_SCORES):
        expected = metric_value(METRICS[name], np.repeat("a", 4), Predictions(labels=["a"] * 4))
        assert score_sums(name, cases)(weights)[0] == expected


STEPS = np.repeat(np.arange(6), [3, 1, 4, 2, 5, 3])


@pytest.mark.parametrize("name", [*LABEL_SCORES, "segment_f1", "nll", "bits"])
def test_scores_of_steps_are_drawn_by_series(name):
    n = len(STEPS)
    p = RNG.dirichlet(np.ones(4), n)
    y, labels = CLASSES[RNG.integers(0, 2, n)], CLASSES[p.argmax(1)]
    likelihood = p[np.arange(n), np.searchsorted(CLASSES, y)]
    prediction = Predictions(labels=labels, probabilities=p)
    score = score_sums(name, Cases(y, prediction, STEPS, CLASSES, -np.log(likelihood)))
    counts = np.array([2, 0, 1, 1, 0, 2])
    index = np.concatenate([np.flatnonzero(u == STEPS) for u in np.repeat(np.arange(6), counts)])
    if name == "segment_f1":
        series = [np.flatnonzero(u == STEPS) for u in np.repeat(np.arange(6), counts)]
        expected = METRICS[name].function(
            [y[i] for i in series], [labels[i] for i in series], classes=None, sample_weight=None
        )
    else:
        drawn = Predictions(labels=labels[index], probabilities=p[index])
        expected = metric_value(METRICS[name], y[index], drawn, classes=CLASSES)
    assert score(counts[None].astype(float))[0] == pytest.approx(expected, rel=1e-9)


def forecasts(n_series=6, n_windows=4, horizon=3, n_targets=2):
    shape = (n_series, n_windows, horizon, n_targets)
    truth = RNG.normal(size=shape) + 3
    truth[0, 0, 1] = np.nan
    quantiles = np.sort(RNG.normal(size=(*shape, 3)) + 3, axis=-1)
    history = RNG.normal(size=(n_series, 30, n_targets)).cumsum(1)
    history[1, :, 0] = 5.0  # constant: it has no scale
    return forecast_case(
        truth, quantiles=quantiles, levels=LEVELS, history=list(history), season=2,
        naive2=RNG.normal(size=shape) + 3,
    )  # fmt: skip


def in_rows(case):
    """One value a row, with its window and its series and target."""
    s, w, _, t = np.indices(case.truth.shape)
    shape = case.truth.shape

    def flat(block):
        return np.broadcast_to(block, shape).reshape(-1, 1, 1, 1)

    rows = ForecastCase(
        flat(case.truth), flat(case.point), case.quantiles.reshape(-1, 1, 1, 1, 3), case.levels,
        None, flat(case.absolute_scale), flat(case.squared_scale), flat(case.naive2),
    )  # fmt: skip
    return rows, s.ravel(), w.ravel(), (s * shape[3] + t).ravel()


def part_of(case, axis, counts):
    def again(block):
        some_ = block is not None and block.shape[axis] > 1
        return np.repeat(block, counts, axis=axis) if some_ else block

    return ForecastCase(
        again(case.truth), again(case.point), again(case.quantiles), case.levels, None,
        again(case.absolute_scale), again(case.squared_scale), again(case.naive2),
    )  # fmt: skip


@pytest.mark.parametrize("name", [*FORECAST_ERRORS, "owa"])
@pytest.mark.parametrize("by", ["series", "windows"])
def test_errors_of_forecasts_are_those_of_repeated_series_or_windows(name, by):
    case = forecasts()
    rows, series, windows, pairs = in_rows(case)
    score = forecast_sums(name, rows, series if by == "series" else windows, pairs)
    counts = np.array([1, 2, 0, 3, 0, 0] if by == "series" else [2, 0, 1, 1])
    expected = forecast_score(name, part_of(case, 0 if by == "series" else 1, counts))
    assert score(counts[None].astype(float))[0] == pytest.approx(expected, rel=1e-9)
    assert score.of_all() == pytest.approx(forecast_score(name, case), rel=1e-9)


def test_errors_of_each_series_are_those_of_the_report():
    case = forecasts()
    rows, series, _, pairs = in_rows(case)
    for name in some(FORECAST_ERRORS):
        found = forecast_sums(name, rows, series, pairs).of_each()
        np.testing.assert_allclose(found, forecast_score(name, case, "series"), rtol=1e-9)


def test_what_cannot_be_drawn_again_is_said():
    cases = Cases(TRUE_LABELS, Predictions(labels=LABELS.labels), np.arange(N), CLASSES)
    with pytest.raises(Undefined, match="no probabilities"):
        score_sums("log_loss", cases)
    with pytest.raises(Undefined, match="not resampled"):
        score_sums("owa", cases)
    rows, series, _, pairs = in_rows(forecasts())
    with pytest.raises(Undefined, match="Naive2"):
        forecast_sums("owa", replace(rows, naive2=None), series, pairs)


# -- intervals -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 30), draws=st.integers(1, 20), block=st.integers(1, 8))
def test_every_draw_has_as_many_units(n, draws, block):
    rows = np.concatenate(list(drawn_weights(n, draws, 1, block)))
    assert rows.shape == (draws, n)
    assert (rows.sum(1) == n).all()
    assert (rows == rows.round()).all()
    assert (rows >= 0).all()


def mean_score(values):
    values = np.asarray(values, float)
    cases = Cases(np.zeros(len(values)), Predictions(values=values), np.arange(len(values)))
    return score_sums("mae", cases)


def test_a_run_compared_with_itself_differs_by_exactly_nothing():
    values = np.abs(RNG.normal(size=50))
    _, found = compared({"A": mean_score(values), "B": mean_score(values.copy())})
    assert (found["B"].value, found["B"].low, found["B"].high) == (0.0, 0.0, 0.0)
    assert found["B"].p == 1.0
    assert not found["B"].beyond_chance


def test_the_difference_of_a_from_b_is_the_negative_of_b_from_a():
    a, b = np.abs(RNG.normal(size=(2, 50)))
    _, there = compared({"A": mean_score(a), "B": mean_score(b)})
    _, back = compared({"B": mean_score(b), "A": mean_score(a)})
    there, back = there["B"], back["A"]
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == back.p


def test_the_interval_of_a_mean_is_that_of_theory():
    """Of many normal values it is the mean +- 1.96 standard errors."""
    values = np.abs(RNG.normal(5, 1, size=2000))
    found, _ = compared({"A": mean_score(values)}, n_draws=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found["A"].low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found["A"].high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_intervals_hold_the_true_difference_as_often_as_they_say():
    """Models whose errors share what makes a series hard; the true difference is .1."""
    rng = np.random.default_rng(5)
    held, n = 0, 300
    for trial in range(n):
        hard = rng.exponential(1.0, 60)
        a, b = 1 + hard + rng.uniform(0, 0.5, 60), 1.1 + hard + rng.uniform(0, 0.5, 60)
        _, found = compared({"A": mean_score(a), "B": mean_score(b)}, n_draws=400, seed=trial)
        held += found["B"].low <= 0.1 <= found["B"].high
    assert 0.91 <= held / n <= 0.98  # two standard errors of 300 trials beside 60 series' bias


def test_pairing_finds_what_two_intervals_beside_each_other_hide():
    hard = RNG.exponential(5.0, 80)
    a, b = hard + RNG.uniform(0, 0.5, 80), hard + 0.5 + RNG.uniform(0, 0.5, 80)
    scores, found = compared({"A": mean_score(a), "B": mean_score(b)})
    assert scores["A"].high > scores["B"].low  # apart they overlap
    assert found["B"].beyond_chance


def test_several_comparisons_of_chance_find_less_than_each_by_itself():
    """Of nineteen models as good as the first one of twenty is beyond chance by itself."""
    rng = np.random.default_rng(1)
    alone = corrected = 0
    for trial in range(40):
        scores = {str(k): mean_score(rng.exponential(1, 40)) for k in range(10)}
        _, found = compared(scores, n_draws=1000, seed=trial)
        alone += any(one.p <= 0.05 for one in found.values())
        corrected += any(one.beyond_chance for one in found.values())
    assert corrected < alone
    assert corrected <= 6  # of 40, at .05


def test_holm_is_that_of_its_paper():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferronis(p):
    found = holm(p)
    for one, corrected in zip(p, found, strict=True):
        assert one <= corrected <= min(len(p) * one, 1) or corrected == pytest.approx(len(p) * one)
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(found)[order]) >= 0).all()


def test_one_unit_has_no_interval():
    found, differences = compared({"A": mean_score([1.0]), "B": mean_score([2.0])})
    assert found["A"].low is None
    assert differences["B"].value == 1.0
    assert differences["B"].p is None
    assert not differences["B"].beyond_chance


def test_few_units_are_never_beyond_chance():
    """That five of five agree happens by chance one time in sixteen."""
    _, found = compared({"A": mean_score(np.ones(5)), "B": mean_score(np.full(5, 9.0))})
    assert found["B"].low == found["B"].high == 8.0
    assert found["B"].p == 2.0**-4
    assert not found["B"].beyond_chance


def test_units_that_depend_on_their_neighbours_are_drawn_with_them():
    """Values that come in runs of five: independent draws make the interval too narrow."""
    values = np.abs(np.repeat(RNG.normal(5, 1, 40), 5))
    narrow, _ = compared({"A": mean_score(values)})
    wide, _ = compared({"A": mean_score(values)}, block=5)
    assert (wide["A"].high - wide["A"].low) > 1.7 * (narrow["A"].high - narrow["A"].low)


def test_the_front_is_what_nobody_beats():
    assert pareto([1, 2, 3, 1], [5, 4, 3, 5], greater_is_better=False) == [True] * 4
    assert pareto([1, 2, 3], [3, 3, 4], greater_is_better=False) == [True, False, False]


# -- pairing ---------------------------------------------------------------------------------------


def labelled(ids, true=None, predicted=None):
    n = len(ids)
    return pd.DataFrame({"series": ids, "true": ["a"] * n if true is None else true,
                         "predicted": ["a"] * n if predicted is None else predicted})  # fmt: skip


def ahead(series, n_windows, horizon=2, step=2, truth=0.0):
    rows = [
        {"series": name, "window": w, "step": k + 1, "row": 10 + w * step + k + 1, "target": "y",
         "true": truth, "forecast": 1.0 + w}
        for name in series for w in range(n_windows) for k in range(horizon)
    ]  # fmt: skip
    return pd.DataFrame(rows)


NAMES = {"A": "runs/a", "B": "runs/b"}


def test_only_what_all_runs_were_asked_counts():
    one = labelled([3, 1, 2], ["a", "b", "c"], ["a", "b", "x"])
    other = labelled(["1", "4", "3"], ["b", "d", "a"], ["b", "d", "y"])
    pairs = paired("classification", {"A": one, "B": other}, NAMES)
    assert pairs.keys["series"].tolist() == ["3", "1"]
    assert pairs.frames["A"]["predicted"].tolist() == ["a", "b"]
    assert pairs.frames["B"]["predicted"].tolist() == ["y", "b"]
    assert pairs.lengths == {"A": 3, "B": 3}


def test_another_truth_is_refused():
    one, other = labelled(["p", "q"], ["a", "b"]), labelled(["q", "p"], ["c", "a"])
    with pytest.raises(RunError, match=r"truth of runs/a and runs/b differs in 1 of 2 .*'?q"):
        paired("classification", {"A": one, "B": other}, NAMES)


def test_nothing_shared_is_refused():
    with pytest.raises(RunError, match="no common test series"):
        paired("classification", {"A": labelled(["p"]), "B": labelled(["q"])}, NAMES)
    with pytest.raises(RunError, match="two rows of"):
        paired("classification", {"A": labelled(["p", "p"]), "B": labelled(["p"])}, NAMES)
    with pytest.raises(RunError, match="has no step"):
        paired("tagging", {"A": labelled(["p"]), "B": labelled(["p"])}, NAMES)


def test_forecasts_are_paired_by_origin_and_step():
    one, other = ahead("ab", 3), ahead("ab", 2, horizon=3)
    pairs = paired("forecasting", {"A": one, "B": other}, NAMES)
    assert len(pairs.keys) == 2 * 2 * 2  # two series, two origins, two steps
    np.testing.assert_array_equal(pairs.frames["A"]["forecast"], pairs.frames["B"]["forecast"])
    assert set(pairs.keys["step"]) == {1, 2}


@pytest.mark.parametrize(
    ("series", "windows", "step", "what", "n", "block"),
    [
        ([f"s{i}" for i in range(12)], 30, 2, "series", 12, 1),
        ("abc", 2, 2, "series", 3, 1),
        ("ab", 5, 2, "windows", 5, 1),
        ("a", 6, 1, "windows", 6, 2),  # two steps ahead, one apart: neighbours overlap
    ],
)
def test_what_is_drawn(series, windows, step, what, n, block):
    frame = ahead(series, windows, step=step)
    units = units_of(paired("forecasting", {"A": frame, "B": frame}, NAMES))
    assert (units.what, units.n, units.block) == (what, n, block)


def test_windows_of_unequal_series_are_those_of_one_time():
    """Series end together, so their last windows are drawn together."""
    short = ahead("a", 3)
    long = ahead("b", 4).assign(row=lambda f: f["row"] + 50)
    frame = pd.concat([short, long], ignore_index=True)
    units = units_of(paired("forecasting", {"A": frame, "B": frame}, NAMES))
    assert (units.what, units.n) == ("windows", 4)
    assert units.of_case[: len(short)].tolist() == [1, 1, 2, 2, 3, 3]


def test_few_long_series_of_steps_are_cut_into_stretches():
    frame = pd.DataFrame({"series": "s", "step": np.arange(500), "true": "a", "predicted": "a"})
    pairs = paired("tagging", {"A": frame, "B": frame}, NAMES)
    units = units_of(pairs)
    assert (units.what, units.n) == ("stretches", 25)
    assert unit_names(pairs, units)[1] == "s from step 20"
    assert pairs.score("segment_f1", "A", units) == "runs of a label are cut where series are"


# -- runs ------------------------------------------------------------------------------------------

ROWS = np.arange(40)
LONG = pd.DataFrame(
    {
        "series": np.repeat([f"s{i}" for i in range(24)], 40),
        "t": np.tile(ROWS, 24),
        "x": np.concatenate([np.sin(ROWS / (2 + i % 3)) + RNG.normal(0, 0.2, 40)
                             for i in range(24)]),
        "label": np.repeat([f"kind {i % 3}" for i in range(24)], 40),
        "level": np.repeat([float(i % 3) + i / 10 for i in range(24)], 40),
        "tag": np.where(RNG.random(960) > 0.5, "up", "down"),
    }
)  # fmt: skip
SHORT = {"epochs": 2}
COLUMNS = {"path": "long.csv", "series_id": "series", "time": "t"}
HELD = {"split": {"test": 0.5, "validation": 0}}
RECIPES = {
    "classification": {"data": {**COLUMNS, "target": "label", "features": ["x"], **HELD},
                       "train": {**SHORT, "ensemble": 1, "patience": 0},
                       "evaluate": {"baselines": ["majority"],
                                    "metrics": list(find_metrics("classification"))}},
    "regression": {"data": {**COLUMNS, "target": "level", "features": ["x"], **HELD},
                   "model": {"quantiles": [0.1, 0.5, 0.9]},
                   "train": {**SHORT, "ensemble": 1, "patience": 0},
                   "evaluate": {"baselines": ["mean"],
                                "metrics": list(find_metrics("regression"))}},
    "tagging": {"data": {**COLUMNS, "target": "tag", "features": ["x"], **HELD},
                "train": {**SHORT, "patience": 0},
                "evaluate": {"metrics": list(find_metrics("tagging"))}},
    "forecasting": {"data": {**COLUMNS, "target": "x"}, "train": SHORT,
                    "forecast": {"context_length": 8, "horizon": 4, "quantiles": [0.1, 0.5, 0.9]},
                    "evaluate": {"season": 2, "backtest": {"windows": 3},
                                 "metrics": [*FORECAST_ERRORS, "owa"], "baselines": ["naive"]}},
}  # fmt: skip


class Runs(dict):
    """Two runs of each task, which differ in their width; made when they are asked for."""

    def __init__(self, folder):
        self.folder = folder
        LONG.to_csv(folder / "long.csv", index=False)

    def __missing__(self, task):
        recipe = RECIPES[task]
        data = recipe["data"] | {"path": str(self.folder / "long.csv")}
        made = []
        for units in (2, 3):
            model = {**recipe.get("model", {}), "units": units}
            model |= {} if task == "tagging" else {"patch": 4}
            whole = {"task": task, **recipe, "data": data, "model": model}
            result = run(whole, out=self.folder / task, name=f"units{units}")
            made.append(Path(result.document["run"]))
        self[task] = made
        return made


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize("task", RECIPES)
def test_scores_are_those_of_the_runs(runs, task):
    document = compare(runs[task], n_draws=100).document
    for letter, path in zip("AB", runs[task], strict=True):
        kept = json.loads((path / "metrics.json").read_text())["parts"]["test"]["model"]
        known = {name: value for name, value in kept.items() if value is not None}
        assert known.keys() <= document["scores"].keys()
        for name, value in known.items():
            found = document["scores"][name][letter]
            assert found["value"] == pytest.approx(value, rel=1e-6), name
            assert found["low"] <= found["value"] * (1 + 1e-9) or found["low"] <= found["high"]
    assert document["units"] == {"what": "series", "n": 12 if task != "forecasting" else 24,
                                 "block": 1}  # fmt: skip
    assert [row["setting"] for row in document["recipe"]] == ["model.units"]
    assert document["recipe"][0]["values"] == {"A": 2, "B": 3}
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize("task", RECIPES)
def test_the_best_baseline_stands_below_the_runs(runs, task):
    document = compare(runs[task], n_draws=100).document
    n = 0
    for metric, rows in document["baselines"].items():
        for row in rows:
            n += 1
            for letter, share in row["relative"].items():
                path = runs[task]["AB".index(letter)]
                part = json.loads((path / "metrics.json").read_text())["parts"]["test"]
                known = [of[metric] for of in part["baselines"].values() if of[metric] is not None]
                up = METRICS[metric].greater_is_better
                assert row["value"] == (max if up else min)(known)
                if share is not None:
                    own = document["scores"][metric][letter]["value"]
                    assert not up
                    assert share * row["value"] == pytest.approx(own)
    assert n
    told = invoke("compare", *runs[task], "--draws", "100").output
    row = next(row for rows in document["baselines"].values() for row in rows)
    assert row["title"] in told


def test_baselines_of_a_test_part_that_is_shared_in_part_are_left_out(runs, tmp_path):
    document = fewer(runs["regression"], tmp_path)
    assert all(set(row["relative"]) == {"B"} for rows in document["baselines"].values()
               for row in rows)  # fmt: skip
    assert any("the baselines of A are left out" in note for note in document["notes"])


def fewer(two, folder):
    """Compare two runs, the second with half of its predictions."""
    copy = folder / "half"
    shutil.copytree(two[1], copy)
    frame = pd.read_parquet(copy / "predictions.parquet")
    frame.iloc[: len(frame) // 2].to_parquet(copy / "predictions.parquet", index=False)
    record = json.loads((copy / "run.json").read_text())
    content = (copy / "predictions.parquet").read_bytes()
    record["files"]["predictions.parquet"] = hashlib.sha256(content).hexdigest()
    (copy / "run.json").write_text(json.dumps(record))
    return compare([two[0], copy], n_draws=100).document


@pytest.mark.parametrize("task", RECIPES)
def test_wins_by_series_add_up_to_the_difference(runs, task):
    document = compare(runs[task], n_draws=100).document
    [row] = document["by_series"]
    assert row["better"] + row["equal"] + row["worse"] == document["units"]["n"]
    up = METRICS[row["metric"]].greater_is_better
    for one in row["best"]:
        assert (one["value"] > one["first"]) == up
    for one in row["worst"]:
        assert (one["value"] < one["first"]) == up


def test_a_run_beside_its_copy_differs_by_nothing(runs, tmp_path):
    first = runs["forecasting"][0]
    copy = shutil.copytree(first, tmp_path / "copy")
    document = compare([first, copy], n_draws=100).document
    for name, of_runs in some(document["differences"].items()):
        moved = of_runs["B"]
        assert (moved["value"], moved["low"], moved["high"]) == (0, 0, 0), name
        assert moved["p"] == 1
        assert moved["better"] is None
    assert document["recipe"] == []
    assert document["pareto"] == {"seconds": ["A", "B"], "bytes": ["A", "B"]}


def test_patterns_leave_out_what_is_not_complete(runs, tmp_path):
    for number, path in enumerate(runs["classification"]):
        shutil.copytree(path, tmp_path / f"run{number}")
    shutil.copytree(runs["classification"][0], tmp_path / "run2.partial")
    (tmp_path / "notes").mkdir()
    paths, notes = expanded([str(tmp_path / "run0"), str(tmp_path / "*")])
    assert [path.name for path in paths] == ["run0", "run1"]
    assert notes == [f"{tmp_path}/run2.partial is left out: it is not complete"]
    with pytest.raises(RunError, match="no complete run folder matches"):
        expanded([str(tmp_path / "nothing*")])


def test_what_cannot_be_compared_is_refused(runs, tmp_path):
    one = runs["classification"][0]
    with pytest.raises(RunError, match="from 2 to 26 different run folders are compared; got 1"):
        compare([one, one])
    with pytest.raises(RunError, match="must be of one task"):
        compare([one, runs["regression"][0]])
    with pytest.raises(RunError, match="no such run folder"):
        compare([one, tmp_path / "nowhere"])
    broken = shutil.copytree(one, tmp_path / "broken")
    (broken / "predictions.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(RunError, match="changed after the run"):
        compare([one, broken])
    (broken / "predictions.parquet").unlink()
    with pytest.raises(RunError, match=r"has no predictions\.parquet"):
        compare([one, broken])


def test_other_data_with_the_same_truth_are_said(runs, tmp_path):
    one = runs["classification"][0]
    other = shutil.copytree(one, tmp_path / "other")
    record = json.loads((other / "run.json").read_text())
    record["data"] = dict.fromkeys(record["data"], "0" * 64)
    (other / "run.json").write_text(json.dumps(record))
    [note] = [n for n in compare([one, other], n_draws=100).document["notes"] if "data" in n]
    assert note.startswith("the data of B are not those of A, byte for byte")


# -- the table and the page ------------------------------------------------------------------------


def invoke(*words, width=80):
    result = CliRunner().invoke(cli, [str(word) for word in words], env={"COLUMNS": str(width)})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("task", RECIPES)
def test_the_table_fits_a_terminal_and_the_page_is_whole(runs, task, tmp_path):
    page = tmp_path / "compare.html"
    result = invoke("compare", *runs[task], "--draws", "100", "-o", page)
    assert result.exit_code == 0, result.output
    assert "model.units: 3, not 2" in result.output
    for line in result.output.splitlines():
        assert len(line) <= 80 or str(tmp_path.parent) in line, line
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!#)|url\((?!#)|@import|<script", text)
    assert text.count("<svg") == 4  # differences, seconds, bytes, curves
    assert "model.units: 3" in text
    assert runs[task][1].name in text


def test_a_narrow_terminal_has_all_of_it(runs, tmp_path):
    told = invoke("compare", *runs["regression"], "--draws", "100", width=40).output.splitlines()
    long = [line for line in told if len(line) > 40]
    assert all(str(runs["regression"][0].parent) in line for line in long), long
    assert not any("…" in line for line in told)
    assert "below the runs the best baseline" in " ".join(" ".join(told).split())


def test_json_is_the_document(runs):
    result = invoke("compare", *runs["regression"], "--draws", "100", "--json")
    document = json.loads(result.output)
    assert document["task"] == "regression"
    assert document["differences"]["mae"].keys() == {"B"}


def test_names_are_escaped_in_the_page(runs, tmp_path):
    evil = "<script>alert('a')</script>"
    made = compare(runs["classification"], n_draws=100)
    document = json.loads(json.dumps(made.document))
    document["runs"][0]["name"] = document["notes"] = [evil]
    document["by_series"][0]["best"] = [{"name": evil, "value": 1.0, "first": 2.0}]
    document["recipe"] = [{"setting": "data.path", "values": {"A": evil, "B": f"{evil}b"}}]
    text = write_comparison(document, made.curves, tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 5
