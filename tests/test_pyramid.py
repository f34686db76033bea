"""Pyramids: layers that read several states of the first as one step; patches that overlap."""

from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqkit.layers as layers
from seqkit import SequenceClassifier, SequenceRegressor, read_recipe
from seqkit.cells import CELLS
from seqkit.estimators.members import member_seed
from seqkit.network.architecture import Architecture
from seqkit.network.native import NativeNetwork
from seqkit.network.series import classifier, regressor

PYRAMID = {"cell": "gru", "units": [5, 4], "bidirectional": True, "dropout": 0.0, "moves": ()}


def native(network, seed=0):
    made = NativeNetwork(network)
    made.weights.load(network.initial_weights(seed))
    return made


def folded(h, n):
    """Transcription of Chan et al. 2016, eq. 5: ``[h_{n i}, ..., h_{n i + n - 1}]``."""
    steps = -(-h.shape[1] // n)
    whole = np.zeros((len(h), steps * n, h.shape[2]), h.dtype)
    whole[:, : h.shape[1]] = h
    return np.stack([whole[:, i * n : (i + 1) * n].reshape(len(h), -1) for i in range(steps)], 1)


@settings(max_examples=12, deadline=None)
@given(
    steps=st.integers(1, 13),
    pyramid=st.integers(2, 4),
    patch=st.integers(1, 3),
    cell=st.sampled_from(sorted(CELLS)),
    seed=st.integers(0, 99),
)
def test_the_upper_layer_reads_states_side_by_side(steps, pyramid, patch, cell, seed):
    x = np.random.default_rng(seed).normal(size=(3, steps, 2)).astype(np.float32)
    sizes = {**PYRAMID, "cell": cell, "patch": patch, "overlap": 0, "pooling": "mean_max"}
    network = native(regressor(steps, 2, 3, pyramid=pyramid, scale="none", **sizes), seed)
    made = network.network
    values = zip(made.weights, made.initial_weights(seed), strict=True)
    weights = {weight.path: value for weight, value in values}

    def layer(name, width, inputs):
        made = layers.Bidirectional(width, cell=cell, return_sequences=True)
        made.build(inputs.shape)
        own = [value for path, value in weights.items() if path.startswith(name)]
        for variable, value in zip(made.weights, own, strict=True):
            variable.assign(value)
        return np.asarray(made(inputs))

    def pooled(h):
        return np.concatenate([h.mean(1), h.max(1)], axis=1)

    fine = layer("recurrent_1/", 5, folded(x, patch))
    coarse = layer("recurrent_2/", 4, folded(fine, pyramid))
    head = {path: v for path, v in weights.items() if path.startswith("standardized/")}
    both = np.concatenate([pooled(fine), pooled(coarse)], axis=1)
    expected = both @ head["standardized/kernel"] + head["standardized/bias"]
    np.testing.assert_allclose(network.predict(x), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "mean_max", "attention"])
@pytest.mark.parametrize("overlap", [0, 1, 4])
def test_padding_does_not_count(pooling, overlap):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 11, 1)).astype(np.float32)
    lengths = np.array([11, 7, 2, 1], np.int32)
    made = classifier(None, 1, 3, variable_length=True, patch=2, pyramid=3, overlap=overlap,
                      pooling=pooling, **PYRAMID)  # fmt: skip
    network = native(made)
    answer = network.predict({"x": x, "lengths": lengths})
    more = np.concatenate([x, np.full((4, 8, 1), np.nan, np.float32)], axis=1)
    more[1, 7:], more[2, 2:], more[3, 1:] = 1e30, np.nan, -1e30
    np.testing.assert_allclose(network.predict({"x": more, "lengths": lengths}), answer, atol=1e-6)
    for row, n in enumerate(lengths):
        alone = {"x": x[row : row + 1, :n], "lengths": lengths[row : row + 1]}
        np.testing.assert_allclose(network.predict(alone), answer[row : row + 1], atol=1e-6)


def test_a_model_of_keras_comes_back_from_its_file(tmp_path):
    x = np.random.default_rng(1).normal(size=(5, 11, 2)).astype(np.float32)
    sizes = {"n_timesteps": 11, "n_features": 2, "n_classes": 3, **PYRAMID}
    made = Architecture("classifier", {**sizes, "patch": 2, "pyramid": 2, "overlap": 3})
    weights = made.network.initial_weights(3)
    network = NativeNetwork(made.network)
    network.weights.load(weights)
    model = made.keras_model(weights)
    np.testing.assert_allclose(model(x), network.predict(x), atol=1e-5)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(again(x), model(x))


def test_a_pyramid_of_one_is_a_plain_stack():
    sizes = {"cell": "lstm", "units": [3, 3], "patch": 4, "moves": ()}
    assert classifier(20, 1, 2, **sizes) == classifier(20, 1, 2, pyramid=1, overlap=0, **sizes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pyramid": 2, "units": 8}, "pyramid must be 1 with a single recurrent layer"),
        ({"pyramid": 2, "units": [8, 8], "residual": True}, "pyramid must be 1 .*residual"),
        ({"pyramid": 0}, "pyramid must be a positive integer.*auto; got 0"),
        ({"overlap": -1}, "overlap must be an integer of 0 or more.*auto; got -1"),
        ({"patch": [3, 2], "ensemble": 1}, "patch must be one value, or no longer a list"),
        ({"pyramid": [2, 1], "units": 4}, "pyramid must be 1 with a single recurrent layer"),
        ({"overlap": "much"}, "overlap must be .*auto.*much"),
    ],
)
def test_what_is_no_pyramid_is_refused(settings, words):
    X = np.random.default_rng(0).normal(size=(10, 12, 1))
    with pytest.raises((TypeError, ValueError), match=words):
        SequenceClassifier(epochs=1, **settings).fit(X, np.arange(10) % 2)


def test_a_builder_makes_one_network():
    with pytest.raises(ValueError, match=r"build_classifier: patch must be an integer.*\[3, 2\]"):
        classifier(20, 1, 2, patch=[3, 2])


def test_a_list_has_a_value_for_each_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 30, 1)), np.arange(20) % 2
    sizes = {"units": [3, 4], "epochs": 2, "shift": 1, "random_state": 5}
    whole = SequenceClassifier(patch=[2, 5], pyramid=[2, 1], overlap=[1, 0], **sizes).fit(X, y)
    assert whole.auto_["ensemble"] == 2
    first = SequenceClassifier(patch=2, pyramid=2, overlap=1, **sizes).fit(X, y)
    sizes["random_state"] = member_seed(5, 1)
    second = SequenceClassifier(patch=5, pyramid=1, overlap=0, **sizes).fit(X, y)
    both = [*first.weights_, *second.weights_]
    for a, b in zip(whole.weights_, both, strict=True):
        np.testing.assert_array_equal(a, b)
    mean = (first.predict_proba(X) + second.predict_proba(X)) / 2
    np.testing.assert_allclose(whole.predict_proba(X), mean, atol=1e-6)
    np.testing.assert_allclose(whole.model_(X.astype("float32")), mean, atol=1e-5)
    again = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))


def test_networks_that_nobody_has_set_are_unlike(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 300, 1)), rng.normal(size=20)
    model = SequenceRegressor(units=[3, 4], stem=None, epochs=1, ensemble=4, random_state=0).fit(
        X, y
    )
    assert model.auto_["pyramid"] == [3, 1, 3, 1]
    assert model.auto_["patch"] == model.auto_["overlap"] == [3, 10, 3, 10]
    model.save(tmp_path / "saved")
    again = SequenceRegressor.load(tmp_path / "saved")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_recipe_refuses_it_before_it_reads_data():
    recipe = {"task": "classification", "data": {"dataset": "gunpoint"}}
    with pytest.raises(ValueError, match=r"model\.pyramid.*1 with a single recurrent layer"):
        read_recipe({**recipe, "model": {"pyramid": 3, "units": 8}})
