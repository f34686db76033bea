"""A time stamp that stands in several columns: date and time of day, year and month or quarter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.dates import more_regular
from seqkit.data.months import month_numbers, without_accents
from seqkit.data.numbers import floats
from seqkit.data.stamps import (
    UNIT,
    Stamps,
    is_stamped,
    looks_dated,
    read_stamps,
    unread_stamps,
)
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTS", "joined_stamps", "part_of", "time_of_day", "with_stamps"]

# What a column holds, by words of its name; the smallest and the largest number it may be.
PARTS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "year": (("year", "yr", "yyyy", "jahr", "annee", "ano", "anno", "jaar"), 1600, 2262),
    "quarter": (("quarter", "qtr", "q", "quartal", "trimestre", "kwartaal"), 1, 4),
    "month": (("month", "mon", "mm", "monat", "mois", "mes", "mese", "maand"), 1, 12),
    "week": (("week", "wk", "isoweek", "kw", "woche", "semaine", "semana", "settimana"), 1, 53),
    "day": (("day", "dom", "dd", "tag", "jour", "dia", "giorno", "dag"), 1, 31),
    "hour": (("hour", "hr", "hh", "stunde", "heure", "hora", "ora", "uur"), 0, 24),
    "minute": (("minute", "min", "minuto", "minuut"), 0, 59),
    "second": (("second", "sec", "sekunde", "seconde", "segundo", "secondo"), 0, 59),
}
LENGTHS = {"hour": 3600, "minute": 60, "second": 1}  # seconds


def part_of(name: str) -> str | None:
    """Return which part of a stamp a column's name says it holds, or None.

    Examples
    --------
    >>> part_of("Year"), part_of("obs_month"), part_of("load")
    ('year', 'month', None)
    """
    words = re.split(r"[^a-z]+", without_accents(name))
    return next((part for part, row in PARTS.items() if set(row[0]) & set(words)), None)


def joined_stamps(
    frame: pd.DataFrame, names: Sequence[str], where: str, day_first: bool | None = None
) -> pd.Series:
    """Return the stamps that several columns hold together.

    Parameters
    ----------
    frame : pandas.DataFrame
    names : sequence of str
        A column of dates and one of times of day; or columns of numbers whose names say what they
        are: a year, with a quarter, a week, or a month and a day; and an hour, minute, second.
    where : str
        What an error begins with.
    day_first : bool, optional
        Of the dates.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"Year": [1990, 1990], "Quarter": ["Q1", "Q2"]})
    >>> joined_stamps(frame, ["Year", "Quarter"], "x.csv").dt.month.tolist()
    [1, 4]
    """
    import pandas as pd

    given: dict[str, np.ndarray] = {}
    stamps: np.ndarray | None = None
    doubt: tuple[str, Stamps] | None = None
    seconds = np.zeros(len(frame))
    for name in names:
        column = frame[name]
        clock = time_of_day(column)
        if clock is not None:
            seconds += clock
            continue
        part = part_of(name)
        if part is not None and not (is_stamped(column) or looks_dated(column)):
            given[part] = _numbers(column, part, where)
            continue
        read = read_stamps(column, None, day_first)
        if stamps is not None or read.values.dtype.kind != "M" or len(read.unread):
            bad = int(read.unread[0]) if len(read.unread) else 0
            expected = (
                "a date, a time of day, or a part of a stamp that its name says, of: "
                + ", ".join(PARTS)
            )
            at = f"{where}: row {bad}"
            raise DataError(explain(at, f"time column {name!r}", expected, str(column.iloc[bad])))
        stamps = read.values
        if read.clash:
            doubt = name, read
    if stamps is None:
        stamps = _of_numbers(given, names, where)
    elif set(given) - set(LENGTHS):
        expected = "a date, or the year, month and day in columns of their own, not both"
        raise DataError(explain(where, "time", expected, list(names)))
    for unit, length in LENGTHS.items():
        if unit in given:
            seconds += length * given[unit]
    behind = np.round(seconds * 1e6).astype(np.int64).astype("m8[us]")
    stamps = stamps + behind
    if doubt is not None:
        name, read = doubt
        other = read_stamps(frame[name], None, not read.form.startswith("day")).values + behind
        chosen = more_regular(stamps, other)
        if chosen is None:
            error = unread_stamps(read, frame[name], lambda row: where, f"time column {name!r}")
            assert error is not None
            raise error
        stamps = (stamps, other)[chosen]
    return pd.Series(stamps, index=frame.index, name="_".join(names))


def time_of_day(column: pd.Series) -> np.ndarray | None:
    """Return seconds since midnight where a column holds times such as 10:30, else None."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) or is_stamped(column):
        return None
    text = column.astype("str").str.strip()
    found = text.str.extract(
        r"^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?:\s?([AaPp])[Mm])?$", expand=True
    )
    if found[0].isna().any():
        return None
    hour = found[0].astype(int).to_numpy()
    half = found[3].str.lower().to_numpy()
    hour = np.where(half == "p", hour % 12 + 12, np.where(half == "a", hour % 12, hour))
    rest = found[2].fillna("0").astype(float).to_numpy()
    return hour * 3600.0 + found[1].astype(int).to_numpy() * 60.0 + rest


def _numbers(column: pd.Series, part: str, where: str) -> np.ndarray:
    """Return a part of a stamp as whole numbers within its bounds."""
    _, low, high = PARTS[part]
    numbers = floats(column)
    if numbers.isna().any() and part in ("quarter", "week", "month"):
        text = column.astype("str").str.strip()
        if part == "month" and (months := month_numbers(text.tolist())) is not None:
            return np.array(months, np.int64)
        numbers = floats(text.str.strip("QqWw"))
    values = numbers.to_numpy(dtype=np.float64)
    bad = ~((values >= low) & (values <= high) & (values == np.floor(values)))
    if bad.any():
        row = int(np.argmax(bad))
        what, expected = f"time column {column.name!r}", f"a {part} from {low} to {high}"
        raise DataError(explain(f"{where}: row {row}", what, expected, column.iloc[row]))
    return values.astype(np.int64)


def _of_numbers(given: dict[str, Any], names: Sequence[str], where: str) -> np.ndarray:
    """Return the dates that years, months and days make."""
    dated = set(given) - set(LENGTHS)
    if dated not in ({"year"}, {"year", "quarter"}, {"year", "week"}, {"year", "month"},
                     {"year", "month", "day"}):  # fmt: skip
        expected = "a year; with a quarter, a week, a month, or a month and a day"
        got = ", ".join(f"{name!r} ({part_of(name) or 'unknown'})" for name in names)
        raise DataError(explain(where, "the columns of time", expected, got))
    year = given["year"]
    january = (year - 1970).astype("M8[Y]")
    if "week" in given:  # week 1 holds the fourth of January, and begins on Monday
        fourth = january.astype("M8[D]") + 3
        monday = fourth - ((fourth.astype(np.int64) + 3) % 7)
        weeks: np.ndarray = (monday + 7 * (given["week"] - 1)).astype(UNIT)
        return weeks
    month = given.get("month", np.ones_like(year))
    if "quarter" in given:
        month = 3 * given["quarter"] - 2
    first: np.ndarray = january.astype("M8[M]") + (month - 1)
    dates: np.ndarray = first.astype("M8[D]") + (given.get("day", np.ones_like(year)) - 1)
    wrong = dates.astype("M8[M]") != first
    if wrong.any():
        row = int(np.argmax(wrong))
        expected = f"a day of {first[row]}"
        raise DataError(explain(f"{where}: row {row}", "time", expected, int(given["day"][row])))
    return dates.astype(UNIT)


def with_stamps(
    frame: pd.DataFrame, time: str | Sequence[str] | None, where: str
) -> tuple[pd.DataFrame, str | None]:
    """Return a frame whose stamps stand in one column, and that column's name.

    Parameters
    ----------
    frame : pandas.DataFrame
    time : str, sequence of str or None
        A column; several; or what several became when a model was fitted, ``year_month``.
    where : str
        What an error begins with.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"year": [1990], "month": [2], "y": [1.0]})
    >>> with_stamps(frame, "year_month", "X")[0].columns.tolist()
    ['year_month', 'y']
    """
    if time is None or (isinstance(time, str) and time in frame.columns):
        return frame, time if time is None else str(time)
    names = _split(time, [str(c) for c in frame.columns]) if isinstance(time, str) else list(time)
    if len(names) < 2 or "_".join(names) in frame.columns:
        return frame, "_".join(names) or str(time)
    for name in names:
        if name not in frame.columns:
            expected = f"a column of the frame ({', '.join(map(str, frame.columns[:12]))})"
            raise DataError(explain(where, "time", expected, name))
    joined = joined_stamps(frame, names, where)
    rest = frame.drop(columns=names)
    rest.insert(0, "_".join(names), joined)
    return rest, "_".join(names)


def _split(name: str, columns: list[str]) -> list[str]:
    """Return the columns whose names, joined, are `name`; none where there are no such."""
    for column in columns:
        if name == column:
            return [column]
        if name.startswith(f"{column}_") and (rest := _split(name[len(column) + 1 :], columns)):
            return [column, *rest]
    return []
