"""Tables of other shapes, made long: a column a series, or an object a series."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.labels import series_name
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["labels_of_files", "rows_of_columns", "rows_of_entries", "rows_of_lists"]

log = logging.getLogger(__name__)

# The names Nixtla's libraries use, which forecasting takes by default.
ID, TIME, TARGET = "unique_id", "ds", "y"


def rows_of_columns(frame: pd.DataFrame, kept: Sequence[str], where: str) -> pd.DataFrame:
    """Return a long frame of one that has a column a series.

    A series reaches from the first to the last value of its column: what is empty before and after
    is no part of it.

    Parameters
    ----------
    frame : pandas.DataFrame
    kept : sequence of str
        Columns that all series share: stamps and covariates.
    where : str
        What an error begins with.

    Returns
    -------
    pandas.DataFrame
        The columns kept, `unique_id` and `y`.

    Examples
    --------
    >>> import pandas as pd
    >>> wide = pd.DataFrame({"ds": [1, 2], "north": [3.0, 4.0], "south": [None, 5.0]})
    >>> rows_of_columns(wide, ["ds"], "x.csv")["unique_id"].tolist()
    ['north', 'north', 'south']
    """
    import pandas as pd

    for name in (ID, TARGET):
        if name in frame.columns:
            expected = f"without a column {name!r}, which holds what the columns become"
            raise DataError(explain(where, "a table of a column a series", expected, name))
    series = [
        name
        for name in frame.columns
        if name not in kept and pd.api.types.is_numeric_dtype(frame[name].dtype)
    ]
    others = [name for name in frame.columns if name not in {*kept, *series}]
    if not series:
        expected = "at least one column of numbers besides time and covariates"
        raise DataError(explain(where, "the table", expected, list(frame.columns)[:12]))
    if others:
        log.warning("%s: columns that are no numbers are no series: %s", where, ", ".join(others))
    parts = []
    for name in series:
        known = np.flatnonzero(frame[name].notna().to_numpy())
        if not len(known):
            raise DataError(explain(where, f"column {name!r}", "of at least one value", "none"))
        rows = frame.iloc[known[0] : known[-1] + 1]
        part = rows[list(kept)].copy()
        part[ID], part[TARGET] = name, rows[name].astype(np.float64)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def rows_of_entries(
    entries: Sequence[dict[str, Any]], where: str, frequency: str | None
) -> pd.DataFrame:
    """Return a long frame of GluonTS's entries: ``start``, ``target``, and what goes with them.

    Parameters
    ----------
    entries : sequence of dict
        Each with ``target``, a list of numbers, and ``start``; and where there are such,
        ``item_id``, ``feat_static_cat``, ``feat_static_real`` and ``feat_dynamic_real``.
    where : str
        What an error begins with.
    frequency : str or None
        Pandas alias of the step: entries do not say it.

    Returns
    -------
    pandas.DataFrame
        ``unique_id``, ``ds``, ``y``, ``static_cat_0`` ..., ``static_real_0`` ...,
        ``dynamic_real_0`` ...

    Examples
    --------
    >>> entries = [{"start": "2024-01-01", "target": [1, 2], "item_id": "a"}]
    >>> rows_of_entries(entries, "x.jsonl", "D")["ds"].dt.day.tolist()
    [1, 2]
    """
    import pandas as pd

    if frequency is None:
        hint = "Name the step, as in `frequency: h`: GluonTS's entries have a start only."
        raise DataError(explain(where, "frequency", "known", None, hint))
    parts = []
    for i, entry in enumerate(entries):
        at = f"{where}, entry {i}"
        try:
            target = np.array(entry["target"], np.float64)
            stamps = pd.date_range(str(entry["start"]), periods=len(target), freq=frequency)
            columns: dict[str, Any] = {ID: entry.get("item_id", i), TIME: stamps, TARGET: target}
            for key in ("static_cat", "static_real"):
                for k, value in enumerate(entry.get(f"feat_{key}") or ()):
                    columns[f"{key}_{k}"] = str(value) if key == "static_cat" else float(value)
            for k, values in enumerate(entry.get("feat_dynamic_real") or ()):
                columns[f"dynamic_real_{k}"] = np.array(values, np.float64)[: len(target)]
            parts.append(pd.DataFrame(columns))
        except (KeyError, TypeError, ValueError) as error:
            expected = "a start and a target of numbers"
            raise DataError(explain(at, "the entry", expected, str(error))) from error
        if len(stamps) and stamps[0] != pd.Timestamp(str(entry["start"])):
            expected, got = f"on the grid of frequency {frequency!r}", str(entry["start"])
            raise DataError(explain(at, "start", expected, got))
    return pd.concat(parts, ignore_index=True)


def rows_of_lists(
    entries: Mapping[str, dict[str, Any]], check: Callable[[int, int], None]
) -> pd.DataFrame:
    """Return a long frame of objects that are a series each: what is a list has a value a step.

    Parameters
    ----------
    entries : mapping of str to dict
        By where they stand. Lists of an entry are of one length. They hold numbers or text, or such
        lists or objects, whose places or names then are columns: ``key_0``, ``key_name``. All else
        is said of every step.
    check : callable
        Gets rows and columns, and raises where they are too many.

    Returns
    -------
    pandas.DataFrame
        ``unique_id``, which is what is there so called, or as ``id``, in every entry another; else
        its number from 0; and the columns.

    Examples
    --------
    >>> entries = {"x.jsonl:1": {"id": "a", "pen": [[1, 5], [2, 6]], "letter": "q"}}
    >>> rows_of_lists(entries, lambda rows, columns: None).to_dict("list")
    {'unique_id': ['a', 'a'], 'pen_0': [1, 2], 'pen_1': [5, 6], 'letter': ['q', 'q']}
    """
    import pandas as pd

    name = next((key for key in (ID, "id") if _names_all(key, entries.values())), None)
    table: dict[str, list[Any]] = {ID: []}
    rows = 0
    for i, (at, entry) in enumerate(entries.items()):
        lists = {key: value for key, value in entry.items() if isinstance(value, list)}
        lengths = {key: len(value) for key, value in lists.items()}
        if len(set(lengths.values())) != 1 or not all(lengths.values()):
            expected = "lists of one length, of a step at least, as in the other lines"
            raise DataError(explain(at, "the line", expected, lengths or list(entry)[:12]))
        length = next(iter(lengths.values()))
        check(rows + length, len(entry))  # before what is said once is there for every step
        columns: dict[str, list[Any]] = {ID: [i if name is None else entry[name]] * length}
        for key, value in entry.items():
            if key == name:
                continue
            found = _steps_of(key, value, at, check) if key in lists else {key: [value] * length}
            for column, values in found.items():
                if column in columns:
                    expected = "named unlike the other columns"
                    if column == ID:
                        expected = "another in every line, as the name of a series"
                    raise DataError(explain(at, repr(key), expected, repr(column)))
                columns[column] = values
        check(rows + length, len(table.keys() | columns.keys()))
        for column, values in columns.items():
            table.setdefault(column, [None] * rows).extend(values)
        rows += length
        for values in table.values():
            values.extend([None] * (rows - len(values)))
    return pd.DataFrame(table)


def _names_all(key: str, entries: Iterable[dict[str, Any]]) -> bool:
    """Whether a key is there in every entry, and says something else in each."""
    found = [entry.get(key) for entry in entries]
    named = all(isinstance(name, str | int) for name in found)
    return named and len(set(found)) == len(found)


def _steps_of(
    key: str, steps: list[Any], at: str, check: Callable[[int, int], None]
) -> dict[str, list[Any]]:
    """Return the columns that a list is: itself, or one for each place, or name, in a step."""
    kinds = {type(step) if isinstance(step, list | dict) else object for step in steps}
    found = {key: steps}
    if kinds == {list} and len({len(step) for step in steps}) == 1:
        found = {f"{key}_{k}": list(values) for k, values in enumerate(zip(*steps, strict=True))}
    elif kinds == {dict}:
        names = dict.fromkeys(name for step in steps for name in step)
        check(len(steps), len(names))
        found = {f"{key}_{name}": [step.get(name) for step in steps] for name in names}
    for column, values in found.items():
        for number, value in enumerate(values):
            if isinstance(value, list | dict):
                expected = "a number, text, true, false or null, or a list or object of as many"
                got = f"{type(value).__name__} of {len(value)}"
                raise DataError(explain(at, f"step {number} of {column!r}", expected, got))
    return found


def name_series(frame: pd.DataFrame, file: Path, files: Sequence[Path]) -> None:
    """Put the name of the file that holds one series before its columns, as ``unique_id``.

    Raises
    ------
    DataError
        Where another of the files is called alike, or the table has such a column.
    """
    name = series_name(file)
    if sum(series_name(other) == name for other in files) > 1:
        expected = "of different names, which are those of the series"
        raise DataError(explain(str(file), "the files", expected, f"several called {name}"))
    if ID in frame.columns:
        hint = "Leave layout: files out: the column says which series a row belongs to."
        raise DataError(explain(str(file), "column", f"none called {ID}", ID, hint))
    frame.insert(0, ID, name)


def labels_of_files(
    files: Sequence[Path], label_from: str | dict[str, str], labels: pd.DataFrame | None = None
) -> list[str]:
    """Return the label of each file, where files hold one series each.

    Parameters
    ----------
    files : sequence of Path
    label_from : {"folder", "file"} or dict
        The name of the folder, or of the file without its endings; ``regex``, whose first group is
        looked for in the path; or ``file`` and ``label``, columns of `labels`.
    labels : pandas.DataFrame, optional
        A row a file; its names may lack folders, and endings.

    Examples
    --------
    >>> labels_of_files([Path("walks/run/a.csv"), Path("walks/rest/b.csv")], "folder")
    ['run', 'rest']
    >>> labels_of_files([Path("s1_run_03.csv")], {"regex": r"_([a-z]+)_"})
    ['run']
    """
    if label_from == "folder":
        return [file.resolve().parent.name for file in files]
    if label_from == "file":
        return [series_name(file) for file in files]
    assert isinstance(label_from, dict)
    if labels is not None:
        return [_labelled(file, label_from, labels) for file in files]
    try:
        pattern = re.compile(label_from["regex"])
    except re.error as error:
        expected = f"a regular expression ({error})"
        raise DataError(
            explain("data", "label_from.regex", expected, label_from["regex"])
        ) from None
    if not pattern.groups:
        hint = "Put the label in parentheses, as in walk_(\\w+)_."
        raise DataError(
            explain("data", "label_from.regex", "with a group", label_from["regex"], hint)
        )
    found = []
    for file in files:
        match = pattern.search(file.as_posix())
        if match is None or match[1] is None:
            expected = f"found by label_from.regex, {label_from['regex']!r}"
            raise DataError(explain(str(file), "the label", expected, file.as_posix()))
        found.append(match[1])
    return found


def _labelled(file: Path, names: dict[str, str], labels: pd.DataFrame) -> str:
    """Return the label that a table has of a file: by its path, its name, or without the ending."""
    for name in (names["file"], names["label"]):
        if name not in labels.columns:
            expected = f"a column of {names['table']} ({', '.join(labels.columns[:12])})"
            hint = suggest(name, labels.columns)
            raise DataError(explain(names["table"], "label_from", expected, name, hint))
    keys = labels[names["file"]].astype("str").str.replace("\\", "/", regex=False)
    path = file.as_posix()
    same = keys.map(lambda key: path == key or path.endswith(f"/{key}")).to_numpy(bool)
    if not same.any():
        same = (keys == series_name(file)).to_numpy()
    if same.sum() != 1:
        expected = f"once in column {names['file']!r} of {names['table']}"
        raise DataError(explain(path, "the file", expected, f"{int(same.sum())} times"))
    return str(labels[names["label"]].to_numpy()[same][0])
