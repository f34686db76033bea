"""Time stamps of series: their frequency, their regularity, the stamps that follow, the calendar.

A stamp is kept as ``datetime64[us]`` in UTC (for zoned stamps) or as given (for naive ones), or as
an integer step. Calendar arithmetic (days and longer) is done on the clock of the zone, hours and
shorter on UTC, which is what pandas does and what a load or a temperature recorded every hour
needs when the clocks change.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seqkit.errors import DataError, explain, suggest

__all__ = ["CALENDAR", "Clock", "calendar_features", "parse_stamps"]

UNIT = "datetime64[us]"

# Offsets tried when pandas cannot name the frequency because stamps are missing; most special last
# so that a month-start series is not taken for business days.
_CALENDAR_OFFSETS = ("MS", "ME", "QS", "QE", "YS", "YE", "SMS", "SME", "BME", "BMS", "BQE", "B")


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
    >>> noon = pd.DatetimeIndex(["2024-01-01 12:00"])
    >>> calendar_features(noon, ["hour"]).round(3).tolist()
    [[0.0, -1.0]]
    """
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


def parse_stamps(column: Any, name: str = "time") -> tuple[np.ndarray, str | None]:
    """Read a column of stamps.

    Parameters
    ----------
    column : pandas.Series or index
        Stamps with or without a zone, periods (stamped by their start), text that reads as
        dates, dates written as the integers yyyymmdd, or integer steps.
    name : str
        Name of the column in messages.

    Returns
    -------
    values : numpy.ndarray
        ``datetime64[us]`` (UTC where zoned) or int64.
    zone : str or None
    """
    if isinstance(column, pd.PeriodIndex):
        column = pd.Series(column)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = pd.Series(pd.PeriodIndex(column).to_timestamp(how="start"))
    if pd.api.types.is_integer_dtype(column.dtype):
        if column.isna().any():
            _fail_stamp(name, column, column.isna())
        integers = np.asarray(column, np.int64)
        if len(integers) and integers.min() >= 16770101 and integers.max() <= 22621231:
            dates = pd.to_datetime(
                pd.Series(integers.astype(str)), format="%Y%m%d", errors="coerce"
            )
            if not dates.isna().any():
                return dates.to_numpy().astype(UNIT), None
        return integers, None
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        if pd.api.types.is_float_dtype(column.dtype):
            raise DataError(
                explain(
                    f"column {name!r}",
                    "time",
                    "time stamps, dates as text or integer steps",
                    column.iloc[0] if len(column) else None,
                    "Name another column with `time`, or round it to integers.",
                )
            )
        with warnings.catch_warnings():
            # Without one format for all, each cell would be guessed alone: 1/2 and 13/2 differ.
            warnings.filterwarnings("error", "Could not infer format")
            warnings.filterwarnings("ignore", "Parsing dates")
            try:
                parsed = pd.to_datetime(pd.Series(column), errors="coerce", utc=_has_zones(column))
            except UserWarning:
                parsed = pd.Series(pd.NaT, index=pd.Series(column).index)
        if parsed.isna().any():
            _fail_stamp(name, column, parsed.isna())
        column = parsed
    if column.isna().any():
        _fail_stamp(name, column, column.isna())
    index = pd.DatetimeIndex(column)
    zone = None if index.tz is None else str(index.tz)
    if zone is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.to_numpy().astype(UNIT), zone


def _has_zones(column: Any) -> bool:
    """Whether text stamps carry an offset such as +02:00 or Z (several may be mixed)."""
    first = str(column.iloc[0] if hasattr(column, "iloc") else column[0]) if len(column) else ""
    tail = first[10:]
    return tail.endswith("Z") or "+" in tail or "-" in tail


def _fail_stamp(name: str, column: Any, bad: Any) -> None:
    row = int(np.flatnonzero(np.asarray(bad))[0])
    got = column.iloc[row] if hasattr(column, "iloc") else column[row]
    raise DataError(
        explain(
            f"column {name!r}, row {row}",
            "a time stamp",
            "a date or a time, in one format for all rows",
            got,
        )
    )


@dataclass(frozen=True)
class Clock:
    """The frequency of a panel and the arithmetic of its stamps.

    Parameters
    ----------
    frequency : str
        A pandas alias (``"h"``, ``"MS"``, ``"W-SUN"``); for integer steps the step as text.
    zone : str or None
        Time zone of the stamps.
    integer : bool
        Whether stamps are integer steps.
    """

    frequency: str
    zone: str | None = None
    integer: bool = False

    @classmethod
    def infer(
        cls, times: np.ndarray, offsets: np.ndarray, zone: str | None, frequency: str | None
    ) -> Clock:
        """Find the frequency of the stamps, or take the one given.

        Parameters
        ----------
        times : numpy.ndarray of shape (n_rows,)
        offsets : numpy.ndarray of shape (n_series + 1,)
        zone, frequency : str or None
        """
        if times.dtype.kind == "i":
            if frequency is None:
                steps = _differences(times, offsets)
                frequency = str(int(_most_frequent(steps))) if len(steps) else "1"
            if not str(frequency).isdigit() or int(frequency) < 1:
                expected = "a positive whole number, because time stamps are integers"
                raise DataError(explain("data", "frequency", expected, frequency))
            return cls(str(frequency), None, True)
        if frequency is not None:
            try:
                offset = pd.tseries.frequencies.to_offset(frequency)
            except ValueError as error:
                expected = "a pandas frequency such as 'h', 'D', 'W-SUN' or 'MS'"
                raise DataError(explain("data", "frequency", expected, frequency)) from error
            return cls(offset.freqstr, zone)
        longest = int(np.argmax(np.diff(offsets)))
        stamps = times[offsets[longest] : offsets[longest + 1]][:2000]
        guess = _infer(stamps, zone)
        if guess is None:
            steps = _differences(times, offsets)
            if not len(steps):
                raise DataError(
                    explain(
                        "data",
                        "frequency",
                        "known",
                        None,
                        "Every series has one step: name the frequency, as in `frequency: h`.",
                    )
                )
            guess = _guess(times, _most_frequent(steps), zone)
        return cls(guess, zone)

    @property
    def offset(self) -> Any:
        """The pandas offset of a step."""
        return pd.tseries.frequencies.to_offset(self.frequency)

    @property
    def fixed(self) -> np.timedelta64 | np.int64 | None:
        """The length of a step where all steps are equally long, else None."""
        if self.integer:
            return np.int64(self.frequency)
        offset = self.offset
        if isinstance(offset, pd.tseries.offsets.Tick):
            return np.timedelta64(pd.Timedelta(offset)).astype("timedelta64[us]")
        if self.zone is None:
            # Without a zone no day is 23 hours long.
            if isinstance(offset, pd.tseries.offsets.Day):
                return np.timedelta64(offset.n, "D").astype("timedelta64[us]")
            if isinstance(offset, pd.tseries.offsets.Week):
                return np.timedelta64(7 * offset.n, "D").astype("timedelta64[us]")
        return None

    def local(self, times: np.ndarray) -> pd.DatetimeIndex:
        """Stamps on the clock of the zone."""
        index = pd.DatetimeIndex(times)
        return index if self.zone is None else index.tz_localize("UTC").tz_convert(self.zone)

    def ordinals(self, times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Number every stamp by its step: 0 for the first of a series, -1 for one off the grid.

        Returns
        -------
        numpy.ndarray of shape (n_rows,), int64
        """
        starts = np.repeat(times[offsets[:-1]], np.diff(offsets))
        step = self.fixed
        if step is not None:
            distance = (times - starts).astype(np.int64)
            size = np.int64(step) if self.integer else step.astype(np.int64)
            return np.where(distance % size == 0, distance // size, -1)
        distinct, codes = np.unique(times, return_inverse=True)
        grid = self._grid(distinct[0], distinct[-1])
        place = np.searchsorted(grid, distinct)
        on_grid = (place < len(grid)) & (grid[np.minimum(place, len(grid) - 1)] == distinct)
        place = np.where(on_grid, place, np.int64(-1))[codes]
        first = np.repeat(place[offsets[:-1]], np.diff(offsets))
        return np.where((place < 0) | (first < 0), -1, place - first)

    def _grid(self, first: np.datetime64, last: np.datetime64) -> np.ndarray:
        start, stop = self.local(np.array([first, last]))
        return _utc(pd.date_range(start, stop, freq=self.offset))

    def after(self, last: np.ndarray, n_steps: int) -> np.ndarray:
        """Stamps that follow the last one of each series.

        Parameters
        ----------
        last : numpy.ndarray of shape (n_series,)
        n_steps : int

        Returns
        -------
        numpy.ndarray of shape (n_series, n_steps)

        Examples
        --------
        >>> Clock("ME").after(np.array(["2024-01-31"], "datetime64[us]"), 2).astype("M8[D]")
        array([['2024-02-29', '2024-03-31']], dtype='datetime64[D]')
        """
        step = self.fixed
        if step is not None:
            return last[:, None] + step * np.arange(1, n_steps + 1)
        distinct, codes = np.unique(last, return_inverse=True)
        table = np.empty((len(distinct), n_steps), UNIT)
        for row, stamp in enumerate(self.local(distinct)):
            following = pd.date_range(stamp, periods=n_steps + 1, freq=self.offset)
            table[row] = _utc(following[following > stamp][:n_steps])
        return table[codes]

    def between(self, first: Any, last: Any) -> np.ndarray:
        """Every stamp of the grid from first to last, both included."""
        step = self.fixed
        if step is not None:
            return np.arange(first, last + step, step)
        return self._grid(first, last)


def _utc(index: pd.DatetimeIndex) -> np.ndarray:
    if index.tz is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.to_numpy().astype(UNIT)


def _differences(times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    steps = np.diff(times).astype(np.int64)
    keep = np.ones(len(steps), bool)
    keep[offsets[1:-1] - 1] = False
    return steps[keep & (steps > 0)]


def _most_frequent(steps: np.ndarray) -> Any:
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]


def _infer(stamps: np.ndarray, zone: str | None) -> str | None:
    """The frequency by pandas, or None."""
    if len(stamps) < 3:
        return None
    index = Clock("h", zone).local(stamps)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(KeyError):  # the option is younger than pandas 2
            stack.enter_context(pd.option_context("future.infer_freq_returns_offset", True))
        try:
            found = pd.infer_freq(index)
        except ValueError:
            return None
    if found is None and zone is not None:
        # Days of a zone that changes its clocks are regular on the clock only.
        found = pd.infer_freq(index.tz_localize(None))
    return None if found is None else getattr(found, "freqstr", found)


def _guess(times: np.ndarray, step: int, zone: str | None) -> str:
    """The frequency of series with missing stamps, from the most frequent step (microseconds)."""
    day = 86_400_000_000
    distinct = np.unique(times)
    if step >= 13 * day or (step == day and not np.isin(_weekday(distinct, zone), (5, 6)).any()):
        for alias in _CALENDAR_OFFSETS:
            grid = Clock(alias, zone)._grid(distinct[0], distinct[-1])
            if np.isin(distinct, grid).all():
                return alias
    if step % day == 0 and zone is not None:
        return f"{step // day}D"
    return pd.tseries.frequencies.to_offset(pd.Timedelta(step, unit="us")).freqstr


def _weekday(stamps: np.ndarray, zone: str | None) -> np.ndarray:
    return np.asarray(Clock("h", zone).local(stamps).day_of_week)
