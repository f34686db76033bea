"""Blocks of memory that are used again."""

from __future__ import annotations

import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["buffer", "vectors"]

Array = np.ndarray

ALIGNMENT = 64
"""Bytes: arrays that start at a multiple of this are handed to TensorFlow without a copy."""


class Memory:
    """Blocks of memory to be used again: new ones cost a page fault every 4 kB, each step.

    A block is given back when the last array on it ends, views among them, which may be at any time
    and in any thread. A view holds on to the array that has the memory, past all views between
    them, so that it is the end of this one which counts; its own memory is no array's, or NumPy
    would go past it as well.
    """

    BYTES = 1 << 29
    """Kept at most while none of them is used, the last used."""

    SMALL = 1 << 13
    """Floats below which an array is not worth the trouble."""

    def __init__(self) -> None:
        self._lent: dict[int, tuple[Any, Array]] = {}
        self._idle: OrderedDict[int, list[Array]] = OrderedDict()  # by size
        self._bytes = 0
        self._lock = threading.RLock()

    def buffer(self, *shape: int) -> Array:
        """Return an uninitialised array that TensorFlow takes over as it is."""
        n = math.prod(shape)
        if n < self.SMALL:
            return np.empty(shape, np.float32)
        block = self._take(n + ALIGNMENT // 4)
        first = -block.ctypes.data % ALIGNMENT
        array = np.frombuffer(memoryview(block), np.float32, n, first)  # type: ignore[arg-type]
        end = weakref.ref(array, self._give)
        self._lent[id(end)] = end, block
        return array.reshape(shape)

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


buffer = Memory().buffer


def vectors(sizes: Sequence[int]) -> tuple[Array, list[Array]]:
    """Return a block, and uninitialised vectors of these sizes in it, on cache lines of their own.

    Examples
    --------
    >>> block, pieces = vectors([3, 0, 20])
    >>> [len(piece) for piece in pieces]
    [3, 0, 20]
    """
    line = ALIGNMENT // 4
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + -(-size // line) * line)
    block = buffer(starts[-1])
    return block, [block[a : a + size] for a, size in zip(starts, sizes, strict=False)]
