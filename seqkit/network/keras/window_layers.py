"""Keras layers of forecasters: window statistics, naive forecasts, folding, unfolding.

Shapes: ``B`` windows, ``L`` context steps, ``H`` horizon steps, ``T`` targets, ``C`` channels.
Windows of a series shorter than the context are padded on the left; ``lengths`` ``(B,)`` counts
the valid steps, which are the last ones. Padding is zero after normalising and never reaches an
answer.
"""

from __future__ import annotations

from typing import Any

import keras

from seqkit.errors import explain
from seqkit.network.keras.described import Described
from seqkit.network.layers import padding, patching, shaping, theta, windows

__all__ = [
    "FoldChannels",
    "LastSteps",
    "LeftPatch",
    "NaiveForecast",
    "Normalize",
    "Quieten",
    "ThetaForecast",
    "UnfoldChannels",
    "WindowLayer",
    "WindowStatistics",
]

Tensor = Any


class WindowLayer(Described):
    """A layer of windows padded on the left: ``lengths`` counts their steps, a mask is an error."""

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
    """Center and spread of each window's targets.

    The statistics of the training part are weights (``offset``, ``scale``), never trained.

    Parameters
    ----------
    kind : {"none", "last", "standard"}
    n_targets : int
        Targets are the first channels of the input.
    """

    # Named as Keras layers name them, so that a fit knows its first weights without a copy.
    offset_initializer = keras.initializers.Zeros()
    scale_initializer = keras.initializers.Ones()

    def __init__(self, kind: str, n_targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(windows.WindowStatistics(kind, n_targets))

    def build(self, *shapes: Any) -> None:
        self.add_weights()

    def call(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        center, spread = self.compute(x, lengths)
        return center, spread


@keras.saving.register_keras_serializable(package="seqkit")
class Quieten(WindowLayer):
    """Set the left padding of ``(B, L, C)`` to zero."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(padding.MaskPadding())

    def call(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.compute(x, lengths)


@keras.saving.register_keras_serializable(package="seqkit")
class Normalize(WindowLayer):
    """Targets of a window in its own center and spread, padding zero."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(windows.Normalize())

    def call(
        self, targets: Tensor, center: Tensor, spread: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        return self.compute(targets, center, spread, lengths)


@keras.saving.register_keras_serializable(package="seqkit")
class ThetaForecast(WindowLayer):
    """The theta forecast of each target of a window: ``(B, L, T) -> (B, H, T)``.

    Parameters
    ----------
    horizon, season : int
        In steps.
    """

    def __init__(self, horizon: int, season: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(theta.ThetaForecast(horizon, season))

    def call(self, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.compute(targets, lengths)


@keras.saving.register_keras_serializable(package="seqkit")
class NaiveForecast(WindowLayer):
    """The naive forecast a network departs from: ``(B, L, T) -> (B, H, T)``.

    Parameters
    ----------
    kind : {"last", "seasonal_naive"}
    horizon, season : int
        In steps.
    """

    def __init__(self, kind: str, horizon: int, season: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(windows.NaiveForecast(kind, horizon, season))

    def call(self, targets: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.compute(targets, lengths)


@keras.saving.register_keras_serializable(package="seqkit")
class LeftPatch(WindowLayer):
    """Fold `size` steps into one, patches counted from the end: ``(B, L, C) -> (B, K, size * C)``.

    With ``lengths`` the patches that hold valid steps come first, and with their number.

    Parameters
    ----------
    size : int
        Steps in a patch, at least 1.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(patching.LeftPatch(size))

    def call(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        patches, valid = self.compute(x, lengths)
        return patches if lengths is None else (patches, valid)


@keras.saving.register_keras_serializable(package="seqkit")
class FoldChannels(WindowLayer):
    """Make every target a window of its own: ``(B, L, T) -> (B * T, L, 1)``.

    With ``share=True`` an input is the same for all targets and repeated:
    ``(B, ...) -> (B * T, ...)``.
    """

    def __init__(self, n_targets: int, share: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_targets, self.share = n_targets, share
        self.describe(shaping.RepeatRows(n_targets) if share else shaping.FoldChannels(n_targets))

    def call(self, x: Tensor) -> Tensor:
        return self.compute(x)

    def compute_output_shape(self, shape: Any) -> Any:
        batch = None if shape[0] is None else shape[0] * self.n_targets
        return batch, *self.described.shape(tuple(shape[1:]))

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"n_targets": self.n_targets, "share": self.share}
        return {**keras.layers.Layer.get_config(self), **own}


@keras.saving.register_keras_serializable(package="seqkit")
class UnfoldChannels(WindowLayer):
    """Undo :class:`FoldChannels` on a prediction: ``(B * T, H, 1, P) -> (B, H, T, P)``."""

    def __init__(self, n_targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_targets = n_targets
        self.describe(shaping.UnfoldChannels(n_targets))

    def call(self, x: Tensor) -> Tensor:
        return self.compute(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return None, *self.described.shape(tuple(shape[1:]))

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**keras.layers.Layer.get_config(self), "n_targets": self.n_targets}


@keras.saving.register_keras_serializable(package="seqkit")
class LastSteps(WindowLayer):
    """The last `n_steps` of ``(batch, time, channels)``."""

    def __init__(self, n_steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe(shaping.Last(n_steps))

    def call(self, x: Tensor) -> Tensor:
        return self.compute(x)
