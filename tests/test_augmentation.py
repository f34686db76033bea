"""Series are varied in training, by law and by seed, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from seqkit import SequenceClassifier, SequenceRegressor, SequenceTagger
from seqkit.data.missing import fill_missing
from seqkit.recipe.reading import read_recipe
from seqkit.training import ArraySource, Augmentation
from seqkit.training.sources import batches_of

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(40, 30, 2)) * [1, 50]
Y = (X[:, :, 0].mean(1) > 3).astype(int)
ALL = {"jitter": 0.03, "scaling": 0.1, "crop": 0.9}
SMALL = {"units": 4, "epochs": 3, "random_state": 0, "patch": 1, "ensemble": 1}


def many(augment, row, n=4000):
    """The same series many times, as it is trained on."""
    x = np.broadcast_to(row, (n, *row.shape)).astype(np.float32)
    return augment(x, 5)


def test_jitter_is_normal_noise_in_units_of_the_spread():
    row = X[0]
    found = many(Augmentation(jitter=0.1, spread=np.array([2.0, 100.0])), row) - row
    np.testing.assert_allclose(found.mean((0, 1)) / [2, 100], 0, atol=2e-3)
    np.testing.assert_allclose(found.std((0, 1)), [0.2, 10.0], rtol=0.02)
    step, next_step = found[:, 3, 0], found[:, 4, 0]
    assert abs(np.corrcoef(step, next_step)[0, 1]) < 0.05  # every value by itself


def test_scaling_is_one_factor_for_a_feature_of_a_series_about_the_offset():
    offset = np.array([3.0, 150.0])
    found = many(Augmentation(scaling=0.1, offset=offset), X[0])
    far = np.abs(X[0] - offset).min(1) > 0.5
    factors = ((found - offset) / (X[0].astype(np.float32) - offset))[:, far]
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1], factors.shape), atol=1e-4)
    np.testing.assert_allclose(factors[:, 0].mean(0), 1, atol=5e-3)
    np.testing.assert_allclose(factors[:, 0].std(0), 0.1, rtol=0.05)
    assert abs(np.corrcoef(factors[:, 0].T)[0, 1]) < 0.05


def test_crop_reads_a_straight_line_within_its_window():
    """What is cut from a line is a line: its slope is the share, its ends are within the whole."""
    line = np.arange(21.0)[:, None]
    found = many(Augmentation(crop=0.6), line)[:, :, 0]
    slopes = np.diff(found, axis=1)
    np.testing.assert_allclose(slopes, slopes[:, :1].repeat(20, 1), atol=1e-5)
    shares = slopes[:, 0]
    assert 0.6 <= shares.min() < 0.61
    assert 0.99 < shares.max() <= 1 + 1e-6
    assert abs(shares.mean() - 0.8) < 0.01  # uniform
    assert found.min() >= 0
    assert found.max() <= 20
    free = 20 * (1 - shares)
    places = (found[:, 0] / free)[free > 0.5]
    assert abs(places.mean() - 0.5) < 0.02
    assert places.min() < 0.02
    assert places.max() > 0.98


@given(seed=st.integers(0, 1000), n=st.integers(1, 6), time=st.integers(1, 9))
def test_what_padding_holds_changes_nothing(seed, n, time):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, time + 1, n).astype(np.int32)
    x = rng.normal(size=(n, time, 2)).astype(np.float32)
    valid = np.arange(time) < lengths[:, None]
    other = np.where(valid[:, :, None], x, 1e6).astype(np.float32)
    augment = Augmentation(shift=2, jitter=0.1, scaling=0.2, crop=0.5)
    one, two = (augment({"x": a, "lengths": lengths}, seed)["x"] for a in (x, other))
    np.testing.assert_array_equal(one[valid], two[valid])


def test_marks_of_gaps_stay_marks():
    rows = RNG.normal(size=(300, 1))
    rows[RNG.random(300) < 0.3] = np.nan
    x = fill_missing(rows, np.arange(0, 301, 30), "indicator").reshape(10, 30, 2)
    found = Augmentation(shift=2, jitter=0.1, scaling=0.2, crop=0.5, n_marks=1)(x, 1)
    assert set(np.unique(found[:, :, 1])) == {0, 1}
    assert not np.array_equal(found[:, :, 1], x[:, :, 1])
    model = SequenceClassifier(**SMALL, missing="indicator", augment=ALL)
    gaps = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
    model.fit(gaps, Y)
    source = model._source(model._examples(gaps, Y, reset=False), model._augmentation(ALL, {}))
    inputs, _, _ = next(batches_of(source, 40, (0, 0)))
    assert set(np.unique(inputs[:, :, 2:])) == {0, 1}


def test_batches_are_anew_in_every_epoch_and_the_same_by_seed():
    source = ArraySource(X, Y, augment=Augmentation(**ALL))

    def epoch(key):
        return np.concatenate([x for x, _, _ in batches_of(source, 16, key)])

    np.testing.assert_array_equal(epoch((0, 1)), epoch((0, 1)))
    for other in ((0, 2), (1, 1)):
        assert not np.array_equal(np.sort(epoch((0, 1)), 0), np.sort(epoch(other), 0))
    np.testing.assert_array_equal(epoch(None), X.astype(np.float32))  # validation, prediction


def test_jitter_is_in_units_of_the_scaling_layer_and_goes_on_with_it():
    model = SequenceClassifier(**SMALL, augment={"jitter": 0.5}, shift=0, warm_start=True)
    model.fit(X, Y)
    seen = []
    for _ in range(2):
        augment = model._augmentation(model.augment, model._known_constants(model._build()))
        np.testing.assert_allclose(augment.spread, X.std((0, 1)), rtol=1e-4)
        seen.append(augment.spread)
        model.fit(100 * X, Y)  # goes on: the statistics stay
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize("augment", [{"jitter": 0.1}, {"scaling": 0.2}, {"crop": 0.7}, ALL])
def test_native_and_keras_train_on_the_same_numbers(augment):
    import keras

    given = {**SMALL, "dropout": 0.0, "epochs": 2, "augment": augment, "batch_size": 16}
    native = SequenceClassifier(**given, learning_rate=1e-3).fit(X, Y)

    class Sees(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.get_weights()

    traced = SequenceClassifier(**given, learning_rate=1e-3).fit(X, Y, callbacks=[Sees()])
    assert native.trainer_ == "native"
    assert traced.trainer_.startswith("keras")
    for one, two in zip(native.weights_, traced.weights_, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5, rtol=1e-3)
    plain = SequenceClassifier(**{**given, "augment": None}, learning_rate=1e-3).fit(X, Y)
    assert not np.allclose(native.weights_[-2], plain.weights_[-2], atol=1e-6)


def test_nothing_is_varied_where_all_is_0():
    for none in ({}, {"jitter": 0, "scaling": 0.0, "crop": 1}):
        one, two = (SequenceRegressor(**SMALL, augment=a).fit(X, Y) for a in (None, none))
        np.testing.assert_array_equal(one.predict(X), two.predict(X))


def test_an_interrupted_fit_varies_its_series_as_the_whole_one():
    states = []
    whole = SequenceClassifier(**SMALL, augment=ALL).fit(
        X, Y, on_epoch=lambda e, logs, state: states.append(state())
    )
    again = SequenceClassifier(**SMALL, augment=ALL).fit(X, Y, resume=states[1])
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))


def test_taggers_of_numbers_have_noise_and_factors_those_of_tokens_none():
    steps = (X[:, :, 0] > 3).astype(int)
    sizes = {"units": 4, "epochs": 2, "random_state": 0}
    plain, varied = (
        SequenceTagger(**sizes, augment=a).fit(X, steps) for a in (None, {"jitter": 0.3})
    )
    assert plain.history_["loss"] != varied.history_["loss"]
    with pytest.raises((TypeError, ValueError), match="'crop' is no option of augment"):
        SequenceTagger(**sizes, augment={"crop": 0.9}).fit(X, steps)
    with pytest.raises(ValueError, match="augment must be None where series are of tokens"):
        SequenceTagger(**sizes, target="next", augment={"jitter": 0.3}).fit(["abcab", "cabba"])


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ({"jiter": 0.1}, "'jiter' is no option of augment; did you mean 'jitter'"),
        ({"jitter": -1}, r"augment\['jitter'\] must be a number of 0 or more"),
        ({"crop": 0}, r"augment\['crop'\] must be a number above 0, 1 at most"),
        ({"crop": 1.5}, r"augment\['crop'\] must be a number above 0, 1 at most"),
        (0.1, "augment must be None or a map of jitter, scaling and crop"),
    ],
)
def test_errors(augment, message):
    with pytest.raises((TypeError, ValueError), match=message):
        SequenceClassifier(**SMALL, augment=augment).fit(X, Y)


def test_a_factor_that_normalising_undoes_is_refused():
    with pytest.raises(ValueError, match="augment must be without scaling where normalize is"):
        SequenceClassifier(**SMALL, normalize="series", augment={"scaling": 0.1}).fit(X, Y)
    SequenceClassifier(**SMALL, normalize="series", augment={"jitter": 0.1}).fit(X, Y)


def test_a_recipe_says_it_too(tmp_path):
    file = tmp_path / "recipe.yaml"
    recipe = {"version": 1, "task": "classification", "data": {"dataset": "gunpoint"},
              "train": {"augment": ALL}}  # fmt: skip
    with file.open("w") as stream:
        YAML().dump(recipe, stream)
    assert read_recipe(file).recipe.train.augment == ALL


def test_noise_in_training_makes_answers_firm_against_noise():
    """A class told by a fine shape: without noise in training its answers fall with noise."""
    rng = np.random.default_rng(3)
    y = np.arange(80) % 2
    x = 0.02 * rng.normal(size=(80, 24, 1)) + np.linspace(-1, 1, 24)[:, None]
    x[:, 10:14, 0] += np.where(y, 0.1, -0.1)[:, None]
    x_test = np.concatenate([x] * 5) + rng.normal(size=(400, 24, 1)) * 0.1
    given = {"units": 16, "epochs": 60, "patch": 1, "learning_rate": 0.01, "shift": 0}
    plain, noisy = (
        SequenceClassifier(**given, augment=augment, random_state=0)
        .fit(x, y)
        .score(x_test, np.tile(y, 5))
        for augment in (None, {"jitter": 0.15})
    )
    assert noisy > plain + 0.03
