"""Several networks as one: forecasts by their median, others by their mean.

A theta forecast may stand beside the networks' median, of more steps than they see; and they may
see powers of the targets, which are undone before anything is combined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seqkit.network.graph import Graph, Network
from seqkit.network.layers.base import Layer, Shape
from seqkit.network.layers.combining import Mean, Median
from seqkit.network.layers.heads import Combine
from seqkit.network.layers.scaling import BoxCox, InverseBoxCox
from seqkit.network.layers.shaping import AtMost, Columns, Last
from seqkit.network.layers.theta import ThetaForecast

__all__ = ["Member", "ensemble"]


class Described(Protocol):
    """What has a description of a network."""

    @property
    def network(self) -> Network:
        """The description."""


@dataclass(frozen=True)
class Member(Layer):
    """A whole network as a node of another; its inputs are the node's, in their order.

    Parameters
    ----------
    network : Network
    """

    network: Network

    def shape(self, *inputs: Any) -> Shape:
        return self.network.shapes[self.network.output]

    def inner(self, *inputs: Any) -> Network:
        return self.network


def ensemble(
    members: Sequence[Described],
    context_lengths: Sequence[int] | None = None,
    theta: ThetaForecast | None = None,
    theta_window: int = 0,
    combine: Combine | None = None,
    powers: Sequence[float] = (),
) -> Network:
    """Describe several networks as one: the median of forecasts, or the mean.

    Quantiles stay in order under the median.

    Parameters
    ----------
    members : sequence of Architecture
        Forecasters may differ in their context length only, others have equal inputs and outputs.
    context_lengths : sequence of int, optional
        Of forecasters: the longest is that of the whole; the others see the last steps of it.
    theta : ThetaForecast, optional
        A forecast that is combined with the median.
    theta_window : int
        Steps that it sees: those of the whole, which then takes ``lengths``, since a forecast
        needs the context of its networks only.
    combine : Combine
        How they are combined.
    powers : sequence of float
        Of the Box-Cox transform of each target, which the members see and forecast; () = none.

    Returns
    -------
    Network
        The nodes ``member_1`` ... hold the weights, in this order.
    """
    networks = [member.network for member in members]
    first = networks[0]
    if context_lengths is None:
        graph = Graph(first.name, first.named_inputs)
        given = [graph.input(i.name, i.shape, i.dtype) for i in first.inputs]
        parts = [graph.add(f"member_{k}", Member(n), *given) for k, n in enumerate(networks, 1)]
        return graph.network(graph.add(first.output, Mean(), *parts))
    graph, longest = Graph("forecaster"), max(*context_lengths, theta_window)
    for i in first.inputs:
        graph.input(i.name, (longest, *i.shape[1:]) if i.name == "x" else i.shape, i.dtype)
    if theta is not None and "lengths" not in {i.name for i in first.inputs}:
        graph.input("lengths", (), "int32")
    seen = graph.add("box_cox", BoxCox(tuple(powers)), "x") if powers else "x"
    parts = []
    for k, (network, length) in enumerate(zip(networks, context_lengths, strict=True), 1):
        own = {i.name: i.name for i in network.inputs} | {"x": seen}
        if length < longest:
            own["x"] = graph.add(f"last_{k}", Last(length), seen)
        if "lengths" in own:
            own["lengths"] = graph.add(f"lengths_{k}", AtMost(length), "lengths")
        part = graph.add(f"member_{k}", Member(network), *own.values())
        if powers:
            part = graph.add(f"units_{k}", InverseBoxCox(tuple(powers)), part)
        parts.append(part)
    if theta is None or combine is None:
        return graph.network(graph.add("forecast", Median(), *parts))
    median, n_targets = graph.add("median", Median(), *parts), first.shapes[first.output][1]
    targets = graph.add("targets", Columns(0, n_targets), "x")
    other = graph.add("theta", theta, targets, "lengths")
    return graph.network(graph.add("forecast", combine, median, other))
