"""What the answers for many series depend on: features and stretches of time, by permutation.

Breiman (2001, section 10) for features; a stretch of time is a feature of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from seqkit.errors import explain
from seqkit.estimators.as_read import AsRead, ThetaRead
from seqkit.estimators.inspection import Inspected, inspected
from seqkit.estimators.whole_answer import WholeAnswer
from seqkit.evaluation.metrics import METRICS, Predictions
from seqkit.evaluation.summary import score_model
from seqkit.network.layers.base import Saved
from seqkit.network.layers.scaling import InverseBoxCox
from seqkit.network.mixtures import Mixture
from seqkit.network.ops import NUMPY
from seqkit.tasks import TASKS

__all__ = ["Importance", "permutation_importance"]

Array = np.ndarray
MOST_SERIES = 512
"""Series, evenly drawn from those given, that are permuted."""


@dataclass(frozen=True)
class Importance:
    """How much worse a score is without what a feature, or a stretch of time, says.

    Attributes
    ----------
    metric : str
    score : float
        Of the series as they are.
    n_series : int
        Series, or windows, that were looked at.
    rows : list of dict
        With ``kind`` (``feature`` or ``time``), ``name``, and ``mean`` and ``spread`` (standard
        deviation) over the repeats of how much worse the score was: above 0 = it was needed.
    """

    metric: str
    score: float
    n_series: int
    rows: list[dict[str, Any]]


def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    metrics: Sequence[str] | None = None,
    n_segments: int = 8,
    repeats: int = 5,
    seed: int = 0,
) -> list[Importance]:
    """Score a fitted estimator while what it reads is exchanged between series.

    A feature is exchanged whole, with all its time steps (of another length it is stretched), so
    that it stays a course that there is; a stretch of time is exchanged with all its features. Of a
    forecaster windows exchange what they are in their own center and spread, and the stretches are
    lags. What the target itself is stays.

    Parameters
    ----------
    estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
    X, y
        As in ``fit``.
    metrics : sequence of str, optional
        Rows of :data:`seqkit.evaluation.metrics.METRICS`. Default: those of the task.
    n_segments : int, default=8
        Stretches of equal length that time is divided into; 0 = none.
    repeats : int, default=5
        Exchanges of each, for the spread.
    seed : int, default=0

    Returns
    -------
    list of Importance
        One a metric that has a value and a better side.
    """
    if repeats < 1 or n_segments < 0:
        raise ValueError(
            explain("permutation_importance", "repeats and n_segments", "at least 1 and 0",
                    (repeats, n_segments))
        )  # fmt: skip
    task = TASKS[estimator._task]
    forecasting = task.name == "forecasting"
    usual = task.default_metrics
    if getattr(estimator, "_of_numbers", False):
        usual = task.next_metrics
    names = list(usual if metrics is None else metrics)
    names = [name for name in names if METRICS[name].greater_is_better is not None]
    whole = WholeAnswer(_alike(estimator, X, y), forecasting, slopes=False)
    scorer = _Scorer(estimator, whole, names)
    before = scorer.scores(whole.parts)
    rng, n = np.random.default_rng(seed), len(whole.readers[0].found)
    features = dict.fromkeys(c.feature for reader in whole.readers for c in reader.columns)
    longest = max(_n_steps(reader) for reader in whole.readers)
    wanted = [_Part("feature", name) for name in features]
    for low, high in pairwise(np.linspace(0, 1, n_segments + 1)):
        wanted.append(_Part("time", _stretch(whole, longest, low, high), low, high, longest))
    found_rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for part in wanted:
        kind, name = part.kind, part.name
        drawn = []
        for _ in range(repeats):
            order = rng.permutation(n)
            drawn.append(scorer.scores([_exchanged(one, order, part) for one in whole.readers]))
        for metric in names:
            sign = 1 if METRICS[metric].greater_is_better else -1
            if before[metric] is None or any(one[metric] is None for one in drawn):
                continue
            worse = [sign * (before[metric] - one[metric]) for one in drawn]
            found_rows[metric].append(
                {"kind": kind, "name": name, "mean": float(np.mean(worse)),
                 "spread": float(np.std(worse))}
            )  # fmt: skip
    return [Importance(m, before[m], n, rows) for m, rows in found_rows.items() if rows]


@dataclass(frozen=True)
class _Part:
    """What is exchanged: a feature, or a stretch of time, in shares of a series or of a window."""

    kind: str
    name: str
    low: float = 0.0
    high: float = 1.0
    longest: int = 0


def _alike(estimator: Any, X: Any, y: Any) -> list[Inspected]:
    """Return every network with the same series, or the windows that all of them have."""
    networks = [
        inspected(estimator, X, y, member=member, targets=True)
        for member in range(len(estimator._member_weights()))
    ]
    if estimator._task == "forecasting":  # contexts may be of several lengths
        shared = set.intersection(*({*one.ids.tolist()} for one in networks))
        networks = [
            one.take(np.flatnonzero([name in shared for name in one.ids.tolist()]))
            for one in networks
        ]
    n = len(networks[0])
    if n <= MOST_SERIES:
        return networks
    rows = np.linspace(0, n - 1, MOST_SERIES).round().astype(int)
    return [one.take(rows) for one in networks]


def _n_steps(reader: AsRead | ThetaRead) -> int:
    """Return the steps of a series, or of a window, as it is read."""
    return max(int(v.shape[1]) for part, v in reader.parts.items() if part != "future")


def _stretch(whole: WholeAnswer, longest: int, low: float, high: float) -> str:
    """Return what a stretch of time is called, by steps where all series have as many."""
    found = whole.readers[0].found
    if found.ends:  # the last step is lag 0
        return f"lags {longest - 1 - int(low * longest)} to {longest - int(high * longest)}"
    longest = found.values.shape[1]
    if (found.lengths == longest).all():
        return f"steps {int(low * longest)} to {int(high * longest) - 1}"
    return f"{low:.0%} to {high:.0%}"


class _Scorer:
    """The scores of an estimator for what it reads, exchanged or not."""

    def __init__(self, estimator: Any, whole: WholeAnswer, metrics: list[str]) -> None:
        self.estimator, self.whole, self.metrics = estimator, whole, metrics
        self.task = estimator._task
        found = whole.readers[0].found
        y = found.y
        assert y is not None
        if self.task == "classification":
            multilabel = estimator._labels
            if not multilabel and y.ndim == 2:  # shares of the classes, as mixup has them
                y = y.argmax(axis=1)
            self.truth: Any = y.astype(int) if multilabel else estimator.classes_[y]
        elif getattr(estimator, "_of_numbers", False):
            self.valid = np.isfinite(y[..., 0])
            own = y * estimator._spread_ + estimator._offset_
            self.truth = [one[v] for one, v in zip(own, self.valid, strict=True)]
        elif self.task == "tagging":
            self.valid = (y if y.ndim == 2 else y[..., 0]) >= 0
            own = y if y.ndim == 3 else estimator.classes_[np.maximum(y, 0)]
            self.truth = [one[v] for one, v in zip(own, self.valid, strict=True)]
        elif self.task == "regression":
            self.truth = y * estimator._spread_ + estimator._offset_
            self.truth = self.truth if estimator._many_targets_ else self.truth[:, 0]
        else:
            self.truth = y.astype(np.float64)
            if found.spread is not None:
                self.truth = found.center + found.spread * self.truth
            if found.powers is not None:
                of_targets = InverseBoxCox(found.powers)
                self.truth = of_targets.forward(NUMPY, {}, Saved(), self.truth)
            if found.weight is not None:
                self.truth[found.weight == 0] = np.nan

    def scores(self, given: Sequence[Mapping[str, Array]]) -> dict[str, Any]:
        """Return the scores for what each part reads."""
        prediction = self._prediction(self.whole.answer(given))
        more: dict[str, Any] = {"classes": getattr(self.estimator, "classes_", None)}
        if self.task == "forecasting":
            contexts = max(
                (one.found for one in self.whole.readers), key=lambda one: one.values.shape[1]
            )
            n_targets = self.truth.shape[-1]
            more = {"history": [v[len(v) - n :, :n_targets] for v, n in zip(
                contexts.values, contexts.lengths, strict=True)]}  # fmt: skip
            more["season"] = int(self.estimator._fitted.season)
        truth = self.truth[:, None] if self.task == "forecasting" else self.truth
        scored = score_model(self.task, truth, prediction, metrics=self.metrics, **more)
        scores: dict[str, Any] = scored["model"]
        return scores

    def _prediction(self, answer: Array) -> Predictions:
        if self.task == "forecasting":
            return Predictions(values=answer[:, None])
        if self.task == "regression":
            return Predictions(values=answer if self.estimator._many_targets_ else answer[:, 0])
        if getattr(self.estimator, "_of_numbers", False):
            parts = [one[v] for one, v in zip(answer, self.valid, strict=True)]
            means = [Mixture.of(one).mean() for one in parts]
            return Predictions(values=means, probabilities=parts)
        classes = self.estimator.classes_
        several = self.estimator._labels if self.task == "classification" else (
            self.estimator._multilabel_
        )  # fmt: skip
        labels: Any = (answer > 0.5).astype(int) if several else classes[answer.argmax(axis=-1)]
        if self.task == "classification":
            return Predictions(labels=labels, probabilities=answer)
        pairs = list(zip(labels, answer, self.valid, strict=True))
        return Predictions(
            labels=[one[v] for one, _, v in pairs], probabilities=[p[v] for _, p, v in pairs]
        )


def _exchanged(reader: AsRead | ThetaRead, order: Array, wanted: _Part) -> dict[str, Array]:
    """Return what is read, with a feature or a stretch of time of other series."""
    found = {}
    for part, values in reader.parts.items():
        whole = wanted.kind == "time"
        places = sorted({
            place for column in reader.columns for place in column.places
            if column.part == part and (whole or column.feature == wanted.name)
        })  # fmt: skip
        kept = not places or (whole and part == "future")
        found[part] = values if kept else _other(reader, part, order, wanted, places)
    return found


def _other(
    reader: AsRead | ThetaRead, part: str, order: Array, wanted: _Part, places: Sequence[int]
) -> Array:
    values, n = reader.parts[part], len(order)
    n_steps, ends = values.shape[1], reader.found.ends and part != "future"
    lengths = np.full(n, n_steps) if part == "future" else np.asarray(reader.lengths)
    steps = np.arange(n_steps)
    first = (n_steps - lengths if ends else 0 * lengths)[:, None]
    own = steps - first  # of a series' own steps
    there = np.minimum(
        own * lengths[order][:, None] // lengths[:, None], lengths[order][:, None] - 1
    )
    read = np.clip(there + first[order], 0, n_steps - 1)
    inside = (own >= 0) & (own < lengths[:, None])
    if wanted.kind == "time" and ends:  # by lags, whatever the window
        edges = [int(share * wanted.longest) for share in (wanted.low, wanted.high)]
        step = steps + wanted.longest - n_steps
        inside &= (step >= edges[0]) & (step < edges[1])
    elif wanted.kind == "time":
        share = own / lengths[:, None]
        inside &= (share >= wanted.low) & (share < wanted.high)
    whole = values.reshape(reader.n_moves, n, n_steps, -1)
    other = whole[:, order[:, None], read]
    changed = whole.copy()
    for place in places:
        changed[..., place] = np.where(inside, other[..., place], whole[..., place])
    return changed.reshape(values.shape)
