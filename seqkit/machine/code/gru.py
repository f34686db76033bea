"""Both kinds of GRU, there and back."""

from __future__ import annotations

import numpy as np

from seqkit.machine.code.compiling import bare, compiled, single
from seqkit.machine.code.products import (
    all_masked,
    input_gradient,
    n_panels,
    outer,
    panels,
    product,
    project,
    room,
    room_for_outer,
    rows_of,
    steps_at_once,
    tall_room,
    transposed_panels,
)
from seqkit.machine.code.rows import (
    activate,
    add,
    add_product,
    block,
    gate,
    gate_gradient,
    masked,
    multiply,
    scale,
    sum_rows,
)

__all__ = ["gru_backward", "gru_forward"]


@compiled
def _gru_gates(
    work: np.ndarray,
    later: np.ndarray,
    d: np.ndarray,
    seen: np.ndarray,
    after: bool,
    g: np.ndarray,
    q: np.ndarray,
) -> None:
    """Compute the gates of one step for all series, and what the reset gate leaves."""
    work, later, d, seen = bare(work), bare(later), bare(d), bare(seen)
    g, q = bare(g), bare(q)
    units = seen.shape[1]
    for b in range(seen.shape[0]):
        q_b, gates, reset = q[b], g[b, : 2 * units], block(g[b], 1, units)
        gate(gates, work[b, : 2 * units], gates[:0], gates)
        if after:
            w_b = block(later[b], 0, units)
            for j in range(units):
                q_b[j] = w_b[j] + d[j]
            add_product(block(work[b], 2, units), reset, q_b)
        else:
            multiply(q_b, reset, seen[b])


@compiled
def _gru_candidate(work: np.ndarray, h_before: np.ndarray, g: np.ndarray, h: np.ndarray) -> None:
    """Compute the candidate and h of one step for all series."""
    work, h_before, g, h = bare(work), bare(h_before), bare(g), bare(h)
    units = h.shape[1]
    for b in range(h.shape[0]):
        old, out, keep, new = h_before[b], h[b], block(g[b], 0, units), block(g[b], 2, units)
        activate(new, block(work[b], 2, units), False)
        for j in range(units):
            out[j] = new[j] + keep[j] * (old[j] - new[j])


@compiled
def gru_forward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    bias: np.ndarray,
    d: np.ndarray,
    mask: np.ndarray,
    h0: np.ndarray,
    after: bool,
    h: np.ndarray,
    g: np.ndarray,
    q: np.ndarray,
) -> None:
    """Compute a sequence of a GRU; fill h, the activations g (z, r, candidate) and q.

    The reset gate multiplies q = R_h h + `d` where it comes after the product; before it, q is
    what it leaves of h.
    """
    n_steps, batch, _ = x.shape
    units, columns = R.shape
    pair = 2 * units
    panels_W = panels(W, 0, columns)
    panels_zr, panels_h = panels(R, 0, pair), panels(R, pair, columns)
    at_once = steps_at_once(batch, columns)
    ahead = room(at_once * batch, n_panels(columns) + 1)
    later = room(batch, panels_h.shape[0])
    hm = np.empty_like(h0)
    h[0] = h0
    for t in range(n_steps):
        first = t % at_once * batch
        if first == 0:
            project(x, t, panels_W, bias, ahead[: min(at_once, n_steps - t) * batch])
        work = ahead[first : first + batch]
        before = masked(h[t], mask, hm)
        product(before, units, 1, panels_zr, work, 0)
        if after:
            later[:] = single(0)
            product(before, units, 1, panels_h, later, 0)
        seen = hm if mask.shape[0] else h[t]
        _gru_gates(work, later, d, seen, after, g[t], q[t])
        if not after:
            product(q[t].ctypes.data, units, 1, panels_h, work, pair)
        _gru_candidate(work, h[t], g[t], h[t + 1])


@compiled
def _gru_step_back(
    g: np.ndarray,
    q: np.ndarray,
    h_before: np.ndarray,
    arriving: np.ndarray,
    d_h: np.ndarray,
    after: bool,
    dX: np.ndarray,
    d_q: np.ndarray,
) -> None:
    """Compute dX of one step for all series, but of a reset gate before the product."""
    g, q, h_before, arriving = bare(g), bare(q), bare(h_before), bare(arriving)
    d_h, dX, d_q = bare(d_h), bare(dX), bare(d_q)
    units = d_h.shape[1]
    for b in range(d_h.shape[0]):
        keep, reset, new = block(g[b], 0, units), block(g[b], 1, units), block(g[b], 2, units)
        d_z, d_r, d_n = block(dX[b], 0, units), block(dX[b], 1, units), block(dX[b], 2, units)
        old, dh = h_before[b], d_h[b]
        if arriving.shape[0]:
            add(dh, arriving[0, b])
        for j in range(units):
            d_n[j] = dh[j] * (single(1) - keep[j]) * (single(1) - new[j] * new[j])
        for j in range(units):
            d_z[j] = dh[j] * (old[j] - new[j]) * keep[j] * (single(1) - keep[j])
        if after:
            gate_gradient(d_r, d_n, q[b], old[:0], reset)
            multiply(d_q[b], d_n, reset)


@compiled
def _gru_reset_back(
    g: np.ndarray, h_before: np.ndarray, mask: np.ndarray, later: np.ndarray, dX: np.ndarray
) -> None:
    """Compute dX of a reset gate before the product; `later` is the gradient of what it leaves."""
    g, h_before, mask, later, dX = bare(g), bare(h_before), bare(mask), bare(later), bare(dX)
    units = h_before.shape[1]
    for b in range(h_before.shape[0]):
        d_r, w_b = block(dX[b], 1, units), block(later[b], 0, units)
        if mask.shape[0]:
            scale(w_b, mask[b])
        gate_gradient(d_r, w_b, h_before[b], d_r[:0], block(g[b], 1, units))


@compiled
def _gru_state_back(
    g: np.ndarray,
    mask: np.ndarray,
    later: np.ndarray,
    work: np.ndarray,
    after: bool,
    d_h: np.ndarray,
) -> None:
    """Compute the gradient of h before the step, from what comes back through the products."""
    g, mask, later, work, d_h = bare(g), bare(mask), bare(later), bare(work), bare(d_h)
    units = d_h.shape[1]
    for b in range(d_h.shape[0]):
        w_b, l_b, dh = block(work[b], 0, units), block(later[b], 0, units), d_h[b]
        scale(dh, block(g[b], 0, units))
        if after:
            add(w_b, l_b)
        if mask.shape[0]:
            scale(w_b, mask[b])
        add(dh, w_b)
        if not after:
            add_product(dh, l_b, block(g[b], 1, units))


@compiled
def gru_backward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    mask: np.ndarray,
    h: np.ndarray,
    g: np.ndarray,
    q: np.ndarray,
    arriving: np.ndarray,
    last: np.ndarray,
    after: bool,
    place: int,
    dx: np.ndarray,
    dW: np.ndarray,
    dR: np.ndarray,
    d_bias: np.ndarray,
    d_h: np.ndarray,
) -> None:
    """Fill the gradients of the input, of W, R, both rows of bias, and h0.

    `dx` (time, series, n_features) is filled for the series from `place` on, or has no steps.
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    pair = 2 * units
    back_zr, back_h = transposed_panels(R, 0, pair), transposed_panels(R, pair, columns)
    work, later = room(batch, back_h.shape[0]), room(batch, back_h.shape[0])
    at_once = steps_at_once(batch, columns)
    memory = room_for_outer(at_once * batch, max(units, n_features), columns)
    dX = np.empty((at_once, batch, columns), np.float32)  # gradient of W x + b, a chunk of it
    back_W = transposed_panels(W, 0, columns if dx.shape[0] else 0)
    of_x = room(at_once * batch if dx.shape[0] else 0, back_W.shape[0])
    of_W, of_R = (
        tall_room(n_features, n_panels(columns)),
        tall_room(units, n_panels(columns) + 1),
    )
    of_q = np.empty((at_once, batch, units), np.float32)  # gradient of q, or q itself
    chunk, chunk_q = np.empty(columns, np.float32), np.empty(units, np.float32)
    d_bias[:] = single(0)
    d_h[:] = last
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        dX_t, d_q = dX[t % at_once], of_q[t % at_once]
        _gru_step_back(g[t], q[t], h[t], arriving[t : t + 1], d_h, after, dX_t, d_q)
        later[:] = single(0)
        if after:
            product(d_q.ctypes.data, units, 1, back_h, later, 0)
        else:
            product(dX_t.ctypes.data + 4 * pair, columns, 1, back_h, later, 0)
            _gru_reset_back(g[t], h[t], mask, later, dX_t)
        work[:] = single(0)
        product(dX_t.ctypes.data, columns, 1, back_zr, work, 0)
        _gru_state_back(g[t], mask, later, work, after, d_h)
        if t % at_once == 0:
            rows, masked = rows_of(dX[: end - t]), rows_of(all_masked(h[t:end], mask))
            input_gradient(rows, back_W, of_x, batch, t, place, dx)
            outer(rows_of(x[t:end]), rows, 0, columns, memory, of_W, 0, False, False)
            outer(masked, rows, 0, pair, memory, of_R, 0, False, False)
            sum_rows(rows, chunk, d_bias[0])
            if after:
                rows_q = rows_of(of_q[: end - t])
                outer(masked, rows_q, 0, units, memory, of_R, pair, True, False)
                sum_rows(rows_q, chunk_q, d_bias[1, pair:])
            else:
                outer(rows_of(q[t:end]), rows, pair, columns, memory, of_R, pair, False, False)
            end = t
    d_bias[1, :pair] = d_bias[0, :pair]
    dW[:] = of_W[:n_features, :columns]
    dR[:] = of_R[:units, :columns]
