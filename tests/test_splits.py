from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqkit.data.sequences import Sequences
from seqkit.data.splits import SPLITS, check_classes, check_same_labels, split
from seqkit.errors import DataError


def series(n, **columns):
    """n series of 2 steps."""
    return Sequences(np.zeros((2 * n, 1)), 2 * np.arange(n + 1), ("a",), **columns)


def full(n, seed=0):
    rng = np.random.default_rng(seed)
    return series(n, y=np.arange(n) % 3, groups=rng.integers(0, 6, n), times=rng.permutation(2 * n))


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(list(SPLITS)),
    st.integers(20, 80),
    st.sampled_from([0.0, 0.2, 0.3]),
    st.sampled_from([0.0, 0.25]),
    st.integers(0, 5),
)
def test_every_series_is_in_one_part_and_the_seed_decides(method, n, validation, test, seed):
    s = full(n, seed)
    parts = split(s, method, validation, test, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert (parts.test.size > 0) == (test > 0)
    assert (parts.validation.size > 0) == (validation > 0)
    again = split(s, method, validation, test, seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))
    if method == "group":
        seen = [set(s.groups[part].tolist()) for part in parts]
        assert not (seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2])
    else:
        assert parts.test.size == round(n * test)
    if method == "stratified":
        for part in parts:
            counts = np.bincount(s.y[part], minlength=3)
            assert counts.max() - counts.min() <= 2
    if method == "time":
        ends = s.times[s.offsets[1:] - 1]
        for early, late in ((parts.train, parts.validation), (parts.train, parts.test)):
            assert not late.size or ends[early].max() < ends[late].min()


def test_random_splits_differ_by_seed():
    assert not np.array_equal(split(full(50), seed=0).test, split(full(50), seed=1).test)


def test_parts_named_in_the_file_hold():
    parts = np.array(["train"] * 8 + ["test"] * 4)
    got = split(series(12, parts=parts), validation=0.25)
    assert got.test.tolist() == [8, 9, 10, 11]
    assert got.validation.size == 2
    named = np.array(["train", "validation", "test", "train"])
    assert [p.tolist() for p in split(series(4, parts=named))] == [[0, 3], [1], [2]]
    with pytest.raises(DataError, match="file names its test part"):
        split(series(4, parts=named), test=0.2)


def test_without_stamps_time_is_the_order_of_the_file():
    assert [p.tolist() for p in split(series(5), "time", 0.25, 0.2)] == [[0, 1, 2], [3], [4]]


def test_no_series_shares_its_group_even_where_one_group_is_large():
    s = series(20, groups=np.array([0] * 17 + [1, 2, 3]))
    for seed in range(10):
        parts = split(s, "group", 0.0, 0.1, seed)
        assert 0 < parts.test.size < 20
        assert set(s.groups[parts.test]).isdisjoint(s.groups[parts.train])


@pytest.mark.parametrize(
    ("sequences", "arguments", "message"),
    [
        (full(9), {"method": "startified"}, "did you mean 'stratified'"),
        (full(9), {"test": 1.0}, "test must be a fraction from 0 to below 1; got 1.0"),
        (full(9), {"validation": -0.1}, "validation must be a fraction"),
        (series(1), {}, "the number of series must be at least 2 to hold a test part back; got 1"),
        (series(2), {}, "at least 2 to hold a validation part back; got 1. Set split.validation"),
        (series(9), {"method": "group"}, "Name the column as data.group"),
        (series(9, groups=np.zeros(9)), {"method": "group"}, "the number of groups must be at lea"),
        (series(9), {"method": "stratified"}, "of classes; got 'none'"),
        (series(9, y=np.arange(9) / 2), {"method": "stratified"}, "of classes; got 'numbers"),
        (
            series(9, y=np.array(["run"] * 8 + ["fall"])),
            {"method": "stratified"},
            "at least 2 in every class for a test part; got 1 in class 'fall'",
        ),
        (
            series(20, y=np.arange(20) % 10),
            {"method": "stratified", "test": 0.2},
            "each of the 10 classes; got 0.2. Use a fraction of at least 0.5",
        ),
        (series(3, parts=np.array(["test"] * 3)), {"validation": 0.0}, "the training part must be"),
    ],
)
def test_bad_splits(sequences, arguments, message):
    with pytest.raises(DataError, match=message) as caught:
        split(sequences, **arguments)
    print(caught.value)


def test_labels_are_checked():
    check_classes(np.array([0, 1]))
    with pytest.raises(DataError, match=r"two or more classes; got \['run'\]"):
        check_classes(np.array(["run", "run"]))
    check_same_labels(["a", "b"], ["b"])
    with pytest.raises(DataError, match="got 'c' in 2 series"):
        check_same_labels(["a", "b"], ["b", "c", "c"])
    with pytest.raises(DataError, match="numbers in one file and text in the other"):
        check_same_labels(np.array([1, 2]), np.array(["1", "2"]))


def test_a_stratified_part_may_hold_one_series_of_each_class_and_no_more():
    s = series(20, y=np.arange(20) % 10)
    parts = split(s, "stratified", 0.0, 0.5)
    assert sorted(s.y[parts.test].tolist()) == list(range(10))
