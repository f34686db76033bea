"""The theta forecast whose constants are learned with the network that departs from it.

Smyl (2020), "A hybrid method of exponential smoothing and recurrent neural networks", International
Journal of Forecasting 36, learns the constants of smoothing beside the weights of a network, by the
gradient of one loss. Here they are shared by all series, since a forecaster also forecasts those it
has never seen; which of the smoothings fits the one window still depends on its errors.

A constant is the sigmoid of a weight, so ``log(1 - constant) = -softplus(weight)``:

- ``smoothing``: the grid of constants of the level, from those of the fixed forecast on;
- ``seasonal_smoothing``: every step of the season is the mean of its distances to the moving
  average, those of ``k`` seasons ago weighed by ``(1 - constant)^k``; near 0 at the start;
- ``damping``: the trend ``h`` steps ahead is ``b (phi + phi^2 + ... + phi^h)`` (Gardner and
  McKenzie 1985, "Forecasting trends in time series", Management Science 31), with ``phi`` near 1 at
  the start.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.layers.base import Array, Parameter, Saved, Shape
from seqkit.network.layers.theta import MOST_THETA_STEPS, SMOOTHING, ThetaForecast
from seqkit.network.ops import NUMPY

__all__ = ["LearnedTheta"]

FAR = 6.0
"""Weight from which on a constant is near 1 (.9975), or below 0: a trend over eight steps is then a
hundredth shorter than a straight one, yet the constant can move."""


def _grid(shape: tuple[int, ...], seed: int) -> Array:
    grid = np.array(SMOOTHING)
    weights: Array = np.log(grid / (1 - grid)).astype(np.float32)
    return weights


def _far(shape: tuple[int, ...], seed: int) -> Array:
    return np.full(shape, FAR, np.float32)


def _far_below(shape: tuple[int, ...], seed: int) -> Array:
    return np.full(shape, -FAR, np.float32)


@functools.cache
def _steps_back(n_steps: int) -> tuple[Array, Array]:
    """Steps from step t (row) to step k, (L, L, 1), 0 where it is later; and where it is not."""
    back = (np.arange(n_steps)[None, :] - np.arange(n_steps)[:, None])[..., None]
    return np.maximum(back, 0).astype(np.float32), (back >= 0).astype(np.float32)


def _seasons_back(n_steps: int, season: int) -> Array:
    """How many whole seasons a step is before the end, (L,)."""
    return (np.arange(n_steps)[::-1] // season).astype(np.float32)


@dataclass(frozen=True)
class LearnedTheta(ThetaForecast):
    """The theta forecast of each target of a window, its constants learned.

    Parameters
    ----------
    horizon, season : int
    """

    def parameters(self, targets: Shape, lengths: Shape | None = None) -> tuple[Parameter, ...]:
        n_steps = targets[0]
        assert n_steps is not None
        made = (Parameter("smoothing", (len(SMOOTHING),), _grid), Parameter("damping", (1,), _far))
        if not self.has_season(n_steps):
            return made
        return (*made, Parameter("seasonal_smoothing", (1,), _far_below))

    def _prepare(self, ops: Any, p: Mapping[str, Any], saved: Saved, targets: Any) -> None:
        n_steps = min(targets.shape[1], MOST_THETA_STEPS)
        back, earlier = (
            ops.convert_to_tensor(part, dtype=targets.dtype) for part in _steps_back(n_steps)
        )
        discounts = earlier * ops.exp(-back * ops.softplus(p["smoothing"]))
        saved["discounts"] = ops.reshape(discounts, (n_steps, -1))
        saved["weights"] = None
        if "seasonal_smoothing" in p:
            ago = _seasons_back(targets.shape[1], self.season)
            ago = ops.convert_to_tensor(ago, dtype=targets.dtype)
            saved["weights"] = ops.exp(-ago * ops.softplus(p["seasonal_smoothing"]))
        step = ops.cast(ops.arange(1, self.horizon + 1), targets.dtype)
        saved["damped"] = ops.exp(-step * ops.softplus(-p["damping"]))
        saved["trend"] = ops.cumsum(saved["damped"], axis=0)

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Array | None, None]:
        d_targets, made = self._window_backward(saved, d, wants[0], wants_constants=True)
        step = np.arange(1, self.horizon + 1, dtype=np.float32)
        d_damped = np.cumsum(made["trend"][::-1])[::-1]
        through = (d_damped * saved["damped"] * step).sum()
        g["damping"][...] = through * NUMPY.sigmoid(-p["damping"])
        n, n_steps = len(SMOOTHING), made["discounts"].shape[0]
        through = made["discounts"] * saved["discounts"]
        through = (through.reshape(n_steps, n_steps, n) * _steps_back(n_steps)[0]).sum((0, 1))
        g["smoothing"][...] = -through * NUMPY.sigmoid(p["smoothing"])
        if "weights" in made:
            ago = _seasons_back(len(made["weights"]), self.season)
            through = -(made["weights"] * saved["weights"] * ago).sum()
            g["seasonal_smoothing"][...] = through * NUMPY.sigmoid(p["seasonal_smoothing"])
        return d_targets, None
