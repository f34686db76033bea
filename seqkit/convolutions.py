"""Convolutions over time before or beside recurrent layers, as checked plain data.

A stem is what recurrent layers read instead of raw steps; its own steps are pooled too, and stand
beside what the recurrent layers make of them. A branch reads the same series beside
them and gives a vector of its own: the fully convolutional network of Wang, Yan and Oates 2017;
beside an LSTM it is the LSTM-FCN of Karim et al. 2018, with attention pooling the ALSTM-FCN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

from seqkit.errors import explain, suggest

__all__ = [
    "BRANCHES",
    "FCN",
    "OPTIONS",
    "STEM",
    "ConvolutionRow",
    "convolutions_of",
    "multiplications",
    "pooling_of",
    "stem_for",
    "steps_after",
]

STEM: dict[str, Any] = {
    "filters": [32, 64, 64], "kernel_size": [9, 7, 5], "stride": 1, "pooling": "mean_max",
}  # fmt: skip
"""A stem where nothing else is said."""
FCN: dict[str, Any] = {
    "filters": [128, 256, 128], "kernel_size": [8, 5, 3], "stride": 1, "pooling": "mean",
}  # fmt: skip
"""The fully convolutional branch as it was published (Karim et al. 2018, section III)."""
STEM_STEPS, MOST_STEM_STEPS = 20, 64
"""Steps that the strides of 2 of an automatic stem leave at least, and those that it leaves at most
as far as strides of 4 go."""
BRANCHES: dict[str, dict[str, Any]] = {"fcn": FCN}
"""Branches by the names that a recipe gives them."""
OPTIONS = ("filters", "kernel_size", "stride", "layers", "pooling")
POOLED = ("mean", "max", "mean_max")
"""How the steps of convolutions become a vector; of a stem they may also not do so: ``none``."""
MOST_LAYERS = 32


class ConvolutionRow(NamedTuple):
    """One convolution: its width, the steps that it sees, and those from one output to the next."""

    filters: int
    kernel_size: int
    stride: int


def convolutions_of(owner: str, name: str, given: Any) -> tuple[ConvolutionRow, ...]:
    """Return the convolutions that a setting describes, from the first to the last.

    Parameters
    ----------
    owner : str
        Whose setting it is, for errors.
    name : {"stem", "branch"}
    given : mapping or str
        ``filters``, ``kernel_size``, ``stride``: a positive integer for all, or a list with one for
        each; ``layers``: how many; ``pooling``, as :func:`pooling_of` returns it. What is left out
        is that of :data:`STEM` or :data:`FCN`. Of a branch also a row of :data:`BRANCHES`.

    Examples
    --------
    >>> convolutions_of("build_classifier", "stem", {"kernel_size": [9, 5], "stride": 2})
    ... # doctest: +NORMALIZE_WHITESPACE
    (ConvolutionRow(filters=32, kernel_size=9, stride=2),
     ConvolutionRow(filters=64, kernel_size=5, stride=2))
    """
    named, default = (BRANCHES, FCN) if name == "branch" else ({}, STEM)
    given = named.get(given, given) if isinstance(given, str) else given
    if not isinstance(given, Mapping):
        expected = " or ".join(["None", *named, "a map of " + ", ".join(OPTIONS)])
        raise ValueError(explain(owner, name, expected, given, suggest(str(given), named)))
    for option in given:
        if option not in OPTIONS:
            expected = f"made of {', '.join(OPTIONS)}"
            raise ValueError(explain(owner, name, expected, option, suggest(option, OPTIONS)))
    counted = {option: value for option, value in given.items() if option != "pooling"}
    for option, value in counted.items():
        values = value if isinstance(value, list | tuple) and option != "layers" else [value]
        if not values or not all(isinstance(v, Integral) and int(v) >= 1 for v in values):
            expected = "a positive integer or a list of them"
            raise ValueError(explain(owner, f"{name}: {option}", expected, value))
    if pooling_of(name, given) not in (poolings := (*(["none"] if not named else []), *POOLED)):
        expected = f"one of {', '.join(poolings)}"
        hint = suggest(str(given["pooling"]), poolings)
        raise ValueError(explain(owner, f"{name}: pooling", expected, given["pooling"], hint))
    lists = {k: len(v) for k, v in counted.items() if isinstance(v, list | tuple)}
    n = given.get("layers", max(lists.values(), default=0))
    # what nobody has set, and what is one number, holds for as many as there are
    n = n or max((len(v) for v in default.values() if isinstance(v, list)), default=1)
    if n > MOST_LAYERS:
        raise ValueError(explain(owner, f"{name}: layers", f"at most {MOST_LAYERS}", n))
    for option, length in lists.items():
        if length != n:
            expected = f"one number, or a list of {n}, one for each layer"
            raise ValueError(explain(owner, f"{name}: {option}", expected, given[option]))
    rows = {option: _each(given.get(option, default[option]), n) for option in OPTIONS[:3]}
    return tuple(ConvolutionRow(*row) for row in zip(*rows.values(), strict=True))


def pooling_of(name: str, given: Mapping[str, Any] | str) -> str:
    """Return how the steps of checked convolutions become the vector that the head reads.

    Examples
    --------
    >>> pooling_of("stem", {}), pooling_of("stem", {"pooling": "none"}), pooling_of("branch", "fcn")
    ('mean_max', 'none', 'mean')
    """
    default: str = (FCN if name == "branch" else STEM)["pooling"]
    return default if isinstance(given, str) else given.get("pooling", default)


def stem_for(length: float | None) -> dict[str, Any]:
    """Return the stem for series of this length: strides of 2 while 20 steps are left, then of 4.

    Examples
    --------
    >>> [stem_for(length)["stride"] for length in (30, 150, 500, 2000)]
    [[1, 1, 1], [2, 2, 1], [2, 2, 2], [4, 4, 2]]
    """
    n = len(STEM["kernel_size"])
    left, strides = 1.0 if length is None else length, [1] * n
    for least in (2 * STEM_STEPS, MOST_STEM_STEPS + 1):
        for k in range(n):
            if left >= least:
                strides[k], left = 2 * strides[k], left / 2
    return {**STEM, "stride": strides}


def steps_after(steps: float, rows: Sequence[ConvolutionRow]) -> int:
    """Return how many steps convolutions leave of so many.

    Examples
    --------
    >>> steps_after(15, convolutions_of("", "stem", {"stride": [2, 2, 1]}))
    4
    """
    for row in rows:
        steps = math.ceil(steps / row.stride)
    return math.ceil(steps)


def multiplications(steps: float, features: int, rows: Sequence[ConvolutionRow]) -> float:
    """Return the multiplications of a series of so many steps and features.

    Examples
    --------
    >>> multiplications(10, 1, convolutions_of("", "stem", {"filters": [4, 8], "kernel_size": 3}))
    1080.0
    """
    total = 0.0
    for row in rows:
        steps = math.ceil(steps / row.stride)
        total += steps * row.kernel_size * features * row.filters
        features = row.filters
    return total


def _each(value: int | Sequence[int], n: int) -> list[int]:
    """Return a value for each layer: of a list the last goes on where there are more layers."""
    values = list(value) if isinstance(value, Sequence) else [value]
    return [int(values[min(k, len(values) - 1)]) for k in range(n)]
