"""YAML as plain values that remember where they were written.

ruamel.yaml parses; the values are resolved here by the core schema of YAML 1.2 (``1e-3`` is a
number, ``no`` and ``2026-01-01`` are strings), because its constructors keep no positions and
know tags that a recipe must not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Place", "Tree", "YamlFault", "parse", "plain", "tree_of"]

LARGEST = 100_000  # values in a recipe, so that nested aliases cannot fill the memory

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_POINT = re.compile(r"[-+]?\.[0-9]+[eE][-+]?[0-9]+")  # ruamel takes .5e3 for a string
_CORE = "tag:yaml.org,2002:"
_ALLOWED_TAGS = {_CORE + t for t in ("str", "int", "float", "bool", "null", "seq", "map")}
# Tags that ruamel gives to plain words; in the core schema those are strings.
_IMPLIED_TAGS = {_CORE + t for t in ("timestamp", "merge", "value")}


@dataclass(frozen=True)
class Place:
    """Where something was written: a file (or ``--set ...``), line and column from 1."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Tree:
    """A value with its place, and the places of the keys where it is a map.

    Attributes
    ----------
    value : object
        A scalar, a list of Tree or a dict of Tree.
    place : Place
    keys : dict
        For a map, the place of each key.
    """

    value: Any
    place: Place
    keys: dict[Any, Place] = field(default_factory=dict)


@dataclass
class YamlFault(Exception):
    """The text is not what a recipe may be; every fault with its place."""

    faults: list[tuple[Place, str]]


def plain(tree: Tree) -> Any:
    """Return the value without places."""
    if isinstance(tree.value, dict):
        return {key: plain(item) for key, item in tree.value.items()}
    if isinstance(tree.value, list):
        return [plain(item) for item in tree.value]
    return tree.value


def tree_of(value: Any, place: Place) -> Tree:
    """Return a tree of a plain value, everything at one place."""
    if isinstance(value, Mapping):
        items = {key: tree_of(item, place) for key, item in value.items()}
        return Tree(items, place, dict.fromkeys(items, place))
    if isinstance(value, (list, tuple)):
        return Tree([tree_of(item, place) for item in value], place)
    return Tree(value, place)


def parse(text: str, source: str) -> Tree:
    """Parse YAML.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for the places.

    Raises
    ------
    YamlFault
        If the text is not YAML, or has duplicate keys, tags or values that contain themselves.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source)
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise YamlFault([(place, f"not valid YAML: {words}.")]) from None
    except YAMLError as error:  # a character that no YAML may hold
        number = text.count("\n", 0, getattr(error, "position", 0)) + 1
        words = str(getattr(error, "reason", error)).splitlines()[0]
        raise YamlFault([(Place(source, number, 1), f"not valid YAML: {words}.")]) from None
    if node is None:
        return Tree(None, Place(source, 1, 1))
    builder = _Builder(source)
    tree = builder.build(node, ())
    if builder.faults:
        raise YamlFault(builder.faults)
    return tree


class _Builder:
    """Turns ruamel's nodes into a Tree and collects what is not allowed."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults: list[tuple[Place, str]] = []
        self.count = 0

    def place(self, node: Any) -> Place:
        return Place(self.source, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: Any, above: tuple[int, ...]) -> Tree:
        place = self.place(node)
        self.count += 1
        if id(node) in above:
            self.faults.append((place, "an alias inside the value it stands for."))
            return Tree(None, place)
        if self.count > LARGEST:
            if self.count == LARGEST + 1:
                self.faults.append((place, f"more than {LARGEST} values, counting aliases."))
            return Tree(None, place)
        tag = str(node.tag)
        if tag not in _ALLOWED_TAGS and tag not in _IMPLIED_TAGS:
            short = tag.replace(_CORE, "!!")
            self.faults.append((place, f"tag {short!r} is not allowed; recipes hold plain values."))
            return Tree(None, place)
        kind = type(node).__name__
        if kind == "MappingNode":
            return self.mapping(node, place, (*above, id(node)))
        if kind == "SequenceNode":
            return Tree([self.build(item, (*above, id(node))) for item in node.value], place)
        return Tree(_scalar(node, tag), place)

    def mapping(self, node: Any, place: Place, above: tuple[int, ...]) -> Tree:
        items: dict[Any, Tree] = {}
        keys: dict[Any, Place] = {}
        for key_node, value_node in node.value:
            at = self.place(key_node)
            if value_node.value == "" and value_node.style is None:
                value = Tree(None, at)  # nothing is written; ruamel's mark is on the next line
            else:
                value = self.build(value_node, above)
            if type(key_node).__name__ != "ScalarNode":
                self.faults.append((at, "a key must be a plain word, not a list or a map."))
                continue
            key = self.build(key_node, above).value
            if key == "<<" and str(key_node.tag) == _CORE + "merge":
                self.faults.append((at, "merge keys (<<) are not YAML 1.2. Use extends."))
                continue
            if key in keys:
                self.faults.append((at, f"duplicate key {key!r}, first at line {keys[key].line}."))
                continue
            items[key], keys[key] = value, at
        return Tree(items, place, keys)


def _scalar(node: Any, tag: str) -> Any:
    """Resolve a scalar by the core schema of YAML 1.2 (section 10.3.2)."""
    text = node.value
    if node.style is not None or (tag == _CORE + "str" and not _LEADING_POINT.fullmatch(text)):
        return text
    for pattern, value in ((_NULL, None), (_TRUE, True), (_FALSE, False)):
        if pattern.fullmatch(text):
            return value
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if match := _INFINITE.fullmatch(text):
        return float(f"{match[1] or ''}inf" if match[2] else "nan")
    return text
