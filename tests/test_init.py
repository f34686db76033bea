from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import some
from hypothesis import given
from hypothesis import strategies as st

from seqkit.data.embedded import DATASETS
from seqkit.data.inspect import Wanted
from seqkit.data.readers import read_frame
from seqkit.data.sequences import Sequences
from seqkit.data.splits import split
from seqkit.errors import DataError, RecipeError
from seqkit.recipe.init import ALWAYS, _test_part, write_recipe
from seqkit.recipe.reading import read_recipe
from seqkit.runs.describing import describe_data
from seqkit.runs.experiment import run
from seqkit.runs.finished import forecast
from seqkit.runs.flows import check_data


def months(n: int = 144) -> pd.DataFrame:
    t = np.arange(n)
    return pd.DataFrame({
        "month": pd.date_range("2010-01-01", periods=n, freq="MS"),
        "sales": 100 + t + 20 * np.sin(2 * np.pi * t / 12),
    })  # fmt: skip


def meters(n_series: int = 3, n: int = 700) -> pd.DataFrame:
    t = np.arange(n)
    stamps = pd.date_range("2024-01-01", periods=n, freq="h")
    return pd.concat([
        pd.DataFrame({"meter": f"m{i}", "time": stamps, "wind": np.cos(t * (i + 1)),
                      "load": i + np.sin(2 * np.pi * t / 24)})
        for i in range(n_series)
    ])  # fmt: skip


def trials(n_series: int = 24, n: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.concat([
        pd.DataFrame({"trial": i, "step": np.arange(n), "ax": rng.normal(size=n),
                      "ay": rng.normal(size=n), "label": "ab"[i % 2]})
        for i in range(n_series)
    ])  # fmt: skip


def wide(n_series: int = 40, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n_series, n)), columns=[f"t{i}" for i in range(n)])
    return frame.assign(wear=rng.normal(size=n_series))


def written(frame: pd.DataFrame, folder: Path, name: str = "data.csv", **arguments: object):
    """Write a data file and its recipe; return the recipe, resolved, and what was said."""
    file = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(file, index=False)
    else:
        frame.to_csv(file, index=False)
    said = write_recipe(file, folder / "recipe.yaml", **arguments)
    return read_recipe(folder / "recipe.yaml"), said


def sizes(recipe):
    forecast = recipe.forecast
    return forecast.context_length, forecast.horizon, recipe.evaluate.season


def settled(resolved):
    """Return the recipe with what the data decide."""
    from seqkit.runs.flows import flow_of

    flow = flow_of(resolved)
    flow.load()
    return flow.resolved.recipe


def test_one_monthly_series(tmp_path):
    resolved, said = written(months(), tmp_path)
    recipe = resolved.recipe
    assert recipe.task == "forecasting"
    assert (recipe.data.time, recipe.data.target) == ("month", "sales")
    text = (tmp_path / "recipe.yaml").read_text()
    assert "# frequency: MS" in text
    assert sizes(recipe) == ("auto", "auto", "auto")
    assert sizes(settled(resolved)) == (36, 12, 12)
    # what is shown of it is what the fit decides
    for line in ("# season: 12", "# context_length: 36", "# horizon: 12"):
        assert line in text
    assert "1 series of 144 steps" in said
    assert f"seqkit fit {tmp_path / 'recipe.yaml'}" in said


def test_many_hourly_series(tmp_path):
    resolved, _ = written(meters(), tmp_path, "data.parquet", target="load")
    assert resolved.recipe.data.series_id == "meter"
    assert sizes(settled(resolved)) == (168, 48, 24)
    assert "# past_covariates: [wind]" in (tmp_path / "recipe.yaml").read_text()


def test_labelled_series_in_the_long_layout(tmp_path):
    recipe = written(trials(), tmp_path, target="label")[0].recipe
    assert recipe.task == "classification"
    assert (recipe.data.layout, recipe.data.series_id) == ("long", "trial")
    assert recipe.data.features is None  # the toolkit takes the same
    assert "# features: [ax, ay]" in (tmp_path / "recipe.yaml").read_text()
    assert recipe.data.split.method == "stratified"


def test_regression_in_the_wide_layout(tmp_path):
    recipe = written(wide(), tmp_path, target="wear")[0].recipe
    assert (recipe.task, recipe.data.layout, recipe.data.target) == ("regression", "wide", "wear")


@pytest.mark.parametrize(
    ("frame", "target"),
    [(months(), "sales"), (meters(), "load"), (trials(), "label"), (wide(), "wear")],
)
def test_nothing_is_set_that_the_file_does_not_tell(frame, target, tmp_path):
    resolved = written(frame, tmp_path, target=target)[0]
    own = {path for path, origin in resolved.origins.items() if origin != "default"}
    assert "data.path" in own
    assert not [path for path in own if path.startswith(("model.", "train."))]
    file = tmp_path / "recipe.yaml"
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines):
        key = line.strip().partition(":")[0]
        if not line.startswith("  ") or key.startswith("#") or key in ALWAYS:
            continue
        file.write_text("\n".join(lines[:number] + lines[number + 1 :]))
        try:
            without = read_recipe(file).dump()
        except RecipeError:
            continue  # it cannot be missing
        assert without != resolved.dump(), line


def test_rare_class_is_weighted(tmp_path):
    frame = trials(40)
    frame["label"] = np.where(frame["trial"] < 2, "rare", "common")
    recipe = written(frame, tmp_path, target="label")[0].recipe
    assert recipe.data.split.method == "stratified"
    assert recipe.train.class_weight == "balanced"


@given(
    sizes=st.lists(st.integers(2, 30), min_size=2, max_size=12),
    seed=st.integers(0, 100),
)
def test_every_class_is_learned_and_judged(sizes, seed):
    look = SimpleNamespace(
        task="classification", n_classes=len(sizes), smallest_class=min(sizes), n_series=sum(sizes)
    )
    part, _ = _test_part(look)
    n, y = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)
    series = Sequences(np.ones((n, 1)), np.arange(n + 1), ("a",), y=y)
    parts = split(series, "stratified", 0.0, part["test"], seed)
    assert set(y[parts.train]) == set(y[parts.test]) == set(y)


def test_gaps_are_filled_and_said(tmp_path):
    frame = months()
    frame.loc[[5, 9], "sales"] = np.nan
    resolved, said = written(frame, tmp_path)
    assert resolved.recipe.data.missing == "interpolate"
    assert "2 missing values" in said


def test_paths_are_relative_to_the_recipe(tmp_path):
    (tmp_path / "data").mkdir()
    months().to_csv(tmp_path / "data/sales of a year.csv", index=False)
    (tmp_path / "recipes").mkdir()
    write_recipe(tmp_path / "data/sales of a year.csv", tmp_path / "recipes/r.yaml")
    text = (tmp_path / "recipes/r.yaml").read_text()
    assert 'path: "../data/sales of a year.csv"' in text
    found = read_recipe(tmp_path / "recipes/r.yaml").recipe.data.path
    assert found == str(tmp_path / "data/sales of a year.csv")


def test_every_line_is_short_and_every_guess_has_its_reason(tmp_path):
    written(meters(), tmp_path, target="load")
    lines = (tmp_path / "recipe.yaml").read_text().splitlines()
    assert max(map(len, lines)) <= 110
    guesses = ("task", "time", "# frequency", "series_id", "target", "# season", "# horizon")
    for guess in some(guesses):
        (line,) = [text for text in lines if text.strip().startswith(f"{guess}:")]
        assert "  # " in line, guess


def test_nothing_is_overwritten(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("mine")
    with pytest.raises(RecipeError, match="exists already and is not overwritten"):
        written(months(), tmp_path)
    assert file.read_text() == "mine"


def test_folder_that_is_not_there(tmp_path):
    months().to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(RecipeError, match="cannot be written: No such file or directory"):
        write_recipe(tmp_path / "a.csv", tmp_path / "no/recipe.yaml")


def test_unknown_target_and_file(tmp_path):
    with pytest.raises(DataError, match="did you mean 'sales'"):
        written(months(), tmp_path, target="sale")
    with pytest.raises(DataError):
        write_recipe(tmp_path / "nothing.csv", tmp_path / "recipe.yaml")
    assert not (tmp_path / "recipe.yaml").exists()


def test_a_target_that_changes_within_the_file_may_want_its_series_named(tmp_path):
    rows = [
        (f"bearing {i}", k, 0.1 * k, "worn" if i % 2 else "new") for i in range(9) for k in (0, 1)
    ]
    frame = pd.DataFrame(rows, columns=["bearing", "tick", "value", "state"])
    frame = frame.sort_values("tick", kind="stable")  # rows of a bearing do not stand together
    with pytest.raises(RecipeError, match="Name it with --series-id"):
        written(frame, tmp_path, target="state")
    resolved, _ = written(frame, tmp_path, target="state", series_id="bearing")
    assert resolved.recipe.task == "classification"


def test_file_that_does_not_tell_what_to_learn(tmp_path):
    with pytest.raises(RecipeError, match="Name the column to learn with --target"):
        written(wide().drop(columns="wear"), tmp_path)


def stamped(frequency: str, *lengths: int, season: int = 1) -> pd.DataFrame:
    """Series of these lengths that end together, as a long table."""
    rng = np.random.default_rng(0)
    end = pd.date_range("1990-01-01", periods=max(lengths), freq=frequency)
    parts = []
    for i, n in enumerate(lengths):
        t = np.arange(n)
        y = 50 + t / 5 + 9 * np.sin(2 * np.pi * t / max(season, 5)) + rng.normal(size=n)
        parts.append(pd.DataFrame({"shop": f"s{i}", "when": end[-n:], "sales": y}))
    frame = pd.concat(parts)
    return frame if len(lengths) > 1 else frame.drop(columns="shop")


def trended(n_series: int = 30, n: int = 25) -> pd.DataFrame:
    """A long table of series with a number each, their slope."""
    rng = np.random.default_rng(0)
    slope = rng.normal(size=n_series)
    return pd.DataFrame({
        "engine": np.repeat(np.arange(n_series), n),
        "cycle": np.tile(np.arange(n), n_series),
        "heat": (slope[:, None] * np.arange(n) + rng.normal(size=(n_series, n))).ravel(),
        "wear": np.repeat(slope, n),
    })  # fmt: skip


def pumps(counted: bool = True, n_series: int = 40) -> pd.DataFrame:
    """A long table without stamps, of series that a column of text names."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(8, 30, n_series)
    frame = pd.DataFrame({
        "pump": np.repeat([f"P{i:02d}" for i in range(n_series)], lengths),
        "shift": np.concatenate([np.arange(1, n + 1) for n in lengths]),
        "bar": rng.uniform(1, 9, lengths.sum()).round(3),
        "left": np.repeat(rng.integers(0, 90, n_series) + rng.uniform(0, 1, n_series), lengths),
    })  # fmt: skip
    return frame if counted else frame.drop(columns="shift")


@pytest.mark.parametrize(
    ("frame", "target", "why"),
    [
        (pumps(), None, "'shift' counts anew with every 'pump'"),
        (pumps(counted=False), "left", "'left' is the same in all rows of a 'pump'"),
    ],
)
def test_series_that_stand_one_after_the_other(frame, target, why, tmp_path):
    resolved, _ = written(frame, tmp_path, target=target)
    text = (tmp_path / "recipe.yaml").read_text()
    assert (resolved.recipe.task, resolved.recipe.data.series_id) == ("regression", "pump")
    assert resolved.recipe.data.target == "left"
    assert why in text


@pytest.mark.parametrize(
    ("clock", "why"),
    [
        (0.1, "'seconds' rises anew with every 'experiment'"),
        (None, "'state' is the same in all rows of a 'experiment'"),
    ],
)
def test_experiments_one_after_the_other(clock, why, tmp_path):
    """A clock that is no counter, or a column of classes, tells where the next one begins."""
    frame = pumps(counted=False).rename(columns={"pump": "experiment", "left": "seconds"})
    runs = frame.groupby("experiment").cumcount()
    frame["seconds"] = runs * (clock or 0) + 0.03
    frame["state"] = np.where(frame["experiment"].str[-1].astype(int) < 5, "ok", "faulty")
    frame["experiment"] = pd.Categorical(frame["experiment"], [*frame["experiment"].unique(), "x"])
    frame = frame if clock else frame.drop(columns="seconds")
    resolved, _ = written(frame, tmp_path, "data.parquet")
    assert (resolved.recipe.task, resolved.recipe.data.series_id) == (
        "classification", "experiment",
    )  # fmt: skip
    assert resolved.recipe.data.target == "state"
    assert why in (tmp_path / "recipe.yaml").read_text()


def test_whole_texts_are_said_to_be_no_series(tmp_path):
    frame = pd.DataFrame({"review": ["loved it", "awful, dull"] * 20, "mood": ["good", "bad"] * 20})
    frame.to_csv(tmp_path / "reviews.csv", index=False)
    with pytest.raises(
        RecipeError, match="'review' has a whole text in a row: tokens are read a row"
    ):
        write_recipe(tmp_path / "reviews.csv", tmp_path / "r.yaml", target="mood")


def test_numbered_channels_of_series_a_line_are_no_steps(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        {"id": f"r{i}", "mfcc": rng.normal(size=(int(rng.integers(9, 20)), 13)).tolist(),
         "word": ("yes", "no")[i % 2]}
        for i in range(20)
    ]  # fmt: skip
    file = tmp_path / "words.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    write_recipe(file, tmp_path / "recipe.yaml")
    recipe = read_recipe(tmp_path / "recipe.yaml").recipe
    assert (recipe.task, recipe.data.series_id, recipe.data.target) == (
        "classification", "unique_id", "word",
    )  # fmt: skip
    assert "13 features" in str(check_data(read_recipe(tmp_path / "recipe.yaml")))


@pytest.mark.parametrize("change", ["mixed", "constant", "month"])
def test_text_that_names_no_series(change, tmp_path):
    """Values that come again later, one target for all, and names of months."""
    frame = pumps(counted=change == "month")
    if change == "mixed":
        frame = pd.concat([frame, frame.iloc[:5]])
    elif change == "constant":
        frame["left"] = np.arange(len(frame)) / 7
    else:
        frame = frame.rename(columns={"pump": "month"})
    resolved, _ = written(frame, tmp_path, target="left")
    assert resolved.recipe.task == "forecasting"
    assert resolved.recipe.data.series_id is None


def test_the_decimal_mark_is_asked_for_and_stands_in_the_recipe(tmp_path):
    file = tmp_path / "pumps.csv"
    frame = pumps().assign(bar=lambda f: f["bar"].map("{:.3f}".format).str.replace(".", ","))
    frame["left"] = frame["left"].round().astype(int)
    frame.to_csv(file, sep=";", index=False)
    with pytest.raises(DataError, match="--decimal"):
        write_recipe(file, tmp_path / "r.yaml")
    write_recipe(file, tmp_path / "r.yaml", decimal=",")
    assert read_recipe(tmp_path / "r.yaml").recipe.data.decimal == ","
    described = describe_data(str(file), Wanted(decimal=",")).document
    [bar] = [row for row in described["columns"] if row["column"] == "bar"]
    assert bar["high"] == frame["bar"].str.replace(",", ".").astype(float).max()


@pytest.mark.parametrize("name", ["airline", "pumps.parquet", "pumps.npz"])
def test_a_decimal_mark_is_of_text(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pumps().to_parquet("pumps.parquet")
    np.savez("pumps.npz", X=np.zeros((4, 5, 1)), y=np.arange(4) % 2)
    with pytest.raises((DataError, RecipeError), match="--decimal must be left out"):
        write_recipe(name, "r.yaml", decimal=",")


FILES = {
    "yearly": (stamped("YS", 40), None),
    "yearly, short": (stamped("YE", 14), None),
    "yearly, several": (stamped("YS", 30, 24, 11, 8, 40), None),
    "quarterly": (stamped("QS", 60, season=4), None),
    "quarterly, several": (stamped("QE", 40, 70, 9, 17, season=4), None),
    "monthly": (months(), "sales"),
    "monthly, three years": (stamped("MS", 36, season=12), None),
    "monthly, one too short": (stamped("MS", 90, 70, 13, season=12), None),
    "weekly": (stamped("W", 60, season=52), None),
    "weekly, years": (stamped("W", 230, season=52), None),
    "daily": (stamped("D", 200, 90, 41, season=7), None),
    "business days": (stamped("B", 120, season=5), None),
    "hourly": (meters(2, 400), "load"),
    "quarters of an hour": (stamped("15min", 400, season=96), None),
    "no stamps": (pd.DataFrame({"load": np.sin(np.arange(90.0))}), None),
    "classification, long": (trials(), "label"),
    "classification, wide": (wide().assign(wear=["a", "b"] * 20), "wear"),
    "classification, six series": (trials(6), "label"),
    "regression, wide": (wide(40, 40), "wear"),
    "regression, long": (trended(), "wear"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_recipe_that_is_written_runs(name, tmp_path):
    from seqkit.runs import experiment

    frame, target = FILES[name]
    written(frame, tmp_path, target=target)
    resolved = read_recipe(
        tmp_path / "recipe.yaml", ["train.epochs=1", "model.units=4", "model.patch=2"]
    )
    result = experiment.run(resolved, out=tmp_path / "runs")
    assert result.document["status"] == "complete"
    assert result.scores["verdict"] is not None


@pytest.mark.parametrize("name", FILES)
def test_every_recipe_that_is_written_is_of_its_task_and_can_be_planned(name, tmp_path):
    from seqkit.runs import experiment

    frame, target = FILES[name]
    resolved, _ = written(frame, tmp_path, target=target)
    task = name.split(",")[0]
    assert resolved.recipe.task == (task if "ion" in task else "forecasting")
    assert experiment.dry_run(resolved).document["parameters"] > 0


def test_the_shortest_series_is_named_and_decides_nothing(tmp_path):
    resolved, said = written(stamped("MS", 90, 70, 13, season=12), tmp_path)
    assert sizes(settled(resolved)) == (36, 12, 12)
    assert "1 of 3 series have 24 steps or fewer" in said


def test_options_win_over_guesses(tmp_path):
    resolved, _ = written(months(), tmp_path, season=6, horizon=18)
    recipe = resolved.recipe
    assert (recipe.evaluate.season, recipe.forecast.horizon) == (6, 18)
    assert sizes(settled(resolved)) == (18, 18, 6)
    text = (tmp_path / "recipe.yaml").read_text()
    with pytest.raises(RecipeError, match="--horizon must be below half of the longest series"):
        written(months(), tmp_path, horizon=72, force=True)
    with pytest.raises(RecipeError, match="--season must be absent unless the task is forecasting"):
        written(trials(), tmp_path, target="label", season=7, force=True)
    assert (tmp_path / "recipe.yaml").read_text() == text
    written(months(), tmp_path, season=12, force=True)
    assert (tmp_path / "recipe.yaml").read_text() != text


@pytest.mark.parametrize("name", DATASETS)
def test_an_embedded_set_by_its_name(name, tmp_path):
    from seqkit.runs import experiment

    said = write_recipe(name, tmp_path / "recipe.yaml")
    resolved = read_recipe(tmp_path / "recipe.yaml")
    assert resolved.recipe.data.dataset == name
    assert resolved.recipe.task == DATASETS[name].task
    assert said.startswith(f"{name}: {DATASETS[name].task}")
    assert experiment.dry_run(resolved).document["parameters"] > 0


def test_a_file_of_the_name_of_an_embedded_set_is_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    months(60).to_csv("airline.csv", index=False)
    (tmp_path / "airline.csv").rename("airline")
    with pytest.raises(DataError):  # by its ending
        write_recipe("airline", tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    "name",
    ["classification/GunPoint/GunPoint_TRAIN.ts", "forecasting/ETTh1.csv",
     "forecasting/co2_weekly.csv", "classification/ElectricDevices/ElectricDevices_TRAIN.tsv.gz",
     "classification/JapaneseVowels/JapaneseVowels_TRAIN.ts"],
)  # fmt: skip
def test_recipe_for_a_real_data_set(name, data_folder, tmp_path):
    write_recipe(data_folder / name, tmp_path / "recipe.yaml")
    recipe = read_recipe(tmp_path / "recipe.yaml").recipe
    assert recipe.task == name.split("/")[0]
    if "TRAIN" in name:
        assert recipe.data.test_path == str(data_folder / name.replace("TRAIN", "TEST"))


def test_gaps_of_any_series_are_filled_and_said(tmp_path):
    """The longest series is whole, another is not."""
    from seqkit.runs import experiment

    frame = stamped("D", 200, 150, season=7).reset_index(drop=True).drop(index=[250, 251, 270])
    resolved, _ = written(frame, tmp_path)
    assert resolved.recipe.data.missing == "interpolate"
    assert "3 time stamps are absent" in (tmp_path / "recipe.yaml").read_text()
    assert experiment.dry_run(resolved).document["parameters"] > 0


# several files, and a column a series -----------------------------------------------------------


def recordings(folder: Path, name: str, n: int = 12, header: bool = True) -> list[Path]:
    """Write files of one series each, `name` of which has the number and the class."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(n):
        kind = ("rest", "run")[i % 2]
        path = folder / name.format(kind=kind, i=i)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(rng.normal(i % 2, 1, (20 + i % 3, 2)), columns=["ax", "ay"])
        table.to_csv(path, index=False, header=header, sep=";", decimal=",")
        paths.append(path)
    return paths


SETS = {
    "a folder a class": "set/{kind}/{i:02}.csv",
    "names with the class": "set/s{i}_{kind}_{i:02}.csv",
    "the class first": "set/{kind}{i:03}.csv",
    "folders of parts": "set/train/{kind}/{i:02}.csv",
}


@pytest.mark.parametrize("name", some(SETS))
def test_files_of_one_series_each(name, tmp_path):
    from seqkit.runs.flows import check_data

    recordings(tmp_path, SETS[name])
    if name == "folders of parts":
        recordings(tmp_path, "set/test/{kind}/{i:02}.csv", 6)
    said = write_recipe(tmp_path / "set", tmp_path / "recipe.yaml")
    resolved = read_recipe(tmp_path / "recipe.yaml")
    data = resolved.recipe.data
    assert (resolved.recipe.task, data.layout, data.target) == ("classification", "long", None)
    assert data.label_from == "folder" if "folder" in name else data.label_from.regex
    assert (data.test_path is not None) == (name == "folders of parts")
    assert "12 series of 20 to 22 steps, 2 numeric columns, 2 classes" in said
    # how they are written is said once, of all
    [line] = [line for line in said.splitlines() if "semicolons; decimal commas" in line]
    assert " and 11 more: read with" in line
    counts = "rest (6), run (6)" if data.test_path else "rest (5), run (5)"
    assert check_data(resolved)["classes"] == counts


@pytest.mark.parametrize("beside", ["labels.csv", "more/labels.csv"])
def test_labels_in_a_table_beside_the_files(beside, tmp_path, monkeypatch):
    from seqkit.runs.flows import check_data

    folder = "set/more" if "more" not in beside else "set"
    names = [path.name for path in recordings(tmp_path, f"{folder}/rec{{i:02}}.csv")]
    if "more" in beside:
        (tmp_path / "set" / "more").mkdir()
        beside = "labels.csv"
    table = pd.DataFrame({"who": "me", "recording": names, "label": ["rest", "run"] * 6})
    table.to_csv(tmp_path / "set" / beside, index=False)
    write_recipe(tmp_path / "set", tmp_path / "recipe.yaml")
    monkeypatch.chdir("/")  # the table is found beside the recipe
    resolved = read_recipe(tmp_path / "recipe.yaml")
    label = resolved.recipe.data.label_from
    assert (label.file, label.label) == ("recording", "label")
    assert check_data(resolved)["classes"] == "rest (5), run (5)"


def test_files_that_are_one_table(tmp_path):
    frame = stamped("D", 400, season=7)
    (tmp_path / "years").mkdir()
    for year, part in frame.groupby(frame["when"].dt.year):
        part.to_csv(tmp_path / "years" / f"sales_{year}.csv", index=False)
    for data in (tmp_path / "years", tmp_path / "years" / "*.csv"):
        said = write_recipe(data, tmp_path / "recipe.yaml", force=True)
        assert "1 series of 400 steps" in said
        rows = read_recipe(tmp_path / "recipe.yaml").recipe.data.path
        assert rows == str(tmp_path / "years" / "*.csv")


def test_files_that_are_a_series_each(tmp_path):
    (tmp_path / "shops").mkdir()
    for shop, n in (("north", 90), ("south", 80), ("007", 85)):
        stamped("D", n, season=7).to_csv(tmp_path / "shops" / f"{shop}.csv", index=False)
    said = write_recipe(tmp_path / "shops", tmp_path / "recipe.yaml")
    assert "3 series of 80 to 90 steps" in said
    text = (tmp_path / "recipe.yaml").read_text()
    assert "layout: files" in text
    assert "a file a series: the same stamps stand in several files" in text
    quick = ["train.epochs=1", "train.steps_per_epoch=2", "model.units=4"]
    done = run(read_recipe(tmp_path / "recipe.yaml", quick), out=tmp_path / "runs")
    folder = done.document["run"]
    rows = forecast(folder, data=str(tmp_path / "shops" / "*.csv"), horizon=2).document
    ahead = pd.DataFrame(rows["forecast"]).assign(when=lambda f: pd.to_datetime(f["when"]))
    assert sorted(set(ahead["unique_id"])) == ["007", "north", "south"]
    ends = ahead.groupby("unique_id")["when"].min()
    assert (ends["north"] - ends["south"]).days == 10
    described = describe_data(str(tmp_path / "shops"), Wanted()).document
    assert described["facts"]["layout"].startswith("files ")
    assert not [f for f in described["findings"] if f["title"] == "duplicate rows"]


def test_files_that_are_no_series_each_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        stamped("D", 40, season=7).to_csv(tmp_path / folder / "load.csv", index=False)
    with pytest.raises(DataError, match=r"of different names.*several called load"):
        write_recipe(str(tmp_path / "*" / "*.csv"), tmp_path / "recipe.yaml", task="forecasting")
    stamped("D", 40, season=7).assign(unique_id="x").to_csv(tmp_path / "one.csv", index=False)
    with pytest.raises(DataError, match=r"column must be none called unique_id"):
        read_frame(tmp_path / "one.csv", layout="files")
    recipe = {"task": "forecasting", "data": {"path": "x.csv", "layout": "files"}}
    with pytest.raises(RecipeError, match=r"data.series_id must be left out when data.layout"):
        read_recipe({**recipe, "data": {**recipe["data"], "series_id": "shop"}})


def test_folders_that_cannot_be_one_set_say_why(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.docx").write_text("x")
    with pytest.raises(
        DataError, match=r"must be one that holds files that can be read.*'.docx': 1"
    ):
        write_recipe(tmp_path / "set", tmp_path / "recipe.yaml")
    months().to_csv(tmp_path / "set" / "a.csv", index=False)
    months().to_parquet(tmp_path / "set" / "b.parquet")
    with pytest.raises(DataError, match=r"got '1 .csv, 1 .parquet'. Name a pattern: .*\*\.csv"):
        write_recipe(tmp_path / "set", tmp_path / "recipe.yaml")
    months().rename(columns={"sales": "other"}).to_csv(tmp_path / "set" / "c.csv", index=False)
    with pytest.raises(DataError, match="columns must be those of"):
        write_recipe(tmp_path / "set" / "*.csv", tmp_path / "recipe.yaml")


GERMAN = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
          "Oktober", "November", "Dezember"]  # fmt: skip


def products(n: int = 72) -> pd.DataFrame:
    """Sales by product, a column each."""
    t = np.arange(n)
    stamps = pd.date_range("2015-01-01", periods=n, freq="MS")
    wave = np.sin(2 * np.pi * t / 12)
    return pd.DataFrame({
        "Monat": [f"{GERMAN[s.month - 1]} {s.year}" for s in stamps],
        "Stühle": np.round(1500 + 10 * t + 200 * wave, 2),
        "Tische": np.round(2500 - 5 * t + 300 * wave, 2),
        "Lampen": np.round(800 + t + 100 * wave, 2),
    })  # fmt: skip


def test_a_column_a_series(tmp_path):
    from seqkit.runs.flows import flow_of

    frame = products()
    text = frame.to_csv(index=False, sep=";", decimal=",")
    (tmp_path / "umsatz.csv").write_bytes(f"Umsatz in EUR;;;\n{text}".encode("cp1252"))
    said = write_recipe(tmp_path / "umsatz.csv", tmp_path / "recipe.yaml")
    for words in ("semicolons; decimal commas; encoding cp1252", "left out ('Umsatz in EUR')",
                  "(German): Januar 2015 is 2015-01-01", "name it: --target",
                  "forecasting: 3 series of 72 steps"):  # fmt: skip
        assert words in said
    recipe = read_recipe(tmp_path / "recipe.yaml").recipe
    assert (recipe.data.layout, recipe.data.target, recipe.data.time) == ("columns", None, "Monat")
    flow = flow_of(read_recipe(tmp_path / "recipe.yaml"))
    rows = flow.load().test.rows
    assert (flow.recipe.evaluate.season, flow.recipe.forecast.horizon) == (12, 12)
    assert rows.ids.tolist() == ["Stühle", "Tische", "Lampen"]
    np.testing.assert_array_equal(rows.values[:, 0], frame.iloc[:, 1:].to_numpy().T.ravel())
    # the user knows better
    write_recipe(tmp_path / "umsatz.csv", tmp_path / "one.yaml", target="Tische")
    one = read_recipe(tmp_path / "one.yaml").recipe
    assert (one.data.layout, one.data.target) == ("long", "Tische")
    write_recipe(tmp_path / "umsatz.csv", tmp_path / "long.yaml", layout="long")
    assert read_recipe(tmp_path / "long.yaml").recipe.data.target == "Lampen"


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["store_1", "store_2"], True),
        (["umsatz_nord", "umsatz_sued"], True),
        (["north", "south", "east"], True),
        (["sold", "price", "stock"], False),
        (["temperature", "humidity", "wind"], False),
        (["north", "y", "south"], False),
        (["north", "south"], False),  # two of anything are no evidence
    ],
)
def test_columns_are_series_where_they_are_alike(names, columns, tmp_path):
    days = pd.date_range("2024-01-01", periods=90)
    values = np.random.default_rng(0).integers(20, 60, (90, len(names)))
    frame = pd.DataFrame(values, columns=names)
    frame.insert(0, "date", days)
    recipe = written(frame, tmp_path)[0].recipe
    assert recipe.data.layout == ("columns" if columns else "long")
    measured = frame.assign(**{names[0]: frame[names[0]] + np.pi}).rename(
        columns={name: f"{name[::-1]}q" for name in names}
    )
    recipe = written(measured, tmp_path, force=True)[0].recipe
    assert recipe.data.layout == "long" or "_" in names[0]


def test_a_table_that_is_turned_says_how_to_turn_it(tmp_path):
    frame = products().set_index("Monat").T.rename_axis("product").reset_index()
    words = r"got columns that are stamps: Januar 2015, .*set_index\('product'\)\.T"
    with pytest.raises(DataError, match=words):
        written(frame, tmp_path)


def test_a_constant_column_is_not_what_is_forecast(tmp_path):
    resolved, _ = written(months().assign(price=9.99), tmp_path)
    assert resolved.recipe.data.target == "sales"
