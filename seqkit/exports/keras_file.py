"""The ``.keras`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["write"]


def write(estimator: Any, path: Path) -> None:
    """Write the model as one ``.keras`` file."""
    estimator.model_.save(path)
