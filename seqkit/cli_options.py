"""What commands share: options by name, what shows progress, and the module that does the work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from seqkit.system.collection import collection_paused
from seqkit.system.commands import progress_of
from seqkit.tasks import TASKS

__all__ = ["OPTIONS", "RECIPE", "RUN", "options", "saying", "working"]


def options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of these names, in this order, to a command."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = OPTIONS[name](function)
        return function

    return add


GUESSED = sorted(name for name, task in TASKS.items() if task.target != "labels")
OPTIONS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "set": click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help="Override a setting, for example --set model.units=[128]. May be repeated.",
    ),
    "seed": click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the run."),
    "out": click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("runs"),
        show_default=True,
        help="Folder that run folders are made in.",
    ),
    "name": click.option("--name", help="Name in the run folder's name; default: the recipe's."),
    "quiet": click.option("--quiet", is_flag=True, help="Print nothing but errors."),
    "json": click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
    ),
    "data": click.option(
        "--data", "data", metavar="FILE", help="Use this file (or glob) instead of the recipe's."
    ),
    "target": click.option("--target", help="Column to learn."),
    "time": click.option("--time", help="Column of time stamps."),
    "series_id": click.option("--series-id", help="Column that names the series."),
    "task": click.option("--task", type=click.Choice(GUESSED), help="What to learn."),
    "layout": click.option(
        "--layout",
        type=click.Choice(["long", "wide", "columns", "files"]),
        help="A row a time step, a row a series, a column a series, or a file a series.",
    ),
    "decimal": click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="Decimal mark of a text file, where it does not tell.",
    ),
    "raw_text": click.option(
        "--raw-text",
        is_flag=True,
        help="Write text into .csv as it is, though a spreadsheet may take it for a formula.",
    ),
    "output": click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        required=True,
        help="File to write: .csv or .parquet.",
    ),
}
RUN = click.argument("run", type=click.Path(path_type=Path))
RECIPE = click.argument("recipe", type=click.Path(path_type=Path))


@contextlib.contextmanager
def working(quiet: bool, as_json: bool) -> Iterator[tuple[Any, Any]]:
    """Give the module that does the work, and what shows it; says that it loads."""
    with saying(quiet or as_json, "loading seqkit") as show:
        yield _experiment(), show


@contextlib.contextmanager
def saying(quiet: bool, what: str) -> Iterator[Any]:
    """Give what shows progress, or None, after it has shown what is being done."""
    show = progress_of(quiet, False)
    with show or contextlib.nullcontext():
        if show:
            show.doing(what)
        yield show


def _experiment() -> Any:
    """Return the module that does the work; TensorFlow is set up when a network needs it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("MPLBACKEND", "Agg")
    from seqkit.system.deferred_import import lean_imports
    from seqkit.system.tensorflow_import import when_imported

    lean_imports()
    with collection_paused():
        from seqkit.runs import experiment

    when_imported(experiment.set_threads)
    return experiment
