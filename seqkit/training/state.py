"""All that a fit needs to go on as if it had never stopped, in memory and on disk."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import explain
from seqkit.system import durable

__all__ = ["TrainingState"]


@dataclasses.dataclass
class TrainingState:
    """All that a fit needs to go on as if it had never stopped.

    Attributes
    ----------
    weights, optimizer_variables, seed_states : list of ndarray
        As they were at the end of epoch ``epoch``.
    epoch : int
        Epochs done.
    seed : int
    learning_rate : float
        The rate before the schedule; ``plateau`` and callbacks change it.
    history : dict of str to list of float
    best_weights : list of ndarray or None
    best_value : float
        Lowest validation loss so far, smoothed (:func:`seqkit.stopping.smoothed`).
    best_epoch : int or None
        Epoch of ``best_value``, counted from 0.
    wait : int
        Epochs since then.
    plateau_value, plateau_wait
        The same for the schedule ``plateau``.
    refit : int
        Epochs of a training anew, which the best epoch before has decided; 0 = this is none.
    stopped : dict of str to list of float
        History of the training before.
    """

    weights: list[np.ndarray]
    optimizer_variables: list[np.ndarray]
    seed_states: list[np.ndarray]
    epoch: int = 0
    seed: int = 0
    learning_rate: float = 1e-3
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    best_weights: list[np.ndarray] | None = None
    best_value: float = math.inf
    best_epoch: int | None = None
    wait: int = 0
    plateau_value: float = math.inf
    plateau_wait: int = 0
    refit: int = 0
    stopped: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    FORMAT = 2
    LISTS = ("weights", "optimizer_variables", "seed_states", "best_weights")

    def require(self, **shapes: Sequence[tuple[int, ...]]) -> None:
        """Refuse to go on with a network whose arrays have other shapes.

        Parameters
        ----------
        **shapes
            Of ``weights``, ``optimizer_variables`` and ``seed_states``.

        Raises
        ------
        ValueError
            If this state belongs to another network, or to another optimizer.
        """
        if self.best_weights is not None:
            shapes["best_weights"] = shapes["weights"]
        for name, expected in shapes.items():
            got = [np.shape(a) for a in getattr(self, name)]
            if got != [tuple(shape) for shape in expected]:
                raise ValueError(
                    explain("resume", name, f"arrays of the shapes {list(expected)}", got)
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one ``.npz`` file, whole or not at all: arrays, and the rest as JSON among them."""
        arrays: dict[str, np.ndarray] = {}
        plain: dict[str, Any] = {"format": self.FORMAT}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in self.LISTS:
                plain[field.name] = value
                continue
            plain[field.name] = None if value is None else len(value)
            arrays.update({f"{field.name}/{i}": a for i, a in enumerate(value or ())})
        arrays["json"] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
        content = io.BytesIO()  # whole before it is written: a full disk breaks no archive off
        np.savez(content, allow_pickle=False, **arrays)
        durable.write_file(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainingState:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is damaged, or of a newer version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                plain = json.loads(bytes(file["json"]))
                version = plain.pop("format")
                for name in cls.LISTS:
                    count = plain[name]
                    plain[name] = (
                        None if count is None else [file[f"{name}/{i}"] for i in range(count)]
                    )
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(
                explain(str(path), "the file", "a training state written by seqkit", str(error))
            ) from error
        if version > cls.FORMAT:
            raise ValueError(
                explain(str(path), "format", f"at most {cls.FORMAT}", version, "Update seqkit.")
            )
        return cls(**plain)
