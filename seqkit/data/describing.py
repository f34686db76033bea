"""Facts of series that decide whether a model can learn from them, and whether a score means much.

Everything here is arithmetic on arrays; :mod:`seqkit.runs.describing` reads the data, and
:mod:`seqkit.report.description` shows what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "ColumnFacts",
    "SeriesPart",
    "column_facts",
    "duplicates",
    "outliers",
    "overlap_in_time",
    "shared_runs",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Robust z beyond which a value is called far out: of a normal variable one in 10**23 is, of the
# heavy-tailed daily returns of a share one in some thousands.
FAR_OUT = 10.0
NORMAL = 0.6745  # median absolute deviation of a normal variable of variance 1
# Steps in a row that two series share by chance hardly ever, if they are not constant.
RUN = 16
CHUNK = 1 << 18  # runs looked at together: 32 MB
DISTINCT = 4  # values that such a run must hold: on/off signals repeat themselves


@dataclass(frozen=True)
class SeriesPart:
    """Series of one part of the data: rows one after the other.

    Attributes
    ----------
    name : str
        "train", "validation" or "test", or "data" where there are no parts.
    values : ndarray of shape (n_rows, n_features)
        NaN where a value is missing.
    offsets : ndarray of shape (n_series + 1,)
    features : tuple of str
    ids : sequence
    y : ndarray or None
        Labels or numbers, one a series.
    times : ndarray of shape (n_rows,) or None
    absent : int
        Rows that stand for time stamps that are absent; none of their values is counted as missing.
    """

    name: str
    values: Floats
    offsets: Ints
    features: tuple[str, ...]
    ids: Sequence[Any]
    y: Any = None
    times: Any = None
    absent: int = 0

    @property
    def lengths(self) -> Ints:
        """Steps of every series."""
        return np.diff(self.offsets)

    def series(self) -> Iterable[Floats]:
        """The series, one after the other."""
        return np.split(self.values, self.offsets[1:-1])


@dataclass(frozen=True)
class ColumnFacts:
    """What a column of numbers holds.

    Attributes
    ----------
    name : str
    missing, distinct, outliers : int
    low, middle, high : float
        Smallest value, median, largest; NaN where nothing is known.
    worst : str
        Where the value is that is farthest out; empty where none is.
    """

    name: str
    missing: int
    distinct: int
    low: float
    middle: float
    high: float
    outliers: int = 0
    worst: str = ""

    @property
    def constant(self) -> bool:
        """Whether it has one value, or none."""
        return self.distinct < 2


def outliers(values: npt.ArrayLike) -> Floats:
    """Return the robust z of every value that is far out, and 0 for all others.

    It is ``0.6745 * abs(x - median) / median(abs(x - median))`` (Iglewicz and Hoaglin 1993). Where
    more than half of the values are equal nothing is far out.

    Examples
    --------
    >>> np.flatnonzero(outliers([1.0, 2.0, 3.0, 2.0, 1.0, 999.0, 2.0, -500.0])).tolist()
    [5, 7]
    """
    x = np.asarray(values, dtype=np.float64)
    known = np.isfinite(x)
    if not known.any():
        return np.zeros(len(x))
    away = np.where(known, np.abs(x - np.median(x[known])), 0.0)
    spread = np.median(away[known])
    if spread == 0:
        return np.zeros(len(x))
    z: Floats = NORMAL * away / spread
    return np.where(z > FAR_OUT, z, 0.0)


def column_facts(part: SeriesPart, each: bool = False) -> list[ColumnFacts]:
    """Return the facts of every column of a part.

    Parameters
    ----------
    part : SeriesPart
    each : bool, default=False
        Look for outliers in every series by itself: series to forecast have levels of their own.
    """
    bounds = part.offsets if each else np.asarray([0, len(part.values)])
    facts = []
    for j, name in enumerate(part.features):
        column = part.values[:, j]
        known = column[np.isfinite(column)]
        z = np.concatenate([outliers(column[i:k]) for i, k in pairwise(bounds.tolist())])
        worst = ""
        if z.any():
            row = int(z.argmax())
            i = int(np.searchsorted(part.offsets, row, side="right")) - 1
            worst = f"{column[row]:.6g} in series {part.ids[i]}, step {row - part.offsets[i]}"
        low = middle = high = float("nan")
        if len(known):
            low, middle, high = (float(of(known)) for of in (np.min, np.median, np.max))
        missing, distinct = int(np.isnan(column).sum()) - part.absent, len(np.unique(known))
        far = int(np.count_nonzero(z))
        facts.append(ColumnFacts(name, missing, distinct, low, middle, high, far, worst))
    return facts


def duplicates(parts: Sequence[SeriesPart]) -> list[list[tuple[str, Any]]]:
    """Return groups of series that are the same value for value, as (part, name of the series).

    Examples
    --------
    >>> values = np.asarray([[1.0], [2.0], [1.0], [2.0], [3.0]])
    >>> part = SeriesPart("train", values, np.asarray([0, 2, 4, 5]), ("a",), ["x", "y", "z"])
    >>> duplicates([part])
    [[('train', 'x'), ('train', 'y')]]
    """
    groups: dict[bytes, list[tuple[str, Any]]] = {}
    for part in parts:
        for name, series in zip(part.ids, part.series(), strict=True):
            key = blake2b(series.tobytes(), digest_size=16).digest()
            groups.setdefault(key, []).append((part.name, name))
    return [group for group in groups.values() if len(group) > 1]


def shared_runs(train: SeriesPart, test: SeriesPart, distinct: int = DISTINCT) -> list[Any]:
    """Return the test series that have `RUN` steps in a row of a training series.

    Windows that were cut from one recording and overlap do: what is tested was trained on.
    Runs of fewer than `distinct` values do not count, and no shorter series.
    """
    if train.features != test.features:
        return []
    known = np.unique(_runs(train, distinct)[0])
    hashes, series = _runs(test, distinct)
    found = np.unique(series[np.isin(hashes, known)])
    return [test.ids[i] for i in found.tolist()]


def _runs(part: SeriesPart, least: int) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Return a hash of every run of steps within a series, and whose it is."""
    n = len(part.values) - RUN + 1
    if n < 1:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    bits = np.ascontiguousarray(part.values + 0.0).view(np.uint64)  # -0.0 is 0.0
    factors = np.random.default_rng(0).integers(1, 2**63, (2, bits.shape[1]), dtype=np.uint64) | 1
    mixed = (bits * factors[0]) ^ ((bits >> np.uint64(29)) * factors[1])
    step = mixed.sum(axis=1, dtype=np.uint64)  # (n_rows,), wraps around
    hashes = np.zeros(n, dtype=np.uint64)
    for k in range(RUN):  # a polynomial of the steps, modulo 2**64
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + step[k : k + n]
    whose = np.repeat(np.arange(len(part.lengths)), part.lengths)
    within = whose[:n] == whose[RUN - 1 :]
    windows = np.lib.stride_tricks.sliding_window_view(step, RUN)
    for first in range(0, n, CHUNK):  # sorting copies
        some = slice(first, first + CHUNK)
        distinct = (np.diff(np.sort(windows[some], axis=1), axis=1) != 0).sum(axis=1) + 1
        within[some] &= distinct >= least
    return hashes[within], whose[:n][within]


def overlap_in_time(train: SeriesPart, test: SeriesPart) -> tuple[Any, Any] | None:
    """Return the end of the training part and the beginning of the test part, if they overlap."""
    dated = [p.times is not None and p.times.dtype.kind == "M" for p in (train, test)]
    if not all(dated):
        return None
    end, begin = train.times.max(), test.times.min()
    return (end, begin) if end >= begin else None
