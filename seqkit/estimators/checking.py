"""All that a fit of labelled series would refuse, without the fit and without TensorFlow."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d, validate_data

from seqkit.auto import AUTO, Sample, choose
from seqkit.auto_networks import (
    BY_NETWORK,
    UNCALIBRATED_WORK,
    affordable,
    settings_of_network,
    values_of,
    work_of,
)
from seqkit.data.label_split import hold_out_by_labels
from seqkit.data.sequences import Padded, Sequences, as_padded, is_panel
from seqkit.data.steps import NEXT
from seqkit.errors import explain
from seqkit.estimators.checked import Checked
from seqkit.estimators.examples import Examples, check_size, joined
from seqkit.estimators.inputs import SeriesInput, TargetInput, ValidationData, WeightInput
from seqkit.estimators.members import rounds_of
from seqkit.stopping import refit_of
from seqkit.training import Fitted

__all__ = ["SeriesCheck", "classes_of_pass"]

NETWORK = (
    "patch", "overlap", "pyramid", "stem", "units", "bidirectional", "pooling", "deviations",
    "differences", "moves", "ensemble",
)  # fmt: skip
"""What ``auto`` chooses of the network itself."""


COLLAPSED = 0.01
"""Spread of a regressor's answers, as a share of that of the target, below which they are one."""
MOST_ASKED = 200
"""Training series that a fitted network is asked for, to see whether all answers are one."""

log = logging.getLogger(__name__)


class SeriesCheck:
    """What a fit of labelled series does before it trains: checking, dividing, choosing sizes."""

    auto_: dict[str, Any]
    n_features_in_: int
    warm_start: bool
    patience: Any
    _n_networks: Any
    _n_steps_: int | None
    _n_channels_: int
    _fitted: Any
    _row: Any
    _examples: Any
    _target_weight: Any
    _unfitted: Any
    n_iter_: int
    predict: Any

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
        prediction_data : array-like, default=None
            Series that the fitted model is to predict.

        Raises
        ------
        ValueError, TypeError
            As :meth:`fit`, and of `prediction_data` as :meth:`predict`.
        """
        checked, _ = self._checked(X, y, sample_weight, validation_data)
        if prediction_data is not None:
            checked.estimator._check_X(prediction_data, reset=False)

    def _checked(
        self, X: Any, y: Any = None, sample_weight: Any = None, validation_data: Any = None
    ) -> tuple[Checked, Checked | None]:
        """Return the series to fit on, and to validate on, as :meth:`fit` takes them again."""
        other: Any = self._unfitted()
        settings = other._settings(held=validation_data is not None)
        train = Checked(other, other._examples(X, y, sample_weight, reset=True))
        held = None
        if validation_data is not None:
            held = Checked(other, other._examples(*validation_data, reset=False))
        # whether a part can be set aside does not depend on how it is drawn
        given = None if held is None else (held, None)
        other._divided(train, None, None, given, 0, settings, reset=True)  # raises
        return train, held

    def _check_X(self, X: Any, reset: bool) -> Padded:
        owner, fitted = type(self).__name__, self._fitted
        table = _is_table(X)
        # a table is one feature over time: fitted on three axes, it may have any number of steps
        if table and (reset or self._n_steps_ is not None):
            values = validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite=False)
            padded = as_padded(values[:, :, None], missing=fitted.missing, dtype=None)
        else:
            padded = as_padded(X, missing=fitted.missing, dtype=None)
        n_channels = padded.values.shape[2]
        if reset:
            self._n_steps_, self._n_channels_ = (
                (padded.values.shape[1] if table else None),
                n_channels,
            )
            marked = 2 if fitted.missing == "indicator" else 1
            self.n_features_in_ = self._n_steps_ or n_channels // marked
        elif n_channels != self._n_channels_:
            raise ValueError(self._other_features(n_channels, table))
        check_size(padded.values, owner, "X")
        self._check_course(padded, reset)
        shortest = padded.values.shape[1] if padded.lengths is None else padded.lengths.min()
        if shortest < self._fewest_steps():
            series = 0 if padded.lengths is None else int(padded.lengths.argmin())
            raise ValueError(
                f"{owner}: X must have at least patch={self._fewest_steps()} time steps in every "
                f"series; series {series} has {shortest}. Use a smaller patch."
            )
        return padded

    def _fewest_steps(self) -> int:
        """Return the time steps that a series must have: a patch that was set is whole."""
        given = {name: getattr(self._fitted, name, 0) for name in ("patch", "overlap")}
        fewest = 1
        for number in range(max(len(values_of("patch", given["patch"])), 1)):
            own = settings_of_network(given, number)
            # a patch that was not set, or reads its neighbours, is filled up where they end
            if own["patch"] != AUTO and own["overlap"] in (0, AUTO):
                fewest = max(fewest, own["patch"])
        return fewest

    def _check_course(self, padded: Padded, reset: bool) -> None:
        """Raise if a series is longer than the course that its deviations are from."""
        n_course = 0 if reset else getattr(self, "_n_course_", 0)
        if n_course and padded.values.shape[1] > n_course:
            raise ValueError(
                explain(type(self).__name__, "X",
                        f"of at most {n_course} time steps, as in the fit, with deviations from "
                        "the course of its series", padded.values.shape[1],
                        "Cut the series, or fit with deviations=False.")
            )  # fmt: skip

    def _other_features(self, n_channels: int, table: bool) -> str:
        """Return the message about series of another number of features than those of the fit."""
        marked = 2 if self._fitted.missing == "indicator" else 1
        given, fitted = n_channels // marked, self._n_channels_ // marked
        shape = "(n_series, n_timesteps)" if table else f"(n_series, n_timesteps, {given})"
        whole = f"(n_series, n_timesteps, {fitted})" + (
            " or (n_series, n_timesteps)" if fitted == 1 else ""
        )
        return (
            f"{type(self).__name__}: X has {_features(given)} a time step, fitted with {fitted}. "
            f"It is read as {shape}; give {whole}."
        )

    def _divided(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: tuple[Any, ...] | None,
        seed: int,
        settings: dict[str, Any],
        *,
        reset: bool,
    ) -> tuple[Examples, Examples | None, Examples]:
        """Return the checked examples to train and to validate on, and all; choose what is auto."""
        examples, held = self._examples(X, y, sample_weight, reset=reset), None
        if validation_data is not None:
            held = self._examples(*validation_data, reset=False)
        # the network of a fit that goes on is the one that there is
        kept = {} if reset else {k: v for k, v in self.auto_.items() if k in NETWORK}
        self.auto_ = self._choose(settings, examples, held) | kept
        share, refit = refit_of(self.auto_.get("validation", settings["validation"]))
        if held is not None:
            return examples, held, self._joined(examples, held) if refit else examples
        if share:
            return *self._hold_out(examples, share, seed), examples
        return examples, None, examples

    def _tell_of_collapse(self, examples: Examples) -> None:
        """Log if the fitted network has one answer only, though there is more than one to learn.

        Not where it is calibrated, which tells so, and of how much was to be learned.
        """
        if self._is_calibrated:
            return
        rows = np.unique(np.linspace(0, len(examples.target) - 1, MOST_ASKED).astype(int))
        part = examples.take(rows)
        answers = self.predict(part.padded)
        if self._row.target == "label":
            one = part.target.ndim == 1 and len({*answers.tolist()}) == 1
            what, there = f"the class {answers.tolist()[0]!r}", len(np.unique(part.target)) > 1
        else:
            spread = np.std(part.target, axis=0)
            one = bool((np.std(answers, axis=0) < COLLAPSED * spread).all())
            what, there = f"about {np.mean(answers):.4g}", bool((spread > 0).all())
        if one and there:
            log.warning(
                "%s: the model has collapsed: its answer is %s for every one of %d training series "
                "asked, after %d epochs. Try a lower learning_rate or more epochs.",
                type(self).__name__, what, len(rows), self.n_iter_,
            )  # fmt: skip

    def _choose(
        self, settings: dict[str, Any], examples: Examples, held: Examples | None
    ) -> dict[str, Any]:
        """Return what the settings that are ``auto`` become with these series."""
        sample = Sample.of(*examples.padded, self._sizes(examples.target))
        watched = None if held is None else self._sizes(held.target)
        # what goes on from an optimizer's state is one network
        known = {**settings, "warm_start": self.warm_start}
        return choose(known, sample, watched)

    def _rounds(self, epochs: int, train: Examples) -> Iterator[slice]:
        """Yield which networks are trained at a time.

        Where their number is ``auto`` it is asked after each round whether there is time for as
        many again. Two are the first round where there is time for them in any case.
        """
        planned = self.auto_.get("ensemble")
        if planned is None:
            return rounds_of(self._n_networks, self._n_networks)
        sure = affordable(self._work(train, [epochs] * 2), self._share_of_work())
        return rounds_of(planned, 2 if sure else 1)

    def _are_enough(self, fits: Sequence[Fitted], train: Examples) -> bool:
        """Return whether these networks are the ensemble: as many as are asked for.

        Where that is ``auto``, as many as the work of the first ones leaves room for.
        """
        n, planned = len(fits), self.auto_.get("ensemble")
        if planned is None or n == planned:
            return False
        run = [fitted.epochs_run for fitted in fits]
        if affordable(self._work(train, run * 2), self._share_of_work()):  # as many again
            return False
        log.info("ensemble: %d of %d networks, as many as there is time for", n, planned)
        self.auto_["ensemble"] = n
        for name in BY_NETWORK:
            if values_of(name, self.auto_.get(name)):
                self.auto_[name] = self.auto_[name][:n]
        return True

    def _work(self, train: Examples, epochs: Sequence[int]) -> float:
        """Return the work of networks that are trained for so many epochs each."""
        settings = {**vars(self._fitted), **self.auto_}
        n_series, n_steps = train.padded.values.shape[:2]
        return sum(
            float(n * n_series) * work_of(n_steps, settings_of_network(settings, number))
            for number, n in enumerate(epochs)
        )

    @property
    def _is_calibrated(self) -> bool:
        return self.auto_.get("calibrate", getattr(self, "calibrate", False)) is True

    def _share_of_work(self) -> float:
        # a part that training is stopped by is what is calibrated on, with no second fit
        watched = self.auto_.get("patience", self.patience)
        return UNCALIBRATED_WORK if self._is_calibrated and not watched else 1.0

    def _sizes(self, target: np.ndarray) -> list[int]:
        """Return the number of series of each class, or of all of them where there are none."""
        return [len(target)]

    def _with_weights(
        self, padded: Padded, target: np.ndarray, given: np.ndarray | None
    ) -> Examples:
        weight = self._target_weight(target, given)
        if given is not None:
            weight = given if weight is None else given * weight
        return Examples(padded, target, weight, given)

    def _joined(self, *parts: Examples) -> Examples:
        """Return several examples as one, with weights as if they had come together."""
        target = np.concatenate([part.target for part in parts])
        given = None
        if any(part.given is not None for part in parts):
            ones = [np.ones(len(part.target), np.float32) for part in parts]
            given = np.concatenate([
                one if part.given is None else part.given
                for part, one in zip(parts, ones, strict=True)
            ])  # fmt: skip
        return self._with_weights(joined([part.padded for part in parts]), target, given)

    def _hold_out(
        self, examples: Examples, validation: float, seed: int
    ) -> tuple[Examples, Examples]:
        """Set the share `validation` aside, by class or by labels where there are any."""
        from sklearn.model_selection import train_test_split  # brings in a third of scikit-learn

        rows = np.arange(len(examples.target))
        n_held = math.ceil(validation * len(rows))
        labelled = self._row.target == "label"
        if labelled and examples.target.ndim == 2 and n_held < len(rows):
            held = hold_out_by_labels(examples.target, n_held, seed)
            return examples.take(np.setdiff1d(rows, held)), examples.take(held)
        by_class = examples.target if labelled and examples.target.ndim == 1 else None
        if by_class is not None:
            shared = np.bincount(by_class)[by_class] > 1
            if not shared.all() or not len(np.unique(by_class)) <= n_held < len(rows):
                rows, by_class = self._without_classes(rows, shared, n_held), None
        try:
            size = n_held if len(rows) < len(examples.target) else validation
            _, held = train_test_split(rows, test_size=size, random_state=seed, stratify=by_class)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__}: validation={validation!r} of {len(examples.target)} "
                f"series cannot be set aside. {error} Give validation_data, or set validation=0."
            ) from error
        kept = np.setdiff1d(np.arange(len(examples.target)), held)
        return examples.take(kept), examples.take(held)

    def _without_classes(self, rows: np.ndarray, shared: np.ndarray, n_held: int) -> np.ndarray:
        """Return the series that may be held out whatever their class, and warn that it is so.

        The only series of a class is trained on: else nothing would be known of the class.
        """
        reason = f"{n_held} series cannot hold one of every class"
        if not shared.all():
            alone = int((~shared).sum())
            has = "has" if alone == 1 else "have"
            reason = f"{alone} of the classes {has} one series, which is trained on"
        warnings.warn(
            f"{type(self).__name__}: the validation part of {n_held} series is drawn without "
            f"regard to classes: {reason}. Give validation_data, or set validation=0.",
            stacklevel=8,  # the line that calls fit
        )
        chosen: np.ndarray = rows[shared]
        return chosen


def classes_of_pass(estimator: Any, classes: Any) -> tuple[bool, np.ndarray | None]:
    """Return whether a ``partial_fit`` goes on, and all classes that it was told will ever come.

    Raises
    ------
    ValueError
        If these are others than in the first call, or have no part in what is learned.
    """
    going_on: bool = estimator.__sklearn_is_fitted__()
    if classes is None:
        return going_on, None
    if getattr(estimator, "target", None) == NEXT:
        expected = 'left out with target="next", where they are the tokens of the first call'
        raise ValueError(explain(type(estimator).__name__, "classes", expected, classes))
    found = np.unique(column_or_1d(classes))
    if going_on and not np.array_equal(found, estimator.classes_):
        raise ValueError(
            f"classes={found!r} is not the same as in the first call of partial_fit, "
            f"{estimator.classes_!r}."
        )
    return going_on, found


def _features(number: int) -> str:
    return "1 feature" if number == 1 else f"{number} features"


def _is_table(X: Any) -> bool:
    """Whether X is two-dimensional in scikit-learn's sense: a row a series, a column a step."""
    if isinstance(X, (list, tuple)):
        sizes = {len(row) if hasattr(row, "__len__") else -1 for row in X}
        return len(sizes) <= 1 and all(np.ndim(row) < 2 for row in X)
    if isinstance(X, Sequences) or is_panel(X):
        return False
    if getattr(X, "ndim", 2) == 1:
        return getattr(X, "dtype", None) != np.dtype(object) or not all(np.ndim(row) for row in X)
    return getattr(X, "ndim", 2) != 3
