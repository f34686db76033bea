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

from seqkit.data.describing import ColumnFacts, SeriesPart, column_facts
from seqkit.data.readers import ReadSettings, read_frame
from seqkit.errors import DataError, RecipeError
from seqkit.evaluation.findings import find_all
from seqkit.evaluation.findings.of_copies import stamp
from seqkit.recipe.init import look_at, recipe_text
from seqkit.recipe.positions import parse, plain
from seqkit.recipe.reading import read_recipe
from seqkit.runs.evidence import data_evidence, rows_part, series_parts
from seqkit.runs.flows import flow_of

if TYPE_CHECKING:
    from seqkit.data.summaries import DataSummary, Wanted
    from seqkit.recipe.reading import Resolved

__all__ = ["Description", "describe_data", "describe_recipe"]

OF_TRAINING = ("auto:", "evaluate.")  # notes that say nothing of the data


@dataclass(frozen=True)
class Description:
    """What was found.

    Attributes
    ----------
    document : dict
        In JSON's types: ``data``, ``task``, ``facts``, ``parts``, ``columns``, ``classes`` and
        ``findings``, each with ``title``, ``sentence`` and ``mend``; those of the table
        :data:`seqkit.evaluation.findings.FINDINGS` have ``code``, ``severity``, ``evidence`` and
        ``docs`` as well.
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
        settings.get("train", {}).pop("class_weight", None)  # the answer to what is to be said
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
    evidence, said = data_evidence(flow, loaded)
    parts = [rows_part(loaded.test)] if forecasting else list(series_parts(loaded))
    columns = column_facts(_joined(parts), each=forecasting)
    facts = {name: str(value) for name, value in flow.describe(loaded).items()}
    sizes = [_sizes(part) for part in parts]
    stamps = [f"{size['part']} {size['from']} to {size['to']}" for size in sizes if "from" in size]
    if stamps:
        facts["stamps"] = "; ".join(stamps)
    notes = [*said, *(line for line in loaded.notes if not line.startswith(OF_TRAINING))]
    findings = [
        *find_all(evidence),
        *(_finding("note", line) for line in notes),
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
        sizes |= {"from": stamp(part.times.min()), "to": stamp(part.times.max())}
    return sizes


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


def _finding(title: str, sentence: str, mend: str = "") -> dict[str, Any]:
    """Return what has no code: a note, and what stands in a file, as findings are."""
    return {"title": title, "sentence": sentence, "mend": mend}


def _table_findings(look: DataSummary) -> Iterator[dict[str, str]]:
    """Look at rows as they stand in a file."""
    if look.layout not in ("long", "columns", "files") or look.label_from or not look.files:
        return
    layout = "files" if look.layout == "files" else "long"
    settings = ReadSettings(decimal=look.decimal)
    again = int(read_frame(look.files, layout=layout, settings=settings).duplicated().sum())
    if again:
        said = f"{again} rows are the same as an earlier one in every column"
        yield _finding("duplicate rows", said, "leave them out of the file")
