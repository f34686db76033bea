"""Training steps by compiled kernels: `seqkit.network.cpu` as two operations, forward and backward.

One operation computes a whole batch, parts of it side by side in threads of their own. No saved
model has any of this: where no gradient is to come, a sequence is computed by stock operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from seqkit.cells import Cell, Weights
from seqkit.network.cpu.sequences import SequenceBatch, buffer
from seqkit.network.cpu.shards import side_by_side
from seqkit.network.keras.kernels.decorators import as_written, with_gradient
from seqkit.network.keras.kernels.second_order import differentiable

__all__ = ["compiled_sequence", "only_watched"]

Tensor = Any
Array = np.ndarray


def _call(function: Callable[..., Any], given: Sequence[Any], n: int) -> list[Tensor]:
    """Return the n arrays that a function of arrays gives, as tensors.

    For a number among `given`, the function is given an array of that rank with nothing in it.
    """
    nothing = {
        k: np.zeros([0] * rank, np.float32) for k, rank in enumerate(given) if isinstance(rank, int)
    }

    count = len(given)  # TensorFlow never lets go of `filled`: what it refers to stays for ever

    def filled(*arrays: Array) -> list[Array]:
        here = iter(arrays)
        whole = (nothing[k] if k in nothing else next(here) for k in range(count))
        computed: list[Array] = function(*whole)
        return computed

    present = [tensor for k, tensor in enumerate(given) if k not in nothing]
    tensors = tf.numpy_function(filled, present, [tf.float32] * n, stateful=False)
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]  # eager, of one


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
    """Compute a sequence of any cell in float32, by compiled kernels.

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
    present = [w is not None for w in weights]
    n_weights, n_initial = sum(present), len(initial)
    units = weights.recurrent_kernel.shape[0]
    asked = _is_asked_for(x)
    mask = 2 if recurrent_mask is None else recurrent_mask  # or the rank of what is not there

    def batch_of(
        x: Array, arrays: Sequence[Array], mask: Array, saved: Array | None
    ) -> SequenceBatch:
        here = iter(arrays)
        w = Weights(*(next(here) if is_there else None for is_there in present))
        return SequenceBatch(cell, x, w, mask, shards(x.shape[1], x.shape[0]), saved)

    def run(x: Array, mask: Array, *arrays: Array) -> list[Array]:
        batch = batch_of(x, arrays[:n_weights], mask, None)
        shape = (batch.size, units) if last else (batch.n_steps, batch.size, units)
        out = [buffer(*shape) for _ in range(n_states)]
        side_by_side(batch.forward(arrays[n_weights:], out))
        return [*out, batch.saved]

    def run_backward(x: Array, mask: Array, saved: Array, *arrays: Array) -> list[Array]:
        batch = batch_of(x, arrays[:n_weights], mask, saved)
        both = arrays[n_weights:]
        side_by_side(batch.backward(both[:n_initial], both[n_initial:], asked))
        return [batch.d_initial, *batch.gradients(), *([batch.dx] if asked else [])]

    @with_gradient
    @as_written
    def compute(x: Tensor, *tensors: Tensor) -> tuple[Any, Callable[..., Any]]:
        initial, w = tensors[:n_initial], tensors[n_initial:]
        *out, saved = _call(run, [x, mask, *w, *initial], n_states + 1)
        for tensor in out:
            tensor.set_shape([*([] if last else [x.shape[0]]), x.shape[1], units])
        saved.set_shape([None])

        def gradient(*upstream: Tensor) -> Any:
            absent = [2] * (n_initial - n_states)
            each = [3] * n_initial if last else [*upstream, *(3 for _ in absent)]
            ends = [*upstream, *absent] if last else [2] * n_initial
            n = 1 + n_weights + asked
            d_initial, *gradients = _call(run_backward, [x, mask, saved, *w, *each, *ends], n)
            d_initial.set_shape([n_initial, x.shape[1], units])
            for tensor, like in zip(gradients, (*w, x), strict=False):
                tensor.set_shape(like.shape)
            dx = gradients.pop() if asked else None
            return (dx, *tf.unstack(d_initial), *gradients)

        @as_written
        def grad(*upstream: Tensor) -> Any:
            given = (x, *initial, *w)
            return differentiable(gradient, cell, present, last, recurrent_mask, given, upstream)

        return tuple(out), grad

    return tuple(compute(x, *initial, *(w for w in weights if w is not None)))
