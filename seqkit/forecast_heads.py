"""What a forecaster says about each future value: a point, quantiles or a distribution.

A head turns ``(B, H, T, P)`` free numbers of the network into an answer. Heads work in the
normalised space of the window, where every series has the same size, and their losses are taken
there; the last step moves the answer into the user's units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import explain, suggest

__all__ = ["DISTRIBUTIONS", "HEADS", "POINT_LOSSES", "Head", "head_of"]

Tensor = Any
# Smallest scale of a distribution, in standard deviations of the window: a likelihood has no
# upper bound where a window repeats itself exactly.
_SMALLEST = 1e-3


@dataclass(frozen=True)
class Head:
    """One kind of answer.

    Parameters
    ----------
    name : str
    parameters : tuple of str
        Names of the parameters on the last axis; for quantiles those are the levels.
    counts : bool
        Whether values are counts: the answer is then in units all along and only scaled.
    normalized : callable (net (B, H, T, P), naive (B, H, T)) -> (B, H, T, P)
        The answer in normalised space.
    loss : callable (y (B, H, T), answer (B, H, T, P), levels) -> (B, H, T)
    mean, quantile, sample : callables on numpy arrays in units
    """

    name: str
    parameters: tuple[str, ...]
    normalized: Callable[[Tensor, Tensor], Tensor]
    loss: Callable[..., Tensor]
    mean: Callable[[np.ndarray], np.ndarray]
    quantile: Callable[[np.ndarray, float], np.ndarray]
    sample: Callable[[np.ndarray, np.random.Generator, int], np.ndarray]
    counts: bool = False
    source: str = ""


def _ops() -> Any:
    """Return Keras's operations: Keras is imported where a head is computed, not named."""
    import keras

    return keras.ops


def _point(net: Tensor, naive: Tensor) -> Tensor:
    return net + naive[..., None]


def _ordered(net: Tensor, naive: Tensor) -> Tensor:
    """The middle level free, the others by positive steps away from it: they cannot cross."""
    ops = _ops()
    n_levels = net.shape[-1]
    middle = n_levels // 2
    center = net[..., middle : middle + 1] + naive[..., None]
    parts = [center]
    if middle + 1 < n_levels:
        steps = ops.softplus(net[..., middle + 1 :])
        parts.append(center + ops.cumsum(steps, axis=-1))
    if middle:
        steps = ops.softplus(net[..., :middle])
        # cumulated from the middle outwards
        down = ops.flip(ops.cumsum(ops.flip(steps, axis=-1), axis=-1), axis=-1)
        parts.insert(0, center - down)
    return ops.concatenate(parts, axis=-1)


def _location_scale(net: Tensor, naive: Tensor) -> Tensor:
    ops = _ops()
    location = net[..., :1] + naive[..., None]
    scale = ops.softplus(net[..., 1:2]) + _SMALLEST
    rest = 2.0 + ops.softplus(net[..., 2:])  # degrees of freedom above 2: the variance exists
    return ops.concatenate([location, scale, rest], axis=-1)


def _positive(net: Tensor, naive: Tensor) -> Tensor:
    ops = _ops()
    return ops.softplus(net) + 1e-4


def _lgamma(x: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.math.lgamma(x)


def _pinball(y: Tensor, answer: Tensor, levels: Sequence[float]) -> Tensor:
    """Pinball loss, mean over levels, times 2: for the median it is the absolute error."""
    ops = _ops()
    error = y[..., None] - answer  # (B, H, T, Q)
    level = ops.convert_to_tensor(levels, dtype=answer.dtype)
    return 2.0 * ops.mean(ops.maximum(level * error, (level - 1.0) * error), axis=-1)


def _normal_nll(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    ops = _ops()
    location, scale = answer[..., 0], answer[..., 1]
    return 0.5 * ops.square((y - location) / scale) + ops.log(scale) + 0.5 * np.log(2 * np.pi)


def _student_nll(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    ops = _ops()
    location, scale, df = answer[..., 0], answer[..., 1], answer[..., 2]
    z = (y - location) / scale
    return (
        _lgamma(0.5 * df)
        - _lgamma(0.5 * (df + 1))
        + 0.5 * ops.log(np.pi * df)
        + ops.log(scale)
        + 0.5 * (df + 1) * ops.log1p(ops.square(z) / df)
    )


def _poisson_nll(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    ops = _ops()
    mean = answer[..., 0]
    return mean - y * ops.log(mean) + _lgamma(y + 1.0)


def _negative_binomial_nll(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    """Mean m and dispersion a: variance m + a m^2 (Salinas et al. 2020, section 3.2)."""
    ops = _ops()
    mean, dispersion = answer[..., 0], answer[..., 1]
    size = 1.0 / dispersion
    return (
        _lgamma(size)
        + _lgamma(y + 1.0)
        - _lgamma(y + size)
        + size * ops.log1p(dispersion * mean)
        - y * ops.log(mean)
        + y * ops.log(mean + size)
    )


def _scipy_quantile(name: str) -> Callable[[np.ndarray, float], np.ndarray]:
    def quantile(answer: np.ndarray, level: float) -> np.ndarray:
        from scipy import stats

        p = [answer[..., i].astype(np.float64) for i in range(answer.shape[-1])]
        if name == "normal":
            return stats.norm.ppf(level, p[0], p[1])
        if name == "student_t":
            return stats.t.ppf(level, p[2], p[0], p[1])
        if name == "poisson":
            return stats.poisson.ppf(level, p[0])
        return stats.nbinom.ppf(level, 1 / p[1], 1 / (1 + p[1] * p[0]))

    return quantile


def _draw(name: str) -> Callable[[np.ndarray, np.random.Generator, int], np.ndarray]:
    def sample(answer: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
        p = [answer[..., i].astype(np.float64) for i in range(answer.shape[-1])]
        shape = (n, *answer.shape[:-1])
        if name == "normal":
            return p[0] + p[1] * rng.standard_normal(shape)
        if name == "student_t":
            return p[0] + p[1] * rng.standard_t(p[2], shape)
        if name == "poisson":
            return rng.poisson(p[0], shape).astype(np.float64)
        return rng.poisson(rng.gamma(1 / p[1], p[1] * p[0], shape)).astype(np.float64)

    return sample


def _first(answer: np.ndarray) -> np.ndarray:
    return answer[..., 0]


def _nothing(*args: Any) -> Any:
    raise ValueError("a point forecast has no distribution; set `quantiles` or `distribution`")


HEADS: dict[str, Head] = {
    head.name: head
    for head in (
        Head("point", ("value",), _point, _nothing, _first, _nothing, _nothing),
        Head(
            "quantiles",
            (),
            _ordered,
            _pinball,
            lambda answer: answer[..., answer.shape[-1] // 2],
            _nothing,
            _nothing,
            source="Koenker and Bassett 1978",
        ),
        Head(
            "normal",
            ("location", "scale"),
            _location_scale,
            _normal_nll,
            _first,
            _scipy_quantile("normal"),
            _draw("normal"),
        ),
        Head(
            "student_t",
            ("location", "scale", "df"),
            _location_scale,
            _student_nll,
            _first,
            _scipy_quantile("student_t"),
            _draw("student_t"),
        ),
        Head(
            "negative_binomial",
            ("mean", "dispersion"),
            _positive,
            _negative_binomial_nll,
            _first,
            _scipy_quantile("negative_binomial"),
            _draw("negative_binomial"),
            counts=True,
            source="Salinas et al. 2020",
        ),
        Head(
            "poisson",
            ("mean",),
            _positive,
            _poisson_nll,
            _first,
            _scipy_quantile("poisson"),
            _draw("poisson"),
            counts=True,
        ),
    )
}
DISTRIBUTIONS = tuple(name for name in HEADS if name not in ("point", "quantiles"))


def head_of(
    quantiles: Sequence[float] | None, distribution: str | None, owner: str
) -> tuple[Head, tuple[float, ...], int]:
    """Return the head, the quantile levels and the number of parameters a value needs."""
    if quantiles is not None and distribution is not None:
        raise ValueError(
            explain(
                owner,
                "quantiles",
                "None when a distribution is set",
                list(quantiles),
                "A distribution gives any quantile when it forecasts.",
            )
        )
    if distribution is not None:
        if distribution not in DISTRIBUTIONS:
            raise ValueError(
                explain(
                    owner,
                    "distribution",
                    "one of " + ", ".join(DISTRIBUTIONS),
                    distribution,
                    suggest(str(distribution), DISTRIBUTIONS),
                )
            )
        head = HEADS[distribution]
        return head, (), len(head.parameters)
    if quantiles is not None:
        levels = tuple(float(level) for level in quantiles)
        if not levels or any(not 0 < q < 1 for q in levels) or list(levels) != sorted(set(levels)):
            expected = "levels between 0 and 1 in rising order"
            raise ValueError(explain(owner, "quantiles", expected, list(quantiles)))
        return HEADS["quantiles"], levels, len(levels)
    return HEADS["point"], (), 1


def _absolute(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    ops = _ops()
    return ops.abs(y - answer)


def _squared(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    ops = _ops()
    return ops.square(y - answer)


def _huber(y: Tensor, answer: Tensor, levels: Any = None) -> Tensor:
    ops = _ops()
    error = ops.abs(y - answer)
    return ops.where(error <= 1.0, 0.5 * ops.square(error), error - 0.5)


POINT_LOSSES: dict[str, Callable[..., Tensor]] = {
    "mae": _absolute,
    "mse": _squared,
    "huber": _huber,
}
