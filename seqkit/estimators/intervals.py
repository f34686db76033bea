"""Quantiles and conformal intervals of estimators of numbers.

A conformal interval is a prediction widened by as much as others, of series that were not trained
on, were off. If those and the series asked are exchangeable, it holds the truth with the level's
probability, whatever the network learned (Vovk, Gammerman and Shafer 2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqkit.errors import explain
from seqkit.estimators.examples import Examples
from seqkit.estimators.inputs import SeriesInput, TargetInput
from seqkit.network.heads import Head, head_of

__all__ = ["Intervals", "conformal_width", "fewest_for"]

Floats = npt.NDArray[np.float64]
_CALIBRATION = 0x5EED  # the division of the series is another than that of a validation part


def conformal_width(scores: npt.ArrayLike, level: float) -> float:
    """Return by how much to widen so that a share of further scores is not above it.

    It is the ``ceil((n + 1) level)``-th smallest of n scores (Lei et al. 2018, "Distribution-free
    predictive inference for regression", algorithm 2); where there are too few, infinity. Scores
    that are not finite do not count.

    Examples
    --------
    >>> conformal_width([3.0, 1.0, 2.0, 4.0], 0.8), conformal_width([3.0, 1.0, 2.0], 0.8)
    (4.0, inf)
    """
    scores = np.asarray(scores, np.float64)
    known = np.sort(scores[np.isfinite(scores)])
    rank = math.ceil((len(known) + 1) * level - 1e-9)
    return float(known[rank - 1]) if 0 < rank <= len(known) else math.inf


def fewest_for(level: float) -> int:
    """Return how many scores an interval of a level needs at least.

    Examples
    --------
    >>> fewest_for(0.8), fewest_for(0.9), fewest_for(0.95)
    (4, 9, 19)
    """
    return math.ceil(level / (1 - level) - 1e-9)


class Intervals:
    """What an estimator of numbers says beside a point: quantiles, and conformal intervals."""

    calibration: float
    warm_start: bool
    _fitted: Any
    _predict_raw: Any
    _offset_: Floats
    _spread_: Floats
    _many_targets_: bool

    @property
    def _head(self) -> tuple[Head, tuple[float, ...], int]:
        return head_of(self._fitted.quantiles, None, type(self).__name__)

    def predict_quantiles(
        self, X: SeriesInput, levels: Sequence[float] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return quantiles of each series' target, ``(n_series, n_targets, n_levels)``.

        They never cross: the network gives the middle one and positive distances from it.

        Parameters
        ----------
        X : as in fit
        levels : sequence of float, default=None
            Some of the levels of `quantiles`; default: all.

        Raises
        ------
        ValueError
            If the model has no quantiles, or not these.
        """
        check_is_fitted(self)
        own = self._head[1]
        if not own:
            hint = "Fit with quantiles=[0.1, 0.5, 0.9], say."
            raise ValueError(explain(type(self).__name__, "quantiles", "set", None, hint))
        for level in () if levels is None else levels:
            if level not in own:
                raise ValueError(explain("levels", "a level", f"one of {list(own)}", level))
        quantiles = self._in_units(X)
        wanted = own if levels is None else levels
        return quantiles[..., [own.index(level) for level in wanted]]

    def calibrate(self, X: SeriesInput, y: TargetInput | None = None) -> Self:
        """Learn from series that were not trained on how far predictions are off.

        A fit with ``calibration`` above 0 does so with a part that it sets aside. The score of a
        series is how far its target is outside, ``max(low - y, y - high)`` (Romano, Patterson and
        Candes 2019, "Conformalized quantile regression", eq. 6), of the outermost quantiles; where
        there are none it is the absolute error.

        Parameters
        ----------
        X, y : as in fit
            What was calibrated before is forgotten.
        """
        check_is_fitted(self)
        examples = self._examples(X, y, reset=False)  # type: ignore[attr-defined]
        self._scores_ = self._scores(examples)
        return self

    def predict_interval(
        self, X: SeriesInput, level: float = 0.8
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the ends of conformal intervals, each ``(n_series,)`` or ``(n_series, k)``.

        Of series like those of the calibration they hold the truth with at least the probability
        `level`, of each target by itself. Around quantiles they are as wide as the outermost of
        those say, corrected by one number; around a point they are of one width.

        Parameters
        ----------
        X : as in fit
        level : float, default=0.8
            Between 0 and 1; n series of calibration serve up to ``n / (n + 1)``.

        Returns
        -------
        low, high : ndarray

        Raises
        ------
        ValueError
            If nothing was calibrated, or on too few series for the level.
        """
        check_is_fitted(self)
        owner = f"{type(self).__name__}.predict_interval"
        if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
            raise ValueError(explain(owner, "level", "a number between 0 and 1", level))
        scores: Floats | None = getattr(self, "_scores_", None)
        if scores is None:
            hint = "Fit with calibration=0.2, or call calibrate with series not trained on."
            raise ValueError(explain(owner, "the model", "calibrated", "no calibration", hint))
        if len(scores) < fewest_for(level):
            hint = f"An interval of {level:g} needs {fewest_for(level)} series of calibration."
            most = len(scores) / (len(scores) + 1)
            expected = f"at most {most:.3g} with {len(scores)} series of calibration"
            raise ValueError(explain(owner, "level", expected, level, hint))
        low, high = self._ends(X)
        away = np.array([conformal_width(column, level) for column in scores.T])
        low, high = low - away, high + away
        middle = (low + high) / 2
        # quantiles that are too wide are drawn in, no further than to one point
        low, high = np.minimum(low, middle), np.maximum(high, middle)
        return (low, high) if self._many_targets_ else (low[:, 0], high[:, 0])

    def _in_units(self, X: Any) -> Floats:
        """Return the mean of the networks' predictions, ``(n_series, n_targets[, n_levels])``."""
        # undone in float64: float32 has no digits for a small spread about a large number
        output: Floats = self._predict_raw(X, "standardized").mean(0)
        if output.ndim == 3:
            return output * self._spread_[:, None] + self._offset_[:, None]
        return output * self._spread_ + self._offset_

    def _ends(self, X: Any) -> tuple[Floats, Floats]:
        """Return the outermost quantiles, or the point twice, ``(n_series, n_targets)``."""
        made = self._in_units(X)
        return (made[..., 0], made[..., -1]) if made.ndim == 3 else (made, made)

    def _scores(self, examples: Examples) -> Floats:
        low, high = self._ends(examples.padded)
        return np.sort(np.maximum(low - examples.target, examples.target - high), axis=0)

    # -- the part of a fit that is set aside -------------------------------------------------

    def _check_calibration(self, going_on: bool, partial_pass: bool) -> None:
        """Raise if a part is to be set aside by a fit that goes on, which has seen it."""
        if self.calibration and (going_on or partial_pass or self.warm_start):
            what = "partial_fit" if partial_pass else "a fit with warm_start"
            expected = f"0 in {what}, which goes on from what it has seen"
            hint = "Call calibrate, with series not trained on, when all is learned."
            raise ValueError(
                explain(type(self).__name__, "calibration", expected, self.calibration, hint)
            )

    def _fit(self, *args: Any, **kwargs: Any) -> None:
        going_on, partial = kwargs.get("going_on", False), kwargs.get("partial_pass", False)
        self._check_calibration(going_on, partial)
        self.__dict__.pop("_scores_", None)  # of other weights
        super()._fit(*args, **kwargs)  # type: ignore[misc]
        aside = self.__dict__.pop("_aside_", None)
        if aside is not None:
            self._scores_ = self._scores(aside)

    def _divided(
        self, X: Any, y: Any, sample_weight: Any, validation_data: Any, seed: int,
        settings: dict[str, Any], *, reset: bool,
    ) -> tuple[Examples, Examples | None, Examples]:  # fmt: skip
        """Set the calibration part aside; all else is as without it."""
        train, held, whole = super()._divided(  # type: ignore[misc]
            X, y, sample_weight, validation_data, seed, settings, reset=reset
        )
        if not self.calibration:
            return train, held, whole
        n = len(train.target)
        n_aside = round(self.calibration * n)
        if not 0 < n_aside < n:
            expected = f"so large that a series of {n} is set aside, and one is left"
            raise ValueError(
                explain(type(self).__name__, "calibration", expected, self.calibration)
            )
        order = np.random.default_rng([seed, _CALIBRATION]).permutation(n)
        self._aside_ = train.take(np.sort(order[:n_aside]))
        train = train.take(np.sort(order[n_aside:]))
        return train, held, train if held is None else self._joined(train, held)  # type: ignore[attr-defined]
