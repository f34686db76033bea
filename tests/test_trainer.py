"""Whatever seqkit describes trains natively: every recipe here, every row of a table."""

from __future__ import annotations

import typing

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, some

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, training
from seqkit.cells import CELLS
from seqkit.data.embedded import load
from seqkit.network.decoders import DECODERS
from seqkit.network.heads import DISTRIBUTIONS
from seqkit.network.layers.pooling import POOLINGS
from seqkit.recipe.forecasting_sections import ForecastingTrain
from seqkit.recipe.optimizers import OPTIMIZERS
from seqkit.recipe.reading import read_recipe
from seqkit.runs.flows import flow_of
from seqkit.tasks import TASKS
from seqkit.training.optimizers import UPDATE_RULES

RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
SCHEDULES = typing.get_args(ForecastingTrain.model_fields["schedule"].annotation)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 6, 2))
CLASSES, NUMBERS, LABELS = np.arange(8) % 2, np.arange(8.0), RNG.integers(0, 2, (8, 3))
SMALL = {"units": 4, "epochs": 1, "batch_size": 4, "random_state": 0}
WAVE = 5 + np.round(3 * np.sin(np.arange(60))) + np.arange(60) % 2
FORECASTS = {**SMALL, "context_length": 8, "horizon": 4, "batch_size": 32}


class Asked(Exception):
    """What a fit was about to be asked for."""


def table(data, n_rows=10_000):  # a year of hours is held back by the longest
    """Return a frame with every column that a recipe names."""
    if data.dataset:
        return load(data.dataset).frame
    targets = [data.target] if isinstance(data.target, str) else list(data.target)
    names = [*targets, *(data.past_covariates or ()), *(data.future_covariates or ())]
    frame = pd.DataFrame({name: 5 + RNG.normal(size=n_rows) for name in names})
    if data.time:
        frame[data.time] = pd.date_range("2024-01-01", periods=n_rows, freq="h")
    if data.series_id:
        frame[data.series_id] = "a"
    return frame


def steps(data):
    """Series of steps, and their labels, of the kinds that a recipe of tagging names."""
    of_tokens = str(data.path).endswith(".txt") or data.features == ["word"]
    X = [["a", "b"] * 8] * 40 if of_tokens else RNG.normal(size=(40, 16, 3))
    if data.target == "next":
        return (X,)
    if isinstance(data.target, list):
        return X, RNG.integers(0, 2, (40, 16, len(data.target)))
    return X, [["yes", "no"] * 8] * 40


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: str(file.relative_to(ROOT / "recipes")))
def test_every_recipe_trains_natively(file, monkeypatch):
    def ask(build, source, **options):
        raise Asked(build, options)

    monkeypatch.setattr(training, "fit", ask)
    resolved = read_recipe(file)
    recipe, estimator = resolved.recipe, flow_of(resolved).estimator()
    if recipe.task == "forecasting":
        data = (table(recipe.data),)
    elif recipe.task == "tagging":
        data = steps(recipe.data)
    else:
        data = (RNG.normal(size=(40, 64, 3)), np.arange(40) % 2)
    with pytest.raises(Asked) as asked:
        estimator.fit(*data)
    build, options = asked.value.args
    given = {name: options[name] for name in ("loss", "optimizer", "callbacks", "output")}
    assert some(build.members) == [build]  # an ensemble is fitted one by one
    assert training.not_native(build, **given) == ""


def test_the_tables_are_those_of_the_grammar():
    assert set(OPTIMIZERS) == set(UPDATE_RULES)
    assert set(SCHEDULES) == {"constant", "cosine", "plateau"}


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell(cell):
    for bidirectional in (False, True):
        net = SequenceClassifier(cell=cell, bidirectional=bidirectional, **SMALL)
        assert net.fit(X, CLASSES).trainer_ == "native"
    assert SequenceForecaster(cell=cell, **FORECASTS).fit(WAVE).trainer_ == "native"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_and_what_is_learned(pooling):
    for kind, y in (
        (SequenceClassifier, CLASSES),
        (SequenceClassifier, LABELS),
        (SequenceRegressor, NUMBERS),
    ):
        net = kind(pooling=pooling, units=[4, 4], dropout=0.1, recurrent_dropout=0.1, patch=2)
        net.set_params(**{**SMALL, "units": [4, 4]})
        assert net.fit(X, y).trainer_ == "native"


@pytest.mark.parametrize("loss", TASKS["regression"].losses)
def test_every_loss_of_numbers(loss):
    quantiles = [0.1, 0.5, 0.9] if loss == "pinball" else None
    made = SequenceRegressor(loss=loss, quantiles=quantiles, **SMALL)
    assert made.fit(X, NUMBERS).trainer_ == "native"


HEADS = {
    **{f"point by {loss}": {"loss": loss} for loss in ("mae", "mse", "huber")},
    "quantiles": {"quantiles": [0.1, 0.5, 0.9]},
    **{name: {"distribution": name} for name in DISTRIBUTIONS},
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_with_every_head(decoder, head):
    net = SequenceForecaster(decoder=decoder, patch=2, **HEADS[head], **FORECASTS)
    if decoder == "recursive" and HEADS[head].get("distribution") in (
        "negative_binomial",
        "poisson",
    ):
        with pytest.raises(ValueError, match="Use decoder: direct or segment"):
            net.fit(WAVE)
        return
    assert net.fit(WAVE).trainer_ == "native"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_every_schedule(optimizer, schedule):
    net = SequenceRegressor(optimizer=optimizer, schedule=schedule, validation=0.25, **SMALL)
    assert net.fit(X, NUMBERS).trainer_ == "native"
    options = {"name": optimizer, "weight_decay": 0.01}
    more = SequenceForecaster(optimizer=options, schedule=schedule, validation=8, **FORECASTS)
    assert more.fit(WAVE).trainer_ == "native"
