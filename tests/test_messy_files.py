"""Files as people have them: read as they are meant, or refused with what mends them.

``python tests/test_messy_files.py`` writes the table of ``docs/data.md`` anew.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from messy import CASES, Case, shown

from seqkit import SequenceForecaster, backtest, run
from seqkit.data.inspect import inspect_data
from seqkit.errors import DataError, RecipeError
from seqkit.recipe.reading import read_recipe
from seqkit.runs.experiment import evaluate, forecast, predict
from seqkit.runs.flows import flow_of

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "data.md"
TABLE = re.compile(r"(?<=<!-- messy files -->\n).*?(?=<!-- end of messy files -->)", re.DOTALL)


def recipe(path: Path, **data) -> dict:
    data = {"target": "y", **data}
    return {
        "task": "forecasting",
        "data": {"path": str(path), "split": {"test": 4, "validation": 0}, **data},
        "model": {"units": 4, "patch": 1},
        "train": {"epochs": 1, "patience": 0},
        "forecast": {"context_length": 3, "horizon": 2},
        "evaluate": {"season": 1, "baselines": ["naive"]},
    }


def read(case: Case, folder: Path):
    """Return the rows that a fit reads of a file, and what is said of it; or the error."""
    path = folder / case.name
    path.write_bytes(case.write())
    try:
        flow = flow_of(read_recipe(recipe(path, **case.data)))
        parts = flow.load()
        flow.check(parts)
    except (DataError, RecipeError) as error:
        return None, shown(str(error), folder)
    return parts.test.rows, shown("; ".join(parts.notes), folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_messy_file_is_read_as_it_is_meant_or_says_what_to_do(case, tmp_path):
    rows, said = read(case, tmp_path)
    print(said)
    if case.refused:
        assert rows is None, "it was read"
        missing = [words for words in case.refused if words not in said]
        assert not missing, said
        return
    assert rows is not None, said
    for words in case.said:
        assert words in said
    given = ~np.isnan(rows.values[:, 0])
    if case.data.get("missing") != "interpolate":
        assert given.all()
    expected = np.asarray(case.values)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(rows.values[given, 0], expected[known])
    assert case.stamps is not None
    times = case.stamps.to_numpy().astype("M8[us]")
    np.testing.assert_array_equal(rows.times[given], times[known])


SAID = {"date_format", "day_first", "decimal", "missing_values", "missing", "frequency",
        "time_zone"}  # fmt: skip
PLAIN = [case for case in CASES if not case.refused and not SAID & set(case.data)]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_what_inspection_finds_is_what_a_fit_reads(case, tmp_path):
    path = tmp_path / case.name
    path.write_bytes(case.write())
    found = inspect_data(path, target=case.data.get("target", "y"))
    assert (found.task, found.layout) == ("forecasting", "long")
    time = list(found.time) if isinstance(found.time, tuple) else found.time
    data = {"time": time, "target": found.target, "sort": found.sort}
    if found.frequency is not None:
        data["frequency"] = found.frequency
    with_guesses, _ = read(
        Case(case.name, "", case.write, data=data),
        tmp_path,
    )
    as_meant, _ = read(case, tmp_path)
    np.testing.assert_array_equal(with_guesses.values, as_meant.values)
    np.testing.assert_array_equal(with_guesses.times, as_meant.times)


def test_a_file_that_follows_is_read_as_that_of_training(tmp_path):
    """Twelve days of March are twelve months in the other reading; the training file told."""
    days = pd.date_range("2023-01-05", periods=60, freq="D")
    wave = 10 + np.sin(np.arange(60))
    for name, part in (("train", slice(0, 48)), ("next", slice(55, 60))):
        table = pd.DataFrame({"date": days[part].strftime("%d/%m/%Y"), "y": wave[part]})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    folder = run(recipe(tmp_path / "train.csv"), out=tmp_path / "runs", name="a").document["run"]
    forecast(folder, data=str(tmp_path / "next.csv"), output=tmp_path / "forecast.csv")
    table = pd.read_csv(tmp_path / "forecast.csv", parse_dates=["date"])
    assert table["date"].tolist() == [pd.Timestamp("2023-03-06"), pd.Timestamp("2023-03-07")]


def days(start, n, form):
    stamps = pd.date_range(start, periods=n, freq="D")
    return pd.DataFrame({"date": stamps.strftime(form), "y": 10 + np.sin(np.arange(n))})


def said_of_dates(result):
    return [note for note in result.document["notes"] if "dates are read" in note]


@pytest.mark.parametrize("first", ["day", "month"])
def test_dates_are_read_as_those_of_training_or_contradict_them(first, tmp_path):
    forms = {"day": "%d/%m/%Y", "month": "%m/%d/%Y"}
    other = forms["month" if first == "day" else "day"]
    days("2023-01-05", 48, forms[first]).to_csv(tmp_path / "train.csv", index=False)
    # twelve days that are twelve months in the other reading
    days("2023-03-01", 12, forms[first]).to_csv(tmp_path / "same.csv", index=False)
    days("2023-03-10", 12, other).to_csv(tmp_path / "other.csv", index=False)
    days("2023-03-01", 12, "%Y-%m-%d").to_csv(tmp_path / "iso.csv", index=False)
    folder = run(recipe(tmp_path / "train.csv"), out=tmp_path / "runs", name="a").document["run"]
    for command in (
        lambda name: evaluate(folder, str(tmp_path / name)),
        lambda name: forecast(folder, str(tmp_path / name)),
        lambda name: predict(folder, str(tmp_path / name), tmp_path / "out.csv"),
    ):
        assert not said_of_dates(command("same.csv"))
        [note] = said_of_dates(command("iso.csv"))
        assert note.endswith(f"iso.csv: dates are read as ISO 8601; those of training were {first} "
                             "first")  # fmt: skip
        with pytest.raises(DataError, match=rf"other\.csv: the dates must be {first} first, as"):
            command("other.csv")
    table = json.loads(json.dumps(forecast(folder, str(tmp_path / "same.csv")).document))
    assert table["forecast"][0]["date"].startswith("2023-03-13")


def test_labelled_series_are_read_as_those_of_training(tmp_path):
    def trials(start, n, form):
        parts = [days(start, n, form).assign(trial=i, kind="ab"[i % 2]) for i in range(12)]
        return pd.concat(parts).assign(y=lambda table: table["y"] + (table["kind"] == "b"))

    trials("2023-01-05", 20, "%d/%m/%Y").to_csv(tmp_path / "train.csv", index=False)
    trials("2023-03-01", 12, "%d/%m/%Y").to_csv(tmp_path / "same.csv", index=False)
    trials("2023-03-10", 12, "%m/%d/%Y").to_csv(tmp_path / "other.csv", index=False)
    settings = {
        "task": "classification",
        "data": {"path": str(tmp_path / "train.csv"), "series_id": "trial", "time": "date",
                 "target": "kind"},
        "model": {"units": 2}, "train": {"epochs": 1}, "evaluate": {"baselines": ["majority"]},
    }  # fmt: skip
    folder = run(settings, out=tmp_path / "runs", name="a").document["run"]
    assert not said_of_dates(evaluate(folder, str(tmp_path / "same.csv")))
    assert not said_of_dates(predict(folder, str(tmp_path / "same.csv"), tmp_path / "o.csv"))
    for command in (
        lambda name: evaluate(folder, str(tmp_path / name)),
        lambda name: predict(folder, str(tmp_path / name), tmp_path / "o.csv"),
    ):
        with pytest.raises(DataError, match="the dates must be day first, as those of training"):
            command("other.csv")


def test_days_that_are_absent_are_scored_as_days_without_a_value(tmp_path):
    rows = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=90, freq="B")})
    rows["y"] = np.sin(np.arange(90.0) * 2 * np.pi / 5) + 0.1 * np.cos(np.arange(90.0) ** 2)
    holidays = [20, 61, 84, 87]
    results = []
    for frame in (rows.drop(index=holidays), rows.assign(y=rows["y"].drop(holidays))):
        model = SequenceForecaster(context_length=5, horizon=5, units=4, epochs=3, patience=0,
                                   missing="interpolate", random_state=0)  # fmt: skip
        results.append(backtest(model, frame, windows=3, step=5, season=5))
    absent, empty = results
    np.testing.assert_array_equal(absent.origins, empty.origins)
    np.testing.assert_array_equal(absent.truth, empty.truth)
    np.testing.assert_array_equal(absent.prediction.values, empty.prediction.values)
    assert np.isnan(absent.truth).sum() == 2  # in the windows of the last fifteen days
    assert np.isfinite(absent.evaluate()["model"]["mae"])


@cache
def written() -> str:
    """Return the table of the guide."""
    rows = ["", "| file | what it is | |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        for case in CASES:
            result, said = read(case, Path(name))
            outcome = f"{'read' if result is not None else 'refused'}{': ' if said else ''}{said}"
            rows.append(f"| `{case.name}` | {case.what} | {outcome} |")
    return "\n".join([*rows, "", ""])


def test_the_guide_has_the_table_as_it_is():
    [table] = TABLE.findall(GUIDE.read_text(encoding="utf-8"))
    assert table == written(), "write it anew: python tests/test_messy_files.py"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    page = GUIDE.read_text(encoding="utf-8")
    GUIDE.write_text(TABLE.sub(lambda _: written(), page), encoding="utf-8")
