"""Convolutions before and beside recurrent layers, and normalisation within a network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native import classifier as described
from test_native import same, same_bits, series_source, trained

from seqkit import SequenceClassifier, layers, read_recipe
from seqkit.auto_networks import network_for, work_of
from seqkit.convolutions import convolutions_of, multiplications, steps_after
from seqkit.network.architecture import Architecture
from seqkit.network.layers import convolution, normalization
from seqkit.network.layers.base import Saved
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY
from seqkit.network.series import classifier

STEMMED = {
    "cell": "gru", "units": [5, 4], "bidirectional": True, "dropout": 0.0, "moves": (),
    "stem": {"filters": [4, 6], "kernel_size": [5, 4], "stride": [2, 1]},
    "branch": {"filters": [5, 3], "kernel_size": [4, 3]}, "normalize": "series",
    "layer_norm": True,
}  # fmt: skip


def native(network, seed=0):
    made = NativeNetwork(network)
    made.weights.load(network.initial_weights(seed))
    return made


def convolved(x, kernel, bias, stride):
    """Transcription: y_t = b + sum over k of x_{t s + k - (K - 1) // 2} W_k, of one series."""
    size, steps = len(kernel), len(x)
    out = np.tile(bias.astype(float), (-(-steps // stride), 1))
    for t in range(len(out)):
        for k in range(size):
            at = t * stride + k - (size - 1) // 2
            if 0 <= at < steps:
                out[t] += x[at].astype(float) @ kernel[k]
    return out


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=4),
    features=st.integers(1, 5),
    filters=st.sampled_from([1, 3, 32, 33]),
    size=st.integers(1, 9),
    stride=st.integers(1, 4),
)
def test_a_convolution_is_its_equation_on_each_series_alone(
    lengths, features, filters, size, stride
):
    rng = np.random.default_rng(0)
    x = np.full((len(lengths), max(lengths), features), np.nan, np.float32)
    for row, n in enumerate(lengths):
        x[row, :n] = rng.normal(size=(n, features))
    layer = convolution.Convolution(filters, size, stride)
    p = {w.name: w.initial(w.shape, 1) for w in layer.parameters(x.shape[1:])}
    p["bias"] = rng.normal(size=filters).astype(np.float32)
    out, counts = layer.forward(NUMPY, p, Saved(), x, np.array(lengths, np.int32))
    assert out.shape[1:] == layer.shape(x.shape[1:])[0]
    for row, n in enumerate(lengths):
        expected = convolved(x[row, :n], p["kernel"], p["bias"], stride)
        assert counts[row] == len(expected)
        np.testing.assert_allclose(out[row, : len(expected)], expected, rtol=1e-4, atol=1e-4)
    face = layers.Convolution(filters, size, stride)
    face.build(x.shape)
    face.set_weights([p["kernel"], p["bias"]])
    there = np.asarray(face(x, lengths=np.array(lengths)))
    for row, n in enumerate(counts):
        np.testing.assert_allclose(there[row, :n], out[row, :n], rtol=1e-4, atol=1e-4)


def normalized(lengths, training, activation="linear", steps=3):
    """Return what comes out of a batch after some steps, natively and of the Keras layer."""
    rng = np.random.default_rng(2)
    layer = normalization.BatchNormalization(activation)
    face = layers.BatchNormalization(activation)
    p = {"gamma": rng.normal(size=3), "beta": rng.normal(size=3)}
    p |= {"moving_mean": np.zeros(3), "moving_variance": np.ones(3)}
    p = {name: value.astype(np.float32) for name, value in p.items()}
    face.build((None, None, 3))
    face.set_weights(list(p.values()))
    batches = rng.normal(2, 3, size=(steps, 4, 6, 3)).astype(np.float32)
    mask = (lambda *_: None) if training else None
    given = [] if lengths is None else [lengths]
    for x in batches:
        out = layer.forward(NUMPY, p, Saved(mask), x, *given)
        there = np.asarray(face(x, *given, training=training))
    return batches, p, out, there, [np.asarray(w) for w in face.weights[2:]]


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("lengths", [None, np.array([6, 1, 3, 5], np.int32)])
def test_batch_normalization_is_that_of_its_keras_layer(lengths, training, activation):
    _, p, out, there, averages = normalized(lengths, training, activation)
    np.testing.assert_allclose(out, there, atol=2e-5)
    np.testing.assert_allclose(p["moving_mean"], averages[0], rtol=1e-5)
    np.testing.assert_allclose(p["moving_variance"], averages[1], rtol=1e-5)


def test_batch_normalization_is_that_of_keras():
    batches, _, out, _, averages = normalized(None, True)
    own = keras.layers.BatchNormalization(momentum=0.9)
    own.build((None, None, 3))
    rng = np.random.default_rng(2)
    own.gamma.assign(rng.normal(size=3))
    own.beta.assign(rng.normal(size=3))
    for x in batches:
        expected = own(x, training=True)
    np.testing.assert_allclose(out, expected, atol=2e-5)
    np.testing.assert_allclose(averages[0], own.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(averages[1], own.moving_variance, rtol=1e-5)


def test_padding_has_no_part_in_the_statistics():
    """Algorithm 1 of Ioffe and Szegedy over the steps that there are, whatever fills the rest."""
    lengths = np.array([6, 1, 3, 5], np.int32)
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, size=(4, 6, 3)).astype(np.float32)
    there = np.arange(6)[None, :] < lengths[:, None]
    mean, variance = x[there].mean(0), x[there].var(0)
    x[~there] = 1e20
    layer = normalization.BatchNormalization()
    p = {w.name: w.initial(w.shape, 0) for w in layer.parameters((6, 3))}
    out = layer.forward(NUMPY, p, Saved(lambda *_: None), x, lengths)
    expected = (x[there] - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(out[there], expected, atol=1e-5)
    assert not out[~there].any()
    np.testing.assert_allclose(p["moving_mean"], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(p["moving_variance"], 0.9 + 0.1 * variance, rtol=1e-4)


def test_layer_normalization_is_that_of_keras():
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    layer = normalization.LayerNormalization()
    p = {w.name: w.initial(w.shape, 0) + 0.5 for w in layer.parameters((5, 4))}
    own = keras.layers.LayerNormalization(epsilon=1e-3)
    own.build(x.shape)
    own.set_weights([p["gamma"], p["beta"]])
    np.testing.assert_allclose(layer.forward(NUMPY, p, Saved(), x), own(x), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(level=st.floats(-50, 50), spread=st.floats(0.1, 20), n=st.integers(2, 9))
def test_a_series_normalized_by_itself_has_no_level_and_no_spread(level, spread, n):
    x = np.random.default_rng(n).normal(size=(2, 9, 3)).astype(np.float32)
    lengths = np.array([9, n], np.int32)
    layer = normalization.NormalizeSeries()
    out = layer.forward(NUMPY, {}, Saved(), x, lengths)
    moved = layer.forward(NUMPY, {}, Saved(), (x * spread + level).astype(np.float32), lengths)
    np.testing.assert_allclose(moved, out, atol=5e-3)
    np.testing.assert_allclose(out[1, :n].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(out[1, :n].std(0), 1, atol=1e-2)
    assert not out[1, n:].any()


@pytest.mark.parametrize("changed", [{}, {"stem": None}, {"branch": None}, {"pyramid": 2}])
def test_padding_does_not_count(changed):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 11, 2)).astype(np.float32)
    lengths = np.array([11, 7, 2, 1], np.int32)
    made = classifier(None, 2, 3, variable_length=True, **{**STEMMED, "patch": 2, **changed})
    network = native(made)
    answer = network.predict({"x": x, "lengths": lengths})
    more = np.concatenate([x, np.full((4, 8, 2), np.nan, np.float32)], axis=1)
    more[1, 7:], more[2, 2:], more[3, 1:] = 1e30, np.nan, -1e30
    np.testing.assert_allclose(network.predict({"x": more, "lengths": lengths}), answer, atol=1e-6)
    for row, n in enumerate(lengths):
        alone = {"x": x[row : row + 1, :n], "lengths": lengths[row : row + 1]}
        np.testing.assert_allclose(network.predict(alone), answer[row : row + 1], atol=1e-5)


SMALL = {
    "patch": 1, "units": [4, 4], "dropout": 0.0,
    "stem": {"filters": [5, 4], "kernel_size": 3, "stride": [2, 1]},
    "branch": {"filters": 3, "layers": 2}, "layer_norm": True,
}  # fmt: skip


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_fit_is_that_of_keras_and_goes_on_in_either(optimizer):
    architecture, source = described(**SMALL), series_source()
    held = series_source(20, 1)
    ways = {"optimizer": optimizer, "validation": held}
    theirs = trained(architecture, source, False, **ways)
    own = trained(architecture, source, True, **ways)
    same(own.weights, theirs.weights, 2e-3)
    assert own.history["val_loss"] == pytest.approx(theirs.history["val_loss"], rel=5e-3)
    states = []
    trained(
        architecture, source, False, **ways,
        on_epoch=lambda epoch, logs, state: states.append(state()),
    )  # fmt: skip
    found = trained(architecture, source, True, **ways, resume=states[1])
    same(found.weights, theirs.weights, 2e-3)


def test_a_fit_that_is_resumed_has_the_averages_of_the_one_that_was_not():
    architecture, source = described(**{**SMALL, "input_dropout": 0.2}), series_source()
    held = series_source(12, 9)
    ways = {"epochs": 6, "patience": 2, "validation": held, "learning_rate": 0.05}
    whole = trained(architecture, source, True, **ways)
    states = []
    trained(
        architecture, source, True, **ways,
        on_epoch=lambda epoch, logs, state: states.append(state()),
    )  # fmt: skip
    same_bits(trained(architecture, source, True, **ways, resume=states[1]).weights, whole.weights)
    # the best weights are those of an epoch, averages too
    best = NativeNetwork(architecture.network)
    best.weights.load(whole.weights)
    x, y, _ = held.take(np.arange(12))
    probability = np.exp(best.forward(x, training=False).astype(float))
    probability /= probability.sum(1, keepdims=True)
    weight = held.take(np.arange(12))[2]
    loss = -(weight * np.log(probability[np.arange(12), y])).mean()
    assert loss == pytest.approx(min(whole.history["val_loss"]), rel=1e-3)


def test_a_model_of_keras_comes_back_from_its_file(tmp_path):
    x = np.random.default_rng(1).normal(size=(5, 11, 2)).astype(np.float32)
    sizes = {"n_timesteps": 11, "n_features": 2, "n_classes": 3, **STEMMED}
    made = Architecture("classifier", {**sizes, "patch": 1})
    weights = made.network.initial_weights(3)
    model = made.keras_model(weights)
    network = native(made.network, 3)
    np.testing.assert_allclose(model(x), network.predict(x), atol=1e-5)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(again(x), model(x))


def series(n=24, steps=30):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    at = rng.integers(0, steps - 6, n)
    X = 0.3 * rng.normal(size=(n, steps, 1))
    for row, begin in enumerate(at):  # a bump, or a dip, somewhere
        X[row, begin : begin + 6, 0] += np.hanning(6) * (3 if y[row] else -3)
    return X, y


def test_networks_of_an_ensemble_have_stems_of_their_own(tmp_path):
    X, y = series()
    stems = [{"filters": 4, "stride": 2, "layers": 2, "kernel_size": 5}, None]
    model = SequenceClassifier(
        stem=stems, branch=[None, {"filters": 4, "layers": 1}], units=4, epochs=15, random_state=0
    ).fit(X, y)
    assert model.auto_["ensemble"] == 2
    assert model.auto_["patch"] == 1
    first, second = (member.network for member in model._build(False).members)
    assert [n.name for n in first.nodes if "stem" in n.name][:1] == ["stem_1"]
    assert any(n.name == "branch_1" for n in second.nodes)
    assert not any("stem" in n.name for n in second.nodes)
    assert model.score(X, y) > 0.9
    model.save(tmp_path / "run")
    again = SequenceClassifier.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@settings(max_examples=50, deadline=None)
@given(
    layers=st.integers(1, 5),
    strides=st.integers(1, 3),
    steps=st.integers(1, 300),
    filters=st.integers(1, 9),
)
def test_rows_say_what_a_map_says(layers, strides, steps, filters):
    given = {"layers": layers, "stride": [strides] * layers, "filters": filters, "kernel_size": 3}
    rows = convolutions_of("test", "stem", given)
    assert rows == ((filters, 3, strides),) * layers
    left, products = steps, 0
    for k in range(layers):
        left = -(-left // strides)
        products += left * 3 * filters * (filters if k else 2)
    assert steps_after(steps, rows) == left
    assert multiplications(steps, 2, rows) == products


def test_what_is_said_by_name_is_what_was_published():
    assert [row[:2] for row in convolutions_of("", "branch", "fcn")] == [
        (128, 8), (256, 5), (128, 3),
    ]  # fmt: skip
    assert len(convolutions_of("", "stem", {})) == 3
    assert len(convolutions_of("", "stem", {"layers": 5})) == 5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"filter": 3}, "did you mean 'filters'"),
        ({"filters": [3, 4], "layers": 3}, "one number, or a list of 3"),
        ({"stride": 0}, "stem: stride must be a positive integer or a list of them; got 0"),
        ({"layers": 40}, "at most 32"),
        ({"pooling": "men"}, "stem: pooling must be one of none, mean, max.*did you mean 'mean'"),
        ("fcn", "None or a map of filters, kernel_size, stride, layers"),
    ],
)
def test_maps_that_are_none_say_why(given, words):
    with pytest.raises(ValueError, match=words):
        classifier(20, 1, 2, stem=given)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"stem": {"filter": 3}}, "'filter' is no option of stem; did you mean 'filters'"),
        ({"stem": {"filters": "wide"}}, "model.stem.filters must be a positive integer"),
        ({"branch": {"pooling": "none"}}, "branch.pooling must be one of mean, max or mean_max"),
        ({"branch": "fnc"}, "Did you mean 'fcn'"),
        ({"branch": {"filters": [3, 4], "layers": 3}}, "lists have the same length"),
        ({"normalize": "standard"}, "none or series"),
        ({"layer_norm": True, "units": 8}, "layer_norm must be false for a single layer"),
    ],
)
def test_a_recipe_refuses_it_before_it_reads_data(model, words):
    from seqkit.errors import RecipeError

    recipe = {"task": "classification", "data": {"dataset": "gunpoint"}, "model": model}
    with pytest.raises(RecipeError, match=words):
        read_recipe(recipe)


@pytest.mark.parametrize("pooling", ["mean", "max", "mean_max"])
def test_the_head_reads_the_pooled_steps_of_a_stem_beside_the_recurrent_layers(pooling):
    stem = {"filters": 5, "kernel_size": [4, 3], "stride": [2, 1], "pooling": pooling}
    network = classifier(
        None, 2, 3, variable_length=True, units=4, dropout=0.0, scale="none", stem=stem,
        bidirectional=True, pooling="mean", patch=1,
    )  # fmt: skip
    made, weights = NativeNetwork(network), network.initial_weights(1)
    named = {w.path: value for w, value in zip(network.weights, weights, strict=True)}
    head = named["logits/kernel"]
    assert head.shape == (8 + 5 * (1 + (pooling == "mean_max")), 3)
    head[:8] = 0  # what the recurrent layers say counts for nothing
    made.weights.load(weights)
    x = np.random.default_rng(0).normal(size=(3, 30, 2)).astype(np.float32)
    lengths = np.array([30, 11, 4], np.int32)
    answer = made.predict({"x": x, "lengths": lengths})
    for row, n in enumerate(lengths):
        steps = x[row, :n]
        for k, stride in ((1, 2), (2, 1)):  # averages of a network that saw nothing: 0 and 1
            steps = convolved(
                steps, named[f"stem_{k}/kernel"], named[f"stem_{k}/bias"], stride
            ) / np.sqrt(1 + 1e-3)
            steps = np.maximum(steps, 0)
        parts = {"mean": [steps.mean(0)], "max": [steps.max(0)]}
        parts["mean_max"] = parts["mean"] + parts["max"]
        logits = np.concatenate(parts[pooling]) @ head[8:] + named["logits/bias"]
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(answer[row], expected, atol=1e-5)
    bare = classifier(20, 1, 2, stem={"pooling": "none"})
    assert "stem_pooling" not in {node.name for node in bare.nodes}


def test_a_fit_that_goes_on_has_the_stem_of_the_one_before():
    rng = np.random.default_rng(0)
    short, long = (
        [rng.normal(size=(n, 1)) for n in rng.integers(low, low + 9, 12)] for low in (30, 300)
    )
    y = np.arange(12) % 2
    model = SequenceClassifier(random_state=0, epochs=1, ensemble=1)
    model.partial_fit(short, y, classes=[0, 1])
    before = model.auto_["stem"]
    model.partial_fit(long, y)
    assert model.auto_["stem"] == before


def test_one_layer_has_nothing_to_normalize():
    with pytest.raises(ValueError, match="layer_norm must be False with a single recurrent layer"):
        classifier(20, 1, 2, units=8, layer_norm=True)


def test_a_stem_is_counted_as_work_and_leaves_no_patches():
    given = {"stem": {"stride": [2, 2, 1]}}
    network = network_for(200, given)
    assert (network["patch"], network["overlap"], network["pyramid"]) == (1, 0, 1)
    bare = network_for(50, {"patch": 1, "units": network["units"]})
    rows = convolutions_of("", "stem", given["stem"])
    assert work_of(200, network) > work_of(50, bare)
    assert multiplications(200, 1, rows) == 100 * 9 * 32 + 50 * 7 * 32 * 64 + 50 * 5 * 64**2


def test_a_deep_stack_learns():
    """Eight layers, the depth of GNMT (Wu et al. 2016), with residual sums past the norms."""
    X, y = series(40)
    model = SequenceClassifier(
        units=[8] * 8, residual=True, layer_norm=True, patch=3, epochs=30, ensemble=1,
        random_state=0, learning_rate=5e-3,
    ).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.95
