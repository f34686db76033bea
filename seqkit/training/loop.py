"""The training loop: whole epochs inside one graph, for every model of seqkit.

``fit`` borrows an engine (see :mod:`seqkit.training.engine`), resets it, runs epochs and hands out
weights as NumPy arrays. Same seed, same weights, bit for bit, whatever ran before; no global seed
is touched.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqkit.errors import TrainingError, explain, suggest
from seqkit.training.engine import POOL, Engine, source_tensors
from seqkit.training.initial import derived_seed, initial_weights
from seqkit.training.program import Program, program_of
from seqkit.training.sources import Source
from seqkit.training.state import TrainingState

__all__ = ["SCHEDULES", "Fitted", "fit", "predict"]

CHUNK_SECONDS = 1.0
"""A long epoch returns to Python about this often: the bar moves, Ctrl-C works."""

PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_FLOOR = 0.5, 5, 1e-3
"""``plateau``: after 5 epochs without a better loss the rate is halved, down to a thousandth."""

SHUFFLE, DROPOUT = 1, 2  # what a derived seed is for


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
class Fitted:
    """What a fit returns.

    Attributes
    ----------
    weights : list of ndarray
        In the order of ``model.weights``, read-only; the best ones with early stopping.
    history : dict of str to list of float
        One value an epoch: ``loss``, the metrics, the same with ``val_`` before, ``learning_rate``.
    state : TrainingState
    epochs_run : int
    best_epoch : int
        Counted from 0; the last one when nothing was validated.
    """

    weights: list[np.ndarray]
    history: dict[str, list[float]]
    state: TrainingState
    epochs_run: int
    best_epoch: int


def epoch_order(n: int, seed: int, epoch: int, draws: int | None = None) -> np.ndarray:
    """Return the examples of an epoch in order: a shuffle, or ``draws`` of them with replacement.

    Depends on the arguments alone, so an interrupted fit continues with the same batches.
    """
    generator = np.random.Generator(np.random.PCG64([derived_seed(seed, SHUFFLE), epoch]))
    return generator.permutation(n) if draws is None else generator.integers(n, size=draws)


@dataclasses.dataclass
class _Run:
    """A fit under way: its settings, the engine it borrowed, and what it has reached."""

    program: Program
    source: Source
    validation: Source | None
    epochs: int
    batch_size: int
    schedule: str
    steps_per_epoch: int | None
    clipnorm: float | None
    patience: int
    state: TrainingState

    def __post_init__(self) -> None:
        self.engine: Engine = self.program.engine
        self.steps = self.steps_per_epoch or -(-self.source.n_examples // self.batch_size)
        self.tensors = tuple(source_tensors(self.source).values())
        self.train = self.program.train_function(self.source, self.clipnorm is not None)
        self.start = self.program.metric_start(self.source)
        self.names = [m.name for m in self.program.metrics or []]
        self.batch = tf.constant(self.batch_size, tf.int64)
        self.clip = tf.constant(self.clipnorm or 0.0, tf.float32)
        self.zero = tf.constant(0.0, tf.float64)
        if self.validation is not None:
            self.validate = self.program.evaluate_function(self.validation)
            self.validation_tensors = tuple(source_tensors(self.validation).values())
        self.snapshot = self.program.snapshot()
        self.best_snapshot: Sequence[Any] | None = self.state.best_weights

    def epoch(self, progress: Callable[[int, int, int], None] | None) -> dict[str, float]:
        """Run one epoch; return its loss and metrics."""
        epoch, n, batch = self.state.epoch, self.source.n_examples, self.batch_size
        draws = None if self.steps_per_epoch is None else self.steps * batch
        order = epoch_order(n, self.state.seed, epoch, draws)
        steps = np.arange(epoch * self.steps, (epoch + 1) * self.steps)
        rates = SCHEDULES[self.schedule](self.state.learning_rate, steps, self.epochs * self.steps)
        total, state, results = self.zero, self.start, None
        done = 0
        while done < self.steps:
            seconds = self.program.seconds_a_step
            # The first chunk of an engine is short: nobody knows yet how long a step takes.
            count = min(self.steps - done, max(1, int(CHUNK_SECONDS / seconds)) if seconds else 16)
            started = time.perf_counter()
            total, state, results = self.train(
                tf.constant(order[done * batch : (done + count) * batch], tf.int64),
                tf.constant(rates[done : done + count]),
                self.batch,
                self.clip,
                total,
                state,
                *self.tensors,
            )
            reached = float(total)
            self.program.seconds_a_step = (time.perf_counter() - started) / count
            done += count
            if progress is not None:
                progress(epoch, done, self.steps)
            if not math.isfinite(reached):
                break
        logs = {"loss": reached / min(len(order), done * batch)}
        logs.update({k: float(v) for k, v in zip(self.names, results or (), strict=True)})
        return logs

    def evaluate(self) -> dict[str, float]:
        """Return loss and metrics on the validation examples, named ``val_...``."""
        assert self.validation is not None
        loss, results = self.validate(
            tf.constant(max(self.batch_size, 256), tf.int64),
            tf.constant(self.validation.n_examples, tf.int64),
            self.zero,
            self.start,
            *self.validation_tensors,
        )
        logs = {"val_loss": float(loss)}
        logs.update({f"val_{k}": float(v) for k, v in zip(self.names, results, strict=True)})
        return logs

    def judge(self, logs: dict[str, float]) -> None:
        """Note the best epoch and lower the rate on a plateau."""
        state = self.state
        value = logs.get("val_loss")
        if value is not None:
            if value < state.best_value:
                state.best_value, state.best_epoch, state.wait = value, state.epoch, 0
                self.best_snapshot = self.snapshot[: len(self.engine.weights)]
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

    first_rate: float = 1e-3

    def current_state(self) -> TrainingState:
        """Return the state at the end of the last good epoch, as arrays of its own."""
        arrays = [_frozen(t) for t in self.snapshot]
        a = len(self.engine.weights)
        b = a + len(self.program.optimizer_variables)
        best = None if self.best_snapshot is None else [_frozen(t) for t in self.best_snapshot]
        return dataclasses.replace(
            self.state,
            weights=arrays[:a],
            optimizer_variables=arrays[a:b],
            seed_states=arrays[b:],
            best_weights=best,
            history={k: list(v) for k, v in self.state.history.items()},
        )


def _frozen(tensor: Any) -> np.ndarray:
    """Return a read-only array: predict may then trust that it still is what the engine holds."""
    array = np.array(tensor)
    array.flags.writeable = False
    return array


def _fresh_state(
    program: Program,
    seed: int,
    learning_rate: float | None,
    constants: Mapping[str, np.ndarray] | None,
    weights: Sequence[np.ndarray] | None,
) -> TrainingState:
    engine = program.engine
    values = (
        initial_weights(engine.model, seed) if weights is None else [np.asarray(w) for w in weights]
    )
    paths = [variable.path for variable in engine.model.weights]
    for path, value in (constants or {}).items():
        if path not in paths:
            raise ValueError(
                explain(
                    "fit",
                    "constants",
                    f"by the path of a weight {paths}",
                    path,
                    suggest(path, paths),
                )
            )
        place = paths.index(path)
        values[place] = np.asarray(value, values[place].dtype).reshape(values[place].shape)
    shapes = [tuple(variable.shape) for variable in engine.model.weights]
    if [np.shape(v) for v in values] != shapes:
        raise ValueError(
            explain("fit", "initial_weights", f"of the shapes {shapes}", [v.shape for v in values])
        )
    variables = [np.array(v) for v in program.fresh_optimizer]
    if program.scheduled:
        rate = math.nan
    else:
        place = next(
            i for i, v in enumerate(program.optimizer.variables) if v is program.learning_rate
        )
        rate = float(variables[place]) if learning_rate is None else float(learning_rate)
        variables[place] = np.asarray(rate, variables[place].dtype)
    seeds = [
        np.array([derived_seed(seed, DROPOUT, i), 0]).astype(v.dtype.as_numpy_dtype)
        for i, v in enumerate(engine.seed_states)
    ]
    return TrainingState(values, variables, seeds, seed=int(seed), learning_rate=rate)


def fit(
    build: Callable[[], keras.Model],
    source: Source,
    *,
    key: Hashable,
    seed: int,
    loss: Any,
    metrics: Sequence[Any] = (),
    validation: Source | None = None,
    epochs: int = 100,
    batch_size: int = 32,
    optimizer: Any = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "constant",
    steps_per_epoch: int | None = None,
    clipnorm: float | None = 1.0,
    patience: int = 10,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    constants: Mapping[str, np.ndarray] | None = None,
    initial_weights: Sequence[np.ndarray] | None = None,
    resume: TrainingState | None = None,
    output: str | None = None,
    verbose: int = 0,
    on_epoch: Callable[[int, dict[str, float], Callable[[], TrainingState]], None] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Fitted:
    """Train a model.

    Parameters
    ----------
    build : callable
        ``() -> keras.Model``. Called only when no idle engine of this ``key`` is in the pool.
    source : Source
        Training examples.
    key : Hashable
        Names the architecture: the same key must mean the same ``build``.
    seed : int
        Decides initial weights, shuffling and dropout; with them, the result.
    loss, metrics : name or keras object
        The loss is averaged as its ``reduction`` says; the logged loss weighs batches by size.
    validation : Source, optional
        Evaluated after every epoch.
    epochs : int, default=100
    batch_size : int, default=32
        The last batch of an epoch may be smaller.
    optimizer : str or keras.Optimizer, default="adam"
        An object is copied, never changed, and keeps its own learning rate (or schedule of it).
    learning_rate : float, default=1e-3
        For an optimizer given by name.
    schedule : {"constant", "cosine", "plateau"}, default="constant"
        See :data:`SCHEDULES`. ``plateau`` watches the validation loss, else the training loss.
    steps_per_epoch : int, optional
        That many batches, drawn with replacement, instead of a full pass.
    clipnorm : float or None, default=1.0
        Bound on the global norm of the gradients.
    patience : int, default=10
        Epochs without a lower validation loss before the fit ends with the best weights; 0 = off.
    callbacks : sequence of keras.callbacks.Callback
        Called at the ends of epochs and of the fit.
    constants : mapping of str to ndarray, optional
        Values by variable path, assigned after initialisation (statistics of scaling layers).
    initial_weights : list of ndarray, optional
        Start from these instead of fresh ones.
    resume : TrainingState, optional
        Continue where this state was taken, bit for bit; seed and learning rate are its own.
    output : str, optional
        Name of the layer whose output loss and metrics see; None = the model's output.
    verbose : int, default=0
        1 prints one line an epoch.
    on_epoch : callable, optional
        ``(epoch, logs, get_state)`` after every epoch; ``get_state()`` copies the state.
    on_progress : callable, optional
        ``(epoch, steps done, steps)`` about once a second within an epoch.

    Returns
    -------
    Fitted

    Raises
    ------
    TrainingError
        If the loss is not finite; carries the history and the state after the last good epoch.
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> def build():
    ...     return keras.Sequential([keras.Input((4, 1)), keras.layers.LSTM(2),
    ...                              keras.layers.Dense(1)])
    >>> x = np.linspace(0, 1, 32, dtype="float32").reshape(8, 4, 1)
    >>> fitted = fit(build, ArraySource(x, x.sum(1)), key="doctest", seed=0, loss="mse",
    ...              epochs=3, patience=0)
    >>> len(fitted.history["loss"]), predict(build, fitted.weights, ArraySource(x),
    ...                                      key="doctest").shape
    (3, (8, 1))
    """
    _check(epochs, batch_size, learning_rate, schedule, steps_per_epoch, clipnorm, patience, source)
    with POOL.borrow(build, key) as engine:
        program = program_of(engine, loss, metrics, optimizer, output)
        rate = learning_rate if isinstance(optimizer, str) else None
        state = (
            _fresh_state(program, seed, rate, constants, initial_weights)
            if resume is None
            else dataclasses.replace(
                resume, history={k: list(v) for k, v in resume.history.items()}
            )
        )
        engine.held = None
        engine.assign(
            program.state_variables,
            [*state.weights, *state.optimizer_variables, *state.seed_states],
        )
        run = _Run(
            program,
            source,
            validation,
            epochs,
            batch_size,
            schedule,
            steps_per_epoch,
            clipnorm,
            patience,
            state,
        )
        run.first_rate = state.learning_rate if resume is None else learning_rate
        while state.epoch < epochs and not (patience and state.wait >= patience):
            logs = run.epoch(on_progress)
            if validation is not None and math.isfinite(logs["loss"]):
                logs.update(run.evaluate())
            logs["learning_rate"] = state.learning_rate
            if not all(math.isfinite(logs.get(k, 0.0)) for k in ("loss", "val_loss")):
                history = {k: [*v, logs.get(k, math.nan)] for k, v in state.history.items()}
                raise TrainingError(_divergence(state, logs), history, run.current_state())
            for name, value in logs.items():
                state.history.setdefault(name, []).append(value)
            run.snapshot = program.snapshot()
            run.judge(logs)
            state.epoch += 1
            if verbose:
                shown = " ".join(f"{k}={v:.4g}" for k, v in logs.items())
                print(f"epoch {state.epoch}/{epochs} {shown}")
            if on_epoch is not None:
                on_epoch(state.epoch - 1, logs, run.current_state)
        final = run.current_state()
        restored = patience > 0 and final.best_weights is not None
        weights = list(final.best_weights if restored else final.weights)  # type: ignore[arg-type]
        if not restored:
            engine.held = weights
    best = final.best_epoch if final.best_epoch is not None else final.epoch - 1
    return Fitted(weights, final.history, final, final.epoch, best)


def _divergence(state: TrainingState, logs: dict[str, float]) -> str:
    where = "validation loss" if math.isfinite(logs["loss"]) else "loss"
    return (
        f"fit: the {where} became {logs['val_loss' if where[0] == 'v' else 'loss']} in epoch "
        f"{state.epoch + 1}. Try a lower learning_rate (it was {state.learning_rate:g}), "
        "clipnorm=1.0 or less, or scale the data (scale='standard')."
    )


def _check(
    epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str,
    steps_per_epoch: int | None,
    clipnorm: float | None,
    patience: int,
    source: Source,
) -> None:
    rules: Iterator[tuple[bool, str, str, Any]] = iter(
        [
            (epochs >= 0, "epochs", "0 or more", epochs),
            (batch_size >= 1, "batch_size", "1 or more", batch_size),
            (learning_rate > 0, "learning_rate", "positive", learning_rate),
            (schedule in SCHEDULES, "schedule", f"one of {sorted(SCHEDULES)}", schedule),
            (
                steps_per_epoch is None or steps_per_epoch >= 1,
                "steps_per_epoch",
                "1 or more",
                steps_per_epoch,
            ),
            (clipnorm is None or clipnorm > 0, "clipnorm", "positive, or None", clipnorm),
            (patience >= 0, "patience", "0 (off) or more", patience),
            (source.n_examples >= 1, "source", "of at least one example", source.n_examples),
        ]
    )
    for fine, what, expected, got in rules:
        if not fine:
            raise ValueError(explain("fit", what, expected, got))


def predict(
    build: Callable[[], keras.Model],
    weights: Sequence[np.ndarray],
    source: Source,
    *,
    key: Hashable,
    batch_size: int = 256,
    output: str | None = None,
) -> np.ndarray:
    """Return the model's answer for every example of a source, in order, from one graph call.

    Parameters
    ----------
    build, key
        As in :func:`fit`.
    weights : list of ndarray
        Read-only arrays, as :func:`fit` returns them, are loaded only if the engine does not hold
        them already.
    source : Source
    batch_size : int, default=256
        Examples a step; bounds the memory, changes nothing else.
    output : str, optional
        Name of the layer whose output is wanted; None = the model's output.

    Returns
    -------
    ndarray of shape (n_examples, ...)
    """
    with POOL.borrow(build, key) as engine:
        engine.hold(weights)
        return engine.predict(source, batch_size, output)
