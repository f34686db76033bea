"""Every cell of the LSTM scheme, forward and backward.

Hochreiter and Schmidhuber (1997), Gers et al. (2000), and the variants of Greff et al. (2017). With
A = x W + b + h R, and what a cell has of peepholes p and gate recurrence G::

    i = sigmoid(A_i + p_i c)    f = sigmoid(A_f + p_f c)    u = tanh(A_c)
    c' = f c + i u                      (coupled: c' = c + i (u - c))
    o = sigmoid(A_o + p_o c')           h' = o tanh(c')

A gate that is absent is 1. Rows of `work`, of the activations g and of their gradient dA are blocks
of `units` columns in the cell's own order, here that of the LSTM::

    |<- units ->|<- units ->|<- units ->|<- units ->|<- padding (work alone)
    |     i     |     f     |     u     |     o     |
"""

from __future__ import annotations

import numpy as np

from seqkit.network.cpu.code.compiling import (
    Floats,
    Matrix,
    Steps,
    Vector,
    at,
    compiled,
    kernel,
    start,
)
from seqkit.network.cpu.code.products import (
    WIDTH,
    add_outer,
    gradient_size,
    is_whole,
    masked,
    n_tiles,
    outer_size,
    pack,
    pack_transposed,
    packed_size,
    padded,
    product,
    project,
    project_backward,
    steps_at_once,
)
from seqkit.network.cpu.code.rows import (
    ONE,
    activate,
    add,
    add_product,
    copy,
    copy_rows,
    gate_gradient,
    multiply,
    scale,
    sigmoid,
    sigmoids,
    tanh,
    through_tanh,
    zero,
)

__all__ = ["lstm_backward", "lstm_forward", "lstm_step"]


@compiled
def _gate(gate: Floats, work: Floats, peepholes: Floats, k: int, c: Floats, units: int) -> None:
    """Write one gate of a step of a series; k is its row of the peepholes, -1 without one."""
    if k >= 0:
        p = at(peepholes, k * units)
        for j in range(units):
            gate[j] = sigmoid(work[j] + p[j] * c[j])
    else:
        sigmoids(gate, work, units)


@compiled
def lstm_step(
    work: Floats, wide: int, c_before: Floats, blocks: tuple[int, int, int, int],
    peepholes: Floats, seen: tuple[int, int, int], linear: tuple[bool, bool], coupled: bool,
    batch: int, units: int, columns: int, g: Floats, c: Floats, h: Floats, recurrent: bool,
    gates: Floats,
) -> None:  # fmt: skip
    """Compute the elements of one step for all series; `work` are the sums of the products."""
    i, f, u, o = blocks
    for b in range(batch):
        work_b, g_b = at(work, b * wide), at(g, b * columns)
        before, after, out = at(c_before, b * units), at(c, b * units), at(h, b * units)
        # of a gate that is absent nothing is read: its pointer leads nowhere
        g_i, g_f, g_o = at(g_b, i * units), at(g_b, f * units), at(g_b, o * units)
        g_u = at(g_b, u * units)
        if i >= 0:
            _gate(g_i, at(work_b, i * units), peepholes, seen[0], before, units)
        if f >= 0:
            _gate(g_f, at(work_b, f * units), peepholes, seen[1], before, units)
        activate(g_u, at(work_b, u * units), linear[0], units)
        if i >= 0 and f >= 0:
            for j in range(units):
                after[j] = g_f[j] * before[j] + g_i[j] * g_u[j]
        elif f >= 0:
            for j in range(units):
                after[j] = g_f[j] * before[j] + g_u[j]
        elif coupled:
            for j in range(units):
                after[j] = before[j] + g_i[j] * (g_u[j] - before[j])
        elif i >= 0:
            for j in range(units):
                after[j] = before[j] + g_i[j] * g_u[j]
        else:
            for j in range(units):
                after[j] = before[j] + g_u[j]
        if o >= 0:
            _gate(g_o, at(work_b, o * units), peepholes, seen[2], after, units)
        if o >= 0 and not linear[1]:
            for j in range(units):
                out[j] = g_o[j] * tanh(after[j])
        elif o >= 0:
            multiply(out, g_o, after, units)
        else:
            activate(out, after, linear[1], units)
        if recurrent:  # such a cell has all gates
            saved = at(gates, b * 3 * units)
            copy(saved, g_i, units)
            copy(at(saved, units), g_f, units)
            copy(at(saved, 2 * units), g_o, units)


@kernel
def _lstm_forward(
    x: Steps, W: Matrix, R: Matrix, bias: Vector, peepholes: Matrix, G: Matrix, mask: Matrix,
    h0: Matrix, c0: Matrix, gates0: Matrix, blocks: tuple[int, int, int, int],
    seen: tuple[int, int, int], linear: tuple[bool, bool], coupled: bool, h: Steps, c: Steps,
    g: Steps, gates: Steps, at_once: int, tiles_W: Vector, tiles_R: Vector, tiles_if: Vector,
    tiles_o: Vector, projected: Vector, masked_h: Vector,
) -> None:  # fmt: skip
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    size, n, recurrent, pair = batch * units, n_tiles(columns), G.shape[0] > 0, 2 * units
    # one tile more: the output gate's tiles begin at a column that need not be a tile's first
    wide = (n + 1) * WIDTH
    pack(start(W), columns, n_features, 0, columns, start(tiles_W), WIDTH)
    pack(start(R), columns, units, 0, columns, start(tiles_R), WIDTH)
    copy(start(h), start(h0), size)
    copy(start(c), start(c0), size)
    if recurrent:
        pack(start(G), 3 * units, 3 * units, 0, pair, start(tiles_if), WIDTH)
        pack(start(G), 3 * units, 3 * units, pair, 3 * units, start(tiles_o), WIDTH)
        copy(start(gates), start(gates0), 3 * size)
    for t in range(n_steps):
        if t % at_once == 0:
            project(
                at(start(x), t * batch * n_features), min(at_once, n_steps - t) * batch,
                n_features, start(tiles_W), start(bias), columns, start(projected), wide,
            )  # fmt: skip
        work = at(start(projected), t % at_once * batch * wide)
        h_t, c_t, gates_t = at(start(h), t * size), at(start(c), t * size), start(gates)
        seen_h = masked(h_t, start(mask), mask.shape[0] > 0, 1, size, start(masked_h))
        product(seen_h, units, batch, start(tiles_R), units, n, work, wide)
        if recurrent:
            gates_t, deep = at(gates_t, t * 3 * size), 3 * units
            product(gates_t, deep, batch, start(tiles_if), deep, n_tiles(pair), work, wide)
            of_o = at(work, 3 * units)
            product(gates_t, deep, batch, start(tiles_o), deep, n_tiles(units), of_o, wide)
        lstm_step(
            work, wide, c_t, blocks, start(peepholes), seen, linear, coupled, batch, units,
            columns, at(start(g), t * batch * columns), at(c_t, size), at(h_t, size), recurrent,
            at(gates_t, 3 * size),
        )  # fmt: skip


def lstm_forward(
    x: np.ndarray, W: np.ndarray, R: np.ndarray, bias: np.ndarray, peepholes: np.ndarray,
    G: np.ndarray, mask: np.ndarray, h0: np.ndarray, c0: np.ndarray, gates0: np.ndarray,
    blocks: tuple[int, int, int, int], seen: tuple[int, int, int], linear: tuple[bool, bool],
    coupled: bool, h: np.ndarray, c: np.ndarray, g: np.ndarray, gates: np.ndarray,
) -> None:  # fmt: skip
    """Compute a sequence of any cell of the LSTM scheme; fill h, c and the activations g.

    `blocks` are the positions of the blocks i, f, c, o, `seen` the rows of the peepholes of i, f,
    o; -1 where there is none. `G` (3 * units, 3 * units) feeds the gates i, f, o of the step before
    (`gates0` before the first) to the gates, and `gates` saves them; no rows without gate
    recurrence.
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    at_once = steps_at_once(n_steps, batch, columns)
    sizes = [
        packed_size(n_features, columns), packed_size(units, columns),
        packed_size(len(G), 2 * units), packed_size(len(G), units),
        at_once * batch * (padded(columns) + WIDTH), batch * units,
    ]  # fmt: skip
    _lstm_forward(
        x, W, R, bias, peepholes, G, mask, h0, c0, gates0, blocks, seen, linear, coupled, h, c, g,
        gates, at_once, buffers=sizes,
    )  # fmt: skip


@compiled
def _fed_gate_gradient(
    d: Floats, a: Floats, b: Floats, recurrent: bool, fed: Floats, gate: Floats, units: int
) -> None:
    """Write a * b, and what the next step's gates give, through the sigmoid of a gate."""
    if recurrent:
        for j in range(units):
            d[j] = (a[j] * b[j] + fed[j]) * gate[j] * (ONE - gate[j])
    else:
        gate_gradient(d, a, b, gate, units)


@compiled
def _memory_gradient(
    dc: Floats, dh: Floats, gate: Floats, a: Floats, linear: bool, units: int
) -> None:
    """Add what h = gate * a(c) hands on to c."""
    if linear:
        add_product(dc, dh, gate, units)
    else:
        for j in range(units):
            dc[j] += dh[j] * gate[j] * (ONE - a[j] * a[j])


@compiled
def _lstm_gates_backward(
    g: Floats, before: Floats, after: Floats, blocks: tuple[int, int, int, int],
    peepholes: Floats, seen: tuple[int, int, int], linear: tuple[bool, bool], coupled: bool,
    recurrent: bool, units: int, dh: Floats, dc: Floats, fed: Floats, dA: Floats,
    d_peepholes: Floats, ones: Floats, a: Floats,
) -> None:  # fmt: skip
    """Compute dA of one step of a series, and dc of the step before, for any cell.

    `ones` and `a` are rows: of ones, and to work in.
    """
    i, f, u, o = blocks
    g_i, g_f, g_o, g_u = at(g, i * units), at(g, f * units), at(g, o * units), at(g, u * units)
    d_i, d_f, d_o = at(dA, i * units), at(dA, f * units), at(dA, o * units)
    d_u = at(dA, u * units)
    activate(a, after, linear[1], units)
    if o >= 0:
        _fed_gate_gradient(d_o, dh, a, recurrent, at(fed, 2 * units), g_o, units)
        _memory_gradient(dc, dh, g_o, a, linear[1], units)
    else:
        _memory_gradient(dc, dh, ones, a, linear[1], units)
    if seen[2] >= 0:
        add_product(dc, d_o, at(peepholes, seen[2] * units), units)
        add_product(at(d_peepholes, seen[2] * units), d_o, after, units)
    if coupled:
        for j in range(units):
            a[j] = g_u[j] - before[j]
    if i >= 0:
        _fed_gate_gradient(d_i, dc, a if coupled else g_u, recurrent, fed, g_i, units)
        multiply(d_u, dc, g_i, units)
    else:
        copy(d_u, dc, units)
    if not linear[0]:
        through_tanh(d_u, g_u, units)
    if f >= 0:
        _fed_gate_gradient(d_f, dc, before, recurrent, at(fed, units), g_f, units)
        scale(dc, g_f, units)
    elif coupled:
        for j in range(units):
            dc[j] *= ONE - g_i[j]
    if seen[0] >= 0:
        add_product(dc, d_i, at(peepholes, seen[0] * units), units)
        add_product(at(d_peepholes, seen[0] * units), d_i, before, units)
    if seen[1] >= 0:
        add_product(dc, d_f, at(peepholes, seen[1] * units), units)
        add_product(at(d_peepholes, seen[1] * units), d_f, before, units)


@compiled
def _lstm_step_backward(
    g: Floats, c_before: Floats, c: Floats, upstream_h: Floats, has_h: bool, upstream_c: Floats,
    has_c: bool, upstream_gates: Floats, has_gates: bool, blocks: tuple[int, int, int, int],
    peepholes: Floats, seen: tuple[int, int, int], linear: tuple[bool, bool], coupled: bool,
    recurrent: bool, batch: int, units: int, columns: int, work: Floats, wide: int, fed: Floats,
    wide_fed: int, d_c: Floats, dA: Floats, d_peepholes: Floats, ones: Floats, a: Floats,
) -> None:  # fmt: skip
    """Compute dA of one step for all series from the gradients of h (`work`), c and the gates."""
    i, f, u, o = blocks
    common = min(i, f, o) >= 0 and not (coupled or linear[0] or linear[1] or recurrent)
    common = common and max(seen[0], seen[1], seen[2]) < 0
    for b in range(batch):
        g_b, dA_b, fed_b = at(g, b * columns), at(dA, b * columns), at(fed, b * wide_fed)
        before, after = at(c_before, b * units), at(c, b * units)
        dh, dc = at(work, b * wide), at(d_c, b * units)
        if has_h:
            add(dh, at(upstream_h, b * units), units)
        if has_c:
            add(dc, at(upstream_c, b * units), units)
        if has_gates:
            add(fed_b, at(upstream_gates, b * 3 * units), 3 * units)
        if not common:
            _lstm_gates_backward(
                g_b, before, after, blocks, peepholes, seen, linear, coupled, recurrent, units, dh,
                dc, fed_b, dA_b, d_peepholes, ones, a,
            )  # fmt: skip
            continue
        # the LSTM of 2000, in few loops
        g_i, g_f, g_o = at(g_b, i * units), at(g_b, f * units), at(g_b, o * units)
        d_i, d_f, d_o = at(dA_b, i * units), at(dA_b, f * units), at(dA_b, o * units)
        g_u, d_u = at(g_b, u * units), at(dA_b, u * units)
        for j in range(units):
            out = tanh(after[j])
            d_o[j] = dh[j] * out * g_o[j] * (ONE - g_o[j])
            dc[j] += dh[j] * g_o[j] * (ONE - out * out)
        for j in range(units):
            d_i[j] = dc[j] * g_u[j] * g_i[j] * (ONE - g_i[j])
            d_u[j] = dc[j] * g_i[j] * (ONE - g_u[j] * g_u[j])
        for j in range(units):
            d_f[j] = dc[j] * before[j] * g_f[j] * (ONE - g_f[j])
            dc[j] *= g_f[j]


# long: one loop over time; its products share their buffers, which a call for each would hand on
@kernel
def _lstm_backward(
    x: Steps, W: Matrix, R: Matrix, peepholes: Matrix, G: Matrix, mask: Matrix, h: Steps,
    c: Steps, g: Steps, gates: Steps, upstream_h: Steps, upstream_c: Steps, upstream_gates: Steps,
    last_h: Matrix, last_c: Matrix, last_gates: Matrix, blocks: tuple[int, int, int, int],
    seen: tuple[int, int, int], linear: tuple[bool, bool], coupled: bool, first_series: int,
    dx: Steps, dW: Matrix, dR: Matrix, d_bias: Vector, d_peepholes: Matrix, dG: Matrix,
    d_h: Matrix, d_c: Matrix, d_gates: Matrix, at_once: int, whole: bool, tiles_W: Vector,
    tiles_R: Vector, tiles_if: Vector, tiles_o: Vector, work: Vector, fed: Vector, dA: Vector,
    of_x: Vector, of_W: Vector, of_R: Vector, of_G: Vector, packed: Vector, chunk: Vector,
    masked_h: Vector, ones: Vector, a: Vector,
) -> None:  # fmt: skip
    # long, but one loop over time: each part that is cut off is called with a dozen pointers
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    size, pair, deep = batch * units, 2 * units, 3 * units
    recurrent, is_masked = G.shape[0] > 0, mask.shape[0] > 0
    n, wide = n_tiles(units), n_tiles(units) * WIDTH
    n_fed, wide_fed = n_tiles(deep), n_tiles(deep) * WIDTH
    wide_W, wide_G = n_tiles(columns) * WIDTH, (n_tiles(deep) + 1) * WIDTH
    # dR itself where its shape is whole: it is the largest, and a copy costs
    sum_R = start(dR) if whole else start(of_R)
    pack_transposed(start(R), columns, units, 0, columns, start(tiles_R))
    if dx.shape[0]:
        pack_transposed(start(W), columns, n_features, 0, columns, start(tiles_W))
    zero(start(of_W), of_W.shape[0])
    zero(sum_R, units * columns if whole else of_R.shape[0])
    zero(start(d_bias), columns)
    zero(start(d_peepholes), d_peepholes.shape[0] * units)
    copy(start(d_c), start(last_c), size)
    copy_rows(start(work), wide, start(last_h), units, batch, units)
    if recurrent:
        pack_transposed(start(G), deep, deep, 0, pair, start(tiles_if))
        pack_transposed(start(G), deep, deep, pair, deep, start(tiles_o))
        zero(start(of_G), of_G.shape[0])
        copy_rows(start(fed), wide_fed, start(last_gates), deep, batch, deep)
    all_ones = start(ones)
    for j in range(units):
        all_ones[j] = ONE
    rows = start(dA)  # of a chunk's steps
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        dA_t = at(rows, t % at_once * batch * columns)
        h_t, c_t = at(start(h), t * size), at(start(c), t * size)
        _lstm_step_backward(
            at(start(g), t * batch * columns), c_t, at(c_t, size), at(start(upstream_h), t * size),
            upstream_h.shape[0] > 0, at(start(upstream_c), t * size), upstream_c.shape[0] > 0,
            at(start(upstream_gates), t * 3 * size), upstream_gates.shape[0] > 0, blocks,
            start(peepholes), seen, linear, coupled, recurrent, batch, units, columns, start(work),
            wide, start(fed), wide_fed, start(d_c), dA_t, start(d_peepholes), all_ones,
            start(a),
        )  # fmt: skip
        zero(start(work), batch * wide)
        product(dA_t, columns, batch, start(tiles_R), columns, n, start(work), wide)
        if is_masked:
            for b in range(batch):
                scale(at(start(work), b * wide), at(start(mask), b * units), units)
        if recurrent:
            zero(start(fed), batch * wide_fed)
            product(dA_t, columns, batch, start(tiles_if), pair, n_fed, start(fed), wide_fed)
            of_o = at(dA_t, deep)
            product(of_o, columns, batch, start(tiles_o), units, n_fed, start(fed), wide_fed)
        if t % at_once == 0:
            steps, count = end - t, (end - t) * batch
            project_backward(
                at(start(x), t * batch * n_features), rows, steps, batch, n_features, columns,
                start(packed), start(of_W), start(chunk), start(d_bias), start(tiles_W),
                start(of_x), dx.shape[0] > 0,
                at(start(dx), (t * dx.shape[1] + first_series) * n_features), dx.shape[1],
            )  # fmt: skip
            seen_h = masked(h_t, start(mask), is_masked, steps, size, start(masked_h))
            add_outer(
                seen_h, units, rows, columns, count, 0, columns, start(packed), sum_R, wide_W,
                False,
            )  # fmt: skip
            if recurrent:
                gates_t = at(start(gates), t * 3 * size)
                add_outer(
                    gates_t, deep, rows, columns, count, 0, pair, start(packed), start(of_G),
                    wide_G, False,
                )  # fmt: skip
                add_outer(
                    gates_t, deep, rows, columns, count, deep, columns, start(packed),
                    at(start(of_G), pair), wide_G, True,
                )  # fmt: skip
            end = t
    copy_rows(start(dW), columns, start(of_W), wide_W, n_features, columns)
    if not whole:
        copy_rows(start(dR), columns, sum_R, wide_W, units, columns)
    copy_rows(start(d_h), units, start(work), wide, batch, units)
    if recurrent:
        copy_rows(start(dG), deep, start(of_G), wide_G, deep, deep)
        copy_rows(start(d_gates), deep, start(fed), wide_fed, batch, deep)


def lstm_backward(
    x: np.ndarray, W: np.ndarray, R: np.ndarray, peepholes: np.ndarray, G: np.ndarray,
    mask: np.ndarray, h: np.ndarray, c: np.ndarray, g: np.ndarray, gates: np.ndarray,
    upstream_h: np.ndarray, upstream_c: np.ndarray, upstream_gates: np.ndarray,
    last_h: np.ndarray, last_c: np.ndarray, last_gates: np.ndarray,
    blocks: tuple[int, int, int, int], seen: tuple[int, int, int], linear: tuple[bool, bool],
    coupled: bool, first_series: int, dx: np.ndarray, dW: np.ndarray, dR: np.ndarray,
    d_bias: np.ndarray, d_peepholes: np.ndarray, dG: np.ndarray, d_h: np.ndarray,
    d_c: np.ndarray, d_gates: np.ndarray,
) -> None:  # fmt: skip
    """Fill the gradients of the input, the weights and the initial states.

    From the last step to the first, for the LSTM::

        dA_o = dh tanh(c') o (1 - o)        dc' += dh o (1 - tanh(c')^2)
        dA_i = dc' u i (1 - i)              dA_u = dc' i (1 - u^2)
        dA_f = dc' c f (1 - f)              dc = dc' f
        dh of the step before = its upstream gradient + dA R^T

    `dx` (time, series, n_features) is filled from the series `first_series` on, or has no steps.
    `upstream_...` are the gradients of every step's states (no steps where there are none, the
    three gates side by side), `last_...` those of the last.
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    at_once = steps_at_once(n_steps, batch, columns)
    count, wanted, deep, whole = at_once * batch, len(dx) > 0, len(G), is_whole(units, columns)
    sizes = [
        packed_size(columns, n_features) * wanted, packed_size(columns, units),
        packed_size(2 * units, deep), packed_size(units, deep), batch * padded(units),
        batch * padded(deep), count * columns, count * padded(n_features) * wanted,
        gradient_size(n_features, columns), gradient_size(units, columns) * (not whole),
        gradient_size(deep, deep + WIDTH) * (deep > 0),
        outer_size(count, max(units, n_features, deep), columns), columns,
        count * units * (len(mask) > 0), units, units,
    ]  # fmt: skip
    _lstm_backward(
        x, W, R, peepholes, G, mask, h, c, g, gates, upstream_h, upstream_c, upstream_gates,
        last_h, last_c, last_gates, blocks, seen, linear, coupled, first_series, dx, dW, dR,
        d_bias, d_peepholes, dG, d_h, d_c, d_gates, at_once, whole, buffers=sizes,
    )  # fmt: skip
