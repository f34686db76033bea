"""seqkit: recurrent sequence models from a short recipe.

Names load when they are first used, so that ``import seqkit`` is quick and brings in neither
TensorFlow nor pandas. Type checkers and editors read the imports below instead.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_KERAS = ("seqkit.layers", "seqkit.builders")

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
    "SequenceTagger",
    "TrainingError",
    "backtest",
    "build_classifier",
    "build_forecaster",
    "build_regressor",
    "build_tagger",
    "compare",
    "export",
    "forecast_scorer",
    "load",
    "load_keras",
    "load_run",
    "read_recipe",
    "run",
]

if TYPE_CHECKING:
    from seqkit.builders import (
        build_classifier,
        build_forecaster,
        build_regressor,
        build_tagger,
    )
    from seqkit.errors import DataError, ExportError, RecipeError, RunError, TrainingError
    from seqkit.estimators.classifier import SequenceClassifier
    from seqkit.estimators.forecaster import SequenceForecaster
    from seqkit.estimators.regressor import SequenceRegressor
    from seqkit.estimators.tagger import SequenceTagger
    from seqkit.evaluation.backtest import backtest
    from seqkit.evaluation.search import BacktestSplit, forecast_scorer
    from seqkit.exports import export
    from seqkit.exports.keras_reading import load_keras
    from seqkit.layers import Bidirectional, GatedRNN
    from seqkit.recipe.reading import read_recipe
    from seqkit.runs.comparison import compare
    from seqkit.runs.experiment import run
    from seqkit.runs.finished import load, load_run
else:
    # out of a type checker's sight: a module's `__getattr__` makes every unknown name `Any`
    _HOME = {
        "BacktestSplit": "seqkit.evaluation.search",
        "Bidirectional": "seqkit.layers",
        "DataError": "seqkit.errors",
        "ExportError": "seqkit.errors",
        "GatedRNN": "seqkit.layers",
        "RecipeError": "seqkit.errors",
        "RunError": "seqkit.errors",
        "SequenceClassifier": "seqkit.estimators.classifier",
        "SequenceForecaster": "seqkit.estimators.forecaster",
        "SequenceRegressor": "seqkit.estimators.regressor",
        "SequenceTagger": "seqkit.estimators.tagger",
        "TrainingError": "seqkit.errors",
        "backtest": "seqkit.evaluation.backtest",
        "build_classifier": "seqkit.builders",
        "build_forecaster": "seqkit.builders",
        "build_regressor": "seqkit.builders",
        "build_tagger": "seqkit.builders",
        "compare": "seqkit.runs.comparison",
        "export": "seqkit.exports",
        "forecast_scorer": "seqkit.evaluation.search",
        "load": "seqkit.runs.finished",
        "load_keras": "seqkit.exports.keras_reading",
        "load_run": "seqkit.runs.finished",
        "read_recipe": "seqkit.recipe.reading",
        "run": "seqkit.runs.experiment",
    }

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            from seqkit.system.backend import check_backend
            from seqkit.system.collection import collection_paused
            from seqkit.system.deferred_import import lean_imports

            lean_imports()
            if _HOME[name] in _KERAS:
                check_backend()
                importlib.import_module("seqkit.layers")  # Keras then reads models that name them
            with collection_paused():
                return getattr(importlib.import_module(_HOME[name]), name)
        raise AttributeError(f"module 'seqkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


_keras: Any = sys.modules.get("keras")
if hasattr(_keras, "saving") and _keras.config.backend() == "tensorflow":  # whoever has it reads
    importlib.import_module("seqkit.layers")
