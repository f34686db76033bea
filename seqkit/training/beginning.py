"""Where a fit begins: what trains it, and its first state."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import explain, suggest
from seqkit.network.architecture import Architecture
from seqkit.network.cpu.sequences import unsupported
from seqkit.network.graph import DROPOUT, Network
from seqkit.network.initializers import derived_seed
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.losses import Objective
from seqkit.training.callbacks import needs_model
from seqkit.training.optimizers import UpdateRule, rule_of
from seqkit.training.state import TrainingState

if TYPE_CHECKING:
    import keras

    from seqkit.training.trainee import Trainee

__all__ = ["fresh_keras_state", "fresh_native_state", "native_shapes", "not_native"]


def not_native(
    build: Callable[[], keras.Model],
    loss: Any = None,
    optimizer: Any = "adam",
    callbacks: Sequence[Any] = (),
    output: str | None = None,
) -> str:
    """Return why a network is trained (or asked) by Keras, or nothing if it is so natively.

    Parameters are those of :func:`fit`; `loss` None stands for a prediction.
    """
    if not isinstance(build, Architecture):
        return "it is a model of one's own"
    seeing = [type(c).__name__ for c in callbacks if needs_model(c)]
    if seeing:
        return f"{', '.join(seeing)} must see a keras.Model"
    if loss is not None and not isinstance(loss, Objective):
        return "the loss is an object of Keras"
    if rule_of(optimizer) is None:
        return "the optimizer is an object of Keras"
    if why := _process():
        return why
    if build.kind == "ensemble":
        return "an ensemble is asked member by member"
    network = build.network
    for node in network.flat.nodes:
        if isinstance(node.layer, Recurrent) and (why := unsupported(node.layer.row)):
            return why
    known = (network.trained,) if loss is not None else (network.trained, network.output, None)
    return "" if output in known else f"the output {output} is a layer of Keras's"


def _process() -> str:
    """Return why this process is not for native networks: precision, strategies, a GPU."""
    keras: Any = sys.modules.get("keras")
    tf: Any = sys.modules.get("tensorflow")
    if hasattr(keras, "config"):
        kinds = {keras.config.floatx(), keras.config.dtype_policy().name}
        if kinds != {"float32"}:
            return f"compiled kernels compute in float32, not {' and '.join(sorted(kinds))}"
    if hasattr(tf, "distribute") and tf.distribute.has_strategy():
        return "a tf.distribute strategy shares the work"
    if hasattr(tf, "config"):
        return "there is a GPU" if tf.config.list_physical_devices("GPU") else ""
    return "there may be a GPU" if _may_have_gpu() else ""


def _may_have_gpu() -> bool:
    """Return whether TensorFlow should be asked for a GPU: a driver is there, and not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return _has_driver()


@functools.cache
def _has_driver() -> bool:
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def _with_constants(
    values: list[np.ndarray],
    constants: Mapping[str, np.ndarray] | None,
    paths: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
) -> list[np.ndarray]:
    """Return initial weights with the constants at their indices, all shapes checked."""
    for path, value in (constants or {}).items():
        if path not in paths:
            expected = f"by the path of a weight {list(paths)}"
            raise ValueError(explain("fit", "constants", expected, path, suggest(path, paths)))
        index = paths.index(path)
        values[index] = np.asarray(value, values[index].dtype).reshape(values[index].shape)
    if [np.shape(v) for v in values] != list(shapes):
        expected = f"of the shapes {list(shapes)}"
        raise ValueError(explain("fit", "initial_weights", expected, [v.shape for v in values]))
    return values


def fresh_keras_state(
    trainee: Trainee,
    described: Network | None,
    seed: int,
    rate: float,
    constants: Mapping[str, np.ndarray] | None,
    weights: Sequence[np.ndarray] | None,
) -> TrainingState:
    """Return the state of a fit in Keras before its first step.

    A described network starts from its own initial weights, as it does natively.
    """
    from seqkit.training.initial import initial_weights
    from seqkit.training.trainee import value_of

    if weights is not None:
        values = [np.asarray(w) for w in weights]
    elif described is not None:
        dtypes = [value_of(v).dtype for v in trainee.weights]
        initial = described.initial_weights(seed)
        values = [w.astype(t) for w, t in zip(initial, dtypes, strict=True)]
    else:
        fresh = [value_of(v) for v in trainee.whole.weights]
        values = initial_weights(trainee.whole, seed, fresh)
    shapes = [tuple(v.shape) for v in trainee.weights]
    values = _with_constants(values, constants, [v.path for v in trainee.weights], shapes)
    variables = [value_of(v) for v in trainee.optimizer.variables]
    if not trainee.scheduled:
        index = next(
            i for i, v in enumerate(trainee.optimizer.variables) if v is trainee.learning_rate
        )
        variables[index] = np.asarray(rate, variables[index].dtype)
    seeds = [
        np.array([derived_seed(seed, DROPOUT, i), 0]).astype(value_of(v).dtype)
        for i, v in enumerate(trainee.seed_states)
    ]
    return TrainingState(values, variables, seeds, seed=int(seed), learning_rate=rate)


def fresh_native_state(
    network: Network,
    rule: UpdateRule,
    seed: int,
    rate: float,
    constants: Mapping[str, np.ndarray] | None,
    weights: Sequence[np.ndarray] | None,
) -> TrainingState:
    """Return what `fresh_keras_state` does for the same settings, for a native network."""
    described = network.weights
    values = network.initial_weights(seed) if weights is None else [np.asarray(w) for w in weights]
    shapes = [w.shape for w in described]
    values = _with_constants(values, constants, [w.path for w in described], shapes)
    variables = rule.initial_state(rate, [w.shape for w in described if w.trainable])
    seeds = network.initial_seeds(seed)
    return TrainingState(values, variables, seeds, seed=int(seed), learning_rate=rate)


def native_shapes(network: Network, rule: UpdateRule) -> dict[str, list[tuple[int, ...]]]:
    """Return the shapes of all arrays of a native network's state."""
    return {
        "weights": [w.shape for w in network.weights],
        "optimizer_variables": rule.shapes([w.shape for w in network.weights if w.trainable]),
        "seed_states": [(2,)] * network.n_masks,
    }
