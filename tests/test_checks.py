"""What a fit would refuse is refused by the check; what is at error, and what is odd, is said."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from seqkit.cli import cli
from seqkit.data.novelty import THRESHOLDS, seen, unlike
from seqkit.errors import DataError
from seqkit.recipe.reading import read_recipe
from seqkit.runs.experiment import dry_run, evaluate, forecast, predict, run
from seqkit.runs.flows import check_data

MODEL = {"cell": "gru", "units": 3}


def panel(n_steps=60, n_series=2, **columns):
    frame = pd.DataFrame(
        {
            "id": np.repeat([f"s{i}" for i in range(n_series)], n_steps),
            "at": np.tile(pd.date_range("2024-01-01", periods=n_steps, freq="D"), n_series),
            "y": np.sin(np.arange(n_steps * n_series)).round(4),
            "w": np.arange(n_steps * n_series) % 7.0,
        }
    )
    return frame.assign(**columns)


def put(frame, row, column, value):
    values = frame[column].astype(object)
    values[row] = value
    return frame.assign(**{column: values})


def panel_recipe(path, **data):
    roles = {"series_id": "id", "time": "at", "target": "y", "past_covariates": ["w"], **data}
    return {
        "task": "forecasting",
        "seed": 0,
        "data": {"path": str(path), "split": {"validation": 0, "test": 8}, **roles},
        "model": {**MODEL, "patch": 1},
        "forecast": {"horizon": 4, "context_length": 12},
        "train": {"epochs": 1, "patience": 0},
        "evaluate": {"backtest": {"windows": 2, "step": 4}},
    }


def wide(n=24, n_steps=10, classes=("run", "rest")):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, n_steps)).round(4))
    frame.columns = [f"t{i}" for i in range(n_steps)]
    return frame.assign(label=np.array(classes)[np.arange(n) % len(classes)])


def wide_recipe(path, **data):
    return {
        "task": "classification",
        "seed": 0,
        "data": {
            "path": str(path),
            "layout": "wide",
            "target": "label",
            "split": {"method": "stratified", "validation": 0.2, "test": 0.2},
            **data,
        },
        "model": MODEL,
        "train": {"epochs": 1, "patience": 1},
    }


PANELS = {
    "irregular": lambda f: put(f, 3, "at", pd.Timestamp("2024-01-04 07:00")),
    "absent": lambda f: f.drop(index=5),
    "doubled": lambda f: put(f, 5, "at", f["at"][4]),
    "unsorted": lambda f: pd.concat([f.iloc[:3][::-1], f.iloc[3:]]),
    "mixed dates": lambda f: put(f.assign(at=f["at"].astype(str)), 4, "at", "5/1/2024"),
    "infinite": lambda f: put(f, 7, "y", np.inf),
    "infinite in the test part": lambda f: put(f, len(f) - 1, "y", np.inf),
    "missing": lambda f: put(f, 7, "w", np.nan),
    "text": lambda f: put(f, 7, "y", "many"),
    "text covariate": lambda f: f.assign(w="warm"),
    "one row": lambda f: f.iloc[:1],
    "too short": lambda f: f.groupby("id").head(14),
    "no id": lambda f: put(f, 3, "id", None),
}
SERIES = {
    "one row": lambda f: f.iloc[:1],
    "one class": lambda f: f.assign(label="run"),
    "a class of one": lambda f: put(f, 0, "label", "jump"),
    "infinite": lambda f: put(f, 3, "t4", np.inf),
    "missing": lambda f: put(f, 3, "t4", np.nan),
    "many classes": lambda f: f.assign(label=[f"c{i % 12}" for i in range(len(f))]),
}


def erroneous(name, path):
    cases, make, recipe = (
        (PANELS, panel, panel_recipe) if name in PANELS and path.stem[0] == "p"
        else (SERIES, wide, wide_recipe)
    )  # fmt: skip
    cases[name](make()).to_csv(path, index=False)
    return recipe(path)


CASES = [*(("panel", name) for name in PANELS), *(("series", name) for name in SERIES)]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_check_refuses_what_a_fit_refuses(tmp_path, kind, name):
    settings = erroneous(name, tmp_path / f"{kind}.csv")
    path = settings["data"]["path"]
    said = []
    for way in (check_data, dry_run, lambda resolved: run(resolved, out=tmp_path / "runs")):
        with pytest.raises(DataError) as caught:
            way(read_recipe(settings))
        said.append(str(caught.value))
    assert len(set(said)) == 1
    assert path in said[0] or said[0].startswith("data.split")
    assert not list(tmp_path.glob("runs/*")), "nothing is left of a run that never began"


@pytest.mark.parametrize("kind", ["panel", "series"])
def test_check_and_dry_run_say_it_in_one_line(tmp_path, kind):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps(erroneous("infinite", tmp_path / f"{kind}.csv")))
    for command in (["check", str(recipe), "--data"], ["fit", str(recipe), "--dry-run"]):
        done = CliRunner().invoke(cli, command)
        assert done.exit_code == 2
        assert str(tmp_path / f"{kind}.csv") in done.output
        assert len(done.output.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    wide().to_csv(folder / "train.csv", index=False)
    return run(wide_recipe(folder / "train.csv"), out=folder).document["run"]


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    panel().to_csv(folder / "train.csv", index=False)
    settings = panel_recipe(folder / "train.csv", past_covariates=[], future_covariates=["w"])
    return run(settings, out=folder).document["run"]


def test_the_file_at_fault_is_named(tmp_path, classifier, forecaster):
    other, out = tmp_path / "other.csv", tmp_path / "out.csv"
    for change in (SERIES["infinite"], SERIES["missing"], lambda f: put(f, 0, "label", "jump")):
        change(wide()).to_csv(other, index=False)
        with pytest.raises(DataError, match=r"other\.csv"):
            evaluate(classifier, str(other))
    for name in ("irregular", "infinite", "text", "doubled"):
        PANELS[name](panel()).to_csv(other, index=False)
        for ask in (
            lambda: evaluate(forecaster, str(other)),
            lambda: predict(forecaster, str(other), out),
            lambda: forecast(forecaster, str(other), future=str(other)),
        ):
            with pytest.raises(DataError, match=r"other\.csv"):
                ask()
    panel().to_csv(other, index=False)
    coming = tmp_path / "coming.csv"
    for error in ("w", "at"):
        put(panel(70), 65, error, "soon").to_csv(coming, index=False)
        with pytest.raises(DataError, match=r"coming\.csv.*" + error):
            forecast(forecaster, str(other), future=str(coming))


def test_series_unlike_those_of_training_are_said(tmp_path, classifier, forecaster):
    other, out = tmp_path / "other.csv", tmp_path / "out.csv"
    wide().to_csv(other, index=False)
    assert predict(classifier, str(other), out).document["notes"] == []
    wide(n_steps=40).to_csv(other, index=False)
    (note,) = predict(classifier, str(other), out).document["notes"]
    assert "40 steps" in note
    wide().set_index("label").mul(1000).reset_index().to_csv(other, index=False)
    result = evaluate(classifier, str(other))
    (note,) = result.document["notes"]
    assert "far outside" in note
    assert f"note: {note}" in result.lines
    panel(w=1e6).to_csv(other, index=False)
    (note,) = predict(forecaster, str(other), out).document["notes"]
    assert "w 1e+06" in note


def test_predict_of_a_wide_table_takes_the_target_for_no_step(tmp_path, classifier):
    whole, without = tmp_path / "whole.csv", tmp_path / "without.csv"
    wide().to_csv(whole, index=False)
    wide().drop(columns="label").to_csv(without, index=False)
    made = []
    for path in (whole, without):
        predict(classifier, str(path), tmp_path / "out.csv")
        made.append(pd.read_csv(tmp_path / "out.csv"))
    pd.testing.assert_frame_equal(*made)


def test_features_in_another_order_are_the_same_features(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"trial": np.repeat(np.arange(20), 6), "a": rng.normal(size=120)})
    frame = frame.assign(b=100 + frame["a"], label=np.where(frame["trial"] % 2, "x", "z"))
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame[["label", "b", "a", "trial"]].to_csv(tmp_path / "test.csv", index=False)
    settings = wide_recipe(tmp_path / "train.csv", layout="long", series_id="trial")
    settings["data"] |= {"test_path": str(tmp_path / "test.csv"), "split": {"validation": 0.2}}
    parts = check_data(read_recipe(settings))
    assert "notes" not in parts
    frame.rename(columns={"b": "c"}).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"test\.csv: the features"):
        check_data(read_recipe(settings))


def test_thresholds():
    known = seen(np.array([[0.0], [10.0], [np.nan]]), [4, 8])
    more = THRESHOLDS["outside"].value
    assert unlike(known, [[10 + 10 * more]], [8], ["v"], "f") == []
    assert unlike(known, [[10 + 10 * more + 1]], [8], ["v"], "f") != []
    assert unlike(known, [[5.0]], [int(8 * THRESHOLDS["longer"].value)], ["v"], "f") == []
    assert unlike(known, [[5.0]], [int(8 * THRESHOLDS["longer"].value) + 1], ["v"], "f") != []
    assert unlike(known, [[5.0]], [1], ["v"], "f") != []
    assert unlike(None, [[5.0]], [1], ["v"], "f") == []
