"""The settings that estimators share beside those of networks: name, type and default, stated once.

Those of networks are the classes of :mod:`seqkit.network.settings`, which builders take too.
Dataclass fields make the signatures that scikit-learn, editors and type checkers read;
``eq=False, repr=False`` leave an estimator the equality of objects and scikit-learn's ``repr``.
They stand apart from the estimators, since mypy lets a dataclass over scikit-learn's untyped base
any argument. What a setting means and may be stands in the grammar of recipes, from where
``docs/make_docstrings.py`` writes it into the docstrings of estimators and builders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seqkit.estimators.inputs import ClassWeight, OptimizerInput, RandomState, StartInput
from seqkit.network.settings import (
    Auto,
    BranchName,
    Combination,
    CombinationShare,
    Convolutions,
    ForecastNetwork,
    SeriesNetwork,
    StepsNetwork,
    Transform,
)

__all__ = [
    "Augment",
    "Branch",
    "ClassifierLoss",
    "ClassifierSettings",
    "ColumnSettings",
    "DataSettings",
    "ForecastSettings",
    "ForecasterLoss",
    "LossName",
    "Refit",
    "RegressorLoss",
    "RegressorSettings",
    "SeriesSettings",
    "Stem",
    "TaggerSettings",
    "TrainingSettings",
    "WindowSettings",
]


ClassifierLoss: TypeAlias = Literal["auto", "crossentropy", "focal"]
RegressorLoss: TypeAlias = Literal["auto", "mse", "mae", "huber", "pinball"]
ForecasterLoss: TypeAlias = Literal["auto", "mae", "mse", "huber", "pinball", "nll"]
Refit: TypeAlias = Literal["refit"] | Mapping[Literal["refit"], float]
Stem: TypeAlias = Convolutions | None
Branch: TypeAlias = Convolutions | BranchName | None
Augment: TypeAlias = Mapping[Literal["jitter", "scaling", "crop"], float]
LossName: TypeAlias = ClassifierLoss | RegressorLoss | ForecasterLoss


@dataclass(kw_only=True, eq=False, repr=False)
class DataSettings:
    """What becomes of the data before a network is given them."""

    missing: Literal["error", "interpolate", "indicator"] = "error"


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingSettings:
    """How the network is trained."""

    epochs: int | Auto = 100
    batch_size: int | Auto = 32
    optimizer: OptimizerInput = "adam"
    learning_rate: float | Auto = 1e-3
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"
    steps_per_epoch: int | None = None
    clipnorm: float | None = 1.0
    loss: LossName = "auto"
    patience: int | Auto = "auto"
    validation: float | Auto | Refit = "auto"
    start: StartInput = None
    freeze: Sequence[str] = ()
    warm_start: bool = False
    random_state: RandomState = None
    verbose: int = 0


@dataclass(kw_only=True, eq=False, repr=False)
class ColumnSettings:
    """Which column of a frame of labelled series is which."""

    series_id: str | None = None
    time: str | Sequence[str] | None = None
    target: str | Sequence[str] | None = None
    features: Sequence[str] | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class SeriesSettings(ColumnSettings, TrainingSettings, DataSettings, SeriesNetwork):
    """Settings of the estimators that map one whole series to one prediction."""

    # a list has a value for each network of an ensemble
    patch: int | Sequence[int] | Auto = "auto"  # type: ignore[assignment]
    overlap: int | Sequence[int] | Auto = "auto"  # type: ignore[assignment]
    pyramid: int | Sequence[int] | Auto = "auto"  # type: ignore[assignment]
    stem: Stem | Auto | Sequence[Stem] = None  # type: ignore[assignment]
    branch: Branch | Sequence[Branch] = None  # type: ignore[assignment]
    differences: bool | Sequence[bool] | Auto = "auto"  # type: ignore[assignment]
    epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate: float | Auto = "auto"
    shift: int | Auto = "auto"
    augment: Augment | None = None
    ensemble: int | Auto = "auto"


@dataclass(kw_only=True, eq=False, repr=False)
class ClassifierSettings(SeriesSettings):
    """Settings of the classifier."""

    stem: Stem | Auto | Sequence[Stem] = "auto"
    class_weight: ClassWeight | None = None
    label_smoothing: float = 0.0
    mixup: float | Auto = "auto"
    loss: ClassifierLoss = "auto"
    focal_gamma: float | None = None
    loss_goal: float | Auto | None = "auto"
    calibrate: bool | Auto = "auto"


@dataclass(kw_only=True, eq=False, repr=False)
class RegressorSettings(SeriesSettings):
    """Settings of the regressor."""

    quantiles: Sequence[float] | None = None
    loss: RegressorLoss = "auto"
    calibration: float = 0.0


@dataclass(kw_only=True, eq=False, repr=False)
class TaggerSettings(ColumnSettings, TrainingSettings, DataSettings, StepsNetwork):
    """Settings of the tagger."""

    epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate: float | Auto = "auto"
    class_weight: ClassWeight | None = None
    label_smoothing: float = 0.0
    piece_length: int | Auto | None = "auto"
    augment: Augment | None = None
    loss: ClassifierLoss = "auto"
    focal_gamma: float | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class WindowSettings:
    """What is forecast, and what of."""

    context_length: int | Sequence[int] | Auto = "auto"
    horizon: int | Auto = "auto"


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastSettings(TrainingSettings, DataSettings, ForecastNetwork, WindowSettings):
    """Settings of the forecaster."""

    season: int | Auto = "auto"  # type: ignore[assignment]  # the data decide, and then it is one
    epochs: int | Auto = "auto"
    batch_size: int = 32
    learning_rate: float = 1e-3
    loss: ForecasterLoss = "auto"
    ensemble: int = 1
    combine_with: Combination | Auto = "auto"
    combination: CombinationShare = "equal"
    target_transform: Transform = "none"
    series_id: str | None = None
    time: str | Sequence[str] | None = None
    target: str | Sequence[str] | None = None
    past_covariates: Sequence[str] = ()
    future_covariates: Sequence[str] = ()
    static_covariates: Sequence[str] = ()
    frequency: str | None = None
    calendar: Sequence[str] = ()
