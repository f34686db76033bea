"""seqkit: recurrent sequence models from a short recipe.

Names load when they are first used, so that ``import seqkit`` is quick and brings in neither
TensorFlow nor pandas.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_KERAS = ("seqkit.recurrent", "seqkit.builders", "seqkit.forecast_model")
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
        from seqkit.backend import check_backend
        from seqkit.collection import collection_paused

        if _HOME[name] in _KERAS:
            check_backend()
        with collection_paused():
            return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'seqkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _register_layers(caller: str) -> None:
    """Import all modules of layers, so that Keras can read every model that names them.

    Called at the end of those that others build on. Where one is only half imported, it is the one
    that asked for `caller`, and will call itself.
    """
    for name, module in list(sys.modules.items()):
        layers = name.startswith(("seqkit.layers", "seqkit.builders", "seqkit.forecast_"))
        if layers and name != caller and getattr(module.__spec__, "_initializing", False):
            return
    for name in ("seqkit.forecast_model", "seqkit.forecast_ensemble"):
        importlib.import_module(name)


_keras: Any = sys.modules.get("keras")
if hasattr(_keras, "saving") and _keras.config.backend() == "tensorflow":  # whoever has it reads
    _register_layers(__name__)
