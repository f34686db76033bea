"""Types of what estimators are given, for signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from seqkit.data.sequences import Sequences

__all__ = [
    "ArraysInput",
    "ClassWeight",
    "Covariates",
    "Frame",
    "FrameT",
    "OnEpoch",
    "RandomState",
    "SeriesInput",
    "TargetInput",
    "ValidationData",
    "WeightInput",
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

OnEpoch: TypeAlias = Callable[[int, dict[str, float], Callable[[], object]], object]
"""``on_epoch(epoch, logs, get_state)``, called after each epoch."""
