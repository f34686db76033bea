"""How the cells of each family are handed to compiled kernels, all in NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.cells import Cell, Weights
from seqkit.system.collection import collection_paused

__all__ = ["KernelCalls", "calls_of", "compiled_kernels"]

Array = np.ndarray

FED = ("i", "f", "o")


class KernelCalls(NamedTuple):
    """How the kernels of a family are called for a cell of it; arrays in, arrays filled.

    - ``weights(w)`` are the arrays that stand for the weights, without rows for one that is absent;
    - ``saved(w)`` are, for each array of saved activations, its steps beyond those of the sequence
      and its columns;
    - ``forward(x, w, mask, initial, saved)`` fills those arrays (steps, batch, columns);
    - ``states(saved)`` are the states of all steps in the order of ``cell.states``;
    - ``backward(x, w, mask, saved, upstream, last, first_series, dx, gradients, d_initial)`` fills
      gradients: `dx` of the input from the series `first_series` on (of no steps: not wanted),
      `gradients` of `shapes(w)`, `d_initial` (states, batch, units); `upstream` are those of each
      step's states, `last` those of the last states;
    - ``of_weights(gradients)`` are the `Weights` they make.
    """

    weights: Callable[[Weights], list[Array]]
    saved: Callable[[Sequence[Array]], list[tuple[int, int]]]
    forward: Callable[..., None]
    states: Callable[[Sequence[Array]], list[Array]]
    backward: Callable[..., None]
    shapes: Callable[[Sequence[Array]], list[tuple[int, ...]]]
    of_weights: Callable[[Sequence[Array]], Weights]


@functools.cache
def compiled_kernels() -> Any:
    """Return the kernels; Numba is imported where something is trained, not before."""
    with collection_paused():
        from seqkit.network.cpu import code as kernels
    return kernels


_NOTHING, _NO_STEPS = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)


def _or_nothing(array: Array | None) -> Array:
    return _NOTHING if array is None else array


def _bias(w: Weights) -> Array:
    return np.zeros(w.kernel.shape[1], np.float32) if w.bias is None else w.bias


def _shapes(w: Sequence[Array]) -> list[tuple[int, ...]]:
    return [array.shape for array in w]


def _h(saved: Sequence[Array]) -> list[Array]:
    return [saved[0][1:]]


def _all(gradients: Sequence[Array]) -> Weights:
    return Weights(*gradients)


def _lstm(cell: Cell) -> KernelCalls:
    blocks = tuple(cell.gates.index(k) if k in cell.gates else -1 for k in "ifco")
    seen = tuple(cell.peepholes.index(k) if k in cell.peepholes else -1 for k in FED)
    linear = (cell.input_activation == "linear", cell.output_activation == "linear")
    settings = (blocks, seen, linear, cell.coupled)
    recurrent = bool(cell.gate_recurrence)

    def weights(w: Weights) -> list[Array]:
        more = [_or_nothing(w.peephole_kernel), _or_nothing(w.gate_kernel)]
        return [w.kernel, w.recurrent_kernel, _bias(w), *more]

    def saved(w: Sequence[Array]) -> list[tuple[int, int]]:
        units, columns = w[1].shape
        more = [(1, w[4].shape[1])] if recurrent else []
        return [(1, units), (1, units), (0, columns), *more]

    def forward(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], saved: Sequence[Array]
    ) -> None:
        h0, c0, *gates0 = initial
        first = np.concatenate(gates0, 1) if recurrent else _NOTHING
        gates = saved[3] if recurrent else _NO_STEPS
        compiled_kernels().lstm_forward(x, *w, mask, h0, c0, first, *settings, *saved[:3], gates)

    def backward(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        saved: Sequence[Array],
        upstream: Sequence[Array],
        last: Sequence[Array],
        first_series: int,
        dx: Array,
        gradients: Sequence[Array],
        d_initial: Array,
    ) -> None:
        of_gates, last_gates, d_gates, gates = _NO_STEPS, _NOTHING, _NOTHING, _NO_STEPS
        if recurrent:
            gates, last_gates = saved[3], np.concatenate(last[2:], 1)
            of_gates = np.concatenate(upstream[2:], 2) if upstream[2].size else of_gates
            d_gates = np.empty_like(last_gates)
        compiled_kernels().lstm_backward(
            x, w[0], w[1], w[3], w[4], mask, *saved[:3], gates, *upstream[:2], of_gates,
            *last[:2], last_gates, *settings, first_series, dx, *gradients, *d_initial[:2], d_gates,
        )  # fmt: skip
        for k in range(2, len(d_initial)):
            units = d_initial.shape[2]
            d_initial[k] = d_gates[:, (k - 2) * units : (k - 1) * units]

    def states(saved: Sequence[Array]) -> list[Array]:
        return [saved[0][1:], saved[1][1:], *(np.split(saved[3][1:], 3, 2) if recurrent else ())]

    return KernelCalls(weights, saved, forward, states, backward, _shapes, _all)


def _gru(cell: Cell) -> KernelCalls:
    after = cell.reset == "after"

    def weights(w: Weights) -> list[Array]:
        units = w.recurrent_kernel.shape[0]
        bias, d = _bias(w), np.zeros(units, np.float32)
        if after and w.bias is not None:  # only the candidate's second row is reset
            bias, d = w.bias[0].copy(), w.bias[1, 2 * units :]
            bias[: 2 * units] += w.bias[1, : 2 * units]
        return [w.kernel, w.recurrent_kernel, bias, d]

    def saved(w: Sequence[Array]) -> list[tuple[int, int]]:
        units, columns = w[1].shape
        return [(1, units), (0, columns), (0, units)]

    def forward(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], saved: Sequence[Array]
    ) -> None:
        compiled_kernels().gru_forward(x, *w, mask, initial[0], after, *saved)

    def backward(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        saved: Sequence[Array],
        upstream: Sequence[Array],
        last: Sequence[Array],
        first_series: int,
        dx: Array,
        gradients: Sequence[Array],
        d_initial: Array,
    ) -> None:
        given = [x, w[0], w[1], mask, *saved, upstream[0], last[0]]
        compiled_kernels().gru_backward(*given, after, first_series, dx, *gradients, d_initial[0])

    def shapes(w: Sequence[Array]) -> list[tuple[int, ...]]:
        return [w[0].shape, w[1].shape, (2, w[1].shape[1])]

    def of_weights(gradients: Sequence[Array]) -> Weights:
        dW, dR, db = gradients
        return Weights(dW, dR, db if after else db[0].copy())

    return KernelCalls(weights, saved, forward, _h, backward, shapes, of_weights)


def _simple(cell: Cell) -> KernelCalls:
    def weights(w: Weights) -> list[Array]:
        return [w.kernel, w.recurrent_kernel, _bias(w)]

    def saved(w: Sequence[Array]) -> list[tuple[int, int]]:
        return [(1, w[1].shape[0])]

    def forward(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], saved: Sequence[Array]
    ) -> None:
        compiled_kernels().simple_forward(x, *w, mask, initial[0], *saved)

    def backward(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        saved: Sequence[Array],
        upstream: Sequence[Array],
        last: Sequence[Array],
        first_series: int,
        dx: Array,
        gradients: Sequence[Array],
        d_initial: Array,
    ) -> None:
        given = [x, w[0], w[1], mask, saved[0], upstream[0], last[0]]
        compiled_kernels().simple_backward(*given, first_series, dx, *gradients, d_initial[0])

    return KernelCalls(weights, saved, forward, _h, backward, _shapes, _all)


_FAMILIES = {"lstm": _lstm, "gru": _gru, "simple": _simple}


@functools.lru_cache(maxsize=64)
def calls_of(cell: Cell) -> KernelCalls:
    """Return how the kernels of a cell are called."""
    return _FAMILIES[cell.family](cell)
