"""Defaults of a recipe that depend on its other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from seqkit.auto import AUTO
from seqkit.recipe.evaluate_sections import LEVEL, MOST_WINDOWS, TEST_SHARE
from seqkit.recipe.file_names import is_table
from seqkit.recipe.schema import Recipe
from seqkit.tasks import TASKS

__all__ = ["complete", "with_chosen", "with_sizes", "with_windows"]


def complete(recipe: Recipe) -> Recipe:
    """Return the recipe with the defaults that depend on other settings filled in.

    Parameters
    ----------
    recipe : Recipe
        A valid recipe.

    Returns
    -------
    Recipe
        One in which the metrics, the baselines, the layout, the size of the test part and the
        step of the backtest are said, but what the data decide: the number of windows.
    """
    row = TASKS[recipe.task]
    evaluate: dict[str, Any] = {}
    data: dict[str, Any] = {}
    given: Any = recipe  # the sections differ by task, which the base class cannot say
    if given.evaluate.metrics is None:
        evaluate["metrics"] = list(row.default_metrics)
        if getattr(given.model, "quantiles", None) or getattr(given.train, "calibration", 0):
            evaluate["metrics"] += row.interval_metrics
    if getattr(given.train, "calibration", 0) and given.evaluate.interval is None:
        evaluate["interval"] = LEVEL
    if given.evaluate.baselines is None:
        evaluate["baselines"] = list(row.default_baselines)
    test: int | float | None = TEST_SHARE
    if "forecast" in type(recipe).model_fields and given.forecast.horizon == AUTO:
        test = None  # all of the backtest is for the data to say
    elif "forecast" in type(recipe).model_fields:
        backtest, horizon = given.evaluate.backtest, given.forecast.horizon
        step = horizon if backtest.step is None else backtest.step
        evaluate["backtest"] = backtest.model_copy(update={"step": step})
        # how many windows there are, and so the test part, is for the data to say
        test = None if backtest.windows is None else horizon + (backtest.windows - 1) * step
    else:
        # of tagging a row is always a step
        if getattr(given.data, "layout", "long") is None and is_table(given.data.path):
            whole = given.data.series_id or given.data.label_from
            data["layout"] = "long" if whole else "wide"
        if given.data.test_path or given.data.dataset:
            test = 0.0
        elif _first(given.data.path).endswith(".npz"):
            test = None  # the file may name its own test part; otherwise the split's default holds
    if given.data.split.test is None:
        data["split"] = given.data.split.model_copy(update={"test": test})
    return recipe.model_copy(
        update={
            "extends": None,
            "data": given.data.model_copy(update=data),
            "evaluate": given.evaluate.model_copy(update=evaluate),
        }
    )


def with_sizes(recipe: Recipe, sizes: Mapping[str, int]) -> Recipe:
    """Return a forecasting recipe with what its data have decided.

    Parameters
    ----------
    recipe : Recipe
    sizes : mapping of str to int
        Of ``context_length``, ``horizon`` and ``season`` those that are auto.
    """
    given: Any = recipe
    own = {name: value for name, value in sizes.items() if name != "season"}
    season = {name: value for name, value in sizes.items() if name == "season"}
    settled = recipe.model_copy(
        update={
            "forecast": given.forecast.model_copy(update=own),
            "evaluate": given.evaluate.model_copy(update=season),
        }
    )
    return complete(settled)


def with_chosen(recipe: Recipe, chosen: Mapping[str, Any]) -> Recipe:
    """Return a recipe with what became of the settings of its network and training that are auto.

    Parameters
    ----------
    recipe : Recipe
    chosen : mapping of str to object
        Settings by name; what is not auto in the recipe stays.
    """
    sections = {}
    for name in ("model", "train"):
        section = getattr(recipe, name)
        auto = {key for key, value in section if value == AUTO}
        sections[name] = section.model_copy(
            update={key: value for key, value in chosen.items() if key in auto}
        )
    return recipe.model_copy(update=sections)


def with_windows(recipe: Recipe, lengths: Sequence[int]) -> Recipe:
    """Return a forecasting recipe with the number of windows its data allow, where it says none.

    Parameters
    ----------
    recipe : Recipe
        One that is complete but for that.
    lengths : sequence of int
        Steps of every series.
    """
    given: Any = recipe
    backtest, test = given.evaluate.backtest, given.data.split.test
    if backtest.windows is not None:
        return recipe
    horizon, step = given.forecast.horizon, backtest.step
    contexts = given.forecast.context_length
    context = contexts if isinstance(contexts, int) else max(contexts)
    windows = window_count(lengths, context, horizon, step, test)
    if test is None:
        test = horizon + (windows - 1) * step
    split = given.data.split.model_copy(update={"test": test})
    backtest = backtest.model_copy(update={"windows": windows})
    return recipe.model_copy(
        update={
            "data": given.data.model_copy(update={"split": split}),
            "evaluate": given.evaluate.model_copy(update={"backtest": backtest}),
        }
    )


def window_count(
    lengths: Sequence[int], context: int, horizon: int, step: int, test: int | float | None = None
) -> int:
    """Return how many windows a backtest has by itself.

    As many as fit into the test part that is set. Where none is: into a fifth of the median series,
    but a series that has a whole training window beside one test window keeps it. At least one, at
    most `MOST_WINDOWS`.

    Examples
    --------
    >>> window_count([144], 36, 12, 12), window_count([17_420], 168, 48, 48)
    (2, 10)
    >>> window_count([70, 300], 36, 12, 12), window_count([144], 36, 12, 1, test=24)
    (1, 10)
    """
    whole = [length for length in lengths if length >= context + 2 * horizon]
    if not whole:  # contexts are filled up, as far as a series goes
        whole, context = [n for n in lengths if n > horizon] or list(lengths), 0
    if test is None:
        tail = min(int(TEST_SHARE * median(whole)), min(whole) - context - horizon)
    else:
        tail = int(min(whole) * test) if isinstance(test, float) else test
    return min(max(1 + (tail - horizon) // step, 1), MOST_WINDOWS)


def _first(path: str | list[str] | None) -> str:
    return path[0] if isinstance(path, list) else str(path)
