"""The sections of a recipe that say how a model is judged; the others are in `sections`."""

from __future__ import annotations

from pydantic import Field

from seqkit.recipe.types import Count, Section, Switch, names, setting
from seqkit.tasks import TASKS

__all__ = ["Backtest", "ClassificationEvaluate", "ForecastingEvaluate", "RegressionEvaluate"]


class Backtest(Section):
    """Rolling-origin evaluation over the test part."""

    windows: Count = setting(1, "Forecast origins.")
    step: Count | None = setting(None, "Steps between origins. Default: the horizon.", "time steps")
    refit: Switch = setting(False, "Train anew at every origin; slow.")


class ForecastingEvaluate(Section):
    """How the forecasts are judged."""

    metrics: names(TASKS["forecasting"].metrics) | None = setting(  # type: ignore[valid-type]
        None, f"Scores. Default: {', '.join(TASKS['forecasting'].default_metrics)}."
    )
    baselines: (
        names(  # type: ignore[valid-type]
            (*TASKS["forecasting"].baselines, *TASKS["forecasting"].more_baselines)
        )
        | None
    ) = setting(
        None,
        f"Naive methods beside the model. Default: {', '.join(TASKS['forecasting'].baselines)}.",
    )
    season: Count = setting(
        1, "Steps in a season, for the seasonal naive forecast and scaled errors.", "time steps"
    )
    backtest: Backtest = Field(
        default_factory=Backtest, description="Rolling-origin evaluation over the test part."
    )


class ClassificationEvaluate(Section):
    """How the model is judged."""

    metrics: names(TASKS["classification"].metrics) | None = setting(  # type: ignore[valid-type]
        None, f"Scores. Default: {', '.join(TASKS['classification'].default_metrics)}."
    )
    baselines: names(TASKS["classification"].baselines) | None = setting(  # type: ignore[valid-type]
        None,
        "Simple methods beside the model. Default: "
        f"{', '.join(TASKS['classification'].baselines)}.",
    )


class RegressionEvaluate(Section):
    """How the model is judged."""

    metrics: names(TASKS["regression"].metrics) | None = setting(  # type: ignore[valid-type]
        None, f"Scores. Default: {', '.join(TASKS['regression'].default_metrics)}."
    )
    baselines: names(TASKS["regression"].baselines) | None = setting(  # type: ignore[valid-type]
        None,
        f"Simple methods beside the model. Default: {', '.join(TASKS['regression'].baselines)}.",
    )
