"""Losses of classes: label smoothing and the focal loss, their slopes, and the same in Keras."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceTagger
from seqkit.network.class_losses import focal, focal_backward
from seqkit.network.losses import Objective, loss_of

SMOOTHINGS, GAMMAS = (0.0, 0.1, 0.4), (0.0, 0.5, 1.0, 2.0)
KINDS = ("classes", "labels", "steps", "step labels")


def case(kind, seed=0, n_classes=4):
    """Truth, logits and weights of a batch."""
    rng = np.random.default_rng(seed)
    shape = (5, 6) if kind.startswith("step") else (7,)
    logits = rng.normal(size=(*shape, n_classes)) * 3
    if kind.endswith("labels"):
        y = rng.integers(0, 2, logits.shape).astype(np.float32)
    else:
        y = rng.integers(0, n_classes, shape).astype(np.int32)
    if kind.startswith("step"):
        y[np.arange(6) >= rng.integers(1, 7, 5)[:, None]] = -1  # padding
    return y, logits.astype(np.float32), rng.uniform(0.5, 2, shape).astype(np.float32)


def objective(kind, smoothing, gamma):
    name = "binary_crossentropy" if kind.endswith("labels") else "crossentropy"
    return Objective(name, steps=kind.startswith("step"), smoothing=smoothing, gamma=gamma)


def by_the_papers(kind, y, logits, weight, smoothing, gamma):
    """The mean over series, or steps that count, of what the papers say, one number at a time."""
    logits, total, n = logits.astype(np.float64), 0.0, 0
    for at in np.ndindex(logits.shape[:-1]):
        truth, row = y[at], logits[at]
        if np.min(truth) < 0:
            continue
        n += 1
        if kind.endswith("labels"):
            p = 1 / (1 + np.exp(-row))
            part = [
                -((1 - smoothing) * t + smoothing / 2) * (1 - q) ** gamma * np.log(q)
                - ((1 - smoothing) * (1 - t) + smoothing / 2) * q**gamma * np.log(1 - q)
                for t, q in zip(truth, p, strict=True)
            ]
            total += weight[at] * (np.mean(part) if kind == "labels" else np.sum(part))
        else:
            p = np.exp(row) / np.exp(row).sum()
            for k, q in enumerate(p):
                share = (1 - smoothing) * (k == truth) + smoothing / len(p)
                total -= weight[at] * share * (1 - q) ** gamma * np.log(q)
    return total / n


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_a_loss_is_that_of_the_papers_with_its_gradient_and_that_of_keras(kind, smoothing, gamma):
    y, logits, weight = case(kind)
    what = objective(kind, smoothing, gamma)
    value, slopes = loss_of(what, y, logits, weight)
    expected = by_the_papers(kind, y, logits, weight, smoothing, gamma)
    assert value == pytest.approx(expected, rel=1e-5)
    loss = what.of_keras()[0]
    loss = type(loss).from_config(loss.get_config())
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        of_keras = loss(y, tensor, sample_weight=weight)
    assert value == pytest.approx(float(of_keras), rel=1e-4)
    gradient = tape.gradient(of_keras, tensor)
    np.testing.assert_allclose(slopes, gradient, rtol=2e-4, atol=1e-6)
    slope, step = 0.0, 1e-6
    direction = np.random.default_rng(1).normal(size=logits.shape)
    for sign in (1, -1):
        moved = logits.astype(np.float64) + sign * step * direction
        slope += sign * loss_of(what, y, moved, weight)[0] / (2 * step)
    assert slope == pytest.approx(float((slopes * direction).sum()), rel=1e-3, abs=1e-6)


@settings(deadline=None)
@given(gamma=st.floats(0.01, 5), log_p=st.floats(-100, 0))
def test_the_focal_loss_counts_the_sure_ones_less(gamma, log_p):
    log_p = np.float32(log_p)
    value, slope = focal(np, log_p, gamma), focal_backward(np.array([log_p]), gamma)
    assert 0 <= value <= -log_p
    assert np.isfinite(slope).all()
    assert slope <= 0


@settings(deadline=None, max_examples=30)
@given(
    smoothing=st.sampled_from((0.05, 0.1, 0.5)),
    gamma=st.sampled_from(GAMMAS),
    n=st.integers(2, 9),
    seed=st.integers(0, 99),
)
def test_no_logits_have_less_than_the_least_loss(smoothing, gamma, n, seed):
    what = objective("classes", smoothing, gamma)
    logits = np.random.default_rng(seed).normal(size=(500, n)) * 3
    values = [loss_of(what, np.array([0]), row[None], None)[0] for row in logits]
    assert what.least(n) <= min(values) + 1e-6
    if not gamma:  # the entropy of the truth
        truth = np.full(n, smoothing / n)
        truth[0] += 1 - smoothing
        assert what.least(n) == pytest.approx(-(truth * np.log(truth)).sum(), abs=1e-4)
    assert objective("classes", 0.0, gamma).least(n) == 0


RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = (RNG.normal(0, 0.6, (60, 8, 1)) + Y[:, None, None]).astype(np.float32)
PLAIN = {"units": 6, "epochs": 120, "learning_rate": 0.02, "validation": 0, "patience": 0,
         "ensemble": 1, "random_state": 0}  # fmt: skip


def test_a_smoothed_classifier_is_less_sure_and_as_right():
    plain = SequenceClassifier(**PLAIN).fit(X, Y)
    smooth = SequenceClassifier(**PLAIN, label_smoothing=0.3).fit(X, Y)
    assert smooth.score(X, Y) >= 0.9
    sure = [np.median(model.predict_proba(X).max(1)) for model in (plain, smooth)]
    assert sure[0] > 0.95
    assert 0.7 < sure[1] < 0.9  # 0.8 of the truth, and 0.1 of each other
    least = Objective("crossentropy", smoothing=0.3).least(3)
    assert least <= smooth.history_["loss"][-1] < least + 0.3


def test_validation_is_by_the_smoothed_loss():
    model = SequenceClassifier(**PLAIN, label_smoothing=0.3)
    model.fit(X, Y, validation_data=(X, Y))
    p, truth = model.predict_proba(X), 0.7 * np.eye(3)[Y] + 0.1
    expected = -(truth * np.log(p)).sum(1).mean()
    assert model.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


def test_labels_are_smoothed_each():
    y = np.stack([Y > 0, Y > 1], 1).astype(int)
    model = SequenceClassifier(**PLAIN, label_smoothing=0.3)
    model.fit(X, y, validation_data=(X, y))
    p, truth = model.predict_proba(X), 0.7 * y + 0.15
    expected = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean()
    assert model.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


class SeesModel(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert self.model is not None


@pytest.mark.parametrize(
    "settings", [{"label_smoothing": 0.2}, {"loss": "focal", "focal_gamma": 1.5}], ids=str
)
def test_keras_trains_the_same(settings):
    few = {**PLAIN, "epochs": 4, "dropout": 0.0, **settings}
    native = SequenceClassifier(**few).fit(X, Y, validation_data=(X, Y))
    keras_trained = SequenceClassifier(**few).fit(
        X, Y, validation_data=(X, Y), callbacks=[SeesModel()]
    )
    assert native.trainer_ == "native" != keras_trained.trainer_
    for name, values in native.history_.items():
        assert values == pytest.approx(keras_trained.history_[name], rel=1e-3), name


def test_a_goal_is_above_the_least_loss():
    goal = {**PLAIN, "epochs": 1200, "loss_goal": 0.02, "dropout": 0.0}
    ends = [SequenceClassifier(**goal, **more).fit(X, Y) for more in ({}, {"label_smoothing": 0.1})]
    assert all(model.n_iter_ < 1200 for model in ends)


@pytest.mark.parametrize("bad", [1.0, -0.1, float("nan"), "much"])
def test_a_share_that_is_none_is_told_of(bad):
    expected = "SequenceClassifier: label_smoothing must be a number from 0 to below 1"
    with pytest.raises((TypeError, ValueError), match=expected):
        SequenceClassifier(label_smoothing=bad).fit(X, Y)


def test_the_focal_loss_is_a_setting_with_its_gamma():
    for more, gamma in (({}, 2.0), ({"focal_gamma": 0.5}, 0.5)):
        model = SequenceClassifier(**{**PLAIN, "epochs": 3}, loss="focal", **more)
        model.fit(X, Y, validation_data=(X, Y))
        p = model.predict_proba(X)[np.arange(60), Y]
        expected = -((1 - p) ** gamma * np.log(p)).mean()
        assert model.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("labels", [False, True])
def test_a_tagger_learns_by_smoothed_and_focal_losses(labels):
    y = (X[..., 0] > 1).astype(int)
    y = np.stack([y, 1 - y], -1) if labels else y
    few = {"units": 4, "epochs": 3, "validation": 0, "patience": 0, "random_state": 0}
    given = {"label_smoothing": 0.2, "loss": "focal", "focal_gamma": 1.0}
    model = SequenceTagger(**few, **given).fit(X, y, validation_data=(X, y))
    p = np.stack(model.predict_proba(X))
    truth = 0.8 * y + 0.1 if labels else 0.8 * np.eye(2)[y] + 0.1
    expected = -(truth * (1 - p) * np.log(p))
    if labels:
        expected = expected - (1 - truth) * p * np.log(1 - p)
    assert model.history_["val_loss"][-1] == pytest.approx(expected.sum(-1).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"focal_gamma": 2.0}, "focal_gamma must be absent unless loss is focal; got 2.0"),
        ({"loss": "focal", "focal_gamma": 0}, "focal_gamma must be a number above 0 or None"),
        ({"loss": "foca"}, "Did you mean 'focal'"),
    ],
)
@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger])
def test_mistakes_about_the_focal_loss_are_told_of(kind, bad, message):
    y = Y if kind is SequenceClassifier else (X[..., 0] > 1).astype(int)
    with pytest.raises(ValueError, match=message):
        kind(**bad).fit(X, y)
