"""Forecast the next steps of one series or of many with a recurrent network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from seqkit import training
from seqkit.data.futures import future_steps
from seqkit.data.panel import Panel
from seqkit.data.scaling import fit_scaler
from seqkit.data.windows import WindowSource, training_panel
from seqkit.errors import DataError, explain
from seqkit.estimators.base import (
    TRAIN_SETTINGS,
    BaseSequenceEstimator,
    _seed,
    architecture_key,
)
from seqkit.estimators.forecast_reading import FRAME_SETTINGS, ForecastReader, read_training
from seqkit.estimators.forecast_running import Networks, pooled_r2
from seqkit.forecast_ensemble import build_ensemble
from seqkit.forecast_heads import ForecastLoss, Head, head_of
from seqkit.forecast_model import build_forecaster

__all__ = ["SequenceForecaster"]

FORECAST_MODEL_SETTINGS = (
    "cell", "units", "bidirectional", "dropout", "recurrent_dropout", "residual", "patch", "dense",
    "scale", "decoder", "normalize", "departure_from", "channels", "season", "quantiles",
    "distribution", "horizon",
)  # fmt: skip
# Rows that statistics are taken from: enough for three digits, and quick for any panel.
_MOST_ROWS = 2_000_000


class SequenceForecaster(BaseSequenceEstimator):
    """Forecast the next steps of one series or of many with a recurrent network.

    One network learns from all series. Each window is brought to its own scale, so that large and
    small series count alike, and the forecast is brought back to units by the model itself.

    Parameters
    ----------
    context_length : int or list of int
        Past steps the model sees; a list gives the networks of an ensemble different ones.
    horizon : int
        Steps forecast at once.
    quantiles : list of float, default=None
        Levels to forecast, e.g. ``[0.1, 0.5, 0.9]``; they never cross.
    distribution : {"normal", "student_t", "negative_binomial", "poisson"}, default=None
        Distribution to forecast instead; the last two are of counts.
    decoder, normalize, departure_from, channels, season
        As in :func:`seqkit.build_forecaster`.
    cell, units, bidirectional, dropout, recurrent_dropout, residual, patch, dense, scale
        The network, as in :class:`SequenceClassifier`.
    series_id, time, target, past_covariates, future_covariates, static_covariates
        Columns of a long frame; ``unique_id``, ``ds`` and ``y`` are found by name. Features of an
        array are called x0, x1, ...
    frequency : str, default=None
        Pandas alias; inferred by default.
    calendar : list of str, default=()
        Calendar features from the time stamps: minute, hour, weekday, day, week, month,
        quarter, year_day.
    missing : {"error", "interpolate", "indicator"}, default="error"
        What absent stamps and NaN are: an error; filled in a straight line; the last value held
        and marked by a further channel. They never count in the loss.
    epochs, batch_size, optimizer, learning_rate, schedule, steps_per_epoch, clipnorm, patience
        Training, as in :class:`SequenceClassifier`; an example is a window.
    loss : {"auto", "mae", "mse", "huber", "pinball", "nll"}, default="auto"
        Of the normalised target; ``auto`` is mae, with quantiles pinball, with a distribution nll.
    ensemble : int, default=1
        Networks trained with different seeds and combined by the median.
    validation : int or float, default=0.15
        Time steps, or share, of the end of every series kept for early stopping; 0 for none.
    warm_start : bool, default=False
        Continue from the last fit instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        The same integer gives the same weights.
    verbose : int, default=0
        1 prints a line an epoch.

    Attributes
    ----------
    model_ : keras.Model
        Raw windows to forecasts in units; an ensemble is one model.
    weights_ : list of ndarray
        Its weights.
    history_ : dict of str to list of float
        Loss by epoch; of an ensemble's first network (``histories_`` has all).
    notes_ : tuple of str
        What was inferred, filled or left out.
    n_features_in_ : int
        Features a time step, for arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit import SequenceForecaster
    >>> wave = 10 + np.sin(np.arange(200) * 2 * np.pi / 20)
    >>> model = SequenceForecaster(context_length=40, horizon=20, units=16, epochs=30,
    ...                            learning_rate=0.01, random_state=0).fit(wave)
    >>> model.forecast().shape
    (20,)
    """

    _task = "forecasting"

    def __init__(
        self,
        *,
        context_length: int | Sequence[int],
        horizon: int,
        quantiles: Sequence[float] | None = None,
        distribution: str | None = None,
        decoder: str = "direct",
        normalize: str = "standard",
        departure_from: str = "none",
        channels: str = "joint",
        season: int = 1,
        cell: str = "lstm",
        units: int | Sequence[int] = 64,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        residual: bool = False,
        patch: int = 1,
        dense: Sequence[int] = (),
        scale: str = "standard",
        series_id: str | None = None,
        time: str | None = None,
        target: str | Sequence[str] | None = None,
        past_covariates: Sequence[str] = (),
        future_covariates: Sequence[str] = (),
        static_covariates: Sequence[str] = (),
        frequency: str | None = None,
        calendar: Sequence[str] = (),
        missing: str = "error",
        epochs: int = 100,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        steps_per_epoch: int | None = None,
        clipnorm: float | None = 1.0,
        loss: str = "auto",
        patience: int = 10,
        ensemble: int = 1,
        validation: float = 0.15,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.context_length = context_length
        self.horizon = horizon
        self.quantiles = quantiles
        self.distribution = distribution
        self.decoder = decoder
        self.normalize = normalize
        self.departure_from = departure_from
        self.channels = channels
        self.season = season
        self.cell = cell
        self.units = units
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.patch = patch
        self.dense = dense
        self.scale = scale
        self.series_id = series_id
        self.time = time
        self.target = target
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.static_covariates = static_covariates
        self.frequency = frequency
        self.calendar = calendar
        self.missing = missing
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.steps_per_epoch = steps_per_epoch
        self.clipnorm = clipnorm
        self.loss = loss
        self.patience = patience
        self.ensemble = ensemble
        self.validation = validation
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # --- data ----------------------------------------------------------------------------------

    def _read(self, X: Any, y: Any) -> Panel:
        """Read what `fit` is given, and remember how."""
        reader, panel, names = read_training(
            X,
            y,
            owner=type(self).__name__,
            target=self.target,
            past_covariates=self.past_covariates,
            future_covariates=self.future_covariates,
            missing=self.missing,
            **{name: getattr(self, name) for name in FRAME_SETTINGS},
        )
        self._reader_ = reader.to_dict()
        if reader.arrays:
            self.n_features_in_ = reader.n_features
        if names is not None:
            self.feature_names_in_ = names
        return panel

    @property
    def _reader(self) -> ForecastReader:
        return ForecastReader.from_dict(self._reader_)

    @property
    def _contexts(self) -> tuple[int, ...]:
        """Context length of every network of the ensemble."""
        given = self.context_length
        lengths = tuple(int(c) for c in given) if np.ndim(given) else (int(given),)  # type: ignore[arg-type, union-attr]
        n = max(self.ensemble, len(lengths))
        return tuple(lengths[i % len(lengths)] for i in range(n))

    @property
    def _head(self) -> tuple[Head, tuple[float, ...], int]:
        return head_of(self.quantiles, self.distribution, type(self).__name__)

    # --- fitting -------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        callbacks: Iterable[Any] = (),
        on_epoch: Callable[..., Any] | None = None,
        resume: Any = None,
    ) -> SequenceForecaster:
        """Learn to forecast.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features), or a long data frame
            One series, a row a time step in order; or one row a time step of a series. Several
            series as arrays: (n_series, n_timesteps, n_features) or a list of arrays.
        y : array of shape (n_timesteps,) or (n_timesteps, n_targets), default=None
            Target of each row; default: ``X`` itself. A target that is a column of ``X`` is
            recognised; one that is not has no past when it is forecast, only its features have.
        callbacks : iterable of keras.callbacks.Callback, default=()
        on_epoch : callable, default=None
            ``on_epoch(epoch, logs, get_state)`` after each epoch.
        resume : seqkit.training.TrainingState, default=None
            Continue an interrupted fit.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a setting or the data are not what they must be (``DataError`` names series and
            step); the estimator is then left as it was.
        seqkit.errors.TrainingError
            If the loss is no longer finite.
        """
        return self._guarded(
            self._fit,
            X,
            y,
            callbacks=callbacks,
            on_epoch=on_epoch,
            resume=resume,
            going_on=self.warm_start and self.__sklearn_is_fitted__(),
        )

    def _fit(
        self,
        X: Any,
        y: Any,
        *,
        callbacks: Iterable[Any],
        on_epoch: Any,
        resume: Any,
        going_on: bool,
    ) -> None:
        settings = self._settings()
        head, levels, _ = self._head
        if going_on:
            panel = self._reader.read(X) if y is None else self._read(X, y)
        else:
            self._forget()
            panel = self._read(X, y)
        notes = list(panel.notes)
        if self._normalize != self.normalize:
            notes.append("the target is no feature, so windows are scaled by the training part")
        contexts = self._contexts
        train, held = self._hold_out(panel, max(contexts))
        train, left_out = training_panel(train, self.horizon)
        constants = self._statistics(train)
        sources = self._sources(train, held, constants, None if head.counts else self._normalize)
        loss = ForecastLoss(head.name, self._loss_name(head), levels)
        seed = _seed(self.random_state)
        weights = self._networks.weights if going_on else None
        fits = []
        for number, (context, (source, validation)) in enumerate(
            zip(contexts, sources, strict=True)
        ):
            build = self._member(context, self._variable_length_)
            fits.append(
                training.fit(
                    build,
                    source,
                    key=architecture_key(build),
                    seed=seed if number == 0 else _derived(seed, number),
                    loss=loss,
                    validation=validation,
                    callbacks=tuple(callbacks),
                    constants=None if going_on else constants,
                    initial_weights=None if weights is None else weights[number],
                    resume=resume,
                    output="normalized",
                    verbose=self.verbose,
                    on_epoch=on_epoch,
                    **{name: settings[name] for name in TRAIN_SETTINGS},
                )
            )
        self._adopt(fits[0], keep_state=False)
        self._sizes_ = [len(fit.weights) for fit in fits]
        self.weights_ = [weight for fit in fits for weight in fit.weights]
        self.histories_ = [fit.history for fit in fits]
        self.notes_ = (*notes, *left_out)
        self._tail_ = _kept(panel.tail(max(contexts)))

    def _sources(
        self,
        train: Panel,
        held: Panel | None,
        constants: dict[str, np.ndarray],
        space: str | None,
    ) -> list[tuple[WindowSource, WindowSource | None]]:
        """Windows to train and to validate on, for every network of the ensemble."""

        def source(part: Panel, context: int, lengths: bool | None) -> WindowSource:
            return WindowSource(
                part,
                context,
                self.horizon,
                normalize=space,
                offset=constants["window/offset"],
                scale=constants["window/scale"],
                target_inputs=self._reader.target_inputs,
                lengths=lengths,
            )

        parts = [part for part in (train, held) if part is not None]
        made = [[source(part, c, None) for part in parts] for c in self._contexts]
        self._variable_length_ = any(one.padded for pair in made for one in pair)
        if self._variable_length_:  # all of them take lengths where one must
            made = [[source(part, c, True) for part in parts] for c in self._contexts]
        return [(pair[0], pair[1] if held is not None else None) for pair in made]

    def _loss_name(self, head: Head) -> str:
        """The point loss; for another head, check that the loss is its own."""
        own = {"point": None, "quantiles": "pinball"}.get(head.name, "nll")
        if own is None:
            if self.loss in ("pinball", "nll"):
                raise ValueError(
                    explain(type(self).__name__, "loss", "mae, mse or huber for point forecasts",
                            self.loss, "Set quantiles or distribution.")
                )  # fmt: skip
            return "mae" if self.loss == "auto" else self.loss
        if self.loss not in ("auto", own):
            what = "quantiles" if own == "pinball" else "a distribution"
            raise ValueError(
                explain(type(self).__name__, "loss", f"auto or {own} with {what}", self.loss)
            )
        return "mae"

    @property
    def _normalize(self) -> str:
        return self.normalize if self._reader.target_inputs else "none"

    def _hold_out(self, panel: Panel, context: int) -> tuple[Panel, Panel | None]:
        """Set the tail of every series aside that is long enough to spare it."""
        if not self.validation:
            return panel, None
        n = panel.lengths
        if isinstance(self.validation, (int, np.integer)):
            tail = np.full_like(n, self.validation)
            if self.validation < self.horizon:
                raise ValueError(
                    explain(type(self).__name__, "validation",
                            f"at least the horizon ({self.horizon} steps)", self.validation)
                )  # fmt: skip
        else:
            tail = np.maximum(np.ceil(self.validation * n).astype(np.int64), self.horizon)
        # what is left must still hold half a context and a horizon
        spares = n - tail >= self.horizon + (min(context, int(n.max())) + 1) // 2
        if not spares.any():
            needed = self.horizon + (context + 1) // 2 + int(tail.min())
            raise DataError(
                explain(
                    type(self).__name__, "a series",
                    f"at least {needed} time steps long (context_length, horizon, validation)",
                    panel.named(np.arange(len(panel))),
                    "Shorten one of them, or set validation=0 and patience=0.",
                )
            )  # fmt: skip
        tail = np.where(spares, tail, 0)
        train = panel.rows(np.zeros_like(n), n - tail)
        held = panel.select(spares)
        kept = tail[spares]
        return train, held.rows(held.lengths - kept - context, held.lengths)

    def _statistics(self, panel: Panel) -> dict[str, np.ndarray]:
        """Statistics of the scaling layers by variable path, from the training part."""
        rows = panel.values[:: max(1, len(panel.values) // _MOST_ROWS)]
        kind = "standard" if self.scale == "none" else self.scale
        offset, scale = (part.astype(np.float32) for part in fit_scaler(kind, rows))
        # masks and waves are on a good scale as they are
        own = {*panel.columns.targets, *panel.columns.past, *panel.columns.future}
        for i, name in enumerate(panel.columns.channels):
            if name not in own:
                offset[i], scale[i] = 0.0, 1.0
        n, n_future = panel.n_targets, panel.n_future
        plain = self.scale == "none"
        found = {
            "window/offset": np.zeros(n, np.float32) if plain else offset[:n],
            "window/scale": np.ones(n, np.float32) if plain else scale[:n],
        }
        if plain:
            return found
        if len(offset) > n:
            found |= {"standardize/offset": offset[n:], "standardize/scale": scale[n:]}
        if n_future:
            found["standardize_future/offset"] = offset[-n_future:]
            found["standardize_future/scale"] = scale[-n_future:]
        if panel.static is not None:
            offset, scale = fit_scaler("standard", panel.static)
            found |= {"standardize_static/offset": offset, "standardize_static/scale": scale}
        return found

    # --- the model -----------------------------------------------------------------------------

    def _sizes(self) -> dict[str, Any]:
        reader = self._reader
        columns = reader.columns
        return {
            "n_targets": len(columns.targets),
            "n_past": len(columns.past_channels),
            "n_future": len(columns.future_channels),
            "n_static": len(columns.static_numbers),
            "static_categories": tuple(len(known) for _, known in columns.categories),
            "target_inputs": reader.target_inputs,
        }

    def _member(self, context: int, variable_length: bool) -> Callable[[], Any]:
        """Return what builds a network of the ensemble."""
        settings = {name: getattr(self, name) for name in FORECAST_MODEL_SETTINGS}
        settings["normalize"] = self._normalize
        return partial(
            build_forecaster,
            context_length=context,
            variable_length=variable_length,
            **self._sizes(),
            **settings,
        )

    def _build(self) -> Callable[[], Any]:
        contexts = self._contexts
        members = [self._member(context, self._variable_length_) for context in contexts]
        return members[0] if len(members) == 1 else partial(build_ensemble, members, contexts)

    @property
    def _networks(self) -> Networks:
        check_is_fitted(self)
        head, _, n_parameters = self._head
        ends = np.cumsum(self._sizes_)
        return Networks(
            self._contexts,
            self._member,
            [self.weights_[end - n : end] for end, n in zip(ends, self._sizes_, strict=True)],
            self.horizon,
            () if head.name == "point" else (n_parameters,),
            self._variable_length_,
            self._reader.target_inputs,
        )

    # --- forecasting ---------------------------------------------------------------------------

    def predict(self, X: Any) -> Any:
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
        point = self._middle(networks.by_origin(panel))
        if not reader.arrays:
            frame = {}
            if panel.columns.series_id is not None:
                frame[panel.columns.series_id] = panel.ids[panel.rows_of_series]
            if panel.columns.time is not None:
                frame[panel.columns.time] = panel.stamps()
            for k, name in enumerate(panel.columns.targets):
                for h in range(self.horizon):
                    frame[f"{name}+{h + 1}"] = point[:, h, k]
            return pd.DataFrame(frame)
        if panel.n_targets == 1:
            point = point[:, :, 0]
        return np.split(point, panel.offsets[1:-1]) if len(panel) > 1 else point

    def predict_quantiles(self, X: Any, levels: Sequence[float] | None = None) -> np.ndarray:
        """Forecast quantiles from every row, ``(n_timesteps, horizon, n_targets, n_levels)``.

        Parameters
        ----------
        X : as in predict
        levels : sequence of float, default=None
            For a model with a distribution any levels; with quantiles its own.
        """
        networks = self._networks
        return self._quantiles(networks.by_origin(self._reader.read(X)), levels)

    def forecast(self, X: Any = None, horizon: int | None = None, future: Any = None) -> Any:
        """Forecast what comes after the end of every series.

        Parameters
        ----------
        X : as in fit, default=None
            Series to go on with, also ones never seen; default: those of the fit.
        horizon : int, default=None
            Steps; default: as trained. Fewer are cut off; for more the model goes on from its own
            forecasts (of quantiles and distributions the middle is fed back, so their spread does
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
        answer, panel = self._forecast(X, horizon, future)
        point = self._middle(answer)  # (n_series, horizon, n_targets)
        reader = self._reader
        if not reader.arrays:
            frame = panel.future_frame(point.shape[1])
            levels = self._head[1]
            for k, name in enumerate(panel.columns.targets):
                frame[name] = point[:, :, k].ravel()
                for q, level in enumerate(levels):
                    frame[f"{name}_q{level:g}"] = answer[:, :, k, q].ravel()
            return frame
        if reader.flat:
            point = point[:, :, 0]
        return point if panel.columns.series_id is not None else point[0]

    def forecast_quantiles(
        self,
        X: Any = None,
        horizon: int | None = None,
        future: Any = None,
        levels: Sequence[float] | None = None,
    ) -> np.ndarray:
        """Quantiles after the end, ``(horizon, n_targets, n_levels)`` (several series: one more).

        Parameters
        ----------
        X, horizon, future : as in forecast
        levels : sequence of float, default=None
            For a model with a distribution any levels; with quantiles its own.
        """
        answer, panel = self._forecast(X, horizon, future)
        found = self._quantiles(answer, levels)
        return found if panel.columns.series_id is not None else found[0]

    def sample(
        self,
        X: Any = None,
        horizon: int | None = None,
        future: Any = None,
        *,
        n_paths: int = 100,
        random_state: Any = None,
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
        if self.distribution is None:
            raise ValueError(
                explain(type(self).__name__, "distribution", "set to draw paths", None)
            )
        rng = np.random.default_rng(_seed(random_state))
        panel = self._panel(X)
        n_series = len(panel)
        every = panel.select(np.tile(np.arange(n_series), n_paths))
        n_steps = self._horizon(horizon)
        if n_steps > self.horizon:
            draw = lambda answer: head.sample(answer, rng, 1)[0]  # noqa: E731
            steps = np.tile(self._steps(panel, n_steps, future), (n_paths, 1, 1))
            drawn = self._networks.blocks(every, n_steps, steps, draw)[1]
        else:
            answer = self._forecast(X, n_steps, future)[0]
            drawn = head.sample(answer, rng, n_paths).reshape(-1, *answer.shape[1:-1])
        drawn = drawn.reshape(n_paths, n_series, *drawn.shape[1:])
        return drawn if panel.columns.series_id is not None else drawn[:, 0]

    def _panel(self, X: Any) -> Panel:
        if X is None:
            panel = Panel(columns=self._reader.columns, **self._tail_)
        else:
            panel = self._reader.read(X)
        return panel.tail(max(self._contexts))

    def _horizon(self, horizon: int | None) -> int:
        if horizon is None:
            return self.horizon
        if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
            raise ValueError(explain("forecast", "horizon", "a positive integer", horizon))
        return int(horizon)

    def _steps(self, panel: Panel, n_steps: int, future: Any) -> np.ndarray:
        """The rows ahead of a panel, in whole blocks of the trained horizon."""
        columns = panel.columns
        if n_steps > self.horizon and (columns.past or not self._reader.target_inputs):
            raise DataError(
                explain(
                    "forecast", "horizon",
                    f"at most {self.horizon}, as trained: what the past covariates will be is "
                    "not known", n_steps,
                )
            )  # fmt: skip
        steps = future_steps(panel, n_steps, future)
        # the last block may reach past what was asked for; what it is told there is not looked at
        rest = -n_steps % self.horizon
        return np.concatenate([steps, np.repeat(steps[:, -1:], rest, axis=1)], axis=1)

    def _forecast(self, X: Any, horizon: int | None, future: Any) -> tuple[np.ndarray, Panel]:
        networks = self._networks
        n_steps = self._horizon(horizon)
        panel = self._panel(X)
        steps = self._steps(panel, n_steps, future)
        return networks.blocks(panel, n_steps, steps, self._middle)[0], panel

    def _middle(self, answer: np.ndarray) -> np.ndarray:
        head = self._head[0]
        return answer if head.name == "point" else head.mean(answer)

    def _quantiles(self, answer: np.ndarray, levels: Sequence[float] | None) -> np.ndarray:
        head, own, _ = self._head
        if head.name == "point":
            raise ValueError(explain(type(self).__name__, "quantiles or distribution", "set", None))
        if head.name == "quantiles":
            if levels is None:
                return answer
            for level in levels:
                if level not in own:
                    raise ValueError(explain("levels", "a level", f"one of {own}", level))
            return answer[..., [own.index(level) for level in levels]]
        wanted = (0.1, 0.5, 0.9) if levels is None else levels
        return np.stack([head.quantile(answer, level) for level in wanted], axis=-1)

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
        made = self._middle(networks.by_origin(panel))  # (n_rows, horizon, n_targets)
        return pooled_r2(panel, truth, made, sample_weight)


def _derived(seed: int, number: int) -> int:
    """Seed of a further network of an ensemble."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)


def _kept(panel: Panel) -> dict[str, Any]:
    """The end of every series as plain arrays, so that it pickles and saves small."""
    return {
        name: getattr(panel, name)
        for name in ("values", "offsets", "ids", "times", "age", "static", "static_codes")
    }
