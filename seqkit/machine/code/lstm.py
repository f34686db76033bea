"""Every cell of the LSTM scheme, there and back."""

from __future__ import annotations

import numpy as np

from seqkit.machine.code.compiling import bare, compiled, single
from seqkit.machine.code.products import (
    all_masked,
    input_gradient,
    is_whole,
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
    memory_gradient,
    multiply,
    row,
    scale,
    sum_rows,
    tanh,
    through_tanh,
)

__all__ = ["lstm_backward", "lstm_forward"]


@compiled
def _lstm_step(
    work: np.ndarray,
    c_before: np.ndarray,
    blocks: tuple[int, int, int, int],
    p_i: np.ndarray,
    p_f: np.ndarray,
    p_o: np.ndarray,
    linear: tuple[bool, bool],
    coupled: bool,
    g: np.ndarray,
    c: np.ndarray,
    h: np.ndarray,
    gates: np.ndarray,
) -> None:
    """Compute the elements of one step for all series; `work` are the sums of the products."""
    work, c_before, g, c, h = bare(work), bare(c_before), bare(g), bare(c), bare(h)
    p_i, p_f, p_o, gates = bare(p_i), bare(p_f), bare(p_o), bare(gates)
    units = h.shape[1]
    i, f, q, o = blocks
    for b in range(h.shape[0]):
        g_b, w_b = g[b], work[b]
        before, after, out = c_before[b], c[b], h[b]
        g_i, g_f, g_o = block(g_b, i, units), block(g_b, f, units), block(g_b, o, units)
        g_q = block(g_b, q, units)
        gate(g_i, block(w_b, i, units), p_i, before)
        gate(g_f, block(w_b, f, units), p_f, before)
        activate(g_q, block(w_b, q, units), linear[0])
        if i >= 0 and f >= 0:
            for j in range(units):
                after[j] = g_f[j] * before[j] + g_i[j] * g_q[j]
        elif f >= 0:
            for j in range(units):
                after[j] = g_f[j] * before[j] + g_q[j]
        elif coupled:
            for j in range(units):
                after[j] = before[j] + g_i[j] * (g_q[j] - before[j])
        elif i >= 0:
            for j in range(units):
                after[j] = before[j] + g_i[j] * g_q[j]
        else:
            for j in range(units):
                after[j] = before[j] + g_q[j]
        gate(g_o, block(w_b, o, units), p_o, after)
        if o >= 0 and not linear[1]:
            for j in range(units):
                out[j] = g_o[j] * tanh(after[j])
        elif o >= 0:
            multiply(out, g_o, after)
        else:
            activate(out, after, linear[1])
        if gates.shape[0]:
            kept = gates[0, b]
            block(kept, 0, units)[:] = g_i
            block(kept, 1, units)[:] = g_f
            block(kept, 2, units)[:] = g_o


@compiled
def lstm_forward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    bias: np.ndarray,
    peepholes: np.ndarray,
    G: np.ndarray,
    mask: np.ndarray,
    h0: np.ndarray,
    c0: np.ndarray,
    gates0: np.ndarray,
    blocks: tuple[int, int, int, int],
    seen: tuple[int, int, int],
    linear: tuple[bool, bool],
    coupled: bool,
    h: np.ndarray,
    c: np.ndarray,
    g: np.ndarray,
    gates: np.ndarray,
) -> None:
    """Compute a sequence of any cell of the LSTM scheme; fill h, c and the activations g.

    `blocks` are the places of the blocks i, f, c, o, `seen` the rows of the peepholes of i, f, o;
    -1 where there is none. `G` (3 * units, 3 * units) feeds the gates i, f, o of the step before
    (`gates0` before the first) to the gates, and `gates` keeps them; no rows without gate
    recurrence.
    """
    n_steps, batch, _ = x.shape
    units, columns = R.shape
    p_i, p_f, p_o = row(peepholes, seen[0]), row(peepholes, seen[1]), row(peepholes, seen[2])
    panels_W, panels_R = panels(W, 0, columns), panels(R, 0, columns)
    recurrent = G.shape[0] > 0
    pair = G.shape[1] // 3 * 2
    panels_if, panels_o = panels(G, 0, pair), panels(G, pair, G.shape[1])
    at_once = steps_at_once(batch, columns)
    ahead = room(at_once * batch, n_panels(columns) + 1)
    hm = np.empty_like(h0)
    h[0] = h0
    c[0] = c0
    if recurrent:
        gates[0] = gates0
    for t in range(n_steps):
        first = t % at_once * batch
        if first == 0:
            project(x, t, panels_W, bias, ahead[: min(at_once, n_steps - t) * batch])
        work = ahead[first : first + batch]
        product(masked(h[t], mask, hm), units, 1, panels_R, work, 0)
        if recurrent:
            product(gates[t].ctypes.data, 3 * units, 1, panels_if, work, 0)
            product(gates[t].ctypes.data, 3 * units, 1, panels_o, work, 3 * units)
        _lstm_step(
            work,
            c[t],
            blocks,
            p_i,
            p_f,
            p_o,
            linear,
            coupled,
            g[t],
            c[t + 1],
            h[t + 1],
            gates[t + 1 : t + 2],
        )


@compiled
def _lstm_step_back(
    g: np.ndarray,
    c_before: np.ndarray,
    c: np.ndarray,
    arriving_h: np.ndarray,
    arriving_c: np.ndarray,
    arriving_gates: np.ndarray,
    blocks: tuple[int, int, int, int],
    p_i: np.ndarray,
    p_f: np.ndarray,
    p_o: np.ndarray,
    linear: tuple[bool, bool],
    coupled: bool,
    work: np.ndarray,
    fed: np.ndarray,
    d_c: np.ndarray,
    dA: np.ndarray,
    d_peepholes: np.ndarray,
    seen: tuple[int, int, int],
    ones: np.ndarray,
) -> None:
    """Compute dA of one step for all series from the gradients of h (`work`), c and the gates."""
    g, c_before, c, work, fed = bare(g), bare(c_before), bare(c), bare(work), bare(fed)
    arriving_h, arriving_c = bare(arriving_h), bare(arriving_c)
    arriving_gates, d_c, dA, ones = bare(arriving_gates), bare(d_c), bare(dA), bare(ones)
    p_i, p_f, p_o, d_peepholes = bare(p_i), bare(p_f), bare(p_o), bare(d_peepholes)
    units = c.shape[1]
    i, f, q, o = blocks
    none, a = ones[0, :0], ones[1]
    common = min(i, f, o) >= 0 and not (coupled or linear[0] or linear[1] or fed.shape[1])
    common = common and max(seen[0], seen[1], seen[2]) < 0
    for b in range(c.shape[0]):
        g_b, dA_b, before, after = g[b], dA[b], c_before[b], c[b]
        g_i, g_f, g_o = block(g_b, i, units), block(g_b, f, units), block(g_b, o, units)
        g_q = block(g_b, q, units)
        d_i, d_f, d_o = block(dA_b, i, units), block(dA_b, f, units), block(dA_b, o, units)
        d_q = block(dA_b, q, units)
        dh, dc = block(work[b], 0, units), d_c[b]
        if arriving_h.shape[0]:
            add(dh, arriving_h[0, b])
        if arriving_c.shape[0]:
            add(dc, arriving_c[0, b])
        if arriving_gates.shape[0]:
            add(block(fed[b], 0, 3 * units), arriving_gates[0, b])
        if common:  # the LSTM of 2000, in few loops
            for j in range(units):
                out = tanh(after[j])
                d_o[j] = dh[j] * out * g_o[j] * (single(1) - g_o[j])
                dc[j] += dh[j] * g_o[j] * (single(1) - out * out)
            for j in range(units):
                d_i[j] = dc[j] * g_q[j] * g_i[j] * (single(1) - g_i[j])
                d_q[j] = dc[j] * g_i[j] * (single(1) - g_q[j] * g_q[j])
            for j in range(units):
                d_f[j] = dc[j] * before[j] * g_f[j] * (single(1) - g_f[j])
                dc[j] *= g_f[j]
            continue
        activate(a, after, linear[1])
        if o >= 0:
            gate_gradient(d_o, dh, a, block(fed[b], 2, units) if fed.shape[1] else none, g_o)
            memory_gradient(dc, dh, g_o, a, linear[1])
        else:
            memory_gradient(dc, dh, ones[0], a, linear[1])
        if p_o.shape[0]:
            add_product(dc, d_o, p_o)
            add_product(d_peepholes[seen[2]], d_o, after)
        if coupled:
            for j in range(units):
                a[j] = g_q[j] - before[j]
        if i >= 0:
            of_i = block(fed[b], 0, units) if fed.shape[1] else none
            gate_gradient(d_i, dc, a if coupled else g_q, of_i, g_i)
            multiply(d_q, dc, g_i)
        else:
            d_q[:] = dc
        if not linear[0]:
            through_tanh(d_q, g_q)
        if f >= 0:
            gate_gradient(d_f, dc, before, block(fed[b], 1, units) if fed.shape[1] else none, g_f)
            scale(dc, g_f)
        elif coupled:
            for j in range(units):
                dc[j] *= single(1) - g_i[j]
        if p_i.shape[0]:
            add_product(dc, d_i, p_i)
            add_product(d_peepholes[seen[0]], d_i, before)
        if p_f.shape[0]:
            add_product(dc, d_f, p_f)
            add_product(d_peepholes[seen[1]], d_f, before)


@compiled
def lstm_backward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    peepholes: np.ndarray,
    G: np.ndarray,
    mask: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    g: np.ndarray,
    gates: np.ndarray,
    arriving_h: np.ndarray,
    arriving_c: np.ndarray,
    arriving_gates: np.ndarray,
    last_h: np.ndarray,
    last_c: np.ndarray,
    last_gates: np.ndarray,
    blocks: tuple[int, int, int, int],
    seen: tuple[int, int, int],
    linear: tuple[bool, bool],
    coupled: bool,
    place: int,
    dx: np.ndarray,
    dW: np.ndarray,
    dR: np.ndarray,
    d_bias: np.ndarray,
    d_peepholes: np.ndarray,
    dG: np.ndarray,
    d_h: np.ndarray,
    d_c: np.ndarray,
    d_gates: np.ndarray,
) -> None:
    """Fill the gradients of the input, the weights and the initial states.

    `dx` (time, series, n_features) is filled for the series from `place` on, or has no steps.
    `arriving_...` are the gradients of every step's states (no steps where there are none, the
    three gates side by side), `last_...` those of the last.
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    p_i, p_f, p_o = row(peepholes, seen[0]), row(peepholes, seen[1]), row(peepholes, seen[2])
    recurrent = G.shape[0] > 0
    back = transposed_panels(R, 0, columns)
    pair = G.shape[1] // 3 * 2
    back_if, back_o = transposed_panels(G, 0, pair), transposed_panels(G, pair, G.shape[1])
    work, fed = room(batch, back.shape[0]), room(batch, back_if.shape[0])
    at_once = steps_at_once(batch, columns)
    memory = room_for_outer(at_once * batch, max(units, n_features, G.shape[0]), columns)
    dA = np.empty((at_once, batch, columns), np.float32)  # gradient of W x + b, a chunk of it
    back_W = transposed_panels(W, 0, columns if dx.shape[0] else 0)
    of_x = room(at_once * batch if dx.shape[0] else 0, back_W.shape[0])
    dR[:] = single(0)
    fits = is_whole(units, columns)
    of_W = tall_room(n_features, n_panels(columns))
    of_R = dR if fits else tall_room(units, n_panels(columns))
    of_G = tall_room(G.shape[0], n_panels(G.shape[1]) + 1)
    ones = np.ones((2, units), np.float32)  # and room for a row
    chunk = np.empty(columns, np.float32)
    d_bias[:] = single(0)
    d_peepholes[:] = single(0)
    d_c[:] = last_c
    work[:, :units] = last_h
    if recurrent:
        fed[:, : 3 * units] = last_gates
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        dA_t = dA[t % at_once]
        _lstm_step_back(
            g[t],
            c[t],
            c[t + 1],
            arriving_h[t : t + 1],
            arriving_c[t : t + 1],
            arriving_gates[t : t + 1],
            blocks,
            p_i,
            p_f,
            p_o,
            linear,
            coupled,
            work,
            fed,
            d_c,
            dA_t,
            d_peepholes,
            seen,
            ones,
        )
        work[:] = single(0)
        product(dA_t.ctypes.data, columns, 1, back, work, 0)
        for b in range(mask.shape[0]):
            scale(block(work[b], 0, units), mask[b])
        if recurrent:
            fed[:] = single(0)
            product(dA_t.ctypes.data, columns, 1, back_if, fed, 0)
            product(dA_t.ctypes.data + 4 * 3 * units, columns, 1, back_o, fed, 0)
        if t % at_once == 0:
            rows = rows_of(dA[: end - t])
            input_gradient(rows, back_W, of_x, batch, t, place, dx)
            outer(rows_of(x[t:end]), rows, 0, columns, memory, of_W, 0, False, False)
            outer(
                rows_of(all_masked(h[t:end], mask)),
                rows,
                0,
                columns,
                memory,
                of_R,
                0,
                False,
                True,
            )
            if recurrent:
                before_rows = rows_of(gates[t:end])
                outer(before_rows, rows, 0, 2 * units, memory, of_G, 0, False, False)
                outer(before_rows, rows, 3 * units, columns, memory, of_G, 2 * units, True, False)
            sum_rows(rows, chunk, d_bias)
            end = t
    dW[:] = of_W[:n_features, :columns]
    if not fits:
        dR[:] = of_R[:units, :columns]
    d_h[:] = work[:, :units]
    if recurrent:
        dG[:] = of_G[: 3 * units, : 3 * units]
        d_gates[:] = fed[:, : 3 * units]
