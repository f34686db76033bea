"""Rolling-origin evaluation: forecast from many past moments, and see what came.

Window w of a series has an origin, the last row a forecast may see; its horizon follows. The last
window ends with the series, each earlier one ``step`` rows before (Tashman 2000, "Out-of-sample
tests of forecasting accuracy", International Journal of Forecasting 16(4): rolling origin).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import indexable

from seqkit.errors import explain
from seqkit.evaluation.baselines import ForecastProblem, run_baselines
from seqkit.evaluation.conformal import ConformalIntervals, split_conformal
from seqkit.evaluation.forecast_errors import (
    Undefined,
    forecast_case,
    forecast_score,
    naive_scale,
)
from seqkit.evaluation.metrics import Predictions, find_metrics
from seqkit.evaluation.rolling_data import RollingData, frame_origins, rolling_data
from seqkit.evaluation.summary import evaluate
from seqkit.tasks import TASKS

__all__ = [
    "Backtest",
    "BacktestSplit",
    "backtest",
    "forecast_scorer",
    "rolling_origins",
    "rolling_plan",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _positive(where: str, **values: int) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(explain(where, name, "a positive integer", value))
        if value < 1:
            raise ValueError(explain(where, name, "a positive integer", value))


def rolling_origins(n_timesteps: int, horizon: int, windows: int, step: int) -> Ints:
    """Return the last row that each window may see, oldest first; -1 where a series is too short.

    Examples
    --------
    >>> rolling_origins(20, horizon=4, windows=3, step=2)
    array([11, 13, 15])
    """
    last = n_timesteps - 1 - horizon
    origins = last - step * np.arange(windows - 1, -1, -1)
    return np.where(origins < 0, -1, origins)


class BacktestSplit(BaseCrossValidator):
    """Split rows of time steps by rolling origin, with the context the forecasts need.

    Like :class:`sklearn.model_selection.TimeSeriesSplit`, but a test fold begins ``context_length``
    rows early, so that the forecast at its origin has a full context: fold w holds the rows
    ``origin - context_length + 1 ... origin + horizon``, and everything up to the origin trains.
    Each test fold then holds exactly one origin with a full context and a full horizon.

    Where ``context_length`` is itself searched over, give the longest one here and score with
    :meth:`scorer`: a forecaster with a shorter context finds further origins in a fold's context
    rows, whose horizons it was trained on; that scorer leaves them out.

    Parameters
    ----------
    context_length : int
        Rows before the horizon that a forecast sees.
    horizon : int
        Rows that are forecast.
    windows : int, default=5
        Number of origins, and of folds.
    step : int, default=None
        Rows from one origin to the next; ``None`` is ``horizon``, so that no row is tested twice.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.evaluation.backtest import BacktestSplit
    >>> for train, test in BacktestSplit(context_length=3, horizon=2, windows=2).split(np.ones(10)):
    ...     print(train, test)
    [0 1 2 3 4 5] [3 4 5 6 7]
    [0 1 2 3 4 5 6 7] [5 6 7 8 9]
    """

    # Routed by default, as scikit-learn's group splitters ask for theirs.
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(
        self, context_length: int, horizon: int, windows: int = 5, step: int | None = None
    ) -> None:
        _positive("BacktestSplit", context_length=context_length, horizon=horizon, windows=windows)
        if step is not None:
            _positive("BacktestSplit", step=step)
        self.context_length = context_length
        self.horizon = horizon
        self.windows = windows
        self.step = step

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Ints, Ints]]:
        """Yield the rows to train on and the rows to test on.

        Parameters
        ----------
        X : array-like or data frame
            A row is a time step, in order of time within each series.
        y : ignored
        groups : array-like of shape (n_rows,), optional
            The series of each row; every series is cut at its own end. A series too short for a
            window is not tested in it. Without groups all rows are one series.

        Raises
        ------
        ValueError
            If no series is long enough for the earliest window.
        """
        X, y, groups = indexable(X, y, groups)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        series = (
            [np.arange(n_rows)]
            if groups is None
            else [np.flatnonzero(np.asarray(groups) == name) for name in _in_order(groups)]
        )
        step = self.horizon if self.step is None else self.step
        needed = self.context_length + self.horizon + step * (self.windows - 1)
        # one row more than the context: a first training fold has to hold something to learn
        longest = max(len(rows) for rows in series)
        if longest <= needed:
            raise ValueError(
                explain(
                    "BacktestSplit",
                    "a series",
                    f"longer than {needed} rows (context_length + horizon + step x (windows - 1))",
                    longest,
                    "Use fewer windows, a smaller step or a shorter context.",
                )
            )
        for window in range(self.windows):
            train, test = [], []
            for rows in series:
                origin = rolling_origins(len(rows), self.horizon, self.windows, step)[window]
                train.append(rows[: origin + 1])
                if origin + 1 >= self.context_length:
                    start = origin + 1 - self.context_length
                    test.append(rows[start : origin + 1 + self.horizon])
            yield np.concatenate(train), np.concatenate(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of windows."""
        return self.windows

    def scorer(self, metric: str) -> Callable[..., float]:
        """Return :func:`forecast_scorer` for the folds of this split."""
        return forecast_scorer(metric, context_length=self.context_length)


def _in_order(groups: Any) -> list[Any]:
    return list(dict.fromkeys(np.asarray(groups).tolist()))


class forecast_scorer:
    """Score a forecaster by its forecasts, as ``scoring`` of scikit-learn's searches.

    ``predict(X)`` gives at row t the forecast for t+1 ... t+horizon. Every row whose forecast
    exists and whose horizon ends within ``X`` counts, each step alike. Errors are negated: greater
    is better.

    Parameters
    ----------
    metric : {"mae", "mse", "rmse", "mape", "smape"}
    context_length : int, optional
        Rows at the head of ``X`` that are context only: forecasts made before the last of them are
        not counted. See :meth:`BacktestSplit.scorer`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.evaluation.backtest import forecast_scorer
    >>> class Naive:
    ...     def predict(self, X):
    ...         return np.repeat(X, 2, axis=1)  # the last value, for two steps
    >>> forecast_scorer("mae")(Naive(), np.arange(6.0)[:, None])
    -1.5
    """

    def __init__(self, metric: str, context_length: int | None = None) -> None:
        allowed = [
            name for name, row in find_metrics("forecasting").items() if row.needs == "values"
        ]
        if metric not in allowed:
            raise ValueError(explain("forecast_scorer", "metric", f"one of {allowed}", metric))
        if context_length is not None:
            _positive("forecast_scorer", context_length=context_length)
        self.metric = metric
        self.context_length = context_length

    def __repr__(self) -> str:
        return f"forecast_scorer({self.metric!r}, context_length={self.context_length})"

    def __call__(self, estimator: Any, X: Any, y: Any = None, **params: Any) -> float:
        """Return the negated error of ``estimator`` on ``X``."""
        answers = estimator.predict(X, **params)
        if hasattr(answers, "columns"):
            series = frame_origins(estimator, X, answers)
        else:
            truth = np.asarray(X if y is None else y, dtype=np.float64)
            made = np.asarray(answers, dtype=np.float64)
            series = [
                (
                    truth[:, None] if truth.ndim == 1 else truth,  # (n_rows, n_targets)
                    made[..., None] if made.ndim == 2 else made,  # (n_rows, horizon, n_targets)
                )
            ]
        known, made_ = [], []
        for truth, made in series:
            ahead, found = self._full(truth, made)
            known.append(ahead)
            made_.append(found)
        ahead, made = np.concatenate(known), np.concatenate(made_)
        if not len(ahead):
            raise ValueError(
                explain(
                    "forecast_scorer",
                    "X",
                    "long enough for one full context and horizon",
                    f"{len(X)} rows",
                    "Give a test fold both, as BacktestSplit does with the longest context_length.",
                )
            )
        case = forecast_case(ahead[None], made[None])
        try:
            return -float(forecast_score(self.metric, case))
        except Undefined as reason:
            raise ValueError(f"forecast_scorer: {self.metric}: {reason}") from reason

    def _full(self, truth: Floats, made: Floats) -> tuple[Floats, Floats]:
        """Truth and forecast from each origin that has both, (n_origins, horizon, n_targets)."""
        horizon = made.shape[1]
        first = 0 if self.context_length is None else self.context_length - 1
        last = len(truth) - horizon  # the rows from here on have no full horizon
        if last <= first:
            return made[:0], made[:0]
        ahead = np.lib.stride_tricks.sliding_window_view(truth[1:], horizon, axis=0)
        ahead, made = ahead.swapaxes(1, 2)[first:last], made[first:last]
        exists = np.isfinite(made).all(axis=(1, 2))
        return ahead[exists], made[exists]


@dataclass(frozen=True)
class Backtest:
    """What :func:`backtest` found.

    Attributes
    ----------
    truth : ndarray of shape (n_series, n_windows, horizon, n_targets)
        NaN where a series was too short for a window, or a value is missing.
    answer : Predictions
        The forecasts, of the same shape.
    origins : ndarray of int of shape (n_series, n_windows)
        The last row each window could see; -1 where there is none.
    data : RollingData
        The series it was run on.
    step : int
    season : int
    refit : bool
    seconds : float
        For fitting and forecasting all windows.
    """

    truth: Floats
    answer: Predictions
    origins: Ints
    data: RollingData
    step: int
    season: int
    refit: bool
    seconds: float

    @property
    def history(self) -> list[Floats]:
        """Each series up to its first origin: what the scaled errors are scaled by."""
        firsts = [next((int(o) for o in row if o >= 0), -1) for row in self.origins]
        return [series[: first + 1] for series, first in zip(self.data.values, firsts, strict=True)]

    def conformal(self, level: float = 0.8) -> ConformalIntervals:
        """Calibrate intervals on these windows; see :func:`split_conformal`.

        Quantiles, where the forecaster gives any, are corrected; otherwise the point forecast is
        widened.
        """
        scale = naive_scale(self.history, self.season)
        if self.answer.quantiles is not None and len(self.answer.levels) > 1:
            order = np.argsort(self.answer.levels)
            low, high = (self.answer.quantiles[..., order[end]] for end in (0, -1))
            return split_conformal(self.truth, level=level, low=low, high=high, scale=scale)
        return split_conformal(self.truth, self.answer.values, level=level, scale=scale)

    def baselines(
        self, names: Sequence[str] | None = None
    ) -> tuple[dict[str, Predictions], list[str]]:
        """Let baselines forecast from the same origins; see :func:`run_baselines`."""
        problem = ForecastProblem(
            self.data.values,
            self.truth.shape[2],
            self.season,
            self.origins,
            self.answer.levels if self.answer.quantiles is not None else (),
        )
        return run_baselines("forecasting", problem, names)

    def evaluate(
        self,
        metrics: Sequence[str] | None = None,
        baselines: Sequence[str] | None = None,
        level: float | None = 0.8,
    ) -> dict[str, Any]:
        """Score the windows beside baselines of the same origins, as ``metrics.json`` holds it.

        Parameters
        ----------
        metrics, baselines : sequence of str, optional
            Default: those of the task.
        level : float or None, default=0.8
            Of the conformal intervals; ``None`` leaves them out.
        """
        names = TASKS["forecasting"].baselines if baselines is None else baselines
        if metrics is not None and "owa" in metrics and "naive2" not in names:
            names = (*names, "naive2")
        answers, notes = self.baselines(names)
        part = evaluate(
            "forecasting",
            self.truth,
            self.answer,
            metrics=metrics,
            baselines=answers,
            history=self.history,
            season=self.season,
            ids=self.data.ids,
        )
        part["notes"] = [*notes, *part["notes"]]
        part |= {
            "windows": self.truth.shape[1],
            "step": self.step,
            "refit": self.refit,
        }
        if level is not None:
            try:
                fitted = self.conformal(level)
            except Undefined as reason:
                part["notes"].append(f"conformal intervals: {reason}")
            else:
                part["notes"] += [f"conformal intervals: {note}" for note in fitted.notes]
                part["conformal"] = {
                    "level": level,
                    "coverage": fitted.coverage,
                    "mean_width": fitted.mean_width,
                    "n_calibration": fitted.n_calibration,
                    "n_measured": fitted.n_measured,
                }
        return part


def rolling_plan(
    forecaster: Any,
    data: Any,
    y: Any = None,
    horizon: int | None = None,
    windows: int = 5,
    step: int | None = None,
    refit: bool = False,
    prefit: bool = False,
) -> tuple[RollingData, Ints, int, int]:
    """Return the series of a backtest, their origins, the horizon and the step.

    Parameters and errors are those of :func:`backtest`; the forecaster need not be fitted.
    """
    if refit and prefit:
        raise ValueError(explain("backtest", "refit and prefit", "not both true", True))
    steps = getattr(forecaster, "horizon", None) if horizon is None else horizon
    if steps is None:
        raise ValueError(explain("backtest", "horizon", "given", None))
    stride = steps if step is None else step
    _positive("backtest", horizon=steps, windows=windows, step=stride)
    series = rolling_data(data, y, forecaster)
    origins = np.stack(
        [rolling_origins(len(values), steps, windows, stride) for values in series.values]
    )
    context = getattr(forecaster, "context_length", None)
    least = int(np.max(context)) if context is not None else 1
    # A first fit needs one window of its own.
    fitted_on = least if prefit else least + steps
    if origins[:, 0].max() + 1 < fitted_on:
        raise ValueError(
            explain(
                "backtest",
                "a series",
                f"at least {fitted_on + steps + stride * (windows - 1)} steps long",
                max(len(values) for values in series.values),
                "Use fewer windows, a smaller step or a shorter context.",
            )
        )
    return series, origins, steps, stride


def backtest(
    forecaster: Any,
    data: Any,
    *,
    y: Any = None,
    horizon: int | None = None,
    windows: int = 5,
    step: int | None = None,
    season: int = 1,
    refit: bool = False,
    prefit: bool = False,
) -> Backtest:
    """Forecast from rolling origins and keep what came beside it.

    Parameters
    ----------
    forecaster : estimator
        With ``fit`` and ``forecast`` as :class:`SequenceForecaster` has them. It is cloned, unless
        ``prefit``, and not changed.
    data : array-like of shape (n_timesteps,) or (n_timesteps, n_features), or data frame
        One series, a row a time step; or a long frame of many.
    y : array-like of shape (n_timesteps,) or (n_timesteps, n_targets), optional
        Target of an array; default: the array itself.
    horizon : int, optional
        Default: the forecaster's own.
    windows : int, default=5
    step : int, optional
        Rows from one origin to the next; default: the horizon.
    season : int, default=1
        Steps in a season, for the scaled errors and the seasonal baselines.
    refit : bool, default=False
        Fit at every origin on all that was known then. Otherwise once, on what was known at the
        first origin.
    prefit : bool, default=False
        Take the forecaster as fitted. It must not have seen anything after the first origin.

    Returns
    -------
    Backtest

    Raises
    ------
    ValueError
        If no series is long enough, or both ``refit`` and ``prefit`` are set.

    Examples
    --------
    >>> from seqkit import SequenceForecaster
    >>> model = SequenceForecaster(context_length=12, horizon=6, units=4, epochs=1)
    >>> backtest(model, np.sin(np.arange(99.0)), windows=3).truth.shape
    (1, 3, 6, 1)
    """
    series, origins, steps, stride = rolling_plan(
        forecaster, data, y, horizon, windows, step, refit, prefit
    )
    n_targets = series.values[0].shape[1]
    truth = np.full((len(series.values), windows, steps, n_targets), np.nan)
    for i, values in enumerate(series.values):
        for w, origin in enumerate(origins[i]):
            if origin >= 0:
                truth[i, w] = values[origin + 1 : origin + 1 + steps]
    started = time.perf_counter()
    model = forecaster if prefit else None
    blocks = []
    for w in range(windows):
        if model is None or refit:
            model = series.fit(clone(forecaster), origins[:, w])
        blocks.append(series.forecast(model, origins[:, w], steps))
    quantiles = None
    if all(block.quantiles is not None for block in blocks):
        quantiles = np.stack([block.quantiles for block in blocks], axis=1)
    answer = Predictions(
        values=np.stack([block.values for block in blocks], axis=1),
        quantiles=quantiles,
        levels=blocks[0].levels,
    )
    # What is not tested has no truth; a forecast that is missing elsewhere is the model's fault.
    return Backtest(
        truth, answer, origins, series, stride, season, refit, time.perf_counter() - started
    )
