"""What is usual for a frequency: its season, how far is forecast, how much of the past is seen.

One table, :data:`HABITS`, a row a frequency; :func:`sizes_for` fits a row to the series there are.
A new frequency is a row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HABITS", "Habit", "Sizes", "auto_sizes", "count_absent", "habit_of", "sizes_for"]

SEASONS_HELD = 3  # two to tell a season from a trend, and one to be forecast
HORIZONS_HELD = 3  # one to be tested on, and two that a training window is cut from
MINUTES = 1440  # in a day


@dataclass(frozen=True)
class Habit:
    """One row of :data:`HABITS`; all numbers are time steps.

    Attributes
    ----------
    unit : str
        As :func:`habit_of` calls it.
    name : str
    season : int
        The season that most often matters; 1 = none.
    horizon : int
        How far ahead is usually forecast.
    context : int
        How much of the past a forecast usually sees.
    why : str
    """

    unit: str
    name: str
    season: int
    horizon: int
    context: int
    why: str


HABITS: dict[str, Habit] = {
    habit.unit: habit
    for habit in (
        Habit("Y", "years", 1, 6, 12, "six years ahead, as in the M competitions"),
        Habit("Q", "quarters", 4, 8, 12, "two years ahead of three, as in the M competitions"),
        Habit("M", "months", 12, 12, 36, "a year ahead of three"),
        Habit("W", "weeks", 52, 13, 104, "a quarter ahead of two years"),
        Habit("D", "days", 7, 14, 28, "two weeks ahead of four"),
        Habit("B", "business days", 5, 10, 20, "two weeks ahead of four"),
        Habit("h", "hours", 24, 48, 168, "two days ahead of a week, as in M4"),
        Habit("min", "minutes", 60, 60, 180, "an hour ahead of three"),
        Habit("s", "seconds", 60, 60, 180, "a minute ahead of three"),
        Habit("", "steps", 1, 12, 24, "12 steps ahead of 24: nothing is known of the step"),
    )
}

# pandas has several names of a unit, by where in it the stamp lies.
_UNITS = {"YS": "Y", "YE": "Y", "BYS": "Y", "BYE": "Y", "QS": "Q", "QE": "Q", "BQS": "Q",
          "BQE": "Q", "MS": "M", "ME": "M", "BMS": "M", "BME": "M", "C": "B"}  # fmt: skip
# So many of a unit are another.
_WHOLES = {("M", 3): "Q", ("M", 12): "Y", ("Q", 4): "Y", ("D", 7): "W", ("h", 24): "D",
           ("min", 60): "h", ("min", MINUTES): "D", ("s", 60): "min"}  # fmt: skip


def habit_of(frequency: str | None) -> Habit:
    """Return the habits of a pandas frequency; of a multiple, those of its unit in longer steps.

    Examples
    --------
    >>> habit_of("MS").season, habit_of("QS-OCT").horizon, habit_of("3MS").name
    (12, 8, 'quarters')
    >>> habit_of("15min").season, habit_of("6h").season, habit_of(None).season
    (96, 4, 1)
    """
    match = re.match(r"(\d*)([A-Za-z]+)", frequency or "")
    if match is None:
        return HABITS[""]
    unit, many = _UNITS.get(match[2], match[2]), int(match[1] or 1)
    unit, many = (_WHOLES[unit, many], 1) if (unit, many) in _WHOLES else (unit, many)
    if unit not in HABITS:
        return HABITS[""]
    habit = HABITS[unit]
    if many == 1:
        return habit
    name = f"steps of {many} {habit.name}"
    if unit == "min" and MINUTES % many == 0 and many >= 5:  # what repeats is the day
        day = MINUTES // many
        return Habit(unit, name, day, day, 3 * day, "a day ahead of three")
    season = habit.season // many if habit.season % many == 0 else 1
    horizon, context = -(-habit.horizon // many), -(-habit.context // many)
    return Habit(unit, name, season, horizon, context, habit.why)


@dataclass(frozen=True)
class Sizes:
    """Season, horizon and context for series, each with its reason.

    Attributes
    ----------
    season, horizon, context : int
    reasons : dict of str to str
        By the names of these.
    short : int
        Series that are too short to be trained on beside one test window.
    notes : tuple of str
        What the user should know.
    """

    season: int
    horizon: int
    context: int
    reasons: dict[str, str] = field(default_factory=dict)
    short: int = 0
    notes: tuple[str, ...] = ()


def sizes_for(
    frequency: str | None,
    lengths: Sequence[int],
    *,
    season: int | None = None,
    horizon: int | None = None,
) -> Sizes:
    """Return the habits of a frequency, as far as the median series allows them.

    The shortest series decides nothing: contexts are filled up where a series is shorter.

    Parameters
    ----------
    frequency : str or None
    lengths : sequence of int
        Steps of every series.
    season, horizon : int, optional
        As the user wants them.

    Examples
    --------
    >>> sizes = sizes_for("MS", [144, 20])
    >>> sizes.season, sizes.horizon, sizes.context, sizes.short
    (12, 12, 36, 1)
    >>> sizes_for("W-SUN", [100]).season, sizes_for("YS", [15]).horizon
    (1, 4)
    """
    habit = habit_of(frequency)
    typical = int(median(lengths))
    reasons: dict[str, str] = {}
    steps = f"the median series of {typical} steps" if len(lengths) > 1 else f"{typical} steps"
    given_season, given_horizon = season, horizon
    if season is not None:
        reasons["season"] = "as given"
    else:
        season = habit.season
        reasons["season"] = f"usual for {habit.name}" if season > 1 else f"{habit.name} have none"
        if typical < SEASONS_HELD * season:
            reasons["season"] = (
                f"{season} is usual for {habit.name}, but {steps} does not hold "
                f"{SEASONS_HELD} of them"
            )
            season = 1
    most = max((typical - 1) // HORIZONS_HELD, 1)
    if horizon is not None:
        reasons["horizon"] = "as given"
    else:
        horizon = min(habit.horizon, most)
        reasons["horizon"] = f"steps ahead; {habit.why}; set what you need"
        if horizon < habit.horizon:
            reasons["horizon"] = (
                f"steps ahead: {habit.horizon} are usual for {habit.name}, but {steps} holds less "
                f"than {HORIZONS_HELD} times as many"
            )
    context = habit.context
    if given_season is not None and given_season > 1:
        context = 3 * season
    elif season != habit.season or (given_horizon or 0) > habit.context:
        context = 2 * horizon
    # a whole training window beside a test window; but two seasons must be seen: what a series
    # lacks is filled up
    room = max(typical - 2 * horizon, 2 * season if season > 1 else 1)
    seasons = f"{context // season} seasons of the past" if season > 1 else "steps of the past"
    reasons["context"] = f"{seasons} that the model sees"
    if context > room:
        context = room
        reasons["context"] = f"steps of the past that the model sees: what {steps} leaves"
    short = sum(length <= 2 * horizon for length in lengths)
    note = (
        f"{short} of {len(lengths)} series have {2 * horizon} steps or fewer: they are forecast, "
        "but nothing is learned from them."
    )
    return Sizes(season, horizon, context, reasons, short, (note,) if short else ())


def auto_sizes(
    settings: Mapping[str, Any], frequency: str | None, lengths: Sequence[int]
) -> tuple[dict[str, int], str]:
    """Return what context length, horizon and season become where they are auto, and why.

    Parameters
    ----------
    settings : mapping of str to object
        ``context_length``, ``horizon`` and ``season``.
    frequency, lengths
        As :func:`sizes_for` takes them.

    Examples
    --------
    >>> auto_sizes({"context_length": 24, "horizon": 6, "season": "auto"}, "MS", [144])
    ({'season': 12}, 'auto: season 12: usual for months')
    """
    wanted = {name: None if isinstance(settings[name], str) else settings[name] for name in _NAMED}
    sizes = sizes_for(frequency, lengths, season=wanted["season"], horizon=wanted["horizon"])
    found = {name: getattr(sizes, field) for name, field in _NAMED.items() if wanted[name] is None}
    said = [f"{name} {value}: {sizes.reasons[_NAMED[name]]}" for name, value in found.items()]
    return found, f"auto: {'; '.join(said)}" if said else ""


_NAMED = {"context_length": "context", "horizon": "horizon", "season": "season"}


def count_absent(times: np.ndarray, codes: np.ndarray, frequency: str) -> int:
    """Return how many stamps are absent between the first and the last of every series.

    Parameters
    ----------
    times : ndarray of datetime64
    codes : ndarray of int
        Which series a row belongs to.
    frequency : str
    """
    import numpy as np

    from seqkit.data.clock import Clock

    order = np.lexsort((times, codes))
    times, codes = times[order].astype("datetime64[us]"), codes[order]
    fresh = np.r_[True, (np.diff(codes) != 0) | (times[1:] != times[:-1])]
    times, codes = times[fresh], codes[fresh]
    offsets = np.r_[0, np.flatnonzero(np.diff(codes)) + 1, len(codes)]
    ordinals = Clock.infer(times, offsets, None, frequency).ordinals(times, offsets)
    if (ordinals < 0).any():  # off the grid: the fit will say where
        return 0
    return int((ordinals[offsets[1:] - 1] + 1 - np.diff(offsets)).sum())
