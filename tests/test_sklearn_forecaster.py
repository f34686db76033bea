"""The forecaster in scikit-learn's searches, and that no forecast sees what comes after it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import some
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from seqkit import BacktestSplit, SequenceForecaster, forecast_scorer
from seqkit.data.embedded import load
from seqkit.network.decoders import DECODERS

TINY = {
    "context_length": 12, "horizon": 4, "units": 4, "cell": "gru", "epochs": 2, "batch_size": 16,
    "patch": 1, "validation": 0, "patience": 0, "random_state": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def passengers():
    return load("airline").frame.passengers.to_numpy(float)


# --- searches -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_grid_search_over_all_that_shapes_the_model(passengers):
    split = BacktestSplit(context_length=24, horizon=4, windows=2)
    grid = {"context_length": [12, 24], "units": [4, 8], "cell": ["gru", "lstm"],
            "decoder": ["direct", "recursive"]}  # fmt: skip
    search = GridSearchCV(
        SequenceForecaster(**TINY), grid, cv=split, scoring=split.scorer("mae"),
        error_score="raise",
    ).fit(passengers)  # fmt: skip
    assert len(search.cv_results_["params"]) == 16
    assert (search.cv_results_["mean_test_score"] < 0).all()
    assert search.best_estimator_.forecast().shape == (4,)
    assert search.predict(passengers).shape == (144, 4)


def test_a_fold_of_a_search_is_a_fit_by_hand(passengers):
    split = BacktestSplit(context_length=12, horizon=4, windows=2)
    search = GridSearchCV(
        SequenceForecaster(**TINY), {"learning_rate": [0.001, 0.01]}, cv=split,
        scoring=forecast_scorer("mae"), error_score="raise", refit=False,
    ).fit(passengers)  # fmt: skip
    for k, (train, test) in some(enumerate(split.split(passengers))):
        model = SequenceForecaster(**TINY, learning_rate=0.01).fit(passengers[train])
        made = model.forecast(passengers[test[:12]])
        error = np.abs(made - passengers[test[12:]]).mean()
        found = search.cv_results_[f"split{k}_test_score"][1]
        assert found == pytest.approx(-error, rel=1e-5)


def test_time_series_split_and_several_scores(passengers):
    cv = TimeSeriesSplit(2, test_size=30)
    scores = cross_val_score(SequenceForecaster(**TINY), passengers, cv=cv)
    assert np.isfinite(scores).all()
    found = cross_validate(
        SequenceForecaster(**TINY), passengers, cv=cv,
        scoring={"mae": forecast_scorer("mae"), "smape": forecast_scorer("smape")},
    )  # fmt: skip
    assert (found["test_mae"] < 0).all()
    assert np.isfinite(found["test_smape"]).all()


def test_randomized_search_with_threads(passengers):
    search = RandomizedSearchCV(
        SequenceForecaster(**TINY), {"learning_rate": [0.001, 0.01, 0.1]}, n_iter=2,
        cv=TimeSeriesSplit(2, test_size=30), random_state=0, error_score="raise",
    )  # fmt: skip
    alone = clone(search).fit(passengers)
    from joblib import parallel_config

    with parallel_config("threading", n_jobs=2):
        both = search.fit(passengers)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], both.cv_results_["mean_test_score"]
    )


def test_target_beside_features_in_a_pipeline(passengers):
    month = np.arange(144) % 12
    X = np.column_stack([passengers, month])
    model = make_pipeline(FunctionTransformer(), SequenceForecaster(**TINY))
    scores = cross_val_score(model, X, passengers, cv=TimeSeriesSplit(2, test_size=30))
    assert np.isfinite(scores).all()
    scaled = make_pipeline(StandardScaler(), SequenceForecaster(**TINY)).fit(X, passengers)
    assert scaled.predict(X).shape == (144, 4)  # in passengers: y itself was not scaled


def test_frames_of_arrays_keep_their_names(passengers):
    frame = pd.DataFrame({"passengers": passengers, "month": np.arange(144.0) % 12})
    model = SequenceForecaster(**TINY).fit(frame, frame.passengers)
    assert model.feature_names_in_.tolist() == ["passengers", "month"]
    by_array = SequenceForecaster(**TINY).fit(frame.to_numpy(), passengers)
    np.testing.assert_array_equal(model.predict(frame), by_array.predict(frame.to_numpy()))


def test_weights_of_a_score_are_routed(passengers):
    weight = np.linspace(1, 9, 144)
    with config_context(enable_metadata_routing=True):
        cv = TimeSeriesSplit(2, test_size=30)

        def scores(fit, score):
            model = SequenceForecaster(**TINY).set_fit_request(sample_weight=fit)
            model.set_score_request(sample_weight=score)
            return cross_val_score(model, passengers, cv=cv, params={"sample_weight": weight})

        weighted, fitted = scores(False, True), scores(True, False)
    plain = cross_val_score(SequenceForecaster(**TINY), passengers, cv=cv)
    assert (weighted != plain).any()
    assert (fitted != plain).any()


# --- nothing leaks --------------------------------------------------------------------------------


SETTINGS = {
    **{f"decoder={d}": {"decoder": d, "patch": 4 if d == "segment" else 1} for d in DECODERS},
    "normalize=last": {"normalize": "last"},
    "normalize=none": {"normalize": "none"},
    "seasonal": {"departure_from": "seasonal_naive", "season": 12},
    "departure_from=last": {"departure_from": "last"},
    "bidirectional": {"bidirectional": True},
    "patch": {"patch": 4},
    "stack": {"units": [4, 4], "residual": True},
    "quantiles": {"quantiles": [0.1, 0.5, 0.9]},
    "normal": {"distribution": "normal"},
    "ensemble": {"context_length": [12, 8], "ensemble": 2},
    "minmax": {"scale": "minmax"},
    "robust": {"scale": "robust"},
}
SLOW = {"ensemble", "stack", "bidirectional", "minmax", "robust", "normal", "departure_from=last"}


@pytest.mark.parametrize(
    "settings",
    [pytest.param(v, id=k, marks=[pytest.mark.slow] * (k in SLOW)) for k, v in SETTINGS.items()],
)
def test_nothing_after_the_origin_and_all_up_to_it(settings, passengers):
    """Perturb the future and see nothing move; the last value, and see the first step move."""
    model = SequenceForecaster(**{**TINY, "epochs": 1, **settings}).fit(passengers)
    before = model.predict(passengers)
    for origin in (20, 77, 130):
        future = passengers.copy()
        future[origin + 1 :] *= np.random.default_rng(origin).uniform(-9, 9, 143 - origin)
        np.testing.assert_array_equal(model.predict(future)[: origin + 1], before[: origin + 1])
        last = passengers.copy()
        last[origin] *= 1.1
        moved = np.abs(model.predict(last)[origin] - before[origin])
        if settings.get("departure_from") == "seasonal_naive" and settings["season"] == 12:
            assert moved.max() > 0
        else:
            assert moved[0] > 0
        np.testing.assert_array_equal(model.predict(last)[:origin], before[:origin])


def test_nothing_leaks_between_series(passengers):
    both = [passengers, passengers[::-1].copy()]
    model = SequenceForecaster(**TINY).fit(both)
    before = model.predict(both)
    after = model.predict([passengers * 3 + 7, both[1]])
    np.testing.assert_array_equal(after[1], before[1])


def test_future_covariates_are_the_only_thing_seen_ahead(passengers):
    X = np.column_stack(
        [passengers, np.arange(144.0) % 12, np.random.default_rng(0).normal(size=144)]
    )
    model = SequenceForecaster(
        **TINY, target="x0", past_covariates=["x2"], future_covariates=["x1"]
    ).fit(X)
    before = model.predict(X)[60]
    for column, moves in [(0, False), (1, True), (2, False)]:
        changed = X.copy()
        changed[61:65, column] += 5
        assert (model.predict(changed)[60] != before).any() == moves
        changed = X.copy()
        changed[65:, column] += 5  # past the horizon
        np.testing.assert_array_equal(model.predict(changed)[60], before)


def test_a_fold_is_trained_on_what_was_known(passengers):
    """What a search trains on does not change with the test part."""
    split = BacktestSplit(context_length=12, horizon=4, windows=1)
    train, test = next(split.split(passengers))
    changed = passengers.copy()
    changed[test[12:]] += 1000
    models = [SequenceForecaster(**TINY).fit(series[train]) for series in (passengers, changed)]
    for a, b in some(zip(models[0].weights_, models[1].weights_, strict=True)):
        np.testing.assert_array_equal(a, b)
    assert train.max() < test[12:].min()
