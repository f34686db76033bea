"""Several time steps folded into one, so that the recurrence is shorter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqkit.network.layers.base import Layer, Saved, Shape
from seqkit.network.layers.padding import valid_head

__all__ = ["LeftPatch", "Patch", "patch_count"]


def patch_count(steps: Any, size: int) -> Any:
    """Return how many patches steps make, the last one filled up: ``ceil(steps / size)``.

    Parameters
    ----------
    steps : int, or array or tensor of integers
    size : int
    """
    return (steps + (size - 1)) // size


@dataclass(frozen=True)
class Patch(Layer):
    """``(b, t, f) -> (b, ceil(t / size), (size + overlap) f)`` of series that end at their lengths.

    A patch reads `overlap` steps of its neighbours besides its own, half of them of each. What is
    before a series or past its length is zero; after standardising that is the mean. Outputs: the
    patches, and how many of them each series has.

    Parameters
    ----------
    size : int
        Steps from one patch to the next.
    overlap : int
        Steps that two neighbours share.
    """

    size: int
    overlap: int = 0
    n_outputs: ClassVar[int] = 2

    @property
    def width(self) -> int:
        """Steps that a patch reads."""
        return self.size + self.overlap

    def shape(self, x: Shape, lengths: Shape | None = None) -> tuple[Shape, Shape]:
        steps, features = x
        assert features is not None
        return (None if steps is None else patch_count(steps, self.size), self.width * features), ()

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, lengths: Any = None) -> Any:
        if lengths is not None:
            # where, not a product: the padding may be NaN or huge and must not get through
            saved["valid"] = valid = valid_head(x, lengths, ops) > 0
            x = ops.where(valid, x, ops.zeros_like(x))
            lengths = patch_count(lengths, self.size)
        batch, time, features = ops.shape(x)
        saved["time"] = time
        before, rest = self.overlap // 2, -time % self.size
        after = rest + self.overlap - before
        # a static remainder of 0 needs no operation; an open time axis is padded in the graph
        if before or not (isinstance(after, int) and after == 0):
            x = ops.pad(x, [[0, 0], [before, after], [0, 0]])
        n_patches = (time + rest) // self.size
        if self.overlap:
            starts = ops.arange(n_patches, dtype="int32") * self.size
            steps = starts[:, None] + ops.arange(self.width, dtype="int32")[None, :]
            x = ops.take(x, ops.reshape(steps, (-1,)), axis=1)
        return ops.reshape(x, (batch, n_patches, self.width * features)), lengths

    def backward(self, p: Any, g: Any, saved: Saved, d: Any, wants: Any) -> tuple[Any, ...]:
        n, n_patches, width = d[0].shape
        features, before = width // self.width, self.overlap // 2
        whole = d[0].reshape(n, -1, features)
        if self.overlap:
            parts = d[0].reshape(n, n_patches, self.width, features)
            whole = np.zeros((n, n_patches * self.size + self.overlap, features), d[0].dtype)
            for step in range(self.width):
                whole[:, step :: self.size][:, :n_patches] += parts[:, :, step]
        dx = whole[:, before : before + saved["time"]]
        return (dx * saved["valid"] if "valid" in saved else dx), None


@dataclass(frozen=True)
class LeftPatch(Layer):
    """``(b, t, f) -> (b, ceil(t / size), size * f)`` of windows that end at their last step.

    The last patch always ends at the last step; the first one is filled up with zeros. With lengths
    the patches that hold valid steps are moved to the front, as recurrent layers want them.
    Outputs: the patches, and how many of them count.
    """

    size: int
    n_outputs: ClassVar[int] = 2

    def shape(self, x: Shape, lengths: Shape | None = None) -> tuple[Shape, Shape]:
        steps, features = x
        assert steps is not None
        assert features is not None
        return (patch_count(steps, self.size), self.size * features), ()

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, lengths: Any = None) -> Any:
        n_steps, n_channels = x.shape[1], x.shape[2]
        saved["steps"], n_patches = n_steps, patch_count(n_steps, self.size)
        rest = n_patches * self.size - n_steps
        if rest:
            x = ops.pad(x, [[0, 0], [rest, 0], [0, 0]])
        if self.size > 1:
            x = ops.reshape(x, (-1, n_patches, self.size * n_channels))
        if lengths is None:
            return x, None
        valid = patch_count(ops.cast(lengths, "int32"), self.size)  # (batch,)
        step = ops.arange(n_patches, dtype="int32")[None, :] + (n_patches - valid)[:, None]
        saved["step"] = step
        return ops.take_along_axis(x, ops.minimum(step, n_patches - 1)[:, :, None], axis=1), valid

    def backward(self, p: Any, g: Any, saved: Saved, d: Any, wants: Any) -> tuple[Any, ...]:
        d = d[0]
        n, n_patches, width = d.shape
        if "step" in saved:
            moved, inside = np.zeros_like(d), saved["step"] < n_patches
            rows, columns = np.nonzero(inside)
            moved[rows, saved["step"][inside]] = d[rows, columns]
            d = moved
        d = d.reshape(n, n_patches * self.size, width // self.size)
        return d[:, d.shape[1] - saved["steps"] :], None
