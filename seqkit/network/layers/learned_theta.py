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

from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.layers.base import Array, Parameter, Saved, Shape
from seqkit.network.layers.theta import (
    _TINY,
    MOST_THETA_STEPS,
    SHARES,
    SMOOTHING,
    STRETCH,
    ThetaForecast,
)
from seqkit.network.ops import NUMPY, rows_of

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
    ) -> tuple[None, None]:
        d = d.transpose(0, 2, 1) * saved["unit"]  # (B, T, H)
        seasonal = saved.get("season")
        d_shrunk = d_growth = None
        if seasonal is not None:
            place = np.arange(self.horizon) % self.season
            ahead = seasonal["shrunk"][..., place]
            above = saved["level"] - seasonal["mean"]
            stretch, free = _stretched(seasonal["growth"], above)
            d_shrunk = NUMPY.matmul(d * stretch, np.eye(self.season, dtype=np.float32)[place])
            d_growth = (d * ahead * free * above).sum(-1, keepdims=True)
            d = d + d * ahead * free * seasonal["growth"]
        d_discounts, d_y = self._smoothed_backward(g, saved, p, d)
        n = len(SMOOTHING)
        n_steps = d_discounts.shape[0]
        through = d_discounts * saved["discounts"]
        through = (through.reshape(n_steps, n_steps, n) * _steps_back(n_steps)[0]).sum((0, 1))
        g["smoothing"][...] = -through * NUMPY.sigmoid(p["smoothing"])
        if seasonal is not None:
            d_weights = self._season_backward(seasonal, d_y, d_shrunk, d_growth)
            ago = _seasons_back(len(d_weights), self.season)
            through = -(d_weights * saved["weights"] * ago).sum()
            g["seasonal_smoothing"][...] = through * NUMPY.sigmoid(p["seasonal_smoothing"])
        return None, None  # a window is not trained

    # the gradient of a chain of sums goes back through each of them, from the last to the first
    def _smoothed_backward(
        self, g: Mapping[str, Array], saved: Saved, p: Mapping[str, Array], d: Array
    ) -> tuple[Array, Array]:
        """Fill the gradient of the damping; return those of the discounts, and of the series."""
        s = saved["smoothed"]
        step = np.arange(1, self.horizon + 1, dtype=np.float32)
        d_damped = np.cumsum((d * s["trend"]).sum((0, 1))[::-1])[::-1]
        through = (d_damped * saved["damped"] * step).sum()
        g["damping"][...] = through * NUMPY.sigmoid(-p["damping"])

        d_end = d.sum(-1, keepdims=True)
        d_trend = (d * saved["trend"]).sum(-1, keepdims=True)
        likely = s["likely"]  # (B, T, shares * G)
        d_likely = d_end * s["ends"] + d_trend * s["slopes"]
        d_log = likely * (d_likely - (likely * d_likely).sum(-1, keepdims=True))
        cut = [
            np.split(part, len(SHARES), -1) for part in (likely * d_end, likely * d_trend, d_log)
        ]
        half = -0.5 * np.maximum(s["count"] - 1.0, 1.0)
        slope = s["slope"]
        d_levels = np.zeros_like(s["levels"])
        time = s["times"][:, :, -1]
        d_yy: Any = 0.0
        d_yt = d_tt = d_slope = d_time = d_yy
        for share, error, end, trend, log in zip(SHARES, s["errors"], *cut, strict=True):
            d_error = np.where(error > 0, log * half / (np.maximum(error, 0.0) + _TINY), 0.0)
            d_yy, d_yt = d_yy + d_error, d_yt - 2 * share * d_error
            d_tt = d_tt + share * share * d_error
            d_levels[:, :, -1] += end
            d_time = d_time - share * slope * end
            d_slope = d_slope + share * (trend - end * time).sum(-1, keepdims=True)
        d_yy, d_yt, d_tt = (part[:, :, None] for part in (d_yy, d_yt, d_tt))
        d_e_y = (2 * s["e_y"] * d_yy + s["e_t"] * d_yt) * s["seen"]
        d_e_t = 2 * s["e_t"] * d_tt + s["e_y"] * d_yt
        d_slope = d_slope + (d_e_t * s["e_step"]).sum((2, 3))[..., None]
        d_levels[:, :, :-1] -= d_e_y
        d_times = np.concatenate(
            [-d_e_t * slope[..., None] * s["seen"], np.asarray(d_time)[:, :, None]], 2
        )

        # through the quotients, and the sums above and below them
        weight, discounts = s["weight"], saved["discounts"]
        d_weight = -(d_levels * s["levels"] + d_times * s["times"]) / weight * (weight > _TINY)
        d_discounts, d_y = _product_backward(s["y"], discounts, d_levels / weight)
        d_discounts += _product_backward(s["step"], discounts, d_times / weight)[0]
        d_discounts += _product_backward(s["valid"], discounts, d_weight)[0]
        d_y[:, :, 1:] += d_e_y.sum(-1)
        d_y += d_slope * s["away"] / s["spread"]
        return d_discounts, d_y

    def _season_backward(self, s: Mapping[str, Any], d_y: Array, d: Any, d_growth: Any) -> Array:
        """Return the gradient of the weights of steps, (L,)."""
        n_steps, m = s["apart"].shape[-1], self.season
        phase, phases = np.arange(-n_steps, 0) % m, s["phases"]
        if d_y.shape[-1] < n_steps:  # only the last steps are smoothed
            d_y = np.pad(d_y, [(0, 0), (0, 0), (n_steps - d_y.shape[-1], 0)])
        # (y - season) valid, season = shrunk[phase] stretch
        d_season = -d_y * s["valid"]
        stretch, free = _stretched(s["growth"], s["away"])
        d = d + NUMPY.matmul(d_season * stretch, phases)
        d_growth = d_growth + (d_season * s["shrunk"][..., phase] * free * s["away"]).sum(
            -1, keepdims=True
        )
        # shrunk = figure kept enough, kept = 1 - variance noise / (size + tiny)
        d_figure = d * s["kept"] * s["enough"]
        d_kept = (d * s["figure"] * s["enough"]).sum(-1, keepdims=True) * (s["kept"] > 0)
        square = s["size"] + _TINY
        d_noise = -d_kept * s["variance"] / square
        d_size = d_kept * s["variance"] * s["noise"] / square**2
        d_figure = d_figure + d_size * 2 * s["figure"] / m
        # growth = slope kept, kept = 1 - noise / moves / (slope^2 + tiny)
        square = s["slope"] ** 2 + _TINY
        share = 1.0 - s["noise"] / s["moves"] / square
        d_slope = d_growth * np.maximum(share, 0.0)
        d_ratio = -d_growth * s["slope"] * (share > 0) / square
        d_slope = d_slope - d_ratio * (s["noise"] / s["moves"]) / square * 2 * s["slope"]
        d_noise = d_noise + d_ratio / s["moves"]
        d_moves = -d_ratio * s["noise"] / s["moves"] ** 2
        # noise = sum left^2 / degrees, left = rest - slope moved
        d_left = d_noise * 2 * s["left"] / s["degrees"]
        d_slope = d_slope - (d_left * s["moved"]).sum(-1, keepdims=True)
        # slope = sum rest moved / moves, moves = sum moved^2 + tiny
        d_product = d_slope / s["moves"]
        d_moves = d_moves - d_slope * s["slope"] / s["moves"]
        d_rest = d_left + d_product * s["moved"]
        d_moved = d_product * s["rest"] - d_left * s["slope"] + d_moves * 2 * s["moved"]
        # rest = apart - usual, moved = usual above, usual = figure[phase] inside
        d_usual = (d_moved * s["above"] - d_rest) * s["inside"]
        d_figure = d_figure + NUMPY.matmul(d_usual, phases)
        # figure = raw - mean(raw), raw = sums / each
        d_sums = (d_figure - d_figure.mean(-1, keepdims=True)) / s["each"]
        d_each = -d_sums * s["raw"] * (s["each"] > _TINY)
        through = d_sums[..., phase] * s["apart"] + d_each[..., phase] * s["inside"]
        weights: Array = through.sum((0, 1))
        return weights


def _stretched(growth: Array, above: Array) -> tuple[Array, Array]:
    """Return what a season is stretched by, and where that is within its bounds."""
    stretch = 1.0 + growth * above
    kept = np.clip(stretch, *STRETCH)
    return kept, (stretch == kept).astype(np.float32)


def _product_backward(x: Array, discounts: Array, d: Array) -> tuple[Array, Array]:
    """Return the gradients of the discounts and of ``x`` from that of their product.

    What was one row for all windows, or all targets, has the sum of their gradients.
    """
    n_steps = x.shape[-1]
    axes = tuple(i for i in (0, 1) if x.shape[i] < d.shape[i])
    d = d.sum(axes, keepdims=True) if axes else d
    x_rows, d_rows = rows_of(x), rows_of(d.reshape(*d.shape[:2], -1))
    made, unused = np.empty_like(discounts), np.empty(discounts.shape[1], np.float32)
    dx = np.empty(x_rows.shape, np.float32)
    compiled_kernels().dense_backward(x_rows, discounts, d_rows, made, unused, dx)
    return made, dx.reshape(*x.shape[:-1], n_steps)
