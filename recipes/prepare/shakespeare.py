"""Cut a text in two: nine tenths to learn from, the last tenth to be judged by.

    python recipes/prepare/shakespeare.py input.txt data

Written into the second folder: shakespeare_train.txt and shakespeare_test.txt. The cut is where
Karpathy's char-rnn and nanoGPT have it for this text, after a share of its characters.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--test", default=0.1, show_default=True, type=click.FloatRange(0.001, 0.9),
              help="Share of the characters, at the end.")  # fmt: skip
def main(source: Path, output: Path, test: float) -> None:
    """Read, cut and write."""
    text = source.read_text(encoding="utf-8")
    cut = round(len(text) * (1 - test))
    output.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", text[:cut]), ("test", text[cut:])):
        file = output / f"shakespeare_{name}.txt"
        file.write_text(part, encoding="utf-8")
        click.echo(f"{file}: {len(part)} characters, {len(set(part))} different")


if __name__ == "__main__":
    main()
