"""Native networks: equal to the Keras models of the same settings, there, back and trained."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, training
from seqkit.cells import CELLS
from seqkit.data.embedded import load
from seqkit.network.architecture import Architecture
from seqkit.network.graph import DROPOUT
from seqkit.network.keras.weights import variables_of
from seqkit.network.losses import Objective, loss_of
from seqkit.network.native import NativeNetwork
from seqkit.training import ArraySource, StreamSource
from seqkit.training.optimizers import UPDATE_RULES

SERIES = {
    "cell": "lstm",
    "units": 5,
    "bidirectional": False,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "residual": False,
    "pooling": "last",
    "patch": 1,
    "dense": (),
    "scale": "standard",
}
WINDOW = {
    "context_length": 13,
    "horizon": 4,
    "n_targets": 1,
    "n_past": 0,
    "n_future": 0,
    "n_static": 0,
    "static_categories": (),
    "variable_length": False,
    "target_inputs": True,
    "season": 1,
    "quantiles": None,
    "distribution": None,
    "decoder": "direct",
    "normalize": "standard",
    "departure_from": "none",
    "channels": "joint",
    **{name: value for name, value in SERIES.items() if name != "pooling"},
    "cell": "gru",
    "patch": 3,
}
POOLINGS = ("last", "mean", "max", "mean_max", "attention")


def classifier(variable_length=False, n_features=2, n_classes=3, **changed):
    sizes = {"n_timesteps": None, "n_features": n_features, "n_classes": n_classes}
    whole = {**sizes, "variable_length": variable_length, **SERIES, **changed}
    return Architecture("classifier", whole)


def regressor(variable_length=False, **changed):
    sizes = {"n_timesteps": None, "n_features": 2, "n_targets": 2}
    whole = {**sizes, "variable_length": variable_length, **SERIES, **changed}
    return Architecture("regressor", whole)


def forecaster(**changed):
    return Architecture("forecaster", {**WINDOW, **changed})


SERIES_CASES = [
    *({"cell": name} for name in CELLS),
    *({"cell": name, "variable_length": True, "bidirectional": True} for name in CELLS),
    *({"pooling": p, "variable_length": v} for p in POOLINGS for v in (False, True)),
    *({"pooling": p, "bidirectional": True, "variable_length": True} for p in POOLINGS),
    {"units": [5, 4], "dense": (6, 3), "cell": "gru"},
    {"units": [5, 5, 5], "residual": True, "variable_length": True},
    {"units": [4, 4], "residual": True, "bidirectional": True, "pooling": "mean"},
    {"patch": 3, "variable_length": True, "units": [3, 2], "bidirectional": True},
    {"patch": 3, "variable_length": True, "units": [3, 2], "pyramid": 2, "overlap": 3},
    {"patch": 1, "units": [3, 4, 2], "pyramid": 3, "overlap": 1, "pooling": "mean_max"},
    {"patch": 4, "scale": "none"},
    {"stem": {"filters": [5, 4], "kernel_size": [3, 4], "stride": [2, 1]}, "patch": 1},
    {"stem": {"filters": 3, "kernel_size": 5, "stride": 2}, "patch": 2, "variable_length": True},
    {"branch": {"filters": [4, 3], "kernel_size": [4, 3]}, "variable_length": True},
    {"branch": {"filters": 4, "layers": 1}, "stem": {"filters": 4, "layers": 1}, "dense": (5,)},
    {"normalize": "series", "variable_length": True, "bidirectional": True},
    {"normalize": "series", "layer_norm": True, "units": [4, 4, 4], "residual": True},
    {"layer_norm": True, "units": [4, 3], "pyramid": 2, "variable_length": True},
]
WINDOW_CASES = [
    {},
    {"quantiles": (0.5,)},
    {"quantiles": (0.1, 0.5, 0.9), "n_targets": 2},
    {"quantiles": (0.1, 0.2, 0.7, 0.9), "departure_from": "last"},
    {"n_targets": 3, "channels": "independent", "n_past": 2, "units": [4, 3]},
    {"n_targets": 3, "channels": "independent", "quantiles": (0.3, 0.6), "bidirectional": True},
    {"n_targets": 2, "n_past": 1, "normalize": "last", "dense": (5,)},
    {"normalize": "none", "patch": 1},
    {"departure_from": "seasonal_naive", "season": 6, "patch": None},
    {"departure_from": "seasonal_naive", "season": 5, "variable_length": True, "n_targets": 2,
     "channels": "independent", "n_past": 1},
    {"variable_length": True, "departure_from": "last", "units": [4, 4], "residual": True},
    {"target_inputs": False, "normalize": "none", "n_past": 3},
    {"scale": "none", "n_past": 1, "cell": "lstm"},
]  # fmt: skip


COVARIATES = {"n_past": 1, "n_future": 2, "n_static": 2, "static_categories": (3, 5)}
DECODED_CASES = [
    {"decoder": decoder, **case}
    for decoder in ("direct", "recursive", "segment")
    for case in (
        {"units": [5, 4], "n_targets": 2},
        {"horizon": 7, "variable_length": True, "quantiles": (0.1, 0.5, 0.9), "n_targets": 2},
        {"departure_from": "seasonal_naive", "season": 6, "cell": "lstm", "distribution": "normal"},
        {"cell": "fgr", "units": [3, 3], "distribution": "student_t", "variable_length": True},
        {**COVARIATES, "variable_length": True},
        {**COVARIATES, "n_targets": 3, "channels": "independent", "departure_from": "last",
         "quantiles": (0.3, 0.6), "units": [6, 4]},
        {**COVARIATES, "scale": "none", "distribution": "student_t"},
    )
] + [
    {"decoder": decoder, "distribution": distribution, **case}
    for decoder in ("direct", "segment")
    for distribution in ("negative_binomial", "poisson")
    for case in ({"variable_length": True}, {"n_targets": 2, "channels": "independent"})
]  # fmt: skip


def name_of(case):
    return ",".join(f"{k}={v}" for k, v in case.items()) or "default"


def made(architecture, seed=0):
    """The network and the Keras model of an architecture, of the same random weights."""
    assert training.not_native(architecture) == ""
    network, rng = NativeNetwork(architecture.network), np.random.default_rng(seed)
    weights = []
    for w in architecture.network.weights:
        value = rng.normal(size=w.shape).astype("float32") * 0.5
        spread = w.path.endswith(("scale", "variance"))
        weights.append(np.abs(value) + 0.5 if spread else value)
    network.weights.load(weights)
    return network, architecture.keras_model(weights)


def examples(architecture, n=7, n_steps=11, seed=1):
    rng = np.random.default_rng(seed)
    s = architecture.settings
    if "horizon" not in s:
        x = rng.normal(size=(n, n_steps, s["n_features"])).astype("float32")
        if not s["variable_length"]:
            return x
        lengths = rng.integers(s["patch"], n_steps + 1, n).astype("int32")
        return {"x": x, "lengths": lengths}
    given = {}
    for i in architecture.network.inputs:
        if i.name == "lengths":
            given[i.name] = rng.integers(1, s["context_length"] + 1, n).astype("int32")
        elif i.dtype == "int32":
            given[i.name] = rng.integers(0, np.array(s["static_categories"]) + 1, (n, *i.shape))
            given[i.name] = given[i.name].astype("int32")
        else:
            given[i.name] = rng.normal(size=(n, *i.shape)).astype("float32") * 3 + 5
    if s["distribution"] in ("poisson", "negative_binomial"):
        given["x"] = np.abs(given["x"]).round()
    return given


def objective_of(architecture):
    if "n_classes" in architecture.settings:
        return Objective("crossentropy"), "logits"
    if "horizon" not in architecture.settings:
        return Objective("number", "huber"), "standardized"
    levels = architecture.settings["quantiles"]
    head = architecture.settings["distribution"] or ("point" if levels is None else "quantiles")
    return Objective("forecast", "mse", head, tuple(levels or ())), "normalized"


def targets(architecture, n, seed=2):
    rng, s = np.random.default_rng(seed), architecture.settings
    weight = rng.uniform(0.5, 2, n).astype("float32")
    if "n_classes" in s:
        return rng.integers(s["n_classes"], size=n).astype("int32"), weight
    if "horizon" not in s:
        return rng.normal(size=(n, s["n_targets"])).astype("float32") * 2, weight
    y = rng.normal(size=(n, s["horizon"], s["n_targets"])).astype("float32")
    if s["distribution"] in ("poisson", "negative_binomial"):
        y = np.abs(y * 4).round()
    return y, (rng.uniform(size=y.shape) < 0.8).astype("float32")


def agree(architecture):
    """Answer, loss and every gradient are those of the Keras model."""
    network, model = made(architecture)
    inputs = examples(architecture)
    objective, layer = objective_of(architecture)
    y, weight = targets(architecture, 7)
    np.testing.assert_allclose(
        network.predict(inputs), model.predict(inputs, verbose=0), rtol=2e-4, atol=2e-5
    )
    view = keras.Model(model.inputs, model.get_layer(layer).output)
    loss_object, _ = objective.of_keras()
    with tf.GradientTape() as tape:
        answer = view(inputs, training=True)
        loss = loss_object(y, answer, sample_weight=weight)
    trained = [v for v in variables_of(architecture, model) if v.trainable]
    expected = tape.gradient(loss, [v.value for v in trained])
    own = network.forward(inputs, training=True)
    value, d = loss_of(objective, y, own, weight)
    network.backward(d)
    assert value == pytest.approx(float(loss), rel=1e-4)
    found = network.weights.cut(network.weights.gradient)
    for v, a, b in zip(trained, found, expected, strict=True):
        b = tf.convert_to_tensor(b).numpy()  # of an embedding, only the rows that were looked up
        size = max(1, np.abs(b).max())
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5 * size, err_msg=v.path)


@pytest.mark.parametrize("case", SERIES_CASES, ids=name_of)
def test_a_network_of_series_is_the_keras_model(case):
    agree(classifier(**case))


@pytest.mark.parametrize("case", SERIES_CASES[-7:], ids=name_of)
def test_a_network_of_numbers_is_the_keras_model(case):
    agree(regressor(**case))


@pytest.mark.parametrize("case", WINDOW_CASES, ids=name_of)
def test_a_network_of_windows_is_the_keras_model(case):
    agree(forecaster(**case))


@pytest.mark.parametrize("case", DECODED_CASES, ids=name_of)
def test_a_decoder_is_that_of_the_keras_model(case):
    agree(forecaster(**case))


@settings(max_examples=15, deadline=None)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    units=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    bidirectional=st.booleans(),
    pooling=st.sampled_from(POOLINGS),
    patch=st.integers(1, 4),
    dense=st.lists(st.integers(1, 5), max_size=2),
    variable_length=st.booleans(),
)
def test_any_network_of_series_is_the_keras_model(**case):
    agree(classifier(**case))


@pytest.mark.parametrize(
    "architecture",
    [
        *(classifier(**case, dropout=0.2, recurrent_dropout=0.1) for case in SERIES_CASES),
        *(regressor(**case) for case in SERIES_CASES[-7:]),
        *(forecaster(**case, dropout=0.3) for case in WINDOW_CASES + DECODED_CASES),
    ],
    ids=lambda a: name_of(dict(a.settings)),
)
def test_weights_have_the_paths_and_the_start_of_keras(architecture):
    described, model = architecture.network, architecture()
    own = {w.path: (w.shape, w.trainable) for w in described.weights}
    assert own == {v.path: (tuple(v.shape), v.trainable) for v in model.weights}
    # of the same order, too; else Keras has its own, by the distance from the end
    if architecture.kind != "forecaster" and not architecture.settings.get("branch"):
        assert list(own) == [v.path for v in model.weights]
        expected = training.initial_weights(model, 5)
        for w, a, b in some(
            zip(described.weights, described.initial_weights(5), expected, strict=True)
        ):
            np.testing.assert_array_equal(a, b, err_msg=w.path)
    weights = {id(v) for v in model.weights}
    assert described.n_masks == len([v for v in model.variables if id(v) not in weights])


# --- training ----------------------------------------------------------------------------------


def series_source(n=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 11, 2)).astype("float32")
    y = (x[:, :, 0].mean(1) > 0).astype("int32") + (x[:, :, 1].mean(1) > 0)
    return ArraySource(x, y.astype("int32"), rng.uniform(0.5, 1.5, n).astype("float32"))


class SeesModel(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert self.model.get_layer(index=0) is not None


def trained(architecture, source, native, **changed):
    objective, layer = objective_of(architecture)
    loop = {"epochs": 4, "batch_size": 16, "patience": 0, "learning_rate": 0.01, **changed}
    loop["callbacks"] = [] if native else [SeesModel()]
    fitted = training.fit(
        architecture, source, key=architecture.key, seed=3, loss=objective, output=layer, **loop
    )
    assert fitted.trainer == ("native" if native else "keras: SeesModel must see a keras.Model")
    return fitted


def same(a, b, tolerance=2e-4):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


OPTIONS = [
    *UPDATE_RULES,
    {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-2},
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
    {"name": "rmsprop", "momentum": 0.5, "centered": True, "rho": 0.8},
    {"name": "adam", "beta_1": 0.5, "epsilon": 1e-4, "weight_decay": 0.1},
]


@pytest.mark.parametrize("clipnorm", [None, 0.05])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_is_that_of_keras(optimizer, clipnorm, schedule):
    trains_like_keras(optimizer, clipnorm, schedule)


@pytest.mark.parametrize("optimizer", OPTIONS, ids=str)
def test_an_optimizer_is_that_of_keras(optimizer):
    trains_like_keras(optimizer, 1.0, "constant")


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ("adm", "did you mean 'adam'"),
        ({"momentum": 0.9}, "optimizer must be one of adam"),
        ({"name": "sgd", "beta_1": 0.9}, "an option of sgd must be one of momentum, nesterov"),
    ],
)
def test_optimizers_that_are_none(optimizer, words):
    with pytest.raises(ValueError, match=words):
        trained(classifier(), series_source(), True, optimizer=optimizer)


@pytest.mark.parametrize("decoder", ["direct", "recursive", "segment"])
def test_forecasters_train_as_keras_does(decoder):
    architecture = forecaster(
        decoder=decoder, n_past=1, n_future=1, n_static=1, static_categories=(2,), units=[5, 4],
        distribution="normal",
    )  # fmt: skip
    inputs = examples(architecture, n=40)
    source = ArraySource(inputs, targets(architecture, 40)[0])
    own = trained(architecture, source, True, batch_size=7)
    theirs = trained(architecture, source, False, batch_size=7)
    same(own.weights, theirs.weights, 2e-3)
    same(own.state.optimizer_variables, theirs.state.optimizer_variables, 2e-3)
    found = trained(architecture, source, True, batch_size=7, epochs=8, resume=theirs.state)
    assert len(found.history["loss"]) == 8


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_stream_trains_natively(blocks):
    whole = series_source()
    x, y, weight = whole.take(np.arange(40))
    parts = np.array_split(np.arange(40), blocks)
    source = StreamSource(
        lambda i: (x[parts[i]], y[parts[i]], weight[parts[i]]), [len(p) for p in parts]
    )
    native = trained(classifier(), source, True)
    same(native.weights, trained(classifier(), source, False).weights)
    longer = trained(classifier(), source, True, steps_per_epoch=7, epochs=2)
    assert int(longer.state.optimizer_variables[0]) == 14
    if blocks == 1:
        same_bits(native.weights, trained(classifier(), whole, True).weights)


def trains_like_keras(optimizer, clipnorm, schedule):
    architecture, source = classifier(units=[6, 4], dense=(5,)), series_source()
    ways = {"optimizer": optimizer, "clipnorm": clipnorm, "schedule": schedule}
    own = trained(architecture, source, True, validation=series_source(20, 1), **ways)
    theirs = trained(architecture, source, False, validation=series_source(20, 1), **ways)
    same(own.weights, theirs.weights)
    assert list(own.history) == list(theirs.history)
    for name, values in some(own.history.items()):
        assert values == pytest.approx(theirs.history[name], rel=1e-3), name
    same(own.state.optimizer_variables, theirs.state.optimizer_variables, 1e-3)


@pytest.mark.parametrize("steps", [None, 3])
def test_a_fit_goes_on_from_either_to_either(steps):
    architecture, source = classifier(cell="gru"), series_source()
    ways = {"steps_per_epoch": steps, "schedule": "cosine"}
    whole = trained(architecture, source, False, **ways)
    for first, second in ((True, False), (False, True), (True, True)):
        states = []
        trained(
            architecture, source, first, **ways,
            on_epoch=lambda epoch, logs, state, kept=states: kept.append(state()),
        )  # fmt: skip
        found = trained(architecture, source, second, **ways, resume=states[1])
        same(found.weights, whole.weights)
        assert found.history["loss"] == pytest.approx(whole.history["loss"], rel=1e-3)


def test_early_stopping_gives_back_the_best_weights():
    architecture, source = classifier(units=16), series_source()
    held = series_source(12, 9)
    own, graph = (
        trained(architecture, source, native, epochs=30, patience=3, validation=held,
                learning_rate=0.05)
        for native in (True, False)
    )  # fmt: skip
    assert (own.epochs_run, own.best_epoch) == (graph.epochs_run, graph.best_epoch)
    assert own.epochs_run < 30
    same(own.weights, graph.weights, 2e-3)


def test_a_fit_that_is_resumed_is_the_fit_that_was_not():
    architecture, source = classifier(dropout=0.3, recurrent_dropout=0.2, units=[4, 4]), None
    source = series_source()
    whole = trained(architecture, source, True, epochs=6)
    states = []
    trained(
        architecture, source, True, epochs=6,
        on_epoch=lambda epoch, logs, state: states.append(state()),
    )  # fmt: skip
    found = trained(architecture, source, True, epochs=6, resume=states[2])
    for a, b in some(zip(found.weights, whole.weights, strict=True)):
        np.testing.assert_array_equal(a, b)
    assert found.history == whole.history


def test_a_diverging_fit_tells_and_keeps_the_last_good_state():
    from seqkit.errors import TrainingError

    architecture, source = regressor(), None
    x = np.random.default_rng(0).normal(size=(20, 8, 2)).astype("float32")
    source = ArraySource(x, np.full((20, 2), 1e30, "float32"))
    with pytest.raises(TrainingError, match="epoch") as caught:
        training.fit(
            architecture, source, key="d", seed=0, loss=Objective("number", "mse"), epochs=3,
            patience=0, learning_rate=1e30, clipnorm=None, optimizer="sgd", output="standardized",
        )  # fmt: skip
    assert all(np.isfinite(w).all() for w in caught.value.state.weights)


# --- dropout -----------------------------------------------------------------------------------


def test_dropout_keeps_the_mean_and_differs_from_step_to_step():
    architecture, rate = classifier(dropout=0.4, recurrent_dropout=0.25, units=[4, 4]), 0.4
    weights = NativeNetwork(architecture.network).weights
    seeded(weights, 0)
    assert len(weights.seeds) == 4
    for source in some(range(4)):
        first, second = (weights.mask(source, (300, 300), rate, 0) for _ in range(2))
        assert first.mean() == pytest.approx(1, abs=0.01)
        assert set(np.unique(first)) == {0, np.float32(1 / (1 - rate))}
        assert (first == 0).mean() == pytest.approx(rate, abs=0.01)
        # independent: both dropped as often as chance has it
        both = ((first == 0) & (second == 0)).mean()
        assert both == pytest.approx(rate**2, abs=0.01)
    masks = [weights.mask(source, (50, 50), rate, 0) for source in (0, 2)]
    assert not np.array_equal(masks[0] > 0, masks[1] > 0)


def seeded(weights, seed):
    for state, value in zip(weights.seeds, weights.network.initial_seeds(seed), strict=True):
        state[...] = value


@pytest.mark.parametrize(
    "architecture",
    [
        *(classifier(dropout=0.3, recurrent_dropout=0.3, units=[5, 4], dense=(6,), bidirectional=b)
          for b in (False, True)),
        forecaster(dropout=0.3, recurrent_dropout=0.3, decoder="segment", units=[5, 4]),
        forecaster(dropout=0.3, decoder="recursive", units=[5, 4], horizon=8),
    ],
    ids=["one direction", "both", "segment", "recursive"],
)  # fmt: skip
def test_the_gradient_under_dropout_is_that_of_the_same_masks(architecture):
    network, _ = made(architecture)
    inputs, (y, weight) = examples(architecture), targets(architecture, 7)
    objective, _ = objective_of(architecture)
    parameters = network.weights

    def loss():
        seeded(parameters, 1)
        return loss_of(objective, y, network.forward(inputs, training=True), weight)

    _, d = loss()
    network.backward(d)
    gradient, theta = parameters.gradient.copy(), parameters.theta.copy()
    rng = np.random.default_rng(0)
    for _ in range(5):
        way = rng.normal(size=theta.shape).astype("float32")
        way /= np.linalg.norm(way)
        ends = []
        for sign in (1, -1):
            parameters.theta[...] = theta + np.float32(sign * 5e-3) * way
            ends.append(loss()[0])
        parameters.theta[...] = theta
        assert (ends[0] - ends[1]) / 1e-2 == pytest.approx(gradient @ way, rel=2e-2, abs=2e-3)


# --- what it serves, and what for --------------------------------------------------------------


class ReadsLogs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["loss"])
        self.model.stop_training = epoch == 1


class AtEveryBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.parametrize(
    ("callback", "sees"),
    [
        (ReadsLogs(), False),
        (SeesModel(), True),
        (AtEveryBatch(), True),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (keras.callbacks.LambdaCallback(on_train_batch_end=print), True),
        (keras.callbacks.CSVLogger("log.csv"), False),
        (keras.callbacks.TerminateOnNaN(), False),
        (keras.callbacks.ModelCheckpoint("m.keras"), True),
        (keras.callbacks.EarlyStopping(), True),
        (keras.callbacks.ReduceLROnPlateau(), True),
    ],
    ids=lambda c: type(c).__name__,
)
def test_callbacks_that_see_a_model_are_known(callback, sees):
    why = training.not_native(classifier(), callbacks=[callback])
    assert ("must see a keras.Model" in why) is sees


def test_callbacks_that_read_logs_run_beside_a_native_fit(tmp_path):
    own, lines = ReadsLogs(), []
    callbacks = [
        own,
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: lines.append(epoch)),
    ]
    objective, layer = objective_of(classifier())
    fitted = training.fit(classifier(), series_source(), key="c", seed=0, loss=objective,
                          output=layer, callbacks=callbacks, epochs=5, patience=0)  # fmt: skip
    assert (fitted.trainer, fitted.epochs_run, lines) == ("native", 2, [0, 1])
    assert own.losses == fitted.history["loss"]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_strategies_and_objects_of_keras_are_left_to_keras():
    def why(build=None, **given):
        return training.not_native(
            build or classifier(),
            Objective("crossentropy"),
            **{"output": "logits", **given},
        )

    assert why() == ""
    assert "optimizer" in why(optimizer=keras.optimizers.Adam())
    assert "probabilities" in why(output="probabilities")
    assert "one's own" in why(lambda: None)
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        assert "strategy" in why()
    keras.config.set_floatx("float64")
    try:
        assert "float32" in why()
    finally:
        keras.config.set_floatx("float32")


def test_an_objective_has_its_own_metrics():
    with pytest.raises(ValueError, match="metrics must be left out"):
        training.fit(classifier(), series_source(), key="m", seed=0, metrics=["accuracy"],
                     loss=Objective("crossentropy"), output="logits", patience=0)  # fmt: skip


def test_a_prediction_does_not_depend_on_the_batch():
    architecture = classifier(cell="lstm", units=[20, 9], bidirectional=True)
    network, _ = made(architecture)
    x = examples(architecture, n=50, n_steps=40)
    whole = network.predict(x)
    for part in (slice(0, 1), slice(3, 10), slice(17, 50)):
        np.testing.assert_array_equal(network.predict(x[part]), whole[part])


def test_an_estimator_agrees_with_its_own_model():
    X, y = load("gunpoint").train.X[:30].astype("float32"), load("gunpoint").train.y[:30]
    model = SequenceClassifier(units=[8, 8], bidirectional=True, epochs=3, validation=0,
                               patience=0, dropout=0.2, random_state=0).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(
        model.predict_proba(X), model.model_.predict(X[:, :, None], verbose=0), atol=2e-5
    )


def fitted_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 120, 1)), np.arange(64) % 2
    model = SequenceClassifier(units=48, epochs=1, validation=0, patience=0, random_state=0)
    return model.fit(X, y).weights_


def test_weights_do_not_depend_on_how_many_threads_there_are(monkeypatch):
    """Parts of a batch are cut by its size, whoever computes them."""
    monkeypatch.setattr("seqkit.network.layers.recurrent.n_cores", lambda: 4)
    expected = fitted_weights()
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "1")
    same_bits(fitted_weights(), expected)
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS")
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: fitted_weights(), range(4)):
            same_bits(found, expected)


def same_bits(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    script = """
import multiprocessing, sys
import numpy as np
from seqkit import SequenceClassifier
def weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 120, 1)), np.arange(64) % 2
    model = SequenceClassifier(units=48, epochs=1, validation=0, patience=0, random_state=0)
    return model.fit(X, y).weights_
here = weights()
with multiprocessing.get_context("fork").Pool(1) as pool:
    there = pool.apply(weights)
print(all(np.array_equal(a, b) for a, b in zip(here, there)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "True"


SCRIPT = """
import sys
import numpy as np
from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor
from sklearn.model_selection import cross_val_score
rng = np.random.default_rng(0)
X, y = rng.normal(size=(24, 10, 1)), np.arange(24) % 2
short = dict(units=4, epochs=2, validation=0, patience=0, random_state=0)
cross_val_score(SequenceClassifier(**short), X, y, cv=3)
SequenceRegressor(**short, bidirectional=True).fit(X, y).predict(X)
wave = np.sin(np.arange(100) / 3)
forecaster = SequenceForecaster(context_length=12, horizon=3, units=4, epochs=2, random_state=0)
forecaster.fit(wave).forecast()
print(sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


def test_plain_estimators_need_no_tensorflow():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "made_of",
    [
        lambda: SequenceClassifier(units=[6, 6], dropout=0.3, epochs=3, validation=0, patience=0,
                                   random_state=1),
        lambda: SequenceRegressor(units=6, recurrent_dropout=0.3, epochs=3, validation=0,
                                  patience=0, random_state=1),
    ],
)  # fmt: skip
def test_the_same_seed_gives_the_same_weights(made_of):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 9, 2)), np.arange(30) % 2
    first, again = made_of().fit(X, y), made_of().fit(X, y)
    for a, b in some(zip(first.weights_, again.weights_, strict=True)):
        np.testing.assert_array_equal(a, b)
    other = made_of().set_params(random_state=2).fit(X, y)
    assert any((a != b).any() for a, b in zip(first.weights_, other.weights_, strict=True))


def test_a_forecaster_beats_the_naive_forecast_natively():
    rng = np.random.default_rng(0)
    wave = 10 + np.sin(np.arange(600) * 2 * np.pi / 24) + rng.normal(size=600) * 0.1
    model = SequenceForecaster(context_length=48, horizon=24, season=24, units=16, epochs=10,
                               learning_rate=0.01, random_state=0).fit(wave[:-24])  # fmt: skip
    error = np.abs(model.forecast() - wave[-24:]).mean()
    assert error < 0.25 < np.abs(wave[-25] - wave[-24:]).mean()
    assert DROPOUT == 2  # saved states depend on it
