"""All that a fit of labelled series would refuse, without the fit and without TensorFlow."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

__all__ = ["SeriesCheck"]


class SeriesCheck:
    """What lets an estimator of labelled series check data before it is fitted."""

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
