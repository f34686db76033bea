"""What training minimises, by name, with its gradient; Keras's objects where Keras trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.heads import HEADS, POINT_LOSSES
from seqkit.network.ops import NUMPY

__all__ = ["Objective", "hits", "loss_of"]

Array = np.ndarray
Loss = tuple[float, Array]


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
        Of forecasts, a row of ``seqkit.network.heads.HEADS``.
    levels : tuple of float
        Quantile levels.
    steps : bool
        Whether every step of a series has a class or labels: the loss is the mean over the steps,
        of labels their sum. A step of -1 counts for nothing, which is what padding is.
    """

    kind: str
    loss: str = "mse"
    head: str = "point"
    levels: tuple[float, ...] = ()
    steps: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics shown while training."""
        return ("accuracy",) if self.kind.endswith("crossentropy") else ()

    def of_keras(self) -> tuple[Any, list[Any]]:
        """Return the loss and the metrics as Keras objects."""
        import keras

        if self.steps:
            from seqkit.network.keras.step_losses import StepAccuracy, StepCrossentropy

            return StepCrossentropy(), [StepAccuracy()]
        if self.kind == "crossentropy":
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            return loss, [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        if self.kind == "binary_crossentropy":
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
            return loss, [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]  # of logits
        if self.kind == "forecast":
            from seqkit.network.keras.head_layers import ForecastLoss

            return ForecastLoss(self.head, self.loss, self.levels), []
        named = {
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
            "huber": keras.losses.Huber,
        }
        return named[self.loss](), []


def _weighted(values: Array, slopes: Array, weight: Array | None) -> Loss:
    """Return the mean of losses, each times its weight, and the gradient."""
    n = max(values.size, 1)  # a batch may have no step that counts
    if weight is not None:
        values = values * weight
        slopes = slopes * weight.reshape(weight.shape + (1,) * (slopes.ndim - weight.ndim))
    return float(values.sum(dtype=np.float64) / n), (slopes / n).astype(np.float32, copy=False)


def _crossentropy(y: Array, logits: Array, weight: Array | None) -> Loss:
    """Cross entropy of the softmax, from logits: its gradient is probabilities less truth."""
    rows = np.arange(len(y))
    centered = logits - logits.max(1, keepdims=True)
    e = np.exp(centered)
    total = e.sum(1, keepdims=True)
    slopes = e / total
    slopes[rows, y] -= 1
    return _weighted(np.log(total[:, 0]) - centered[rows, y], slopes, weight)


def _binary_crossentropy(y: Array, logits: Array, weight: Array | None) -> Loss:
    """Cross entropy of each sigmoid, mean over the labels of a series."""
    n = logits.shape[1]
    values = (NUMPY.softplus(logits) - y * logits).mean(1)
    return _weighted(values, (NUMPY.sigmoid(logits) - y) / np.float32(n), weight)


def _valid_steps(y: Array, logits: Array, weight: Array | None) -> tuple[Array, Any]:
    """Return which steps count, and of those the truth, the logits and the weights as rows."""
    valid = (y if y.ndim == 2 else y[..., 0]) >= 0  # (batch, time)
    if weight is not None:
        weight = weight if weight.ndim == 2 else weight[:, None]
        weight = np.broadcast_to(weight, valid.shape)[valid]
    return valid, (y[valid], logits[valid], weight)


def _over_steps(y: Array, logits: Array, weight: Array | None) -> Loss:
    """Cross entropy of each step, mean over the valid steps of all series together."""
    valid, rows = _valid_steps(y, logits, weight)
    slopes = np.zeros(logits.shape, np.float32)
    if y.ndim == 2:
        loss, slopes[valid] = _crossentropy(*rows)
        return loss, slopes
    n = logits.shape[2]  # summed over the labels
    loss, slopes[valid] = _binary_crossentropy(*rows)
    return n * loss, n * slopes


def loss_of(objective: Objective, y: Array, prediction: Array, weight: Array | None) -> Loss:
    """Return the loss of a batch, as Keras reduces it, and its gradient by the prediction.

    Parameters
    ----------
    objective : Objective
    y : ndarray
        Classes (batch,), labels of 0 and 1 (batch, n), numbers (batch, n), or future values
        (batch, horizon, n_targets); with `steps` classes (batch, time) or labels (batch, time, n).
    prediction : ndarray
        What the network gave: logits, numbers, or values with parameters on a last axis.
    weight : ndarray or None
        Of each series (batch,), of each future value, or with `steps` of each step (batch, time).
    """
    if objective.steps:
        return _over_steps(y, prediction, weight)
    if objective.kind == "crossentropy":
        return _crossentropy(y, prediction, weight)
    if objective.kind == "binary_crossentropy":
        return _binary_crossentropy(y, prediction, weight)
    if objective.head == "point":
        loss, loss_backward = POINT_LOSSES[objective.loss]
        values, slopes = loss(NUMPY, y, prediction), loss_backward(y, prediction)
        if objective.kind == "number":  # the mean over a series' numbers is its loss
            values, slopes = values.mean(1), slopes / slopes.shape[1]
        return _weighted(values, slopes, weight)
    head = HEADS[objective.head]
    values = head.loss(NUMPY, y, prediction, objective.levels)
    return _weighted(values, head.loss_backward(y, prediction, objective.levels), weight)


def hits(y: Array, logits: Array, weight: Array | None) -> tuple[float, float]:
    """Return how many classes were right, and of how many, both weighted.

    Of several labels a series counts by the share that is right; where every step has a class,
    steps are counted.
    """
    if logits.ndim == 3:
        y, logits, weight = _valid_steps(y, logits, weight)[1]
    if y.ndim == 2:
        right = ((logits > 0) == (y > 0.5)).mean(1)
    else:
        right = (logits.argmax(1) == y).astype(np.float64)
    if weight is None:
        return float(right.sum()), float(len(y))
    return float((right * weight).sum()), float(weight.sum(dtype=np.float64))
