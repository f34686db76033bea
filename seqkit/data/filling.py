"""From rows with gaps to a panel: what is missing is named, or filled and marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit.data.panel import Columns, Panel
from seqkit.data.stamps import calendar_features
from seqkit.errors import DataError, explain

__all__ = ["LARGEST", "assemble"]

LARGEST = 1e37
"""Bound on the size of values: they, and differences of two, are numbers of float32, too."""


def assemble(
    values: np.ndarray,
    offsets: np.ndarray,
    ids: np.ndarray,
    times: np.ndarray | None,
    columns: Columns,
    static: np.ndarray | None,
    codes: np.ndarray | None,
    notes: list[str],
    where: str,
) -> Panel:
    """Check values, fill what is missing, and add the mask and calendar channels."""
    names = (*columns.targets, *columns.past, *columns.future)
    gaps = np.isnan(values)
    large = ~(np.abs(values) <= LARGEST) & ~gaps
    if large.any():
        expected = f"finite, and no larger than {LARGEST:g}"
        _fail_value(values, large, offsets, ids, names, expected, where)
    age = None
    n_known = len(columns.targets) + len(columns.past)
    if gaps.any() and columns.missing == "error":
        _fail_value(
            values,
            gaps,
            offsets,
            ids,
            names,
            "a number, not NaN",
            where,
            "Set missing to interpolate or indicator, or fill the values first.",
        )
    if gaps.any():
        values, gaps, offsets, times, trimmed = _trim(
            values, gaps, offsets, ids, times, names, n_known, where
        )
        if trimmed:
            notes.append(f"{trimmed} steps before the first observed value were left out")
        notes.append(f"{int(gaps.sum())} missing values were filled ({columns.missing})")
        age = _fill(values, gaps, offsets, n_known, columns.missing == "indicator")
    channels = [values[:, :n_known]]
    if columns.missing == "indicator":
        channels.append(gaps[:, :n_known].astype(np.float64))
    channels.append(values[:, n_known:])
    if columns.missing == "indicator":
        channels.append(gaps[:, n_known:].astype(np.float64))
    if columns.calendar:
        assert columns.clock is not None
        assert times is not None
        if columns.clock.integer:
            raise DataError(explain(where, "calendar", "used with dates", "integer time stamps"))
        channels.append(calendar_features(columns.clock.local(times), columns.calendar))
    channels = [channel for channel in channels if channel.shape[1]]
    block = channels[0] if len(channels) == 1 else np.concatenate(channels, 1)
    return Panel(
        np.ascontiguousarray(block, np.float64),
        offsets,
        ids,
        times,
        columns,
        age,
        static,
        codes,
        tuple(notes),
    )


def _fail_value(
    values: np.ndarray,
    bad: np.ndarray,
    offsets: np.ndarray,
    ids: np.ndarray,
    names: Sequence[str],
    expected: str,
    where: str,
    mend: str = "",
) -> None:
    row, column = (int(i[0]) for i in np.nonzero(bad))
    series = int(np.searchsorted(offsets, row, side="right")) - 1
    raise DataError(
        explain(
            f"{where}, series {ids[series]!s}, step {row - offsets[series]}",
            f"column {names[column]!r}",
            expected,
            float(values[row, column]),
            mend,
        )
    )


def _trim(
    values: np.ndarray,
    gaps: np.ndarray,
    offsets: np.ndarray,
    ids: np.ndarray,
    times: np.ndarray | None,
    names: Sequence[str],
    n_known: int,
    where: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, int]:
    """Leave out the steps of each series before all its targets and past covariates were seen.

    There is nothing before to fill them with, and what comes after must not reach back.
    """
    keep = np.ones(len(values), bool)
    rows = np.arange(len(values))
    lengths = np.diff(offsets)
    series_of = np.repeat(np.arange(len(ids)), lengths)
    for column in range(values.shape[1]):
        seen = np.where(gaps[:, column], len(values), rows)
        first = np.minimum.reduceat(seen, offsets[:-1])
        nothing = first >= offsets[1:]
        if nothing.any():
            series = int(np.flatnonzero(nothing)[0])
            raise DataError(
                explain(
                    f"{where}, series {ids[series]!s}",
                    f"column {names[column]!r}",
                    "observed at least once",
                    "only missing values",
                    "Leave the series out.",
                )
            )
        if column < n_known:
            keep &= rows >= first[series_of]
    trimmed = int((~keep).sum())
    if not trimmed:
        return values.copy(), gaps, offsets, times, 0
    lengths = np.bincount(series_of[keep], minlength=len(ids))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return values[keep], gaps[keep], offsets, None if times is None else times[keep], trimmed


def _fill(
    values: np.ndarray, gaps: np.ndarray, offsets: np.ndarray, n_known: int, hold: bool
) -> np.ndarray:
    """Fill gaps in place within each series; return the age of known channels.

    In straight lines, or holding the last value. At the end of a series the last value is held
    in any case, at the start of a future covariate the first.
    """
    rows = np.arange(len(values))
    lengths = np.diff(offsets)
    first = np.repeat(offsets[:-1], lengths)
    stop = np.repeat(offsets[1:], lengths)
    age = np.zeros((len(values), n_known), np.int32)
    for column in range(values.shape[1]):
        gap = gaps[:, column]
        if not gap.any():
            continue
        before = np.maximum.accumulate(np.where(gap, -1, rows))
        after = np.minimum.accumulate(np.where(gap, len(values), rows)[::-1])[::-1]
        if column < n_known:
            age[:, column] = rows - np.maximum(before, first)
        has_before, has_after = before >= first, after < stop
        before = np.where(has_before, before, after)
        after = np.where(has_after, after, before)
        share = (rows - before) / np.maximum(after - before, 1)
        left, right = values[before, column], values[np.minimum(after, len(values) - 1), column]
        line = left if hold else left + share * (right - left)
        values[gap, column] = line[gap]
    return age
