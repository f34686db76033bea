"""Series read at several offsets: the mean over moves, in NumPy, in Keras, and in a fit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqkit.layers  # noqa: F401  # registers them with Keras
from seqkit import SequenceClassifier, SequenceRegressor
from seqkit.auto_networks import moves_for
from seqkit.network.architecture import Architecture
from seqkit.network.native import NativeNetwork
from seqkit.network.series import classifier, regressor

SIZES = {"cell": "gru", "units": [5], "patch": 3, "dropout": 0.0}


def moved(x, move, lengths=None):
    """Transcription: ``x[t + move]`` at ``t``, the ends of each series repeated."""
    out = x.copy()
    for row, series in enumerate(x):
        n = len(series) if lengths is None else lengths[row]
        for t in range(n):
            out[row, t] = series[min(max(t + move, 0), n - 1)]
    return out


def native(network, seed=0):
    made = NativeNetwork(network)
    made.weights.load(network.initial_weights(seed))
    return made


@settings(max_examples=25, deadline=None)
@given(
    moves=st.lists(st.integers(-9, 9), min_size=1, max_size=4),
    steps=st.integers(1, 12),
    seed=st.integers(0, 99),
    unequal=st.booleans(),
)
def test_a_prediction_is_the_mean_over_the_moved_series(moves, steps, seed, unequal):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, steps, 2)).astype(np.float32)
    lengths = rng.integers(1, steps + 1, 4).astype(np.int32) if unequal else None
    sizes = {**SIZES, "variable_length": unequal}
    plain = native(regressor(steps, 2, 3, moves=(), **sizes), seed)
    with_moves = native(regressor(steps, 2, 3, moves=moves, **sizes), seed)

    def inputs(values):
        return values if lengths is None else {"x": values, "lengths": lengths}

    expected = np.mean([plain.predict(inputs(moved(x, m, lengths))) for m in moves], axis=0)
    np.testing.assert_allclose(with_moves.predict(inputs(x)), expected, atol=2e-6)
    # while it is trained, the network sees each series once, as it is given
    seen = with_moves.forward(inputs(x), training=True)
    np.testing.assert_array_equal(seen, plain.forward(inputs(x), training=True))


@pytest.mark.parametrize("unequal", [False, True])
def test_padding_does_not_count(unequal):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 10, 1)).astype(np.float32)
    lengths = np.array([10, 7, 2], np.int32)
    network = native(classifier(None, 1, 2, moves=(-4, 0, 4), variable_length=True, **SIZES))
    more = np.concatenate([x, np.full((3, 5, 1), np.nan, np.float32)], axis=1)
    more[1, 7:], more[2, 2:] = 1e30, np.nan
    np.testing.assert_allclose(
        network.predict({"x": more, "lengths": lengths}),
        network.predict({"x": x, "lengths": lengths}),
        atol=1e-6,
    )


@pytest.mark.parametrize("unequal", [False, True])
def test_keras_and_numpy_agree(unequal, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5, 11, 2)).astype(np.float32)
    inputs = {"x": x, "lengths": np.array([11, 4, 1, 9, 6], np.int32)} if unequal else x
    sizes = {"n_timesteps": None if unequal else 11, "n_features": 2, "n_classes": 3}
    made = Architecture(
        "classifier", {**sizes, **SIZES, "moves": (-3, 0, 2), "variable_length": unequal}
    )
    weights = made.network.initial_weights(3)
    network = NativeNetwork(made.network)
    network.weights.load(weights)
    model = made.keras_model(weights)
    np.testing.assert_allclose(model(inputs), network.predict(inputs), atol=1e-5)
    trained = keras.Model(model.input, model.get_layer("logits").output)
    once = trained(inputs, training=True)
    np.testing.assert_allclose(once, network.forward(inputs, training=True), atol=1e-5)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(again(inputs), model(inputs))


def test_moves_change_no_weight_and_every_prediction():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 64, 1))
    y = np.where(X[:, 20:30].mean((1, 2)) > 0, "up", "down")
    sizes = {"units": 4, "epochs": 3, "shift": 2, "random_state": 0}
    plain = SequenceClassifier(moves=(), **sizes).fit(X, y)
    model = SequenceClassifier(**sizes).fit(X, y)
    assert model.auto_["moves"] == moves_for(2) == [-2, -1, 0, 1, 2]
    for a, b in zip(plain.weights_, model.weights_, strict=True):
        np.testing.assert_array_equal(a, b)
    with np.errstate(divide="ignore"):
        mean = np.mean(
            [np.log(plain.predict_proba(moved(X, m))) for m in model.auto_["moves"]], axis=0
        )
    mean = np.exp(mean) / np.exp(mean).sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), mean, atol=1e-5)


@pytest.mark.parametrize("bad", ["often", [0.5], 3, [True]])
def test_what_are_no_moves_is_refused(bad):
    model = SequenceRegressor(moves=bad, epochs=1)
    with pytest.raises((TypeError, ValueError), match=r"moves must be .*integer.*auto"):
        model.fit(np.ones((5, 4, 1)), np.arange(5.0))
