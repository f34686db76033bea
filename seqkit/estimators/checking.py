"""All that a fit of labelled series would refuse, without the fit and without TensorFlow."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

from seqkit.auto import choose
from seqkit.estimators.examples import Examples

__all__ = ["SeriesCheck"]


class SeriesCheck:
    """What a fit of labelled series does before it trains: checking, dividing, choosing sizes."""

    auto_: dict[str, Any]
    _row: Any
    _examples: Any

    def check(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: tuple[Any, ...] | None = None,
        asked: Any = None,
    ) -> None:
        """Raise what :meth:`fit` would of these settings and data; train and change nothing.

        Parameters
        ----------
        X, y, sample_weight, validation_data
            As in :meth:`fit`.
        asked : array-like, default=None
            Series that the fitted model will be asked about.

        Raises
        ------
        ValueError, TypeError
            As :meth:`fit`, and of `asked` as :meth:`predict`.
        """
        other: Any = clone(self)
        # whether a part can be set aside does not depend on how it is drawn
        settings = other._settings(held=validation_data is not None)
        other._divided(X, y, sample_weight, validation_data, 0, settings, reset=True)
        if asked is not None:
            other._check_X(asked, reset=False)

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
    ) -> tuple[Examples, Examples | None]:
        """Return the checked examples to train on and to validate on; choose what is ``auto``."""
        examples, held = self._examples(X, y, sample_weight, reset=reset), None
        if validation_data is not None:
            held = self._examples(*validation_data, reset=False)
        patch = {} if reset or "patch" not in self.auto_ else {"patch": self.auto_["patch"]}
        self.auto_ = self._choose(settings, examples, held) | patch
        share = self.auto_.get("validation", settings["validation"])
        if held is None and share:
            return self._hold_out(examples, share, seed)
        return examples, held

    def _choose(
        self, settings: dict[str, Any], examples: Examples, held: Examples | None
    ) -> dict[str, Any]:
        """Return what the settings that are ``auto`` become with these series."""
        padded, sizes = examples.padded, self._sizes(examples.target)
        lengths = [padded.values.shape[1]] if padded.lengths is None else padded.lengths.tolist()
        return choose(settings, lengths, sizes, None if held is None else self._sizes(held.target))

    def _sizes(self, target: np.ndarray) -> list[int]:
        """Return the number of series of each class, or of all of them where there are none."""
        return [len(target)]

    def _hold_out(
        self, examples: Examples, validation: float, seed: int
    ) -> tuple[Examples, Examples]:
        """Set the share `validation` aside, by class where there are classes."""
        from sklearn.model_selection import train_test_split  # brings in a third of scikit-learn

        rows = np.arange(len(examples.target))
        by_class = examples.target if self._row.target == "label" else None
        n_held = math.ceil(validation * len(rows))
        if by_class is not None:
            shared = np.bincount(by_class)[by_class] > 1
            if not shared.all() or not len(np.unique(by_class)) <= n_held < len(rows):
                rows, by_class = self._without_classes(rows, shared, n_held), None
        try:
            _, held = train_test_split(rows, test_size=n_held, random_state=seed, stratify=by_class)
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
            stacklevel=5,
        )
        return rows[shared]
