"""Decoders of the forecaster: from the encoded window to the steps of the horizon.

Each is a row of :data:`DECODERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from seqkit import _register_layers
from seqkit.builders import recurrent_stack
from seqkit.cells import ALIASES, CELLS
from seqkit.forecast_head_layers import HeadLayer
from seqkit.layers import GatedRNN

__all__ = ["DECODERS", "Decoder", "Frame"]

Tensor = Any


@dataclass(frozen=True)
class Frame:
    """What a decoder works with; ``B`` counts a window once a channel where they are independent.

    Attributes
    ----------
    steps : tensor (B, K, F)
        Patches of normalised targets and covariates.
    lengths : tensor (B,) or None
        Valid patches, at the front.
    last : tensor (B, patch, n_outputs) or None
        The last patch of normalised targets.
    naive : tensor (B, horizon, n_outputs) or None
        The naive forecast that is departed from.
    future : tensor (B, horizon, n_future) or None
    static : tensor (B, n_static) or None
    n_channels : int
        Channels folded into the batch, 1 where they are joint.
    """

    steps: Tensor
    lengths: Tensor | None
    last: Tensor | None
    naive: Tensor | None
    future: Tensor | None
    static: Tensor | None
    n_channels: int
    horizon: int
    n_outputs: int
    n_parameters: int
    head: str
    owner: str
    cell: str
    units: tuple[int, ...]
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    residual: bool
    patch: int
    dense: tuple[int, ...]

    def encode(self, steps: Tensor) -> Tensor:
        """Summary of the window, ``(B, width)``."""
        return recurrent_stack(
            steps,
            self.lengths,
            owner=self.owner,
            cell=self.cell,
            units=self.units,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            residual=self.residual,
            pooling="last",
        )


@dataclass(frozen=True)
class Decoder:
    """A row of :data:`DECODERS`.

    Parameters
    ----------
    name, summary, source : str
    decode : callable (Frame) -> tensor (B, horizon, n_outputs, n_parameters)
    forbids : dict of str to value
        Settings the decoder cannot use, with the only value it takes.
    """

    name: str
    summary: str
    decode: Callable[[Frame], Tensor]
    forbids: dict[str, Any]
    source: str = ""


def _direct(frame: Frame) -> Tensor:
    """All steps at once from the final state, which has seen the last observation."""
    features = frame.encode(frame.steps)
    if frame.static is not None:
        features = keras.layers.Concatenate(name="with_static")([features, frame.static])
    for i, width in enumerate(frame.dense):
        features = keras.layers.Dense(width, activation="relu", name=f"dense_{i + 1}")(features)
    if frame.dropout:
        features = keras.layers.Dropout(frame.dropout, name="dropout_head")(features)
    shape = (frame.horizon, frame.n_outputs, frame.n_parameters)
    out = keras.layers.Dense(shape[0] * shape[1] * shape[2], name="head")(features)
    out = keras.layers.Reshape(shape, name="head_steps")(out)
    if frame.future is not None:
        # each step also hears its own covariates, by weights shared over the steps
        width = frame.units[-1]
        own = keras.layers.Dense(width, name="future_steps")(frame.future)  # (B, H, width)
        state = keras.layers.Dense(width, use_bias=False, name="future_state")(features)
        mixed = keras.layers.Activation("relu", name="future_mixed")(own + state[:, None, :])
        effect = keras.layers.Dense(shape[1] * shape[2], name="future_effect")(mixed)
        out = out + keras.layers.Reshape(shape, name="future_reshape")(effect)
    return out


def _recursive(frame: Frame) -> Tensor:
    """Patch after patch, each from the one before."""
    summary = frame.encode(frame.steps)
    if frame.static is not None:
        summary = keras.layers.Concatenate(name="with_static")([summary, frame.static])
    decoder = RecursiveDecoder(
        frame.horizon,
        frame.patch,
        frame.n_parameters,
        frame.head,
        frame.cell,
        frame.units,
        frame.dropout,
        name="decoder",
    )
    inputs = {"summary": summary, "last": frame.last}
    for name in ("naive", "future"):
        if getattr(frame, name) is not None:
            inputs[name] = getattr(frame, name)
    return decoder(inputs)


def _segment(frame: Frame) -> Tensor:
    """All patches of the horizon in parallel, each one step of the same recurrence."""
    width = frame.units[0]
    n_segments = -(-frame.horizon // frame.patch)
    x = keras.layers.Dense(width, activation="relu", name="segment_embedding")(frame.steps)
    layers = [
        GatedRNN(
            units,
            cell=frame.cell,
            recurrent_dropout=frame.recurrent_dropout,
            return_sequences=True,
            return_state=True,
            name=f"recurrent_{i + 1}",
        )
        for i, units in enumerate(frame.units)
    ]
    timing = {} if frame.lengths is None else {"lengths": frame.lengths}
    states = []
    for layer in layers:
        x, *state = layer(x, **timing)
        states.append(state)
    query = SegmentQueries(n_segments, width, frame.n_channels, name="queries")(states[0][0])
    if frame.future is not None:
        ahead = _segments(frame.future, n_segments, frame.patch)
        query = query + keras.layers.Dense(width, name="future_segments")(ahead)
    if frame.static is not None:
        query = query + keras.layers.Dense(width, name="static_segments")(frame.static)[:, None, :]
    y = ops.reshape(query, (-1, 1, width))  # (B * n_segments, 1, width)
    for layer, state in zip(layers, states, strict=True):
        y = layer(y, initial_state=[ops.repeat(s, n_segments, axis=0) for s in state])[0]
    if frame.dropout:
        y = keras.layers.Dropout(frame.dropout, name="dropout_head")(y)
    n_values = frame.n_outputs * frame.n_parameters
    y = keras.layers.Dense(frame.patch * n_values, name="head")(y)
    shape = (-1, n_segments * frame.patch, frame.n_outputs, frame.n_parameters)
    return ops.reshape(y, shape)[:, : frame.horizon]


def _segments(x: Tensor, n_segments: int, patch: int) -> Tensor:
    """Fold steps of the horizon: ``(B, H, F) -> (B, n_segments, patch * F)``, zeros at the end."""
    rest = n_segments * patch - x.shape[1]
    if rest:
        x = ops.pad(x, [[0, 0], [0, rest], [0, 0]])
    return ops.reshape(x, (-1, n_segments, patch * x.shape[2]))


DECODERS: dict[str, Decoder] = {
    row.name: row
    for row in (
        Decoder("direct", "a head from the final state to all steps at once", _direct, {}),
        Decoder(
            "recursive",
            "patch after patch, its own outputs fed back, trained the same way",
            _recursive,
            {"dense": ()},
            "Salinas et al. 2020, without teacher forcing",
        ),
        Decoder(
            "segment",
            "all patches of the horizon in parallel, from position and channel embeddings",
            _segment,
            {"dense": (), "bidirectional": False, "residual": False},
            "Lin et al. 2023 (SegRNN)",
        ),
    )
}


@keras.saving.register_keras_serializable(package="seqkit")
class SegmentQueries(keras.layers.Layer):
    """Learned inputs of the segment decoder, ``(B, n_segments, width)``.

    With several channels the first half says where in the horizon, the second half which channel
    (Lin et al. 2023, section 3.3).
    """

    def __init__(self, n_segments: int, width: int, n_channels: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_segments, self.width, self.n_channels = n_segments, width, n_channels

    def build(self, input_shape: Any) -> None:
        channel = self.width // 2 if self.n_channels > 1 else 0
        self.position_initializer = keras.initializers.RandomNormal()
        self.channel_initializer = keras.initializers.RandomNormal()
        self.position = self.add_weight(
            shape=(self.n_segments, self.width - channel),
            initializer=self.position_initializer,
            name="position",
        )
        if channel:
            self.channel = self.add_weight(
                shape=(self.n_channels, channel),
                initializer=self.channel_initializer,
                name="channel",
            )

    def call(self, like: Tensor) -> Tensor:
        n = ops.shape(like)[0]
        position = ops.broadcast_to(self.position[None], (n, *self.position.shape))
        if self.n_channels == 1:
            return position
        which = ops.arange(n, dtype="int32") % self.n_channels  # channels vary fastest
        channel = ops.take(self.channel, which, axis=0)[:, None, :]
        return ops.concatenate([position, ops.repeat(channel, self.n_segments, axis=1)], axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.n_segments, self.width)

    def get_config(self) -> dict[str, Any]:
        config = {"n_segments": self.n_segments, "width": self.width, "n_channels": self.n_channels}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="seqkit")
class RecursiveDecoder(keras.layers.Layer):
    """Forecast patch after patch; each step takes the patch before it, as forecast.

    What is fed back is the head's middle: the value, the median quantile or the location. The
    same happens in training, so the network learns from its own errors.

    Parameters
    ----------
    horizon, patch, n_parameters : int
    head, cell : str
    units : sequence of int
    dropout : float
    """

    def __init__(
        self,
        horizon: int,
        patch: int,
        n_parameters: int,
        head: str,
        cell: str,
        units: Sequence[int],
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.horizon, self.patch, self.n_parameters = horizon, patch, n_parameters
        self.head, self.cell, self.units, self.dropout = head, cell, tuple(units), dropout
        self.n_states = len(CELLS[ALIASES.get(cell, cell)].states)
        self.layers_ = [
            GatedRNN(
                width,
                cell=cell,
                return_state=True,
                return_sequences=True,
                name=f"recurrent_{i + 1}",
            )
            for i, width in enumerate(self.units)
        ]
        self.bridges = [
            [
                keras.layers.Dense(width, activation="tanh", name=f"bridge_{i + 1}_{s}")
                for s in range(self.n_states)
            ]
            for i, width in enumerate(self.units)
        ]
        self.drop = keras.layers.Dropout(dropout)
        self.to_head = HeadLayer(head)

    def build(self, shapes: dict[str, Any]) -> None:
        n_outputs = shapes["last"][2]
        width = self.patch * n_outputs
        if "future" in shapes:
            width += self.patch * shapes["future"][2]
        for layer, bridges in zip(self.layers_, self.bridges, strict=True):
            layer.build((None, 1, width))
            for bridge in bridges:
                bridge.build(shapes["summary"])
            width = layer.units
        self.out = keras.layers.Dense(self.patch * n_outputs * self.n_parameters, name="head")
        self.out.build((None, width))
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        n_outputs = inputs["last"].shape[2]
        n_segments = -(-self.horizon // self.patch)
        naive = inputs.get("naive")
        ahead = None
        if naive is not None:
            naive = _segments(naive, n_segments, self.patch)
        if "future" in inputs:
            ahead = _segments(inputs["future"], n_segments, self.patch)
        states = [[bridge(inputs["summary"]) for bridge in bridges] for bridges in self.bridges]
        fed = ops.reshape(inputs["last"], (-1, self.patch * n_outputs))
        parts = []
        for segment in range(n_segments):
            y = fed if ahead is None else ops.concatenate([fed, ahead[:, segment]], axis=-1)
            y = y[:, None, :]
            for i, layer in enumerate(self.layers_):
                y = self.drop(y, training=training) if i and self.dropout else y
                y, *states[i] = layer(y, initial_state=states[i], training=training)
            net = self.out(self.drop(y[:, 0], training=training))
            net = ops.reshape(net, (-1, self.patch, n_outputs, self.n_parameters))
            parts.append(net)
            own = None
            if naive is not None:
                own = ops.reshape(naive[:, segment], (-1, self.patch, n_outputs))
            answer = self.to_head(net, own)
            if self.head != "point":
                middle = self.n_parameters // 2 if self.head == "quantiles" else 0
                answer = answer[..., middle]
            fed = ops.reshape(answer, (-1, self.patch * n_outputs))
        return ops.concatenate(parts, axis=1)[:, : self.horizon]

    def compute_output_shape(self, shapes: dict[str, Any]) -> Any:
        return (shapes["last"][0], self.horizon, shapes["last"][2], self.n_parameters)

    def get_config(self) -> dict[str, Any]:
        config = {
            "horizon": self.horizon,
            "patch": self.patch,
            "n_parameters": self.n_parameters,
            "head": self.head,
            "cell": self.cell,
            "units": list(self.units),
            "dropout": self.dropout,
        }
        return {**super().get_config(), **config}


_register_layers(__name__)
