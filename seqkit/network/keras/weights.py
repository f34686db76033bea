"""The weights of a Keras model in the order of the description that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.network.architecture import Architecture

__all__ = ["load", "variables_of"]


def variables_of(architecture: Architecture, model: Any) -> list[Any]:
    """Return the variables of a model that an architecture built, in the description's order."""
    parts = [model]
    if architecture.kind == "ensemble":
        parts = [model.get_layer(f"member_{k + 1}") for k in range(len(architecture.members))]
    variables = []
    for member, part in zip(architecture.members, parts, strict=True):
        by_path = {variable.path: variable for variable in part.weights}
        variables += [by_path[weight.path] for weight in member.network.weights]
    return variables


def load(architecture: Architecture, model: Any, weights: Sequence[np.ndarray]) -> Any:
    """Set a model's weights and return the model."""
    for variable, value in zip(variables_of(architecture, model), weights, strict=True):
        variable.assign(value)
    return model
