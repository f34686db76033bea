"""What is inside of a recurrent layer: its gates over time, and the gradient of its states.

The compiled kernels compute whole sequences and keep gates to themselves; here is the plain step
of a cell (:mod:`seqkit.network.steps`) over what a layer reads. The gradient is the kernels' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.cells import Cell, Weights
from seqkit.network.cpu.sequences import SequenceBatch, unsupported
from seqkit.network.graph import Network, Node
from seqkit.network.layers.base import Array
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.patching import LeftPatch, Patch, patch_count
from seqkit.network.layers.recurrent import Recurrent, in_reverse
from seqkit.network.layers.shaping import RepeatRows
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY
from seqkit.network.steps import cell_step

__all__ = ["DOUBLES", "NAMES", "Recurrence", "recurrences"]

DOUBLES = SimpleNamespace(
    matmul=np.matmul, split=np.split, concatenate=np.concatenate, sigmoid=NUMPY.sigmoid,
    tanh=np.tanh,
)  # fmt: skip
"""The namespace of arrays in any precision: that of layers has float32 alone."""

ACTIVATIONS = {"lstm": 2, "gru": 1}
"""Which of the arrays that the kernels of a family save holds the activations of its gates."""

NAMES = {
    "i": "input gate i",
    "f": "forget gate f",
    "o": "output gate o",
    "z": "update gate z",
    "r": "reset gate r",
    "g": "candidate g",
    "c": "memory c",
    "h": "output h",
}
"""What people call the activations of a cell."""


@dataclass(frozen=True)
class Recurrence:
    """One direction of a recurrent layer on its way over a batch of series.

    Attributes
    ----------
    nodes : tuple of str
        Where it stands in the network; a decoder that repeats itself stands there once a step.
    layer : int
        Its number, from 1.
    direction : {"forward", "backward", "ahead"}
        Over the series; or, of a decoder, on over the steps of the horizon.
    cell : Cell
    weights : Weights
    x : ndarray of shape (time, batch, n_features)
        What it reads, in the order in which it does.
    lengths : ndarray of shape (batch,) or None
        Steps of each series; None where all have the same.
    starts : ndarray of shape (batch,)
        Where in its series, in steps of the network's input, what is read first stands: the middle
        of it, where that is several steps.
    stride : int
        Steps of the input from one step to the next.
    initial : tuple of ndarray of shape (batch, units)
        The states that it starts from, one a state of the cell; () = zeros.
    beside : int
        Steps ahead that all start from the same states: they are rows of the batch, one after the
        other, each a sequence of one step.
    """

    nodes: tuple[str, ...]
    layer: int
    direction: str
    cell: Cell
    weights: Weights
    x: Array
    lengths: Array | None
    starts: Array
    stride: int
    initial: tuple[Array, ...] = ()
    beside: int = 1

    @property
    def node(self) -> str:
        """The first place in the network where it stands."""
        return self.nodes[0]

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates, whose values are from 0 to 1."""
        return tuple(name for name in self.cell.gates if name not in ("c", "h"))

    @property
    def names(self) -> tuple[str, ...]:
        """What :meth:`activations` gives: the gates, the candidate, the states (``NAMES``)."""
        candidate = ("g",) if self.gates else ()  # of a simple network it is the output
        return (*self.gates, *candidate, *(("c", "h") if self._remembers else ("h",)))

    @property
    def _remembers(self) -> bool:
        return "c" in self.cell.states

    @property
    def units(self) -> int:
        """Its size."""
        return int(self.weights.recurrent_kernel.shape[0])

    def _by_series(self, sequence: Array) -> Array:
        """Return (time, batch, units) as (batch, time, units) in time's order, NaN past the end."""
        if self.direction == "backward":
            sequence = in_reverse(sequence, self.lengths)
        out = sequence.transpose(1, 0, 2).copy()
        if self.lengths is not None:
            out[np.arange(out.shape[1]) >= self.lengths[:, None]] = np.nan
        return out.reshape(len(out) // self.beside, -1, out.shape[2])

    def _states(self) -> tuple[list[list[Array]], list[dict[str, Array]]]:
        """Return the states after every step, in the order of reading, and its gates."""
        weights = Weights(*(w if w is None else np.asarray(w, np.float64) for w in self.weights))
        now = (np.zeros((self.x.shape[1], self.units)),) * len(self.cell.states)
        now = tuple(state.astype(np.float64) for state in self.initial) or now
        states, gates = [list(now)], []
        for x in self.x.astype(np.float64):
            now, activations = cell_step(DOUBLES, self.cell, weights, x, now)
            states.append(list(now))
            gates.append(activations)
        return states, gates

    def activations(self) -> dict[str, Array]:
        """Return gates, candidate and states of every step.

        Returns
        -------
        dict of str to ndarray of float64 of shape (batch, time, units)
            By the names of :attr:`names`, in time's order whatever the direction; NaN past the end
            of a series.
        """
        states, gates = self._states()
        candidate = "c" if self._remembers else "h"
        found = {}
        for name in self.names:
            if name in ("h", "c"):
                rows = [now[self.cell.states.index(name)] for now in states[1:]]
            else:
                rows = [one[candidate if name == "g" else name] for one in gates]
            found[name] = self._by_series(np.stack(rows))
        return found

    def gate_values(self) -> dict[str, Array]:
        """Return the gates alone, as the compiled kernels keep them for the gradient: quicker.

        Returns
        -------
        dict of str to ndarray of shape (batch, time, units)
            As :meth:`activations` gives them, in float32.
        """
        if unsupported(self.cell) or not self.gates:
            found = self.activations()
            return {name: found[name] for name in self.gates}
        n = self.x.shape[1]
        x = np.ascontiguousarray(self.x, np.float32)
        batch = SequenceBatch(self.cell, x, self.weights, np.zeros((0, 0), np.float32), 1)
        none = [np.zeros((n, self.units), np.float32)] * len(self.cell.states)
        initial = [np.ascontiguousarray(state, np.float32) for state in self.initial] or none
        for call in batch.forward(initial, []):
            call()
        whole = batch._of_part(0, n)[ACTIVATIONS[self.cell.family]]
        parts = zip(self.cell.gates, np.split(whole, len(self.cell.gates), axis=-1), strict=True)
        return {name: self._by_series(part) for name, part in parts if name in self.gates}

    def gradient(self, coming: Mapping[str, Sequence[Array | None]]) -> Array:
        """Return dL/dh of every step from what a backward pass of the network leaves.

        Parameters
        ----------
        coming : mapping of str to sequence of ndarray or None
            The gradient of each output of every node of :attr:`nodes`, as
            :meth:`seqkit.network.native.NativeNetwork.backward` returns it.

        Returns
        -------
        ndarray of shape (batch, time, units)
            In time's order; NaN past the end of a series.
        """
        if self.direction == "ahead":  # what follows a step is nodes of their own
            none = np.zeros((self.x.shape[1], self.units))
            steps = []
            for node in self.nodes:
                output, h, *_ = (*coming[node], None)
                whole = none if output is None else output[:, 0]
                steps.append(whole if h is None else whole + h)
            return self._by_series(np.stack(steps).astype(np.float64))
        upstream, *ends = coming[self.node]
        if upstream is not None and upstream.shape[-1] == 2 * self.units:
            upstream = np.split(upstream, 2, -1)[self.direction == "backward"]
        return self.output_gradient(upstream, ends)

    def output_gradient(self, upstream: Array | None, ends: Sequence[Array | None] = ()) -> Array:
        """Return dL/dh of every step, with all that comes through later steps.

        The compiled kernel takes one step after the other, from the last: the gradient of the
        states that it starts from is what the step before it receives.

        Parameters
        ----------
        upstream : ndarray of shape (batch, time, units), or (batch, units) of the last, or None
            Gradient of the layer's output, in time's order.
        ends : sequence of ndarray of shape (batch, units), or None
            Of the states at each series' own end, where they are outputs too.

        Returns
        -------
        ndarray of float64 of shape (batch, time, units)
            In time's order; NaN past the end of a series.
        """
        n_steps, n, _ = self.x.shape
        last = np.full(n, n_steps) if self.lengths is None else np.asarray(self.lengths)
        coming = np.zeros((n_steps, len(self.cell.states), n, self.units), np.float32)
        of_last = [*ends, *[None] * (len(self.cell.states) - len(ends))]
        if upstream is not None and upstream.ndim == 3:
            by_time = np.nan_to_num(upstream.transpose(1, 0, 2))
            by_time = by_time * (np.arange(n_steps)[:, None] < last)[:, :, None]
            backward = self.direction == "backward"
            coming[:, 0] = in_reverse(by_time, self.lengths) if backward else by_time
        elif upstream is not None:
            of_last[0] = upstream if of_last[0] is None else of_last[0] + upstream
        for k, end in enumerate(of_last):
            if end is not None:
                coming[last - 1, k, np.arange(n)] += end
        states = self._states()[0]
        found, carried = np.zeros((n_steps, n, self.units)), np.zeros_like(coming[0])
        none = [np.zeros((0, 0, 0), np.float32)] * len(self.cell.states)
        for t in reversed(range(n_steps)):
            carried = carried + coming[t]
            found[t] = carried[0]
            x = np.ascontiguousarray(self.x[t : t + 1], np.float32)
            one = SequenceBatch(self.cell, x, self.weights, np.zeros((0, 0), np.float32), 1)
            before = [np.ascontiguousarray(s, np.float32) for s in states[t]]
            for call in one.forward(before, []):
                call()
            for call in one.backward(none, list(carried), wants_input=False):
                call()
            carried = one.d_initial
        return self._by_series(found)


def recurrences(native: NativeNetwork, inputs: Any) -> list[Recurrence]:
    """Return the directions of all recurrent layers over some series.

    Those that read the series come first; then those of a decoder that goes on over the horizon,
    from states that it is given.
    """
    flat = native.network.flat
    read = [node for node in flat.nodes if isinstance(node.layer, Recurrent)]
    encoders = [node for node in read if len(node.inputs) <= 2 and node.shares is None]
    decoders: dict[str, list[Node]] = {}
    for node in read:
        if len(node.inputs) > 2:
            decoders.setdefault(node.shares or node.name, []).append(node)
    shown = [*encoders, *(node for nodes in decoders.values() for node in nodes)]
    refs = {ref for node in shown for ref in node.inputs if ref}
    own = {i.name for i in flat.inputs} & {"x", "lengths"}
    values = native.values(inputs, [*refs, *own])
    found = []
    for number, node in enumerate(encoders, 1):
        found += _over_series(native, node, number, values)
    n_steps = values["x"].shape[1]
    stride = found[0].stride if found else 1  # a step ahead is a patch, too
    for number, nodes in enumerate(decoders.values(), 1):
        found.append(_over_horizon(native, nodes, number, values, n_steps, stride))
    return found


def _over_series(
    native: NativeNetwork, node: Node, number: int, values: Mapping[str, Any]
) -> list[Recurrence]:
    """Return the directions of a layer that reads series."""
    layer, (ref, lengths) = node.layer, (*node.inputs, None)[:2]
    assert isinstance(layer, Recurrent)
    steps, weights = values[str(ref)], native.weights.values[node.name]
    ends = None if lengths is None else np.asarray(values[lengths])
    flat, x = native.network.flat, values["x"]
    starts, stride = _axis(flat, str(ref), x, values.get("lengths"), len(steps))
    read = np.ascontiguousarray(steps.transpose(1, 0, 2), np.float32)
    found = []
    for start in layer.directions:
        backward = start == "backward/"
        found.append(
            Recurrence(
                (node.name,), number, "backward" if backward else "forward", layer.row,
                Weights(*(weights.get(f"{start}{name}") for name in Weights._fields)),
                in_reverse(read, ends) if backward else read, ends, starts, stride,
            )
        )  # fmt: skip
    return found


def _over_horizon(
    native: NativeNetwork, nodes: Sequence[Node], number: int, values: Mapping[str, Any],
    n_steps: int, stride: int,
) -> Recurrence:  # fmt: skip
    """Return a decoder's layer: a node a step, or one node with the steps as rows of its batch."""
    layer, first = nodes[0].layer, nodes[0]
    assert isinstance(layer, Recurrent)
    weights = native.weights.values[first.shares or first.name]
    x = np.concatenate([values[str(node.inputs[0])] for node in nodes], axis=1)
    initial = tuple(values[str(ref)] for ref in first.inputs[2:])
    producers = {node.name: node.layer for node in native.network.flat.nodes}
    source = producers.get(str(first.inputs[2]))
    beside = source.times if isinstance(source, RepeatRows) else 1
    return Recurrence(
        tuple(node.name for node in nodes), number, "ahead", layer.row,
        Weights(*(weights.get(name) for name in Weights._fields)),
        np.ascontiguousarray(x.transpose(1, 0, 2), np.float32), None,
        np.full(len(x) // beside, n_steps + (stride - 1) / 2), stride, initial, beside,
    )  # fmt: skip


def _axis(
    flat: Network, ref: str, x: Array, lengths: Array | None, n_rows: int
) -> tuple[Array, int]:
    """Return where in each series the first step of what `ref` gives stands, and the stride."""
    layers = []
    nodes = {node.name: node for node in flat.nodes}
    while (node := nodes.get(ref.split(":")[0])) is not None:
        layers.append(node.layer)
        ref = str(node.inputs[0])
    starts, stride = np.zeros(n_rows), 1
    for layer in reversed(layers):
        if isinstance(layer, Convolution):
            stride *= layer.stride
        elif isinstance(layer, Patch):
            middle = (layer.size + layer.overlap - 1) / 2 - layer.overlap // 2
            starts, stride = starts + stride * middle, stride * layer.size
        elif isinstance(layer, LeftPatch):  # the last patch ends with the window
            n_steps = x.shape[1]
            valid = np.full(len(x), n_steps) if lengths is None else np.asarray(lengths)
            valid = np.repeat(valid, n_rows // len(x))
            first = n_steps - patch_count(valid, layer.size) * layer.size
            starts, stride = first + (layer.size - 1) / 2, layer.size
    return starts, stride
