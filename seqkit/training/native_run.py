"""A fit under way without TensorFlow: a native network, and one step after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.machine.schemes import code
from seqkit.native.losses import hits, loss_of
from seqkit.native.networks import Network
from seqkit.objective import Objective
from seqkit.training.pace import CHUNK_SECONDS
from seqkit.training.run import Run
from seqkit.training.sources import shuffled
from seqkit.training.state import TrainingState

__all__ = ["OPTIMIZERS", "NativeRun", "predict_natively"]

Array = np.ndarray
single = np.float32

ROOM = 1 << 25
"""Bytes that a batch may take which is not trained on; larger ones go in parts."""


class _Adam:
    """Kingma and Ba (2015), with the constants of keras.optimizers.Adam."""

    moments = 2
    beta_1, beta_2, epsilon = single(0.9), single(0.999), single(1e-7)

    def step(self, theta: Array, gradient: Array, held: list[Array], t: int, rate: float) -> None:
        powers = single(1) - self.beta_1 ** single(t), single(1) - self.beta_2 ** single(t)
        alpha = single(rate) * np.sqrt(powers[1]) / powers[0]
        code().adam_step(theta, gradient, *held, alpha, self.beta_1, self.beta_2, self.epsilon)


class _SGD:
    """Plain descent, as keras.optimizers.SGD without momentum."""

    moments = 0

    def step(self, theta: Array, gradient: Array, held: list[Array], t: int, rate: float) -> None:
        code().sgd_step(theta, gradient, single(rate))


OPTIMIZERS: dict[str, Any] = {"adam": _Adam, "sgd": _SGD}
"""Optimizers by the names Keras gives them, with what they hold of every parameter."""


@dataclasses.dataclass
class NativeRun(Run):
    """A fit under way on a native network of its own."""

    source: Any  # one that can be taken from
    network: Network
    objective: Objective
    optimizer: str

    def __post_init__(self) -> None:
        self.parameters = self.network.parameters
        self.rule = OPTIMIZERS[self.optimizer]()
        self.held = [np.zeros_like(self.parameters.theta) for _ in range(self.rule.moments)]
        self.load(self.state)
        self.begin()

    def load(self, state: TrainingState) -> None:
        self.parameters.load(state.weights)
        self.iteration, self.rate = int(state.optimizer_variables[0]), state.optimizer_variables[1]
        cut = [self.parameters.cut(held) for held in self.held]
        kept = state.optimizer_variables[2:]  # as Keras keeps them: all of one parameter together
        for place, value in enumerate(kept):
            cut[place % len(cut)][place // len(cut)][...] = value
        for seed, value in zip(self.parameters.seeds, state.seed_states, strict=True):
            seed[...] = value

    def copy_state(self) -> TrainingState:
        moments = zip(*(self.parameters.cut(held) for held in self.held), strict=True)
        variables: list[Array] = [np.array(self.iteration, np.int64)]
        variables += [np.array(self.rate, np.float32)]
        variables += [part.copy() for parts in moments for part in parts]
        return dataclasses.replace(
            self.state,
            weights=self.parameters.weights(),
            optimizer_variables=variables,
            seed_states=[seed.copy() for seed in self.parameters.seeds],
            best_weights=None if self.best is None else list(self.best),
            history={k: list(v) for k, v in self.state.history.items()},
        )

    def weights_now(self) -> Sequence[Any]:
        return self.parameters.weights()

    def run_epochs(self, n: int = 1) -> list[dict[str, float]]:
        with np.errstate(all="ignore"):  # a loss that is not finite is told of by itself
            return [self._epoch()]

    def _epoch(self) -> dict[str, float]:
        batch, steps = self.batch_size, self.steps
        draws = None if self.steps_per_epoch is None else steps * batch
        order = shuffled(self.source.n_examples, self.state.seed, self.state.epoch, draws=draws)
        rates = self.rates(1)
        sums = _Sums(self.objective)
        looked = time.perf_counter()
        for step in range(steps):
            inputs, y, weight = self.source.take(order[step * batch : (step + 1) * batch])
            answer = self.network.forward(inputs, training=True)
            d = sums.add(y, answer, weight)
            if not np.isfinite(sums.loss):
                break
            self.network.backward(d)
            if self.clipnorm is not None:
                code().clip(self.parameters.gradient, float(self.clipnorm))
            self.iteration, self.rate = self.iteration + 1, rates[step]
            theta, gradient = self.parameters.theta, self.parameters.gradient
            self.rule.step(theta, gradient, self.held, self.iteration, self.rate)
            if self.progress is not None and time.perf_counter() - looked > CHUNK_SECONDS:
                looked = time.perf_counter()
                self.progress(self.state.epoch, step + 1, steps)
        if self.progress is not None:
            self.progress(self.state.epoch, steps, steps)
        if not np.isfinite(self.parameters.theta.sum(dtype=np.float64)):
            sums.loss = float("nan")  # the last step spoilt what no loss has seen
        return sums.result()

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

    def add(self, y: Array, answer: Array, weight: Array | None) -> Array:
        """Add a batch and return the loss's gradient by the answer."""
        loss, d = loss_of(self.objective, y, answer, weight)
        self.loss += loss * len(y)
        self.count += len(y)
        if self.objective.metrics:
            found, of = hits(y, answer, weight)
            self.hits, self.of = self.hits + found, self.of + of
        return d

    def result(self) -> dict[str, float]:
        found = {"loss": self.loss / self.count}
        if self.objective.metrics:
            found[self.objective.metrics[0]] = self.hits / self.of if self.of else 0.0
        return found


def _batches(network: Network, source: Any, at_most: int) -> Any:
    """Yield batches in order, as large as there is room for."""
    n = source.n_examples
    size = network.bytes_an_example(source.take(np.arange(1))[0])
    batch = max(1, min(at_most, ROOM // max(1, size)))
    for start in range(0, n, batch):
        yield source.take(np.arange(start, min(n, start + batch)))


def predict_natively(
    network: Network, weights: Sequence[Array], source: Any, batch_size: int, trained: bool = False
) -> Array:
    """Return a network's answer for every example of a source, in order.

    With `trained` it is what the loss sees.
    """
    network.parameters.load(weights)
    found = [
        network.forward(inputs, training=False) if trained else network.answer(inputs)
        for inputs, _, _ in _batches(network, source, batch_size)
    ]
    return found[0] if len(found) == 1 else np.concatenate(found)
