"""Losses of classes from logits beside the plain cross entropy: label smoothing and the focal loss.

Every function ``x`` that computes in a namespace has its gradient beside it, ``x_backward`` in
NumPy. With ``gamma`` 0 and truths of 0 and 1 they are the cross entropy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "focal",
    "focal_backward",
    "labels_loss",
    "labels_loss_backward",
    "smoothed_classes",
    "smoothed_labels",
    "softmax_loss",
    "softmax_loss_backward",
]

Array = np.ndarray
Tensor = Any
_TINY = 1e-30  # below every 1 - p of float32 but 0


def smoothed_classes(one_hot: Tensor, smoothing: float) -> Tensor:
    """Return ``(1 - e)`` of the truth and ``e / n_classes`` of every class.

    Szegedy et al. 2016, Rethinking the Inception architecture, section 7.
    """
    return one_hot * (1 - smoothing) + smoothing / one_hot.shape[-1]


def smoothed_labels(y: Tensor, smoothing: float) -> Tensor:
    """Return the same of labels that are there or not, each of two classes: 0 and 1."""
    return y * (1 - smoothing) + smoothing / 2


def focal(ops: Any, log_p: Tensor, gamma: float) -> Tensor:
    """Return ``-(1 - p)^gamma log p`` of the logarithm of a probability.

    Lin et al. 2017, Focal loss for dense object detection, equation 4.
    """
    if not gamma:
        return -log_p
    return -(ops.maximum(-ops.expm1(log_p), _TINY) ** gamma) * log_p


def focal_backward(log_p: Array, gamma: float) -> Array:
    """Return its derivative by the logarithm: ``-(1-p)^gamma + gamma p (1-p)^(gamma-1) log p``."""
    if not gamma:
        return -np.ones_like(log_p)
    rest = np.maximum(-np.expm1(log_p), np.float32(_TINY))
    slope: Array = -(rest**gamma) + gamma * np.exp(log_p) * rest ** (gamma - 1) * log_p
    return slope


def _log_softmax(ops: Any, logits: Tensor) -> Tensor:
    centered = logits - ops.max(logits, axis=-1, keepdims=True)
    return centered - ops.log(ops.sum(ops.exp(centered), axis=-1, keepdims=True))


def softmax_loss(ops: Any, truth: Tensor, logits: Tensor, gamma: float) -> Tensor:
    """Return the loss of classes that exclude each other, ``(...,)``.

    Parameters
    ----------
    ops : namespace
    truth : tensor of shape (..., n_classes)
        Shares of the classes, whose sum is 1.
    logits : tensor of shape (..., n_classes)
    gamma : float
    """
    return ops.sum(truth * focal(ops, _log_softmax(ops, logits), gamma), axis=-1)


def softmax_loss_backward(truth: Array, logits: Array, gamma: float) -> Array:
    """Return the derivative of :func:`softmax_loss` by the logits."""
    log_p = _log_softmax(np, logits)
    slopes = truth * focal_backward(log_p, gamma)
    gradient: Array = slopes - np.exp(log_p) * slopes.sum(-1, keepdims=True)
    return gradient


def labels_loss(ops: Any, truth: Tensor, logits: Tensor, gamma: float) -> Tensor:
    """Return the loss of each label, there (1) or not (0), of the shape of `logits`."""
    yes, no = -ops.softplus(-logits), -ops.softplus(logits)
    return truth * focal(ops, yes, gamma) + (1 - truth) * focal(ops, no, gamma)


def labels_loss_backward(truth: Array, logits: Array, gamma: float) -> Array:
    """Return the derivative of :func:`labels_loss` by the logits."""
    zero = logits.dtype.type(0)
    yes, no = -np.logaddexp(-logits, zero), -np.logaddexp(logits, zero)
    there = truth * focal_backward(yes, gamma) * np.exp(no)
    gradient: Array = there - (1 - truth) * focal_backward(no, gamma) * np.exp(yes)
    return gradient
