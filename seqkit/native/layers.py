"""Layers there and back. Shapes: (batch, features), or (time, batch, features) for sequences.

``forward`` keeps what ``backward`` needs; ``backward`` takes the gradient of the output, fills
those of the layer's parameters and returns that of the input. Every way back is tested against
TensorFlow's gradient of the Keras layer of the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.cells import Weights, find_cell
from seqkit.draws import cell_bias, glorot_uniform, orthogonal, zeros
from seqkit.machine.schemes import code
from seqkit.machine.sequences import Batch, room
from seqkit.machine.shards import n_cores, n_shards, side_by_side
from seqkit.native.parameters import Parameters

__all__ = ["Dense", "Dropout", "Pooling", "Recurrent"]

Array = np.ndarray
Calls = list[Callable[[], None]]
_NO_ROWS, _NO_STEPS = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)


def _rows(x: Array) -> Array:
    return np.ascontiguousarray(x, np.float32)


class Dense:
    """``x W + b``, with a rectifier if wanted."""

    def __init__(
        self, parameters: Parameters, path: str, n_in: int, n_out: int, rectified: bool = False
    ) -> None:
        self.kernel = parameters.add(f"{path}/kernel", (n_in, n_out), glorot_uniform)
        self.bias = parameters.add(f"{path}/bias", (n_out,), zeros)
        self.rectified = rectified

    def forward(self, x: Array) -> Array:
        self.x = _rows(x)
        self.out = np.empty((len(x), self.kernel.shape[1]), np.float32)
        code().dense_forward(self.x, self.kernel.value, self.bias.value, self.out)
        if self.rectified:
            np.maximum(self.out, 0, out=self.out)
        return self.out

    def backward(self, d: Array) -> Array:
        if self.rectified:
            d = d * (self.out > 0)
        dx = np.empty_like(self.x)
        code().dense_backward(
            self.x, self.kernel.value, _rows(d), self.kernel.gradient, self.bias.gradient, dx
        )
        return dx


class Dropout:
    """Elements dropped in training, those that stay scaled up (Srivastava et al. 2014)."""

    def __init__(self, parameters: Parameters, rate: float) -> None:
        self.parameters, self.rate = parameters, rate
        self.place = parameters.add_seed()

    def mask(self, shape: tuple[int, ...]) -> Array:
        """Return 0 for what is dropped, and 1 / (1 - rate)."""
        drawn = self.parameters.random(self.place).random(shape, np.float32)
        return (drawn >= self.rate) * np.float32(1 / (1 - self.rate))

    def forward(self, x: Array, training: bool) -> Array:
        self.kept = self.mask(x.shape) if training else None
        return x if self.kept is None else x * self.kept

    def backward(self, d: Array) -> Array:
        return d if self.kept is None else d * self.kept


def _turned(x: Array, lengths: Array | None) -> Array:
    """Return series from their last step to their first, each within its own length."""
    if lengths is None:
        return x[::-1]
    steps = np.arange(len(x))[:, None]
    return x[np.where(steps < lengths, lengths - 1 - steps, steps), np.arange(x.shape[1])]


def _valid(n_steps: int, lengths: Array) -> Array:
    """Return 1 within a series and 0 past its end, (time, batch, 1)."""
    return (np.arange(n_steps)[:, None] < lengths).astype(np.float32)[:, :, None]


class _Direction:
    """One walk of a recurrent layer."""

    def __init__(
        self,
        parameters: Parameters,
        path: str,
        cell: str,
        n_in: int,
        units: int,
        recurrent_dropout: float,
        backwards: bool,
        n_directions: int,
    ) -> None:
        self.cell, self.units = find_cell(cell), units
        self.backwards, self.n_directions = backwards, n_directions
        row, columns = self.cell, len(self.cell.gates) * units
        add = parameters.add
        bias = (2, columns) if row.bias_rows == 2 else (columns,)
        fed = len(row.gate_recurrence) * units
        self.parameters = [
            add(f"{path}/kernel", (n_in, columns), glorot_uniform),
            add(f"{path}/recurrent_kernel", (units, columns), orthogonal),
            add(f"{path}/bias", bias, lambda shape, _: cell_bias(row.name, shape)),
        ]
        self.batch: Any = None
        self.out: Any = None
        self.there = [True, True, True, bool(row.peepholes), bool(fed)]
        if row.peepholes:
            shape = (len(row.peepholes), units)
            self.parameters.append(add(f"{path}/peephole_kernel", shape, zeros))
        if fed:
            self.parameters.append(add(f"{path}/gate_kernel", (fed, fed), glorot_uniform))
        self.drop = Dropout(parameters, recurrent_dropout) if recurrent_dropout else None

    def forward(self, x: Array, lengths: Array | None, sequences: bool, training: bool) -> Calls:
        self.lengths, self.sequences = lengths, sequences
        self.batch = self.out = None  # the last one's memory is used again
        n_steps, n, _ = x.shape
        here = iter(p.value for p in self.parameters)
        weights = Weights(*(next(here) if there else None for there in self.there))
        mask = _NO_ROWS
        if training and self.drop is not None:
            mask = self.drop.mask((n, self.units))
        parts = n_shards(n, n_steps, self.units, self.n_directions, n_cores())
        if self.backwards:
            x = _turned(x, lengths)
        self.batch = Batch(self.cell, x, weights, mask, parts)
        initial = [np.zeros((n, self.units), np.float32)] * len(self.cell.states)
        self.last = not sequences and lengths is None
        self.out = room(n, self.units) if self.last else room(n_steps, n, self.units)
        return self.batch.there(initial, [self.out])

    def output(self) -> Array:
        out, lengths = self.out, self.lengths
        if self.last:
            return out
        if lengths is not None:
            if not self.sequences:
                return out[lengths - 1, np.arange(out.shape[1])]
            out *= _valid(len(out), lengths)
        return _turned(out, lengths) if self.backwards else out

    def backward(self, d: Array, wants_input: bool) -> Calls:
        n_steps, n = self.batch.n_steps, self.batch.size
        absent = len(self.cell.states) - 1
        arriving, carry = _NO_STEPS, _NO_ROWS
        if self.last:
            carry = _rows(d)
        elif self.lengths is not None and not self.sequences:
            arriving = np.zeros((n_steps, n, self.units), np.float32)
            arriving[self.lengths - 1, np.arange(n)] = d
        else:
            if self.lengths is not None:
                d = d * _valid(n_steps, self.lengths)
            arriving = _rows(_turned(d, self.lengths) if self.backwards else d)
        return self.batch.back(
            [arriving, *[_NO_STEPS] * absent], [carry, *[_NO_ROWS] * absent], wants_input
        )

    def gradient(self) -> Array:
        """Fill the gradients of the parameters; return that of the input."""
        for p, found in zip(self.parameters, self.batch.gradients(), strict=True):
            p.gradient[...] = found
        dx = self.batch.dx
        return _turned(dx, self.lengths) if self.backwards and len(dx) else dx


class Recurrent:
    """A recurrent layer of any cell, in one direction or both.

    Without `sequences` the output is the last state at each series' own length, beside that of the
    walk back at the first step.
    """

    def __init__(
        self,
        parameters: Parameters,
        path: str,
        cell: str,
        n_in: int,
        units: int,
        bidirectional: bool,
        recurrent_dropout: float,
        sequences: bool,
    ) -> None:
        ways = [("/forward", False), ("/backward", True)] if bidirectional else [("", False)]
        self.directions = [
            _Direction(
                parameters, path + ending, cell, n_in, units, recurrent_dropout, back, len(ways)
            )
            for ending, back in ways
        ]
        self.sequences = sequences
        self.n_out = units * len(ways)

    def forward(self, x: Array, lengths: Array | None, training: bool) -> Array:
        calls = [d.forward(x, lengths, self.sequences, training) for d in self.directions]
        side_by_side([call for part in calls for call in part])
        out = [d.output() for d in self.directions]
        return out[0] if len(out) == 1 else np.concatenate(out, -1)

    def backward(self, d: Array, wants_input: bool) -> Array:
        parts = np.split(d, len(self.directions), -1)
        calls = [
            way.backward(part, wants_input)
            for way, part in zip(self.directions, parts, strict=True)
        ]
        side_by_side([call for part in calls for call in part])
        found = [way.gradient() for way in self.directions]
        return found[0] if len(found) == 1 else found[0] + found[1]


class Pooling:
    """The valid steps as one vector: last, mean, max, or mean and max side by side."""

    def __init__(self, mode: str, bidirectional: bool) -> None:
        self.mode, self.bidirectional = mode, bidirectional
        self.factor = 2 if mode == "mean_max" else 1

    def forward(self, x: Array, lengths: Array | None) -> Array:
        n_steps, n, width = self.shape = x.shape
        self.lengths = np.full(n, n_steps) if lengths is None else lengths
        if self.mode == "last":
            last = x[self.lengths - 1, np.arange(n)]
            if self.bidirectional:
                last[:, width // 2 :] = x[0, :, width // 2 :]
            return last
        parts = []
        valid = _valid(n_steps, self.lengths)
        if "mean" in self.mode:
            self.share = valid / self.lengths[:, None].astype(np.float32)
            parts.append((x * self.share).sum(0))
        if "max" in self.mode:
            seen = np.where(valid > 0, x, -np.inf)
            greatest = seen.max(0)
            ties = (seen == greatest).astype(np.float32)
            self.ties = ties / ties.sum(0)
            parts.append(greatest)
        return np.concatenate(parts, -1)

    def backward(self, d: Array) -> Array:
        _, n, width = self.shape
        found = np.zeros(self.shape, np.float32)
        if self.mode == "last":
            half = width // 2 if self.bidirectional else width
            found[self.lengths - 1, np.arange(n), :half] = d[:, :half]
            if self.bidirectional:
                found[0, :, half:] += d[:, half:]
            return found
        parts = np.split(d, self.factor, -1)
        if "mean" in self.mode:
            found += parts[0] * self.share
        if "max" in self.mode:
            found += parts[-1] * self.ties
        return found
