"""Series of a forecast as they were read: the rows of a frame or of arrays, and their panel.

:class:`Rows` is the one reading of a frame: roles decided, stamps parsed, numbers checked, series
brought together; nothing is filled and nothing left out. :meth:`Rows.panel` makes of it what
networks see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seqkit.data.clock import regular
from seqkit.data.missing import LARGEST, fill_steps, first_observed
from seqkit.data.panel import Panel, never_observed
from seqkit.data.roles import ColumnRoles
from seqkit.data.stamps import calendar_features
from seqkit.errors import DataError, explain

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """Series one after the other, as they were given.

    Parameters
    ----------
    values : numpy.ndarray of shape (n_rows, n_columns), float64
        The columns of :attr:`ColumnRoles.series`; NaN where a value is missing.
    offsets : numpy.ndarray of shape (n_series + 1,), int64
        Series ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    ids : numpy.ndarray of shape (n_series,)
    times : numpy.ndarray of shape (n_rows,) or None
        ``datetime64[us]`` (UTC where zoned) or integer steps, ascending within a series.
    columns : ColumnRoles
        With the clock of the stamps, and the known categories of the statics.
    static, static_codes : numpy.ndarray or None
        As a :class:`Panel` has them.
    notes : tuple of str
        What was inferred.
    where : str
        What errors begin with.
    added : numpy.ndarray of shape (n_series,) or None
        Rows that :meth:`on_grid` has added to each series.
    """

    values: np.ndarray
    offsets: np.ndarray
    ids: np.ndarray
    times: np.ndarray | None
    columns: ColumnRoles
    static: np.ndarray | None = None
    static_codes: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    where: str = "data"
    added: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of rows of each series."""
        return np.diff(self.offsets)

    def targets(self) -> list[np.ndarray]:
        """Targets of each series, ``(n_rows_i, n_targets)``."""
        n_targets = len(self.columns.targets)
        return np.split(self.values[:, :n_targets], self.offsets[1:-1])

    def until(self, stop: np.ndarray) -> Rows:
        """Return the rows before row ``stop[i]`` of each series; a series of none is left out."""
        kept = np.flatnonzero(stop > 0)
        lengths = stop[kept]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        take = np.arange(offsets[-1]) + np.repeat(self.offsets[kept] - offsets[:-1], lengths)
        return replace(
            self,
            values=self.values[take],
            offsets=offsets,
            ids=self.ids[kept],
            added=None,
            times=None if self.times is None else self.times[take],
            static=None if self.static is None else self.static[kept],
            static_codes=None if self.static_codes is None else self.static_codes[kept],
        )

    def _regular(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Stamps, offsets and places of the rows on the grid of the clock, None if they are all."""
        columns = self.columns
        if self.times is None:
            return None
        assert columns.clock is not None
        return regular(
            self.times, self.offsets, self.ids, columns.clock, columns.missing, self.where
        )

    def _spread(self, n_rows: int, given: np.ndarray) -> np.ndarray:
        values = np.full((n_rows, self.values.shape[1]), np.nan)
        values[given] = self.values
        return values

    def on_grid(self) -> Rows:
        """Return the rows with one of missing values for every stamp that is absent."""
        whole = self._regular()
        if whole is None:
            return self
        times, offsets, given = whole
        values = self._spread(len(times), given)
        added = np.diff(offsets) - self.lengths
        return replace(self, values=values, offsets=offsets, times=times, added=added)

    def panel(self) -> Panel:
        """Bring the rows to a regular grid, fill what is missing, add masks and calendar.

        Raises
        ------
        DataError
            Stamps off the grid; values that are missing, where that is an error, or infinite.
        """
        columns, ids = self.columns, self.ids
        values, offsets, times = self.values, self.offsets, self.times
        absent = None
        whole = self._regular()
        if whole is not None:
            times, offsets, given = whole
            values = self._spread(len(times), given)
            absent = np.ones(len(times), bool)
            absent[given] = False
        gaps = np.isnan(values)
        large = ~(np.abs(values) <= LARGEST) & ~gaps
        if large.any():
            self._fail_value(values, large, offsets, f"finite, and no larger than {LARGEST:g}")
        age, trimmed = None, np.zeros(len(ids), np.int64)
        if gaps.any():
            if columns.missing == "error":
                hint = "Set missing to interpolate or indicator, or fill the values first."
                self._fail_value(values, gaps, offsets, "a number, not NaN", hint)
            keep, trimmed = self._observed(gaps, offsets)
            if not keep.all():
                values, gaps = values[keep], gaps[keep]
                offsets = offsets - np.concatenate([[0], np.cumsum(trimmed)])
                times = None if times is None else times[keep]
                absent = None if absent is None else absent[keep]
            values, age = fill_steps(values, gaps, offsets, columns.missing)  # type: ignore[arg-type]
        n_known = len(columns.targets) + len(columns.past)
        return Panel(
            self._channels(values, gaps, times),
            offsets,
            ids,
            times,
            columns,
            None if age is None else age[:, :n_known],
            self.static,
            self.static_codes,
            self.notes,
            future_age=None if age is None else age[:, n_known:],
            absent=absent,
            trimmed=trimmed,
        )

    def _observed(self, gaps: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Leave out the steps of each series before all its targets and past covariates were seen.

        There is nothing before to fill them with, and what comes after must not reach back.
        """
        columns = self.columns
        first = first_observed(gaps, offsets)  # (n_series, n_columns)
        never = first >= offsets[1:, None]
        if never.any():
            column = int(np.flatnonzero(never.any(axis=0))[0])
            series = int(np.flatnonzero(never[:, column])[0])
            raise never_observed(self.where, self.ids[series], columns.series[column])
        n_known = len(columns.targets) + len(columns.past)
        begin = first[:, :n_known].max(axis=1)
        keep = np.arange(len(gaps)) >= np.repeat(begin, np.diff(offsets))
        return keep, begin - offsets[:-1]

    def _channels(
        self, values: np.ndarray, gaps: np.ndarray, times: np.ndarray | None
    ) -> np.ndarray:
        """Return the channels of a panel: values, their masks, and the calendar."""
        columns = self.columns
        n_known = len(columns.targets) + len(columns.past)
        channels = [values[:, :n_known], values[:, n_known:]]
        if columns.missing == "indicator":
            masks = gaps.astype(np.float64)
            channels = [channels[0], masks[:, :n_known], channels[1], masks[:, n_known:]]
        if columns.calendar:
            assert columns.clock is not None
            assert times is not None
            if columns.clock.integer:
                expected, got = "used with dates", "integer time stamps"
                raise DataError(explain(self.where, "calendar", expected, got))
            channels.append(calendar_features(columns.clock.local(times), columns.calendar))
        channels = [channel for channel in channels if channel.shape[1]]
        block = channels[0] if len(channels) == 1 else np.concatenate(channels, 1)
        return np.ascontiguousarray(block, np.float64)

    def _fail_value(
        self,
        values: np.ndarray,
        bad: np.ndarray,
        offsets: np.ndarray,
        expected: str,
        hint: str = "",
    ) -> None:
        row, column = (int(i[0]) for i in np.nonzero(bad))
        series = int(np.searchsorted(offsets, row, side="right")) - 1
        at = f"{self.where}, series {self.ids[series]!s}, step {row - offsets[series]}"
        what = f"column {self.columns.series[column]!r}"
        raise DataError(explain(at, what, expected, float(values[row, column]), hint))
