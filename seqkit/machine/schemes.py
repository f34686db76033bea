"""How the cells of each family are handed to machine code, all in NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.cells import Cell, Weights
from seqkit.collection import collection_paused

__all__ = ["Scheme", "code", "scheme_of"]

Array = np.ndarray

FED = ("i", "f", "o")


class Scheme(NamedTuple):
    """How the cells of a family are handed to machine code; arrays in, arrays filled.

    - ``weights(w)`` are the arrays that stand for the weights, without rows for one that is absent;
    - ``kept(w)`` are, for each array that a sequence keeps for its gradient, its steps beyond those
      of the sequence and its columns;
    - ``run(x, w, mask, initial, kept)`` fills those arrays (steps, batch, columns);
    - ``states(kept)`` are the states of all steps in the order of ``cell.states``;
    - ``run_back(x, w, mask, kept, arriving, carry, place, dx, found, d_initial)`` fills gradients:
      `dx` of the input from the series `place` on (of no steps: not wanted), `found` of
      `shapes(w)`, `d_initial` (states, batch, units); `arriving` are those of each step's states,
      `carry` those of the last states;
    - ``gradients(found)`` are the `Weights` they make.
    """

    weights: Callable[[Weights], list[Array]]
    kept: Callable[[Sequence[Array]], list[tuple[int, int]]]
    run: Callable[..., None]
    states: Callable[[Sequence[Array]], list[Array]]
    run_back: Callable[..., None]
    shapes: Callable[[Sequence[Array]], list[tuple[int, ...]]]
    gradients: Callable[[Sequence[Array]], Weights]


@functools.cache
def code() -> Any:
    """Return the machine code; Numba is imported where something is trained, not before."""
    with collection_paused():
        from seqkit.machine import code as found
    return found


_NOTHING, _NO_STEPS = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)


def _or_nothing(array: Array | None) -> Array:
    return _NOTHING if array is None else array


def _bias(w: Weights) -> Array:
    return np.zeros(w.kernel.shape[1], np.float32) if w.bias is None else w.bias


def _shapes(w: Sequence[Array]) -> list[tuple[int, ...]]:
    return [array.shape for array in w]


def _h(kept: Sequence[Array]) -> list[Array]:
    return [kept[0][1:]]


def _all(found: Sequence[Array]) -> Weights:
    return Weights(*found)


def _lstm(cell: Cell) -> Scheme:
    blocks = tuple(cell.gates.index(k) if k in cell.gates else -1 for k in "ifco")
    seen = tuple(cell.peepholes.index(k) if k in cell.peepholes else -1 for k in FED)
    linear = (cell.input_activation == "linear", cell.output_activation == "linear")
    settings = (blocks, seen, linear, cell.coupled)
    recurrent = bool(cell.gate_recurrence)

    def weights(w: Weights) -> list[Array]:
        more = [_or_nothing(w.peephole_kernel), _or_nothing(w.gate_kernel)]
        return [w.kernel, w.recurrent_kernel, _bias(w), *more]

    def kept(w: Sequence[Array]) -> list[tuple[int, int]]:
        units, columns = w[1].shape
        more = [(1, w[4].shape[1])] if recurrent else []
        return [(1, units), (1, units), (0, columns), *more]

    def run(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], kept: Sequence[Array]
    ) -> None:
        h0, c0, *gates0 = initial
        first = np.concatenate(gates0, 1) if recurrent else _NOTHING
        gates = kept[3] if recurrent else _NO_STEPS
        code().lstm_forward(x, *w, mask, h0, c0, first, *settings, *kept[:3], gates)

    def run_back(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        kept: Sequence[Array],
        arriving: Sequence[Array],
        carry: Sequence[Array],
        place: int,
        dx: Array,
        found: Sequence[Array],
        d_initial: Array,
    ) -> None:
        coming, last, d_gates, gates = _NO_STEPS, _NOTHING, _NOTHING, _NO_STEPS
        if recurrent:
            gates, last = kept[3], np.concatenate(carry[2:], 1)
            coming = np.concatenate(arriving[2:], 2) if arriving[2].size else coming
            d_gates = np.empty_like(last)
        code().lstm_backward(
            x, w[0], w[1], w[3], w[4], mask, *kept[:3], gates, *arriving[:2], coming, *carry[:2],
            last, *settings, place, dx, *found, d_initial[0], d_initial[1], d_gates,
        )  # fmt: skip
        for k in range(2, len(d_initial)):
            units = d_initial.shape[2]
            d_initial[k] = d_gates[:, (k - 2) * units : (k - 1) * units]

    def states(kept: Sequence[Array]) -> list[Array]:
        return [kept[0][1:], kept[1][1:], *(np.split(kept[3][1:], 3, 2) if recurrent else ())]

    return Scheme(weights, kept, run, states, run_back, _shapes, _all)


def _gru(cell: Cell) -> Scheme:
    after = cell.reset == "after"

    def weights(w: Weights) -> list[Array]:
        units = w.recurrent_kernel.shape[0]
        bias, d = _bias(w), np.zeros(units, np.float32)
        if after and w.bias is not None:  # only the candidate's second row is reset
            bias, d = w.bias[0].copy(), w.bias[1, 2 * units :]
            bias[: 2 * units] += w.bias[1, : 2 * units]
        return [w.kernel, w.recurrent_kernel, bias, d]

    def kept(w: Sequence[Array]) -> list[tuple[int, int]]:
        units, columns = w[1].shape
        return [(1, units), (0, columns), (0, units)]

    def run(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], kept: Sequence[Array]
    ) -> None:
        code().gru_forward(x, *w, mask, initial[0], after, *kept)

    def run_back(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        kept: Sequence[Array],
        arriving: Sequence[Array],
        carry: Sequence[Array],
        place: int,
        dx: Array,
        found: Sequence[Array],
        d_initial: Array,
    ) -> None:
        given = [x, w[0], w[1], mask, *kept, arriving[0], carry[0]]
        code().gru_backward(*given, after, place, dx, *found, d_initial[0])

    def shapes(w: Sequence[Array]) -> list[tuple[int, ...]]:
        return [w[0].shape, w[1].shape, (2, w[1].shape[1])]

    def gradients(found: Sequence[Array]) -> Weights:
        dW, dR, db = found
        return Weights(dW, dR, db if after else db[0].copy())

    return Scheme(weights, kept, run, _h, run_back, shapes, gradients)


def _simple(cell: Cell) -> Scheme:
    def weights(w: Weights) -> list[Array]:
        return [w.kernel, w.recurrent_kernel, _bias(w)]

    def kept(w: Sequence[Array]) -> list[tuple[int, int]]:
        return [(1, w[1].shape[0])]

    def run(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], kept: Sequence[Array]
    ) -> None:
        code().simple_forward(x, *w, mask, initial[0], *kept)

    def run_back(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        kept: Sequence[Array],
        arriving: Sequence[Array],
        carry: Sequence[Array],
        place: int,
        dx: Array,
        found: Sequence[Array],
        d_initial: Array,
    ) -> None:
        given = [x, w[0], w[1], mask, kept[0], arriving[0], carry[0]]
        code().simple_backward(*given, place, dx, *found, d_initial[0])

    return Scheme(weights, kept, run, _h, run_back, _shapes, _all)


_SCHEMES = {"lstm": _lstm, "gru": _gru, "simple": _simple}


@functools.lru_cache(maxsize=64)
def scheme_of(cell: Cell) -> Scheme:
    """Return the scheme of a cell."""
    return _SCHEMES[cell.family](cell)
