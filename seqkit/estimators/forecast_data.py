"""What a forecaster is given and gives back: targets apart, weights, parts, frames as they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from seqkit.data.panel import Panel
from seqkit.data.windows import training_panel
from seqkit.errors import DataError, explain
from seqkit.estimators.checked import Checked
from seqkit.estimators.forecast_frames import (
    in_library,
    is_long_frame,
    library_of,
    with_columns,
    with_target,
)
from seqkit.estimators.forecast_predictions import ForecastPredictions
from seqkit.estimators.forecast_preparing import check_counts, hold_out, point_loss
from seqkit.estimators.forecast_reading import FRAME_SETTINGS, read_training
from seqkit.estimators.forecast_weights import weight_panel
from seqkit.estimators.inputs import (
    ArraysInput,
    Covariates,
    Frame,
    FrameT,
    SeriesInput,
    TargetInput,
    ValidationData,
    WeightInput,
)
from seqkit.stopping import forecast_validation, refit_of

__all__ = ["ForecastData"]


class ForecastData(ForecastPredictions):
    """The half of a forecaster that reads what it is given; the fitting half is the subclass."""

    _library_: str | None

    # --- data ----------------------------------------------------------------------------------

    def _read(self, X: Any, y: Any) -> Panel:
        """Read what `fit` is given, and remember how."""
        if isinstance(X, Checked):
            read: Panel = X.read_by(self)
            return read
        owner, frame_settings = type(self).__name__, {n: getattr(self, n) for n in FRAME_SETTINGS}
        target, past = self.target, self.past_covariates
        self._library_ = library_of(X)
        if y is not None and is_long_frame(X, **frame_settings):
            others = (self.future_covariates, self.static_covariates)
            X, target, past = with_target(
                X,
                y,
                owner=owner,
                target=target,
                past_covariates=past,
                not_past=(self.series_id, self.time, *(n for o in others for n in _names(o))),
            )
            y = None
        reader, panel, names = read_training(
            X,
            y,
            owner=owner,
            target=target,
            past_covariates=past,
            future_covariates=self.future_covariates,
            missing=self.missing,
            **frame_settings,
        )
        self._reader_ = reader.to_dict()
        if reader.arrays:
            self.n_features_in_ = reader.n_features
        if names is not None:
            self.feature_names_in_ = names
        return panel

    def _read_again(self, X: Any, y: Any, what: str = "validation_data") -> Panel:
        """Read further series as those of the fit were, with a target that may be apart."""
        reader = self._reader
        if not reader.arrays and y is not None:
            X, y = with_columns(X, y, reader.columns.targets, what), None
        panel = reader.read(X)
        if y is None and reader.target_inputs:
            return panel
        n = panel.n_targets
        parts = y if isinstance(X, list) else [y]
        truth = (
            np.empty((0, n))
            if y is None
            else np.concatenate([np.asarray(part, np.float64).reshape(-1, n) for part in parts])
        )
        if truth.shape != (len(panel.values), n) or not np.isfinite(truth).all():
            expected = "the target of every row of its X, finite"
            raise DataError(explain(type(self).__name__, f"y of {what}", expected, np.shape(y)))
        if reader.target_inputs and not np.array_equal(truth, panel.values[:, :n]):
            expected = "the columns of X that were the target of the fit"
            raise DataError(explain(type(self).__name__, f"y of {what}", expected, "other values"))
        return replace(panel, values=np.concatenate([truth, panel.values[:, n:]], axis=1))

    def _divided(
        self, panel: Panel, X: Any, sample_weight: Any, validation_data: Any, share: float
    ) -> tuple[tuple[Panel, Panel | None], tuple[Panel | None, Panel | None], tuple[str, ...]]:
        """Return what to train and to validate on, each with its weights; and what is left out."""
        if isinstance(X, Checked) and X.parts:
            return X.parts
        owner, context, horizon = type(self).__name__, max(self._contexts), self._fitted.horizon
        held: Panel | None
        weights: Panel | None = None
        held_weights: Panel | None = None
        if sample_weight is not None:
            weights = weight_panel(sample_weight, X, panel, self._reader)
        if validation_data is not None:
            if refit_of(self.validation)[1]:
                expected = "a number or auto beside validation_data"
                hint = "refit trains anew on what was held out of the series of the fit."
                raise ValueError(explain(owner, "validation", expected, self.validation, hint))
            if not isinstance(validation_data, tuple) or not 1 <= len(validation_data) <= 3:
                expected = "a tuple (X,), (X, y) or (X, y, sample_weight)"
                got = type(validation_data).__name__
                raise TypeError(explain(owner, "validation_data", expected, got))
            given, truth, weight = (*validation_data, None, None)[:3]
            train, watched = panel, self._read_again(given, truth)
            if weight is not None:
                held_weights = weight_panel(weight, given, watched, self._reader)
                held_weights = training_panel(held_weights, horizon)[0]
            held = training_panel(watched, horizon)[0]
        else:
            train, held = hold_out(panel, share, horizon, context, owner)
            if weights is not None:
                weights, held_weights = hold_out(weights, share, horizon, context, owner)
        train, left_out = training_panel(train, horizon)
        if weights is not None:
            weights = training_panel(weights, horizon)[0]
        return (train, weights), (held, held_weights), left_out

    def _whole(
        self, panel: Panel, X: Any, sample_weight: Any
    ) -> tuple[tuple[Panel, Panel | None], tuple[str, ...]]:
        """Return all there is to train on, with its weights; and what is left out."""
        weights = None
        if sample_weight is not None:
            weights = weight_panel(sample_weight, X, panel, self._reader)
            weights = training_panel(weights, self._fitted.horizon)[0]
        train, left_out = training_panel(panel, self._fitted.horizon)
        return (train, weights), left_out

    def check(
        self,
        X: SeriesInput,
        y: TargetInput | None = None,
        sample_weight: WeightInput = None,
        *,
        validation_data: ValidationData = None,
        prediction_data: SeriesInput | None = None,
    ) -> None:
        """Raise what :meth:`fit` would of these settings and data; train and change nothing.

        Parameters
        ----------
        X, y, sample_weight, validation_data
            As in :meth:`fit`.
        prediction_data : as X, default=None
            Series that the fitted model is to predict.

        Raises
        ------
        ValueError, TypeError
            As :meth:`fit`, and of `prediction_data` as :meth:`predict`.
        """
        checked = self._checked(X, y, sample_weight, validation_data)
        if prediction_data is not None:
            checked.estimator._reader.read(prediction_data)

    def _checked(
        self, X: Any, y: Any = None, sample_weight: Any = None, validation_data: Any = None
    ) -> Checked:
        """Return the series to fit on, divided, as :meth:`fit` takes them again."""
        other = self._unfitted()
        settings = other._settings(held=validation_data is not None)
        owner, head = type(self).__name__, other._head[0]
        point_loss(owner, self.loss, head)
        panel = other._read(X, y)
        other.auto_ = other._chosen_of(panel)
        if head.counts:
            check_counts(panel, owner)
        share = forecast_validation(settings["validation"], settings["patience"])
        parts = other._divided(panel, X, sample_weight, validation_data, share)
        for part, learn in zip(parts[:2], (True, False), strict=True):
            other._seen(part, learn=learn)
        return Checked(other, panel, parts)

    # --- predictions ---------------------------------------------------------------------------

    @overload
    def predict(self, X: FrameT) -> np.ndarray | FrameT: ...
    @overload
    def predict(self, X: ArraysInput) -> np.ndarray | list[np.ndarray]: ...
    def predict(self, X: SeriesInput) -> object:
        """Forecast from every row: row t holds the forecast made at t for t+1 ... t+horizon.

        Parameters
        ----------
        X : as in fit

        Returns
        -------
        ndarray of shape (n_timesteps, horizon) or (n_timesteps, horizon, n_targets)
            In units; the median with quantiles, the location or mean with a distribution. Rows
            without a full context are NaN, and so are rows whose horizon reaches past the end
            where the model needs future covariates. For several series a list of these.
        data frame
            For a frame, in its library (pandas, polars or pyarrow; pandas for others): the
            origin's id and stamp, then ``{target}+1`` ... ``{target}+h``.
        """
        return _as_given(super().predict(X), library_of(X))

    @overload  # type: ignore[override]  # of the library of X
    def forecast(
        self, X: None = None, horizon: int | None = None, future: Covariates = None
    ) -> np.ndarray | Frame: ...
    @overload
    def forecast(
        self, X: FrameT, horizon: int | None = None, future: Covariates = None
    ) -> np.ndarray | FrameT: ...
    @overload
    def forecast(
        self, X: ArraysInput, horizon: int | None = None, future: Covariates = None
    ) -> np.ndarray: ...
    def forecast(
        self,
        X: SeriesInput | None = None,
        horizon: int | None = None,
        future: Covariates = None,
    ) -> object:
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
        data frame
            For frames, in the library of `X`, or of the fit without it (pandas, polars or pyarrow;
            pandas for others): id, time stamp, a column for each target and, with quantiles,
            columns ``{target}_q{level}``.
        """
        result = super().forecast(X, horizon, future)
        return _as_given(result, library_of(X) or getattr(self, "_library_", None))

    def score(
        self, X: SeriesInput, y: TargetInput | None = None, sample_weight: WeightInput = None
    ) -> float:
        """R² of the forecasts from all origins with a full context, over all steps that came.

        Parameters
        ----------
        X : as in fit
        y : array of shape (n_timesteps,) or (n_timesteps, n_targets), default=None
            Default: the target in ``X``.
        sample_weight : array of shape (n_timesteps,), default=None
            Weight of the value at each row.
        """
        check_is_fitted(self)
        reader = self._reader
        if not reader.arrays:  # its rows may come in another order than the panel's
            if y is not None:
                X, y = with_columns(X, y, reader.columns.targets, "score"), None
            if sample_weight is not None:
                panel = reader.read(X)
                sample_weight = weight_panel(sample_weight, X, panel, reader).values[:, 0]
        return super().score(X, y, sample_weight)


def _names(given: str | Sequence[str]) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given


def _as_given(result: Any, library: str | None) -> Any:
    return in_library(result, library) if isinstance(result, pd.DataFrame) else result
