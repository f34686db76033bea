"""Kinds of values, in words and as a check: what the rows of `facts` are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "FLAG",
    "NUMBER",
    "TEXT",
    "Kind",
    "array",
    "either",
    "integer",
    "mapping",
    "optional",
    "record",
    "series_of",
]


@dataclass(frozen=True)
class Kind:
    """What a value must be, in words, and whether it is."""

    words: str
    holds: Callable[[Any], bool]


def integer(least: int = 0) -> Kind:
    """Return the kind of integers of at least `least`."""

    def holds(value: Any) -> bool:
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        return is_whole and least <= int(value) < 1 << 62

    return Kind(f"an integer of at least {least}", holds)


FLAG = Kind("true or false", lambda value: isinstance(value, (bool, np.bool_)))
TEXT = Kind("text", lambda value: isinstance(value, str))
NUMBER = Kind(
    "a finite number",
    lambda value: (
        isinstance(value, (int, float, np.number))
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    ),
)


def optional(kind: Kind) -> Kind:
    """Return the kind that is also none at all."""
    return Kind(f"{kind.words}, or none", lambda value: value is None or kind.holds(value))


def series_of(kind: Kind, container: type[list[Any]] | type[tuple[Any, ...]] = list) -> Kind:
    """Return the kind of lists (or tuples) of a kind."""
    return Kind(
        f"a {container.__name__}, each of it {kind.words}",
        lambda value: isinstance(value, container) and all(kind.holds(one) for one in value),
    )


def mapping(kind: Kind) -> Kind:
    """Return the kind of maps from names to a kind."""
    return Kind(
        f"a map of names, each {kind.words}",
        lambda value: (
            isinstance(value, dict)
            and all(isinstance(key, str) and kind.holds(inner) for key, inner in value.items())
        ),
    )


def record(**kinds: Kind) -> Kind:
    """Return the kind of maps with these names and no others."""
    return Kind(
        "a map of " + ", ".join(f"{name} ({kind.words})" for name, kind in kinds.items()),
        lambda value: (
            isinstance(value, dict)
            and set(value) == set(kinds)
            and all(kind.holds(value[name]) for name, kind in kinds.items())
        ),
    )


def either(*kinds: Kind) -> Kind:
    """Return the kind of what is of one of these kinds."""
    return Kind(
        " or ".join(kind.words for kind in kinds),
        lambda value: any(kind.holds(value) for kind in kinds),
    )


def array(kinds: str, n_axes: int = 1) -> Kind:
    """Return the kind of arrays of these kinds of numbers (as in ``dtype.kind``), finite."""

    def holds(value: Any) -> bool:
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
            return False
        finite = value.dtype.kind != "f" or bool(np.isfinite(value).all())
        return value.ndim == n_axes and finite

    return Kind(f"an array of {n_axes} axes of kind {' or '.join(kinds)}, finite", holds)
