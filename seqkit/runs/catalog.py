"""Finished runs as they lie in their folders: a table of them, what one holds, its page again."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import Any

from seqkit.errors import RecipeError, RunError
from seqkit.estimators.saving import WEIGHTS
from seqkit.evaluation.metrics import METRICS
from seqkit.evaluation.verdict import deciding, judge, number, sentences
from seqkit.recipe.reading import read_recipe
from seqkit.recipe.schema import RECIPES, leaves
from seqkit.recipe.writing import flow
from seqkit.runs.amending import rewritten
from seqkit.runs.finished import Result
from seqkit.runs.folder import PARTIAL, is_running, open_run, read_verified
from seqkit.system.console import rich_console, say_lines
from seqkit.system.documents import LARGEST_JSON, damaged, parse_json

__all__ = ["FinishedRun", "RunTable", "finished_run", "letters", "list_runs", "report", "show"]

LARGEST_TABLE = 1 << 31  # bytes of predictions
LARGEST_TEXT = 1 << 26
TOLD = ("python", "seqkit", "numpy", "numba", "scikit-learn", "pandas", "keras", "tensorflow")
"""Whose versions a person is told; --json has all."""
NARROW = 70  # columns of a terminal that has no room for a table
WORD = 9  # letters of the longest word of scores and verdicts
WIDE = 100  # and for when a run began


def letters(n: int) -> list[str]:
    """Return names for so many things: A, B, ... Z, AA, AB, ...

    Examples
    --------
    >>> letters(28)[-3:]
    ['Z', 'AA', 'AB']
    """
    known = string.ascii_uppercase
    return list(islice((*known, *map("".join, product(known, known))), n))


@dataclass(frozen=True)
class FinishedRun:
    """A complete run folder; its files are read when they are asked for, and checked.

    Attributes
    ----------
    path : pathlib.Path
    record : dict
        Of ``run.json``.
    """

    path: Path
    record: dict[str, Any]

    @property
    def task(self) -> str:
        """The task of the run."""
        return str(self.summary["task"])

    def read(self, name: str, most: int = LARGEST_TABLE) -> bytes:
        """Return a file of the run as the run has left it."""
        if not (self.path / name).is_file():
            raise RunError(f"{self.path}: the run has no {name}, as one made by this version has. "
                           "Fit again.")  # fmt: skip
        return read_verified(self.path, self.record, name, most)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The scores: ``metrics.json``."""
        try:
            found: dict[str, Any] = parse_json(self.read("metrics.json", LARGEST_JSON))
            _ = found["task"], found["parts"], found["n"]
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, RunError):
                raise
            raise damaged(self.path / "metrics.json", error) from error
        return found

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every setting by its dotted path, all of them filled."""
        file = self.path / "recipe.resolved.yaml"
        self.read(file.name, LARGEST_TEXT)
        try:
            resolved = read_recipe(file)
        except RecipeError as error:
            raise damaged(file, error) from error
        return {path: entry["value"] for path, entry in resolved.as_dict().items()}

    @cached_property
    def history(self) -> dict[str, list[float]]:
        """A list of numbers, one an epoch, of every curve of ``history.csv``."""
        if not (self.path / "history.csv").is_file():
            return {}
        from seqkit.report.page import read_history

        text = self.read("history.csv", LARGEST_TEXT).decode("utf-8", "replace")
        try:
            found = read_history(text, None)
        except (ValueError, TypeError) as error:
            raise damaged(self.path / "history.csv", error) from error
        curves: dict[str, list[float | None]] = {} if found is None else found["curves"]
        return {
            name: [math.nan if value is None else value for value in curve]
            for name, curve in curves.items()
        }

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights."""
        return (self.path / WEIGHTS[self.record["format"]]).stat().st_size


def finished_run(path: Path) -> FinishedRun:
    """Return a complete run.

    Raises
    ------
    RunError
        If it is none, or damaged.
    """
    return FinishedRun(path, open_run(path))


# a table of runs ------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunTable:
    """The runs of a folder.

    Attributes
    ----------
    document : dict
        ``runs``: of each its name, task, status, when it began, metric, score and verdict.
    """

    document: dict[str, Any]

    def print(self) -> None:
        """Print a row a run, in the width of the terminal."""
        from rich.table import Table

        runs = self.document["runs"]
        if not runs:
            say_lines([f"{self.document['folder']}: there are no runs"])
            return
        console = rich_console()
        if console.width < NARROW:
            say_lines(_in_lines(run) for run in runs)
            return
        table = Table()
        taken = sum(max(len(str(run[name] or "")) for run in runs)
                    for name in ("name", "task", "status"))  # fmt: skip
        whole = console.width - taken - 16 >= 2 * WORD
        table.add_column("run", overflow="fold", no_wrap=whole)
        columns = ["task", "status", *(["began"] if console.width >= WIDE else [])]
        for name in columns:
            table.add_column(name, overflow="fold", no_wrap=True)
        table.add_column("score", justify="right", min_width=WORD, overflow="fold")
        table.add_column("verdict", min_width=WORD, overflow="fold")
        for run in runs:
            score = _scored(run)
            began = str(run["started"] or "")[:16].replace("T", " ")
            cells = [run["task"], run["status"], *([began] if "began" in columns else [])]
            row = [run["name"], *cells, score, run["verdict"] or ""]
            table.add_row(*(_literal(cell) for cell in row))
        console.print(table)


def _scored(run: Mapping[str, Any]) -> str:
    return "" if run["metric"] is None else f"{run['metric']} {number(run['score'])}"


def _in_lines(run: Mapping[str, Any]) -> str:
    """Return a run as a sentence, where there is no room for columns."""
    told = (run["task"], run["status"], _scored(run), run["verdict"])
    return f"{run['name']}: {', '.join(str(one) for one in told if one)}"


def _literal(text: Any) -> Any:
    from rich.text import Text

    return Text(str(text or ""))


def list_runs(folder: Path) -> RunTable:
    """Return what runs a folder holds, the newest last, finished or not.

    Raises
    ------
    RunError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such folder. Name the one that runs are made in.")
    found = sorted(path.parent for path in folder.glob("*/run.json"))
    return RunTable({"folder": str(folder), "runs": [_row(path) for path in found]})


def _row(path: Path) -> dict[str, Any]:
    """Return what a table says of a run; of a damaged one that it is."""
    row: dict[str, Any] = {
        "name": path.name.removesuffix(PARTIAL), "path": str(path), "task": None,
        "status": "damaged", "started": None, "seconds": None, "metric": None, "score": None,
        "verdict": None, "error": None,
    }  # fmt: skip
    try:
        record = open_run(path, whole=False)
        row |= {name: record.get(name) for name in ("task", "started", "seconds")}
        row["status"] = _status(path, record)
        if row["status"] == "complete":
            summary = FinishedRun(path, open_run(path)).summary
            row |= _outcome(summary)
    except RunError as error:  # the others are listed all the same
        row |= {"status": "damaged", "error": str(error)}
    return row


def _status(path: Path, record: Mapping[str, Any]) -> str:
    status = str(record["status"])
    if path.name.endswith(PARTIAL) and is_running(path) is not True:
        return "interrupted"
    return "running" if path.name.endswith(PARTIAL) else status


def _outcome(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the score that decides, and whether it beats the best baseline."""
    parts = summary["parts"]
    part = "test" if "test" in parts else next(iter(parts), None)
    found: dict[str, Any] = {}
    if part is not None:
        scores = parts[part]["model"]
        known = [m for m in deciding(parts[part], summary["n"][part]) if scores[m] is not None]
        if known:
            title = METRICS[known[0]].title if known[0] in METRICS else known[0]
            found = {"metric": title, "score": scores[known[0]]}
    verdict = summary["verdict"] if "verdict" in summary else judge(summary)
    if verdict is not None:
        found["verdict"] = f"{'beats' if verdict['better'] else 'does not beat'} {verdict['rival']}"
    return found


# one run --------------------------------------------------------------------------------------


@dataclass
class _Shown(Result):
    """A run with its scores, findings, and how it was made."""

    made: list[str] = field(default_factory=list)

    def print(self) -> None:
        """Print scores, verdict and findings, then how the run was made."""
        super().print()
        say_lines(["", *self.made])


def show(run: Path) -> Result:
    """Return what a run scored, what was found in it, and how it was made.

    Raises
    ------
    seqkit.errors.RunError
        If it is not complete, or damaged.
    """
    opened = finished_run(run)
    record, summary = opened.record, opened.summary
    if "verdict" not in summary:  # of a run that was written before there were any
        summary = {**summary, "verdict": judge(summary)}
    findings = _findings(opened)
    changed = _changed(opened)
    document = {
        "run": str(run),
        "task": opened.task,
        **{name: record.get(name) for name in ("status", "started", "seconds", "recipe", "command",
                                               "seed", "timings", "versions", "host", "data",
                                               "start")},
        "weight_bytes": opened.weight_bytes,
        "metrics": summary,
        "verdict": sentences(summary["verdict"]) if summary["verdict"] else [],
        "findings": findings,
        "settings": changed,
    }  # fmt: skip
    return _Shown(document, scores=summary, made=_made(document))


def _findings(run: FinishedRun) -> list[dict[str, Any]]:
    """Return what was found in a run, as ``metrics.json`` keeps it."""
    found: list[dict[str, Any]] = run.summary.get("findings", [])
    return found


def _changed(run: FinishedRun) -> list[dict[str, Any]]:
    """Return the settings that are not their defaults, in the order of a recipe."""
    fields = leaves(RECIPES[run.task])
    rows = []
    for path, value in run.settings.items():
        field_ = fields[path]
        default = None if field_.is_required() else field_.get_default(call_default_factory=True)
        if value != default and path not in ("version", "task"):
            rows.append({"setting": path, "value": value, "default": default})
    return rows


def _made(document: Mapping[str, Any]) -> list[str]:
    """Say how a run was made, in lines."""
    timings = document["timings"] or {}
    spent = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in timings.items())
    known = document["versions"] or {}
    versions = ", ".join(f"{name} {known[name]}" for name in TOLD if name in known)
    told = {
        "run": document["run"],
        "task": document["task"],
        "began": document["started"],
        "took": spent or f"{document['seconds']} s",
        "command": document["command"],
        "recipe": document["recipe"],
        "seed": document["seed"],
        "start": (document["start"] or {}).get("path"),
        "weights": f"{document['weight_bytes']:,} bytes",
        "data": ", ".join(document["data"] or {}),
        "versions": versions,
    }
    lines = [f"{name}: {value}" for name, value in told.items() if value not in (None, "")]
    lines.append("settings that are not the defaults:")
    for row in document["settings"]:
        default = "" if row["default"] is None else f"  (default {flow(row['default'])})"
        lines.append(f"  {row['setting']}: {flow(row['value'])}{default}")
    return lines


def report(run: Path) -> Result:
    """Write ``report.html`` of a finished run again, from what its folder holds.

    Raises
    ------
    seqkit.errors.RunError
        If the run is not finished, damaged, or cannot be written.
    """
    from seqkit.report.html import write_report

    page = rewritten(run, write_report)
    return Result({"run": str(run), "report": str(page)}, [f"report: {page}"])
