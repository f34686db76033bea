"""Put the two wide files of the M4 hourly series into one long table.

    python recipes/prepare/m4_hourly.py Hourly-train.csv Hourly-test.csv data/m4_hourly.parquet

A row of the files is a series: its name, then its values, empty behind the last one. Written:
unique_id, ds (1, 2, ... within a series; the files have no dates) and y, the 48 test steps of a
series behind its own training steps.
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(help=__doc__)
@click.argument("train", type=FILE)
@click.argument("test", type=FILE)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(train: Path, test: Path, output: Path) -> None:
    """Read both, put them one behind the other by series, and write."""
    first, second = (pd.read_csv(path, index_col=0) for path in (train, test))
    if set(first.index) != set(second.index):
        alone = sorted(set(first.index) ^ set(second.index))
        raise click.ClickException(f"in one of the files only: series {', '.join(alone[:5])}")
    parts = []
    for order, frame in enumerate((first, second)):
        long = frame.rename_axis("unique_id").stack().dropna().rename("y").reset_index(0)
        parts.append(long.reset_index(drop=True).assign(part=order))
    table = pd.concat(parts)
    table = table.sort_values(["unique_id", "part"], kind="stable", ignore_index=True)
    table["ds"] = table.groupby("unique_id").cumcount() + 1
    output.parent.mkdir(parents=True, exist_ok=True)
    table[["unique_id", "ds", "y"]].to_parquet(output, index=False)
    click.echo(f"{output}: {table['unique_id'].nunique()} series, {len(table)} rows")


if __name__ == "__main__":
    main()
