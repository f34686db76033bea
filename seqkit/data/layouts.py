"""Tables of other shapes, made long: a column a series, and GluonTS's entries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rows_of_columns", "rows_of_entries"]

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
