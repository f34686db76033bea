from __future__ import annotations

import keras
import numpy as np
import pytest

from seqkit import training
from seqkit.training import ArraySource, TrainingState

RNG = np.random.default_rng(3)
X = RNG.normal(size=(22, 7, 2)).astype("float32")
Y = (X.mean((1, 2)) > 0).astype("int32")
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def build() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((7, 2), name="x"),
            keras.layers.Bidirectional(keras.layers.LSTM(5, dropout=0.2), name="recurrent"),
            keras.layers.Dropout(0.2, name="drop"),
            keras.layers.Dense(2, name="logits"),
            keras.layers.Softmax(name="probabilities"),
        ]
    )


def fit(**changes):
    settings = {
        "key": "test", "seed": 1, "loss": CROSSENTROPY, "output": "logits", "epochs": 3,
        "batch_size": 8, "patience": 0, "metrics": ["accuracy"],
    } | changes  # fmt: skip
    source = settings.pop("source", ArraySource(X, Y))
    return training.fit(settings.pop("build", build), source, **settings)


def equal(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_same_seed_same_weights_whatever_ran_before():
    first = fit()
    fit(seed=2, epochs=1, learning_rate=0.1, batch_size=5)
    assert equal(first.weights, fit().weights)
    assert not equal(first.weights, fit(seed=2).weights)


def test_another_seed_rate_length_or_batch_traces_nothing():
    fit()
    before = training.trace_count()
    fit(seed=5, learning_rate=0.01, epochs=2, batch_size=4, clipnorm=0.3, schedule="cosine")
    fit(source=ArraySource(X[:9].astype(float), Y[:9].astype("int64")), steps_per_epoch=2)
    assert training.trace_count() == before


def test_resumed_fit_ends_as_an_uninterrupted_one(tmp_path):
    settings = {"validation": ArraySource(X[:9], Y[:9]), "patience": 5, "schedule": "plateau"}
    whole = fit(epochs=6, **settings)
    fit(epochs=3, **settings).state.save(tmp_path / "state.npz")
    resumed = fit(epochs=6, resume=TrainingState.load(tmp_path / "state.npz"), **settings)
    assert equal(whole.weights, resumed.weights)
    assert whole.history == resumed.history


def test_predict_gives_every_row_in_order():
    weights = fit().weights
    model = build()
    model.set_weights(weights)
    expected = model(X).numpy()
    for batch_size in (256, 22, 5):
        got = training.predict(build, weights, ArraySource(X), key="test", batch_size=batch_size)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_diverging_loss_names_the_epoch():
    from seqkit.errors import TrainingError

    with pytest.raises(TrainingError, match=r"epoch 1.*learning_rate"):
        fit(source=ArraySource(X * np.inf, Y))
