"""Whether series repeat themselves with a period that nobody has named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["missed_season"]

Floats = npt.NDArray[np.float64]

MOST_SERIES, MOST_STEPS, MOST_LAG = 20, 3000, 400
FEWEST_STEPS = 60
SEASONS = 4  # that a series must hold: three repetitions
DIP = 0.6  # of the differences at lags around: 1 of a trend or a random walk
BETTER = 0.75  # of the differences at the season that is given
BETTER_STEPS = 0.5  # the same of steps, which are noisier
EXACT = 1e-9  # of the mean difference
KNOWN = 0.5  # of the values: gaps are left out
REPETITIONS, FADED = 8, 0.7  # after so many a dip must still be one: an oscillation fades
NEAR = 1.5  # of the smallest difference: multiples of a season are as good, but for noise


def missed_season(targets: Sequence[Floats], season: int = 1) -> tuple[int, float] | None:
    """Return a period that series have and ``season`` does not name, and how deep its dip is.

    With ``d(m)`` the mean of ``|y_t - y_(t-m)|`` of a series without its straight line, or of its
    steps, a season is a lag at which d dips: well below its median over the lags from m/2 to 3m/2,
    in the median over the series, and after eight repetitions, or as many as half of a series
    holds, still.

    Parameters
    ----------
    targets : sequence of ndarray of shape (n_timesteps,) or (n_timesteps, n_targets)
    season : int, default=1
        The one that is known; its multiples and divisors count only where they are much better.

    Examples
    --------
    >>> t = np.arange(200)
    >>> noise = np.random.default_rng(0).normal(size=200)
    >>> missed_season([5 * np.sin(2 * np.pi * t / 12) + noise])[0]
    12
    >>> missed_season([np.cumsum(noise)]), missed_season([noise]), missed_season([t + noise])
    (None, None, None)
    """
    columns = [
        column
        for series in _spread(targets)
        for column in np.reshape(series, (len(series), -1))[-MOST_STEPS:].T
    ]
    columns = [
        column
        for column in columns
        if len(column) >= FEWEST_STEPS
        and np.isfinite(column).mean() >= KNOWN
        and np.nanmax(column) > np.nanmin(column)
    ]
    if not columns:
        return None
    levels = [_without_line(column) for column in columns]
    steps = [np.diff(column) for column in columns]  # of what wanders, or bends: they do neither
    for kind, better in ((levels, BETTER), (steps, BETTER_STEPS)):
        found = _season_of(kind, season, better, (levels, steps))
        if found is not None:
            return found
    return None


def _season_of(
    columns: Sequence[Floats], season: int, better: float, kinds: Sequence[Sequence[Floats]]
) -> tuple[int, float] | None:
    """Return the season of columns, and its dip; of the lags that half of them hold.

    Of the columns, or the steps of them, the dip must go on.
    """
    columns = [column for column in columns if np.nanmax(column) > np.nanmin(column)]
    if not columns:
        return None
    lengths = np.array([len(column) for column in columns])
    most = min(int(np.median(lengths)) // SEASONS, MOST_LAG)
    apart = [_differences(column, most + most // 2) for column in columns]
    each = np.array([_dips(of, most) for of in apart])
    each[lengths[:, None] < SEASONS * np.arange(most + 1)] = np.nan
    dips = np.nanmedian(each, axis=0)  # (most + 1,), 1 where there is none
    held = [of for of in apart if season < len(of)]
    if season > 1 and held:
        tiny = [EXACT * of[1:].mean() for of in held]  # what repeats itself exactly is no better
        gain = [
            np.append(of + e, np.full(most + 1, np.inf))[: most + 1] / (of[season] + e)
            for of, e in zip(held, tiny, strict=True)
        ]
        dips = np.where(np.median(gain, axis=0) < better, dips, 1.0)
    size = np.nanmedian(
        [np.append(of / of[1:].mean(), np.full(most + 1, np.nan))[: most + 1] for of in apart],
        axis=0,
    )
    candidates = [
        m for m in np.flatnonzero(dips < DIP) if any(_goes_on(kind, int(m)) for kind in kinds)
    ]
    if not candidates:
        return None
    least = NEAR * size[candidates].min() + 1e-12
    lag = int(next(m for m in candidates if size[m] <= least))
    return lag, float(dips[lag])


def _goes_on(columns: Sequence[Floats], lag: int) -> bool:
    """Return whether the dip is there after many repetitions, too: a season does not fade."""
    left = []
    for column in columns:
        times = min(len(column) // (2 * lag), REPETITIONS)
        if times >= 2:
            near = range(times * lag - lag // 2, times * lag + lag // 2 + 1)
            of = {m: _difference(column, m) for m in near}
            left.append(of[times * lag] / max(float(np.median([*of.values()])), 1e-300))
    return not left or float(np.median(left)) < FADED


def _spread(targets: Sequence[Floats]) -> list[Floats]:
    """Return some of the series, from the first to the last; the long ones among them."""
    fit = [i for i, series in enumerate(targets) if len(series) >= FEWEST_STEPS]
    chosen = np.linspace(0, len(fit) - 1, min(len(fit), MOST_SERIES)).astype(int)
    return [np.asarray(targets[fit[i]], np.float64) for i in chosen]


def _without_line(x: Floats) -> Floats:
    """Return a series without its straight line: a trend adds to differences of all seasons."""
    t = np.arange(len(x), dtype=np.float64)
    known = np.isfinite(x)
    t -= t[known].mean()
    x = x - x[known].mean()
    left: Floats = x - t * (t[known] @ x[known] / (t[known] @ t[known]))
    return left


def _difference(x: Floats, lag: int) -> float:
    """Return the mean absolute difference at a lag, of what is known."""
    apart = np.abs(x[lag:] - x[:-lag])
    apart = apart[np.isfinite(apart)]
    return float(apart.mean()) if len(apart) else 0.0


def _differences(x: Floats, most: int) -> Floats:
    """Return the mean absolute difference at every lag, 0 at lag 0."""
    return np.array([0.0, *(_difference(x, m) for m in range(1, min(most, len(x) - 2) + 1))])


def _dips(of: Floats, most: int) -> Floats:
    """Return the differences at lags that are lowest nearby, by those around; 1 at others."""
    dips = np.ones(most + 1)
    for m in range(2, min(most, len(of) - 1) + 1):
        low, high = max(m // 2, 1), min(m + m // 2, len(of) - 1)
        around = np.median(of[low : high + 1])
        if of[m] <= of[m - 1] and of[m] <= of[min(m + 1, len(of) - 1)] and around > 0:
            dips[m] = of[m] / around
    return dips
