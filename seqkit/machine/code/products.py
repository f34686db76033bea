"""Products of matrices with weights in panels, and the weights' gradients."""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from seqkit.machine.code.compiling import bare, compiled, single
from seqkit.machine.code.rows import multiply

__all__ = [
    "all_masked",
    "input_gradient",
    "is_whole",
    "lay_out",
    "n_panels",
    "outer",
    "panels",
    "product",
    "project",
    "room",
    "room_for_outer",
    "rows_of",
    "steps_at_once",
    "tall_room",
    "transposed_panels",
]

_WIDE = llvmlite.binding.get_host_cpu_features().get("avx512f", False)
_LANES = 16 if _WIDE else 8  # of a vector
_WIDTH = 2 * _LANES  # of a panel
_ROWS = 8 if _WIDE else 4  # as many as there are registers for
_CHUNK = 1 << 16  # floats of a chunk of steps that are meant to stay in the cache


def _tile(rows: int) -> Any:
    """Return the product of some rows with a panel, added up in registers."""

    @intrinsic
    def tile(
        _context: Any, a: Any, row: Any, step: Any, panel: Any, depth: Any, out: Any, wide: Any
    ) -> Any:
        """Add to `out` what `a` (rows, depth) times the panel (depth, width) is, depth above 0.

        Addresses in bytes; from one row of `a` to the next `row`, from one column to the next
        `step` floats, from one row of `out` to the next `wide`.
        """
        address, count = types.uintp, types.intp
        signature = types.void(address, count, count, address, count, address, count)

        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            a, row, step, panel, depth, out, wide = arguments
            number, real = ir.IntType(64), ir.FloatType()
            vector = ir.VectorType(real, _LANES)
            lanes = ir.VectorType(ir.IntType(32), _LANES)
            kind = ir.FunctionType(vector, [vector] * 3)
            name = f"llvm.fmuladd.v{_LANES}f32"
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)
            undefined = ir.Constant(vector, ir.Undefined)

            def floats(count: Any) -> Any:
                """Return the bytes of so many floats."""
                return builder.mul(count, ir.Constant(number, 4))

            def times(count: Any, factor: int) -> Any:
                return builder.mul(count, ir.Constant(number, factor))

            def at(base: Any, offset: Any, kind: Any) -> Any:
                return builder.inttoptr(builder.add(base, offset), kind.as_pointer())

            def load(base: Any, offset: Any, kind: Any) -> Any:
                found = builder.load(at(base, offset, kind))
                found.align = 4
                return found

            starts = [builder.add(a, floats(times(row, r))) for r in range(rows)]
            places = [
                [
                    builder.add(floats(times(wide, r)), ir.Constant(number, 4 * _LANES * v))
                    for v in range(2)
                ]
                for r in range(rows)
            ]
            found = [[load(out, place, vector) for place in line] for line in places]
            before = builder.block
            loop = builder.append_basic_block("depth")
            after = builder.append_basic_block("out")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(number)
            k.add_incoming(ir.Constant(number, 0), before)
            sums = [[builder.phi(vector) for _ in range(2)] for _ in range(rows)]
            first = floats(times(k, _WIDTH))
            weights = [
                load(panel, builder.add(first, ir.Constant(number, 4 * _LANES * v)), vector)
                for v in range(2)
            ]
            column = floats(builder.mul(k, step))
            added = []
            for start, line in zip(starts, sums, strict=True):
                value = load(start, column, real)
                one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
                every = builder.shuffle_vector(one, undefined, ir.Constant(lanes, [0] * _LANES))
                added.append(
                    [
                        builder.call(multiply_add, [every, w, s])
                        for w, s in zip(weights, line, strict=True)
                    ]
                )
            following = builder.add(k, ir.Constant(number, 1))
            k.add_incoming(following, loop)
            for line, start, new in zip(sums, found, added, strict=True):
                for s, old, n in zip(line, start, new, strict=True):
                    s.add_incoming(old, before)
                    s.add_incoming(n, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            for line, new in zip(places, added, strict=True):
                for place, n in zip(line, new, strict=True):
                    builder.store(n, at(out, place, vector)).align = 4
            return context.get_dummy_value()

        return signature, generate

    return tile


_tile_most, _tile_4, _tile_2, _tile_1 = (_tile(n) for n in (_ROWS, 4, 2, 1))


@compiled
def n_panels(columns: int) -> int:
    """Return how many panels hold so many columns."""
    return (columns + _WIDTH - 1) // _WIDTH


@compiled
def panels(matrix: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return columns first to last of a matrix in panels."""
    out = np.empty((n_panels(last - first), matrix.shape[0], _WIDTH), np.float32)
    lay_out(matrix, first, last, out)
    return out


@compiled
def lay_out(matrix: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Write columns first to last of a matrix to panels of any width, zeros past the last one."""
    matrix, out = bare(matrix), bare(out)
    width = out.shape[2]
    for p in range(out.shape[0]):
        start = first + p * width
        wide = min(width, last - start)
        for k in range(matrix.shape[0]):
            row, place = matrix[k, start : start + wide], out[p, k]
            if wide < width:
                place[:] = single(0)
            for j in range(wide):
                place[j] = row[j]


@compiled
def transposed_panels(matrix: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return columns first to last of a matrix, transposed, in panels."""
    out = np.zeros((n_panels(matrix.shape[0]), last - first, _WIDTH), np.float32)
    for p in range(out.shape[0]):
        for start in range(first, last, _LANES):  # both sides of a block stay in the cache
            stop = min(last, start + _LANES)
            for j in range(min(_WIDTH, matrix.shape[0] - p * _WIDTH)):
                row = matrix[p * _WIDTH + j]
                for k in range(start, stop):
                    out[p, k - first, j] = row[k]
    return out


@compiled
def room(rows: int, panels: int) -> np.ndarray:
    """Return zeros for a product with so many panels."""
    return np.zeros((rows, panels * _WIDTH), np.float32)


@compiled
def product(a: int, row: int, step: int, panels: np.ndarray, out: np.ndarray, first: int) -> None:
    """Add to `out`, from the column `first` on, the product of a matrix with panels.

    The element (r, k) of the matrix is at the address ``a + 4 * (r * row + k * step)``; it has as
    many rows as `out`. Past its last column zeros are added up to the end of the last panel.
    """
    n, depth, _ = panels.shape
    rows, wide = out.shape
    if depth == 0:
        return
    for p in range(n):
        panel = panels.ctypes.data + p * depth * _WIDTH * 4
        place = out.ctypes.data + 4 * (first + p * _WIDTH)
        r = 0
        while r + _ROWS <= rows:
            _tile_most(a + 4 * row * r, row, step, panel, depth, place + 4 * wide * r, wide)
            r += _ROWS
        while r + 4 <= rows:
            _tile_4(a + 4 * row * r, row, step, panel, depth, place + 4 * wide * r, wide)
            r += 4
        if r + 2 <= rows:
            _tile_2(a + 4 * row * r, row, step, panel, depth, place + 4 * wide * r, wide)
            r += 2
        if r < rows:
            _tile_1(a + 4 * row * r, row, step, panel, depth, place + 4 * wide * r, wide)


@compiled
def steps_at_once(batch: int, columns: int) -> int:
    """Return how many steps make a chunk."""
    return max(1, max(128, _CHUNK // columns) // max(1, batch))


@compiled
def project(
    x: np.ndarray, first: int, panels: np.ndarray, bias: np.ndarray, out: np.ndarray
) -> None:
    """Write W x + b of the steps from `first` on, as many as `out` has rows for."""
    x, bias, out = bare(x), bare(bias), bare(out)
    out[:] = single(0)
    for r in range(out.shape[0]):
        out[r, : bias.shape[0]] = bias
    product(x[first].ctypes.data, x.shape[2], 1, panels, out, 0)


@compiled
def input_gradient(
    rows: np.ndarray, back: np.ndarray, memory: np.ndarray, batch: int, first: int, place: int,
    dx: np.ndarray,
) -> None:  # fmt: skip
    """Write the gradient of the input of the steps from `first` on, of a batch from `place` on.

    `rows` (steps * batch, columns) are those of W x + b, `back` the panels of W transposed,
    `memory` (rows at least as many, whole panels) is written over. Nothing is done where `dx`
    (time, series, n_features) has no steps.
    """
    if dx.shape[0] == 0:
        return
    out = memory[: rows.shape[0]]
    out[:] = single(0)
    product(rows.ctypes.data, rows.shape[1], 1, back, out, 0)
    for r in range(rows.shape[0]):
        found, row = dx[first + r // batch, place + r % batch], out[r]
        for j in range(found.shape[0]):
            found[j] = row[j]


@compiled
def outer(
    a: np.ndarray, rows: np.ndarray, first: int, last: int, memory: np.ndarray, out: np.ndarray,
    column: int, same_a: bool, same_rows: bool,
) -> None:  # fmt: skip
    """Add the sum over rows of the outer products of a's with columns first to last of the others'.

    Shapes (rows, depth) and (rows, columns); `out` (whole tiles of depth, ...), from the column
    `column` on; `memory` has room for both in whole panels and tiles. What is the same as the time
    before is there already.
    """
    count, n, strips = rows.shape[0], n_panels(last - first), (a.shape[1] + _ROWS - 1) // _ROWS
    if count == 0:
        return
    panels = memory[: n * count * _WIDTH].reshape((n, count, _WIDTH))
    across = memory[memory.size - strips * count * _ROWS :].reshape((strips, count, _ROWS))
    if not same_rows:
        lay_out(rows, first, last, panels)
    if not same_a:
        lay_out(a, 0, a.shape[1], across)
    wide = out.shape[1]
    for p in range(n):
        panel = panels.ctypes.data + p * count * _WIDTH * 4
        place = out.ctypes.data + 4 * (column + p * _WIDTH)
        for k in range(strips):
            strip = across.ctypes.data + k * count * _ROWS * 4
            _tile_most(strip, 1, _ROWS, panel, count, place + 4 * wide * k * _ROWS, wide)


@compiled
def room_for_outer(rows: int, depth: int, columns: int) -> np.ndarray:
    """Return memory for `outer` with up to so many rows, depth and columns."""
    return np.empty(rows * (n_panels(columns) * _WIDTH + depth + _ROWS), np.float32)


@compiled
def tall_room(depth: int, panels: int) -> np.ndarray:
    """Return zeros for a sum of `outer`: whole tiles deep, whole panels wide."""
    return room(depth + _ROWS, panels)


@compiled
def is_whole(depth: int, columns: int) -> bool:
    """Return whether a gradient of this shape is made of whole tiles and panels."""
    return depth % _ROWS == 0 and columns % _WIDTH == 0


@compiled
def rows_of(steps: np.ndarray) -> np.ndarray:
    """Return (steps, batch, columns) as (steps * batch, columns)."""
    return steps.reshape((steps.shape[0] * steps.shape[1], steps.shape[2]))


@compiled
def all_masked(h: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return h (steps, batch, units) times the mask where there is one."""
    if mask.shape[0] == 0:
        return h
    out = np.empty_like(h)
    for t in range(h.shape[0]):
        for b in range(h.shape[1]):
            multiply(out[t, b], h[t, b], mask[b])
    return out
