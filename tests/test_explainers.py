"""What explainers by gradients ask of `model_`: the gradient of an answer by the raw input.

`shap.GradientExplainer` takes expected gradients (Erion et al. 2021, equation 3): the mean over
backgrounds x' and points on the way of (x - x') times the gradient there. Ten lines here do the
same, with fixed points in place of random ones, so that what the theory promises can be asked for.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import some

from seqkit import SequenceClassifier, SequenceForecaster

N, T = 12, 16
SETTINGS = {"units": 6, "dropout": 0.5, "epochs": 3, "batch_size": 4, "random_state": 0}
NETWORKS = [(cell, both) for cell in ("lstm", "gru") for both in (False, True)]


def series():
    """Return two classes of series: of slow and of fast waves, on a raw scale."""
    rng, t = np.random.default_rng(0), np.arange(T)
    y = np.arange(N) % 2
    phase = rng.uniform(0, 6, (N, 1, 2))
    waves = np.sin((0.3 + 0.6 * y[:, None, None]) * t[:, None] + phase)
    return (5 + 2 * waves).astype("float32"), y


def of_one_length(model):
    """Return the model of series of T steps, with a vector for an answer, as shap wants it."""
    named = isinstance(model.input, dict)
    [given] = model.inputs
    x = keras.Input((T, given.shape[-1]))
    return keras.Model(x, keras.layers.Flatten()(model({"x": x} if named else x)))


def classifier(cell, both):
    X, y = series()
    smooth = "last" if both else "attention"  # differences across the kinks of a maximum say little
    model = SequenceClassifier(cell=cell, bidirectional=both, patch=1, pooling=smooth, **SETTINGS)
    return of_one_length(model.fit(X, y).model_), X


def forecaster(cell, both):
    t = np.arange(80.0)
    y = 10 + np.sin(t / 2) + 0.1 * np.random.default_rng(0).normal(size=80)
    model = SequenceForecaster(
        context_length=T, horizon=3, cell=cell, bidirectional=both, patch=1, **SETTINGS
    ).fit(y)
    windows = np.lib.stride_tricks.sliding_window_view(y, T)[:N, :, None]
    return of_one_length(model.model_), windows.astype("float32")


CASES = [(make, *network) for make in (classifier, forecaster) for network in NETWORKS]


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=[f"{make.__name__}-{cell}-{'both' if both else 'one'}" for make, cell, both in CASES],
)
def fitted(request):
    make, *network = request.param
    return make(*network)


def answers(model, x):
    return model(x, training=False)


def gradients(model, x):
    """Return the gradient of every output by the whole input, (n_outputs, *x.shape)."""
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        totals = tf.unstack(tf.reduce_sum(answers(model, x), 0))  # series do not see each other
    return np.stack([tape.gradient(total, x) for total in some(totals)])


def differences(model, x, step=0.03):
    """Return the same of one series by central differences of the fourth order."""
    moved = step * np.eye(x.size, dtype="float32").reshape(-1, *x.shape)
    up, down, up2, down2 = (answers(model, x + k * moved).numpy() for k in (1, -1, 2, -2))
    return ((8 * (up - down) - (up2 - down2)) / (12 * step)).T.reshape(-1, *x.shape)


def expected_gradients(model, x, background, n_points=16):
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    total = np.zeros((answers(model, x[None]).shape[1], *x.shape))
    for other in some(background):
        way = np.stack([other + (1 + node) / 2 * (x - other) for node in nodes])
        gradient = gradients(model, way.astype("float32"))
        total += np.einsum("k,ok...->o...", weights / 2, gradient) * (x - other)
    return total / len(background)


@pytest.mark.filterwarnings("error")
def test_the_tape_gives_what_finite_differences_give(fitted):
    model, X = fitted
    dropouts = [k for k in model._flatten_layers() if isinstance(k, keras.layers.Dropout)]
    assert [layer.rate for layer in some(dropouts)] == [0.5] * len(dropouts)
    by_tape = gradients(model, X[:2])
    for k, x in enumerate(X[:2]):
        by_differences = differences(model, x)
        assert (np.abs(by_differences).max((1, 2)) > 1e-4).all()
        np.testing.assert_allclose(by_tape[:, k], by_differences, rtol=0.01, atol=3e-5)
    compiled = tf.function(lambda x: tf.gradients(answers(model, x)[:, 0], x)[0])
    np.testing.assert_allclose(compiled(tf.constant(X[:2])), by_tape[0], atol=1e-6)


def test_expected_gradients_add_up_to_the_answer_less_the_mean_of_the_background(fitted):
    """Completeness (Sundararajan et al. 2017, proposition 1)."""
    model, X = fitted
    background = X[3:6]
    shares = expected_gradients(model, X[0], background)
    whole = answers(model, X[:1])[0] - tf.reduce_mean(answers(model, background), 0)
    np.testing.assert_allclose(shares.sum((1, 2)), whole, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("cell", "both"), NETWORKS)
def test_padding_has_no_share_in_an_answer(cell, both):
    X, y = series()
    lengths = np.array([T, 9, 12] * (N // 3))
    model = (
        SequenceClassifier(cell=cell, bidirectional=both, patch=1, **SETTINGS)
        .fit([x[:n] for x, n in zip(X, lengths, strict=True)], y)
        .model_
    )
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = model({"x": x, "lengths": tf.constant(lengths)}, training=False)[:, 0]
    gradient = tape.gradient(out, x).numpy()
    past = np.arange(T) >= lengths[:, None]
    assert past.any()
    assert not gradient[past].any()
    assert (np.abs(gradient[~past]).max(-1) > 0).all()
