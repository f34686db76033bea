"""What an evaluation needs of a forecaster, whichever library it comes from, for signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Forecaster", "Predictor"]


class Predictor(Protocol):
    """Predicts at every row: ``predict(X)``, as scikit-learn's estimators have it."""

    @property
    def predict(self) -> Callable[..., object]:
        """The forecasts at the rows of ``X``, or a frame of them."""


class Forecaster(Protocol):
    """Is fitted on the past and forecasts what follows: ``fit`` and ``forecast``.

    ``forecast(X, horizon=...)`` gives the steps after the end of ``X``; for a frame with columns
    that are known over the horizon it also takes ``future``.
    """

    @property
    def fit(self) -> Callable[..., object]:
        """``fit(X)``, or ``fit(X, y)`` where the target of an array is given apart."""

    @property
    def forecast(self) -> Callable[..., object]:
        """The forecast after the end of every series."""
