"""Covariates of text that change over time: a channel of 0 and 1 for each known category.

The channel of category ``rain`` of column ``weather`` is called ``weather=rain``, which is all that
has to be known to read the next frame in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seqkit.data.numbers import floats
from seqkit.errors import DataError, explain

__all__ = ["is_category", "known_categories", "learned_categories"]

log = logging.getLogger(__name__)

MOST = 50
"""Categories of a column: each is a channel, and one seen twice teaches nothing."""


def is_category(column: pd.Series) -> bool:
    """Whether a column is text, and not numbers of which some are mistyped.

    Examples
    --------
    >>> is_category(pd.Series(["sun", "rain"])), is_category(pd.Series(["1", "2", "3x"]))
    (True, False)
    """
    kinds = pd.api.types
    if not (kinds.is_string_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype)):
        return False
    known = column.dropna()
    numbers = floats(known).notna().sum()
    return bool(len(known)) and 2 * int(numbers) < len(known)


def learned_categories(
    table: pd.DataFrame, names: Sequence[str], where: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a frame with channels for the categories of its columns of text, and all names then.

    Parameters
    ----------
    table : pandas.DataFrame
    names : sequence of str
        Covariates that change over time.
    where : str
        What an error begins with.

    Examples
    --------
    >>> table = pd.DataFrame({"weather": ["sun", "rain"], "t": [5.0, 6.0]})
    >>> learned_categories(table, ["weather", "t"], "data")[1]
    ('weather=rain', 'weather=sun', 't')
    """
    found: list[str] = []
    for name in names:
        if name not in table.columns or not is_category(table[name]):
            found.append(name)
            continue
        values = sorted(map(str, table[name].dropna().unique()))
        if not 1 < len(values) <= MOST:
            hint = "Leave the column out." if len(values) < 2 else "Group them, or encode the " \
                   "column as numbers."  # fmt: skip
            what = f"the number of categories of {name!r}"
            raise DataError(explain(where, what, f"from 2 to {MOST}", len(values), hint))
        found += [f"{name}={value}" for value in values]
    return known_categories(table, found, where), tuple(found)


def known_categories(table: pd.DataFrame, names: Sequence[str], where: str) -> pd.DataFrame:
    """Return a frame with the channels that `names` asks for and it does not have.

    A category that is not among them is 0 in all, with a line in the log; a missing one is missing
    in all.
    """
    channels: dict[str, np.ndarray] = {}
    known: dict[str, set[str]] = {}
    for name in names:
        base, equals, value = name.partition("=")
        while equals and base not in table.columns:  # a name may hold one itself
            more, equals, value = value.partition("=")
            base = f"{base}={more}"
        if name in table.columns or not equals:
            continue
        column = table[base]
        is_it = (column.astype(object).map(str, na_action="ignore") == value).astype(np.float64)
        channels[name] = is_it.where(column.notna()).to_numpy(dtype=np.float64)
        known.setdefault(base, set()).add(value)
    for base, values in known.items():
        if others := sorted(set(map(str, table[base].dropna().unique())) - values):
            shown = ", ".join(map(repr, others[:5]))
            log.warning("%s: column %r has %s, which training had not", where, base, shown)
    return table.assign(**channels) if channels else table
