from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import stats

from seqkit.builders import build_forecaster
from seqkit.network.architecture import Architecture
from seqkit.network.decoders import DECODERS
from seqkit.network.heads import DISTRIBUTIONS, HEADS, head_of
from seqkit.network.keras.ensemble import build_ensemble
from seqkit.network.keras.head_layers import ForecastLoss, Median
from seqkit.network.keras.window_layers import LeftPatch, NaiveForecast
from seqkit.network.layers.heads import Combine
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.layers.windows import window_statistics
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY, keras_namespace
from seqkit.training import initial_weights

L, H = 12, 7
# Settings that reach every path of every decoder.
RICH = {
    "n_targets": 2, "n_past": 1, "n_future": 2, "n_static": 2, "static_categories": (3,),
    "patch": 3, "units": [5, 5], "cell": "gru",
}  # fmt: skip


def model_of(seed=0, **settings):
    model = build_forecaster(L, H, **{"units": 6, **settings})
    model.set_weights(initial_weights(model, seed))
    return model


def inputs_of(model, n=3, seed=0):
    rng = np.random.default_rng(seed)
    given = {}
    for tensor in model.inputs:
        shape = (n, *tensor.shape[1:])
        if tensor.dtype == "int32":
            given[tensor.name] = np.full(shape, L if tensor.name == "lengths" else 1, np.int32)
        else:
            given[tensor.name] = rng.normal(3, 1, shape).astype(np.float32)
    return given


def answer(model, given):
    return np.asarray(model(given))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_every_decoder_gives_the_steps_it_should(decoder, channels):
    model = model_of(decoder=decoder, channels=channels, quantiles=[0.1, 0.5, 0.9], **RICH)
    given = inputs_of(model)
    assert answer(model, given).shape == (3, H, 2, 3)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("normalize", ["none", "standard"])
def test_first_step_sees_the_last_observation(decoder, normalize):
    model = model_of(decoder=decoder, normalize=normalize, patch=3)
    given = inputs_of(model)
    before = answer(model, given)
    given["x"][:, -1, 0] += 0.5
    assert (np.abs(answer(model, given) - before)[:, 0] > 1e-5).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_later_covariate_step_does_not_reach_back_in_the_recursive_decoder(decoder):
    model = model_of(decoder=decoder, n_future=1, patch=1)
    given = inputs_of(model)
    before = answer(model, given)
    given["future"][:, 4:] += 1.0
    after = answer(model, given)
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-5


@pytest.mark.parametrize("decoder", DECODERS)
def test_left_padding_never_changes_an_answer(decoder):
    """Windows of 5 valid steps: the same with any padding, and as in a model of 5 steps."""
    settings = {**RICH, "decoder": decoder, "variable_length": True, "departure_from": "last"}
    model = model_of(**settings)
    given = inputs_of(model)
    given["lengths"][:] = 5
    before = answer(model, given)
    for padding in (0.0, 99.0, np.nan):
        given["x"][:, :-5] = padding
        np.testing.assert_allclose(answer(model, given), before, rtol=1e-5)
    short = build_forecaster(5, H, **settings)
    short.set_weights(model.get_weights())
    given["x"] = given["x"][:, -5:]
    np.testing.assert_allclose(answer(short, given), before, rtol=1e-4)


def test_full_windows_need_no_lengths():
    plain, ragged = model_of(patch=5), model_of(patch=5, variable_length=True)
    given = inputs_of(ragged)
    np.testing.assert_allclose(
        answer(plain, {"x": given["x"]}), answer(ragged, given), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("head", [{}, {"quantiles": [0.1, 0.5, 0.9]}])
def test_standard_windows_forecast_in_the_units_they_come_in(decoder, head):
    model = model_of(decoder=decoder, patch=4, departure_from="seasonal_naive", season=4, **head)
    given = inputs_of(model)
    before = answer(model, given)
    given["x"] = 1000 * given["x"] - 70
    np.testing.assert_allclose(answer(model, given), 1000 * before - 70, rtol=1e-4)


def test_last_value_windows_move_with_their_level():
    model = model_of(normalize="last")
    given = inputs_of(model)
    before = answer(model, given)
    given["x"] += 40
    np.testing.assert_allclose(answer(model, given), before + 40, rtol=1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("normalize", ["none", "last", "standard"])
@pytest.mark.parametrize(("departure", "season"), [("last", 1), ("seasonal_naive", 5)])
def test_a_network_that_says_nothing_is_the_naive_forecast(decoder, normalize, departure, season):
    model = model_of(
        decoder=decoder, normalize=normalize, departure_from=departure, season=season, n_targets=2,
        channels="independent",
    )  # fmt: skip
    given = inputs_of(model)
    trainable = {id(v) for v in model.trainable_variables}
    pairs = zip(model.weights, model.get_weights(), strict=True)
    model.set_weights([w * 0 if id(v) in trainable else w for v, w in pairs])
    x = given["x"]
    naive = [x[:, -1] if departure == "last" else x[:, L - season + h % season] for h in range(H)]
    np.testing.assert_allclose(answer(model, given), np.stack(naive, 1), rtol=1e-5, atol=1e-5)


def test_seasonal_naive_falls_back_on_the_last_value():
    x = np.arange(6.0, dtype=np.float32)[None, :, None]
    layer = NaiveForecast("seasonal_naive", 4, 4)
    assert np.ravel(layer(x)).tolist() == [2, 3, 4, 5]
    assert np.ravel(layer(x, lengths=np.array([3]))).tolist() == [5, 3, 4, 5]


@pytest.mark.parametrize("ops", [NUMPY, keras_namespace()])
def test_constant_windows_keep_their_size(ops):
    x = np.array([[5.0, 5, 5], [-2e6, -2e6, -2e6], [0, 0, 0]], np.float32)[:, :, None]
    mean, spread = window_statistics(x, None, "standard", None, np.full(1, 1e7, np.float32), ops)
    assert np.ravel(mean).tolist() == [5, -2e6, 0]
    assert np.ravel(spread).tolist() == [5, 2e6, 1e7]


def test_patches_end_at_the_last_step():
    x = np.arange(1.0, 8.0, dtype=np.float32)[None, :, None]
    folded = np.asarray(LeftPatch(3)(x))
    assert folded[0].tolist() == [[0, 0, 1], [2, 3, 4], [5, 6, 7]]
    folded, valid = LeftPatch(3)(x, lengths=np.array([4]))
    assert valid.numpy().tolist() == [2]
    assert folded.numpy()[0, :2].tolist() == [[2, 3, 4], [5, 6, 7]]


@pytest.mark.parametrize("levels", [[0.5], [0.1, 0.9], [0.05, 0.1, 0.5, 0.9, 0.95]])
def test_quantiles_do_not_cross(levels):
    model = model_of(quantiles=levels, decoder="segment", patch=2, departure_from="last")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 2, w.shape) for w in model.get_weights()])
    found = answer(model, inputs_of(model, 50))
    spread = np.abs(found).max()
    assert (np.diff(found, axis=-1) >= -1e-6 * spread).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_likelihoods_are_those_of_scipy(name):
    rng = np.random.default_rng(0)
    n = len(HEADS[name].parameters)
    p = rng.uniform(0.5, 4, (2, 3, 1, n)).astype(np.float32)
    y = rng.integers(0, 6, (2, 3, 1)).astype(np.float32)
    a = [p[..., i].astype(float) for i in range(n)]
    expected = {
        "normal": lambda: stats.norm.logpdf(y, a[0], a[1]),
        "student_t": lambda: stats.t.logpdf(y, a[2], a[0], a[1]),
        "poisson": lambda: stats.poisson.logpmf(y, a[0]),
        "negative_binomial": lambda: stats.nbinom.logpmf(y, 1 / a[1], 1 / (1 + a[1] * a[0])),
    }[name]()
    found = ForecastLoss(name, reduction="none")(y, p)
    np.testing.assert_allclose(found, -expected, rtol=2e-4)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_samples_have_the_quantiles_they_should(name):
    head = HEADS[name]
    answer_ = np.array([[3.0, 1.5, 6.0][: len(head.parameters)]])[None]  # (1, 1, P)
    drawn = head.sample(answer_, np.random.default_rng(0), 20_000)[:, 0, 0]
    for level in (0.1, 0.5, 0.9):
        at = head.quantile(answer_, level)[0, 0]
        assert np.mean(drawn < at) - 0.02 <= level <= np.mean(drawn <= at) + 0.02


def test_pinball_of_the_median_is_the_absolute_error():
    y = np.ones((1, 2, 1), np.float32)
    found = ForecastLoss("quantiles", levels=[0.5], reduction="none")(y, y[..., None] + 0.3)
    np.testing.assert_allclose(found, 0.3, rtol=1e-5)


@pytest.mark.parametrize("name", [*DISTRIBUTIONS, "quantiles"])
def test_losses_lead_to_the_truth(name):
    """On data from a known distribution the loss is least at its parameters."""
    levels = (0.1, 0.5, 0.9)
    head = HEADS[name]
    truth = np.array([3.0, 1.2, 5.0][: max(1, len(head.parameters))])
    rng = np.random.default_rng(1)
    if name == "quantiles":
        y = rng.normal(size=20_000)
        truth = stats.norm.ppf(levels)
    else:
        y = head.sample(truth[None, None], rng, 20_000).ravel()
    loss = ForecastLoss(name, levels=levels)

    def at(parameters):
        tiled = np.broadcast_to(parameters, (len(y), 1, 1, len(parameters))).astype(np.float32)
        return float(loss(y.reshape(-1, 1, 1).astype(np.float32), tiled))

    for i in range(len(truth)):
        for factor in (0.75, 1.35):
            other = truth.copy()
            other[i] = other[i] * factor if other[i] else factor - 1
            assert at(truth) < at(other)


def test_count_forecasts_grow_with_the_counts():
    model = model_of(distribution="negative_binomial", variable_length=True)
    given = inputs_of(model)
    given["x"] = np.abs(given["x"])
    before = answer(model, given)[..., 0]
    assert (before > 0).all()
    given["x"] = given["x"] * 100
    ratio = answer(model, given)[..., 0] / before
    assert ((ratio > 50) & (ratio < 100)).all()


def test_an_ensemble_is_the_median_of_its_members():
    def member(context, seed):
        model = build_forecaster(context, H, units=4, variable_length=True, patch=2)
        model.set_weights(initial_weights(model, seed))
        return model

    contexts = (6, L, 8)
    members = [member(c, i) for i, c in enumerate(contexts)]
    settings = {"horizon": H, "units": 4, "variable_length": True, "patch": 2}
    builds = [Architecture("forecaster", {"context_length": c, **settings}) for c in contexts]
    whole = build_ensemble(builds, context_lengths=contexts)
    joined = [w for m in members for w in m.get_weights()]
    whole.set_weights(joined)
    given = inputs_of(whole)
    given["lengths"] = np.array([L, 7, 2], np.int32)
    own = [
        answer(m, {"x": given["x"][:, -c:], "lengths": np.minimum(given["lengths"], c)})
        for m, c in zip(members, contexts, strict=True)
    ]
    np.testing.assert_allclose(answer(whole, given), np.median(own, axis=0), rtol=1e-5)
    assert [layer.name for layer in whole.layers if layer.weights] == [
        "member_1", "member_2", "member_3"
    ]  # fmt: skip
    assert np.asarray(Median()([np.ones(2), 2 * np.ones(2)])).tolist() == [1.5, 1.5]


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.5, 0.9)])
def test_an_ensemble_in_keras_is_that_of_its_description(quantiles):
    """With powers of the targets, and a theta forecast of more steps than the networks see."""
    settings = {"horizon": H, "units": 3, "n_targets": 2, "quantiles": quantiles, "patch": 2}
    middle, moved = ((), 1) if quantiles is None else ((0.0, 1.0, 0.0), 3)
    whole = Architecture("ensemble", {
        "members": [Architecture("forecaster", {"context_length": c, **settings}) for c in (6, L)],
        "context_lengths": (6, L), "theta": ThetaForecast(H, 4), "theta_window": 20,
        "combine": Combine(0.4, middle, moved), "powers": (0.5, 0.0),
    })  # fmt: skip
    weights = whole.network.initial_weights(3)
    native = NativeNetwork(whole.network)
    native.weights.load(weights)
    rng = np.random.default_rng(0)
    given = {"x": rng.uniform(1, 9, (4, 20, 2)), "lengths": [20, L, 15, 13]}
    given = {"x": given["x"].astype("float32"), "lengths": np.array(given["lengths"], np.int32)}
    found = answer(whole.keras_model(weights), given)
    np.testing.assert_allclose(native.predict(given), found, rtol=1e-5)


@pytest.mark.parametrize("decoder", DECODERS)
def test_models_are_saved_whole(decoder, tmp_path):
    model = model_of(decoder=decoder, quantiles=[0.2, 0.8], variable_length=True, **RICH)
    given = inputs_of(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(answer(again, given), answer(model, given), rtol=1e-6)


def test_targets_that_are_no_input():
    model = model_of(target_inputs=False, n_past=3, normalize="none")
    assert model.inputs[0].shape == (None, L, 3)
    assert answer(model, inputs_of(model)).shape == (3, H, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"decoder": "direkt"}, "did you mean 'direct'"),
        ({"normalize": "mean"}, "normalize must be one of none, last, standard"),
        ({"decoder": "segment", "bidirectional": True}, "bidirectional must be False"),
        ({"decoder": "recursive", "dense": [8]}, r"dense must be \(\)"),
        ({"departure_from": "seasonal_naive"}, "season must be at least 2"),
        ({"departure_from": "seasonal_naive", "season": 13}, r"one season \(13 steps\)"),
        ({"distribution": "poisson", "departure_from": "last"}, "departure_from must be 'none'"),
        ({"distribution": "poisson", "decoder": "recursive"}, "decoder must be direct or segment"),
        ({"quantiles": [0.9, 0.1]}, "rising order"),
        ({"quantiles": [0.5], "distribution": "normal"}, "quantiles must be None"),
        ({"target_inputs": False, "normalize": "none"}, "n_past must be at least 1"),
        ({"patch": 13}, "patch must be at most context_length"),
        ({"horizon": 0}, "horizon must be at least 1"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(ValueError, match=words):
        build_forecaster(**{"context_length": L, "horizon": H, "units": 2, **settings})


def test_head_of_names_the_parameters():
    assert head_of(None, None, "x")[2] == 1
    assert head_of([0.1, 0.9], None, "x")[1:] == ((0.1, 0.9), 2)
    assert head_of(None, "student_t", "x")[2] == 3
