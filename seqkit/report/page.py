"""What the page of a run shows, as plain data, from the files of its folder.

:func:`page_data` gives what ``assets/page.js`` draws. A part whose file is not there, as in folders
of earlier versions, is left out. Curves of many series are made here, of all of them; the series
themselves are a sample.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.metrics import METRICS
from seqkit.report.samples import picked, series_errors

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["page_data", "read_history"]

MOST_POINTS = 200  # of a curve
MOST_CURVES = 8  # classes that have one
MOST_DOTS = 1500  # of a scatter
BINS = 10  # of probabilities
MOST_STEPS = 20_000  # labelled steps, of all series that are shown
MOST_FORECASTS = 90_000  # numbers of forecasts


def page_data(
    task: str,
    predictions: pd.DataFrame | None,
    summary: Mapping[str, Any] | None,
    sample: Mapping[str, Any] | None,
    history: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a page draws.

    Parameters
    ----------
    task : str
    predictions : pandas.DataFrame, optional
        ``predictions.parquet``.
    summary, sample : mapping, optional
        ``metrics.json`` and ``series.json``.
    history : mapping, optional
        What :func:`read_history` returns.
    """
    part = _shown_part(summary, sample)
    scores = ((summary or {}).get("parts") or {}).get(part, {})
    data: dict[str, Any] = {"task": task, "part": part, "titles": _titles(scores, sample)}
    if history:
        data["history"] = dict(history)
    if "by_step" in scores:
        data["byStep"] = _by_step(scores["by_step"])
    if "confusion" in scores:
        data["confusion"] = scores["confusion"]
    if sample:
        data["data"] = sample.get("data")
        if sample.get("by_time"):
            data["byTime"] = sample["by_time"]
    if predictions is not None and "series" in predictions and len(predictions):
        kind = _kind(predictions)
        if kind in ("classes", "tags"):
            data["curves"] = _class_curves(predictions)
        most = 0 if (sample or {}).get("left_out") else MOST_DOTS
        if kind in ("numbers", "steps"):
            data["residuals"] = _residuals(predictions, most)
        if kind == "forecasts":
            data["residuals"] = _forecast_residuals(predictions, most)
        data["series"] = SERIES[kind](predictions, sample)
    return data


def _kind(frame: pd.DataFrame) -> str:
    if "forecast" in frame:
        return "forecasts"
    if "nll" in frame:
        return "steps"
    if "step" in frame:
        return "tags"
    return "classes" if any(str(name).startswith("p_") for name in frame) else "numbers"


def _shown_part(summary: Mapping[str, Any] | None, sample: Mapping[str, Any] | None) -> str:
    if sample and "part" in sample:
        return str(sample["part"])
    parts = list((summary or {}).get("parts") or {})
    return "test" if "test" in parts or not parts else parts[0]


def _titles(scores: Mapping[str, Any], sample: Mapping[str, Any] | None) -> dict[str, str]:
    names = {*scores.get("baselines", {}), *((sample or {}).get("baselines") or {})}
    return {name: BASELINES[name].title if name in BASELINES else name for name in sorted(names)}


def _number(value: Any) -> float | None:
    """Return a number as JSON has it, six digits of it."""
    value = float(value)
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _numbers(values: Any) -> list[float | None]:
    return [_number(value) for value in np.asarray(values, np.float64).ravel()]


def read_history(text: str | None, model: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the curves of ``history.csv``, and the epoch whose weights were kept, from 1.

    Where nothing was validated that is the last one; where the whole was trained on anew, the last
    of the second training. The further networks of an ensemble are in ``model.json``, and here as
    ``others``.
    """
    rows = list(csv.DictReader(text.splitlines())) if text else []
    if not rows:
        return None
    curves: dict[str, list[float | None]] = {}
    for name in rows[0]:
        if name in ("epoch", "training") or not name:
            continue
        curves[name] = [_number(row[name]) if row.get(name) else None for row in rows]
    n_stopped = sum(row.get("training") == "stopped" for row in rows)
    fitted = (model or {}).get("fitted") or {}
    kept = fitted.get("best_epoch_")
    histories, stopped = (_curves(fitted.get(f"{k}histories_")) for k in ("", "stopped_"))
    stopped = stopped or [{}] * len(histories)
    others = []
    for before, curve in zip(stopped[1:], histories[1:], strict=False):
        joined = {
            name: _numbers([*before.get(name, ()), *values]) for name, values in curve.items()
        }
        others.append(_training(joined, len(before.get("loss", ()))))
    first = _training(curves, n_stopped, kept if isinstance(kept, int) else None)
    return {**first, "others": others}


def _curves(value: Any) -> list[dict[str, list[float]]]:
    """Return the histories of networks, or none where a damaged file holds something else."""
    known = isinstance(value, list) and all(
        isinstance(of, dict)
        and all(
            isinstance(curve, list) and all(isinstance(one, int | float) for one in curve)
            for curve in of.values()
        )
        for of in value
    )
    return value if known else []


def _training(
    curves: Mapping[str, list[float | None]], n_stopped: int, kept: int | None = None
) -> dict[str, Any]:
    """Return the curves of a network, after how many epochs it began anew, and which were kept."""
    validated = [value for value in curves.get("val_loss", ()) if value is not None]
    best = max(map(len, curves.values()), default=0)
    if not n_stopped and kept is not None:
        best = kept + 1
    elif not n_stopped and validated:
        best = curves["val_loss"].index(min(validated)) + 1
    return {
        "curves": dict(curves), "best": best, "stopped": n_stopped, "validated": bool(validated)
    }  # fmt: skip


def _by_step(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each metric of forecasts the scores of all by step."""
    found = {}
    for metric in scores["model"]:
        title = METRICS[metric].title if metric in METRICS else metric
        who = {"model": scores["model"][metric]}
        who |= {name: of[metric] for name, of in scores["baselines"].items() if metric in of}
        found[metric] = {"title": title, "scores": who}
    return found


def _thin(*columns: np.ndarray, most: int = MOST_POINTS) -> list[list[float | None]]:
    n = len(columns[0])
    at = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    return [_numbers(column[at]) for column in columns]


def _class_curves(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the reliability curve and, of each class, ROC and precision-recall."""
    if "true" not in frame:
        return {}
    true = frame["true"].astype(str).to_numpy()
    hit = true == frame["predicted"].astype(str).to_numpy()
    names = [str(name) for name in frame.columns if str(name).startswith("p_")]
    sure = frame[names].max(axis=1).to_numpy() if names else frame["probability"].to_numpy(float)
    bins = np.clip((sure * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    there = counts > 0
    said = np.bincount(bins, sure, BINS)[there] / counts[there]
    right = np.bincount(bins, hit, BINS)[there] / counts[there]
    error = float((np.abs(said - right) * counts[there]).sum() / counts.sum())
    found: dict[str, Any] = {
        "reliability": {"said": _numbers(said), "right": _numbers(right),
                        "counts": counts[there].tolist(), "error": _number(error)},
    }  # fmt: skip
    if names:
        found["classes"] = _rankings(frame, true, names)
        found["n_classes"] = len(names)
    return found


def _rankings(frame: pd.DataFrame, true: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

    sizes = {name: int((true == name[2:]).sum()) for name in names}
    shown = sorted((n for n in names if 0 < sizes[n] < len(true)), key=lambda n: -sizes[n])
    if len(names) == 2 and len(shown) == 2:
        shown = [names[1]]  # the other class's is its mirror
    curves = []
    for name in shown[:MOST_CURVES]:
        is_class, score = true == name[2:], frame[name].to_numpy(float)
        false, found, _ = roc_curve(is_class, score)
        precision, recall, _ = precision_recall_curve(is_class, score)
        false_, found_ = _thin(false, found)
        recall_, precision_ = _thin(recall[::-1], precision[::-1])
        curves.append(
            {
                "class": name[2:],
                "n": sizes[name],
                "roc": [false_, found_],
                "auc": _number(auc(false, found)),
                "pr": [recall_, precision_],
                "ap": _number(average_precision_score(is_class, score)),
            }
        )
    return curves


def _residuals(frame: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """Return for each target the true and predicted numbers of some series, and a histogram."""
    found = []
    for name in frame.columns:
        said = str(name).replace("true", "predicted", 1)
        if not str(name).startswith("true") or said not in frame:
            continue
        true, predicted = frame[name].to_numpy(float), frame[said].to_numpy(float)
        title = str(name).removeprefix("true").removeprefix("_")
        found.append({"target": title, **_apart(true, predicted, most)})
    return found


def _forecast_residuals(frame: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """Return the same of forecasts, a target each."""
    found = []
    for target, part in frame.groupby("target", sort=False):
        pair = part["true"].to_numpy(float), part["forecast"].to_numpy(float)
        found.append({"target": str(target), **_apart(*pair, most)})
    return found


def _apart(true: np.ndarray, predicted: np.ndarray, most: int) -> dict[str, Any]:
    known = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[known], predicted[known]
    rest = true - predicted
    if not len(rest):
        return {"true": [], "predicted": [], "edges": [], "counts": [], "of": 0}
    at = np.random.default_rng(0).permutation(len(true))[:most]
    counts, edges = np.histogram(rest, bins=min(30, max(5, int(np.sqrt(len(rest))))))
    return {
        "true": _numbers(true[at]), "predicted": _numbers(predicted[at]), "of": len(true),
        "mean": _number(rest.mean()), "edges": _numbers(edges), "counts": counts.tolist(),
    }  # fmt: skip


# --- series ---------------------------------------------------------------------------------


def _chosen(frame: pd.DataFrame, sample: Mapping[str, Any] | None) -> tuple[Any, list[int], Any]:
    """Return names and errors of all series, and which are shown: those that were kept."""
    ids, errors, cells = series_errors(frame)
    rows = list(sample["rows"]) if sample else picked(errors, cells).tolist()
    return ids, [row for row in rows if row < len(ids)], errors


def _kept(sample: Mapping[str, Any] | None) -> dict[str, Any]:
    if sample is None:
        return {"features": [], "kept": None}
    kept = {"features": sample["features"], "kept": sample["series"]}
    return kept | ({"leftOut": True} if sample.get("left_out") else {})


def _class_series(frame: pd.DataFrame, sample: Mapping[str, Any] | None) -> dict[str, Any]:
    ids, rows, errors = _chosen(frame, sample)
    names = [str(name) for name in frame.columns if str(name).startswith("p_")]
    shown = frame.iloc[rows]
    probabilities = shown[names].to_numpy(float)
    items = []
    for i, row in enumerate(rows):
        item: dict[str, Any] = {"id": str(ids[row]), "error": _number(errors[row])}
        if "true" in frame:
            item["true"] = str(shown["true"].iloc[i])
        item |= {"predicted": str(shown["predicted"].iloc[i]), "p": _numbers(probabilities[i])}
        items.append(item)
    return {"of": len(ids), "items": items, "classes": [n[2:] for n in names], **_kept(sample)}


def _number_series(frame: pd.DataFrame, sample: Mapping[str, Any] | None) -> dict[str, Any]:
    ids, rows, errors = _chosen(frame, sample)
    columns = [str(name) for name in frame.columns if name != "series"]
    values = frame[columns].to_numpy(float)
    items = [
        {"id": str(ids[row]), "error": _number(errors[row]), "numbers": _numbers(values[row])}
        for row in rows
    ]
    return {"of": len(ids), "items": items, "columns": columns, **_kept(sample)}


def _spans(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each series, and that after its last."""
    series = frame["series"].to_numpy()
    starts = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    return starts, np.r_[starts[1:], len(series)]


def _tag_series(frame: pd.DataFrame, sample: Mapping[str, Any] | None) -> dict[str, Any]:
    ids, rows, errors = _chosen(frame, sample)
    columns = [name for name in ("true", "predicted") if name in frame]
    labels: dict[str, int] = {}
    starts, stops = _spans(frame)
    items, total = [], 0
    for row in rows:
        part = frame.iloc[starts[row] : stops[row]].iloc[:MOST_STEPS]
        item: dict[str, Any] = {"id": str(ids[row]), "error": _number(errors[row])}
        for name in columns:
            item[name] = [labels.setdefault(str(one), len(labels)) for one in part[name]]
        item["sure"] = [round(float(p), 3) for p in part["probability"]]
        items.append(item)
        total += len(part)
        if total > MOST_STEPS:
            break
    return {"of": len(ids), "items": items, "labels": list(labels), **_kept(sample)}


def _forecast_series(frame: pd.DataFrame, sample: Mapping[str, Any] | None) -> dict[str, Any]:
    ids, rows, errors = _chosen(frame, sample)
    levels = [str(name) for name in frame.columns if str(name).startswith("q")]
    columns = ["true", "forecast", *levels]
    targets = list(dict.fromkeys(frame["target"].astype(str)))
    sizes = dict(zip(map(str, ids), errors, strict=True))
    shown = [str(ids[row]) for row in rows] if sample is None else sample["ids"]
    few = frame[frame["series"].astype(str).isin(shown)]
    by_series = {str(name): part for name, part in few.groupby("series", sort=False)}
    budget, items = MOST_FORECASTS, []
    relative = dict(zip(shown, (sample or {}).get("errors") or (), strict=False))
    for name in shown:
        windows = []
        if name in by_series:
            wanted = None if sample is None else sample["windows"]
            windows = _windows(by_series[name], wanted, targets, columns)
            budget -= sum(len(columns) * len(window["targets"][0]["true"]) for window in windows)
        item = {"id": name, "error": _number(sizes.get(name, np.nan)), "windows": windows}
        if relative.get(name) is not None:
            item["relative"] = _number(relative[name])
        items.append(item)
        if budget < 0:
            break
    found = {"of": len(ids), "items": items, "targets": targets, "levels": levels, **_kept(sample)}
    if sample is not None:
        found |= {"ofWindows": sample["of_windows"], "baselines": sample["baselines"],
                  "windows": sample["windows"]}  # fmt: skip
    return found


def _windows(
    frame: pd.DataFrame, wanted: Any, targets: list[str], columns: list[str]
) -> list[dict[str, Any]]:
    """Return the forecasts of one series, a window each; `row` is the first that is forecast."""
    windows = []
    for number, part in frame.groupby("window", sort=True):
        window: Any = number
        if wanted is not None and window not in wanted:
            continue
        own = [part[part["target"].astype(str) == target] for target in targets]
        numbers = [{name: _numbers(one[name]) for name in columns} for one in own]
        row = int(part["row"].iloc[0]) if "row" in part else None
        windows.append({"window": int(window), "row": row, "targets": numbers})
    return windows


def _step_series(frame: pd.DataFrame, sample: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the numbers of the next step beside their means, a line a feature."""
    ids, rows, errors = _chosen(frame, sample)
    features = [str(n).removeprefix("true_") for n in frame if str(n).startswith("true_")]
    starts, stops = _spans(frame)
    items, total = [], 0
    for row in rows:
        part = frame.iloc[starts[row] : stops[row]].iloc[:MOST_STEPS]
        lines = [
            {what: _numbers(part[f"{what}_{name}"]) for what in ("true", "predicted", "spread")}
            for name in features
        ]
        items.append({"id": str(ids[row]), "error": _number(errors[row]), "next": lines})
        total += len(part) * len(features)
        if total > MOST_STEPS:
            break
    return {"of": len(ids), "items": items, "columns": features, **_kept(sample)}


SERIES = {
    "steps": _step_series,
    "classes": _class_series,
    "numbers": _number_series,
    "tags": _tag_series,
    "forecasts": _forecast_series,
}
"""What is shown of the series of each kind of predictions."""
