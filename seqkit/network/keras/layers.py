"""Keras layers around the recurrent ones: scaling, patching and pooling of unequal series.

Shapes are ``(batch, time, features)``; ``lengths`` is ``(batch,)`` and counts the valid steps of
right-padded series; a right-padded Keras mask says the same. Values past a length never reach an
output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from seqkit.network.keras.described import Described
from seqkit.network.keras.recurrent.gated import mask_to_lengths
from seqkit.network.layers import convolution, normalization, patching, pooling, scaling
from seqkit.network.layers import moves as moving
from seqkit.network.ops import keras_namespace

__all__ = [
    "AttentionPooling",
    "BatchNormalization",
    "Convolution",
    "MeanOfMoves",
    "Moves",
    "Patch",
    "SequencePooling",
    "Standardize",
    "Unstandardize",
]


def _known_lengths(layer: Any, lengths: Any, mask: Any) -> Any:
    """Return the lengths given, or those that a mask tells."""
    if lengths is not None or mask is None:
        return lengths
    return mask_to_lengths(ops.convert_to_tensor(mask), type(layer).__name__)


class _Affine(Described):
    """A fixed offset and scale a feature, kept as weights and never trained."""

    # Named as Keras layers name them, so that a fit knows its first weights without a copy.
    offset_initializer = keras.initializers.Zeros()
    scale_initializer = keras.initializers.Ones()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.add_weights(input_shape)

    def call(self, x: Any) -> Any:
        return self.compute(x)

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
    >>> layer.adapt(np.array([[[8.0], [12.0]]]))
    >>> float(layer(np.array([[[14.0]]]))[0, 0, 0])
    2.0
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(scaling.Standardize())

    def adapt(self, data: npt.ArrayLike) -> None:
        """Take mean and standard deviation of every feature from data, as Normalization does.

        Parameters
        ----------
        data : array of shape (..., n_features)
            NaN does not count. A feature that does not change is only moved.
        """
        rows = np.asarray(data, np.float64)
        rows = rows.reshape(-1, rows.shape[-1])
        spread = np.nanstd(rows, axis=0)
        self.set_statistics(np.nanmean(rows, axis=0), np.where(spread > 0, spread, 1.0))

    def set_statistics(
        self, offset: Sequence[float] | np.ndarray, scale: Sequence[float] | np.ndarray
    ) -> None:
        """Set the statistics, each ``(n_features,)``, in the units of the data."""
        if not hasattr(self, "offset"):
            self.build((None, None, len(offset)))
            self.built = True
        self.offset.assign(offset)
        self.scale.assign(scale)


@keras.saving.register_keras_serializable(package="seqkit")
class Unstandardize(_Affine):
    """Return ``x * scale + offset``: the inverse of :class:`Standardize`, for a model's output.

    Parameters
    ----------
    axis : {-1, -2}
        Where the features are; -2 = before the last axis, which is of quantiles.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(scaling.Unstandardize(axis))


@keras.saving.register_keras_serializable(package="seqkit")
class Moves(Described):
    """Read every series at several offsets: ``(b, t, f) -> (m b, t, f)``; in training once.

    :class:`MeanOfMoves` takes the mean of what becomes of them. With `lengths` those are returned
    too, as often.

    Parameters
    ----------
    moves : sequence of int
        In time steps; the ends of a series are repeated.
    """

    def __init__(self, moves: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = False  # a mask has one row a series
        self.describe(moving.Moves(tuple(moves)))

    def call(self, x: Any, lengths: Any = None, training: bool | None = None) -> Any:
        moved, times = (x, lengths) if training else self.compute(x, lengths)
        return moved if lengths is None else (moved, times)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> Any:
        shape = (None, *x_shape[1:])
        return shape if lengths_shape is None else (shape, (None,))


@keras.saving.register_keras_serializable(package="seqkit")
class MeanOfMoves(Described):
    """The mean of what became of the series of :class:`Moves`: ``(m b, f) -> (b, f)``.

    Parameters
    ----------
    n : int
        How many moves there are.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(moving.MeanOfMoves(n))

    def call(self, x: Any, training: bool | None = None) -> Any:
        return x if training else self.compute(x)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return None, *shape[1:]


@keras.saving.register_keras_serializable(package="seqkit")
class Patch(Described):
    """Fold time steps into one: ``(b, t, f) -> (b, ceil(t / size), (size + overlap) f)``.

    A recurrence over the patches is `size` times shorter. The ends of a series are filled up with
    zeros, which after standardising is the mean.

    Parameters
    ----------
    size : int
        Steps from one patch to the next, at least 1.
    overlap : int, default=0
        Steps of its neighbours that a patch reads besides its own, half of them of each.
    """

    def __init__(self, size: int, overlap: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"Patch: size must be at least 1; got {size!r}.")
        if overlap < 0:
            raise ValueError(f"Patch: overlap must be at least 0; got {overlap!r}.")
        self.describe(patching.Patch(size, overlap))

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        return self.compute(x, _known_lengths(self, lengths, mask))[0]

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Return which patches hold a valid step."""
        return None if mask is None else mask[:, :: self.size]  # whether its first step is

    def patched_lengths(self, lengths: Any) -> Any:
        """Return the number of patches of each series, ``ceil(lengths / size)``."""
        return patching.patch_count(lengths, self.size)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape[0], *self.described.shape(x_shape[1:])[0]


@keras.saving.register_keras_serializable(package="seqkit")
class Convolution(Described):
    """A convolution over the valid steps: ``(b, t, f) -> (b, ceil(t / stride), filters)``.

    Steps before a series and past its own end are zeros, wherever the batch ends: the answer for a
    series does not depend on what pads it, as that of ``padding="same"`` with a stride does.

    Parameters
    ----------
    filters : int
        Features of the output, at least 1.
    kernel_size : int
        Steps that an output sees, at least 1.
    stride : int, default=1
        Steps from one output to the next, at least 1.
    """

    def __init__(self, filters: int, kernel_size: int, stride: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = {"filters": filters, "kernel_size": kernel_size, "stride": stride}
        for name, value in given.items():
            if value < 1:
                raise ValueError(f"Convolution: {name} must be at least 1; got {value!r}.")
        self.describe(convolution.Convolution(filters, kernel_size, stride))
        self.kernel_initializer = keras.initializers.HeUniform()
        self.bias_initializer = keras.initializers.Zeros()

    def build(self, x_shape: tuple[int | None, ...], lengths_shape: Any = None) -> None:
        self.add_weights(x_shape)

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        return self.compute(x, _known_lengths(self, lengths, mask))[0]

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Return which outputs stand at a valid step."""
        return None if mask is None else mask[:, :: self.stride]

    def strided_lengths(self, lengths: Any) -> Any:
        """Return the number of outputs of each series, ``ceil(lengths / stride)``."""
        return patching.patch_count(lengths, self.stride)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape[0], *self.described.shape(x_shape[1:])[0]


@keras.saving.register_keras_serializable(package="seqkit")
class BatchNormalization(Described):
    """Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) over the valid steps of a batch.

    As Keras's own, but that the padding is 0 in the output, and an activation may follow.

    Parameters
    ----------
    activation : {"linear", "relu"}, default="linear"
    momentum : float, default=0.9
        Share of a moving average that stays in a step of training.
    epsilon : float, default=1e-3
    """

    described: normalization.BatchNormalization
    gamma_initializer = moving_variance_initializer = keras.initializers.Ones()
    beta_initializer = moving_mean_initializer = keras.initializers.Zeros()

    def __init__(
        self,
        activation: str = "linear",
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.describe(normalization.BatchNormalization(activation, momentum, epsilon))

    def build(self, x_shape: tuple[int | None, ...], lengths_shape: Any = None) -> None:
        self.add_weights(x_shape)

    def call(
        self, x: Any, lengths: Any = None, training: bool | None = None, mask: Any = None
    ) -> Any:
        lengths = _known_lengths(self, lengths, mask)
        if not training or not self.trainable:
            return self.compute(x, lengths)
        namespace, described = keras_namespace(), self.described
        mean, variance = described.statistics(namespace, x, lengths)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(self.momentum * average + (1 - self.momentum) * value)
        p = {"gamma": self.gamma, "beta": self.beta}
        return described.normalized(namespace, p, x, mean, variance, lengths)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape


@keras.saving.register_keras_serializable(package="seqkit")
class SequencePooling(Described):
    """Summarise the valid steps of a series: ``(b, t, f) -> (b, f)``, or ``(b, 2 f)``.

    Parameters
    ----------
    mode : {"last", "mean", "max", "mean_max"}
        ``last`` reads the last valid step; ``mean_max`` concatenates the two.
    bidirectional : bool, default=False
        With ``last``: the features are a forward and a backward half, and the backward half is
        read at the first step, where it has seen the whole series.
    """

    MODES = pooling.MODES

    def __init__(
        self, mode: pooling.PoolingMode = "mean", bidirectional: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if mode not in self.MODES:
            raise ValueError(
                f"SequencePooling: mode must be one of {', '.join(self.MODES)}; got {mode!r}."
            )
        self.describe(pooling.Pooling(mode, bidirectional))

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        return self.compute(x, _known_lengths(self, lengths, mask))

    def compute_mask(self, _: Any, mask: Any) -> None:
        """Return no mask: there are no steps any more."""

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape[0], *self.described.shape(x_shape[1:])


@keras.saving.register_keras_serializable(package="seqkit")
class AttentionPooling(Described):
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
        self.describe(pooling.AttentionPooling(units))
        self.kernel_initializer = keras.initializers.GlorotUniform()
        self.bias_initializer = keras.initializers.Zeros()
        self.query_initializer = keras.initializers.GlorotUniform()

    def build(self, x_shape: tuple[int | None, ...], lengths_shape: Any = None) -> None:
        self.add_weights(x_shape)

    def compute_mask(self, _: Any, mask: Any) -> None:
        """Return no mask: there are no steps any more."""

    def call(self, x: Any, lengths: Any = None, mask: Any = None) -> Any:
        return self.compute(x, _known_lengths(self, lengths, mask))

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape[0], x_shape[-1]
