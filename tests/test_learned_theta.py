"""A theta forecast whose constants are learned with the network that departs from it."""

import json

import numpy as np
import pytest

from seqkit import SequenceForecaster
from seqkit.estimators.keras_weights import check_layer_classes
from seqkit.estimators.saving import load_estimator, save_estimator
from seqkit.network.layers import theta
from seqkit.network.layers.base import Saved
from seqkit.network.layers.learned_theta import FAR, LearnedTheta
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.ops import NUMPY, keras_namespace

TINY = {"context_length": 16, "horizon": 4, "units": 3, "epochs": 3, "random_state": 0, "season": 4}
CASES = [(16, 4, None), (20, 4, [20, 18, 13, 5, 1]), (9, 1, None), (9, 1, [9, 5, 3, 2, 1]),
         (23, 7, [23, 20, 17, 15, 14]), (6, 4, None)]  # fmt: skip


def windows(n_steps, season, n_targets=2, seed=0):
    """Windows with a trend, a season that grows with it, and noise."""
    rng = np.random.default_rng(seed)
    step, shape = np.arange(n_steps), (5, 1, n_targets)
    level = 5 + rng.normal(0.1, 0.1, shape) * step[:, None]
    figure = 1 + 0.3 * np.sin(2 * np.pi * step / max(season, 2))[:, None]
    return (level * figure + rng.normal(0, 0.5, (5, n_steps, n_targets))).astype(np.float32)


def starting(layer, n_steps):
    return {w.name: w.initial(w.shape, 0) for w in layer.parameters((n_steps, 2))}


def drawn(layer, n_steps, seed=0):
    """Weights in the midst of their range, where a gradient says something."""
    rng = np.random.default_rng(seed)
    middle = {"smoothing": None, "damping": 1.0, "seasonal_smoothing": -1.0}
    return {
        name: (value if middle[name] is None else np.full_like(value, middle[name]))
        + rng.normal(0, 0.3, value.shape).astype(np.float32)
        for name, value in starting(layer, n_steps).items()
    }


def given(n_steps, season, lengths):
    x = windows(n_steps, season)
    return (x,) if lengths is None else (x, np.array(lengths, np.int32))


@pytest.mark.parametrize(("n_steps", "season", "lengths"), CASES)
def test_it_starts_from_the_fixed_forecast(n_steps, season, lengths):
    inputs, layer = given(n_steps, season, lengths), LearnedTheta(8, season)
    fixed = ThetaForecast(8, season).forward(NUMPY, {}, Saved(), *inputs)
    p = starting(layer, n_steps)
    found = layer.forward(NUMPY, p, Saved(), *inputs)
    # but for a trend that is a hundredth shorter, and seasons weighed nearly alike
    np.testing.assert_allclose(found, fixed, atol=0.02 * np.abs(fixed - inputs[0][:, -1:]).max())
    exact = {k: np.sign(v) * 20 if abs(v[0]) == FAR else v for k, v in p.items()}
    found = layer.forward(NUMPY, exact, Saved(), *inputs)
    np.testing.assert_allclose(found, fixed, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("n_steps", "season", "lengths"), CASES)
def test_the_gradient_is_that_of_keras(n_steps, season, lengths):
    import tensorflow as tf

    inputs, layer = given(n_steps, season, lengths), LearnedTheta(6, season)
    p = drawn(layer, n_steps)
    d = np.random.default_rng(1).normal(size=(5, 6, 2)).astype(np.float32)
    saved = Saved()
    out = layer.forward(NUMPY, p, saved, *inputs)
    g = {name: np.full_like(value, np.nan) for name, value in p.items()}
    assert layer.backward(p, g, saved, d, (False, False)) == (None, None)
    tensors = {name: tf.constant(value, tf.float64) for name, value in p.items()}
    x = tf.constant(inputs[0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        made = layer.forward(keras_namespace(), tensors, Saved(), x, *inputs[1:])
        loss = tf.reduce_sum(made * d)
    np.testing.assert_allclose(out, made.numpy(), rtol=1e-3, atol=1e-3)
    for name, expected in tape.gradient(loss, tensors).items():
        size = np.abs(expected).max()
        assert size > 1e-5, name
        np.testing.assert_allclose(g[name], expected, rtol=2e-3, atol=2e-3 * size, err_msg=name)


@pytest.mark.parametrize(("n_steps", "season", "lengths"), CASES)
def test_the_gradient_is_the_slope(n_steps, season, lengths):
    """Along a random direction of each weight, by finite differences in double precision."""
    inputs, layer = given(n_steps, season, lengths), LearnedTheta(6, season)
    ops, p = keras_namespace(), drawn(layer, n_steps, 2)
    d = np.random.default_rng(1).normal(size=(5, 6, 2)).astype(np.float32)
    saved = Saved()
    layer.forward(NUMPY, p, saved, *inputs)
    g = {name: np.empty_like(value) for name, value in p.items()}
    layer.backward(p, g, saved, d, (False, False))

    def loss(moved):
        tensors = {k: ops.convert_to_tensor(v, dtype="float64") for k, v in moved.items()}
        x = ops.convert_to_tensor(inputs[0], dtype="float64")
        return float((np.asarray(layer.forward(ops, tensors, Saved(), x, *inputs[1:])) * d).sum())

    for name, value in p.items():
        way = np.random.default_rng(3).normal(size=value.shape)
        ends = [loss({**p, name: value + sign * 1e-4 * way}) for sign in (1, -1)]
        slope, size = (ends[0] - ends[1]) / 2e-4, float(np.linalg.norm(g[name]))
        assert float(g[name] @ way) == pytest.approx(slope, rel=5e-3, abs=5e-3 * size), name


def test_only_the_last_steps_of_a_long_window_are_smoothed(monkeypatch):
    from seqkit.network.layers import learned_theta

    for module in (theta, learned_theta):
        monkeypatch.setattr(module, "MOST_THETA_STEPS", 12)
    test_the_gradient_is_the_slope(20, 4, [20, 18, 13, 5, 1])


def test_a_damped_trend_is_that_of_gardner_and_mckenzie():
    line = (2 * np.arange(30.0) + 5)[None, :, None].astype(np.float32)
    layer = LearnedTheta(6, 1)
    p = {**starting(layer, 30), "damping": np.full(1, np.log(9), np.float32)}
    made = layer.forward(NUMPY, p, Saved(), line)[0, :, 0]
    # a line goes on with its whole slope, each step with .9 of the one before
    np.testing.assert_allclose(np.diff(made), 2 * 0.9 ** np.arange(2, 7), rtol=1e-3)


@pytest.mark.parametrize(
    "more",
    [
        {"quantiles": [0.1, 0.5, 0.9]},
        {"decoder": "recursive", "patch": 4},
        {"channels": "independent", "distribution": "student_t"},
    ],
)
def test_a_network_learns_them_as_keras_would(more):
    y = windows(90, 4)[0]
    settings = {**TINY, "combine_with": "none", "departure_from": "learned_theta", **more}
    native = SequenceForecaster(**settings).fit(y)
    assert native.trainer_ == "native"
    paths = [w.path for w in native._build().network.weights]
    learned = dict(zip(paths, native.weights_, strict=True))
    layer = LearnedTheta(4, 4)
    for name, start in starting(layer, 16).items():
        assert np.abs(learned[f"naive/{name}"] - start).max() > 1e-4, name
    import keras

    optimizer = keras.optimizers.Adam(1e-3, clipnorm=None, global_clipnorm=1.0)
    del settings["random_state"]
    theirs = SequenceForecaster(**settings, optimizer=optimizer, clipnorm=None, schedule="constant",
                                random_state=0).fit(y)  # fmt: skip
    ours = SequenceForecaster(**settings, schedule="constant", random_state=0).fit(y)
    assert theirs.trainer_ != "native"
    np.testing.assert_allclose(theirs.forecast(), ours.forecast(), rtol=2e-3, atol=2e-3)


def test_what_is_saved_and_exported_holds_them(tmp_path):
    import keras

    y = windows(90, 4)[0]
    settings = {**TINY, "combine_with": "theta", "departure_from": "learned_theta"}
    model = SequenceForecaster(**settings).fit(y)
    expected = model.forecast()
    window = model._window
    inputs = {"x": y[None, -window:], "lengths": np.array([window], np.int32)}
    np.testing.assert_allclose(np.asarray(model.model_(inputs))[0], expected, rtol=1e-3)
    check_layer_classes(json.loads(model.model_.to_json()))
    model.model_.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(again(inputs))[0], expected, rtol=1e-3)
    description = json.loads(json.dumps(save_estimator(model, tmp_path), allow_nan=False))
    weights, networks = (
        (tmp_path / n).read_bytes() for n in ("weights.safetensors", "network.json")
    )
    loaded = load_estimator(description, weights, tmp_path, networks=networks)
    np.testing.assert_array_equal(loaded.forecast(), expected)


def test_two_seasons_are_needed():
    with pytest.raises(ValueError, match=r"learned_theta.*two seasons"):
        SequenceForecaster(**{**TINY, "season": 9, "departure_from": "learned_theta"}).fit(
            np.arange(90.0)
        )


@pytest.mark.parametrize("kind", [ThetaForecast, LearnedTheta])
@pytest.mark.parametrize(("n_steps", "season", "lengths"), CASES)
def test_the_gradient_of_the_window_is_that_of_keras(n_steps, season, lengths, kind):
    """And the forecast goes with the window: moved by 1 by a move of 1, stretched as it is."""
    import tensorflow as tf

    inputs, layer = given(n_steps, season, lengths), kind(6, season)
    p = drawn(layer, n_steps) if kind is LearnedTheta else {}
    d = np.random.default_rng(1).normal(size=(5, 6, 2)).astype(np.float32)
    saved = Saved()
    out = layer.forward(NUMPY, p, saved, *inputs)
    g = {name: np.empty_like(value) for name, value in p.items()}
    found, none = layer.backward(p, g, saved, d, (True, False))
    assert none is None
    tensors = {name: tf.constant(value, tf.float64) for name, value in p.items()}
    x = tf.constant(inputs[0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        made = layer.forward(keras_namespace(), tensors, Saved(), x, *inputs[1:])
        loss = tf.reduce_sum(made * d)
    expected = tape.gradient(loss, x).numpy()
    if lengths is not None:
        valid = np.arange(n_steps) >= n_steps - np.array(lengths)[:, None]
        assert (found[~valid] == 0).all()
        expected = np.where(valid[:, :, None], expected, 0)
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=5e-3 * np.abs(expected).max())
    np.testing.assert_allclose(found.sum(axis=1), d.sum(axis=1), atol=5e-3 * np.abs(d).sum())
    moved, whole = inputs[0] * (np.abs(found) > 0), (out * d).sum((1, 2))
    size = np.abs(moved * found).sum((1, 2)) + np.abs(out * d).sum((1, 2))
    assert (np.abs((moved * found).sum((1, 2)) - whole) < 5e-3 * size).all()
