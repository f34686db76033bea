"""Rolling-origin evaluation: forecast from many past moments, and see what came.

Window w of a series has an origin, the last row a forecast may see; its horizon follows. The last
window ends with the series, each earlier one ``step`` rows before (Tashman 2000, "Out-of-sample
tests of forecasting accuracy", International Journal of Forecasting 16(4): rolling origin).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from seqkit.errors import explain
from seqkit.estimators.forecast_reading import Reading
from seqkit.estimators.inputs import SeriesInput, TargetInput
from seqkit.evaluation.baselines import BASELINES, ForecastProblem, run_baselines
from seqkit.evaluation.conformal import ConformalIntervals, split_conformal
from seqkit.evaluation.forecast_baselines import MOST_HISTORY
from seqkit.evaluation.forecast_errors import (
    Undefined,
    naive_scale,
)
from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.protocols import Forecaster
from seqkit.evaluation.rolling_data import (
    RollingData,
    RollingPanel,
    check_positive,
    join_windows,
    rolling_data,
    rolling_origins,
    size_of,
)
from seqkit.evaluation.summary import score_model
from seqkit.tasks import TASKS

__all__ = ["BacktestResult", "backtest", "rolling_plan"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Values of all histories together to which AutoETS and AutoTheta are fitted: at .8 milliseconds a
# value for both, a quarter of a minute. Where there are more, windows are drawn at random.
MOST_FITTED = 20_000


@dataclass(frozen=True)
class BacktestResult:
    """What :func:`backtest` returns.

    Attributes
    ----------
    truth : ndarray of shape (n_series, n_windows, horizon, n_targets)
        NaN where a series was too short for a window, or a value is missing.
    prediction : Predictions
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
    prediction: Predictions
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
        if self.prediction.quantiles is not None and len(self.prediction.levels) > 1:
            order = np.argsort(self.prediction.levels)
            low, high = (self.prediction.quantiles[..., order[end]] for end in (0, -1))
            return split_conformal(self.truth, level=level, low=low, high=high, scale=scale)
        return split_conformal(self.truth, self.prediction.values, level=level, scale=scale)

    def baselines(
        self, names: Sequence[str] | None = None
    ) -> tuple[dict[str, Predictions], list[str]]:
        """Let baselines forecast from the same origins; see :func:`run_baselines`."""
        problem = ForecastProblem(
            self.data.values,
            self.truth.shape[2],
            self.season,
            self.origins,
            self.prediction.levels if self.prediction.quantiles is not None else (),
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
        names = TASKS["forecasting"].default_baselines if baselines is None else baselines
        if metrics is not None and "owa" in metrics and "naive2" not in names:
            names = (*names, "naive2")
        fitted = {name for name in names if name in BASELINES and BASELINES[name].extra}
        sample = self._sample() if fitted else self.origins
        if np.array_equal(sample, self.origins):
            part = self._scored(names, metrics)
        else:
            part = self._scored([name for name in names if name not in fitted], metrics)
            drawn = self._part(sample)._scored(names, metrics)
            part["notes"] += [f"sample: {note}" for note in drawn["notes"]]
            drawn["n"] = {
                "series": drawn["n"]["series"],
                "forecasts": int((sample >= 0).sum()),
                "values": drawn["n"]["values"],
            }
            part["sample"] = drawn | {"notes": []}
        part |= {
            "windows": self.truth.shape[1],
            "step": self.step,
            "refit": self.refit,
        }
        if level is not None:
            try:
                intervals = self.conformal(level)
            except Undefined as reason:
                part["notes"].append(f"conformal intervals: {reason}")
            else:
                part["notes"] += [f"conformal intervals: {note}" for note in intervals.notes]
                part["conformal"] = {
                    "level": level,
                    "coverage": intervals.coverage,
                    "mean_width": intervals.mean_width,
                    "n_calibration": intervals.n_calibration,
                    "n_measured": intervals.n_measured,
                }
        return part

    def _scored(self, names: Sequence[str], metrics: Sequence[str] | None) -> dict[str, Any]:
        predictions, notes = self.baselines(names)
        part = score_model(
            "forecasting",
            self.truth,
            self.prediction,
            metrics=metrics,
            baselines=predictions,
            history=self.history,
            season=self.season,
            ids=self.data.ids,
        )
        part["notes"] = [*notes, *part["notes"]]
        return part

    def _sample(self) -> Ints:
        """Return the origins of windows drawn at random, whose histories are few enough to fit."""
        cost = np.minimum(self.origins + 1, MOST_HISTORY) * self.truth.shape[-1]
        cells = np.random.default_rng(0).permutation(np.flatnonzero(self.origins >= 0))
        enough = max(int(np.searchsorted(np.cumsum(cost.flat[cells]), MOST_FITTED, "right")), 1)
        sample = np.full_like(self.origins, -1)
        kept = cells[:enough]
        sample.flat[kept] = self.origins.flat[kept]
        return sample

    def _part(self, origins: Ints) -> BacktestResult:
        """Return this result with the windows that have an origin, and their series, alone."""
        kept = np.flatnonzero((origins >= 0).any(axis=1))
        there = origins[kept] >= 0
        data: Any = _Sample(
            [self.data.values[i] for i in kept], tuple(self.data.ids[i] for i in kept)
        )
        return replace(
            self,
            truth=np.where(there[..., None, None], self.truth[kept], np.nan),
            prediction=_of_series(self.prediction, kept),
            origins=origins[kept],
            data=data,
        )


@dataclass(frozen=True)
class _Sample:
    """Some of the series of a backtest, for scores alone."""

    values: list[Floats]
    ids: tuple[Any, ...]


def _of_series(prediction: Predictions, kept: Ints) -> Predictions:
    def some(block: Any) -> Any:
        return None if block is None else np.asarray(block)[kept]

    return replace(
        prediction,
        values=some(prediction.values),
        quantiles=some(prediction.quantiles),
        samples=some(prediction.samples),
    )


def rolling_plan(
    forecaster: Forecaster,
    data: SeriesInput | Reading,
    y: TargetInput | None = None,
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
    steps = size_of(forecaster, "horizon") if horizon is None else horizon
    if steps is None:
        hint = "That of a forecaster is not known before it is fitted where it is auto."
        raise ValueError(explain("backtest", "horizon", "given", None, hint))
    stride = steps if step is None else step
    check_positive("backtest", horizon=steps, windows=windows, step=stride)
    series = rolling_data(data, y, forecaster, fitted=prefit)
    origins = np.stack(
        [rolling_origins(len(values), steps, windows, stride) for values in series.values]
    )
    context = size_of(forecaster, "context_length")
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
    if isinstance(series, RollingPanel):
        series.windows(origins)  # raises where nothing had been observed at an origin
    return series, origins, steps, stride


def backtest(
    forecaster: Forecaster,
    data: SeriesInput | Reading,
    *,
    y: TargetInput | None = None,
    horizon: int | None = None,
    windows: int = 5,
    step: int | None = None,
    season: int | None = None,
    refit: bool = False,
    prefit: bool = False,
) -> BacktestResult:
    """Forecast from rolling origins and keep what came beside it.

    Parameters
    ----------
    forecaster : estimator
        With ``fit`` and ``forecast`` as :class:`SequenceForecaster` has them. It is cloned, unless
        ``prefit``, and not changed.
    data : array-like of shape (n_timesteps,) or (n_timesteps, n_features), data frame, or Reading
        One series, a row a time step; or a long frame of many; or what a forecaster has read.
        A forecaster of seqkit reads it once, and forecasts all windows at once.
    y : array-like of shape (n_timesteps,) or (n_timesteps, n_targets), optional
        Target of an array; default: the array itself.
    horizon : int, optional
        Default: the forecaster's own.
    windows : int, default=5
    step : int, optional
        Rows from one origin to the next; default: the horizon.
    season : int, optional
        Steps in a season, for the scaled errors and the seasonal baselines; default: the
        forecaster's own, 1 where it has none.
    refit : bool, default=False
        Fit at every origin on all that was known then. Otherwise once, on what was known at the
        first origin.
    prefit : bool, default=False
        Take the forecaster as fitted. It must not have seen anything after the first origin.

    Returns
    -------
    BacktestResult

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
    if refit:
        parts = []
        for one in origins.T:
            model = series.fit(clone(forecaster), one)
            parts.append(series.forecast(model, one[:, None], steps))
        prediction = join_windows(parts)
    else:
        model = forecaster if prefit else series.fit(clone(forecaster), origins[:, 0])
        prediction = series.forecast(model, origins, steps)
    if season is None:
        own = getattr(model, "auto_", {}).get("season", getattr(model, "season", 1))
        season = own if isinstance(own, int) else 1
    # What is not tested has no truth; elsewhere a missing forecast counts against the model.
    return BacktestResult(
        truth, prediction, origins, series, stride, season, refit, time.perf_counter() - started
    )
