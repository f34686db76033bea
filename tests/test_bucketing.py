"""Batches of series of like length: what they hold, and that padding changes nothing."""

import numpy as np
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceRegressor, SequenceTagger
from seqkit.cells import CELLS
from seqkit.network.architecture import Architecture
from seqkit.network.layers.pooling import POOLINGS
from seqkit.network.native import NativeNetwork
from seqkit.network.streams import NetworkStream
from seqkit.training import ArraySource
from seqkit.training.buckets import WINDOW, alike, is_padded
from seqkit.training.sources import batches_of, shuffled

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(3, 40, 50).astype(np.int32)
SERIES = [RNG.normal(size=(n, 2)) for n in LENGTHS]
Y = np.array([int(x[-1, 0] > 0) for x in SERIES])
SERIES_MEANS = np.array([x.mean() for x in SERIES])
SMALL = {"units": 4, "epochs": 2, "random_state": 0, "batch_size": 8}


@given(
    n=st.integers(1, 300), batch_size=st.integers(1, 20), seed=st.integers(0, 99),
    draws=st.none() | st.integers(1, 300),
)  # fmt: skip
def test_a_pass_has_every_series_once_in_batches_of_the_same_sizes(n, batch_size, seed, draws):
    lengths = np.random.default_rng(seed).integers(1, 100, n)
    order = shuffled(n, seed, 3, draws=draws)
    batches = list(alike(order, lengths, batch_size, (seed, 3)))
    found = np.concatenate([batch for _, batch in batches])
    np.testing.assert_array_equal(np.sort(found), np.sort(order))
    assert len(batches) == -(-len(order) // batch_size)  # as many steps as before
    short = [len(batch) for _, batch in batches if len(batch) < batch_size]
    assert short in ([], [len(order) % batch_size])
    places = [place for place, _ in batches]
    assert len(set(places)) == len(places)  # what varies a batch is drawn by its place
    again = list(alike(order, lengths, batch_size, (seed, 3)))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(batches, again, strict=True))


def test_within_a_window_batches_do_not_overlap_in_length():
    lengths = RNG.permutation(np.arange(1, 8 * WINDOW + 1))
    order = shuffled(len(lengths), 0, 0)
    ranges = sorted(
        (lengths[batch].min(), lengths[batch].max())
        for _, batch in alike(order, lengths, 8, (0, 0))
    )
    assert ranges == [(8 * k + 1, 8 * k + 8) for k in range(WINDOW)]


def test_batches_are_others_in_every_epoch():
    lengths = RNG.integers(3, 40, 500)

    def batches(epoch):
        order = shuffled(500, 0, epoch)
        return {tuple(sorted(batch)) for _, batch in alike(order, lengths, 8, (0, epoch))}

    assert len(batches(0) & batches(1)) <= 1


def test_the_share_of_padding_falls():
    padded = {True: 0, False: 0}
    for timed in padded:
        x = np.zeros((50, 40, 2))
        source = ArraySource(
            {"x": x, "lengths": LENGTHS}, Y, timed=("x",) if timed else (), alike=True
        )
        for inputs, _, _ in batches_of(source, 8, (0, 0)):
            padded[timed] += inputs["x"].shape[0] * inputs["x"].shape[1] - inputs["lengths"].sum()
    assert padded[True] < 0.4 * padded[False]


@pytest.mark.parametrize("least", [37, 40])
def test_where_little_is_padding_nothing_changes(least):
    lengths = np.full(50, 40, np.int32)
    lengths[::5] = least
    x = RNG.normal(size=(50, 40, 2))
    plain, told = (
        ArraySource({"x": x, "lengths": lengths}, Y, timed=timed, alike=True)
        for timed in ((), ("x",))
    )
    assert not is_padded(lengths, 40)
    for one, two in zip(batches_of(plain, 8, (0, 0)), batches_of(told, 8, (0, 0)), strict=True):
        np.testing.assert_array_equal(one[0]["x"], two[0]["x"])
        np.testing.assert_array_equal(one[1], two[1])


def test_targets_of_steps_are_cut_with_their_series():
    x, y = np.zeros((50, 40, 2)), np.arange(2000).reshape(50, 40)
    weight = y.astype(float)
    inputs = {"x": x, "lengths": LENGTHS}
    source = ArraySource(inputs, y, weight, timed=("x", "y", "weight"), alike=True)
    seen = set()
    for inputs, target, w in some(batches_of(source, 8, (0, 0))):
        n = inputs["x"].shape[1]
        assert n >= inputs["lengths"].max()
        np.testing.assert_array_equal(target % 40, np.broadcast_to(np.arange(n), target.shape))
        np.testing.assert_array_equal(target, w)
        np.testing.assert_array_equal(LENGTHS[target[:, 0] // 40], inputs["lengths"])
        seen |= {*(target[:, 0] // 40)}
    assert len(seen) == 50


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor, SequenceTagger])
def test_native_and_keras_take_the_same_batches(kind):
    import keras

    y = [(x[:, 0] > 0).astype(int) for x in SERIES] if kind is SequenceTagger else Y
    given = {**SMALL, "dropout": 0.0, "validation": 0, "optimizer": "sgd"}
    native = kind(**given).fit(SERIES, y)

    class Sees(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.get_weights()

    traced = kind(**given).fit(SERIES, y, callbacks=[Sees()])
    assert native.trainer_ == "native"
    assert traced.trainer_.startswith("keras")
    for one, two in zip(native.weights_, traced.weights_, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5, rtol=1e-3)


def test_an_interrupted_fit_takes_the_batches_of_the_whole_one():
    states = []
    whole = SequenceClassifier(**SMALL).fit(
        SERIES, Y, on_epoch=lambda e, logs, state: states.append(state())
    )
    again = SequenceClassifier(**SMALL).fit(SERIES, Y, resume=states[0])
    np.testing.assert_array_equal(again.predict_proba(SERIES), whole.predict_proba(SERIES))


def test_batches_that_are_normalised_are_drawn_at_random():
    """Of like length they would be of like classes, and their statistics not those of all."""
    for stem, alike_too in (("auto", False), (None, True)):
        model = SequenceClassifier(**SMALL, stem=stem).fit(SERIES, Y)
        examples = model._examples(SERIES, Y, reset=False)
        given = {"new": False, "seed": 0, "start": None}
        source = model._part(examples, None, {}, **given)[0]["source"]
        assert source.timed
        assert source.alike == alike_too


# --- padding changes nothing ---------------------------------------------------------------------

STEMS = {
    "plain": {"stem": None, "patch": 1},
    "patches": {"stem": None, "patch": 3, "overlap": 2},
    "pyramid": {"stem": None, "patch": 1, "pyramid": 2, "units": [3, 3]},
    "stem": {"stem": {"filters": [3, 3], "kernel_size": [5, 3], "stride": [2, 1]}},
    "branch": {"stem": None, "branch": {"filters": [3], "kernel_size": 3}},
    "series": {"stem": None, "normalize": "series"},
    "moves": {"stem": None, "moves": [-1, 0, 1]},
}


def answers(made, seed, lengths, time, garbage):
    """Prediction, and the gradient of a training step, of series padded up to a time."""
    network = NativeNetwork(made.network)
    network.weights.load(made.network.initial_weights(1))
    rng = np.random.default_rng(seed)
    x = np.full((len(lengths), time, 2), garbage, np.float32)
    for row, n in zip(x, lengths, strict=True):
        row[:n] = rng.normal(size=(n, 2))
    inputs = {"x": x, "lengths": lengths}
    predicted = network.predict(inputs)
    d = network.forward(inputs, training=True)
    network.backward(np.ones_like(d))
    return predicted, network.weights.gradient.copy()


CASES = [
    *(("gru", "mean_max", both, stem) for stem in STEMS for both in (False, True)),
    *(("gru", pooling, both, "plain") for pooling in POOLINGS for both in (False, True)),
    *((cell, "mean", True, "plain") for cell in CELLS),
]


@pytest.mark.parametrize(("cell", "pooling", "bidirectional", "stem"), CASES)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 999), more=st.integers(1, 7))
def test_padding_changes_no_answer_and_no_gradient(cell, pooling, bidirectional, stem, seed, more):
    """Of the same series with more padding, of other content: prediction and gradient agree."""
    given_settings = {"units": 3, "dropout": 0.0, **STEMS[stem]}
    made = Architecture("classifier", {
        "n_timesteps": None, "n_features": 2, "n_classes": 3, "variable_length": True,
        "cell": cell, "pooling": pooling, "bidirectional": bidirectional, **given_settings,
    })  # fmt: skip
    lengths = np.random.default_rng(seed).integers(1, 10, 4).astype(np.int32)
    one = answers(made, seed, lengths, int(lengths.max()), 0.0)
    two = answers(made, seed, lengths, int(lengths.max()) + more, 9.0)
    for left, right in zip(one, two, strict=True):
        np.testing.assert_allclose(left, right, atol=2e-5, rtol=2e-4)


@pytest.mark.parametrize("missing", ["interpolate", "indicator"])
@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor, SequenceTagger])
def test_missing_values_of_unequal_series(kind, missing):
    """A series is filled by itself: its answer is the same among others and alone."""
    gaps = [np.where(RNG.random(x.shape) < 0.2, np.nan, x) for x in SERIES]
    for x in gaps:
        x[0] = 0.0  # something to fill from
    y = [(x[:, 1] > 0).astype(int) for x in SERIES] if kind is SequenceTagger else Y
    with pytest.raises(ValueError, match="Set missing to 'interpolate' or 'indicator'"):
        kind(**SMALL).fit(gaps, y)
    model = kind(**SMALL, missing=missing).fit(gaps, y)
    together = model.predict(gaps)
    for k in (0, 7, 23):
        np.testing.assert_allclose(model.predict([gaps[k]])[0], together[k], atol=1e-5)
    assert model._n_channels_ == (4 if missing == "indicator" else 2)


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_answers_come_in_the_order_of_the_series(kind):
    """Whatever batches they are asked in: more than one, of series of like length."""
    many = [RNG.normal(size=(n, 2)) for n in RNG.integers(3, 60, 600)]
    model = kind(**SMALL).fit(SERIES, Y if kind is SequenceClassifier else SERIES_MEANS)
    ask = model.predict_proba if kind is SequenceClassifier else model.predict
    whole = ask(many)
    some_of_them = RNG.choice(600, 20, replace=False)
    alone = np.concatenate([ask([many[k]]) for k in some_of_them])
    np.testing.assert_allclose(whole[some_of_them], alone, atol=1e-5)
    order = RNG.permutation(600)
    np.testing.assert_allclose(ask([many[k] for k in order]), whole[order], atol=1e-5)


@pytest.mark.parametrize("most", [10**6, 5])
def test_taggers_ask_series_of_like_length_together(most, monkeypatch):
    """Of each batch, and of each stream where series are long; each series has its own answer."""
    labels = [(x[:, 0] > 0).astype(int) for x in SERIES]
    model = SequenceTagger(**SMALL, bidirectional=False).fit(SERIES, labels)
    alone = [model.predict_proba([x])[0] for x in SERIES]
    monkeypatch.setattr("seqkit.estimators.tagger.MOST_STEPS", most)
    asked = []
    for owner, name in ((NativeNetwork, "forward"), (NetworkStream, "run")):
        made = getattr(owner, name)

        def spy(self, x, *more, made=made, **how):
            asked.append(np.shape(x["x"])[:2] if isinstance(x, dict) else np.shape(x)[:2])
            return made(self, x, *more, **how)

        monkeypatch.setattr(owner, name, spy)
    for module in ("base", "tagger"):
        monkeypatch.setattr(f"seqkit.estimators.{module}.STEPS_BATCH", 10)
    together = model.predict_proba(SERIES)
    for one, other in some(zip(together, alone, strict=True)):
        np.testing.assert_allclose(one, other, atol=2e-7)
    assert len(asked) == 5
    n_steps = sum(a * b for a, b in asked)
    assert n_steps < 1.25 * LENGTHS.sum() < 50 * 39 * 0.7
