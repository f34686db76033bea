"""Sensible sizes for a data file: frequency, season, horizon, context. Each with its reason.

Used by `seqkit.data.inspect` only; a recipe states what it uses.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

__all__ = ["SEASONS", "find_test_file", "guess_frequency", "guess_sizes"]

# Steps in the season that most often matters, by pandas frequency without its multiple and anchor.
SEASONS = {"YS": 1, "YE": 1, "QS": 4, "QE": 4, "MS": 12, "ME": 12, "W": 52, "D": 7, "B": 5,
           "h": 24, "min": 60, "s": 60}  # fmt: skip

UNSEASONAL = 12
"""Steps ahead where there is no season and the series are long enough."""


def guess_frequency(
    values: np.ndarray, time: str, codes: np.ndarray, reasons: dict[str, str]
) -> str | None:
    """Return the pandas frequency of the longest series, or the step of a counter.

    Parameters
    ----------
    values : numpy.ndarray
        The stamps, as `stamps.read_stamps` returns them.
    time : str
        Name of their column.
    codes : numpy.ndarray of int
        Which series a row belongs to.
    reasons : dict of str to str
    """
    from seqkit.data.clock import Clock

    if values.dtype.kind != "M":
        reasons["frequency"] = f"{time!r} counts steps"
        return None
    stamps = np.unique(values[codes == np.argmax(np.bincount(codes[codes >= 0]))])
    if len(stamps) < 2:
        reasons["frequency"] = "the stamps do not tell"
        return None
    whole = np.array([0, len(stamps)])
    clock = Clock.infer(stamps, whole, None, None)
    steps = np.diff(clock.ordinals(stamps, whole))
    if (steps == 1).all():
        reasons["frequency"] = f"all {len(stamps)} stamps are regular: {clock.frequency}"
    else:
        share = float((steps == 1).mean())
        reasons["frequency"] = (
            f"{share:.0%} of the steps are {clock.frequency}; the stamps have gaps"
        )
    return clock.frequency


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
