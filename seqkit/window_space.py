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
    "constant_ends",
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
# A window counts as constant where its spread is within some roundings of its level.
_ROUNDINGS = 4


def default_patch(season: int, context_length: int) -> int:
    """Return the patch where none is set: a season where the context holds two, else 1."""
    return season if 2 * season <= context_length else 1


def naive_steps(n_steps: int, horizon: int, season: int) -> list[int]:
    """Return the step of a window that the seasonal naive forecast takes for each step ahead."""
    return [n_steps - season + h % season for h in range(horizon)]


def valid_tail(n_steps: int, lengths: Tensor, ops: Any, dtype: Any = "float32") -> Tensor:
    """Return ``(B, n_steps, 1)`` of 1 on the last `lengths` steps and 0 on the padding."""
    step = ops.arange(n_steps, dtype="int32")[None, :]
    if ops is np:
        return (step >= n_steps - lengths[:, None]).astype(dtype)[:, :, None]
    valid = step >= n_steps - ops.cast(lengths, "int32")[:, None]
    return ops.cast(valid, dtype)[:, :, None]


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
        the window's valid steps. A constant window (one whose spread is within a few roundings of
        its level) has the scale of the training part as spread, or its own level where that is
        less: both commute with a change of units, and small series go beside large ones.
    offset, scale : tensors (T,)
        Statistics of the training part, used by ``none`` (both), ``last`` (scale) and by
        ``standard`` for constant windows (scale).
    ops : module
        ``numpy`` or ``keras.ops``.

    Returns
    -------
    center, spread : tensors (B, 1, T)

    Notes
    -----
    Mean and variance are taken about the last value, whose differences to values of the same size
    are exact, and in units of the largest difference, whose squares neither overflow nor vanish.
    """
    center = targets[:, -1:, :]  # (B, 1, T)
    if kind == "none":
        zero = ops.zeros_like(center)
        return zero + offset, zero + scale
    if kind == "last":
        return center, ops.zeros_like(center) + scale
    moved = targets - center
    if lengths is not None:
        valid = valid_tail(targets.shape[1], lengths, ops, targets.dtype)
        moved = ops.where(valid > 0, moved, ops.zeros_like(moved))
    unit = ops.max(ops.abs(moved), axis=1, keepdims=True)
    unit = ops.where(unit > 0, unit, ops.ones_like(unit))
    moved = moved / unit
    if lengths is None:
        mean = ops.mean(moved, axis=1, keepdims=True)
        variance = ops.mean(ops.square(moved - mean), axis=1, keepdims=True)
    else:
        count = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
        mean = ops.sum(moved, axis=1, keepdims=True) / count
        variance = ops.sum(ops.square(moved - mean) * valid, axis=1, keepdims=True) / count
    mean, spread = center + unit * mean, unit * ops.sqrt(variance)
    level = ops.abs(mean)
    usual = ops.zeros_like(spread) + scale
    known = ops.where(level > 0, ops.minimum(level, usual), usual)
    return mean, ops.where(spread <= _ROUNDINGS * _rounding(targets) * level, known, spread)


def _rounding(x: Tensor) -> float:
    """Return the relative distance of two neighbouring numbers of a tensor's precision."""
    name = getattr(x.dtype, "name", x.dtype)
    return float(np.finfo(name).eps) if name in ("float16", "float32", "float64") else 2.0**-8


def constant_ends(values: np.ndarray, first: np.ndarray, n_steps: int) -> np.ndarray:
    """Return for each row whether the last `n_steps` of its series up to it are all the same.

    As `window_statistics` sees it, but for sums of roundings; of a shorter series all steps count.

    Parameters
    ----------
    values : numpy.ndarray of shape (n_rows,), float64
    first : numpy.ndarray of bool of shape (n_rows,)
        Rows where a series begins.
    n_steps : int
    """
    rows = np.arange(len(values))
    moves = np.abs(np.diff(values, prepend=values[:1])) > (
        _ROUNDINGS * np.finfo(np.float64).eps * np.abs(values)
    )
    begin = np.maximum.accumulate(np.where(first, rows, 0))
    same_since = np.maximum.accumulate(np.where(moves | first, rows, 0))
    return same_since <= np.maximum(rows + 1 - n_steps, begin)


def normalize_window(
    targets: Tensor, center: Tensor, spread: Tensor, lengths: Tensor | None, ops: Any
) -> Tensor:
    """Return ``(targets - center) / spread`` with zeros on the padding."""
    normalized = (targets - center) / spread
    if lengths is None:
        return normalized
    return normalized * valid_tail(targets.shape[1], lengths, ops, targets.dtype)
