"""What a data file seems to hold, and why: the ground a new recipe is written on.

Every guess comes with its reason in words, so that the user who knows better can see which one to
correct. Nothing else in seqkit guesses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.dates import is_date_text
from seqkit.data.file_sets import FileSet, find_set, joined_table, named_by_file
from seqkit.data.frequencies import count_absent, sizes_for
from seqkit.data.guessed_task import find_task, seem_labels
from seqkit.data.guesses import GuessedRoles, columns_are_series, guess_roles
from seqkit.data.readers import ReadSettings, read_sequences, reader_for
from seqkit.data.roles import DEFAULT_ID
from seqkit.data.sizes import find_test_file, guess_frequency
from seqkit.data.summaries import DataSummary, Wanted
from seqkit.data.tables import Table, is_typed, read_table
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataSummary", "Wanted", "inspect_data"]


def inspect_data(
    path: str | Path, target: str | None = None, wanted: Wanted | None = None
) -> DataSummary:
    r"""Read a file and guess what it is for.

    Rules, in this order:

    - time: a column of dates (as such, as text, or as yyyymmdd numbers), by its name where there
      are several; else an ascending number column with a name such as "step" or "cycle", or a
      first column that ascends by the same step all through.
    - layout: long where there is a time column, or values of `unique_id` repeat; wide where 10 or
      more numeric columns are numbered (t0, t1, ... or 1, 2, ...) or are more than the rows; else
      long.
    - several files: one series each, and the label in the name of the folder, in the file's own or
      in a table of labels; else one table (:mod:`seqkit.data.file_sets`).
    - columns: where every stamp occurs once and no target is named, columns that are named alike or
      hold numbers of one kind and size are a series each.
    - series_id, wide: a column of text, or one named like an identifier, that is different in every
      row. Long: a column that makes every time stamp occur once a series; without
      stamps, one named like an identifier whose values repeat, or one of text whose values each
      stand together, where another column counts or rises anew with each or the target, or text,
      is one in each.
    - target: as given; else a column named so (target, label, class, y, ...), else the last
      column of text (wide), or, without stamps, of text that is one in every series, else the last
      numeric column (long).
    - task: text, true/false, or few distinct integers (at most 20, each twice or more on average)
      are labels: one a series is classification; several in a series are tagging, which is not
      guessed. Other numbers: one a series is regression, several in a series forecasting.
    - season, horizon and context: what is usual for the frequency, as far as the median series
      allows it (:mod:`seqkit.data.frequencies`).

    Parameters
    ----------
    path : str or Path
        A file, a folder, or a pattern.
    target : str, optional
        Column to predict.
    wanted : Wanted, optional
        More than the target, in place of guesses.

    Raises
    ------
    DataError
        As the readers; an unknown target.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "load.csv"
    >>> rows = "\n".join(f"2024-01-{d:02d},{d}" for d in range(1, 31))
    >>> _ = file.write_text(f"date,load\n{rows}\n")
    >>> summary = inspect_data(file)
    >>> summary.task, summary.time, summary.frequency, summary.target, summary.season
    ('forecasting', 'date', 'D', 'load', 7)
    """
    wanted = Wanted(target) if wanted is None else wanted
    named = wanted.target or wanted.series_id or wanted.task == "forecasting"
    found = find_set(str(path), labelled=not named)
    settings = ReadSettings(decimal=wanted.decimal)
    if found.label_from is not None:
        return replace(_inspect_files(found, wanted, settings), decimal=wanted.decimal)
    file = found.files[0]
    framed = reader_for(file).frame
    if wanted.decimal is not None and (not framed or is_typed(file)):
        hint = "The format has one decimal mark."
        raise DataError(explain(str(file), "--decimal", "left out", wanted.decimal, hint))
    if not framed:
        return _inspect_series(found, wanted)
    table = joined_table(found, settings)
    for role, name in wanted.columns.items():
        if name not in table.frame.columns:
            shown = ", ".join(table.frame.columns[:12])
            expected = f"a column of the file ({shown})"
            hint = suggest(name, table.frame.columns)
            raise DataError(explain(str(file), role, expected, name, hint))
    return replace(_inspect_table(found, table, wanted), decimal=wanted.decimal)


def _inspect_files(found: FileSet, wanted: Wanted, settings: ReadSettings) -> DataSummary:
    """Read files of one series each, whose labels stand elsewhere."""
    first = read_table(found.files[0], settings=settings)
    reasons = {"label_from": found.reason, "layout": "long: a file holds one series"}
    roles = guess_roles(
        first.frame, None, reasons, first.stamps, wanted.time, layout=wanted.layout or "long"
    )
    time = roles.times[0] if len(roles.times) == 1 else list(roles.times) or None
    sort = False
    given: dict[str, Any] = {"time": time, "missing": "interpolate", "label_from": found.label_from}
    try:
        sequences = read_sequences(found.files, **given, settings=settings)
    except DataError:
        sort = True
        settings = replace(settings, sort=True)
        sequences = read_sequences(found.files, **given, settings=settings)
        reasons["sort"] = "the rows are not in the order of time"
    labels, why = seem_labels(np.asarray(sequences.y))
    if wanted.task is not None:
        labels, why = wanted.task == "classification", f"{wanted.task} was asked for"
    task = "classification" if labels else "regression"
    reasons["task"] = f"{task}: a file has one label, and {why}"
    sizes = np.unique(np.asarray(sequences.y), return_counts=True)[1]
    return DataSummary(
        path=found.path,
        ending=reader_for(found.files[0]).ending,
        task=task,
        layout="long",
        time=tuple(time) if isinstance(time, list) else time,
        features=sequences.features,
        text_columns=roles.text,
        n_series=len(sequences),
        shortest=int(sequences.lengths.min()),
        longest=int(sequences.lengths.max()),
        n_classes=int(sizes.size) if labels else None,
        smallest_class=int(sizes.min()) if labels else None,
        n_missing=int(np.isnan(sequences.values).sum()),
        test_path=found.test_path,
        reasons=reasons,
        notes=roles.notes,
        files=tuple(found.files),
        label_from=found.label_from,
        sort=sort,
    )


def _inspect_series(found: FileSet, wanted: Wanted) -> DataSummary:
    """Read a format that states its own layout."""
    target, file = wanted.target, found.files[0]
    ending = reader_for(file).ending
    stated = target if ending == ".npz" else None
    sequences = read_sequences(found.files, target=stated, missing="interpolate")
    reasons = {"layout": f"{ending} files have one layout"}
    notes = []
    if target is not None and stated is None:
        notes.append(f"{ending} files carry their own target; {target!r} is not needed.")
    task, n_classes, smallest = None, None, None
    if sequences.y is None:
        notes.append("The file has no labels and no targets: a recipe needs some.")
    else:
        stated_label = ending != ".npz" and sequences.y.dtype.kind == "i"  # numbers are floats
        labels, why = (True, "a label") if stated_label else seem_labels(np.asarray(sequences.y))
        if wanted.task is not None:
            labels, why = wanted.task == "classification", f"{wanted.task} was asked for"
        task = "classification" if labels else "regression"
        reasons["task"] = f"one target a series, and {why}"
        if labels:
            counts = np.unique(np.asarray(sequences.y), return_counts=True)[1]
            n_classes, smallest = int(counts.size), int(counts.min())
    lengths = sequences.lengths
    return DataSummary(
        path=found.path,
        ending=ending,
        task=task,
        layout=None,
        target=stated,
        features=sequences.features,
        n_series=len(sequences),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        n_classes=n_classes,
        smallest_class=smallest,
        n_missing=int(np.isnan(sequences.values).sum()),
        test_path=_test_file(found, reasons),
        reasons=reasons,
        notes=tuple(notes),
        files=tuple(found.files),
    )


def _test_file(found: FileSet, reasons: dict[str, str]) -> str | None:
    """Return the test part that stands beside files."""
    if found.test_path is not None:
        reasons["test_path"] = "the folders are named as parts"
        return found.test_path
    return find_test_file(found.files[0], reasons) if len(found.files) == 1 else None


def _codes(frame: pd.DataFrame, roles: GuessedRoles, reasons: dict[str, str]) -> np.ndarray:
    """Return the number of the series that each row belongs to, or is."""
    import pandas as pd

    if roles.layout != "long":
        return np.arange(len(frame))
    if roles.series_id is not None:
        return pd.factorize(frame[roles.series_id])[0]
    reasons.setdefault("series_id", "no column tells series apart: one series")
    return np.zeros(len(frame), dtype=np.int64)


def _inspect_table(found: FileSet, table: Table, wanted: Wanted) -> DataSummary:
    frame, file = table.frame, table.path
    reasons: dict[str, str] = {}
    roles = guess_roles(
        frame, wanted.target, reasons, table.stamps, wanted.time, wanted.series_id, wanted.layout
    )
    if why := _apart(found, roles, frame, wanted):
        return _inspect_series_apart(found, table, wanted, why)
    _check_wanted(str(file), roles, wanted, reasons)
    if not roles.times and roles.target is None and wanted.task in (None, "forecasting"):
        _check_turned(str(file), roles)
    stamps = roles.stamps
    if len(roles.times) == 1 and stamps and not stamps.clash and len(found.files) == 1:
        table.stamps(roles.times[0])  # says how they are written
    if _is_by_columns(roles, wanted, frame, reasons):
        return _inspect_columns(found, table, roles, wanted, reasons)
    target = roles.target
    time = roles.times[0] if len(roles.times) == 1 else roles.times or None
    codes = _codes(frame, roles, reasons)
    task, n_classes, smallest = find_task(frame, target, codes, reasons, wanted.task)
    if roles.layout == "wide":
        lengths, n_missing = _wide_sizes(frame, roles.features)
    else:
        forecast = task == "forecasting" and target in roles.numeric
        values = [*roles.features, *([target] if forecast else [])]
        n_missing = int(frame[values].isna().to_numpy().sum())
        lengths = np.bincount(codes[codes >= 0])
    frequency, sort = _order(roles, codes, reasons)
    season, horizon, context, notes = None, None, None, [*roles.notes]
    if task == "forecasting":
        sizes = sizes_for(frequency, lengths.tolist(), season=wanted.season, horizon=wanted.horizon)
        season, horizon, context = sizes.season, sizes.horizon, sizes.context
        reasons |= sizes.reasons
        notes += sizes.notes
    return DataSummary(
        path=found.path,
        ending=reader_for(file).ending,
        task=task,
        layout=roles.layout,
        target=target,
        time=time,
        series_id=roles.series_id,
        frequency=frequency,
        features=roles.features,
        text_columns=roles.text,
        series_candidates=roles.candidates,
        n_series=int(lengths.size),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        n_classes=n_classes,
        smallest_class=smallest,
        n_missing=n_missing,
        season=season,
        horizon=horizon,
        context_length=context,
        test_path=_test_file(found, reasons),
        reasons=reasons,
        notes=tuple(notes),
        sort=sort,
        files=tuple(found.files),
    )


def _apart(found: FileSet, roles: GuessedRoles, frame: pd.DataFrame, wanted: Wanted) -> str:
    """Return why each of several files is a series, or nothing."""
    if len(found.files) < 2 or wanted.layout not in (None, "files"):
        return ""
    if wanted.layout is None and (
        not roles.times
        or roles.series_id is not None
        or roles.layout != "long"
        or not frame[list(roles.times)].duplicated().any()
    ):
        return ""
    why = "as given" if wanted.layout else "the same stamps stand in several files"
    return f"a file a series: {why}"


def _inspect_series_apart(found: FileSet, table: Table, wanted: Wanted, why: str) -> DataSummary:
    """Say what is in a table of a file a series."""
    table = replace(table, frame=named_by_file(found, table.frame))
    task = wanted.task or "forecasting"
    wanted = replace(wanted, task=task, series_id=DEFAULT_ID, layout="long")
    look = _inspect_table(found, table, wanted)
    reasons = look.reasons | {"layout": why, "series_id": "the name of the file"}
    return replace(look, layout="files", reasons=reasons)


def _check_turned(where: str, roles: GuessedRoles) -> None:
    """Raise where the columns are stamps, and a row is a series to forecast."""
    names = list(roles.features)
    if len(names) > 2 and (
        is_date_text(names) or all(re.fullmatch(r"(19|20)\d\d", n) for n in names)
    ):
        expected = "of a row a time step, and a column a series, to be forecast"
        got = f"columns that are stamps: {', '.join(names[:3])}, ..."
        first = roles.series_id or roles.text[:1]
        hint = (
            f"Turn it: in Excel by pasting transposed, in pandas by .set_index({first!r}).T. If a "
            "row is a series to classify, name what to learn with --target."
        )
        raise DataError(f"{where}: the table must be {expected}; got {got}. {hint}")


def _is_by_columns(
    roles: GuessedRoles, wanted: Wanted, frame: pd.DataFrame, reasons: dict[str, str]
) -> bool:
    """Whether every column of numbers is a series; say why."""
    if wanted.layout is not None:
        reasons["layout"] = f"{wanted.layout}: as given"
        return wanted.layout == "columns"
    if (
        wanted.target is not None
        or wanted.task not in (None, "forecasting")
        or roles.layout != "long"
        or roles.series_id is not None
        or not roles.times
    ):
        return False
    names = [name for name in roles.numeric if name not in roles.times]
    why = columns_are_series(frame, names)
    if why is not None:
        reasons["layout"] = f"columns: {why}"
    return why is not None


def _inspect_columns(
    found: FileSet, table: Table, roles: GuessedRoles, wanted: Wanted, reasons: dict[str, str]
) -> DataSummary:
    """Say what is in a table of a column a series."""
    frame = table.frame
    names = tuple(name for name in roles.numeric if name not in roles.times)
    if not names:
        expected = "at least one column of numbers besides time"
        raise DataError(explain(str(table.path), "the table", expected, list(frame.columns)[:12]))
    known = frame[list(names)].notna().to_numpy()
    first, last = known.argmax(axis=0), len(known) - known[::-1].argmax(axis=0)
    lengths = np.where(known.any(axis=0), last - first, 0)
    frequency, sort = _order(roles, np.zeros(len(frame), np.int64), reasons)
    sizes = sizes_for(frequency, lengths.tolist(), season=wanted.season, horizon=wanted.horizon)
    reasons["task"] = "forecasting: every column of numbers is a series"
    note = (
        f"Each of {len(names)} columns of numbers is a series. To forecast one of them from the "
        "others, name it: --target."
    )
    return DataSummary(
        path=found.path,
        ending=reader_for(table.path).ending,
        task="forecasting",
        layout="columns",
        time=roles.times[0] if len(roles.times) == 1 else roles.times or None,
        frequency=frequency,
        features=names,
        text_columns=roles.text,
        n_series=len(names),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        n_missing=int((last - first - known.sum(axis=0)).sum()),
        season=sizes.season,
        horizon=sizes.horizon,
        context_length=sizes.context,
        reasons=reasons | sizes.reasons,
        notes=(*roles.notes, *sizes.notes, note),
        sort=sort,
        files=tuple(found.files),
    )


def _order(
    roles: GuessedRoles, codes: np.ndarray, reasons: dict[str, str]
) -> tuple[str | None, bool]:
    """Return the frequency of the stamps, and whether rows have to be sorted by them."""
    stamps, frequency = roles.stamps, None
    if stamps is None:
        return None, False
    if not stamps.clash:  # else it depends on which reading is meant
        frequency = guess_frequency(stamps.values, "_".join(roles.times), codes, reasons)
    if frequency is not None and (absent := count_absent(stamps.values, codes, frequency)):
        reasons["missing"] = (
            f"{absent} time stamps are absent" if absent > 1 else "1 time stamp is absent"
        )
    order = np.argsort(codes, kind="stable")
    steps = np.diff(stamps.values[order]).astype(np.float64)
    sort = bool((steps[np.diff(codes[order]) == 0] < 0).any())
    if sort:
        reasons["sort"] = "the rows are not in the order of time"
    return frequency, sort


def _check_wanted(where: str, roles: GuessedRoles, wanted: Wanted, reasons: dict[str, str]) -> None:
    """Raise where a table cannot be what the user says it is."""
    if wanted.time is not None and not roles.times:
        expected = "a column of dates, or of numbers that ascend by the same step"
        raise DataError(explain(where, "the column of time", expected, wanted.time))
    if roles.layout == "wide" and wanted.task == "forecasting":
        expected = "a row a time step, to be forecast"
        raise DataError(explain(where, "the table", expected, reasons["layout"]))


def _wide_sizes(frame: pd.DataFrame, features: Sequence[str]) -> tuple[np.ndarray, int]:
    """Return the length of each row's series, and how many values are missing inside of them."""
    if not features:
        return np.zeros(1), 0
    known = frame[list(features)].notna().to_numpy()
    last = known.shape[1] - np.argmax(known[:, ::-1], axis=1)
    lengths = np.where(known.any(axis=1), last, 0)
    inside = np.arange(known.shape[1]) < lengths[:, None]
    return lengths, int((inside & ~known).sum())
