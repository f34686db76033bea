"""The last layer of a network that tells the numbers of the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqkit.network.initializers import ones, zeros
from seqkit.network.layers.base import Layer, Parameter, Saved, Shape
from seqkit.network.mixtures import mixture_parts

__all__ = ["MixtureHead"]


@dataclass(frozen=True)
class MixtureHead(Layer):
    """Free numbers ``(B, T, n (1 + 2 C))`` to mixtures in units, ``(B, T, n, 1 + 2 C)``.

    Weight, means and scales of every component (:mod:`seqkit.network.mixtures`). Offset and scale
    of the units are weights that are never trained. The loss sees the free numbers.

    Parameters
    ----------
    components : int
    """

    components: int

    def shape(self, net: Shape) -> Shape:
        width = net[-1]
        assert width is not None
        return (*net[:-1], self.components, width // self.components)

    def parameters(self, net: Shape) -> tuple[Parameter, ...]:
        width = self.shape(net)[-1]
        assert width is not None
        n = (width - 1) // 2
        return (
            Parameter("offset", (n,), zeros, trainable=False),
            Parameter("scale", (n,), ones, trainable=False),
        )

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, net: Any) -> Any:
        logits, means, _, scales = mixture_parts(ops, net, self.components)
        alone = self.components == 1
        weights = ops.ones_like(logits) if alone else ops.softmax(logits, axis=-2)
        means, scales = means * p["scale"] + p["offset"], scales * p["scale"]
        return ops.concatenate([weights, means, scales], axis=-1)
