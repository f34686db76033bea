"""The numbers of the next step: their likelihood, what is learned of it, and series drawn by it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_native import SeesModel, made, same

import seqkit
from seqkit import SequenceTagger, build_tagger, load_run, run, training
from seqkit.cli import cli
from seqkit.data.steps import Steps, following
from seqkit.evaluation.attributions import attribute
from seqkit.evaluation.baselines import SeriesProblem, run_baselines
from seqkit.evaluation.importance import permutation_importance
from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.summary import score_model
from seqkit.network.architecture import Architecture
from seqkit.network.heads import SMALLEST_SCALE
from seqkit.network.losses import Objective, loss_of
from seqkit.network.mixtures import Mixture, mixture_nll, mixture_nll_backward
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY
from seqkit.network.tagging import tagger
from seqkit.report.page_model import page_networks
from seqkit.runs.comparison import compare
from seqkit.runs.experiment import evaluate, predict
from seqkit.runs.explaining import explain_run
from seqkit.training import ArraySource

QUICK = {"target": "next", "units": 6, "epochs": 3, "random_state": 0}


# --- the likelihood -----------------------------------------------------------------------------


def free_numbers(n, n_features, shape=(4,), seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(*shape, n_features)), rng.normal(
        size=(*shape, n * (1 + 2 * n_features))
    )


def by_the_paper(y, net, n):
    """The likelihood of each row, a component and a channel at a time (Bishop 1994, eq. 22-26)."""
    found = []
    for row, free in zip(y, net, strict=True):
        parts = free.reshape(n, -1)
        weights = np.exp(parts[:, 0]) / np.exp(parts[:, 0]).sum()
        total = 0.0
        for weight, part in zip(weights, parts, strict=True):
            means, raw = np.split(part[1:], 2)
            scales = np.log1p(np.exp(raw)) + SMALLEST_SCALE
            total += weight * np.prod(stats.norm.pdf(row, means, scales))
        found.append(-np.log(total))
    return np.array(found)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 99))
def test_the_likelihood_is_that_of_the_paper_and_its_slope_a_difference(n, n_features, seed):
    y, net = free_numbers(n, n_features, seed=seed)
    np.testing.assert_allclose(mixture_nll(NUMPY, y, net, n), by_the_paper(y, net, n), rtol=1e-9)
    slopes, step = mixture_nll_backward(y, net, n), 1e-6
    for k in range(net.shape[1]):
        moved = np.zeros(net.shape[1])
        moved[k] = step
        difference = by_the_paper(y, net + moved, n) - by_the_paper(y, net - moved, n)
        np.testing.assert_allclose(slopes[:, k], difference / (2 * step), rtol=1e-5, atol=1e-7)


def test_far_values_and_equal_ones_have_finite_likelihoods():
    net = np.zeros((2, 5), np.float32)
    net[:, 2:] = -200  # what softplus makes 0 of
    net = np.concatenate([net[:, :1], net[:, 1:3]], axis=1)
    y = np.array([[0.0], [30.0]], np.float32)
    values, slopes = mixture_nll(NUMPY, y, net, 1), mixture_nll_backward(y, net, 1)
    assert values[0] == pytest.approx(np.log(SMALLEST_SCALE * np.sqrt(2 * np.pi)), rel=1e-5)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()


def step_case(seed=0, n_features=2, n=3):
    """A batch of steps, some of which have no next one."""
    y, net = free_numbers(n, n_features, (5, 6), seed)
    y[np.arange(6) >= np.random.default_rng(seed).integers(1, 7, 5)[:, None]] = np.nan
    weight = np.random.default_rng(seed + 1).uniform(0.5, 2, 5)
    return y.astype(np.float32), net.astype(np.float32), weight.astype(np.float32)


@pytest.mark.parametrize("weighed", [False, True])
def test_the_loss_is_the_mean_over_steps_that_have_a_next_one_also_in_keras(weighed):
    y, net, weight = step_case()
    objective = Objective("mixture", steps=True, components=3, log_scale=1.5)
    weight = weight if weighed else None
    value, slopes = loss_of(objective, y, net, weight)
    valid = np.isfinite(y[..., 0])
    each = by_the_paper(y[valid].astype(float), net[valid].astype(float), 3) + 1.5
    shares = np.ones(len(each)) if weight is None else np.repeat(weight, valid.sum(1))
    assert value == pytest.approx((each * shares).sum() / valid.sum(), rel=1e-5)
    assert not slopes[~valid].any()
    loss, metrics = objective.of_keras()
    assert metrics == []
    loss, tensor = type(loss).from_config(loss.get_config()), tf.constant(net)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        other = loss(y, tensor, sample_weight=weight)
    assert float(other) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(slopes, tape.gradient(other, tensor), rtol=1e-4, atol=1e-6)


# --- mixtures -----------------------------------------------------------------------------------


def mixture(seed=0, shape=(2,), n=3, n_features=2):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(n), shape)
    size = (*shape, n, n_features)
    return Mixture(weights, rng.normal(size=size), rng.uniform(0.2, 1, size))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.floats(0.02, 0.98))
def test_a_mixture_is_a_distribution(seed, level):
    one = mixture(seed, (), n_features=1)

    def density(y):
        return float(np.exp(one.log_density(np.array([y]))))

    assert integrate.quad(density, -12, 12, limit=200)[0] == pytest.approx(1, abs=1e-6)
    below = integrate.quad(density, -12, one.quantile(level)[0], limit=200)[0]
    assert below == pytest.approx(level, abs=1e-6)
    mean = integrate.quad(lambda y: y * density(y), -12, 12, limit=200)[0]
    second = integrate.quad(lambda y: y * y * density(y), -12, 12, limit=200)[0]
    assert one.mean()[0] == pytest.approx(mean, abs=1e-6)
    assert one.std()[0] == pytest.approx(np.sqrt(second - mean**2), rel=1e-5)


def test_what_is_drawn_is_of_the_mixture():
    several, rng = mixture(), np.random.default_rng(1)
    drawn = several.sample(rng, 20_000)
    np.testing.assert_allclose(drawn.mean(0), several.mean(), atol=0.03)
    np.testing.assert_allclose(drawn.std(0), several.std(), atol=0.03)
    np.testing.assert_allclose(np.quantile(drawn, 0.2, axis=0), several.quantile(0.2), atol=0.05)
    again = Mixture.of(several.packed())
    assert all((getattr(again, k) == getattr(several, k)).all()
               for k in ("weights", "means", "scales"))  # fmt: skip
    y = drawn[0]
    np.testing.assert_allclose(several[1].log_density(y[1]), several.log_density(y)[1])


def test_temperature_is_the_power_of_weights_and_of_each_component():
    one, rng = mixture(n=1, shape=()), np.random.default_rng(0)
    for temperature in (0.25, 1.0, 4.0):
        drawn = one.sample(rng, 20_000, temperature)
        np.testing.assert_allclose(drawn.std(0), np.sqrt(temperature) * one.scales[0], rtol=0.03)
    far = Mixture(np.array([0.8, 0.2]), np.array([[-9.0], [9.0]]), np.full((2, 1), 0.1))
    share = (far.sample(rng, 20_000, 0.5) < 0).mean()
    assert share == pytest.approx(0.8**2 / (0.8**2 + 0.2**2), abs=0.01)
    assert (far.sample(rng, 5, 0) == -9.0).all()


# --- the network --------------------------------------------------------------------------------

CASES = [
    {"mixture": 2},
    {"mixture": 3, "variable_length": True, "cell": "lstm", "units": [4, 4], "residual": True},
    {"mixture": 1, "scale": "none", "dense": (5,)},
]


def architecture(**changed):
    sizes = {"n_timesteps": None, "n_features": 2, "n_classes": None}
    plain = {"cell": "gru", "units": 5, "bidirectional": False, "dropout": 0.0}
    return Architecture("tagger", {**sizes, **plain, **changed})


def batch(case, n=6, n_steps=7, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_steps, 2)).astype(np.float32)
    lengths = rng.integers(2, n_steps + 1, n).astype(np.int32)
    if not case.get("variable_length"):
        lengths[:] = n_steps
    y = np.full(x.shape, np.nan, np.float32)
    y[:, :-1] = x[:, 1:]
    y[np.arange(n_steps) >= lengths[:, None] - 1] = np.nan
    return ({"x": x, "lengths": lengths} if case.get("variable_length") else x), y


def objective_of(own):
    return Objective("mixture", steps=True, components=own.settings["mixture"], log_scale=0.7)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_keras_model_and_its_gradient_a_difference(case):
    own = architecture(**case)
    network, model = made(own)
    inputs, y = batch(case)
    np.testing.assert_allclose(
        network.predict(inputs), model.predict(inputs, verbose=0), rtol=2e-4, atol=2e-5
    )
    view = keras.Model(model.inputs, model.get_layer("mixture").output)
    with tf.GradientTape() as tape:
        loss = objective_of(own).of_keras()[0](y, view(inputs, training=True))
    by_path = {v.path: v for v in model.trainable_variables}
    expected = tape.gradient(loss, [v.value for v in by_path.values()])
    value, d = loss_of(objective_of(own), y, network.forward(inputs, training=True), None)
    network.backward(d)
    assert value == pytest.approx(float(loss), rel=1e-5)
    paths = [w.path for w in own.network.weights if w.trainable]
    for slope, path in some(zip(expected, by_path, strict=True)):
        found = network.weights.cut(network.weights.gradient)[paths.index(path)]
        np.testing.assert_allclose(found, slope, rtol=2e-3, atol=2e-5, err_msg=path)
    theta, rng = network.weights.theta, np.random.default_rng(2)
    towards = rng.normal(size=theta.size).astype(np.float32)
    towards *= np.float32(1e-2 / np.linalg.norm(towards))
    slope, ends = float(network.weights.gradient @ towards), []
    for sign in (1, -2):
        theta += sign * towards
        ends.append(loss_of(objective_of(own), y, network.forward(inputs, False), None)[0])
    assert slope == pytest.approx((ends[0] - ends[1]) / 2, rel=2e-2, abs=1e-5)


def test_it_trains_as_keras_does():
    own = architecture(**CASES[1])
    inputs, y = batch(CASES[1], 40)
    held = ArraySource(*batch(CASES[1], 12, seed=1))
    native, other = (
        training.fit(
            own, ArraySource(inputs, y), validation=held, key=own.key, loss=objective_of(own),
            output="mixture", callbacks=callbacks, epochs=4, batch_size=16, patience=0,
            learning_rate=0.01, seed=3,
        )
        for callbacks in ([], [SeesModel()])
    )  # fmt: skip
    assert native.trainer == "native" != other.trainer
    same(native.weights, other.weights)
    for name in ("loss", "val_loss"):
        assert native.history[name] == pytest.approx(other.history[name], rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(more=st.integers(1, 7), junk=st.integers(-3, 3))
def test_padding_counts_for_nothing(more, junk):
    own = architecture(**CASES[1])
    network = NativeNetwork(own.network)
    network.weights.load(own.network.initial_weights(0))
    inputs, y = batch(CASES[1])
    x, lengths = inputs["x"], inputs["lengths"]
    valid = np.arange(x.shape[1]) < lengths[:, None]
    wide = np.pad(np.where(valid[..., None], x, junk), [(0, 0), (0, more), (0, 0)],
                  constant_values=junk)  # fmt: skip
    longer = np.pad(y, [(0, 0), (0, more), (0, 0)], constant_values=np.nan)
    results = []
    for given_x, given_y in ((x, y), (wide.astype(np.float32), longer)):
        fed = {"x": given_x, "lengths": lengths}
        answers = network.predict(fed)[:, : x.shape[1]][valid]
        loss, d = loss_of(objective_of(own), given_y, network.forward(fed, training=True), None)
        network.backward(d)
        results.append((answers, loss, network.weights.gradient.copy()))
    same(*results, 1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mixture": None}, "n_classes must be at least 2; got None.*give mixture"),
        ({"mixture": 0}, "mixture must be at least 1; got 0"),
        ({"n_classes": 2}, "None where n_classes is given"),
        ({"n_features": None, "n_tokens": 3}, "None where series are of tokens"),
        ({"bidirectional": True}, "bidirectional must be False with a mixture"),
        ({"multilabel": True}, "multilabel must be False with a mixture"),
    ],
)
def test_wrong_settings_of_the_network_say_what_is_allowed(wrong, message):
    right = {"n_timesteps": None, "n_features": 2, "n_classes": None, "mixture": 3}
    with pytest.raises(ValueError, match=message):
        tagger(**{**right, **wrong})


def test_a_keras_user_builds_and_keeps_it(tmp_path):
    model = build_tagger(None, 2, None, units=4, mixture=3)
    assert model.output_shape == (None, None, 3, 5)
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    answers = again.predict(x, verbose=0)
    np.testing.assert_array_equal(answers, model.predict(x, verbose=0))
    np.testing.assert_allclose(answers[..., 0].sum(-1), 1, rtol=1e-6)


# --- what is learned ----------------------------------------------------------------------------

A1, A2, SIGMA, LEVEL = 0.6, -0.5, 3.0, 200.0


def autoregression(n, n_steps, seed):
    """Series of ``x_t = A1 x_{t-1} + A2 x_{t-2} + SIGMA e_t`` about a level, stationary."""
    rng, before = np.random.default_rng(seed), 30
    x = np.zeros((n, n_steps + before))
    for t in range(2, n_steps + before):
        x[:, t] = A1 * x[:, t - 1] + A2 * x[:, t - 2] + SIGMA * rng.normal(size=n)
    return x[:, before:, None] + LEVEL


ENTROPY = 0.5 * np.log(2 * np.pi * np.e * SIGMA**2)
TRUE_LAGS = [A1 / (1 - A2), A1 * A1 / (1 - A2) + A2]  # Yule and Walker


@pytest.fixture(scope="module")
def process():
    model = SequenceTagger(target="next", units=12, mixture=3, epochs=40, random_state=0)
    return model.fit(autoregression(60, 80, 0))


def test_a_process_is_learned_down_to_its_entropy_and_better_than_without_a_memory(process):
    held = autoregression(60, 80, 1)
    nll = -process.score(held)
    assert ENTROPY - 0.03 < nll < ENTROPY + 0.04
    assert process.history_["loss"][-1] == pytest.approx(ENTROPY, abs=0.06)  # in the same units
    known = A1 * (held[:, 1:-1] - LEVEL) + A2 * (held[:, :-2] - LEVEL) + LEVEL
    apart = process.predict(held)[:, 10:-1] - known[:, 9:]
    assert np.sqrt((apart**2).mean()) < 0.2 * SIGMA
    told = process.predict_mixture(held)
    np.testing.assert_allclose(told.std()[:, 10:].mean(), SIGMA, rtol=0.05)
    inside = held[:, 1:] < told.quantile(0.9)[:, :-1]
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    offsets = np.arange(61) * 80
    parts = [
        following(Steps(s.reshape(-1, 1), offsets, ("x",)), numbers=True)
        for s in (autoregression(60, 80, 0), held)
    ]
    problem = SeriesProblem(parts[0], parts[0].each(parts[0].labels), parts[1])
    found, _ = run_baselines("tagging", problem, ["random_walk", "normal"])
    steps = Predictions(
        values=list(process.predict(held)[:, :-1]),
        probabilities=list(told.packed()[:, :-1]),
    )
    scores = score_model("tagging", parts[1].each(parts[1].labels), steps, baselines=found,
                         metrics=["nll", "rmse", "bits"])  # fmt: skip
    assert scores["model"]["nll"] == pytest.approx(nll, rel=1e-9)
    assert scores["model"]["rmse"] == pytest.approx(SIGMA, rel=0.04)
    assert scores["model"]["bits"] is None
    variance = SIGMA**2 * (1 - A2) / ((1 + A2) * ((1 - A2) ** 2 - A1**2))
    walk = 2 * variance * (1 - TRUE_LAGS[0])
    for name, spread in (("normal", variance), ("random_walk", walk)):
        expected = 0.5 * np.log(2 * np.pi * np.e * spread)
        assert scores["baselines"][name]["nll"] == pytest.approx(expected, abs=0.04)
        assert scores["baselines"][name]["rmse"] == pytest.approx(np.sqrt(spread), rel=0.04)
        assert nll < scores["baselines"][name]["nll"] - 0.1


def test_series_that_are_drawn_have_the_moments_of_the_process(process):
    drawn = process.generate(6000, seed=0)[200:, 0]
    assert drawn.mean() == pytest.approx(LEVEL, abs=0.5)
    centered = drawn - drawn.mean()
    lags = [(centered[k:] * centered[:-k]).mean() / centered.var() for k in (1, 2)]
    np.testing.assert_allclose(lags, TRUE_LAGS, atol=0.07)
    variance = SIGMA**2 * (1 - A2) / ((1 + A2) * ((1 - A2) ** 2 - A1**2))
    assert centered.std() == pytest.approx(np.sqrt(variance), rel=0.06)
    calm = process.generate(600, seed=0, temperature=0.25)[100:, 0]
    assert calm.std() == pytest.approx(0.5 * centered.std(), rel=0.2)
    still = process.generate(8, start=drawn[:5, None], temperature=0, seed=1)
    np.testing.assert_array_equal(still, process.generate(8, drawn[:5], temperature=0, seed=2))
    told = process.predict_mixture([np.concatenate([drawn[:5, None], still])])[0]
    first = told.weights.argmax(1)[4:-1]
    np.testing.assert_allclose(still, told.means[4:-1][np.arange(8), first], rtol=1e-6)


def test_two_ways_on_need_two_components():
    """Of a fair coin's two ends one normal cannot say less than the logarithm of their spread."""
    rng = np.random.default_rng(0)
    X = rng.choice([-1.0, 1.0], (60, 30, 1)) + 0.1 * rng.normal(size=(60, 30, 1))
    nll = {}
    for n in (1, 3):
        model = SequenceTagger(target="next", units=4, mixture=n, epochs=60, random_state=0)
        nll[n] = -model.set_params(learning_rate=0.02).fit(X).score(X)
    # the best single normal is that of mean and variance: Jensen; the least of all is the entropy
    rest = X[:, 1:]
    one = 0.5 * np.log(2 * np.pi * np.e * rest.var())
    least = 0.5 * np.log(2 * np.pi * np.e * 0.01) + np.log(2)
    assert nll[1] > one - 0.03
    assert least - 0.05 < nll[3] < least + 0.15
    told = model.predict_mixture(X)
    assert abs(told.mean()).mean() < 0.2
    ways = model.generate(300, seed=1)[10:, 0]
    assert (np.abs(np.abs(ways) - 1) < 0.4).mean() > 0.97
    assert 0.4 < (ways > 0).mean() < 0.6


# --- the estimator ------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
X = np.stack([50 + RNG.normal(size=(16, 12)).cumsum(1), 1e-3 * RNG.normal(size=(16, 12))], axis=2)
UNEQUAL = [x[: RNG.integers(3, 13)] for x in X]


@pytest.fixture(scope="module")
def fitted():
    return SequenceTagger(**QUICK).fit(UNEQUAL)


def test_answers_have_the_form_of_the_series(fitted):
    means, told = fitted.predict(UNEQUAL), fitted.predict_mixture(UNEQUAL)
    for x, mean, one in some(zip(UNEQUAL, means, told, strict=True)):
        assert mean.shape == x.shape
        assert one.weights.shape == (len(x), 5)
        assert one.scales.shape == (len(x), 5, 2)
        np.testing.assert_allclose(one.mean(), mean)
        np.testing.assert_allclose(fitted.predict([x])[0], mean, rtol=1e-6)
    logs = [one.log_density(np.roll(x, -1, 0))[:-1] for x, one in zip(UNEQUAL, told, strict=True)]
    assert fitted.score(UNEQUAL) == pytest.approx(np.concatenate(logs).mean())
    weight = np.arange(16.0)
    steps = np.repeat(weight, [len(one) for one in logs])
    expected = np.average(np.concatenate(logs), weights=steps)
    assert fitted.score(UNEQUAL, sample_weight=weight) == pytest.approx(expected)
    assert fitted.predict(X).shape == X.shape
    flat = SequenceTagger(**QUICK, mixture=2).fit(X[:, :, 0])
    assert flat.predict(X[:, :, 0]).shape == (16, 12, 1)
    np.testing.assert_array_equal(flat.predict(X[:, :, :1]), flat.predict(X[:, :, 0]))


def test_there_are_no_classes(fitted):
    assert not hasattr(fitted, "classes_")
    assert not hasattr(fitted, "predict_proba")
    with pytest.raises(AttributeError, match="predict_proba"):
        fitted.predict_proba(UNEQUAL)
    labels = SequenceTagger(**QUICK).fit((X.mean() < X).astype(int))
    assert hasattr(labels, "predict_proba")
    assert not hasattr(labels, "predict_mixture")


def test_the_score_follows_the_units(fitted):
    """In other units of measurement the density is another, and the mean the same."""
    scaled = [x * [10.0, 0.5] for x in UNEQUAL]
    other = clone(fitted).fit(scaled)
    np.testing.assert_allclose(other.predict(scaled)[0], fitted.predict(UNEQUAL)[0] * [10, 0.5],
                               rtol=1e-4)  # fmt: skip
    assert other.score(scaled) == pytest.approx(fitted.score(UNEQUAL) - np.log(5), abs=1e-4)
    losses = np.subtract(other.history_["loss"], fitted.history_["loss"])
    np.testing.assert_allclose(losses, np.log(5), atol=1e-4)


@pytest.mark.parametrize("scale", ["none", "minmax", "robust"])
def test_every_scaling_is_undone(scale):
    x = X[:, :, :1] - 50
    model = SequenceTagger(**{**QUICK, "epochs": 80}, scale=scale, dropout=0, learning_rate=0.02)
    assert model.fit(x).history_["loss"][-1] == pytest.approx(-model.score(x), abs=0.02)
    assert (
        np.abs(model.predict(x)[:, :-1] - x[:, 1:]).mean() < 1.5 * np.abs(np.diff(x, axis=1)).mean()
    )


def test_it_is_kept_in_every_way(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    for other in (pickle.loads(pickle.dumps(fitted)), seqkit.load(tmp_path / "model")):
        same([m.packed() for m in other.predict_mixture(UNEQUAL)],
             [m.packed() for m in fitted.predict_mixture(UNEQUAL)], 0)  # fmt: skip
        assert other.score(UNEQUAL) == fitted.score(UNEQUAL)
        np.testing.assert_array_equal(other.generate(4, seed=0), fitted.generate(4, seed=0))
    same(clone(fitted).fit(UNEQUAL).weights_, fitted.weights_, 0)
    document = json.loads((tmp_path / "model" / "model.json").read_text())
    document["fitted"].pop("_spread_")
    from seqkit.estimators.saving import load_estimator

    weights = (tmp_path / "model" / "weights.safetensors").read_bytes()
    networks = (tmp_path / "model" / "network.json").read_bytes()
    with pytest.raises(ValueError, match=r"_offset_ and _spread_"):
        load_estimator(document, weights, tmp_path, networks=networks)


def test_the_keras_model_gives_the_mixtures(fitted):
    padded = fitted._check_X(UNEQUAL, reset=False)
    inputs = {"x": padded.values, "lengths": padded.lengths}
    answers = fitted.model_.predict(inputs, verbose=0)
    for one, other in some(zip(fitted.predict_mixture(UNEQUAL), answers, strict=True)):
        np.testing.assert_allclose(one.packed(), other[: len(one.weights)], rtol=2e-5, atol=2e-6)


def test_an_observation_after_the_other_is_answered_as_the_whole(fitted):
    x, stream = X[0], fitted.stream()
    answers = [stream.push(one) for one in x[:5]]
    state = stream.state
    answers += [stream.push(one) for one in x[5:]]
    np.testing.assert_allclose(answers, fitted.predict(X[:1])[0], rtol=1e-12)
    stream.state = state
    np.testing.assert_array_equal(stream.push(x[5]), answers[5])
    two = fitted.stream(2)
    np.testing.assert_array_equal(two.push(X[:2, 0])[0], answers[0])


def test_series_are_drawn_by_the_states_that_are_carried_on(fitted):
    drawn = fitted.generate(6, start=X[0, :4], seed=3)
    whole, rng = np.concatenate([X[0, :4], drawn]), np.random.default_rng(3)
    told = fitted.predict_mixture([whole])[0]
    for t in range(6):
        expected = told[3 + t].sample(rng)[0]
        np.testing.assert_allclose(drawn[t], expected, rtol=1e-6, atol=1e-9)
    alone = fitted.generate(3, seed=3)
    assert alone.shape == (3, 2)
    np.testing.assert_array_equal(alone, fitted.generate(3, seed=3))
    first = np.array([fitted.generate(1, seed=s)[0] for s in range(400)])
    rows = np.concatenate(UNEQUAL)
    np.testing.assert_allclose(first.mean(0), rows.mean(0), atol=0.25 * rows.std(0).max())
    np.testing.assert_allclose(first.std(0), rows.std(0), rtol=0.15)


def test_a_fit_goes_on_and_begins_from_another(fitted):
    part = SequenceTagger(**{**QUICK, "epochs": 1}, schedule="constant", warm_start=True)
    whole = SequenceTagger(**{**QUICK, "epochs": 2}, schedule="constant")
    same(part.fit(X).fit(X).weights_, whole.fit(X).weights_, 0)
    passed = SequenceTagger(**QUICK).partial_fit(X[:8])
    spread = passed._spread_.copy()
    passed.partial_fit(10 * X[8:])
    np.testing.assert_array_equal(passed._spread_, spread)
    tuned = SequenceTagger(**QUICK, start=whole).fit(10 * X)
    np.testing.assert_array_equal(tuned._spread_, whole._spread_)
    assert set(tuned.start_["taken"]) >= {"recurrent_1", "mixture"}
    moved = clone(fitted).fit(UNEQUAL)
    weights = [w.copy() for w in moved.weights_]
    weights[-2] = weights[-2] + 1  # output/offset
    moved.set_weights(weights)
    np.testing.assert_allclose(moved.predict([X[0]])[0], fitted.predict([X[0]])[0] + 1, rtol=1e-5)
    refit = SequenceTagger(**QUICK, validation={"refit": 0.25}, patience=2)
    assert len(refit.fit(X).stopped_histories_) == 1


def test_long_series_weights_and_searches():
    long = np.sin(np.arange(1300) / 3)[None, :, None] + [[[5.0]]]
    model = SequenceTagger(**QUICK).fit(long)
    assert model.auto_["piece_length"] == 200
    pieces = model._examples(long, reset=False)
    assert np.isfinite(pieces.target[..., 0]).sum() == 1299
    assert model.predict(long).shape == long.shape
    weight = np.ones(16)
    weight[3] = 0
    rows = np.flatnonzero(weight)
    a = SequenceTagger(**QUICK).fit(UNEQUAL, sample_weight=weight).weights_
    same(a, SequenceTagger(**QUICK).fit([UNEQUAL[k] for k in rows]).weights_, 0)
    search = GridSearchCV(SequenceTagger(**QUICK), {"mixture": [1, 2]}, cv=2).fit(UNEQUAL)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    held = SequenceTagger(**QUICK).fit(UNEQUAL, validation_data=(UNEQUAL[:5],))
    assert held.history_["val_loss"][-1] == pytest.approx(-held.score(UNEQUAL[:5]), abs=1e-4)
    frame = pd.DataFrame(
        [(k, *row) for k, x in enumerate(UNEQUAL) for row in x], columns=["unique_id", "a", "b"]
    )
    framed = SequenceTagger(**QUICK).fit(frame)
    same(framed.weights_, SequenceTagger(**QUICK).fit(UNEQUAL).weights_, 0)
    assert framed.score(frame) == SequenceTagger(**QUICK).fit(UNEQUAL).score(UNEQUAL)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"bidirectional": True}, "bidirectional must be false or auto when target is next"),
        ({"class_weight": "balanced"}, "class_weight must be None where the numbers of the next"),
        ({"label_smoothing": 0.1}, "label_smoothing must be 0 where the numbers"),
        ({"loss": "focal"}, "loss must be 'auto' where the numbers"),
        ({"missing": "indicator"}, "missing must be 'error' where the numbers"),
        ({"augment": {"scaling": 0.1}}, "augment must be without scaling where the numbers"),
        ({"mixture": 0}, "mixture must be a positive integer"),
        ({"embedding": 3}, "embedding must be left out where series are of numbers"),
    ],
)
def test_what_cannot_be_is_told(settings_, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SequenceTagger(**{**QUICK, **settings_}).fit(UNEQUAL)


def test_what_else_cannot_be_is_told(fitted):
    owner = SequenceTagger(**QUICK)
    with pytest.raises(ValueError, match="y must be left out"):
        owner.fit(X, X)
    with pytest.raises(ValueError, match="unless target is next"):
        SequenceTagger(units=4, mixture=3).fit(X, X[..., 0] > 0)
    with pytest.raises(ValueError, match="None where series are of 0 and 1"):
        SequenceTagger(**QUICK, mixture=2).fit((X > 0).astype(int))
    with pytest.raises(ValueError, match="at least 2 steps long"):
        owner.fit(X[:, :1])
    gaps = X.copy()
    gaps[2, 3, 1] = np.nan
    with pytest.raises(ValueError, match="step 3"):
        owner.fit(gaps)
    with pytest.raises(ValueError, match="of 2 features a step"):
        fitted.predict(X[:, :, :1])
    labels = SequenceTagger(**QUICK).fit((X.mean() < X).astype(int))
    with pytest.raises(ValueError, match="of 0 and 1, several labels a step, as those of the fit"):
        labels.predict(X)
    for wrong, message in (
        ({"start": X[0, :, :1]}, r"start must be an array of shape \(n_timesteps, 2\) of finite"),
        ({"start": [[np.nan, 0.0]]}, "of finite numbers"),
        ({"top_k": 2}, "top_k must be left out with numbers"),
        ({"threshold": 0.1}, "threshold must be left out with numbers"),
        ({"temperature": -1.0}, "temperature must be a number of 0 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.generate(2, **wrong)


def test_what_explains_it_and_what_does_not(fitted):
    [first, *_] = permutation_importance(fitted, UNEQUAL, metrics=["nll"], repeats=2)
    assert first.score == pytest.approx(-fitted.score(UNEQUAL), rel=1e-5)
    with pytest.raises(ValueError, match="no mixture of next numbers"):
        attribute(fitted, UNEQUAL)
    assert "mixtures" in page_networks(fitted)["absent"]


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_from_file_to_report_and_on(tmp_path):
    rows = [
        (f"s{k}", t, *one)
        for k, x in enumerate(autoregression(24, 30, 2))
        for t, one in enumerate(np.column_stack([x[:, 0], 1e4 + x[:, 0] ** 2]))
    ]
    path = tmp_path / "walk.csv"
    pd.DataFrame(rows, columns=["s", "t", "a", "b"]).to_csv(path, index=False)
    recipe = {
        "task": "tagging", "data": {"path": str(path), "series_id": "s", "time": "t",
                                    "target": "next", "features": ["a", "b"]},
        "model": {"units": 8, "mixture": 2}, "train": {"epochs": 12, "learning_rate": 0.01},
        "export": ["onnx"],
    }  # fmt: skip
    done = run(recipe, out=tmp_path / "runs", name="one")
    folder = Path(done.document["run"])
    scores = done.scores["parts"]["test"]
    assert list(scores["model"]) == ["nll", "rmse", "mae"]
    assert list(scores["baselines"]) == ["random_walk", "normal"]
    assert all(value is not None for value in scores["model"].values())
    again = evaluate(folder).scores
    assert again["parts"]["test"]["model"] == pytest.approx(scores["model"])
    frame = pd.read_parquet(folder / "predictions.parquet")
    assert frame["nll"].mean() == pytest.approx(scores["model"]["nll"])
    apart = [np.sqrt(((frame[f"true_{k}"] - frame[f"predicted_{k}"]) ** 2).mean()) for k in "ab"]
    assert np.mean(apart) == pytest.approx(scores["model"]["rmse"])
    assert json.loads((folder / "run.json").read_text())["exports"]["onnx"]["verified"]
    page = (folder / "report.html").read_text()
    assert "a page computes no mixtures" in page
    resolved = (folder / "recipe.resolved.yaml").read_text()
    assert "metrics: [nll, rmse, mae]" in resolved
    model = load_run(folder)
    predict(folder, str(path), tmp_path / "predicted.csv")
    told = pd.read_csv(tmp_path / "predicted.csv")
    first = np.array([r[2:] for r in rows[:30]])
    expected = model.predict([first])[0]
    np.testing.assert_allclose(told[["predicted_a", "predicted_b"]][:30], expected, rtol=1e-9)
    command = ["generate", str(folder), "--steps", "4", "--seed", "2", "--start", str(path)]
    result = CliRunner().invoke(cli, [*command, "-o", str(tmp_path / "drawn.csv")])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "drawn.csv")
    assert table.columns.tolist() == ["step", "a", "b"]
    drawn = model.generate(4, start=first, seed=2)
    np.testing.assert_allclose(table[["a", "b"]].to_numpy()[-4:], drawn)
    result = CliRunner().invoke(cli, ["generate", str(folder), "--steps", "2", "--json"])
    assert np.shape(json.loads(result.output)["steps"]) == (2, 2)
    result = CliRunner().invoke(cli, ["predict", str(folder), str(path), "--proba", "-o",
                                      str(tmp_path / "p.csv")])  # fmt: skip
    assert result.exit_code == 2
    assert "no class probabilities" in result.output
    explained = explain_run(folder, tmp_path / "explained")
    assert explained.document["importance"][0]["metric"] == "nll"
    assert any("no attribution: the numbers" in note for note in explained.document["notes"])
    other = {**recipe, "model": {"units": 2, "mixture": 1}, "export": []}
    second = run(other, out=tmp_path / "runs", name="two").document["run"]
    compared = compare([str(folder), second])
    assert {"nll", "rmse"} <= set(compared.document["scores"])
