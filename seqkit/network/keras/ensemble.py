"""Several forecasters as one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqkit.network.keras.window_layers import LastSteps

__all__ = ["Median", "build_ensemble"]


@keras.saving.register_keras_serializable(package="seqkit")
class Median(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Median over a list of equally shaped tensors, element by element."""

    def call(self, members: Sequence[Any]) -> Any:
        ranked = ops.sort(ops.stack(members, axis=0), axis=0)
        n = len(members)
        return (ranked[(n - 1) // 2] + ranked[n // 2]) / 2


def build_ensemble(
    members: Sequence[Callable[[], keras.Model]], context_lengths: Sequence[int]
) -> keras.Model:
    """Combine forecasters by the median of their forecasts; quantiles stay in order.

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
    forecasts = []
    for number, (model, length) in enumerate(zip(models, context_lengths, strict=True)):
        model.name = f"member_{number + 1}"
        own = dict(inputs)
        if length < longest:
            own["x"] = LastSteps(length, name=f"last_{number + 1}")(inputs["x"])
            if "lengths" in own:
                own["lengths"] = ops.minimum(inputs["lengths"], length)
        forecasts.append(model(own))
    return keras.Model(inputs, Median(name="forecast")(forecasts), name="forecaster")
