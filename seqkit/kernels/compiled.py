"""Training steps by machine code: `seqkit.kernels.machine` as two operations, there and back.

One operation computes a whole batch, parts of it side by side in threads of their own. No saved
model has any of this: where no gradient is to come, a sequence is computed by stock operations.
"""

from __future__ import annotations

import functools
import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from seqkit.cells import Cell
from seqkit.collection import collection_paused
from seqkit.kernels.reference import Weights

__all__ = ["compiled_sequence", "is_ready", "only_watched"]

Tensor = Any
Array = np.ndarray

_as_written = tf.autograph.experimental.do_not_convert

ALIGNMENT = 64
"""Bytes: arrays that start at a multiple of this are handed to TensorFlow without a copy."""

FED = ("i", "f", "o")


class Scheme(NamedTuple):
    """How the cells of a family are handed to machine code; arrays in, arrays filled.

    - ``weights(w)`` are the tensors that stand for the weights, or the rank of one that is absent;
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

    weights: Callable[[Weights], list[Tensor]]
    kept: Callable[[Sequence[Any]], list[tuple[int, int]]]
    run: Callable[..., None]
    states: Callable[[Sequence[Array]], list[Array]]
    run_back: Callable[..., None]
    shapes: Callable[[Sequence[Any]], list[Any]]
    gradients: Callable[[Sequence[Tensor]], Weights]


class Memory:
    """Blocks of memory to be used again: new ones cost a page fault every 4 kB, each step.

    A block is given back when the array on it ends, which may be at any time and in any thread.
    """

    BYTES = 1 << 29
    """Kept at most while nobody uses them, the last used."""

    SMALL = 1 << 13
    """Floats below which an array is not worth the trouble."""

    def __init__(self) -> None:
        self._lent: dict[int, tuple[Any, Array]] = {}
        self._idle: OrderedDict[int, list[Array]] = OrderedDict()  # by size
        self._bytes = 0
        self._lock = threading.RLock()

    def room(self, *shape: int) -> Array:
        """Return an uninitialised array that TensorFlow takes over as it is."""
        n = math.prod(shape)
        if n < self.SMALL:
            return np.empty(shape, np.float32)
        block = self._take(n + ALIGNMENT // 4)
        first = -block.ctypes.data % ALIGNMENT // 4
        found = block[first : first + n].reshape(shape)
        end = weakref.ref(found, self._give)
        self._lent[id(end)] = end, block
        return found

    def _take(self, size: int) -> Array:
        with self._lock:
            if blocks := self._idle.get(size):
                self._bytes -= 4 * size
                return blocks.pop()
        return np.empty(size, np.float32)

    def _give(self, end: Any) -> None:
        _, block = self._lent.pop(id(end))
        with self._lock:
            self._idle.setdefault(block.size, []).append(block)
            self._idle.move_to_end(block.size)
            self._bytes += block.nbytes
            while self._bytes > self.BYTES:
                size, blocks = next(iter(self._idle.items()))
                if blocks:
                    self._bytes -= blocks.pop().nbytes
                else:
                    del self._idle[size]


_room = Memory().room


@functools.cache
def _machine() -> Any:
    """Return the machine code; Numba is imported where something is trained, not before."""
    with collection_paused():
        from seqkit.kernels import machine
    return machine


def is_ready(cell: Cell) -> bool:
    """Return whether a cell's machine code was made before: that takes some 15 seconds, once."""
    _machine()
    from seqkit.kernels.machine.compiling import is_compiled

    return is_compiled(cell.family)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="seqkit")


def _side_by_side(function: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> list[Any]:
    """Return what a function gives for each list of arguments; the first in this very thread."""
    with collection_paused():  # machine code may be loaded
        others = [_threads().submit(function, *arguments) for arguments in calls[1:]]
        return [function(*calls[0]), *(other.result() for other in others)]


def _parts(batch: int, n: int) -> list[tuple[int, int, int]]:
    """Return number, start and stop of each of n parts of a batch."""
    return [(k, batch * k // n, batch * (k + 1) // n) for k in range(n)]


def _call(function: Callable[..., Any], given: Sequence[Any], n: int) -> list[Tensor]:
    """Return the n arrays that a function of arrays gives, as tensors.

    For a number among `given`, the function is given an array of that rank with nothing in it.
    """
    nothing = {
        k: np.zeros([0] * rank, np.float32) for k, rank in enumerate(given) if isinstance(rank, int)
    }

    def filled(*arrays: Array) -> list[Array]:
        here = iter(arrays)
        return function(*[nothing[k] if k in nothing else next(here) for k in range(len(given))])

    present = [tensor for k, tensor in enumerate(given) if k not in nothing]
    found = tf.numpy_function(filled, present, [tf.float32] * n, stateful=False)
    return list(found) if isinstance(found, list | tuple) else [found]  # eager, of one


def _part(array: Array, start: int, stop: int) -> Array:
    """Return some series of an array (time, batch, ...), one after the other."""
    return np.ascontiguousarray(array[:, start:stop])


def _cut(flat: Array, shapes: Sequence[tuple[int, ...]], start: int = 0) -> list[Array]:
    """Return arrays of these shapes, which lie one after the other in a flat one."""
    found = []
    for shape in shapes:
        stop = start + math.prod(shape)
        found.append(flat[start:stop].reshape(shape))
        start = stop
    return found


_GRAPH: ContextVar[Any] = ContextVar("graph whose tapes alone ask for gradients", default=None)


@contextmanager
def only_watched() -> Iterator[None]:
    """Promise that in this graph gradients are asked for of what a tape watches by now, only.

    Those of other inputs are then not computed. In general nobody knows: the tape may be outside
    of a function or a loop that is being traced.
    """
    token = _GRAPH.set(tf.compat.v1.get_default_graph())
    try:
        yield
    finally:
        _GRAPH.reset(token)


def _is_asked_for(x: Tensor) -> bool:
    """Return whether the gradient of an input may be asked for."""
    promised = not tf.executing_eagerly() and _GRAPH.get() is tf.compat.v1.get_default_graph()
    return not promised or record.should_record_backprop([x])


def _or_rank(tensor: Tensor | None, rank: int = 2) -> Any:
    """Return the tensor, or the rank of the one that is absent."""
    return rank if tensor is None else tensor


def _bias(w: Weights) -> Tensor:
    return tf.zeros([w.kernel.shape[1]]) if w.bias is None else w.bias


def _shapes(w: Sequence[Any]) -> list[Any]:
    return [(0,) * t if isinstance(t, int) else t.shape for t in w]


def _h(kept: Sequence[Array]) -> list[Array]:
    return [kept[0][1:]]


def _lstm(cell: Cell) -> Scheme:
    blocks = tuple(cell.gates.index(k) if k in cell.gates else -1 for k in "ifco")
    seen = tuple(cell.peepholes.index(k) if k in cell.peepholes else -1 for k in FED)
    linear = (cell.input_activation == "linear", cell.output_activation == "linear")
    settings = (blocks, seen, linear, cell.coupled)
    recurrent = bool(cell.gate_recurrence)
    nothing, no_steps = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)

    def weights(w: Weights) -> list[Tensor]:
        more = [_or_rank(w.peephole_kernel), _or_rank(w.gate_kernel)]
        return [w.kernel, w.recurrent_kernel, _bias(w), *more]

    def kept(w: Sequence[Any]) -> list[tuple[int, int]]:
        units, columns = w[1].shape
        more = [(1, w[4].shape[1])] if recurrent else []
        return [(1, units), (1, units), (0, columns), *more]

    def run(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], kept: Sequence[Array]
    ) -> None:
        h0, c0, *gates0 = initial
        first = np.concatenate(gates0, 1) if recurrent else nothing
        gates = kept[3] if recurrent else no_steps
        _machine().lstm_forward(x, *w, mask, h0, c0, first, *settings, *kept[:3], gates)

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
        coming, last, d_gates, gates = no_steps, nothing, nothing, no_steps
        if recurrent:
            gates, last = kept[3], np.concatenate(carry[2:], 1)
            coming = np.concatenate(arriving[2:], 2) if arriving[2].size else coming
            d_gates = np.empty_like(last)
        _machine().lstm_backward(
            x, w[0], w[1], w[3], w[4], mask, *kept[:3], gates, *arriving[:2], coming, *carry[:2],
            last, *settings, place, dx, *found, d_initial[0], d_initial[1], d_gates,
        )  # fmt: skip
        for k in range(2, len(d_initial)):
            units = d_initial.shape[2]
            d_initial[k] = d_gates[:, (k - 2) * units : (k - 1) * units]

    def states(kept: Sequence[Array]) -> list[Array]:
        return [kept[0][1:], kept[1][1:], *(np.split(kept[3][1:], 3, 2) if recurrent else ())]

    return Scheme(
        weights, kept, run, states, run_back, _shapes, lambda found: Weights(*found)
    )  # fmt: skip


def _gru(cell: Cell) -> Scheme:
    after = cell.reset == "after"

    def weights(w: Weights) -> list[Tensor]:
        units = w.recurrent_kernel.shape[0]
        bias, d = _bias(w), tf.zeros([units])
        if after and w.bias is not None:  # only the candidate's second row is reset
            first, second = tf.split(w.bias[0], [2 * units, units])
            pair, d = tf.split(w.bias[1], [2 * units, units])
            bias = tf.concat([first + pair, second], 0)
        return [w.kernel, w.recurrent_kernel, bias, d]

    def kept(w: Sequence[Any]) -> list[tuple[int, int]]:
        units, columns = w[1].shape
        return [(1, units), (0, columns), (0, units)]

    def run(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], kept: Sequence[Array]
    ) -> None:
        _machine().gru_forward(x, *w, mask, initial[0], after, *kept)

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
        _machine().gru_backward(*given, after, place, dx, *found, d_initial[0])

    def shapes(w: Sequence[Any]) -> list[Any]:
        return [w[0].shape, w[1].shape, (2, w[1].shape[1])]

    def gradients(found: Sequence[Tensor]) -> Weights:
        dW, dR, db = found
        return Weights(dW, dR, db if after else db[0])

    return Scheme(weights, kept, run, _h, run_back, shapes, gradients)


def _simple(cell: Cell) -> Scheme:
    def weights(w: Weights) -> list[Tensor]:
        return [w.kernel, w.recurrent_kernel, _bias(w)]

    def kept(w: Sequence[Any]) -> list[tuple[int, int]]:
        return [(1, w[1].shape[0])]

    def run(
        x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array], kept: Sequence[Array]
    ) -> None:
        _machine().simple_forward(x, *w, mask, initial[0], *kept)

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
        _machine().simple_backward(*given, place, dx, *found, d_initial[0])

    return Scheme(weights, kept, run, _h, run_back, _shapes, lambda found: Weights(*found))


SCHEMES = {"lstm": _lstm, "gru": _gru, "simple": _simple}


def compiled_sequence(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    last: bool,
    n_states: int,
    recurrent_mask: Tensor | None = None,
    shards: Callable[[int, int], int] = lambda batch, n_steps: 1,
) -> tuple[Tensor, ...]:
    """Compute a sequence of any cell in float32, by machine code.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (time, batch, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)
    last : bool
        Whether only the last step is wanted.
    n_states : int
        How many of the cell's states are wanted, in its order: 1, or all.
    recurrent_mask : tensor of shape (batch, units), optional
        A constant: no gradient goes to it.
    shards : callable, optional
        In how many parts a batch is computed side by side, by its size and number of steps.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`
    """
    scheme = SCHEMES[cell.family](cell)
    present = [w is not None for w in weights]
    n_initial, units = len(initial), weights.recurrent_kernel.shape[0]
    asked = _is_asked_for(x)

    @tf.custom_gradient
    @_as_written
    def compute(x: Tensor, *tensors: Tensor) -> Any:
        initial, given = tensors[:n_initial], iter(tensors[n_initial:])
        w = Weights(*(next(given) if there else None for there in present))
        dense = scheme.weights(w)
        shapes = [tuple(s) for s in scheme.shapes(dense)]
        sizes, n_dense = [math.prod(s) for s in shapes], len(dense)
        told = [x, *dense, _or_rank(recurrent_mask), *initial]
        keeps = scheme.kept(dense)

        def of_part(kept: Array, n_steps: int, start: int, stop: int) -> list[Array]:
            """Return what a part of the batch keeps: parts lie one after the other."""
            place = start * sum((n_steps + more) * n for more, n in keeps)
            return _cut(kept, [(n_steps + more, stop - start, n) for more, n in keeps], place)

        def run(x: Array, *arrays: Array) -> list[Array]:
            w, mask, initial = arrays[:n_dense], arrays[n_dense], arrays[n_dense + 1 :]
            n_steps, batch, _ = x.shape
            kept = _room(batch * sum((n_steps + more) * n for more, n in keeps))
            shape = (batch, units) if last else (n_steps, batch, units)
            out = [_room(*shape) for _ in range(n_states)]

            def part(_: int, start: int, stop: int) -> None:
                seen, found = slice(start, stop), of_part(kept, n_steps, start, stop)
                masked = mask[seen] if len(mask) else mask
                scheme.run(_part(x, start, stop), w, masked, [s[seen] for s in initial], found)
                for whole, state in zip(out, scheme.states(found), strict=False):
                    if last:
                        whole[seen] = state[-1]
                    else:
                        whole[:, seen] = state

            _side_by_side(part, _parts(batch, shards(batch, n_steps)))
            return [*out, kept]

        def run_back(x: Array, *arrays: Array) -> list[Array]:
            w, both = arrays[:n_dense], arrays[n_dense + 2 :]
            mask, kept = arrays[n_dense : n_dense + 2]
            n_steps, batch, _ = x.shape
            arriving = both[:n_initial]
            carry = [
                d if len(d) else np.zeros((batch, units), np.float32) for d in both[n_initial:]
            ]
            parts = _parts(batch, shards(batch, n_steps))
            found = [_room(sum(sizes)) for _ in parts]
            d_initial = _room(n_initial, batch, units)
            dx = _room(*x.shape) if asked else np.empty((0, 0, 0), np.float32)

            def part(k: int, start: int, stop: int) -> None:
                seen = slice(start, stop)
                d_first = np.empty((n_initial, stop - start, units), np.float32)
                scheme.run_back(
                    _part(x, start, stop),
                    w,
                    mask[seen] if len(mask) else mask,
                    of_part(kept, n_steps, start, stop),
                    [_part(d, start, stop) for d in arriving],
                    [d[seen] for d in carry],
                    start,
                    dx,
                    _cut(found[k], shapes),
                    d_first,
                )
                d_initial[:, seen] = d_first

            _side_by_side(part, parts)
            for more in found[1:]:
                found[0] += more
            return [found[0], d_initial, *([dx] if asked else [])]

        *out, kept = _call(run, told, n_states + 1)
        for tensor in out:
            tensor.set_shape([*([] if last else [x.shape[0]]), x.shape[1], units])
        kept.set_shape([None])

        @_as_written
        def grad(*upstream: Tensor) -> Any:
            absent = [2] * (n_initial - n_states)
            each = [3] * n_initial if last else [*upstream, *(3 for _ in absent)]
            ends = [*upstream, *absent] if last else [2] * n_initial
            given = [*told[: n_dense + 2], kept, *each, *ends]  # but the initial states
            together, d_initial, *dx = _call(run_back, given, 3 if asked else 2)
            together.set_shape([sum(sizes)])
            d_initial.set_shape([n_initial, x.shape[1], units])
            for tensor in dx:
                tensor.set_shape(x.shape)
            found = [
                tf.reshape(d, s) for d, s in zip(tf.split(together, sizes), shapes, strict=True)
            ]
            gradients = scheme.gradients(found)
            wanted = [d for d, there in zip(gradients, present, strict=True) if there]
            return (dx[0] if asked else None, *tf.unstack(d_initial), *wanted)

        return tuple(out), grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
