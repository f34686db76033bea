"""Where the training loop takes its examples from: arrays in memory, or a stream of blocks."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np

from seqkit.errors import DataError, explain
from seqkit.network.initializers import derived_seed
from seqkit.training.augmentation import Augmentation, Mixup, generator_of
from seqkit.training.buckets import alike, is_padded, trimmed

__all__ = [
    "ArraySource",
    "Batch",
    "Shuffle",
    "Source",
    "Stream",
    "batches_of",
    "shuffled",
]

Batch = tuple[Any, Any, Any]
"""``(inputs, y or None, weight or None)`` of some examples; inputs: an array, or a dictionary."""


@runtime_checkable
class Source(Protocol):
    """Examples by number.

    Attributes
    ----------
    n_examples : int
        Examples of a full pass.
    """

    n_examples: int

    def take(self, index: np.ndarray) -> Batch:
        """Return the examples `index`, int64 (batch,)."""
        ...


class Stream(Protocol):
    """Examples that come in turn.

    Attributes
    ----------
    n_examples : int
        Examples of a full pass.
    """

    n_examples: int

    def batches(self, batch_size: int, key: tuple[int, int] | None) -> Iterator[Batch]:
        """Yield batches in the shuffled order of ``key = (seed, epoch)``; None = as stored."""
        ...


def batches_of(
    source: Source | Stream,
    batch_size: int,
    key: tuple[int, int] | None = None,
    n_batches: int | None = None,
) -> Iterator[Batch]:
    """Yield the batches of a pass.

    Parameters
    ----------
    source : Source or Stream
    batch_size : int
        The last batch may be smaller.
    key : (int, int), optional
        Seed and epoch of a shuffled pass; None = in order.
    n_batches : int, optional
        That many, drawn with replacement, instead of a full pass; of a stream as many passes as
        it takes.
    """
    if not isinstance(source, Source):
        passes = itertools.count() if n_batches is not None else range(1)
        batches = itertools.chain.from_iterable(
            source.batches(
                batch_size, key if not k or key is None else (derived_seed(key[0], k), key[1])
            )
            for k in passes
        )
        yield from ahead(itertools.islice(batches, n_batches))
        return
    n, own = source.n_examples, source if isinstance(source, ArraySource) else None
    order: Any = np.arange(n)
    if key is not None:
        order = shuffled(n, *key, draws=None if n_batches is None else n_batches * batch_size)
    starts = range(0, len(order), batch_size)
    parts: Iterator[tuple[int, Any]] = ((k, order[k : k + batch_size]) for k in starts)
    if key is not None and own is not None and own.timed and own.alike:
        parts = alike(order, own.arrays["x:lengths"], batch_size, key)
    for start, index in parts:
        inputs, y, weight = source.take(index)
        if key is not None and own is not None and own.augment is not None:
            inputs = own.augment(inputs, *key, start)
        if key is not None and own is not None and own.mixup is not None:
            assert y is not None
            inputs, y, weight = own.mixup(inputs, y, weight, *key, start)
        yield inputs, y, weight


def ahead(items: Iterator[Any]) -> Iterator[Any]:
    """Yield what an iterator gives, the next one being made meanwhile in another thread."""
    with ThreadPoolExecutor(1) as executor:
        coming = executor.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = executor.submit(next, items, _END)
            yield item


_END = object()


def _floatx() -> str:
    """Return Keras's default precision; where nobody has imported Keras, nobody has changed it."""
    keras: Any = sys.modules.get("keras")
    return keras.config.floatx() if hasattr(keras, "config") else "float32"


def _plain(array: Any, where: str, what: str) -> np.ndarray:
    """Return the array in the dtype Keras would cast it to: float32 (floatx) or int32."""
    values = np.asarray(array)
    if values.dtype.kind == "f":
        return np.asarray(values, dtype=_floatx())
    if values.dtype.kind in "iu":
        small = values.size == 0 or (
            values.max() <= np.iinfo(np.int32).max and values.min() >= np.iinfo(np.int32).min
        )
        return np.asarray(values, dtype=np.int32 if small else np.int64)
    if values.dtype.kind == "b":
        return values
    raise DataError(
        explain(where, what, "an array of numbers", values.dtype, "Encode text as numbers first.")
    )


LISTED = 1 << 20
"""Up to so many examples a shuffle is a list; beyond, a formula, so that it takes no memory."""


def shuffled(
    n: int, seed: int, epoch: int, part: int = 0, draws: int | None = None
) -> np.ndarray | Shuffle:
    """Return the numbers below `n` in the order of an epoch, or `draws` of them with replacement.

    Depends on the arguments alone, so an interrupted fit goes on with the same batches.

    Examples
    --------
    >>> sorted(shuffled(4, seed=0, epoch=3)[0:4].tolist())
    [0, 1, 2, 3]
    """
    generator = generator_of(seed, epoch, part)
    if draws is not None:
        return generator.integers(n, size=draws)
    return generator.permutation(n) if n <= LISTED else Shuffle(n, generator)


class Shuffle:
    """A permutation of the numbers below `n` that is computed where it is looked at.

    A Feistel network permutes the numbers of an even count of bits (Luby and Rackoff 1988);
    results of `n` and more go through it again until they are below (Black and Rogaway 2002).

    Examples
    --------
    >>> order = Shuffle(10, np.random.default_rng(0))
    >>> sorted(order[0:6].tolist() + order[6:10].tolist()) == list(range(10))
    True
    """

    ROUNDS = 6

    def __init__(self, n: int, generator: np.random.Generator) -> None:
        self.n = n
        self.half = np.uint64(max(1, -(-(n - 1).bit_length() // 2)))
        self.keys = generator.integers(1 << 63, size=self.ROUNDS, dtype=np.uint64)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, _ = part.indices(self.n)
        index = self._network(np.arange(start, stop, dtype=np.uint64))
        while True:
            outside = np.flatnonzero(index >= self.n)
            if not len(outside):
                return index.astype(np.int64)
            index[outside] = self._network(index[outside])

    def _network(self, numbers: np.ndarray) -> np.ndarray:
        mask = np.uint64((1 << int(self.half)) - 1)
        left, right = numbers >> self.half, numbers & mask
        for key in self.keys:
            mixed = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)  # wraps: Fibonacci hashing
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << self.half) | right


class ArraySource:
    """Rows of arrays held in memory.

    Parameters
    ----------
    inputs : ndarray or mapping of str to ndarray
        What the model takes, ``(n_examples, ...)`` each.
    y : ndarray, optional
        Targets, ``(n_examples, ...)``. None only for prediction.
    sample_weight : ndarray, optional
        ``(n_examples,)``, or ``(n_examples, n_timesteps)`` for a target at every step.
    augment : Augmentation, optional
        What becomes of the inputs in a shuffled pass.
    mixup : Mixup, optional
        What becomes of inputs, targets and weights there, after that.
    timed : tuple of {"x", "y", "weight"}, optional
        What has time as its second axis. Where it is told, and much of ``x`` is padding by
        ``lengths``, batches are cut to their longest series (:mod:`seqkit.training.buckets`).
    alike : bool, default=False
        Whether these batches, in a shuffled pass, are of series of like length.

    Raises
    ------
    DataError
        If the arrays differ in their number of rows or hold something else than numbers.

    Examples
    --------
    >>> source = ArraySource(np.zeros((5, 8, 1)), np.arange(5))
    >>> source.n_examples, sorted(source.arrays)
    (5, ['x', 'y'])
    """

    def __init__(
        self,
        inputs: np.ndarray | Mapping[str, np.ndarray],
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        *,
        augment: Augmentation | None = None,
        mixup: Mixup | None = None,
        timed: tuple[str, ...] = (),
        alike: bool = False,
    ) -> None:
        self.augment, self.mixup, self.alike = augment, mixup, alike
        self.arrays: dict[str, np.ndarray] = {}
        names: tuple[str, ...] | None = None
        if isinstance(inputs, Mapping):
            names = tuple(inputs)
            for name in names:
                self.arrays[f"x:{name}"] = _plain(inputs[name], "ArraySource", f"input {name!r}")
        else:
            self.arrays["x"] = _plain(inputs, "ArraySource", "inputs")
        if y is not None:
            self.arrays["y"] = _plain(y, "ArraySource", "y")
        if sample_weight is not None:
            weight = _plain(sample_weight, "ArraySource", "sample_weight")
            self.arrays["weight"] = weight.astype(_floatx(), copy=False)
        rows = {name: len(array) for name, array in self.arrays.items()}
        if len(set(rows.values())) > 1:
            raise DataError(
                explain("ArraySource", "the arrays", "of the same number of rows", rows)
            )
        self.n_examples = next(iter(rows.values()))
        self.names = names
        self.timed: tuple[str, ...] = ()
        told = timed and {"x:lengths", "x:x"} <= rows.keys()
        if told and is_padded(self.arrays["x:lengths"], self.arrays["x:x"].shape[1]):
            self.timed = tuple("x:x" if name == "x" else name for name in timed)

    def take(self, index: np.ndarray) -> Batch:
        """Return the rows `index` of the inputs, the targets and the weights."""
        rows = {name: array[index] for name, array in self.arrays.items()}
        rows = trimmed(rows, self.timed) if self.timed else rows
        inputs = rows["x"] if self.names is None else {n: rows[f"x:{n}"] for n in self.names}
        return inputs, rows.get("y"), rows.get("weight")
