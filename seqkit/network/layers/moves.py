"""A series read at several offsets in time, and the mean of what is made of them.

What a network makes of a series depends on where the borders of its patches fall. In training every
series is moved at random (:func:`seqkit.training.sources.shifted`); a prediction is the mean over
moves that are fixed (test-time augmentation; Krizhevsky, Sutskever and Hinton 2012, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqkit.network.layers.base import Array, Layer, Saved, Shape

__all__ = ["MeanOfMoves", "Moves"]


@dataclass(frozen=True)
class Moves(Layer):
    """``(b, t, f) -> (m b, t, f)``: a batch, moved by each of `moves` in turn; its ends repeated.

    While training it is left as it is. Outputs: the series, and their lengths.

    Parameters
    ----------
    moves : tuple of int
        In time steps, later ones first: ``x[t + move]`` stands at ``t``.
    """

    moves: tuple[int, ...]
    n_outputs: ClassVar[int] = 2

    def shape(self, x: Shape, lengths: Shape | None = None) -> tuple[Shape, Shape]:
        return x, ()

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, lengths: Any = None) -> Any:
        if saved.mask is not None:
            return x, lengths
        time = ops.shape(x)[1]
        steps = ops.arange(time, dtype="int32")
        parts, read = [], []
        for move in self.moves:
            moved = ops.maximum(steps + move, 0)
            if lengths is None:
                read.append(ops.minimum(moved, time - 1))
                parts.append(ops.take(x, read[-1], axis=1))
            else:
                last = ops.maximum(ops.cast(lengths, "int32"), 1)[:, None, None] - 1
                index = ops.minimum(moved[None, :, None], last)
                read.append(index[:, :, 0])
                parts.append(ops.take_along_axis(x, index, axis=1))
        saved["read"] = read
        if lengths is not None:
            lengths = ops.concatenate([lengths] * len(self.moves), axis=0)
        return ops.concatenate(parts, axis=0), lengths

    def backward(self, p: Any, g: Any, saved: Saved, d: Any, wants: Any) -> tuple[Any, ...]:
        return (self.back(d[0], saved["read"]) if "read" in saved else d[0]), None

    @staticmethod
    def back(d: Array, read: Sequence[Array]) -> Array:
        """Return ``(b, t, f)`` of what belongs to the moved series, ``(m b, t, f)``.

        `read` are, for each move, the steps that stand at the steps of the moved series.
        """
        parts = np.split(d, len(read))
        whole = np.zeros_like(parts[0])
        rows = np.arange(len(whole))[:, None]
        for part, index in zip(parts, read, strict=True):
            np.add.at(whole, (rows, np.broadcast_to(index, part.shape[:2])), part)
        return whole


@dataclass(frozen=True)
class MeanOfMoves(Layer):
    """``(m b, f) -> (b, f)``: the mean over the moves of :class:`Moves`; nothing while training.

    Parameters
    ----------
    n : int
        How many moves there are.
    """

    n: int

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        if saved.mask is not None:
            return x
        return ops.mean(ops.reshape(x, (self.n, -1, x.shape[-1])), axis=0)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        if saved.mask is not None:
            return (d,)
        return (np.tile(d / self.n, (self.n, 1)),)
