"""Several networks of whole series: what an ensemble answers is the mean of what each would."""

import numpy as np
import pytest

import seqkit
from seqkit import SequenceClassifier, SequenceRegressor
from seqkit.auto_networks import BY_NETWORK, settings_of_network
from seqkit.estimators.members import member_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 9, 2)).astype(np.float32)
LABELS = np.where(X[:, -3:, 0].mean(1) > 0, "up", "down")
NUMBERS = 1e3 + 50 * X[:, :, 0].mean(1)
MANY = (X.mean(1) > 0).astype(int)
SMALL = {"units": 5, "epochs": 3, "batch_size": 8, "learning_rate": 0.02}
UNEQUAL = [x[:n] for x, n in zip(X, RNG.integers(4, 10, len(X)), strict=True)]


def alone(whole, series, y):
    """Fit each network of an ensemble by itself."""
    found = []
    for number in range(len(whole.histories_)):
        auto = settings_of_network(whole.auto_, number)
        own = {name: auto[name] for name in (*BY_NETWORK, "shift", "moves") if name in auto}
        seed = member_seed(7, number)
        found.append(type(whole)(**SMALL, **own, ensemble=1, random_state=seed).fit(series, y))
    return found


# the third has no stem: by itself it would read unequal series in batches of like lengths
@pytest.mark.parametrize(("series", "n"), [(X, 3), (UNEQUAL, 2)], ids=["equal", "unequal"])
def test_probabilities_are_the_mean_of_those_of_each_network(series, n):
    whole = SequenceClassifier(**SMALL, ensemble=n, random_state=7).fit(series, LABELS)
    each = [m.predict_proba(series) for m in alone(whole, series, LABELS)]
    np.testing.assert_allclose(whole.predict_proba(series), np.mean(each, 0), atol=1e-7)
    np.testing.assert_allclose(
        np.exp(whole.predict_log_proba(series)), whole.predict_proba(series), atol=1e-6
    )
    assert len(whole.histories_) == n
    assert whole.histories_[0] == whole.history_ != whole.histories_[1]


def test_one_network_is_what_it_was():
    once, plain = (
        SequenceClassifier(**SMALL, random_state=7, **n).fit(X, LABELS)
        for n in ({"ensemble": 1}, {})
    )
    np.testing.assert_array_equal(once.predict_proba(X), plain.predict_proba(X))


def test_numbers_are_the_mean_of_those_of_each_network():
    whole = SequenceRegressor(**SMALL, ensemble=2, random_state=7).fit(X, NUMBERS)
    each = [m.predict(X) for m in alone(whole, X, NUMBERS)]
    np.testing.assert_allclose(whole.predict(X), np.mean(each, 0), rtol=1e-9)


def test_several_labels_and_their_logits_agree():
    whole = SequenceClassifier(**SMALL, ensemble=3, random_state=7).fit(X, MANY)
    probabilities = whole.predict_proba(X)
    np.testing.assert_allclose(
        1 / (1 + np.exp(-whole.decision_function(X))), probabilities, atol=1e-6
    )
    np.testing.assert_allclose(np.exp(whole.predict_log_proba(X)), probabilities, atol=1e-6)


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_saved_loaded_and_as_one_keras_model(kind, tmp_path):
    y = LABELS if kind is SequenceClassifier else NUMBERS
    whole = kind(**SMALL, ensemble=2, random_state=7).fit(X, y)
    whole.save(tmp_path / "model")
    again = seqkit.load(tmp_path / "model")
    ask = (lambda m: m.predict_proba(X)) if kind is SequenceClassifier else (lambda m: m.predict(X))
    np.testing.assert_array_equal(ask(again), ask(whole))
    made = whole.model_.predict(X, verbose=0)
    np.testing.assert_allclose(made.reshape(ask(whole).shape), ask(whole), rtol=1e-5, atol=1e-6)
    assert [w.shape for w in whole.weights_] == [w.shape for w in again.weights_]


def test_the_keras_model_of_unequal_series_takes_their_lengths():
    whole = SequenceClassifier(**SMALL, ensemble=2, random_state=7).fit(UNEQUAL, LABELS)
    lengths = np.array([len(x) for x in UNEQUAL], np.int32)
    padded = np.full((len(X), 9, 2), 7.0, np.float32)
    for row, series in zip(padded, UNEQUAL, strict=True):
        row[: len(series)] = series
    made = whole.model_.predict({"x": padded, "lengths": lengths}, verbose=0)
    np.testing.assert_allclose(made, whole.predict_proba(UNEQUAL), atol=1e-6)


def test_weights_trained_by_hand_are_taken_over():
    whole = SequenceClassifier(**SMALL, ensemble=2, random_state=7).fit(X, LABELS)
    model = whole.model_
    model.set_weights([1.01 * w for w in model.get_weights()])
    whole.set_weights(model)
    np.testing.assert_allclose(
        whole.predict_proba(X), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6
    )


def test_an_interrupted_fit_goes_on_in_the_network_that_it_was_in():
    states = []

    def keep(epoch, logs, state):
        states.append(state())

    settings = {**SMALL, "ensemble": 2, "random_state": 7, "validation": 0}
    whole = SequenceClassifier(**settings).fit(X, LABELS, on_epoch=keep)
    again = SequenceClassifier(**settings).fit(X, LABELS, resume=states[4])  # of the second network
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))


def test_a_fit_that_goes_on_begins_with_the_weights_of_each():
    plain = {**SMALL, "stem": None}  # without averages, which go on at any learning rate
    model = SequenceClassifier(**plain, ensemble=2, random_state=7, warm_start=True)
    before = model.fit(X, LABELS).predict_proba(X)
    model.set_params(learning_rate=1e-12).fit(X, LABELS)
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-6)


def test_of_other_size_than_its_settings_say_is_refused(tmp_path):
    whole = SequenceClassifier(**SMALL, ensemble=2, random_state=7).fit(X, LABELS)
    whole._sizes_ = [len(whole.weights_)]
    whole.save(tmp_path / "model")
    with pytest.raises(seqkit.errors.RunError, match="_sizes_"):
        seqkit.load(tmp_path / "model")
