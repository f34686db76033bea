"""Learned vectors: of categories, of tokens, and of places in the horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.network.initializers import normal, uniform
from seqkit.network.layers.base import Array, Layer, Parameter, Saved, Shape

__all__ = ["Embedding", "SegmentQueries", "TokenEmbedding"]


@dataclass(frozen=True)
class Embedding(Layer):
    """A learned vector for each category of one column of codes: ``(batch, n) -> (batch, units)``.

    Parameters
    ----------
    column : int
    n_categories : int
        Rows of the table.
    units : int
    """

    column: int
    n_categories: int
    units: int

    def shape(self, codes: Shape) -> Shape:
        return (self.units,)

    def parameters(self, codes: Shape) -> tuple[Parameter, ...]:
        return (Parameter("embeddings", (self.n_categories, self.units), uniform),)

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, codes: Any) -> Any:
        saved["codes"] = codes[:, self.column]
        return ops.take(p["embeddings"], saved["codes"], axis=0)

    def backward(
        self, p: Any, g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[None]:
        g["embeddings"][...] = 0
        np.add.at(g["embeddings"], saved["codes"], d)
        return (None,)


@dataclass(frozen=True)
class TokenEmbedding(Layer):
    """A learned vector for the token of every step: ``(batch, time) -> (batch, time, units)``.

    ``x_t = E[code_t]`` (Bengio, Ducharme, Vincent and Jauvin 2003, section 2); the gradient of a
    row of ``E`` is the sum over the steps that its token stands at.

    Parameters
    ----------
    n_tokens : int
        Rows of the table.
    units : int
    """

    n_tokens: int
    units: int

    def shape(self, codes: Shape) -> Shape:
        return (*codes, self.units)

    def parameters(self, codes: Shape) -> tuple[Parameter, ...]:
        return (Parameter("embeddings", (self.n_tokens, self.units), uniform),)

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, codes: Any) -> Any:
        # as a sequence lies in memory for a recurrence: time, batch, units
        saved["codes"] = by_time = ops.transpose(codes)
        return ops.transpose(ops.take(p["embeddings"], by_time, axis=0), (1, 0, 2))

    def backward(
        self, p: Any, g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[None]:
        codes = saved["codes"].ravel()
        rows = d.transpose(1, 0, 2).reshape(len(codes), -1)
        order = np.argsort(codes, kind="stable")  # a sum a token: np.add.at takes ten times as long
        found, starts = np.unique(codes[order], return_index=True)
        g["embeddings"][...] = 0
        g["embeddings"][found] = np.add.reduceat(rows[order], starts, axis=0)
        return (None,)


@dataclass(frozen=True)
class SegmentQueries(Layer):
    """Learned inputs of the segment decoder, ``(batch, n_segments, width)``.

    With several channels the first half says where in the horizon, the second half which channel
    (Lin et al. 2023, section 3.3). The input only tells how many there are.
    """

    n_segments: int
    width: int
    n_channels: int = 1

    @property
    def channel_width(self) -> int:
        """How many of the numbers say which channel."""
        return self.width // 2 if self.n_channels > 1 else 0

    def shape(self, x: Shape) -> Shape:
        return (self.n_segments, self.width)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        channel = self.channel_width
        position = Parameter("position", (self.n_segments, self.width - channel), normal)
        if not channel:
            return (position,)
        return position, Parameter("channel", (self.n_channels, channel), normal)

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, x: Any) -> Any:
        n = ops.shape(x)[0]
        position = ops.broadcast_to(p["position"][None], (n, *p["position"].shape))
        if not self.channel_width:
            return position
        which = ops.arange(n, dtype="int32") % self.n_channels  # channels vary fastest
        channel = ops.take(p["channel"], which, axis=0)[:, None, :]
        return ops.concatenate([position, ops.repeat(channel, self.n_segments, axis=1)], axis=-1)

    def backward(
        self, p: Any, g: Mapping[str, Array], saved: Saved, d: Array, wants: Any
    ) -> tuple[None]:
        split = self.width - self.channel_width
        g["position"][...] = d[..., :split].sum(0)
        if self.channel_width:
            by_channel = d[..., split:].reshape(
                -1, self.n_channels, self.n_segments, d.shape[2] - split
            )
            g["channel"][...] = by_channel.sum((0, 2))
        return (None,)
