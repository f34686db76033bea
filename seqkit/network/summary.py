"""A network as a table: its layers, what they give, and how many parameters they have."""

from __future__ import annotations

from dataclasses import dataclass

from seqkit.network.graph import Network
from seqkit.network.layers.base import Shape
from seqkit.network.layers.recurrent import Recurrent

__all__ = ["LayerRow", "layer_rows", "summary_lines"]


@dataclass(frozen=True)
class LayerRow:
    """One layer: what it gives for one series or window, and its parameters."""

    name: str
    kind: str
    shape: Shape
    parameters: int
    trained: int


def layer_rows(network: Network) -> list[LayerRow]:
    """Return the layers of a network that have parameters, in order.

    Examples
    --------
    >>> from seqkit.network.series import regressor
    >>> made = regressor(12, 2, units=(8, 4), bidirectional=False, patch=3, pooling="last")
    >>> [(row.name, row.shape, row.parameters) for row in layer_rows(made)][1:3]
    [('recurrent_1', (4, 8), 384), ('recurrent_2', (4,), 168)]
    """
    sizes: dict[str, list[int]] = {}
    for weight in network.weights:
        counts = sizes.setdefault(weight.node, [0, 0])
        counts[0] += weight.size
        counts[1] += weight.size if weight.trainable else 0
    rows = []
    for node in network.flat.nodes:
        if node.name in sizes:
            kind = type(node.layer).__name__.lower()
            if isinstance(node.layer, Recurrent):
                both = ", both directions" if node.layer.bidirectional else ""
                kind = f"{node.layer.cell}{both}"
            shape = network.flat.shapes[node.name]
            rows.append(LayerRow(node.name, kind, shape, *sizes[node.name]))
    return rows


def summary_lines(network: Network) -> list[str]:
    """Return the table as lines of text."""
    rows = layer_rows(network)
    table = [("layer", "kind", "output", "parameters")]
    for row in rows:
        shape = ", ".join("any" if n is None else str(n) for n in row.shape)
        table.append((row.name, row.kind, f"({shape})", f"{row.parameters:,}"))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i == len(line) - 1 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    trained = sum(row.trained for row in rows)
    fixed = sum(row.parameters for row in rows) - trained
    return [*lines, f"trained parameters: {trained:,}; fixed: {fixed:,}"]
