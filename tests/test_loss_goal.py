"""A fit that has learned its classes goes on for half as long, its schedule run to the end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqkit import SequenceClassifier, read_recipe, run, training
from seqkit.network.architecture import Architecture
from seqkit.stopping import LOSS_GOAL, epochs_after, has_learned
from seqkit.training import ArraySource

RNG = np.random.default_rng(0)
Y = np.arange(24) % 2
X = (RNG.normal(0, 0.3, (24, 10, 1)) + Y[:, None, None]).astype(np.float32)
SIZES = {"n_timesteps": 10, "n_features": 1, "n_classes": 2, "units": 4, "patch": 1}
FIT = {"seed": 0, "loss": "sparse_categorical_crossentropy", "epochs": 600, "batch_size": 24,
       "learning_rate": 0.05, "schedule": "cosine", "patience": 0, "loss_goal": 0.2}  # fmt: skip
MADE = Architecture("classifier", SIZES)


def fit(build=MADE, **changed):
    return training.fit(build, ArraySource(X, Y), key=MADE.key, **{**FIT, **changed})


@given(learned=st.integers(1, 500), more=st.integers(0, 2000), steps=st.integers(1, 200))
def test_half_as_many_epochs_follow_within_those_allowed(learned, more, steps):
    epochs = learned + more
    whole = epochs_after(learned, epochs, steps)
    assert learned <= whole <= epochs
    assert whole == epochs or (whole >= 1.5 * learned and whole * steps >= 1000)
    assert whole <= max(1.5 * learned + 1, 1000 / steps + 1)


@given(losses=st.lists(st.floats(0, 2), max_size=120), steps=st.integers(1, 60))
def test_one_low_loss_says_nothing_where_epochs_are_short(losses, steps):
    window = math.ceil(50 / steps)
    low = sum(loss < 1 for loss in losses[-window:])
    if has_learned(losses, 1.0, steps):
        assert len(losses) >= window
        assert 2 * low >= window
    assert not has_learned(losses, None, steps)


def test_the_schedule_is_run_to_its_end():
    whole = fit(epochs=2000)
    rates = np.array(whole.history["learning_rate"])
    losses = whole.history["loss"]
    learned = next(n for n in range(1, 2000) if has_learned(losses[:n], 0.2, steps=1))
    total = epochs_after(learned, 2000, steps=1)
    assert whole.epochs_run == len(rates) == total == max(math.ceil(1.5 * learned), 1000)
    step = np.arange(total)
    along = [0.025 * (1 + np.cos(np.pi * step / n)) for n in (2000, total)]
    expected = np.where(step < learned, *along)
    np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-9)


def test_without_a_goal_nothing_is_shortened():
    assert fit(epochs=60, loss_goal=None).epochs_run == 60


@pytest.mark.parametrize("stop", [20, 900])
def test_an_interrupted_fit_ends_as_the_one_that_was_not(stop):
    changed = {"epochs": 1500, "learning_rate": 0.01}
    states = []

    def keep(epoch, logs, get_state):
        if epoch == stop:
            states.append(get_state())

    once = fit(**changed, on_epoch=keep)
    again = fit(**changed, resume=states[0])
    assert again.epochs_run == once.epochs_run < 1500
    for a, b in zip(once.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_keras_ends_where_numpy_does():
    changed = {"epochs": 1100, "batch_size": 4, "loss_goal": 0.3}
    native, keras = fit(**changed), fit(lambda: MADE(), **changed)
    assert keras.trainer.startswith("keras")
    assert native.epochs_run == keras.epochs_run < 1100
    np.testing.assert_allclose(
        native.history["learning_rate"], keras.history["learning_rate"], rtol=1e-5
    )


def test_it_is_for_fits_that_nobody_has_measured_out():
    sizes = {"units": 3, "random_state": 0}
    free = SequenceClassifier(**sizes, ensemble=1).fit(X, Y)
    assert free.auto_["loss_goal"] == LOSS_GOAL
    assert free.n_iter_ < free.auto_["epochs"]
    for other in ({"epochs": 3}, {"patience": 1, "validation": 0.3}, {"warm_start": True}):
        model = SequenceClassifier(**sizes, steps_per_epoch=1, **other)
        assert model.fit(X, Y).auto_["loss_goal"] is None, other
    with pytest.raises(ValueError, match="loss_goal must be None or auto with warm_start"):
        SequenceClassifier(loss_goal=0.1, warm_start=True).fit(X, Y)
    for bad in (0, -1.0, "low"):
        with pytest.raises((TypeError, ValueError), match="loss_goal must be a number above 0"):
            SequenceClassifier(loss_goal=bad).fit(X, Y)
    passes = SequenceClassifier(**sizes, loss_goal=10.0)
    for n in range(1, 4):
        assert passes.partial_fit(X, Y).n_iter_ == n


def test_a_resolved_recipe_ends_likewise(tmp_path):
    path = tmp_path / "set.csv"
    np.savetxt(path, np.c_[X[:, :, 0], Y], delimiter=",", comments="",
               header=",".join([*(f"t{i}" for i in range(10)), "label"]))  # fmt: skip
    recipe = {
        "task": "classification",
        "data": {"path": str(path), "target": "label"},
        "model": {"units": 4},
        "train": {"epochs": 900, "loss_goal": 0.2, "ensemble": 2},
    }
    first = run(recipe, out=tmp_path / "runs", name="first")
    assert first.estimator.n_iter_ < 900
    log = next((tmp_path / "runs").glob("*first*/log.txt")).read_text()
    assert "fewer than allowed: the loss came below 0.2" in log
    file = next((tmp_path / "runs").glob("*first*/recipe.resolved.yaml"))
    assert read_recipe(file).recipe.train.loss_goal == 0.2
    again = run(str(file), out=tmp_path / "runs", name="again")
    for a, b in zip(first.estimator.weights_, again.estimator.weights_, strict=True):
        np.testing.assert_array_equal(a, b)
