"""Training twice: stopped by a part that is held out, then anew on all for as many epochs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from seqkit.errors import TrainingError
from seqkit.training.loop import Fitted, fit
from seqkit.training.state import TrainingState

__all__ = ["fit_and_refit"]


def fit_and_refit(
    part: Mapping[str, Any],
    whole: Mapping[str, Any],
    *,
    resume: TrainingState | None = None,
    on_epoch: Callable[[int, dict[str, float], Callable[[], TrainingState]], None] | None = None,
    **loop: Any,
) -> Fitted:
    """Train on a part until its validation says stop, then anew on all.

    The second training begins where the first did, with the same seed. It makes as many passes as
    the best epoch was the end of, in more gradient steps as there are more batches, and the
    learning rate follows its schedule to the end of those; its last weights are kept (Goodfellow,
    Bengio and Courville 2016, Deep Learning, algorithm 7.2, with passes for steps).

    Parameters
    ----------
    part, whole : mapping
        Arguments of :func:`fit` that differ: ``build``, ``key``, ``source``, ``constants``,
        ``validation``, ``steps_per_epoch``; in `whole` no validation.
    resume : TrainingState, optional
        Of either training.
    on_epoch : callable, optional
        Told of the epochs of both; each counts from 0.
    **loop
        Arguments of :func:`fit` that are the same.

    Returns
    -------
    Fitted
        Of the second training; ``stopped`` is the history of the first.
    """
    if resume is None or not resume.refit:
        first = fit(**part, **loop, resume=resume, on_epoch=on_epoch)
        resume, stopped, epochs = None, first.history, first.best_epoch + 1
    else:
        stopped, epochs = resume.stopped, resume.refit

    def marked(state: TrainingState) -> TrainingState:
        return dataclasses.replace(state, refit=epochs, stopped=stopped)

    def told(epoch: int, logs: dict[str, float], get_state: Callable[[], TrainingState]) -> None:
        assert on_epoch is not None
        on_epoch(epoch, logs, lambda: marked(get_state()))

    loop |= {"epochs": epochs, "patience": 0}
    heard = None if on_epoch is None else told
    try:
        fitted = fit(**whole, **loop, resume=resume, on_epoch=heard)
    except TrainingError as error:
        if isinstance(error.state, TrainingState):
            error.state = marked(error.state)
        raise
    return dataclasses.replace(fitted, state=marked(fitted.state), stopped=stopped)
