"""SequenceTagger: what it takes, what it answers, and how it is kept."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import some
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import seqkit
from seqkit import SequenceTagger
from seqkit.data.sequences import as_padded
from seqkit.data.steps import in_pieces, padded_rows

QUICK = {"units": 6, "epochs": 3, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(24, 10, 2))
Y = np.where(X[..., 0].cumsum(1) > 0, "up", "down")
LENGTHS = rng.integers(3, 11, 24)
SHORT, TAGS = ([a[:n] for a, n in zip(arrays, LENGTHS, strict=True)] for arrays in (X, Y))
WORDS = [["the", "dog", "barks"], ["a", "dog"], ["the", "cat", "sees", "the", "dog"]] * 4
POS = [["D", "N", "V"], ["D", "N"], ["D", "N", "V", "D", "N"]] * 4
TEXTS = ["abcabcabc", "bcabca", "cabcabcab"] * 6
LABELS = (X[..., :1] + rng.normal(size=(24, 10, 3)) > 0).astype(int)
KINDS = {
    "array": (X, Y, {}),
    "unequal": (SHORT, TAGS, {"class_weight": "balanced"}),
    "words": (WORDS, POS, {"embedding": 4}),
    "labels": (X, LABELS, {}),
    "several of unequal length": (SHORT, [a[:n] for a, n in zip(LABELS, LENGTHS, strict=True)], {}),
    "characters": (TEXTS, [[c.upper() for c in text] for text in TEXTS], {}),
    "next": (TEXTS, None, {"target": "next"}),
    "whole numbers": ([[1, 2, 3, 1, 2], [3, 1, 2]] * 5, None, {"target": "next"}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def fitted():
    return {
        kind: SequenceTagger(**QUICK, **more).fit(given, y)
        for kind, (given, y, more) in KINDS.items()
    }


def same(a, b):
    for one, other in some(zip(a, b, strict=True)):
        np.testing.assert_array_equal(one, other)


@every_kind
def test_it_answers_every_step_of_every_series(kind, fitted):
    given, y, _ = KINDS[kind]
    model = fitted[kind]
    proba, answers = model.predict_proba(given), model.predict(given)
    assert isinstance(answers, np.ndarray) is (len({len(one) for one in given}) == 1)
    for one, p, labels in some(zip(given, proba, answers, strict=True)):
        assert p.shape == (len(one), len(model.classes_))
        if "labels" in kind or "several" in kind:
            np.testing.assert_array_equal(labels, p > 0.5)
        else:
            np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
            np.testing.assert_array_equal(labels, model.classes_[p.argmax(-1)])
    for p, logs in zip(proba, model.predict_log_proba(given), strict=True):
        np.testing.assert_allclose(np.exp(logs), p, atol=1e-7)
    truth = [list(one)[1:] for one in given] if y is None else y
    cut = [a[:-1] for a in answers] if y is None else answers
    right = np.concatenate([np.ravel(np.asarray(a) == np.asarray(list(b)))
                            for a, b in zip(cut, truth, strict=True)])  # fmt: skip
    assert model.score(given, y) == pytest.approx(right.mean())


@every_kind
def test_it_is_kept_in_every_way(kind, fitted, tmp_path):
    given, y, _ = KINDS[kind]
    model = fitted[kind]
    model.save(tmp_path / "model")
    for other in (pickle.loads(pickle.dumps(model)), seqkit.load(tmp_path / "model")):
        same(model.predict_proba(given), other.predict_proba(given))
        assert other.score(given, y) == model.score(given, y)
    again = clone(model).fit(given, y)
    same(model.weights_, again.weights_)


@every_kind
def test_the_keras_model_gives_the_same(kind, fitted):
    given, _, _ = KINDS[kind]
    model = fitted[kind]
    padded = model._check_X(given, reset=False)
    inputs = padded.values
    if model._variable_length_:
        inputs = {"x": padded.values, "lengths": padded.lengths}
    answers = model.model_.predict(inputs, verbose=0)
    for own, other in some(zip(model.predict_proba(given), answers, strict=True)):
        np.testing.assert_allclose(own, other[: len(own)], atol=2e-6)


@every_kind
def test_a_series_is_answered_as_it_is_alone(kind, fitted):
    given, _, _ = KINDS[kind]
    model = fitted[kind]
    together = model.predict_proba(given)
    for number in (0, 1, len(given) - 1):
        alone = model.predict_proba([given[number]])[0]
        np.testing.assert_allclose(together[number], alone, atol=1e-6)


def test_what_can_be_learned_is():
    model = SequenceTagger(units=16, epochs=40, learning_rate=0.02, random_state=0)
    assert model.fit(X, Y).score(X, Y) > 0.95
    assert model.fit(WORDS, POS).score(WORDS, POS) == 1
    assert clone(model).set_params(target="next").fit(TEXTS).score(TEXTS) > 0.99


def test_weights_of_0_are_series_that_are_not_there():
    weight = np.ones(24)
    weight[np.argmax(LENGTHS)] = 0
    rows = np.flatnonzero(weight)
    model = SequenceTagger(**QUICK)
    a = model.fit(SHORT, TAGS, sample_weight=weight).weights_
    b = model.fit([SHORT[i] for i in rows], [TAGS[i] for i in rows]).weights_
    same(a, b)
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        model.fit(SHORT, TAGS, sample_weight=0 * weight)


def test_a_class_counts_by_its_weight():
    few = np.where(np.arange(10) % 5 == 0, "rare", "usual")
    y = np.tile(few, (24, 1))
    balanced = SequenceTagger(**QUICK, class_weight="balanced")._examples(X, y, reset=True).weight
    for label in ("rare", "usual"):
        assert balanced[y == label].sum() == pytest.approx(y.size / 2)
    given = SequenceTagger(**QUICK, class_weight={"rare": 3.0})._examples(X, y, reset=True).weight
    np.testing.assert_array_equal(given, np.where(y == "rare", 3, 1))
    with pytest.raises(ValueError, match=r"class_weight must be of classes of y.*none"):
        SequenceTagger(**QUICK, class_weight={"none": 1.0}).fit(X, y)
    with pytest.raises(ValueError, match="None where y has several labels"):
        SequenceTagger(**QUICK, class_weight="balanced").fit(X, LABELS)


def test_long_series_are_learned_in_pieces():
    text = ["ab" * 700]
    model = SequenceTagger(**QUICK, target="next").fit(text)
    assert model.auto_["piece_length"] == 200
    assert len(model.predict(text)[0]) == 1400
    pieces = model._examples(text, reset=False)
    assert pieces.target.shape == (7, 200)
    assert (pieces.target >= 0).sum() == 1399  # the last step of a piece asks for the next piece
    assert SequenceTagger(**QUICK).fit(X, Y).auto_["piece_length"] is None


@pytest.mark.parametrize("length", [1, 3, 7, 10, 99])
def test_pieces_are_the_series_again(length):
    padded = as_padded(SHORT)
    target = padded_rows(np.arange(LENGTHS.sum()), LENGTHS, -1)
    pieces, labels, owner = in_pieces(padded, target, length)
    ends = pieces.lengths if pieces.lengths is not None else [pieces.values.shape[1]] * len(owner)
    assert max(ends) <= length
    rows = [values[:n] for values, n in zip(pieces.values, ends, strict=True)]
    np.testing.assert_array_equal(np.concatenate(rows), np.concatenate(SHORT).astype(np.float32))
    np.testing.assert_array_equal(labels[labels >= 0], np.arange(LENGTHS.sum()))
    assert (labels >= 0).sum(1).tolist() == list(ends)
    np.testing.assert_array_equal(np.unique(owner), np.arange(24))


def test_unknown_tokens_and_labels(caplog):
    model = SequenceTagger(**QUICK).fit(WORDS, POS)
    assert model.predict([["the", "unicorn"]]).shape == (1, 2)
    assert model._check_X([["unicorn", "cat"]], reset=False).values.tolist() == [[0, 3]]
    model.fit(WORDS, POS, validation_data=(WORDS[:2], [["D", "N", "X"], ["D", "N"]]))
    assert "has not seen the labels ['X']" in caplog.text
    assert model.score([["the", "dog"]], [["X", "X"]]) == 0
    with pytest.raises(ValueError, match="y must be of the classes"):
        model.fit(WORDS, POS, validation_data=([["a"]], [["X"]]))


def test_frames_of_a_row_a_step():
    frame = pd.DataFrame(
        [(i, word, tag) for i, row in enumerate(zip(WORDS, POS, strict=True))
         for word, tag in zip(*row, strict=True)],
        columns=["sentence", "word", "tag"],
    )  # fmt: skip
    columns = {"series_id": "sentence", "target": "tag"}
    model = SequenceTagger(**QUICK, **columns).fit(frame)
    plain = SequenceTagger(**QUICK).fit(WORDS, POS)
    same(model.weights_, plain.weights_)
    same(model.predict(frame.drop(columns="tag")), plain.predict(WORDS))
    assert model.score(frame) == plain.score(WORDS, POS)
    nexts = SequenceTagger(**QUICK, series_id="sentence", features=["word"], target="next")
    same(
        nexts.fit(frame).predict_proba(frame),
        SequenceTagger(**QUICK, target="next").fit(WORDS).predict_proba(WORDS),
    )
    numbers = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(24), 10), "tag": Y.ravel(),
         "a": X[..., 0].ravel(), "b": X[..., 1].ravel()}
    )  # fmt: skip
    own = SequenceTagger(**QUICK, target="tag").fit(numbers)
    same(own.weights_, SequenceTagger(**QUICK).fit(X, Y).weights_)
    assert own.feature_names_in_.tolist() == ["a", "b"]
    same(own.predict(numbers[["unique_id", "b", "a"]]), own.predict(numbers))
    with pytest.raises(ValueError, match="target must be known"):
        SequenceTagger().fit(numbers)


def test_missing_values():
    gaps = X.copy()
    gaps[3, 4, 1] = np.nan
    with pytest.raises(ValueError, match="step 4"):
        SequenceTagger(**QUICK).fit(gaps, Y)
    for missing in ("interpolate", "indicator"):
        model = SequenceTagger(**QUICK, missing=missing).fit(gaps, Y)
        assert np.isfinite(model.predict_proba(gaps)).all()
        assert model.n_features_in_ == 2


def test_it_is_searched_and_validated():
    scores = cross_val_score(SequenceTagger(**QUICK), SHORT, TAGS, cv=3)
    assert ((scores > 0) & (scores <= 1)).all()
    search = GridSearchCV(SequenceTagger(**QUICK), {"units": [2, 4]}, cv=2).fit(X, Y)
    assert search.predict(X).shape == Y.shape
    nexts = GridSearchCV(SequenceTagger(**QUICK, target="next"), {"units": [2]}, cv=2).fit(TEXTS)
    assert nexts.best_score_ > 0


def test_a_fit_goes_on():
    whole = SequenceTagger(**{**QUICK, "epochs": 4}, schedule="constant").fit(X, Y)
    part = SequenceTagger(**{**QUICK, "epochs": 2}, schedule="constant", warm_start=True)
    same(part.fit(X, Y).fit(X, Y).weights_, whole.weights_)
    refit = SequenceTagger(**QUICK, validation={"refit": 0.25}, patience=2, piece_length=4)
    assert len(refit.fit(X, Y).stopped_histories_) == 1


@pytest.mark.parametrize(
    ("given", "y", "settings", "message"),
    [
        (X, Y[:5], {}, "y must be the labels of 24 series; got 5"),
        (X, None, {}, "requires y to be passed"),
        (X, Y[:, 0], {}, "a label for each of the 10 time steps of series 0; got"),
        (SHORT, list(Y), {}, "a label for each of the"),
        (X, np.full_like(Y, "up"), {}, "at least 2 classes; got 1 class, 'up'"),
        (X, 2 * LABELS, {}, "0 or 1 for each of 3 labels a step"),
        (X, np.where(LABELS[..., 0] > 0, np.nan, 1), {}, "y contains NaN"),
        (TEXTS, None, {"target": "next", "mixture": 3}, "None where series are of tokens; got 3"),
        (TEXTS, Y, {"target": "next"}, "y must be left out with target"),
        (TEXTS, None, {"target": "next", "bidirectional": True}, "bidirectional must be false"),
        (["a", "b"], None, {"target": "next"}, "at least 2 steps long"),
        (["aa", "aaa"], None, {"target": "next"}, "2 different tokens"),
        ("abc", None, {"target": "next"}, "X must be a list of series; got 'a text'"),
        (["ab", ""], None, {"target": "next"}, "at least 1 step long; got '0 in series 1'"),
        (X, Y, {"embedding": 4}, "embedding must be left out"),
        (X, Y, {"units": -1}, "units must be"),
        (X, Y, {"class_weight": "even"}, "class_weight must be"),
        ([["a", 1.5], ["b", None]], [[0, 1]] * 2, {}, "every token must be a text"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(given, y, settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SequenceTagger(**{**QUICK, **settings}).fit(given, y)


def test_another_kind_of_series_is_told(fitted):
    with pytest.raises(ValueError, match="of 2 features a step, as in the fit; got 3"):
        fitted["array"].predict(np.zeros((2, 5, 3)))
    with pytest.raises(TypeError, match="series of numbers, as in the fit"):
        fitted["array"].predict(WORDS)
    with pytest.raises(TypeError, match="of tokens"):
        fitted["words"].predict(X)
    with pytest.raises(ValueError, match="of one label a step, as in the fit"):
        fitted["array"].set_params(warm_start=True).fit(X, LABELS)
    fitted["array"].set_params(warm_start=False)


# --- scikit-learn's own checks ------------------------------------------------------------------

A_LABEL_A_SERIES = (
    "the check hands over one label a series; a tagger needs one for every step, and says so"
)
APPLY = {
    "check_complex_data",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_sparse_tag",
    "check_estimator_cloneable",
    "check_estimator_get_tags_default_keys",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_requires_y_none",
    "check_set_params",
    "check_valid_tag_types",
}
"""Checks that fit nothing, or that a fit of one label a series has to fail."""


def excused(estimator):
    names = {getattr(c, "func", c).__name__ for _, c in estimator_checks_generator(estimator)}
    return dict.fromkeys(names - APPLY, A_LABEL_A_SERIES)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([SequenceTagger(**QUICK)], expected_failed_checks=excused)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
