"""Classify whole series with a recurrent network."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from seqkit.auto import AUTO
from seqkit.errors import explain
from seqkit.estimators.base import SeriesEstimator
from seqkit.estimators.calibrating import Calibrating
from seqkit.estimators.checking import classes_of_pass
from seqkit.estimators.inputs import (
    SeriesInput,
    TargetInput,
    WeightInput,
    apart_from_settings,
    available,
)
from seqkit.estimators.long_frames import LongFrames
from seqkit.estimators.settings import ClassifierSettings
from seqkit.network.losses import Objective, softened

__all__ = ["SequenceClassifier"]


class SequenceClassifier(
    ClassifierSettings,
    Calibrating,
    LongFrames,
    ClassifierMixin,  # type: ignore[misc]  # scikit-learn has no types
    SeriesEstimator,
):
    """Classify whole series with a recurrent network.

    Use it where the class of a series depends on how it unfolds: gait, vibration, speech.
    The network is that of :func:`seqkit.build_classifier`; it is trained on the cross-entropy. With
    `y` of 0 and 1 for several labels a series, ``(n_series, n_labels)``, it learns each label apart
    (a sigmoid each, binary cross-entropy); the validation part then holds every label in its
    proportion as far as that is possible (Sechidis, Tsoumakas and Vlahavas 2011), and of
    ``history_`` the accuracy is that of single labels, where :meth:`score` counts the series whose
    labels are all right.

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
    stem : None, a map of filters, kernel_size, stride, layers and pooling or "auto", default="auto"
        Convolutions over time before the recurrent layers, each with batch normalisation and ReLU;
        {} = [32, 64, 64] filters of [9, 7, 5] steps; None = none. Its steps are what patch folds,
        which is then 1 unless it is set, and, pooled, what the head reads beside the recurrent
        layers (pooling: none = it does not). auto = those, with strides of 2 while they leave 20
        steps of a series of median length; none in the third and fourth network of an ensemble of
        both directions, nor where patch, overlap or pyramid is set. A list has a value for each
        network of train.ensemble.
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
    loss : {"auto", "crossentropy", "focal"}, default="auto"
        What training minimises; auto is crossentropy.
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
    target : a column's name or None, default=None
        Column of the class label. Files that carry their own labels (.ts, .tsv) need none.
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
    class_weight : "balanced", None or a map from every label to a number above 0, default=None
        Weight of each class in the loss: balanced = inversely to its frequency, or a map from label
        to weight.
    label_smoothing : a number from 0 to below 1, default=0.0
        Share of the truth that all classes have alike in the loss: with n of them the true one is
        taken to be 1 - label_smoothing + label_smoothing / n (Szegedy et al. 2016). It guards
        against probabilities near 0 and 1; scores are of the labels as they are.
    mixup : a number from 0 to 10 or "auto", default="auto"
        Mix every series of a batch with another one of it, and their classes by the same shares
        (Zhang et al. 2018), which are from Beta(mixup, mixup), the greater one its own: the network
        learns to be less sure between what it has seen. 0 = never; auto = 0.2 with 100 series and
        more, but not of symbols (whole numbers less than 10 apart).
    focal_gamma : a number above 0 or None, default=None
        How little the loss focal, -(1 - p)^focal_gamma log p of the probability p of the truth (Lin
        et al. 2017), counts what is sure already. Default: 2; of focal only.
    loss_goal : a number above 0, "auto" or None, default="auto"
        Training loss below which the classes are learned (with label_smoothing, above the least
        there can be): the fit then goes on for half as many epochs again, 1000 gradient steps in
        all at least, the schedule run to its end. None = none; auto = 0.001, but none where epochs
        are set or a part is held out to stop by.
    calibrate : true or false or "auto", default="auto"
        Bring the probabilities down towards the frequencies of the classes, by as much as is best
        for the validation part that training was stopped by, or else for a third of the series,
        asked of a second fit on the others. auto = where one class has 0.6 of the series or more
        and the part 50, unless epochs or class_weight are set.

    Attributes
    ----------
    model_ : keras.Model
        Raw values to class probabilities.
    weights_ : list of ndarray
        Its weights, in the order of ``model_.weights``.
    history_ : dict of str to list of float
        Loss and accuracy by epoch; with a validation part also ``val_...``.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; of several labels their numbers.
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
    calibration_ : float
        What the log probabilities of the networks were multiplied by, the rest being those of the
        frequencies of the classes; there where `calibrate` was on.
    trainer_ : str
        ``native``, or ``graph`` and why the network needs TensorFlow.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit import SequenceClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 12, 1))
    >>> y = np.where(X[:, -4:, 0].mean(axis=1) > 0, "up", "down")
    >>> model = SequenceClassifier(units=8, epochs=40, learning_rate=0.02, validation=0,
    ...                            patience=0, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (40, 2)
    >>> bool(model.score(X, y) > 0.8)
    True
    """

    _task = "classification"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def predict_proba(self, X: SeriesInput) -> npt.NDArray[np.float64]:
        """Return the probability of each class, ``(n_series, n_classes)``, as `classes_`.

        Of a model of several labels it is that of each label, whatever the others are.
        """
        probabilities: npt.NDArray[np.float64] = self._predict_raw(X).mean(0)
        if not self._labels:
            probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict_log_proba(self, X: SeriesInput) -> npt.NDArray[np.float64]:
        """Return the logarithm of each class's probability, ``(n_series, n_classes)``.

        It comes from the network's logits, so that the probability of a very unlikely class, which
        float32 rounds to 0, has a finite logarithm.
        """
        logits = self._predict_raw(X, "logits")
        if self._labels:
            return _mean_of_exp(-np.logaddexp(0.0, -logits))
        return _mean_of_exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))

    # Scikit-learn's scorers of ranks take it where it is there. Of the probabilities of two labels
    # they would take one column, as if these were the two classes of one label.
    @available(lambda self: self._labels)
    def decision_function(self, X: SeriesInput) -> npt.NDArray[np.float64]:
        """Return the logit of each label, ``(n_series, n_labels)``; of several labels only."""
        logits = self._predict_raw(X, "logits")
        if len(logits) == 1:
            only: npt.NDArray[np.float64] = logits[0]
            return only
        yes, no = (_mean_of_exp(-np.logaddexp(0.0, sign * logits)) for sign in (-1, 1))
        return yes - no

    def predict(self, X: SeriesInput) -> np.ndarray:
        """Return the most probable class of each series, ``(n_series,)``.

        Of a model of several labels: 1 where a label is more probable than not, ``(n_series,
        n_labels)``.
        """
        probabilities = self.predict_proba(X)
        if self._labels:
            return (probabilities > 0.5).astype(np.int64)
        labels: np.ndarray = self.classes_[probabilities.argmax(axis=1)]
        return labels

    @apart_from_settings
    def partial_fit(
        self,
        X: SeriesInput,
        y: TargetInput | None = None,
        classes: npt.ArrayLike | None = None,
        sample_weight: WeightInput = None,
    ) -> Self:
        """Make one pass over further series, going on from the weights reached.

        How many passes there will be is not known, so that the learning rate is constant where the
        setting is a cosine.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`. Scaling keeps the statistics of the first call.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; needed in the first call if `y` lacks some.
        """
        going_on, classes = classes_of_pass(self, classes)
        return self._guarded(
            self._fit, X, y, sample_weight, going_on=going_on, partial_pass=True, classes=classes
        )

    @property
    def _labels(self) -> bool:
        """Whether every class is there or not, whatever the others are."""
        return getattr(self, "_multilabel_", False)  # not there in folders of 0.1.0

    def _encode_target(self, y: Any, reset: bool) -> np.ndarray:
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        many = type_of_target(y, input_name="y") == "multilabel-indicator"
        if reset:
            self._multilabel_ = many
        if many or self._labels:
            return self._encode_labels(y, many, reset)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if reset and not hasattr(self, "classes_"):
            self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__}: y must have at least 2 classes; got 1 class, "
                f"{reprlib.repr(self.classes_.tolist()[0])}."
            )
        unseen = np.setdiff1d(y, self.classes_)
        if len(unseen):
            raise ValueError(
                f"{type(self).__name__}: y must hold only the classes "
                f"{reprlib.repr(self.classes_.tolist())}; got {reprlib.repr(unseen.tolist())}."
            )
        codes: np.ndarray = np.searchsorted(self.classes_, y).astype(np.int32)
        return codes

    def _encode_labels(self, y: Any, many: bool, reset: bool) -> np.ndarray:
        owner = type(self).__name__
        if isinstance(self.class_weight, Mapping):
            expected = "None or 'balanced' where y has several labels a series"
            hint = (
                "A map of classes cannot say which label it weighs: give a weight for each series "
                "as sample_weight."
            )
            raise ValueError(
                explain(owner, "class_weight", expected, dict(self.class_weight), hint)
            )
        y = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
        if reset and not hasattr(self, "classes_"):
            self.classes_ = np.arange(y.shape[1])
        fits = many and self._labels and y.shape[1] == len(self.classes_)
        if not fits or not np.isin(y, (0, 1)).all():
            expected = "a class for each series"
            if self._labels:
                expected = f"0 or 1 for each of {len(self.classes_)} labels, as in the first fit"
            raise ValueError(explain(owner, "y", expected, f"an array of shape {y.shape}"))
        labels: np.ndarray = y.astype(np.float32)
        return labels

    def _target_weight(self, target: np.ndarray, given: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        weight_of = self.class_weight
        if self._labels:  # the weights of its labels, multiplied
            weight: np.ndarray = compute_sample_weight(weight_of, target)
            return weight.astype(np.float32)
        if isinstance(weight_of, Mapping):
            unknown = set(weight_of) - set(self.classes_.tolist())
            if unknown:
                names = reprlib.repr(sorted(unknown, key=str))
                raise ValueError(
                    f"{type(self).__name__}: class_weight must name classes of y, "
                    f"{reprlib.repr(self.classes_.tolist())}; got {names}."
                )
            by_class = np.array([weight_of.get(c, 1.0) for c in self.classes_.tolist()])
        else:
            present = np.unique(target)
            by_class = np.ones(len(self.classes_))
            if given is None:
                by_class[present] = compute_class_weight(weight_of, classes=present, y=target)
            else:  # the classes' shares are those of the weights
                sums = np.bincount(target, given)[present]
                by_class[present] = sums.sum() / (len(present) * sums)
        weight = by_class[target]
        return weight.astype(np.float32)

    def _sizes(self, target: np.ndarray) -> list[int]:
        if self._labels:
            return [len(target)]
        counts = np.bincount(target, minlength=len(self.classes_))
        sizes: list[int] = counts.tolist()
        return sizes

    def _goal(self, settings: dict[str, Any], weight: np.ndarray | None) -> float | None:
        goal = super()._goal(settings, weight)
        if goal is None:
            return None
        least = self._objective().least(len(self.classes_))  # above 0 of smoothed labels
        return goal + least * (1.0 if weight is None else float(weight.mean()))

    def _objective(self) -> Objective:
        kind = "binary_crossentropy" if self._labels else "crossentropy"
        shares = self._mixes and kind == "crossentropy"
        return softened(Objective(kind, shares=shares), self)

    @property
    def _mixes(self) -> bool:
        """Whether series are mixed in training; a fit that has not begun says what is set."""
        alpha = getattr(self, "auto_", {}).get("mixup", self.mixup)
        return alpha != AUTO and bool(alpha > 0)

    def _trained_target(self, target: np.ndarray) -> np.ndarray:
        if not self._mixes:
            return target
        return target if self._labels else np.eye(len(self.classes_))[target]

    def _builder(self) -> tuple[str, dict[str, Any]]:
        return "classifier", {
            "n_classes": len(self.classes_),
            **({"multilabel": True} if self._labels else {}),
        }


def _mean_of_exp(logarithms: np.ndarray) -> npt.NDArray[np.float64]:
    """Return the logarithm of the mean, over the networks of an ensemble, of exponentials."""
    mean: npt.NDArray[np.float64] = np.logaddexp.reduce(logarithms, axis=0)
    mean -= np.log(len(logarithms))
    return mean
