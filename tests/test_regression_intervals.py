"""Regressors of quantiles, and conformal intervals: theory, round trips, recipes, mistakes."""

from __future__ import annotations

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.base import BaseEstimator
from sklearn.metrics import mean_pinball_loss

import seqkit
from seqkit import SequenceRegressor, read_recipe, run
from seqkit.errors import DataError, RecipeError
from seqkit.estimators.examples import Examples
from seqkit.estimators.intervals import Intervals, conformal_width, fewest_for
from seqkit.evaluation import interval_scores
from seqkit.network.architecture import Architecture
from seqkit.network.losses import Objective, loss_of
from seqkit.network.native import NativeNetwork
from seqkit.runs import finished

LEVELS = (0.1, 0.5, 0.9)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 10, 2)).astype(np.float32)
NOISE = RNG.normal(size=(120, 2)) * [20, 0.2]
Y = np.stack([100 * X[:, :, 0].mean(1), X[:, :, 1].mean(1)], 1) + NOISE
FEW = {"units": 6, "epochs": 12, "learning_rate": 0.02, "validation": 0, "patience": 0,
       "batch_size": 16, "ensemble": 1, "random_state": 0}  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    """An ensemble of quantiles of two targets, calibrated on 30 series."""
    several = {**FEW, "ensemble": 2, "quantiles": list(LEVELS), "calibration": 0.25}
    return SequenceRegressor(**several).fit(X, Y)


# --- theory, without training --------------------------------------------------------------------


class Stub(Intervals, BaseEstimator):
    """What an estimator predicts is set by hand."""

    _many_targets_ = True

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __sklearn_is_fitted__(self):
        return True

    def fit(self):
        """As an estimator has one."""

    def _ends(self, X):
        return self.low[X], self.high[X]

    def _examples(self, X, y, reset):
        return Examples(X, y, None)


def exchangeable(seed, n, spread):
    """Two targets whose noise is heavy-tailed and differs from series to series."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.2, 3, (n, 2))
    truth = rng.normal(size=(n, 2)) * 5
    y = truth + size * rng.standard_t(2, (n, 2))
    return truth - spread * size, truth + spread * size, y


@pytest.mark.parametrize("spread", [0.0, 1.0, 6.0])  # of a point; quantiles too narrow, too wide
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_intervals_hold_the_level_over_many_calibrations(level, spread):
    """Over 400 calibrations of 39 series the share held is within the binomial's bounds."""
    held, n, calibrations = 0, 40, 400
    for seed in range(calibrations):
        low, high, y = exchangeable(seed, n, spread)
        stub, known = Stub(low, high), np.arange(n - 1)
        stub.calibrate(known, y[known])
        ends = stub.predict_interval(np.array([n - 1]), level)
        assert (ends[0] <= ends[1]).all()
        held += int(ends[0][0, 0] <= y[-1, 0] <= ends[1][0, 0])
    exactly = np.ceil(n * level) / n  # of continuous scores, for n = 40 the level itself
    least, most = binom.ppf([0.001, 0.999], calibrations, exactly)
    assert held >= least
    # a band that would have to be drawn in past its middle is a point there, which holds more
    assert held <= most or spread == 6.0


@given(
    scores=st.lists(st.integers(-50, 50), min_size=1, max_size=60),
    level=st.sampled_from((0.1, 0.5, 0.8, 0.9, 0.95)),
)
def test_the_width_is_the_quantile_of_the_theory(scores, level):
    width, n = conformal_width(scores, level), len(scores)
    assert np.isinf(width) == (n < fewest_for(level))
    if np.isfinite(width):
        assert sum(s <= width for s in scores) >= (n + 1) * level - 1e-6
        assert sum(s < width for s in scores) < (n + 1) * level


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), n_levels=st.integers(1, 5), n_targets=st.integers(1, 3))
def test_quantiles_learn_by_the_pinball_loss(seed, n_levels, n_targets):
    """The loss is scikit-learn's, twice; its slope that along a direction, and that of Keras."""
    rng = np.random.default_rng(seed)
    levels = tuple(np.linspace(0, 1, n_levels + 2)[1:-1].tolist())
    objective = Objective("number", head="quantiles", levels=levels)
    y = rng.normal(size=(6, n_targets)).astype(np.float32)
    made = rng.normal(size=(6, n_targets, n_levels)).astype(np.float32)
    weight = rng.uniform(0.5, 2, 6).astype(np.float32)
    value, slopes = loss_of(objective, y, made, weight)
    by_level = [
        mean_pinball_loss(y[i], made[i, :, q], alpha=level) * weight[i]
        for i in range(6)
        for q, level in enumerate(levels)
    ]
    assert value == pytest.approx(2 * np.mean(by_level), rel=1e-5)
    tensor = tf.constant(made)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = objective.of_keras()[0](y, tensor, sample_weight=weight[:, None])
    assert value == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(slopes, tape.gradient(loss, tensor), rtol=1e-4, atol=1e-7)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), n_levels=st.integers(1, 5), n_targets=st.integers(1, 3))
def test_quantiles_of_any_weights_are_in_order_and_those_of_keras(seed, n_levels, n_targets):
    levels = np.linspace(0, 1, n_levels + 2)[1:-1].tolist()
    made_of = Architecture("regressor", {
        "n_timesteps": 10, "n_features": 2, "n_targets": n_targets, "quantiles": levels, "units": 3,
    })  # fmt: skip
    rng = np.random.default_rng(seed)
    network = NativeNetwork(made_of.network)
    weights = [rng.normal(size=w.shape).astype(np.float32) * 3 for w in made_of.network.weights]
    weights = [
        np.abs(w) + 0.1 if v.path.endswith("scale") else w
        for w, v in zip(weights, made_of.network.weights, strict=True)
    ]
    network.weights.load(weights)
    answer = network.predict(X[:5])
    assert answer.shape == (5, n_targets, n_levels)
    assert (np.diff(answer, axis=-1) >= 0).all()
    by_keras = made_of.keras_model(weights).predict(X[:5], verbose=0)
    np.testing.assert_allclose(answer, by_keras, rtol=1e-3, atol=1e-3)


def test_scores_are_those_of_their_definitions():
    y, q = Y[:40], np.sort(RNG.normal(size=(40, 2, 3)) * 20, -1)
    weight = RNG.uniform(0.5, 2, 40)
    given = {"levels": LEVELS, "sample_weight": weight}
    expected = np.mean([
        mean_pinball_loss(y, q[..., k], alpha=level, sample_weight=weight)
        for k, level in enumerate(LEVELS)
    ])  # fmt: skip
    assert interval_scores.pinball(y, q, **given) == pytest.approx(expected)
    low, high = q[..., 0], q[..., 2]
    inside = (low <= y) & (y <= high)
    assert interval_scores.coverage(y, q, levels=LEVELS) == pytest.approx(inside.mean())
    assert interval_scores.interval_width(y, q, levels=LEVELS) == pytest.approx((high - low).mean())
    # of a central interval it is the pinball losses of its ends, by 2 / alpha each
    ends = [mean_pinball_loss(y, end, alpha=a) for end, a in ((low, 0.1), (high, 0.9))]
    score = interval_scores.interval_score(y, q, levels=LEVELS)
    assert score == pytest.approx(sum(ends) * 2 / 0.2)


# --- fits ----------------------------------------------------------------------------------------


def test_an_ensemble_gives_quantiles_and_intervals_of_each_target(fitted):
    quantiles = fitted.predict_quantiles(X)
    assert quantiles.shape == (120, 2, 3)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_array_equal(fitted.predict(X), quantiles[..., 1])
    np.testing.assert_array_equal(fitted.predict_quantiles(X, [0.9]), quantiles[..., 2:])
    low, high = fitted.predict_interval(X, 0.9)
    assert low.shape == high.shape == (120, 2)
    # conformalised quantile regression: one number a target more, or less, than the quantiles
    away = [quantiles[..., 0] - low, high - quantiles[..., 2]]
    np.testing.assert_allclose(away, np.broadcast_to(away[0][0], (2, 120, 2)), rtol=1e-6, atol=1e-6)
    assert 0.8 < ((low <= Y) & (high >= Y)).mean() <= 1
    assert fitted.trainer_ == "native"
    np.testing.assert_allclose(fitted.model_.predict(X, verbose=0), quantiles, rtol=1e-3, atol=1e-2)


def test_the_calibration_part_is_not_trained_on():
    """A fit is the same whatever the targets of that part are; they decide the width alone."""
    model = SequenceRegressor(**FEW, calibration=0.25).fit(X, Y[:, 0])
    order = np.random.default_rng([0, 0x5EED]).permutation(120)
    aside = order[:30]
    other = Y[:, 0].copy()
    other[aside] += 1000
    moved = SequenceRegressor(**FEW, calibration=0.25).fit(X, other)
    for a, b in zip(model.weights_, moved.weights_, strict=True):
        np.testing.assert_array_equal(a, b)
    widths = [np.ptp(m.predict_interval(X[:1], 0.8)) for m in (model, moved)]
    assert widths[1] > 1000 > widths[0]
    # the errors of the part, by hand
    error = np.sort(np.abs(Y[aside, 0] - model.predict(X[aside])))
    low, high = model.predict_interval(X, 0.8)
    np.testing.assert_allclose((high - low) / 2, error[int(np.ceil(31 * 0.8)) - 1])
    # and the same by hand altogether
    rest = np.sort(order[30:])
    bare = SequenceRegressor(**FEW).fit(X[rest], Y[rest, 0]).calibrate(X[aside], Y[aside, 0])
    np.testing.assert_allclose(bare.predict_interval(X)[0], model.predict_interval(X)[0])


def test_a_part_held_out_and_one_set_aside_are_apart():
    model = SequenceRegressor(**{**FEW, "validation": "refit", "patience": 2, "calibration": 0.2})
    seen = {}
    original = SequenceRegressor._part

    def part(self, train, held, *rest, **more):
        seen.setdefault("parts", []).append((train, held))
        return original(self, train, held, *rest, **more)

    many = np.tile(X, (4, 1, 1)) + RNG.normal(size=(480, 1, 1)).astype(np.float32)
    y = np.tile(Y[:, 0], 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SequenceRegressor, "_part", part)
        model.fit(many, y)
    (train, held), (whole, nothing) = seen["parts"]
    n_aside = len(model._scores_)
    assert nothing is None
    assert len(train.target) + len(held.target) == len(whole.target) == 480 - n_aside
    assert model.predict_interval(many, 0.9)[0].shape == (480,)


def test_what_is_saved_gives_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = seqkit.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_quantiles(X), fitted.predict_quantiles(X))
    np.testing.assert_array_equal(again.predict_interval(X, 0.9), fitted.predict_interval(X, 0.9))
    again.set_weights(again.weights_)
    with pytest.raises(ValueError, match="must be calibrated; got 'no calibration'"):
        again.predict_interval(X)


def test_other_weights_need_another_calibration():
    model = SequenceRegressor(**FEW).fit(X, Y[:, 0]).calibrate(X[:30], Y[:30, 0])
    assert model.predict_interval(X)[0].shape == (120,)
    model.partial_fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="must be calibrated"):
        model.predict_interval(X)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"quantiles": [0.9, 0.1]}, "quantiles must be a rising list of numbers between 0 and 1"),
        ({"quantiles": [0.0, 0.5]}, "quantiles must be a rising list of numbers between 0 and 1"),
        ({"quantiles": []}, "quantiles must be"),
        ({"loss": "pinball"}, "loss must be another loss unless quantiles are predicted"),
        ({"loss": "mse", "quantiles": [0.5]}, "loss must be auto or pinball when quantiles"),
        ({"calibration": 1.0}, "calibration must be a fraction from 0 to below 1; got 1.0"),
        ({"calibration": 0.001}, "calibration must be so large that a series of 120 is set aside"),
        ({"calibration": 0.2, "warm_start": True}, "calibration must be 0 in a fit with warm_st"),
        ({"distribution": "normal"}, "unexpected keyword argument 'distribution'"),
    ],
)
def test_mistakes_in_settings_are_told_of(changed, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SequenceRegressor(**FEW, **changed).fit(X, Y)


def test_mistakes_in_questions_are_told_of(fitted):
    with pytest.raises(
        ValueError, match=r"at most 0\.968 with 30 series of calibration; got 0\.99"
    ):
        fitted.predict_interval(X, 0.99)
    for bad in (0, 1, 80, True, "0.8"):
        with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
            fitted.predict_interval(X, bad)
    with pytest.raises(ValueError, match=r"a level must be one of \[0\.1, 0\.5, 0\.9\]; got 0\.8"):
        fitted.predict_quantiles(X, [0.8])
    plain = SequenceRegressor(**FEW).fit(X, Y)
    with pytest.raises(ValueError, match="quantiles must be set; got None"):
        plain.predict_quantiles(X)
    with pytest.raises(ValueError, match=r"Fit with calibration=0\.2, or call calibrate"):
        plain.predict_interval(X)
    with pytest.raises(ValueError, match="calibration must be 0 in partial_fit"):
        SequenceRegressor(**FEW, calibration=0.2).partial_fit(X, Y)


# --- recipes -------------------------------------------------------------------------------------


def written(folder, **changed):
    """A recipe and its data, of two targets."""
    rows = [
        (i, t, *X[i, t], *Y[i]) for i in range(len(X)) for t in range(X.shape[1])
    ]  # fmt: skip
    names = ["trial", "t", "a", "b", "dose", "load"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "trials.csv", index=False)
    recipe = {
        "version": 1,
        "task": "regression",
        "data": {"path": "trials.csv", "target": ["dose", "load"], "series_id": "trial",
                 "time": "t", "features": ["a", "b"]},
        "model": {"units": 6, "quantiles": list(LEVELS)},
        "train": {"epochs": 12, "ensemble": 1, "learning_rate": 0.02, "batch_size": 16,
                  "calibration": 0.2},
        "evaluate": {"interval": 0.9},
    }  # fmt: skip
    for section, values in changed.items():
        recipe[section] = {**recipe[section], **values}
    file = folder / "recipe.yaml"
    file.write_text(json.dumps(recipe))
    return file


def test_a_recipe_gives_intervals_beside_those_of_baselines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    run(str(file), out=tmp_path / "runs", name="r")
    (folder,) = (tmp_path / "runs").iterdir()
    document = json.loads((folder / "metrics.json").read_text())["parts"]["test"]
    for who in (document["model"], document["baselines"]["mean"]):
        assert {"pinball", "coverage", "interval_width", "interval_score"} <= {*who}
        assert None not in who.values()
    assert document["baselines"]["nearest_neighbour"]["pinball"] is None
    conformal = document["conformal"]
    assert conformal["level"] == 0.9
    assert set(conformal["targets"]) == {"dose", "load"}
    assert "on series they were not calibrated on they held" in (folder / "report.html").read_text()

    # what the run predicted is what an estimator of the same settings predicts
    frame = pd.read_parquet(folder / "predictions.parquet")
    names = [f"predicted_{t}{e}" for t in ("dose", "load")
             for e in ("", "_q0.1", "_q0.5", "_q0.9", "_low90", "_high90")]  # fmt: skip
    assert {*frame.columns} == {"series", "true_dose", "true_load", *names}
    tested = frame["series"].astype(int).to_numpy()
    rest = np.setdiff1d(np.arange(len(X)), tested)
    same = SequenceRegressor(**{**FEW, "validation": "auto",
                                "patience": "auto", "quantiles": list(LEVELS),
                                "calibration": 0.2}).fit(X[rest], Y[rest])  # fmt: skip
    table = pd.read_csv(tmp_path / "trials.csv").groupby("trial", sort=True)
    asked = np.stack([part[["a", "b"]].to_numpy(np.float32) for _, part in table])[tested]
    own, low = same.predict_quantiles(asked), same.predict_interval(asked, 0.9)[0]
    for k, target in enumerate(("dose", "load")):
        for q, level in enumerate(LEVELS):
            found = frame[f"predicted_{target}_q{level:g}"]
            np.testing.assert_allclose(found, own[:, k, q], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(frame[f"predicted_{target}_low90"], low[:, k], rtol=1e-4,
                                   atol=1e-3)  # fmt: skip

    finished.predict(folder, "trials.csv", tmp_path / "more.csv", interval=0.8)
    more = pd.read_csv(tmp_path / "more.csv")
    assert {"predicted_dose_low80", "predicted_load_high80"} <= {*more.columns}
    with pytest.raises(DataError, match="level must be at most"):
        finished.predict(folder, "trials.csv", tmp_path / "more.csv", interval=0.99)


def test_mistakes_in_recipes_are_told_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for changed, message in (
        ({"train": {"calibration": 0.0}}, "evaluate.interval must be absent unless"),
        ({"train": {"loss": "mae"}}, "must be auto or pinball when"),
        ({"model": {"quantiles": [0.5, 0.1]}}, "rising"),
        ({"evaluate": {"interval": 90}}, "evaluate.interval must be a number between 0 and 1"),
    ):
        with pytest.raises(RecipeError, match=message):
            read_recipe(written(tmp_path, **changed))
    file = written(tmp_path, evaluate={"interval": 0.99})
    with pytest.raises(DataError, match=r"an interval of 0\.99 needs 99 series of calibration"):
        run(str(file), out=tmp_path / "runs", name="r")


def test_a_target_that_is_a_column_is_scored_as_one(tmp_path):
    """In an archive `y` may be (n, 1): the same figures as of (n,)."""
    rng = np.random.default_rng(0)
    X, found = rng.normal(size=(90, 8, 1)), []
    y = X.mean(axis=(1, 2)) + 0.1 * rng.normal(size=90)
    for name, told in (("flat", y), ("column", y[:, None])):
        path = tmp_path / f"{name}.npz"
        np.savez(path, X_train=X[:60], y_train=told[:60], X_test=X[60:], y_test=told[60:])
        recipe = {
            "task": "regression", "seed": 0, "data": {"path": str(path)},
            "model": {"units": 3, "quantiles": [0.1, 0.5, 0.9]},
            "train": {"epochs": 2, "calibration": 0.3},
        }  # fmt: skip
        run(recipe, out=tmp_path / "runs" / name, name=name)
        (folder,) = (tmp_path / "runs" / name).iterdir()
        found.append(json.loads((folder / "metrics.json").read_text())["parts"])
    assert found[0] == found[1]
