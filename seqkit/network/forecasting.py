"""The forecaster: a window in raw units and its covariates in, the next steps in raw units out.

``x -> normalise by window -> (fold channels) -> patch -> recurrent stack -> decoder -> head ->
units``.
"""

from __future__ import annotations

from collections.abc import Sequence

from seqkit.cells import find_cell
from seqkit.errors import explain
from seqkit.network.decoders import DECODERS, Window
from seqkit.network.graph import Graph, Network
from seqkit.network.heads import Head, head_of
from seqkit.network.layers.combining import Concatenate
from seqkit.network.layers.embedding import Embedding
from seqkit.network.layers.heads import CountScale, HeadLayer, ToUnits
from seqkit.network.layers.padding import MaskPadding
from seqkit.network.layers.patching import LeftPatch
from seqkit.network.layers.scaling import Standardize
from seqkit.network.layers.shaping import Columns, FoldChannels, Last, RepeatRows, UnfoldChannels
from seqkit.network.layers.windows import (
    CHANNELS,
    DEPARTURES,
    NORMALIZE,
    NaiveForecast,
    Normalize,
    WindowStatistics,
    default_patch,
)
from seqkit.network.series import check_cell, check_choice, stack_units

__all__ = ["forecaster"]


def forecaster(
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
) -> Network:
    """Describe what :func:`seqkit.build_forecaster` builds."""
    owner = "build_forecaster"
    patch = default_patch(season, context_length) if patch is None else patch
    for name, value in (
        ("context_length", context_length), ("horizon", horizon), ("n_targets", n_targets),
        ("season", season), ("patch", patch),
    ):  # fmt: skip
        if value < 1:
            raise ValueError(explain(owner, name, "at least 1", value))
    check_choice(owner, "decoder", decoder, tuple(DECODERS))
    check_choice(owner, "normalize", normalize, NORMALIZE)
    check_choice(owner, "departure_from", departure_from, DEPARTURES)
    check_choice(owner, "channels", channels, CHANNELS)
    if not 0 <= dropout < 1:
        raise ValueError(explain(owner, "dropout", "in [0, 1)", dropout))
    check_cell(owner, cell)
    head, _, n_parameters = head_of(quantiles, distribution, owner)
    own = {"dense": tuple(dense), "bidirectional": bidirectional, "residual": residual}
    for name, only in DECODERS[decoder].forbids.items():
        if own[name] != only:
            expected = f"{only!r} with decoder {decoder!r}"
            raise ValueError(explain(owner, name, expected, own[name]))
    _check_departure(owner, head, departure_from, season, context_length, decoder)
    if not target_inputs:
        _check_without_past(owner, normalize, departure_from, channels, decoder, n_past + n_future)
    elif patch > context_length:
        raise ValueError(explain(owner, "patch", "at most context_length", patch))

    graph = Graph("forecaster")
    n_seen = n_targets if target_inputs else 0
    x = graph.input("x", (context_length, n_seen + n_past + n_future))
    lengths = graph.input("lengths", (), "int32") if variable_length else None
    quiet = graph.add("quiet", MaskPadding(), x, lengths) if lengths is not None else x
    future = _future(graph, horizon, n_future, scale)
    static = _static(graph, n_static, static_categories, scale)

    # into the window's own units
    center = graph.add("window", WindowStatistics(normalize, n_targets), quiet, lengths)
    spread = f"{center}:1"
    targets = naive = covariates = None
    if target_inputs:
        raw = graph.add("targets", Columns(0, n_targets), quiet)
        targets = graph.add("normalize", Normalize(), raw, center, spread, lengths)
        if departure_from != "none":
            departure = NaiveForecast(departure_from, horizon, season)
            naive = graph.add("naive", departure, targets, lengths)
    if n_past + n_future:
        covariates = graph.add("covariates", Columns(n_seen), quiet)
        if scale != "none":
            covariates = graph.add("standardize", Standardize(), covariates)
            if lengths is not None:
                covariates = graph.add("quiet_covariates", MaskPadding(), covariates, lengths)

    # each target a window of its own
    n_channels = n_targets if channels == "independent" else 1
    own_naive, own_lengths = naive, lengths
    if n_channels > 1:
        fold, share = FoldChannels(n_channels), RepeatRows(n_channels)

        def shared(ref: str | None, name: str) -> str | None:
            return None if ref is None else graph.add(f"share_{name}", share, ref)

        targets = None if targets is None else graph.add("fold_channels", fold, targets)
        own_naive = None if naive is None else graph.add("fold_naive", fold, naive)
        covariates, future = shared(covariates, "covariates"), shared(future, "future")
        static, own_lengths = shared(static, "static"), shared(lengths, "lengths")
    parts = [part for part in (targets, covariates) if part is not None]
    steps = parts[0] if len(parts) == 1 else graph.add("channels", Concatenate(), *parts)
    last = None
    if targets is not None and decoder == "recursive":
        last = graph.add("last", Last(patch), targets)
    steps = graph.add("patch", LeftPatch(patch), steps, own_lengths)
    n_outputs = n_targets // n_channels
    net = DECODERS[decoder].decode(
        Window(
            graph, owner, steps, None if own_lengths is None else "patch:1", last, own_naive,
            future, static, n_channels, horizon, n_outputs, n_parameters, head.name,
            find_cell(cell).name,
            stack_units(units), bidirectional, dropout, recurrent_dropout, residual, patch,
            tuple(dense),
        )
    )  # fmt: skip
    if n_channels > 1:
        net = graph.add("unfold_channels", UnfoldChannels(n_channels), net)

    # out of them
    made = graph.add("answer" if head.counts else "normalized", HeadLayer(head.name), net, naive)
    if head.counts:
        seen = graph.add("counts", Columns(0, n_targets), quiet)
        made = graph.add("normalized", CountScale(), made, seen, lengths)
    forecast = graph.add("forecast", ToUnits(head.name), made, center, spread)
    return graph.network(forecast, "normalized")


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
