"""Where the training loop takes its examples from: arrays in memory, or a stream of blocks."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from seqkit.errors import DataError, explain

__all__ = ["ArraySource", "Shuffle", "Source", "aligned", "shuffled"]

Tree = Any
"""A tensor, or a dictionary of tensors by input name."""


@runtime_checkable
class Source(Protocol):
    """Examples by number, gathered inside the graph.

    One that also has ``take(index)``, which gives the same in arrays, serves native networks.

    Attributes
    ----------
    n_examples : int
        Examples of a full pass.
    tensors : dict of str to ndarray
        Arrays handed to the traced function as arguments. Their leading dimension may change from
        one source to the next without a new trace; dtypes and trailing shapes may not.
    signature : Hashable
        Everything else that changes the traced graph (not the data itself).
    """

    n_examples: int
    tensors: dict[str, np.ndarray]
    signature: Hashable

    def gather(self, tensors: dict[str, Any], index: Any) -> tuple[Tree, Any, Any]:
        """Return ``(inputs, y, weight or None)`` of the examples ``index``, int64 (batch,)."""
        ...


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
        # One integer dtype, so that int64 labels after int32 ones do not trace again.
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
    words = [int(word) & 0xFFFFFFFFFFFFFFFF for word in (seed, epoch, part)]
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
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
        found = self._network(np.arange(start, stop, dtype=np.uint64))
        while True:
            outside = np.flatnonzero(found >= self.n)
            if not len(outside):
                return found.astype(np.int64)
            found[outside] = self._network(found[outside])

    def _network(self, numbers: np.ndarray) -> np.ndarray:
        mask = np.uint64((1 << int(self.half)) - 1)
        left, right = numbers >> self.half, numbers & mask
        for key in self.keys:
            mixed = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)  # wraps: Fibonacci hashing
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << self.half) | right


def aligned(array: np.ndarray) -> np.ndarray:
    """Return the array on a 64-byte boundary, copied if it is not.

    TensorFlow shares the memory of large arrays that begin there, and copies others: worth it for
    data that fill a good part of the memory.

    Examples
    --------
    >>> aligned(np.ones(5)).ctypes.data % 64
    0
    """
    if array.ctypes.data % 64 == 0 and array.flags.c_contiguous:
        return array
    buffer = np.empty(array.nbytes + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    view = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


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

    Raises
    ------
    DataError
        If the arrays differ in their number of rows or hold something else than numbers.

    Examples
    --------
    >>> source = ArraySource(np.zeros((5, 8, 1)), np.arange(5))
    >>> source.n_examples, sorted(source.tensors)
    (5, ['x', 'y'])
    """

    def __init__(
        self,
        inputs: np.ndarray | Mapping[str, np.ndarray],
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        names: tuple[str, ...] | None = None
        if isinstance(inputs, Mapping):
            names = tuple(inputs)
            for name in names:
                self.tensors[f"x:{name}"] = _plain(inputs[name], "ArraySource", f"input {name!r}")
        else:
            self.tensors["x"] = _plain(inputs, "ArraySource", "inputs")
        if y is not None:
            self.tensors["y"] = _plain(y, "ArraySource", "y")
        if sample_weight is not None:
            weight = _plain(sample_weight, "ArraySource", "sample_weight")
            self.tensors["weight"] = weight.astype(_floatx(), copy=False)
        rows = {name: len(array) for name, array in self.tensors.items()}
        if len(set(rows.values())) > 1:
            raise DataError(
                explain("ArraySource", "the arrays", "of the same number of rows", rows)
            )
        self.n_examples = next(iter(rows.values()))
        self.names = names
        self.signature: Hashable = names

    def take(self, index: np.ndarray) -> tuple[Tree, Any, Any]:
        """Return what :meth:`gather` does, as arrays."""
        rows = {name: array[index] for name, array in self.tensors.items()}
        inputs = rows["x"] if self.names is None else {n: rows[f"x:{n}"] for n in self.names}
        return inputs, rows.get("y"), rows.get("weight")

    def gather(self, tensors: dict[str, Any], index: Any) -> tuple[Tree, Any, Any]:
        """Return the rows ``index`` of the inputs, the targets and the weights."""
        import tensorflow as tf

        rows = {name: tf.gather(tensor, index) for name, tensor in tensors.items()}
        inputs = rows["x"] if self.names is None else {n: rows[f"x:{n}"] for n in self.names}
        return inputs, rows.get("y"), rows.get("weight")
