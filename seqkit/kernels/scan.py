"""Walking over time in chunks: the loop under every kernel that is not one fused operation.

A turn of a TensorFlow loop costs about as much as several small operations, so a turn does a
chunk of steps. A chunk is also what the processor's cache can hold: whatever can be computed
for many steps at once (input projection, factors of the gradient, weight gradients) is computed
for the chunk just before or after its steps, not for the whole sequence.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["Chunks", "chunk_size", "scan"]

Tensor = Any
Chunk = Callable[
    [tuple[Tensor, ...], list[Tensor], list[Tensor]], tuple[Sequence[Tensor], Sequence[Tensor]]
]


def chunk_size(n_steps: int | None) -> int:
    """Return how many steps a turn of the loop does: 8 to 13, dividing `n_steps` where it can.

    Examples
    --------
    >>> chunk_size(200), chunk_size(97), chunk_size(None), chunk_size(5)
    (10, 8, 8, 5)
    """
    if n_steps is None:
        return 8
    if n_steps <= 13:
        return max(n_steps, 1)
    return next((k for k in (10, 9, 11, 8, 12, 13) if n_steps % k == 0), 8)


@dataclass(frozen=True)
class Chunks:
    """A sequence saved in the chunks it was computed in.

    Parameters
    ----------
    body : TensorArray or tensor or None
        Chunks of equal size, and behind them single steps where the number of steps is known
        only when the graph runs.
    tail : tensor or None
        Where the number of steps is known: the shorter last chunk.
    shape : TensorShape
        Of the whole sequence, as far as known.
    """

    body: Any
    tail: Any
    shape: Any

    def whole(self) -> Tensor:
        """Return the sequence in one piece, (time, ...)."""
        parts = [
            part.concat() if isinstance(part, tf.TensorArray) else part
            for part in (self.body, self.tail)
            if part is not None
        ]
        whole = parts[0] if len(parts) == 1 else tf.concat(parts, 0)
        whole.set_shape(self.shape)
        return whole

    def read(self, at: Tensor, length: int) -> Tensor:
        """Return the piece at an index of the body."""
        piece = self.body.read(at)
        piece.set_shape([length, *self.shape[1:]])
        return piece


def scan(
    chunk: Chunk,
    like: Tensor,
    sequences: Sequence[Tensor],
    saved: Sequence[Chunks],
    carry: Sequence[Tensor],
    n_outputs: int,
    reverse: bool = False,
) -> tuple[tuple[Tensor, ...], list[Chunks]]:
    """Carry a state over time, a chunk at a turn.

    Parameters
    ----------
    chunk : callable
        ``chunk(carry, sequences, saved) -> (carry, outputs)`` for k steps: sequences, saved and
        outputs have shape (k, ...). With `reverse` it does its steps from last to first; the
        outputs stay in order of time.
    like : tensor of shape (time, batch, ...)
        Tells the number of steps.
    sequences : list of tensors of shape (time, ...)
        Read by chunk.
    saved : list of Chunks
        Outputs of an earlier `scan` over as many steps.
    carry : list of tensors
        State before the first step (with `reverse`: after the last).
    n_outputs : int
        Number of outputs of `chunk`.
    reverse : bool, default=False
        Whether to go from the last step to the first.

    Returns
    -------
    carry : tuple of tensors
    outputs : list of Chunks
    """
    static = like.shape[0]
    size = chunk_size(static)
    n_steps = tf.shape(like)[0] if static is None else static
    n_chunks, n_rest = n_steps // size, n_steps % size
    state = tuple(carry)
    body: list[Any] = [None] * n_outputs
    tail: list[Any] = [None] * n_outputs
    shapes: list[Any] = [None] * n_outputs
    spread = static is None or n_chunks > 1

    def cut(tensors: Sequence[Tensor], start: Any, length: int) -> list[Tensor]:
        corners: dict[int, Any] = {}  # a slice's vectors by rank: three operations less for each
        pieces = []
        for tensor in tensors:
            rest = [0] * (tensor.shape.rank - 1)
            if len(rest) not in corners:
                extent = tf.constant([length] + [-1 for _ in rest])
                corners[len(rest)] = tf.stack([start, *rest]), extent
            piece = tf.slice(tensor, *corners[len(rest)])
            piece.set_shape([length, *tensor.shape[1:]])
            pieces.append(piece)
        return pieces

    def loop(first: Any, count: Any, length: int) -> None:
        """Do `count` turns of `length` steps; pieces number `first` and on."""
        nonlocal state, body
        arrays = tuple(body)
        offset = 0 if length == size else n_chunks * size

        def turn(k: Tensor, carry: tuple, arrays: tuple) -> tuple:
            at = count - 1 - k if reverse else k
            pieces = cut(sequences, offset + at * length, length)
            final, outputs = chunk(carry, pieces, [c.read(first + at, length) for c in saved])
            for new, old in zip(final, state, strict=True):
                new.set_shape(old.shape)
            for n, output in enumerate(outputs):
                shapes[n] = output.shape[1:]
            pairs = zip(arrays, outputs, strict=True)
            return k + 1, tuple(final), tuple(a.write(first + at, o) for a, o in pairs)

        _, state, arrays = tf.while_loop(lambda k, *_: k < count, turn, (0, state, arrays))
        body = list(arrays)

    def at_once(start: int, length: int, saved: list[Tensor]) -> list[Tensor]:
        nonlocal state
        new, outputs = chunk(state, cut(sequences, start, length), saved)
        state = tuple(new)
        for n, output in enumerate(outputs):
            shapes[n] = output.shape[1:]
        return list(outputs)

    if spread:
        # One array for body and single steps: an empty one could not be put together.
        pieces = n_chunks if static is not None else n_chunks + n_rest
        make = functools.partial(
            tf.TensorArray, like.dtype, size=pieces, clear_after_read=False, infer_shape=False
        )
        body = [make() for _ in range(n_outputs)]

    def do_body() -> None:
        nonlocal body
        if spread:
            loop(0, n_chunks, size)
        elif n_chunks:
            body = at_once(0, size, [c.body for c in saved])

    def do_tail() -> None:
        nonlocal tail
        if static is None:
            loop(n_chunks, n_rest, 1)
        elif n_rest:
            tail = at_once(n_chunks * size, n_rest, [c.tail for c in saved])

    for part in (do_tail, do_body) if reverse else (do_body, do_tail):
        part()
    parts = zip(body, tail, shapes, strict=True)
    return state, [Chunks(b, t, tf.TensorShape([static]).concatenate(s)) for b, t, s in parts]
