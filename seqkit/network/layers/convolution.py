"""Convolutions over time: what a recurrent layer reads instead of raw steps, or beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqkit.network.cpu.memory import buffer
from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.cpu.shards import parts_of, side_by_side
from seqkit.network.initializers import he_uniform, zeros
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape
from seqkit.network.layers.padding import valid_head
from seqkit.network.layers.patching import patch_count

__all__ = ["Convolution"]


@dataclass(frozen=True)
class Convolution(Layer):
    """``y_t = b + sum_k W_k x_{t s + k - (K - 1) // 2}``: ``(b, t, f) -> (b, ceil(t / s), c)``.

    Steps before a series and past its own end are zeros, wherever the batch ends, so that padding
    changes nothing. Outputs: the steps, and how many of them count.

    Parameters
    ----------
    filters : int
        Features of the output, ``c``.
    kernel_size : int
        Steps that an output sees, ``K``.
    stride : int
        Steps from one output to the next, ``s``.
    """

    filters: int
    kernel_size: int
    stride: int = 1
    n_outputs: ClassVar[int] = 2

    def shape(self, x: Shape, lengths: Shape | None = None) -> tuple[Shape, Shape]:
        steps = None if x[0] is None else patch_count(x[0], self.stride)
        return (steps, self.filters), ()

    def parameters(self, x: Shape, lengths: Shape | None = None) -> tuple[Parameter, ...]:
        features = x[-1]
        assert features is not None
        shape = (self.kernel_size, features, self.filters)
        return Parameter("kernel", shape, he_uniform), Parameter("bias", (self.filters,), zeros)

    def forward(
        self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any, lengths: Any = None
    ) -> Any:
        if lengths is not None:
            # where, not a product: the padding may be NaN or huge and must not get through
            saved["valid"] = valid = valid_head(x, lengths, ops) > 0
            x = ops.where(valid, x, ops.zeros_like(x))
            lengths = patch_count(lengths, self.stride)
        before = (self.kernel_size - 1) // 2
        # past the end as many as the last output sees, which is the first of its stride
        x = ops.pad(x, [[0, 0], [before, self.kernel_size - 1 - before], [0, 0]])
        saved["x"] = x
        return ops.convolution(x, p["kernel"], p["bias"], self.stride), lengths

    def backward(
        self, p: Mapping[str, Array], g: Mapping[str, Array], saved: Saved, d: Any, wants: Any
    ) -> tuple[Array | None, ...]:
        x, d = saved["x"], np.ascontiguousarray(d[0], np.float32)
        kernel = p["kernel"].reshape(-1, self.filters)
        parts = parts_of(len(x), 2 * d.size * len(kernel))
        dx = buffer(*x.shape) if wants[0] else np.empty((0, *x.shape[1:]), np.float32)
        of_kernel = [np.empty(kernel.shape, np.float32) for _ in parts]
        of_bias = [np.empty(self.filters, np.float32) for _ in parts]

        def call(k: int, part: slice) -> Callable[[], None]:
            return lambda: compiled_kernels().convolution_backward(
                x[part], kernel, self.stride, d[part], of_kernel[k], of_bias[k], dx[part]
            )

        side_by_side([call(k, part) for k, part in enumerate(parts)])
        g["kernel"][...] = sum(of_kernel[1:], of_kernel[0]).reshape(p["kernel"].shape)
        g["bias"][...] = sum(of_bias[1:], of_bias[0])
        if not wants[0]:
            return None, None
        before = (self.kernel_size - 1) // 2
        dx = dx[:, before : before + x.shape[1] - self.kernel_size + 1]
        return dx * saved["valid"] if "valid" in saved else dx, None
