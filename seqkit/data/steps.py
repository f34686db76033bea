"""Series whose every step has a label, or a token: what users hand over, and files of them.

A token is a category of a step: a word, a character, a note. Series are of numbers or of tokens,
never of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqkit.data.sequences import Padded, Sequences
from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    pass

__all__ = [
    "NEXT",
    "Steps",
    "are_labels",
    "check_labels_of_steps",
    "following",
    "in_pieces",
    "label_rows",
    "padded_rows",
    "token_rows",
]

NEXT = "next"
"""The target that is no column: the token of the next step, its labels of 0 and 1, its numbers."""


@dataclass(frozen=True, eq=False)
class Steps(Sequences):
    """Series with what is known of every step.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,), optional
        Of each step; steps of all series one after the other, as in `values`.
    tokens : ndarray of shape (n_rows,), optional
        Where series are of tokens; `values` then only tell equal ones: checksums, the same in
        every file.
    """

    labels: NDArray[Any] | None = None
    tokens: NDArray[Any] | None = None

    def __getitem__(self, which: Any) -> Steps:
        """Return the chosen series, as of `Sequences`."""
        numbered = Sequences(np.arange(self.offsets[-1])[:, None], self.offsets, ("row",))
        rows = numbered[which].values[:, 0].astype(np.int64)
        chosen = super().__getitem__(which)
        columns: dict[str, Any] = {
            name: None if column is None else column[rows]
            for name, column in (("labels", self.labels), ("tokens", self.tokens))
        }
        found: Any = replace(chosen, **columns)
        return found  # type: ignore[no-any-return]

    def each(self, column: NDArray[Any]) -> list[NDArray[Any]]:
        """Return a column of all steps as an array a series."""
        return np.split(column, self.offsets[1:-1])


# --- what users hand over -----------------------------------------------------------------------


def token_rows(
    X: Any, where: str, numbers: bool = False
) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Return the tokens of all series one after the other, and their lengths.

    Parameters
    ----------
    X : object
        Texts, whose characters are the tokens; lists or arrays of texts; a table of texts.
    where : str
        What an error begins with.
    numbers : bool, default=False
        Whether whole numbers are tokens too.

    Returns
    -------
    tokens : ndarray of shape (n_rows,)
    lengths : ndarray of shape (n_series,)
        Of both None where series are of numbers.

    Examples
    --------
    >>> token_rows(["ab", "c"], "X")
    (array(['a', 'b', 'c'], dtype='<U1'), array([2, 1]))
    >>> token_rows([[1.0, 2.0]], "X") is None
    True
    """
    if isinstance(X, Steps):
        return None if X.tokens is None else (X.tokens, X.lengths)
    if isinstance(X, str):
        hint = "Give a list of texts: a single one as [text]."
        raise TypeError(explain(where, "X", "a list of series", "a text", hint))
    if not isinstance(X, (list, tuple, np.ndarray)) or not len(X):
        return None
    if isinstance(X, np.ndarray) and (X.ndim > 2 or X.dtype.kind == "f"):
        return None
    series = [list(one) if isinstance(one, str) else one for one in X]
    if not _are_tokens(series, numbers):
        return None
    lengths = np.array([np.size(one) for one in series])
    _check_lengths(lengths, where)
    texts = isinstance(next(one[0] for one in series if len(one)), str)
    for given, one in zip(X, series, strict=True):
        if isinstance(given, str) or (isinstance(one, np.ndarray) and one.dtype.kind in "Uiu"):
            odd = [] if len(one) == 0 or isinstance(one[0], str) == texts else [one[0]]
        else:
            odd = [token for token in one if not _is_token(token, texts)]
        if odd:
            expected = "a text, as the first is" if texts else "a whole number, as the first is"
            raise TypeError(explain(where, "every token", expected, odd[0]))
    return np.concatenate([np.asarray(one) for one in series]), lengths


def _are_tokens(series: Sequence[Any], numbers: bool) -> bool:
    """Tell whether the first value of series that is there is a token."""
    for one in series:
        if np.ndim(one) == 1 and len(one):
            return isinstance(one[0], str) or (numbers and _is_token(one[0], False))
    return False


def _is_token(value: Any, text: bool) -> bool:
    if text:
        return isinstance(value, str)
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))


def _check_lengths(lengths: NDArray[np.int64], where: str) -> None:
    shortest = int(np.argmin(lengths))
    if not lengths[shortest]:
        expected, got = "at least 1 step long", f"0 in series {shortest}"
        raise DataError(explain(where, "every series", expected, got, "Leave it out."))


def label_rows(y: Any, lengths: NDArray[np.int64], where: str) -> NDArray[Any]:
    """Return the labels of all steps one after the other.

    Parameters
    ----------
    y : array-like
        Labels of every series: ``(n_series, n_timesteps)`` or a list of ``(n_timesteps_i,)``; with
        another axis for several of 0 and 1 a step. A text is a label a character.
    lengths : ndarray of shape (n_series,)
    where : str

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_labels)

    Examples
    --------
    >>> label_rows([["DET", "NOUN"], ["VERB"]], np.array([2, 1]), "X")
    array(['DET', 'NOUN', 'VERB'], dtype='<U4')
    """
    if y is None:
        raise ValueError(
            f"This {where} estimator requires y to be passed, but the target y is None."
        )
    if not hasattr(y, "__len__") or len(y) != len(lengths):
        got = len(y) if hasattr(y, "__len__") else type(y).__name__
        raise ValueError(explain(where, "y", f"the labels of {len(lengths)} series", got))
    rows = [np.asarray(list(one) if isinstance(one, str) else one) for one in y]
    for number, (one, n) in enumerate(zip(rows, lengths.tolist(), strict=True)):
        if one.ndim not in (1, 2) or len(one) != n:
            expected = f"a label for each of the {n} time steps of series {number}"
            got = f"an array of shape {one.shape}" if one.ndim else one.item()
            raise ValueError(explain(where, "y", expected, got))
        if one.shape[1:] != rows[0].shape[1:]:
            expected = f"of as many labels a step in series {number} as in series 0"
            raise ValueError(explain(where, "y", expected, one.shape))
    kinds = {"text" if one.dtype.kind in "UO" else "numbers" for one in rows}
    if len(kinds) > 1:
        raise ValueError(explain(where, "y", "of texts or of numbers in all series", "both"))
    labels: NDArray[Any] = np.concatenate(rows)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"Input y contains NaN or infinity: {where} needs a label at every step.")
    return labels


def are_labels(values: NDArray[Any]) -> bool:
    """Tell whether numbers whose next are asked for are labels, of 0 and 1 all of them."""
    return bool(np.isin(values, (0, 1)).all())


def check_labels_of_steps(values: NDArray[Any], where: str) -> None:
    """Raise unless series whose next step is asked for are of 0 and 1, as those of the fit."""
    if not are_labels(values):
        odd = values[~np.isin(values, (0, 1))]
        expected = "of 0 and 1, several labels a step, as those of the fit"
        hint = "A fit to series of other numbers learns the numbers of the next step."
        raise DataError(explain(where, "the series", expected, float(odd.flat[0]), hint))


def following(steps: Steps, numbers: bool = False) -> Steps:
    """Return series without their last step, with the token, labels or numbers of the next.

    Series of one step are left out: nothing follows. Values are labels of 0 and 1, or `numbers`.

    Examples
    --------
    >>> text = Steps(np.zeros((3, 1)), np.array([0, 3]), ("char",), tokens=np.array(list("abc")))
    >>> asked = following(text)
    >>> asked.tokens.tolist(), asked.labels.tolist()
    (['a', 'b'], ['b', 'c'])
    """
    steps = steps[steps.lengths > 1]
    rows = np.setdiff1d(np.arange(steps.offsets[-1]), steps.offsets[1:] - 1)
    offsets = np.concatenate([[0], np.cumsum(steps.lengths - 1)])
    tokens, times = steps.tokens, steps.times
    asked: NDArray[Any] = steps.values if tokens is None else tokens
    if tokens is None and not numbers:
        asked = steps.values.astype(np.int64)
    found: Any = replace(
        steps, values=steps.values[rows], offsets=offsets,
        tokens=None if tokens is None else tokens[rows], labels=asked[rows + 1],
        times=None if times is None else times[rows],
    )  # fmt: skip
    return found  # type: ignore[no-any-return]


# --- as models take them ------------------------------------------------------------------------


def padded_rows(rows: NDArray[Any], lengths: NDArray[np.int64], fill: float) -> NDArray[Any]:
    """Return rows of all series as one array, ``(n_series, longest, ...)``, filled at the right.

    Examples
    --------
    >>> padded_rows(np.array([1, 2, 3]), np.array([2, 1]), -1)
    array([[ 1,  2],
           [ 3, -1]])
    """
    longest = int(lengths.max())
    padded = np.full((len(lengths), longest, *rows.shape[1:]), fill, rows.dtype)
    padded[np.arange(longest) < lengths[:, None]] = rows
    return padded


def in_pieces(
    padded: Padded, target: NDArray[Any], length: int, none: float = -1
) -> tuple[Padded, NDArray[Any], NDArray[np.int64]]:
    """Cut series and their targets, padded with `none`, into pieces of so many steps.

    Returns
    -------
    padded : Padded
    target : ndarray
    owner : ndarray of shape (n_pieces,)
        Which series a piece is of.

    Examples
    --------
    >>> whole = Padded(np.array([[1, 2, 3], [4, 0, 0]]), np.array([3, 1], np.int32))
    >>> pieces, _, owner = in_pieces(whole, whole.values, 2)
    >>> pieces.values.tolist(), pieces.lengths.tolist(), owner.tolist()
    ([[1, 2], [3, 0], [4, 0]], [2, 1, 1], [0, 0, 1])
    """
    n, n_steps = padded.values.shape[:2]
    lengths = np.full(n, n_steps) if padded.lengths is None else padded.lengths
    counts = -(-lengths // length)
    owner = np.repeat(np.arange(n), counts)
    starts = length * (np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts))
    own = np.minimum(lengths[owner] - starts, length).astype(np.int32)
    steps = np.minimum(starts[:, None] + np.arange(min(length, n_steps)), n_steps - 1)
    past = np.arange(steps.shape[1]) >= own[:, None]
    values, labels = padded.values[owner[:, None], steps], target[owner[:, None], steps]
    values[past], labels[past] = 0, none
    equal = bool((own == steps.shape[1]).all())
    return Padded(values, None if equal else own), labels, owner
