"""What an estimator has read and checked, for a fit that need not do either again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Checked"]


@dataclass(frozen=True)
class Checked:
    """Data that an unfitted copy of an estimator has read; its `fit` takes them in place of ``X``.

    The settings have to be the same: nothing of the data is checked again.

    Parameters
    ----------
    estimator : estimator
        The copy, with what reading has left in it: features, classes, columns.
    content : object
        What it has read: ``Examples``, or a panel.
    parts : tuple, default=()
        Of a panel what is trained and what is validated on.
    """

    estimator: Any
    content: Any
    parts: tuple[Any, ...] = ()

    def read_by(self, estimator: Any) -> Any:
        """Leave in an estimator what reading leaves, and return what was read."""
        left = {name: value for name, value in vars(self.estimator).items() if name.endswith("_")}
        vars(estimator).update(left)
        return self.content
