"""What a fit keeps besides weights: settings that its answers depend on; and other weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqkit.errors import explain
from seqkit.estimators.weights_file import described
from seqkit.network.architecture import weights_of

__all__ = ["FittedSettings", "taken_over"]


class FittedSettings:
    """Settings as they were when the estimator was fitted, whatever ``set_params`` says later."""

    _answers_depend_on: ClassVar[tuple[str, ...]]
    _fitted_settings_: dict[str, Any]
    _state_: Any
    model_: Any
    _build: Any

    @property
    def _fitted(self) -> SimpleNamespace:
        """The settings that decide answers: those of the fit; before one, the present ones."""
        kept = self.__dict__.get("_fitted_settings_")
        if kept is None:
            kept = {name: getattr(self, name) for name in self._answers_depend_on}
        return SimpleNamespace(**kept)

    def _keep_settings(self) -> None:
        """Keep the present settings as those of the fit."""
        self._fitted_settings_ = {
            name: copy.deepcopy(getattr(self, name)) for name in self._answers_depend_on
        }

    def _check_settings_kept(self) -> None:
        """Raise if a fit is to go on and a setting is not what it was."""
        for name, before in vars(self._fitted).items():
            now = getattr(self, name)
            if not np.array_equal(_listed(before), _listed(now)):
                raise ValueError(
                    explain(
                        type(self).__name__,
                        name,
                        f"{before!r}, as in the fit that is gone on with",
                        now,
                        "Set it back, or fit anew with warm_start=False.",
                    )
                )

    def set_weights(self, weights: Any) -> Any:
        """Take over weights, such as those ``model_`` was trained to by hand.

        ``model_`` is a copy: what is done to it does not reach the estimator but by this method.

        Parameters
        ----------
        weights : list of ndarray, or keras.Model
            In the order and of the shapes of ``weights_``; or a model like ``model_``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If they are not of these shapes, or not finite; the estimator is then left as it was.
        """
        check_is_fitted(self)
        architecture = self._build()
        given = weights
        if hasattr(weights, "get_weights"):
            given = weights_of(architecture, weights)
        expected = described(architecture)
        taken = taken_over(type(self).__name__, given, list(expected.items()))
        by_path: dict[str, list[np.ndarray]] = {}
        for path, array in zip(expected, taken, strict=True):
            own = path.partition("/")[2] if len(architecture.members) > 1 else path
            by_path.setdefault(own, []).append(array)
        self._sync_scaling(by_path)
        self.weights_ = taken
        self._state_ = None  # the optimizer's, which was of other weights
        self.__dict__.pop("_model_", None)
        return self

    def _sync_scaling(self, weights: Mapping[str, list[np.ndarray]]) -> None:
        """Let scaling that is done outside of the network be that of new weights."""


def taken_over(
    owner: str, given: Any, expected: Sequence[tuple[str, tuple[int, ...]]]
) -> list[np.ndarray]:
    """Return read-only copies of weights, checked: the right number, shapes, and finite.

    Parameters
    ----------
    owner : str
    given : sequence of array-like
    expected : sequence of (str, tuple of int)
        Path and shape of each.
    """
    where = f"{owner}.set_weights"
    if not isinstance(given, Sequence):
        raise TypeError(
            explain(where, "weights", "a list of arrays or a keras.Model", type(given).__name__)
        )
    if len(given) != len(expected):
        raise ValueError(explain(where, "weights", f"{len(expected)} arrays", len(given)))
    taken = []
    for array, (path, shape) in zip(given, expected, strict=True):
        try:
            own = np.array(array, np.float32)
        except (TypeError, ValueError) as error:
            raise TypeError(explain(where, path, "an array of numbers", array)) from error
        if own.shape != shape:
            raise ValueError(
                explain(where, path, f"of shape {shape}", own.shape, "It is of another model.")
            )
        if not np.isfinite(own).all():
            raise ValueError(explain(where, path, "finite", "NaN or infinity"))
        own.flags.writeable = False
        taken.append(own)
    return taken


def _listed(value: Any) -> np.ndarray:
    """Return a setting so that 64 and [64], a list and a tuple are the same."""
    return np.atleast_1d(np.asarray(value, object))
