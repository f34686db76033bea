"""The numbers of the next step: what a tagger learns of series of them with ``target="next"``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from seqkit.auto import AUTO
from seqkit.errors import explain
from seqkit.estimators.inputs import SeriesInput, available
from seqkit.estimators.training_parts import sync_standardized
from seqkit.network.losses import Objective
from seqkit.network.mixtures import Mixture
from seqkit.network.settings import COMPONENTS

__all__ = ["NextNumbers", "of_labels", "of_numbers"]


def of_labels(estimator: Any) -> bool:
    """Whether a tagger answers with classes or labels; raise where it does with numbers."""
    if not estimator._of_numbers:
        return True
    raise AttributeError(
        f"This {type(estimator).__name__} has learned the numbers of the next step, which have no "
        "classes: predict gives their mean, predict_mixture their distribution."
    )


def of_numbers(estimator: Any) -> bool:
    """Whether a tagger answers with the numbers of the next step; raise where it does not."""
    if estimator._of_numbers:
        return True
    raise AttributeError(
        f"This {type(estimator).__name__} has not learned the numbers of the next step: only a fit "
        'with target="next" to series of numbers gives mixtures.'
    )


class NextNumbers:
    """The half of a tagger whose steps are answered with numbers, as a mixture of normals."""

    auto_: dict[str, Any]
    _offset_: np.ndarray
    _spread_: np.ndarray
    _marginal_: np.ndarray
    _multilabel_: bool
    _n_channels_: int
    _fitted: Any
    _check_X: Any
    _raw_steps: Any

    @property
    def _of_numbers(self) -> bool:
        return "_marginal_" in self.__dict__

    @property
    def _n_components(self) -> int:
        given = self._fitted.mixture
        return COMPONENTS if given is None else int(given)

    def _numbers_objective(self) -> Objective:
        scale = float(np.log(self._spread_).sum())
        return Objective("mixture", steps=True, components=self._n_components, log_scale=scale)

    # -- learning ----------------------------------------------------------------------------

    def _following_numbers(self, values: np.ndarray, valid: np.ndarray, reset: bool) -> np.ndarray:
        """Return the numbers of the step after each; NaN where there is none."""
        owner = type(self).__name__
        if reset:
            self._check_numbers_learned(owner)
            rows = np.asarray(values[valid], np.float64)
            self._multilabel_, self._marginal_ = False, np.stack([rows.mean(0), rows.std(0)])
        if not valid[:, 1:].any():
            raise ValueError(explain(owner, "X", "at least 2 steps long in one series", 1))
        target = np.full(values.shape, np.nan)
        target[:, :-1][valid[:, 1:]] = values[:, 1:][valid[:, 1:]]
        return target

    def _check_numbers_learned(self, owner: str) -> None:
        """Raise where a setting has no meaning for the numbers of a next step."""
        said: Any = self
        for name, left_out in (
            ("class_weight", None), ("label_smoothing", 0), ("focal_gamma", None), ("loss", AUTO),
            ("missing", "error"),
        ):  # fmt: skip
            if getattr(said, name) != left_out:
                expected = f"{left_out!r} where the numbers of the next step are learned"
                raise ValueError(explain(owner, name, expected, getattr(said, name)))
        if (said.augment or {}).get("scaling"):
            expected = "without scaling where the numbers of the next step are learned"
            hint = "They stay as they are; jitter may be set."
            raise ValueError(explain(owner, "augment", expected, said.augment, hint))

    def _numbers_statistics(self, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return statistics of the input's scaling as those of the output's, too."""
        n = self._n_channels_
        self._offset_ = np.asarray(found.get("standardize/offset", np.zeros(n)), np.float64)
        self._spread_ = np.asarray(found.get("standardize/scale", np.ones(n)), np.float64)
        return {**found, "output/offset": self._offset_, "output/scale": self._spread_}

    def _trained_target(self, target: np.ndarray) -> np.ndarray:
        """Return the numbers as the loss sees them; classes and labels as they are."""
        if not self._of_numbers:
            return target
        found: np.ndarray = ((target - self._offset_) / self._spread_).astype(np.float32)
        return found

    def _sync_scaling(self, weights: Mapping[str, list[np.ndarray]]) -> None:
        if self._of_numbers:
            sync_standardized(self, weights)

    # -- answers -----------------------------------------------------------------------------

    def _mixture_reader(self) -> Callable[[np.ndarray], Mixture]:
        """Return what makes mixtures in units of what the loss sees, whatever the fit becomes."""
        n, offset, scale = self._n_components, self._offset_, self._spread_
        return lambda free: Mixture.of_network(free, n, offset, scale)

    def _mixture_of(self, free: np.ndarray) -> Mixture:
        return self._mixture_reader()(free)

    @available(of_numbers)
    def predict_mixture(self, X: SeriesInput) -> Mixture | list[Mixture]:
        """Return what the model tells of the numbers of every next step.

        For fits of ``target="next"`` to series of numbers only.

        Returns
        -------
        seqkit.network.mixtures.Mixture
            With ``weights`` ``(n_series, n_timesteps, n_components)``, and ``means`` and ``scales``
            with another axis of features; ``mean()``, ``std()``, ``quantile(level)``,
            ``sample(rng)`` and ``log_density(y)`` compute with them. Where series are of different
            lengths a list of them, one a series.
        """
        free, lengths = self._raw_steps(X)
        whole = self._mixture_of(free)
        if lengths is None:
            return whole
        return [whole[k, :n] for k, n in enumerate(lengths.tolist())]

    def _numbers_score(self, X: Any, sample_weight: Any) -> float:
        """Return the mean log-likelihood of a step, of all but the first of a series."""
        padded = self._check_X(X, reset=False)
        free, lengths = self._raw_steps(padded)
        values = np.asarray(padded.values, np.float64)
        n, n_steps = values.shape[:2]
        ends = np.full(n, n_steps) if lengths is None else lengths
        there = np.arange(1, n_steps) < ends[:, None]
        if not there.any():
            expected = "at least 2 steps long in one series"
            raise ValueError(explain(type(self).__name__, "X", expected, n_steps))
        logs = self._mixture_of(free[:, :-1][there]).log_density(values[:, 1:][there])
        weight = np.ones(n)
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, weight, ensure_non_negative=True)
        each = np.broadcast_to(weight[:, None], there.shape)[there]
        return float(np.average(logs, weights=each))

    def _numbers_of(self, owner: str, start: Any) -> npt.NDArray[np.float64]:
        """Return a beginning as an array of numbers, ``(n_timesteps, n_features)``."""
        check_is_fitted(self)
        given = np.asarray(start)
        if given.ndim == 1 and self._n_channels_ == 1:
            given = given[:, None]
        fits = given.ndim == 2 and given.shape[1] == self._n_channels_
        if not fits or given.dtype.kind not in "fiub" or not np.isfinite(given).all():
            expected = f"an array of shape (n_timesteps, {self._n_channels_}) of finite numbers"
            got = f"an array of shape {given.shape} of {given.dtype}"
            raise ValueError(explain(owner, "start", expected, got))
        return given.astype(np.float64)
