"""A network of one direction taken on observation by observation: its states, and a call a step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import explain
from seqkit.network.cpu.code import run_plan
from seqkit.network.cpu.code import streaming as op
from seqkit.network.graph import Network
from seqkit.network.layers.base import Array
from seqkit.network.layers.patching import Patch
from seqkit.network.layers.scaling import Deviations
from seqkit.network.stream_plan import LINE, StreamPlan, write_network

__all__ = ["ANSWERS", "NetworkStream", "StreamState", "check_state", "stream_digest"]

ANSWERS = {"number": op.PLAIN, "sigmoid": op.SIGMOID, "softmax": op.SOFTMAX}
"""What an answer is of what the loss sees: itself, or the probabilities of labels or classes."""


@dataclass(frozen=True)
class StreamState:
    """All that streams know of the observations so far; it pickles, and copies.

    Attributes
    ----------
    network : str
        A digest of networks and weights: the state is of no others.
    n_seen : ndarray of int64 of shape (n_streams,)
        Observations of each stream.
    values : ndarray of float32 of shape (n_streams, n_values)
        The states of all layers.
    """

    network: str
    n_seen: Array
    values: Array


def stream_digest(description: str, weights: Sequence[Array]) -> str:
    """Return what tells the streams of these weights from others."""
    digest = hashlib.sha256(description.encode())
    for array in weights:
        digest.update(np.asarray(array, np.float32).tobytes())
    return digest.hexdigest()


def check_state(given: Any, network: str, n_streams: int) -> None:
    """Raise unless a state is that of so many streams of a network, by its digest."""
    if not isinstance(given, StreamState):
        expected = "a state that a stream has given"
        raise TypeError(explain("stream", "state", expected, type(given).__name__))
    if given.network != network:
        hint = "A stream of other weights, or of another network, has given it."
        raise ValueError(explain("stream", "state", "of these networks", "another's", hint))
    if np.shape(given.n_seen) != (n_streams,) or len(given.values) != n_streams:
        expected, got = f"of {n_streams} streams", f"of {len(given.values)}"
        raise ValueError(explain("stream", "state", expected, got))


class NetworkStream:
    """Streams of observations through networks of equal inputs and outputs.

    Parameters
    ----------
    networks : sequence of Network
        The answer is the mean of theirs.
    weights : sequence of lists of ndarray
        Of each, in the order of its description.
    n_streams : int
    answer : str
        A key of :data:`ANSWERS`.
    holds : bool
        Whether the input are values and marks of those that are missing, which are then held.
    owner : str
        Who asks, for errors.

    Attributes
    ----------
    n_inputs, width : int
        Numbers of an observation, and of an answer.
    least : int
        Observations before the first answer: those of a patch.
    most : int or None
        Observations that there are statistics for, with deviations from a course.

    Raises
    ------
    ValueError
        If a layer needs more of a series than what has come.

    Examples
    --------
    >>> from seqkit.network.tagging import tagger
    >>> network = tagger(None, 1, 2, units=3, bidirectional=False)
    >>> stream = NetworkStream([network], [network.initial_weights(0)])
    >>> x = np.ones((4, 1, 1))
    >>> parts = [stream.run(x[:3]), stream.run(x[3:])]
    >>> stream.reset()
    >>> bool((np.concatenate(parts) == stream.run(x)).all())
    True
    """

    def __init__(
        self, networks: Sequence[Network], weights: Sequence[Sequence[Array]], n_streams: int = 1,
        answer: str = "number", holds: bool = False, owner: str = "NetworkStream",
    ) -> None:  # fmt: skip
        plan = StreamPlan(n_streams)
        shape = networks[0].shapes["x"]
        n = 1 if len(shape) == 1 else int(shape[1] or 1)
        self.n_streams, self.n_inputs = n_streams, n // 2 if holds else n
        begin = plan.edge(n, 1)
        held = plan.state(self.n_inputs) if holds else -1
        ends = [
            write_network(plan, network, own, begin, owner)
            for network, own in zip(networks, weights, strict=True)
        ]
        for k, end in enumerate(ends):
            divided = len(ends) if k + 1 == len(ends) else 1
            plan.add(op.ANSWER, end, end, ANSWERS[answer], k == 0, divided)
        self.width = ends[0].width
        layers = [node.layer for network in networks for node in network.flat.nodes]
        # a network with a patch begins with a full one; what a pyramid folds is its own affair
        patches = [n.layer for net in networks for n in net.flat.nodes if n.name == "patch"]
        self.least = max([1, *(layer.size for layer in patches if isinstance(layer, Patch))])
        course = [layer.steps for layer in layers if isinstance(layer, Deviations)]
        self.most = min(course, default=None)
        self._plan = plan.integers(
            {op.N_STREAMS: n_streams, op.N_INPUTS: self.n_inputs, op.WIDTH_OUT: self.width,
             op.HELD: held, op.LEAST: self.least, op.INPUT: begin.at}
        )  # fmt: skip
        block = np.zeros(plan.size + LINE, np.float32)
        first = -block.ctypes.data % (4 * LINE) // 4
        self.memory = block[first : first + plan.size]
        for place, array in plan.weights:
            self.memory[place : place + array.size] = array
        every = [array for own in weights for array in own]
        self._states, self._network = plan.states, stream_digest(repr((networks, holds)), every)

    def run(self, x: Array) -> Array:
        """Return the answers to observations, ``(n_steps, n_streams, width)``.

        Parameters
        ----------
        x : ndarray of shape (n_steps, n_streams, n_inputs)
            The next ones of every stream.
        """
        flat = np.ascontiguousarray(x, np.float64).reshape(-1)
        out = np.empty((len(x), self.n_streams, self.width))
        self.step(flat, out.reshape(-1), len(x))
        return out

    def step(self, x: Array, out: Array, n_steps: int = 1) -> int:
        """Fill `out` with the answers to `x`, both flat; return 0, or why there are none.

        Returns
        -------
        int
            1: an observation is not finite, and nothing has changed; 2: some have no answer yet.
        """
        plan = self._plan
        run_plan(plan, self.memory, x, out, n_steps)
        status: int = plan[0]
        return status

    @property
    def n_seen(self) -> Array:
        """Observations of each stream: a view."""
        return self._plan[len(self._plan) - self.n_streams :]

    def _parts(self) -> list[Array]:
        """Return views of all states, (n_streams, width) each."""
        n = self.n_streams
        return [self.memory[k : k + n * width].reshape(n, width) for k, width in self._states]

    def reset(self, which: Any = slice(None)) -> None:
        """Let streams begin anew."""
        for part in (*self._parts(), self.n_seen):
            part[which] = 0

    @property
    def state(self) -> StreamState:
        """A copy of what is known of all observations so far; set, it is gone on from."""
        parts = self._parts() or [np.zeros((self.n_streams, 0), np.float32)]
        return StreamState(self._network, self.n_seen.copy(), np.concatenate(parts, axis=1))

    @state.setter
    def state(self, given: StreamState) -> None:
        check_state(given, self._network, self.n_streams)
        shape = (self.n_streams, sum(width for _, width in self._states))
        if np.shape(given.values) != shape:
            expected = f"of values of shape {shape}"
            raise ValueError(explain("stream", "state", expected, np.shape(given.values)))
        ends = np.cumsum([width for _, width in self._states])[:-1]
        for part, values in zip(self._parts(), np.split(given.values, ends, axis=1), strict=True):
            part[...] = values
        self.n_seen[...] = given.n_seen
