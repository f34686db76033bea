"""Panels: many series of unequal length as one block of values, with their stamps and names."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.stamps import Clock, calendar_features
from seqkit.errors import DataError, explain

__all__ = ["Columns", "Panel"]


@dataclass(frozen=True)
class Columns:
    """What the columns of a panel are: enough to read the next frame in the same way.

    Parameters
    ----------
    targets, past, future, static : tuple of str
        Names as the user gave them. ``past`` is known up to now, ``future`` over the horizon too,
        ``static`` is one value a series.
    series_id, time : str or None
        Columns of the frame; None where there is one series, or no stamps.
    calendar : tuple of str
        Calendar features computed from the stamps (future covariates), see
        :data:`seqkit.data.stamps.CALENDAR`.
    clock : Clock or None
        Frequency and zone of the stamps.
    missing : {"error", "interpolate", "indicator"}
    categories : tuple of (str, tuple of str)
        For every static column of text its known values; numbers have none.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    series_id: str | None = None
    time: str | None = None
    calendar: tuple[str, ...] = ()
    clock: Clock | None = None
    missing: str = "error"
    categories: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, to be saved."""
        return {
            **self.__dict__,
            "clock": None if self.clock is None else dict(self.clock.__dict__),
            "categories": tuple((name, tuple(known)) for name, known in self.categories),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Columns:
        """Undo :meth:`to_dict`."""
        clock = values["clock"]
        return cls(**{**values, "clock": None if clock is None else Clock(**clock)})

    @property
    def past_channels(self) -> tuple[str, ...]:
        """Channels known up to now, besides the targets: covariates, then missing-value masks."""
        masks = (*self.targets, *self.past) if self.missing == "indicator" else ()
        return (*self.past, *(f"{name}_missing" for name in masks))

    @property
    def future_channels(self) -> tuple[str, ...]:
        """Channels known over the horizon: covariates, masks, a sine and a cosine a calendar."""
        masks = self.future if self.missing == "indicator" else ()
        cycles = (f"{name}_{part}" for name in self.calendar for part in ("sin", "cos"))
        return (*self.future, *(f"{name}_missing" for name in masks), *cycles)

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels of :attr:`Panel.values`, in order."""
        return (*self.targets, *self.past_channels, *self.future_channels)

    @property
    def static_numbers(self) -> tuple[str, ...]:
        """Static columns that hold numbers."""
        known = dict(self.categories)
        return tuple(name for name in self.static if name not in known)


@dataclass(frozen=True)
class Panel:
    """Series one after the other.

    Parameters
    ----------
    values : numpy.ndarray of shape (n_rows, n_channels), float64
        Targets first, then channels known up to now, then channels known over the horizon;
        :attr:`Columns.channels` names them. Without gaps: what was missing has been filled.
    offsets : numpy.ndarray of shape (n_series + 1,), int64
        Series ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    ids : numpy.ndarray of shape (n_series,)
    times : numpy.ndarray of shape (n_rows,) or None
        ``datetime64[us]`` (UTC where zoned) or integer steps.
    columns : Columns
    age : numpy.ndarray of shape (n_rows, n_targets + n_past), int32, or None
        Steps since the value of a target or past covariate was last observed, 0 where it was.
        None where nothing is missing. A forecast made in a gap must not see a value that was
        interpolated towards the gap's far end: windows take the last observed one instead.
    static : numpy.ndarray of shape (n_series, n_static_numbers), float32, or None
    static_codes : numpy.ndarray of shape (n_series, n_static_texts), int32, or None
        1, 2, ... for the known categories, 0 for one not seen in training.
    notes : tuple of str
        What was inferred, filled or left out, to be said.
    """

    values: np.ndarray
    offsets: np.ndarray
    ids: np.ndarray
    times: np.ndarray | None
    columns: Columns
    age: np.ndarray | None = None
    static: np.ndarray | None = None
    static_codes: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of time steps of each series."""
        return np.diff(self.offsets)

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
        lengths = stop - first
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if (first == 0).all() and (stop == self.lengths).all():
            return self
        if (lengths == lengths[0]).all() and len(self) > 1:
            take = ((self.offsets[:-1] + first)[:, None] + np.arange(lengths[0])).ravel()
        else:
            take = np.arange(offsets[-1]) + np.repeat(
                self.offsets[:-1] + first - offsets[:-1], lengths
            )
        if len(self) == 1:
            take = slice(int(first[0]), int(stop[0]))
        return dataclasses.replace(
            self,
            values=self.values[take],
            offsets=offsets,
            times=None if self.times is None else self.times[take],
            age=None if self.age is None else self.age[take],
        )

    def head(self, drop: int) -> Panel:
        """Every series without its last `drop` steps."""
        return self.rows(np.zeros_like(self.lengths), self.lengths - drop)

    def tail(self, n_steps: int) -> Panel:
        """The last `n_steps` steps of every series, or all of a shorter one."""
        return self.rows(self.lengths - n_steps, self.lengths)

    def select(self, series: Any) -> Panel:
        """The series with these numbers, or where a mask is true, in this order."""
        series = np.arange(len(self))[series]
        lengths = self.lengths[series]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        take = np.arange(offsets[-1]) + np.repeat(self.offsets[series] - offsets[:-1], lengths)
        return dataclasses.replace(
            self,
            values=self.values[take],
            offsets=offsets,
            ids=self.ids[series],
            times=None if self.times is None else self.times[take],
            age=None if self.age is None else self.age[take],
            static=None if self.static is None else self.static[series],
            static_codes=None if self.static_codes is None else self.static_codes[series],
        )

    def split(self, validation: int, test: int = 0, context: int = 0) -> tuple[Panel, Panel, Panel]:
        """Cut the tail of every series off for validation and test.

        Parameters
        ----------
        validation, test : int
            Time steps; the test part is the last one.
        context : int, default=0
            Steps before its part that the validation and the test panel carry, so that forecasts
            can be made from their first step on.

        Returns
        -------
        train, validation, test : Panel
        """
        end = self.lengths - test
        middle = end - validation
        zero = np.zeros_like(end)
        return (
            self.rows(zero, middle),
            self.rows(middle - context, end),
            self.rows(end - context, self.lengths),
        )

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
        return dataclasses.replace(self, values=values, offsets=offsets, times=times, age=age)

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
