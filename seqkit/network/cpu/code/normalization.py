"""Normalisation over the steps of a batch (batch normalisation), forward and backward.

Arrays are (batch, time, columns); `valid` says how many steps of each series count. What pads them
has no part in a sum, and is 0 in what is written.
"""

from __future__ import annotations

from seqkit.network.cpu.code.compiling import Steps, Vector, at, kernel, start
from seqkit.network.cpu.code.rows import ZERO, add, zero

__all__ = ["affine", "moments", "normalization_backward", "normalization_sums"]


@kernel
def _moments(
    x: Steps, valid: Vector, mean: Vector, is_squared: bool, total: Vector, chunk: Vector
) -> None:
    n, n_steps, columns = x.shape
    center, series_sum = start(mean), start(chunk)
    zero(start(total), columns)
    for i in range(n):
        zero(series_sum, columns)
        for t in range(int(valid[i])):
            row = at(start(x), (i * n_steps + t) * columns)
            if is_squared:
                for j in range(columns):
                    apart = row[j] - center[j]
                    series_sum[j] += apart * apart
            else:
                add(series_sum, row, columns)
        add(start(total), series_sum, columns)


def moments(x: Steps, valid: Vector, mean: Vector, is_squared: bool, total: Vector) -> None:
    """Write the sum of every column, or that of the squares of its distances from `mean`."""
    _moments(x, valid, mean, is_squared, total, buffers=[x.shape[2]])


@kernel
def affine(
    x: Steps, valid: Vector, factor: Vector, offset: Vector, is_relu: bool, out: Steps
) -> None:
    """Write x * factor + offset, or what of it is above 0; 0 past the end of a series."""
    n, n_steps, columns = x.shape
    a, b = start(factor), start(offset)
    for i in range(n):
        n_valid = int(valid[i])
        for t in range(n_valid):
            row = at(start(x), (i * n_steps + t) * columns)
            to = at(start(out), (i * n_steps + t) * columns)
            if is_relu:
                for j in range(columns):
                    to[j] = max(row[j] * a[j] + b[j], ZERO)
            else:
                for j in range(columns):
                    to[j] = row[j] * a[j] + b[j]
        zero(at(start(out), (i * n_steps + n_valid) * columns), (n_steps - n_valid) * columns)


@kernel
def _sums(
    x: Steps, valid: Vector, mean: Vector, inverse: Vector, out: Steps, is_relu: bool, d: Steps,
    d_beta: Vector, d_gamma: Vector, of_beta: Vector, of_gamma: Vector,
) -> None:  # fmt: skip
    n, n_steps, columns = x.shape
    center, beta, gamma = start(mean), start(of_beta), start(of_gamma)
    zero(start(d_beta), columns)
    zero(start(d_gamma), columns)
    for i in range(n):
        zero(beta, columns)
        zero(gamma, columns)
        for t in range(int(valid[i])):
            begin = (i * n_steps + t) * columns
            row, own, up = at(start(x), begin), at(start(out), begin), at(start(d), begin)
            for j in range(columns):
                passed = up[j] if own[j] > ZERO or not is_relu else ZERO
                beta[j] += passed
                gamma[j] += passed * (row[j] - center[j])
        add(start(d_beta), beta, columns)
        add(start(d_gamma), gamma, columns)
    for j in range(columns):
        start(d_gamma)[j] *= inverse[j]


def normalization_sums(
    x: Steps, valid: Vector, mean: Vector, inverse: Vector, out: Steps, is_relu: bool, d: Steps,
    d_beta: Vector, d_gamma: Vector,
) -> None:  # fmt: skip
    """Write the gradients of offset and factor; `inverse` is 1 / the columns' spread."""
    sizes = [x.shape[2], x.shape[2]]
    _sums(x, valid, mean, inverse, out, is_relu, d, d_beta, d_gamma, buffers=sizes)


@kernel
def normalization_backward(
    x: Steps, valid: Vector, mean: Vector, out: Steps, is_relu: bool, d: Steps, factor: Vector,
    shared: Vector, along: Vector, dx: Steps,
) -> None:  # fmt: skip
    """Write factor * d - shared - along * (x - mean); 0 past the end of a series."""
    n, n_steps, columns = x.shape
    center, a, b, c = start(mean), start(factor), start(shared), start(along)
    for i in range(n):
        n_valid = int(valid[i])
        for t in range(n_valid):
            begin = (i * n_steps + t) * columns
            row, own, up = at(start(x), begin), at(start(out), begin), at(start(d), begin)
            to = at(start(dx), begin)
            for j in range(columns):
                passed = up[j] if own[j] > ZERO or not is_relu else ZERO
                to[j] = a[j] * passed - b[j] - c[j] * (row[j] - center[j])
        zero(at(start(dx), (i * n_steps + n_valid) * columns), (n_steps - n_valid) * columns)
