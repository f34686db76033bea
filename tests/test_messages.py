"""What messages advise exists: commands, options, tasks, settings."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import seqkit
from seqkit.cli import cli
from seqkit.recipe.schema import json_schema
from seqkit.tasks import TASKS

OTHERS = ("model.signatures", "model.js")
"""What Python's code in messages, and a file, have that look like settings."""
FILES = (".csv", ".parquet", ".json", ".keras", ".safetensors")
SOURCES = sorted(Path(seqkit.__file__).parent.rglob("*.py"))


def messages(path):
    """Yield the strings of a module that are no docstrings, those of an f-string joined."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "\0" for p in node.values)
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        ):
            yield node.value


def settings():
    """Return the dotted names of all settings of all tasks, and of their sections."""
    schema = json_schema()
    found = set()

    def walk(part, prefix, depth):
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
        for name, inner in part.get("properties", {}).items():
            dotted = f"{prefix}{name}"
            found.add(dotted)
            if depth < 3:
                walk(inner, f"{dotted}.", depth + 1)
        for kind in ("anyOf", "oneOf", "allOf"):
            for inner in part.get(kind, ()):
                walk(inner, prefix, depth)
        for kind in ("then", "else", "if"):
            if kind in part:
                walk(part[kind], prefix, depth)

    walk(schema, "", 0)
    return found


NAMED = {
    "command": re.compile(r"\bseqkit ([a-z]+) (?=RUN|--|\0)"),
    "option": re.compile(r"(?<![\w-])(?<!tensorboard )--[a-z][a-z-]+"),
    "task": re.compile(r"\btask: ([a-z]+)"),
    "setting": re.compile(
        r"\b((?:data|model|train|evaluate|forecast)(?:\.[a-z_]+)+)\b(?!\.?\(|\.h5)"
    ),
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(SOURCES[0].parent)))
def test_messages_name_what_exists(path):
    options = {
        o
        for command in cli.commands.values()
        for p in command.params
        for o in (*p.opts, *p.secondary_opts)
    }
    known = {
        "command": set(cli.commands),
        "option": options | {"--help", "--version"},
        "task": set(TASKS),
        "setting": settings(),
    }
    for text in messages(path):
        for kind, pattern in NAMED.items():
            for name in pattern.findall(text):
                file = kind == "setting" and (name.endswith(FILES) or name in OTHERS)
                assert file or name in known[kind], (name, text)


@pytest.mark.parametrize("kind", NAMED)
def test_there_are_messages_that_name_something(kind):
    """A search that finds nothing would find no mistake either."""
    found = {n for path in SOURCES for text in messages(path) for n in NAMED[kind].findall(text)}
    assert found


def test_the_walk_over_the_schema_finds_settings():
    assert {"data.split.validation", "model.units", "evaluate.backtest.windows"} <= settings()
