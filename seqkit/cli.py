"""The command line: options and messages, no logic.

TensorFlow and pandas load inside the commands that need them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seqkit import __version__
from seqkit.cli_options import RUN
from seqkit.cli_options import options as _options
from seqkit.cli_options import saying as _saying
from seqkit.cli_options import working as _working
from seqkit.cli_runs import RUN_COMMANDS
from seqkit.errors import DataError
from seqkit.system.collection import collection_rare
from seqkit.system.commands import FAILED, USER_ERROR, Group, print_json, print_result
from seqkit.system.console import open_streams, say, say_lines

__all__ = ["cli", "main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seqkit")
def cli() -> None:
    """Recurrent sequence models from a short recipe.

    A recipe is a YAML file: seqkit init writes one for your data, seqkit fit trains it,
    evaluates it beside baselines and keeps everything in a run folder.
    """


@cli.command(
    examples=(
        "seqkit fit recipe.yaml",
        "seqkit fit recipe.yaml --dry-run",
        "seqkit fit recipe.yaml --epochs 5 --set model.units=32",
        "seqkit fit recipe.yaml --data other.csv --name other",
        "seqkit fit recipe.yaml --start RUN --set train.freeze=[encoder]",
        "seqkit fit --resume RUN",
    )
)
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@click.option("--epochs", type=click.IntRange(1), help="Short for --set train.epochs=N.")
@click.option("--data", metavar="FILE",
              help="Short for --set data.path=FILE; a file, or a glob in quotes.")  # fmt: skip
@_options("set", "out", "name", "seed", "quiet", "json")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
              help="Go on with a broken-off run.")  # fmt: skip
@click.option("--start", metavar="RUN", help="Short for --set train.start=RUN: begin from its fit.")
@click.option("--dry-run", is_flag=True,
              help="Read the data, build the model, show it, train nothing.")  # fmt: skip
def fit(
    recipe: Path | None,
    epochs: int | None,
    data: str | None,
    overrides: tuple[str, ...],
    out: Path,
    name: str | None,
    seed: int | None,
    quiet: bool,
    as_json: bool,
    resume: Path | None,
    start: str | None,
    dry_run: bool,
) -> None:
    """Train the model of RECIPE, evaluate it and save it in a new run folder."""
    if (recipe is None) == (resume is None):
        raise click.UsageError("Give a recipe, or --resume RUN, and not both.")
    if data is not None:  # in place of what the recipe reads
        overrides = (*overrides, "data.dataset=null", f"data.path={json.dumps(data)}")
    if epochs is not None:
        overrides = (*overrides, f"train.epochs={epochs}")
    if start is not None:
        overrides = (*overrides, f"train.start={json.dumps(start)}")
    if resume is not None and (overrides or name or seed is not None or dry_run):
        raise click.UsageError("--resume goes on as the run began: it takes no other setting.")
    resolved = None
    if recipe is not None:  # before anything heavy: errors of a recipe come at once
        from seqkit.recipe.reading import read_recipe

        resolved = read_recipe(recipe, overrides=overrides, seed=seed)
    with _working(quiet, as_json) as (experiment, show):
        if resolved is None:
            result = experiment.resume(resume, show=show)
        elif dry_run:
            result = experiment.dry_run(resolved)
        else:
            command = " ".join(["seqkit", *sys.argv[1:]])
            result = experiment.run(resolved, out=out, name=name, command=command, show=show)
    print_result(result, quiet, as_json)


@cli.command(
    examples=(
        "seqkit check recipe.yaml",
        "seqkit check recipe.yaml --data --describe",
        "seqkit check --data sales.csv --target sales",
    )
)
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@_options("set", "seed", "json")
@click.option("--show", is_flag=True, help="Print every setting and where its value came from.")
@click.option(
    "--data",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Read the data as well, and say what is wrong with them: those of RECIPE, or this file.",
)
@click.option("--describe", is_flag=True, help="Say what is in the data, and what looks wrong.")
@_options("target", "time", "series_id", "task", "layout", "decimal")
def check(
    recipe: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    as_json: bool,
    show: bool,
    data: str | None,
    describe: bool,
    **wanted: Any,
) -> None:
    """Check RECIPE and report all its errors together; trains nothing.

    With --data the status is 1 where a finding is an error or a warning. A file without a recipe is
    read as seqkit init would read it.
    """
    from seqkit.runs.checking import check_asked

    checked = check_asked(recipe, data, overrides, seed, show, describe, wanted)
    print_result(checked, False, as_json)
    if checked.failed:
        sys.exit(FAILED)


@cli.command(
    examples=(
        "seqkit init sales.csv",
        "seqkit init sales.csv --target sales --horizon 6 -o short.yaml",
        "seqkit init airline -o airline.yaml",
        "seqkit init walks/ -o walks.yaml",
    )
)
@click.argument("data", metavar="DATA")
@_options("target", "time", "series_id", "task", "layout", "decimal")
@click.option("--season", type=click.IntRange(1), help="Steps in a season, of forecasting.")
@click.option("--horizon", type=click.IntRange(1), help="Steps to forecast at once.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("recipe.yaml"),
              show_default=True, help="Recipe to write.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over a recipe that is there.")
@_options("quiet")
def init(data: str, output: Path, quiet: bool, **wanted: Any) -> None:
    """Read DATA and write a commented recipe that runs.

    DATA is a file, a folder, a pattern in quotes, or the name of an embedded set.
    """
    from seqkit.recipe.init import write_recipe

    with _saying(quiet, f"looking at {data}"):
        text = write_recipe(data, output, **wanted)
    if not quiet:
        say_lines(text.splitlines())


@cli.command(
    examples=(
        "seqkit describe sales.csv",
        "seqkit describe recipe.yaml",
        "seqkit describe sales.csv --target sales -o page.html",
    )
)
@click.argument("data", metavar="DATA")
@_options("target", "time", "series_id", "task", "layout", "decimal")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Page to write: .html.")
@_options("json")
def describe(data: str, output: Path | None, as_json: bool, **wanted: Any) -> None:
    """Say what is in DATA: sizes, gaps, classes, duplicates, leaks ...

    DATA is a file, a folder, a pattern in quotes, the name of an embedded set, or a recipe: then
    its data are read as it says.
    """
    if data.endswith((".yaml", ".yml")):
        from seqkit.recipe.reading import read_recipe

        if given := [name for name, value in wanted.items() if value is not None]:
            option = f"--{given[0].replace('_', '-')}"
            raise click.UsageError(f"{option} is for data; {data} is a recipe, which says it.")
        resolved = read_recipe(data)
    with _saying(as_json, f"reading {data}"):
        from seqkit.runs import describing

        if data.endswith((".yaml", ".yml")):
            found = describing.describe_recipe(resolved)
        else:
            from seqkit.data.summaries import Wanted

            found = describing.describe_data(data, Wanted(**wanted))
    if output is not None:
        from seqkit.report.description import write_page

        write_page(found.document, output)
    print_result(found, False, as_json)


@cli.command("list", examples=("seqkit list", "seqkit list cells", "seqkit list runs"))
@click.argument("what", required=False)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_options("json")
def list_(what: str | None, folder: Path | None, as_json: bool) -> None:
    """List runs, cells, tasks, datasets, metrics, baselines, readers, exports ...

    seqkit list runs FOLDER lists those of a FOLDER; default: runs.
    """
    from seqkit.listing import RUNS, list_table, list_text

    if what == RUNS:
        from seqkit.runs.catalog import list_runs

        print_result(list_runs(folder or Path(RUNS)), False, as_json)
        return
    if folder is not None:
        raise click.UsageError(f"a folder has {RUNS}: seqkit list {RUNS} {folder}")
    if as_json:
        print_json(list_table(what))
    else:
        say(list_text(what))


@cli.command(examples=("seqkit schema -o recipe.schema.json",))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
def schema(output: Path | None) -> None:
    """Print the JSON schema of recipes, for editors."""
    from seqkit.recipe.schema import json_schema

    if output is None:
        print_json(json_schema(), indent=2)
        return
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}.") from error


@cli.command(examples=("seqkit evaluate RUN", "seqkit evaluate RUN --data other.csv"))
@RUN
@_options("data", "quiet", "json")
def evaluate(run: Path, data: str | None, quiet: bool, as_json: bool) -> None:
    """Score a run on its test part, or on --data, beside the baselines."""
    with _working(quiet, as_json) as (experiment, _):
        result = experiment.evaluate(run, data)
    print_result(result, quiet, as_json)


def _interval(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    share = click.FloatRange(0, 1, min_open=True, max_open=True)
    return click.option("--interval", type=share, metavar="SHARE", help=words)


@cli.command(
    examples=(
        "seqkit predict RUN other.csv -o answers.csv",
        "seqkit predict RUN other.csv -o answers.parquet --proba",
    )
)
@RUN
@click.argument("data")
@_options("output", "raw_text", "quiet", "json")
@click.option("--proba", is_flag=True, help="The probability of every class.")
@_interval("The interval that holds this share of true values, of a calibrated regression.")
def predict(run: Path, data: str, output: Path, quiet: bool, as_json: bool, **wanted: Any) -> None:
    """Write what the model of RUN predicts for the series in DATA."""
    with _working(quiet, as_json) as (experiment, _):
        result = experiment.predict(run, data, output, **wanted)
    print_result(result, quiet, as_json)


@cli.command(
    examples=(
        "seqkit forecast RUN",
        "seqkit forecast RUN --data other.csv --interval 0.8 -o forecast.csv",
    )
)
@RUN
@_options("data", "quiet", "json")
@click.option("--horizon", type=click.IntRange(1), help="Steps to forecast; default: as trained.")
@click.option("--future", metavar="FILE",
              help="The future covariates over the horizon, where there are any.")  # fmt: skip
@_interval("Add one meant to hold this share of true values, from errors on the test part.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write as well.")
@_options("raw_text")
def forecast(run: Path, data: str | None, quiet: bool, as_json: bool, **wanted: Any) -> None:
    """Forecast what comes after the end of every series."""
    with _working(quiet, as_json) as (experiment, _):
        result = experiment.forecast(run, data, **wanted)
    print_result(result, quiet, as_json)


@cli.command(examples=('seqkit generate RUN --steps 500 --start "ROMEO:" --temperature 0.8',))
@RUN
@click.option("--steps", type=click.IntRange(1), required=True, help="Tokens, or steps, to draw.")
@click.option("--start", metavar="TEXT|FILE", help="How it begins; words are parted by blanks. Of "
              "labels or numbers a file, whose first series it is.")  # fmt: skip
@click.option("--temperature", type=click.FloatRange(0), default=1.0, show_default=True,
              help="Below 1 more of what is probable; 0 = the most probable always.")  # fmt: skip
@click.option("--top-k", type=click.IntRange(1),
              help="Draw among so many most probable tokens, or labels of a step.")  # fmt: skip
@click.option("--threshold", type=click.FloatRange(0, 1, max_open=True), default=0.0,
              help="Labels less probable are not drawn.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="A .csv or .parquet, a column for each label or number of a step.")  # fmt: skip
@_options("seed", "quiet", "json")
def generate(
    run: Path, steps: int, output: Path | None, quiet: bool, as_json: bool, **wanted: Any
) -> None:
    """Go on with a series by a RUN that tells the next token, or the next labels or numbers."""
    with _working(quiet, as_json) as (experiment, _):
        result = experiment.generate(run, steps, output, **wanted)
    print_result(result, quiet, as_json)


@cli.command(examples=("seqkit export RUN --format keras -o model.keras",))
@RUN
@click.option("--format", "format", required=True, help="A format of: seqkit list exports.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="File or folder to write.")  # fmt: skip
@click.option("--streaming", is_flag=True, help="One step: states in, states out.")
@click.option("--verify/--no-verify", default=True, show_default=True,
              help="Compare its answers with those of RUN; its metadata say if not.")  # fmt: skip
@_options("quiet", "json")
def export(run: Path, quiet: bool, as_json: bool, **wanted: Any) -> None:
    """Write the model of RUN in a format that runs elsewhere."""
    with _working(quiet, as_json) as (experiment, _):
        result = experiment.export(run, **wanted)
    print_result(result, quiet, as_json)


@cli.command(examples=("seqkit reproduce RUN",))
@RUN
@_options("quiet", "json")
def reproduce(run: Path, quiet: bool, as_json: bool) -> None:
    """Train RUN again and say whether all is equal bit for bit.

    The exit status is 0 if it is; 3 if it is not: then the first epoch and the first parameter
    that differ are named, and what is another environment. RUN is not altered.
    """
    with _working(quiet, as_json) as (_, show):
        from seqkit.runs import reproducing

        result = reproducing.reproduce(run, show=show)
    print_result(result, quiet, as_json)


for _command in RUN_COMMANDS:
    cli.add_command(_command)

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SEQKIT_COMPLETE"  # where click looks for what a shell asks


@cli.command(
    examples=(
        "seqkit completion bash >> ~/.bashrc",
        "seqkit completion zsh >> ~/.zshrc",
        "seqkit completion fish > ~/.config/fish/completions/seqkit.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options and files of seqkit."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # for the type checker: these three click knows
    if shell == "bash":  # click's own asks bash for its version, and needs one there
        say(kind.source_template % kind(cli, {}, "seqkit", VARIABLE).source_vars())
    else:
        say(kind(cli, {}, "seqkit", VARIABLE).source())


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
            # a number, where a command has ended with a status of its own
            status = cli(standalone_mode=False, prog_name="seqkit", complete_var=VARIABLE) or 0
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
