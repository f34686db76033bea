"""Networks of whole series: one prediction for each.

``x -> moves -> standardize -> normalize -> stem -> patch -> recurrent stack -> pooling -> mean of
moves -> dense -> head``, the moves only where a prediction is made; a branch reads what the stem
reads; what is pooled of its steps, and of the stem's, stands beside what is pooled of the stack's.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import get_args

from seqkit.auto import AUTO
from seqkit.auto_networks import COUNTED, network_for, widths_of
from seqkit.cells import ALIASES, CELLS, CellName, find_cell
from seqkit.convolutions import convolutions_of, pooling_of, steps_after
from seqkit.errors import explain, suggest
from seqkit.network.graph import Graph, Network
from seqkit.network.heads import head_of
from seqkit.network.initializers import BIASES, INITIALIZERS, Initializers, keeps_memory
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.combining import Add, Concatenate, Sigmoid, Softmax
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.heads import HeadLayer
from seqkit.network.layers.moves import MeanOfMoves, Moves
from seqkit.network.layers.normalization import LayerNormalization, NormalizeSeries
from seqkit.network.layers.patching import Patch, patch_count
from seqkit.network.layers.pooling import POOLINGS
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.scaling import (
    Deviations,
    Differences,
    Standardize,
    Unstandardize,
)
from seqkit.network.layers.shaping import Reshape
from seqkit.network.settings import (
    LEAST_AVERAGED,
    MOST_AVERAGED,
    ClassifierNetwork,
    NetworkSettings,
    RegressorNetwork,
    Scaling,
    SeriesNormalization,
    names_of,
    takes,
)
from seqkit.network.stems import branch, stem

__all__ = [
    "NORMALIZATIONS",
    "SCALES",
    "classifier",
    "initializers_of",
    "recurrent_stack",
    "regressor",
]

SCALES: tuple[str, ...] = get_args(Scaling)
NORMALIZATIONS: tuple[str, ...] = get_args(SeriesNormalization)


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


def initializers_of(owner: str, s: NetworkSettings, n_steps: int) -> Initializers:
    """Return what the recurrent layers start from that see so many steps, 0 where that is open."""
    for name in ("kernel_initializer", "recurrent_initializer"):
        check_choice(owner, name, getattr(s, name), tuple(INITIALIZERS))
    check_choice(owner, "bias_initializer", s.bias_initializer, tuple(BIASES))
    if s.bias_initializer == "chrono":
        check_cell(owner, s.cell)
        if not keeps_memory(find_cell(s.cell)):
            expected = (
                f"forget_one or zeros with the cell {s.cell!r}, which has no gate to forget by"
            )
            raise ValueError(explain(owner, "bias_initializer", expected, s.bias_initializer))
        if not n_steps:
            expected = "given where n_timesteps is open and bias_initializer is chrono"
            raise ValueError(explain(owner, "max_timesteps", expected, None))
    given = Initializers(s.kernel_initializer, s.recurrent_initializer, s.bias_initializer)
    return given.over(n_steps)


def _check(owner: str, s: ClassifierNetwork | RegressorNetwork) -> None:
    """Raise unless the settings are those of a network."""
    check_choice(owner, "scale", s.scale, SCALES)
    check_choice(owner, "normalize", s.normalize, NORMALIZATIONS)
    if s.pooling != AUTO:
        check_choice(owner, "pooling", s.pooling, tuple(POOLINGS))
    for name in ("dropout", "input_dropout"):
        if not 0 <= getattr(s, name) < 1:
            raise ValueError(explain(owner, name, "in [0, 1)", getattr(s, name)))
    least, most = LEAST_AVERAGED, MOST_AVERAGED
    if any(not isinstance(n, Integral) or not least <= n <= most for n in s.averages):
        expected = f"integers from {least} to {most}"
        raise ValueError(explain(owner, "averages", expected, s.averages))
    if s.max_timesteps is not None and (
        s.n_timesteps is not None or not (s.deviations is True or s.bias_initializer == "chrono")
    ):
        expected = (
            "left out unless n_timesteps is open and bias_initializer is chrono, or deviations on"
        )
        raise ValueError(explain(owner, "max_timesteps", expected, s.max_timesteps))
    for name in COUNTED:
        least, value = int(name != "overlap"), getattr(s, name)
        if value != AUTO and (not isinstance(value, Integral) or value < least):
            raise ValueError(explain(owner, name, f"an integer from {least} or auto", value))
    for name in ("stem", "branch"):
        if getattr(s, name) not in (None, AUTO):
            convolutions_of(owner, name, getattr(s, name))


def _scaled(
    graph: Graph, owner: str, s: ClassifierNetwork | RegressorNetwork, raw: str, lengths: str | None
) -> str:
    """Write what is done to raw values; return what the layers read."""
    own = x = raw
    if s.scale != "none":
        x = graph.add("standardize", Standardize(), raw)
    if s.normalize == "series":
        own = x = graph.add("normalize", NormalizeSeries(), x, lengths)
    scaled = x
    if s.deviations is True:  # auto asks the series, which a description has not
        longest = s.max_timesteps if s.n_timesteps is None else s.n_timesteps
        if longest is None:
            expected = "given where n_timesteps is open and deviations is True"
            raise ValueError(explain(owner, "max_timesteps", expected, None))
        from_course = graph.add("deviations", Deviations(longest), raw)
        x = graph.add("with_deviations", Concatenate(), x, from_course)
    if s.differences is True:
        from_before = graph.add("differences", Differences(), own)
        x = graph.add("with_differences", Concatenate(), x, from_before)
    if len(s.averages) > 0:
        means = graph.add("averages", Averages(tuple(s.averages)), scaled)
        if s.scale != "none" and s.normalize == "none":  # a mean varies less than its steps
            means = graph.add("standardize_averages", Standardize(), means)
        x = graph.add("with_averages", Concatenate(), x, means)
    return graph.add("dropout_input", Dropout(s.input_dropout), x) if s.input_dropout else x


def _encoded(graph: Graph, owner: str, s: ClassifierNetwork | RegressorNetwork) -> str:
    """Write what comes before the head; return the vector that the head reads."""
    _check(owner, s)
    x = graph.input("x", (s.n_timesteps, s.n_features))
    lengths = graph.input("lengths", (), "int32") if s.variable_length else None
    moves = () if isinstance(s.moves, str) else tuple(s.moves)  # auto as deviations
    if moves:
        x = graph.add("moves", Moves(moves), x, lengths)
        lengths = None if lengths is None else "moves:1"
    given = x = _scaled(graph, owner, s, x, lengths)
    given_lengths = lengths
    longest = s.max_timesteps if s.n_timesteps is None else s.n_timesteps
    stack = network_for(s.n_timesteps, {name: getattr(s, name) for name in names_of(type(s))})
    before, beside = stack.pop("stem"), stack.pop("branch")
    del stack["differences"]  # written already
    pooled: list[str] = []
    if before is not None:
        rows = convolutions_of(owner, "stem", before)
        x, lengths, pooled = stem(graph, x, lengths, rows, pooling_of("stem", before))
        longest = steps_after(longest or 0, rows)
    patch, overlap = stack.pop("patch"), stack.pop("overlap")
    if patch > 1 or overlap:
        x = graph.add("patch", Patch(patch, overlap), x, lengths)
        lengths = None if lengths is None else "patch:1"
    n_steps = patch_count(longest or 0, patch)
    x = recurrent_stack(
        graph, owner, x, lengths, cell=s.cell, dropout=s.dropout,
        recurrent_dropout=s.recurrent_dropout, residual=s.residual, layer_norm=s.layer_norm,
        initializers=initializers_of(owner, s, n_steps), **stack,
    )  # fmt: skip
    if beside is not None:
        rows, how = convolutions_of(owner, "branch", beside), pooling_of("branch", beside)
        pooled.append(branch(graph, given, given_lengths, rows, how))
    if pooled:
        x = graph.add("with_convolutions", Concatenate(), x, *pooled)
    if moves:
        x = graph.add("mean_of_moves", MeanOfMoves(len(moves)), x)
    return dense_stack(graph, x, s.dense, s.dropout)


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
    cell: CellName,
    units: int | Sequence[int],
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
    residual: bool,
    pooling: str | None,
    initializers: Initializers,
    pyramid: int = 1,
    layer_norm: bool = False,
) -> str:
    """Write recurrent layers over `x`, and the pooling of their steps into one vector.

    Without a pooling every step of the last layer is returned.

    With layer normalisation every layer but the first reads steps that are normalised, each by its
    own features; a residual sum goes past it, so that the way back through a deep stack is free
    (He et al. 2016, "Identity mappings in deep residual networks").

    In a pyramid (Chan, Jaitly, Le and Vinyals 2016, section 3.1) the layers from the second on read
    `pyramid` states of the first as one step, and the steps of both are pooled.
    """
    check_cell(owner, cell)
    widths = widths_of(units)
    if residual and len(set(widths)) > 1:
        raise ValueError(
            explain(owner, "units", "equal in all layers with residual=True", list(widths))
        )
    if layer_norm and len(widths) < 2:
        raise ValueError(explain(owner, "layer_norm", "False with a single recurrent layer", True))
    if pyramid > 1 and (residual or len(widths) < 2):
        expected = "1 with a single recurrent layer, and with residual=True"
        raise ValueError(explain(owner, "pyramid", expected, pyramid))
    # a residual sum needs the steps of both layers, so the last state is read afterwards
    read_state = pooling == "last" and not (residual and len(widths) > 1) and pyramid == 1
    summaries = []
    for i, width in enumerate(widths):
        if i == 1 and pyramid > 1:
            assert pooling is not None  # a pyramid has fewer steps than its input
            summaries.append(
                graph.add("pooling_fine", POOLINGS[pooling](bidirectional), x, lengths)
            )
            x = graph.add("fold", Patch(pyramid), x, lengths)
            lengths = None if lengths is None else "fold:1"
            initializers = initializers.over(patch_count(initializers.n_steps, pyramid))
        if i and dropout:
            x = graph.add(f"dropout_{i + 1}", Dropout(dropout), x)
        read = graph.add(f"layer_norm_{i + 1}", LayerNormalization(), x) if layer_norm and i else x
        layer = Recurrent(
            find_cell(cell).name, width, bidirectional, recurrent_dropout,
            return_sequences=not (i == len(widths) - 1 and read_state),
            initializers=initializers,
        )  # fmt: skip
        out = graph.add(f"recurrent_{i + 1}", layer, read, lengths)
        x = graph.add(f"residual_{i + 1}", Add(), x, out) if residual and i else out
    if read_state or pooling is None:
        return x
    x = graph.add("pooling", POOLINGS[pooling](bidirectional), x, lengths)
    return graph.add("pooled", Concatenate(), *summaries, x) if summaries else x


@takes(ClassifierNetwork)
def classifier(s: ClassifierNetwork) -> Network:
    """Describe what :func:`seqkit.build_classifier` builds."""
    owner = "build_classifier"
    if s.n_classes < 2:
        raise ValueError(explain(owner, "n_classes", "at least 2", s.n_classes))
    graph = Graph("classifier", named_inputs=s.variable_length)
    logits = graph.add("logits", Dense(s.n_classes), _encoded(graph, owner, s))
    head = Sigmoid() if s.multilabel else Softmax()
    return graph.network(graph.add("probabilities", head, logits), logits)


@takes(RegressorNetwork)
def regressor(s: RegressorNetwork) -> Network:
    """Describe what :func:`seqkit.build_regressor` builds."""
    owner = "build_regressor"
    if s.n_targets < 1:
        raise ValueError(explain(owner, "n_targets", "at least 1", s.n_targets))
    graph = Graph("regressor", named_inputs=s.variable_length)
    head, levels, n = head_of(s.quantiles, None, owner)
    features = _encoded(graph, owner, s)
    if not levels:
        made = graph.add("standardized", Dense(s.n_targets), features)
        return graph.network(graph.add("output", Unstandardize(), made), made)
    net = graph.add("head", Dense(s.n_targets * n), features)
    net = graph.add("head_levels", Reshape((s.n_targets, n)), net)
    made = graph.add("standardized", HeadLayer(head.name), net, None)
    return graph.network(graph.add("output", Unstandardize(-2), made), made)
