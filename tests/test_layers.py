from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.layers import AttentionPooling, Patch, SequencePooling, Standardize, Unstandardize

JUNK = 1e6


def series_batch(lengths, n_features, seed=0, junk=JUNK):
    rng = np.random.default_rng(seed)
    x = np.full((len(lengths), max(lengths), n_features), junk, np.float32)
    for i, n in enumerate(lengths):
        x[i, :n] = rng.normal(size=(n, n_features))
    return x, np.array(lengths, np.int32)


def test_standardize_and_back():
    x = np.random.default_rng(0).normal(size=(4, 7, 3)).astype(np.float32)
    offset, scale = np.array([1.0, -2.0, 100.0]), np.array([2.0, 0.5, 30.0])
    there, back = Standardize(), Unstandardize()
    there.adapt(offset, scale, 3)
    back(x)
    back.offset.assign(offset)
    back.scale.assign(scale)
    np.testing.assert_allclose(there(x), (x - offset) / scale, rtol=1e-5)
    np.testing.assert_allclose(back(there(x)), x, rtol=1e-4, atol=1e-4)
    assert not there.trainable_weights


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    size=st.integers(1, 5),
)
def test_patch_folds_each_series_alone(lengths, size):
    x, n = series_batch(lengths, 2)
    layer = Patch(size)
    folded = keras.ops.convert_to_numpy(layer(x, lengths=n))
    patches = keras.ops.convert_to_numpy(layer.patched_lengths(n))
    for i, length in enumerate(lengths):
        filled = np.zeros((patches[i] * size, 2), np.float32)
        filled[:length] = x[i, :length]
        np.testing.assert_array_equal(folded[i, : patches[i]], filled.reshape(patches[i], -1))
        assert not folded[i, patches[i] :].any()


@pytest.mark.parametrize("mode", SequencePooling.MODES)
def test_pooling_reads_valid_steps_only(mode):
    x, n = series_batch([5, 1, 3], 4)
    pooled = keras.ops.convert_to_numpy(SequencePooling(mode)(x, lengths=n))
    for i, length in enumerate(n):
        valid = x[i, :length]
        parts = {"last": [valid[-1]], "mean": [valid.mean(0)], "max": [valid.max(0)]}
        expected = parts.get(mode) or parts["mean"] + parts["max"]
        np.testing.assert_allclose(pooled[i], np.concatenate(expected), rtol=1e-5)


def test_bidirectional_last_reads_the_backward_half_at_the_first_step():
    x, n = series_batch([5, 2], 6)
    pooled = keras.ops.convert_to_numpy(SequencePooling("last", bidirectional=True)(x, lengths=n))
    for i, length in enumerate(n):
        expected = np.concatenate([x[i, length - 1, :3], x[i, 0, 3:]])
        np.testing.assert_array_equal(pooled[i], expected)


def test_attention_is_the_papers_formula_on_each_series_alone():
    x, n = series_batch([5, 1, 3], 4)
    layer = AttentionPooling(3)
    pooled = keras.ops.convert_to_numpy(layer(x, lengths=n))
    w, b, v = (keras.ops.convert_to_numpy(p) for p in (layer.kernel, layer.bias, layer.query))
    for i, length in enumerate(n):
        h = x[i, :length]
        score = np.exp(np.tanh(h @ w + b) @ v)
        np.testing.assert_allclose(pooled[i], (score / score.sum() * h).sum(0), rtol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        Standardize(),
        Unstandardize(),
        Patch(3),
        SequencePooling("mean_max"),
        SequencePooling("last", bidirectional=True),
        AttentionPooling(5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_come_back_from_their_configuration(layer):
    x = np.random.default_rng(1).normal(size=(2, 6, 4)).astype(np.float32)
    y = layer(x)
    copy = type(layer).from_config(layer.get_config())
    copy(x)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(x), y)
    assert layer.compute_output_shape(x.shape) == y.shape


def test_wrong_modes_say_what_is_allowed():
    with pytest.raises(ValueError, match="one of last, mean, max, mean_max; got 'sum'"):
        SequencePooling("sum")
    with pytest.raises(ValueError, match="at least 1; got 0"):
        Patch(0)
