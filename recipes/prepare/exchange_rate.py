"""Give the table of eight exchange rates the names of its columns.

    python recipes/prepare/exchange_rate.py exchange_rate.txt.gz data/exchange_rate.csv

The file has one line a day and no header; r0 to r7 are its columns in order.
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

N_RATES = 8


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(source: Path, output: Path) -> None:
    """Read, name and write."""
    table = pd.read_csv(source, header=None)
    if table.shape[1] != N_RATES:
        raise click.ClickException(f"{source}: {table.shape[1]} columns, expected {N_RATES}")
    output.parent.mkdir(parents=True, exist_ok=True)
    table.set_axis([f"r{k}" for k in range(N_RATES)], axis=1).to_csv(output, index=False)
    click.echo(f"{output}: {len(table)} days")


if __name__ == "__main__":
    main()
