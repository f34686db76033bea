"""Training steps by machine code: `seqkit.kernels.machine` as two operations, there and back.

The gradient of the input is left to TensorFlow: nobody asks for that of a first layer, and then it
is not computed. No saved model has any of this: where no gradient is to come, a sequence is
computed by stock operations.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from seqkit.cells import Cell
from seqkit.kernels.reference import Weights

__all__ = ["compiled_sequence"]

Tensor = Any
Array = np.ndarray

_as_written = tf.autograph.experimental.do_not_convert

ALIGNMENT = 64
"""Bytes: arrays that start at a multiple of this are handed to TensorFlow without a copy."""

FEW = 1 << 16
"""Weights below which their gradients are handed over in one array: each array costs some 8
microseconds, cutting one up as much as copying it."""

FED = ("i", "f", "o")


class Scheme(NamedTuple):
    """How the cells of a family are handed to machine code; arrays in, arrays out.

    - ``weights(w)`` are the tensors that stand for the weights, nothing missing;
    - ``run(x, weights, mask, initial) -> kept``, whose first arrays are states with one step more;
    - ``states(kept)`` are the tensors (time, batch, units) in the order of ``cell.states``;
    - ``run_back(x, weights, mask, kept, arriving, carry, dz, found, d_initial)`` fills gradients:
      `dz` of W x + b (time, batch, columns), `found` of `shapes(weights)`, `d_initial` (states,
      batch, units); `arriving` are those of each step's states, `carry` those of the last states;
    - ``gradients(found)`` are the `Weights` they make.
    """

    weights: Callable[[Weights], list[Tensor]]
    n_kept: int
    run: Callable[..., list[Array]]
    states: Callable[[Sequence[Tensor]], list[Tensor]]
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


def _call(function: Callable[..., Any], given: Sequence[Any], n: int) -> list[Tensor]:
    """Return the arrays that a function of arrays gives, as tensors."""
    found = tf.numpy_function(function, given, [tf.float32] * n, stateful=False)
    return list(found) if isinstance(found, list | tuple) else [found]  # eager, of one


def _or_nothing(tensor: Tensor | None, rank: int = 2) -> Tensor:
    return tf.zeros([0] * rank) if tensor is None else tensor


def _bias(w: Weights) -> Tensor:
    return tf.zeros([w.kernel.shape[1]]) if w.bias is None else w.bias


def _shapes(w: Sequence[Any]) -> list[Any]:
    return [t.shape for t in w]


def _lstm(cell: Cell) -> Scheme:
    blocks = tuple(cell.gates.index(k) if k in cell.gates else -1 for k in "ifco")
    seen = tuple(cell.peepholes.index(k) if k in cell.peepholes else -1 for k in FED)
    linear = (cell.input_activation == "linear", cell.output_activation == "linear")
    settings = (blocks, seen, linear, cell.coupled)
    recurrent = bool(cell.gate_recurrence)
    nothing, no_steps = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)

    def weights(w: Weights) -> list[Tensor]:
        more = [_or_nothing(w.peephole_kernel), _or_nothing(w.gate_kernel)]
        return [w.kernel, w.recurrent_kernel, _bias(w), *more]

    def run(x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array]) -> list[Array]:
        from seqkit.kernels import machine

        h0, c0, *gates0 = initial
        h, c = (_room(len(x) + 1, *h0.shape) for _ in range(2))
        g = _room(*x.shape[:2], w[1].shape[1])
        gates = _room(len(h), len(h0), w[4].shape[1]) if recurrent else no_steps
        first = np.concatenate(gates0, 1) if recurrent else nothing
        machine.lstm_forward(x, *w, mask, h0, c0, first, *settings, h, c, g, gates)
        return [h, c, g, gates] if recurrent else [h, c, g]

    def run_back(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        kept: Sequence[Array],
        arriving: Sequence[Array],
        carry: Sequence[Array],
        dz: Array,
        found: Sequence[Array],
        d_initial: Array,
    ) -> None:
        from seqkit.kernels import machine

        coming, last, d_gates, gates = no_steps, nothing, nothing, no_steps
        if recurrent:
            gates, last = kept[3], np.concatenate(carry[2:], 1)
            coming = np.concatenate(arriving[2:], 2) if arriving[2].size else coming
            d_gates = np.empty_like(last)
        machine.lstm_backward(
            x, w[1], w[3], w[4], mask, *kept[:3], gates, *arriving[:2], coming, *carry[:2], last,
            *settings, dz, *found, d_initial[0], d_initial[1], d_gates,
        )  # fmt: skip
        for k in range(2, len(d_initial)):
            units = d_initial.shape[2]
            d_initial[k] = d_gates[:, (k - 2) * units : (k - 1) * units]

    def states(kept: Sequence[Tensor]) -> list[Tensor]:
        return [kept[0][1:], kept[1][1:], *(tf.split(kept[3][1:], 3, 2) if recurrent else ())]

    n_kept = 4 if recurrent else 3
    return Scheme(weights, n_kept, run, states, run_back, _shapes, lambda found: Weights(*found))


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

    def run(x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array]) -> list[Array]:
        from seqkit.kernels import machine

        (h0,) = initial
        h, g = _room(len(x) + 1, *h0.shape), _room(*x.shape[:2], w[1].shape[1])
        q = _room(len(x), *h0.shape)
        machine.gru_forward(x, *w, mask, h0, after, h, g, q)
        return [h, g, q]

    def run_back(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        kept: Sequence[Array],
        arriving: Sequence[Array],
        carry: Sequence[Array],
        dz: Array,
        found: Sequence[Array],
        d_initial: Array,
    ) -> None:
        from seqkit.kernels import machine

        given = [x, w[1], mask, *kept, arriving[0], carry[0]]
        machine.gru_backward(*given, after, dz, *found, d_initial[0])

    def shapes(w: Sequence[Any]) -> list[Any]:
        return [w[0].shape, w[1].shape, (2, w[1].shape[1])]

    def gradients(found: Sequence[Tensor]) -> Weights:
        dW, dR, db = found
        return Weights(dW, dR, db if after else db[0])

    return Scheme(weights, 3, run, lambda kept: [kept[0][1:]], run_back, shapes, gradients)


def _simple(cell: Cell) -> Scheme:
    def weights(w: Weights) -> list[Tensor]:
        return [w.kernel, w.recurrent_kernel, _bias(w)]

    def run(x: Array, w: Sequence[Array], mask: Array, initial: Sequence[Array]) -> list[Array]:
        from seqkit.kernels import machine

        h = _room(len(x) + 1, *initial[0].shape)
        machine.simple_forward(x, *w, mask, initial[0], h)
        return [h]

    def run_back(
        x: Array,
        w: Sequence[Array],
        mask: Array,
        kept: Sequence[Array],
        arriving: Sequence[Array],
        carry: Sequence[Array],
        dz: Array,
        found: Sequence[Array],
        d_initial: Array,
    ) -> None:
        from seqkit.kernels import machine

        given = [x, w[1], mask, kept[0], arriving[0], carry[0]]
        machine.simple_backward(*given, dz, *found, d_initial[0])

    return Scheme(
        weights,
        1,
        run,
        lambda kept: [kept[0][1:]],
        run_back,
        _shapes,
        lambda found: Weights(*found),
    )


SCHEMES = {"lstm": _lstm, "gru": _gru, "simple": _simple}


def compiled_sequence(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    last: bool,
    n_states: int,
    recurrent_mask: Tensor | None = None,
    shards: int = 1,
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
    shards : int, default=1
        In how many parts the batch is computed side by side.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`
    """
    scheme = SCHEMES[cell.family](cell)
    present = [w is not None for w in weights]
    n_initial, units = len(initial), weights.recurrent_kernel.shape[0]

    @tf.custom_gradient
    @_as_written
    def compute(x: Tensor, *tensors: Tensor) -> Any:
        initial, given = tensors[:n_initial], iter(tensors[n_initial:])
        w = Weights(*(next(given) if there else None for there in present))
        dense = scheme.weights(w)
        shapes = [tuple(s) for s in scheme.shapes(dense)]
        together = sum(map(math.prod, shapes)) < FEW
        a, b, c = 1 + len(dense), 2 + len(dense), 2 + len(dense) + scheme.n_kept
        n = tf.shape(x)[1]
        edges = [n * k // shards for k in range(shards + 1)]

        def share(tensor: Tensor, part: int, axis: int) -> Tensor:
            """Return a part of the batch."""
            if shards == 1:
                return tensor
            cut = slice(edges[part], edges[part + 1])
            return tensor[cut] if axis == 0 else tensor[:, cut]

        def run(x: Array, *arrays: Array) -> list[Array]:
            return scheme.run(x, arrays[: a - 1], arrays[a - 1], arrays[b - 1 :])

        def run_back(*arrays: Array) -> list[Array]:
            kept, rest = arrays[b:c], arrays[c:]
            arriving, carry = rest[:n_initial], rest[n_initial:]
            if together:
                found, start, flat = [], 0, np.empty(sum(map(math.prod, shapes)), np.float32)
                for shape in shapes:
                    found.append(flat[start : start + math.prod(shape)].reshape(shape))
                    start += math.prod(shape)
            else:
                found = [_room(*shape) for shape in shapes]
            dz = _room(*arrays[0].shape[:2], arrays[2].shape[1])
            d_initial = _room(n_initial, *carry[0].shape)
            scheme.run_back(
                arrays[0], arrays[1:a], arrays[a], kept, arriving, carry, dz, found, d_initial
            )
            return [*([flat] if together else found), d_initial, dz]

        parts = []
        for part in range(shards):
            mask = None if recurrent_mask is None else share(recurrent_mask, part, 0)
            told = [share(x, part, 1), *dense, _or_nothing(mask)]
            kept = _call(run, [*told, *(share(s, part, 0) for s in initial)], scheme.n_kept)
            for tensor in kept:
                tensor.set_shape([None, None, None])
            parts.append((told, kept))

        @_as_written
        def grad(*upstream: Tensor) -> Any:
            zeros = [tf.zeros_like(s) for s in initial]
            arriving = [] if last else list(upstream)
            carry = [*upstream, *zeros[n_states:]] if last else zeros
            nothing = [_or_nothing(None, 3)] * (n_initial - len(arriving))
            sums, starts, dx = [], [], []
            for part, (told, kept) in enumerate(parts):
                coming = [*(share(d, part, 1) for d in arriving), *nothing]
                ending = [share(d, part, 0) for d in carry]
                given = [*told, *kept, *coming, *ending]
                n_found = 1 if together else len(shapes)
                *found, d_initial, dz = _call(run_back, given, n_found + 2)
                sums.append(found)
                starts.append(d_initial)
                rows = tf.matmul(
                    tf.reshape(dz, [-1, dense[1].shape[1]]), w.kernel, transpose_b=True
                )
                dx.append(tf.reshape(rows, tf.shape(told[0])))
            found = [tf.add_n(parts) for parts in zip(*sums, strict=True)]
            if together:
                found[0].set_shape([sum(map(math.prod, shapes))])
                found = tf.split(found[0], [math.prod(s) for s in shapes])
            shaped = [tf.reshape(d, s) for d, s in zip(found, shapes, strict=True)]
            gradients = scheme.gradients(shaped)
            wanted = [d for d, there in zip(gradients, present, strict=True) if there]
            d_initial = tf.ensure_shape(tf.concat(starts, 1), [n_initial, None, units])
            return (tf.concat(dx, 1), *tf.unstack(d_initial), *wanted)

        of_parts = [scheme.states(kept)[:n_states] for _, kept in parts]
        outputs = []
        for states in zip(*of_parts, strict=True):
            rows = [s[-1] if last else s for s in states]
            out = rows[0] if shards == 1 else tf.concat(rows, 0 if last else 1)
            out.set_shape([*([] if last else [x.shape[0]]), x.shape[1], units])
            outputs.append(out)
        return tuple(outputs), grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
