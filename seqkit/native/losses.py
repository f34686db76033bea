"""Losses and their gradients, those of `seqkit.objective`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqkit.objective import Objective

__all__ = ["LOSSES", "hits", "loss_of"]

Array = np.ndarray
Loss = tuple[float, Array]


def _mae(error: Array) -> tuple[Array, Array]:
    return np.abs(error), np.sign(error)


def _mse(error: Array) -> tuple[Array, Array]:
    return np.square(error), 2 * error


def _huber(error: Array) -> tuple[Array, Array]:
    size = np.abs(error)
    near = size <= 1
    return np.where(near, 0.5 * error * error, size - 0.5), np.clip(error, -1, 1)


LOSSES: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "mae": _mae,
    "mse": _mse,
    "huber": _huber,
}
"""Loss of an error (answer - truth) and its derivative, by element."""


def _weighted(values: Array, slopes: Array, weight: Array | None) -> Loss:
    """Return the mean of losses, each times its weight, and the gradient."""
    n = values.size
    if weight is not None:
        values = values * weight
        slopes = slopes * weight.reshape(weight.shape + (1,) * (slopes.ndim - weight.ndim))
    return float(values.sum(dtype=np.float64) / n), (slopes / n).astype(np.float32, copy=False)


def _crossentropy(y: Array, logits: Array, weight: Array | None) -> Loss:
    rows = np.arange(len(y))
    centered = logits - logits.max(1, keepdims=True)
    e = np.exp(centered)
    total = e.sum(1, keepdims=True)
    slopes = e / total
    slopes[rows, y] -= 1
    return _weighted(np.log(total[:, 0]) - centered[rows, y], slopes, weight)


def _pinball(y: Array, answer: Array, levels: tuple[float, ...]) -> tuple[Array, Array]:
    error = y[..., None] - answer
    level = np.array(levels, np.float32)
    tilt = np.where(level * error >= (level - 1) * error, level, level - 1)
    n = len(levels)
    return 2 * (tilt * error).sum(-1) / n, -2 * tilt / n


def loss_of(objective: Objective, y: Array, answer: Array, weight: Array | None) -> Loss:
    """Return the loss of a batch, as Keras reduces it, and its gradient by the answer.

    Parameters
    ----------
    objective : Objective
    y : ndarray
        Classes (batch,), numbers (batch, n), or future values (batch, horizon, n_targets).
    answer : ndarray
        What the network gave: logits, numbers, or values with quantiles on a last axis.
    weight : ndarray or None
        Of each series (batch,), or of each future value.
    """
    if objective.kind == "crossentropy":
        return _crossentropy(y, answer, weight)
    if objective.head == "quantiles":
        return _weighted(*_pinball(y, answer, objective.levels), weight)
    values, slopes = LOSSES[objective.loss](answer - y)
    if objective.kind == "number":  # the mean over a series' numbers is its loss
        values, slopes = values.mean(1), slopes / slopes.shape[1]
    return _weighted(values, slopes, weight)


def hits(y: Array, logits: Array, weight: Array | None) -> tuple[float, float]:
    """Return how many classes were right, and of how many, both weighted."""
    right = (logits.argmax(1) == y).astype(np.float64)
    if weight is None:
        return float(right.sum()), float(len(y))
    return float((right * weight).sum()), float(weight.sum(dtype=np.float64))
