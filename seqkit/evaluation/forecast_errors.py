"""Errors of forecasts: one ratio of sums, many rows of data.

Every error measure here is a numerator and a denominator for each forecast value,

    score = finish(sum(numerator) / sum(denominator)),

summed over the values whose truth is known. What differs is the pair of terms, whether a root is
taken at the end, and whether the ratio is formed once over all values (MAE, RMSE, weighted quantile
loss) or once a series and then averaged (MAPE, sMAPE, MASE, RMSSE: a series counts the same however
large its values are). The same rows give the score over all, by series and by step of the horizon.

Sources
-------
Makridakis, Spiliotis, Assimakopoulos (2020), "The M4 Competition: 100,000 time series and 61
forecasting methods", International Journal of Forecasting 36(1), section 2 and the organisers' code
``Benchmarks and Evaluation.R`` (sMAPE, MASE, OWA); the same authors (2022), "M5 accuracy
competition", International Journal of Forecasting 38(4), eq. 1 (RMSSE); Hyndman and Koehler (2006),
"Another look at measures of forecast accuracy" (MASE); gluonts ``gluonts.evaluation.Evaluator``
(``mean_wQuantileLoss``); Gneiting and Raftery (2007), "Strictly proper scoring rules", eq. 21 (CRPS
of a sample); Laio and Tamea (2007), "Verification tools for probabilistic forecasts", eq. 15 (CRPS
as twice the integral of the quantile loss).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqkit.errors import explain, suggest

__all__ = [
    "FORECAST_ERRORS",
    "ForecastCase",
    "ForecastError",
    "Undefined",
    "as_windows",
    "error_terms",
    "forecast_case",
    "forecast_score",
    "naive_scale",
]

Floats = npt.NDArray[np.float64]
By = Literal["all", "series", "step"]

_NO_HISTORY = "the history of the series is needed for the scale"


class Undefined(ValueError):
    """A score does not exist for these predictions; the message is the reason."""


@dataclass(frozen=True)
class ForecastCase:
    """Forecasts beside the truth, in one fixed shape.

    Attributes
    ----------
    truth : ndarray of shape (n_series, n_windows, horizon, n_targets)
        NaN where unknown: such a value counts nowhere.
    point : ndarray of the same shape
    quantiles, samples : ndarray with one more axis at the end, or None
        One value a level of ``levels``; any number of drawn values.
    levels : tuple of float
    absolute_scale, squared_scale : ndarray of shape (n_series, 1, 1, n_targets), or None
        Mean absolute and mean squared error of the seasonal naive forecast within the history.
    naive2 : ndarray of the shape of ``truth``, or None
        What M4's Naive2 forecasts, for OWA.
    """

    truth: Floats
    point: Floats
    quantiles: Floats | None = None
    levels: tuple[float, ...] = ()
    samples: Floats | None = None
    absolute_scale: Floats | None = None
    squared_scale: Floats | None = None
    naive2: Floats | None = None

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """Lowest and highest quantile, the widest central interval there is."""
        quantiles = _need(self.quantiles, "the forecast holds no quantiles")
        if len(self.levels) < 2:
            raise Undefined("an interval needs two quantiles")
        order = np.argsort(self.levels)
        return quantiles[..., order[0]], quantiles[..., order[-1]]


def as_windows(values: npt.ArrayLike, *, where: str, trailing: int = 0) -> Floats:
    """Bring forecasts to (n_series, n_windows, horizon, n_targets), plus ``trailing`` axes.

    Parameters
    ----------
    values : array-like
        ``(horizon,)``, ``(n_series, horizon)``, ``(n_series, n_windows, horizon)`` or
        ``(n_series, n_windows, horizon, n_targets)``, each followed by the trailing axes.
    where : str
        Name of the argument, for the error.
    trailing : int, default=0
        Number of axes after those, for example one for quantiles.

    Raises
    ------
    ValueError
        If there are more or fewer axes.

    Examples
    --------
    >>> as_windows([[1, 2, 3], [4, 5, 6]], where="y_true").shape
    (2, 1, 3, 1)
    """
    array = np.asarray(values, dtype=np.float64)
    axes = array.ndim - trailing
    shape, end = array.shape[:axes], array.shape[axes:]
    match axes:
        case 1:
            full: tuple[int, ...] = (1, 1, shape[0], 1)
        case 2:
            full = (shape[0], 1, shape[1], 1)
        case 3:
            full = (*shape, 1)
        case 4:
            full = shape
        case _:
            raise ValueError(
                explain(
                    where,
                    "the shape",
                    "(n_series, horizon), (n_series, n_windows, horizon) or (n_series, n_windows, "
                    "horizon, n_targets)" + ", then one axis more" * trailing,
                    array.shape,
                )
            )
    return array.reshape(*full, *end)


def naive_scale(
    history: Sequence[npt.ArrayLike] | npt.NDArray[Any], season: int = 1, power: int = 1
) -> Floats:
    """Mean error of the seasonal naive forecast within each series' history.

    ``mean(|y[t] - y[t - season]| ** power)`` over the steps where both values are known: what MASE
    (power 1) and RMSSE (power 2) divide by.

    Parameters
    ----------
    history : sequence of arrays of shape (n_timesteps_i,) or (n_timesteps_i, n_targets)
        The training part of each series; the lengths may differ.
    season : int, default=1
        Steps in a season.
    power : int, default=1

    Returns
    -------
    ndarray of shape (n_series, n_targets)
        NaN where a history is no longer than a season, or constant: no scale exists there.

    Examples
    --------
    >>> naive_scale([[1, 3, 2, 6]])
    array([[2.33333333]])
    """
    if season < 1:
        raise ValueError(explain("naive_scale", "season", "a positive integer", season))
    rows = []
    for series in history:
        values = np.asarray(series, dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
        steps = np.abs(values[season:] - values[:-season]) ** power
        known = np.isfinite(steps)
        total = np.where(known, steps, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / known.sum(axis=0)
        rows.append(np.where(mean > 0, mean, np.nan))
    return np.asarray(rows, dtype=np.float64)


def forecast_case(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike | None = None,
    *,
    quantiles: npt.ArrayLike | None = None,
    levels: Sequence[float] = (),
    samples: npt.ArrayLike | None = None,
    history: Sequence[npt.ArrayLike] | npt.NDArray[Any] | None = None,
    season: int = 1,
    naive2: npt.ArrayLike | None = None,
) -> ForecastCase:
    """Check forecasts against the truth's shape and put them on one axis.

    Parameters
    ----------
    y_true, y_pred, naive2 : array-like
        As :func:`as_windows` takes them. Without ``y_pred`` the point forecast is the median, from
        the quantiles or the samples.
    quantiles : array-like, one axis more, as long as ``levels``
    samples : array-like, one axis more
    history : sequence of arrays, optional
        Training part of each series, for the scaled errors.
    season : int, default=1

    Raises
    ------
    ValueError
        If shapes differ, or nothing is forecast.
    """
    truth = as_windows(y_true, where="y_true")
    levels = tuple(float(level) for level in levels)
    spread = None if quantiles is None else as_windows(quantiles, where="quantiles", trailing=1)
    drawn = None if samples is None else as_windows(samples, where="samples", trailing=1)
    if spread is not None and spread.shape[-1] != len(levels):
        expected = f"as long as levels ({len(levels)})"
        raise ValueError(explain("quantiles", "the last axis", expected, spread.shape[-1]))
    if y_pred is not None:
        point = as_windows(y_pred, where="y_pred")
    elif drawn is not None:
        point = np.median(drawn, axis=-1)
    elif spread is not None and 0.5 in levels:
        point = spread[..., levels.index(0.5)]
    else:
        raise ValueError(
            explain("y_pred", "the forecast", "values, samples or quantiles with a median", None)
        )
    second = None if naive2 is None else as_windows(naive2, where="naive2")
    for name, array in (("y_pred", point), ("quantiles", spread), ("samples", drawn),
                        ("naive2", second)):  # fmt: skip
        if array is not None and array.shape[:4] != truth.shape:
            expected = f"that of y_true, {truth.shape}"
            raise ValueError(explain(name, "the shape", expected, array.shape))
    case = ForecastCase(truth, point, spread, levels, drawn, naive2=second)
    if history is None:
        return case
    scales = [naive_scale(history, season, power) for power in (1, 2)]
    if scales[0].shape != (truth.shape[0], truth.shape[3]):
        expected = f"one array a series, {truth.shape[0]} of them, {truth.shape[3]} target(s) each"
        raise ValueError(explain("history", "the shape", expected, scales[0].shape))
    absolute, squared = (scale[:, None, None, :] for scale in scales)
    return replace(case, absolute_scale=absolute, squared_scale=squared)


def _need(value: Floats | None, reason: str) -> Floats:
    if value is None:
        raise Undefined(reason)
    return value


def _distance(case: ForecastCase) -> Floats:
    return np.abs(case.truth - case.point)


def _absolute(case: ForecastCase) -> tuple[Floats, Floats]:
    return _distance(case), np.ones_like(case.truth)


def _squared(case: ForecastCase) -> tuple[Floats, Floats]:
    return _distance(case) ** 2, np.ones_like(case.truth)


def _percentage(case: ForecastCase) -> tuple[Floats, Floats]:
    known = case.truth != 0  # no percentage of nothing: as utilsforecast, such a step is left out
    size = np.where(known, np.abs(case.truth), 1.0)
    return np.where(known, 100 * _distance(case) / size, 0.0), known.astype(np.float64)


def _symmetric_percentage(case: ForecastCase) -> tuple[Floats, Floats]:
    size = np.abs(case.truth) + np.abs(case.point)
    ratio = 200 * _distance(case) / np.where(size == 0, 1.0, size)  # 0 / 0: a perfect forecast
    return ratio, np.ones_like(case.truth)


def _scaled(case: ForecastCase) -> tuple[Floats, Floats]:
    scale = np.broadcast_to(_need(case.absolute_scale, _NO_HISTORY), case.truth.shape)
    return _distance(case) / scale, np.ones_like(case.truth)


def _scaled_squared(case: ForecastCase) -> tuple[Floats, Floats]:
    scale = np.broadcast_to(_need(case.squared_scale, _NO_HISTORY), case.truth.shape)
    return _distance(case) ** 2 / scale, np.ones_like(case.truth)


def _quantile_loss(case: ForecastCase) -> Floats:
    quantiles = _need(case.quantiles, "the forecast holds no quantiles")
    below = case.truth[..., None] - quantiles  # (n_series, n_windows, horizon, n_targets, n_levels)
    levels = np.asarray(case.levels)
    loss: Floats = 2 * np.maximum(levels * below, (levels - 1) * below).mean(axis=-1)
    return loss


def _weighted_quantile_loss(case: ForecastCase) -> tuple[Floats, Floats]:
    return _quantile_loss(case), np.abs(case.truth)


def _crps(case: ForecastCase) -> tuple[Floats, Floats]:
    if case.samples is None:
        return _quantile_loss(case), np.ones_like(case.truth)
    drawn = np.sort(case.samples, axis=-1)
    n = drawn.shape[-1]
    error = np.abs(drawn - case.truth[..., None]).mean(axis=-1)
    # E|X - X'| over all pairs of a sorted sample is a weighted sum: no (n, n) table is needed.
    weights = (2 * np.arange(1, n + 1) - n - 1) / n**2
    return error - drawn @ weights, np.ones_like(case.truth)


def _coverage(case: ForecastCase) -> tuple[Floats, Floats]:
    low, high = case.interval
    inside = (low <= case.truth) & (case.truth <= high)
    return inside.astype(np.float64), np.ones_like(case.truth)


def _interval_width(case: ForecastCase) -> tuple[Floats, Floats]:
    low, high = case.interval
    return high - low, np.ones_like(case.truth)


@dataclass(frozen=True)
class ForecastError:
    """One row of :data:`FORECAST_ERRORS`.

    Attributes
    ----------
    terms : callable
        ``ForecastCase -> (numerator, denominator)``, both of the truth's shape.
    root : bool
        Take the square root of the ratio.
    each_series : bool
        Form the ratio a series (and target) and average, instead of once over all values.
    undefined : str
        Why a sum of denominators is zero, or not known.
    """

    terms: Callable[[ForecastCase], tuple[Floats, Floats]]
    root: bool = False
    each_series: bool = False
    undefined: str = "every true value is zero"


_NO_SCALE = "the history is constant, or no longer than a season"

FORECAST_ERRORS: dict[str, ForecastError] = {
    "coverage": ForecastError(_coverage),
    "crps": ForecastError(_crps),
    "interval_width": ForecastError(_interval_width),
    "mae": ForecastError(_absolute),
    "mape": ForecastError(_percentage, each_series=True),
    "mase": ForecastError(_scaled, each_series=True, undefined=_NO_SCALE),
    "mse": ForecastError(_squared),
    "rmse": ForecastError(_squared, root=True),
    "rmsse": ForecastError(_scaled_squared, True, each_series=True, undefined=_NO_SCALE),
    "smape": ForecastError(_symmetric_percentage, each_series=True),
    "weighted_quantile_loss": ForecastError(_weighted_quantile_loss),
}

# Axes of (n_series, n_windows, horizon, n_targets) that are summed, and what is averaged after.
_SUMMED = {"all": (1, 2), "series": (1, 2), "step": (1,)}


def forecast_score(name: str, case: ForecastCase, by: By = "all") -> float | Floats:
    """Score forecasts over all values, by series, or by step of the horizon.

    Parameters
    ----------
    name : str
        A row of :data:`FORECAST_ERRORS`, or ``"owa"``.
    case : ForecastCase
    by : {"all", "series", "step"}, default="all"

    Returns
    -------
    float, or ndarray of shape (n_series,) or (horizon,)
        In an array, NaN where the score does not exist.

    Raises
    ------
    Undefined
        If it does not exist at all, with the reason.

    Examples
    --------
    >>> case = forecast_case([[10.0, 20.0]], [[12.0, 20.0]])
    >>> forecast_score("mae", case)
    1.0
    >>> forecast_score("mae", case, by="step")
    array([2., 0.])
    """
    if name == "owa":
        return _owa(case, by)
    numerator, denominator = error_terms(name, case)
    row = FORECAST_ERRORS[name]
    score = _reduced(numerator, denominator, row, by)
    if np.all(np.isnan(score)):
        raise Undefined(row.undefined)
    return float(score) if by == "all" else score


def error_terms(name: str, case: ForecastCase) -> tuple[Floats, Floats]:
    """Return numerator and denominator of every forecast value, 0 where the truth is unknown.

    Raises
    ------
    Undefined
        If no truth is known, a forecast of a known one is missing, or what the error needs is.
    """
    if name not in FORECAST_ERRORS:
        known = [*FORECAST_ERRORS, "owa"]
        hint = suggest(name, known)
        raise ValueError(explain("forecast_score", "the metric", f"one of {known}", name, hint))
    known_truth = np.isfinite(case.truth)
    if not known_truth.any():
        raise Undefined("no true value is known")
    with np.errstate(invalid="ignore"):
        numerator, denominator = FORECAST_ERRORS[name].terms(case)
    if name in ("coverage", "interval_width", "crps", "weighted_quantile_loss"):
        prediction = case.samples if name == "crps" and case.samples is not None else case.quantiles
        complete = np.isfinite(np.asarray(prediction)).all(axis=-1)
    else:
        complete = np.isfinite(case.point)
    # A missing forecast of a known value must not flatter its score by dropping out of it.
    lost = int((known_truth & ~complete).sum())
    if lost:
        raise Undefined(
            f"the forecast is missing at {lost} of {int(known_truth.sum())} known steps"
        )
    return np.where(known_truth, numerator, 0.0), np.where(known_truth, denominator, 0.0)


def _reduced(numerator: Floats, denominator: Floats, row: ForecastError, by: By) -> Floats:
    axes: tuple[int, ...] = _SUMMED[by]
    if not row.each_series:  # targets and, but for a score by series, series are pooled as well
        axes = (*axes, 3) if by == "series" else (0, *axes, 3)
    above, under = numerator.sum(axis=axes), denominator.sum(axis=axes)
    ratio: Floats = np.divide(above, under, out=np.full_like(above, np.nan), where=under > 0)
    ratio = np.sqrt(ratio) if row.root else ratio
    if not row.each_series:
        return ratio
    # left: (n_series, n_targets), or (n_series, horizon, n_targets) by step
    return _mean_of_known(ratio, {"all": (0, 1), "series": (1,), "step": (0, 2)}[by])


def _mean_of_known(values: Floats, axes: tuple[int, ...]) -> Floats:
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=axes), known.sum(axis=axes)
    mean: Floats = np.full(np.shape(total), np.nan)
    mean = np.divide(total, count, out=mean, where=count > 0)
    return mean


def _owa(case: ForecastCase, by: By) -> float | Floats:
    """M4: the mean of sMAPE and MASE, each relative to that of Naive2."""
    reference = replace(case, point=_need(case.naive2, "Naive2's forecasts are needed"))
    ratios = []
    for name in ("smape", "mase"):
        under = np.asarray(forecast_score(name, reference, by))
        above = np.asarray(forecast_score(name, case, by))
        ratios.append(np.divide(above, under, out=np.full(under.shape, np.nan), where=under > 0))
    score = np.asarray(sum(ratios) / 2)
    if np.all(np.isnan(score)):
        raise Undefined("Naive2 makes no error, so nothing can be measured against it")
    return float(score) if by == "all" else score
