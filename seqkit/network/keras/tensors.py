"""A network computed on Keras tensors, node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seqkit.network.graph import Network
from seqkit.network.layers.base import Saved
from seqkit.network.ops import keras_namespace

__all__ = ["tensors_of", "with_states"]

Tensor = Any


def tensors_of(
    network: Network, inputs: Mapping[str, Tensor], made: Mapping[str, Callable[..., Any]]
) -> dict[str, Tensor]:
    """Return the tensors of all inputs and nodes by name.

    Parameters
    ----------
    network : Network
    inputs : mapping of str to tensor
    made : mapping of str to callable
        What computes a node, by its name: a Keras layer, or a function that calls one. A node that
        shares another's weights is computed by the same; one that is in no table has no weights,
        and is computed by its own equation.
    """
    tensors: dict[str, Tensor] = dict(inputs)
    for node in network.nodes:
        given = [None if ref is None else tensors[ref] for ref in node.inputs]
        compute = made.get(node.shares or node.name)
        if compute is None:
            out = node.layer.forward(keras_namespace(), {}, Saved(), *given)
        else:
            out = compute(*given)
        parts = out if node.layer.n_outputs > 1 else (out,)
        for index, part in enumerate(parts):
            tensors[node.name if index == 0 else f"{node.name}:{index}"] = part
    return tensors


def with_states(layer: Any) -> Callable[..., Any]:
    """Return what calls a recurrent Keras layer with lengths and initial states, as a node does."""

    def compute(x: Tensor, lengths: Tensor | None = None, *initial: Tensor) -> Any:
        given: dict[str, Any] = {} if lengths is None else {"lengths": lengths}
        if initial:
            given["initial_state"] = list(initial)
        return layer(x, **given)

    return compute
