"""A network of one direction as an ONNX model of one observation: states in, states out.

All states begin as zeros, and hold what is settled (:mod:`seqkit.network.onnx.tails`). From there a
layer goes on to the end of the series as it is now, without writing that down: so an answer is that
to the series so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from onnx import ModelProto

from seqkit.network.graph import Input, Network
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.base import Array, Layer, Saved
from seqkit.network.layers.combining import Mean, Sigmoid, Softmax
from seqkit.network.layers.convolution import Convolution
from seqkit.network.layers.heads import HeadLayer
from seqkit.network.layers.mixture import MixtureHead
from seqkit.network.layers.moves import MeanOfMoves, Moves
from seqkit.network.layers.patching import Patch
from seqkit.network.layers.pooling import AttentionPooling, Pooling
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.layers.scaling import Deviations, Unstandardize
from seqkit.network.layers.shaping import Reshape
from seqkit.network.native import FlatWeights, needed_nodes
from seqkit.network.onnx.model import finished, graph_input
from seqkit.network.onnx.recurrent import recurrent_outputs
from seqkit.network.onnx.space import OnnxSpace
from seqkit.network.onnx.tails import Counts, Slots, Tail, windows_of
from seqkit.network.onnx.values import Value, known_of
from seqkit.network.onnx.writer import GraphWriter
from seqkit.network.stream_plan import check_directions, check_form

__all__ = ["NEXT", "N_SEEN", "streaming_model"]

N_SEEN, NEXT = "n_seen", "/next"
"""The state that counts observations, and what the name of a state's output ends in."""
Made: TypeAlias = Tail | Value
"""What a layer gives: a sequence, or a vector (batch, features) of the series so far."""
HEADS_OF_SERIES = (HeadLayer, Mean, MixtureHead, Reshape, Sigmoid, Softmax, Unstandardize)
"""Kinds behind what the loss sees, or of vectors alone: they know no time."""


def streaming_model(network: Network, weights: Sequence[Array], owner: str) -> ModelProto:
    """Return the model of one observation of a network of series.

    Inputs are ``x`` (batch, features), or (batch,) of tokens; ``n_seen`` (batch,), how many came
    before; and the states (batch, ...), each by the name of its layer: ``recurrent_1/h``. Outputs
    are the answer to the series so far, by its name in the network, and every state by its own name
    with ``/next`` behind it. Every row of a batch is a stream of its own.

    Parameters
    ----------
    network : Network
        Without lengths: a series ends with every observation.
    weights : sequence of ndarray
    owner : str
        Who asks, for errors.

    Raises
    ------
    ValueError
        If a layer needs more of a series than what has come.
    """
    check_directions(network, owner)
    step = _Step(network, owner)
    flat, held = network.flat, FlatWeights(network)
    held.load(weights)
    values: dict[str, list[Made]] = {"x": [Tail(step.x[:, None])]}
    for node in needed_nodes(flat, flat.output):
        p, refs = held.values[node.shares or node.name], [values.get(str(r)) for r in node.inputs]
        values[node.name] = step.write(node.name, node.layer, p, refs)
    step.writer.scope = ""
    (answer,) = values[flat.output]
    if isinstance(answer, Tail):  # an answer of every step: the last one
        answer = answer.items[:, -1]
    outputs = {network.output: answer}
    outputs |= {f"{state.name}{NEXT}": step.after[state.name] for state in step.states}
    return finished(step.writer, network.name, [step.x, *step.states], outputs)


class _Step:
    """The graph of one observation, and its states."""

    def __init__(self, network: Network, owner: str) -> None:
        self.writer, self.owner = GraphWriter(), owner
        self.ops = OnnxSpace(self.writer)
        given = next(i for i in network.inputs if i.name == "x")
        self.x = graph_input(self.writer, replace(given, shape=given.shape[1:]))
        self.states: list[Value] = []
        self.after: dict[str, Value] = {}
        self.n_seen = self.state(N_SEEN, (), "int64")
        self.keep(self.n_seen, self.n_seen + 1)

    def state(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> Value:
        """Return a new state as it is before the observation; its layer has the scope."""
        self.states.append(graph_input(self.writer, Input(name, shape, dtype)))
        return self.states[-1]

    def keep(self, state: Value, new: Value) -> None:
        """Say what a state is after the observation."""
        self.after[state.name] = new

    def slots(self, tail: Tail) -> Slots:
        """Return which items stand in the slots of a tail."""
        return Slots(self.ops, self.n_seen, tail)

    def known(self, p: Mapping[str, Array]) -> dict[str, Value]:
        """Return weights as tensors of the graph."""
        return {name: known_of(self.writer, array) for name, array in p.items()}

    def write(
        self, name: str, layer: Layer, p: Mapping[str, Array], given: Sequence[list[Made] | None]
    ) -> list[Made]:
        """Write a node and return what it gives; of moved series a value for each move."""
        self.writer.scope = name
        there = [parts for parts in given if parts is not None]
        if isinstance(layer, Moves):
            return [self._moved(there[0][0], move) for move in layer.moves]
        if isinstance(layer, MeanOfMoves):
            return [Mean().forward(self.ops, {}, Saved(), *there[0])]
        if type(layer) not in HEADS_OF_SERIES:
            check_form(layer, self.owner)
        made = []
        for k, values in enumerate(zip(*there, strict=True)):
            self.writer.scope = f"{name}/{k}" if len(there[0]) > 1 else name
            if type(layer) in FORMS:
                made.append(FORMS[type(layer)](self, layer, p, values[0]))
                continue
            plain = [x.items if isinstance(x, Tail) else x for x in values]
            plain += [None] * (len(given) - len(there))
            out = layer.forward(self.ops, self.known(p), Saved(), *plain)
            first = values[0]
            made.append(replace(first, items=out) if isinstance(first, Tail) else out)
        return made

    def _moved(self, x: Any, move: int) -> Tail:
        """Return the series moved: ``x[t + move]`` at ``t``, its ends repeated."""
        if not move:
            return Tail(x.items)
        if move > 0:  # the last one that is there, wherever one is missing or new
            counts = Counts(lambda n: (n - move) * (n > move))
            return Tail(self.ops.repeat(x.items, move + 1, axis=1), counts)
        held = self.state(f"moved_{-move}", (-move, x.items.shape[2]))
        begun = self.ops.where((self.n_seen > 0)[:, None, None], held, x.items)
        whole = self.ops.concatenate([begun, x.items], axis=1)
        self.keep(held, whole[:, 1:])
        return Tail(whole[:, :1])


def _of_recurrent(step: _Step, layer: Recurrent, p: Mapping[str, Array], x: Tail) -> Made:
    slots, ops = step.slots(x), step.ops
    before = [step.state(name, (layer.units,)) for name in layer.row.states]
    states = settled = before
    whole = replace(layer, return_sequences=True, return_state=True)
    outputs = []
    for k in range(slots.n):
        _, *new = recurrent_outputs(ops, whole, p, x.items[:, k : k + 1], None, states)
        states = _chosen(ops, slots.exist, k, new, states)
        settled = _chosen(ops, slots.settle, k, new, settled)
        outputs.append(states[0])
    for own, new_state in zip(before, settled, strict=True):
        step.keep(own, new_state)
    return replace(x, items=ops.stack(outputs, axis=1)) if layer.return_sequences else states[0]


def _chosen(
    ops: OnnxSpace, which: Value | None, k: int, new: list[Value], old: list[Value]
) -> list[Value]:
    """Return new states where slot `k` is one of `which`, else the old ones."""
    if which is None:
        return new
    here = which[:, k : k + 1]
    return [ops.where(here, a, b) for a, b in zip(new, old, strict=True)]


def _of_averages(step: _Step, layer: Averages, p: Mapping[str, Array], x: Tail) -> Made:
    slots, ops = step.slots(x), step.ops
    parts = []
    for place, n in enumerate(layer.steps):
        q = 1 - 1 / n
        before = [step.state(f"{name}_{place}", (width,))
                  for name, width in (("sum", _width(x)), ("weight", 1))]  # fmt: skip
        sums = settled = before
        means = []
        for k in range(slots.n):
            new = [sums[0] * q + x.items[:, k], sums[1] * q + 1]
            sums = _chosen(ops, slots.exist, k, new, sums)
            settled = _chosen(ops, slots.settle, k, new, settled)
            means.append(new[0] / new[1])
        for own, state in zip(before, settled, strict=True):
            step.keep(own, state)
        parts.append(ops.stack(means, axis=1))
    return replace(x, items=ops.concatenate(parts))


def _of_pooling(step: _Step, layer: Pooling, p: Mapping[str, Array], x: Tail) -> Made:
    if layer.mode == "last":
        return _last(step, x)
    ways = {"mean": [_mean], "max": [_greatest], "mean_max": [_mean, _greatest]}
    return step.ops.concatenate([way(step, x) for way in ways[layer.mode]])


def _width(x: Tail) -> int:
    width = x.items.shape[2]
    assert width is not None
    return width


def _last(step: _Step, x: Tail) -> Value:
    slots, ops = step.slots(x), step.ops
    if slots.exist is None:
        return x.items[:, -1]
    last = slots.total - slots.before - 1
    found = _item(ops, x.items, last)
    if not slots.can_be_empty:
        return found
    state = step.state("last", (_width(x),))
    end = slots.settled - slots.before - 1
    step.keep(state, ops.where(end[:, None] >= 0, _item(ops, x.items, end), state))
    return ops.where(last[:, None] >= 0, found, state)


def _item(ops: OnnxSpace, items: Value, place: Value) -> Value:
    """Return the item of each series in a slot (batch,); below 0 the first."""
    return ops.take_along_axis(items, ops.maximum(place, 0)[:, None, None], axis=1)[:, 0]


def _masked(ops: OnnxSpace, which: Value | None, items: Value, fill: float) -> Value:
    return items if which is None else ops.where(which[:, :, None], items, fill)


def _mean(step: _Step, x: Tail) -> Value:
    slots, ops = step.slots(x), step.ops
    state = step.state("sum", (_width(x),))
    step.keep(state, state + ops.sum(_masked(ops, slots.settle, x.items, 0.0), axis=1))
    total = state + ops.sum(_masked(ops, slots.exist, x.items, 0.0), axis=1)
    return total / ops.cast(slots.total, "float32")[:, None]


def _greatest(step: _Step, x: Tail) -> Value:
    slots, ops = step.slots(x), step.ops
    state = step.state("max", (_width(x),))
    there = (slots.before > 0)[:, None]
    held = ops.where(there, state, -float("inf"))

    def now(which: Value | None) -> Value:
        return ops.maximum(held, ops.max(_masked(ops, which, x.items, -float("inf")), axis=1))

    settled = now(slots.settle)
    if slots.settle is not None:
        settled = ops.where((slots.settled > 0)[:, None], settled, state)
    step.keep(state, settled)
    return now(slots.exist)


def _of_attention(step: _Step, layer: AttentionPooling, p: Mapping[str, Array], x: Tail) -> Made:
    """Write the weighted mean so far, by sums that are in units of the greatest weight so far.

    Milakov and Gimelshein (2018), "Online normalizer calculation for softmax", algorithm 3.
    """
    slots, ops = step.slots(x), step.ops
    score = layer.scores(ops, step.known(p), x.items)[1]  # (batch, n, 1)
    names = (("score", 1), ("weight", 1), ("sum", _width(x)))
    states = [step.state(name, (n,)) for name, n in names]
    held = ops.where((slots.before > 0)[:, None], states[0], -float("inf"))

    def now(which: Value | None, count: Value) -> list[Value]:
        own = _masked(ops, which, score, -float("inf"))
        # where there is nothing yet, any finite number will do
        greatest = ops.where(
            (count > 0)[:, None], ops.maximum(held, ops.max(own, axis=1)), ops.zeros_like(held)
        )
        kept, weight = ops.exp(held - greatest), ops.exp(own - greatest[:, None])
        items = _masked(ops, which, x.items, 0.0)
        return [
            greatest,
            states[1] * kept + ops.sum(weight, axis=1),
            states[2] * kept + ops.sum(weight * items, axis=1),
        ]

    for state, new in zip(states, now(slots.settle, slots.settled), strict=True):
        step.keep(state, new)
    _, weights, total = now(slots.exist, slots.total)
    return total / weights


def _windows(step: _Step, x: Tail, size: int, stride: int, left: int) -> Tail:
    return windows_of(
        step.ops, step.n_seen, x, size, stride, left,
        lambda n, width: step.state("items", (n, width)), step.keep,
    )  # fmt: skip


def _of_patch(step: _Step, layer: Patch, p: Mapping[str, Array], x: Tail) -> Made:
    return _windows(step, x, layer.width, layer.size, layer.overlap // 2)


def _of_convolution(step: _Step, layer: Convolution, p: Mapping[str, Array], x: Tail) -> Made:
    size = layer.kernel_size
    seen = _windows(step, x, size, layer.stride, (size - 1) // 2)
    kernel = p["kernel"].reshape(-1, layer.filters)
    return replace(seen, items=step.ops.dense(seen.items, kernel, p["bias"]))


def _of_deviations(step: _Step, layer: Deviations, p: Mapping[str, Array], x: Tail) -> Made:
    slots, ops = step.slots(x), step.ops
    # of a longer series there are no statistics: a runtime then says that the index is too large
    index = slots.index if slots.exist is None else ops.where(slots.exist, slots.index, 0)
    own = {name: ops.take(array, index, axis=0) for name, array in p.items()}
    return replace(x, items=(x.items - own["offset"]) / own["scale"])


FORMS: dict[type[Layer], Callable[..., Made]] = {
    AttentionPooling: _of_attention,
    Averages: _of_averages,
    Convolution: _of_convolution,
    Deviations: _of_deviations,
    Patch: _of_patch,
    Pooling: _of_pooling,
    Recurrent: _of_recurrent,
}
"""What a layer is that knows more of a series than the observation; others compute as they are."""
