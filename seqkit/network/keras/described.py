"""Keras layers whose equation, shapes and weights are those of a described layer."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from seqkit.network.layers.base import Layer, Saved
from seqkit.network.ops import keras_namespace

__all__ = ["Described"]


class Described(keras.layers.Layer):
    """A Keras layer over a row of :mod:`seqkit.network.layers`.

    A subclass calls :meth:`describe` where it is made, has a ``call`` that names its inputs, and
    keeps the weights under their names.
    """

    described: Layer

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # else Keras warns, and loses the mask

    def describe(self, described: Layer) -> None:
        """Take over a description and its settings as attributes."""
        self.described = described
        for field in dataclasses.fields(described):
            setattr(self, field.name, getattr(described, field.name))

    def add_weights(self, *shapes: Any) -> None:
        """Make the weights for inputs of these shapes, which begin with the batch."""
        inputs = [None if shape is None else tuple(shape[1:]) for shape in shapes]
        for p in self.described.parameters(*inputs):
            weight = self.add_weight(
                shape=p.shape,
                initializer=getattr(self, f"{p.name}_initializer"),
                trainable=p.trainable,
                name=p.name,
            )
            setattr(self, p.name, weight)
        self.weight_names = [p.name for p in self.described.parameters(*inputs)]

    def compute(self, *inputs: Any) -> Any:
        """Return the description's `forward` of these tensors."""
        p = {name: getattr(self, name) for name in getattr(self, "weight_names", ())}
        return self.described.forward(keras_namespace(), p, Saved(), *inputs)

    def get_config(self) -> dict[str, Any]:
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self.described)}
        return {**super().get_config(), **settings}
