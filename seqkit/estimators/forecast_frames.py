"""Frames around a forecaster: a target given apart, and predictions in the user's library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from seqkit.errors import DataError, explain
from seqkit.estimators.forecast_reading import is_frame

__all__ = ["in_library", "is_long_frame", "library_of", "with_columns", "with_target"]

# The names Nixtla's libraries use, as in seqkit.data.frames.
_ID, _TIME, _TARGET = "unique_id", "ds", "y"


def library_of(X: Any) -> str | None:
    """Return the library of a frame, ``pandas``, ``polars`` or ``pyarrow``; else None."""
    if not is_frame(X):
        return None
    name = type(X).__module__.partition(".")[0]
    return name if name in ("polars", "pyarrow") else "pandas"


def in_library(frame: pd.DataFrame, library: str | None) -> Any:
    """Return a frame in a library that :func:`library_of` names."""
    if library == "polars":
        return nw.from_native(frame, eager_only=True).to_polars()
    if library == "pyarrow":
        return nw.from_native(frame, eager_only=True).to_arrow()
    return frame


def _table(X: Any) -> pd.DataFrame:
    if isinstance(X, pd.Series):
        return X.to_frame(_TARGET if X.name is None else X.name)
    return X if isinstance(X, pd.DataFrame) else nw.from_native(X, eager_only=True).to_pandas()


def is_long_frame(X: Any, **frame_settings: Any) -> bool:
    """Whether `X` is a long frame: rows with a series or a stamp, and not just features."""
    if not is_frame(X):
        return False
    table = _table(X)
    return (
        any(frame_settings.values())
        or not {_ID, _TIME}.isdisjoint(table.columns)
        or isinstance(table.index, (pd.DatetimeIndex, pd.PeriodIndex))
        or any(pd.api.types.is_datetime64_any_dtype(kind) for kind in table.dtypes)
    )


def with_columns(X: Any, y: Any, names: Sequence[str], owner: str) -> pd.DataFrame:
    """Return a frame with the targets that are given apart from it; those in it have to agree.

    Parameters
    ----------
    X : data frame of n_timesteps rows
    y : array-like of shape (n_timesteps,) or (n_timesteps, n_targets)
    names : sequence of str
        Of the targets.
    owner : str
        Name in messages.
    """
    table = _table(X)
    check_consistent_length(table, y)
    values = np.asarray(y)
    values = values.reshape(len(table), -1)
    if values.shape[1] != len(names):
        raise DataError(explain(owner, "y", f"of {len(names)} columns", values.shape[1]))
    added = {}
    for name, column in zip(names, values.T, strict=True):
        if name not in table.columns:
            added[name] = column
        elif not pd.Series(column).equals(table[name].reset_index(drop=True).astype(column.dtype)):
            raise DataError(
                explain(owner, f"y, which is named {name!r},", "equal to that column of X",
                        "other values", "Rename it, or leave y out.")
            )  # fmt: skip
    return table.assign(**added)


def with_target(
    X: Any,
    y: Any,
    *,
    owner: str,
    target: str | Sequence[str] | None,
    past_covariates: Sequence[str],
    not_past: Sequence[str | None],
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Join a target to the frame of its features, to be fitted on.

    Parameters
    ----------
    X, y, owner
        As :func:`with_columns` takes them.
    target : str, sequence of str or None
        Names; by default those that `y` has, else ``y``, ``y1`` ...
    past_covariates : sequence of str
        Columns known up to now; by default all numbers of X that play no other part, since they
        were given as features.
    not_past : sequence of str or None
        Columns that play another part.

    Returns
    -------
    frame : pandas.DataFrame
    targets, past : list of str
    """
    n = np.shape(y)[1] if np.ndim(y) == 2 else 1
    names: Any = target if target is not None else getattr(y, "columns", getattr(y, "name", None))
    if names is None:
        names = [_TARGET] if n == 1 else [f"{_TARGET}{i + 1}" for i in range(n)]
    names = [names] if isinstance(names, str) else [str(name) for name in names]
    table = with_columns(X, y, names, owner)
    taken = {_ID, _TIME, *names, *not_past}
    past = [past_covariates] if isinstance(past_covariates, str) else list(past_covariates)
    if not past:
        past = [
            str(name)
            for name, kind in _table(X).dtypes.items()
            if name not in taken and pd.api.types.is_numeric_dtype(kind)
        ]
    return table, names, past
