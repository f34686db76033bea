"""Forecast the next steps of one series or of many with a recurrent network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqkit import training
from seqkit.estimators.forecast_fitting import (
    FORECAST_MODEL_SETTINGS,
    ForecastFitting,
)
from seqkit.estimators.forecast_preparing import scaling_statistics, window_sources
from seqkit.estimators.inputs import (
    OnEpoch,
    SeriesInput,
    TargetInput,
    ValidationData,
    WeightInput,
    apart_from_settings,
)
from seqkit.estimators.settings import ForecastSettings
from seqkit.network.architecture import Architecture
from seqkit.network.heads import HEADS
from seqkit.stopping import forecast_validation

if TYPE_CHECKING:
    import keras

__all__ = ["SequenceForecaster"]


class SequenceForecaster(ForecastSettings, ForecastFitting):
    """Forecast the next steps of one series or of many with a recurrent network.

    One network learns from all series. Each window is brought to its own scale, so that large and
    small series count alike, and the forecast is brought back to units by the model itself.

    Parameters
    ----------
    context_length : a positive integer, a list of them or "auto", default="auto"
        Past steps the model sees; a list is an ensemble, a network for each length. auto = what is
        usual for the frequency, two to three seasons, as far as the median series allows: 12 years,
        12 quarters, 36 months, 104 weeks, 28 days, 20 business days, 168 hours, 24 steps where
        nothing is known of the step.
    horizon : a positive integer or "auto", default="auto"
        Steps forecast at once: set what you need. auto = what is usual for the frequency, within a
        third of the median series: 6 years, 8 quarters, 12 months, 13 weeks, 14 days, 10 business
        days, 48 hours, 12 steps where nothing is known of the step.
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer or a list of them, default=128
        Width of the recurrent layer; a list is a stack of layers.
    bidirectional : bool, default=False
        Run every layer in both directions and join the results.
    dropout : a number from 0 to below 1, default=0.0
        Share dropped on the input of every recurrent layer after the first, and before the head.
    recurrent_dropout : a number from 0 to below 1, default=0.0
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    residual : bool, default=False
        Add a layer's input to its output from the second layer on; for deep stacks.
    dense : a list of positive integers, default=()
        Widths of hidden layers before the head.
    scale : {"none", "standard", "minmax", "robust"}, default="standard"
        Scaling of the features, fitted on the training part and kept in the model: zero mean and
        unit variance, to [0, 1], or by median and quartiles.
    kernel_initializer : str, default="glorot_uniform"
        What the input matrices of the recurrent layers start from. One of "glorot_uniform",
        "he_normal", "orthogonal", "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    recurrent_initializer : str, default="orthogonal"
        What their recurrent matrices start from; orthogonal_gates = the block of each gate is
        orthogonal by itself. One of "glorot_uniform", "he_normal", "orthogonal",
        "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    bias_initializer : {"forget_one", "zeros", "chrono"}, default="forget_one"
        What their biases start from: 0, but 1 for a forget gate; 0; or chrono = so that units
        forget over times from one step to as many as there are (Tallec and Ollivier 2018).
    patch : a positive integer or None, default=None
        Time steps folded into one before the first recurrent layer: shorter recurrences. Default: a
        season, where the shortest context holds two, else 1.
    decoder : {"direct", "recursive", "segment"}, default="direct"
        How the horizon is produced: all steps from the final state; patch after patch, its own
        outputs fed back; or all patches in parallel (SegRNN, Lin et al. 2023).
    normalize : {"none", "last", "standard"}, default="standard"
        Each context window by its own statistics, undone on the output: its last value subtracted,
        or zero mean and unit variance.
    departure_from : {"none", "last", "seasonal_naive", "theta", "learned_theta"}, default="none"
        Learn the departure from this naive forecast of the same window; learned_theta = theta, its
        smoothing constants and a damped trend learned with the network (Smyl 2020), the same for
        all series.
    channels : {"joint", "independent"}, default="joint"
        Several targets together in one window, or each as a series of its own.
    season : a positive integer or "auto", default="auto"
        Steps in a season, for the seasonal naive forecast and scaled errors. auto = what is usual
        for the frequency (4 quarters, 12 months, 52 weeks, 7 days, 5 business days, 24 hours) where
        the median series holds three; else 1.
    quantiles : a rising list of numbers between 0 and 1 or None, default=None
        Quantiles to forecast, e.g. [0.1, 0.5, 0.9]; None = a point forecast.
    distribution : {"normal", "student_t", "negative_binomial", "poisson"} or None, default=None
        Distribution to forecast instead of quantiles; the last two are of counts.
    missing : {"error", "interpolate", "indicator"}, default="error"
        What becomes of missing values: an error, linear interpolation within the series, or the
        last value and one more feature a channel that marks the gap.
    epochs : a positive integer or "auto", default="auto"
        Most passes over the training part. auto = 20, within 1200 to 4000 gradient steps; where
        those are fewer than 3 passes, 3, within 25000 steps; 300 at most.
    batch_size : a positive integer, default=32
        Series, or windows, in a gradient step.
    optimizer : str, dict or keras.optimizers.Optimizer, default="adam"
        Gradient method: one of adam, adamw, nadam, rmsprop, sgd or lion; or a dict of such a name
        and its options, as ``{"name": "sgd", "momentum": 0.9}`` (:mod:`seqkit.recipe.optimizers`
        lists them); or an object of Keras, which then trains, from the object's learning rate on
        and with a schedule of its own if it has one. Such an object is copied, never changed.
    learning_rate : a number above 0, default=0.001
        Step size at the start.
    schedule : {"constant", "cosine", "plateau"}, default="cosine"
        How the learning rate goes on: along a cosine to 0 over all epochs, constant, or lowered
        when the validation loss stands still.
    steps_per_epoch : a positive integer or None, default=None
        Batches of windows drawn at random make an epoch. Default: a full pass, of at most 250
        batches.
    clipnorm : a number above 0 or None, default=1.0
        Largest global norm of a gradient, against exploding ones; None = no limit.
    loss : {"auto", "mae", "mse", "huber", "pinball", "nll"}, default="auto"
        What training minimises; auto is mae, or pinball with quantiles, or nll (negative log
        likelihood) with a distribution.
    patience : an integer of 0 or more or "auto", default="auto"
        Epochs without a better validation loss before training stops and the best weights are
        restored; an epoch of fewer than 50 gradient steps counts as a part. 0 = never, the last
        weights are kept. auto = 10 if the validation part holds 50 windows or more; else 0.
    validation : str, default="auto"
        End of every series, before a test part, held back for early stopping: a number of time
        steps, or a fraction of each series. 0 = none; auto = 0.15 if patience is set, else 0, since
        the end of a series is missed in training; refit = once training has stopped, train anew on
        all for as many epochs, with the schedule run to its end; {refit: 0.2} says how much is held
        back meanwhile, else 0.15; with fewer than 50 windows in it nothing is held back. One of a
        number of time steps or a fraction below 1, "auto", "refit" or {"refit": 0.2.
    start : path, fitted estimator or None, default=None
        Fit whose weights training begins from: all of equal layers are taken, with their scaling;
        what differs, such as the head for other classes, begins anew and is named. Settings of the
        network that are auto stay as in that fit. None = weights are drawn. It is a run folder, a
        folder that ``save`` has written, or a fitted estimator, which scikit-learn's clone keeps in
        ``sklearn.frozen.FrozenEstimator`` only.
    freeze : a list of values, each the name of a layer, default=()
        Layers of the start that are not trained: encoder = all up to the last recurrent or
        convolutional one, head = those after it, or names as --dry-run shows them. Batch
        normalisation in them keeps its averages.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit, with the optimizer's state, instead of starting
        anew.
    random_state : int, RandomState instance or None, default=None
        The same integer gives the same weights, to the bit.
    verbose : int, default=0
        1 shows a progress bar; where there is no terminal, a line now and then.
    ensemble : a positive integer, default=1
        Networks trained with different seeds and combined by the median; at least one for each
        context length.
    combine_with : {"none", "theta", "auto"}, default="auto"
        A forecast that the network's is averaged with: theta = level, trend and season of the last
        ten seasons, smoothed. auto = theta where the series (by their median length) hold 2 to 30
        seasons, or steps where a season is 1, and there are no past or future covariates, which it
        does not see; else none.
    combination : {"equal", "learned"}, default="equal"
        How much of the forecast is that of `combine_with`: equal = half; learned = the share with
        the least error on windows before the end of the series, by a second fit without them, and
        shrunk to half where they are few.
    target_transform : {"none", "log", "box_cox"}, default="none"
        What the network sees and forecasts of a target, of values above 0: log = its logarithm;
        box_cox = the power in [0, 1] by which the spread of all series is least bound to their
        level (Guerrero 1993); undone on the output, where a mean becomes one of logarithms or
        powers, and a quantile stays one.
    series_id : a column's name or None, default=None
        Column that tells which series a row belongs to; for forecasting, default `unique_id` where
        there is one.
    time : a column's name, a list of different columns' names or None, default=None
        Column of time stamps, or a list of those that make one: a date and a time of day, a year
        and a month or quarter. For forecasting, default `ds`, or the only column of dates.
    target : a column's name, a list of different columns' names or None, default=None
        Column to forecast; a list forecasts several together. Default: `y`, or the only numeric
        column left over.
    past_covariates : a list of different columns' names, default=()
        Columns known up to now only.
    future_covariates : a list of different columns' names, default=()
        Columns known over the horizon too; asked for when forecasting.
    static_covariates : a list of different columns' names, default=()
        Columns with one value a series; text is embedded.
    frequency : a pandas frequency such as h, D or MS or None, default=None
        Step between time stamps, as pandas writes it. Default: inferred, and said.
    calendar : str, default=()
        Parts of the time stamp given to the model as sine and cosine; and holiday:DE, holiday:DE-BY
        for the public holidays of a country or a part of it, 1 on the day and on the day before
        (needs the package holidays). One of a list of names out of minute, hour, weekday, day,
        week, month, quarter and year_day, and holidays such as holiday:DE.

    Attributes
    ----------
    model_ : keras.Model
        Raw windows to forecasts in units; an ensemble is one model.
    weights_ : list of ndarray
        Its weights, in the order of ``model_.weights``.
    history_ : dict of str to list of float
        Loss by epoch; with a validation part also ``val_...``. Of an ensemble, the first network's.
    histories_ : list of dict
        That of every network.
    stopped_histories_ : list of dict
        With ``validation="refit"`` that of the training before, of every network.
    n_iter_, best_epoch_ : int
        Epochs run, and the one whose weights were kept; of an ensemble, the first network's.
    best_epochs_ : list of int
        The one whose weights were kept, of every network.
    auto_ : dict
        What each setting that is ``"auto"`` has become.
    trainer_ : str
        ``native``, or ``graph`` and why the network needs TensorFlow.
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
    _predictions_depend_on = (
        *FORECAST_MODEL_SETTINGS,
        "context_length",
        "ensemble",
        "combine_with",
        "combination",
        "target_transform",
    )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        head = HEADS.get(str(self.distribution))
        tags.target_tags.positive_only = head is not None and head.counts
        return tags

    # --- fitting -------------------------------------------------------------------------------

    @apart_from_settings
    def fit(
        self,
        X: SeriesInput,
        y: TargetInput | None = None,
        sample_weight: WeightInput = None,
        *,
        validation_data: ValidationData = None,
        callbacks: Iterable[keras.callbacks.Callback] = (),
        on_epoch: OnEpoch | None = None,
        resume: training.TrainingState | None = None,
    ) -> Self:
        """Learn to forecast.

        Parameters
        ----------
        X : array of shape (n_timesteps,) or (n_timesteps, n_features), or a long data frame
            One series, a row a time step in order; or one row a time step of a series. Several
            series as arrays: (n_series, n_timesteps, n_features) or a list of arrays.
        y : array of shape (n_timesteps,) or (n_timesteps, n_targets), default=None
            Target of each row; default: ``X`` itself. A target that is a column of ``X`` is
            recognised. One that is not becomes a column of a frame that has series or stamps,
            named as `y` is, with the other numbers of the frame as past covariates: forecasts see
            its past. Beside an array of features they do not, with a warning: ``predict(X)`` would
            have none.
        sample_weight : array-like, default=None
            Weight of the value at each row in the loss: of shape (n_timesteps,), a weight a row;
            for several series as arrays a weight a series, or an array a series. Weights are taken
            as they are, never normalised; statistics of scaling do not depend on them.
        validation_data : tuple, default=None
            ``(X,)``, ``(X, y)`` or ``(X, y, sample_weight)`` to validate on, instead of the end
            `validation` of every series: all windows with a full context in these series.
        callbacks : iterable of keras.callbacks.Callback, default=()
        on_epoch : callable, default=None
            ``on_epoch(epoch, logs, get_state)`` after each epoch.
        resume : seqkit.training.TrainingState, default=None
            Continue an interrupted fit.

        Returns
        -------
        self : the estimator

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
            sample_weight,
            validation_data=validation_data,
            callbacks=callbacks,
            on_epoch=on_epoch,
            resume=resume,
            going_on=self.warm_start and self.__sklearn_is_fitted__(),
        )

    @apart_from_settings
    def partial_fit(
        self, X: SeriesInput, y: TargetInput | None = None, sample_weight: WeightInput = None
    ) -> Self:
        """Make one pass over the windows of further series, going on from the weights reached.

        Scaling keeps the statistics of the first call; the learning rate is constant where a cosine
        would need to know how many passes there will be. Forecasts without `X` go on from the end
        of the last series given. Of an ensemble the optimizers begin anew in each pass.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`: the same columns or features.

        Returns
        -------
        self : the estimator
        """
        going_on = self.__sklearn_is_fitted__()
        return self._guarded(self._fit, X, y, sample_weight, going_on=going_on, partial_pass=True)

    def untrained(self, X: SeriesInput, y: TargetInput | None = None) -> keras.Model:
        """Return the ``keras.Model`` that :meth:`fit` would train on these data.

        Its scaling layers are fitted, its weights are those the fit would begin with; the
        estimator itself stays as it is.
        """
        whole, constants = self._planned(X, y)
        return whole.keras_model(self._drawn(whole, constants))

    def _planned(self, X: Any, y: Any = None) -> tuple[Architecture, dict[str, np.ndarray]]:
        """Return the network that a fit would train, and the statistics of its scaling layers."""
        other = self._unfitted()
        settings = other._settings()
        panel = other._read(X, y)
        other.auto_ = other._chosen_of(panel)
        share = forecast_validation(settings["validation"], settings["patience"])
        (train, _), (held, _), _ = other._divided(panel, X, None, None, share)
        _, padded = window_sources(train, held, other._contexts, other._fitted.horizon)
        other._variable_length_ = padded
        seen = other._seen((train, None), learn=True)[0]
        return other._build(), scaling_statistics(seen, self.scale, other._normalize)
