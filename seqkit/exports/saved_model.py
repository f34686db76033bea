"""The TensorFlow SavedModel: stock TensorFlow ops only, so seqkit is not needed to serve it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqkit.exports.verifying import Ask

__all__ = ["read", "stamp", "write"]


def write(estimator: Any, path: Path) -> None:
    """Write a SavedModel with the signature ``serve``."""
    estimator.model_.export(path, format="tf_saved_model", verbose=False)


def stamp(path: Path, document: dict[str, Any]) -> None:
    """Write ``assets.extra/seqkit.json``: what a tensor cannot say."""
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / "seqkit.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read(path: Path, estimator: Any) -> Ask:
    """Return what runs it."""
    import tensorflow as tf

    served, named = tf.saved_model.load(str(path)), isinstance(estimator.model_.input, dict)

    def ask(inputs: dict[str, Any]) -> Any:
        given = inputs if named else inputs["x"]
        return served.serve(given).numpy()

    return ask
