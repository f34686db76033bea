"""Commands about finished runs: what one has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seqkit.cli_options import RUN, options, working
from seqkit.system.commands import Command, print_result

__all__ = ["RUN_COMMANDS", "explain_"]


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
    type=click.Choice(["forward", "backward"]),
    default="forward",
    show_default=True,
    help="Direction of the layer.",
)
@click.option(
    "--member",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Network of an ensemble.",
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


RUN_COMMANDS = (explain_,)
