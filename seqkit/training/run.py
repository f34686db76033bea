"""A fit under way: one epoch after the other on a borrowed engine."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqkit.training.callbacks import Callbacks
from seqkit.training.engine import Engine
from seqkit.training.feeds import ArrayFeed, feed_of
from seqkit.training.program import Program
from seqkit.training.sources import Source, shuffled
from seqkit.training.state import TrainingState

__all__ = ["SCHEDULES", "Run"]

PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_FLOOR = 0.5, 5, 1e-3
"""``plateau``: after 5 epochs without a better loss the rate is halved, down to a thousandth."""


def _constant(base: float, steps: np.ndarray, total: int) -> np.ndarray:
    return np.full(len(steps), base, np.float32)


def _cosine(base: float, steps: np.ndarray, total: int) -> np.ndarray:
    return (0.5 * base * (1.0 + np.cos(np.pi * steps / max(total, 1)))).astype(np.float32)


SCHEDULES: dict[str, Callable[[float, np.ndarray, int], np.ndarray]] = {
    "constant": _constant,
    "cosine": _cosine,
    "plateau": _constant,  # the base itself changes between epochs
}
"""Learning rate of the steps ``steps`` out of ``total``. Cosine: Loshchilov and Hutter (2017),
equation 5 without restarts, from the learning rate to 0 over all steps of the fit."""


@dataclasses.dataclass
class Run:
    """A fit under way: its settings, the engine it borrowed, and what it has reached."""

    program: Program
    source: Source
    validation: Source | None
    epochs: int
    batch_size: int
    schedule: str
    steps_per_epoch: int | None
    clipnorm: float | None
    first_rate: float
    state: TrainingState
    progress: Callable[[int, int, int], None] | None

    def __post_init__(self) -> None:
        self.engine: Engine = self.program.engine
        self.steps = self.steps_per_epoch or -(-self.source.n_examples // self.batch_size)
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
        self.best: Sequence[Any] | None = self.state.best_weights
        self.remember()

    def learning_rate(self) -> float:
        """Return the rate of the epoch: the state's, or what a schedule object says by now."""
        if self.program.scheduled:
            return float(self.program.optimizer.learning_rate)
        return self.state.learning_rate

    def load(self, state: TrainingState) -> None:
        """Set weights, optimizer and random state of the engine."""
        self.engine.held = None
        self.engine.assign(
            self.program.state_variables,
            [*state.weights, *state.optimizer_variables, *state.seed_states],
        )

    def remember(self) -> None:
        """Keep the state as it is now; a diverging fit goes back to it."""
        self.kept = (time.perf_counter(), self.copy_state())

    def at_once(self) -> int:
        """Return how many epochs, at least one, take no longer than a chunk of steps may."""
        alone = self.schedule == "plateau" or self.program.scheduled or self.engine.distributed
        if alone or not isinstance(self.feed, ArrayFeed):
            return 1
        steps = self.program.pace.steps(self.batch_size)
        return max(1, min(steps // self.steps, self.epochs - self.state.epoch))

    def run_epochs(self, n: int = 1) -> list[dict[str, float]]:
        """Run epochs; return loss and metrics of each. Several, as `at_once` says, are one call."""
        first, batch, steps = self.state.epoch, self.batch_size, self.steps
        orders: list[Any] = [None]
        if isinstance(self.feed, ArrayFeed):
            draws = None if self.steps_per_epoch is None else steps * batch
            seed, n_examples = self.state.seed, self.source.n_examples
            orders = [shuffled(n_examples, seed, first + k, draws=draws) for k in range(n)]
        if n > 1:
            orders = [np.concatenate([order[: steps * batch] for order in orders])]
        part = self.feed.orders(orders[0], batch, (self.state.seed, first))
        rates = SCHEDULES[self.schedule](
            self.state.learning_rate,
            np.arange(first * steps, (first + n) * steps),
            self.epochs * steps,
        )
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
        """Return loss and metrics on the validation examples, named ``val_...``."""
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

    def judge(self, logs: dict[str, float]) -> None:
        """Note the best epoch and lower the rate on a plateau."""
        state = self.state
        value = logs.get("val_loss")
        if value is not None:
            if value < state.best_value:
                state.best_value, state.best_epoch, state.wait = value, state.epoch, 0
                self.best = self.program.snapshot(weights_only=True)
            else:
                state.wait += 1
        if self.schedule == "plateau":
            watched = logs["loss"] if value is None else value
            if watched < state.plateau_value:
                state.plateau_value, state.plateau_wait = watched, 0
            else:
                state.plateau_wait += 1
            if state.plateau_wait >= PLATEAU_PATIENCE:
                state.plateau_wait = 0
                floor = self.first_rate * PLATEAU_FLOOR
                state.learning_rate = max(state.learning_rate * PLATEAU_FACTOR, floor)

    def follow(self, callbacks: Callbacks, left: float | None) -> None:
        """Take over a learning rate that callbacks have set since it was `left` as it was."""
        now = callbacks.learning_rate()
        if now is None or left is None or now == left:
            return
        if self.schedule == "cosine":  # what is left of the curve is scaled
            self.state.learning_rate *= now / left if left else 1.0
        else:
            self.state.learning_rate = now

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

    def current_state(self) -> TrainingState:
        """Return the state as it is now, as read-only arrays of its own."""
        return _as_arrays(self.copy_state())

    def state_before(self, epoch: int) -> TrainingState:
        """Return the state before a diverging epoch, by running again from the one that is kept."""
        kept = _as_arrays(self.kept[1])
        rates = self.state.history.get("learning_rate", [])
        final, self.state, self.progress = self.state, kept, None
        self.load(kept)
        for self.state.epoch in range(kept.epoch, epoch):
            self.state.learning_rate = rates[self.state.epoch]
            self.run_epochs()
        self.state = final
        return self.current_state()


def _as_arrays(state: TrainingState) -> TrainingState:
    lists = {name: getattr(state, name) for name in TrainingState.LISTS}
    arrays: dict[str, Any] = {
        k: None if v is None else [_frozen(tensor) for tensor in v] for k, v in lists.items()
    }
    return dataclasses.replace(state, **arrays)


def _frozen(tensor: Any) -> np.ndarray:
    """Return a read-only array: predict may then trust that it still is what the engine holds."""
    array = np.array(tensor)
    array.flags.writeable = False
    return array
