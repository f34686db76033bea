"""A whole series as one vector: pooling over its valid steps, and attention."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.initializers import glorot_uniform, zeros
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape
from seqkit.network.layers.padding import valid_head
from seqkit.network.ops import rows_of

__all__ = ["MODES", "POOLINGS", "AttentionPooling", "Pooling", "PoolingMode"]

PoolingMode: TypeAlias = Literal["last", "mean", "max", "mean_max"]
MODES: tuple[PoolingMode, ...] = get_args(PoolingMode)


@dataclass(frozen=True)
class Pooling(Layer):
    """The valid steps of a series as one vector: ``(b, t, f) -> (b, f)``, or ``(b, 2 f)``.

    Parameters
    ----------
    mode : {"last", "mean", "max", "mean_max"}
        ``last`` reads the last valid step; ``mean_max`` puts the two side by side.
    bidirectional : bool
        With ``last``: the second half of the features is read at the first step, where the
        backward direction has seen the whole series.
    """

    mode: PoolingMode = "mean"
    bidirectional: bool = False

    def shape(self, x: Shape, lengths: Shape | None = None) -> Shape:
        width = x[-1]
        assert width is not None
        return (width * (2 if self.mode == "mean_max" else 1),)

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, lengths: Any = None) -> Any:
        saved["x"], saved["lengths"] = x, lengths
        if self.mode == "last":
            return self._last(ops, x, lengths)
        valid = None if lengths is None else valid_head(x, lengths, ops)
        parts = []
        if "mean" in self.mode:
            if valid is None:
                parts.append(ops.mean(x, axis=1))
            else:
                parts.append(ops.sum(x * valid, axis=1) / ops.cast(lengths, x.dtype)[:, None])
        if "max" in self.mode:
            if valid is not None:
                x = ops.where(valid > 0, x, ops.full_like(x, -float("inf")))
            saved["seen"], saved["max"] = x, ops.max(x, axis=1)
            parts.append(saved["max"])
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def _last(self, ops: Any, x: Any, lengths: Any) -> Any:
        if lengths is None:
            last = x[:, -1]
        else:
            index = ops.cast(lengths, "int32")[:, None, None] - 1
            last = ops.take_along_axis(x, ops.maximum(index, 0), axis=1)[:, 0]
        if not self.bidirectional:
            return last
        half = x.shape[-1] // 2
        return ops.concatenate([last[:, :half], x[:, 0, half:]], axis=-1)

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        x, lengths = saved["x"], saved["lengths"]
        n, time, width = x.shape
        dx = np.zeros((time, n, width), np.float32).transpose(1, 0, 2)
        if self.mode == "last":
            half = width // 2 if self.bidirectional else width
            ends = time - 1 if lengths is None else lengths - 1
            dx[np.arange(n), ends, :half] = d[:, :half]
            if self.bidirectional:
                dx[:, 0, half:] += d[:, half:]
            return dx, None
        parts = np.split(d, 2 if self.mode == "mean_max" else 1, -1)
        if "mean" in self.mode:
            if lengths is None:
                dx += parts[0][:, None, :] / np.float32(time)
            else:
                share = np.arange(time) < lengths[:, None]
                share = share / lengths[:, None].astype(np.float32)
                dx += parts[0][:, None, :] * share.astype(np.float32)[:, :, None]
        if "max" in self.mode:  # where several steps are greatest, they share
            ties = (saved["seen"] == saved["max"][:, None, :]).astype(np.float32)
            dx += parts[-1][:, None, :] * (ties / ties.sum(1, keepdims=True))
        return dx, None


@dataclass(frozen=True)
class AttentionPooling(Layer):
    """Weighted mean of the valid steps, the weights learned: ``(b, t, f) -> (b, f)``.

    ``a_t = softmax_t(v . tanh(W h_t + b))`` and the output is ``sum_t a_t h_t``: the attention
    of Yang et al. 2016 (Hierarchical Attention Networks, eqs. 5 to 7) over time steps.

    Parameters
    ----------
    units : int or None
        Width of the hidden score layer; ``None`` takes that of the input.
    """

    units: int | None = None

    def shape(self, x: Shape, lengths: Shape | None = None) -> Shape:
        return (x[-1],)

    def parameters(self, x: Shape, lengths: Shape | None = None) -> tuple[Parameter, ...]:
        features = x[-1]
        assert features is not None
        units = self.units or features
        return (
            Parameter("kernel", (features, units), glorot_uniform),
            Parameter("bias", (units,), zeros),
            Parameter("query", (units, 1), glorot_uniform),
        )

    def scores(self, ops: Any, p: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
        """Return the hidden layer and the score of every step, ``(batch, time, 1)``."""
        hidden = ops.tanh(ops.dense(x, p["kernel"], p["bias"]))
        return hidden, ops.matmul(hidden, p["query"])

    def forward(
        self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any, lengths: Any = None
    ) -> Any:
        hidden, score = self.scores(ops, p, x)
        if lengths is not None:
            lowest = ops.full_like(score, -float("inf"))
            score = ops.where(valid_head(score, lengths, ops) > 0, score, lowest)
        weight = ops.softmax(score, axis=1)  # (batch, time, 1)
        saved.update(x=x, hidden=hidden, weight=weight)
        return ops.sum(weight * x, axis=1)

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Any, ...]:
        x, hidden, weight = saved["x"], saved["hidden"], saved["weight"]
        d = d[:, None, :]
        d_weight = (x * d).sum(-1, keepdims=True)
        d_score = weight * (d_weight - (weight * d_weight).sum(1, keepdims=True))
        unused = np.empty(1, np.float32)
        d_hidden = np.empty((hidden.shape[0] * hidden.shape[1], hidden.shape[2]), np.float32)
        rows = rows_of(hidden)
        compiled_kernels().dense_backward(
            rows, p["query"], rows_of(d_score), g["query"], unused, d_hidden
        )
        d_hidden *= 1 - rows * rows
        dx = np.empty((len(rows), x.shape[2]), np.float32)
        compiled_kernels().dense_backward(
            rows_of(x), p["kernel"], d_hidden, g["kernel"], g["bias"], dx
        )
        return weight * d + dx.reshape(x.shape), None


POOLINGS: dict[str, Callable[[bool], Layer]] = {
    **{mode: functools.partial(Pooling, mode) for mode in MODES},
    "attention": lambda bidirectional: AttentionPooling(),
}
"""Poolings by the names that a recipe gives them: the layer, over one direction or both."""
