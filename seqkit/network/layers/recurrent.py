r"""A recurrent layer of any cell, in one direction or both.

The equations of the cells are rows of :data:`seqkit.cells.CELLS`; whole sequences of them are
computed by compiled kernels (:mod:`seqkit.network.cpu`), which also give the gradient. A sequence
is ``(batch, time, features)``, a view of memory that lies ``(time, batch, features)``, so that what
one layer gives the next takes without a copy.

Without `return_sequences` the output is the last state at each series' own length, beside that of
the backward direction at the first step (Schuster and Paliwal 1997).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.cells import Cell, CellName, Weights, find_cell
from seqkit.network.cpu.sequences import SequenceBatch, buffer
from seqkit.network.cpu.shards import is_worth_a_part, n_cores, n_shards, side_by_side
from seqkit.network.initializers import (
    BIASES,
    DEFAULT,
    INITIALIZERS,
    Initializers,
    glorot_uniform,
    zeros,
)
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape

__all__ = ["Recurrent", "in_reverse"]

Calls = list[Callable[[], None]]
_NO_ROWS, _NO_STEPS = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)


def _by_time(x: Array) -> Array:
    """Return a sequence as it lies in memory for a recurrence: (time, batch, features)."""
    return np.ascontiguousarray(x.transpose(1, 0, 2), np.float32)


def in_reverse(x: Array, lengths: Array | None) -> Array:
    """Return series from their last step to their first, each within its own length."""
    if lengths is None:
        return x[::-1]
    steps = np.arange(len(x))[:, None]
    return x[np.where(steps < lengths, lengths - 1 - steps, steps), np.arange(x.shape[1])]


def _valid(n_steps: int, lengths: Array) -> Array:
    """Return 1 within a series and 0 past its end, (time, batch, 1)."""
    return (np.arange(n_steps)[:, None] < lengths).astype(np.float32)[:, :, None]


@dataclass(frozen=True)
class Recurrent(Layer):
    """A recurrent layer.

    Parameters
    ----------
    cell : str
        A row of :data:`seqkit.cells.CELLS`.
    units : int
        Size of one direction.
    bidirectional : bool
    recurrent_dropout : float
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    return_sequences : bool
        Whether every step is returned, zeros past a series' length.
    return_state : bool
        Whether the cell's states at each series' own length are outputs too, one each; of one
        direction only. The layer then may be given the states to start from.
    initializers : tuple
        :class:`~seqkit.network.initializers.Initializers` of kernel, recurrent kernel and bias.
    """

    cell: CellName
    units: int
    bidirectional: bool = False
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    return_state: bool = False
    initializers: tuple[Any, ...] = DEFAULT

    @property
    def row(self) -> Cell:
        """The cell's row."""
        return find_cell(self.cell)

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return 1 + len(self.row.states) if self.return_state else 1

    @property
    def directions(self) -> tuple[str, ...]:
        """What the paths of the weights of each direction begin with."""
        return ("forward/", "backward/") if self.bidirectional else ("",)

    def masks(self) -> int:
        return len(self.directions) if self.recurrent_dropout else 0

    def shape(self, x: Shape, *_: Any) -> Any:
        width = self.units * len(self.directions)
        out: Shape = (x[0], width) if self.return_sequences else (width,)
        return (out, *[(self.units,)] * len(self.row.states)) if self.return_state else out

    def parameters(self, x: Shape, *_: Any) -> tuple[Parameter, ...]:
        row, units, n_in = self.row, self.units, x[-1]
        assert n_in is not None
        columns = len(row.gates) * units
        bias = (2, columns) if row.bias_rows == 2 else (columns,)
        fed = len(row.gate_recurrence) * units
        begin = Initializers(*self.initializers)

        def matrix(name: str) -> Callable[[Any, int], Array]:
            return lambda shape, seed: INITIALIZERS[name](shape, seed, len(row.gates))

        def initial_bias(shape: tuple[int, ...], seed: int) -> Array:
            return BIASES[begin.bias](row.name, shape, seed, begin.n_steps)

        kernel, recurrent = matrix(begin.kernel), matrix(begin.recurrent)
        parameters = []
        for start in self.directions:
            parameters += [
                Parameter(f"{start}kernel", (n_in, columns), kernel),
                Parameter(f"{start}recurrent_kernel", (units, columns), recurrent),
                Parameter(f"{start}bias", bias, initial_bias),
            ]
            if row.peepholes:
                shape = (len(row.peepholes), units)
                parameters.append(Parameter(f"{start}peephole_kernel", shape, zeros))
            if fed:
                parameters.append(Parameter(f"{start}gate_kernel", (fed, fed), glorot_uniform))
        return tuple(parameters)

    def forward(
        self, ops: Any, p: Mapping[str, Array], saved: Saved, x: Array,
        lengths: Array | None = None, *initial: Array,
    ) -> Any:  # fmt: skip
        x = _by_time(x)
        saved["directions"] = directions = [
            _Direction(self, index, p, saved, x, lengths, initial)
            for index in range(len(self.directions))
        ]
        self._run([call for direction in directions for call in direction.forward()], x)
        parts = [direction.output() for direction in directions]
        out = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
        out = out.transpose(1, 0, 2) if out.ndim == 3 else out
        return (out, *directions[0].final_states()) if self.return_state else out

    def _run(self, calls: Calls, x: Array) -> None:
        """Make the calls of all directions, side by side where each is worth it."""
        n_steps, batch, _ = x.shape
        side_by_side(calls, is_worth_a_part(batch, n_steps, self.units))

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Any,
        wants: tuple[bool, ...],
    ) -> tuple[Array | None, ...]:  # fmt: skip
        directions = saved["directions"]
        d, *d_states = d if self.return_state else (d,)
        if d is not None and d.ndim == 3:
            d = d.transpose(1, 0, 2)
        parts = [None] if d is None else np.split(d, len(directions), -1)
        calls: Calls = []
        for direction, part in zip(directions, parts, strict=True):
            calls += direction.backward(part, d_states, wants[0])
        self._run(calls, directions[0].batch.x)
        gradients = [direction.gradient(g, wants[0]) for direction in directions]
        dx = gradients[0] if len(gradients) == 1 or not wants[0] else gradients[0] + gradients[1]
        d_initial = list(directions[0].batch.d_initial) if len(wants) > 2 else []
        return (dx.transpose(1, 0, 2) if wants[0] else None, None, *d_initial)


class _Direction:
    """One direction of a layer on its way through a batch: sequences are (time, batch, ...)."""

    def __init__(
        self, layer: Recurrent, index: int, p: Mapping[str, Array], saved: Saved, x: Array,
        lengths: Array | None, initial: tuple[Array, ...],
    ) -> None:  # fmt: skip
        self.layer, self.lengths, self.cell = layer, lengths, layer.row
        self.start, self.reverse = layer.directions[index], index == 1
        weights = Weights(*(p.get(f"{self.start}{name}") for name in Weights._fields))
        n_steps, n, _ = x.shape
        mask = _NO_ROWS
        if saved.mask is not None and layer.recurrent_dropout:
            mask = saved.mask((n, layer.units), layer.recurrent_dropout, index)
        parts = n_shards(n, n_steps, layer.units, len(layer.directions), n_cores())
        x = in_reverse(x, lengths) if self.reverse else x
        self.batch = SequenceBatch(self.cell, x, weights, mask, parts)
        none = [np.zeros((n, layer.units), np.float32)] * len(self.cell.states)
        self.initial = [np.ascontiguousarray(s, np.float32) for s in initial] or none
        self.names = [
            name for name, w in zip(Weights._fields, weights, strict=True) if w is not None
        ]

    def forward(self) -> Calls:
        """Return the calls that compute the sequence."""
        layer, (n_steps, n) = self.layer, (self.batch.n_steps, self.batch.size)
        # of the last step only, where that is all that anybody sees
        self.last = not layer.return_sequences and self.lengths is None
        n_states = len(self.cell.states) if layer.return_state else 1
        shape = (n, layer.units) if self.last else (n_steps, n, layer.units)
        self.states = [buffer(*shape) for _ in range(n_states)]
        return self.batch.forward(self.initial, self.states)

    def _at_end(self, state: Array) -> Array:
        """Return a state at each series' own last step, (batch, units)."""
        if self.last:
            return state
        end = -1 if self.lengths is None else (self.lengths - 1, np.arange(state.shape[1]))
        out: Array = state[end]
        return out

    def final_states(self) -> list[Array]:
        return [self._at_end(state) for state in self.states]

    def output(self) -> Array:
        out = self.states[0]
        if not self.layer.return_sequences:
            return self._at_end(out)
        if self.lengths is not None:
            # in place, but for the states that are outputs themselves
            valid = _valid(len(out), self.lengths)
            out = out * valid if self.layer.return_state else np.multiply(out, valid, out=out)
        return in_reverse(out, self.lengths) if self.reverse else out

    def backward(self, d: Array | None, d_states: list[Array | None], wants_input: bool) -> Calls:
        """Return the calls that compute gradients: `d` of the output, `d_states` of the states."""
        n_steps, n, units = self.batch.n_steps, self.batch.size, self.layer.units
        n_states = len(self.cell.states)
        upstream: list[Array] = [_NO_STEPS] * n_states  # of every step
        carry: list[Array] = [_NO_ROWS] * n_states  # of the last one
        ends = [*d_states, *[None] * (n_states - len(d_states))]
        if d is not None and not self.layer.return_sequences:
            ends[0] = d if ends[0] is None else ends[0] + d
        elif d is not None:
            if self.lengths is not None:
                d = d * _valid(n_steps, self.lengths)
            d = in_reverse(d, self.lengths) if self.reverse else d
            upstream[0] = np.ascontiguousarray(d, np.float32)
        for k, end in enumerate(ends):
            if end is None:
                continue
            if self.lengths is None:
                carry[k] = np.ascontiguousarray(end, np.float32)
                continue
            whole = upstream[k]
            if not len(whole):
                whole = np.zeros((n_steps, n, units), np.float32)
            elif whole is d:  # somebody else's
                whole = whole.copy()
            whole[self.lengths - 1, np.arange(n)] += end
            upstream[k] = whole
        return self.batch.backward(upstream, carry, wants_input)

    def gradient(self, g: Mapping[str, Array], wants_input: bool) -> Array:
        """Fill the gradients of the weights; return that of the input."""
        for name, gradient in zip(self.names, self.batch.gradients(), strict=True):
            g[f"{self.start}{name}"][...] = gradient
        dx = self.batch.dx
        return in_reverse(dx, self.lengths) if self.reverse and wants_input else dx
