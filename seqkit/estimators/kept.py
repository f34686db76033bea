"""What is made of a fit once, and serves all predictions from it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Keeping"]

T = TypeVar("T")


class Keeping:
    """The half of an estimator that keeps what its predictions need, while the fit is the same.

    It is in no pickle, copy or file: :meth:`_kept` makes it anew where it is not there.
    """

    def _kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` has made of this fit, by a name; it must not change afterwards.

        A fit is the very objects that it has left: each attribute that ends in an underscore.
        """
        held = self.__dict__
        left = [value for name, value in held.items() if name[-1] == "_" and name != "_model_"]
        fit, made = held.setdefault("_made", [(), {}])
        if len(fit) != len(left) or any(a is not b for a, b in zip(fit, left, strict=True)):
            made = {}
            held["_made"][:] = left, made  # a prediction leaves the attributes as they are
        if key not in made:
            made[key] = make()
        found: T = made[key]
        return found

    def _keep_nothing(self) -> None:
        """Begin with nothing: there is a new fit."""
        self.__dict__["_made"] = [(), {}]

    def __getstate__(self) -> dict[str, Any]:
        found: Any = super().__getstate__()  # of the other half
        return {name: value for name, value in found.items() if name != "_made"}
