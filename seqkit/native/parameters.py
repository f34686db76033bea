"""Parameters of a network: named as Keras names its weights, the trained ones in one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seqkit.draws import derived_seed

__all__ = ["Parameter", "Parameters"]

Array = np.ndarray
Draw = Callable[[tuple[int, ...], int], Array]
DROPOUT = 2  # what a derived seed is for


class Parameter:
    """One weight.

    Parameters
    ----------
    path : str
        As ``keras.Variable.path``.
    shape : tuple of int
    draw : callable (shape, seed) -> ndarray
        What it starts from.
    trainable : bool, default=True

    Attributes
    ----------
    value : ndarray of float32
    gradient : ndarray of float32
        Of a trained one, to be filled by the way back.
    """

    def __init__(
        self,
        path: str,
        shape: tuple[int, ...],
        draw: Draw,
        trainable: bool = True,
    ) -> None:
        self.path, self.shape, self.draw, self.trainable = path, shape, draw, trainable
        self.value: Array
        self.gradient: Array


class Parameters:
    """All parameters of a network, in the order of ``keras.Model.weights``.

    Attributes
    ----------
    theta, gradient : ndarray of float32
        The trained ones, one after the other, and their gradient; parameters are views of them.
    seeds : list of ndarray of int64 of shape (2,)
        A seed and a count of draws for every layer that drops out.
    """

    def __init__(self) -> None:
        self.all: list[Parameter] = []
        self.seeds: list[Array] = []
        self.theta = self.gradient = np.empty(0, np.float32)

    def add(
        self, path: str, shape: tuple[int, ...], draw: Draw, trainable: bool = True
    ) -> Parameter:
        """Add a parameter and return it."""
        self.all.append(Parameter(path, shape, draw, trainable))
        return self.all[-1]

    def add_seed(self) -> int:
        """Add a source of random masks and return its place."""
        self.seeds.append(np.zeros(2, np.int64))
        return len(self.seeds) - 1

    def settle(self) -> None:
        """Give every parameter its place in memory."""
        trained = [p for p in self.all if p.trainable]
        n = sum(int(np.prod(p.shape)) for p in trained)
        self.theta, self.gradient = np.zeros(n, np.float32), np.zeros(n, np.float32)
        for values, name in ((self.theta, "value"), (self.gradient, "gradient")):
            for p, part in zip(trained, self.cut(values), strict=True):
                setattr(p, name, part)
        for p in self.all:
            if not p.trainable:
                p.value = np.zeros(p.shape, np.float32)

    def cut(self, values: Array) -> list[Array]:
        """Return views of an array like `theta`, one a trained parameter."""
        found, start = [], 0
        for p in self.all:
            if p.trainable:
                stop = start + int(np.prod(p.shape))
                found.append(values[start:stop].reshape(p.shape))
                start = stop
        return found

    def initial(self, seed: int) -> list[Array]:
        """Return what the parameters start from; see `seqkit.training.initial_weights`."""
        return [p.draw(p.shape, derived_seed(seed, place)) for place, p in enumerate(self.all)]

    def first_seeds(self, seed: int) -> list[Array]:
        """Return the states of the sources of random masks before the first step."""
        return [
            np.array([derived_seed(seed, DROPOUT, k), 0], np.int64) for k in range(len(self.seeds))
        ]

    def load(self, weights: Sequence[Array]) -> None:
        """Set all parameters."""
        for p, value in zip(self.all, weights, strict=True):
            p.value[...] = value

    def weights(self) -> list[Array]:
        """Return copies of all parameters."""
        return [p.value.copy() for p in self.all]

    def random(self, place: int) -> np.random.Generator:
        """Return the generator of the next mask of a source, and count it."""
        state = self.seeds[place]
        key = np.array([state[0], state[1]], np.uint64)
        state[1] += 1
        return np.random.Generator(np.random.Philox(key=key))
