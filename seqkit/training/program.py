"""Programs: how an engine's model is trained, its loss, metrics, optimizer and their graphs."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from functools import partial
from numbers import Real
from typing import Any

import keras
import tensorflow as tf

from seqkit.kernels import only_watched
from seqkit.training.distributed import distributed_step
from seqkit.training.engine import Engine
from seqkit.training.feeds import Batch, StreamFeed, feed_of
from seqkit.training.initial import BUILD_LOCK, python_seed
from seqkit.training.optimizing import apply_gradients
from seqkit.training.pace import Pace
from seqkit.training.sources import Source

__all__ = ["Program", "program_of", "rate_of"]

PROGRAMS = 4
"""Programs an engine keeps: a search over losses or optimizers does not fill the memory."""

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
"""Reductions of Keras losses that divide by the batch."""


def _identity(thing: Any) -> Hashable:
    """Return a key under which an equal loss, metric or optimizer is found again.

    Names stand for themselves; Keras's objects, and others that define ``get_config``, for their
    class and configuration (without name and learning rate, which are no part of a graph);
    functions and the rest for the object itself.
    """
    if isinstance(thing, list | tuple):
        return tuple(_identity(item) for item in thing)
    if isinstance(thing, dict):
        return json.dumps(thing, sort_keys=True, default=repr)
    if not _describes_itself(thing):
        return thing
    config = dict(thing.get_config())
    function = getattr(thing, "fn", getattr(thing, "_fn", None))  # of Keras's function wrappers
    if function is not None:
        config.pop("fn", None)
    if isinstance(config.get("learning_rate"), Real):  # not a schedule
        del config["learning_rate"]
    if not isinstance(thing, keras.metrics.Metric):
        config.pop("name", None)  # Keras numbers the names of optimizers and losses
    return type(thing), function, json.dumps(config, sort_keys=True, default=repr)


def _describes_itself(thing: Any) -> bool:
    """Return whether ``get_config`` tells all: Keras's own classes, or one that overrides it."""
    kind = type(thing)
    if not hasattr(kind, "get_config"):
        return False
    owner = next(base for base in kind.__mro__ if "get_config" in vars(base))
    return kind.__module__.startswith("keras.") or not owner.__module__.startswith("keras.")


class Program:
    """A way of training an engine's model: a loss, metrics, an optimizer and their graphs."""

    def __init__(
        self, engine: Engine, loss: Any, metrics: Sequence[Any], optimizer: Any, output: str | None
    ) -> None:
        self.engine = engine
        self.model = engine.view(output)
        self.loss = _resolve_loss(loss)
        self.user_metrics = list(metrics)
        self.metrics: list[keras.metrics.Metric] | None = None  # made when the shapes are known
        with python_seed(0):
            self.optimizer = _fresh_optimizer(optimizer)
            self.variables = list(self.engine.model.trainable_variables)
            self.optimizer.build(self.variables)
        self.optimizer_variables = [v.value for v in self.optimizer.variables]
        self.fresh_optimizer = [v.numpy() for v in self.optimizer.variables]
        self.learning_rate = self.optimizer._learning_rate
        self.scheduled = isinstance(
            self.learning_rate, keras.optimizers.schedules.LearningRateSchedule
        )
        self.state_variables = [*engine.weights, *self.optimizer_variables, *engine.seed_states]
        self.pace = Pace(adapts=not engine.distributed)
        self.evaluation_pace = Pace()
        self._metric_start: list[list[tf.Tensor]] = []

    def compile(self) -> None:
        """Compile the engine's model, for callbacks that save it or ask for its optimizer."""
        model = self.engine.model
        if getattr(model, "optimizer", None) is not self.optimizer:
            # A loss of an inner layer's output is not one of the model's own.
            model.compile(optimizer=self.optimizer, loss=self.loss if self.model is model else None)

    def snapshot(self, weights_only: bool = False) -> list[tf.Tensor]:
        """Return weights, optimizer variables and seed states as they are (copied on write)."""
        n = len(self.engine.weights) if weights_only else len(self.state_variables)
        return [tf.identity(v) for v in self.state_variables[:n]]

    def _make_metrics(self, y: Any, prediction: Any) -> list[keras.metrics.Metric]:
        if self.metrics is None:
            with tf.init_scope():
                self.metrics = [_resolve_metric(m, y, prediction) for m in self.user_metrics]
        return self.metrics

    def _update_metrics(self, state: Any, y: Any, prediction: Any, weight: Any) -> Any:
        metrics = self._make_metrics(y, prediction)
        return [
            metric.stateless_update_state(values, y, prediction, sample_weight=weight)
            for metric, values in zip(metrics, state, strict=True)
        ]

    def _results(self, state: Any) -> list[tf.Tensor]:
        return [
            tf.cast(m.stateless_result(v), tf.float64)
            for m, v in zip(self.metrics or [], state, strict=True)
        ]

    def _losses(self, y: Any, prediction: Any, weight: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss of the batch, and what regularisers and layers add to it."""
        loss = self.loss(y, prediction, sample_weight=weight)
        if self.engine.distributed and str(self.loss.reduction) in MEANS:
            # Keras divides a mean by the replicas, shares weigh by their size instead
            loss *= self.engine.strategy.num_replicas_in_sync
        extra = [tf.cast(e, loss.dtype) for e in self.model.losses]
        return loss, tf.add_n(extra) if extra else tf.zeros((), loss.dtype)

    def metric_start(self, source: Source) -> list[list[tf.Tensor]]:
        """Return the metrics' variables as they are before the first batch."""
        if self.metrics is None:

            def look(order: Any, batch: Any, *flat: Any) -> None:
                inputs, y, _ = feed.fetcher(order, batch, flat)(tf.constant(0)).all()
                known = getattr(self.model, "output", None)  # of functional models
                self._make_metrics(y, self.model(inputs) if known is None else known)

            # Which accuracy is meant depends on shapes: look at them, running nothing.
            feed = feed_of(source)
            with BUILD_LOCK, self.engine.strategy.scope():
                tf.function(look, autograph=False).get_concrete_function(
                    feed.order_spec, tf.TensorSpec((), tf.int64), *feed.specs
                )
            metrics: list[Any] = self.metrics or []
            self._metric_start = [[tf.constant(v.numpy()) for v in m.variables] for m in metrics]
        return self._metric_start

    def _gradient_step(self, batch: Batch, rate: Any, clipnorm: Any, state: Any) -> Any:
        """Take one step; return the summed loss, the number of examples and the metrics' state."""
        inputs, y, weight = batch.all()
        variables = [v.value for v in self.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape, only_watched():
            for variable in variables:
                tape.watch(variable)
            prediction = self.model(inputs, training=True)
            loss, extra = self._losses(y, prediction, weight)
            loss += extra
        gradients = tape.gradient(loss, variables)
        apply_gradients(self.optimizer, gradients, self.variables, rate, clipnorm)
        n = tf.cast(batch.size, tf.float64)
        state = self._update_metrics(state, y, prediction, weight)
        return tf.cast(loss, tf.float64) * n, n, state

    def train_function(self, source: Source, clips: bool) -> Any:
        """Return the graph that runs any number of training steps, or of whole epochs.

        Its arguments are the order of the examples (or the iterator of a stream), the learning
        rate of every step, the batch size, the bound on the gradient, the number of epochs that
        order and rates are of, and what was summed so far in the first of them. It returns the
        sums of every epoch, the metrics' state in the last one, and the metrics of every epoch.
        """
        feed = feed_of(source)
        step_of = self._gradient_step
        if self.engine.distributed:
            step_of = partial(distributed_step, self)

        def function(
            order: Any,
            rates: tf.Tensor,
            batch: tf.Tensor,
            clipnorm: tf.Tensor,
            epochs: tf.Tensor,
            total: tf.Tensor,
            count: tf.Tensor,
            state: Any,
            *flat: tf.Tensor,
        ) -> Any:
            n_steps = tf.size(rates) // epochs

            def steps(
                order: Any, rates: tf.Tensor, total: tf.Tensor, count: Any, state: Any
            ) -> Any:
                fetch = feed.fetcher(order, batch, flat)

                def body(step: tf.Tensor, total: tf.Tensor, count: tf.Tensor, state: Any) -> Any:
                    loss, n, state = step_of(
                        fetch(step), rates[step], clipnorm if clips else None, state
                    )
                    return step + 1, total + loss, count + n, state

                _, total, count, state = tf.while_loop(
                    lambda step, *_: step < n_steps,
                    body,
                    (tf.constant(0), total, count, state),
                    parallel_iterations=1,
                )
                return total, count, state, self._results(state)

            def one(epoch: tf.Tensor, _sums: Any, state: Any, arrays: Any) -> Any:
                rows = tf.size(order) // epochs
                first, later = epoch * rows, epoch > 0
                *sums, state, found = steps(
                    order[first : first + rows],
                    rates[epoch * n_steps : (epoch + 1) * n_steps],
                    tf.where(later, tf.zeros_like(total), total),
                    tf.where(later, tf.zeros_like(count), count),
                    tf.nest.map_structure(partial(tf.where, later), begin, state),
                )
                kept = [a.write(epoch, v) for a, v in zip(arrays, [*sums, *found], strict=True)]
                return epoch + 1, sums, state, kept

            if isinstance(feed, StreamFeed):  # passed through once
                total, count, state, found = steps(order, rates, total, count, state)
                per_epoch = [v[None] for v in (total, count, *found)]
            else:
                arrays = [tf.TensorArray(tf.float64, epochs) for _ in range(2 + len(begin))]
                _, _, state, arrays = tf.while_loop(
                    lambda epoch, *_: epoch < epochs,
                    one,
                    (tf.constant(0), [total, count], state, arrays),
                    parallel_iterations=1,
                )
                per_epoch = [a.stack() for a in arrays]
            if not self.scheduled:
                rate = tf.cast(rates[-1], self.learning_rate.value.dtype)
                self.learning_rate.value.assign(rate)
            return per_epoch[0], per_epoch[1], state, per_epoch[2:]

        begin = self.metric_start(source)

        double = tf.TensorSpec((), tf.float64)
        return self.engine.traced(
            ("train", id(self), clips, feed.specification),
            function,
            [
                feed.order_spec,
                tf.TensorSpec((None,), tf.float32),
                tf.TensorSpec((), tf.int64),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.int32),
                double,
                double,
                _specs_of(begin),
                *feed.specs,
            ],
        )

    def evaluate_function(self, source: Source) -> Any:
        """Return the graph that gives loss and metrics over any number of batches."""
        feed = feed_of(source)
        double = tf.TensorSpec((), tf.float64)

        def function(
            order: Any,
            n_steps: tf.Tensor,
            batch: tf.Tensor,
            total: tf.Tensor,
            count: tf.Tensor,
            state: Any,
            *flat: tf.Tensor,
        ) -> Any:
            fetch = feed.fetcher(order, batch, flat)

            def body(step: tf.Tensor, total: tf.Tensor, count: tf.Tensor, state: Any) -> Any:
                rows = fetch(step)
                inputs, y, weight = rows.all()
                prediction = self.model(inputs, training=False)
                loss, extra = self._losses(y, prediction, weight)
                n = tf.cast(rows.size, tf.float64)
                state = self._update_metrics(state, y, prediction, weight)
                return step + 1, total + tf.cast(loss + extra, tf.float64) * n, count + n, state

            _, total, count, state = tf.while_loop(
                lambda step, *_: step < n_steps,
                body,
                (tf.constant(0), total, count, state),
                parallel_iterations=1,
            )
            return total, count, state, self._results(state)

        return self.engine.traced(
            ("evaluate", id(self), feed.specification),
            function,
            [
                feed.order_spec,
                tf.TensorSpec((), tf.int32),
                tf.TensorSpec((), tf.int64),
                double,
                double,
                _specs_of(self.metric_start(source)),
                *feed.specs,
            ],
        )


def _specs_of(tensors: Any) -> Any:
    return tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), tensors)


def _fresh_optimizer(optimizer: Any) -> Any:
    given = keras.optimizers.get(optimizer)
    if given is optimizer:  # the caller's own object is never changed
        given = type(given).from_config(given.get_config())
    return given


def rate_of(optimizer: Any, learning_rate: float) -> float:
    """Return the learning rate an optimizer starts with: an object's own; NaN for a schedule."""
    if isinstance(optimizer, str):
        return learning_rate
    rate = keras.optimizers.get(optimizer)._learning_rate
    return float(rate) if isinstance(rate, keras.Variable) else float("nan")


def _resolve_loss(loss: Any) -> Any:
    found = keras.losses.get(loss)
    if not isinstance(found, keras.losses.Loss):
        function = found

        class FunctionLoss(keras.losses.Loss):
            def call(self, y_true: Any, y_pred: Any) -> Any:
                return function(y_true, y_pred)

        found = FunctionLoss(name="loss")  # a lambda's own name is no valid scope
    return found


def _resolve_metric(metric: Any, y: Any, prediction: Any) -> keras.metrics.Metric:
    """Return a metric of its own for this program; the shapes tell which accuracy is meant."""
    if metric in ("accuracy", "acc", "crossentropy", "ce"):
        if prediction.shape[-1] == 1:
            kind = "Binary"
        elif len(y.shape) < len(prediction.shape) or y.shape[-1] == 1:
            kind = "SparseCategorical"
        else:
            kind = "Categorical"
        ending = "Accuracy" if metric in ("accuracy", "acc") else "Crossentropy"
        return getattr(keras.metrics, kind + ending)(name=metric)
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).from_config(metric.get_config())
    found = keras.metrics.get(metric)
    if not isinstance(found, keras.metrics.Metric):
        name = metric if isinstance(metric, str) else getattr(found, "__name__", "metric")
        found = keras.metrics.MeanMetricWrapper(found, name=name)
    return found


def program_of(
    engine: Engine, loss: Any, metrics: Sequence[Any], optimizer: Any, output: str | None
) -> Program:
    """Return the engine's program for this loss, these metrics and this optimizer."""
    key = (_identity(loss), _identity(metrics), _identity(optimizer), output)
    if key not in engine.programs:
        engine.programs[key] = Program(engine, loss, metrics, optimizer, output)
        while len(engine.programs) > PROGRAMS:
            _, old = engine.programs.popitem(last=False)
            engine.forget(id(old))
    engine.programs.move_to_end(key)
    return engine.programs[key]
