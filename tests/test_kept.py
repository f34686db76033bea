"""What is kept beside a fit for its predictions: it changes no answer, and goes nowhere else."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

import seqkit
from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, SequenceTagger
from seqkit.network.cpu.shards import side_by_side
from seqkit.network.native import NativeNetwork

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 20, 2))
Y = (X[:, :, 0].mean(1) > 0).astype(int)
WAVE = 20 + np.sin(np.arange(120) / 3) + RNG.normal(size=120) / 5
SMALL = {"units": 6, "epochs": 2, "random_state": 0}
FORECAST = {**SMALL, "context_length": 24, "horizon": 6}


def fits():
    return [
        (SequenceClassifier(**SMALL, ensemble=2, patch=1, moves=[]).fit(X, Y),
         lambda m: m.predict_proba(X[:1])),
        (SequenceRegressor(**SMALL).fit(X, X[:, 0, 0]), lambda m: m.predict(X[:1])),
        (SequenceTagger(**SMALL).fit(X, (X[:, :, 0] > 0).astype(int)),
         lambda m: m.predict_proba(X[:1])),
        (SequenceForecaster(**FORECAST, ensemble=2).fit(WAVE), lambda m: m.forecast(WAVE[5:])),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(4))
def test_networks_are_built_once_for_a_fit(number, monkeypatch):
    model, ask = fits()[number]
    first, built, made = ask(model), [], NativeNetwork.__init__
    monkeypatch.setattr(NativeNetwork, "__init__", lambda s, n: (built.append(n), made(s, n))[1])
    np.testing.assert_array_equal(ask(model), first)
    assert not built
    np.testing.assert_array_equal(ask(pickle.loads(pickle.dumps(model))), first)
    assert built  # nothing of it is in a pickle


@pytest.mark.parametrize("number", range(4))
def test_answers_are_those_of_the_weights_that_there_are(number, tmp_path):
    model, ask = fits()[number]
    first, before = ask(model), [w.copy() for w in model.weights_]
    names = set(vars(model))
    others = [w if "offset" in p or "scale" in p else w * 0.5 for p, w in zip(
        [w.path for m in model._build().members for w in m.network.weights], before, strict=True
    )]  # fmt: skip
    changed = ask(model.set_weights(others))
    assert np.abs(changed - first).max() > 1e-3
    assert set(vars(model)) == names
    np.testing.assert_array_equal(ask(model.set_weights(before)), first)
    for weight in model.weights_:
        weight.flags.writeable = True
        weight *= 2  # by hand: the very arrays
    assert np.abs(ask(model) - first).max() > 1e-3
    model.set_weights(before)
    np.testing.assert_array_equal(ask(copy.deepcopy(model)), first)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(ask(seqkit.load(tmp_path / "model")), first)
    assert "_made" not in vars(clone(model))


def test_a_new_fit_or_one_that_fails_is_the_one_asked():
    model = SequenceClassifier(**SMALL, patch=1).fit(X, Y)
    first = model.predict_proba(X[:1])
    with pytest.raises(ValueError, match="epochs"):
        model.set_params(epochs=0).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X[:1]), first)
    model.set_params(epochs=2, units=4).fit(X[:, :, :1], Y)  # another network
    again = SequenceClassifier(**{**SMALL, "units": 4}, patch=1).fit(X[:, :, :1], Y)
    one = X[:1, :, :1]
    np.testing.assert_array_equal(model.predict_proba(one), again.predict_proba(one))
    with pytest.raises(ValueError, match="features"):
        model.predict_proba(X[:1])


def test_threads_ask_one_fit_at_once():
    model = SequenceClassifier(**SMALL, patch=1).fit(X, Y)
    forecaster = SequenceForecaster(**FORECAST).fit(WAVE)
    alone = [model.predict_proba(x[None]) for x in X]
    paths = [forecaster.forecast(WAVE[: 60 + k]) for k in range(24)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda x: model.predict_proba(x[None]), X))
            np.testing.assert_array_equal(together, alone)
            found = list(pool.map(lambda k: forecaster.forecast(WAVE[: 60 + k]), range(24)))
            np.testing.assert_array_equal(found, paths)


def test_what_is_not_worth_a_thread_stays_in_this_one():
    import threading

    seen = []
    calls = [lambda: seen.append(threading.get_ident())] * 3
    side_by_side(calls, worth=False)
    assert seen == [threading.get_ident()] * 3
