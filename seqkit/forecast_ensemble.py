"""Several forecasters as one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqkit import _register_layers

__all__ = ["Median", "build_ensemble"]


@keras.saving.register_keras_serializable(package="seqkit")
class Median(keras.layers.Layer):
    """Median over a list of equally shaped tensors, element by element."""

    def call(self, members: Sequence[Any]) -> Any:
        ranked = ops.sort(ops.stack(members, axis=0), axis=0)
        n = len(members)
        return (ranked[(n - 1) // 2] + ranked[n // 2]) / 2


@keras.saving.register_keras_serializable(package="seqkit")
class LastSteps(keras.layers.Layer):
    """The last `n_steps` of ``(batch, time, channels)``."""

    def __init__(self, n_steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_steps = n_steps

    def call(self, x: Any) -> Any:
        return x[:, -self.n_steps :, :]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_steps": self.n_steps}


def build_ensemble(
    members: Sequence[Callable[[], keras.Model]], context_lengths: Sequence[int]
) -> keras.Model:
    """Combine forecasters by the median of their answers; quantiles stay in order.

    Parameters
    ----------
    members : sequence of callables
        Each builds a forecaster; they may differ in their context length only.
    context_lengths : sequence of int
        The longest is that of the whole model; the others see the last steps of it.

    Returns
    -------
    keras.Model
        The layers ``member_1`` ... hold the weights, in this order.
    """
    models = [build() for build in members]
    longest = max(context_lengths)
    inputs: dict[str, Any] = {}
    for tensor in models[0].inputs:
        shape = tensor.shape[1:]
        if tensor.name == "x":
            shape = (longest, *shape[1:])
        inputs[tensor.name] = keras.Input(shape, dtype=tensor.dtype, name=tensor.name)
    answers = []
    for number, (model, length) in enumerate(zip(models, context_lengths, strict=True)):
        model.name = f"member_{number + 1}"
        own = dict(inputs)
        if length < longest:
            own["x"] = LastSteps(length, name=f"last_{number + 1}")(inputs["x"])
            if "lengths" in own:
                own["lengths"] = ops.minimum(inputs["lengths"], length)
        answers.append(model(own))
    return keras.Model(inputs, Median(name="forecast")(answers), name="forecaster")


_register_layers(__name__)
