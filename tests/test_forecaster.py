from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import some
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.utils import get_tags

from seqkit.data.embedded import load
from seqkit.errors import DataError
from seqkit.estimators.forecaster import SequenceForecaster
from seqkit.estimators.plain import decode, encode
from seqkit.network.decoders import DECODERS
from seqkit.training import TrainingState

# Small and quick: one architecture in most tests, so that its graph is traced once.
TINY = {
    "context_length": 12, "horizon": 4, "units": 8, "cell": "gru", "epochs": 2, "batch_size": 16,
    "learning_rate": 0.01, "validation": 0, "patience": 0, "random_state": 0,
}  # fmt: skip


def wave(n=90, seed=0, period=12):
    t = np.arange(n)
    noise = np.random.default_rng(seed).normal(0, 0.05, n)
    return 10 + np.sin(2 * np.pi * t / period) + noise


def long_frame(lengths=(60, 40, 50), freq="D", **columns):
    parts = []
    for i, n in enumerate(lengths):
        stamps = pd.date_range("2024-01-01", periods=n, freq=freq)
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": 10.0**i * wave(n, i)}))
    frame = pd.concat(parts, ignore_index=True)
    for name, value in columns.items():
        frame[name] = value(frame)
    return frame


@pytest.fixture(scope="module")
def fitted():
    return SequenceForecaster(**TINY).fit(wave())


@pytest.fixture(scope="module")
def fitted_frame():
    return SequenceForecaster(**TINY, calendar=["weekday"]).fit(long_frame())


# --- contract ---------------------------------------------------------------------------------


def test_shapes(fitted):
    assert fitted.forecast().shape == (4,)
    assert fitted.forecast(horizon=2).shape == (2,)
    assert fitted.forecast(horizon=11).shape == (11,)
    made = fitted.predict(wave())
    assert made.shape == (90, 4)
    assert np.isnan(made[:11]).all()
    assert np.isfinite(made[11:]).all()
    assert fitted.n_features_in_ == 1
    two = SequenceForecaster(**TINY).fit(np.stack([wave(), wave(seed=1)], 1))
    assert two.forecast().shape == (4, 2)
    assert two.predict(np.stack([wave(), wave(seed=1)], 1)).shape == (90, 4, 2)


def test_last_row_of_predict_is_the_forecast(fitted):
    X = wave(40, seed=3)
    np.testing.assert_allclose(fitted.predict(X)[-1], fitted.forecast(X), rtol=1e-5)
    np.testing.assert_allclose(fitted.predict(X)[20], fitted.forecast(X[:21]), rtol=1e-5)


def test_forecast_goes_on_from_the_end_of_the_fit(fitted):
    np.testing.assert_allclose(fitted.forecast(), fitted.forecast(wave()), rtol=1e-6)
    np.testing.assert_allclose(fitted.forecast(horizon=2), fitted.forecast()[:2], rtol=1e-6)


def test_beyond_the_horizon_it_feeds_on_itself(fitted):
    first = fitted.forecast()
    both = np.concatenate([wave(), first])
    np.testing.assert_allclose(fitted.forecast(horizon=8)[4:], fitted.forecast(both), rtol=1e-5)


@pytest.mark.parametrize("decoder", DECODERS)
def test_no_value_after_the_origin_reaches_a_forecast(decoder):
    settings = {**TINY, "decoder": decoder, "patch": 2, "epochs": 1}
    X = wave()
    model = SequenceForecaster(**settings).fit(X)
    before = model.predict(X)
    changed = X.copy()
    changed[50:] += 1000
    after = model.predict(changed)
    np.testing.assert_array_equal(after[:50], before[:50])
    changed = X.copy()
    changed[49] += 0.5
    assert (np.abs(model.predict(changed)[49] - before[49])[0] > 1e-6).all()


@pytest.mark.parametrize(
    "missing", ["interpolate", pytest.param("indicator", marks=pytest.mark.slow)]
)
def test_nothing_leaks_through_a_filled_gap(missing):
    X = wave()
    X[46:50] = np.nan
    model = SequenceForecaster(**{**TINY, "epochs": 1}, missing=missing).fit(X)
    before = model.predict(X)
    changed = X.copy()
    changed[50:] += 1000
    np.testing.assert_array_equal(model.predict(changed)[:50], before[:50])


def test_training_sees_nothing_of_the_future_part_it_is_scored_on():
    """Statistics come from the training part alone: the validation tail moves no weight."""
    settings = {**TINY, "validation": 20, "patience": 5, "normalize": "none"}
    X = wave()
    changed = X.copy()
    changed[-20:] *= 3
    one, other = (SequenceForecaster(**settings).fit(x) for x in (X, changed))
    assert one.history_["loss"] == other.history_["loss"]
    assert one.history_["val_loss"] != other.history_["val_loss"]


# --- arrays -----------------------------------------------------------------------------------


def test_target_among_the_features_is_recognised():
    X = np.stack([np.arange(90.0), wave()], 1)
    model = SequenceForecaster(**TINY).fit(X, X[:, 1])
    other = SequenceForecaster(**TINY, target="x1").fit(X)
    np.testing.assert_allclose(model.forecast(), other.forecast()[:, 0])
    assert model.forecast().shape == (4,)
    with pytest.raises(DataError, match="at most 4"):
        model.forecast(horizon=5)


@pytest.mark.slow
def test_target_apart_from_the_features():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.roll(X[:, 0], 1) * 100 + 500  # known one step ahead
    model = SequenceForecaster(**{**TINY, "horizon": 1, "epochs": 30}).fit(X, y)
    assert model.predict(X).shape == (300, 1)
    assert model.score(X, y) > 0.8
    assert any("no feature" in note for note in model.notes_)
    with pytest.raises(ValueError, match="score: y must be given"):
        model.score(X)


def test_several_series_as_arrays():
    model = SequenceForecaster(**TINY).fit([wave(40), wave(60, 1)[:, None]])
    assert model.forecast().shape == (2, 4, 1)
    assert [len(p) for p in model.predict([wave(20), wave(30)])] == [20, 30]
    assert model.forecast(wave(30)).shape == (4, 1)  # one series asked of a model of many


def test_future_covariates_of_arrays():
    X = np.stack([wave(), np.arange(90.0)], 1)
    model = SequenceForecaster(**TINY, future_covariates=["x1"]).fit(X)
    assert model.forecast(future=np.arange(90.0, 94)).shape == (4, 1)
    made = model.predict(X)
    assert np.isnan(made[-4:]).all()
    np.testing.assert_allclose(
        made[60], model.forecast(X[:61], future=X[61:65, 1])[:, 0], rtol=1e-5
    )
    with pytest.raises(DataError, match="step 1, step 2, step 3, step 4"):
        model.forecast()


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.array([1.0, np.nan] * 30), "step 1"),
        (np.array([1.0, np.inf] * 30), "step 1"),
        (np.array(["a"] * 60), "numbers"),
        (wave(4), "at least"),
    ],
)
def test_arrays_that_cannot_be(X, words):
    with pytest.raises(ValueError, match=words):
        SequenceForecaster(**TINY).fit(X)


def test_failed_fits_leave_nothing(fitted):
    model = clone(fitted)
    with pytest.raises(ValueError):
        model.fit(wave(3))
    assert not any(name.endswith("_") for name in vars(model))
    before = fitted.forecast()
    with pytest.raises(ValueError):
        fitted.fit(wave(3))
    np.testing.assert_array_equal(fitted.forecast(), before)
    with pytest.raises(ValueError, match="expecting 1 features"):
        fitted.predict(np.ones((30, 2)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"units": -3}, "units"),
        ({"decoder": "direkt"}, "decoder"),
        ({"loss": "pinball"}, "loss"),
        ({"quantiles": [0.1], "loss": "mse"}, "loss must be auto or pinball"),
        ({"validation": 2, "patience": 2}, "validation must be 0 or at least horizon"),
        ({"patience": 3}, "patience"),
        ({"target": "x7"}, "x7"),
        ({"time": "ds"}, "left out with arrays"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(ValueError, match=words):
        SequenceForecaster(**{**TINY, **settings}).fit(wave())


# --- frames -----------------------------------------------------------------------------------


def test_frames_come_back_with_the_stamps_that_follow(fitted_frame):
    frame, model = long_frame(), fitted_frame
    made = model.forecast()
    assert list(made.columns) == ["unique_id", "ds", "y"]
    assert len(made) == 12
    for name, part in some(made.groupby("unique_id")):
        last = frame[frame.unique_id == name].ds.iloc[-1]
        expected = pd.date_range(last, periods=5, freq="D")[1:]
        assert (pd.DatetimeIndex(part.ds) == expected).all()
    by_origin = model.predict(frame)
    assert list(by_origin.columns) == ["unique_id", "ds", "y+1", "y+2", "y+3", "y+4"]
    last = by_origin.groupby("unique_id").nth(-5)  # the calendar ahead ends with the frame
    made = model.forecast(frame.groupby("unique_id").head(-4).sort_index())
    np.testing.assert_allclose(last[["y+1", "y+4"]], made.y.to_numpy().reshape(3, 4)[:, [0, 3]],
                               rtol=1e-5)  # fmt: skip
    assert "frequency 'D' was inferred" in " ".join(model.notes_)


def test_series_of_different_size_count_alike():
    """A series times 10^i gives the forecast times 10^i, whichever it was trained with."""
    frame = long_frame((60, 60))
    frame["y"] = np.concatenate([wave(60), 1e4 * wave(60)])
    model = SequenceForecaster(**TINY).fit(frame)
    made = model.forecast().y.to_numpy().reshape(2, 4)
    np.testing.assert_allclose(made[1], 1e4 * made[0], rtol=1e-3)


def test_new_and_short_series_at_prediction_time():
    model = SequenceForecaster(**TINY).fit(long_frame((60, 40, 3)))
    assert "s2 (3 steps)" in " ".join(model.notes_)  # teaches nothing, and is named
    assert len(model.forecast()) == 12  # but is forecast
    new = long_frame((5,)).assign(unique_id="new")
    made = model.forecast(new)
    assert made.unique_id.unique().tolist() == ["new"]
    assert np.isfinite(made.y).all()


def test_covariates_of_all_kinds():
    frame = long_frame(
        temp=lambda f: np.arange(len(f)) % 7 * 1.0,
        wind=lambda f: np.arange(len(f)) % 5 * 1.0,
        region=lambda f: f.unique_id.map({"s0": "a", "s1": "b", "s2": "a"}),
        size=lambda f: f.unique_id.map({"s0": 1.0, "s1": 2.0, "s2": 3.0}),
    )
    model = SequenceForecaster(
        **TINY, target="y", past_covariates=["wind"], future_covariates=["temp"],
        static_covariates=["region", "size"], calendar=["weekday", "month"],
    ).fit(frame)  # fmt: skip
    future = long_frame((66, 46, 56)).groupby("unique_id").tail(6).assign(temp=1.0)
    made = model.forecast(future=future.drop(columns="y"))
    assert made.shape == (12, 3)
    with pytest.raises(DataError, match=r"temp.*s0 2024-03-01"):
        model.forecast()
    with pytest.raises(DataError, match="at most 4"):
        model.forecast(horizon=6, future=future)
    other = model.forecast(future=future.assign(temp=5.0))
    assert (other.y != made.y).all()
    unseen = frame[frame.unique_id == "s0"].assign(region="zzz", unique_id="new")
    ahead = future[future.unique_id == "s0"].assign(unique_id="new")
    assert np.isfinite(model.forecast(unseen, future=ahead).y).all()
    loaded = pickle.loads(pickle.dumps(model)).forecast(future=future)
    np.testing.assert_array_equal(loaded.y, made.y)


def test_calendar_alone_needs_no_future(fitted_frame):
    model = fitted_frame
    assert len(model.forecast(horizon=9)) == 27
    a = model.forecast(horizon=2).y.to_numpy().reshape(3, 2)
    np.testing.assert_allclose(a, model.forecast().y.to_numpy().reshape(3, 4)[:, :2], rtol=1e-6)


def test_frames_need_frames(fitted_frame):
    with pytest.raises(DataError, match="long data frame"):
        fitted_frame.forecast(wave())


# --- heads, ensembles -------------------------------------------------------------------------


def test_quantiles_are_in_order_and_in_the_frame():
    model = SequenceForecaster(**TINY, quantiles=[0.1, 0.5, 0.9]).fit(long_frame())
    made = model.forecast()
    assert list(made.columns[2:]) == ["y", "y_q0.1", "y_q0.5", "y_q0.9"]
    assert (made["y_q0.1"] <= made.y).all()
    assert (made.y <= made["y_q0.9"]).all()
    assert model.forecast_quantiles(levels=[0.9]).shape == (3, 4, 1, 1)
    assert model.predict_quantiles(long_frame()).shape == (150, 4, 1, 3)
    with pytest.raises(ValueError, match="one of"):
        model.forecast_quantiles(levels=[0.3])


@pytest.mark.parametrize(
    "name", ["negative_binomial", pytest.param("normal", marks=pytest.mark.slow)]
)
def test_distributions_are_drawn_from(name):
    X = np.random.default_rng(0).poisson(20, 200).astype(float)
    settings = {**TINY, "epochs": 25, "context_length": 24}
    model = SequenceForecaster(**settings, distribution=name).fit(X)
    paths = model.sample(n_paths=400, random_state=0)
    assert paths.shape == (400, 4, 1)
    assert 15 < paths.mean() < 25
    assert 2.5 < paths.std() < 8  # sqrt(20) = 4.5
    if name == "negative_binomial":
        assert (paths == np.round(paths)).all()
    spread = model.forecast_quantiles(levels=[0.1, 0.9])
    assert (spread[..., 1] > spread[..., 0]).all()
    assert model.sample(n_paths=3, horizon=9).shape == (3, 9, 1)
    assert model.forecast().shape == (4,)
    with pytest.raises(ValueError, match="distribution must be set"):
        SequenceForecaster(**TINY).fit(X).sample()


def test_ensembles_are_one_model():
    settings = {**TINY, "context_length": [12, 8], "ensemble": 3}
    model = SequenceForecaster(**settings).fit(wave())
    assert len(model.histories_) == 3
    x = wave()[-12:].reshape(1, -1, 1).astype(np.float32)
    np.testing.assert_allclose(model.model_({"x": x}).numpy()[0, :, 0], model.forecast(), rtol=1e-5)
    assert np.isfinite(model.predict(wave())[11:]).all()
    alone = SequenceForecaster(**TINY).fit(wave())
    for a, b in some(zip(model.weights_, alone.weights_, strict=False)):
        np.testing.assert_array_equal(a, b)  # its first network is the one alone


# --- life of an estimator ---------------------------------------------------------------------


def test_same_seed_same_weights(fitted):
    again = clone(fitted).fit(wave())
    for a, b in some(zip(fitted.weights_, again.weights_, strict=True)):
        np.testing.assert_array_equal(a, b)
    other = clone(fitted).set_params(random_state=1).fit(wave())
    assert any((a != b).any() for a, b in zip(fitted.weights_, other.weights_, strict=True))


def test_copies_keep_the_weights(fitted):
    expected = fitted.forecast()
    for again in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.forecast(), expected)
    assert len(pickle.dumps(fitted)) < 2 * sum(w.nbytes for w in fitted.weights_) + 50_000


def test_fitted_state_goes_through_json(fitted_frame):
    model = fitted_frame
    skip = {"weights_", "_model_", "_state_"}
    state = {k: v for k, v in vars(model).items() if k.endswith("_") and k not in skip}
    again = clone(model)
    again.__dict__.update(decode(json.loads(json.dumps(encode(state)))))
    again.weights_ = [w.copy() for w in model.weights_]
    assert again.forecast().equals(model.forecast())


def test_resumed_is_uninterrupted(tmp_path):
    for settings in ({"ensemble": 2}, {}):
        kept = []

        def keep(epoch, logs, get_state, kept=kept):
            kept.append(get_state())

        model = SequenceForecaster(**{**TINY, "epochs": 3, **settings}).fit(wave(), on_epoch=keep)
        state = kept[-2]
        state.save(tmp_path / "state.npz")
        again = clone(model).fit(wave(), resume=TrainingState.load(tmp_path / "state.npz"))
        for a, b in some(zip(model.weights_, again.weights_, strict=True)):
            np.testing.assert_array_equal(a, b)


def test_warm_start_goes_on(fitted):
    same = {"schedule": "constant"}  # a cosine over all steps would begin anew
    model = clone(fitted).set_params(warm_start=True, **same).fit(wave()).fit(wave())
    whole = clone(fitted).set_params(epochs=4, **same).fit(wave())
    np.testing.assert_allclose(model.forecast(), whole.forecast(), rtol=1e-4)


def test_untrained_is_where_the_fit_begins(fitted):
    model = SequenceForecaster(**TINY).untrained(wave())
    start = clone(fitted).set_params(learning_rate=1e-12).fit(wave())
    for a, b in some(zip(model.get_weights(), start.weights_, strict=True)):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.slow
def test_searches_over_the_forecaster():
    grid = {"context_length": [8, 12], "cell": ["gru"], "units": [4]}
    model = SequenceForecaster(**{**TINY, "units": 4, "epochs": 1})
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2, test_size=20), error_score="raise")
    search.fit(wave())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(wave()).shape == (90, 4)
    X = np.stack([wave(), np.arange(90.0)], 1)
    scores = cross_val_score(model, X, X[:, 0], cv=TimeSeriesSplit(2, test_size=20))
    assert np.isfinite(scores).all()


@pytest.mark.slow
def test_it_learns():
    series = wave(400)
    model = SequenceForecaster(**{**TINY, "epochs": 40}).fit(series[:380])
    assert model.score(series[360:]) > 0.9


@pytest.mark.slow
def test_airline_from_the_embedded_set():
    frame = load("airline").frame
    train, last = frame.iloc[:-12], frame.iloc[-12:]
    model = SequenceForecaster(
        context_length=36, horizon=12, season=12, departure_from="seasonal_naive", random_state=0
    ).fit(train)
    made = model.forecast()
    assert (made.month.to_numpy() == last.month.to_numpy()).all()
    y = frame.passengers.to_numpy(float)
    mase = np.abs(made.passengers.to_numpy() - y[-12:]).mean() / np.abs(y[12:-12] - y[:-24]).mean()
    assert mase < 1.2  # the seasonal naive forecast has 1.571


# --- what is missing, and what is no count --------------------------------------------------------


@pytest.mark.parametrize("missing", ["interpolate", "indicator"])
def test_nan_is_taken_where_missing_says_so(missing):
    wave = np.sin(np.arange(60) / 3)
    wave[[10, 11, 40]] = np.nan
    model = SequenceForecaster(
        context_length=6, horizon=2, units=4, epochs=1, missing=missing, random_state=0
    )
    assert get_tags(model).input_tags.allow_nan
    model.fit(wave)
    assert np.isfinite(model.predict(wave)[6:]).all()
    assert np.isfinite(model.forecast(wave)).all()
    assert np.isfinite(model.score(wave))


def test_a_gap_longer_than_the_context_is_filled_from_its_own_series():
    n = 40
    wave = np.sin(np.arange(n) * 2 * np.pi / 8)
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": np.arange(n), "y": level + wave})
            for name, level in (("a", 1000.0), ("b", 0.0))
        ],
        ignore_index=True,
    )
    model = SequenceForecaster(
        context_length=8, horizon=4, units=4, epochs=1, missing="interpolate", random_state=0
    ).fit(frame)
    frame.loc[frame.index[-12:], "y"] = np.nan
    alone = model.forecast(frame[frame.unique_id == "b"])
    both = model.forecast(frame)
    np.testing.assert_array_equal(both[both.unique_id == "b"].y, alone.y)
    assert np.abs(alone.y).max() < 10


def test_nan_is_refused_otherwise():
    wave = np.sin(np.arange(60) / 3)
    holed = np.where(np.arange(60) == 40, np.nan, wave)
    model = SequenceForecaster(context_length=6, horizon=2, units=4, epochs=1, random_state=0)
    assert not get_tags(model).input_tags.allow_nan
    for use in (model.fit, model.fit(wave).predict, model.forecast, model.score):
        with pytest.raises(DataError, match=r"step 40: .*got nan"):
            use(holed)


@pytest.mark.parametrize("distribution", ["poisson", "negative_binomial"])
def test_a_negative_count_is_refused(distribution):
    model = SequenceForecaster(
        context_length=6, horizon=2, units=4, epochs=1, distribution=distribution
    )
    assert get_tags(model).target_tags.positive_only
    series = [np.ones(20), np.where(np.arange(20) == 7, -3.0, 1.0)]
    with pytest.raises(DataError, match=r"must be counts, 0 or more; got -3.0. It is at step 7 of"):
        model.fit(series)
    assert not get_tags(model.set_params(distribution="normal")).target_tags.positive_only


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("head", [{}, {"quantiles": [0.1, 0.5]}, {"distribution": "normal"}])
def test_forecasts_are_float64_whatever_goes_in(dtype, head):
    wave = (10 * np.sin(np.arange(60))).astype(dtype)
    model = SequenceForecaster(**{**TINY, "epochs": 1, **head}).fit(wave)
    found = [model.predict(wave), model.forecast(), model.forecast(wave, horizon=9)]
    if head:
        found += [model.predict_quantiles(wave), model.forecast_quantiles()]
    if "distribution" in head:
        found.append(model.sample(n_paths=2))
    assert {answer.dtype for answer in found} == {np.dtype(np.float64)}
