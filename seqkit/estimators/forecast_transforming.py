"""What the networks of a forecaster see of a target: its values, logarithms, or a power of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seqkit.data.panel import Panel
from seqkit.errors import explain
from seqkit.estimators.forecast_preparing import refuse_targets
from seqkit.network.heads import Head
from seqkit.network.layers.base import Array, Saved
from seqkit.network.layers.scaling import BoxCox
from seqkit.network.ops import NUMPY

__all__ = ["box_cox_power", "check_transform", "check_transformable", "powers_of", "transformed"]

# Rows that a power is chosen by, of every so many-th series: enough for two digits.
_MOST_ROWS = 1_000_000


def check_transform(owner: str, transform: str, head: Head, target_inputs: bool) -> None:
    """Raise where no transform of the target can be forecast."""
    why = None
    if head.name not in ("point", "quantiles"):
        why = f"distribution {head.name!r}, which is of the values themselves"
    elif not target_inputs:
        why = "a target whose own past is not an input"
    if why and transform != "none":
        raise ValueError(explain(owner, "target_transform", f"'none' with {why}", transform))


def check_transformable(panel: Panel, transform: str, owner: str) -> None:
    """Refuse a target that has no logarithm or power."""
    below = ~(panel.values[:, : panel.n_targets] > 0)  # NaN too
    expected = f"above 0 with target_transform {transform!r}"
    refuse_targets(panel, below, owner, expected, "set target_transform to none.")


def transformed(panel: Panel, powers: Sequence[float] | None) -> Panel:
    """Return a panel with the targets that networks see; None leaves them."""
    if powers is None:
        return panel
    values = BoxCox(tuple(powers)).forward(NUMPY, {}, Saved(), panel.values[None])[0]
    return replace(panel, values=values)


def powers_of(panel: Panel, transform: str, season: int) -> Array:
    """Return the power of each target's Box-Cox transform, 0 for a logarithm."""
    if transform == "log":
        return np.zeros(panel.n_targets)
    columns = range(panel.n_targets)
    return np.array([box_cox_power(panel.values[:, k], panel.lengths, season) for k in columns])


def box_cox_power(values: Array, lengths: Array, season: int = 1) -> float:
    """Return the power that makes the spread of all series independent of their level.

    Guerrero (1993), "Time-series analysis supported by power transformations", Journal of
    Forecasting 12: of every season (pairs of steps where there is none) mean ``m`` and standard
    deviation ``s``; the power at which ``s / m^(1 - power)`` varies least beside its mean. One
    power for all series: their squared variations are added, each by its number of seasons. It is
    kept in [0, 1], as by Bergmeir et al. (2016), "Bagging exponential smoothing methods", IJF 32,
    since the inverse of a negative power has a pole.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Above 0, series after series.
    lengths : ndarray of int of shape (n_series,)
    season : int, default=1

    Returns
    -------
    float
        With two digits; 1 where no series has two seasons that vary.

    Examples
    --------
    >>> import numpy as np
    >>> level = np.repeat([1.0, 2.0, 4.0, 8.0], 12)
    >>> wave = 0.2 * np.sin(np.arange(48) * np.pi / 6)
    >>> box_cox_power(level * (1 + wave), np.array([48]), 12)  # grows with the level
    0.0
    >>> box_cox_power(level + wave, np.array([48]), 12)
    1.0
    """
    from scipy.optimize import minimize_scalar

    size = max(season, 2)
    starts = np.cumsum(lengths) - lengths
    blocks = lengths // size
    blocks[np.arange(len(lengths)) % (len(values) // _MOST_ROWS + 1) > 0] = 0
    series = np.repeat(np.arange(len(lengths)), blocks)
    number = np.arange(len(series)) - np.searchsorted(series, series)
    first = starts[series] + lengths[series] % size + number * size  # to the end of each series
    block = values[first[:, None] + np.arange(size)]
    mean, spread = block.mean(1), block.std(1, ddof=1)
    # a series of one block, or that stands still within its blocks, says nothing
    varying = np.bincount(series, spread > 0, len(lengths)) >= 2
    kept = varying[series]
    series, mean, spread = series[kept], mean[kept], spread[kept]
    if not len(series):
        return 1.0
    series = np.unique(series, return_inverse=True)[1]
    count = np.bincount(series)
    mean = mean / (np.bincount(series, mean) / count)[series]

    def variation(power: float) -> float:
        ratio = spread / mean ** (1 - power)
        usual = np.bincount(series, ratio) / count
        return float((((ratio / usual[series]) - 1) ** 2).sum())

    found = minimize_scalar(variation, bounds=(0, 1), method="bounded")
    at = {power: variation(power) for power in (0.0, 1.0, round(float(found.x), 2))}
    return min(at, key=at.__getitem__)
