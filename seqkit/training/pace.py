"""How long work goes on before it looks up."""

from __future__ import annotations

import time
from collections.abc import Iterator

__all__ = ["CHUNK_SECONDS", "Pace"]

CHUNK_SECONDS = 1.0
"""Long work returns to Python about this often: the bar moves, Ctrl-C works."""


class Pace:
    """How many steps to run before looking up again, from how long the last ones took.

    Parameters
    ----------
    adapts : bool, default=True
        False keeps the number of the beginning. Several workers must: each has a clock of its own,
        and one that returns to Python after another step than the others waits for them for ever.
    """

    FIRST = 16

    def __init__(self, adapts: bool = True) -> None:
        self.adapts = adapts
        self.seconds_an_example = 0.0

    def steps(self, batch_size: int) -> int:
        """Return how many steps take about a second, at least one."""
        seconds = self.seconds_an_example * batch_size
        if not self.adapts or not seconds:  # short: nobody knows how long a step takes
            return self.FIRST
        return max(1, int(CHUNK_SECONDS / seconds))

    def chunks(self, n_steps: int, batch_size: int) -> Iterator[tuple[int, int]]:
        """Yield ``(start, stop)`` of chunks that take about a second each."""
        start = 0
        while start < n_steps:
            stop = min(n_steps, start + self.steps(batch_size))
            began = time.perf_counter()
            yield start, stop
            spent = time.perf_counter() - began
            self.seconds_an_example = spent / ((stop - start) * batch_size)
            start = stop
