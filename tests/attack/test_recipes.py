"""Recipes mutated by their structure: read as promised, or refused with every error in its place.

A try begins with a recipe (of recipes/, or made over the grammar), changes it some times as a
tree, writes it in one of several styles, and may then damage the text. What is read must come
out the same when it is written with everything filled and read again.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import re
import resource
import time
from pathlib import Path

import numpy as np

from seqkit.errors import RecipeError
from seqkit.recipe.positions import parse, plain
from seqkit.recipe.reading import read_recipe
from seqkit.recipe.schema import RECIPES, leaves
from seqkit.recipe.types import allowed_names
from seqkit.recipe.writing import flow

FLOOR = 10_000
ROOT = Path(__file__).parents[2]
SECONDS = 2
MEGABYTES = 200
ESTIMATORS = {
    "classification": ("classifier", "SequenceClassifier"),
    "regression": ("regressor", "SequenceRegressor"),
    "tagging": ("tagger", "SequenceTagger"),
    "forecasting": ("forecaster", "SequenceForecaster"),
}
SEEDS = [
    plain(parse(path.read_text(encoding="utf-8"), path.name))
    for path in sorted((ROOT / "recipes").rglob("*.yaml"))
]
NUMBERS = (
    0, 1, -1, 2, 3, 7, 0.0, 0.5, 0.999, 1.0, -0.0, 1e-9, 1e-320, 1e30, 1e308, float("inf"),
    float("nan"), 2**31, 2**63, 2**64, 10**50, 10**99, -(10**99), 4096, 4097, 100_000, 10**6,
    10**6 + 1, True, False, None,
)  # fmt: skip
TEXTS = (
    "", " ", "null", "~", "1", "0x1f", "1e-3", "yes", "a b", "é", "日本", "\U0001f600", "\u202e",
    "a\nb", "\t", "\x07", "\x85", "\u2028", "\ud800", "\0", "x" * 5000, "../" * 2000, "/dev/zero",
    "~root/x", "*", "a: b", "- a", "#", "'", '"', "{", "}", "%", "&a", "*a", "!a", "---", "...",
    "data/**/*", "[", "a,b", ".", "a.b.c", "\ufeff", "=", "<<",
)  # fmt: skip
SNIPPETS = (
    "&a ", "*a", "*b", "!!str ", "!!int ", "!!python/object:os.system ", "! ", "<<: *a", "? ",
    ": ", "- ", "[", "]", "{", "}", "'", '"', "#", "|\n", ">-\n", "---\n", "...\n", "\t", "\r",
    "%YAML 1.1\n", "%TAG ! x\n", "\r\n", "\0", "\x1b", "\x85", "\u2028", "\ufeff", "\ud83d",
    "\\ud800", '"\\UFFFFFFFF"', '"\\x00"', "9" * 5000, "0x" + "f" * 5000, "1e999999", ".inf",
    ".nan", "~", "[" * 1500, "{a: " * 300, "- " * 1200, "null: 1\n", "[1, 2]: 3\n", "1: 2\n",
    "true: 2\n", "x" * 20_000, "@", "`", "task: regression\n",
)  # fmt: skip


def generated(rng: random.Random) -> dict:
    """Return a recipe over the grammar, mostly of values that are allowed."""
    task = rng.choice(list(RECIPES))
    recipe: dict = {"task": task, "data": {"path": "a.npz"}}
    if task == "forecasting":
        recipe["forecast"] = {"context_length": rng.randint(4, 99), "horizon": rng.randint(1, 30)}
        recipe["data"] = {"path": "a.csv"}
    fields = leaves(RECIPES[task])
    for path in rng.sample(sorted(fields), rng.randint(0, 5)):
        field = fields[path]
        names = allowed_names(field.annotation) or allowed_names(
            field.metadata[0] if field.metadata else str
        )
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        value = rng.choice([default, rng.randint(1, 9), rng.random(), *names, [*names][:2]])
        put(recipe, path.split("."), value)
    return recipe


def put(recipe: dict, keys: list, value: object) -> None:
    for key in keys[:-1]:
        if not isinstance(recipe.get(key), dict):
            recipe[key] = {}
        recipe = recipe[key]
    recipe[keys[-1]] = value


def nodes(value: object, depth: int = 0) -> list:
    """Return every map and list that holds something, with the keys of what it holds."""
    found = []
    if depth > 30:
        return found
    if isinstance(value, dict):
        found = [(value, key) for key in value]
    elif isinstance(value, list):
        found = [(value, i) for i in range(len(value))]
    return found + [pair for holder, key in found for pair in nodes(holder[key], depth + 1)]


def any_value(rng: random.Random, depth: int = 0) -> object:
    kind = rng.randrange(6 if depth < 3 else 4)
    if kind < 2:
        return rng.choice(NUMBERS)
    if kind < 4:
        return (
            rng.choice(TEXTS) if rng.random() < 0.5 else "".join(rng.choices("ab _.-\n\u00e9", k=5))
        )
    if kind == 4:
        return [any_value(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 3, 40)))]
    return {any_key(rng): any_value(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 3)))}


def any_key(rng: random.Random) -> object:
    return rng.choice((None, 1, 1.5, True, float("nan"), *TEXTS, *map(str, NUMBERS)))


def mutate(rng: random.Random, recipe: dict) -> None:
    """Change a recipe once, as a tree."""
    known = nodes(recipe)
    holder, key = rng.choice(known) if known else (recipe, "task")
    fields = sorted({p for kind in RECIPES.values() for p in leaves(kind)})
    kind = rng.randrange(11)
    if kind == 0:
        holder[key] = any_value(rng)
    elif kind == 1:
        put(recipe, rng.choice(fields).split("."), any_value(rng))
    elif kind == 2 and isinstance(holder, dict):
        holder[any_key(rng)] = holder.pop(key)
    elif kind == 3:
        del holder[key]
    elif kind == 4:
        other, at = rng.choice(known) if known else (recipe, "task")
        holder[key] = json.loads(json.dumps(other[at] if known else 1, default=str))
    elif kind == 5:
        for _ in range(rng.choice((3, 15, 19, 25, 90))):
            holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}
    elif kind == 6 and isinstance(holder.get(key) if isinstance(holder, dict) else None, str):
        letters = list(holder[key])
        rng.shuffle(letters)
        holder[key] = "".join(letters)
    elif kind == 7 and isinstance(holder[key], (int, float)):
        holder[key] = holder[key] * rng.choice((2, 10, -1, 0.5, 10**6))
    elif kind == 8 and isinstance(holder[key], list) and len(holder[key]) < 200:
        holder[key] *= rng.choice((0, 2, 40))
    elif kind == 9:
        put(
            recipe, rng.choice(fields).split("."), rng.choice((1, 2, 0.1, None, [], "last", [8, 8]))
        )
    else:
        put(recipe, ["seed"], rng.randrange(2**32))


def written(rng: random.Random, recipe: dict) -> str:
    """Return a recipe as text, in one of the styles of YAML."""
    style = rng.randrange(4)
    if style == 0:
        return json.dumps(recipe, default=str, ensure_ascii=rng.random() < 0.5)
    if style == 1:
        return str(flow(recipe))
    if style == 2:
        return "".join(f"{flow(key)}: {flow(value)}\n" for key, value in recipe.items())
    lines = []
    for key, value in recipe.items():
        if isinstance(value, dict) and value:
            lines.append(f"{flow(key)}:")
            lines += [f"  {flow(k)}: {flow(v)}" for k, v in value.items()]
        else:
            lines.append(f"{flow(key)}: {flow(value)}")
    return rng.choice(("\n", "\n", "\n", "\r\n")).join(lines) + "\n"


def damaged(rng: random.Random, text: str) -> bytes:
    """Return the bytes of a text, in three of ten tries damaged."""
    if rng.random() < 0.2:
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            end = at + rng.choice((0, 0, 1, 5, 30))
            text = text[:at] + rng.choice(SNIPPETS) + text[end:]
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data and rng.random() < 0.1:
        kind = rng.randrange(4)
        at = rng.randrange(len(data))
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[at:at] = rng.randbytes(8)
        else:
            return bytes(data).decode("utf-8", "replace").encode("utf-16")
    return bytes(data)


def graph(rng: random.Random, folder: Path, first: bytes) -> None:
    """Write recipes that extend one another, in chains and circles, and what is no recipe."""
    names = [f"r{i}.yaml" for i in range(rng.choice((1, 2, 3, 30)))]
    ends = [*names, ".", "nowhere.yaml", "/dev/zero", "a\\0b", "x" * 300, "../" * 900 + "x", "pipe"]
    for i, name in enumerate(names):
        following = names[i + 1] if i + 1 < len(names) and rng.random() < 0.9 else rng.choice(ends)
        (folder / name).write_text(f'extends: "{following}"\nmodel: {{units: {i + 1}}}\n')
    (folder / names[-1]).write_bytes(first)


def overrides(rng: random.Random) -> list[str]:
    fields = sorted({p for kind in RECIPES.values() for p in leaves(kind)})
    found = []
    for _ in range(rng.randint(1, 3)):
        value = rng.choice((str(flow(any_value(rng))), rng.choice(SNIPPETS), rng.choice(TEXTS)))
        path = rng.choice(
            (rng.choice(fields), rng.choice(TEXTS), "a" + ".b" * rng.choice((1, 9, 50)))
        )
        found.append(f"{path}{rng.choice(('=', '=', '=', ''))}{value}")
    return found


def unplain(rng: random.Random, recipe: dict) -> dict:
    """Return a recipe as Python may give it, with what no file can hold."""
    strange = (
        b"x" * 2000, {1, 2}, object(), 10**5000, np.int64(3), np.float32(0.1), np.arange(3),
        np.array(3), np.zeros((2, 2, 2)), (1, 2), range(3), 1j, Path("x"), np.str_("gru"),
    )  # fmt: skip
    holder, key = rng.choice(nodes(recipe) or [(recipe, "task")])
    if rng.random() < 0.3:
        circle: list = []
        circle.append(circle)
        holder[key] = circle
    elif isinstance(holder, dict) and rng.random() < 0.3:
        holder[rng.choice((None, (1, 2), b"a", 10**5000, frozenset(), np.int64(1)))] = 1
    else:
        holder[key] = rng.choice(strange)
    return recipe


PLACED = re.compile(r".*:\d+:\d+: .|--set|--seed: |recipe: |\d+ more errors are not shown", re.S)
SHAPELESS = re.compile(r".*: (no such file|cannot be read: )", re.S)


def test_recipes(attack, tmp_path, monkeypatch, record_property):
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    file = tmp_path / "recipe.yaml"
    again = tmp_path / "again.yaml"
    read = built = 0
    for number in attack.tries(FLOOR):
        rng = random.Random(number)
        recipe = json.loads(json.dumps(rng.choice(SEEDS))) if rng.random() < 0.5 else generated(rng)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
            mutate(rng, recipe)
        given: object = file
        if rng.random() < 0.1:
            given = unplain(rng, recipe)
        else:
            try:
                content = damaged(rng, written(rng, recipe))
            except (TypeError, RecursionError):  # json has no such key, or writes no such depth
                content = damaged(rng, str(flow(SEEDS[0])))
            if rng.random() < 0.05:
                graph(rng, tmp_path, content)
                given = tmp_path / "r0.yaml"
            else:
                file.write_bytes(content)
        sets = overrides(rng) if rng.random() < 0.15 else []
        begun = time.process_time()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            resolved = read_recipe(given, sets)  # type: ignore[arg-type]
        except RecipeError as error:
            for message in error.messages:
                if not (PLACED.match(message) or SHAPELESS.match(message)):
                    attack.escape(number, f"an error without a place: {message[:100]}")
                if not message.isprintable() or len(message) > 3000:
                    attack.escape(number, f"an error that cannot be shown: {message[:100]!r}")
            if not 1 <= len(error.messages) <= 51:
                attack.escape(number, f"{len(error.messages)} errors")
        except BaseException as error:
            attack.escape(number, f"{type(error).__name__}: {str(error)[:150]!r}")
        else:
            read += 1
            again.write_text(resolved.dump(), encoding="utf-8")
            try:
                second = read_recipe(again)
                if second.recipe != resolved.recipe or second.dump() != resolved.dump():
                    attack.escape(number, "reads otherwise when it is written whole")
                if read % 10 == 0:
                    built += 1
                    parameters = resolved.recipe.parameters()
                    module, name = ESTIMATORS[resolved.recipe.task]
                    module = importlib.import_module(f"seqkit.estimators.{module}")
                    getattr(module, name)(**parameters)._settings()
            except Exception as error:
                attack.escape(number, f"read, and then {type(error).__name__}: {str(error)[:150]}")
        if (seconds := time.process_time() - begun) > SECONDS:
            attack.escape(number, f"{seconds:.1f} seconds")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        if grown > MEGABYTES and built > 1:  # the first estimator imports its libraries
            attack.escape(number, f"{grown:.0f} MB")
    record_property("read", read)
    record_property("built", built)
    if attack.minutes is None and not attack.escaped:
        assert read > FLOOR / 10, "too few of the recipes are valid to say anything of those"
        assert built > FLOOR / 200
