from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seqkit.data.frequencies import habit_of
from seqkit.data.inspect import Wanted, inspect_data
from seqkit.data.readers import read_sequences
from seqkit.errors import DataError


def write(tmp_path, frame, name="x.csv"):
    frame.to_csv(tmp_path / name, index=False)
    return tmp_path / name


def gait(n_series=12, n_steps=15, **columns):
    rng = np.random.default_rng(0)
    rows = n_series * n_steps
    frame = pd.DataFrame(
        {
            "trial": np.repeat(np.arange(n_series), n_steps),
            "step": np.tile(np.arange(n_steps), n_series),
            "ax": rng.normal(size=rows),
            "ay": rng.normal(size=rows),
        }
    )
    return frame.assign(**columns)


def test_labelled_long_series_are_classification(tmp_path):
    frame = gait(label=np.repeat(["run", "rest", "run"], 60))
    path = write(tmp_path, frame)
    data = inspect_data(path, target="label")
    assert (data.task, data.layout, data.series_id, data.time) == (
        "classification",
        "long",
        "trial",
        "step",
    )
    assert (data.n_series, data.shortest, data.longest) == (12, 15, 15)
    assert (data.n_classes, data.smallest_class) == (2, 4)
    assert data.features == ("ax", "ay")
    assert inspect_data(path) == inspect_data(path)
    assert inspect_data(path).target == "label"
    # What was guessed reads.
    read = read_sequences(
        path, layout=data.layout, target=data.target, series_id=data.series_id, time=data.time
    )
    assert len(read) == data.n_series
    assert set(data.reasons) >= {"task", "layout", "time", "series_id", "target"}


@pytest.mark.parametrize(
    ("column", "task"),
    [
        (np.repeat(np.arange(12) * 1.5, 15), "regression"),
        (np.repeat(np.arange(12) % 3, 15), "classification"),
        (np.arange(180) * 0.5, "forecasting"),
        (np.tile(["up", "down", "up"], 60), None),
        (np.tile([0, 1, 1], 60), "forecasting"),
    ],
)
def test_the_task_follows_from_the_target(tmp_path, column, task):
    data = inspect_data(write(tmp_path, gait(goal=column)), target="goal")
    assert data.task == task
    assert data.reasons["task"].startswith("'goal'" if task is None else f"{task}: 'goal'")


@pytest.mark.parametrize(
    ("stamps", "frequency", "season"),
    [
        (pd.date_range("2020-01-01", periods=200, freq="MS"), "MS", 12),
        (pd.date_range("2020-01-01", periods=200, freq="h"), "h", 24),
        (pd.date_range("2020-01-01", periods=200, freq="D"), "D", 7),
        (pd.date_range("2020-01-01", periods=200, freq="D").delete([5, 9]), "D", 7),
        (pd.date_range("2020-01-01", periods=400, freq="15min"), "15min", 96),
        (pd.date_range("2020-01-05", periods=300, freq="W"), "W-SUN", 52),
    ],
)
def test_frequency_and_season_of_a_series_to_forecast(tmp_path, stamps, frequency, season):
    frame = pd.DataFrame({"when": stamps, "wind": 1.0, "load": np.arange(len(stamps))})
    data = inspect_data(write(tmp_path, frame))
    assert (data.task, data.time, data.target) == ("forecasting", "when", "load")
    assert (data.frequency, data.season) == (frequency, season)
    assert data.features == ("wind",)
    habit = habit_of(frequency)
    assert (data.context_length, data.horizon) == (
        min(habit.context, len(stamps) - 2 * data.horizon),
        habit.horizon,
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_the_user_says_wins(tmp_path, task):
    column = np.repeat(np.arange(12) % 3, 15)
    file = write(tmp_path, gait(goal=column))
    data = inspect_data(file, wanted=Wanted("goal", task=task))
    assert data.task == task
    assert "was asked for" in data.reasons["task"]
    assert (data.n_classes is None) == (task == "regression")


def test_columns_of_time_and_series_that_the_user_names(tmp_path):
    stamps = pd.date_range("2020-01-01", periods=30, freq="D")
    frame = pd.DataFrame(
        {
            "date": np.repeat(stamps[:1], 60),
            "paid": [*stamps, *stamps],
            "shop": np.repeat(["a", "b"], 30),
            "sum": np.arange(60.0),
        }
    )
    file = write(tmp_path, frame)
    data = inspect_data(file, wanted=Wanted("sum", time="paid", series_id="shop"))
    assert (data.time, data.series_id, data.n_series, data.frequency) == ("paid", "shop", 2, "D")
    with pytest.raises(DataError, match="did you mean 'paid'"):
        inspect_data(file, wanted=Wanted(time="payd"))
    with pytest.raises(DataError, match="the column of time must be a column of dates"):
        inspect_data(file, wanted=Wanted(time="shop"))


def test_many_series_to_forecast(tmp_path):
    stamps = pd.date_range("2020-01-01", periods=60, freq="D")
    frame = pd.DataFrame(
        {"meter": np.repeat(["a", "b"], 60), "when": [*stamps, *stamps], "load": np.arange(120)}
    )
    data = inspect_data(write(tmp_path, frame))
    assert (data.series_id, data.n_series, data.shortest, data.frequency) == ("meter", 2, 60, "D")


def test_wide_tables(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(20, 30)), columns=[f"t{i}" for i in range(30)])
    frame.insert(0, "name", [f"s{i}" for i in range(20)])
    frame["kind"] = ["a", "b"] * 10
    frame.loc[3, ["t28", "t29"]] = np.nan
    data = inspect_data(write(tmp_path, frame))
    assert (data.layout, data.target, data.task) == ("wide", "kind", "classification")
    assert data.series_id == "name"
    assert (data.n_series, data.shortest, data.longest, data.n_missing) == (20, 28, 30, 0)
    numbers = frame.drop(columns=["name", "kind"])
    assert inspect_data(write(tmp_path, numbers)).task is None
    goal = inspect_data(write(tmp_path, numbers.assign(goal=rng.normal(size=20))), target="goal")
    assert (goal.layout, goal.task) == ("wide", "regression")


def test_archives_state_themselves_and_find_their_test_part(tmp_path):
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"x_{part}.ts").write_text("@classLabel true a b\n@data\n1,2:a\n1,2,3:b\n")
    data = inspect_data(tmp_path / "x_TRAIN.ts")
    assert (data.task, data.n_classes, data.shortest, data.longest) == ("classification", 2, 2, 3)
    assert data.test_path == str(tmp_path / "x_TEST.ts")
    (tmp_path / "y.ts").write_text("@targetLabel true\n@data\n1,2:0.5\n1,2,3:1\n")
    assert inspect_data(tmp_path / "y.ts").task == "regression"
    np.savez(tmp_path / "z.npz", X=np.ones((4, 1500)))
    data = inspect_data(tmp_path / "z.npz")
    assert data.task is None
    assert data.notes


def test_parts_of_a_stamp_are_joined(data_folder):
    data = inspect_data(data_folder / "forecasting" / "pollution.csv", target="pm2.5")
    assert (data.time, data.frequency) == (("year", "month", "day", "hour"), "h")
    assert data.n_missing == 2067
    assert data.text_columns == ("cbwd",)


@pytest.mark.parametrize(
    ("name", "target", "time", "frequency"),
    [
        ("Airline.csv", "Passengers", "Date", "MS"),
        ("ETTh1.csv", "OT", "date", "h"),
        ("co2_weekly.csv", "co2", "date", "W-SAT"),
        ("daily-min-temperatures.csv", "Temp", "Date", "D"),
        ("monthly-sunspots.csv", "Sunspots", "Month", "MS"),
    ],
)
def test_real_series(name, target, time, frequency, data_folder):
    data = inspect_data(data_folder / "forecasting" / name)
    assert (data.task, data.layout) == ("forecasting", "long")
    assert (data.target, data.time, data.frequency) == (target, time, frequency)


def test_an_unknown_target_is_answered_with_a_near_one(tmp_path):
    with pytest.raises(DataError, match="did you mean 'ax'"):
        inspect_data(write(tmp_path, gait()), target="axx")
