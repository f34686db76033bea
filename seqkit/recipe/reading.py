"""Reading a recipe: files, ``extends`` and overrides become one checked recipe.

What is written wins in this order: command line, recipe, the recipes it extends, defaults.
All faults are reported together, each with the place it was written at.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqkit.errors import RecipeError, explain, suggest
from seqkit.recipe.completion import complete
from seqkit.recipe.faults import Fault
from seqkit.recipe.positions import Place, Tree, YamlFault, parse, plain, tree_of
from seqkit.recipe.schema import RECIPES, SECTIONS, Recipe, leaves, recipe_faults
from seqkit.recipe.writing import Written, annotated, flow, resolved_yaml

__all__ = ["Resolved", "read_recipe"]

LONGEST = 60  # characters of a wrong value shown in a message


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
    path: str | os.PathLike[str] | Mapping[str, Any],
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
        With every fault as ``file:line:column: message``, in the order they are written.

    Examples
    --------
    >>> resolved = read_recipe(
    ...     {"task": "classification", "data": {"dataset": "gunpoint"}}, ["model.units=[32, 32]"])
    >>> resolved.recipe.model.units, resolved.recipe.train.learning_rate
    ([32, 32], 0.003)
    >>> resolved.origins["model.units"]
    '--set model.units=[32, 32]'
    """
    if isinstance(path, Mapping):
        layers, text, file = [_sections(tree_of(path, Place("recipe")))], "", None
    else:
        file = Path(path)
        text = _text(file, str(path))
        layers = _layers(text, str(path), ())
    tree = layers[0]
    for layer in layers[1:]:
        tree = _merge(layer, tree)
    sources = [layer.place.source for layer in layers]
    tree, sources = _override(tree, overrides, seed, sources)

    values = plain(tree)
    values.pop("extends", None)
    found = [_located(fault, tree, values, sources[0]) for fault in recipe_faults(values)]
    if found:
        found.sort(key=lambda item: (_order(item[0].source, sources), item[0].line, item[0].column))
        raise RecipeError(message for _, message in found)
    for key in ("path", "test_path"):
        if isinstance(values["data"].get(key), str):
            values["data"][key] = _find(values["data"][key], tree.value["data"].value[key].place)
    recipe = complete(RECIPES[values["task"]].model_validate(values))
    origins = {
        dotted: _origin(_node(tree, keys).place)
        for dotted in leaves(type(recipe))
        if _has(tree, keys := tuple(dotted.split(".")))
    }
    return Resolved(recipe, origins, text or resolved_yaml(recipe), file)


# files and layers ----------------------------------------------------------------------------


def _text(file: Path, shown: str) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        near = suggest(file.name, [p.name for p in file.parent.glob("*.y*ml")])
        raise RecipeError(f"{shown}: no such file" + (f"; {near}" if near else ".")) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{shown}: not a text in UTF-8 (byte {error.start}).") from None
    except OSError as error:
        raise RecipeError(f"{shown}: cannot be read: {error.strerror}.") from None


def _layers(text: str, shown: str, chain: tuple[tuple[Path, str], ...]) -> list[Tree]:
    """Return the trees of a recipe and of what it extends, the recipe first."""
    here = Path(shown).resolve()
    chain = (*chain, (here, shown))
    try:
        tree = parse(text, shown)
    except YamlFault as error:
        raise RecipeError(f"{place}: {message}" for place, message in error.faults) from None
    if tree.value is None:
        raise RecipeError(f"{shown}:1:1: the recipe is empty. Begin with a task: {_tasks()}.")
    if not isinstance(tree.value, dict):
        raise RecipeError(
            explain(str(tree.place), "a recipe", "a map of settings", flow(plain(tree)))
        )
    tree = _sections(tree)
    if "extends" not in tree.value or tree.value["extends"].value is None:
        return [tree]
    extends = tree.value["extends"]
    if not isinstance(extends.value, str):
        got = flow(plain(extends))
        raise RecipeError(explain(str(extends.place), "extends", "a recipe's file name", got))
    base = os.path.normpath(os.path.join(os.path.dirname(shown), extends.value))
    if any(Path(base).resolve() == seen for seen, _ in chain):
        circle = " -> ".join([*(name for _, name in chain), base])
        raise RecipeError(f"{extends.place}: extends comes back to itself: {circle}.")
    if not Path(base).is_file():
        raise RecipeError(f"{extends.place}: extends names {base}, which is not a file.")
    return [tree, *_layers(_text(Path(base), base), base, chain)]


def _tasks() -> str:
    return ", ".join(RECIPES)


def _sections(tree: Tree, names: tuple[str, ...] = SECTIONS) -> Tree:
    """Return the tree with sections that hold nothing as empty maps."""
    items = dict(tree.value)
    for name in names:
        if name in items:
            item = items[name]
            item = Tree({}, item.place) if item.value is None else item
            if isinstance(item.value, dict):
                item = _sections(
                    item, {"data": ("split",), "evaluate": ("backtest",)}.get(name, ())
                )
            items[name] = item
    return Tree(items, tree.place, tree.keys)


def _merge(base: Tree, over: Tree) -> Tree:
    """Return the base with what is written over it: maps merged, the rest replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    items = dict(base.value)
    for key, item in over.value.items():
        items[key] = _merge(items[key], item) if key in items else item
    return Tree(items, over.place, {**base.keys, **over.keys})


def _override(
    tree: Tree, overrides: Iterable[str], seed: int | None, sources: list[str]
) -> tuple[Tree, list[str]]:
    faults = []
    for text in overrides:
        place = Place(f"--set {text}")
        path, equals, value = text.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            faults.append(explain("--set", "an override", "PATH=VALUE", text, "Write a.b=1."))
            continue
        try:
            item = tree_of(plain(parse(value, place.source)), place)
        except YamlFault as error:
            faults += [f"{place}: {message}" for _, message in error.faults]
            continue
        for key in reversed(keys):
            item = Tree({key: item}, place, {key: place})
        tree = _merge(tree, _sections(item))
        sources = [*sources, place.source]
    if seed is not None:
        place = Place("--seed")
        tree = _merge(tree, Tree({"seed": tree_of(seed, place)}, place, {"seed": place}))
        sources = [*sources, place.source]
    if faults:
        raise RecipeError(faults)
    return tree, sources


# faults --------------------------------------------------------------------------------------


def _located(fault: Fault, tree: Tree, values: Any, source: str) -> tuple[Place, str]:
    """Return the place of a fault and its message."""
    if fault.kind in ("unknown", "task"):
        place = _node(tree, fault.path[:-1]).keys[fault.path[-1]]
    elif fault.kind == "missing":
        place = _section_place(tree, fault.path, source)
    else:
        involved = (fault.path + fault.item, *fault.also)
        at = next((path for path in involved if _has(tree, path)), None)
        place = _node(tree, at).place if at else Place(source, 1, 1)
    if fault.text:
        return place, f"{place}: {fault.text}"
    got = _value(values, fault.path)
    shown: str = repr(got) if isinstance(got, str) else flow(got)
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST - 3]}..."
    return place, explain(str(place), fault.dotted, fault.expected, Written(shown), fault.mend)


def _section_place(tree: Tree, path: tuple[Any, ...], source: str) -> Place:
    """Return the place of the key of the section a field is missing from."""
    above = path[:-1]
    if above and _has(tree, above):
        return _node(tree, above[:-1]).keys[above[-1]]
    return Place(source, 1, 1) if tree.place.line else Place(source)


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


def _order(source: str, sources: list[str]) -> int:
    return sources.index(source) if source in sources else -1


def _origin(place: Place) -> str:
    return f"{place.source}:{place.line}" if place.line else place.source


# data files ----------------------------------------------------------------------------------


def _find(text: str, place: Place) -> str:
    """Return the absolute path of a data file: beside the recipe, else in the working folder.

    One given on the command line is looked for in the working folder only.
    """
    folder = os.path.dirname(place.source) if place.line else ""
    beside = os.path.abspath(os.path.join(folder, os.path.expanduser(text)))
    working = os.path.abspath(os.path.expanduser(text))
    for candidate in (beside, working):
        if os.path.exists(candidate) or glob.glob(candidate):
            return candidate
    return beside
