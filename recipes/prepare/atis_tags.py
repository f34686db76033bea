"""Make one row a word out of treebank files (CoNLL-U): the word and its part of speech.

    python recipes/prepare/atis_tags.py UD_English-Atis data

The folder has en_atis-ud-train.conllu, -dev and -test. Written: atis_train.csv,
atis_validation.csv and atis_test.csv with the columns sentence, word and tag (UPOS, the fourth
column).
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

PARTS = {"train": "train", "validation": "dev", "test": "test"}


def read_words(file: Path) -> pd.DataFrame:
    """Return one row a word; words that stand for several (1-2) or for none (1.1) are left out."""
    if not file.is_file():
        raise click.ClickException(f"{file}: there is no such file")
    rows, sentence = [], 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split("\t")
        if not line:
            sentence += 1
        elif not line.startswith("#"):
            if len(cells) != 10:
                raise click.ClickException(
                    f"{file}:{number}: 10 columns expected; got {len(cells)}"
                )
            if cells[0].isdecimal():
                rows.append((sentence, cells[1], cells[3]))
    return pd.DataFrame(rows, columns=["sentence", "word", "tag"])


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="en_atis-ud", show_default=True, help="What the files begin with.")
def main(source: Path, output: Path, name: str) -> None:
    """Read and write."""
    output.mkdir(parents=True, exist_ok=True)
    for part, ending in PARTS.items():
        frame = read_words(source / f"{name}-{ending}.conllu")
        file = output / f"atis_{part}.csv"
        frame.to_csv(file, index=False)
        click.echo(f"{file}: {frame['sentence'].nunique()} sentences, {len(frame)} words, "
                   f"{frame['tag'].nunique()} tags")  # fmt: skip


if __name__ == "__main__":
    main()
