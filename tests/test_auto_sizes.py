"""Context length, horizon and season that the data decide, by the one rule that init shows."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqkit import SequenceForecaster, build_forecaster, load_run, run
from seqkit.data.frequencies import auto_sizes, habit_of, sizes_for
from seqkit.errors import DataError
from seqkit.evaluation.backtest import backtest

TINY = {"units": 4, "epochs": 2, "random_state": 0}
NAMES = ("context_length", "horizon", "season")


def series(frequency: str, n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    stamps = pd.date_range("2001-01-01", periods=n, freq=frequency)
    return pd.DataFrame({"ds": stamps, "y": 50 + np.sin(np.arange(n)) + rng.normal(0, 0.1, n)})


def wanted(**given: int) -> dict[str, object]:
    return dict.fromkeys(NAMES, "auto") | given


@pytest.mark.parametrize(
    ("frequency", "n", "expected"),
    [
        ("MS", 144, (36, 12, 12)),
        ("QS", 60, (12, 8, 4)),
        ("YS", 40, (12, 6, 1)),
        ("D", 200, (28, 14, 7)),
        ("h", 400, (168, 48, 24)),
    ],
)
def test_the_frequency_decides(frequency, n, expected):
    model = SequenceForecaster(**TINY).fit(series(frequency, n))
    assert tuple(model.auto_[name] for name in NAMES) == expected
    assert (model._contexts, model._fitted.season) == ((expected[0],), expected[2])
    assert len(model.forecast()) == expected[1]
    assert model.get_params()["horizon"] == "auto"  # what was asked for is not overwritten
    name = habit_of(frequency).name
    assert any(f"season {expected[2]}: " in note and name in note for note in model.notes_)


def test_as_if_it_had_been_set():
    frame = series("MS", 100)
    left = SequenceForecaster(**TINY).fit(frame)
    given = SequenceForecaster(**TINY, context_length=36, horizon=12, season=12).fit(frame)
    assert all(map(np.array_equal, left.weights_, given.weights_))
    pd.testing.assert_frame_equal(left.forecast(), given.forecast())


def test_arrays_have_no_frequency():
    model = SequenceForecaster(**TINY).fit(np.sin(np.arange(200.0)))
    assert tuple(model.auto_[name] for name in NAMES) == (24, 12, 1)
    assert any("nothing is known of the step" in note for note in model.notes_)


@given(
    frequency=st.sampled_from(["YS", "QS", "MS", "W-SUN", "D", "h", "15min", None]),
    lengths=st.lists(st.integers(4, 900), min_size=1, max_size=6),
    horizon=st.none() | st.integers(1, 100),
    season=st.none() | st.integers(1, 100),
)
def test_what_is_set_is_kept_and_the_rest_is_the_rule_of_init(frequency, lengths, horizon, season):
    settings = {k: v for k, v in (("horizon", horizon), ("season", season)) if v is not None}
    found, said = auto_sizes(wanted(**settings), frequency, lengths)
    rule = sizes_for(frequency, lengths, season=season, horizon=horizon)
    own = {"context_length": rule.context, "horizon": rule.horizon, "season": rule.season}
    assert found == {name: value for name, value in own.items() if name not in settings}
    assert all(f"{name} {value}: " in said for name, value in found.items())
    assert auto_sizes(dict.fromkeys(NAMES, 7), frequency, lengths) == ({}, "")


def test_the_settings_that_follow_are_checked():
    with pytest.raises(ValueError, match="departure_from must be none or last when season is 1"):
        SequenceForecaster(departure_from="seasonal_naive").fit(series("YS", 40))
    with pytest.raises(ValueError, match="patch must be no longer than context_length"):
        SequenceForecaster(patch=50).fit(series("MS", 144))
    for name in NAMES:
        settings = {"context_length": 24, "horizon": 6, name: "auto"}
        with pytest.raises(ValueError, match=f"{name} must be a number; got 'auto'. Here are no d"):
            build_forecaster(**settings)


def test_a_fitted_one_is_kept_backtested_and_gone_on_with(tmp_path):
    frame = series("QS", 80)
    model = SequenceForecaster(**TINY, warm_start=True).fit(frame)
    expected = model.forecast()
    model.save(tmp_path / "model")
    for other in (SequenceForecaster.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert other._fitted.horizon == 8
        pd.testing.assert_frame_equal(other.forecast(frame), expected)
    assert backtest(model, frame, windows=2, prefit=True).truth.shape[2] == 8
    with pytest.raises(ValueError, match=r"horizon must be given; got None\. That of a fo"):
        backtest(SequenceForecaster(**TINY), frame, windows=2)
    assert backtest(SequenceForecaster(**TINY), frame, windows=2, horizon=3).truth.shape[2] == 3
    before = dict(model.auto_)
    model.fit(frame[:60])  # further series change no size of a network that is there
    assert {name: model.auto_[name] for name in NAMES} == {name: before[name] for name in NAMES}


def test_a_run_writes_what_they_became(tmp_path):
    series("MS", 120).to_csv(tmp_path / "sales.csv", index=False)
    recipe = {"task": "forecasting", "data": {"path": str(tmp_path / "sales.csv")},
              "model": {"units": 4}, "train": {"epochs": 1}}  # fmt: skip
    result = run(recipe, out=tmp_path)
    folder = tmp_path / result.document["run"]
    text = (folder / "recipe.resolved.yaml").read_text("utf-8")
    for line in ("context_length: 36", "horizon: 12", "season: 12", "step: 12"):
        assert f"{line}\n" in text
    assert "horizon 12: steps ahead; a year ahead of three" in (folder / "log.txt").read_text()
    assert load_run(folder).horizon == 12
    short = recipe | {"model": {"departure_from": "seasonal_naive"}, "evaluate": {"season": "auto"}}
    series("YS", 40).to_csv(tmp_path / "sales.csv", index=False)
    with pytest.raises(DataError, match="departure_from must be none or last when season is 1"):
        run(short, out=tmp_path)
