"""Series in tables, wide (a row a series) or long (a row a step): one :class:`Table` for each."""

from __future__ import annotations

import contextlib
import csv
import logging
import re
import reprlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.archive import Read, check_utf8
from seqkit.data.date_parts import joined_stamps
from seqkit.data.delimited import clean, codec, read_csv
from seqkit.data.dialect import SPACES, Dialect, ReadSettings, find_dialect
from seqkit.data.files import PACKINGS, check_columns, check_names, open_text
from seqkit.data.labels import series_name
from seqkit.data.numbers import (
    NUMBER,
    SENTINELS,
    column_numbers,
    sentinel_of,
)
from seqkit.data.parquet import read_feather, read_parquet
from seqkit.data.roles import Roles, feature_columns
from seqkit.data.sequences import Sequences
from seqkit.data.stamps import Stamps, on_clock, read_stamps, unread_stamps
from seqkit.data.workbooks import read_json_lines, read_workbook
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Table",
    "column_names",
    "has_header",
    "is_typed",
    "long_series",
    "read_long",
    "read_table",
    "read_wide",
]

log = logging.getLogger(__name__)

# Formats that state their own types, by ending; all others are text.
TYPED: dict[str, Callable[[Path, ReadSettings], pd.DataFrame]] = {
    ".parquet": lambda path, settings: read_parquet(path),
    ".feather": lambda path, settings: read_feather(path),
    ".xlsx": read_workbook,
    ".jsonl": read_json_lines,
}


@dataclass(frozen=True)
class Table:
    """A table that was read, and where its cells stand in the file.

    Attributes
    ----------
    frame : pandas.DataFrame
    path : Path
    dialect : Dialect or None
        None for formats without lines.
    settings : ReadSettings
    """

    frame: pd.DataFrame
    path: Path
    dialect: Dialect | None
    settings: ReadSettings

    def place_of(self, row: int) -> str:
        """Return "FILE:LINE" of a data row (from 0) of a text file, else "FILE: row ROW".

        The lines are counted only now that an error needs one: quoted cells may hold line breaks
        and blank lines are no rows.
        """
        at = self.dialect
        if at is None or at.separator == SPACES:
            return f"{self.path}: row {row}"
        # the error that asks for the line must not be lost where the file has changed meanwhile
        with (
            contextlib.suppress(OSError, ValueError, csv.Error),
            open_text(self.path, "", codec(at)) as file,
        ):
            for _ in range(at.skip):
                next(file)
            kept = (line if not (at.comments and line[:1] == "#") else "\n" for line in file)
            reader = csv.reader(kept, delimiter=at.separator)
            lines = (reader.line_num for c in reader if len(c) > 1 or "".join(c).strip())
            for count, number in enumerate(lines):
                if count == row + at.header:
                    return f"{self.path}:{number + at.skip}"
        return f"{self.path}: row {row}"

    def numbers(self, name: str, role: str = "feature") -> np.ndarray:
        """Return a column as float64, or raise an error that names the first that is no number."""
        column = self.frame[name]
        numbers, odd = column_numbers(column)
        if odd is not None:
            hint = "Leave the column out of the features, correct the cell, or name what it says " \
                   "under data.missing_values."  # fmt: skip
            where, what = self.place_of(odd), f"{role} {name!r}"
            raise DataError(explain(where, what, "a number in every row", column.iloc[odd], hint))
        return numbers

    def labels(self, name: str, role: str) -> np.ndarray:
        """Return a column of labels as a plain array: integers, floats, booleans or text."""
        import pandas as pd

        column = self.frame[name]
        what = f"{role} {name!r}"
        empty = np.flatnonzero(column.isna().to_numpy())
        if empty.size:
            where = self.place_of(int(empty[0]))
            raise DataError(explain(where, what, "present in every row", "nothing"))
        if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
            array = column.to_numpy()
            plain = array if array.dtype.kind in "biuf" else np.array(array.tolist())
            if plain.dtype.kind == "f" and not np.isfinite(plain).all():
                row = int(np.flatnonzero(~np.isfinite(plain))[0])
                raise DataError(explain(self.place_of(row), what, "finite", plain[row].item()))
            return plain
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            return column.to_numpy()
        return np.array(column.astype(str).tolist())

    def stamps(self, name: str, series: np.ndarray | None = None) -> Stamps:
        """Return time stamps: numbers, or datetime64 with zones turned to UTC.

        Parameters
        ----------
        name : str
            Of the column.
        series : numpy.ndarray of int, optional
            Which series a row belongs to.

        Raises
        ------
        DataError
            Names the line of the first cell that is no stamp, or both readings where there are two.
        """
        settings, column = self.settings, self.frame[name]
        stamps = read_stamps(column, settings.date_format, settings.day_first)
        what = f"time {name!r}"
        if error := unread_stamps(stamps, column, self.place_of, what):
            raise error
        if settings.time_zone is not None:
            stamps = on_clock(stamps, settings.time_zone, series)
            if len(stamps.unread):
                row = int(stamps.unread[0])
                expected = f"an hour that there is on the clock of {settings.time_zone}"
                hint = "The clock is set forward there; are the stamps of another zone?"
                raise DataError(
                    explain(self.place_of(row), what, expected, str(column.iloc[row]), hint)
                )
        if stamps.form not in ("", "ISO 8601"):
            known = f"{column.iloc[0]} is {_shown(stamps.values)}"
            log.info("%s: time %r was read as %s: %s", self.path, name, stamps.form, known)
        return stamps


def read_table(
    path: Path, roles: Roles | None = None, settings: ReadSettings | None = None
) -> Table:
    """Read a table of any format; those of text may be compressed.

    Parameters
    ----------
    path : Path
    roles : Roles, optional
        Columns of labels are read as they are spelled: "None" and "NA" can be labels. Several
        columns of `time` become one, named ``roles.time``.
    settings : ReadSettings, optional

    Raises
    ------
    DataError
        A damaged file, a column name twice, no rows, lines of unequal length.
    """
    roles, settings = roles or Roles(), settings or ReadSettings()
    load = _typed(path)
    dialect = None if load else find_dialect(path, settings)
    frame = load(path, settings) if load else None
    columns = list(dialect.columns if frame is None else frame.columns)  # type: ignore[union-attr]
    check_columns(str(path), len(columns))
    check_names(columns, str(path), "the name of a column")
    if len(set(columns)) < len(columns):
        name = next(one for one, count in Counter(columns).items() if count > 1)
        raise DataError(explain(str(path), "every column name", "used once", name))
    for one in columns:
        check_utf8(one, str(path))
    roles.check(columns, str(path))
    if frame is None:
        assert dialect is not None
        frame = read_csv(path, dialect, roles, settings)
        clean(frame, path, dialect, roles)
    if not len(frame):
        raise DataError(explain(str(path), "the number of rows", "at least 1", 0))
    if settings.missing_values:
        for name in frame.columns.difference([*roles.labels, *roles.times]):
            frame[name] = frame[name].mask(frame[name].isin(list(settings.missing_values)))
    for name in roles.labels:
        check_names(frame[name].unique(), str(path), f"every cell of {name!r}")
    if len(roles.times) > 1:
        joined = joined_stamps(frame, roles.times, str(path), settings.day_first)
        frame = frame.drop(columns=list(roles.times))
        frame.insert(0, str(roles.time), joined)
        first = _shown(joined.to_numpy().astype("M8[us]"))
        log.info("%s: %s make one stamp, the first %s", path, ", ".join(roles.times), first)
    _tell_of_sentinels(frame.drop(columns=[c for c in roles.labels if c in frame]), path)
    return Table(frame, path, dialect, settings)


def _shown(values: np.ndarray) -> str:
    """Return the first of some dates, its time of day where any of them has one."""
    unit = "D" if (values == values.astype("M8[D]")).all() else "s"
    return str(values[0].astype(f"M8[{unit}]"))


def _typed(path: Path) -> Callable[[Path, ReadSettings], pd.DataFrame] | None:
    """Return what reads a format that states its own types; None for text."""
    name = path.name.lower()
    packed = name.removesuffix(path.suffix.lower()) if path.suffix.lower() in PACKINGS else name
    return next((load for ending, load in TYPED.items() if packed.endswith(ending)), None)


def is_typed(path: Path) -> bool:
    """Return whether the format of a table states its own types: of text it does not."""
    return _typed(path) is not None


def column_names(path: Path, settings: ReadSettings | None = None) -> list[str]:
    """Return the names of the columns of a table."""
    settings = settings or ReadSettings()
    load = _typed(path)
    return list(load(path, settings).columns if load else find_dialect(path, settings).columns)


def has_header(path: Path) -> bool:
    """Whether the first line of a `.tsv` names columns, and is no series of the UCR archive."""
    with open_text(path) as file:
        line = next((text for text in file if text.strip()), "")
    cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")][1:]
    return any(cell and cell != "?" and not NUMBER.fullmatch(cell) and not re.fullmatch(
        r"[+-]?(nan|inf(inity)?)", cell, re.IGNORECASE) for cell in cells)  # fmt: skip


def _tell_of_sentinels(frame: pd.DataFrame, path: Path) -> None:
    """Point out numbers such as -999 that stand far from all others of their column."""
    numbers = frame.select_dtypes("number")
    if numbers.empty:
        return
    ends = numbers.min().isin(SENTINELS) | numbers.max().isin(SENTINELS)
    found: dict[float, list[tuple[str, int]]] = {}
    for name in numbers.columns[ends.to_numpy()]:
        seen = sentinel_of(numbers[name].to_numpy(dtype=np.float64, na_value=np.nan))
        if seen is not None:
            found.setdefault(seen[0], []).append((str(name), seen[1]))
    for value, columns in found.items():
        names = ", ".join(repr(name) for name, _ in columns[:5])
        more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
        log.warning(
            "%s: column %s%s: %g stands in %d of %d rows, far from all other values; if that means "
            "missing, say data.missing_values: [%g]",
            path, names, more, value, max(count for _, count in columns), len(frame), value,
        )  # fmt: skip


def _targets(columns: list[np.ndarray], roles: Roles) -> np.ndarray | None:
    if not columns:
        return None
    return columns[0] if roles.single_target else np.stack(columns, axis=1)


def read_wide(path: Path, roles: Roles, settings: ReadSettings | None = None) -> Read:
    """Read a table with one row a series: the columns, in the order of the file, are the steps.

    Empty cells (NaN) at the end of a row are padding: that series is shorter.

    Parameters
    ----------
    path : Path
    roles : Roles
        `time` has no meaning here and must be None.
    settings : ReadSettings, optional
    """
    import pandas as pd

    if roles.time is not None:
        hint = "Set layout: long if a row is a time step, or leave time out."
        raise DataError(explain(str(path), "time", "absent in the wide layout", roles.time, hint))
    table = read_table(path, roles, settings)
    columns = feature_columns(
        table.frame, roles, str(path), lambda column: table.numbers(str(column.name))
    )
    values = np.stack([table.numbers(name) for name in columns], axis=1)
    known = ~np.isnan(values)
    if not known.any(axis=1).all():
        row = int(np.flatnonzero(~known.any(axis=1))[0])
        where = table.place_of(row)
        raise DataError(explain(where, "the series", "of at least one value", "none"))
    lengths = values.shape[1] - np.argmax(known[:, ::-1], axis=1)
    inside = np.arange(values.shape[1]) < lengths[:, None]

    def labels(name: str | None, role: str) -> np.ndarray | None:
        return None if name is None else table.labels(name, role)

    ids = labels(roles.series_id, "series_id")
    if ids is not None and len(set(ids.tolist())) < len(ids):
        row = int(np.flatnonzero(pd.Series(ids).duplicated())[0])
        hint = "Set layout: long if a row is a time step."
        where = table.place_of(row)
        raise DataError(
            explain(where, "series_id", "different in every row", ids[row].item(), hint)
        )
    sequences = Sequences(
        values[inside][:, None],
        np.concatenate([[0], np.cumsum(lengths)]),
        ("value",),
        y=_targets([table.labels(name, "target") for name in roles.targets], roles),
        ids=ids,
        groups=labels(roles.group, "group"),
    )
    return Read(sequences, lambda i, step: f"{table.place_of(i)}, column {columns[step]!r}")


def read_long(path: Path, roles: Roles, settings: ReadSettings | None = None) -> Read:
    """Read a table with one row a time step.

    Rows of one series need not be neighbours; their order in the file is the order of the steps,
    and `time`, where named, must ascend within each series, or is sorted where the settings say so.
    Without `series_id` the file is one series, named as the file is.

    Parameters
    ----------
    path : Path
    roles : Roles
    settings : ReadSettings, optional
    """
    return long_series(read_table(path, roles, settings), roles)


def long_series(table: Table, roles: Roles) -> Read:
    """Return the series of a table with one row a time step; see :func:`read_long`."""
    # long: the rows are brought into one order, which every column and every error shares
    import pandas as pd

    frame, path = table.frame, table.path
    if roles.series_id is None:
        codes, ids = np.zeros(len(frame), dtype=np.int64), np.array([series_name(path)])
    else:
        names = table.labels(roles.series_id, "series_id")
        codes, ids = pd.factorize(names)
    stamps = None if roles.time is None else table.stamps(roles.time, codes)
    times = None if stamps is None else stamps.values
    order = np.argsort(codes, kind="stable")  # rows of the file, series after series
    if times is not None and table.settings.sort:
        order = np.lexsort((times, codes))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))])
    starts = np.repeat(offsets[:-1], np.diff(offsets))  # (n_rows,)

    def locate(at: int) -> str:
        return table.place_of(int(order[at]))

    if times is not None:
        times = times[order]
        later = times[1:] > times[:-1]
        later[offsets[1:-1] - 1] = True  # between two series
        if not later.all():
            at = int(np.flatnonzero(~later)[0]) + 1
            twice = times[at] == times[at - 1]
            what = "the same time stamp twice" if twice else "an earlier one than the row before"
            got = f"{frame[roles.time].iloc[order[at]]} ({what})"
            expected = f"ascending within series {ids[codes[order[at]]].item()!r}"
            hint = (
                "Drop one of them, or name series_id."
                if twice
                else "Sort the rows by time first; data.sort: true does it."
            )
            raise DataError(explain(locate(at), f"time {roles.time!r}", expected, got, hint))

    def constant(name: str | None, role: str) -> np.ndarray | None:
        if name is None:
            return None
        column = table.labels(name, role)[order]
        differs = column != column[starts]
        if differs.any():
            at = int(np.argmax(differs))
            values = column[at].item(), column[starts[at]].item()
            raise _not_constant(locate(at), role, name, ids[codes[order[at]]].item(), values)
        labels: np.ndarray = column[offsets[:-1]]
        return labels

    targets = [constant(name, "target") for name in roles.targets]
    groups = constant(roles.group, "group")
    columns = feature_columns(
        frame, roles, str(path), lambda column: table.numbers(str(column.name))
    )
    values = np.stack([table.numbers(name) for name in columns], axis=1)
    sequences = Sequences(
        values[order],
        offsets,
        tuple(columns),
        y=_targets([t for t in targets if t is not None], roles),
        ids=np.asarray(ids),
        times=times,
        groups=groups,
        date_form="" if stamps is None else stamps.form,
    )
    return Read(sequences, lambda i, step: locate(int(offsets[i]) + step))


def _not_constant(where: str, role: str, name: str, series: Any, values: Any) -> DataError:
    """Return the error of a column that should have one value a series and has two `values`."""
    now, before = map(reprlib.repr, values)
    hint = "Name the column that tells the series apart as series_id."
    if role == "target":
        hint += " To predict a value at every step use task: forecasting, a label task: tagging."
    return DataError(
        f"{where}: {role} {name!r} must be the same in every row of series {series!r}; "
        f"got {now} after {before}. {hint}"
    )
