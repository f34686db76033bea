"""Label every time step of a series with a recurrent network; or tell the next step of each."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
)

from seqkit import training
from seqkit.auto import AUTO
from seqkit.auto_steps import choose_for_steps
from seqkit.data.steps import NEXT
from seqkit.estimators.base import STEPS_BATCH, SeriesEstimator
from seqkit.estimators.checking import classes_of_pass
from seqkit.estimators.examples import Examples
from seqkit.estimators.generating import Generating
from seqkit.estimators.inputs import (
    OnEpoch,
    SeriesInput,
    TargetInput,
    ValidationData,
    WeightInput,
    apart_from_settings,
    available,
)
from seqkit.estimators.long_frames import stepwise
from seqkit.estimators.next_numbers import NextNumbers, of_labels
from seqkit.estimators.settings import ColumnSettings, TaggerSettings
from seqkit.estimators.step_reading import StepReading
from seqkit.estimators.streaming import network_stream
from seqkit.network.architecture import Architecture
from seqkit.network.losses import Objective, softened
from seqkit.network.settings import StepsNetwork, names_of

if TYPE_CHECKING:
    import keras

__all__ = ["SequenceTagger"]

log = logging.getLogger(__name__)

Answers: TypeAlias = npt.NDArray[Any] | list[npt.NDArray[Any]]
_NETWORK = names_of(StepsNetwork)
MOST_STEPS = 4000
"""Steps whose states are kept side by side; of longer series, such as a text of a million, only the
last are, where there is one direction."""


class SequenceTagger(TaggerSettings, StepReading, NextNumbers, Generating, SeriesEstimator):
    """Label every time step of a series with a recurrent network.

    Use it where the answer to a step depends on the steps around it: phonemes of speech, parts of
    speech, phases of a machine, the notes of the next chord. The network is that of
    :func:`seqkit.build_tagger`; it is trained on the cross-entropy, mean over all steps. Series are
    of numbers, or of tokens: lists of texts, or texts, whose tokens are the characters. A token
    that the fit has not seen is answered as an unknown one. With `y` of 0 and 1 for several labels
    a step the network learns each label apart (a sigmoid each).

    With ``target="next"`` there is no `y`: the model learns the token of the next step from the
    steps so far, as a language model does (Bengio et al. 2003), so that :meth:`generate` can go on
    with a series. Of series of 0 and 1 it learns the labels of the next step; of series of other
    numbers their distribution, a mixture of normal distributions (Bishop 1994; Graves 2013, section
    4), trained on the negative log-likelihood: :meth:`predict_mixture` gives it, :meth:`predict`
    its mean.

    Parameters
    ----------
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer or a list of them, default=64
        Width of the recurrent layer; a list is a stack of layers.
    bidirectional : true or false or "auto", default="auto"
        Run every layer in both directions and join the results. auto = unless target is next, where
        the backward direction would see what is asked.
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
    embedding : a positive integer or None, default=None
        Numbers that stand for a token, learned. Default: 64; of tokens only.
    mixture : a positive integer or None, default=None
        Normal distributions whose mixture tells the numbers of the next step (Bishop 1994).
        Default: 5; of target next and series of numbers only.
    missing : {"error", "interpolate", "indicator"}, default="error"
        What becomes of missing values: an error, linear interpolation within the series, or the
        last value and one more feature a channel that marks the gap.
    epochs : a positive integer or "auto", default="auto"
        Most passes over the training part. auto = so many that there are 3000 gradient steps, but
        1000 at most, and fewer where that would take longer than some minutes.
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
        What training minimises; auto is crossentropy, of the numbers of the next step their
        negative log-likelihood.
    patience : an integer of 0 or more or "auto", default="auto"
        Epochs without a better validation loss before training stops and the best weights are
        restored; an epoch of fewer than 50 gradient steps counts as a part. 0 = never, the last
        weights are kept. auto = 10 if the validation part holds 50 series or more; else 0.
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
        Column of the label of each step, or a list of columns of 0 and 1, several labels a step;
        next = no column: what is learned is the token of the next step from those so far; where all
        features are of 0 and 1 its labels, and where they are of other numbers the distribution of
        its numbers.
    features : a list of different columns' names or None, default=None
        Columns of values; or one column of text, whose values are tokens. Default: every numeric
        column left over, or the only column of text.
    class_weight : "balanced", None or a map from every label to a number above 0, default=None
        Weight of the steps of each class in the loss: balanced = inversely to its frequency, or a
        map from label to weight.
    label_smoothing : a number from 0 to below 1, default=0.0
        Share of the truth that all classes have alike in the loss: with n of them the true one is
        taken to be 1 - label_smoothing + label_smoothing / n (Szegedy et al. 2016). It guards
        against probabilities near 0 and 1; scores are of the labels as they are.
    piece_length : a positive integer, "auto" or None, default="auto"
        Steps of the pieces that longer series are cut into for training, each a series of its own;
        None = series stay whole. auto = 200 where the longest series has more than 1000 steps.
    augment : a map of jitter and scaling or None, default=None
        Vary series in training, anew in every epoch: jitter = the spread of noise added to every
        value, scaling = that of a factor around 1 for each feature of a series, both of scaled
        values (Um et al. 2017). Of numbers only; None = as they are.
    focal_gamma : a number above 0 or None, default=None
        How little the loss focal, -(1 - p)^focal_gamma log p of the probability p of the truth (Lin
        et al. 2017), counts what is sure already. Default: 2; of focal only.

    Attributes
    ----------
    model_ : keras.Model
        Raw values, or codes of tokens, to class probabilities of every step; of next numbers to
        mixtures, ``(batch, n_timesteps, n_components, 1 + 2 n_features)``.
    weights_ : list of ndarray
        Its weights, in the order of ``model_.weights``.
    history_ : dict of str to list of float
        Loss and accuracy (of numbers none) of steps by epoch; with a validation part also
        ``val_...``.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; of several labels their numbers; of next numbers there are none.
    tokens_ : ndarray of shape (n_tokens,)
        The tokens, sorted, where series are of tokens; code 0 of the network is an unknown one,
        code 1 the first of them.
    n_features_in_ : int
        Features a time step; 1 of tokens.
    stopped_histories_ : list of dict
        With ``validation="refit"`` that of the training before.
    n_iter_, best_epoch_ : int
        Epochs run, and the one whose weights were kept.
    best_epochs_ : list of int
        The same, of every network: there is one.
    auto_ : dict
        What each setting that is ``"auto"`` has become.
    trainer_ : str
        ``native``, or ``graph`` and why the network needs TensorFlow.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit import SequenceTagger
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 12, 1))
    >>> y = np.where(X[:, :, 0].cumsum(axis=1) > 0, "up", "down")
    >>> tagger = SequenceTagger(units=8, epochs=30, learning_rate=0.02, random_state=0).fit(X, y)
    >>> tagger.predict(X).shape, tagger.predict_proba(X).shape
    ((40, 12), (40, 12, 2))
    >>> bool(tagger.score(X, y) > 0.8)
    True
    """

    _task = "tagging"
    _predictions_depend_on = (*_NETWORK, "missing", *names_of(ColumnSettings))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = tags.target_tags.two_d_labels = True
        tags.target_tags.required = self.target != NEXT
        tags.input_tags.string = True
        return tags

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
        """Fit the model to series and the labels of their steps.

        Parameters
        ----------
        X : array-like of shape (n_series, n_timesteps) or (n_series, n_timesteps, n_features), \
or a list of (n_timesteps_i, n_features) arrays, of lists of tokens or of texts, or a data frame
            The series. A frame has a row a time step; `series_id` (or ``unique_id``) names the
            series of each, `target` the label, and a single feature of text is a token.
        y : array-like of shape (n_series, n_timesteps) or (n_series, n_timesteps, n_labels), or a \
list of (n_timesteps_i,) or (n_timesteps_i, n_labels) arrays, default=None
            A label, or several of 0 and 1, for every step of each series. Left out with
            ``target="next"``, where series are of tokens or numbers themselves, and where `target`
            names a column.
        sample_weight : array-like of shape (n_series,), default=None
            Weight of each series in the loss and in the statistics of scaling.
        validation_data : tuple, default=None
            ``(X, y)`` or ``(X, y, sample_weight)`` to validate on, instead of the share
            ``validation`` of the training series (of pieces, where series are cut).
        callbacks, on_epoch, resume
            As of :meth:`SequenceClassifier.fit`.

        Returns
        -------
        self : the estimator

        Raises
        ------
        ValueError, TypeError
            If a setting or the data are not what they must be; the estimator is then left as it
            was.
        seqkit.errors.TrainingError
            If the loss is no longer finite.
        """
        fitted: Self = super().fit(
            X, y, sample_weight, validation_data=validation_data, callbacks=callbacks,
            on_epoch=on_epoch, resume=resume,
        )  # fmt: skip
        return fitted

    @apart_from_settings
    def partial_fit(
        self,
        X: SeriesInput,
        y: TargetInput | None = None,
        classes: npt.ArrayLike | None = None,
        sample_weight: WeightInput = None,
    ) -> Self:
        """Make one pass over further series, going on from the weights reached.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`. Scaling keeps the statistics of the first call, and so do the tokens:
            one that comes later is an unknown one.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call if `y` lacks some. Of several
            labels a step, and with ``target="next"``, none.
        """
        going_on, classes = classes_of_pass(self, classes)
        return self._guarded(
            self._fit, X, y, sample_weight, going_on=going_on, partial_pass=True, classes=classes
        )

    # -- prediction --------------------------------------------------------------------------

    @available(of_labels)
    def predict_proba(self, X: SeriesInput) -> Answers:
        """Return the probability of each class at every step, as `classes_`.

        An array ``(n_series, n_timesteps, n_classes)`` where the series are of one length, else a
        list of arrays ``(n_timesteps_i, n_classes)``. Of several labels it is that of each label,
        of ``target="next"`` that of each token, or label, at the next step.
        """
        logits, lengths = self._raw_steps(X)
        if self._multilabel_:
            return _cut(np.exp(-np.logaddexp(0.0, -logits)), lengths)
        return _cut(np.exp(_log_softmax(logits)), lengths)

    @available(of_labels)
    def predict_log_proba(self, X: SeriesInput) -> Answers:
        """Return the logarithm of each class's probability, in the form of :meth:`predict_proba`.

        It comes from the logits, so that what is very unlikely has a finite logarithm.
        """
        logits, lengths = self._raw_steps(X)
        logs = -np.logaddexp(0.0, -logits) if self._multilabel_ else _log_softmax(logits)
        return _cut(logs, lengths)

    def predict(self, X: SeriesInput) -> Answers:
        """Return the most probable class of every step; of next numbers their mean.

        An array ``(n_series, n_timesteps)`` where the series are of one length, else a list of
        arrays. Of several labels: 1 where a label is more probable than not, with another axis; of
        numbers ``(n_series, n_timesteps, n_features)``, in the units of the data.
        """
        logits, lengths = self._raw_steps(X)
        if self._of_numbers:
            return _cut(self._mixture_of(logits).mean(), lengths)
        if self._multilabel_:
            return _cut((logits > 0).astype(np.int64), lengths)
        return _cut(self.classes_[logits.argmax(axis=-1)], lengths)

    def score(
        self, X: SeriesInput, y: TargetInput | None = None, sample_weight: WeightInput = None
    ) -> float:
        """Return the accuracy of steps; of several labels a step counts by the share right.

        Of the numbers of next steps it is their mean log-likelihood, in nats a step and in the
        units of the data, as scikit-learn's density models score: a distribution was learned, and
        the likelihood alone says how good all of it is.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        X, y = stepwise(self, X, y)
        check_is_fitted(self)
        if self._of_numbers:
            if y is not None:
                self._refuse_target(y)
            return self._numbers_score(X, sample_weight)
        answers, truth = list(self.predict(X)), self._truth(X, y)
        if self._fitted.target == NEXT:
            answers = [one[:-1] for one in answers]
        right = [one == other for one, other in zip(answers, truth, strict=True)]
        weight = np.ones(len(truth))
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, weight, ensure_non_negative=True)
        steps = np.repeat(weight, [one.size for one in right])
        return float(np.average(np.concatenate([one.ravel() for one in right]), weights=steps))

    def _raw_steps(self, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what the loss sees of every step, as logits, and the lengths of the series."""
        check_is_fitted(self)
        padded = self._check_X(X, reset=False)
        n_steps, both = padded.values.shape[1], self._member(0).settings["bidirectional"]
        if n_steps <= MOST_STEPS or both:
            return self._predict_raw(padded, self._trained_output)[0], padded.lengths
        n = len(padded.values)
        lengths = np.full(n, n_steps) if padded.lengths is None else padded.lengths
        order, values = np.argsort(lengths, kind="stable"), padded.values.reshape(n, n_steps, -1)
        network = self._member(0).network
        found = np.zeros((n, n_steps, network.shapes[network.trained][-1] or 0))
        for k in range(0, n, STEPS_BATCH):  # of like length
            rows, longest = order[k : k + STEPS_BATCH], int(lengths[order[k : k + STEPS_BATCH][-1]])
            stream = network_stream(self, len(rows), owner=type(self).__name__, logits=True)
            answers = stream.run(values[rows, :longest].transpose(1, 0, 2))
            found[rows, :longest] = answers.transpose(1, 0, 2)
        return found, padded.lengths

    def _choose(
        self, settings: dict[str, Any], examples: Examples, held: Examples | None
    ) -> dict[str, Any]:
        # how long a piece may be was decided where the series were cut
        kept = {k: v for k, v in self.auto_.items() if k == "piece_length"}
        watched = None if held is None else _lengths_of(held)
        return kept | choose_for_steps(settings | kept, _lengths_of(examples), watched)

    def _tell_of_collapse(self, examples: Examples) -> None:
        """Say nothing here: a run's scores stand beside those of the most frequent label."""

    # -- network -----------------------------------------------------------------------------

    @property
    def _n_networks(self) -> int:
        return 1

    def _read_shape(self, train: Examples) -> None:
        self._variable_length_ = train.padded.lengths is not None

    def _fit_statistics(self, train: Examples) -> dict[str, np.ndarray]:
        self._n_course_ = 0  # no deviations from a course
        if self._of_tokens:
            return {}
        found = super()._fit_statistics(train)
        return self._numbers_statistics(found) if self._of_numbers else found

    @property
    def _trained_output(self) -> str | None:
        return "mixture" if self._of_numbers else self._row.trained_output

    def _objective(self) -> Objective:
        if self._of_numbers:
            return self._numbers_objective()
        kind = "binary_crossentropy" if self._multilabel_ else "crossentropy"
        return softened(Objective(kind, steps=True), self)

    def _member(
        self, number: int, variable_length: bool | None = None, longest: int | None = None
    ) -> Architecture:
        settings: dict[str, Any] = {name: getattr(self._fitted, name) for name in _NETWORK}
        both = getattr(self, "auto_", {}).get("bidirectional", settings["bidirectional"])
        settings |= {
            "bidirectional": self._fitted.target != NEXT if both == AUTO else both,
            "n_timesteps": None,
            "n_features": None if self._of_tokens else self._n_channels_,
            "n_classes": None if self._of_numbers else len(self.classes_),
            "mixture": self._n_components if self._of_numbers else None,
            "variable_length": self._variable_length_
            if variable_length is None
            else variable_length,
            "multilabel": self._multilabel_,
        }
        if self._of_tokens:
            settings["n_tokens"] = len(self.tokens_) + 1
        if settings["bias_initializer"] == "chrono":
            if longest:
                settings["max_timesteps"] = longest
            else:  # only what a fit begins with depends on it; now nothing is drawn
                settings["bias_initializer"] = "forget_one"
        return Architecture("tagger", settings)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logs: np.ndarray = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return logs


def _lengths_of(examples: Examples) -> list[int]:
    lengths = examples.padded.lengths
    if lengths is None:
        return [examples.target.shape[1]] * len(examples.target)
    return [int(n) for n in lengths]


def _cut(padded: np.ndarray, lengths: np.ndarray | None) -> Answers:
    """Return answers without the padding: an array, or a list where lengths differ."""
    if lengths is None:
        return padded
    return [one[:n] for one, n in zip(padded, lengths.tolist(), strict=True)]
