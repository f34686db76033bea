"""Make series of cepstral coefficients out of the Free Spoken Digit Dataset.

    python recipes/prepare/spoken_digits.py recordings data/spoken_digits.npz

The first path is the folder of recordings (0_george_0.wav: digit, speaker, number), or an .npz with
what was made of them: frames (n_frames, 13) of all recordings one after the other, lengths, label,
speaker, index. Of sound 13 mel frequency cepstral coefficients a frame are taken (Davis and
Mermelstein 1980): windows of 25 ms every 10 ms, 26 filters, an orthonormal cosine transform.

Written: X (n_recordings, longest, 13) float32, filled at the right, lengths, y (digit), group
(speaker) and part. The parts are those of the data set: recordings numbered 0 to 4 are the test
part, the others are to learn from; every speaker is in both.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

NAME = re.compile(r"(\d)_([a-z]+)_(\d+)$")
N_FILTERS, N_COEFFICIENTS = 26, 13
TEST = range(5)


class Recordings(NamedTuple):
    """Coefficients of every recording, and what is known of it."""

    frames: list[np.ndarray]  # (n_frames, 13) each
    digit: np.ndarray
    speaker: np.ndarray
    number: np.ndarray


def filters(n_bins: int, rate: int) -> np.ndarray:
    """Return triangles that are evenly spaced in mel, (N_FILTERS, n_bins)."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, N_FILTERS + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, n_bins)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    found: np.ndarray = np.clip(np.minimum(rising, falling), 0, None)
    return found


def cepstrum(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return 13 coefficients a frame of 10 ms, (n_frames, 13)."""
    from scipy.fft import dct

    size, step = round(0.025 * rate), round(0.010 * rate)
    sound = np.append(sound[0], sound[1:] - 0.97 * sound[:-1])
    sound = np.pad(sound, (0, max(size - sound.size, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(sound, size)[::step] * np.hamming(size)
    power = np.abs(np.fft.rfft(windows, 2 ** int(np.ceil(np.log2(size))))) ** 2
    energy = np.log(np.maximum(power @ filters(power.shape[1], rate).T, 1e-10))
    found: np.ndarray = dct(energy, type=2, norm="ortho")[:, :N_COEFFICIENTS]
    return found


def read_recordings(source: Path) -> Recordings:
    """Return the recordings of a folder, or what was made of them."""
    if source.suffix == ".npz":
        with np.load(source, allow_pickle=False) as stored:
            frames = np.split(stored["frames"], np.cumsum(stored["lengths"])[:-1])
            return Recordings(frames, stored["label"], stored["speaker"], stored["index"])
    from scipy.io import wavfile

    frames, names = [], []
    for file in sorted(source.glob("*.wav")):
        match = NAME.match(file.stem)
        if match is None:
            click.echo(f"{file.name}: not a name such as 0_george_0.wav; left out", err=True)
            continue
        rate, sound = wavfile.read(file)
        sound = sound if sound.ndim == 1 else sound.mean(axis=1)
        frames.append(cepstrum(sound / 2**15, rate))
        names.append(match.groups())
    if not names:
        raise click.ClickException(f"{source}: no recordings named as 0_george_0.wav")
    digit, speaker, number = zip(*names, strict=True)
    return Recordings(frames, np.array(digit, int), np.array(speaker), np.array(number, int))


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(source: Path, output: Path) -> None:
    """Read, divide and write."""
    recordings = read_recordings(source)
    lengths = np.array([len(one) for one in recordings.frames])
    part = np.where(np.isin(recordings.number, TEST), "test", "train")
    output.parent.mkdir(parents=True, exist_ok=True)
    X = np.zeros((len(lengths), lengths.max(), N_COEFFICIENTS), np.float32)
    for padded, one in zip(X, recordings.frames, strict=True):
        padded[: len(one)] = one
    np.savez_compressed(
        output,
        X=X,
        lengths=lengths,
        y=recordings.digit.astype(np.int64),
        group=recordings.speaker,
        part=part,
    )
    sizes = ", ".join(f"{name} {np.sum(part == name)}" for name in ("train", "test"))
    click.echo(
        f"{output}: {len(part)} recordings of {lengths.min()} to {lengths.max()} frames, {sizes}"
    )


if __name__ == "__main__":
    main()
