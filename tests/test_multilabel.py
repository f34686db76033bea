"""Several labels a series, each there or not: sigmoids, as MLPClassifier of scikit-learn has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    get_scorer,
    matthews_corrcoef,
    roc_auc_score,
)
from sklearn.model_selection import cross_val_score
from sklearn.utils.class_weight import compute_sample_weight

import seqkit
from seqkit import SequenceClassifier, build_classifier
from seqkit.data.label_split import hold_out_by_labels
from seqkit.evaluation.baselines import SeriesProblem, run_baselines
from seqkit.evaluation.metrics import Predictions, confusion_table, find_metrics
from seqkit.evaluation.summary import score_model

QUICK = {"units": 4, "epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 8, 2))
Y = np.stack([X[:, :, 0].mean(1) > 0, X[:, :, 1].mean(1) > 0, X[:, -1, 0] > 2], axis=1).astype(int)


@pytest.fixture(scope="module")
def fitted():
    settings = {"units": 8, "epochs": 60, "learning_rate": 0.02, "random_state": 0}
    return SequenceClassifier(**settings).fit(X, Y)


def test_labels_are_learned_one_by_one(fitted):
    made = fitted.predict(X)
    assert made.dtype == np.int64
    assert ((made == Y).mean(axis=0) > 0.8).all()
    assert fitted.classes_.tolist() == [0, 1, 2]
    # both of the first two are there in a quarter of the series, which a softmax could not say
    both = fitted.predict_proba(X)[(Y[:, :2] == 1).all(axis=1), :2]
    assert (both > 0.5).mean() > 0.8
    assert fitted.score(X, Y) == accuracy_score(Y, made)


def test_probabilities_logarithms_and_the_keras_model_agree(fitted):
    probabilities, logs = fitted.predict_proba(X), fitted.predict_log_proba(X)
    assert probabilities.dtype == logs.dtype == np.float64
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(np.exp(logs), probabilities, atol=1e-6)
    np.testing.assert_allclose(fitted.model_.predict(X, verbose=0), probabilities, atol=1e-5)
    np.testing.assert_array_equal(fitted.predict(X), probabilities > 0.5)


def test_the_loss_is_the_binary_cross_entropy_of_every_label():
    """Of the first batch of an untrained network, by hand."""
    model = SequenceClassifier(
        units=4, stem=None, epochs=1, batch_size=60, dropout=0.0, random_state=0
    )
    found = model.untrained(X, Y).predict(X, verbose=0)
    expected = -np.mean(Y * np.log(found) + (1 - Y) * np.log(1 - found))
    history = model.fit(X, Y).history_
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)
    right = ((found > 0.5) == Y).mean()
    assert history["accuracy"][0] == pytest.approx(right, abs=1e-6)


def test_weights_and_every_form_of_the_labels():
    weight = np.arange(60.0)
    one = SequenceClassifier(**QUICK).fit(X, Y, sample_weight=weight)
    for form in (Y.tolist(), Y.astype(bool), Y.astype(float), csr_array(Y)):
        other = SequenceClassifier(**QUICK).fit(X, form, sample_weight=weight)
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    bare = {
        **QUICK,
        "scale": "none",
    }  # weights of series count in the scaling, those of classes not
    balanced = SequenceClassifier(**bare, class_weight="balanced").fit(X, Y)
    by_hand = compute_sample_weight("balanced", Y)
    other = SequenceClassifier(**bare).fit(X, Y, sample_weight=by_hand)
    assert balanced.history_["loss"] == pytest.approx(other.history_["loss"], rel=1e-4)
    held = SequenceClassifier(**QUICK, validation=0.2, patience=1).fit(X, Y)
    assert "val_loss" in held.history_
    scores = cross_val_score(SequenceClassifier(**QUICK), X, Y, cv=2, error_score="raise")
    assert np.isfinite(scores).all()


def test_it_is_saved_and_gone_on_with(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = seqkit.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    model = SequenceClassifier(**QUICK).partial_fit(X, Y).partial_fit(X, Y)
    assert model.n_iter_ == 2
    # the same estimator fitted anew learns one class a series
    model.fit(X, Y[:, 0])
    assert model.predict(X).shape == (60,)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_what_cannot_be_is_named():
    model = SequenceClassifier(**QUICK).partial_fit(X, Y)
    for y, words in ((Y[:, :2], "0 or 1 for each of 3 labels"), (Y[:, 0], "0 or 1 for each of 3")):
        with pytest.raises(ValueError, match=words):
            model.partial_fit(X, y)
    with pytest.raises(ValueError, match="a class for each series"):
        SequenceClassifier(**QUICK).partial_fit(X, Y[:, 0]).partial_fit(X, Y)
    with pytest.raises(ValueError, match="class_weight must be None or 'balanced' where y"):
        SequenceClassifier(**QUICK, class_weight={0: 2.0}).fit(X, Y)
    with pytest.raises(ValueError, match="y must be 0 or 1 for each of 3 labels"):
        SequenceClassifier(**QUICK).fit(X, Y + 1)
    with pytest.raises(ValueError, match="1d array"):
        SequenceClassifier(**QUICK).fit(X, np.arange(180).reshape(60, 3))


def test_the_builder_gives_sigmoids():
    model = build_classifier(8, 2, 3, units=4, multilabel=True)
    made = model.predict(X, verbose=0)
    logits = np.log(made) - np.log1p(-made)
    softmax = build_classifier(8, 2, 3, units=4)
    softmax.set_weights(model.get_weights())
    np.testing.assert_allclose(
        softmax.predict(X, verbose=0),
        np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True),
        atol=1e-5,
    )


@pytest.mark.parametrize("n_labels", [2, 3])
def test_scorers_of_scikit_learn_take_it(n_labels):
    """Two labels, too, which are not the two classes of one label."""
    y = Y[:, :n_labels]
    model = SequenceClassifier(units=8, epochs=30, learning_rate=0.02, random_state=0).fit(X, y)
    probabilities = model.predict_proba(X)
    expected = {
        "accuracy": accuracy_score(y, model.predict(X)),
        "f1_macro": f1_score(y, model.predict(X), average="macro", zero_division=0),
        "roc_auc": roc_auc_score(y, probabilities),
        "average_precision": average_precision_score(y, probabilities),
    }
    made = {name: get_scorer(name)(model, X, y) for name in expected}
    assert made == pytest.approx(expected, abs=1e-6)
    assert made["roc_auc"] > 0.8
    sigmoid = 1 / (1 + np.exp(-model.decision_function(X)))
    np.testing.assert_allclose(sigmoid, probabilities, atol=1e-6)


def test_a_decision_function_is_there_for_several_labels_only(fitted):
    assert hasattr(fitted, "decision_function")
    assert not hasattr(SequenceClassifier(), "decision_function")
    assert not hasattr(SequenceClassifier(**QUICK).fit(X, Y[:, 0]), "decision_function")


def test_metrics_and_baselines_stand_beside_it(fitted):
    problem = SeriesProblem(X[:40], Y[:40], X[40:])
    baselines, notes = run_baselines("classification", problem)
    assert not notes
    neighbours = baselines["nearest_neighbour"].labels
    assert neighbours.shape == (20, 3)
    spread = X[:40].reshape(-1, 2).std(axis=0)
    nearest = np.linalg.norm((X[40:, None] - X[None, :40]) / spread, axis=(2, 3)).argmin(axis=1)
    assert (neighbours == Y[:40][nearest]).mean() > 0.95  # but for rounding to float32
    np.testing.assert_allclose(baselines["majority"].probabilities[0], Y[:40].mean(axis=0))

    prediction = Predictions(labels=fitted.predict(X), probabilities=fitted.predict_proba(X))
    names = list(find_metrics("classification"))
    model = score_model("classification", Y, prediction, metrics=names)["model"]
    assert model["accuracy"] == fitted.score(X, Y)
    for name, one in (
        ("balanced_accuracy", balanced_accuracy_score),
        ("matthews", matthews_corrcoef),
    ):
        each = [one(Y[:, j], prediction.labels[:, j]) for j in range(3)]
        assert model[name] == pytest.approx(np.mean(each))
    assert model["roc_auc"] == pytest.approx(roc_auc_score(Y, prediction.probabilities))
    assert None not in model.values()
    default = score_model("classification", Y[40:], prediction_of(fitted), baselines=baselines)
    assert default["baselines"]["nearest_neighbour"]["balanced_accuracy"] is not None
    with pytest.raises(ValueError, match="a class for each series"):
        confusion_table(Y, prediction.labels)


def prediction_of(model):
    return Predictions(labels=model.predict(X[40:]), probabilities=model.predict_proba(X[40:]))


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(8, 60), st.floats(0.1, 0.5))
def test_a_held_part_has_each_label_in_its_proportion(seed, n_labels, n, share):
    draw = np.random.default_rng(seed)
    labels = (draw.random((n, n_labels)) < draw.random(n_labels)).astype(int)
    n_held = max(1, round(share * n))
    held = hold_out_by_labels(labels, n_held, seed)
    assert len(set(held.tolist())) == n_held
    np.testing.assert_array_equal(held, hold_out_by_labels(labels, n_held, seed))
    # the rarest label is dealt out while both parts have room: as near as whole series allow
    counts = labels.sum(axis=0)
    present = np.flatnonzero(counts)
    none = n - labels.any(axis=1).sum()
    if len(present) and not 0 < none < counts[present].min():
        rarest = present[counts[present].argmin()]
        wanted = counts[rarest] * n_held / n
        assert abs(labels[held, rarest].sum() - wanted) < 1


def test_labels_are_held_out_more_evenly_than_by_chance():
    draw = np.random.default_rng(0)
    labels = (draw.random((200, 6)) < [0.5, 0.3, 0.1, 0.05, 0.03, 0.02]).astype(int)
    wanted = labels.sum(axis=0) * 0.2

    def apart(held):
        return np.abs(labels[held].sum(axis=0) - wanted).sum()

    chosen = [apart(hold_out_by_labels(labels, 40, seed)) for seed in range(20)]
    chance = [apart(np.random.default_rng(seed).choice(200, 40, False)) for seed in range(20)]
    assert max(chosen) < np.mean(chance) / 2


def test_the_only_series_of_a_label_is_trained_on():
    rare = np.zeros((60, 1), int)
    rare[7] = 1
    for seed in range(10):
        assert 7 not in hold_out_by_labels(np.hstack([Y, rare]), 12, seed)
