"""Cut windows for fault diagnosis out of the CWRU bearing recordings.

    python recipes/prepare/bearing_windows.py RECORDINGS data/bearing_windows.npz

RECORDINGS is a folder of MATLAB files named after what they hold (Normal_0.mat, B007_0.mat,
IR014_2.mat, OR021@6_3.mat ...: fault, size in thousandths of an inch, position, load), or one .npz
with an array of samples a recording (NAME) and what a unit of it is worth (NAME_scale). The drive
end channel at 12 kHz is used.

Written: X (n_windows, length, 1) float32, y (class), group (recording) and part (train, validation,
test). Ten classes: Normal, and B, IR, OR (ball, inner, outer race) each with 007, 014, 021.

Three ways to divide them (--split); only the last does not leak what a bearing sounds like:

stretches  every recording is divided in time: its beginning to learn from, then a stretch to
           validate on, then one to be judged by.
load       recordings under loads 1 and 2 are to learn from, but for a stretch to validate on, those
           under load 3 to be judged by. Where the healthy bearing was recorded under load 0 only,
           as in some copies of the data, that recording is divided in time.
bearing    each fault and size is a bearing of its own: those of one size (--test-size) are to be
           judged by, all others to learn from. Three classes, B, IR and OR; Normal is left out,
           since all of its recordings are of one bearing.

Recordings are divided first, each part is cut on its own, so no sample is in two parts.
Every window is brought to mean 0 and standard deviation 1: amplitude and the step of the converter
differ from recording to recording and would give the class away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

NAME = re.compile(r"(Normal|(?:B|IR|OR)(?:007|014|021))(?:(?:@|at)(\d+))?_([0-3])$")
PARTS = ("train", "validation", "test")
LEARNED, JUDGED = "12", "3"  # loads, of the split by load


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


def stretches(
    signal: np.ndarray, in_time: bool, judged: bool, validation: float, test: float
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the stretches of a recording and the part that each is of."""
    if in_time:
        ends = (round(signal.size * (1 - validation - test)), round(signal.size * (1 - test)))
        yield from zip(PARTS, np.split(signal, ends), strict=True)
    elif judged:
        yield "test", signal
    else:
        kept, held = np.split(signal, [round(signal.size * (1 - validation))])
        yield from (("train", kept), ("validation", held))


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--split", default="stretches", show_default=True,
              type=click.Choice(["stretches", "load", "bearing"]))  # fmt: skip
@click.option("--test-size", default="014", show_default=True, help="Of the split by bearing.",
              type=click.Choice(["007", "014", "021"]))  # fmt: skip
@click.option("--length", default=1024, show_default=True, type=click.IntRange(2), help="Samples.")
@click.option("--step", default=None, type=click.IntRange(1), help="Default: the length.")
@click.option("--loads", default=None, help="Motor loads to use. Default: all that the split has.")
@click.option("--validation", default=0.15, show_default=True, type=click.FloatRange(0, 0.9),
              help="Share of each recording, after the training part.")  # fmt: skip
@click.option("--test", default=0.25, show_default=True, type=click.FloatRange(0, 0.9),
              help="Share of each recording, at its end, of the split in stretches.")  # fmt: skip
def main(
    source: Path,
    output: Path,
    split: str,
    test_size: str,
    length: int,
    step: int | None,
    loads: str | None,
    validation: float,
    test: float,
) -> None:
    """Read, divide, cut and write."""
    if validation + test >= 1:
        raise click.UsageError(
            f"validation and test must leave something to train on; got {validation} and {test}."
        )
    usual = LEARNED + JUDGED if split == "load" else "0123"
    wanted = set(usual) if loads is None else {load.strip() for load in loads.split(",")}
    if not wanted <= set(usual):
        raise click.UsageError(f"loads must be among {', '.join(usual)}; got {loads!r}.")
    windows: list[np.ndarray] = []
    rows: list[tuple[str, str, str]] = []
    recordings = read_recordings(source)
    known = {name: match.groups() for name in recordings if (match := NAME.match(name))}
    lone = not any(fault == "Normal" and load in wanted for fault, _, load in known.values())
    for name, signal in recordings.items():
        if name not in known:
            click.echo(f"{name}: not a name such as B007_0; left out", err=True)
            continue
        fault, position, load = known[name]
        healthy = fault == "Normal"
        in_time = split == "stretches" or (split == "load" and healthy and lone)
        asked = load in wanted or (split == "load" and healthy and lone)
        if not asked or position not in (None, "6"):
            continue
        if split == "bearing" and healthy:
            continue
        judged = load in JUDGED if split == "load" else fault.endswith(test_size)
        label = fault[:-3] if split == "bearing" else fault
        for part, stretch in stretches(signal, in_time, judged, validation, test):
            windows.append(cut(stretch, length, step or length))
            rows += [(label, name, part)] * len(windows[-1])
    if not rows:
        raise click.ClickException(
            f"{source}: no window of {length} samples. Are the recordings named as B007_0?"
        )
    write(output, np.concatenate(windows), np.array(rows))


def write(output: Path, windows: np.ndarray, rows: np.ndarray) -> None:
    """Write windows with their class, recording and part, and say what there is."""
    y, group, part = rows.T
    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        output, X=windows[:, :, None].astype(np.float32), y=y, group=group, part=part
    )
    classes, sizes = np.unique(y, return_counts=True)
    click.echo(
        f"{output}: {len(y)} windows of {windows.shape[1]} samples "
        f"from {len(set(group))} recordings"
    )
    click.echo("  " + ", ".join(f"{n} {s}" for n, s in zip(classes, sizes, strict=True)))
    click.echo("  " + ", ".join(f"{stage} {np.sum(part == stage)}" for stage in PARTS))


if __name__ == "__main__":
    main()
