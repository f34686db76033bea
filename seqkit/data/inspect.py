"""What a data file seems to hold, and why: the ground a new recipe is written on.

Every guess comes with its reason in words, so that the user who knows better can see which one to
correct. Nothing else in seqkit guesses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.readers import find_files, read_sequences, reader_of
from seqkit.data.sizes import find_test_file, guess_frequency, guess_sizes
from seqkit.data.stamps import read_stamps, yyyymmdd
from seqkit.data.tables import read_table
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Look", "look_at"]

TIME_NAMES = ("ds", "time", "timestamp", "datetime", "date", "month", "day", "year", "week", "hour",
              "step", "timestep", "cycle", "frame", "t")  # fmt: skip
COUNTER_NAMES = (
    "ds",
    "time",
    "timestamp",
    "date",
    "year",
    "step",
    "timestep",
    "cycle",
    "frame",
    "t",
)
SERIES_NAMES = ("unique_id", "series_id", "series", "id", "trial", "subject", "patient", "unit",
                "engine", "machine", "sensor", "meter", "store", "item", "recording", "session",
                "case")  # fmt: skip
TARGET_NAMES = ("target", "label", "class", "y", "rul", "outcome", "activity", "fault")

MANY_CLASSES = 20


@dataclass(frozen=True)
class Look:
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
    target, time, series_id, frequency : str or None
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
        What the user should look at.
    """

    path: str
    ending: str
    task: str | None
    layout: str | None
    target: str | None
    time: str | None
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


def look_at(path: str | Path, target: str | None = None) -> Look:
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
    - horizon and context: one season ahead from two seasons; without a season 12 steps or a fifth
      of the shortest series, from twice as many.

    Parameters
    ----------
    path : str or Path
        One file, or a pattern of which the first is looked at.
    target : str, optional
        Column to predict.

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
    >>> look = look_at(file)
    >>> look.task, look.time, look.frequency, look.target, look.season
    ('forecasting', 'date', 'D', 'load', 7)
    """
    file = find_files(path)[0]
    reader = reader_of(file)
    if not reader.frame:
        return _look_at_series(str(path), file, target)
    frame = read_table(file)
    if target is not None and target not in frame.columns:
        shown = ", ".join(frame.columns[:12])
        expected = f"a column of the file ({shown})"
        raise DataError(
            explain(str(file), "target", expected, target, suggest(target, frame.columns))
        )
    return _look_at_table(str(path), file, frame, target)


def _look_at_series(path: str, file: Path, target: str | None) -> Look:
    """Look at a format that states its own layout."""
    ending = reader_of(file).ending
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
        task = "classification" if labels else "regression"
        reasons["task"] = f"one target a series, and {why}"
        if labels:
            counts = np.unique(np.asarray(sequences.y), return_counts=True)[1]
            n_classes, smallest = int(counts.size), int(counts.min())
    lengths = sequences.lengths
    return Look(
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


def _look_at_table(path: str, file: Path, frame: pd.DataFrame, target: str | None) -> Look:
    import pandas as pd

    reasons: dict[str, str] = {}
    notes: list[str] = []
    kinds = pd.api.types
    numeric = [c for c in frame.columns if kinds.is_numeric_dtype(frame[c].dtype)]
    time, dated = _find_time(frame, target, reasons)
    layout = _find_layout(frame, numeric, time, target, reasons)
    if layout == "wide":
        time, dated = None, False
        reasons["time"] = "in the wide layout the columns are the steps"
        candidates = _row_names(frame, numeric, target, reasons)
    else:
        candidates = _series_columns(frame, time, target, reasons)
    series_id = candidates[0] if candidates else None
    if target is None:
        target = _find_target(frame, layout, numeric, {time, series_id}, reasons)
    else:
        reasons["target"] = "as given"
    codes = np.arange(len(frame))
    if layout == "long":
        codes = np.zeros(len(frame), dtype=np.int64)
        if series_id is not None:
            codes = pd.factorize(frame[series_id])[0]
        else:
            reasons.setdefault("series_id", "no column tells series apart: one series")
    task, n_classes, smallest = _find_task(frame, target, codes, reasons)
    taken = {time, series_id, target}
    features = tuple(c for c in numeric if c not in taken)
    text = tuple(c for c in frame.columns if c not in taken and c not in numeric)
    if text:
        notes.append("Columns that are no numbers are left out: " + ", ".join(text) + ".")
    values = [*features, *([target] if target in numeric and task == "forecasting" else [])]
    n_missing = int(frame[values].isna().to_numpy().sum())
    if layout == "wide":
        known = frame[list(features)].notna().to_numpy()
        last = known.shape[1] - np.argmax(known[:, ::-1], axis=1) if features else np.zeros(1)
        lengths = np.where(known.any(axis=1), last, 0) if features else last
        inside = np.arange(known.shape[1]) < lengths[:, None] if features else known
        n_missing = int((inside & ~known).sum())
    else:
        lengths = np.bincount(codes[codes >= 0])
    parts = [c for c in ("year", "month", "day", "hour") if c in numeric]
    if not dated and len(parts) >= 3:
        notes.append(f"{', '.join(parts)} look like one time stamp in parts: join them first.")
    frequency = guess_frequency(frame, time, codes, file, reasons) if time else None
    season = horizon = context = None
    if task == "forecasting":
        season, horizon, context = guess_sizes(
            frequency, int(lengths.min()), int(lengths.max()), reasons
        )
    return Look(
        path=path,
        ending=reader_of(file).ending,
        task=task,
        layout=layout,
        target=target,
        time=time,
        series_id=series_id,
        frequency=frequency,
        features=features,
        text_columns=text,
        series_candidates=candidates,
        n_series=int(lengths.size),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        n_classes=n_classes,
        smallest_class=smallest,
        n_missing=n_missing,
        season=season,
        horizon=horizon,
        context_length=context,
        test_path=find_test_file(file, reasons),
        reasons=reasons,
        notes=tuple(notes),
    )


def _named(column: str, names: Sequence[str]) -> int | None:
    """Return the place of the first of `names` that is a word of a column's name, or None."""
    words = re.split(r"[^a-z0-9]+", column.lower())
    for rank, name in enumerate(names):
        if column.lower() == name or name in words:
            return rank
    return None


def _find_time(
    frame: pd.DataFrame, target: str | None, reasons: dict[str, str]
) -> tuple[str | None, bool]:
    """Return the column of time stamps and whether it holds dates."""
    import pandas as pd

    kinds = pd.api.types
    dates, counters = [], []
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if name == target or column.isna().any() or kinds.is_bool_dtype(column.dtype):
            continue
        if kinds.is_datetime64_any_dtype(column.dtype):
            dates.append(name)
        elif kinds.is_numeric_dtype(column.dtype):
            if _named(name, TIME_NAMES) is not None and yyyymmdd(column) is not None:
                dates.append(name)
                continue
            with np.errstate(invalid="ignore"):  # of infinities
                steps = np.diff(column.to_numpy(dtype=np.float64))
            named = _named(name, COUNTER_NAMES) is not None and (steps > 0).mean() > 0.9
            if steps.size and (named or (place == 0 and steps[0] > 0 and np.ptp(steps) == 0)):
                counters.append(name)
        elif not len(read_stamps(column).unread):
            dates.append(name)
    for found, why in ((dates, "holds dates"), (counters, "is a number that ascends")):
        if found:
            last = len(TIME_NAMES)
            ranks = [last if (r := _named(name, TIME_NAMES)) is None else r for name in found]
            best = found[int(np.argmin(ranks))]
            reasons["time"] = f"{best!r} {why}"
            return best, found is dates
    reasons["time"] = "no column holds dates or counts steps"
    return None, False


def _find_layout(
    frame: pd.DataFrame,
    numeric: list[str],
    time: str | None,
    target: str | None,
    reasons: dict[str, str],
) -> str:
    steps = [c for c in numeric if c != target]
    numbered = [c for c in steps if re.fullmatch(r"[A-Za-z_.\- ]*\d+", c)]
    if len(numbered) >= 10 and len(numbered) * 2 > len(steps):
        heads = {re.sub(r"\d+$", "", c) for c in numbered}
        if len(heads) == 1:
            reasons["layout"] = f"wide: {len(numbered)} numbered columns ({numbered[0]} ...)"
            return "wide"
    if time is not None:
        reasons["layout"] = f"long: {time!r} is a column of time stamps"
        return "long"
    if len(steps) >= 10 and len(steps) > len(frame):
        reasons["layout"] = f"wide: {len(steps)} numeric columns, more than the {len(frame)} rows"
        return "wide"
    reasons["layout"] = "long: the columns look like different quantities, not like steps"
    return "long"


def _series_columns(
    frame: pd.DataFrame, time: str | None, target: str | None, reasons: dict[str, str]
) -> tuple[str, ...]:
    """Return the columns that could name the series, the best first."""
    import pandas as pd

    found = []
    stamps = None if time is None else frame[time]
    if stamps is not None and not stamps.duplicated().any():
        reasons["series_id"] = f"every {time!r} occurs once: one series"
        return ()
    for name in frame.columns:
        column = frame[name]
        if name in (time, target) or column.isna().any():
            continue
        rank = _named(name, SERIES_NAMES)
        if pd.api.types.is_float_dtype(column.dtype):
            continue
        count = column.nunique()
        if not 1 < count <= len(frame) / 2:
            continue
        if stamps is not None:
            if frame[[name, time]].duplicated().any():
                continue
            why = f"with {name!r} every {time!r} occurs once"
        elif rank is not None:
            why = f"{name!r} is named like an identifier and its {count} values repeat"
        else:
            continue
        order = len(SERIES_NAMES) if rank is None else rank
        found.append((order, count, name, why))
    found.sort()
    if found:
        reasons["series_id"] = found[0][3]
    return tuple(name for _, _, name, _ in found)


def _row_names(
    frame: pd.DataFrame, numeric: list[str], target: str | None, reasons: dict[str, str]
) -> tuple[str, ...]:
    """Return the columns of a wide table that could name its rows."""
    found = []
    for name in frame.columns:
        identifier = name not in numeric or _named(name, SERIES_NAMES) is not None
        if name != target and identifier and frame[name].is_unique and len(frame) > 1:
            found.append(name)
    if found:
        reasons["series_id"] = f"{found[0]!r} is different in every row"
    return tuple(found)


def _find_target(
    frame: pd.DataFrame,
    layout: str,
    numeric: list[str],
    taken: set[str | None],
    reasons: dict[str, str],
) -> str | None:
    free = [c for c in frame.columns if c not in taken]
    named = [(rank, c) for c in free if (rank := _named(c, TARGET_NAMES)) is not None]
    if named:
        reasons["target"] = f"{min(named)[1]!r} is named like one"
        return min(named)[1]
    if layout == "wide":
        text = [c for c in free if c not in numeric]
        if text:
            reasons["target"] = f"{text[-1]!r} is the last column that is no number"
            return text[-1]
        reasons["target"] = "no column is named like one: name it"
        return None
    numbers = [c for c in free if c in numeric]
    if numbers:
        reasons["target"] = f"{numbers[-1]!r} is the last numeric column"
        return numbers[-1]
    reasons["target"] = "no numeric column is left"
    return None


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
    frame: pd.DataFrame, target: str | None, codes: np.ndarray, reasons: dict[str, str]
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
    if constant:
        task = "classification" if labels else "regression"
        where = (
            "is the same in all rows of a series" if n_series < len(frame) else "is one a series"
        )
    elif plain.dtype.kind == "f":
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
