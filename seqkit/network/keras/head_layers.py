"""Keras layers and the loss of the heads of :mod:`seqkit.network.heads`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqkit.network.heads import HEADS, POINT_LOSSES
from seqkit.network.keras.described import Described
from seqkit.network.layers import combining, heads
from seqkit.network.ops import keras_namespace

__all__ = ["Combine", "CountScale", "ForecastLoss", "HeadLayer", "Median", "ToUnits"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class HeadLayer(Described):
    """Free numbers ``(B, H, T, P)`` and a naive forecast ``(B, H, T)`` to a head's prediction."""

    def __init__(self, head: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(heads.HeadLayer(head))

    def call(self, net: Tensor, naive: Tensor | None = None) -> Tensor:
        return self.compute(net, naive)


@keras.saving.register_keras_serializable(package="seqkit")
class Median(Described):
    """Median over a list of equally shaped tensors, element by element."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(combining.Median())

    def call(self, members: Sequence[Tensor]) -> Tensor:
        return self.compute(*members)


@keras.saving.register_keras_serializable(package="seqkit")
class ToUnits(Described):
    """A head's prediction in the units of the targets: ``center + spread * prediction``.

    A location moves and stretches, a scale only stretches, degrees of freedom stay.
    """

    def __init__(self, head: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(heads.ToUnits(head))

    def call(self, prediction: Tensor, center: Tensor, spread: Tensor) -> Tensor:
        return self.compute(prediction, center, spread)


@keras.saving.register_keras_serializable(package="seqkit")
class Combine(Described):
    """A prediction moved a share of the way to another forecast ``(B, H, T)`` of its middle."""

    def __init__(
        self, share: float, middle: Sequence[float] = (), moved: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.describe(heads.Combine(share, tuple(middle), moved))

    def call(self, prediction: Tensor, other: Tensor) -> Tensor:
        return self.compute(prediction, other)


@keras.saving.register_keras_serializable(package="seqkit")
class CountScale(Described):
    """Stretch the mean of a count distribution by the window's own mean plus one.

    ``mean * (1 + mean of the window)`` (Salinas et al. 2020, eq. 4).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(heads.CountScale())

    def call(self, prediction: Tensor, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.compute(prediction, targets, lengths)


@keras.saving.register_keras_serializable(package="seqkit")
class ForecastLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
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
        if self.head == "point":
            return POINT_LOSSES[self.loss][0](keras_namespace(), y_true, y_pred)
        return HEADS[self.head].loss(keras_namespace(), y_true, y_pred, self.levels)

    def get_config(self) -> dict[str, Any]:
        config = {"head": self.head, "loss": self.loss, "levels": list(self.levels)}
        return {**super().get_config(), **config}
