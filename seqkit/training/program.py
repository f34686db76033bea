"""Programs: how an engine's model is trained, its loss, metrics, optimizer and their graphs."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqkit.training.engine import Engine, specification, tensor_specs
from seqkit.training.initial import BUILD_LOCK, python_seed
from seqkit.training.optimizing import apply_gradients
from seqkit.training.sources import Source

__all__ = ["Program", "program_of"]

PROGRAMS = 4
"""Programs an engine keeps: a search over losses or optimizers does not fill the memory."""


def _identity(thing: Any) -> Hashable:
    """Return a key under which an equal loss, metric or optimizer is found again.

    Names stand for themselves, objects that describe themselves by ``get_config`` for their class
    and configuration, functions and the rest for the object itself.
    """
    if thing is None or isinstance(thing, str):
        return thing
    if isinstance(thing, list | tuple):
        return tuple(_identity(item) for item in thing)
    config = getattr(thing, "get_config", None)
    if callable(config):
        try:
            return type(thing), json.dumps(config(), sort_keys=True, default=_raise)
        except (TypeError, ValueError, NotImplementedError):
            return thing
    return thing


def _raise(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)


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
        self.seconds_a_step = 0.0
        self.compiled = False
        self._snapshot: Any = None

    def compile(self) -> None:
        """Compile the engine's model, for callbacks that save it or ask for its optimizer."""
        if self.engine.model.optimizer is not self.optimizer:
            self.engine.model.compile(optimizer=self.optimizer, loss=self.loss)

    def snapshot(self) -> list[tf.Tensor]:
        """Return weights, optimizer variables and seed states as they are now (copied on write)."""
        if self._snapshot is None:
            with BUILD_LOCK:
                self._snapshot = tf.function(
                    lambda: [tf.identity(v) for v in self.state_variables], autograph=False
                ).get_concrete_function()
        return self._snapshot()

    # -- graphs

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

    def _loss(self, y: Any, prediction: Any, weight: Any, model: keras.Model) -> tf.Tensor:
        loss = self.loss(y, prediction, sample_weight=weight)
        extra = model.losses  # of regularisers, and what layers add
        return tf.add_n([loss, *[tf.cast(e, loss.dtype) for e in extra]]) if extra else loss

    def metric_start(self, source: Source) -> list[list[tf.Tensor]]:
        """Return the metrics' variables as they are before the first batch."""
        if self.metrics is None:
            # Shapes decide which accuracy is meant: look at them without running anything.
            with BUILD_LOCK, tf.Graph().as_default():
                tensors = {
                    n: tf.zeros((1, *s.shape[1:]) if s.shape.rank else (), s.dtype)
                    for n, s in tensor_specs(source).items()
                }
                inputs, y, _ = source.gather(tensors, tf.zeros((1,), tf.int64))
                shapes = self.model.compute_output_shape(
                    keras.tree.map_structure(lambda t: tuple(t.shape), inputs)
                )
                del inputs
            prediction = tf.TensorSpec(shapes, "float32")
            self._make_metrics(y, prediction)
        assert self.metrics is not None
        return [[tf.convert_to_tensor(v.value) for v in m.variables] for m in self.metrics]

    def train_function(self, source: Source, clips: bool) -> Any:
        """Return the graph that runs any number of training steps."""
        specs = tensor_specs(source)
        names = list(specs)
        model, optimizer, variables = self.model, self.optimizer, self.variables

        def function(
            order: tf.Tensor,
            rates: tf.Tensor,
            batch: tf.Tensor,
            clipnorm: tf.Tensor,
            total: tf.Tensor,
            state: Any,
            *flat: tf.Tensor,
        ) -> Any:
            tensors = dict(zip(names, flat, strict=True))
            n = tf.size(order, out_type=tf.int64)
            n_steps = tf.size(rates)

            def body(step: tf.Tensor, total: tf.Tensor, state: Any) -> Any:
                start = tf.cast(step, tf.int64) * batch
                index = order[start : tf.minimum(start + batch, n)]
                inputs, y, weight = source.gather(tensors, index)
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    for variable in variables:
                        tape.watch(variable.value)
                    prediction = model(inputs, training=True)
                    loss = self._loss(y, prediction, weight, model)
                gradients = tape.gradient(loss, [v.value for v in variables])
                rate = rates[step]
                apply_gradients(optimizer, gradients, variables, rate, clipnorm if clips else None)
                total += tf.cast(loss, tf.float64) * tf.cast(tf.size(index), tf.float64)
                return step + 1, total, self._update_metrics(state, y, prediction, weight)

            _, total, state = tf.while_loop(
                lambda step, *_: step < n_steps,
                body,
                (tf.constant(0), total, state),
                parallel_iterations=1,
            )
            if not self.scheduled:
                self.learning_rate.value.assign(rates[n_steps - 1])
            return total, state, self._results(state)

        start = self.metric_start(source)
        return self.engine.traced(
            ("train", id(self), clips, specification(source)),
            function,
            [
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((None,), tf.float32),
                tf.TensorSpec((), tf.int64),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.float64),
                tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), start),
                *specs.values(),
            ],
        )

    def _results(self, state: Any) -> list[tf.Tensor]:
        return [
            tf.cast(m.stateless_result(v), tf.float64)
            for m, v in zip(self.metrics or [], state, strict=True)
        ]

    def evaluate_function(self, source: Source) -> Any:
        """Return the graph that gives loss and metrics over all examples."""
        specs = tensor_specs(source)
        names = list(specs)
        model = self.model

        def function(
            batch: tf.Tensor, n: tf.Tensor, total: tf.Tensor, state: Any, *flat: tf.Tensor
        ) -> Any:
            tensors = dict(zip(names, flat, strict=True))

            def body(start: tf.Tensor, total: tf.Tensor, state: Any) -> Any:
                index = tf.range(start, tf.minimum(start + batch, n))
                inputs, y, weight = source.gather(tensors, index)
                prediction = model(inputs, training=False)
                loss = self._loss(y, prediction, weight, model)
                total += tf.cast(loss, tf.float64) * tf.cast(tf.size(index), tf.float64)
                return start + batch, total, self._update_metrics(state, y, prediction, weight)

            _, total, state = tf.while_loop(
                lambda start, *_: start < n,
                body,
                (tf.constant(0, tf.int64), total, state),
                parallel_iterations=1,
            )
            return total / tf.cast(n, tf.float64), self._results(state)

        start = self.metric_start(source)
        scalar = tf.TensorSpec((), tf.int64)
        return self.engine.traced(
            ("evaluate", id(self), specification(source)),
            function,
            [
                scalar,
                scalar,
                tf.TensorSpec((), tf.float64),
                tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), start),
                *specs.values(),
            ],
        )


def _fresh_optimizer(optimizer: Any) -> Any:
    given = keras.optimizers.get(optimizer)
    if given is optimizer:  # the caller's own object is never changed
        given = type(given).from_config(given.get_config())
    return given


def _resolve_loss(loss: Any) -> Any:
    found = keras.losses.get(loss)
    if not isinstance(found, keras.losses.Loss):
        function = found

        class FunctionLoss(keras.losses.Loss):
            def call(self, y_true: Any, y_pred: Any) -> Any:
                return function(y_true, y_pred)

        found = FunctionLoss(name=getattr(function, "__name__", "loss"))
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
