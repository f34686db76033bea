"""The training loop: whole epochs inside one graph, over engines that are built and traced once."""

from seqkit.training.engine import trace_count
from seqkit.training.initial import initial_weights
from seqkit.training.loop import SCHEDULES, Fitted, fit, predict
from seqkit.training.sources import ArraySource, Source
from seqkit.training.state import TrainingState

__all__ = [
    "SCHEDULES",
    "ArraySource",
    "Fitted",
    "Source",
    "TrainingState",
    "fit",
    "initial_weights",
    "predict",
    "trace_count",
]
