"""A builder and its settings: what makes a network, by name."""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqkit.backend import check_backend

__all__ = ["Architecture", "stack_units"]


def stack_units(units: int | Sequence[int]) -> tuple[int, ...]:
    """Return the width of every recurrent layer: one number is a stack of one."""
    return tuple(int(u) for u in units) if isinstance(units, Sequence) else (int(units),)


@dataclass(frozen=True)
class Architecture:
    """What a builder function makes of settings; called, it builds the ``keras.Model``.

    Parameters
    ----------
    builder : str
        ``module:function``, imported only where it is called.
    settings : mapping of str to value
        The function's keyword arguments.

    Examples
    --------
    >>> made = Architecture("seqkit.cells:find_cell", {"name": "lstm"})
    >>> made().family, made.key
    ('lstm', ('seqkit.cells:find_cell', (('name', 'lstm'),)))
    """

    builder: str
    settings: Mapping[str, Any]

    def __call__(self) -> Any:
        """Build the model."""
        check_backend()
        module, name = self.builder.split(":")
        return getattr(importlib.import_module(module), name)(**self.settings)

    @property
    def key(self) -> Hashable:
        """What names the architecture among others."""
        return self.builder, tuple(
            (name, tuple(value) if isinstance(value, (list, tuple)) else value)
            for name, value in sorted(self.settings.items())
        )
