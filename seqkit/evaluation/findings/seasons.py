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
NEAR = 1.5  # of the smallest difference: multiples of a season are as good, but for noise


def missed_season(targets: Sequence[Floats], season: int = 1) -> tuple[int, float] | None:
    """Return a period that series have and ``season`` does not name, and how deep its dip is.

    With ``d(m)`` the mean of ``|y_t - y_(t-m)|`` of a series without its straight line, a season is
    a lag at which d dips: well below its median over the lags from m/2 to 3m/2, in the median over
    the series.

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
        if len(column) >= FEWEST_STEPS and np.isfinite(column).all() and np.ptp(column) > 0
    ]
    if not columns:
        return None
    columns = [_without_line(column) for column in columns]
    most = min(min(map(len, columns)) // SEASONS, MOST_LAG)
    apart = [_differences(column, most + most // 2) for column in columns]
    each = np.array([_dips(of, most) for of in apart])
    dips = np.median(each, axis=0)  # (most + 1,), 1 where there is none
    if season > 1 and season < len(apart[0]):
        gain = np.median([of / max(of[season], 1e-300) for of in apart], axis=0)[: most + 1]
        dips = np.where(gain < BETTER, dips, 1.0)
    if dips.min() >= DIP:
        return None
    size = np.median([of / of[1:].mean() for of in apart], axis=0)[: most + 1]
    candidates = np.flatnonzero(dips < DIP)
    good = candidates[size[candidates] <= NEAR * size[candidates].min() + 1e-12]
    lag = int(good[0])
    return lag, float(dips[lag])


def _spread(targets: Sequence[Floats]) -> list[Floats]:
    """Return some of the series, from the first to the last; the long ones among them."""
    fit = [i for i, series in enumerate(targets) if len(series) >= FEWEST_STEPS]
    chosen = np.linspace(0, len(fit) - 1, min(len(fit), MOST_SERIES)).astype(int)
    return [np.asarray(targets[fit[i]], np.float64) for i in chosen]


def _without_line(x: Floats) -> Floats:
    """Return a series without its straight line: a trend adds to differences of all seasons."""
    t = np.arange(len(x)) - (len(x) - 1) / 2
    left: Floats = x - x.mean() - t * (t @ x / (t @ t))
    return left


def _differences(x: Floats, most: int) -> Floats:
    """Return the mean absolute difference at every lag, 0 at lag 0."""
    most = min(most, len(x) - 2)
    return np.array([0.0, *(np.abs(x[m:] - x[:-m]).mean() for m in range(1, most + 1))])


def _dips(of: Floats, most: int) -> Floats:
    """Return the differences at lags that are lowest nearby, by those around; 1 at others."""
    dips = np.ones(most + 1)
    for m in range(2, most + 1):
        low, high = max(m // 2, 1), min(m + m // 2, len(of) - 1)
        around = np.median(of[low : high + 1])
        if of[m] <= of[m - 1] and of[m] <= of[min(m + 1, len(of) - 1)] and around > 0:
            dips[m] = of[m] / around
    return dips
