"""Sensible sizes for a data file: frequency, season, horizon, context. Each with its reason.

Used by `seqkit.data.inspect` only; a recipe states what it uses.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqkit.data.stamps import yyyymmdd
from seqkit.data.tables import stamps_of_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SEASONS", "find_test_file", "guess_frequency", "guess_sizes"]

# Steps in the season that most often matters, by pandas frequency without its multiple and anchor.
SEASONS = {"YS": 1, "YE": 1, "QS": 4, "QE": 4, "MS": 12, "ME": 12, "W": 52, "D": 7, "B": 5,
           "h": 24, "min": 60, "s": 60}  # fmt: skip

UNSEASONAL = 12
"""Steps ahead where there is no season and the series are long enough."""


def guess_frequency(
    frame: pd.DataFrame, time: str, codes: np.ndarray, file: Path, reasons: dict[str, str]
) -> str | None:
    """Return the pandas frequency of the longest series, or the step of a counter."""
    import warnings

    import pandas as pd

    column = frame[time][codes == np.argmax(np.bincount(codes[codes >= 0]))]
    if pd.api.types.is_numeric_dtype(column.dtype):
        days = yyyymmdd(column)
        if days is None:
            reasons["frequency"] = f"{time!r} counts steps"
            return None
        stamps = pd.DatetimeIndex(days)
    else:
        stamps = pd.DatetimeIndex(stamps_of_rows(column, file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3 announces that this will be an offset, not text
        frequency = pd.infer_freq(stamps[:5000]) if len(stamps) > 2 else None
    if frequency is not None:
        name = str(getattr(frequency, "freqstr", frequency))
        reasons["frequency"] = f"the first {min(len(stamps), 5000)} stamps are regular: {name}"
        return name
    steps = pd.Series(stamps).diff().dropna()
    common = steps.mode()
    if not len(common) or common.iloc[0] <= pd.Timedelta(0):
        reasons["frequency"] = "the stamps do not tell"
        return None
    step = common.iloc[0]
    whole_days = step % pd.Timedelta(days=1) == pd.Timedelta(0)
    # pandas 3 writes a step of whole days in hours, but a day is a day when clocks change.
    name = (
        f"{step.days if step.days > 1 else ''}D"
        if whole_days
        else (str(pd.tseries.frequencies.to_offset(step).freqstr))
    )
    share = float((steps == common.iloc[0]).mean())
    reasons["frequency"] = f"{share:.0%} of the steps are {name}; the stamps have gaps"
    return name


def guess_sizes(
    frequency: str | None, shortest: int, longest: int, reasons: dict[str, str]
) -> tuple[int, int, int]:
    """Return season, horizon and context length in time steps.

    A context is never cut below the two seasons that a model must see: a series that is shorter
    than it is filled up.
    """
    match = re.match(r"(\d*)([A-Za-z]+)", frequency or "")
    unit = match.group(2) if match else ""
    season = SEASONS.get(unit, 1)
    multiple = int(match.group(1) or 1) if match else 1
    if multiple > 1:
        season = max(season // multiple, 1)
    reasons["season"] = f"usual for {frequency}" if season > 1 else "no season is usual for it"
    if longest < 3 * season:
        reasons["season"] = f"{season} is usual for {frequency}, but no series holds three of them"
        season = 1
    if season == 1:
        horizon = min(UNSEASONAL, max(shortest // 5, 1))
        reasons["horizon"] = f"{horizon} ahead of {2 * horizon} steps"
        return season, horizon, 2 * horizon
    horizon = min(season, max(shortest // 3, 1))
    ahead = "one" if horizon == season else f"a third of the shortest series, {shortest} steps,"
    reasons["horizon"] = f"two seasons of context, {ahead} ahead"
    return season, horizon, 2 * season


def find_test_file(file: Path, reasons: dict[str, str]) -> str | None:
    """Return the file beside this one whose name says test where this one says train."""
    for train, test in (("TRAIN", "TEST"), ("train", "test"), ("Train", "Test")):
        if train in file.name:
            other = file.with_name(file.name.replace(train, test))
            if other.is_file():
                reasons["test_path"] = f"{other.name} is named as the test part of {file.name}"
                return str(other)
    return None
