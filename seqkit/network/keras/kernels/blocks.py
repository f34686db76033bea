"""A sequence without tensor lists, for a runtime that has none: LiteRT.

A loop there copies what it carries, the whole of it, at every step. So the steps go in blocks: the
inner loop carries one block, the outer one all of them, and ``n`` steps copy ``n sqrt(n)`` rows
rather than ``n^2``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqkit.cells import Cell, Weights
from seqkit.network.keras.kernels.reference import step

__all__ = ["in_blocks"]

Tensor = Any
Rows = tuple[Tensor, ...]

WRITTEN_OUT = 4
"""Steps up to which there is no loop."""


def in_blocks(cell: Cell, x: Tensor, weights: Weights, initial: Rows, n_states: int = 1) -> Rows:
    """Compute a whole sequence; as :func:`seqkit.network.keras.kernels.reference`.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (time, batch, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)
    n_states : int, default=1
        How many of the cell's states are wanted, in its order.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units)
    """

    def advance(x: Tensor, states: Rows) -> tuple[Rows, Rows]:
        new, _ = step(cell, weights, x, states)
        for after, before in zip(new, initial, strict=True):
            after.set_shape(before.shape)
        return new, new[:n_states]

    if x.shape[0] is not None and x.shape[0] <= WRITTEN_OUT:
        rows, states = [], initial
        for x_t in tf.unstack(x):
            states, row = advance(x_t, states)
            rows.append(row)
        return tuple(tf.stack(state) for state in zip(*rows, strict=True))
    n_steps, n_series = tf.shape(x)[0], tf.shape(x)[1]
    size = tf.cast(tf.math.ceil(tf.sqrt(tf.cast(n_steps, tf.float32))), tf.int32)
    n_blocks = (n_steps + size - 1) // size
    # what is computed of the steps that fill the last block up is cut off
    x = tf.pad(x, [[0, n_blocks * size - n_steps], [0, 0], [0, 0]])
    x = tf.reshape(x, [n_blocks, size, n_series, x.shape[2]])

    def block(x: Tensor, states: Rows) -> tuple[Rows, Rows]:
        return _loop(advance, x, states, [size, n_series], n_states)

    _, made = _loop(block, x, initial, [n_blocks, size, n_series], n_states)
    units = initial[0].shape[1]
    return tuple(tf.reshape(part, [n_blocks * size, n_series, units])[:n_steps] for part in made)


def _loop(
    advance: Callable[[Tensor, Rows], tuple[Rows, Rows]], x: Tensor, states: Rows,
    shape: list[Tensor], n_states: int,
) -> tuple[Rows, Rows]:  # fmt: skip
    """Return the states after the last item of `x`, and what `advance` makes of every item."""
    made = tuple(tf.zeros([*shape, state.shape[-1]], x.dtype) for state in states[:n_states])

    def body(t: Tensor, states: Rows, made: Rows) -> tuple[Tensor, Rows, Rows]:
        after, parts = advance(x[t], states)
        written = (
            tf.tensor_scatter_nd_update(whole, [[t]], part[None])
            for whole, part in zip(made, parts, strict=True)
        )
        return t + 1, after, tuple(written)

    _, states, made = tf.while_loop(lambda t, *_: t < shape[0], body, (0, states, made))
    return states, made
