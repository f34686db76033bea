"""Networks there and back: of whole series, and of windows with a future.

``forward(inputs, training)`` gives what the loss sees, ``backward(d)`` takes its gradient and fills
that of the parameters, ``answer(inputs)`` is what the Keras model of the same settings gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqkit.draws import ones, zeros
from seqkit.native.layers import Dense, Dropout, Pooling, Recurrent
from seqkit.native.parameters import Parameter, Parameters
from seqkit.window_space import naive_steps, normalize_window, valid_tail, window_statistics

__all__ = ["ForecastNetwork", "Network", "SeriesNetwork", "Stack"]

Array = np.ndarray


class Stack:
    """Recurrent layers, dropout between them, and one vector of what they say."""

    def __init__(
        self,
        parameters: Parameters,
        n_in: int,
        *,
        cell: str,
        units: Sequence[int],
        bidirectional: bool,
        dropout: float,
        recurrent_dropout: float,
        residual: bool,
        pooling: str,
    ) -> None:
        self.layers: list[Recurrent] = []
        self.drops: list[Dropout | None] = []
        self.residual = residual
        read_state = pooling == "last" and not (residual and len(units) > 1)
        for i, width in enumerate(units):
            self.drops.append(Dropout(parameters, dropout) if i and dropout else None)
            layer = Recurrent(
                parameters,
                f"recurrent_{i + 1}",
                cell,
                n_in,
                width,
                bidirectional,
                recurrent_dropout,
                sequences=not (i == len(units) - 1 and read_state),
            )
            self.layers.append(layer)
            n_in = layer.n_out
        self.pooling = None if read_state else Pooling(pooling, bidirectional)
        self.n_out = n_in * (1 if self.pooling is None else self.pooling.factor)

    def forward(self, x: Array, lengths: Array | None, training: bool) -> Array:
        """Return (batch, n_out) of x (time, batch, n_in)."""
        for i, (layer, drop) in enumerate(zip(self.layers, self.drops, strict=True)):
            x = x if drop is None else drop.forward(x, training)
            out = layer.forward(x, lengths, training)
            x = x + out if self.residual and i else out
        return x if self.pooling is None else self.pooling.forward(x, lengths)

    def backward(self, d: Array) -> None:
        """Fill the gradients; nobody asks for that of the input."""
        d = d if self.pooling is None else self.pooling.backward(d)
        for i in range(len(self.layers) - 1, -1, -1):
            dx = self.layers[i].backward(d, wants_input=i > 0)
            d = d + dx if self.residual and i else dx
            drop = self.drops[i]
            d = d if drop is None else drop.backward(d)


class Head:
    """Hidden dense layers, dropout, and the layer that gives the answer's numbers."""

    def __init__(
        self,
        parameters: Parameters,
        n_in: int,
        dense: Sequence[int],
        dropout: float,
        name: str,
        n_out: int,
    ) -> None:
        self.hidden: list[Dense] = []
        for i, width in enumerate(dense):
            self.hidden.append(Dense(parameters, f"dense_{i + 1}", n_in, width, rectified=True))
            n_in = width
        self.drop = Dropout(parameters, dropout) if dropout else None
        self.out = Dense(parameters, name, n_in, n_out)

    def forward(self, x: Array, training: bool) -> Array:
        for layer in self.hidden:
            x = layer.forward(x)
        x = x if self.drop is None else self.drop.forward(x, training)
        return self.out.forward(x)

    def backward(self, d: Array) -> Array:
        d = self.out.backward(d)
        d = d if self.drop is None else self.drop.backward(d)
        for layer in reversed(self.hidden):
            d = layer.backward(d)
        return d


class _Affine:
    """A fixed offset and scale a feature."""

    def __init__(self, parameters: Parameters, path: str, n: int) -> None:
        self.offset: Parameter = parameters.add(f"{path}/offset", (n,), zeros, False)
        self.scale: Parameter = parameters.add(f"{path}/scale", (n,), ones, False)

    def standardized(self, x: Array) -> Array:
        return (x - self.offset.value) / self.scale.value

    def in_units(self, x: Array) -> Array:
        return x * self.scale.value + self.offset.value


class Network:
    """What both kinds of network share; its parameters have no memory before they are settled."""

    parameters: Parameters
    stack: Stack
    head: Head

    patch: int
    n_channels = 1

    def bytes_an_example(self, inputs: Any) -> int:
        """Return about how much memory an example takes on its way through."""
        x = inputs["x"] if isinstance(inputs, Mapping) else inputs
        columns = sum(
            (len(d.cell.gates) + 2 * len(d.cell.states)) * d.units
            for layer in self.stack.layers
            for d in layer.directions
        )
        return 4 * -(-x.shape[1] // self.patch) * columns * self.n_channels

    def forward(self, inputs: Any, training: bool) -> Array:
        raise NotImplementedError

    def backward(self, d: Array) -> None:
        raise NotImplementedError

    def answer(self, inputs: Any) -> Array:
        raise NotImplementedError


class SeriesNetwork(Network):
    """From a whole series to one answer: logits of classes, or numbers in standard deviations.

    Parameters
    ----------
    n_features, n_out : int
    output : {"logits", "standardized"}
    scale : bool
        Whether features are standardised.
    patch : int
    dense : sequence of int
    dropout : float
    **stack
        Of :class:`Stack`.
    """

    def __init__(
        self,
        n_features: int,
        n_out: int,
        *,
        output: str,
        scale: bool,
        patch: int,
        dense: Sequence[int],
        dropout: float,
        **stack: Any,
    ) -> None:
        self.parameters = Parameters()
        self.patch = patch
        self.scaling = _Affine(self.parameters, "standardize", n_features) if scale else None
        self.stack = Stack(self.parameters, n_features * patch, dropout=dropout, **stack)
        self.head = Head(self.parameters, self.stack.n_out, dense, dropout, output, n_out)
        self.units = _Affine(self.parameters, "output", n_out) if output != "logits" else None

    def forward(self, inputs: Any, training: bool) -> Array:
        x, lengths = inputs, None
        if isinstance(inputs, Mapping):
            x, lengths = inputs["x"], inputs["lengths"]
        if self.scaling is not None:
            x = self.scaling.standardized(x)
        if self.patch > 1:
            if lengths is not None:
                inside = np.arange(x.shape[1])[None, :] < lengths[:, None]
                x = np.where(inside[:, :, None], x, np.float32(0))
                lengths = (lengths + (self.patch - 1)) // self.patch
            n, n_steps, n_features = x.shape
            rest = -n_steps % self.patch
            x = np.pad(x, [(0, 0), (0, rest), (0, 0)]) if rest else x
            x = x.reshape(n, -1, self.patch * n_features)
        by_time = np.ascontiguousarray(x.transpose(1, 0, 2), np.float32)
        return self.head.forward(self.stack.forward(by_time, lengths, training), training)

    def backward(self, d: Array) -> None:
        self.stack.backward(self.head.backward(d))

    def answer(self, inputs: Any) -> Array:
        found = self.forward(inputs, training=False)
        if self.units is not None:
            return self.units.in_units(found)
        e = np.exp(found - found.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


class ForecastNetwork(Network):
    """From a window to the steps after it, by a head from the final state (decoder ``direct``).

    Parameters
    ----------
    context_length, horizon, n_targets, n_past, season, patch : int
    n_levels : int
        Quantiles, 1 for a point.
    target_inputs, scale : bool
    normalize, departure_from, channels : str
    dense : sequence of int
    dropout : float
    **stack
        Of :class:`Stack`.
    """

    def __init__(
        self,
        context_length: int,
        horizon: int,
        n_targets: int,
        n_past: int,
        *,
        n_levels: int,
        quantiles: bool,
        season: int,
        patch: int,
        target_inputs: bool,
        scale: bool,
        normalize: str,
        departure_from: str,
        channels: str,
        dense: Sequence[int],
        dropout: float,
        **stack: Any,
    ) -> None:
        self.parameters = Parameters()
        self.horizon, self.n_targets, self.n_levels = horizon, n_targets, n_levels
        self.quantiles, self.season, self.patch = quantiles, season, patch
        self.kind, self.departure_from = normalize, departure_from
        self.target_inputs = target_inputs
        self.n_channels = n_targets if channels == "independent" else 1
        self.n_outputs = n_targets // self.n_channels
        self.n_patches = -(-context_length // patch)
        self.rest = self.n_patches * patch - context_length
        if target_inputs:  # else Keras finds this layer last
            self.window = _Affine(self.parameters, "window", n_targets)
        self.scaling = None
        if n_past and scale:
            self.scaling = _Affine(self.parameters, "standardize", n_past)
        seen = (self.n_outputs if target_inputs else 0) + n_past
        self.stack = Stack(self.parameters, seen * patch, dropout=dropout, pooling="last", **stack)
        n_numbers = horizon * self.n_outputs * n_levels
        self.head = Head(self.parameters, self.stack.n_out, dense, dropout, "head", n_numbers)
        if not target_inputs:
            self.window = _Affine(self.parameters, "window", n_targets)

    def forward(self, inputs: Any, training: bool) -> Array:
        x, lengths = inputs["x"], inputs.get("lengths")
        n, n_steps, _ = x.shape
        if lengths is not None:
            valid = valid_tail(n_steps, lengths, np) > 0
            x = np.where(valid, x, np.float32(0))
        n_seen = self.n_targets if self.target_inputs else 0
        self.center, self.spread = self._statistics(x, lengths)
        parts, naive = [], None
        if n_seen:
            targets = normalize_window(x[:, :, :n_seen], self.center, self.spread, lengths, np)
            naive = self._naive(targets, lengths)
            parts.append(self._folded(targets))
        if x.shape[2] > n_seen:
            covariates = x[:, :, n_seen:]
            if self.scaling is not None:
                covariates = self.scaling.standardized(covariates)
                if lengths is not None:
                    covariates = np.where(valid, covariates, np.float32(0))
            parts.append(np.repeat(covariates, self.n_channels, axis=0))
        steps = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
        if lengths is not None:
            lengths = np.repeat(lengths, self.n_channels)
        by_time, lengths = self._patched(steps, lengths)
        net = self.head.forward(self.stack.forward(by_time, lengths, training), training)
        shape = (n, self.n_channels, self.horizon, self.n_outputs, self.n_levels)
        net = net.reshape(shape).transpose(0, 2, 1, 3, 4)
        net = net.reshape(n, self.horizon, self.n_targets, self.n_levels)
        return self._headed(net, naive)

    def _statistics(self, x: Array, lengths: Array | None) -> tuple[Array, Array]:
        offset, scale = self.window.offset.value, self.window.scale.value
        if not self.target_inputs:
            zero = np.zeros((len(x), 1, 1), np.float32)
            return zero + offset, zero + scale
        targets = x[:, :, : self.n_targets]
        return window_statistics(targets, lengths, self.kind, offset, scale, np)

    def _naive(self, targets: Array, lengths: Array | None) -> Array | None:
        if self.departure_from == "none":
            return None
        last, n_steps = targets[:, -1:, :], targets.shape[1]
        if self.departure_from == "last":
            return np.repeat(last, self.horizon, axis=1)
        steps = naive_steps(n_steps, self.horizon, self.season)
        seasonal = targets[:, steps]
        if lengths is None:
            return seasonal
        reached = np.array(steps)[None, :] >= n_steps - lengths[:, None]
        return np.where(reached[:, :, None], seasonal, last)

    def _folded(self, x: Array) -> Array:
        if self.n_channels == 1:
            return x
        return x.transpose(0, 2, 1).reshape(-1, x.shape[1], 1)

    def _patched(self, x: Array, lengths: Array | None) -> tuple[Array, Array | None]:
        """Fold patches, counted from the end; return them by time, those that count in front."""
        n, _, width = x.shape
        if self.rest:
            x = np.pad(x, [(0, 0), (self.rest, 0), (0, 0)])
        x = x.reshape(n, self.n_patches, self.patch * width)
        if lengths is None:
            return np.ascontiguousarray(x.transpose(1, 0, 2), np.float32), None
        valid = (lengths + (self.patch - 1)) // self.patch
        step = np.arange(self.n_patches)[:, None] + (self.n_patches - valid)
        x = x[np.arange(n), np.minimum(step, self.n_patches - 1)]
        return np.ascontiguousarray(x, np.float32), valid

    def _headed(self, net: Array, naive: Array | None) -> Array:
        if not self.quantiles:
            return net[..., 0] if naive is None else net[..., 0] + naive
        middle = self.n_levels // 2
        center = net[..., middle : middle + 1]
        center = center if naive is None else center + naive[..., None]
        steps = np.logaddexp(net, np.float32(0))
        self.slope = np.exp(net - steps)  # of softplus: the logistic function
        up = center + np.cumsum(steps[..., middle + 1 :], -1)
        down = center - np.cumsum(steps[..., :middle][..., ::-1], -1)[..., ::-1]
        return np.concatenate([down, center, up], -1)

    def _unheaded(self, d: Array) -> Array:
        if not self.quantiles:
            return d[..., None]
        middle = self.n_levels // 2
        found = np.empty(d.shape, np.float32)
        found[..., middle] = d.sum(-1)
        found[..., middle + 1 :] = np.cumsum(d[..., middle + 1 :][..., ::-1], -1)[..., ::-1]
        found[..., :middle] = -np.cumsum(d[..., :middle], -1)
        slope = self.slope
        slope[..., middle] = 1
        return found * slope

    def backward(self, d: Array) -> None:
        d = self._unheaded(d)
        n = len(d)
        shape = (n, self.horizon, self.n_channels, self.n_outputs, self.n_levels)
        d = d.reshape(shape).transpose(0, 2, 1, 3, 4)
        self.stack.backward(self.head.backward(d.reshape(n * self.n_channels, -1)))

    def answer(self, inputs: Any) -> Array:
        found = self.forward(inputs, training=False)
        center, spread = self.center, self.spread
        if self.quantiles:
            center, spread = center[..., None], spread[..., None]
        return center + spread * found
