"""Keras callbacks of a fit, and which of them see a Keras model."""

from __future__ import annotations

import dis
import itertools
import sys
import types
from collections.abc import Sequence
from typing import Any

__all__ = ["Callbacks", "LogCallbacks", "needs_model"]

READS_LOGS = frozenset(
    {"CSVLogger", "History", "LambdaCallback", "RemoteMonitor", "TerminateOnNaN"}
)
"""Keras's own callbacks that read logs, and of their model at most ``stop_training``."""


def _sees_model(code: types.CodeType) -> bool:
    """Return whether a function uses ``model`` for more than to read or set ``stop_training``."""
    steps = list(dis.get_instructions(code))
    for step, after in itertools.zip_longest(steps, steps[1:]):
        if step.opname == "LOAD_GLOBAL" or step.argval not in ("model", "_model", "set_model"):
            if isinstance(step.argval, types.CodeType) and _sees_model(step.argval):
                return True
        elif step.argval != "model" or after is None or after.argval != "stop_training":
            return True
    return False


def needs_model(callback: Any) -> bool:
    """Return whether a callback must be given a Keras model.

    Keras's own are in a table. One of the user's own needs it where its code names ``model`` for
    more than to set ``stop_training``, or where it works at every batch.
    """
    keras: Any = sys.modules.get("keras")
    if keras is None or not hasattr(keras, "callbacks"):
        return True
    if any("_batch_" in name for name in vars(callback)):  # as of a LambdaCallback
        return True
    for kind in type(callback).__mro__:
        if kind is keras.callbacks.Callback:
            return False
        if kind.__module__.startswith("keras."):
            return kind.__name__ not in READS_LOGS
        for name, function in vars(kind).items():
            code = getattr(function, "__code__", None)
            if "_batch_" in name or (code is not None and _sees_model(code)):
                return True
    return True  # no callback of Keras's: whatever it is, it is given what Keras gives


class LogCallbacks:
    """Callbacks that only read logs, beside a native fit.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    epochs, steps, verbose : int
        What Keras tells its callbacks.
    """

    def __init__(self, callbacks: Sequence[Any], epochs: int, steps: int, verbose: int) -> None:
        self.list = list(callbacks)
        self.model: Any = types.SimpleNamespace(stop_training=False, _initial_epoch=None)
        for callback in self.list:
            callback.set_model(self.model)
            callback.set_params({"epochs": epochs, "steps": steps, "verbose": verbose})

    def __bool__(self) -> bool:
        return bool(self.list)

    def call(self, hook: str, *arguments: Any) -> None:
        """Call a hook of every callback, in order."""
        for callback in self.list:
            getattr(callback, hook)(*arguments)

    @property
    def stopped(self) -> bool:
        """Whether a callback has asked to stop."""
        return bool(self.model.stop_training)

    @property
    def first_epoch(self) -> int | None:
        """The epoch that BackupAndRestore wants to go on from, or None."""
        epoch: int | None = self.model._initial_epoch
        return epoch

    def learning_rate(self) -> float | None:
        """Return the optimizer's learning rate as callbacks left it; None where they see none."""
        return None

    def terminates_on_nan(self, step: int, loss: float) -> bool:
        """Tell TerminateOnNaN of a loss that is not finite; return whether there is one."""
        keras: Any = sys.modules.get("keras")
        callbacks = [c for c in self.list if isinstance(c, keras.callbacks.TerminateOnNaN)]
        for callback in callbacks:
            callback.on_batch_end(step, {"loss": loss})
        return bool(callbacks)


class Callbacks(LogCallbacks):
    """Callbacks of a fit in Keras, given its model.

    Parameters
    ----------
    trainee : seqkit.training.trainee.Trainee
    **told
        As in :class:`LogCallbacks`.
    """

    def __init__(self, callbacks: Sequence[Any], trainee: Any, **told: int) -> None:
        super().__init__((), **told)
        self.list, self.optimizer = list(callbacks), trainee.optimizer
        if not self.list:
            return
        trainee.compile()
        self.model = trainee.whole
        self.model.stop_training = False
        self.model._initial_epoch = None
        for callback in self.list:
            callback.set_model(self.model)
            callback.set_params(dict(told))

    def learning_rate(self) -> float | None:
        """Return the optimizer's learning rate as callbacks left it; None if it has a schedule."""
        rate: Any = self.optimizer._learning_rate
        return float(rate) if hasattr(rate, "assign") else None
