"""Which series train, which stop the training early, and which give the scores.

Only indices are made here. How time steps of one long series are divided is another matter: see
forecasting (`seqkit.data.windows`).
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqkit.data.sequences import Sequences
from seqkit.errors import DataError, explain, suggest

__all__ = ["SPLITS", "Split", "SplitMethod", "check_classes", "check_same_labels", "split"]

DEFAULT_TEST = 0.2

Index = NDArray[np.int64]


class Split(NamedTuple):
    """Ascending indices of the series of each part; together every series once.

    Attributes
    ----------
    train, validation, test : ndarray of int64
    """

    train: Index
    validation: Index
    test: Index


@dataclass(frozen=True)
class SplitMethod:
    """One row of `SPLITS`.

    Attributes
    ----------
    name, description : str
    hold : callable
        ``hold(sequences, index, fraction, rng, what)`` returns those of `index` to hold back.
    """

    name: str
    description: str
    hold: Callable[[Sequences, Index, float, np.random.Generator, str], Index]


def split(
    sequences: Sequences,
    method: str = "random",
    validation: float = 0.15,
    test: float | None = None,
    seed: int | None = 0,
) -> Split:
    """Divide series into training, validation and test parts.

    Parameters
    ----------
    sequences : Sequences
        Where it says itself which part a series belongs to (``parts``), that holds; a validation
        part it does not name is then taken from its training part.
    method : str, default="random"
        A key of `SPLITS`.
    validation : float, default=0.15
        Fraction of the series that are not test, in [0, 1).
    test : float, optional
        Fraction of all series, in [0, 1). Default: 0.2, or what ``parts`` says.
    seed : int, default=0
        The same seed gives the same split.

    Raises
    ------
    DataError
        An unknown method, a fraction out of range, a part that would be empty, what the method
        needs and the series do not have, a fraction where the file has its own parts.

    Examples
    --------
    >>> import numpy as np
    >>> s = Sequences(np.ones((20, 1)), np.arange(21), ("a",), y=np.arange(20) % 2)
    >>> [len(part) for part in split(s, "stratified", validation=0.25, test=0.2)]
    [12, 4, 4]
    """
    if method not in SPLITS:
        known = "one of " + ", ".join(SPLITS)
        raise DataError(explain("data.split", "method", known, method, suggest(method, SPLITS)))
    for name, fraction in (("validation", validation), ("test", test)):
        if fraction is not None and not 0 <= fraction < 1:
            raise DataError(explain("data.split", name, "a fraction from 0 to below 1", fraction))
    rng = np.random.default_rng(seed)
    everything = np.arange(len(sequences))
    hold = SPLITS[method].hold
    if sequences.parts is not None:
        parts = np.asarray(sequences.parts)
        if test:
            hint = "Leave split.test out: the file names its test part."
            raise DataError(explain("data.split", "test", "absent", test, hint))
        train, stop, held = (everything[parts == p] for p in ("train", "validation", "test"))
        if stop.size:
            return _whole(Split(train, stop, held))
    else:
        held = hold(sequences, everything, DEFAULT_TEST if test is None else test, rng, "test")
        train = np.setdiff1d(everything, held)
    stop = hold(sequences, train, validation, rng, "validation")
    return _whole(Split(np.setdiff1d(train, stop), stop, held))


def _whole(parts: Split) -> Split:
    if not parts.train.size:
        raise DataError(explain("data.split", "the training part", "of at least one series", 0))
    return Split(*(np.sort(part).astype(np.int64) for part in parts))


def _count(size: int, fraction: float, what: str, unit: str = "series") -> int:
    """Return how many to hold back: rounded, at least one, leaving at least one."""
    if fraction == 0:
        return 0
    if size < 2:
        hint = f"Set split.{what} to 0, or bring more data."
        expected = f"at least 2 to hold a {what} part back"
        raise DataError(explain("data.split", f"the number of {unit}", expected, size, hint))
    return min(max(round(size * fraction), 1), size - 1)


def _random(
    sequences: Sequences, index: Index, fraction: float, rng: np.random.Generator, what: str
) -> Index:
    return rng.permutation(index)[: _count(index.size, fraction, what)]


def _stratified(
    sequences: Sequences, index: Index, fraction: float, rng: np.random.Generator, what: str
) -> Index:
    count = _count(index.size, fraction, what)
    if not count:
        return index[:0]
    y = None if sequences.y is None else np.asarray(sequences.y)
    if y is None or y.ndim != 1 or (y.dtype.kind == "f" and (y != np.round(y)).any()):
        got = "none" if y is None else f"numbers of shape {y.shape}"
        hint = "Use method: random."
        raise DataError(explain("data.split", "the target of a stratified split", "of classes", got,
                                hint))  # fmt: skip
    classes, sizes = np.unique(y[index], return_counts=True)
    if sizes.min() < 2:
        single = classes[sizes < 2].tolist()
        hint = "Bring more of it, leave it out, or use method: random."
        expected = f"at least 2 in every class for a {what} part"
        got = f"1 in class {', '.join(map(repr, single))}"
        raise DataError(f"data.split: the number of series must be {expected}; got {got}. {hint}")
    if min(count, index.size - count) < classes.size:
        expected = f"such that both sides hold one series of each of the {classes.size} classes"
        hint = f"Use a fraction of at least {classes.size / index.size:.2f}, or method: random."
        raise DataError(explain("data.split", what, expected, fraction, hint))
    # Every class gives its share, rounded so that the shares add up (largest remainders first), one
    # series at least, and keeps one. scikit-learn's splitter does the same but takes a second to
    # import, which is more than reading the data may cost.
    share = sizes * count / index.size
    given = np.clip(share.astype(int), 1, sizes - 1)
    while (short := count - given.sum()) != 0:
        rest = np.where(given < sizes - 1, share - given, -np.inf) if short > 0 else given - share
        if short < 0:
            rest = np.where(given > 1, rest, -np.inf)
        given[np.argmax(rest)] += np.sign(short)
    held = [
        rng.permutation(np.flatnonzero(y[index] == c))[:n]
        for c, n in zip(classes, given, strict=True)
    ]
    chosen: Index = index[np.sort(np.concatenate(held))]
    return chosen


def _group(
    sequences: Sequences, index: Index, fraction: float, rng: np.random.Generator, what: str
) -> Index:
    if sequences.groups is None:
        hint = "Name the column as data.group."
        raise DataError(explain("data.split", "the groups", "known for method: group", None, hint))
    names, group = np.unique(np.asarray(sequences.groups)[index], return_inverse=True)
    if not _count(names.size, fraction, what, "groups"):
        return index[:0]
    order = rng.permutation(names.size)
    # The number of groups whose series together come nearest to the fraction, one left at least.
    sizes = np.cumsum(np.bincount(group)[order])[:-1]
    chosen = order[: int(np.argmin(np.abs(sizes - fraction * index.size))) + 1]
    return index[np.isin(group, chosen)]


def _time(
    sequences: Sequences, index: Index, fraction: float, rng: np.random.Generator, what: str
) -> Index:
    count = _count(index.size, fraction, what)
    if sequences.times is None:
        return index[index.size - count :]
    ends = np.asarray(sequences.times)[sequences.offsets[1:] - 1][index]
    return index[np.argsort(ends, kind="stable")[index.size - count :]]


SPLITS: dict[str, SplitMethod] = {
    row.name: row
    for row in (
        SplitMethod("random", "at random", _random),
        SplitMethod("stratified", "at random, every class in the same proportion", _stratified),
        SplitMethod("group", "at random, whole groups together", _group),
        SplitMethod("time", "the series that end last (in the file, without stamps)", _time),
    )
}


def check_classes(y: Any, where: str = "data") -> None:
    """Raise where labels are fewer than two classes.

    Parameters
    ----------
    y : array-like of shape (n_series,)
    where : str, default="data"

    Raises
    ------
    DataError

    Examples
    --------
    >>> check_classes(["run", "rest"])
    """
    classes = np.unique(np.asarray(y))
    if classes.size < 2:
        hint = "A classifier needs at least two classes to tell apart; is this the right column?"
        raise DataError(explain(where, "the target", "of two or more classes", classes.tolist(),
                                hint))  # fmt: skip


def check_same_labels(train: Any, test: Any, where: str = "data", part: str = "test") -> None:
    """Raise where `test` holds a label that `train` does not.

    Parameters
    ----------
    train, test : array-like of shape (n_series,)
        Labels.
    where : str, default="data"
    part : str, default="test"
        What `test` is called in the message.

    Raises
    ------
    DataError
        Names the labels, and says where the two parts write the same thing in two ways.
    """
    known, tested = np.unique(np.asarray(train)), np.asarray(test)
    new = [label for label in np.unique(tested).tolist() if label not in set(known.tolist())]
    if not new:
        return
    count = int(np.isin(tested, new).sum())
    shown = ", ".join(map(reprlib.repr, new[:8])) + (", ..." if len(new) > 8 else "")
    same = {str(label) for label in new} & {str(label) for label in known.tolist()}
    hint = (
        "The same labels are numbers in one file and text in the other: write them alike."
        if same
        else "Move some of them to the training part, leave them out, or use method: stratified."
    )
    raise DataError(
        f"{where}: the labels of the {part} part must be among those of training; "
        f"got {shown} in {count} series. {hint}"
    )
