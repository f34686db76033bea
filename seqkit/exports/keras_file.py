"""The ``.keras`` file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqkit.exports.verifying import Ask

__all__ = ["as_given", "read", "stamp", "write"]

MEMBER = "seqkit.json"


def write(estimator: Any, path: Path) -> None:
    """Write the model as one ``.keras`` file."""
    estimator.model_.save(path)


def stamp(path: Path, document: dict[str, Any]) -> None:
    """Put the document beside Keras's own files in the archive; Keras does not look at it."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, json.dumps(document, indent=1))


def read(path: Path, estimator: Any) -> Ask:
    """Return what runs it."""
    import keras

    import seqkit.layers  # noqa: F401  # Keras then knows them

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return lambda inputs: model.predict(as_given(model, inputs), verbose=0)


def as_given(model: Any, inputs: Mapping[str, Any]) -> Any:
    """Return inputs by name as a Keras model takes them: so, or one alone."""
    return dict(inputs) if isinstance(model.input, dict) else inputs["x"]
