"""What becomes of an estimator: copies, further fits, failed fits, parameters. All three kinds."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from conftest import some
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, TrainingError
from seqkit.data.embedded import load

QUICK = {"epochs": 2, "batch_size": 16, "validation": 0, "patience": 0, "random_state": 0}


def data(kind):
    """Return (X, y) of real data for a kind of estimator."""
    if kind == "forecaster":
        return load("airline").frame.passengers.to_numpy(float), None
    train = load("gunpoint").train
    X = train.X[:, ::5]
    return X, train.y if kind == "classifier" else 100 * X[:, :, 0].max(1)


def make(kind, **settings):
    settings = {**QUICK, "units": 8, "cell": "gru", "patch": 1, **settings}
    if kind != "forecaster":  # what a constant rate reaches does not depend on how far it will go
        settings = {"schedule": "constant", "dropout": 0.0, **settings}
    if kind == "classifier":
        return SequenceClassifier(**settings)
    if kind == "regressor":
        return SequenceRegressor(**settings)
    return SequenceForecaster(context_length=12, horizon=3, schedule="constant", **settings)


KINDS = ["classifier", "regressor", "forecaster"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def answer(model, X):
    made = (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(X)
    return np.asarray(made)


def same(model, other, exactly=True):
    for a, b in zip(model.weights_, other.weights_, strict=True):
        np.testing.assert_allclose(
            a, b, **({"rtol": 0} if exactly else {"rtol": 1e-4, "atol": 1e-6})
        )


def fitted_names(model):
    return {name for name in vars(model) if name.endswith("_")}


# --- pickles ------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("units", [4, 96])
def test_pickles_are_small(kind, units):
    X, y = data(kind)
    model = make(kind, units=units, epochs=1).fit(X, y)
    model.model_  # noqa: B018 - building it must not make the pickle larger
    size = sum(w.nbytes for w in model.weights_)
    assert len(pickle.dumps(model)) < 2 * size + 50_000
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    assert len(pickle.dumps(warm)) < 3 * size + 50_000  # Adam remembers two numbers a weight


@pytest.mark.slow
def test_pickles_answer_the_same_in_another_process(tmp_path):
    models = {}
    for kind in KINDS:
        X, y = data(kind)
        models[kind] = (make(kind).fit(X, y), X)
    (tmp_path / "models.pickle").write_bytes(pickle.dumps(models))
    code = (
        "import pickle, sys, numpy as np\n"
        "for kind, (model, X) in pickle.load(open('models.pickle', 'rb')).items():\n"
        "    f = getattr(model, 'predict_proba', model.predict)\n"
        "    np.save(kind, f(X))\n"
    )
    env_path = ":".join(p for p in sys.path if p)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True,
                   env={"PYTHONPATH": env_path, "PATH": "/usr/bin:/bin"})  # fmt: skip
    for kind, (model, X) in some(models.items()):
        np.testing.assert_array_equal(np.load(tmp_path / f"{kind}.npy"), answer(model, X))


@every_kind
def test_copies_are_independent(kind):
    X, y = data(kind)
    model = make(kind).fit(X, y)
    before = answer(model, X)
    twin = copy.deepcopy(model)
    twin.set_params(random_state=1).fit(X, y)
    np.testing.assert_array_equal(answer(model, X), before)
    assert fitted_names(clone(model)) == set()
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


# --- further fits ---------------------------------------------------------------------------------


@every_kind
def test_warm_start_goes_on_with_the_optimizer_even_behind_a_pickle(kind):
    X, y = data(kind)
    settings = {"batch_size": 200}  # one step an epoch, so that the order does not matter
    whole = make(kind, **{**settings, "epochs": 4}).fit(X, y)
    half = make(kind, **settings, warm_start=True).fit(X, y)
    other = pickle.loads(pickle.dumps(half))
    same(whole, half.fit(X, y), exactly=False)
    same(half, other.fit(X, y))
    forgetful = make(kind, **settings).fit(X, y)
    forgetful.set_params(warm_start=True).fit(X, y)  # its optimizer began anew
    assert any(not np.allclose(a, b, rtol=1e-4, atol=1e-6)
               for a, b in zip(whole.weights_, forgetful.weights_, strict=True))  # fmt: skip


@every_kind
def test_fit_starts_anew(kind):
    X, y = data(kind)
    model = make(kind).fit(X, y)
    first = pickle.loads(pickle.dumps(model))
    same(first, model.fit(X, y))
    assert model.n_iter_ == 2


def test_partial_fit_keeps_scaling_and_classes():
    X, y = data("classifier")
    model = make("classifier").partial_fit(X[:10], y[:10], classes=np.unique(y))
    scaling = [w.copy() for w in model.weights_[:2]]
    model.partial_fit(1000 * X[10:], y[10:])
    for a, b in some(zip(scaling, model.weights_[:2], strict=True)):
        np.testing.assert_array_equal(a, b)
    assert model.classes_.tolist() == [1, 2]
    with pytest.raises(ValueError, match="only the classes"):
        model.partial_fit(X, np.full(len(X), "3"))


# --- parameters -----------------------------------------------------------------------------------


@every_kind
def test_fit_changes_no_parameter(kind):
    X, y = data(kind)
    settings = {"units": [8, 4], "dense": [4], "random_state": np.random.RandomState(0)}
    if kind == "classifier":
        settings["class_weight"] = {1: 2.0}
    if kind == "forecaster":
        settings["quantiles"] = [0.1, 0.5]
    model = make(kind, **settings)
    given = model.get_params(deep=False)
    before = copy.deepcopy({k: v for k, v in given.items() if k != "random_state"})
    model.fit(X, y)
    after = model.get_params(deep=False)
    assert all(after[name] is given[name] for name in given)
    assert {k: v for k, v in after.items() if k != "random_state"} == before


# --- failed fits ----------------------------------------------------------------------------------


class Stop(Exception):
    pass


def stop(epoch, logs, get_state):
    raise Stop


@every_kind
@pytest.mark.parametrize("reason", ["data", "setting", "interrupted", "diverged"])
def test_a_failed_fit_leaves_nothing_or_what_was_there(kind, reason):
    X, y = data(kind)

    def fails(model):
        if reason == "data":
            hole = np.array(X)
            hole.flat[3] = np.nan
            with pytest.raises(ValueError, match="NaN"):
                model.fit(hole, y)
        elif reason == "setting":
            with pytest.raises(ValueError, match="dropout"):
                model.set_params(dropout=1.5).fit(X, y)
        elif reason == "interrupted":
            with pytest.raises(Stop):
                model.fit(X, y, on_epoch=stop)
        else:
            with pytest.raises(TrainingError):
                model.set_params(learning_rate=1e38, optimizer="sgd", clipnorm=None).fit(X, y)
        model.set_params(dropout=0.0, learning_rate=1e-3, optimizer="adam", clipnorm=1.0)

    fresh = make(kind)
    fails(fresh)
    assert fitted_names(fresh) == set()
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    model = make(kind).fit(X, y)
    before, names = answer(model, X), fitted_names(model)
    fails(model)
    assert fitted_names(model) == names
    np.testing.assert_array_equal(answer(model, X), before)


# --- words ------------------------------------------------------------------------------------


@every_kind
def test_other_features_are_named(kind):
    X, y = data(kind)
    model = make(kind).fit(X, y)
    wider = np.stack([X, X], axis=-1) if X.ndim == 1 else np.concatenate([X, X], axis=2)
    words = "X has 2 features a time step, fitted with 1"
    if kind == "forecaster":
        words = "X has 2 features, but SequenceForecaster is expecting 1"
    with pytest.raises(ValueError, match=words):
        model.predict(wider)


def test_series_shorter_than_the_patch_are_named():
    X, y = data("classifier")
    series = list(X)
    model = make("classifier", patch=4).fit(series, y)
    series[7] = series[7][:3]
    with pytest.raises(ValueError, match=r"at least patch=4 time steps.*series 7 has 3"):
        model.predict(series)


def test_covariates_that_are_missing_are_named():
    frame = load("airline").frame.assign(fuel=1.0, wind=2.0)
    model = SequenceForecaster(
        context_length=12, horizon=3, units=4, target="passengers", time="month",
        past_covariates=["fuel", "wind"], **QUICK,
    ).fit(frame)  # fmt: skip
    with pytest.raises(ValueError, match="wind"):
        model.predict(frame.drop(columns="wind"))
    with pytest.raises(ValueError, match="fuel"):
        model.forecast(frame.rename(columns={"fuel": "oil"}))
