"""A rehearsal: what a forecaster without the end of its series would have forecast there."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import clone

from seqkit.data.panel import Panel
from seqkit.data.windows import training_panel
from seqkit.errors import DataError
from seqkit.estimators.checked import Checked
from seqkit.estimators.forecast_combining import learned_share
from seqkit.estimators.forecast_preparing import hold_out
from seqkit.stopping import SHARE as HELD

__all__ = ["rehearsed_share"]

# Forecasts of a rehearsal; what overlaps says little more.
_MOST_WINDOWS = 5000


def rehearsed_share(
    estimator: Any, part: tuple[Panel, Panel | None], validation: float
) -> tuple[float, int] | None:
    """Return the share of the theta forecast, learned on windows before the end of the series.

    The default forecaster holds nothing out, since the end of a series says most about what comes
    after it. So a second one is fitted without the last 15 % of every series, a horizon at least,
    and its errors there decide; that it has learned a little less is why the share is shrunk.

    Parameters
    ----------
    estimator : SequenceForecaster
        While it is being fitted: it has read its series.
    part : tuple of Panel and Panel or None
        What it trains on, and the weights.
    validation : float
        What it holds back to stop by, which the rehearsal does from its own end.

    Returns
    -------
    share : float
    n_apart : int
        Forecasts that do not overlap, which it rests on.
        None in place of both where no series is long enough.
    """
    panel, weights = part
    horizon, context = estimator.horizon, max(estimator._contexts)
    owner = type(estimator).__name__
    try:
        known = [_cut(p, HELD, horizon, context, owner) for p in (panel, weights)]
        first = [_cut(p, validation, horizon, context, owner) for p, _ in known]
        train = [None if p is None else training_panel(p, horizon)[0] for p, _ in first]
    except DataError:
        return None
    tail = panel.lengths - known[0][0].lengths
    series, stop = _origins(panel.lengths, tail, horizon)
    parts = ((train[0], train[1]), (first[0][1], first[1][1]), ())
    # the combination alone is set, so that the reader and all else are those of the fit
    other = clone(estimator).set_params(
        combination="equal", combine_with="theta", warm_start=False, verbose=0
    )
    read = {n: getattr(estimator, n) for n in ("_reader_", "n_features_in_", "feature_names_in_")
            if hasattr(estimator, n)}  # fmt: skip
    other.fit(Checked(SimpleNamespace(**read), known[0][0], parts))
    networks = other._networks
    theta = networks.theta
    alone, whole = (
        theta.middle(
            other._forecast_within(
                panel, series, stop, horizon, dataclasses.replace(networks, theta=beside)
            )
        )
        for beside in (
            None,
            dataclasses.replace(theta, combine=dataclasses.replace(theta.combine, share=1.0)),
        )
    )
    ahead = panel.offsets[series][:, None] + stop[:, None] + np.arange(horizon)
    truth = panel.values[ahead, : panel.n_targets]
    n_apart = int((tail // horizon).sum())
    return learned_share(alone, whole, truth, n_apart), n_apart


def _cut(
    panel: Panel | None, share: float, horizon: int, context: int, owner: str
) -> tuple[Any, Panel | None]:
    return (None, None) if panel is None else hold_out(panel, share, horizon, context, owner)


def _origins(lengths: np.ndarray, tail: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every origin within the tails that has a horizon after it: series and step."""
    count = np.where(tail > 0, tail - horizon + 1, 0)
    series = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(len(series)) - np.repeat(np.cumsum(count) - count, count)
    stop = lengths[series] - horizon - number
    every = max(1, -(-len(series) // _MOST_WINDOWS))
    return series[::every], stop[::every]
