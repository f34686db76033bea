"""The clock of regular stamps: their frequency, their grid, and the stamps that follow.

Calendar arithmetic (days and longer) is done on the clock of the zone, hours and shorter on UTC,
which is what pandas does and what a load or a temperature recorded every hour needs when the
clocks change.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.stamps import UNIT
from seqkit.errors import DataError, explain

__all__ = ["Clock", "regular"]

# Offsets tried when pandas cannot name the frequency because stamps are missing. The one that
# leaves the fewest absent is taken, since every quarter is a month, too. Of equals the first, so
# that a month-start series is not one of business days.
_CALENDAR_OFFSETS = ("MS", "ME", "QS", "QE", "YS", "YE", "SMS", "SME", "BME", "BMS", "BQE", "B")

# Share of the steps of a series that may be absent and filled in, though ten always may. Holidays
# are 4 % of business days, and a sensor that fails for a day a week lacks 14 %; more than a fifth
# are dates that were read wrongly (01/02 as the second of January), a frequency that is not meant,
# or a mistyped year, and would be straight lines to learn from.
MOST_ABSENT, SLACK_ABSENT = 0.2, 10


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
            return np.timedelta64(pd.Timedelta(offset), "us")
        if self.zone is None:
            # Without a zone no day is 23 hours long.
            if isinstance(offset, pd.tseries.offsets.Day):
                return np.timedelta64(np.timedelta64(offset.n, "D"), "us")
            if isinstance(offset, pd.tseries.offsets.Week):
                return np.timedelta64(np.timedelta64(7 * offset.n, "D"), "us")
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
        index = np.searchsorted(grid, distinct)
        on_grid = (index < len(grid)) & (grid[np.minimum(index, len(grid) - 1)] == distinct)
        index = np.where(on_grid, index, np.int64(-1))[codes]
        first = np.repeat(index[offsets[:-1]], np.diff(offsets))
        return np.where((index < 0) | (first < 0), -1, index - first)

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
            stamps: np.ndarray = last[:, None] + step * np.arange(1, n_steps + 1)
            return stamps
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
            frequency = pd.infer_freq(index)
        except ValueError:
            return None
    if frequency is None and zone is not None:
        # Days of a zone that changes its clocks are regular on the clock only.
        frequency = pd.infer_freq(index.tz_localize(None))
    return None if frequency is None else getattr(frequency, "freqstr", frequency)


def _guess(times: np.ndarray, step: int, zone: str | None) -> str:
    """The frequency of series with missing stamps, from the most frequent step (microseconds)."""
    day = 86_400_000_000
    distinct = np.unique(times)
    if step >= 13 * day or (step == day and not np.isin(_weekday(distinct, zone), (5, 6)).any()):
        month = Clock("h", zone).local(distinct[:1])[0].month_name()[:3].upper()
        anchored = [f"{period}-{month}" for period in ("QS", "QE", "YS", "YE")]
        sizes = {}
        for alias in (*_CALENDAR_OFFSETS, *anchored):
            grid = Clock(alias, zone)._grid(distinct[0], distinct[-1])
            if np.isin(distinct, grid).all():
                sizes[alias] = len(grid)
        if sizes:
            return min(sizes, key=sizes.__getitem__)
    if step % day == 0:
        return f"{step // day if step > day else ''}D"
    return pd.tseries.frequencies.to_offset(pd.Timedelta(step, unit="us")).freqstr


def _weekday(stamps: np.ndarray, zone: str | None) -> np.ndarray:
    return np.asarray(Clock("h", zone).local(stamps).day_of_week)


def regular(
    times: np.ndarray,
    offsets: np.ndarray,
    ids: np.ndarray,
    clock: Clock,
    missing: str,
    where: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Bring stamps to the grid of their clock, absent ones included.

    Returns
    -------
    stamps : numpy.ndarray
        Every stamp of the grid from the first to the last of each series.
    offsets : numpy.ndarray of shape (n_series + 1,)
        Where each series begins in them.
    rows : numpy.ndarray
        The index of every given stamp among them.
        None instead of all three where no stamp is absent.

    Raises
    ------
    DataError
        A stamp off the grid; an absent one where `missing` is "error"; too many absent ones.
    """
    ordinals = clock.ordinals(times, offsets)

    def at(row: int) -> str:
        series = int(np.searchsorted(offsets, row, side="right")) - 1
        return f"{where}, series {ids[series]!s}, step {row - offsets[series]}"

    if (ordinals < 0).any():
        row = int(np.flatnonzero(ordinals < 0)[0])
        got = str(times[row] if clock.integer else clock.local(times[row : row + 1])[0])
        expected = f"on the regular grid of frequency {clock.frequency!r}"
        hint = "Name the frequency, or bring the data to a regular one first."
        raise DataError(explain(at(row), "time", expected, got, hint))
    jumps = np.diff(ordinals) != 1
    jumps[offsets[1:-1] - 1] = False
    if not jumps.any():
        return None
    if missing == "error":
        row = int(np.flatnonzero(jumps)[0])
        gap = int(ordinals[row + 1] - ordinals[row] - 1)
        expected = f"followed by the next stamp of frequency {clock.frequency!r}"
        got = f"{gap} absent after {times[row]} ({int(jumps.sum())} gaps in all)"
        hint = "Set missing to interpolate or indicator, or fill the gaps first."
        raise DataError(explain(at(row), "time", expected, got, hint))
    lengths = ordinals[offsets[1:] - 1] + 1
    absent = lengths - np.diff(offsets)
    if (absent > np.maximum(MOST_ABSENT * lengths, SLACK_ABSENT)).any():
        series = int(np.argmax(absent / lengths))
        begin, end = offsets[series], offsets[series + 1]
        shown = times[[*range(begin, min(begin + 3, end)), end - 1]]
        stamps = shown if clock.integer else clock.local(shown)
        first, last = ", ".join(map(str, stamps[:-1])), str(stamps[-1])
        expected = f"at most {MOST_ABSENT:.0%} of the steps of frequency {clock.frequency!r}"
        got = f"{absent[series]:,} of {lengths[series]:,}; the stamps read {first}, ..., {last}"
        hint = (
            "Are they read as they are meant (in a recipe: data.day_first, data.date_format)? Is "
            "one mistyped, or the frequency another? Rows that really are absent can be added with "
            "empty values; without time every row is a step."
        )
        named = f"{where}, series {ids[series]!s}"
        raise DataError(f"{named}: absent time stamps must be {expected}; got {got}. {hint}")
    filled = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = ordinals + np.repeat(filled[:-1], np.diff(offsets))
    stamps = np.empty(filled[-1], times.dtype)
    stamps[rows] = times
    for series in np.unique(np.searchsorted(offsets, np.flatnonzero(jumps), side="right") - 1):
        stamps[filled[series] : filled[series + 1]] = clock.between(
            times[offsets[series]], times[offsets[series + 1] - 1]
        )
    return stamps, filled, rows
