"""Sequences in the graph of one observation: the items that are new, and those that still change.

A convolution, a patch or a moved series reads steps that are to come, and zeros where there are
none. So the last items of its output change with later observations::

    items of a series   0 ...... settled before | ... settled now | ... total now
                        in states for good        new, for good     of this answer only

A tail holds those from the first that was not settled before, in a fixed number of slots: as many
as there can be, of which the first few exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.onnx.values import Value

__all__ = ["Counts", "Slots", "Tail", "windows_of"]

_SEEN = np.arange(1 << 14)
"""Observations before a step: more than the period of any network's strides."""


@dataclass(frozen=True)
class Counts:
    """How many items a sequence has after `n` observations, and how many of them are settled.

    Parameters
    ----------
    settled, total : callable (n) -> the like
        Of integers, arrays or tensors.
    """

    settled: Callable[[Any], Any] = lambda n: n
    total: Callable[[Any], Any] = lambda n: n

    def bounds(self) -> tuple[int, int, int]:
        """Return fewest and most items that exist in a step, and fewest that are settled by it."""
        before = self.settled(_SEEN)
        exist, settle = self.total(_SEEN + 1) - before, self.settled(_SEEN + 1) - before
        return int(exist.min()), int(exist.max()), int(settle.min())


def _positive(n: Any) -> Any:
    return n * (n > 0)


@dataclass(frozen=True)
class Tail:
    """A sequence in one step: the slots (batch, n, features), and what they stand for."""

    items: Value
    counts: Counts = Counts()


class Slots:
    """Which items stand in the slots of a tail; what holds in every step is None.

    Parameters
    ----------
    ops : OnnxSpace
    n_seen : Value of shape (batch,)
        Observations before this one.
    tail : Tail

    Attributes
    ----------
    n : int
        Slots.
    before, settled, total : Value of shape (batch,)
        Items that were settled, that are, and that there are.
    index : Value of shape (batch, n)
        Of the items.
    exist, settle : Value of bool of shape (batch, n), or None
        Whether an item is there, and whether it is for good; None: all are.
    can_be_empty : bool
    """

    def __init__(self, ops: Any, n_seen: Value, tail: Tail) -> None:
        fewest, self.n, settling = tail.counts.bounds()
        counts = tail.counts
        self.before, self.settled = counts.settled(n_seen), counts.settled(n_seen + 1)
        self.total = counts.total(n_seen + 1)
        self.index = self.before[:, None] + ops.arange(self.n)
        self.exist = None if fewest == self.n else self.index < self.total[:, None]
        self.settle = None if settling == self.n else self.index < self.settled[:, None]
        self.can_be_empty = fewest == 0


def windows_of(
    ops: Any, n_seen: Value, tail: Tail, size: int, stride: int, left: int,
    state: Callable[[int, int], Value], keep: Callable[[Value, Value], None],
) -> Tail:  # fmt: skip
    """Write windows of `size` items, one every `stride`, the first of them `left` items early.

    What is before a series or past its end is zero.

    Parameters
    ----------
    ops : OnnxSpace
    n_seen : Value of shape (batch,)
    tail : Tail
    size, stride, left : int
    state : callable (items, features) -> Value
        Makes the state: settled items that later windows read, zeros at first.
    keep : callable (state, new)
        Says what the state is after the step.

    Returns
    -------
    Tail
        Of windows (batch, n, size * features).
    """
    ahead, given = size - 1 - left, tail.counts
    made = Counts(
        lambda n: _positive(given.settled(n) - ahead + stride - 1) // stride,
        lambda n: (given.total(n) + stride - 1) // stride,
    )
    slots, n_out = Slots(ops, n_seen, tail), made.bounds()[1]
    # how far the first window that is not settled reaches back, and the last one forward
    first = given.settled(_SEEN) - (made.settled(_SEEN) * stride - left)
    kept = max(int(first.max()), 0)
    over = int((kept - first).max()) + (n_out - 1) * stride + size - kept - slots.n
    items, width = tail.items, tail.items.shape[2]
    assert width is not None
    if slots.exist is not None:
        items = ops.where(slots.exist[:, :, None], items, 0.0)
    parts = [items]
    if kept:
        held = state(kept, width)
        parts.insert(0, held)
    if over > 0:
        none = ops.zeros_like(items[:, :1])
        parts.append(none if over == 1 else ops.repeat(none, over, axis=1))
    whole = ops.concatenate(parts, axis=1)
    if kept:
        moved = (slots.settled - slots.before)[:, None] + ops.arange(kept)
        keep(held, ops.take_along_axis(whole, moved[:, :, None], axis=1))
    begin = made.settled(n_seen) * stride - left - slots.before + kept
    steps = np.arange(n_out)[:, None] * stride + np.arange(size)
    index = begin[:, None] + steps.reshape(-1)
    seen = ops.take_along_axis(whole, index[:, :, None], axis=1)
    return Tail(ops.reshape(seen, (-1, n_out, size * width)), made)
