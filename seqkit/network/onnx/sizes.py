"""Sizes of axes: numbers, or names of what is open, ``"3*batch"`` for three times the batch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

__all__ = ["Dim", "Dims", "broadcast", "factors", "reshaped", "summed"]

Dim: TypeAlias = int | str
Dims: TypeAlias = tuple[Dim, ...]


def factors(dims: Sequence[Dim]) -> tuple[int, Counter[str]]:
    """Return a product of sizes as a number and names.

    Examples
    --------
    >>> factors((2, "3*batch", "time"))
    (6, Counter({'batch': 1, 'time': 1}))
    """
    number, names = 1, Counter[str]()
    for dim in dims:
        parts = str(dim).split("*")
        number *= math.prod(int(part) for part in parts if part.isdecimal())
        names.update(part for part in parts if not part.isdecimal())
    return number, names


def _of_factors(number: int, names: Counter[str]) -> Dim:
    parts = sorted(names.elements())
    if not parts:
        return number
    return "*".join(parts if number == 1 else [str(number), *parts])


def broadcast(*shapes: Dims) -> Dims:
    """Return the sizes of an operation by element on tensors of these.

    Examples
    --------
    >>> broadcast(("batch", 1, 3), ("time", 1), ())
    ('batch', 'time', 3)
    """
    out: list[Dim] = []
    for axis in range(max(map(len, shapes), default=0)):
        sizes = [shape[-1 - axis] for shape in shapes if axis < len(shape)]
        wide = [size for size in sizes if size != 1]
        numbers = [size for size in wide if isinstance(size, int)]
        out.append((numbers or wide or [1])[0])
    return tuple(out[::-1])


def summed(parts: Sequence[Dim], unknown: Callable[[], str]) -> Dim:
    """Return the size of parts one after the other."""
    found = [factors((part,)) for part in parts if part != 0]
    names = found[0][1] if found else Counter[str]()
    if any(other != names for _, other in found):
        return unknown()
    return _of_factors(sum(number for number, _ in found), names)


def reshaped(dims: Dims, target: Sequence[Dim], unknown: Callable[[], str]) -> Dims:
    """Return the sizes of a tensor in another shape, of which one may be -1.

    Examples
    --------
    >>> reshaped(("batch", 4, "time"), (-1, "time", 2), lambda: "new")
    ('2*batch', 'time', 2)
    """
    if -1 not in target:
        return tuple(target)
    number, names = factors(dims)
    known, own = factors([dim for dim in target if dim != -1])
    rest: Dim
    if known and not number % known and not own - names:
        rest = _of_factors(number // known, names - own)
    else:
        rest = unknown()
    return tuple(rest if dim == -1 else dim for dim in target)
