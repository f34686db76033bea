"""Optimizers of native networks: the arithmetic of Keras's, on all weights in one array.

A rule holds one array like the weights for each of its `moments`; its state is kept as Keras keeps
its own, so that a fit goes on in either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from seqkit.errors import explain, suggest
from seqkit.network.cpu.schemes import compiled_kernels

__all__ = ["UPDATE_RULES", "UpdateRule", "keras_config", "rule_of"]

Array = np.ndarray
single = np.float32


@dataclass
class UpdateRule:
    """An optimizer with its options; a row of :data:`UPDATE_RULES`.

    Parameters
    ----------
    weight_decay : float, optional
        Share of every weight taken away at each step, times the learning rate (Loshchilov and
        Hutter 2019).
    """

    weight_decay: float | None = None
    scalars: ClassVar[tuple[float, ...]] = ()
    """What numbers it holds start from."""

    def groups(self) -> tuple[int, ...]:
        """Return how many moments of a weight lie together, group after group."""
        return (2,)

    @property
    def moments(self) -> int:
        """How many arrays like the weights it holds."""
        return sum(self.groups())

    def update(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        """Take step number `t`, from 1, at a learning rate; arrays are changed in place."""
        if self.weight_decay is not None:
            theta -= theta * single(self.weight_decay) * single(rate)
        self.step(theta, g, held, scalars, t, single(rate))

    def step(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        """Take a step without weight decay."""
        raise NotImplementedError

    def shapes(self, trained: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Return the shapes of its state, as :meth:`state` orders it."""
        shapes: list[tuple[int, ...]] = [(), ()]
        for size in self.groups():
            shapes += [shape for shape in trained for _ in range(size)]
        return [*shapes, *[()] * len(self.scalars)]

    def initial_state(self, rate: float, trained: Sequence[tuple[int, ...]]) -> list[Array]:
        """Return the state before the first step, for weights of these shapes."""
        state = [np.zeros(shape, np.float32) for shape in self.shapes(trained)]
        state[:2] = [np.array(0, np.int64), np.array(rate, np.float32)]
        for index, start in enumerate(self.scalars, len(state) - len(self.scalars)):
            state[index] = np.array(start, np.float32)
        return state

    def state(
        self, t: int, rate: float, cut: Sequence[Sequence[Array]], scalars: Sequence[Array]
    ) -> list[Array]:
        """Return its state as a list: steps, rate, moments by weight (`cut` by moment), numbers."""
        state: list[Array] = [np.array(t, np.int64), np.array(rate, np.float32)]
        first = 0
        for size in self.groups():
            for parts in zip(*cut[first : first + size], strict=True):
                state += [part.copy() for part in parts]
            first += size
        return [*state, *(np.array(s) for s in scalars)]

    def load(
        self, state: Sequence[Array], cut: Sequence[Sequence[Array]], scalars: Sequence[Array]
    ) -> None:
        """Set moments and numbers from a :meth:`state`."""
        values, first = iter(state[2:]), 0
        for size in self.groups():
            for parts in zip(*cut[first : first + size], strict=True):
                for part in parts:
                    part[...] = next(values)
            first += size
        for scalar in scalars:
            scalar[...] = next(values)


@dataclass
class Adam(UpdateRule):
    """Kingma and Ba (2015), algorithm 1 as of section 2."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def step(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        beta_1, beta_2 = single(self.beta_1), single(self.beta_2)
        powers = single(1) - beta_1 ** single(t), single(1) - beta_2 ** single(t)
        alpha = rate * np.sqrt(powers[1]) / powers[0]
        compiled_kernels().adam_step(theta, g, *held, alpha, beta_1, beta_2, single(self.epsilon))


@dataclass
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2)."""

    weight_decay: float | None = 0.004


@dataclass
class Nadam(UpdateRule):
    """Adam with Nesterov's momentum (Dozat 2016), the momentum warmed up as Keras does."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    scalars = (1.0,)

    def step(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        m, v = held
        beta_1, beta_2 = single(self.beta_1), single(self.beta_2)
        now, then = (
            beta_1 * (single(1) - single(0.5) * single(0.96) ** single(k)) for k in (t, t + 1)
        )
        scalars[0] *= now
        product = single(scalars[0])
        m += (g - m) * (single(1) - beta_1)
        v += (g * g - v) * (single(1) - beta_2)
        m_hat = m * (then / (single(1) - product * then))
        m_hat += g * ((single(1) - now) / (single(1) - product))
        v_hat = np.sqrt(v / (single(1) - beta_2 ** single(t)))
        theta -= m_hat * rate / (v_hat + single(self.epsilon))


@dataclass
class RMSprop(UpdateRule):
    """Tieleman and Hinton (2012), lecture 6.5; with momentum, and centered (Graves 2013)."""

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def groups(self) -> tuple[int, ...]:
        return (1, *[1] * (self.momentum > 0), *[1] * self.centered)

    def step(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        rho, velocity = single(self.rho), held[0]
        velocity *= rho
        velocity += (single(1) - rho) * (g * g)
        denominator = velocity + single(self.epsilon)
        if self.centered:
            mean = held[-1]
            mean *= rho
            mean += (single(1) - rho) * g
            denominator -= mean * mean
        change = rate * g / np.sqrt(denominator)
        if self.momentum > 0:
            held[1] *= single(self.momentum)
            held[1] += change
            change = held[1]
        theta -= change


@dataclass
class SGD(UpdateRule):
    """Plain descent, or with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013)."""

    momentum: float = 0.0
    nesterov: bool = False

    def groups(self) -> tuple[int, ...]:
        return (1,) if self.momentum else ()

    def step(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        if not self.momentum:
            compiled_kernels().sgd_step(theta, g, rate)
            return
        velocity, change = held[0], g * rate
        velocity *= single(self.momentum)
        velocity -= change
        theta += velocity * single(self.momentum) - change if self.nesterov else velocity


@dataclass
class Lion(UpdateRule):
    """Chen et al. (2023), algorithm 1."""

    beta_1: float = 0.9
    beta_2: float = 0.99

    def groups(self) -> tuple[int, ...]:
        return (1,)

    def step(
        self, theta: Array, g: Array, held: list[Array], scalars: list[Array], t: int, rate: Any
    ) -> None:
        m, beta_1, beta_2 = held[0], single(self.beta_1), single(self.beta_2)
        theta -= rate * np.sign(m * beta_1 + g * (single(1) - beta_1))
        m *= beta_2
        m += g * (single(1) - beta_2)


UPDATE_RULES: dict[str, tuple[type[UpdateRule], str]] = {
    "adam": (Adam, "Adam"),
    "adamw": (AdamW, "AdamW"),
    "lion": (Lion, "Lion"),
    "nadam": (Nadam, "Nadam"),
    "rmsprop": (RMSprop, "RMSprop"),
    "sgd": (SGD, "SGD"),
}
"""Optimizers by name, with the class of ``keras.optimizers`` that computes the same."""


def _split(optimizer: Any, owner: str) -> tuple[str, dict[str, Any]]:
    options = dict(optimizer) if isinstance(optimizer, Mapping) else {"name": optimizer}
    name = options.pop("name", None)
    if name not in UPDATE_RULES:
        expected = f"one of {', '.join(UPDATE_RULES)}"
        raise ValueError(
            explain(owner, "optimizer", expected, name, suggest(str(name), UPDATE_RULES))
        )
    known = sorted(field.name for field in fields(UPDATE_RULES[name][0]))
    for option in options:
        if option not in known:
            expected = f"one of {', '.join(known)}"
            hint = suggest(option, known)
            raise ValueError(explain(owner, f"an option of {name}", expected, option, hint))
    return name, options


def rule_of(optimizer: Any, owner: str = "fit") -> UpdateRule | None:
    """Return the rule of a name, or of a mapping of a name and options; None for Keras's objects.

    Raises
    ------
    ValueError
        If there is no such optimizer, or it has no such option.

    Examples
    --------
    >>> rule_of({"name": "sgd", "momentum": 0.9})
    SGD(weight_decay=None, momentum=0.9, nesterov=False)
    """
    if not isinstance(optimizer, str | Mapping):
        return None
    name, options = _split(optimizer, owner)
    return UPDATE_RULES[name][0](**options)


def keras_config(optimizer: Any) -> Any:
    """Return what ``keras.optimizers.get`` makes the same optimizer of."""
    if not isinstance(optimizer, str | Mapping):
        return optimizer
    name, options = _split(optimizer, "fit")
    return {"class_name": UPDATE_RULES[name][1], "config": options}
