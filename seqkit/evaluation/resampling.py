"""Scores as functions of how often each unit counts: what a bootstrap asks a thousand times.

A unit is what is drawn: a series, or a forecast origin. Most scores are made of sums over cases, so
that the sums of each unit are taken once and a draw is a row of a matrix product:

    score = finish(weights @ columns).

How a metric falls into sums is a row of :data:`LABEL_SCORES` or :data:`NUMBER_SCORES`, for
forecasts of :data:`seqkit.evaluation.forecast_errors.FORECAST_ERRORS`. A test compares every row
with its metric of :data:`seqkit.evaluation.metrics.METRICS` on cases that are really repeated. ROC
AUC and the median are no sums: their cases are sorted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.errors import explain
from seqkit.evaluation.forecast_errors import (
    FORECAST_ERRORS,
    ForecastCase,
    Undefined,
    error_terms,
)
from seqkit.evaluation.interval_scores import of_each
from seqkit.evaluation.metrics import Predictions, run_counts

__all__ = [
    "LABEL_SCORES",
    "NUMBER_SCORES",
    "Cases",
    "Score",
    "drawn_weights",
    "forecast_sums",
    "score_sums",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CHUNK = 1 << 21  # numbers of a matrix of weights: 16 MB


@dataclass(frozen=True)
class Score:
    """A score as a function of weights.

    Attributes
    ----------
    columns : ndarray of shape (n_units, n_columns)
        Sums over the cases of each unit; where cases are sorted instead, the number of each unit.
    finish : callable
        From ``(n_draws, n_columns)`` summed over units to ``(n_draws,)``; NaN where there is none.
    sums : bool
        Whether `finish` takes sums; else it takes the weights themselves.
    """

    columns: Floats
    finish: Callable[[Floats], Floats]
    sums: bool = True

    def __call__(self, weights: Floats) -> Floats:
        """Return the score of every row of weights: ``(n_draws, n_units) -> (n_draws,)``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.finish(weights @ self.columns if self.sums else weights)

    def of_all(self) -> float:
        """Return the score where every unit counts once."""
        return float(self(np.ones((1, len(self.columns))))[0])

    def of_each(self) -> Floats | None:
        """Return the score of every unit by itself; None where a score is of several only."""
        if not self.sums:
            return None
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.finish(self.columns)


@dataclass(frozen=True)
class Cases:
    """Truth and prediction, and to which unit every case belongs.

    Attributes
    ----------
    y_true : ndarray of shape (n_cases,) or (n_cases, n_targets)
    prediction : Predictions
    units : ndarray of int of shape (n_cases,)
        Rising, from 0 on.
    classes : ndarray or None
        In the order of the columns of probabilities.
    surprise : ndarray of shape (n_cases,) or None
        Negative logarithm of the probability, or the density, that was given to the truth.
    """

    y_true: Any
    prediction: Predictions
    units: Ints
    classes: Any = None
    surprise: Any = None

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return int(self.units[-1]) + 1 if len(self.units) else 0

    def summed(self, values: Any) -> Floats:
        """Sum values of cases over each unit: ``(n_cases, k) -> (n_units, k)``."""
        values = np.asarray(values, np.float64).reshape(len(self.units), -1)
        begins = np.flatnonzero(np.diff(self.units, prepend=-1))
        return np.add.reduceat(values, begins, axis=0)


def drawn_weights(n_units: int, n_draws: int, seed: int = 0, block: int = 1) -> Iterator[Floats]:
    """Yield how often each unit is drawn, with replacement, some draws at a time.

    Parameters
    ----------
    n_units, n_draws : int
    seed : int, default=0
    block : int, default=1
        Neighbours that are drawn together, round the end to the beginning: of units that depend on
        those beside them (circular blocks: Politis and Romano 1992).

    Yields
    ------
    ndarray of shape (some draws, n_units)
        Whole numbers; every row sums to `n_units`.

    Examples
    --------
    >>> [weights.sum(axis=1).tolist() for weights in drawn_weights(3, 2)]
    [[3.0, 3.0]]
    """
    if min(n_units, n_draws, block) < 1:
        got = (n_units, n_draws, block)
        raise ValueError(
            explain("drawn_weights", "units, draws and block", "positive integers", got)
        )
    rng = np.random.default_rng(seed)
    block = min(block, n_units)
    most = max(CHUNK // n_units, 1)
    for first in range(0, n_draws, most):
        n = min(most, n_draws - first)
        begins = rng.integers(0, n_units, (n, -(-n_units // block)))
        drawn = (begins[:, :, None] + np.arange(block)).reshape(n, -1)[:, :n_units] % n_units
        drawn += n_units * np.arange(n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, -1).astype(np.float64)


# labels: right ones, true ones and predicted ones of every class ------------------------------


def _each_class(score: Callable[[Floats, Floats, Floats], Floats]) -> Callable[[Floats], Floats]:
    """Return what finishes counts of ``(right, true, predicted)``, each of every class."""

    def finish(sums: Floats) -> Floats:
        right, true, predicted = np.split(sums, 3, axis=1)
        return score(right, true, predicted)

    return finish


def _share(above: Floats, under: Floats) -> Floats:
    """Divide; what has nothing to be divided by is 0, as scikit-learn has it."""
    return np.divide(above, under, out=np.zeros_like(above), where=under > 0)


def _mean_there(values: Floats, there: npt.NDArray[np.bool_]) -> Floats:
    mean: Floats = np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean


def _accuracy(right: Floats, true: Floats, predicted: Floats) -> Floats:
    share: Floats = right.sum(axis=1) / true.sum(axis=1)
    return share


def _f1(right: Floats, true: Floats, predicted: Floats) -> Floats:
    return _share(2 * right, true + predicted)


def _matthews(right: Floats, true: Floats, predicted: Floats) -> Floats:
    n = true.sum(axis=1)
    above = right.sum(axis=1) * n - (true * predicted).sum(axis=1)
    spread = [n**2 - (counts**2).sum(axis=1) for counts in (true, predicted)]
    return _share(above, np.sqrt(spread[0] * spread[1]))


LABEL_SCORES: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": _each_class(_accuracy),
    "balanced_accuracy": _each_class(lambda r, t, p: _mean_there(_share(r, t), t > 0)),
    "f1_macro": _each_class(lambda r, t, p: _mean_there(_f1(r, t, p), t + p > 0)),
    "f1_micro": _each_class(_accuracy),
    "f1_weighted": _each_class(lambda r, t, p: (t * _f1(r, t, p)).sum(axis=1) / t.sum(axis=1)),
    "precision_macro": _each_class(lambda r, t, p: _mean_there(_share(r, p), t + p > 0)),
    "recall_macro": _each_class(lambda r, t, p: _mean_there(_share(r, t), t + p > 0)),
    "matthews": _each_class(_matthews),
}


def _label_columns(cases: Cases) -> Floats:
    labels, both = np.unique(
        np.concatenate([cases.y_true, cases.prediction.labels]), return_inverse=True
    )
    true, predicted = np.split(both.reshape(-1), 2)
    n, k = cases.n_units, len(labels)
    counts = np.zeros((3, n, k))
    where = true == predicted
    np.add.at(counts[0], (cases.units[where], true[where]), 1)
    np.add.at(counts[1], (cases.units, true), 1)
    np.add.at(counts[2], (cases.units, predicted), 1)
    return np.concatenate(list(counts), axis=1)


def _mean(sums: Floats) -> Floats:
    """Finish ``(sum, number of cases)``."""
    mean: Floats = sums[:, 0] / sums[:, 1]
    return mean


def _mean_of(cases: Cases, values: Any) -> Score:
    return Score(cases.summed(np.stack([values, np.ones(len(values))], axis=1)), _mean)


def _log_loss(cases: Cases) -> Score:
    """-log of the probability of the truth, bounded as scikit-learn bounds it."""
    probabilities = np.asarray(cases.prediction.probabilities)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    smallest = np.finfo(probabilities.dtype).eps
    columns = _column_of(cases)
    chosen = probabilities[np.arange(len(columns)), columns]
    return _mean_of(cases, -np.log(np.clip(chosen, smallest, 1 - smallest)))


def _column_of(cases: Cases) -> Ints:
    """Return the column of the true class of every case."""
    order = np.asarray(cases.classes)
    position = np.argsort(order)
    unseen = np.setdiff1d(cases.y_true, order)
    if len(unseen):
        raise Undefined(f"classes that the model never saw: {', '.join(map(str, unseen[:5]))}")
    columns: Ints = position[np.searchsorted(order[position], cases.y_true)]
    return columns


def _roc_auc(cases: Cases) -> Score:
    """Share of pairs of a positive and a negative case in the right order, a tie for a half."""
    _one_case_each(cases, "ROC AUC")
    probabilities = np.asarray(cases.prediction.probabilities, np.float64)
    columns = _column_of(cases)
    n_classes = probabilities.shape[1]
    if len(np.unique(columns)) < n_classes:
        raise Undefined("a class has no series in this part")
    prepared = []
    for k in range(1, 2) if n_classes == 2 else range(n_classes):
        positive, negative = np.flatnonzero(columns == k), np.flatnonzero(columns != k)
        negative = negative[np.argsort(probabilities[negative, k], kind="stable")]
        own, rest = probabilities[positive, k], probabilities[negative, k]
        ends = np.searchsorted(rest, own, "left"), np.searchsorted(rest, own, "right")
        prepared.append((positive, negative, *ends))

    def finish(weights: Floats) -> Floats:
        of_case = np.ascontiguousarray(weights.T, np.float32)  # whole numbers below 2^24
        areas = np.zeros(len(weights))
        for positive, negative, left, right in prepared:
            below = np.zeros((len(negative) + 1, len(weights)), np.float32)
            np.cumsum(of_case[negative], axis=0, out=below[1:])
            above = of_case[positive]
            in_order = np.einsum("nd,nd->d", above, below[left] + below[right], dtype=np.float64)
            pairs = above.sum(axis=0, dtype=np.float64) * below[-1]
            areas += in_order / 2 / np.where(pairs > 0, pairs, np.nan)
        return areas / len(prepared)

    return Score(np.arange(len(columns), dtype=np.float64)[:, None], finish, sums=False)


def _one_case_each(cases: Cases, what: str) -> None:
    if len(cases.units) != cases.n_units:
        raise Undefined(f"{what} is resampled where each series is one case")


# numbers --------------------------------------------------------------------------------------


def _pairs(cases: Cases) -> tuple[Floats, Floats]:
    shape = (len(cases.units), -1)
    true = np.asarray(cases.y_true, np.float64).reshape(shape)
    return true, np.asarray(cases.prediction.values, np.float64).reshape(shape)


def _rmse(cases: Cases) -> Score:
    true, values = _pairs(cases)
    squares = np.column_stack([(true - values) ** 2, np.ones(len(true))])
    return Score(cases.summed(squares), lambda s: np.sqrt(s[:, :-1] / s[:, -1:]).mean(axis=1))


def _r2(cases: Cases) -> Score:
    true, values = _pairs(cases)
    k = true.shape[1]
    moved = true - true.mean(axis=0)  # sums of squares of small numbers keep their digits
    columns = [(true - values) ** 2, moved, moved**2, np.ones((len(true), 1))]

    def finish(s: Floats) -> Floats:
        spread = s[:, 2 * k : 3 * k] - s[:, k : 2 * k] ** 2 / s[:, -1:]
        spread = np.where(spread > 0, spread, np.nan)  # as of one series drawn every time
        r2: Floats = (1 - s[:, :k] / spread).mean(axis=1)
        return r2

    return Score(cases.summed(np.concatenate(columns, axis=1)), finish)


def _median(cases: Cases) -> Score:
    _one_case_each(cases, "the median")
    true, values = _pairs(cases)
    errors = np.abs(true - values)
    orders = np.argsort(errors, axis=0, kind="stable")

    def finish(weights: Floats) -> Floats:
        found = np.zeros(len(weights))
        for order, error in zip(orders.T, errors.T, strict=True):
            up_to = np.cumsum(weights[:, order], axis=1)
            n = up_to[:, -1:]
            ends = [(up_to >= place).argmax(axis=1) for place in ((n + 1) // 2, n // 2 + 1)]
            found += sum(error[order][end] for end in ends) / 2
        mean: Floats = found / errors.shape[1]
        return mean

    return Score(np.arange(len(errors), dtype=np.float64)[:, None], finish, sums=False)


def _of_quantiles(name: str) -> Callable[[Cases], Score]:
    def score(cases: Cases) -> Score:
        given = cases.prediction
        return _mean_of(cases, of_each(name, cases.y_true, given.quantiles, given.levels))

    return score


def _each_mean(function: Callable[[Floats], Floats]) -> Callable[[Cases], Score]:
    def score(cases: Cases) -> Score:
        true, values = _pairs(cases)
        return _mean_of(cases, function(true - values).mean(axis=1))

    return score


def _surprise(base: float) -> Callable[[Cases], Score]:
    def score(cases: Cases) -> Score:
        return _mean_of(cases, np.asarray(cases.surprise, np.float64) / np.log(base))

    return score


NUMBER_SCORES: dict[str, tuple[str, Callable[[Cases], Score]]] = {
    "log_loss": ("probabilities", _log_loss),
    "roc_auc": ("probabilities", _roc_auc),
    "nll": ("surprise", _surprise(np.e)),
    "bits": ("surprise", _surprise(2.0)),
    "mae": ("values", _each_mean(np.abs)),
    "mse": ("values", _each_mean(np.square)),
    "rmse": ("values", _rmse),
    "median_absolute_error": ("values", _median),
    "r2": ("values", _r2),
    **{
        name: ("quantiles", _of_quantiles(name))
        for name in ("pinball", "coverage", "interval_width", "interval_score")
    },
}
"""What a score of probabilities or numbers reads, and how it falls into sums."""


def score_sums(name: str, cases: Cases) -> Score:
    """Return a metric of labels, probabilities or numbers as a function of weights.

    Raises
    ------
    Undefined
        If what it reads is not there, or it is no score that can be drawn again.

    Examples
    --------
    >>> cases = Cases(np.array([1.0, 2.0]), Predictions(values=np.array([1.0, 4.0])), np.arange(2))
    >>> score_sums("mae", cases)(np.array([[1.0, 1.0], [0.0, 2.0]]))
    array([1., 2.])
    """
    if name in LABEL_SCORES or name == "segment_f1":
        if cases.prediction.labels is None:
            raise Undefined("no labels were predicted")
        if name == "segment_f1":
            begins = np.flatnonzero(np.diff(cases.units)) + 1
            labels = [np.split(a, begins) for a in (cases.y_true, cases.prediction.labels)]
            counts = run_counts(*labels).astype(np.float64)
            return Score(counts, lambda s: 2 * s[:, 0] / s[:, 1])
        return Score(_label_columns(cases), LABEL_SCORES[name])
    if name not in NUMBER_SCORES:
        raise Undefined("it is not resampled")
    needs, make = NUMBER_SCORES[name]
    given = cases.surprise if needs == "surprise" else getattr(cases.prediction, needs)
    if given is None:
        raise Undefined(f"no {'probability of the truth' if needs == 'surprise' else needs} kept")
    return make(cases)


# forecasts ------------------------------------------------------------------------------------


def forecast_sums(name: str, case: ForecastCase, units: Ints, series: Ints) -> Score:
    """Return an error of forecasts as a function of weights.

    Parameters
    ----------
    name : str
        A row of :data:`seqkit.evaluation.forecast_errors.FORECAST_ERRORS`, or ``"owa"``.
    case : ForecastCase
        One forecast value a row: every array of shape ``(n_values, 1, 1, 1)``.
    units : ndarray of int of shape (n_values,)
        The unit of every value, from 0 on; in any order.
    series : ndarray of int of shape (n_values,)
        The series, and target, of every value, from 0 on: what a ratio is formed of where it is
        formed once a series.

    Raises
    ------
    Undefined
        As :func:`seqkit.evaluation.forecast_errors.error_terms`.
    """
    if name == "owa":
        return _owa_sums(case, units, series)
    if name not in FORECAST_ERRORS:
        raise Undefined("it is not resampled")
    row = FORECAST_ERRORS[name]
    terms = np.stack([term.reshape(-1) for term in error_terms(name, case)], axis=1)
    terms[~np.isfinite(terms).all(axis=1)] = 0.0  # of a series without a scale
    n_units, n_series = int(units.max()) + 1, int(series.max()) + 1
    rooted = np.sqrt if row.root else np.asarray

    def ratio(above: Floats, under: Floats) -> Floats:
        share: Floats = rooted(above / np.where(under > 0, under, np.nan))
        return share

    if not row.each_series:
        sums = np.zeros((n_units, 2))
        np.add.at(sums, units, terms)
        return Score(sums, lambda s: ratio(s[:, 0], s[:, 1]))
    of_pairs = np.unique(np.stack([series, units]), axis=1)
    if of_pairs.shape[1] == n_series:  # a series is of one unit: its ratio is a number of the unit
        both = np.zeros((n_series, 2))
        np.add.at(both, series, terms)
        with np.errstate(invalid="ignore"):
            values = ratio(both[:, 0], both[:, 1])
        known = np.isfinite(values)
        sums = np.zeros((n_units, 2))
        np.add.at(sums, of_pairs[1], np.stack([np.where(known, values, 0.0), known], axis=1))
        return Score(sums, lambda s: s[:, 0] / np.where(s[:, 1] > 0, s[:, 1], np.nan))
    wide = np.zeros((n_units, n_series, 2))
    np.add.at(wide, (units, series), terms)

    def finish(s: Floats) -> Floats:
        above, under = np.moveaxis(s.reshape(-1, n_series, 2), -1, 0)
        values = ratio(above, under)
        known = np.isfinite(values)
        mean: Floats = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
        return mean

    return Score(wide.reshape(n_units, -1), finish)


def _owa_sums(case: ForecastCase, units: Ints, series: Ints) -> Score:
    """Return the mean of sMAPE and MASE, each relative to that of Naive2 in the same draws."""
    if case.naive2 is None:
        raise Undefined("no forecasts of Naive2 are kept")
    reference = replace(case, point=case.naive2)
    parts = [forecast_sums(name, one, units, series)
             for name in ("smape", "mase") for one in (case, reference)]  # fmt: skip
    ends = np.cumsum([part.columns.shape[1] for part in parts])[:-1]

    def finish(s: Floats) -> Floats:
        columns = np.split(s, ends, axis=1)
        values = [part.finish(own) for part, own in zip(parts, columns, strict=True)]
        mean: Floats = (values[0] / values[1] + values[2] / values[3]) / 2
        return mean

    return Score(np.concatenate([part.columns for part in parts], axis=1), finish)
