"""Series that are cut at rolling origins: an array of one series, or a long frame of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.errors import DataError, explain
from seqkit.evaluation.metrics import Predictions

__all__ = ["RollingArray", "RollingData", "RollingFrame", "frame_origins", "rolling_data"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# gluonts evaluates a distribution at these
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


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
        """Forecast the ``horizon`` rows after the origin, seeing the rows up to it only."""
        end = int(origins[0]) + 1
        answer = np.asarray(forecaster.forecast(self.X[:end], horizon=horizon), dtype=np.float64)
        n_targets = self.values[0].shape[1]
        levels = _levels_of(forecaster)
        quantiles = None
        if levels:
            spread = forecaster.forecast_quantiles(self.X[:end], horizon=horizon, levels=levels)
            quantiles = np.asarray(spread, dtype=np.float64)
            quantiles = quantiles.reshape(1, horizon, n_targets, len(levels))
        return Predictions(
            values=answer.reshape(1, horizon, n_targets), quantiles=quantiles, levels=levels
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
    code, place : ndarray of int of shape (n_rows,)
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
    place: Ints
    values: list[Floats]
    ids: tuple[Any, ...]

    def stamps(self, series: int) -> Any:
        """Time stamps of a series, or None where the frame has none."""
        if self.time is None:
            return None
        from seqkit.data.stamps import parse_stamps

        rows = np.flatnonzero(self.code == series)
        rows = rows[np.argsort(self.place[rows])]
        return parse_stamps(self.frame[self.time].iloc[rows], self.time)[0]

    def fit(self, forecaster: Any, origins: Ints) -> Any:
        """Fit on the rows of every series up to its origin."""
        return forecaster.fit(self.frame[self.place <= origins[self.code]])

    def forecast(self, forecaster: Any, origins: Ints, horizon: int) -> Predictions:
        """Forecast every series after its origin; NaN for series too short to have one."""
        past = self.frame[self.place <= origins[self.code]]
        ahead = (self.place > origins[self.code]) & (self.place <= origins[self.code] + horizon)
        ahead &= origins[self.code] >= 0
        coming = None
        if self.future:
            keys = [name for name in (self.series_id, self.time) if name is not None]
            coming = self.frame.loc[ahead, [*keys, *self.future]]
        answer = forecaster.forecast(past, horizon=horizon, future=coming)
        present = np.flatnonzero(origins >= 0)
        if len(answer) != len(present) * horizon:
            expected = f"{horizon} rows for each of {len(present)} series"
            raise DataError(explain("backtest", "the forecast", expected, len(answer)))
        order = np.arange(len(present))
        if self.series_id is not None:  # in the order of the series here
            known = {name: i for i, name in enumerate(self.ids)}
            whose = np.asarray([known[name] for name in answer[self.series_id]])
            answer = answer.iloc[np.argsort(whose, kind="stable")]
            order = np.argsort(whose[::horizon])
        if self.time is not None and self.time in answer:
            rows = np.flatnonzero(ahead)
            rows = rows[np.lexsort((self.place[rows], self.code[rows]))]
            stamps = self.frame[self.time].iloc[rows]
            if not _same_stamps(answer[self.time], stamps):
                raise DataError(
                    explain(
                        "backtest", f"the stamps of {self.time!r}", "without gaps",
                        "steps that are absent",
                        "Add a row with an empty value for every absent time stamp.",
                    )
                )  # fmt: skip
        shape = (len(present), horizon)
        point = np.stack([_column(answer, target, shape) for target in self.targets], axis=-1)
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
        full = np.full((len(self.ids), *given.shape[1:]), np.nan)
        full[present] = given
        return full


RollingData = RollingArray | RollingFrame


def _column(frame: Any, name: str, shape: tuple[int, int]) -> Floats:
    if name not in frame:
        raise DataError(explain("backtest", "the forecast", f"with a column {name!r}",
                                list(frame.columns)))  # fmt: skip
    return frame[name].to_numpy(dtype=np.float64).reshape(shape)


def _levels_of(forecaster: Any) -> tuple[float, ...]:
    """Levels to ask a forecaster for: its own, or the deciles of a distribution."""
    if not hasattr(forecaster, "forecast_quantiles"):
        return ()
    if getattr(forecaster, "distribution", None) is not None:
        return DECILES
    return tuple(getattr(forecaster, "quantiles", None) or ())


def _same_stamps(first: Any, second: Any) -> bool:
    from pandas.api.types import is_numeric_dtype

    if not (is_numeric_dtype(first) and is_numeric_dtype(second)):
        from seqkit.data.stamps import parse_stamps

        first, second = (parse_stamps(stamps)[0] for stamps in (first, second))
    return bool(np.array_equal(np.asarray(first), np.asarray(second)))


def frame_origins(forecaster: Any, frame: Any, answer: Any) -> list[tuple[Floats, Floats]]:
    """Align what ``predict`` made of a frame's rows with the rows themselves, a series each.

    Returns
    -------
    list of (truth, forecast)
        Of shapes (n_rows_i, n_targets) and (n_rows_i, horizon, n_targets).
    """
    data = rolling_data(frame, None, forecaster)
    if not isinstance(data, RollingFrame):
        raise TypeError(explain("forecast_scorer", "X", "a frame, as the forecast is one", frame))
    horizon = forecaster.horizon
    steps = [[f"{target}+{h + 1}" for target in data.targets] for h in range(horizon)]
    pairs = []
    for name, truth in zip(data.ids, data.values, strict=True):
        rows = answer if data.series_id is None else answer[answer[data.series_id] == name]
        if len(rows) != len(truth):
            raise DataError(
                explain("forecast_scorer", f"the forecasts of series {name!r}",
                        f"one a row, {len(truth)}", len(rows),
                        "Add a row with an empty value for every absent time stamp.")
            )  # fmt: skip
        made = np.stack([rows[names].to_numpy(dtype=np.float64) for names in steps], axis=1)
        pairs.append((truth, made))
    return pairs


def rolling_data(data: Any, y: Any, forecaster: Any) -> RollingData:
    """Bring one array or a long frame into a form that can be cut at origins.

    Parameters
    ----------
    data : array-like of shape (n_timesteps,) or (n_timesteps, n_features), or data frame
    y : array-like or None
        Target of an array's rows.
    forecaster : estimator
        Its ``series_id``, ``time``, ``target`` and ``future_covariates`` name columns of a frame;
        where they are not set, ``unique_id``, ``ds`` and ``y`` are.
    """
    if not hasattr(data, "columns") or y is not None:
        X = np.asarray(data)
        if X.ndim not in (1, 2):
            expected = "(n_timesteps,) or (n_timesteps, n_features)"
            raise ValueError(explain("backtest", "the shape of data", expected, X.shape))
        target = np.asarray(X if y is None else y, dtype=np.float64)
        if len(target) != len(X):
            raise ValueError(explain("backtest", "y", f"of {len(X)} rows", len(target)))
        values = target[:, None] if target.ndim == 1 else target
        return RollingArray(X, None if y is None else np.asarray(y), [values])

    import narwhals

    frame = narwhals.from_native(data, eager_only=True).to_pandas()

    def named(parameter: str, usual: str) -> str | None:
        given = getattr(forecaster, parameter, None)
        return given if given is not None else (usual if usual in frame else None)

    series_id, time = named("series_id", "unique_id"), named("time", "ds")
    if time is None:
        stamped = frame.select_dtypes(["datetime", "datetimetz"]).columns
        time = str(stamped[0]) if len(stamped) == 1 else None
    wanted = named("target", "y")
    if wanted is None:
        rest = [
            name for name in frame.select_dtypes("number").columns if name not in (series_id, time)
        ]
        if len(rest) != 1:
            raise DataError(explain("backtest", "the target", "named", rest))
        wanted = rest[0]
    targets = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    for name in (series_id, time, *targets):
        if name is not None and name not in frame:
            raise DataError(explain("backtest", "the frame", f"with a column {name!r}",
                                    list(frame.columns)))  # fmt: skip
    if series_id is None:
        code, ids = np.zeros(len(frame), dtype=np.int64), (0,)
    else:
        import pandas as pd

        code, found = pd.factorize(frame[series_id])
        code, ids = code.astype(np.int64), tuple(found)
    order = np.argsort(code, kind="stable")
    counts = np.bincount(code, minlength=len(ids))
    place = np.empty(len(frame), dtype=np.int64)
    place[order] = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = frame[list(targets)].to_numpy(dtype=np.float64)[order]
    return RollingFrame(
        frame=frame,
        series_id=series_id,
        time=time,
        targets=targets,
        future=tuple(getattr(forecaster, "future_covariates", None) or ()),
        code=code,
        place=place,
        values=np.split(table, np.cumsum(counts)[:-1]),
        ids=ids,
    )
