"""The recipe: its grammar, and how it is read from files and overrides."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Recipe", "Resolved", "read_recipe", "validate_parameters"]

_HOMES = {
    "Recipe": "schema",
    "Resolved": "reading",
    "read_recipe": "reading",
    "validate_parameters": "schema",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
