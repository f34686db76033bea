"""What ``auto`` becomes: the rule of early stopping, and the sizes of a fit."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceRegressor
from seqkit.auto import (
    AUTO,
    FEWEST_WITH_COURSE,
    GRADIENT_STEPS,
    LARGEST_BATCH,
    MOST_EPOCHS,
    MOST_WORK,
    SHARED_COURSE,
    SMALLEST_BATCH,
    Sample,
    choose,
    shared_course,
)
from seqkit.auto_networks import (
    ENSEMBLE_WORK,
    RECURRENT_STEPS,
    UNITS,
    network_for,
    patch_for,
    widths_of,
    work_of,
)
from seqkit.convolutions import MOST_STEM_STEPS, STEM_STEPS, convolutions_of, steps_after
from seqkit.data.sequences import Sequences
from seqkit.data.splits import split
from seqkit.network.series import regressor as describe
from seqkit.recipe import read_recipe
from seqkit.runs.flows import flow_of
from seqkit.stopping import (
    FEWEST_HELD,
    FEWEST_OF_A_CLASS,
    FEWEST_SPARED,
    SMOOTHED,
    STEPS_AFTER,
    STEPS_OF_PATIENCE,
    early_stopping,
    patience_in_epochs,
    smoothing_window,
)

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=12)
SHARES = st.floats(0.01, 0.9)
ALL = dict.fromkeys(
    ("patch", "overlap", "pyramid", "units", "bidirectional", "pooling", "deviations", "shift",
     "moves", "batch_size", "epochs", "learning_rate", "ensemble", "validation", "patience",
     "loss_goal", "stem"), AUTO
)  # fmt: skip


@given(sizes=SIZES, validation=SHARES, patience=st.integers(0, 100))
def test_what_the_user_sets_is_obeyed(sizes, validation, patience):
    assert early_stopping(validation, patience, sizes) == (validation, patience)
    assert early_stopping(validation, AUTO, sizes)[0] == validation
    assert early_stopping(AUTO, patience, sizes)[1] == patience
    settings = {
        "patch": 3,
        "overlap": 0,
        "pyramid": 2,
        "deviations": True,
        "shift": 1,
        "batch_size": 5,
        "epochs": 7,
    }
    settings |= {"units": 4, "bidirectional": False, "pooling": "max", "moves": ()}
    settings |= {"learning_rate": 0.1, "ensemble": 2}
    settings |= {"validation": validation, "patience": 2, "steps_per_epoch": None}
    assert choose(settings, Sample([10], sizes), None) == {}


@given(sizes=SIZES)
def test_a_hold_out_that_says_too_little_is_not_made(sizes):
    validation, patience = early_stopping(AUTO, AUTO, sizes)
    held = [math.floor(validation * size) for size in sizes]
    assert (validation > 0) == (patience > 0)
    if patience:
        assert sum(held) >= FEWEST_SPARED
        assert min(held) >= FEWEST_OF_A_CLASS


@given(sizes=SIZES, held=SIZES)
def test_a_part_that_is_given_decides_by_itself(sizes, held):
    _, patience = early_stopping(AUTO, AUTO, sizes, held)
    assert (patience > 0) == (sum(held) >= FEWEST_HELD and min(held) >= FEWEST_OF_A_CLASS)


@given(sizes=st.lists(st.integers(14, 900), min_size=2, max_size=8), seed=st.integers(0, 50))
def test_what_is_held_out_holds_every_class_twice(sizes, seed):
    validation, patience = early_stopping(AUTO, AUTO, sizes)
    if not patience:
        return
    n, y = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)
    series = Sequences(np.ones((n, 1)), np.arange(n + 1), ("a",), y=y)
    held = split(series, "stratified", validation, 0.0, seed).validation
    assert np.unique(y[held], return_counts=True)[1].min() >= FEWEST_OF_A_CLASS
    assert len(np.unique(y[held])) == len(sizes)


@given(patience=st.integers(0, 1000), steps=st.integers(1, 5000))
def test_patience_is_epochs_and_gradient_steps(patience, steps):
    epochs = patience_in_epochs(patience, steps)
    assert epochs >= patience
    assert epochs * steps >= STEPS_OF_PATIENCE * patience
    assert epochs in (0, patience) or (epochs - 1) * steps < STEPS_OF_PATIENCE * patience


@given(patience=st.integers(0, 1000), steps=st.integers(1, 5000))
def test_what_is_looked_at_together_is_within_half_the_patience(patience, steps):
    window = smoothing_window(patience_in_epochs(patience, steps), steps)
    assert 1 <= window <= max(math.ceil(patience_in_epochs(patience, steps) / 2), 1)
    assert window <= patience_in_epochs(SMOOTHED, steps)
    assert smoothing_window(1000 * patience_in_epochs(1, steps), steps) * steps >= 5 * 50


@given(sizes=SIZES, lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=50))
def test_sizes_are_bounded(sizes, lengths):
    found = choose(ALL | {"steps_per_epoch": None}, Sample(lengths, sizes))
    n = sum(sizes) - round(found["validation"] * sum(sizes))
    steps = math.ceil(n / found["batch_size"])
    assert set(found) == set(ALL)
    assert SMALLEST_BATCH <= found["batch_size"] <= LARGEST_BATCH
    median, first = np.median(lengths), {}
    for number in range(found["ensemble"]):
        network = network_for(median, found, number)
        first = first or network
        folded, steps_read = network["patch"] * network["pyramid"], median
        if network["stem"] is not None:
            steps_read = steps_after(median, convolutions_of("", "stem", network["stem"]))
            assert min(STEM_STEPS, median) <= steps_read
            assert math.ceil(steps_read / folded) <= MOST_STEM_STEPS
        else:
            assert math.ceil(median / folded) <= RECURRENT_STEPS * 4 / 3  # 5 steps are 2 times 2
            assert folded <= 1.5 * patch_for(median)
    assert found["shift"] <= max(patch_for(median), first["patch"] * first["pyramid"]) / 2
    work = n * found["epochs"] * max(lengths) / median
    together = sum(
        work * work_of(median, network_for(median, found, number))
        for number in range(found["ensemble"])
    )
    if found["loss_goal"] is not None or found["patience"]:  # they may end that soon
        together *= min(STEPS_AFTER / (steps * found["epochs"]), 1)
    assert found["ensemble"] == 1 or together <= ENSEMBLE_WORK
    enough = GRADIENT_STEPS <= steps * found["epochs"] < GRADIENT_STEPS + steps
    an_epoch = n * work_of(max(lengths), first)
    most = MOST_WORK if first["stem"] is None else ENSEMBLE_WORK / 2
    assert found["epochs"] == 1 or found["epochs"] * an_epoch <= most
    long = (found["epochs"] + 1) * an_epoch > most
    assert enough or found["epochs"] == MOST_EPOCHS or long


def test_one_step_is_read_in_one_direction_and_is_its_own_mean():
    short = choose(ALL | {"steps_per_epoch": None}, Sample([1] * 30, [30]))
    assert (short["bidirectional"], short["pooling"]) == (False, "last")
    model = SequenceRegressor(epochs=1, random_state=0).fit(np.ones((9, 1, 2)), np.arange(9.0))
    assert (model.auto_["units"][-1], 1) in [weight.shape for weight in model.weights_]


@pytest.mark.parametrize("steps", [5, 40, 100, 400])
@pytest.mark.parametrize(
    "given",
    [{}, {"stem": None}, {"patch": 4}, {"pyramid": 1}, {"units": 5}, {"residual": True}],
)
def test_auto_of_a_builder_is_that_of_an_estimator(steps, given):
    X = np.random.default_rng(0).normal(size=(20, steps, 1))
    model = SequenceRegressor(epochs=1, random_state=0, **given).fit(X, X[:, 0, 0])
    built = describe(steps, 1, deviations=model.auto_["deviations"], **given)
    assert [w.shape for w in built.weights] == [w.shape for w in model.weights_]


@given(
    length=st.integers(1, 10_000),
    given=st.fixed_dictionaries(
        {},
        optional={
            "patch": st.integers(1, 50),
            "units": st.one_of(st.integers(1, 99), st.lists(st.integers(1, 99), min_size=1)),
            "residual": st.booleans(),
        },
    ),
)
def test_a_pyramid_is_for_an_automatic_patch_and_a_plain_stack(length, given):
    given = {"stem": None, **given}
    found = network_for(length, given)
    several = len(widths_of(given.get("units", UNITS))) > 1
    if "patch" in given or given.get("residual") or not several:
        assert found["pyramid"] == 1
        assert found["units"] == given.get("units", [64, 64] if given.get("residual") else [32, 64])
    elif patch_for(length) > 1:
        assert found["pyramid"] > 1
    assert found["overlap"] in (0, found["patch"])
    assert found["overlap"] == 0 or "patch" not in given
    assert {**found, **{k: v for k, v in given.items() if k in found}} == found


@given(length=st.integers(1, 100_000))
def test_a_patch_is_no_longer_than_it_must_be(length):
    patch = patch_for(length)
    assert patch == 1 or math.ceil(length / (patch - 1)) > RECURRENT_STEPS


@given(
    seed=st.integers(0, 100),
    shape=st.tuples(st.integers(2, 30), st.integers(2, 20), st.integers(1, 3)),
    offset=st.floats(-1e3, 1e3),
    scale=st.floats(1e-3, 1e3),
    strength=st.floats(0, 10),
)
def test_the_course_that_series_share_is_a_share_of_their_variance(
    seed, shape, offset, scale, strength
):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape)
    series = strength * rng.normal(size=(1, *shape[1:])) + noise
    share = shared_course(series)
    assert 0 <= share <= 1 + 1e-9
    assert shared_course(offset + scale * series) == pytest.approx(share, abs=1e-6)
    assert shared_course(np.repeat(series[:1], 3, axis=0)) == pytest.approx(1.0)
    with_gap = series.copy()
    with_gap[0, 0] = np.nan
    assert np.isfinite(shared_course(with_gap))


@pytest.mark.parametrize(
    ("n", "spread", "expected"), [(40, 0.1, True), (10, 0.1, False), (40, 2.0, False)]
)
def test_deviations_are_for_many_series_that_share_a_course(n, spread, expected):
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(30.0))[None, :, None] + spread * rng.normal(size=(n, 30, 1))
    course = shared_course(series)
    assert (course >= SHARED_COURSE and n >= FEWEST_WITH_COURSE) == expected
    sample = Sample([30] * n, [n // 2, n - n // 2], course)
    assert choose(ALL | {"steps_per_epoch": None}, sample)["deviations"] is expected


# estimators -----------------------------------------------------------------------------------


def two_classes(n: int, steps: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, steps, 1))
    X[y == 1, steps // 2 :] += 1.0
    return X, y


SMALL = {"units": 4, "random_state": 0, "epochs": 3}


def test_few_series_are_all_trained_on():
    X, y = two_classes(20)
    model = SequenceClassifier(**SMALL).fit(X, y)
    assert (model.auto_["validation"], model.auto_["patience"]) == (0.0, 0)
    assert "val_loss" not in model.history_
    assert model.best_epoch_ == model.n_iter_ - 1
    assert "epochs" not in model.auto_
    assert model.get_params()["validation"] == AUTO


def test_many_series_spare_some_to_stop_by():
    X, y = two_classes(1700, 4)
    for estimator in (SequenceClassifier(**SMALL), SequenceRegressor(**SMALL)):
        model = estimator.fit(X, y)
        assert (model.auto_["validation"], model.auto_["patience"]) == (0.15, 10)
        assert "val_loss" in model.history_


def test_patience_that_is_asked_for_holds_series_back():
    X, y = two_classes(20)
    model = SequenceClassifier(**SMALL, patience=1).fit(X, y)
    assert model.auto_["validation"] == 0.15
    assert "val_loss" in model.history_


def test_a_small_validation_part_is_looked_at_and_nothing_more():
    X, y = two_classes(20)
    model = SequenceClassifier(**SMALL).fit(X, y, validation_data=(X[:6], y[:6]))
    assert "val_loss" in model.history_
    assert (model.auto_["patience"], model.best_epoch_) == (0, 2)


def test_an_epoch_of_one_step_is_a_fiftieth_of_an_epoch_of_patience():
    X, y = two_classes(12)
    noise = np.random.default_rng(1).permutation(y)  # nothing there to be learned
    settings = {"units": 4, "random_state": 0, "batch_size": 64, "learning_rate": 0.05}
    model = SequenceClassifier(**settings, epochs=120, patience=1, validation=0.5).fit(X, noise)
    assert model.n_iter_ == min(120, model.best_epoch_ + 1 + STEPS_OF_PATIENCE)
    assert model.n_iter_ > STEPS_OF_PATIENCE


def test_a_series_shorter_than_an_automatic_patch_is_answered():
    X, y = two_classes(20, 100)
    for stem, patch in ((None, 4), ("auto", 1)):
        model = SequenceClassifier(**SMALL, stem=stem).fit(X, y)
        assert model.auto_["patch"] == patch
        assert np.isfinite(model.predict_proba([X[0], X[1, :2]])).all()
    with pytest.raises(ValueError, match="at least patch=4 time steps"):
        SequenceClassifier(**SMALL, patch=4).fit([*X, X[1, :2]], [*y, 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TwoLeadECG", "SonyAIBORobotSurface1"])
def test_defaults_beat_the_majority_class_on_twenty_series(name, data_folder):
    from seqkit.data.readers import read_sequences

    train, test = (
        read_sequences(data_folder / f"classification/UCR/{name}_{part}.tsv.gz")
        for part in ("TRAIN", "TEST")
    )
    model = SequenceClassifier(random_state=0).fit(train.X, train.y)
    majority = np.unique(test.y, return_counts=True)[1].max() / len(test.y)
    assert model.score(test.X, test.y) > majority + 0.1


# recipes --------------------------------------------------------------------------------------


def series_that_are(kind):
    rng = np.random.default_rng(0)
    time = np.arange(40)
    waves = np.sin(time / 7 + rng.uniform(0, 6, (120, 1))) * rng.uniform(0.5, 2, (120, 1))
    return {
        "smooth": waves,
        "rough": rng.normal(size=(120, 40)),
        "symbols": rng.integers(0, 4, (120, 40)).astype(float),
        "course": np.sin(time / 7) + 0.01 * waves,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("smooth", {"differences": True, "mixup": 0.2, "deviations": False}),
        ("rough", {"differences": False, "mixup": 0.2, "deviations": False}),
        ("symbols", {"differences": False, "mixup": 0.0, "deviations": False}),
        ("course", {"differences": True, "mixup": 0.2, "deviations": True}),
    ],
)
def test_a_recipe_and_an_estimator_choose_the_same(kind, expected, tmp_path):
    values = series_that_are(kind)
    frame = pd.DataFrame(values).assign(label=[f"c{i % 2}" for i in range(len(values))])
    frame.to_csv(tmp_path / "series.csv", index=False)
    (tmp_path / "recipe.yaml").write_text(
        "task: classification\ntrain: {epochs: 1}\ndata:\n"
        "  {path: series.csv, target: label, split: {test: 0, validation: auto}}\n"
    )
    chosen = flow_of(read_recipe(tmp_path / "recipe.yaml")).load().auto
    model = SequenceClassifier(epochs=1, random_state=0)
    model.fit(values, frame["label"])
    assert {**model.auto_, **chosen} == model.auto_
    assert {name: chosen[name] for name in expected} == expected
