"""Baselines against their definitions, an independent transcription and published scores."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest
from conftest import some
from scipy.stats import norm

from seqkit.evaluation.baselines import (
    BASELINES,
    ForecastProblem,
    SeriesProblem,
    find_baselines,
    is_seasonal,
    resample,
    run_baselines,
    seasonal_indices,
)
from seqkit.evaluation.forecast_errors import forecast_case, forecast_score


def forecasts(history, horizon, season=1, **more):
    return run_baselines("forecasting", ForecastProblem(history, horizon, season, **more))


def test_naive_seasonal_naive_and_drift_by_hand():
    predictions, notes = forecasts([[1.0, 5.0, 2.0, 7.0, 4.0]], 4, 3)
    assert not notes
    np.testing.assert_allclose(predictions["naive"].values.ravel(), [4, 4, 4, 4])
    np.testing.assert_allclose(predictions["seasonal_naive"].values.ravel(), [2, 7, 4, 2])
    np.testing.assert_allclose(predictions["drift"].values.ravel(), [4.75, 5.5, 6.25, 7.0])
    assert list(predictions) == ["naive", "seasonal_naive", "drift", "naive2"]


@pytest.mark.parametrize("name", ["naive", "seasonal_naive", "drift", "naive2"])
def test_no_baseline_sees_past_its_origin(name):
    series = np.random.default_rng(0).normal(size=60).cumsum() + 50
    changed = series.copy()
    changed[41:] += 1000
    origins = [[29, 40]]
    first, second = (
        run_baselines("forecasting", ForecastProblem([s], 5, 4, origins), [name])[0][name]
        for s in (series, changed)
    )
    assert first.values.shape == (1, 2, 5, 1)
    np.testing.assert_array_equal(first.values, second.values)
    alone, _ = run_baselines("forecasting", ForecastProblem([series[:30]], 5, 4), [name])
    np.testing.assert_array_equal(first.values[:, 0], alone[name].values[:, 0])


def test_several_targets_are_answered_each_alone():
    series = np.random.default_rng(1).normal(size=(30, 2))
    both, _ = forecasts([series], 3, 5)
    for k in range(2):
        one, _ = forecasts([series[:, k]], 3, 5)
        for name in some(both):
            np.testing.assert_allclose(both[name].values[..., k], one[name].values[..., 0])


def test_gaps_are_filled_inside_the_past_only():
    predictions, _ = forecasts([[np.nan, 1.0, np.nan, 3.0, np.nan]], 1)
    assert predictions["naive"].values.ravel() == [3.0]
    predictions, notes = forecasts([[np.nan, np.nan]], 1)
    assert np.isnan(predictions["naive"].values).all()
    assert any("no known value" in note for note in notes)
    _, notes = forecasts([[1.0, 2.0]], 2, 12)
    assert any("shorter than a season" in note for note in notes)


def test_intervals_are_those_of_fpp3_and_cover_a_random_walk():
    generator = np.random.default_rng(2)
    walks = generator.normal(size=(400, 220)).cumsum(axis=1)
    predictions, _ = forecasts(walks[:, :200], 20, levels=(0.1, 0.5, 0.9))
    residual = np.sqrt((np.diff(walks[0, :200]) ** 2).mean())
    width = (
        predictions["naive"].quantiles[0, 0, :, 0, 2]
        - predictions["naive"].quantiles[0, 0, :, 0, 0]
    )
    np.testing.assert_allclose(width, 2 * norm.ppf(0.9) * residual * np.sqrt(np.arange(1, 21)))
    case = forecast_case(
        walks[:, 200:, None].swapaxes(1, 2), quantiles=predictions["naive"].quantiles[..., 0, :],
        levels=(0.1, 0.5, 0.9),
    )  # fmt: skip
    assert forecast_score("coverage", case) == pytest.approx(0.8, abs=0.03)
    assert predictions["naive2"].quantiles is None


def decompose_as_r_does(x, season):
    """R's ``decompose(x, "multiplicative")$figure``, transcribed from its documentation."""
    n, half = len(x), season // 2
    trend = [np.nan] * n
    for t in range(half, n - half):
        if season % 2:
            trend[t] = sum(x[t - half : t + half + 1]) / season
        else:
            window = x[t - half : t + half + 1]
            trend[t] = (window[0] / 2 + sum(window[1:-1]) + window[-1] / 2) / season
    figure = [np.nanmean([x[t] / trend[t] for t in range(i, n, season)]) for i in range(season)]
    return np.asarray(figure) / np.mean(figure)


@pytest.mark.parametrize("season", [3, 4, 7, 12])
@pytest.mark.parametrize("n", [40, 51])
def test_seasonal_figure_is_rs(season, n):
    series = np.random.default_rng(season * n).gamma(20.0, 1.0, size=n)
    np.testing.assert_allclose(
        seasonal_indices(series, season), decompose_as_r_does(list(series), season), rtol=1e-12
    )


def test_naive2_carries_the_season_at_the_right_phase():
    season = np.asarray([1.0, 2.0, 4.0, 1.0])
    series = np.tile(season, 8)[:30] * 10
    assert is_seasonal(series, 4)
    predictions, _ = run_baselines("forecasting", ForecastProblem([series], 6, 4), ["naive2"])
    np.testing.assert_allclose(
        predictions["naive2"].values.ravel(), np.tile(season, 3)[2:8] * 10, rtol=1e-9
    )
    noise = np.random.default_rng(0).normal(size=30) + 10
    assert not is_seasonal(noise, 4)
    assert not is_seasonal(series[:11], 4)
    predictions, _ = run_baselines("forecasting", ForecastProblem([series - 25], 6, 4), ["naive2"])
    np.testing.assert_allclose(
        predictions["naive2"].values.ravel(), np.tile(season, 3)[2:8] * 10 - 25, atol=1e-9
    )


def m4_hourly(folder):
    def read(name):
        with open(folder / "forecasting" / "M4" / name) as file:
            rows = list(csv.reader(file))[1:]
        return [np.asarray([float(cell) for cell in row[1:] if cell]) for row in rows]

    return read("Hourly-train.csv"), np.stack(read("Hourly-test.csv"))


def test_published_scores_on_m4_hourly(data_folder):
    """M4's own table: Naive2 18.383 / 2.395 / 1, seasonal naive 13.912 / 1.193 / .628."""
    history, truth = m4_hourly(data_folder)
    predictions, _ = forecasts(history, 48, 24)
    published = {
        "naive2": (18.383, 2.395, 1.0),
        "seasonal_naive": (13.912, 1.193, 0.628),
        "naive": (43.003, 11.608, 3.593),
    }
    for name, expected in published.items():
        case = forecast_case(
            truth[:, None], predictions[name].values, history=history, season=24,
            naive2=predictions["naive2"].values,
        )  # fmt: skip
        scores = [forecast_score(metric, case) for metric in ("smape", "mase", "owa")]
        np.testing.assert_allclose(scores, expected, atol=0.001, err_msg=name)


@pytest.mark.parametrize("name", ["auto_ets", "auto_theta"])
def test_statsforecast_rows(name):
    pytest.importorskip("statsforecast", reason="an extra, [baselines]; .ci/run installs it")
    season = np.asarray([1.0, 3.0, 2.0, 5.0])
    series = np.tile(season, 10) + 10 + 0.01 * np.random.default_rng(0).normal(size=40)
    problem = ForecastProblem([series], 4, 4, levels=(0.1, 0.5, 0.9))
    prediction = run_baselines("forecasting", problem, [name])[0][name]
    np.testing.assert_allclose(prediction.values.ravel(), season + 10, atol=0.2)
    assert (np.diff(prediction.quantiles, axis=-1) > 0).all()


@pytest.mark.parametrize("name", ["auto_ets", "auto_theta"])
def test_what_cannot_be_fitted_is_naive_and_said(name):
    pytest.importorskip("statsforecast", reason="an extra, [baselines]; .ci/run installs it")
    constant, short = np.full(30, 7.0), np.asarray([1.0, 2.0, 4.0])
    problem = ForecastProblem([constant, short], 3, 1)
    predictions, notes = run_baselines("forecasting", problem, [name])
    np.testing.assert_allclose(predictions[name].values[:, 0, :, 0], [[7.0] * 3, [4.0] * 3])
    assert "1 histories could not be fitted" in notes[0]


@pytest.mark.parametrize("name", ["auto_ets", "auto_theta"])
def test_a_long_history_is_seen_from_its_end(name, monkeypatch):
    pytest.importorskip("statsforecast", reason="an extra, [baselines]; .ci/run installs it")
    monkeypatch.setattr("seqkit.evaluation.forecast_baselines.MOST_HISTORY", 50)
    series = np.random.default_rng(0).normal(size=120).cumsum()
    whole, end = (
        run_baselines("forecasting", ForecastProblem([part], 4, 1), [name])[0][name].values
        for part in (series, series[-50:])
    )
    np.testing.assert_array_equal(whole, end)


def test_statsforecast_is_imported_by_its_baselines_alone():
    code = (
        "import sys, numpy as np; from seqkit import SequenceForecaster\n"
        "from seqkit.evaluation.baselines import BASELINES\n"
        "SequenceForecaster(context_length=8, horizon=2, units=2, epochs=1).fit(np.arange(30.0))\n"
        "assert 'statsforecast' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- labelled series ------------------------------------------------------------------------------


def test_majority_gives_the_shares_as_probabilities():
    X = np.zeros((4, 5, 1))
    y = np.asarray(["b", "a", "b", "b"])
    problem = SeriesProblem(X, y, X[:2], classes=["b", "c", "a"])
    prediction = run_baselines("classification", problem, ["majority"])[0]["majority"]
    assert prediction.labels.tolist() == ["b", "b"]
    np.testing.assert_allclose(prediction.probabilities, [[0.75, 0.0, 0.25]] * 2)
    steps = SeriesProblem([X[0], X[1][:2]], [list("aabbb"), list("bb")], [X[0]])
    prediction = run_baselines("tagging", steps, ["majority"])[0]["majority"]
    assert prediction.labels[0].tolist() == ["b"] * 5
    assert prediction.probabilities[0].shape == (5, 2)


def test_mean_of_one_or_several_targets():
    X = np.zeros((3, 5))
    for y, expected in (([1.0, 2.0, 6.0], [3.0, 3.0]), ([[0, 1], [2, 3], [4, 8]], [[2, 4]] * 2)):
        prediction = run_baselines("regression", SeriesProblem(X, y, X[:2]))[0]["mean"]
        np.testing.assert_allclose(prediction.values, expected)


def test_nearest_neighbour_is_the_brute_force_one():
    generator = np.random.default_rng(0)
    X, asked = generator.normal(size=(30, 12, 2)), generator.normal(size=(20, 12, 2))
    X[..., 1] *= 100  # counts no more than the first feature, once standardised
    asked[..., 1] *= 100
    y = generator.integers(0, 3, 30)
    predictions, notes = run_baselines("classification", SeriesProblem(X, y, asked))
    deviation = X.reshape(-1, 2).std(axis=0)
    distance = (((X[None] - asked[:, None]) / deviation) ** 2).sum(axis=(2, 3))
    assert not notes
    np.testing.assert_array_equal(
        predictions["nearest_neighbour"].labels, y[distance.argmin(axis=1)]
    )


def test_nearest_neighbour_of_a_regression_gives_the_neighbours_numbers():
    generator = np.random.default_rng(0)
    X, asked = generator.normal(size=(30, 12, 1)), generator.normal(size=(20, 12, 1))
    nearest = ((X[None] - asked[:, None]) ** 2).sum(axis=(2, 3)).argmin(axis=1)
    for y in (generator.normal(size=30), generator.normal(size=(30, 2))):
        predictions, _ = run_baselines("regression", SeriesProblem(X, y, asked))
        np.testing.assert_array_equal(predictions["nearest_neighbour"].values, y[nearest])


def test_unequal_lengths_are_resampled_and_said():
    wave = np.sin(np.linspace(0, 6, 100))
    ramp = np.linspace(-1, 1, 100)
    train = [resample(shape, n) for n in (20, 31) for shape in (wave, ramp)]
    asked = [resample(ramp, 50), resample(wave, 9)]
    problem = SeriesProblem(train, np.asarray([0, 1, 0, 1]), asked)
    predictions, notes = run_baselines("classification", problem, ["nearest_neighbour"])
    assert predictions["nearest_neighbour"].labels.tolist() == [1, 0]
    assert any("median length" in note for note in notes)


def test_many_training_series_are_sampled_and_said(monkeypatch):
    monkeypatch.setattr("seqkit.evaluation.baselines.MOST_NEIGHBOURS", 10)
    X = np.random.default_rng(0).normal(size=(50, 6))
    problem = SeriesProblem(X, np.arange(50) % 2, X[:3])
    _, notes = run_baselines("classification", problem, ["nearest_neighbour"])
    assert "10 of 50" in notes[0]


def test_gunpoint_has_its_published_error(data_folder):
    """UCR archive: 1-NN with Euclidean distance is wrong on .0867 of GunPoint's test series."""
    parts = []
    for part in ("TRAIN", "TEST"):
        lines = (data_folder / f"classification/GunPoint/GunPoint_{part}.ts").read_text()
        rows = [line for line in lines.splitlines() if line and line[0] not in "@#"]
        X = np.asarray([[float(v) for v in row.split(":")[0].split(",")] for row in rows])
        parts += [X, np.asarray([row.split(":")[1].strip() for row in rows])]
    X_train, y_train, X_test, y_test = parts
    predictions, _ = run_baselines("classification", SeriesProblem(X_train, y_train, X_test))
    error = (predictions["nearest_neighbour"].labels != y_test).mean()
    assert error == pytest.approx(0.0867, abs=1e-4)


def test_the_table_is_whole(monkeypatch):
    for name, row in some(BASELINES.items()):
        assert row.name == name
        assert row.summary
        assert row.source
    with pytest.raises(ValueError, match=r"did you mean 'naive'\?"):
        find_baselines("forecasting", ["naiv"])
    with pytest.raises(ValueError, match="a baseline of regression"):
        find_baselines("regression", ["majority"])
    monkeypatch.setattr("seqkit.evaluation.baselines.has_statsforecast", lambda: False)
    with pytest.raises(ImportError, match=r"seqkit\[baselines\]"):
        find_baselines("forecasting", ["auto_ets"])
