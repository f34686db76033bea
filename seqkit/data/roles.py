"""Which column plays which role: series, time, target, feature, covariate, static, label.

A recipe, an estimator and a reader name columns; what they leave open is decided here, once:
:class:`Roles` for a table of labelled series, :func:`forecast_roles` for a long frame that is
forecast, and :class:`ColumnRoles` for what a forecaster has been fitted on. What `seqkit init`
guesses of a file without a description is in :mod:`seqkit.data.guesses`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqkit.data.missing import check_missing
from seqkit.data.numbers import floats
from seqkit.data.stamps import calendar_channels, check_calendar, is_stamped
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.data.clock import Clock

__all__ = [
    "DEFAULT_ID",
    "DEFAULT_TARGET",
    "DEFAULT_TIME",
    "ColumnRoles",
    "Roles",
    "as_names",
    "check_present",
    "feature_columns",
    "forecast_roles",
    "time_column",
]

log = logging.getLogger(__name__)

# The names Nixtla's libraries use.
DEFAULT_ID, DEFAULT_TIME, DEFAULT_TARGET = "unique_id", "ds", "y"


def as_names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that one name, several or none stand for."""
    return (given,) if isinstance(given, str) else tuple(given or ())


class Roles:
    """Which column of a table means what, checked against the columns there are.

    Parameters
    ----------
    target : str or sequence of str, optional
    features : sequence of str, optional
        Default: every numeric column left over.
    series_id, group : str, optional
    time : str or sequence of str, optional
        Several columns, such as a date and a time of day, are joined to one.
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        features: Sequence[str] | None = None,
        series_id: str | None = None,
        time: str | Sequence[str] | None = None,
        group: str | None = None,
    ) -> None:
        self.targets: tuple[str, ...] = as_names(target)
        self.single_target = isinstance(target, str)
        self.features = None if features is None else tuple(features)
        self.series_id, self.group = series_id, group
        self.times = as_names(time)
        self.time = "_".join(self.times) or None

    @property
    def labels(self) -> list[str]:
        """Columns whose text is no number and never "missing" by its spelling alone."""
        return [c for c in (*self.targets, self.series_id, self.group) if c is not None]

    def check(self, columns: Sequence[str], where: str) -> None:
        """Raise where a role names a column that is not there, or two roles name one column."""
        given = [
            *(("target", name) for name in self.targets),
            *(("features", name) for name in self.features or ()),
            ("series_id", self.series_id),
            *(("time", name) for name in self.times),
            ("group", self.group),
        ]
        taken: dict[str, str] = {}
        for role, name in given:
            if name is None:
                continue
            if name not in columns:
                shown = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
                expected = f"a column of the file ({shown})"
                raise DataError(explain(where, role, expected, name, suggest(name, columns)))
            # A group may be the very series; everything else has one meaning.
            if name in taken and {role, taken[name]} != {"series_id", "group"}:
                expected = f"another column than {taken[name]}"
                raise DataError(explain(where, role, expected, name))
            taken[name] = role


def feature_columns(
    frame: pd.DataFrame, roles: Roles, where: str, check: Callable[[pd.Series], Any]
) -> list[str]:
    """Return the columns of values: those named, or every numeric one that has no other role.

    Parameters
    ----------
    frame : pandas.DataFrame
    roles : Roles
    where : str
        The file, for messages.
    check : callable
        Raises where a column that is mostly numbers holds something else.
    """
    import pandas as pd

    if roles.features is not None:
        return list(roles.features)
    taken = {*roles.labels, roles.time}
    chosen, left_out = [], []
    for name in frame.columns:
        if name in taken:
            continue
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            chosen.append(name)
            continue
        if not pd.api.types.is_datetime64_any_dtype(column.dtype):
            known = column.dropna()
            # One bad cell turns a column of numbers into text: an error, not a text column.
            if floats(known).notna().sum() * 2 >= max(len(known), 1):
                check(column)
                chosen.append(name)
                continue
        left_out.append(name)
    if not chosen:
        expected = "at least one numeric column besides target, series_id, time and group"
        raise DataError(explain(where, "the features", expected, list(frame.columns)[:12]))
    if left_out:
        log.warning("%s: columns that are no numbers are left out: %s", where, ", ".join(left_out))
    return chosen


@dataclass(frozen=True)
class ColumnRoles:
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
    def from_dict(cls, values: dict[str, Any]) -> ColumnRoles:
        """Undo :meth:`to_dict`."""
        from seqkit.data.clock import Clock

        clock = values["clock"]
        return cls(**{**values, "clock": None if clock is None else Clock(**clock)})

    @property
    def series(self) -> tuple[str, ...]:
        """Columns that hold a number a step: the first channels, before masks and calendar."""
        return (*self.targets, *self.past, *self.future)

    @property
    def named(self) -> tuple[str, ...]:
        """All columns of a frame that have a role."""
        keys = tuple(name for name in (self.series_id, self.time) if name is not None)
        return (*keys, *self.series, *self.static)

    @property
    def past_channels(self) -> tuple[str, ...]:
        """Channels known up to now, besides the targets: covariates, then missing-value masks."""
        masks = (*self.targets, *self.past) if self.missing == "indicator" else ()
        return (*self.past, *(f"{name}_missing" for name in masks))

    @property
    def future_channels(self) -> tuple[str, ...]:
        """Channels known over the horizon: covariates, masks, two a calendar feature."""
        masks = self.future if self.missing == "indicator" else ()
        cycles = (channel for name in self.calendar for channel in calendar_channels(name))
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


def forecast_roles(
    table: pd.DataFrame,
    *,
    series_id: str | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    past_covariates: str | Sequence[str] | None = (),
    future_covariates: str | Sequence[str] | None = (),
    static_covariates: str | Sequence[str] | None = (),
    calendar: Sequence[str] = (),
    missing: str = "error",
    where: str = "data",
) -> tuple[ColumnRoles, list[str]]:
    """Decide which column of a long frame is which.

    Parameters
    ----------
    table : pandas.DataFrame
    series_id, time, target : str, default=None
        By default ``unique_id``, ``ds`` (else the only column of stamps) and ``y`` (else the only
        column of numbers that is left). Several targets as a list.
    past_covariates, future_covariates, static_covariates, calendar, missing
        As :func:`seqkit.data.frames.panel_from_frame` takes them.
    where : str, default="data"
        What an error begins with.

    Returns
    -------
    columns : ColumnRoles
    unused : list of str
        Columns without a role.
    """
    names = list(table.columns)
    if series_id is None and DEFAULT_ID in names:
        series_id = DEFAULT_ID
    if time is None:
        time = time_column(table, where)
    lists = []
    for label, given in (
        ("past", past_covariates),
        ("future", future_covariates),
        ("static", static_covariates),
    ):
        lists.append(as_names(given))
        if len(set(lists[-1])) < len(lists[-1]):
            raise DataError(explain(where, f"{label}_covariates", "different columns", lists[-1]))
    past, future, static = lists
    if target is None:
        target = _target_column(table, {series_id, time, *past, *future, *static}, where)
    targets = as_names(target)
    taken: dict[str, str] = {}
    for role, members in (
        ("series_id", as_names(series_id)),
        ("time", as_names(time)),
        ("target", targets),
        ("past_covariates", past),
        ("future_covariates", future),
        ("static_covariates", static),
    ):
        for name in members:
            if name in taken:
                got = f"{taken[name]} and {role}"
                raise DataError(explain(where, f"column {name!r}", "in one role", got))
            taken[name] = role
    calendar = check_calendar(calendar)
    if calendar and time is None:
        hint = "Name the column of stamps with `time`."
        raise DataError(explain(where, "calendar", "used with time stamps", list(calendar), hint))
    check_missing(missing, where)
    columns = ColumnRoles(targets, past, future, static, series_id, time, calendar, None, missing)
    return columns, [str(name) for name in names if name not in taken]


def time_column(table: pd.DataFrame, where: str) -> str | None:
    """Return the column of stamps where none is named: ``ds``, else the only one of dates."""
    if DEFAULT_TIME in table.columns:
        return DEFAULT_TIME
    stamped = [str(name) for name in table.columns if is_stamped(table[name])]
    if len(stamped) > 1:
        expected = "named, as there are several columns of stamps"
        raise DataError(explain(where, "time", expected, ", ".join(stamped)))
    return stamped[0] if stamped else None


def _target_column(table: pd.DataFrame, taken: set[str | None], where: str) -> str:
    import pandas as pd

    if DEFAULT_TARGET in table.columns and DEFAULT_TARGET not in taken:
        return DEFAULT_TARGET
    left = [
        str(name)
        for name in table.columns
        if name not in taken and pd.api.types.is_numeric_dtype(table[name].dtype)
    ]
    if len(left) == 1:
        return left[0]
    expected = "named, as there is not just one column of numbers left"
    got = ", ".join(left) or "no column of numbers"
    hint = "Name the columns to forecast with `target`."
    raise DataError(explain(where, "target", expected, got, hint))


def check_present(names: Sequence[str], table: pd.DataFrame, where: str) -> None:
    """Raise on the first of `names` that is no column of a table; suggest near ones."""
    for name in names:
        if name not in table.columns:
            known = [str(column) for column in table.columns]
            expected = f"one of {', '.join(known)}"
            hint = suggest(name, known)
            raise DataError(explain(where, f"column {name!r}", expected, "no such column", hint))
