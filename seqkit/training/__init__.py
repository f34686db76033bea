"""The training loop: whole epochs inside one graph, over engines that are built and traced once."""

from seqkit.training.engine import trace_count
from seqkit.training.initial import initial_weights
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
    "predict",
    "trace_count",
]

follow_joblib()  # TensorFlow starts its threads with its first operation
