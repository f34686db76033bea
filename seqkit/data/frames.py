"""Reading long frames and arrays into panels; every fault is named by series and step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd

from seqkit.data.filling import assemble
from seqkit.data.panel import Columns, Panel
from seqkit.data.panel_columns import (
    check_ordered,
    check_regular,
    numbers_of_column,
    static_values,
)
from seqkit.data.stamps import Clock, check_calendar, parse_stamps
from seqkit.errors import DataError, explain, suggest

__all__ = ["panel_from_arrays", "panel_from_frame"]

MISSING = ("error", "interpolate", "indicator")
# The names Nixtla's libraries use.
DEFAULT_ID, DEFAULT_TIME, DEFAULT_TARGET = "unique_id", "ds", "y"


def panel_from_frame(
    frame: Any,
    *,
    series_id: str | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    past_covariates: Sequence[str] = (),
    future_covariates: Sequence[str] = (),
    static_covariates: Sequence[str] = (),
    frequency: str | None = None,
    calendar: Sequence[str] = (),
    missing: str = "error",
    like: Columns | None = None,
    where: str = "data",
) -> Panel:
    """Read a long frame: one row a time step of a series.

    Parameters
    ----------
    frame : pandas.DataFrame, or any eager frame that narwhals knows (polars, pyarrow)
        Rows of a series in the order of time; rows of several series may be mixed.
    series_id, time, target : str, default=None
        Columns; by default ``unique_id``, ``ds`` (or the frame's time index) and ``y`` where the
        frame has them, the target else the only column of numbers. Several targets as a list.
    past_covariates, future_covariates, static_covariates : sequence of str
        Columns known up to now; over the horizon too; one value a series (numbers or text).
    frequency : str, default=None
        Pandas alias; by default inferred and said in the panel's notes.
    calendar : sequence of str
        Names of :data:`seqkit.data.stamps.CALENDAR`, added as future covariates.
    missing : {"error", "interpolate", "indicator"}
        What to do about absent stamps and NaN: raise; fill in a straight line; fill and add a
        channel that marks what was filled. Filled targets never count in a loss.
    like : Columns, default=None
        Read as the panel with these columns was read; the settings above are then not looked at.

    Returns
    -------
    Panel

    Raises
    ------
    DataError
        Naming the series and the step: stamps that are doubled, unsorted or irregular; NaN,
        infinity; text among numbers; columns that are not there.

    Examples
    --------
    >>> frame = pd.DataFrame({"ds": pd.date_range("2024-01-31", periods=3, freq="ME"),
    ...                       "y": [1.0, 2.0, 4.0]})
    >>> panel = panel_from_frame(frame)
    >>> panel.frequency, panel.values.shape, panel.shown(panel.future_times(1)[0])[0].day
    ('ME', (3, 1), 30)
    """
    table = _pandas(frame, time if like is None else like.time, where)
    notes: list[str] = []
    if like is None:
        columns = _recognise(
            table,
            series_id,
            time,
            target,
            past_covariates,
            future_covariates,
            static_covariates,
            calendar,
            missing,
            where,
            notes,
        )
    else:
        columns = like
        frequency = None if like.clock is None else like.clock.frequency
    _require(table, columns, where)
    if not len(table):
        raise DataError(explain(where, "the frame", "at least one row", 0))
    # series
    if columns.series_id is None:
        order, offsets, ids = None, np.array([0, len(table)], np.int64), np.array([0])
    else:
        order, offsets, ids = _group(table[columns.series_id], columns.series_id, where)
        if order is not None:
            table = table.iloc[order]
    # values
    names = (*columns.targets, *columns.past, *columns.future)
    values = np.empty((len(table), len(names)))
    for position, name in enumerate(names):
        values[:, position] = numbers_of_column(table[name], name, where)
    # time
    times = None
    clock = columns.clock
    if columns.time is not None:
        times, zone = parse_stamps(table[columns.time], columns.time)
        if clock is not None and clock.zone is not None and zone is None:
            raise DataError(
                explain(
                    where,
                    f"column {columns.time!r}",
                    f"in time zone {clock.zone}",
                    "stamps without a zone",
                )
            )
        check_ordered(times, offsets, ids, where)
        if clock is None:
            clock = Clock.infer(times, offsets, zone, frequency)
            if frequency is None:
                notes.append(f"frequency {clock.frequency!r} was inferred from the time stamps")
        before = len(values)
        values, times, offsets = check_regular(values, times, offsets, ids, clock, columns, where)
        if len(values) > before:
            notes.append(f"{len(values) - before} absent time stamps were filled in")
    static, codes, categories = static_values(
        table, columns, order, offsets, ids, where, like is None
    )
    if like is not None:
        categories = like.categories
    columns = Columns(**{**columns.__dict__, "clock": clock, "categories": categories})
    return assemble(values, offsets, ids, times, columns, static, codes, notes, where)


def panel_from_arrays(
    X: Any,
    *,
    targets: Sequence[int] | None = None,
    future: Sequence[int] = (),
    missing: str = "error",
    like: Columns | None = None,
    where: str = "X",
) -> Panel:
    """Read arrays: one series, or several of them.

    Parameters
    ----------
    X : array of shape (n_timesteps,), (n_timesteps, n_features) or \
(n_series, n_timesteps, n_features), or a list of arrays of the first two shapes
        Rows are time steps in order.
    targets : sequence of int, default=None
        Features to forecast, by default all. The others are covariates known up to now ...
    future : sequence of int
        ... except these, known over the horizon too.
    missing : {"error", "interpolate", "indicator"}
    like : Columns, default=None
        Columns of the panel the model was trained on: `X` must have as many features.

    Examples
    --------
    >>> panel = panel_from_arrays(np.arange(6.0).reshape(3, 2), targets=[1])
    >>> panel.values[:, 0].tolist(), panel.columns.past
    ([1.0, 3.0, 5.0], ('x0',))
    """
    series, many = _series_of(X, where)
    n_features = series[0].shape[1]
    for i, one in enumerate(series):
        if one.shape[1] != n_features:
            raise DataError(
                explain(
                    f"{where}, series {i}", "features", f"{n_features} as in series 0", one.shape[1]
                )
            )
    if targets is None:
        targets = [i for i in range(n_features) if i not in set(future)]
    order = [*targets, *(i for i in range(n_features) if i not in {*targets, *future}), *future]
    if like is None:
        names = [f"x{i}" for i in order]
        n_past = n_features - len(targets) - len(future)
        columns = Columns(
            targets=tuple(names[: len(targets)]),
            past=tuple(names[len(targets) : len(targets) + n_past]),
            future=tuple(names[len(targets) + n_past :]),
            series_id="series" if many else None,
            missing=_choice(missing, where),
        )
    else:
        columns = like
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in series])]).astype(np.int64)
    ids = np.arange(len(series))
    stacked = np.concatenate(series) if many else series[0]
    if order != list(range(n_features)):
        stacked = stacked[:, order]
    values = np.ascontiguousarray(stacked, np.float64)
    return assemble(values, offsets, ids, None, columns, None, None, [], where)


def _series_of(X: Any, where: str) -> tuple[list[np.ndarray], bool]:
    """Return the series as (n_timesteps, n_features) arrays, and whether several were given."""
    if (isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) > 0) or (
        isinstance(X, np.ndarray) and (X.ndim == 3 or X.dtype == object)
    ):
        parts, many = list(X), True
    else:
        parts, many = [X], False
    series = []
    for i, part in enumerate(parts):
        at = f"{where}, series {i}" if many else where
        try:
            array = np.asarray(part, dtype=None)
            if array.dtype.kind not in "fiub":
                array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(explain(at, "values", "numbers", _brief(part))) from error
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            expected = "of shape (n_timesteps,) or (n_timesteps, n_features)"
            raise DataError(explain(at, "a series", expected, array.shape))
        if not len(array):
            raise DataError(explain(at, "a series", "at least one time step", array.shape))
        series.append(array)
    return series, many


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def _choice(missing: str, where: str) -> str:
    if missing not in MISSING:
        hint = suggest(missing, MISSING)
        raise ValueError(explain(where, "missing", "one of " + ", ".join(MISSING), missing, hint))
    return missing


# --- frames -------------------------------------------------------------------------------------


def _pandas(frame: Any, time: str | None, where: str) -> pd.DataFrame:
    if isinstance(frame, pd.Series):
        frame = frame.to_frame(DEFAULT_TARGET if frame.name is None else frame.name)
    if not isinstance(frame, pd.DataFrame):
        try:
            frame = nw.from_native(frame, eager_only=True).to_pandas()
        except TypeError as error:
            expected = "a data frame (pandas, polars, pyarrow)"
            raise TypeError(explain(where, "data", expected, type(frame).__name__)) from error
    index = frame.index
    names = [name for name in index.names if name is not None]
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)) and time not in frame.columns:
        if time is None and DEFAULT_TIME in frame.columns:
            return frame
        return frame.rename_axis(index=index.name or time or DEFAULT_TIME).reset_index()
    if names and not set(names) & set(frame.columns):
        return frame.reset_index()
    return frame


def _recognise(
    table: pd.DataFrame,
    series_id: str | None,
    time: str | None,
    target: str | Sequence[str] | None,
    past: Sequence[str],
    future: Sequence[str],
    static: Sequence[str],
    calendar: Sequence[str],
    missing: str,
    where: str,
    notes: list[str],
) -> Columns:
    """Decide which column is which."""
    names = list(table.columns)
    if series_id is None and DEFAULT_ID in names:
        series_id = DEFAULT_ID
    if time is None:
        if DEFAULT_TIME in names:
            time = DEFAULT_TIME
        else:
            stamped = [
                str(name)
                for name in names
                if pd.api.types.is_datetime64_any_dtype(table[name].dtype)
                or isinstance(table[name].dtype, pd.PeriodDtype)
            ]
            time = stamped[0] if len(stamped) == 1 else None
    lists = []
    for label, given in (("past", past), ("future", future), ("static", static)):
        given = (given,) if isinstance(given, str) else tuple(given or ())
        lists.append(given)
        if len(set(given)) < len(given):
            raise DataError(explain(where, f"{label}_covariates", "different columns", given))
    past, future, static = lists
    taken = {series_id, time, *past, *future, *static}
    if target is None:
        left = [
            str(name)
            for name in names
            if name not in taken and pd.api.types.is_numeric_dtype(table[name].dtype)
        ]
        if DEFAULT_TARGET in names and DEFAULT_TARGET not in taken:
            left = [DEFAULT_TARGET]
        if len(left) != 1:
            got = ", ".join(left) or "no column of numbers"
            raise DataError(
                explain(
                    where,
                    "target",
                    "named, as there is not just one column of numbers left",
                    got,
                    "Name the columns to forecast with `target`.",
                )
            )
        target = left[0]
    targets = (target,) if isinstance(target, str) else tuple(target)
    seen: dict[str, str] = {}
    groups = {
        "series_id": (series_id,) if series_id is not None else (),
        "time": (time,) if time is not None else (),
        "target": targets,
        "past_covariates": past,
        "future_covariates": future,
        "static_covariates": static,
    }
    for role, members in groups.items():
        for name in members:
            if name in seen:
                raise DataError(
                    explain(where, f"column {name!r}", "in one role", f"{seen[name]} and {role}")
                )
            seen[name] = role
    calendar = check_calendar(calendar)
    if calendar and time is None:
        raise DataError(
            explain(
                where,
                "calendar",
                "used with time stamps",
                list(calendar),
                "Name the column of stamps with `time`.",
            )
        )
    unused = [str(name) for name in names if name not in seen]
    if unused:
        notes.append(f"columns not used: {', '.join(unused)}")
    return Columns(
        targets, past, future, static, series_id, time, calendar, None, _choice(missing, where)
    )


def _require(table: pd.DataFrame, columns: Columns, where: str) -> None:
    wanted = (
        columns.series_id,
        columns.time,
        *columns.targets,
        *columns.past,
        *columns.future,
        *columns.static,
    )
    for name in wanted:
        if name is not None and name not in table.columns:
            known = [str(column) for column in table.columns]
            raise DataError(
                explain(
                    where,
                    f"column {name!r}",
                    f"one of {', '.join(known)}",
                    "no such column",
                    suggest(name, known),
                )
            )


def _group(
    column: pd.Series, name: str, where: str
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Return the order that brings each series together (None: already so), offsets and ids."""
    codes, distinct = pd.factorize(column)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise DataError(explain(f"{where}, row {row}", f"column {name!r}", "filled", None))
    order = None
    if (np.diff(codes) < 0).any():
        order = np.argsort(codes, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes))]).astype(np.int64)
    return order, offsets, np.asarray(distinct)
