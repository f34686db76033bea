"""Gradients of gradients: by the reference, for kernels whose gradient is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from seqkit.cells import Cell
from seqkit.network.keras.kernels.decorators import as_written, with_gradient
from seqkit.network.keras.kernels.reference import Weights, reference

__all__ = ["differentiable"]

Tensor = Any


def differentiable(
    gradient: Callable[..., Sequence[Any]],
    cell: Cell,
    present: Sequence[bool],
    last: bool,
    mask: Tensor | None,
    tensors: Sequence[Tensor],
    upstream: Sequence[Tensor],
) -> tuple[Any, ...]:
    """Return a kernel's gradient so that it can be differentiated once more, or more often.

    What a kernel computes outside of TensorFlow, or keeps from its forward pass, has no gradient
    that TensorFlow knows of: a gradient penalty would silently be a constant. So the gradient of
    the gradient is taken of the reference, which computes the same; it costs nothing where nobody
    asks for it.

    Parameters
    ----------
    gradient : callable
        ``(upstream) -> gradients of tensors``; None for one that is not computed.
    cell : Cell
    present : sequence of bool
        Which of the weights there are.
    last : bool
        Whether the kernel gives the last step only.
    mask : tensor or None
        Of the recurrent products; a constant.
    tensors : sequence of tensors
        x by time, the initial states, the weights.
    upstream : sequence of tensors
        Gradients of what the kernel gives.
    """
    n, n_initial = len(tensors), len(cell.states)

    def first_order(*given: Tensor) -> list[Tensor]:
        x, initial, weights = given[0], given[1 : n_initial + 1], iter(given[n_initial + 1 : n])
        d_states = given[n:]
        w = Weights(*(next(weights) if is_there else None for is_there in present))
        with tf.GradientTape() as tape:
            tape.watch(given[:n])
            states, _ = reference(cell, x, w, tuple(initial), mask)
            out = [s[-1] if last else s for s in states[: len(d_states)]]
        gradients: list[Tensor] = tape.gradient(
            out, given[:n], d_states, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return gradients

    computed: list[bool] = []

    @with_gradient
    @as_written
    def run(*given: Tensor) -> tuple[Any, Callable[..., Any]]:
        gradients = gradient(*given[n:])
        computed[:] = [g is not None for g in gradients]

        @as_written
        def again(*upstream: Tensor) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(given)
                gradients = first_order(*given)
                wanted = [g for g, is_there in zip(gradients, computed, strict=True) if is_there]
            return tape.gradient(
                wanted, given, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        return tuple(g for g in gradients if g is not None), again

    gradients = iter(run(*tensors, *upstream))
    return tuple(next(gradients) if is_there else None for is_there in computed)
