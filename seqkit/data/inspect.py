"""What a data file seems to hold, and why: the ground a new recipe is written on.

Every guess comes with its reason in words, so that the user who knows better can see which one to
correct. Nothing else in seqkit guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.frequencies import count_absent, sizes_for
from seqkit.data.guesses import GuessedRoles, guess_roles
from seqkit.data.readers import find_files, read_sequences, reader_for
from seqkit.data.sizes import find_test_file, guess_frequency
from seqkit.data.tables import Table, read_table
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataSummary", "Wanted", "inspect_data"]

MANY_CLASSES = 20


@dataclass(frozen=True)
class DataSummary:
    """What a file seems to hold.

    Attributes
    ----------
    path : str
        As given.
    ending : str
        Row of `readers.READERS`.
    task : str or None
        "classification", "regression" or "forecasting"; None where there is nothing to learn.
    layout : {"long", "wide"} or None
        None for formats that have one only.
    target, series_id, frequency : str or None
    time : str, tuple of str or None
        The column of stamps, or those that make one together.
    sort : bool
        Whether rows have to be brought into the order of time.
    features : tuple of str
        Numeric columns without another role (at most as many as the file has).
    text_columns : tuple of str
        Columns of text without another role.
    series_candidates : tuple of str
        Columns that could name the series, the best first.
    n_series, shortest, longest : int
        Number of series and their time steps.
    n_classes : int or None
        Distinct labels, for classification.
    smallest_class : int or None
        Series in the rarest class, for classification.
    n_missing : int
        Missing values among target and features.
    season, horizon, context_length : int or None
        For forecasting, in time steps.
    test_path : str or None
        A file beside this one that is named as its test part.
    reasons : dict of str to str
        Why, by attribute.
    notes : tuple of str
        What the user should check.
    """

    path: str
    ending: str
    task: str | None
    layout: str | None
    target: str | None
    time: str | tuple[str, ...] | None
    series_id: str | None
    frequency: str | None
    features: tuple[str, ...]
    text_columns: tuple[str, ...]
    series_candidates: tuple[str, ...]
    n_series: int
    shortest: int
    longest: int
    n_classes: int | None
    smallest_class: int | None
    n_missing: int
    season: int | None
    horizon: int | None
    context_length: int | None
    test_path: str | None
    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sort: bool = False


@dataclass(frozen=True)
class Wanted:
    """What the user says of a file, each in place of a guess.

    Attributes
    ----------
    target, time, series_id : str or None
        Columns.
    task : {"classification", "regression", "forecasting"} or None
    season, horizon : int or None
        Of forecasting, in time steps.
    """

    target: str | None = None
    time: str | None = None
    series_id: str | None = None
    task: str | None = None
    season: int | None = None
    horizon: int | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are named, by role."""
        roles = ("target", "time", "series_id")
        return {role: name for role in roles if (name := getattr(self, role)) is not None}


def inspect_data(
    path: str | Path, target: str | None = None, wanted: Wanted | None = None
) -> DataSummary:
    r"""Read a file and guess what it is for.

    Rules, in this order:

    - time: a column of dates (as such, as text, or as yyyymmdd numbers), by its name where there
      are several; else an ascending number column with a name such as "step" or "cycle", or a
      first column that ascends by the same step all through.
    - layout: long where there is a time column; wide where 10 or more numeric columns are numbered
      (t0, t1, ... or 1, 2, ...) or are more than the rows; else long.
    - series_id, wide: a column of text, or one named like an identifier, that is different in every
      row. Long: a column that makes every time stamp occur once a series; without
      stamps, one named like an identifier whose values repeat.
    - target: as given; else a column named so (target, label, class, y, ...), else the last
      column of text (wide), else the last numeric column (long).
    - task: text, true/false, or few distinct integers (at most 20, each twice or more on average)
      are labels: one a series is classification; no task learns several in a series. Other
      numbers: one a series is regression, several in a series forecasting.
    - season, horizon and context: what is usual for the frequency, as far as the median series
      allows it (:mod:`seqkit.data.frequencies`).

    Parameters
    ----------
    path : str or Path
        One file, or a pattern of which the first is read.
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
    file = find_files(path)[0]
    reader = reader_for(file)
    if not reader.frame:
        return _inspect_series(str(path), file, wanted)
    table = read_table(file)
    for role, name in wanted.columns.items():
        if name not in table.frame.columns:
            shown = ", ".join(table.frame.columns[:12])
            expected = f"a column of the file ({shown})"
            hint = suggest(name, table.frame.columns)
            raise DataError(explain(str(file), role, expected, name, hint))
    return _inspect_table(str(path), table, wanted)


def _inspect_series(path: str, file: Path, wanted: Wanted) -> DataSummary:
    """Read a format that states its own layout."""
    target = wanted.target
    ending = reader_for(file).ending
    stated = target if ending == ".npz" else None
    sequences = read_sequences(file, target=stated, missing="interpolate")
    reasons = {"layout": f"{ending} files have one layout"}
    notes = []
    if target is not None and stated is None:
        notes.append(f"{ending} files carry their own target; {target!r} is not needed.")
    task, n_classes, smallest = None, None, None
    if sequences.y is None:
        notes.append("The file has no labels and no targets: a recipe needs some.")
    else:
        stated_label = ending != ".npz" and sequences.y.dtype.kind == "i"  # numbers are floats
        labels, why = (True, "a label") if stated_label else _are_labels(np.asarray(sequences.y))
        if wanted.task is not None:
            labels, why = wanted.task == "classification", f"{wanted.task} was asked for"
        task = "classification" if labels else "regression"
        reasons["task"] = f"one target a series, and {why}"
        if labels:
            counts = np.unique(np.asarray(sequences.y), return_counts=True)[1]
            n_classes, smallest = int(counts.size), int(counts.min())
    lengths = sequences.lengths
    return DataSummary(
        path=path,
        ending=ending,
        task=task,
        layout=None,
        target=stated,
        time=None,
        series_id=None,
        frequency=None,
        features=sequences.features,
        text_columns=(),
        series_candidates=(),
        n_series=len(sequences),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        n_classes=n_classes,
        smallest_class=smallest,
        n_missing=int(np.isnan(sequences.values).sum()),
        season=None,
        horizon=None,
        context_length=None,
        test_path=find_test_file(file, reasons),
        reasons=reasons,
        notes=tuple(notes),
    )


def _inspect_table(path: str, table: Table, wanted: Wanted) -> DataSummary:
    import pandas as pd

    frame, file = table.frame, table.path
    reasons: dict[str, str] = {}
    roles = guess_roles(frame, wanted.target, reasons, table.stamps, wanted.time, wanted.series_id)
    _check_wanted(str(file), roles, wanted, reasons)
    target, series_id = roles.target, roles.series_id
    time = roles.times[0] if len(roles.times) == 1 else roles.times or None
    codes = np.arange(len(frame))
    if roles.layout == "long":
        codes = np.zeros(len(frame), dtype=np.int64)
        if series_id is not None:
            codes = pd.factorize(frame[series_id])[0]
        else:
            reasons.setdefault("series_id", "no column tells series apart: one series")
    task, n_classes, smallest = _find_task(frame, target, codes, reasons, wanted.task)
    if roles.layout == "wide":
        lengths, n_missing = _wide_sizes(frame, roles.features)
    else:
        forecast = task == "forecasting" and target in roles.numeric
        values = [*roles.features, *([target] if forecast else [])]
        n_missing = int(frame[values].isna().to_numpy().sum())
        lengths = np.bincount(codes[codes >= 0])
    shortest, longest = int(lengths.min()), int(lengths.max())
    frequency, sort = _order(roles, codes, reasons)
    season = horizon = context = None
    notes = list(roles.notes)
    if task == "forecasting":
        sizes = sizes_for(frequency, lengths.tolist(), season=wanted.season, horizon=wanted.horizon)
        season, horizon, context = sizes.season, sizes.horizon, sizes.context
        reasons |= sizes.reasons
        notes += sizes.notes
    return DataSummary(
        path=path,
        ending=reader_for(file).ending,
        task=task,
        layout=roles.layout,
        target=target,
        time=time,
        series_id=series_id,
        frequency=frequency,
        features=roles.features,
        text_columns=roles.text,
        series_candidates=roles.candidates,
        n_series=int(lengths.size),
        shortest=shortest,
        longest=longest,
        n_classes=n_classes,
        smallest_class=smallest,
        n_missing=n_missing,
        season=season,
        horizon=horizon,
        context_length=context,
        test_path=find_test_file(file, reasons),
        reasons=reasons,
        notes=tuple(notes),
        sort=sort,
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
        reasons["missing"] = f"{absent} time stamps are absent"
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


def _are_labels(values: np.ndarray) -> tuple[bool, str]:
    """Tell labels from numbers, with the reason."""
    if values.dtype.kind in "OUSb":
        return True, "it is text or true/false"
    distinct = np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values)
    whole = values.ndim == 1 and (distinct == np.round(distinct)).all()
    if whole and distinct.size <= MANY_CLASSES and distinct.size * 2 <= values.size:
        return True, f"it has {distinct.size} distinct whole numbers"
    return False, "it is a number of many values"


def _find_task(
    frame: pd.DataFrame,
    target: str | None,
    codes: np.ndarray,
    reasons: dict[str, str],
    wanted: str | None = None,
) -> tuple[str | None, int | None, int | None]:
    import pandas as pd

    if target is None:
        reasons["task"] = "unknown without a target"
        return None, None, None
    column = frame[target]
    kinds = pd.api.types
    plain: np.ndarray[Any, Any] = column.to_numpy(
        dtype=np.float64 if kinds.is_numeric_dtype(column.dtype) and not kinds.is_bool_dtype(
            column.dtype) else object,
        na_value=np.nan,
    )  # fmt: skip
    marks = pd.factorize(plain)[0]
    n_series = int(codes.max()) + 1
    first = np.full(n_series, -1)
    first[codes[::-1]] = marks[::-1]
    constant = bool((first[codes] == marks).all()) and n_series > 1
    per_series = plain[np.unique(codes, return_index=True)[1]] if constant else plain
    labels, why = _are_labels(per_series)
    if wanted is not None:
        labels, why = wanted == "classification", f"{wanted} was asked for"
        constant = constant and wanted != "forecasting"
    if constant:
        task = "classification" if labels else "regression"
        where = (
            "is the same in all rows of a series" if n_series < len(frame) else "is one a series"
        )
    elif plain.dtype.kind == "f" and wanted in (None, "forecasting"):
        # A count or an on/off signal is forecast as the number it is.
        task, where, why = "forecasting", "changes within a series", "it is a number"
        labels = False
    else:
        reasons["task"] = f"{target!r} changes within a series, and {why}: no task learns that"
        return None, None, None
    reasons["task"] = f"{task}: {target!r} {where}, and {why}"
    if not labels:
        return task, None, None
    sizes = np.unique(pd.factorize(per_series)[0], return_counts=True)[1]
    return task, int(sizes.size), int(sizes.min())
