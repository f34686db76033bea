"""What the recurrent part of a network reads of series, changed at will, and what it then gives.

Scaled as the layers see it, so that zero is the usual value: of labelled series the mean of the
training part (or of the series itself, where each is normalised); of a window, in its own center
and spread, a flat line at its mean (its last value with ``normalize: last``), covariates at theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.data.windows import moved_windows
from seqkit.estimators.inspection import Inspected
from seqkit.network.forecasting import THETAS
from seqkit.network.layers.base import Saved
from seqkit.network.layers.moves import Moves
from seqkit.network.layers.padding import valid_tail
from seqkit.network.layers.scaling import InverseBoxCox
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.ops import NUMPY

__all__ = ["AsRead", "Column", "ThetaRead"]

Array = np.ndarray
SERIES = (
    "with_averages", "with_differences", "with_deviations", "normalize", "standardize",
    "embedding", "moves",
)  # fmt: skip
COVARIATES = ("quiet_covariates", "standardize", "covariates")
"""Nodes, by name, of which the first that is there is read."""


@dataclass(frozen=True)
class Column:
    """A feature as it is read.

    Attributes
    ----------
    feature : str
    part : {"steps", "target", "covariates", "future", "naive", "theta"}
        What it is read as; ``naive`` is the targets again, in the forecast that a network departs
        from, ``theta`` in the one beside the networks.
    places : tuple of int
        Columns of the part: several where a feature is read as a vector.
    by : str
        The forecast of ``naive`` and ``theta``.
    """

    feature: str
    part: str
    places: tuple[int, ...]
    by: str = ""

    @property
    def name(self) -> str:
        """What an attribution calls it."""
        return f"{self.feature} by {self.by}" if self.by else self.feature


class AsRead:
    """A network of a fitted estimator, over what it reads of some series.

    Parameters
    ----------
    found : Inspected
    forecasting : bool
    slopes : bool, default=True
        Whether gradients are wanted.

    Attributes
    ----------
    parts : dict of str to ndarray of shape (n_moves * n_series, n_steps, n_columns)
        What is read, by the names of :class:`Column`; the series of a move after those of another.
    columns : list of Column
    n_moves : int
    lengths : ndarray of int of shape (n_series,)
        Valid steps of each.
    """

    def __init__(self, found: Inspected, forecasting: bool, slopes: bool = True) -> None:
        self.found, self.forecasting = found, forecasting
        flat = found.network.flat
        there = {node.name for node in flat.nodes} | {i.name for i in flat.inputs}
        self.nodes = self._nodes(there)
        self._naive: Any = None
        if forecasting:
            layers = {node.name: node.layer for node in flat.nodes}
            self._naive = layers.get("naive")
        end = found.network.trained if forecasting else found.network.output
        watched = (*self.nodes.values(), *(["naive"] if self._naive is not None else []))
        watched = watched if slopes else ()
        self.native = found.native(watched, end, moves=True)
        values = self.native.values(found.inputs, list(self.nodes.values()))
        self.parts = {part: np.asarray(values[node]) for part, node in self.nodes.items()}
        self.n_moves = len(next(iter(self.parts.values()))) // len(found)
        self.columns, self.lengths = self._columns(), np.asarray(found.lengths)

    def _nodes(self, there: set[str]) -> dict[str, str]:
        if not self.forecasting:
            return {"steps": next((name for name in SERIES if name in there), "x")}
        nodes = {"target": "normalize"} if "normalize" in there else {}
        if covariates := next((name for name in COVARIATES if name in there), ""):
            nodes["covariates"] = covariates
        if "future" in there:
            nodes["future"] = "standardize_future" if "standardize_future" in there else "future"
        return nodes

    def _columns(self) -> list[Column]:
        names, widths = self.found.features, {k: v.shape[-1] for k, v in self.parts.items()}
        if not self.forecasting:
            n, width = len(names), widths["steps"]
            if self.found.words is not None:
                return [Column("token", "steps", tuple(range(width)))]
            return [
                Column(name, "steps", tuple(range(k, width, n))) for k, name in enumerate(names)
            ]
        n_targets = widths.get("target", 0)
        columns = [Column(names[k], "target", (k,)) for k in range(n_targets)]
        for k in range(widths.get("covariates", 0)):
            columns.append(Column(names[n_targets + k], "covariates", (k,)))
        if self._naive is not None:
            departure = next(
                (name for name, kind in THETAS.items() if type(self._naive) is kind), ""
            ) or str(self._naive.kind)
            columns += [Column(names[k], "naive", (k,), departure) for k in range(n_targets)]
        n_future = widths.get("future", 0)
        for k in range(n_future):
            columns.append(Column(names[len(names) - n_future + k], "future", (k,)))
        return columns

    def forward(self, given: Mapping[str, Array]) -> Array:
        """Return what comes of parts in place of those read: probabilities, numbers, forecasts.

        Returns
        -------
        ndarray of float64 of shape (n_series, ..., n_parameters)
            Forecasts ``(n_series, horizon, n_targets, n_parameters)`` in units; the parameters are
            quantiles, or one number.
        """
        nodes = {self.nodes[part]: value for part, value in given.items()}
        out = self.native.forward(self.found.inputs, training=False, given=nodes)
        self._given, self._shape = given, out.shape
        made = self._parameters(out).astype(np.float64)
        if self.forecasting and self.found.spread is not None:
            assert self.found.center is not None
            made = self.found.center[..., None] + self.found.spread[..., None] * made
        if self.found.powers is not None:
            self._inverse = Saved()
            made = InverseBoxCox(self.found.powers).forward(NUMPY, {}, self._inverse, made)
        return made

    def _parameters(self, out: Array) -> Array:
        """Return a view of quantiles; of the mean, or the location, alone; of the one number."""
        head = self.found.objective.head
        if head == "point" or out.ndim == 1:
            return out[..., None]
        return out if head == "quantiles" else out[..., :1]

    def backward(self, d: Array) -> dict[str, Array]:
        """Return the gradient by each part, from that of what :meth:`forward` has given last.

        What goes through a forecast that the network departs from is by itself: ``naive``.
        """
        if self.found.powers is not None:
            d = InverseBoxCox(self.found.powers).backward({}, {}, self._inverse, d, (True,))[0]
        if self.forecasting and self.found.spread is not None:
            d = d * self.found.spread[..., None]
        whole = np.zeros(self._shape, np.float32)
        self._parameters(whole)[...] = d
        gradients = self.native.backward(whole)
        found = {}
        for part, node in self.nodes.items():
            gradient = gradients[node][0]
            found[part] = np.zeros_like(self.parts[part]) if gradient is None else gradient
        if self._naive is not None:
            found["naive"] = self._through_naive(gradients["naive"][0])
            found["target"] = found["target"] - found["naive"]
        return found

    def _through_naive(self, d: Array | None) -> Array:
        """Return the gradient of the targets by way of the forecast that is departed from."""
        targets = self._given["target"]
        if d is None:
            return np.zeros_like(targets)
        p, saved = self.native.weights.values["naive"], Saved()
        lengths = self.found.inputs.get("lengths")
        self._naive.forward(NUMPY, p, saved, targets, lengths)
        unused = {name: np.zeros_like(value) for name, value in p.items()}
        gradient: Array = self._naive.backward(p, unused, saved, d, (True, False))[0]
        return gradient

    def unmoved(self, part: str, values: Array) -> Array:
        """Return what belongs to the moved steps of a part where these stand in the series."""
        if self.n_moves == 1:
            return values
        node = next(n for n in self.found.network.flat.nodes if isinstance(n.layer, Moves))
        inputs, saved = self.found.inputs, Saved()
        given = inputs if isinstance(inputs, Mapping) else {"x": inputs}
        node.layer.forward(NUMPY, {}, saved, given["x"], given.get("lengths"))
        return Moves.back(values, saved["read"])


class ThetaRead:
    """The theta forecast beside a forecaster's networks, over what it reads of some windows.

    Each window is in its own center and spread, so that zero is a flat line at its mean.

    Parameters
    ----------
    found : Inspected
        Of any of the networks.

    Attributes
    ----------
    parts, columns, n_moves, lengths
        As of :class:`AsRead`; there is one part, ``theta``.
    share : float
        Of the theta forecast in the whole.
    """

    n_moves = 1

    def __init__(self, found: Inspected) -> None:
        beside = found.beside
        assert beside is not None
        self.found, self.share = found, beside.theta.combine.share
        self._layer = ThetaForecast(beside.theta.horizon, beside.theta.season)
        n = len(beside.scale)
        targets = beside.values[:, :, :n]
        moved, self._center, self._spread = moved_windows(
            targets, beside.lengths, "standard", np.zeros(n), beside.scale
        )
        self.lengths = beside.lengths.astype(np.int32)
        moved = moved * valid_tail(moved, self.lengths, NUMPY)
        self.parts = {"theta": moved.astype(np.float32)}
        self.columns = [
            Column(name, "theta", (k,), "theta") for k, name in enumerate(found.features[:n])
        ]

    def forward(self, given: Mapping[str, Array]) -> Array:
        """Return the forecasts in units, ``(n_windows, horizon, n_targets, 1)``."""
        self._saved = Saved()
        made = self._layer.forward(NUMPY, {}, self._saved, given["theta"], self.lengths)
        forecast: Array = self._center + self._spread * made.astype(np.float64)
        return forecast[..., None]

    def backward(self, d: Array) -> dict[str, Array]:
        """Return the gradient by the windows, as :meth:`AsRead.backward`."""
        d = (d[..., 0] * self._spread).astype(np.float32)
        gradient = self._layer.backward({}, {}, self._saved, d, (True, False))[0]
        assert gradient is not None
        return {"theta": gradient}

    def unmoved(self, part: str, values: Array) -> Array:
        """Return values as they are: nothing moves them."""
        return values
