"""What a fit keeps besides weights: settings that its predictions depend on; and other weights."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqkit.auto import AUTO
from seqkit.errors import RunError, explain
from seqkit.estimators.weights_file import described
from seqkit.network.architecture import weights_of

if TYPE_CHECKING:
    import keras

__all__ = ["FittedSettings", "taken_over"]


class FittedSettings:
    """Settings as they were when the estimator was fitted, whatever ``set_params`` says later."""

    _predictions_depend_on: ClassVar[tuple[str, ...]]
    _fitted_settings_: dict[str, Any]
    _state_: Any
    model_: Any
    _build: Any

    @property
    def _fitted(self) -> SimpleNamespace:
        """The settings that decide predictions: those of the fit; before one, the present ones."""
        return SimpleNamespace(**self._settings_kept())

    def _settings_kept(self) -> dict[str, Any]:
        kept: dict[str, Any] | None = self.__dict__.get("_fitted_settings_")
        if kept is None:
            kept = {name: getattr(self, name) for name in self._predictions_depend_on}
        return kept

    def _keep_settings(self) -> None:
        """Keep the present settings as those of the fit."""
        self._fitted_settings_ = {
            name: copy.deepcopy(getattr(self, name)) for name in self._predictions_depend_on
        }

    def _check_settings_kept(self) -> None:
        """Raise if a fit is to go on and a setting is not what it was."""
        for name, before in self._settings_kept().items():
            now = getattr(self, name)
            if hasattr(self, "start_") and (now is None or np.array_equal(now, AUTO)):
                continue  # it has become that of the start
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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted estimator as a folder of JSON and numbers.

        It holds ``model.json`` (settings and what the fit has learned), ``weights.safetensors`` and
        ``estimator.json`` (their SHA-256): nothing that could run when it is loaded, unlike a
        pickle. The state of the optimizer is not in it.

        Parameters
        ----------
        path : str or path-like
            The folder; one that holds a saved estimator is replaced, anything else is an error.

        Raises
        ------
        seqkit.errors.RunError
            If something else stands there, or the folder cannot be written.
        """
        from seqkit.estimators.saving import write_estimator  # imports the estimators by name

        check_is_fitted(self)
        write_estimator(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the estimator that :meth:`save` has saved; :func:`seqkit.load` takes any kind.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        seqkit.errors.RunError
            If it is missing, damaged, of a newer version or of another kind of estimator.
        """
        from seqkit.estimators.saving import read_estimator

        estimator = read_estimator(path)
        if not isinstance(estimator, cls):
            raise RunError(
                f"{os.fspath(path)}: this is a {type(estimator).__name__}, no {cls.__name__}. "
                "seqkit.load(path) loads either."
            )
        return estimator

    def set_weights(self, weights: Sequence[npt.ArrayLike] | keras.Model) -> Self:
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
