"""Losses of classes that Keras has not, and of networks that answer every step, for Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqkit.network.class_losses import (
    labels_loss,
    smoothed_classes,
    smoothed_labels,
    softmax_loss,
)
from seqkit.network.mixtures import mixture_nll
from seqkit.network.ops import keras_namespace

__all__ = ["ClassLoss", "StepAccuracy", "StepCrossentropy", "StepMixture", "labels_right"]

Tensor = Any


def _counts(y: Tensor, weight: Tensor | None, numbers: bool = False) -> tuple[Tensor, Tensor]:
    """Return 1 for valid steps and 0 for others, (batch, time), and the same times the weights."""
    first = y if len(y.shape) == 2 else y[..., 0]
    valid = ops.cast(ops.isfinite(first) if numbers else first >= 0, "float32")
    if weight is None:
        return valid, valid
    weight = ops.cast(weight, "float32")
    return valid, valid * (weight if len(weight.shape) == 2 else weight[:, None])


def _loss(
    y: Tensor, logits: Tensor, smoothing: float, gamma: float, shares: bool = False
) -> Tensor:
    """Return the loss of classes (...,) or their shares, or of labels (..., n) that of each."""
    if shares:
        return softmax_loss(ops, smoothed_classes(y, smoothing), logits, gamma)
    if len(y.shape) < len(logits.shape):
        one_hot = ops.one_hot(ops.cast(y, "int32"), logits.shape[-1], dtype=logits.dtype)
        return softmax_loss(ops, smoothed_classes(one_hot, smoothing), logits, gamma)
    truth = smoothed_labels(ops.cast(y, logits.dtype), smoothing)
    return labels_loss(ops, truth, logits, gamma)


@keras.saving.register_keras_serializable(package="seqkit")  # type: ignore[untyped-decorator]
def labels_right(y: Tensor, logits: Tensor) -> Tensor:
    """Return the share of the labels that are right, ``(...,)``; of a mixture the greater part."""
    return ops.mean(ops.cast((logits > 0) == (y > 0.5), "float32"), axis=-1)


@keras.saving.register_keras_serializable(package="seqkit")
class ClassLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """Label smoothing (Szegedy et al. 2016) and the focal loss (Lin et al. 2017), from logits.

    Of classes ``(batch,)`` that of the softmax, also of their shares ``(batch, n)`` where these are
    told; of labels of 0 and 1 ``(batch, n)`` that of each sigmoid, mean over the labels.

    Parameters
    ----------
    smoothing : float, default=0.0
        Share of the truth that all classes have alike.
    gamma : float, default=0.0
        How little the sure ones count; 0 = the cross entropy.
    shares : bool, default=False
        Whether the truth is the share of each class.
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        gamma: float = 0.0,
        shares: bool = False,
        name: str = "class_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.smoothing, self.gamma, self.shares = float(smoothing), float(gamma), bool(shares)

    def call(self, y: Tensor, logits: Tensor) -> Tensor:
        """Return the loss of every series, ``(batch,)``."""
        if len(y.shape) == len(logits.shape) and y.shape[-1] == 1 < logits.shape[-1]:
            y = y[..., 0]  # Keras gives the classes a column
        values = _loss(y, logits, self.smoothing, self.gamma, self.shares)
        return values if len(values.shape) == 1 else ops.mean(values, axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"smoothing": self.smoothing, "gamma": self.gamma, "shares": self.shares}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="seqkit")
class StepCrossentropy(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """Cross entropy of every step from logits, mean over the valid steps of a batch.

    Of classes ``(batch, time)`` that of the softmax; of labels of 0 and 1 ``(batch, time, n)`` that
    of each sigmoid, summed over the labels. A step of -1 counts for nothing. Parameters are those
    of :class:`ClassLoss`.
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        gamma: float = 0.0,
        name: str = "step_crossentropy",
        reduction: str = "none",
        **kwargs: Any,
    ) -> None:
        # the mean is taken here: Keras's own would be over the padding, too
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.smoothing, self.gamma = float(smoothing), float(gamma)

    def call(self, y: Tensor, logits: Tensor) -> Tensor:
        """Return the loss of every step, ``(batch, time)``."""
        if self.smoothing or self.gamma:
            values = _loss(ops.maximum(y, 0), logits, self.smoothing, self.gamma)
            return values if len(values.shape) == 2 else ops.sum(values, axis=-1)
        if len(y.shape) == 2:
            classes = ops.cast(ops.maximum(y, 0), "int32")
            return ops.sparse_categorical_crossentropy(classes, logits, from_logits=True)
        return ops.sum(ops.softplus(logits) - ops.cast(y, logits.dtype) * logits, axis=-1)

    def __call__(self, y: Tensor, logits: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the mean loss of a batch; weights are of series ``(batch,)`` or of steps."""
        y, logits = ops.convert_to_tensor(y), ops.convert_to_tensor(logits)
        valid, weight = _counts(y, sample_weight)
        return ops.sum(self.call(y, logits) * weight) / ops.maximum(ops.sum(valid), 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing, "gamma": self.gamma}


@keras.saving.register_keras_serializable(package="seqkit")
class StepMixture(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """Negative log-likelihood of the numbers of every step, mean over the valid steps of a batch.

    From a mixture's free numbers (:mod:`seqkit.network.mixtures`); a step of NaN counts for
    nothing.

    Parameters
    ----------
    components : int
    log_scale : float, default=0.0
        Added to the loss of a step.
    """

    def __init__(
        self, components: int, log_scale: float = 0.0, name: str = "step_mixture",
        reduction: str = "none", **kwargs: Any,
    ) -> None:  # fmt: skip
        # the mean is taken here, as that of `StepCrossentropy`
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.components, self.log_scale = int(components), float(log_scale)

    def call(self, y: Tensor, free: Tensor) -> Tensor:
        """Return the loss of every step, ``(batch, time)``."""
        # a NaN that a mask takes out afterwards would still be one in the gradient
        known = ops.where(ops.isfinite(y), y, ops.zeros_like(y))
        values = mixture_nll(keras_namespace(), ops.cast(known, free.dtype), free, self.components)
        return values + self.log_scale

    def __call__(self, y: Tensor, free: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the mean loss of a batch; weights are of series ``(batch,)`` or of steps."""
        y, free = ops.convert_to_tensor(y), ops.convert_to_tensor(free)
        valid, weight = _counts(y, sample_weight, numbers=True)
        return ops.sum(self.call(y, free) * weight) / ops.maximum(ops.sum(valid), 1)

    def get_config(self) -> dict[str, Any]:
        own = {"components": self.components, "log_scale": self.log_scale}
        return {**super().get_config(), **own}


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
            right = labels_right(y, logits)
        return super().update_state(
            ops.cast(right, "float32"), sample_weight=_counts(y, sample_weight)[1]
        )
