"""What the checks of :mod:`seqkit.evaluation.findings` look at, of data and of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.data.describing import SeriesPart
from seqkit.evaluation.findings import Evidence, find_all
from seqkit.evaluation.findings.evidence import (
    ClassProbabilities,
    Novelty,
    PartScore,
    WindowErrors,
)
from seqkit.evaluation.metrics import METRICS
from seqkit.evaluation.saturation import gate_shares
from seqkit.evaluation.verdict import deciding
from seqkit.runs.flows import checked_parts
from seqkit.runs.flows.base import Assessment, Parts
from seqkit.runs.pairing import paired, units_of
from seqkit.tasks import TASKS

__all__ = ["check_findings", "data_evidence", "rows_part", "run_evidence", "series_parts"]

# Values of all parts together that are looked at: some seconds of sorting and hashing.
MOST_VALUES = 5_000_000
MOST_ROWS = 200_000  # predictions of a part whose spread is drawn
CONTINUOUS = 20  # different values of measured numbers: fewer are symbols, or switches


def series_parts(loaded: Parts) -> Iterator[SeriesPart]:
    """Yield the parts of labelled series, the training part first."""
    for name in ("train", "validation", "test"):
        part = getattr(loaded, name)
        if part is not None:
            ids = range(len(part)) if part.ids is None else part.ids.tolist()
            labels = getattr(part, "labels", None)
            y = part.y if labels is None else labels
            yield SeriesPart(name, part.values, part.offsets, part.features, ids, y, part.times)


def rows_part(reading: Any) -> SeriesPart:
    """Return all series to forecast as one part: what is tested is their ends."""
    rows = reading.rows
    names = tuple(map(str, rows.columns.series))
    absent = 0 if rows.added is None else int(rows.added.sum())
    return SeriesPart(
        "data", rows.values, rows.offsets, names, rows.ids.tolist(), None, rows.times, absent
    )


def data_evidence(flow: Any, loaded: Parts) -> tuple[Evidence, list[str]]:
    """Return what checks of data look at, and what has to be said of it.

    Parameters
    ----------
    flow : Flow
    loaded : Parts
        What the flow has loaded, with a test part of its own or that of the recipe.
    """
    settings, said = flow.recipe.model_dump(), []
    known = loaded.columns.get("seen")
    if flow.task.target == "series":
        rows, where = loaded.test.rows, loaded.train
        novelty = None
        if known:
            values, lengths = flow._facts(loaded.test)
            names = [name for name in flow._compared() if name in rows.columns.series]
            novelty = Novelty(known, values, lengths.tolist(), names)
        gaps = {}
        if rows.added is not None:
            added = np.flatnonzero(rows.added > 0)
            gaps = {str(rows.ids[i]): int(rows.added[i]) for i in added}
        parts: tuple[SeriesPart, ...] = (rows_part(loaded.test),)
        found = Evidence(
            "forecasting", settings, parts, targets=where.rows.targets(), gaps=gaps,
            novelty=novelty,
        )  # fmt: skip
    else:
        tokens = getattr(loaded.train, "tokens", None) is not None
        parts = tuple(series_parts(loaded))
        novelty = None
        if known and loaded.test is not None and not tokens:
            test = loaded.test
            novelty = Novelty(known, test.values, test.lengths.tolist(), test.features)
        continuous = not tokens and len(np.unique(parts[0].values)) >= CONTINUOUS
        found = Evidence(flow.task.name, settings, parts, continuous, novelty=novelty)
    n_values = sum(part.values.size for part in parts)
    if n_values > MOST_VALUES:
        less = tuple(_fewer(part, MOST_VALUES / n_values) for part in parts)
        counts = [sum(len(part.ids) for part in some) for some in (less, parts)]
        said.append(
            f"findings: {counts[0]:,} of {counts[1]:,} series were looked at, drawn at random"
        )
        found = replace(found, parts=less)
    return found, said


def _fewer(part: SeriesPart, share: float) -> SeriesPart:
    """Return some of the series of a part, drawn at random; one at least."""
    n = len(part.ids)
    kept = np.sort(np.random.default_rng(0).permutation(n)[: max(int(share * n), 1)])
    lengths = part.lengths[kept]
    rows = np.concatenate([np.arange(part.offsets[i], part.offsets[i + 1]) for i in kept])
    by_step = part.y is not None and len(part.y) == len(part.values) != n
    return SeriesPart(
        part.name,
        part.values[rows],
        np.r_[0, np.cumsum(lengths)],
        part.features,
        [part.ids[i] for i in kept.tolist()],
        part.y if part.y is None else np.asarray(part.y)[rows if by_step else kept],
        None if part.times is None else part.times[rows],
        0 if not part.absent else int(np.isnan(part.values[rows]).all(axis=1).sum()),
    )


def check_findings(resolved: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the data of a recipe as a fit would; return what there is, and their findings."""
    flow, parts, sizes = checked_parts(resolved)
    evidence, said = data_evidence(flow, parts)
    if said:
        sizes["said"] = [*sizes.get("said", []), *said]
    return sizes, find_all(evidence)


# a run ------------------------------------------------------------------------------------------


def run_evidence(
    flow: Any, estimator: Any, parts: Parts, assessment: Assessment
) -> tuple[Evidence, list[str]]:
    """Return what all checks look at, of a run that was scored, and what has to be said of it."""
    evidence, said = data_evidence(flow, parts)
    stopped = getattr(estimator, "stopped_histories_", ())
    trained = getattr(estimator, "histories_", [estimator.history_])
    best = [len(h["loss"]) - 1 for h in trained] if stopped else estimator.best_epochs_
    history, *others = zip(stopped or trained, best, strict=True)
    wanted = estimator.auto_.get("epochs", estimator.epochs)
    return replace(
        evidence,
        scores=assessment.document,
        history=history[0],
        best_epoch=history[1],
        others=tuple(others),
        epochs=wanted if isinstance(wanted, int) else len(history[0]["loss"]) + 1,
        loss=_loss(flow),
        gates=gate_shares(estimator, _scored_series(flow, parts)),
        held_scores=_held_scores(flow.task.name, assessment),
        **_judged(flow, estimator, assessment.judged),
    ), said


def _held_scores(task: str, assessment: Assessment) -> dict[str, PartScore] | None:
    """Return what the test and the validation part score by the first metric that has a spread."""
    if assessment.validated is None:
        return None
    frames = {"test": assessment.predictions, "validation": assessment.validated()}
    n = assessment.document["n"]["test"]
    for metric in deciding(assessment.document["parts"]["test"], n):
        if metric not in METRICS or METRICS[metric].greater_is_better is None:
            continue
        found = {part: _part_score(task, frame, metric) for part, frame in frames.items()}
        if all(one is not None and np.isfinite([one.value, one.spread]).all()
               for one in found.values()):  # fmt: skip
            return {part: one for part, one in found.items() if one is not None}
    return None


def _part_score(task: str, frame: Any, metric: str) -> PartScore | None:
    """Return the score of predictions, of the first rows where they are very many."""
    if not len(frame):
        return None
    frame = frame.head(MOST_ROWS)
    if TASKS[task].target in ("label", "number"):  # a row a series, whatever it is called
        frame = frame.assign(series=np.arange(len(frame)))
    pairs = paired(task, {"": frame}, {"": "the run"})
    units = units_of(pairs)
    score = pairs.score(metric, "", units)
    return None if isinstance(score, str) else PartScore.of(metric, score, units.block)


def _scored_series(flow: Any, parts: Parts) -> Any:
    """Return the part that is shown, as the estimator takes it."""
    if flow.task.target == "series":
        return parts.test
    return flow._padded(parts, flow._scored(parts)[0])


def _loss(flow: Any) -> str:
    """Return the name of the loss that was minimised."""
    model, loss = flow.recipe.model, flow.recipe.train.loss
    if loss != "auto":
        return str(loss)
    if getattr(model, "distribution", None) or getattr(flow, "of_numbers", False):
        return "nll"
    return "pinball" if getattr(model, "quantiles", None) else str(flow.task.loss)


def _judged(flow: Any, estimator: Any, judged: Any) -> dict[str, Any]:
    """Return what a model predicted of what it was not trained on, as checks take it."""
    target = flow.task.target
    if target == "series":
        return {"windows": _of_windows(judged)}
    part, prediction = judged
    if target == "number":
        return {"windows": _of_numbers(part, prediction)}
    if target == "label" and np.ndim(part.y) == 1:
        truth = np.searchsorted(estimator.classes_, part.y)
        return {"probabilities": ClassProbabilities(truth, prediction.probabilities)}
    return {}


def _of_windows(rolled: Any) -> WindowErrors:
    from seqkit.evaluation.forecast_errors import naive_scale

    prediction = rolled.prediction
    held, level = None, 0.0
    if prediction.quantiles is not None and len(prediction.levels) > 1:
        held, level = _held(rolled.truth, prediction.quantiles, prediction.levels)
    return WindowErrors(
        rolled.data.ids,
        rolled.truth - prediction.values,
        held,
        level,
        rolled.step,
        rolled.season,
        naive_scale(rolled.history, rolled.season).mean(axis=1),
    )


def _of_numbers(part: Any, prediction: Any) -> WindowErrors:
    n = len(part)
    errors = (np.asarray(part.y, np.float64) - prediction.values).reshape(n, 1, 1, -1)
    size = np.abs(errors).mean(axis=0, keepdims=True)  # targets of different units
    held, level = None, 0.0
    if prediction.quantiles is not None and len(prediction.levels) > 1:
        held, level = _held(np.asarray(part.y), prediction.quantiles, prediction.levels)
        held = held.reshape(errors.shape)
    ids = range(n) if part.ids is None else part.ids.tolist()
    return WindowErrors(ids, errors / np.where(size > 0, size, 1.0), held, level)


def _held(truth: Any, quantiles: Any, levels: Any) -> tuple[Any, float]:
    order = np.argsort(levels)
    low, high = (quantiles[..., order[end]] for end in (0, -1))
    return (low <= truth) & (truth <= high), float(max(levels) - min(levels))
