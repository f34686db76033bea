"""What each kind of layer is in a stream: the records that it writes to a plan, and its weights.

A plan is what one compiled kernel goes through for every observation
(:mod:`seqkit.network.cpu.code.streaming`, which says what of a series a step keeps). A kind of
layer without a row of :data:`FORMS` has no streaming form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.cells import Weights
from seqkit.errors import explain
from seqkit.network.cpu.code import stepping as cell
from seqkit.network.cpu.code import streaming as op
from seqkit.network.cpu.code.products import WIDTH, padded
from seqkit.network.cpu.schemes import FED, calls_of
from seqkit.network.graph import Network
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.base import Array, Layer
from seqkit.network.layers.combining import Add, Concatenate
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.embedding import TokenEmbedding
from seqkit.network.layers.moves import MeanOfMoves, Moves
from seqkit.network.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    NormalizeSeries,
)
from seqkit.network.layers.patching import Patch
from seqkit.network.layers.pooling import AttentionPooling, Pooling
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.scaling import Deviations, Differences, Standardize
from seqkit.network.native import FlatWeights, needed_nodes

__all__ = ["FORMS", "LINE", "Edge", "StreamPlan", "check_directions", "check_form", "write_network"]

LINE = 16  # floats of a cache line
ACTIVATIONS = {"linear": op.LINEAR, "relu": op.RELU, "tanh": op.TANH}


class Edge(NamedTuple):
    """A sequence in a plan: where its entry begins, its width, and most items that are there."""

    at: int
    width: int
    most: int


def _tiles(matrix: Array) -> Array:
    """Return a matrix packed as :func:`seqkit.network.cpu.code.products.pack` does."""
    depth, columns = matrix.shape
    whole = np.zeros((depth, padded(columns)), np.float32)
    whole[:, :columns] = matrix
    return whole.reshape(depth, -1, WIDTH).transpose(1, 0, 2)


class StreamPlan:
    """A plan that is being written: edges, records, and what lies where in the memory."""

    def __init__(self, n_streams: int) -> None:
        self.n_streams, self.size = n_streams, 0
        self.edges: list[Edge] = []
        self.rows: list[int] = []
        self.records: list[list[int]] = []
        self.weights: list[tuple[int, Array]] = []
        self.states: list[tuple[int, int]] = []

    def room(self, size: int) -> int:
        """Return where so many floats have their place, on cache lines of their own."""
        begin, self.size = self.size, self.size + -(-max(size, 1) // LINE) * LINE
        return begin

    def constant(self, array: Array) -> int:
        """Return where weights lie."""
        self.weights.append((self.room(array.size), np.asarray(array, np.float32).ravel()))
        return self.weights[-1][0]

    def state(self, width: int) -> int:
        """Return where a state of every stream lies; it begins with zeros."""
        begin = self.room(self.n_streams * width)
        if width:
            self.states.append((begin, width))
        return begin

    def edge(self, width: int, most: int) -> Edge:
        """Return a new edge."""
        self.edges.append(Edge(op.HEADER + op.EDGE * len(self.edges), width, most))
        self.rows.append(self.room(width * most * self.n_streams))
        return self.edges[-1]

    def add(
        self, what: int, x: Edge, out: Edge, *own: int, weights: int = 0, state: int = 0,
        work: int = 0, other: Edge | None = None,
    ) -> Edge:  # fmt: skip
        """Write a record and return its output."""
        record = [what, x.at, (other or x).at, out.at, weights, state, work, *own]
        self.records.append(record + [0] * (op.FIELDS - len(record)))
        return out

    def integers(self, header: dict[int, int]) -> Array:
        """Return the plan for the kernel."""
        n_edges, n = len(self.edges) * op.EDGE, len(self.records) * op.FIELDS
        first = op.HEADER + n_edges
        header |= {op.FIRST: first, op.END: first + n, op.TIMES: first + n}
        plan = np.zeros(first + n + self.n_streams, np.int64)
        for place, value in header.items():
            plan[place] = value
        for edge, rows in zip(self.edges, self.rows, strict=True):
            plan[edge.at : edge.at + 2] = rows, edge.width
        plan[first : first + n] = np.ravel(self.records)
        return plan


Form = Callable[[StreamPlan, Any, dict[str, Array], list[Edge]], Edge]


def _dense(plan: StreamPlan, x: Edge, kernel: Array, bias: Array, activation: str) -> Edge:
    columns = kernel.shape[1]
    out = plan.edge(columns, x.most)
    return plan.add(
        op.DENSE, x, out, ACTIVATIONS[activation], plan.constant(bias),
        weights=plan.constant(_tiles(kernel)),
        work=plan.room(x.most * plan.n_streams * padded(columns)),
    )  # fmt: skip


def _of_dense(plan: StreamPlan, layer: Dense, p: dict[str, Array], x: list[Edge]) -> Edge:
    bias = p["bias"] if layer.use_bias else np.zeros(layer.units, np.float32)
    return _dense(plan, x[0], p["kernel"], bias, layer.activation)


def _window(plan: StreamPlan, x: Edge, size: int, stride: int, left: int) -> Edge:
    # of what is to come: the item that is begun, and all that see past the end
    ahead = -(-(x.most + size - 1 - left) // stride) + 1
    kept = size - 1
    return plan.add(
        op.WINDOW, x, plan.edge(size * x.width, 1 + ahead), size, stride, left,
        state=plan.state(kept * x.width), work=plan.room((2 * kept + x.most) * x.width),
    )  # fmt: skip


def _of_convolution(
    plan: StreamPlan, layer: Convolution, p: dict[str, Array], x: list[Edge]
) -> Edge:
    size = layer.kernel_size
    seen = _window(plan, x[0], size, layer.stride, (size - 1) // 2)
    return _dense(plan, seen, p["kernel"].reshape(-1, layer.filters), p["bias"], "linear")


def _of_patch(plan: StreamPlan, layer: Patch, p: dict[str, Array], x: list[Edge]) -> Edge:
    return _window(plan, x[0], layer.width, layer.size, layer.overlap // 2)


def _scaled(plan: StreamPlan, x: Edge, offset: Array, scale: Array, by_item: int) -> Edge:
    begin = plan.constant(np.concatenate([offset.ravel(), scale.ravel()]))
    return plan.add(op.SCALE, x, plan.edge(*x[1:]), by_item, offset.size, weights=begin)


def _of_standardize(
    plan: StreamPlan, layer: Standardize, p: dict[str, Array], x: list[Edge]
) -> Edge:
    return _scaled(plan, x[0], p["offset"], p["scale"], 0)


def _of_deviations(plan: StreamPlan, layer: Deviations, p: dict[str, Array], x: list[Edge]) -> Edge:
    return _scaled(plan, x[0], p["offset"], p["scale"], x[0].width)


def _of_averages(plan: StreamPlan, layer: Averages, p: dict[str, Array], x: list[Edge]) -> Edge:
    width = x[0].width
    parts = [
        plan.add(
            op.AVERAGE, x[0], plan.edge(*x[0][1:]), state=plan.state(width + 1),
            weights=plan.constant(np.array([1 - 1 / n])), work=plan.room(width + 1),
        )
        for n in layer.steps
    ]  # fmt: skip
    return _of_parts(plan, Concatenate(), p, parts)


def _of_batch(
    plan: StreamPlan, layer: BatchNormalization, p: dict[str, Array], x: list[Edge]
) -> Edge:
    inverse = (1 / np.sqrt(p["moving_variance"] + np.float32(layer.epsilon))).astype(np.float32)
    factor = p["gamma"] * inverse
    begin = plan.constant(np.concatenate([factor, p["beta"] - p["moving_mean"] * factor]))
    own = ACTIVATIONS[layer.activation], factor.size
    return plan.add(op.AFFINE, x[0], plan.edge(*x[0][1:]), *own, weights=begin)


def _of_steps(
    plan: StreamPlan, layer: LayerNormalization, p: dict[str, Array], x: list[Edge]
) -> Edge:
    least = plan.constant(np.array([layer.epsilon], np.float32))
    own = plan.constant(p["beta"]), least
    return plan.add(
        op.NORMALIZE, x[0], plan.edge(*x[0][1:]), *own, weights=plan.constant(p["gamma"])
    )


def _of_embedding(
    plan: StreamPlan, layer: TokenEmbedding, p: dict[str, Array], x: list[Edge]
) -> Edge:
    out = plan.edge(layer.units, x[0].most)
    return plan.add(op.EMBED, x[0], out, weights=plan.constant(p["embeddings"]))


def _of_sum(plan: StreamPlan, layer: Add, p: dict[str, Array], x: list[Edge]) -> Edge:
    return plan.add(op.ADD, x[0], plan.edge(*x[0][1:]), other=x[1])


def _of_parts(plan: StreamPlan, layer: Concatenate, p: dict[str, Array], x: list[Edge]) -> Edge:
    whole, *more = x
    for part in more:
        out = plan.edge(whole.width + part.width, whole.most)
        whole = plan.add(op.JOIN, whole, out, other=part)
    return whole


def _pooled(plan: StreamPlan, x: Edge, mode: int, scores: Edge | None = None) -> Edge:
    size = x.width + 2 * (mode == op.ATTENTION)
    return plan.add(
        op.POOL, x, plan.edge(x.width, 1), mode, size, other=scores, state=plan.state(size),
        work=plan.room(size),
    )  # fmt: skip


def _of_pooling(plan: StreamPlan, layer: Pooling, p: dict[str, Array], x: list[Edge]) -> Edge:
    modes = {"last": [op.LAST], "mean": [op.MEAN], "max": [op.MAX], "mean_max": [op.MEAN, op.MAX]}
    parts = [_pooled(plan, x[0], mode) for mode in modes[layer.mode]]
    return _of_parts(plan, Concatenate(), p, parts)


def _of_attention(
    plan: StreamPlan, layer: AttentionPooling, p: dict[str, Array], x: list[Edge]
) -> Edge:
    hidden = _dense(plan, x[0], p["kernel"], p["bias"], "tanh")
    scores = _dense(plan, hidden, p["query"], np.zeros(1, np.float32), "linear")
    return _pooled(plan, x[0], op.ATTENTION, scores)


def _of_recurrent(plan: StreamPlan, layer: Recurrent, p: dict[str, Array], x: list[Edge]) -> Edge:
    """Write a recurrent layer; of its last state alone it is the last of its items."""
    row, units, n, most = layer.row, layer.units, plan.n_streams, x[0].most
    weights = calls_of(row).weights(Weights(*(p.get(name) for name in Weights._fields)))
    W, R, bias, *more = weights
    columns, pair = R.shape[1], 2 * units
    own = np.zeros(op.FIELDS, np.int64)
    own[cell.FAMILY], own[cell.COLUMNS] = cell.FAMILIES[row.family], columns
    own[cell.BIAS] = plan.constant(bias)
    own[cell.ACTIVATIONS] = plan.room(n * columns)
    if row.family == "gru":
        own[cell.TILES_R], own[cell.TILES_N] = (
            plan.constant(_tiles(part)) for part in (R[:, :pair], R[:, pair:])
        )
        own[cell.MORE], own[cell.AFTER] = plan.constant(more[0]), row.reset == "after"
        own[cell.SHARE], own[cell.OF_H] = plan.room(n * units), plan.room(n * padded(units))
    else:
        own[cell.TILES_R] = plan.constant(_tiles(R))
    h = plan.state(units)
    if row.family == "lstm":
        _write_lstm(plan, own, layer, more, most)
    out = plan.add(
        op.RECURRENT, x[0], plan.edge(units, most), *own[op.OWN :].tolist(), state=h,
        weights=plan.constant(_tiles(W)), work=plan.room(n * (padded(columns) + WIDTH)),
    )  # fmt: skip
    return out if layer.return_sequences else _pooled(plan, out, op.LAST)


def _write_lstm(
    plan: StreamPlan, own: Array, layer: Recurrent, more: list[Array], most: int
) -> None:
    """Write what a cell of the LSTM scheme has beside one state and its weights."""
    row, units, (peepholes, G) = layer.row, layer.units, more
    own[cell.MORE], own[cell.MEMORY] = plan.constant(peepholes), plan.state(units)
    own[cell.NEXT_MEMORY] = plan.room(most * plan.n_streams * units)
    own[cell.COUPLED] = row.coupled
    own[cell.LINEAR_IN] = row.input_activation == "linear"
    own[cell.LINEAR_OUT] = row.output_activation == "linear"
    blocks = [row.gates.index(k) if k in row.gates else -1 for k in "ifco"]
    seen = [row.peepholes.index(k) if k in row.peepholes else -1 for k in FED]
    own[cell.BLOCKS :] = [*blocks, *seen]
    if row.gate_recurrence:
        own[cell.RECURRENT], own[cell.GATES] = 1, plan.state(3 * units)
        own[cell.NEXT_GATES] = plan.room(most * plan.n_streams * 3 * units)
        own[cell.TILES_N], own[cell.TILES_O] = (
            plan.constant(_tiles(part)) for part in (G[:, : 2 * units], G[:, 2 * units :])
        )


FORMS: dict[type[Layer], Form] = {
    Add: _of_sum,
    AttentionPooling: _of_attention,
    Averages: _of_averages,
    BatchNormalization: _of_batch,
    Concatenate: _of_parts,
    Convolution: _of_convolution,
    Dense: _of_dense,
    Deviations: _of_deviations,
    Dropout: lambda plan, layer, p, x: x[0],
    LayerNormalization: _of_steps,
    Patch: _of_patch,
    Pooling: _of_pooling,
    Recurrent: _of_recurrent,
    Standardize: _of_standardize,
    TokenEmbedding: _of_embedding,
}
"""What a layer writes to a plan."""


def write_network(
    plan: StreamPlan, network: Network, weights: Sequence[Array], x: Edge, owner: str
) -> Edge:
    """Write a network up to what the loss sees; what reads moved series is there for each move."""
    flat, held = network.flat, FlatWeights(network)
    held.load(weights)
    check_directions(network, owner)
    values: dict[str, list[Edge]] = {"x": [x]}
    for node in needed_nodes(flat, flat.trained):
        layer, p = node.layer, held.values[node.shares or node.name]
        # lengths are left out: a series ends where it is
        refs = [str(ref) for ref in node.inputs if ref in values]
        if isinstance(layer, Moves):
            values[node.name] = [_moved(plan, x, move) for move in layer.moves]
            continue
        if isinstance(layer, MeanOfMoves):
            values[node.name] = [_mean(plan, values[refs[0]])]
            continue
        check_form(layer, owner)
        copies = zip(*(values[ref] for ref in refs), strict=True)
        values[node.name] = [FORMS[type(layer)](plan, layer, p, list(given)) for given in copies]
    return values[flat.trained][0]


def _moved(plan: StreamPlan, x: Edge, move: int) -> Edge:
    if not move:
        return x
    state = plan.state(max(-move, 0) * x.width)
    return plan.add(op.MOVE, x, plan.edge(x.width, 1 + max(move, 0)), move, state=state)


def _mean(plan: StreamPlan, parts: list[Edge]) -> Edge:
    total, width = parts[0], parts[0].width
    for part in parts[1:]:
        total = plan.add(op.ADD, total, plan.edge(width, 1), other=part)
    n = np.full(width, len(parts), np.float32)
    return _scaled(plan, total, np.zeros_like(n), n, 0)


def check_directions(network: Network, owner: str) -> None:
    """Raise, before anything else, where a layer begins at the end of a series."""
    for node in network.flat.nodes:
        if isinstance(node.layer, Recurrent):
            check_form(node.layer, owner)


def check_form(layer: Layer, owner: str) -> None:
    """Raise unless a layer needs nothing of a series but what has come."""
    if isinstance(layer, Recurrent) and layer.bidirectional:
        expected = "False, of one direction: the other one begins at the end of a series"
        raise ValueError(explain(owner, "bidirectional", expected, True, _ANEW))
    if isinstance(layer, Differences):
        expected = "False: a stream has no difference before its second observation"
        raise ValueError(explain(owner, "differences", expected, True, _ANEW))
    if isinstance(layer, NormalizeSeries):
        expected = "'none': every observation changes the mean and the spread of all before it"
        raise ValueError(explain(owner, "normalize", expected, "series", _ANEW))
    if type(layer) not in FORMS:
        expected = f"one of {', '.join(sorted(kind.__name__ for kind in FORMS))}"
        raise ValueError(explain(owner, "a layer", expected, type(layer).__name__))


_ANEW = "Set it so, and fit anew."
