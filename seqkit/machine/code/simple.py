"""The simple recurrent network, there and back."""

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
    block,
    masked,
    scale,
    sum_rows,
)

__all__ = ["simple_backward", "simple_forward"]


@compiled
def _simple_step(work: np.ndarray, h: np.ndarray) -> None:
    work, h = bare(work), bare(h)
    for b in range(h.shape[0]):
        activate(h[b], block(work[b], 0, h.shape[1]), False)


@compiled
def _simple_step_back(
    h: np.ndarray, arriving: np.ndarray, work: np.ndarray, dA: np.ndarray
) -> None:
    h, arriving, work, dA = bare(h), bare(arriving), bare(work), bare(dA)
    for b in range(h.shape[0]):
        out, d, dh = h[b], dA[b], block(work[b], 0, h.shape[1])
        if arriving.shape[0]:
            add(dh, arriving[0, b])
        for j in range(d.shape[0]):
            d[j] = dh[j] * (single(1) - out[j] * out[j])


@compiled
def simple_forward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    bias: np.ndarray,
    mask: np.ndarray,
    h0: np.ndarray,
    h: np.ndarray,
) -> None:
    """Compute a sequence of a simple recurrent network; fill h."""
    n_steps, batch, _ = x.shape
    units = R.shape[0]
    panels_W, panels_R = panels(W, 0, units), panels(R, 0, units)
    at_once = steps_at_once(batch, units)
    ahead = room(at_once * batch, n_panels(units))
    hm = np.empty_like(h0)
    h[0] = h0
    for t in range(n_steps):
        first = t % at_once * batch
        if first == 0:
            project(x, t, panels_W, bias, ahead[: min(at_once, n_steps - t) * batch])
        work = ahead[first : first + batch]
        product(masked(h[t], mask, hm), units, 1, panels_R, work, 0)
        _simple_step(work, h[t + 1])


@compiled
def simple_backward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    mask: np.ndarray,
    h: np.ndarray,
    arriving: np.ndarray,
    last: np.ndarray,
    place: int,
    dx: np.ndarray,
    dW: np.ndarray,
    dR: np.ndarray,
    d_bias: np.ndarray,
    d_h: np.ndarray,
) -> None:
    """Fill the gradients of the input, the weights and h0.

    `dx` (time, series, n_features) is filled for the series from `place` on, or has no steps.
    """
    n_steps, batch, n_features = x.shape
    units = R.shape[0]
    back = transposed_panels(R, 0, units)
    work = room(batch, back.shape[0])
    at_once = steps_at_once(batch, units)
    memory = room_for_outer(at_once * batch, max(units, n_features), units)
    dA = np.empty((at_once, batch, units), np.float32)  # gradient of W x + b, a chunk of it
    back_W = transposed_panels(W, 0, units if dx.shape[0] else 0)
    of_x = room(at_once * batch if dx.shape[0] else 0, back_W.shape[0])
    of_W, of_R = tall_room(n_features, n_panels(units)), tall_room(units, n_panels(units))
    chunk = np.empty(units, np.float32)
    d_bias[:] = single(0)
    work[:, :units] = last
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        dA_t = dA[t % at_once]
        _simple_step_back(h[t + 1], arriving[t : t + 1], work, dA_t)
        work[:] = single(0)
        product(dA_t.ctypes.data, units, 1, back, work, 0)
        for b in range(mask.shape[0]):
            scale(block(work[b], 0, units), mask[b])
        if t % at_once == 0:
            rows = rows_of(dA[: end - t])
            input_gradient(rows, back_W, of_x, batch, t, place, dx)
            outer(rows_of(x[t:end]), rows, 0, units, memory, of_W, 0, False, False)
            outer(rows_of(all_masked(h[t:end], mask)), rows, 0, units, memory, of_R, 0, False, True)
            sum_rows(rows, chunk, d_bias)
            end = t
    dW[:] = of_W[:n_features, :units]
    dR[:] = of_R[:units, :units]
    d_h[:] = work[:, :units]
