"""A recurrent layer as ONNX's own LSTM, GRU or RNN node; a cell that they are not, as a loop.

ONNX has both directions of a layer in one node, packs gates in rows (i, o, f, c and z, r, h) and
has sequences ``(time, batch, ...)``. Its LSTM has all four gates. One that a cell has not is held
at 1 by its bias: a sigmoid of 50 is 1 to the last bit of single precision, and nothing else is
added to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from seqkit.cells import GRU_BLOCKS, Cell, Weights
from seqkit.network.layers.base import Array
from seqkit.network.layers.padding import valid_head
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.onnx.space import OnnxSpace
from seqkit.network.onnx.values import FLOAT, Value, cast, known_of, named
from seqkit.network.onnx.writer import GraphWriter
from seqkit.network.steps import cell_step

__all__ = ["has_node", "recurrent_outputs"]

ROWS, PEEPHOLES = ("i", "o", "f", "c"), ("i", "o", "f")
OPEN = 50.0
"""Bias of a gate that a cell has not: its sigmoid is 1."""
ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "linear": "Affine"}


def has_node(cell: Cell) -> bool:
    """Return whether a node of ONNX computes a cell."""
    return not cell.gate_recurrence and cell.gate_activation == "sigmoid"


def recurrent_outputs(
    ops: OnnxSpace, layer: Recurrent, p: Mapping[str, Any], x: Value, lengths: Value | None,
    initial: Sequence[Value] = (),
) -> tuple[Value, ...]:  # fmt: skip
    """Write a recurrent layer and return its output, and the states if they are outputs too.

    Parameters
    ----------
    ops : OnnxSpace
    layer : Recurrent
    p : mapping of str to ndarray
        The weights.
    x : Value of shape (batch, time, features)
    lengths : Value of shape (batch,), optional
    initial : sequence of Value of shape (batch, units), optional
    """
    weights = [
        Weights(*(p.get(f"{start}{name}") for name in Weights._fields))
        for start in layer.directions
    ]
    by_time = ops.transpose(x, (1, 0, 2))
    write = _node_outputs if has_node(layer.row) else _loop_outputs
    steps, states = write(ops, layer, weights, by_time, lengths, initial)
    if not layer.return_sequences:
        out = ops.concatenate(states[0]) if len(states[0]) > 1 else states[0][0]
    else:
        out = ops.transpose(ops.concatenate(steps), (1, 0, 2))
        if lengths is not None:  # what stands past the end is not laid down
            out = ops.where(valid_head(out, lengths, ops) > 0, out, ops.zeros_like(out))
    if not layer.return_state:
        return (out,)
    return (out, *(state[0] for state in states))


def _blocks(cell: Cell, packed: Array, order: Sequence[str], missing: float = 0.0) -> Array:
    """Return packed columns (..., G * units) as rows (len(order) * units, ...) of ONNX."""
    parts = dict(zip(cell.gates, np.split(packed, len(cell.gates), -1), strict=True))
    none = np.zeros_like(next(iter(parts.values())))
    absent = {name: none + missing for name in order if name not in parts}
    if cell.coupled:
        absent["f"] = none  # what is 1 - i needs no weights
    return np.concatenate([(parts | absent)[name].T for name in order])


def _packed(cell: Cell, weights: Sequence[Weights], order: Sequence[str]) -> list[Array]:
    """Return W (directions, rows, features), R (directions, rows, units) and B of ONNX."""
    W = np.stack([_blocks(cell, np.asarray(w.kernel), order) for w in weights])
    R = np.stack([_blocks(cell, np.asarray(w.recurrent_kernel), order) for w in weights])
    biases = []
    for w in weights:
        rows = np.reshape(w.bias, (cell.bias_rows, -1))
        own = _blocks(cell, rows[0], order, OPEN)
        more = _blocks(cell, rows[1], order) if cell.bias_rows == 2 else np.zeros_like(own)
        biases.append(np.concatenate([own, more]))
    return [W, R, np.stack(biases)]


def _node_outputs(
    ops: OnnxSpace, layer: Recurrent, weights: Sequence[Weights], x: Value, lengths: Value | None,
    initial: Sequence[Value],
) -> tuple[list[Value], list[list[Value]]]:  # fmt: skip
    """Write one node; return the steps of each direction, and of each state each direction's."""
    cell, units, writer, n = layer.row, layer.units, ops.writer, len(weights)
    kind = {"lstm": "LSTM", "gru": "GRU", "simple": "RNN"}[cell.family]
    order = {"lstm": ROWS, "gru": GRU_BLOCKS, "simple": ("h",)}[cell.family]
    names = [writer.constant(array, name) for array, name in
             zip(_packed(cell, weights, order), ("W", "R", "B"), strict=True)]  # fmt: skip
    sizes = "" if lengths is None else cast(lengths, np.int32).name
    states = [state[None].name for state in initial] or [""] * len(cell.states)
    inputs = [x.name, *names, sizes, *states]
    chosen = [cell.gate_activation, cell.input_activation]
    if cell.family == "lstm":
        chosen.append(cell.output_activation)
        if cell.peepholes:
            inputs.append(writer.constant(_peepholes(cell, weights), "P"))
    elif cell.family == "simple":
        chosen = chosen[1:]
    linear = chosen.count("linear") * n
    more: dict[str, Any] = {"activation_alpha": [1.0] * linear, "activation_beta": [0.0] * linear}
    if not linear:
        more = {}
    if cell.coupled:
        more["input_forget"] = 1
    if cell.family == "gru":
        more["linear_before_reset"] = int(cell.reset == "after")
    while not inputs[-1]:
        inputs.pop()
    made = writer.node(
        kind, inputs, 1 + len(cell.states), hidden_size=units,
        activations=[ACTIVATIONS[name] for name in chosen] * n,
        direction="bidirectional" if n > 1 else "forward", **more,
    )  # fmt: skip
    time, batch = x.dims[:2]
    whole = named(writer, made[0], FLOAT, (time, n, batch, units))
    ends = [named(writer, name, FLOAT, (n, batch, units)) for name in made[1:]]
    return _by_direction(ops, whole), [[end[k] for k in range(n)] for end in ends]


def _by_direction(ops: OnnxSpace, whole: Value) -> list[Value]:
    """Return the steps (time, directions, batch, units) of a node, (time, batch, width)."""
    n, units = whole.shape[1], whole.shape[3]
    if n == 1:
        return [whole[:, 0]]
    assert units is not None
    sizes = ops.shape(whole)
    return [ops.reshape(ops.transpose(whole, (0, 2, 1, 3)), (sizes[0], sizes[2], 2 * units))]


def _peepholes(cell: Cell, weights: Sequence[Weights]) -> Array:
    rows = []
    for w in weights:
        own = dict(zip(cell.peepholes, np.asarray(w.peephole_kernel), strict=True))
        none = np.zeros_like(next(iter(own.values())))
        rows.append(np.concatenate([own.get(name, none) for name in PEEPHOLES]))
    return np.stack(rows)


def _loop_outputs(
    ops: OnnxSpace, layer: Recurrent, weights: Sequence[Weights], x: Value, lengths: Value | None,
    initial: Sequence[Value],
) -> tuple[list[Value], list[list[Value]]]:  # fmt: skip
    """Write a loop over the steps for each direction, its body the cell's own step.

    Past the end of a series the states stay as they are. So a loop from the last step of the batch
    to the first begins each series where it ends.
    """
    n_states = len(layer.row.states)
    steps: list[Value] = []
    states: list[list[Value]] = [[] for _ in range(n_states)]
    time, batch = x.dims[:2]
    for index, w in enumerate(weights):
        begin = list(initial) or [_zeros(ops, (batch, layer.units))] * n_states
        body = _body(ops.writer, layer, w, x, lengths is not None)
        inputs = [state.name for state in begin] + [x.name]
        if lengths is not None:
            valid = valid_head(ops.transpose(x, (1, 0, 2)), lengths, ops) > 0
            inputs.append(ops.transpose(valid, (1, 0, 2)).name)
        n_read = len(inputs) - n_states
        made = ops.writer.node(
            "Scan", inputs, n_states + 1, body=body, num_scan_inputs=n_read,
            scan_input_directions=[index] * n_read, scan_output_directions=[index],
        )  # fmt: skip
        dims = (batch, layer.units)
        for own, name in zip(states, made, strict=False):
            own.append(named(ops.writer, name, FLOAT, dims))
        steps.append(named(ops.writer, made[-1], FLOAT, (time, *dims)))
    return steps, states


def _zeros(ops: OnnxSpace, dims: tuple[Any, ...]) -> Value:
    return Value(ops.writer, FLOAT, dims, same=0.0)


def _body(writer: GraphWriter, layer: Recurrent, w: Weights, x: Value, with_valid: bool) -> Any:
    """Return the graph of one step: states and what is read, to states and the output."""
    scope = writer.name("step")
    inner = GraphWriter(writer.root, scope)
    ops, batch = OnnxSpace(inner), x.dims[1]
    cell, dims = layer.row, (x.dims[1], layer.units)
    known = Weights(*(None if a is None else known_of(inner, a) for a in w))
    given = [named(inner, inner.name(f"{name}_before"), FLOAT, dims) for name in cell.states]
    now = named(inner, inner.name("x"), FLOAT, (batch, x.dims[2]))
    declared = [(v, TensorProto.FLOAT) for v in (*given, now)]
    after, _ = cell_step(ops, cell, known, now, tuple(given))
    if with_valid:
        valid = named(inner, inner.name("valid"), np.bool_, (batch, 1))
        declared.append((valid, TensorProto.BOOL))
        after = tuple(ops.where(valid, a, b) for a, b in zip(after, given, strict=True))
    ends = [inner.node("Identity", [value.name])[0] for value in after]
    ends.append(inner.node("Identity", [ends[0]])[0])
    return helper.make_graph(
        inner.needed(ends), scope,
        [helper.make_tensor_value_info(v.name, kind, list(v.dims)) for v, kind in declared],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims)) for name in ends],
    )  # fmt: skip
