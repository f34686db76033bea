"""Weights as ``.safetensors``: names, shapes and numbers, nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import RunError
from seqkit.network.architecture import Architecture
from seqkit.system.documents import damaged

__all__ = ["check_weights", "described", "read_tensors", "tensor_bytes"]

Shapes = dict[str, tuple[int, ...]]
_DTYPES = {
    "BOOL": "bool", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64", "U8": "uint8",
    "U16": "uint16", "U32": "uint32", "U64": "uint64", "F16": "float16", "F32": "float32",
    "F64": "float64",
}  # fmt: skip
_LONGEST_HEADER = 1 << 24


def described(architecture: Architecture) -> Shapes:
    """Return the shape of every parameter of a network by its path, in the order of the weights.

    Nothing is allocated, and nothing of Keras is needed.

    Examples
    --------
    >>> made = Architecture("classifier", {"n_timesteps": 9, "n_features": 1, "n_classes": 2,
    ...                                    "units": 4, "bidirectional": False, "stem": None})
    >>> described(made)["logits/kernel"]
    (8, 2)
    """
    members = architecture.members
    return {
        f"member_{number}/{weight.path}" if len(members) > 1 else weight.path: weight.shape
        for number, member in enumerate(members, start=1)
        for weight in member.network.weights
    }


def tensor_bytes(
    weights: Sequence[Any], shapes: Shapes, more: Mapping[str, np.ndarray], where: str
) -> bytes:
    """Return the file of a network's weights, and of the arrays in `more`.

    Raises
    ------
    RunError
        If the weights are not those that the network is described to have, or not finite.
    """
    from safetensors.numpy import save

    named = dict(zip(shapes, (np.ascontiguousarray(w) for w in weights), strict=False))
    if len(weights) != len(shapes):
        raise RunError(f"{where}: {len(weights)} weights must be {len(shapes)}: {list(shapes)}.")
    check_weights(named, shapes, where)
    return save({**named, **{name: np.ascontiguousarray(a) for name, a in more.items()}})


def read_tensors(content: bytes, where: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.safetensors`` file by name.

    Raises
    ------
    RunError
        If it is damaged, or of numbers that seqkit does not write.
    """
    import safetensors

    # the header says how long it is, and is JSON that is read whole
    if len(content) < 8 or int.from_bytes(content[:8], "little") > _LONGEST_HEADER:
        raise damaged(where, "it has no header of safetensors")
    try:
        tensors = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, ValueError) as error:
        raise damaged(where, error) from error
    arrays = {}
    for name, tensor in tensors:
        if tensor["dtype"] not in _DTYPES:
            raise damaged(where, f"{name[:80]!r} is of {tensor['dtype']}")
        dtype = np.dtype(_DTYPES[tensor["dtype"]]).newbyteorder("<")
        arrays[name] = np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
    return arrays


def check_weights(named: Mapping[str, np.ndarray], shapes: Shapes, where: Path | str) -> None:
    """Raise unless the weights are those described: names, shapes, float32, finite."""
    file = Path(where)
    odd = sorted(set(named) ^ set(shapes))
    if odd:
        what = "missing" if odd[0] in shapes else "of no layer of this network"
        raise damaged(file, f"the weight {odd[0][:80]!r} is {what}")
    for path, shape in shapes.items():
        value = named[path]
        if value.dtype != np.float32 or value.shape != shape:
            raise damaged(
                file,
                f"the weight {path!r} must be float32 of shape {shape}; got {value.dtype} of "
                f"shape {value.shape}",
            )
        if not np.isfinite(value).all():
            raise damaged(file, f"the weight {path!r} has NaN or infinities")
