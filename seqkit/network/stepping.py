"""A network of one direction run natively a few steps at a time, its states carried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.errors import explain
from seqkit.network.graph import Network
from seqkit.network.layers.base import Array, Saved
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.native import FlatWeights, needed_nodes
from seqkit.network.ops import NUMPY

__all__ = ["Stepper"]


class Stepper:
    """What the loss sees of each step, from the steps of all calls so far.

    A call takes as long as its own steps, however many there were before: the states of the
    recurrent layers are what is known of those.

    Parameters
    ----------
    network : Network
        A tagger of one direction.
    weights : sequence of ndarray
        In the order of the description.

    Raises
    ------
    ValueError
        If a layer reads a series from its end.

    Examples
    --------
    >>> from seqkit.network.tagging import tagger
    >>> network = tagger(None, 1, 2, units=3, bidirectional=False)
    >>> stepper = Stepper(network, network.initial_weights(0))
    >>> x = np.ones((1, 4, 1), np.float32)
    >>> parts = [stepper(x[:, :3]), stepper(x[:, 3:])]
    >>> whole = Stepper(network, network.initial_weights(0))(x)
    >>> bool(np.allclose(np.concatenate(parts, axis=1), whole))
    True
    """

    def __init__(self, network: Network, weights: Sequence[Array]) -> None:
        flat = network.flat
        self.nodes = needed_nodes(flat, flat.trained)
        for node in self.nodes:
            if isinstance(node.layer, Recurrent) and node.layer.bidirectional:
                expected = "of one direction, so that a step does not depend on later ones"
                raise ValueError(explain("Stepper", node.name, expected, "both directions"))
        self.trained = flat.trained
        self.weights = FlatWeights(network)
        self.weights.load(weights)
        self.states: dict[str, list[Array]] = {}

    def __call__(self, x: Array) -> Array:
        """Return the answers to the next steps, ``(batch, n_steps, width)``.

        Parameters
        ----------
        x : ndarray of shape (batch, n_steps, n_features), or of codes (batch, n_steps)
            The next steps of the series of the calls before.
        """
        values: dict[str, Any] = {"x": x}
        for node in self.nodes:
            p = self.weights.values[node.shares or node.name]
            # lengths are left out: what is right of a step does not reach it
            given: list[Any] = [
                None if ref in (None, "lengths") else values[str(ref)] for ref in node.inputs
            ]
            if isinstance(node.layer, Recurrent):
                layer = replace(node.layer, return_state=True)
                before = self.states.get(node.name, [])
                out, *after = layer.forward(NUMPY, p, Saved(), given[0], None, *before)
                self.states[node.name] = [np.array(state) for state in after]
            else:
                out = node.layer.forward(NUMPY, p, Saved(), *given)
            values[node.name] = out
        result: Array = values[self.trained]
        return result
