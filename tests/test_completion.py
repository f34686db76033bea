"""How many windows a backtest has by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seqkit.recipe.completion import complete, window_count, with_windows
from seqkit.recipe.evaluate_sections import MOST_WINDOWS, TEST_SHARE
from seqkit.recipe.schema import RECIPES


@given(
    lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=20),
    context=st.integers(1, 200),
    horizon=st.integers(1, 60),
    step=st.integers(1, 60),
)
def test_windows_leave_every_series_what_a_fit_needs(lengths, context, horizon, step):
    windows = window_count(lengths, context, horizon, step)
    assert 1 <= windows <= MOST_WINDOWS
    tail = horizon + (windows - 1) * step
    for length in lengths:
        if length >= context + 2 * horizon:  # it can be learned from beside one window
            assert length - tail >= context + horizon
    if windows > 1:
        whole = sorted(n for n in lengths if n >= context + 2 * horizon) or sorted(lengths)
        assert tail <= TEST_SHARE * whole[-1]


@given(
    length=st.integers(50, 3000),
    horizon=st.integers(1, 20),
    step=st.integers(1, 20),
    test=st.integers(20, 40),
)
def test_a_test_part_that_is_set_is_filled_and_never_left(length, horizon, step, test):
    windows = window_count([length], 5, horizon, step, test)
    assert horizon + (windows - 1) * step <= test
    assert windows == MOST_WINDOWS or horizon + windows * step > test


def recipe(**evaluate):
    return complete(
        RECIPES["forecasting"].model_validate(
            {
                "version": 1,
                "task": "forecasting",
                "data": {"dataset": "airline"},
                "forecast": {"context_length": 36, "horizon": 12},
                "evaluate": evaluate,
            }
        )
    )


def test_the_number_and_the_test_part_are_written_into_the_recipe():
    settled = with_windows(recipe(), [144])
    assert settled.evaluate.backtest.windows == 2
    assert settled.data.split.test == 24
    given_ = recipe(backtest={"windows": 3})
    assert with_windows(given_, [144]) is given_
    assert given_.data.split.test == 36
