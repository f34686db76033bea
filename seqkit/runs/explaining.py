"""What a run's model learned, as pictures and numbers: gates, gradients, what mattered."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.labels import labels_like
from seqkit.errors import RunError
from seqkit.estimators.inspection import Inspected, inspected
from seqkit.evaluation.attributions import attribute
from seqkit.evaluation.importance import Importance, permutation_importance
from seqkit.evaluation.metrics import METRICS
from seqkit.evaluation.saturation import saturation
from seqkit.evaluation.verdict import number
from seqkit.network.recurrences import recurrences
from seqkit.report.attribution_plots import AttributionDisplay, ImportanceDisplay
from seqkit.report.gate_plots import GateDisplay, SaturationDisplay
from seqkit.report.gradient_plots import GradientFlowDisplay
from seqkit.report.plots import save_displays
from seqkit.runs.finished import Result, open_finished
from seqkit.runs.flows.base import refused

__all__ = ["explain_run"]

MOST_SERIES = 256
"""Series, evenly drawn, whose gates are counted."""
SHOWN = 5  # of the most important, in the table


def explain_run(
    run: str | os.PathLike[str],
    output: Path | None = None,
    *,
    series: str | None = None,
    layer: int = 1,
    direction: str = "forward",
    member: int = 0,
    channel: str = "0",
    data: str | None = None,
) -> Result:
    """Write what a run's model learned: pictures, tables, and all in ``explain.json``.

    Parameters
    ----------
    run : str or path-like
    output : Path, optional
        Folder to write into; default: the run's name and ``-explained``, in the working folder.
    series : str, optional
        Name or number of the series that is looked at; default: the first of the test part.
    layer, direction, member, channel
        As in :class:`~seqkit.report.gate_plots.GateDisplay`.
    data : str, optional
        A file to look at instead of the run's test part.

    Raises
    ------
    seqkit.errors.DataError
        If the series, the layer, the direction, the network or the channel is not there.
    seqkit.errors.RunError
        If the folder cannot be written.
    """
    path = Path(run)
    flow, estimator, description = open_finished(path)
    parts = flow.load(data, estimator, description["columns"])
    X, y = _looked_at(flow, estimator, parts)
    one = 0 if series is None else series
    notes = list(parts.unlike)
    if (n := len(estimator._member_weights())) > 1:
        notes.append(f"gates and gradients are of network {member} of 0 to {n - 1}; see --member")
    with refused(parts.named["test"]):
        found = inspected(estimator, X, member=member)
        gates = _gates(found, one, layer, direction, channel)
        counted = inspected(estimator, X, member=member, many=True)
        if len(counted) > MOST_SERIES:
            notes.append(f"gates are counted on {MOST_SERIES} of {len(counted)} series")
            rows = np.linspace(0, len(counted) - 1, MOST_SERIES).round().astype(int)
            counted = counted.take(rows)
        shares = saturation(counted)
        flowing = GradientFlowDisplay.from_estimator(estimator, X, y, member=member)
        wanted = [
            m for m in flow.recipe.evaluate.metrics if METRICS[m].greater_is_better is not None
        ]
        mattered = permutation_importance(
            estimator, X, y, metrics=wanted, seed=flow.recipe.seed or 0
        )
    figures: dict[str, Any] = {**gates, "gradient_flow": flowing}
    tables: dict[str, Iterable[Mapping[str, Any]]] = {
        **{name.replace("gates", "activations"): shown.rows() for name, shown in gates.items()},
        "gradient_flow": flowing.rows(),
        "importance": [{"metric": i.metric, **row} for i in mattered for row in i.rows],
    }  # fmt: skip
    saturated: list[dict[str, Any]] = []
    if shares:
        figures["saturation"] = SaturationDisplay(shares)
        saturated = figures["saturation"].table()
        tables["saturation"] = _by_unit(shares)
    if mattered:
        figures["importance"] = ImportanceDisplay(mattered[0])
    attribution = None
    if getattr(estimator, "_of_numbers", False):
        notes.append("no attribution: the numbers of a next step are told by a mixture")
    else:
        attribution = attribute(estimator, X, one)
        figures["attribution"] = AttributionDisplay(attribution)
        tables["attribution"] = attribution.rows()
    lines_of = [_faded(line) for line in flowing.lines]
    document: dict[str, Any] = {
        "run": str(run), "series": str(found.ids[found.row_of(one, "explain")]), "layer": layer,
        "direction": direction, "member": member, "channel": channel, "saturation": saturated,
        "gradient": lines_of,
        "importance": [asdict(one) for one in mattered],
        "attribution": None if attribution is None else {
            "of": attribution.what, "answer": attribution.answer, "baseline": attribution.baseline,
            "by_feature": {name: float(v.sum()) for name, v in attribution.values.items()},
        },
        "notes": notes,
    }  # fmt: skip
    folder = Path(f"{path.resolve().name}-explained") if output is None else output
    document["files"] = _written(folder, figures, tables, document)
    lines = [*_table(document, mattered), *(f"note: {note}" for note in notes), f"{folder}"]
    return Result(document, lines, None, estimator)


def _gates(
    found: Inspected, series: Any, layer: int, direction: str, channel: str
) -> dict[str, GateDisplay]:
    """Return the gates of a layer, and of a decoder that goes on over the horizon."""
    shown = {"gates": GateDisplay.from_inspected(found, series, layer, direction, channel)}
    alone = found.take(np.array([found.row_of(series, "explain")]))
    goes_on = any(one.direction == "ahead" for one in recurrences(alone.native(), alone.inputs))
    if direction == "forward" and goes_on:
        ahead = GateDisplay.from_inspected(found, series, layer, "ahead", channel)
        shown["gates_ahead"] = ahead
    return shown


def _looked_at(flow: Any, estimator: Any, parts: Any) -> tuple[Any, Any]:
    """Return the test part, or what stands for it, as the estimator takes it."""
    if flow.task.name == "forecasting":
        return _tail(estimator, parts), None
    name = next(
        (name for name in ("test", "validation") if getattr(parts, name) is not None), "train"
    )
    part = getattr(parts, name)
    if flow.task.name == "tagging":
        return part, None
    classes = getattr(estimator, "classes_", None)
    y = part.y if classes is None else labels_like(part.y, classes)
    return replace(part, y=None), y


def _tail(estimator: Any, parts: Any) -> Any:
    """Return the test part of every series with the window before it; of a file all of it."""
    reading = parts.test
    if parts.train is None:
        return reading
    before = np.maximum(parts.train.panel.lengths - max(estimator._contexts), 0)
    return replace(reading, panel=reading.panel.rows(before, reading.panel.lengths))


def _by_unit(shares: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in shares:
        for unit, (below, above) in enumerate(zip(row["below"], row["above"], strict=True)):
            yield {**row, "unit": unit, "below": float(below), "above": float(above)}


def _faded(line: Any) -> dict[str, Any]:
    """Return how the gradient of a layer is at both ends."""
    first, last = float(line.norms[0]), float(line.norms[-1])
    return {"layer": line.layer, "direction": line.direction, "first": first, "last": last}


def _written(
    folder: Path,
    figures: Mapping[str, Any],
    tables: Mapping[str, Iterable[Mapping[str, Any]]],
    document: dict[str, Any],
) -> list[str]:
    """Write pictures, tables and the document; return the names of the files."""
    try:
        files = save_displays(folder, figures)
        for name, rows in tables.items():
            text, writer = io.StringIO(), None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(text, list(row), lineterminator="\n")
                    writer.writeheader()
                writer.writerow(row)
            files.append(folder / f"{name}.csv")
            files[-1].write_text(text.getvalue(), encoding="utf-8", errors="backslashreplace")
        files.append(folder / "explain.json")
        names = [file.name for file in files]
        content = json.dumps({**document, "files": names}, indent=1, ensure_ascii=False)
        files[-1].write_text(f"{content}\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror or error}.") from error
    return names


def _table(document: Mapping[str, Any], mattered: Sequence[Importance]) -> list[str]:
    """Return the numbers for people, a line each."""
    lines = []
    for row in document["saturation"]:
        lines.append(
            f"layer {row['layer']} {row['direction']:<8} gate {row['gate']}: "
            f"{row['below']:.0%} of steps below 0.1, {row['above']:.0%} above 0.9"
        )
    for row in document["gradient"]:
        lines.append(
            f"layer {row['layer']} {row['direction']:<8} dL/dh: {row['first']:.2g} at the first "
            f"step, {row['last']:.2g} at the last"
        )
    if mattered:
        first = mattered[0]
        lines.append(f"{first.metric} {number(first.score)}; how much worse without:")
        for row in sorted(first.rows, key=lambda row: -row["mean"])[:SHOWN]:
            lines.append(f"  {row['name']}: {number(row['mean'])} ± {number(row['spread'])}")
    if (of := document["attribution"]) is not None:
        lines.append(
            f"series {document['series']}: {of['of']} {number(of['answer'])}, "
            f"{number(of['baseline'])} at the baseline"
        )
        by_size = sorted(of["by_feature"].items(), key=lambda pair: -abs(pair[1]))
        lines += [f"  {name}: {value:+.4g}" for name, value in by_size[:SHOWN]]
    return lines
