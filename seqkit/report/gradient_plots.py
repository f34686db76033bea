"""Pictures of how the gradient of a loss fades or grows on its way back through time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import explain
from seqkit.estimators.inspection import Inspected, inspected
from seqkit.network.losses import loss_of
from seqkit.network.recurrences import Recurrence, recurrences
from seqkit.report.canvas import BLUE, OTHERS, Display, axes_of, ink, legend_above, log_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FlowLine", "GradientFlowDisplay", "gradient_flow"]

Array = np.ndarray
MOST_SERIES = 64
"""Series, evenly drawn from those given, whose gradients are looked at."""


@dataclass(frozen=True)
class FlowLine:
    """The norm of dL/dh over time, of a direction of a layer.

    Attributes
    ----------
    name : str
        Of the estimator.
    layer : int
    direction : {"forward", "backward", "ahead"}
        ``ahead`` goes on from the end of a window over the horizon.
    steps : ndarray of shape (n_steps,)
        In time steps of the series.
    norms : ndarray of shape (n_steps,)
        Mean over the series.
    stride : int
        Time steps from one to the next.
    """

    name: str
    layer: int
    direction: str
    steps: Array
    norms: Array
    stride: int = 1

    @property
    def begin(self) -> float:
        """Where its first step begins."""
        return float(self.steps[0]) - self.stride / 2


def gradient_flow(found: Inspected) -> list[tuple[Recurrence, Array]]:
    """Return dL/dh_t of every recurrent layer, with all that comes through the recurrence.

    L is the loss of the series times their number, so that a norm is that of a series by itself.

    Parameters
    ----------
    found : Inspected
        With its target.

    Returns
    -------
    list of (Recurrence, ndarray of shape (n_series, n_steps, units))
        In time's order; NaN past the end of a series.
    """
    assert found.y is not None
    layers = recurrences(found.native(), found.inputs)
    nodes = dict.fromkeys(node for one in layers for node in one.nodes)
    native = found.native(watched=tuple(nodes))
    prediction = native.forward(found.inputs, training=False)
    _, d = loss_of(found.objective, found.y, prediction, found.weight)
    coming = native.backward(d * np.float32(len(found)))
    return [(one, one.gradient(coming)) for one in layers]


class GradientFlowDisplay(Display):
    """The norm of the loss's gradient by the output of a recurrent layer, over time.

    On a logarithmic axis a gradient that shrinks by the same factor with every step back is a
    straight line: it vanishes, and what was long ago is not learned; one that grows explodes
    (Hochreiter 1991; Bengio, Simard and Frasconi 1994). The loss is that of the given series, the
    gradient at a step has all that comes through later steps, and the norm is the mean over series.

    Parameters
    ----------
    lines : sequence of FlowLine

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit import SequenceRegressor
    >>> from seqkit.report.gradient_plots import GradientFlowDisplay
    >>> X = np.random.default_rng(0).normal(size=(12, 30, 1))
    >>> model = SequenceRegressor(cell="simple_rnn", units=4, epochs=1, ensemble=1, patch=1,
    ...                           random_state=0).fit(X, X[:, 0, 0])
    >>> display = GradientFlowDisplay.from_estimator(model, X, X[:, 0, 0])
    >>> len(display.lines[0].norms)
    30
    """

    def __init__(self, lines: Sequence[FlowLine]) -> None:
        self.lines = list(lines)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, member: int = 0, ax: Axes | None = None
    ) -> GradientFlowDisplay:
        """Make the display of a fitted estimator on series with their targets.

        Parameters
        ----------
        estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
        X, y
            As in ``fit``; of more than 64 series (a forecaster's windows) as many, evenly drawn.
        member : int, default=0
            Number of the network in an ensemble.
        """
        return cls.from_estimators({"": estimator}, X, y, member=member, ax=ax)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Any,
        y: Any = None,
        *,
        member: int = 0,
        ax: Axes | None = None,
    ) -> GradientFlowDisplay:
        """Make the display of several fitted estimators, by name, on the same series."""
        if not estimators:
            raise ValueError(explain(cls.__name__, "estimators", "one at least", {}))
        lines = []
        for name, estimator in estimators.items():
            found = inspected(estimator, X, y, member=member, targets=True)
            lines += flow_lines(found, name)
        display = cls(lines)
        return display.plot(ax=ax) if ax is not None else display

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the numbers: a row for each estimator, layer, direction and step."""
        for line in self.lines:
            for step, norm in zip(line.steps, line.norms, strict=True):
                yield {
                    "estimator": line.name, "layer": line.layer, "direction": line.direction,
                    "step": float(step), "norm": float(norm),
                }  # fmt: skip

    def plot(self, ax: Axes | None = None) -> GradientFlowDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        names = list(dict.fromkeys(line.name for line in self.lines))
        several = len(names) > 1
        places = list(dict.fromkeys((line.layer, line.direction) for line in self.lines))
        colors = (BLUE, *OTHERS)
        for line in self.lines:
            place = places.index((line.layer, line.direction))
            label = [line.name] if line.name else []
            if len(places) > 1 or not label:
                label.append(f"layer {line.layer} {line.direction}")
            which = names.index(line.name) if several else place
            ax.plot(
                line.steps, np.where(line.norms > 0, line.norms, np.nan), linewidth=1.6,
                color=colors[which % len(colors)], label=", ".join(label),
                linestyle=("-", "--", ":", "-.")[place % 4] if several else "-",
                marker="o" if len(line.steps) < 3 else "", markersize=4,
            )  # fmt: skip
        log_scale(ax)
        ax.set(xlabel="time step", ylabel=r"norm of ∂L/∂h")
        if ahead := [line for line in self.lines if line.direction == "ahead"]:
            ax.axvline(ahead[0].begin, color=ink(), linewidth=0.9, linestyle=":")
            ax.set_xlabel("time step of the window, and on over the horizon (dotted line)")
        legend_above(ax)
        return self._done(ax)


def flow_lines(found: Inspected, name: str = "") -> list[FlowLine]:
    """Return the mean norm over time of every direction of every recurrent layer."""
    if len(found) > MOST_SERIES:
        rows = np.linspace(0, len(found) - 1, MOST_SERIES).round().astype(int)
        found = found.take(rows)
    lines = []
    for one, gradient in gradient_flow(found):
        norms = np.sqrt((gradient**2).sum(axis=2))  # (n, steps), NaN past the end
        start = float(one.starts.max())
        if found.ends and one.lengths is not None:  # windows end together
            norms = np.stack([np.roll(row, len(row) - n) for row, n in zip(
                norms, one.lengths, strict=True)])  # fmt: skip
            start = float(one.starts.min()) if len(norms) else 0.0
        there = ~np.isnan(norms).all(axis=0)
        mean = np.nanmean(norms[:, there], axis=0)
        steps = start + one.stride * np.flatnonzero(there)
        lines.append(FlowLine(name, one.layer, one.direction, steps, mean, one.stride))
    return lines
