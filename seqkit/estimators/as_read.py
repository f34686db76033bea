"""What the recurrent part of a network reads of series, changed at will, and what it then answers.

Scaled as the layers see it, so that zero is the usual value: of labelled series the mean of the
training part (or of the series itself, where each is normalised); of a window, in its own center
and spread, a flat line at its mean (its last value with ``normalize: last``), covariates at theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqkit.errors import explain
from seqkit.estimators.inspection import Inspected
from seqkit.network.layers.base import Saved
from seqkit.network.layers.moves import Moves
from seqkit.network.layers.theta import ThetaForecast
from seqkit.network.ops import NUMPY

__all__ = ["AsRead", "Column"]

Array = np.ndarray
SERIES = ("with_deviations", "normalize", "standardize", "embedding", "moves")
COVARIATES = ("quiet_covariates", "standardize", "covariates")
"""Nodes, by name, of which the first that is there is read."""


@dataclass(frozen=True)
class Column:
    """A feature as it is read.

    Attributes
    ----------
    name : str
    part : {"steps", "target", "covariates", "future"}
    places : tuple of int
        Columns of the part: several where a feature is read as a vector.
    """

    name: str
    part: str
    places: tuple[int, ...]


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

    Raises
    ------
    ValueError
        If gradients are wanted of a network that departs from a theta forecast.
    """

    def __init__(self, found: Inspected, forecasting: bool, slopes: bool = True) -> None:
        self.found, self.forecasting = found, forecasting
        flat = found.network.flat
        there = {node.name for node in flat.nodes} | {i.name for i in flat.inputs}
        if slopes and any(isinstance(node.layer, ThetaForecast) for node in flat.nodes):
            expected = "none, last or seasonal_naive: a theta forecast has no gradient here"
            hint = "Importance by permutation is for any."
            raise ValueError(
                explain("attribution", "departure_from", expected, "a theta forecast", hint)
            )
        self.nodes = self._nodes(there)
        end = found.network.trained if forecasting else found.network.output
        watched = tuple(self.nodes.values()) if slopes else ()
        self.native = found.native(watched, end, moves=True)
        values = self.native.values(found.inputs, list(self.nodes.values()))
        self.parts = {part: np.asarray(values[node]) for part, node in self.nodes.items()}
        self.n_moves = len(next(iter(self.parts.values()))) // len(found)
        self.columns = self._columns()

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
        n_future = widths.get("future", 0)
        for k in range(n_future):
            columns.append(Column(names[len(names) - n_future + k], "future", (k,)))
        return columns

    def answer(self, given: Mapping[str, Array]) -> Array:
        """Return the answers for parts in place of those read: probabilities, numbers, forecasts.

        Points only, ``(n_series, ...)``; forecasts ``(n_series, horizon, n_targets)`` in units.
        """
        out = self._raw(given)
        if self.forecasting and self.found.spread is not None:
            out = self.found.center + self.found.spread * out
        return out

    def _raw(self, given: Mapping[str, Array]) -> Array:
        nodes = {self.nodes[part]: value for part, value in given.items()}
        out = self.native.forward(self.found.inputs, training=False, given=nodes)
        return out[..., self._middle(out)].astype(np.float64) if self._many(out) else out

    def _many(self, out: Array) -> bool:
        """Whether an answer has several numbers where one is the point."""
        return self.found.objective.head != "point" and out.ndim > 1

    def _middle(self, out: Array) -> int:
        return out.shape[-1] // 2 if self.found.objective.head == "quantiles" else 0

    def slopes(self, given: Mapping[str, Array], weights: Array) -> tuple[Array, dict[str, Array]]:
        """Return the answers, and the gradient by each part of the sum of answers by `weights`.

        Parameters
        ----------
        given : mapping of str to ndarray
        weights : ndarray
            Of the shape of one answer.
        """
        nodes = {self.nodes[part]: value for part, value in given.items()}
        out = self.native.forward(self.found.inputs, training=False, given=nodes)
        d = np.zeros(out.shape, np.float32)
        point, scale = out, np.ones(1)
        if self._many(out):
            point, d_point = out[..., self._middle(out)], d[..., self._middle(out)]
        else:
            d_point = d
        if self.forecasting and self.found.spread is not None:
            scale = self.found.spread
            point = self.found.center + scale * point
        d_point[...] = weights * scale
        gradients = self.native.backward(d)
        found = {}
        for part, node in self.nodes.items():
            gradient = gradients[node][0]
            found[part] = np.zeros_like(self.parts[part]) if gradient is None else gradient
        return point, found

    def unmoved(self, part: str, values: Array) -> Array:
        """Return what belongs to the moved steps of a part where these stand in the series."""
        if self.n_moves == 1:
            return values
        node = next(n for n in self.found.network.flat.nodes if isinstance(n.layer, Moves))
        inputs, saved = self.found.inputs, Saved()
        given = inputs if isinstance(inputs, Mapping) else {"x": inputs}
        node.layer.forward(NUMPY, {}, saved, given["x"], given.get("lengths"))
        return Moves.back(values, saved["read"])
