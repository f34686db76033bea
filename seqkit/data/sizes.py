"""The frequency of a data file, and the file of its test part. Each with its reason.

Used by `seqkit.data.inspect` only; a recipe states what it uses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["find_test_file", "guess_frequency"]


def guess_frequency(
    values: np.ndarray, time: str, codes: np.ndarray, reasons: dict[str, str]
) -> str | None:
    """Return the pandas frequency of the longest series, or the step of a counter.

    Parameters
    ----------
    values : numpy.ndarray
        The stamps, as `stamps.read_stamps` returns them.
    time : str
        Name of their column.
    codes : numpy.ndarray of int
        Which series a row belongs to.
    reasons : dict of str to str
    """
    from seqkit.data.clock import Clock

    if values.dtype.kind != "M":
        reasons["frequency"] = f"{time!r} counts steps"
        return None
    stamps = np.unique(values[codes == np.argmax(np.bincount(codes[codes >= 0]))])
    if len(stamps) < 2:
        reasons["frequency"] = "the stamps do not tell"
        return None
    whole = np.array([0, len(stamps)])
    clock = Clock.infer(stamps, whole, None, None)
    steps = np.diff(clock.ordinals(stamps, whole))
    if (steps == 1).all():
        reasons["frequency"] = f"all {len(stamps)} stamps are regular: {clock.frequency}"
    else:
        share = float((steps == 1).mean())
        reasons["frequency"] = (
            f"{share:.0%} of the steps are {clock.frequency}; the stamps have gaps"
        )
    return clock.frequency


def find_test_file(file: Path, reasons: dict[str, str]) -> str | None:
    """Return the file beside this one whose name says test where this one says train."""
    for train, test in (("TRAIN", "TEST"), ("train", "test"), ("Train", "Test")):
        if train in file.name:
            other = file.with_name(file.name.replace(train, test))
            if other.is_file():
                reasons["test_path"] = f"{other.name} is named as the test part of {file.name}"
                return str(other)
    return None
