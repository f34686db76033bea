"""A fit under way without TensorFlow: a native network, and one step after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seqkit.network.cpu.schemes import compiled_kernels
from seqkit.network.losses import Objective, hits, loss_of
from seqkit.network.native import NativeNetwork
from seqkit.training.buckets import joined_batches
from seqkit.training.optimizers import UpdateRule
from seqkit.training.run import LOOK_SECONDS, GradientNorms, Run
from seqkit.training.sources import Source, batches_of
from seqkit.training.state import TrainingState

__all__ = ["NativeRun", "predict_natively"]

Array = np.ndarray
LARGEST_BATCH = 1 << 25
"""Bytes that a batch may take which is not trained on; larger ones go in parts."""


@dataclasses.dataclass
class NativeRun(Run):
    """A fit under way on a native network of its own."""

    network: NativeNetwork
    objective: Objective
    rule: UpdateRule

    def __post_init__(self) -> None:
        self.weights = self.network.weights
        self.held = [np.zeros_like(self.weights.theta) for _ in range(self.rule.moments)]
        self.cut = [self.weights.cut(held) for held in self.held]
        self.scalars = [np.array(s, np.float32) for s in self.rule.scalars]
        self.load(self.state)
        self.begin()

    def load(self, state: TrainingState) -> None:
        self.weights.load(state.weights)
        self.iteration, self.rate = int(state.optimizer_variables[0]), state.optimizer_variables[1]
        self.rule.load(state.optimizer_variables, self.cut, self.scalars)
        for seed, value in zip(self.weights.seeds, state.seed_states, strict=True):
            seed[...] = value

    def copy_state(self) -> TrainingState:
        variables = self.rule.state(self.iteration, float(self.rate), self.cut, self.scalars)
        return dataclasses.replace(
            self.state,
            weights=self.weights.copies(),
            optimizer_variables=variables,
            seed_states=[seed.copy() for seed in self.weights.seeds],
            best_weights=None if self.best is None else list(self.best),
            history={k: list(v) for k, v in self.state.history.items()},
        )

    def weights_now(self) -> Sequence[Any]:
        return self.weights.copies()

    def run_epoch(self) -> dict[str, float]:
        with np.errstate(all="ignore"):  # a loss that is not finite is told of by itself
            return self._epoch()

    def _epoch(self) -> dict[str, float]:
        steps, rates, sums = self.steps, self.rates(), _Sums(self.objective)
        norms, most = GradientNorms(self.clipnorm), float(self.clipnorm or np.inf)
        theta, gradient = self.weights.theta, self.weights.gradient
        looked = time.perf_counter()
        for step, (inputs, y, weight) in enumerate(self.batches()):
            prediction = self.network.forward(inputs, training=True)
            d = sums.add(y, prediction, weight)
            if not np.isfinite(sums.loss):
                break
            self.network.backward(d)
            norms.add(compiled_kernels().clip(gradient, most))
            self.iteration, self.rate = self.iteration + 1, rates[step]
            self.rule.update(theta, gradient, self.held, self.scalars, self.iteration, rates[step])
            if self.progress is not None and time.perf_counter() - looked > LOOK_SECONDS:
                looked = time.perf_counter()
                self.progress(self.state.epoch, step + 1, steps)
        if self.progress is not None:
            self.progress(self.state.epoch, steps, steps)
        if not np.isfinite(theta.sum(dtype=np.float64)):
            sums.loss = float("nan")  # the last step spoilt what no loss has seen
        return sums.result() | norms.result()

    def evaluate(self) -> dict[str, float]:
        assert self.validation is not None
        sums = _Sums(self.objective)
        batch = max(self.batch_size, 256)
        with np.errstate(all="ignore"):
            for inputs, y, weight in _batches(self.network, self.validation, batch):
                sums.add(y, self.network.forward(inputs, training=False), weight)
        return {f"val_{name}": value for name, value in sums.result().items()}


class _Sums:
    """Loss and metrics summed over batches."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.loss, self.count, self.hits, self.of = 0.0, 0, 0.0, 0.0

    def add(self, y: Array, prediction: Array, weight: Array | None) -> Array:
        """Add a batch and return the loss's gradient by the prediction."""
        loss, d = loss_of(self.objective, y, prediction, weight)
        self.loss += loss * len(y)
        self.count += len(y)
        if self.objective.metrics:
            right, of = hits(self.objective, y, prediction, weight)
            self.hits, self.of = self.hits + right, self.of + of
        return d

    def result(self) -> dict[str, float]:
        logs = {"loss": self.loss / self.count}
        if self.objective.metrics:
            logs[self.objective.metrics[0]] = self.hits / self.of if self.of else 0.0
        return logs


def _batches(network: NativeNetwork, source: Any, at_most: int) -> Iterator[Any]:
    """Yield batches in order, as large as there is memory for."""
    if not isinstance(source, Source):
        yield from batches_of(source, at_most)
        return
    first = source.take(np.arange(1))
    if source.n_examples == 1:
        yield first
        return
    size = network.bytes_an_example(first[0])
    yield from batches_of(source, max(1, min(at_most, LARGEST_BATCH // max(1, size))))


def predict_natively(
    network: NativeNetwork,
    weights: Sequence[Array],
    source: Any,
    batch_size: int,
    trained: bool = False,
) -> Array:
    """Return a network's prediction for every example of a source, in order.

    With `trained` it is what the loss sees.
    """
    network.weights.load(weights)
    predictions = [
        network.forward(inputs, training=False) if trained else network.predict(inputs)
        for inputs, _, _ in _batches(network, source, batch_size)
    ]
    return joined_batches(predictions)
