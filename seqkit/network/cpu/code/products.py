"""Products of matrices with packed weights, and the weights' gradients.

A matrix of weights is packed into tiles of `WIDTH` columns, as wide as two vector registers, each
(depth, WIDTH) without gaps and with zeros past the last column. The micro-kernel multiplies a few
rows with one tile and adds up in registers; nothing is written before the tile is through::

                       tile: depth x WIDTH
                       +-------+-------+
                     k |  W0   |  W1   |  two vectors a row, loaded once for all rows of a
                       |       |       |
                       +-------+-------+
       a: ROWS x depth
    +-----------k---+  +-------+-------+
    |           a0  |  | S00   | S01   |  S[r, v] += a[r, k] * W[k, v]
    |           a1  |  | S10   | S11   |  ROWS x 2 vectors of sums, all in registers
    |           ..  |  | ..    | ..    |
    +---------------+  +-------+-------+

A gradient of weights, the sum over rows of a[r]^T d[r], is the same product: d is packed into tiles
whose depth are the rows, and `a` across, into strips of ROWS columns, so that a step of the
micro-kernel reads one row of a strip and one of a tile.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils as numba_cgutils
from numba.extending import intrinsic

from seqkit.network.cpu.code.compiling import Floats, at, compiled, types
from seqkit.network.cpu.code.rows import copy, copy_rows, multiply, sum_rows, zero

__all__ = [
    "WIDTH",
    "add_across",
    "add_outer",
    "gradient_size",
    "is_whole",
    "masked",
    "n_tiles",
    "outer_size",
    "pack",
    "pack_transposed",
    "packed_size",
    "padded",
    "product",
    "project",
    "project_backward",
    "steps_at_once",
]

cgutils: Any = numba_cgutils  # without type hints
_HAS_WIDE_VECTORS = llvmlite.binding.get_host_cpu_features().get("avx512f", False)
_LANES = 16 if _HAS_WIDE_VECTORS else 8  # of a vector
WIDTH = 2 * _LANES
ROWS = 8 if _HAS_WIDE_VECTORS else 4  # as many as there are registers for
_CHUNK = 1 << 16  # floats of a chunk of steps that are meant to stay in the cache


# long: LLVM's instructions one by one
def _micro_kernel(rows: int) -> Any:
    """Return the product of so many rows with a tile, added up in registers."""
    # written in LLVM's instructions, at length: no loop of Python's keeps its sums in registers

    # long: LLVM's instructions one by one
    @intrinsic
    def multiply_tile(
        _context: Any, a: Any, row: Any, step: Any, tile: Any, depth: Any, out: Any, wide: Any
    ) -> Any:
        """Add to `out` what `a` (rows, depth) times the tile (depth, WIDTH) is, depth above 0.

        From one row of `a` to the next are `row` floats, from one column to the next `step`, from
        one row of `out` to the next `wide`.
        """
        floats, count = types.CPointer(types.float32), types.intp
        signature = types.void(floats, count, count, floats, count, floats, count)

        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            a, row, step, tile, depth, out, wide = arguments
            number, real = ir.IntType(64), ir.FloatType()
            vector = ir.VectorType(real, _LANES)
            lanes = ir.VectorType(ir.IntType(32), _LANES)
            kind = ir.FunctionType(vector, [vector] * 3)
            name = f"llvm.fmuladd.v{_LANES}f32"
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)
            undefined = ir.Constant(vector, ir.Undefined)

            def times(count: Any, factor: int) -> Any:
                return builder.mul(count, ir.Constant(number, factor))

            def at_vector(base: Any, offset: Any, v: int) -> Any:
                offset = builder.add(offset, ir.Constant(number, v * _LANES))
                return builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())

            def load(address: Any) -> Any:
                value = builder.load(address)
                value.align = 4  # rows begin at any float
                return value

            lines = [builder.gep(a, [times(row, r)]) for r in range(rows)]
            outs = [[at_vector(out, times(wide, r), v) for v in range(2)] for r in range(rows)]
            before_loop = [[load(address) for address in line] for line in outs]
            before = builder.block
            loop = builder.append_basic_block("depth")
            after = builder.append_basic_block("out")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(number)
            k.add_incoming(ir.Constant(number, 0), before)
            sums = [[builder.phi(vector) for _ in range(2)] for _ in range(rows)]
            weights = [load(at_vector(tile, times(k, WIDTH), v)) for v in range(2)]
            column = builder.mul(k, step)
            added = []
            for line, line_sums in zip(lines, sums, strict=True):
                value = load(builder.gep(line, [column]))
                one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
                every = builder.shuffle_vector(one, undefined, ir.Constant(lanes, [0] * _LANES))
                added.append(
                    [
                        builder.call(multiply_add, [every, w, s])
                        for w, s in zip(weights, line_sums, strict=True)
                    ]
                )
            following = builder.add(k, ir.Constant(number, 1))
            k.add_incoming(following, loop)
            for line_sums, old_sums, new_sums in zip(sums, before_loop, added, strict=True):
                for s, old, new in zip(line_sums, old_sums, new_sums, strict=True):
                    s.add_incoming(old, before)
                    s.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            for line, new_sums in zip(outs, added, strict=True):
                for address, new in zip(line, new_sums, strict=True):
                    builder.store(new, address).align = 4
            return context.get_dummy_value()

        return signature, generate

    return multiply_tile


_rows_most, _rows_4, _rows_2, _rows_1 = (_micro_kernel(n) for n in (ROWS, 4, 2, 1))


@compiled
def n_tiles(columns: int) -> int:
    """Return how many tiles hold so many columns."""
    return (columns + WIDTH - 1) // WIDTH


def padded(columns: int) -> int:
    """Return so many columns in whole tiles."""
    whole: int = n_tiles.py_func(columns) * WIDTH
    return whole


def packed_size(depth: int, columns: int) -> int:
    """Return the floats of a packed matrix."""
    return padded(columns) * depth


def outer_size(rows: int, depth: int, columns: int) -> int:
    """Return the floats that `add_outer` works in, with up to so many rows, depth and columns."""
    return rows * (padded(columns) + depth + ROWS) + 16


def gradient_size(depth: int, columns: int) -> int:
    """Return the floats of a sum of `add_outer`: whole strips deep, whole tiles wide."""
    return (depth + ROWS) * padded(columns)


def is_whole(depth: int, columns: int) -> bool:
    """Return whether a gradient of this shape is made of whole strips and tiles."""
    return depth % ROWS == 0 and columns % WIDTH == 0


def steps_at_once(n_steps: int, batch: int, columns: int) -> int:
    """Return how many steps make a chunk."""
    return min(max(1, n_steps), max(1, max(128, _CHUNK // columns) // max(1, batch)))


@compiled
def pack(
    matrix: Floats, wide: int, depth: int, first: int, last: int, out: Floats, width: int
) -> None:
    """Write columns first to last of a matrix to tiles of any width, zeros past the last one."""
    for p in range((last - first + width - 1) // width):
        column = first + p * width
        n = min(width, last - column)
        for k in range(depth):
            row, tile_row = at(matrix, k * wide + column), at(out, (p * depth + k) * width)
            if n < width:
                zero(tile_row, width)
            for j in range(n):
                tile_row[j] = row[j]


@compiled
def pack_transposed(
    matrix: Floats, wide: int, depth: int, first: int, last: int, out: Floats
) -> None:
    """Write columns first to last of a matrix (depth, wide), transposed, to tiles."""
    zero(out, n_tiles(depth) * (last - first) * WIDTH)
    for p in range(n_tiles(depth)):
        tile = at(out, p * (last - first) * WIDTH)
        for begin in range(first, last, _LANES):  # both sides of a block stay in the cache
            stop = min(last, begin + _LANES)
            for j in range(min(WIDTH, depth - p * WIDTH)):
                row = at(matrix, (p * WIDTH + j) * wide)
                for k in range(begin, stop):
                    tile[(k - first) * WIDTH + j] = row[k]


@compiled
def product(
    a: Floats, row: int, rows: int, tiles: Floats, depth: int, n: int, out: Floats, wide: int
) -> None:
    """Add to `out` the product of a matrix (rows, depth) with n tiles.

    From one row of the matrix to the next are `row` floats, from one of `out` to the next `wide`.
    Past the last column zeros are added up to the end of the last tile.
    """
    if depth == 0:
        return
    for p in range(n):
        tile, sums = at(tiles, p * depth * WIDTH), at(out, p * WIDTH)
        r = 0
        while r + ROWS <= rows:
            _rows_most(at(a, row * r), row, 1, tile, depth, at(sums, wide * r), wide)
            r += ROWS
        while r + 4 <= rows:
            _rows_4(at(a, row * r), row, 1, tile, depth, at(sums, wide * r), wide)
            r += 4
        if r + 2 <= rows:
            _rows_2(at(a, row * r), row, 1, tile, depth, at(sums, wide * r), wide)
            r += 2
        if r < rows:
            _rows_1(at(a, row * r), row, 1, tile, depth, at(sums, wide * r), wide)


@compiled
def add_across(
    a: Floats, row: int, depth: int, tiles: Floats, count: int, n: int, out: Floats, wide: int
) -> None:
    """Add to `out` (depth, wide) the product of a matrix (count, depth), transposed, with n tiles.

    From one row of the matrix to the next are `row` floats.
    """
    if count == 0:
        return
    for p in range(n):
        tile, sums = at(tiles, p * count * WIDTH), at(out, p * WIDTH)
        k = 0
        while k + ROWS <= depth:
            _rows_most(at(a, k), 1, row, tile, count, at(sums, wide * k), wide)
            k += ROWS
        while k + 4 <= depth:
            _rows_4(at(a, k), 1, row, tile, count, at(sums, wide * k), wide)
            k += 4
        while k < depth:
            _rows_1(at(a, k), 1, row, tile, count, at(sums, wide * k), wide)
            k += 1


@compiled
def project(
    x: Floats, rows: int, depth: int, tiles: Floats, bias: Floats, columns: int, out: Floats,
    wide: int,
) -> None:  # fmt: skip
    """Write x W + b of some rows: out (rows, wide), zeros past the last column."""
    for r in range(rows):
        row = at(out, r * wide)
        copy(row, bias, columns)
        zero(at(row, columns), wide - columns)
    product(x, depth, rows, tiles, depth, n_tiles(columns), out, wide)


@compiled
def add_outer(
    a: Floats, depth: int, rows: Floats, columns: int, count: int, first: int, last: int,
    work: Floats, out: Floats, wide: int, is_packed: bool,
) -> None:  # fmt: skip
    """Add the sum over `count` rows of the outer products of a's with columns first to last.

    Shapes (count, depth) and (count, columns); `out` (whole strips of depth, wide). `work` has
    room for both, packed; with `is_packed`, `a` is there from the call before.
    """
    if count == 0:
        return
    # strips first, where they stay for the next call; tiles begin at a cache line
    n_strips, strips = (depth + ROWS - 1) // ROWS, work
    tiles = at(work, (n_strips * count * ROWS + 15) // 16 * 16)
    if not is_packed:
        pack(a, depth, count, 0, depth, strips, ROWS)
    pack(rows, columns, count, first, last, tiles, WIDTH)
    for p in range(n_tiles(last - first)):
        tile, sums = at(tiles, p * count * WIDTH), at(out, p * WIDTH)
        for k in range(n_strips):
            strip = at(strips, k * count * ROWS)
            _rows_most(strip, 1, ROWS, tile, count, at(sums, wide * k * ROWS), wide)


@compiled
def project_backward(
    x: Floats, d: Floats, n_steps: int, batch: int, depth: int, columns: int, packed: Floats,
    of_W: Floats, chunk: Floats, d_bias: Floats, tiles: Floats, work: Floats, wants_input: bool,
    dx: Floats, n_series: int,
) -> None:  # fmt: skip
    """Add x^T d to `of_W` and the sum of d to `d_bias`; write d W^T to `dx` where it is wanted.

    x (n_steps * batch, depth), d (n_steps * batch, columns); the tiles hold W transposed, `work`
    has rows of whole tiles. `dx` begins at the batch's first series among `n_series`.
    """
    rows = n_steps * batch
    wide_W, n, wide = n_tiles(columns) * WIDTH, n_tiles(depth), n_tiles(depth) * WIDTH
    add_outer(x, depth, d, columns, rows, 0, columns, packed, of_W, wide_W, False)
    sum_rows(d, rows, columns, chunk, d_bias)
    if wants_input:
        zero(work, rows * wide)
        product(d, columns, rows, tiles, columns, n, work, wide)
        for t in range(n_steps):
            to = at(dx, t * n_series * depth)
            copy_rows(to, depth, at(work, t * batch * wide), wide, batch, depth)


@compiled
def masked(h: Floats, mask: Floats, is_masked: bool, n_steps: int, n: int, out: Floats) -> Floats:
    """Return h (n_steps, n), or its product with the mask (n) where there is one, in `out`."""
    if not is_masked:
        return h
    for t in range(n_steps):
        multiply(at(out, t * n), at(h, t * n), mask, n)
    return out
