"""TensorFlow's decorators, with the types that it does not give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

__all__ = ["as_written", "with_gradient"]

F = TypeVar("F", bound=Callable[..., Any])


def as_written(function: F) -> F:
    """Keep TensorFlow's AutoGraph from rewriting a function that is traced."""
    traced: F = tf.autograph.experimental.do_not_convert(function)
    return traced


def with_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Make an operation of a function that returns what it computes, and its gradient."""
    operation: Callable[..., Any] = tf.custom_gradient(function)
    return operation
