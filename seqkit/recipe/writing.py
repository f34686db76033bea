"""A recipe as text: the resolved YAML, and the same with the origin of every value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from seqkit.recipe.schema import SECTIONS, Recipe

__all__ = ["Written", "annotated", "beside_defaults", "flow", "resolved_yaml"]

# Words that need no quotes; anything that could be read as something else gets them.
_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_RESERVED = {"null", "true", "false"}
ORDER = ("version", "task", "seed", *SECTIONS, "export", "track")


class Written(str):
    """Text that messages show as it is, without quotes around it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def flow(value: Any) -> Written:
    """Return a value as YAML on one line.

    Examples
    --------
    >>> flow({"a": [1, None, True], "no": "1e-3"})
    {a: [1, null, true], no: "1e-3"}
    """
    if value is None:
        return Written("null")
    if isinstance(value, bool):
        return Written(str(value).lower())
    if isinstance(value, (int, float)):
        return Written(_number(value))
    if isinstance(value, (list, tuple)):
        return Written(f"[{', '.join(map(flow, value))}]")
    if isinstance(value, Mapping):
        return Written("{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}")
    text = str(value)
    if _BARE.fullmatch(text) and text.lower() not in _RESERVED:
        return Written(text)
    quoted = json.dumps(text, ensure_ascii=False)
    return Written("".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted))


def _number(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    return repr(value)


def _lines(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each line and the dotted path of the value on it; sections have none."""
    indent = "  " * path.count(".")
    for key, value in values.items():
        if isinstance(value, Mapping) and key in (*SECTIONS, "split", "backtest"):
            yield f"{indent}{key}:", ""
            yield from _lines(value, f"{path}{key}.")
        else:
            yield f"{indent}{key}: {flow(value)}", path + key


def _ordered(recipe: Recipe) -> dict[str, Any]:
    values = recipe.model_dump()
    return {key: values[key] for key in ORDER if key in values}


def resolved_yaml(recipe: Recipe) -> str:
    """Return the whole recipe as YAML that can be run again."""
    return "".join(f"{line}\n" for line, _ in _lines(_ordered(recipe)))


def annotated(recipe: Recipe, origins: Mapping[str, str]) -> str:
    """Return the whole recipe as YAML with the origin of every value beside it.

    Parameters
    ----------
    recipe : Recipe
    origins : mapping of str to str
        Where each value was written, by dotted path; ``default`` where there is none.
    """
    rows = list(_lines(_ordered(recipe)))
    width = min(max(len(line) for line, path in rows if path), 60)
    return "".join(
        f"{line:<{width}}  # {origins.get(path, 'default')}\n" if path else f"{line}\n"
        for line, path in rows
    )


def beside_defaults(recipe: Recipe, usual: Recipe | None = None) -> list[tuple[str, str | None]]:
    """Return each line of the whole recipe; with the default where its value is another.

    Parameters
    ----------
    recipe : Recipe
    usual : Recipe, optional
        A recipe of the task that says nothing: its values are the defaults, but for those of data,
        which are the fields' own.

    Examples
    --------
    >>> from seqkit.recipe.reading import read_recipe
    >>> given = {"task": "classification", "data": {"dataset": "gunpoint"}}
    >>> usual, made = read_recipe(given), read_recipe(given | {"model": {"cell": "lstm"}})
    >>> lines = beside_defaults(made.recipe, usual.recipe)
    >>> [(line.strip(), default) for line, default in lines if default]
    [('dataset: gunpoint', 'null'), ('cell: lstm', 'gru')]
    """
    filled = {} if usual is None else {path: line for line, path in _lines(_ordered(usual))}
    rows: list[tuple[str, str | None]] = []
    for line, path in _lines(_ordered(recipe)):
        at: Any = recipe
        *sections, name = path.split(".")
        for section in sections:
            at = getattr(at, section)
        field = type(at).model_fields.get(name)
        if field is None or field.is_required() or not sections:
            rows.append((line, None))
            continue
        default = str(flow(field.get_default(call_default_factory=True)))
        if path in filled and sections != ["data"]:
            default = filled[path].strip().partition(": ")[2]
        rows.append((line, None if default == line.strip().partition(": ")[2] else default))
    return rows
