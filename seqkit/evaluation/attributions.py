"""What an answer for one series came from: gradient times input, and integrated gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import explain
from seqkit.estimators.as_read import AsRead
from seqkit.estimators.inspection import Inspected, inspected

__all__ = ["Attribution", "attribute"]

Array = np.ndarray
METHODS = ("integrated_gradients", "gradient_times_input")


@dataclass(frozen=True)
class Attribution:
    """How much each value of a series moved an answer from that for the baseline.

    Attributes
    ----------
    values : dict of str to ndarray of shape (n_steps,)
        By feature, in units of the answer; of a covariate that is known ahead the window and the
        horizon, one after the other.
    series : dict of str to ndarray of shape (n_steps,)
        The series, in units; codes of tokens.
    answer, baseline : float
        For the series, and for the baseline.
    what : str
        What the answer is.
    name : str
        Of the series.
    n_steps : int
        Steps of the series, or of the window.
    words : ndarray or None
        Where the series is of tokens, what each code stands for.
    """

    values: dict[str, Array]
    series: dict[str, Array]
    answer: float
    baseline: float
    what: str
    name: str
    n_steps: int
    words: Array | None = None

    @property
    def total(self) -> float:
        """The sum of all attributions: of integrated gradients `answer` less `baseline`."""
        return float(sum(values.sum() for values in self.values.values()))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the numbers: a row for each feature and step; of a window the last step is 0."""
        for feature, values in self.values.items():
            for k, (value, given) in enumerate(zip(values, self.series[feature], strict=True)):
                yield {
                    "feature": feature, "step": k, "lag": self.n_steps - 1 - k,
                    "value": float(given), "attribution": float(value),
                }  # fmt: skip


def attribute(
    estimator: Any,
    X: Any,
    series: int | str = 0,
    *,
    target: Any = None,
    step: int | None = None,
    method: str = "integrated_gradients",
    n_points: int = 128,
    member: int | None = None,
) -> Attribution:
    r"""Attribute an answer of a fitted estimator to the values of a series.

    Integrated gradients (Sundararajan, Taly and Yan 2017, equation 1) are
    :math:`(x_i - x'_i) \int_0^1 \partial_i f(x' + \alpha (x - x')) d\alpha`: their sum is
    :math:`f(x) - f(x')` (completeness, proposition 1). Gradient times input takes the gradient at x
    alone. The baseline x' is zero in what the layers read: :mod:`seqkit.estimators.as_read`
    says what that is. Of windows, center, spread and static covariates are held; of a forecaster
    that combines its networks with theta, or transforms its target, it is the networks' part, in
    transformed units.

    Parameters
    ----------
    estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
    X : as in ``predict``
    series : int or str, default=0
        Its number, or its name; of a forecaster the last window of it is taken.
    target : optional
        The class (default: the most probable one), or the name or number of a target (default:
        the first).
    step : int, optional
        Of a tagger the step whose label is asked for, from 0 (default: the last one); of a
        forecaster the step ahead, from 1 (default: the mean over the horizon).
    method : {"integrated_gradients", "gradient_times_input"}
    n_points : int, default=128
        Points of Gauss and Legendre's quadrature that the integral is computed by: the sum is as
        said but for what is left where ReLU and maxima have corners.
    member : int, optional
        A network of the ensemble. Default: the mean over all.

    Raises
    ------
    ValueError
        If there is no such series, target or step.
    """
    owner = "attribute"
    if method not in METHODS:
        raise ValueError(explain(owner, "method", f"one of {METHODS}", method))
    members = range(len(estimator._member_weights())) if member is None else [member]
    networks = []
    for number in members:
        found = inspected(estimator, X, member=number)
        networks.append(found.take(np.array([found.row_of(series, owner)])))
    chosen = _Chosen(estimator, networks, target, step)
    if method == METHODS[0]:
        points, shares = np.polynomial.legendre.leggauss(n_points)
        points, shares = (points + 1) / 2, shares / 2
    else:
        points, shares = np.ones(1), np.ones(1)
    parts = [_integrated(one, chosen, points, shares) for one in networks]
    longest = max(parts, key=lambda part: part[2].n_steps)[2]  # contexts may differ
    values = {name: np.zeros(len(a)) for name, a in longest.series.items()}
    for one, _, own in parts:
        for name, a in one.items():
            first = longest.n_steps - own.n_steps
            values[name][first : first + len(a)] += a / len(parts)
    answer, baseline = np.mean([ends for _, ends, _ in parts], axis=0)
    what, words = chosen.what, networks[0].words
    return Attribution(
        values, longest.series, float(answer), float(baseline), what, str(networks[0].ids[0]),
        longest.n_steps, words,
    )  # fmt: skip


@dataclass(frozen=True)
class _Shown:
    series: dict[str, Array]
    n_steps: int


class _Chosen:
    """Which number of an answer is asked about."""

    def __init__(self, estimator: Any, networks: list[Inspected], target: Any, step: Any) -> None:
        self.task = estimator._task
        self.forecasting = self.task == "forecasting"
        answers = [AsRead(one, self.forecasting, slopes=False) for one in networks]
        answer = np.mean([one.answer(one.parts) for one in answers], axis=0)[0]
        self.weights, self.what = np.zeros(answer.shape), ""
        if self.task == "tagging":
            n = int(networks[0].lengths[0])
            row = _step(step, 0, n - 1, n - 1)
            self.weights[(row, self._class(estimator, answer[row], target))] = 1
            self.what += f" at step {row}"
        elif self.task == "classification":
            self.weights[self._class(estimator, answer, target)] = 1
        elif self.forecasting:
            names = [str(name) for name in estimator._reader.columns.targets]
            k = _target(target, names)
            if step is None:
                self.weights[:, k] = 1 / len(answer)
                self.what = f"mean forecast of {names[k]}"
            else:
                ahead = _step(step, 1, len(answer), 1)
                self.weights[ahead - 1, k] = 1
                self.what = f"forecast of {names[k]}, {ahead} steps ahead"
        else:
            n = len(np.atleast_1d(answer))
            k = _target(target, [str(i) for i in range(n)])
            self.weights[k] = 1
            self.what = "prediction" if n == 1 else f"prediction of target {k}"

    def _class(self, estimator: Any, answer: Array, target: Any) -> int:
        classes = estimator.classes_
        k = int(answer.argmax())
        if target is not None:
            same = np.flatnonzero(classes.astype(str) == str(target))
            if not len(same):
                raise ValueError(
                    explain("attribute", "target", f"one of {classes.tolist()}", target)
                )
            k = int(same[0])
        self.what = f"probability of {classes[k]}"
        return k


def _step(step: Any, low: int, high: int, default: int) -> int:
    if step is None:
        return default
    if not low <= int(step) <= high:
        raise ValueError(explain("attribute", "step", f"from {low} to {high}", step))
    return int(step)


def _target(target: Any, names: list[str]) -> int:
    if target is None:
        return 0
    if str(target) in names:
        return names.index(str(target))
    if str(target).isdigit() and int(target) < len(names):
        return int(target)
    raise ValueError(explain("attribute", "target", f"one of {names}", target))


def _integrated(
    found: Inspected, chosen: _Chosen, points: Array, shares: Array
) -> tuple[dict[str, Array], tuple[float, float], _Shown]:
    """Return the attributions by feature, the answers at both ends, and the series."""
    alphas = np.concatenate([points, [1.0, 0.0]])
    read = AsRead(found.take(np.zeros(len(alphas), int)), chosen.forecasting)
    n_moves = read.n_moves
    along = np.tile(alphas, n_moves).astype(np.float32)
    given = {
        part: values * along.reshape(-1, *[1] * (values.ndim - 1))
        for part, values in read.parts.items()
    }
    answers, slopes = read.slopes(given, chosen.weights)
    answers = (answers * chosen.weights).reshape(len(alphas), -1).sum(axis=1)
    own = AsRead(found, chosen.forecasting, slopes=False)
    n, n_steps = int(found.lengths[0]), found.values.shape[1]
    window = slice(n_steps - n, n_steps) if found.ends else slice(0, n)
    attributed: dict[str, list[Array]] = {}
    series: dict[str, list[Array]] = {}
    weights = np.append(shares, [0.0, 0.0])
    whole = {}
    for part, gradient in slopes.items():
        by_point = gradient.reshape(n_moves, len(alphas), *gradient.shape[1:])
        mean = np.tensordot(by_point, weights, ([1], [0]))  # (moves, time, columns)
        whole[part] = own.unmoved(part, mean * own.parts[part])[0]
    for column in own.columns:
        sums = whole[column.part][:, list(column.places)].sum(axis=1)
        if column.part == "future":
            number = [c.name for c in own.columns if c.part == "future"].index(column.name)
            there = found.inputs["future"][0, :, number]
        else:
            sums = sums[window]
            number = list(found.features).index(column.name) if found.words is None else 0
            there = found.values[0, window, number]
        attributed.setdefault(column.name, []).append(sums)
        series.setdefault(column.name, []).append(there)
    return (
        {name: np.concatenate(a) for name, a in attributed.items()},
        (float(answers[-2]), float(answers[-1])),
        _Shown({name: np.concatenate(a) for name, a in series.items()}, n),
    )
