"""What an artefact says of itself: task, inputs, classes, columns, how it was made and proved."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

import seqkit
from seqkit.estimators.plain import encode
from seqkit.exports.examples import signature_of

__all__ = ["FORMAT", "model_document", "several_labels"]

FORMAT = 1
"""Of the document; a reader looks at it first."""


def model_document(estimator: Any, origin: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what goes into every artefact, in JSON's types.

    Parameters
    ----------
    estimator : fitted estimator
    origin : dict, default=None
        Of a run: its name, its recipe and the fingerprint of its data.
    """
    signature = signature_of(estimator)
    facts = _FACTS[estimator._task](estimator)
    return {
        "format": FORMAT,
        "seqkit": seqkit.__version__,
        "task": estimator._task,
        "inputs": [_tensor(one) for one in signature.inputs],
        "output": _tensor(signature.output),
        "units": "raw values in, answers in the units of the target",
        **{name: _plain(value) for name, value in facts.items() if value is not None},
        **(origin or {}),
    }


def several_labels(estimator: Any) -> bool:
    """Whether each class is a label of its own, and a probability beside the others."""
    name = "_multilabel_" if estimator._task == "tagging" else "_labels"
    return bool(getattr(estimator, name))


def _plain(value: Any) -> Any:
    """Return a fact as JSON that any reader takes: an array is a list."""
    return encode(value.tolist() if isinstance(value, np.ndarray) else value)


def _tensor(tensor: Any) -> dict[str, Any]:
    return asdict(tensor) | {"shape": list(tensor.shape)}


def _features(estimator: Any) -> Any:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _series(estimator: Any) -> dict[str, Any]:
    return {"features": _features(estimator), "missing": estimator._fitted.missing}


def _classes(estimator: Any) -> dict[str, Any]:
    several = several_labels(estimator)
    return _series(estimator) | {"classes": estimator.classes_, "several_labels": several}


def _steps(estimator: Any) -> dict[str, Any]:
    if estimator._of_numbers:
        found, n = _series(estimator), estimator._n_channels_
        names = found["features"] or [str(k) for k in range(n)]
        kinds = [f"{what} of {name}" for what in ("mean", "scale") for name in names]
        return found | {"components": estimator._n_components, "parameters": ["weight", *kinds]}
    tokens = getattr(estimator, "tokens_", None)
    coded = "a token is its place in this list and 1; 0 is one that is not in it"
    said = {} if tokens is None else {"tokens": tokens, "codes": coded}
    return _classes(estimator) | said


def _numbers(estimator: Any) -> dict[str, Any]:
    return _series(estimator) | {"quantiles": list(estimator._head[1]) or None}


def _forecast(estimator: Any) -> dict[str, Any]:
    columns, (head, levels, _) = estimator._reader.columns, estimator._head
    seen = list(columns.targets) if estimator._reader.target_inputs else []
    return {
        "targets": list(columns.targets),
        "channels": [*seen, *columns.past_channels, *columns.future_channels],
        "future": list(columns.future_channels) or None,
        "static": list(columns.static) or None,
        "static_codes": {name: list(known) for name, known in columns.categories} or None,
        "frequency": None if columns.clock is None else columns.clock.frequency,
        "horizon": estimator._fitted.horizon,
        "season": estimator._fitted.season,
        "quantiles": list(levels) or None,
        "distribution": estimator._fitted.distribution,
        "parameters": list(head.parameters) or None,
    }


_FACTS = {
    "classification": _classes,
    "tagging": _steps,
    "regression": _numbers,
    "forecasting": _forecast,
}
