"""What training minimises, by name: turned into Keras objects where Keras trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    """A loss of seqkit's own networks, and what is shown beside it.

    Attributes
    ----------
    kind : {"crossentropy", "binary_crossentropy", "number", "forecast"}
        Of a class from logits, of labels that are there or not from a logit each, of standardised
        numbers, of future values.
    loss : {"mae", "mse", "huber"}
        Of numbers, and of point forecasts.
    head : str
        Of forecasts, a row of ``seqkit.forecast_heads.HEADS``.
    levels : tuple of float
        Quantile levels.
    """

    kind: str
    loss: str = "mse"
    head: str = "point"
    levels: tuple[float, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics shown while training."""
        return ("accuracy",) if self.kind.endswith("crossentropy") else ()

    def of_keras(self) -> tuple[Any, list[Any]]:
        """Return the loss and the metrics as Keras objects."""
        import keras

        if self.kind == "crossentropy":
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            return loss, [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        if self.kind == "binary_crossentropy":
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
            return loss, [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]  # of logits
        if self.kind == "forecast":
            from seqkit.forecast_head_layers import ForecastLoss

            return ForecastLoss(self.head, self.loss, self.levels), []
        named = {
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
            "huber": keras.losses.Huber,
        }
        return named[self.loss](), []
