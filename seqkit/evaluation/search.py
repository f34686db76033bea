"""Rolling origins for scikit-learn's searches: folds with their context, and a scorer of forecasts.

See :mod:`seqkit.evaluation.backtest` for a backtest without a search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import indexable

from seqkit.errors import explain
from seqkit.estimators.inputs import SeriesInput, TargetInput
from seqkit.evaluation.forecast_errors import Undefined, forecast_case, forecast_score
from seqkit.evaluation.metrics import find_metrics
from seqkit.evaluation.protocols import Predictor
from seqkit.evaluation.rolling_data import check_positive, frame_origins, rolling_origins

__all__ = ["BacktestSplit", "forecast_scorer"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class BacktestSplit(BaseCrossValidator):  # type: ignore[misc]  # scikit-learn has no types
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
    >>> from seqkit.evaluation.search import BacktestSplit
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
        check_positive(
            "BacktestSplit", context_length=context_length, horizon=horizon, windows=windows
        )
        if step is not None:
            check_positive("BacktestSplit", step=step)
        self.context_length = context_length
        self.horizon = horizon
        self.windows = windows
        self.step = step

    def split(
        self, X: SeriesInput, y: TargetInput | None = None, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[Ints, Ints]]:
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
        rows_of: Any
        rows_of, _, groups = indexable(X, y, groups)
        n_rows = rows_of.shape[0] if hasattr(rows_of, "shape") else len(rows_of)
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

    def get_n_splits(
        self,
        X: SeriesInput | None = None,
        y: TargetInput | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> int:
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
    >>> from seqkit.evaluation.search import forecast_scorer
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
            check_positive("forecast_scorer", context_length=context_length)
        self.metric = metric
        self.context_length = context_length

    def __repr__(self) -> str:
        return f"forecast_scorer({self.metric!r}, context_length={self.context_length})"

    def __call__(
        self,
        estimator: Predictor,
        X: SeriesInput,
        y: TargetInput | None = None,
        **params: object,
    ) -> float:
        """Return the negated error of ``estimator`` on ``X``."""
        predicted: Any = estimator.predict(X, **params)
        if hasattr(predicted, "columns"):
            series = frame_origins(estimator, X, predicted)
        else:
            truth = np.asarray(X if y is None else y, dtype=np.float64)
            made = np.asarray(predicted, dtype=np.float64)
            series = [
                (
                    truth[:, None] if truth.ndim == 1 else truth,  # (n_rows, n_targets)
                    made[..., None] if made.ndim == 2 else made,  # (n_rows, horizon, n_targets)
                )
            ]
        known, made_ = [], []
        for truth, made in series:
            ahead, forecasts = self._full(truth, made)
            known.append(ahead)
            made_.append(forecasts)
        ahead, made = np.concatenate(known), np.concatenate(made_)
        if not len(ahead):
            raise ValueError(
                explain(
                    "forecast_scorer",
                    "X",
                    "long enough for one full context and horizon",
                    f"{sum(len(truth) for truth, _ in series)} rows",
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
