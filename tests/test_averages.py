"""Series are read again as exponentially weighted means of what has come."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqkit import SequenceClassifier, SequenceRegressor, build_regressor
from seqkit.data.scaling import fit_scaler
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.base import Saved
from seqkit.network.ops import NUMPY

RNG = np.random.default_rng(0)
FINITE = st.floats(-100, 100, width=32)
SPANS = st.lists(st.integers(2, 500), min_size=1, max_size=3).map(tuple)
WALKS = RNG.normal(size=(30, 60, 2)).cumsum(1)
NUMBERS = WALKS[:, -1, 0]
LABELS = np.arange(30) % 2
QUICK = {"epochs": 2, "ensemble": 1, "units": 4, "random_state": 0}


def means(x, steps):
    return Averages(steps).forward(NUMPY, {}, Saved(), x)


@given(arrays(np.float32, st.tuples(st.just(2), st.integers(1, 70), st.just(3)), elements=FINITE),
       SPANS)  # fmt: skip
def test_pandas_says_the_same(x, steps):
    found = means(x, steps)
    for k, n in enumerate(steps):
        for own, series in zip(found[..., 3 * k : 3 * k + 3], x, strict=True):
            expected = pd.DataFrame(series.astype(float)).ewm(com=n - 1, adjust=True).mean()
            np.testing.assert_allclose(own, expected, atol=2e-3, rtol=1e-5)


@given(st.floats(0.01, 100), st.floats(-100, 100), SPANS)
def test_units_go_through(a, b, steps):
    """A mean of moved and stretched series is the mean, moved and stretched."""
    made = means(a * WALKS + b, steps)
    np.testing.assert_allclose(made, a * means(WALKS, steps) + b, rtol=1e-6, atol=1e-6 * (a + 100))


def test_of_very_long_spans_it_is_the_mean_of_all_so_far():
    so_far = WALKS.cumsum(1) / np.arange(1, 61)[:, None]
    np.testing.assert_allclose(means(WALKS, (10**6,)), so_far, atol=1e-3)


@given(st.integers(1, 59), SPANS)
def test_nothing_is_known_of_what_comes(t, steps):
    changed = WALKS.copy()
    changed[:, t:] = 1e6
    np.testing.assert_array_equal(means(changed, steps)[:, :t], means(WALKS, steps)[:, :t])


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("scale", ["standard", "robust"])
def test_they_are_scaled_by_the_training_part(unequal, scale):
    X = [x[: 20 + k] for k, x in enumerate(WALKS)] if unequal else WALKS
    model = SequenceRegressor(**QUICK, averages=[3, 9], scale=scale).fit(X, NUMBERS)
    held = dict(zip([w.path for w in model._build().network.weights], model.weights_, strict=True))
    offset, spread = fit_scaler(scale, np.concatenate([*X]))
    parts = [means(((x - offset) / spread)[None], (3, 9))[0] for x in X]
    expected = fit_scaler(scale, np.concatenate(parts))
    for name, own in zip(("offset", "scale"), expected, strict=True):
        np.testing.assert_allclose(held[f"standardize_averages/{name}"], own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "more",
    [{}, {"normalize": "series"}, {"scale": "none"}, {"differences": True, "stem": {}}],
    ids=str,
)
def test_keras_answers_the_same_and_padding_changes_nothing(more):
    X = [x[: 20 + k] for k, x in enumerate(WALKS)]
    model = SequenceClassifier(**QUICK, averages=[2, 10], **more).fit(X, LABELS)
    padded = np.full((30, 60, 2), 1e3, np.float32)
    lengths = np.array([len(x) for x in X], np.int32)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    expected = model.predict_proba(X)
    answer = model.model_.predict({"x": padded, "lengths": lengths}, verbose=0)
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    alone = np.concatenate([model.predict_proba([x]) for x in X])
    np.testing.assert_allclose(alone, expected, atol=1e-5)


def test_a_stream_has_the_answer_of_the_series_so_far():
    model = SequenceRegressor(**QUICK, averages=[3, 20], bidirectional=False, stem=None, patch=1)
    stream = model.fit(WALKS, NUMBERS).stream()
    for t, x in enumerate(WALKS[0]):
        expected = model.predict(WALKS[:1, : t + 1])
        np.testing.assert_allclose(stream.push(x), expected, rtol=1e-5, atol=1e-6)


def test_a_builder_writes_them_where_they_are_asked():
    network = build_regressor(20, 2, 1, averages=[4], moves=(), units=4)
    assert [layer for layer in network.layers if layer.name == "standardize_averages"]
    with pytest.raises(ValueError, match="averages must be"):
        build_regressor(20, 2, 1, averages=[1])
