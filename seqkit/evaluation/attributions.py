"""What an answer for one series came from: gradient times input, and integrated gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import explain
from seqkit.estimators.as_read import AsRead, Column, ThetaRead
from seqkit.estimators.inspection import inspected
from seqkit.estimators.whole_answer import WholeAnswer

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
        horizon, one after the other. What a target says through a forecast that networks depart
        from, or are combined with, is by itself: ``load by seasonal_naive``, ``load by theta``.
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
    says what that is. Of windows, center, spread and static covariates are held. It is the whole
    answer in units: of a forecaster the median of its networks, each with the forecast that it
    departs from, and the theta forecast beside them.

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
        A network of the ensemble by itself. Default: the whole answer.

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
    alone = member is not None
    whole = WholeAnswer(networks, estimator._task == "forecasting", slopes=False, alone=alone)
    chosen = _Chosen(estimator, whole, target, step)
    if method == METHODS[0]:
        points, shares = np.polynomial.legendre.leggauss(n_points)
        points, shares = (points + 1) / 2, shares / 2
    else:
        points, shares = np.ones(1), np.ones(1)
    along = np.concatenate([points, [1.0, 0.0]])
    path = WholeAnswer(
        [one.take(np.zeros(len(along), int)) for one in networks], whole.forecasting, alone=alone
    )
    answers, slopes = path.slopes([_scaled(one, along) for one in path.readers], chosen.weights)
    answers = (answers * chosen.weights).reshape(len(along), -1).sum(axis=1)
    n_steps = max(_window(reader)[1] for reader in whole.readers)
    values = _by_name(whole, slopes, np.append(shares, [0.0, 0.0]), n_steps)
    return Attribution(
        values, {name: _course(whole, name, n_steps, len(a)) for name, a in values.items()},
        float(answers[-2]), float(answers[-1]), chosen.what, str(networks[0].ids[0]), n_steps,
        networks[0].words,
    )  # fmt: skip


class _Chosen:
    """Which number of an answer is asked about."""

    def __init__(self, estimator: Any, whole: WholeAnswer, target: Any, step: Any) -> None:
        self.task = estimator._task
        self.forecasting = self.task == "forecasting"
        if getattr(estimator, "_of_numbers", False):
            expected = "one that tells classes, labels or a number, no mixture of next numbers"
            hint = "Importance by permutation is for any."
            raise ValueError(explain("attribution", "the model", expected, "a mixture", hint))
        answer = whole.answer(whole.parts)[0]
        self.weights, self.what = np.zeros(answer.shape), ""
        if self.task == "tagging":
            n = int(whole.readers[0].found.lengths[0])
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


def _scaled(reader: AsRead | ThetaRead, along: Array) -> dict[str, Array]:
    """Return what is read on the way from the baseline, a row a point of it and a move."""
    share = np.tile(along, reader.n_moves).astype(np.float32)
    return {
        part: values * share.reshape(-1, *[1] * (values.ndim - 1))
        for part, values in reader.parts.items()
    }


def _window(reader: AsRead | ThetaRead) -> tuple[slice, int]:
    """Return where the valid steps of the one series stand in what is read, and how many."""
    n = int(reader.lengths[0])
    return (slice(-n, None) if reader.found.ends else slice(0, n)), n


def _by_name(
    whole: WholeAnswer, slopes: list[dict[str, Array]], by_point: Array, n_steps: int
) -> dict[str, Array]:
    """Return what each feature adds by all that read it: windows end together."""
    values: dict[str, Array] = {}
    for reader, gradients in zip(whole.readers, slopes, strict=True):
        for column, own in _attributed(reader, gradients, by_point):
            first = n_steps if column.part == "future" else n_steps - len(own)
            there = values.setdefault(column.name, np.zeros(n_steps))
            more = first + len(own) - len(there)
            if more > 0:
                there = values[column.name] = np.append(there, np.zeros(more))
            there[first : first + len(own)] += own
    return values


def _attributed(
    reader: AsRead | ThetaRead, gradients: dict[str, Array], by_point: Array
) -> Iterator[tuple[Column, Array]]:
    """Yield what each column of what is read adds, of the steps of the series or of the horizon."""
    whole = {}
    for part, gradient in gradients.items():
        of_points = gradient.reshape(reader.n_moves, len(by_point), *gradient.shape[1:])
        mean = np.tensordot(of_points, by_point, ([1], [0]))  # (moves, time, columns)
        read = reader.parts["target" if part == "naive" else part]
        whole[part] = reader.unmoved(part, mean * read)[0]
    for column in reader.columns:
        sums = whole[column.part][:, list(column.places)].sum(axis=1)
        yield column, sums if column.part == "future" else sums[_window(reader)[0]]


def _course(whole: WholeAnswer, name: str, n_steps: int, length: int) -> Array:
    """Return a feature itself, in units: the window, and the horizon where it is known ahead."""
    found = max((one.found for one in whole.readers), key=lambda one: one.values.shape[1])
    values = found.values if found.beside is None else found.beside.values
    n, own = values.shape[1], found.features
    number = 0
    if found.words is None:
        named = [k for k, one in enumerate(own) if name == one or name.startswith(f"{one} by ")]
        number = max(named, key=lambda k: len(own[k]))
    course = values[0, n - n_steps :, number] if found.ends else values[0, :n_steps, number]
    if length == n_steps:
        return course
    n_future = found.inputs["future"].shape[-1]
    ahead: Array = found.inputs["future"][0, :, number - (len(own) - n_future)]
    return np.concatenate([course, ahead])
