"""Keras layers whose equation, shapes and weights are those of a described layer."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from seqkit.network.layers.base import Layer, Parameter, Saved
from seqkit.network.ops import keras_namespace

__all__ = ["AnyLayer", "Described"]


class Described(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
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
                # of averages that replicas move each by its share of a batch
                aggregation="none" if p.trainable else "mean",
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


def _starting(p: Parameter) -> Any:
    """Return an initialiser of Keras that gives what a parameter starts from."""
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(p.initial(p.shape, 0), dtype)


@keras.saving.register_keras_serializable(package="seqkit")
class AnyLayer(Described):
    """Any kind of layer, for those that have no class of their own in Keras.

    Parameters
    ----------
    kind : str
        A row of :data:`seqkit.network.document.KINDS`.
    settings : dict
        Of the kind.
    present : list of bool
        Which of the kind's inputs are there; they are given in a list.
    """

    def __init__(
        self, kind: str, settings: dict[str, Any], present: list[bool], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        from seqkit.network.document import KINDS, frozen

        self.kind, self.settings, self.present = kind, dict(settings), list(present)
        self.described = KINDS[kind](**{k: frozen(v) for k, v in settings.items()})

    def build(self, shapes: Any) -> None:
        weights = self.described.parameters(*self._whole([tuple(s[1:]) for s in shapes]))
        for p in weights:
            weight = self.add_weight(
                shape=p.shape, initializer=_starting(p), trainable=p.trainable, name=p.name
            )
            setattr(self, p.name, weight)
        self.weight_names = [p.name for p in weights]

    def _whole(self, given: Any) -> list[Any]:
        there = iter(given)
        return [next(there) if present else None for present in self.present]

    def call(self, inputs: Any) -> Any:
        return self.compute(*self._whole(inputs))

    def get_config(self) -> dict[str, Any]:
        own = {"kind": self.kind, "settings": self.settings, "present": self.present}
        return {**keras.layers.Layer.get_config(self), **own}
