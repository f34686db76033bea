"""Errors of seqkit: what happened, where, what was expected, what was found, how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "DataError",
    "ExportError",
    "RecipeError",
    "RunError",
    "TrainingError",
    "explain",
    "suggest",
]


class DataError(ValueError):
    """A file or an array does not hold what the task needs.

    Examples
    --------
    >>> from seqkit.data.embedded import load
    >>> load("gunpiont")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    seqkit.errors.DataError: data: dataset must be one of ...; got 'gunpiont'. ...
    """


class RecipeError(ValueError):
    """A recipe has faults.

    Parameters
    ----------
    faults : iterable of str
        Every fault of the recipe, each as ``file:line:column: message``.

    Attributes
    ----------
    faults : tuple of str

    Examples
    --------
    >>> from seqkit import read_recipe
    >>> try:
    ...     read_recipe({"task": "classification", "data": {"dataset": "gunpoint"},
    ...                  "model": {"units": -3, "dropuot": 0.2}})
    ... except RecipeError as error:
    ...     len(error.faults)
    2
    """

    def __init__(self, faults: Iterable[str] | str) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class RunError(ValueError):
    """A run folder is missing a part, is damaged, or was written by a newer version.

    Examples
    --------
    >>> from seqkit import load_run
    >>> try:
    ...     load_run("runs/no-such-run")
    ... except RunError:
    ...     print("there is no such run")
    there is no such run
    """


class TrainingError(RuntimeError):
    """Training could not go on, for example because the loss became NaN.

    Attributes
    ----------
    history : dict of str to list of float
        What had been recorded until then.
    state : object or None
        The training state at the end of the last good epoch, where there is one.

    Examples
    --------
    >>> raise TrainingError("fit: the loss became nan in epoch 3.", {"loss": [0.7, 0.9]})
    Traceback (most recent call last):
        ...
    seqkit.errors.TrainingError: fit: the loss became nan in epoch 3.
    """

    def __init__(
        self, message: str, history: dict[str, list[float]] | None = None, state: Any = None
    ) -> None:
        super().__init__(message)
        self.history = history or {}
        self.state = state


class ExportError(RuntimeError):
    """A model could not be written in the wanted format.

    Examples
    --------
    >>> raise ExportError("export: onnx needs the package tf2onnx. Install it.")
    Traceback (most recent call last):
        ...
    seqkit.errors.ExportError: export: onnx needs the package tf2onnx. Install it.
    """


def explain(where: str, what: str, expected: str, got: Any, mend: str = "") -> str:
    """Return the one sentence every error of seqkit is made of.

    Parameters
    ----------
    where : str
        File, argument or estimator the fault was found in.
    what, expected : str
        The thing, and what it must be.
    got : object
        What was found, shown by its ``repr``.
    mend : str, default=""
        How to mend it.

    Examples
    --------
    >>> explain("SequenceClassifier", "units", "a positive integer", -3, "Use 64.")
    'SequenceClassifier: units must be a positive integer; got -3. Use 64.'
    """
    sentence = f"{where}: {what} must be {expected}; got {got!r}."
    return f"{sentence} {mend}" if mend else sentence


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the nearest known name, or an empty string.

    Examples
    --------
    >>> suggest("dropuot", ["dropout", "units"])
    "did you mean 'dropout'?"
    """
    near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
