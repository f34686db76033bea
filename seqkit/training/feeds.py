"""How batches reach a graph: gathered by number from tensors, or taken from a stream."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqkit.training.sources import Shuffle, Source
from seqkit.training.streams import StreamSource

__all__ = ["ArrayFeed", "Batch", "Feed", "StreamFeed", "batch_rows", "feed_of"]

ZERO_COPY_BYTES = 1 << 20
"""Arrays of at least this size are shared with TensorFlow where their alignment allows it."""


class Batch:
    """One batch inside the graph, not gathered yet, so that a replica can take its share alone.

    Parameters
    ----------
    size : scalar int64 tensor
        Examples in it.
    take : callable
        ``take(select)`` gives ``(inputs, y, weight)`` of the rows that ``select`` leaves.
    """

    def __init__(self, size: tf.Tensor, take: Callable[[Callable[[Any], Any]], Any]) -> None:
        self.size = size
        self.take = take

    def all(self) -> tuple[Any, Any, Any]:
        """Return inputs, targets and weights of the whole batch."""
        return self.take(lambda rows: rows)


class ArrayFeed:
    """Batches of a source in memory: the graph is given the order of the examples."""

    def __init__(self, source: Source) -> None:
        self.source = source
        arrays = source.tensors
        self.names = tuple(arrays)
        self.specs = tuple(
            tf.TensorSpec((None, *a.shape[1:]) if a.ndim else (), a.dtype) for a in arrays.values()
        )
        self.order_spec = tf.TensorSpec((None,), tf.int64)

    @property
    def specification(self) -> Hashable:
        """What a trace depends on: the kind of source, dtypes and trailing shapes."""
        shapes = tuple((np.dtype(a.dtype).str, a.shape[1:]) for a in self.source.tensors.values())
        return type(self.source), self.source.signature, self.names, shapes

    def fetcher(self, order: Any, batch: Any, flat: Sequence[Any]) -> Callable[[Any], Batch]:
        """Return the function from a step's number to its batch."""
        tensors = dict(zip(self.names, flat, strict=True))
        gather = self.source.gather
        n = tf.size(order, out_type=tf.int64)

        def fetch(step: Any) -> Batch:
            start = tf.cast(step, tf.int64) * batch
            index = order[start : tf.minimum(start + batch, n)]
            return Batch(
                tf.size(index, out_type=tf.int64), lambda select: gather(tensors, select(index))
            )

        return fetch

    def tensors(self) -> tuple[tf.Tensor, ...]:
        """Return the source's arrays as tensors."""
        return tuple(_tensor(array) for array in self.source.tensors.values())

    def orders(
        self, order: np.ndarray | Shuffle | None, batch_size: int, key: tuple[int, int] | None
    ) -> Callable[[int, int], tf.Tensor]:
        """Return the function that gives the graph's first argument for steps start to stop."""

        def part(start: int, stop: int) -> tf.Tensor:
            first, last = start * batch_size, stop * batch_size
            if order is None:
                last = min(last, self.source.n_examples)
                return tf.constant(np.arange(first, last, dtype=np.int64))
            return tf.constant(order[first:last], tf.int64)

        return part


class StreamFeed:
    """Batches of a stream: the graph is given an iterator over them."""

    def __init__(self, source: StreamSource) -> None:
        self.source = source
        self.specs: tuple[tf.TensorSpec, ...] = ()
        self.order_spec = tf.data.IteratorSpec(source.element_spec)

    @property
    def specification(self) -> Hashable:
        """What a trace depends on: the fields, their dtypes and trailing shapes."""
        return type(self.source), self.source.signature

    def fetcher(self, order: Any, batch: Any, flat: Sequence[Any]) -> Callable[[Any], Batch]:
        """Return the function that takes the next batch; it must be called in order."""

        def fetch(step: Any) -> Batch:
            rows = order.get_next()
            return Batch(
                tf.cast(batch_rows(rows), tf.int64),
                lambda select: self.source.unpack(tf.nest.map_structure(select, rows)),
            )

        return fetch

    def tensors(self) -> tuple[tf.Tensor, ...]:
        """Return nothing: a stream hands its rows over one batch at a time."""
        return ()

    def orders(
        self, order: np.ndarray | Shuffle | None, batch_size: int, key: tuple[int, int] | None
    ) -> Callable[[int, int], Any]:
        """Return the function that gives the iterator of this pass."""
        iterator = iter(self.source.dataset(batch_size, key))
        return lambda start, stop: iterator


Feed = ArrayFeed | StreamFeed


def feed_of(source: Source | StreamSource) -> Feed:
    """Return the feed that serves a source."""
    return StreamFeed(source) if isinstance(source, StreamSource) else ArrayFeed(source)


def batch_rows(rows: Any) -> Any:
    """Return the leading dimension of the first tensor of a structure."""
    return tf.shape(tf.nest.flatten(rows)[0])[0]


def _tensor(array: np.ndarray) -> tf.Tensor:
    """Return the array as a tensor: one that shares its memory where it is large and aligned."""
    aligned = array.ctypes.data % 64 == 0 and array.flags.c_contiguous and array.flags.writeable
    if aligned and array.nbytes >= ZERO_COPY_BYTES:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.convert_to_tensor(array)
