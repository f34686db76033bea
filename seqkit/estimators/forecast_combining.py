"""A theta forecast beside the networks of a forecaster: which, of what, and how they are combined.

Two kinds of forecast err differently: the network knows what all series have in common, the theta
forecast goes on from level, trend and season of the one series, of which it sees more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.data.panel import Panel
from seqkit.data.windows import WindowSource, moved_windows
from seqkit.errors import explain
from seqkit.network.heads import Head
from seqkit.network.layers.base import Array, Saved
from seqkit.network.layers.heads import Combine
from seqkit.network.layers.theta import MOST_THETA_STEPS, ThetaForecast, theta_window
from seqkit.network.ops import NUMPY

__all__ = ["SHARE", "ThetaBeside", "check_combination", "learned_share", "middle_of"]

SHARE = 0.5
"""Of the theta forecast: half and half. On the validation windows of six sets taken together other
weights, the same for all, gained little."""
WORTH = 50
"""Forecasts that the half is worth where a share is learned: with so many, the share is half way
between it and what their errors say. A share by 50 forecasts has a standard error of about .15."""


def middle_of(head: Head, levels: Sequence[float]) -> tuple[float, ...] | None:
    """Return the weights of a head's parameters in its middle; None where it has no middle.

    Between two quantiles the median is taken to lie on the straight line.

    Examples
    --------
    >>> from seqkit.network.heads import HEADS
    >>> middle_of(HEADS["quantiles"], [0.1, 0.5, 0.9]), middle_of(HEADS["quantiles"], [0.9, 0.95])
    ((0.0, 1.0, 0.0), None)
    >>> middle_of(HEADS["normal"], []), middle_of(HEADS["poisson"], [])
    ((1.0, 0.0), None)
    """
    if head.counts:
        return None
    if head.name == "quantiles":
        if not levels[0] <= 0.5 <= levels[-1]:
            return None
        unit = np.eye(len(levels))
        return tuple(float(np.interp(0.5, levels, row)) for row in unit)
    return () if head.name == "point" else tuple(float(k == 0) for k in range(len(head.parameters)))


def check_combination(
    owner: str, head: Head, levels: Sequence[float], season: int, target_inputs: bool
) -> None:
    """Raise where no theta forecast can be combined with the networks'."""
    why = None
    if head.counts:
        why = f"distribution {head.name!r}, whose mean is no place to move"
    elif middle_of(head, levels) is None:
        why = f"quantiles {list(levels)}, which are all on one side of the median"
    elif not target_inputs:
        why = "a target whose own past is not an input"
    elif 2 * season > MOST_THETA_STEPS:
        why = f"a season of {season} steps: two must be {MOST_THETA_STEPS} steps or fewer"
    if why:
        raise ValueError(explain(owner, "combine_with", f"'none' with {why}", "theta"))


def learned_share(networks: Array, theta: Array, truth: Array, n_apart: int) -> float:
    """Return the share of the theta forecast that held-out windows speak for.

    The weighted mean of both with the least mean absolute error, every window in units of the
    errors of both, in closed form: the weighted median of the shares at which an error is none.
    Shrunk to a half where windows are few, since weights that are estimated do worse than equal
    ones unless there is much to estimate them by (Claeskens et al. 2016, "The forecast combination
    puzzle", International Journal of Forecasting 32).

    Parameters
    ----------
    networks, theta, truth : ndarray of shape (n_windows, horizon, n_targets)
    n_apart : int
        How many of the windows do not overlap.

    Examples
    --------
    >>> truth = np.zeros((9, 4, 1))
    >>> learned_share(truth - 1, truth + 3, truth, 50)  # a quarter of it would be right
    0.375
    >>> learned_share(truth - 1, truth + 3, truth, 10**9)
    0.25
    """
    error, apart = networks - truth, theta - networks
    size = (np.abs(error) + np.abs(theta - truth)).mean(1, keepdims=True)
    weight = np.abs(apart) / np.where(size > 0, size, 1.0)
    counted = weight > 0
    if not counted.any():
        return SHARE
    best = np.clip(-error[counted] / apart[counted], 0.0, 1.0)
    order = np.argsort(best)
    passed = np.cumsum(weight[counted][order])
    found = best[order][np.searchsorted(passed, passed[-1] / 2)]
    return round(float((n_apart * found + WORTH * SHARE) / (n_apart + WORTH)), 3)


@dataclass(frozen=True)
class ThetaBeside:
    """The theta forecast of the end of every window, and how it joins the networks' prediction.

    Parameters
    ----------
    context_length : int
        The longest of the networks.
    horizon, season : int
    combine : Combine
    """

    context_length: int
    horizon: int
    season: int
    combine: Combine

    @classmethod
    def of(
        cls,
        head: Head,
        levels: Sequence[float],
        context_length: int,
        horizon: int,
        season: int,
        share: float = SHARE,
    ) -> ThetaBeside:
        """Return that of a head, `share` of the whole its own."""
        middle = middle_of(head, levels) or ()
        moved = len(levels) if head.name == "quantiles" else 1
        return cls(context_length, horizon, season, Combine(share, middle, moved))

    def middle(self, prediction: Array) -> Array:
        """Return the middle of a prediction, which is what is combined."""
        weights = self.combine.middle
        return prediction @ np.array(weights) if weights else prediction

    @property
    def window(self) -> int:
        """Steps that it sees, where they are there."""
        return theta_window(self.context_length, self.season)

    def settings(self) -> Mapping[str, Any]:
        """Return what builds it beside Keras networks."""
        return {"theta": ThetaForecast(self.horizon, self.season), "theta_window": self.window,
                "combine": self.combine}  # fmt: skip

    def moved(
        self, prediction: Array, panel: Panel, scale: Array, batch_size: int, **which: Any
    ) -> Array:
        """Return a prediction in units for windows of a panel, combined with theirs.

        Parameters
        ----------
        prediction : ndarray of shape (n_windows, horizon, n_targets[, n_parameters])
        panel : Panel
        scale : ndarray of shape (n_targets,)
            Of the training part.
        batch_size : int
        **which
            As :class:`~seqkit.data.windows.WindowSource` takes them.
        """
        source = WindowSource(
            panel, self.window, self.horizon, targets=False, lengths=True, normalize="standard",
            offset=np.zeros_like(scale), scale=scale, **which,
        )  # fmt: skip
        prediction = prediction.copy()
        for start in range(0, source.n_examples, batch_size):
            index = np.arange(start, min(start + batch_size, source.n_examples))
            windows, lengths = source.contexts(index)[:2]
            prediction[index] = self.of_windows(
                prediction[index], windows, lengths, scale, source.padded
            )
        return prediction

    def of_windows(
        self, prediction: Array, windows: Array, lengths: Array, scale: Array, padded: bool
    ) -> Array:
        """Return a prediction in units combined with the theta forecast of its windows.

        Parameters
        ----------
        prediction : ndarray of shape (n_windows, horizon, n_targets[, n_parameters])
        windows : ndarray of shape (n_windows, window, n_channels)
            In units, targets first.
        lengths : ndarray of shape (n_windows,)
            Steps of each that are there.
        scale : ndarray of shape (n_targets,)
        padded : bool
            Whether some are fewer than all.
        """
        layer, none = ThetaForecast(self.horizon, self.season), np.zeros_like(scale)
        known = lengths if padded else None
        targets = windows[:, :, : len(scale)]
        moved, center, spread = moved_windows(targets, known, "standard", none, scale)
        given = moved.astype(np.float32), lengths.astype(np.int32)
        theta = center + spread * layer.forward(NUMPY, {}, Saved(), *given).astype(np.float64)
        joined: Array = self.combine.forward(NUMPY, {}, Saved(), prediction, theta)
        return joined
