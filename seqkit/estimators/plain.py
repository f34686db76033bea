"""Settings and fitted facts as JSON: plain values, tuples, arrays and time stamps; no pickle."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

_INLINE = 1000  # larger arrays of numbers go beside the weights: exact, and quick to read
_NUMBERS = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64",
)  # fmt: skip
_STAMPS = tuple(
    f"{kind}64[{unit}]"
    for kind in ("datetime", "timedelta")
    for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns")
)
_LARGEST_TEXT = 1 << 28  # bytes: in an array of texts each takes as much as the longest


def encode(value: Any, tensors: dict[str, np.ndarray] | None = None) -> Any:
    """Return `value` in JSON's types; tuples, arrays and time stamps keep their kind.

    Parameters
    ----------
    value : object
    tensors : dict, default=None
        Takes up large arrays of numbers, by the name that stands for them; :func:`decode`
        takes them out again.

    Examples
    --------
    >>> import numpy as np
    >>> encode({"classes_": np.array([3, 5])})
    {'classes_': {'$array': [3, 5], 'dtype': 'int64'}}
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        kind, plain = str(value.dtype), value
        if value.dtype.kind in "mM":
            plain = value.astype("int64")
        elif value.dtype.kind == "U":
            kind = "str"
        if tensors is not None and value.size > _INLINE and plain.dtype.kind in "biuf":
            name = f"fitted/{len(tensors)}"
            tensors[name] = plain
            return {"$tensor": name, "dtype": kind}
        items = plain.tolist()
        return {"$array": encode(items) if kind == "object" else items, "dtype": kind}
    if isinstance(value, np.generic):
        return {"$scalar": encode(value.item()), "dtype": str(value.dtype)}
    if isinstance(value, tuple):
        return {"$tuple": [encode(v, tensors) for v in value]}
    if isinstance(value, list):
        return [encode(v, tensors) for v in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: encode(v, tensors) for key, v in value.items()}
        return {"$dict": [[encode(key), encode(v, tensors)] for key, v in value.items()]}
    raise TypeError(f"cannot write a {type(value).__name__} into model.json: {value!r}")


def decode(value: Any, tensors: dict[str, np.ndarray] | None = None) -> Any:
    """Return what :func:`encode` was given.

    Raises
    ------
    ValueError
        If it was not written by it; nothing but the kinds that it knows is ever made.
    """
    if isinstance(value, list):
        return [decode(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    marks = [key for key in value if key.startswith("$")]
    if not marks:
        return {key: decode(v, tensors) for key, v in value.items()}
    mark = marks[0]
    if mark not in _DECODERS or set(value) != {mark, *_DECODERS[mark][1]}:
        raise ValueError(f"{sorted(value)} are no marks of a value")
    try:
        return _DECODERS[mark][0](value, tensors)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a value of {mark}: {error}") from error


def _array(value: dict[str, Any], _: Any) -> np.ndarray:
    items, kind = value["$array"], value["dtype"]
    if not isinstance(items, list):
        raise TypeError("its items must be a list")
    if kind in _NUMBERS:
        return np.array(items, dtype=kind)
    if kind in _STAMPS:
        return np.array(items, dtype="int64").astype(kind)
    if not all(isinstance(item, (str, int, float, type(None))) for item in items):
        raise TypeError("its items must be texts or numbers")
    if kind == "object":
        array = np.empty(len(items), dtype=object)
        array[:] = items
        return array
    if kind != "str" or not all(isinstance(item, str) for item in items):
        raise TypeError(f"no array of {str(kind)[:40]!r}")
    if 4 * len(items) * max(map(len, items), default=0) > _LARGEST_TEXT:
        raise TypeError("an array of very long texts")
    return np.array(items, dtype=str)


def _tensor(value: dict[str, Any], tensors: dict[str, np.ndarray] | None) -> np.ndarray:
    kind = value["dtype"]
    if tensors is None or value["$tensor"] not in tensors:
        raise TypeError(f"there is no tensor {str(value['$tensor'])[:60]!r}")
    tensor = tensors.pop(value["$tensor"])  # what is left in the end, no fact has named
    if kind in _STAMPS and tensor.dtype == np.int64:
        return tensor.astype(kind)
    if tensor.dtype != (kind if kind in _NUMBERS else None):
        raise TypeError(f"the tensor is of {tensor.dtype}, not of {str(kind)[:40]}")
    return tensor


def _scalar(value: dict[str, Any], _: Any) -> Any:
    if value["dtype"] not in (*_NUMBERS, *_STAMPS):
        # a text of NumPy is as good as one of Python
        if str(value["dtype"])[:2] in ("<U", ">U") and isinstance(value["$scalar"], str):
            return np.str_(value["$scalar"])
        raise TypeError(f"no number of {str(value['dtype'])[:40]!r}")
    if not isinstance(value["$scalar"], (bool, int, float)):
        raise TypeError("it must be a number")
    return np.dtype(value["dtype"]).type(value["$scalar"])


def _tuple(value: dict[str, Any], tensors: Any) -> tuple[Any, ...]:
    if not isinstance(value["$tuple"], list):
        raise TypeError("its items must be a list")
    return tuple(decode(v, tensors) for v in value["$tuple"])


def _dict(value: dict[str, Any], tensors: Any) -> dict[Any, Any]:
    pairs = value["$dict"]
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise TypeError("its items must be pairs")
    return {decode(key): decode(v, tensors) for key, v in pairs}


_DECODERS: dict[str, Any] = {
    "$array": (_array, ("dtype",)),
    "$tensor": (_tensor, ("dtype",)),
    "$scalar": (_scalar, ("dtype",)),
    "$tuple": (_tuple, ()),
    "$dict": (_dict, ()),
}
