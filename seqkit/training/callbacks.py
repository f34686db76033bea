"""Keras callbacks between epochs; those that need every batch are refused, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from seqkit.errors import explain

__all__ = ["Callbacks"]

BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)


def _by_epoch(callback: Any) -> bool:
    return callback.save_freq == "epoch"


def _no_profile(callback: Any) -> bool:
    return callback.update_freq == "epoch" and not callback._should_trace


SERVED: dict[type, tuple[Callable[[Any], bool], str]] = {
    keras.callbacks.BackupAndRestore: (_by_epoch, "save_freq='epoch'"),
    keras.callbacks.ModelCheckpoint: (_by_epoch, "save_freq='epoch'"),
    keras.callbacks.TensorBoard: (_no_profile, "update_freq='epoch' and profile_batch=0"),
    keras.callbacks.TerminateOnNaN: (lambda _: True, ""),  # its hook is called where a chunk ends
}
"""Keras callbacks with a batch hook that does nothing, or may be left out, under a condition."""


def _refusal(callback: Any) -> str | None:
    """Return why a callback cannot be served, or None."""
    kind = type(callback)
    name = kind.__name__
    for base, (fine, condition) in SERVED.items():
        if isinstance(callback, base):
            if not fine(callback):
                return f"{name} needs {condition} here"
            break
    else:
        base = keras.callbacks.Callback
    own = [
        hook
        for hook in BATCH_HOOKS
        if hook in vars(callback) or getattr(kind, hook) is not getattr(base, hook)
    ]
    return f"{name} has {own[0]}" if own else None


class Callbacks:
    """The callbacks of one fit.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    program : Program
    epochs, steps, verbose : int
        What Keras tells its callbacks.

    Raises
    ------
    ValueError
        For a callback that would have to run at every batch: the epoch is one graph.
    """

    def __init__(
        self, callbacks: Sequence[Any], program: Any, epochs: int, steps: int, verbose: int
    ) -> None:
        self.list = list(callbacks)
        for callback in self.list:
            refusal = _refusal(callback)
            if refusal:
                raise ValueError(
                    explain(
                        "fit",
                        "callbacks",
                        "such that work at the end of epochs",
                        refusal,
                        "An epoch is one graph call; use on_epoch_end instead.",
                    )
                )
        if not self.list:
            return
        program.compile()
        self.model = program.engine.model
        self.optimizer = program.optimizer
        self.model.stop_training = False
        self.model._initial_epoch = None
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
        return bool(self.list) and bool(self.model.stop_training)

    @property
    def first_epoch(self) -> int | None:
        """The epoch that BackupAndRestore wants to go on from, or None."""
        return self.model._initial_epoch if self.list else None

    def learning_rate(self) -> float | None:
        """Return the optimizer's learning rate as callbacks left it; None if it has a schedule."""
        if isinstance(self.optimizer._learning_rate, keras.Variable):
            return float(self.optimizer.learning_rate)
        return None

    def terminates_on_nan(self, step: int, loss: float) -> bool:
        """Tell TerminateOnNaN of a loss that is not finite; return whether there is one."""
        found = [c for c in self.list if isinstance(c, keras.callbacks.TerminateOnNaN)]
        for callback in found:
            callback.on_batch_end(step, {"loss": loss})
        return bool(found)
