"""A network run in NumPy and compiled kernels: forward, backward, its weights in one array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from seqkit.network.architecture import Architecture
from seqkit.network.graph import Network, Node
from seqkit.network.layers.base import Array, Layer, Saved
from seqkit.network.layers.moves import MeanOfMoves, Moves
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.ops import NUMPY

__all__ = ["FlatWeights", "NativeNetwork", "as_answering", "borrowed", "needed_nodes"]

_NONE: Mapping[str, Array] = {}


class FlatWeights:
    """All weights of a network, in its order.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    theta, gradient : ndarray of float32
        The trained ones, one after the other, and their gradient; `values` and `gradients` are
        views of them.
    values, gradients : dict of str to dict of str to ndarray
        By node and name.
    seeds : list of ndarray of int64 of shape (2,)
        A seed and a count of draws for every source of random masks.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        trained = [w for w in network.weights if w.trainable]
        n = sum(w.size for w in trained)
        self.theta, self.gradient = np.zeros(n, np.float32), np.zeros(n, np.float32)
        values, gradients = iter(self.cut(self.theta)), iter(self.cut(self.gradient))
        self.values: dict[str, dict[str, Array]] = {node.name: {} for node in network.flat.nodes}
        self.gradients: dict[str, dict[str, Array]] = {node: {} for node in self.values}
        self.all: list[Array] = []
        for w in network.weights:
            value = next(values) if w.trainable else np.zeros(w.shape, np.float32)
            self.values[w.node][w.name] = value
            self.all.append(value)
            if w.trainable:
                self.gradients[w.node][w.name] = next(gradients)
        self.seeds = [np.zeros(2, np.int64) for _ in range(network.n_masks)]

    def cut(self, values: Array) -> list[Array]:
        """Return views of an array like `theta`, one a trained weight."""
        views, start = [], 0
        for w in self.network.weights:
            if w.trainable:
                views.append(values[start : start + w.size].reshape(w.shape))
                start += w.size
        return views

    def load(self, weights: Sequence[Array]) -> None:
        """Set all weights."""
        for own, value in zip(self.all, weights, strict=True):
            own[...] = value

    def copies(self) -> list[Array]:
        """Return copies of all weights."""
        return [value.copy() for value in self.all]

    def mask(self, first: int, shape: tuple[int, ...], rate: float, index: int) -> Array:
        """Draw the next mask of a source, 0 or 1 / (1 - rate), and count it."""
        state = self.seeds[first + index]
        key = np.array([state[0], state[1]], np.uint64)
        state[1] += 1
        drawn = np.random.Generator(np.random.Philox(key=key)).random(shape, np.float32)
        return (drawn >= rate) * np.float32(1 / (1 - rate))


@dataclass
class _Step:
    """A node made ready: where its inputs and outputs lie, and whether it has a backward pass."""

    layer: Layer
    inputs: list[int | None]
    first_output: int
    p: dict[str, Array]
    g: dict[str, Array]
    adds: bool  # to gradients that a later node has written
    wants: tuple[bool, ...]
    trained: bool
    mask: Any
    last_use: list[int]  # slots that nobody reads after it
    saved: Saved


class NativeNetwork:
    """A network with memory of its own.

    Its steps are those that the loss needs, then the others that a prediction needs.

    Parameters
    ----------
    network : Network
    watched : sequence of str, optional
        Inputs and nodes whose gradients :meth:`backward` returns; a backward pass may then follow
        a forward pass that is no training, too. Layers have to compute in it as they do in
        training (:func:`as_answering`).

    Attributes
    ----------
    weights : FlatWeights
    """

    def __init__(self, network: Network, watched: Sequence[str] = ()) -> None:
        self.network, self.weights = network, FlatWeights(network)
        self.watched = tuple(watched)
        flat = network.flat
        self._slots: dict[str, int] = {}
        for name in flat.shapes:
            self._slots[name] = len(self._slots)
        self._names = [i.name for i in flat.inputs]
        self._trained, self._output = self._slots[flat.trained], self._slots[flat.output]
        nodes = needed_nodes(flat, flat.trained)
        self._n_trained, names = len(nodes), {node.name for node in nodes}
        nodes += [node for node in needed_nodes(flat, flat.output) if node.name not in names]
        self._steps = self._plan(flat, nodes)

    def _plan(self, flat: Network, nodes: list[Node]) -> list[_Step]:
        """Return the steps of nodes in order."""
        masks, first = {}, 0
        for node in flat.nodes:
            if node.shares is None:
                masks[node.name] = first
                first += node.layer.masks()
        learned = set(self.watched)  # what a trained weight, or one of these, has a part in
        steps = []
        for node in nodes:
            owner = node.shares or node.name
            g = self.weights.gradients[owner]
            wants = tuple(ref is not None and ref.split(":")[0] in learned for ref in node.inputs)
            active = bool(g) or any(wants)
            if active:
                learned.add(node.name)
                if flat.is_frozen(node):  # what it would learn is computed on the way, and left
                    g = {k: np.zeros_like(v) for k, v in self.weights.values[owner].items()}
            steps.append(
                _Step(
                    node.layer,
                    [None if ref is None else self._slots[ref] for ref in node.inputs],
                    self._slots[node.name], self.weights.values[owner], g, False, wants, active,
                    partial(self.weights.mask, masks[owner]) if node.layer.masks() else _no_mask,
                    [], Saved(),
                )
            )  # fmt: skip
        seen: set[str] = set()
        for k in reversed(range(self._n_trained)):
            owner = nodes[k].shares or nodes[k].name
            steps[k].adds = owner in seen
            seen.add(owner)
        read = {self._trained, self._output}
        for step in reversed(steps):
            step.last_use += {slot for slot in step.inputs if slot is not None} - read
            read.update(step.last_use)
        return steps

    def _run(
        self, inputs: Any, steps: list[_Step], training: bool,
        given: Mapping[str, Array] = _NONE, kept: Sequence[str] = (),
    ) -> list[Any]:  # fmt: skip
        values: list[Any] = [None] * len(self._slots)
        instead = {self._slots[name]: value for name, value in given.items()}
        wanted = {self._slots[name] for name in kept}
        saves = training or bool(self.watched)
        if isinstance(inputs, Mapping):
            for name in self._names:
                values[self._slots[name]] = inputs[name]
        else:
            values[self._slots[self._names[0]]] = inputs
        for slot, value in instead.items():  # those of inputs; a node's come when it has computed
            values[slot] = value
        for step in steps:
            saved = Saved(step.mask if training else None)
            read = [None if slot is None else values[slot] for slot in step.inputs]
            out = step.layer.forward(NUMPY, step.p, saved, *read)
            first = step.first_output
            if step.layer.n_outputs > 1:
                values[first : first + len(out)] = out
            else:
                values[first] = out
            if instead:
                for slot in range(first, first + step.layer.n_outputs):
                    values[slot] = instead.get(slot, values[slot])
            if saves and step.trained:
                step.saved = saved
            for slot in step.last_use:
                if slot not in wanted:
                    values[slot] = None
        return values

    def forward(self, inputs: Any, training: bool, given: Mapping[str, Array] = _NONE) -> Array:
        """Return what the loss sees.

        Parameters
        ----------
        inputs : ndarray, or mapping of str to ndarray
        training : bool
            Whether a backward pass will follow, and masks are drawn.
        given : mapping of str to ndarray, optional
            What inputs are, and what nodes give (``name:1`` is a second output), in place of what
            would be.
        """
        self._release()
        steps = self._steps[: self._n_trained]
        out: Array = self._run(inputs, steps, training, given)[self._trained]
        return out

    def values(self, inputs: Any, names: Sequence[str]) -> dict[str, Any]:
        """Return what inputs and nodes give in a prediction; ``name:1`` is a second output."""
        self._release()
        values = self._run(inputs, self._steps, False, kept=names)
        return {name: values[self._slots[name]] for name in names}

    def predict(self, inputs: Any) -> Array:
        """Return what the network predicts."""
        self._release()
        out: Array = self._run(inputs, self._steps, False)[self._output]
        return out

    def _release(self) -> None:
        """Give the memory of the last pass back before the next one asks for some."""
        for step in self._steps:
            if step.saved:
                step.saved = Saved()

    def backward(self, d: Array) -> dict[str, list[Array | None]]:
        """Fill the gradients of the weights from that of what the loss sees.

        Returns
        -------
        dict of str to list of ndarray or None
            Of what is watched, the gradient of each output: what comes to it from later nodes.
        """
        slopes: list[Any] = [None] * len(self._slots)
        slopes[self._trained] = d
        found: dict[str, list[Array | None]] = {}
        outputs = {self._slots[name]: name for name in self.watched}
        for step in reversed(self._steps[: self._n_trained]):
            if step.first_output in outputs:
                end = step.first_output + step.layer.n_outputs
                found[outputs[step.first_output]] = slopes[step.first_output : end]
            if not step.trained:
                continue
            n, first = step.layer.n_outputs, step.first_output
            coming = slopes[first : first + n]
            slopes[first : first + n] = [None] * n
            if all(part is None for part in coming):
                if not step.adds:
                    for gradient in step.g.values():
                        gradient[...] = 0
                continue
            g = {k: np.empty_like(v) for k, v in step.g.items()} if step.adds else step.g
            upstream = tuple(coming) if n > 1 else coming[0]
            downstream = step.layer.backward(step.p, g, step.saved, upstream, step.wants)
            if step.adds:
                for name, gradient in step.g.items():
                    gradient += g[name]
            for slot, wanted, slope in zip(step.inputs, step.wants, downstream, strict=False):
                if wanted and slot is not None and slope is not None:
                    before = slopes[slot]
                    slopes[slot] = slope if before is None else before + slope
        return {name: found.get(name, [slopes[self._slots[name]]]) for name in self.watched}

    def bytes_an_example(self, inputs: Any) -> int:
        """Return about how much memory an example takes on its way through."""
        x = inputs["x"] if isinstance(inputs, Mapping) else inputs
        total, copies, shapes = 0, 1, self.network.flat.shapes
        for node in self.network.flat.nodes:
            if isinstance(node.layer, Recurrent):
                steps = shapes[str(node.inputs[0])][0]
                row = node.layer.row
                columns = (len(row.gates) + 2 * len(row.states)) * node.layer.units
                columns *= len(node.layer.directions)
                total += 4 * (x.shape[1] if steps is None else steps) * columns
            elif isinstance(node.layer, Moves):
                copies *= len(node.layer.moves)
        return copies * total


@contextmanager
def borrowed(architecture: Architecture) -> Iterator[NativeNetwork]:
    """Lend a native network of an architecture, whose weights are any; one is kept for later.

    Whoever has it has it alone: of several threads each gets one of its own.

    Examples
    --------
    >>> from seqkit.network.architecture import Architecture
    >>> made = Architecture("regressor", {"n_timesteps": 12, "n_features": 1, "units": 4})
    >>> with borrowed(made) as first, borrowed(made) as second:
    ...     first is second
    False
    >>> with borrowed(made) as again:
    ...     again is second
    True
    """
    idle = architecture.idle
    try:
        network = idle.pop()  # of two threads one gets it
    except IndexError:
        network = NativeNetwork(architecture.network)
    yield network
    if not idle:  # one that has failed is not kept
        idle.append(network)


def needed_nodes(flat: Network, end: str) -> list[Node]:
    """Return the nodes that an end needs, in order."""
    needed, nodes = {end}, []
    for node in reversed(flat.nodes):
        outputs = {node.name, *(f"{node.name}:{k}" for k in range(1, node.layer.n_outputs))}
        if outputs & needed:
            nodes.append(node)
            needed |= {ref for ref in node.inputs if ref is not None}
    return nodes[::-1]


def as_answering(network: Network, end: str | None = None, moves: bool = True) -> Network:
    """Return a network whose layers compute in training what they do in an answer.

    Parameters
    ----------
    network : Network
    end : str, optional
        What a backward pass begins at; default: what the loss sees.
    moves : bool, default=True
        Whether a series is read at all its moves, or only as it is.
    """
    nodes = network.nodes
    if not moves:
        alone: dict[type, Layer] = {Moves: Moves((0,)), MeanOfMoves: MeanOfMoves(1)}
        nodes = tuple(replace(n, layer=alone.get(type(n.layer), n.layer)) for n in nodes)
    every = tuple(node.name for node in nodes)
    return replace(network, nodes=nodes, trained=end or network.trained, frozen=every)


def _no_mask(shape: tuple[int, ...], rate: float, index: int) -> Array:
    raise AssertionError("the layer has no source of masks")
