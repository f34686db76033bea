"""Whether one model's scores are better than another's by more than chance.

The models are asked about the same series, so the bootstrap draws series (or forecast origins),
the same for every model, and looks at the difference of their scores (Efron and Tibshirani 1993,
chapters 13 and 16): what makes a series hard for all cancels out. The interval is between
quantiles of the drawn differences; the p-value is twice the smaller share of them on either side of
0, and no smaller than that of a sign test in which all n units agree, ``2^(1 - n)``: that much
comes by chance. Of several comparisons at once the p-values are corrected by Holm (1979), which
holds the chance of any false difference below ``1 - level`` whatever depends on what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqkit.errors import explain
from seqkit.evaluation.resampling import Score, drawn_weights

__all__ = ["DRAWS", "LEVEL_OF_INTERVALS", "Difference", "Estimate", "compared", "holm", "pareto"]

Floats = npt.NDArray[np.float64]

DRAWS = 2000
LEVEL_OF_INTERVALS = 0.95


@dataclass(frozen=True)
class Estimate:
    """A score and the interval of its draws; None where no interval exists."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """A model's score less that of another.

    Attributes
    ----------
    value : float
    low, high : float or None
        Ends of the interval; None where no interval exists.
    p, p_holm : float or None
        Two-sided, of this comparison by itself, and corrected for all that were made at once.
    beyond_chance : bool
        Whether the interval leaves out 0, and the corrected p-value is at most ``1 - level``.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    beyond_chance: bool


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values of several comparisons at once (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, above = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        above = max(above, min((len(p) - rank) * p[i], 1.0))
        corrected[i] = above
    return corrected


def compared(
    scores: Mapping[str, Score],
    *,
    n_draws: int = DRAWS,
    level: float = LEVEL_OF_INTERVALS,
    seed: int = 0,
    block: int = 1,
) -> tuple[dict[str, Estimate], dict[str, Difference]]:
    """Return every model's score, and how each but the first differs from the first.

    Parameters
    ----------
    scores : mapping of str to Score
        By one metric, over the same units.
    n_draws : int, default=2000
    level : float, default=0.95
        Of the intervals.
    seed : int, default=0
        Of the draws: the same seed draws the same units.
    block : int, default=1
        Neighbouring units that are drawn together.

    Returns
    -------
    estimates : dict of str to Estimate
    differences : dict of str to Difference

    Raises
    ------
    ValueError
        If the models were not asked about the same units.
    """
    sizes = {len(score.columns) for score in scores.values()}
    if len(sizes) != 1:
        raise ValueError(explain("compared", "the units", "as many of each model", sorted(sizes)))
    values = {name: score.of_all() for name, score in scores.items()}
    (n_units,) = sizes
    first = next(iter(scores))
    if n_units <= block:  # one unit drawn again is always itself
        nothing = (None, None, None, None, False)
        estimates = {name: Estimate(value, None, None) for name, value in values.items()}
        others = [name for name in scores if name != first]
        return estimates, {n: Difference(values[n] - values[first], *nothing) for n in others}
    parts: dict[str, list[Floats]] = {name: [] for name in scores}
    for weights in drawn_weights(n_units, n_draws, seed, block):
        for name, score in scores.items():
            parts[name].append(score(weights))
    drawn = {name: np.concatenate(some) for name, some in parts.items()}
    estimates = {n: Estimate(values[n], *_ends(drawn[n], level)) for n in scores}
    moved = {name: drawn[name] - drawn[first] for name in scores if name != first}
    least = 2.0 ** (1 - n_units // block)
    p = {name: max(_p_value(one), least) for name, one in moved.items()}
    corrected = dict(zip(p, holm(list(p.values())), strict=True))
    differences = {}
    for name, one in moved.items():
        low, high = _ends(one, level)
        out = low is not None and high is not None and (low > 0 or high < 0)
        beyond = out and corrected[name] <= 1 - level
        difference = values[name] - values[first]
        differences[name] = Difference(difference, low, high, p[name], corrected[name], beyond)
    return estimates, differences


def _ends(drawn: Floats, level: float) -> tuple[float, float] | tuple[None, None]:
    """Return the ends of the interval of draws in which there is a score."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _p_value(differences: Floats) -> float:
    """Return twice the smaller share of draws at or beyond 0, never 0 itself."""
    known = differences[np.isfinite(differences)]
    least = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(2 * (least + 1) / (len(known) + 1), 1.0)


def pareto(costs: Sequence[float], scores: Sequence[float], greater_is_better: bool) -> list[bool]:
    """Tell which models no other beats: none that costs no more is better, or costs less as good.

    Examples
    --------
    >>> pareto([1.0, 2.0, 3.0], [0.8, 0.7, 0.9], greater_is_better=True)
    [True, False, True]
    """
    up = scores if greater_is_better else [-score for score in scores]
    pairs = list(zip(costs, up, strict=True))
    return [
        not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in pairs)
        for cost, score in pairs
    ]
