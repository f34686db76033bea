"""Loops over time with gradients derived by hand, for what the fused operation cannot express.

Forward, the input projection of a chunk of steps is one matrix product, and a step is one or
two products and few elementwise operations. Backward, everything that does not depend on the
upstream gradient (the derivative of each activation times what it is multiplied by, called K
here) is computed for the whole chunk at once, so that a step multiplies by K, multiplies by R
transposed, and adds. Weight gradients are one product a chunk.

A scheme is a pair of functions:

- ``forward(w, carry, x) -> carry, states, saved``: states in the order of ``cell.states``;
- ``backward(w, carry, x, upstream, saved) -> carry, dA, extras``: `carry` the gradient of the
  states, `dA` the gradient of what the recurrent product was added to, ...

with x and what is saved of shape (steps, batch, ...), and an upstream gradient d... for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import tensorflow as tf

from seqkit.cells import Cell, Weights
from seqkit.kernels.reference import ACTIVATIONS
from seqkit.kernels.scan import Chunks, scan
from seqkit.kernels.second_order import differentiable

__all__ = ["backward_pass", "looped", "scheme_of"]

Tensor = Any

_as_written = tf.autograph.experimental.do_not_convert


class Scheme(NamedTuple):
    """Forward and backward of a chunk; see the module's docstring."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    n_saved: int


def _project(x: Tensor, kernel: Tensor, bias: Tensor | None) -> list[Tensor]:
    """Return W x + b for every step of a chunk, as a list of (batch, columns)."""
    n_steps, columns = x.shape[0], kernel.shape[1]
    flat = tf.matmul(tf.reshape(x, [-1, x.shape[2]]), kernel)
    if bias is not None:
        flat = tf.nn.bias_add(flat, bias)
    return tf.unstack(tf.reshape(flat, [n_steps, -1, columns]))


def _outer(before: Tensor, after: Tensor) -> Tensor:
    """Return the sum over steps and batch of the outer product: a weight gradient."""
    rows = tf.reshape(before, [-1, before.shape[-1]])
    return tf.matmul(rows, tf.reshape(after, [-1, after.shape[-1]]), transpose_a=True)


def _masked(h: Tensor, mask: Tensor | None) -> Tensor:
    return h if mask is None else h * mask


def _simple(cell: Cell, mask: Tensor | None) -> Scheme:
    def forward(w: Weights, carry: tuple, x: Tensor) -> Any:
        (h,) = carry
        before, after = [], []
        for Wx in _project(x, w.kernel, w.bias):
            before.append(h)
            h = tf.tanh(Wx + tf.matmul(_masked(h, mask), w.recurrent_kernel))
            after.append(h)
        after = tf.stack(after)
        return (h,), [after], [tf.stack(before), after]

    def backward(w: Weights, carry: tuple, x: Tensor, upstream: list, saved: list) -> Any:
        (dh,) = carry
        h_before, h = saved
        K = tf.unstack(1 - h * h)
        R_T = tf.transpose(w.recurrent_kernel)
        D = [tf.unstack(d) for d in upstream]
        dA: list[Any] = [None] * len(K)
        for t in reversed(range(len(K))):
            if D:
                dh = dh + D[0][t]
            dA[t] = dh * K[t]
            dh = _masked(tf.matmul(dA[t], R_T), mask)
        dA = tf.stack(dA)
        return (
            (dh,),
            dA,
            Weights(
                kernel=_outer(x, dA),
                recurrent_kernel=_outer(_masked(h_before, mask), dA),
                bias=tf.reduce_sum(dA, [0, 1]),
            ),
        )

    return Scheme(forward, backward, 2)


def _gru_after(cell: Cell, mask: Tensor | None) -> Scheme:
    def forward(w: Weights, carry: tuple, x: Tensor) -> Any:
        (h,) = carry
        units = h.shape[1]
        W_zr, W_h = tf.split(w.kernel, [2 * units, units], axis=1)
        R_zr, R_h = tf.split(w.recurrent_kernel, [2 * units, units], axis=1)
        b_zr = b_h = d_h = None
        if w.bias is not None:
            b_h, d_h = w.bias[0, 2 * units :], w.bias[1, 2 * units :]
            b_zr = w.bias[0, : 2 * units] + w.bias[1, : 2 * units]
        rows = []
        for Wx_zr, Wx_h in zip(_project(x, W_zr, b_zr), _project(x, W_h, b_h), strict=True):
            hm = _masked(h, mask)
            zr = tf.sigmoid(Wx_zr + tf.matmul(hm, R_zr))  # (batch, 2 * units)
            q = tf.matmul(hm, R_h)
            if d_h is not None:
                q = tf.nn.bias_add(q, d_h)
            z, r = tf.split(zr, 2, axis=1)
            n = tf.tanh(Wx_h + r * q)
            rows.append((h, zr, q, n))
            h = n + z * (h - n)
        before, zr, q, n = (tf.stack(s) for s in zip(*rows, strict=True))
        after = tf.concat([before[1:], h[None]], 0)
        return (h,), [after], [before, zr, q, n]

    def backward(w: Weights, carry: tuple, x: Tensor, upstream: list, saved: list) -> Any:
        (dh,) = carry
        units = dh.shape[1]
        h_before, zr, q, n = saved
        z, r = tf.split(zr, 2, axis=-1)
        keep = 1 - z
        K_n = keep * (1 - n * n)
        K_q = K_n * r
        K = tf.stack([(h_before - n) * z * keep, K_q * q * (1 - r), K_q], axis=2)
        K_steps, z_steps = tf.unstack(K), tf.unstack(z)
        D = [tf.unstack(d) for d in upstream]
        R_T = tf.transpose(w.recurrent_kernel)  # (3 * units, units)
        all_dh: list[Any] = [None] * len(z_steps)
        for t in reversed(range(len(all_dh))):
            if D:
                dh = dh + D[0][t]
            all_dh[t] = dh
            dA = tf.reshape(dh[:, None] * K_steps[t], [-1, 3 * units])
            dh = _masked(tf.matmul(dA, R_T), mask) + dh * z_steps[t]
        total = tf.stack(all_dh)
        dA = tf.reshape(total[:, :, None] * K, [x.shape[0], -1, 3 * units])
        dWx = tf.concat([dA[..., : 2 * units], total * K_n], -1)
        sums = tf.stack([tf.reduce_sum(dWx, [0, 1]), tf.reduce_sum(dA, [0, 1])])
        return (
            (dh,),
            dWx,
            Weights(
                kernel=_outer(x, dWx),
                recurrent_kernel=_outer(_masked(h_before, mask), dA),
                bias=sums,
            ),
        )

    return Scheme(forward, backward, 4)


def _gru_before(cell: Cell, mask: Tensor | None) -> Scheme:
    def forward(w: Weights, carry: tuple, x: Tensor) -> Any:
        (h,) = carry
        units = h.shape[1]
        W_zr, W_h = tf.split(w.kernel, [2 * units, units], axis=1)
        R_zr, R_h = tf.split(w.recurrent_kernel, [2 * units, units], axis=1)
        b_zr, b_h = (None, None) if w.bias is None else tf.split(w.bias, [2 * units, units])
        rows = []
        for Wx_zr, Wx_h in zip(_project(x, W_zr, b_zr), _project(x, W_h, b_h), strict=True):
            hm = _masked(h, mask)
            zr = tf.sigmoid(Wx_zr + tf.matmul(hm, R_zr))  # (batch, 2 * units)
            z, r = tf.split(zr, 2, axis=1)
            n = tf.tanh(Wx_h + tf.matmul(r * hm, R_h))
            rows.append((h, zr, n))
            h = n + z * (h - n)
        before, zr, n = (tf.stack(s) for s in zip(*rows, strict=True))
        after = tf.concat([before[1:], h[None]], 0)
        return (h,), [after], [before, zr, n]

    def backward(w: Weights, carry: tuple, x: Tensor, upstream: list, saved: list) -> Any:
        (dh,) = carry
        units = dh.shape[1]
        h_before, zr, n = saved
        hm = _masked(h_before, mask)
        z, r = tf.split(zr, 2, axis=-1)
        keep = 1 - z
        K_n = tf.unstack(keep * (1 - n * n))
        K_zr = tf.unstack(tf.stack([(h_before - n) * z * keep, hm * r * (1 - r)], axis=2))
        z_steps, r_steps = tf.unstack(z), tf.unstack(r)
        D = [tf.unstack(d) for d in upstream]
        R_T = tf.transpose(w.recurrent_kernel)
        R_zr_T, R_h_T = R_T[: 2 * units], R_T[2 * units :]
        rows: list[Any] = [None] * len(z_steps)
        for t in reversed(range(len(rows))):
            if D:
                dh = dh + D[0][t]
            dn = dh * K_n[t]
            drh = tf.matmul(dn, R_h_T)  # gradient of r * h
            dzr = tf.reshape(tf.stack([dh, drh], 1) * K_zr[t], [-1, 2 * units])
            rows[t] = (dzr, dn)
            through_products = _masked(tf.matmul(dzr, R_zr_T) + drh * r_steps[t], mask)
            dh = through_products + dh * z_steps[t]
        dzr, dn = (tf.stack(s) for s in zip(*rows, strict=True))
        dWx = tf.concat([dzr, dn], -1)
        return (
            (dh,),
            dWx,
            Weights(
                kernel=_outer(x, dWx),
                recurrent_kernel=tf.concat([_outer(hm, dzr), _outer(r * hm, dn)], 1),
                bias=tf.reduce_sum(dWx, [0, 1]),
            ),
        )

    return Scheme(forward, backward, 3)


def _lstm(cell: Cell, mask: Tensor | None) -> Scheme:
    g_of, a_of = ACTIVATIONS[cell.input_activation], ACTIVATIONS[cell.output_activation]
    n_blocks = len(cell.gates)
    recurrent_gates = cell.gate_recurrence
    names = [*cell.gates, "a", "h", "c", *(("gates",) if recurrent_gates else ())]

    def spread_gate_kernel(w: Weights) -> Tensor:
        """Columns of `gate_kernel` where the packed blocks are; the candidate gets nothing."""
        blocks = dict(zip(recurrent_gates, tf.split(w.gate_kernel, 3, axis=1), strict=True))
        blocks["c"] = tf.zeros_like(blocks["i"])
        return tf.concat([blocks[k] for k in cell.gates], 1)  # (3 * units, 4 * units)

    def peephole_rows(w: Weights) -> dict[str, Tensor]:
        return (
            dict(zip(cell.peepholes, tf.unstack(w.peephole_kernel), strict=True))
            if (cell.peepholes)
            else {}
        )

    def forward(w: Weights, carry: tuple, x: Tensor) -> Any:
        h, c, *before = carry
        p = peephole_rows(w)
        gates, R = None, w.recurrent_kernel
        if recurrent_gates:
            gates = tf.concat(before, 1)
            R = tf.concat([R, spread_gate_kernel(w)], 0)  # (4 * units, 4 * units)
        rows, after = [], []
        for Wx in _project(x, w.kernel, w.bias):
            fed = _masked(h, mask)
            if recurrent_gates:
                fed = tf.concat([fed, gates], 1)
            A = Wx + tf.matmul(fed, R)
            A = dict(zip(cell.gates, tf.split(A, n_blocks, axis=1), strict=True))
            row = {"h": h, "c": c, "gates": gates, "c_": g_of(A["c"])}
            for k in ("i", "f"):
                if k in A:
                    row[k] = tf.sigmoid(A[k] + p[k] * c if k in p else A[k])
            enters = row["i"] * row["c_"] if "i" in A else row["c_"]
            if cell.coupled:
                c = c + row["i"] * (row["c_"] - c)
            else:
                c = (row["f"] * c if "f" in A else c) + enters
            h = row["a"] = a_of(c)
            if "o" in A:
                row["o"] = tf.sigmoid(A["o"] + p["o"] * c if "o" in p else A["o"])
                h = row["o"] * h
            if recurrent_gates:
                gates = tf.concat([row[k] for k in recurrent_gates], 1)
            rows.append(
                [row["c_" if k == "c" else k] for k in cell.gates]
                + [row[k] for k in names[n_blocks:]]
            )
            after.append((h, c, gates))
        saved = [tf.stack(s) for s in zip(*rows, strict=True)]
        hs, cs, gs = zip(*after, strict=True)
        states = [tf.stack(hs), tf.stack(cs)]
        final = [h, c]
        if recurrent_gates:
            states += tf.split(tf.stack(gs), 3, axis=-1)
            final += tf.split(gates, 3, axis=1)
        return tuple(final), states, saved

    def backward(w: Weights, carry: tuple, x: Tensor, upstream: list, saved: list) -> Any:
        dh, dc, *dgates = carry
        units = dh.shape[1]
        v = dict(zip([*(f"{k}_" for k in cell.gates), *names[n_blocks:]], saved, strict=True))
        p = peephole_rows(w)
        a, c_before = v["a"], v["c"]
        i, f, g, o = (cast(Any, v.get(k)) for k in ("i_", "f_", "c_", "o_"))
        slope_a = 1 - a * a if cell.output_activation == "tanh" else None
        slope_g = 1 - g * g if cell.input_activation == "tanh" else None
        slopes = {k: s * (1 - s) for k, s in (("i", i), ("f", f), ("o", o)) if s is not None}
        K: dict[str, Tensor] = {}
        if o is not None:
            K["o"] = a * slopes["o"]
        K_c = o if slope_a is None else (slope_a if o is None else o * slope_a)
        if "o" in p:
            K_c += p["o"] * K["o"]
        if i is not None:
            K["i"] = ((g - c_before) if cell.coupled else g) * slopes["i"]
        if f is not None:
            K["f"] = c_before * slopes["f"]
        K["c"] = tf.ones_like(g) if i is None else i
        if slope_g is not None:
            K["c"] = K["c"] * slope_g
        K_back = 1 - i if cell.coupled else (tf.ones_like(c_before) if f is None else f)
        for k in ("i", "f"):
            if k in p:
                K_back += p[k] * K[k]
        K_steps = tf.unstack(tf.stack([K[k] for k in cell.gates], axis=2))
        K_c, K_back = tf.unstack(K_c), tf.unstack(K_back)
        D = [tf.unstack(d) for d in upstream]
        R_T = tf.transpose(w.recurrent_kernel)
        if recurrent_gates:
            # One product gives the gradient of h and of the gates before; what then arrives at a
            # gate also reaches c by its peephole.
            R_T = tf.concat([R_T, tf.transpose(spread_gate_kernel(w))], 1)
            nothing = tf.zeros_like(dc)
            zeros = tf.zeros_like(g)
            S = tf.unstack(tf.stack([slopes.get(k, zeros) for k in cell.gates], axis=2))
            P = {k: tf.unstack(p[k] * slopes[k]) for k in recurrent_gates}
        dA: list[Any] = [None] * len(K_steps)
        for t in reversed(range(len(dA))):
            if D:
                dh = dh + D[0][t]
            if len(D) > 1:
                dc = dc + D[1][t]
            if recurrent_gates:
                if len(D) > 2:
                    dgates = [d + more[t] for d, more in zip(dgates, D[2:], strict=True)]
                by_gate = dict(zip(recurrent_gates, dgates, strict=True))
                dc = tf.add_n([dc, dh * K_c[t], by_gate["o"] * P["o"][t]])
            else:
                dc = dc + dh * K_c[t]
            sources = tf.stack([dh if k == "o" else dc for k in cell.gates], 1)
            dA_t = sources * K_steps[t]  # (batch, blocks, units)
            dc = dc * K_back[t]
            if recurrent_gates:
                dA_t += tf.stack([by_gate.get(k, nothing) for k in cell.gates], 1) * S[t]
                dc = tf.add_n([dc, by_gate["i"] * P["i"][t], by_gate["f"] * P["f"][t]])
            dA[t] = tf.reshape(dA_t, [-1, n_blocks * units])
            d_fed = tf.matmul(dA[t], R_T)
            dh, *dgates = tf.split(d_fed, 4, axis=1) if recurrent_gates else (d_fed,)
            dh = _masked(dh, mask)
        dA = tf.stack(dA)
        grads = Weights(
            kernel=_outer(x, dA),
            recurrent_kernel=_outer(_masked(v["h"], mask), dA),
            bias=tf.reduce_sum(dA, [0, 1]),
        )
        blocks = dict(zip(cell.gates, tf.split(dA, n_blocks, axis=-1), strict=True))
        if cell.peepholes:
            seen = {"i": c_before, "f": c_before}
            if "o" in p:
                f_of = 1 - i if cell.coupled else (1.0 if f is None else f)
                seen["o"] = f_of * c_before + (g if i is None else i * g)
            sums = [tf.reduce_sum(seen[k] * blocks[k], [0, 1]) for k in cell.peepholes]
            grads = grads._replace(peephole_kernel=tf.stack(sums))
        d_states = [dh, dc]
        if recurrent_gates:
            fed = tf.concat([blocks[k] for k in recurrent_gates], -1)
            grads = grads._replace(gate_kernel=_outer(v["gates"], fed))
            d_states += dgates
        return tuple(d_states), dA, grads

    return Scheme(forward, backward, len(names))


SCHEMES = {
    ("simple", "none"): _simple,
    ("gru", "after"): _gru_after,
    ("gru", "before"): _gru_before,
    ("lstm", "none"): _lstm,
}


def scheme_of(cell: Cell, recurrent_mask: Tensor | None = None) -> Scheme:
    """Return the scheme that computes a cell."""
    return SCHEMES[cell.family, cell.reset](cell, recurrent_mask)


def backward_pass(
    scheme: Scheme,
    w: Weights,
    x: Tensor,
    carry: list[Tensor],
    upstream: list[Tensor],
    saved: list[Any],
) -> tuple[Tensor, ...]:
    """Return the gradients of x, of the initial states and of the weights that are there.

    Parameters
    ----------
    scheme : Scheme
    w : Weights
    x : tensor of shape (time, batch, n_features)
    carry : list of tensors of shape (batch, units)
        Gradient of the last states.
    upstream : list of tensors of shape (time, batch, units)
        Gradient of the states at every step, those of the first states of the cell.
    saved : list of Chunks or of tensors of shape (time, ...)
        What `scheme.backward` needs of the forward pass.
    """
    n = len(carry)
    chunks = [k for k in saved if isinstance(k, Chunks)]
    whole = [k for k in saved if not isinstance(k, Chunks)]
    totals = [tf.zeros_like(t) for t in w if t is not None]

    def chunk(carry: tuple, sequences: list, chunks: list) -> Any:
        d_states, totals = carry[:n], carry[n:]
        x, *rest = sequences
        upstream_chunk, saved = rest[: len(upstream)], [*chunks, *rest[len(upstream) :]]
        d_states, dWx, grads = scheme.backward(w, d_states, x, upstream_chunk, saved)
        flat = tf.reshape(dWx, [-1, dWx.shape[-1]])
        dx = tf.reshape(tf.matmul(flat, w.kernel, transpose_b=True), tf.shape(x))
        gradients = [d for d, weight in zip(grads, w, strict=True) if weight is not None]
        new = [total + d for total, d in zip(totals, gradients, strict=True)]
        return (*d_states, *new), [dx]

    final, (dx,) = scan(
        chunk, x, [x, *upstream, *whole], chunks, [*carry, *totals], 1, reverse=True
    )
    return (dx.whole(), *final)


def looped(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    last: bool,
    n_states: int,
    recurrent_mask: Tensor | None = None,
    training: bool = True,
) -> tuple[Tensor, ...]:
    """Compute a sequence of any cell in any floating point precision.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (time, batch, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)
    last : bool
        Whether only the last step is wanted.
    n_states : int
        How many of the cell's states are wanted, in its order.
    recurrent_mask : tensor of shape (batch, units), optional
        A constant: no gradient goes to it.
    training : bool, default=True
        Whether to keep what the gradient needs. Without, a gradient is still right: the
        sequence is then computed again.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`
    """
    scheme = scheme_of(cell, recurrent_mask)
    present = [w is not None for w in weights]
    n_initial = len(initial)

    @tf.custom_gradient
    @_as_written
    def compute(x: Tensor, *tensors: Tensor) -> Any:
        initial, given = tensors[:n_initial], iter(tensors[n_initial:])
        w = Weights(*(next(given) if is_there else None for is_there in present))
        n_outputs = 0 if last else n_states

        def run(keep: bool) -> Any:
            def chunk(carry: tuple, sequences: list, _kept: list) -> Any:
                carry, states, saved = scheme.forward(w, carry, sequences[0])
                return carry, [*states[:n_outputs], *(saved if keep else ())]

            n = n_outputs + (scheme.n_saved if keep else 0)
            final, outputs = scan(chunk, x, [x], [], initial, n)
            return final, outputs[:n_outputs], outputs[n_outputs:]

        final, states, saved = run(training)

        def gradient(*upstream: Tensor) -> Any:
            stored = saved if training else run(True)[2]
            zeros = [tf.zeros_like(s) for s in initial]
            each_step = [] if last else list(upstream)
            carry = [*upstream, *zeros[n_states:]] if last else zeros
            for d in each_step:
                d.set_shape([x.shape[0], *initial[0].shape])
            return backward_pass(scheme, w, x, carry, each_step, stored)

        @_as_written
        def grad(*upstream: Tensor) -> Any:
            given = (x, *tensors)
            return differentiable(gradient, cell, present, last, recurrent_mask, given, upstream)

        if last:
            return tuple(final[:n_states]), grad
        return tuple(s.whole() for s in states), grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
