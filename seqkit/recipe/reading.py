"""Reading a recipe: files, ``extends`` and overrides become one checked recipe.

What is written wins in this order: command line, recipe, the recipes it extends, defaults.
All errors are reported together, each with the position it was written at.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from seqkit.errors import RecipeError, explain, printable, shown, suggest
from seqkit.recipe.completion import complete
from seqkit.recipe.field_errors import FieldError
from seqkit.recipe.positions import (
    CHARACTERS,
    DEPTH,
    VALUES,
    Budget,
    Position,
    TextError,
    Tree,
    parse,
    plain,
    tree_of,
)
from seqkit.recipe.schema import RECIPES, SECTIONS, Recipe, leaves, recipe_errors
from seqkit.recipe.writing import Written, annotated, flow, resolved_yaml

__all__ = ["Resolved", "read_recipe"]

LONGEST = 60  # characters of a wrong value shown in a message
LONGEST_OPTION = 200  # characters of an option of the command line shown as a position
SHOWN = 50  # errors of a recipe that are written out
RECIPES_EXTENDED = 20  # of recipes that extend one another
OVERRIDES = 1000


@dataclass(frozen=True)
class Resolved:
    """A checked recipe with every default filled, and where each value came from.

    Attributes
    ----------
    recipe : Recipe
        The settings. Paths of data files are absolute.
    origins : dict of str to str
        By dotted path: ``file:line`` or the option of the command line; absent for defaults.
    text : str
        The recipe as it was given.
    path : Path or None
        The file it was read from.
    """

    recipe: Recipe
    origins: dict[str, str]
    text: str
    path: Path | None

    def dump(self) -> str:
        """Return the recipe with everything filled, as YAML that runs again."""
        return resolved_yaml(self.recipe)

    def as_dict(self) -> dict[str, Any]:
        """Return every setting with its ``value`` and ``origin``, by dotted path."""
        values = self.recipe.model_dump()
        return {
            path: {
                "value": _value(values, tuple(path.split("."))),
                "origin": self.origins.get(path, "default"),
            }
            for path in leaves(type(self.recipe))
            if path != "extends"
        }

    def annotated(self) -> str:
        """Return the recipe with everything filled and the origin of every value."""
        return annotated(self.recipe, self.origins)


def read_recipe(
    path: str | os.PathLike[str] | Mapping[str, object],
    overrides: Iterable[str] = (),
    seed: int | None = None,
) -> Resolved:
    """Read a recipe and check it whole.

    Parameters
    ----------
    path : path or mapping
        A YAML file, or the settings themselves.
    overrides : iterable of str, default=()
        Settings that win over the file, each as ``model.units=[64, 64]``; the value is YAML.
    seed : int, optional
        Wins over the recipe's ``seed``.

    Returns
    -------
    Resolved

    Raises
    ------
    RecipeError
        With every error as ``file:line:column: message``, in the order they are written.

    Examples
    --------
    >>> resolved = read_recipe(
    ...     {"task": "classification", "data": {"dataset": "gunpoint"}}, ["model.units=[32, 32]"])
    >>> resolved.recipe.model.units, resolved.recipe.model.dropout
    ([32, 32], 0.2)
    >>> resolved.origins["model.units"]
    '--set model.units=[32, 32]'
    """
    budget = Budget()
    if isinstance(path, Mapping):
        position = Position("recipe")
        try:
            layers, text, file = [_sections(tree_of(path, position, budget))], "", None
        except TextError as error:
            raise _refusal(error.errors) from None
    else:
        try:
            file = Path(path)
        except TypeError:
            expected = "a file's name or a map of settings"
            raise RecipeError(explain("read_recipe", "path", expected, path)) from None
        text = _text(str(path))
        layers = _layers(text, str(path), (), budget)
    tree = layers[0]
    for layer in layers[1:]:
        tree = _merge(layer, tree)
    sources = [layer.position.source for layer in layers]
    tree, sources = _override(tree, overrides, seed, sources, budget)

    values = plain(tree)
    values.pop("extends", None)
    errors = recipe_errors(values)
    if errors:
        ranks = {source: rank for rank, source in reversed(list(enumerate(sources)))}
        first = Position(sources[0], 1, 1) if layers[0].position.line else Position(sources[0])
        found = [(_position(error, tree, first), error) for error in errors]
        found.sort(key=lambda item: (ranks.get(item[0].source, -1), item[0].line, item[0].column))
        written = [
            (position, _message(error, position, values)) for position, error in found[:SHOWN]
        ]
        raise _refusal(written, len(found) - len(written))
    for key in ("path", "validation_path", "test_path"):
        if given := values["data"].get(key):
            at = tree.value["data"].value[key].position
            several = isinstance(given, list)
            values["data"][key] = [_find(one, at) for one in given] if several else _find(given, at)
    if given := values.get("train", {}).get("start"):
        at = tree.value["train"].value["start"].position
        values["train"]["start"] = _find(given, at)
    label = values["data"].get("label_from")
    if isinstance(label, dict) and "table" in label:
        at = tree.value["data"].value["label_from"].value["table"].position
        label["table"] = _find(label["table"], at)
    recipe = complete(RECIPES[values["task"]].model_validate(values))
    _must_fit(recipe, layers[0].position)
    origins = {
        dotted: _origin(_node(tree, keys).position)
        for dotted in leaves(type(recipe))
        if _has(tree, keys := tuple(dotted.split(".")))
    }
    return Resolved(recipe, origins, text or resolved_yaml(recipe), file)


# files and layers ----------------------------------------------------------------------------


def _refusal(errors: Iterable[tuple[Position, str]], more: int = 0) -> RecipeError:
    """Return the error of these errors, the first of them written out."""
    messages = [f"{position}: {message}" for position, message in errors]
    more += len(messages) - len(messages[:SHOWN])
    rest = [f"{more} more errors are not shown."] if more else []
    return RecipeError([*messages[:SHOWN], *rest])


def _text(name: str) -> str:
    """Return the text of a file, never waiting for one that is none and never reading on."""
    try:
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise RecipeError(f"{name}: cannot be read: Is a directory.")
            if not stat.S_ISREG(mode):
                raise RecipeError(f"{name}: cannot be read: it is no regular file.")
            content = file.read(4 * CHARACTERS + 4)
    except RecipeError:
        raise
    except FileNotFoundError:
        near = _near_file(Path(name))
        raise RecipeError(f"{name}: no such file" + (f"; {near}" if near else ".")) from None
    except OSError as error:
        raise RecipeError(f"{_cut_name(name)}: cannot be read: {error.strerror}.") from None
    except ValueError:  # a NUL character
        raise RecipeError(f"{name}: no such file.") from None
    if len(content) > 4 * CHARACTERS:
        raise RecipeError(f"{name}:1:1: more than {CHARACTERS} characters.")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RecipeError(f"{name}:1:1: not a text in UTF-8 but in UTF-16. Save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        words = f"not a text in UTF-8 (byte #x{content[error.start]:02x})"
        raise RecipeError(f"{name}:{line}:{column}: {words}. Save it as UTF-8.") from None


def _cut_name(name: str) -> str:
    """Return a file's name, cut where it is longer than any may be."""
    return name if len(name) <= LONGEST_OPTION else f"{name[:LONGEST_OPTION]}..."


def _near_file(file: Path) -> str:
    try:
        return suggest(file.name, [p.name for p in islice(file.parent.glob("*.y*ml"), OVERRIDES)])
    except OSError:
        return ""


def _layers(text: str, name: str, chain: tuple[tuple[str, str], ...], budget: Budget) -> list[Tree]:
    """Return the trees of a recipe and of what it extends, the recipe first."""
    chain = (*chain, (os.path.realpath(name), name))
    try:
        tree = parse(text, name, budget)
    except TextError as error:
        raise _refusal(error.errors) from None
    if tree.value is None:
        raise RecipeError(f"{name}:1:1: the recipe is empty. Begin with a task: {_tasks()}.")
    if not isinstance(tree.value, dict):
        got = _cut(flow(plain(tree)))
        raise RecipeError(explain(str(tree.position), "a recipe", "a map of settings", got))
    tree = _sections(tree)
    if "extends" not in tree.value or tree.value["extends"].value is None:
        return [tree]
    extends = tree.value["extends"]
    if not isinstance(extends.value, str):
        got = _cut(flow(plain(extends)))
        raise RecipeError(explain(str(extends.position), "extends", "a recipe's file name", got))
    base = os.path.normpath(os.path.join(os.path.dirname(name), extends.value))
    if os.path.realpath(base) in [seen for seen, _ in chain]:
        circle = " -> ".join([*(known for _, known in chain), base])
        raise RecipeError(f"{extends.position}: extends comes back to itself: {circle}.")
    if not os.path.isfile(base):
        shown_base = _cut_name(base)
        raise RecipeError(f"{extends.position}: extends names {shown_base}, which is not a file.")
    if len(chain) > RECIPES_EXTENDED:
        raise RecipeError(f"{extends.position}: extends goes on for more than {RECIPES_EXTENDED} "
                          "recipes.")  # fmt: skip
    return [tree, *_layers(_text(base), base, chain, budget)]


def _must_fit(recipe: Recipe, first: Position) -> None:
    """See to it that the recipe can be read again when it is written with everything filled."""
    settings = _size(recipe.model_dump())
    if settings > VALUES or len(resolved_yaml(recipe)) > CHARACTERS:
        raise RecipeError(f"{first}: with everything filled it has more than "
                          f"{VALUES} values or {CHARACTERS} characters.")  # fmt: skip


def _size(value: Any) -> int:
    """Return how many keys and values there are."""
    if isinstance(value, Mapping):
        return 1 + sum(1 + _size(item) for item in value.values())
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _tasks() -> str:
    return ", ".join(RECIPES)


def _sections(tree: Tree, names: tuple[str, ...] = SECTIONS) -> Tree:
    """Return the tree with sections that hold nothing as empty maps."""
    items = dict(tree.value)
    for name in names:
        if name in items:
            item = items[name]
            item = Tree({}, item.position) if item.value is None else item
            if isinstance(item.value, dict):
                item = _sections(
                    item, {"data": ("split",), "evaluate": ("backtest",)}.get(name, ())
                )
            items[name] = item
    return Tree(items, tree.position, tree.keys)


def _merge(base: Tree, over: Tree) -> Tree:
    """Return the base with what is written over it: maps merged, the rest replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    items = dict(base.value)
    for key, item in over.value.items():
        items[key] = _merge(items[key], item) if key in items else item
    return Tree(items, over.position, {**base.keys, **over.keys})


def _override(
    tree: Tree, overrides: Iterable[str], seed: int | None, sources: list[str], budget: Budget
) -> tuple[Tree, list[str]]:
    errors: list[tuple[Position, str]] = []
    for number, text in enumerate(overrides, 1):
        if number > OVERRIDES:
            errors.append((Position("--set"), f"more than {OVERRIDES} overrides."))
            break
        if not isinstance(text, str):
            raise TypeError(explain("read_recipe", "overrides", "strings PATH=VALUE", text))
        position = Position(f"--set {printable(text[: LONGEST_OPTION + 1])}")
        if len(text) > LONGEST_OPTION:
            position = Position(f"{position.source[:LONGEST_OPTION]}...")
        path, equals, value = text.partition("=")
        keys = path.strip().split(".", DEPTH)
        if not equals or not all(keys) or len(keys) > DEPTH - 1:
            words = explain("--set", "an override", "PATH=VALUE", text, "Write a.b=1.")
            errors.append((Position("--set"), words.removeprefix("--set: ")))
            continue
        try:
            budget.read(path, position)
            budget.take(2 * len(keys), position)
            parsed = plain(parse(value, position.source, budget))
            item = tree_of([parsed, keys], position, Budget()).value[0]
        except TextError as error:
            errors += [(position, message) for _, message in error.errors]
            continue
        for key in reversed(keys):
            item = Tree({key: item}, position, {key: position})
        tree = _merge(tree, _sections(item))
        sources = [*sources, position.source]
    if seed is not None:
        position = Position("--seed")
        try:
            tree = _merge(
                tree, Tree({"seed": tree_of(seed, position)}, position, {"seed": position})
            )
        except TextError as error:
            errors += error.errors
        sources = [*sources, position.source]
    if errors:
        raise _refusal(errors)
    return tree, sources


# errors --------------------------------------------------------------------------------------


def _position(error: FieldError, tree: Tree, first: Position) -> Position:
    """Return the position of an error."""
    if error.kind in ("unknown", "task"):
        return _node(tree, error.path[:-1]).keys[error.path[-1]]
    if error.kind == "missing":
        return _section_position(tree, error.path, first)
    involved = (error.path + error.item, *error.also)
    at = next((path for path in involved if _has(tree, path)), None)
    return _node(tree, at).position if at else first


def _message(error: FieldError, position: Position, values: Any) -> str:
    """Return what an error says after its position."""
    if error.text:
        return error.text
    got = _value(values, error.path)
    plain_value = isinstance(got, (bool, int, float, list, Mapping)) or got is None
    written = _cut(flow(got)) if plain_value else shown(got, LONGEST)
    words = explain(str(position), error.dotted, error.expected, Written(written), error.hint)
    return words.removeprefix(f"{position}: ")


def _cut(text: str) -> Written:
    return Written(text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}...")


def _section_position(tree: Tree, path: tuple[Any, ...], first: Position) -> Position:
    """Return the position of the key of the section a field is missing from."""
    above = path[:-1]
    if above and _has(tree, above):
        return _node(tree, above[:-1]).keys[above[-1]]
    return first


def _node(tree: Tree, path: tuple[Any, ...]) -> Tree:
    for key in path:
        tree = tree.value[key]
    return tree


def _has(tree: Tree, path: tuple[Any, ...]) -> bool:
    for key in path:
        if isinstance(tree.value, list):
            known = isinstance(key, int) and key < len(tree.value)
        else:
            known = isinstance(tree.value, dict) and key in tree.value
        if not known:
            return False
        tree = tree.value[key]
    return True


def _value(values: Any, path: tuple[Any, ...]) -> Any:
    """Return what was written, or the default, for a message."""
    here = values
    for key in path:
        if not isinstance(here, Mapping) or key not in here:
            return _default(values, path)
        here = here[key]
    return here


def _default(values: Any, path: tuple[Any, ...]) -> Any:
    kind: Any = RECIPES[values["task"]]
    for key in path[:-1]:
        kind = kind.model_fields[key].annotation
    field = kind.model_fields[path[-1]]
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _origin(position: Position) -> str:
    return f"{position.source}:{position.line}" if position.line else position.source


# data files ----------------------------------------------------------------------------------


def _find(text: str, position: Position) -> str:
    """Return the absolute path of a data file: beside the recipe, else in the working folder.

    One given on the command line is looked for in the working folder only; a URL stays what it is.
    """
    if "://" in text:
        return text
    folder = os.path.dirname(position.source) if position.line else ""
    beside = os.path.abspath(os.path.join(folder, os.path.expanduser(text)))
    working = os.path.abspath(os.path.expanduser(text))
    if beside == working:
        return beside
    for candidate in (beside, working):
        if os.path.exists(candidate) or next(glob.iglob(candidate), None):
            return candidate
    return beside
