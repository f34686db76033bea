"""What a forecaster's networks see of a target: powers of it, and the way back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceForecaster
from seqkit.errors import DataError
from seqkit.estimators.forecast_transforming import box_cox_power
from seqkit.estimators.keras_weights import check_layer_classes
from seqkit.estimators.saving import load_estimator, save_estimator
from seqkit.network.layers.base import Saved
from seqkit.network.layers.scaling import BoxCox, InverseBoxCox
from seqkit.network.ops import NUMPY, keras_namespace

TINY = {"context_length": 12, "horizon": 4, "units": 3, "epochs": 1, "random_state": 0, "season": 4}
POWERS = st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.99, 1.0])


def powered(y, *powers, ops=NUMPY):
    return BoxCox(powers).forward(ops, {}, Saved(), y)


def back(z, *powers, ops=NUMPY):
    return InverseBoxCox(powers).forward(ops, {}, Saved(), z)


def growing(n=3, power=0.0, seed=0):
    """Series whose season and noise grow as the level to 1 - power."""
    rng = np.random.default_rng(seed)
    step = np.arange(96)
    level = rng.uniform(5, 50, (n, 1)) * 1.012**step
    wave = np.sin(2 * np.pi * step / 4) + 0.2 * rng.normal(size=(n, 96))
    return list(level + 0.2 * level.mean(1, keepdims=True) ** power * wave * level ** (1 - power))


@given(
    st.lists(st.floats(1e-6, 1e9), min_size=3, max_size=8), st.lists(POWERS, min_size=1, max_size=3)
)
def test_back_and_forth(values, powers):
    y = np.array(values)[None, :, None] * np.arange(1, len(powers) + 2)
    there = powered(y, *powers)
    assert there.dtype == y.dtype
    np.testing.assert_array_equal(there[..., len(powers) :], y[..., len(powers) :])
    again = back(there[..., : len(powers)], *powers)
    np.testing.assert_allclose(again, y[..., : len(powers)], rtol=1e-9)


@given(POWERS, st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9))
def test_the_way_back_never_falls(power, values):
    z = np.sort(np.array(values))[None, :, None, None] / 10
    made = back(z, power)[0, :, 0, 0]
    assert (np.diff(made) >= 0).all()
    assert (made >= 0).all()


def test_the_transform_is_that_of_box_and_cox_but_for_a_constant():
    from scipy.special import boxcox

    y = np.geomspace(0.01, 1000, 20)[None, :, None]
    for power in (0.0, 0.2, 0.7, 1.0):
        apart = boxcox(y, power) - powered(y, power)
        np.testing.assert_allclose(apart, apart[0, 0, 0], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(powered(y, 0.0), np.log(y))
    np.testing.assert_array_equal(powered(y, 1.0), y)


def test_keras_computes_the_same():
    y = np.geomspace(0.01, 1000, 24, dtype=np.float32).reshape(1, 8, 3)
    own, theirs = (powered(y, 0.0, 0.4, ops=ops) for ops in (NUMPY, keras_namespace()))
    np.testing.assert_allclose(theirs, own, rtol=1e-5)
    own, theirs = (back(own - 0.3, 0.0, 0.4, 1.0, ops=ops) for ops in (NUMPY, keras_namespace()))
    np.testing.assert_allclose(theirs, own, rtol=1e-4)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_power_is_found_by_which_the_series_were_made(power):
    series = growing(40, power)
    found = box_cox_power(np.concatenate(series), np.full(40, 96), 4)
    assert found == pytest.approx(power, abs=0.12)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(1, 5))
def test_the_power_does_not_depend_on_units_of_single_series(unit, seed):
    series = growing(3, 0.4, seed)
    other = [series[0] * unit, *series[1:]]
    found = [box_cox_power(np.concatenate(s), np.full(3, 96), 4) for s in (series, other)]
    assert found[0] == pytest.approx(found[1], abs=0.011)


def test_series_that_say_nothing_leave_the_values_as_they_are():
    assert box_cox_power(np.full(40, 3.0), np.array([30, 10]), 4) == 1.0
    assert box_cox_power(np.array([1.0, 2.0, 3.0]), np.array([2, 1])) == 1.0


def test_it_is_what_is_fitted_on_transformed_values():
    series = growing(power=0.5)
    alone = {**TINY, "combine_with": "none"}
    inside = SequenceForecaster(**alone, target_transform="box_cox").fit(series)
    (power,) = inside._powers_
    assert 0 < power < 1
    outside = SequenceForecaster(**alone).fit([y**power / power for y in series])
    expected = (power * outside.forecast()) ** (1 / power)
    np.testing.assert_allclose(inside.forecast(), expected, rtol=1e-6)


def test_with_the_powers_0_and_1_it_is_the_logarithm_and_the_values(monkeypatch):
    series, alone = growing(), {**TINY, "combine_with": "none"}
    from seqkit.estimators import forecast_transforming

    for power, other in ((0.0, "log"), (1.0, "none")):
        monkeypatch.setattr(forecast_transforming, "box_cox_power", lambda *_, p=power: p)
        made = SequenceForecaster(**alone, target_transform="box_cox").fit(series).forecast()
        same = SequenceForecaster(**alone, target_transform=other).fit(series).forecast()
        np.testing.assert_allclose(made, same, rtol=1e-6)


def test_each_target_has_its_own_power():
    y = np.stack([growing(1, power)[0] for power in (0.0, 1.0)], axis=1)
    model = SequenceForecaster(**TINY, target_transform="box_cox").fit(y)
    assert model._powers_[0] < 0.2 < 0.8 < model._powers_[1]
    assert model.forecast().shape == (4, 2)


@pytest.mark.parametrize("combine_with", ["none", "theta"])
@pytest.mark.parametrize("more", [{}, {"quantiles": [0.1, 0.5, 0.9]}, {"context_length": [8, 12]}])
def test_what_is_saved_and_exported_holds_it(more, combine_with, tmp_path):
    series = growing(power=0.5)
    settings = {**TINY, "combine_with": combine_with, "target_transform": "box_cox", **more}
    model = SequenceForecaster(**settings).fit(series)
    expected = model._forecast(None, None, None)[0]
    x = np.stack(series)[:, -model._window :, None].astype(np.float32)
    inputs = {"x": x}
    if combine_with == "theta":
        inputs["lengths"] = np.full(3, x.shape[1], np.int32)
    np.testing.assert_allclose(np.asarray(model.model_(inputs)), expected, rtol=2e-4)
    check_layer_classes(json.loads(model.model_.to_json()))
    import keras

    model.model_.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(again(inputs)), expected, rtol=2e-4)
    description = json.loads(json.dumps(save_estimator(model, tmp_path), allow_nan=False))
    weights, networks = (
        (tmp_path / n).read_bytes() for n in ("weights.safetensors", "network.json")
    )
    loaded = load_estimator(description, weights, tmp_path, networks=networks)
    np.testing.assert_array_equal(loaded.forecast(), model.forecast())
    if "quantiles" in more:
        assert (np.diff(model.forecast_quantiles(), axis=-1) >= 0).all()


def test_a_model_that_learns_on_keeps_its_power():
    model = SequenceForecaster(**TINY, target_transform="box_cox", warm_start=True)
    first = model.fit(growing(power=0.5))._powers_.copy()
    np.testing.assert_array_equal(model.fit(growing(power=1.0))._powers_, first)


def test_a_value_without_a_power_is_named():
    series = growing()
    series[1][17] = 0
    model = SequenceForecaster(**TINY, target_transform="box_cox")
    for method in (model.fit, model.check):
        with pytest.raises(DataError, match=r"above 0 with target_transform 'box_cox'.*step 17"):
            method(series)
    with pytest.raises(ValueError, match="target_transform"):
        SequenceForecaster(**TINY, target_transform="box_cox", distribution="normal").fit(growing())
