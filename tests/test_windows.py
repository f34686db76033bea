from __future__ import annotations

import numpy as np
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.data.frames import panel_from_arrays
from seqkit.data.windows import WindowSource, count_windows, training_panel
from seqkit.errors import DataError
from seqkit.training import Source


def taken(source, index=None):
    index = np.arange(source.n_examples) if index is None else index
    return source.take(index)


@given(
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=6),
    context=st.integers(1, 9),
    horizon=st.integers(1, 5),
    step=st.integers(1, 4),
    n_future=st.integers(0, 2),
)
@settings(max_examples=15, deadline=None)
def test_taking_is_slicing(lengths, context, horizon, step, n_future):
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(n, 2 + n_future)).astype(np.float32) for n in lengths]
    panel = panel_from_arrays(series, targets=[0], future=range(2, 2 + n_future))
    source = WindowSource(panel, context, horizon, origins="all", step=step)
    windows = []
    for one in series:
        origins = list(range(len(one) - 1, context - 2, -step))[::-1]
        windows += [(one, t) for t in origins]
    assert source.n_examples == len(windows)
    if not windows:
        return
    inputs, y, weight = taken(source)
    assert weight is None
    for i, (one, t) in some(enumerate(windows)):
        np.testing.assert_array_equal(inputs["x"][i], one[t - context + 1 : t + 1])
        ahead = one[t + 1 : t + 1 + horizon]
        np.testing.assert_array_equal(y[i, : len(ahead)], ahead[:, :1])
        if n_future:
            np.testing.assert_array_equal(inputs["future"][i, : len(ahead)], ahead[:, 2:])
    series_of, rows = source.rows(np.arange(source.n_examples))
    assert rows.tolist() == [
        panel.offsets[s] + t for s, (_, t) in zip(series_of, windows, strict=True)
    ]


def test_training_windows_lie_inside_their_series():
    panel = panel_from_arrays([np.arange(12.0), np.arange(100.0, 120.0)])
    source = WindowSource(panel, 5, 3)
    assert isinstance(source, Source)
    inputs, y, _ = taken(source)
    assert source.n_examples == (12 - 7) + (20 - 7)
    assert "lengths" not in inputs
    joined = np.concatenate([inputs["x"], y], 1)[:, :, 0]
    assert (np.diff(joined, axis=1) == 1).all()


@given(
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=6),
    context=st.integers(1, 9),
    horizon=st.integers(1, 5),
)
@settings(max_examples=50, deadline=None)
def test_windows_are_counted_without_being_made(lengths, context, horizon):
    panel = panel_from_arrays([np.arange(float(n)) for n in lengths])
    made = WindowSource(panel, context, horizon).n_examples
    assert count_windows(np.array(lengths), context, horizon) == made


def test_a_shorter_context_is_seen_where_it_may_be():
    """As many windows as with that context, padded to the longer one."""
    panel = panel_from_arrays([np.arange(1.0, 8.0), np.arange(11.0, 14.0)])
    source = WindowSource(panel, 6, 2, origins="all", shortest=3, targets=False)
    inputs = source.take(np.arange(source.n_examples))[0]
    assert source.n_examples == WindowSource(panel, 3, 2, origins="all").n_examples == 6
    assert inputs["lengths"].tolist() == [3, 4, 5, 6, 6, 3]
    assert inputs["x"][1, :, 0].tolist() == [0, 0, 1, 2, 3, 4]
    assert inputs["x"][-1, :, 0].tolist() == [0, 0, 0, 11, 12, 13]


def test_short_series_are_padded_on_the_left():
    panel = panel_from_arrays([np.arange(1.0, 8.0), np.arange(100.0, 120.0)])
    source = WindowSource(panel, 10, 3)
    inputs, y, _ = taken(source)
    # 7 steps leave 4 for a context: windows of at least half of that
    assert inputs["lengths"].tolist()[:3] == [2, 3, 4]
    assert inputs["x"][0, :, 0].tolist() == [0] * 8 + [1, 2]
    assert y[0, :, 0].tolist() == [3, 4, 5]
    assert inputs["x"][2, :, 0].tolist() == [0] * 6 + [1, 2, 3, 4]
    assert (inputs["lengths"][3:] == 10).all()


def test_last_windows_take_series_of_any_length():
    panel = panel_from_arrays([np.arange(1.0, 3.0), np.arange(100.0, 120.0)])
    inputs, y, _ = taken(WindowSource(panel, 4, 2, origins="last", targets=False))
    assert y is None
    assert inputs["x"][:, :, 0].tolist() == [[0, 0, 1, 2], [116, 117, 118, 119]]
    assert inputs["lengths"].tolist() == [2, 4]


def test_targets_come_in_the_space_of_their_window():
    panel = panel_from_arrays(np.array([1.0, 3.0, 5.0, 7.0]))
    one = {"offset": np.array([2.0]), "scale": np.array([4.0])}
    found = {
        kind: taken(WindowSource(panel, 2, 1, normalize=kind, **one))[1][0, 0, 0]
        for kind in ("none", "last", "standard")
    }
    assert found == {"none": 0.75, "last": 0.5, "standard": 3.0}  # of 5 after 1, 3


def test_missing_targets_have_no_weight():
    values = np.arange(10.0)
    values[[4, 7]] = np.nan
    panel = panel_from_arrays(values, missing="interpolate")
    _, y, weight = taken(WindowSource(panel, 2, 2))
    assert (weight[:, :, 0] == 0).sum() == 4
    assert np.isfinite(y).all()


def test_a_window_that_ends_in_a_gap_does_not_see_its_far_end():
    values = np.arange(12.0)
    values[[5, 6, 7]] = np.nan
    for change in (0.0, 1000.0):
        later = values.copy()
        later[8:] += change
        panel = panel_from_arrays(later, missing="interpolate")
        inputs, _, _ = taken(WindowSource(panel, 4, 2, origins="all"))
        at_six = inputs["x"][6 - 3, :, 0]
        assert at_six.tolist() == [3, 4, 4, 4]
    assert taken(WindowSource(panel, 4, 2, origins="all"))[0]["x"][8 - 3, 1:3, 0].min() > 4


def test_series_that_teach_nothing_are_named():
    panel = panel_from_arrays([np.zeros(3), np.zeros(9)])
    kept, notes = training_panel(panel, 4)
    assert len(kept) == 1
    assert "0 (3 steps)" in notes[0]
    with pytest.raises(DataError, match="at least 10"):
        training_panel(panel, 9)


def test_windows_are_not_copied_out():
    panel = panel_from_arrays(np.zeros(100_000, np.float32))
    source = WindowSource(panel, 500, 100)
    assert source.n_examples == 100_000 - 599
    assert sum(array.nbytes for array in source.arrays.values()) < 1.01 * panel.values.nbytes
    assert np.shares_memory(source.arrays["values"], panel.values)


def test_a_series_of_one_context_and_one_horizon_is_one_whole_window():
    panel = panel_from_arrays([np.arange(8.0)])
    source = WindowSource(panel, 5, 3)
    assert (source.n_examples, source.padded) == (1, False)
    shorter = WindowSource(panel_from_arrays([np.arange(7.0)]), 5, 3)
    assert shorter.padded
