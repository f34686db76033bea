"""An optimizer as a setting: a name, a map of options, an object of Keras."""

from __future__ import annotations

import pickle
from dataclasses import fields

import numpy as np
import pytest
from conftest import some
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import seqkit
from seqkit import SequenceClassifier, SequenceForecaster
from seqkit.recipe.optimizers import OPTIMIZERS
from seqkit.training.optimizers import UPDATE_RULES

QUICK = {"units": 4, "epochs": 2, "batch_size": 8, "dropout": 0.0, "random_state": 0}
X = np.random.default_rng(0).normal(size=(24, 12, 1))
Y = (X[:, -1, 0] > 0).astype(int)
HEAVY = {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-2}


def test_the_grammar_has_the_options_and_defaults_of_the_rules():
    assert set(OPTIMIZERS) == set(UPDATE_RULES)
    for name, kind in some(OPTIMIZERS.items()):
        own = {k: f.default for k, f in kind.model_fields.items() if k != "name"}
        rule = UPDATE_RULES[name][0]()
        assert own == {k: getattr(rule, k) for k in (f.name for f in fields(rule))}
        for option, field in kind.model_fields.items():
            assert field.description.endswith("."), (name, option)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_option_is_taken_and_the_defaults_change_nothing(name):
    options = {k: f.default for k, f in OPTIMIZERS[name].model_fields.items() if k != "name"}
    plain = SequenceClassifier(optimizer=name, **QUICK).fit(X, Y)
    whole = SequenceClassifier(optimizer={"name": name, **options}, **QUICK).fit(X, Y)
    assert whole.trainer_ == "native"
    assert all(np.array_equal(a, b) for a, b in zip(plain.weights_, whole.weights_, strict=True))


def test_an_option_is_heard_by_every_estimator():
    for make, data in (
        (lambda o: SequenceClassifier(optimizer=o, learning_rate=0.05, **QUICK), (X, Y)),
        (lambda o: SequenceForecaster(context_length=8, horizon=2, optimizer=o, **QUICK),
         (np.sin(np.arange(60.0)),)),
    ):  # fmt: skip
        plain, heavy = make("sgd").fit(*data), make(HEAVY).fit(*data)
        assert not np.allclose(plain.weights_[-1], heavy.weights_[-1])


def test_an_object_of_keras_trains_as_the_same_options_do():
    import keras

    given = keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=1e-2)
    before = given.get_config()
    theirs = SequenceClassifier(optimizer=given, **QUICK).fit(X, Y)
    own = SequenceClassifier(optimizer=HEAVY, learning_rate=0.05, **QUICK).fit(X, Y)
    assert theirs.trainer_ == "keras: the optimizer is an object of Keras"
    for a, b in zip(own.weights_, theirs.weights_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert theirs.optimizer is given
    assert given.get_config() == before
    assert int(given.iterations) == 0


@pytest.mark.parametrize("optimizer", [HEAVY, "keras"], ids=["map", "object"])
def test_it_is_a_parameter_like_all_others(optimizer, tmp_path):
    if optimizer == "keras":
        import keras

        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    model = SequenceClassifier(optimizer=optimizer, **QUICK)
    assert model.get_params()["optimizer"] is optimizer
    copies = [clone(model), pickle.loads(pickle.dumps(model))]
    weights = [m.fit(X, Y).weights_ for m in (model, *copies)]
    for other in weights[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(weights[0], other, strict=True))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_search_goes_through_optimizers():
    grid = {"optimizer": ["adam", {"name": "sgd", "momentum": 0.9}]}
    found = GridSearchCV(SequenceClassifier(**QUICK), grid, cv=2, error_score="raise").fit(X, Y)
    assert len(found.cv_results_["params"]) == 2


def test_options_are_saved_and_an_object_is_not(tmp_path):
    import keras

    model = SequenceClassifier(optimizer=HEAVY, **QUICK).fit(X, Y)
    model.save(tmp_path / "map")
    assert seqkit.load(tmp_path / "map").optimizer == HEAVY
    model = SequenceClassifier(optimizer=keras.optimizers.Lion(1e-3), **QUICK).fit(X, Y)
    with pytest.raises(seqkit.RunError, match=r"got a Lion of Keras.*set_params\(optimizer='adam'"):
        model.save(tmp_path / "object")
    assert not (tmp_path / "object").exists()
    model.set_params(optimizer="adam").save(tmp_path / "object")
    again = seqkit.load(tmp_path / "object")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("optimizer", "error", "message"),
    [
        ({"name": "sgd", "momentum": 1.0}, ValueError,
         r"optimizer\['momentum'\] must be a number from 0 to below 1; got 1.0."),
        ({"name": "adam", "beta_2": 1.0}, ValueError,
         r"optimizer\['beta_2'\] must be a number between 0 and 1; got 1.0."),
        ({"name": "adam", "beta_1": "0.9"}, TypeError, r"got '0.9'. Remove the quotes."),
        ({"name": "adamw", "weight_decay": -0.1}, ValueError,
         r"must be a number of 0 or more or None; got -0.1."),
        ({"name": "sgd", "beta_1": 0.9}, TypeError,
         "'beta_1' is no option of sgd; it has weight_decay, momentum and nesterov."),
        ({"name": "sgd", "momentun": 0.9}, TypeError, "did you mean 'momentum'"),
        ({"name": "sgt"}, ValueError, r"optimizer\['name'\] must be one of adam.*mean 'sgd'"),
        ({"momentum": 0.9}, ValueError, "optimizer must be a map with a name"),
        ({"name": "sgd", "nesterov": True}, ValueError, "Set momentum, for example to 0.9"),
        (3, TypeError, "or a map of such a name and its options; got 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(optimizer, error, message):
    with pytest.raises(error, match=message):
        SequenceClassifier(optimizer=optimizer, **QUICK).fit(X, Y)


def test_a_learning_rate_beside_an_object_is_refused():
    import keras

    model = SequenceClassifier(optimizer=keras.optimizers.SGD(0.1), learning_rate=0.5, **QUICK)
    with pytest.raises(ValueError, match="learning_rate must be left out beside an optimizer of K"):
        model.fit(X, Y)
