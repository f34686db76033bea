"""What is known of the future of a panel: covariates at the stamps that will be forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.categories import known_categories
from seqkit.data.date_parts import with_stamps
from seqkit.data.frames import as_pandas, column_as_numbers
from seqkit.data.panel import Panel
from seqkit.data.roles import check_present
from seqkit.data.stamps import parse_stamps
from seqkit.errors import DataError, explain

__all__ = ["future_steps"]


def future_steps(panel: Panel, horizon: int, future: Any, where: str = "future") -> np.ndarray:
    """Rows to append after the end of every series, targets still empty.

    Parameters
    ----------
    panel : Panel
    horizon : int
    future : data frame, array or None
        For a panel with stamps a long frame with the id, the stamp and the future covariates, in
        any order and with more rows than needed; otherwise an array
        ``(horizon, n_future_covariates)`` or ``(n_series, horizon, n_future_covariates)``.

    Returns
    -------
    numpy.ndarray of shape (n_series, horizon, n_channels), float64
        Zeros but for the channels known over the horizon.

    Raises
    ------
    DataError
        If covariates are missing; lists the stamps.
    """
    columns = panel.columns
    steps = np.zeros((len(panel), horizon, panel.values.shape[1]))
    first = panel.n_targets + panel.n_past
    names = columns.future
    if names:
        if future is None:
            shown = _stamps_needed(panel, horizon, np.ones((len(panel), horizon), bool))
            raise DataError(
                explain(where, f"future covariates {', '.join(names)}", "given for every step",
                        None, f"Needed at {shown}.")
            )  # fmt: skip
        if hasattr(future, "columns"):
            known = _from_frame(panel, horizon, future, where)
        else:
            known = _from_array(panel, horizon, future, where)
        steps[:, :, first : first + len(names)] = known
    elif future is not None and not hasattr(future, "columns"):
        raise DataError(explain(where, "future covariates", "None: the model has none", "values"))
    if columns.calendar:
        times = panel.future_times(horizon)
        assert times is not None
        waves = panel.calendar(times.ravel())
        steps[:, :, -waves.shape[1] :] = waves.reshape(len(panel), horizon, -1)
    return steps


def _from_array(panel: Panel, horizon: int, future: Any, where: str) -> np.ndarray:
    names = panel.columns.future
    array = np.asarray(future, np.float64)
    if array.ndim == 1 and len(names) == 1:
        array = array[:, None]
    if array.ndim == 2 and len(panel) == 1:
        array = array[None]
    expected = (len(panel), horizon, len(names))
    if (
        array.ndim != 3
        or array.shape[0] != expected[0]
        or array.shape[2] != expected[2]
        or (array.shape[1] < horizon)
    ):
        raise DataError(explain(where, "the shape", str(expected), np.shape(future)))
    array = array[:, :horizon]
    _finite(panel, array, where)
    return array


def _from_frame(panel: Panel, horizon: int, future: Any, where: str) -> np.ndarray:
    columns = panel.columns
    names = list(columns.future)
    future, _ = with_stamps(as_pandas(future, where), columns.time, where)
    future = known_categories(future, names, where)
    if columns.time is not None and columns.time not in future.columns:
        future = future.rename_axis(index=columns.time).reset_index()
    keys = [name for name in (columns.series_id, columns.time) if name is not None]
    check_present([*keys, *names], future, where)
    if columns.series_id is None:
        series = np.zeros(len(future), np.int64)
    else:
        series = pd.Index(panel.ids).get_indexer(pd.Index(future[columns.series_id]))
    values = np.full((len(panel), horizon, len(names)), np.nan)
    table = np.stack([column_as_numbers(future[name], name, where) for name in names], axis=1)
    if columns.time is None:
        order = np.argsort(series, kind="stable")
        order = order[series[order] >= 0]
        counts = np.bincount(series[order], minlength=len(panel))
        starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
        step = np.arange(len(order)) - np.repeat(starts, counts)
        keep = step < horizon
        values[series[order[keep]], step[keep]] = table[order[keep]]
    else:
        try:
            times, _ = parse_stamps(future[columns.time], columns.time)
        except DataError as error:
            raise DataError(f"{where}, {error}") from error
        wanted = panel.future_times(horizon)
        assert wanted is not None
        key = pd.MultiIndex.from_arrays([np.repeat(np.arange(len(panel)), horizon), wanted.ravel()])
        if times.dtype != wanted.dtype:
            times = times.astype(wanted.dtype)
        given = pd.MultiIndex.from_arrays([series, times])
        if given.has_duplicates:
            row = int(np.flatnonzero(given.duplicated())[0])
            raise DataError(
                explain(f"{where}, row {row}", "a time stamp", "used once a series",
                        str(future[columns.time].iloc[row]))
            )  # fmt: skip
        index = given.get_indexer(key)
        known = index >= 0
        values.reshape(-1, len(names))[known] = table[index[known]]
    _finite(panel, values, where)
    return values


def _finite(panel: Panel, values: np.ndarray, where: str) -> None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    names = [n for n, any_ in zip(panel.columns.future, bad.any((0, 1)), strict=True) if any_]
    shown = _stamps_needed(panel, values.shape[1], bad.any(2))
    raise DataError(
        explain(where, f"future covariates {', '.join(names)}", "given for every step",
                f"{int(bad.any(2).sum())} steps without", f"Missing at {shown}.")
    )  # fmt: skip


def _stamps_needed(panel: Panel, horizon: int, missing: np.ndarray, limit: int = 48) -> str:
    """Name steps: their stamps, with the series where there are several."""
    times = panel.future_times(horizon)
    series, step = np.nonzero(missing)
    shown = []
    for i, h in zip(series[:limit], step[:limit], strict=True):
        at = f"step {h + 1}" if times is None else str(panel.shown(times[i, h : h + 1])[0])
        shown.append(at if len(panel) == 1 else f"{panel.ids[i]!s} {at}")
    rest = len(series) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
