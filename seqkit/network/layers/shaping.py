"""Parts of tensors, and the same numbers in another shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.layers.base import Array, Layer, Saved, Shape

__all__ = [
    "AsSequence",
    "AtMost",
    "Columns",
    "FoldChannels",
    "FoldSteps",
    "Last",
    "Pick",
    "RepeatRows",
    "Reshape",
    "Segments",
    "Step",
    "UnfoldChannels",
    "UnfoldSegments",
]


@dataclass(frozen=True)
class Columns(Layer):
    """The features from `start` to `stop` of ``(batch, time, features)``."""

    start: int
    stop: int | None = None

    def shape(self, x: Shape) -> Shape:
        width = x[-1]
        assert width is not None
        return (*x[:-1], len(range(width)[self.start : self.stop]))

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        return x[:, :, self.start : self.stop]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        dx = np.zeros(saved["shape"], np.float32)
        dx[:, :, self.start : self.stop] = d
        return (dx,)


@dataclass(frozen=True)
class Last(Layer):
    """The last `n_steps` of ``(batch, time, features)``."""

    n_steps: int

    def shape(self, x: Shape) -> Shape:
        return (self.n_steps, *x[1:])

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        return x[:, -self.n_steps :, :]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        dx = np.zeros(saved["shape"], np.float32)
        dx[:, -self.n_steps :, :] = d
        return (dx,)


@dataclass(frozen=True)
class AtMost(Layer):
    """Numbers of steps, of which no more than `most` are seen."""

    most: int

    def forward(self, ops: Any, p: Any, saved: Saved, lengths: Any) -> Any:
        return ops.minimum(lengths, self.most)


@dataclass(frozen=True)
class Step(Layer):
    """One step: ``(batch, time, features) -> (batch, features)``."""

    place: int

    def shape(self, x: Shape) -> Shape:
        return tuple(x[1:])

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        return x[:, self.place]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        dx = np.zeros(saved["shape"], np.float32)
        dx[:, self.place] = d
        return (dx,)


@dataclass(frozen=True)
class Pick(Layer):
    """One number of the last axis."""

    place: int

    def shape(self, x: Shape) -> Shape:
        return tuple(x[:-1])

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        return x[..., self.place]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        dx = np.zeros(saved["shape"], np.float32)
        dx[..., self.place] = d
        return (dx,)


@dataclass(frozen=True)
class Reshape(Layer):
    """The numbers of an example in another shape."""

    target: tuple[int, ...]

    def shape(self, x: Shape) -> Shape:
        return self.target

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        return ops.reshape(x, (-1, *self.target))

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d.reshape(saved["shape"]),)


@dataclass(frozen=True)
class FoldChannels(Layer):
    """Make every channel a window of its own: ``(batch, time, n) -> (batch * n, time, 1)``."""

    n_channels: int

    def shape(self, x: Shape) -> Shape:
        return (x[0], 1)

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        return ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, x.shape[1], 1))

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d.reshape(-1, self.n_channels, d.shape[1]).transpose(0, 2, 1),)


@dataclass(frozen=True)
class UnfoldChannels(Layer):
    """Undo :class:`FoldChannels` on an answer: ``(batch * n, H, 1, P) -> (batch, H, n, P)``."""

    n_channels: int

    def shape(self, x: Shape) -> Shape:
        return (x[0], self.n_channels, x[2])

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        x = ops.reshape(x, (-1, self.n_channels, x.shape[1], x.shape[3]))
        return ops.transpose(x, (0, 2, 1, 3))

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        n, horizon, channels, width = d.shape
        return (d.transpose(0, 2, 1, 3).reshape(n * channels, horizon, 1, width),)


@dataclass(frozen=True)
class RepeatRows(Layer):
    """Every example `times` times, one after the other."""

    times: int

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        return ops.repeat(x, self.times, axis=0)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d.reshape(-1, self.times, *d.shape[1:]).sum(1),)


@dataclass(frozen=True)
class Segments(Layer):
    """Fold the horizon: ``(batch, H, f) -> (batch, n_segments, patch * f)``, zeros at the end."""

    n_segments: int
    patch: int

    def shape(self, x: Shape) -> Shape:
        width = x[1]
        assert width is not None
        return (self.n_segments, self.patch * width)

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        rest = self.n_segments * self.patch - x.shape[1]
        if rest:
            x = ops.pad(x, [[0, 0], [0, rest], [0, 0]])
        return ops.reshape(x, (-1, self.n_segments, self.patch * x.shape[2]))

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        n, horizon, width = saved["shape"]
        return (d.reshape(n, -1, width)[:, :horizon],)


@dataclass(frozen=True)
class FoldSteps(Layer):
    """Make every step a sequence of its own: ``(batch, time, f) -> (batch * time, 1, f)``."""

    def shape(self, x: Shape) -> Shape:
        return (1, x[1])

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        return ops.reshape(x, (-1, 1, x.shape[2]))

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d.reshape(saved["shape"]),)


@dataclass(frozen=True)
class UnfoldSegments(Layer):
    """Segments as steps of the horizon: ``(batch * n_segments, 1, ...) -> (batch, H, T, P)``.

    Parameters
    ----------
    n_segments : int
    target : tuple of int
        ``(horizon, n_outputs, n_parameters)``; what the last segment has beyond is cut off.
    """

    n_segments: int
    target: tuple[int, int, int]

    def shape(self, x: Shape) -> Shape:
        return self.target

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["shape"] = x.shape
        horizon, *rest = self.target
        steps = self.n_segments * x.shape[-1] // math.prod(rest)
        return ops.reshape(x, (-1, steps, *rest))[:, :horizon]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        shape = saved["shape"]
        steps = self.n_segments * shape[-1] // math.prod(self.target[1:])
        whole = np.zeros((len(d), steps, *self.target[1:]), np.float32)
        whole[:, : self.target[0]] = d
        return (whole.reshape(shape),)


@dataclass(frozen=True)
class AsSequence(Layer):
    """A vector as a sequence of one step: ``(batch, f) -> (batch, 1, f)``."""

    def shape(self, x: Shape) -> Shape:
        return (1, *x)

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        return x[:, None, :]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d[:, 0],)
