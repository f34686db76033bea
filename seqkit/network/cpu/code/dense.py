"""A dense layer, forward and backward."""

from __future__ import annotations

import numpy as np

from seqkit.network.cpu.code.compiling import Matrix, Vector, kernel, start
from seqkit.network.cpu.code.products import (
    WIDTH,
    gradient_size,
    n_tiles,
    outer_size,
    pack,
    pack_transposed,
    packed_size,
    padded,
    project,
    project_backward,
)
from seqkit.network.cpu.code.rows import copy_rows, zero

__all__ = ["dense_backward", "dense_forward"]


@kernel
def _dense_forward(
    x: Matrix, W: Matrix, bias: Vector, out: Matrix, tiles: Vector, work: Vector
) -> None:
    rows, columns = out.shape
    depth, wide = x.shape[1], n_tiles(columns) * WIDTH
    pack(start(W), columns, depth, 0, columns, start(tiles), WIDTH)
    project(start(x), rows, depth, start(tiles), start(bias), columns, start(work), wide)
    copy_rows(start(out), columns, start(work), wide, rows, columns)


def dense_forward(x: np.ndarray, W: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
    """Write x W + b; x (rows, depth), W (depth, columns), out (rows, columns)."""
    rows, columns = out.shape
    sizes = [packed_size(*W.shape), rows * padded(columns)]
    _dense_forward(x, W, bias, out, buffers=sizes)


@kernel
def _dense_backward(
    x: Matrix, W: Matrix, d: Matrix, dW: Matrix, d_bias: Vector, dx: Matrix, of_W: Vector,
    packed: Vector, chunk: Vector, tiles: Vector, work: Vector,
) -> None:  # fmt: skip
    rows, depth = x.shape
    columns = W.shape[1]
    zero(start(of_W), of_W.shape[0])
    zero(start(d_bias), columns)
    if dx.shape[0]:
        pack_transposed(start(W), columns, depth, 0, columns, start(tiles))
    project_backward(
        start(x), start(d), 1, rows, depth, columns, start(packed), start(of_W), start(chunk),
        start(d_bias), start(tiles), start(work), dx.shape[0] > 0, start(dx), rows,
    )  # fmt: skip
    copy_rows(start(dW), columns, start(of_W), n_tiles(columns) * WIDTH, depth, columns)


def dense_backward(
    x: np.ndarray, W: np.ndarray, d: np.ndarray, dW: np.ndarray, d_bias: np.ndarray, dx: np.ndarray
) -> None:
    """Fill the gradients from that of the output; `dx` of no rows is not wanted.

    dW = x^T d,  db = sum over rows of d,  dx = d W^T
    """
    rows, depth = x.shape
    columns = W.shape[1]
    sizes = [gradient_size(depth, columns), outer_size(rows, depth, columns), columns]
    wanted = [packed_size(columns, depth), rows * padded(depth)] if len(dx) else [0, 0]
    _dense_backward(x, W, d, dW, d_bias, dx, buffers=[*sizes, *wanted])
