"""What a network of whole series is given: deviations from a course, series that are moved."""

import numpy as np
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

import seqkit
from seqkit import SequenceClassifier, SequenceRegressor, build_classifier
from seqkit.training import Augmentation
from seqkit.training.sources import ArraySource, batches_of

RNG = np.random.default_rng(0)
N, TIME = 40, 24
COURSE = 10 * np.sin(np.linspace(0, 6, TIME))[:, None] + [[0.0, 5.0]]
Y = np.arange(N) % 2
X = COURSE + 0.05 * RNG.normal(size=(N, TIME, 2))
X[Y == 1, 8:12, 0] += 0.15
SMALL = {"units": 6, "epochs": 4, "batch_size": 10, "random_state": 0, "validation": 0}


# deviations ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    return SequenceClassifier(**SMALL, patch=3).fit(X, Y)


def test_the_network_sees_each_step_by_its_own_mean_and_spread(fitted):
    assert fitted.auto_["deviations"] is True
    by_path = dict(
        zip((w.path for w in fitted._build().network.weights), fitted.weights_, strict=True)
    )
    np.testing.assert_allclose(by_path["deviations/offset"], X.mean(0), rtol=1e-5)
    np.testing.assert_allclose(by_path["deviations/scale"], X.std(0), rtol=1e-5)


def test_small_differences_about_a_large_course_are_learned():
    without, by_rule = (
        SequenceClassifier(
            units=8, epochs=60, learning_rate=0.01, validation=0, shift=0, random_state=0, **given
        ).fit(X[:20], Y[:20]).score(X[20:], Y[20:])
        for given in ({"deviations": False}, {})
    )  # fmt: skip
    assert by_rule > max(0.85, without)


@given(
    offset=st.lists(st.floats(-1, 1), min_size=TIME, max_size=TIME),
    scale=st.lists(st.floats(0.5, 2), min_size=TIME, max_size=TIME),
)
@settings(max_examples=5, deadline=None)
def test_a_change_of_units_of_single_steps_changes_nothing(offset, scale):
    moved = np.array(offset)[:, None] + np.array(scale)[:, None] * X
    given = {**SMALL, "epochs": 1, "scale": "none", "deviations": True, "learning_rate": 1e-3}
    first, second = (
        dict(zip((w.path for w in m._build().network.weights), m.weights_, strict=True))
        for m in (SequenceClassifier(**given).fit(x, Y) for x in (X, moved))
    )
    for x, weights in ((X, first), (moved, second)):
        deviations = (x - weights["deviations/offset"]) / weights["deviations/scale"]
        np.testing.assert_allclose(deviations, (X - X.mean(0)) / X.std(0), atol=2e-2)


def test_native_and_keras_agree_and_it_is_saved(fitted, tmp_path):
    made = fitted.model_.predict(X.astype(np.float32), verbose=0)
    np.testing.assert_allclose(made, fitted.predict_proba(X), atol=1e-5)
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(
        seqkit.load(tmp_path / "model").predict_proba(X), fitted.predict_proba(X)
    )
    fitted.model_.save(tmp_path / "model.keras")
    import keras

    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(X.astype(np.float32), verbose=0), made, atol=1e-6)


def test_shorter_series_are_of_the_beginning_of_the_course(fitted):
    short = [x[:n] for x, n in zip(X, RNG.integers(4, TIME + 1, N), strict=True)]
    probabilities = fitted.predict_proba(short)
    for x, row in some(zip(short, probabilities, strict=True)):
        np.testing.assert_allclose(fitted.predict_proba(x[None])[0], row, atol=1e-6)
    lengths = np.array([len(x) for x in short], np.int32)
    padded = np.full(X.shape, 7.0, np.float32)
    for row, x in zip(padded, short, strict=True):
        row[: len(x)] = x
    model = fitted._build(variable_length=True).keras_model(fitted.weights_)
    made = model.predict({"x": padded, "lengths": lengths}, verbose=0)
    np.testing.assert_allclose(made, probabilities, atol=1e-5)


def test_longer_series_have_no_course(fitted):
    longer = np.concatenate([X, X[:, :1]], axis=1)
    with pytest.raises(
        ValueError, match=r"X must be of at most 24 time steps.*got 25.*deviations=False"
    ):
        fitted.predict(longer)


def test_unequal_series_have_no_course_in_common():
    unequal = [x[:n] for x, n in zip(X, RNG.integers(4, TIME + 1, N), strict=True)]
    with pytest.raises(
        ValueError, match="deviations must be False or auto where series are of diff"
    ):
        SequenceClassifier(**SMALL, deviations=True).fit(unequal, Y)
    assert SequenceClassifier(**SMALL).fit(unequal, Y).auto_["deviations"] is False


def test_a_step_at_which_all_are_alike_tells_nothing():
    same = X.copy()
    same[:, 5] = 3.0
    model = SequenceRegressor(**SMALL, deviations=True).fit(same, X[:, 9, 0])
    assert np.isfinite(model.predict(same)).all()
    rates = [w for w in model.weights_ if w.shape == (TIME, 2)][1]
    np.testing.assert_allclose(rates[5], 1e-3 * same.std((0, 1)), rtol=1e-5)


def test_a_builder_asks_for_the_number_of_steps():
    model = build_classifier(TIME, 2, 2, units=4, deviations=True)
    assert model.get_layer("deviations").get_weights()[0].shape == (TIME, 2)
    assert "deviations" not in [
        layer.name for layer in build_classifier(TIME, 2, 2, units=4).layers
    ]
    with pytest.raises(
        ValueError, match="max_timesteps must be given where n_timesteps is open and"
    ):
        build_classifier(None, 2, 2, units=4, deviations=True)


# moved series -------------------------------------------------------------------------------------


@given(
    most=st.integers(1, 30), time=st.integers(1, 12), n=st.integers(1, 5), seed=st.integers(0, 99)
)
@settings(deadline=None)
def test_a_moved_series_is_itself_a_little_earlier_or_later(most, time, n, seed):
    x = np.random.default_rng(seed).normal(size=(n, time, 2))
    lengths = np.random.default_rng(seed).integers(1, time + 1, n)
    for given_lengths in (None, lengths):
        inputs = x if given_lengths is None else {"x": x, "lengths": given_lengths}
        moved = Augmentation(shift=most)(inputs, seed)
        rows = moved if given_lengths is None else moved["x"]
        for row, before, length in zip(
            rows, x, np.full(n, time) if given_lengths is None else lengths, strict=True
        ):
            candidates = [
                before[np.clip(np.arange(time) + k, 0, length - 1)] for k in range(-most, most + 1)
            ]
            assert any(np.array_equal(row[:length], c[:length]) for c in candidates)


def test_moves_are_anew_in_every_epoch_and_the_same_again():
    source = ArraySource(X, Y, augment=Augmentation(shift=3))

    def epoch(key):
        return np.concatenate([x for (x, _, _) in batches_of(source, 16, key)])

    np.testing.assert_array_equal(epoch((0, 1)), epoch((0, 1)))
    assert not np.array_equal(np.sort(epoch((0, 1)), 0), np.sort(epoch((0, 2)), 0))
    np.testing.assert_array_equal(epoch(None), X.astype(np.float32))


def test_an_interrupted_fit_moves_its_series_as_the_whole_one():
    states = []
    given = {**SMALL, "shift": 2}
    whole = SequenceClassifier(**given).fit(
        X, Y, on_epoch=lambda e, logs, state: states.append(state())
    )
    again = SequenceClassifier(**given).fit(X, Y, resume=states[1])
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))
    still = SequenceClassifier(**{**given, "shift": 0}).fit(X, Y)
    assert not np.array_equal(still.predict_proba(X), whole.predict_proba(X))


def test_what_moved_in_training_is_found_wherever_it_is():
    """A bump whose time is another in the test part: what a network without moves has not seen."""
    rng = np.random.default_rng(1)

    def part(n, low, high):
        y = np.arange(n) % 2
        x = 0.3 * rng.normal(size=(n, 64, 1))
        for row, label in zip(x, y, strict=True):
            start = rng.integers(low, high)
            row[start : start + 6, 0] += 2 if label else np.repeat([2, -2], 3)
        return x, y

    (x, y), (x_test, y_test) = part(60, 24, 28), part(200, 18, 34)
    given = {"units": 16, "epochs": 60, "patch": 8, "learning_rate": 0.01, "validation": 0}
    still, moved = (
        SequenceClassifier(**given, shift=shift, random_state=0).fit(x, y).score(x_test, y_test)
        for shift in (0, 8)
    )
    assert moved > max(still + 0.05, 0.9)
