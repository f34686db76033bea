"""The simple recurrent network, forward and backward."""

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
from seqkit.network.cpu.code.rows import ONE, activate, add, copy, copy_rows, scale, zero

__all__ = ["simple_backward", "simple_forward"]


@kernel
def _simple_forward(
    x: Steps, W: Matrix, R: Matrix, bias: Vector, mask: Matrix, h0: Matrix, h: Steps, at_once: int,
    tiles_W: Vector, tiles_R: Vector, projected: Vector, masked_h: Vector,
) -> None:  # fmt: skip
    n_steps, batch, n_features = x.shape
    units = R.shape[0]
    n, wide = n_tiles(units), n_tiles(units) * WIDTH
    pack(start(W), units, n_features, 0, units, start(tiles_W), WIDTH)
    pack(start(R), units, units, 0, units, start(tiles_R), WIDTH)
    copy(start(h), start(h0), batch * units)
    for t in range(n_steps):
        if t % at_once == 0:
            project(
                at(start(x), t * batch * n_features), min(at_once, n_steps - t) * batch,
                n_features, start(tiles_W), start(bias), units, start(projected), wide,
            )  # fmt: skip
        work = at(start(projected), t % at_once * batch * wide)
        h_t = at(start(h), t * batch * units)
        seen = masked(h_t, start(mask), mask.shape[0] > 0, 1, batch * units, start(masked_h))
        product(seen, units, batch, start(tiles_R), units, n, work, wide)
        for b in range(batch):
            activate(at(h_t, (batch + b) * units), at(work, b * wide), False, units)


def simple_forward(
    x: np.ndarray, W: np.ndarray, R: np.ndarray, bias: np.ndarray, mask: np.ndarray,
    h0: np.ndarray, h: np.ndarray,
) -> None:  # fmt: skip
    """Compute a sequence of a simple recurrent network; fill h.

    h_t = tanh(x_t W + b + (h_{t-1} * mask) R)
    """
    n_steps, batch, n_features = x.shape
    units = len(R)
    at_once = steps_at_once(n_steps, batch, units)
    sizes = [packed_size(n_features, units), packed_size(units, units)]
    sizes += [at_once * batch * padded(units), batch * units]
    _simple_forward(x, W, R, bias, mask, h0, h, at_once, buffers=sizes)


@compiled
def _simple_step_backward(
    h: Floats, upstream: Floats, has_upstream: bool, work: Floats, wide: int, batch: int,
    units: int, dA: Floats,
) -> None:  # fmt: skip
    """Compute dA = dh (1 - h^2) of one step; `work` (batch, wide) is dh from the step after."""
    for b in range(batch):
        out, d, dh = at(h, b * units), at(dA, b * units), at(work, b * wide)
        if has_upstream:
            add(dh, at(upstream, b * units), units)
        for j in range(units):
            d[j] = dh[j] * (ONE - out[j] * out[j])


@kernel
def _simple_backward(
    x: Steps, W: Matrix, R: Matrix, mask: Matrix, h: Steps, upstream: Steps, last: Matrix,
    first_series: int, dx: Steps, dW: Matrix, dR: Matrix, d_bias: Vector, d_h: Matrix, at_once: int,
    tiles_W: Vector, tiles_R: Vector, work: Vector, dA: Vector, of_x: Vector, of_W: Vector,
    of_R: Vector, packed: Vector, chunk: Vector, masked_h: Vector,
) -> None:  # fmt: skip
    n_steps, batch, n_features = x.shape
    units = R.shape[0]
    n, wide, size = n_tiles(units), n_tiles(units) * WIDTH, batch * units
    pack_transposed(start(R), units, units, 0, units, start(tiles_R))
    if dx.shape[0]:
        pack_transposed(start(W), units, n_features, 0, units, start(tiles_W))
    zero(start(of_W), of_W.shape[0])
    zero(start(of_R), of_R.shape[0])
    zero(start(d_bias), units)
    copy_rows(start(work), wide, start(last), units, batch, units)
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        rows = start(dA)  # of the chunk's steps
        dA_t = at(rows, t % at_once * size)
        h_t = at(start(h), t * size)
        _simple_step_backward(
            at(h_t, size), at(start(upstream), t * size), upstream.shape[0] > 0, start(work), wide,
            batch, units, dA_t,
        )  # fmt: skip
        zero(start(work), batch * wide)
        product(dA_t, units, batch, start(tiles_R), units, n, start(work), wide)
        for b in range(mask.shape[0]):
            scale(at(start(work), b * wide), at(start(mask), b * units), units)
        if t % at_once == 0:
            steps = end - t
            project_backward(
                at(start(x), t * batch * n_features), rows, steps, batch, n_features, units,
                start(packed), start(of_W), start(chunk), start(d_bias), start(tiles_W),
                start(of_x), dx.shape[0] > 0,
                at(start(dx), (t * dx.shape[1] + first_series) * n_features), dx.shape[1],
            )  # fmt: skip
            seen = masked(h_t, start(mask), mask.shape[0] > 0, steps, size, start(masked_h))
            add_outer(
                seen, units, rows, units, steps * batch, 0, units, start(packed), start(of_R),
                wide, False,
            )  # fmt: skip
            end = t
    copy_rows(start(dW), units, start(of_W), wide, n_features, units)
    copy_rows(start(dR), units, start(of_R), wide, units, units)
    copy_rows(start(d_h), units, start(work), wide, batch, units)


def simple_backward(
    x: np.ndarray, W: np.ndarray, R: np.ndarray, mask: np.ndarray, h: np.ndarray,
    upstream: np.ndarray, last: np.ndarray, first_series: int, dx: np.ndarray, dW: np.ndarray,
    dR: np.ndarray, d_bias: np.ndarray, d_h: np.ndarray,
) -> None:  # fmt: skip
    """Fill the gradients of the input, the weights and h0.

    From the last step to the first, with A = x W + b + (h * mask) R:
    dA_t = dh_t (1 - h_t^2),  dh_{t-1} = upstream_{t-1} + (dA_t R^T) * mask,
    dW = sum x_t^T dA_t,  dR = sum (h_{t-1} * mask)^T dA_t,  db = sum dA_t,  dx_t = dA_t W^T

    `dx` (time, series, n_features) is filled from the series `first_series` on, or has no steps.
    """
    n_steps, batch, n_features = x.shape
    units = len(R)
    at_once = steps_at_once(n_steps, batch, units)
    count, wanted = at_once * batch, len(dx) > 0
    sizes = [
        packed_size(units, n_features) * wanted, packed_size(units, units),
        batch * padded(units), count * units, count * padded(n_features) * wanted,
        gradient_size(n_features, units), gradient_size(units, units),
        outer_size(count, max(units, n_features), units), units, count * units * (len(mask) > 0),
    ]  # fmt: skip
    _simple_backward(
        x, W, R, mask, h, upstream, last, first_series, dx, dW, dR, d_bias, d_h, at_once,
        buffers=sizes,
    )  # fmt: skip
