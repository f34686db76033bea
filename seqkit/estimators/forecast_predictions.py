"""What a fitted forecaster predicts: by origin, after the end, quantiles, paths and a score."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from seqkit.auto import AUTO
from seqkit.data.futures import future_steps
from seqkit.data.panel import Panel
from seqkit.errors import DataError, explain
from seqkit.estimators.base import BaseSequenceEstimator
from seqkit.estimators.forecast_combining import SHARE, ThetaBeside
from seqkit.estimators.forecast_reading import (
    FRAME_SETTINGS,
    ForecastReader,
    Reading,
    read_series,
)
from seqkit.estimators.forecast_running import Networks, pooled_r2
from seqkit.estimators.forecast_streaming import ForecastStream
from seqkit.estimators.inputs import Covariates, RandomState, SeriesInput
from seqkit.estimators.members import seed_of
from seqkit.network.heads import Head, head_of

__all__ = ["BY_DATA", "ForecastPredictions"]

BY_DATA = ("context_length", "horizon", "season")
"""Settings that may be auto, and that a network and its forecasts depend on."""


class ForecastPredictions(BaseSequenceEstimator):
    """The predicting half of a forecaster; the fitting half is the subclass."""

    auto_: dict[str, Any]
    _window_offset_: np.ndarray
    _window_scale_: np.ndarray
    _powers_: np.ndarray

    @property
    def _reader(self) -> ForecastReader:
        return ForecastReader.from_dict(self._reader_)

    def _reading(self, X: Any, y: Any = None, *, fitted: bool = True) -> Reading:
        """Read series once, for whatever the estimator is to predict of them.

        Parameters
        ----------
        X, y : as in fit, or a Reading
        fitted : bool, default=True
            Whether to read them as those of the fit, or by the settings.
        """
        if isinstance(X, Reading):
            return X
        if fitted:
            return self._reader.reading(X, y)
        names = ("target", "past_covariates", "future_covariates", "missing", *FRAME_SETTINGS)
        settings = {name: getattr(self, name) for name in names}
        return read_series(X, y, owner=type(self).__name__, **settings)

    @property
    def _fitted(self) -> SimpleNamespace:
        """The settings of the fit, with what the data have decided of those that are auto."""
        kept, chosen = self._settings_kept(), getattr(self, "auto_", {})
        auto = [name for name in BY_DATA if isinstance(kept[name], str) and name in chosen]
        return SimpleNamespace(**kept | {name: chosen[name] for name in auto})

    @property
    def _contexts(self) -> tuple[int, ...]:
        """Context length of every network of the ensemble."""
        given = self._fitted.context_length
        lengths = tuple(int(c) for c in given) if np.ndim(given) else (int(given),)
        n = max(self._fitted.ensemble, len(lengths))
        return tuple(lengths[i % len(lengths)] for i in range(n))

    @property
    def _head(self) -> tuple[Head, tuple[float, ...], int]:
        return head_of(self._fitted.quantiles, self._fitted.distribution, type(self).__name__)

    @property
    def _networks(self) -> Networks:
        check_is_fitted(self)
        return self._kept("networks", self._described_networks)

    def _described_networks(self) -> Networks:
        head, _, n_parameters = self._head
        return Networks(
            self._contexts,
            functools.cache(self._member),
            self._member_weights(),
            self._fitted.horizon,
            () if head.name == "point" else (n_parameters,),
            self._variable_length_,
            self._reader.target_inputs,
            None if head.counts else self._normalize,
            head.name,
            *self._window_space(),
            self._fitted.target_transform,
            self._powers,
            self._theta,
        )

    @property
    def _powers(self) -> tuple[float, ...] | None:
        """The power of each target that the networks see, 0 for a logarithm; None: the values."""
        if self._fitted.target_transform == "none":
            return None
        return tuple(float(power) for power in self._powers_)

    @property
    def _combination(self) -> str:
        """What the networks' forecasts are combined with."""
        given = self._fitted.combine_with
        # of a model saved by an earlier version nothing was chosen
        chosen = getattr(self, "auto_", {})
        return str(chosen.get("combine_with", "none")) if given == AUTO else given

    @property
    def _theta(self) -> ThetaBeside | None:
        """The theta forecast beside the networks."""
        if self._combination == "none":
            return None
        head, levels, _ = self._head
        fitted = self._fitted
        return ThetaBeside.of(
            head,
            levels,
            max(self._contexts),
            fitted.horizon,
            fitted.season,
            getattr(self, "_share_", SHARE),
        )

    @property
    def _window(self) -> int:
        """Most steps of the past that a forecast sees."""
        theta = self._theta
        return max(self._contexts) if theta is None else theta.window

    def _window_space(self) -> tuple[np.ndarray, np.ndarray]:
        """Offset and scale of the targets' training part, in float64."""
        if not hasattr(self, "_window_offset_"):  # of a model saved by an earlier version
            first = self._build().members[0].network.weights
            saved = {w.path: value for w, value in zip(first, self.weights_, strict=False)}
            return saved["window/offset"].astype(float), saved["window/scale"].astype(float)
        return self._window_offset_, self._window_scale_

    def _sync_scaling(self, weights: Mapping[str, list[np.ndarray]]) -> None:
        present = dict(zip(("window/offset", "window/scale"), self._window_space(), strict=True))
        for path, before in present.items():
            given = weights[path]
            if not all(np.array_equal(given[0], other) for other in given):
                raise ValueError(
                    explain(f"{type(self).__name__}.set_weights", path,
                            "the same in all networks of an ensemble", given)
                )  # fmt: skip
            if not np.array_equal(before.astype(np.float32), given[0]):
                present[path] = given[0].astype(np.float64)
        self._window_offset_, self._window_scale_ = present.values()

    @property
    def _normalize(self) -> str:
        return self._fitted.normalize if self._reader.target_inputs else "none"

    def _member(self, context: int, variable_length: bool) -> Any:
        """Return what builds a network of the ensemble."""
        raise NotImplementedError

    def predict(self, X: Any) -> np.ndarray | list[np.ndarray] | pd.DataFrame:
        """Forecast from every row: row t holds the forecast made at t for t+1 ... t+horizon.

        Parameters
        ----------
        X : as in fit

        Returns
        -------
        ndarray of shape (n_timesteps, horizon) or (n_timesteps, horizon, n_targets)
            In units; the median with quantiles, the location or mean with a distribution. Rows
            without a full context are NaN, and so are rows whose horizon reaches past the end
            where the model needs future covariates. For several series a list of these. For a
            frame a frame: the origin's id and stamp, then ``{target}+1`` ... ``{target}+h``.
        """
        networks, reader = self._networks, self._reader
        panel = reader.read(X)
        point = self._point(networks.by_origin(panel))
        if not reader.arrays:
            frame = {}
            if panel.columns.series_id is not None:
                frame[panel.columns.series_id] = panel.ids[panel.rows_of_series]
            if panel.columns.time is not None:
                frame[panel.columns.time] = panel.stamps()
            for k, name in enumerate(panel.columns.targets):
                for h in range(self._fitted.horizon):
                    frame[f"{name}+{h + 1}"] = point[:, h, k]
            return pd.DataFrame(frame)
        if panel.n_targets == 1:
            point = point[:, :, 0]
        return np.split(point, panel.offsets[1:-1]) if len(panel) > 1 else point

    def predict_quantiles(
        self, X: SeriesInput, levels: Sequence[float] | None = None
    ) -> np.ndarray:
        """Forecast quantiles from every row, ``(n_timesteps, horizon, n_targets, n_levels)``.

        Parameters
        ----------
        X : as in predict
        levels : sequence of float, default=None
            For a model with a distribution any levels; with quantiles its own.
        """
        networks = self._networks
        return self._quantiles(networks.by_origin(self._reader.read(X)), levels)

    def forecast(
        self, X: Any = None, horizon: int | None = None, future: Any = None
    ) -> np.ndarray | pd.DataFrame:
        """Forecast what comes after the end of every series.

        Parameters
        ----------
        X : as in fit, default=None
            Series to go on with, also ones never seen; default: those of the fit.
        horizon : int, default=None
            Steps; default: as trained. Fewer are cut off; for more the model goes on from its own
            forecasts (of quantiles and distributions the median is fed back, so their spread does
            not widen further).
        future : data frame or array, default=None
            Future covariates over the horizon.

        Returns
        -------
        ndarray of shape (horizon,) or (horizon, n_targets); with several series one more axis
            For arrays.
        pandas.DataFrame
            For frames: id, time stamp, a column for each target and, with quantiles, columns
            ``{target}_q{level}``.
        """
        prediction, panel = self._forecast(X, horizon, future)
        if not self._reader.arrays:
            return self._frame_of(prediction, panel)
        point = self._point(prediction)  # (n_series, horizon, n_targets)
        if self._reader.flat:
            point = point[:, :, 0]
        return point if panel.columns.series_id is not None else point[0]

    def _frame_of(self, prediction: np.ndarray, panel: Panel) -> pd.DataFrame:
        """Return a forecast after the end of a panel as a frame."""
        point = self._point(prediction)
        frame = panel.future_frame(point.shape[1])
        for k, name in enumerate(panel.columns.targets):
            frame[name] = point[:, :, k].ravel()
            for q, level in enumerate(self._head[1]):
                frame[f"{name}_q{level:g}"] = prediction[:, :, k, q].ravel()
        return frame

    def forecast_quantiles(
        self,
        X: SeriesInput | None = None,
        horizon: int | None = None,
        future: Covariates = None,
        levels: Sequence[float] | None = None,
    ) -> np.ndarray:
        """Quantiles after the end, ``(horizon, n_targets, n_levels)`` (several series: one more).

        Parameters
        ----------
        X, horizon, future : as in forecast
        levels : sequence of float, default=None
            For a model with a distribution any levels; with quantiles its own.
        """
        prediction, panel = self._forecast(X, horizon, future)
        quantiles = self._quantiles(prediction, levels)
        return quantiles if panel.columns.series_id is not None else quantiles[0]

    def sample(
        self,
        X: SeriesInput | None = None,
        horizon: int | None = None,
        future: Covariates = None,
        *,
        n_paths: int = 100,
        random_state: RandomState = None,
    ) -> np.ndarray:
        """Draw paths from the forecast distribution.

        Within the trained horizon the steps of a path are drawn independently; each block after
        it is forecast from the path itself, so that the spread goes on growing.

        Returns
        -------
        ndarray of shape (n_paths, horizon, n_targets); with several series \
(n_paths, n_series, horizon, n_targets)
        """
        check_is_fitted(self)
        head = self._head[0]
        if self._fitted.distribution is None:
            raise ValueError(
                explain(type(self).__name__, "distribution", "set to draw paths", None)
            )
        rng = np.random.default_rng(seed_of(random_state))
        panel = self._panel(X)
        n_series = len(panel)
        every = panel.select(np.tile(np.arange(n_series), n_paths))
        n_steps = self._horizon(horizon)
        if n_steps > self._fitted.horizon:
            draw = lambda prediction: head.sample(prediction, rng, 1)[0]  # noqa: E731
            steps = np.tile(self._steps(panel, n_steps, future), (n_paths, 1, 1))
            drawn = self._networks.blocks(every, n_steps, steps, draw)[1]
        else:
            prediction = self._forecast(X, n_steps, future)[0]
            drawn = head.sample(prediction, rng, n_paths).reshape(-1, *prediction.shape[1:-1])
        drawn = drawn.reshape(n_paths, n_series, *drawn.shape[1:])
        return drawn if panel.columns.series_id is not None else drawn[:, 0]

    def stream(self, n_streams: int = 1) -> ForecastStream:
        """Return streams that forecast after every observation, from the last window of each.

        Parameters
        ----------
        n_streams : int, default=1
            Series that go on side by side, each for itself.

        Returns
        -------
        seqkit.estimators.streaming.ForecastStream

        Raises
        ------
        ValueError
            If the model has static covariates or a calendar: an observation is numbers alone.

        Examples
        --------
        >>> from seqkit import SequenceForecaster
        >>> wave = 10 + np.sin(np.arange(120) * 2 * np.pi / 20)
        >>> model = SequenceForecaster(context_length=40, horizon=10, units=8, epochs=2,
        ...                            random_state=0).fit(wave)
        >>> stream = model.stream()
        >>> forecasts = [stream.push(x) for x in wave]
        >>> forecasts[38] is None, bool(np.allclose(forecasts[-1], model.forecast(wave)))
        (True, True)
        """
        return ForecastStream(self, n_streams)

    def _panel(self, X: Any) -> Panel:
        if X is None:
            panel = Panel(columns=self._reader.columns, **self._tail_)
        else:
            panel = self._reader.read(X)
        return panel.tail(self._window)

    def _horizon(self, horizon: int | None) -> int:
        if horizon is None:
            fitted: int = self._fitted.horizon
            return fitted
        if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
            raise ValueError(explain("forecast", "horizon", "a positive integer", horizon))
        return int(horizon)

    def _steps(self, panel: Panel, n_steps: int, future: Any) -> np.ndarray:
        """The rows ahead of a panel, in whole blocks of the trained horizon."""
        columns = panel.columns
        if n_steps > self._fitted.horizon and (columns.past or not self._reader.target_inputs):
            raise DataError(
                explain(
                    "forecast", "horizon",
                    f"at most {self._fitted.horizon}, as trained: what the past covariates will be "
                    "is not known", n_steps,
                )
            )  # fmt: skip
        whole = n_steps + -n_steps % self._fitted.horizon
        # covariates are needed no further than the forecast goes; the calendar is known
        steps = future_steps(panel, n_steps if columns.future else whole, future)
        rest = whole - steps.shape[1]
        return np.concatenate([steps, np.repeat(steps[:, -1:], rest, axis=1)], axis=1)

    def _forecast(self, X: Any, horizon: int | None, future: Any) -> tuple[np.ndarray, Panel]:
        networks = self._networks
        n_steps = self._horizon(horizon)
        panel = self._panel(X)
        steps = self._steps(panel, n_steps, future)
        return networks.blocks(panel, n_steps, steps, self._point)[0], panel

    def _forecast_within(
        self,
        panel: Panel,
        series: np.ndarray,
        stop: np.ndarray,
        n_steps: int,
        networks: Networks | None = None,
    ) -> np.ndarray:
        """Forecast the steps from row ``stop[i]`` of series ``series[i]`` on, all at once.

        They are in the panel already; of them only the future covariates are read.
        """
        networks = self._networks if networks is None else networks
        part = panel.until(stop, series, self._window)
        future = panel.covariates(series, stop, n_steps) if panel.columns.future else None
        steps = self._steps(part, n_steps, future)
        return networks.blocks(part, n_steps, steps, self._point)[0]

    def _point(self, prediction: np.ndarray) -> np.ndarray:
        head = self._head[0]
        return prediction if head.name == "point" else head.mean(prediction)

    def _quantiles(self, prediction: np.ndarray, levels: Sequence[float] | None) -> np.ndarray:
        head, own, _ = self._head
        if head.name == "point":
            raise ValueError(explain(type(self).__name__, "quantiles or distribution", "set", None))
        if head.name == "quantiles":
            if levels is None:
                return prediction
            for level in levels:
                if level not in own:
                    raise ValueError(explain("levels", "a level", f"one of {own}", level))
            return prediction[..., [own.index(level) for level in levels]]
        wanted = (0.1, 0.5, 0.9) if levels is None else levels
        return np.stack([head.quantile(prediction, level) for level in wanted], axis=-1)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R² of the forecasts from all origins with a full context, over all steps that came.

        Parameters
        ----------
        X : as in fit
        y : array of shape (n_timesteps,) or (n_timesteps, n_targets), default=None
            Default: the target in ``X``.
        sample_weight : array of shape (n_timesteps,), default=None
            Weight of the value at each row.
        """
        networks, reader = self._networks, self._reader
        panel = reader.read(X)
        if y is not None:
            truth = np.asarray(y, np.float64).reshape(len(panel.values), -1)
        elif reader.target_inputs:
            truth = np.concatenate([panel.targets(i) for i in range(len(panel))])
        else:
            raise ValueError(explain("score", "y", "given: the target is not a feature of X", None))
        made = self._point(networks.by_origin(panel))  # (n_rows, horizon, n_targets)
        return pooled_r2(panel, truth, made, sample_weight)
