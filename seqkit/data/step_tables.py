"""Series with a label at every step, or of tokens, out of tables and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from seqkit.data.labels import integer_labels
from seqkit.data.missing import Missing
from seqkit.data.sequences import Sequences
from seqkit.data.steps import Steps
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    from seqkit.data.dialect import ReadSettings
    from seqkit.data.tables import Table

__all__ = ["join_steps", "read_steps", "steps_of_frame", "steps_of_text"]

TEXT_BLOCK = 1000
"""Characters from one cut of a text to the next, about."""


def _of_table(
    table: Table, *, target: str | Sequence[str] | None, features: Sequence[str] | None,
    series_id: str | None, time: str | Sequence[str] | None, group: str | None,
) -> Steps:  # fmt: skip
    """Return the series of a table with one row a time step."""
    from seqkit.data.roles import Roles
    from seqkit.data.tables import long_series

    where, frame = str(table.path), table.frame.copy()
    targets = _names(target)
    tokens = _token_column(frame, features, {*targets, series_id, group, *_names(time)})
    coded = [*targets, *([] if tokens is None else [tokens])]
    known: dict[str, NDArray[Any]] = {}
    for name in coded:
        labels = table.labels(name, "target" if name in targets else "feature")
        labels = integer_labels(labels) if name in targets else labels.astype(str)
        known[name], frame[name] = np.unique(labels, return_inverse=True)
        if target != name in targets and not np.isin(known[name], (0, 1)).all():
            expected = "0 or 1 at every step, as one of several labels"
            raise DataError(explain(where, f"target {name!r}", expected, known[name].tolist()[:5]))
    numbers: list[str] = []
    if tokens is None:
        from seqkit.data.roles import feature_columns

        roles = Roles(target, features, series_id, time, group)
        numbers = feature_columns(frame, roles, where, lambda c: table.numbers(str(c.name)))
    roles = Roles(None, [*numbers, *coded], series_id, time, group)
    roles.check([*frame.columns], where)
    series = long_series(replace(table, frame=frame), roles).sequences
    columns = {
        name: values[series.values[:, len(numbers) + k].astype(np.int64)]
        for k, (name, values) in enumerate(known.items())
    }
    values = series.values[:, : len(numbers)]
    if tokens is not None:
        values = np.array([[crc32(t.encode())] for t in known[tokens].tolist()], np.float64)
        values = values[series.values[:, -1].astype(np.int64)]
    names = tuple(numbers) or (str(tokens),)
    shared: dict[str, Any] = {
        n: getattr(series, n) for n in ("offsets", "ids", "times", "groups", "date_form")
    }
    whole = None if target is None else columns.get(str(target))
    if target is not None and not isinstance(target, str):
        whole = np.stack([columns[name] for name in targets], axis=1).astype(np.int64)
    found: dict[str, Any] = {
        "labels": whole,
        "tokens": columns.get(tokens) if tokens is not None else None,
    }
    return Steps(values=values, features=names, **shared, **found)


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    from seqkit.data.roles import as_names

    return as_names(given)


def _token_column(frame: Any, features: Sequence[str] | None, taken: set[Any]) -> str | None:
    """Return the column of tokens: the one that is named, or the only one, if it is of text."""
    from seqkit.data.numbers import floats

    left = [n for n in frame.columns if n not in taken] if features is None else list(features)
    if any(name not in frame.columns for name in left):
        return None  # which is said where roles are checked

    def is_text(name: str) -> bool:
        column = frame[name]
        return column.dtype.kind not in "biufM" and bool(floats(column.dropna()).isna().any())

    texts = [name for name in left if is_text(name)]
    alone = len(left) == 1 if features is not None else len(texts) == len(left) == 1
    return texts[0] if alone and texts else None


def steps_of_frame(
    frame: Any,
    *,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    series_id: str | None = None,
    time: str | Sequence[str] | None = None,
) -> Steps:
    """Return the series of a long frame: one row a time step, its label in the column `target`.

    Parameters
    ----------
    frame : pandas.DataFrame, or any eager frame that narwhals knows (polars, pyarrow)
    target, features, series_id, time
        Names of columns; several of `target` are labels of 0 and 1. Default of `series_id`:
        ``unique_id`` where there is one.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"n": [1, 1, 2], "word": ["a", "dog", "barks"]})
    >>> steps = steps_of_frame(frame.assign(tag=["D", "N", "V"]), series_id="n", target="tag")
    >>> steps.tokens.tolist(), steps.labels.tolist(), steps.lengths.tolist()
    (['a', 'dog', 'barks'], ['D', 'N', 'V'], [2, 1])
    """
    from seqkit.data.date_parts import with_stamps
    from seqkit.data.dialect import ReadSettings
    from seqkit.data.frames import as_pandas, with_index
    from seqkit.data.roles import DEFAULT_ID
    from seqkit.data.tables import Table

    table = with_index(as_pandas(frame, "data"), time if isinstance(time, str) else None)
    table, time = with_stamps(table.reset_index(drop=True), time, "data")
    table = table.set_axis([str(name) for name in table.columns], axis="columns")
    if series_id is None and DEFAULT_ID in table.columns:
        series_id = DEFAULT_ID
    asked = [("target", name) for name in _names(target)]
    for role, name in (*asked, ("series_id", series_id), ("time", time)):
        if name is not None and name not in table.columns:
            expected = f"a column of the frame ({', '.join(map(str, table.columns[:12]))})"
            raise DataError(explain("data", role, expected, name))
    if not len(table):
        raise DataError(explain("data", "the number of rows", "at least 1", 0))
    return _of_table(
        Table(table, Path("data"), None, ReadSettings()), target=target, features=features,
        series_id=series_id, time=time, group=None,
    )  # fmt: skip


def steps_of_text(path: Path) -> Steps:
    """Return a text as series of characters: of whole lines, of about a thousand characters each.

    So that a part of the text can be held out, and drawn at random.

    Raises
    ------
    seqkit.errors.DataError
        If it is empty, or no UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(explain(str(path), "the text", "in UTF-8", str(error))) from error
    if not text:
        raise DataError(explain(str(path), "the text", "of at least 1 character", "none"))
    ends = np.cumsum([len(line) for line in text.splitlines(keepends=True)])
    _, first = np.unique(ends // TEXT_BLOCK, return_index=True)
    offsets = np.unique(np.concatenate([[0], ends[first[1:]], [len(text)]]))
    tokens = np.array(list(text))
    letters, codes = np.unique(tokens, return_inverse=True)
    values = np.array([crc32(letter.encode()) for letter in letters.tolist()], np.float64)[codes]
    return Steps(values=values[:, None], offsets=offsets, features=("character",), tokens=tokens)


def read_steps(
    paths: str | Path | Sequence[str | Path],
    *,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    series_id: str | None = None,
    time: str | Sequence[str] | None = None,
    group: str | None = None,
    missing: Missing = "error",
    settings: ReadSettings | None = None,
) -> Steps:
    """Read series with a label a step from tables with one row a time step.

    Parameters
    ----------
    paths : str, Path, or a list of them
        As :func:`seqkit.data.readers.find_files` takes them; rows of a file are series of its own.
    target, features, series_id, time, group, missing, settings
        As :func:`seqkit.data.readers.read_sequences` takes them; the target is a label a step,
        or several of 0 and 1.

    Returns
    -------
    Steps
        Of a ``.txt`` file, where no column is named, the characters of the text.

    Raises
    ------
    seqkit.errors.DataError
        Everything that can be wrong with a file, with its name and line.
    """
    from seqkit.data.dialect import ReadSettings
    from seqkit.data.readers import find_files, named_after, reader_for
    from seqkit.data.roles import Roles
    from seqkit.data.sequences import as_padded
    from seqkit.data.tables import read_table

    settings = settings or ReadSettings()
    parts: list[Any] = []
    files = find_files(paths)
    for path in files:
        if path.suffix == ".txt" and target is None and features is None and series_id is None:
            parts.append(named_after(path, steps_of_text(path)) if len(files) > 1
                         else steps_of_text(path))  # fmt: skip
            continue
        reader = reader_for(path)
        if not reader.frame:
            hint = "A row must be a time step, in a table of named columns."
            raise DataError(explain(str(path), "the file", "a table", reader.ending, hint))
        # what may be tokens is read as it is spelled: "NA" and "None" are words
        spelled = [*_names(target), *_alone(features)]
        roles = Roles(spelled, None, series_id, time, group)
        table = read_table(path, roles, settings)
        steps = _of_table(
            table, target=target, features=features, series_id=series_id, time=roles.time,
            group=group,
        )  # fmt: skip
        if steps.tokens is None:
            as_padded(steps, where=str(path), missing=missing, dtype=None)  # raises
        parts.append(named_after(path, steps) if len(files) > 1 else steps)
    return join_steps(parts)


def _alone(features: Sequence[str] | None) -> list[str]:
    return list(features) if features is not None and len(features) == 1 else []


def join_steps(parts: Sequence[Steps]) -> Steps:
    """Return the series of all parts as one; labels and tokens where every part has them."""
    from seqkit.data.sequences import concatenate

    if len(parts) == 1:
        only: Steps = parts[0]
        return only
    whole = concatenate(parts)
    columns: dict[str, Any] = {
        name: None
        if any(getattr(part, name) is None for part in parts)
        else np.concatenate([getattr(part, name) for part in parts])
        for name in ("labels", "tokens")
    }
    fields: dict[str, Any] = {name: getattr(whole, name) for name in Sequences.__dataclass_fields__}
    return Steps(**fields, **columns)
