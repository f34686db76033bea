"""What a run keeps for its page: some of its series, and what describes its data.

A report is written from the files of a run folder, now and later. Scores and predictions are there
anyway; the series themselves and the forecasts of the baselines are not, and may be large. So a run
keeps of them what a page can show, as :data:`SAMPLE`: some series, the worst among them, up to a
bound, and says of how many.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.backtest import BacktestResult

__all__ = [
    "SAMPLE",
    "described_data",
    "forecast_sample",
    "packed",
    "picked",
    "series_errors",
    "series_sample",
    "without_series",
]

SAMPLE = "series.json"
"""The file of a run folder."""
FORMAT = 1
MOST_SERIES = 200
MOST_NUMBERS = 60_000  # of all series, and of all forecasts, together: half a megabyte each
MOST_BARS = 30  # of a histogram
MOST_CLASSES = 60  # whose counts are kept
MOST_TIMES = 300  # at which the errors of forecasts are kept


def packed(values: Any) -> dict[str, Any]:
    """Return an array as plain values: its shape, and its numbers in base64, little-endian.

    Single precision where that keeps six digits of how far the numbers of a column are apart.

    Examples
    --------
    >>> packed(np.zeros((1, 3)))
    {'shape': [1, 3], 'dtype': 'float32', 'base64': 'AAAAAAAAAAAAAAAA'}
    """
    values = np.asarray(values, np.float64)
    rows = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        lost = np.abs(rows - rows.astype(np.float32))
        known = np.isfinite(rows)
        high = np.where(known, rows, -np.inf).max(0, initial=-np.inf)
        low = np.where(known, rows, np.inf).min(0, initial=np.inf)
        exact = bool((np.where(known, lost, 0.0) <= 1e-6 * np.maximum(high - low, 0.0)).all())
    dtype = np.dtype("<f4" if exact else "<f8")
    text = base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode("ascii")
    return {"shape": list(values.shape), "dtype": dtype.newbyteorder("=").name, "base64": text}


def picked(errors: Any, cells: Any = None, most: int = MOST_SERIES) -> np.ndarray:
    """Return the series to show, the worst first: of each cell the worst, and some of all others.

    Parameters
    ----------
    errors : array-like of shape (n_series,)
        NaN where there is none.
    cells : array-like of shape (n_series,), optional
        Which series are alike, such as those of one class that are taken for one other.
    most : int

    Examples
    --------
    >>> picked([0.1, 0.9, 0.5, 0.7], most=2).tolist()
    [1, 3]
    """
    errors = np.nan_to_num(np.asarray(errors, np.float64), nan=-np.inf)
    order = np.argsort(-errors, kind="stable")
    n = len(order)
    if n > most:
        half = most // 2
        kinds = np.zeros(n, np.int64)
        if cells is not None:
            kinds = np.unique(np.asarray(cells).astype(str), return_inverse=True)[1]
        # the worst of each kind, then the second of each, and so on
        rank, count = np.empty(n, np.int64), np.zeros(kinds.max() + 1, np.int64)
        for series in order:
            rank[series] = count[kinds[series]]
            count[kinds[series]] += 1
        worst = np.lexsort((-errors, rank))[:half]
        rest = order[~np.isin(order, worst)]
        even = rest[np.linspace(0, len(rest) - 1, most - len(worst)).astype(np.int64)]
        chosen = np.union1d(worst, even)
        order = order[np.isin(order, chosen)]
    return order


def series_errors(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return the series of predictions, how wrong each is, and what it was taken for.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``predictions.parquet``: a row a series, a step or a forecast step.

    Returns
    -------
    ids : ndarray
    errors : ndarray of float
        Of classes one less the probability of the true one; of labelled steps the share that is
        wrong, of next numbers the mean negative log-likelihood; of numbers the distance; of
        forecasts the mean distance.
    cells : ndarray or None
    """
    ids = frame["series"].to_numpy()
    if "nll" in frame.columns:
        groups = frame.groupby("series", sort=False)["nll"].mean()
        return groups.index.to_numpy(), groups.to_numpy(float), None
    if "step" in frame.columns:
        value = "forecast" if "forecast" in frame.columns else "predicted"
        if "true" not in frame.columns:
            wrong = np.full(len(frame), np.nan)
        elif value == "forecast":
            wrong = np.abs(frame["true"].to_numpy(float) - frame[value].to_numpy(float))
        else:
            wrong = (frame["true"].astype(str) != frame[value].astype(str)).to_numpy(float)
        groups = frame.assign(wrong=wrong).groupby("series", sort=False)["wrong"].mean()
        return groups.index.to_numpy(), groups.to_numpy(float), None
    names = [name for name in frame.columns if str(name).startswith("true")]
    if not names:
        return ids, np.full(len(frame), np.nan), None
    if any(str(name).startswith("p_") for name in frame.columns):
        true = (
            frame["true"].astype(str).to_numpy() if "true" in frame else np.array([""] * len(ids))
        )
        said = frame["predicted"].astype(str).to_numpy()
        sure = np.full(len(frame), np.nan)
        for label in np.unique(true):
            if f"p_{label}" in frame:
                here = true == label
                sure[here] = frame[f"p_{label}"].to_numpy(float)[here]
        cells = np.char.add(np.char.add(true.astype(str), "\0"), said.astype(str))
        return ids, 1 - sure, cells
    wrong = np.zeros(len(frame))
    for name in names:
        made = str(name).replace("true", "predicted", 1)
        if made in frame:
            apart = np.abs(frame[name].to_numpy(float) - frame[made].to_numpy(float))
            wrong += apart / (np.nanstd(frame[name].to_numpy(float)) or 1.0)
    return ids, wrong, None


def _within(sizes: Any, order: np.ndarray, most: int = MOST_NUMBERS) -> np.ndarray:
    """Return the first of an order whose sizes stay within a bound, one at least."""
    total = np.cumsum(np.asarray(sizes)[order])
    return order[: max(1, int(np.searchsorted(total, most, "right")))]


def _plain_ids(ids: Any) -> list[str]:
    return [str(name) for name in ids]


def series_sample(
    frame: pd.DataFrame, part: Any, values: Sequence[np.ndarray], features: Sequence[str]
) -> dict[str, Any]:
    """Return what a page shows of labelled series.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``predictions.parquet`` of the part.
    part : Sequences
        The part that the predictions are of.
    values : sequence of ndarray of shape (n_timesteps_i, n_features)
        Its series, as the network takes them; of tokens their text.
    features : sequence of str
    """
    _, errors, cells = series_errors(frame)
    order = picked(errors, cells)
    sizes = np.array([np.size(one) for one in values])
    order = _within(sizes, order)
    kept: dict[str, Any] = {
        "of": len(part), "rows": order.tolist(), "ids": _plain_ids(np.asarray(part.ids)[order]),
        "features": list(map(str, features)),
    }  # fmt: skip
    series: list[Any] = []
    for row in order:
        one = values[row]
        if np.asarray(one).dtype.kind in "OUS":
            series.append({"tokens": [str(token) for token in one[:MOST_NUMBERS]]})
            continue
        every = -(-one.size // MOST_NUMBERS)  # a single series may be longer than all may be
        series.append({"values": packed(one[::every]), **({"every": every} if every > 1 else {})})
        if part.times is not None:
            times = part.times[part.offsets[row] : part.offsets[row + 1]]
            series[-1]["times"] = _times(times[::every])
    return {"format": FORMAT, **kept, "series": series}


def without_series(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample without any series, their names, and forecasts of them.

    What is told of all of them together stays: sizes of the parts, classes, errors by time.
    """
    lists = ("rows", "ids", "series", "windows", "origins", "errors")
    none: dict[str, Any] = {name: [] for name in lists}
    kept = {name: value for name, value in sample.items() if name not in none}
    found = {name: value for name, value in none.items() if name in sample}
    return kept | found | {"left_out": True} | ({"baselines": {}} if "baselines" in sample else {})


def _times(times: Any) -> dict[str, Any] | None:
    """Return time stamps as milliseconds of 1970, or as numbers; None where they are neither."""
    times = np.asarray(times)
    if times.dtype.kind == "M":
        numbers, dates = times.astype("datetime64[ms]").astype(np.float64), True
    elif times.dtype.kind in "iuf":
        numbers, dates = times.astype(np.float64), False
    else:
        return None
    if not np.isfinite(numbers).all():
        return None
    steps = np.unique(np.diff(numbers))
    if len(steps) == 1:
        return {"dates": dates, "start": numbers[0], "step": steps[0]}
    return {"dates": dates, "at": numbers.tolist()}


def forecast_sample(
    rolled: BacktestResult, baselines: Sequence[str], context: int, panel: Any = None
) -> dict[str, Any]:
    """Return what a page shows of forecasts: series around their windows, and the baselines.

    Parameters
    ----------
    rolled : BacktestResult
    baselines : sequence of str
        Those that need no fitting of their own.
    context : int
        Steps that a forecast sees.
    panel : Panel, optional
        The series as the networks see them, all channels.
    """
    from dataclasses import replace

    n_series, n_windows, horizon, n_targets = rolled.truth.shape
    spread = _spreads(rolled.data.values)
    error = np.abs(rolled.truth - rolled.prediction.values) / spread[:, None, None]
    known = np.isfinite(error)
    size = np.where(known, error, 0.0).sum((1, 2, 3)) / np.maximum(known.sum((1, 2, 3)), 1)
    relative = np.where(known.any((1, 2, 3)), size, np.nan)
    order = picked(relative)
    order = order[(rolled.origins[order] >= 0).any(1)]
    each = n_windows * horizon * n_targets
    windows = np.unique(
        np.linspace(0, n_windows - 1, max(1, min(n_windows, MOST_NUMBERS // (each // n_windows)))
        ).round().astype(int)
    )  # fmt: skip
    shown = len(windows) * horizon * n_targets * (2 + len(baselines))
    order = order[: max(1, MOST_NUMBERS // shown)]
    first = [max(0, int(row[row >= 0].min()) + 1 - max(context, 3 * horizon))
             for row in rolled.origins[order]]  # fmt: skip
    lengths = np.array([len(rolled.data.values[s]) for s in order]) - first
    within = _within(lengths, np.arange(len(order)), 2 * MOST_NUMBERS)
    order, first = order[within], [first[i] for i in within]
    few: Any = _Some(rolled.data, order)
    part: Any = replace(
        rolled, truth=rolled.truth[order][:, windows], origins=rolled.origins[order][:, windows],
        prediction=_some(rolled.prediction, order, windows), data=few,
    )  # fmt: skip
    beside, _ = part.baselines(baselines) if len(baselines) else ({}, [])
    series = []
    for i, s in enumerate(order):
        values = rolled.data.values[s]
        begin = max(first[i], len(values) - 2 * MOST_NUMBERS)
        one: dict[str, Any] = {"from": int(begin), "values": packed(values[begin:])}
        stamps = rolled.data.stamps(int(s))
        if stamps is not None:
            one["times"] = _times(np.asarray(stamps)[begin:])
        if panel is not None:
            one |= _channels(panel, int(s), len(values), begin)
        series.append(one)
    return {
        "format": FORMAT, "of": n_series, "rows": order.tolist(),
        "ids": _plain_ids([rolled.data.ids[s] for s in order]),
        "features": list(map(str, rolled.data.targets or range(n_targets))),
        "windows": windows.tolist(), "of_windows": n_windows,
        "origins": [[int(o) for o in row] for row in part.origins],
        "series": series,
        "errors": [float(one) if np.isfinite(one) else None for one in relative[order]],
        "baselines": {name: [packed(one) for one in made.values] for name, made in beside.items()},
        "by_time": _by_time(rolled, order, windows, beside),
    }  # fmt: skip


def _spreads(series: Sequence[np.ndarray]) -> np.ndarray:
    """Return the standard deviation of each target of each series, 1 where there is none."""
    columns = [np.reshape(one, (len(one), -1)) for one in series]
    found = np.array([[np.nanstd(column) if np.isfinite(column).any() else 1.0 for column in one.T]
                      for one in columns])  # fmt: skip
    return np.where(found > 0, found, 1.0)


def _channels(panel: Any, series: int, n_rows: int, begin: int) -> dict[str, Any]:
    """Return all channels of a series as a network sees them, or that it has gaps."""
    rows = panel.values[panel.offsets[series] : panel.offsets[series + 1]]
    if len(rows) != n_rows or (panel.age is not None and panel.age.any()):
        return {"gaps": True}
    found: dict[str, Any] = {}
    if rows.shape[1] > panel.n_targets:
        found["channels"] = packed(rows[begin:])
    if panel.static is not None:
        found["static"] = packed(panel.static[series])
    if panel.static_codes is not None:
        found["static_codes"] = [int(code) for code in panel.static_codes[series]]
    return found


def _some(prediction: Any, series: np.ndarray, windows: np.ndarray) -> Any:
    from dataclasses import replace

    def part(block: Any) -> Any:
        return None if block is None else np.asarray(block)[series][:, windows]

    return replace(
        prediction,
        values=part(prediction.values),
        quantiles=part(prediction.quantiles),
        samples=None,
    )


class _Some:
    """Some of the series of a backtest, for its baselines."""

    def __init__(self, data: Any, series: np.ndarray) -> None:
        self.values = [data.values[s] for s in series]
        self.ids = tuple(data.ids[s] for s in series)


def _by_time(
    rolled: BacktestResult, series: np.ndarray, windows: np.ndarray, beside: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return mean absolute errors of the model and its baselines by the time that is forecast."""
    origins, truth = rolled.origins[series][:, windows], rolled.truth[series][:, windows]
    rows = origins[:, :, None] + 1 + np.arange(truth.shape[2])
    at = np.full(rows.shape, np.nan)
    dates = True
    for i, s in enumerate(series):
        stamps = rolled.data.stamps(int(s))
        times = None if stamps is None else _times(np.asarray(stamps))
        if times is None:
            dates, at = False, rows.astype(float)
            break
        dates = times["dates"]
        known = times.get("at") or times["start"] + times["step"] * np.arange(len(stamps))
        at[i] = np.asarray(known, float)[np.clip(rows[i], 0, len(known) - 1)]
    there = np.repeat((origins >= 0)[:, :, None], truth.shape[2], 2)
    if not there.any():
        return None
    edges = np.unique(at[there])
    if len(edges) > MOST_TIMES:
        edges = np.linspace(edges[0], edges[-1], MOST_TIMES + 1)[:-1]
    place = np.searchsorted(edges, at[there], "right") - 1
    spread = _spreads([rolled.data.values[s] for s in series])
    scaled = spread.size > 1  # one target of one series is told in its units
    errors = {}
    for who, made in {"model": _some(rolled.prediction, series, windows), **beside}.items():
        error = np.abs(np.asarray(made.values) - truth)
        if scaled:
            error = error / spread[:, None, None]
        error = (
            np.nanmean(np.where(np.isfinite(error), error, np.nan), -1)
            if error.shape[-1] > 1
            else error[..., 0]
        )
        values = error[there]
        good = np.isfinite(values)
        total = np.bincount(place[good], values[good], len(edges))
        count = np.bincount(place[good], minlength=len(edges))
        errors[who] = [float(t / c) if c else None for t, c in zip(total, count, strict=True)]
    found = {"dates": dates, "at": edges.tolist(), "errors": errors, "scaled": scaled}
    return found | {"series": len(series)}


def described_data(
    parts: Mapping[str, Any], labels: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return sizes, lengths, gaps, classes and times of the parts of the data.

    Parameters
    ----------
    parts : mapping of str to Sequences or Rows
        With ``values``, ``lengths`` and ``times``; a part may be None.
    labels : mapping of str to array-like, optional
        Labels of the series, or steps, of each part.
    """
    there = {name: part for name, part in parts.items() if part is not None and len(part)}
    every = np.concatenate([part.lengths for part in there.values()])
    low, high = int(every.min()), int(every.max())
    edges = np.unique(np.linspace(low, high + 1, min(MOST_BARS, high - low + 1) + 1).astype(int))
    rows = []
    for name, part in there.items():
        counts = np.histogram(part.lengths, edges)[0] if len(edges) > 1 else [len(part)]
        row: dict[str, Any] = {
            "part": name, "series": len(part), "steps": int(part.lengths.sum()),
            "missing": int(np.isnan(part.values).sum()), "values": int(part.values.size),
            "lengths": [int(part.lengths.min()), int(np.median(part.lengths)),
                        int(part.lengths.max())],
            "counts": [int(n) for n in counts],
        }  # fmt: skip
        times = None if part.times is None else np.asarray(part.times)
        if times is not None and len(times) and times.dtype.kind in "Miuf":
            span = _times(np.array([times.min(), times.max()]))
            if span is not None:
                last = span["start"] + span["step"] if "step" in span else span["at"][-1]
                row |= {"from": span.get("start", last), "to": last, "dates": span["dates"]}
        rows.append(row)
    found: dict[str, Any] = {"edges": [int(edge) for edge in edges], "parts": rows}
    if labels:
        found["classes"] = _class_counts({name: labels[name] for name in there if name in labels})
    return found


def _class_counts(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return how often each class is in each part, the commonest first."""
    total: dict[str, dict[str, int]] = {}
    for name, part in labels.items():
        classes, counts = np.unique(np.asarray(part).astype(str), return_counts=True)
        for label, count in zip(classes.tolist(), counts.tolist(), strict=True):
            total.setdefault(label, dict.fromkeys(labels, 0))[name] = count
    order = sorted(total, key=lambda label: -sum(total[label].values()))
    shown = order[:MOST_CLASSES]
    rows = [[label, *(total[label][name] for name in labels)] for label in shown]
    return {"parts": list(labels), "rows": rows, "of": len(order)}
