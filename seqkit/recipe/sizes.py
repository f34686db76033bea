"""How large a network is at least, from its settings alone: what cannot fit is refused early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqkit.auto_networks import values_of
from seqkit.cells import find_cell

__all__ = [
    "MOST_PARAMETERS",
    "MOST_SAVED",
    "head_size",
    "one_length",
    "saved_size",
    "stack_size",
    "steps_size",
]

MOST_PARAMETERS = 10**9  # 4 GB, and four times as much with gradients and an optimizer's state
MOST_SAVED = 64 * 10**9  # bytes of activations that the backward pass needs of one window


def _widths(units: Any) -> list[int]:
    """Return the widths of layers; of auto, which depends on the series and is small, none."""
    if units is None or isinstance(units, str):
        return []
    return list(units) if isinstance(units, (list, tuple)) else [units]


def one_length(convolutions: Any) -> bool:
    """Return whether the lists of a map of convolutions have one length, that of its layers."""
    convolutions = convolutions if isinstance(convolutions, Mapping) else {}
    lengths = {len(value) for value in convolutions.values() if isinstance(value, (list, tuple))}
    return len(lengths | ({convolutions["layers"]} if convolutions.get("layers") else set())) <= 1


def stack_size(
    units: Any,
    cell: str,
    bidirectional: bool,
    patch: Any,
    dense: Sequence[int] = (),
    overlap: Any = 0,
    pyramid: Any = 1,
) -> int:
    """Return how many parameters the recurrent and dense layers have at least.

    A feature is the least that a series has; peepholes and the head are not counted.

    Examples
    --------
    >>> stack_size([4, 8], "gru", False, 1)  # 3 x (4 x (1 + 4 + 1) + 8 x (4 + 8 + 1))
    384
    """
    products = len(find_cell(cell).gates)
    directions = 2 if bidirectional else 1
    # what is auto depends on the series; of a list, a value for each network, the least
    patch, overlap, pyramid = (min(_widths(n), default=None) for n in (patch, overlap, pyramid))
    stacks = values_of("units", units)
    if stacks:
        settings = (cell, bidirectional, patch, dense, overlap, pyramid)
        return min(stack_size(stack, *settings) for stack in stacks)
    total, inputs = 0, (patch or 1) + (overlap or 0)
    for layer, width in enumerate(_widths(units)):
        inputs *= (pyramid or 1) if layer == 1 else 1
        total += directions * products * width * (inputs + width + 1)
        inputs = directions * width
    for width in dense:
        total += width * (inputs + 1)
        inputs = width
    return total


def head_size(
    horizon: int,
    units: Any,
    bidirectional: bool,
    dense: Sequence[int],
    quantiles: Sequence[float] | None,
    target: Any,
    decoder: str,
) -> int:
    """Return how many parameters the head of a direct forecaster has at least.

    Examples
    --------
    >>> head_size(24, 10, False, [], [0.1, 0.5, 0.9], "y", "direct")
    792
    """
    if decoder != "direct":
        return 0
    inputs = dense[-1] if dense else _widths(units)[-1] * (2 if bidirectional else 1)
    targets = len(target) if isinstance(target, (list, tuple)) else 1
    return (inputs + 1) * horizon * targets * len(quantiles or [0])


def saved_size(context: Any, units: Any, bidirectional: bool, patch: int | None) -> int:
    """Return how many bytes of states one window leaves for the backward pass at least.

    Examples
    --------
    >>> saved_size([48, 96], [10, 10], False, 2)
    3840
    """
    steps = max(_widths(context)) // (patch or max(_widths(context)))
    return 4 * steps * sum(_widths(units)) * (2 if bidirectional else 1)


def steps_size(
    units: Any, cell: str, bidirectional: bool, dense: Sequence[int], embedding: int | None
) -> int:
    """Return how many parameters the layers of a tagger have at least, but for its tokens.

    Examples
    --------
    >>> steps_size([4, 8], "gru", False, [], None)
    384
    """
    return stack_size(units, cell, bidirectional, embedding, dense)
