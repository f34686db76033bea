"""A Keras model with its loss, metrics and optimizer, and the traced step that trains it.

One ``tf.function`` takes one batch, under a ``tf.distribute`` strategy too: every replica takes its
share of the global batch, gradients are summed, and each makes the same update, which is that of
one device on the global batch, up to rounding (Goyal et al. 2017, section 3, with the loss of a
share weighted by its part of the batch).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from seqkit.errors import explain, suggest
from seqkit.network.architecture import Architecture
from seqkit.network.keras.kernels import only_watched
from seqkit.network.keras.weights import variables_of
from seqkit.system.collection import collection_paused
from seqkit.training.initial import BUILD_LOCK, python_seed
from seqkit.training.optimizers import keras_config

__all__ = ["Model", "Trainee", "rate_of", "value_of"]

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
"""Reductions of Keras losses that divide by the batch."""


class Model:
    """A Keras model as training sees it: its weights in an order of their own, and its graphs.

    Parameters
    ----------
    build : callable
        ``() -> keras.Model``; the weights of an :class:`Architecture` have the order of its
        description.
    output : str, optional
        Name of the layer whose output is wanted.

    Attributes
    ----------
    whole, view : keras.Model
        The model, and what ends at the layer `output`.
    weights : list of keras.Variable
    seed_states : list of keras.Variable
    """

    def __init__(self, build: Callable[[], keras.Model], output: str | None = None) -> None:
        self.strategy = tf.distribute.get_strategy()
        # Layers that draw their own seeds while they are built see the same generator every time.
        with python_seed(0), collection_paused():
            self.whole = build()
        if not self.whole.built:
            expected = "built (its weights made)"
            hint = "Give it an Input layer, or call its build method."
            raise ValueError(explain("fit", "the model", expected, self.whole.name, hint))
        self.weights = list(self.whole.weights)
        if isinstance(build, Architecture):
            self.weights = variables_of(build, self.whole)
        known = {id(variable) for variable in self.weights}
        self.seed_states = [v for v in self.whole.variables if id(v) not in known]
        self.view = self._view(output)

    def _view(self, output: str | None) -> keras.Model:
        if output is None:
            return self.whole
        names = [layer.name for layer in self.whole.layers]
        if output not in names:
            expected, hint = f"the name of a layer {names}", suggest(output, names)
            raise ValueError(explain("fit", "output", expected, output, hint))
        end = self.whole.get_layer(output).output
        return keras.Model(self.whole.inputs, end, name=f"to_{output}")

    @property
    def trained(self) -> list[Any]:
        """The weights that are trained, in their order."""
        known = {id(variable) for variable in self.whole.trainable_variables}
        return [variable for variable in self.weights if id(variable) in known]

    def load(self, variables: Sequence[Any], values: Sequence[Any]) -> None:
        """Set variables."""
        with self.strategy.scope():
            for variable, value in zip(variables, values, strict=True):
                variable.value.assign(value)

    def traced(self, function: Callable[..., Any], *specification: Any) -> Any:
        """Return the graph of a function of tensors like these."""
        with BUILD_LOCK, self.strategy.scope(), collection_paused():
            graph = tf.function(function, autograph=False).get_concrete_function(*specification)
            _forget_custom_gradients(graph)
        return graph

    def predict(self, batch: Any) -> Any:
        """Return the view's output for the inputs of a batch."""
        if not hasattr(self, "_predict"):
            like = tf.nest.map_structure(_specification, batch)
            self._predict = self.traced(lambda x: self.view(x, training=False), like)
        return self._predict(*_tensors((batch,)))


def value_of(variable: Any) -> np.ndarray:
    """Return a copy of a Keras variable's value."""
    return np.array(tf.convert_to_tensor(variable.value).numpy())


def _specification(array: Any) -> tf.TensorSpec:
    """Return what a tensor's graph depends on: its dtype and shape, but for the batch."""
    array = tf.convert_to_tensor(array)
    return tf.TensorSpec((None, *array.shape[1:]) if array.shape.rank else (), array.dtype)


def _common(one: tf.TensorSpec, other: tf.TensorSpec) -> tf.TensorSpec:
    """Return the specification of both: open where their shapes differ."""
    return one.most_specific_common_supertype([other])


def _tensors(structure: Any) -> Any:
    return tf.nest.map_structure(tf.convert_to_tensor, structure)


def _forget_custom_gradients(graph: Any) -> None:
    """Take the custom gradients of a traced graph out of TensorFlow's registry.

    It keeps them by name for ever, and they refer to tensors and so to the whole graph. They were
    used while the graph was traced; nobody takes the gradient of a whole graph here.
    """
    definition = graph.graph.as_graph_def()
    nodes = itertools.chain(definition.node, *(f.node_def for f in definition.library.function))
    for node in nodes:
        name = node.attr["_gradient_op_type"].s.decode() if "_gradient_op_type" in node.attr else ""
        if name.startswith("CustomGradient-"):
            gradient_registry._registry.pop(name, None)


class Trainee(Model):
    """A model with its loss, metrics and optimizer.

    Parameters
    ----------
    build, output
        As in :class:`Model`; loss and metrics see the view.
    loss, metrics, optimizer
        As in :func:`seqkit.training.fit`.
    example : (inputs, y, weight)
        A batch: its shapes tell which accuracy is meant.
    clipnorm : float or None
    """

    def __init__(
        self, build: Callable[[], keras.Model], output: str | None, loss: Any,
        metrics: Sequence[Any], optimizer: Any, example: Any, clipnorm: float | None,
    ) -> None:  # fmt: skip
        super().__init__(build, output)
        self.loss, self.clipnorm = _resolve_loss(loss), clipnorm
        self.optimizer = _fresh_optimizer(optimizer)
        self.variables = self.trained
        with self.strategy.scope():
            self.optimizer.build(self.variables)
        self.learning_rate = self.optimizer._learning_rate
        schedules = keras.optimizers.schedules
        self.scheduled = isinstance(self.learning_rate, schedules.LearningRateSchedule)
        self.replicas = self.strategy.num_replicas_in_sync
        prediction = getattr(self.view, "output", None)  # of functional models
        if prediction is None:
            prediction = self.view(tf.nest.map_structure(lambda a: a[:1], example[0]))
        with self.strategy.scope():
            self.metrics = [_resolve_metric(m, example[1], prediction) for m in metrics]
        self._example = example
        self._graphs: dict[tuple[bool, int], tuple[Any, Any]] = {}

    @property
    def distributed(self) -> bool:
        """Whether several replicas share a step."""
        several: bool = self.replicas > 1
        return several

    def metric_start(self) -> list[list[tf.Tensor]]:
        """Return the metrics' variables as they are before the first batch."""
        return [[tf.convert_to_tensor(v.value) for v in m.variables] for m in self.metrics]

    def results(self, state: Any) -> dict[str, float]:
        """Return the metrics by name."""
        pairs = zip(self.metrics, state, strict=True)
        return {metric.name: float(metric.stateless_result(values)) for metric, values in pairs}

    def step(self, batch: Any, rate: float, state: Any) -> Any:
        """Train on a batch; return its loss, its gradient's norm, the metrics' state after it."""
        function = self._shared_step if self.distributed else self._step
        return self._run(True, function, batch, np.float32(rate), state)

    def test(self, batch: Any, state: Any) -> Any:
        """Return a batch's loss without training, and the metrics' state after it."""
        return self._run(False, self._test, batch, np.float32(0), state)

    def _run(self, training: bool, function: Any, batch: Any, rate: Any, state: Any) -> Any:
        there = tuple(part for part in batch if part is not None)  # weights may be absent
        given = _tensors((there, rate))
        # a batch may come with weights that the one before had not
        key = (training, len(there))
        like, graph = self._graphs.get(key, (None, None))
        wanted = tf.nest.map_structure(_specification, there)
        if like is not None:  # batches of other lengths have a graph of any length
            wanted = tf.nest.map_structure(_common, like, wanted)
        if like != wanted:

            def traced(there: Any, rate: Any, *flat: Any) -> Any:
                whole = there if len(there) == 3 else (*there, None)
                return function(whole, rate, tf.nest.pack_sequence_as(state, flat))

            graph = self.traced(
                traced,
                wanted,
                tf.TensorSpec((), tf.float32),
                *(tf.TensorSpec(t.shape, t.dtype) for t in tf.nest.flatten(state)),
            )
            self._graphs[key] = wanted, graph
        flat = (*tf.nest.flatten(given), *tf.nest.flatten(state))
        return graph(*flat)

    def _losses(self, y: Any, prediction: Any, weight: Any) -> tuple[Any, Any]:
        """Return the loss of the batch, and what regularisers and layers add to it."""
        loss = self.loss(y, prediction, sample_weight=weight)
        if self.distributed and str(self.loss.reduction) in MEANS:
            # Keras divides a mean by the replicas, shares weigh by their size instead
            loss *= self.replicas
        extra = [tf.cast(e, loss.dtype) for e in self.view.losses]
        return loss, tf.add_n(extra) if extra else tf.zeros((), loss.dtype)

    def _updated(self, state: Any, y: Any, prediction: Any, weight: Any) -> Any:
        return [
            metric.stateless_update_state(values, y, prediction, sample_weight=weight)
            for metric, values in zip(self.metrics, state, strict=True)
        ]

    def _gradients(self, batch: Any, scale: Callable[[Any, Any], Any]) -> Any:
        inputs, y, weight = batch
        variables = [v.value for v in self.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape, only_watched():
            for variable in variables:
                tape.watch(variable)
            prediction = self.view(inputs, training=True)
            loss = scale(*self._losses(y, prediction, weight))
        return loss, prediction, tape.gradient(loss, variables)

    def _step(self, batch: Any, rate: Any, state: Any) -> Any:
        loss, prediction, gradients = self._gradients(batch, lambda loss, extra: loss + extra)
        norm = self._apply(gradients, rate)
        return loss, norm, self._updated(state, batch[1], prediction, batch[2])

    def _test(self, batch: Any, rate: Any, state: Any) -> Any:
        inputs, y, weight = batch
        prediction = self.view(inputs, training=False)
        loss, extra = self._losses(y, prediction, weight)
        return loss + extra, self._updated(state, y, prediction, weight)

    def _apply(self, gradients: Sequence[Any], rate: Any, replicas: int = 1) -> Any:
        """Take one step of the optimizer and return the norm of the gradient as it was.

        A variable the loss does not depend on is left alone.
        """
        pairs = [
            (tf.convert_to_tensor(g), v)
            for g, v in zip(gradients, self.variables, strict=True)
            if g is not None
        ]
        used = [g for g, _ in pairs]
        norm = tf.cast(tf.linalg.global_norm(used) if used else 0.0, tf.float32)
        if self.clipnorm is not None:
            used = clip_by_global_norm(used, self.clipnorm)
        if not self.scheduled:
            self.learning_rate.assign(tf.cast(rate, self.learning_rate.dtype))
        # Keras sums over the replicas once more.
        used = [g / replicas for g in used] if replicas > 1 else used
        self.optimizer.apply(used, [v for _, v in pairs])
        return norm

    def _shared_step(self, batch: Any, rate: Any, state: Any) -> Any:
        """Take one step on all replicas: each computes its share of the batch."""
        n = tf.shape(tf.nest.flatten(batch)[0])[0]
        reduction, everybody = self.loss.reduction, batch[2]

        def replica(batch: Any, rate: Any, state: Any) -> Any:
            context = tf.distribute.get_replica_context()
            replica = context.replica_id_in_sync_group

            def share(rows: Any) -> Any:
                if rows is None:  # weights may be absent
                    return None
                mine = rows[replica :: self.replicas]
                # A last batch smaller than the replicas leaves some without: they compute one row
                # that counts for nothing, because everybody must take part in the sum.
                return tf.cond(tf.shape(mine)[0] > 0, lambda: mine, lambda: rows[:1])

            own = (n - tf.cast(replica, tf.int32) + self.replicas - 1) // self.replicas
            counts = tf.cast(own > 0, tf.float32)
            mine = tf.nest.map_structure(share, batch)
            part = tf.cast(own, tf.float32) / tf.cast(n, tf.float32)
            if reduction == "mean_with_sample_weight" and everybody is not None:
                part = counts * tf.reduce_sum(mine[2]) / tf.reduce_sum(everybody)
            elif reduction == "sum":
                part = counts
            loss, prediction, gradients = self._gradients(
                mine, lambda loss, extra: loss * part + extra / self.replicas
            )
            shown = tf.ones(tf.shape(mine[1])[:1]) if mine[2] is None else mine[2]
            updated = self._updated(state, mine[1], prediction, shown * counts)
            change = tf.nest.map_structure(lambda a, b: a - b, updated, state)
            gradients, loss, change = _sum_over_replicas(context, (gradients, loss, change))
            norm = self._apply(gradients, rate, self.replicas)
            return loss, norm, change

        # Every replica holds the same sums: one of them tells.
        loss, norm, change = tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[0],
            self.strategy.run(replica, args=(batch, rate, state)),
        )
        return loss, norm, tf.nest.map_structure(lambda a, b: a + b, state, change)

    def compile(self) -> None:
        """Compile the whole model, for callbacks that save it or ask for its optimizer."""
        # A loss of an inner layer's output is not one of the model's own.
        own = self.loss if self.view is self.whole else None
        self.whole.compile(optimizer=self.optimizer, loss=own)


def clip_by_global_norm(gradients: Sequence[tf.Tensor], clipnorm: float) -> list[tf.Tensor]:
    """Scale gradients so that the norm of all of them together is at most ``clipnorm``.

    Pascanu, Mikolov and Bengio (2013), algorithm 1. A zero gradient stays zero.
    """
    norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(g) for g in gradients]))
    scale = tf.minimum(tf.ones((), norm.dtype), tf.cast(clipnorm, norm.dtype) / norm)
    return [g * scale for g in gradients]  # norm 0 gives infinity, so 1


def _sum_over_replicas(context: Any, values: Any) -> Any:
    """Return a structure of tensors (or None), each summed over the replicas.

    All travel as one vector: with several sums under way at a time two workers may start them in
    different order and wait for each other for ever.
    """
    leaves = tf.nest.flatten(values)
    there = [leaf for leaf in leaves if leaf is not None]
    whole = context.all_reduce(
        tf.distribute.ReduceOp.SUM,
        tf.concat([tf.reshape(tf.cast(leaf, tf.float32), [-1]) for leaf in there], 0),
    )
    parts = tf.split(whole, [tf.size(leaf) for leaf in there], num=len(there))
    summed = iter(
        tf.cast(tf.reshape(part, tf.shape(leaf)), leaf.dtype)
        for part, leaf in zip(parts, there, strict=True)
    )
    return tf.nest.pack_sequence_as(
        values, [None if leaf is None else next(summed) for leaf in leaves]
    )


def _fresh_optimizer(optimizer: Any) -> Any:
    given = keras.optimizers.get(keras_config(optimizer))
    if given is optimizer:  # the caller's own object is never changed
        given = type(given).from_config(given.get_config())
    return given


def rate_of(optimizer: Any, learning_rate: float) -> float:
    """Return the learning rate an optimizer starts with: an object's own; NaN for a schedule."""
    if isinstance(optimizer, str | Mapping):
        return learning_rate
    rate = keras.optimizers.get(optimizer)._learning_rate
    return float(rate) if isinstance(rate, keras.Variable) else float("nan")


def _resolve_loss(loss: Any) -> Any:
    resolved = keras.losses.get(loss)
    if not isinstance(resolved, keras.losses.Loss):
        function = resolved

        class FunctionLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
            def call(self, y_true: Any, y_pred: Any) -> Any:
                return function(y_true, y_pred)

        resolved = FunctionLoss(name="loss")  # a lambda's own name is no valid scope
    return resolved


def _resolve_metric(metric: Any, y: Any, prediction: Any) -> keras.metrics.Metric:
    """Return a metric of its own for this fit; the shapes tell which accuracy is meant."""
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
    resolved = keras.metrics.get(metric)
    if not isinstance(resolved, keras.metrics.Metric):
        name = metric if isinstance(metric, str) else getattr(resolved, "__name__", "metric")
        resolved = keras.metrics.MeanMetricWrapper(resolved, name=name)
    return resolved
