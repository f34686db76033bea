"""Both kinds of GRU, forward and backward.

Cho et al. (2014), eq. 5-8, with the reset gate before the product with R, and the kind with the
reset gate after it (Keras's default, cuDNN's), which makes one product a step::

    z = sigmoid(x W_z + h R_z + b_z)          r = sigmoid(x W_r + h R_r + b_r)
    before:  q = r * h            n = tanh(x W_n + q R_n + b_n)
    after:   q = h R_n + d        n = tanh(x W_n + r * q + b_n)
    h' = n + z (h - n)

Rows of `work`, of the activations g and of their gradient dX are blocks of `units` columns::

    |<- units ->|<- units ->|<- units ->|<- padding (work alone)
    |     z     |     r     |     n     |
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
    sigmoids,
    sum_rows,
    zero,
)

__all__ = ["gru_backward", "gru_candidate", "gru_forward", "gru_gates"]


@compiled
def gru_gates(
    work: Floats, wide: int, of_h: Floats, wide_h: int, d: Floats, seen: Floats, after: bool,
    batch: int, units: int, g: Floats, q: Floats,
) -> None:  # fmt: skip
    """Compute the gates of one step for all series, and what the reset gate leaves."""
    for b in range(batch):
        work_b, q_b, gates = at(work, b * wide), at(q, b * units), at(g, b * 3 * units)
        reset = at(gates, units)
        sigmoids(gates, work_b, 2 * units)
        if after:
            of_h_b = at(of_h, b * wide_h)
            for j in range(units):
                q_b[j] = of_h_b[j] + d[j]
            add_product(at(work_b, 2 * units), reset, q_b, units)
        else:
            multiply(q_b, reset, at(seen, b * units), units)


@compiled
def gru_candidate(
    work: Floats, wide: int, h_before: Floats, batch: int, units: int, g: Floats, h: Floats
) -> None:
    """Compute the candidate and h of one step for all series."""
    for b in range(batch):
        old, out, z = at(h_before, b * units), at(h, b * units), at(g, b * 3 * units)
        new = at(z, 2 * units)
        activate(new, at(work, b * wide + 2 * units), False, units)
        for j in range(units):
            out[j] = new[j] + z[j] * (old[j] - new[j])


@kernel
def _gru_forward(
    x: Steps, W: Matrix, R: Matrix, bias: Vector, d: Vector, mask: Matrix, h0: Matrix, after: bool,
    h: Steps, g: Steps, q: Steps, at_once: int, tiles_W: Vector, tiles_zr: Vector,
    tiles_n: Vector, projected: Vector, of_h: Vector, masked_h: Vector,
) -> None:  # fmt: skip
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    pair, size = 2 * units, batch * units
    n_zr, n_n = n_tiles(pair), n_tiles(units)
    # one tile more: the candidate's tiles begin at a column that need not be a tile's first
    wide, wide_h = (n_tiles(columns) + 1) * WIDTH, n_n * WIDTH
    pack(start(W), columns, n_features, 0, columns, start(tiles_W), WIDTH)
    pack(start(R), columns, units, 0, pair, start(tiles_zr), WIDTH)
    pack(start(R), columns, units, pair, columns, start(tiles_n), WIDTH)
    copy(start(h), start(h0), size)
    for t in range(n_steps):
        if t % at_once == 0:
            project(
                at(start(x), t * batch * n_features), min(at_once, n_steps - t) * batch,
                n_features, start(tiles_W), start(bias), columns, start(projected), wide,
            )  # fmt: skip
        work = at(start(projected), t % at_once * batch * wide)
        h_t, g_t, q_t = at(start(h), t * size), at(start(g), t * 3 * size), at(start(q), t * size)
        seen = masked(h_t, start(mask), mask.shape[0] > 0, 1, size, start(masked_h))
        product(seen, units, batch, start(tiles_zr), units, n_zr, work, wide)
        if after:
            zero(start(of_h), batch * wide_h)
            product(seen, units, batch, start(tiles_n), units, n_n, start(of_h), wide_h)
        gru_gates(work, wide, start(of_h), wide_h, start(d), seen, after, batch, units, g_t, q_t)
        if not after:
            product(q_t, units, batch, start(tiles_n), units, n_n, at(work, pair), wide)
        gru_candidate(work, wide, h_t, batch, units, g_t, at(h_t, size))


def gru_forward(
    x: np.ndarray, W: np.ndarray, R: np.ndarray, bias: np.ndarray, d: np.ndarray,
    mask: np.ndarray, h0: np.ndarray, after: bool, h: np.ndarray, g: np.ndarray, q: np.ndarray,
) -> None:  # fmt: skip
    """Compute a sequence of a GRU; fill h, the activations g (z, r, n) and q.

    `after` says whether the reset gate comes after the product with R; `d` is then that of q. The
    equations see h times the mask, where there is one, but for the last, h' = n + z (h - n).
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    at_once = steps_at_once(n_steps, batch, columns)
    sizes = [
        packed_size(n_features, columns), packed_size(units, 2 * units), packed_size(units, units),
        at_once * batch * (padded(columns) + WIDTH), batch * padded(units), batch * units,
    ]  # fmt: skip
    _gru_forward(x, W, R, bias, d, mask, h0, after, h, g, q, at_once, buffers=sizes)


@compiled
def _gru_step_backward(
    g: Floats, q: Floats, h_before: Floats, upstream: Floats, has_upstream: bool, d_h: Floats,
    after: bool, batch: int, units: int, dX: Floats, d_q: Floats,
) -> None:  # fmt: skip
    """Compute dX of one step for all series, but of a reset gate before the product."""
    for b in range(batch):
        z, d_z = at(g, b * 3 * units), at(dX, b * 3 * units)
        r, n, d_r, d_n = at(z, units), at(z, 2 * units), at(d_z, units), at(d_z, 2 * units)
        old, dh = at(h_before, b * units), at(d_h, b * units)
        if has_upstream:
            add(dh, at(upstream, b * units), units)
        for j in range(units):
            d_n[j] = dh[j] * (ONE - z[j]) * (ONE - n[j] * n[j])
        for j in range(units):
            d_z[j] = dh[j] * (old[j] - n[j]) * z[j] * (ONE - z[j])
        if after:
            gate_gradient(d_r, d_n, at(q, b * units), r, units)
            multiply(at(d_q, b * units), d_n, r, units)


@compiled
def _gru_reset_backward(
    g: Floats, h_before: Floats, mask: Floats, is_masked: bool, of_q: Floats, wide: int,
    batch: int, units: int, dX: Floats,
) -> None:  # fmt: skip
    """Compute dX of a reset gate before the product; `of_q` is the gradient of q."""
    for b in range(batch):
        d_r, r = at(dX, (b * 3 + 1) * units), at(g, (b * 3 + 1) * units)
        of_q_b = at(of_q, b * wide)
        if is_masked:
            scale(of_q_b, at(mask, b * units), units)
        gate_gradient(d_r, of_q_b, at(h_before, b * units), r, units)


@compiled
def _gru_state_backward(
    g: Floats, mask: Floats, is_masked: bool, of_q: Floats, work: Floats, wide: int, after: bool,
    batch: int, units: int, d_h: Floats,
) -> None:  # fmt: skip
    """Compute the gradient of h before the step, from those that come through the products."""
    for b in range(batch):
        of_zr, of_q_b, dh = at(work, b * wide), at(of_q, b * wide), at(d_h, b * units)
        z, r = at(g, b * 3 * units), at(g, (b * 3 + 1) * units)
        scale(dh, z, units)
        if after:
            add(of_zr, of_q_b, units)
        if is_masked:
            scale(of_zr, at(mask, b * units), units)
        add(dh, of_zr, units)
        if not after:
            add_product(dh, of_q_b, r, units)


# long: one loop over time; its products share their buffers, which a call for each would hand on
@kernel
def _gru_backward(
    x: Steps, W: Matrix, R: Matrix, mask: Matrix, h: Steps, g: Steps, q: Steps, upstream: Steps,
    last: Matrix, after: bool, first_series: int, dx: Steps, dW: Matrix, dR: Matrix,
    d_bias: Matrix, d_h: Matrix, at_once: int, tiles_W: Vector, tiles_zr: Vector,
    tiles_n: Vector, work: Vector, of_q: Vector, dX: Vector, dQ: Vector, of_x: Vector,
    of_W: Vector, of_R: Vector, packed: Vector, chunk: Vector, masked_h: Vector,
) -> None:  # fmt: skip
    # long, but one loop over time: each part that is cut off is called with a dozen pointers
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    pair, size, is_masked = 2 * units, batch * units, mask.shape[0] > 0
    n, wide = n_tiles(units), n_tiles(units) * WIDTH
    wide_W, wide_R = n_tiles(columns) * WIDTH, (n_tiles(columns) + 1) * WIDTH
    pack_transposed(start(R), columns, units, 0, pair, start(tiles_zr))
    pack_transposed(start(R), columns, units, pair, columns, start(tiles_n))
    if dx.shape[0]:
        pack_transposed(start(W), columns, n_features, 0, columns, start(tiles_W))
    zero(start(of_W), of_W.shape[0])
    zero(start(of_R), of_R.shape[0])
    zero(start(d_bias), 2 * columns)
    copy(start(d_h), start(last), size)
    rows, rows_q = start(dX), start(dQ)  # of a chunk's steps
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        dX_t, dQ_t = at(rows, t % at_once * 3 * size), at(rows_q, t % at_once * size)
        h_t, g_t, q_t = at(start(h), t * size), at(start(g), t * 3 * size), at(start(q), t * size)
        _gru_step_backward(
            g_t, q_t, h_t, at(start(upstream), t * size), upstream.shape[0] > 0, start(d_h), after,
            batch, units, dX_t, dQ_t,
        )  # fmt: skip
        zero(start(of_q), batch * wide)
        if after:
            product(dQ_t, units, batch, start(tiles_n), units, n, start(of_q), wide)
        else:
            product(at(dX_t, pair), columns, batch, start(tiles_n), units, n, start(of_q), wide)
            _gru_reset_backward(
                g_t, h_t, start(mask), is_masked, start(of_q), wide, batch, units, dX_t
            )
        zero(start(work), batch * wide)
        product(dX_t, columns, batch, start(tiles_zr), pair, n, start(work), wide)
        _gru_state_backward(
            g_t, start(mask), is_masked, start(of_q), start(work), wide, after, batch, units,
            start(d_h),
        )  # fmt: skip
        if t % at_once == 0:
            steps, count = end - t, (end - t) * batch
            project_backward(
                at(start(x), t * batch * n_features), rows, steps, batch, n_features, columns,
                start(packed), start(of_W), start(chunk), start(d_bias), start(tiles_W),
                start(of_x), dx.shape[0] > 0,
                at(start(dx), (t * dx.shape[1] + first_series) * n_features), dx.shape[1],
            )  # fmt: skip
            seen = masked(h_t, start(mask), is_masked, steps, size, start(masked_h))
            add_outer(
                seen, units, rows, columns, count, 0, pair, start(packed), start(of_R), wide_R,
                False,
            )  # fmt: skip
            if after:
                add_outer(
                    seen, units, rows_q, units, count, 0, units, start(packed),
                    at(start(of_R), pair), wide_R, True,
                )  # fmt: skip
                d_bias_q = at(start(d_bias), columns + pair)
                sum_rows(rows_q, count, units, start(chunk), d_bias_q)
            else:
                add_outer(
                    q_t, units, rows, columns, count, pair, columns, start(packed),
                    at(start(of_R), pair), wide_R, False,
                )  # fmt: skip
            end = t
    copy(at(start(d_bias), columns), start(d_bias), pair)
    copy_rows(start(dW), columns, start(of_W), wide_W, n_features, columns)
    copy_rows(start(dR), columns, start(of_R), wide_R, units, columns)


def gru_backward(
    x: np.ndarray, W: np.ndarray, R: np.ndarray, mask: np.ndarray, h: np.ndarray, g: np.ndarray,
    q: np.ndarray, upstream: np.ndarray, last: np.ndarray, after: bool, first_series: int,
    dx: np.ndarray, dW: np.ndarray, dR: np.ndarray, d_bias: np.ndarray, d_h: np.ndarray,
) -> None:  # fmt: skip
    """Fill the gradients of the input, of W, R, both rows of bias, and h0.

    From the last step to the first, dX being the gradient of what the activations are taken of::

        dn = dh (1 - z)               dX_n = dn (1 - n^2)
        dX_z = dh (h - n) z (1 - z)
        after:   dq = dX_n r          dX_r = dX_n q r (1 - r)     dh R_n^T of dq
        before:  dq = dX_n R_n^T      dX_r = dq h r (1 - r)       dh gets dq r
        dh' = upstream + dh z + (dX_z, dX_r) R_zr^T + what q gives

    `dx` (time, series, n_features) is filled from the series `first_series` on, or has no steps.
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    at_once = steps_at_once(n_steps, batch, columns)
    count, wanted = at_once * batch, len(dx) > 0
    sizes = [
        packed_size(columns, n_features) * wanted, packed_size(2 * units, units),
        packed_size(units, units), batch * padded(units), batch * padded(units),
        count * columns, count * units, count * padded(n_features) * wanted,
        gradient_size(n_features, columns), gradient_size(units, columns + WIDTH),
        outer_size(count, max(units, n_features), columns), columns,
        count * units * (len(mask) > 0),
    ]  # fmt: skip
    _gru_backward(
        x, W, R, mask, h, g, q, upstream, last, after, first_series, dx, dW, dR, d_bias, d_h,
        at_once, buffers=sizes,
    )  # fmt: skip
