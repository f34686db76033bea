"""The settings of networks, each stated once: name, type and default.

Descriptions (:mod:`seqkit.network.series`, :mod:`seqkit.network.forecasting`), builders and
estimators take the fields of these classes; what a setting means and may be stands in the grammar
of recipes, which reads its choices from here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar

from seqkit.cells import CellName
from seqkit.errors import suggest

__all__ = [
    "COMPONENTS",
    "FOCAL_GAMMA",
    "LEAST_AVERAGED",
    "MOST_AVERAGED",
    "MOST_SEGMENTS",
    "Auto",
    "BiasStart",
    "BranchName",
    "Channels",
    "ClassifierNetwork",
    "Combination",
    "CombinationShare",
    "Convolutions",
    "DecoderName",
    "Departure",
    "Distribution",
    "ForecastNetwork",
    "ForecasterNetwork",
    "MatrixStart",
    "NetworkSettings",
    "Normalization",
    "PoolingName",
    "RegressorNetwork",
    "Scaling",
    "SeriesNetwork",
    "SeriesNormalization",
    "StepsNetwork",
    "TaggerNetwork",
    "Transform",
    "names_of",
    "takes",
]

Auto: TypeAlias = Literal["auto"]
Scaling: TypeAlias = Literal["none", "standard", "minmax", "robust"]
PoolingName: TypeAlias = Literal["last", "mean", "max", "mean_max", "attention"]
DecoderName: TypeAlias = Literal["direct", "recursive", "segment"]
Normalization: TypeAlias = Literal["none", "last", "standard"]
Departure: TypeAlias = Literal["none", "last", "seasonal_naive", "theta", "learned_theta"]
Combination: TypeAlias = Literal["none", "theta"]
CombinationShare: TypeAlias = Literal["equal", "learned"]
Channels: TypeAlias = Literal["joint", "independent"]
Transform: TypeAlias = Literal["none", "log", "box_cox"]
Convolutions: TypeAlias = Mapping[str, int | Sequence[int]]
"""A map of filters, kernel_size, stride and layers."""
BranchName: TypeAlias = Literal["fcn"]
SeriesNormalization: TypeAlias = Literal["none", "series"]
MatrixStart: TypeAlias = Literal[
    "glorot_uniform", "he_normal", "orthogonal", "orthogonal_gates", "normal", "uniform", "zeros",
    "ones",
]  # fmt: skip
BiasStart: TypeAlias = Literal["forget_one", "zeros", "chrono"]
Distribution: TypeAlias = Literal["normal", "student_t", "negative_binomial", "poisson"]

COMPONENTS = 5
"""Components of a mixture where nothing is said of them."""
FOCAL_GAMMA = 2.0
"""Gamma of the focal loss that Lin et al. (2017) found best."""
LEAST_AVERAGED, MOST_AVERAGED = 2, 1000
"""Of `averages`: over one step it is that step; each is written out in operations that take further
and further steps into a sum."""
MOST_SEGMENTS = 1000
"""Patches that the recursive decoder may forecast: each is written out."""


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkSettings:
    """What all networks have: a recurrent stack, and the scaling of what it is given."""

    cell: CellName = "gru"
    units: int | Sequence[int] | Auto = 64
    bidirectional: bool | Auto = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    residual: bool = False
    dense: Sequence[int] = ()
    scale: Scaling = "standard"
    kernel_initializer: MatrixStart = "glorot_uniform"
    recurrent_initializer: MatrixStart = "orthogonal"
    bias_initializer: BiasStart = "forget_one"


@dataclass(kw_only=True, eq=False, repr=False)
class SeriesNetwork(NetworkSettings):
    """Settings of networks of whole series."""

    units: int | Sequence[int] | Auto = "auto"
    bidirectional: bool | Auto = "auto"
    dropout: float = 0.2
    pooling: PoolingName | Auto = "auto"
    patch: int | Auto = "auto"
    overlap: int | Auto = "auto"
    pyramid: int | Auto = "auto"
    deviations: bool | Auto = "auto"
    differences: bool | Auto = "auto"
    averages: Sequence[int] = ()
    moves: Sequence[int] | Auto = "auto"
    stem: Convolutions | Auto | None = None
    branch: Convolutions | BranchName | None = None
    normalize: SeriesNormalization = "none"
    layer_norm: bool = False
    input_dropout: float = 0.0


@dataclass(kw_only=True, eq=False, repr=False)
class StepsNetwork(NetworkSettings):
    """Settings of networks that answer every time step: nothing folds or pools the steps."""

    units: int | Sequence[int] = 64
    bidirectional: bool | Auto = "auto"
    dropout: float = 0.2
    embedding: int | None = None
    mixture: int | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastNetwork(NetworkSettings):
    """Settings of networks that forecast."""

    units: int | Sequence[int] = 128
    bidirectional: bool = False
    patch: int | None = None
    decoder: DecoderName = "direct"
    normalize: Normalization = "standard"
    departure_from: Departure = "none"
    channels: Channels = "joint"
    season: int = 1
    quantiles: Sequence[float] | None = None
    distribution: Distribution | None = None


@dataclass(eq=False, repr=False)
class ClassifierNetwork(SeriesNetwork):
    """Settings of a classifier with the sizes that the data decide."""

    n_timesteps: int | None
    n_features: int
    n_classes: int
    _: KW_ONLY
    stem: Convolutions | Auto | None = "auto"
    variable_length: bool = False
    max_timesteps: int | None = None
    multilabel: bool = False


@dataclass(eq=False, repr=False)
class RegressorNetwork(SeriesNetwork):
    """Settings of a regressor with the sizes that the data decide."""

    n_timesteps: int | None
    n_features: int
    n_targets: int = 1
    _: KW_ONLY
    quantiles: Sequence[float] | None = None
    variable_length: bool = False
    max_timesteps: int | None = None


@dataclass(eq=False, repr=False)
class TaggerNetwork(StepsNetwork):
    """Settings of a tagger with the sizes that the data decide."""

    n_timesteps: int | None
    n_features: int | None
    n_classes: int | None
    _: KW_ONLY
    n_tokens: int | None = None
    variable_length: bool = False
    max_timesteps: int | None = None
    multilabel: bool = False


@dataclass(eq=False, repr=False)
class ForecasterNetwork(ForecastNetwork):
    """Settings of a forecaster with the sizes that the data decide."""

    context_length: int
    horizon: int
    n_targets: int = 1
    n_past: int = 0
    n_future: int = 0
    _: KW_ONLY
    n_static: int = 0
    static_categories: Sequence[int] = ()
    variable_length: bool = False
    target_inputs: bool = True


P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")


def names_of(kind: type) -> tuple[str, ...]:
    """Return the names of the settings of a class.

    Examples
    --------
    >>> names_of(SeriesNetwork)[:3]
    ('cell', 'units', 'bidirectional')
    """
    return tuple(field.name for field in fields(kind))


def takes(settings: Callable[P, S]) -> Callable[[Callable[[S], R]], Callable[P, R]]:
    """Give a function of settings the signature of their class, also for type checkers.

    Parameters
    ----------
    settings : class
        One of the dataclasses above.

    Returns
    -------
    callable
        A decorator: the function is called with the fields as arguments.

    Examples
    --------
    >>> @takes(SeriesNetwork)
    ... def widths(settings):
    ...     return settings.units
    >>> widths(units=3)
    3
    >>> widths(unitz=3)
    Traceback (most recent call last):
    TypeError: widths: got an unexpected keyword argument 'unitz'; did you mean 'units'?
    """
    signature = inspect.signature(settings)

    def decorated(function: Callable[[S], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                unknown = [name for name in kwargs if name not in signature.parameters]
                near = suggest(unknown[0], signature.parameters) if unknown else ""
                hint = f"; {near}" if near else "."
                raise TypeError(f"{function.__name__}: {error}{hint}") from None
            return function(settings(*args, **kwargs))

        result = function.__annotations__.get("return", signature.empty)
        made: Any = call
        made.__signature__ = signature.replace(return_annotation=result)
        made.__annotations__ = {
            name: parameter.annotation for name, parameter in signature.parameters.items()
        } | {"return": result}
        return call

    return decorated
