"""What training minimises, by name, with its gradient; Keras's objects where Keras trains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqkit.network.class_losses import (
    labels_loss,
    labels_loss_backward,
    smoothed_classes,
    smoothed_labels,
    softmax_loss,
    softmax_loss_backward,
)
from seqkit.network.heads import HEADS, POINT_LOSSES
from seqkit.network.mixtures import mixture_nll, mixture_nll_backward
from seqkit.network.ops import NUMPY
from seqkit.network.settings import FOCAL_GAMMA

__all__ = ["Objective", "hits", "loss_of", "softened"]

Array = np.ndarray
Loss = tuple[float, Array]


@dataclass(frozen=True)
class Objective:
    """A loss of seqkit's own networks, and what is shown beside it.

    Attributes
    ----------
    kind : {"crossentropy", "binary_crossentropy", "number", "forecast", "mixture"}
        Of a class from logits, of labels that are there or not from a logit each, of standardised
        numbers or quantiles of them, of future values, of the numbers of the next step.
    loss : {"mae", "mse", "huber"}
        Of numbers, and of point forecasts.
    head : str
        Of forecasts and numbers, a row of ``seqkit.network.heads.HEADS``.
    levels : tuple of float
        Quantile levels.
    steps : bool
        Whether every step of a series has a class, labels or numbers: the loss is the mean over the
        steps, of labels their sum. A step of -1, of numbers NaN, counts for nothing, which is what
        padding is.
    smoothing : float
        Of classes and labels, the share of the truth that all have alike.
    shares : bool
        Whether the truth of a series is the share of each class instead of one class.
    gamma : float
        Of classes and labels, how little the sure ones count (focal loss); 0 = the cross entropy.
    components : int
        Of a mixture.
    log_scale : float
        Of a mixture, what is added to the loss of a step: the logarithms of the scales that its
        numbers were divided by, so that the loss is in their own units.
    """

    kind: str
    loss: str = "mse"
    head: str = "point"
    levels: tuple[float, ...] = ()
    steps: bool = False
    smoothing: float = 0.0
    gamma: float = 0.0
    shares: bool = False
    components: int = 1
    log_scale: float = 0.0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics shown while training."""
        return ("accuracy",) if self.kind.endswith("crossentropy") else ()

    def of_keras(self) -> tuple[Any, list[Any]]:
        """Return the loss and the metrics as Keras objects."""
        import keras

        if self.kind == "mixture":
            from seqkit.network.keras.step_losses import StepMixture

            return StepMixture(self.components, self.log_scale), []
        if self.steps:
            from seqkit.network.keras.step_losses import StepAccuracy, StepCrossentropy

            return StepCrossentropy(self.smoothing, self.gamma), [StepAccuracy()]
        if self.shares and self.kind == "crossentropy":
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            return self._softened(loss), [keras.metrics.CategoricalAccuracy(name="accuracy")]
        if self.kind == "crossentropy":
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            return self._softened(loss), [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        if self.kind == "binary_crossentropy":
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
            from seqkit.network.keras.step_losses import labels_right

            accuracy = keras.metrics.MeanMetricWrapper(labels_right, name="accuracy")
            return self._softened(loss), [accuracy]
        if self.kind == "forecast" or self.head != "point":
            from seqkit.network.keras.head_layers import ForecastLoss

            return ForecastLoss(self.head, self.loss, self.levels), []
        named = {
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
            "huber": keras.losses.Huber,
        }
        return named[self.loss](), []

    def _softened(self, plain: Any) -> Any:
        """Return a loss of Keras, or seqkit's own where it is smoothed or focal."""
        if not (self.smoothing or self.gamma):
            return plain
        from seqkit.network.keras.step_losses import ClassLoss

        return ClassLoss(self.smoothing, self.gamma, self.shares and self.kind == "crossentropy")

    def least(self, n_classes: int) -> float:
        """Return the smallest loss there can be of a series: that of the best probabilities.

        Of smoothed classes it is above 0. The classes that are not the truth are then alike, so
        that one logit is all there is to choose.
        """
        if not self.smoothing:
            return 0.0
        n = 2 if self.kind.startswith("binary") else n_classes
        logits = np.zeros((4001, n))
        logits[:, 0] = np.linspace(0, 40, 4001)
        truth = smoothed_classes(np.eye(n)[:1], self.smoothing)
        return float(softmax_loss(NUMPY, truth, logits, self.gamma).min())


def softened(objective: Objective, settings: Any) -> Objective:
    """Return an objective of classes with the label smoothing and the focal loss of settings."""
    given = settings.focal_gamma
    gamma = 0.0 if settings.loss != "focal" else FOCAL_GAMMA if given is None else float(given)
    return replace(objective, smoothing=float(settings.label_smoothing), gamma=gamma)


def _weighted(values: Array, slopes: Array, weight: Array | None) -> Loss:
    """Return the mean of losses, each times its weight, and the gradient."""
    n = max(values.size, 1)  # a batch may have no step that counts
    if weight is not None:
        values = values * weight
        slopes = slopes * weight.reshape(weight.shape + (1,) * (slopes.ndim - weight.ndim))
    return float(values.sum(dtype=np.float64) / n), (slopes / n).astype(np.float32, copy=False)


def _class_loss(objective: Objective, y: Array, logits: Array, weight: Array | None) -> Loss:
    """Loss of the softmax, from logits: of the cross entropy its gradient is p less the truth."""
    if objective.smoothing or objective.gamma or objective.shares:
        truth = y if objective.shares else np.eye(logits.shape[1], dtype=np.float32)[y]
        truth, gamma = smoothed_classes(truth, objective.smoothing), objective.gamma
        slopes = softmax_loss_backward(truth, logits, gamma)
        return _weighted(softmax_loss(NUMPY, truth, logits, gamma), slopes, weight)
    rows = np.arange(len(y))
    centered = logits - logits.max(1, keepdims=True)
    e = np.exp(centered)
    total = e.sum(1, keepdims=True)
    slopes = e / total
    slopes[rows, y] -= 1
    return _weighted(np.log(total[:, 0]) - centered[rows, y], slopes, weight)


def _label_loss(objective: Objective, y: Array, logits: Array, weight: Array | None) -> Loss:
    """Loss of each sigmoid, mean over the labels of a series."""
    n = logits.shape[1]
    if objective.smoothing or objective.gamma:
        truth, gamma = smoothed_labels(y, objective.smoothing), objective.gamma
        slopes = labels_loss_backward(truth, logits, gamma) / np.float32(n)
        return _weighted(labels_loss(NUMPY, truth, logits, gamma).mean(1), slopes, weight)
    values = (NUMPY.softplus(logits) - y * logits).mean(1)
    return _weighted(values, (NUMPY.sigmoid(logits) - y) / np.float32(n), weight)


def _valid_steps(
    y: Array, logits: Array, weight: Array | None, numbers: bool = False
) -> tuple[Array, Any]:
    """Return which steps count, and of those the truth, the logits and the weights as rows."""
    first = y if y.ndim == 2 else y[..., 0]
    valid = np.isfinite(first) if numbers else first >= 0  # (batch, time)
    if weight is not None:
        weight = weight if weight.ndim == 2 else weight[:, None]
        weight = np.broadcast_to(weight, valid.shape)[valid]
    return valid, (y[valid], logits[valid], weight)


def _over_steps(objective: Objective, y: Array, logits: Array, weight: Array | None) -> Loss:
    """Loss of each step, mean over the valid steps of all series together."""
    mixture = objective.kind == "mixture"
    valid, rows = _valid_steps(y, logits, weight, mixture)
    slopes = np.zeros(logits.shape, np.float32)
    if mixture:
        truth, free, own = rows
        values = mixture_nll(NUMPY, truth, free, objective.components) + objective.log_scale
        by_free = mixture_nll_backward(truth, free, objective.components)
        loss, slopes[valid] = _weighted(values, by_free, own)
        return loss, slopes
    if y.ndim == 2:
        loss, slopes[valid] = _class_loss(objective, *rows)
        return loss, slopes
    n = logits.shape[2]  # summed over the labels
    loss, slopes[valid] = _label_loss(objective, *rows)
    return n * loss, n * slopes


def loss_of(objective: Objective, y: Array, prediction: Array, weight: Array | None) -> Loss:
    """Return the loss of a batch, as Keras reduces it, and its gradient by the prediction.

    Parameters
    ----------
    objective : Objective
    y : ndarray
        Classes (batch,) or their shares (batch, n), labels of 0 and 1 (batch, n), numbers
        (batch, n), or future values (batch, horizon, n_targets); with `steps` classes (batch, time)
        or labels or numbers (batch, time, n).
    prediction : ndarray
        What the network gave: logits, numbers, or values with parameters on a last axis.
    weight : ndarray or None
        Of each series (batch,), of each future value, or with `steps` of each step (batch, time).
    """
    if objective.steps:
        return _over_steps(objective, y, prediction, weight)
    if objective.kind == "crossentropy":
        return _class_loss(objective, y, prediction, weight)
    if objective.kind == "binary_crossentropy":
        return _label_loss(objective, y, prediction, weight)
    if objective.head == "point":
        loss, loss_backward = POINT_LOSSES[objective.loss]
        values, slopes = loss(NUMPY, y, prediction), loss_backward(y, prediction)
        if objective.kind == "number":  # the mean over a series' numbers is its loss
            values, slopes = values.mean(1), slopes / slopes.shape[1]
        return _weighted(values, slopes, weight)
    head = HEADS[objective.head]
    values = head.loss(NUMPY, y, prediction, objective.levels)
    slopes = head.loss_backward(y, prediction, objective.levels)
    if objective.kind == "number":
        values, slopes = values.mean(1), slopes / slopes.shape[1]
    return _weighted(values, slopes, weight)


def hits(
    objective: Objective, y: Array, logits: Array, weight: Array | None
) -> tuple[float, float]:
    """Return how many classes were right, and of how many, both weighted.

    Of several labels a series counts by the share that is right; where every step has a class,
    steps are counted; of shares of classes the greatest is the truth.
    """
    if logits.ndim == 3:
        y, logits, weight = _valid_steps(y, logits, weight)[1]
    if objective.shares and objective.kind == "crossentropy":
        right = (logits.argmax(1) == y.argmax(1)).astype(np.float64)
    elif y.ndim == 2:
        right = ((logits > 0) == (y > 0.5)).mean(1)
    else:
        right = (logits.argmax(1) == y).astype(np.float64)
    if weight is None:
        return float(right.sum()), float(len(y))
    return float((right * weight).sum()), float(weight.sum(dtype=np.float64))
