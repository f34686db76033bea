"""What a step does with the rows of its arrays, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.machine.code.compiling import bare, compiled, single

__all__ = [
    "activate",
    "add",
    "add_product",
    "block",
    "gate",
    "gate_gradient",
    "masked",
    "memory_gradient",
    "multiply",
    "row",
    "scale",
    "sigmoid",
    "sum_rows",
    "tanh",
    "through_tanh",
]

_LARGEST = single(7.90531110763549805)  # from here on tanh is 1 in float32


@compiled
def tanh(x: Any) -> Any:
    """Compute tanh by the rational function of Eigen, degrees 13 and 6: within some 1e-7."""
    x = _LARGEST if x > _LARGEST else x
    x = -_LARGEST if x < -_LARGEST else x
    y = x * x
    p = y * single(-2.76076847742355e-16) + single(2.00018790482477e-13)
    p = y * p + single(-8.60467152213735e-11)
    p = y * p + single(5.12229709037114e-08)
    p = y * p + single(1.48572235717979e-05)
    p = y * p + single(6.37261928875436e-04)
    p = y * p + single(4.89352455891786e-03)
    q = y * single(1.19825839466702e-06) + single(1.18534705686654e-04)
    q = y * q + single(2.26843463243900e-03)
    q = y * q + single(4.89352518554385e-03)
    return x * p / q


@compiled
def sigmoid(x: Any) -> Any:
    """Compute the logistic function."""
    return single(0.5) + single(0.5) * tanh(single(0.5) * x)


@compiled
def add(total: np.ndarray, row: np.ndarray) -> None:
    """Add a row to a total."""
    for j in range(total.shape[0]):
        total[j] += row[j]


@compiled
def scale(row: np.ndarray, by: np.ndarray) -> None:
    """Multiply a row by another."""
    for j in range(row.shape[0]):
        row[j] *= by[j]


@compiled
def multiply(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Write the product of two rows."""
    for j in range(out.shape[0]):
        out[j] = a[j] * b[j]


@compiled
def add_product(total: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Add the product of two rows to a total."""
    for j in range(total.shape[0]):
        total[j] += a[j] * b[j]


@compiled
def gate_gradient(
    d: np.ndarray, a: np.ndarray, b: np.ndarray, more: np.ndarray, gate: np.ndarray
) -> None:
    """Write (a * b + more) through the sigmoid of a gate."""
    if more.shape[0]:
        for j in range(d.shape[0]):
            d[j] = (a[j] * b[j] + more[j]) * gate[j] * (single(1) - gate[j])
    else:
        for j in range(d.shape[0]):
            d[j] = a[j] * b[j] * gate[j] * (single(1) - gate[j])


@compiled
def memory_gradient(
    dc: np.ndarray, dh: np.ndarray, gate: np.ndarray, a: np.ndarray, linear: bool
) -> None:
    """Add what h = gate * a(c) hands on to c."""
    if linear:
        add_product(dc, dh, gate)
    else:
        for j in range(dc.shape[0]):
            dc[j] += dh[j] * gate[j] * (single(1) - a[j] * a[j])


@compiled
def through_tanh(d: np.ndarray, out: np.ndarray) -> None:
    """Take a gradient through the tanh that gave `out`."""
    for j in range(d.shape[0]):
        d[j] *= single(1) - out[j] * out[j]


@compiled
def activate(out: np.ndarray, work: np.ndarray, linear: bool) -> None:
    """Write tanh(work), or work itself."""
    if linear:
        out[:] = work
    else:
        for j in range(out.shape[0]):
            out[j] = tanh(work[j])


@compiled
def gate(gate: np.ndarray, work: np.ndarray, peephole: np.ndarray, seen: np.ndarray) -> None:
    """Write one gate of a step of a series: sigmoid(work + peephole * seen)."""
    if peephole.shape[0]:
        for j in range(gate.shape[0]):
            gate[j] = sigmoid(work[j] + peephole[j] * seen[j])
    else:
        for j in range(gate.shape[0]):
            gate[j] = sigmoid(work[j])


@compiled
def sum_rows(rows: np.ndarray, chunk: np.ndarray, total: np.ndarray) -> None:
    """Add rows to a total: summed by themselves first, which rounds less."""
    rows = bare(rows)
    chunk[:] = single(0)
    for r in range(rows.shape[0]):
        add(chunk, rows[r])
    add(total, chunk)


@compiled
def masked(h: np.ndarray, mask: np.ndarray, out: np.ndarray) -> int:
    """Return the address of h (batch, units), or of its product with the mask if there is one."""
    if mask.shape[0] == 0:
        return h.ctypes.data
    for b in range(h.shape[0]):
        multiply(out[b], h[b], mask[b])
    return out.ctypes.data


@compiled
def block(row: np.ndarray, n: int, units: int) -> np.ndarray:
    """Return a block of a row of blocks; nothing for an absent one."""
    return row[n * units : (n + 1) * units] if n >= 0 else row[:0]


@compiled
def row(matrix: np.ndarray, n: int) -> np.ndarray:
    """Return a row of a matrix; nothing for an absent one."""
    return matrix[n] if n >= 0 else np.zeros(0, np.float32)
