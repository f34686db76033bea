"""Weights of time steps in a forecaster's loss, and series to validate on that are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from seqkit.data.frames import panel_from_frame
from seqkit.data.panel import Panel
from seqkit.data.windows import WindowSource
from seqkit.errors import DataError, explain
from seqkit.estimators.forecast_frames import with_columns
from seqkit.estimators.forecast_reading import ForecastReader

__all__ = ["WeightedWindows", "weight_panel", "weighted"]


def weight_panel(sample_weight: Any, X: Any, panel: Panel, reader: ForecastReader) -> Panel:
    """Return weights as a panel of one channel, row by row beside that of the values.

    So they are cut and selected as the values are.

    Parameters
    ----------
    sample_weight : array-like
        Of shape (n_timesteps,), a weight a row of `X`; where `X` is a collection of series, a
        weight a series or an array a series.
    X : as in fit
    panel : Panel
        What was read of `X`.
    reader : ForecastReader
    """
    if not isinstance(sample_weight, (list, tuple)):
        sample_weight = np.asarray(sample_weight)
    if not reader.arrays:
        weights = _of_a_frame(sample_weight, X, panel)
    elif panel.columns.series_id is None:
        weights = _checked(sample_weight, len(panel.values))
    elif not _by_step(sample_weight):
        weights = np.repeat(_checked(sample_weight, len(panel)), panel.lengths)
    else:
        if len(sample_weight) != len(panel):
            expected = f"{len(panel)} arrays, one a series"
            raise DataError(explain(reader.owner, "sample_weight", expected, len(sample_weight)))
        weights = np.concatenate(
            [
                _checked(one, n, f"sample_weight[{i}]")
                for i, (one, n) in enumerate(zip(sample_weight, panel.lengths, strict=True))
            ]
        )
    if not (weights > 0).any():
        raise DataError(
            f"{reader.owner}: sample_weight must be above 0 for a time step at least. Sample "
            "weights must contain at least one non-zero number."
        )
    return dataclasses.replace(panel, values=weights[:, None], age=None)


def _by_step(sample_weight: Any) -> bool:
    """Whether there is an array of weights for each series, and not a number."""
    if isinstance(sample_weight, np.ndarray) and sample_weight.dtype != object:
        return sample_weight.ndim > 1
    return any(np.ndim(one) for one in sample_weight)


def _checked(sample_weight: Any, n: int, what: str = "sample_weight") -> np.ndarray:
    """Return weights as numbers; all of them may be 0, as those of one series among several."""
    weight: np.ndarray = check_array(
        np.atleast_1d(sample_weight), ensure_2d=False, dtype=np.float64, input_name=what
    )
    if weight.shape != (n,):
        raise DataError(explain("fit", what, f"of shape {(n,)}", weight.shape))
    if (weight < 0).any():
        raise DataError(explain("fit", what, "0 or more everywhere", float(weight.min())))
    return weight


def _of_a_frame(sample_weight: Any, X: Any, panel: Panel) -> np.ndarray:
    """Read the weights as a column of the frame, so that they are ordered and filled as it is."""
    name, columns = "sample_weight", panel.columns
    while name in X.columns if hasattr(X, "columns") else False:
        name += "_"
    given = _checked(sample_weight, len(X))
    read = panel_from_frame(
        with_columns(X, given, [name], "sample_weight"),
        series_id=columns.series_id,
        time=columns.time,
        target=name,
        frequency=panel.frequency,
        missing="interpolate",
    )
    return read.values[:, 0]


def weighted(source: Any, weights: Panel | None) -> Any:
    """Return windows with the weights of their rows, where there are any."""
    return source if source is None or weights is None else WeightedWindows(source, weights)


class WeightedWindows:
    """Windows of a panel whose targets have weights (a ``training.Source``).

    Parameters
    ----------
    source : WindowSource
    weights : Panel
        A weight for each row of the source's panel.
    """

    def __init__(self, source: WindowSource, weights: Panel) -> None:
        self.source = source
        self.n_examples = source.n_examples
        self.row_weight = weights.values[:, 0].astype(np.float32)

    def __getattr__(self, name: str) -> Any:
        if name == "source":  # while it is unpickled there is none
            raise AttributeError(name)
        return getattr(self.source, name)

    def take(self, index: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return the windows as arrays; a weight for each target of each step."""
        inputs, y, observed = self.source.take(index)
        ahead = self.source.rows(index)[1][:, None] + np.arange(1, self.source.horizon + 1)
        weight = self.row_weight[ahead][:, :, None]
        weight = np.broadcast_to(weight, y.shape) if observed is None else weight * observed
        return inputs, y, np.ascontiguousarray(weight, np.float32)
