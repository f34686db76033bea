"""Convolutions before or beside the recurrent layers of a network of whole series, written out.

Each is a convolution, batch normalisation and ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

from seqkit.convolutions import ConvolutionRow
from seqkit.network.graph import Graph
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.normalization import BatchNormalization
from seqkit.network.layers.pooling import POOLINGS

__all__ = ["branch", "stem"]


def _convolved(
    graph: Graph, name: str, x: str, lengths: str | None, rows: Sequence[ConvolutionRow]
) -> tuple[str, str | None]:
    """Write convolutions one after the other; return the steps, and how many of them count."""
    for k, row in enumerate(rows, 1):
        x = graph.add(f"{name}_{k}", Convolution(*row), x, lengths)
        lengths = None if lengths is None else f"{x}:1"
        x = graph.add(f"{name}_normalized_{k}", BatchNormalization("relu"), x, lengths)
    return x, lengths


def stem(
    graph: Graph, x: str, lengths: str | None, rows: Sequence[ConvolutionRow], pooling: str
) -> tuple[str, str | None, list[str]]:
    """Write the stem; return what the recurrent layers read, the lengths, and its own vector."""
    x, lengths = _convolved(graph, "stem", x, lengths, rows)
    if pooling == "none":
        return x, lengths, []
    return x, lengths, [graph.add("stem_pooling", POOLINGS[pooling](False), x, lengths)]


def branch(
    graph: Graph, x: str, lengths: str | None, rows: Sequence[ConvolutionRow], pooling: str
) -> str:
    """Write the branch; return its vector."""
    x, lengths = _convolved(graph, "branch", x, lengths, rows)
    return graph.add("branch_pooling", POOLINGS[pooling](False), x, lengths)
