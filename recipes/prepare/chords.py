"""Make one row a step, the chord now and the chord next, out of polyphonic music.

    python recipes/prepare/chords.py JSB_Chorales.mat data/jsb_chorales
    python recipes/prepare/chords.py --transpose JSB_Chorales.mat data/jsb_chorales_all_keys

The file is one of Boulanger-Lewandowski, Bengio and Vincent (2012) as MATLAB has it: traindata,
validdata and testdata, each a list of rolls (n_steps, 88) of 0 and 1, a column a key of the piano.
Written: OUTPUT_train.feather, OUTPUT_validation.feather and OUTPUT_test.feather, with the columns
piece, now_21 to now_108 (keys that sound, as MIDI numbers them) and key_21 to key_108 (those that
sound at the next step). A piece begins with silence now, so that its first chord is asked for, too.

The files are not compressed: zeros pack so well that what they unpack to would look like a bomb.

With --transpose every training piece stands in all keys that the keyboard has room for, from five
half tones below to six above (as Walder 2016 does); the other two parts are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd

LOWEST, N_KEYS = 21, 88
PARTS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
SHIFTS = range(-5, 7)


def read_rolls(source: Path) -> dict[str, list[np.ndarray]]:
    """Return the rolls of every part, (n_steps, 88) of 0 and 1."""
    from scipy.io import loadmat

    content = loadmat(source)
    missing = [key for key in PARTS.values() if key not in content]
    if missing:
        raise click.ClickException(f"{source}: no {', '.join(missing)}")
    found = {part: [np.asarray(roll) for roll in content[key].ravel()]
             for part, key in PARTS.items()}  # fmt: skip
    for part, rolls in found.items():
        for roll in rolls:
            if roll.ndim != 2 or roll.shape[1] != N_KEYS or not np.isin(roll, (0, 1)).all():
                raise click.ClickException(
                    f"{source}, {part}: rolls of 0 and 1 with {N_KEYS} keys expected; "
                    f"got one of shape {roll.shape}"
                )
    return found


def transposed(roll: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a roll in every key in which all of its notes stay on the keyboard."""
    keys = np.flatnonzero(roll.any(axis=0))
    for shift in SHIFTS:
        if not keys.size or (keys[0] + shift >= 0 and keys[-1] + shift < N_KEYS):
            yield shift, np.roll(roll, shift, axis=1)


def table(rolls: list[np.ndarray], names: list[str]) -> pd.DataFrame:
    """Return one row a step: what sounds now, and what next."""
    after = np.concatenate(rolls)
    before = np.concatenate([np.vstack([np.zeros_like(r[:1]), r[:-1]]) for r in rolls])
    midi = range(LOWEST, LOWEST + N_KEYS)
    columns = [*(f"now_{k}" for k in midi), *(f"key_{k}" for k in midi)]
    frame = pd.DataFrame(np.hstack([before, after]).astype(np.int8), columns=columns)
    frame.insert(0, "piece", np.repeat(names, [len(roll) for roll in rolls]))
    return frame


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--transpose", is_flag=True, help="Every training piece in all keys.")
def main(source: Path, output: Path, transpose: bool) -> None:
    """Read, transpose and write."""
    output.parent.mkdir(parents=True, exist_ok=True)
    for part, rolls in read_rolls(source).items():
        pieces = [(f"{number:04d}", roll) for number, roll in enumerate(rolls)]
        if transpose and part == "train":
            pieces = [(f"{name}{shift:+d}", moved) for name, roll in pieces
                      for shift, moved in transposed(roll)]  # fmt: skip
        frame = table([roll for _, roll in pieces], [name for name, _ in pieces])
        file = output.with_name(f"{output.name}_{part}.feather")
        frame.to_feather(file, compression="uncompressed")
        click.echo(f"{file}: {len(pieces)} pieces, {len(frame)} steps")


if __name__ == "__main__":
    main()
