"""Scores of a model beside its baselines: how they are made, kept and shown.

``metrics.json`` of a run folder is what :func:`summarize` returns::

    {"task": "forecasting",
     "parts": {"test": {"model": {"mae": 12.1, "mase": null, ...},
                        "baselines": {"naive": {"mae": 49.9, ...}, ...},
                        "by_step": {"model": {"mae": [9.8, ...]}, "baselines": {...}},
                        "by_series": {"ids": [...], "model": {"mae": [...]}, "baselines": {...}},
                        "confusion": {"labels": [...], "counts": [[...], ...]}}},
     "n": {"test": {"series": 1, "windows": 4, "values": 96}},
     "notes": ["test: mase of model: the history is constant, or no longer than a season"],
     "verdict": {... whether the model beats its baselines, see seqkit.evaluation.verdict ...},
     "findings": [{... of a run: what seqkit.evaluation.findings.find_all returns ...}],
     "backtest": {... as a part, with "n", "windows", "step", "refit", "conformal" ...}}

There are no clock times in it, so equal runs have equal files: those are in ``run.json``.
``by_step`` and ``by_series`` are of forecasts, ``confusion`` of classes, ``backtest`` is there only
where one was run, ``sample`` where statistical baselines were fitted to some windows only: it has
the model's own scores on them. A score that does not exist is null and has its reason among the
notes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rich.table import Table

from seqkit.estimators.checking import COLLAPSED
from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.forecast_errors import ForecastCase, forecast_case, forecast_score
from seqkit.evaluation.metrics import (
    METRICS,
    Metric,
    Predictions,
    Undefined,
    confusion_table,
    find_metrics,
    metric_value,
)
from seqkit.evaluation.verdict import judge, number
from seqkit.tasks import TASKS

__all__ = [
    "as_tables",
    "best_of",
    "counted",
    "heading",
    "score_model",
    "score_rows",
    "score_table",
    "summarize",
]

# A list of scores a series in metrics.json: more would make it the largest file of a run.
MOST_SERIES = 1000
MOST_CONFUSED = 100
"""Labels of steps, such as words, above which there is no table of which is taken for which."""


def score_model(
    task: str,
    y_true: Any,
    prediction: Predictions,
    *,
    metrics: Sequence[str] | None = None,
    baselines: Mapping[str, Predictions] | None = None,
    classes: Any = None,
    sample_weight: Any = None,
    history: Any = None,
    season: int = 1,
    ids: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Score a model's predictions, and its baselines', on one part of the data.

    Parameters
    ----------
    task : str
        A row of :data:`seqkit.tasks.TASKS`.
    y_true : array-like
        Labels or numbers, one a series; of a forecast the true values, as
        :func:`~seqkit.evaluation.forecast_errors.as_windows` takes them, NaN where unknown; of
        tagging a list of arrays.
    prediction : Predictions
        What the model predicted.
    metrics : sequence of str, optional
        Default: those of the task, and those of quantiles where the prediction holds any.
    baselines : mapping of str to Predictions, optional
        What :func:`~seqkit.evaluation.baselines.run_baselines` returned. OWA needs ``naive2``.
    classes : array-like, optional
        Classes in the order of the probabilities' columns.
    sample_weight : array-like of shape (n_series,), optional
    history : sequence of arrays, optional
        Training part of each series, which the scaled errors are scaled by.
    season : int, default=1
        Steps in a season, for the scaled errors.
    ids : sequence, optional
        Names of the series, for the scores by series.

    Returns
    -------
    dict
        ``model``, ``baselines``, ``n``, ``notes`` and, where they apply, ``by_step``,
        ``by_series`` and ``confusion``; only plain lists, strings, numbers and None.

    Examples
    --------
    >>> predicted = Predictions(values=[1.0, 2.0])
    >>> scores = score_model("regression", [1.0, 3.0], predicted, metrics=["mae"])
    >>> scores["model"], scores["n"]
    ({'mae': 0.5}, {'series': 2})
    """
    if metrics is None:
        extra = () if prediction.quantiles is None else TASKS[task].interval_metrics
        metrics = (*TASKS[task].default_metrics, *extra)
    rows = find_metrics(task, metrics)
    predictions = {"model": prediction, **(baselines or {})}
    if task == "forecasting":
        part = _evaluate_forecasts(rows, _forecast_cases(y_true, predictions, history, season), ids)
    else:
        part = _evaluate_series(rows, y_true, predictions, classes, sample_weight, task)
    scores = part.pop("scores")
    return {
        "model": scores["model"],
        "baselines": {name: scores[name] for name in predictions if name != "model"},
        **part,
    }


def _evaluate_series(
    rows: dict[str, Metric],
    y_true: Any,
    predictions: dict[str, Predictions],
    classes: Any,
    sample_weight: Any,
    task: str,
) -> dict[str, Any]:
    n, whole = {"series": len(y_true)}, (y_true, predictions)
    if task == "tagging":  # every valid step of every series is one case
        y_true = np.concatenate([np.asarray(labels) for labels in y_true])
        n["steps"] = len(y_true)
        predictions = {
            name: Predictions(
                _concatenated(prediction.labels),
                _concatenated(prediction.probabilities),
                _concatenated(prediction.values),
            )
            for name, prediction in predictions.items()
        }
    y_true = np.asarray(y_true)
    scores: dict[str, dict[str, float | None]] = {}
    reasons = _Reasons()
    for who, prediction in predictions.items():
        scores[who] = {}
        for name, metric in rows.items():
            try:
                if metric.needs == "segments" and metric.function is not None:
                    scores[who][name] = metric.function(
                        whole[0], whole[1][who].labels, classes=classes, sample_weight=None
                    )
                    continue
                scores[who][name] = metric_value(
                    metric, y_true, prediction, classes=classes, sample_weight=sample_weight
                )
            except Undefined as reason:
                scores[who][name] = None
                reasons.add(who, name, reason)
    notes = [*reasons.notes(), *_nominal(predictions["model"], rows)]
    part: dict[str, Any] = {"scores": scores, "n": n, "notes": notes}
    if collapsed := _collapsed(y_true, predictions["model"], "step" if task == "tagging" else ""):
        part["collapsed"] = collapsed
    labels = predictions["model"].labels
    few = task != "tagging" or len(np.unique(y_true)) <= MOST_CONFUSED
    if labels is not None and y_true.ndim == 1 and few:
        part["confusion"] = confusion_table(y_true, labels, classes)
    return part


def _collapsed(y_true: Any, prediction: Predictions, what: str = "") -> str | None:
    """Return the answer of a model that has one only, though there is more than one to be had."""
    if y_true.ndim != 1 or len(np.unique(y_true)) < 2:
        return None
    if prediction.labels is not None:
        answers = np.unique(prediction.labels)
        return f"{answers[0]} for every {what or 'series'}" if len(answers) == 1 else None
    if prediction.values is None:
        return None
    values = np.asarray(prediction.values, dtype=np.float64)
    if np.std(values) < COLLAPSED * np.std(y_true):
        return f"about {number(float(np.mean(values)))} for every series"
    return None


def _concatenated(parts: Any) -> Any:
    return None if parts is None else np.concatenate([np.asarray(part) for part in parts])


def _forecast_cases(
    y_true: Any, predictions: dict[str, Predictions], history: Any, season: int
) -> dict[str, ForecastCase]:
    """Return truth and forecast of the model and of every baseline, with their scales."""
    naive2 = predictions["naive2"].values if "naive2" in predictions else None
    cases: dict[str, ForecastCase] = {}
    for who, prediction in predictions.items():
        case = forecast_case(
            y_true,
            prediction.values,
            quantiles=prediction.quantiles,
            levels=prediction.levels if prediction.quantiles is not None else (),
            samples=prediction.samples,
            history=history if who == "model" else None,
            season=season,
            naive2=naive2,
        )
        if who != "model":  # of many series the scales take longest; they are the same for all
            scale = cases["model"].absolute_scale, cases["model"].squared_scale
            case = replace(case, absolute_scale=scale[0], squared_scale=scale[1])
        cases[who] = case
    return cases


def _evaluate_forecasts(
    rows: dict[str, Metric], cases: dict[str, ForecastCase], ids: Sequence[Any] | None
) -> dict[str, Any]:
    n_series = len(cases["model"].truth)
    scores: dict[str, dict[str, float | None]] = {}
    by_step: dict[str, dict[str, list[float | None]]] = {}
    by_series: dict[str, dict[str, list[float | None]]] = {}
    reasons = _Reasons()
    for who, case in cases.items():
        scores[who], by_step[who], by_series[who] = {}, {}, {}
        for name in rows:
            try:
                scores[who][name] = float(forecast_score(name, case))
                by_step[who][name] = _plain(forecast_score(name, case, "step"))
                each = forecast_score(name, case, "series")
            except Undefined as reason:
                scores[who][name] = None
                reasons.add(who, name, reason)
                continue
            lost = int(np.isnan(each).sum())
            if lost:
                reasons.add(who, name, f"does not exist for {lost} of {n_series} series")
            if n_series <= MOST_SERIES:
                by_series[who][name] = _plain(each)
    truth = cases["model"].truth
    part: dict[str, Any] = {
        "scores": scores,
        "by_step": _beside(by_step),
        "n": {
            "series": n_series,
            "windows": truth.shape[1],
            "values": int(np.isfinite(truth).sum()),
        },
        "notes": [*reasons.notes(), *_nominal(cases["model"], rows)],
    }
    if 1 < n_series <= MOST_SERIES:
        names = [str(name) for name in (range(n_series) if ids is None else ids)]
        part["by_series"] = {"ids": names, **_beside(by_series)}
    elif n_series > MOST_SERIES:
        part["notes"].append(f"scores by series are kept for up to {MOST_SERIES} series")
    return part


def _nominal(case: ForecastCase | Predictions, rows: Mapping[str, Metric]) -> list[str]:
    if len(case.levels) < 2 or not {"coverage", "interval_width", "interval_score"} & rows.keys():
        return []
    low, high = min(case.levels), max(case.levels)
    return [f"coverage should be {high - low:.0%}: quantiles {low:g} to {high:g}"]


def _beside(of_all: Mapping[str, Any]) -> dict[str, Any]:
    rest = {who: values for who, values in of_all.items() if who != "model"}
    return {"model": of_all["model"], "baselines": rest}


def _plain(values: Any) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in np.asarray(values)]


class _Reasons:
    """Why scores do not exist: one line a reason, naming all it explains."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def add(self, who: str, metric: str, reason: object) -> None:
        self._names.setdefault((who, str(reason)), []).append(metric)

    def notes(self) -> list[str]:
        shared: dict[tuple[str, str], list[str]] = {}
        for (who, reason), metrics in self._names.items():
            shared.setdefault((", ".join(metrics), reason), []).append(who)
        return [
            f"{metrics} of {', '.join(those)}: {reason}"
            for (metrics, reason), those in shared.items()
        ]


def summarize(
    task: str,
    parts: Mapping[str, Mapping[str, Any]],
    *,
    backtest: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, Any]:
    """Put the scores of all parts together, as ``metrics.json`` holds them.

    Parameters
    ----------
    task : str
    parts : mapping of str to dict
        What :func:`evaluate` returned for ``"test"``, ``"validation"`` ...
    backtest : mapping, optional
        What :meth:`~seqkit.evaluation.backtest.BacktestResult.evaluate` returned.
    notes : sequence of str
        What else has to be said, for example by the baselines.
    settings, history : mapping, optional
        The recipe and the losses, which the verdict takes its advice from.

    Examples
    --------
    >>> predicted = Predictions(values=[1.0, 2.0])
    >>> part = score_model("regression", [1.0, 3.0], predicted, metrics=["mae"])
    >>> summarize("regression", {"test": part})
    ... # doctest: +NORMALIZE_WHITESPACE
    {'task': 'regression', 'parts': {'test': {'model': {'mae': 0.5}, 'baselines': {}}},
     'n': {'test': {'series': 2}}, 'notes': [], 'verdict': None}
    """
    said = list(dict.fromkeys(notes))
    for name, part in parts.items():
        said += [f"{name}: {note}" for note in part["notes"]]
    summary: dict[str, Any] = {
        "task": task,
        "parts": {
            name: {key: value for key, value in part.items() if key not in ("n", "notes")}
            for name, part in parts.items()
        },
        "n": {name: part["n"] for name, part in parts.items()},
        "notes": said,
    }
    if backtest is not None:
        said += [f"backtest: {note}" for note in backtest["notes"]]
        summary["backtest"] = {key: value for key, value in backtest.items() if key != "notes"}
    summary["verdict"] = judge(summary, settings, history)
    return summary


def best_of(metric: str, values: Mapping[str, float | None]) -> set[str]:
    """Return who has the best value: several where they are equal, none where nothing is best.

    Examples
    --------
    >>> sorted(best_of("mae", {"model": 1.0, "naive": 1.0, "drift": 2.0, "naive2": None}))
    ['model', 'naive']
    """
    known = {who: value for who, value in values.items() if value is not None}
    direction = METRICS[metric].greater_is_better if metric in METRICS else None
    if direction is None or len(known) < 2:
        return set()
    best = max(known.values()) if direction else min(known.values())
    return {who for who, value in known.items() if math.isclose(value, best, rel_tol=1e-9)}


def score_rows(part: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[float | None]]]]:
    """Return the metrics of a part, and a row of values for the model and each baseline."""
    metrics = list(part["model"])
    predictions = {"model": part["model"], **part["baselines"]}
    return metrics, [(who, [scores[m] for m in metrics]) for who, scores in predictions.items()]


def counted(n: Mapping[str, int]) -> str:
    """Say how much was scored.

    Examples
    --------
    >>> counted({"series": 414, "windows": 1, "values": 19872})
    '414 series, 1 window, 19,872 values'
    """
    return ", ".join(
        f"{count:,} {what.removesuffix('s') if count == 1 and what != 'series' else what}"
        for what, count in n.items()
    )


def as_tables(summary: Mapping[str, Any], width: int = 80) -> list[Table]:
    """Return :func:`score_table` of every part: test part, sample of it, others, backtest."""
    parts = sorted(summary["parts"], key=lambda part: (part != "test", part != "sample"))
    return [
        score_table(summary, part, width)
        for part in (*parts, *(["backtest"] if "backtest" in summary else []))
    ]


def score_table(summary: Mapping[str, Any], part: str = "test", width: int = 80) -> Table:
    """Show a part's scores in the terminal: the model beside its baselines, the best in bold.

    Parameters
    ----------
    summary : mapping
        What :func:`summarize` returned, or ``metrics.json``.
    part : str, default="test"
        A name among ``summary["parts"]``, or ``"backtest"``.
    width : int, default=80
        Of the terminal. Where not all columns fit, the best baselines are shown, and the table says
        which are not.
    """
    scores = summary["backtest"] if part == "backtest" else summary["parts"][part]
    n = scores["n"] if part == "backtest" else summary["n"][part]
    # Metrics down and models across: more metrics than models, and 80 columns are enough.
    table = Table(title=f"{part} ({counted(n)})", title_justify="left", caption_justify="left")
    metrics, rows = score_rows(scores)
    shown = _fitting(metrics, rows, width)
    hidden = [_title(who) for who, _ in rows if who not in shown]
    if hidden:
        table.caption = f"too narrow for: {', '.join(hidden)}; the report has all"
    table.add_column("")
    for who in shown:
        table.add_column(_title(who), justify="right")
    for j, name in enumerate(metrics):
        values = {who: scores_of[j] for who, scores_of in rows}
        best = best_of(name, values)
        cells = [
            f"[bold]{number(values[who])}[/bold]" if who in best else number(values[who])
            for who in shown
        ]
        table.add_row(heading(name), *cells)
    return table


def _title(who: str) -> str:
    return BASELINES[who].title if who in BASELINES else who


def _fitting(
    metrics: Sequence[str], rows: Sequence[tuple[str, list[float | None]]], width: int
) -> list[str]:
    """Return the columns that fit, in their order: the model, and the baselines that do best."""

    def room(who: str, values: Sequence[float | None]) -> int:
        words = _title(who).split()  # a title may be wrapped, a number may not
        return 3 + max(map(len, [*words, *map(number, values)]))

    left = width - 4 - max((len(heading(name)) for name in metrics), default=0)
    columns = dict(rows)
    wins = dict.fromkeys(columns, 0)
    for j, name in enumerate(metrics):
        up = name in METRICS and METRICS[name].greater_is_better
        known = [(who, of[j]) for who, of in rows if of[j] is not None]
        for rank, (who, _) in enumerate(sorted(known, key=lambda pair: pair[1], reverse=not up)):  # type: ignore[arg-type, return-value]
            wins[who] += rank
    shown: set[str] = set()
    for who in sorted(columns, key=lambda who: (who != "model", -wins[who])):
        left -= room(who, columns[who])
        if left < 0 and shown:
            break
        shown.add(who)
    return [who for who in columns if who in shown]


def heading(name: str) -> str:
    """Return a metric's title with its unit, and an arrow to where it is better.

    Examples
    --------
    >>> heading("smape"), heading("accuracy"), heading("coverage")
    ('sMAPE % ↓', 'accuracy ↑', 'coverage')
    """
    if name not in METRICS:
        return name
    metric = METRICS[name]
    arrow = {True: " ↑", False: " ↓", None: ""}[metric.greater_is_better]
    unit = " %" if metric.unit == "%" else ""
    return f"{metric.title}{unit}{arrow}"
