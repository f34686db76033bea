"""Probabilities of classifiers brought down to what held-out series say of them."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, load
from seqkit.estimators.calibrating import shrinkage

QUICK = {"units": 3, "stem": None, "patch": 1, "epochs": 2, "random_state": 0, "moves": []}


def series(n=90, share=0.7, seed=0, seen=2.0):
    """Return series of which one class is frequent, and which show their class by so much."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) > share).astype(int)
    X = rng.normal(size=(n, 8, 1)) + seen * y[:, None, None]
    return X, np.array(["often", "seldom"])[y]


def shrunk(p, a, prior):
    """Transcription: softmax of a log p + (1 - a) log prior."""
    odds = p**a * prior ** (1 - a)
    return odds / odds.sum(-1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(3, 40), k=st.integers(2, 5), sure=st.floats(0.1, 9)
)
def test_the_factor_is_that_of_the_least_cross_entropy(seed, n, k, sure):
    rng = np.random.default_rng(seed)
    p = np.exp(sure * rng.normal(size=(n, k)))
    p /= p.sum(1, keepdims=True)
    truth, prior = rng.integers(0, k, n), rng.dirichlet(np.ones(k)) + 1e-3
    prior /= prior.sum()
    weight = rng.integers(1, 4, n)

    def loss(a):
        right = shrunk(p, a, prior)[np.arange(n), truth]
        return -np.average(np.log(right), weights=weight)

    found = shrinkage(p, truth, prior, weight.astype(float))
    grid = [loss(a) for a in np.linspace(0, 1, 201)]
    assert loss(found) <= min(grid) + 1e-6
    again = np.repeat(np.arange(n), weight)  # a weight is so many of the same
    assert shrinkage(p[again], truth[again], prior, None) == pytest.approx(found, abs=1e-3)


@pytest.mark.parametrize("ensemble", [1, 2])
def test_the_networks_answer_what_the_factor_makes_of_their_answers(ensemble):
    X, y = series()
    bare = SequenceClassifier(**QUICK, ensemble=ensemble, calibrate=False).fit(X, y)
    model = SequenceClassifier(**QUICK, ensemble=ensemble, calibrate=True).fit(X, y)
    assert 0 <= model.calibration_ <= 1
    prior = np.mean(y[:, None] == model.classes_, axis=0)
    own = bare._predict_raw(X)  # of each network
    expected = np.mean([shrunk(p, model.calibration_, prior) for p in own], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    keras_answer = model.model_.predict(X, verbose=0)
    np.testing.assert_allclose(keras_answer, expected, atol=1e-5)


def test_a_part_that_training_was_stopped_by_is_what_is_learned_from(caplog):
    X, y = series(200)
    model = SequenceClassifier(**{**QUICK, "epochs": 3}, validation=0.3, calibrate=True)
    with caplog.at_level(logging.INFO):
        model.fit(X, y)
    assert 0 <= model.calibration_ <= 1
    assert "a fit on two thirds" not in caplog.text
    with caplog.at_level(logging.INFO):
        SequenceClassifier(**QUICK, calibrate=True).fit(X, y)
    assert "a fit on two thirds" in caplog.text


def test_where_nothing_can_be_learned_the_answer_is_the_frequent_class(caplog):
    X, y = series(240, share=0.8, seen=0.0)
    X_new, y_new = series(200, share=0.8, seen=0.0, seed=1)
    # unmixed, so that the training part is learned by heart
    ways = {"stem": None, "units": 8, "random_state": 0, "patch": 1, "mixup": 0.0}
    model = SequenceClassifier(**ways).fit(X, y)
    assert model.auto_["calibrate"]
    assert "too few were told apart" in caplog.text
    assert "collapsed" not in caplog.text
    assert model.score(X_new, y_new) >= np.mean(y_new == "often") - 0.01
    by_heart = SequenceClassifier(**ways, calibrate=False).fit(X, y)
    assert by_heart.score(X_new, y_new) < np.mean(y_new == "often")


def test_where_it_is_learned_little_is_taken_away():
    X, y = series(240, share=0.8, seen=4.0)
    model = SequenceClassifier(stem=None, units=8, random_state=0, patch=1).fit(X, y)
    assert model.auto_["calibrate"]
    X_new, y_new = series(200, share=0.8, seen=4.0, seed=1)
    assert model.score(X_new, y_new) > 0.98


def test_it_is_kept_with_the_estimator_and_gone_with_the_next_fit(tmp_path):
    X, y = series()
    model = SequenceClassifier(**QUICK, calibrate=True).fit(X, y)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.calibration_ == model.calibration_
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert not hasattr(model.set_params(calibrate=False).fit(X, y), "calibration_")


def test_several_labels_are_not_calibrated():
    X, y = series()
    labels = np.stack([y == "often", y == "seldom"], axis=1).astype(int)
    assert not hasattr(SequenceClassifier(**QUICK).fit(X, labels), "calibration_")
    with pytest.raises(ValueError, match="calibrate must be False or auto where a series has"):
        SequenceClassifier(**QUICK, calibrate=True).fit(X, labels)


@pytest.mark.parametrize(
    "changed", [{"epochs": 2}, {"class_weight": "balanced"}, {"warm_start": True}]
)
def test_whoever_says_more_is_not_surprised_by_it(changed):
    X, y = series(240, share=0.8)
    model = SequenceClassifier(**{**QUICK, "epochs": "auto", "steps_per_epoch": 1} | changed)
    assert not model._choose(model.get_params(), model._examples(X, y, reset=True), None)[
        "calibrate"
    ]


def test_the_second_fit_is_of_the_same_network(monkeypatch):
    X, y = series(240, share=0.8, seen=1.0)
    made = []
    rehearsal = SequenceClassifier._rehearsal
    monkeypatch.setattr(
        SequenceClassifier,
        "_rehearsal",
        lambda self, seed: made.append(rehearsal(self, seed)) or made[-1],
    )
    model = SequenceClassifier(random_state=0, steps_per_epoch=2, epochs=3, calibrate=True).fit(
        X, y
    )
    (other,) = made
    assert other._build().members[0].network == model._build().members[0].network
    assert len(other.history_["loss"]) == 3
