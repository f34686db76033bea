"""A batch of sequences of a cell, there and back, in parts that are computed side by side."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from seqkit.cells import Cell, Weights
from seqkit.machine.schemes import code, scheme_of

__all__ = ["Batch", "is_ready", "refusal", "room"]

Array = np.ndarray

ALIGNMENT = 64
"""Bytes: arrays that start at a multiple of this are handed to TensorFlow without a copy."""


class Memory:
    """Blocks of memory to be used again: new ones cost a page fault every 4 kB, each step.

    A block is given back when the array on it ends, which may be at any time and in any thread.
    """

    BYTES = 1 << 29
    """Kept at most while nobody uses them, the last used."""

    SMALL = 1 << 13
    """Floats below which an array is not worth the trouble."""

    def __init__(self) -> None:
        self._lent: dict[int, tuple[Any, Array]] = {}
        self._idle: OrderedDict[int, list[Array]] = OrderedDict()  # by size
        self._bytes = 0
        self._lock = threading.RLock()

    def room(self, *shape: int) -> Array:
        """Return an uninitialised array that TensorFlow takes over as it is."""
        n = math.prod(shape)
        if n < self.SMALL:
            return np.empty(shape, np.float32)
        block = self._take(n + ALIGNMENT // 4)
        first = -block.ctypes.data % ALIGNMENT // 4
        found = block[first : first + n].reshape(shape)
        end = weakref.ref(found, self._give)
        self._lent[id(end)] = end, block
        return found

    def _take(self, size: int) -> Array:
        with self._lock:
            if blocks := self._idle.get(size):
                self._bytes -= 4 * size
                return blocks.pop()
        return np.empty(size, np.float32)

    def _give(self, end: Any) -> None:
        _, block = self._lent.pop(id(end))
        with self._lock:
            self._idle.setdefault(block.size, []).append(block)
            self._idle.move_to_end(block.size)
            self._bytes += block.nbytes
            while self._bytes > self.BYTES:
                size, blocks = next(iter(self._idle.items()))
                if blocks:
                    self._bytes -= blocks.pop().nbytes
                else:
                    del self._idle[size]


room = Memory().room


def refusal(cell: Cell) -> str:
    """Return why a cell has no machine code here, or nothing."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return "Numba is told to compile nothing (NUMBA_DISABLE_JIT)"
    if cell.gate_activation != "sigmoid":
        return f"the machine code has sigmoid gates, not {cell.gate_activation}"
    return ""


def is_ready(cell: Cell) -> bool:
    """Return whether a cell's machine code was made before: that takes some 20 seconds, once."""
    code()
    from seqkit.machine.code.compiling import is_compiled

    return is_compiled(cell.family)


def _part(array: Array, start: int, stop: int) -> Array:
    """Return some series of an array (time, batch, ...), one after the other."""
    return np.ascontiguousarray(array[:, start:stop])


def _cut(flat: Array, shapes: Sequence[tuple[int, ...]], start: int = 0) -> list[Array]:
    """Return arrays of these shapes, which lie one after the other in a flat one."""
    found = []
    for shape in shapes:
        stop = start + math.prod(shape)
        found.append(flat[start:stop].reshape(shape))
        start = stop
    return found


class Batch:
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
    kept : ndarray, optional
        What the way there has kept (:attr:`kept`), for the way back.

    Attributes
    ----------
    kept : ndarray of shape (n,)
        All that the gradient needs; valid after the calls of :meth:`there`.
    """

    def __init__(
        self, cell: Cell, x: Array, weights: Weights, mask: Array, n_parts: int,
        kept: Array | None = None,
    ) -> None:  # fmt: skip
        self.cell, self.x, self.mask = cell, x, mask
        self.scheme = scheme_of(cell)
        self.given = weights
        self.weights = self.scheme.weights(weights)
        self.n_steps, self.size, _ = x.shape
        self.units = weights.recurrent_kernel.shape[0]
        self.keeps = self.scheme.kept(self.weights)
        n = self.size
        self.cuts = [(n * k // n_parts, n * (k + 1) // n_parts) for k in range(n_parts)]
        total = n * sum((self.n_steps + more) * columns for more, columns in self.keeps)
        self.kept = room(total) if kept is None else kept

    def _of_part(self, start: int, stop: int) -> list[Array]:
        """Return what a part of the batch keeps: parts lie one after the other."""
        steps = self.n_steps
        place = start * sum((steps + more) * n for more, n in self.keeps)
        shapes = [(steps + more, stop - start, n) for more, n in self.keeps]
        return _cut(self.kept, shapes, place)

    def there(self, initial: Sequence[Array], out: Sequence[Array]) -> list[Callable[[], None]]:
        """Return the calls that compute the sequence.

        Parameters
        ----------
        initial : sequence of ndarray of shape (batch, units)
            One a state of the cell.
        out : sequence of ndarray of shape (time, batch, units), or (batch, units)
            To be filled with as many of the cell's states, of every step or of the last one.
        """

        def part(start: int, stop: int) -> None:
            seen, kept = slice(start, stop), self._of_part(start, stop)
            masked = self.mask[seen] if len(self.mask) else self.mask
            x = _part(self.x, start, stop)
            self.scheme.run(x, self.weights, masked, [s[seen] for s in initial], kept)
            for whole, state in zip(out, self.scheme.states(kept), strict=False):
                if whole.ndim == 2:
                    whole[seen] = state[-1]
                else:
                    whole[:, seen] = state

        return [partial(part, start, stop) for start, stop in self.cuts]

    def back(
        self, arriving: Sequence[Array], carry: Sequence[Array], wants_input: bool = True
    ) -> list[Callable[[], None]]:
        """Return the calls that compute gradients; then see :meth:`gradients`.

        Parameters
        ----------
        arriving : sequence of ndarray of shape (time, batch, units), or of no steps
            Gradients of the states of every step, one a state of the cell.
        carry : sequence of ndarray of shape (batch, units), or of no rows
            Those of the last states.
        wants_input : bool
            Whether the gradient of the input is wanted.
        """
        units, n_states = self.units, len(self.cell.states)
        shapes = self.scheme.shapes(self.weights)
        rows = [d if len(d) else np.zeros((self.size, units), np.float32) for d in carry]
        # whole arrays: what is handed on must not be a view of a block that is given back
        self._found = [[room(*shape) for shape in shapes] for _ in self.cuts]
        self.d_initial = room(n_states, self.size, units)
        self.dx = room(*self.x.shape) if wants_input else np.empty((0, 0, 0), np.float32)

        def part(k: int, start: int, stop: int) -> None:
            seen = slice(start, stop)
            d_first = np.empty((n_states, stop - start, units), np.float32)
            self.scheme.run_back(
                _part(self.x, start, stop),
                self.weights,
                self.mask[seen] if len(self.mask) else self.mask,
                self._of_part(start, stop),
                [_part(d, start, stop) for d in arriving],
                [d[seen] for d in rows],
                start,
                self.dx,
                self._found[k],
                d_first,
            )
            self.d_initial[:, seen] = d_first

        return [partial(part, k, start, stop) for k, (start, stop) in enumerate(self.cuts)]

    def gradients(self) -> list[Array]:
        """Return the gradients of the weights that are there, in the order of `Weights`."""
        first, *more = self._found
        for other in more:
            for total, d in zip(first, other, strict=True):
                total += d
        found = self.scheme.gradients(first)
        return [d for d, w in zip(found, self.given, strict=True) if w is not None]
