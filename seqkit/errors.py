"""Errors of seqkit: what happened, where, what was expected, what was given, how to correct it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from typing import Any, Protocol

__all__ = [
    "DataError",
    "ExportError",
    "RecipeError",
    "RunError",
    "SavedState",
    "TrainingError",
    "explain",
    "printable",
    "shown",
    "suggest",
]

LONGEST = 200  # characters of a wrong value in a message
NAME = 80  # characters of a name that may be meant to be another


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
    """A recipe has errors.

    Parameters
    ----------
    errors : iterable of str
        Every error of the recipe, each as ``file:line:column: message``.

    Attributes
    ----------
    errors : tuple of str

    Examples
    --------
    >>> from seqkit import read_recipe
    >>> try:
    ...     read_recipe({"task": "classification", "data": {"dataset": "gunpoint"},
    ...                  "model": {"units": -3, "dropuot": 0.2}})
    ... except RecipeError as error:
    ...     len(error.messages)
    2
    """

    def __init__(self, errors: Iterable[str] | str) -> None:
        given = (errors,) if isinstance(errors, str) else errors
        self.messages: tuple[str, ...] = tuple(map(printable, given))
        super().__init__("\n".join(self.messages))


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


class SavedState(Protocol):
    """What a :class:`seqkit.training.TrainingState` shows: this module imports no other."""

    epoch: int
    seed: int

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file."""


class TrainingError(RuntimeError):
    """Training could not go on, for example because the loss became NaN.

    Attributes
    ----------
    history : dict of str to list of float
        What had been recorded until then.
    state : seqkit.training.TrainingState or None
        The training state at the end of the last good epoch, where there is one.

    Examples
    --------
    >>> raise TrainingError("fit: the loss became nan in epoch 3.", {"loss": [0.7, 0.9]})
    Traceback (most recent call last):
        ...
    seqkit.errors.TrainingError: fit: the loss became nan in epoch 3.
    """

    def __init__(
        self,
        message: str,
        history: dict[str, list[float]] | None = None,
        state: SavedState | None = None,
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


def printable(text: str) -> str:
    r"""Return the text on one line, its control characters and halves of characters escaped.

    Examples
    --------
    >>> print(printable("a\x1b[31m\nb\udcff"))
    a\x1b[31m\nb\udcff
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shown(value: Any, longest: int = LONGEST) -> str:
    """Return the ``repr`` of a value on one line and of a bounded length.

    Parameters
    ----------
    value : object
    longest : int, default=200
        Characters at most.

    Examples
    --------
    >>> shown("x" * 1000, 12)
    "'xxxxxxxx..."
    """
    try:
        text = printable(repr(_few(value, [longest])))
    except Exception:  # an integer of more digits than Python writes, or a broken __repr__
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _few(value: Any, left: list[int]) -> Any:
    """Return a value with no more items, and no deeper, than there are characters left."""
    left[0] -= 1
    if type(value) is str:
        return value[: left[0] + 2]
    if type(value) in (list, tuple):
        return type(value)(_few(item, left) for item in value[: left[0] + 1] if left[0] > 0)
    if type(value) is dict:
        return {key: _few(value[key], left) for key in islice(value, left[0] + 1) if left[0] > 0}
    return value


def explain(where: str, what: str, expected: str, got: Any, hint: str = "") -> str:
    """Return the one sentence every error of seqkit is made of.

    Parameters
    ----------
    where : str
        File, argument or estimator the error is in.
    what, expected : str
        The thing, and what it must be.
    got : object
        What was given, shown by its ``repr``, of at most 200 characters.
    hint : str, default=""
        How to correct it.

    Examples
    --------
    >>> explain("SequenceClassifier", "units", "a positive integer", -3, "Use 64.")
    'SequenceClassifier: units must be a positive integer; got -3. Use 64.'
    """
    sentence = f"{where}: {what} must be {expected}; got {shown(got)}."
    return f"{sentence} {hint}" if hint else sentence


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the nearest known name, or an empty string.

    Examples
    --------
    >>> suggest("dropuot", ["dropout", "units"])
    "did you mean 'dropout'?"
    """
    name = str(name)
    if len(name) > NAME:  # no slip of the pen, and the search is quadratic in its length
        return ""
    words = [word for word in map(str, known) if len(word) <= 2 * NAME]
    near = difflib.get_close_matches(name, words, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
