"""Join recordings of spoken digits to continuous sequences with a label for every frame.

    python recipes/prepare/framewise_digits.py recordings data/framewise_digits

The first path is as recipes/prepare/spoken_digits.py takes it. A sequence is 3 to 7 digits of one
speaker, one after the other without a pause; the label of a frame is the digit it is of. Written:
OUTPUT_train.parquet, OUTPUT_validation.parquet and OUTPUT_test.parquet, a row a frame, with the
columns sequence, c0 to c12 and digit.

No recording is in two parts: numbers 0 to 4 of each digit and speaker are the test part (as the
data set has it), 5 to 9 are to stop by, the others to learn from. In each part every recording is
used as often as any other, within one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd
from spoken_digits import N_COEFFICIENTS, Recordings, read_recordings

PARTS = {"train": range(10, 1000), "validation": range(5, 10), "test": range(5)}
FEWEST, MOST = 3, 7


def sequences(which: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the recordings of one sequence after the other, until all are used."""
    left = rng.permutation(which)
    while left.size:
        size = int(rng.integers(FEWEST, MOST + 1))
        size = left.size if left.size - size < FEWEST else size  # no sequence of one digit
        yield left[:size]
        left = left[size:]


def table(found: Recordings, chosen: list[np.ndarray]) -> pd.DataFrame:
    """Return one row a frame."""
    frames = [np.concatenate([found.frames[i] for i in one]) for one in chosen]
    digits = [np.concatenate([np.full(len(found.frames[i]), found.digit[i]) for i in one])
              for one in chosen]  # fmt: skip
    columns = [f"c{k}" for k in range(N_COEFFICIENTS)]
    frame = pd.DataFrame(np.concatenate(frames).astype(np.float32), columns=columns)
    frame.insert(0, "sequence", np.repeat(np.arange(len(frames)), [len(one) for one in frames]))
    return frame.assign(digit=np.concatenate(digits).astype(np.int64))


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--rounds", default=2, show_default=True, type=click.IntRange(1),
              help="How often every recording of the training part is used.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
def main(source: Path, output: Path, rounds: int, seed: int) -> None:
    """Read, join and write."""
    found = read_recordings(source)
    rng = np.random.default_rng(seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    for part, numbers in PARTS.items():
        chosen: list[np.ndarray] = []
        for _ in range(rounds if part == "train" else 1):
            for speaker in np.unique(found.speaker):
                own = (found.speaker == speaker) & np.isin(found.number, numbers)
                chosen += sequences(np.flatnonzero(own), rng)
        if not chosen:
            raise click.ClickException(f"{source}: no recordings for the {part} part")
        frame = table(found, chosen)
        file = output.with_name(f"{output.name}_{part}.parquet")
        frame.to_parquet(file, index=False)
        click.echo(f"{file}: {len(chosen)} sequences, {len(frame)} frames")


if __name__ == "__main__":
    main()
