"""The theta forecast of a window, and a forecaster that is combined with it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceForecaster
from seqkit.auto import forecast_combination
from seqkit.data.embedded import load
from seqkit.errors import DataError
from seqkit.estimators.keras_weights import check_layer_classes
from seqkit.estimators.saving import load_estimator, save_estimator
from seqkit.network.layers import theta
from seqkit.network.layers.base import Saved
from seqkit.network.layers.heads import Combine
from seqkit.network.layers.theta import MOST_THETA_STEPS, ThetaForecast, theta_window
from seqkit.network.ops import NUMPY

TINY = {"context_length": 12, "horizon": 4, "units": 3, "epochs": 1, "random_state": 0}


def forecast(windows, horizon, season=1, lengths=None, ops=NUMPY):
    x = np.asarray(windows, np.float32)
    x = x[:, :, None] if x.ndim == 2 else x
    lengths = None if lengths is None else np.asarray(lengths, np.int32)
    return np.asarray(ThetaForecast(horizon, season).forward(ops, {}, Saved(), x, lengths))


def noisy(n_steps, season, n=5, seed=0):
    """Series with a trend, a season that grows with it, and noise."""
    rng = np.random.default_rng(seed)
    step = np.arange(n_steps)
    level = 50 + rng.normal(0.5, 0.5, (n, 1)) * step
    figure = 1 + 0.2 * np.sin(2 * np.pi * step / max(season, 2) + rng.uniform(0, 6, (n, 1)))
    return level * figure + rng.normal(0, 2, (n, n_steps))


def transcription(y, horizon, season):
    """The same in plain loops over one series in float64."""
    y = np.asarray(y, float)
    last, n = y[-1], len(y)
    y = y - last
    unit = np.sqrt(np.mean(y**2)) or 1.0
    y = y / unit
    ahead, stretch = np.zeros(horizon), lambda level: 1.0
    if season > 1 and n >= 2 * season:
        y, ahead, stretch = _season(y, horizon, season)
    steps = np.arange(1 - n, 1.0)
    slope = np.polyfit(steps, y, 1)[0] if n > 1 else 0.0
    found = []
    for a in theta.SMOOTHING:
        for share in theta.SHARES:
            u = y - share * slope * steps
            levels = []
            for t in range(n):
                weights = (1 - a) ** np.arange(t, -1, -1.0)
                levels.append(weights @ u[: t + 1] / weights.sum())
            error = u[1:] - np.array(levels[:-1])
            likelihood = -0.5 * max(n - 1, 1) * np.log(error @ error + 1e-9)
            found.append((likelihood, levels[-1], share * slope))
    likelihoods, ends, slopes = np.array(found).T
    weights = np.exp(likelihoods - likelihoods.max())
    weights /= weights.sum()
    level = weights @ ends + weights @ slopes * np.arange(1, horizon + 1)
    return last + unit * np.array([v + s * stretch(v) for v, s in zip(level, ahead, strict=True)])


def _season(y, horizon, m):
    n, half = len(y), m // 2
    weights = np.full(m, 1 / m) if m % 2 else np.r_[0.5, np.ones(m - 1), 0.5] / m
    average = {k: weights @ y[k - half : k + half + 1] for k in range(half, n - half)}
    apart = {k: y[k] - v for k, v in average.items()}
    figure = np.array(
        [np.mean([d for k, d in apart.items() if (k - n) % m == p]) for p in range(m)]
    )
    figure -= figure.mean()
    mean = np.mean(list(average.values()))
    moved = np.array([figure[(k - n) % m] * (v - mean) for k, v in average.items()])
    rest = np.array([apart[k] - figure[(k - n) % m] for k in average])
    growth = rest @ moved / (moved @ moved + 1e-9)
    rest = rest - growth * moved
    noise = rest @ rest / max(len(rest) - m, 1)
    growth *= max(0, 1 - noise / (moved @ moved + 1e-9) / (growth**2 + 1e-9))
    degrees = (m - 3) / (m - 1) if m > 3 else 1.0
    size = np.mean(figure**2)
    figure *= max(0, 1 - degrees * noise * m / max(len(rest), m) / (size + 1e-9))

    def stretch(level):
        return np.clip(1 + growth * (level - mean), *theta.STRETCH)

    held = [average[min(max(k, half), n - half - 1)] for k in range(n)]
    without = [y[k] - figure[(k - n) % m] * stretch(held[k]) for k in range(n)]
    return np.array(without), figure[np.arange(horizon) % m], stretch


@pytest.mark.parametrize(
    ("n_steps", "season"), [(8, 1), (1, 1), (30, 12), (20, 4), (23, 7), (9, 6)]
)
def test_the_layer_is_its_transcription(n_steps, season):
    series = noisy(n_steps, season)
    expected = [transcription(y, 9, season) for y in series]
    np.testing.assert_allclose(
        forecast(series - 50, 9, season)[:, :, 0] + 50, expected, rtol=2e-4, atol=1e-2
    )


def test_it_is_the_theta_method(monkeypatch):
    """Half the line of least squares, half twice the series less that line, smoothed (2000)."""
    monkeypatch.setattr(theta, "SMOOTHING", (0.3,))
    monkeypatch.setattr(theta, "SHARES", (0.5,))
    theta._smoothing.cache_clear()
    y, n, horizon = noisy(40, 1, n=1)[0], 40, 6
    slope, at_end = np.polyfit(np.arange(1 - n, 1.0), y, 1)
    line = at_end + slope * np.arange(1 - n, horizon + 1.0)
    weights = 0.7 ** np.arange(n - 1, -1, -1.0)
    smoothed = weights @ (2 * y - line[:n]) / weights.sum()
    expected = (line[n:] + smoothed) / 2
    found = forecast([y], horizon)[0, :, 0]
    theta._smoothing.cache_clear()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_lines_and_constants_go_on():
    step = np.arange(30.0)
    np.testing.assert_allclose(forecast([2 * step + 5], 4)[0, :, 0], [65, 67, 69, 71], rtol=1e-3)
    np.testing.assert_array_equal(forecast([np.full(30, 7.5)], 4, 4)[0, :, 0], 7.5)


def test_a_season_that_grows_with_the_level_goes_on_growing():
    step = np.arange(72)
    figure = 1 + 0.3 * np.sin(2 * np.pi * step / 12)
    y = (100 + 2.0 * step) * figure
    made = forecast([y[:60]], 12, 12)[0, :, 0]
    assert np.abs(made / y[60:] - 1).max() < 0.03
    # what an additive season would leave is more
    amplitude = np.ptp(made - np.polyval(np.polyfit(range(12), made, 1), range(12)))
    last = y[48:60] - np.polyval(np.polyfit(range(12), y[48:60], 1), range(12))
    assert amplitude > 1.05 * np.ptp(last)


def test_where_there_is_no_season_hardly_one_is_forecast():
    noise = np.random.default_rng(0).normal(size=(200, 48))
    seasonal, plain = (forecast(noise, 12, season)[:, :, 0] for season in (12, 1))
    added = np.std(seasonal - plain, axis=1)
    # the mean figure of four seasons of noise has a deviation of a half
    assert np.median(added) < 0.25


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 100), st.floats(-100, 100), st.sampled_from([1, 4, 12]), st.integers(1, 40))
def test_it_commutes_with_a_change_of_units(a, b, season, n_steps):
    y = noisy(n_steps, season, n=2) / 10
    expected = a * forecast(y, 5, season) + b
    np.testing.assert_allclose(
        forecast(a * y + b, 5, season), expected, rtol=1e-3, atol=2e-3 * a * (1 + abs(b) / a / 50)
    )


def test_padding_and_what_is_in_it_never_counts():
    y = noisy(60, 12)
    for n in (60, 40, 24, 13, 1):
        alone = forecast(y[:, -n:], 6, 12)
        padded = np.full((5, 60), np.nan)
        padded[:, -n:] = y[:, -n:]
        np.testing.assert_allclose(forecast(padded, 6, 12, [n] * 5), alone, rtol=2e-4, atol=1e-2)


def test_each_target_is_a_series_of_its_own():
    y = noisy(40, 4, n=6)
    together = forecast(y.reshape(2, 3, 40).transpose(0, 2, 1), 6, 4)
    apart = forecast(y, 6, 4)[:, :, 0].reshape(2, 3, 6).transpose(0, 2, 1)
    np.testing.assert_allclose(together, apart, rtol=1e-5)


def test_of_a_long_window_the_last_steps_are_smoothed():
    y = noisy(MOST_THETA_STEPS + 200, 1)
    expected = forecast(y[:, -MOST_THETA_STEPS:], 4)
    np.testing.assert_allclose(forecast(y, 4), expected, rtol=1e-4)
    assert theta_window(1000, 1) == MOST_THETA_STEPS


def test_keras_computes_the_same():
    from seqkit.network.ops import keras_namespace

    y = noisy(40, 12)
    for lengths in (None, [40, 30, 24, 12, 1]):
        own, theirs = (forecast(y, 8, 12, lengths, ops) for ops in (NUMPY, keras_namespace()))
        np.testing.assert_allclose(theirs, own, rtol=1e-4)


# --- departing from it --------------------------------------------------------------------------


def test_a_network_that_says_nothing_departs_from_the_theta_forecast():
    y = noisy(60, 4, n=1)[0]
    model = SequenceForecaster(**TINY, season=4, departure_from="theta", combine_with="none").fit(y)
    model.set_weights(_silent(model))
    expected = forecast([y[-12:]], 4, 4)[0, :, 0]
    np.testing.assert_allclose(model.forecast(), expected, rtol=1e-4)


def _silent(model):
    """Weights of a model with those of its head at zero."""
    paths = [w.path for w in model._build().network.weights]
    return [
        np.zeros_like(w) if path.startswith("head") else w
        for path, w in zip(paths, model.weights_, strict=True)
    ]


def test_two_seasons_are_needed_to_depart_from_a_seasonal_theta_forecast():
    model = SequenceForecaster(**TINY, season=7, departure_from="theta")
    with pytest.raises(ValueError, match="context_length"):
        model.fit(noisy(60, 7, n=1)[0])


# --- combined with it ---------------------------------------------------------------------------


def fitted(combine_with="theta", **more):
    series = list(noisy(70, 4, n=3))
    return SequenceForecaster(**{**TINY, "season": 4, "combine_with": combine_with, **more}).fit(
        series
    ), series


def test_the_forecast_is_the_mean_of_the_networks_and_that_of_theta():
    (both, series), (alone, _) = fitted(), fitted("none")
    window = theta_window(12, 4)
    assert window > 12  # it sees more than the network
    own = forecast(np.stack(series)[:, -window:], 4, 4)[:, :, 0]
    np.testing.assert_allclose(both.forecast(), (alone.forecast() + own) / 2, rtol=1e-5)


def test_by_origin_it_is_what_would_be_forecast_there():
    model, series = fitted()
    made = model.predict(series)[0]
    np.testing.assert_array_equal(np.isfinite(made).all(1), np.arange(len(made)) >= 11)
    for end in (12, 20, 70):
        np.testing.assert_allclose(made[end - 1], model.forecast([series[0][:end]])[0], rtol=1e-5)


@pytest.mark.parametrize(
    "more", [{"quantiles": [0.1, 0.4, 0.9]}, {"distribution": "student_t"}, {"quantiles": [0.5]}]
)
def test_a_spread_is_moved_and_stays(more):
    (both, _), (alone, _) = fitted(**more), fitted("none", **more)
    moved = both.forecast_quantiles() - alone.forecast_quantiles()
    assert np.abs(moved).max() > 1e-3
    np.testing.assert_allclose(moved, np.broadcast_to(moved[..., :1], moved.shape), atol=1e-4)


def test_between_two_quantiles_the_middle_is_on_the_line():
    combine = Combine(1.0, (0.5, 0.5), 2)
    prediction = np.array([2.0, 6.0])[None, None, None]
    found = combine.forward(NUMPY, {}, Saved(), prediction, np.full((1, 1, 1), 10.0))
    np.testing.assert_array_equal(found.ravel(), [8.0, 12.0])


@pytest.mark.parametrize("more", [{}, {"quantiles": [0.1, 0.5, 0.9]}, {"context_length": [8, 12]}])
def test_the_model_of_keras_holds_it(more):
    model, series = fitted(**more)
    keras_model = model.model_
    window = theta_window(12, 4)
    x = np.stack(series)[:, -window:, None].astype(np.float32)
    found = keras_model({"x": x, "lengths": np.full(3, window, np.int32)})
    expected = model._forecast(None, None, None)[0]
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4)
    short = np.full_like(x, np.nan)
    short[:, -15:] = x[:, -15:]
    found = keras_model({"x": short, "lengths": np.full(3, 15, np.int32)})
    expected = model._forecast([s[-15:] for s in series], None, None)[0]
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4)
    assert [w.shape for w in keras_model.weights] == [w.shape for w in model.weights_]


def test_what_is_further_ahead_goes_on_from_what_was_combined():
    model, series = fitted()
    far = model.forecast(horizon=8)
    near = model.forecast()
    again = model.forecast([np.r_[s, f] for s, f in zip(series, near, strict=True)])
    np.testing.assert_allclose(far, np.concatenate([near, again], axis=1), rtol=1e-5)


def test_what_cannot_be_combined_is_an_error_or_is_not_chosen():
    counts = np.random.default_rng(0).poisson(5, 60).astype(float)
    cases = [({"distribution": "poisson"}, counts), ({"quantiles": [0.9]}, counts)]
    for more, y in cases:
        with pytest.raises(ValueError, match="combine_with"):
            SequenceForecaster(**TINY, season=4, combine_with="theta", **more).fit(y)
        chosen = SequenceForecaster(**TINY, season=4, **more).fit(y)
        assert chosen.auto_["combine_with"] == "none"
    with pytest.raises(ValueError, match="combine_with"):
        SequenceForecaster(**TINY, season=300, combine_with="theta").fit(counts)


def test_the_rule_looks_at_seasons_and_at_what_else_is_known():
    assert forecast_combination(12, [144]) == "theta"
    assert forecast_combination(24, [700, 960, 960]) == "none"
    assert forecast_combination(12, [20, 22]) == "none"
    frame = load("airline").frame
    settings = {**TINY, "season": 12, "context_length": 24}
    plain = SequenceForecaster(**settings).fit(frame)
    assert plain.auto_["combine_with"] == "theta"
    assert any("combine_with theta" in note for note in plain.notes_)
    calendar = SequenceForecaster(**settings, calendar=["month"]).fit(frame)
    assert calendar.auto_["combine_with"] == "theta"
    frame = frame.assign(other=np.arange(len(frame)))
    more = {"target": "passengers", "past_covariates": ["other"]}
    assert SequenceForecaster(**settings, **more).fit(frame).auto_["combine_with"] == "none"


def test_it_is_chosen_once_for_a_model_that_learns_on():
    y = noisy(400, 4, n=1)[0]
    model = SequenceForecaster(**TINY, season=4, warm_start=True).fit(y[:60])
    assert model.auto_["combine_with"] == "theta"
    assert model.fit(y).auto_["combine_with"] == "theta"


def test_it_is_saved(tmp_path):
    model, _ = fitted("auto")
    assert model.auto_["combine_with"] == "theta"
    description = json.loads(json.dumps(save_estimator(model, tmp_path), allow_nan=False))
    weights, networks = (
        (tmp_path / n).read_bytes() for n in ("weights.safetensors", "network.json")
    )
    again = load_estimator(description, weights, tmp_path, networks=networks)
    np.testing.assert_array_equal(again.forecast(), model.forecast())
    check_layer_classes(json.loads(model.model_.to_json()))


# --- the logarithm ------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"quantiles": [0.1, 0.5, 0.9]}])
def test_a_logarithm_is_what_is_fitted_on_logarithms(more):
    series = [np.abs(y) + 1 for y in noisy(70, 4, n=3)]
    settings = {**TINY, "season": 4, "combine_with": "none", **more}
    inside = SequenceForecaster(**settings, target_transform="log").fit(series)
    outside = SequenceForecaster(**settings).fit([np.log(y) for y in series])
    np.testing.assert_allclose(inside.forecast(), np.exp(outside.forecast()), rtol=1e-6)
    made, logs = inside.predict(series), outside.predict([np.log(y) for y in series])
    np.testing.assert_allclose(made[1], np.exp(logs[1]), rtol=1e-6)


def test_a_logarithm_commutes_with_other_units_of_the_same_zero():
    y = np.abs(noisy(70, 4, n=1)[0]) + 1
    settings = {**TINY, "season": 4, "target_transform": "log"}
    one, other = (SequenceForecaster(**settings).fit(a * y) for a in (1, 1000))
    np.testing.assert_allclose(other.forecast(), 1000 * one.forecast(), rtol=1e-3)


@pytest.mark.parametrize("more", [{}, {"quantiles": [0.1, 0.5, 0.9]}, {"context_length": [8, 12]}])
def test_the_model_of_keras_takes_the_logarithm_itself(more):
    series = [np.abs(y) + 1 for y in noisy(70, 4, n=3)]
    settings = {**TINY, "season": 4, "combine_with": "none", "target_transform": "log", **more}
    model = SequenceForecaster(**settings).fit(series)
    found = model.model_({"x": np.stack(series)[:, -12:, None].astype(np.float32)})
    np.testing.assert_allclose(np.asarray(found), model._forecast(None, None, None)[0], rtol=1e-4)
    check_layer_classes(json.loads(model.model_.to_json()))


def test_a_logarithm_beside_a_theta_forecast_of_the_values():
    model, series = fitted(target_transform="log")
    alone, _ = fitted("none", target_transform="log")
    own = forecast(np.stack(series)[:, -theta_window(12, 4) :], 4, 4)[:, :, 0]
    np.testing.assert_allclose(model.forecast(), (alone.forecast() + own) / 2, rtol=1e-5)
    x = np.stack(series)[:, -theta_window(12, 4) :, None].astype(np.float32)
    found = model.model_({"x": x, "lengths": np.full(3, x.shape[1], np.int32)})
    np.testing.assert_allclose(np.asarray(found)[:, :, 0], model.forecast(), rtol=1e-4)


def test_where_there_is_no_logarithm_the_step_is_named():
    y = noisy(60, 4, n=1)[0]
    y[17] = 0
    model = SequenceForecaster(**TINY, target_transform="log")
    for method in (model.fit, model.check):
        with pytest.raises(DataError, match=r"above 0.*step 17"):
            method(y)
    with pytest.raises(DataError, match="above 0"):
        model.fit(y + 100).forecast(y[:20])
    with pytest.raises(ValueError, match="target_transform"):
        SequenceForecaster(**TINY, target_transform="log", distribution="normal").fit(y + 100)
