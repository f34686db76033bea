"""Networks of whole series: one prediction for each.

``x -> standardize -> patch -> recurrent stack -> pooling -> dense -> head``.
"""

from __future__ import annotations

from collections.abc import Sequence

from seqkit.auto import AUTO, patch_for
from seqkit.cells import ALIASES, CELLS, find_cell
from seqkit.errors import explain, suggest
from seqkit.network.graph import Graph, Network
from seqkit.network.layers.combining import Add, Sigmoid, Softmax
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.patching import Patch
from seqkit.network.layers.pooling import POOLINGS
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.scaling import Standardize, Unstandardize

__all__ = ["SCALES", "classifier", "recurrent_stack", "regressor", "stack_units"]

SCALES = ("none", "standard", "minmax", "robust")


def stack_units(units: int | Sequence[int]) -> tuple[int, ...]:
    """Return the width of every recurrent layer: one number is a stack of one."""
    return tuple(int(u) for u in units) if isinstance(units, Sequence) else (int(units),)


def check_choice(owner: str, name: str, value: object, choices: Sequence[str]) -> None:
    """Raise unless a setting is one of those it may be."""
    if value not in choices:
        hint = suggest(str(value), choices)
        raise ValueError(explain(owner, name, f"one of {', '.join(choices)}", value, hint))


def check_cell(owner: str, cell: str) -> None:
    """Raise unless a cell is a row of the table, or another name of one."""
    if cell not in CELLS and cell not in ALIASES:
        hint = suggest(cell, CELLS)
        raise ValueError(explain(owner, "cell", f"one of {', '.join(CELLS)}", cell, hint))


def _encoded(
    graph: Graph,
    owner: str,
    n_timesteps: int | None,
    n_features: int,
    *,
    variable_length: bool,
    cell: str,
    units: int | Sequence[int],
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
    residual: bool,
    pooling: str,
    patch: int | str,
    dense: Sequence[int],
    scale: str,
) -> str:
    """Write what comes before the head; return the vector that the head reads."""
    check_choice(owner, "scale", scale, SCALES)
    check_choice(owner, "pooling", pooling, tuple(POOLINGS))
    x = graph.input("x", (n_timesteps, n_features))
    lengths = graph.input("lengths", (), "int32") if variable_length else None
    if scale != "none":
        x = graph.add("standardize", Standardize(), x)
    if not 0 <= dropout < 1:
        raise ValueError(explain(owner, "dropout", "in [0, 1)", dropout))
    if isinstance(patch, str):
        if patch != AUTO:
            raise ValueError(explain(owner, "patch", "a positive integer or auto", patch))
        patch = 1 if n_timesteps is None else patch_for(n_timesteps)
    if patch > 1:
        x = graph.add("patch", Patch(patch), x, lengths)
        lengths = None if lengths is None else "patch:1"
    x = recurrent_stack(
        graph, owner, x, lengths, cell=cell, units=units, bidirectional=bidirectional,
        dropout=dropout, recurrent_dropout=recurrent_dropout, residual=residual, pooling=pooling,
    )  # fmt: skip
    return dense_stack(graph, x, dense, dropout)


def dense_stack(graph: Graph, x: str, dense: Sequence[int], dropout: float) -> str:
    """Write hidden dense layers (ReLU), and dropout before the head."""
    for i, width in enumerate(dense):
        x = graph.add(f"dense_{i + 1}", Dense(width, "relu"), x)
    return graph.add("dropout_head", Dropout(dropout), x) if dropout else x


def recurrent_stack(
    graph: Graph,
    owner: str,
    x: str,
    lengths: str | None,
    *,
    cell: str,
    units: int | Sequence[int],
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
    residual: bool,
    pooling: str,
) -> str:
    """Write recurrent layers over `x`, and the pooling of their steps into one vector."""
    check_cell(owner, cell)
    widths = stack_units(units)
    if residual and len(set(widths)) > 1:
        raise ValueError(
            explain(owner, "units", "equal in all layers with residual=True", list(widths))
        )
    # a residual sum needs the steps of both layers, so the last state is read afterwards
    read_state = pooling == "last" and not (residual and len(widths) > 1)
    for i, width in enumerate(widths):
        if i and dropout:
            x = graph.add(f"dropout_{i + 1}", Dropout(dropout), x)
        layer = Recurrent(
            find_cell(cell).name, width, bidirectional, recurrent_dropout,
            return_sequences=not (i == len(widths) - 1 and read_state),
        )  # fmt: skip
        out = graph.add(f"recurrent_{i + 1}", layer, x, lengths)
        x = graph.add(f"residual_{i + 1}", Add(), x, out) if residual and i else out
    if read_state:
        return x
    return graph.add("pooling", POOLINGS[pooling](bidirectional), x, lengths)


def classifier(
    n_timesteps: int | None,
    n_features: int,
    n_classes: int,
    *,
    variable_length: bool = False,
    multilabel: bool = False,
    cell: str = "gru",
    units: int | Sequence[int] = (64, 64),
    bidirectional: bool = True,
    dropout: float = 0.2,
    recurrent_dropout: float = 0.0,
    residual: bool = False,
    pooling: str = "mean_max",
    patch: int | str = "auto",
    dense: Sequence[int] = (),
    scale: str = "standard",
) -> Network:
    """Describe what :func:`seqkit.build_classifier` builds."""
    owner = "build_classifier"
    if n_classes < 2:
        raise ValueError(explain(owner, "n_classes", "at least 2", n_classes))
    graph = Graph("classifier", named_inputs=variable_length)
    features = _encoded(
        graph, owner, n_timesteps, n_features, variable_length=variable_length, cell=cell,
        units=units, bidirectional=bidirectional, dropout=dropout,
        recurrent_dropout=recurrent_dropout, residual=residual, pooling=pooling, patch=patch,
        dense=dense, scale=scale,
    )  # fmt: skip
    logits = graph.add("logits", Dense(n_classes), features)
    head = Sigmoid() if multilabel else Softmax()
    return graph.network(graph.add("probabilities", head, logits), logits)


def regressor(
    n_timesteps: int | None,
    n_features: int,
    n_targets: int = 1,
    *,
    variable_length: bool = False,
    cell: str = "gru",
    units: int | Sequence[int] = (64, 64),
    bidirectional: bool = True,
    dropout: float = 0.2,
    recurrent_dropout: float = 0.0,
    residual: bool = False,
    pooling: str = "mean_max",
    patch: int | str = "auto",
    dense: Sequence[int] = (),
    scale: str = "standard",
) -> Network:
    """Describe what :func:`seqkit.build_regressor` builds."""
    owner = "build_regressor"
    if n_targets < 1:
        raise ValueError(explain(owner, "n_targets", "at least 1", n_targets))
    graph = Graph("regressor", named_inputs=variable_length)
    features = _encoded(
        graph, owner, n_timesteps, n_features, variable_length=variable_length, cell=cell,
        units=units, bidirectional=bidirectional, dropout=dropout,
        recurrent_dropout=recurrent_dropout, residual=residual, pooling=pooling, patch=patch,
        dense=dense, scale=scale,
    )  # fmt: skip
    standardized = graph.add("standardized", Dense(n_targets), features)
    return graph.network(graph.add("output", Unstandardize(), standardized), standardized)
