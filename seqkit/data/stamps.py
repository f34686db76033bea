"""Time stamps: how a column of them is read, that they ascend, and the calendar.

A stamp is kept as ``datetime64[us]`` in UTC (for zoned stamps) or as given (for naive ones), or as
an integer step. The arithmetic of regular stamps is that of :mod:`seqkit.data.clock`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqkit.data.dates import is_date_text, read_numbers, read_texts
from seqkit.data.months import LANGUAGES
from seqkit.data.numbers import floats
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CALENDAR",
    "HOLIDAY",
    "UNIT",
    "Stamps",
    "calendar_channels",
    "calendar_features",
    "check_calendar",
    "check_ordered",
    "is_stamped",
    "looks_dated",
    "on_clock",
    "parse_stamps",
    "read_stamps",
    "unread_stamps",
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


HOLIDAY = re.compile(r"holiday:([A-Z]{2})(?:-([A-Z0-9]{1,6}))?")
"""A calendar feature that is no cycle: the public holidays of a country, or of a part of one."""


def calendar_channels(name: str) -> tuple[str, str]:
    """Return the names of the two channels of a calendar feature."""
    parts = ("today", "tomorrow") if HOLIDAY.fullmatch(name) else ("sin", "cos")
    return f"{name}_{parts[0]}", f"{name}_{parts[1]}"


def calendar_features(stamps: pd.DatetimeIndex, names: Sequence[str]) -> np.ndarray:
    """Positions in calendar cycles, each as a sine and a cosine; holidays as 1 on two days.

    Parameters
    ----------
    stamps : pandas.DatetimeIndex of length n
        In the time zone whose clock matters.
    names : sequence of str
        Names of :data:`CALENDAR`, or ``holiday:DE`` for the public holidays of a country,
        ``holiday:DE-BY`` for those of a part of it.

    Returns
    -------
    numpy.ndarray of shape (n, 2 * len(names)), float32
        For every name the sine, then the cosine; of holidays whether the day is one, then whether
        the next one is.

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
        if HOLIDAY.fullmatch(name):
            days = pd.DatetimeIndex(distinct).tz_localize(None).to_numpy().astype("M8[D]")
            known = _holidays(name, days)
            out[:, 2 * column] = np.isin(days, known)
            out[:, 2 * column + 1] = np.isin(days + 1, known)
            continue
        cycle = CALENDAR[name]
        angle = 2 * np.pi * np.asarray(cycle.position(distinct), np.float64) / cycle.period
        out[:, 2 * column] = np.sin(angle)
        out[:, 2 * column + 1] = np.cos(angle)
    return out[codes]


def _holidays(name: str, days: np.ndarray) -> np.ndarray:
    """Return the public holidays of the years of some days, and of the year after them."""
    try:
        import holidays
    except ImportError:
        hint = "Install it with: pip install holidays; or give the days as a future covariate."
        raise DataError(explain("calendar", "holidays", f"installed, for {name}", None, hint)) \
            from None  # fmt: skip
    found = HOLIDAY.fullmatch(name)
    assert found is not None
    years = days.astype("M8[Y]").astype(int) + 1970
    span = range(int(years.min()), int(years.max()) + 2) if len(years) else range(0)
    try:
        known = holidays.country_holidays(found[1], subdiv=found[2], years=span)
    except NotImplementedError as error:
        codes = holidays.list_supported_countries()
        hint = "" if found[1] in codes else suggest(found[1], codes)
        hint = hint or str(error).split(".")[0] + "."
        expected = "a country, or a part of one, of the package holidays"
        raise DataError(explain("calendar", "a feature", expected, name, hint)) from None
    return np.array(sorted(known), "M8[D]")


def check_calendar(names: Sequence[str], where: str = "calendar") -> tuple[str, ...]:
    """Return the names as a tuple; raise on one that is no row of :data:`CALENDAR` or holiday."""
    names = (names,) if isinstance(names, str) else tuple(names or ())
    for name in names:
        if name not in CALENDAR and not HOLIDAY.fullmatch(name):
            expected = "one of " + ", ".join(CALENDAR) + ", holiday:DE"
            hint = suggest(name, CALENDAR)
            if name.lower().startswith("holiday"):
                hint = "The country has two capital letters, a part of it stands behind a hyphen."
            raise ValueError(explain(where, "a feature", expected, name, hint))
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
    form : str
        How the dates are written; "" for stamps that came as such, for steps, and where nothing
        fits.
    clash : str
        Both readings, where a column fits two equally well.
    """

    values: np.ndarray
    zone: str | None
    unread: np.ndarray
    form: str = ""
    clash: str = ""


def is_stamped(column: pd.Series) -> bool:
    """Whether a column holds stamps by its type: dates or periods, not text or numbers."""
    import pandas as pd

    return pd.api.types.is_datetime64_any_dtype(column.dtype) or isinstance(
        column.dtype, pd.PeriodDtype
    )


def looks_dated(column: pd.Series) -> bool:
    """Whether a column of text looks like dates, in a form that is read here or in another."""
    import pandas as pd

    if is_stamped(column) or not (
        pd.api.types.is_string_dtype(column.dtype) or column.dtype == object
    ):
        return False
    return is_date_text(column.dropna().head(50).tolist())


def read_stamps(
    column: Any, date_format: str | None = None, day_first: bool | None = None
) -> Stamps:
    """Read a column of stamps; every reader and every estimator reads them here.

    Parameters
    ----------
    column : pandas.Series or index
        Stamps with or without a zone, periods (stamped by their start), text in one form of
        :data:`seqkit.data.dates.FORMS`, numbers that are dates by
        :data:`seqkit.data.dates.NUMBER_FORMS`, or other numbers: steps.
    date_format : str, optional
        A ``strptime`` format, or the name of a row of `NUMBER_FORMS`: no other form is tried.
    day_first : bool, optional
        Decides where day and month could be exchanged.
    """
    import pandas as pd

    kinds = pd.api.types
    name = str(getattr(column, "name", None) or "")
    column = pd.Series(column).reset_index(drop=True)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = pd.Series(pd.PeriodIndex(column).to_timestamp(how="start"))
    if kinds.is_numeric_dtype(column.dtype) and not kinds.is_bool_dtype(column.dtype):
        return _numbered(column, name, date_format)
    form = clash = ""
    if not kinds.is_datetime64_any_dtype(column.dtype):
        kind = kinds.infer_dtype(column, skipna=True)
        if kind not in ("date", "datetime", "datetime64"):
            return _written(column, name, date_format, day_first)
        zoned = any(getattr(cell, "tzinfo", None) is not None for cell in column.head(1000))
        column = pd.to_datetime(column, errors="coerce", utc=zoned)
    unread = np.flatnonzero(column.isna().to_numpy())
    index = pd.DatetimeIndex(column)
    zone = None if index.tz is None else str(index.tz)
    if zone is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return Stamps(index.to_numpy().astype(UNIT), zone, unread, form, clash)


def _numbered(column: pd.Series, name: str, date_format: str | None) -> Stamps:
    """Read numbers: dates where they are, else steps."""
    import pandas as pd

    empty = column.isna().to_numpy()
    unread = np.flatnonzero(empty)
    if date_format is not None and "%" in date_format:
        whole = column.astype("Int64").astype("str") if not (column.dropna() % 1).any() else column
        return _written(whole.where(~empty, None), name, date_format, None)
    if not len(unread):
        numbers = column.to_numpy(dtype=np.float64)
        if np.isfinite(numbers).all():
            read = read_numbers(numbers, name, date_format)
            if read.form:
                return Stamps(read.values, None, unread, read.form)
    if date_format is not None:
        return Stamps(np.full(len(column), np.datetime64("NaT"), UNIT), None,
                      np.arange(len(column)), date_format)  # fmt: skip
    whole_type = pd.api.types.is_integer_dtype(column.dtype) and not len(unread)
    kind, fill = (np.int64, 0) if whole_type else (np.float64, np.nan)
    return Stamps(column.to_numpy(dtype=kind, na_value=fill), None, unread)


def _written(
    column: pd.Series, name: str, date_format: str | None, day_first: bool | None
) -> Stamps:
    """Read text, in which digits alone are a number."""
    if date_format is None or "%" not in date_format:
        known = column.dropna()
        digits = bool(len(known)) and str(known.iloc[0]).strip().replace(".", "", 1).isdecimal()
        numbers = floats(known) if digits else None
        if numbers is not None and not numbers.isna().any():
            read = read_numbers(numbers.to_numpy(dtype=np.float64), name or "date", date_format)
            if read.form:
                values = np.full(len(column), np.datetime64("NaT"), UNIT)
                values[column.notna().to_numpy()] = read.values
                return Stamps(values, None, np.flatnonzero(np.isnat(values)), read.form)
    values, zone, form, clash = read_texts(column, date_format, day_first)
    return Stamps(values, zone, np.flatnonzero(np.isnat(values)), form, clash)


def on_clock(stamps: Stamps, zone: str, series: np.ndarray | None = None) -> Stamps:
    """Return stamps that are of the clock of a zone in UTC.

    An hour that comes twice, when the clock is set back, is first the one of summer and then the
    one of winter; an hour that there is not, when it is set forward, is unread. Stamps that have
    an offset are shown on the clock.

    Parameters
    ----------
    stamps : Stamps
    zone : str
        As ``Europe/Berlin``.
    series : numpy.ndarray of int of shape (n_rows,), optional
        Which series a row belongs to.

    Examples
    --------
    >>> import pandas as pd
    >>> night = pd.Series(["2024-10-27 02:00", "2024-10-27 02:00"])
    >>> on_clock(read_stamps(night), "Europe/Berlin").values.astype("M8[h]").astype(str).tolist()
    ['2024-10-27T00', '2024-10-27T01']
    """
    import pandas as pd

    if stamps.values.dtype.kind != "M":
        expected = "used with dates, not with steps"
        raise DataError(explain("data", "time_zone", expected, zone))
    if stamps.zone is not None:
        return stamps._replace(zone=zone)
    groups = np.zeros(len(stamps.values), np.int64) if series is None else series
    again = pd.DataFrame({"at": stamps.values, "of": groups}).duplicated().to_numpy()
    try:
        index = pd.DatetimeIndex(stamps.values).tz_localize(
            zone, ambiguous=~again, nonexistent="NaT"
        )
    except KeyError:  # what zoneinfo raises of a name that it does not know
        expected = "a time zone of the IANA database, such as Europe/Berlin"
        raise DataError(explain("data", "time_zone", expected, zone)) from None
    values = index.tz_convert("UTC").tz_localize(None).to_numpy().astype(UNIT)
    return stamps._replace(values=values, zone=zone, unread=np.flatnonzero(np.isnat(values)))


def unread_stamps(
    stamps: Stamps, column: Any, place_of: Callable[[int], str], what: str
) -> DataError | None:
    """Return the error of a column that is not all stamps, or is stamps in two ways; None if fine.

    Parameters
    ----------
    stamps : Stamps
        As :func:`read_stamps` read `column`.
    column : pandas.Series or index
    place_of : callable
        Says where a row stands.
    what : str
        What the column is called.
    """
    if stamps.clash:
        hint = "Say which with data.day_first: true or false (in Python: pandas.to_datetime)."
        shown = str(column.iloc[0] if hasattr(column, "iloc") else column[0])
        got = f"{shown}, ... which is {stamps.clash}"
        place = place_of(0)
        return DataError(f"{place}: {what} must be of one reading; got {got}. {hint}")
    if not len(stamps.unread):
        return None
    row = int(stamps.unread[0])
    got = column.iloc[row] if hasattr(column, "iloc") else column[row]
    others = f" (the rows before are {stamps.form})" if stamps.form and row else ""
    expected = f"a time stamp {FORMAT}{others}, such as 2024-01-31 12:00"
    hint = "Correct the cell, or say how the dates are written with data.date_format, as %d.%m.%Y."
    if re.search(r"[^\W\d_]{3}", str(got)):
        hint += f" Names of months are read in {', '.join(LANGUAGES)}."
    return DataError(explain(place_of(row), what, expected, str(got), hint))


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
    stamps = read_stamps(column)
    if stamps.values.dtype.kind == "f" and not _is_whole(column):
        got = column.iloc[0] if len(column) else None
        raise DataError(
            explain(f"column {name!r}", "time", "time stamps, dates as text or integer steps", got,
                    "Name another column with `time`, or round it to integers.")
        )  # fmt: skip
    error = unread_stamps(stamps, column, lambda row: f"column {name!r}, row {row}", "a time stamp")
    if error is not None:
        raise error
    return stamps.values, stamps.zone


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
        "series_id; if a clock was set back, name its zone with data.time_zone."
        if same
        else "Sort the rows by time first; data.sort: true does it."
    )
    expected = "a time stamp used once" if same else "later than the one before"
    at = f"{where}, series {ids[series]!s}, step {row - offsets[series]}"
    raise DataError(explain(at, "time", expected, str(times[row]), hint))
