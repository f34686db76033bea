"""What becomes of missing values: an error, a straight line, or a held value with a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqkit.errors import DataError, explain, suggest

__all__ = [
    "LARGEST",
    "MISSING",
    "Missing",
    "check_missing",
    "fill_missing",
    "fill_steps",
    "first_observed",
]

LARGEST = 1e37
"""Bound on the size of values: they, and differences of two, are numbers of float32, too."""

Missing = Literal["error", "interpolate", "indicator"]

MISSING: dict[str, str] = {
    "error": "NaN is an error that names the first series and step",
    "interpolate": "linear between the neighbours in the same series and channel, ends held",
    "indicator": "the last value held, and one more feature a channel: 1 where it was missing",
}


def check_missing(missing: str, where: str) -> None:
    """Raise unless `missing` is a row of :data:`MISSING`."""
    if missing not in MISSING:
        expected = "one of " + ", ".join(MISSING)
        raise ValueError(explain(where, "missing", expected, missing, suggest(missing, MISSING)))


def fill_missing(
    values: NDArray[Any],
    offsets: NDArray[np.int64],
    missing: Missing = "error",
    *,
    where: str = "X",
    ids: NDArray[Any] | None = None,
    features: Sequence[str] | None = None,
) -> NDArray[Any]:
    """Return `values` without NaN, or raise an error that names the first one.

    Each series and channel is filled from its own values alone, so the prediction for
    one series never depends on which others are predicted in the same call.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Series one after the other; not changed.
    offsets : ndarray of shape (n_series + 1,)
        Where each series begins.
    missing : {"error", "interpolate", "indicator"}, default="error"
        - "error": NaN raises.
        - "interpolate": on the straight line (over the step number) between the nearest values
          before and after it; before the first value and after the last, that value is held. A
          series with no value at all in a channel raises.
        - "indicator": the value before it is held (before the first value, the first; 0 where the
          series has no value in that channel), and n_features more columns follow, 1.0 where the
          value was missing and 0.0 elsewhere. The columns are always there, so the number of
          features does not depend on whether something is missing. Forward filling with a mask is
          "GRU-forward"/"GRU-simple" of Che et al., Recurrent Neural Networks for Multivariate Time
          Series with Missing Values, 2018, eq. 4 and section "GRU-RNN for classification".
    where : str, default="X"
        What an error begins with.
    ids : array of shape (n_series,), optional
        Names of the series in errors; the position by default.
    features : sequence of str, optional
        Names of the channels in errors; the position by default.

    Returns
    -------
    ndarray of shape (n_rows, n_features), or (n_rows, 2 * n_features) for "indicator"

    Raises
    ------
    DataError
        NaN under "error"; a channel of a series without a value under "interpolate"; an infinity
        always, for it is no missing value.

    Examples
    --------
    >>> column = np.array([[1.0], [np.nan], [3.0], [np.nan]])
    >>> fill_missing(column, np.array([0, 4]), "interpolate").ravel().tolist()
    [1.0, 2.0, 3.0, 3.0]
    >>> fill_missing(column, np.array([0, 4]), "indicator").tolist()
    [[1.0, 0.0], [1.0, 1.0], [3.0, 0.0], [3.0, 1.0]]
    """
    check_missing(missing, where)
    finite = np.isfinite(values)
    if finite.all():
        if missing == "indicator":
            return np.concatenate([values, np.zeros_like(values)], axis=1)
        return values
    unknown = np.isnan(values)
    infinite = ~finite & ~unknown
    if infinite.any():
        position = _position(infinite, offsets, ids, features)
        hint = "An infinity is no missing value: correct the data, or write NaN and set missing."
        got = f"inf or a value too large for {values.dtype} at {position}"
        raise DataError(f"{where}: values must be finite; got {got}. {hint}")
    if missing == "error":
        position = _position(unknown, offsets, ids, features)
        raise DataError(
            f"{where}: values must be present; got NaN at {position} "
            f"({int(unknown.sum())} of {values.size} values are NaN). "
            "Set missing to 'interpolate' or 'indicator', or correct the data."
        )
    before, after, nothing = _neighbours(unknown, offsets)
    if missing == "interpolate" and nothing.any():
        position = _position(nothing, offsets, ids, features, step=False)
        raise DataError(
            f"{where}: a series must have at least one value in every channel to interpolate; got "
            f"only NaN in {position}. "
            "Leave that series or channel out, or set missing to 'indicator'."
        )
    if missing == "interpolate":
        filled = _line(values, before, after)
        # Where a value is present, before == after == step, so nothing is rounded.
        return np.where(unknown, filled, values).astype(values.dtype, copy=False)
    filled = np.where(nothing, 0.0, np.take_along_axis(values, before, axis=0))
    return np.concatenate([filled, unknown], axis=1, dtype=values.dtype)


def _neighbours(
    gaps: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the row of the nearest value before and after each cell, within its series.

    A cell with a value is its own neighbour; a side without a value takes the other side's. The
    third array is true where the series has no value in that column at all.
    """
    n_rows = len(gaps)
    rows = np.arange(n_rows)[:, None]
    lengths = np.diff(offsets)
    start, stop = (
        np.repeat(offsets[:-1], lengths)[:, None],
        np.repeat(offsets[1:], lengths)[:, None],
    )
    before = np.maximum.accumulate(np.where(gaps, -1, rows), axis=0)
    after = np.minimum.accumulate(np.where(gaps, n_rows, rows)[::-1], axis=0)[::-1]
    none_before, none_after = before < start, after >= stop
    nothing = none_before & none_after
    before, after = (
        np.where(none_before, np.where(none_after, rows, after), before),
        np.where(none_after, np.where(none_before, rows, before), after),
    )
    return before, after, nothing


def _line(values: NDArray[Any], before: Any, after: Any) -> NDArray[Any]:
    """Return the straight line between the neighbours of each cell."""
    rows = np.arange(len(values))[:, None]
    left, right = (np.take_along_axis(values, side, axis=0) for side in (before, after))
    line: NDArray[Any] = left + (right - left) * ((rows - before) / np.maximum(after - before, 1))
    return line


def fill_steps(
    values: NDArray[np.float64],
    gaps: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    missing: Missing,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Fill the gaps of a panel, every column of which each series has observed at least once.

    As :func:`fill_missing`, but without columns of indicators, and with what was filled in mind.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Not changed.
    gaps : ndarray of bool of shape (n_rows, n_columns)
    offsets : ndarray of shape (n_series + 1,)
    missing : {"interpolate", "indicator"}

    Returns
    -------
    filled : ndarray of shape (n_rows, n_columns)
    age : ndarray of int32 of shape (n_rows, n_columns)
        Steps since the value was last observed, 0 where it was. Before the first observation it
        reaches further back than the series.
    """
    filled, age = values.copy(), np.zeros(gaps.shape, np.int32)
    rows = np.arange(len(values))
    start = np.repeat(offsets[:-1], np.diff(offsets))
    for column in np.flatnonzero(gaps.any(axis=0)):  # few of many: one at a time spares memory
        only = slice(column, column + 1)
        gap = gaps[:, column]
        before, after, _ = _neighbours(gaps[:, only], offsets)
        line = (
            np.take_along_axis(values[:, only], before, axis=0)
            if missing == "indicator"
            else _line(values[:, only], before, after)
        )
        filled[gap, column] = line[gap, 0]
        last = np.where(before[:, 0] <= rows, before[:, 0], start - 1)
        age[gap, column] = (rows - last)[gap]
    return filled, age


def first_observed(gaps: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first row of each series that has a value, by column: ``(n_series, n_columns)``.

    Where there is none it is a row after the series.
    """
    rows = np.where(gaps, len(gaps), np.arange(len(gaps))[:, None])
    return np.minimum.reduceat(rows, offsets[:-1], axis=0)


def _position(
    bad: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    ids: NDArray[Any] | None,
    features: Sequence[str] | None,
    *,
    step: bool = True,
) -> str:
    """Name series, step and channel of the first true cell of `bad` (n_rows, n_features)."""
    row, channel = divmod(int(np.argmax(bad)), bad.shape[1])
    series = int(np.searchsorted(offsets, row, side="right")) - 1
    name = series if ids is None else np.asarray(ids)[series].item()
    text = f"series {name!r}"
    if step:
        text += f", step {row - int(offsets[series])}"
    if features is not None:
        return f"{text}, feature {features[channel]!r}"
    return text if bad.shape[1] == 1 else f"{text}, feature {channel}"
