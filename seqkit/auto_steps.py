"""What ``auto`` becomes where every step of a series has a label: as :mod:`seqkit.auto` otherwise.

Constants that are not here are those of :mod:`seqkit.auto`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from seqkit.auto import (
    AUTO,
    BATCHES,
    GRADIENT_STEPS,
    LARGEST_BATCH,
    LEARNING_RATE,
    MOST_EPOCHS,
    MOST_WORK,
    SMALLEST_BATCH,
)
from seqkit.auto_networks import work_of
from seqkit.stopping import early_stopping, refit_of

__all__ = ["LONGEST", "PIECE", "choose_for_steps", "piece_for"]

LONGEST, PIECE = 1000, 200
"""Steps of the longest series from which on series are cut for training, and those of a piece: a
gradient through a thousand steps says nothing more of the first of them, and a few long series are
a few gradient steps an epoch."""


def piece_for(longest: int) -> int | None:
    """Return the steps of the pieces that series are cut into for training, None for whole ones.

    Examples
    --------
    >>> piece_for(300), piece_for(1_000_000)
    (None, 200)
    """
    return PIECE if longest > LONGEST else None


def choose_for_steps(
    settings: Mapping[str, Any], lengths: Sequence[int], held: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the values of those settings of a tagger that are ``auto``.

    Parameters
    ----------
    settings : mapping of str to object
        ``units``, ``batch_size``, ``epochs``, ``steps_per_epoch``, ``learning_rate``,
        ``validation``, ``patience``, ``piece_length``, ``bidirectional`` and ``target``.
    lengths, held : sequence of int
        Steps of the series of the fit, and of those of a validation part that is given.

    Examples
    --------
    >>> names = ["batch_size", "epochs", "learning_rate", "validation", "patience", "piece_length",
    ...          "bidirectional"]
    >>> settings = dict.fromkeys(names, "auto")
    >>> settings |= {"steps_per_epoch": None, "units": 64, "target": "next"}
    >>> for name, value in choose_for_steps(settings, [1_000_000]).items():
    ...     print(name, value)
    piece_length 200
    batch_size 64
    epochs 17
    learning_rate 0.003
    validation 0.15
    patience 10
    bidirectional False
    """
    piece = settings["piece_length"]
    piece = piece_for(max(lengths)) if piece == AUTO else piece
    if piece:
        lengths = [min(piece, n - k) for n in lengths for k in range(0, n, piece)]
        held = held and [min(piece, n - k) for n in held for k in range(0, n, piece)]
    n, watched = len(lengths), None if held is None else [len(held)]
    validation, patience = early_stopping(
        settings["validation"], settings["patience"], [n], watched
    )
    trained = n if held is not None else n - round(validation * n)
    batch = settings["batch_size"]
    if batch == AUTO:
        by_number = 2 ** round(math.log2(max(trained / BATCHES, 1)))
        batch = min(max(by_number, SMALLEST_BATCH), LARGEST_BATCH)
    steps = settings["steps_per_epoch"] or math.ceil(trained / batch)
    network = {"patch": 1, "pyramid": 1, "units": settings["units"]}
    an_epoch = steps * batch * work_of(statistics.mean(lengths), network)
    epochs = min(math.ceil(GRADIENT_STEPS / max(steps, 1)), MOST_EPOCHS)
    found = {
        "piece_length": piece,
        "batch_size": batch,
        "epochs": max(min(epochs, int(MOST_WORK // an_epoch)), 1),
        "learning_rate": LEARNING_RATE,
        "validation": validation,
        "patience": patience,
        "bidirectional": settings["target"] != "next",
    }
    wanted = {name for name in found if settings.get(name) == AUTO}
    if refit_of(settings["validation"])[1] and not patience:
        wanted.add("validation")
    return {name: value for name, value in found.items() if name in wanted}
