"""The estimators inside scikit-learn's own tools, each on real data."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import cpu_count, parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from seqkit import SequenceClassifier, SequenceRegressor
from seqkit.data.embedded import load

QUICK = {"batch_size": 16, "validation": 0.0, "patience": 0, "random_state": 0}
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


def classifier(**settings):
    """One architecture in most tests, so that its graph is traced once."""
    return SequenceClassifier(
        **{**QUICK, "units": 8, "cell": "gru", "pooling": "max", "patch": 5, "epochs": 20,
           "learning_rate": 0.02, **settings}
    )  # fmt: skip


@pytest.fixture(scope="module")
def gunpoint():
    """150 steps of 1 feature, 2 classes: (X, y, X_test, y_test)."""
    parts = load("gunpoint")
    return parts.train.X, parts.train.y, parts.test.X, parts.test.y


@pytest.fixture(scope="module")
def vowels():
    """Series of 7 to 29 steps of 12 features; three of the nine speakers."""
    parts = load("japanese_vowels")
    keep = [np.flatnonzero(np.isin(part.y, [1, 2, 3])) for part in
            (parts.train, parts.test)]  # fmt: skip
    train, test = parts.train[keep[0]], parts.test[keep[1]]
    return train.X, train.y, test.X, test.y


@pytest.fixture(scope="module")
def airline():
    """The last 12 months as a row, the month after them as target."""
    values = load("airline").frame.passengers.to_numpy(float)
    X = np.lib.stride_tricks.sliding_window_view(values, 13)
    return X[:, :12], X[:, 12]


def proper(probabilities, n_classes):
    assert probabilities.shape[1] == n_classes
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


# --- pipelines --------------------------------------------------------------------------------


class Differences(TransformerMixin, BaseEstimator):
    """Add the first differences as a further feature; three axes in, three axes out."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.concatenate([X, np.diff(X, axis=1, prepend=X[:, :1])], axis=2)


def test_pipeline_with_a_transformer_of_three_axes(gunpoint):
    X, y, X_test, y_test = gunpoint
    model = make_pipeline(Differences(), classifier()).fit(X, y)
    assert model.score(X_test, y_test) > 0.6
    assert model[-1].n_features_in_ == 2
    proper(model.predict_proba(X_test), 2)


def test_pipeline_of_tables(gunpoint):
    X, y, X_test, y_test = (part[:, :, 0] if part.ndim == 3 else part for part in gunpoint)
    model = make_pipeline(StandardScaler(), classifier(scale="none")).fit(X, y)
    assert model.score(X_test, y_test) > 0.6
    assert model.n_features_in_ == 150


def test_columns_keep_their_names_behind_a_transformer(airline):
    X, y = airline
    X = pd.DataFrame(X, columns=[f"lag_{k}" for k in range(12, 0, -1)])
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, SequenceRegressor(units=4, epochs=2, **QUICK)).fit(X, y)
    assert list(model[-1].feature_names_in_) == list(X.columns)
    assert model.predict(X).shape == (132,)


# --- cross-validation and searches --------------------------------------------------------------


def test_cross_validation_in_every_form(gunpoint, vowels):
    X, y, *_ = gunpoint
    scores = cross_val_score(classifier(), X, y, cv=FOLDS)
    np.testing.assert_array_equal(scores, cross_val_score(classifier(), X[:, :, 0], y, cv=FOLDS))
    found = cross_val_predict(classifier(), X, y, cv=FOLDS, method="predict_proba")
    proper(found, 2)
    X, y, *_ = vowels  # a list of arrays of unequal lengths
    found = cross_val_predict(classifier(patch=1), X, y, cv=FOLDS)
    assert (found == y).mean() > 0.5


def test_randomized_search_in_a_pipeline(vowels):
    X, y, *_ = vowels
    model = Pipeline([("same", FunctionTransformer()), ("net", classifier(patch=1))])
    search = RandomizedSearchCV(
        model, {"net__learning_rate": [0.001, 0.01, 0.05]}, n_iter=2, cv=FOLDS, random_state=0,
        error_score="raise",
    ).fit(X, y)  # fmt: skip
    assert search.best_score_ > 0.5


def test_halving_search_over_epochs(gunpoint):
    X, y, *_ = gunpoint
    search = HalvingRandomSearchCV(
        classifier(), {"learning_rate": [1e-6, 0.01, 0.02, 0.05]}, resource="epochs",
        max_resources=20, min_resources=5, factor=2, cv=FOLDS, random_state=0, error_score="raise",
    ).fit(X, y)  # fmt: skip
    assert search.n_resources_ == [5, 10, 20]
    assert search.best_params_["learning_rate"] > 1e-6


def test_learning_curve_by_size_and_by_partial_fit(gunpoint):
    X, y, *_ = gunpoint
    _, train, test = learning_curve(
        classifier(), X, y, train_sizes=[0.5, 1.0], cv=FOLDS, shuffle=True, random_state=0,
        error_score="raise",
    )  # fmt: skip
    assert train.shape == test.shape == (2, 2)
    _, train, _ = learning_curve(
        classifier(), X, y, train_sizes=[0.5, 1.0], cv=FOLDS, exploit_incremental_learning=True,
        shuffle=True, random_state=0, error_score="raise",
    )  # fmt: skip
    assert np.isfinite(train).all()


def test_scorers_ask_for_probabilities(gunpoint):
    X, y, *_ = gunpoint
    found = cross_validate(classifier(), X, y, cv=FOLDS, scoring=["roc_auc", "neg_log_loss"])
    assert (found["test_roc_auc"] >= 0).all()
    assert (found["test_neg_log_loss"] < 0).all()


# --- permutation importance -------------------------------------------------------------------


def nested(X):
    """Return a frame with a column a feature, whose cells are series."""
    X = list(X)
    return pd.DataFrame({f"c{k}": [x[:, k] for x in X] for k in range(X[0].shape[1])})


def unnested(frame):
    """Undo `nested`: a list of (n_timesteps_i, n_features) arrays."""
    return [np.column_stack(list(row)) for row in frame.to_numpy()]


def test_permutation_importance_over_features(gunpoint):
    X, y, X_test, y_test = gunpoint
    noise = np.random.default_rng(0).normal(size=X.shape)
    noise_test = np.random.default_rng(1).normal(size=X_test.shape)
    model = make_pipeline(FunctionTransformer(unnested), classifier(epochs=80, dropout=0.0))
    model.fit(nested(np.concatenate([X, noise], 2)), y)
    frame = nested(np.concatenate([X_test, noise_test], 2))
    found = permutation_importance(model, frame, y_test, n_repeats=3, random_state=0)
    assert found.importances_mean.shape == (2,)
    assert found.importances_mean[0] > found.importances_mean[1]


def test_permutation_importance_over_time_steps(airline):
    X, y = airline
    model = SequenceRegressor(
        units=16, epochs=40, learning_rate=0.02, pooling="last", bidirectional=False, **QUICK
    ).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert found.importances_mean.argmax() == 11  # the month before
    assert model.score(X, y) > 0.7


# --- ensembles and wrappers -------------------------------------------------------------------


def flat(X):
    return np.asarray(X).reshape(len(X), -1)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibration(method, gunpoint):
    X, y, X_test, _ = gunpoint
    model = CalibratedClassifierCV(classifier(), method=method, cv=FOLDS).fit(X, y)
    proper(model.predict_proba(X_test), 2)


def test_calibrated_probabilities_are_better(gunpoint):
    """Half the test series calibrate what 16 series, seen 150 times, have made too sure."""
    X, y, X_test, y_test = gunpoint
    # scikit-learn 1.9 takes integer classes for places from 0 on, in temperature scaling
    y, y_test = y.astype(str), y_test.astype(str)
    few = np.random.default_rng(1).permutation(len(X))[:16]
    net = classifier(epochs=150, units=16, dropout=0.0, schedule="constant").fit(X[few], y[few])
    better = CalibratedClassifierCV(FrozenEstimator(net), method="temperature")
    better.fit(X_test[::2], y_test[::2])
    before = log_loss(y_test[1::2], net.predict_proba(X_test[1::2]))
    assert log_loss(y_test[1::2], better.predict_proba(X_test[1::2])) < before


def test_bagging(gunpoint):
    """It insists on tables."""
    X, y, X_test, y_test = (part[:, :, 0] if part.ndim == 3 else part for part in gunpoint)
    model = BaggingClassifier(classifier(epochs=60), n_estimators=3, random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.6
    assert len({m.random_state for m in model.estimators_}) == 3
    part = BaggingClassifier(classifier(epochs=2), 2, max_samples=0.5, random_state=0).fit(X, y)
    proper(part.predict_proba(X_test), 2)


def test_stacking_of_a_recurrent_and_a_tabular_classifier(gunpoint):
    X, y, X_test, y_test = gunpoint
    trees = make_pipeline(FunctionTransformer(flat), ExtraTreesClassifier(20, random_state=0))
    model = StackingClassifier(
        [("net", classifier()), ("trees", trees)], LogisticRegression(), cv=FOLDS
    ).fit(X, y)
    assert model.score(X_test, y_test) > 0.7
    named = model.set_output(transform="pandas").transform(X_test)
    assert list(named.columns) == ["stackingclassifier_net", "stackingclassifier_trees"]


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting(voting, gunpoint):
    X, y, X_test, y_test = gunpoint
    trees = make_pipeline(FunctionTransformer(flat), ExtraTreesClassifier(20, random_state=0))
    model = VotingClassifier([("net", classifier()), ("trees", trees)], voting=voting).fit(X, y)
    assert model.score(X_test, y_test) > 0.6


def test_one_against_the_rest(vowels):
    X, y, X_test, y_test = vowels
    model = OneVsRestClassifier(classifier(patch=1)).fit(X, y)
    proper(model.predict_proba(X_test), 3)
    assert model.score(X_test, y_test) > 0.5


def test_threshold_tuned_on_folds(gunpoint):
    X, y, X_test, y_test = gunpoint
    y, y_test = (np.where(part == part[0], 0, 1) for part in (y, y_test))
    tuned = TunedThresholdClassifierCV(classifier(), scoring="f1", cv=FOLDS, thresholds=20)
    tuned.fit(X, y)
    assert 0 <= tuned.best_threshold_ <= 1
    assert set(tuned.predict(X_test)) <= {0, 1}
    fixed = FixedThresholdClassifier(tuned.estimator_, threshold=0.0).fit(X, y)
    assert (fixed.predict(X_test) == 1).all()


def test_transformed_target(airline):
    X, y = airline
    net = SequenceRegressor(units=16, epochs=40, learning_rate=0.02, **QUICK)
    model = TransformedTargetRegressor(net, func=np.log, inverse_func=np.exp).fit(X, y)
    by_hand = clone(net).fit(X, np.log(y))
    np.testing.assert_allclose(model.predict(X), np.exp(by_hand.predict(X)), rtol=1e-6)
    three = TransformedTargetRegressor(net, func=np.log, inverse_func=np.exp).fit(X[:, :, None], y)
    assert three.predict(X[:, :, None]).shape == (132,)


# --- metadata -----------------------------------------------------------------------------------


def test_metadata_is_routed(gunpoint):
    X, y, *_ = gunpoint
    weight = np.where(y == y[0], 5.0, 1.0)
    epochs = []

    def count(epoch, logs, get_state):
        epochs.append(epoch)

    with config_context(enable_metadata_routing=True):
        net = classifier(epochs=2).set_fit_request(sample_weight=True, on_epoch=True)
        net.set_score_request(sample_weight=True)
        params = {"sample_weight": weight, "on_epoch": count}
        scores = cross_val_score(net, X, y, cv=FOLDS, params=params)
        assert epochs == [0, 1, 0, 1]
        by_hand = []
        for train, test in FOLDS.split(X, y):
            one = clone(net).fit(X[train], y[train], sample_weight=weight[train])
            by_hand.append(one.score(X[test], y[test], sample_weight=weight[test]))
        np.testing.assert_array_equal(scores, by_hand)
        search = GridSearchCV(make_pipeline(FunctionTransformer(), net), {}, cv=FOLDS)
        search.fit(X, y, sample_weight=weight)
        whole = clone(net).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(
            search.best_estimator_[-1].predict_proba(X), whole.predict_proba(X)
        )


def test_metadata_that_nobody_asked_for_is_an_error(gunpoint):
    X, y, *_ = gunpoint
    with config_context(enable_metadata_routing=True), pytest.raises(UnsetMetadataPassedError):
        cross_val_score(classifier(), X, y, params={"sample_weight": np.ones(len(y))})


def test_metadata_of_partial_fit():
    with config_context(enable_metadata_routing=True):
        net = classifier().set_partial_fit_request(classes=True, sample_weight=True)
        requests = net.get_metadata_routing()
        assert requests.partial_fit.requests == {"classes": True, "sample_weight": True}


# --- frames -------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_and_their_names(library, airline):
    X, y = airline
    names = [f"lag_{k}" for k in range(12, 0, -1)]
    frame = import_module(library).DataFrame(dict(zip(names, X.T, strict=True)))
    net = SequenceRegressor(units=4, epochs=2, **QUICK)
    model = clone(net).fit(frame, y)
    assert list(model.feature_names_in_) == names
    assert model.n_features_in_ == 12
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        answers = model.predict(frame)
    np.testing.assert_array_equal(answers, clone(net).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[names[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    assert np.isfinite(cross_val_score(net, frame, y, cv=2)).all()


def test_object_arrays_of_unequal_series(vowels):
    X, y, X_test, _ = vowels
    boxed = np.empty(len(X), object)
    boxed[:] = X
    model = classifier(patch=1).fit(boxed, y)
    expected = classifier(patch=1).fit(X, y).predict_proba(X_test)
    np.testing.assert_array_equal(model.predict_proba(X_test), expected)
    assert np.isfinite(cross_val_score(model, boxed, y, cv=FOLDS)).all()


# --- side by side -------------------------------------------------------------------------------


def test_threads_search_exactly_as_one_does(gunpoint):
    X, y, *_ = gunpoint
    grid = {"learning_rate": [0.001, 0.02], "units": [4, 8]}
    alone = GridSearchCV(classifier(epochs=5), grid, cv=FOLDS, scoring="neg_log_loss").fit(X, y)
    with parallel_config("threading", n_jobs=2):
        both = clone(alone).fit(X, y)
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(both.cv_results_[name], alone.cv_results_[name])
    np.testing.assert_array_equal(both.predict_proba(X), alone.predict_proba(X))


PROCESSES = """
import json, os, sys
import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV
from seqkit import SequenceClassifier
from seqkit.data.embedded import load

def threads():
    import seqkit.training, tensorflow as tf
    tf.constant(1) + 1
    return [os.environ.get(f"TF_NUM_{k}OP_THREADS") for k in ("INTRA", "INTER")]

def die(epoch, logs, get_state):
    os._exit(1)

train = load("gunpoint").train
net = SequenceClassifier(units=8, cell="gru", patch=5, epochs=5, batch_size=16, validation=0.0,
                         patience=0, random_state=0)
grid = {"learning_rate": [0.001, 0.02], "units": [4, 8]}
found = {}
for n_jobs in (2, 1):
    search = GridSearchCV(net, grid, cv=2, n_jobs=n_jobs, scoring="neg_log_loss")
    search.fit(train.X, train.y)
    found[n_jobs] = [search.cv_results_[f"split{k}_test_score"].tolist() for k in (0, 1)]
found["threads"] = Parallel(2)(delayed(threads)() for _ in range(2))
found["parent"] = threads()
try:
    GridSearchCV(net, grid, cv=2, n_jobs=2).fit(train.X, train.y, on_epoch=die)
except Exception as error:
    found["error"] = type(error).__name__
print(json.dumps(found))
"""


def of_session(session):
    """Return the processes of a session that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, of = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
            if of == str(session) and state != "Z":
                found.append(int(folder.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_processes_search_alike_and_are_gone_afterwards():
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESSES], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    found = json.loads(out)
    np.testing.assert_array_equal(found["2"], found["1"])
    cores = max(1, cpu_count() // 2)
    assert found["threads"] == [[str(cores)] * 2] * 2
    assert found["parent"] == [None, None]
    assert found["error"] == "TerminatedWorkerError"
    for _ in range(50):
        if not of_session(process.pid):
            break
        time.sleep(0.2)
    assert not of_session(process.pid)
