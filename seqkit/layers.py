"""Keras layers around the recurrent ones: scaling, patching and pooling of unequal series.

Shapes are ``(batch, time, features)``; ``lengths`` is ``(batch,)`` and counts the valid steps of
right-padded series; a right-padded Keras mask says the same. Values past a length never reach an
output.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqkit import _register_layers
from seqkit.recurrent import Bidirectional, GatedRNN
from seqkit.recurrent.gated import mask_to_lengths

__all__ = [
    "AttentionPooling",
    "Bidirectional",
    "GatedRNN",
    "Patch",
    "SequencePooling",
    "Standardize",
    "Unstandardize",
    "valid_steps",
]


def valid_steps(x: Any, lengths: Any) -> Any:
    """Return a ``(batch, time, 1)`` mask of `x`'s dtype, 1 where a step is within its series."""
    steps = ops.arange(ops.shape(x)[1], dtype="int32")
    mask = steps[None, :] < ops.cast(lengths, "int32")[:, None]
    return ops.cast(mask, x.dtype)[:, :, None]  # (batch, time, 1)


def _known_lengths(layer: Any, lengths: Any, mask: Any) -> Any:
    """Return the lengths given, or those that a mask tells."""
    if lengths is not None or mask is None:
        return lengths
    return mask_to_lengths(ops.convert_to_tensor(mask), type(layer).__name__)


class _Affine(keras.layers.Layer):
    """A fixed offset and scale a feature, kept as weights and never trained."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    # Named as Keras layers name them, so that a fit knows its first weights without a copy.
    offset_initializer = keras.initializers.Zeros()
    scale_initializer = keras.initializers.Ones()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        self.offset = self.add_weight(
            shape=shape, initializer=self.offset_initializer, trainable=False, name="offset"
        )
        self.scale = self.add_weight(
            shape=shape, initializer=self.scale_initializer, trainable=False, name="scale"
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@keras.saving.register_keras_serializable(package="seqkit")
class Standardize(_Affine):
    """Return ``(x - offset) / scale``, feature by feature.

    The statistics are weights of the layer, so that a saved model takes raw values. Estimators
    fit them on the training part; by hand, call :meth:`adapt`. They start as 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Standardize()
    >>> layer.adapt(offset=np.array([10.0]), scale=np.array([2.0]), n_features=1)
    >>> float(layer(np.array([[[14.0]]]))[0, 0, 0])
    2.0
    """

    def adapt(self, offset: Any, scale: Any, n_features: int) -> None:
        """Set the statistics, each ``(n_features,)``, in the units of the data."""
        if not hasattr(self, "offset"):
            self.build((None, None, n_features))
            self.built = True
        self.offset.assign(offset)
        self.scale.assign(scale)

    def call(self, x: Any) -> Any:
        return (x - self.offset) / self.scale


@keras.saving.register_keras_serializable(package="seqkit")
class Unstandardize(_Affine):
    """Return ``x * scale + offset``: the inverse of :class:`Standardize`, for a model's output."""

    def call(self, x: Any) -> Any:
        return x * self.scale + self.offset


@keras.saving.register_keras_serializable(package="seqkit")
class Patch(keras.layers.Layer):
    """Fold every `size` time steps into one: ``(b, t, f) -> (b, ceil(t / size), size * f)``.

    A recurrence over the patches is `size` times shorter. The last patch of a series is filled
    up with zeros, which after standardising is the mean.

    Parameters
    ----------
    size : int
        Steps in a patch, at least 1.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"Patch: size must be at least 1; got {size!r}.")
        self.size = size
        self.supports_masking = True

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        lengths = _known_lengths(self, lengths, mask)
        if lengths is not None:
            # where, not a product: the padding may be NaN or huge and must not get through
            x = ops.where(valid_steps(x, lengths) > 0, x, ops.zeros_like(x))
        batch, time, features = ops.shape(x)
        rest = -time % self.size
        # a static remainder of 0 needs no op; an unknown time axis is padded in the graph
        if not (isinstance(rest, int) and rest == 0):
            x = ops.pad(x, [[0, 0], [0, rest], [0, 0]])
        n_patches = (time + rest) // self.size
        return ops.reshape(x, (batch, n_patches, self.size * features))

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Return which patches hold a valid step."""
        return None if mask is None else mask[:, :: self.size]  # whether its first step is

    def patched_lengths(self, lengths: Any) -> Any:
        """Return the number of patches of each series, ``ceil(lengths / size)``."""
        return (lengths + (self.size - 1)) // self.size

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        batch, time, features = x_shape
        assert features is not None
        return batch, None if time is None else -(-time // self.size), self.size * features

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="seqkit")
class SequencePooling(keras.layers.Layer):
    """Summarise the valid steps of a series: ``(b, t, f) -> (b, f)``, or ``(b, 2 f)``.

    Parameters
    ----------
    mode : {"last", "mean", "max", "mean_max"}
        ``last`` reads the last valid step; ``mean_max`` concatenates the two.
    bidirectional : bool, default=False
        With ``last``: the features are a forward and a backward half, and the backward half is
        read at the first step, where it has seen the whole series.
    """

    MODES = ("last", "mean", "max", "mean_max")

    def __init__(self, mode: str = "mean", bidirectional: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in self.MODES:
            raise ValueError(
                f"SequencePooling: mode must be one of {', '.join(self.MODES)}; got {mode!r}."
            )
        self.mode = mode
        self.bidirectional = bidirectional
        self.supports_masking = True

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        lengths = _known_lengths(self, lengths, mask)
        if self.mode == "last":
            return self._last(x, lengths)
        parts = []
        if "mean" in self.mode:
            if lengths is None:
                parts.append(ops.mean(x, axis=1))
            else:
                total = ops.sum(x * valid_steps(x, lengths), axis=1)
                parts.append(total / ops.cast(lengths, x.dtype)[:, None])
        if "max" in self.mode:
            if lengths is not None:
                lowest = ops.full_like(x, -float("inf"))
                x = ops.where(valid_steps(x, lengths) > 0, x, lowest)
            parts.append(ops.max(x, axis=1))
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def compute_mask(self, _: Any, mask: Any) -> None:
        """Return no mask: there are no steps any more."""

    def _last(self, x: Any, lengths: Any) -> Any:
        if lengths is None:
            last = x[:, -1]
        else:
            index = ops.cast(lengths, "int32")[:, None, None] - 1
            last = ops.take_along_axis(x, ops.maximum(index, 0), axis=1)[:, 0]
        if not self.bidirectional:
            return last
        half = x.shape[-1] // 2
        return ops.concatenate([last[:, :half], x[:, 0, half:]], axis=-1)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        batch, _, features = x_shape
        assert features is not None
        return batch, features * (2 if self.mode == "mean_max" else 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode, "bidirectional": self.bidirectional}


@keras.saving.register_keras_serializable(package="seqkit")
class AttentionPooling(keras.layers.Layer):
    """Weighted mean of the valid steps, the weights learned: ``(b, t, f) -> (b, f)``.

    ``a_t = softmax_t(v . tanh(W h_t + b))`` and the output is ``sum_t a_t h_t``: the attention
    of Yang et al. 2016 (Hierarchical Attention Networks, eqs. 5 to 7) over time steps.

    Parameters
    ----------
    units : int or None, default=None
        Width of the hidden score layer; ``None`` takes that of the input.
    """

    def __init__(self, units: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = keras.initializers.GlorotUniform()
        self.bias_initializer = keras.initializers.Zeros()
        self.query_initializer = keras.initializers.GlorotUniform()
        self.supports_masking = True

    def build(self, x_shape: tuple[int | None, ...], lengths_shape: Any = None) -> None:
        features = x_shape[-1]
        units = self.units or features
        shapes = {"kernel": (features, units), "bias": (units,), "query": (units, 1)}
        self.kernel, self.bias, self.query = (
            self.add_weight(
                shape=shape, initializer=getattr(self, f"{name}_initializer"), name=name
            )
            for name, shape in shapes.items()
        )

    def compute_mask(self, _: Any, mask: Any) -> None:
        """Return no mask: there are no steps any more."""

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        lengths = _known_lengths(self, lengths, mask)
        score = ops.matmul(ops.tanh(ops.matmul(x, self.kernel) + self.bias), self.query)
        if lengths is not None:
            score = ops.where(
                valid_steps(x, lengths) > 0, score, ops.full_like(score, -float("inf"))
            )
        weight = ops.softmax(score, axis=1)  # (batch, time, 1)
        return ops.sum(weight * x, axis=1)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape[0], x_shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


# Whoever imports this module to read a saved model can read each of seqkit's, those with layers of
# forecasting too. They build on the layers above, so this comes last.
_register_layers(__name__)
