"""An artefact asked what the estimator was asked, and how far the answers are apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seqkit.exports.examples import Example
from seqkit.network.layers.base import Array

__all__ = ["Agreement", "Ask", "agreement"]

Ask = Callable[[dict[str, Array]], Array]
"""What runs an artefact: inputs by name to its answers."""


@dataclass(frozen=True)
class Agreement:
    """How far an artefact's answers are from the estimator's.

    Parameters
    ----------
    rows : int
        Series or windows asked.
    batches : tuple of int
        Sizes of the batches that they were asked in.
    steps : tuple of int
        Shortest and longest of them.
    absolute : float
        Greatest absolute difference, in the units of the answer.
    relative : float
        Greatest difference as a share of the greatest answer; of several targets, each by its own.
    tolerance : float or None
        What `relative` may be; None where the format rounds weights, and is what it is.
    data : str
        Where the rows are from.
    """

    rows: int
    batches: tuple[int, ...]
    steps: tuple[int, int]
    absolute: float
    relative: float
    tolerance: float | None
    data: str

    @property
    def holds(self) -> bool:
        """Whether it is as near as it must be; NaN never is."""
        return self.tolerance is None or self.relative <= self.tolerance

    def document(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return asdict(self) | {"batches": list(self.batches), "steps": list(self.steps)}

    def sentence(self) -> str:
        """Say it to a person."""
        return (
            f"{self.rows} rows of {self.data}, in batches of "
            f"{' and '.join(map(str, sorted(set(self.batches))))}: greatest difference "
            f"{self.absolute:.3g}, relative {self.relative:.2g}"
        )


def agreement(
    ask: Ask, examples: Sequence[Example], task: str, tolerance: float | None, data: str
) -> Agreement:
    """Ask an artefact, and compare.

    Parameters
    ----------
    ask : callable
    examples : sequence of Example
    task : str
    tolerance : float or None
    data : str
        Where the examples are from.
    """
    apart, size = [], []
    steps: list[int] = []
    for example in examples:
        made = np.asarray(ask(example.inputs), np.float64)
        truth = example.answers.reshape(made.shape)
        if example.valid is not None:
            made, truth = made[example.valid], truth[example.valid]
        apart.append(_by_target(np.abs(made - truth), task))
        size.append(_by_target(np.abs(truth), task))
        x = example.inputs["x"]
        steps += example.inputs["lengths"].tolist() if "lengths" in example.inputs else [x.shape[1]]
    difference, greatest = np.max(apart, axis=0), np.max(size, axis=0)
    relative = difference / np.where(greatest > 0, greatest, 1.0)
    batches = tuple(len(example.inputs["x"]) for example in examples)
    return Agreement(
        sum(batches), batches, (min(steps), max(steps)), float(difference.max()),
        float(relative.max()), tolerance, data,
    )  # fmt: skip


def _by_target(sizes: Array, task: str) -> Array:
    """Return the greatest number of each target; probabilities are all of one kind.

    Of the numbers of a next step, (steps, components, parameters), that of each parameter.
    """
    axis = {"regression": 1, "forecasting": 2}.get(task)
    if task == "tagging" and sizes.ndim == 3:
        axis = 2
    if axis is None:
        return np.array([sizes.max(initial=0.0)])
    out: Array = np.moveaxis(sizes, axis, 0).reshape(sizes.shape[axis], -1).max(axis=1)
    return out
