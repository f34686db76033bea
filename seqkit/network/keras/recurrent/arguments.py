"""Types of what recurrent layers are given, as Keras's layers take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras

__all__ = ["Constraint", "Initializer", "Regularizer"]

Initializer: TypeAlias = (
    str | dict[str, object] | keras.initializers.Initializer | Callable[..., object]
)
"""A name, a configuration, an object of Keras, or a function of a shape and a dtype."""

Regularizer: TypeAlias = (
    str | dict[str, object] | keras.regularizers.Regularizer | Callable[..., object] | None
)
Constraint: TypeAlias = (
    str | dict[str, object] | keras.constraints.Constraint | Callable[..., object] | None
)
"""A name, a configuration, an object of Keras, or a function of a weight; None for none."""
