"""Networks of every kind, small and hardly trained, for whatever formats they are exported to."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from seqkit import (
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
)
from seqkit.cells import CELLS

RNG = np.random.default_rng(0)
EQUAL = RNG.normal(size=(40, 20, 2)).cumsum(1)
UNEQUAL = [x[: RNG.integers(8, 21)] for x in EQUAL]
LABELS = np.where(EQUAL[:, -1, 0] > 0, "up", "down")
LINES = ["abcabcabcaab", "bcabcabcab"] * 8
WAVE = 100 + 10 * np.sin(np.arange(240) * np.pi / 6) + RNG.normal(size=240)
SMALL = {"units": 32, "epochs": 1, "random_state": 0, "dropout": 0.0}
SERIES = {"stem": None, "pyramid": 1, "moves": [], "patch": 1, "ensemble": 1, **SMALL}
WINDOWS = {"context_length": 24, "horizon": 6, "season": 12, "ensemble": 1, **SMALL}


def shops():
    """Two series with all kinds of covariates."""
    days = pd.date_range("2024-01-01", periods=120, freq="D")
    parts = [
        pd.DataFrame({
            "shop": shop, "day": days, "city": city,
            "sales": RNG.poisson(20, 120).astype(float), "visits": RNG.normal(size=120),
            "price": RNG.normal(size=120),
        })
        for shop, city in (("a", "Graz"), ("b", "Linz"))
    ]  # fmt: skip
    return pd.concat(parts)


ROLES = {
    "series_id": "shop", "time": "day", "target": "sales", "past_covariates": ["visits"],
    "future_covariates": ["price"], "static_covariates": ["city"],
}  # fmt: skip


def classifier(X=UNEQUAL, **settings):
    return SequenceClassifier(**(SERIES | settings)).fit(X, LABELS), X


def regressor(**settings):
    settings = {k: v for k, v in SERIES.items() if k != "ensemble"} | settings
    return SequenceRegressor(**settings).fit(UNEQUAL, [x[-1] for x in UNEQUAL]), UNEQUAL


def tagger(several=False, **settings):
    tags = [(x[:, :1] > 0) | (x > 1) if several else np.where(x[:, 0] > 0, "hi", "lo")
            for x in UNEQUAL]  # fmt: skip
    tags = [tag.astype(int) if several else tag for tag in tags]
    return SequenceTagger(**(SMALL | settings)).fit(UNEQUAL, tags), UNEQUAL


def letters():
    return SequenceTagger(target="next", embedding=3, **SMALL).fit(LINES), LINES


def forecaster(**settings):
    return SequenceForecaster(**(WINDOWS | settings)).fit(WAVE), WAVE


def frame_forecaster(**settings):
    frame = shops()
    return SequenceForecaster(**(WINDOWS | ROLES | settings)).fit(frame), frame


NETWORKS = {
    **{
        f"{name}, stacked and in both directions": functools.partial(
            classifier, cell=name, units=[32, 32], bidirectional=True, pooling="last"
        )
        for name in CELLS
    },
    "equal lengths, one direction, no pooling": functools.partial(
        classifier, EQUAL, bidirectional=False, pooling="last", deviations=True
    ),
    "attention, patches that overlap": functools.partial(
        classifier, pooling="attention", patch=3, overlap=2
    ),
    "stem, branch, layer and series normalisation": functools.partial(
        classifier, stem={}, branch="fcn", layer_norm=True, normalize="series", units=[32, 32]
    ),
    "pyramid, moves, an ensemble": functools.partial(
        classifier, units=[32, 32], pyramid=2, moves=[-2, 0, 2], ensemble=2
    ),
    "residual sums, hidden layers": functools.partial(
        classifier, units=[32, 32], residual=True, dense=[16], pooling="mean_max"
    ),
    "regression, quantiles of two targets": functools.partial(regressor, quantiles=[0.1, 0.5, 0.9]),
    "tagging": tagger,
    "tagging, several labels": functools.partial(tagger, several=True, bidirectional=False),
    "tagging, the next token": letters,
    "forecast, direct, covariates, quantiles": functools.partial(
        frame_forecaster, quantiles=[0.1, 0.5, 0.9]
    ),
    "forecast, recursive, covariates, student_t": functools.partial(
        frame_forecaster, decoder="recursive", distribution="student_t", units=[16, 16]
    ),
    "forecast, segments, covariates, patches": functools.partial(
        frame_forecaster, decoder="segment", patch=3, normalize="last", quantiles=[0.1, 0.5, 0.9]
    ),
    "forecast, a distribution of counts": functools.partial(
        frame_forecaster, distribution="negative_binomial", normalize="none"
    ),
    "forecast, departure from learned_theta": functools.partial(
        forecaster, departure_from="learned_theta"
    ),
    "forecast, an ensemble with theta, box_cox": functools.partial(
        forecaster, ensemble=2, combine_with="theta", target_transform="box_cox",
        departure_from="seasonal_naive",
    ),
}  # fmt: skip
"""Every cell, then every other part of a network: a name to what returns a fit and its data."""
