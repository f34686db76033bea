"""Several networks as one Keras model: that of their description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqkit.network.ensembles import Described, ensemble
from seqkit.network.keras.model import keras_model

__all__ = ["build_ensemble"]


def build_ensemble(members: Sequence[Described], **settings: Any) -> keras.Model:
    """Build what :func:`seqkit.network.ensembles.ensemble` describes, and takes.

    Returns
    -------
    keras.Model
        The layers ``member_1`` ... hold the weights, in this order.
    """
    return keras_model(ensemble(members, **settings))
