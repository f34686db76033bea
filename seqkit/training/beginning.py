"""Where a fit begins: which way it is trained, and its first state."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.architecture import Architecture
from seqkit.draws import derived_seed
from seqkit.errors import explain, suggest
from seqkit.native import plans
from seqkit.native.parameters import DROPOUT
from seqkit.objective import Objective
from seqkit.training.native_run import OPTIMIZERS
from seqkit.training.state import TrainingState

if TYPE_CHECKING:
    import keras

    from seqkit.training.program import Program

__all__ = ["fresh_graph_state", "fresh_native_state", "native_shapes", "not_native"]


def not_native(
    build: Callable[[], keras.Model],
    loss: Any = None,
    sources: Sequence[Any] = (),
    optimizer: Any = "adam",
    callbacks: Sequence[Any] = (),
    output: str | None = None,
) -> str:
    """Return why a network is not trained (or asked) natively, or nothing if it is.

    Parameters are those of :func:`fit`; `loss` None stands for a prediction, `sources` are those
    of training and validation.
    """
    keras = sys.modules.get("keras")
    policy = "float32" if keras is None else keras.config.dtype_policy().name
    if policy != "float32":
        return f"Keras's dtype policy is {policy}"
    if not isinstance(build, Architecture):
        return "it is a model of one's own"
    if callbacks:
        return "callbacks are given a keras.Model"
    if loss is not None and not isinstance(loss, Objective):
        return "the loss is an object of Keras"
    if optimizer not in tuple(OPTIMIZERS):
        return f"the optimizer {optimizer!r} is Keras's"
    if not all(hasattr(source, "take") for source in sources):
        return "the examples are a stream"
    why = plans.refusal(build.builder, build.settings)
    if not why:
        own = plans.PLANS[build.builder].output
        if output not in ((own,) if loss is not None else (own, None)):
            return f"the output {output} is Keras's"
    return why


def _with_constants(
    values: list[np.ndarray],
    constants: Mapping[str, np.ndarray] | None,
    paths: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
) -> list[np.ndarray]:
    """Return first weights with the constants in their places, all shapes checked."""
    for path, value in (constants or {}).items():
        if path not in paths:
            raise ValueError(
                explain(
                    "fit",
                    "constants",
                    f"by the path of a weight {list(paths)}",
                    path,
                    suggest(path, paths),
                )
            )
        place = paths.index(path)
        values[place] = np.asarray(value, values[place].dtype).reshape(values[place].shape)
    if [np.shape(v) for v in values] != list(shapes):
        raise ValueError(
            explain(
                "fit", "initial_weights", f"of the shapes {list(shapes)}", [v.shape for v in values]
            )
        )
    return values


def fresh_graph_state(
    program: Program,
    seed: int,
    rate: float,
    constants: Mapping[str, np.ndarray] | None,
    weights: Sequence[np.ndarray] | None,
) -> TrainingState:
    """Return the state of a fit on an engine before its first step."""
    from seqkit.training.initial import initial_weights

    engine = program.engine
    values = (
        initial_weights(engine.model, seed, engine.fresh)
        if weights is None
        else [np.asarray(w) for w in weights]
    )
    paths = [variable.path for variable in engine.model.weights]
    shapes = [tuple(variable.shape) for variable in engine.model.weights]
    values = _with_constants(values, constants, paths, shapes)
    variables = [np.array(v) for v in program.fresh_optimizer]
    if not program.scheduled:
        place = next(
            i for i, v in enumerate(program.optimizer.variables) if v is program.learning_rate
        )
        variables[place] = np.asarray(rate, variables[place].dtype)
    seeds = [
        np.array([derived_seed(seed, DROPOUT, i), 0]).astype(v.dtype.as_numpy_dtype)
        for i, v in enumerate(engine.seed_states)
    ]
    return TrainingState(values, variables, seeds, seed=int(seed), learning_rate=rate)


def fresh_native_state(
    network: Any,
    optimizer: str,
    seed: int,
    rate: float,
    constants: Mapping[str, np.ndarray] | None,
    weights: Sequence[np.ndarray] | None,
) -> TrainingState:
    """Return what `fresh_graph_state` does for the same settings, for a native network."""
    parameters = network.parameters
    values = parameters.initial(seed) if weights is None else [np.asarray(w) for w in weights]
    paths = [p.path for p in parameters.all]
    values = _with_constants(values, constants, paths, [p.shape for p in parameters.all])
    variables: list[np.ndarray] = [np.array(0, np.int64), np.array(rate, np.float32)]
    for p in parameters.all:
        if p.trainable:
            moments = OPTIMIZERS[optimizer].moments
            variables += [np.zeros(p.shape, np.float32) for _ in range(moments)]
    seeds = parameters.first_seeds(seed)
    return TrainingState(values, variables, seeds, seed=int(seed), learning_rate=rate)


def native_shapes(network: Any, optimizer: str) -> dict[str, list[tuple[int, ...]]]:
    """Return the shapes of all arrays of a native network's state."""
    parameters = network.parameters
    moments = OPTIMIZERS[optimizer].moments
    trained = [p.shape for p in parameters.all if p.trainable]
    return {
        "weights": [p.shape for p in parameters.all],
        "optimizer_variables": [(), (), *(shape for shape in trained for _ in range(moments))],
        "seed_states": [s.shape for s in parameters.seeds],
    }
