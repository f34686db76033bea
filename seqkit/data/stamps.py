"""Time stamps: how a column of them is read, that they ascend, and the calendar.

A stamp is kept as ``datetime64[us]`` in UTC (for zoned stamps) or as given (for naive ones), or as
an integer step. The arithmetic of regular stamps is that of :mod:`seqkit.data.clock`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CALENDAR",
    "UNIT",
    "Stamps",
    "calendar_features",
    "check_calendar",
    "check_ordered",
    "is_stamped",
    "parse_stamps",
    "read_stamps",
    "yyyymmdd",
]

UNIT = "datetime64[us]"
FORMAT = "in one format for all rows"


@dataclass(frozen=True)
class Cycle:
    """One calendar feature: the position of a stamp in a cycle of ``period`` units."""

    name: str
    period: float
    position: Callable[[Any], Any]


CALENDAR: dict[str, Cycle] = {
    cycle.name: cycle
    for cycle in (
        Cycle("minute", 60, lambda at: at.minute),
        Cycle("hour", 24, lambda at: at.hour + at.minute / 60),
        Cycle("weekday", 7, lambda at: at.day_of_week),
        Cycle("day", 30.436875, lambda at: at.day - 1),
        Cycle("week", 52.1775, lambda at: (at.day_of_year - 1) // 7),
        Cycle("month", 12, lambda at: at.month - 1),
        Cycle("quarter", 4, lambda at: at.quarter - 1),
        Cycle("year_day", 365.2425, lambda at: at.day_of_year - 1),
    )
}


def calendar_features(stamps: pd.DatetimeIndex, names: Sequence[str]) -> np.ndarray:
    """Positions in calendar cycles, each as a sine and a cosine.

    Parameters
    ----------
    stamps : pandas.DatetimeIndex of length n
        In the time zone whose clock matters.
    names : sequence of str
        Names of :data:`CALENDAR`.

    Returns
    -------
    numpy.ndarray of shape (n, 2 * len(names)), float32
        For every name the sine, then the cosine.

    Examples
    --------
    >>> import pandas as pd
    >>> noon = pd.DatetimeIndex(["2024-01-01 12:00"])
    >>> calendar_features(noon, ["hour"]).round(3).tolist()
    [[0.0, -1.0]]
    """
    import pandas as pd

    # A panel repeats the same stamps in every series: work on the distinct ones.
    codes, distinct = pd.factorize(stamps)
    out = np.empty((len(distinct), 2 * len(names)), np.float32)
    for column, name in enumerate(names):
        cycle = CALENDAR[name]
        angle = 2 * np.pi * np.asarray(cycle.position(distinct), np.float64) / cycle.period
        out[:, 2 * column] = np.sin(angle)
        out[:, 2 * column + 1] = np.cos(angle)
    return out[codes]


def check_calendar(names: Sequence[str], where: str = "calendar") -> tuple[str, ...]:
    """Return the names as a tuple, or raise on one that is not in :data:`CALENDAR`."""
    names = (names,) if isinstance(names, str) else tuple(names or ())
    for name in names:
        if name not in CALENDAR:
            expected = "one of " + ", ".join(CALENDAR)
            raise ValueError(explain(where, "a feature", expected, name, suggest(name, CALENDAR)))
    return names


# --- reading a column -----------------------------------------------------------------------------


class Stamps(NamedTuple):
    """A column of stamps.

    Attributes
    ----------
    values : ndarray
        ``datetime64[us]`` (UTC where zoned), or numbers: steps.
    zone : str or None
    unread : ndarray of int
        Rows that hold no stamp.
    """

    values: np.ndarray
    zone: str | None
    unread: np.ndarray


def is_stamped(column: pd.Series) -> bool:
    """Whether a column holds stamps by its type: dates or periods, not text or numbers."""
    import pandas as pd

    return pd.api.types.is_datetime64_any_dtype(column.dtype) or isinstance(
        column.dtype, pd.PeriodDtype
    )


def yyyymmdd(column: pd.Series) -> np.ndarray | None:
    """Return the dates that a column of whole numbers spells (20240131), or None if it spells none.

    Examples
    --------
    >>> import pandas as pd
    >>> yyyymmdd(pd.Series([20240131, 20240201])).astype("M8[D]").tolist()[0].day
    31
    >>> yyyymmdd(pd.Series([1, 2])) is None
    True
    """
    import pandas as pd

    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    # what nanoseconds hold, and older versions of pandas know no other dates
    if not len(numbers) or not ((numbers >= 16770101) & (numbers <= 22621231)).all():
        return None
    if (numbers != np.floor(numbers)).any():
        return None
    text = pd.Series(numbers.astype(np.int64).astype(str))
    dates = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    return None if dates.isna().any() else dates.to_numpy().astype(UNIT)


def read_stamps(column: Any) -> Stamps:
    """Read a column of stamps; every reader and every estimator reads them here.

    Parameters
    ----------
    column : pandas.Series or index
        Stamps with or without a zone, periods (stamped by their start), text that reads as
        dates in one format, dates written as the integers yyyymmdd, or numbers.
    """
    import pandas as pd

    kinds = pd.api.types
    column = pd.Series(column).reset_index(drop=True)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = pd.Series(pd.PeriodIndex(column).to_timestamp(how="start"))
    if kinds.is_numeric_dtype(column.dtype) and not kinds.is_bool_dtype(column.dtype):
        unread = np.flatnonzero(column.isna().to_numpy())
        dates = (
            yyyymmdd(column) if kinds.is_integer_dtype(column.dtype) and not len(unread) else None
        )
        if dates is not None:
            return Stamps(dates, None, unread)
        whole = kinds.is_integer_dtype(column.dtype) and not len(unread)
        kind, fill = (np.int64, 0) if whole else (np.float64, np.nan)
        return Stamps(column.to_numpy(dtype=kind, na_value=fill), None, unread)
    if not kinds.is_datetime64_any_dtype(column.dtype):
        column = _parsed(column)
    unread = np.flatnonzero(column.isna().to_numpy())
    index = pd.DatetimeIndex(column)
    zone = None if index.tz is None else str(index.tz)
    if zone is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return Stamps(index.to_numpy().astype(UNIT), zone, unread)


def _parsed(column: pd.Series) -> pd.Series:
    """Parse text; what is no date, or of another format than the first, becomes NaT."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("string", "date", "datetime", "datetime64"):
        column = column.astype(str).where(column.notna(), None)  # a number is no count of seconds
    first = column.first_valid_index()
    tail = "" if first is None else str(column[first])[10:]
    with warnings.catch_warnings():
        # Without one format for all, each cell would be guessed alone: 1/2 and 13/2 differ.
        warnings.filterwarnings("error", "Could not infer format")
        warnings.filterwarnings("ignore", "Parsing dates")
        try:
            # an offset such as +02:00 or Z; several may be mixed
            zoned = tail.endswith("Z") or "+" in tail or "-" in tail
            return pd.to_datetime(column, errors="coerce", utc=zoned)
        except UserWarning:
            return pd.Series(pd.NaT, index=column.index)


def parse_stamps(column: Any, name: str = "time") -> tuple[np.ndarray, str | None]:
    """Read the stamps of a panel, every one of which must be there.

    Parameters
    ----------
    column : pandas.Series or index
        As :func:`read_stamps` takes it; numbers must be whole.
    name : str
        Name of the column in messages.

    Returns
    -------
    values : numpy.ndarray
        ``datetime64[us]`` (UTC where zoned) or int64.
    zone : str or None

    Raises
    ------
    DataError
        Names the first row without a stamp.
    """
    values, zone, unread = read_stamps(column)
    if values.dtype.kind == "f" and not _is_whole(column):
        got = column.iloc[0] if len(column) else None
        raise DataError(
            explain(f"column {name!r}", "time", "time stamps, dates as text or integer steps", got,
                    "Name another column with `time`, or round it to integers.")
        )  # fmt: skip
    if len(unread):
        row = int(unread[0])
        got = column.iloc[row] if hasattr(column, "iloc") else column[row]
        where = f"column {name!r}, row {row}"
        raise DataError(explain(where, "a time stamp", f"a date or a time, {FORMAT}", got))
    return values, zone


def _is_whole(column: Any) -> bool:
    """Whether numbers are stored as whole ones, some of which may be missing."""
    import pandas as pd

    return pd.api.types.is_integer_dtype(column.dtype)


def check_ordered(times: np.ndarray, offsets: np.ndarray, ids: np.ndarray, where: str) -> None:
    """Raise on the first stamp that is not after the one before it in its series."""
    back = np.diff(times).astype(np.int64) <= 0
    back[offsets[1:-1] - 1] = False
    if not back.any():
        return
    row = int(np.flatnonzero(back)[0]) + 1
    series = int(np.searchsorted(offsets, row, side="right")) - 1
    same = times[row] == times[row - 1]
    hint = (
        "Keep one row for each stamp; if these are several series, name their column with "
        "series_id."
        if same
        else "Sort the rows by time first."
    )
    expected = "a time stamp used once" if same else "later than the one before"
    at = f"{where}, series {ids[series]!s}, step {row - offsets[series]}"
    raise DataError(explain(at, "time", expected, str(times[row]), hint))
