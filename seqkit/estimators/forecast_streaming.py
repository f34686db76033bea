"""Forecasts after every observation, each from the last window of its stream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqkit.data.missing import LARGEST
from seqkit.data.rows import Rows
from seqkit.errors import explain
from seqkit.estimators.forecast_reading import Reading
from seqkit.estimators.streaming import Answer, BaseStream, chosen_streams

if TYPE_CHECKING:
    from seqkit.network.streams import StreamState

__all__ = ["ForecastStream"]


class ForecastStream(BaseStream):
    """Streams of observations before a fitted forecaster: each push forecasts from the last window.

    Made by :meth:`SequenceForecaster.stream`.

    Attributes
    ----------
    n_streams, n_features : int
    """

    _n_seen: np.ndarray
    _rows: list[np.ndarray]

    def __init__(self, estimator: Any, n_streams: int) -> None:
        from seqkit.network.streams import stream_digest  # brings in Numba

        owner = f"{type(estimator).__name__}.stream"
        check_is_fitted(estimator)
        reader = estimator._reader
        columns = reader.columns
        for name, given in (
            ("static_covariates", columns.static), ("calendar", columns.calendar)
        ):  # fmt: skip
            if given:
                expected = "left out: an observation is numbers, of a series without name or stamp"
                hint = "Forecast with forecast(X), or fit without."
                raise ValueError(explain(owner, name, expected, given, hint))
        names = columns.series
        n_features, order = len(names), list(range(len(names)))
        if reader.arrays:
            n_features = reader.n_features
            order = [*reader.targets, *reader.future]
            order[len(reader.targets) : len(reader.targets)] = [
                k for k in range(len(names)) if k not in order
            ]
        missing = columns.missing
        super().__init__(owner, n_streams, n_features, missing, missing != "error")
        self._estimator, self._reader, self._order = estimator, reader, order
        self._columns = replace(columns, time=None, clock=None)
        self._context, self._window = max(estimator._contexts), estimator._window
        self._network = stream_digest(repr(estimator._settings_kept()), estimator.weights_)
        self.reset()

    def push(self, x: npt.ArrayLike, future: npt.ArrayLike | None = None) -> Answer:
        """Take the next observation of every stream, and forecast what follows it.

        The forecast is that of `predict` at its last row, for a series of what has been pushed.

        Parameters
        ----------
        x : array-like of shape (n_features,) or (n_streams, n_features)
            As a row of what was fitted on; of a frame its targets, past and future covariates, in
            this order. Of one feature also a number, or one for each stream.
        future : array-like of shape (horizon, n_future) or (n_streams, horizon, n_future), \
default=None
            Future covariates over the horizon, where the model has some.

        Returns
        -------
        ndarray of shape (horizon,) or (horizon, n_targets), with an axis of streams where `x` has \
one; or None
            In units. None until there is a full context, and NaN in the row of a stream that others
            are ahead of.

        Raises
        ------
        ValueError, TypeError
            If an observation is not what it must be; the streams are then as they were.
        """
        given = self._as_numbers(x)
        is_one = self.n_streams == 1 and given.ndim == 1
        array = given.astype(np.float64).reshape(self.n_streams, self.n_features)
        gaps = np.isnan(array)
        refused = gaps & (self._n_seen == 0)[:, None] if self.fills else gaps
        if (refused | ~gaps & ~(np.abs(array) <= LARGEST)).any():
            self._refuse(array, self._n_seen)
        if not self._reader.target_inputs:  # their own past is no input
            array = np.concatenate([np.zeros((len(array), len(self._reader.targets))), array], 1)
        new = array[:, self._order]
        rows = [np.append(held, row[None], 0) for held, row in zip(self._rows, new, strict=True)]
        ready = np.array([len(held) >= self._context for held in rows])
        answer = self._forecast(rows, ready, future) if ready.any() else None
        self._rows = [_kept(held, self._window) for held in rows]
        self._n_seen += 1
        return answer if answer is None or not is_one else answer[0]

    def _forecast(self, rows: list[np.ndarray], ready: np.ndarray, future: Any) -> np.ndarray:
        """Return the forecasts of the streams that have a full context, NaN for the others."""
        chosen = [held for held, is_ready in zip(rows, ready, strict=True) if is_ready]
        offsets = np.concatenate([[0], np.cumsum([len(held) for held in chosen])])
        series = Rows(
            np.concatenate(chosen), offsets, np.arange(len(chosen)), None, self._columns,
            where=f"{self.owner}.push",
        )  # fmt: skip
        if future is not None and np.ndim(future) == 3:
            future = np.asarray(future)[ready]
        reading = Reading(self._reader, series, series.panel())
        point = self._estimator._point(self._estimator._forecast(reading, None, future)[0])
        answer: np.ndarray = np.full((self.n_streams, *point.shape[1:]), np.nan)
        answer[ready] = point
        return answer[:, :, 0] if answer.shape[2] == 1 else answer

    @property
    def n_seen(self) -> np.ndarray:
        """Observations of each stream so far."""
        return self._n_seen.copy()

    @property
    def state(self) -> StreamState:
        """The last observations of every stream: a copy, which pickles; set, it goes on.

        Raises
        ------
        ValueError, TypeError
            When set to one of another model, or of another number of streams.
        """
        from seqkit.network.streams import StreamState

        most = max(len(held) for held in self._rows)
        values = np.full((self.n_streams, most, len(self._order)), np.nan)
        for own, held in zip(values, self._rows, strict=True):
            own[most - len(held) :] = held
        return StreamState(self._network, self._n_seen.copy(), values)

    @state.setter
    def state(self, given: StreamState) -> None:
        from seqkit.network.streams import check_state

        width = len(self._order)
        check_state(given, self._network, self.n_streams)
        if given.values.ndim != 3 or given.values.shape[2] != width:
            expected = f"of {width} values an observation"
            raise ValueError(explain(self.owner, "state", expected, np.shape(given.values)))
        self._n_seen = given.n_seen.copy()
        # what pads at the front has no value at all, an observation has one
        self._rows = [
            own[np.argmax(~np.isnan(own).all(1)) if n else len(own) :].copy()
            for own, n in zip(given.values, given.n_seen, strict=True)
        ]

    def reset(self, which: Any = None) -> None:
        """Let streams begin anew.

        Parameters
        ----------
        which : int, or sequence of int or bool, default=None
            Of the streams; None = all.
        """
        empty = np.empty((0, len(self._order)))
        if which is None:
            self._rows, self._n_seen = [empty] * self.n_streams, np.zeros(self.n_streams, np.int64)
            return
        for k in chosen_streams(self.owner, which, self.n_streams):
            self._rows[k], self._n_seen[k] = empty, 0


def _kept(rows: np.ndarray, window: int) -> np.ndarray:
    """Return the last rows, and before them those from which a gap is filled that they begin in."""
    begin = len(rows) - window + 1  # one more will come
    if begin <= 0:
        return rows
    there = ~np.isnan(rows[begin::-1])
    return rows[begin - int(there.argmax(axis=0).max()) :]
