"""A network as JSON, and back: names of kinds, settings, and who reads whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from seqkit.errors import explain, suggest
from seqkit.network.decoders import RecursiveDecoder
from seqkit.network.graph import Input, Network, Node
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.base import Layer
from seqkit.network.layers.combining import (
    Add,
    Concatenate,
    Mean,
    Median,
    ReluSum,
    Sigmoid,
    Softmax,
)
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.embedding import Embedding, SegmentQueries, TokenEmbedding
from seqkit.network.layers.heads import Combine, CountScale, HeadLayer, ToUnits
from seqkit.network.layers.learned_theta import LearnedTheta
from seqkit.network.layers.mixture import MixtureHead
from seqkit.network.layers.moves import MeanOfMoves, Moves
from seqkit.network.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    NormalizeSeries,
)
from seqkit.network.layers.padding import MaskPadding
from seqkit.network.layers.patching import LeftPatch, Patch
from seqkit.network.layers.pooling import AttentionPooling, Pooling
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.scaling import (
    BoxCox,
    Deviations,
    Differences,
    InverseBoxCox,
    Standardize,
    Unstandardize,
)
from seqkit.network.layers.shaping import (
    AsSequence,
    AtMost,
    Columns,
    FoldChannels,
    FoldSteps,
    Last,
    Pick,
    RepeatRows,
    Reshape,
    Segments,
    Step,
    UnfoldChannels,
    UnfoldSegments,
)
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.layers.windows import NaiveForecast, Normalize, WindowStatistics

__all__ = ["FORMAT", "KINDS", "as_document", "frozen", "network_of", "settings_of"]

FORMAT = 1

KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Add,
        AsSequence,
        AtMost,
        AttentionPooling,
        Averages,
        BatchNormalization,
        BoxCox,
        Columns,
        Combine,
        Concatenate,
        Convolution,
        CountScale,
        Dense,
        Deviations,
        Differences,
        Dropout,
        Embedding,
        FoldChannels,
        FoldSteps,
        HeadLayer,
        InverseBoxCox,
        Last,
        LayerNormalization,
        LearnedTheta,
        LeftPatch,
        MaskPadding,
        Mean,
        MeanOfMoves,
        Median,
        MixtureHead,
        Moves,
        NaiveForecast,
        Normalize,
        NormalizeSeries,
        Patch,
        Pick,
        Pooling,
        Recurrent,
        RecursiveDecoder,
        ReluSum,
        RepeatRows,
        Reshape,
        SegmentQueries,
        Segments,
        Sigmoid,
        Softmax,
        Standardize,
        Step,
        ThetaForecast,
        ToUnits,
        TokenEmbedding,
        UnfoldChannels,
        UnfoldSegments,
        Unstandardize,
        WindowStatistics,
    )
}
"""Every kind of layer by name."""
_FIELDS = ("format", "name", "inputs", "nodes", "output", "trained", "named_inputs")


def as_document(network: Network) -> dict[str, Any]:
    """Return a network as plain lists, dictionaries, strings and numbers.

    Examples
    --------
    >>> from seqkit.network.series import classifier
    >>> made = classifier(9, 1, 2, units=4)
    >>> document = as_document(made)
    >>> document["nodes"][-1]
    {'name': 'probabilities', 'kind': 'Softmax', 'settings': {}, 'inputs': ['logits']}
    >>> network_of(document) == made
    True
    """
    return {
        "format": FORMAT,
        "name": network.name,
        "inputs": [
            {"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in network.inputs
        ],
        "nodes": [
            {
                "name": node.name,
                "kind": type(node.layer).__name__,
                "settings": settings_of(node.layer),
                "inputs": list(node.inputs),
                **({"shares": node.shares} if node.shares else {}),
            }
            for node in network.nodes
        ],
        "output": network.output,
        "trained": network.trained,
        "named_inputs": network.named_inputs,
    }


def network_of(document: Mapping[str, Any]) -> Network:
    """Return the network of a document.

    Raises
    ------
    ValueError
        If it is of a newer format, names a kind of layer that there is not, or has other fields.
    KeyError, TypeError
        If a field is not of its type.
    """
    written = document["format"]
    if type(written) is not int or not 1 <= written <= FORMAT:
        expected = f"an integer, at most {FORMAT}"
        raise ValueError(explain("network", "format", expected, written, "Update seqkit."))
    _check_fields("network", document, _FIELDS)
    inputs = []
    for one in document["inputs"]:
        _check_fields("an input", one, ("name", "shape", "dtype"))
        inputs.append(Input(one["name"], tuple(one["shape"]), one["dtype"]))
    nodes = []
    for node in document["nodes"]:
        _check_fields("a node", node, ("name", "kind", "settings", "inputs"), ("shares",))
        kind = node["kind"]
        if kind not in KINDS:
            expected, hint = f"one of {', '.join(KINDS)}", suggest(str(kind), KINDS)
            raise ValueError(explain("network", f"kind of {node['name']}", expected, kind, hint))
        settings = {name: frozen(value) for name, value in node["settings"].items()}
        nodes.append(
            Node(node["name"], KINDS[kind](**settings), tuple(node["inputs"]), node.get("shares"))
        )
    ends = document["output"], document["trained"], document["named_inputs"]
    return Network(document["name"], tuple(inputs), tuple(nodes), *ends)


def _check_fields(
    what: str, given: Any, fields: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    """Raise unless these are the fields, each there, and no others."""
    if not isinstance(given, Mapping) or not {*fields} <= {*given} <= {*fields, *optional}:
        got = list(given) if isinstance(given, Mapping) else given
        expected = f"{', '.join(fields)} and no others"
        raise ValueError(explain("network", f"the fields of {what}", expected, got))


def settings_of(layer: Layer) -> dict[str, Any]:
    """Return a layer's settings as plain values."""
    return {f.name: _plain(getattr(layer, f.name)) for f in dataclasses.fields(layer)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def frozen(value: Any) -> Any:
    """Return lists as tuples, so that a setting can be compared and hashed."""
    return tuple(frozen(inner) for inner in value) if isinstance(value, list) else value
