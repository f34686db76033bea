"""The array namespaces that a layer's `forward` is handed: NumPy, and Keras.

Both offer what `keras.ops` calls by the same name: the operations used by `seqkit.network.layers`
and no more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.network.cpu.memory import buffer
from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.cpu.shards import parts_of, side_by_side

__all__ = ["NUMPY", "keras_namespace", "rows_of"]

Array = np.ndarray


def rows_of(x: Array) -> Array:
    """Return the features of every step (or series) as rows of a matrix: (n, features)."""
    return np.ascontiguousarray(x.reshape(-1, x.shape[-1]), np.float32)


class NumpyNamespace:
    """Operations on arrays; products are compiled, so that no thread count changes a bit."""

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = getattr(np, name)  # the next time it is found at once
        return found

    @staticmethod
    def mean(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        # np.mean's own sum and quotient, without its checks
        add: Any = np.add
        total: Array = add.reduce(x, axis, keepdims=keepdims)
        return total / (x.size // max(total.size, 1))

    @staticmethod
    def shape(x: Array) -> tuple[int, ...]:
        return x.shape

    @staticmethod
    def cast(x: Any, dtype: Any) -> Array:
        return np.asarray(x).astype(dtype, copy=False)

    @staticmethod
    def convert_to_tensor(x: Any, dtype: Any = None) -> Array:
        return np.asarray(x, dtype)

    @staticmethod
    def matmul(x: Array, kernel: Array) -> Array:
        return NumpyNamespace.dense(x, kernel, np.zeros(kernel.shape[1], np.float32))

    @staticmethod
    def dense(x: Array, kernel: Array, bias: Array) -> Array:
        """Return ``x W + b`` over the last axis."""
        out = np.empty((*x.shape[:-1], kernel.shape[1]), np.float32)
        compiled_kernels().dense_forward(rows_of(x), kernel, bias, out.reshape(-1, kernel.shape[1]))
        return out

    @staticmethod
    def convolution(x: Array, kernel: Array, bias: Array, stride: int) -> Array:
        """Return the convolution over axis 1 of what is padded already, ``(b, t', filters)``."""
        size, _, filters = kernel.shape
        x, kernel = np.ascontiguousarray(x, np.float32), kernel.reshape(-1, filters)
        n_steps = max((x.shape[1] - size) // stride + 1, 0)
        out = buffer(len(x), n_steps, filters)

        def call(part: slice) -> Callable[[], None]:
            return lambda: compiled_kernels().convolution_forward(
                x[part], kernel, bias, stride, out[part]
            )

        side_by_side([call(part) for part in parts_of(len(x), out.size * len(kernel))])
        return out

    @staticmethod
    def relu(x: Array) -> Array:
        out: Array = np.maximum(x, 0)
        return out

    @staticmethod
    def softplus(x: Array) -> Array:
        out: Array = np.logaddexp(x, x.dtype.type(0))
        return out

    @staticmethod
    def sigmoid(x: Array) -> Array:
        out: Array = np.exp(-np.logaddexp(-x, x.dtype.type(0)))
        return out

    @staticmethod
    def softmax(x: Array, axis: int = -1) -> Array:
        e = np.exp(x - x.max(axis, keepdims=True))
        out: Array = e / e.sum(axis, keepdims=True)
        return out

    @staticmethod
    def lgamma(x: Array) -> Array:
        from scipy.special import gammaln

        out: Array = gammaln(x)
        return out


NUMPY = NumpyNamespace()
"""The namespace of arrays."""


@functools.cache
def keras_namespace() -> Any:
    """Return the namespace of tensors: ``keras.ops``, and what it has not."""
    import tensorflow as tf
    from keras import ops

    class KerasNamespace:
        def __getattr__(self, name: str) -> Any:
            return getattr(ops, name)

        @staticmethod
        def dense(x: Any, kernel: Any, bias: Any) -> Any:
            return ops.matmul(x, kernel) + bias

        @staticmethod
        def convolution(x: Any, kernel: Any, bias: Any, stride: int) -> Any:
            return ops.conv(x, kernel, stride, "valid", data_format="channels_last") + bias

        @staticmethod
        def lgamma(x: Any) -> Any:
            return tf.math.lgamma(x)

    return KerasNamespace()
