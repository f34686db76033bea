"""Give the Beijing PM2.5 table one column of time stamps and names that say what is meant.

    python recipes/prepare/air_quality.py pollution.csv data/air_quality.csv

The table has year, month, day and hour in four columns. Written: time, pm2.5 (micrograms a cubic
metre), dew_point and temperature (degrees Celsius), pressure (hPa), wind_direction (text), and
wind_speed (m/s), snow_hours and rain_hours, all three added up since the weather last changed.
Missing values stay empty.
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

NAMES = {
    "pm2.5": "pm2.5",
    "DEWP": "dew_point",
    "TEMP": "temperature",
    "PRES": "pressure",
    "cbwd": "wind_direction",
    "Iws": "wind_speed",
    "Is": "snow_hours",
    "Ir": "rain_hours",
}
PARTS = ["year", "month", "day", "hour"]


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(source: Path, output: Path) -> None:
    """Read, rename and write."""
    # "NA" is missing; nothing in this table is called so.
    frame = pd.read_csv(source)
    missing = [name for name in [*PARTS, *NAMES] if name not in frame.columns]
    if missing:
        raise click.ClickException(f"{source}: no column {', '.join(missing)}")
    table = frame[list(NAMES)].rename(columns=NAMES)
    table.insert(0, "time", pd.to_datetime(frame[PARTS]))
    output.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(output, index=False)
    click.echo(f"{output}: {len(table)} hours, pm2.5 missing in {table['pm2.5'].isna().sum()}")


if __name__ == "__main__":
    main()
