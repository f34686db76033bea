"""Keras layers of the decoders of :mod:`seqkit.network.decoders`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqkit.cells import CellName, find_cell
from seqkit.network import decoders
from seqkit.network.keras.described import Described
from seqkit.network.keras.recurrent import GatedRNN
from seqkit.network.keras.recurrent.bias import starting
from seqkit.network.keras.tensors import tensors_of, with_states
from seqkit.network.layers import embedding
from seqkit.network.layers.dense import Dropout

__all__ = ["RecursiveDecoder", "SegmentQueries"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class SegmentQueries(Described):
    """Learned inputs of the segment decoder, ``(B, n_segments, width)``.

    With several channels the first half says where in the horizon, the second half which channel
    (Lin et al. 2023, section 3.3).
    """

    position_initializer = keras.initializers.RandomNormal()
    channel_initializer = keras.initializers.RandomNormal()

    def __init__(self, n_segments: int, width: int, n_channels: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(embedding.SegmentQueries(n_segments, width, n_channels))

    def build(self, input_shape: Any) -> None:
        self.add_weights(input_shape)

    def call(self, like: Tensor) -> Tensor:
        return self.compute(like)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape[0], *self.described.shape(tuple(shape[1:]))


@keras.saving.register_keras_serializable(package="seqkit")
class RecursiveDecoder(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Forecast patch after patch; each step takes the patch before it, as forecast.

    What is fed back is the head's point: the value, the median quantile or the location. The
    same happens in training, so the network learns from its own errors.

    Parameters
    ----------
    horizon, patch, n_parameters : int
    head, cell : str
    units : sequence of int
    dropout : float
    initializers : sequence, optional
        As :class:`seqkit.network.initializers.Initializers`.
    """

    def __init__(
        self,
        horizon: int,
        patch: int,
        n_parameters: int,
        head: str,
        cell: CellName,
        units: Sequence[int],
        dropout: float = 0.0,
        initializers: Sequence[Any] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.horizon, self.patch, self.n_parameters = horizon, patch, n_parameters
        self.head, self.cell, self.units, self.dropout = head, cell, tuple(units), dropout
        self.initializers = tuple(initializers)
        self.n_states = len(find_cell(cell).states)
        self.layers_ = [
            GatedRNN(
                width,
                cell=cell,
                return_state=True,
                return_sequences=True,
                name=f"recurrent_{i + 1}",
                **starting(self.initializers, cell),
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
        names = [name for name in ("summary", "last", "naive", "future") if name in inputs]
        described = decoders.RecursiveDecoder(
            self.horizon, self.patch, self.n_parameters, self.head, self.cell, self.units,
            self.dropout, naive="naive" in inputs, future="future" in inputs,
        )  # fmt: skip
        network = described.inner(*(tuple(inputs[name].shape[1:]) for name in names))
        made: dict[str, Any] = {"head": self.out}
        for i, (layer, bridges) in enumerate(zip(self.layers_, self.bridges, strict=True)):
            made[f"recurrent_{i + 1}"] = with_states(layer)
            made |= {f"bridge_{i + 1}_{s}": bridge for s, bridge in enumerate(bridges)}
        for node in network.nodes:
            if isinstance(node.layer, Dropout):
                made[node.name] = lambda x: self.drop(x, training=training)
        return tensors_of(network, inputs, made)[network.output]

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
            "initializers": list(self.initializers),
        }
        return {**super().get_config(), **config}
