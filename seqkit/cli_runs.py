"""Commands about finished runs: beside each other, what one holds, has learned, its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seqkit.cli_options import RUN, options, saying, working
from seqkit.system.commands import Command, print_result

__all__ = ["RUN_COMMANDS", "compare", "explain_", "report", "show"]


@click.command(
    cls=Command,
    examples=(
        "seqkit compare RUN RUN",
        "seqkit compare 'runs/*' -o compare.html",
    ),
)
@click.argument("runs", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Page to write: .html.")
@click.option("--draws", type=click.IntRange(100, 100_000), help="Of the bootstrap; default: 2000.")
@options("json")
def compare(runs: tuple[str, ...], output: Path | None, draws: int | None, as_json: bool) -> None:
    """Compare finished RUNS on the test part they share, each with the first.

    RUNS are run folders, or patterns in quotes.
    """
    with saying(as_json, "reading the runs"):
        from seqkit.runs import comparison

        wanted = {} if draws is None else {"n_draws": draws}
        found = comparison.compare(runs, output=output, **wanted)
    print_result(found, False, as_json)


@click.command(cls=Command, examples=("seqkit show RUN",))
@RUN
@options("json")
def show(run: Path, as_json: bool) -> None:
    """Show what a run scored, and how it was made."""
    from seqkit.runs import catalog

    print_result(catalog.show(run), False, as_json)


@click.command(cls=Command, examples=("seqkit report RUN",))
@RUN
@options("quiet", "json")
def report(run: Path, quiet: bool, as_json: bool) -> None:
    """Write the report.html of a run again, as this version does."""
    with saying(quiet or as_json, "writing the report"):
        from seqkit.runs import catalog

        result = catalog.report(run)
    print_result(result, quiet, as_json)


@click.command(
    "explain",
    cls=Command,
    examples=("seqkit explain RUN", "seqkit explain RUN --series 0 -o explained"),
)
@RUN
@click.option("--series", help="Name or number of the series that is looked at; default: 0.")
@click.option(
    "--layer",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Recurrent layer whose gates are drawn.",
)
@click.option(
    "--direction",
    type=click.Choice(["forward", "backward", "ahead"]),
    default="forward",
    show_default=True,
    help="Direction of the layer; ahead: a decoder, over the horizon.",
)
@click.option(
    "--member",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Network of an ensemble.",
)
@click.option(
    "--channel",
    default="0",
    show_default=True,
    help="Name or number of a target, where each is read by itself (channels: independent).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to write into; default: the run's name and -explained.",
)
@options("data", "quiet", "json")
def explain_(run: Path, quiet: bool, as_json: bool, **wanted: Any) -> None:
    """Show what RUN's model learned: gates, gradients over time, what mattered."""
    with working(quiet, as_json):
        from seqkit.runs.explaining import explain_run

        result = explain_run(run, **wanted)
    print_result(result, quiet, as_json)


RUN_COMMANDS = (compare, show, explain_, report)
