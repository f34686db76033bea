"""A description of data finds what was put into them, and nothing in data that are clean."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some
from hypothesis import given
from hypothesis import strategies as st

from seqkit.cli import cli
from seqkit.data.describing import (
    DISTINCT,
    RUN,
    SeriesPart,
    column_facts,
    duplicates,
    outliers,
    shared_runs,
)


def part(name, *series, ids=None):
    series = [np.asarray(one, dtype=float).reshape(len(one), -1) for one in series]
    features = tuple(f"f{i}" for i in range(series[0].shape[1]))
    offsets = np.r_[0, np.cumsum([len(one) for one in series])]
    return SeriesPart(name, np.concatenate(series), offsets, features, ids or range(len(series)))


@given(seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3))
def test_far_values_are_those_whatever_the_unit(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=200)
    x[[3, 150]] = [60, -80]
    found = outliers(scale * (x + shift))
    assert np.flatnonzero(found).tolist() == [3, 150]
    assert found.argmax() == 150


def test_nothing_is_far_out_of_a_normal_variable_or_of_a_switch():
    assert not outliers(np.random.default_rng(0).normal(size=100_000)).any()
    assert not outliers(np.r_[np.zeros(90), np.ones(10)]).any()
    assert not outliers([np.nan, np.nan]).any()


def test_series_of_different_levels_are_not_far_out_of_each_other():
    rng = np.random.default_rng(0)
    levels = part("data", *(rng.normal(size=50) + level for level in (0, 0, 0, 1000)))
    assert column_facts(levels, each=True)[0].outliers == 0
    assert column_facts(levels)[0].outliers == 50


def test_facts_of_a_column():
    facts = column_facts(part("data", [[1, 5], [np.nan, 5]], [[3, 5]]))
    assert (facts[0].missing, facts[0].distinct, facts[0].middle) == (1, 2, 2)
    assert not facts[0].constant
    assert facts[1].constant


@given(
    n_train=st.integers(1, 8),
    n_test=st.integers(1, 8),
    same=st.data(),
)
def test_duplicates_are_found_across_parts(n_train, n_test, same):
    rng = np.random.default_rng(0)
    train = [rng.normal(size=rng.integers(3, 6)) for _ in range(n_train)]
    test = [rng.normal(size=rng.integers(3, 6)) for _ in range(n_test)]
    i = same.draw(st.integers(0, n_train - 1))
    k = same.draw(st.integers(0, n_test - 1))
    assert duplicates([part("train", *train), part("test", *test)]) == []
    test[k] = train[i]
    found = duplicates([part("train", *train), part("test", *test)])
    assert found == [[("train", i), ("test", k)]]


@given(seed=st.integers(0, 500), length=st.integers(RUN - 3, RUN + 5), features=st.integers(1, 3))
def test_runs_that_are_shared_are_found_from_their_length_on(seed, length, features):
    rng = np.random.default_rng(seed)
    recording = rng.normal(size=(40, features))
    train = part("train", rng.normal(size=(30, features)), recording[:25])
    start = 25 - length
    test = part("test", rng.normal(size=(25, features)), recording[start : start + 35])
    assert shared_runs(train, test) == ([1] if length >= RUN else [])


def test_runs_are_found_in_every_chunk(monkeypatch):
    monkeypatch.setattr("seqkit.data.describing.CHUNK", 7)
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    test = part("test", rng.normal(size=30), x[20:50], np.tile([0.0, 1.0], 20))
    assert shared_runs(part("train", x, np.tile([0.0, 1.0], 20)), test) == [1]


def test_runs_of_a_switch_and_across_series_do_not_count():
    switch = np.tile([0.0, 1.0], 20)
    assert len(np.unique(switch)) < DISTINCT
    assert shared_runs(part("train", switch), part("test", switch)) == []
    x = np.random.default_rng(0).normal(size=20)
    # the run stands in the training part, but its steps are of two series
    assert shared_runs(part("train", x[:10], x[10:]), part("test", x)) == []
    assert shared_runs(part("train", x), part("test", x)) == [0]


# files ----------------------------------------------------------------------------------------


def call(*arguments, status=0):
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


def kinds(document):
    return {finding["title"] for finding in document["findings"]}


def daily(n=90):
    rng = np.random.default_rng(0)
    t = np.arange(n)
    frames = [
        pd.DataFrame(
            {
                "shop": name,
                "day": pd.date_range("2024-01-01", periods=n),
                "sold": level + 5 * np.sin(2 * np.pi * t / 7) + rng.normal(size=n),
                "price": rng.normal(size=n),
            }
        )
        for name, level in (("a", 50), ("b", 90), ("c", 20))
    ]
    return pd.concat(frames, ignore_index=True)


def described(frame, path, *options):
    frame.to_csv(path, index=False)
    return json.loads(call("describe", path, "--json", *options))


def test_clean_series_have_no_findings(tmp_path):
    document = described(daily(), tmp_path / "d.csv", "--target", "sold")
    assert document["task"] == "forecasting"
    assert document["findings"] == []
    assert document["facts"]["frequency"].startswith("D ")
    assert document["facts"]["stamps"] == "data 2024-01-01 to 2024-03-30"
    (sizes,) = document["parts"]
    assert (sizes["rows"], sizes["series"], sizes["median"]) == (270, 3, 90)
    assert [column["column"] for column in document["columns"]] == ["sold", "price"]


def test_gaps_far_values_constant_columns_and_duplicate_series_are_found(tmp_path):
    frame = daily()
    frame.loc[200, "sold"] = 9999.0
    frame["price"] = 1.5
    copy = frame[frame["shop"] == "a"].assign(shop="again")
    frame = pd.concat([frame, copy]).reset_index(drop=True)
    frame = frame.drop(index=[100, 101])
    document = described(frame, tmp_path / "d.csv", "--target", "sold")
    found = {finding.get("code"): finding["sentence"] for finding in document["findings"]}
    assert "2 time stamps are absent" in found["SQ115"]
    assert "in 1 series: b" in found["SQ115"]
    # they are neither rows nor missing values
    [sizes] = document["parts"]
    assert (sizes["rows"], sizes["absent"], sizes["longest"]) == (len(frame), 2, 90)
    assert {column["missing"] for column in document["columns"]} == {0}
    assert "the farthest is 9999 in series c, step 20" in found["SQ109"]
    assert "in the data part: price." in found["SQ107"]
    assert "1 series of the data part are the same as another" in found["SQ104"]


def test_duplicate_rows_and_what_cannot_be_read_are_findings_and_no_error(tmp_path):
    frame = daily()
    frame = pd.concat([frame, frame.iloc[:4]])
    document = described(frame, tmp_path / "d.csv", "--target", "sold", "--series-id", "shop")
    assert "cannot be learned from yet" in kinds(document)
    assert "duplicate rows" in kinds(document)
    assert [f["sentence"] for f in document["findings"] if f["title"] == "duplicate rows"] == [
        "4 rows are the same as an earlier one in every column"
    ]


def test_leaks_between_files_and_rare_classes_are_found(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 30))
    columns = [f"t{i}" for i in range(30)]
    train = pd.DataFrame(X[:30], columns=columns).assign(label=["a"] * 26 + ["b"] * 4)
    tested = np.concatenate([X[30:38], X[:2], np.roll(X[5:6], 10, axis=1)])
    test = pd.DataFrame(tested, columns=columns).assign(label=list("aabbaabbabb"))
    train.to_csv(tmp_path / "x_TRAIN.csv", index=False)
    test.to_csv(tmp_path / "x_TEST.csv", index=False)
    document = json.loads(call("describe", tmp_path / "x_TRAIN.csv", "--json"))
    found = {finding.get("code"): finding["sentence"] for finding in document["findings"]}
    assert found["SQ101"].startswith("2 series of the test part are in the training part, too")
    assert found["SQ102"].startswith("1 series of the test part share 16 steps")
    (balance,) = [f for f in document["findings"] if f.get("code") == "SQ112"]
    assert "b (4)" in balance["sentence"]
    assert balance["mend"] == "train.class_weight: balanced"
    assert document["classes"] == {"a": {"train": 26, "test": 5}, "b": {"train": 4, "test": 6}}


def test_a_file_that_does_not_tell_what_to_learn_is_described(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 30)))
    document = described(frame.add_prefix("t"), tmp_path / "d.csv")
    assert document["task"] is None
    assert "--target" in document["findings"][0]["sentence"]


@pytest.mark.parametrize("width", [60, 80])
def test_text_fits_the_terminal(width, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    frame = daily()
    frame.loc[200, "sold"] = 9999.0
    frame.to_csv(tmp_path / "d.csv", index=False)
    monkeypatch.chdir(tmp_path)
    for data in ("d.csv", "gunpoint", "japanese_vowels", "airline"):
        text = call("describe", data)
        # a path has no place to break at
        assert (
            max(len(line) for line in some(text.splitlines()) if str(tmp_path) not in line) <= width
        )
    assert "SQ109 Values far out" in call("describe", "d.csv", "--target", "sold")
    # no number is broken, and what is left out is said
    frame["price"] = -123_456.5
    frame.to_csv("d.csv", index=False)
    text = call("describe", "d.csv", "--target", "sold")
    assert " -123456 " in text or "-123457" in text
    assert ("too narrow for: distinct" in text) == (width == 60)


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_the_page_is_self_contained_and_escapes_names(tmp_path):
    frame = daily()
    frame["shop"] = frame["shop"].replace({"c": "<script>alert(1)</script>"})
    frame.loc[200, "sold"] = 9999.0
    frame.to_csv(tmp_path / "d.csv", index=False)
    call("describe", tmp_path / "d.csv", "--target", "sold", "-o", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    page = Links(text)
    assert not {"script", "link", "img", "iframe"} & {*page.tags}
    assert not {"href", "src", "onclick"} & {*page.attributes}
    assert "&lt;script&gt;" in text
    assert not re.search(r"url\(|@import", text)
    assert "9999" in text
    message = call("describe", tmp_path / "d.csv", "-o", tmp_path / "no/page.html", status=2)
    assert "cannot be written" in message


def test_check_describes_the_data_of_a_recipe(tmp_path):
    call("init", "gunpoint", "-o", tmp_path / "r.yaml")
    text = call("check", tmp_path / "r.yaml", "--data", "--describe")
    assert "series of each class" in text
    assert text.rstrip().endswith("no errors")
    document = json.loads(call("check", tmp_path / "r.yaml", "--describe", "--json"))
    assert document["description"]["classes"]["1"] == {"train": 24, "test": 76}
