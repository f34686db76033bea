"""A fit under way in TensorFlow: whole epochs inside one graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqkit.training.callbacks import Callbacks
from seqkit.training.engine import Engine
from seqkit.training.feeds import ArrayFeed, feed_of
from seqkit.training.program import Program
from seqkit.training.run import Run
from seqkit.training.sources import shuffled
from seqkit.training.state import TrainingState

__all__ = ["GraphRun"]


@dataclasses.dataclass
class GraphRun(Run):
    """A fit under way on an engine that it borrowed."""

    program: Program

    def __post_init__(self) -> None:
        self.engine: Engine = self.program.engine
        self.load(self.state)
        self.feed = feed_of(self.source)
        self.tensors = self.feed.tensors()
        self.train = self.program.train_function(self.source, self.clipnorm is not None)
        self.start = self.program.metric_start(self.source)
        self.names = [m.name for m in self.program.metrics or []]
        self.batch = tf.constant(self.batch_size, tf.int64)
        self.clip = tf.constant(self.clipnorm or 0.0, tf.float32)
        self.zero = tf.constant(0.0, tf.float64)
        if self.validation is not None:
            self.validation_feed = feed_of(self.validation)
            self.validation_tensors = self.validation_feed.tensors()
            self.validate = self.program.evaluate_function(self.validation)
        self.begin()

    def learning_rate(self) -> float:
        """Return the rate of the epoch's last step, or what a schedule object says by now."""
        if self.program.scheduled:
            return float(self.program.optimizer.learning_rate)
        return super().learning_rate()

    def load(self, state: TrainingState) -> None:
        """Set weights, optimizer and random state of the engine."""
        self.engine.held = None
        self.engine.assign(
            self.program.state_variables,
            [*state.weights, *state.optimizer_variables, *state.seed_states],
        )

    def at_once(self) -> int:
        alone = self.schedule == "plateau" or self.program.scheduled or self.engine.distributed
        if alone or not isinstance(self.feed, ArrayFeed):
            return 1
        steps = self.program.pace.steps(self.batch_size)
        return max(1, min(steps // self.steps, self.epochs - self.state.epoch))

    def run_epochs(self, n: int = 1) -> list[dict[str, float]]:
        first, batch, steps = self.state.epoch, self.batch_size, self.steps
        orders: list[Any] = [None]
        if isinstance(self.feed, ArrayFeed):
            draws = None if self.steps_per_epoch is None else steps * batch
            seed, n_examples = self.state.seed, self.source.n_examples
            orders = [shuffled(n_examples, seed, first + k, draws=draws) for k in range(n)]
        if n > 1:
            orders = [np.concatenate([order[: steps * batch] for order in orders])]
        part = self.feed.orders(orders[0], batch, (self.state.seed, first))
        rates = self.rates(n)
        total, count, state, results = self.zero, self.zero, self.start, []
        for start, stop in self.program.pace.chunks(n * steps, batch):
            totals, counts, state, results = self.train(
                part(start, stop),
                tf.constant(rates[start:stop]),
                self.batch,
                self.clip,
                tf.constant(n),
                total,
                count,
                state,
                *self.tensors,
            )
            losses = totals.numpy() / counts.numpy()
            total, count = totals[-1], counts[-1]
            if self.progress is not None:
                self.progress(first, stop, steps)
            if not np.isfinite(losses).all():
                break
        columns = {"loss": losses, **dict(zip(self.names, map(np.array, results), strict=True))}
        return [{name: float(column[k]) for name, column in columns.items()} for k in range(n)]

    def evaluate(self) -> dict[str, float]:
        assert self.validation is not None
        batch = max(self.batch_size, 256)
        part = self.validation_feed.orders(None, batch, None)
        total, count, state = self.zero, self.zero, self.start
        results: Sequence[Any] = ()
        steps = -(-self.validation.n_examples // batch)
        for start, stop in self.program.evaluation_pace.chunks(steps, batch):
            total, count, state, results = self.validate(
                part(start, stop),
                tf.constant(stop - start),
                tf.constant(batch, tf.int64),
                total,
                count,
                state,
                *self.validation_tensors,
            )
        logs = {"val_loss": float(total) / float(count)}
        logs.update({f"val_{k}": float(v) for k, v in zip(self.names, results, strict=True)})
        return logs

    def follow(self, callbacks: Callbacks, left: float | None) -> None:
        now = callbacks.learning_rate()
        if now is None or left is None or now == left:
            return
        if self.schedule == "cosine":  # what is left of the curve is scaled
            self.state.learning_rate *= now / left if left else 1.0
        else:
            self.state.learning_rate = now

    def hand_over(self, weights: list[np.ndarray] | None) -> None:
        self.engine.held = weights

    def weights_now(self) -> Sequence[Any]:
        return self.program.snapshot(weights_only=True)

    def copy_state(self) -> TrainingState:
        """Return the state as it is now; its arrays are tensors that nothing changes any more."""
        tensors = self.program.snapshot()
        a = len(self.engine.weights)
        b = a + len(self.program.optimizer_variables)
        return dataclasses.replace(
            self.state,
            weights=tensors[:a],
            optimizer_variables=tensors[a:b],
            seed_states=tensors[b:],
            best_weights=None if self.best is None else list(self.best),
            history={k: list(v) for k, v in self.state.history.items()},
        )
