"""The forecaster: a window in raw units and its covariates in, the next steps in raw units out.

``x -> normalise by window -> (fold channels) -> patch -> recurrent stack -> decoder -> head ->
units``. The decoders are rows of :data:`DECODERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqkit.architecture import stack_units
from seqkit.errors import explain, suggest
from seqkit.forecast_decoders import DECODERS, Decoder, Frame
from seqkit.forecast_head_layers import CountScale, HeadLayer, ToUnits
from seqkit.forecast_heads import Head, head_of
from seqkit.forecast_layers import (
    FoldChannels,
    LeftPatch,
    NaiveForecast,
    Quieten,
    UnfoldChannels,
    WindowLayer,
    WindowStatistics,
)
from seqkit.layers import Standardize
from seqkit.window_space import (
    CHANNELS,
    DEPARTURES,
    NORMALIZE,
    default_patch,
    normalize_window,
)

__all__ = ["CHANNELS", "DECODERS", "DEPARTURES", "NORMALIZE", "Decoder", "build_forecaster"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class Normalize(WindowLayer):
    """Targets of a window in its own center and spread, padding zero."""

    def call(
        self, targets: Tensor, center: Tensor, spread: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        return normalize_window(targets, center, spread, lengths, keras.ops)


def build_forecaster(
    context_length: int,
    horizon: int,
    n_targets: int = 1,
    n_past: int = 0,
    n_future: int = 0,
    *,
    n_static: int = 0,
    static_categories: Sequence[int] = (),
    variable_length: bool = False,
    target_inputs: bool = True,
    season: int = 1,
    quantiles: Sequence[float] | None = None,
    distribution: str | None = None,
    decoder: str = "direct",
    normalize: str = "standard",
    departure_from: str = "none",
    channels: str = "joint",
    cell: str = "gru",
    units: int | Sequence[int] = 128,
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    residual: bool = False,
    patch: int | None = None,
    dense: Sequence[int] = (),
    scale: str = "standard",
) -> keras.Model:
    """Build a model that forecasts the steps after a window.

    Parameters
    ----------
    context_length : int
        Steps of the window that is looked at.
    horizon : int
        Steps that are forecast.
    n_targets : int, default=1
        Series forecast together.
    n_past, n_future : int, default=0
        Covariates known up to now; known over the horizon too.
    n_static : int, default=0
        Numbers that describe a series.
    static_categories : sequence of int, default=()
        For every static covariate of categories their number; code 0 is an unknown one.
    variable_length : bool, default=False
        Add the input ``lengths``: valid steps of windows padded on the left.
    target_inputs : bool, default=True
        Whether the targets' own past is an input. Without it ``normalize`` and
        ``departure_from`` must be "none".
    season : int, default=1
        Steps in a season, for ``departure_from="seasonal_naive"``.
    quantiles : sequence of float, default=None
        Levels to forecast, in rising order; they cannot cross.
    distribution : {"normal", "student_t", "negative_binomial", "poisson"}, default=None
        Forecast the parameters of a distribution.
    decoder : {"direct", "recursive", "segment"}, default="direct"
        A row of :data:`DECODERS`.
    normalize : {"none", "last", "standard"}, default="standard"
        Each window by its last value, or its mean and standard deviation; undone on the output
        (Lin et al. 2023, section 3.4; Kim et al. 2022). "none" takes the training part's.
    departure_from : {"none", "last", "seasonal_naive"}, default="none"
        Forecast the departure from that naive forecast of the same window.
    channels : {"joint", "independent"}, default="joint"
        Several targets together, or each as a window of its own with shared weights.
    patch : int or None, default=None
        Steps folded into one before the recurrence, counted from the end of the window; ``None``
        is a season where the context holds two, else 1.
    cell, units, bidirectional, dropout, recurrent_dropout, residual, dense, scale
        As in :func:`seqkit.build_classifier`; ``scale`` is for the covariates, and for the
        targets where they are not normalised by window.

    Returns
    -------
    keras.Model
        Inputs by name: ``x`` ``(batch, context_length, n_targets + n_past + n_future)``, and as
        set ``future`` ``(batch, horizon, n_future)``, ``static``, ``static_codes``, ``lengths``.
        Output ``forecast`` in raw units: ``(batch, horizon, n_targets)``, with quantiles or a
        distribution ``(batch, horizon, n_targets, levels or parameters)``. The layer
        ``normalized`` gives the same in the normalised space of the window.

    Raises
    ------
    ValueError
        If a setting is out of range or one the decoder cannot use.

    Examples
    --------
    >>> build_forecaster(48, 24, units=8, patch=12, quantiles=[0.1, 0.5, 0.9]).output_shape
    (None, 24, 1, 3)
    """
    owner = "build_forecaster"
    if patch is None:
        patch = default_patch(season, context_length)
    for name, value in (
        ("context_length", context_length),
        ("horizon", horizon),
        ("n_targets", n_targets),
        ("season", season),
        ("patch", patch),
    ):
        if value < 1:
            raise ValueError(explain(owner, name, "at least 1", value))
    for name, choice, known in (
        ("decoder", decoder, DECODERS),
        ("normalize", normalize, NORMALIZE),
        ("departure_from", departure_from, DEPARTURES),
        ("channels", channels, CHANNELS),
    ):
        if choice not in known:
            expected = f"one of {', '.join(known)}"
            raise ValueError(explain(owner, name, expected, choice, suggest(choice, known)))
    if not 0 <= dropout < 1:
        raise ValueError(explain(owner, "dropout", "in [0, 1)", dropout))
    head, _, n_parameters = head_of(quantiles, distribution, owner)
    settings = {
        "dense": tuple(dense),
        "bidirectional": bidirectional,
        "residual": residual,
    }
    row = DECODERS[decoder]
    for name, only in row.forbids.items():
        if settings[name] != only:
            raise ValueError(
                explain(owner, name, f"{only!r} with decoder {decoder!r}", settings[name])
            )
    _check_departure(owner, head, departure_from, season, context_length, decoder)
    if not target_inputs:
        _check_without_past(owner, normalize, departure_from, channels, decoder, n_past + n_future)
    # inputs
    n_seen = n_targets if target_inputs else 0
    x = keras.Input((context_length, n_seen + n_past + n_future), name="x")
    inputs = {"x": x}
    lengths = static = future = None
    if variable_length:
        lengths = inputs["lengths"] = keras.Input((), dtype="int32", name="lengths")
    timing = {} if lengths is None else {"lengths": lengths}
    quiet = Quieten(name="quiet")(x, lengths) if variable_length else x
    if n_future:
        inputs["future"] = keras.Input((horizon, n_future), name="future")
        future = inputs["future"]
        if scale != "none":
            future = Standardize(name="standardize_future")(future)
    static = _static(inputs, n_static, static_categories, scale)

    # into the window's own units
    center, spread = WindowStatistics(normalize, n_targets, name="window")(quiet, **timing)
    parts = []
    targets = naive = None
    if target_inputs:
        raw = quiet[:, :, :n_targets]
        targets = Normalize(name="normalize")(raw, center, spread, **timing)
        if departure_from != "none":
            naive = NaiveForecast(departure_from, horizon, season, name="naive")(targets, **timing)
    covariates = None
    if n_past + n_future:
        covariates = quiet[:, :, n_seen:]
        if scale != "none":
            covariates = Standardize(name="standardize")(covariates)
            if lengths is not None:
                covariates = Quieten(name="quiet_covariates")(covariates, lengths)

    # each target a window of its own
    n_channels = n_targets if channels == "independent" else 1
    n_outputs = n_targets // n_channels
    own_naive = naive
    if n_channels > 1:
        share = FoldChannels(n_channels, share=True, name="share_channels")
        fold = FoldChannels(n_channels, name="fold_channels")
        targets = fold(targets)
        own_naive = None if naive is None else FoldChannels(n_channels, name="fold_naive")(naive)
        covariates = None if covariates is None else share(covariates)
        future = None if future is None else share(future)
        static = None if static is None else share(static)
        if lengths is not None:
            lengths = share(lengths)
    parts = [part for part in (targets, covariates) if part is not None]
    steps = parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="channels")(parts)
    last = None if targets is None else targets[:, -patch:, :]
    if last is not None and patch > context_length:
        raise ValueError(explain(owner, "patch", "at most context_length", patch))
    steps = LeftPatch(patch, name="patch")(
        steps, **({} if lengths is None else {"lengths": lengths})
    )
    if lengths is not None:
        steps, lengths = steps
    net = row.decode(
        Frame(
            steps,
            lengths,
            last,
            own_naive,
            future,
            static,
            n_channels,
            horizon,
            n_outputs,
            n_parameters,
            head.name,
            owner,
            cell,
            stack_units(units),
            bidirectional,
            dropout,
            recurrent_dropout,
            residual,
            patch,
            tuple(dense),
        )
    )
    if n_channels > 1:
        net = UnfoldChannels(n_channels, name="unfold_channels")(net)

    # out of them
    answer = HeadLayer(head.name, name="answer" if head.counts else "normalized")(
        net, *(() if naive is None else (naive,))
    )
    if head.counts:
        answer = CountScale(name="normalized")(answer, quiet[:, :, :n_targets], **timing)
    forecast = ToUnits(head.name, name="forecast")(answer, center, spread)
    return keras.Model(inputs, forecast, name="forecaster")


def _static(
    inputs: dict[str, Tensor], n_static: int, categories: Sequence[int], scale: str
) -> Tensor | None:
    """Numbers standardised and categories embedded, ``(batch, width)``."""
    parts = []
    if n_static:
        numbers = inputs["static"] = keras.Input((n_static,), name="static")
        if scale != "none":
            numbers = Standardize(name="standardize_static")(numbers)
        parts.append(numbers)
    if categories:
        codes = inputs["static_codes"] = keras.Input(
            (len(categories),), dtype="int32", name="static_codes"
        )
        for i, n in enumerate(categories):
            # a width that grows slowly with the number of categories, as is usual
            width = min(32, 1 + round(1.6 * n**0.56))
            embed = keras.layers.Embedding(n + 1, width, name=f"embed_{i + 1}")
            parts.append(embed(codes[:, i]))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="static_all")(parts)


def _check_departure(
    owner: str, head: Head, departure: str, season: int, context_length: int, decoder: str
) -> None:
    if departure == "seasonal_naive" and season > context_length:
        raise ValueError(
            explain(
                owner, "context_length", f"at least one season ({season} steps)", context_length
            )
        )
    if departure == "seasonal_naive" and season < 2:
        raise ValueError(
            explain(
                owner,
                "season",
                "at least 2 with departure_from='seasonal_naive'",
                season,
                "Say how many steps a season has, or depart from 'last'.",
            )
        )
    if head.counts and departure != "none":
        expected = f"'none' with distribution {head.name!r}"
        raise ValueError(explain(owner, "departure_from", expected, departure))
    if head.counts and decoder == "recursive":
        expected = f"direct or segment with distribution {head.name!r}"
        raise ValueError(explain(owner, "decoder", expected, decoder))


def _check_without_past(
    owner: str, normalize: str, departure: str, channels: str, decoder: str, n_inputs: int
) -> None:
    why = "because the target's own past is not an input"
    for name, value, only in (
        ("normalize", normalize, "none"),
        ("departure_from", departure, "none"),
        ("channels", channels, "joint"),
    ):
        if value != only:
            raise ValueError(explain(owner, name, f"{only!r} {why}", value))
    if decoder == "recursive":
        raise ValueError(explain(owner, "decoder", f"direct or segment {why}", decoder))
    if not n_inputs:
        raise ValueError(explain(owner, "n_past", f"at least 1 {why}", 0))
