"""Weights of one network for another, and which of them a fit leaves as they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqkit.errors import explain, suggest
from seqkit.network.graph import Network, Node
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.normalization import BatchNormalization
from seqkit.network.layers.pooling import AttentionPooling
from seqkit.network.layers.recurrent import Recurrent

__all__ = ["GROUPS", "Transfer", "frozen_names", "layer_names", "transfer"]

GROUPS = {
    "encoder": "all layers up to the last recurrent or convolutional one and its pooling",
    "head": "those after it",
}
"""Names for several layers."""


@dataclass(frozen=True)
class Transfer:
    """What a network takes from another.

    Attributes
    ----------
    values : dict of str to ndarray
        Weights by path.
    taken : tuple of str
        Nodes all of whose weights are taken.
    anew : dict of str to str
        The other nodes that have weights, and why.
    """

    values: dict[str, np.ndarray]
    taken: tuple[str, ...]
    anew: dict[str, str]


def transfer(
    network: Network,
    other: Network,
    weights: Sequence[np.ndarray],
    apart: Collection[str] = (),
) -> Transfer:
    """Return what a network takes of another's weights: those of equal name, kind and shapes.

    Parameters
    ----------
    network, other : Network
    weights : sequence of ndarray
        Those of `other`, in its order.
    apart : collection of str
        Nodes that begin anew though they agree: their answers mean something else.
    """
    there = {w.path: v for w, v in zip(other.weights, weights, strict=True)}
    kinds = {node.name: _kind(node) for node in other.flat.nodes}
    values: dict[str, np.ndarray] = {}
    taken: list[str] = []
    anew: dict[str, str] = {}
    for node in network.flat.nodes:
        own = {w.path: w.shape for w in network.weights if w.node == node.name}
        if not own:
            continue
        if node.name in apart:
            anew[node.name] = "its answers are others"
        elif node.name not in kinds:
            anew[node.name] = "it was not there"
        elif kinds[node.name] != _kind(node):
            anew[node.name] = f"it was {kinds[node.name]}, and is {_kind(node)}"
        elif unlike := [
            f"{path.rpartition('/')[2]} {there[path].shape if path in there else None}, {shape}"
            for path, shape in own.items()
            if path not in there or there[path].shape != shape
        ]:
            anew[node.name] = f"other shapes: {'; '.join(unlike)}"
        else:
            taken.append(node.name)
            values |= {path: there[path] for path in own}
    return Transfer(values, tuple(taken), anew)


def _kind(node: Node) -> str:
    """Return what the weights of a node mean, beside their shapes."""
    layer = node.layer
    return str(layer.cell) if isinstance(layer, Recurrent) else type(layer).__name__


def layer_names(network: Network) -> dict[str, tuple[str, ...]]:
    """Return the layers that are trained, by their own names and by those of :data:`GROUPS`.

    Examples
    --------
    >>> from seqkit.network.series import classifier
    >>> found = layer_names(classifier(9, 1, 2, units=(4, 4), dense=(3,), stem=None))
    >>> found["encoder"], found["head"]
    (('recurrent_1', 'recurrent_2'), ('dense_1', 'logits'))
    """
    trained = {w.node.split("/")[0] for w in replace(network, frozen=()).weights if w.trainable}
    names = [node.name for node in network.nodes if node.name in trained]
    kinds = (Recurrent, Convolution, BatchNormalization, AttentionPooling)
    deep = [n.name for n in network.nodes if n.name in trained and isinstance(n.layer, kinds)]
    end = names.index(deep[-1]) + 1 if deep else 0
    groups = {"encoder": tuple(names[:end]), "head": tuple(names[end:])}
    return {**{name: (name,) for name in names}, **groups}


def frozen_names(
    owner: str, freeze: Sequence[str], networks: Sequence[Network]
) -> list[tuple[str, ...]]:
    """Return the layers of each network that are not trained.

    Parameters
    ----------
    owner : str
        Whose setting it is, for errors.
    freeze : sequence of str
        Names of layers, or of :data:`GROUPS`.
    networks : sequence of Network
        Those of an ensemble need not have the same layers.

    Raises
    ------
    ValueError
        If a name is unknown, or nothing would be left to train.
    """
    known = [layer_names(network) for network in networks]
    every = list(dict.fromkeys(name for found in known for name in found))
    for name in freeze:
        if name not in every:
            expected = f"made of {', '.join(every)}"
            raise ValueError(explain(owner, "freeze", expected, name, suggest(name, every)))
    chosen = []
    for found in known:
        names = {layer for name in freeze for layer in found.get(name, ())}
        if names >= {*found["encoder"], *found["head"]}:
            expected = "such that something is left to train"
            raise ValueError(explain(owner, "freeze", expected, list(freeze)))
        chosen.append(tuple(sorted(names)))
    return chosen
