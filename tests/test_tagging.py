"""Networks that answer every step: equations, loss, padding, and equality with Keras."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native import SeesModel, made, name_of, same

from seqkit import training
from seqkit.builders import build_tagger
from seqkit.network.architecture import Architecture
from seqkit.network.document import as_document, network_of
from seqkit.network.keras.weights import variables_of
from seqkit.network.losses import Objective, hits, loss_of
from seqkit.network.native import NativeNetwork
from seqkit.network.tagging import tagger
from seqkit.training import ArraySource

CASES = [
    {},
    {"variable_length": True, "bidirectional": True},
    {"cell": "lstm", "units": [4, 4], "residual": True, "variable_length": True},
    {"units": [4, 3], "dense": (5,), "bidirectional": True, "multilabel": True},
    {"multilabel": True, "variable_length": True, "scale": "none", "cell": "nig"},
    {"n_tokens": 6, "n_features": None},
    {"n_tokens": 6, "n_features": None, "variable_length": True, "bidirectional": True},
    {"n_tokens": 5, "n_features": None, "embedding": 3, "multilabel": True, "units": [3, 2]},
]
N, T = 6, 9


def architecture(**changed):
    sizes = {"n_timesteps": None, "n_features": 2, "n_classes": 3}
    plain = {"cell": "gru", "units": 5, "bidirectional": False, "dropout": 0.0}
    return Architecture("tagger", {**sizes, **plain, **changed})


def objective_of(made_of):
    many = made_of.settings.get("multilabel")
    return Objective("binary_crossentropy" if many else "crossentropy", steps=True)


def examples(made_of, n=N, seed=0):
    """Series with classes or labels a step, and a weight for each step."""
    rng, s = np.random.default_rng(seed), made_of.settings
    if "n_tokens" in s:
        x = rng.integers(0, s["n_tokens"], (n, T)).astype(np.int32)
    else:
        x = rng.normal(size=(n, T, s["n_features"])).astype(np.float32)
    lengths = rng.integers(1, T + 1, n).astype(np.int32)
    y = rng.integers(0, s["n_classes"], (n, T)).astype(np.int32)
    if s.get("multilabel"):
        y = rng.integers(0, 2, (n, T, s["n_classes"])).astype(np.float32)
    if s.get("variable_length"):
        y[np.arange(T) >= lengths[:, None]] = -1
        return {"x": x, "lengths": lengths}, y, rng.uniform(0.5, 2, (n, T)).astype(np.float32)
    return x, y, rng.uniform(0.5, 2, (n, T)).astype(np.float32)


@pytest.mark.parametrize("case", CASES, ids=name_of)
@pytest.mark.parametrize("weights", ["none", "series", "steps"])
def test_a_tagger_is_the_keras_model(case, weights):
    """In answers, loss, accuracy and every gradient."""
    own = architecture(**case)
    network, model = made(own)
    inputs, y, weight = examples(own)
    weight = {"none": None, "series": weight[:, 0], "steps": weight}[weights]
    np.testing.assert_allclose(
        network.predict(inputs), model.predict(inputs, verbose=0), rtol=2e-4, atol=2e-5
    )
    view = keras.Model(model.inputs, model.get_layer("logits").output)
    loss_object, (accuracy,) = objective_of(own).of_keras()
    with tf.GradientTape() as tape:
        answer = view(inputs, training=True)
        loss = loss_object(y, answer, sample_weight=weight)
    weighed = [v for v in variables_of(own, model) if v.trainable]
    expected = tape.gradient(loss, [v.value for v in weighed])
    logits = network.forward(inputs, training=True)
    value, d = loss_of(objective_of(own), y, logits, weight)
    network.backward(d)
    assert value == pytest.approx(float(loss), rel=1e-4)
    found = network.weights.cut(network.weights.gradient)
    for v, a, b in some(zip(weighed, found, expected, strict=True)):
        b = tf.convert_to_tensor(b).numpy()
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5, err_msg=v.path)
    accuracy.update_state(y, answer, weight)
    right, of = hits(objective_of(own), y, logits, weight)
    assert right / of == pytest.approx(float(accuracy.result()), rel=1e-5)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_loss_is_the_mean_over_the_valid_steps(case):
    own = architecture(**case)
    network, _ = made(own)
    inputs, y, weight = examples(own)
    logits = network.forward(inputs, training=False)
    losses = []
    for i in range(N):
        for t in range(inputs["lengths"][i] if isinstance(inputs, dict) else T):
            p = logits[i, t].astype(float)
            if y.ndim == 2:
                value = np.log(np.exp(p).sum()) - p[y[i, t]]
            else:
                yes = 1 / (1 + np.exp(-p))
                value = -np.log(np.where(y[i, t] == 1, yes, 1 - yes)).sum()
            losses.append(weight[i, t] * value)
    found = loss_of(objective_of(own), y, logits, weight)[0]
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(case=st.sampled_from([c for c in CASES if "variable_length" in c]), more=st.integers(1, 7),
       junk=st.integers(0, 4))  # fmt: skip
def test_padding_counts_for_nothing(case, more, junk):
    """Whatever stands there, and however much of it: in answers, loss and gradients."""
    own = architecture(**case)
    network = NativeNetwork(own.network)
    network.weights.load(own.network.initial_weights(0))
    inputs, y, weight = examples(own)
    valid = np.arange(T) < inputs["lengths"][:, None]
    x = inputs["x"].copy()
    x[~valid] = junk

    def padded(values, fill):
        return np.pad(
            values, [(0, 0), (0, more), *[(0, 0)] * (values.ndim - 2)], constant_values=fill
        )

    results = []
    for given_x, given_y, given_weight in (
        (inputs["x"], y, weight),
        (padded(x, junk), padded(y, -1), padded(weight, 3)),
    ):
        batch = {"x": given_x, "lengths": inputs["lengths"]}
        answers = network.predict(batch)[:, :T][valid]
        loss, d = loss_of(
            objective_of(own), given_y, network.forward(batch, training=True), given_weight
        )
        network.backward(d)
        results.append((answers, loss, network.weights.gradient.copy()))
    same(*results, 1e-5)


def test_a_step_is_answered_from_those_before_it():
    inputs, _, _ = examples(architecture())
    for both in (False, True):
        network, _ = made(architecture(bidirectional=both))
        before = network.predict(inputs)
        changed = inputs.copy()
        changed[:, 5] += 1
        after = network.predict(changed)
        assert np.array_equal(before[:, :5], after[:, :5]) is not both
        assert not np.allclose(before[:, 5:], after[:, 5:])


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_tagger_goes_through_json_and_starts_as_in_keras(case):
    own = architecture(**case, recurrent_dropout=0.1, **{"dropout": 0.2})
    network = own.network
    assert network_of(json.loads(json.dumps(as_document(network)))) == network
    model = own()
    assert [w.path for w in network.weights] == [v.path for v in model.weights]
    expected = training.initial_weights(model, 5)
    for w, a, b in some(zip(network.weights, network.initial_weights(5), expected, strict=True)):
        if w.name != "embeddings":  # which Keras draws by itself
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", [CASES[1], CASES[3], CASES[6]], ids=name_of)
def test_a_tagger_trains_as_keras_does(case):
    own = architecture(**case)
    inputs, y, weight = examples(own, n=40)
    held = ArraySource(*examples(own, n=12, seed=1))
    source = ArraySource(inputs, y, weight)
    loop = {"epochs": 4, "batch_size": 16, "patience": 0, "learning_rate": 0.01, "seed": 3}
    native, other = (
        training.fit(
            own, source, validation=held, key=own.key, loss=objective_of(own), output="logits",
            callbacks=callbacks, **loop,
        )
        for callbacks in ([], [SeesModel()])
    )  # fmt: skip
    assert native.trainer == "native" != other.trainer
    same(native.weights, other.weights)
    assert set(native.history) >= {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name, values in native.history.items():
        assert values == pytest.approx(other.history[name], rel=1e-3), name


def test_a_keras_user_fits_by_hand(tmp_path):
    x, y, _ = examples(architecture(), n=32)
    y = (x[..., 0].cumsum(1) > 0).astype(int)
    y[:4, 5:] = -1
    model = build_tagger(None, 2, 2, units=8)
    loss, metrics = Objective("crossentropy", steps=True).of_keras()
    view = keras.Model(model.inputs, model.get_layer("logits").output)
    view.compile("adam", loss, metrics=metrics)
    history = view.fit(x, y, epochs=2, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_classes": 1}, "n_classes must be at least 2; got 1"),
        ({"n_classes": 0, "multilabel": True}, "n_classes must be at least 1; got 0"),
        ({"n_tokens": 4}, "n_features must be given, or n_tokens"),
        ({"n_features": None}, "n_features must be given, or n_tokens"),
        ({"embedding": 4}, "embedding must be left out where series are of numbers; got 4"),
        ({"n_features": None, "n_tokens": 4, "scale": "robust"}, "scale must be left out"),
        ({"n_features": None, "n_tokens": 0}, "n_tokens must be at least 1; got 0"),
        ({"n_features": None, "n_tokens": 3, "embedding": 0}, "embedding must be at least 1"),
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"scale": "std"}, "scale must be one of none"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"units": [4, 8], "residual": True}, "equal in all layers"),
        ({"max_timesteps": 9}, "max_timesteps must be left out"),
        ({"bias_initializer": "chrono"}, "max_timesteps must be given"),
    ],
)
def test_wrong_settings_say_what_is_allowed(wrong, message):
    with pytest.raises(ValueError, match=message):
        tagger(**{"n_timesteps": None, "n_features": 2, "n_classes": 3, **wrong})


def test_there_is_nothing_that_folds_steps():
    with pytest.raises(TypeError, match="unexpected keyword argument 'patch'"):
        tagger(9, 2, 3, patch=2)
