"""The sections of a recipe for forecasting; others are in `sections`."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MaxLen, MinLen

from seqkit import auto, stopping
from seqkit.network import settings as network
from seqkit.network.settings import Auto
from seqkit.recipe.sections import PATIENCE_WORDS, ModelSection, Patience, TrainSection, losses
from seqkit.recipe.types import Count, Quantiles, Section, Widths, Words, count, setting
from seqkit.tasks import TASKS

__all__ = ["ForecastSection", "ForecastingModel", "ForecastingTrain"]


class ForecastingModel(ModelSection):
    """The network."""

    units: Widths = setting(128, "Width of the recurrent layer; a list is a stack of layers.")
    patch: Count | None = setting(
        None,
        "Time steps folded into one before the first recurrent layer: shorter recurrences. "
        "Default: a season, where the shortest context holds two, else 1.",
        "time steps",
    )
    decoder: network.DecoderName = setting(
        "direct",
        "How the horizon is produced: all steps from the final state; patch after patch, its own "
        "outputs fed back; or all patches in parallel (SegRNN, Lin et al. 2023).",
    )
    normalize: network.Normalization = setting(
        "standard",
        "Each context window by its own statistics, undone on the output: its last value "
        "subtracted, or zero mean and unit variance.",
    )
    departure_from: network.Departure = setting(
        "none",
        "Learn the departure from this naive forecast of the same window; learned_theta = theta, "
        "its smoothing constants and a damped trend learned with the network (Smyl 2020), the same "
        "for all series.",
    )
    channels: network.Channels = setting(
        "joint", "Several targets together in one window, or each as a series of its own."
    )
    target_transform: network.Transform = setting(
        "none",
        "What the network sees and forecasts of a target, of values above 0: log = its logarithm; "
        "box_cox = the power in [0, 1] by which the spread of all series is least bound to their "
        "level (Guerrero 1993); undone on the output, where a mean becomes one of logarithms or "
        "powers, and a quantile stays one.",
    )
    combine_with: network.Combination | Auto = setting(
        "auto",
        "A forecast that the network's is averaged with: theta = level, trend and season of the "
        "last ten seasons, smoothed. auto = theta where the series (by their median length) hold "
        f"{auto.FEWEST_SEASONS} to {auto.MOST_SEASONS} seasons, or steps where a season is 1, and "
        "there are no past or future covariates, which it does not see; else none.",
    )
    combination: network.CombinationShare = setting(
        "equal",
        "How much of the forecast is that of `combine_with`: equal = half; learned = the share "
        "with the least error on windows before the end of the series, by a second fit without "
        "them, and shrunk to half where they are few.",
    )


class ForecastingTrain(TrainSection):
    """How the network is trained."""

    epochs: Count | Auto = setting(  # type: ignore[assignment]
        "auto",
        f"Most passes over the training part. auto = {auto.FORECAST_PASSES[1]}, within "
        f"{auto.FORECAST_STEPS[0]} to {auto.FORECAST_STEPS[1]} gradient steps; where those are "
        f"fewer than {auto.FORECAST_PASSES[0]} passes, {auto.FORECAST_PASSES[0]}, within "
        f"{auto.FORECAST_STEPS[2]} steps; {auto.MOST_FORECAST_EPOCHS} at most.",
    )

    schedule: Literal["constant", "cosine", "plateau"] = setting(
        "cosine",
        "How the learning rate goes on: along a cosine to 0 over all epochs, constant, or lowered "
        "when the validation loss stands still.",
    )
    steps_per_epoch: Count | None = setting(
        None,
        "Batches of windows drawn at random make an epoch. Default: a full pass, of at most 250 "
        "batches.",
        "gradient steps",
    )
    patience: Patience | Auto = setting(  # type: ignore[assignment]
        "auto",
        f"{PATIENCE_WORDS} 0 = never, the last weights are kept. auto = {stopping.PATIENCE} if the "
        f"validation part holds {stopping.FEWEST_HELD} windows or more; else 0.",
        "epochs",
    )
    loss: losses("forecasting") = setting(  # type: ignore[valid-type]
        "auto",
        f"What training minimises; auto is {TASKS['forecasting'].loss}, or pinball with "
        "quantiles, or nll (negative log likelihood) with a distribution.",
    )
    ensemble: count(1000) = setting(  # type: ignore[valid-type]
        1,
        "Networks trained with different seeds and combined by the median; at least one for each "
        "context length.",
    )


class ForecastSection(Section):
    """What is forecast."""

    context_length: Annotated[
        Count | Annotated[list[Count], MinLen(1), MaxLen(1000)] | Auto,
        Words("a positive integer, a list of them or auto"),
    ] = setting(
        "auto",
        "Past steps the model sees; a list is an ensemble, a network for each length. auto = what "
        "is usual for the frequency, two to three seasons, as far as the median series allows: 12 "
        "years, 12 quarters, 36 months, 104 weeks, 28 days, 20 business days, 168 hours, 24 steps "
        "where nothing is known of the step.",
        "time steps",
    )
    horizon: Count | Auto = setting(
        "auto",
        "Steps forecast at once: set what you need. auto = what is usual for the frequency, within "
        "a third of the median series: 6 years, 8 quarters, 12 months, 13 weeks, 14 days, 10 "
        "business days, 48 hours, 12 steps where nothing is known of the step.",
        "time steps",
    )
    quantiles: Quantiles | None = setting(
        None, "Quantiles to forecast, e.g. [0.1, 0.5, 0.9]; null = a point forecast."
    )
    distribution: network.Distribution | None = setting(
        None, "Distribution to forecast instead of quantiles; the last two are of counts."
    )
