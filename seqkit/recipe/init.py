"""A first recipe for a data file, with the reason for every guess beside it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seqkit.errors import RecipeError, explain
from seqkit.recipe.positions import parse, plain
from seqkit.recipe.schema import RECIPES, recipe_errors
from seqkit.recipe.writing import flow

if TYPE_CHECKING:
    from seqkit.data.inspect import DataSummary

__all__ = ["recipe_text", "write_recipe"]

DEFAULT_TEST = 0.2
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
    data: str | os.PathLike[str], output: str | os.PathLike[str], target: str | None = None
) -> str:
    """Read a data file and write a commented recipe that runs.

    Parameters
    ----------
    data : path
        A file, or a glob of which the first is looked at.
    output : path
        The recipe to write; it must not exist.
    target : str, optional
        Column to learn.

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
    from seqkit.data.inspect import inspect_data

    output = Path(output)
    if output.exists():
        raise RecipeError(f"{output}: exists already and is not overwritten. Name another file.")
    if not _is_text(str(data)):
        raise RecipeError(f"{data}: a recipe cannot name a file whose name is no UTF-8. Rename it.")
    look = inspect_data(os.fspath(data), target=target)
    text = recipe_text(look, output)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RecipeError(f"{output}: cannot be written: {error.strerror}.") from error
    found = [f"{look.path}: {_summary(look)}", *(f"  {note}" for note in look.notes)]
    return "\n".join([*found, f"wrote {output}; next: seqkit fit {output}"])


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
        raise RecipeError(
            explain(look.path, "the task", f"one of {', '.join(RECIPES)}", look.task or "unknown",
                    f"{why[:1].upper()}{why[1:]}. Name the column to learn with --target.")
        )  # fmt: skip
    folder = output.resolve().parent
    lines = [
        Line(0, "version", 1),
        Line(0, "task", look.task, look.reasons.get("task", "").removeprefix(f"{look.task}: ")),
        Line(0, "seed", 0, "of everything random"),
        Line(0, "data", heading=True),
        Line(1, "path", _relative(look.path, folder)),
    ]
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
        "# Guesses have their reason beside them. Every other setting has its default;",
        f"# see them with: seqkit check --show {output.name}",
    ]
    text = "\n".join([*header, *_rendered(lines)]) + "\n"
    errors = recipe_errors(plain(parse(text, output.name)))
    if errors:  # the file has something no recipe can say, such as a column used twice
        raise RecipeError(f"{look.path}: {f.text or f.dotted + ' ' + f.expected}" for f in errors)
    return text


def _summary(look: DataSummary) -> str:
    steps = f"{look.shortest}" if look.shortest == look.longest else (
        f"{look.shortest} to {look.longest}")  # fmt: skip
    words = [f"{look.n_series} series of {steps} steps"]
    if look.features:
        many = len(look.features) > 1
        words.append(f"{len(look.features)} numeric columns" if many else "1 numeric column")
    if look.n_classes is not None:
        words.append(f"{look.n_classes} classes")
    if look.n_missing:
        words.append(f"{look.n_missing} missing values")
    return f"{look.task}: {', '.join(words)}"


def _relative(path: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(os.path.abspath(path)).as_posix()


def _missing(look: DataSummary) -> list[Line]:
    if look.n_missing:
        return [Line(1, "missing", "interpolate", f"{look.n_missing} values are missing")]
    if "gaps" in look.reasons.get("frequency", ""):
        return [Line(1, "missing", "interpolate", "the time stamps have gaps")]
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
    if look.test_path:
        yield Line(1, "test_path", _relative(look.test_path, folder), why.get("test_path", ""))
    if look.layout:
        yield Line(1, "layout", look.layout, why.get("layout", ""))
    if look.target:
        yield Line(1, "target", look.target, why.get("target", ""))
    if look.layout and look.series_id:
        yield Line(1, "series_id", look.series_id, why.get("series_id", ""))
    if look.layout == "long":
        yield from _time(look)
        if len(look.features) <= LISTED:
            yield Line(1, "features", list(look.features), "numeric columns without another role")
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
    if look.frequency:
        yield Line(1, "frequency", look.frequency, why.get("frequency", ""))
    if look.series_id:
        yield Line(1, "series_id", look.series_id, why.get("series_id", ""))
    yield Line(1, "target", look.target, why.get("target", ""))
    others = [column for column in look.features if column != look.target]
    if others and len(others) <= LISTED:
        yield Line(1, "# past_covariates", others, "known up to now only; may help")
    yield from _missing(look)


def _forecasting_rest(look: DataSummary) -> Iterator[Line]:
    season, horizon, context = _sizes(look)
    yield Line(0, "forecast", heading=True)
    seasons = f"{context // season} seasons" if season > 1 and context % season == 0 else "steps"
    yield Line(1, "context_length", context, f"{seasons} of the past that the model sees")
    ahead = "a season" if horizon == season > 1 else "steps"
    yield Line(1, "horizon", horizon, f"{ahead} forecast at once; set what you need")
    yield Line(0, "evaluate", heading=True)
    yield Line(1, "season", season, look.reasons.get("season", "steps in a season"))


def _sizes(look: DataSummary) -> tuple[int, int, int]:
    """Return season, horizon and context length.

    The context is as many seasons, from two to seven, as leave every series three windows.
    """
    season, horizon = look.season or 1, look.horizon or 1
    context = look.context_length or horizon
    for seasons in (7, 5, 3):
        longer = seasons * season
        if season > 1 and longer > context and 3 * (longer + horizon) <= look.shortest:
            return season, horizon, longer
    return season, horizon, context


# text -----------------------------------------------------------------------------------------


def _rendered(lines: list[Line]) -> Iterator[str]:
    texts = [
        "  " * line.depth + (f"{line.key}:" if line.heading else f"{line.key}: {flow(line.value)}")
        for line in lines
    ]
    width = min(max(len(text) for text, line in zip(texts, lines, strict=True) if line.why), 40)
    for text, line in zip(texts, lines, strict=True):
        if line.heading or line.key == "version":
            yield ""
        if len(text) > width and len(text) + len(line.why) > LONGEST_LINE:
            yield f"{'  ' * line.depth}# {line.why}"
            yield text
        else:
            yield f"{text:<{width}}  # {line.why}" if line.why else text
