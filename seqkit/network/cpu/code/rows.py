"""What a step does with the rows of its arrays, element by element."""

from __future__ import annotations

from seqkit.network.cpu.code.compiling import Floats, Single, at, compiled, single

__all__ = [
    "ONE",
    "ZERO",
    "activate",
    "add",
    "add_product",
    "copy",
    "copy_rows",
    "gate_gradient",
    "multiply",
    "scale",
    "sigmoid",
    "sigmoids",
    "sum_rows",
    "tanh",
    "through_tanh",
    "zero",
]

ZERO, ONE, _HALF = single(0), single(1), single(0.5)
_LARGEST = single(7.90531110763549805)  # from here on tanh is 1 in float32
_P13, _P11, _P9 = (
    single(-2.76076847742355e-16),
    single(2.00018790482477e-13),
    single(-8.60467152213735e-11),
)
_P7, _P5, _P3 = (
    single(5.12229709037114e-08),
    single(1.48572235717979e-05),
    single(6.37261928875436e-04),
)
_P1 = single(4.89352455891786e-03)
_Q6, _Q4 = single(1.19825839466702e-06), single(1.18534705686654e-04)
_Q2, _Q0 = single(2.26843463243900e-03), single(4.89352518554385e-03)


@compiled
def tanh(x: Single) -> Single:
    """Compute tanh by the rational function of Eigen, degrees 13 and 6: within some 1e-7."""
    x = _LARGEST if x > _LARGEST else x
    x = -_LARGEST if x < -_LARGEST else x
    y = x * x
    p = y * _P13 + _P11
    p = y * p + _P9
    p = y * p + _P7
    p = y * p + _P5
    p = y * p + _P3
    p = y * p + _P1
    q = y * _Q6 + _Q4
    q = y * q + _Q2
    q = y * q + _Q0
    return x * p / q


@compiled
def sigmoid(x: Single) -> Single:
    """Compute the logistic function."""
    return _HALF + _HALF * tanh(_HALF * x)


@compiled
def zero(out: Floats, n: int) -> None:
    """Write n zeros."""
    for j in range(n):
        out[j] = ZERO


@compiled
def copy(out: Floats, row: Floats, n: int) -> None:
    """Copy a row."""
    for j in range(n):
        out[j] = row[j]


@compiled
def copy_rows(out: Floats, wide: int, rows: Floats, wide_rows: int, count: int, n: int) -> None:
    """Copy n columns of some rows; from one row to the next `wide` floats, `wide_rows` floats."""
    for r in range(count):
        copy(at(out, r * wide), at(rows, r * wide_rows), n)


@compiled
def add(total: Floats, row: Floats, n: int) -> None:
    """Add a row to a total."""
    for j in range(n):
        total[j] += row[j]


@compiled
def scale(row: Floats, by: Floats, n: int) -> None:
    """Multiply a row by another."""
    for j in range(n):
        row[j] *= by[j]


@compiled
def multiply(out: Floats, a: Floats, b: Floats, n: int) -> None:
    """Write the product of two rows."""
    for j in range(n):
        out[j] = a[j] * b[j]


@compiled
def add_product(total: Floats, a: Floats, b: Floats, n: int) -> None:
    """Add the product of two rows to a total."""
    for j in range(n):
        total[j] += a[j] * b[j]


@compiled
def gate_gradient(d: Floats, a: Floats, b: Floats, gate: Floats, n: int) -> None:
    """Write a * b through the sigmoid of a gate: d = a b g (1 - g)."""
    for j in range(n):
        d[j] = a[j] * b[j] * gate[j] * (ONE - gate[j])


@compiled
def through_tanh(d: Floats, out: Floats, n: int) -> None:
    """Take a gradient through the tanh that gave `out`: d (1 - out^2)."""
    for j in range(n):
        d[j] *= ONE - out[j] * out[j]


@compiled
def activate(out: Floats, work: Floats, linear: bool, n: int) -> None:
    """Write tanh(work), or work itself."""
    if linear:
        copy(out, work, n)
    else:
        for j in range(n):
            out[j] = tanh(work[j])


@compiled
def sigmoids(out: Floats, work: Floats, n: int) -> None:
    """Write sigmoid(work)."""
    for j in range(n):
        out[j] = sigmoid(work[j])


@compiled
def sum_rows(rows: Floats, count: int, n: int, chunk: Floats, total: Floats) -> None:
    """Add rows to a total: summed by themselves first, which rounds less."""
    zero(chunk, n)
    for r in range(count):
        add(chunk, at(rows, r * n), n)
    add(total, chunk, n)
