"""What is inside of a recurrent layer: its gates over time, and the gradient of its states.

The compiled kernels compute whole sequences and keep gates to themselves; here is the plain step
of a cell (:mod:`seqkit.network.steps`) over what a layer reads. The gradient is the kernels' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.cells import Cell, Weights
from seqkit.network.cpu.sequences import SequenceBatch
from seqkit.network.graph import Network
from seqkit.network.layers.base import Array
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.patching import LeftPatch, Patch, patch_count
from seqkit.network.layers.recurrent import Recurrent, in_reverse
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY
from seqkit.network.steps import cell_step

__all__ = ["DOUBLES", "NAMES", "Recurrence", "recurrences"]

DOUBLES = SimpleNamespace(
    matmul=np.matmul, split=np.split, concatenate=np.concatenate, sigmoid=NUMPY.sigmoid,
    tanh=np.tanh,
)  # fmt: skip
"""The namespace of arrays in any precision: that of layers has float32 alone."""

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
    node : str
        Where it stands in the network.
    layer : int
        Its number, from 1.
    direction : {"forward", "backward"}
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
    """

    node: str
    layer: int
    direction: str
    cell: Cell
    weights: Weights
    x: Array
    lengths: Array | None
    starts: Array
    stride: int

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
        return out

    def _states(self) -> tuple[list[list[Array]], list[dict[str, Array]]]:
        """Return the states after every step, in the order of reading, and its gates."""
        weights = Weights(*(w if w is None else np.asarray(w, np.float64) for w in self.weights))
        now = (np.zeros((self.x.shape[1], self.units)),) * len(self.cell.states)
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
    """Return the directions of all recurrent layers that read the series of `inputs`.

    The steps of a decoder, which read no series, are not among them.
    """
    flat = native.network.flat
    nodes = [
        node
        for node in flat.nodes
        if isinstance(node.layer, Recurrent) and node.shares is None and len(node.inputs) <= 2
    ]
    refs = {ref for node in nodes for ref in node.inputs if ref is not None}
    own = {i.name for i in flat.inputs} & {"x", "lengths"}
    values = native.values(inputs, [*refs, *own])
    found = []
    for number, node in enumerate(nodes, 1):
        layer, (x, lengths) = node.layer, (*node.inputs, None)[:2]
        assert isinstance(layer, Recurrent)
        steps, weights = values[str(x)], native.weights.values[node.name]
        ends = None if lengths is None else np.asarray(values[lengths])
        starts, stride = _axis(flat, str(x), values["x"], values.get("lengths"), len(steps))
        for start in layer.directions:
            backward = start == "backward/"
            read = np.ascontiguousarray(steps.transpose(1, 0, 2), np.float32)
            found.append(
                Recurrence(
                    node.name, number, "backward" if backward else "forward", layer.row,
                    Weights(*(weights.get(f"{start}{name}") for name in Weights._fields)),
                    in_reverse(read, ends) if backward else read, ends, starts, stride,
                )
            )  # fmt: skip
    return found


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
