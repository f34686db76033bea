"""The sections of a recipe that say how a model is judged; the others are in `sections`."""

from __future__ import annotations

from pydantic import Field

from seqkit.network.settings import Auto
from seqkit.recipe.types import Count, Probability, Section, Switch, names, setting
from seqkit.tasks import TASKS

__all__ = [
    "KEEP_SERIES",
    "LEVEL",
    "Backtest",
    "ClassificationEvaluate",
    "ForecastingEvaluate",
    "RegressionEvaluate",
]

# Windows of a backtest that are not asked for. What a mean of n independent windows is off by falls
# with the root of n: ten leave a third of what one has, twenty more than a fifth, at twice the test
# part and twice the fits of statistical baselines.
MOST_WINDOWS = 10
KEEP_SERIES = (
    "Keep some series of the test part in the run, as the report shows them. false = none: the "
    "report then shows and names no series, and its model cannot be tried."
)
LEVEL = 0.8  # of the conformal intervals that are reported
TEST_SHARE = 0.2  # of the series, or of a series, that is held back for the scores by itself


class Backtest(Section):
    """Rolling-origin evaluation over the test part."""

    windows: Count | None = setting(
        None,
        "Forecast origins. Default: as many as the test part holds; where that is not set, as many "
        f"as {TEST_SHARE} of the median series holds and leave every series a whole training "
        f"window; {MOST_WINDOWS} at most. The resolved recipe has the number.",
    )
    step: Count | None = setting(None, "Steps between origins. Default: the horizon.", "time steps")
    refit: Switch = setting(False, "Train anew at every origin; slow.")


class ForecastingEvaluate(Section):
    """How the forecasts are judged."""

    metrics: names(TASKS["forecasting"].metrics) | None = setting(  # type: ignore[valid-type]
        None, f"Scores. Default: {', '.join(TASKS['forecasting'].default_metrics)}."
    )
    baselines: (
        names(TASKS["forecasting"].all_baselines)  # type: ignore[valid-type]
        | None
    ) = setting(
        None,
        f"Simple methods beside the model. Default: {', '.join(TASKS['forecasting'].baselines)}; "
        f"{' and '.join(TASKS['forecasting'].fitted_baselines)} where statsforecast is installed.",
    )
    season: Count | Auto = setting(
        "auto",
        "Steps in a season, for the seasonal naive forecast and scaled errors. auto = what is "
        "usual for the frequency (4 quarters, 12 months, 52 weeks, 7 days, 5 business days, 24 "
        "hours) where the median series holds three; else 1.",
        "time steps",
    )
    backtest: Backtest = Field(
        default_factory=Backtest, description="Rolling-origin evaluation over the test part."
    )
    keep_series: Switch = setting(True, KEEP_SERIES)


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
    keep_series: Switch = setting(True, KEEP_SERIES)


class RegressionEvaluate(Section):
    """How the model is judged."""

    metrics: names(TASKS["regression"].metrics) | None = setting(  # type: ignore[valid-type]
        None,
        f"Scores. Default: {', '.join(TASKS['regression'].default_metrics)}; and "
        f"{', '.join(TASKS['regression'].interval_metrics)} of quantiles or intervals.",
    )
    baselines: names(TASKS["regression"].baselines) | None = setting(  # type: ignore[valid-type]
        None,
        f"Simple methods beside the model. Default: {', '.join(TASKS['regression'].baselines)}.",
    )
    interval: Probability | None = setting(
        None,
        "Share of true values that the conformal interval should hold whose coverage and width are "
        f"reported, with train.calibration. Default: {LEVEL}.",
    )
    keep_series: Switch = setting(True, KEEP_SERIES)
