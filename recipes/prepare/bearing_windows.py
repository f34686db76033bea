"""Cut windows for fault diagnosis out of the CWRU bearing recordings.

    python recipes/prepare/bearing_windows.py RECORDINGS data/bearing_windows.npz

RECORDINGS is a folder of MATLAB files named after what they hold (Normal_0.mat, B007_0.mat,
IR014_2.mat, OR021@6_3.mat ...: fault, size in thousandths of an inch, position, load), or one .npz
with an array of samples a recording (NAME) and what a unit of it is worth (NAME_scale). The drive
end channel at 12 kHz is used.

Written: X (n_windows, length, 1) float32, y (class), group (recording) and part (train, validation,
test). Ten classes: Normal, and B, IR, OR (ball, inner, outer race) each with 007, 014, 021.

Every recording is divided in time first, each part is cut on its own, so no sample is in two parts.
Every window is brought to mean 0 and standard deviation 1: amplitude and the step of the converter
differ from recording to recording and would give the class away.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np

NAME = re.compile(r"(Normal|(?:B|IR|OR)(?:007|014|021))(?:(?:@|at)(\d+))?_([0-3])$")
PARTS = ("train", "validation", "test")


def read_recordings(source: Path) -> dict[str, np.ndarray]:
    """Return samples by the name of the recording."""
    if source.suffix == ".npz":
        with np.load(source, allow_pickle=False) as stored:
            names = [name for name in stored.files if not name.endswith("_scale")]
            return {
                name: stored[name].astype(np.float64) * float(stored.get(f"{name}_scale", 1.0))
                for name in names
            }
    from scipy.io import loadmat

    recordings = {}
    for file in sorted(source.glob("*.mat")):
        if not NAME.match(file.stem):
            click.echo(f"{file.name}: not a name such as B007_0.mat; left out", err=True)
            continue
        content = loadmat(file)
        keys = [key for key in content if key.endswith("DE_time")]
        if len(keys) != 1:
            raise click.ClickException(f"{file}: one drive end channel expected; got {keys}")
        recordings[file.stem] = content[keys[0]].ravel().astype(np.float64)
    return recordings


def cut(signal: np.ndarray, length: int, step: int) -> np.ndarray:
    """Return standardised windows (n_windows, length) of a signal."""
    if signal.size < length:
        return np.empty((0, length))
    windows = np.lib.stride_tricks.sliding_window_view(signal, length)[::step]
    spread = windows.std(axis=1, keepdims=True)
    moving = spread[:, 0] > 0  # a window that stands still says nothing
    return (windows[moving] - windows[moving].mean(axis=1, keepdims=True)) / spread[moving]


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--length", default=1024, show_default=True, type=click.IntRange(2), help="Samples.")
@click.option("--step", default=None, type=click.IntRange(1), help="Default: the length.")
@click.option("--loads", default="0,1,2,3", show_default=True, help="Motor loads to use.")
@click.option("--validation", default=0.15, show_default=True, type=click.FloatRange(0, 0.9),
              help="Share of each recording, after the training part.")  # fmt: skip
@click.option("--test", default=0.25, show_default=True, type=click.FloatRange(0, 0.9),
              help="Share of each recording, at its end.")  # fmt: skip
def main(
    source: Path,
    output: Path,
    length: int,
    step: int | None,
    loads: str,
    validation: float,
    test: float,
) -> None:
    """Read, divide, cut and write."""
    if validation + test >= 1:
        raise click.UsageError(
            f"validation and test must leave something to train on; got {validation} and {test}."
        )
    wanted = {load.strip() for load in loads.split(",")}
    if not wanted <= set("0123"):
        raise click.UsageError(f"loads must be among 0, 1, 2, 3; got {loads!r}.")
    X, y, group, part = [], [], [], []
    for name, signal in read_recordings(source).items():
        match = NAME.match(name)
        if match is None:
            click.echo(f"{name}: not a name such as B007_0; left out", err=True)
            continue
        fault, position, load = match.groups()
        if load not in wanted or position not in (None, "6"):
            continue
        first = round(signal.size * (1 - validation - test))
        second = round(signal.size * (1 - test))
        stretches = np.split(signal, [first, second])
        for stage, stretch in zip(PARTS, stretches, strict=True):
            windows = cut(stretch, length, step or length)
            X.append(windows)
            y += [fault] * len(windows)
            group += [name] * len(windows)
            part += [stage] * len(windows)
    if not y:
        raise click.ClickException(
            f"{source}: no window of {length} samples. Are the recordings named as B007_0?"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        output,
        X=np.concatenate(X)[:, :, None].astype(np.float32),
        y=np.array(y),
        group=np.array(group),
        part=np.array(part),
    )
    classes, sizes = np.unique(y, return_counts=True)
    click.echo(f"{output}: {len(y)} windows of {length} samples from {len(set(group))} recordings")
    click.echo("  " + ", ".join(f"{n} {s}" for n, s in zip(classes, sizes, strict=True)))
    click.echo("  " + ", ".join(f"{stage} {part.count(stage)}" for stage in PARTS))


if __name__ == "__main__":
    main()
