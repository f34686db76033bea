"""A batch of sequences of a cell, forward and backward, in parts computed side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from seqkit.cells import Cell, Weights
from seqkit.network.cpu.memory import buffer
from seqkit.network.cpu.schemes import calls_of, compiled_kernels

__all__ = ["SequenceBatch", "buffer", "is_ready", "unsupported"]

Array = np.ndarray


def unsupported(cell: Cell) -> str:
    """Return why a cell has no compiled kernels here, or nothing."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return "Numba is told to compile nothing (NUMBA_DISABLE_JIT)"
    if cell.gate_activation != "sigmoid":
        return f"the compiled kernels have sigmoid gates, not {cell.gate_activation}"
    return ""


def is_ready(cell: Cell) -> bool:
    """Return whether a cell's kernels were compiled before: that takes some seconds, once."""
    compiled_kernels()
    from seqkit.network.cpu.code.compiling import is_compiled

    return is_compiled(cell.family)


def _part(array: Array, start: int, stop: int) -> Array:
    """Return some series of an array (time, batch, ...), one after the other."""
    return np.ascontiguousarray(array[:, start:stop])


def _cut(flat: Array, shapes: Sequence[tuple[int, ...]], start: int = 0) -> list[Array]:
    """Return arrays of these shapes, which lie one after the other in a flat one."""
    arrays = []
    for shape in shapes:
        stop = start + math.prod(shape)
        arrays.append(flat[start:stop].reshape(shape))
        start = stop
    return arrays


class SequenceBatch:
    """A batch of sequences on its way through a cell.

    Parameters
    ----------
    cell : Cell
    x : ndarray of float32 of shape (time, batch, n_features)
    weights : Weights
    mask : ndarray of shape (batch, units), or of no rows
        Multiplies h in the recurrent products; a constant.
    n_parts : int
        Parts of the batch that are computed side by side.
    saved : ndarray, optional
        What the forward pass has saved (:attr:`saved`), for the backward pass.

    Attributes
    ----------
    saved : ndarray of shape (n,)
        All that the gradient needs; valid after the calls of :meth:`forward`.
    """

    def __init__(
        self, cell: Cell, x: Array, weights: Weights, mask: Array, n_parts: int,
        saved: Array | None = None,
    ) -> None:  # fmt: skip
        self.cell, self.x, self.mask = cell, x, mask
        self.calls = calls_of(cell)
        self.given = weights
        self.weights = self.calls.weights(weights)
        self.n_steps, self.size, _ = x.shape
        self.units = weights.recurrent_kernel.shape[0]
        self.layout = self.calls.saved(self.weights)
        n = self.size
        self.cuts = [(n * k // n_parts, n * (k + 1) // n_parts) for k in range(n_parts)]
        total = n * sum((self.n_steps + more) * columns for more, columns in self.layout)
        self.saved = buffer(total) if saved is None else saved

    def _of_part(self, start: int, stop: int) -> list[Array]:
        """Return what a part of the batch saves: parts lie one after the other."""
        steps = self.n_steps
        first = start * sum((steps + more) * n for more, n in self.layout)
        shapes = [(steps + more, stop - start, n) for more, n in self.layout]
        return _cut(self.saved, shapes, first)

    def forward(self, initial: Sequence[Array], out: Sequence[Array]) -> list[Callable[[], None]]:
        """Return the calls that compute the sequence.

        Parameters
        ----------
        initial : sequence of ndarray of shape (batch, units)
            One a state of the cell.
        out : sequence of ndarray of shape (time, batch, units), or (batch, units)
            To be filled with as many of the cell's states, of every step or of the last one.
        """

        def part(start: int, stop: int) -> None:
            series, saved = slice(start, stop), self._of_part(start, stop)
            masked = self.mask[series] if len(self.mask) else self.mask
            x = _part(self.x, start, stop)
            self.calls.forward(x, self.weights, masked, [s[series] for s in initial], saved)
            for whole, state in zip(out, self.calls.states(saved), strict=False):
                if whole.ndim == 2:
                    whole[series] = state[-1]
                else:
                    whole[:, series] = state

        return [partial(part, start, stop) for start, stop in self.cuts]

    def backward(
        self, upstream: Sequence[Array], last: Sequence[Array], wants_input: bool = True
    ) -> list[Callable[[], None]]:
        """Return the calls that compute gradients; then see :meth:`gradients`.

        Parameters
        ----------
        upstream : sequence of ndarray of shape (time, batch, units), or of no steps
            Gradients of the states of every step, one a state of the cell.
        last : sequence of ndarray of shape (batch, units), or of no rows
            Those of the last states.
        wants_input : bool
            Whether the gradient of the input is wanted.
        """
        units, n_states = self.units, len(self.cell.states)
        shapes = self.calls.shapes(self.weights)
        rows = [d if len(d) else np.zeros((self.size, units), np.float32) for d in last]
        self._of_parts = [[buffer(*shape) for shape in shapes] for _ in self.cuts]
        self.d_initial = buffer(n_states, self.size, units)
        self.dx = buffer(*self.x.shape) if wants_input else np.empty((0, 0, 0), np.float32)

        def part(k: int, start: int, stop: int) -> None:
            series = slice(start, stop)
            d_first = np.empty((n_states, stop - start, units), np.float32)
            self.calls.backward(
                _part(self.x, start, stop),
                self.weights,
                self.mask[series] if len(self.mask) else self.mask,
                self._of_part(start, stop),
                [_part(d, start, stop) for d in upstream],
                [d[series] for d in rows],
                start,
                self.dx,
                self._of_parts[k],
                d_first,
            )
            self.d_initial[:, series] = d_first

        return [partial(part, k, start, stop) for k, (start, stop) in enumerate(self.cuts)]

    def gradients(self) -> list[Array]:
        """Return the gradients of the weights that are there, in the order of `Weights`."""
        first, *more = self._of_parts
        for other in more:
            for total, d in zip(first, other, strict=True):
                total += d
        gradients = self.calls.of_weights(first)
        return [d for d, w in zip(gradients, self.given, strict=True) if w is not None]
