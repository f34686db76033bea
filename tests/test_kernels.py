"""Every kernel against the reference, the reference against the equations."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import transcription
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.cells import CELLS
from seqkit.network.keras import kernels
from seqkit.network.keras.kernels import Weights, choose_kernel


def several(names, *fast):
    """All names, those not among `fast` only with the slow tests."""
    return [n if n in fast else pytest.param(n, marks=pytest.mark.slow) for n in names]


TOLERANCE = {"float64": 1e-11, "float32": 2e-5}
FAST = ("compiled",)


def make(name, batch, time, features, units, dtype="float64", seed=0):
    cell, rng = CELLS[name], np.random.default_rng(seed)

    def draw(*shape):
        return tf.constant(rng.normal(size=shape) * 0.4, dtype)

    columns, n = len(cell.gates) * units, len(cell.gate_recurrence) * units
    weights = Weights(
        draw(features, columns),
        draw(units, columns),
        draw(2, columns) if cell.bias_rows == 2 else draw(columns),
        draw(len(cell.peepholes), units) if cell.peepholes else None,
        draw(n, n) if n else None,
    )
    states = tuple(draw(batch, units) for _ in cell.states)
    return cell, draw(batch, time, features), weights, states


def outputs_and_gradients(kernel, cell, x, weights, states, dynamic=False, **options):
    """Return outputs, and the gradients of a sum of theirs with unequal weights."""
    given = [x, *states, *(w for w in weights if w is not None)]

    @tf.function
    def compute(x, *others):
        mine = [x, *others]
        held = iter(mine[1 + len(states) :])
        w = Weights(*(None if v is None else next(held) for v in weights))
        with tf.GradientTape() as tape:
            tape.watch(mine)
            start = tuple(mine[1 : 1 + len(states)])
            out = kernels.run_kernel(kernel, cell, x, w, start, **options)
            loss = 0.0
            for k, s in enumerate(out):
                n = tf.cast(tf.reshape(tf.range(tf.size(s)), tf.shape(s)), s.dtype)
                loss += tf.reduce_sum(s * tf.sin((k + 1) * n / 7))
        return out, tape.gradient(loss, mine)

    if dynamic:
        free = [tf.TensorSpec([None] * (x.shape.rank - 1) + x.shape[-1:], x.dtype)]
        compute = compute.get_concrete_function(
            *free, *(tf.TensorSpec([None, *g.shape[1:]] if k < len(states) else g.shape, g.dtype)
                     for k, g in enumerate(given[1:]))
        )  # fmt: skip
    return [t.numpy() for t in tf.nest.flatten(compute(*given))]


def assert_same(ours, theirs, dtype):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * (1 + np.abs(b).max()))


@pytest.mark.parametrize("name", CELLS)
def test_reference_computes_the_equations(name):
    cell, x, weights, states = make(name, 3, 6, 2, 4)
    ours = kernels.run_kernel("reference", cell, x, weights, states, n_states=len(states))
    theirs = transcription.run(
        name,
        cell.gates,
        cell.peepholes,
        x.numpy().transpose(1, 0, 2),
        [None if w is None else w.numpy() for w in weights],
        [s.numpy() for s in states],
    )
    assert_same([s.numpy() for s in ours], theirs, "float64")


SERVED = [
    (kernel, name, dtype)
    for name, cell in CELLS.items()
    for kernel in FAST
    for dtype in ("float32", "float64")
    if not kernels.KERNELS[kernel].refuses(cell, dtype, False, False, True)
]


@pytest.mark.parametrize(
    ("kernel", "name", "dtype", "last"),
    [
        pytest.param(*case, last, marks=[pytest.mark.slow] if last or case[2] == "float64" else [])
        for case in SERVED
        for last in (False, True)
    ],
)
def test_kernel_agrees_with_reference(kernel, name, dtype, last):
    # 17 steps: two chunks and a tail; every state wanted, so every gradient path is walked
    given = make(name, 3, 17, 2, 4, dtype)
    options = {"last": last, "n_states": len(given[3])}
    theirs = outputs_and_gradients("reference", *given, **options)
    assert_same(outputs_and_gradients(kernel, *given, **options), theirs, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "name", "dtype"), SERVED)
@pytest.mark.parametrize("time", [1, 20, 31])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("shards", [1, 2])
def test_kernel_agrees_with_reference_in_all_shapes(kernel, name, dtype, time, dynamic, shards):
    given = make(name, 5, time, 3, 4, dtype)
    theirs = outputs_and_gradients("reference", *given)
    ours = outputs_and_gradients(kernel, *given, dynamic=dynamic, shards=shards)
    assert_same(ours, theirs, dtype)


@pytest.mark.parametrize(
    ("name", "time"),
    [("lstm", 9), ("gru", 1), *(pytest.param(n, t, marks=pytest.mark.slow)
                                for n in ("lstm", "gru") for t in (1, 16, 19))],
)  # fmt: skip
def test_length_and_batch_known_only_in_the_graph(name, time):
    given = make(name, 3, time, 2, 4, "float32")
    theirs = outputs_and_gradients("reference", *given)
    kernel = choose_kernel(given[0], gpu=False).name
    assert_same(outputs_and_gradients(kernel, *given, dynamic=True, shards=2), theirs, "float32")


@pytest.mark.parametrize("kernel", FAST)
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_shards_larger_than_the_batch_change_nothing(kernel, batch):
    given = make("lstm", batch, 5, 2, 4, "float32")
    theirs = outputs_and_gradients("reference", *given)
    for size in np.repeat(2 ** np.arange(2, 16), 8):
        np.full(size, np.nan, "float32")  # what is read without having been written
    assert_same(outputs_and_gradients(kernel, *given, shards=2), theirs, "float32")


@pytest.mark.parametrize("name", several(CELLS, "lstm", "gru", "gru_reset_before"))
@pytest.mark.parametrize(("kernel", "dtype"), [("compiled", "float32")])
def test_recurrent_mask(name, kernel, dtype):
    cell, x, weights, states = make(name, 3, 9, 2, 4, dtype)
    mask = tf.constant(np.random.default_rng(1).integers(0, 2, (3, 4)) * 2.0, dtype)
    options = {"recurrent_mask": mask, "n_states": len(states)}
    theirs = outputs_and_gradients("reference", cell, x, weights, states, **options)
    ours = outputs_and_gradients(kernel, cell, x, weights, states, **options)
    assert_same(ours, theirs, dtype)


@pytest.mark.parametrize("name", ["simple_rnn", "vanilla", "fgr", "gru", "gru_reset_before"])
def test_without_bias(name):
    cell, x, weights, states = make(name, 3, 9, 2, 4, "float32")
    given = (cell, x, weights._replace(bias=None), states)
    theirs = outputs_and_gradients("reference", *given)
    assert_same(outputs_and_gradients("compiled", *given), theirs, "float32")


@settings(max_examples=6, deadline=None)
@given(
    batch=st.integers(1, 9), time=st.integers(1, 40), features=st.integers(1, 5),
    units=st.integers(1, 9), name=st.sampled_from(list(CELLS)),
)  # fmt: skip
def test_chosen_kernel_in_any_shape(batch, time, features, units, name):
    cell, x, weights, states = make(name, batch, time, features, units, "float32")
    kernel = choose_kernel(cell, gpu=False).name
    ours = kernels.run_kernel(kernel, cell, x, weights, states, shards=2)
    theirs = kernels.run_kernel("reference", cell, x, weights, states)
    assert_same([s.numpy() for s in ours], [s.numpy() for s in theirs], "float32")


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_gradient_agrees_with_finite_differences(name):
    cell, x, weights, states = make(name, 2, 11, 2, 3)
    present = [w is not None for w in weights]

    @tf.function
    def loss(*tensors):
        held = iter(tensors[1 + len(states) :])
        w = Weights(*(next(held) if there else None for there in present))
        (h,) = kernels.run_kernel(
            "reference", cell, tensors[0], w, tuple(tensors[1 : 1 + len(states)])
        )
        return tf.reduce_sum(tf.sin(3 * h))

    given = [x, *states, *(w for w in weights if w is not None)]
    theory, numeric = tf.test.compute_gradient(loss, given, delta=1e-5)
    for a, b in some(zip(theory, numeric, strict=True)):
        np.testing.assert_allclose(a, b, atol=1e-7)


def drop_blocks(cell, packed, gate):
    """Packed columns without one gate's."""
    blocks = zip(cell.gates, tf.split(packed, len(cell.gates), axis=-1), strict=True)
    return tf.concat([b for k, b in blocks if k != gate], -1)


@pytest.mark.parametrize(("name", "gate"), [("nig", "i"), ("nfg", "f"), ("nog", "o")])
def test_ablation_is_vanilla_with_that_gate_at_one(name, gate):
    cell, x, w, states = make("vanilla", 3, 7, 2, 4)
    k = cell.gates.index(gate)
    columns = np.repeat(np.arange(4) != k, 4)
    open_gate = Weights(
        w.kernel * columns, w.recurrent_kernel * columns,
        w.bias * columns + 100.0 * ~columns,
        w.peephole_kernel * (np.arange(3) != "ifo".index(gate))[:, None],
    )  # fmt: skip
    (theirs,) = kernels.run_kernel("reference", cell, x, open_gate, states)
    less = Weights(
        *(drop_blocks(cell, v, gate) for v in w[:3]),
        tf.stack([w.peephole_kernel["ifo".index(g)] for g in CELLS[name].peepholes]),
    )
    (ours,) = kernels.run_kernel("reference", CELLS[name], x, less, states)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_cifg_is_vanilla_whose_forget_gate_is_one_minus_its_input_gate():
    # 1 - sigmoid(a) = sigmoid(-a)
    cell, x, w, states = make("cifg", 3, 7, 2, 4)

    def mirrored(packed):
        i, c, o = tf.split(packed, 3, axis=-1)
        return tf.concat([i, -i, c, o], -1)

    p = w.peephole_kernel
    full = Weights(*(mirrored(v) for v in w[:3]), tf.stack([p[0], -p[0], p[1]]))
    (theirs,) = kernels.run_kernel("reference", CELLS["vanilla"], x, full, states)
    (ours,) = kernels.run_kernel("reference", cell, x, w, states)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("name", ["vanilla", "fgr"])
def test_without_peepholes_and_gate_recurrence_it_is_lstm(name):
    cell, x, w, states = make(name, 3, 7, 2, 4)
    zeros = [None if v is None else tf.zeros_like(v) for v in w[3:]]
    (ours,) = kernels.run_kernel("reference", cell, x, Weights(*w[:3], *zeros), states)
    (theirs,) = kernels.run_kernel("reference", CELLS["lstm"], x, Weights(*w[:3]), states[:2])
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_both_gru_orders_agree_when_nothing_is_reset():
    cell, x, w, states = make("gru", 3, 7, 2, 4)
    open_reset = np.repeat([0.0, 100.0, 0.0], 4)
    bias = tf.stack([w.bias[0] + open_reset, tf.zeros_like(w.bias[1])])
    (after,) = kernels.run_kernel("reference", cell, x, w._replace(bias=bias), states)
    before = CELLS["gru_reset_before"]
    (ours,) = kernels.run_kernel("reference", before, x, w._replace(bias=bias[0]), states)
    np.testing.assert_allclose(after, ours, atol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_kernel_for_graphics_processors_is_keras_own_layer(name):
    given = make(name, 3, 9, 2, 4, "float32")
    assert choose_kernel(given[0], gpu=True).name == "keras"
    theirs = outputs_and_gradients("reference", *given)
    assert_same(outputs_and_gradients("keras", *given), theirs, "float32")


def test_choice_tells_why_not_a_faster_one():
    assert choose_kernel(CELLS["lstm"], gpu=False).name == "compiled"
    for choice, reason in (
        (choose_kernel(CELLS["lstm"], gpu=False, training=False), "a saved model"),
        (choose_kernel(CELLS["cifg"], "float64", gpu=False), "float32"),
        (choose_kernel(CELLS["lstm"], recurrent_dropout=0.1, gpu=True), "GPU"),
    ):
        assert choice.name == "reference"
        assert reason in choice.not_faster["compiled"]
        assert reason in str(choice)


def test_without_numba_the_stock_operations_train(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    choice = choose_kernel(CELLS["lstm"], gpu=False)
    assert choice.name == "reference"
    assert "NUMBA_DISABLE_JIT" in choice.not_faster["compiled"]


def test_same_bits_every_time():
    given = make("lstm", 6, 30, 3, 8, "float32")
    first = outputs_and_gradients("compiled", *given, shards=2)
    for _ in range(3):
        again = outputs_and_gradients("compiled", *given, shards=2)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_parts_side_by_side_are_no_more_than_tensorflow_has_threads_for(monkeypatch):
    cores = kernels.n_side_by_side()
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "1")
    assert kernels.n_side_by_side() == 1
    assert kernels.n_shards(64, 100, 256) == 1
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", str(cores + 1))
    assert kernels.n_side_by_side() == cores


def penalised(kernel, cell, x, weights, states, last, graph):
    """Return the gradients of a gradient penalty: of the squared norm of the gradient of x."""
    given = [x, *states, *(w for w in weights if w is not None)]

    def compute(*mine):
        held = iter(mine[1 + len(states) :])
        w = Weights(*(None if v is None else next(held) for v in weights))
        start = tuple(mine[1 : 1 + len(states)])
        with tf.GradientTape() as outer:
            outer.watch(mine)
            with tf.GradientTape() as inner:
                inner.watch(mine[0])
                out = kernels.run_kernel(kernel, cell, mine[0], w, start, last=last)
                loss = tf.reduce_sum(out[0] ** 2)
            penalty = tf.reduce_sum(inner.gradient(loss, mine[0]) ** 2)
        return outer.gradient(penalty, mine, unconnected_gradients="zero")

    found = (tf.function(compute) if graph else compute)(*given)
    return [g.numpy() for g in found]


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        pytest.param(k, n, marks=[] if n in ("lstm", "gru", "fgr") else pytest.mark.slow)
        for k, n, dtype in SERVED
        if dtype == "float32"
    ],
)
@pytest.mark.parametrize(("last", "graph"), [(False, True), (True, False)])
def test_a_gradient_penalty_is_that_of_the_reference(kernel, name, last, graph):
    case = make(name, 3, 4, 2, 3, "float32")
    found = penalised(kernel, *case, last, graph)
    expected = penalised("reference", *case, last, graph)
    assert all(np.abs(g).max() > 0 for g in expected)
    assert_same(found, expected, "float32")
