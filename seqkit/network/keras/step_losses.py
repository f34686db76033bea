"""The loss and the accuracy of networks that answer every step, as Keras objects."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["StepAccuracy", "StepCrossentropy"]

Tensor = Any


def _counts(y: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return 1 for valid steps and 0 for others, (batch, time), and the same times the weights."""
    valid = ops.cast((y if len(y.shape) == 2 else y[..., 0]) >= 0, "float32")
    if weight is None:
        return valid, valid
    weight = ops.cast(weight, "float32")
    return valid, valid * (weight if len(weight.shape) == 2 else weight[:, None])


@keras.saving.register_keras_serializable(package="seqkit")
class StepCrossentropy(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """Cross entropy of every step from logits, mean over the valid steps of a batch.

    Of classes ``(batch, time)`` that of the softmax; of labels of 0 and 1 ``(batch, time, n)`` that
    of each sigmoid, summed over the labels. A step of -1 counts for nothing.
    """

    def __init__(
        self, name: str = "step_crossentropy", reduction: str = "none", **kwargs: Any
    ) -> None:
        # the mean is taken here: Keras's own would be over the padding, too
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y: Tensor, logits: Tensor) -> Tensor:
        """Return the loss of every step, ``(batch, time)``."""
        if len(y.shape) == 2:
            classes = ops.cast(ops.maximum(y, 0), "int32")
            return ops.sparse_categorical_crossentropy(classes, logits, from_logits=True)
        return ops.sum(ops.softplus(logits) - ops.cast(y, logits.dtype) * logits, axis=-1)

    def __call__(self, y: Tensor, logits: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the mean loss of a batch; weights are of series ``(batch,)`` or of steps."""
        y, logits = ops.convert_to_tensor(y), ops.convert_to_tensor(logits)
        valid, weight = _counts(y, sample_weight)
        return ops.sum(self.call(y, logits) * weight) / ops.maximum(ops.sum(valid), 1)


@keras.saving.register_keras_serializable(package="seqkit")
class StepAccuracy(keras.metrics.Mean):  # type: ignore[misc]  # Keras has no types
    """The share of valid steps whose class is right; of labels, of those of each step."""

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y: Tensor, logits: Tensor, sample_weight: Tensor | None = None) -> Any:
        """Count the steps of a batch."""
        y, logits = ops.convert_to_tensor(y), ops.convert_to_tensor(logits)
        if len(y.shape) == 2:
            right = ops.cast(ops.argmax(logits, -1), "int32") == ops.cast(y, "int32")
        else:
            right = ops.mean(ops.cast((logits > 0) == (y > 0.5), "float32"), axis=-1)
        return super().update_state(
            ops.cast(right, "float32"), sample_weight=_counts(y, sample_weight)[1]
        )
