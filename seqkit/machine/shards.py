"""In how many parts a batch is computed side by side, and the threads that do it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seqkit.collection import collection_paused

__all__ = ["n_shards", "n_side_by_side", "side_by_side"]


def n_side_by_side() -> int:
    """Return how much is computed at a time: by cores and the threads that TensorFlow was given."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    loaded: Any = sys.modules.get("tensorflow")
    threads = 0
    if hasattr(loaded, "config"):
        threads = loaded.config.threading.get_inter_op_parallelism_threads()
    threads = threads or int(os.environ.get("TF_NUM_INTEROP_THREADS") or 0)
    return min(cores, threads) if threads > 0 else cores


SHARD_FLOOR = 1_700_000
"""Work of a part, in multiplications of a gate, below which a part costs more than it gains: some
0.3 ms to be called, there and back."""


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
    by_work = series * steps * units * (units + 32) // SHARD_FLOOR  # 32: what is no product
    at_most = n_side_by_side() if at_most is None else at_most
    return max(1, min(at_most // directions, 4, by_work, series // 4))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="seqkit")


def side_by_side(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what each call gives; the first is made in this very thread.

    The calls must not wait for calls of their own: there is one pool of threads.
    """
    with collection_paused():  # machine code may be loaded
        others = [_threads().submit(call) for call in calls[1:]]
        return [calls[0](), *(other.result() for other in others)]
