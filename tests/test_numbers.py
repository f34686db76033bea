"""Numbers of any level and size, weights of zero, settings of a fit, and weights from outside."""

from __future__ import annotations

import logging

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import example, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor
from seqkit.data.frames import panel_from_arrays
from seqkit.data.windows import WindowSource
from seqkit.errors import DataError
from seqkit.network.layers.windows import window_statistics
from seqkit.network.ops import NUMPY, keras_namespace

RNG = np.random.default_rng(0)
WAVE = 3 * np.sin(np.arange(150) * np.pi / 6) + RNG.normal(size=150)
TINY = {"units": 3, "epochs": 2, "batch_size": 16, "learning_rate": 0.02, "random_state": 0}
QUICK = {**TINY, "validation": 0, "patience": 0}
PLAIN = {**QUICK, "cell": "lstm", "bidirectional": False, "pooling": "last", "dropout": 0.0}


def forecaster(**kwargs):
    return SequenceForecaster(**{"context_length": 18, "horizon": 6, **TINY, **kwargs})


# --- levels and sizes ---------------------------------------------------------------------------


def keras_forecast(model, y):
    """The forecast of `model_`, which sees float32."""
    x = np.asarray(y[-18:], np.float32).reshape(1, -1, 1)
    return np.asarray(model.model_({"x": x}), np.float64).ravel()


BASES = {}


@pytest.mark.parametrize("normalize", ["standard", "last", "none"])
@hypothesis.given(
    size=st.floats(-6, 9).map(lambda e: 10.0**e),
    level=st.one_of(st.just(0.0), st.floats(-6, 9).map(lambda e: 10.0**e)),
    sign=st.sampled_from([1, -1]),
)
@settings(max_examples=12, deadline=None)
@example(size=1.0, level=1e9, sign=1)
@example(size=1e9, level=1.0, sign=-1)
@example(size=1e-6, level=0.0, sign=1)
def test_forecasts_follow_a_change_of_units(normalize, size, level, sign):
    """Fitted on ``a y + b``, the forecast is ``a forecast + b``.

    Within 1e-3 of the spread (two fits of the same data, rounded otherwise), and what the numbers
    that are seen are rounded by: a multiple of float64's resolution of the level for the estimator,
    of float32's for `model_`, and for the inputs of ``none``.
    """
    if normalize not in BASES:
        base = forecaster(normalize=normalize).fit(WAVE)
        BASES[normalize] = base.forecast(), keras_forecast(base, WAVE)
    moved = size * WAVE + sign * level
    model = forecaster(normalize=normalize).fit(moved)
    largest = np.abs(moved).max()
    double, single = (100 * np.finfo(kind).eps * largest for kind in (np.float64, np.float32))
    close = 1e-3 * size * WAVE.std()
    if normalize == "none":
        double = single
    expected = size * BASES[normalize][0] + sign * level
    np.testing.assert_allclose(model.forecast(), expected, rtol=0, atol=close + double)
    expected = size * BASES[normalize][1] + sign * level
    np.testing.assert_allclose(keras_forecast(model, moved), expected, rtol=0, atol=close + single)


@pytest.mark.parametrize(("level", "size"), [(1e5, 1.0), (1e9, 1.0), (0.0, 1e18), (7.8, 1e-3)])
@pytest.mark.parametrize("trainer", ["native", "keras"])
def test_a_high_level_costs_nothing(trainer, level, size):
    class SeesModel(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.count_params()

    settings = {"units": 8, "epochs": 8, "decoder": "segment", "patch": 3}
    plain = forecaster(**settings).fit(WAVE[:130]).score(WAVE[112:])
    callbacks = [SeesModel()] if trainer == "keras" else []
    moved = forecaster(**settings).fit(size * WAVE[:130] + level, callbacks=callbacks)
    assert moved.trainer_.startswith(trainer)
    assert moved.score(size * WAVE[112:] + level) == pytest.approx(plain, abs=2e-3)


@pytest.mark.parametrize("ops", [NUMPY, keras_namespace()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_statistics_have_the_precision_of_their_numbers(ops, dtype):
    one = np.ones(1, dtype)
    for level in (0.0, 1e3, 1e5, 1e6):
        x = (level + 10 * np.sin(np.arange(48))).astype(dtype)
        mean, spread = window_statistics(x[None, :, None], None, "standard", 0 * one, one, ops)
        exact = x.astype(np.float64)
        assert float(np.ravel(spread)[0]) == pytest.approx(exact.std(), rel=1e-4)
        assert float(np.ravel(mean)[0]) == pytest.approx(exact.mean(), rel=1e-6, abs=1e-5)
    for size in (1e-30, 1e30):  # whose squares are no float32
        x = (size * np.sin(np.arange(48))).astype(dtype)
        _, spread = window_statistics(x[None, :, None], None, "standard", 0 * one, one, ops)
        assert float(np.ravel(spread)[0]) == pytest.approx(x.astype(np.float64).std(), rel=1e-4)


@hypothesis.given(st.lists(st.integers(0, 1), min_size=2, max_size=30), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_constant_windows_are_counted(values, context):
    panel = panel_from_arrays(np.array(values) * 0.1 + 7.8)
    source = WindowSource(panel, context, 1, origins="all", targets=False)
    windows = source.take(np.arange(source.n_examples))[0]["x"] if source.n_examples else []
    assert source.constant_windows() == sum(np.ptp(x) == 0 for x in windows)


def test_what_counts_as_constant_and_what_float32_loses_is_logged(caplog):
    caplog.set_level(logging.INFO, logger="seqkit")
    still = np.concatenate([np.full(40, 7.8), WAVE])
    forecaster().fit(still)
    assert "23 of 167 training windows do not change" in caplog.text
    assert "float32" not in caplog.text
    caplog.clear()
    forecaster().fit(WAVE + 1e9)
    assert "x0: values reach 1e+09, where numbers of float32 are 64 apart" in caplog.text
    X, y = RNG.normal(size=(30, 5)), RNG.normal(size=30)
    caplog.clear()
    SequenceRegressor(**QUICK).fit(X, y)
    assert not caplog.text
    SequenceRegressor(**QUICK).fit(X + 1e9, y + 1e8)
    assert "feature 0: values reach 1e+09" in caplog.text
    assert "target 0: values reach 1e+08, where numbers of float32 are 8 apart" in caplog.text


@pytest.mark.parametrize("level", [1e8, 1e12])
def test_a_regressors_target_keeps_its_resolution(level):
    X, y = RNG.normal(size=(30, 5)), RNG.normal(size=30)
    plain = SequenceRegressor(**QUICK).fit(X, y).predict(X)
    moved = SequenceRegressor(**QUICK).fit(X, y + level).predict(X)
    np.testing.assert_allclose(moved - level, plain, atol=1e-3 + 4 * np.spacing(level))


@pytest.mark.parametrize(
    "fit",
    [
        lambda: forecaster().fit(WAVE * 1e38),
        lambda: SequenceRegressor(**QUICK).fit(np.full((8, 4), 1e39), np.arange(8.0)),
        lambda: SequenceRegressor(**QUICK).fit(np.ones((8, 4)), np.arange(8.0) * 1e40),
    ],
)
def test_what_is_too_large_is_told_with_the_bound(fit):
    with pytest.raises(DataError, match=r"no larger than 1e\+37"):
        fit()


# --- weights of zero ----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust"])
@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
@pytest.mark.parametrize("weight", [1.0, "different"])
def test_series_of_weight_zero_do_nothing(kind, scale, weight):
    rng = np.random.default_rng(1)
    series = [rng.normal(size=(n, 2)) for n in rng.integers(3, 7, 24)]
    y = np.arange(24) % 2 if kind is SequenceClassifier else rng.normal(size=24)
    weights = np.ones(24) if weight == 1.0 else rng.uniform(0.5, 2, 24)
    wild = [1e6 * rng.normal(size=(n, 2)) for n in (11, 2, 5)]
    more = {"class_weight": "balanced"} if kind is SequenceClassifier else {}
    settings = {**TINY, "scale": scale, "validation": 0.25, "patience": 3, **more}
    plain = kind(**settings).fit(series, y, sample_weight=weights)
    order = rng.permutation(27)
    both, labels = [*series, *wild], np.concatenate([y, [9, 9, 9]])
    order = np.sort(order[np.isin(order, np.arange(24))]).tolist()
    order[5:5], order[20:20] = [24, 25], [26]  # in between, the others in the same order
    zeroed = kind(**settings).fit(
        [both[i] for i in order],
        labels[order],
        sample_weight=np.concatenate([weights, np.zeros(3)])[order],
    )
    assert zeroed.history_ == plain.history_
    for a, b in zip(zeroed.weights_, plain.weights_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_of_zero_only_are_an_error():
    with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
        SequenceRegressor(**QUICK).fit(np.ones((4, 3)), np.arange(4.0), sample_weight=np.zeros(4))


# --- settings after a fit -----------------------------------------------------------------------

X, Y = RNG.normal(size=(16, 8, 2)), np.arange(16) % 2
CHANGES = {
    "cell": "gru", "units": 5, "pooling": "max", "patch": 3, "scale": "minmax", "dense": (4,),
    "bidirectional": True, "missing": "indicator",
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_set_params_changes_no_answer_of_a_fitted_model(name):
    model = SequenceClassifier(**PLAIN, warm_start=True).fit(X, Y)
    before = model.predict_proba(X)
    model.set_params(**{name: CHANGES[name]})
    np.testing.assert_array_equal(model.predict_proba(X), before)
    np.testing.assert_allclose(model.model_.predict(X, verbose=0), before, atol=1e-5)
    for again in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"SequenceClassifier: {name} must be .*gone on with"):
            again(X, Y)
    model.set_params(warm_start=False).fit(X, Y)
    assert getattr(model._fitted, name) == CHANGES[name]


@pytest.mark.parametrize(
    "change",
    [
        {"horizon": 2}, {"context_length": 9}, {"normalize": "last"}, {"patch": 3}, {"season": 3},
        {"quantiles": [0.1, 0.9]}, {"departure_from": "last"}, {"cell": "lstm"}, {"ensemble": 2},
    ],
)  # fmt: skip
def test_set_params_changes_no_forecast_of_a_fitted_model(change):
    model = forecaster(warm_start=True).fit(WAVE)
    before, rows = model.forecast(), model.predict(WAVE)
    model.set_params(**change)
    np.testing.assert_array_equal(model.forecast(), before)
    np.testing.assert_array_equal(model.predict(WAVE), rows)
    with pytest.raises(ValueError, match=f"SequenceForecaster: {next(iter(change))} must be"):
        model.fit(WAVE)


def test_a_list_of_one_is_no_change():
    model = SequenceClassifier(**QUICK, warm_start=True).fit(X, Y)
    model.set_params(units=[3], dense=[]).fit(X, Y)


# --- weights from outside -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (lambda: SequenceClassifier(**QUICK).fit(X, Y), lambda m: m.predict_proba(X)),
        (lambda: SequenceRegressor(**QUICK).fit(X, Y + 0.5), lambda m: m.predict(X)),
        (lambda: forecaster().fit(WAVE), lambda m: m.forecast()),
        (lambda: forecaster(ensemble=2, normalize="none").fit(WAVE), lambda m: m.forecast()),
    ],
)
def test_weights_are_taken_over(model, asked):
    model = model()
    before = asked(model)
    others = model.model_
    others.set_weights([w * 1.5 for w in others.get_weights()])  # scaling, too
    np.testing.assert_array_equal(asked(model), before)  # a copy
    for given in (others, others.get_weights()):
        assert model.set_weights(given) is model
        changed = asked(model)
        assert np.abs(changed - before).max() > 1e-3
        for a, b in zip(model.weights_, others.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    if isinstance(model, SequenceForecaster):
        direct = keras_forecast(model, WAVE)
    else:
        direct = model.model_.predict(X.astype("float32"), verbose=0).reshape(changed.shape)
    np.testing.assert_allclose(changed, direct, rtol=1e-4, atol=1e-4)


def test_wrong_weights_are_named_and_change_nothing():
    model = SequenceClassifier(**PLAIN).fit(X, Y)
    before, good = model.predict_proba(X), [w.copy() for w in model.weights_]
    bad = [w.copy() for w in good]
    bad[3][0] = np.nan
    for given, error, message in (
        (good[:-1], ValueError, "arrays; got"),
        ([good[0].T[:1], *good[1:]], ValueError, "standardize/offset must be of shape"),
        (bad, ValueError, "stem_1/bias must be finite"),
        (3, TypeError, "a list of arrays or a keras.Model"),
        (["x", *good[1:]], TypeError, "an array of numbers"),
    ):
        with pytest.raises(error, match=message):
            model.set_weights(given)
        np.testing.assert_array_equal(model.predict_proba(X), before)
