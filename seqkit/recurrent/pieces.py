"""Layers of a stack side by side: each works on a piece of time as soon as the one below has it.

A step of a layer needs the step before it and the layer below at the same step, nothing later. So
while one core does the second piece of the first layer, another does the first piece of the second
layer; going back, the same from the top. A layer that feeds another in a functional model computes
in pieces and leaves them on its output, where the next layer finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqkit.kernels import n_side_by_side
from seqkit.kernels.scan import chunk_size

__all__ = ["hand_on", "of_input", "walk"]

Tensor = Any

SHORTEST = 10
"""Steps of the shortest piece. There are two: measured on two cores, 2 and 3 layers of 32 to 256
units, 16 and 64 series, they take 0.74 to 1.04 of the time of none; three and four take no less,
and each has to be traced."""
_ATTRIBUTE = "_seqkit_pieces"


def of_input(layer: Any, sequences: Tensor, x: Tensor) -> list[Tensor]:
    """Return the input of a layer in pieces, or an empty list where there is nothing to gain.

    Parameters
    ----------
    layer : GatedRNN
    sequences : tensor of shape (batch, time, n_features)
        What the layer was called with; it may have the pieces it was computed in.
    x : tensor of shape (batch, time, n_features)
        What the layer computes with.

    Returns
    -------
    list of tensors of shape (time, batch, n_features)
    """
    if tf.executing_eagerly() or n_side_by_side() < 2 or not _forward_only(layer):
        return []
    below = getattr(sequences, _ATTRIBUTE, None)
    if below is not None and not layer.dropout:
        return [tf.cast(piece, x.dtype) for piece in below]
    n_steps = x.shape[1]
    if n_steps is None or n_steps < 2 * SHORTEST or not _feeds_another(layer):
        return []
    by_time = tf.transpose(x, [1, 0, 2])
    first = _first(n_steps)
    return [by_time[:first], by_time[first:]]


def _first(n_steps: int) -> int:
    """Return about the half that leaves both pieces with the fewest steps beside whole chunks."""
    half = n_steps // 2

    def rest(first: int) -> int:
        return sum(n % chunk_size(n) for n in (first, n_steps - first))

    return min(range(half, half + 4), key=rest)


def _forward_only(layer: Any) -> bool:
    return layer.directions == 1 and not (layer.go_backwards or layer.stateful)


def _feeds_another(layer: Any) -> bool:
    """Whether another such layer takes the output, as the functional model it is in knows."""
    above = (node.operation for node in layer._outbound_nodes)
    return any(isinstance(a, type(layer)) and _forward_only(a) and not a.dropout for a in above)


def walk(
    compute: Callable[..., tuple[Tensor, ...]],
    inputs: list[Tensor],
    states: tuple[Tensor, ...],
    last: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Return a layer's output, with the pieces on it where it is a sequence, and the last states.

    Parameters
    ----------
    compute : callable
        `seqkit.kernels.run` of the layer.
    inputs : list of tensors of shape (time, batch, n_features)
    states : tuple of tensors of shape (batch, units)
        Before the first step.
    last : bool
        Whether only the last step is wanted.
    """
    n = len(states)
    wanted: dict[str, Any] = {"last": True, "n_states": n} if last else {"ends": True}
    outputs: list[Tensor] = []
    for x in inputs:
        found = compute(x, initial=states, time_major=True, **wanted)
        outputs += found[:-n]
        states = found[-n:]
    if last:
        return states[0], list(states)
    out = tf.concat(outputs, 0)
    setattr(out, _ATTRIBUTE, outputs)
    return out, list(states)


def hand_on(old: Tensor, new: Tensor) -> Tensor:
    """Return the new form of an output with the pieces of the old one on it."""
    if hasattr(old, _ATTRIBUTE):
        setattr(new, _ATTRIBUTE, getattr(old, _ATTRIBUTE))
    return new
