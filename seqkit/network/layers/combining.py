"""Tensors put together: sums, concatenation, softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.layers.base import Array, Layer, Saved, Shape, unbroadcast

__all__ = ["Add", "Concatenate", "Mean", "Median", "ReluSum", "Sigmoid", "Softmax"]


def _steps_and(vector: Any, steps: Any) -> Any:
    """Return what is added to steps (batch, time, f): a vector (batch, f) is added to each."""
    return vector[:, None, :] if len(vector.shape) < len(steps.shape) else vector


def _back(d: Array, saved: Saved) -> Array:
    """Return the gradient of the second term of a sum."""
    return d.sum(1) if saved["vector"] else unbroadcast(d, saved["shape"])


@dataclass(frozen=True)
class Add(Layer):
    """The sum of two tensors of equal shape; or of steps and a vector, added to each step."""

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, y: Any) -> Any:
        saved["vector"], saved["shape"] = len(y.shape) < len(x.shape), y.shape
        return x + _steps_and(y, x)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        return d, _back(d, saved) if wants[1] else None


@dataclass(frozen=True)
class ReluSum(Layer):
    """``relu(steps + vector)``: what each step says, and what all share."""

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, y: Any) -> Any:
        saved["vector"], saved["shape"] = len(y.shape) < len(x.shape), y.shape
        saved["out"] = out = ops.relu(x + _steps_and(y, x))
        return out

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        d = d * (saved["out"] > 0)
        return d, _back(d, saved)


@dataclass(frozen=True)
class Concatenate(Layer):
    """Tensors side by side on an axis, the last one by default.

    Parameters
    ----------
    axis : int
        -1, or 1: one after the other in time.
    most : int or None
        Steps that are kept, with axis 1.
    """

    axis: int = -1
    most: int | None = None

    def shape(self, *parts: Shape) -> Shape:
        index = self.axis if self.axis < 0 else self.axis - 1
        sizes = [part[index] for part in parts]
        total = None if None in sizes else sum(n for n in sizes if n is not None)
        if self.most is not None:
            total = self.most
        gradients = list(parts[0])
        gradients[index] = total
        return tuple(gradients)

    def forward(self, ops: Any, p: Any, saved: Saved, *parts: Any) -> Any:
        saved["sizes"] = [part.shape[self.axis] for part in parts]
        whole = ops.concatenate(list(parts), axis=self.axis)
        return whole if self.most is None else whole[:, : self.most]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        total = sum(saved["sizes"])
        if d.shape[self.axis] < total:  # what was cut off
            d = np.pad(d, [(0, 0), (0, total - d.shape[1]), *[(0, 0)] * (d.ndim - 2)])
        return tuple(np.split(d, np.cumsum(saved["sizes"])[:-1], self.axis))


@dataclass(frozen=True)
class Mean(Layer):
    """The mean of tensors of equal shape, element by element."""

    def forward(self, ops: Any, p: Any, saved: Saved, *parts: Any) -> Any:
        return sum(parts[1:], parts[0]) / len(parts)


@dataclass(frozen=True)
class Median(Layer):
    """The median of tensors of equal shape, element by element."""

    def forward(self, ops: Any, p: Any, saved: Saved, *parts: Any) -> Any:
        ranked, n = ops.sort(ops.stack(parts, axis=0), axis=0), len(parts)
        return (ranked[(n - 1) // 2] + ranked[n // 2]) / 2


@dataclass(frozen=True)
class Softmax(Layer):
    """Probabilities from logits."""

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["out"] = out = ops.softmax(x, axis=-1)
        return out

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        out = saved["out"]
        return (out * (d - (d * out).sum(-1, keepdims=True)),)


@dataclass(frozen=True)
class Sigmoid(Layer):
    """A probability from each logit, whatever the others are."""

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["out"] = out = ops.sigmoid(x)
        return out

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d * saved["out"] * (1 - saved["out"]),)
