"""The space of a window: what its targets are normalised by, and the naive forecast within it.

Written once for NumPy arrays and for tensors: `ops` is ``numpy`` or ``keras.ops``. Shapes as in
:mod:`seqkit.forecast_layers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "CHANNELS",
    "DEPARTURES",
    "NORMALIZE",
    "default_patch",
    "naive_steps",
    "normalize_window",
    "valid_tail",
    "window_statistics",
]

Tensor = Any
NORMALIZE = ("none", "last", "standard")
DEPARTURES = ("none", "last", "seasonal_naive")
CHANNELS = ("joint", "independent")
# A window whose spread is below this share of its level counts as constant.
_FLAT = 1e-4


def default_patch(season: int, context_length: int) -> int:
    """Return the patch where none is set: a season where the context holds two, else 1."""
    return season if 2 * season <= context_length else 1


def naive_steps(n_steps: int, horizon: int, season: int) -> list[int]:
    """Return the step of a window that the seasonal naive forecast takes for each step ahead."""
    return [n_steps - season + h % season for h in range(horizon)]


def valid_tail(n_steps: int, lengths: Tensor, ops: Any) -> Tensor:
    """Return ``(B, n_steps, 1)`` of 1 on the last `lengths` steps and 0 on the padding."""
    step = ops.arange(n_steps, dtype="int32")[None, :]
    if ops is np:
        return (step >= n_steps - lengths[:, None]).astype(np.float32)[:, :, None]
    valid = step >= n_steps - ops.cast(lengths, "int32")[:, None]
    return ops.cast(valid, "float32")[:, :, None]


def window_statistics(
    targets: Tensor, lengths: Tensor | None, kind: str, offset: Tensor, scale: Tensor, ops: Any
) -> tuple[Tensor, Tensor]:
    """Center and spread that a window's targets are normalised by.

    Parameters
    ----------
    targets : tensor (B, L, T)
        In raw units.
    lengths : tensor (B,) or None
        Valid steps, None for all.
    kind : {"none", "last", "standard"}
        Statistics of the training part; the last value as center; mean and standard deviation of
        the window's valid steps. A constant window has the size of its level as spread (1 for
        zeros), so that normalising commutes with a change of units.
    offset, scale : tensors (T,)
        Statistics of the training part, used by ``none`` (both) and ``last`` (scale).
    ops : module
        ``numpy`` or ``keras.ops``.

    Returns
    -------
    center, spread : tensors (B, 1, T)
    """
    center = targets[:, -1:, :]  # (B, 1, T)
    if kind == "none":
        zero = ops.zeros_like(center)
        return zero + offset, zero + scale
    if kind == "last":
        return center, ops.zeros_like(center) + scale
    if lengths is None:
        mean = ops.mean(targets, axis=1, keepdims=True)
        variance = ops.mean(ops.square(targets - mean), axis=1, keepdims=True)
    else:
        valid = valid_tail(targets.shape[1], lengths, ops)
        count = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
        mean = ops.sum(targets * valid, axis=1, keepdims=True) / count
        variance = ops.sum(ops.square(targets - mean) * valid, axis=1, keepdims=True) / count
    spread = ops.sqrt(variance)
    level = ops.abs(mean)
    constant = spread <= _FLAT * level
    spread = ops.where(constant, level, spread)
    return mean, ops.where(spread > 0, spread, ops.ones_like(spread))


def normalize_window(
    targets: Tensor, center: Tensor, spread: Tensor, lengths: Tensor | None, ops: Any
) -> Tensor:
    """Return ``(targets - center) / spread`` with zeros on the padding."""
    normalized = (targets - center) / spread
    if lengths is None:
        return normalized
    return normalized * valid_tail(targets.shape[1], lengths, ops)
