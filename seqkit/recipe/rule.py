"""What a rule between settings is; the rules are in `rules` and `loss_rules`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Rule"]


@dataclass(frozen=True)
class Rule:
    """One row of :data:`seqkit.recipe.rules.RULES`.

    Attributes
    ----------
    of : tuple of str
        Dotted paths of the settings; the first is the one the message names.
    holds : callable
        Takes the values of the settings in that order.
    expected, hint : str
        Words of the message; ``{name}`` stands for the setting whose path ends in that name.
    figure : callable, optional
        Takes the same values; what it returns stands for ``{figure}`` in `hint`.
    """

    of: tuple[str, ...]
    holds: Callable[..., bool]
    expected: str
    hint: str
    figure: Callable[..., str] | None = None
