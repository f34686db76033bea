"""What recurrent layers start from: by default as ever, and by name."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceForecaster
from seqkit.cells import CELLS
from seqkit.network.architecture import Architecture
from seqkit.network.initializers import (
    BIASES,
    INITIALIZERS,
    cell_bias,
    chrono_bias,
    derived_seed,
    glorot_uniform,
    keeps_memory,
    orthogonal,
)
from seqkit.network.native import NativeNetwork
from seqkit.network.series import classifier
from seqkit.network.settings import BiasStart, MatrixStart

KEEPING = [name for name, row in CELLS.items() if keeps_memory(row)]
SIZES = {"n_timesteps": 9, "n_features": 2, "n_classes": 3, "units": (4, 4), "stem": None}
WINDOW = {"context_length": 24, "horizon": 16, "patch": 4, "units": (4, 4)}
NAMED = {
    "kernel_initializer": "he_normal",
    "recurrent_initializer": "orthogonal_gates",
    "bias_initializer": "chrono",
}


def initial(network, seed=0):
    drawn = network.initial_weights(seed)
    return {w.path: value for w, value in zip(network.weights, drawn, strict=True)}


def test_the_settings_are_the_rows_of_the_tables():
    assert get_args(MatrixStart) == tuple(INITIALIZERS)
    assert get_args(BiasStart) == tuple(BIASES)


@pytest.mark.parametrize("cell", CELLS)
def test_defaults_draw_what_they_always_drew(cell):
    """Of each weight by its number: Glorot's, one orthogonal matrix, 1 for the forget gate."""
    network = classifier(**SIZES, cell=cell)
    for k, (w, value) in enumerate(zip(network.weights, network.initial_weights(7), strict=True)):
        own = {
            "kernel": lambda w, k: glorot_uniform(w.shape, derived_seed(7, k)),
            "recurrent_kernel": lambda w, k: orthogonal(w.shape, derived_seed(7, k)),
            "bias": lambda w, k: cell_bias(cell, w.shape),
        }.get(w.name.rpartition("/")[2])
        if own is not None and w.node.startswith("recurrent"):
            np.testing.assert_array_equal(value, own(w, k), err_msg=w.path)


def test_defaults_have_the_bits_of_earlier_versions():
    drawn = initial(classifier(**SIZES, cell="lstm"), 3)
    kernel = drawn["recurrent_1/forward/kernel"]
    assert kernel[0, :3].tolist() == FIRST_BITS
    assert drawn["recurrent_1/forward/bias"].tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


FIRST_BITS = [-0.2677597999572754, 0.09627268463373184, 0.4187982380390167]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KEEPING), st.integers(1, 40), st.integers(3, 500), st.integers(0, 99))
def test_chrono_forgets_over_times_up_to_the_number_of_steps(cell, units, n_steps, seed):
    """1 / (1 - s(b_f)) = 1 + exp(b_f) is from 2 to T_max, and the input gate is its mirror."""
    row = CELLS[cell]
    n = len(row.gates) * units
    bias = chrono_bias(cell, (2, n) if row.bias_rows == 2 else (n,), seed, n_steps)
    total = bias if bias.ndim == 1 else bias.sum(0)
    blocks = dict(zip(row.gates, np.split(total, len(row.gates)), strict=True))
    keep = blocks["f"] if "f" in blocks else blocks["z"] if "z" in blocks else -blocks["i"]
    times = 1 + np.exp(keep)
    assert (times >= 2 - 1e-4).all()
    assert (times <= n_steps * (1 + 1e-4)).all()
    if "f" in blocks and "i" in blocks:
        np.testing.assert_array_equal(blocks["i"], -blocks["f"])
    for gate in set(blocks) - {"i", "f", "z"}:
        assert not blocks[gate].any()


def test_chrono_times_are_uniform():
    drawn = 1 + np.exp(chrono_bias("gru_reset_before", (3 * 4000,), 0, 101)[:4000])
    expected = np.linspace(2, 101, 4000)
    assert np.abs(np.sort(drawn) - expected).max() < 4  # Kolmogorov's bound at 1e-4 is 3.5


@pytest.mark.parametrize("cell", KEEPING)
def test_orthogonal_by_gate_is_so_in_every_block(cell):
    drawn = initial(classifier(**SIZES, cell=cell, recurrent_initializer="orthogonal_gates"))
    found = [w for path, w in drawn.items() if path.endswith("recurrent_kernel")]
    for whole in some(found):
        blocks = np.split(whole, len(CELLS[cell].gates), axis=1)
        for block in blocks:
            np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-5)
        assert len({block.tobytes() for block in blocks}) == len(blocks)


def test_he_normal_keeps_the_scale_of_its_inputs():
    drawn = INITIALIZERS["he_normal"]((200, 400), 0, 1)
    assert abs(drawn.std() * np.sqrt(200 / 2) - 1) < 0.02


CASES = [
    ("classifier", {**SIZES, "cell": "lstm", **NAMED}),
    ("classifier", {**SIZES, "cell": "gru", "bias_initializer": "zeros"}),
    ("classifier", {**SIZES, "n_timesteps": None, "max_timesteps": 40, "variable_length": True,
                    **NAMED}),
    ("regressor", {"n_timesteps": 9, "n_features": 2, "units": (4, 4), "cell": "cifg",
                   "bidirectional": False, **NAMED}),
    *(("forecaster", {**WINDOW, "decoder": name, **NAMED})
      for name in ("direct", "recursive", "segment")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given"), CASES, ids=str)
def test_the_keras_model_starts_as_the_description_does(kind, given, tmp_path):
    """Weight for weight where the order is the same, and again after it was saved."""
    import keras

    from seqkit import training

    architecture = Architecture(kind, given)
    model, described = architecture(), architecture.network
    own = initial(described, 5)
    drawn = training.initial_weights(model, 5)
    assert {v.path for v in model.weights} == set(own)
    if kind != "forecaster":
        for v, value in zip(model.weights, drawn, strict=True):
            np.testing.assert_array_equal(value, own[v.path], err_msg=v.path)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    fresh = keras.models.clone_model(again)
    for v in some(v for v in fresh.weights if v.path.endswith("/recurrent_kernel")):
        if given.get("recurrent_initializer") == "orthogonal_gates":
            block = np.asarray(v)[:, :4]
            np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-5)
    biases = [np.asarray(v) for v in fresh.weights if "recurrent" in v.path and v.name == "bias"]
    if given["bias_initializer"] == "chrono":
        assert all(len(np.unique(b)) > 3 for b in some(biases))
    else:
        assert not any(b.any() for b in some(biases))


def test_the_recursive_decoder_counts_its_own_steps():
    flat = Architecture("forecaster", {**WINDOW, "decoder": "recursive", **NAMED}).network.flat
    steps = {n.name: n.layer.initializers[3] for n in flat.nodes if hasattr(n.layer, "cell")}
    assert {v for k, v in steps.items() if k.startswith("decoder/")} == {4}
    assert {v for k, v in steps.items() if not k.startswith("decoder/")} == {6}


@pytest.mark.parametrize("unequal", [False, True])
def test_an_estimator_begins_with_it_and_comes_back(unequal, tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(20 + 3 * unequal * (i % 3), 1)) for i in range(12)]
    y = ["a", "b"] * 6
    quick = {"units": 4, "epochs": 1, "patch": 1, "learning_rate": 1e-12, "random_state": 3}
    model = SequenceClassifier(cell="lstm", **quick, **NAMED).fit(X, y)
    n_steps = 26 if unequal else 20
    paths = [w.path for w in model._build().network.weights]
    found = model.weights_[paths.index("recurrent_1/forward/bias")]
    seed = derived_seed(3, paths.index("recurrent_1/forward/bias"))
    np.testing.assert_allclose(found, chrono_bias("lstm", (16,), seed, n_steps), atol=1e-6)
    untrained = model.untrained(X, y)
    [bias] = [v for v in untrained.weights if v.path == "recurrent_1/forward/bias"]
    np.testing.assert_allclose(np.asarray(bias), found, atol=1e-6)
    model.save(tmp_path / "m")
    again = SequenceClassifier.load(tmp_path / "m")
    assert again.bias_initializer == "chrono"
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    # a model of equal lengths is asked about unequal ones, and as a Keras model
    longer = [*X[:2], rng.normal(size=(31, 1))]
    assert again.predict_proba(longer).shape == (3, 2)
    assert again.model_ is not None


def test_a_forecaster_begins_with_it():
    quick = {"context_length": 12, "horizon": 3, "units": 4, "epochs": 1, "random_state": 0}
    wave = np.sin(np.arange(80.0))
    plain, named = (SequenceForecaster(**quick, **more).fit(wave) for more in ({}, NAMED))
    changed = {
        w.path.rpartition("/")[2]: not np.allclose(a, b, atol=0.05)
        for w, a, b in zip(
            plain._build().network.weights, plain.weights_, named.weights_, strict=True
        )
        if w.path.startswith("recurrent")
    }
    assert changed == {"kernel": True, "recurrent_kernel": True, "bias": True}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kernel_initializer": "orthogonl"}, "kernel_initializer must be one of.*'orthogonal'"),
        ({"bias_initializer": "one"}, "bias_initializer must be one of forget_one, zeros, chrono"),
        (
            {"bias_initializer": "chrono", "cell": "nfg"},
            "with the cell 'nfg', which has no gate to",
        ),
        ({"bias_initializer": "chrono", "cell": "simple_rnn"}, "bias_initializer must be forget"),
        ({"bias_initializer": "chrono", "n_timesteps": None}, "max_timesteps must be given"),
        ({"max_timesteps": 9}, "max_timesteps must be left out"),
        ({"max_timesteps": 9, "n_timesteps": None}, "max_timesteps must be left out"),
    ],
)
def test_what_does_not_fit_is_said(given, words):
    with pytest.raises(ValueError, match=words):
        classifier(**{**SIZES, **given})


def test_an_estimator_names_what_does_not_fit():
    with pytest.raises(ValueError, match="bias_initializer must be forget_one or zeros for a cell"):
        SequenceClassifier(cell="nfg", bias_initializer="chrono").fit([[1.0, 2.0]] * 4, [0, 1] * 2)
    with pytest.raises(ValueError, match="kernel_initializer must be one of glorot_uniform"):
        SequenceClassifier(kernel_initializer="he").fit([[1.0, 2.0]] * 4, [0, 1] * 2)


def test_it_computes():
    network = classifier(**{**SIZES, "units": 3}, **NAMED)
    native = NativeNetwork(network)
    native.weights.load(network.initial_weights(0))
    assert len(native.weights.values["recurrent_1"]) == 6
