"""Lists of the recipe's fields for the guide, read from the schema.

``python -m seqkit.recipe.reference docs/recipe.md`` writes the lists again, each between the
marks ``<!-- fields: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from seqkit.recipe.field_errors import whole
from seqkit.recipe.optimizers import OPTIMIZERS
from seqkit.recipe.schema import RECIPES, leaves
from seqkit.recipe.types import bounds, listing, phrase
from seqkit.recipe.writing import flow

__all__ = ["field_list", "update"]

_MARKS = re.compile(r"(<!-- fields: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def field_list(section: str) -> str:
    """Return the fields of a section, or the options of all optimizers, as a table in Markdown.

    Parameters
    ----------
    section : str
        One of the sections, ``recipe`` for what stands outside them, or ``optimizers``.

    Returns
    -------
    str
        A row a field; where the tasks differ, a row for each that says which.
    """
    if section == "optimizers":
        return _optimizer_list()
    rows: dict[tuple[str, ...], list[str]] = {}
    for task, kind in RECIPES.items():
        for path, field in leaves(kind).items():
            head, _, name = path.partition(".")
            if (head if name else "recipe") == section and path != "task":
                rows.setdefault((name or head, *_cells(field)), []).append(task)
    order = list(dict.fromkeys(row[0] for row in rows))
    lines = ["| field | default | value | meaning |", "|---|---|---|---|"]
    for name, default, value, meaning in sorted(rows, key=lambda row: order.index(row[0])):
        tasks = rows[name, default, value, meaning]
        only = f"*{listing(tasks, 'and')}:* " if len(tasks) < len(RECIPES) else ""
        if section == "forecast":  # a section of one task says so in its heading
            only = ""
        lines.append(f"| `{name}` | {default} | {value} | {only}{meaning} |")
    return "\n".join(lines)


def _optimizer_list() -> str:
    """Return the options of all optimizers as a table, a row an option."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for optimizer, kind in OPTIMIZERS.items():
        for name, field in kind.model_fields.items():
            if name != "name":
                rows.setdefault((name, *_cells(field)), []).append(optimizer)
    lines = ["| option | of | default | value | meaning |", "|---|---|---|---|---|"]
    for (name, default, value, meaning), owners in sorted(rows.items()):
        lines.append(f"| `{name}` | {', '.join(owners)} | {default} | {value} | {meaning} |")
    return "\n".join(lines)


def _cells(field: FieldInfo) -> tuple[str, str, str]:
    if field.is_required():
        default = "required"
    else:
        default = f"`{flow(field.get_default(call_default_factory=True))}`"
    extra = field.json_schema_extra
    unit = extra.get("x-unit") if isinstance(extra, dict) else None
    words = phrase(whole(field)) + (f", in {unit}" if unit else "")
    if most := bounds(whole(field)):
        words += f" ({most})"
    return default, words.replace("|", "\\|"), str(field.description).replace("|", "\\|")


def update(text: str) -> str:
    r"""Return the guide with every list written again.

    Examples
    --------
    >>> update("<!-- fields: forecast -->\n<!-- end -->").splitlines()[1]
    '| field | default | value | meaning |'
    """
    return _MARKS.sub(lambda m: f"{m[1]}{field_list(m[2])}\n{m[3]}", text)


def main(path: Path) -> None:
    """Write the lists of a guide again."""
    path.write_text(update(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
