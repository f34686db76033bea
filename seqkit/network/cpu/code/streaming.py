"""One observation through a whole network: all that a stream computes, in one call.

A step of a small network takes a microsecond or two, and so does every call of NumPy. So a network
is written down as a plan of integers, an operation a record, and one kernel goes through them. Its
numbers (weights in tiles, states, rows to work in) lie in one memory that the records point into::

    plan    | header | edges ............ | records ............... | observations of each stream |
    memory  | weights, states, rows, each where an edge or a record says                          |

An edge is a sequence on its way from one operation to the next. Of each only the end is there:
items that are settled, and behind them those that later observations will change, since a
convolution or a patch reads ahead and sees zeros past the end of its series::

    items of a series   0 ....... before | before .. settled | settled .. total
                        gone, in states    new, and for good   of this answer only

An operation with a state takes it on by the new settled items, and from there goes on to the end
without writing it down: so an answer is that of the series as it ends now, and what is carried on
is as if nothing had been asked. Rows of an edge are (item, stream, width), those of a state
(stream, width). Streams that have seen as many observations go through together.

The order of every sum is that of the kernels of whole sequences, and so are the answers' bits.
"""

from __future__ import annotations

import math
from typing import Any

from seqkit.network.cpu.code.compiling import (
    Doubles,
    Floats,
    Integers,
    Vector,
    at,
    compiled,
    double,
    kernel,
    single,
    start,
)
from seqkit.network.cpu.code.products import WIDTH, n_tiles, project
from seqkit.network.cpu.code.rows import (
    ONE,
    ZERO,
    add,
    copy,
    copy_rows,
    tanh,
    zero,
)
from seqkit.network.cpu.code.stepping import recurrent_items

__all__ = ["EDGE", "FIELDS", "HEADER", "run_plan"]

HEADER, EDGE, FIELDS = 12, 5, 33
"""Integers of the header, of an edge and of a record."""

# of the header
STATUS, N_STREAMS, N_INPUTS, WIDTH_OUT, TIMES, FIRST, END, HELD, LEAST, INPUT = range(10)
"""Whether it was refused; streams; numbers of an observation and of an answer; where the counts of
observations, the first record and the end of the last lie; where the last values are held (-1: what
is missing is refused); observations before the first answer; the edge of the input."""
REFUSED, UNREADY = 1, 2
# of an edge
ROWS, SIZE, BEFORE, SETTLED, TOTAL = range(5)
# of a record; what follows is each operation's own
OPERATION, X, OTHER, OUT, WEIGHTS, STATE, WORK, OWN = range(8)
(
    EMBED,
    SCALE,
    AFFINE,
    DENSE,
    WINDOW,
    MOVE,
    RECURRENT,
    POOL,
    ADD,
    JOIN,
    NORMALIZE,
    ANSWER,
    AVERAGE,
) = range(13)
LAST, MEAN, MAX, ATTENTION = range(4)
LINEAR, RELU, TANH = range(3)
PLAIN, SIGMOID, SOFTMAX = range(3)
_LARGEST = 1e37


@compiled
def _follow(plan: Integers, out: int, x: int) -> None:
    """Let an edge have the items of another."""
    for k in range(BEFORE, TOTAL + 1):
        plan[out + k] = plan[x + k]


@compiled
def _n_items(plan: Integers, x: int) -> int:
    """Return how many items of an edge are there."""
    n: int = plan[x + TOTAL] - plan[x + BEFORE]
    return n


@compiled
def _read(
    plan: Integers, memory: Floats, x: Doubles, begin: int, first: int, count: int, t: int
) -> None:
    """Write observation t of some streams to the edge of the input, and hold what is missing."""
    edge, n, held = plan[INPUT], plan[N_INPUTS], plan[HELD]
    plan[edge + BEFORE], plan[edge + SETTLED], plan[edge + TOTAL] = t - 1, t, t
    for b in range(count):
        row = at(memory, plan[edge] + b * plan[edge + SIZE])
        if held < 0:
            for j in range(n):
                row[j] = single(x[begin + b * n + j])
            continue
        last = at(memory, held + (first + b) * n)
        for j in range(n):
            value = x[begin + b * n + j]
            is_there = value == value
            if is_there:
                last[j] = single(value)
            row[j], row[n + j] = last[j], ZERO if is_there else ONE


@compiled
def _embed(plan: Integers, p: int, memory: Floats, count: int) -> None:
    """Write the vector of each code."""
    x, out = plan[p + X], plan[p + OUT]
    _follow(plan, out, x)
    width, rows, codes = plan[out + SIZE], at(memory, plan[out]), at(memory, plan[x])
    for r in range(_n_items(plan, x) * count):
        copy(at(rows, r * width), at(memory, plan[p + WEIGHTS] + int(codes[r]) * width), width)


@compiled
def _scale(plan: Integers, p: int, memory: Floats, count: int) -> None:
    """Write (x - offset) / scale, of statistics that each item or all items have."""
    x, out = plan[p + X], plan[p + OUT]
    _follow(plan, out, x)
    width = plan[x + SIZE]
    for i in range(_n_items(plan, x)):
        offset = at(memory, plan[p + WEIGHTS] + (plan[x + BEFORE] + i) * plan[p + OWN])
        by = at(offset, plan[p + OWN + 1])
        for b in range(count):
            row, to = at(memory, plan[x] + (i * count + b) * width), at(memory, plan[out])
            to = at(to, (i * count + b) * width)
            for j in range(width):
                to[j] = (row[j] - offset[j]) / by[j]


@compiled
def _affine(plan: Integers, p: int, memory: Floats, count: int) -> None:
    """Write x * factor + offset, or what of it is above 0."""
    x, out = plan[p + X], plan[p + OUT]
    _follow(plan, out, x)
    width = plan[x + SIZE]
    a, is_relu = at(memory, plan[p + WEIGHTS]), plan[p + OWN] == RELU
    b = at(a, plan[p + OWN + 1])
    for r in range(_n_items(plan, x) * count):
        row, to = at(memory, plan[x] + r * width), at(memory, plan[out] + r * width)
        if is_relu:
            for j in range(width):
                to[j] = max(row[j] * a[j] + b[j], ZERO)
        else:
            for j in range(width):
                to[j] = row[j] * a[j] + b[j]


@compiled
def _dense(plan: Integers, p: int, memory: Floats, count: int) -> None:
    """Write a(x W + b)."""
    x, out = plan[p + X], plan[p + OUT]
    _follow(plan, out, x)
    rows, columns = _n_items(plan, x) * count, plan[out + SIZE]
    wide, work, to = n_tiles(columns) * WIDTH, at(memory, plan[p + WORK]), at(memory, plan[out])
    project(
        at(memory, plan[x]), rows, plan[x + SIZE], at(memory, plan[p + WEIGHTS]),
        at(memory, plan[p + OWN + 1]), columns, work, wide,
    )  # fmt: skip
    copy_rows(to, columns, work, wide, rows, columns)
    if plan[p + OWN] == RELU:
        for j in range(rows * columns):
            to[j] = max(to[j], ZERO)
    elif plan[p + OWN] == TANH:
        for j in range(rows * columns):
            to[j] = tanh(to[j])


@compiled
def _window(plan: Integers, p: int, memory: Floats, first: int, count: int) -> None:
    """Write the items that each output sees, side by side.

    Output j sees the items from ``j * stride - left`` on, `size` of them: zeros before the series
    and past its end. The state are the last `size - 1` settled items.
    """
    x, out = plan[p + X], plan[p + OUT]
    size, stride, left = plan[p + OWN], plan[p + OWN + 1], plan[p + OWN + 2]
    width, n, kept = plan[x + SIZE], _n_items(plan, x), size - 1
    before, settled, total = plan[x + BEFORE], plan[x + SETTLED], plan[x + TOTAL]
    plan[out + BEFORE] = max((before - size + left + stride) // stride, 0)
    plan[out + SETTLED] = max((settled - size + left + stride) // stride, 0)
    plan[out + TOTAL] = (total + stride - 1) // stride
    line, new = at(memory, plan[p + WORK]), settled - before
    for b in range(count):
        state = at(memory, plan[p + STATE] + (first + b) * kept * width)
        copy(line, state, kept * width)
        for i in range(n):
            row = at(memory, plan[x] + (i * count + b) * width)
            copy(at(line, (kept + i) * width), row, width)
        zero(at(line, (kept + n) * width), kept * width)
        copy(state, at(line, new * width), kept * width)
        for i in range(_n_items(plan, out)):
            begin = (plan[out + BEFORE] + i) * stride - left - before + kept
            to = at(memory, plan[out] + (i * count + b) * size * width)
            copy(to, at(line, begin * width), size * width)


@compiled
def _move(plan: Integers, p: int, memory: Floats, first: int, count: int) -> None:
    """Write the observation that stands `move` steps later, the ends of a series repeated."""
    x, out, move = plan[p + X], plan[p + OUT], plan[p + OWN]
    width, t = plan[x + SIZE], plan[x + TOTAL]
    ahead = max(move, 0)
    plan[out + BEFORE], plan[out + SETTLED] = max(t - 1 - ahead, 0), max(t - ahead, 0)
    plan[out + TOTAL] = t
    n = _n_items(plan, out)
    for b in range(count):
        row = at(memory, plan[x] + b * width)
        if move < 0:  # those before it, the last first
            state = at(memory, plan[p + STATE] - (first + b) * move * width)
            for k in range(-move):
                if t == 1:
                    copy(at(state, k * width), row, width)
            to = at(memory, plan[out] + b * width)
            copy(to, at(state, (-move - 1) * width), width)
            for j in range((-move - 1) * width):
                end = -move * width - 1 - j
                state[end] = state[end - width]
            copy(state, row, width)
        else:
            for i in range(n):
                copy(at(memory, plan[out] + (i * count + b) * width), row, width)


@compiled
def _add_item(total: Floats, row: Floats, score: Floats, mode: int, is_first: bool, n: int) -> None:
    """Take an item into what is known of a series, by the mode of a pooling.

    Attention keeps the largest score, and sums of exponentials beside it (Milakov and Gimelshein
    2018, "Online normalizer calculation for softmax", algorithm 3).
    """
    if mode == ATTENTION:
        rows = at(total, 2)
        if is_first:
            total[0], total[1] = score[0], ONE
            copy(rows, row, n)
        elif score[0] > total[0]:
            less = single(math.exp(total[0] - score[0]))
            total[0], total[1] = score[0], total[1] * less + ONE
            for j in range(n):
                rows[j] = rows[j] * less + row[j]
        else:
            weight = single(math.exp(score[0] - total[0]))
            total[1] += weight
            for j in range(n):
                rows[j] += weight * row[j]
    elif is_first or mode == LAST:
        copy(total, row, n)
    elif mode == MEAN:
        add(total, row, n)
    else:
        for j in range(n):
            total[j] = max(total[j], row[j])


@compiled
def _pool(plan: Integers, p: int, memory: Floats, first: int, count: int) -> None:
    """Write a vector of all items so far; the state is that of the settled ones."""
    x, out, scores, mode = plan[p + X], plan[p + OUT], plan[p + OTHER], plan[p + OWN]
    width, size, before = plan[x + SIZE], plan[p + OWN + 1], plan[x + BEFORE]
    new = plan[x + SETTLED] - before
    plan[out + BEFORE], plan[out + SETTLED], plan[out + TOTAL] = 0, 1, 1
    total = at(memory, plan[p + WORK])
    for b in range(count):
        state = at(memory, plan[p + STATE] + (first + b) * size)
        copy(total, state, size)
        for i in range(_n_items(plan, x)):
            row = at(memory, plan[x] + (i * count + b) * width)
            score = at(memory, plan[scores] + i * count + b)
            _add_item(total, row, score, mode, before + i == 0, width)
            if i + 1 == new:
                copy(state, total, size)
        to, by = at(memory, plan[out] + b * width), ONE
        rows = total
        if mode == MEAN:
            by = single(plan[x + TOTAL])
        elif mode == ATTENTION:
            by, rows = total[1], at(total, 2)
        for j in range(width):
            to[j] = rows[j] / by


@compiled
def _average(plan: Integers, p: int, memory: Floats, first: int, count: int) -> None:
    """Write the weighted mean of each item and all before it; the state are sums, and of weights.

    An item further on, what came before weighs `q` times as much.
    """
    x, out = plan[p + X], plan[p + OUT]
    _follow(plan, out, x)
    width, new = plan[x + SIZE], plan[x + SETTLED] - plan[x + BEFORE]
    q, sums = at(memory, plan[p + WEIGHTS])[0], at(memory, plan[p + WORK])
    for b in range(count):
        state = at(memory, plan[p + STATE] + (first + b) * (width + 1))
        copy(sums, state, width + 1)
        for i in range(_n_items(plan, x)):
            row = at(memory, plan[x] + (i * count + b) * width)
            to = at(memory, plan[out] + (i * count + b) * width)
            sums[width] = sums[width] * q + ONE
            for j in range(width):
                sums[j] = sums[j] * q + row[j]
                to[j] = sums[j] / sums[width]
            if i + 1 == new:
                copy(state, sums, width + 1)


@compiled
def _join(plan: Integers, p: int, memory: Floats, count: int) -> None:
    """Write the sum of two edges, or both side by side."""
    x, other, out = plan[p + X], plan[p + OTHER], plan[p + OUT]
    _follow(plan, out, x)
    n, m, width = plan[x + SIZE], plan[other + SIZE], plan[out + SIZE]
    for r in range(_n_items(plan, x) * count):
        to = at(memory, plan[out] + r * width)
        copy(to, at(memory, plan[x] + r * n), n)
        if plan[p + OPERATION] == ADD:
            add(to, at(memory, plan[other] + r * m), m)
        else:
            copy(at(to, n), at(memory, plan[other] + r * m), m)


@compiled
def _normalize(plan: Integers, p: int, memory: Floats, count: int) -> None:
    """Write each item normalised by its own features."""
    x, out = plan[p + X], plan[p + OUT]
    _follow(plan, out, x)
    width = plan[x + SIZE]
    gamma, beta = at(memory, plan[p + WEIGHTS]), at(memory, plan[p + OWN])
    least = at(memory, plan[p + OWN + 1])
    for r in range(_n_items(plan, x) * count):
        row, to = at(memory, plan[x] + r * width), at(memory, plan[out] + r * width)
        total = ZERO
        for j in range(width):
            total += row[j]
        mean, total = total / single(width), ZERO
        for j in range(width):
            total += (row[j] - mean) * (row[j] - mean)
        inverse = ONE / single(math.sqrt(total / single(width) + least[0]))
        for j in range(width):
            to[j] = (row[j] - mean) * inverse * gamma[j] + beta[j]


@compiled
def _answer(plan: Integers, p: int, memory: Floats, count: int, out: Doubles, begin: int) -> None:
    """Add the last item of a network to the answers, and divide by how many networks there are."""
    x, kind, is_first, by = plan[p + X], plan[p + OWN], plan[p + OWN + 1], plan[p + OWN + 2]
    width, last = plan[x + SIZE], _n_items(plan, x) - 1
    for b in range(count):
        row, to = at(memory, plan[x] + (last * count + b) * width), begin + b * width
        largest, total = row[0], 0.0
        for j in range(width):
            largest = max(largest, row[j])
            if is_first:
                out[to + j] = 0.0
        if kind == SOFTMAX:
            for j in range(width):
                total += math.exp(double(row[j]) - double(largest))
        for j in range(width):
            value: Any = double(row[j])
            if kind == SOFTMAX:
                value = math.exp(value - double(largest)) / total
            elif kind == SIGMOID:
                value = 1.0 / (1.0 + math.exp(-value))
            out[to + j] = (out[to + j] + value) / by


@compiled
def _is_refused(plan: Integers, x: Doubles, n_steps: int) -> bool:
    """Return whether an observation is no number, too large, or missing where it must not be."""
    n, n_streams = plan[N_INPUTS], plan[N_STREAMS]
    for step in range(n_steps):
        for b in range(n_streams):
            for j in range(n):
                value = x[(step * n_streams + b) * n + j]
                may_miss = plan[HELD] >= 0 and plan[plan[TIMES] + b] + step > 0
                if not abs(value) <= _LARGEST and not (may_miss and value != value):
                    return True
    return False


# one loop for all operations: each function more between them is optimised once more as a whole
@kernel
def run_plan(plan: Integers, memory: Vector, x: Doubles, out: Doubles, n_steps: int) -> None:
    """Take every stream on by so many observations; say in the header if there is no answer.

    x (steps, streams, inputs) and out (steps, streams, outputs) are flat.
    """
    n_streams, times, m = plan[N_STREAMS], plan[TIMES], start(memory)
    if _is_refused(plan, x, n_steps):
        plan[STATUS] = REFUSED
        return
    plan[STATUS] = 0
    for step in range(n_steps):
        first = 0
        while first < n_streams:
            t, count = plan[times + first] + 1, 1
            while first + count < n_streams and plan[times + first + count] + 1 == t:
                count += 1
            begin = step * n_streams + first
            _read(plan, m, x, begin * plan[N_INPUTS], first, count, t)
            for p in range(plan[FIRST], plan[END], FIELDS):
                what = plan[p]
                if what == RECURRENT:
                    _follow(plan, plan[p + OUT], plan[p + X])
                    recurrent_items(plan, p, m, first, count)
                elif what == DENSE:
                    _dense(plan, p, m, count)
                elif what == WINDOW:
                    _window(plan, p, m, first, count)
                elif what == POOL:
                    _pool(plan, p, m, first, count)
                elif what == SCALE:
                    _scale(plan, p, m, count)
                elif what == AFFINE:
                    _affine(plan, p, m, count)
                elif what == EMBED:
                    _embed(plan, p, m, count)
                elif what == MOVE:
                    _move(plan, p, m, first, count)
                elif what == AVERAGE:
                    _average(plan, p, m, first, count)
                elif what == NORMALIZE:
                    _normalize(plan, p, m, count)
                elif what == ANSWER:
                    _answer(plan, p, m, count, out, begin * plan[WIDTH_OUT])
                else:
                    _join(plan, p, m, count)
            for b in range(count):
                plan[times + first + b] = t
            if t < plan[LEAST]:
                plan[STATUS] = UNREADY
            first += count
