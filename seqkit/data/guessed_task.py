"""The task that a table seems to be for, and why.

Used by :mod:`seqkit.data.inspect` only, whose rules these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

__all__ = ["find_task", "seem_labels"]

MANY_CLASSES = 20


def seem_labels(values: np.ndarray) -> tuple[bool, str]:
    """Tell labels from numbers, with the reason."""
    if values.dtype.kind in "OUSb":
        return True, "it is text or true/false"
    distinct = np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values)
    whole = values.ndim == 1 and (distinct == np.round(distinct)).all()
    if whole and distinct.size <= MANY_CLASSES and distinct.size * 2 <= values.size:
        return True, f"it has {distinct.size} distinct whole numbers"
    return False, "it is a number of many values"


def _is_prose(column: pd.Series) -> bool:
    """Whether most values of a column are of several words."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return False
    return bool(column.astype(str).str.contains(r"\S\s+\S").mean() > 0.5)


def find_task(
    frame: pd.DataFrame,
    target: str | None,
    codes: np.ndarray,
    reasons: dict[str, str],
    wanted: str | None = None,
) -> tuple[str | None, int | None, int | None]:
    """Return the task, and of classes how many there are and how many series the rarest has.

    Parameters
    ----------
    frame : pandas.DataFrame
    target : str or None
        Column of what is to be learned.
    codes : ndarray of shape (n_rows,)
        The number of the series of every row.
    reasons : dict of str to str
        Receives why, as ``task``.
    wanted : str or None
        As the user named it.
    """
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
    labels, why = seem_labels(per_series)
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
        reasons["task"] = f"{target!r} changes within a series, and {why}: try task: tagging"
        if texts := [name for name in frame.columns if name != target and _is_prose(frame[name])]:
            reasons["task"] = (
                f"{texts[0]!r} has a whole text in a row: tokens are read a row each, and tagged; "
                "classes are learned of series of numbers"
            )
        return None, None, None
    reasons["task"] = f"{task}: {target!r} {where}, and {why}"
    if not labels:
        return task, None, None
    sizes = np.unique(pd.factorize(per_series)[0], return_counts=True)[1]
    return task, int(sizes.size), int(sizes.min())
