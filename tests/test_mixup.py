"""Series of a batch are mixed with each other, and their truths by the same shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier
from seqkit.auto import FEWEST_MIXED, MIXUP
from seqkit.network.losses import Objective, hits, loss_of
from seqkit.training import Mixup
from seqkit.training.augmentation import _stretched

RNG = np.random.default_rng(0)
N, TIME, CLASSES = 12, 9, 3
X = RNG.normal(size=(N, TIME, 2)).astype(np.float32)
Y = RNG.integers(0, CLASSES, N)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[Y]
KEYS = st.integers(0, 2**40)
ALPHAS = st.floats(0.01, 10)


def _drawn(mixup, key, n=N):
    """Own shares and partners, read off series that tell who they are."""
    who = np.eye(n, dtype=np.float32)[:, None, :]
    mixed = mixup(who, np.zeros((n, 1), np.float32), None, *key)[0][:, 0]
    own = mixed[np.arange(n), np.arange(n)]
    others = mixed - own[:, None] * np.eye(n, dtype=np.float32)
    return own, np.where(others.sum(1) > 1e-6, others.argmax(1), np.arange(n))


@given(alpha=ALPHAS, key=KEYS)
def test_series_and_truths_are_mixed_by_the_same_shares(alpha, key):
    mixup = Mixup(alpha)
    own, partner = _drawn(mixup, (key, 1, 2))
    x, y, weight = mixup(X, ONE_HOT, None, key, 1, 2)
    a = own[:, None, None]
    np.testing.assert_allclose(x, a * X + (1 - a) * X[partner], atol=1e-5)
    np.testing.assert_allclose(y, a[:, 0] * ONE_HOT + (1 - a[:, 0]) * ONE_HOT[partner], atol=1e-5)
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-6)
    assert weight is None
    assert (own >= 0.5 - 1e-6).all()  # the greater part is its own


@given(alpha=ALPHAS, key=KEYS, gamma=st.sampled_from([0.0, 2.0]), e=st.sampled_from([0.0, 0.1]))
@settings(max_examples=50)
def test_the_loss_is_that_of_both_truths(alpha, key, gamma, e):
    """Weights of series and the shares of a mixture come to the loss that the equation has."""
    logits = RNG.normal(size=(N, CLASSES)).astype(np.float32)
    given_weight = RNG.uniform(0.1, 3, N).astype(np.float32)
    mixup = Mixup(alpha)
    own, partner = _drawn(mixup, (key, 0, 0))
    y, weight = mixup(X, ONE_HOT, given_weight, key, 0, 0)[1:]
    objective = Objective("crossentropy", smoothing=e, gamma=gamma)
    mixed = Objective("crossentropy", smoothing=e, gamma=gamma, shares=True)
    one, d_one = loss_of(objective, Y, logits, own * given_weight)
    two, d_two = loss_of(objective, Y[partner], logits, (1 - own) * given_weight[partner])
    loss, d = loss_of(mixed, y, logits, weight)
    np.testing.assert_allclose(loss, one + two, rtol=1e-5)
    np.testing.assert_allclose(d, d_one + d_two, atol=1e-6)


def test_shares_that_are_one_class_are_the_class():
    logits = RNG.normal(size=(N, CLASSES)).astype(np.float32)
    plain, shares = Objective("crossentropy"), Objective("crossentropy", shares=True)
    loss, d = loss_of(plain, Y, logits, None)
    same, same_d = loss_of(shares, ONE_HOT, logits, None)
    np.testing.assert_allclose(same, loss, rtol=1e-6)
    np.testing.assert_allclose(same_d, d, atol=1e-7)
    assert hits(shares, ONE_HOT, logits, None) == hits(plain, Y, logits, None)


@given(n=st.integers(1, 20), to=st.integers(1, 20))
def test_a_line_that_is_stretched_is_a_line_from_end_to_end(n, to):
    x = np.zeros((1, 20, 1), np.float32)
    x[0, :n, 0] = np.arange(n)
    found = _stretched(x, np.array([n]), np.array([to]))[0, :to, 0]
    np.testing.assert_allclose(found, np.linspace(0, n - 1, to), atol=1e-4)


@given(key=KEYS)
def test_of_unequal_lengths_each_keeps_its_own(key):
    lengths = RNG.integers(1, TIME + 1, N)
    x = np.where(np.arange(TIME)[:, None] < lengths[:, None, None], X, np.nan)
    mixed, _, _ = Mixup(1.0)({"x": x, "lengths": lengths}, ONE_HOT, None, key, 0, 0)
    np.testing.assert_array_equal(np.isnan(mixed["x"]), np.isnan(x))
    np.testing.assert_array_equal(mixed["lengths"], lengths)


def test_marks_of_gaps_stay_those_of_the_series():
    mixed = Mixup(1.0, n_marks=1)(X, ONE_HOT, None, 0, 0, 0)[0]
    np.testing.assert_array_equal(mixed[:, :, 1:], X[:, :, 1:])
    assert not np.allclose(mixed[:, :, 0], X[:, :, 0])


def test_a_batch_of_one_is_itself():
    x, y, _ = Mixup(0.2)(X[:1], ONE_HOT[:1], None, 0, 0, 0)
    np.testing.assert_allclose(x, X[:1], rtol=1e-6)
    np.testing.assert_allclose(y, ONE_HOT[:1])


def test_the_least_strength_changes_nothing():
    x, y, _ = Mixup(1e-30)(X, ONE_HOT, None, 0, 0, 0)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, ONE_HOT)


# fits -------------------------------------------------------------------------------------------

SMALL = {"units": 4, "stem": None, "patch": 3, "epochs": 3, "ensemble": 1, "random_state": 0}
SERIES = RNG.normal(size=(40, 15, 2)).astype(np.float32)
LABELS = (SERIES.mean((1, 2)) > 0).astype(int)
MANY = np.column_stack([LABELS, SERIES[:, 0, 0] > 0]).astype(int)
UNEQUAL = [row[: 5 + k % 10] for k, row in enumerate(SERIES)]


@pytest.mark.parametrize("X", [SERIES, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("y", [LABELS, MANY], ids=["classes", "labels"])
@pytest.mark.parametrize("more", [{}, {"label_smoothing": 0.1}, {"loss": "focal"}], ids=str)
def test_keras_trains_the_same(X, y, more):
    import keras

    class Seeing(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            assert self.model is not None

    given_all = SMALL | {"mixup": 0.5, "validation": 0.25, "dropout": 0.0} | more
    native = SequenceClassifier(**given_all).fit(X, y)
    other = SequenceClassifier(**given_all).fit(X, y, callbacks=[Seeing()])
    assert native.trainer_ == "native"
    assert other.trainer_.startswith("keras")
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        np.testing.assert_allclose(other.history_[name], native.history_[name], rtol=2e-4)
    np.testing.assert_allclose(other.predict_proba(X), native.predict_proba(X), atol=1e-4)


def test_only_training_is_mixed():
    """What is validated on is the truth: the loss and the accuracy that a prediction has."""
    held = SERIES[:10], LABELS[:10]
    model = SequenceClassifier(**SMALL, mixup=1.0).fit(SERIES, LABELS, validation_data=held)
    p = model.predict_proba(held[0])[np.arange(10), held[1]]
    np.testing.assert_allclose(model.history_["val_loss"][-1], -np.log(p).mean(), rtol=1e-4)
    assert model.history_["val_accuracy"][-1] == pytest.approx(model.score(*held))


def test_a_fit_goes_on_as_it_would_have():
    states = []
    model = SequenceClassifier(**SMALL, mixup=0.4)
    model.fit(SERIES, LABELS, on_epoch=lambda epoch, logs, get: states.append(get()))
    again = SequenceClassifier(**SMALL, mixup=0.4).fit(SERIES, LABELS, resume=states[1])
    assert all(map(np.array_equal, again.weights_, model.weights_))


def test_auto_mixes_where_there_are_enough():
    few, many = (RNG.normal(size=(n, 4, 1)) for n in (FEWEST_MIXED - 1, FEWEST_MIXED))
    for X, alpha in ((few, 0.0), (many, MIXUP)):
        y = np.arange(len(X)) % 2
        model = SequenceClassifier(epochs=1, random_state=0).fit(X, y)
        assert model.auto_["mixup"] == alpha


def test_what_is_mixed_has_no_loss_goal():
    X = RNG.normal(size=(200, 4, 1))
    model = SequenceClassifier(random_state=0, steps_per_epoch=1, ensemble=1, units=2, patch=2)
    model.fit(X, (X[:, 0, 0] > 0).astype(int))
    assert model.auto_["loss_goal"] is None


@pytest.mark.parametrize("bad", [-0.1, 11, "yes", True])
def test_a_strength_is_from_0_to_10(bad):
    with pytest.raises((ValueError, TypeError), match="mixup must be a number from 0 to 10"):
        SequenceClassifier(mixup=bad).fit(SERIES, LABELS)
