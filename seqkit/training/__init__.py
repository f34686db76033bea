"""The training loop: native networks, and a traced step of Keras for all others."""

from typing import Any

from seqkit.training.augmentation import Augmentation, Mixup
from seqkit.training.beginning import not_native
from seqkit.training.concurrent import concurrent_fits
from seqkit.training.loop import Fitted, fit, predict
from seqkit.training.refit import fit_and_refit
from seqkit.training.run import SCHEDULES
from seqkit.training.sources import ArraySource, Source
from seqkit.training.state import TrainingState
from seqkit.training.streams import StreamSource
from seqkit.training.workers import follow_joblib

__all__ = [
    "SCHEDULES",
    "ArraySource",
    "Augmentation",
    "Fitted",
    "Mixup",
    "Source",
    "StreamSource",
    "TrainingState",
    "concurrent_fits",
    "fit",
    "fit_and_refit",
    "initial_weights",
    "not_native",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name != "initial_weights":
        raise AttributeError(f"module 'seqkit.training' has no attribute {name!r}")
    from seqkit.training.initial import initial_weights

    return initial_weights


follow_joblib()  # TensorFlow starts its threads with its first operation
