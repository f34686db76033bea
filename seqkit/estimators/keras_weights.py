"""``.keras`` files, checked: archive, configuration, HDF5; and the weights of those of format 1.

For a run folder of format 1 Keras is never given the file: the network is built from the settings,
as for any run, and only plain numbers are loaded into it.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.estimators.weights_file import described
from seqkit.system.documents import DEPTH, damaged, parse_json

__all__ = [
    "CLASSES",
    "check_keras_file",
    "check_layer_classes",
    "check_numbers",
    "read_keras_weights",
]

_MEMBERS = {"metadata.json": 1 << 16, "config.json": 1 << 23, "model.weights.h5": 1 << 40}
_MOST_OBJECTS = 100_000

CLASSES: dict[str, frozenset[str]] = {
    "keras": frozenset({
        "Activation", "Add", "Average", "Concatenate", "DTypePolicy", "Dense", "Dropout",
        "Embedding", "FloorDivide", "Functional", "GetItem", "GlorotUniform", "HeUniform",
        "InputLayer", "LayerNormalization", "Minimum", "Ones", "Orthogonal", "RandomUniform",
        "Repeat", "Reshape", "Softmax", "Zeros",
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
_MODULES = frozenset({
    "keras", "keras.initializers", "keras.layers", "keras.src.models.functional",
    "keras.src.ops.numpy",
})  # fmt: skip
_ACTIVATIONS = frozenset({"linear", "relu", "sigmoid", "softmax", "softplus", "tanh"})
_NAMING = frozenset({"class_name", "module", "registered_name", "function_name"})
_FIELDS = _NAMING - {"function_name"} | {
    "config", "build_config", "compile_config", "inbound_nodes", "name", "shared_object_id"
}  # fmt: skip
_MODEL = frozenset({"name", "trainable", "layers", "input_layers", "output_layers"})
_UNUSED = ("_regularizer", "_constraint", "quantization_config")
_ANY_SIZE = frozenset({"seed", "shared_object_id"})
LARGEST_SIZE = 1 << 20
"""Of any integer in a configuration: sizes, steps, places."""


def read_keras_weights(content: bytes, file: Path, estimator: Any) -> dict[str, np.ndarray]:
    """Return the weights of a ``.keras`` file by path, for a checked estimator.

    Raises
    ------
    RunError
        If the file is not one that seqkit has written for these settings.
    """
    try:
        weights = check_keras_file(content)["model.weights.h5"]
        n_numbers, n_arrays, _ = check_numbers(weights)
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


def check_keras_file(content: bytes, also: Mapping[str, int] | None = None) -> dict[str, bytes]:
    """Return the members of a ``.keras`` file whose archive and classes are in order.

    Parameters
    ----------
    content : bytes
    also : mapping of str to int, optional
        Members besides Keras's own that may be there, and how many bytes they may have.

    Raises
    ------
    ValueError
    """
    most = {**_MEMBERS, **(also or {})}
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
        names = [member.filename for member in members]
        if len({*names}) != len(names) or not {*_MEMBERS} <= {*names} <= {*most}:
            raise ValueError(f"it must hold {', '.join(_MEMBERS)} and no other members")
        for member in members:
            # Keras packs nothing: what is in the archive takes as much memory outside of it
            packed = member.compress_type != zipfile.ZIP_STORED
            large = member.file_size > min(len(content), most[member.filename])
            if packed or large or member.flag_bits & 1:
                raise ValueError(f"its member {member.filename} is packed, encrypted or too large")
        parts = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"it is no archive of Keras: {error}") from error
    parse_json(parts["metadata.json"])
    check_layer_classes(parse_json(parts["config.json"], _MEMBERS["config.json"]))
    return parts


def check_layer_classes(value: Any, key: str = "") -> None:
    """Raise unless a Keras configuration names only what is in :data:`CLASSES`, of bounded sizes.

    Raises
    ------
    ValueError
    """
    if isinstance(value, list):
        for inner in value:
            check_layer_classes(inner, key)
    if type(value) is int and abs(value) > LARGEST_SIZE and key not in _ANY_SIZE:
        raise ValueError(f"it says {key[:60]}: {value}, where {LARGEST_SIZE} is the limit")
    if not isinstance(value, dict):
        return
    if _NAMING & set(value):
        _check_class(value)
    activation = value.get("activation")
    if not isinstance(activation, (str, type(None))) or activation not in (None, *_ACTIVATIONS):
        raise ValueError(f"it names the activation {activation!r}, none of seqkit's")
    for name, inner in value.items():
        if name.endswith(_UNUSED) and inner is not None:
            raise ValueError(f"it has a {name[:60]}, which no model of seqkit's has")
        check_layer_classes(inner, name)


def _check_class(value: dict[str, Any]) -> None:
    """Raise unless what names a class is one of :data:`CLASSES`, where Keras will look for it."""
    name, module = value.get("class_name"), value.get("module")
    registered = value.get("registered_name")
    package = "" if module is None else str(module).split(".")[0]
    known = isinstance(name, str) and name in CLASSES.get(package, ())
    # what is registered is found by that name; of all others Keras imports the module that is named
    whole = {
        "": registered is None,
        "keras": module in _MODULES and registered in (None, name),
        "seqkit": registered == f"seqkit>{name}",
    }
    if not known or not whole[package]:
        raise ValueError(f"it names {module!r}, {name!r}, {registered!r}, no class of seqkit's")
    odd = set(value) - _FIELDS
    if name == "Functional":  # all others refuse what they do not know when they are made
        odd |= set(value.get("config", ())) - _MODEL
    if odd:
        raise ValueError(f"its {name} has the field {min(odd)[:60]!r}, which Keras does not write")


def check_numbers(content: bytes) -> tuple[int, int, list[str]]:
    """Check an HDF5 file of Keras.

    Returns
    -------
    n_numbers : int
        Of floating point.
    n_arrays : int
        Those of integers too, which are states of random numbers.
    digests : list of str
        SHA-256 of each array of floating point, sorted.

    Raises
    ------
    ValueError
    OSError
    """
    import h5py

    n_numbers = n_arrays = n_objects = 0
    digests = []
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
                numbers = _checked_dataset(group[name], len(content))
                n_arrays += 1
                if numbers is not None:
                    n_numbers += numbers.size
                    digests.append(hashlib.sha256(numbers.tobytes()).hexdigest())
    return n_numbers, n_arrays, sorted(digests)


def _checked_dataset(data: Any, n_bytes: int) -> np.ndarray | None:
    """Return the numbers of an array, None where they are no floating point."""
    created = data.id.get_create_plist()
    if data.is_virtual or data.external or created.get_nfilters() or data.chunks is not None:
        raise ValueError(f"{data.name[:60]!r} in it is elsewhere, or packed")
    if data.dtype.kind not in "fiu" or data.dtype.itemsize > 8:
        raise ValueError(f"{data.name[:60]!r} in it is of {data.dtype}")
    # an array that was never written is made of fill values, however large
    if data.nbytes > n_bytes or data.id.get_storage_size() != data.nbytes:
        raise ValueError(f"{data.name[:60]!r} in it is said to be larger than the file")
    if data.dtype.kind != "f":
        return None
    numbers: np.ndarray = np.asarray(data[()])
    if not np.isfinite(numbers).all():
        raise ValueError(f"{data.name[:60]!r} in it has NaN or infinities")
    return numbers
