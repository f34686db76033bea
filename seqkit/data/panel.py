"""Panels: many series of unequal length as one block of values, with their stamps and names."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.roles import ColumnRoles
from seqkit.data.stamps import calendar_features
from seqkit.errors import DataError, explain

__all__ = ["ColumnRoles", "Panel", "never_observed"]


def never_observed(where: str, name: object, column: str) -> DataError:
    """Return the error of a series without any value in a column."""
    expected = "observed at least once"
    got = "only missing values"
    return DataError(
        explain(f"{where}, series {name!s}", f"column {column!r}", expected, got,
                "Leave the series out.")
    )  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Series one after the other.

    Parameters
    ----------
    values : numpy.ndarray of shape (n_rows, n_channels), float64
        Targets first, then channels known up to now, then channels known over the horizon;
        :attr:`ColumnRoles.channels` names them. Without gaps: what was missing has been filled.
    offsets : numpy.ndarray of shape (n_series + 1,), int64
        Series ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    ids : numpy.ndarray of shape (n_series,)
    times : numpy.ndarray of shape (n_rows,) or None
        ``datetime64[us]`` (UTC where zoned) or integer steps.
    columns : ColumnRoles
    age : numpy.ndarray of shape (n_rows, n_targets + n_past), int32, or None
        Steps since the value of a target or past covariate was last observed, 0 where it was.
        None where nothing is missing. A forecast made in a gap must not see a value that was
        interpolated towards the gap's far end: windows take the last observed one instead.
    static : numpy.ndarray of shape (n_series, n_static_numbers), float32, or None
    static_codes : numpy.ndarray of shape (n_series, n_static_texts), int32, or None
        1, 2, ... for the known categories, 0 for one not seen in training.
    said : tuple of str
        What was inferred of the columns, to be said.
    future_age : numpy.ndarray of shape (n_rows, n_future), int32, or None
        As `age`, of the future covariates; before the first value it reaches further back than
        the series.
    absent : numpy.ndarray of bool of shape (n_rows,) or None
        True where there was no row for the stamp. None where no stamp was absent.
    trimmed : numpy.ndarray of shape (n_series,), int64, or None
        Steps left out before each series, since not all of it had been observed yet.
    """

    values: np.ndarray
    offsets: np.ndarray
    ids: np.ndarray
    times: np.ndarray | None
    columns: ColumnRoles
    age: np.ndarray | None = None
    static: np.ndarray | None = None
    static_codes: np.ndarray | None = None
    said: tuple[str, ...] = ()
    future_age: np.ndarray | None = None
    absent: np.ndarray | None = None
    trimmed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of time steps of each series."""
        return np.diff(self.offsets)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred, filled or left out, to be said."""
        notes = list(self.said)
        if self.absent is not None and self.absent.any():
            notes.append(f"{int(self.absent.sum())} absent time stamps were filled in")
        if self.trimmed is not None and self.trimmed.any():
            n_steps = int(self.trimmed.sum())
            notes.append(f"{n_steps} steps before the first observed value were left out")
        n_filled = sum(
            int((age > 0).sum()) for age in (self.age, self.future_age) if age is not None
        )
        if n_filled:
            among = any("absent time stamps" in note for note in notes)
            those = "values, those of absent stamps among them," if among else "missing values"
            notes.append(f"{n_filled} {those} were filled ({self.columns.missing})")
        return tuple(notes)

    @property
    def n_targets(self) -> int:
        """Number of target channels."""
        return len(self.columns.targets)

    @property
    def n_past(self) -> int:
        """Number of channels known up to now, besides the targets."""
        return len(self.columns.past_channels)

    @property
    def n_future(self) -> int:
        """Number of channels known over the horizon."""
        return len(self.columns.future_channels)

    @property
    def frequency(self) -> str | None:
        """Pandas alias of a time step, or None without stamps."""
        return None if self.columns.clock is None else self.columns.clock.frequency

    @cached_property
    def rows_of_series(self) -> np.ndarray:
        """For every row the number of its series."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def targets(self, series: int) -> np.ndarray:
        """Targets of one series, ``(n_timesteps, n_targets)``; NaN where not observed."""
        rows = slice(self.offsets[series], self.offsets[series + 1])
        values = self.values[rows, : self.n_targets].astype(np.float64)
        if self.age is not None:
            values[self.age[rows, : self.n_targets] > 0] = np.nan
        return values

    def stamps(self, series: int | None = None) -> Any:
        """Stamps as pandas shows them, in their zone; of one series or of all rows."""
        if self.times is None:
            return None
        rows = slice(None)
        if series is not None:
            rows = slice(self.offsets[series], self.offsets[series + 1])
        return self.shown(self.times[rows])

    def shown(self, times: np.ndarray) -> Any:
        """Stamps of this panel's clock as a pandas index, or integers as they are."""
        clock = self.columns.clock
        return times if clock is None or clock.integer else clock.local(times)

    # --- parts ---------------------------------------------------------------------------------

    def rows(self, first: np.ndarray, stop: np.ndarray) -> Panel:
        """Keep rows ``first[i]`` to ``stop[i]`` (counted within the series) of series ``i``."""
        first = np.clip(first, 0, self.lengths)
        stop = np.clip(stop, first, self.lengths)
        if (first == 0).all() and (stop == self.lengths).all():
            return self
        part = self._taken(np.arange(len(self)), first, stop)
        return dataclasses.replace(part, age=part._age_within()) if first.any() else part

    def tail(self, n_steps: int) -> Panel:
        """The last `n_steps` steps of every series, or all of a shorter one."""
        return self.until(self.lengths, n_steps=n_steps)

    def select(self, series: Any) -> Panel:
        """The series with these numbers, or where a mask is true, in this order."""
        series = np.arange(len(self))[series]
        return self._taken(series, np.zeros_like(series), self.lengths[series])

    def until(self, stop: np.ndarray, series: Any = None, n_steps: int | None = None) -> Panel:
        """Series as they were known when a row of theirs was the last one.

        What was filled in a gap at the new end holds the last value that was observed: nothing of
        a later one is left in it. So a slice of a panel is the panel of a slice.

        Parameters
        ----------
        stop : numpy.ndarray of int
            The row after the last one that is kept, counted within the series; at least 1.
        series : numpy.ndarray of int, default=None
            The series that `stop` is of, in any order and also more than once; default: each.
        n_steps : int, default=None
            Keep at most so many steps before the end.
        """
        series = np.arange(len(self)) if series is None else np.arange(len(self))[series]
        first = np.zeros_like(stop) if n_steps is None else np.maximum(stop - n_steps, 0)
        if (
            np.array_equal(series, np.arange(len(self)))
            and np.array_equal(stop, self.lengths)
            and not first.any()
        ):
            return self
        part = self._taken(series, first, stop)
        last = self.offsets[series] + stop - 1
        n_before = self.n_targets + self.n_past
        if self.age is not None and part.age is not None:
            part = dataclasses.replace(part, values=part.values.copy(), age=part._age_within())
            part._hold(self, self.age, last, 0)
        if self.future_age is not None:
            back = self.future_age[last]
            never = np.argwhere(back >= stop[:, None])
            if len(never):
                raise never_observed(
                    "data", part.ids[never[0][0]], self.columns.future[never[0][1]]
                )
            part._hold(self, self.future_age, last, n_before)
        return part

    def _age_within(self) -> np.ndarray | None:
        """Ages that reach no further back than each series does: before it are rows of another."""
        if self.age is None:
            return None
        step = np.arange(len(self.age)) - np.repeat(self.offsets[:-1], self.lengths)
        age: np.ndarray = np.minimum(self.age, step[:, None].astype(np.int32))
        return age

    def _hold(self, whole: Panel, age: np.ndarray, last: np.ndarray, channel: int) -> None:
        """Hold the values observed last in the gaps at the end of this fresh part of a panel.

        Parameters
        ----------
        whole : Panel
        age : numpy.ndarray of shape (n_all_rows, n_columns)
            Of neighbouring channels of `whole`.
        last : numpy.ndarray of shape (n_series,)
            The row of `whole` that ends each series here.
        channel : int
            The first of them.
        """
        lengths = self.lengths
        to_end = np.repeat(self.offsets[1:] - 1, lengths) - np.arange(len(self.values))
        back = age[last]
        for column in np.flatnonzero(back.any(axis=0)):
            held = whole.values[last - back[:, column], channel + column]
            gap = to_end < np.repeat(back[:, column], lengths)
            self.values[gap, channel + column] = np.repeat(held, lengths)[gap]

    def _taken(self, series: np.ndarray, first: np.ndarray, stop: np.ndarray) -> Panel:
        """Rows ``first[i]`` to ``stop[i]`` of series ``series[i]``."""
        lengths = stop - first
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        take: Any = np.arange(offsets[-1]) + np.repeat(
            self.offsets[series] + first - offsets[:-1], lengths
        )
        if len(series) == 1:  # of one series no copy is needed
            take = slice(*(int(self.offsets[series[0]] + step[0]) for step in (first, stop)))

        def part(column: np.ndarray | None, at: Any) -> Any:
            return None if column is None else column[at]

        return dataclasses.replace(
            self,
            values=self.values[take],
            offsets=offsets,
            ids=self.ids[series],
            times=part(self.times, take),
            age=part(self.age, take),
            static=part(self.static, series),
            static_codes=part(self.static_codes, series),
            future_age=part(self.future_age, take),
            absent=part(self.absent, take),
            trimmed=part(self.trimmed, series),
        )

    def recoded(self, categories: tuple[tuple[str, tuple[str, ...]], ...]) -> Panel:
        """The same panel with static texts numbered by other known values; 0 for one of none."""
        columns = dataclasses.replace(self.columns, categories=categories)
        if self.static_codes is None or columns == self.columns:
            return dataclasses.replace(self, columns=columns)
        codes = np.zeros_like(self.static_codes)
        for k, ((_, old), (_, new)) in enumerate(
            zip(self.columns.categories, categories, strict=True)
        ):
            number = {text: i + 1 for i, text in enumerate(new)}
            codes[:, k] = np.array([0, *(number.get(text, 0) for text in old)])[
                self.static_codes[:, k]
            ]
        return dataclasses.replace(self, columns=columns, static_codes=codes)

    def categories(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The texts of the static columns that the series here have, sorted."""
        categories = []
        for k, (name, known) in enumerate(self.columns.categories):
            assert self.static_codes is not None
            codes = np.unique(self.static_codes[:, k])
            categories.append((name, tuple(sorted(known[code - 1] for code in codes if code))))
        return tuple(categories)

    # --- the future ----------------------------------------------------------------------------

    def future_times(self, n_steps: int) -> np.ndarray | None:
        """Stamps after the end of every series, ``(n_series, n_steps)``, or None."""
        if self.times is None or self.columns.clock is None:
            return None
        return self.columns.clock.after(self.times[self.offsets[1:] - 1], n_steps)

    def extend(self, steps: np.ndarray) -> Panel:
        """Append rows after the end of every series.

        Parameters
        ----------
        steps : numpy.ndarray of shape (n_series, n_steps, n_channels)
            Channels not known yet hold any finite number.
        """
        n_steps = steps.shape[1]
        offsets = self.offsets + n_steps * np.arange(len(self) + 1)
        where = np.arange(len(self.values)) + n_steps * self.rows_of_series
        added = ((offsets[1:] - n_steps)[:, None] + np.arange(n_steps)).ravel()
        values = np.empty((len(self.values) + len(added), self.values.shape[1]))
        values[where] = self.values
        values[added] = steps.reshape(len(added), -1)
        times = self.times
        if times is not None:
            future = self.future_times(n_steps)
            assert future is not None
            times = np.empty(len(values), times.dtype)
            times[where] = self.times
            times[added] = future.ravel()
        age = self.age
        if age is not None:
            age = np.zeros((len(values), age.shape[1]), np.int32)
            age[where] = self.age
        return dataclasses.replace(
            self,
            values=values,
            offsets=offsets,
            times=times,
            age=age,
            future_age=None,  # for reading only: what is appended is no reading
            absent=None,
        )

    def covariates(self, series: np.ndarray, first: np.ndarray, n_steps: int) -> np.ndarray:
        """Future covariates of `n_steps` rows from row ``first[i]`` of series ``series[i]`` on.

        NaN where a value was not observed.
        """
        rows = (self.offsets[series] + first)[:, None] + np.arange(n_steps)
        n_before = self.n_targets + self.n_past
        known: np.ndarray = self.values[:, n_before : n_before + len(self.columns.future)][rows]
        if self.future_age is not None:
            known[self.future_age[rows] > 0] = np.nan
        return known

    def future_frame(self, n_steps: int) -> pd.DataFrame:
        """Ids and stamps after the end of every series, one row a step: a forecast's first columns.

        Without stamps the steps are counted from 1.
        """
        ids = np.repeat(self.ids, n_steps)
        frame = {} if self.columns.series_id is None else {self.columns.series_id: ids}
        times = self.future_times(n_steps)
        if times is None:
            frame["step"] = np.tile(np.arange(1, n_steps + 1), len(self))
        else:
            frame[self.columns.time or "time"] = self.shown(times.ravel())
        return pd.DataFrame(frame)

    def calendar(self, times: np.ndarray) -> np.ndarray:
        """Calendar channels at any stamps, ``(n, 2 * len(calendar))``."""
        assert self.columns.clock is not None
        return calendar_features(self.columns.clock.local(times), self.columns.calendar)

    # --- checks --------------------------------------------------------------------------------

    def longer_than(self, n_steps: int, where: str, why: str) -> None:
        """Raise unless every series has at least `n_steps` steps; name those that have not."""
        short = np.flatnonzero(self.lengths < n_steps)
        if len(short):
            raise DataError(
                explain(
                    where,
                    "every series",
                    f"at least {n_steps} time steps long ({why})",
                    self.named(short),
                    "Leave these series out, or use a shorter context_length or horizon.",
                )
            )

    def named(self, series: np.ndarray, limit: int = 5) -> str:
        """Name series with their lengths: ``'a' (3 steps), 'b' (5 steps) and 7 more``."""
        shown = [f"{self.ids[i]!s} ({self.lengths[i]} steps)" for i in series[:limit]]
        rest = len(series) - len(shown)
        return ", ".join(shown) + (f" and {rest} more" if rest else "")
