from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqkit.data.missing import MISSING, fill_missing
from seqkit.data.sequences import Sequences, as_padded, concatenate
from seqkit.errors import DataError

RAGGED = [np.arange(4.0).reshape(2, 2), np.arange(6.0).reshape(3, 2), np.arange(2.0).reshape(1, 2)]


def ragged_arrays(max_features=3, elements=None):
    """Lists of arrays (n_timesteps_i, n_features) of one number of features."""
    elements = st.floats(-1e6, 1e6, width=32) if elements is None else elements
    return st.integers(1, max_features).flatmap(
        lambda width: st.lists(
            st.integers(1, 6).flatmap(
                lambda length: hnp.arrays(np.float64, (length, width), elements=elements)
            ),
            min_size=1,
            max_size=6,
        )
    )


def as_sequences(series, **columns):
    lengths = [len(one) for one in series]
    return Sequences(
        np.concatenate(series),
        np.concatenate([[0], np.cumsum(lengths)]),
        tuple(f"f{i}" for i in range(series[0].shape[1])),
        **columns,
    )


def filled_as(sequences, missing):
    """Return each series with its gaps filled."""
    values = fill_missing(sequences.values, sequences.offsets, missing)
    return np.split(values, sequences.offsets[1:-1])


def object_array(series):
    array = np.empty(len(series), dtype=object)
    array[:] = series
    return array


@settings(max_examples=50, deadline=None)
@given(ragged_arrays())
def test_padding_keeps_every_value_and_adds_only_zeros_at_the_right(series):
    padded = as_padded(series)
    assert padded.values.dtype == np.float32
    lengths = [len(one) for one in series]
    if len(set(lengths)) == 1:
        assert padded.lengths is None
    else:
        assert padded.lengths.tolist() == lengths
        assert padded.lengths.dtype == np.int32
    for row, one in zip(padded.values, series, strict=True):
        np.testing.assert_array_equal(row[: len(one)], one.astype(np.float32))
        assert not row[len(one) :].any()


@settings(max_examples=30, deadline=None)
@given(ragged_arrays(), st.randoms(use_true_random=False))
def test_choosing_series_commutes_with_listing_them(series, random):
    index = [random.randrange(len(series)) for _ in range(4)]
    chosen = as_sequences(series)[index]
    for got, i in zip(chosen, index, strict=True):
        np.testing.assert_array_equal(got, series[i])


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        object_array,
        as_sequences,
        lambda series: [one.tolist() for one in series],
        lambda series: [np.asfortranarray(one) for one in series],
        lambda series: [pd.DataFrame(one) for one in series],
        lambda series: [pl.DataFrame(one) for one in series],
    ],
)
def test_every_form_of_unequal_series_gives_the_same_array(form):
    padded = as_padded(form(RAGGED))
    expected = as_padded(RAGGED)
    np.testing.assert_array_equal(padded.values, expected.values)
    assert padded.lengths.tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    "form",
    [
        np.asarray,
        np.asfortranarray,
        np.ndarray.tolist,
        pd.DataFrame,
        pl.DataFrame,
        list,
        lambda X: X[:, :, None],
        lambda X: X.astype(object),
        lambda X: object_array(list(X)),
        lambda X: X.astype(int),
    ],
)
def test_every_form_of_equal_series_gives_the_same_array(form):
    X = np.arange(12.0).reshape(3, 4)
    padded = as_padded(form(X))
    assert padded.lengths is None
    np.testing.assert_array_equal(padded.values, X[:, :, None])


def test_the_input_is_neither_changed_nor_needs_to_be_writable():
    X = np.array([[1.0, np.nan, 3.0]])
    X.flags.writeable = False
    padded = as_padded(X, missing="interpolate")
    assert padded.values.ravel().tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(X[0, 1])


def test_data_frames_with_nulls_are_missing_values():
    frame = pl.DataFrame({"t0": [1.0, None], "t1": [2, 4]})
    with pytest.raises(DataError, match="NaN at series 1, step 0"):
        as_padded(frame)
    assert as_padded(frame, missing="interpolate").values[1].ravel().tolist() == [4.0, 4.0]


def test_interpolation_is_linear_in_each_series_and_channel_with_ends_held():
    nan = np.nan
    values = np.array([[nan, 0.0], [1.0, nan], [nan, nan], [3.0, 6.0], [nan, 7.0], [9.0, nan]])
    filled = fill_missing(values, np.array([0, 4, 6]), "interpolate")
    expected = [[1.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [9.0, 7.0], [9.0, 7.0]]
    np.testing.assert_allclose(filled, expected)


@settings(max_examples=50, deadline=None)
@given(
    ragged_arrays(
        elements=st.one_of(st.just(np.nan), st.floats(-100, 100, width=32)), max_features=2
    )
)
def test_interpolation_agrees_with_numpy(series):
    sequences = as_sequences(series)
    if any(np.isnan(one).all(axis=0).any() for one in series):
        with pytest.raises(DataError, match="at least one value in every channel"):
            filled_as(sequences, "interpolate")
        return
    for one, filled in zip(series, filled_as(sequences, "interpolate"), strict=True):
        steps = np.arange(len(one))
        for channel in range(one.shape[1]):
            known = ~np.isnan(one[:, channel])
            expected = np.interp(steps, steps[known], one[known, channel])
            np.testing.assert_allclose(filled[:, channel], expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    ragged_arrays(
        elements=st.one_of(st.just(np.nan), st.floats(-100, 100, width=32)), max_features=2
    )
)
def test_the_indicator_holds_the_last_value_as_pandas_does_and_marks_the_gap(series):
    width = series[0].shape[1]
    for one, filled in zip(series, filled_as(as_sequences(series), "indicator"), strict=True):
        expected = pd.DataFrame(one).ffill().bfill().fillna(0.0).to_numpy()
        np.testing.assert_array_equal(filled[:, :width], expected)
        np.testing.assert_array_equal(filled[:, width:], np.isnan(one))


@pytest.mark.parametrize("missing", ["interpolate", "indicator"])
def test_what_fills_a_gap_does_not_depend_on_the_other_series(missing):
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(n, 2)) for n in (5, 7, 6)]
    for one in series:
        one[rng.integers(0, 5), rng.integers(0, 2)] = np.nan
    together = as_padded(series, missing=missing).values
    for row, one in some(zip(together, series, strict=True)):
        np.testing.assert_array_equal(row[: len(one)], as_padded([one], missing=missing).values[0])


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (np.ones(3), ValueError, "Reshape your data"),
        ([1.0, 2.0], ValueError, "Reshape your data"),
        (np.ones((2, 2, 2, 2)), DataError, "2 dimensions"),
        (np.ones((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.ones((12, 0)), ValueError, r"0 feature\(s\) \(shape=\(12, 0\)\) while a minimum of 1"),
        (np.ones((2, 3, 0)), DataError, "at least one feature"),
        (scipy.sparse.csr_matrix(np.eye(2)), TypeError, "Sparse data"),
        (np.ones((2, 2)) * 1j, ValueError, "Complex data not supported"),
        (np.array([[{"a": 1}, 2.0]], dtype=object), TypeError, "argument must be .* string.* num"),
        (np.array([["a", "b"]]), TypeError, "numeric"),
        (pd.DataFrame({"t0": ["a"], "t1": [1.0]}), TypeError, "column 't0' must be numeric"),
        (pl.DataFrame({"t0": ["a"], "t1": [1.0]}), TypeError, "column 't0' must be numeric"),
        ("text", TypeError, "got 'str'"),
        ({"a": 1}, TypeError, "got 'dict'"),
        (None, TypeError, "NoneType"),
        ([np.ones((2, 2)), np.ones((3, 3))], DataError, "series 1 must be of 2 features"),
        ([np.ones((2, 2)), np.ones((0, 2))], DataError, "got 0 in series 1"),
        ([np.ones(2), np.array(["a", "b", "c"])], TypeError, "series 1 must be a numeric array"),
        (np.array([[1.0, 2.0], [np.nan, 1.0]]), DataError, "NaN at series 1, step 0"),
        (np.array([[1.0, 2.0], [1.0, -np.inf]]), DataError, "inf .* at series 1, step 1"),
        (np.array([[1.0, 1e300]]), DataError, "too large for float32 at series 0, step 1"),
        ([np.ones(2), np.array([1.0, 2.0, np.nan])], DataError, "NaN at series 1, step 2"),
    ],
)
def test_bad_input_is_named(X, kind, message):
    with pytest.raises(kind, match=message) as caught:
        as_padded(X, where="SequenceClassifier")
    print(caught.value)


@pytest.mark.parametrize("missing", MISSING)
def test_an_infinity_is_never_repaired(missing):
    with pytest.raises(DataError, match="infinity is no missing value"):
        as_padded(np.array([[1.0, np.inf]]), missing=missing)


def test_errors_name_series_and_features_by_their_names():
    sequences = as_sequences([np.ones((2, 2)), np.array([[1.0, np.nan]])], ids=np.array(["a", "b"]))
    with pytest.raises(DataError, match="series 'b', step 0, feature 'f1'"):
        as_padded(sequences)
    with pytest.raises(DataError, match="at least 2 steps long; got 1 in series 'b'"):
        as_padded(sequences, min_length=2)
    with pytest.raises(ValueError, match="did you mean 'interpolate'"):
        as_padded(sequences, missing="interpolat")


def test_sequences_check_themselves():
    for offsets in ([0, 2], [1, 3], [0, 2, 1, 3], []):
        with pytest.raises(DataError, match="offsets must be"):
            Sequences(np.ones((3, 1)), np.array(offsets), ("a",))
    with pytest.raises(DataError, match="values must be"):
        Sequences(np.ones((3, 2)), np.array([0, 3]), ("a",))
    for name in ("y", "ids", "groups", "parts", "times"):
        with pytest.raises(DataError, match=f"{name} must be of length"):
            Sequences(np.ones((3, 1)), np.array([0, 3]), ("a",), **{name: np.ones(2)})
    with pytest.raises(DataError, match="did you mean 'speed'"):
        Sequences(np.ones((3, 1)), np.array([0, 3]), ("speed",)).select(["sped"])


def test_sequences_choose_with_slices_masks_and_numbers():
    s = as_sequences(RAGGED, y=np.array(["a", "b", "c"]), groups=np.array([0, 0, 1]),
                     times=np.arange(6))  # fmt: skip
    for which in (slice(1, None), [1, 2], np.array([False, True, True])):
        chosen = s[which]
        assert chosen.y.tolist() == ["b", "c"]
        assert chosen.times.tolist() == [2, 3, 4, 5]
        assert chosen.lengths.tolist() == [3, 1]
    assert s[-1].ids.tolist() == [2]
    assert len(s[[]]) == 0
    assert isinstance(s.X, list)
    assert s[[0]].X.shape == (1, 2, 2)
    with pytest.raises(IndexError):
        s[3]


def test_concatenation_undoes_the_choice():
    s = as_sequences(RAGGED, y=np.array([1, 2, 3]), ids=np.array(["a", "b", "c"]))
    again = concatenate([s[:1], s[1:]])
    np.testing.assert_array_equal(again.values, s.values)
    assert again.ids.tolist() == ["a", "b", "c"]
    assert concatenate([s, s]).ids.tolist() == list(range(6))
    with pytest.raises(DataError, match="the same in every part"):
        concatenate([s, s.select(["f0"])])
