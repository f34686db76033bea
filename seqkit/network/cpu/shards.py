"""In how many parts a batch is computed side by side, and the threads that do it."""

from __future__ import annotations

import functools
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from seqkit.system.collection import collection_paused

__all__ = [
    "is_worth_a_part",
    "n_cores",
    "n_free_cores",
    "n_shards",
    "n_side_by_side",
    "one_of_several",
    "parts_of",
    "side_by_side",
]


def n_cores() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def n_side_by_side() -> int:
    """Return how much is computed at a time: by cores and the threads that TensorFlow was given."""
    cores = n_cores()
    loaded: Any = sys.modules.get("tensorflow")
    threads = 0
    if hasattr(loaded, "config"):
        threads = loaded.config.threading.get_inter_op_parallelism_threads()
    threads = threads or int(os.environ.get("TF_NUM_INTEROP_THREADS") or 0)
    return min(cores, threads) if threads > 0 else cores


SHARD_FLOOR = 1_700_000
"""Work of a part, in multiplications of a gate, below which a part costs more than it gains: some
0.3 ms to be called, forward and backward."""


def n_shards(
    batch: int | None,
    n_steps: int | None,
    units: int,
    directions: int = 1,
    at_most: int | None = None,
) -> int:
    """Return in how many parts a training batch is computed side by side.

    The operations of a step are too small to be shared between cores, so whole parts of the batch
    go to different cores. Two directions are side by side already.

    Parameters
    ----------
    batch, n_steps : int or None
        Series in a batch and their length, None where it is known only when the graph runs.
    units : int
    directions : int, default=1
        Layers that run side by side.
    at_most : int, optional
        Parts of all of them together; default: what `n_side_by_side` says now.

    Examples
    --------
    >>> n_shards(16, 50, units=32)
    1
    """
    series = 32 if batch is None else batch
    steps = 100 if n_steps is None else n_steps
    by_work = _work(series, steps, units) // SHARD_FLOOR
    at_most = n_side_by_side() if at_most is None else at_most
    return max(1, min(at_most // directions, 4, by_work, series // 4))


def _work(batch: int, n_steps: int, units: int) -> int:
    return batch * n_steps * units * (units + 32)  # 32: what is no product


def is_worth_a_part(batch: int, n_steps: int, units: int) -> bool:
    """Return whether a direction of a batch is worth a thread of its own.

    Examples
    --------
    >>> is_worth_a_part(1, 100, 64), is_worth_a_part(16, 100, 64)
    (False, True)
    """
    return _work(batch, n_steps, units) >= SHARD_FLOOR


PART_FLOOR = 8_000_000
"""Multiplications of a part of a batch, below which a part costs more than it gains."""


def parts_of(n_series: int, work: int) -> list[slice]:
    """Return the parts of a batch that are computed side by side, of so many multiplications.

    Examples
    --------
    >>> parts_of(8, 10)
    [slice(0, 8, None)]
    """
    n = max(1, min(n_cores(), 4, work // PART_FLOOR, n_series))
    bounds = [n_series * k // n for k in range(n + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds)]


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="seqkit")


class _Several:
    """How many threads of the program compute at the moment."""

    def __init__(self) -> None:
        self.count = 0
        self.lock = threading.Lock()


_SEVERAL = _Several()


@contextmanager
def one_of_several() -> Iterator[None]:
    """Count this thread among those that share the cores, while it fits or predicts.

    What is cut into parts stays cut the same way, so the result does; only how many of the parts
    are computed at a time depends on who else computes.
    """
    with _SEVERAL.lock:
        _SEVERAL.count += 1
    try:
        yield
    finally:
        with _SEVERAL.lock:
            _SEVERAL.count -= 1


def n_free_cores() -> int:
    """Return how many cores one more fit may have, beside those that are under way."""
    return max(1, n_side_by_side() // (1 + _SEVERAL.count))


def _afresh() -> None:
    """Begin without the threads of the process that was forked: they are not here."""
    _threads.cache_clear()
    _SEVERAL.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afresh)


def _one_by_one(calls: Sequence[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def side_by_side(calls: Sequence[Callable[[], Any]], worth: bool = True) -> None:
    """Make all calls, as many at a time as there are cores for; some in this very thread.

    All of them in this thread where none is `worth` another.

    The calls must not wait for calls of their own: there is one pool of threads.
    """
    with collection_paused():  # kernels may be loaded
        if len(calls) == 1 or not worth:
            _one_by_one(calls)
            return
        width = max(1, n_side_by_side() // max(1, _SEVERAL.count))
        others = [
            _threads().submit(_one_by_one, calls[k::width])
            for k in range(1, min(width, len(calls)))
        ]
        _one_by_one(calls[::width])
        for other in others:
            other.result()
