"""The array namespace that writes ONNX nodes: what a layer's `forward` computes, as a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.network.onnx.sizes import Dim, reshaped, summed
from seqkit.network.onnx.values import (
    FLOAT,
    INT,
    Value,
    axis_size,
    by_element,
    cast,
    known_of,
    node,
    vector_of,
)
from seqkit.network.onnx.writer import GraphWriter

__all__ = ["OnnxSpace"]

Axes = int | Sequence[int] | None


class OnnxSpace:
    """Operations on tensors of a graph, by the names that layers call them.

    What is known while the graph is written is computed by NumPy, and stands in it as a constant.

    Parameters
    ----------
    writer : GraphWriter
    """

    def __init__(self, writer: GraphWriter) -> None:
        self.writer = writer

    def value(self, x: Any) -> Value:
        """Return a tensor of the graph: itself, or an array that is known."""
        return x if isinstance(x, Value) else known_of(self.writer, x)

    def _node(
        self, kind: str, inputs: Sequence[Value | str], like: Value, dims: Any = None, **more: Any
    ) -> Value:
        names = [x if isinstance(x, str) else x.name for x in inputs]
        return node(self.writer, kind, names, like.dtype, like.dims if dims is None else dims,
                    **more)  # fmt: skip

    def _integers(self, *numbers: int) -> str:
        return self.writer.constant(np.array(numbers, np.int64))

    # -- what is there, and of which shape ------------------------------------------------------

    def shape(self, x: Value) -> tuple[int | Value, ...]:
        return tuple(axis_size(self.writer, dim) for dim in x.dims)

    def convert_to_tensor(self, x: Any, dtype: Any = None) -> Value:
        value = self.value(x)
        return value if dtype is None else cast(value, dtype)

    def cast(self, x: Any, dtype: Any) -> Value:
        return cast(self.value(x), dtype)

    def arange(self, start: Any, stop: Any = None, dtype: Any = INT) -> Value:
        start, stop = (0, start) if stop is None else (start, stop)
        if not isinstance(stop, Value):
            return known_of(self.writer, np.arange(start, stop), dtype)
        assert start == 0
        begin, step = (self.writer.constant(np.array(k, np.int64)) for k in (0, 1))
        dims: tuple[Dim, ...] = (stop.size or stop.name,)
        inputs = [begin, cast(stop, INT).name, step]
        return cast(node(self.writer, "Range", inputs, INT, dims), dtype)

    def full_like(self, x: Value, fill: float) -> Value:
        return Value(self.writer, x.dtype, x.dims, same=fill)

    def zeros_like(self, x: Value) -> Value:
        return self.full_like(x, 0)

    def ones_like(self, x: Value) -> Value:
        if all(dim == 1 for dim in x.dims) or not any(isinstance(dim, str) for dim in x.dims):
            return known_of(self.writer, np.ones(x.dims, x.dtype))
        return self.full_like(x, 1)

    def reshape(self, x: Value, target: Any) -> Value:
        target = (target,) if isinstance(target, int) else tuple(target)
        sizes = [part if not isinstance(part, Value) else part.size or part.name for part in target]
        if x.known is not None:
            return known_of(self.writer, x.known.reshape(sizes))
        dims = reshaped(x.dims, sizes, self.writer.new_size)
        if dims == x.dims:
            return x
        # 0 stands for the size that the axis has, -1 for the one open size that is left
        given: list[Any] = [
            0 if isinstance(dim, str) and dim in x.dims[axis : axis + 1] else part
            for axis, (dim, part) in enumerate(zip(dims, target, strict=True))
        ]
        left = [k for k, part in enumerate(given) if isinstance(part, Value) or part == -1]
        if len(left) == 1:
            given[left[0]] = -1
        return self._node("Reshape", [x, vector_of(self.writer, given)], x, dims)

    def transpose(self, x: Value, axes: Sequence[int] | None = None) -> Value:
        order = [*(reversed(range(x.ndim)) if axes is None else axes)]
        if x.known is not None:
            return known_of(self.writer, x.known.transpose(order))
        return self._node("Transpose", [x], x, tuple(x.dims[k] for k in order), perm=order)

    def broadcast_to(self, x: Any, sizes: Sequence[Any]) -> Value:
        value = self.value(x)
        dims = tuple(part.size if isinstance(part, Value) else part for part in sizes)
        return self._node("Expand", [value, vector_of(self.writer, sizes)], value, dims)

    def repeat(self, x: Value, times: int, axis: int) -> Value:
        axis %= x.ndim
        wide = self._tiled(x[(slice(None),) * (axis + 1) + (None,)], axis + 1, times)
        if x.dims[axis] == 1:
            return wide[(slice(None),) * axis + (0,)]
        size = axis_size(self.writer, x.dims[axis])
        whole = -1 if isinstance(size, Value) else size * times
        before, after = self.shape(x)[:axis], self.shape(x)[axis + 1 :]
        return self.reshape(wide, (*before, whole, *after))

    def _tiled(self, x: Value, axis: int, times: int) -> Value:
        """Return a tensor with an axis of size 1 as long as `times`."""
        counts = self._integers(*(times if k == axis else 1 for k in range(x.ndim)))
        return self._node("Tile", [x, counts], x, (*x.dims[:axis], times, *x.dims[axis + 1 :]))

    # -- parts, and several as one ---------------------------------------------------------------

    def concatenate(self, parts: Sequence[Any], axis: int = -1) -> Value:
        values = [self.value(part) for part in parts]
        axis %= values[0].ndim
        values = [x for x in values if x.dims[axis] != 0] or values[:1]
        if len(values) == 1:
            return values[0]
        dim = summed([x.dims[axis] for x in values], self.writer.new_size)
        dims = tuple(
            next((x.dims[k] for x in values if isinstance(x.dims[k], int)), values[0].dims[k])
            for k in range(values[0].ndim)
        )
        dims = (*dims[:axis], dim, *dims[axis + 1 :])
        return self._node("Concat", [x.name for x in values], values[0], dims, axis=axis)

    def stack(self, parts: Sequence[Value], axis: int = 0) -> Value:
        new = (slice(None),) * axis + (None,)
        return self.concatenate([part[new] for part in parts], axis)

    def split(self, x: Value, n: int, axis: int = -1) -> list[Value]:
        whole = x.shape[axis]
        assert whole is not None
        assert axis == -1
        size = whole // n
        return [x[..., k * size : (k + 1) * size] for k in range(n)]

    def take(self, x: Any, index: Any, axis: int) -> Value:
        value, where = self.value(x), self.value(index)
        axis %= value.ndim
        if value.known is not None and where.known is not None:
            return known_of(self.writer, value.known.take(where.known, axis))
        dims = (*value.dims[:axis], *where.dims, *value.dims[axis + 1 :])
        return self._node("Gather", [value, cast(where, INT)], value, dims, axis=axis)

    def take_along_axis(self, x: Value, index: Value, axis: int) -> Value:
        """Return the steps ``(batch, n, ...)`` of ``(batch, time, ...)`` at ``(batch, n, 1)``."""
        assert axis == 1
        assert index.dims[2:] == (1,)
        dims = (*x.dims[:1], index.dims[1], *x.dims[2:])
        return self._node("GatherND", [x, cast(index, INT)], x, dims, batch_dims=1)

    def pad(self, x: Value, widths: Sequence[Sequence[Any]]) -> Value:
        ends = [pair[0] for pair in widths] + [pair[1] for pair in widths]
        dims = tuple(
            dim if before == 0 and after == 0
            else dim + before + after if all(isinstance(k, int) for k in (dim, before, after))
            else self.writer.new_size()
            for dim, (before, after) in zip(x.dims, _plain(widths), strict=True)
        )  # fmt: skip
        return self._node("Pad", [x, vector_of(self.writer, ends)], x, dims)

    def flip(self, x: Value, axis: int) -> Value:
        assert axis == -1
        return x[..., ::-1]

    def sort(self, x: Value, axis: int) -> Value:
        axis %= x.ndim
        size = x.dims[axis]
        assert isinstance(size, int)
        names = [x.name, self._integers(size)]
        made = self.writer.node("TopK", names, 2, axis=axis, largest=0, sorted=1)
        return Value(self.writer, x.dtype, x.dims, made[0])

    # -- by element ------------------------------------------------------------------------------

    def _by_element(self, kind: str, *given: Any) -> Value:
        return by_element(kind, self.value(given[0]), *given[1:])

    def where(self, condition: Any, x: Any, y: Any) -> Value:
        return self._by_element("Where", condition, x, y)

    def maximum(self, x: Any, y: Any) -> Value:
        return self._by_element("Max", x, y)

    def minimum(self, x: Any, y: Any) -> Value:
        return self._by_element("Min", x, y)

    def abs(self, x: Any) -> Value:
        return self._by_element("Abs", x)

    def exp(self, x: Any) -> Value:
        return self._by_element("Exp", x)

    def log(self, x: Any) -> Value:
        return self._by_element("Log", x)

    def sqrt(self, x: Any) -> Value:
        return self._by_element("Sqrt", x)

    def tanh(self, x: Any) -> Value:
        return self._by_element("Tanh", x)

    def power(self, x: Any, y: Any) -> Value:
        return self._by_element("Pow", x, y)

    def square(self, x: Any) -> Value:
        return self._by_element("Mul", x, x)

    def relu(self, x: Any) -> Value:
        value = self.value(x)
        if value.known is not None:
            return known_of(self.writer, np.maximum(value.known, 0))
        return self._node("Relu", [value], value)

    def clip(self, x: Any, low: Any, high: Any) -> Value:
        return self.minimum(self.maximum(x, low), high)

    def sigmoid(self, x: Any) -> Value:
        """Return ``1 / (1 + exp(-x))``: runtimes approximate Sigmoid, and lose small ones."""
        return by_element("Div", 1.0, self.exp(-self.value(x)) + 1.0)

    def softplus(self, x: Any) -> Value:
        value = self.value(x)
        if value.known is not None:
            return known_of(self.writer, np.logaddexp(value.known, FLOAT.type(0)))
        return self._node("Softplus", [value], value)

    def softmax(self, x: Value, axis: int = -1) -> Value:
        return self._node("Softmax", [x], x, axis=axis)

    # -- over axes -------------------------------------------------------------------------------

    def _reduced(self, kind: str, x: Any, axis: Axes, keepdims: bool) -> Value:
        value = self.value(x)
        if axis is None:
            axes = list(range(value.ndim))
        else:
            axes = sorted(k % value.ndim for k in ([axis] if isinstance(axis, int) else axis))
        if value.known is not None:
            made = getattr(np, kind.lower())(value.known, axis=tuple(axes), keepdims=keepdims)
            return known_of(self.writer, np.asarray(made, value.dtype))
        if keepdims:
            dims = tuple(1 if k in axes else dim for k, dim in enumerate(value.dims))
        else:
            dims = tuple(dim for k, dim in enumerate(value.dims) if k not in axes)
        inputs: list[Value | str] = [value, self._integers(*axes)]
        return self._node(f"Reduce{kind}", inputs, value, dims, keepdims=int(keepdims))

    def sum(self, x: Any, axis: Axes = None, keepdims: bool = False) -> Value:
        return self._reduced("Sum", x, axis, keepdims)

    def mean(self, x: Any, axis: Axes = None, keepdims: bool = False) -> Value:
        return self._reduced("Mean", x, axis, keepdims)

    def max(self, x: Any, axis: Axes = None, keepdims: bool = False) -> Value:
        return self._reduced("Max", x, axis, keepdims)

    def cumsum(self, x: Any, axis: int) -> Value:
        value = self.value(x)
        if value.known is not None:
            return known_of(self.writer, value.known.cumsum(axis))
        place = self.writer.constant(np.array(axis, np.int64))
        return self._node("CumSum", [value, place], value)

    # -- products --------------------------------------------------------------------------------

    def matmul(self, x: Any, y: Any) -> Value:
        a, b = self.value(x), self.value(y)
        if a.known is not None and b.known is not None:
            return known_of(self.writer, a.known @ b.known)
        return self._node("MatMul", [a, b], a, (*a.dims[:-1], b.dims[-1]))

    def dense(self, x: Any, kernel: Any, bias: Any) -> Value:
        a = self.value(x)
        if a.ndim == 2 and a.known is None:
            w, b = self.value(kernel), self.value(bias)
            return self._node("Gemm", [a, w, b], a, (a.dims[0], w.dims[1]))
        return by_element("Add", self.matmul(x, kernel), bias)

    def convolution(self, x: Value, kernel: Value, bias: Value, stride: int) -> Value:
        """Return the convolution over axis 1 of what is padded already, ``(b, t', filters)``."""
        size, _, filters = kernel.shape
        time = x.dims[1]
        steps: Dim = self.writer.new_size()
        if isinstance(time, int):
            steps = max((time - int(size or 0)) // stride + 1, 0)
        by_feature = self.transpose(x, (0, 2, 1))
        weights = self.transpose(kernel, (2, 1, 0))  # filters, features, steps
        dims = (x.dims[0], filters, steps)
        inputs = [by_feature, weights, bias]
        out = self._node("Conv", inputs, x, dims, kernel_shape=[size], strides=[stride])
        return self.transpose(out, (0, 2, 1))


def _plain(widths: Sequence[Sequence[Any]]) -> list[tuple[Any, Any]]:
    """Return widths as numbers where they are that; what is open is not 0."""
    return [
        tuple(math.nan if isinstance(k, Value) else int(k) for k in pair)  # type: ignore[misc]
        for pair in widths
    ]
