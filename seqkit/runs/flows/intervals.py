"""Quantiles and conformal intervals in a run of regression: predicted, scored, and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import DataError
from seqkit.estimators.intervals import fewest_for
from seqkit.evaluation.interval_scores import coverage, interval_score, interval_width
from seqkit.evaluation.metrics import Predictions
from seqkit.recipe.evaluate_sections import LEVEL

__all__ = ["NumberPredictions", "check_level", "conformal_part", "level_of", "number_columns",
           "numbers_of"]  # fmt: skip


@dataclass(frozen=True)
class NumberPredictions(Predictions):
    """Predictions of numbers, with conformal intervals where the model is calibrated.

    Attributes
    ----------
    interval : tuple of two arrays of the shape of ``values``, or None
    level : float
        Share of true values that it should hold.
    """

    interval: Any = None
    level: float = LEVEL


def level_of(recipe: Any) -> float:
    """Return the level of the intervals that a run reports."""
    given: float | None = recipe.evaluate.interval
    return LEVEL if given is None else given


def check_level(recipe: Any, n_series: int, where: str) -> None:
    """Raise where the part that is to be set aside is too small for the level."""
    share, level = recipe.train.calibration, level_of(recipe)
    n = round(share * n_series)
    if share and n < fewest_for(level):
        raise DataError(
            f"{where}: an interval of {level:g} needs {fewest_for(level)} series of calibration; "
            f"train.calibration {share:g} of {n_series} training series are {n}. Raise "
            "train.calibration, or lower evaluate.interval."
        )


def numbers_of(estimator: Any, X: Any, level: float, asked: bool = False) -> NumberPredictions:
    """Return what a regressor predicts; `asked` where intervals are wanted for sure.

    A model of a point that is calibrated has the ends of its interval as quantiles.
    """
    values, quantiles, interval = estimator.predict(X), None, None
    levels: tuple[float, ...] = ()
    if asked or getattr(estimator, "_scores_", None) is not None:
        interval = estimator.predict_interval(X, level)
    if estimator.quantiles is not None:
        quantiles = estimator.predict_quantiles(X).reshape(*values.shape, -1)
        levels = tuple(map(float, estimator.quantiles))
    elif interval is not None:
        quantiles, levels = np.stack(interval, axis=-1), ((1 - level) / 2, (1 + level) / 2)
    return NumberPredictions(
        values=values, quantiles=quantiles, levels=levels, interval=interval, level=level
    )


def conformal_part(
    y_true: Any, prediction: NumberPredictions, names: Sequence[str], n_calibration: int
) -> dict[str, Any]:
    """Return how the conformal intervals did on a part, as ``metrics.json`` holds it."""
    level, ends = prediction.level, np.stack(prediction.interval, axis=-1)
    levels = ((1 - level) / 2, (1 + level) / 2)

    def scored(y: Any, ends: Any) -> dict[str, float]:
        return {
            "coverage": coverage(y, ends, levels=levels),
            "mean_width": interval_width(y, ends, levels=levels),
            "interval_score": interval_score(y, ends, levels=levels),
        }

    y = np.asarray(y_true, np.float64)
    part: dict[str, Any] = {
        "level": level,
        **scored(y, ends),
        "n_calibration": n_calibration,
        "n_measured": int(y.size),
    }
    if y.ndim == 2:
        part["targets"] = {name: scored(y[:, k], ends[:, k]) for k, name in enumerate(names)}
    return part


def number_columns(
    y_true: Any, prediction: NumberPredictions, names: Sequence[str]
) -> dict[str, Any]:
    """Return the columns of a table of predictions, those of each target together.

    ``true``, ``predicted``, ``predicted_q0.1`` and ``predicted_low80``, ``predicted_high80``; of
    several targets ``true_NAME``, ``predicted_NAME`` and so on.
    """
    n = len(prediction.values)
    values = prediction.values.reshape(n, -1)
    truth = None if y_true is None else np.asarray(y_true).reshape(n, -1)
    columns: dict[str, Any] = {}
    for k in range(values.shape[1]):
        ending = "" if values.shape[1] == 1 else f"_{names[k]}"
        if truth is not None:
            columns[f"true{ending}"] = truth[:, k]
        made = f"predicted{ending}"
        columns[made] = values[:, k]
        if prediction.quantiles is not None and not _are_ends(prediction):
            own = prediction.quantiles.reshape(n, values.shape[1], -1)[:, k]
            for q, level in enumerate(prediction.levels):
                columns[f"{made}_q{level:g}"] = own[:, q]
        if prediction.interval is not None:
            for end, of_all in zip(("low", "high"), prediction.interval, strict=True):
                columns[f"{made}_{end}{100 * prediction.level:g}"] = of_all.reshape(n, -1)[:, k]
    return columns


def _are_ends(prediction: NumberPredictions) -> bool:
    """Return whether the quantiles are the ends of the interval."""
    return prediction.interval is not None and np.array_equal(
        prediction.quantiles, np.stack(prediction.interval, axis=-1)
    )
