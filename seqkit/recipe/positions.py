"""YAML as plain values that remember where they were written.

ruamel.yaml parses; the values are resolved here by the core schema of YAML 1.2 (``1e-3`` is a
number, ``no`` and ``2026-01-01`` are strings), because its constructors keep no positions and
know tags that a recipe must not have.

Its events are taken one by one and bounded while they come: how many values there are, how deep
they are nested and how many characters a number has. So no text takes more than a moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seqkit.errors import LONGEST, printable, shown

__all__ = [
    "CHARACTERS",
    "DEPTH",
    "VALUES",
    "Budget",
    "Position",
    "TextError",
    "Tree",
    "parse",
    "plain",
    "tree_of",
]

CHARACTERS = 2**18  # of a recipe, of all that it extends and of what is set over it
VALUES = 10_000  # keys and values of these, counting those that aliases stand for
DEPTH = 20  # lists and maps in one another; the grammar has four
DIGITS = 100  # characters of a number

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CORE = "tag:yaml.org,2002:"
_TAGS = {  # of the core schema, and what they stand for
    "str": str, "int": int, "float": float, "bool": bool, "null": type(None), "seq": list,
    "map": dict,
}  # fmt: skip
# What YAML 1.2 (section 5.1) lets no text hold, and bytes that Python could not decode.
_UNPRINTABLE = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What no file, column or class can be named by.
_UNFIT = re.compile(r"[\x00\ud800-\udfff]")
_HALVES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_PLAIN = (str, bool, int, float, type(None))


@dataclass(frozen=True)
class Position:
    """Where something was written: a file (or ``--set ...``), line and column from 1."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Tree:
    """A value with its position, and the positions of the keys where it is a map.

    Attributes
    ----------
    value : object
        A scalar, a list of Tree or a dict of Tree.
    position : Position
    keys : dict
        For a map, the position of each key.
    """

    value: Any
    position: Position
    keys: dict[Any, Position] = field(default_factory=dict)


@dataclass
class TextError(Exception):
    """The text is not what a recipe may be; every error with its position."""

    errors: list[tuple[Position, str]]


def plain(tree: Tree) -> Any:
    """Return the value without positions."""
    if isinstance(tree.value, dict):
        return {key: plain(item) for key, item in tree.value.items()}
    if isinstance(tree.value, list):
        return [plain(item) for item in tree.value]
    return tree.value


@dataclass
class Budget:
    """What the texts of a recipe may still hold, taken together."""

    characters: int = CHARACTERS
    values: int = VALUES

    def read(self, text: str, position: Position) -> None:
        """Take a text off the characters that are left."""
        self.characters -= len(text)
        if self.characters < 0:
            raise TextError([(position, f"more than {CHARACTERS} characters, counting all that is "
                              "extended and set.")])  # fmt: skip

    def take(self, values: int, position: Position) -> None:
        """Take values off those that are left."""
        self.values -= values
        if self.values < 0:
            raise TextError([(position, f"more than {VALUES} values, counting aliases and all that "
                              "is extended.")])  # fmt: skip


def tree_of(value: Any, position: Position, budget: Budget | None = None) -> Tree:
    """Return a tree of a plain value, everything at one position.

    NumPy's scalars and arrays stand for numbers and lists, as they do for estimators.

    Raises
    ------
    TextError
        If the value is larger or deeper than a recipe may be, contains itself, or has text,
        numbers or keys that no recipe has.
    """
    errors: list[tuple[Position, str]] = []
    tree = _tree_of(value, position, budget or Budget(), 0, errors)
    if errors:
        raise TextError(errors)
    return tree


def _tree_of(
    value: Any, position: Position, budget: Budget, depth: int, errors: list[tuple[Position, str]]
) -> Tree:
    if hasattr(value, "tolist") and getattr(value, "size", VALUES + 1) <= VALUES:
        value = value.tolist()
    elif type(value) not in _PLAIN:
        for kind in (str, int, float):  # of a subclass, such as an enumeration, the value alone
            if isinstance(value, kind):
                value = kind.__getnewargs__(value)[0]  # type: ignore[arg-type]
    budget.take(1, position)
    if isinstance(value, (Mapping, list, tuple)):
        _no_deeper(depth, position, errors)
        if not isinstance(value, Mapping):
            return Tree([_tree_of(v, position, budget, depth + 1, errors) for v in value], position)
        items: dict[Any, Tree] = {}
        for key, item in value.items():
            known = _tree_of(key, position, budget, depth + 1, errors).value
            if error := _key_error(known):
                errors.append((position, error))
            else:
                items[known] = _tree_of(item, position, budget, depth + 1, errors)
        return Tree(items, position, dict.fromkeys(items, position))
    if isinstance(value, str):
        budget.read(value, position)
        if error := _text_error(value):
            errors.append((position, error))
    elif isinstance(value, int) and abs(value) >= 10**DIGITS:
        errors.append((position, _long_number(shown(value))))
        value = None
    return Tree(value, position)


def _no_deeper(depth: int, position: Position, errors: list[tuple[Position, str]]) -> None:
    if depth >= DEPTH:
        raise TextError([*errors, (position, f"lists and maps in more than {DEPTH} others.")])


def _key_error(key: Any) -> str:
    """Say what is wrong with a key, or nothing."""
    if isinstance(key, float) and not abs(key) < float("inf"):
        return f"a key must be a word or a finite number; got {key}."
    if isinstance(key, (str, int, float)):
        return ""
    words = "null" if key is None else "a list or a map"
    if not isinstance(key, (list, dict)) and key is not None:
        words = shown(key)
    return f"a key must be a plain word, not {words}."


def _text_error(text: str) -> str:
    """Say what no text of a recipe may hold, or nothing."""
    if wrong := _UNFIT.search(text):
        what = "a NUL character" if wrong[0] == "\0" else "half a character (a lone surrogate)"
        return f"text must not hold {what}; got {shown(text)}."
    return ""


def _long_number(text: str) -> str:
    return f"a number must have at most {DIGITS} characters; got {text}."


def _bounded(words: str) -> str:
    """Return what ruamel says on one line and of a bounded length: it quotes texts whole."""
    line = printable(words)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def parse(text: str, source: str, budget: Budget | None = None) -> Tree:
    """Parse YAML.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for the positions.
    budget : Budget, optional
        What the text may hold; it is less afterwards. Default: a whole one.

    Raises
    ------
    TextError
        If the text is not YAML, is larger or deeper than a recipe may be, or has duplicate keys,
        tags or values that contain themselves.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    budget = budget or Budget()
    budget.read(text, Position(source, 1, 1))
    if wrong := _UNPRINTABLE.search(text):
        words = f"character #x{ord(wrong[0]):04x} is not allowed in a text"
        raise TextError([(_position_in(text, wrong.start(), source), f"not valid YAML: {words}.")])
    composer = _Composer(YAML(typ="safe", pure=True).parse(text), source, budget)
    try:
        tree = composer.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(source, mark.line + 1, mark.column + 1) if mark else composer.here
        words = _bounded(" ".join(str(part) for part in (error.context, error.problem) if part))
        raise TextError([*composer.errors, (position, f"not valid YAML: {words}.")]) from None
    except YAMLError as error:
        words = _bounded(str(getattr(error, "reason", error)).splitlines()[0])
        raise TextError([*composer.errors, (composer.here, f"not valid YAML: {words}.")]) from None
    except TextError as error:
        raise TextError([*composer.errors, *error.errors]) from None
    except Exception as error:
        # ruamel falls over some texts instead of refusing them, such as "\UFFFFFFFF"
        words = f"not valid YAML after this place ({_bounded(str(error))})."
        raise TextError([*composer.errors, (composer.here, words)]) from None
    if composer.errors:
        raise TextError(composer.errors)
    return tree


def _position_in(text: str, index: int, source: str) -> Position:
    """Return the position of a character, counted from the start of the text."""
    begin = text.rfind("\n", 0, index) + 1
    return Position(source, text.count("\n", 0, index) + 1, index - begin + 1)


class _Composer:
    """Turns ruamel's events into a Tree and collects what is not allowed.

    Attributes
    ----------
    here : Position
        Of the last event.
    errors : list of tuple of (Position, str)
    """

    def __init__(self, events: Iterator[Any], source: str, budget: Budget) -> None:
        self.events = events
        self.source = source
        self.budget = budget
        self.here = Position(source, 1, 1)
        self.errors: list[tuple[Position, str]] = []
        # By anchor: the tree, how many values it holds and how deep it is; None while it is read.
        self.anchors: dict[str, tuple[Tree, int, int] | None] = {}

    def next(self) -> tuple[str, Any]:
        """Return the kind of the next event, and the event."""
        event = next(self.events)
        self.here = Position(self.source, event.start_mark.line + 1, event.start_mark.column + 1)
        return type(event).__name__.removesuffix("Event"), event

    def document(self) -> Tree:
        """Return the tree of the only document."""
        self.next()
        kind, event = self.next()
        if kind == "StreamEnd":
            return Tree(None, Position(self.source, 1, 1))
        if event.version not in (None, (1, 2)):
            self.errors.append(
                (Position(self.source, 1, 1), "a recipe is YAML 1.2, no other version.")
            )
        tree, _, _ = self.build(*self.next(), depth=0)
        self.next()
        if self.next()[0] != "StreamEnd":
            words = "expected a single document in the stream but found another document"
            self.errors.append((self.here, f"not valid YAML: {words}."))
        return tree

    def build(self, kind: str, event: Any, depth: int) -> tuple[Tree, int, int]:
        """Return the tree that begins with an event, its number of values and its depth."""
        position = self.here
        if kind == "Alias":
            return self.alias(event.anchor, position, depth)
        self.budget.take(1, position)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        tag = None if event.tag in (None, "!") else str(event.tag)
        known = _TAGS.get(tag.removeprefix(_CORE)) if tag and tag.startswith(_CORE) else None
        if tag and known is None:
            short = shown(tag.replace(_CORE, "!!"))
            self.errors.append(
                (position, f"tag {short} is not allowed; recipes hold plain values.")
            )
        if kind == "Scalar":
            bare = event.implicit[0] and event.tag is None
            built = Tree(self.scalar(event.value, bare, known, position), position), 1, 0
        else:
            _no_deeper(depth, position, [])
            built = (self.list if kind == "SequenceStart" else self.map)(position, depth + 1)
        if known is not None and type(built[0].value) is not known:
            got = f"tag {shown(tag.replace(_CORE, '!!'))} does not fit the value."  # type: ignore[union-attr]
            self.errors.append((position, got))
        if event.anchor is not None:
            self.anchors[event.anchor] = built
        return built

    def alias(self, name: str, position: Position, depth: int) -> tuple[Tree, int, int]:
        if name not in self.anchors:
            self.errors.append((position, f"not valid YAML: found undefined alias {shown(name)}."))
            return Tree(None, position), 1, 0
        known = self.anchors[name]
        if known is None:
            self.errors.append((position, "an alias inside the value it stands for."))
            return Tree(None, position), 1, 0
        self.budget.take(known[1], position)
        _no_deeper(depth + known[2] - 1, position, [])
        return known

    def list(self, position: Position, depth: int) -> tuple[Tree, int, int]:
        items: list[Tree] = []
        size, deepest = 1, 0
        while (following := self.next())[0] != "SequenceEnd":
            item, values, height = self.build(*following, depth)
            items.append(item)
            size, deepest = size + values, max(deepest, height)
        return Tree(items, position), size, deepest + 1

    def map(self, position: Position, depth: int) -> tuple[Tree, int, int]:
        items: dict[Any, Tree] = {}
        keys: dict[Any, Position] = {}
        size, deepest = 1, 0
        while (following := self.next())[0] != "MappingEnd":
            at = self.here
            merge = following[0] == "Scalar" and following[1].implicit[0]
            key_tree, key_values, _ = self.build(*following, depth)
            kind, event = self.next()
            if kind == "Scalar" and event.value == "" and event.implicit[0]:
                self.here = at  # nothing is written; ruamel's mark is on the next line
            item, values, height = self.build(kind, event, depth)
            size, deepest = size + key_values + values, max(deepest, height)
            key = key_tree.value
            if merge and key == "<<":
                self.errors.append((at, "merge keys (<<) are not YAML 1.2. Use extends."))
            elif error := _key_error(key):
                self.errors.append((at, error))
            elif key in keys:
                first = keys[key].line
                self.errors.append((at, f"duplicate key {shown(key)}, first at line {first}."))
            else:
                items[key], keys[key] = item, at
        return Tree(items, position, keys), size, deepest + 1

    def scalar(self, text: str, bare: bool, known: type | None, position: Position) -> Any:
        """Resolve a scalar by the core schema of YAML 1.2 (section 10.3.2)."""
        if not text.isascii():
            # JSON writes a character beyond the first 65536 as two halves
            text = _HALVES.sub(
                lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
            )
        if error := _text_error(text):
            self.errors.append((position, error))
            return text
        if not bare and known in (None, str):
            return text
        value = _resolved(text)
        if value is _TOO_LONG:
            self.errors.append((position, _long_number(shown(text))))
            return None
        return float(value) if known is float and type(value) is int else value


_TOO_LONG = object()


def _resolved(text: str) -> Any:
    for pattern, value in ((_NULL, None), (_TRUE, True), (_FALSE, False)):
        if pattern.fullmatch(text):
            return value
    for pattern, number in (
        (_INTEGER, int),
        (_OCTAL, lambda digits: int(digits[2:], 8)),
        (_HEXADECIMAL, lambda digits: int(digits, 16)),
        (_FLOAT, float),
    ):
        if pattern.fullmatch(text):
            return number(text) if len(text) <= DIGITS else _TOO_LONG
    if match := _INFINITE.fullmatch(text):
        return float(f"{match[1] or ''}inf" if match[2] else "nan")
    return text
