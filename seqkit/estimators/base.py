"""What the sequence estimators share: checking, training, prediction, pickling.

An estimator holds its settings, the trained weights and nothing of TensorFlow; the
``keras.Model`` is built when ``model_`` is read. Training and prediction go through
:mod:`seqkit.training`: plain networks need no TensorFlow, and the shared engines of the others
trace an architecture once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
)

from seqkit import training
from seqkit.auto import AUTO
from seqkit.auto_networks import settings_of_network
from seqkit.data.sequences import Padded
from seqkit.errors import explain
from seqkit.estimators.checked import Checked
from seqkit.estimators.checking import SeriesCheck
from seqkit.estimators.diagram import Diagram
from seqkit.estimators.examples import Examples, take_series
from seqkit.estimators.fitted import FittedSettings
from seqkit.estimators.inputs import (
    OnEpoch,
    SeriesInput,
    TargetInput,
    ValidationData,
    WeightInput,
    apart_from_settings,
    is_keras_optimizer,
)
from seqkit.estimators.kept import Keeping
from seqkit.estimators.members import Members, fits_of, member_seed, seed_of
from seqkit.estimators.settings import ColumnSettings
from seqkit.estimators.starting import Starting
from seqkit.estimators.streaming import Streaming
from seqkit.estimators.training_parts import TrainingParts, inputs_of
from seqkit.network.architecture import Architecture
from seqkit.network.losses import Objective
from seqkit.network.settings import SeriesNetwork, names_of
from seqkit.recipe.schema import validate_parameters
from seqkit.stopping import patience_in_epochs, refit_of
from seqkit.tasks import TASKS, Task

if TYPE_CHECKING:
    import keras

__all__ = [
    "MODEL_SETTINGS",
    "STEPS_BATCH",
    "TRAIN_SETTINGS",
    "BaseSequenceEstimator",
    "SeriesEstimator",
]

MODEL_SETTINGS = names_of(SeriesNetwork)
STEPS_BATCH = 64
"""Series that are asked at once for answers at every step, which take as much memory as states."""
TRAIN_SETTINGS = (
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "steps_per_epoch",
    "clipnorm",
    "patience",
)


class BaseSequenceEstimator(
    Starting,
    Members,
    FittedSettings,
    Keeping,
    Diagram,
    BaseEstimator,  # type: ignore[misc]  # scikit-learn has no types
):
    """Base of all sequence estimators: settings, pickling, and the model on request.

    Every attribute whose name ends in an underscore is what a fit has left, private ones too.
    """

    _task: ClassVar[str]

    if TYPE_CHECKING:  # scikit-learn has no type hints; these are what its methods give here

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Return the settings."""

        def set_params(self, **params: Any) -> Self:
            """Change settings."""

    def _build(self) -> Architecture:
        """Return what makes the fitted architecture."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        state.pop("_model_", None)
        return state

    @property
    def model_(self) -> keras.Model:
        """The trained ``keras.Model``: raw values in, predictions in the user's units out.

        It is a copy, built when first read: training it further, or changing its weights, does
        not change the estimator's predictions. :meth:`set_weights` takes them over.
        """
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"this {type(self).__name__} has no model_ before it is fitted")
        if "_model_" not in self.__dict__:
            self._model_ = self._build().keras_model(self.weights_)
        return self._model_

    def _unfitted(self) -> Self:
        """Return a copy without a fit; what is auto of its network is that of the start."""
        other: Self = clone(self)
        return other.set_params(**self._settled(self._read_start()), start=self.start)

    @property
    def _row(self) -> Task:
        return TASKS[self._task]

    def _settings(self, held: bool = False) -> dict[str, Any]:
        """Return the settings, every one of them checked.

        `held`: a validation part is given, so that there is patience without a share to set aside.
        """
        values = self.get_params(deep=False)
        for name in ("random_state", "verbose", "warm_start"):
            values.pop(name, None)
        checked = dict(values)
        if held and not isinstance(values["validation"], str) and values["validation"] == 0:
            checked["validation"] = AUTO
        if self.start is not None:  # an object has no words of its own
            is_path = isinstance(self.start, str | os.PathLike)
            checked["start"] = os.fspath(self.start) if is_path else "a fit"
        if is_keras_optimizer(self.optimizer):
            del checked["optimizer"]
            self._check_own_rate()
        validate_parameters(type(self).__name__, self._task, checked)
        goal = values.get("loss_goal")
        if self.warm_start and goal not in (None, AUTO):
            expected = "None or auto with warm_start, where training goes on"
            raise ValueError(explain(type(self).__name__, "loss_goal", expected, goal))
        return values

    def _check_own_rate(self) -> None:
        """Raise if a learning rate is set beside an optimizer that has its own."""
        if self.learning_rate != type(self).learning_rate:
            expected = "left out beside an optimizer of Keras, which has its own"
            raise ValueError(
                explain(type(self).__name__, "learning_rate", expected, self.learning_rate)
            )

    def _guarded(self, method: Callable[..., None], *args: Any, **kwargs: Any) -> Self:
        """Run a fit; if it fails, leave the estimator as it was before."""
        before = dict(self.__dict__)
        try:
            method(*args, **kwargs)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        self._keep_nothing()
        return self

    def _forget(self) -> None:
        """Drop all that an earlier fit has left."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            del self.__dict__[name]


class SeriesEstimator(Streaming, TrainingParts, SeriesCheck, BaseSequenceEstimator):
    """Base of the estimators of labelled series, beside the settings of each."""

    _predictions_depend_on = (*MODEL_SETTINGS, "missing", "ensemble", *names_of(ColumnSettings))
    auto_: dict[str, Any]
    _n_channels_: int
    _n_course_: int
    _variable_length_: bool

    # -- what a subclass says ----------------------------------------------------------------

    def _encode_target(self, y: Any, reset: bool) -> np.ndarray:
        """Return the target as numbers; with `reset`, learn how."""
        raise NotImplementedError

    def _trained_target(self, target: np.ndarray) -> np.ndarray:
        """Return the encoded target as the loss sees it."""
        return target

    def _target_weight(self, target: np.ndarray, given: np.ndarray | None) -> np.ndarray | None:
        """Return a weight for each series that its target asks for, beside the one given."""
        return None

    def _objective(self) -> Objective:
        """Return what is minimised."""
        raise NotImplementedError

    def _builder(self) -> tuple[str, dict[str, Any]]:
        """Return the builder, by name, and the sizes that the data decide."""
        raise NotImplementedError

    @property
    def _trained_output(self) -> str | None:
        """The layer whose output the loss sees."""
        name: str | None = self._row.trained_output
        return name

    # -- scikit-learn ------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
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
        """Fit the model to series and their targets.

        Parameters
        ----------
        X : array-like of shape (n_series, n_timesteps) or (n_series, n_timesteps, n_features), \
or a list of (n_timesteps_i, n_features) arrays, or a data frame
            The series, in raw units. A frame has a row a series; where `series_id` names a column
            (or there is ``unique_id``) a row a time step.
        y : array-like of shape (n_series,), default=None
            A class label or a number for each series; for a regressor also
            ``(n_series, n_targets)``. Of a frame in the order in which its series first appear, or
            by their names where it is a pandas series; left out where `target` names a column.
        sample_weight : array-like of shape (n_series,), default=None
            Weight of each series in the loss and in the statistics of scaling. Weights are taken
            as they are, never normalised: twice as large they double the loss, and with it the
            gradient (before `clipnorm`). A series of weight 0 changes nothing at all.
        validation_data : tuple, default=None
            ``(X, y)`` or ``(X, y, sample_weight)`` to validate on, instead of the share
            ``validation`` of the training series.
        callbacks : iterable of keras.callbacks.Callback, default=()
            Called between epochs.
        on_epoch : callable, default=None
            ``on_epoch(epoch, logs, state_getter)`` after each epoch.
        resume : seqkit.training.TrainingState, default=None
            Continue an interrupted fit exactly where this state was taken.

        Returns
        -------
        self : the estimator

        Raises
        ------
        ValueError
            If a setting or the data are not what they must be; the estimator is then left as
            it was.
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

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        validation_data: tuple[Any, ...] | None = None,
        callbacks: Iterable[Any] = (),
        on_epoch: Callable[..., Any] | None = None,
        resume: training.TrainingState | None = None,
        going_on: bool = False,
        partial_pass: bool = False,
        classes: np.ndarray | None = None,
    ) -> None:
        settings = self._settings(held=validation_data is not None)
        refit = refit_of(self.validation)[1]
        if refit and (going_on or partial_pass):
            self._refuse_refit("partial_fit" if partial_pass else "fit with warm_start")
        start = None if going_on else self._read_start()
        if going_on:
            self._check_settings_kept()
        else:
            self._forget()
            self._keep_settings()
            settings |= self._settle(start)
            if classes is not None:
                self.classes_ = classes
        seed = seed_of(self.random_state)
        if partial_pass:
            settings.update(epochs=1, patience=0, validation=0.0)
            if settings["schedule"] == "cosine":  # how many passes will come is not known
                settings["schedule"] = "constant"
        train, held, whole = self._divided(
            X, y, sample_weight, validation_data, seed, settings, reset=not going_on
        )
        settings |= self.auto_
        if refit and not settings["patience"]:  # too few to stop by
            train, held, refit = whole, None, False
        loop = {name: settings[name] for name in TRAIN_SETTINGS}
        loop["loss_goal"] = None if partial_pass else self._goal(settings, train.weight)
        seeds = [member_seed(seed, number) for number in range(self._n_networks)]
        starts = self._starts(seeds, loop, resume, going_on)
        begin: dict[str, Any] = {"seed": seed, "start": start}
        varied = {name: settings.get(name, 0) for name in ("shift", "mixup")}
        varied |= settings["augment"] or {}
        parts = [self._part(train, held, varied, new=not going_on, **begin)]
        if refit:
            parts.append(self._part(whole, None, varied, new=True, **begin))
        n_examples = parts[0][0]["source"].n_examples
        steps = loop["steps_per_epoch"] or -(-n_examples // loop["batch_size"])
        loop["patience"] = patience_in_epochs(loop["patience"], steps)
        loop |= {"loss": self._objective(), "output": self._trained_output}
        loop |= {"callbacks": tuple(callbacks), "verbose": self.verbose}
        trainings = [
            ([part | networks[number] for part, networks in parts], {**loop, "seed": own, **begun})
            for number, (own, begun) in enumerate(zip(seeds, starts, strict=True))
        ]
        fits: list[training.Fitted] = []
        for networks in self._rounds(loop["epochs"], train):
            fits += fits_of(trainings[networks], on_epoch)
            if self._are_enough(fits, train):
                break
        self._adopt(fits, keep_state=self.warm_start or partial_pass)
        if not partial_pass:
            self._tell_of_collapse(whole)
            self._calibrate(None if refit else held, whole, seed)

    def _calibrate(self, held: Examples | None, whole: Examples, seed: int) -> None:
        """Bring answers down to what held-out series say of them; other than classes stay."""

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
        other._settings()
        examples = other._examples(X, y, reset=True)
        other.auto_ = other._choose(other.get_params(deep=False), examples, None)
        other._read_shape(examples)
        longest = examples.padded.values.shape[1]
        return other._build(longest=longest), other._fit_statistics(examples)

    # -- data --------------------------------------------------------------------------------

    def _examples(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, reset: bool
    ) -> Examples:
        if isinstance(X, Checked):
            read: Examples = X.read_by(self) if reset else X.content
            return read
        padded = self._check_X(X, reset)
        given = None
        if sample_weight is not None:
            given = _check_sample_weight(
                sample_weight, padded.values, dtype=np.float32, ensure_non_negative=True
            )
            if y is not None and not (given > 0).all():
                check_consistent_length(padded.values, y)
                padded, y, given = self._weighted(padded, y, given)
        target = self._encode_target(y, reset)
        check_consistent_length(padded.values, target)
        return self._with_weights(padded, target, given)

    def _weighted(self, padded: Padded, y: Any, given: np.ndarray) -> tuple[Padded, Any, Any]:
        """Leave out the series of weight 0, so that they change nothing at all."""
        rows = np.flatnonzero(given > 0)
        if not len(rows):
            raise ValueError(
                explain(type(self).__name__, "sample_weight", "above 0 for a series at least", 0.0)
            )
        return take_series(padded, rows), _safe_indexing(y, rows), given[rows]

    def _build(
        self, variable_length: bool | None = None, longest: int | None = None
    ) -> Architecture:
        n = self._n_networks
        members = [self._member(number, variable_length, longest) for number in range(n)]
        return members[0] if n == 1 else Architecture("ensemble", {"members": members})

    def _member(
        self, number: int, variable_length: bool | None = None, longest: int | None = None
    ) -> Architecture:
        """Return what builds a network of the ensemble."""
        if variable_length is None:
            variable_length = self._variable_length_
        builder, sizes = self._builder()
        settings = {
            "n_timesteps": None if variable_length else self._n_steps_,
            "n_features": self._n_channels_,
            "variable_length": variable_length,
            **sizes,
            **{name: getattr(self._fitted, name) for name in MODEL_SETTINGS},
        }
        settings |= {k: v for k, v in getattr(self, "auto_", {}).items() if k in MODEL_SETTINGS}
        settings = settings_of_network(settings, number)
        n_course = getattr(self, "_n_course_", 0)  # not there in earlier folders
        settings["deviations"] = n_course > 0
        if settings["n_timesteps"] is None:
            if settings["bias_initializer"] == "chrono" and not longest:
                # only what a fit begins with depends on the longest series; now nothing is drawn
                settings["bias_initializer"] = "forget_one"
            if n_course or settings["bias_initializer"] == "chrono":
                settings["max_timesteps"] = n_course or longest
        return Architecture(builder, settings)

    # -- prediction --------------------------------------------------------------------------

    def _predict_raw(self, X: Any, output: str | None = None) -> np.ndarray:
        """Return the output, or that of a layer, of every network for every series.

        The shape is ``(n_networks, n_series, width)``, in float64.
        """
        check_is_fitted(self)
        padded = self._check_X(X, reset=False)
        # a model fitted on equal lengths serves unequal ones: the weights are the same
        variable_length = self._variable_length_ or padded.lengths is not None
        members = self._kept(variable_length, lambda: self._build(variable_length).members)
        order: Any = slice(None)
        timed: tuple[str, ...] = ()
        batch_size = STEPS_BATCH if self._objective().steps else 256
        if padded.lengths is not None:  # batches of like length have little padding
            order, timed = np.argsort(padded.lengths, kind="stable"), ("x",)
            padded = Padded(padded.values[order], padded.lengths[order])
        source = training.ArraySource(inputs_of(padded, variable_length), timed=timed)
        answers = np.stack([
            training.predict(member, weights, source, output=output, batch_size=batch_size)
            for member, weights in zip(members, self._member_weights(), strict=True)
        ])  # fmt: skip
        out = np.empty(answers.shape, np.float64)
        out[:, order] = answers
        return out
