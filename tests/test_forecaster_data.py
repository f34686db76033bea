"""What a forecaster is given: targets apart, weights, validation series, frames of libraries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from seqkit import SequenceForecaster
from seqkit.data.frames import panel_from_arrays
from seqkit.data.windows import WindowSource
from seqkit.errors import DataError
from seqkit.estimators.forecast_weights import WeightedWindows

TINY = {
    "context_length": 12, "horizon": 4, "units": 4, "cell": "gru", "epochs": 2, "batch_size": 16,
    "learning_rate": 0.01, "random_state": 0,
}  # fmt: skip


def wave(n=90, seed=0, period=12):
    noise = np.random.default_rng(seed).normal(0, 0.05, n)
    return 10 + np.sin(2 * np.pi * np.arange(n) / period) + noise


def long_frame(lengths=(60, 40, 50)):
    parts = []
    for i, n in enumerate(lengths):
        stamps = pd.date_range("2024-01-01", periods=n, freq="D")
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": 10.0**i * wave(n, i)}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(rain=np.cos(np.arange(len(frame))))


def same_weights(one, other):
    for a, b in zip(one.weights_, other.weights_, strict=True):
        np.testing.assert_array_equal(a, b)


# --- stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "chosen", "watched"),
    [
        ({}, {"validation": 0, "patience": 0}, False),
        ({"patience": 1}, {"validation": 0.15}, True),
        ({"validation": 20}, {"patience": 0}, True),
        ({"validation": 80}, {"patience": 10}, True),
        ({"validation": 20, "patience": 0}, {}, True),
        ({"validation": 0}, {"patience": 0}, False),
    ],
)
def test_what_is_auto_follows_what_is_set(settings, chosen, watched):
    """As of labelled series, but that nothing is held back where nobody asked for it."""
    model = SequenceForecaster(**{**TINY, "epochs": 1}, **settings).fit(wave(200))
    assert model.auto_ == {"combine_with": "none", "season": 1} | chosen
    assert ("val_loss" in model.history_) == watched
    said = [note for note in model.notes_ if note.startswith("auto: ")]
    assert [note.partition(":")[2].split()[0] for note in said] == ["season", "combine_with"]
    assert [name in said[1] for name in chosen] == [watched] * len(chosen)


def test_there_are_as_many_epochs_as_make_enough_gradient_steps():
    settings = {k: v for k, v in TINY.items() if k != "epochs"} | {"batch_size": 64}
    model = SequenceForecaster(**settings).fit(wave(200))
    steps = -(-(200 - settings["context_length"] - settings["horizon"] + 1) // 64)
    assert model.n_iter_ == model.auto_["epochs"] == min(round(1200 / steps), 300)
    further = SequenceForecaster(**settings).partial_fit(wave(200))
    assert further.n_iter_ == 1
    assert "epochs" not in further.auto_


def test_patience_and_no_validation_contradict_only_without_a_part_to_watch():
    model = SequenceForecaster(**TINY, validation=0, patience=2)
    with pytest.raises(ValueError, match="patience must be 0 when validation is 0"):
        model.fit(wave())
    model.check(wave(), validation_data=(wave(seed=1),))
    assert "val_loss" in model.fit(wave(), validation_data=(wave(seed=1),)).history_


# --- validation_data ----------------------------------------------------------------------------


def test_a_validation_part_that_is_given_is_the_one_that_is_held_out():
    """The end with the context before it, given apart, is what `validation` would hold back."""
    X = wave(200)
    held = SequenceForecaster(**TINY, validation=40, patience=3).fit(X)
    given = SequenceForecaster(**TINY, patience=3).fit(X[:160], validation_data=(X[160 - 12 :],))
    assert held.history_ == given.history_
    same_weights(held, given)
    frame = long_frame()
    model = SequenceForecaster(**TINY).fit(frame, validation_data=(frame,))
    assert model.history_["val_loss"][-1] < 2


def test_validation_data_has_its_target_and_its_weights():
    X, y = np.random.default_rng(0).normal(size=(2, 90, 2)), wave(90)
    with pytest.warns(UserWarning, match="its past is no input"):
        model = SequenceForecaster(**TINY).fit(X[0], y, validation_data=(X[1], y))
    with pytest.warns(UserWarning, match="its past is no input"):
        twice = clone(model).fit(X[0], y, validation_data=(X[1], y, np.full(90, 2.0)))
    np.testing.assert_allclose(
        twice.history_["val_loss"], 2 * np.array(model.history_["val_loss"]), rtol=1e-5
    )
    for given, error, words in (
        ((X[1],), DataError, "y of validation_data"),
        ((X[1], y[:-1]), DataError, "the target of every row"),
        (X[1], TypeError, "a tuple"),
        ((X[1][:, :1], y), ValueError, "expecting 2"),
    ):
        with pytest.raises(error, match=words), pytest.warns(UserWarning, match="no input"):
            clone(model).fit(X[0], y, validation_data=given)
    with pytest.raises(DataError, match="the columns of X that were the target"):
        SequenceForecaster(**TINY).fit(y, validation_data=(y, y + 1))


# --- weights ------------------------------------------------------------------------------------


def test_weights_of_one_change_nothing_and_of_two_double_the_loss():
    model = SequenceForecaster(**TINY, clipnorm=None)
    plain = clone(model).fit(wave())
    same_weights(clone(model).fit(wave(), sample_weight=np.ones(90)), plain)
    # Adam takes a gradient twice as large for the same direction
    doubled = clone(model).set_params(epochs=1, batch_size=90).fit(wave(), sample_weight=[2.0] * 90)
    once = clone(model).set_params(epochs=1, batch_size=90).fit(wave())
    np.testing.assert_allclose(doubled.history_["loss"], 2 * np.array(once.history_["loss"]), 1e-5)


def test_a_step_of_weight_0_is_not_learned_but_seen():
    """What lies at a step without weight is no target, whatever it is; as context it counts."""
    X = wave(60)
    weight = np.ones(60)
    weight[-4:] = 0  # no window's context reaches them: they are only ever targets
    changed = X.copy()
    changed[-4:] += 5
    settings = {**TINY, "normalize": "none", "scale": "none", "loss": "mse"}
    model = SequenceForecaster(**settings)
    one = clone(model).fit(X, sample_weight=weight)
    same_weights(one, clone(model).fit(changed, sample_weight=weight))
    plain, other = clone(model).fit(X), clone(model).fit(changed)
    assert any((a != b).any() for a, b in zip(plain.weights_, other.weights_, strict=True))


def test_weights_of_series_and_of_their_steps_are_the_same():
    series = [wave(60), wave(40, 1), wave(50, 2)]
    model = SequenceForecaster(**TINY)
    by_series = clone(model).fit(series, sample_weight=[1.0, 0.0, 3.0])
    steps = [np.full(60, 1.0), np.zeros(40), np.full(50, 3.0)]
    same_weights(by_series, clone(model).fit(series, sample_weight=steps))
    # a series of weight 0 teaches nothing: what is in it does not matter
    other = [series[0], 7 * wave(40, 5), series[2]]
    settings = {"normalize": "none", "scale": "none", "loss": "mse"}
    one = clone(model).set_params(**settings).fit(series, sample_weight=[1.0, 0.0, 3.0])
    two = clone(model).set_params(**settings).fit(other, sample_weight=[1.0, 0.0, 3.0])
    same_weights(one, two)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_weights_of_a_frame_go_with_its_rows(library):
    """Rows that are mixed, and a stamp that is absent, do not move weights to other rows."""
    frame = long_frame().assign(weight=np.random.default_rng(0).uniform(size=150))
    frame = frame.drop(index=20)
    mixed = frame.sort_values(["ds", "unique_id"], kind="stable")
    model = SequenceForecaster(**TINY, target="y", missing="interpolate")
    fitted = []
    for rows in (frame, mixed):
        ids = rows.unique_id.map({"s0": 0, "s1": 1, "s2": 2}).sort_values(kind="stable").index
        given = rows if library == "pandas" else pl.from_pandas(rows)
        assert len(ids) == len(rows)
        fitted.append(clone(model).fit(given, sample_weight=rows.weight.to_numpy()))
    same_weights(*fitted)
    plain = clone(model).fit(frame)
    assert any((a != b).any() for a, b in zip(plain.weights_, fitted[0].weights_, strict=True))
    by_frame = fitted[0].score(frame, sample_weight=frame.weight)
    assert by_frame == pytest.approx(fitted[0].score(mixed, sample_weight=mixed.weight), rel=1e-12)


@pytest.mark.parametrize("missing", ["error", "interpolate"])
def test_weighted_windows_have_the_weights_of_their_rows(missing):
    X = wave(50)
    if missing == "interpolate":
        X[20:23] = np.nan
    panel = panel_from_arrays([X, wave(30)], missing=missing)
    weight = np.random.default_rng(0).uniform(size=80)
    source = WindowSource(panel, 12, 4, normalize="standard", offset=np.zeros(1), scale=np.ones(1))
    weights = panel_from_arrays([weight[:50], weight[50:]])
    windows = WeightedWindows(source, weights)
    index = np.arange(windows.n_examples)[::-3]
    inputs, y, taken = windows.take(index)
    other, other_y, _ = source.take(index)
    np.testing.assert_array_equal(inputs["x"], other["x"])
    np.testing.assert_array_equal(y, other_y)
    # by hand: the weight of the row that each target is at, 0 where it was filled in
    for k, number in enumerate(index):
        _, [origin] = source.rows(np.array([number]))
        rows = np.arange(origin + 1, origin + 5)
        there = np.isfinite(np.concatenate([X, wave(30)])[rows])
        np.testing.assert_allclose(taken[k, :, 0], weight[rows] * there, rtol=1e-6)


@pytest.mark.parametrize(
    ("X", "weight", "words"),
    [
        (wave(), np.ones(89), "sample_weight"),
        (wave(), -np.ones(90), "sample_weight"),
        (wave(), np.zeros(90), "above 0"),
        ([wave(), wave()], [1.0], "sample_weight"),
        ([wave(), wave()], [np.ones(90), np.ones(9)], r"sample_weight\[1\]"),
        ([wave(), wave()], [np.ones(90)], "2 arrays, one a series"),
        (wave(), 1.0, r"sample_weight must be of shape \(90,\)"),
    ],
)
def test_weights_that_cannot_be(X, weight, words):
    with pytest.raises(ValueError, match=words):
        SequenceForecaster(**TINY).fit(X, sample_weight=weight)


# --- partial_fit --------------------------------------------------------------------------------


def test_partial_fit_is_one_pass_at_a_time():
    settings = {**TINY, "schedule": "constant"}
    whole = SequenceForecaster(**{**settings, "epochs": 3}, validation=0, patience=0).fit(wave())
    model = SequenceForecaster(**settings)
    for _ in range(3):
        model.partial_fit(wave())
    same_weights(model, whole)
    np.testing.assert_array_equal(model.forecast(), whole.forecast())


def test_partial_fit_goes_on_from_the_end_of_the_last_series():
    model = SequenceForecaster(**TINY).partial_fit(wave(60))
    before = model._window_scale_
    model.partial_fit(100 * wave(40, 1))
    np.testing.assert_array_equal(model._window_scale_, before)
    np.testing.assert_array_equal(model.forecast(), model.forecast(100 * wave(40, 1)))
    with pytest.raises(ValueError, match="expecting 1"):
        model.partial_fit(np.stack([wave(), wave()], 1))
    np.testing.assert_array_equal(model.forecast(), model.forecast(100 * wave(40, 1)))
    frame = long_frame()
    model = SequenceForecaster(**TINY, target="y").partial_fit(frame)
    assert (
        list(model.partial_fit(frame[frame.unique_id == "s1"]).forecast().unique_id) == ["s1"] * 4
    )


# --- a target apart -----------------------------------------------------------------------------


@pytest.mark.parametrize("stamped_by", ["columns", "index", "settings"])
@pytest.mark.parametrize("named", [True, False])
def test_a_target_beside_a_long_frame_is_a_column_of_it(stamped_by, named):
    """The past of the target counts, and so does every feature that came with it."""
    frame = long_frame()
    settings = dict(TINY)
    if stamped_by == "index":
        frame = frame[frame.unique_id == "s0"].drop(columns="unique_id").set_index("ds")
    elif stamped_by == "settings":
        frame = frame.rename(columns={"unique_id": "shop", "ds": "day"})
        settings |= {"series_id": "shop", "time": "day"}
    X, y = frame.drop(columns="y"), frame["y"] if named else frame["y"].to_numpy()
    model = SequenceForecaster(**settings).fit(X, y)
    whole = SequenceForecaster(**settings, target="y", past_covariates=["rain"]).fit(frame)
    same_weights(model, whole)
    pd.testing.assert_frame_equal(model.forecast(), whole.forecast())
    assert model.score(X, y) == whole.score(frame)
    with pytest.raises(DataError, match="column 'y'"):
        model.predict(X)
    pd.testing.assert_frame_equal(model.predict(frame), whole.predict(frame))
    SequenceForecaster(**settings).partial_fit(X, y).partial_fit(X, y)
    SequenceForecaster(**settings).check(X, y, validation_data=(X, y))


def test_a_target_beside_a_frame_is_scored_in_folds():
    frame = long_frame((120,)).drop(columns="unique_id")
    found = cross_val_score(
        SequenceForecaster(**TINY), frame[["ds", "rain"]], frame["y"],
        cv=TimeSeriesSplit(2, test_size=40), error_score="raise",
    )  # fmt: skip
    assert np.isfinite(found).all()


def test_a_target_that_is_a_column_as_well_has_to_be_equal_to_it():
    frame = long_frame()
    same_weights(
        SequenceForecaster(**TINY, past_covariates=["rain"]).fit(frame, frame["y"]),
        SequenceForecaster(**TINY, past_covariates=["rain"], target="y").fit(frame),
    )
    with pytest.raises(DataError, match=r"named 'y'.*equal to that column"):
        SequenceForecaster(**TINY).fit(frame, frame["y"] + 1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SequenceForecaster(**TINY).fit(frame, frame["y"][:-1])


def test_several_targets_beside_a_frame():
    frame = long_frame().assign(z=lambda f: f.y * 2)
    X, y = frame[["unique_id", "ds", "rain"]], frame[["y", "z"]]
    model = SequenceForecaster(**TINY).fit(X, y)
    assert list(model.forecast().columns) == ["unique_id", "ds", "y", "z"]
    bare = SequenceForecaster(**TINY).fit(X, y.to_numpy())
    assert list(bare.forecast().columns) == ["unique_id", "ds", "y1", "y2"]


def test_a_target_beside_an_array_has_no_past_and_a_warning_says_so():
    X = np.random.default_rng(0).normal(size=(90, 2))
    with pytest.warns(UserWarning, match="its past is no input"):
        SequenceForecaster(**TINY).fit(X, wave())


# --- libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "make"), [(pl, pl.from_pandas), (pa, pa.Table.from_pandas)])
def test_frames_come_back_in_the_library_they_came_from(library, make, tmp_path):
    frame = long_frame()
    kind = pl.DataFrame if library is pl else pa.Table
    model = SequenceForecaster(**TINY, target="y", quantiles=[0.1, 0.5]).fit(make(frame))
    pandas = clone(model).fit(frame)
    for made, expected in (
        (model.forecast(), pandas.forecast()),
        (model.forecast(make(frame), horizon=6), pandas.forecast(frame, horizon=6)),
        (model.predict(make(frame)), pandas.predict(frame)),
    ):
        assert isinstance(made, kind)
        there = made.to_pandas()
        assert list(there.columns) == list(expected.columns)
        pd.testing.assert_frame_equal(there, expected, check_dtype=False)
    # what is asked about decides; without it, what was fitted on
    assert isinstance(model.predict(frame), pd.DataFrame)
    assert isinstance(model.forecast(frame), pd.DataFrame)
    assert isinstance(pandas.predict(make(frame)), kind)


# --- ensembles ----------------------------------------------------------------------------------


def test_a_list_of_context_lengths_is_an_ensemble():
    """A network for each length; as if `ensemble` had said so."""
    model = SequenceForecaster(**{**TINY, "context_length": [8, 12]}).fit(wave())
    said = SequenceForecaster(**{**TINY, "context_length": [8, 12]}, ensemble=2).fit(wave())
    assert len(model.histories_) == 2
    same_weights(model, said)
    with pytest.raises(ValueError, match="no longer a list than ensemble"):
        SequenceForecaster(**{**TINY, "context_length": [8, 10, 12]}, ensemble=2).fit(wave())
