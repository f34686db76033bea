"""Fitted estimators as plain JSON beside a ``.keras`` file: no pickle."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import RunError
from seqkit.tasks import TASKS

__all__ = ["decode", "encode", "estimator_class", "load_estimator", "save_estimator"]

# Attributes whose content the .keras file or the history file already holds.
_ELSEWHERE = frozenset({"weights_", "_model_", "_state_"})


def encode(value: Any) -> Any:
    """Return `value` in JSON's types; tuples, arrays and time stamps keep their kind.

    Examples
    --------
    >>> import numpy as np
    >>> encode({"classes_": np.array([3, 5])})
    {'classes_': {'$array': [3, 5], 'dtype': 'int64'}}
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "mM":
            return {"$array": value.astype("int64").tolist(), "dtype": str(value.dtype)}
        items = [encode(v) for v in value.tolist()] if value.dtype == object else value.tolist()
        return {"$array": items, "dtype": "str" if value.dtype.kind == "U" else str(value.dtype)}
    if isinstance(value, np.generic):
        return {"$scalar": encode(value.item()), "dtype": str(value.dtype)}
    if isinstance(value, tuple):
        return {"$tuple": [encode(v) for v in value]}
    if isinstance(value, list):
        return [encode(v) for v in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: encode(v) for key, v in value.items()}
        return {"$dict": [[encode(key), encode(v)] for key, v in value.items()]}
    raise TypeError(f"cannot write a {type(value).__name__} into model.json: {value!r}")


def decode(value: Any) -> Any:
    """Return what :func:`encode` was given."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return np.array(decode(value["$array"]), dtype=value["dtype"])
    if "$scalar" in value:
        return np.dtype(value["dtype"]).type(value["$scalar"])
    if "$tuple" in value:
        return tuple(decode(v) for v in value["$tuple"])
    if "$dict" in value:
        return {decode(key): decode(v) for key, v in value["$dict"]}
    return {key: decode(v) for key, v in value.items()}


def estimator_class(task: str) -> type:
    """Return the class that fits a task."""
    module, name = TASKS[task].estimator.split(":")
    return getattr(importlib.import_module(module), name)


def save_estimator(estimator: Any, folder: Path) -> dict[str, Any]:
    """Write ``model.keras`` and return what ``model.json`` has to hold.

    Parameters
    ----------
    estimator : fitted estimator
    folder : pathlib.Path
        Exists already.
    """
    estimator.model_.save(folder / "model.keras")
    parameters = estimator.get_params(deep=False)
    fitted = {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and name not in _ELSEWHERE
    }
    return {
        "task": estimator._task,
        "parameters": encode({k: v for k, v in parameters.items() if k != "random_state"}),
        "fitted": encode(fitted),
    }


def load_estimator(description: dict[str, Any], model: Path) -> Any:
    """Return the fitted estimator that :func:`save_estimator` described."""
    import keras

    import seqkit.forecast_ensemble
    import seqkit.forecast_model  # noqa: F401  (registers the layers a .keras file names)

    try:
        estimator = estimator_class(description["task"])(**decode(description["parameters"]))
        network = keras.saving.load_model(model, compile=False)
        estimator.__dict__.update(decode(description["fitted"]))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise RunError(
            f"{model.parent}: the saved model cannot be read: {error} Fit again, or restore the "
            "folder from a copy."
        ) from error
    estimator.weights_ = network.get_weights()
    estimator._model_ = network
    return estimator
