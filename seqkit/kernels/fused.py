"""A whole LSTM sequence as one operation.

``tf.raw_ops.BlockLSTMV2``. Its registered gradient is wrong (it calls the kernel of the first
version, whose gates are ordered i, c, f, o); the backward pass here is a loop (`loops`).
Training steps are served by `seqkit.kernels.compiled`; this is what predicts, in saved models too.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqkit.cells import Cell, Weights
from seqkit.kernels.loops import backward_pass, scheme_of
from seqkit.kernels.second_order import differentiable

__all__ = ["fused_lstm"]

Tensor = Any

_as_written = tf.autograph.experimental.do_not_convert

BLOCKS = ("i", "f", "c", "o")
ALWAYS_OPEN = 100.0  # sigmoid(100) is exactly 1 in float32


def _columns(cell: Cell, packed: Tensor, missing: float) -> Tensor:
    """Return packed columns of all four blocks, a constant where the cell has no such gate."""
    if cell.gates == BLOCKS:
        return packed
    blocks = dict(zip(cell.gates, tf.split(packed, len(cell.gates), axis=-1), strict=True))
    absent = tf.fill(tf.shape(blocks["c"]), missing)
    return tf.concat([blocks.get(k, absent) for k in BLOCKS], -1)


def fused_lstm(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    last: bool,
    n_states: int,
) -> tuple[Tensor, ...]:
    """Compute a sequence of an LSTM whose activations are sigmoid and tanh, in float32.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (time, batch, n_features)
    weights : Weights
    initial : tuple of two tensors of shape (batch, units)
    last : bool
        Whether only the last step is wanted.
    n_states : int
        1 for h, 2 for h and c.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`
    """
    present = [w is not None for w in weights]
    units = weights.recurrent_kernel.shape[0]
    peephole = bool(cell.peepholes)

    @tf.custom_gradient
    @_as_written
    def compute(x: Tensor, h0: Tensor, c0: Tensor, *given: Tensor) -> Any:
        it = iter(given)
        w = Weights(*(next(it) if is_there else None for is_there in present))
        none = tf.zeros([units], x.dtype)
        rows = dict.fromkeys(BLOCKS, none)
        if peephole:
            rows.update(zip(cell.peepholes, tf.unstack(w.peephole_kernel), strict=True))
        bias = tf.zeros([len(cell.gates) * units], x.dtype) if w.bias is None else w.bias
        inputs = {
            "seq_len_max": tf.cast(tf.shape(x)[0], tf.int64),
            "x": x,
            "cs_prev": c0,
            "h_prev": h0,
            "w": _columns(cell, tf.concat([w.kernel, w.recurrent_kernel], 0), 0.0),
            "wci": rows["i"],
            "wcf": rows["f"],
            "wco": rows["o"],
            "b": _columns(cell, bias, ALWAYS_OPEN),
            "use_peephole": peephole,
        }
        i, c, f, o, g, a, h = tf.raw_ops.BlockLSTMV2(**inputs, cell_clip=0.0)
        shape = [x.shape[0], x.shape[1], units]
        for s in (i, c, f, o, g, a, h):
            s.set_shape(shape)

        def gradient(*upstream: Tensor) -> Any:
            zeros = tf.zeros_like(h0)
            each_step = [] if last else list(upstream)
            carry = [*upstream, zeros][:2] if last else [zeros, zeros]
            for d in each_step:
                d.set_shape(shape)
            c_before = tf.concat([c0[None], c[:-1]], 0)
            h_before = tf.concat([h0[None], h[:-1]], 0)
            by_name = {"i": i, "f": f, "c": g, "o": o}
            saved = [*(by_name[k] for k in cell.gates), a, h_before, c_before]
            return backward_pass(scheme_of(cell), w, x, carry, each_step, saved)

        @_as_written
        def grad(*upstream: Tensor) -> Any:
            return differentiable(
                gradient, cell, present, last, None, (x, h0, c0, *given), upstream
            )

        states = (h, c)[:n_states]
        return tuple(s[-1] if last else s for s in states), grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
