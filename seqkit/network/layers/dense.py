"""Dense layers, and dropout between layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.initializers import glorot_uniform, zeros
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape
from seqkit.network.ops import rows_of

__all__ = ["ACTIVATIONS", "Dense", "Dropout"]


def _linear(d: Array, out: Array) -> Array:
    return d


def _relu(d: Array, out: Array) -> Array:
    return d * (out > 0)


def _tanh(d: Array, out: Array) -> Array:
    gradient: Array = d * (1 - out * out)
    return gradient


ACTIVATIONS = {"linear": _linear, "relu": _relu, "tanh": _tanh}
"""The gradient through an activation function, from that of its output and the output itself."""


@dataclass(frozen=True)
class Dense(Layer):
    """``a(x W + b)`` over the last axis.

    Parameters
    ----------
    units : int
    activation : {"linear", "relu", "tanh"}
    use_bias : bool
    """

    units: int
    activation: str = "linear"
    use_bias: bool = True

    def shape(self, x: Shape) -> Shape:
        return (*x[:-1], self.units)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        n = x[-1]
        assert n is not None
        kernel = Parameter("kernel", (n, self.units), glorot_uniform)
        return (kernel, Parameter("bias", (self.units,), zeros)) if self.use_bias else (kernel,)

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        saved["x"] = x
        out = ops.dense(x, p["kernel"], p["bias"]) if self.use_bias else ops.matmul(x, p["kernel"])
        if self.activation != "linear":
            out = getattr(ops, self.activation)(out)
        saved["out"] = out
        return out

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Array | None]:
        x = rows_of(saved["x"])
        d = rows_of(ACTIVATIONS[self.activation](d, saved["out"]))
        dx = np.empty(x.shape if wants[0] else (0, x.shape[1]), np.float32)
        bias = g["bias"] if self.use_bias else np.empty(self.units, np.float32)
        compiled_kernels().dense_backward(x, p["kernel"], d, g["kernel"], bias, dx)
        return (dx.reshape(saved["x"].shape) if wants[0] else None,)


@dataclass(frozen=True)
class Dropout(Layer):
    """Elements dropped in training, those that stay scaled up (Srivastava et al. 2014).

    Parameters
    ----------
    rate : float
        Share dropped, in [0, 1).
    """

    rate: float
    n_masks: ClassVar[int] = 1

    def forward(self, ops: Any, p: Any, saved: Saved, x: Array) -> Array:
        if saved.mask is None:
            return x
        if x.ndim == 3:  # as a sequence lies in memory
            n, time, width = x.shape
            mask = saved.mask((time, n, width), self.rate, 0).transpose(1, 0, 2)
        else:
            mask = saved.mask(x.shape, self.rate, 0)
        saved["mask"] = mask
        out: Array = x * mask
        return out

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Array]:
        return (d * saved["mask"] if "mask" in saved else d,)
