"""A description of data as tables in a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from seqkit.errors import DataError
from seqkit.evaluation.verdict import number
from seqkit.report.html import rendered
from seqkit.system.console import rich_console, say, wrapped

__all__ = ["print_description", "write_page"]

LEAST = (
    "distinct",
    "rows",
    "low",
    "high",
    "shortest",
    "absent",
)  # columns a narrow terminal goes without
MOST_ROWS = 30  # of a table: more columns, or classes, are in the document


def tables(document: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return the tables of a description: a title, the columns and the rows of each."""
    shown = []
    parts = document["parts"]
    if parts:
        names = [name for name in parts[0] if name not in ("from", "to")]
        if not any(part["absent"] for part in parts):
            names.remove("absent")
        rows = [[_cell(part[name]) for name in names] for part in parts]
        shown.append(("parts", names, rows))
    classes = document["classes"]
    if classes:
        names = list(next(iter(classes.values())))
        rows = [
            [label, *(str(counts[name]) for name in names)] for label, counts in classes.items()
        ]
        shown.append(("series of each class", ["class", *names], rows))
    columns = document["columns"]
    if columns:
        names = list(columns[0])
        rows = [[_cell(column[name]) for name in names] for column in columns]
        shown.append(("columns", names, rows))
    return [
        (f"{title} (the first {MOST_ROWS} of {len(rows)})" if len(rows) > MOST_ROWS else title,
         names, rows[:MOST_ROWS])
        for title, names, rows in shown
    ]  # fmt: skip


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, float) or value is None else str(value)


def print_description(document: Mapping[str, Any]) -> None:
    """Print a description, in the width of the terminal."""
    console = rich_console()
    title = f"{document['data']}: {document['task'] or 'no task yet'}"
    say(wrapped(title, console.width, hang="  "))
    for name, value in document["facts"].items():
        say(wrapped(f"{name}: {value}", console.width, "  "))
    for title, names, rows in tables(document):
        kept = _fitting(names, rows, console.width)
        table = Table(title=title, title_justify="left", caption_justify="left")
        if len(kept) < len(names):
            hidden = [name for j, name in enumerate(names) if j not in kept]
            table.caption = f"too narrow for: {', '.join(hidden)}; --json has all"
        for j in kept:
            table.add_column(names[j], justify="right" if j else "left", overflow="fold")
        for row in rows:
            table.add_row(*(row[j] for j in kept))
        console.print(table)
    findings = document["findings"]
    if not findings:
        say("nothing was found that stands in the way")
    for finding in findings:
        code = f"{finding['code']} " if "code" in finding else ""
        say(wrapped(f"{code}{finding['title']}: {finding['sentence']}", console.width))
        if finding["mend"]:
            say(wrapped(f"try {finding['mend']}", console.width, "  "))


def _fitting(names: list[str], rows: list[list[str]], width: int) -> list[int]:
    """Return the columns that fit without a number being broken: the first, and those after it."""
    room = [
        3 + max(map(len, [*names[j].split(), *((row[j] for row in rows) if j else ())]))
        for j in range(len(names))
    ]
    room[0] = 3 + min(max(len(row[0]) for row in rows), max(width // 4, 8))  # a name may be folded
    kept = list(range(len(names)))
    for name in LEAST:
        if sum(room[j] for j in kept) + 1 > width and name in names:
            kept.remove(names.index(name))
    return kept


def write_page(document: Mapping[str, Any], path: Path) -> Path:
    """Write a description as one page, readable offline.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    page = rendered(
        "description.html", document=document, tables=tables(document), name=document["data"]
    )
    try:
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}.") from error
    return path
