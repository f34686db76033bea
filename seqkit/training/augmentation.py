"""Series as they are trained on: cut, moved, stretched in height, blurred, mixed; anew each epoch.

What a batch becomes depends on the seed, the epoch and its place alone, and is decided before
anything is computed: native networks and Keras see the same numbers. Series that are validated on
or predicted stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Augmentation", "Mixup", "generator_of"]


def generator_of(*key: int) -> np.random.Generator:
    """Return a generator of its own for a seed, an epoch, a batch."""
    words = [int(word) & 0xFFFFFFFFFFFFFFFF for word in key]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What becomes of the series of a batch: `crop`, then `shift`, `scaling` and `jitter`.

    Parameters
    ----------
    shift : int, default=0
        A series is moved by up to so many steps, to and fro; its ends are repeated.
    jitter : float, default=0.0
        Standard deviation of the normal noise that is added to every value, in units of `spread`
        (Um et al. 2017, "Data augmentation of wearable sensor data for Parkinson's disease
        monitoring using convolutional neural networks", section 3.2).
    scaling : float, default=0.0
        Standard deviation of the factor, around 1, by which a feature of a series is multiplied,
        as its distance from `offset` (ibid.).
    crop : float, default=1.0
        Least share of a series that is cut out, at a place drawn at random, and stretched to its
        length in straight lines: window slicing (Le Guennec, Malinowski and Tavenard 2016) with a
        share drawn between that and the whole, since what is predicted is whole.
    offset, spread : ndarray of shape (n_features,)
        Those of the scaling layer: jitter and scaling are of the scaled series.
    n_marks : int, default=0
        Last features that mark gaps with 0 and 1: they go along with the steps, and stay 0 or 1.

    Examples
    --------
    >>> x = np.arange(4.0).reshape(1, 4, 1)
    >>> moved = Augmentation(shift=1)
    >>> sorted({tuple(moved(x, seed)[0, :, 0].tolist()) for seed in range(20)})
    [(0.0, 0.0, 1.0, 2.0), (0.0, 1.0, 2.0, 3.0), (1.0, 2.0, 3.0, 3.0)]
    """

    shift: int = 0
    jitter: float = 0.0
    scaling: float = 0.0
    crop: float = 1.0
    offset: Any = 0.0
    spread: Any = 1.0
    n_marks: int = 0

    def __call__(self, inputs: Any, *key: int) -> Any:
        """Return the inputs of a batch as they are trained on.

        Parameters
        ----------
        inputs : ndarray of shape (batch, time, n_features), or dict
            Or of ``x``, such an array, and ``lengths`` (batch,).
        *key : int
            What is drawn by: an interrupted fit goes on with the same.
        """
        padded = isinstance(inputs, dict)
        x = inputs["x"] if padded else inputs
        n, time = x.shape[:2]
        lengths = inputs["lengths"][:, None] if padded else np.full((n, 1), time)
        last = np.maximum(lengths - 1, 0)
        # what is drawn for one of them does not depend on whether the others are wanted
        if self.crop < 1:
            x = self._cropped(x, last, generator_of(*key, 1))
        if self.shift:
            moves = generator_of(*key).integers(-self.shift, self.shift + 1, size=(n, 1))
            steps = np.clip(np.arange(time) + moves, 0, last)
            x = np.take_along_axis(x, steps[:, :, None], axis=1)
        if self.scaling or self.jitter:
            valid = (np.arange(time) < lengths)[:, :, None]
            x = x + np.where(valid, self._noise(x, key), 0).astype(_floating(x))
        return {**inputs, "x": x} if padded else x

    def _noise(self, x: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Return what scaling and jitter add to the values; nothing to the marks of gaps."""
        n, _, n_features = x.shape
        added: Any = np.zeros((), np.float32)
        if self.scaling:
            factors = generator_of(*key, 2).standard_normal((n, 1, n_features), np.float32)
            added = np.float32(self.scaling) * factors * (x - self.offset)
        if self.jitter:
            noise = generator_of(*key, 3).standard_normal(x.shape, np.float32)
            added = added + np.float32(self.jitter) * noise * self.spread
        added[:, :, n_features - self.n_marks :] = 0
        return np.asarray(added)

    def _cropped(self, x: np.ndarray, last: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Return a part of every series, as long as the whole."""
        n, time, n_features = x.shape
        share = draw.uniform(self.crop, 1, size=(n, 1))
        place = draw.uniform(size=(n, 1)) * (1 - share) * last
        at = np.minimum(place + share * np.arange(time), last)
        low = at.astype(np.int64)
        part = (at - low)[:, :, None]
        before, after = (
            np.take_along_axis(x, np.minimum(low + more, last)[:, :, None], axis=1)
            for more in (0, 1)
        )
        found: np.ndarray = (before + part * (after - before)).astype(_floating(x))
        first = n_features - self.n_marks
        found[:, :, first:] = np.where(part < 0.5, before, after)[:, :, first:]
        return found


def _floating(x: np.ndarray) -> Any:
    return x.dtype if x.dtype.kind == "f" else np.float32


@dataclass(frozen=True)
class Mixup:
    """Every series of a batch mixed with another one of it, and their truths by the same shares.

    Zhang, Cisse, Dauphin and Lopez-Paz 2018, "mixup: beyond empirical risk minimization",
    equation 1, but for two things: the share is drawn for each series, and the greater part is
    always its own. A partner of another length is stretched to it first.

    Parameters
    ----------
    alpha : float
        Shares are from Beta(alpha, alpha): near 0 and 1 where it is small.
    n_marks : int, default=0
        Features at the end that mark gaps; they stay those of the series itself.

    Examples
    --------
    >>> x, y = np.array([[[0.0]], [[8.0]]], np.float32), np.eye(2, dtype=np.float32)
    >>> mixed, shares, _ = Mixup(1.0)(x, y, None, 0, 0, 0)
    >>> bool(np.allclose(mixed[:, 0, 0], 8 * shares[:, 1]))
    True
    """

    alpha: float
    n_marks: int = 0

    def __call__(
        self, inputs: Any, y: np.ndarray, weight: np.ndarray | None, *key: int
    ) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """Return a batch as it is trained on.

        The loss must be linear in the truth, as every cross entropy is: of the mixed series it is
        what both truths would give, each by its share and weight.

        Parameters
        ----------
        inputs : ndarray of shape (batch, time, n_features), or dict
            Or of ``x``, such an array, and ``lengths`` (batch,).
        y : ndarray of shape (batch, n_classes)
            Shares of classes, or labels of 0 and 1.
        weight : ndarray of shape (batch,), or None
        *key : int
            What is drawn by.
        """
        draw = generator_of(*key, 4)
        n = len(y)
        own = draw.beta(self.alpha, self.alpha, size=n)
        own = np.maximum(own, 1 - own).astype(np.float32)
        partner = draw.permutation(n)
        padded = isinstance(inputs, dict)
        x = inputs["x"] if padded else inputs
        theirs = x[partner]
        if padded:
            theirs = _stretched(theirs, inputs["lengths"][partner], inputs["lengths"])
        share = own[:, None, None]
        mixed = (share * x + (1 - share) * theirs).astype(_floating(x))
        first = x.shape[2] - self.n_marks
        mixed[:, :, first:] = x[:, :, first:]
        if padded:
            valid = np.arange(x.shape[1]) < inputs["lengths"][:, None]
            mixed = np.where(valid[:, :, None], mixed, x)
        a, b = own, 1 - own
        if weight is not None:
            a, b = a * weight, b * weight[partner]
            weight = a + b
        total = np.maximum(a + b, np.finfo(np.float32).tiny)[:, None]
        truth = (a[:, None] * y + b[:, None] * y[partner]) / total
        return {**inputs, "x": mixed} if padded else mixed, truth.astype(np.float32), weight


def _stretched(x: np.ndarray, lengths: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Return series of these lengths as series of others, by linear interpolation."""
    steps = np.arange(x.shape[1])
    last = np.maximum(lengths - 1, 0)[:, None]
    at = np.minimum(steps * (last / np.maximum(to - 1, 1)[:, None]), last)
    low = at.astype(np.int64)
    before, after = (
        np.take_along_axis(x, np.minimum(low + more, last)[:, :, None], axis=1) for more in (0, 1)
    )
    part = (at - low).astype(np.float32)[:, :, None]
    found: np.ndarray = before + part * (after - before)
    return found
