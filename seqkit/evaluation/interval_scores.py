"""Scores of predicted quantiles of numbers, one a series or several.

Truths are ``(n_series,)`` or ``(n_series, n_targets)``, quantiles have one more axis, of rising
levels; of several targets a score is the mean over them, as those of scikit-learn are. An interval
is what the outermost quantiles enclose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.evaluation.forecast_errors import Undefined

__all__ = ["coverage", "interval_score", "interval_width", "of_each", "pinball"]

Floats = npt.NDArray[np.float64]


def of_each(name: str, y_true: Any, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return what each series scores, the mean over targets: the score is the mean over series.

    Parameters
    ----------
    name : {"pinball", "coverage", "interval_width", "interval_score"}

    Examples
    --------
    >>> of_each("pinball", np.array([1.0, 3.0]), np.array([[2.0], [2.0]]), [0.9])
    array([0.1, 0.9])
    """
    values = _VALUES[name](np.asarray(y_true, np.float64), quantiles, levels)
    mean: Floats = values.reshape(len(values), -1).mean(axis=1)
    return mean


def _mean(name: str, y_true: Any, quantiles: Floats, levels: Any, sample_weight: Any) -> float:
    return float(np.average(of_each(name, y_true, quantiles, levels), weights=sample_weight))


def _pinball(y_true: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    error = y_true[..., None] - quantiles
    level = np.asarray(levels, np.float64)
    loss: Floats = np.maximum(level * error, (level - 1) * error)
    return loss


def _coverage(y_true: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    low, high = _ends(quantiles, levels)
    return ((low <= y_true) & (y_true <= high)).astype(np.float64)


def _width(y_true: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    low, high = _ends(quantiles, levels)
    return high - low


def _score(y_true: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    low, high = _ends(quantiles, levels)
    outside = np.maximum(low - y_true, 0) + np.maximum(y_true - high, 0)
    score: Floats = high - low + 2 / (1 - (levels[-1] - levels[0])) * outside
    return score


_VALUES = {
    "pinball": _pinball,
    "coverage": _coverage,
    "interval_width": _width,
    "interval_score": _score,
}


def _ends(quantiles: Floats, levels: Sequence[float]) -> tuple[Floats, Floats]:
    if len(levels) < 2:
        raise Undefined("an interval needs two quantiles")
    return quantiles[..., 0], quantiles[..., -1]


def pinball(
    y_true: Any, quantiles: Floats, *, levels: Sequence[float], sample_weight: Any = None
) -> float:
    """Return the mean over series and levels of ``max(q (y - z), (q - 1) (y - z))``.

    Of a quantile z of level q; Koenker and Bassett 1978.

    Examples
    --------
    >>> pinball(np.array([1.0, 3.0]), np.array([[2.0], [2.0]]), levels=[0.9])
    0.5
    """
    return _mean("pinball", y_true, quantiles, levels, sample_weight)


def coverage(
    y_true: Any, quantiles: Floats, *, levels: Sequence[float], sample_weight: Any = None
) -> float:
    """Return the share of true values within the interval."""
    return _mean("coverage", y_true, quantiles, levels, sample_weight)


def interval_width(
    y_true: Any, quantiles: Floats, *, levels: Sequence[float], sample_weight: Any = None
) -> float:
    """Return the mean width of the interval."""
    return _mean("interval_width", y_true, quantiles, levels, sample_weight)


def interval_score(
    y_true: Any, quantiles: Floats, *, levels: Sequence[float], sample_weight: Any = None
) -> float:
    """Return the mean width, and ``2 / alpha`` times how far the truth is outside.

    ``1 - alpha`` is the share that the interval should hold; Gneiting and Raftery (2007), "Strictly
    proper scoring rules, prediction, and estimation", eq. 43.

    Examples
    --------
    >>> ends = np.array([[0.0, 1.0], [0.0, 1.0]])
    >>> round(interval_score(np.array([0.5, 1.1]), ends, levels=[0.1, 0.9]), 6)
    1.5
    """
    return _mean("interval_score", y_true, quantiles, levels, sample_weight)
