"""Whether series are unlike those a model was trained on, in what it cannot see for itself.

A model predicts whatever it is given. What is far from all that it learned from is said beside the
prediction, by the rows of :data:`THRESHOLDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["THRESHOLDS", "FarFeature", "Threshold", "far_features", "seen", "unlike"]

SHOWN = 3  # features named in a note


class Threshold(NamedTuple):
    """One row of :data:`THRESHOLDS`."""

    value: float
    what: str
    reason: str


THRESHOLDS: dict[str, Threshold] = {
    "longer": Threshold(
        2.0,
        "times the longest series of training, that a series is at most",
        "a recurrence goes on well for some more steps than it was trained for, not for any number",
    ),
    "shorter": Threshold(
        0.5,
        "times the shortest series of training, that a series has at least",
        "a series cut in half lacks much of what its prediction depends on",
    ),
    "outside": Threshold(
        1.0,
        "times the range of a feature in training, that values may lie outside of it",
        "beyond that the gates of a cell saturate; another unit (mV for V) lies far beyond; an "
        "outlier of training widens the range, so that it never raises a false alarm",
    ),
}


class FarFeature(NamedTuple):
    """A feature whose values lie far outside those of training, and both ranges."""

    feature: int
    low: float
    high: float
    known_low: float
    known_high: float


def seen(values: Any, lengths: Any) -> dict[str, Any]:
    """Return the facts of the training part that later series are compared with, in JSON's types.

    Parameters
    ----------
    values : array of shape (n_rows, n_features)
        NaN is missing.
    lengths : array of shape (n_series,)

    Examples
    --------
    >>> seen([[1.0], [3.0], [2.0]], [1, 2])
    {'lengths': [1, 2], 'low': [1.0], 'high': [3.0]}
    """
    low, high = _range(np.asarray(values, dtype=np.float64))
    return {
        "lengths": [int(np.min(lengths)), int(np.max(lengths))],
        "low": low.tolist(),
        "high": high.tolist(),
    }


def _range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest finite value of each column; 0 where there is none."""
    finite = np.isfinite(values)
    some = finite.any(axis=0)
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    return np.where(some, low, 0.0), np.where(some, high, 0.0)


def unlike(
    known: Mapping[str, Any] | None, values: Any, lengths: Any, names: Sequence[str], where: str
) -> list[str]:
    """Return a note for each way in which series are unlike those of training.

    Parameters
    ----------
    known : mapping or None
        What :func:`seen` returned; None where it was not kept.
    values, lengths
        As :func:`seen` takes them.
    names : sequence of str
        Of the features.
    where : str
        File, for the note.

    Examples
    --------
    >>> facts = seen([[1.0], [3.0]], [2])
    >>> unlike(facts, [[2.0], [900.0]], [2], ["volt"], "new.csv")
    ['new.csv: values are far outside those of training: volt 2 to 900 (training: 1 to 3)']
    """
    if not known or not len(lengths):
        return []
    notes = []
    shortest, longest = known["lengths"]
    few, most = int(np.min(lengths)), int(np.max(lengths))
    if most > THRESHOLDS["longer"].value * longest or few < THRESHOLDS["shorter"].value * shortest:
        notes.append(
            f"{where}: series have {few} to {most} steps, those of training {shortest} to {longest}"
        )
    far = far_features(known, values)
    if far:
        shown = ", ".join(
            f"{names[one.feature]} {one.low:g} to {one.high:g} (training: {one.known_low:g} to "
            f"{one.known_high:g})"
            for one in far[:SHOWN]
        )
        more = f" and {len(far) - SHOWN} more" if len(far) > SHOWN else ""
        notes.append(f"{where}: values are far outside those of training: {shown}{more}")
    return notes


def far_features(known: Mapping[str, Any], values: Any) -> list[FarFeature]:
    """Return the features with values far outside those of training.

    Parameters
    ----------
    known : mapping
        What :func:`seen` returned.
    values : array of shape (n_rows, n_features)

    Examples
    --------
    >>> far_features(seen([[1.0, 1.0], [3.0, 3.0]], [2]), [[2.0, 900.0]])
    [FarFeature(feature=1, low=900.0, high=900.0, known_low=1.0, known_high=3.0)]
    """
    low, high = _range(np.asarray(values, dtype=np.float64))
    from_, to = (np.asarray(known[name], dtype=np.float64) for name in ("low", "high"))
    if from_.shape != low.shape:
        return []
    # a feature that was constant has its own size for a range
    spread = np.where(to > from_, to - from_, np.maximum(np.abs(to), 1.0))
    margin = THRESHOLDS["outside"].value * spread
    far = np.flatnonzero((low < from_ - margin) | (high > to + margin)).tolist()
    return [FarFeature(i, *(float(bound[i]) for bound in (low, high, from_, to))) for i in far]
