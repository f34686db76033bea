"""Steps that count and steps that pad: series end early, windows begin late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqkit.network.layers.base import Array, Layer, Saved

__all__ = ["MaskPadding", "valid_head", "valid_tail"]


def valid_head(x: Any, lengths: Any, ops: Any) -> Any:
    """Return ``(batch, time, 1)`` of `x`'s dtype: 1 within each series, 0 past its end."""
    step = ops.arange(ops.shape(x)[1], dtype="int32")
    # axes are added where one length is open, which LiteRT can do
    valid = step[None, :, None] < ops.cast(lengths, "int32")[:, None, None]
    return ops.cast(valid, x.dtype)


def valid_tail(x: Any, lengths: Any, ops: Any) -> Any:
    """Return ``(batch, time, 1)`` of `x`'s dtype: 1 on the last `lengths` steps, 0 before."""
    n_steps = x.shape[1]
    step = ops.arange(n_steps, dtype="int32")
    valid = step[None, :] >= n_steps - ops.cast(lengths, "int32")[:, None]
    return ops.cast(valid, x.dtype)[:, :, None]


@dataclass(frozen=True)
class MaskPadding(Layer):
    """Zeros on the left padding of windows ``(batch, time, channels)``."""

    def forward(self, ops: Any, p: Any, saved: Saved, x: Any, lengths: Any) -> Any:
        # where, not a product: padding of raw data may be NaN
        saved["valid"] = valid = valid_tail(x, lengths, ops)
        return ops.where(valid > 0, x, ops.zeros_like(x))

    def backward(self, p: Any, g: Any, saved: Saved, d: Array, wants: Any) -> tuple[Any, ...]:
        return d * saved["valid"], None
