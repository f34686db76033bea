"""All that a fit of labelled series would refuse, without the fit and without TensorFlow."""

from __future__ import annotations

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
        other._divided(X, y, sample_weight, validation_data, 0, other._settings(), reset=True)
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

        n = len(examples.target)
        by_class = examples.target if self._row.target == "label" else None
        try:
            kept, held = train_test_split(
                np.arange(n), test_size=validation, random_state=seed, stratify=by_class
            )
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__}: validation={validation!r} of {n} series cannot be "
                f"set aside. {error} Give validation_data, or set validation=0 and patience=0."
            ) from error
        return examples.take(kept), examples.take(held)
