"""What a run keeps for its page: bounded, the worst in it, enough to write the page again."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqkit import run
from seqkit.data.sequences import Sequences
from seqkit.report.html import write_report
from seqkit.report.page import read_history
from seqkit.report.samples import (
    MOST_NUMBERS,
    MOST_SERIES,
    _spreads,
    described_data,
    packed,
    picked,
    series_sample,
)


def unpacked(kept):
    numbers = np.frombuffer(base64.b64decode(kept["base64"]), kept["dtype"])
    return numbers.reshape(kept["shape"]).astype(float)


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 3)),
               elements=st.floats(-1e12, 1e12) | st.just(np.nan))
)  # fmt: skip
def test_numbers_keep_six_digits_of_how_far_they_are_apart(values):
    back = unpacked(packed(values))
    known = np.isfinite(values)
    assert (np.isfinite(back) == known).all()
    for column in range(values.shape[1]):
        own = values[known[:, column], column]
        if len(own):
            lost = np.abs(back[known[:, column], column] - own)
            assert (lost <= 1e-6 * (own.max() - own.min())).all() or (lost == 0).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(2, 40), st.data())
def test_the_worst_are_picked_first_and_the_worst_of_every_kind(errors, most, data):
    kinds = data.draw(st.lists(st.integers(0, 3), min_size=len(errors), max_size=len(errors)))
    order = picked(errors, kinds, most)
    assert len(order) == min(most, len(errors)) == len(set(order.tolist()))
    shown = np.array(errors)[order]
    assert (np.diff(shown) <= 0).all()
    if len(errors) > most and len(set(kinds)) <= most // 2:
        for kind in set(kinds):
            of_kind = [e for e, k in zip(errors, kinds, strict=True) if k == kind]
            assert max(of_kind) in shown[np.array(kinds)[order] == kind]


def test_many_and_long_series_stay_within_the_bounds():
    import pandas as pd

    rng, n = np.random.default_rng(0), 3000
    part = Sequences(rng.normal(size=(40 * n, 2)), np.arange(0, 40 * n + 1, 40), ("a", "b"))
    frame = pd.DataFrame({"series": part.ids, "true": rng.normal(size=n), "predicted": 0.0})
    kept = series_sample(frame, part, list(part), part.features)
    assert kept["of"] == n
    assert len(kept["rows"]) == len(kept["series"]) == MOST_SERIES
    worst = int(np.abs(frame["true"]).argmax())
    assert kept["rows"][0] == worst
    np.testing.assert_allclose(unpacked(kept["series"][0]["values"]), list(part)[worst], atol=1e-5)
    long = Sequences(
        rng.normal(size=(5 * MOST_NUMBERS, 1)), np.array([0, 5 * MOST_NUMBERS]), ("a",)
    )
    one = series_sample(frame.iloc[:1], long, list(long), long.features)["series"][0]
    assert one["every"] == 5
    assert unpacked(one["values"]).size <= MOST_NUMBERS
    assert len(json.dumps(kept)) < 2_000_000


@given(st.floats(-1e3, 1e3), st.floats(0.1, 10))
def test_how_far_a_target_is_off_is_by_its_own_spread(level, scale):
    """Targets of another level or unit beside it change nothing."""
    x = np.random.default_rng(0).normal(size=(30, 2))
    moved = np.column_stack([x[:, 0], level + scale * x[:, 1]])
    (one,), (other,) = _spreads([x]), _spreads([moved])
    assert one[0] == other[0]
    assert other[1] == pytest.approx(scale * one[1])
    assert _spreads([np.full((5, 1), np.nan), np.ones(5)]).tolist() == [[1.0], [1.0]]


def test_gaps_classes_and_times_of_the_data_are_counted():
    values = np.array([[1.0], [np.nan], [3.0], [4.0], [np.nan]])
    times = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")
    part = Sequences(values, np.array([0, 2, 5]), ("a",), times=times)
    found = described_data({"train": part, "test": None}, {"train": ["x", "y"]})
    [row] = found["parts"]
    assert (row["series"], row["steps"], row["missing"], row["lengths"]) == (2, 5, 2, [2, 2, 3])
    assert (row["dates"], row["from"]) == (True, 1704067200000.0)
    assert row["to"] - row["from"] == 4 * 86_400_000
    assert sum(row["counts"]) == 2
    assert sorted(found["classes"]["rows"]) == [["x", 1], ["y", 1]]


@pytest.mark.parametrize(
    ("rows", "fitted", "best"),
    [
        ("1,0.5,0.7\n2,0.4,0.6\n3,0.3,0.8\n", {}, 2),
        ("1,0.5,0.7\n2,0.4,0.6\n3,0.3,0.8\n", {"best_epoch_": 2}, 3),  # by smoothed losses
        ("1,0.5,\n2,0.4,\n3,0.3,\n", {}, 3),  # nothing was validated: the last one
    ],
)
def test_the_epoch_that_was_kept_is_known(rows, fitted, best):
    history = read_history("epoch,loss,val_loss\n" + rows, {"fitted": fitted})
    assert history["best"] == best


def test_the_curves_of_every_network_are_there():
    histories = [{"loss": [0.5, 0.4]}, {"loss": [3.0, 2.0, 1.0], "val_loss": [1.0, 0.5, 0.7]}]
    fitted = {"best_epoch_": 1, "histories_": histories}
    history = read_history("epoch,loss\n1,0.5\n2,0.4\n", {"fitted": fitted})
    assert history["curves"] == {"loss": [0.5, 0.4]}
    assert history["best"] == 2
    assert [(o["curves"], o["best"]) for o in history["others"]] == [(histories[1], 2)]
    anew = {**fitted, "stopped_histories_": [{"loss": [1.0]}, {"loss": [4.0], "val_loss": [2.0]}]}
    (other,) = read_history("epoch,loss\n1,0.5\n2,0.4\n", {"fitted": anew})["others"]
    assert other["curves"]["loss"] == [4.0, 3.0, 2.0, 1.0]
    assert (other["stopped"], other["best"]) == (1, 4)
    for damaged in (5, [5, 5], [{"loss": 1}] * 2, [{"loss": ["x"]}] * 2):
        broken = read_history("epoch,loss\n1,0.5\n", {"fitted": {"histories_": damaged}})
        assert broken["others"] == []
    assert read_history("epoch\n1\n", None)["curves"] == {}


def test_a_page_can_be_written_again_from_its_folder(tmp_path):
    recipe = {
        "task": "forecasting", "seed": 0, "data": {"dataset": "airline", "split": {"test": 24}},
        "model": {"units": 4}, "train": {"epochs": 2},
        "forecast": {"context_length": 24, "horizon": 6},
        "evaluate": {"season": 12, "backtest": {"windows": 3, "step": 6}},
    }  # fmt: skip
    folder = Path(run(recipe, out=tmp_path, name="again").document["run"])
    record = json.loads((folder / "run.json").read_text())
    assert "series.json" in record["files"]
    kept = json.loads((folder / "series.json").read_text())
    assert kept["origins"] == [[125, 131, 137]]
    assert set(kept["baselines"]) == {"naive", "seasonal_naive", "drift"}
    before = json.loads(page_text(folder))
    write_report(folder)
    after = json.loads(page_text(folder))
    assert after == before
    item = after["series"]["items"][0]
    values = unpacked(kept["series"][0]["values"])[:, 0]
    for window in item["windows"]:
        start = window["row"] - kept["series"][0]["from"]
        np.testing.assert_allclose(window["targets"][0]["true"], values[start : start + 6])


def page_text(folder):
    text = (folder / "report.html").read_text("utf-8")
    return text.partition('id="data">')[2].partition("</script>")[0]


@pytest.mark.parametrize("task", ["classification", "tagging", "forecasting"])
def test_a_run_may_keep_no_series(task, tmp_path):
    """Neither a value nor a name of the data is in what the page is made of."""
    rng, names = np.random.default_rng(0), [f"secret {i}" for i in range(12)]
    frame = pd.DataFrame({
        "who": np.repeat(names, 30), "step": np.tile(np.arange(30), 12),
        "x": np.round(100 + rng.normal(size=360), 5), "kind": np.repeat(["a", "b"] * 6, 30),
        "tag": rng.choice(["up", "down"], 360),
    })  # fmt: skip
    frame.to_csv(tmp_path / "data.csv", index=False)
    data = {"path": str(tmp_path / "data.csv"), "series_id": "who", "time": "step"}
    target = {"classification": "kind", "tagging": "tag", "forecasting": "x"}[task]
    recipe = {
        "task": task, "seed": 0, "data": {**data, "target": target}, "model": {"units": 2},
        "train": {"epochs": 1}, "evaluate": {"keep_series": False},
    }  # fmt: skip
    if task == "forecasting":
        recipe["forecast"] = {"context_length": 8, "horizon": 4}
    else:
        recipe["data"] |= {"features": ["x"]}
    folder = Path(run(recipe, out=tmp_path, name=task).document["run"])
    kept = json.loads((folder / "series.json").read_text())
    assert kept["left_out"]
    assert not any(kept[name] for name in ("rows", "ids", "series"))
    assert kept["data"]["parts"]  # sizes are told
    page = (folder / "report.html").read_text("utf-8")
    told = json.loads(page_text(folder))
    assert told["series"]["items"] == []
    assert told["series"]["leftOut"]
    assert "evaluate.keep_series" in told["model"]["absent"]
    assert not any((folder / "plots").glob("forecast*"))
    assert not any(name in page.replace(str(tmp_path), "") for name in names)
    for value in frame["x"]:
        assert repr(value) not in page
    assert "series" in pd.read_parquet(folder / "predictions.parquet")  # these are kept
