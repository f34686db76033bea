"""A tensor of an ONNX graph that is being written, with the operators of an array."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import helper

from seqkit.network.layers.base import Array
from seqkit.network.onnx.sizes import Dim, Dims, broadcast, factors
from seqkit.network.onnx.writer import GraphWriter

__all__ = ["Value", "axis_size", "by_element", "cast", "known_of", "named", "node", "vector_of"]

FLOAT, INT, BOOL = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)
_NUMPY: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "Div": np.divide,
    "Equal": np.equal,
    "Exp": np.exp,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Log": np.log,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": np.mod,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "Pow": np.power,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Tanh": np.tanh,
    "Where": np.where,
}
"""What an operation by element is on arrays, where they are known while the graph is written."""
_NEUTRAL = {"Add": 0, "Mul": 1, "Sub": 0}
"""What an operation with it on the right leaves as it is, on the left too but for Sub."""
_TESTS = ("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or")


class Value:
    """A tensor of a graph: what a layer's `forward` takes for an array.

    Parameters
    ----------
    writer : GraphWriter
    dtype : numpy.dtype
        float32, int32, int64 or bool.
    dims : tuple of int or str
        Sizes of the axes; a name for what is open.
    name : str, optional
        In the graph.
    known : ndarray, optional
        What it is, where that is known already: operations on such tensors are done by NumPy.
    same : float, optional
        What all of its elements are; it is written only where its shape is of a matter.
    size : str, optional
        Of the size of an open axis: the axis.
    """

    __array_ufunc__ = None  # so that `array - value` is ours
    __hash__ = object.__hash__

    def __init__(
        self, writer: GraphWriter, dtype: Any, dims: Dims, name: str = "",
        known: Array | None = None, same: float | None = None, size: str = "",
    ) -> None:  # fmt: skip
        self.writer, self.dtype, self.dims = writer, np.dtype(dtype), dims
        self.known, self.same, self.size = known, same, size
        self._name = name

    @property
    def name(self) -> str:
        """What the graph calls it."""
        if not self._name and self.known is not None:
            self._name = self.writer.constant(self.known)
        elif not self._name:
            one = self.writer.constant(np.full(1, self.same, self.dtype))
            shape = vector_of(self.writer, self.dims)
            self._name = self.writer.node("Expand", [one, shape])[0]
        return self._name

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Sizes of the axes, None of those that are open."""
        return tuple(dim if isinstance(dim, int) else None for dim in self.dims)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.dims)

    def __repr__(self) -> str:
        return f"Value({self._name or self.known or self.same}, {self.dtype}, {self.dims})"

    def __bool__(self) -> bool:
        raise TypeError("a tensor of a graph is neither true nor false while it is written")

    def __iter__(self) -> Any:
        raise TypeError("a tensor of a graph has no items")

    def __add__(self, other: Any) -> Value:
        return by_element("Add", self, other)

    def __radd__(self, other: Any) -> Value:
        return by_element("Add", other, self)

    def __sub__(self, other: Any) -> Value:
        return by_element("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return by_element("Sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return by_element("Mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return by_element("Mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return by_element("Div", cast(self, FLOAT), other)

    def __rtruediv__(self, other: Any) -> Value:
        return by_element("Div", other, cast(self, FLOAT))

    def __mod__(self, other: Any) -> Value:
        return by_element("Mod", self, other)  # of integers, with the divisor's sign as in NumPy

    def __floordiv__(self, other: Any) -> Value:
        if isinstance(other, int) and other == 1:
            return self
        # division of integers drops what is behind the point, so nothing must be there
        return by_element("Div", self - self % other, other)

    def __neg__(self) -> Value:
        return by_element("Neg", self)

    def __lt__(self, other: Any) -> Value:
        return by_element("Less", self, other)

    def __le__(self, other: Any) -> Value:
        return by_element("LessOrEqual", self, other)

    def __gt__(self, other: Any) -> Value:
        return by_element("Greater", self, other)

    def __ge__(self, other: Any) -> Value:
        return by_element("GreaterOrEqual", self, other)

    def __eq__(self, other: object) -> Any:
        return by_element("Equal", self, other)

    def __ne__(self, other: object) -> Any:
        return by_element("Not", by_element("Equal", self, other))

    def __and__(self, other: Any) -> Value:
        return by_element("And", self, other)

    def __or__(self, other: Any) -> Value:
        return by_element("Or", self, other)

    def __getitem__(self, key: Any) -> Value:
        return _item(self, key if isinstance(key, tuple) else (key,))


def known_of(writer: GraphWriter, array: Any, dtype: Any = None) -> Value:
    """Return a tensor that is known; floats have single precision."""
    array = np.asarray(array, dtype)
    if array.dtype.kind == "f":
        array = array.astype(FLOAT, copy=False)
    return Value(writer, array.dtype, array.shape, known=array)


def node(
    writer: GraphWriter, kind: str, inputs: Sequence[str], dtype: Any, dims: Dims, **more: Any
) -> Value:
    """Write an operation with one output, and return that."""
    return named(writer, writer.node(kind, inputs, **more)[0], dtype, dims)


def named(writer: GraphWriter, name: str, dtype: Any, dims: Dims) -> Value:
    """Return a tensor of the graph by its name."""
    for axis, dim in enumerate(dims):
        if isinstance(dim, str):
            writer.axes.setdefault(dim, (name, axis))
    return Value(writer, dtype, dims, name)


def axis_size(writer: GraphWriter, dim: Dim) -> int | Value:
    """Return the size of an axis, a tensor without axes where it is open."""
    if isinstance(dim, int):
        return dim
    if dim not in writer.axes:
        number, names = factors((dim,))
        sizes = [axis_size(writer, name) for name in names.elements()]
        size: Any = functools.reduce(operator.mul, sizes, number)
    else:
        name, axis = writer.axes[dim]
        whole = writer.node("Shape", [name])[0]
        place = writer.constant(np.array(axis, np.int64))
        size = node(writer, "Gather", [whole, place], INT, (), axis=0)
    assert isinstance(size, Value)
    size.size = dim
    return size


def cast(x: Value, dtype: Any) -> Value:
    """Return a tensor in another type."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.known is not None:
        return known_of(x.writer, x.known.astype(dtype))
    if x.same is not None:
        return Value(x.writer, dtype, x.dims, same=x.same)
    to = helper.np_dtype_to_tensor_dtype(dtype)
    out = node(x.writer, "Cast", [x.name], dtype, x.dims, to=to)
    out.size = x.size
    return out


def _common_type(given: Sequence[Any]) -> np.dtype[Any]:
    """Return the type that tensors meet in; a plain number has that of the others."""
    strong = [x.dtype for x in given if isinstance(x, Value | np.ndarray)]
    plain = [np.asarray(x).dtype for x in given if not isinstance(x, Value | np.ndarray)]
    if any(dtype.kind == "f" for dtype in strong + plain):
        return FLOAT
    whole = [dtype for dtype in strong if dtype.kind in "iu"]
    if whole:
        return np.result_type(*whole)
    return INT if any(dtype.kind in "iu" for dtype in plain) else BOOL


def by_element(kind: str, *given: Any) -> Value:
    """Write an operation by element of ONNX, on tensors, arrays and numbers, broadcast."""
    writer = next(x.writer for x in given if isinstance(x, Value))
    condition, values = given[: kind == "Where"], given[kind == "Where" :]
    dtype = _common_type(values)
    operands = [_operand(writer, x, BOOL) for x in condition]
    operands += [_operand(writer, x, dtype) for x in values]
    out = BOOL if kind in _TESTS else dtype
    arrays = [x.known for x in operands if x.known is not None]
    if len(arrays) == len(operands):
        if kind == "Div" and out.kind in "iu":
            return known_of(writer, arrays[0] // arrays[1])
        return known_of(writer, _NUMPY[kind](*arrays).astype(out))
    dims = broadcast(*(x.dims for x in operands))
    if condition and operands[1].dims == dims and _is_same(operands[0], True):
        return operands[1]
    for one, other in (operands, operands[::-1]) if kind in _NEUTRAL else ():
        is_left = one is operands[0] or kind != "Sub"
        if is_left and one.dims == dims and _is_same(other, _NEUTRAL[kind]):
            return one
    # what is the same everywhere is one number, where the others have the shape of the result
    others = [x for x in operands if x.same is None]
    names = [x.name for x in operands if x.same is None]
    if len(others) < len(operands) and others and broadcast(*(x.dims for x in others)) == dims:
        names = [
            x.name if x.same is None else writer.constant(np.array(x.same, x.dtype))
            for x in operands
        ]
    else:
        names = [x.name for x in operands]
    return node(writer, kind, names, out, dims)


def _is_same(x: Value, number: float) -> bool:
    return x.known is not None and bool((x.known == number).all())


def _operand(writer: GraphWriter, x: Any, dtype: np.dtype[Any]) -> Value:
    return cast(x, dtype) if isinstance(x, Value) else known_of(writer, x, dtype)


def vector_of(writer: GraphWriter, sizes: Sequence[Dim | Value]) -> str:
    """Return the name of a vector of sizes: numbers, open axes, or tensors without axes."""
    if all(isinstance(size, int | np.integer) for size in sizes):
        return writer.constant(np.array(sizes, np.int64))
    parts = []
    for size in sizes:
        size = axis_size(writer, size) if isinstance(size, str) else size
        if not isinstance(size, Value):
            parts.append(writer.constant(np.array([size], np.int64)))
            continue
        scalar = cast(size, INT)
        first = writer.constant(np.zeros(1, np.int64))
        parts.append(writer.node("Unsqueeze", [scalar.name, first])[0])
    return parts[0] if len(parts) == 1 else writer.node("Concat", parts, axis=0)[0]


def _item(x: Value, key: tuple[Any, ...]) -> Value:
    """Return ``x[key]``: slices, numbers, None and an ellipsis."""
    places = [k for k, part in enumerate(key) if part is Ellipsis]
    n_free = x.ndim - sum(part is not None and part is not Ellipsis for part in key)
    if places:
        key = (*key[: places[0]], *[slice(None)] * n_free, *key[places[0] + 1 :])
    else:
        key = (*key, *[slice(None)] * n_free)
    if x.known is not None and not any(_is_open(part) for part in key):
        return known_of(x.writer, x.known[key])
    kept = [part for part in key if part is not None]
    if x.same is None:
        x = _sliced(x, [part if isinstance(part, slice) else slice(None) for part in kept])
    else:
        dims = [
            _sliced_size(x.writer, d, part) if isinstance(part, slice) else d
            for d, part in zip(x.dims, kept, strict=True)
        ]
        x = Value(x.writer, x.dtype, tuple(dims), same=x.same)
    for axis in reversed(range(len(kept))):
        if not isinstance(kept[axis], slice):
            x = _picked(x, axis, kept[axis])
    new, axis = [], 0
    for part in key:
        if part is None:
            new.append(axis)
        axis += part is None or isinstance(part, slice)
    return _with_axes(x, new)


def _is_whole(part: slice) -> bool:
    return part.start is None and part.stop is None and part.step is None


def _is_open(part: Any) -> bool:
    return isinstance(part, slice) and any(
        isinstance(end, Value) for end in (part.start, part.stop, part.step)
    )


def _with_axes(x: Value, axes: Sequence[int]) -> Value:
    """Return a tensor with new axes of size 1."""
    if not axes:
        return x
    dims = list(x.dims)
    for axis in axes:
        dims.insert(axis, 1)
    if x.known is not None:
        return known_of(x.writer, x.known.reshape(dims))
    if x.same is not None:
        return Value(x.writer, x.dtype, tuple(dims), same=x.same)
    where = x.writer.constant(np.array(axes, np.int64))
    return node(x.writer, "Unsqueeze", [x.name, where], x.dtype, tuple(dims))


def _picked(x: Value, axis: int, place: Any) -> Value:
    """Return the tensor at one place of an axis, without that."""
    dims = (*x.dims[:axis], *x.dims[axis + 1 :])
    if x.same is not None:
        return Value(x.writer, x.dtype, dims, same=x.same)
    index = x.writer.constant(np.array(operator.index(place), np.int64))
    return node(x.writer, "Gather", [x.name, index], x.dtype, dims, axis=axis)


_FAR = np.iinfo(np.int64).max


def _sliced(x: Value, parts: Sequence[slice]) -> Value:
    """Return slices of the axes."""
    axes = [k for k, part in enumerate(parts) if not _is_whole(part)]
    if not axes:
        return x
    starts: list[Any] = []
    stops: list[Any] = []
    steps, dims = [], list(x.dims)
    for axis in axes:
        part = parts[axis]
        step = 1 if part.step is None else part.step
        starts.append((0 if step > 0 else -1) if part.start is None else part.start)
        stops.append((_FAR if step > 0 else -_FAR) if part.stop is None else part.stop)
        steps.append(step)
        dims[axis] = _sliced_size(x.writer, dims[axis], part)
    w = x.writer
    names = [x.name, vector_of(w, starts), vector_of(w, stops)]
    names += [w.constant(np.array(axes, np.int64)), w.constant(np.array(steps, np.int64))]
    return node(w, "Slice", names, x.dtype, tuple(dims))


def _sliced_size(writer: GraphWriter, size: Dim, part: slice) -> Dim:
    """Return the size of a slice of an axis."""
    if part.start is None and part.stop is None and part.step in (None, -1):
        return size
    if isinstance(part.stop, Value):
        assert part.start is None
        return part.stop.size or writer.new_size()
    if isinstance(size, int):
        return len(range(size)[part])
    if part.step in (None, 1):
        if part.stop is None and part.start is not None and part.start < 0:
            return -int(part.start)  # the last ones, which are there
        if part.start in (None, 0) and part.stop is not None and part.stop > 0:
            return int(part.stop)
    return writer.new_size()
