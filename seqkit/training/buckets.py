"""Series of unequal lengths: which go into a batch together, and how much of them is padding.

A batch takes as long as its longest series. So series of like length share one: of every
:data:`WINDOW` batches of a shuffled pass the series are sorted by length, divided, and the batches
shuffled (Khomenko et al. 2016, "Accelerating recurrent neural network training using sequence
bucketing and multi-GPU data parallelization", with windows in place of fixed buckets, so that who
meets whom is drawn anew in every epoch).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seqkit.training.augmentation import generator_of

__all__ = ["PADDED", "WINDOW", "alike", "is_padded", "joined_batches", "trimmed"]

PADDED = 0.1
"""Share of all steps that is padding, above which batches are of like lengths and cut to them."""
WINDOW = 8
"""Batches whose series are sorted together."""
SIZES = 32
"""Different lengths that batches have at most: memory is used again by size."""


def is_padded(lengths: np.ndarray, time: int) -> bool:
    """Whether so much of series of these lengths, filled up to `time`, is padding.

    Examples
    --------
    >>> is_padded(np.array([8, 10, 10]), 10), is_padded(np.array([5, 10, 10]), 10)
    (False, True)
    """
    return bool(len(lengths) and lengths.sum(dtype=np.int64) < (1 - PADDED) * len(lengths) * time)


def alike(
    order: Any, lengths: np.ndarray, batch_size: int, key: tuple[int, int]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the batches of a shuffled pass, of series of like length, each with its place.

    Parameters
    ----------
    order : sequence of int
        The series of the pass, shuffled.
    lengths : ndarray of shape (n_series,)
    batch_size : int
        A last batch that is smaller is of the last series, whatever their lengths: each of them
        counts for more.
    key : (int, int)
        Seed and epoch.

    Examples
    --------
    >>> lengths = np.array([9, 2, 8, 1, 5])
    >>> batches = alike(np.array([0, 1, 2, 3, 4]), lengths, 2, (0, 0))
    >>> sorted(lengths[batch].tolist() for _, batch in batches)
    [[1, 2], [5], [8, 9]]
    """
    n = len(order)
    for start in range(0, n, WINDOW * batch_size):
        series = order[start : start + WINDOW * batch_size]
        whole = len(series) - len(series) % batch_size
        by_length = series[:whole][np.argsort(lengths[series[:whole]], kind="stable")]
        batches = [by_length[k : k + batch_size] for k in range(0, whole, batch_size)]
        batches += [series[whole:]] if whole < len(series) else []
        for place, batch in enumerate(generator_of(*key, start, 4).permutation(len(batches))):
            yield start + place * batch_size, batches[batch]


def trimmed(arrays: dict[str, np.ndarray], timed: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the arrays of a batch without steps that are padding for all of its series.

    Parameters
    ----------
    arrays : dict of str to ndarray
        With ``x:lengths``, and ``x:x`` of shape (batch, time, n_features).
    timed : tuple of str
        Names of those whose second axis is time.
    """
    time = arrays["x:x"].shape[1]
    grid = -(-time // SIZES)
    longest = min(-(-int(arrays["x:lengths"].max(initial=1)) // grid) * grid, time)
    if longest == time:
        return arrays
    return {name: a[:, :longest] if name in timed else a for name, a in arrays.items()}


def joined_batches(answers: Sequence[np.ndarray]) -> np.ndarray:
    """Return the answers of batches as one array; of batches with fewer steps zeros follow.

    Examples
    --------
    >>> joined_batches([np.ones((1, 2, 1)), np.ones((1, 3, 1))])[:, :, 0].astype(int).tolist()
    [[1, 1, 0], [1, 1, 1]]
    """
    if len(answers) == 1:
        return answers[0]
    if len({one.shape[1:] for one in answers}) == 1:
        return np.concatenate(answers)
    steps = max(one.shape[1] for one in answers)
    shape = (sum(map(len, answers)), steps, *answers[0].shape[2:])
    whole, first = np.zeros(shape, answers[0].dtype), 0
    for one in answers:
        whole[first : first + len(one), : one.shape[1]] = one
        first += len(one)
    return whole
