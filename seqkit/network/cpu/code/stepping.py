"""Items of a series through a recurrent layer, one after the other, from a state and to it.

The equations are those of `gru`, `lstm` and `simple`, and so are the functions that compute a step;
here weights are packed once for all, and every item is a step of its own.
"""

from __future__ import annotations

from seqkit.network.cpu.code.compiling import Floats, Integers, at, compiled
from seqkit.network.cpu.code.gru import gru_candidate, gru_gates
from seqkit.network.cpu.code.lstm import lstm_step
from seqkit.network.cpu.code.products import WIDTH, n_tiles, product, project
from seqkit.network.cpu.code.rows import activate, copy, zero

__all__ = ["FAMILIES", "recurrent_items"]

SIMPLE, GRU, LSTM = range(3)
FAMILIES = {"simple": SIMPLE, "gru": GRU, "lstm": LSTM}
# places in a record, after those that all operations have
X, OUT, WEIGHTS, STATE, WORK = 1, 3, 4, 5, 6
(
    FAMILY, COLUMNS, TILES_R, TILES_N, TILES_O, BIAS, MORE, MEMORY, GATES, ACTIVATIONS, SHARE, OF_H,
    NEXT_MEMORY, NEXT_GATES, AFTER, RECURRENT, COUPLED, LINEAR_IN, LINEAR_OUT, BLOCKS,
) = range(7, 27)  # fmt: skip
"""The family; columns of the gates; tiles of R (of z and r), of R of the candidate or of the gates
that feed i and f, of those that feed o; bias; the bias of q or peepholes; where the states c and of
gates lie; room for activations, q, q's product, and the states of the items; settings of a cell:
the blocks i, f, c, o and the rows of the peepholes of i, f, o are the seven from `BLOCKS` on."""


@compiled
def _gru_item(
    plan: Integers, p: int, memory: Floats, h: Floats, work: Floats, wide: int, count: int,
    units: int, h_next: Floats,
) -> None:  # fmt: skip
    """Compute h of the next item; `work` holds x W + b."""
    n, pair, after = n_tiles(units), 2 * units, plan[p + AFTER] > 0
    wide_h, of_h = n * WIDTH, at(memory, plan[p + OF_H])
    g, q = at(memory, plan[p + ACTIVATIONS]), at(memory, plan[p + SHARE])
    tiles_n = at(memory, plan[p + TILES_N])
    tiles_zr = at(memory, plan[p + TILES_R])
    product(h, units, count, tiles_zr, units, n_tiles(pair), work, wide)
    if after:
        zero(of_h, count * wide_h)
        product(h, units, count, tiles_n, units, n, of_h, wide_h)
    d = at(memory, plan[p + MORE])
    gru_gates(work, wide, of_h, wide_h, d, h, after, count, units, g, q)
    if not after:
        product(q, units, count, tiles_n, units, n, at(work, pair), wide)
    gru_candidate(work, wide, h, count, units, g, h_next)


@compiled
def _lstm_item(
    plan: Integers, p: int, memory: Floats, h: Floats, c: Floats, gates: Floats, work: Floats,
    wide: int, count: int, units: int, h_next: Floats, c_next: Floats, gates_next: Floats,
) -> None:  # fmt: skip
    """Compute h, c and the gates of the next item; `work` holds x W + b."""
    columns, recurrent, deep = plan[p + COLUMNS], plan[p + RECURRENT] > 0, 3 * units
    tiles, n = at(memory, plan[p + TILES_R]), n_tiles(columns)
    product(h, units, count, tiles, units, n, work, wide)
    if recurrent:
        of_if, of_o = at(memory, plan[p + TILES_N]), at(memory, plan[p + TILES_O])
        product(gates, deep, count, of_if, deep, n_tiles(2 * units), work, wide)
        product(gates, deep, count, of_o, deep, n_tiles(units), at(work, deep), wide)
    k = p + BLOCKS
    blocks = (plan[k], plan[k + 1], plan[k + 2], plan[k + 3])
    seen = (plan[k + 4], plan[k + 5], plan[k + 6])
    linear = (plan[p + LINEAR_IN] > 0, plan[p + LINEAR_OUT] > 0)
    lstm_step(
        work, wide, c, blocks, at(memory, plan[p + MORE]), seen, linear, plan[p + COUPLED] > 0,
        count, units, columns, at(memory, plan[p + ACTIVATIONS]), c_next, h_next, recurrent,
        gates_next,
    )  # fmt: skip


@compiled
def recurrent_items(plan: Integers, p: int, memory: Floats, first: int, count: int) -> None:
    """Write h of every item, and take the state on by those that are settled."""
    x, out, family = plan[p + X], plan[p + OUT], plan[p + FAMILY]
    units, depth, columns = plan[out + 1], plan[x + 1], plan[p + COLUMNS]
    size, new = count * units, plan[x + 3] - plan[x + 2]
    wide, work = (n_tiles(columns) + 1) * WIDTH, at(memory, plan[p + WORK])
    state_h = at(memory, plan[p + STATE] + first * units)
    state_c = at(memory, plan[p + MEMORY] + first * units)
    state_gates = at(memory, plan[p + GATES] + first * 3 * units)
    h, c, gates = state_h, state_c, state_gates
    for i in range(plan[x + 4] - plan[x + 2]):
        row = at(memory, plan[x] + i * count * depth)
        project(
            row, count, depth, at(memory, plan[p + WEIGHTS]), at(memory, plan[p + BIAS]), columns,
            work, wide,
        )  # fmt: skip
        h_next = at(memory, plan[out] + i * size)
        c_next = at(memory, plan[p + NEXT_MEMORY] + i * size)
        gates_next = at(memory, plan[p + NEXT_GATES] + i * 3 * size)
        if family == GRU:
            _gru_item(plan, p, memory, h, work, wide, count, units, h_next)
        elif family == LSTM:
            _lstm_item(
                plan, p, memory, h, c, gates, work, wide, count, units, h_next, c_next, gates_next
            )
        else:
            tiles = at(memory, plan[p + TILES_R])
            product(h, units, count, tiles, units, n_tiles(units), work, wide)
            for b in range(count):
                activate(at(h_next, b * units), at(work, b * wide), False, units)
        if i + 1 == new:
            copy(state_h, h_next, size)
            if family == LSTM:
                copy(state_c, c_next, size)
            if plan[p + RECURRENT] > 0:
                copy(state_gates, gates_next, 3 * size)
        h, c, gates = h_next, c_next, gates_next
