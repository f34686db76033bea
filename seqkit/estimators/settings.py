"""The settings that estimators share, each stated once: name, type and default.

Dataclass fields make the signatures that scikit-learn, editors and type checkers read;
``eq=False, repr=False`` leave an estimator the equality of objects and scikit-learn's ``repr``.
They stand apart from the estimators, since mypy lets a dataclass over scikit-learn's untyped base
any argument. What a setting means and may be stands in the grammar of recipes, from where
``docs/make_docstrings.py`` writes it into the docstrings of the estimators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqkit.estimators.inputs import ClassWeight, OptimizerInput, RandomState

__all__ = [
    "ClassifierSettings",
    "ForecastSettings",
    "NetworkSettings",
    "SeriesSettings",
    "TrainingSettings",
    "WindowSettings",
]


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkSettings:
    """The recurrent network, and what it is given."""

    cell: str = "gru"
    units: int | Sequence[int] = 64
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    residual: bool = False
    patch: int | str | None = 1
    dense: Sequence[int] = ()
    scale: str = "standard"
    missing: str = "error"


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingSettings:
    """How the network is trained."""

    epochs: int | str = 100
    batch_size: int | str = 32
    optimizer: OptimizerInput = "adam"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    steps_per_epoch: int | None = None
    clipnorm: float | None = 1.0
    loss: str = "auto"
    patience: int | str = "auto"
    validation: float | str = "auto"
    warm_start: bool = False
    random_state: RandomState = None
    verbose: int = 0


@dataclass(kw_only=True, eq=False, repr=False)
class SeriesSettings(TrainingSettings, NetworkSettings):
    """Settings of the estimators that map one whole series to one answer."""

    units: int | Sequence[int] = (64, 64)
    bidirectional: bool = True
    dropout: float = 0.2
    pooling: str = "mean_max"
    patch: int | str = "auto"
    epochs: int | str = "auto"
    batch_size: int | str = "auto"
    learning_rate: float = 3e-3


@dataclass(kw_only=True, eq=False, repr=False)
class ClassifierSettings(SeriesSettings):
    """Settings of the classifier."""

    class_weight: ClassWeight | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class WindowSettings:
    """What is forecast, and what of."""

    context_length: int | Sequence[int]
    horizon: int
    quantiles: Sequence[float] | None = None
    distribution: str | None = None
    decoder: str = "direct"
    normalize: str = "standard"
    departure_from: str = "none"
    channels: str = "joint"
    season: int = 1


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastSettings(TrainingSettings, NetworkSettings, WindowSettings):
    """Settings of the forecaster."""

    units: int | Sequence[int] = 128
    patch: int | None = None
    epochs: int = 100
    batch_size: int = 32
    ensemble: int = 1
    series_id: str | None = None
    time: str | None = None
    target: str | Sequence[str] | None = None
    past_covariates: Sequence[str] = ()
    future_covariates: Sequence[str] = ()
    static_covariates: Sequence[str] = ()
    frequency: str | None = None
    calendar: Sequence[str] = ()
