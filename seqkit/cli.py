"""The command line: options and messages, no logic.

TensorFlow and pandas load inside the commands that need them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seqkit import __version__
from seqkit.errors import DataError, ExportError, RecipeError, RunError, TrainingError
from seqkit.system.collection import collection_paused, collection_rare
from seqkit.system.console import open_streams, say

__all__ = ["cli", "main"]

USER_ERROR, FAILED = 2, 1
MOST_CHARACTERS = 2000  # of a line of an error
MISTAKES = (RecipeError, DataError, RunError, ExportError)


def _bounded(line: str) -> str:
    """Cut a line that data made long, but keep its end, which says how to correct it."""
    return line if len(line) <= MOST_CHARACTERS else f"{line[:1000]} ... {line[-500:]}"


class _Failure(click.ClickException):
    """An error that is shown as its message alone, with the exit status it has."""

    def __init__(self, error: BaseException, exit_code: int, as_json: bool) -> None:
        super().__init__("\n".join(map(_bounded, str(error).splitlines())))
        self.exit_code = exit_code  # type: ignore[misc]
        self.error = error
        self.as_json = as_json

    def show(self, file: Any = None) -> None:
        if self.as_json:
            messages = list(getattr(self.error, "messages", ())) or [self.message]
            messages = list(map(_bounded, messages))
            _print_json({"error": type(self.error).__name__, "messages": messages})
        elif isinstance(self.error, RecipeError):
            # one error a line and nothing else, as compilers do it and editors read it
            say(self.message, err=True)
        else:
            say(f"Error: {self.message}", err=True)


class _Command(click.Command):
    """A command whose errors are messages, never tracebacks, for what a user can correct."""

    def invoke(self, context: click.Context) -> Any:
        as_json = bool(context.params.get("as_json"))
        try:
            return super().invoke(context)
        except MISTAKES as error:
            raise _Failure(error, USER_ERROR, as_json) from error
        except TrainingError as error:
            raise _Failure(error, FAILED, as_json) from error
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # the last net
            raise _Failure(_unforeseen(error), FAILED, as_json) from error


def _unforeseen(error: Exception) -> RuntimeError:
    """Write the traceback of an error that was not foreseen into a log, and name the log."""
    text = "".join(traceback.format_exception(error))
    runs = sys.modules.get("seqkit.runs.folder")
    folder = None if runs is None else runs.RunFolder.current
    try:
        if folder is not None and folder.path.is_dir():
            folder.log(text)
            path = str(folder.path / "log.txt")
        else:
            handle, path = tempfile.mkstemp(prefix="seqkit-", suffix=".log")
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        where = f"The traceback is in {path}."
    except OSError as failed:
        where = f"The traceback could not be kept: {failed}."
    first = " ".join(str(error).split())
    shown = first if len(first) <= 200 else first[:200] + "..."
    return RuntimeError(
        f"seqkit stopped at something it did not foresee, {type(error).__name__}: {shown}. {where}"
    )


class _Group(click.Group):
    command_class = _Command


def _print_json(document: Any, indent: int | None = None) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent, allow_nan=False)
    say(text)


def _options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of these names, in this order, to a command."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = OPTIONS[name](function)
        return function

    return add


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


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seqkit")
def cli() -> None:
    """Recurrent sequence models from a short recipe.

    A recipe is a YAML file: seqkit init writes one for your data, seqkit fit trains it,
    evaluates it beside baselines and keeps everything in a run folder.
    """


@cli.command()
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@_options("set", "out", "name", "seed", "quiet", "json")
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a broken-off run."
)
@click.option(
    "--dry-run", is_flag=True, help="Read the data, build the model, show it, train nothing."
)
def fit(
    recipe: Path | None,
    overrides: tuple[str, ...],
    out: Path,
    name: str | None,
    seed: int | None,
    quiet: bool,
    as_json: bool,
    resume: Path | None,
    dry_run: bool,
) -> None:
    """Train the model of RECIPE, evaluate it and save it in a new run folder."""
    if (recipe is None) == (resume is None):
        raise click.UsageError("Give a recipe, or --resume RUN, and not both.")
    if resume is not None and (overrides or name or seed is not None or dry_run):
        raise click.UsageError("--resume goes on as the run began: it takes no other setting.")
    experiment = _experiment()
    if resume is not None:
        result = experiment.resume(resume, show=_show(quiet, as_json))
    else:
        from seqkit.recipe.reading import read_recipe

        assert recipe is not None  # for the type checker: said above
        resolved = read_recipe(recipe, overrides=overrides, seed=seed)
        if dry_run:
            plan = experiment.dry_run(resolved)
            if as_json:
                _print_json(plan.document)
            elif not quiet:
                say(plan.text)
            return
        result = experiment.run(
            resolved,
            out=out,
            name=name,
            command=" ".join(["seqkit", *sys.argv[1:]]),
            show=_show(quiet, as_json),
        )
    _print_result(result, quiet, as_json)


@cli.command()
@RECIPE
@_options("set", "seed", "json")
@click.option("--show", is_flag=True, help="Print every setting and where its value came from.")
@click.option("--data", "with_data", is_flag=True, help="Read the data as well.")
def check(
    recipe: Path,
    overrides: tuple[str, ...],
    seed: int | None,
    as_json: bool,
    show: bool,
    with_data: bool,
) -> None:
    """Check RECIPE and report all its errors together; trains nothing."""
    from seqkit.recipe.reading import read_recipe

    resolved = read_recipe(recipe, overrides=overrides, seed=seed)
    lines = [resolved.annotated()] if show else []
    document: dict[str, Any] = {"recipe": str(recipe), "valid": True}
    if show:
        document["settings"] = resolved.as_dict()
    if with_data:
        from seqkit.runs.flows import check_data

        sizes = check_data(resolved)
        document["data"] = sizes
        lines += [f"{name}: {value}" for name, value in sizes.items()]
    if as_json:
        _print_json(document)
        return
    say("\n".join([*lines, f"{recipe}: no errors"]))


@cli.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--target", help="Column to learn.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("recipe.yaml"),
    show_default=True,
    help="Recipe to write; must not exist.",
)
@_options("quiet")
def init(data: Path, target: str | None, output: Path, quiet: bool) -> None:
    """Read the file DATA and write a commented recipe that runs."""
    from seqkit.recipe.init import write_recipe

    text = write_recipe(data, output, target=target)
    if not quiet:
        say(text)


@cli.command("list")
@click.argument("what", required=False)
@_options("json")
def list_(what: str | None, as_json: bool) -> None:
    """List cells, tasks, datasets, metrics, baselines, readers, exports ..."""
    from seqkit.listing import list_table, list_text

    if as_json:
        _print_json(list_table(what))
    else:
        say(list_text(what))


@cli.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
def schema(output: Path | None) -> None:
    """Print the JSON schema of recipes, for editors."""
    from seqkit.recipe.schema import json_schema

    if output is None:
        _print_json(json_schema(), indent=2)
        return
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}.") from error


@cli.command()
@RUN
@_options("data", "quiet", "json")
def evaluate(run: Path, data: str | None, quiet: bool, as_json: bool) -> None:
    """Score a run on its test part, or on --data, beside the baselines."""
    _print_result(_experiment().evaluate(run, data), quiet, as_json)


@cli.command()
@RUN
@click.argument("data")
@_options("output", "raw_text", "quiet", "json")
@click.option("--proba", is_flag=True, help="The probability of every class.")
def predict(
    run: Path, data: str, output: Path, raw_text: bool, quiet: bool, as_json: bool, proba: bool
) -> None:
    """Write what the model of RUN predicts for the series in DATA."""
    result = _experiment().predict(run, data, output, proba=proba, raw_text=raw_text)
    _print_result(result, quiet, as_json)


@cli.command()
@RUN
@_options("data", "quiet", "json")
@click.option("--horizon", type=click.IntRange(1), help="Steps to forecast; default: as trained.")
@click.option(
    "--future", metavar="FILE", help="The future covariates over the horizon, where there are any."
)
@click.option(
    "--interval",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Add an interval meant to hold this share of true values, from errors on the test part.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write as well.")
@_options("raw_text")
def forecast(
    run: Path,
    data: str | None,
    quiet: bool,
    as_json: bool,
    horizon: int | None,
    future: str | None,
    interval: float | None,
    output: Path | None,
    raw_text: bool,
) -> None:
    """Forecast what comes after the end of every series."""
    result = _experiment().forecast(
        run,
        data,
        horizon=horizon,
        future=future,
        interval=interval,
        output=output,
        raw_text=raw_text,
    )
    _print_result(result, quiet, as_json)


@cli.command()
@RUN
@click.option("--format", "format", required=True, help="A format of: seqkit list exports.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File or folder to write.",
)
@_options("quiet", "json")
def export(run: Path, format: str, output: Path, quiet: bool, as_json: bool) -> None:
    """Write the model of RUN in a format that runs elsewhere."""
    _print_result(_experiment().export(run, format, output), quiet, as_json)


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


def _show(quiet: bool, as_json: bool) -> Any:
    """Return how progress is shown, or None for not at all."""
    if quiet or as_json:
        return None
    from seqkit.system.progress import Progress

    return Progress()


def _print_result(result: Any, quiet: bool, as_json: bool) -> None:
    """Print what a command returns: `result` has a ``document`` and can ``print`` itself."""
    if as_json:
        _print_json(result.document)
    elif not quiet:
        result.print()


def main() -> None:
    """Run the command line."""
    open_streams()
    os.environ["KERAS_BACKEND"] = "tensorflow"  # of this process, whatever other programs use
    try:
        os.getcwd()
    except OSError as error:
        say(f"Error: the working folder cannot be used: {error.strerror}. Go to one that exists "
            "(cd), then try again.", err=True)  # fmt: skip
        sys.exit(USER_ERROR)
    status = 0
    try:
        with collection_rare():
            cli(standalone_mode=False)
    except click.Abort:
        say("Aborted.", err=True)
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    failure = getattr(sys.stdout, "failure", None)  # the work is done, but the message was lost
    if failure is not None and not isinstance(failure, BrokenPipeError):
        say(f"Error: standard output cannot be written: {failure.strerror}.", err=True)
    sys.exit(status or (0 if failure is None else FAILED))


if __name__ == "__main__":
    main()
