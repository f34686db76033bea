"""The public surface: what it names, what it loads, and which module may import which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seqkit

PACKAGE = Path(seqkit.__file__).parent
ORDER = (
    "errors",
    "system",
    "stopping",
    "convolutions",
    "auto_networks",
    "auto",
    "auto_steps",
    "cells",
    "network",
    "layers",
    "builders",
    "tasks",
    "training",
    "data",
    "recipe",
    "estimators",
    "evaluation",
    "exports",
    "report",
    "listing",
    "runs",
    "cli_options",
    "cli_runs",
    "cli",
)


def parts():
    names = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in files()}
    return sorted(names - {"__init__"})


def files():
    return [p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts]


def imported(path):
    """Return the parts of seqkit a file imports, and whether at the top of the module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "seqkit":
                names = [f"seqkit.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("seqkit."):
                yield name.split(".")[1]


def test_every_part_has_a_place_in_the_order():
    assert set(parts()) <= set(ORDER)


REPEATED = {
    "compare": "a command of the terminal, and what it calls",
    "evaluate": "a command of the terminal, and what it calls",
    "export": "a command of the terminal, and what it calls",
    "fit": "a command of the terminal; the loop that every fit ends in",
    "forecast": "a command of the terminal, and what it calls",
    "generate": "a command of the terminal, and what it calls",
    "load": "data sets; weights into a model; what was saved",
    "main": "each module that is run has its own",
    "predict": "a command of the terminal, what it calls, and the network's answer",
    "report": "a command of the terminal, and what it calls",
    "show": "a command of the terminal, and what it calls",
    "read": "an export format each",
    "stamp": "an export format each",
    "reproduce": "a command of the terminal, and what it calls",
    "write": "an export format each",
}
"""Names that stand for several things."""


def test_a_name_stands_for_one_thing():
    """A Keras layer has the name of what it computes, options that of their optimizer."""
    homes = {}
    for path in files():
        module = path.relative_to(PACKAGE).with_suffix("").as_posix()
        face = module.startswith("network/keras/") or module == "recipe/optimizers"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                kind = isinstance(node, ast.ClassDef) and face
                homes.setdefault((node.name, kind), []).append(module)
    assert {name for (name, _), modules in homes.items() if len(modules) > 1} == set(REPEATED)


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_data_flows_one_way(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part == "__init__":
        return
    upward = {
        name for name in imported(path) if name in ORDER and ORDER.index(name) > ORDER.index(part)
    }
    assert not upward, f"{path} imports {upward}, which come after {part}"


def test_public_names_are_sorted_and_exist():
    assert seqkit.__all__ == sorted(seqkit.__all__)
    for name in seqkit.__all__:
        assert getattr(seqkit, name).__doc__, name


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        seqkit.nothing  # noqa: B018


@pytest.mark.parametrize(
    "statement", ["import seqkit", "import seqkit.cli", "import seqkit.recipe.reading"]
)
def test_light_modules_import_nothing_heavy(statement):
    heavy = ("tensorflow", "keras", "pandas", "sklearn")
    code = f"import sys; {statement}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_stay_under_500_lines():
    long = {p.name: n for p in files() if (n := len(p.read_text().splitlines())) > 500}
    assert not long


def long_functions(source, most=60):
    """Return the functions whose body has more lines than `most`, and no reason beside it.

    The reason is a comment ``# long: ...``: on the line above the function, its decorators
    included, or before its first statement. A docstring is no part of the body.
    """
    lines = source.splitlines()

    def has_reason(node):
        start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        head = node.body[1:] if ast.get_docstring(node) is not None else node.body
        near = [lines[start - 2] if start > 1 else "", *lines[node.lineno : head[0].lineno - 1]]
        return any(re.match(r"\s*# long: \S", line) for line in near)

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body and node.end_lineno - body[0].lineno + 1 > most and not has_reason(node):
                yield node.name


def test_long_functions_say_why():
    long = {
        f"{path.relative_to(PACKAGE).as_posix()} {name}"
        for path in files()
        for name in long_functions(path.read_text(encoding="utf-8"))
    }
    assert not long


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f():\n    a = 1\n    b = 2\n", ["f"]),
        ('def f():\n    """Two\n\n    lines."""\n    a = 1\n', []),
        ("# long: a table\ndef f():\n    a = 1\n    b = 2\n", []),
        ("# long: a table\n@cached\ndef f():\n    a = 1\n    b = 2\n", []),
        ('def f():\n    """Say."""\n    # long: a table\n    a = 1\n    b = 2\n', []),
        ("# long:\ndef f():\n    a = 1\n    b = 2\n", ["f"]),
        ("class A:\n    async def f(self):\n        a = 1\n        b = 2\n", ["f"]),
        ("def f():\n    a = 1\n    # long: too late\n    b = 2\n", ["f"]),
    ],
)
def test_a_reason_stands_beside_the_function(source, names):
    assert list(long_functions(source, most=1)) == names
