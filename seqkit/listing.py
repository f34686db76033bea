"""What there is to choose from: the tables of seqkit, read for ``seqkit list``.

Each row of :data:`LISTS` says how to read one table; nothing is imported before it is needed.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from seqkit.errors import RecipeError, explain, suggest

__all__ = ["LISTS", "RUNS", "Listing", "list_table", "list_text"]

WIDEST = 96  # columns of text: longer lines are hard to read

RUNS = "runs"
"""What :mod:`seqkit.runs.catalog` lists."""

Table = list[dict[str, Any]]


@dataclass(frozen=True)
class Listing:
    """One row of :data:`LISTS`.

    Attributes
    ----------
    summary : str
        What the table holds.
    rows : callable
        Returns the rows, each a dict of texts whose first two are the name and a summary.
    """

    summary: str
    rows: Callable[[], Table]


def _rows(table: Iterable[Any], **columns: str) -> Table:
    """Return rows of dataclasses as dicts: column = attribute."""
    return [{name: _text(getattr(row, attribute)) for name, attribute in columns.items()}
            for row in table]  # fmt: skip


def _text(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return value


def _tasks() -> Table:
    from seqkit.tasks import TASKS

    return _rows(
        TASKS.values(), name="name", summary="summary", loss="loss", losses="losses",
        metrics="metrics", baselines="baselines",
    )  # fmt: skip


def _cells() -> Table:
    from seqkit.cells import ALIASES, CELLS

    rows = _rows(CELLS.values(), name="name", summary="title", about="history", source="citation")
    return [*rows, *({"name": n, "summary": f"Another name of {of}"} for n, of in ALIASES.items())]


def _datasets() -> Table:
    from seqkit.data.embedded import DATASETS

    return _rows(
        DATASETS.values(), name="name", summary="shape", task="task", source="source", terms="terms"
    )


def _readers() -> Table:
    from seqkit.data.readers import READERS

    return _rows(READERS.values(), name="ending", summary="description", settings="roles")


def _splits() -> Table:
    from seqkit.data.splits import SPLITS

    return [{"name": name, "summary": _summary(row)} for name, row in SPLITS.items()]


def _missing() -> Table:
    from seqkit.data.missing import MISSING

    return [{"name": name, "summary": text} for name, text in MISSING.items()]


def _metrics() -> Table:
    from seqkit.evaluation.metrics import METRICS

    rows = _rows(METRICS.values(), name="name", summary="title", tasks="tasks", source="source")
    return _of_known_tasks(rows)


def _baselines() -> Table:
    from seqkit.evaluation.baselines import BASELINES

    rows = _rows(
        BASELINES.values(), name="name", summary="summary", tasks="tasks", source="source",
        extra="extra",
    )  # fmt: skip
    rows = _of_known_tasks(rows)
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _of_known_tasks(rows: Table) -> Table:
    """Name only tasks that a recipe may have: scores are ready for more."""
    from seqkit.tasks import TASKS

    return [
        {**row, "tasks": ", ".join(t for t in row["tasks"].split(", ") if t in TASKS)}
        for row in rows
    ]


def _findings() -> Table:
    from seqkit.evaluation.findings import FINDINGS

    return _rows(
        FINDINGS.values(), name="code", summary="title", severity="severity", meaning="meaning",
        threshold="threshold", mend="mend", ignore="ignore",
    )  # fmt: skip


def _exports() -> Table:
    from seqkit.exports import EXPORTS

    return _rows(EXPORTS.values(), name="name", summary="summary")


def _trackers() -> Table:
    from seqkit.recipe.sections import TRACKERS

    return [{"name": name, "summary": text} for name, text in TRACKERS.items()]


def _summary(row: Any) -> str:
    """Return the summary of a table's row, or the first line of what a function says of itself."""
    if isinstance(row, str):
        return row
    text = getattr(row, "summary", None) or getattr(row, "description", None) or row.__doc__
    return str(text).strip().splitlines()[0].rstrip(".")


LISTS: dict[str, Listing] = {
    "tasks": Listing("what a model can learn", _tasks),
    "cells": Listing("recurrent cells: model.cell", _cells),
    "datasets": Listing("embedded data sets: data.dataset", _datasets),
    "readers": Listing("file formats, by ending: data.path", _readers),
    "splits": Listing("ways to divide series into parts: data.split.method", _splits),
    "missing": Listing("what becomes of missing values: data.missing", _missing),
    "metrics": Listing("scores: evaluate.metrics", _metrics),
    "baselines": Listing("simple methods beside the model: evaluate.baselines", _baselines),
    "findings": Listing("what checks of data and runs find", _findings),
    "exports": Listing("formats of the trained model: export", _exports),
    "trackers": Listing("who is told of a run: track", _trackers),
}


def list_table(what: str | None = None) -> dict[str, Table]:
    """Return a table's rows, or what tables there are.

    Parameters
    ----------
    what : str, optional
        A key of :data:`LISTS`.

    Raises
    ------
    seqkit.errors.RecipeError
        If there is no such table; names the nearest.

    Examples
    --------
    >>> [row["name"] for row in list_table("tasks")["tasks"]]
    ['classification', 'regression', 'tagging', 'forecasting']
    """
    if what is None:
        rows = [{"name": name, "summary": entry.summary} for name, entry in LISTS.items()]
        return {"lists": [*rows, {"name": RUNS, "summary": "run folders, and what they scored"}]}
    if what not in LISTS:
        known = (*LISTS, RUNS)
        near = suggest(what, known)
        hint = near[:1].upper() + near[1:]
        raise RecipeError(explain("list", "the table", f"one of {', '.join(known)}", what, hint))
    return {what: LISTS[what].rows()}


def list_text(what: str | None = None) -> str:
    """Return a table as text: a name and a summary a line, the rest below.

    Examples
    --------
    >>> print(list_text("missing").splitlines()[0])
    error        NaN is an error that names the first series and step
    """
    ((_, rows),) = list_table(what).items()
    names = [row["name"] for row in rows]
    width = max(map(len, names)) + 2
    lines = []
    for row in rows:
        rest = dict(row)
        lines += _wrapped(f"{rest.pop('name'):<{width}}", rest.pop("summary"), width)
        for key, value in rest.items():
            lines += _wrapped(f"{'':<{width}}{key}: ", value, width + 2)
    return "\n".join(lines)


def _width() -> int:
    """Return the columns of the terminal, of 80 where there is none."""
    return min(WIDEST, max(shutil.get_terminal_size().columns, 40))


def _wrapped(start: str, text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        str(text), _width(), initial_indent=start, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    ) or [start.rstrip()]  # fmt: skip
