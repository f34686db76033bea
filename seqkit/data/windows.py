"""Windows of a panel, taken by offset and never copied out.

The memory of training is that of the panel: a window is a number, and its rows are looked up when
a batch asks for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.data.panel import Panel
from seqkit.errors import explain
from seqkit.network.layers.windows import constant_ends, window_statistics
from seqkit.network.ops import NUMPY

__all__ = ["WindowSource", "count_windows", "moved_windows", "training_panel"]

ORIGINS = ("training", "all", "last")


def count_windows(lengths: np.ndarray, context_length: int, horizon: int) -> int:
    """Return how many windows series of these lengths give to train on.

    Examples
    --------
    >>> count_windows(np.array([20, 10, 4]), context_length=8, horizon=4)
    13
    """
    known = np.asarray(lengths) - horizon
    least = np.where(known >= context_length, context_length, (known + 1) // 2)
    return int(np.where(known > 0, known - least + 1, 0).sum())


class WindowSource:
    """Windows of a panel as training and prediction take them (a ``training.Source``).

    A window is the context, the `context_length` steps up to and with an origin, and the horizon,
    the `horizon` steps after it. Windows are numbered series by series in the order of time, so
    that ``range(n_examples)`` goes through them in order; drawn uniformly, every window is as
    likely as any other (a series counts by its length).

    Parameters
    ----------
    panel : Panel
    context_length, horizon : int
    origins : {"training", "all", "last"}
        ``training``: every origin with a full context and a full horizon inside the series; a
        series too short for one gives windows padded on the left, of at least half the context it
        could have. ``all``: every origin with a full context, whatever follows. ``last``: the end
        of each series, however short.
    step : int, default=1
        Every `step`-th origin of a series, counted back from the last one.
    back : int, default=0
        With ``last``: the origin is that many steps before the end (rows ahead are appended).
    shortest : int, default=None
        With ``all``: the shortest context that an origin may have; default: a full one.
    normalize : {"none", "last", "standard"}, default=None
        How the model normalises windows
        (:func:`seqkit.network.layers.windows.window_statistics`). Targets of the horizon
        are given in the normalised space of their window. The past of the targets is moved near
        zero, in float64, as far as the model takes it back: ``standard`` gives a normalised
        window, ``last`` one less its last value. None leaves all in units.
    offset, scale : numpy.ndarray of shape (n_targets,)
        Statistics of the training part that ``none`` and ``last`` use.
    lengths : bool, default=None
        Whether the model takes ``lengths``; by default where a window is padded.
    target_inputs : bool, default=True
        Whether the past of the targets is part of the input ``x``.
    targets : bool, default=True
        Whether the horizon's targets are gathered.

    Attributes
    ----------
    n_examples : int
    arrays : dict of str to numpy.ndarray
    """

    def __init__(
        self,
        panel: Panel,
        context_length: int,
        horizon: int,
        *,
        origins: str = "training",
        step: int = 1,
        back: int = 0,
        shortest: int | None = None,
        normalize: str | None = None,
        offset: np.ndarray | None = None,
        scale: np.ndarray | None = None,
        lengths: bool | None = None,
        target_inputs: bool = True,
        targets: bool = True,
    ) -> None:
        if origins not in ORIGINS:
            raise ValueError(
                explain("WindowSource", "origins", "one of " + ", ".join(ORIGINS), origins)
            )
        self.context_length, self.horizon, self.step = context_length, horizon, step
        self.n_targets, self.n_future = panel.n_targets, panel.n_future
        self.normalize, self.target_inputs, self.with_targets = normalize, target_inputs, targets
        n = panel.lengths
        last = n - 1  # last origin of each series, counted from its first row
        if origins == "training":
            last = n - horizon - 1
            half = (n - horizon + 1) // 2
            first = np.where(n >= context_length + horizon, context_length, half) - 1
        elif origins == "all":
            first = np.full_like(n, (shortest or context_length) - 1)
        else:
            first = last = last - back
        count = np.maximum(last - first, -1) // step + 1
        count[(last < 0) | (first < 0)] = 0
        # counted back from the last origin, so that the newest window is always among them
        first = last - (count - 1) * step
        self.first_origin = panel.offsets[:-1] + first
        self.n_windows = count
        self.n_examples = int(count.sum())
        shortest = np.where(count > 0, first + 1, context_length).min(initial=context_length)
        self.padded = bool(shortest < context_length)
        self.with_lengths = self.padded if lengths is None else lengths
        self.with_age = panel.age is not None
        n_known = panel.n_targets + len(panel.columns.past)
        self._n_aged = n_known
        self.arrays: dict[str, np.ndarray] = {
            "values": np.asarray(panel.values, np.float64),
            "starts": panel.offsets[:-1].astype(np.int64),
            "stops": panel.offsets[1:].astype(np.int64),
            "first_origin": self.first_origin.astype(np.int64),
            "windows_before": np.concatenate([[0], np.cumsum(count)])[:-1].astype(np.int64),
        }
        if panel.age is not None:
            self.arrays["age"] = panel.age
        if panel.static is not None:
            self.arrays["static"] = panel.static
        if panel.static_codes is not None:
            self.arrays["static_codes"] = panel.static_codes
        if normalize is not None:
            self.arrays["offset"] = np.asarray(offset, np.float64)
            self.arrays["scale"] = np.asarray(scale, np.float64)

    def rows(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the series and the row of the origin of windows, for the numbering outside."""
        before = self.arrays["windows_before"]
        series = np.searchsorted(before, index, side="right") - 1
        return series, self.first_origin[series] + (index - before[series]) * self.step

    def contexts(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return contexts in units, with their lengths, series and origins."""
        arrays = self.arrays
        values = arrays["values"]
        series, origin = self.rows(index)
        start = arrays["starts"][series]
        context = origin[:, None] + np.arange(1 - self.context_length, 1)
        x = values[np.maximum(context, start[:, None]) if self.padded else context]
        if self.with_age:
            seen = origin[:, None] - arrays["age"][origin].astype(np.int64)
            held = values[seen, np.arange(self._n_aged)][:, None, :]
            known = np.where(context[:, :, None] <= seen[:, None, :], x[:, :, : self._n_aged], held)
            x = np.concatenate([known, x[:, :, self._n_aged :]], -1)
        lengths = np.minimum(origin - start + 1, self.context_length)
        if self.padded:
            x = np.where((context >= start[:, None])[:, :, None], x, 0.0)
        return x, lengths, series, origin

    def space(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return center and spread of windows, float64 of shape (n, 1, n_targets) each."""
        x, lengths, _, _ = self.contexts(index)
        _, center, spread = self._moved(x, lengths)
        return center, spread

    def take(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], Any, Any]:
        """Return a batch of windows.

        Parameters
        ----------
        index : ndarray of int64 of shape (batch,)

        Returns
        -------
        inputs : dict of str to ndarray
            ``x`` (batch, context_length, n_channels), and where the model takes them ``future``
            (batch, horizon, n_future), ``lengths`` (batch,), ``static``, ``static_codes``.
        y : ndarray (batch, horizon, n_targets) or None
        weight : ndarray like y, or None
            0 where a target is not there to be learned, None where all are.
        """
        arrays = self.arrays
        values = arrays["values"]
        x, lengths, series, origin = self.contexts(index)
        if self.normalize is not None:
            x, center, spread = self._moved(x, lengths)
        x = x.astype(np.float32, copy=False)
        inputs = {"x": x if self.target_inputs else x[:, :, self.n_targets :]}
        if self.with_lengths:
            inputs["lengths"] = lengths.astype(np.int32)
        inputs |= {n: arrays[n][series] for n in ("static", "static_codes") if n in arrays}
        if not (self.with_targets or self.n_future):
            return inputs, None, None
        ahead = origin[:, None] + np.arange(1, self.horizon + 1)
        rows = np.minimum(ahead, arrays["stops"][series][:, None] - 1)
        following = values[rows]  # (batch, horizon, n_channels)
        if self.n_future:
            inputs["future"] = following[:, :, -self.n_future :].astype(np.float32)
        if not self.with_targets:
            return inputs, None, None
        y = following[:, :, : self.n_targets]
        if self.normalize is not None:
            y = (y - center) / spread
        y = y.astype(np.float32)
        if not self.with_age:
            return inputs, y, None
        return inputs, y, (arrays["age"][rows][:, :, : self.n_targets] == 0).astype(np.float32)

    def _moved(
        self, x: np.ndarray, lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert self.normalize is not None
        offset, scale = self.arrays["offset"], self.arrays["scale"]
        known = lengths if self.padded else None
        return moved_windows(x, known, self.normalize, offset, scale, self.target_inputs)

    def constant_windows(self) -> int:
        """Return how many windows do not move at all in a target, as ``standard`` sees them."""
        values, starts = self.arrays["values"], self.arrays["starts"]
        first = np.zeros(len(values), bool)
        first[starts[starts < len(values)]] = True  # a series may be empty
        constant = np.zeros(len(values), bool)
        for column in range(self.n_targets):
            constant |= constant_ends(values[:, column], first, self.context_length)
        return int(constant[self.rows(np.arange(self.n_examples))[1]].sum())


def moved_windows(
    x: np.ndarray, lengths: np.ndarray | None, kind: str, offset: np.ndarray, scale: np.ndarray,
    target_inputs: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return windows near zero, where float32 is fine, with their center and spread.

    What is taken away here the model would take away itself, so that its forecasts in normalised
    space are those of the window in units.

    Parameters
    ----------
    x : ndarray of shape (n, context_length, n_channels)
        In units; the targets come first.
    lengths : ndarray of shape (n,), or None
        Valid steps, where windows are padded.
    kind, offset, scale
        As in :func:`seqkit.network.layers.windows.window_statistics`.
    target_inputs : bool, default=True
    """
    n = len(scale)
    center, spread = window_statistics(x[:, :, :n], lengths, kind, offset, scale, NUMPY)
    if kind == "none" or not target_inputs:
        return x, center, spread
    targets = x[:, :, :n] - center
    if kind == "standard":
        targets = targets / spread
    if x.shape[-1] > n:
        targets = np.concatenate([targets, x[:, :, n:]], axis=-1)
    return targets, center, spread


def training_panel(panel: Panel, horizon: int) -> tuple[Panel, tuple[str, ...]]:
    """Leave out the series nothing can be learned from, and say which.

    A series of `horizon` steps or fewer has no origin with a horizon after it.
    """
    short = panel.lengths <= horizon
    if not short.any():
        return panel, ()
    note = (
        f"{int(short.sum())} series are not longer than the horizon of {horizon} steps and "
        f"are left out of training: {panel.named(np.flatnonzero(short))}"
    )
    if short.all():
        panel.longer_than(horizon + 1, "data", "context of at least 1 step and horizon")
    return panel.select(~short), (note,)
