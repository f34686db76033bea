"""seqkit: recurrent sequence models from a short recipe.

Names load when they are first used, so that ``import seqkit`` is quick and brings in neither
TensorFlow nor pandas.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Bidirectional": "seqkit.recurrent",
    "GatedRNN": "seqkit.recurrent",
    "RecipeError": "seqkit.errors",
    "DataError": "seqkit.errors",
    "RunError": "seqkit.errors",
    "TrainingError": "seqkit.errors",
    "ExportError": "seqkit.errors",
    "SequenceClassifier": "seqkit.estimators.classifier",
    "SequenceForecaster": "seqkit.estimators.forecaster",
    "SequenceRegressor": "seqkit.estimators.regressor",
    "BacktestSplit": "seqkit.evaluation.backtest",
    "forecast_scorer": "seqkit.evaluation.backtest",
    "build_classifier": "seqkit.builders",
    "build_forecaster": "seqkit.forecast_model",
    "build_regressor": "seqkit.builders",
    "load_run": "seqkit.experiment",
    "read_recipe": "seqkit.recipe.reading",
    "run": "seqkit.experiment",
}

__all__ = [
    "BacktestSplit",
    "Bidirectional",
    "DataError",
    "ExportError",
    "GatedRNN",
    "RecipeError",
    "RunError",
    "SequenceClassifier",
    "SequenceForecaster",
    "SequenceRegressor",
    "TrainingError",
    "build_classifier",
    "build_forecaster",
    "build_regressor",
    "forecast_scorer",
    "load_run",
    "read_recipe",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from seqkit.collection import collection_paused

        with collection_paused():
            return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'seqkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
