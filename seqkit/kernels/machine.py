"""A whole sequence of a cell as machine code: what a training step spends its time on.

Compiled by Numba on first use and kept on disk. Weights are laid out once a sequence, in panels as
wide as two vector registers; a product reads a panel for up to eight rows at a time and adds up in
registers. So small products, which are what a recurrent step consists of, run near the speed of
large ones, and there is one call a sequence instead of some operations a step. What needs no step
before it (the projection of the input, the gradients of weights) is done for a chunk of steps at
once, while their rows are still in the cache.

Arrays are C-ordered and float32: x (time, batch, n_features), W (n_features, blocks * units),
R (units, blocks * units), states (batch, units), `mask` of them or of no rows at all. What is kept
of a state has one step more than the sequence: the first is the initial state. Everything that
belongs to a step's gradient only is computed again on the way back.

Loops run over rows that are named first: compilers do not turn a sum of two numbers as an index,
one of which might be negative, into vectors. All is in one file, since the cache on disk knows the
file a function is in, not those that it calls into.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "simple_backward",
    "simple_forward",
]

_WIDE = llvmlite.binding.get_host_cpu_features().get("avx512f", False)
_LANES = 16 if _WIDE else 8  # of a vector
_WIDTH = 2 * _LANES  # of a panel
_ROWS = 8 if _WIDE else 4  # as many as there are registers for

_f = np.float32
_config: Any = numba.config
_CHUNK = 1 << 16  # floats of a chunk of steps that are meant to stay in the cache
_LARGEST = _f(7.90531110763549805)  # from here on tanh is 1 in float32


def _cache_folder() -> str:
    """Return the user's cache folder of seqkit; nothing if it cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(base, "seqkit")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return ""
    return folder if os.access(folder, os.W_OK) else ""


def _compiled(function: Any) -> Any:
    """Compile without the interpreter's lock; keep the code on disk where that is possible."""
    # contract: a product and a sum in one instruction; nothing that treats NaN as impossible
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    folder = _config.CACHE_DIR or _cache_folder()
    if not folder:
        return numba.njit(**options)(function)
    # Where the cache is is looked up here and now. Not in the package's folder, Numba's own choice:
    # what an uninstaller does not know of it leaves, and a folder that is left hides the next
    # installation.
    before = _config.CACHE_DIR
    _config.CACHE_DIR = folder
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        _config.CACHE_DIR = before


def _without_count(_context: Any, array: Any) -> Any:
    """Return the same array without a count of who uses it: to name its rows costs nothing then.

    For arguments of a function, which the caller keeps.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = context.make_array(signature.args[0])(context, builder, arguments[0])
        for field in ("meminfo", "parent"):
            setattr(found, field, ir.Constant(getattr(found, field).type, None))
        return found._getvalue()

    return array(array), generate


_bare: Any = intrinsic(_without_count)


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


@_compiled
def _n_panels(columns: int) -> int:
    return (columns + _WIDTH - 1) // _WIDTH


@_compiled
def _panels(matrix: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return columns first to last of a matrix in panels."""
    out = np.empty((_n_panels(last - first), matrix.shape[0], _WIDTH), np.float32)
    _lay_out(matrix, first, last, out)
    return out


@_compiled
def _lay_out(matrix: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Write columns first to last of a matrix to panels of any width, zeros past the last one."""
    matrix, out = _bare(matrix), _bare(out)
    width = out.shape[2]
    for p in range(out.shape[0]):
        start = first + p * width
        wide = min(width, last - start)
        for k in range(matrix.shape[0]):
            row, place = matrix[k, start : start + wide], out[p, k]
            if wide < width:
                place[:] = _f(0)
            for j in range(wide):
                place[j] = row[j]


@_compiled
def _transposed_panels(matrix: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return columns first to last of a matrix, transposed, in panels."""
    out = np.zeros((_n_panels(matrix.shape[0]), last - first, _WIDTH), np.float32)
    for p in range(out.shape[0]):
        for start in range(first, last, _LANES):  # both sides of a block stay in the cache
            stop = min(last, start + _LANES)
            for j in range(min(_WIDTH, matrix.shape[0] - p * _WIDTH)):
                row = matrix[p * _WIDTH + j]
                for k in range(start, stop):
                    out[p, k - first, j] = row[k]
    return out


@_compiled
def _room(rows: int, panels: int) -> np.ndarray:
    """Return zeros for a product with so many panels."""
    return np.zeros((rows, panels * _WIDTH), np.float32)


@_compiled
def _product(a: int, row: int, step: int, panels: np.ndarray, out: np.ndarray, first: int) -> None:
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


@_compiled
def _steps_at_once(batch: int, columns: int) -> int:
    """Return how many steps make a chunk."""
    return max(1, max(128, _CHUNK // columns) // max(1, batch))


@_compiled
def _tanh(x: Any) -> Any:
    """Compute tanh by the rational function of Eigen, degrees 13 and 6: within some 1e-7."""
    x = _LARGEST if x > _LARGEST else x
    x = -_LARGEST if x < -_LARGEST else x
    y = x * x
    p = y * _f(-2.76076847742355e-16) + _f(2.00018790482477e-13)
    p = y * p + _f(-8.60467152213735e-11)
    p = y * p + _f(5.12229709037114e-08)
    p = y * p + _f(1.48572235717979e-05)
    p = y * p + _f(6.37261928875436e-04)
    p = y * p + _f(4.89352455891786e-03)
    q = y * _f(1.19825839466702e-06) + _f(1.18534705686654e-04)
    q = y * q + _f(2.26843463243900e-03)
    q = y * q + _f(4.89352518554385e-03)
    return x * p / q


@_compiled
def _sigmoid(x: Any) -> Any:
    return _f(0.5) + _f(0.5) * _tanh(_f(0.5) * x)


@_compiled
def _add(total: np.ndarray, row: np.ndarray) -> None:
    for j in range(total.shape[0]):
        total[j] += row[j]


@_compiled
def _scale(row: np.ndarray, by: np.ndarray) -> None:
    for j in range(row.shape[0]):
        row[j] *= by[j]


@_compiled
def _multiply(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    for j in range(out.shape[0]):
        out[j] = a[j] * b[j]


@_compiled
def _add_product(total: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    for j in range(total.shape[0]):
        total[j] += a[j] * b[j]


@_compiled
def _gate_gradient(
    d: np.ndarray, a: np.ndarray, b: np.ndarray, more: np.ndarray, gate: np.ndarray
) -> None:
    """Write (a * b + more) through the sigmoid of a gate."""
    if more.shape[0]:
        for j in range(d.shape[0]):
            d[j] = (a[j] * b[j] + more[j]) * gate[j] * (_f(1) - gate[j])
    else:
        for j in range(d.shape[0]):
            d[j] = a[j] * b[j] * gate[j] * (_f(1) - gate[j])


@_compiled
def _memory_gradient(
    dc: np.ndarray, dh: np.ndarray, gate: np.ndarray, a: np.ndarray, linear: bool
) -> None:
    """Add what h = gate * a(c) hands on to c."""
    if linear:
        _add_product(dc, dh, gate)
    else:
        for j in range(dc.shape[0]):
            dc[j] += dh[j] * gate[j] * (_f(1) - a[j] * a[j])


@_compiled
def _through_tanh(d: np.ndarray, out: np.ndarray) -> None:
    for j in range(d.shape[0]):
        d[j] *= _f(1) - out[j] * out[j]


@_compiled
def _activate(out: np.ndarray, work: np.ndarray, linear: bool) -> None:
    """Write tanh(work), or work itself."""
    if linear:
        out[:] = work
    else:
        for j in range(out.shape[0]):
            out[j] = _tanh(work[j])


@_compiled
def _gate(gate: np.ndarray, work: np.ndarray, peephole: np.ndarray, seen: np.ndarray) -> None:
    """Write one gate of a step of a series: sigmoid(work + peephole * seen)."""
    if peephole.shape[0]:
        for j in range(gate.shape[0]):
            gate[j] = _sigmoid(work[j] + peephole[j] * seen[j])
    else:
        for j in range(gate.shape[0]):
            gate[j] = _sigmoid(work[j])


@_compiled
def _sum_rows(rows: np.ndarray, chunk: np.ndarray, total: np.ndarray) -> None:
    """Add rows to a total: summed by themselves first, which rounds less."""
    rows = _bare(rows)
    chunk[:] = _f(0)
    for r in range(rows.shape[0]):
        _add(chunk, rows[r])
    _add(total, chunk)


@_compiled
def _masked(h: np.ndarray, mask: np.ndarray, out: np.ndarray) -> int:
    """Return the address of h (batch, units), or of its product with the mask if there is one."""
    if mask.shape[0] == 0:
        return h.ctypes.data
    for b in range(h.shape[0]):
        _multiply(out[b], h[b], mask[b])
    return out.ctypes.data


@_compiled
def _block(row: np.ndarray, n: int, units: int) -> np.ndarray:
    """Return a block of a row of blocks; nothing for an absent one."""
    return row[n * units : (n + 1) * units] if n >= 0 else row[:0]


@_compiled
def _row(matrix: np.ndarray, n: int) -> np.ndarray:
    """Return a row of a matrix; nothing for an absent one."""
    return matrix[n] if n >= 0 else np.zeros(0, np.float32)


@_compiled
def _project(
    x: np.ndarray, first: int, panels: np.ndarray, bias: np.ndarray, out: np.ndarray
) -> None:
    """Write W x + b of the steps from `first` on, as many as `out` has rows for."""
    x, bias, out = _bare(x), _bare(bias), _bare(out)
    out[:] = _f(0)
    for r in range(out.shape[0]):
        out[r, : bias.shape[0]] = bias
    _product(x[first].ctypes.data, x.shape[2], 1, panels, out, 0)


@_compiled
def _outer(
    a: np.ndarray, rows: np.ndarray, first: int, last: int, memory: np.ndarray, out: np.ndarray,
    column: int, same_a: bool, same_rows: bool,
) -> None:  # fmt: skip
    """Add the sum over rows of the outer products of a's with columns first to last of the others'.

    Shapes (rows, depth) and (rows, columns); `out` (whole tiles of depth, ...), from the column
    `column` on; `memory` has room for both in whole panels and tiles. What is the same as the time
    before is there already.
    """
    count, n, strips = rows.shape[0], _n_panels(last - first), (a.shape[1] + _ROWS - 1) // _ROWS
    if count == 0:
        return
    panels = memory[: n * count * _WIDTH].reshape((n, count, _WIDTH))
    across = memory[memory.size - strips * count * _ROWS :].reshape((strips, count, _ROWS))
    if not same_rows:
        _lay_out(rows, first, last, panels)
    if not same_a:
        _lay_out(a, 0, a.shape[1], across)
    wide = out.shape[1]
    for p in range(n):
        panel = panels.ctypes.data + p * count * _WIDTH * 4
        place = out.ctypes.data + 4 * (column + p * _WIDTH)
        for k in range(strips):
            strip = across.ctypes.data + k * count * _ROWS * 4
            _tile_most(strip, 1, _ROWS, panel, count, place + 4 * wide * k * _ROWS, wide)


@_compiled
def _room_for_outer(rows: int, depth: int, columns: int) -> np.ndarray:
    """Return memory for `_outer` with up to so many rows, depth and columns."""
    return np.empty(rows * (_n_panels(columns) * _WIDTH + depth + _ROWS), np.float32)


@_compiled
def _tall_room(depth: int, panels: int) -> np.ndarray:
    """Return zeros for a sum of `_outer`: whole tiles deep, whole panels wide."""
    return _room(depth + _ROWS, panels)


@_compiled
def _rows_of(steps: np.ndarray) -> np.ndarray:
    """Return (steps, batch, columns) as (steps * batch, columns)."""
    return steps.reshape((steps.shape[0] * steps.shape[1], steps.shape[2]))


@_compiled
def _all_masked(h: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return h (steps, batch, units) times the mask where there is one."""
    if mask.shape[0] == 0:
        return h
    out = np.empty_like(h)
    for t in range(h.shape[0]):
        for b in range(h.shape[1]):
            _multiply(out[t, b], h[t, b], mask[b])
    return out


@_compiled
def _lstm_step(
    work: np.ndarray,
    c_before: np.ndarray,
    blocks: tuple[int, int, int, int],
    p_i: np.ndarray,
    p_f: np.ndarray,
    p_o: np.ndarray,
    linear: tuple[bool, bool],
    coupled: bool,
    g: np.ndarray,
    c: np.ndarray,
    h: np.ndarray,
    gates: np.ndarray,
) -> None:
    """Compute the elements of one step for all series; `work` are the sums of the products."""
    work, c_before, g, c, h = _bare(work), _bare(c_before), _bare(g), _bare(c), _bare(h)
    p_i, p_f, p_o, gates = _bare(p_i), _bare(p_f), _bare(p_o), _bare(gates)
    units = h.shape[1]
    i, f, q, o = blocks
    for b in range(h.shape[0]):
        g_b, w_b = g[b], work[b]
        before, after, out = c_before[b], c[b], h[b]
        g_i, g_f, g_o = _block(g_b, i, units), _block(g_b, f, units), _block(g_b, o, units)
        g_q = _block(g_b, q, units)
        _gate(g_i, _block(w_b, i, units), p_i, before)
        _gate(g_f, _block(w_b, f, units), p_f, before)
        _activate(g_q, _block(w_b, q, units), linear[0])
        if i >= 0 and f >= 0:
            for j in range(units):
                after[j] = g_f[j] * before[j] + g_i[j] * g_q[j]
        elif f >= 0:
            for j in range(units):
                after[j] = g_f[j] * before[j] + g_q[j]
        elif coupled:
            for j in range(units):
                after[j] = before[j] + g_i[j] * (g_q[j] - before[j])
        elif i >= 0:
            for j in range(units):
                after[j] = before[j] + g_i[j] * g_q[j]
        else:
            for j in range(units):
                after[j] = before[j] + g_q[j]
        _gate(g_o, _block(w_b, o, units), p_o, after)
        if o >= 0 and not linear[1]:
            for j in range(units):
                out[j] = g_o[j] * _tanh(after[j])
        elif o >= 0:
            _multiply(out, g_o, after)
        else:
            _activate(out, after, linear[1])
        if gates.shape[0]:
            kept = gates[0, b]
            _block(kept, 0, units)[:] = g_i
            _block(kept, 1, units)[:] = g_f
            _block(kept, 2, units)[:] = g_o


@_compiled
def lstm_forward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    bias: np.ndarray,
    peepholes: np.ndarray,
    G: np.ndarray,
    mask: np.ndarray,
    h0: np.ndarray,
    c0: np.ndarray,
    gates0: np.ndarray,
    blocks: tuple[int, int, int, int],
    seen: tuple[int, int, int],
    linear: tuple[bool, bool],
    coupled: bool,
    h: np.ndarray,
    c: np.ndarray,
    g: np.ndarray,
    gates: np.ndarray,
) -> None:
    """Compute a sequence of any cell of the LSTM scheme; fill h, c and the activations g.

    `blocks` are the places of the blocks i, f, c, o, `seen` the rows of the peepholes of i, f, o;
    -1 where there is none. `G` (3 * units, 3 * units) feeds the gates i, f, o of the step before
    (`gates0` before the first) to the gates, and `gates` keeps them; no rows without gate
    recurrence.
    """
    n_steps, batch, _ = x.shape
    units, columns = R.shape
    p_i, p_f, p_o = _row(peepholes, seen[0]), _row(peepholes, seen[1]), _row(peepholes, seen[2])
    panels_W, panels_R = _panels(W, 0, columns), _panels(R, 0, columns)
    recurrent = G.shape[0] > 0
    pair = G.shape[1] // 3 * 2
    panels_if, panels_o = _panels(G, 0, pair), _panels(G, pair, G.shape[1])
    at_once = _steps_at_once(batch, columns)
    ahead = _room(at_once * batch, _n_panels(columns) + 1)
    hm = np.empty_like(h0)
    h[0] = h0
    c[0] = c0
    if recurrent:
        gates[0] = gates0
    for t in range(n_steps):
        first = t % at_once * batch
        if first == 0:
            _project(x, t, panels_W, bias, ahead[: min(at_once, n_steps - t) * batch])
        work = ahead[first : first + batch]
        _product(_masked(h[t], mask, hm), units, 1, panels_R, work, 0)
        if recurrent:
            _product(gates[t].ctypes.data, 3 * units, 1, panels_if, work, 0)
            _product(gates[t].ctypes.data, 3 * units, 1, panels_o, work, 3 * units)
        _lstm_step(
            work,
            c[t],
            blocks,
            p_i,
            p_f,
            p_o,
            linear,
            coupled,
            g[t],
            c[t + 1],
            h[t + 1],
            gates[t + 1 : t + 2],
        )


@_compiled
def _lstm_step_back(
    g: np.ndarray,
    c_before: np.ndarray,
    c: np.ndarray,
    arriving_h: np.ndarray,
    arriving_c: np.ndarray,
    arriving_gates: np.ndarray,
    blocks: tuple[int, int, int, int],
    p_i: np.ndarray,
    p_f: np.ndarray,
    p_o: np.ndarray,
    linear: tuple[bool, bool],
    coupled: bool,
    work: np.ndarray,
    fed: np.ndarray,
    d_c: np.ndarray,
    dA: np.ndarray,
    d_peepholes: np.ndarray,
    seen: tuple[int, int, int],
    ones: np.ndarray,
) -> None:
    """Compute dA of one step for all series from the gradients of h (`work`), c and the gates."""
    g, c_before, c, work, fed = _bare(g), _bare(c_before), _bare(c), _bare(work), _bare(fed)
    arriving_h, arriving_c = _bare(arriving_h), _bare(arriving_c)
    arriving_gates, d_c, dA, ones = _bare(arriving_gates), _bare(d_c), _bare(dA), _bare(ones)
    p_i, p_f, p_o, d_peepholes = _bare(p_i), _bare(p_f), _bare(p_o), _bare(d_peepholes)
    units = c.shape[1]
    i, f, q, o = blocks
    none, a = ones[0, :0], ones[1]
    for b in range(c.shape[0]):
        g_b, dA_b, before, after = g[b], dA[b], c_before[b], c[b]
        g_i, g_f, g_o = _block(g_b, i, units), _block(g_b, f, units), _block(g_b, o, units)
        g_q = _block(g_b, q, units)
        d_i, d_f, d_o = _block(dA_b, i, units), _block(dA_b, f, units), _block(dA_b, o, units)
        d_q = _block(dA_b, q, units)
        dh, dc = _block(work[b], 0, units), d_c[b]
        if arriving_h.shape[0]:
            _add(dh, arriving_h[0, b])
        if arriving_c.shape[0]:
            _add(dc, arriving_c[0, b])
        if arriving_gates.shape[0]:
            _add(_block(fed[b], 0, 3 * units), arriving_gates[0, b])
        _activate(a, after, linear[1])
        if o >= 0:
            _gate_gradient(d_o, dh, a, _block(fed[b], 2, units) if fed.shape[1] else none, g_o)
            _memory_gradient(dc, dh, g_o, a, linear[1])
        else:
            _memory_gradient(dc, dh, ones[0], a, linear[1])
        if p_o.shape[0]:
            _add_product(dc, d_o, p_o)
            _add_product(d_peepholes[seen[2]], d_o, after)
        if coupled:
            for j in range(units):
                a[j] = g_q[j] - before[j]
        if i >= 0:
            of_i = _block(fed[b], 0, units) if fed.shape[1] else none
            _gate_gradient(d_i, dc, a if coupled else g_q, of_i, g_i)
            _multiply(d_q, dc, g_i)
        else:
            d_q[:] = dc
        if not linear[0]:
            _through_tanh(d_q, g_q)
        if f >= 0:
            _gate_gradient(d_f, dc, before, _block(fed[b], 1, units) if fed.shape[1] else none, g_f)
            _scale(dc, g_f)
        elif coupled:
            for j in range(units):
                dc[j] *= _f(1) - g_i[j]
        if p_i.shape[0]:
            _add_product(dc, d_i, p_i)
            _add_product(d_peepholes[seen[0]], d_i, before)
        if p_f.shape[0]:
            _add_product(dc, d_f, p_f)
            _add_product(d_peepholes[seen[1]], d_f, before)


@_compiled
def lstm_backward(
    x: np.ndarray,
    R: np.ndarray,
    peepholes: np.ndarray,
    G: np.ndarray,
    mask: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    g: np.ndarray,
    gates: np.ndarray,
    arriving_h: np.ndarray,
    arriving_c: np.ndarray,
    arriving_gates: np.ndarray,
    last_h: np.ndarray,
    last_c: np.ndarray,
    last_gates: np.ndarray,
    blocks: tuple[int, int, int, int],
    seen: tuple[int, int, int],
    linear: tuple[bool, bool],
    coupled: bool,
    dA: np.ndarray,
    dW: np.ndarray,
    dR: np.ndarray,
    d_bias: np.ndarray,
    d_peepholes: np.ndarray,
    dG: np.ndarray,
    d_h: np.ndarray,
    d_c: np.ndarray,
    d_gates: np.ndarray,
) -> None:
    """Fill the gradients: dA of W x + b, and of weights and initial states.

    `arriving_...` are the gradients of every step's states (no steps where there are none, the
    three gates side by side), `last_...` those of the last.
    """
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    p_i, p_f, p_o = _row(peepholes, seen[0]), _row(peepholes, seen[1]), _row(peepholes, seen[2])
    recurrent = G.shape[0] > 0
    back = _transposed_panels(R, 0, columns)
    pair = G.shape[1] // 3 * 2
    back_if, back_o = _transposed_panels(G, 0, pair), _transposed_panels(G, pair, G.shape[1])
    work, fed = _room(batch, back.shape[0]), _room(batch, back_if.shape[0])
    at_once = _steps_at_once(batch, columns)
    memory = _room_for_outer(at_once * batch, max(units, n_features, G.shape[0]), columns)
    dR[:] = _f(0)
    fits = units % _ROWS == 0 and columns % _WIDTH == 0  # whole tiles and panels
    of_W = _tall_room(n_features, _n_panels(columns))
    of_R = dR if fits else _tall_room(units, _n_panels(columns))
    of_G = _tall_room(G.shape[0], _n_panels(G.shape[1]) + 1)
    ones = np.ones((2, units), np.float32)  # and room for a row
    chunk = np.empty(columns, np.float32)
    d_bias[:] = _f(0)
    d_peepholes[:] = _f(0)
    d_c[:] = last_c
    work[:, :units] = last_h
    if recurrent:
        fed[:, : 3 * units] = last_gates
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        _lstm_step_back(
            g[t],
            c[t],
            c[t + 1],
            arriving_h[t : t + 1],
            arriving_c[t : t + 1],
            arriving_gates[t : t + 1],
            blocks,
            p_i,
            p_f,
            p_o,
            linear,
            coupled,
            work,
            fed,
            d_c,
            dA[t],
            d_peepholes,
            seen,
            ones,
        )
        work[:] = _f(0)
        _product(dA[t].ctypes.data, columns, 1, back, work, 0)
        for b in range(mask.shape[0]):
            _scale(_block(work[b], 0, units), mask[b])
        if recurrent:
            fed[:] = _f(0)
            _product(dA[t].ctypes.data, columns, 1, back_if, fed, 0)
            _product(dA[t].ctypes.data + 4 * 3 * units, columns, 1, back_o, fed, 0)
        if t % at_once == 0:
            rows = _rows_of(dA[t:end])
            _outer(_rows_of(x[t:end]), rows, 0, columns, memory, of_W, 0, False, False)
            _outer(
                _rows_of(_all_masked(h[t:end], mask)),
                rows,
                0,
                columns,
                memory,
                of_R,
                0,
                False,
                True,
            )
            if recurrent:
                before_rows = _rows_of(gates[t:end])
                _outer(before_rows, rows, 0, 2 * units, memory, of_G, 0, False, False)
                _outer(before_rows, rows, 3 * units, columns, memory, of_G, 2 * units, True, False)
            _sum_rows(rows, chunk, d_bias)
            end = t
    dW[:] = of_W[:n_features, :columns]
    if not fits:
        dR[:] = of_R[:units, :columns]
    d_h[:] = work[:, :units]
    if recurrent:
        dG[:] = of_G[: 3 * units, : 3 * units]
        d_gates[:] = fed[:, : 3 * units]


@_compiled
def _gru_gates(
    work: np.ndarray,
    later: np.ndarray,
    d: np.ndarray,
    seen: np.ndarray,
    after: bool,
    g: np.ndarray,
    q: np.ndarray,
) -> None:
    """Compute the gates of one step for all series, and what the reset gate leaves."""
    work, later, d, seen = _bare(work), _bare(later), _bare(d), _bare(seen)
    g, q = _bare(g), _bare(q)
    units = seen.shape[1]
    for b in range(seen.shape[0]):
        q_b, gates, reset = q[b], g[b, : 2 * units], _block(g[b], 1, units)
        _gate(gates, work[b, : 2 * units], gates[:0], gates)
        if after:
            w_b = _block(later[b], 0, units)
            for j in range(units):
                q_b[j] = w_b[j] + d[j]
            _add_product(_block(work[b], 2, units), reset, q_b)
        else:
            _multiply(q_b, reset, seen[b])


@_compiled
def _gru_candidate(work: np.ndarray, h_before: np.ndarray, g: np.ndarray, h: np.ndarray) -> None:
    """Compute the candidate and h of one step for all series."""
    work, h_before, g, h = _bare(work), _bare(h_before), _bare(g), _bare(h)
    units = h.shape[1]
    for b in range(h.shape[0]):
        old, out, keep, new = h_before[b], h[b], _block(g[b], 0, units), _block(g[b], 2, units)
        _activate(new, _block(work[b], 2, units), False)
        for j in range(units):
            out[j] = new[j] + keep[j] * (old[j] - new[j])


@_compiled
def gru_forward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    bias: np.ndarray,
    d: np.ndarray,
    mask: np.ndarray,
    h0: np.ndarray,
    after: bool,
    h: np.ndarray,
    g: np.ndarray,
    q: np.ndarray,
) -> None:
    """Compute a sequence of a GRU; fill h, the activations g (z, r, candidate) and q.

    The reset gate multiplies q = R_h h + `d` where it comes after the product; before it, q is
    what it leaves of h.
    """
    n_steps, batch, _ = x.shape
    units, columns = R.shape
    pair = 2 * units
    panels_W = _panels(W, 0, columns)
    panels_zr, panels_h = _panels(R, 0, pair), _panels(R, pair, columns)
    at_once = _steps_at_once(batch, columns)
    ahead = _room(at_once * batch, _n_panels(columns) + 1)
    later = _room(batch, panels_h.shape[0])
    hm = np.empty_like(h0)
    h[0] = h0
    for t in range(n_steps):
        first = t % at_once * batch
        if first == 0:
            _project(x, t, panels_W, bias, ahead[: min(at_once, n_steps - t) * batch])
        work = ahead[first : first + batch]
        before = _masked(h[t], mask, hm)
        _product(before, units, 1, panels_zr, work, 0)
        if after:
            later[:] = _f(0)
            _product(before, units, 1, panels_h, later, 0)
        seen = hm if mask.shape[0] else h[t]
        _gru_gates(work, later, d, seen, after, g[t], q[t])
        if not after:
            _product(q[t].ctypes.data, units, 1, panels_h, work, pair)
        _gru_candidate(work, h[t], g[t], h[t + 1])


@_compiled
def _gru_step_back(
    g: np.ndarray,
    q: np.ndarray,
    h_before: np.ndarray,
    arriving: np.ndarray,
    d_h: np.ndarray,
    after: bool,
    dX: np.ndarray,
    d_q: np.ndarray,
) -> None:
    """Compute dX of one step for all series, but of a reset gate before the product."""
    g, q, h_before, arriving = _bare(g), _bare(q), _bare(h_before), _bare(arriving)
    d_h, dX, d_q = _bare(d_h), _bare(dX), _bare(d_q)
    units = d_h.shape[1]
    for b in range(d_h.shape[0]):
        keep, reset, new = _block(g[b], 0, units), _block(g[b], 1, units), _block(g[b], 2, units)
        d_z, d_r, d_n = _block(dX[b], 0, units), _block(dX[b], 1, units), _block(dX[b], 2, units)
        old, dh = h_before[b], d_h[b]
        if arriving.shape[0]:
            _add(dh, arriving[0, b])
        for j in range(units):
            d_n[j] = dh[j] * (_f(1) - keep[j]) * (_f(1) - new[j] * new[j])
        for j in range(units):
            d_z[j] = dh[j] * (old[j] - new[j]) * keep[j] * (_f(1) - keep[j])
        if after:
            _gate_gradient(d_r, d_n, q[b], old[:0], reset)
            _multiply(d_q[b], d_n, reset)


@_compiled
def _gru_reset_back(
    g: np.ndarray, h_before: np.ndarray, mask: np.ndarray, later: np.ndarray, dX: np.ndarray
) -> None:
    """Compute dX of a reset gate before the product; `later` is the gradient of what it leaves."""
    g, h_before, mask, later, dX = _bare(g), _bare(h_before), _bare(mask), _bare(later), _bare(dX)
    units = h_before.shape[1]
    for b in range(h_before.shape[0]):
        d_r, w_b = _block(dX[b], 1, units), _block(later[b], 0, units)
        if mask.shape[0]:
            _scale(w_b, mask[b])
        _gate_gradient(d_r, w_b, h_before[b], d_r[:0], _block(g[b], 1, units))


@_compiled
def _gru_state_back(
    g: np.ndarray,
    mask: np.ndarray,
    later: np.ndarray,
    work: np.ndarray,
    after: bool,
    d_h: np.ndarray,
) -> None:
    """Compute the gradient of h before the step, from what comes back through the products."""
    g, mask, later, work, d_h = _bare(g), _bare(mask), _bare(later), _bare(work), _bare(d_h)
    units = d_h.shape[1]
    for b in range(d_h.shape[0]):
        w_b, l_b, dh = _block(work[b], 0, units), _block(later[b], 0, units), d_h[b]
        _scale(dh, _block(g[b], 0, units))
        if after:
            _add(w_b, l_b)
        if mask.shape[0]:
            _scale(w_b, mask[b])
        _add(dh, w_b)
        if not after:
            _add_product(dh, l_b, _block(g[b], 1, units))


@_compiled
def gru_backward(
    x: np.ndarray,
    R: np.ndarray,
    mask: np.ndarray,
    h: np.ndarray,
    g: np.ndarray,
    q: np.ndarray,
    arriving: np.ndarray,
    last: np.ndarray,
    after: bool,
    dX: np.ndarray,
    dW: np.ndarray,
    dR: np.ndarray,
    d_bias: np.ndarray,
    d_h: np.ndarray,
) -> None:
    """Fill the gradients: dX of W x + b, and of W, R, both rows of bias, and h0."""
    n_steps, batch, n_features = x.shape
    units, columns = R.shape
    pair = 2 * units
    back_zr, back_h = _transposed_panels(R, 0, pair), _transposed_panels(R, pair, columns)
    work, later = _room(batch, back_h.shape[0]), _room(batch, back_h.shape[0])
    at_once = _steps_at_once(batch, columns)
    memory = _room_for_outer(at_once * batch, max(units, n_features), columns)
    of_W, of_R = (
        _tall_room(n_features, _n_panels(columns)),
        _tall_room(units, _n_panels(columns) + 1),
    )
    of_q = np.empty((at_once, batch, units), np.float32)  # gradient of q, or q itself
    chunk, chunk_q = np.empty(columns, np.float32), np.empty(units, np.float32)
    d_bias[:] = _f(0)
    d_h[:] = last
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        d_q = of_q[t % at_once]
        _gru_step_back(g[t], q[t], h[t], arriving[t : t + 1], d_h, after, dX[t], d_q)
        later[:] = _f(0)
        if after:
            _product(d_q.ctypes.data, units, 1, back_h, later, 0)
        else:
            _product(dX[t].ctypes.data + 4 * pair, columns, 1, back_h, later, 0)
            _gru_reset_back(g[t], h[t], mask, later, dX[t])
        work[:] = _f(0)
        _product(dX[t].ctypes.data, columns, 1, back_zr, work, 0)
        _gru_state_back(g[t], mask, later, work, after, d_h)
        if t % at_once == 0:
            rows, masked = _rows_of(dX[t:end]), _rows_of(_all_masked(h[t:end], mask))
            _outer(_rows_of(x[t:end]), rows, 0, columns, memory, of_W, 0, False, False)
            _outer(masked, rows, 0, pair, memory, of_R, 0, False, False)
            _sum_rows(rows, chunk, d_bias[0])
            if after:
                rows_q = _rows_of(of_q[: end - t])
                _outer(masked, rows_q, 0, units, memory, of_R, pair, True, False)
                _sum_rows(rows_q, chunk_q, d_bias[1, pair:])
            else:
                _outer(_rows_of(q[t:end]), rows, pair, columns, memory, of_R, pair, False, False)
            end = t
    d_bias[1, :pair] = d_bias[0, :pair]
    dW[:] = of_W[:n_features, :columns]
    dR[:] = of_R[:units, :columns]


@_compiled
def _simple_step(work: np.ndarray, h: np.ndarray) -> None:
    work, h = _bare(work), _bare(h)
    for b in range(h.shape[0]):
        _activate(h[b], _block(work[b], 0, h.shape[1]), False)


@_compiled
def _simple_step_back(
    h: np.ndarray, arriving: np.ndarray, work: np.ndarray, dA: np.ndarray
) -> None:
    h, arriving, work, dA = _bare(h), _bare(arriving), _bare(work), _bare(dA)
    for b in range(h.shape[0]):
        out, d, dh = h[b], dA[b], _block(work[b], 0, h.shape[1])
        if arriving.shape[0]:
            _add(dh, arriving[0, b])
        for j in range(d.shape[0]):
            d[j] = dh[j] * (_f(1) - out[j] * out[j])


@_compiled
def simple_forward(
    x: np.ndarray,
    W: np.ndarray,
    R: np.ndarray,
    bias: np.ndarray,
    mask: np.ndarray,
    h0: np.ndarray,
    h: np.ndarray,
) -> None:
    """Compute a sequence of a simple recurrent network; fill h."""
    n_steps, batch, _ = x.shape
    units = R.shape[0]
    panels_W, panels_R = _panels(W, 0, units), _panels(R, 0, units)
    at_once = _steps_at_once(batch, units)
    ahead = _room(at_once * batch, _n_panels(units))
    hm = np.empty_like(h0)
    h[0] = h0
    for t in range(n_steps):
        first = t % at_once * batch
        if first == 0:
            _project(x, t, panels_W, bias, ahead[: min(at_once, n_steps - t) * batch])
        work = ahead[first : first + batch]
        _product(_masked(h[t], mask, hm), units, 1, panels_R, work, 0)
        _simple_step(work, h[t + 1])


@_compiled
def simple_backward(
    x: np.ndarray,
    R: np.ndarray,
    mask: np.ndarray,
    h: np.ndarray,
    arriving: np.ndarray,
    last: np.ndarray,
    dA: np.ndarray,
    dW: np.ndarray,
    dR: np.ndarray,
    d_bias: np.ndarray,
    d_h: np.ndarray,
) -> None:
    """Fill the gradients: dA of W x + b, and of weights and h0."""
    n_steps, batch, n_features = x.shape
    units = R.shape[0]
    back = _transposed_panels(R, 0, units)
    work = _room(batch, back.shape[0])
    at_once = _steps_at_once(batch, units)
    memory = _room_for_outer(at_once * batch, max(units, n_features), units)
    of_W, of_R = _tall_room(n_features, _n_panels(units)), _tall_room(units, _n_panels(units))
    chunk = np.empty(units, np.float32)
    d_bias[:] = _f(0)
    work[:, :units] = last
    end = n_steps
    for s in range(n_steps):
        t = n_steps - 1 - s
        _simple_step_back(h[t + 1], arriving[t : t + 1], work, dA[t])
        work[:] = _f(0)
        _product(dA[t].ctypes.data, units, 1, back, work, 0)
        for b in range(mask.shape[0]):
            _scale(_block(work[b], 0, units), mask[b])
        if t % at_once == 0:
            rows = _rows_of(dA[t:end])
            _outer(_rows_of(x[t:end]), rows, 0, units, memory, of_W, 0, False, False)
            _outer(
                _rows_of(_all_masked(h[t:end], mask)), rows, 0, units, memory, of_R, 0, False, True
            )
            _sum_rows(rows, chunk, d_bias)
            end = t
    dW[:] = of_W[:n_features, :units]
    dR[:] = of_R[:units, :units]
    d_h[:] = work[:, :units]
