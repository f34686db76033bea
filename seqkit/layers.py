"""seqkit's Keras layers, for models of one's own and for reading saved ones.

Shapes are ``(batch, time, features)``; ``lengths`` is ``(batch,)`` and counts the valid steps of
right-padded series; a right-padded Keras mask says the same. Values past a length never reach an
output. Importing this module registers all of them with Keras.
"""

from seqkit.network.keras import ensemble as _ensemble  # noqa: F401
from seqkit.network.keras import model as _model  # noqa: F401
from seqkit.network.keras.layers import (
    AttentionPooling,
    BatchNormalization,
    Convolution,
    MeanOfMoves,
    Moves,
    Patch,
    SequencePooling,
    Standardize,
    Unstandardize,
)
from seqkit.network.keras.recurrent import Bidirectional, GatedRNN

__all__ = [
    "AttentionPooling",
    "BatchNormalization",
    "Bidirectional",
    "Convolution",
    "GatedRNN",
    "MeanOfMoves",
    "Moves",
    "Patch",
    "SequencePooling",
    "Standardize",
    "Unstandardize",
]
