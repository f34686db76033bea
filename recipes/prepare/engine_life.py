"""Make series with their remaining useful life out of NASA's C-MAPSS engines.

    python recipes/prepare/engine_life.py CMAPSS data

CMAPSS is the folder with train_FD001.txt, test_FD001.txt and RUL_FD001.txt. Written into the second
folder: engine_life_train.parquet and engine_life_test.parquet, one row a flight (cycle), with the
columns series, engine, cycle, rul, the settings and sensors that are not constant in training, and
flown: the cycle once more, as a feature, since a network does not see the column of time, and the
flights that an engine has behind it are known when it is asked for those that are left.

The training engines run until they fail, the test engines stop before. So each training engine is
cut short at several cycles, at random from the 30th flight on, and each piece, from the first
flight to the cut, is a series of its own that is labelled with the flights left after the cut.
Pieces of one engine carry its number as group: they must never be in two parts.

With --window only the last flights of every series are kept, those of the test part too.

The life to learn is at most 125 flights: before that an engine shows no wear, and 300 cannot be
told from 200 (piecewise linear target; Heimes, Recurrent Neural Networks for Remaining Useful Life
Estimation, 2008). The lives of the test engines are left as they are unless --cap-test is given:
papers do both, and the scores differ.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

COLUMNS = [
    "engine",
    "cycle",
    *(f"setting_{i}" for i in range(1, 4)),
    *(f"sensor_{i}" for i in range(1, 22)),
]


def read_flights(file: Path) -> pd.DataFrame:
    """Return one row a flight, 26 columns."""
    if not file.is_file():
        raise click.ClickException(f"{file}: there is no such file")
    table = np.loadtxt(file, ndmin=2)
    if table.shape[1] != len(COLUMNS):
        raise click.ClickException(f"{file}: 26 columns expected; got {table.shape[1]}")
    return pd.DataFrame(table, columns=COLUMNS).astype({"engine": int, "cycle": int})


def cut_engines(
    flights: pd.DataFrame, cuts: int, shortest: int, cap: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return every piece of every engine, labelled with the life left after it."""
    pieces = []
    for engine, life in flights.groupby("engine", sort=True):
        total = len(life)
        possible = np.arange(min(shortest, total - 1), total)  # failure itself is no forecast
        ends = np.sort(rng.choice(possible, size=min(cuts, possible.size), replace=False))
        for end in ends:
            piece = life.iloc[:end].copy()
            piece.insert(0, "series", f"{engine}_{end}")
            piece.insert(3, "rul", float(min(total - end, cap)))
            pieces.append(piece)
    return pd.concat(pieces, ignore_index=True)


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--subset", default="FD001", show_default=True)
@click.option("--cuts", default=10, show_default=True, type=click.IntRange(1),
              help="Pieces of each training engine.")  # fmt: skip
@click.option("--shortest", default=30, show_default=True, type=click.IntRange(1),
              help="Flights of the shortest piece.")  # fmt: skip
@click.option("--window", default=None, type=click.IntRange(2),
              help="Last flights of a series to keep. Default: all.")  # fmt: skip
@click.option("--cap", default=125, show_default=True, type=click.IntRange(1),
              help="Longest life to learn, in flights.")  # fmt: skip
@click.option("--cap-test", is_flag=True, help="Cap the lives of the test engines, too.")
@click.option("--seed", default=0, show_default=True)
def main(
    source: Path,
    output: Path,
    subset: str,
    cuts: int,
    shortest: int,
    window: int | None,
    cap: int,
    cap_test: bool,
    seed: int,
) -> None:
    """Read, cut, label and write."""
    train = read_flights(source / f"train_{subset}.txt")
    test = read_flights(source / f"test_{subset}.txt")
    life = np.loadtxt(source / f"RUL_{subset}.txt", ndmin=1)
    engines = np.unique(test["engine"])
    if life.size != engines.size:
        raise click.ClickException(f"{life.size} lives for {engines.size} test engines")
    constant = [c for c in COLUMNS[2:] if train[c].nunique() == 1]
    pieces = cut_engines(train, cuts, shortest, cap, np.random.default_rng(seed))
    test.insert(0, "series", [f"test_{engine}" for engine in test["engine"]])
    left = np.minimum(life, cap) if cap_test else life
    test.insert(3, "rul", left[np.searchsorted(engines, test["engine"])].astype(float))
    output.mkdir(parents=True, exist_ok=True)
    for name, frame in (("train", pieces), ("test", test)):
        if window is not None:
            frame = frame.groupby("series", sort=False).tail(window)
        file = output / f"engine_life_{name}.parquet"
        frame = frame.assign(flown=frame["cycle"].astype(float))
        frame.drop(columns=constant).to_parquet(file, index=False)
        lengths = frame.groupby("series").size()
        click.echo(
            f"{file}: {lengths.size} series of {lengths.min()} to {lengths.max()} flights, "
            f"{frame['engine'].nunique()} engines"
        )
    click.echo("left out, constant in training: " + (", ".join(constant) or "none"))


if __name__ == "__main__":
    main()
