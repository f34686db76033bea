"""One optimizer step in the graph: clipping by global norm, then Keras's arithmetic, fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

__all__ = ["FUSED", "apply_gradients", "clip_by_global_norm"]


def clip_by_global_norm(gradients: Sequence[tf.Tensor], clipnorm: tf.Tensor) -> list[tf.Tensor]:
    """Scale gradients so that the norm of all of them together is at most ``clipnorm``.

    Pascanu, Mikolov and Bengio (2013), algorithm 1. A zero gradient stays zero.
    """
    norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(g) for g in gradients]))
    clipnorm = tf.cast(clipnorm, norm.dtype)
    scale = tf.minimum(tf.ones((), norm.dtype), clipnorm / norm)  # norm 0 gives infinity, so 1
    return [g * scale for g in gradients]


def _adam(optimizer: Any, gradients: Any, variables: Any, rate: tf.Tensor) -> None:
    """Kingma and Ba (2015), as keras.optimizers.Adam writes it, one op a variable.

    The op takes beta_2 as float32 and subtracts it from 1, Keras rounds 1 - beta_2: a step may
    differ by 7e-6 of its length, the rounding error of 0.999 in float32.
    """
    step = tf.cast(optimizer.iterations.value + 1, tf.float32)
    power_1 = tf.pow(tf.constant(optimizer.beta_1, tf.float32), step)
    power_2 = tf.pow(tf.constant(optimizer.beta_2, tf.float32), step)
    for gradient, variable in zip(gradients, variables, strict=True):
        place = optimizer._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=optimizer._momentums[place].value.handle,
            v=optimizer._velocities[place].value.handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=rate,
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )


def _sgd(optimizer: Any, gradients: Any, variables: Any, rate: tf.Tensor) -> None:
    """Plain descent, or with the momentum of keras.optimizers.SGD."""
    for gradient, variable in zip(gradients, variables, strict=True):
        if optimizer.momentum:
            place = optimizer._get_variable_index(variable)
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.value.handle,
                accum=optimizer.momentums[place].value.handle,
                lr=rate,
                grad=gradient,
                momentum=optimizer.momentum,
                use_nesterov=optimizer.nesterov,
            )
        else:
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.value.handle, alpha=rate, delta=gradient
            )


FUSED: dict[type, Callable[..., None]] = {
    keras.optimizers.Adam: _adam,
    keras.optimizers.SGD: _sgd,
}
"""Optimizers whose step is one op a variable: fifteen small ones cost more than the work."""


def _fused(optimizer: Any, variables: Sequence[Any]) -> Callable[..., None] | None:
    """Return the fused step if it computes exactly what this optimizer object would."""
    plain = (
        not getattr(optimizer, "amsgrad", False)
        and optimizer.weight_decay is None
        and not optimizer.use_ema
        and optimizer.clipnorm is None
        and optimizer.clipvalue is None
        and optimizer.global_clipnorm is None
        and optimizer.loss_scale_factor is None
        and optimizer.gradient_accumulation_steps is None
        and isinstance(optimizer._learning_rate, keras.Variable)
        and all(v.constraint is None and v.dtype == "float32" for v in variables)
        and not any(getattr(v, "overwrite_with_gradient", False) for v in variables)
    )
    return FUSED.get(type(optimizer)) if plain else None


def apply_gradients(
    optimizer: Any,
    gradients: Sequence[tf.Tensor | None],
    variables: Sequence[Any],
    rate: tf.Tensor,
    clipnorm: tf.Tensor | None,
    replicas: int = 1,
) -> None:
    """Take one step of a Keras optimizer.

    Parameters
    ----------
    optimizer : keras.Optimizer
        Built on ``variables``.
    gradients : list of tensor or None
        None for a variable that the loss does not depend on; it is left alone.
    variables : list of keras.Variable
    rate : scalar tensor
        Learning rate; unused when the optimizer has a schedule of its own.
    clipnorm : scalar tensor or None
        Bound on the global norm of the gradients; None = no clipping.
    replicas : int, default=1
        Replicas of a strategy that take this very step, their gradients summed already.
    """
    pairs = [
        (tf.convert_to_tensor(g), v)
        for g, v in zip(gradients, variables, strict=True)
        if g is not None
    ]
    used = [g for g, _ in pairs]
    targets = [v for _, v in pairs]
    if clipnorm is not None:
        used = clip_by_global_norm(used, clipnorm)
    step = _fused(optimizer, targets)
    if step is not None:
        step(optimizer, used, targets, rate)
        optimizer._iterations.value.assign_add(1)
        return
    if isinstance(optimizer._learning_rate, keras.Variable):
        optimizer._learning_rate.assign(rate)
    # Keras sums over the replicas once more.
    optimizer.apply([g / replicas for g in used] if replicas > 1 else used, targets)
