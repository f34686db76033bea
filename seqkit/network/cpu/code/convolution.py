"""A convolution over time, forward and backward.

The steps that an output sees lie side by side in memory, so that a series *is* the matrix whose
rows a product takes: from one row to the next are `stride * features` floats, and rows overlap.
Nothing is unfolded, neither forward nor for the weights' gradient::

    x   | x0 | x1 | x2 | x3 | x4 |        kernel of 3, stride 1
    row 0 ------------
    row 1      ------------
    row 2           ------------
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
    add_across,
    n_tiles,
    pack,
    pack_transposed,
    packed_size,
    padded,
    product,
)
from seqkit.network.cpu.code.rows import add, copy_rows, zero

__all__ = ["convolution_backward", "convolution_forward"]


@kernel
def _convolution_forward(
    x: Steps, W: Matrix, bias: Vector, stride: int, out: Steps, tiles: Vector, work: Vector
) -> None:
    n, n_steps, columns = out.shape
    row, depth, wide = stride * x.shape[2], W.shape[0], n_tiles(columns) * WIDTH
    pack(start(W), columns, depth, 0, columns, start(tiles), WIDTH)
    for i in range(n):
        own, sums = at(start(out), i * n_steps * columns), start(work)
        if wide == columns:  # whole tiles: added up where they stay
            sums = own
        zero(sums, n_steps * wide)
        copy_rows(sums, wide, start(bias), 0, n_steps, columns)
        series = at(start(x), i * x.shape[1] * x.shape[2])
        product(series, row, n_steps, start(tiles), depth, n_tiles(columns), sums, wide)
        if wide != columns:
            copy_rows(own, columns, sums, wide, n_steps, columns)


def convolution_forward(
    x: np.ndarray, W: np.ndarray, bias: np.ndarray, stride: int, out: np.ndarray
) -> None:
    """Write out[t] = b + sum over k of x[t * stride + k] W[k].

    x (batch, time, features) with whatever pads it, W (kernel_size * features, columns), out
    (batch, n_steps, columns).
    """
    sizes = [packed_size(*W.shape), out.shape[1] * padded(W.shape[1])]
    _convolution_forward(x, W, bias, stride, out, buffers=sizes)


@compiled
def _add_steps(dx: Floats, row: int, of_rows: Floats, wide: int, n_steps: int, depth: int) -> None:
    """Add the gradient of every row of the matrix to the steps that it is made of."""
    for t in range(n_steps):
        add(at(dx, t * row), at(of_rows, t * wide), depth)


@kernel
def _convolution_backward(
    x: Steps, W: Matrix, stride: int, d: Steps, dW: Matrix, d_bias: Vector, dx: Steps,
    of_W: Vector, tiles: Vector, tiles_of_W: Vector, work: Vector,
) -> None:  # fmt: skip
    n, n_steps, columns = d.shape
    row, size, depth = stride * x.shape[2], x.shape[1] * x.shape[2], W.shape[0]
    wide, wide_depth, wants_input = (
        n_tiles(columns) * WIDTH,
        n_tiles(depth) * WIDTH,
        dx.shape[0] > 0,
    )
    zero(start(of_W), depth * wide)
    zero(start(d_bias), columns)
    if wants_input:
        zero(start(dx), n * size)
        pack_transposed(start(W), columns, depth, 0, columns, start(tiles_of_W))
    for i in range(n):
        series, own = at(start(x), i * size), at(start(d), i * n_steps * columns)
        pack(own, columns, n_steps, 0, columns, start(tiles), WIDTH)
        add_across(series, row, depth, start(tiles), n_steps, n_tiles(columns), start(of_W), wide)
        for t in range(n_steps):
            add(start(d_bias), at(own, t * columns), columns)
        if wants_input:
            zero(start(work), n_steps * wide_depth)
            product(
                own, columns, n_steps, start(tiles_of_W), columns, n_tiles(depth), start(work),
                wide_depth,
            )  # fmt: skip
            _add_steps(at(start(dx), i * size), row, start(work), wide_depth, n_steps, depth)
    copy_rows(start(dW), columns, start(of_W), wide, depth, columns)


def convolution_backward(
    x: np.ndarray, W: np.ndarray, stride: int, d: np.ndarray, dW: np.ndarray, d_bias: np.ndarray,
    dx: np.ndarray,
) -> None:  # fmt: skip
    """Fill the gradients from that of the output; `dx` of no series is not wanted.

    dW[k] = sum over t of x[t * stride + k]^T d[t],  db = sum over t of d[t],
    dx[s] = sum over t and k with t * stride + k = s of d[t] W[k]^T
    """
    (depth, columns), n_steps = W.shape, d.shape[1]
    sizes = [depth * padded(columns), n_steps * padded(columns)]
    wanted = [packed_size(columns, depth), n_steps * padded(depth)] if len(dx) else [0, 0]
    _convolution_backward(x, W, stride, d, dW, d_bias, dx, buffers=[*sizes, *wanted])
