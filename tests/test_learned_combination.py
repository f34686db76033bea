"""How much of a forecast is that of theta, learned on windows before the end of the series."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqkit import SequenceForecaster
from seqkit.estimators.forecast_combining import WORTH, learned_share
from seqkit.estimators.forecast_rehearsal import _origins
from seqkit.estimators.saving import load_estimator, save_estimator

TINY = {"context_length": 12, "horizon": 4, "units": 3, "epochs": 2, "random_state": 0, "season": 4,
        "combine_with": "theta", "combination": "learned"}  # fmt: skip
MANY = 10**12


def series(n=12, n_steps=60, seed=0):
    rng = np.random.default_rng(seed)
    step = np.arange(n_steps)
    return [20 + k + 0.3 * step + 3 * np.sin(step * np.pi / 2) + rng.normal(0, 1, n_steps)
            for k in range(n)]  # fmt: skip


@given(st.integers(0, 1000))
def test_no_other_share_has_a_lower_error(seed):
    rng = np.random.default_rng(seed)
    truth, networks, theta = rng.normal(size=(3, 7, 5, 2))
    share = learned_share(networks, theta, truth, MANY)
    size = (np.abs(networks - truth) + np.abs(theta - truth)).mean(1, keepdims=True)

    def error(w):
        return (np.abs(networks + w * (theta - networks) - truth) / size).sum()

    best = min(error(w) for w in np.linspace(0, 1, 201))
    assert error(share) <= best * (1 + 1e-2)
    # of few windows it lies between a half and that
    few = learned_share(networks, theta, truth, WORTH)
    assert few == pytest.approx((share + 0.5) / 2, abs=1e-3)


def test_a_series_of_another_size_counts_alike():
    rng = np.random.default_rng(0)
    truth, networks, theta = rng.normal(size=(3, 7, 5, 1))
    size = np.geomspace(1e-3, 1e6, 7)[:, None, None]
    same = learned_share(networks * size, theta * size, truth * size, MANY)
    assert same == learned_share(networks, theta, truth, MANY)


def test_where_both_say_the_same_it_is_a_half():
    one = np.ones((3, 4, 1))
    assert learned_share(one, one, 0 * one, MANY) == 0.5


def test_origins_are_those_with_a_horizon_in_the_tail():
    found, stop = _origins(np.array([20, 9, 30]), np.array([4, 0, 6]), 4)
    assert list(zip(found, stop, strict=True)) == [(0, 16), (2, 26), (2, 25), (2, 24)]


def test_it_is_the_share_of_a_second_fit_without_the_end():
    given = series()
    model = SequenceForecaster(**TINY).fit(given)
    equal = SequenceForecaster(**{**TINY, "combination": "equal"})
    # 15 % of 60 steps are held out: origins 51 to 56
    before = [y[:51] for y in given]
    alone = equal.set_params(combine_with="none").fit(before).predict(given)
    both = equal.set_params(combine_with="theta").fit(before).predict(given)
    origins = np.arange(50, 56)
    networks = np.concatenate([a[origins] for a in alone])[:, :, None]
    theta = 2 * np.concatenate([b[origins] for b in both])[:, :, None] - networks
    truth = np.concatenate([[y[t + 1 : t + 5] for t in origins] for y in given])[:, :, None]
    assert model._share_ == pytest.approx(learned_share(networks, theta, truth, 24), abs=2e-3)
    assert any(f"theta has {model._share_:g} of the forecast" in note for note in model.notes_)


def test_the_forecast_has_this_share():
    given = series()
    model = SequenceForecaster(**TINY).fit(given)
    alone = SequenceForecaster(**{**TINY, "combine_with": "none", "combination": "equal"})
    alone = alone.fit(given).forecast()
    half = SequenceForecaster(**{**TINY, "combination": "equal"}).fit(given).forecast()
    theta = 2 * half - alone
    assert model._share_ != 0.5
    expected = alone + model._share_ * (theta - alone)
    np.testing.assert_allclose(model.forecast(), expected, rtol=1e-5)


def test_it_is_saved_and_exported(tmp_path):
    model = SequenceForecaster(**TINY, quantiles=[0.1, 0.5, 0.9]).fit(series())
    expected = model._forecast(None, None, None)[0]
    window = model._window
    x = np.stack(series())[:, -window:, None].astype(np.float32)
    found = model.model_({"x": x, "lengths": np.full(12, window, np.int32)})
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4)
    description = json.loads(json.dumps(save_estimator(model, tmp_path), allow_nan=False))
    weights, networks = (
        (tmp_path / n).read_bytes() for n in ("weights.safetensors", "network.json")
    )
    loaded = load_estimator(description, weights, tmp_path, networks=networks)
    np.testing.assert_array_equal(loaded.forecast(), model.forecast())


def test_series_that_can_spare_nothing_leave_it_at_half():
    model = SequenceForecaster(**TINY).fit(series(n_steps=9))
    assert not hasattr(model, "_share_")
    assert any("half and half" in note for note in model.notes_)


def test_nothing_is_learned_where_nothing_is_combined():
    with pytest.raises(ValueError, match="combination"):
        SequenceForecaster(**{**TINY, "combine_with": "none"}).fit(series())
    model = SequenceForecaster(**{**TINY, "combine_with": "auto", "season": 1}).fit(series())
    assert model.auto_["combine_with"] == "none"
    assert not hasattr(model, "_share_")
