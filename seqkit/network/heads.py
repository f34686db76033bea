"""What a forecaster says about each future value: a point, quantiles or a distribution.

A head turns ``(B, H, T, P)`` free numbers of the network into a prediction. Heads work in the
normalised space of the window, where every series has the same size, and their losses are taken
there; the last step moves the prediction into the user's units.

Every function ``x`` that computes in a namespace has its gradient beside it, ``x_backward`` in
NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import explain, suggest
from seqkit.network.ops import NUMPY

__all__ = ["DISTRIBUTIONS", "HEADS", "POINT_LOSSES", "SMALLEST_SCALE", "Head", "head_of"]

Array = np.ndarray
Tensor = Any
SMALLEST_SCALE = 1e-3
"""Smallest scale of a distribution, in scaled units (of a window, or of the training part): a
likelihood has no upper bound where values repeat themselves exactly."""


@dataclass(frozen=True)
class Head:
    """One kind of prediction.

    Parameters
    ----------
    name : str
    parameters : tuple of str
        Names of the parameters on the last axis; for quantiles those are the levels.
    normalized : callable (ops, net (B, H, T, P), naive (B, H, T) or None) -> (B, H, T, P)
        The prediction in normalised space.
    normalized_backward : callable (net, d (B, H, T, P)) -> (B, H, T, P)
        The gradient of ``net`` from that of the prediction, in NumPy.
    loss : callable (ops, y (B, H, T), prediction (B, H, T, P), levels) -> (B, H, T)
    loss_backward : callable (y, prediction, levels) -> (B, H, T, P)
        Derivative of the loss by the prediction, in NumPy.
    mean, quantile, sample : callables on numpy arrays in units
    counts : bool
        Whether values are counts: the prediction is then in units all along and only scaled.
    """

    name: str
    parameters: tuple[str, ...]
    normalized: Callable[[Any, Tensor, Tensor | None], Tensor]
    normalized_backward: Callable[[Array, Array], Array]
    loss: Callable[..., Tensor]
    loss_backward: Callable[..., Array]
    mean: Callable[[np.ndarray], np.ndarray]
    quantile: Callable[[np.ndarray, float], np.ndarray]
    sample: Callable[[np.ndarray, np.random.Generator, int], np.ndarray]
    counts: bool = False
    source: str = ""


def _moved(net: Tensor, naive: Tensor | None) -> Tensor:
    """Return what the network says, from the naive forecast on."""
    return net if naive is None else net + naive[..., None]


def _point(ops: Any, net: Tensor, naive: Tensor | None) -> Tensor:
    return _moved(net, naive)


def _point_backward(net: Array, d: Array) -> Array:
    return d


def _ordered(ops: Any, net: Tensor, naive: Tensor | None) -> Tensor:
    """The middle level free, the others by positive steps away from it: they cannot cross."""
    n_levels = net.shape[-1]
    middle = n_levels // 2
    center = _moved(net[..., middle : middle + 1], naive)
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


def _ordered_backward(net: Array, d: Array) -> Array:
    middle = net.shape[-1] // 2
    gradient = np.zeros(d.shape, np.float32)
    gradient[..., middle + 1 :] = np.cumsum(d[..., middle + 1 :][..., ::-1], -1)[..., ::-1]
    gradient[..., :middle] = -np.cumsum(d[..., :middle], -1)
    gradient *= NUMPY.sigmoid(net)  # the slope of softplus
    gradient[..., middle] = d.sum(-1)
    return gradient


def _location_scale(ops: Any, net: Tensor, naive: Tensor | None) -> Tensor:
    location = _moved(net[..., :1], naive)
    scale = ops.softplus(net[..., 1:2]) + SMALLEST_SCALE
    rest = 2.0 + ops.softplus(net[..., 2:])  # degrees of freedom above 2: the variance exists
    return ops.concatenate([location, scale, rest], axis=-1)


def _location_scale_backward(net: Array, d: Array) -> Array:
    return np.concatenate([d[..., :1], d[..., 1:] * NUMPY.sigmoid(net[..., 1:])], -1)


def _positive(ops: Any, net: Tensor, naive: Tensor | None) -> Tensor:
    return ops.softplus(net) + 1e-4


def _positive_backward(net: Array, d: Array) -> Array:
    gradient: Array = d * NUMPY.sigmoid(net)
    return gradient


def _pinball(ops: Any, y: Tensor, prediction: Tensor, levels: Sequence[float]) -> Tensor:
    """Pinball loss, mean over levels, times 2: for the median it is the absolute error."""
    error = y[..., None] - prediction  # (B, H, T, Q)
    level = ops.convert_to_tensor(levels, dtype=prediction.dtype)
    return 2.0 * ops.mean(ops.maximum(level * error, (level - 1.0) * error), axis=-1)


def _pinball_backward(y: Array, prediction: Array, levels: Sequence[float]) -> Array:
    error, level = y[..., None] - prediction, np.array(levels, np.float32)
    tilt = np.where(level * error >= (level - 1) * error, level, level - 1)
    return -2 * tilt / np.float32(len(levels))


def _normal_nll(ops: Any, y: Tensor, prediction: Tensor, levels: Any = None) -> Tensor:
    location, scale = prediction[..., 0], prediction[..., 1]
    z = (y - location) / scale
    return 0.5 * ops.square(z) + ops.log(scale) + 0.5 * np.log(2 * np.pi)


def _normal_nll_backward(y: Array, prediction: Array, levels: Any = None) -> Array:
    location, scale = prediction[..., 0], prediction[..., 1]
    z = (y - location) / scale
    return np.stack([-z / scale, (1 - z * z) / scale], -1)


def _student_nll(ops: Any, y: Tensor, prediction: Tensor, levels: Any = None) -> Tensor:
    location, scale, df = prediction[..., 0], prediction[..., 1], prediction[..., 2]
    z = (y - location) / scale
    return (
        ops.lgamma(0.5 * df)
        - ops.lgamma(0.5 * (df + 1))
        + 0.5 * ops.log(np.pi * df)
        + ops.log(scale)
        + 0.5 * (df + 1) * ops.log1p(ops.square(z) / df)
    )


def _student_nll_backward(y: Array, prediction: Array, levels: Any = None) -> Array:
    from scipy.special import psi

    location, scale, df = (prediction[..., i].astype(np.float64) for i in range(3))
    z = (y - location) / scale
    part = (df + 1) * z / (df + z * z)
    d_df = psi(0.5 * df) - psi(0.5 * (df + 1)) + 1 / df + np.log1p(z * z / df) - part * z / df
    return np.stack([-part / scale, (1 - part * z) / scale, 0.5 * d_df], -1)


def _poisson_nll(ops: Any, y: Tensor, prediction: Tensor, levels: Any = None) -> Tensor:
    mean = prediction[..., 0]
    return mean - y * ops.log(mean) + ops.lgamma(y + 1.0)


def _poisson_nll_backward(y: Array, prediction: Array, levels: Any = None) -> Array:
    gradient: Array = (1 - y / prediction[..., 0])[..., None]
    return gradient


def _negative_binomial_nll(ops: Any, y: Tensor, prediction: Tensor, levels: Any = None) -> Tensor:
    """Mean m and dispersion a: variance m + a m^2 (Salinas et al. 2020, section 3.2)."""
    mean, dispersion = prediction[..., 0], prediction[..., 1]
    size = 1.0 / dispersion
    return (
        ops.lgamma(size)
        + ops.lgamma(y + 1.0)
        - ops.lgamma(y + size)
        + size * ops.log1p(dispersion * mean)
        - y * ops.log(mean)
        + y * ops.log(mean + size)
    )


def _negative_binomial_nll_backward(y: Array, prediction: Array, levels: Any = None) -> Array:
    from scipy.special import psi

    mean, dispersion = (prediction[..., i].astype(np.float64) for i in range(2))
    size = 1 / dispersion
    d_mean = 1 / (1 + dispersion * mean) - y / mean + y / (mean + size)
    d_size = psi(size) - psi(y + size) + np.log1p(dispersion * mean) + y / (mean + size)
    d_dispersion = size * mean / (1 + dispersion * mean) - size * size * d_size
    return np.stack([d_mean, d_dispersion], -1)


def _scipy_quantile(name: str) -> Callable[[np.ndarray, float], np.ndarray]:
    def quantile(answer: np.ndarray, level: float) -> np.ndarray:
        from scipy import stats

        p = [answer[..., i].astype(np.float64) for i in range(answer.shape[-1])]
        value: np.ndarray
        if name == "normal":
            value = stats.norm.ppf(level, p[0], p[1])
        elif name == "student_t":
            value = stats.t.ppf(level, p[2], p[0], p[1])
        elif name == "poisson":
            value = stats.poisson.ppf(level, p[0])
        else:
            value = stats.nbinom.ppf(level, 1 / p[1], 1 / (1 + p[1] * p[0]))
        return value

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


def _distribution(name: str, loss: Any, loss_backward: Any, *parameters: str, **more: Any) -> Head:
    free = (_positive, _positive_backward)
    if parameters[0] == "location":
        free = (_location_scale, _location_scale_backward)
    return Head(
        name, parameters, *free, loss, loss_backward, _first, _scipy_quantile(name), _draw(name),
        **more,
    )  # fmt: skip


HEADS: dict[str, Head] = {
    head.name: head
    for head in (
        Head(
            "point",
            ("value",),
            _point,
            _point_backward,
            _nothing,
            _nothing,
            _first,
            _nothing,
            _nothing,
        ),
        Head(
            "quantiles",
            (),
            _ordered,
            _ordered_backward,
            _pinball,
            _pinball_backward,
            lambda prediction: prediction[..., prediction.shape[-1] // 2],
            _nothing,
            _nothing,
            source="Koenker and Bassett 1978",
        ),
        _distribution("normal", _normal_nll, _normal_nll_backward, "location", "scale"),
        _distribution("student_t", _student_nll, _student_nll_backward, "location", "scale", "df"),
        _distribution(
            "negative_binomial",
            _negative_binomial_nll,
            _negative_binomial_nll_backward,
            "mean",
            "dispersion",
            counts=True,
            source="Salinas et al. 2020",
        ),
        _distribution("poisson", _poisson_nll, _poisson_nll_backward, "mean", counts=True),
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


def _absolute(ops: Any, y: Tensor, prediction: Tensor) -> Tensor:
    return ops.abs(y - prediction)


def _absolute_backward(y: Array, prediction: Array) -> Array:
    gradient: Array = np.sign(prediction - y)
    return gradient


def _squared(ops: Any, y: Tensor, prediction: Tensor) -> Tensor:
    return ops.square(y - prediction)


def _squared_backward(y: Array, prediction: Array) -> Array:
    gradient: Array = 2 * (prediction - y)
    return gradient


def _huber(ops: Any, y: Tensor, prediction: Tensor) -> Tensor:
    error = ops.abs(y - prediction)
    return ops.where(error <= 1.0, 0.5 * ops.square(error), error - 0.5)


def _huber_backward(y: Array, prediction: Array) -> Array:
    gradient: Array = np.clip(prediction - y, -1, 1)
    return gradient


POINT_LOSSES: dict[str, tuple[Callable[..., Tensor], Callable[..., Array]]] = {
    "mae": (_absolute, _absolute_backward),
    "mse": (_squared, _squared_backward),
    "huber": (_huber, _huber_backward),
}
"""Losses of numbers, by element, with their derivatives by the prediction."""
