"""How a whole sequence of a cell is computed in TensorFlow: the kernels and their choice.

`choose_kernel` says which kernel serves a layer, and why not a faster one; `run_kernel` computes.
Every kernel is tested against `seqkit.network.keras.kernels.reference` in outputs and gradients.

All but `compiled`, which serves training steps only, are made of stock TensorFlow operations, so a
saved model loads without seqkit.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from seqkit.cells import Cell, Weights
from seqkit.errors import explain
from seqkit.network.cpu.sequences import is_ready, unsupported
from seqkit.network.cpu.shards import n_shards, n_side_by_side
from seqkit.network.keras.kernels.blocks import in_blocks
from seqkit.network.keras.kernels.compiled import compiled_sequence, only_watched
from seqkit.network.keras.kernels.decorators import as_written
from seqkit.network.keras.kernels.reference import gates_over_time, reference, step

__all__ = [
    "KERNELS",
    "Choice",
    "Kernel",
    "Weights",
    "choose_kernel",
    "gates_over_time",
    "is_ready",
    "n_shards",
    "n_side_by_side",
    "only_watched",
    "portable",
    "reference",
    "run_kernel",
    "step",
]

Tensor = Any


@dataclass(frozen=True)
class Kernel:
    """One way to compute a sequence.

    Parameters
    ----------
    name : str
    what : str
        How it works, in a sentence.
    refuses : callable
        ``refuses(cell, dtype, recurrent_dropout, gpu, training)`` returns why it cannot serve, or
        ``""``.
    """

    name: str
    what: str
    refuses: Callable[[Cell, str, bool, bool, bool], str]


@dataclass(frozen=True)
class Choice:
    """A kernel and the reasons: `why` for it, `not_faster` for each faster one refused."""

    name: str
    why: str
    not_faster: dict[str, str]

    def __str__(self) -> str:
        refused = "; ".join(f"not {k}: {v}" for k, v in self.not_faster.items())
        return f"{self.name} ({self.why}{'; ' + refused if refused else ''})"


def _keras_refuses(
    cell: Cell, dtype: str, recurrent_dropout: bool, gpu: bool, training: bool
) -> str:
    if cell.name not in ("lstm", "gru"):
        return f"Keras has no cell {cell.name}"
    if recurrent_dropout:
        return "cuDNN has no recurrent dropout"
    return "" if gpu else "there is no GPU"


def _compiled_refuses(
    cell: Cell, dtype: str, recurrent_dropout: bool, gpu: bool, training: bool
) -> str:
    if not training:
        return "a saved model has none of seqkit's compiled kernels"
    if gpu:
        return "the compiled kernels are not for a GPU"
    if dtype != "float32":
        return f"the compiled kernels compute in float32, not {dtype}"
    return unsupported(cell)


def _never_refuses(
    cell: Cell, dtype: str, recurrent_dropout: bool, gpu: bool, training: bool
) -> str:
    return ""


KERNELS: dict[str, Kernel] = {
    k.name: k
    for k in (
        Kernel("keras", "Keras's own layer, cuDNN on a GPU", _keras_refuses),
        Kernel(
            "compiled",
            "a training step in compiled kernels, other answers by stock operations",
            _compiled_refuses,
        ),
        Kernel("reference", "the plain step, gradient by TensorFlow", _never_refuses),
    )
}
"""Every kernel by name, the fastest first."""


def choose_kernel(
    cell: Cell,
    dtype: str = "float32",
    recurrent_dropout: float = 0.0,
    gpu: bool | None = None,
    training: bool = True,
) -> Choice:
    """Return the kernel for a layer, and why not a faster one.

    Parameters
    ----------
    cell : Cell
    dtype : str, default="float32"
        What the layer computes in.
    recurrent_dropout : float, default=0.0
        Fraction in [0, 1).
    gpu : bool, optional
        Whether there is a GPU; default: what TensorFlow sees.
    training : bool, default=True
        Whether for training steps.

    Examples
    --------
    >>> from seqkit.cells import CELLS
    >>> print(choose_kernel(CELLS["lstm"], gpu=False))
    compiled (a training step in compiled kernels, other answers by stock operations; not keras: \
there is no GPU)
    """
    if gpu is None:
        gpu = bool(tf.config.list_physical_devices("GPU"))
    refused: dict[str, str] = {}
    for kernel in KERNELS.values():
        reason = kernel.refuses(cell, dtype, recurrent_dropout > 0, gpu, training)
        if not reason:
            return Choice(kernel.name, kernel.what, refused)
        refused[kernel.name] = reason
    raise AssertionError("the reference serves every cell")


_PORTABLE: ContextVar[str] = ContextVar("portable", default="")


@contextlib.contextmanager
def portable(*, tensor_lists: bool) -> Iterator[None]:
    """Trace layers inside with operations that any machine has: no GPU's, nor a compiled kernel.

    Parameters
    ----------
    tensor_lists : bool
        Whether the runtime has TensorFlow's lists of tensors.
    """
    token = _PORTABLE.set("reference" if tensor_lists else "blocks")
    try:
        yield
    finally:
        _PORTABLE.reset(token)


@functools.lru_cache(maxsize=64)
def _keras_layer(
    name: str, units: int, n_features: int, sequences: bool, use_bias: bool, dtype: str
) -> Any:
    """Return a Keras layer to be called with weights from elsewhere."""
    import keras

    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[name]
    with tf.init_scope():
        layer = kind(
            units, return_sequences=sequences, return_state=True, use_bias=use_bias, dtype=dtype
        )
        layer.build((None, None, n_features))
    return layer


def _keras(
    cell: Cell, x: Tensor, weights: Weights, initial: tuple[Tensor, ...], last: bool, n_states: int
) -> tuple[Tensor, ...]:
    layer = _keras_layer(
        cell.name,
        weights.recurrent_kernel.shape[0],
        x.shape[2],
        not last,
        weights.bias is not None,
        x.dtype.name,
    )
    given = [w for w in weights if w is not None]
    fixed = [v.value for v in layer.non_trainable_variables]
    (out, *states), _ = layer.stateless_call(
        given, fixed, tf.transpose(x, [1, 0, 2]), initial_state=list(initial)
    )
    if last:
        return tuple(states[:n_states])
    return (tf.transpose(out, [1, 0, 2]),)


@as_written
def run_kernel(
    kernel: str,
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    *,
    last: bool = False,
    n_states: int = 1,
    recurrent_mask: Tensor | None = None,
    training: bool = True,
    shards: int | None = 1,
    directions: int = 1,
) -> tuple[Tensor, ...]:
    """Compute a sequence with a kernel.

    Parameters
    ----------
    kernel : str
        A name of `KERNELS` that `choose_kernel` would not refuse.
    cell : Cell
    x : tensor of shape (batch, time, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)
        One a state of the cell.
    last : bool, default=False
        Whether only the last step is wanted.
    n_states : int, default=1
        How many of the cell's states are wanted, in its order.
    recurrent_mask : tensor of shape (batch, units), optional
        Multiplies h_{t-1} in the recurrent products.
    training : bool, default=True
        Whether a gradient will be asked for.
    shards : int or None, default=1
        In how many parts the compiled kernels compute the batch side by side; None = as many as
        pay.
    directions : int, default=1
        Layers that run side by side; shards share the cores with them.

    Returns
    -------
    tuple of n_states tensors of shape (time, batch, units), or (batch, units) with `last`
    """
    if kernel not in KERNELS:
        raise ValueError(explain("run_kernel", "kernel", f"one of {list(KERNELS)}", kernel))
    units = weights.recurrent_kernel.shape[0]
    kernel = _PORTABLE.get() or kernel
    if kernel == "compiled":
        by_time = tf.transpose(x, [1, 0, 2])
        known = n_side_by_side()  # forward and backward must agree

        def how_many(batch: int, n_steps: int) -> int:
            return shards or n_shards(batch, n_steps, units, directions, known)

        return compiled_sequence(
            cell, by_time, weights, initial, last, n_states, recurrent_mask, how_many
        )
    by_time = tf.transpose(x, [1, 0, 2])
    if kernel == "keras":
        return _keras(cell, by_time, weights, initial, last, n_states)
    if kernel == "blocks":
        states = in_blocks(cell, by_time, weights, initial, n_states)
    else:
        states, _ = reference(cell, by_time, weights, initial, recurrent_mask)
    return tuple(s[-1] if last else s for s in states[:n_states])
