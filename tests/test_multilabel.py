"""Several labels a series, each there or not: sigmoids, as MLPClassifier of scikit-learn has."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score
from sklearn.utils.class_weight import compute_sample_weight

import seqkit
from seqkit import SequenceClassifier, build_classifier

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
    model = SequenceClassifier(units=4, epochs=1, batch_size=60, dropout=0.0, random_state=0)
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
    balanced = SequenceClassifier(**QUICK, class_weight="balanced").fit(X, Y)
    by_hand = compute_sample_weight("balanced", Y)
    other = SequenceClassifier(**QUICK).fit(X, Y, sample_weight=by_hand)
    # what differs is the scaling, which weights of series count in and those of classes do not
    assert balanced.history_["loss"][0] == pytest.approx(other.history_["loss"][0], rel=0.05)
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
    with pytest.raises(ValueError, match="class_weight must be None or balanced"):
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
