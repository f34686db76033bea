"""Answers after every observation: those of the series so far, whatever the network.

Networks of random weights show what a layer computes; estimators, what a user is told.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from seqkit import (
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
)
from seqkit.cells import CELLS
from seqkit.network.native import NativeNetwork
from seqkit.network.series import classifier, regressor
from seqkit.network.streams import NetworkStream
from seqkit.network.tagging import tagger

# float32 of sums of some hundred terms, in another order where a layer has no compiled kernel
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def weights_of(network, seed=0, scale=2.0):
    """Weights that every layer has a say with: none is zero, and statistics are not 0 and 1."""
    rng = np.random.default_rng(seed)
    found = []
    for described, drawn in zip(network.weights, network.initial_weights(seed), strict=True):
        positive = described.name in ("scale", "moving_variance", "gamma")
        noise = rng.normal(size=drawn.shape)
        found.append((0.5 + np.abs(noise) if positive else scale * drawn + 0.1 * noise)
                     .astype(np.float32))  # fmt: skip
    return found


def prefixes(network, weights, x):
    """What the loss sees of every beginning of series (n, n_timesteps, n_features)."""
    native = NativeNetwork(network)
    native.weights.load(weights)
    for n in range(1, x.shape[1] + 1):
        begin = np.ascontiguousarray(x[:, :n], np.float32)
        yield native.forward(begin, training=False)


def compared(network, x, exact=False, seed=0):
    """Push series step by step, and compare with every beginning of them."""
    weights = weights_of(network, seed)
    stream = NetworkStream([network], [weights], len(x))
    answers = stream.run(x.transpose(1, 0, 2))
    for n, whole in enumerate(prefixes(network, weights, x), 1):
        whole = whole[:, -1] if whole.ndim == 3 else whole
        if n < stream.least:
            continue
        if exact:
            np.testing.assert_array_equal(answers[n - 1], whole, f"after {n} observations")
        else:
            np.testing.assert_allclose(answers[n - 1], whole, **CLOSE,
                                       err_msg=f"after {n} observations")  # fmt: skip


def series(n=2, n_steps=14, n_features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_steps, n_features))


ONE = {"bidirectional": False, "overlap": 0, "pyramid": 1, "patch": 1}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("units", [[5], [24, 24, 24]])
def test_every_cell_gives_the_bits_of_the_whole_series(cell, units):
    network = classifier(None, 2, 3, cell=cell, units=units, pooling="last", **ONE)
    compared(network, series(3), exact=True)
    deep = len(units) > 1
    steps = tagger(None, 2, 3, cell=cell, units=units, bidirectional=False, residual=deep)
    compared(steps, series(3), exact=True)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "mean_max"])
def test_every_pooling_gives_the_bits_of_the_whole_series(pooling):
    network = classifier(None, 2, 3, cell="gru", units=[6], pooling=pooling, dense=[4], **ONE)
    compared(network, series(2, 40), exact=True)


def test_attention_is_a_running_softmax():
    network = classifier(None, 2, 3, units=[6], pooling="attention", **ONE)
    compared(network, 3 * series(2, 40))


@pytest.mark.parametrize(
    "stem",
    [
        {"filters": [4, 5], "kernel_size": [5, 3], "stride": 1},
        {"filters": [4, 5, 6], "kernel_size": [9, 7, 5], "stride": [2, 2, 1]},
        {"filters": [4], "kernel_size": 4, "stride": 3},
        {"filters": [4, 3], "kernel_size": [1, 2], "stride": [3, 2]},  # steps that nobody sees
    ],
)
@pytest.mark.parametrize("pooling", ["last", "mean_max"])
def test_stems_read_ahead_and_see_zeros_past_the_end(stem, pooling):
    network = classifier(None, 2, 3, units=[6], pooling=pooling, stem=stem, **ONE)
    compared(network, series(2, 30), exact=True)


@pytest.mark.parametrize(("patch", "overlap"), [(4, 0), (4, 4), (5, 3), (2, 5)])
def test_patches_are_filled_up_as_those_of_the_whole_series(patch, overlap):
    more = ONE | {"patch": patch, "overlap": overlap}
    network = classifier(None, 2, 3, units=[6], pooling="mean", **more)
    compared(network, series(2, 30), exact=True)


def test_a_pyramid_and_its_two_poolings_go_on():
    network = classifier(None, 2, 3, units=[6, 5], pooling="mean_max", **ONE | {"pyramid": 3})
    compared(network, series(2, 30), exact=True)


def test_a_branch_and_moves_and_deviations_go_on():
    network = classifier(
        None, 2, 3, max_timesteps=30, units=[6], pooling="last", moves=[-3, -1, 0, 2],
        branch="fcn", deviations=True, stem={"filters": [4], "kernel_size": 3}, **ONE,
    )  # fmt: skip
    compared(network, series(2, 30))


def test_layer_normalisation_goes_on():
    network = regressor(None, 2, 2, units=[6, 6, 6], layer_norm=True, residual=True,
                        pooling="mean", **ONE)  # fmt: skip
    compared(network, series(2, 20))


@st.composite
def networks(draw):
    """A network of one direction, of whatever a classifier may be made of."""
    units = draw(st.lists(st.integers(1, 20), min_size=1, max_size=3))
    stem = draw(st.none() | st.fixed_dictionaries({
        "filters": st.just([3, 4]), "kernel_size": st.lists(st.integers(1, 6), min_size=2,
                                                            max_size=2),
        "stride": st.integers(1, 3),
    }))  # fmt: skip
    n_features = draw(st.integers(1, 3))
    network = classifier(
        None, n_features, 3, cell=draw(st.sampled_from([*CELLS])), units=units, stem=stem,
        pooling=draw(st.sampled_from(["last", "mean", "max", "mean_max", "attention"])),
        patch=draw(st.integers(1, 4)), overlap=draw(st.integers(0, 4)), bidirectional=False,
        pyramid=draw(st.integers(1, 3)) if len(units) > 1 else 1,
        moves=draw(st.lists(st.integers(-4, 4), max_size=3, unique=True)),
        dense=draw(st.lists(st.integers(1, 5), max_size=1)),
        branch=draw(st.sampled_from([None, {"filters": [3], "kernel_size": [4]}])),
        averages=draw(st.lists(st.integers(2, 30), max_size=2)),
    )  # fmt: skip
    return network


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(1, 3), st.integers(1, 24), st.integers(0, 99))
def test_every_beginning_of_a_series_has_its_answer(network, n, n_steps, seed):
    n_features = network.shapes["x"][1]
    compared(network, series(n, n_steps, n_features, seed), seed=seed)


@settings(max_examples=25, deadline=None)
@given(networks(), st.data())
def test_streams_are_apart_whoever_begins_anew(network, data):
    """Several streams give the bits of single ones, whenever one of them is reset."""
    n, n_features = 3, network.shapes["x"][1]
    weights = weights_of(network)
    together = NetworkStream([network], [weights], n)
    alone = [NetworkStream([network], [weights]) for _ in range(n)]
    x = series(n, 20, n_features)
    for t in range(20):
        which = data.draw(st.lists(st.integers(0, n - 1), max_size=1))
        together.reset(which)
        for k in which:
            alone[k].reset()
        answer = together.run(x[None, :, t])[0]
        for k, stream in enumerate(alone):
            own = stream.run(x[None, k : k + 1, t])[0, 0]
            if stream.n_seen[0] >= stream.least:
                np.testing.assert_array_equal(answer[k], own)


@settings(max_examples=25, deadline=None)
@given(networks(), st.integers(1, 19))
def test_a_state_is_all_that_is_known(network, cut):
    """What is kept, copied, pickled and set in another stream goes on to the same bits."""
    weights, x = weights_of(network), series(2, 20, network.shapes["x"][1]).transpose(1, 0, 2)
    stream = NetworkStream([network], [weights], 2)
    stream.run(x[:cut])
    kept = stream.state
    rest = stream.run(x[cut:])
    other = NetworkStream([network], [weights], 2)
    other.run(x[:3])
    other.state = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(other.run(x[cut:]), rest)
    stream.state = copy.deepcopy(kept)
    np.testing.assert_array_equal(stream.n_seen, cut)
    np.testing.assert_array_equal(stream.run(x[cut:]), rest)


# --- estimators ---------------------------------------------------------------------------------

QUICK = {"units": 6, "epochs": 2, "random_state": 0, "bidirectional": False}


def labelled(n=24, n_steps=16, n_features=2):
    X = np.random.default_rng(0).normal(3, 5, size=(n, n_steps, n_features))
    return X, np.where(X[:, :, 0].mean(1) > 3, "up", "down")


def pushed(stream, X):
    """Push one series; return the answers."""
    return [stream.push(x) for x in X]


@pytest.mark.parametrize(
    "more",
    [
        {"patch": 1},
        {"ensemble": 3, "pooling": "attention", "patch": 3},
        {"stem": {}, "missing": "indicator"},
        {"ensemble": 2, "patch": [2, 3], "pyramid": [1, 2], "scale": "robust", "units": [4, 4]},
    ],
)
def test_a_classifier_tells_what_predict_proba_tells(more):
    X, y = labelled()
    model = SequenceClassifier(**QUICK | more).fit(X, y)
    stream = model.stream()
    for n in range(1, X.shape[1] + 1):
        answer = stream.push(X[0, n - 1])
        if answer is None:
            assert n < np.max(more["patch"])
            continue
        assert answer.shape == (2,)
        np.testing.assert_allclose(answer, model.predict_proba(X[:1, :n])[0], **CLOSE)


def test_several_labels_are_told_apart():
    X, _ = labelled()
    model = SequenceClassifier(**QUICK, ensemble=2).fit(X, (X[:, -2:, 0] > 3).astype(int))
    answers = pushed(model.stream(4), X[:4].transpose(1, 0, 2))
    np.testing.assert_allclose(answers[-1], model.predict_proba(X[:4]), **CLOSE)


def test_a_regressor_tells_numbers_in_units():
    X, _ = labelled()
    large = 1e6 + X[:, :, 0].mean(1)
    model = SequenceRegressor(**QUICK, stem="auto").fit(X, large)
    stream = model.stream()
    answer = pushed(stream, X[0])[-1]
    assert isinstance(answer, float)
    assert answer == pytest.approx(model.predict(X[:1])[0], rel=1e-9)
    many = model.stream(5)
    answers = pushed(many, X[:5].transpose(1, 0, 2))[-1]
    np.testing.assert_allclose(answers, model.predict(X[:5]), rtol=1e-9)
    both = SequenceRegressor(**QUICK).fit(X, X.mean(1))
    assert pushed(both.stream(), X[0])[-1].shape == (2,)


def test_quantiles_of_a_regressor_are_refused_by_name():
    X, _ = labelled()
    model = SequenceRegressor(**QUICK, quantiles=[0.1, 0.5, 0.9]).fit(X, X[:, :, 0].mean(1))
    with pytest.raises(ValueError, match="stream: quantiles must be left out"):
        model.stream()


def test_moves_of_predictions_are_part_of_a_stream():
    X, y = labelled()
    model = SequenceClassifier(**QUICK, moves=[-2, 0, 2], ensemble=1).fit(X, y)
    answers = pushed(model.stream(), X[0])
    for n, answer in enumerate(answers, 1):
        if answer is not None:
            np.testing.assert_allclose(answer, model.predict_proba(X[:1, :n])[0], **CLOSE)


def test_a_tagger_tells_the_last_step():
    X, _ = labelled()
    model = SequenceTagger(**QUICK).fit(X, np.where(X[:, :, 0].cumsum(1) > 0, "a", "b"))
    answers = np.array(pushed(model.stream(), X[0]))
    np.testing.assert_allclose(answers, model.predict_proba(X[:1])[0], rtol=1e-12)


def test_tokens_are_pushed_as_they_are():
    texts = ["abcabcab", "cabcabca"] * 4
    model = SequenceTagger(units=6, target="next", epochs=3, random_state=0).fit(texts)
    answers = np.array(pushed(model.stream(), "abzcab"))  # z is unknown
    np.testing.assert_allclose(answers, model.predict_proba(["abzcab"])[0], rtol=1e-12)
    two = model.stream(2)
    np.testing.assert_array_equal(two.push(["a", "b"])[0], answers[0])
    with pytest.raises(TypeError, match=r"tokens such as \['a', 'b', 'c'\], as in the fit; got 3"):
        two.push([3, 4])
    with pytest.raises(ValueError, match="a token for each of 2 streams"):
        two.push("a")


def test_tokens_that_are_numbers_are_no_codes():
    X = [[30, 10, 20, 10]] * 8
    model = SequenceTagger(units=6, target="next", epochs=2, random_state=0).fit(X)
    expected = model.predict_proba(X[:1])[0]
    for as_given in (lambda x: x, np.int64, lambda x: np.array([x])):
        answers = [np.squeeze(a) for a in pushed(model.stream(), map(as_given, X[0]))]
        np.testing.assert_allclose(answers, expected, rtol=1e-12)


def test_without_compiled_kernels_there_is_no_stream(model, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(ValueError, match=r"stream: the network must be one with compiled kernels"):
        model.stream()


def test_missing_values_are_held_as_in_whole_series():
    X, y = labelled()
    X[np.random.default_rng(1).random(X.shape) < 0.3] = np.nan
    X[:, 0] = 1.0
    held = SequenceClassifier(**QUICK, missing="indicator", ensemble=1, patch=1).fit(X, y)
    stream = held.stream()
    for n, answer in enumerate(pushed(stream, X[0]), 1):
        np.testing.assert_allclose(answer, held.predict_proba(X[:1, :n])[0], **CLOSE)
    stream.reset()
    with pytest.raises(ValueError, match="feature 1 must be there in the first observation"):
        stream.push([1.0, np.nan])
    assert stream.n_seen == 0
    lines = SequenceClassifier(**QUICK, missing="interpolate", ensemble=1).fit(X, y).stream()
    lines.push([1.0, 2.0])
    with pytest.raises(ValueError, match="A line to the next value is not known before"):
        lines.push([1.0, np.nan])


def test_series_that_were_a_table_are_pushed_number_by_number():
    X, y = labelled(n_features=1)
    model = SequenceClassifier(**QUICK, patch=1).fit(X[:, :, 0], y)
    stream = model.stream()
    answers = pushed(stream, X[0, :, 0].tolist())
    np.testing.assert_allclose(answers[-1], model.predict_proba(X[:1, :, 0])[0], **CLOSE)
    np.testing.assert_allclose(
        pushed(model.stream(3), X[:3, :, 0].T)[-1], model.predict_proba(X[:3, :, 0]), **CLOSE
    )


@pytest.fixture(scope="module")
def model():
    X, y = labelled()
    return SequenceClassifier(**QUICK, patch=3, ensemble=1).fit(X, y)


def test_streams_begin_anew_each_for_itself(model):
    X, _ = labelled()
    stream = model.stream(2)
    pushed(stream, X[:2, :5].transpose(1, 0, 2))
    stream.reset(1)
    assert stream.n_seen.tolist() == [5, 0]
    answer = stream.push(X[:2, 5])
    assert np.isnan(answer[1]).all()
    np.testing.assert_allclose(answer[0], model.predict_proba(X[:1, :6])[0], **CLOSE)
    stream.reset()
    assert stream.push(X[:2, 0]) is None
    for which in (2, "all", [5]):
        with pytest.raises(ValueError, match="which must be numbers of streams below 2"):
            stream.reset(which)


def test_an_observation_that_is_refused_changes_nothing(model):
    X, _ = labelled()
    stream = model.stream()
    pushed(stream, X[0, :5])
    before = stream.state
    for x, error, match in (
        ([1.0], ValueError, "an observation of 2 numbers"),
        (np.zeros((2, 2)), ValueError, "Several streams are asked for with n_streams"),
        (["a", "b"], TypeError, "an observation of 2 numbers"),
        ([1.0, None], ValueError, "feature 1 must be there, not NaN; got nan. Fit with missing"),
        (
            [np.inf, 1.0],
            ValueError,
            r"feature 0 must be finite, and no larger than 1e\+37; got inf",
        ),
        ([[1.0], [2.0, 3.0]], TypeError, "an observation of 2 numbers"),
    ):
        with pytest.raises(error, match=match):
            stream.push(x)
    np.testing.assert_array_equal(stream.state.values, before.values)
    assert stream.n_seen == 5


def test_a_state_is_of_its_own_model(model):
    X, y = labelled()
    stream = model.stream()
    answers = pushed(stream, X[0, :4])
    state = stream.state
    pushed(stream, X[0, 4:6])
    stream.state = pickle.loads(pickle.dumps(state))
    np.testing.assert_array_equal(
        stream.push(X[0, 4]), pushed(copied(model, X[0, :4]), X[0, 4:5])[0]
    )
    assert answers[:2] == [None, None]
    other = clone(model).set_params(random_state=1).fit(X, y).stream()
    with pytest.raises(ValueError, match="state must be of these networks"):
        other.state = state
    with pytest.raises(ValueError, match="state must be of 2 streams; got 'of 1'"):
        model.stream(2).state = state
    with pytest.raises(TypeError, match="a state that a stream has given; got 'dict'"):
        stream.state = {}
    loaded = pickle.loads(pickle.dumps(model)).stream()
    loaded.state = state
    assert loaded.n_seen == 4


def copied(model, X):
    stream = copy.deepcopy(model.stream())
    pushed(stream, X)
    return pickle.loads(pickle.dumps(stream))


def test_a_stream_leaves_the_estimator_as_it_is(model):
    before = pickle.dumps(model)
    model.stream().push([1.0, 2.0])
    assert pickle.dumps(model) == before
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"bidirectional": True}, "stream: bidirectional must be False, of one direction"),
        ({"normalize": "series"}, "stream: normalize must be 'none': every observation changes"),
    ],
)
def test_what_needs_the_end_of_a_series_is_refused_by_name(more, match):
    X, y = labelled()
    model = SequenceClassifier(**QUICK | more).fit(X, y)
    with pytest.raises(ValueError, match=match):
        model.stream()


def test_a_course_ends_where_it_has_no_statistics():
    X, y = labelled()
    model = SequenceClassifier(**QUICK, deviations=True, ensemble=1, patch=1).fit(X, y)
    stream = model.stream()
    answers = pushed(stream, X[0])
    np.testing.assert_allclose(answers[-1], model.predict_proba(X[:1])[0], **CLOSE)
    with pytest.raises(ValueError, match="observations must be at most 16 of a series"):
        stream.push(X[0, 0])


def test_streams_are_asked_for_by_their_number(model):
    for n in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="n_streams must be a positive integer"):
            model.stream(n)
    with pytest.raises(ValueError, match="not fitted"):
        SequenceClassifier().stream()


# --- forecasters --------------------------------------------------------------------------------


def wave(n=140, k=0):
    t = np.arange(n)
    return 20 + 3 * np.sin((t + 3 * k) * 2 * np.pi / 12) + np.random.default_rng(k).normal(size=n)


FORECAST = {"context_length": 24, "horizon": 6, "units": 6, "epochs": 2, "random_state": 0}


def as_predicted(model, X, y=None):
    """Push a series and compare with the forecast made at every row."""
    stream, rows = model.stream(), model.predict(X)
    for t, x in enumerate(X):
        answer = stream.push(x)
        if answer is None:
            assert np.isnan(rows[t]).all()
        else:
            np.testing.assert_allclose(answer, rows[t], rtol=1e-6, atol=1e-6)
    return stream


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"normalize": "last", "departure_from": "seasonal_naive", "season": 12},
        {"ensemble": 2, "context_length": [12, 24], "combine_with": "theta", "season": 12},
        {"target_transform": "log", "decoder": "recursive", "patch": 3},
        {"quantiles": [0.1, 0.5, 0.9], "bidirectional": True},
        {"distribution": "normal", "decoder": "segment", "patch": 2},
    ],
)
def test_a_forecaster_tells_what_predict_tells_at_every_row(more):
    model = SequenceForecaster(**FORECAST | more).fit(wave())
    as_predicted(model, wave(60, 1))


def test_windows_that_hardly_move_are_forecast_as_series():
    model = SequenceForecaster(**FORECAST).fit(wave())
    still = np.full(60, 0.1 + 0.2)
    still[40:] += 1e-15 * np.arange(20)
    as_predicted(model, still)
    as_predicted(model, np.zeros(30))


def test_what_a_transform_cannot_take_is_refused_and_changes_nothing():
    model = SequenceForecaster(**FORECAST, target_transform="log").fit(wave())
    stream = model.stream()
    pushed(stream, wave(30))
    with pytest.raises(ValueError, match="above 0 with target_transform 'log'"):
        stream.push(-1.0)
    assert stream.n_seen == 30
    np.testing.assert_allclose(stream.push(20.0), model.forecast([*wave(30), 20.0]), rtol=1e-6)


def test_a_forecasting_stream_keeps_the_fit_it_was_made_of():
    model = SequenceForecaster(**FORECAST).fit(wave())
    stream, rows = model.stream(), model.predict(wave(40, 1))
    pushed(stream, wave(39, 1))
    model.set_params(random_state=5).fit(wave(k=2))
    np.testing.assert_allclose(stream.push(wave(40, 1)[39]), rows[39], rtol=1e-6)


@pytest.mark.parametrize("missing", ["interpolate", "indicator"])
def test_gaps_beside_future_covariates(missing):
    X = np.stack([wave(), wave(k=1), wave(k=2)], 1)
    settings = {**FORECAST, "future_covariates": ["x1"], "target": ["x2"], "missing": missing}
    model = SequenceForecaster(**settings).fit(X)
    X[[30, 31, 55], 2] = X[33, 0] = np.nan
    stream, rows = model.stream(), model.predict(X)
    for t in range(100):
        answer = stream.push(X[t], future=X[t + 1 : t + 7, 1:2])
        if answer is not None:
            np.testing.assert_allclose(answer, rows[t], rtol=1e-6, atol=1e-6)


def test_several_targets_and_past_covariates_are_pushed_as_a_row():
    X = np.stack([wave(k=k) for k in range(3)], 1)
    model = SequenceForecaster(**FORECAST, past_covariates=["x1"], target=["x2", "x0"]).fit(X)
    stream = as_predicted(model, X[:50])
    assert stream.push(X[50]).shape == (6, 2)
    own = SequenceForecaster(**FORECAST)
    with pytest.warns(UserWarning, match="past"):
        own.fit(X[:, :2], X[:, 2])
    as_predicted(own, X[:50, :2])


def test_gaps_of_a_forecaster_are_filled_as_in_whole_series():
    X = wave(80)
    X[[5, 23, 24, 25, 40, 41, *range(50, 79)]] = np.nan
    for missing in ("interpolate", "indicator"):
        model = SequenceForecaster(**FORECAST, missing=missing).fit(wave())
        as_predicted(model, X)
        with pytest.raises(ValueError, match="must be there in the first observation"):
            model.stream().push(np.nan)
    refused = SequenceForecaster(**FORECAST).fit(wave()).stream()
    with pytest.raises(ValueError, match=r"stream 0, feature 0 must be there, not NaN"):
        refused.push(np.nan)


def test_streams_of_a_forecaster_go_on_from_their_states():
    model = SequenceForecaster(**FORECAST).fit(wave())
    X = np.stack([wave(60, k) for k in range(3)], 1)
    stream = model.stream(3)
    answers = np.array([a for a in pushed(stream, X[:40]) if a is not None])
    assert answers.shape == (17, 3, 6)
    state = pickle.loads(pickle.dumps(stream.state))
    rest = np.array(pushed(stream, X[40:]))
    stream.state = state
    np.testing.assert_array_equal(np.array(pushed(stream, X[40:])), rest)
    for k in range(3):
        np.testing.assert_allclose(rest[-1, k], model.forecast(X[:, k]), rtol=1e-6)
    stream.reset(1)
    assert stream.n_seen.tolist() == [60, 0, 60]
    answer = stream.push(X[0])
    assert np.isnan(answer[1]).all()
    assert np.isfinite(answer[[0, 2]]).all()
    fresh = model.stream(3)
    fresh.state = stream.state
    np.testing.assert_array_equal(fresh.push(X[1]), stream.push(X[1]))
    with pytest.raises(ValueError, match="of 3 streams"):
        fresh.state = model.stream().state
    with pytest.raises(ValueError, match="of these networks"):
        fresh.state = SequenceForecaster(**FORECAST, season=7).fit(wave()).stream(3).state


def test_future_covariates_are_pushed_beside():
    X = np.stack([wave(), wave(k=1)], 1)
    model = SequenceForecaster(**FORECAST, future_covariates=["x1"]).fit(X)
    stream, rows = model.stream(), model.predict(X)
    for t in range(60):
        answer = stream.push(X[t], future=X[t + 1 : t + 7, 1:])
    np.testing.assert_allclose(answer, rows[59], rtol=1e-6)
    with pytest.raises(ValueError, match="future covariates x1 must be given for every step"):
        stream.push(X[60])
    assert stream.n_seen == 60


def test_a_frame_is_pushed_by_its_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"ds": pandas.date_range("2024-01-01", periods=140), "y": wave(), "wind": wave(k=1)}
    )
    model = SequenceForecaster(**FORECAST, past_covariates=["wind"]).fit(frame)
    answer = pushed(model.stream(), frame[["y", "wind"]].to_numpy())[-1]
    np.testing.assert_allclose(answer, model.forecast()["y"], rtol=1e-6)
    dated = SequenceForecaster(**FORECAST, calendar=["weekday"]).fit(frame[["ds", "y"]])
    with pytest.raises(ValueError, match="stream: calendar must be left out"):
        dated.stream()
