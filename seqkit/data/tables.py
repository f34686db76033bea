"""Series in `.csv` and `.parquet` files, wide (a row a series) or long (a row a step)."""

from __future__ import annotations

import contextlib
import csv
import logging
import reprlib
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.archive import Read, check_utf8
from seqkit.data.files import check_columns, check_names, open_bytes, open_text, reading
from seqkit.data.labels import series_name
from seqkit.data.numbers import column_numbers
from seqkit.data.parquet import read_parquet
from seqkit.data.roles import Roles, feature_columns
from seqkit.data.sequences import Sequences
from seqkit.data.stamps import FORMAT, read_stamps
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "as_numbers",
    "column_names",
    "place_of",
    "read_long",
    "read_table",
    "read_wide",
]

log = logging.getLogger(__name__)

# What pandas takes for missing, and the "?" of the archives.
MISSING_TEXT = ["", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "-NaN", "NULL", "null",
                "None", "<NA>"]  # fmt: skip


def read_table(path: Path, roles: Roles | None = None) -> pd.DataFrame:
    """Read a `.csv` (plain or gzipped) or `.parquet` file.

    Parameters
    ----------
    path : Path
    roles : Roles, optional
        Columns of labels are read as they are spelled: "None" and "NA" can be labels.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    DataError
        A damaged file, no header, a column name twice, no rows, lines of unequal length.
    """
    roles = roles or Roles()
    if is_parquet(path):
        frame = read_parquet(path)
        columns = list(frame.columns)
    else:
        columns = _header(path)
    check_columns(str(path), len(columns))
    check_names(columns, str(path), "the name of a column")
    if len(set(columns)) < len(columns):
        name = next(one for one, count in Counter(columns).items() if count > 1)
        raise DataError(explain(str(path), "every column name", "used once", name))
    roles.check(columns, str(path))
    if not is_parquet(path):
        frame = _read_csv(path, columns, roles)
    if not len(frame):
        raise DataError(explain(str(path), "the number of rows", "at least 1", 0))
    for name in roles.labels:
        check_names(frame[name].unique(), str(path), f"every cell of {name!r}")
    return frame


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a table."""
    return list(read_parquet(path).columns) if is_parquet(path) else _header(path)


def is_parquet(path: Path) -> bool:
    """Whether a file is parquet, by its ending."""
    return path.suffix.lower() == ".parquet"


def _read_csv(path: Path, columns: list[str], roles: Roles) -> pd.DataFrame:
    import pandas as pd

    # From pandas 3.1 on the default is exact and the argument deprecated.
    exact: dict[str, Any] = {} if _version(pd) >= (3, 1) else {"float_precision": "round_trip"}
    missing = {c: [""] if c in roles.labels else MISSING_TEXT for c in columns}
    try:
        with open_bytes(path) as file, warnings.catch_warnings():
            # A longer first row would lose its last cells with a mere warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            read: pd.DataFrame = pd.read_csv(
                file,
                encoding="utf-8-sig",
                header=0,
                names=columns,
                index_col=False,
                keep_default_na=False,
                low_memory=False,
                na_values=missing,
                **exact,
            )
            return read
    except DataError:
        raise
    except Exception as error:  # a parser has no fixed list of what it raises
        text = str(error).replace("Error tokenizing data. C error: ", "").strip()
        if isinstance(error, pd.errors.ParserWarning):
            text = "more cells in the first row"
        hint = "Quote cells that hold the separator."
        expected = f"{len(columns)} cells of UTF-8 text in every line"
        raise DataError(explain(str(path), "the table", expected, text, hint)) from error


def _version(module: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in module.__version__.split(".")[:2])


def _header(path: Path) -> list[str]:
    """Return the column names of a csv file, and refuse one that has none."""
    csv.field_size_limit(2**31 - 1)
    with open_text(path, newline="") as file, reading(path, "a table of quoted cells and commas"):
        rows = csv.reader(file)
        cells = next((row for row in rows if len(row) > 1 or "".join(row).strip()), None)
        number = rows.line_num
    if cells is None:
        raise DataError(explain(str(path), "the file", "a table", "blank lines"))
    check_utf8(",".join(cells), f"{path}:{number}")
    cells = [cell.strip() for cell in cells]
    if len(cells) == 1:
        for name, separator in (("semicolons", ";"), ("tabs", "\t")):
            if separator in cells[0]:
                hint = "Write it with commas and decimal points."
                raise DataError(explain(str(path), "cells", "parted by commas", name, hint))
    numbers = [_is_number(cell) for cell in cells]
    if all(numbers) and not all(cell.lstrip("+").isdigit() for cell in cells):
        hint = "Put the names of the columns in the first line."
        where = f"{path}:{number}"
        raise DataError(explain(where, "the line", "column names", ",".join(cells), hint))
    return [cell or f"column_{i}" for i, cell in enumerate(cells)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def place_of(path: Path, row: int) -> str:
    """Return "FILE:LINE" of a data row (from 0) of a csv file, or "FILE: row ROW" of parquet.

    The lines are counted only now that an error needs one: quoted cells may hold line breaks and
    blank lines are no rows.
    """
    if is_parquet(path):
        return f"{path}: row {row}"
    # the error that asks for the line must not be lost where the file has changed meanwhile
    with contextlib.suppress(OSError, ValueError, csv.Error), open_text(path, newline="") as file:
        reader = csv.reader(file)
        lines = (reader.line_num for cells in reader if len(cells) > 1 or "".join(cells).strip())
        for count, number in enumerate(lines):
            if count == row + 1:  # the header is line 0
                return f"{path}:{number}"
    return f"{path}: row {row}"


def as_numbers(column: pd.Series, path: Path, role: str = "feature") -> np.ndarray:
    """Return a column as float64, or raise an error that names the first cell that is no number."""
    numbers, odd = column_numbers(column)
    if odd is not None:
        hint = "Leave the column out of the features, or correct the cell."
        where, what = place_of(path, odd), f"{role} {column.name!r}"
        raise DataError(explain(where, what, "a number in every row", column.iloc[odd], hint))
    return numbers


def _labels(column: pd.Series, path: Path, role: str) -> np.ndarray:
    """Return a column of labels as a plain array: integers, floats, booleans or text."""
    import pandas as pd

    empty = np.flatnonzero(column.isna().to_numpy())
    if empty.size:
        where = place_of(path, int(empty[0]))
        raise DataError(
            explain(where, f"{role} {column.name!r}", "present in every row", "nothing")
        )
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        array = column.to_numpy()
        plain = array if array.dtype.kind in "biuf" else np.array(array.tolist())
        if plain.dtype.kind == "f" and not np.isfinite(plain).all():
            row = int(np.flatnonzero(~np.isfinite(plain))[0])
            where = place_of(path, row)
            raise DataError(explain(where, f"{role} {column.name!r}", "finite", plain[row].item()))
        return plain
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.to_numpy()
    return np.array(column.astype(str).tolist())


def _targets(columns: list[np.ndarray], roles: Roles) -> np.ndarray | None:
    if not columns:
        return None
    return columns[0] if roles.single_target else np.stack(columns, axis=1)


def read_wide(path: Path, roles: Roles) -> Read:
    """Read a table with one row a series: the columns, in the order of the file, are the steps.

    Empty cells (NaN) at the end of a row are padding: that series is shorter.

    Parameters
    ----------
    path : Path
    roles : Roles
        `time` has no meaning here and must be None.
    """
    import pandas as pd

    frame = read_table(path, roles)
    if roles.time is not None:
        hint = "Set layout: long if a row is a time step, or leave time out."
        raise DataError(explain(str(path), "time", "absent in the wide layout", roles.time, hint))
    columns = feature_columns(frame, roles, str(path), lambda column: as_numbers(column, path))
    values = np.stack([as_numbers(frame[name], path) for name in columns], axis=1)
    known = ~np.isnan(values)
    if not known.any(axis=1).all():
        row = int(np.flatnonzero(~known.any(axis=1))[0])
        where = place_of(path, row)
        raise DataError(explain(where, "the series", "of at least one value", "none"))
    lengths = values.shape[1] - np.argmax(known[:, ::-1], axis=1)
    inside = np.arange(values.shape[1]) < lengths[:, None]

    def labels(name: str | None, role: str) -> np.ndarray | None:
        return None if name is None else _labels(frame[name], path, role)

    ids = labels(roles.series_id, "series_id")
    if ids is not None and len(set(ids.tolist())) < len(ids):
        row = int(np.flatnonzero(pd.Series(ids).duplicated())[0])
        hint = "Set layout: long if a row is a time step."
        where = place_of(path, row)
        raise DataError(
            explain(where, "series_id", "different in every row", ids[row].item(), hint)
        )
    sequences = Sequences(
        values[inside][:, None],
        np.concatenate([[0], np.cumsum(lengths)]),
        ("value",),
        y=_targets([_labels(frame[name], path, "target") for name in roles.targets], roles),
        ids=ids,
        groups=labels(roles.group, "group"),
    )
    return Read(sequences, lambda i, step: f"{place_of(path, i)}, column {columns[step]!r}")


def read_long(path: Path, roles: Roles) -> Read:
    """Read a table with one row a time step.

    Rows of one series need not be neighbours; their order in the file is the order of the steps,
    and `time`, where named, must ascend within each series. Without `series_id` the file is one
    series, named as the file is.

    Parameters
    ----------
    path : Path
    roles : Roles
    """
    import pandas as pd

    frame = read_table(path, roles)
    if roles.series_id is None:
        codes, ids = np.zeros(len(frame), dtype=np.int64), np.array([series_name(path)])
    else:
        names = _labels(frame[roles.series_id], path, "series_id")
        codes, ids = pd.factorize(names)
    order = np.argsort(codes, kind="stable")  # rows of the file, series after series
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))])
    starts = np.repeat(offsets[:-1], np.diff(offsets))  # (n_rows,)

    def locate(at: int) -> str:
        return place_of(path, int(order[at]))

    times = None
    if roles.time is not None:
        times = stamps_of_rows(frame[roles.time], path)[order]
        later = times[1:] > times[:-1]
        later[offsets[1:-1] - 1] = True  # between two series
        if not later.all():
            at = int(np.flatnonzero(~later)[0]) + 1
            twice = times[at] == times[at - 1]
            what = "the same time stamp twice" if twice else "an earlier one than the row before"
            got = f"{frame[roles.time].iloc[order[at]]} ({what})"
            expected = f"ascending within series {ids[codes[order[at]]].item()!r}"
            hint = "Drop one of them, or name series_id." if twice else "Sort the file by time."
            raise DataError(explain(locate(at), f"time {roles.time!r}", expected, got, hint))

    def constant(name: str | None, role: str) -> np.ndarray | None:
        if name is None:
            return None
        column = _labels(frame[name], path, role)[order]
        differs = column != column[starts]
        if differs.any():
            at = int(np.argmax(differs))
            values = column[at].item(), column[starts[at]].item()
            raise _not_constant(locate(at), role, name, ids[codes[order[at]]].item(), values)
        labels: np.ndarray = column[offsets[:-1]]
        return labels

    targets = [constant(name, "target") for name in roles.targets]
    groups = constant(roles.group, "group")
    columns = feature_columns(frame, roles, str(path), lambda column: as_numbers(column, path))
    values = np.stack([as_numbers(frame[name], path) for name in columns], axis=1)
    sequences = Sequences(
        values[order],
        offsets,
        tuple(columns),
        y=_targets([t for t in targets if t is not None], roles),
        ids=np.asarray(ids),
        times=times,
        groups=groups,
    )
    return Read(sequences, lambda i, step: locate(int(offsets[i]) + step))


def _not_constant(where: str, role: str, name: str, series: Any, values: Any) -> DataError:
    """Return the error of a column that should have one value a series and has two `values`."""
    now, before = map(reprlib.repr, values)
    hint = "Name the column that tells the series apart as series_id."
    if role == "target":
        hint += " To predict a value at every step use task: forecasting."
    return DataError(
        f"{where}: {role} {name!r} must be the same in every row of series {series!r}; "
        f"got {now} after {before}. {hint}"
    )


def stamps_of_rows(column: pd.Series, path: Path) -> np.ndarray:
    """Return time stamps as numbers or as datetime64, zones turned to UTC.

    Raises
    ------
    DataError
        Names the line of the first cell that is no stamp.
    """
    stamps = read_stamps(column)
    if len(stamps.unread):
        row = int(stamps.unread[0])
        expected = f"a time stamp {FORMAT}, such as 2024-01-31 12:00"
        got = str(column.iloc[row])
        raise DataError(explain(place_of(path, row), f"time {column.name!r}", expected, got))
    return stamps.values
