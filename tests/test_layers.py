from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.layers import (
    AttentionPooling,
    Bidirectional,
    GatedRNN,
    Patch,
    SequencePooling,
    Standardize,
    Unstandardize,
)
from seqkit.network.keras.window_layers import LeftPatch

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
    there.set_statistics(offset, scale)
    back(x)
    back.offset.assign(offset)
    back.scale.assign(scale)
    np.testing.assert_allclose(there(x), (x - offset) / scale, rtol=1e-5)
    np.testing.assert_allclose(back(there(x)), x, rtol=1e-4, atol=1e-4)
    assert not there.trainable_weights


def test_adapt_takes_the_statistics_of_data_as_normalization_does():
    x = np.random.default_rng(0).normal(3, 5, size=(4, 7, 3)).astype(np.float32)
    x[:, :, 2] = 8
    own, keras_own = Standardize(), keras.layers.Normalization()
    own.adapt(x)
    keras_own.adapt(x)
    np.testing.assert_allclose(own(x)[..., :2], keras_own(x)[..., :2], rtol=1e-4, atol=1e-5)
    assert not np.asarray(own(x))[..., 2].any()
    x[0, 0] = np.nan
    again = Standardize()
    again.adapt(x)
    np.testing.assert_allclose(again.offset, np.nanmean(x, (0, 1)), rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    size=st.integers(1, 5),
    overlap=st.integers(0, 7),
)
def test_patch_folds_each_series_alone(lengths, size, overlap):
    x, n = series_batch(lengths, 2)
    layer = Patch(size, overlap)
    folded = keras.ops.convert_to_numpy(layer(x, lengths=n))
    patches = keras.ops.convert_to_numpy(layer.patched_lengths(n))
    for i, length in enumerate(lengths):
        filled = np.zeros((patches[i] * size + overlap, 2), np.float32)
        filled[overlap // 2 : overlap // 2 + length] = x[i, :length]
        for k in range(patches[i]):
            part = filled[k * size : (k + 1) * size + overlap]
            np.testing.assert_array_equal(folded[i, k], part.reshape(-1))
        assert overlap or not folded[i, patches[i] :].any()


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
        Patch(2, 3),
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
    with pytest.raises(ValueError, match="overlap must be at least 0; got -1"):
        Patch(2, -1)


MASKED = [
    lambda: [GatedRNN(3)],
    lambda: [GatedRNN(3, "gru", return_sequences=True), SequencePooling("mean_max")],
    lambda: [Bidirectional(3, return_sequences=True), SequencePooling("last", bidirectional=True)],
    lambda: [Standardize(), Patch(2), GatedRNN(3, return_sequences=True), AttentionPooling()],
    lambda: [Patch(3), Bidirectional(2, return_sequences=True), Unstandardize(), GatedRNN(2)],
]


def after_a_mask(layers, x):
    h = keras.layers.Masking(-7.0)(x)
    for layer in layers:
        h = layer(h)
    return keras.ops.convert_to_numpy(h)


def after_lengths(layers, x, lengths):
    h = x
    for layer in layers:
        h = (
            layer(h)
            if isinstance(layer, Standardize | Unstandardize)
            else layer(h, lengths=lengths)
        )
        lengths = layer.patched_lengths(lengths) if isinstance(layer, Patch) else lengths
    return keras.ops.convert_to_numpy(h)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("layers", MASKED)
def test_a_mask_says_what_lengths_say_whatever_the_padding(layers):
    x, n = series_batch([5, 1, 4], 2, junk=-7.0)
    layers = layers()
    answers = [after_a_mask(layers, x)]
    wider = np.concatenate([x, np.full((3, 4, 2), -7.0, np.float32)], axis=1)
    answers.append(after_a_mask(layers, wider))
    answers += [after_lengths(layers, part, n) for part in (x, wider)]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], rtol=1e-5, atol=1e-6)
    alone = after_lengths(layers, x[2:, :4], n[2:])
    np.testing.assert_allclose(answers[0][2:], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_mask_arrives_beside_initial_states():
    x, n = series_batch([5, 2], 2, junk=-7.0)
    layer, state = GatedRNN(3), [np.ones((2, 3), np.float32)] * 2
    masked = layer(keras.layers.Masking(-7.0)(x), initial_state=state)
    np.testing.assert_allclose(masked, layer(x, lengths=n, initial_state=state), rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_an_embedding_hands_its_mask_through_a_model():
    tokens = np.array([[3, 1, 2, 4, 1, 0], [2, 2, 1, 0, 0, 0]])
    inputs = keras.Input((None,), dtype="int32")
    h = keras.layers.Embedding(5, 3, mask_zero=True)(inputs)
    h = GatedRNN(4, return_sequences=True)(Patch(2)(h))
    model = keras.Model(inputs, AttentionPooling()(h))
    np.testing.assert_allclose(model(tokens)[1:], model(tokens[1:, :3]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer", [GatedRNN(3), Bidirectional(3), Patch(2), SequencePooling("max"), AttentionPooling()]
)
def test_padding_on_the_left_is_refused(layer):
    mask = np.array([[False, True, True]])
    with pytest.raises(ValueError, match=f"{type(layer).__name__}: mask must be right-padded"):
        layer(np.ones((1, 3, 2), np.float32), mask=mask)


def test_layers_of_windows_refuse_masks():
    with pytest.raises(ValueError, match="LeftPatch: mask must be None"):
        LeftPatch(2)(keras.layers.Masking(0.0)(np.ones((1, 3, 2), np.float32)))
