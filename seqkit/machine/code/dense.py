"""A dense layer, there and back."""

from __future__ import annotations

import numpy as np

from seqkit.machine.code.compiling import compiled, single
from seqkit.machine.code.products import (
    n_panels,
    outer,
    panels,
    product,
    room,
    room_for_outer,
    tall_room,
    transposed_panels,
)
from seqkit.machine.code.rows import sum_rows

__all__ = ["dense_backward", "dense_forward"]


@compiled
def dense_forward(x: np.ndarray, W: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
    """Write x W + b; x (rows, depth), W (depth, columns), out (rows, columns)."""
    rows, columns = out.shape
    work = room(rows, n_panels(columns))
    for r in range(rows):
        work[r, :columns] = bias
    product(x.ctypes.data, x.shape[1], 1, panels(W, 0, columns), work, 0)
    out[:] = work[:, :columns]


@compiled
def dense_backward(
    x: np.ndarray, W: np.ndarray, d: np.ndarray, dW: np.ndarray, d_bias: np.ndarray, dx: np.ndarray
) -> None:
    """Fill the gradients from that of the output; `dx` of no rows is not wanted."""
    rows, depth = x.shape
    columns = W.shape[1]
    total = tall_room(depth, n_panels(columns))
    outer(x, d, 0, columns, room_for_outer(rows, depth, columns), total, 0, False, False)
    dW[:] = total[:depth, :columns]
    d_bias[:] = single(0)
    sum_rows(d, np.empty(columns, np.float32), d_bias)
    if dx.shape[0]:
        back = transposed_panels(W, 0, columns)
        work = room(rows, back.shape[0])
        product(d.ctypes.data, columns, 1, back, work, 0)
        dx[:] = work[:, :depth]
