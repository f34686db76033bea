"""The ``.keras`` file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from seqkit.exports.verifying import Ask

__all__ = ["read", "stamp", "write"]

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

    def ask(inputs: dict[str, Any]) -> Any:
        given = inputs if isinstance(model.input, dict) else inputs["x"]
        return model.predict(given, verbose=0)

    return ask
