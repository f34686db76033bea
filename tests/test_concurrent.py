"""Networks that are trained at the same time come out as those trained one after the other."""

import itertools
import threading

import numpy as np
import pytest

from seqkit import SequenceClassifier, SequenceForecaster
from seqkit.estimators.members import rounds_of
from seqkit.training import concurrent, concurrent_fits
from seqkit.training.loop import Fitted

EPOCHS, NETWORKS = 6, 3


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 30, 2)).cumsum(1), rng.integers(0, 3, 40)


@pytest.fixture(params=[1, 2, 4])
def cores(request, monkeypatch):
    monkeypatch.setattr(concurrent, "n_free_cores", lambda: request.param)
    return request.param


def _model():
    return SequenceClassifier(ensemble=NETWORKS, epochs=EPOCHS, random_state=0)


def _one_by_one(monkeypatch, model, *data):
    with monkeypatch.context() as patch:
        patch.setattr(concurrent, "n_free_cores", lambda: 1)
        return model.fit(*data)


def test_the_same_weights_on_any_number_of_cores(data, cores, monkeypatch):
    alone = _one_by_one(monkeypatch, _model(), *data)
    together = _model().fit(*data)
    assert len(together.weights_) == len(alone.weights_)
    assert all(map(np.array_equal, together.weights_, alone.weights_))
    assert together.histories_ == alone.histories_


def test_the_same_forecasters(cores, monkeypatch):
    series = np.sin(np.arange(120) / 3) + np.random.default_rng(0).normal(size=120) / 9
    model = SequenceForecaster(
        horizon=4, context_length=12, ensemble=3, epochs=3, random_state=0, combine_with="none"
    )
    alone = _one_by_one(monkeypatch, model, series).forecast()
    np.testing.assert_array_equal(model.fit(series).forecast(), alone)


def test_epochs_are_told_in_the_order_of_the_networks(data, cores):
    told, threads = [], set()

    def on_epoch(epoch, logs, get_state):
        told.append((epoch, logs["loss"], get_state().epoch))
        threads.add(threading.current_thread())

    model = _model().fit(*data, on_epoch=on_epoch)
    assert [epoch for epoch, _, _ in told] == [*range(EPOCHS)] * NETWORKS
    losses = [loss for history in model.histories_ for loss in history["loss"]]
    assert [loss for _, loss, _ in told] == losses
    # the state is that of the same network: as it was then, or further on
    assert all(epoch < reached <= EPOCHS for epoch, _, reached in told)


@pytest.mark.parametrize("kept", range(1, EPOCHS * NETWORKS, 4))
def test_a_fit_goes_on_from_any_state_that_was_told(data, cores, kept):
    states = []
    model = _model().fit(*data, on_epoch=lambda epoch, logs, get: states.append(get()))
    again = _model().fit(*data, resume=states[kept])
    assert all(map(np.array_equal, again.weights_, model.weights_))


class _Error(Exception):
    pass


def _fit(number, epochs, fails_at=None):
    """Return a fit that runs no network, and how many epochs it ran."""
    ran = []

    def fit(on_epoch):
        for epoch in range(epochs):
            if epoch == fails_at:
                raise _Error(number)
            ran.append(epoch)
            if on_epoch is not None:
                on_epoch(epoch, {"loss": float(number)}, lambda: None)
        return Fitted([], {}, None, epochs, epochs - 1, "none")

    return fit, ran


def test_the_first_failure_is_raised_and_the_others_end(cores):
    endless = threading.Event()

    def waits(on_epoch):
        for epoch in range(10**9):
            endless.wait(0.001)
            on_epoch(epoch, {}, lambda: None)

    failing, ran = _fit(0, 5, fails_at=3)
    never, ran_never = _fit(2, 5)
    with pytest.raises(_Error):
        concurrent_fits([failing, waits, never], None)
    assert ran == [0, 1, 2]
    assert cores > 2 or not ran_never


def test_what_on_epoch_raises_ends_the_fits(data, cores):
    def stops(epoch, logs, get_state):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _model().fit(*data, on_epoch=stops)


def test_callbacks_see_one_network_after_the_other(data, cores):
    import keras

    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("begin")

        def on_train_end(self, logs=None):
            seen.append("end")

    _model().fit(*data, callbacks=[Watch()])
    assert seen == ["begin", "end"] * NETWORKS


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("first", [1, 2, 8])
def test_rounds_are_of_every_network_once(n, first):
    rounds = [list(range(n))[part] for part in rounds_of(n, first)]
    assert [*itertools.chain(*rounds)] == list(range(n))
    assert all(rounds)
