"""From a description to an ordinary functional ``keras.Model`` with the nodes' names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from seqkit.network.decoders import RecursiveDecoder
from seqkit.network.document import settings_of
from seqkit.network.ensembles import Member
from seqkit.network.graph import Network, Node
from seqkit.network.keras import decoder_layers, head_layers, layers, window_layers
from seqkit.network.keras.described import AnyLayer
from seqkit.network.keras.recurrent import Bidirectional, GatedRNN
from seqkit.network.keras.recurrent.bias import starting
from seqkit.network.keras.tensors import tensors_of, with_states
from seqkit.network.layers.base import Layer
from seqkit.network.layers.combining import Add, Concatenate, Mean, Median, Sigmoid, Softmax
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.dense import Dense, Dropout
from seqkit.network.layers.embedding import Embedding, SegmentQueries, TokenEmbedding
from seqkit.network.layers.heads import Combine, CountScale, HeadLayer, ToUnits
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
from seqkit.network.layers.scaling import BoxCox, InverseBoxCox, Standardize, Unstandardize
from seqkit.network.layers.shaping import FoldChannels, Last, RepeatRows, Reshape, UnfoldChannels
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.layers.windows import NaiveForecast, Normalize, WindowStatistics

__all__ = ["FACES", "keras_model"]

Tensor = Any
Face = Callable[[Any, str], Callable[..., Any]]


def _timed(layer: Any, n_before: int = 1) -> Callable[..., Any]:
    """Return what calls a layer whose input number `n_before` may be lengths."""

    def compute(*given: Tensor | None) -> Any:
        inputs, lengths = given[:n_before], given[n_before:]
        timing = {"lengths": lengths[0]} if lengths and lengths[0] is not None else {}
        return layer(*inputs, **timing)

    return compute


def _recurrent(row: Recurrent, name: str) -> Callable[..., Any]:
    more: dict[str, Any] = {"return_state": True} if row.return_state else {}
    kind = Bidirectional if row.bidirectional else GatedRNN
    return with_states(
        kind(
            row.units, cell=row.cell, recurrent_dropout=row.recurrent_dropout,
            return_sequences=row.return_sequences, name=name, **more,
            **starting(row.initializers, row.cell),
        )
    )  # fmt: skip


def _dense(row: Dense, name: str) -> Any:
    activation = None if row.activation == "linear" else row.activation
    return keras.layers.Dense(row.units, activation, row.use_bias, name=name)


def _patch(row: Patch, name: str) -> Callable[..., Any]:
    layer = layers.Patch(row.size, row.overlap, name=name)

    def compute(x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if lengths is None:
            return layer(x), None
        return layer(x, lengths=lengths), layer.patched_lengths(lengths)

    return compute


def _convolution(row: Convolution, name: str) -> Callable[..., Any]:
    layer = layers.Convolution(row.filters, row.kernel_size, row.stride, name=name)

    def compute(x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if lengths is None:
            return layer(x), None
        return layer(x, lengths=lengths), layer.strided_lengths(lengths)

    return compute


def _moves(row: Moves, name: str) -> Callable[..., Any]:
    layer = layers.Moves(row.moves, name=name)

    def compute(x: Tensor, lengths: Tensor | None = None) -> Any:
        return (layer(x), None) if lengths is None else layer(x, lengths=lengths)

    return compute


def _left_patch(row: LeftPatch, name: str) -> Callable[..., Any]:
    layer = window_layers.LeftPatch(row.size, name=name)

    def compute(x: Tensor, lengths: Tensor | None = None) -> Any:
        return (layer(x), None) if lengths is None else layer(x, lengths=lengths)

    return compute


def _joined(row: Concatenate, name: str) -> Callable[..., Any] | None:
    if row.most is not None:
        return None
    layer = keras.layers.Concatenate(row.axis, name=name)
    return lambda *parts: layer(list(parts))


def _added(row: Add, name: str) -> Callable[..., Any]:
    layer = keras.layers.Add(name=name)
    return lambda x, y: layer([x, y if len(y.shape) == len(x.shape) else y[:, None, :]])


def _embedding(row: Embedding, name: str) -> Callable[..., Any]:
    layer = keras.layers.Embedding(row.n_categories, row.units, name=name)
    return lambda codes: layer(codes[:, row.column])


def _without_none(layer: Any) -> Callable[..., Any]:
    return lambda *given: layer(*(part for part in given if part is not None))


def _decoder(row: Any, name: str) -> Callable[..., Any]:
    layer = decoder_layers.RecursiveDecoder(
        row.horizon, row.patch, row.n_parameters, row.head, row.cell, row.units, row.dropout,
        initializers=row.initializers, name=name,
    )  # fmt: skip
    names = ["summary", "last", *(n for n in ("naive", "future") if getattr(row, n))]
    return lambda *given: layer(dict(zip(names, given, strict=True)))


def _member(row: Member, name: str) -> Callable[..., Any]:
    model = keras_model(row.network)
    model.name = name
    names = [i.name for i in row.network.inputs]
    if not row.network.named_inputs:
        return lambda x: model(x)
    return lambda *given: model(dict(zip(names, given, strict=True)))


def _of_list(layer: Any) -> Callable[..., Any]:
    return lambda *parts: layer(list(parts))


FACES: dict[type[Layer], Face] = {
    Add: _added,
    AttentionPooling: lambda r, name: _timed(layers.AttentionPooling(r.units, name=name)),
    BatchNormalization: lambda r, name: _timed(
        layers.BatchNormalization(r.activation, r.momentum, r.epsilon, name=name)
    ),
    Combine: lambda r, name: head_layers.Combine(r.share, r.middle, r.moved, name=name),
    Concatenate: _joined,  # type: ignore[dict-item]
    Convolution: _convolution,
    CountScale: lambda r, name: _timed(head_layers.CountScale(name=name), 2),
    Dense: _dense,
    Dropout: lambda r, name: keras.layers.Dropout(r.rate, name=name),
    Embedding: _embedding,
    FoldChannels: lambda r, name: window_layers.FoldChannels(r.n_channels, name=name),
    HeadLayer: lambda r, name: _without_none(head_layers.HeadLayer(r.head, name=name)),
    Last: lambda r, name: window_layers.LastSteps(r.n_steps, name=name),
    LayerNormalization: lambda r, name: keras.layers.LayerNormalization(
        epsilon=r.epsilon, name=name
    ),
    LeftPatch: _left_patch,
    Mean: lambda r, name: _of_list(keras.layers.Average(name=name)),
    MeanOfMoves: lambda r, name: layers.MeanOfMoves(r.n, name=name),
    Median: lambda r, name: _of_list(head_layers.Median(name=name)),
    Member: _member,
    Moves: _moves,
    MaskPadding: lambda r, name: window_layers.Quieten(name=name),
    NaiveForecast: lambda r, name: _timed(
        window_layers.NaiveForecast(r.kind, r.horizon, r.season, name=name)
    ),
    Normalize: lambda r, name: _timed(window_layers.Normalize(name=name), 3),
    Patch: _patch,
    Pooling: lambda r, name: _timed(layers.SequencePooling(r.mode, r.bidirectional, name=name)),
    Recurrent: _recurrent,
    RepeatRows: lambda r, name: window_layers.FoldChannels(r.times, share=True, name=name),
    Reshape: lambda r, name: keras.layers.Reshape(r.target, name=name),
    SegmentQueries: lambda r, name: decoder_layers.SegmentQueries(
        r.n_segments, r.width, r.n_channels, name=name
    ),
    Sigmoid: lambda r, name: keras.layers.Activation("sigmoid", name=name),
    Softmax: lambda r, name: keras.layers.Softmax(name=name),
    Standardize: lambda r, name: layers.Standardize(name=name),
    ThetaForecast: lambda r, name: _timed(
        window_layers.ThetaForecast(r.horizon, r.season, name=name)
    ),
    ToUnits: lambda r, name: head_layers.ToUnits(r.head, name=name),
    TokenEmbedding: lambda r, name: keras.layers.Embedding(r.n_tokens, r.units, name=name),
    UnfoldChannels: lambda r, name: window_layers.UnfoldChannels(r.n_channels, name=name),
    Unstandardize: lambda r, name: layers.Unstandardize(r.axis, name=name),
    WindowStatistics: lambda r, name: _timed(
        window_layers.WindowStatistics(r.kind, r.n_targets, name=name)
    ),
    RecursiveDecoder: _decoder,
}
"""The Keras layer of a kind. One that is not here is computed by its own operations, in a layer of
its own where it has weights."""


_WHOLE = (BoxCox, InverseBoxCox, NormalizeSeries)
"""Kinds without weights that are a layer all the same: what counts the steps of a series needs
them, which a symbol has not; and powers are one layer rather than some operations a target."""


def keras_model(network: Network) -> keras.Model:
    """Build the functional model of a description; one input alone is not a dictionary of one.

    Parameters
    ----------
    network : Network

    Returns
    -------
    keras.Model
    """
    inputs = {i.name: keras.Input(i.shape, dtype=i.dtype, name=i.name) for i in network.inputs}
    weighed = {weight.node for weight in network.weights}
    made = {
        node.name: compute
        for node in network.nodes
        if (compute := _made(node, node.name in weighed)) is not None
    }
    output = tensors_of(network, inputs, made)[network.output]
    given = inputs if network.named_inputs else next(iter(inputs.values()))
    return keras.Model(given, output, name=network.name)


def _made(node: Node, has_weights: bool) -> Callable[..., Any] | None:
    if node.shares is not None:
        return None
    if type(node.layer) in FACES:
        return FACES[type(node.layer)](node.layer, node.name)
    if not has_weights and not isinstance(node.layer, _WHOLE):
        return None
    layer = AnyLayer(
        type(node.layer).__name__, settings_of(node.layer),
        [ref is not None for ref in node.inputs], name=node.name,
    )  # fmt: skip
    return lambda *given: layer([part for part in given if part is not None])
