"""Fitted estimators in a folder: JSON and weights, nothing that could run."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from seqkit.errors import RunError
from seqkit.estimators.facts import ELSEWHERE, SEEN, check_facts, check_together
from seqkit.estimators.inputs import is_keras_optimizer
from seqkit.estimators.plain import decode, encode
from seqkit.estimators.weights_file import check_weights, described, read_tensors, tensor_bytes
from seqkit.network.document import as_document, network_of
from seqkit.system import durable
from seqkit.system.documents import LARGEST_JSON, damaged, digest_of, parse_json, read_file
from seqkit.tasks import TASKS

__all__ = [
    "NETWORK",
    "NOTE",
    "SKOPS_TRUSTED",
    "WEIGHTS",
    "estimator_class",
    "load_estimator",
    "read_estimator",
    "save_estimator",
    "write_estimator",
]

WEIGHTS = {1: "model.keras", 2: "weights.safetensors"}
"""The file of weights by the format of the run folder."""
NETWORK = "network.json"
"""The description of what the weights are of: a list, of several networks in an ensemble."""
NOTE = "estimator.json"
"""The file of a saved estimator that has its format and the SHA-256 of the others."""
SKOPS_TRUSTED = (
    *(row.estimator.replace(":", ".") for row in TASKS.values()),
    "seqkit.training.state.TrainingState",
)
"""What `skops.io.load` has to be told to trust, of any fitted estimator: objects of plain values,
which run nothing. The last is what `warm_start` keeps."""
_MODEL = "model.json"
_LARGEST_NOTE, _LARGEST_WEIGHTS = 1 << 16, 1 << 31  # bytes
_FIELDS = {"task", "parameters", "fitted", "columns"}


def estimator_class(task: str) -> type:
    """Return the class that fits a task."""
    module, name = TASKS[task].estimator.split(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


def save_estimator(
    estimator: Any, folder: Path, columns: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write ``network.json`` and ``weights.safetensors``; return what ``model.json`` has to hold.

    Parameters
    ----------
    estimator : fitted estimator
    folder : pathlib.Path
        Exists already.
    columns : dict, default=None
        Names of the columns that it was fitted on.
    """
    fitted = {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and name not in ELSEWHERE
    }
    check_facts(estimator._task, fitted, max(WEIGHTS))
    if is_keras_optimizer(estimator.optimizer):
        raise RunError(
            f"{type(estimator).__name__}: optimizer must be a name, or a map of name and options, "
            f"to be saved; got a {type(estimator.optimizer).__name__} of Keras. "
            "After set_params(optimizer='adam') the fit, as it is, can be saved."
        )
    tensors: dict[str, Any] = {}
    # set_params may have changed settings since, but not those of the fit
    parameters = estimator.get_params(deep=False) | estimator._fitted_settings_
    start = parameters["start"]  # of an object, what it was is among the facts
    parameters["start"] = os.fspath(start) if isinstance(start, str | os.PathLike) else None
    parameters["freeze"] = parameters["freeze"] if parameters["start"] else ()
    description = {
        "columns": columns or {},
        "task": estimator._task,
        "parameters": encode({k: v for k, v in parameters.items() if k != "random_state"}),
        "fitted": encode(fitted, tensors),
    }
    file = folder / WEIGHTS[2]
    if len(json.dumps(description)) > LARGEST_JSON:
        raise RunError(
            f"{folder}: what the fit has learned of the series must take at most {LARGEST_JSON} "
            "bytes as text. Shorten the names of the series, or fit fewer."
        )
    architecture = estimator._build()
    networks = [as_document(member.network) for member in architecture.members]
    durable.write_file(folder / NETWORK, json.dumps(networks, indent=1).encode())
    shapes = described(architecture)
    durable.write_file(file, tensor_bytes(estimator.weights_, shapes, tensors, str(file)))
    return description


def load_estimator(
    description: Any,
    weights: bytes,
    folder: Path,
    format: int = max(WEIGHTS),
    networks: bytes | None = None,
) -> Any:
    """Return the fitted estimator that :func:`save_estimator` described.

    Nothing of Keras is built for a native network; ``model_`` does that when it is read.

    Parameters
    ----------
    description : object
        What ``model.json`` holds.
    weights : bytes
        Content of the file of weights.
    folder : pathlib.Path
        The run folder, for messages.
    format : int
        Format of the folder.
    networks : bytes, optional
        Content of ``network.json``; of a folder of format 1, which has none, None.

    Raises
    ------
    seqkit.errors.RunError
        If it is not what was saved.
    """
    file, model = folder / WEIGHTS[format], folder / "model.json"
    tensors = {} if format == 1 else read_tensors(weights, file)
    try:
        estimator = _estimator(description, tensors, format)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(model, error) from error
    if format == 1:
        from seqkit.estimators.keras_weights import read_keras_weights

        named = read_keras_weights(weights, file, estimator)
    else:
        named = tensors  # all but those that facts have taken
    try:
        shapes = described(estimator._build())
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(model, error) from error
    check_weights(named, shapes, file)
    if networks is not None:
        _check_networks(networks, estimator, folder / NETWORK)
    estimator.weights_ = [named[path] for path in shapes]
    estimator._state_ = None
    if getattr(estimator, "_sizes_", None) and sum(estimator._sizes_) != len(shapes):
        raise damaged(model, "the networks have another number of weights")
    return estimator


def write_estimator(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator into a folder of its own, which is whole or not there at all.

    Parameters
    ----------
    estimator : fitted estimator
    path : str or path-like
        The folder. One that holds a saved estimator is replaced, and nothing else is.

    Raises
    ------
    seqkit.errors.RunError
        If something else stands there, or the folder cannot be written.
    """
    folder = Path(path)
    if folder.suffix == ".keras":
        raise RunError(
            f"{folder}: an estimator is saved as a folder, which ends in no .keras. "
            "For a file of Keras use estimator.model_.save(path)."
        )
    if folder.exists() and not (folder / NOTE).is_file():
        raise RunError(f"{folder}: something else is there already. Choose another name.")
    beside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}{durable.BESIDE}")
    try:
        beside.mkdir(parents=True)
        description = save_estimator(estimator, beside)
        if isinstance(estimator.random_state, int):
            description["parameters"]["random_state"] = estimator.random_state
        durable.write_file(beside / _MODEL, json.dumps(description, indent=1).encode())
        files = {
            name: digest_of(beside / name) for name in (_MODEL, NETWORK, WEIGHTS[max(WEIGHTS)])
        }
        note = {"format": max(WEIGHTS), "files": files}
        durable.write_file(beside / NOTE, json.dumps(note, indent=1).encode())
        if folder.exists():
            before = beside.with_suffix(".old")  # no system swaps two folders in one step
            folder.rename(before)
            beside.rename(folder)
            shutil.rmtree(before)
        else:
            beside.rename(folder)
        durable.sync(folder.parent)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_estimator(path: str | os.PathLike[str]) -> Any:
    """Return the estimator that :func:`write_estimator` has written.

    Raises
    ------
    seqkit.errors.RunError
        If it is missing, damaged or of a newer version.
    """
    folder = Path(path)
    if not (folder / NOTE).is_file():
        is_run = (folder / "run.json").is_file()
        hint = "It is a run folder: seqkit.load_run opens it." if is_run else "Is the path right?"
        raise RunError(f"{folder}: this is no saved estimator: it has no {NOTE}. {hint}")
    try:
        note = parse_json(read_file(folder / NOTE, _LARGEST_NOTE))
        format, digests = note["format"], note["files"]
        if type(format) is not int or format < 2 or not isinstance(digests, dict):
            raise ValueError("format must be an integer of at least 2, and files a map")
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder / NOTE, error) from error
    if format > max(WEIGHTS):
        raise RunError(
            f"{folder}: it has format {str(format)[:20]}, this seqkit reads up to {max(WEIGHTS)}. "
            "Update seqkit."
        )
    contents = {}
    most_bytes = {_MODEL: LARGEST_JSON, NETWORK: LARGEST_JSON, WEIGHTS[2]: _LARGEST_WEIGHTS}
    for name, most in most_bytes.items():
        contents[name] = read_file(folder / name, most)
        if hashlib.sha256(contents[name]).hexdigest() != digests.get(name):
            raise damaged(folder / name, "it was changed after it was saved")
    try:
        description = parse_json(contents[_MODEL])
        return load_estimator(description, contents[WEIGHTS[2]], folder, networks=contents[NETWORK])
    except (ValueError, MemoryError) as error:
        if isinstance(error, RunError):
            raise
        raise damaged(folder / _MODEL, error or "it asks for too much memory") from error


def _check_networks(content: bytes, estimator: Any, file: Path) -> None:
    """Raise unless the networks written are those that the settings describe."""
    try:
        stored = [network_of(one) for one in parse_json(content)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(file, error) from error
    if stored != [member.network for member in estimator._build().members]:
        raise damaged(file, "it is not the network that model.json describes")


def _estimator(description: Any, tensors: dict[str, Any], format: int) -> Any:
    """Return the estimator with its settings and facts, all of them checked."""
    if not isinstance(description, dict) or set(description) != _FIELDS:
        raise ValueError(f"it must have the fields {', '.join(sorted(_FIELDS))} and no others")
    task = description["task"]
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}; got {task!r}")
    _check_columns(
        description["columns"], "columns" if TASKS[task].target == "series" else "features"
    )
    parameters = decode(description["parameters"])
    estimator = estimator_class(task)(**parameters)
    estimator._settings()
    fitted = decode(description["fitted"], tensors)
    check_facts(task, fitted, format)
    estimator.__dict__.update(fitted)
    estimator._keep_settings()
    check_together(estimator)
    return estimator


def _check_columns(columns: Any, name: str) -> None:
    names = columns.get(name)
    if columns and (
        set(columns) - {"seen", "day_first", "date_form"} != {name} or not isinstance(names, list)
    ):
        raise ValueError(f"columns must be {name} and their names")
    if not isinstance(columns.get("date_form", ""), str):
        raise ValueError("columns.date_form must be a text")
    if not isinstance(columns.get("day_first", True), bool):
        raise ValueError("day_first must be true or false")
    if not SEEN.holds(columns.get("seen")):
        raise ValueError(f"seen must be {SEEN.words}")
    if columns and not all(isinstance(one, str) for one in names):
        raise ValueError(f"columns must be {name} and their names")
