"""Initial weights of a model from a seed, whatever the state of the process."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from seqkit.network import initializers
from seqkit.network.initializers import derived_seed

__all__ = ["BUILD_LOCK", "initial_weights", "python_seed"]

BUILD_LOCK = threading.RLock()
"""Building and tracing are done by one thread at a time: both touch state of the whole process."""


@contextmanager
def python_seed(seed: int) -> Iterator[None]:
    """Seed Python's generator for a while: Keras draws seeds of initialisers and dropout from it.

    The state of the generator is put back, so a program that uses it sees nothing.
    """
    with BUILD_LOCK:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)


def _owners(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Yield ``(layer, variable)`` for every weight, each once, owners before their children."""
    seen: set[int] = set()
    for layer in model._flatten_layers():
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
            if id(variable) not in seen:
                seen.add(id(variable))
                yield layer, variable


def _initializer(layer: Any, name: str) -> Any:
    """Return the initialiser of the layer's weight ``name`` by Keras's naming, or None.

    ``kernel`` has ``kernel_initializer``; ``recurrent_kernel`` has ``recurrent_initializer``.
    """
    for candidate in (f"{name}_initializer", f"{name.removesuffix('_kernel')}_initializer"):
        initializer = getattr(layer, candidate, None)
        if isinstance(initializer, keras.initializers.Initializer):
            return initializer
    return None


DRAWN: dict[type, Callable[[tuple[int, ...], int], np.ndarray]] = {
    keras.initializers.GlorotUniform: initializers.glorot_uniform,
    keras.initializers.HeUniform: initializers.he_uniform,
    keras.initializers.Orthogonal: initializers.orthogonal,
}
"""Initialisers drawn in NumPy, so that a network starts the same whatever trains it."""


def _draw(initializer: Any, variable: Any, seed: int) -> np.ndarray:
    config, shape = initializer.get_config(), tuple(variable.shape)
    own = DRAWN.get(type(initializer))
    plain = config.get("seed") is None and config.get("gain", 1.0) == 1.0
    plain = plain and (len(shape) <= 2 or own is initializers.he_uniform)
    if own is not None and plain and variable.dtype == "float32":
        return own(shape, seed)
    if "seed" in config and config["seed"] is None:
        initializer = type(initializer).from_config({**config, "seed": seed})
    return np.array(initializer(shape, dtype=variable.dtype))


def initial_weights(
    model: keras.Model, seed: int, fresh: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Return the weights that a fresh model of this architecture has for a seed.

    A layer may answer for itself with a method ``initial_weights(seed) -> {weight name: array}``.
    Else the initialisers that layers keep as ``<weight>_initializer`` are drawn from, each with a
    seed of its own (one given by the user stands). What they do not tell (a forget bias, a weight
    without such an attribute) comes from a copy of the model, built while Python's generator, where
    Keras takes its seeds, is seeded.

    Parameters
    ----------
    model : keras.Model
        Built; its own weights are neither read nor changed.
    seed : int
    fresh : list of ndarray, optional
        The model's weights as they were when it was built, if known: constants come from there,
        which saves the copy.

    Returns
    -------
    list of ndarray
        In the order of ``model.weights``; depends on the architecture and the seed alone.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> [w.shape for w in initial_weights(model, 0)]
    [(2, 3), (3,)]
    """
    values: dict[int, np.ndarray] = {}
    answers: dict[int, dict[str, np.ndarray]] = {}
    position = {id(variable): index for index, variable in enumerate(model.weights)}
    for layer, variable in _owners(model):
        index = position.get(id(variable))
        if index is None:  # state that is no weight
            continue
        hook = getattr(layer, "initial_weights", None)
        if callable(hook):
            if id(layer) not in answers:
                answers[id(layer)] = hook(derived_seed(seed, index))
            values[index] = np.asarray(answers[id(layer)][variable.name])
            continue
        initializer = _initializer(layer, variable.name)
        if initializer is None:
            continue
        told = variable.name != "bias" or not getattr(layer, "unit_forget_bias", False)
        if fresh is not None and "seed" not in initializer.get_config():
            values[index] = fresh[index]
        elif told:
            values[index] = _draw(initializer, variable, derived_seed(seed, index))
    if len(values) < len(position):
        with python_seed(derived_seed(seed, len(position))):
            copy = keras.models.clone_model(model)
        for index, value in enumerate(copy.get_weights()):
            values.setdefault(index, value)
    return [values[index] for index in range(len(position))]
