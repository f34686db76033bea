"""Tables and folders of other shapes: a column a series, a folder a class, entries, URLs."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, load_run, run
from seqkit.data import paths
from seqkit.data.files import LIMITS
from seqkit.data.frames import panel_from_frame
from seqkit.data.futures import future_steps
from seqkit.data.inspect import inspect_data
from seqkit.data.layouts import rows_of_lists
from seqkit.data.readers import (
    ReadSettings,
    find_files,
    read_frame,
    read_sequences,
    sequences_of_frame,
)
from seqkit.errors import DataError, RecipeError
from seqkit.estimators.forecast_reading import ForecastReader
from seqkit.recipe.reading import read_recipe
from seqkit.runs.flows import check_data, flow_of


@pytest.fixture
def walks(tmp_path):
    """Write a folder a class, a file a series."""
    rng = np.random.default_rng(0)
    for kind in ("rest", "run"):
        (tmp_path / kind).mkdir()
        for i in range(6):
            table = pd.DataFrame(rng.normal(size=(8 + i, 2)), columns=["ax", "ay"])
            table.to_csv(tmp_path / kind / f"s{i}_{kind}.csv", index=False)
    return tmp_path


LABELS = ["rest"] * 6 + ["run"] * 6


@pytest.mark.parametrize(
    "label_from", ["folder", {"regex": r"s\d_(\w+)\."}, {"table": "labels.csv", "label": "kind"}]
)
def test_labels_of_files(walks, label_from, monkeypatch):
    monkeypatch.chdir(walks)
    names = sorted(p.name for p in walks.glob("*/*.csv"))
    kinds = [name.split("_")[1].removesuffix(".csv") for name in names]
    pd.DataFrame({"file": names, "kind": kinds}).to_csv("labels.csv", index=False)
    read = read_sequences("r*/*.csv", label_from=label_from)
    assert read.y.tolist() == LABELS
    assert read.lengths.tolist() == [*range(8, 14)] * 2
    assert read.ids.tolist()[:2] == ["s0_rest", "s1_rest"]
    settings = {
        "task": "classification",
        "data": {"path": str(walks / "r*" / "*.csv"), "label_from": label_from},
        "model": {"units": 2},
    }
    assert check_data(read_recipe(settings))["classes"] == "rest (5), run (5)"


def test_labels_that_are_not_found(walks, monkeypatch):
    monkeypatch.chdir(walks)
    pd.DataFrame({"file": ["s0_rest"], "label": ["rest"]}).to_csv("labels.csv", index=False)
    for label_from, words in (
        ({"regex": r"walk_(\w+)"}, "s0_rest.csv: the label must be found by label_from.regex"),
        ({"regex": r"s\d"}, "with a group"),
        ({"regex": r"s("}, "a regular expression"),
        ({"table": "labels.csv"}, "s1_rest.csv: the file must be once in column 'file'"),
        ({"table": "labels.csv", "label": "lable"}, "did you mean 'label'"),
    ):
        with pytest.raises(DataError, match=None) as caught:
            read_sequences("r*/*.csv", label_from=label_from)
        assert words in str(caught.value)
    with pytest.raises(RecipeError, match=r"label_from must be absent when data\.target"):
        read_recipe({"task": "classification",
                     "data": {"path": "a.csv", "target": "y", "label_from": "folder"}})  # fmt: skip


def columns(n=40):
    stamps = pd.date_range("2024-01-01", periods=n, freq="D")
    wave = np.sin(np.arange(n))
    frame = pd.DataFrame({"date": stamps, "north": 5 + wave, "south": 7 - wave, "mild": wave > 0})
    frame.loc[:3, "south"] = np.nan  # begins later
    frame.loc[n - 2 :, "north"] = np.nan  # ends earlier
    return frame


def test_a_column_a_series(tmp_path):
    frame = columns().assign(mild=lambda f: f["mild"].astype(float))
    frame.to_csv(tmp_path / "regions.csv", index=False)
    long = read_frame(tmp_path / "regions.csv", columns=["mild"], layout="columns")
    assert list(long.columns) == ["date", "mild", "unique_id", "y"]
    assert long.groupby("unique_id").size().to_dict() == {"north": 38, "south": 36}
    south = long[long["unique_id"] == "south"]
    np.testing.assert_array_equal(south["y"], frame["south"].dropna())
    assert south["date"].iloc[0] == pd.Timestamp("2024-01-05")
    settings = {
        "task": "forecasting",
        "data": {"path": str(tmp_path / "regions.csv"), "layout": "columns",
                 "future_covariates": ["mild"], "split": {"test": 4}},
        "forecast": {"context_length": 6, "horizon": 2},
    }  # fmt: skip
    rows = flow_of(read_recipe(settings)).load().test.rows
    assert rows.ids.tolist() == ["north", "south"]
    assert rows.columns.targets == ("y",)
    with pytest.raises(RecipeError, match=r"data.layout must be long when data.target is given"):
        read_recipe({**settings, "data": {**settings["data"], "target": "north"}})


def test_entries_of_gluonts(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text(
        '{"start": "2024-01-01", "target": [1, 2, null], "item_id": "a", "feat_static_cat": [3],'
        ' "feat_dynamic_real": [[5, 6, 7]]}\n'
        '{"start": "2024-02-01", "target": [4], "item_id": "b", "from": {}, "feat_static_cat": [1],'
        ' "feat_dynamic_real": [[8]]}\n'
    )
    frame = read_frame(path, settings=ReadSettings(frequency="MS"))
    assert frame["unique_id"].tolist() == ["a", "a", "a", "b"]
    assert frame["ds"].dt.month.tolist() == [1, 2, 3, 2]
    assert frame["static_cat_0"].tolist() == ["3", "3", "3", "1"]
    assert frame["dynamic_real_0"].tolist() == [5, 6, 7, 8]
    assert frame["y"].isna().tolist() == [False, False, True, False]
    with pytest.raises(DataError, match="frequency must be known"):
        read_frame(path)
    path.write_text('{"start": "2024-01-15", "target": [1, 2]}\n')
    with pytest.raises(DataError, match="start must be on the grid of frequency 'MS'"):
        read_frame(path, settings=ReadSettings(frequency="MS"))


SCALARS = st.one_of(st.integers(-99, 99), st.floats(-9, 9), st.text("ab ,", max_size=3))


@settings(deadline=None)
@drawn(st.data(), st.integers(1, 3), st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_lists_become_the_rows_that_they_are(data, width, lengths):
    """Every step of every series is there once, in its place; what is no list is said of all."""
    one = st.lists(SCALARS, min_size=width, max_size=width)
    steps = [data.draw(st.lists(one, min_size=n, max_size=n)) for n in lengths]
    named = data.draw(st.booleans())
    entries = {
        f"a.jsonl:{i}": {"pen": rows, "flat": [row[0] for row in rows], "of": f"class {i % 2}",
                         "each": [{f"k{k}": v for k, v in enumerate(row)} for row in rows],
                         **({"id": f"s{i}"} if named else {})}
        for i, rows in enumerate(steps)
    }  # fmt: skip
    shapes = []
    frame = rows_of_lists(entries, lambda *shape: shapes.append(shape))
    assert shapes[-1] == frame.shape == (sum(lengths), 3 + 2 * width)
    flat = [row for rows in steps for row in rows]
    owner = np.repeat(np.arange(len(steps)), lengths)
    assert frame["unique_id"].tolist() == [f"s{i}" if named else i for i in owner.tolist()]
    assert frame["of"].tolist() == [f"class {i % 2}" for i in owner.tolist()]
    assert frame["flat"].tolist() == [row[0] for row in flat]
    for k in range(width):
        assert frame[f"pen_{k}"].tolist() == frame[f"each_k{k}"].tolist() == [r[k] for r in flat]


def test_what_a_line_lacks_is_missing(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": [1, 2], "note": "n"}\n\n{"x": [3], "w": [0.5]}\n')
    frame = read_frame(path)
    assert frame["unique_id"].tolist() == [0, 0, 1]
    assert frame["x"].tolist() == [1, 2, 3]
    assert frame["w"].isna().tolist() == [True, True, False]
    assert frame["note"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"x": [1, 2], "y": [1]}, r"a.jsonl:2: .*lists of one length.*'y': 1"),
        ({"x": []}, r"a.jsonl:2: .*of a step at least"),
        ({"y": 1}, r"a.jsonl:2: .*lists of one length"),
        ({"x": [[1], [1, 2]]}, r"a.jsonl:2: step 0 of 'x' must be .*list of 1"),
        ({"x": [1, {"a": 1}]}, r"a.jsonl:2: step 1 of 'x' must be .*dict of 1"),
        ({"x": [[[1, 2]]]}, r"a.jsonl:2: step 0 of 'x_0' must be .*list of 2"),
        ({"x": {"a": 1}}, r"a.jsonl:2: 'x' must be .*or a list; got 'an object'"),
        ({"x": [1], "unique_id": 7}, r"a.jsonl:2: 'unique_id' must be another in every line"),
        ({"x": [[1]], "x_0": [2]}, r"a.jsonl:2: 'x_0' must be named unlike"),
    ],
)
def test_lists_that_are_no_series(line, words, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": [1]}\n' + json.dumps(line))
    with pytest.raises(DataError, match=words):
        read_frame(path)


@pytest.mark.parametrize(
    "line",
    [
        {f"k{i}": 1 for i in range(900)} | {"x": [1] * 300_000},
        {"x": [{f"k{i}": 1} for i in range(20_000)]},
    ],
)
def test_lists_are_bounded(line, tmp_path):
    """A line of few bytes does not fill the memory: it is refused before its table is made."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"the table must be at most|columns"):
        read_frame(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100 * path.stat().st_size


def test_tags_as_lists(tmp_path):
    """As data sets of tagged sentences are handed on: a line a sentence."""
    rng = np.random.default_rng(0)
    words = {"the": "DET", "cat": "N", "sees": "V", "dog": "N"}
    lines = []
    for i in range(30):
        tokens = rng.choice(list(words), rng.integers(2, 7)).tolist()
        lines.append({"id": f"s{i}", "tokens": tokens, "tags": [words[t] for t in tokens]})
    (tmp_path / "tags.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = {
        "task": "tagging",
        "data": {"path": str(tmp_path / "tags.jsonl"), "series_id": "unique_id", "target": "tags",
                 "features": ["tokens"], "split": {"test": 0.2}},
        "train": {"epochs": 40, "learning_rate": 0.02}, "model": {"units": [8]},
    }  # fmt: skip
    done = run(settings, out=tmp_path / "runs").document
    assert done["metrics"]["parts"]["test"]["model"]["accuracy"] == 1


def test_a_list_of_paths(tmp_path):
    for i in range(3):
        columns(6 + i)[["date", "mild"]].assign(y=1.0 * i).to_csv(tmp_path / f"p{i}.csv")
    read = read_recipe({"task": "forecasting", "data": {
        "path": [str(tmp_path / "p0.csv"), str(tmp_path / "p[12].csv")], "target": "y",
        "time": "date"}, "forecast": {"context_length": 2, "horizon": 1}})  # fmt: skip
    assert len(read.recipe.data.path) == 2
    assert len(read_frame(read.recipe.data.path)) == 6 + 7 + 8


def test_files_at_urls(tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths.fetched.cache_clear()
    store = fsspec.filesystem("memory")
    store.pipe("/sets/load.csv", b"date;y\n2024-01-01;1,5\n2024-01-02;2,5\n")
    [path] = find_files("memory://sets/load.csv")
    assert path.name == "load.csv"
    assert read_frame("memory://sets/load.csv")["y"].tolist() == [1.5, 2.5]
    assert inspect_data("memory://sets/load.csv").target == "y"
    with pytest.raises(DataError, match="a file that can be had"):
        find_files("memory://sets/nothing.csv")
    monkeypatch.setitem(LIMITS, "download", LIMITS["download"]._replace(value=20))
    store.pipe("/sets/large.csv", b"date,y\n" * 20)
    with pytest.raises(DataError, match="at most 20 bytes"):
        find_files("memory://sets/large.csv")
    assert not list((tmp_path / "cache").rglob("tmp*"))
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(DataError, match="pip install fsspec"):
        find_files("memory://sets/other.csv")


def weather(n=60, first="2024-01-01"):
    rng = np.random.default_rng(0)
    kinds = np.array(["sun", "rain", "snow"])[rng.integers(0, 3, n)]
    effect = pd.Series(kinds).map({"sun": 5.0, "rain": 0.0, "snow": -5.0}).to_numpy()
    stamps = pd.date_range(first, periods=n, freq="D")
    return pd.DataFrame({"ds": stamps, "y": 20 + effect, "weather": kinds})


def test_covariates_of_text_are_channels_of_their_categories(caplog):
    frame = weather()
    panel = panel_from_frame(frame, target="y", future_covariates=["weather"])
    assert panel.columns.future == ("weather=rain", "weather=snow", "weather=sun")
    expected = frame["weather"].to_numpy()[:, None] == np.array(["rain", "snow", "sun"])
    np.testing.assert_array_equal(panel.values[:, 1:], expected)
    # the next frame is read in the same way, whatever categories it has
    coming = weather(4, "2024-03-01").assign(weather=["snow", "fog", "snow", "sun"])
    steps = future_steps(panel, 4, coming)
    assert steps[0, :, 1:].tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert "column 'weather' has 'fog', which training had not" in caplog.text
    typed = frame.assign(weather=["1"] * 59 + ["sun!"])  # a mistyped number is no category
    with pytest.raises(DataError, match=r"'weather' must be numbers; got 'sun!'"):
        panel_from_frame(typed, target="y", future_covariates=["weather"])
    many = frame.assign(weather=[f"k{i}" for i in range(60)])
    with pytest.raises(DataError, match="categories of 'weather' must be from 2 to 50; got 60"):
        panel_from_frame(many, target="y", past_covariates=["weather"])


def test_a_forecaster_learns_from_categories_known_ahead():
    frame = weather(200)
    model = SequenceForecaster(
        context_length=4, horizon=2, units=8, epochs=60, future_covariates=["weather"],
        target="y", random_state=0, patience=0, learning_rate=0.01, normalize="none", patch=1,
    )  # fmt: skip
    model.fit(frame[:160])
    forecast = model.forecast(frame[:160], future=frame[160:162])
    truth = frame["y"].to_numpy()[160:162]
    assert np.abs(forecast["y"].to_numpy() - truth).max() < 2.5  # without it 5 on average
    again = ForecastReader.from_dict(model._reader.to_dict())
    assert again.columns.future == ("weather=rain", "weather=snow", "weather=sun")


def test_holidays_are_known_ahead():
    stamps = pd.date_range("2024-12-01", periods=24, freq="D")
    frame = pd.DataFrame({"ds": stamps, "y": np.arange(24.0)})
    panel = panel_from_frame(frame, calendar=["holiday:DE"])
    assert panel.columns.future_channels == ("holiday:DE_today", "holiday:DE_tomorrow")
    days = future_steps(panel, 9, None)[0, :, 1:]  # from Christmas day to New Year and after
    today = dict(zip(panel.shown(panel.future_times(9)[0]).strftime("%m-%d"), days, strict=True))
    assert today["12-25"].tolist() == [1, 1]
    assert today["12-26"].tolist() == [1, 0]
    assert today["12-31"].tolist() == [0, 1]
    assert today["01-01"].tolist() == [1, 0]
    with pytest.raises(DataError, match="a country, or a part of one"):
        panel_from_frame(frame, calendar=["holiday:XX"])
    with pytest.raises(ValueError, match="two capital letters"):
        panel_from_frame(frame, calendar=["holiday:de"])


@pytest.mark.parametrize("names", [(None, None), ("instance", "when")])
def test_frames_of_sktime_name_series_and_stamps_in_their_index(names):
    stamps = pd.date_range("2024-01-01", periods=5, freq="D")
    index = pd.MultiIndex.from_product([["a", "b"], stamps], names=names)
    frame = pd.DataFrame({"load": np.arange(10.0)}, index=index)
    panel = panel_from_frame(frame)
    assert panel.columns.series_id == (names[0] or "unique_id")
    assert panel.columns.time == (names[1] or "ds")
    np.testing.assert_array_equal(panel.targets(1)[:, 0], np.arange(5.0, 10))
    assert panel_from_frame(frame, like=panel.columns).frequency == "D"


def labelled(n=12):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(i % 2, 0.5, (6 + i % 3, 2)) for i in range(n)]
    long = pd.concat(
        [
            pd.DataFrame(a, columns=["ax", "ay"]).assign(trial=f"t{i}", step=np.arange(len(a)))
            for i, a in enumerate(arrays)
        ]
    )
    return arrays, np.array(["a", "b"])[np.arange(n) % 2], long


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_long_frames_of_labelled_series(library):
    import polars as pl

    arrays, y, long = labelled()
    kinds = dict(zip(long["trial"].unique(), y, strict=True))
    frame = long.assign(kind=long["trial"].map(kinds)).sample(frac=1, random_state=0)
    frame = pl.from_pandas(frame) if library == "polars" else frame
    roles = {"series_id": "trial", "time": "step", "target": "kind"}
    with pytest.raises(DataError, match=r"data: row \d+: time .step. must be ascending"):
        sequences_of_frame(frame, **roles)
    read = sequences_of_frame(frame, **roles, settings=ReadSettings(sort=True))
    order = [int(name[1:]) for name in read.ids]
    assert read.y.tolist() == y[order].tolist()
    for got, i in zip(read, order, strict=True):
        np.testing.assert_array_equal(got, arrays[i])
    model = SequenceClassifier(units=2, epochs=1).fit(read, read.y)
    assert model.predict(read).shape == (12,)


def test_frames_of_sktime_hold_whole_series():
    arrays, y, long = labelled()
    indexed = long.set_index(["trial", "step"])
    nested = pd.DataFrame({c: [pd.Series(a[:, k]) for a in arrays] for k, c in enumerate("xy")})
    model = SequenceClassifier(units=2, epochs=2, random_state=0)
    expected = model.fit(arrays, y).predict_proba(arrays)
    for frame in (indexed, nested):
        np.testing.assert_array_equal(model.fit(frame, y).predict_proba(frame), expected)
        assert model.n_features_in_ == 2
    with pytest.raises(DataError, match="ascending in each series"):
        model.fit(indexed.iloc[::-1], y)


def test_a_forecaster_takes_entries_of_gluonts():
    entries = [
        {"start": "2024-01-01", "target": (10 + np.sin(np.arange(40))).tolist(), "item_id": name}
        for name in ("a", "b")
    ]
    model = SequenceForecaster(context_length=6, horizon=3, units=2, epochs=1, frequency="D")
    forecast = model.fit(entries).forecast()
    assert forecast["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert forecast["ds"].iloc[0] == pd.Timestamp("2024-02-10")
    assert len(model.forecast(entries[:1])) == 3


ROLES = {"series_id": "trial", "time": "step", "target": "kind"}


def kinds_of(long, y):
    return long.assign(kind=long["trial"].map(dict(zip(long["trial"].unique(), y, strict=True))))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_estimators_take_long_frames_as_the_arrays_they_hold(library):
    import polars as pl

    arrays, y, long = labelled()
    frame = kinds_of(long, y)
    given = {
        "pandas": lambda table: table,
        "polars": pl.from_pandas,
        "pyarrow": lambda table: pl.from_pandas(table).to_arrow(),
    }[library]
    settings = {"units": 2, "epochs": 2, "random_state": 0}
    expected = SequenceClassifier(**settings).fit(arrays, y).predict_proba(arrays)
    model = SequenceClassifier(**settings, **ROLES).fit(given(frame))
    np.testing.assert_array_equal(model.predict_proba(given(frame)), expected)
    assert model.feature_names_in_.tolist() == ["ax", "ay"]
    # columns in another order, others beside them, and no target
    other = frame[["ay", "trial", "ax", "step"]].assign(noise=0.0)
    np.testing.assert_array_equal(model.predict_proba(given(other)), expected)
    # the order in which series first appear, whatever the order of their rows
    mixed = frame.sort_values(["step", "trial"], kind="stable")
    order = [int(name[1:]) for name in mixed["trial"].unique()]
    np.testing.assert_array_equal(model.predict_proba(given(mixed)), expected[order])
    assert model.score(given(mixed)) == np.mean(model.predict(given(frame)) == y)
    by_level = SequenceClassifier(**settings, target="kind")
    if library == "pandas":
        indexed = frame.set_index(["trial", "step"])
        np.testing.assert_array_equal(by_level.fit(indexed).predict_proba(indexed), expected)
    nixtla = given(frame.rename(columns={"trial": "unique_id", "step": "ds"}))
    np.testing.assert_array_equal(by_level.fit(nixtla).predict_proba(nixtla), expected)


def test_labels_beside_a_long_frame_are_those_of_its_series():
    _arrays, y, long = labelled()
    settings = {"units": 2, "epochs": 2, "random_state": 0, "series_id": "trial", "time": "step"}
    expected = SequenceClassifier(**settings).fit(long, y).predict_proba(long)
    named = pd.Series(y, index=long["trial"].unique()).sample(frac=1, random_state=1)
    model = SequenceClassifier(**settings).fit(long, named)
    np.testing.assert_array_equal(model.predict_proba(long), expected)
    assert model.score(long, named) == model.score(long, y)
    for wrong, words in (
        (named.rename("trial_{}".format), "indexed by the names of the series, \\['t0'"),
        (kinds_of(long, y)["kind"], "one for each of 12 series; got .* name it with target"),
        (None, "target must be known"),
    ):
        with pytest.raises(DataError, match=words):
            SequenceClassifier(**settings).fit(long, wrong)
    with pytest.raises(DataError, match="y must be left out where target names a column"):
        SequenceClassifier(**settings, target="kind").fit(kinds_of(long, y), y)


def test_several_numbers_of_a_long_frame_are_learned_together():
    arrays, _y, long = labelled()
    sums = np.stack([np.r_[len(a), a.sum()] for a in arrays])
    frame = long.assign(**dict(zip("uv", sums[[int(n[1:]) for n in long["trial"]]].T, strict=True)))
    settings = {"units": 2, "epochs": 2, "random_state": 0}
    model = SequenceRegressor(**settings, series_id="trial", time="step", target=["u", "v"])
    expected = SequenceRegressor(**settings).fit(arrays, sums).predict(arrays)
    np.testing.assert_array_equal(model.fit(frame).predict(frame), expected)
    assert model.feature_names_in_.tolist() == ["ax", "ay"]
    held = SequenceRegressor(**settings, series_id="trial", time="step", target=["u", "v"])
    held.fit(frame, validation_data=(frame,))
    assert "val_loss" in held.history_


def test_a_column_of_labels_in_a_frame_of_a_row_a_series():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 7)), np.array(["a", "b"] * 6)
    frame = pd.DataFrame(X, columns=[f"t{i}" for i in range(7)]).assign(kind=y)
    settings = {"units": 2, "epochs": 2, "random_state": 0}
    expected = SequenceClassifier(**settings).fit(X, y).predict_proba(X)
    model = SequenceClassifier(**settings, target="kind").fit(frame)
    for other in (frame, frame.drop(columns="kind")):
        np.testing.assert_array_equal(model.predict_proba(other), expected)


def test_frames_that_cannot_be_read_say_what_to_do():
    _arrays, y, long = labelled()
    frame = kinds_of(long, y).reset_index(drop=True)
    empty, changed = frame.copy(), frame.copy()
    empty.loc[3, "ax"] = np.nan
    changed.loc[3, "kind"] = "b"
    settings = {"units": 2, "epochs": 1}
    for data, roles, words in (
        (frame[::-1], {}, "time 'step' must be ascending within series 't11'"),
        (empty, {}, "series 't0', step 3, feature 'ax'"),
        (changed, {}, "target 'kind' must be the same in every row of series 't0'"),
        (frame, {"target": "kin"}, "did you mean 'kind'"),
        (frame, {"series_id": "trail"}, "did you mean 'trial'"),
        (frame, {"series_id": None}, "series_id must be named beside time"),
    ):
        with pytest.raises(DataError, match=words):
            SequenceClassifier(**settings, **{**ROLES, **roles}).fit(data)
    with pytest.raises(TypeError, match=r"column 'trial' must be of numbers.* with series_id"):
        SequenceClassifier(**settings).fit(frame, y)
    model = SequenceClassifier(**settings, **ROLES).fit(frame)
    with pytest.raises(DataError, match="features must be a column of the file"):
        model.predict(frame.drop(columns="ay"))


@pytest.mark.parametrize("name", ["SequenceClassifier", "SequenceForecaster"])
def test_an_argument_that_fit_has_not_got_is_said_to_be_a_setting(name):
    model = {
        "SequenceClassifier": SequenceClassifier(),
        "SequenceForecaster": SequenceForecaster(context_length=3, horizon=1),
    }[name]
    frame = columns()
    with pytest.raises(TypeError, match=rf"It is a setting: {name}\(time=\.\.\.\)\.fit\(X\)"):
        model.fit(frame, time="date")
    with pytest.raises(TypeError, match="did you mean 'sample_weight'"):
        model.fit(frame, sample_wieght=None)


def test_a_run_predicts_the_frame_that_its_file_holds(tmp_path):
    _arrays, y, long = labelled(30)
    frame = kinds_of(long, y)
    frame.to_csv(tmp_path / "walks.csv", index=False)
    recipe = {"task": "classification", "seed": 0,
              "data": {"path": str(tmp_path / "walks.csv"), **ROLES, "layout": "long"},
              "model": {"units": 2}, "train": {"epochs": 1}}  # fmt: skip
    estimator = load_run(run(recipe, out=tmp_path, name="a").document["run"])
    again = estimator.predict_proba(read_sequences(tmp_path / "walks.csv", **ROLES))
    np.testing.assert_array_equal(estimator.predict_proba(frame), again)
