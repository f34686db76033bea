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

FED = ("i", "f", "o")


class Scheme(NamedTuple):
    """A sequence in three functions of tensors.

    - ``forward(w, x, mask, initial) -> kept``;
    - ``states(kept) -> list`` of (time, batch, units) in the order of ``cell.states``;
    - ``backward(w, x, mask, initial, kept, arriving, carry) -> dz, initial states', weights'``
      gradients, dz of W x + b (time, batch, columns), `arriving` those of the states at every
      step, `carry` those of the last states.
    """

    forward: Callable[..., Any]
    states: Callable[..., Any]
    backward: Callable[..., Any]


class Memory:
    """Blocks of memory to be used again: new ones cost a page fault every 4 kB, each step.

    A block is given back when the array on it ends, which may be at any time and in any thread.
    """

    BYTES = 1 << 27
    """Kept at most while nobody uses them, the last used."""

    SMALL = 1 << 13
    """Floats below which an array is not worth the trouble."""

    def __init__(self) -> None:
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
        weakref.finalize(found, self._give, block).atexit = False
        return found

    def _take(self, size: int) -> Array:
        with self._lock:
            if blocks := self._idle.get(size):
                self._bytes -= 4 * size
                return blocks.pop()
        return np.empty(size, np.float32)

    def _give(self, block: Array) -> None:
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


def _call(function: Callable[..., Any], given: Sequence[Any], shapes: Sequence[Any]) -> Any:
    """Return the arrays that a function of arrays gives, as tensors of these shapes."""
    found = tf.numpy_function(function, given, [tf.float32] * len(shapes), stateful=False)
    found = found if isinstance(found, list | tuple) else [found]  # eager, of one
    for tensor, shape in zip(found, shapes, strict=True):
        tensor.set_shape(shape)
    return found


def _or_nothing(tensor: Tensor | None, rank: int = 2) -> Tensor:
    return tf.zeros([0] * rank) if tensor is None else tensor


def _bias(w: Weights) -> Tensor:
    return tf.zeros([w.kernel.shape[1]]) if w.bias is None else w.bias


def _kept_shape(x: Tensor, initial: Sequence[Tensor]) -> list[Any]:
    """Return the shape of a state of every step and before the first."""
    n_steps = x.shape[0]
    return [None if n_steps is None else n_steps + 1, *initial[0].shape]


def _lstm(cell: Cell) -> Scheme:
    blocks = tuple(cell.gates.index(k) if k in cell.gates else -1 for k in "ifco")
    seen = tuple(cell.peepholes.index(k) if k in cell.peepholes else -1 for k in FED)
    linear = (cell.input_activation == "linear", cell.output_activation == "linear")
    settings = (blocks, seen, linear, cell.coupled)
    recurrent = bool(cell.gate_recurrence)

    def run(x: Array, *given: Array) -> list[Array]:
        from seqkit.kernels import machine

        *weights, mask, h0, c0, gates0 = given
        h, c = (_room(len(x) + 1, *h0.shape) for _ in range(2))
        g = _room(*x.shape[:2], weights[1].shape[1])
        gates = _room(len(h) if recurrent else 0, len(h0), gates0.shape[1])
        machine.lstm_forward(x, *weights, mask, h0, c0, gates0, *settings, h, c, g, gates)
        return [h, c, g, gates]

    def run_back(x: Array, R: Array, P: Array, G: Array, mask: Array, *given: Array) -> list[Array]:
        from seqkit.kernels import machine

        h = given[0]
        dA, d_h, d_c = (_room(*shape) for shape in (given[2].shape, h.shape[1:], h.shape[1:]))
        found = [_room(x.shape[2], R.shape[1]), _room(*R.shape), _room(R.shape[1])]
        found += [_room(*P.shape), _room(*G.shape), d_h, d_c, _room(*given[-1].shape)]
        machine.lstm_backward(x, R, P, G, mask, *given, *settings, dA, *found)
        return [dA, *found]

    def side(gates: Sequence[Tensor], axis: int) -> Tensor:
        """Return the recurrent gates side by side."""
        return tf.concat(gates, axis) if gates else tf.zeros([0] * (axis + 1))

    def forward(w: Weights, x: Tensor, mask: Tensor | None, initial: Sequence[Tensor]) -> Any:
        peepholes, G = _or_nothing(w.peephole_kernel), _or_nothing(w.gate_kernel)
        given = [x, w.kernel, w.recurrent_kernel, _bias(w), peepholes, G, _or_nothing(mask)]
        kept = _kept_shape(x, initial)
        of_gates = [*kept[:2], 3 * kept[2]] if recurrent else [0, None, 0]
        shapes = [kept, kept, [*x.shape[:2], w.kernel.shape[1]], of_gates]
        return _call(run, [*given, *initial[:2], side(initial[2:], 1)], shapes)

    def states(kept: Sequence[Tensor]) -> list[Tensor]:
        h, c, _, gates = kept
        return [h[1:], c[1:], *(tf.split(gates[1:], 3, axis=2) if recurrent else ())]

    def backward(
        w: Weights,
        x: Tensor,
        mask: Tensor | None,
        initial: Sequence[Tensor],
        kept: Sequence[Tensor],
        arriving: Sequence[Tensor],
        carry: Sequence[Tensor],
    ) -> Any:
        peepholes, G = _or_nothing(w.peephole_kernel), _or_nothing(w.gate_kernel)
        given = [x, w.recurrent_kernel, peepholes, G, _or_nothing(mask), *kept]
        given += [*arriving[:2], *[tf.zeros([0, 0, 0])] * (2 - len(arriving[:2]))]
        given += [side(arriving[2:], 2), *carry[:2], side(carry[2:], 1)]
        like = [kept[2], w.kernel, w.recurrent_kernel, tf.zeros([w.kernel.shape[1]]), peepholes, G]
        like += [initial[0], initial[1], given[-1]]
        dA, dW, dR, db, dP, dG, dh, dc, d_gates = _call(run_back, given, [t.shape for t in like])
        d_initial = [dh, dc, *(tf.split(d_gates, 3, axis=1) if recurrent else ())]
        return dA, d_initial, Weights(dW, dR, db, dP, dG)

    return Scheme(forward, states, backward)


def _gru(cell: Cell) -> Scheme:
    after = cell.reset == "after"

    def run(x: Array, *given: Array) -> list[Array]:
        from seqkit.kernels import machine

        R, h0 = given[1], given[-1]
        h, g = _room(len(x) + 1, *h0.shape), _room(*x.shape[:2], R.shape[1])
        q = _room(len(x), *h0.shape)
        machine.gru_forward(x, *given, after, h, g, q)
        return [h, g, q]

    def run_back(x: Array, R: Array, mask: Array, h: Array, g: Array, *given: Array) -> Any:
        from seqkit.kernels import machine

        dX, dW, dR = _room(*g.shape), _room(x.shape[2], R.shape[1]), _room(*R.shape)
        db, dh = _room(2, R.shape[1]), _room(*h.shape[1:])
        machine.gru_backward(x, R, mask, h, g, *given, after, dX, dW, dR, db, dh)
        return [dX, dW, dR, db, dh]

    def forward(w: Weights, x: Tensor, mask: Tensor | None, initial: Sequence[Tensor]) -> Any:
        units = w.recurrent_kernel.shape[0]
        bias, d = _bias(w), tf.zeros([units])
        if after and w.bias is not None:  # only the candidate's second row is reset
            d = w.bias[1, 2 * units :]
            bias = tf.concat(
                [w.bias[0, : 2 * units] + w.bias[1, : 2 * units], w.bias[0, 2 * units :]], 0
            )
        given = [x, w.kernel, w.recurrent_kernel, bias, d, _or_nothing(mask), *initial]
        shapes = [_kept_shape(x, initial), [*x.shape[:2], 3 * units], [*x.shape[:2], units]]
        return _call(run, given, shapes)

    def states(kept: Sequence[Tensor]) -> list[Tensor]:
        return [kept[0][1:]]

    def backward(
        w: Weights,
        x: Tensor,
        mask: Tensor | None,
        initial: Sequence[Tensor],
        kept: Sequence[Tensor],
        arriving: Sequence[Tensor],
        carry: Sequence[Tensor],
    ) -> Any:
        (coming,) = arriving or (tf.zeros([0, 0, 0]),)
        given = [x, w.recurrent_kernel, _or_nothing(mask), *kept, coming, *carry]
        like = [kept[1], w.kernel, w.recurrent_kernel, tf.zeros([2, w.kernel.shape[1]]), *initial]
        dX, dW, dR, db, dh = _call(run_back, given, [t.shape for t in like])
        return dX, [dh], Weights(dW, dR, db if after else db[0])

    return Scheme(forward, states, backward)


def _simple(cell: Cell) -> Scheme:
    def run(x: Array, *given: Array) -> list[Array]:
        from seqkit.kernels import machine

        h = _room(len(x) + 1, *given[-1].shape)
        machine.simple_forward(x, *given, h)
        return [h]

    def run_back(x: Array, R: Array, mask: Array, h: Array, *given: Array) -> list[Array]:
        from seqkit.kernels import machine

        dA, dW, dR = _room(*x.shape[:2], len(R)), _room(x.shape[2], len(R)), _room(*R.shape)
        db, dh = _room(len(R)), _room(*h.shape[1:])
        machine.simple_backward(x, R, mask, h, *given, dA, dW, dR, db, dh)
        return [dA, dW, dR, db, dh]

    def forward(w: Weights, x: Tensor, mask: Tensor | None, initial: Sequence[Tensor]) -> Any:
        given = [x, w.kernel, w.recurrent_kernel, _bias(w), _or_nothing(mask), *initial]
        return _call(run, given, [_kept_shape(x, initial)])

    def states(kept: Sequence[Tensor]) -> list[Tensor]:
        return [kept[0][1:]]

    def backward(
        w: Weights,
        x: Tensor,
        mask: Tensor | None,
        initial: Sequence[Tensor],
        kept: Sequence[Tensor],
        arriving: Sequence[Tensor],
        carry: Sequence[Tensor],
    ) -> Any:
        (coming,) = arriving or (tf.zeros([0, 0, 0]),)
        given = [x, w.recurrent_kernel, _or_nothing(mask), *kept, coming, *carry]
        like = [kept[0][1:], w.kernel, w.recurrent_kernel, tf.zeros([w.kernel.shape[1]]), *initial]
        dA, dW, dR, db, dh = _call(run_back, given, [t.shape for t in like])
        return dA, [dh], Weights(dW, dR, db)

    return Scheme(forward, states, backward)


SCHEMES = {"lstm": _lstm, "gru": _gru, "simple": _simple}


def compiled_sequence(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    last: bool,
    n_states: int,
    recurrent_mask: Tensor | None = None,
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

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`
    """
    scheme = SCHEMES[cell.family](cell)
    present = [w is not None for w in weights]
    n_initial = len(initial)

    @tf.custom_gradient
    @_as_written
    def compute(x: Tensor, *tensors: Tensor) -> Any:
        initial, given = tensors[:n_initial], iter(tensors[n_initial:])
        w = Weights(*(next(given) if there else None for there in present))
        kept = scheme.forward(w, x, recurrent_mask, initial)
        states = scheme.states(kept)
        for state in states:
            state.set_shape([*x.shape[:2], initial[0].shape[1]])

        @_as_written
        def grad(*upstream: Tensor) -> Any:
            arriving = [] if last else list(upstream)
            zeros = [tf.zeros_like(s) for s in initial]
            carry = [*upstream, *zeros[n_states:]] if last else zeros
            dz, d_initial, found = scheme.backward(
                w, x, recurrent_mask, initial, kept, arriving, carry
            )
            dz_flat = tf.reshape(dz, [-1, dz.shape[2]])
            dx = tf.reshape(tf.matmul(dz_flat, w.kernel, transpose_b=True), tf.shape(x))
            wanted = [d for d, there in zip(found, present, strict=True) if there]
            return (dx, *d_initial, *wanted)

        return tuple(s[-1] if last else s for s in states[:n_states]), grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
