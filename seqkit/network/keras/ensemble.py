"""Several networks as one model: forecasters by their median, others by their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqkit.network.keras.described import AnyLayer
from seqkit.network.keras.head_layers import Combine
from seqkit.network.keras.window_layers import LastSteps, ThetaForecast
from seqkit.network.layers import heads
from seqkit.network.layers import theta as theta_layers

__all__ = ["Median", "build_ensemble"]


@keras.saving.register_keras_serializable(package="seqkit")
class Median(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Median over a list of equally shaped tensors, element by element."""

    def call(self, members: Sequence[Any]) -> Any:
        ranked = ops.sort(ops.stack(members, axis=0), axis=0)
        n = len(members)
        return (ranked[(n - 1) // 2] + ranked[n // 2]) / 2


def build_ensemble(
    members: Sequence[Callable[[], keras.Model]],
    context_lengths: Sequence[int] | None = None,
    theta: theta_layers.ThetaForecast | None = None,
    theta_window: int = 0,
    combine: heads.Combine | None = None,
    powers: Sequence[float] = (),
) -> keras.Model:
    """Combine networks: the median of forecasts, whose quantiles stay in order, or the mean.

    Parameters
    ----------
    members : sequence of callables
        Each builds a model; forecasters may differ in their context length only, others not at all.
    context_lengths : sequence of int, optional
        Of forecasters: the longest is that of the whole model; the others see the last steps of it.
    theta : ThetaForecast, optional
        A forecast that is combined with the median.
    theta_window : int
        Steps that it sees: those of the whole model, which then takes ``lengths``, since a forecast
        needs the context of its networks only.
    combine : Combine
        How they are combined.
    powers : sequence of float
        Of the Box-Cox transform of each target, which the members see and forecast; () = none.

    Returns
    -------
    keras.Model
        The layers ``member_1`` ... hold the weights, in this order.
    """
    models = [build() for build in members]
    for number, model in enumerate(models):
        model.name = f"member_{number + 1}"
    if context_lengths is None:
        return _mean(models)
    longest = max(*context_lengths, theta_window)
    inputs = _inputs(models[0], longest)
    if theta is not None and "lengths" not in inputs:
        inputs["lengths"] = keras.Input((), dtype="int32", name="lengths")
    seen = inputs["x"]
    transform = {"powers": list(powers)}
    if powers:
        seen = AnyLayer("BoxCox", transform, [True], name="box_cox")([seen])
    forecasts = []
    for number, (model, length) in enumerate(zip(models, context_lengths, strict=True)):
        own = {**inputs, "x": seen}
        if length < longest:
            own["x"] = LastSteps(length, name=f"last_{number + 1}")(seen)
        own = {tensor.name: own[tensor.name] for tensor in model.inputs}
        if "lengths" in own:
            own["lengths"] = ops.minimum(inputs["lengths"], length)
        forecast = model(own)
        if powers:
            back = AnyLayer("InverseBoxCox", transform, [True], name=f"units_{number + 1}")
            forecast = back([forecast])
        forecasts.append(forecast)
    forecast = Median(name="median" if theta else "forecast")(forecasts)
    if theta is not None and combine is not None:
        targets = inputs["x"][:, :, : forecast.shape[2]]
        other = ThetaForecast(theta.horizon, theta.season, name="theta")
        join = Combine(combine.share, combine.middle, combine.moved, name="forecast")
        forecast = join(forecast, other(targets, lengths=inputs["lengths"]))
    return keras.Model(inputs, forecast, name="forecaster")


def _inputs(model: keras.Model, longest: int | None = None) -> dict[str, Any]:
    """Return inputs like those of a model; `longest` is the length of its series, if another."""
    inputs = {}
    for tensor in model.inputs:
        shape = tensor.shape[1:]
        if tensor.name == "x" and longest is not None:
            shape = (longest, *shape[1:])
        inputs[tensor.name] = keras.Input(shape, dtype=tensor.dtype, name=tensor.name)
    return inputs


def _mean(models: Sequence[keras.Model]) -> keras.Model:
    """Combine models of whole series by the mean of their predictions."""
    inputs: Any = _inputs(models[0])
    if not isinstance(models[0].input, dict):
        (inputs,) = inputs.values()
    name = models[0].output_names[0]
    return keras.Model(inputs, keras.layers.Average(name=name)([m(inputs) for m in models]))
