"""Series with their targets and weights, and what of them a network in float32 cannot see."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqkit.data.missing import LARGEST
from seqkit.data.sequences import Padded
from seqkit.errors import DataError, explain

__all__ = ["Examples", "check_size", "joined", "take_series", "tell_of_precision"]

# A distance of float32 numbers above this share of a spread is worth a line.
_COARSE = 1e-2

log = logging.getLogger(__name__)


@dataclass
class Examples:
    """Series with their encoded targets and weights.

    Attributes
    ----------
    padded : Padded
    target : ndarray
    weight : ndarray or None
        In the loss: what was given as ``sample_weight``, times that of the class.
    given : ndarray or None
        ``sample_weight``, all of it positive.
    """

    padded: Padded
    target: np.ndarray
    weight: np.ndarray | None
    given: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Examples:
        """Return the examples with these numbers."""
        lengths = self.padded.lengths
        padded = Padded(self.padded.values[rows], None if lengths is None else lengths[rows])
        weight = None if self.weight is None else self.weight[rows]
        given = None if self.given is None else self.given[rows]
        return Examples(padded, self.target[rows], weight, given)

    def steps(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Return all time steps but the padding, ``(n_rows, n_features)``, and their weights."""
        values, lengths = self.padded
        n_series, n_steps, n_features = values.shape
        if lengths is None:
            rows = values.reshape(-1, n_features)
            lengths = np.full(n_series, n_steps)
        else:
            rows = values[np.arange(n_steps) < lengths[:, None]]
        return rows, None if self.given is None else np.repeat(self.given, lengths)


def take_series(padded: Padded, rows: np.ndarray) -> Padded:
    """Return some series as if the others had never been there, without padding for them."""
    values, lengths = padded
    if lengths is None:
        return Padded(values[rows], None)
    lengths = lengths[rows]
    longest = int(lengths.max())
    return Padded(values[rows, :longest], None if (lengths == longest).all() else lengths)


def joined(parts: Sequence[Padded]) -> Padded:
    """Return the series of several parts, one after the other."""
    longest = max(values.shape[1] for values, _ in parts)
    series, every = [], []
    for values, lengths in parts:
        n, n_steps = values.shape[:2]
        series.append(np.pad(values, ((0, 0), (0, longest - n_steps), (0, 0))))
        every.append(np.full(n, n_steps) if lengths is None else lengths)
    lengths = np.concatenate(every)
    return Padded(np.concatenate(series), None if (lengths == longest).all() else lengths)


def check_size(values: np.ndarray, owner: str, what: str) -> None:
    """Raise if a number is too large for the float32 of networks."""
    largest = max(values.max(initial=0), -values.min(initial=0))
    if largest > LARGEST:
        expected = f"numbers no larger than {LARGEST:g}, since a network computes in float32"
        raise DataError(
            explain(owner, what, expected, float(largest), "Divide them by a power of 10.")
        )


def tell_of_precision(values: np.ndarray, spread: np.ndarray, what: str, consequence: str) -> None:
    """Log where the numbers of float32 are far apart beside the spread of values.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    spread : ndarray of shape (n_columns,)
    what, consequence : str
        Of the message; a ``{}`` in `what` is the number of the column.
    """
    high, low = values.max(axis=0), values.min(axis=0)
    largest = np.maximum(np.abs(high), np.abs(low))
    coarse = np.spacing(largest.astype(np.float32))
    for column in np.flatnonzero((high > low) & (coarse > _COARSE * spread)):
        log.warning(
            "%s: values reach %.6g, where numbers of float32 are %.2g apart, with a spread of "
            "%.2g; %s. Subtract a constant from them.",
            what.format(column), largest[column], coarse[column], spread[column], consequence,
        )  # fmt: skip
