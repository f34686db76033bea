"""The columns of a long frame, checked: numbers, time stamps in order and on a grid, statics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.panel import Columns
from seqkit.data.stamps import Clock
from seqkit.errors import DataError, explain

__all__ = ["check_ordered", "check_regular", "numbers_of_column", "static_values"]

# A panel that is mostly filled in teaches straight lines; one mistyped year (9999 for 1999) would
# fill the memory with them.
MOST_ABSENT, SLACK_ABSENT = 10, 10_000


def numbers_of_column(column: pd.Series, name: str, where: str) -> np.ndarray:
    """A column as float64; text is an error that shows the first value that is no number."""
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        if pd.api.types.is_complex_dtype(dtype):
            raise DataError(explain(where, f"column {name!r}", "real numbers", str(dtype)))
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        odd = np.isnan(numbers) & column.notna().to_numpy()
        if odd.any() or not pd.api.types.is_object_dtype(dtype):
            row = int(np.flatnonzero(odd)[0]) if odd.any() else 0
            raise DataError(
                explain(
                    where,
                    f"column {name!r}",
                    "numbers",
                    column.iloc[row],
                    "Encode text as numbers, or name the column under static_covariates.",
                )
            )
    return numbers


def check_ordered(times: np.ndarray, offsets: np.ndarray, ids: np.ndarray, where: str) -> None:
    """Raise on the first stamp that is not after the one before it in its series."""
    back = np.diff(times).astype(np.int64) <= 0
    back[offsets[1:-1] - 1] = False
    if back.any():
        row = int(np.flatnonzero(back)[0]) + 1
        series = int(np.searchsorted(offsets, row, side="right")) - 1
        same = times[row] == times[row - 1]
        mend = (
            "Keep one row for each stamp; if these are several series, name their column with "
            "series_id."
            if same
            else "Sort the rows by time first."
        )
        fault = "a time stamp used once" if same else "later than the one before"
        raise DataError(
            explain(
                f"{where}, series {ids[series]!s}, step {row - offsets[series]}",
                "time",
                fault,
                str(times[row]),
                mend,
            )
        )


def check_regular(
    values: np.ndarray,
    times: np.ndarray,
    offsets: np.ndarray,
    ids: np.ndarray,
    clock: Clock,
    columns: Columns,
    where: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check that stamps follow the frequency; fill absent ones with NaN where that is asked."""
    ordinals = clock.ordinals(times, offsets)
    if (ordinals < 0).any():
        row = int(np.flatnonzero(ordinals < 0)[0])
        series = int(np.searchsorted(offsets, row, side="right")) - 1
        raise DataError(
            explain(
                f"{where}, series {ids[series]!s}, step {row - offsets[series]}",
                "time",
                f"on the regular grid of frequency {clock.frequency!r}",
                str(clock.local(times[row : row + 1])[0] if not clock.integer else times[row]),
                "Name the frequency, or bring the data to a regular one first.",
            )
        )
    jumps = np.diff(ordinals) != 1
    jumps[offsets[1:-1] - 1] = False
    if not jumps.any():
        return values, times, offsets
    if columns.missing == "error":
        row = int(np.flatnonzero(jumps)[0])
        series = int(np.searchsorted(offsets, row, side="right")) - 1
        gap = int(ordinals[row + 1] - ordinals[row] - 1)
        raise DataError(
            explain(
                f"{where}, series {ids[series]!s}, step {row - offsets[series]}",
                "time",
                f"followed by the next stamp of frequency {clock.frequency!r}",
                f"{gap} absent after {times[row]} ({int(jumps.sum())} gaps in all)",
                "Set missing to interpolate or indicator, or fill the gaps first.",
            )
        )
    full = ordinals[offsets[1:] - 1] + 1
    if (absent := int(full.sum()) - len(times)) > MOST_ABSENT * len(times) + SLACK_ABSENT:
        series = int(np.argmax(full - np.diff(offsets)))
        last = times[offsets[series + 1] - 1]
        raise DataError(
            explain(
                f"{where}, series {ids[series]!s}",
                "absent time stamps",
                f"at most {MOST_ABSENT} for each that is there",
                f"{absent:,} of frequency {clock.frequency!r}, up to {last}",
                "Is a stamp mistyped? Else name a longer frequency.",
            )
        )
    filled = np.concatenate([[0], np.cumsum(full)]).astype(np.int64)
    place = ordinals + np.repeat(filled[:-1], np.diff(offsets))
    wide = np.full((filled[-1], values.shape[1]), np.nan)
    wide[place] = values
    stamps = np.empty(filled[-1], times.dtype)
    stamps[place] = times
    for series in np.unique(np.searchsorted(offsets, np.flatnonzero(jumps), side="right") - 1):
        stamps[filled[series] : filled[series + 1]] = clock.between(
            times[offsets[series]], times[offsets[series + 1] - 1]
        )
    return wide, stamps, filled


def static_values(
    table: pd.DataFrame,
    columns: Columns,
    order: Any,
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
            numbers.append(numbers_of_column(first, name, where))
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
