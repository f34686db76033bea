"""Formats a trained model leaves seqkit in: a row of :data:`EXPORTS` each."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqkit.errors import ExportError, explain, suggest

__all__ = ["EXPORTS", "Export", "export_model"]


@dataclass(frozen=True)
class Export:
    """One row of :data:`EXPORTS`.

    Attributes
    ----------
    name : str
        As in ``--format`` and in a recipe's ``export``.
    summary : str
    suffix : str
        Ending of the file, or empty for a folder.
    writer : str
        Function ``module:name`` that takes the estimator and the path.
    """

    name: str
    summary: str
    suffix: str
    writer: str

    def load(self) -> Callable[[Any, Path], None]:
        """Return the function that writes the format."""
        module, name = self.writer.split(":")
        write: Callable[[Any, Path], None] = getattr(importlib.import_module(module), name)
        return write


EXPORTS: dict[str, Export] = {
    row.name: row
    for row in (
        Export(
            "keras",
            "one .keras file; Keras reads it where seqkit is installed",
            ".keras",
            "seqkit.exports.keras_file:write",
        ),
        Export(
            "saved_model",
            "a TensorFlow SavedModel folder; TensorFlow alone serves it",
            "",
            "seqkit.exports.saved_model:write",
        ),
    )
}


def export_model(estimator: Any, format: str, path: Path) -> Path:
    """Write a fitted estimator's model in a format of :data:`EXPORTS`.

    Parameters
    ----------
    estimator : fitted estimator
    format : str
        A key of :data:`EXPORTS`.
    path : pathlib.Path
        File or folder to write; must not exist.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ValueError
        For an unknown format.
    seqkit.errors.ExportError
        If `path` exists, has another ending than the format's, or cannot be written.
    """
    if format not in EXPORTS:
        raise ValueError(
            explain("export", "format", f"one of {', '.join(EXPORTS)}", format,
                    suggest(format, EXPORTS))
        )  # fmt: skip
    row = EXPORTS[format]
    path = Path(path)
    if path.suffix != row.suffix and row.suffix:
        raise ExportError(f"{path}: a {format} export is a file that ends in {row.suffix}.")
    if path.exists():
        raise ExportError(f"{path}: exists already and is not overwritten. Name another path.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        row.load()(estimator, path)
    except UnicodeEncodeError as error:
        raise ExportError(
            f"{path}: the name must be UTF-8 for a {format} export. Name another path."
        ) from error
    except OSError as error:
        raise ExportError(f"{path}: cannot be written: {error.strerror or error}.") from error
    return path
