"""The layers: parity with Keras, lengths and padding, saving, states, dropout."""

from __future__ import annotations

import contextlib
import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.cells import CELLS
from seqkit.network.keras import kernels
from seqkit.network.keras.recurrent import Bidirectional, GatedRNN
from seqkit.network.keras.recurrent.absent import ABSENT, ABSENT_PAIR

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 9, 3)).astype("float32")
LENGTHS = np.array([9, 4, 1, 6])

PARITIES = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "gru_reset_before": lambda *a, **k: keras.layers.GRU(*a, reset_after=False, **k),
}


def several(names, *fast):
    """All names, those not among `fast` only with the slow tests."""
    return [n if n in fast else pytest.param(n, marks=pytest.mark.slow) for n in names]


def randomize(layer, seed=1):
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) * 0.5 for w in layer.get_weights()])
    return layer


def twin(cls, *args, x=X, **options):
    layer = cls(*args, **options)
    layer(x)
    return randomize(layer)


@pytest.mark.parametrize("name", PARITIES)
@pytest.mark.parametrize(
    "options",
    [
        {"return_sequences": True, "return_state": True},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"go_backwards": True}, marks=pytest.mark.slow),
    ],
    ids=["sequences", "last", "backwards"],
)
def test_keras_weights_copy_over_as_they_are(name, options):
    ours, theirs = GatedRNN(5, name, **options), PARITIES[name](5, **options)
    ours(X), theirs(X)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    randomize(theirs)
    ours.set_weights(theirs.get_weights())

    @tf.function
    def compute(layer):
        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = tf.nest.flatten(layer(x))
            loss = sum(tf.reduce_sum(tf.sin(3.0 * o)) for o in out)
        values = [v.value for v in layer.trainable_variables]
        return out, tape.gradient(loss, [x, *values])

    for a, b in some(zip(*(tf.nest.flatten(compute(k)) for k in (ours, theirs)), strict=True)):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("name", PARITIES)
def test_initial_weights_have_the_distribution_of_keras(name):
    ours, theirs = GatedRNN(64, name), PARITIES[name](64)
    ours(X), theirs(X)
    for a, b in some(zip(ours.get_weights(), theirs.get_weights(), strict=True)):
        np.testing.assert_allclose(a.std(), b.std(), rtol=0.2)
        np.testing.assert_allclose(a.mean(), b.mean(), atol=0.06)


def test_coupled_cell_remembers_at_first():
    layer = GatedRNN(3, "cifg")
    layer(X)
    np.testing.assert_array_equal(layer.bias.numpy(), [-1, -1, -1, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("name", several(CELLS, "lstm", "gru"))
@pytest.mark.parametrize("backwards", [False, True])
def test_lengths_are_each_series_alone(name, backwards):
    whole = twin(GatedRNN, 4, name, return_sequences=True, return_state=True)
    whole.go_backwards = backwards
    last = GatedRNN(4, name, go_backwards=backwards)
    last(X)
    last.set_weights(whole.get_weights())
    out, *states = (t.numpy() for t in whole(X, lengths=LENGTHS))
    final = last(X, lengths=LENGTHS).numpy()
    for k, n in enumerate(LENGTHS):
        alone, *alone_states = (t.numpy()[0] for t in whole(X[k : k + 1, :n]))
        np.testing.assert_allclose(out[k, :n], alone, atol=1e-5)
        assert not out[k, n:].any()
        np.testing.assert_allclose(final[k], alone[-1], atol=1e-5)
        for a, b in zip(states, alone_states, strict=True):
            np.testing.assert_allclose(a[k], b, atol=1e-5)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", several(["lstm", "gru", "fgr"], "gru"))
def test_bidirectional_is_each_series_alone(name, sequences):
    layer = twin(Bidirectional, 4, name, return_sequences=sequences)
    out = layer(X, lengths=LENGTHS).numpy()
    for k, n in enumerate(LENGTHS):
        alone = layer(X[k : k + 1, :n]).numpy()[0]
        np.testing.assert_allclose(out[k, :n] if sequences else out[k], alone, atol=1e-5)


def test_backward_half_is_read_at_the_first_step():
    layer = twin(Bidirectional, 4, return_sequences=True)
    last = Bidirectional(4)
    last(X)
    last.set_weights(layer.get_weights())
    sequence = layer(X).numpy()
    expected = np.concatenate([sequence[:, -1, :4], sequence[:, 0, 4:]], -1)
    np.testing.assert_allclose(last(X), expected, atol=1e-6)


@settings(max_examples=5, deadline=None)
@given(extra=st.integers(0, 12), name=st.sampled_from(["lstm", "gru", "cifg"]), seed=st.integers())
def test_padding_changes_no_answer_and_no_gradient(extra, name, seed):
    layer = LAYERS.setdefault(name, twin(Bidirectional, 4, name))
    noise = np.random.default_rng(seed % 2**32).normal(size=(4, extra, 3)).astype("float32")

    def compute(x):
        with tf.GradientTape() as tape:
            out = layer(x, lengths=LENGTHS)
            loss = tf.reduce_sum(tf.sin(out))
        return [out, *tape.gradient(loss, layer.trainable_variables)]

    padded = compute(np.concatenate([X, noise], 1))
    for a, b in some(zip(compute(X), padded, strict=True)):
        np.testing.assert_allclose(a, b, atol=2e-5)


LAYERS: dict = {}


def test_on_a_gpu_every_state_of_a_sequence_is_told_too(monkeypatch):
    # Keras's kernel knows c of the last step only
    layer = twin(GatedRNN, 4, return_sequences=True, return_state=True)
    expected = layer(X, lengths=LENGTHS)
    choice = kernels.Choice("keras", "as if there was a GPU", {})
    monkeypatch.setattr(GatedRNN, "kernel_report", lambda self: choice)
    for ours, theirs in some(zip(layer(X, lengths=LENGTHS), expected, strict=True)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_length_zero_leaves_the_initial_state():
    layer = twin(GatedRNN, 4)
    start = [RNG.normal(size=(4, 4)).astype("float32") for _ in "hc"]
    out = layer(X, lengths=np.array([0, 1, 2, 3]), initial_state=start)
    np.testing.assert_array_equal(out[0], start[0][0])


@pytest.mark.parametrize("name", several(PARITIES, "lstm", "gru"))
def test_wrapped_in_keras_bidirectional_under_a_mask(name):
    mask = tf.sequence_mask(LENGTHS, 9)
    ours = twin(keras.layers.Bidirectional, GatedRNN(5, name, return_sequences=True))
    theirs = keras.layers.Bidirectional(PARITIES[name](5, return_sequences=True))
    theirs(X)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(X), theirs(X), atol=1e-5)
    np.testing.assert_allclose(ours(X, mask=mask), theirs(X, mask=mask), atol=1e-5)


def test_mask_travels_through_a_stack():
    padded = X.copy()
    padded[1, 4:] = 0
    model = keras.Sequential(
        [
            keras.layers.Masking(0.0),
            keras.layers.Bidirectional(GatedRNN(4, return_sequences=True)),
            Bidirectional(4, "gru", return_sequences=True),
            GatedRNN(4, "vanilla"),
        ]
    )
    out = model(padded).numpy()
    np.testing.assert_allclose(out[1], model(X[1:2, :4]).numpy()[0], atol=1e-6)


def test_mask_with_a_hole_is_refused():
    mask = np.ones((4, 9), bool)
    mask[2, 3] = False
    layer = GatedRNN(4)
    with pytest.raises(ValueError, match="mask must be right-padded"):
        layer(X, mask=mask)
    compiled = tf.function(lambda m: layer(X, mask=m))
    with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded"):
        compiled(tf.constant(mask))


@pytest.mark.parametrize("name", several(CELLS, "lstm", "gru", "fgr"))
def test_saved_and_loaded(name, tmp_path):
    inputs = keras.Input((None, 3))
    lengths = keras.Input((), dtype="int32")
    h = Bidirectional(3, name, return_sequences=True, recurrent_dropout=0.1, seed=3)(
        inputs, lengths=lengths
    )
    h = GatedRNN(4, name, kernel_regularizer="l2", recurrent_constraint="unit_norm")(
        h, lengths=lengths
    )
    model = keras.Model([inputs, lengths], h)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    # through JSON, for a loaded tuple is a list
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    np.testing.assert_array_equal(model([X, LENGTHS]), loaded([X, LENGTHS]))


@pytest.mark.parametrize("name", several(["lstm", "gru", "fgr"], "lstm", "gru"))
def test_saved_model_needs_no_seqkit(name, tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), Bidirectional(3, name)])
    model.export(str(tmp_path), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.serve(X), model(X), atol=1e-6)


def test_stateful_goes_on_where_it_stopped():
    layer = GatedRNN(4, stateful=True)
    first, second = layer(X[:, :5]).numpy(), layer(X[:, 5:]).numpy()
    plain = GatedRNN(4)
    plain(X)
    plain.set_weights(layer.get_weights()[:3])
    np.testing.assert_allclose(first, plain(X[:, :5]), atol=1e-6)
    np.testing.assert_allclose(second, plain(X), atol=1e-6)
    layer.reset_state()
    np.testing.assert_array_equal(layer(X[:, :5]), first)


def test_initial_state_is_the_state_handed_on():
    layer = twin(GatedRNN, 4, "vanilla", return_state=True)
    _, *states = layer(X[:, :5])
    np.testing.assert_allclose(layer(X[:, 5:], initial_state=states)[0], layer(X)[0], atol=1e-6)
    with pytest.raises(ValueError, match="the 2 states"):
        layer(X, initial_state=states[:1])


def test_dropout_in_training_only_and_one_mask_a_sequence():
    ones = np.ones((2, 6, 8), "float32")
    layer = GatedRNN(8, "simple_rnn", dropout=0.5, return_sequences=True, seed=1)
    layer(ones)
    layer.set_weights([np.eye(8), np.zeros((8, 8)), np.zeros(8)])
    out = layer(ones, training=True).numpy()
    assert set(np.round(np.unique(out), 4)) == {0.0, np.round(np.tanh(np.float32(2)), 4)}
    assert (out == out[:, :1]).all()
    np.testing.assert_array_equal(layer(ones), layer(ones))


def test_recurrent_dropout_scales_so_that_the_mean_stays():
    layer = GatedRNN(512, "simple_rnn", recurrent_dropout=0.25, seed=1)
    x = np.full((1, 2, 1), 1e-3, "float32")
    layer(x)
    layer.set_weights([np.ones((1, 512)), np.eye(512), np.zeros(512)])
    out = layer(x, training=True).numpy() / 1e-3
    np.testing.assert_allclose(np.unique(out.round(3)), [1, 1 + 1 / 0.75], atol=1e-3)


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_other_precisions(dtype):
    policy = keras.DTypePolicy(dtype)
    layer = GatedRNN(4, dtype=policy)
    out = layer(X)
    assert keras.backend.standardize_dtype(out.dtype) == policy.compute_dtype
    reference = GatedRNN(4)
    reference(X)
    reference.set_weights(layer.get_weights())
    np.testing.assert_allclose(tf.cast(out, "float32"), reference(X), atol=2e-2)


def test_regularizers_add_losses_and_constraints_hold():
    layer = GatedRNN(4, "vanilla", kernel_regularizer="l2", peephole_constraint="non_neg")
    model = keras.Sequential([keras.Input((9, 3)), layer])
    assert len(model.losses) == 1
    model.compile("sgd", "mse")
    model.fit(X, np.ones((4, 4)), verbose=0)
    assert (layer.peephole_kernel.numpy() >= 0).all()


def test_inspect_yields_the_gates():
    layer = twin(GatedRNN, 4, "vanilla", return_sequences=True)
    rows = layer.inspect(X)
    assert set(rows) == {"state_h", "state_c", "i", "f", "c", "o"}
    np.testing.assert_allclose(rows["state_h"], layer(X), atol=1e-6)
    np.testing.assert_allclose(rows["o"] * np.tanh(rows["state_c"]), rows["state_h"], atol=1e-6)


def _under_a_tape(f, x, weights):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, [x, *weights])


def _twice(f):
    """Return the sum of f over the turns of a loop, which is a graph of its own."""
    return lambda x: tf.while_loop(lambda i, _: i < 2, lambda i, s: (i + 1, s + f(x)), (0, 0.0))[1]


PLACES = {
    "eager": _under_a_tape,
    "around a graph": lambda f, x, w: _under_a_tape(tf.function(f), x, w),
    "within a graph": lambda f, x, w: tf.function(lambda x: _under_a_tape(f, x, w))(x),
    "around a loop": lambda f, x, w: tf.function(lambda x: _under_a_tape(_twice(f), x, w))(x),
    "around a graph with a loop": lambda f, x, w: _under_a_tape(tf.function(_twice(f)), x, w),
    "computed again": lambda f, x, w: _under_a_tape(tf.recompute_grad(f), x, w),
    "without a tape": lambda f, x, w: tf.function(lambda x: tf.gradients(f(x), [x, *w]))(x),
}


@pytest.mark.parametrize("place", PLACES)
def test_input_gradient_arrives_wherever_it_is_asked_for(place):
    """The machine code leaves it out only where nobody can ask."""

    def found(kernel):
        first = twin(GatedRNN, 4, return_sequences=True, kernel=kernel)
        second = twin(
            GatedRNN, 5, "gru", x=first(X), kernel="auto" if kernel != "reference" else kernel
        )
        weights = [v.value for layer in (first, second) for v in layer.trainable_variables]
        loss = lambda x: tf.reduce_sum(second(first(x, training=True), training=True) ** 2)  # noqa: E731
        return PLACES[place](loss, tf.constant(X), weights)

    for ours, theirs in some(zip(found("compiled"), found("reference"), strict=True)):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_input_gradient_is_left_out_where_only_weights_are_watched():
    layer = twin(GatedRNN, 4)
    weights = [v.value for v in layer.trainable_variables]

    def gradients(promise):
        with tf.GradientTape(watch_accessed_variables=False) as tape, promise:
            tape.watch(weights)
            y = tf.reduce_sum(layer(X, training=True) ** 2)
        return tape.gradient(y, weights)

    graph = tf.function(lambda: gradients(kernels.only_watched())).get_concrete_function()
    back = [op for op in graph.graph.get_operations() if "PyFunc" in op.type][1]
    assert len(back.outputs) == 1 + len(weights)  # and the first states
    for ours, theirs in some(zip(graph(), gradients(contextlib.nullcontext()), strict=True)):
        np.testing.assert_array_equal(ours, theirs)


def test_kernel_is_shown_and_can_be_asked_for():
    assert GatedRNN(4).kernel_report().name == "compiled"
    assert "float32" in str(GatedRNN(4, dtype="float64").kernel_report())
    assert Bidirectional(4, "gru", dtype="float64").kernel_report().name == "reference"
    layer = twin(GatedRNN, 4, kernel="reference")
    np.testing.assert_allclose(layer(X), twin(GatedRNN, 4)(X), atol=1e-6)
    with pytest.raises(ValueError, match="kernel must be one that serves"):
        GatedRNN(4, "fgr", kernel="keras").kernel_report()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "units must be a positive integer"),
        ({"units": 4, "cell": "lsmt"}, "did you mean 'lstm'"),
        ({"units": 4, "dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"units": 4, "kernel": "magic"}, "kernel must be 'auto' or one of"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        GatedRNN(**options)


def parameters(layer):
    return set(inspect.signature(layer.__init__).parameters) - {"self", "kwargs"}


@pytest.mark.parametrize(
    "theirs", [keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN]
)
def test_every_argument_of_keras_is_taken_or_refused_by_name(theirs):
    base = {"activity_regularizer"}  # of every layer, so among the keywords of this one
    ours = parameters(GatedRNN) | base
    assert parameters(theirs) <= ours | set(ABSENT)
    assert not ours & set(ABSENT)
    assert parameters(keras.layers.Bidirectional) - set(ABSENT_PAIR) == {"weights"}


REFUSED = [(layer, name) for layer in (GatedRNN, Bidirectional) for name in ABSENT]


@pytest.mark.parametrize(
    ("layer", "name"), [*REFUSED, *((Bidirectional, name) for name in ABSENT_PAIR)]
)
def test_an_argument_of_keras_that_is_absent_says_what_to_use(layer, name):
    with pytest.raises(ValueError) as caught:
        layer(4, **{name: "relu"})
    instead = (ABSENT | ABSENT_PAIR)[name]
    assert str(caught.value) == (
        f"{layer.__name__}: {name} must be left out; got 'relu'. {instead}"
    )


def test_what_is_to_be_used_instead_computes_the_same():
    """Every advice of the table that names a setting is an equality with Keras."""
    for cell, theirs in (
        ("gru", keras.layers.GRU(5, reset_after=True)),
        ("gru_reset_before", keras.layers.GRU(5, reset_after=False)),
        ("lstm", keras.layers.LSTM(5, activation="tanh", recurrent_activation="sigmoid")),
        ("lstm", keras.layers.LSTM(5, unroll=True, use_cudnn=False)),
    ):
        ours = twin(GatedRNN, 5, cell)
        theirs(X)
        theirs.set_weights(ours.get_weights())
        np.testing.assert_allclose(ours(X), theirs(X), atol=1e-5)
    ours = twin(GatedRNN, 5, return_sequences=True)
    theirs = keras.layers.RNN(
        keras.layers.LSTMCell(5), return_sequences=True, zero_output_for_mask=True
    )
    theirs(X)
    theirs.set_weights(ours.get_weights())
    mask = tf.sequence_mask(LENGTHS, 9)
    np.testing.assert_allclose(ours(X, mask=mask), theirs(X, mask=mask), atol=1e-5)
    pair = twin(Bidirectional, 5)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(5), merge_mode="sum")
    theirs(X)
    theirs.set_weights(pair.get_weights())
    np.testing.assert_allclose(sum(tf.split(pair(X), 2, -1)), theirs(X), atol=1e-5)
