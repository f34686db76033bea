"""Features normalised inside of a network: over a batch, over a step, over a series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.cpu.memory import buffer
from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.cpu.shards import parts_of, side_by_side
from seqkit.network.initializers import ones, zeros
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape
from seqkit.network.layers.padding import valid_head
from seqkit.network.ops import NUMPY

__all__ = ["BatchNormalization", "FixedNormalization", "LayerNormalization", "NormalizeSeries"]

WORK = 30
"""Multiplications that an element of an array is worth here: reading it is what takes the time."""


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """``a(gamma (x - mean) / sqrt(variance + epsilon) + beta)``: ``(b, t, f) -> (b, t, f)``.

    Ioffe and Szegedy (2015), algorithm 1, for sequences: while training, mean and variance are
    those of a feature over the valid steps of all series of the batch; else moving averages of
    them. Padding has no part in either, and is 0 in the output.

    Parameters
    ----------
    activation : {"linear", "relu"}
    momentum : float
        Share of a moving average that stays in a step of training.
    epsilon : float
    """

    activation: str = "linear"
    momentum: float = 0.9
    epsilon: float = 1e-3

    def parameters(self, x: Shape, lengths: Shape | None = None) -> tuple[Parameter, ...]:
        n = x[-1]
        assert n is not None
        return (
            Parameter("gamma", (n,), ones),
            Parameter("beta", (n,), zeros),
            Parameter("moving_mean", (n,), zeros, trainable=False),
            Parameter("moving_variance", (n,), ones, trainable=False),
        )

    def fixed(self) -> Layer:
        return FixedNormalization(self.activation, self.momentum, self.epsilon)

    def statistics(self, ops: Any, x: Any, lengths: Any = None) -> tuple[Any, Any]:
        """Return mean and variance of every feature over the valid steps of a batch."""
        if lengths is None:
            mean = ops.mean(x, axis=(0, 1))
            return mean, ops.mean(ops.square(x - mean), axis=(0, 1))
        valid = valid_head(x, lengths, ops)
        count = ops.maximum(ops.sum(valid), 1.0)
        mean = ops.sum(ops.where(valid > 0, x, 0.0), axis=(0, 1)) / count
        apart = ops.where(valid > 0, x - mean, 0.0)
        return mean, ops.sum(ops.square(apart), axis=(0, 1)) / count

    def normalized(
        self, ops: Any, p: Mapping[str, Any], x: Any, mean: Any, variance: Any, lengths: Any = None
    ) -> Any:
        """Return the output for these statistics."""
        factor = p["gamma"] / ops.sqrt(variance + self.epsilon)
        out = x * factor + (p["beta"] - mean * factor)
        out = ops.relu(out) if self.activation == "relu" else out
        return out if lengths is None else ops.where(valid_head(x, lengths, ops) > 0, out, 0.0)

    def forward(
        self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any, lengths: Any = None
    ) -> Any:
        if ops is not NUMPY:  # training has its own statistics there, and assigns the averages
            moved = p["moving_mean"], p["moving_variance"]
            return self.normalized(ops, p, x, *moved, lengths)
        x = np.ascontiguousarray(x, np.float32)
        parts = parts_of(len(x), WORK * x.size)
        valid = np.full(len(x), x.shape[1]) if lengths is None else lengths
        valid = valid.astype(np.float32)
        mean, variance = p["moving_mean"], p["moving_variance"]
        if saved.mask is not None:
            saved["count"] = count = np.float32(max(valid.sum(dtype=np.float64), 1.0))
            mean = _moments(x, valid, np.zeros_like(mean), False, parts) / count
            variance = _moments(x, valid, mean, True, parts) / count
            for name, value in (("moving_mean", mean), ("moving_variance", variance)):
                p[name][...] = self.momentum * p[name] + (1 - self.momentum) * value
        inverse = (1 / np.sqrt(variance + np.float32(self.epsilon))).astype(np.float32)
        factor = p["gamma"] * inverse
        offset, is_relu, out = (
            p["beta"] - mean * factor,
            self.activation == "relu",
            buffer(*x.shape),
        )

        def call(part: slice) -> Callable[[], None]:
            return lambda: compiled_kernels().affine(
                x[part], valid[part], factor, offset, is_relu, out[part]
            )

        side_by_side([call(part) for part in parts])
        saved.update(x=x, out=out, valid=valid, mean=mean, inverse=inverse, parts=parts)
        return out

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Array | None, ...]:
        x, out, valid, mean, inverse, parts, count = (
            saved[name] for name in ("x", "out", "valid", "mean", "inverse", "parts", "count")
        )
        d, is_relu = np.ascontiguousarray(d, np.float32), self.activation == "relu"
        of_beta, of_gamma = np.empty((2, len(parts), x.shape[-1]), np.float32)

        def sums(k: int, part: slice) -> Callable[[], None]:
            return lambda: compiled_kernels().normalization_sums(
                x[part], valid[part], mean, inverse, out[part], is_relu, d[part], of_beta[k],
                of_gamma[k],
            )  # fmt: skip

        side_by_side([sums(k, part) for k, part in enumerate(parts)])
        g["beta"][...], g["gamma"][...] = of_beta.sum(0), of_gamma.sum(0)
        if not wants[0]:
            return None, None
        factor = p["gamma"] * inverse
        shared, along = factor * g["beta"] / count, factor * inverse * g["gamma"] / count
        dx = buffer(*x.shape)

        def call(part: slice) -> Callable[[], None]:
            return lambda: compiled_kernels().normalization_backward(
                x[part], valid[part], mean, out[part], is_relu, d[part], factor, shared, along,
                dx[part],
            )  # fmt: skip

        side_by_side([call(part) for part in parts])
        return dx, None


@dataclass(frozen=True)
class FixedNormalization(BatchNormalization):
    """A :class:`BatchNormalization` that is not trained: in training, too, by its moving averages.

    As Keras's with ``trainable = False``; it then is an affine map of each feature.
    """

    def forward(
        self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any, lengths: Any = None
    ) -> Any:
        own = Saved()  # without masks: nothing is being trained
        out = super().forward(ops, p, own, x, lengths)
        if ops is not NUMPY:
            return out
        factor = p["gamma"] / np.sqrt(p["moving_variance"] + np.float32(self.epsilon))
        saved.update(out=out, factor=factor, lengths=lengths)
        return out

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Array | None, ...]:
        out, lengths = saved["out"], saved["lengths"]
        if self.activation == "relu":
            d = d * (out > 0)
        if lengths is not None:  # padding is 0 whatever comes before it
            d = d * valid_head(d, lengths, NUMPY)
        return (d * saved["factor"]).astype(np.float32, copy=False), None


def _moments(x: Array, valid: Array, mean: Array, is_squared: bool, parts: list[slice]) -> Array:
    """Return the sums over the valid steps of all series, or those of the squared distances."""
    total = np.empty((len(parts), x.shape[-1]), np.float32)

    def call(k: int, part: slice) -> Callable[[], None]:
        return lambda: compiled_kernels().moments(x[part], valid[part], mean, is_squared, total[k])

    side_by_side([call(k, part) for k, part in enumerate(parts)])
    whole: Array = total.sum(0)
    return whole


@dataclass(frozen=True)
class LayerNormalization(Layer):
    """``gamma (x - mean) / sqrt(variance + epsilon) + beta``, each step by its own features.

    Ba, Kiros and Hinton (2016), equation 3, over the last axis.
    """

    epsilon: float = 1e-3

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        n = x[-1]
        assert n is not None
        return Parameter("gamma", (n,), ones), Parameter("beta", (n,), zeros)

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        apart = x - ops.mean(x, axis=-1, keepdims=True)
        inverse = 1 / ops.sqrt(ops.mean(ops.square(apart), axis=-1, keepdims=True) + self.epsilon)
        saved["inverse"], saved["unit"] = inverse, apart * inverse
        return saved["unit"] * p["gamma"] + p["beta"]

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Array]:
        unit, axes = saved["unit"], tuple(range(d.ndim - 1))
        g["gamma"][...], g["beta"][...] = (d * unit).sum(axes), d.sum(axes)
        return (_through_unit(d * p["gamma"], unit, saved["inverse"], -1),)


def _through_unit(d: Array, unit: Array, inverse: Array, axis: int, share: Any = None) -> Array:
    """Return the gradient by x, d by ``(x - mean) / spread`` over an axis.

    `share` is what an element has of a mean, where that is not the same for all.
    """
    if share is None:
        share = np.float32(1 / d.shape[axis])
    d_mean = (d * share).sum(axis, keepdims=True)
    d_spread = (d * unit * share).sum(axis, keepdims=True)
    out: Array = inverse * (d - d_mean - unit * d_spread)
    return out


@dataclass(frozen=True)
class NormalizeSeries(Layer):
    """``(x - mean) / sqrt(variance + epsilon)``, each series by its own valid steps.

    A feature at a time; what level and spread say is lost. Padding is 0 in the output.
    """

    epsilon: float = 1e-6

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, lengths: Any = None) -> Any:
        if lengths is None:
            apart = x - ops.mean(x, axis=1, keepdims=True)
            variance = ops.mean(ops.square(apart), axis=1, keepdims=True)
        else:
            valid = valid_head(x, lengths, ops)
            share = valid / ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
            x = ops.where(valid > 0, x, ops.zeros_like(x))
            apart = (x - ops.sum(x * share, axis=1, keepdims=True)) * valid
            variance = ops.sum(ops.square(apart) * share, axis=1, keepdims=True)
            saved["valid"], saved["share"] = valid, share
        inverse = 1 / ops.sqrt(variance + self.epsilon)
        saved["inverse"], saved["unit"] = inverse, apart * inverse
        return saved["unit"]

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        dx = _through_unit(d, saved["unit"], saved["inverse"], 1, saved.get("share"))
        return dx * saved["valid"] if "valid" in saved else dx, None
