"""One step of an optimizer on all parameters, which lie in one array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seqkit.machine.code.compiling import compiled, single

__all__ = ["adam_step", "clip", "sgd_step"]

_SUMS = 16  # side by side, so that a vector holds them


@compiled
def clip(gradient: np.ndarray, most: Any) -> None:
    """Scale a gradient so that its norm is at most `most`."""
    sums = np.zeros(_SUMS, np.float64)
    whole = gradient.shape[0] // _SUMS * _SUMS
    for start in range(0, whole, _SUMS):
        row = gradient[start : start + _SUMS]
        for j in range(_SUMS):
            sums[j] += row[j] * row[j]
    total = sums.sum()
    for j in range(whole, gradient.shape[0]):
        total += gradient[j] * gradient[j]
    norm = math.sqrt(total)
    if not norm <= most:  # a norm that is no number makes all of them none
        by = single(most / norm)
        for j in range(gradient.shape[0]):
            gradient[j] *= by


@compiled
def adam_step(
    theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, rate: Any, beta_1: Any,
    beta_2: Any, epsilon: Any,
) -> None:  # fmt: skip
    """Kingma and Ba (2015), algorithm 1 as of section 2; `rate` is alpha_t, all in float32."""
    for j in range(theta.shape[0]):
        g = gradient[j]
        m[j] += (g - m[j]) * (single(1) - beta_1)
        v[j] += (g * g - v[j]) * (single(1) - beta_2)
        theta[j] -= rate * m[j] / (math.sqrt(v[j]) + epsilon)


@compiled
def sgd_step(theta: np.ndarray, gradient: np.ndarray, rate: Any) -> None:
    """Plain descent."""
    for j in range(theta.shape[0]):
        theta[j] -= rate * gradient[j]
