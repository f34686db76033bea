"""Walking over time in chunks: the loop under every kernel that is not one fused operation.

A turn of a TensorFlow loop costs about as much as several small operations, so a turn does a
chunk of steps. A chunk is also what the processor's cache can hold: whatever can be computed
for many steps at once (input projection, factors of the gradient, weight gradients) is computed
for the chunk just before or after its steps, not for the whole sequence.
"""

from __future__ import annotations

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
    """A sequence kept in the chunks it was computed in.

    Parameters
    ----------
    body : TensorArray, tensor or None
        Chunks of equal size; where the number of steps is known only when the graph runs, the
        single steps left over follow them in the same array, which so is never empty.
    tail : tensor or None
        The steps left over: one shorter chunk.
    shape : TensorShape
        Of the whole sequence, as far as known.
    n_chunks : int or tensor
        Chunks of equal size.
    """

    body: Any
    tail: Any
    shape: Any
    n_chunks: Any

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

    def read(self, which: str, at: Tensor, length: int) -> Tensor:
        """Return one chunk of the body, or one step left over."""
        piece = self.body.read(at if which == "body" else self.n_chunks + at)
        piece.set_shape([length, *self.shape[1:]])
        return piece


def scan(
    chunk: Chunk,
    like: Tensor,
    sequences: Sequence[Tensor],
    kept: Sequence[Chunks],
    carry: Sequence[Tensor],
    n_outputs: int,
    reverse: bool = False,
) -> tuple[tuple[Tensor, ...], list[Chunks]]:
    """Carry a state over time, a chunk at a turn.

    Parameters
    ----------
    chunk : callable
        ``chunk(carry, sequences, kept) -> (carry, outputs)`` for k steps: sequences, kept and
        outputs have shape (k, ...). With `reverse` it does its steps from last to first; the
        outputs stay in order of time.
    like : tensor of shape (time, batch, ...)
        Tells the number of steps.
    sequences : list of tensors of shape (time, ...)
        Read by chunk.
    kept : list of Chunks
        Outputs of an earlier `scan` over as many steps.
    carry : list of tensors
        State before the first step (with `reverse`: after the last).
    n_outputs : int
        Number of outputs of `chunk`.
    reverse : bool, default=False
        Whether to walk from the last step to the first.

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

    def cut(tensor: Tensor, start: Any, length: int) -> Tensor:
        rest = [0] * (tensor.shape.rank - 1)
        piece = tf.slice(tensor, [start, *rest], [length] + [-1 for _ in rest])
        piece.set_shape([length, *tensor.shape[1:]])
        return piece

    arrays: tuple[Any, ...] = ()
    if spread:
        arrays = tuple(
            tf.TensorArray(
                state[0].dtype,
                size=n_chunks + (n_rest if static is None else 0),
                clear_after_read=False,
                infer_shape=False,
            )
            for _ in range(n_outputs)
        )

    def loop(count: Any, offset: Any, length: int, which: str) -> None:
        nonlocal state, arrays
        first = 0 if which == "body" else n_chunks

        def turn(k: Tensor, carry: tuple, arrays: tuple) -> tuple:
            at = count - 1 - k if reverse else k
            pieces = [cut(s, offset + at * length, length) for s in sequences]
            stored = [c.read(which, at, length) for c in kept]
            carry, outputs = chunk(carry, pieces, stored)
            for new, old in zip(carry, state, strict=True):
                new.set_shape(old.shape)
            for n, output in enumerate(outputs):
                shapes[n] = output.shape[1:]
            written = tuple(a.write(first + at, o) for a, o in zip(arrays, outputs, strict=True))
            return k + 1, tuple(carry), written

        _, state, arrays = tf.while_loop(
            lambda k, *_: k < count, turn, (0, state, arrays), maximum_iterations=None
        )

    def do_body() -> None:
        nonlocal body, shapes, state
        if spread:
            loop(n_chunks, 0, size, "body")
        elif n_chunks:
            new, outputs = chunk(
                state, [cut(s, 0, size) for s in sequences], [c.body for c in kept]
            )
            state, body, shapes = tuple(new), list(outputs), [o.shape[1:] for o in outputs]

    def do_tail() -> None:
        nonlocal tail, state
        if static is None:
            loop(n_rest, n_chunks * size, 1, "tail")
        elif n_rest:
            start = n_chunks * size
            new, outputs = chunk(
                state, [cut(s, start, n_rest) for s in sequences], [c.tail for c in kept]
            )
            state, tail = tuple(new), list(outputs)

    for part in (do_tail, do_body) if reverse else (do_body, do_tail):
        part()
    if spread:
        body = list(arrays)
    whole = [tf.TensorShape([static]).concatenate(s) for s in shapes]
    return state, [
        Chunks(b, t, s, n_chunks) for b, t, s in zip(body, tail, whole, strict=True)
    ]
