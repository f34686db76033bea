"""Predict a number, or several, from whole series with a recurrent network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array

from seqkit.data.scaling import fit_scaler
from seqkit.estimators.base import SeriesEstimator
from seqkit.estimators.examples import Examples, check_size, tell_of_precision
from seqkit.estimators.inputs import SeriesInput, TargetInput, WeightInput, apart_from_settings
from seqkit.estimators.intervals import Intervals
from seqkit.estimators.long_frames import LongFrames
from seqkit.estimators.settings import RegressorSettings
from seqkit.estimators.training_parts import sync_standardized
from seqkit.network.losses import Objective

__all__ = ["SequenceRegressor"]


class SequenceRegressor(RegressorSettings, LongFrames, RegressorMixin, Intervals, SeriesEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predict a number, or several, from whole series with a recurrent network.

    Use it for what a series leads to as a whole: remaining useful life, a score, a dose. The
    network is that of :func:`seqkit.build_regressor`. The target is standardised for training
    and brought back to its units by the model's last layer.

    Parameters
    ----------
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer, a list of them or of such lists or "auto", default="auto"
        Width of the recurrent layer; a list is a stack of layers, and a list of lists has a stack
        for each network of train.ensemble. auto = [32, 64], with residual sums [64, 64]; behind a
        stem [32], unless layers are wanted.
    bidirectional : true or false or "auto", default="auto"
        Run every layer in both directions and join the results. auto = where there is more than one
        step after patching.
    dropout : a number from 0 to below 1, default=0.2
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
    pooling : {"last", "mean", "max", "mean_max", "attention", "auto"}, default="auto"
        How the steps of a series become one vector; padding never counts. auto = mean_max, of one
        step after patching last.
    patch : a positive integer or a list of them or "auto", default="auto"
        Time steps folded into one before the first recurrent layer: shorter recurrences. auto = so
        many that about 32 are left of a series of median length; with a pyramid so many of the
        layers above the first. A list has a value for each network of train.ensemble.
    overlap : an integer of 0 or more or a list of them or "auto", default="auto"
        Time steps of its neighbours that a patch reads besides its own, half of them of each. auto
        = as many as its own; 0 where patch is set. A list has a value for each network of
        train.ensemble.
    pyramid : a positive integer or a list of them or "auto", default="auto"
        States of the first recurrent layer that the layers above it read as one step (Chan et al.
        2016); the steps of both are pooled. 1 = none. A list has a value for each network of
        train.ensemble. auto = about 3, 1 in every second network; 1 where patch or residual is set,
        or one layer.
    deviations : true or false or "auto", default="auto"
        Give the network each value a second time, as its deviation from the mean of its time step
        over all training series, by the spread there: for series of one length that share a course
        and differ by little. auto = if the mean course explains 0.95 of the variance of 20 series
        or more.
    differences : true or false or a list of them or "auto", default="auto"
        Give the network each value a second time, as its difference from the one a time step
        before, by the spread of these: of smooth series, whose shape is small beside their level. A
        list has a value for each network of train.ensemble. auto = for classes, in networks of both
        directions, with a stem in every second one, where that spread is below that of the values,
        unless normalize is series.
    averages : a list of values, each an integer from 2 to 1000, default=()
        Give the network each value again as the mean of itself and all before it, in which a step
        weighs 1 - 1/n times as much as the one after it, for each n of the list: of noisy
        measurements under which something changes slowly.
    moves : a list of values, each an integer or "auto", default="auto"
        Read each series at several offsets when predicting, its ends repeated; the mean of what the
        network makes of them goes to the head. In training a series is read once, moved at random
        by train.shift. auto = back and forth by train.shift and by half of it, and not at all; [] =
        as it stands.
    stem : None, a map of filters, kernel_size, stride, layers and pooling or "auto", default=None
        Convolutions over time before the recurrent layers, each with batch normalisation and ReLU;
        {} = [32, 64, 64] filters of [9, 7, 5] steps; None = none. Its steps are what patch folds,
        which is then 1 unless it is set, and, pooled, what the head reads beside the recurrent
        layers (pooling: none = it does not). auto = what a classifier has. A list has a value for
        each network of train.ensemble.
    branch : fcn, a map of filters, kernel_size, stride, layers and pooling or None, default=None
        Convolutions over time beside the recurrent layers, each with batch normalisation and ReLU;
        their pooled steps stand beside those of the recurrent layers. fcn = [128, 256, 128] filters
        of [8, 5, 3] steps (Karim et al. 2018). A list has a value for each network of
        train.ensemble.
    normalize : {"none", "series"}, default="none"
        Each series by its own mean and spread, feature by feature, which the network then does not
        see.
    layer_norm : bool, default=False
        Normalise each step by its own features before every recurrent layer but the first (Ba et
        al. 2016).
    input_dropout : a number from 0 to below 1, default=0.0
        Share of the (scaled) values of a series that is dropped.
    missing : {"error", "interpolate", "indicator"}, default="error"
        What becomes of missing values: an error, linear interpolation within the series, or the
        last value and one more feature a channel that marks the gap.
    epochs : a positive integer or "auto", default="auto"
        Most passes over the training part. auto = so many that there are 3000 gradient steps, but
        1000 at most, and fewer where the longest series are many times the median.
    batch_size : a positive integer or "auto", default="auto"
        Series in a gradient step. auto = about a 10th of them, a power of two from 8 to 64.
    optimizer : str, dict or keras.optimizers.Optimizer, default="adam"
        Gradient method: one of adam, adamw, nadam, rmsprop, sgd or lion; or a dict of such a name
        and its options, as ``{"name": "sgd", "momentum": 0.9}`` (:mod:`seqkit.recipe.optimizers`
        lists them); or an object of Keras, which then trains, from the object's learning rate on
        and with a schedule of its own if it has one. Such an object is copied, never changed.
    learning_rate : a number above 0 or "auto", default="auto"
        Step size at the start. auto = 0.003.
    schedule : {"constant", "cosine", "plateau"}, default="cosine"
        How the learning rate goes on: along a cosine to 0 over all epochs, constant, or lowered
        when the validation loss stands still.
    steps_per_epoch : a positive integer or None, default=None
        Batches drawn at random make an epoch, instead of a full pass: for long or many series.
    clipnorm : a number above 0 or None, default=1.0
        Largest global norm of a gradient, against exploding ones; None = no limit.
    loss : {"auto", "mse", "mae", "huber", "pinball"}, default="auto"
        What training minimises; auto is mse, or pinball with quantiles.
    patience : an integer of 0 or more or "auto", default="auto"
        Epochs without a better validation loss before training stops and the best weights are
        restored; an epoch of fewer than 50 gradient steps counts as a part. 0 = never, the last
        weights are kept. auto = 10 if the validation part holds 50 series or more and 2 of every
        class; else 0.
    validation : a fraction from 0 to below 1, "auto", "refit" or {"refit": 0.2}, default="auto"
        Fraction of the training series held back for early stopping. 0 = none; auto = 0.15 if that
        is 250 series or more and 2 of every class, or if patience is set; else 0; refit = once
        training has stopped, train anew on all for as many epochs, with the schedule run to its
        end; {refit: 0.2} says how much is held back meanwhile, else 0.15; with fewer than 50 series
        in it nothing is held back.
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
    series_id : a column's name or None, default=None
        Column that tells which series a row belongs to; for forecasting, default `unique_id` where
        there is one.
    time : a column's name, a list of different columns' names or None, default=None
        Column of time stamps, or a list of those that make one: a date and a time of day, a year
        and a month or quarter. For forecasting, default `ds`, or the only column of dates.
    target : a column's name, a list of different columns' names or None, default=None
        Column to learn; a list learns several together. Files that carry their own labels (.ts,
        .tsv) need none.
    features : a list of different columns' names or None, default=None
        Columns of values. Default: every numeric column left over.
    shift : an integer of 0 or more or "auto", default="auto"
        Move every series by up to so many time steps, to and fro, anew in every epoch, its ends
        repeated: what tells the classes apart may come a little earlier or later. 0 = never; auto =
        half a patch, of a pyramid those of its upper layers.
    augment : a map of jitter, scaling and crop or None, default=None
        Vary series in training, anew in every epoch: jitter = the spread of noise added to every
        value, scaling = that of a factor around 1 for each feature of a series, both of scaled
        values (Um et al. 2017); crop = the least share of a series that is cut out and stretched to
        its length (Le Guennec et al. 2016). {jitter: 0.03, scaling: 0.1, crop: 0.9} is usual; shift
        moves them. None = as they are.
    ensemble : a positive integer or "auto", default="auto"
        Networks trained with different seeds, whose predictions are averaged. auto = 4, or 2 or 1
        where training them is long; 1 where epochs are set.
    quantiles : a rising list of numbers between 0 and 1 or None, default=None
        Quantiles to predict, e.g. [0.1, 0.5, 0.9], of every target; the middle one is the
        prediction. None = a point.
    calibration : a fraction from 0 to below 1, default=0.0
        Share of the training series that is not trained on: by its errors conformal intervals are
        calibrated (Lei et al. 2018; around quantiles Romano et al. 2019). 0 = none.

    Attributes
    ----------
    model_ : keras.Model
        Raw values to the target, in its units.
    weights_ : list of ndarray
        Its weights, in the order of ``model_.weights``.
    history_ : dict of str to list of float
        Loss by epoch (of the standardised target); with a validation part also ``val_...``.
    n_features_in_ : int
        Features a time step, or columns of a two-dimensional `X`.
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

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit import SequenceRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 12, size=40)]
    >>> y = [100 * x[:, 0].mean() for x in X]
    >>> model = SequenceRegressor(cell="gru", units=16, epochs=60, learning_rate=0.02,
    ...                           validation=0, patience=0, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.8)
    True
    """

    _task = "regression"
    _predictions_depend_on = (*SeriesEstimator._predictions_depend_on, "quantiles")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: SeriesInput) -> npt.NDArray[np.float64]:
        """Return the target of each series, in its units: ``(n_series,)`` or ``(n_series, k)``.

        With `quantiles` it is the middle one of them.
        """
        output = self._in_units(X)
        if output.ndim == 3:
            output = self._head[0].mean(output)
        return output if self._many_targets_ else output[:, 0]

    @apart_from_settings
    def partial_fit(
        self, X: SeriesInput, y: TargetInput | None = None, sample_weight: WeightInput = None
    ) -> Self:
        """Make one pass over further series, going on from the weights reached.

        Parameters are those of :meth:`fit`. Scaling keeps the statistics of the first call; the
        learning rate is constant where a cosine would need to know how many passes there will be.
        """
        going_on = self.__sklearn_is_fitted__()
        return self._guarded(self._fit, X, y, sample_weight, going_on=going_on, partial_pass=True)

    def _encode_target(self, y: Any, reset: bool) -> np.ndarray:
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        y = check_array(
            y, ensure_2d=False, allow_nd=False, dtype=np.float64, input_name="y", estimator=self
        )
        if reset:
            self._many_targets_ = y.ndim == 2 and y.shape[1] > 1
            self._n_targets_ = y.shape[1] if y.ndim == 2 else 1
        check_size(y, type(self).__name__, "y")
        target: np.ndarray = y.reshape(len(y), -1)
        if target.shape[1] != self._n_targets_:
            owner, n_columns = type(self).__name__, target.shape[1]
            raise ValueError(f"{owner}: y must have {self._n_targets_} columns; got {n_columns}.")
        return target

    def _fit_statistics(self, train: Examples) -> dict[str, np.ndarray]:
        self._offset_, self._spread_ = fit_scaler("standard", train.target, train.given)
        tell_of_precision(
            train.target,
            self._spread_,
            f"{type(self).__name__}: target {{}}",
            "predict works in float64, but model_ and what is saved or exported for others give "
            "float32",
        )
        return {
            **super()._fit_statistics(train),
            "output/offset": self._offset_,
            "output/scale": self._spread_,
        }

    def _sync_scaling(self, weights: Mapping[str, list[np.ndarray]]) -> None:
        self.__dict__.pop("_scores_", None)  # of other weights
        sync_standardized(self, weights)

    def _trained_target(self, target: np.ndarray) -> np.ndarray:
        return ((target - self._offset_) / self._spread_).astype(np.float32)

    def _objective(self) -> Objective:
        head, levels, _ = self._head
        loss = self._row.loss if self.loss in ("auto", "pinball") else self.loss
        return Objective("number", loss, head.name, levels)

    def _builder(self) -> tuple[str, dict[str, Any]]:
        levels = self._head[1]
        quantiles = {"quantiles": list(levels)} if levels else {}
        return "regressor", {"n_targets": self._n_targets_, **quantiles}
