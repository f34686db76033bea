"""Keras layers of forecasters: window statistics, naive forecasts, folding, unfolding.

Shapes: ``B`` windows, ``L`` context steps, ``H`` horizon steps, ``T`` targets, ``C`` channels.
Windows of a series shorter than the context are padded on the left; ``lengths`` ``(B,)`` counts
the valid steps, which are the last ones. Padding is zero after normalising and never reaches an
answer.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqkit import _register_layers
from seqkit.errors import explain
from seqkit.window_space import naive_steps, valid_tail, window_statistics

__all__ = [
    "FoldChannels",
    "LeftPatch",
    "NaiveForecast",
    "Quieten",
    "UnfoldChannels",
    "WindowLayer",
    "WindowStatistics",
]

Tensor = Any


class WindowLayer(keras.layers.Layer):
    """A layer of windows padded on the left: ``lengths`` counts their steps, a mask is an error."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # else Keras warns, and loses the mask

    def compute_mask(self, _: Any, mask: Any) -> None:
        """Refuse masks."""
        if any(part is not None for part in keras.tree.flatten(mask)):
            raise ValueError(
                explain(
                    type(self).__name__,
                    "mask",
                    "None: windows are padded on the left, and `lengths` counts their last steps",
                    "a mask",
                    "Give lengths instead, and leave Masking and mask_zero out.",
                )
            )


@keras.saving.register_keras_serializable(package="seqkit")
class WindowStatistics(WindowLayer):
    """Center and spread of each window's targets, by `seqkit.window_space.window_statistics`.

    The statistics of the training part are weights (``offset``, ``scale``), never trained.

    Parameters
    ----------
    kind : {"none", "last", "standard"}
    n_targets : int
        Targets are the first channels of the input.
    """

    def __init__(self, kind: str, n_targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.n_targets = n_targets

    # Named as Keras layers name them, so that a fit knows its first weights without a copy.
    offset_initializer = keras.initializers.Zeros()
    scale_initializer = keras.initializers.Ones()

    def build(self, *shapes: Any) -> None:
        shape = (self.n_targets,)
        self.offset = self.add_weight(
            shape=shape, initializer=self.offset_initializer, trainable=False, name="offset"
        )
        self.scale = self.add_weight(
            shape=shape, initializer=self.scale_initializer, trainable=False, name="scale"
        )

    def call(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if x.shape[-1] < self.n_targets:  # the targets' own past is not an input
            zero = ops.zeros_like(x[:, :1, :1])
            return zero + self.offset, zero + self.scale
        targets = x[:, :, : self.n_targets]
        return window_statistics(targets, lengths, self.kind, self.offset, self.scale, ops)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind, "n_targets": self.n_targets}


@keras.saving.register_keras_serializable(package="seqkit")
class Quieten(WindowLayer):
    """Set the left padding of ``(B, L, C)`` to zero."""

    def call(self, x: Tensor, lengths: Tensor) -> Tensor:
        # where, not a product: padding of raw data may be NaN
        return ops.where(valid_tail(x.shape[1], lengths, ops) > 0, x, ops.zeros_like(x))


@keras.saving.register_keras_serializable(package="seqkit")
class NaiveForecast(WindowLayer):
    """The naive forecast a network departs from: ``(B, L, T) -> (B, H, T)``.

    Parameters
    ----------
    kind : {"last", "seasonal_naive"}
        The last value; or the value of the same season step in the window's last season:
        ``y[t + h] = x[t + h - season * ceil(h / season)]``. Where a short window does not reach
        back so far, its last value.
    horizon, season : int
        In steps.
    """

    def __init__(self, kind: str, horizon: int, season: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.horizon = horizon
        self.season = season

    def call(self, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
        n_steps = targets.shape[1]
        if self.kind == "last":
            return ops.repeat(targets[:, -1:, :], self.horizon, axis=1)
        step = naive_steps(n_steps, self.horizon, self.season)
        seasonal = ops.take(targets, step, axis=1)  # (B, H, T)
        if lengths is None:
            return seasonal
        reached = (
            ops.convert_to_tensor(step, dtype="int32")[None, :]
            >= n_steps - ops.cast(lengths, "int32")[:, None]
        )
        return ops.where(reached[:, :, None], seasonal, targets[:, -1:, :])

    def get_config(self) -> dict[str, Any]:
        config = {"kind": self.kind, "horizon": self.horizon, "season": self.season}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="seqkit")
class LeftPatch(WindowLayer):
    """Fold `size` steps into one, patches counted from the end: ``(B, L, C) -> (B, K, size * C)``.

    The last patch always ends at the last step; the first one is filled up with zeros. With
    ``lengths`` the patches that hold valid steps are moved to the front, as the recurrent layers
    want them, and come with their number.

    Parameters
    ----------
    size : int
        Steps in a patch, at least 1.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        n_steps, n_channels = x.shape[1], x.shape[2]
        n_patches = -(-n_steps // self.size)
        rest = n_patches * self.size - n_steps
        if rest:
            x = ops.pad(x, [[0, 0], [rest, 0], [0, 0]])
        if self.size > 1:
            x = ops.reshape(x, (-1, n_patches, self.size * n_channels))
        if lengths is None:
            return x
        valid = (ops.cast(lengths, "int32") + (self.size - 1)) // self.size  # (B,)
        step = ops.arange(n_patches, dtype="int32")[None, :] + (n_patches - valid)[:, None]
        x = ops.take_along_axis(x, ops.minimum(step, n_patches - 1)[:, :, None], axis=1)
        return x, valid

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="seqkit")
class FoldChannels(WindowLayer):
    """Make every target a window of its own: ``(B, L, T) -> (B * T, L, 1)``.

    With ``share=True`` an input is the same for all targets and repeated:
    ``(B, ...) -> (B * T, ...)``.
    """

    def __init__(self, n_targets: int, share: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_targets = n_targets
        self.share = share

    def call(self, x: Tensor) -> Tensor:
        if self.share:
            return ops.repeat(x, self.n_targets, axis=0)
        return ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, x.shape[1], 1))

    def compute_output_shape(self, shape: Any) -> Any:
        batch = None if shape[0] is None else shape[0] * self.n_targets
        return (batch, *shape[1:]) if self.share else (batch, shape[1], 1)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_targets": self.n_targets, "share": self.share}


@keras.saving.register_keras_serializable(package="seqkit")
class UnfoldChannels(WindowLayer):
    """Undo :class:`FoldChannels` on an answer: ``(B * T, H, 1, P) -> (B, H, T, P)``."""

    def __init__(self, n_targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_targets = n_targets

    def call(self, x: Tensor) -> Tensor:
        x = ops.reshape(x, (-1, self.n_targets, x.shape[1], x.shape[3]))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, shape: Any) -> Any:
        return (None, shape[1], self.n_targets, shape[3])

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_targets": self.n_targets}


_register_layers(__name__)
