"""Pictures of what is inside of recurrent layers: gates and states over time, and saturation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import explain
from seqkit.estimators.inspection import Inspected, inspected
from seqkit.estimators.whole_answer import WholeAnswer
from seqkit.evaluation.saturation import saturation
from seqkit.network.recurrences import NAMES, Recurrence, recurrences
from seqkit.report.canvas import BLUE, OTHERS, Display, axes_of, ink, legend_above, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GateDisplay", "SaturationDisplay", "draw_series"]

Array = np.ndarray
ORDERS = ("peak", "correlation", "index")

MOST_LINES = 6  # features that are drawn
MANY_TIMES = 10  # as far as one goes another is a flat line
MOST_WORDS = 60  # tokens that are written below an axis


def draw_series(
    ax: Axes, values: Array, features: Sequence[str], words: Array | None, title: str,
    first: int = 0,
) -> None:  # fmt: skip
    """Draw a series ``(n_timesteps, n_features)``, or write its tokens, above other panels."""
    steps = first + np.arange(len(values))
    if words is not None:
        shown = words[values[:, 0].astype(int)]
        ax.scatter(steps, np.zeros(len(steps)), s=4, color=BLUE)
        if len(steps) <= MOST_WORDS:
            for step, word in zip(steps, shown, strict=True):
                ax.text(float(step), 0.3, str(word), ha="center", va="bottom", fontsize="small")
        ax.set(yticks=[], ylim=(-0.5, 1.5))
        ax.set_title(title, loc="left", fontsize="medium")
        return
    colors = (BLUE, *OTHERS)
    drawn = values[:, :MOST_LINES].astype(np.float64)
    sizes = np.ptp(drawn, axis=0)
    if (sizes > 0).any() and sizes.max() > MANY_TIMES * sizes[sizes > 0].min():
        drawn = (drawn - drawn.min(axis=0)) / np.where(sizes > 0, sizes, 1.0)
        title += ", each feature over its own range"
        ax.set_yticks([])
    for k in range(drawn.shape[1]):
        ax.plot(steps, drawn[:, k], color=colors[k % len(colors)], linewidth=1.3, label=features[k])
    left = values.shape[1] - MOST_LINES
    title += f" ({left} more features)" if left > 0 else ""
    if values.shape[1] > 1:
        legend_above(ax, title)
    else:
        ax.set_title(f"{title}: {features[0]}", loc="left", fontsize="medium")


def _ordered(h: Array, order: str) -> Array:
    """Return the numbers of units in the order in which they are drawn, by ``h`` (time, units)."""
    apart = h - h.mean(axis=0)
    if order == "index" or h.shape[1] < 3:
        return np.arange(h.shape[1])
    if order == "peak":
        return np.argsort(np.abs(apart).argmax(axis=0), kind="stable")
    from scipy.cluster.hierarchy import leaves_list, linkage

    norm = np.sqrt((apart**2).sum(axis=0))
    unit = apart / np.where(norm > 0, norm, 1.0)
    leaves: Array = leaves_list(linkage(unit.T, "average", "euclidean", optimal_ordering=True))
    return leaves


class GateDisplay(Display):
    """Gates, candidate, memory and output of a recurrent layer over time, beside the series.

    Rows are units, in one order for all panels: those whose outputs rise and fall together stand
    together (hierarchical clustering of the outputs' courses, with average linkage and the order of
    leaves that is smoothest; Bar-Joseph, Gifford and Jaakkola 2001). A gate of 0 shuts, of 1 lets
    everything through; memory and output are blue below and red above 0.

    Parameters
    ----------
    values : ndarray of shape (n_timesteps, n_features)
        The series, in units.
    activations : mapping of str to ndarray of shape (n_steps, units)
        By the names of :data:`seqkit.network.recurrences.NAMES`, among them ``h``.
    features : sequence of str, optional
    start, stride : float, int, default=0, 1
        Where in the series the first step of the layer stands, and how many steps of the series one
        of the layer goes on: more than one behind patches and stems with strides.
    first : int, default=0
        The number of the first step of the series.
    steps : str, default="time step"
        What they are steps of.
    order : {"correlation", "peak", "index"}, default="correlation"
        Of the units: as said; by when an output is furthest from its mean; or as they are.
    words : ndarray, optional
        Where the series is of tokens, what each code stands for.
    title : str, optional

    Attributes
    ----------
    ax_, figure_
        Set by :meth:`plot`; ``axes_`` are the panels, of which ``ax_`` is the first.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.report.gate_plots import GateDisplay
    >>> h = np.tanh(np.random.default_rng(0).normal(size=(20, 4)))
    >>> len(GateDisplay(np.zeros((20, 1)), {"h": h, "z": abs(h)}).plot().axes_)
    3
    """

    axes_: list[Axes]

    def __init__(
        self,
        values: Any,
        activations: Mapping[str, Array],
        *,
        features: Sequence[str] | None = None,
        start: float = 0.0,
        stride: int = 1,
        first: int = 0,
        steps: str = "time step",
        order: str = "correlation",
        words: Array | None = None,
        title: str = "",
    ) -> None:
        if order not in ORDERS:
            raise ValueError(explain("GateDisplay", "order", f"one of {ORDERS}", order))
        self.values = np.asarray(values, np.float64)
        self.activations = {name: np.asarray(a, np.float64) for name, a in activations.items()}
        self.features = features or [f"feature {k}" for k in range(self.values.shape[1])]
        self.start, self.stride, self.words, self.title = start, stride, words, title
        self.first, self.steps = first, steps
        self.order = _ordered(self.activations["h"], order)
        self.figsize = (8.0, 1.9 + 1.05 * len(self.activations))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        series: int | str = 0,
        *,
        layer: int = 1,
        direction: str = "forward",
        member: int = 0,
        channel: int | str = 0,
        order: str = "correlation",
        ax: Axes | None = None,
    ) -> GateDisplay:
        """Make the display of what a fitted estimator computes of a series.

        Parameters
        ----------
        estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
        X : as in ``predict``
        series : int or str, default=0
            Its number, or its name; of a forecaster the last window of it is taken.
        layer : int, default=1
            Number of the recurrent layer.
        direction : {"forward", "backward", "ahead"}, default="forward"
            ``ahead`` are the steps of the horizon, of a decoder that goes on over them; beside them
            stands the forecast.
        member : int, default=0
            Number of the network in an ensemble.
        channel : int or str, default=0
            Number or name of the target that the network is looked at with, where it reads each by
            itself (``channels="independent"``).
        order : as in the class

        Raises
        ------
        ValueError
            If there is no such series, layer, direction, network or channel.
        """
        found = inspected(estimator, X, member=member)
        display = cls.from_inspected(found, series, layer, direction, channel, order=order)
        return display.plot(ax=ax) if ax is not None else display

    @classmethod
    def from_inspected(
        cls,
        found: Inspected,
        series: int | str,
        layer: int,
        direction: str,
        channel: int | str = 0,
        **more: Any,
    ) -> GateDisplay:
        """Make the display of what a network is given."""
        row = found.row_of(series, cls.__name__)
        alone = found.take(np.array([row]))
        one = _of(recurrences(alone.native(), alone.inputs), layer, direction)
        every = one.activations()
        which = _channel_of(alone, len(every["h"]), channel)  # a row each
        if direction == "ahead":
            return cls._ahead(alone, one, which, **more)
        valid = None if one.lengths is None else int(one.lengths[which or 0])
        activations = {name: a[which or 0, :valid] for name, a in every.items()}
        n, values, features = int(alone.lengths[0]), alone.values[0], list(found.features)
        if which is not None:
            at = features.index(alone.targets[which])
            values, features = values[:, [at]], [features[at]]
        first = len(values) - n if found.ends else 0
        title = f"{'window of ' if found.ends else ''}series {found.ids[row]}, {_place(one)}"
        return cls(
            values[first : first + n], activations, features=features,
            start=float(one.starts[0]) - first, stride=one.stride, words=found.words,
            steps="time step of the window" if found.ends else "time step", title=title, **more,
        )  # fmt: skip

    @classmethod
    def _ahead(
        cls, alone: Inspected, one: Recurrence, which: int | None, **more: Any
    ) -> GateDisplay:
        """Make the display of a decoder, beside the forecast of its network by itself."""
        whole = WholeAnswer([alone], forecasting=True, slopes=False, alone=True)
        forecast, targets = whole.answer(whole.parts)[0], list(alone.targets)
        if which is not None:
            forecast, targets = forecast[:, [which]], [targets[which]]
        title = f"forecast of series {alone.ids[0]}, {_place(one)}"
        start = 1 + (one.stride - 1) / 2
        return cls(
            forecast, {name: a[which or 0] for name, a in one.activations().items()},
            features=targets, start=start, stride=one.stride, first=1,
            steps="step of the horizon", title=title, **more,
        )  # fmt: skip

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the numbers: a row for each activation, step and unit."""
        for name, values in self.activations.items():
            for step, row in enumerate(values):
                at = self.start + step * self.stride
                for unit, value in enumerate(row):
                    yield {"activation": name, "step": at, "unit": unit, "value": float(value)}

    def plot(self, ax: Axes | None = None) -> GateDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        panels, bars = panels_of(ax, [1.5, *[1.0] * len(self.activations)], bars=True)
        draw_series(panels[0], self.values, self.features, self.words, self.title, first=self.first)
        for panel, bar, (name, values) in zip(
            panels[1:], bars, self.activations.items(), strict=True
        ):
            panel.grid(visible=False)
            n_steps, units = values.shape
            is_gate = name not in ("g", "c", "h")
            most = 1.0 if is_gate else max(float(np.nanquantile(np.abs(values), 0.99)), 1e-12)
            left = self.start - self.stride / 2
            image = panel.imshow(
                values[:, self.order].T, aspect="auto", interpolation="nearest",
                extent=(left, left + n_steps * self.stride, units, 0),
                cmap="viridis" if is_gate else "RdBu_r", vmin=0.0 if is_gate else -most, vmax=most,
            )  # fmt: skip
            panel.set_title(NAMES[name], loc="left", fontsize="small", pad=3)
            panel.set(yticks=[0, units], ylabel="unit")
            ends = [0, 0.5, 1] if is_gate else [-most, 0, most]
            panel.get_figure().colorbar(image, cax=bar, ticks=ends, format="{x:.2g}")  # type: ignore[union-attr]
            bar.tick_params(labelsize="x-small", length=2)
        panels[0].set_xlim(self.first - 0.5, self.first + len(self.values) - 0.5)
        panels[-1].set_xlabel(self.steps)
        self.axes_ = panels
        return self._done(ax)


def _place(one: Recurrence) -> str:
    return f"layer {one.layer} ({one.cell.name}, {one.direction})"


def _channel_of(alone: Inspected, n_rows: int, channel: int | str) -> int | None:
    """Return which row of a series is looked at; None where the network reads it as a whole."""
    names = list(alone.targets) if n_rows > 1 else []
    if n_rows == 1 and str(channel) == "0":
        return None
    if channel in names:
        return names.index(str(channel))
    if str(channel).isdecimal() and int(channel) < len(names):
        return int(channel)
    expected = "0, as the network reads all channels at once"
    if names:
        expected = f"one of {', '.join(map(repr, names))} or a number below {len(names)}"
    raise ValueError(explain("GateDisplay", "channel", expected, channel))


def _of(every: Sequence[Recurrence], layer: int, direction: str) -> Recurrence:
    """Return one direction of a layer."""
    for one in every:
        if (one.layer, one.direction) == (layer, direction):
            return one
    layers = sorted({one.layer for one in every})
    if layer not in layers:
        raise ValueError(explain("GateDisplay", "layer", f"one of {layers}", layer))
    directions = [one.direction for one in every if one.layer == layer]
    raise ValueError(explain("GateDisplay", "direction", f"one of {directions}", direction))


class SaturationDisplay(Display):
    """How often each unit's gates are below .1 (left-saturated) and above .9 (right-saturated).

    A point is a gate of a unit (Karpathy, Johnson and Li 2016, figure 3): near the origin it works
    on a middle way all the time, on the right it is shut always, at the top always open.

    Parameters
    ----------
    shares : list of dict
        As :func:`~seqkit.evaluation.saturation.saturation` gives them.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.report.gate_plots import SaturationDisplay
    >>> one = {"layer": 1, "direction": "forward", "gate": "f"}
    >>> shares = [one | {"below": np.array([0.0, 0.5]), "above": np.array([1.0, 0.0])}]
    >>> SaturationDisplay(shares).table()
    [{'layer': 1, 'direction': 'forward', 'gate': 'f', 'below': 0.25, 'above': 0.5}]
    """

    figsize = (5.6, 5.0)
    markers = "osD^vP*X<>"

    def __init__(self, shares: Sequence[Mapping[str, Any]]) -> None:
        if not shares:
            expected, hint = "of a cell with gates", "A simple recurrent network has none."
            raise ValueError(explain("SaturationDisplay", "the network", expected, "none", hint))
        self.shares = list(shares)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, member: int = 0, ax: Axes | None = None
    ) -> SaturationDisplay:
        """Make the display of all recurrent layers of a fitted estimator on series.

        Parameters
        ----------
        estimator, X, member
            As in :meth:`GateDisplay.from_estimator`; of a forecaster windows all over time.
        """
        display = cls(saturation(inspected(estimator, X, member=member, many=True)))
        return display.plot(ax=ax) if ax is not None else display

    def table(self) -> list[dict[str, Any]]:
        """Return the shares by layer, direction and gate, over all units."""
        return [
            {**row, "below": float(np.mean(row["below"])), "above": float(np.mean(row["above"]))}
            for row in self.shares
        ]

    def plot(self, ax: Axes | None = None) -> SaturationDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        gates = list(dict.fromkeys(row["gate"] for row in self.shares))
        places = list(dict.fromkeys((row["layer"], row["direction"]) for row in self.shares))
        for row in self.shares:
            place = (row["layer"], row["direction"])
            color = (BLUE, *OTHERS)[gates.index(row["gate"])]
            marker = self.markers[places.index(place) % len(self.markers)]
            ax.scatter(row["below"], row["above"], s=26, color=color, marker=marker, alpha=0.65,
                       linewidths=0)  # fmt: skip
        dot: dict[str, Any] = {"s": 26, "linewidths": 0}
        for gate, color in zip(gates, (BLUE, *OTHERS), strict=False):
            ax.scatter([], [], color=color, label=NAMES[gate], **dot)
        for k, (layer, direction) in enumerate(places if len(places) > 1 else []):
            marker, label = self.markers[k % len(self.markers)], f"layer {layer} {direction}"
            ax.scatter([], [], color=ink(), marker=marker, label=label, **dot)
        ax.plot([0, 1], [1, 0], color=ink(), linewidth=0.9, linestyle=":")
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="share of steps below 0.1",
               ylabel="share of steps above 0.9")  # fmt: skip
        ax.legend(frameon=False, fontsize="small", loc="upper right")
        return self._done(ax)
