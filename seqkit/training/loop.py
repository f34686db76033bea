"""The training loop of every model of seqkit.

A described network is trained natively, in compiled kernels and NumPy, and TensorFlow is not even
imported (:mod:`seqkit.network.native`). What needs Keras (a model, loss or optimizer of the user's
own, a GPU, another precision, a strategy, a callback that sees a model) is a traced step a batch.
Both take the same batches in the same loop, have one format of state, and hand out weights as NumPy
arrays. Same seed, same weights, bit for bit, whatever ran before; no global seed is touched.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import TrainingError, explain
from seqkit.network.architecture import Architecture
from seqkit.network.cpu.shards import one_of_several
from seqkit.network.losses import Objective
from seqkit.network.native import NativeNetwork, borrowed
from seqkit.stopping import smoothing_window
from seqkit.system.backend import check_backend
from seqkit.training.beginning import (
    fresh_keras_state,
    fresh_native_state,
    native_shapes,
    not_native,
)
from seqkit.training.callbacks import LogCallbacks
from seqkit.training.native_run import NativeRun, predict_natively
from seqkit.training.optimizers import rule_of
from seqkit.training.run import NORMS, SCHEDULES
from seqkit.training.sources import Source, batches_of
from seqkit.training.state import TrainingState

if TYPE_CHECKING:
    import keras

__all__ = ["Fitted", "fit", "predict"]

KEEP_SECONDS = 1.0
"""A state to go back to is kept about this often; every epoch would cost a tenth of small ones."""


@dataclasses.dataclass
class Fitted:
    """What a fit returns.

    Attributes
    ----------
    weights : list of ndarray
        In the order of the description (of ``model.weights``, of a model of one's own),
        read-only; the best ones with early stopping.
    history : dict of str to list of float
        One value an epoch: ``loss``, the metrics, the same with ``val_`` before, and
        ``learning_rate``, which is that of the epoch's last step; ``grad_norm`` and
        ``grad_norm_max``, mean and greatest global norm of the gradient of a step before it was
        clipped, and ``clipped``, the share of steps that were. A fit that goes on from one of a
        version which did not know these goes on without them.
    state : TrainingState
    epochs_run : int
    best_epoch : int
        Counted from 0; the last one when nothing was validated.
    trainer : str
        ``native``, or ``keras`` and why.
    stopped : dict of str to list of float
        History of a training before this one, which decided its epochs; empty where none did.
    """

    weights: list[np.ndarray]
    history: dict[str, list[float]]
    state: TrainingState
    epochs_run: int
    best_epoch: int
    trainer: str
    stopped: dict[str, list[float]] = dataclasses.field(default_factory=dict)


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
    loss_goal: float | None = None,
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
        ``() -> keras.Model``, or an Architecture, which is trained natively where it can be.
    source : Source
        Training examples.
    key : Hashable
        Names the architecture: the same key must mean the same ``build``. Models of Keras that
        predict are kept by it.
    seed : int
        Decides initial weights, shuffling and dropout; with them, the result.
    loss, metrics : name or keras object; or an Objective, which says both
        The loss is averaged as its ``reduction`` says; the logged loss weighs batches by size.
    validation : Source, optional
        Evaluated after every epoch.
    epochs : int, default=100
    batch_size : int, default=32
        The last batch of an epoch may be smaller.
    optimizer : str, mapping or keras.Optimizer, default="adam"
        A name, or a name and options: ``{"name": "sgd", "momentum": 0.9}``. An object is copied,
        never changed, and keeps its own learning rate (or schedule of it).
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
        Losses are compared smoothed: :func:`seqkit.stopping.smoothed`.
    loss_goal : float, optional
        Once the training loss is below it, the fit goes on for half as many epochs again
        (:func:`seqkit.stopping.epochs_after`).
    callbacks : sequence of keras.callbacks.Callback
        Those that only read logs leave a fit native.
    constants : mapping of str to ndarray, optional
        Values by variable path, assigned after initialisation (statistics of scaling layers).
    initial_weights : list of ndarray, optional
        Start from these instead of fresh ones.
    resume : TrainingState, optional
        Continue where this state was taken, bit for bit; seed and learning rate are its own.
    output : str, optional
        Name of the layer whose output loss and metrics see; None = the model's output.
    verbose : int, default=0
        1 shows a progress bar, or now and then a line where there is no terminal.
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
    >>> import keras
    >>> from seqkit.training import ArraySource
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
    given: dict[str, Any] = {
        "source": source,
        "validation": validation,
        "epochs": epochs,
        "batch_size": batch_size,
        "schedule": schedule,
        "steps_per_epoch": steps_per_epoch,
        "clipnorm": clipnorm,
        "window": smoothing_window(patience, _steps(source, batch_size, steps_per_epoch)),
        "loss_goal": loss_goal,
        "progress": on_progress,
    }
    if isinstance(loss, Objective) and metrics:
        raise ValueError(
            explain("fit", "metrics", "left out: an Objective has its own", list(metrics))
        )
    start: dict[str, Any] = {"constants": constants, "weights": initial_weights}
    why = not_native(build, loss, optimizer, callbacks, output)
    if not why:
        assert isinstance(build, Architecture)
        rule = rule_of(optimizer)
        assert rule is not None
        state = _state(
            resume,
            lambda: fresh_native_state(build.network, rule, seed, learning_rate, **start),
            **native_shapes(build.network, rule),
        )
        run = NativeRun(
            **given, first_rate=learning_rate, state=state, network=NativeNetwork(build.network),
            objective=loss, rule=rule,
        )  # fmt: skip
        logged = LogCallbacks(callbacks, epochs, run.steps, verbose)
        with one_of_several():
            return _finished(run, logged, patience, verbose, on_epoch, "native")
    keras_run, hooks = _keras_run(
        build, loss, metrics, optimizer, output, learning_rate, seed, resume, start, given,
        callbacks, verbose,
    )  # fmt: skip
    return _finished(keras_run, hooks, patience, verbose, on_epoch, f"keras: {why}")


def _state(
    resume: TrainingState | None, fresh: Callable[[], TrainingState], **shapes: Any
) -> TrainingState:
    if resume is None:
        return fresh()
    resume.require(**shapes)
    history = {k: list(v) for k, v in resume.history.items()}
    return dataclasses.replace(resume, history=history)


def _keras_run(
    build: Callable[[], keras.Model],
    loss: Any,
    metrics: Sequence[Any],
    optimizer: Any,
    output: str | None,
    learning_rate: float,
    seed: int,
    resume: TrainingState | None,
    start: dict[str, Any],
    given: dict[str, Any],
    callbacks: Sequence[Any],
    verbose: int,
) -> tuple[Any, Any]:
    """Return a run in Keras, and what calls the callbacks."""
    check_backend()
    from seqkit.training.callbacks import Callbacks
    from seqkit.training.keras_run import KerasRun
    from seqkit.training.trainee import Trainee, rate_of

    if isinstance(loss, Objective):
        loss, metrics = loss.of_keras()
    example = next(iter(batches_of(given["source"], given["batch_size"])))
    trainee = Trainee(build, output, loss, metrics, optimizer, example, given["clipnorm"])
    rate = rate_of(optimizer, learning_rate)
    described = build.network if isinstance(build, Architecture) else None
    state = _state(
        resume,
        lambda: fresh_keras_state(trainee, described, seed, rate, **start),
        weights=[tuple(v.shape) for v in trainee.weights],
        optimizer_variables=[tuple(v.shape) for v in trainee.optimizer.variables],
        seed_states=[tuple(v.shape) for v in trainee.seed_states],
    )
    steps = _steps(given["source"], given["batch_size"], given["steps_per_epoch"])
    told = {"epochs": given["epochs"], "steps": steps, "verbose": verbose}
    hooks = Callbacks(callbacks, trainee, **told)
    return KerasRun(**given, first_rate=rate, state=state, trainee=trainee, hooks=hooks), hooks


def _steps(source: Source, batch_size: int, steps_per_epoch: int | None) -> int:
    return steps_per_epoch or -(-source.n_examples // batch_size)


def _finished(
    run: Any,
    hooks: Any,
    patience: int,
    verbose: int,
    on_epoch: Callable[[int, dict[str, float], Callable[[], TrainingState]], None] | None,
    trainer: str,
) -> Fitted:
    """Run all epochs, and return what they gave."""
    _epochs(run, hooks, patience, verbose, on_epoch)
    final = run.current_state()
    restored = patience > 0 and final.best_weights is not None
    weights = list(final.best_weights if restored else final.weights)
    best = final.best_epoch if restored and final.best_epoch is not None else final.epoch - 1
    return Fitted(weights, final.history, final, final.epoch, best, trainer)


def _epochs(
    run: Any,
    hooks: Any,
    patience: int,
    verbose: int,
    on_epoch: Callable[[int, dict[str, float], Callable[[], TrainingState]], None] | None,
) -> None:
    """Run epochs until there are enough, or no more are wanted."""
    state = run.state
    if verbose:
        from seqkit.system.progress import Progress

        on_epoch = _shown(progress := Progress(), on_epoch)
        progress.begin(run.epochs)
        try:
            return _epochs(run, hooks, patience, 0, on_epoch)
        finally:
            progress.end()
    left = hooks.learning_rate() if hooks else None
    hooks.call("on_train_begin", {})
    state.epoch = hooks.first_epoch or state.epoch
    logs: dict[str, float] = {}
    # a fit that an earlier version began knows nothing of these
    unknown = [name for name in NORMS if state.history and name not in state.history]
    while state.epoch < run.epochs_in_all() and not (patience and state.wait >= patience):
        hooks.call("on_epoch_begin", state.epoch, {})
        if hooks:
            run.sync(hooks, left)
        logs = {k: v for k, v in run.run_epoch().items() if k not in unknown}
        if run.validation is not None and math.isfinite(logs["loss"]):
            hooks.call("on_test_begin", {})
            logs.update(run.evaluate())
            hooks.call("on_test_end", logs)
        left = hooks.learning_rate() if hooks else None
        logs["learning_rate"] = run.learning_rate()
        if not all(math.isfinite(logs.get(k, 0.0)) for k in ("loss", "val_loss")):
            if hooks.terminates_on_nan(run.steps, logs["loss"]):
                run.load(run.state_before(state.epoch))
                break
            history = {k: [*state.history.get(k, []), v] for k, v in logs.items()}
            raise TrainingError(_divergence(state, logs), history, run.state_before(state.epoch))
        for name, value in logs.items():
            state.history.setdefault(name, []).append(value)
        run.note_learned(state.history["loss"])
        run.track_best(logs)
        hooks.call("on_epoch_end", state.epoch, dict(logs))
        if hooks:
            run.sync(hooks, left)
            left = hooks.learning_rate()
        state.epoch += 1
        # Callbacks may have changed anything, and running again would not bring that back.
        if hooks or time.perf_counter() - run.kept[0] > KEEP_SECONDS:
            run.remember()
        if on_epoch is not None:
            on_epoch(state.epoch - 1, logs, run.current_state)
        if hooks.stopped:
            break
    hooks.call("on_train_end", logs)


def _shown(progress: Any, on_epoch: Any) -> Callable[..., None]:
    """Return what shows an epoch before it is told to `on_epoch`."""

    def show(epoch: int, logs: dict[str, float], get_state: Any) -> None:
        progress.epoch(epoch, logs)
        if on_epoch is not None:
            on_epoch(epoch, logs, get_state)

    return show


def _divergence(state: TrainingState, logs: dict[str, float]) -> str:
    where = "validation loss" if math.isfinite(logs["loss"]) else "loss"
    base = state.learning_rate  # not finite where the optimizer has a schedule of its own
    rate = base if math.isfinite(base) else logs["learning_rate"]
    return (
        f"fit: the {where} became {logs['val_loss' if where[0] == 'v' else 'loss']} in epoch "
        f"{state.epoch + 1}. Try a lower learning_rate (it was {rate:g}), "
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
    key: Hashable | None = None,
    batch_size: int = 256,
    output: str | None = None,
) -> np.ndarray:
    """Return the model's answer for every example of a source, in order.

    Parameters
    ----------
    build, key
        As in :func:`fit`; an :class:`~seqkit.network.architecture.Architecture` has a key itself.
    weights : list of ndarray
        As :func:`fit` returns them.
    source : Source
    batch_size : int, default=256
        Examples a step; bounds the memory, changes nothing else.
    output : str, optional
        Name of the layer whose output is wanted; None = the model's output.

    Returns
    -------
    ndarray of shape (n_examples, ...)
    """
    if not not_native(build, output=output):
        assert isinstance(build, Architecture)
        trained = output is not None and output == build.network.trained
        with one_of_several(), borrowed(build) as network:
            return predict_natively(network, weights, source, batch_size, trained)
    check_backend()
    from seqkit.training.keras_run import predict_with_keras

    if key is None:
        assert isinstance(build, Architecture)
        key = build.key
    return predict_with_keras(build, key, weights, source, batch_size, output)
