"""The plain reference: whole sequences by the step of a cell, written once as the papers write it.

It is what the fast kernels are tested against, and what inspection uses: the step yields its
gate activations. Gradients are TensorFlow's own.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqkit.cells import Cell, Weights
from seqkit.network.steps import cell_step

__all__ = ["Weights", "gates_over_time", "reference", "step"]

Tensor = Any


class _Operations:
    """What a step is computed with: operations of TensorFlow, which any kernel may stand in."""

    matmul, sigmoid, tanh = tf.matmul, tf.sigmoid, tf.tanh
    concatenate, split = tf.concat, tf.split


def step(
    cell: Cell,
    weights: Weights,
    x: Tensor,
    states: tuple[Tensor, ...],
    recurrent_mask: Tensor | None = None,
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Compute one step of a cell, as :func:`seqkit.network.steps.cell_step` says, on tensors."""
    return cell_step(_Operations, cell, weights, x, states, recurrent_mask)


def reference(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    recurrent_mask: Tensor | None = None,
    inspect: bool = False,
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Compute a whole sequence step by step.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (time, batch, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)
    recurrent_mask : tensor of shape (batch, units), optional
    inspect : bool, default=False
        Whether to return the gate activations too.

    Returns
    -------
    states : tuple of tensors of shape (time, batch, units)
    activations : dict of str to tensor of shape (time, batch, units)
        Empty without `inspect`.
    """
    n_steps = tf.shape(x)[0]
    names = cell.gates if inspect else ()
    n_arrays = len(cell.states) + len(names)
    arrays = tuple(tf.TensorArray(x.dtype, size=n_steps) for _ in range(n_arrays))

    def body(
        t: Tensor, states: tuple[Tensor, ...], arrays: tuple[Any, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Any, ...]]:
        new, gates = step(cell, weights, x[t], states, recurrent_mask)
        for after, before in zip(new, initial, strict=True):
            after.set_shape(before.shape)
        rows = [*new, *(gates[k] for k in names)]
        return t + 1, new, tuple(a.write(t, r) for a, r in zip(arrays, rows, strict=True))

    _, _, arrays = tf.while_loop(lambda t, *_: t < n_steps, body, (0, tuple(initial), arrays))
    rows = []
    for array in arrays:
        row = array.stack()
        row.set_shape([x.shape[0], *initial[0].shape])
        rows.append(row)
    n = len(cell.states)
    return tuple(rows[:n]), dict(zip(names, rows[n:], strict=True))


def gates_over_time(
    cell: Cell, x: Tensor, weights: Weights, initial: tuple[Tensor, ...]
) -> dict[str, Tensor]:
    """Return states and gate activations of every step, batch first, to be drawn.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (batch, time, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)

    Returns
    -------
    dict of str to tensor of shape (batch, time, units)
        The states by name with prefix ``"state_"``, the gates and the candidate by block name.
    """
    states, gates = reference(cell, tf.transpose(x, [1, 0, 2]), weights, initial, inspect=True)
    rows = {f"state_{k}": v for k, v in zip(cell.states, states, strict=True)} | gates
    return {k: tf.transpose(v, [1, 0, 2]) for k, v in rows.items()}
