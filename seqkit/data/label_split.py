"""A part of series of several labels each that holds every label in its proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["hold_out_by_labels"]


def hold_out_by_labels(labels: ArrayLike, n_held: int, seed: int) -> NDArray[np.int64]:
    """Choose series to hold back such that each label keeps its share in both parts.

    Sechidis, Tsoumakas and Vlahavas (2011), "On the stratification of multi-label data", algorithm
    1, for two parts of exact sizes: the rarest label that is left is dealt out first, each series
    to the part that wants more of that label, then to the one that wants more series. Series
    without a label are dealt out as if they had one of their own.

    Parameters
    ----------
    labels : array-like of 0 and 1 of shape (n_series, n_labels)
    n_held : int
        Series to hold back, from 1 to n_series - 1.
    seed : int
        Decides the order of the series, and by it all ties.

    Returns
    -------
    ndarray of int64 of shape (n_held,)
        Their rows, ascending.

    Examples
    --------
    >>> labels = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1], [0, 0], [0, 0]])
    >>> held = hold_out_by_labels(labels, 4, seed=0)
    >>> labels[held].sum(axis=0).tolist()
    [2, 2]
    """
    marks = np.asarray(labels, dtype=bool)
    marks = np.concatenate([marks, ~marks.any(axis=1, keepdims=True)], axis=1)
    n = len(marks)
    sizes = np.array([n - n_held, n_held])  # places left in each part: training, held
    wanted = sizes[:, None] / n * marks.sum(axis=0)  # (2, n_labels + 1)
    order = np.random.default_rng(seed).permutation(n)
    part = np.full(n, -1)
    while (part < 0).any():
        left = marks[part < 0].sum(axis=0)
        rarest = int(np.where(left > 0, left, n + 1).argmin())
        for row in order[marks[order, rarest] & (part[order] < 0)]:
            # the training part where both want as much: a label of one series is trained on
            best = max((p for p in (0, 1) if sizes[p] > 0),
                       key=lambda p: (wanted[p, rarest], sizes[p]))  # fmt: skip
            part[row] = best
            sizes[best] -= 1
            wanted[best] -= marks[row]
    return np.flatnonzero(part == 1).astype(np.int64)
