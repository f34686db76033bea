"""Series that are cut at rolling origins, and forecasts of them from there.

Three forms: what one of seqkit's own forecasters has read (:class:`RollingPanel`: read once, and
all windows are forecast at once); and for any other forecaster an array of one series, or a long
frame of many, which it is handed again for every window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.errors import DataError, explain
from seqkit.evaluation.metrics import Predictions

__all__ = [
    "RollingArray",
    "RollingData",
    "RollingFrame",
    "RollingPanel",
    "check_positive",
    "frame_origins",
    "join_windows",
    "rolling_data",
    "rolling_origins",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# gluonts evaluates a distribution at these
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def check_positive(where: str, **values: int) -> None:
    """Raise unless all values are positive integers."""
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


@dataclass(frozen=True)
class RollingPanel:
    """Series as a forecaster of seqkit has read them.

    Attributes
    ----------
    reading : seqkit.estimators.forecast_reading.Reading
    values : list of ndarray of shape (n_timesteps_i, n_targets)
        As they were given: NaN where a value is missing.
    """

    reading: Any
    values: list[Floats]

    @property
    def ids(self) -> tuple[Any, ...]:
        """Names of the series."""
        return tuple(self.reading.rows.ids.tolist())

    @property
    def targets(self) -> tuple[str, ...]:
        """Columns of the targets; those of an array have no names."""
        return () if self.reading.reader.arrays else self.reading.rows.columns.targets

    def stamps(self, series: int) -> Any:
        """Time stamps of a series, or None where there are none."""
        rows = self.reading.rows
        if rows.times is None:
            return None
        return rows.times[rows.offsets[series] : rows.offsets[series + 1]]

    def fit(self, forecaster: Any, origins: Ints) -> Any:
        """Fit on the rows of every series up to its origin."""
        return forecaster.fit(self.reading.until(origins + 1))

    def windows(self, origins: Ints) -> tuple[Ints, Ints, Ints]:
        """Return series and window of every origin, and the step of the panel after it.

        Raises
        ------
        DataError
            If an origin comes before all of its series had been observed once.
        """
        series, window = np.nonzero(origins >= 0)
        return series, window, self.reading.steps(series, origins[series, window]) + 1

    def forecast(self, forecaster: Any, origins: Ints, horizon: int) -> Predictions:
        """Forecast every series after its origins; NaN for series too short to have one."""
        series, window, stop = self.windows(origins)
        prediction = forecaster._forecast_within(self.reading.panel, series, stop, horizon)
        levels = _levels_of(forecaster)

        def spread(part: Floats) -> Floats:
            whole = np.full((*origins.shape, *part.shape[1:]), np.nan)
            whole[series, window] = part
            return whole

        return Predictions(
            values=spread(forecaster._point(prediction)),
            quantiles=spread(forecaster._quantiles(prediction, levels)) if levels else None,
            levels=levels,
        )


@dataclass(frozen=True)
class RollingArray:
    """One series, a row a time step.

    Attributes
    ----------
    X : ndarray of shape (n_timesteps,) or (n_timesteps, n_features)
    y : ndarray or None
        Target of each row; ``None`` means ``X`` itself.
    values : list of one ndarray of shape (n_timesteps, n_targets)
    ids : tuple
    targets : tuple of str
        Empty: the columns of an array have no names.
    """

    X: Any
    y: Any
    values: list[Floats]
    ids: tuple[Any, ...] = (0,)

    targets: tuple[str, ...] = ()

    def stamps(self, series: int) -> Any:
        """Time stamps: an array has none."""
        return None

    def fit(self, forecaster: Any, origins: Ints) -> Any:
        """Fit on the rows up to the origin."""
        end = int(origins[0]) + 1
        if self.y is None:
            return forecaster.fit(self.X[:end])
        return forecaster.fit(self.X[:end], self.y[:end])

    def forecast(self, forecaster: Any, origins: Ints, horizon: int) -> Predictions:
        """Forecast the ``horizon`` rows after each origin, seeing the rows up to it only."""
        return join_windows([self._window(forecaster, one, horizon) for one in origins.T])

    def _window(self, forecaster: Any, origins: Ints, horizon: int) -> Predictions:
        end = int(origins[0]) + 1
        predicted = np.asarray(forecaster.forecast(self.X[:end], horizon=horizon), dtype=np.float64)
        n_targets = self.values[0].shape[1]
        levels = _levels_of(forecaster)
        quantiles = None
        if levels:
            spread = forecaster.forecast_quantiles(self.X[:end], horizon=horizon, levels=levels)
            quantiles = np.asarray(spread, dtype=np.float64)
            quantiles = quantiles.reshape(1, 1, horizon, n_targets, len(levels))
        return Predictions(
            values=predicted.reshape(1, 1, horizon, n_targets), quantiles=quantiles, levels=levels
        )


@dataclass(frozen=True)
class RollingFrame:
    """Many series in a long frame, a row a time step of a series.

    Attributes
    ----------
    frame : pandas.DataFrame
    series_id, time : str or None
    targets : tuple of str
    future : tuple of str
        Columns known over the horizon.
    code, index : ndarray of int of shape (n_rows,)
        Which series a row belongs to, and its step in it.
    values : list of ndarray of shape (n_timesteps_i, n_targets)
    ids : tuple
    """

    frame: Any
    series_id: str | None
    time: str | None
    targets: tuple[str, ...]
    future: tuple[str, ...]
    code: Ints
    index: Ints
    values: list[Floats]
    ids: tuple[Any, ...]

    def stamps(self, series: int) -> Any:
        """Time stamps of a series, or None where the frame has none."""
        if self.time is None:
            return None
        from seqkit.data.stamps import parse_stamps

        rows = np.flatnonzero(self.code == series)  # in the order of time, as they stand
        return parse_stamps(self.frame[self.time].iloc[rows], self.time)[0]

    def fit(self, forecaster: Any, origins: Ints) -> Any:
        """Fit on the rows of every series up to its origin."""
        return forecaster.fit(self.frame[self.index <= origins[self.code]])

    def forecast(self, forecaster: Any, origins: Ints, horizon: int) -> Predictions:
        """Forecast every series after its origins; NaN for series too short to have one."""
        return join_windows([self._window(forecaster, one, horizon) for one in origins.T])

    def _window(self, forecaster: Any, origins: Ints, horizon: int) -> Predictions:
        past = self.frame[self.index <= origins[self.code]]
        ahead = (self.index > origins[self.code]) & (self.index <= origins[self.code] + horizon)
        ahead &= origins[self.code] >= 0
        coming = None
        if self.future:
            keys = [name for name in (self.series_id, self.time) if name is not None]
            coming = self.frame.loc[ahead, [*keys, *self.future]]
        predicted = forecaster.forecast(past, horizon=horizon, future=coming)
        present = np.flatnonzero(origins >= 0)
        if len(predicted) != len(present) * horizon:
            expected = f"{horizon} rows for each of {len(present)} series"
            raise DataError(explain("backtest", "the forecast", expected, len(predicted)))
        order = np.arange(len(present))
        if self.series_id is not None:  # in the order of the series here
            known = {name: i for i, name in enumerate(self.ids)}
            whose = np.asarray([known[name] for name in predicted[self.series_id]])
            predicted = predicted.iloc[np.argsort(whose, kind="stable")]
            order = np.argsort(whose[::horizon])
        if self.time is not None and self.time in predicted:
            rows = np.flatnonzero(ahead)
            rows = rows[np.lexsort((self.index[rows], self.code[rows]))]
            stamps = self.frame[self.time].iloc[rows]
            if not _same_stamps(predicted[self.time], stamps):
                raise _absent(self.time)
        shape = (len(present), horizon)
        point = np.stack([_column(predicted, target, shape) for target in self.targets], axis=-1)
        levels = _levels_of(forecaster)
        quantiles = None
        if levels:
            spread = forecaster.forecast_quantiles(
                past, horizon=horizon, future=coming, levels=levels
            )
            spread = np.asarray(spread, dtype=np.float64)
            spread = spread.reshape(*shape, len(self.targets), len(levels))
            quantiles = self._all(spread[order], present)
        return Predictions(values=self._all(point, present), quantiles=quantiles, levels=levels)

    def _all(self, given: Floats, present: Ints) -> Floats:
        full = np.full((len(self.ids), 1, *given.shape[1:]), np.nan)
        full[present, 0] = given
        return full


RollingData = RollingPanel | RollingArray | RollingFrame


def join_windows(parts: list[Predictions]) -> Predictions:
    """Join forecasts along their second axis, that of the windows."""
    quantiles = None
    if all(part.quantiles is not None for part in parts):
        quantiles = np.concatenate([part.quantiles for part in parts], axis=1)
    values = np.concatenate([part.values for part in parts], axis=1)
    return Predictions(values=values, quantiles=quantiles, levels=parts[0].levels)


def _absent(time: str | None) -> DataError:
    hint = "Add a row with an empty value for every absent time stamp."
    got = "steps that are absent"
    return DataError(explain("backtest", f"the stamps of {time!r}", "without gaps", got, hint))


def _column(frame: Any, name: str, shape: tuple[int, int]) -> Floats:
    if name not in frame:
        raise DataError(explain("backtest", "the forecast", f"with a column {name!r}",
                                list(frame.columns)))  # fmt: skip
    column: Floats = frame[name].to_numpy(dtype=np.float64).reshape(shape)
    return column


def _levels_of(forecaster: Any) -> tuple[float, ...]:
    """Levels to ask a forecaster for: its own, or the deciles of a distribution."""
    if not hasattr(forecaster, "forecast_quantiles"):
        return ()
    if getattr(forecaster, "distribution", None) is not None:
        return DECILES
    return tuple(getattr(forecaster, "quantiles", None) or ())


def _same_stamps(first: Any, second: Any) -> bool:
    from seqkit.data.stamps import read_stamps

    first, second = (read_stamps(stamps).values for stamps in (first, second))
    return bool(np.array_equal(first, second))


def size_of(forecaster: Any, name: str) -> Any:
    """Return the horizon or context length of a forecaster; None where it has none yet."""
    value = getattr(forecaster, name, None)
    # what is auto is known once it is fitted
    return getattr(forecaster, "auto_", {}).get(name) if isinstance(value, str) else value


def frame_origins(forecaster: Any, frame: Any, predicted: Any) -> list[tuple[Floats, Floats]]:
    """Align what ``predict`` made of a frame's rows with the rows themselves, a series each.

    Returns
    -------
    list of (truth, forecast)
        Of shapes (n_rows_i, n_targets) and (n_rows_i, horizon, n_targets).
    """
    if not hasattr(frame, "columns"):
        raise TypeError(explain("forecast_scorer", "X", "a frame, as the forecast is one", frame))
    data = _rolling_frame(frame, forecaster)
    horizon = size_of(forecaster, "horizon")
    steps = [[f"{target}+{h + 1}" for target in data.targets] for h in range(horizon)]
    pairs = []
    for name, truth in zip(data.ids, data.values, strict=True):
        rows = predicted
        if data.series_id is not None:
            rows = predicted[predicted[data.series_id] == name]
        if len(rows) != len(truth):
            raise DataError(
                explain("forecast_scorer", f"the forecasts of series {name!r}",
                        f"one a row, {len(truth)}", len(rows),
                        "Add a row with an empty value for every absent time stamp.")
            )  # fmt: skip
        made = np.stack([rows[names].to_numpy(dtype=np.float64) for names in steps], axis=1)
        pairs.append((truth, made))
    return pairs


def rolling_data(data: Any, y: Any, forecaster: Any, fitted: bool = False) -> RollingData:
    """Bring one array or a long frame into a form that can be cut at origins.

    Parameters
    ----------
    data : array-like of shape (n_timesteps,) or (n_timesteps, n_features), or data frame
        Or what a forecaster has read.
    y : array-like or None
        Target of an array's rows.
    forecaster : estimator
        Its ``series_id``, ``time``, ``target`` and covariates name columns of a frame; what they
        leave open is decided as :func:`seqkit.data.roles.forecast_roles` does.
    fitted : bool, default=False
        Whether the forecaster is taken as it was fitted.
    """
    framed = hasattr(data, "columns") and y is None
    own = _is_own(forecaster)
    if own and (framed or hasattr(data, "panel")):
        return _read(forecaster._reading(data, fitted=fitted))
    if framed:
        return _rolling_frame(data, forecaster)
    X = np.asarray(data)
    if X.ndim not in (1, 2):
        expected = "(n_timesteps,) or (n_timesteps, n_features)"
        raise ValueError(explain("backtest", "the shape of data", expected, X.shape))
    target = np.asarray(X if y is None else y, dtype=np.float64)
    if len(target) != len(X):
        raise ValueError(explain("backtest", "y", f"of {len(X)} rows", len(target)))
    if own:
        return _read(forecaster._reading(X, None if y is None else target, fitted=fitted))
    values = target[:, None] if target.ndim == 1 else target
    return RollingArray(X, None if y is None else np.asarray(y), [values])


def _is_own(forecaster: Any) -> bool:
    """Whether a forecaster forecasts as seqkit's own do, from what it has read."""
    from seqkit.estimators.forecast_data import ForecastData

    return getattr(type(forecaster), "forecast", None) is ForecastData.forecast


def _read(reading: Any) -> RollingPanel:
    reading = reading.on_grid()
    return RollingPanel(reading, reading.rows.targets())


def _rolling_frame(data: Any, forecaster: Any) -> RollingFrame:
    import pandas as pd

    from seqkit.data.frames import as_pandas
    from seqkit.data.roles import check_present, forecast_roles

    frame = as_pandas(data, "backtest")
    covariates = ("past_covariates", "future_covariates", "static_covariates")
    named: dict[str, Any] = {
        name: getattr(forecaster, name, None)
        for name in ("series_id", "time", "target", *covariates)
    }
    columns, _ = forecast_roles(frame, **named, where="backtest")
    keys = [name for name in (columns.series_id, columns.time) if name is not None]
    check_present([*keys, *columns.targets], frame, "backtest")
    if columns.series_id is None:
        code, ids = np.zeros(len(frame), dtype=np.int64), (0,)
    else:
        code, names = pd.factorize(frame[columns.series_id])
        code, ids = code.astype(np.int64), tuple(names)
    order = np.argsort(code, kind="stable")
    counts = np.bincount(code, minlength=len(ids))
    index = np.empty(len(frame), dtype=np.int64)
    index[order] = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = frame[list(columns.targets)].to_numpy(dtype=np.float64)[order]
    return RollingFrame(
        frame=frame,
        series_id=columns.series_id,
        time=columns.time,
        targets=columns.targets,
        future=columns.future,
        code=code,
        index=index,
        values=np.split(table, np.cumsum(counts)[:-1]),
        ids=ids,
    )
