"""A whole LSTM sequence as one operation forward, a lean loop backward.

Forward is ``tf.raw_ops.BlockLSTMV2``. Its registered gradient is wrong (it calls the kernel of
the first version, whose gates are ordered i, c, f, o). The right one, ``BlockLSTMGradV2``, is
one operation too, but multiplies matrices slowly and adds up the weight gradient step by step:
it serves small layers only. Otherwise backward is our own: ``LSTMBlockCellGrad`` for all
elementwise work of a step in one operation, one matrix product a step for the recurrence, and
one product a chunk of steps for each weight gradient. (That operation's peephole terms disagree
with automatic differentiation, so cells with peepholes go back by the loop of
`seqkit.kernels.loops`.)
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqkit.cells import Cell
from seqkit.kernels.loops import scheme_of, walk_back
from seqkit.kernels.reference import Weights
from seqkit.kernels.scan import scan

__all__ = ["FUSED_ORDER", "fused_lstm"]

Tensor = Any

_as_written = tf.autograph.experimental.do_not_convert

FORWARD_ORDER = ("i", "f", "c", "o")
FUSED_ORDER = ("i", "c", "f", "o")
ALWAYS_OPEN = 100.0  # sigmoid(100) is exactly 1 in float32
SMALL = 48
"""Features and units up to which going back is one operation: measured at 16 to 64 series, 32 units
and 8 features take 0.7 to 0.9 of the loop's processor time, 48 and 8 as much, 64 and 8 1.2 times.
"""


def _columns(cell: Cell, packed: Tensor, order: tuple[str, ...], missing: float) -> Tensor:
    """Return packed columns in another order, a constant where the cell has no such gate."""
    if order == cell.gates:
        return packed
    blocks = dict(zip(cell.gates, tf.split(packed, len(cell.gates), axis=-1), strict=True))
    like = blocks["c"]
    absent = None if set(order) <= set(blocks) else tf.fill(tf.shape(like), missing)
    return tf.concat([blocks.get(k, absent) for k in order], -1)


def _own_columns(cell: Cell, packed: Tensor, order: tuple[str, ...]) -> Tensor:
    """Return the columns the cell has, in its order, from columns in another order."""
    if order == cell.gates:
        return packed
    blocks = dict(zip(order, tf.split(packed, 4, axis=-1), strict=True))
    return tf.concat([blocks[k] for k in cell.gates], -1)


def fused_lstm(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    last: bool,
    n_states: int,
    ends: bool = False,
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
    ends : bool, default=False
        Whether h and c of the last step follow the sequences.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`;
    with `ends` two more of shape (batch, units)
    """
    present = [w is not None for w in weights]
    units = weights.recurrent_kernel.shape[0]
    peephole = bool(cell.peepholes)

    @tf.custom_gradient
    @_as_written
    def compute(x: Tensor, h0: Tensor, c0: Tensor, *given: Tensor) -> Any:
        it = iter(given)
        w = Weights(*(next(it) if there else None for there in present))
        none = tf.zeros([units], x.dtype)
        rows = dict.fromkeys(FORWARD_ORDER, none)
        if peephole:
            rows.update(zip(cell.peepholes, tf.unstack(w.peephole_kernel), strict=True))
        bias = tf.zeros([len(cell.gates) * units], x.dtype) if w.bias is None else w.bias
        inputs = {
            "seq_len_max": tf.cast(tf.shape(x)[0], tf.int64),
            "x": x,
            "cs_prev": c0,
            "h_prev": h0,
            "w": _columns(cell, tf.concat([w.kernel, w.recurrent_kernel], 0), FORWARD_ORDER, 0.0),
            "wci": rows["i"],
            "wcf": rows["f"],
            "wco": rows["o"],
            "b": _columns(cell, bias, FORWARD_ORDER, ALWAYS_OPEN),
            "use_peephole": peephole,
        }
        i, c, f, o, g, a, h = tf.raw_ops.BlockLSTMV2(**inputs, cell_clip=0.0)
        shape = [x.shape[0], x.shape[1], units]
        for s in (i, c, f, o, g, a, h):
            s.set_shape(shape)

        @_as_written
        def grad(*upstream: Tensor) -> Any:
            zeros = tf.zeros_like(h0)
            if last:
                carry = (upstream[0], upstream[1] if n_states > 1 else zeros)
                arriving: list[Tensor] = []
            else:
                arriving = list(upstream[:n_states])
                carry = tuple(upstream[n_states:]) if ends else (zeros, zeros)
                for d in arriving:
                    d.set_shape(shape)
            c_before = tf.concat([c0[None], c[:-1]], 0)
            h_before = tf.concat([h0[None], h[:-1]], 0)
            if peephole:
                by_name = {"i": i, "f": f, "c": g, "o": o}
                kept = [*(by_name[k] for k in cell.gates), a, h_before, c_before]
                return walk_back(scheme_of(cell), w, x, list(carry), arriving, kept)
            n_features = x.shape[2]
            if n_features + units <= SMALL:
                nothing = tf.zeros_like(h)
                dh, dc = [*arriving, nothing, nothing][:2]
                if last or ends:
                    dh, dc = (
                        tf.concat([d[:-1], d[-1:] + end[None]], 0)
                        for d, end in zip((dh, dc), carry, strict=True)
                    )
                back = tf.raw_ops.BlockLSTMGradV2(
                    **inputs, i=i, cs=c, f=f, o=o, ci=g, co=a, h=h, h_grad=dh, cs_grad=dc
                )
                # of a batch without series (a shard may be) the operation leaves them unset
                none_there = tf.equal(tf.size(h0), 0)
                both, db = (
                    _own_columns(cell, tf.where(none_there, tf.zeros_like(d), d), FORWARD_ORDER)
                    for d in (back.w_grad, back.b_grad)
                )
                grads = [both[:n_features], both[n_features:]]
                if w.bias is not None:
                    grads.append(db)
                return (back.x_grad, back.h_prev_grad, back.cs_prev_grad, *grads)

            kernel = _columns(cell, w.kernel, FUSED_ORDER, 0.0)
            recurrent = _columns(cell, w.recurrent_kernel, FUSED_ORDER, 0.0)
            recurrent_T = tf.transpose(recurrent)  # (4 * units, units)
            fused_bias = tf.zeros([4 * units], x.dtype)
            no_x, no_h = tf.zeros_like(x[0, :, :0]), tf.zeros_like(h0)
            no_w = tf.zeros([units, 4 * units], x.dtype)

            def chunk(carry: tuple, sequences: list, _kept: list) -> Any:
                dh, dc, *totals = carry
                x, h_before, *sequences = sequences
                steps = [tf.unstack(s) for s in sequences]
                dA = [None] * len(steps[0])
                for t in reversed(range(len(dA))):
                    I, C, F, O, G, A, C_before, *D = (s[t] for s in steps)  # noqa: E741
                    if D:
                        dh = dh + D[0]
                    if len(D) > 1:
                        dc = dc + D[1]
                    out = tf.raw_ops.LSTMBlockCellGrad(
                        x=no_x, cs_prev=C_before, h_prev=no_h, w=no_w,
                        wci=none, wcf=none, wco=none, b=fused_bias,
                        i=I, cs=C, f=F, o=O, ci=G, co=A,
                        cs_grad=dc, h_grad=dh, use_peephole=False,
                    )  # fmt: skip
                    dA[t] = out.dicfo  # (batch, 4 * units)
                    dc = out.cs_prev_grad
                    dh = tf.matmul(dA[t], recurrent_T)  # (batch, units)
                flat = tf.reshape(tf.stack(dA), [-1, 4 * units])
                rows = (tf.reshape(s, [-1, s.shape[2]]) for s in (x, h_before))
                found = [tf.matmul(r, flat, transpose_a=True) for r in rows]
                found.append(tf.reduce_sum(flat, 0))
                dx = tf.reshape(tf.matmul(flat, kernel, transpose_b=True), tf.shape(x))
                return (dh, dc, *(a + b for a, b in zip(totals, found, strict=True))), [dx]

            totals = [tf.zeros_like(v) for v in (kernel, recurrent, fused_bias)]
            sequences = [x, h_before, i, c, f, o, g, a, c_before, *arriving]
            (dh0, dc0, *totals), (dx,) = scan(
                chunk, x, sequences, [], [*carry, *totals], 1, reverse=True
            )
            grads = [_own_columns(cell, total, FUSED_ORDER) for total in totals]
            if w.bias is None:
                grads.pop()
            return (dx.whole(), dh0, dc0, *grads)

        states = (h, c)[:n_states]
        if last:
            return tuple(s[-1] for s in states), grad
        return (*states, h[-1], c[-1]) if ends else states, grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
