"""One step of an optimizer on all parameters, which lie in one array."""

from __future__ import annotations

import math

import numpy as np

from seqkit.network.cpu.code.compiling import (
    Double,
    Doubles,
    Single,
    Vector,
    at,
    kernel,
    single,
    start,
)
from seqkit.network.cpu.code.rows import ONE

__all__ = ["adam_step", "clip", "sgd_step"]

_SUMS = 16  # side by side, so that a vector holds them


@kernel
def _clip(gradient: Vector, most: Double, sums: Doubles) -> None:
    n = gradient.shape[0]
    d = start(gradient)
    whole = n // _SUMS * _SUMS
    for first in range(0, whole, _SUMS):
        row = at(d, first)
        for j in range(_SUMS):
            sums[j] += row[j] * row[j]
    total = 0.0
    for j in range(_SUMS):
        total += sums[j]
    for j in range(whole, n):
        total += d[j] * d[j]
    norm = math.sqrt(total)
    if not norm <= most:  # a norm that is no number makes all of them none
        by = single(most / norm)
        for j in range(n):
            d[j] *= by
    sums[0] = norm


def clip(gradient: np.ndarray, most: float) -> float:
    """Scale a gradient so that its norm is at most `most`; return what the norm was."""
    sums = np.zeros(_SUMS)
    _clip(gradient, most, sums)
    return float(sums[0])


@kernel
def adam_step(
    theta: Vector, gradient: Vector, m: Vector, v: Vector, rate: Single, beta_1: Single,
    beta_2: Single, epsilon: Single,
) -> None:  # fmt: skip
    """Kingma and Ba (2015), algorithm 1 as of section 2; `rate` is alpha_t.

    m += (g - m) (1 - beta_1),  v += (g^2 - v) (1 - beta_2),  theta -= rate m / (sqrt(v) + epsilon)
    """
    p, d, first, second = start(theta), start(gradient), start(m), start(v)
    for j in range(theta.shape[0]):
        g = d[j]
        first[j] += (g - first[j]) * (ONE - beta_1)
        second[j] += (g * g - second[j]) * (ONE - beta_2)
        p[j] -= rate * first[j] / (math.sqrt(second[j]) + epsilon)


@kernel
def sgd_step(theta: Vector, gradient: Vector, rate: Single) -> None:
    """Plain descent: theta -= rate g."""
    p, d = start(theta), start(gradient)
    for j in range(theta.shape[0]):
        p[j] -= rate * d[j]
