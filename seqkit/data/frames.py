"""Reading long frames and arrays; every error names series and step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.categories import known_categories, learned_categories
from seqkit.data.clock import Clock
from seqkit.data.date_parts import with_stamps
from seqkit.data.missing import check_missing
from seqkit.data.numbers import column_numbers
from seqkit.data.panel import Panel
from seqkit.data.roles import (
    DEFAULT_ID,
    DEFAULT_TARGET,
    DEFAULT_TIME,
    ColumnRoles,
    check_present,
    forecast_roles,
)
from seqkit.data.rows import Rows
from seqkit.data.stamps import check_ordered, parse_stamps
from seqkit.errors import DataError, explain

__all__ = [
    "as_pandas",
    "column_as_numbers",
    "panel_from_arrays",
    "panel_from_frame",
    "rows_of_arrays",
    "rows_of_frame",
    "with_index",
]


def panel_from_frame(
    frame: Any,
    *,
    series_id: str | None = None,
    time: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    past_covariates: Sequence[str] = (),
    future_covariates: Sequence[str] = (),
    static_covariates: Sequence[str] = (),
    frequency: str | None = None,
    calendar: Sequence[str] = (),
    missing: str = "error",
    like: ColumnRoles | None = None,
    where: str = "data",
) -> Panel:
    """Read a long frame: one row a time step of a series.

    Parameters
    ----------
    frame : pandas.DataFrame, or any eager frame that narwhals knows (polars, pyarrow)
        Rows of a series in the order of time; rows of several series may be mixed.
    series_id, time, target : str, default=None
        Columns; by default ``unique_id``, ``ds`` (or the frame's time index) and ``y`` where the
        frame has them, the target else the only column of numbers. Several targets as a list;
        several columns of time are one stamp (:mod:`seqkit.data.date_parts`).
    past_covariates, future_covariates, static_covariates : sequence of str
        Columns known up to now; over the horizon too; one value a series (numbers or text). Text
        that changes over time becomes a channel of 0 and 1 a category.
    frequency : str, default=None
        Pandas alias; by default inferred and said in the panel's notes.
    calendar : sequence of str
        Names of :data:`seqkit.data.stamps.CALENDAR`, added as future covariates.
    missing : {"error", "interpolate", "indicator"}
        What to do about absent stamps and NaN: raise; fill in a straight line; fill and add a
        channel that marks what was filled. Filled targets never count in a loss.
    like : ColumnRoles, default=None
        Read as the panel with these columns was read; the settings above are then not read.

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
    rows = rows_of_frame(
        frame,
        series_id=series_id,
        time=time,
        target=target,
        past_covariates=past_covariates,
        future_covariates=future_covariates,
        static_covariates=static_covariates,
        frequency=frequency,
        calendar=calendar,
        missing=missing,
        like=like,
        where=where,
    )
    return rows.panel()


def rows_of_frame(
    frame: Any,
    *,
    time: str | Sequence[str] | None = None,
    frequency: str | None = None,
    like: ColumnRoles | None = None,
    where: str = "data",
    **roles: Any,
) -> Rows:
    """Read a long frame as it is; parameters and errors are those of :func:`panel_from_frame`."""
    table = as_pandas(frame, where)
    if like is None and table.index.nlevels == 2 and None not in table.index.names:
        # sktime's panels: the first level names the series, the second the stamps
        first, second = map(str, table.index.names)
        if roles.get("series_id") is None and time is None:
            roles["series_id"], time = first, second
    time = time if like is None else like.time
    if time is None or isinstance(time, str):
        table = with_index(table, time)
    table, time = with_stamps(table, time, where)
    notes: list[str] = []
    if like is None:
        columns, unused = forecast_roles(table, time=time, where=where, **roles)
        if unused:
            notes.append(f"columns not used: {', '.join(unused)}")
        table, past = learned_categories(table, columns.past, where)
        table, future = learned_categories(table, columns.future, where)
        columns = dataclasses.replace(columns, past=past, future=future)
    else:
        columns = like
        table = known_categories(table, (*columns.past, *columns.future), where)
        frequency = None if like.clock is None else like.clock.frequency
    check_present(columns.named, table, where)
    if not len(table):
        raise DataError(explain(where, "the frame", "at least one row", 0))
    if columns.series_id is None:
        offsets, ids = np.array([0, len(table)], np.int64), np.array([0])
    else:
        order, offsets, ids = _group(table[columns.series_id], columns.series_id, where)
        if order is not None:
            table = table.iloc[order]
    values = np.empty((len(table), len(columns.series)))
    for position, name in enumerate(columns.series):
        values[:, position] = column_as_numbers(table[name], name, where)
    times, clock = None, columns.clock
    if columns.time is not None:
        times, clock = _times(table[columns.time], columns, offsets, ids, frequency, where)
        if like is None and frequency is None:
            notes.append(f"frequency {clock.frequency!r} was inferred from the time stamps")
    static, codes, categories = _static_values(table, columns, offsets, ids, where, like is None)
    if like is not None:
        categories = like.categories
    columns = dataclasses.replace(columns, clock=clock, categories=categories)
    return Rows(values, offsets, ids, times, columns, static, codes, tuple(notes), where)


def _times(
    column: pd.Series,
    columns: ColumnRoles,
    offsets: np.ndarray,
    ids: np.ndarray,
    frequency: str | None,
    where: str,
) -> tuple[np.ndarray, Clock]:
    """Return the stamps of all rows, in order within each series, and their clock."""
    clock = columns.clock
    times, zone = parse_stamps(column, str(columns.time))
    if clock is not None and clock.zone is not None and zone is None:
        what, expected = f"column {columns.time!r}", f"in time zone {clock.zone}"
        raise DataError(explain(where, what, expected, "stamps without a zone"))
    check_ordered(times, offsets, ids, where)
    return times, Clock.infer(times, offsets, zone, frequency) if clock is None else clock


def panel_from_arrays(
    X: Any,
    *,
    targets: Sequence[int] | None = None,
    future: Sequence[int] = (),
    missing: str = "error",
    like: ColumnRoles | None = None,
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
    like : ColumnRoles, default=None
        Columns of the panel the model was trained on: `X` must have as many features.

    Examples
    --------
    >>> panel = panel_from_arrays(np.arange(6.0).reshape(3, 2), targets=[1])
    >>> panel.values[:, 0].tolist(), panel.columns.past
    ([1.0, 3.0, 5.0], ('x0',))
    """
    return rows_of_arrays(
        X, targets=targets, future=future, missing=missing, like=like, where=where
    ).panel()


def rows_of_arrays(
    X: Any,
    *,
    targets: Sequence[int] | None = None,
    future: Sequence[int] = (),
    missing: str = "error",
    like: ColumnRoles | None = None,
    where: str = "X",
) -> Rows:
    """Read arrays as they are; parameters and errors are those of :func:`panel_from_arrays`."""
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
        check_missing(missing, where)
        names = [f"x{i}" for i in order]
        n_past = n_features - len(targets) - len(future)
        columns = ColumnRoles(
            targets=tuple(names[: len(targets)]),
            past=tuple(names[len(targets) : len(targets) + n_past]),
            future=tuple(names[len(targets) + n_past :]),
            series_id="series" if many else None,
            missing=missing,
        )
    else:
        columns = like
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in series])]).astype(np.int64)
    ids = np.arange(len(series))
    stacked = np.concatenate(series) if many else series[0]
    if order != list(range(n_features)):
        stacked = stacked[:, order]
    values = np.ascontiguousarray(stacked, np.float64)
    return Rows(values, offsets, ids, None, columns, where=where)


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


# --- frames -------------------------------------------------------------------------------------


def as_pandas(frame: Any, where: str) -> pd.DataFrame:
    """Return any eager frame as one of pandas."""
    if isinstance(frame, pd.Series):
        return frame.to_frame(DEFAULT_TARGET if frame.name is None else frame.name)
    if isinstance(frame, pd.DataFrame):
        return frame
    import narwhals.stable.v1 as nw

    try:
        converted: pd.DataFrame = nw.from_native(frame, eager_only=True).to_pandas()
        return converted
    except TypeError as error:
        expected = "a data frame (pandas, polars, pyarrow)"
        raise TypeError(explain(where, "data", expected, type(frame).__name__)) from error


def with_index(frame: pd.DataFrame, time: str | None) -> pd.DataFrame:
    """Return a frame with what its index holds, names or stamps, as columns."""
    index: Any = frame.index
    if index.nlevels == 2 and None in index.names:  # sktime's panels may have no names
        names = [
            name or role for name, role in zip(index.names, (DEFAULT_ID, DEFAULT_TIME), strict=True)
        ]
        return frame.rename_axis(index=names).reset_index()
    names = [name for name in index.names if name is not None]
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)) and time not in frame.columns:
        if time is None and DEFAULT_TIME in frame.columns:
            return frame
        stamps: Any = index.name or time or DEFAULT_TIME
        return frame.rename_axis(index=stamps).reset_index()
    if names and not set(names) & set(frame.columns):
        return frame.reset_index()
    return frame


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


def column_as_numbers(column: pd.Series, name: str, where: str) -> np.ndarray:
    """Return a column as float64; text is an error that shows the first value that is no number."""
    numbers, odd = column_numbers(column)
    if odd is not None:
        hint = (
            "Encode text as numbers, or name the column under static_covariates; what means "
            "missing can be said under data.missing_values."
        )
        what = f"column {name!r}"
        raise DataError(explain(where, what, "numbers", column.iloc[odd], hint))
    return numbers


def _static_values(
    table: pd.DataFrame,
    columns: ColumnRoles,
    offsets: np.ndarray,
    ids: np.ndarray,
    where: str,
    learn: bool,
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Static covariates of each series: numbers, and codes of texts."""
    if columns.series_id is None:
        starts = np.array([0], np.int64)
        codes_of_rows = np.zeros(len(table), np.int64)
    else:
        codes_of_rows = pd.factorize(table[columns.series_id])[0]
        starts = np.flatnonzero(np.diff(codes_of_rows, prepend=-1))
    known = dict(columns.categories)
    numbers, codes, categories = [], [], []
    for name in columns.static:
        column = table[name]
        first = column.iloc[starts]
        repeated = first.to_numpy()[codes_of_rows]
        own = column.to_numpy()
        differs = (own != repeated) & ~(pd.isna(own) & pd.isna(repeated))
        if differs.any() or first.isna().any():
            bad = differs if differs.any() else np.isin(codes_of_rows, np.flatnonzero(first.isna()))
            row = int(np.flatnonzero(bad)[0])
            raise DataError(
                explain(
                    f"{where}, series {ids[codes_of_rows[row]]!s}",
                    f"column {name!r}",
                    "one value for the whole series (static_covariates)",
                    own[row],
                )
            )
        is_number = pd.api.types.is_numeric_dtype(column.dtype) and not (
            pd.api.types.is_bool_dtype(column.dtype)
        )
        if (learn and is_number) or (not learn and name not in known):
            numbers.append(column_as_numbers(first, name, where))
            continue
        texts = first.astype(str)
        vocabulary = tuple(sorted(set(texts))) if learn else known[name]
        categories.append((name, vocabulary))
        codes.append(pd.Index(vocabulary).get_indexer(pd.Index(texts)) + 1)
    return (
        np.stack(numbers, 1).astype(np.float32) if numbers else None,
        np.stack(codes, 1).astype(np.int32) if codes else None,
        tuple(categories),
    )
