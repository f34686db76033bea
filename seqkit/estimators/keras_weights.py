"""Weights out of the ``model.keras`` of a run folder of format 1.

Keras is never given the file. Its archive, the classes that its configuration names and its HDF5
content are checked here; then the network is built from the settings, as for any run, and only
plain numbers are loaded into it.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.estimators.weights_file import described
from seqkit.system.documents import DEPTH, damaged, parse_json

__all__ = ["CLASSES", "check_keras_file", "check_layer_classes", "read_keras_weights"]

_MEMBERS = {"metadata.json": 1 << 16, "config.json": 1 << 23, "model.weights.h5": 1 << 40}
_MOST_OBJECTS = 100_000

CLASSES: dict[str, frozenset[str]] = {
    "keras": frozenset({
        "Activation", "Add", "Concatenate", "DTypePolicy", "Dense", "Dropout", "Embedding",
        "FloorDivide", "Functional", "GetItem", "GlorotUniform", "HeUniform", "InputLayer",
        "LayerNormalization", "Minimum", "Ones",
        "Orthogonal", "RandomUniform", "Repeat", "Reshape", "Softmax", "Zeros",
    }),
    "seqkit": frozenset({
        "AnyLayer", "AttentionPooling", "BatchNormalization", "Bidirectional", "CellBias",
        "Combine", "Convolution", "CountScale",
        "FoldChannels",
        "GatedRNN", "HeadLayer", "LastSteps", "LeftPatch", "Median", "NaiveForecast", "Normalize",
        "MeanOfMoves",
        "Moves",
        "Patch",
        "Quieten", "RecursiveDecoder", "SegmentQueries", "SequencePooling", "Standardize",
        "ThetaForecast", "ToUnits", "Unstandardize", "UnfoldChannels", "WindowStatistics",
    }),
    "": frozenset({"__keras_tensor__", "__slice__", "__tuple__"}),
}  # fmt: skip
"""Classes that the models of seqkit are made of, by package: no Lambda, nothing that reads a file,
no module of any other package."""
_ACTIVATIONS = frozenset({"linear", "relu", "sigmoid", "softmax", "softplus", "tanh"})


def read_keras_weights(content: bytes, file: Path, estimator: Any) -> dict[str, np.ndarray]:
    """Return the weights of a ``.keras`` file by path, for a checked estimator.

    Raises
    ------
    RunError
        If the file is not one that seqkit has written for these settings.
    """
    try:
        weights = check_keras_file(content)
        n_numbers, n_arrays = _check_numbers(weights)
        architecture = estimator._build()
        shapes = described(architecture)
        if sum(int(np.prod(shape)) for shape in shapes.values()) > n_numbers:
            raise ValueError("it has fewer numbers than the network that the settings describe")
        from seqkit.network.keras.weights import variables_of

        model = architecture()
        # besides the weights there is a state of random numbers for each layer that drops out
        if not len(shapes) <= n_arrays <= len(model.variables):
            raise ValueError(f"it has {n_arrays} arrays; the network has {len(shapes)}")
        with tempfile.TemporaryDirectory() as folder:
            alone = Path(folder) / "model.weights.h5"
            alone.write_bytes(weights)
            model.load_weights(alone)
    except (ValueError, KeyError, TypeError, OSError, AttributeError, RuntimeError) as error:
        raise damaged(file, error) from error
    values = (v.numpy() for v in variables_of(architecture, model))
    return dict(zip(shapes, values, strict=True))


def check_keras_file(content: bytes) -> bytes:
    """Return the HDF5 part of a ``.keras`` file whose archive and classes are in order.

    Raises
    ------
    ValueError
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
        names = [member.filename for member in members]
        if len(names) != len(_MEMBERS) or set(names) != set(_MEMBERS):
            raise ValueError(f"it must hold {', '.join(_MEMBERS)} and no other members")
        for member in members:
            # Keras packs nothing: what is in the archive takes as much memory outside of it
            packed = member.compress_type != zipfile.ZIP_STORED
            large = member.file_size > min(len(content), _MEMBERS[member.filename])
            if packed or large or member.flag_bits & 1:
                raise ValueError(f"its member {member.filename} is packed, encrypted or too large")
        parts = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"it is no archive of Keras: {error}") from error
    parse_json(parts["metadata.json"])
    check_layer_classes(parse_json(parts["config.json"], _MEMBERS["config.json"]))
    return parts["model.weights.h5"]


def check_layer_classes(value: Any) -> None:
    """Raise unless a Keras configuration names only what is in :data:`CLASSES`.

    Raises
    ------
    ValueError
    """
    if isinstance(value, list):
        for inner in value:
            check_layer_classes(inner)
    if not isinstance(value, dict):
        return
    if {"class_name", "module", "registered_name", "function_name"} & set(value):
        name, module = value.get("class_name"), value.get("module")
        package = "" if module is None else str(module).split(".")[0]
        registered = value.get("registered_name")
        known = isinstance(name, str) and name in CLASSES.get(package, ())
        if not known or registered not in (None, name, f"{package}>{name}"):
            raise ValueError(f"it names {module!r}, {name!r}, {registered!r}, no class of seqkit's")
    activation = value.get("activation")
    if not isinstance(activation, (str, type(None))) or activation not in (None, *_ACTIVATIONS):
        raise ValueError(f"it names the activation {activation!r}, none of seqkit's")
    for inner in value.values():
        check_layer_classes(inner)


def _check_numbers(content: bytes) -> tuple[int, int]:
    """Check an HDF5 file: return how many floating-point numbers it holds, in how many arrays."""
    import h5py

    n_numbers = n_arrays = n_objects = 0
    with h5py.File(io.BytesIO(content), "r") as file:
        groups = [(file, 0)]
        while groups:
            group, depth = groups.pop()
            for name in group:
                n_objects += 1
                link = group.get(name, getlink=True)
                if type(link) is not h5py.HardLink:
                    raise ValueError(f"{name[:60]!r} in it is a link, not data")
                kind = group.get(name, getclass=True)
                if kind is h5py.Group and depth < DEPTH and n_objects < _MOST_OBJECTS:
                    groups.append((group[name], depth + 1))
                    continue
                if kind is not h5py.Dataset:
                    raise ValueError(f"{name[:60]!r} in it is neither a group nor an array")
                n_numbers_here, counted = _check_dataset(group[name], len(content))
                n_numbers += n_numbers_here
                n_arrays += counted
    return n_numbers, n_arrays


def _check_dataset(data: Any, n_bytes: int) -> tuple[int, int]:
    created = data.id.get_create_plist()
    if data.is_virtual or data.external or created.get_nfilters() or data.chunks is not None:
        raise ValueError(f"{data.name[:60]!r} in it is elsewhere, or packed")
    if data.dtype.kind not in "fiu" or data.dtype.itemsize > 8:
        raise ValueError(f"{data.name[:60]!r} in it is of {data.dtype}")
    # an array that was never written is made of fill values, however large
    if data.nbytes > n_bytes or data.id.get_storage_size() != data.nbytes:
        raise ValueError(f"{data.name[:60]!r} in it is said to be larger than the file")
    if data.dtype.kind == "f" and not np.isfinite(data[()]).all():
        raise ValueError(f"{data.name[:60]!r} in it has NaN or infinities")
    return (int(data.size), 1) if data.dtype.kind == "f" else (0, 1)
