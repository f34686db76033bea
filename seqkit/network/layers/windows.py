"""The space of a window: what its targets are normalised by, and the naive forecast within it.

Shapes: ``B`` windows, ``L`` context steps, ``H`` horizon steps, ``T`` targets. Windows of a series
shorter than the context are padded on the left; ``lengths`` ``(B,)`` counts the valid steps, which
are the last ones. Padding is zero after normalising and never reaches a forecast.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqkit.network.initializers import ones, zeros
from seqkit.network.layers.base import Layer, Parameter, Saved, Shape
from seqkit.network.layers.padding import valid_tail

__all__ = [
    "CHANNELS",
    "DEPARTURES",
    "NORMALIZE",
    "NaiveForecast",
    "Normalize",
    "WindowStatistics",
    "constant_ends",
    "default_patch",
    "naive_steps",
    "window_statistics",
]

Tensor = Any
NORMALIZE = ("none", "last", "standard")
DEPARTURES = ("none", "last", "seasonal_naive", "theta", "learned_theta")
CHANNELS = ("joint", "independent")
# A window counts as constant where its spread is within some roundings of its level.
_ROUNDINGS = 4


def default_patch(season: int, context_length: int) -> int:
    """Return the patch where none is set: a season where the context holds two, else 1."""
    return season if 2 * season <= context_length else 1


def naive_steps(n_steps: int, horizon: int, season: int) -> list[int]:
    """Return the step of a window that the seasonal naive forecast takes for each step ahead."""
    return [n_steps - season + h % season for h in range(horizon)]


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
    ops : namespace
        Of :mod:`seqkit.network.ops`.

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
        valid = valid_tail(targets, lengths, ops)
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
    return mean, ops.where(spread <= _ROUNDINGS * _rounding(targets.dtype) * level, known, spread)


@functools.cache
def _rounding(dtype: Any) -> float:
    """Return the relative distance of two neighbouring numbers of a precision."""
    name = getattr(dtype, "name", dtype)
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


@dataclass(frozen=True)
class WindowStatistics(Layer):
    """Center and spread of each window's targets, by :func:`window_statistics`.

    The statistics of the training part are weights (``offset``, ``scale``), never trained.

    Parameters
    ----------
    kind : {"none", "last", "standard"}
    n_targets : int
        Targets are the first channels of the input; where it has fewer, the targets' own past is no
        input, and those of the training part are given.
    """

    kind: str
    n_targets: int
    n_outputs: ClassVar[int] = 2

    def shape(self, x: Shape, lengths: Shape | None = None) -> tuple[Shape, Shape]:
        return (1, self.n_targets), (1, self.n_targets)

    def parameters(self, *inputs: Any) -> tuple[Parameter, ...]:
        shape = (self.n_targets,)
        return (
            Parameter("offset", shape, zeros, trainable=False),
            Parameter("scale", shape, ones, trainable=False),
        )

    def forward(
        self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any, lengths: Any = None
    ) -> Any:
        if x.shape[-1] < self.n_targets:
            zero = ops.zeros_like(x[:, :1, :1])
            return zero + p["offset"], zero + p["scale"]
        targets = x[:, :, : self.n_targets]
        return window_statistics(targets, lengths, self.kind, p["offset"], p["scale"], ops)


@dataclass(frozen=True)
class Normalize(Layer):
    """Targets of a window in its own center and spread, padding zero."""

    def forward(
        self, ops: Any, p: Any, saved: Saved, targets: Any, center: Any, spread: Any,
        lengths: Any = None,
    ) -> Any:  # fmt: skip
        normalized = (targets - center) / spread
        return normalized if lengths is None else normalized * valid_tail(targets, lengths, ops)


@dataclass(frozen=True)
class NaiveForecast(Layer):
    """The naive forecast a network departs from: ``(B, L, T) -> (B, H, T)``.

    Parameters
    ----------
    kind : {"last", "seasonal_naive"}
        The last value; or the value of the same season step in the window's last season:
        ``y[t + h] = x[t + h - season * ceil(h / season)]``. Where a short window does not reach
        back so far, its last value.
    horizon, season : int
        In steps.
    """

    kind: str
    horizon: int
    season: int = 1

    def shape(self, targets: Shape, lengths: Shape | None = None) -> Shape:
        return (self.horizon, targets[1])

    def forward(self, ops: Any, p: Any, saved: Saved, targets: Any, lengths: Any = None) -> Any:
        n_steps = targets.shape[1]
        saved["shape"] = targets.shape
        if self.kind == "last":
            return ops.repeat(targets[:, -1:, :], self.horizon, axis=1)
        step = naive_steps(n_steps, self.horizon, self.season)
        seasonal = ops.take(targets, step, axis=1)  # (B, H, T)
        if lengths is None:
            return seasonal
        first = n_steps - ops.cast(lengths, "int32")[:, None]
        reached = ops.convert_to_tensor(step, dtype="int32")[None, :] >= first
        saved["reached"] = reached
        return ops.where(reached[:, :, None], seasonal, targets[:, -1:, :])

    def backward(self, p: Any, g: Any, saved: Saved, d: Any, wants: Any) -> tuple[Any, ...]:
        dx = np.zeros(saved["shape"], d.dtype)
        if self.kind == "last":
            dx[:, -1] = d.sum(1)
            return dx, None
        step = np.array(naive_steps(dx.shape[1], self.horizon, self.season))
        near = d
        if "reached" in saved:
            near = d * saved["reached"][:, :, None]
            dx[:, -1] = (d - near).sum(1)
        np.add.at(dx.swapaxes(0, 1), step, near.swapaxes(0, 1))
        return dx, None
