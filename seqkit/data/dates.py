"""Dates as people write them: one table of forms, and which of them a column is in.

A column is read in one form, all of it. Where its cells fit more than one (01/02/2023), the form
that makes the stamps regular is taken, and where both do, none: the caller gets both readings to
show. Nothing here guesses cell by cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqkit.data.months import english_months, language_of, without_weekday
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FORMS",
    "NUMBER_FORMS",
    "DateForm",
    "DateReading",
    "NumberForm",
    "date_format_names",
    "is_date_text",
    "more_regular",
    "read_numbers",
    "read_texts",
]

UNIT = "datetime64[us]"
SAMPLE = 64  # cells that decide which forms are tried on a whole column
DAY = 86_400_000_000  # microseconds
AHEAD = 2035  # what begins later with two digits of a year is of the century before
DECISIVE = 3  # times as many irregular steps as the other reading has: then it is not meant


class DateReading(NamedTuple):
    """A column of dates as it was read.

    Attributes
    ----------
    values : numpy.ndarray
        ``datetime64[us]``, in UTC where zoned; NaT where a cell is no date of the form.
    zone : str or None
    form : str
        Name of the form, "" where none fits.
    clash : str
        Both readings, where the column fits two equally well; "" otherwise.
    """

    values: np.ndarray
    zone: str | None
    form: str
    clash: str = ""


@dataclass(frozen=True)
class DateForm:
    """A way of writing a date.

    Attributes
    ----------
    name : str
        As messages say it.
    pattern : str
        Regular expression of the date, without the time of day.
    form : str
        What ``strptime`` reads it with.
    example : str
    rewrite : callable, optional
        Makes of the text one that `form` reads.
    """

    name: str
    pattern: str
    form: str
    example: str
    rewrite: Callable[[pd.Series], pd.Series] | None = None

    @property
    def first(self) -> str:
        """Which of two numbers comes first where they could be exchanged: day, month or ""."""
        return self.name.partition(" first")[0] if " first" in self.name else ""


_MONTH = r"[^\W\d_]{3,12}\.?"
_D, _Y2, _Y4 = r"\d{1,2}", r"\d{2}", r"\d{4}"


def _quarters(text: pd.Series) -> pd.Series:
    """Return "1990-07" for the third quarter of 1990, however it is written."""
    year = text.str.extract(r"(\d{4})", expand=False)
    quarter = text.str.extract(r"^([1-4])[Qq]|[Qq]\s?([1-4])").bfill(axis=1)[0]
    return year + "-" + (quarter.astype("Int64") * 3 - 2).astype(str).str.zfill(2)


def _months(text: pd.Series) -> pd.Series:
    return text.str.replace(r"[-\s]?[Mm]", "-", regex=True)


def _weeks(text: pd.Series) -> pd.Series:
    """Return "2019-W02-1" for a week, which begins on Monday."""
    parts = text.str.extract(r"(\d{4})[-\s]?[Ww](\d{1,2})(?:-?([1-7]))?")
    return parts[0] + "-W" + parts[1].str.zfill(2) + "-" + parts[2].fillna("1")


def _plain_month(text: pd.Series) -> pd.Series:
    """Return the text without the points and the comma behind names and days."""
    bare = text.str.replace(r"(?<=\D)\.|\.(?=\s)|,(?= \d{4})", "", regex=True)
    return bare.str.replace(r"\bSept\b", "Sep", regex=True)


def _forms() -> Iterator[DateForm]:
    yield DateForm("ISO 8601", r"\d{4}(?:([-/.])\d{1,2}(?:\1\d{1,2})?)|[12]\d{3}[01]\d[0-3]\d",
                   "ISO8601", "2024-01-31")  # fmt: skip
    for sep in "/.-":
        s = re.escape(sep)
        # with times of day that ISO 8601 has not
        yield DateForm("year, month, day", f"{_Y4}{s}{_D}{s}{_D}", f"%Y{sep}%m{sep}%d",
                       f"2024{sep}01{sep}31")  # fmt: skip
        for first, order in (("day", f"%d{sep}%m"), ("month", f"%m{sep}%d")):
            example = f"31{sep}01{sep}2024" if first == "day" else f"01{sep}31{sep}2024"
            yield DateForm(f"{first} first", f"{_D}{s}{_D}{s}{_Y4}", f"{order}{sep}%Y", example)
            yield DateForm(f"{first} first, two digits of a year", f"{_D}{s}{_D}{s}{_Y2}",
                           f"{order}{sep}%y", example[:-4] + "24")  # fmt: skip
        yield DateForm("month and year", f"{_D}{s}{_Y4}", f"%m{sep}%Y", f"01{sep}2024")
    for month, shown in (("%b", "Jan"), ("%B", "January")):
        for sep in "- /":
            for name, parts in (
                ("year and month by name", "Y m"), ("month by name and year", "m Y"),
                ("month by name and two digits of a year", "m y"),
                ("day, month by name, year", "d m Y"),
                ("day, month by name, two digits of a year", "d m y"),
                ("year, month by name, day", "Y m d"),
            ):  # fmt: skip
                written = {"Y": (_Y4, "%Y", "2004"), "y": (_Y2, "%y", "04"),
                           "m": (_MONTH, month, shown), "d": (_D, "%d", "31")}  # fmt: skip
                rows = [written[part] for part in parts.split()]
                pattern = re.escape(sep).join(row[0] for row in rows)
                form, example = (sep.join(row[i] for row in rows) for i in (1, 2))
                yield DateForm(name, pattern, form, example, _plain_month)
        yield DateForm("month by name, day, year", f"{_MONTH} {_D},? {_Y4}", f"{month} %d %Y",
                       f"{shown} 31, 2004", _plain_month)  # fmt: skip
        yield DateForm("day, month by name, year", rf"{_D}\. {_MONTH} {_Y4}", f"%d {month} %Y",
                       f"31. {shown} 2004", _plain_month)  # fmt: skip
    yield DateForm("quarter", r"\d{4}[-\s/]?[Qq]\s?[1-4]|(?:[Qq]\s?[1-4]|[1-4][Qq])[-\s/]?\d{4}",
                   "%Y-%m", "1990Q3", _quarters)  # fmt: skip
    yield DateForm("ISO week", r"\d{4}[-\s]?[Ww]\d{1,2}(?:-?[1-7])?", "%G-W%V-%u", "2019-W02",
                   _weeks)  # fmt: skip
    yield DateForm("year and M month", r"\d{4}[-\s]?[Mm]\d{1,2}", "%Y-%m", "1990M07", _months)


FORMS: tuple[DateForm, ...] = tuple(_forms())

# The time of day behind a date: pattern, and strptime format.
TIMES = (
    ("", ""),
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"\d{1,2}:\d{2}:\d{2}\.\d{1,9}", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d{2} ?[AaPp][Mm]", "%I:%M %p"),
    (r"\d{1,2}:\d{2}:\d{2} ?[AaPp][Mm]", "%I:%M:%S %p"),
)
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_ZONE = r" ?(?:Z|[+-]\d{2}:?(?:\d{2})?)"


@dataclass(frozen=True)
class NumberForm:
    """A way of writing a date as one number.

    Attributes
    ----------
    name : str
        As ``date_format`` may say.
    low, high : float
        Numbers that it may be.
    words : str
        Regular expression of the column's name that it asks for; "" for any, where the numbers
        alone say it: counters are no dates.
    read : callable
        Makes ``datetime64[us]`` of float64; NaT where a number is no date.
    """

    name: str
    low: float
    high: float
    words: str
    read: Callable[[np.ndarray], np.ndarray]


def _digits(form: str) -> Callable[[np.ndarray], np.ndarray]:
    def read(numbers: np.ndarray) -> np.ndarray:
        import pandas as pd

        if (numbers != np.floor(numbers)).any():
            return np.full(len(numbers), np.datetime64("NaT"), UNIT)
        text = pd.Series(numbers.astype(np.int64).astype(str))
        return pd.to_datetime(text, format=form, errors="coerce").to_numpy().astype(UNIT)

    return read


def _elapsed(microseconds: float, origin: str = "1970-01-01") -> Callable[[np.ndarray], np.ndarray]:
    def read(numbers: np.ndarray) -> np.ndarray:
        passed = np.round(numbers * microseconds)
        if microseconds == DAY:  # a serial has 15 digits: no more than milliseconds
            passed = np.round(passed / 1000) * 1000
        return np.datetime64(origin, "us") + passed.astype(np.int64).astype("m8[us]")

    return read


NUMBER_FORMS: tuple[NumberForm, ...] = (
    NumberForm("yyyymmdd", 16000101, 22621231, "", _digits("%Y%m%d")),
    NumberForm("yyyymm", 160001, 226212, r"date|month|period|yyyymm", _digits("%Y%m")),
    NumberForm("yyyymmddhh", 1600010100, 2262123123, "", _digits("%Y%m%d%H")),
    NumberForm("yyyymmddhhmm", 160001010000, 226212312359, "", _digits("%Y%m%d%H%M")),
    NumberForm("year", 1600, 2262, r"year|^yr|date|jahr|ann[ée]e|per[ií]odo", _digits("%Y")),
    NumberForm("excel", 15_000, 80_000, r"date|datum|fecha|timestamp|^day$",
               _elapsed(DAY, "1899-12-30")),
    NumberForm("unix_seconds", 1e8, 4.2e9, "", _elapsed(1e6)),
    NumberForm("unix_milliseconds", 1e11, 4.2e12, "", _elapsed(1e3)),
    NumberForm("unix_microseconds", 1e14, 4.2e15, "", _elapsed(1)),
    NumberForm("unix_nanoseconds", 1e17, 4.2e18, "", _elapsed(1e-3)),
)  # fmt: skip


def date_format_names() -> list[str]:
    """Return what ``date_format`` may say besides a ``strptime`` format."""
    return [form.name for form in NUMBER_FORMS]


def read_numbers(numbers: np.ndarray, name: str, date_format: str | None = None) -> DateReading:
    """Read dates that are written as numbers; :attr:`DateReading.form` is "" where they are none.

    Parameters
    ----------
    numbers : numpy.ndarray, float64
        Without NaN.
    name : str
        Of the column: a column called "step" holds no years.
    date_format : str, optional
        The name of a row of :data:`NUMBER_FORMS`, which is then the only one tried.

    Examples
    --------
    >>> read_numbers(np.array([1949.0, 1950.0]), "Year").values.astype("M8[D]").tolist()[1].year
    1950
    >>> read_numbers(np.array([1949.0, 1950.0]), "step").form
    ''
    """
    nothing = DateReading(np.empty(0, UNIT), None, "")
    for form in NUMBER_FORMS if len(numbers) else ():
        if date_format is not None and form.name != date_format:
            continue
        named = date_format or not form.words or re.search(form.words, name.lower())
        if not named or not ((numbers >= form.low) & (numbers <= form.high)).all():
            continue
        values = form.read(numbers)
        if not np.isnat(values).any():
            return DateReading(values, None, form.name)
    return nothing


# --- text -----------------------------------------------------------------------------------------


def is_date_text(texts: Any) -> bool:
    """Whether most of some cells look like dates, of a form that is read here or of another.

    Examples
    --------
    >>> is_date_text(["13.01.2023", "14.01.2023"]), is_date_text(["1.5", "A-12", "2"])
    (True, False)
    """
    cells = [without_weekday(str(text).strip()) for text in texts if str(text).strip()][:SAMPLE]
    if (language := language_of(cells)) is not None:
        cells = [english_months(cell, language) for cell in cells]
    form = "|".join(f"(?:{form.pattern})".replace(r"\1", "[-/.]") for form in FORMS)
    other = (
        r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}"
        r"|.*\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d"
        r"|\d.*\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*"
    )
    found = re.compile(rf"(?:{form}|{other})(?:[T ,].*)?(?:{_ZONE})?", re.IGNORECASE)
    return bool(cells) and 2 * sum(bool(found.fullmatch(cell)) for cell in cells) > len(cells)


def read_texts(
    column: pd.Series, date_format: str | None = None, day_first: bool | None = None
) -> DateReading:
    """Read a column of text.

    Parameters
    ----------
    column : pandas.Series of text
    date_format : str, optional
        A ``strptime`` format, tried alone.
    day_first : bool, optional
        Decides where day and month could be exchanged.

    Examples
    --------
    >>> import pandas as pd
    >>> read_texts(pd.Series(["13/01/2023", "14/01/2023"])).form
    'day first'
    >>> read_texts(pd.Series(["01/02/2023", "01/03/2023"])).clash[:9]
    'day first'
    """
    import pandas as pd

    text = column.where(column.notna(), None).astype("str").str.strip()
    known = text[column.notna().to_numpy() & (text != "").to_numpy()]
    places = np.unique(np.linspace(0, max(len(known) - 1, 0), SAMPLE).astype(int))[: len(known)]
    language = language_of(known.iloc[places].tolist())
    if language not in (None, "English"):
        full = "%B" in (date_format or "")
        text = text.map(partial(english_months, language=language, full=full), na_action="ignore")
        read = read_texts(text, date_format, day_first)
        return read._replace(form=f"{read.form} ({language})" if read.form else "")
    if date_format is not None:
        _check_format(date_format)
        values, zone = _parsed(text, date_format, "%z" in date_format)
        return DateReading(values, zone, date_format)
    if not len(known):
        return DateReading(np.full(len(text), np.datetime64("NaT"), UNIT), None, "")
    sample = known.iloc[places].tolist()
    readings: list[tuple[DateForm, np.ndarray, str | None]] = []
    best = DateReading(np.full(len(text), np.datetime64("NaT"), UNIT), None, "")
    some = text.iloc[:0] if len(known) <= SAMPLE else pd.Series(sample)
    tried = list(_candidates(sample, day_first))
    # the thirteenth of a month among the sample spares a second reading of a long column
    for form, pattern, zoned in [one for one in tried if _reads(one, some)] or tried:
        given = text if form.rewrite is None else form.rewrite(text)
        values, zone = _parsed(given, pattern, zoned)
        if "%y" in pattern:
            values = _century(values)
        unread = int(np.isnat(values).sum()) - (len(text) - len(known))
        if not unread:
            readings.append((form, values, zone))
        elif not best.form or unread < int(np.isnat(best.values).sum()):
            best = DateReading(values, zone, form.name)
        if not unread and not form.first:
            break
    if not readings:  # "mar. 5" is a Tuesday only where no month can be meant
        if sample and all(without_weekday(cell) != cell for cell in sample):
            return read_texts(text.map(without_weekday, na_action="ignore"), None, day_first)
        return best
    return _decided(readings, text.index.get_indexer(known.index))


def _reads(candidate: tuple[DateForm, str, bool], sample: pd.Series) -> bool:
    """Whether a form reads all of a sample."""
    form, pattern, zoned = candidate
    given = sample if form.rewrite is None else form.rewrite(sample)
    return not len(sample) or not np.isnat(_parsed(given, pattern, zoned)[0]).any()


def _check_format(date_format: str) -> None:
    if "%" not in date_format:
        expected = "a strptime format such as %d.%m.%Y, or one of " + ", ".join(date_format_names())
        hint = suggest(date_format, date_format_names())
        raise DataError(explain("data", "date_format", expected, date_format, hint))


def _candidates(sample: list[str], day_first: bool | None) -> Iterator[tuple[DateForm, str, bool]]:
    """Yield the forms that the sample fits (else: that its first cell fits), with their format."""
    zoned = all(re.search(rf"\d{_ZONE}$", cell) and ":" in cell for cell in sample)
    bare = [re.sub(rf"{_ZONE}$", "", cell) if zoned else cell for cell in sample]
    for cells in (bare, bare[:1]):
        found = False
        for form in FORMS:
            wrong = {True: "month", False: "day"}.get(day_first)  # type: ignore[arg-type]
            if wrong is not None and form.first == wrong:
                continue
            if form.form == "ISO8601":
                pattern = rf"(?:{form.pattern})(?:[T ]{_CLOCK})?(?:{_ZONE})?"
                if all(re.fullmatch(pattern, cell) for cell in cells):
                    found = True
                    tail = any(re.search(rf":\d\d(?:\.\d+)?{_ZONE}$", cell) for cell in sample)
                    yield form, form.form, tail or zoned
                continue
            for clock, time in TIMES:
                behind = rf"(?:T|,? +){clock}" if clock else ""
                if all(re.fullmatch(rf"(?:{form.pattern}){behind}", cell) for cell in cells):
                    found = True
                    joint = re.search(r"(T|,? +)\d{1,2}:", cells[0])
                    between = joint[1] if joint and form.rewrite is None else " "
                    behind = f"{between}{time}" if time else ""
                    yield form, form.form + behind + ("%z" if zoned else ""), zoned
        if found:
            return


def _parsed(text: pd.Series, form: str, zoned: bool) -> tuple[np.ndarray, str | None]:
    """Return stamps, NaT where the text is of another form, and their zone."""
    import pandas as pd

    try:
        read = pd.to_datetime(text, format=form, errors="coerce", utc=zoned)
    except ValueError as error:  # a directive that there is none of, or zones that are mixed
        if "%" not in form or zoned:
            return np.full(len(text), np.datetime64("NaT"), UNIT), None
        hint = "It is what datetime.strptime takes."
        raise DataError(explain("data", "date_format", f"a format ({error})", form, hint)) from None
    index = pd.DatetimeIndex(read)
    if index.tz is None:
        return index.to_numpy().astype(UNIT), None
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype(UNIT), "UTC"


def _century(values: np.ndarray) -> np.ndarray:
    """Return dates of two-digit years in the century in which they follow one another.

    The usual one (1969 to 2068), unless the column is shorter in one century alone, or all of it
    would lie ahead: 49 to 60 are 1949 to 1960.
    """
    known = ~np.isnat(values)
    if not known.any():
        return values
    year = values.astype("M8[Y]").astype(np.int64) + 1970
    choices = [values]
    for century in (1900, 2000):
        moved = np.where(known, century + year % 100 - year, 0)
        month = values.astype("M8[M]")
        choices.append((month + (12 * moved).astype("m8[M]")).astype(UNIT) + (values - month))

    def rank(choice: np.ndarray) -> tuple[bool, int]:
        months = choice[known].astype("M8[M]").astype(np.int64)
        return bool(months.min() > 12 * (AHEAD - 1970)), int(np.ptp(months))

    return min(choices, key=rank)  # the first of equals


def _decided(
    readings: list[tuple[DateForm, np.ndarray, str | None]], rows: np.ndarray
) -> DateReading:
    """Return the reading that makes stamps regular, or both where both are."""
    form, values, zone = readings[0]
    others = [r for r in readings[1:] if not np.array_equal(r[1], values, equal_nan=True)]
    if not others:
        return DateReading(values, zone, form.name)
    other = others[0]
    chosen = more_regular(values[rows], other[1][rows])
    if chosen is not None:
        form, values, zone = (readings[0], other)[chosen]
        return DateReading(values, zone, form.name)
    shown = []
    for reading in (readings[0], other):
        dates = ", ".join(map(str, reading[1][rows[:3]].astype("M8[D]")))
        shown.append(f"{reading[0].name} {dates}")
    return DateReading(values, zone, form.name, "; ".join(shown))


def more_regular(first: np.ndarray, second: np.ndarray) -> int | None:
    """Return which of two readings of the same rows makes the stamps regular, None where neither.

    That with far fewer irregular steps; else the one that never goes back in time, if the other
    does.

    Examples
    --------
    >>> days = np.array(["2024-02-01", "2024-03-01", "2025-01-01"], "M8[us]")
    >>> more_regular(days, np.array(["2024-01-02", "2024-01-03", "2025-01-01"], "M8[us]"))
    """
    pair = (first, second)
    off = [_irregular(values) for values in pair]
    back = [int((np.diff(values).astype(np.int64) < 0).sum()) for values in pair]
    for counts, times in ((off, DECISIVE), (back, np.inf)):
        for one, other in ((0, 1), (1, 0)):
            if counts[other] and (not counts[one] or times * counts[one] < counts[other]):
                return one
    return None


def _irregular(values: np.ndarray) -> int:
    """Return how many steps between the distinct stamps are not the most frequent one.

    Steps are counted in time, or in months where the day of the month stays.
    """
    distinct = np.unique(values)
    if len(distinct) < 3:
        return 0
    steps = np.diff(distinct).astype(np.int64)
    by_time = np.unique(steps, return_counts=True)[1].max()
    months = distinct.astype("M8[M]")
    within = (distinct - months).astype(np.int64)
    last = (distinct + np.timedelta64(1, "D")).astype("M8[M]") != months
    same = (np.diff(within) == 0) | (last[1:] & last[:-1])
    by_month = np.unique(np.diff(months).astype(np.int64)[same], return_counts=True)[1]
    return len(steps) - int(max(by_time, by_month.max(initial=0)))
