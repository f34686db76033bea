"""Defaults of a recipe that depend on its other settings."""

from __future__ import annotations

from typing import Any

from seqkit.recipe.rules import is_table
from seqkit.recipe.schema import Recipe
from seqkit.tasks import TASKS

__all__ = ["complete"]

TEST_FRACTION = 0.2


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
        step of the backtest are said.
    """
    row = TASKS[recipe.task]
    evaluate: dict[str, Any] = {}
    data: dict[str, Any] = {}
    given: Any = recipe  # the sections differ by task, which the base class cannot say
    if given.evaluate.metrics is None:
        evaluate["metrics"] = list(row.default_metrics)
    if given.evaluate.baselines is None:
        evaluate["baselines"] = list(row.baselines)
    test: int | float | None = TEST_FRACTION
    if "forecast" in type(recipe).model_fields:
        backtest, horizon = given.evaluate.backtest, given.forecast.horizon
        step = horizon if backtest.step is None else backtest.step
        evaluate["backtest"] = backtest.model_copy(update={"step": step})
        test = horizon + (backtest.windows - 1) * step
    else:
        if given.data.layout is None and is_table(given.data.path):
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


def _first(path: str | list[str] | None) -> str:
    return path[0] if isinstance(path, list) else str(path)
