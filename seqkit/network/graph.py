"""A network as data: named inputs, nodes in order, what it predicts and what is trained."""

from __future__ import annotations

import dataclasses
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqkit.network.initializers import derived_seed
from seqkit.network.layers.base import Array, Layer, Parameter, Shape

__all__ = ["Graph", "Input", "Network", "Node", "Weight"]

DROPOUT = 2  # what a derived seed is for


@dataclass(frozen=True)
class Input:
    """A named input; the batch is not part of its shape."""

    name: str
    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True)
class Node:
    """A layer at its place.

    Parameters
    ----------
    name : str
        What its weights' paths begin with.
    layer : Layer
    inputs : tuple of str or None
        Names of inputs or nodes, ``name:1`` for a node's second output; None for one left out.
    shares : str, optional
        The node before it whose weights (and sources of random masks) it uses.
    """

    name: str
    layer: Layer
    inputs: tuple[str | None, ...]
    shares: str | None = None


@dataclass(frozen=True)
class Weight(Parameter):
    """A parameter of a network, by its path: that of Keras's variable."""

    path: str = ""
    node: str = ""


@dataclass(frozen=True)
class Network:
    """A description of a network: it prints, compares and hashes, and computes nothing.

    Parameters
    ----------
    name : str
    inputs : tuple of Input
    nodes : tuple of Node
        Each after those that it reads.
    output : str
        What the network predicts.
    trained : str
        What the loss sees.
    named_inputs : bool, default=True
        Whether a single input, too, is given in a mapping by its name.
    frozen : tuple of str, optional
        Nodes whose weights are not trained: a matter of a fit, which no document keeps.

    Examples
    --------
    >>> from seqkit.network.series import classifier
    >>> network = classifier(150, 1, 2, cell="gru", units=(16,), patch=5)
    >>> network.shapes["patch"], network.shapes["recurrent_1"]
    ((30, 5), (30, 32))
    >>> [weight.path for weight in network.weights][:3]
    ['standardize/offset', 'standardize/scale', 'recurrent_1/forward/kernel']
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    output: str
    trained: str
    named_inputs: bool = True
    frozen: tuple[str, ...] = ()

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every input and of every output of a node, without the batch."""
        shapes: dict[str, Shape] = {i.name: i.shape for i in self.inputs}
        for node in self.nodes:
            shape = node.layer.shape(*self._shapes_of(node, shapes))
            parts = shape if node.layer.n_outputs > 1 else (shape,)
            for index, part in enumerate(parts):
                shapes[node.name if index == 0 else f"{node.name}:{index}"] = part
        return shapes

    def _shapes_of(self, node: Node, shapes: dict[str, Shape]) -> list[Shape | None]:
        return [None if ref is None else shapes[ref] for ref in node.inputs]

    def inputs_of(self, node: Node) -> list[Shape | None]:
        """Return the shapes of what a node reads."""
        return self._shapes_of(node, self.shapes)

    @cached_property
    def flat(self) -> Network:
        """The same network, every node that is a network in itself replaced by its nodes."""
        nodes: list[Node] = []
        renamed: dict[str, str] = {}
        for node in self.nodes:
            given = tuple(None if ref is None else renamed.get(ref, ref) for ref in node.inputs)
            inner = node.layer.inner(*self.inputs_of(node))
            if inner is None:
                layer = node.layer.fixed() if self.is_frozen(node) else node.layer
                nodes.append(dataclasses.replace(node, inputs=given, layer=layer))
                continue
            inner = inner.flat
            there = (ref for ref in given if ref is not None)
            outer = dict(zip((i.name for i in inner.inputs), there, strict=True))
            for part in inner.nodes:
                layer = part.layer.fixed() if self.is_frozen(node) else part.layer
                nodes.append(
                    Node(
                        f"{node.name}/{part.name}",
                        layer,
                        tuple(_inside(node.name, ref, outer) for ref in part.inputs),
                        None if part.shares is None else f"{node.name}/{part.shares}",
                    )
                )
            renamed[node.name] = str(_inside(node.name, inner.output, outer))
        return dataclasses.replace(
            self,
            nodes=tuple(nodes),
            output=renamed.get(self.output, self.output),
            trained=renamed.get(self.trained, self.trained),
        )

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """All weights, in the order of the nodes."""
        return tuple(
            Weight(
                p.name, p.shape, p.initial, p.trainable and not self.is_frozen(node),
                f"{node.name}/{p.name}", node.name,
            )
            for node in self.flat.nodes
            if node.shares is None
            for p in node.layer.parameters(*self.flat.inputs_of(node))
        )  # fmt: skip

    def is_frozen(self, node: Node) -> bool:
        """Whether a node's weights, or those that it shares, are not trained."""
        return (node.shares or node.name).split("/")[0] in self.frozen

    @cached_property
    def n_masks(self) -> int:
        """How many sources of random masks it has."""
        return sum(node.layer.masks() for node in self.flat.nodes if node.shares is None)

    def initial_weights(self, seed: int) -> list[Array]:
        """Return what the weights start from, each from a seed of its own."""
        weights = self.weights
        seeds = [derived_seed(seed, k) for k in range(len(weights))]
        if sum(math.prod(w.shape) for w in weights) < _MANY:
            return [w.initial(w.shape, own) for w, own in zip(weights, seeds, strict=True)]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(lambda w, own: w.initial(w.shape, own), weights, seeds))

    def initial_seeds(self, seed: int) -> list[Array]:
        """Return the state of each source of random masks, a seed and a count, before a fit."""
        seeds = (derived_seed(seed, DROPOUT, k) for k in range(self.n_masks))
        return [np.array([own, 0], np.int64) for own in seeds]


_MANY = 1 << 17
"""Numbers from which on weights are drawn side by side: some milliseconds of work."""


def _inside(name: str, ref: str | None, outer: dict[str, str]) -> str | None:
    return None if ref is None else outer.get(ref, f"{name}/{ref}")


class Graph:
    """A network that is being written, node by node.

    Parameters
    ----------
    name : str
    named_inputs : bool, default=True
        As in :class:`Network`.
    """

    def __init__(self, name: str, named_inputs: bool = True) -> None:
        self.name, self.named_inputs = name, named_inputs
        self.inputs: list[Input] = []
        self.nodes: list[Node] = []

    def input(self, name: str, shape: Shape, dtype: str = "float32") -> str:
        """Add an input and return what it is called."""
        self.inputs.append(Input(name, shape, dtype))
        return name

    def add(self, name: str, layer: Layer, *inputs: str | None, shares: str | None = None) -> str:
        """Add a node and return what its first output is called."""
        self.nodes.append(Node(name, layer, inputs, shares))
        return name

    def network(self, output: str, trained: str | None = None) -> Network:
        """Return the network that gives `output`; the loss sees `trained`."""
        inputs, nodes = tuple(self.inputs), tuple(self.nodes)
        return Network(self.name, inputs, nodes, output, trained or output, self.named_inputs)
