"""Types of what estimators are given, for signatures, and how one is told from the others."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar, Union, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if

from seqkit.data.sequences import Sequences
from seqkit.errors import explain, suggest

if TYPE_CHECKING:
    import keras

__all__ = [
    "ArraysInput",
    "ClassWeight",
    "Covariates",
    "Frame",
    "FrameT",
    "OnEpoch",
    "OptimizerInput",
    "OptimizerName",
    "RandomState",
    "SeriesInput",
    "StartInput",
    "TargetInput",
    "ValidationData",
    "WeightInput",
    "apart_from_settings",
    "available",
    "is_keras_optimizer",
]


class Frame(Protocol):
    """A data frame: of pandas, of polars, or a table of pyarrow."""

    @property
    def columns(self) -> object:
        """Names of the columns, or the columns."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""


FrameT = TypeVar("FrameT", bound=Frame)
"""A frame that comes back in the library it came from."""

ArraysInput: TypeAlias = npt.ArrayLike | Sequence[npt.ArrayLike] | Sequences
"""Series: one array, or a list of arrays of unequal length."""

SeriesInput: TypeAlias = ArraysInput | Frame
"""Series: arrays, or a frame of pandas, polars or pyarrow."""

StartInput: TypeAlias = "str | os.PathLike[str] | object | None"
"""A fit to begin from: a path, or a fitted estimator, frozen or as it is."""

TargetInput: TypeAlias = npt.ArrayLike | Sequence[npt.ArrayLike] | Frame
"""A class label, a number or several, for each series; of a forecaster for each time step."""

WeightInput: TypeAlias = npt.ArrayLike | Sequence[npt.ArrayLike] | None
"""Weights of series, or of time steps."""

ValidationData: TypeAlias = (
    tuple[SeriesInput]
    | tuple[SeriesInput, TargetInput | None]
    | tuple[SeriesInput, TargetInput | None, WeightInput]
    | None
)
"""Series to validate on, with their target and their weights."""

Covariates: TypeAlias = npt.ArrayLike | Frame | None
"""Future covariates over the horizon."""

RandomState: TypeAlias = int | np.random.RandomState | None
"""What decides everything random, in scikit-learn's words."""

ClassWeight: TypeAlias = Mapping[str, float] | Mapping[int, float] | Mapping[object, float] | str
"""A weight for each class, or ``balanced``."""

OptimizerName: TypeAlias = Literal["adam", "adamw", "lion", "nadam", "rmsprop", "sgd"]

OptimizerInput: TypeAlias = Union[
    OptimizerName, Mapping[str, str | float | bool | None], "keras.optimizers.Optimizer"
]
"""An optimizer: a name, a map of a name and options, or an object of Keras."""


def is_keras_optimizer(value: object) -> bool:
    """Return whether it is an optimizer object, without importing Keras."""
    if isinstance(value, str | Mapping) or "keras" not in sys.modules:
        return False
    return isinstance(value, sys.modules["keras"].optimizers.Optimizer)


Method = TypeVar("Method", bound=Callable[..., object])


def apart_from_settings(method: Method) -> Method:
    """Let a method of an estimator say where an argument belongs that it has not got."""
    known = inspect.signature(method).parameters

    @functools.wraps(method)
    def call(self: object, *args: object, **kwargs: object) -> object:
        for name in kwargs:
            if name not in known:
                owner, hint = type(self).__name__, suggest(name, known)
                if name in inspect.signature(type(self)).parameters:
                    hint = f"It is a setting: {owner}({name}=...).{method.__name__}(X)."
                expected = f"one of {', '.join([*known][1:])}"
                where = f"{owner}.{method.__name__}"
                raise TypeError(explain(where, "an argument", expected, name, hint))
        return method(self, *args, **kwargs)

    return cast(Method, call)


def available(where: Callable[..., bool]) -> Callable[[Method], Method]:
    """Return scikit-learn's `available_if`, with the types it does not have."""
    decorator: Callable[[Method], Method] = available_if(where)
    return decorator


OnEpoch: TypeAlias = Callable[[int, dict[str, float], Callable[[], object]], object]
"""``on_epoch(epoch, logs, get_state)``, called after each epoch."""
