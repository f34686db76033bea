"""The last layers of a forecaster: a head's prediction, in normalised space and in units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.heads import HEADS
from seqkit.network.layers.base import Array, Layer, Saved, Shape

__all__ = ["Combine", "CountScale", "HeadLayer", "ToUnits"]


@dataclass(frozen=True)
class HeadLayer(Layer):
    """Free numbers ``(B, H, T, P)`` and a naive forecast ``(B, H, T)`` to a head's prediction.

    Parameters
    ----------
    head : str
        A row of :data:`seqkit.network.heads.HEADS`.
    """

    head: str

    def shape(self, net: Shape, naive: Shape | None = None) -> Shape:
        return tuple(net[:-1]) if self.head == "point" else net

    def forward(self, ops: Any, p: Any, saved: Saved, net: Any, naive: Any = None) -> Any:
        saved["net"] = net
        prediction = HEADS[self.head].normalized(ops, net, naive)
        return prediction[..., 0] if self.head == "point" else prediction

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        d = d[..., None] if self.head == "point" else d
        d_net = HEADS[self.head].normalized_backward(saved["net"], d)
        d_net = d_net.astype(np.float32, copy=False)
        if not wants[1] or HEADS[self.head].counts:
            return d_net, None
        # a naive forecast is added where the middle is
        middle = d_net.shape[-1] // 2 if self.head == "quantiles" else 0
        return d_net, d_net[..., middle]


@dataclass(frozen=True)
class CountScale(Layer):
    """Stretch the mean of a count distribution by the window's own mean plus one.

    ``mean * (1 + mean of the window)`` (Salinas et al. 2020, eq. 4): series of thousands and of
    single counts then ask the same of the network. Other parameters stay.
    """

    def forward(
        self, ops: Any, p: Any, saved: Saved, prediction: Any, targets: Any, lengths: Any = None
    ) -> Any:
        if lengths is None:
            level = ops.mean(targets, axis=1, keepdims=True)
        else:
            count = ops.maximum(ops.cast(lengths, targets.dtype), 1.0)[:, None, None]
            level = ops.sum(targets, axis=1, keepdims=True) / count
        saved["level"] = level = 1.0 + ops.abs(level)[..., None]  # (B, 1, T, 1)
        return ops.concatenate([prediction[..., :1] * level, prediction[..., 1:]], axis=-1)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        return np.concatenate([d[..., :1] * saved["level"], d[..., 1:]], -1), None, None


@dataclass(frozen=True)
class Combine(Layer):
    """A prediction moved a share of the way to another forecast ``(B, H, T)`` of its middle.

    A point is then their weighted mean; quantiles and distributions keep their spread.

    Parameters
    ----------
    share : float
        From 0, the prediction alone, to 1.
    middle : tuple of float
        Weights of the parameters in the prediction's middle; () of a point.
    moved : int
        Parameters, the first ones, that are moved.
    """

    share: float
    middle: tuple[float, ...] = ()
    moved: int = 1

    def forward(self, ops: Any, p: Any, saved: Saved, prediction: Any, other: Any) -> Any:
        if not self.middle:
            return prediction + self.share * (other - prediction)
        middle = sum(w * prediction[..., k] for k, w in enumerate(self.middle) if w)
        shift = (self.share * (other - middle))[..., None]
        n = self.moved
        return ops.concatenate([prediction[..., :n] + shift, prediction[..., n:]], axis=-1)


@dataclass(frozen=True)
class ToUnits(Layer):
    """A head's prediction in the units of the targets: ``center + spread * prediction``.

    A location moves and stretches, a scale only stretches, degrees of freedom stay.

    Parameters
    ----------
    head : str
        A row of :data:`seqkit.network.heads.HEADS`.
    """

    head: str

    def forward(
        self, ops: Any, p: Any, saved: Saved, prediction: Any, center: Any, spread: Any
    ) -> Any:
        if HEADS[self.head].counts:
            return prediction
        if self.head == "point":
            return center + spread * prediction
        center, spread = center[..., None], spread[..., None]  # (B, 1, T, 1)
        if self.head == "quantiles":
            return center + spread * prediction
        parts = [center + spread * prediction[..., :1], spread * prediction[..., 1:2]]
        return ops.concatenate([*parts, prediction[..., 2:]], axis=-1)
