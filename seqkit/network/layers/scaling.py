"""A fixed offset and scale for every feature, and the way back from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqkit.network.initializers import ones, zeros
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape

__all__ = ["Deviations", "Exponential", "Logarithm", "Standardize", "Unstandardize"]


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
    """``x * scale + offset``: the inverse of :class:`Standardize`."""

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        return x * p["scale"] + p["offset"]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d * p["scale"],)


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
class Logarithm(Layer):
    """The logarithm of the first features of ``(batch, time, features)``; the others stay.

    Parameters
    ----------
    n : int
    """

    n: int

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        return ops.concatenate([ops.log(x[:, :, : self.n]), x[:, :, self.n :]], axis=-1)


@dataclass(frozen=True)
class Exponential(Layer):
    """The way back from a logarithm."""

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any) -> Any:
        return ops.exp(x)
