"""The theta forecast of a window: level and trend smoothed, a season that grows with the level.

Assimakopoulos and Nikolopoulos (2000), "The theta model", International Journal of Forecasting 16.
Hyndman and Billah (2003), "Unmasking the Theta method", IJF 19, show that it is simple exponential
smoothing with a drift of half the linear trend; Fiorucci et al. (2016), "Models for optimising the
theta method", IJF 32, choose the share of the trend by its errors. Here everything is a sum over
the steps of the window, so that it is done for all windows at once, and commutes with a change of
units: ``theta(a y + b) = a theta(y) + b``.

With ``s`` the season, ``line`` the straight line of least squares through ``z = y - s``, and a
share ``w`` of its slope ``b`` (theta = 1 / (1 - w); a half is the classical method)::

    u = z - w line                        what is smoothed
    l[t] = sum_j (1 - a)^j u[t-j] / sum_j (1 - a)^j       its level (discounted mean)
    forecast[h] = l[n] + w (line[n] + b h) + s[n+h]

Smoothing by a discounted mean needs no first level to be estimated. All ``(a, w)`` of a grid are
computed, and averaged with weights ``SSE^(-n/2)`` of their errors one step ahead (as Gaussian
likelihoods): where one of them is clearly best that is a choice, where none is it is a mean.

The season is the mean distance to the centred moving average at each step of the season, as the
classical decomposition has it, and stretched where it grows with that average:
``s[t] = f[t mod m] (1 + g (average[t] - its mean))``. With ``g = 1 / mean`` it is multiplicative,
with 0 additive; what the window says about `g`, and about the figure `f`, is shrunk by its
uncertainty (Miller and Williams 2003, "Shrinkage estimators of time series seasonal factors", IJF
19), so that where there is no season none is forecast.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.layers.base import Array, Layer, Saved, Shape
from seqkit.network.layers.padding import valid_tail
from seqkit.network.ops import NUMPY, rows_of

__all__ = ["MOST_THETA_STEPS", "ThetaForecast", "theta_window"]

Tensor = Any

SMOOTHING = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.99)
SHARES = (0.0, 0.5, 1.0)
"""The grid of smoothing constants, and of the share of the trend that is kept."""
SEASONS = 10
STRETCH = (0.3, 3.0)
"""Bounds of what a season is stretched by."""
MOST_THETA_STEPS = 512
"""Steps, the last ones, that are smoothed: the lowest constant gives what is before 1e-11."""
_TINY = 1e-9


def theta_window(context_length: int, season: int) -> int:
    """Return how many steps a theta forecast beside a network is made from, where they are there.

    Ten seasons, and what the network sees at least: level and trend are those of the end of the
    series, while each season makes the figure surer.

    Examples
    --------
    >>> theta_window(36, 12), theta_window(8, 1)
    (120, 10)
    """
    return min(max(context_length, SEASONS * season), MOST_THETA_STEPS)


@functools.cache
def _smoothing(n_steps: int) -> Array:
    """Discounts of step t (row) in the sum at step k, for each constant: (L, L * G)."""
    back = np.arange(n_steps)[None, :] - np.arange(n_steps)[:, None]
    sums = [np.where(back >= 0, (1 - a) ** np.maximum(back, 0.0), 0.0) for a in SMOOTHING]
    return np.stack(sums, -1).reshape(n_steps, -1).astype(np.float32)


@functools.cache
def _moving_average(n_steps: int, season: int) -> Array:
    """Weights of step t (row) in the average centred at k, (L, L); 0 where it does not fit."""
    ends = [] if season % 2 else [0.5]
    weights = np.array([*ends, *[1.0] * (season - len(ends)), *ends]) / season
    half = len(weights) // 2
    found = np.zeros((n_steps, n_steps), np.float32)
    for k in range(half, n_steps - half):
        found[k - half : k + half + 1, k] = weights
    return found


@functools.cache
def _phases(n_steps: int, season: int) -> Array:
    """Which step of the season a step is, (L, season); the one after the window's end is 0."""
    return np.eye(season, dtype=np.float32)[np.arange(-n_steps, 0) % season]


@dataclass(frozen=True)
class ThetaForecast(Layer):
    """The theta forecast of each target of a window: ``(B, L, T) -> (B, H, T)``.

    Parameters
    ----------
    horizon : int
    season : int
        Steps in a season; a window of less than two is taken to have none.
    """

    horizon: int
    season: int = 1

    def shape(self, targets: Shape, lengths: Shape | None = None) -> Shape:
        return (self.horizon, targets[1])

    def forward(self, ops: Any, p: Any, saved: Saved, targets: Tensor, lengths: Any = None) -> Any:
        valid = valid_tail(targets, lengths, ops) if lengths is not None else None
        self._prepare(ops, p, saved, targets)
        center = targets[:, -1:, :]
        y = targets - center
        if valid is None:
            valid = ops.ones_like(targets[:1, :, :1])
        y = ops.where(valid > 0, y, ops.zeros_like(y))  # padding of raw windows may be NaN
        y, valid = (ops.transpose(part, (0, 2, 1)) for part in (y, valid))
        count = ops.sum(valid, axis=-1, keepdims=True)  # (B, 1, 1); (1, 1, 1) without lengths
        unit = ops.sqrt(ops.sum(ops.square(y), axis=-1, keepdims=True) / count)
        unit = ops.where(unit > 0, unit, ops.ones_like(unit))
        y = y / unit  # (B, T, L)
        saved["valid"] = valid
        seasonal = None
        if self.has_season(targets.shape[1]):
            y, seasonal = self._without_season(ops, saved, y, valid, count)
        level = self._smoothed(ops, saved, y, valid)  # (B, T, H)
        saved["unit"], saved["level"] = unit, level
        if seasonal is not None:
            figure, growth, mean = seasonal
            ahead = ops.take(figure, np.arange(self.horizon) % self.season, axis=-1)
            level = level + ahead * ops.clip(1.0 + growth * (level - mean), *STRETCH)
        return center + ops.transpose(level * unit, (0, 2, 1))

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[Array | None, None]:
        return self._window_backward(saved, d, wants[0])[0], None

    # The gradient of a chain of sums goes back through each of them, from the last to the first.
    # That of center and unit is none: the forecast goes with both.
    def _window_backward(
        self, saved: Saved, d: Array, wants_targets: bool, wants_constants: bool = False
    ) -> tuple[Array | None, dict[str, Array]]:
        """Return the gradients of the targets, and of what smoothing is made with."""
        d = d.transpose(0, 2, 1) * saved["unit"]  # (B, T, H)
        seasonal, ends = saved.get("season"), {}
        if seasonal is not None:
            place = np.arange(self.horizon) % self.season
            ahead = seasonal["shrunk"][..., place]
            above = saved["level"] - seasonal["mean"]
            stretch, free = _stretched(seasonal["growth"], above)
            ends = {
                "shrunk": NUMPY.matmul(d * stretch, np.eye(self.season, dtype=np.float32)[place]),
                "growth": (d * ahead * free * above).sum(-1, keepdims=True),
                "mean": -(d * ahead * free * seasonal["growth"]).sum(-1, keepdims=True),
            }
            d = d + d * ahead * free * seasonal["growth"]
        made, d_y = self._smoothed_backward(saved, d)
        if seasonal is not None:
            short = seasonal["apart"].shape[-1] - d_y.shape[-1]
            if short:  # only the last steps are smoothed
                d_y = np.pad(d_y, [(0, 0), (0, 0), (short, 0)])
            d_apart, d_each, more = self._season_backward(seasonal, d_y, **ends)
            if wants_constants:
                sums = d_apart * seasonal["apart"] + d_each * seasonal["inside"]
                made["weights"] = sums.sum((0, 1))
            if wants_targets:
                d_y = self._values_backward(seasonal, saved["weights"], d_y, d_apart, more)
        elif wants_targets and d_y.shape[-1] < saved["valid"].shape[-1]:
            d_y = np.pad(d_y, [(0, 0), (0, 0), (saved["valid"].shape[-1] - d_y.shape[-1], 0)])
        if not wants_targets:
            return None, made
        targets: Array = (d_y * saved["valid"] / saved["unit"]).transpose(0, 2, 1)
        return targets.astype(np.float32, copy=False), made

    def has_season(self, n_steps: int) -> bool:
        """Return whether windows of this many steps hold two seasons."""
        return self.season > 1 and 2 * self.season <= n_steps

    def _prepare(self, ops: Any, p: Any, saved: Saved, targets: Tensor) -> None:
        """Leave the constants of smoothing: ``discounts``, ``weights`` of steps, ``trend``."""
        n_steps = min(targets.shape[1], MOST_THETA_STEPS)
        saved["discounts"] = _like(ops, _smoothing(n_steps), targets)
        saved["weights"] = None
        saved["trend"] = ops.cast(ops.arange(1, self.horizon + 1), targets.dtype)

    def _without_season(
        self, ops: Any, saved: Saved, y: Tensor, valid: Tensor, count: Tensor
    ) -> tuple[Any, Any]:
        """Return the series less its season, and figure, growth and mean level of the season."""
        n_steps, m = y.shape[-1], self.season
        average_at = _moving_average(n_steps, m)
        half = m // 2
        # where an average centred at a step lies within the valid steps
        step = ops.cast(ops.arange(n_steps), valid.dtype)
        first = n_steps - count
        inside = ops.cast((step >= first + half) & (step < n_steps - half), valid.dtype)
        number = ops.maximum(ops.sum(inside, axis=-1, keepdims=True), 1.0)
        average = ops.matmul(y, _like(ops, average_at, y))
        apart = (y - average) * inside
        phases = _like(ops, _phases(n_steps, m), y)
        weighed = [apart, inside]
        if saved["weights"] is not None:
            weighed = [part * saved["weights"] for part in weighed]
        sums, each = (ops.matmul(part, phases) for part in weighed)  # (B, T, m)
        each = ops.maximum(each, 1.0 if saved["weights"] is None else _TINY)
        raw = sums / each
        figure = raw - ops.mean(raw, axis=-1, keepdims=True)
        phase = np.arange(-n_steps, 0) % m
        usual = ops.take(figure, phase, axis=-1) * inside
        rest = apart - usual

        # how the season grows with the level
        mean = ops.sum(average * inside, axis=-1, keepdims=True) / number
        above = (average - mean) * inside
        moved = usual * above
        moves = ops.sum(ops.square(moved), axis=-1, keepdims=True) + _TINY
        slope = ops.sum(rest * moved, axis=-1, keepdims=True) / moves
        left = rest - slope * moved
        degrees = ops.maximum(number - m, 1.0)
        noise = ops.sum(ops.square(left), axis=-1, keepdims=True) / degrees
        growth = slope * _share_kept(ops, noise / moves, ops.square(slope))

        # a figure of n values a step has noise / n as its variance; James and Stein: (m - 3)
        size = ops.mean(ops.square(figure), axis=-1, keepdims=True)
        variance = (m / ops.maximum(number, float(m))) * ((m - 3) / (m - 1) if m > 3 else 1.0)
        kept = _share_kept(ops, variance * noise, size)
        enough = ops.cast((count >= 2 * m), y.dtype)
        shrunk = figure * kept * enough

        # the level at the ends, where no average fits, is the nearest one
        at_first = ops.cast(step == first + half, y.dtype)
        level = ops.take(average, np.minimum(np.arange(n_steps), n_steps - half - 1), axis=-1)
        begin = ops.sum(average * at_first, axis=-1, keepdims=True)
        level = ops.where(step < first + half, begin, level)
        season = ops.take(shrunk, phase, axis=-1)
        season = season * ops.clip(1.0 + growth * (level - mean), *STRETCH)
        saved["season"] = {
            "phases": phases, "apart": apart, "inside": inside, "each": each, "raw": raw,
            "figure": figure, "rest": rest, "above": above, "moved": moved, "moves": moves,
            "slope": slope, "left": left, "degrees": degrees, "noise": noise, "growth": growth,
            "size": size, "variance": variance, "kept": kept, "enough": enough, "shrunk": shrunk,
            "away": level - mean, "valid": valid, "mean": mean, "usual": usual, "number": number,
            "at_first": at_first,
        }  # fmt: skip
        return (y - season) * valid, (shrunk, growth, mean)

    def _smoothed(self, ops: Any, saved: Saved, y: Tensor, valid: Tensor) -> Tensor:
        """Return level and trend going on, (B, T, H), of series (B, T, L) that have no season."""
        n_steps = min(y.shape[-1], MOST_THETA_STEPS)
        y, valid = y[:, :, -n_steps:], valid[:, :, -n_steps:]
        count = ops.sum(valid, axis=-1, keepdims=True)
        step = ops.cast(ops.arange(1 - n_steps, 1), y.dtype) * valid  # 0 at the window's end
        middle = ops.sum(step, axis=-1, keepdims=True) / count
        away = (step - middle) * valid
        spread = ops.maximum(ops.sum(ops.square(away), axis=-1, keepdims=True), _TINY)
        slope = ops.sum(away * y, axis=-1, keepdims=True) / spread

        # (B, T, G, L): the levels of the series and of time itself, and their errors one step on
        discounts = saved["discounts"]
        weight = ops.maximum(self._sums(ops, valid, discounts), _TINY)
        levels = self._sums(ops, y, discounts) / weight
        times = self._sums(ops, step, discounts) / weight
        seen = (valid[:, :, :-1] * valid[:, :, 1:])[:, :, :, None]
        e_y = (y[:, :, 1:, None] - levels[:, :, :-1]) * seen
        e_step = (step[:, :, 1:, None] - times[:, :, :-1]) * seen
        e_t = e_step * slope[..., None]
        yy, yt, tt = (ops.sum(a * b, axis=2) for a, b in ((e_y, e_y), (e_y, e_t), (e_t, e_t)))
        level, time = levels[:, :, -1], times[:, :, -1]  # (B, T, G)
        likelihoods, ends, slopes, errors = [], [], [], []
        for share in SHARES:
            errors.append(yy - 2 * share * yt + share * share * tt)
            squares = ops.maximum(errors[-1], 0.0) + _TINY
            likelihoods.append(-0.5 * ops.maximum(count - 1.0, 1.0) * ops.log(squares))
            ends.append(level - share * slope * time)
            slopes.append(ops.zeros_like(level) + share * slope)
        weights = ops.softmax(ops.concatenate(likelihoods, axis=-1), axis=-1)
        ends, slopes = (ops.concatenate(parts, axis=-1) for parts in (ends, slopes))
        end = ops.sum(weights * ends, axis=-1, keepdims=True)
        trend = ops.sum(weights * slopes, axis=-1, keepdims=True)
        saved["smoothed"] = {
            "y": y, "valid": valid, "count": count, "step": step, "away": away, "spread": spread,
            "slope": slope, "weight": weight, "levels": levels, "times": times, "seen": seen,
            "e_y": e_y, "e_step": e_step, "e_t": e_t, "errors": errors, "likely": weights,
            "ends": ends, "slopes": slopes, "trend": trend,
        }  # fmt: skip
        return end + trend * saved["trend"]

    @staticmethod
    def _sums(ops: Any, x: Tensor, discounts: Tensor) -> Tensor:
        """Return the discounted sums of (B, T, L) at each step, (B, T, L, G)."""
        n_steps, n = x.shape[-1], len(SMOOTHING)
        sums = ops.matmul(x, discounts)
        return ops.reshape(sums, (-1, x.shape[1], n_steps, n))

    def _smoothed_backward(self, saved: Saved, d: Array) -> tuple[dict[str, Array], Array]:
        """Return the gradients of the discounts and of the trend ahead, and that of the series."""
        s = saved["smoothed"]
        d_ahead = (d * s["trend"]).sum((0, 1))
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
        return {"discounts": d_discounts, "trend": d_ahead}, d_y

    def _season_backward(
        self, s: Mapping[str, Any], d_y: Array, shrunk: Array, growth: Array, mean: Array
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Return the gradients of the weighed distances to the average, and of their weights.

        Parameters
        ----------
        s : mapping
            What the forward pass has saved.
        d_y : ndarray of shape (B, T, L)
            The gradient of the series without its season.
        shrunk, growth, mean : ndarray
            Those of figure, growth and mean level from the season ahead.

        Returns
        -------
        tuple of (ndarray, ndarray, dict)
            The first two (B, T, L), and what the average comes to besides.
        """
        n_steps, m = s["apart"].shape[-1], self.season
        phase, phases = np.arange(-n_steps, 0) % m, s["phases"]
        # (y - season) valid, season = shrunk[phase] stretch
        d_season = -d_y * s["valid"]
        stretch, free = _stretched(s["growth"], s["away"])
        d = shrunk + NUMPY.matmul(d_season * stretch, phases)
        d_away = d_season * s["shrunk"][..., phase] * free
        d_growth = growth + (d_away * s["away"]).sum(-1, keepdims=True)
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
        more = {
            "mean": mean, "level": d_away * s["growth"], "above": d_moved * s["usual"],
            "rest": d_rest,
        }  # fmt: skip
        return d_sums[..., phase], d_each[..., phase], more

    def _values_backward(
        self, s: Mapping[str, Any], weights: Array | None, d_y: Array, d_apart: Array,
        more: Mapping[str, Array],
    ) -> Array:  # fmt: skip
        """Return the gradient of the series with its season, (B, T, L)."""
        n_steps, m, inside = s["apart"].shape[-1], self.season, s["inside"]
        # distances to the average: their weighed sums, and what the figure leaves of them
        d_apart = (d_apart if weights is None else d_apart * weights) + more["rest"]
        d_apart = d_apart * inside
        # above = (average - mean) inside; season by level - mean, level the nearest average
        d_above, d_level = more["above"] * inside, more["level"]
        d_mean = more["mean"] - (d_above.sum(-1, keepdims=True) + d_level.sum(-1, keepdims=True))
        d_average = d_above + d_mean * inside / s["number"] - d_apart
        before = 1 - np.cumsum(s["at_first"], axis=-1)  # the first average
        begun = (d_level * before).sum(-1, keepdims=True)
        d_level = d_level * (1 - before)
        last = n_steps - m // 2 - 1
        d_average[..., : last + 1] += d_level[..., : last + 1]
        d_average[..., last] += d_level[..., last + 1 :].sum(-1)
        d_average = d_average + begun * s["at_first"]
        average_at = np.ascontiguousarray(_moving_average(n_steps, m).T)
        gradient: Array = d_y * s["valid"] + d_apart + NUMPY.matmul(d_average, average_at)
        return gradient


def _share_kept(ops: Any, variance: Tensor, square: Tensor) -> Tensor:
    """Return what is kept of an estimate with this variance and this square."""
    return ops.maximum(1.0 - variance / (square + _TINY), 0.0)


def _like(ops: Any, constant: Array, x: Tensor) -> Tensor:
    return ops.convert_to_tensor(constant, dtype=x.dtype)


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
