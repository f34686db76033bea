"""A fixed offset and scale for every feature, and the way back from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.initializers import ones, zeros
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape

__all__ = [
    "BoxCox", "Deviations", "Differences", "InverseBoxCox", "Standardize", "Unstandardize",
]  # fmt: skip


@dataclass(frozen=True)
class _Affine(Layer):
    """Statistics of the training part, kept as weights that are never trained."""

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        n = x[-1]
        assert n is not None
        return (
            Parameter("offset", (n,), zeros, trainable=False),
            Parameter("scale", (n,), ones, trainable=False),
        )


@dataclass(frozen=True)
class Standardize(_Affine):
    """``(x - offset) / scale``, feature by feature."""

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        return (x - p["offset"]) / p["scale"]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d / p["scale"],)


@dataclass(frozen=True)
class Unstandardize(_Affine):
    """``x * scale + offset``: the inverse of :class:`Standardize`.

    Parameters
    ----------
    axis : {-1, -2}
        Where the features are; -2 = before the last axis, which is of quantiles.
    """

    axis: int = -1

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return super().parameters(x[: len(x) + 1 + self.axis])

    def _along(self, statistic: Any) -> Any:
        return statistic if self.axis == -1 else statistic[:, None]

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        return x * self._along(p["scale"]) + self._along(p["offset"])

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d * self._along(p["scale"]),)


@dataclass(frozen=True)
class Deviations(Layer):
    """``(x_t - mean_t) / spread_t``: how far a series is from the course that all of them share.

    Every time step has statistics of its own, fitted on the training part, so that series that
    differ by little beside what they share (spectra, outlines of leaves) differ by much. Series may
    be shorter than `steps`, never longer.
    """

    steps: int

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        n = x[-1]
        assert n is not None
        return (
            Parameter("offset", (self.steps, n), zeros, trainable=False),
            Parameter("scale", (self.steps, n), ones, trainable=False),
        )

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        time = ops.shape(x)[1]
        return (x - p["offset"][:time]) / p["scale"][:time]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d / p["scale"][: d.shape[1]],)


@dataclass(frozen=True)
class Differences(Layer):
    """``(x_t - x_{t-1}) / scale``, feature by feature; of the first step it is 0.

    Of a smooth series one step hardly differs from the one before beside how far all of them are
    apart, so that its shape is small beside its level; here it is not. The scale is fitted on the
    training part.
    """

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        n = x[-1]
        assert n is not None
        return (Parameter("scale", (n,), ones, trainable=False),)

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        first = x[:, :1] - x[:, :1]
        return ops.concatenate([first, x[:, 1:] - x[:, :-1]], axis=1) / p["scale"]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        by_difference = d / p["scale"]
        by_difference[:, 0] = 0
        by_step = by_difference.copy()
        by_step[:, :-1] -= by_difference[:, 1:]
        return (by_step,)


@dataclass(frozen=True)
class BoxCox(Layer):
    """The Box-Cox transform of the first features of ``(batch, time, features)``; the others stay.

    ``y^power / power``, and the logarithm where the power is 0 (Box and Cox 1964, "An analysis of
    transformations", eq. 1). The constant that they subtract is left out: normalising by window
    takes it away, and beside it a small value would lose its digits.

    Parameters
    ----------
    powers : tuple of float
        Of each feature, in [0, 1].
    """

    powers: tuple[float, ...]

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        n = len(self.powers)
        return ops.concatenate(
            [_powered(ops, x[:, :, k : k + 1], power) for k, power in enumerate(self.powers)]
            + ([x[:, :, n:]] if x.shape[-1] > n else []),
            axis=-1,
        )


def _powered(ops: Any, y: Any, power: float) -> Any:
    return ops.power(y, power) / power if power else ops.log(y)


@dataclass(frozen=True)
class InverseBoxCox(Layer):
    """The way back from :class:`BoxCox` of ``(batch, horizon, features)``, or one more axis.

    It never falls, so that quantiles stay in order: what no value has as its transform, below 0
    with a power above 0, is the smallest value, 0.

    Parameters
    ----------
    powers : tuple of float
    """

    powers: tuple[float, ...]

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        saved["x"] = x
        parts = [_unpowered(ops, x[:, :, k : k + 1], power) for k, power in enumerate(self.powers)]
        return ops.concatenate(parts, axis=2)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        slope = np.zeros(d.shape)
        for k, power in enumerate(self.powers):
            z = np.asarray(saved["x"][:, :, k], np.float64)
            if not power:
                slope[:, :, k] = np.exp(z)
                continue
            inside = power * z > 0
            slope[:, :, k][inside] = (power * z[inside]) ** (1 / power - 1)
        return ((d * slope).astype(d.dtype),)


def _unpowered(ops: Any, z: Any, power: float) -> Any:
    return ops.power(ops.maximum(power * z, 0.0), 1.0 / power) if power else ops.exp(z)
