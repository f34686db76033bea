"""What has come of a series so far, as means in which older steps count less and less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.layers.base import Array, Layer, Saved, Shape

__all__ = ["Averages"]

NOTHING = 2.0**-30
"""Weight of a step, beside that of the last one, below which no sum of float32 changes by it."""


@dataclass(frozen=True)
class Averages(Layer):
    """``m_t = sum_k q^k x_{t-k} / sum_k q^k`` with ``q = 1 - 1/n``, feature by feature.

    The exponentially weighted moving average (Roberts 1959, "Control Chart Tests Based on Geometric
    Moving Averages"), corrected for its beginning: of the first step it is that step, of all steps
    that have come their mean while there are few. A step weighs 1/e of the last one after about `n`
    more. Where measurements are noisy it shows what changes slowly under the noise.

    The sums are taken by doubling: once each step holds the sum of `k` steps, adding ``q^k`` times
    that of `k` steps before makes it one of `2 k` (Hillis and Steele 1986).

    Parameters
    ----------
    steps : tuple of int
        Each `n`, at least 2; features of one follow those of another.
    """

    steps: tuple[int, ...]

    def shape(self, x: Shape) -> Shape:
        n = x[-1]
        assert n is not None
        return (*x[:-1], n * len(self.steps))

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        one = ops.ones_like(x[:1, :, :1])
        means = [_sums(ops, x, n) / _sums(ops, one, n) for n in self.steps]
        return means[0] if len(means) == 1 else ops.concatenate(means, axis=-1)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        n_steps, one = d.shape[1], np.ones((1, d.shape[1], 1), d.dtype)
        total = np.zeros((*d.shape[:2], d.shape[2] // len(self.steps)), d.dtype)
        for n, part in zip(self.steps, np.split(d, len(self.steps), axis=-1), strict=True):
            part = part / _sums(np, one, n)
            for k, weight in _doublings(n):
                if k < n_steps:
                    part[:, :-k] += weight * part[:, k:]
            total += part
        return (total,)


def _doublings(n: int) -> Iterator[tuple[int, float]]:
    """Yield how far back a sum is added, and its weight, until it weighs nothing."""
    k, q = 1, 1 - 1 / n
    while (weight := q**k) > NOTHING:
        yield k, weight
        k *= 2


def _sums(ops: Any, x: Any, n: int) -> Any:
    """Return the weighted sum of every step and all before it."""
    n_steps = ops.shape(x)[1]
    for k, weight in _doublings(n):
        if isinstance(n_steps, int) and k >= n_steps:
            break
        x = x + weight * ops.pad(x, [[0, 0], [k, 0], [0, 0]])[:, :-k]
    return x
