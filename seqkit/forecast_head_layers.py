"""Keras layers and the loss of the heads of :mod:`seqkit.forecast_heads`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqkit import _register_layers
from seqkit.forecast_heads import HEADS, POINT_LOSSES

__all__ = ["CountScale", "ForecastLoss", "HeadLayer", "ToUnits"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class HeadLayer(keras.layers.Layer):
    """Free numbers ``(B, H, T, P)`` and a naive forecast ``(B, H, T)`` to a head's answer."""

    def __init__(self, head: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = head

    def call(self, net: Tensor, naive: Tensor | None = None) -> Tensor:
        if naive is None:
            naive = ops.zeros_like(net[..., 0])
        answer = HEADS[self.head].normalized(net, naive)
        return answer[..., 0] if self.head == "point" else answer

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "head": self.head}


@keras.saving.register_keras_serializable(package="seqkit")
class ToUnits(keras.layers.Layer):
    """A head's answer in the units of the targets: ``center + spread * answer``.

    A location moves and stretches, a scale only stretches, degrees of freedom stay.
    """

    def __init__(self, head: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = head

    def call(self, answer: Tensor, center: Tensor, spread: Tensor) -> Tensor:
        head = HEADS[self.head]
        if head.counts:
            return answer
        if self.head == "point":
            return center + spread * answer
        center, spread = center[..., None], spread[..., None]  # (B, 1, T, 1)
        if self.head == "quantiles":
            return center + spread * answer
        parts = [center + spread * answer[..., :1], spread * answer[..., 1:2], answer[..., 2:]]
        return ops.concatenate(parts, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "head": self.head}


@keras.saving.register_keras_serializable(package="seqkit")
class CountScale(keras.layers.Layer):
    """Stretch the mean of a count distribution by the window's own mean plus one.

    ``mean * (1 + mean of the window)`` (Salinas et al. 2020, eq. 4): series of thousands and of
    single counts then ask the same of the network. Other parameters stay.
    """

    def call(self, answer: Tensor, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            level = ops.mean(targets, axis=1, keepdims=True)
        else:
            count = ops.maximum(ops.cast(lengths, targets.dtype), 1.0)[:, None, None]
            level = ops.sum(targets, axis=1, keepdims=True) / count
        level = 1.0 + ops.abs(level)[..., None]  # (B, 1, T, 1)
        return ops.concatenate([answer[..., :1] * level, answer[..., 1:]], axis=-1)


@keras.saving.register_keras_serializable(package="seqkit")
class ForecastLoss(keras.losses.Loss):
    """Loss of each future value, ``(B, H, T)``, so that a weight can leave any of them out.

    Parameters
    ----------
    head : str
        A row of :data:`HEADS`.
    loss : {"mae", "mse", "huber"}
        For point forecasts; quantiles learn by the pinball loss, distributions by likelihood.
    levels : sequence of float
        Quantile levels.
    """

    def __init__(
        self,
        head: str = "point",
        loss: str = "mae",
        levels: Sequence[float] = (),
        name: str = "forecast_loss",
        reduction: str = "sum_over_batch_size",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.head = head
        self.loss = loss
        self.levels = tuple(levels)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        loss = POINT_LOSSES[self.loss] if self.head == "point" else HEADS[self.head].loss
        return loss(y_true, y_pred, self.levels)

    def get_config(self) -> dict[str, Any]:
        config = {"head": self.head, "loss": self.loss, "levels": list(self.levels)}
        return {**super().get_config(), **config}


_register_layers(__name__)
