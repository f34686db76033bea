"""A network as data, and the gradient of every kind of layer."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native import DECODED_CASES, SERIES_CASES, WINDOW_CASES, classifier, forecaster, name_of

from seqkit.cells import CELLS
from seqkit.network.document import KINDS, as_document, network_of
from seqkit.network.graph import Graph
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.base import Saved
from seqkit.network.layers.combining import Add, Concatenate, ReluSum, Sigmoid, Softmax
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.embedding import Embedding, SegmentQueries, TokenEmbedding
from seqkit.network.layers.heads import CountScale, HeadLayer
from seqkit.network.layers.learned_theta import LearnedTheta
from seqkit.network.layers.moves import MeanOfMoves, Moves
from seqkit.network.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    NormalizeSeries,
)
from seqkit.network.layers.padding import MaskPadding
from seqkit.network.layers.patching import LeftPatch, Patch
from seqkit.network.layers.pooling import MODES, AttentionPooling, Pooling
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.scaling import (
    Deviations,
    Differences,
    InverseBoxCox,
    Standardize,
    Unstandardize,
)
from seqkit.network.layers.shaping import (
    AsSequence,
    Columns,
    FoldChannels,
    FoldSteps,
    Last,
    Pick,
    RepeatRows,
    Reshape,
    Segments,
    Step,
    UnfoldChannels,
    UnfoldSegments,
)
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY
from seqkit.network.summary import layer_rows

ARCHITECTURES = [
    *(classifier(**case) for case in SERIES_CASES),
    *(forecaster(**case) for case in WINDOW_CASES + DECODED_CASES),
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: name_of(dict(a.settings)))
def test_a_network_compares_hashes_and_goes_through_json(architecture):
    made = architecture.network
    again = network_of(json.loads(json.dumps(as_document(made))))
    assert again == made
    assert hash(again) == hash(made)
    assert again.weights[0].path == made.weights[0].path
    other = dataclasses.replace(made, nodes=made.nodes[:-1])
    assert other != made
    assert sum(row.parameters for row in layer_rows(made)) == sum(w.size for w in made.weights)


@pytest.mark.parametrize(
    "architecture", ARCHITECTURES[-12:], ids=lambda a: name_of(dict(a.settings))
)
def test_shapes_are_those_that_are_computed(architecture):
    flat = architecture.network.flat
    network = NativeNetwork(architecture.network)
    network.weights.load(architecture.network.initial_weights(0))
    values, n = {}, 3
    for i in flat.inputs:
        shape = (n, *(11 if size is None else size for size in i.shape))
        values[i.name] = np.ones(shape, i.dtype)
    for node in flat.nodes:
        p = network.weights.values[node.shares or node.name]
        given = [None if ref is None else values[ref] for ref in node.inputs]
        out = node.layer.forward(NUMPY, p, Saved(), *given)
        parts = out if node.layer.n_outputs > 1 else (out,)
        for index, part in enumerate(parts):
            name = node.name if index == 0 else f"{node.name}:{index}"
            values[name] = part
            if part is not None:
                known = [(a, b) for a, b in zip(part.shape[1:], flat.shapes[name], strict=True)]
                assert all(b is None or a == b for a, b in known), name


def test_a_description_needs_neither_keras_nor_numba():
    script = """
import sys
from seqkit.network.series import classifier
from seqkit.network.forecasting import forecaster
made = classifier(100, 3, 4), forecaster(48, 24, decoder="recursive", patch=4)
assert all(n.weights and n.shapes for n in made)
print(sorted({"keras", "tensorflow", "numba", "pandas", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_documents_that_are_none():
    document = as_document(classifier().network)
    with pytest.raises(ValueError, match="did you mean 'Softmax'"):
        network_of({**document, "nodes": [{**document["nodes"][-1], "kind": "Softmx"}]})
    with pytest.raises(ValueError, match="Update seqkit"):
        network_of({**document, "format": 99})


# --- gradients ----------------------------------------------------------------------------------

N, T, F = 4, 5, 3
LENGTHS = np.array([5, 2, 4, 1], np.int32)
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


STEPS, ROWS = normal(N, T, F), normal(N, F)
WINDOWS = np.random.default_rng(5).normal(size=(N, 9, 2)).astype(np.float32)
LAYERS = [
    (Standardize(), [STEPS]),
    (Deviations(T), [STEPS]),
    (Deviations(T + 2), [STEPS]),
    (Differences(), [STEPS]),
    (Averages((2,)), [STEPS]),
    (Averages((3, 40)), [STEPS]),
    (Unstandardize(), [ROWS]),
    (Dense(4), [ROWS]),
    (Dense(4, "relu"), [STEPS]),
    (Dense(2, "tanh", use_bias=False), [ROWS]),
    (Dropout(0.4), [STEPS]),
    (MaskPadding(), [STEPS, LENGTHS]),
    (Patch(2), [STEPS]),
    (Patch(2), [STEPS, LENGTHS]),
    *((Patch(2, n), [STEPS, *more]) for n in (1, 2, 5) for more in ([], [LENGTHS])),
    *((Convolution(4, k, s), [STEPS, *more])
      for k in (1, 4, 5) for s in (1, 3) for more in ([], [LENGTHS])),
    *((BatchNormalization(activation), [STEPS, *more])
      for activation in ("linear", "relu") for more in ([], [LENGTHS])),
    (LayerNormalization(), [STEPS]),
    (LayerNormalization(), [ROWS]),
    (NormalizeSeries(), [STEPS]),
    (NormalizeSeries(), [STEPS, np.array([5, 3, 4, 3], np.int32)]),
    (LeftPatch(2), [STEPS]),
    (LeftPatch(2), [STEPS, LENGTHS]),
    *((Pooling(mode, b), [normal(N, T, 4), *more]) for mode in MODES for b in (False, True)
      for more in ([], [LENGTHS])),
    (AttentionPooling(), [STEPS]),
    (AttentionPooling(2), [STEPS, LENGTHS]),
    (Add(), [STEPS, normal(N, T, F)]),
    (Add(), [STEPS, ROWS]),
    (ReluSum(), [STEPS, ROWS]),
    (Concatenate(), [STEPS, normal(N, T, 2)]),
    (Concatenate(1, 7), [STEPS, normal(N, 4, F)]),
    (Softmax(), [ROWS]),
    (Sigmoid(), [ROWS]),
    (Embedding(1, 4, 3), [RNG.integers(0, 4, (N, 2)).astype(np.int32)]),
    (TokenEmbedding(6, 3), [RNG.integers(0, 5, (N, T)).astype(np.int32)]),
    (SegmentQueries(3, 6), [ROWS]),
    (SegmentQueries(3, 6, 2), [ROWS]),
    *((HeadLayer(head), [normal(N, T, 2, n), normal(N, T, 2)])
      for head, n in (("point", 1), ("quantiles", 3), ("quantiles", 4), ("normal", 2),
                      ("student_t", 3), ("negative_binomial", 2), ("poisson", 1))),
    *((LearnedTheta(3, season), [normal(N, 9, 2), *more])
      for season in (1, 4) for more in ([], [np.array([9, 4, 8, 1], np.int32)])),
    (CountScale(), [np.abs(normal(N, 2, F, 2)), np.abs(STEPS), LENGTHS]),
    (CountScale(), [np.abs(normal(N, 2, F, 1)), np.abs(STEPS)]),
    (Moves((-1, 0, 2)), [STEPS, LENGTHS]),
    (MeanOfMoves(3), [ROWS]),
    (Columns(1, 3), [STEPS]),
    (Last(2), [STEPS]),
    (Step(1), [STEPS]),
    (Pick(2), [STEPS]),
    (Reshape((F, T)), [STEPS]),
    (FoldChannels(F), [STEPS]),
    (UnfoldChannels(2), [normal(N, T, 1, 2)]),
    (RepeatRows(3), [STEPS]),
    (Segments(2, 3), [STEPS]),
    (FoldSteps(), [STEPS]),
    (UnfoldSegments(2, (5, 1, 2)), [normal(N, 1, 6)]),
    (AsSequence(), [ROWS]),
    *((Recurrent(cell, 3, return_sequences=s, return_state=True), [STEPS, lengths, *initial])
      for cell in CELLS for s, lengths, initial in (
          (True, None, [normal(N, 3) for _ in CELLS[cell].states]),
          (True, LENGTHS, []),
          (False, LENGTHS, [normal(N, 3) for _ in CELLS[cell].states]))),
    (Recurrent("lstm", 3, True, 0.3, return_sequences=True), [STEPS, LENGTHS]),
    *((ThetaForecast(3, season), [WINDOWS, *more])
      for season in (1, 4) for more in ([], [np.array([9, 4, 8, 1], np.int32)])),
    (InverseBoxCox((0.5, 0.0, 1.0)), [np.abs(STEPS) + 1]),
]  # fmt: skip


def label(value):
    return repr(value) if dataclasses.is_dataclass(value) else ""


@pytest.mark.parametrize(("layer", "inputs"), LAYERS, ids=label)
def test_the_gradient_of_a_layer_is_the_slope_of_what_it_computes(layer, inputs):
    """Along random directions, of every weight and every input that has numbers."""
    rng = np.random.default_rng(1)
    shapes = [None if x is None else x.shape[1:] for x in inputs]
    p = {w.name: w.initial(w.shape, 3) + 0.3 * normal(*w.shape) for w in layer.parameters(*shapes)}
    learned = {w.name for w in layer.parameters(*shapes) if w.trainable}
    masks = rng.random(10_000).astype(np.float32)

    def mask(shape, rate, index):
        drawn = masks[: np.prod(shape)].reshape(shape)
        return (drawn >= rate) * np.float32(1 / (1 - rate))

    def run(p, inputs):
        saved = Saved(mask)
        out = layer.forward(NUMPY, p, saved, *inputs)
        return saved, out if layer.n_outputs > 1 else (out,)

    saved, out = run(p, inputs)
    d = tuple(
        rng.normal(size=part.shape).astype(np.float32)
        if part is not None and part.dtype == np.float32
        else None
        for part in out
    )
    real = tuple(x is not None and x.dtype == np.float32 for x in inputs)
    g = {name: np.full_like(p[name], np.nan) for name in learned}
    found = layer.backward(p, g, saved, d if layer.n_outputs > 1 else d[0], real)
    found = [*found, *[None] * (len(inputs) - len(found))]

    def loss(p, inputs):
        parts = zip(run(p, inputs)[1], d, strict=True)
        return sum(float((a.astype(float) * b).sum()) for a, b in parts if b is not None)

    step = 2e-3
    for name in some([*learned, *(k for k, x in enumerate(found) if x is not None and real[k])]):
        gradient = g[name] if isinstance(name, str) else found[name]
        value = p[name] if isinstance(name, str) else inputs[name]
        assert gradient.shape == value.shape
        way = rng.normal(size=value.shape).astype(np.float32)
        ends = []
        for sign in (1, -1):
            moved = value + np.float32(sign * step) * way
            if isinstance(name, str):
                ends.append(loss({**p, name: moved}, inputs))
            else:
                ends.append(loss(p, [*inputs[:name], moved, *inputs[name + 1 :]]))
        slope = (ends[0] - ends[1]) / (2 * step)
        size = float(np.linalg.norm(gradient) * np.linalg.norm(way)) + 1
        assert slope == pytest.approx(float((gradient * way).sum()), abs=2e-2 * size), name


def test_every_kind_with_a_backward_pass_is_tested():
    tested = {type(layer).__name__ for layer, _ in LAYERS}
    # before the first trained weight, after what the loss sees, or made of others
    untrained = {
        "AtMost", "BoxCox", "Combine", "Mean", "Median", "MixtureHead", "NaiveForecast",
        "Normalize", "RecursiveDecoder", "ToUnits", "WindowStatistics",
    }  # fmt: skip
    assert tested == set(KINDS) - untrained


@settings(max_examples=20, deadline=None)
@given(widths=st.lists(st.integers(1, 4), min_size=1, max_size=3), times=st.integers(1, 3))
def test_nodes_that_share_weights_add_their_gradients(widths, times):
    """A chain of one shared layer has the gradient of its copies, summed."""
    graph, copies = Graph("shared", False), Graph("copies", False)
    for g, shares in ((graph, True), (copies, False)):
        x = g.input("x", (3,))
        for k, width in enumerate(widths):
            x = g.add(f"in_{k}", Dense(width, "tanh"), x)
        x = g.add("square", Dense(3), x)
        for k in range(times):
            x = g.add(f"again_{k}", Dense(3, "tanh"), x, shares="again_0" if shares and k else None)
    one, many = NativeNetwork(graph.network(x)), NativeNetwork(copies.network(x))
    weights = one.network.initial_weights(0)
    one.weights.load(weights)
    last = len(weights) - 2
    many.weights.load([*weights[:last], *weights[last:] * times])
    x = normal(5, 3)
    np.testing.assert_array_equal(one.forward(x, True), many.forward(x, True))
    d = normal(5, 3)
    one.backward(d)
    many.backward(d)
    own, theirs = (n.weights.cut(n.weights.gradient) for n in (one, many))
    for k, gradient in enumerate(own):
        expected = theirs[k]
        if k >= last:
            expected = sum(theirs[last + 2 * i + k - last] for i in range(times))
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
