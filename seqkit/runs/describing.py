"""What is in the data: sizes, gaps, classes, duplicates, far values, leaks, and what to do.

The data are read as a fit reads them, by the recipe that is given or by the one `seqkit init` would
write; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.describing import (
    RUN,
    ColumnFacts,
    SeriesPart,
    column_facts,
    duplicates,
    overlap_in_time,
    shared_runs,
)
from seqkit.data.readers import read_frame
from seqkit.errors import DataError, RecipeError
from seqkit.recipe.init import look_at, recipe_text
from seqkit.recipe.positions import parse, plain
from seqkit.recipe.reading import read_recipe
from seqkit.runs.flows import flow_of

if TYPE_CHECKING:
    from seqkit.data.summaries import DataSummary, Wanted
    from seqkit.recipe.reading import Resolved

__all__ = ["Description", "describe_data", "describe_recipe"]

NAMED = 5  # series that are named in a finding
OF_TRAINING = ("auto:", "evaluate.")  # notes that say nothing of the data
RARE = 0.5  # of a fair share: a class with less is called rare, as `seqkit init` does


@dataclass(frozen=True)
class Description:
    """What was found.

    Attributes
    ----------
    document : dict
        In JSON's types: ``data``, ``task``, ``facts``, ``parts``, ``columns``, ``classes`` and
        ``findings``, each of which says ``what`` there is and what to ``try``.
    """

    document: dict[str, Any]

    def print(self) -> None:
        """Print it as tables that fit the terminal."""
        from seqkit.report.description import print_description

        print_description(self.document)


def describe_data(data: str, wanted: Wanted) -> Description:
    """Describe a file, or an embedded set by its name.

    Parameters
    ----------
    data : str
    wanted : Wanted
        What the user says of it, in place of guesses.

    Raises
    ------
    seqkit.errors.DataError
        If the file cannot be read at all.
    """
    look = look_at(data, wanted)
    facts = _facts(look)
    notes = [_finding("note", note) for note in look.notes]
    try:
        text = recipe_text(look, Path("recipe.yaml"))
        settings = plain(parse(text, "recipe"))
        others = [name for name in look.features if name != look.target]
        if (
            look.task == "forecasting" and others and look.layout == "long"
        ):  # a recipe leaves them out at first
            settings["data"]["past_covariates"] = others
        described = describe_recipe(read_recipe(settings)).document
    except (DataError, RecipeError) as error:
        problem = _finding("cannot be learned from yet", str(error))
        empty: dict[str, Any] = {"parts": [], "columns": [], "classes": {}}
        document = {"data": data, "task": look.task, "facts": facts, **empty,
                    "findings": [problem, *notes, *_table_findings(look)]}  # fmt: skip
        return Description(document)
    if look.n_missing:
        said = f"{look.n_missing} values are missing"
        notes.append(_finding("missing", said, "data.missing: interpolate, or indicator"))
    findings = [*notes, *_table_findings(look), *described["findings"]]
    facts |= {name: value for name, value in described["facts"].items() if name == "stamps"}
    return Description(described | {"data": data, "facts": facts, "findings": findings})


def describe_recipe(resolved: Resolved) -> Description:
    """Describe the data of a recipe, in its parts, even where values are missing that must not.

    Parameters
    ----------
    resolved : Resolved
    """
    try:
        return _described(resolved)
    except DataError as error:
        recipe: Any = resolved.recipe
        if recipe.data.missing != "error":
            raise
        data = recipe.data.model_copy(update={"missing": "interpolate"})
        filled = replace(resolved, recipe=recipe.model_copy(update={"data": data}))
        try:
            found = _described(filled).document
        except DataError:
            raise error from None
        problem = _finding("cannot be learned from yet", str(error))
        return Description(found | {"findings": [problem, *found["findings"]]})


def _described(resolved: Resolved) -> Description:
    flow = flow_of(resolved)
    loaded = flow.load()
    forecasting = flow.task.target == "series"
    parts = [_rows_part(loaded.test)] if forecasting else list(_series_parts(loaded))
    columns = column_facts(_joined(parts), each=forecasting)
    facts = {name: str(value) for name, value in flow.describe(loaded).items()}
    sizes = [_sizes(part) for part in parts]
    stamps = [f"{size['part']} {size['from']} to {size['to']}" for size in sizes if "from" in size]
    if stamps:
        facts["stamps"] = "; ".join(stamps)
    findings = [
        *_column_findings(columns, forecasting),
        *_gap_findings(loaded.test if forecasting else None),
        *_duplicate_findings(parts),
        *_leak_findings({part.name: part for part in parts}),
        *(_class_findings(parts) if flow.task.target == "label" else ()),
        *(_finding("test part unlike the training part", line) for line in loaded.unlike),
        *(_finding("note", line) for line in loaded.notes if not line.startswith(OF_TRAINING)),
    ]
    classes = _classes(parts) if flow.task.target == "label" else {}
    return Description(
        {
            "data": flow.named(flow.recipe.data.path or flow.recipe.data.dataset),
            "task": flow.recipe.task,
            "facts": facts,
            "parts": sizes,
            "columns": [_plain(facts) for facts in columns],
            "classes": classes,
            "findings": findings,
        }
    )


# what was read --------------------------------------------------------------------------------


def _facts(look: DataSummary) -> dict[str, str]:
    """Return what the columns seem to be, each with its reason."""
    facts = {}
    for name in ("task", "layout", "target", "time", "frequency", "series_id", "season"):
        value, why = getattr(look, name), look.reasons.get(name, "")
        if value is not None:
            why = why.removeprefix(f"{value}: ")
            facts[name] = f"{value}  ({why})" if why else f"{value}"
    return facts


def _series_parts(loaded: Any) -> Iterator[SeriesPart]:
    for name in ("train", "validation", "test"):
        part = getattr(loaded, name)
        if part is not None:
            ids = range(len(part)) if part.ids is None else part.ids.tolist()
            yield SeriesPart(
                name, part.values, part.offsets, part.features, ids, part.y, part.times
            )


def _rows_part(reading: Any) -> SeriesPart:
    rows = reading.rows
    names = tuple(map(str, rows.columns.series))
    absent = 0 if rows.added is None else int(rows.added.sum())
    return SeriesPart(
        "data", rows.values, rows.offsets, names, rows.ids.tolist(), None, rows.times, absent
    )


def _joined(parts: list[SeriesPart]) -> SeriesPart:
    """Return the series of all parts as one."""
    values = np.concatenate([part.values for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    ids = [name for part in parts for name in part.ids]
    absent = sum(part.absent for part in parts)
    offsets = np.r_[0, np.cumsum(lengths)]
    return SeriesPart("data", values, offsets, parts[0].features, ids, absent=absent)


def _sizes(part: SeriesPart) -> dict[str, Any]:
    lengths = part.lengths
    sizes = {
        "part": part.name,
        "rows": int(lengths.sum()) - part.absent,
        "absent": part.absent,
        "series": len(lengths),
        "shortest": int(lengths.min()),
        "median": int(np.median(lengths)),
        "longest": int(lengths.max()),
    }
    if part.times is not None:
        sizes |= {"from": _stamp(part.times.min()), "to": _stamp(part.times.max())}
    return sizes


def _stamp(stamp: Any) -> str:
    return str(stamp).removesuffix(".000000").removesuffix("T00:00:00")


def _plain(facts: ColumnFacts) -> dict[str, Any]:
    numbers = {"low": facts.low, "median": facts.middle, "high": facts.high}
    return {
        "column": facts.name,
        "missing": facts.missing,
        "distinct": facts.distinct,
        **{name: float(value) if np.isfinite(value) else None for name, value in numbers.items()},
        "far out": facts.outliers,
    }


def _classes(parts: list[SeriesPart]) -> dict[str, dict[str, int]]:
    """Return how many series of each class every part holds."""
    labels = sorted({str(label) for part in parts for label in np.asarray(part.y).tolist()})
    counts = {part.name: [str(label) for label in np.asarray(part.y).tolist()] for part in parts}
    return {
        label: {name: values.count(label) for name, values in counts.items()} for label in labels
    }


# findings -------------------------------------------------------------------------------------


def _finding(kind: str, what: str, advice: str = "") -> dict[str, str]:
    return {"kind": kind, "what": what, "try": advice}


def _some(names: list[Any]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(str, names[:NAMED])) + more


def _table_findings(look: DataSummary) -> Iterator[dict[str, str]]:
    """Look at rows as they stand in a file."""
    if look.layout not in ("long", "columns", "files") or look.label_from or not look.files:
        return
    layout = "files" if look.layout == "files" else "long"
    again = int(read_frame(look.files, layout=layout).duplicated().sum())
    if again:
        said = f"{again} rows are the same as an earlier one in every column"
        yield _finding("duplicate rows", said, "leave them out of the file")


def _column_findings(columns: list[ColumnFacts], each: bool) -> Iterator[dict[str, str]]:
    constant = [facts.name for facts in columns if facts.constant]
    if constant:
        say = "leave them out: data.features" if not each else "leave them out of the covariates"
        yield _finding("constant columns", f"{_some(constant)}: nothing is learned from them", say)
    far = sorted((f for f in columns if f.outliers), key=lambda facts: -facts.outliers)
    for facts in far[:NAMED]:
        said = f"{facts.name}: {facts.outliers} are far out; the farthest is {facts.worst}"
        advice = "an empty cell, if it stands for a missing value; else model.scale: robust"
        yield _finding("far values", said, advice)
    if len(far) > NAMED:
        yield _finding("far values", f"{len(far) - NAMED} more columns have some")


def _gap_findings(reading: Any) -> Iterator[dict[str, str]]:
    if reading is None or reading.rows.added is None:
        return
    rows, absent = reading.rows, reading.rows.added
    gappy = np.flatnonzero(absent > 0)
    if len(gappy):
        names = _some([rows.ids[i] for i in gappy])
        said = (
            f"{int(absent[gappy].sum())} time stamps are absent between the first and the last, in "
            f"{len(gappy)} series: {names}; they are no rows, and count as steps of the series"
        )
        yield _finding("gaps", said, "data.missing: interpolate, or indicator")


def _duplicate_findings(parts: list[SeriesPart]) -> Iterator[dict[str, str]]:
    for part in parts:
        groups = duplicates([part])
        if groups:
            again = sum(map(len, groups)) - len(groups)
            first = " = ".join(str(name) for _, name in groups[0][:NAMED])
            said = f"{again} series of the {part.name} part are the same as another: {first}"
            yield _finding("duplicate series", said, "keep one of each")


def _leak_findings(parts: dict[str, SeriesPart]) -> Iterator[dict[str, str]]:
    """Look for what the training part knows of the parts that are to judge it."""
    if "train" not in parts:
        return
    train = parts["train"]
    for name in ("validation", "test"):
        if name not in parts:
            continue
        part = parts[name]
        groups = duplicates([train, part])
        both = [group for group in groups if len({whose for whose, _ in group}) == 2]
        twice = [series for group in both for whose, series in group if whose == name]
        if twice:
            said = f"{len(twice)} series of the {name} part are in the training part, too: "
            said += _some(twice)
            yield _finding("leak", said, "keep each series in one part")
        shared = [n for n in shared_runs(train, part) if n not in set(twice)]
        if shared:
            said = (
                f"{len(shared)} series of the {name} part share {RUN} steps in a row or more with "
                f"a training series: {_some(shared)}"
            )
            advice = "windows of one recording belong in one part: data.split.method: group"
            yield _finding("leak", said, advice)
        overlap = overlap_in_time(train, part)
        if overlap is not None:
            end, begin = map(_stamp, overlap)
            said = f"the training part ends {end}, after the {name} part begins, {begin}"
            advice = "if what is to be predicted lies in the future: data.split.method: time"
            yield _finding("overlap in time", said, advice)


def _class_findings(parts: list[SeriesPart]) -> Iterator[dict[str, str]]:
    classes = _classes(parts)
    train = {label: counts.get("train", 0) for label, counts in classes.items()}
    fair = sum(train.values()) / max(len(train), 1)
    rare = {label: n for label, n in train.items() if n < RARE * fair}
    if rare:
        said = "rare classes of the training part: " + _some(
            [f"{label} ({n})" for label, n in sorted(rare.items(), key=lambda item: item[1])]
        )
        yield _finding("class balance", said, "train.class_weight: balanced")
