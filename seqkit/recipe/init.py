"""A first recipe for a data file, with the reason for every guess beside it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from seqkit.data.embedded import DATASETS
from seqkit.data.paths import is_url
from seqkit.errors import RecipeError, explain
from seqkit.recipe.completion import complete
from seqkit.recipe.positions import parse, plain
from seqkit.recipe.schema import RECIPES, Recipe, recipe_errors
from seqkit.recipe.writing import flow
from seqkit.system.notes import captured

if TYPE_CHECKING:
    from seqkit.data.summaries import DataSummary, Wanted

__all__ = ["look_at", "recipe_text", "write_recipe"]

DEFAULT_TEST = 0.2
# Facts of the file that a recipe says even where the toolkit would find them by itself.
ALWAYS = ("version", "task", "path", "dataset", "target", "time", "series_id", "label_from")
LISTED = 30  # columns named one by one
LONGEST_LINE = 90  # beyond it the reason goes above


class Line(NamedTuple):
    """One line of a recipe: a setting, or a heading where there is no value."""

    depth: int
    key: str
    value: Any = None
    why: str = ""
    heading: bool = False


def write_recipe(
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    target: str | None = None,
    *,
    time: str | None = None,
    series_id: str | None = None,
    task: str | None = None,
    layout: str | None = None,
    season: int | None = None,
    horizon: int | None = None,
    decimal: str | None = None,
    force: bool = False,
) -> str:
    """Read a data file and write a commented recipe that runs.

    Parameters
    ----------
    data : path or str
        A file, a folder, a pattern, or the name of an embedded set.
    output : path
        The recipe to write; it must not exist, unless with `force`.
    target, time, series_id : str, optional
        Columns: what to learn, the time stamps, the names of the series.
    task : {"classification", "regression", "forecasting"}, optional
    layout : {"long", "wide", "columns", "files"}, optional
    season, horizon : int, optional
        Of forecasting, in time steps.
    decimal : {".", ","}, optional
        The decimal mark of a text file, where it could be read in two ways.
    force : bool, default=False
        Write over a recipe that is there.

    Returns
    -------
    str
        What was found, for the user.

    Raises
    ------
    seqkit.errors.DataError
        If the file cannot be read.
    seqkit.errors.RecipeError
        If `output` exists, or the file does not tell what is to be learned from it.
    """
    from seqkit.data.summaries import Wanted

    output = Path(output)
    if output.exists() and not force:
        raise RecipeError(
            f"{output}: exists already and is not overwritten. Name another file, or --force."
        )
    if not _is_text(str(data)):
        raise RecipeError(f"{data}: a recipe cannot name a file whose name is no UTF-8. Rename it.")
    wanted = Wanted(target, time, series_id, task, layout, season, horizon, decimal)
    with captured() as said:
        look = look_at(os.fspath(data), wanted)
    _check_wanted(look, wanted)
    text = recipe_text(look, output)
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RecipeError(f"{output}: cannot be written: {error.strerror}.") from error
    found = [f"{data}: {_summary(look)}", *said, *(f"note: {note}" for note in look.notes)]
    return "\n".join([*found, f"wrote {output}; next: seqkit fit {output}"])


def look_at(data: str, wanted: Wanted) -> DataSummary:
    """Return what a file, or an embedded set of this name, seems to hold."""
    from seqkit.data.inspect import inspect_data

    if not _is_embedded(data):
        return inspect_data(data, wanted=wanted)
    if wanted.decimal is not None:
        hint = "An embedded set has no text to be read."
        raise RecipeError(explain(data, "--decimal", "left out", wanted.decimal, hint))
    return _embedded(data, wanted)


def _is_embedded(data: str) -> bool:
    """Whether this is the name of an embedded set, and not that of a file."""
    return data in DATASETS and not os.path.exists(data)


def _embedded(name: str, wanted: Wanted) -> DataSummary:
    """Look at an embedded set as at a file of it."""
    from tempfile import TemporaryDirectory

    import numpy as np

    from seqkit.data.embedded import load
    from seqkit.data.inspect import inspect_data

    loaded = load(name)
    with TemporaryDirectory() as folder:
        if loaded.frame is not None:
            file = os.path.join(folder, "frame.csv")
            loaded.frame.to_csv(file, index=False)
        else:
            train = loaded.train
            assert train is not None  # for the type checker: it is one or the other
            file = os.path.join(folder, "series.npz")
            lengths = train.lengths
            X = np.full((len(train), lengths.max(), len(train.features)), np.nan)
            X[np.arange(lengths.max()) < lengths[:, None]] = train.values
            np.savez(file, X=X, lengths=lengths, y=np.asarray(train.y))
        look = inspect_data(file, wanted=wanted)
    # a labelled set has a test part of its own, which stands for one that was found
    own = None if loaded.test is None else name
    return replace(look, path=name, test_path=own, files=())


def _check_wanted(look: DataSummary, wanted: Wanted) -> None:
    """Raise where the user asked for what is of another task, or too far ahead."""
    where = str(look.path)
    if look.task != "forecasting":
        for name in ("season", "horizon"):
            if (given := getattr(wanted, name)) is not None:
                expected = "absent unless the task is forecasting"
                raise RecipeError(explain(where, f"--{name}", expected, given))
    elif wanted.horizon is not None and 2 * wanted.horizon >= look.longest:
        expected = f"below half of the longest series, {look.longest} steps"
        hint = "As many steps are kept for the test, and more are needed to learn from."
        raise RecipeError(explain(where, "--horizon", expected, wanted.horizon, hint))


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def recipe_text(look: DataSummary, output: Path) -> str:
    """Return the text of a recipe for what a file seems to hold.

    Parameters
    ----------
    look : seqkit.data.inspect.DataSummary
    output : Path
        Where the recipe will be; paths in it are relative to its folder.
    """
    if look.task not in RECIPES:
        why = look.reasons.get("task", "the file has no labels and no targets")
        mend = "Name the column to learn with --target."
        if look.target and not look.series_id:
            mend = "Or is there a column that tells series apart? Name it with --series-id."
        hint = f"{why[:1].upper()}{why[1:]}. {mend}"
        expected = f"one of {', '.join(RECIPES)}"
        raise RecipeError(
            explain(str(look.path), "the task", expected, look.task or "unknown", hint)
        )
    folder = output.resolve().parent
    lines = [
        Line(0, "version", 1),
        Line(0, "task", look.task, look.reasons.get("task", "").removeprefix(f"{look.task}: ")),
        Line(0, "data", heading=True),
    ]
    if isinstance(look.path, str) and _is_embedded(look.path):
        lines.append(Line(1, "dataset", look.path, "comes with seqkit"))
    else:
        many = f"{len(look.files)} files" if len(look.files) > 1 else ""
        lines.append(Line(1, "path", _relative(look.path, folder), many))
        lines += [Line(1, "decimal", look.decimal, "as given")] if look.decimal else []
    if look.task == "forecasting":
        lines += [*_forecasting_data(look), *_forecasting_rest(look)]
    else:
        lines += [*_series_data(look, folder), *_series_rest(look)]
    header = [
        "# yaml-language-server: $schema=recipe.schema.json",
        "#",
        f"# {_summary(look)}",
        "#",
        *(f"# Note: {note}" for note in look.notes),
        *(["#"] if look.notes else []),
        "# What differs from the defaults, with the reason beside it. Every setting there is:",
        f"# seqkit check --show {output.name}",
    ]
    text = "\n".join([*header, *_rendered(_needed(lines))]) + "\n"
    errors = recipe_errors(plain(parse(text, output.name)))
    if errors:  # the file has something no recipe can say, such as a column used twice
        raise RecipeError(f"{look.path}: {f.text or f.dotted + ' ' + f.expected}" for f in errors)
    return text


def _needed(lines: list[Line]) -> list[Line]:
    """Return the lines without those that say what the toolkit does by itself."""
    kept = list(lines)
    for line in lines:
        if line.heading or line.key in ALWAYS or line.key.startswith("#"):
            continue
        without = [other for other in kept if other is not line]
        with contextlib.suppress(ValidationError):  # a line that cannot be missing
            if _completed(without) == _completed(kept):
                kept = without
    return [
        line for i, line in enumerate(kept)
        if not line.heading or any(other.depth > line.depth for other in kept[i + 1 : i + 2])
    ]  # fmt: skip


def _completed(lines: list[Line]) -> Recipe:
    values = plain(parse("\n".join(map(_written, lines)), "recipe"))
    values = {key: {} if value is None else value for key, value in values.items()}
    return complete(RECIPES[values["task"]].model_validate(values))


def _written(line: Line) -> str:
    value = ":" if line.heading else f": {flow(line.value)}"
    return "  " * line.depth + line.key + value


def _summary(look: DataSummary) -> str:
    steps = f"{look.shortest}" if look.shortest == look.longest else (
        f"{look.shortest} to {look.longest}")  # fmt: skip
    words = [f"{look.n_series} series of {steps} steps"]
    if look.features and look.layout != "columns":
        many = len(look.features) > 1
        words.append(f"{len(look.features)} numeric columns" if many else "1 numeric column")
    if look.n_classes is not None:
        words.append(f"{look.n_classes} classes")
    if look.n_missing:
        words.append(f"{look.n_missing} missing values")
    return f"{look.task}: {', '.join(words)}"


def _relative(path: Any, folder: Path) -> Any:
    """Return paths from a folder; a URL as it is."""
    if isinstance(path, list):
        return [_relative(one, folder) for one in path]
    if is_url(path):
        return path
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(os.path.abspath(path)).as_posix()


def _missing(look: DataSummary) -> list[Line]:
    if look.n_missing:
        return [Line(1, "missing", "interpolate", f"{look.n_missing} values are missing")]
    if look.task == "forecasting" and "missing" in look.reasons:
        return [Line(1, "missing", "interpolate", look.reasons["missing"])]
    return []


def _time(look: DataSummary) -> Iterator[Line]:
    if look.time:
        time = look.time if isinstance(look.time, str) else list(look.time)
        yield Line(1, "time", time, look.reasons.get("time", ""))
    if any("data.day_first" in note for note in look.notes):
        yield Line(1, "# day_first", True, "or false: both are regular; say which")
    if look.sort:
        yield Line(1, "sort", True, look.reasons.get("sort", ""))


# series ---------------------------------------------------------------------------------------


def _series_data(look: DataSummary, folder: Path) -> Iterator[Line]:
    why = look.reasons
    if look.test_path and look.test_path != look.path:
        yield Line(1, "test_path", _relative(look.test_path, folder), why.get("test_path", ""))
    if look.layout:
        yield Line(1, "layout", look.layout, why.get("layout", ""))
    if isinstance(label := look.label_from, dict) and "table" in label:
        label = {**label, "table": _relative(label["table"], folder)}
    if label:
        yield Line(1, "label_from", label, why.get("label_from", ""))
    if look.target:
        yield Line(1, "target", look.target, why.get("target", ""))
    if look.layout and look.series_id:
        yield Line(1, "series_id", look.series_id, why.get("series_id", ""))
    if look.layout == "long":
        yield from _time(look)
        if len(look.features) <= LISTED:
            why_ = "by default: numeric columns without another role"
            yield Line(1, "# features", list(look.features), why_)
    yield from _missing(look)
    if not look.test_path:
        yield Line(1, "split", *_test_part(look))


def _test_part(look: DataSummary) -> tuple[dict[str, Any], str]:
    """Return a test part that holds every class, and leaves every class to be learned."""
    if look.task != "classification" or not look.n_classes or not look.smallest_class:
        return {"test": DEFAULT_TEST}, "a fraction of the series"
    if look.smallest_class < 2:
        why = "a class has one series: no two parts can hold it; bring more, or leave it out"
        return {"method": "random", "test": DEFAULT_TEST}, why
    test = max(DEFAULT_TEST, math.ceil(100 * look.n_classes / look.n_series) / 100)
    if test > DEFAULT_TEST:
        return {"test": test}, f"a fraction of the series: one of each of {look.n_classes} classes"
    return {"test": test}, "a fraction of the series, every class in the same proportion"


def _series_rest(look: DataSummary) -> Iterator[Line]:
    if look.task == "classification" and look.n_classes and look.smallest_class:
        fair = look.n_series / look.n_classes
        if look.smallest_class < fair / 2:
            yield Line(0, "train", heading=True)
            yield Line(1, "class_weight", "balanced", f"the rarest class has {look.smallest_class}")


# forecasting ----------------------------------------------------------------------------------


def _forecasting_data(look: DataSummary) -> Iterator[Line]:
    why = look.reasons
    yield from _time(look)
    if look.frequency:  # the toolkit infers it in the same way, and says so
        yield Line(1, "# frequency", look.frequency, f"inferred: {why.get('frequency', '')}")
    if look.layout == "columns":
        yield Line(1, "layout", "columns", why["layout"].removeprefix("columns: "))
        yield from _missing(look)
        return
    if look.layout == "files":
        yield Line(1, "layout", "files", why["layout"])
    elif look.series_id:
        yield Line(1, "series_id", look.series_id, why.get("series_id", ""))
    yield Line(1, "target", look.target, why.get("target", ""))
    others = [column for column in look.features if column != look.target]
    if others and len(others) <= LISTED:
        yield Line(1, "# past_covariates", others, "known up to now only; may help")
    yield from _missing(look)


def _forecasting_rest(look: DataSummary) -> Iterator[Line]:
    why = look.reasons
    # what was not asked for the fit decides by the same rule: shown, for who wants to change it
    asked = {name: why[name] == "as given" for name in ("horizon", "season")}
    off = "" if asked["horizon"] else "# "
    yield Line(0, f"{off}forecast", heading=True)
    yield Line(1, "# context_length", look.context_length, why["context"])
    yield Line(1, f"{off}horizon", look.horizon, why["horizon"])
    off = "" if asked["season"] else "# "
    yield Line(0, f"{off}evaluate", heading=True)
    yield Line(1, f"{off}season", look.season, why["season"])


# text -----------------------------------------------------------------------------------------


def _rendered(lines: list[Line]) -> Iterator[str]:
    texts = [_written(line) for line in lines]
    width = min(max(len(text) for text, line in zip(texts, lines, strict=True) if line.why), 40)
    for text, line in zip(texts, lines, strict=True):
        if line.heading or line.key == "version":
            yield ""
        if len(text) > width and len(text) + len(line.why) > LONGEST_LINE:
            yield f"{'  ' * line.depth}# {line.why}"
            yield text
        else:
            yield f"{text:<{width}}  # {line.why}" if line.why else text
