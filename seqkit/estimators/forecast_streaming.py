"""Forecasts after every observation, each from the last window of its stream.

A forecaster normalises each window by its own statistics, so that no state of a network can be
carried on: a stream holds rows, and the networks read the window again. What is made of the fit is
made once; where no value of the window is missing nothing but the networks and their normalising is
computed (``Networks.of_windows``), and else the rows are filled as those of any series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqkit.data.futures import future_steps
from seqkit.data.missing import LARGEST
from seqkit.data.panel import Panel
from seqkit.data.rows import Rows
from seqkit.errors import explain
from seqkit.estimators.streaming import Answer, BaseStream, chosen_streams

if TYPE_CHECKING:
    from seqkit.estimators.forecast_running import Networks
    from seqkit.network.streams import StreamState

__all__ = ["ForecastStream"]


class ForecastStream(BaseStream):
    """Streams of observations before a fitted forecaster: each push forecasts from the last window.

    Made by :meth:`SequenceForecaster.stream`. It keeps the weights of the fit: what is done to the
    estimator afterwards does not reach it. One thread at a time may push.

    Attributes
    ----------
    n_streams, n_features : int
    """

    _n_seen: np.ndarray
    _rows: np.ndarray  # (n_streams, some, n_channels): what has been seen ends at `_end`
    _begin: np.ndarray  # of what is held of each stream; zeros before it
    _end: int

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
        self._order = np.array(order)
        self._n_unseen = 0 if reader.target_inputs else len(reader.targets)
        self._n_targets = len(columns.targets)
        n_known = self._n_targets + len(columns.past)
        # with an indicator masks stand behind the channels that they are of
        masks = n_known if missing == "indicator" else 0
        self._places = np.arange(len(names)) + masks * (np.arange(len(names)) >= n_known)
        self._columns = replace(columns, time=None, clock=None)
        self._n_channels = len(columns.channels)
        self._n_future = len(columns.future_channels)
        self._networks: Networks = estimator._networks
        self._native = self._networks.native()
        self._context, self._window = max(self._networks.contexts), self._networks.window
        self._point = estimator._head[0].mean if estimator._head[0].name != "point" else None
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
        if type(x) is not np.ndarray or x.shape not in self._shapes or x.dtype.kind not in "fiu":
            x = self._as_numbers(x)
        is_one = self.n_streams == 1 and x.ndim == 1
        array = x.reshape(self.n_streams, self.n_features).astype(np.float64)
        if not (np.abs(array) <= LARGEST).all():  # also where there is NaN
            gaps = np.isnan(array)
            refused = gaps & (self._n_seen == 0)[:, None] if self.fills else gaps
            if (refused | ~gaps & ~(np.abs(array) <= LARGEST)).any():
                self._refuse(array, self._n_seen)
        if self._n_unseen:  # the targets' own past is no input
            array = np.concatenate([np.zeros((len(array), self._n_unseen)), array], 1)
        if self._end == self._rows.shape[1]:
            self._hold(self._held())
        self._rows[:, self._end, self._places] = array[:, self._order]
        lengths = self._end + 1 - self._begin
        ready = lengths >= self._context
        answer = None
        if ready.all():
            answer = self._forecast(slice(None), lengths, future)
        elif ready.any():
            made = self._forecast(ready, lengths[ready], future)
            answer = np.full((self.n_streams, *made.shape[1:]), np.nan)
            answer[ready] = made
        self._end += 1  # nothing has failed
        self._n_seen += 1
        return answer if answer is None or not is_one else answer[0]

    def _forecast(self, which: Any, lengths: np.ndarray, future: Any) -> np.ndarray:
        """Return the forecasts of streams that have a full context, of which so much is held."""
        windows = self._rows[which, self._end + 1 - self._window : self._end + 1]
        networks, n, ahead, prediction = self._networks, len(lengths), None, None
        if future is not None and np.ndim(future) == 3:
            future = np.asarray(future)[which]
        if self._native is not None and not self._is_special(windows):
            if self._n_future or future is not None:
                blank = np.zeros((n, self._n_channels)), np.arange(n + 1), np.arange(n)
                ahead = future_steps(Panel(*blank, None, self._columns), networks.horizon, future)
                ahead = ahead[:, :, self._n_channels - self._n_future :]
            there = np.minimum(lengths, self._window)
            prediction = networks.of_windows(self._native, windows, there, ahead)
        if prediction is None:
            series = self._series(which, lengths)
            prediction = networks.after_end(series, future_steps(series, networks.horizon, future))
        point = prediction if self._point is None else self._point(prediction)
        return point[:, :, 0] if self._n_targets == 1 else point

    def _is_special(self, windows: np.ndarray) -> bool:
        """Return whether windows must be read as series are: for what is missing, or refused."""
        if self.fills and np.isnan(windows).any():
            return True
        if self._networks.powers is None:
            return False
        return not (windows[:, -self._context :, : self._n_targets] > 0).all()

    def _series(self, which: Any, lengths: np.ndarray) -> Panel:
        """Return what is held of streams as series, their gaps filled."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = self._rows[which][:, :, self._places]
        values = [
            own[self._end + 1 - n : self._end + 1] for own, n in zip(rows, lengths, strict=True)
        ]
        where, n = f"{self.owner}.push", len(lengths)
        series = Rows(
            np.concatenate(values), offsets, np.arange(n), None, self._columns, where=where
        )
        return series.panel().tail(self._window)

    def _held(self) -> list[np.ndarray]:
        """Return the rows of each stream that a later answer may need."""
        held = self._rows[:, : self._end, self._places]
        return [
            _kept(own[begin:], self._window) for own, begin in zip(held, self._begin, strict=True)
        ]

    def _hold(self, held: Sequence[np.ndarray]) -> None:
        """Let rows be those that are held, with room for as many again."""
        most = max(self._window, *(len(rows) for rows in held))
        self._rows = np.zeros((self.n_streams, 2 * most, self._n_channels))
        self._end, self._begin = most, np.array([most - len(rows) for rows in held])
        for own, begin, rows in zip(self._rows, self._begin, held, strict=True):
            own[begin:most, self._places] = rows

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

        held = self._held()
        most = max(len(rows) for rows in held)
        values = np.full((self.n_streams, most, len(self._order)), np.nan)
        for own, rows in zip(values, held, strict=True):
            own[most - len(rows) :] = rows
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
        self._hold([
            own[np.argmax(~np.isnan(own).all(1)) if n else len(own) :]
            for own, n in zip(given.values, given.n_seen, strict=True)
        ])  # fmt: skip

    def reset(self, which: Any = None) -> None:
        """Let streams begin anew.

        Parameters
        ----------
        which : int, or sequence of int or bool, default=None
            Of the streams; None = all.
        """
        if which is None:
            self._n_seen = np.zeros(self.n_streams, np.int64)
            self._hold([np.empty((0, len(self._order)))] * self.n_streams)
            return
        for k in chosen_streams(self.owner, which, self.n_streams):
            self._rows[k], self._begin[k], self._n_seen[k] = 0, self._end, 0


def _kept(rows: np.ndarray, window: int) -> np.ndarray:
    """Return the last rows, and before them those from which a gap is filled that they begin in."""
    begin = len(rows) - window + 1  # one more will come
    if begin <= 0:
        return rows
    there = ~np.isnan(rows[begin::-1])
    return rows[begin - int(there.argmax(axis=0).max()) :]
