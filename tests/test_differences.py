"""Smooth series are read a second time, as the differences from one step to the next."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqkit import SequenceClassifier, SequenceRegressor, build_classifier
from seqkit.auto import roughness
from seqkit.auto_networks import SMOOTH
from seqkit.network.layers.scaling import Differences
from seqkit.network.ops import NUMPY

RNG = np.random.default_rng(0)
FINITE = st.floats(-100, 100, width=32)
WAVES = np.sin(np.arange(60) / 12 + RNG.uniform(0, 6, (30, 1)))[:, :, None]
WAVES = WAVES + RNG.normal(size=(30, 1, 1))
NOISE = RNG.normal(size=(30, 60, 1))
LABELS = np.arange(30) % 2
QUICK = {"epochs": 2, "ensemble": 1, "random_state": 0}


@given(x=arrays(np.float32, (2, 7, 3), elements=FINITE))
def test_sums_of_the_differences_are_the_series_again(x):
    scale = np.array([0.5, 2.0, 1.0], np.float32)
    found = Differences().forward(NUMPY, {"scale": scale}, None, x)
    assert found.shape == x.shape
    np.testing.assert_allclose(x[:, :1] + np.cumsum(found * scale, axis=1), x, atol=1e-3)


def test_a_level_is_no_difference():
    layer, p = Differences(), {"scale": np.ones(1, np.float32)}
    moved = WAVES.astype(np.float32) + np.float32(4)
    np.testing.assert_allclose(
        layer.forward(NUMPY, p, None, moved), layer.forward(NUMPY, p, None, WAVES), atol=1e-5
    )


@given(st.floats(0.01, 1000), st.floats(-100, 100))
def test_roughness_knows_no_units(a, b):
    assert roughness(a * WAVES + b) == pytest.approx(roughness(WAVES), rel=1e-6)


def test_roughness_sees_no_padding_and_no_gaps():
    lengths = RNG.integers(20, 61, 30)
    padded = np.where(np.arange(60)[:, None] < lengths[:, None, None], NOISE, 1e6)
    bare = np.where(np.arange(60)[:, None] < lengths[:, None, None], NOISE, np.nan)
    assert roughness(padded, lengths) == roughness(bare)
    assert roughness(bare) == pytest.approx(np.sqrt(2), rel=0.05)  # of independent values
    assert roughness(np.ones((3, 5, 2))) == np.inf
    assert roughness(np.ones((3, 1, 2))) == np.inf


@pytest.mark.parametrize(
    ("X", "more", "expected"),
    [
        (WAVES, {}, True),
        (NOISE, {}, False),
        (WAVES, {"stem": None}, True),
        (WAVES, {"stem": None, "bidirectional": False}, False),
        (WAVES, {"bidirectional": False}, False),  # which may follow a stream
        (WAVES, {"normalize": "series"}, False),
    ],
)
def test_auto(X, more, expected):
    assert (roughness(X) < SMOOTH) == (X is WAVES)
    model = SequenceClassifier(**QUICK, **more).fit(X, LABELS)
    assert model.auto_["differences"] is expected
    names = {node.name for node in model._build().network.nodes}
    assert ("differences" in names) is expected


def test_numbers_are_told_without():
    model = SequenceRegressor(**QUICK).fit(WAVES, WAVES[:, 0, 0])
    assert model.auto_["differences"] is False


def test_in_every_network_without_a_stem():
    model = SequenceClassifier(epochs=2, ensemble=2, stem=None, random_state=0).fit(WAVES, LABELS)
    assert model.auto_["differences"] is True


def test_in_every_second_network_of_an_ensemble():
    model = SequenceClassifier(epochs=2, ensemble=3, random_state=0).fit(WAVES, LABELS)
    assert model.auto_["differences"] == [True, False, True]
    for member, there in zip(model._build().members, (True, False, True), strict=True):
        assert ("differences" in {node.name for node in member.network.nodes}) is there
    given = SequenceClassifier(
        epochs=2, differences=[True, False, True], random_state=0, ensemble=3
    )
    np.testing.assert_array_equal(
        given.fit(WAVES, LABELS).predict_proba(WAVES), model.predict_proba(WAVES)
    )
    alone = SequenceClassifier(**QUICK, differences=True).fit(WAVES, LABELS)
    assert all(map(np.array_equal, alone.weights_, model._member_weights()[0]))


@pytest.mark.parametrize("unequal", [False, True])
def test_what_the_network_reads_is_scaled_by_the_training_part(unequal):
    X = [x[: 30 + k] for k, x in enumerate(WAVES)] if unequal else WAVES
    model = SequenceClassifier(**QUICK, differences=True).fit(X, LABELS)
    network = model._build().network
    paths = [weight.path for weight in network.weights]
    scale = model.weights_[paths.index("differences/scale")]
    expected = np.concatenate([np.diff(np.asarray(x)[:, 0]) for x in X])
    np.testing.assert_allclose(scale, np.sqrt(np.mean(expected**2)), rtol=1e-5)


def test_weights_of_series_count():
    weight = (np.arange(30) < 10) + 1e-9
    model = SequenceRegressor(**QUICK, differences=True, stem=None)
    model.fit(WAVES, LABELS.astype(float), sample_weight=weight)
    paths = [w.path for w in model._build().network.weights]
    expected = np.sqrt(np.mean(np.diff(WAVES[:10, :, 0], axis=1) ** 2))
    found = model.weights_[paths.index("differences/scale")]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("more", [{}, {"normalize": "series"}, {"scale": "none"}], ids=str)
def test_keras_answers_the_same(more):
    X = [x[: 20 + k] for k, x in enumerate(WAVES)]
    model = SequenceClassifier(**QUICK, differences=True, **more).fit(X, LABELS)
    padded = np.zeros((30, 60, 1), np.float32)
    lengths = np.array([len(x) for x in X], np.int32)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    answer = model.model_.predict({"x": padded, "lengths": lengths}, verbose=0)
    np.testing.assert_allclose(answer, model.predict_proba(X), atol=1e-5)


def test_padding_changes_nothing():
    """A series alone, and beside a longer one."""
    X = [x[: 20 + k] for k, x in enumerate(WAVES)]
    model = SequenceClassifier(**QUICK, differences=True).fit(X, LABELS)
    alone = np.concatenate([model.predict_proba([x]) for x in X])
    np.testing.assert_allclose(model.predict_proba(X), alone, atol=1e-5)


def test_a_builder_writes_it_where_it_is_asked():
    model = build_classifier(20, 2, 3, differences=True, moves=(), units=4)
    assert [layer for layer in model.layers if layer.name == "differences"]


def test_a_stream_says_what_it_cannot_do():
    model = SequenceClassifier(**QUICK, bidirectional=False, differences=True, pooling="last")
    model.fit(WAVES, LABELS)
    with pytest.raises(ValueError, match="differences must be False"):
        model.stream()
