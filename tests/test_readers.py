from __future__ import annotations

import gzip
import logging
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqkit.data.dates import date_format_names
from seqkit.data.readers import READERS, find_files, read_frame, read_sequences, reader_of
from seqkit.data.sequences import Sequences
from seqkit.errors import DataError
from seqkit.recipe.data_sections import DATE_NUMBERS

ROUND_TRIP = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def labelled(draw, max_features=3):
    """Series of random lengths with text labels; every float, but no NaN at an end."""
    width = draw(st.integers(1, max_features))
    floats = st.floats(allow_nan=False, allow_infinity=False)
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    arrays = [draw(hnp.arrays(np.float64, (n, width), elements=floats)) for n in lengths]
    gaps = [draw(hnp.arrays(np.bool_, (n, width))) for n in lengths]
    for array, gap in zip(arrays, gaps, strict=True):
        gap[-1] = False
        array[gap] = np.nan
    labels = draw(
        st.lists(
            st.sampled_from(["run", "rest", "NA", "None", "2nd"]),
            min_size=len(arrays),
            max_size=len(arrays),
        )
    )
    names = ("value",) if width == 1 else tuple(f"channel_{i}" for i in range(width))
    return Sequences(
        np.concatenate(arrays),
        np.concatenate([[0], np.cumsum(lengths)]),
        names,
        y=np.array(labels),
        ids=np.array([f"s{i}" for i in range(len(arrays))]),
    )


def write_ts(s, path):
    lines = ["# a comment", "@problemName test", "@timeStamps false", "@missing true"]
    lines += [f"@dimensions {len(s.features)}", "@classLabel true run rest NA None 2nd", "@data"]
    for series, label in zip(s, s.y, strict=True):
        channels = [",".join("?" if np.isnan(v) else repr(float(v)) for v in c) for c in series.T]
        lines.append(":".join([*channels, label]))
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_tsv(s, path):
    longest = max(s.lengths)
    lines = []
    for series, label in zip(s, s.y, strict=True):
        cells = [repr(float(v)) for v in series[:, 0]] + ["NaN"] * (longest - len(series))
        lines.append("\t".join([label, *cells]))
    text = "\n".join(lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def long_table(s, interleaved):
    frame = pd.DataFrame(s.values, columns=list(s.features))
    frame.insert(0, "trial", np.repeat(s.ids, s.lengths))
    frame["time"] = np.concatenate([np.arange(n) for n in s.lengths])
    frame["label"] = np.repeat(s.y, s.lengths)
    return frame.sort_values("time", kind="stable") if interleaved else frame


def wide_table(s):
    longest = max(s.lengths)
    rows = [[*series[:, 0], *[np.nan] * (longest - len(series))] for series in s]
    frame = pd.DataFrame(rows, columns=[f"t{i}" for i in range(longest)])
    frame.insert(0, "trial", s.ids)
    frame["label"] = s.y
    return frame


def write_table(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)


def assert_same(got, expected, ids=True):
    np.testing.assert_array_equal(got.values, expected.values)
    assert got.offsets.tolist() == expected.offsets.tolist()
    assert got.y.tolist() == expected.y.tolist()
    if ids:
        assert got.ids.tolist() == expected.ids.tolist()


@ROUND_TRIP
@given(labelled(), st.sampled_from([".ts", ".ts.gz"]))
def test_ts_round_trip(tmp_path, s, ending):
    write_ts(s, tmp_path / f"x{ending}")
    got = read_sequences(tmp_path / f"x{ending}", missing="interpolate")
    assert got.features == s.features
    assert_same(got, s, ids=False)


@ROUND_TRIP
@given(labelled(max_features=1), st.sampled_from([".tsv", ".tsv.gz"]))
def test_tsv_round_trip(tmp_path, s, ending):
    write_tsv(s, tmp_path / f"x{ending}")
    assert_same(read_sequences(tmp_path / f"x{ending}", missing="interpolate"), s, ids=False)


@ROUND_TRIP
@given(labelled(), st.sampled_from([".csv", ".csv.gz", ".parquet"]), st.booleans())
def test_long_round_trip(tmp_path, s, ending, interleaved):
    path = tmp_path / f"x{ending}"
    write_table(long_table(s, interleaved), path)
    got = read_sequences(
        path, series_id="trial", time="time", target="label", missing="interpolate"
    )
    assert got.features == s.features
    assert_same(got, s)
    assert got.times.tolist() == [t for n in s.lengths for t in range(n)]


@ROUND_TRIP
@given(labelled(max_features=1), st.sampled_from([".csv", ".csv.gz", ".parquet"]))
def test_wide_round_trip(tmp_path, s, ending):
    path = tmp_path / f"x{ending}"
    write_table(wide_table(s), path)
    got = read_sequences(
        path, layout="wide", series_id="trial", target="label", missing="interpolate"
    )
    assert_same(got, s)


@ROUND_TRIP
@given(labelled())
def test_npz_round_trip(tmp_path, s):
    X = np.full((len(s), max(s.lengths), len(s.features)), np.nan)
    for row, series in zip(X, s, strict=True):
        row[: len(series)] = series
    arrays = {"lengths": s.lengths, "y": s.y, "id": s.ids, "features": np.array(s.features)}
    np.savez(tmp_path / "x.npz", X=X, **arrays)
    got = read_sequences(tmp_path / "x.npz", missing="interpolate")
    assert got.features == s.features
    assert_same(got, s)


SHAPES = {  # train series, test series, channels, shortest, longest, classes
    "ArrowHead": (36, 175, 1, 251, 251, 3),
    "BasicMotions": (40, 40, 6, 100, 100, 4),
    "ElectricDevices": (8926, 7711, 1, 96, 96, 7),
    "Epilepsy": (137, 138, 3, 206, 206, 4),
    "GunPoint": (50, 150, 1, 150, 150, 2),
    "ItalyPowerDemand": (67, 1029, 1, 24, 24, 2),
    "JapaneseVowels": (270, 370, 12, 7, 29, 9),
    "OSULeaf": (200, 242, 1, 427, 427, 6),
    "SyntheticControl": (300, 300, 1, 60, 60, 6),
    "Trace": (100, 100, 1, 275, 275, 4),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_classification_set_has_the_shape_its_readme_states(name, data_folder):
    folder = data_folder / "classification" / name
    if name == "Trace":
        both = read_sequences(folder / "Trace.npz")
        train, test = both[both.parts == "train"], both[both.parts == "test"]
    else:
        train, test = (read_sequences(folder / f"{name}_{part}.*") for part in ("TRAIN", "TEST"))
    lengths = np.concatenate([train.lengths, test.lengths])
    classes = set(train.y.tolist())
    assert classes == set(test.y.tolist())
    found = (len(train), len(test), len(train.features), lengths.min(), lengths.max(), len(classes))
    assert found == SHAPES[name]


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [
        ("Airline.csv", ["Date", "Passengers"], 144),
        ("ETTh1.csv", ["date", "OT"], 17420),
        ("pollution.csv", ["pm2.5", "cbwd"], 43824),
        ("co2_weekly.csv", ["date", "co2"], 2284),
        ("M4/Hourly-train.csv", ["V1"], 414),
    ],
)
def test_forecasting_tables_read_whole(name, columns, rows, data_folder):
    frame = read_frame(data_folder / "forecasting" / name, columns=columns)
    assert len(frame) == rows
    if name == "pollution.csv":
        assert frame["pm2.5"].isna().sum() == 2067


def test_a_glob_reads_many_files_and_keeps_their_series_apart(tmp_path):
    for name, label in (("walk_2", "run"), ("walk_1", "rest")):
        (tmp_path / f"{name}.csv").write_text(f"ax,label\n1,{label}\n2,{label}\n")
    got = read_sequences(str(tmp_path / "*.csv"), layout="long", target="label")
    assert got.ids.tolist() == ["walk_1", "walk_2"]
    assert got.y.tolist() == ["rest", "run"]
    wide = read_sequences([tmp_path / "walk_1.csv", tmp_path / "walk_2.csv"], target="label")
    assert wide.ids.tolist() == ["walk_1:0", "walk_1:1", "walk_2:0", "walk_2:1"]
    (tmp_path / "walk_3.csv").write_text("ay,label\n1,run\n")
    with pytest.raises(DataError, match=r"walk_3.csv: the features must be those of .*walk_1"):
        read_sequences(str(tmp_path / "*.csv"), layout="long", target="label")
    assert len(read_frame(str(tmp_path / "walk_[12].csv"))) == 4


def test_names_are_looked_for_in_each_folder_in_turn(tmp_path, monkeypatch):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "x.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert find_files("x.csv", ["beside", "."]) == [tmp_path.__class__("beside/x.csv")]
    odd = tmp_path / "odd[1].csv"
    odd.write_text("a\n1\n")
    assert find_files(str(odd)) == [odd]


def test_numeric_targets_groups_and_several_targets(tmp_path):
    ts = tmp_path / "x.ts"
    ts.write_text("@targetlabel true\n@data\n1,2:0.5\n3,4:-2\n")
    assert read_sequences(ts).y.tolist() == [0.5, -2.0]
    ts.write_text("@univariate true\n@classlabel false\n@data\n1,2\n3,4\n")
    assert read_sequences(ts).y is None
    csv = tmp_path / "x.csv"
    csv.write_text("id,g,a,p,q\n1,u,0,1,2.5\n2,v,0,3,4\n")
    got = read_sequences(csv, series_id="id", group="g", target=["p", "q"])
    assert got.y.tolist() == [[1.0, 2.5], [3.0, 4.0]]
    assert got.groups.tolist() == ["u", "v"]
    assert got.features == ("a",)
    got = read_sequences(csv, series_id="id", group="id", target="p", features=["q", "a"])
    assert got.features == ("q", "a")
    assert got.groups.tolist() == [1, 2]


def test_parquet_of_polars_and_of_nullable_columns(tmp_path):
    frame = pd.DataFrame({"id": ["a", "a"], "x": pd.array([1, None], "Int64"), "y": [True, True]})
    frame.to_parquet(tmp_path / "x.parquet")
    got = read_sequences(tmp_path / "x.parquet", series_id="id", target="y", missing="indicator")
    assert got.y.tolist() == [True]
    np.testing.assert_array_equal(got.values, [[1.0], [np.nan]])
    import polars as pl

    pl.from_pandas(frame).write_parquet(tmp_path / "y.parquet")
    again = read_sequences(tmp_path / "y.parquet", series_id="id", target="y", missing="indicator")
    np.testing.assert_array_equal(again.values, got.values)


def test_columns_left_out_are_logged(tmp_path, caplog):
    (tmp_path / "x.csv").write_text("id,a,note\n1,0,hot\n1,1,cold\n")
    with caplog.at_level(logging.WARNING):
        assert read_sequences(tmp_path / "x.csv", series_id="id").features == ("a",)
    assert "left out: note" in caplog.text


def long(text, **arguments):
    return ".csv", text, {"series_id": "id", **arguments}


BAD = {
    "unknown target": (*long("id,label\n1,a\n", target="lable"), "did you mean 'label'"),
    "unknown feature": (*long("id,speed\n1,2\n", features=["sped"]), "did you mean 'speed'"),
    "unknown series": (".csv", "trial,a\n1,2\n", {"series_id": "trail"}, "did you mean 'trial'"),
    "two roles": (*long("id,a\n1,2\n", target="a", features=["a"]), "another column than target"),
    "text feature": (*long("id,a\n1,2\n1,hot\n", features=["a"]), r"x.csv:3: feature 'a' .*'hot'"),
    "typing error": (*long("id,a\n1,2\n\n1,3\n1,4o\n"), r"x.csv:5: feature 'a' .*'4o'"),
    "text only": (*long("id,a\n1,u\n1,v\n"), "at least one numeric column"),
    "missing value": (*long("id,a\n1,2\n1,\n"), r"x.csv:3: a value must be present \(series 1, "
                      "step 1, feature 'a'"),
    "infinity": (*long("id,a\n1,2\n1,-inf\n", missing="indicator"), "x.csv:3: a value must be fin"),
    "same stamp": (*long("id,t,a\n1,2024-01-01,0\n1,2024-01-01,0\n", time="t"),
                   "x.csv:3: time 't' must be ascending within series 1; .*same time stamp twice"),
    "unsorted": (*long("id,t,a\n1,5,0\n2,1,0\n1,4,0\n", time="t"), "x.csv:4: time 't' .*earlier"),
    "no stamp": (*long("id,t,a\n1,2024-01-01,0\n1,soon,0\n", time="t"), "x.csv:3: .*time stamp"),
    "two formats": (*long("id,t,a\n1,01/13/2024,0\n1,13/12/2024,0\n", time="t"),
                    "x.csv:.*in one format for all rows"),
    "no format": (*long("id,t,a\n1,soon,0\n1,later,0\n", time="t"), "x.csv:2: .*in one format"),
    "label varies": (*long("id,y,a\n1,u,0\n2,u,0\n1,v,0\n", target="y"),
                     "x.csv:4: target 'y' must be the same in every row of series 1; got 'v'"),
    "group varies": (*long("id,g,a\n1,u,0\n1,v,0\n", group="g"), "x.csv:3: group 'g' must be the"),
    "no label": (*long("id,y,a\n1,u,0\n2,,0\n", target="y"), "x.csv:3: target 'y' must be present"),
    "infinite target": (*long("id,y,a\n1,inf,0\n", target="y"), "x.csv:2: .*must be finite"),
    "column twice": (*long("id,a,a\n1,2,3\n"), "every column name must be used once; got 'a'"),
    "header only": (*long("id,a\n"), "the number of rows must be at least 1; got 0"),
    "no header": (".csv", "1.5,2.5\n3,4\n", {"target": "y"}, "column_0, column_1.; got 'y'"),
    "blank": (".csv", "\n\n", {}, "the file must be a table; got 'blank lines'"),
    "two readings": (".csv", "a;b\n1,234;2,500\n", {}, "got 1,234, which is 1234 or 1.234. Say"),
    "more cells": (".csv", "a,b\n1,2\n1,2,3\n", {}, "2 cells .*line 3, saw 3"),
    "more cells at once": (".csv", "a,b\n1,2,3\n1,2\n", {}, "more cells in the first row"),
    "open quote": (".csv", 'a,b\n1,"2\n3,4\n', {}, "EOF inside string"),
    "empty row": (".csv", "a,b\n1,2\n,\n", {}, "x.csv:3: the series must be of at least one value"),
    "time in wide": (".csv", "a,t\n1,2\n", {"layout": "wide", "time": "t"}, "absent in the wide"),
    "id twice": (".csv", "i,a\nu,2\nu,2\n", {"layout": "wide", "series_id": "i"},
                 "x.csv:3: series_id must be different in every row"),
    "no directive": (".ts", "1,2,3:a\n", {}, r"x.ts:1: the line must be a directive"),
    "no data": (".ts", "@problemName x\n", {}, "a header that ends in @data"),
    "no series": (".ts", "@classLabel true a b\n@data\n", {}, "at least 1; got 0"),
    "stamps": (".ts", "@timestamps true\n@data\n(0,1):a\n", {}, "@timeStamps must be false"),
    "no labels": (".ts", "@classLabel true\n@data\n1:a\n", {}, "followed by the labels"),
    "strange label": (".ts", "@classLabel true walk run\n@data\n1,2:wlk\n", {},
                      "x.ts:3: the label must be .*did you mean 'walk'"),
    "text value": (".ts", "@classLabel true a b\n@data\n1,2:a\n1,z:b\n", {},
                   "x.ts:4: every value must be a number; got 'z'"),
    "channels": (".ts", "@classLabel true a b\n@data\n1,2:3,4:a\n1,2:b\n", {},
                 "x.ts:4: the number of channels must be 2 in every series; got 1"),
    "no number of dimensions": (".ts", "@dimensions x\n@classLabel true a b\n@data\n1,2:3,4:a\n"
                                "1,2:b\n", {}, "x.ts:5: the number of channels must be 2"),
    "a stamp of 400 digits": (*long(f"id,t,a\n1,0,0\n1,{'9' * 400},0\n", time="t"),
                              "x.csv:2: time 't' must be a time stamp"),
    "dimensions": (".ts", "@dimensions 3\n@classLabel true a b\n@data\n1,2:3,4:a\n", {}, "x.ts:4: "
                   "the number of channels must be 3 in every series; got 2"),
    "channel lengths": (".ts", "@classLabel true a b\n@data\n1,2:3:a\n", {}, "of one length"),
    "promised length": (".ts", "@equalLength true\n@seriesLength 3\n@targetLabel true\n@data\n1:0",
                        {}, "x.ts:5: every series must be 3 steps long"),
    "text target": (".ts", "@targetLabel true\n@data\n1,2:high\n", {}, "x.ts:3: the target"),
    "missing in ts": (".ts", "@classLabel true a b\n@data\n1,2:a\n1,?:b\n", {},
                      r"x.ts:4: a value must be present \(series 1, step 1"),
    "target for ts": (".ts", "@targetLabel true\n@data\n1:2\n", {"target": "y"}, "target must be"),
    "unknown channel": (".ts", "@targetLabel true\n@data\n1:2:3\n", {"features": ["channel_5"]},
                        "did you mean 'channel_"),
    "one cell": (".tsv", "1\t2\n1\n", {}, "x.tsv:2: the line must be a label and values"),
    "only padding": (".tsv", "1\t2\n1\tNaN\n", {}, "x.tsv:2: the series must be of at least one"),
    "comma in tsv": (".tsv", "1\t2\n1\tx\n", {}, "x.tsv:2: every value must be a number; got 'x'"),
}  # fmt: skip


@pytest.mark.parametrize(("ending", "text", "arguments", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_named_with_the_line(tmp_path, ending, text, arguments, message):
    (tmp_path / f"x{ending}").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_sequences(tmp_path / f"x{ending}", **arguments)
    print(caught.value)


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "walks.csv").write_text("a\n1\n")
    (tmp_path / "empty.csv").touch()
    for name, message in (
        ("walk.csv", "a file that exists; .*Did you mean walks.csv"),
        ("nowhere/walks.csv", "There is no folder .*nowhere"),
        ("*.ts", "a pattern that matches files"),
        ("empty.csv", "an empty file"),
        ("", "a file; .*Name the files in it"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            read_sequences(tmp_path / name)
        print(caught.value)
    with pytest.raises(DataError, match="at least one file"):
        read_sequences([])


def test_the_recipe_names_the_numbers_that_may_be_dates():
    assert list(DATE_NUMBERS) == date_format_names()


def test_endings():
    assert all(reader_of(f"x{ending}").ending == ending for ending in some(READERS))
    assert reader_of("X.CSV").ending == ".csv"
    for name in ("x.parqet", "x.txt", "x", "x.txt.gz"):
        with pytest.raises(DataError, match="the file's ending must be one of"):
            reader_of(name)


@pytest.mark.parametrize("ending", [".csv.gz", ".ts.gz", ".npz", ".parquet", ".csv", ".ts"])
def test_damaged_files(tmp_path, ending):
    (tmp_path / f"x{ending}").write_bytes(b"\x1f\x8b\x08\x00\x00damaged\xff\x00")
    with pytest.raises(DataError, match=f"x{ending}"):
        read_sequences(tmp_path / f"x{ending}")


@pytest.mark.parametrize(
    ("arrays", "arguments", "message"),
    [
        ({"Z": np.ones((2, 3))}, {}, "an array X, or X_train and X_test"),
        ({"X": np.ones(3)}, {}, "numbers of shape"),
        ({"X": np.array([["a"]])}, {}, "numbers of shape"),
        ({"X": np.ones((2, 3)), "y": np.ones(3)}, {}, "y must be of 2 entries"),
        ({"X": np.ones((2, 3)), "lengths": np.array([1, 4])}, {}, "whole numbers from 1 to 3"),
        ({"X": np.ones((2, 3)), "part": np.array(["train", "tset"])}, {}, "did you mean 'test'"),
        ({"X": np.ones((2, 3)), "label": np.ones(2)}, {"target": "lable"}, "did you mean 'label'"),
        ({"X": np.ones((2, 3)), "X_test": np.ones((2, 3))}, {}, "X or X_train"),
        ({"X": np.array([[1.0, np.nan]])}, {}, r"must be present \(series 0, step 1"),
        ({"X": np.ones((2, 3)), "features": np.array(["a", "b"])}, {}, "1 names"),
    ],
)
def test_bad_npz(tmp_path, arrays, arguments, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_sequences(tmp_path / "x.npz", **arguments)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "x.npz", X=np.array([[1], [2, 3]], dtype=object))
    with pytest.raises(DataError, match="pickled objects, which are never loaded"):
        read_sequences(tmp_path / "x.npz")


def test_frames_are_tables_with_the_columns_named(tmp_path):
    (tmp_path / "x.csv").write_text("when,load,site\n2024-01-01,1,NA\n")
    assert read_frame(tmp_path / "x.csv", labels=["site"])["site"].tolist() == ["NA"]
    with pytest.raises(DataError, match="did you mean 'load'"):
        read_frame(tmp_path / "x.csv", columns=["laod"])
    np.savez(tmp_path / "x.npz", X=np.ones((2, 3)))
    with pytest.raises(DataError, match="a file for forecasting must be"):
        read_frame(tmp_path / "x.npz")


def test_the_table_of_readers_needs_neither_pandas_nor_tensorflow():
    code = "import sys, seqkit.data.readers; print({'pandas', 'tensorflow'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
