"""Forecasts that need no training: naive, seasonal naive, drift, Naive2, and statsforecast's.

Sources: Hyndman and Athanasopoulos (2021), "Forecasting: principles and practice", 3rd edition,
sections 5.2 (naive, seasonal naive, drift) and 5.5, table 5.2 (their intervals); Makridakis,
Spiliotis, Assimakopoulos (2020), "The M4 Competition", section 2 and the organisers' code (Naive2).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.evaluation.metrics import Predictions

__all__ = [
    "ForecastProblem",
    "drift",
    "each_window",
    "filled",
    "is_seasonal",
    "naive",
    "naive2",
    "seasonal_indices",
    "seasonal_naive",
    "statsforecast",
]

Floats = npt.NDArray[np.float64]

_ONE_DEVIATION = 68

# Last values of a history that statsforecast sees. A model of it takes half a millisecond a value,
# and smoothing has forgotten what was 40 seasons of 24 ago.
MOST_HISTORY = 1000
# Longest season that AutoETS knows; a longer one it leaves out (as R's ets).
LONGEST_ETS_SEASON = 24


class _Unfitted(Exception):
    """A history to which no model can be fitted."""


@dataclass(frozen=True)
class ForecastProblem:
    """Series to go on with.

    Attributes
    ----------
    history : sequence of arrays of shape (n_timesteps_i,) or (n_timesteps_i, n_targets)
        All that is known of each series, oldest first; NaN where a value is missing.
    origins : array of int of shape (n_series, n_windows), or None
        Rolling origin: row t of a series' history is the last that window may see. ``None`` is one
        window, at the end of each series.
    horizon : int
    season : int
    levels : tuple of float
        Quantiles wanted besides the point forecast.
    """

    history: Sequence[Any]
    horizon: int
    season: int = 1
    origins: Any = None
    levels: tuple[float, ...] = ()


def filled(column: Floats) -> Floats:
    """Fill missing values in a straight line, at the ends with the nearest one."""
    known = np.isfinite(column)
    if not known.any():
        return np.zeros_like(column)
    steps = np.arange(len(column))
    return np.interp(steps, steps[known], column[known])


def is_seasonal(series: npt.ArrayLike, season: int) -> bool:
    """Test for seasonality with 90 % confidence, as the organisers of M4 did before Naive2.

    The autocorrelation at the season's lag is compared with
    ``1.645 * sqrt((1 + 2 * sum(r[1..season-1] ** 2)) / n)``; a series shorter than three seasons is
    taken as not seasonal.

    Examples
    --------
    >>> import numpy as np
    >>> is_seasonal(np.tile([1.0, 5.0, 3.0, 2.0], 6), 4)
    True
    >>> is_seasonal(np.arange(24.0) % 5, 4)
    False
    """
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if season < 2 or n < 3 * season:
        return False
    centred = values - values.mean()
    variance = centred @ centred
    if variance == 0:
        return False
    r = np.asarray([centred[k:] @ centred[: n - k] for k in range(1, season + 1)]) / variance
    limit = 1.645 * math.sqrt((1 + 2 * float(r[:-1] @ r[:-1])) / n)
    return bool(abs(r[-1]) > limit)


def seasonal_indices(series: npt.ArrayLike, season: int, *, multiplicative: bool = True) -> Floats:
    """Classical decomposition's seasonal figure, aligned with the start of the series.

    The trend is the centred moving average over one season (2 x season for an even one), the figure
    the mean of series / trend (or series - trend) at each step of the season, divided by (or less)
    its own mean: what R's ``decompose`` computes.

    Returns
    -------
    ndarray of shape (season,)

    Examples
    --------
    >>> import numpy as np
    >>> seasonal_indices(np.tile([1.0, 3.0], 4), 2)
    array([0.5, 1.5])
    """
    values = np.asarray(series, dtype=np.float64)
    if season % 2:
        weights = np.full(season, 1.0) / season
    else:
        weights = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    trend = np.convolve(values, weights, mode="valid")
    start = len(weights) // 2
    inner = values[start : start + len(trend)]
    apart = inner / trend if multiplicative else inner - trend
    phase = (np.arange(len(trend)) + start) % season
    figure = np.bincount(phase, apart, season) / np.bincount(phase, minlength=season)
    indices: Floats = figure / figure.mean() if multiplicative else figure - figure.mean()
    return indices


def naive(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    """Return the last value, and the standard deviation of its error at each step."""
    step = np.arange(1, horizon + 1)
    return np.repeat(past[-1], horizon), _deviation(past[1:] - past[:-1]) * np.sqrt(step)


def seasonal_naive(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    """Return the value one season before, and the standard deviation of its error."""
    if len(past) < season:
        return naive(past, horizon, season)
    step = np.arange(horizon)
    spread = _deviation(past[season:] - past[:-season]) * np.sqrt(step // season + 1)
    return past[-season:][step % season], spread


def drift(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    """Return the line through the first and last value, and the deviation of its error."""
    if len(past) < 2:
        return naive(past, horizon, season)
    step, n = np.arange(1, horizon + 1), len(past)
    slope = (past[-1] - past[0]) / (n - 1)
    spread = _deviation(past[1:] - past[:-1] - slope, 1) * np.sqrt(step * (1 + step / (n - 1)))
    return past[-1] + slope * step, spread


def naive2(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    """Return M4's Naive2: the last value, seasonally adjusted where there is a season."""
    none = np.full(horizon, np.nan)
    if not is_seasonal(past, season):
        return np.repeat(past[-1], horizon), none
    # M4's series are positive; where one is not, no ratio to its trend exists.
    multiplicative = bool((past > 0).all())
    figure = seasonal_indices(past, season, multiplicative=multiplicative)
    phase = (len(past) - 1 + np.arange(horizon + 1)) % season
    last, ahead = figure[phase[0]], figure[phase[1:]]
    return (past[-1] / last * ahead if multiplicative else past[-1] - last + ahead), none


def _deviation(residuals: Floats, fitted: int = 0) -> float:
    """Root mean squared residual, with the fitted parameters taken off (FPP3, eq. 5.1)."""
    count = len(residuals) - fitted
    return float(np.sqrt(residuals @ residuals / count)) if count > 0 else 0.0


def each_window(
    one: Callable[[Floats, int, int], tuple[Floats, Floats]],
) -> Callable[[ForecastProblem], tuple[Predictions, list[str]]]:
    """Predict every series, window and target with the same rule for one series."""

    def predict(problem: ForecastProblem) -> tuple[Predictions, list[str]]:
        horizon, season = problem.horizon, problem.season
        blocks, notes = [], []
        short = empty = 0
        unfitted: list[str] = []
        nothing = np.full(horizon, np.nan)
        for i, series in enumerate(problem.history):
            values = np.asarray(series, dtype=np.float64)
            columns = values[:, None] if values.ndim == 1 else values
            ends = [len(columns) - 1] if problem.origins is None else np.asarray(problem.origins)[i]
            for end in ends:
                for column in columns[: int(end) + 1].T:
                    past = filled(column[_first_known(column) :])
                    if not len(past):  # of a window that is not there nothing is to be said
                        empty += end >= 0
                        blocks.append((nothing, nothing))
                        continue
                    short += len(past) < season
                    try:
                        blocks.append(one(past, horizon, season))
                    except _Unfitted as reason:
                        unfitted.append(str(reason))
                        blocks.append(naive(past, horizon, season))
        n_windows = len(ends)
        shape = (len(problem.history), n_windows, columns.shape[1], horizon)
        point = np.stack([block[0] for block in blocks]).reshape(shape).swapaxes(2, 3)
        spread = np.stack([block[1] for block in blocks]).reshape(shape).swapaxes(2, 3)
        if short and one is seasonal_naive:
            notes.append(f"seasonal_naive: {short} histories shorter than a season; naive there")
        if unfitted:
            notes.append(
                f"{one.__name__}: {len(unfitted)} histories could not be fitted ({unfitted[0]}); "
                "naive there"
            )
        if one.__name__ == "AutoETS" and season > LONGEST_ETS_SEASON:
            notes.append(f"AutoETS: knows no season above {LONGEST_ETS_SEASON} steps: none here")
        if empty:
            notes.append(f"{one.__name__}: {empty} histories hold no known value")
        quantiles = None
        if problem.levels and np.isfinite(spread).all():
            away = np.asarray([NormalDist().inv_cdf(level) for level in problem.levels])
            quantiles = point[..., None] + spread[..., None] * away
        return Predictions(values=point, quantiles=quantiles, levels=problem.levels), notes

    return predict


def _first_known(column: Floats) -> int:
    known = np.isfinite(column)
    return int(known.argmax()) if known.any() else len(column)


def statsforecast(
    model: str,
) -> Callable[[ForecastProblem], tuple[Predictions, list[str]]]:
    """Let statsforecast choose and fit a model for every series, window and target."""

    def one(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
        from statsforecast import models

        past = past[-MOST_HISTORY:]
        # A season of which the history holds less than two cannot be fitted.
        length = season if len(past) >= 2 * season else 1
        fitted = getattr(models, model)(season_length=length)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a constant history, and of a long season
                forecast = fitted.forecast(y=past, h=horizon, level=[_ONE_DEVIATION])
        except Exception as error:  # of too short a history each model raises another
            raise _Unfitted(str(error) or type(error).__name__) from error
        high = forecast[f"hi-{_ONE_DEVIATION}"]
        return forecast["mean"], (high - forecast["mean"]) / NormalDist().inv_cdf(
            0.5 + _ONE_DEVIATION / 200
        )

    one.__name__ = model
    return each_window(one)
