"""The TensorFlow SavedModel: stock TensorFlow ops only, so seqkit is not needed to serve it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqkit.estimators.plain import encode

__all__ = ["write"]


def write(estimator: Any, path: Path) -> None:
    """Write a SavedModel with the signature ``serve``.

    Beside the graph, ``assets.extra/seqkit.json`` names the classes or the columns, which a
    tensor cannot.
    """
    estimator.model_.export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"
    extra.mkdir()
    named = {
        name.rstrip("_"): encode(value)
        for name, value in vars(estimator).items()
        if name in ("classes_", "feature_names_in_", "n_features_in_")
    }
    document = {"task": estimator._task, **named}
    (extra / "seqkit.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
