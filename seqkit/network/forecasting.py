"""The forecaster: a window in raw units and its covariates in, the next steps in raw units out.

``x -> normalise by window -> (fold channels) -> patch -> recurrent stack -> decoder -> head ->
units``.
"""

from __future__ import annotations

from collections.abc import Sequence

from seqkit.auto_networks import widths_of
from seqkit.cells import find_cell
from seqkit.errors import explain
from seqkit.network.decoders import DECODERS, Window
from seqkit.network.graph import Graph, Network
from seqkit.network.heads import Head, head_of
from seqkit.network.layers.base import Layer
from seqkit.network.layers.combining import Concatenate
from seqkit.network.layers.embedding import Embedding
from seqkit.network.layers.heads import CountScale, HeadLayer, ToUnits
from seqkit.network.layers.learned_theta import LearnedTheta
from seqkit.network.layers.padding import MaskPadding
from seqkit.network.layers.patching import LeftPatch, patch_count
from seqkit.network.layers.scaling import Standardize
from seqkit.network.layers.shaping import Columns, FoldChannels, Last, RepeatRows, UnfoldChannels
from seqkit.network.layers.theta import MOST_THETA_STEPS, ThetaForecast
from seqkit.network.layers.windows import (
    CHANNELS,
    DEPARTURES,
    NORMALIZE,
    NaiveForecast,
    Normalize,
    WindowStatistics,
    default_patch,
)
from seqkit.network.series import check_cell, check_choice, initializers_of
from seqkit.network.settings import ForecasterNetwork, takes

__all__ = ["forecaster"]

_OWNER = "build_forecaster"
THETAS = {"theta": ThetaForecast, "learned_theta": LearnedTheta}


@takes(ForecasterNetwork)
def forecaster(s: ForecasterNetwork) -> Network:
    """Describe what :func:`seqkit.build_forecaster` builds."""
    head, patch, n_parameters = _checked(s)
    graph = Graph("forecaster")
    n_seen = s.n_targets if s.target_inputs else 0
    x = graph.input("x", (s.context_length, n_seen + s.n_past + s.n_future))
    lengths = graph.input("lengths", (), "int32") if s.variable_length else None
    quiet = graph.add("quiet", MaskPadding(), x, lengths) if lengths is not None else x
    future = _future(graph, s.horizon, s.n_future, s.scale)
    static = _static(graph, s.n_static, s.static_categories, s.scale)

    # into the window's own units
    center = graph.add("window", WindowStatistics(s.normalize, s.n_targets), quiet, lengths)
    spread = f"{center}:1"
    targets = naive = covariates = None
    if s.target_inputs:
        raw = graph.add("targets", Columns(0, s.n_targets), quiet)
        targets = graph.add("normalize", Normalize(), raw, center, spread, lengths)
        if s.departure_from != "none":
            naive = graph.add("naive", _naive(s), targets, lengths)
    if s.n_past + s.n_future:
        covariates = _covariates(graph, quiet, n_seen, s.scale, lengths)

    # each target a window of its own
    n_channels = s.n_targets if s.channels == "independent" else 1
    own_naive, own_lengths = naive, lengths
    if n_channels > 1:
        fold, share = FoldChannels(n_channels), RepeatRows(n_channels)
        targets = _written(graph, "fold_channels", fold, targets)
        own_naive = _written(graph, "fold_naive", fold, naive)
        covariates = _written(graph, "share_covariates", share, covariates)
        future = _written(graph, "share_future", share, future)
        static = _written(graph, "share_static", share, static)
        own_lengths = _written(graph, "share_lengths", share, lengths)
    parts = [part for part in (targets, covariates) if part is not None]
    steps = parts[0] if len(parts) == 1 else graph.add("channels", Concatenate(), *parts)
    last = None
    if targets is not None and s.decoder == "recursive":
        last = graph.add("last", Last(patch), targets)
    steps = graph.add("patch", LeftPatch(patch), steps, own_lengths)
    n_outputs = s.n_targets // n_channels
    net = DECODERS[s.decoder].decode(
        Window(
            graph, _OWNER, steps, None if own_lengths is None else "patch:1", last, own_naive,
            future, static, n_channels, s.horizon, n_outputs, n_parameters, head.name,
            find_cell(s.cell).name,
            widths_of(s.units), s.bidirectional, s.dropout, s.recurrent_dropout, s.residual,
            patch, tuple(s.dense), initializers_of(_OWNER, s, patch_count(s.context_length, patch)),
        )
    )  # fmt: skip
    if n_channels > 1:
        net = graph.add("unfold_channels", UnfoldChannels(n_channels), net)

    # out of them
    made = graph.add("answer" if head.counts else "normalized", HeadLayer(head.name), net, naive)
    if head.counts:
        seen = graph.add("counts", Columns(0, s.n_targets), quiet)
        made = graph.add("normalized", CountScale(), made, seen, lengths)
    forecast = graph.add("forecast", ToUnits(head.name), made, center, spread)
    return graph.network(forecast, "normalized")


def _checked(s: ForecasterNetwork) -> tuple[Head, int, int]:
    """Check the settings; return the head, the patch and how many numbers a value needs."""
    for name in ("context_length", "horizon", "n_targets", "season", "patch"):
        value = getattr(s, name)
        if isinstance(value, str):  # auto, of estimators
            hint = "Here are no data to decide by."
            raise ValueError(explain(_OWNER, name, "a number", value, hint))
        if value is not None and value < 1:
            raise ValueError(explain(_OWNER, name, "at least 1", value))
    patch = default_patch(s.season, s.context_length) if s.patch is None else s.patch
    check_choice(_OWNER, "decoder", s.decoder, tuple(DECODERS))
    check_choice(_OWNER, "normalize", s.normalize, NORMALIZE)
    check_choice(_OWNER, "departure_from", s.departure_from, DEPARTURES)
    check_choice(_OWNER, "channels", s.channels, CHANNELS)
    if not 0 <= s.dropout < 1:
        raise ValueError(explain(_OWNER, "dropout", "in [0, 1)", s.dropout))
    check_cell(_OWNER, s.cell)
    head, _, n_parameters = head_of(s.quantiles, s.distribution, _OWNER)
    own = {"dense": tuple(s.dense), "bidirectional": s.bidirectional, "residual": s.residual}
    for name, only in DECODERS[s.decoder].forbids.items():
        if own[name] != only:
            expected = f"{only!r} with decoder {s.decoder!r}"
            raise ValueError(explain(_OWNER, name, expected, own[name]))
    _check_departure(_OWNER, head, s.departure_from, s.season, s.context_length, s.decoder)
    if not s.target_inputs:
        n_inputs = s.n_past + s.n_future
        _check_without_past(_OWNER, s.normalize, s.departure_from, s.channels, s.decoder, n_inputs)
    elif patch > s.context_length:
        raise ValueError(explain(_OWNER, "patch", "at most context_length", patch))
    return head, patch, n_parameters


def _naive(s: ForecasterNetwork) -> Layer:
    """Return the layer that makes the forecast which the network departs from."""
    if s.departure_from in THETAS:
        return THETAS[s.departure_from](s.horizon, s.season)
    return NaiveForecast(s.departure_from, s.horizon, s.season)


def _written(graph: Graph, name: str, layer: Layer, ref: str | None) -> str | None:
    """Write a layer over an input that may be left out."""
    return None if ref is None else graph.add(name, layer, ref)


def _covariates(graph: Graph, x: str, first: int, scale: str, lengths: str | None) -> str:
    """Write the covariates of the window, standardised, padding zero."""
    covariates = graph.add("covariates", Columns(first), x)
    if scale == "none":
        return covariates
    covariates = graph.add("standardize", Standardize(), covariates)
    if lengths is None:
        return covariates
    return graph.add("quiet_covariates", MaskPadding(), covariates, lengths)


def _future(graph: Graph, horizon: int, n_future: int, scale: str) -> str | None:
    """Write the covariates known ahead, standardised."""
    if not n_future:
        return None
    future = graph.input("future", (horizon, n_future))
    if scale == "none":
        return future
    return graph.add("standardize_future", Standardize(), future)


def _static(graph: Graph, n_static: int, categories: Sequence[int], scale: str) -> str | None:
    """Write numbers standardised and categories embedded, (width,)."""
    parts = []
    if n_static:
        numbers = graph.input("static", (n_static,))
        if scale != "none":
            numbers = graph.add("standardize_static", Standardize(), numbers)
        parts.append(numbers)
    if categories:
        codes = graph.input("static_codes", (len(categories),), "int32")
        for i, n in enumerate(categories):
            # a width that grows slowly with the number of categories, as is usual
            width = min(32, 1 + round(1.6 * n**0.56))
            parts.append(graph.add(f"embed_{i + 1}", Embedding(i, n + 1, width), codes))
    if len(parts) < 2:
        return parts[0] if parts else None
    return graph.add("static_all", Concatenate(), *parts)


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
                _OWNER,
                "season",
                "at least 2 with departure_from='seasonal_naive'",
                season,
                "Say how many steps a season has, or depart from 'last'.",
            )
        )
    if departure in THETAS:
        if season > 1 and 2 * season > context_length:
            expected = (
                f"at least two seasons ({2 * season} steps) with departure_from={departure!r}"
            )
            raise ValueError(explain(owner, "context_length", expected, context_length))
        if 2 * season > MOST_THETA_STEPS:
            expected = f"at most {MOST_THETA_STEPS // 2} with departure_from={departure!r}"
            raise ValueError(explain(owner, "season", expected, season))
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
