"""Rolling origin: what trains, what is tested, what a forecast may see, and how intervals hold."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import some
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from seqkit.errors import DataError
from seqkit.evaluation.backtest import backtest
from seqkit.evaluation.conformal import split_conformal
from seqkit.evaluation.forecast_errors import Undefined
from seqkit.evaluation.rolling_data import rolling_origins
from seqkit.evaluation.search import BacktestSplit, forecast_scorer
from seqkit.evaluation.summary import score_table, summarize


class SeasonalNaive(BaseEstimator):
    """The least a forecaster does: the value ``lag`` steps back; it notes what it was shown."""

    def __init__(self, context_length=4, horizon=3, lag=1, quantiles=None, future_covariates=()):
        self.context_length = context_length
        self.horizon = horizon
        self.lag = lag
        self.quantiles = quantiles
        self.future_covariates = future_covariates

    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        self.seen_ = float(np.max(X if y is None else y)) if not hasattr(X, "columns") else None
        return self

    def predict(self, X):
        X = np.asarray(X, dtype=float).reshape(len(X), -1)[:, 0]
        answer = np.full((len(X), self.horizon), np.nan)
        for t in range(self.context_length - 1, len(X)):
            for h in range(self.horizon):
                answer[t, h] = X[t + 1 - self.lag + h % self.lag]
        return answer

    def forecast(self, X=None, horizon=None, future=None):
        if not hasattr(X, "columns"):
            return self.predict(X)[-1]
        if self.future_covariates:
            assert list(future) == ["unique_id", "ds", "holiday"]
            assert len(future) == horizon * X["unique_id"].nunique()
        parts = []
        # in another order than the frame's, as a group-by gives it
        for name, rows in X.groupby("unique_id"):
            frame = pd.DataFrame({"unique_id": name, "y": self.predict(rows[["y"]])[-1]})
            frame["ds"] = rows["ds"].max() + np.arange(1, horizon + 1)
            parts.append(frame)
        return pd.concat(parts)

    def forecast_quantiles(self, X=None, horizon=None, future=None, levels=None):
        assert tuple(levels) == tuple(self.quantiles)
        answer = self.forecast(X, horizon, future)
        middle = answer["y"].to_numpy() if hasattr(answer, "columns") else answer
        spread = middle.reshape(-1, horizon, 1, 1) + np.asarray([-1.0, 0.0, 1.0])
        return spread if hasattr(answer, "columns") else spread[0]


def test_folds_roll_and_hold_one_origin_each():
    X = np.arange(30.0)[:, None]
    split = BacktestSplit(context_length=6, horizon=4, windows=3, step=2)
    folds = list(split.split(X))
    assert split.get_n_splits(X) == len(folds) == 3
    for window, (train, test) in enumerate(folds):
        origin = 25 - 2 * (2 - window)
        np.testing.assert_array_equal(train, np.arange(origin + 1))
        np.testing.assert_array_equal(test, np.arange(origin - 5, origin + 5))
        # what is forecast was not trained on; only the context was
        assert not np.intersect1d(test[6:], train).size
    assert folds[-1][1][-1] == 29
    assert repr(split) == "BacktestSplit(context_length=6, horizon=4, step=2, windows=3)"


def test_every_series_is_cut_at_its_own_end():
    groups = np.asarray(["b"] * 12 + ["a"] * 20 + ["c"] * 3)
    generator = np.random.default_rng(0)
    order = generator.permutation(35)
    groups = groups[order]
    for train, test in some(BacktestSplit(4, 3, windows=2).split(np.ones((35, 1)), groups=groups)):
        for name, tested in (("a", 7), ("b", 7), ("c", 0)):
            rows = np.flatnonzero(groups == name)
            assert np.isin(test, rows).sum() == tested
            trained = np.isin(rows, train)
            assert trained.sum() == np.flatnonzero(~trained)[0]  # a head of the series
    with pytest.raises(ValueError, match="fewer windows"):
        list(BacktestSplit(10, 5, windows=2).split(np.ones((20, 1))))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((0, 1), ValueError), ((4, -1), ValueError), ((4, 2.5), TypeError), ((4, True), TypeError)],
)
def test_split_says_what_is_wrong(arguments, error):
    with pytest.raises(error, match=r"BacktestSplit: .* must be a positive integer"):
        BacktestSplit(*arguments)


def test_scorer_is_the_mean_over_all_full_origins():
    X = np.random.default_rng(0).normal(size=(25, 1))
    model = SeasonalNaive(context_length=4, horizon=3)
    expected = np.mean([abs(X[t + h, 0] - X[t, 0]) for t in range(3, 22) for h in (1, 2, 3)])
    assert forecast_scorer("mae")(model, X) == pytest.approx(-expected)
    assert forecast_scorer("mae")(model, X, X[:, 0]) == pytest.approx(-expected)
    only = np.mean([abs(X[22 + h - 1, 0] - X[21, 0]) for h in (1, 2, 3)])
    split = BacktestSplit(context_length=10, horizon=3, windows=1)
    _, test = next(split.split(X))
    assert split.scorer("mae")(model, X[test]) == pytest.approx(-only)
    with pytest.raises(ValueError, match="metric must be one of"):
        forecast_scorer("mase")
    with pytest.raises(ValueError, match="full context and horizon"):
        forecast_scorer("mae")(model, X[:3])
    with pytest.raises(ValueError, match="longest context_length"):
        forecast_scorer("mae")(SeasonalNaive(context_length=20), X[:10])


def test_grid_search_over_the_context_compares_the_same_origins():
    X = np.tile([1.0, 4.0, 2.0, 8.0], 12)[:, None]
    split = BacktestSplit(context_length=8, horizon=3, windows=4, step=3)
    search = GridSearchCV(
        SeasonalNaive(), {"lag": [1, 4], "context_length": [4, 8]}, cv=split,
        scoring=split.scorer("rmse"), error_score="raise",
    ).fit(X)  # fmt: skip
    assert search.best_params_["lag"] == 4
    assert search.best_score_ == pytest.approx(0.0)
    scores = search.cv_results_["mean_test_score"].reshape(2, 2)
    np.testing.assert_allclose(scores[0], scores[1])  # a shorter context gets no easier rows
    assert pickle.loads(pickle.dumps(split.scorer("mae"))).context_length == 8
    assert len(cross_val_score(SeasonalNaive(), X, cv=split, scoring=forecast_scorer("mae"))) == 4


@pytest.mark.parametrize("refit", [False, True])
def test_backtest_sees_nothing_after_its_origin(refit):
    X = np.arange(40.0)
    fitted = []

    class Noted(SeasonalNaive):
        def fit(self, X, y=None):
            fitted.append(len(X))
            return super().fit(X, y)

    result = backtest(Noted(lag=1), X, windows=4, step=2, refit=refit, season=2)
    np.testing.assert_array_equal(result.origins, [[30, 32, 34, 36]])
    assert fitted == ([31, 33, 35, 37] if refit else [31])
    np.testing.assert_array_equal(result.truth[0, :, :, 0], result.origins[0][:, None] + [1, 2, 3])
    # the forecast is the origin's own value, which equals its index here
    np.testing.assert_array_equal(
        result.prediction.values[0, :, :, 0], np.repeat(result.origins[0][:, None], 3, axis=1)
    )
    assert len(result.history[0]) == 31
    part = result.evaluate(["mae", "mase", "owa"], ["naive"])
    assert part["model"] == part["baselines"]["naive"]
    assert part["model"]["mae"] == pytest.approx(2.0)
    assert part["n"] == {"series": 1, "windows": 4, "values": 12}
    assert "naive2" in part["baselines"]
    assert part["refit"] is refit


def test_backtest_of_a_target_beside_its_features():
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = X[:, 0] * 2
    result = backtest(SeasonalNaive(), X, y=y, windows=2)
    np.testing.assert_allclose(result.truth[0, -1, :, 0], y[-3:])
    np.testing.assert_allclose(result.prediction.values[0, -1, 0, 0], X[-4, 0])


def test_quantiles_of_an_array_are_kept_and_scored():
    model = SeasonalNaive(quantiles=[0.1, 0.5, 0.9])
    result = backtest(model, np.random.default_rng(0).normal(size=60), windows=6, step=3)
    assert result.prediction.quantiles.shape == (1, 6, 3, 1, 3)
    part = result.evaluate(baselines=["seasonal_naive"])
    assert part["model"]["interval_width"] == pytest.approx(2.0)
    assert part["baselines"]["seasonal_naive"]["weighted_quantile_loss"] is not None


def test_prefit_is_taken_as_it_is():
    model = SeasonalNaive().fit(np.arange(3.0))
    backtest(model, np.arange(40.0), windows=2, prefit=True)
    assert model.n_rows_ == 3
    with pytest.raises(ValueError, match="not both"):
        backtest(model, np.arange(40.0), prefit=True, refit=True)
    with pytest.raises(ValueError, match="at least 22 steps"):
        backtest(model, np.arange(15.0), windows=5)
    assert not hasattr(clone(model), "n_rows_")


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    parts = []
    for name, n in (("z", 30), ("a", 22), ("short", 9)):
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": name, "ds": np.arange(n) + 5, "y": generator.normal(size=n),
                    "holiday": 0.0,
                }
            )
        )  # fmt: skip
    return pd.concat(parts)


def test_backtest_of_a_long_frame(frame):
    model = SeasonalNaive(future_covariates=("holiday",), quantiles=[0.1, 0.5, 0.9])
    result = backtest(model, frame, windows=3, step=3, season=1)
    assert result.data.ids == ("z", "a", "short")
    assert result.truth.shape == (3, 3, 3, 1)
    np.testing.assert_array_equal(result.origins, [[20, 23, 26], [12, 15, 18], [-1, 2, 5]])
    for i, name in enumerate(("z", "a")):
        y = frame.loc[frame["unique_id"] == name, "y"].to_numpy()
        for w, origin in enumerate(result.origins[i]):
            np.testing.assert_allclose(result.truth[i, w, :, 0], y[origin + 1 : origin + 4])
            np.testing.assert_allclose(result.prediction.values[i, w, :, 0], y[origin])
    assert np.isnan(result.truth[2, 0]).all()
    assert result.prediction.levels == (0.1, 0.5, 0.9)
    np.testing.assert_allclose(np.ptp(result.prediction.quantiles[:2], axis=-1), 2.0)
    np.testing.assert_allclose(result.prediction.quantiles[..., 1], result.prediction.values)


def test_a_stamp_that_is_absent_is_an_error_not_a_shift(frame):
    broken = frame[~((frame["unique_id"] == "a") & (frame["ds"] == 24))]
    with pytest.raises(DataError, match="absent time stamp"):
        backtest(SeasonalNaive(), broken, windows=2)


def test_summary_of_a_backtest_is_strict_json_and_a_table(frame, capsys):
    result = backtest(SeasonalNaive(), frame[frame["unique_id"] != "short"], windows=4, season=1)
    part = result.evaluate()
    summary = summarize("forecasting", {}, backtest=part)
    json.dumps(summary, allow_nan=False)
    assert summary["backtest"]["conformal"]["level"] == 0.8
    assert summary["backtest"]["windows"] == 4
    from rich.console import Console

    Console(width=100).print(score_table(summary, "backtest"))
    shown = capsys.readouterr().out
    assert "MASE" in shown
    assert "seasonal naive" in shown


@pytest.mark.slow
def test_the_real_forecaster_gives_the_same_from_an_array_and_from_a_frame():
    from seqkit.estimators.forecaster import SequenceForecaster

    y = np.tile([1.0, 4.0, 2.0, 8.0], 20) + np.arange(80)
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=80), "load": y})
    model = SequenceForecaster(  # of a frame of days the season would be a week
        context_length=8, horizon=4, season=4, units=4, epochs=2, quantiles=[0.1, 0.5, 0.9],
        random_state=0,
    )  # fmt: skip
    array = backtest(model, y, windows=3, season=4)
    changed = y.copy()
    changed[array.origins[0, -1] + 1 :] += 100  # what no origin has seen
    later = backtest(model, changed, windows=3, season=4)
    np.testing.assert_array_equal(array.prediction.values, later.prediction.values)
    long = backtest(model.set_params(time="day", target="load"), frame, windows=3, season=4)
    np.testing.assert_allclose(array.prediction.values, long.prediction.values, rtol=1e-5)
    np.testing.assert_allclose(array.prediction.quantiles, long.prediction.quantiles, rtol=1e-5)
    assert not hasattr(model, "history_")
    again = backtest(model, frame, windows=2, season=4, refit=True)
    assert np.isfinite(again.prediction.values).all()


@pytest.mark.parametrize("refit", [False, True])
def test_the_season_is_the_forecasters_own(refit):
    from seqkit.estimators.forecaster import SequenceForecaster

    y = np.tile([1.0, 4.0, 2.0, 8.0, 3.0, 7.0, 9.0], 9)
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=63), "load": y})
    sizes = {"context_length": 8, "horizon": 4, "units": 2, "epochs": 1, "time": "day"}
    model = SequenceForecaster(target="load", **sizes)
    assert backtest(model, frame, windows=2, refit=refit).season == 7  # auto: days have weeks
    assert backtest(model.set_params(season=4), frame, windows=2, refit=refit).season == 4
    assert backtest(model, frame, windows=2, refit=refit, season=2).season == 2


def test_origins_of_short_series():
    np.testing.assert_array_equal(rolling_origins(6, 3, 3, 2), [-1, 0, 2])


# --- conformal intervals --------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_split_conformal_covers_new_exchangeable_windows(level):
    generator = np.random.default_rng(1)
    scale = np.exp(generator.normal(size=(60, 1)))
    noise = generator.standard_t(3, size=(60, 40, 4)) * scale[:, :, None]
    fitted = split_conformal(noise[:, :20], np.zeros((60, 20, 4)), level=level, scale=scale)
    low, high = fitted.interval(np.zeros((60, 20, 4)))
    later = noise[:, 20:, :, None]
    covered = ((low <= later) & (later <= high)).mean()
    assert covered == pytest.approx(level, abs=0.02)
    assert fitted.coverage == pytest.approx(level, abs=0.03)
    assert (fitted.n_calibration, fitted.n_measured) == (60 * 20 * 4, 60 * 10 * 4)


def test_the_rank_is_that_of_lei_and_others():
    errors = np.arange(1.0, 10.0).reshape(9, 1, 1)  # nine scores: the 8th of them holds 80 %
    fitted = split_conformal(errors, np.zeros_like(errors), level=0.8)
    assert fitted.width.item() == 8.0
    assert split_conformal(-errors, np.zeros_like(errors), level=0.8).width.item() == 8.0


def test_an_error_as_wide_as_the_interval_is_inside_it():
    ones = np.ones((6, 10, 1))
    fitted = split_conformal(ones, np.zeros_like(ones), level=0.8)
    assert (fitted.width == 1).all()
    assert fitted.coverage == 1


def test_quantiles_are_corrected_both_ways():
    generator = np.random.default_rng(2)
    noise = generator.normal(size=(50, 20, 2))
    for guess in (0.1, 5.0):
        low, high = np.full_like(noise, -guess), np.full_like(noise, guess)
        fitted = split_conformal(noise, level=0.8, low=low, high=high)
        below, above = fitted.interval(low, high)
        assert above.mean() == pytest.approx(1.28, abs=0.1)
        assert fitted.mean_width == pytest.approx((above - below).mean())


def test_few_windows_are_pooled_and_said_or_refused():
    errors = np.random.default_rng(0).normal(size=(1, 3, 12))
    fitted = split_conformal(errors, np.zeros_like(errors), level=0.8)
    assert "one width for all steps" in fitted.notes[0]
    assert len(set(fitted.width.ravel())) == 1
    with pytest.raises(Undefined, match="more windows"):
        split_conformal(errors[:, :1, :1], errors[:, :1, :1], level=0.8)
    alone = split_conformal(errors[:, :1], np.zeros((1, 1, 12)), level=0.8)
    assert alone.coverage is None
    assert any("measure the coverage" in note for note in alone.notes)
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_conformal(errors, errors, level=80)


def test_where_histories_are_many_statistics_are_fitted_to_a_sample(monkeypatch):
    """The model is scored on the same windows, and only there is it compared with them."""
    from seqkit.evaluation import backtest as module
    from seqkit.evaluation.baselines import BASELINES

    row = dataclasses.replace(BASELINES["drift"], name="auto_ets", extra="baselines")
    monkeypatch.setitem(BASELINES, "auto_ets", row)
    monkeypatch.setattr("seqkit.evaluation.baselines.has_statsforecast", lambda: True)
    monkeypatch.setattr(module, "MOST_FITTED", 200)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(12), 30),
            "ds": np.tile(np.arange(30), 12),
            "y": rng.normal(size=360).cumsum(),
        }
    )
    result = backtest(SeasonalNaive(), frame, windows=2)
    part = result.evaluate(["mae"], ["naive", "auto_ets"])
    sample = part["sample"]
    assert list(part["baselines"]) == ["naive"]
    assert list(sample["baselines"]) == ["naive", "auto_ets"]
    drawn = result._sample()
    assert sample["n"] == {
        "series": int((drawn >= 0).any(axis=1).sum()),
        "forecasts": int((drawn >= 0).sum()),
        "values": 3 * int((drawn >= 0).sum()),
    }
    assert (drawn[drawn >= 0] + 1).sum() <= 200
    errors = np.abs(result.truth - result.prediction.values)[drawn >= 0]
    assert sample["model"]["mae"] == pytest.approx(errors.mean())
    monkeypatch.setattr(module, "MOST_FITTED", 10_000)
    part = result.evaluate(["mae"], ["naive", "auto_ets"])
    assert "sample" not in part
    assert list(part["baselines"]) == ["naive", "auto_ets"]
