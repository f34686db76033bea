"""Decoders of the forecaster: from the encoded window to the steps of the horizon.

Each is a row of :data:`DECODERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqkit.cells import CellName, find_cell
from seqkit.errors import explain
from seqkit.network.graph import Graph, Network
from seqkit.network.initializers import DEFAULT, Initializers
from seqkit.network.layers.base import Layer, Shape
from seqkit.network.layers.combining import Add, Concatenate, ReluSum
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.embedding import SegmentQueries
from seqkit.network.layers.heads import HeadLayer
from seqkit.network.layers.patching import patch_count
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.shaping import (
    AsSequence,
    FoldSteps,
    Pick,
    RepeatRows,
    Reshape,
    Segments,
    Step,
    UnfoldSegments,
)
from seqkit.network.series import dense_stack, recurrent_stack
from seqkit.network.settings import MOST_SEGMENTS

__all__ = ["DECODERS", "Decoder", "RecursiveDecoder", "Window"]


@dataclass(frozen=True)
class Window:
    """What a decoder works with; a window counts once a channel where they are independent.

    Attributes
    ----------
    graph : Graph
    steps : str
        Patches of normalised targets and covariates, (K, F).
    lengths : str or None
        Valid patches, at the front.
    last : str or None
        The last patch of normalised targets, (patch, n_outputs).
    naive : str or None
        The naive forecast that is departed from, (horizon, n_outputs).
    future : str or None
        (horizon, n_future).
    static : str or None
        (n_static,).
    n_channels : int
        Channels folded into the batch, 1 where they are joint.
    """

    graph: Graph
    owner: str
    steps: str
    lengths: str | None
    last: str | None
    naive: str | None
    future: str | None
    static: str | None
    n_channels: int
    horizon: int
    n_outputs: int
    n_parameters: int
    head: str
    cell: CellName
    units: tuple[int, ...]
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    residual: bool
    patch: int
    dense: tuple[int, ...]
    initializers: Initializers = DEFAULT

    def summary(self) -> str:
        """Write the encoder; return the vector that it makes of the window."""
        vector = recurrent_stack(
            self.graph, self.owner, self.steps, self.lengths, cell=self.cell, units=self.units,
            bidirectional=self.bidirectional, dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout, residual=self.residual, pooling="last",
            initializers=self.initializers,
        )  # fmt: skip
        if self.static is None:
            return vector
        return self.graph.add("with_static", Concatenate(), vector, self.static)


@dataclass(frozen=True)
class Decoder:
    """A row of :data:`DECODERS`.

    Parameters
    ----------
    name, summary, source : str
    decode : callable (Window) -> str
        Writes the nodes; returns what gives (horizon, n_outputs, n_parameters).
    forbids : dict of str to value
        Settings the decoder cannot use, with the only value it takes.
    """

    name: str
    summary: str
    decode: Callable[[Window], str]
    forbids: dict[str, Any]
    source: str = ""


def _direct(w: Window) -> str:
    """All steps at once from the final state, which has seen the last observation."""
    graph = w.graph
    features = dense_stack(graph, w.summary(), w.dense, w.dropout)
    shape = (w.horizon, w.n_outputs, w.n_parameters)
    out = graph.add("head", Dense(shape[0] * shape[1] * shape[2]), features)
    out = graph.add("head_steps", Reshape(shape), out)
    if w.future is None:
        return out
    # each step also receives its own covariates, by weights shared over the steps
    width = w.units[-1]
    own = graph.add("future_steps", Dense(width), w.future)  # (horizon, width)
    state = graph.add("future_state", Dense(width, use_bias=False), features)
    mixed = graph.add("future_mixed", ReluSum(), own, state)
    effect = graph.add("future_effect", Dense(shape[1] * shape[2]), mixed)
    effect = graph.add("future_reshape", Reshape(shape), effect)
    return graph.add("future_sum", Add(), out, effect)


def _recursive(w: Window) -> str:
    """Patch after patch, each from the one before."""
    if patch_count(w.horizon, w.patch) > MOST_SEGMENTS:
        expected = f"at most {MOST_SEGMENTS} patches of {w.patch} with decoder 'recursive'"
        hint = "Use a longer patch, or another decoder."
        raise ValueError(explain(w.owner, "horizon", expected, w.horizon, hint))
    decoder = RecursiveDecoder(
        w.horizon, w.patch, w.n_parameters, w.head, w.cell, w.units, w.dropout,
        naive=w.naive is not None, future=w.future is not None,
        initializers=w.initializers.over(patch_count(w.horizon, w.patch)),
    )  # fmt: skip
    given = [ref for ref in (w.naive, w.future) if ref is not None]
    return w.graph.add("decoder", decoder, w.summary(), w.last, *given)


def _segment(w: Window) -> str:
    """All patches of the horizon in parallel, each one step of the same recurrence."""
    graph, width, n_states = w.graph, w.units[0], len(find_cell(w.cell).states)
    n_segments = patch_count(w.horizon, w.patch)
    x = graph.add("segment_embedding", Dense(width, "relu"), w.steps)
    names = [f"recurrent_{i + 1}" for i in range(len(w.units))]
    layers = [
        Recurrent(
            w.cell,
            n,
            False,
            w.recurrent_dropout,
            return_sequences=True,
            return_state=True,
            initializers=w.initializers,
        )
        for n in w.units
    ]
    for name, layer in zip(names, layers, strict=True):
        x = graph.add(name, layer, x, w.lengths)
    queries = SegmentQueries(n_segments, width, w.n_channels)
    query = graph.add("queries", queries, f"{names[0]}:1")
    if w.future is not None:
        ahead = graph.add("segments", Segments(n_segments, w.patch), w.future)
        ahead = graph.add("future_segments", Dense(width), ahead)
        query = graph.add("with_future", Add(), query, ahead)
    if w.static is not None:
        static = graph.add("static_segments", Dense(width), w.static)
        query = graph.add("with_static", Add(), query, static)
    y = graph.add("fold_segments", FoldSteps(), query)
    for name, layer in zip(names, layers, strict=True):
        states = [
            graph.add(f"{name}_state_{k}", RepeatRows(n_segments), f"{name}:{k + 1}")
            for k in range(n_states)
        ]
        y = graph.add(f"{name}_ahead", layer, y, None, *states, shares=name)
    if w.dropout:
        y = graph.add("dropout_head", Dropout(w.dropout), y)
    y = graph.add("head", Dense(w.patch * w.n_outputs * w.n_parameters), y)
    target = (w.horizon, w.n_outputs, w.n_parameters)
    return graph.add("unfold_segments", UnfoldSegments(n_segments, target), y)


DECODERS: dict[str, Decoder] = {
    row.name: row
    for row in (
        Decoder("direct", "a head from the final state to all steps at once", _direct, {}),
        Decoder(
            "recursive",
            "patch after patch, its own outputs fed back, trained the same way",
            _recursive,
            {"dense": ()},
            "Salinas et al. 2020, without teacher forcing",
        ),
        Decoder(
            "segment",
            "all patches of the horizon in parallel, from position and channel embeddings",
            _segment,
            {"dense": (), "bidirectional": False, "residual": False},
            "Lin et al. 2023 (SegRNN)",
        ),
    )
}


@dataclass(frozen=True)
class RecursiveDecoder(Layer):
    """Forecast patch after patch; each step takes the patch before it, as forecast.

    What is fed back is the head's point: the value, the median quantile or the location. The same
    happens in training, so the network learns from its own errors. It is a network in itself,
    :meth:`inner`: one step of a recurrent stack and a head, written once for every segment with the
    same weights, the states starting from the encoder's summary.

    Parameters
    ----------
    horizon, patch, n_parameters : int
    head, cell : str
    units : tuple of int
    dropout : float
    naive, future : bool
        Whether those inputs follow `summary` and `last`.
    initializers : tuple
        Of its recurrent layers, as :class:`~seqkit.network.layers.recurrent.Recurrent` takes them.
    """

    horizon: int
    patch: int
    n_parameters: int
    head: str
    cell: CellName
    units: tuple[int, ...]
    dropout: float = 0.0
    naive: bool = False
    future: bool = False
    initializers: tuple[Any, ...] = DEFAULT

    def shape(self, summary: Shape, last: Shape, *more: Shape) -> Shape:
        return (self.horizon, last[1], self.n_parameters)

    def inner(self, summary: Shape, last: Shape, *more: Shape) -> Network:
        graph = Graph("decoder")
        n_outputs, n_segments = last[1], patch_count(self.horizon, self.patch)
        assert n_outputs is not None
        graph.input("summary", summary)
        graph.input("last", last)
        shapes = iter(more)
        segments = Segments(n_segments, self.patch)
        ahead = {}
        for name, there in (("naive", self.naive), ("future", self.future)):
            if there:
                graph.input(name, next(shapes))
                ahead[name] = graph.add(f"{name}_segments", segments, name)
        n_states = len(find_cell(self.cell).states)
        states = [
            [
                graph.add(f"bridge_{i + 1}_{s}", Dense(width, "tanh"), "summary")
                for s in range(n_states)
            ]
            for i, width in enumerate(self.units)
        ]
        fed = graph.add("fed_0", Reshape((self.patch * n_outputs,)), "last")
        parts = []
        for k in range(n_segments):
            net, states = self._segment(graph, k, fed, ahead.get("future"), states, n_outputs)
            parts.append(net)
            if k + 1 < n_segments:
                fed = self._fed(graph, k, net, ahead.get("naive"), n_outputs)
        return graph.network(graph.add("steps", Concatenate(1, self.horizon), *parts))

    def _segment(
        self, graph: Graph, k: int, fed: str, ahead: str | None, states: list[list[str]], n: int
    ) -> tuple[str, list[list[str]]]:
        """Write one segment; return what it gives, and the states after it."""
        if ahead is not None:
            own = graph.add(f"future_{k}", Step(k), ahead)
            fed = graph.add(f"with_future_{k}", Concatenate(), fed, own)
        y = graph.add(f"step_{k}", AsSequence(), fed)
        after = []
        for i, width in enumerate(self.units):
            if i:
                y = self._dropped(graph, f"drop_{k}_{i + 1}", y)
            name = f"recurrent_{i + 1}"
            layer = Recurrent(
                self.cell, width, return_sequences=True, return_state=True,
                initializers=self.initializers,
            )  # fmt: skip
            here, shares = (f"{name}_{k}", name) if k else (name, None)
            y = graph.add(here, layer, y, None, *states[i], shares=shares)
            after.append([f"{here}:{s + 1}" for s in range(len(states[i]))])
        y = self._dropped(graph, f"drop_{k}", graph.add(f"last_{k}", Step(0), y))
        size = self.patch * n * self.n_parameters
        here, shares = (f"head_{k}", "head") if k else ("head", None)
        net = graph.add(here, Dense(size), y, shares=shares)
        return graph.add(f"net_{k}", Reshape((self.patch, n, self.n_parameters)), net), after

    def _dropped(self, graph: Graph, name: str, x: str) -> str:
        """Write dropout; one source of masks serves them all."""
        if not self.dropout:
            return x
        first = "drop_0_2" if len(self.units) > 1 else "drop_0"
        shares = None if name == first else first
        return graph.add(name, Dropout(self.dropout), x, shares=shares)

    def _fed(self, graph: Graph, k: int, net: str, naive: str | None, n: int) -> str:
        """Write what the next segment is fed."""
        own = None
        if naive is not None:
            own = graph.add(f"naive_{k}", Step(k), naive)
            own = graph.add(f"own_naive_{k}", Reshape((self.patch, n)), own)
        point = graph.add(f"prediction_{k}", HeadLayer(self.head), net, own)
        if self.head != "point":
            middle = self.n_parameters // 2 if self.head == "quantiles" else 0
            point = graph.add(f"point_{k}", Pick(middle), point)
        return graph.add(f"fed_{k + 1}", Reshape((self.patch * n,)), point)
