"""Fits of several networks at the same time, told of as if one came after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

from seqkit.network.cpu.shards import n_free_cores

if TYPE_CHECKING:
    from seqkit.training.loop import Fitted

__all__ = ["concurrent_fits"]

Told: TypeAlias = Callable[[int, dict[str, float], Callable[[], Any]], Any]


class _Stopped(Exception):
    """Nobody waits for this fit any more."""


class _InTurn:
    """Tells of the epochs of fits in the order of the fits, whichever of them is ahead.

    Of a fit whose turn has not come its epochs are noted; they are told once it has, with the state
    that is reached by then.
    """

    def __init__(self, on_epoch: Told | None, n: int) -> None:
        self.on_epoch = on_epoch
        self.turn = 0
        self.last = n  # fits from this one on are not wanted any more
        self.noted: list[list[tuple[int, dict[str, float]]]] = [[] for _ in range(n)]
        self.ended: list[Fitted | None] = [None] * n
        self.lock = threading.Lock()

    def told_of(self, number: int) -> Told:
        """Return what a fit is to call after each epoch."""

        def told(epoch: int, logs: dict[str, float], get_state: Callable[[], Any]) -> None:
            with self.lock:
                if number >= self.last:
                    raise _Stopped
                self.noted[number].append((epoch, logs))
                if number == self.turn:
                    self.tell(number, get_state)

        return told

    def tell(self, number: int, get_state: Callable[[], Any]) -> None:
        """Tell of what is noted of a fit."""
        noted, self.noted[number] = self.noted[number], []
        for epoch, logs in noted:
            if self.on_epoch is not None:
                self.on_epoch(epoch, logs, get_state)

    def end(self, number: int, fitted: Fitted) -> None:
        """Note that a fit has ended: the turn is the next one's."""
        with self.lock:
            self.ended[number] = fitted
            while self.turn < len(self.ended):
                done = self.ended[self.turn]
                if done is None:
                    return
                self.tell(self.turn, lambda state=done.state: state)  # type: ignore[misc]
                self.turn += 1


def concurrent_fits(
    fits: Sequence[Callable[[Told | None], Fitted]], on_epoch: Told | None, alone: bool = False
) -> list[Fitted]:
    """Return what fits give, as many of them at a time as there are free cores.

    Each comes out as it would by itself. The operations of a training step are small, so that two
    networks on a core each take less time than one after the other on both (.7 of it where both
    were measured).

    Parameters
    ----------
    fits : sequence of callable
        Each trains a network, given what to call after each epoch.
    on_epoch : callable or None
        Told of the epochs of all of them, those of the first fit first.
    alone : bool, default=False
        One after the other, as what sees more than epochs wants it.

    Raises
    ------
    TrainingError
        Of the first fit that fails.
    """
    width = 1 if alone else min(n_free_cores(), len(fits))
    if width == 1:
        return [fit(on_epoch) for fit in fits]
    turns = _InTurn(on_epoch, len(fits))

    def trained(number: int) -> Fitted:
        if number >= turns.last:
            raise _Stopped
        try:
            fitted = fits[number](turns.told_of(number))
            turns.end(number, fitted)
        except BaseException:  # those after it would not have begun
            turns.last = min(turns.last, number)
            raise
        return fitted

    with ThreadPoolExecutor(width, "seqkit-fit") as threads:
        running = [threads.submit(trained, number) for number in range(len(fits))]
        try:
            return [one.result() for one in running]
        finally:  # where one has failed, or Ctrl-C was pressed, the others end with their epoch
            turns.last = 0
