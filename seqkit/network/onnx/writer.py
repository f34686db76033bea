"""An ONNX graph that is being written: nodes, constants, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from seqkit.network.layers.base import Array

__all__ = ["GraphWriter"]


class GraphWriter:
    """Nodes in order, and the constants that they read.

    Every operation is a function of its inputs, so one that is written already is not written
    again: its outputs are given a second time.

    Parameters
    ----------
    outer : GraphWriter, optional
        Of the graph around this one, which is the body of a loop; constants lie there.

    Attributes
    ----------
    nodes : list of NodeProto
    constants : list of TensorProto
    scope : str
        What names begin with: that of the layer which is being written.
    axes : dict of str to (str, int)
        A tensor, and its axis, that is as long as an open size says.
    """

    def __init__(self, outer: GraphWriter | None = None, scope: str = "") -> None:
        self.nodes: list[NodeProto] = []
        self.outer, self.scope = outer, scope
        root = outer or self
        self.root: GraphWriter = root
        if outer is None:
            self.constants: list[Any] = []
            self._names: set[str] = set()
            self._by_bytes: dict[Any, str] = {}
        self._written: dict[Any, list[str]] = {}
        self.axes: dict[str, tuple[str, int]] = {}

    def name(self, wish: str) -> str:
        """Return a name that nothing has yet."""
        taken = self.root._names
        wish = f"{self.scope}/{wish}" if self.scope else wish
        name, k = wish, 1
        while name in taken:
            name, k = f"{wish}_{k}", k + 1
        taken.add(name)
        return name

    def new_size(self) -> str:
        """Return a name for the size of an axis that is like no other."""
        return self.root.name("size")

    def constant(self, array: Array, wish: str = "constant") -> str:
        """Return the name of a constant; equal ones are one."""
        root, array = self.root, np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in root._by_bytes:
            name = root._by_bytes[key] = self.name(wish)
            root.constants.append(numpy_helper.from_array(array, name))
        return root._by_bytes[key]

    def node(self, kind: str, inputs: Sequence[str], n_outputs: int = 1, **more: Any) -> list[str]:
        """Write an operation and return the names of its outputs.

        Parameters
        ----------
        kind : str
            Of ONNX.
        inputs : sequence of str
            Names; empty for one that is left out.
        n_outputs : int
        **more
            Attributes.
        """
        key = None if "body" in more else (kind, tuple(inputs), n_outputs, repr(more))
        if key in self._written:
            return self._written[key]
        name = self.name(kind)
        outputs = [name, *(self.name(f"{kind}:{k}") for k in range(1, n_outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name, **more))
        if key is not None:
            self._written[key] = outputs
        return outputs

    def needed(self, ends: Sequence[str]) -> list[NodeProto]:
        """Return the nodes that these names need, in order."""
        needed, kept = set(ends), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(_read(node))
        return kept[::-1]

    def needed_constants(self, nodes: Sequence[NodeProto], ends: Sequence[str]) -> list[Any]:
        """Return the constants that nodes read, and those that are ends themselves."""
        needed = set(ends).union(*(_read(node) for node in nodes))
        return [constant for constant in self.constants if constant.name in needed]


def _read(node: NodeProto) -> set[str]:
    """Return what a node reads, the body of a loop included."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            names |= _read(inner)
        names.update(out.name for out in attribute.g.output)
    return names
