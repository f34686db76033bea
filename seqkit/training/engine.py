"""Engines: a model with its traced training, evaluation and prediction functions, held in a pool.

Tracing a recurrent model costs seconds, a fit of a small one costs less. So what was traced is
kept: an engine is one ``keras.Model`` of an architecture, its optimizers and its graphs. A fit
borrows an engine, sets weights, optimizer state and random state to what they are in a fresh model,
and gives it back. Everything that may change between fits (data, learning rate, batch size,
clipping norm, number of steps) is an argument of the graph.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from seqkit.collection import collection_paused
from seqkit.errors import explain, suggest
from seqkit.kernels import n_side_by_side
from seqkit.training.feeds import ArrayFeed, feed_of
from seqkit.training.initial import BUILD_LOCK, python_seed
from seqkit.training.pace import Pace
from seqkit.training.sources import Source

__all__ = [
    "POOL",
    "Engine",
    "EnginePool",
    "trace_count",
]

_TRACES = 0

WHOLE_VECTORS = 16
"""Rows are predicted in multiples of this many (the widest vector of float32 that CPUs have).

What is left over of a vector is computed one by one, with another rounding: without whole vectors
a row's answer would depend, in its last bit, on how many others are asked for with it."""


def trace_count() -> int:
    """Return how many graphs this process has traced; a fit that shares one leaves it unchanged.

    Examples
    --------
    >>> trace_count() >= 0
    True
    """
    return _TRACES


def _count_trace() -> None:
    global _TRACES
    _TRACES += 1


def _forget_custom_gradients(graph: Any) -> None:
    """Take the custom gradients of a traced graph out of TensorFlow's registry.

    It keeps them by name for ever, and they refer to tensors and so to the whole graph: every
    architecture would cost memory that no eviction gives back. They were used while the graph was
    traced; nobody takes the gradient of a whole graph of an engine.
    """
    definition = graph.graph.as_graph_def()
    nodes = itertools.chain(definition.node, *(f.node_def for f in definition.library.function))
    for node in nodes:
        name = node.attr["_gradient_op_type"].s.decode() if "_gradient_op_type" in node.attr else ""
        if name.startswith("CustomGradient-"):
            gradient_registry._registry.pop(name, None)


class Engine:
    """One model of an architecture, with its traced functions and what they hold at the moment.

    Parameters
    ----------
    build : callable
        ``() -> keras.Model``.
    key : Hashable
        What names the architecture in the pool.
    """

    def __init__(self, build: Callable[[], keras.Model], key: Hashable) -> None:
        self.key = key
        self.strategy = tf.distribute.get_strategy()
        # Layers that draw their own seeds while they are built see the same generator every time.
        with python_seed(0), collection_paused():
            self.model = build()
        if not self.model.built:
            raise ValueError(
                explain(
                    "fit",
                    "the model",
                    "built (its weights made)",
                    self.model.name,
                    "Give it an Input layer, or call its build method.",
                )
            )
        weights = {id(variable) for variable in self.model.weights}
        self.weights = [variable.value for variable in self.model.weights]
        self.fresh = [variable.numpy() for variable in self.model.weights]
        self.seed_states = [v.value for v in self.model.variables if id(v) not in weights]
        self.pace = Pace()  # of prediction
        self.held: list[np.ndarray] | None = None
        self.programs: OrderedDict[Hashable, Any] = OrderedDict()
        self.functions: OrderedDict[Hashable, Any] = OrderedDict()
        self._views: dict[str | None, keras.Model] = {None: self.model}

    @property
    def distributed(self) -> bool:
        """Whether several replicas share a step."""
        return self.strategy.num_replicas_in_sync > 1

    def view(self, output: str | None) -> keras.Model:
        """Return the model that ends at the layer ``output``; the whole model for None."""
        if output not in self._views:
            names = [layer.name for layer in self.model.layers]
            if output not in names:
                raise ValueError(
                    explain(
                        "fit",
                        "output",
                        f"the name of a layer {names}",
                        output,
                        suggest(str(output), names),
                    )
                )
            self._views[output] = keras.Model(
                self.model.inputs, self.model.get_layer(output).output, name=f"to_{output}"
            )
        return self._views[output]

    def traced(self, key: Hashable, function: Callable[..., Any], specs: Sequence[Any]) -> Any:
        """Return the graph of ``function`` kept under ``key``; trace it if there is none."""
        found = self.functions.get(key)
        if found is None:
            with BUILD_LOCK, self.strategy.scope(), collection_paused():
                found = tf.function(function, autograph=False).get_concrete_function(*specs)
                _forget_custom_gradients(found)
                _count_trace()
            self.functions[key] = found
            while len(self.functions) > EnginePool.FUNCTIONS:
                self.functions.popitem(last=False)
        self.functions.move_to_end(key)
        return found

    def forget(self, program: int) -> None:
        """Drop the graphs of a program."""
        for name in [k for k in self.functions if isinstance(k, tuple) and program in k]:
            del self.functions[name]

    def assign(self, variables: Sequence[tf.Variable], values: Sequence[Any]) -> None:
        """Set variables."""
        with self.strategy.scope():
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def hold(self, weights: Sequence[np.ndarray]) -> None:
        """Load weights, unless these very arrays are loaded and cannot have been changed."""
        held = self.held
        if (
            held is not None
            and len(held) == len(weights)
            and all(a is b and not b.flags.writeable for a, b in zip(held, weights, strict=True))
        ):
            return
        if len(weights) != len(self.weights):
            raise ValueError(
                explain(
                    "predict",
                    "weights",
                    f"{len(self.weights)} arrays",
                    len(weights),
                    "They belong to another architecture.",
                )
            )
        self.held = None
        self.assign(self.weights, weights)
        self.held = list(weights)

    def predict(self, source: Source, batch_size: int, output: str | None) -> np.ndarray:
        """Return the model's answer for every example, in order."""
        model = self.view(output)
        feed = feed_of(source)
        # batches of a stream, and those that go on from the one before, are in order
        in_order = any(getattr(layer, "stateful", False) for layer in model._flatten_layers())
        at_once = n_side_by_side() if isinstance(feed, ArrayFeed) and not in_order else 1

        def function(order: Any, n_steps: tf.Tensor, batch: tf.Tensor, *flat: tf.Tensor) -> Any:
            fetch = feed.fetcher(order, batch, flat)

            def one(step: tf.Tensor) -> list[tf.Tensor]:
                inputs, _, _ = fetch(step).all()
                return keras.tree.flatten(model(inputs, training=False))

            known = getattr(model, "outputs", None)  # of functional models
            first = [] if known else one(tf.constant(0))
            arrays = [
                tf.TensorArray(
                    t.dtype, n_steps, infer_shape=False, element_shape=[None, *t.shape[1:]]
                )
                for t in known or first
            ]
            for place, answer in enumerate(first):
                arrays[place] = arrays[place].write(0, answer)

            def body(step: tf.Tensor, arrays: list[tf.TensorArray]) -> Any:
                return step + 1, [a.write(step, t) for a, t in zip(arrays, one(step), strict=True)]

            _, arrays = tf.while_loop(
                lambda step, _: step < n_steps,
                body,
                (tf.constant(len(first) and 1), arrays),
                parallel_iterations=at_once,
            )
            return [a.concat() for a in arrays]

        graph = self.traced(
            ("predict", output, feed.specification),
            function,
            [
                feed.order_spec,
                tf.TensorSpec((), tf.int32),
                tf.TensorSpec((), tf.int64),
                *feed.specs,
            ],
        )
        tensors = feed.tensors()
        n, order = source.n_examples, None
        if isinstance(feed, ArrayFeed):
            batch_size = -(-min(batch_size, n) // at_once)  # batches side by side: same memory
            batch_size += -batch_size % WHOLE_VECTORS
            order = np.minimum(np.arange(n + -n % WHOLE_VECTORS), n - 1)
        part = feed.orders(order, batch_size, None)
        batch = tf.constant(batch_size, tf.int64)
        found = []
        for start, stop in self.pace.chunks(-(-n // batch_size), batch_size):
            answers = graph(part(start, stop), tf.constant(stop - start), batch, *tensors)
            if len(answers) != 1:
                raise ValueError(
                    explain(
                        "predict",
                        "the model",
                        "of one output",
                        f"{len(answers)} outputs",
                        "Name the layer with output=.",
                    )
                )
            found.append(answers[0].numpy())
        return (found[0] if len(found) == 1 else np.concatenate(found))[:n]


class EnginePool:
    """Idle engines by key, the most recently used kept; every borrower has an engine of its own."""

    ENGINES = 12
    FUNCTIONS = 24

    def __init__(self) -> None:
        self._idle: OrderedDict[int, Engine] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._idle)

    def clear(self) -> None:
        """Forget every idle engine, and with it its graphs."""
        with self._lock:
            self._idle.clear()

    @contextmanager
    def borrow(self, build: Callable[[], keras.Model], key: Hashable) -> Iterator[Engine]:
        """Lend the engine of ``key``, made by ``build`` when none is idle."""
        full_key = (
            key,
            keras.config.floatx(),
            keras.config.dtype_policy().name,
            tf.distribute.get_strategy() if tf.distribute.has_strategy() else None,
        )
        with self._lock:
            found = next((e for e in reversed(self._idle.values()) if e.key == full_key), None)
            if found is not None:
                del self._idle[id(found)]
        engine = found or Engine(build, full_key)
        try:
            yield engine
        finally:
            with self._lock:
                self._idle[id(engine)] = engine
                while len(self._idle) > self.ENGINES:
                    self._idle.popitem(last=False)


POOL = EnginePool()
