"""The roles that columns seem to play in a table without a description, and why.

Used by :mod:`seqkit.data.inspect` only; what a recipe leaves open is decided in
:mod:`seqkit.data.roles`, by fewer and plainer rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.date_parts import joined_stamps, part_of, time_of_day
from seqkit.data.months import without_accents
from seqkit.data.stamps import Stamps, looks_dated, read_stamps
from seqkit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TARGET_NAMES",
    "GuessedRoles",
    "columns_are_series",
    "guess_roles",
    "name_rank",
]

TIME_NAMES = ("ds", "time", "timestamp", "datetime", "date", "datum", "fecha", "data", "month",
              "monat", "mois", "mes", "mese", "maand", "day", "tag", "year", "jahr", "annee",
              "ano", "anno", "jaar", "week", "hour", "step", "timestep", "cycle", "frame",
              "t")  # fmt: skip
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
# Words of what is measured: columns that have them are different quantities.
QUANTITIES = frozenset(re.findall(r"\w+", """
price cost rate temp temperature humidity pressure wind rain snow sun speed load demand volume
open high low close sales sold revenue quantity count power voltage current promo discount
holiday weekday month year day preis kosten menge umsatz temperatur druck prix cout quantite
precio coste cantidad prezzo costo quantita preco custo quantidade prijs aantal
"""))  # fmt: skip
TARGET_NAMES = ("target", "label", "class", "y", "rul", "outcome", "activity", "fault")


ALIKE = 100  # times that the medians of columns of one quantity differ by at most


@dataclass(frozen=True)
class GuessedRoles:
    """What :func:`guess_roles` returns; the fields are those of ``inspect.DataSummary``.

    Attributes
    ----------
    layout : {"long", "wide"}
    target : str or None
    times : tuple of str
        The column of stamps, or those that make one together.
    stamps : Stamps or None
        As they were read.
    candidates : tuple of str
        Columns that could name the series, the best first.
    features, text : tuple of str
        Columns of numbers, and of anything else, without another role.
    numeric : tuple of str
        All columns of numbers.
    notes : tuple of str
    """

    layout: str
    target: str | None
    times: tuple[str, ...]
    stamps: Stamps | None
    candidates: tuple[str, ...]
    features: tuple[str, ...]
    text: tuple[str, ...]
    numeric: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def series_id(self) -> str | None:
        """The column that names the series."""
        return self.candidates[0] if self.candidates else None


def guess_roles(
    frame: pd.DataFrame,
    target: str | None,
    reasons: dict[str, str],
    fail: Callable[[str], Any],
    given_time: str | None = None,
    given_series: str | None = None,
    layout: str | None = None,
) -> GuessedRoles:
    """Guess which column of a table is which; the rules are those of `inspect.inspect_data`.

    Parameters
    ----------
    frame : pandas.DataFrame
    target : str or None
        As the user named it.
    reasons : dict of str to str
        Receives why, by role.
    fail : callable
        Raises of a column, by name, why it cannot be read as stamps.
    given_time, given_series : str or None
        Columns of time and of series, as the user named them.
    layout : {"long", "wide", "columns"} or None
        As the user named it.
    """
    import pandas as pd

    numeric = [c for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c].dtype)]
    seen = frame if given_time is None else frame[[given_time]]
    times, stamps = _find_time(seen, target, reasons)
    notes = []
    if not times:
        for name in seen.columns:
            if name != target and looks_dated(seen[name]):
                fail(name)
    elif stamps is not None and stamps.clash:
        notes.append(f"{times[0]!r} is {stamps.clash}. Say which with data.day_first.")
    series = frame
    if len(times) > 1:
        series = frame.drop(columns=list(times)).assign(**{"_".join(times): _values(stamps)})
    time = "_".join(times) or None
    if layout is None:
        layout = _find_layout(frame, numeric, time, target, reasons)
    if layout == "wide":
        times, time, stamps = (), None, None
        reasons["time"] = "in the wide layout the columns are the steps"
        candidates = _row_names(frame, numeric, target, reasons)
    else:
        candidates = _series_columns(series, time, target, reasons)
    if given_series is not None:
        candidates = (given_series,)
        reasons["series_id"] = "as given"
    series_id = candidates[0] if candidates else None
    if target is None:
        apart = series_id if layout == "long" and not times else None
        target = _find_target(frame, layout, numeric, {*times, series_id}, apart, reasons)
    else:
        reasons["target"] = "as given"
    taken = {*times, series_id, target}
    features = tuple(c for c in numeric if c not in taken)
    text = tuple(c for c in frame.columns if c not in taken and c not in numeric)
    if text:
        notes.append("Columns that are no numbers are left out: " + ", ".join(text) + ".")
    return GuessedRoles(
        layout, target, times, stamps, candidates, features, text, tuple(numeric), tuple(notes)
    )


def _values(stamps: Stamps | None) -> np.ndarray:
    assert stamps is not None
    return stamps.values


def name_rank(column: str, names: Sequence[str]) -> int | None:
    """Return the index of the first of `names` that is a word of a column's name, or None."""
    words = re.split(r"[^a-z0-9]+", without_accents(column))
    for rank, name in enumerate(names):
        if column.lower() == name or name in words:
            return rank
    return None


def _find_time(
    frame: pd.DataFrame, target: str | None, reasons: dict[str, str]
) -> tuple[tuple[str, ...], Stamps | None]:
    """Return the column of stamps, or those that make one, and how they were read."""
    import pandas as pd

    kinds = pd.api.types
    dates: dict[str, Stamps] = {}
    counters: dict[str, Stamps] = {}
    for index, name in enumerate(frame.columns):
        column = frame[name]
        if name == target or column.isna().any() or kinds.is_bool_dtype(column.dtype):
            continue
        if kinds.is_numeric_dtype(column.dtype):
            read = read_stamps(column)
            if read.form and name_rank(name, TIME_NAMES) is not None:
                dates[name] = read
                continue
            with np.errstate(invalid="ignore"):  # of infinities
                steps = np.diff(column.to_numpy(dtype=np.float64))
            named = name_rank(name, COUNTER_NAMES) is not None and 10 * (steps > 0).sum() > 9 * len(
                steps
            )
            if steps.size and (named or (index == 0 and steps[0] > 0 and np.ptp(steps) == 0)):
                counters[name] = read
        elif kinds.is_datetime64_any_dtype(column.dtype) or looks_dated(column):
            read = read_stamps(column)
            if not len(read.unread):
                dates[name] = read
    if several := _parts(frame, target, dates, reasons):
        return several
    for found, why in ((dates, "holds dates"), (counters, "is a number that ascends")):
        if found:
            last = len(TIME_NAMES)
            ranks = [last if (r := name_rank(name, TIME_NAMES)) is None else r for name in found]
            best = list(found)[int(np.argmin(ranks))]
            form = f", {found[best].form}" if found[best].form not in ("", "ISO 8601") else ""
            reasons["time"] = f"{best!r} {why}{form}"
            return (best,), found[best]
    reasons["time"] = "no column holds dates or counts steps"
    return (), None


def _parts(
    frame: pd.DataFrame, target: str | None, dates: dict[str, Stamps], reasons: dict[str, str]
) -> tuple[tuple[str, ...], Stamps] | None:
    """Return the columns that make a stamp together: a date and a time of day, or its parts."""
    whole = [name for name in dates if part_of(name) != "year"]
    clocks = [c for c in frame.columns if c != target and time_of_day(frame[c]) is not None]
    if whole and clocks:
        names: tuple[str, ...] = (whole[0], clocks[0])
    elif whole:
        return None
    else:
        known: dict[str, str] = {}
        for name in frame.columns:
            if name != target and (part := part_of(name)) and not frame[name].isna().any():
                known.setdefault(part, name)
        if "year" not in known or not {"month", "quarter", "week"} & set(known):
            return None
        order = ["year", "week"]
        if "month" in known:
            order = ["year", "month"]
            if "day" in known:
                order += ["day", "hour", "minute", "second"]
        elif "quarter" in known:
            order = ["year", "quarter"]
        names = tuple(known[part] for part in order if part in known)
    try:
        values = joined_stamps(frame, names, "data").to_numpy()
    except DataError:
        return None
    reasons["time"] = f"{', '.join(names)} make one stamp"
    return names, Stamps(values, None, np.empty(0, np.int64))


def _find_layout(
    frame: pd.DataFrame,
    numeric: list[str],
    time: str | None,
    target: str | None,
    reasons: dict[str, str],
) -> str:
    if "unique_id" in frame.columns and frame["unique_id"].duplicated().any():
        reasons["layout"] = "long: values of 'unique_id' repeat"
        return "long"
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
    reasons["layout"] = "long: the columns are different quantities, not steps"
    return "long"


def _series_columns(
    frame: pd.DataFrame, time: str | None, target: str | None, reasons: dict[str, str]
) -> tuple[str, ...]:
    """Return the columns that could name the series, the best first."""
    import pandas as pd

    candidates = []
    stamps = None if time is None else frame[time]
    if stamps is not None and not stamps.duplicated().any():
        reasons["series_id"] = f"every {time!r} occurs once: one series"
        return ()
    for name in frame.columns:
        column = frame[name]
        if name in (time, target) or column.isna().any():
            continue
        rank = name_rank(name, SERIES_NAMES)
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
        elif not (why := _blocks(frame, name, target)):
            continue
        order = len(SERIES_NAMES) if rank is None else rank
        candidates.append((order, count, name, why))
    candidates.sort()
    if candidates:
        reasons["series_id"] = candidates[0][3]
    return tuple(name for _, _, name, _ in candidates)


def _blocks(frame: pd.DataFrame, name: str, target: str | None) -> str:
    """Return why a column of text names the series of a table without stamps, or nothing.

    The rows of each of its values stand together, and either another column counts or rises anew
    with every one of them, or the target, or else another column of text, is the same in all rows
    of one.
    """
    import pandas as pd

    column = frame[name]
    if pd.api.types.is_numeric_dtype(column.dtype) or part_of(name) is not None:
        return ""
    codes, known = pd.factorize(column)
    begins = np.diff(codes, prepend=-1) != 0
    if begins.sum() != len(known):
        return ""
    for other in frame.columns:
        if other in (name, target) or not pd.api.types.is_numeric_dtype(frame[other].dtype):
            continue
        values = frame[other].to_numpy(np.float64, na_value=np.nan)
        steps = np.diff(values, prepend=values[0])
        if (steps[~begins] == 1).all() and np.ptp(values[begins]) == 0:
            return f"{other!r} counts anew with every {name!r}"
        # nothing but a clock rises all the time and falls wherever the name changes
        if (steps[~begins] > 0).all() and (steps[begins][1:] < 0).all():
            return f"{other!r} rises anew with every {name!r}"
    others = [target] if target else [c for c in frame.columns if _is_text(frame[c].dtype)]
    if labels := _labels_of(frame, name, {*others} - {name}):
        return f"{labels[-1]!r} is the same in all rows of a {name!r}"
    return ""


def _is_text(kind: Any) -> bool:
    import pandas as pd

    return not pd.api.types.is_numeric_dtype(kind)


def _labels_of(frame: pd.DataFrame, series: str, names: Collection[str]) -> list[str]:
    """Return those columns that say one thing of every series, and not the same of all.

    Text that is different in each of them is a name, and no label.
    """
    groups = frame.groupby(series, observed=True)
    found = []
    for name in frame.columns:
        count = frame[name].nunique() if name in names else 0
        named = _is_text(frame[name].dtype) and count == groups.ngroups
        if count > 1 and not named and (groups[name].nunique(dropna=False) == 1).all():
            found.append(name)
    return found


def _row_names(
    frame: pd.DataFrame, numeric: list[str], target: str | None, reasons: dict[str, str]
) -> tuple[str, ...]:
    """Return the columns of a wide table that could name its rows."""
    candidates = []
    for name in frame.columns:
        identifier = name not in numeric or name_rank(name, SERIES_NAMES) is not None
        if name != target and identifier and frame[name].is_unique and len(frame) > 1:
            candidates.append(name)
    if candidates:
        reasons["series_id"] = f"{candidates[0]!r} is different in every row"
    return tuple(candidates)


def _find_target(
    frame: pd.DataFrame,
    layout: str,
    numeric: list[str],
    taken: set[str | None],
    apart: str | None,
    reasons: dict[str, str],
) -> str | None:
    """Return the column to learn; `apart` names series that no stamps order."""
    free = [c for c in frame.columns if c not in taken]
    named = [(rank, c) for c in free if (rank := name_rank(c, TARGET_NAMES)) is not None]
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
    if apart is not None and (labels := _labels_of(frame, apart, set(free) - set(numeric))):
        reasons["target"] = f"{labels[-1]!r} is text, the same in all rows of a series"
        return labels[-1]
    numbers = [c for c in free if c in numeric]
    numbers = [c for c in numbers if frame[c].nunique() > 1] or numbers
    if numbers:
        reasons["target"] = f"{numbers[-1]!r} is the last numeric column"
        return numbers[-1]
    reasons["target"] = "no numeric column is left"
    return None


def columns_are_series(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """Return why every one of some columns of numbers seems to be a series, or None.

    As people keep sales by product or visitors by place: the columns are named alike, or hold
    numbers of one kind and size and none of them is named as a quantity.

    Examples
    --------
    >>> import pandas as pd
    >>> columns_are_series(pd.DataFrame({"shop_1": [5, 6], "shop_2": [7, 9]}), ["shop_1", "shop_2"])
    '2 columns named alike: shop_1, shop_2'
    >>> columns_are_series(pd.DataFrame({"sales": [5, 6], "price": [7, 9]}), ["sales", "price"])
    """
    if len(names) < 2 or any(name_rank(name, TARGET_NAMES) is not None for name in names):
        return None
    plain = [without_accents(name) for name in names]
    words = [set(re.findall(r"[^\W\d_]{2,}", name)) for name in plain]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    if set.intersection(*words) or len({re.sub(r"\d+", "#", name) for name in plain}) == 1:
        return f"{len(names)} columns named alike: {shown}"
    if len(names) < 3 or any(QUANTITIES & found for found in words):
        return None
    values = frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    cents = np.round(100 * values)
    if not (np.abs(100 * values - cents) <= 1e-6 * np.maximum(np.abs(cents), 1))[
        ~np.isnan(values)
    ].all():
        return None  # measured, not counted or paid
    whole = (values == np.round(values)) | np.isnan(values)
    size = np.abs(np.nanmedian(values, axis=0))
    if whole.all(axis=0).any() != whole.all() or not size.min() or size.max() > ALIKE * size.min():
        return None
    return f"{len(names)} columns of numbers of one kind and size: {shown}"
