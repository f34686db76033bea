"""Files become `Sequences`, or a data frame for forecasting: one table of readers, by file ending.

A new format is one function and one row of `READERS`. Importing this module loads neither pandas
nor TensorFlow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.archive import Read, read_ts, read_tsv
from seqkit.data.arrays import read_npz
from seqkit.data.dialect import ReadSettings
from seqkit.data.files import PACKINGS
from seqkit.data.labels import integer_labels, series_name
from seqkit.data.layouts import labels_of_files, name_series, rows_of_columns
from seqkit.data.missing import Missing, check_missing
from seqkit.data.paths import find_files
from seqkit.data.roles import DEFAULT_ID, Roles, time_column
from seqkit.data.sequences import Sequences, concatenate
from seqkit.data.stamps import is_stamped, looks_dated
from seqkit.data.tables import (
    Table,
    column_names,
    has_header,
    long_series,
    read_long,
    read_table,
    read_wide,
)
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LAYOUTS",
    "READERS",
    "ReadSettings",
    "Reader",
    "column_names",
    "find_files",
    "read_frame",
    "read_sequences",
    "reader_for",
    "reader_of",
    "sequences_of_frame",
]

log = logging.getLogger(__name__)

LAYOUTS: dict[str, str] = {
    "long": "one row a time step; series_id names the series",
    "wide": "one row a series; the columns, in the order of the file, are the steps",
}


@dataclass(frozen=True)
class Reader:
    """One row of `READERS`.

    Attributes
    ----------
    ending : str
        Of the file name, lower case.
    description : str
        As `seqkit list readers` shows it.
    read : dict of str to callable
        By layout ("" for formats that have one): ``read(path, roles, settings)`` returns a `Read`.
    roles : tuple of str
        Arguments of `read_sequences` that the format can use.
    frame : bool
        Whether `read_frame` reads it.
    """

    ending: str
    description: str
    read: dict[str, Callable[[Path, Roles, ReadSettings], Read]]
    roles: tuple[str, ...]
    frame: bool = False

    def layout(self, given: str | None, series_id: str | None, time: Any) -> str:
        """Return the layout that a file of this format is read in; "" where it has one only."""
        way = given or ("long" if series_id is not None or time is not None else "wide")
        return way if way in self.read else ""


_TABLE: dict[str, Callable[[Path, Roles, ReadSettings], Read]] = {
    "long": read_long,
    "wide": read_wide,
}
_TABLE_ROLES = ("layout", "target", "features", "series_id", "time", "group")
_TEXTS = (
    Reader(
        ".ts",
        "UEA/UCR archive: header, one series a line, channels parted by ':', label last",
        {"": lambda path, roles, settings: read_ts(path)},
        ("features",),
    ),
    Reader(
        ".tsv",
        "UCR archive: one series a line, label first, one value a step; NaN at the end pads; "
        "with a header a table",
        {"": lambda path, roles, settings: read_tsv(path)},
        ("features",),
    ),
    Reader(".csv", "table, long or wide", _TABLE, _TABLE_ROLES, frame=True),
    Reader(".jsonl", "table, an object a line", _TABLE, _TABLE_ROLES, frame=True),
)

READERS: dict[str, Reader] = {
    row.ending: row
    for row in (
        *_TEXTS,
        *(
            replace(row, ending=row.ending + ending, description=f"{row.ending}, packed by {name}")
            for row in _TEXTS
            for ending, (name, _) in PACKINGS.items()
        ),
        Reader(".parquet", "table, long or wide", _TABLE, _TABLE_ROLES, frame=True),
        Reader(".feather", "table, long or wide", _TABLE, _TABLE_ROLES, frame=True),
        Reader(".xlsx", "table in a sheet of Excel; needs openpyxl", _TABLE, _TABLE_ROLES, True),
        Reader(
            ".npz",
            "NumPy arrays X and y; lengths, group, id, part, features; or each with _train, _test",
            {"": lambda path, roles, settings: read_npz(path, roles)},
            ("target", "features", "series_id", "group"),
        ),
    )
}


def reader_of(path: str | Path) -> Reader:
    """Return the row of `READERS` for a file name.

    Raises
    ------
    DataError
        No reader has that ending.

    Examples
    --------
    >>> reader_of("GunPoint_TRAIN.ts").ending
    '.ts'
    """
    name = Path(path).name.lower()
    for ending in sorted(READERS, key=len, reverse=True):
        if name.endswith(ending):
            return READERS[ending]
    packed = name.endswith(tuple(PACKINGS))
    suffix = "".join(Path(name).suffixes[-2:] if packed else Path(name).suffixes[-1:])
    known = "one of " + ", ".join(READERS)
    raise DataError(
        explain(str(path), "the file's ending", known, suffix, suggest(suffix, READERS))
    )


def reader_for(path: Path) -> Reader:
    """Return the reader of a file that is there: a `.tsv` with a header is a table."""
    reader = reader_of(path)
    return READERS[".csv"] if reader.ending.startswith(".tsv") and has_header(path) else reader


def read_sequences(
    paths: str | Path | Sequence[str | Path],
    *,
    layout: str | None = None,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    series_id: str | None = None,
    time: str | Sequence[str] | None = None,
    group: str | None = None,
    missing: Missing = "error",
    label_from: str | dict[str, str] | None = None,
    folders: Sequence[str | Path] = (".",),
    settings: ReadSettings | None = None,
) -> Sequences:
    r"""Read labelled series from one or many files.

    Parameters
    ----------
    paths : str, Path, or a list of them
        See `find_files`. All files must have the same features.
    layout : {"long", "wide"}, optional
        For tables. Default: long where `series_id` or `time` is named, wide otherwise.
    target : str or sequence of str, optional
        Column of labels or numbers. Formats that carry their own need none.
    features : sequence of str, optional
        Columns of values. Default: every numeric column left over. Columns that are no numbers
        are left out with a line in the log; one that is mostly numbers is an error instead.
    series_id : str, optional
        Column that names the series a row belongs to.
    time : str or sequence of str, optional
        Column of time stamps, or several that make one (a date and a time of day, a year and a
        quarter); must ascend within each series.
    group : str, optional
        Column that tells which series belong together under ``split.method: group``.
    missing : {"error", "interpolate", "indicator"}, default="error"
        "error": NaN raises here, where file and line are known. Otherwise NaN is kept for the
        estimator, which repairs it the way this says. An infinity raises always.
    label_from : {"folder", "file"} or dict, optional
        Every file is one series; where its label stands, see `layouts.labels_of_files`. With
        ``table`` that table is read.
    folders : sequence of str or Path, default=(".",)
        Where relative names are searched for.
    settings : ReadSettings, optional
        How the files are to be read, where that is not to be found out.

    Returns
    -------
    Sequences
        Labels that are all whole numbers are integers, others text.

    Raises
    ------
    DataError
        Everything that can be wrong with a file, with its name and line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "walks.csv").write_text("trial,ax,label\na,1,run\na,2,run\nb,3,rest\n")
    >>> walks = read_sequences(folder / "walks.csv", series_id="trial", target="label")
    >>> walks.lengths.tolist(), walks.y.tolist(), walks.features
    ([2, 1], ['run', 'rest'], ('ax',))
    """
    check_missing(missing, "data")
    if layout is not None and layout not in LAYOUTS:
        expected = "one of " + ", ".join(LAYOUTS)
        raise ValueError(explain("data", "layout", expected, layout, suggest(layout, LAYOUTS)))
    given = {
        "layout": layout,
        "target": target,
        "features": features,
        "series_id": series_id,
        "time": time,
        "group": group,
    }
    files = find_files(paths, folders)
    found = None if label_from is None else _labels(files, label_from, folders)
    if found is not None and layout is None and series_id is None:
        given["layout"] = layout = "long"
    parts: list[Sequences] = []
    for i, path in enumerate(files):
        reader = reader_for(path)
        for role, value in given.items():
            if value is not None and role not in reader.roles:
                expected = f"absent for {reader.ending} files, which say it themselves"
                raise DataError(explain(str(path), role, expected, value, "Leave it out."))
        read = reader.read[reader.layout(layout, series_id, time)]
        roles = Roles(target, features, series_id, time, group)
        sequences, locate = read(path, roles, settings or ReadSettings())
        if features is not None and sequences.features != ("value",):
            sequences = sequences.select(features, str(path))
        _check_values(sequences, locate, missing)
        if found is not None:
            if len(sequences) != 1 or sequences.y is not None:
                expected = "one, without a label of its own, as label_from says"
                raise DataError(explain(str(path), "the series", expected, len(sequences)))
            sequences = replace(sequences, y=np.array(found[i : i + 1]))
        if len(files) > 1:
            sequences = named_after(path, sequences)
        if parts and sequences.features != parts[0].features:
            expected = f"those of {files[0]}, {list(parts[0].features)[:12]}"
            raise DataError(
                explain(str(path), "the features", expected, list(sequences.features)[:12])
            )
        parts.append(sequences)
    sequences = parts[0] if len(parts) == 1 else concatenate(parts)
    return replace(sequences, y=integer_labels(sequences.y))


def sequences_of_frame(
    frame: Any,
    *,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    series_id: str | None = None,
    time: str | Sequence[str] | None = None,
    group: str | None = None,
    missing: Missing = "error",
    settings: ReadSettings | None = None,
) -> Sequences:
    """Return the labelled series of a long frame: one row a time step, as :func:`read_sequences`.

    Parameters
    ----------
    frame : pandas.DataFrame, or any eager frame that narwhals knows (polars, pyarrow)
    target, features, series_id, time, group, missing, settings
        As :func:`read_sequences` takes them. Default of `series_id`: ``unique_id``; of `time`:
        ``ds``, else the only column of dates; of both what the index holds, where it names them.

    Returns
    -------
    Sequences
        In the order in which the series first appear; labels as the frame has them.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"trial": [1, 1, 2], "t": [0, 1, 0], "x": [5, 6, 7]})
    >>> frame["kind"] = ["a", "a", "b"]
    >>> walks = sequences_of_frame(frame, series_id="trial", time="t", target="kind")
    >>> walks.lengths.tolist(), walks.y.tolist()
    ([2, 1], ['a', 'b'])
    """
    from seqkit.data.date_parts import with_stamps
    from seqkit.data.frames import as_pandas, with_index

    check_missing(missing, "data")
    table = as_pandas(frame, "data")
    if table.index.nlevels == 2 and None not in table.index.names and series_id is None:
        series_id, time = (str(name) for name in table.index.names)  # as sktime has them
    table = with_index(table, time if isinstance(time, str) else None).reset_index(drop=True)
    table, time = with_stamps(table, time, "data")
    table = table.set_axis([str(name) for name in table.columns], axis="columns")
    if series_id is None and DEFAULT_ID in table.columns:
        series_id = DEFAULT_ID
    time = time_column(table, "data") if time is None else time
    roles = Roles(target, features, series_id, time, group)
    roles.check(list(table.columns), "data")
    if not len(table):
        raise DataError(explain("data", "the number of rows", "at least 1", 0))
    sequences, locate = long_series(
        Table(table, Path("data"), None, settings or ReadSettings()), roles
    )
    _check_values(sequences, locate, missing)
    return sequences


def _labels(
    files: list[Path], label_from: str | dict[str, str], folders: Sequence[str | Path]
) -> list[str]:
    """Return the label of each file; a table of them is read."""
    if isinstance(label_from, dict) and "table" in label_from:
        names = {"file": "file", "label": "label", **label_from}
        [path] = find_files(names["table"], folders)
        table = read_table(path, Roles(target=[names["file"], names["label"]]))
        return labels_of_files(files, names, table.frame)
    return labels_of_files(files, label_from)


def named_after(path: Path, sequences: Sequences) -> Sequences:
    """Put the name of the file before those of its series, so that files cannot mix them up."""
    stem = series_name(path)
    ids = np.asarray(sequences.ids)
    names = [stem] if ids.tolist() == [stem] else [f"{stem}:{one}" for one in ids.tolist()]
    return replace(sequences, ids=np.array(names))


def _check_values(
    sequences: Sequences, locate: Callable[[int, int], str], missing: Missing
) -> None:
    """Raise where a value is infinite, or missing under "error", naming file, line and step."""
    finite = np.isfinite(sequences.values)
    if finite.all():
        return
    bad = np.isinf(sequences.values)
    what, hint = "finite", "An infinity is no missing value: correct it, or leave the cell empty."
    if not bad.any():
        if missing != "error":
            return
        bad = ~finite
        what = "present"
        hint = f"{int(bad.sum())} of {bad.size} values are missing: " + (
            "set missing to 'interpolate' or 'indicator', or correct the data."
        )
    row, channel = divmod(int(np.argmax(bad)), bad.shape[1])
    series = int(np.searchsorted(sequences.offsets, row, side="right")) - 1
    step = row - int(sequences.offsets[series])
    name = np.asarray(sequences.ids)[series].item()
    got = float(sequences.values[row, channel])
    what = f"{what} (series {name!r}, step {step}, feature {sequences.features[channel]!r})"
    raise DataError(explain(locate(series, step), "a value", what, got, hint))


def read_frame(
    paths: str | Path | Sequence[str | Path],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    numbers: Sequence[str] = (),
    time: str | Sequence[str] | None = None,
    layout: str = "long",
    folders: Sequence[str | Path] = (".",),
    settings: ReadSettings | None = None,
) -> pd.DataFrame:
    """Read tables for forecasting, one row a time step.

    Parameters
    ----------
    paths : str, Path, or a list of them
        Tables of any format of `READERS`; see `find_files`. All must have the same columns; their
        rows follow one another.
    columns : sequence of str, optional
        Columns that must be there.
    labels : sequence of str, optional
        Columns whose text is kept as it is spelled: "NA" may name a series.
    numbers : sequence of str, optional
        Of `columns`, those that must hold numbers, or categories throughout.
    time : str or sequence of str, optional
        The column of stamps, or several that make one. Default: ``ds``, else the columns of text
        that are dates.
    layout : {"long", "columns", "files"}, default="long"
        A row a step; or a column a series, which becomes a long frame: `layouts.rows_of_columns`;
        or a file a series, whose name becomes the column ``unique_id``.
    folders : sequence of str or Path, default=(".",)
        Where relative names are searched for.
    settings : ReadSettings, optional
        How the files are to be read, where that is not to be found out.

    Returns
    -------
    pandas.DataFrame
        Missing values are NaN; stamps that are dates are such, in UTC where they had a zone.
        ``attrs["date_form"]`` says how they were written.

    Raises
    ------
    DataError
        As for `read_sequences`; also a format that is no table.
    """
    import pandas as pd

    from seqkit.data.categories import is_category

    settings = settings or ReadSettings()
    frames: list[pd.DataFrame] = []
    files = find_files(paths, folders)
    for path in files:
        reader = reader_for(path)
        if not reader.frame:
            known = "one of " + ", ".join(r.ending for r in READERS.values() if r.frame)
            raise DataError(explain(str(path), "a file for forecasting", known, reader.ending))
        roles = Roles(target=[c for c in labels if c is not None], time=time)
        table = read_table(path, roles, settings)
        frame = table.frame
        for name in columns:
            if name not in frame.columns and name not in roles.times:
                shown = ", ".join(frame.columns[:12])
                expected = f"a column of the file ({shown})"
                hint = suggest(name, frame.columns)
                raise DataError(explain(str(path), "column", expected, name, hint))
        for name in numbers:
            if not is_category(frame[name]):
                frame[name] = table.numbers(name, "column")
        dated = _date(table, roles)
        if layout == "columns":
            kept = [*dated, *(name for name in columns if name not in (*dated, *roles.times))]
            frame = rows_of_columns(frame, kept, str(path))
        if layout == "files":
            name_series(frame, path, files)
        if frames and list(frame.columns) != list(frames[0].columns):
            expected = f"those of {files[0]}, {list(frames[0].columns)[:12]}"
            raise DataError(explain(str(path), "columns", expected, list(frame.columns)[:12]))
        frames.append(frame)
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    if settings.sort:
        if len(dated) != 1:
            raise DataError(explain(str(files[0]), "sort", "used with one column of time", dated,
                                    "Name the column of stamps with data.time."))  # fmt: skip
        frame = frame.sort_values(dated[0], kind="stable", ignore_index=True)
    return frame


def _date(table: Table, roles: Roles) -> list[str]:
    """Make stamps of the column of time, or of every column of text that is dates; name them."""
    import pandas as pd

    frame = table.frame
    named = roles.time or ("ds" if "ds" in frame.columns else None)
    dated = [named] if named else [
        name
        for name in frame.columns
        if name not in roles.labels and (is_stamped(frame[name]) or looks_dated(frame[name]))
    ]  # fmt: skip
    codes = None
    if roles.labels and table.settings.time_zone is not None:
        codes = frame.groupby(roles.labels, sort=False, dropna=False).ngroup().to_numpy()
    for name in dated:
        stamps = table.stamps(name, codes)
        frame.attrs["date_form"] = stamps.form
        if stamps.values.dtype.kind == "M":
            index = pd.DatetimeIndex(stamps.values)
            zoned = index if stamps.zone is None else index.tz_localize("UTC")
            frame[name] = zoned if stamps.zone is None else zoned.tz_convert(stamps.zone)
    return dated
