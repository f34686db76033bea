"""The training loop: native networks, and whole epochs inside one graph for all others."""

from typing import Any

from seqkit.training.beginning import not_native
from seqkit.training.loop import Fitted, fit, predict
from seqkit.training.run import SCHEDULES
from seqkit.training.sources import ArraySource, Source, aligned
from seqkit.training.state import TrainingState
from seqkit.training.streams import StreamSource
from seqkit.training.workers import follow_joblib

__all__ = [
    "SCHEDULES",
    "ArraySource",
    "Fitted",
    "Source",
    "StreamSource",
    "TrainingState",
    "aligned",
    "fit",
    "initial_weights",
    "not_native",
    "predict",
    "trace_count",
]

_OF_TENSORFLOW = {
    "initial_weights": "seqkit.training.initial",
    "trace_count": "seqkit.training.engine",
}


def __getattr__(name: str) -> Any:
    if name not in _OF_TENSORFLOW:
        raise AttributeError(f"module 'seqkit.training' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_OF_TENSORFLOW[name]), name)


follow_joblib()  # TensorFlow starts its threads with its first operation
