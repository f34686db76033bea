"""Running fitted forecast networks over panels: from every origin, and past the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqkit import training
from seqkit.data.panel import Panel
from seqkit.data.windows import WindowSource, moved_windows
from seqkit.errors import explain
from seqkit.estimators.forecast_combining import ThetaBeside
from seqkit.estimators.forecast_transforming import check_transformable, transformed
from seqkit.network.architecture import Architecture
from seqkit.network.layers.base import Saved
from seqkit.network.layers.scaling import BoxCox, InverseBoxCox
from seqkit.network.native import NativeNetwork
from seqkit.network.ops import NUMPY

__all__ = ["Networks", "pooled_r2"]

Array = np.ndarray
_MOVED = 0.5
"""How far from its mean a standardised window goes somewhere, if it is more than roundings."""


@dataclass(frozen=True)
class Networks:
    """The networks of a fitted forecaster, one or an ensemble, and how to ask them.

    Parameters
    ----------
    contexts : sequence of int
        Context length of each.
    build : callable (context_length, variable_length) -> callable
        What builds a network.
    weights : sequence of lists of numpy.ndarray
    horizon : int
    parameter_shape : tuple of int
        Axes of a prediction after the targets.
    variable_length, target_inputs : bool
    normalize : str or None
        How windows are normalised; None where forecasts are in units all along.
    head : str
    offset, scale : numpy.ndarray of shape (n_targets,)
        Of the targets' training part.
    transform : str
        What the networks see of the targets; for messages.
    powers : tuple of float or None
        Of the Box-Cox transform of each target, where they see that.
    theta : ThetaBeside or None
        What is combined with the networks' forecasts.
    batch_size : int
    """

    contexts: Sequence[int]
    build: Callable[[int, bool], Architecture]
    weights: Sequence[list[Array]]
    horizon: int
    parameter_shape: tuple[int, ...]
    variable_length: bool
    target_inputs: bool
    normalize: str | None
    head: str
    offset: Array
    scale: Array
    transform: str = "none"
    powers: tuple[float, ...] | None = None
    theta: ThetaBeside | None = None
    batch_size: int = 1024

    @property
    def window(self) -> int:
        """Most steps of the past that a forecast sees."""
        return max(self.contexts) if self.theta is None else self.theta.window

    def _predict(self, number: int, panel: Panel, **which: Any) -> tuple[Array, WindowSource]:
        source = WindowSource(
            panel,
            self.contexts[number],
            self.horizon,
            targets=False,
            lengths=self.variable_length or None,
            target_inputs=self.target_inputs,
            normalize=self.normalize,
            offset=self.offset,
            scale=self.scale,
            **which,
        )
        if not source.n_examples:
            return np.empty((0, self.horizon, panel.n_targets, *self.parameter_shape)), source
        prediction = training.predict(
            self.build(self.contexts[number], source.with_lengths),
            self.weights[number],
            source,
            batch_size=self.batch_size,
            output=self.output,
        ).astype(np.float64)
        if self.normalize is not None:
            for start in range(0, len(prediction), self.batch_size):
                part = prediction[start : start + self.batch_size]
                self._undo(part, *source.space(np.arange(start, start + len(part))))
        return self._as_values(prediction), source

    def _as_values(self, prediction: Array) -> Array:
        """Undo the transform of the targets."""
        if self.powers is None:
            return prediction
        found: Array = InverseBoxCox(self.powers).forward(NUMPY, {}, Saved(), prediction)
        return found

    def _seen(self, panel: Panel, owner: str) -> Panel:
        """Return a panel as the networks see it."""
        if self.powers is not None:
            check_transformable(panel, self.transform, owner)
        return transformed(panel, self.powers)

    def _undo(self, prediction: Array, center: Array, spread: Array) -> None:
        """Undo normalising, in place and in float64: float32 lacks digits for a small change."""
        if self.head == "point":
            prediction[...] = center + spread * prediction
            return
        center, spread = center[..., None], spread[..., None]
        n_moved, n_scaled = (None, None) if self.head == "quantiles" else (1, 2)
        prediction[..., :n_scaled] *= spread
        prediction[..., :n_moved] += center

    @property
    def output(self) -> str | None:
        """What is asked of a network: in the space of windows, where they are normalised."""
        return None if self.normalize is None else "normalized"

    def native(self) -> list[NativeNetwork] | None:
        """Return each as :meth:`of_windows` asks it, or None where Keras must be asked.

        It comes with its weights, and without statistics of windows where those are standardised
        when they reach it: they would be 0 and 1.
        """
        built = []
        for context, weights in zip(self.contexts, self.weights, strict=True):
            architecture = self.build(context, self.variable_length)
            if training.not_native(architecture, output=self.output):
                return None
            if self.normalize == "standard":
                settings = {**architecture.settings, "normalize": "none"}
                architecture = replace(architecture, settings=settings)
            network = NativeNetwork(architecture.network)
            network.weights.load(weights)
            if self.normalize == "standard":
                own = network.weights.values["window"]
                own["offset"][...], own["scale"][...] = 0.0, 1.0
            built.append(network)
        return built

    def of_windows(
        self, asked: Sequence[NativeNetwork], windows: Array, lengths: Array, future: Array | None
    ) -> Array | None:
        """Return what :meth:`after_end` does, of windows without a gap.

        None where one hardly moves: of what are roundings a network's statistics are its own.

        Parameters
        ----------
        asked : sequence of NativeNetwork
            Of :meth:`native`.
        windows : ndarray of shape (n, window, n_channels)
            In units, zeros before a series begins.
        lengths : ndarray of int of shape (n,)
            Steps of each that are there: as many as the longest context, or more.
        future : ndarray of shape (n, horizon, n_future), or None
        """
        predictions, seen = [], windows[:, -max(self.contexts) :]
        if self.powers is not None:
            seen = BoxCox(self.powers).forward(NUMPY, {}, Saved(), seen)
        for context, network in zip(self.contexts, asked, strict=True):
            x, space = seen[:, -context:], None
            if self.normalize is not None:
                own = self.normalize, self.offset, self.scale, self.target_inputs
                x, *space = moved_windows(x, None, *own)
                n_seen = len(self.scale)
                # of what is standardised one value at least is 1 away from the mean, or more
                if self.normalize == "standard" and abs(x[:, :, :n_seen]).max(1).min() < _MOVED:
                    return None
            x = x if self.target_inputs else x[:, :, len(self.scale) :]
            inputs = {"x": x.astype(np.float32, copy=False)}
            if self.variable_length:
                inputs["lengths"] = np.full(len(x), context, np.int32)
            if future is not None:
                inputs["future"] = future.astype(np.float32, copy=False)
            answer = network.predict(inputs) if space is None else network.forward(inputs, False)
            prediction = answer.astype(np.float64)
            if space is not None:
                self._undo(prediction, *space)
            predictions.append(self._as_values(prediction))
        combined = predictions[0] if len(predictions) == 1 else np.median(predictions, axis=0)
        if self.theta is None:
            return combined
        padded = bool((lengths < windows.shape[1]).any())
        return self.theta.of_windows(combined, windows, lengths, self.scale, padded)

    def by_origin(self, panel: Panel) -> Array:
        """The prediction at every row, ``(n_rows, horizon, n_targets[, n_parameters])``.

        NaN without a full context, and where the horizon needs future covariates past the end.
        """
        shape = (len(panel.values), self.horizon, panel.n_targets, *self.parameter_shape)
        predictions = np.full((len(self.contexts), *shape), np.nan)
        context, seen = max(self.contexts), self._seen(panel, "predict")
        for number in range(len(self.contexts)):
            prediction, source = self._predict(number, seen, origins="all")
            rows = source.rows(np.arange(source.n_examples))[1]
            predictions[number, rows] = prediction
            if self.contexts[number] == context:
                full = rows
        combined: Array = (
            predictions[0] if len(predictions) == 1 else np.median(predictions, axis=0)
        )
        combined[full] = self._combined(combined[full], panel, origins="all", shortest=context)
        if panel.n_future:
            last = np.repeat(panel.offsets[1:] - 1 - self.horizon, panel.lengths)
            combined[np.arange(len(combined)) > last] = np.nan
        return combined

    def after_end(self, panel: Panel, steps: Array) -> Array:
        """The prediction after the end of every series; `steps` are the rows ahead."""
        ahead = panel.extend(steps)
        seen = self._seen(panel, "forecast").extend(steps)
        predictions = [
            self._predict(number, seen, origins="last", back=self.horizon)[0]
            for number in range(len(self.contexts))
        ]
        combined = predictions[0] if len(predictions) == 1 else np.median(predictions, axis=0)
        return self._combined(combined, ahead, origins="last", back=self.horizon)

    def _combined(self, prediction: Array, panel: Panel, **which: Any) -> Array:
        """Return a prediction with the theta forecast of the same windows, where there is one."""
        if self.theta is None:
            return prediction
        return self.theta.moved(prediction, panel, self.scale, self.batch_size, **which)

    def blocks(
        self, panel: Panel, n_steps: int, steps: Array, feed: Callable[[Array], Array]
    ) -> tuple[Array, Array]:
        """Forecast block after block, each from what `feed` makes of the one before.

        Parameters
        ----------
        panel : Panel
        n_steps : int
        steps : numpy.ndarray of shape (n_series, whole blocks, n_channels)
        feed : callable
            Prediction ``(n_series, horizon, n_targets[, n_parameters])`` to values in units.

        Returns
        -------
        predictions, values : numpy.ndarray
        """
        predictions, fed = [], []
        for start in range(0, n_steps, self.horizon):
            block = steps[:, start : start + self.horizon].copy()
            predictions.append(self.after_end(panel, block))
            fed.append(feed(predictions[-1]))
            if start + self.horizon < n_steps:
                block[:, :, : panel.n_targets] = fed[-1]
                panel = panel.extend(block).tail(self.window)
        return np.concatenate(predictions, 1)[:, :n_steps], np.concatenate(fed, 1)[:, :n_steps]


def pooled_r2(panel: Panel, truth: Array, made: Array, weight: Array | None) -> float:
    """R² of forecasts by origin over all steps that came, mean over targets.

    Parameters
    ----------
    panel : Panel
    truth : numpy.ndarray of shape (n_rows, n_targets)
    made : numpy.ndarray of shape (n_rows, horizon, n_targets)
    weight : numpy.ndarray of shape (n_rows,) or None
        Weight of the value at each row.
    """
    n_rows, horizon = made.shape[:2]
    rows = np.arange(n_rows)[:, None] + np.arange(1, horizon + 1)
    stop = np.repeat(panel.offsets[1:], panel.lengths)[:, None]
    inside = rows < stop
    rows = np.minimum(rows, n_rows - 1)
    came = np.where(inside[:, :, None], truth[rows], np.nan)
    share = np.ones(n_rows) if weight is None else np.asarray(weight, float)
    counted = np.where(np.isfinite(came) & np.isfinite(made), share[rows][:, :, None], 0.0)
    if not counted.any():
        raise ValueError(
            explain("score", "X", "long enough for one full context and a step after it", n_rows)
        )
    came, made = np.nan_to_num(came), np.nan_to_num(made)
    mean = (came * counted).sum((0, 1)) / counted.sum((0, 1))
    residual = (counted * (came - made) ** 2).sum((0, 1))
    total = (counted * (came - mean) ** 2).sum((0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.mean(np.where(total > 0, 1 - residual / total, 0.0)))
