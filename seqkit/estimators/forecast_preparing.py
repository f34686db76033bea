"""From a panel to what a forecaster trains on: held-out tails, statistics, windows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.data.panel import Panel
from seqkit.data.scaling import fit_scaler
from seqkit.data.windows import WindowSource
from seqkit.errors import DataError, explain
from seqkit.network.heads import Head

__all__ = [
    "check_counts",
    "hold_out",
    "point_loss",
    "refuse_targets",
    "scaling_statistics",
    "tell_of_window_precision",
    "window_sources",
]

# Rows that statistics are taken from: enough for three digits, and quick for any panel.
_MOST_ROWS = 2_000_000
# A distance of float32 numbers above this share of a channel's movement is worth a line.
_COARSE = 1e-2

log = logging.getLogger(__name__)


def point_loss(owner: str, loss: str, head: Head) -> str:
    """Return the loss of a point forecast; for another head check that the loss is its own."""
    if head.name == "point":
        if loss in ("pinball", "nll"):
            raise ValueError(
                explain(owner, "loss", "mae, mse or huber for point forecasts", loss,
                        "Set quantiles or distribution.")
            )  # fmt: skip
        return "mae" if loss == "auto" else loss
    own = "pinball" if head.name == "quantiles" else "nll"
    if loss not in ("auto", own):
        what = "quantiles" if own == "pinball" else "a distribution"
        raise ValueError(explain(owner, "loss", f"auto or {own} with {what}", loss))
    return "mae"


def refuse_targets(panel: Panel, refused: np.ndarray, owner: str, expected: str, hint: str) -> None:
    """Raise if any target is refused, (n_rows, n_targets), and say which step of which series."""
    found = np.argwhere(refused)
    if len(found):
        row, column = found[0]
        series = int(np.searchsorted(panel.offsets, row, side="right")) - 1
        where = f"step {row - panel.offsets[series]} of {panel.named(np.array([series]))}"
        what, got = f"target {panel.columns.targets[column]!r}", float(panel.values[row, column])
        raise DataError(explain(owner, what, expected, got, f"It is at {where}; {hint}"))


def check_counts(panel: Panel, owner: str) -> None:
    """Refuse a target below 0 where counts are forecast: it has no likelihood."""
    below = panel.values[:, : panel.n_targets] < 0
    hint = "for such values use another distribution."
    refuse_targets(panel, below, owner, "counts, 0 or more", hint)


def hold_out(
    panel: Panel, validation: float, horizon: int, context: int, owner: str
) -> tuple[Panel, Panel | None]:
    """Set the tail of every series aside that is long enough to spare it.

    Parameters
    ----------
    panel : Panel
    validation : int or float
        Time steps, or a share of each series of at least one horizon; 0 for none.
    horizon, context : int
        The validation part carries the context of its first steps.
    owner : str
        Name in messages.

    Returns
    -------
    train : Panel
    validation : Panel or None
    """
    if not validation:
        return panel, None
    n = panel.lengths
    if isinstance(validation, (int, np.integer)):
        if validation < horizon:
            expected = f"at least the horizon ({horizon} steps)"
            raise ValueError(explain(owner, "validation", expected, validation))
        tail = np.full_like(n, validation)
    else:
        tail = np.maximum(np.ceil(validation * n).astype(np.int64), horizon)
    # what is left must still hold half a context and a horizon
    spares = n - tail >= horizon + (context + 1) // 2
    if not spares.any():
        needed = horizon + (context + 1) // 2 + int(tail.min())
        raise DataError(
            explain(
                owner,
                "a series",
                f"at least {needed} time steps long (context_length, horizon and validation)",
                panel.named(np.arange(len(panel))),
                "Shorten one of them, or set validation=0 and patience=0.",
            )
        )
    tail = np.where(spares, tail, 0)
    train = panel.rows(np.zeros_like(n), n - tail)
    held = panel.select(spares)
    return train, held.rows(held.lengths - tail[spares] - context, held.lengths)


def scaling_statistics(panel: Panel, kind: str, normalize: str) -> dict[str, np.ndarray]:
    """Statistics of the scaling layers by variable path, from the training part.

    Masks and calendar waves stay as they are. Windows that are normalised by themselves need the
    scale of the targets even where nothing else is scaled: for those that are constant.
    """
    rows = panel.values[:: max(1, len(panel.values) // _MOST_ROWS)]
    offset, scale = fit_scaler("standard" if kind == "none" else kind, rows)
    columns = panel.columns
    own = {*columns.targets, *columns.past, *columns.future}
    derived = [name not in own for name in columns.channels]
    offset[derived], scale[derived] = 0.0, 1.0
    n, n_future = panel.n_targets, panel.n_future
    if kind == "none":
        return {
            "window/offset": np.zeros(n),
            "window/scale": scale[:n] if normalize == "standard" else np.ones(n),
        }
    statistics = {"window/offset": offset[:n], "window/scale": scale[:n]}
    if len(offset) > n:
        statistics |= {"standardize/offset": offset[n:], "standardize/scale": scale[n:]}
    if n_future:
        statistics["standardize_future/offset"] = offset[-n_future:]
        statistics["standardize_future/scale"] = scale[-n_future:]
    if panel.static is not None:
        offset, scale = fit_scaler("standard", panel.static)
        statistics |= {"standardize_static/offset": offset, "standardize_static/scale": scale}
    return statistics


def window_sources(
    train: Panel, held: Panel | None, contexts: Sequence[int], horizon: int, **space: Any
) -> tuple[list[tuple[WindowSource, WindowSource | None]], bool]:
    """Windows to train and to validate on, for every network of an ensemble.

    Returns
    -------
    sources : list of (WindowSource, WindowSource or None)
    variable_length : bool
        Whether the models take lengths: all do where one window is padded.
    """
    parts = [part for part in (train, held) if part is not None]

    def made(lengths: bool | None) -> list[list[WindowSource]]:
        return [
            [WindowSource(part, context, horizon, lengths=lengths, **space) for part in parts]
            for context in contexts
        ]

    sources = made(None)
    padded = any(source.padded for pair in sources for source in pair)
    if padded:
        sources = made(True)
    return [(pair[0], pair[1] if held is not None else None) for pair in sources], padded


def tell_of_window_precision(
    panel: Panel, sources: Sequence[tuple[Any, Any]], normalize: str, counts: bool
) -> None:
    """Log which windows count as constant, and what is lost where a network sees float32.

    A target that is normalised by window is so in float64, and so are its forecasts undone; the
    network sees all else in float32, and a saved model everything.
    """
    source = sources[0][0]
    if normalize == "standard" and not counts and (constant := source.constant_windows()):
        log.info(
            "%d of %d training windows do not change in a target and count as constant: their "
            "spread is the scale of the training part, or their level where that is less",
            constant, source.n_examples,
        )  # fmt: skip
    rows = panel.values[:: max(1, len(panel.values) // _MOST_ROWS)]
    own = {*panel.columns.targets, *panel.columns.past, *panel.columns.future}
    for index, name in enumerate(panel.columns.channels):
        column = rows[:, index]
        largest = np.abs(column).max(initial=0.0)
        coarse = float(np.spacing(np.float32(largest)))
        moves = np.abs(np.diff(column))
        moves = moves[moves > 0]
        typical = float(np.median(moves)) if len(moves) else 0.0
        if name not in own or not 0 < typical * _COARSE < coarse:
            continue
        inside = index < panel.n_targets and normalize != "none" and not counts
        log.warning(
            "%s: values reach %.6g, where numbers of float32 are %.2g apart, and change by %.2g "
            "from step to step; %s. Subtract a constant from the column, or take its differences.",
            name, largest, coarse, typical,
            "this estimator works in float64, but model_ and what is saved or exported for others "
            "lose that" if inside else "the network sees float32 and loses that",
        )  # fmt: skip
