"""A native network as a table: its layers, what they give, and how many parameters they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqkit.architecture import Architecture
from seqkit.native import plans

__all__ = ["LayerRow", "layer_rows", "summary_lines"]


@dataclass(frozen=True)
class LayerRow:
    """One layer: what it gives for one series or window, and its parameters."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    trained: int


def layer_rows(architecture: Architecture) -> list[LayerRow]:
    """Return the layers of a native network that have parameters, in order.

    Examples
    --------
    >>> made = Architecture("seqkit.builders:build_regressor", {
    ...     "n_timesteps": 12, "n_features": 2, "n_targets": 1, "variable_length": False,
    ...     "cell": "gru", "units": (8, 4), "bidirectional": False, "dropout": 0.0,
    ...     "recurrent_dropout": 0.0, "residual": False, "pooling": "last", "patch": 3,
    ...     "dense": (), "scale": "none"})
    >>> [(row.name, row.shape, row.parameters) for row in layer_rows(made)][:2]
    [('recurrent_1', (4, 8), 384), ('recurrent_2', (4,), 168)]
    """
    network: Any = plans.PLANS[architecture.builder].build(architecture.settings)
    settings = architecture.settings
    n_steps = settings.get("n_timesteps") or settings.get("context_length")
    if settings.get("variable_length") and "context_length" not in settings:
        n_steps = None
    patches = None if n_steps is None else -(-n_steps // network.patch)
    outputs: dict[str, tuple[str, tuple[int | None, ...]]] = {}
    for number, layer in enumerate(network.stack.layers, start=1):
        shape = (patches, layer.n_out) if layer.sequences else (layer.n_out,)
        cell = layer.directions[0].cell.name
        both = ", both directions" if len(layer.directions) > 1 else ""
        outputs[f"recurrent_{number}"] = (f"{cell}{both}", shape)
    sizes: dict[str, list[int]] = {}
    kinds: dict[str, str] = {}
    for parameter in network.parameters.all:
        name = parameter.path.split("/")[0]
        size = 1
        for n in parameter.shape:
            size *= n
        counts = sizes.setdefault(name, [0, 0])
        counts[0] += size
        counts[1] += size if parameter.trainable else 0
        if name not in outputs:
            kinds[name] = "dense" if len(parameter.shape) == 2 else kinds.get(name, "scaling")
            per_step = name in ("standardize", "window")
            shape = (n_steps, parameter.shape[-1]) if per_step else (parameter.shape[-1],)
            outputs[name] = (kinds[name], shape)
    return [LayerRow(name, *outputs[name], *counts) for name, counts in sizes.items()]


def summary_lines(architecture: Architecture) -> list[str]:
    """Return the table as lines of text."""
    rows = layer_rows(architecture)
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
