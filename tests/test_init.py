from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import some
from hypothesis import given
from hypothesis import strategies as st

from seqkit.data.sequences import Sequences
from seqkit.data.splits import split
from seqkit.errors import DataError, RecipeError
from seqkit.recipe.init import _test_part, write_recipe
from seqkit.recipe.reading import read_recipe


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


def written(frame: pd.DataFrame, folder: Path, name: str = "data.csv", **arguments: str):
    """Write a data file and its recipe; return the recipe, resolved, and what was said."""
    file = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(file, index=False)
    else:
        frame.to_csv(file, index=False)
    said = write_recipe(file, folder / "recipe.yaml", **arguments)
    return read_recipe(folder / "recipe.yaml"), said


def test_one_monthly_series(tmp_path):
    resolved, said = written(months(), tmp_path)
    recipe = resolved.recipe
    assert recipe.task == "forecasting"
    assert (recipe.data.time, recipe.data.target, recipe.data.frequency) == (
        "month", "sales", "MS",
    )  # fmt: skip
    assert recipe.evaluate.season == 12
    assert (recipe.forecast.context_length, recipe.forecast.horizon) == (36, 12)
    assert "1 series of 144 steps" in said
    assert f"seqkit fit {tmp_path / 'recipe.yaml'}" in said


def test_many_hourly_series(tmp_path):
    recipe = written(meters(), tmp_path, "data.parquet", target="load")[0].recipe
    assert (recipe.data.series_id, recipe.evaluate.season) == ("meter", 24)
    assert (recipe.forecast.context_length, recipe.forecast.horizon) == (168, 24)
    assert "# past_covariates: [wind]" in (tmp_path / "recipe.yaml").read_text()


def test_labelled_series_in_the_long_layout(tmp_path):
    recipe = written(trials(), tmp_path, target="label")[0].recipe
    assert recipe.task == "classification"
    assert (recipe.data.layout, recipe.data.series_id) == ("long", "trial")
    assert recipe.data.features == ["ax", "ay"]
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
    guesses = ("task", "time", "frequency", "series_id", "target", "season", "horizon")
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


def test_file_that_does_not_tell_what_to_learn(tmp_path):
    with pytest.raises(RecipeError, match="Name the column to learn with --target"):
        written(wide().drop(columns="wear"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frame", "target"),
    [(months(), "sales"), (meters(2, 200), "load"), (trials(), "label"), (wide(), "wear")],
    ids=["one series", "many series", "classification", "regression"],
)
def test_written_recipe_runs(frame, target, tmp_path):
    from seqkit.runs import experiment

    written(frame, tmp_path, target=target)
    resolved = read_recipe(tmp_path / "recipe.yaml", ["train.epochs=1", "model.units=8"])
    result = experiment.run(resolved, out=tmp_path / "runs")
    assert result.document["status"] == "complete"


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
