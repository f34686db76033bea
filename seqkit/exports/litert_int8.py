"""LiteRT with weights of 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqkit.exports.litert import convert, read, stamp

__all__ = ["read", "stamp", "write"]


def write(estimator: Any, path: Path) -> None:
    """Write the model with larger matrices in 8 bits."""
    convert(estimator, path, int8=True)
