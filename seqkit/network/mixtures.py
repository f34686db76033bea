"""Mixtures of normal distributions: what a network tells of the numbers of the next step.

``p(y) = sum_k w_k prod_c N(y_c; m_kc, s_kc)`` (Bishop 1994, "Mixture density networks", equations
22 to 29; a step at a time Graves 2013, "Generating sequences with recurrent neural networks",
section 4). Within a component the channels are independent; what they have to do with each other
is for the components to say.

A network gives ``(..., n_components * (1 + 2 C))`` free numbers, those of a component together: its
logit, its means, and what softplus makes scales of. All of it is in scaled units; in the units of
the data a mixture is ``(..., n_components, 1 + 2 C)``: weight, means, scales.

Every function ``x`` that computes in a namespace has its gradient beside it, ``x_backward`` in
NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.heads import SMALLEST_SCALE
from seqkit.network.ops import NUMPY

__all__ = ["Mixture", "mixture_nll", "mixture_nll_backward", "mixture_parts"]

Array = np.ndarray
Tensor = Any
_LOG_ROOT = 0.5 * math.log(2 * math.pi)
_HALVINGS = 60  # of an interval: a double has no more digits


def mixture_parts(ops: Any, net: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the parts of `n` components in free numbers, in scaled units.

    No scale is below ``SMALLEST_SCALE``: a component that lies on one value makes its likelihood as
    large as its scale is small, without an end.

    Returns
    -------
    logits : tensor of shape (..., n, 1)
    means, raw, scales : tensors of shape (..., n, C)
        ``scales = softplus(raw) + SMALLEST_SCALE``.
    """
    size = net.shape[-1] // n
    width = (size - 1) // 2
    columns = [net[..., k * size : (k + 1) * size] for k in range(n)]
    parts = ops.stack(columns, axis=len(net.shape) - 1)  # (..., n, 1 + 2 C)
    raw = parts[..., 1 + width :]
    scales = ops.softplus(raw) + SMALLEST_SCALE
    return parts[..., :1], parts[..., 1 : 1 + width], raw, scales


def _log_sum(ops: Any, x: Tensor) -> Tensor:
    """Return the logarithm of the sum of exponentials over the last axis, which stays."""
    most = ops.max(x, axis=-1, keepdims=True)
    return most + ops.log(ops.sum(ops.exp(x - most), axis=-1, keepdims=True))


def _log_joint(ops: Any, y: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Return the logarithm of ``w_k N(y; m_k, s_k)`` of every component, (..., n)."""
    z = (y[..., None, :] - means) / scales
    each = -0.5 * ops.square(z) - ops.log(scales) - _LOG_ROOT
    return log_weights + ops.sum(each, axis=-1)


def mixture_nll(ops: Any, y: Tensor, net: Tensor, n: int) -> Tensor:
    """Return the negative log-likelihood of numbers ``(..., C)``, in scaled units: ``(...,)``."""
    logits, means, _, scales = mixture_parts(ops, net, n)
    logits = logits[..., 0]
    joint = _log_joint(ops, y, logits - _log_sum(ops, logits), means, scales)
    return -_log_sum(ops, joint)[..., 0]


def mixture_nll_backward(y: Array, net: Array, n: int) -> Array:
    """Return the derivative of :func:`mixture_nll` by the free numbers (Bishop 1994, eq. 35-39)."""
    logits, means, raw, scales = mixture_parts(NUMPY, net, n)
    log_weights = logits[..., 0] - _log_sum(np, logits[..., 0])
    joint = _log_joint(np, y, log_weights, means, scales)
    share = np.exp(joint - _log_sum(np, joint))  # of each component in the truth
    z = (y[..., None, :] - means) / scales
    by_mean = -share[..., None] * z / scales
    by_scale = share[..., None] * (1 - z * z) / scales
    by_logit = np.exp(log_weights) - share
    parts = [by_logit[..., None], by_mean, by_scale * NUMPY.sigmoid(raw)]
    return np.concatenate(parts, axis=-1).reshape(net.shape)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixtures of normal distributions in the units of the data, one a step.

    Attributes
    ----------
    weights : ndarray of shape (..., n_components)
        They sum to 1.
    means, scales : ndarray of shape (..., n_components, n_features)
        Of each component; its features are independent.

    Examples
    --------
    >>> two = Mixture(np.array([0.5, 0.5]), np.array([[-1.0], [1.0]]), np.array([[0.1], [0.1]]))
    >>> two.mean().round(3).tolist(), two.std().round(3).tolist()
    ([0.0], [1.005])
    >>> two.quantile(0.25).round(3).tolist()
    [-1.0]
    >>> np.sign(two.sample(np.random.default_rng(0), 4)[:, 0]).tolist()
    [1.0, -1.0, -1.0, -1.0]
    """

    weights: Array
    means: Array
    scales: Array

    @classmethod
    def of(cls, packed: Array) -> Mixture:
        """Return mixtures of arrays ``(..., n_components, 1 + 2 n_features)``, as exports give."""
        width = (packed.shape[-1] - 1) // 2
        return cls(packed[..., 0], packed[..., 1 : 1 + width], packed[..., 1 + width :])

    @classmethod
    def of_network(cls, net: Array, n: int, offset: Array, scale: Array) -> Mixture:
        """Return mixtures of a network's free numbers, in units."""
        logits, means, _, scales = mixture_parts(NUMPY, np.asarray(net, np.float64), n)
        weights = NUMPY.softmax(logits[..., 0])
        return cls(weights, means * scale + offset, scales * scale)

    def __getitem__(self, which: Any) -> Mixture:
        """Return the mixtures of some series, or steps."""
        return Mixture(self.weights[which], self.means[which], self.scales[which])

    def packed(self) -> Array:
        """Return one array, ``(..., n_components, 1 + 2 n_features)``: weight, means, scales."""
        return np.concatenate([self.weights[..., None], self.means, self.scales], axis=-1)

    def mean(self) -> Array:
        """Return the expected numbers, ``(..., n_features)``."""
        mean: Array = (self.weights[..., None] * self.means).sum(axis=-2)
        return mean

    def std(self) -> Array:
        """Return the standard deviation of each feature, ``(..., n_features)``."""
        apart = self.means - self.mean()[..., None, :]
        second = self.weights[..., None] * (self.scales**2 + apart**2)
        std: Array = np.sqrt(second.sum(axis=-2))
        return std

    def log_density(self, y: Any) -> Array:
        """Return the logarithm of the density of numbers ``(..., n_features)``: ``(...,)``."""
        with np.errstate(divide="ignore"):  # a weight may have become 0
            log_weights = np.log(self.weights)
        joint = _log_joint(np, np.asarray(y, np.float64), log_weights, self.means, self.scales)
        logs: Array = _log_sum(np, joint)[..., 0]
        return logs

    def quantile(self, level: float) -> Array:
        """Return a quantile of each feature by itself, ``(..., n_features)``, by bisection."""
        from scipy.special import ndtr, ndtri

        ends = self.means + self.scales * ndtri(level)  # it lies between those of the components
        low, high = ends.min(axis=-2), ends.max(axis=-2)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = ndtr((middle[..., None, :] - self.means) / self.scales)
            less = (self.weights[..., None] * below).sum(axis=-2) < level
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        found: Array = (low + high) / 2
        return found

    def sample(self, rng: np.random.Generator, n: int = 1, temperature: float = 1.0) -> Array:
        """Draw numbers, ``(n, ..., n_features)``.

        Parameters
        ----------
        rng : numpy.random.Generator
        n : int, default=1
        temperature : float, default=1.0
            A component is drawn by its weight to the power of ``1 / temperature``, and its scale
            is multiplied by ``sqrt(temperature)``: the density of a single component to that power.
            0 = the mean of the most probable component.
        """
        shape = (n, *self.weights.shape[:-1])
        if temperature == 0:
            chosen = np.broadcast_to(self.weights.argmax(axis=-1), shape)
        else:
            with np.errstate(divide="ignore"):
                logits = np.log(self.weights) / temperature
            shares = np.exp(logits - logits.max(axis=-1, keepdims=True)).cumsum(axis=-1)
            drawn = rng.random(shape)[..., None] * shares[..., -1:]
            chosen = (drawn >= shares).sum(axis=-1)
        place = np.broadcast_to(chosen[..., None, None], (*shape, 1, self.means.shape[-1]))
        whole = (
            np.broadcast_to(one, (*shape, *one.shape[-2:])) for one in (self.means, self.scales)
        )
        means, scales = (np.take_along_axis(one, place, -2)[..., 0, :] for one in whole)
        found: Array = means
        if temperature:
            found = means + math.sqrt(temperature) * scales * rng.standard_normal(means.shape)
        return found
