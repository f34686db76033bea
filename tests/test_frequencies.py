"""Habits of frequencies, and how series that are short change them."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from conftest import some
from hypothesis import given
from hypothesis import strategies as st

from seqkit.data.frequencies import HABITS, habit_of, sizes_for

FREQUENCIES = ["YS-JAN", "QE-DEC", "MS", "W-SUN", "D", "B", "h", "15min", "30s", "6h", None]


def test_the_table_is_whole():
    for unit, habit in some(HABITS.items()):
        assert habit.unit == unit
        assert habit.horizon < habit.context
        if unit != "W":  # a year ahead of weeks is too far
            assert habit.horizon >= habit.season
        assert habit.context >= 2 * habit.season


@pytest.mark.parametrize(
    ("several", "one"),
    [("7D", "W-SUN"), ("3MS", "QS"), ("12MS", "YS"), ("24h", "D"), ("60min", "h"), ("60s", "min")],
)
def test_so_many_of_a_unit_are_another(several, one):
    assert habit_of(several) == habit_of(one)


@pytest.mark.parametrize(("frequency", "season"), [("5min", 288), ("30min", 48), ("2h", 12)])
def test_a_multiple_has_the_same_season_in_time(frequency, season):
    assert habit_of(frequency).season == season


@given(
    frequency=st.sampled_from(FREQUENCIES),
    lengths=st.lists(st.integers(4, 900), min_size=1, max_size=9),
)
def test_sizes_fit_the_median_series(frequency, lengths):
    sizes = sizes_for(frequency, lengths)
    typical = int(median(lengths))
    habit = habit_of(frequency)
    assert 1 <= sizes.horizon <= habit.horizon
    assert sizes.season in (1, habit.season)
    assert sizes.season == 1 or typical >= 3 * sizes.season
    assert sizes.context >= 2 * sizes.season or sizes.season == 1
    # what a run asks of the longest series: a context before the test window, and to learn from
    # more than a horizon
    assert sizes.context + sizes.horizon <= max(lengths)
    assert 2 * sizes.horizon < max(lengths)
    assert {*sizes.reasons} == {"season", "horizon", "context"}


@given(st.sampled_from(FREQUENCIES), st.integers(4, 900), st.integers(1, 400))
def test_the_shortest_series_decides_nothing(frequency, length, shorter):
    alone = sizes_for(frequency, [length])
    short = min(shorter, length)
    beside = sizes_for(frequency, [length, length, short])
    assert (alone.season, alone.horizon, alone.context) == (
        beside.season, beside.horizon, beside.context,
    )  # fmt: skip
    assert beside.short >= (short <= 2 * beside.horizon)


def test_what_the_user_wants_is_kept():
    sizes = sizes_for("MS", [200], season=6, horizon=9)
    assert (sizes.season, sizes.horizon, sizes.context) == (6, 9, 18)
    assert sizes.reasons["season"] == sizes.reasons["horizon"] == "as given"


def test_the_documentation_has_the_table():
    page = (Path(__file__).parents[1] / "docs/forecasting.md").read_text()
    for habit in some(HABITS.values()):
        if habit.unit in ("", "min", "s"):
            continue
        season = habit.season if habit.season > 1 else "none"
        assert f"| {habit.name} | {season} | {habit.horizon} | {habit.context} |" in page
