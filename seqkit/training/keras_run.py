"""A fit under way in Keras: a traced step a batch."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqkit.errors import explain
from seqkit.training.buckets import joined_batches
from seqkit.training.callbacks import Callbacks
from seqkit.training.run import LOOK_SECONDS, GradientNorms, Run
from seqkit.training.sources import Source, batches_of
from seqkit.training.state import TrainingState
from seqkit.training.trainee import Model, Trainee, value_of

__all__ = ["KerasRun", "predict_with_keras"]

WHOLE_VECTORS = 16
"""Rows are predicted in multiples of this many (the widest vector of float32 that CPUs have).

What is left over of a vector is computed one by one, with another rounding: without whole vectors
the prediction of a row would depend, in its last bit, on how many others are asked for with it."""


@dataclasses.dataclass
class KerasRun(Run):
    """A fit under way on a Keras model of its own."""

    trainee: Trainee
    hooks: Any

    def __post_init__(self) -> None:
        optimizer = self.trainee.optimizer
        self.variables = [self.trainee.weights, optimizer.variables, self.trainee.seed_states]
        self.load(self.state)
        self.begin()

    def learning_rate(self) -> float:
        """Return the rate of the epoch's last step, or what a schedule object says by now."""
        if self.trainee.scheduled:
            return float(self.trainee.optimizer.learning_rate)
        return super().learning_rate()

    def load(self, state: TrainingState) -> None:
        lists = (state.weights, state.optimizer_variables, state.seed_states)
        for variables, values in zip(self.variables, lists, strict=True):
            self.trainee.load(variables, values)

    def run_epoch(self) -> dict[str, float]:
        total, count, state = 0.0, 0, self.trainee.metric_start()
        rates, looked, norms = self.rates(), time.perf_counter(), GradientNorms(self.clipnorm)
        for step, batch in enumerate(self.batches()):
            self.hooks.call("on_train_batch_begin", step, {})
            loss, norm, state = self.trainee.step(batch, rates[step], state)
            norms.add(float(norm))
            n = _rows(batch)
            total, count = total + float(loss) * n, count + n
            self.hooks.call("on_train_batch_end", step, {"loss": total / count})
            if self.progress is not None and time.perf_counter() - looked > LOOK_SECONDS:
                looked = time.perf_counter()
                self.progress(self.state.epoch, step + 1, self.steps)
            if not np.isfinite(total) or self.hooks.stopped:
                break
        if self.progress is not None:
            self.progress(self.state.epoch, self.steps, self.steps)
        return {"loss": total / count, **self.trainee.results(state), **norms.result()}

    def evaluate(self) -> dict[str, float]:
        assert self.validation is not None
        total, count, state = 0.0, 0, self.trainee.metric_start()
        for step, batch in enumerate(batches_of(self.validation, max(self.batch_size, 256))):
            self.hooks.call("on_test_batch_begin", step, {})
            loss, state = self.trainee.test(batch, state)
            n = _rows(batch)
            total, count = total + float(loss) * n, count + n
            self.hooks.call("on_test_batch_end", step, {"loss": total / count})
        logs = {"loss": total / count, **self.trainee.results(state)}
        return {f"val_{name}": value for name, value in logs.items()}

    def sync(self, callbacks: Callbacks, left: float | None) -> None:
        now = callbacks.learning_rate()
        if now is None or left is None or now == left:
            return
        if self.schedule == "cosine":  # what is left of the curve is scaled
            self.state.learning_rate *= now / left if left else 1.0
        else:
            self.state.learning_rate = now

    def weights_now(self) -> Sequence[Any]:
        return [value_of(v) for v in self.trainee.weights]

    def copy_state(self) -> TrainingState:
        weights, optimizer, seeds = ([value_of(v) for v in part] for part in self.variables)
        return dataclasses.replace(
            self.state,
            weights=weights,
            optimizer_variables=optimizer,
            seed_states=seeds,
            best_weights=None if self.best is None else list(self.best),
            history={k: list(v) for k, v in self.state.history.items()},
        )


def _rows(batch: Any) -> int:
    """Return how many examples a batch has."""
    return len(tf.nest.flatten(batch[0])[0])


@functools.lru_cache(maxsize=4)
def _predicting(key: Hashable, output: str | None, *process: Any) -> list[Any]:
    """Return where a model for predictions is kept: a few, since each costs a trace."""
    return [threading.Lock(), None]


def predict_with_keras(
    build: Callable[[], keras.Model],
    key: Hashable,
    weights: Sequence[np.ndarray],
    source: Any,
    batch_size: int,
    output: str | None,
) -> np.ndarray:
    """Return a Keras model's prediction for every example of a source, in order."""
    strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    policy = keras.config.floatx(), keras.config.dtype_policy().name
    held = _predicting(key, output, *policy, strategy)
    with held[0]:
        model = held[1] = held[1] or Model(build, output)
        if len(weights) != len(model.weights):
            expected = f"{len(model.weights)} arrays"
            hint = "They belong to another architecture."
            raise ValueError(explain("predict", "weights", expected, len(weights), hint))
        model.load(model.weights, weights)
        predictions = []
        for inputs in _inputs(source, batch_size):
            outputs = keras.tree.flatten(model.predict(inputs))
            if len(outputs) != 1:
                got, hint = f"{len(outputs)} outputs", "Name the layer with output=."
                raise ValueError(explain("predict", "the model", "of one output", got, hint))
            predictions.append(outputs[0].numpy())
    return joined_batches(predictions)[: source.n_examples]


def _inputs(source: Any, batch_size: int) -> Any:
    """Yield the inputs of all examples in batches of whole vectors, the last row repeated."""
    if not isinstance(source, Source):
        yield from (inputs for inputs, _, _ in batches_of(source, batch_size))
        return
    n = source.n_examples
    batch_size = min(batch_size, n)
    batch_size += -batch_size % WHOLE_VECTORS
    order = np.minimum(np.arange(n + -n % WHOLE_VECTORS), n - 1)
    for start in itertools.count(0, batch_size):
        if start >= len(order):
            return
        yield source.take(order[start : start + batch_size])[0]
