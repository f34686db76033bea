"""Pictures of several runs beside each other, as display objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.report.canvas import BLUE, OTHERS, Display, axes_of, ink, metric_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CurvesDisplay", "DifferencesDisplay", "TradeOffDisplay", "run_color"]


def run_color(number: int) -> str:
    """Return the colour of a run, the first one's blue."""
    return (BLUE, *OTHERS)[number % (1 + len(OTHERS))]


class DifferencesDisplay(Display):
    """How every run differs from the first, with intervals.

    Parameters
    ----------
    differences : mapping of str to mapping
        By run: ``value``, ``low``, ``high``, and whether it is ``beyond_chance``.
    metric : str
    first : str
        What the others are compared with.

    Examples
    --------
    >>> from seqkit.report.comparison_plots import DifferencesDisplay
    >>> found = {"B": {"value": 0.1, "low": -0.1, "high": 0.3, "beyond_chance": False}}
    >>> DifferencesDisplay(found, "accuracy", "A").plot().ax_.get_xlabel()
    'accuracy less that of A'
    """

    def __init__(self, differences: Mapping[str, Mapping[str, Any]], metric: str, first: str):
        known = {who: one for who, one in differences.items() if one["value"] is not None}
        self.differences, self.metric, self.first = known, metric, first
        self.figsize = (7.0, 1.1 + 0.38 * len(known))

    @classmethod
    def from_comparison(
        cls, document: Mapping[str, Any], metric: str, *, ax: Axes | None = None
    ) -> DifferencesDisplay:
        """Make the display of what :func:`seqkit.compare` found by a metric."""
        display = cls(document["differences"][metric], metric, document["runs"][0]["letter"])
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> DifferencesDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        names = list(self.differences)
        for place, one in enumerate(self.differences.values()):
            color = run_color(1 + place) if one["beyond_chance"] else "#9aa0a6"
            if one["low"] is not None:
                ax.plot([one["low"], one["high"]], [place, place], color=color, linewidth=3,
                        solid_capstyle="round")  # fmt: skip
            ax.plot([one["value"]], [place], "o", color=color, markersize=7)
        ax.axvline(0, color=ink(), linewidth=0.9, linestyle=":")
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(f"{metric_title(self.metric)} less that of {self.first}")
        return self._done(ax)


class TradeOffDisplay(Display):
    """Score against a cost, and the front of runs that none beats in both.

    Parameters
    ----------
    names : sequence of str
    costs, scores : sequence of float
    metric, cost : str
    front : sequence of str
        Names of the runs on the front.
    intervals : sequence of tuple of float or None, optional
        Ends of each score's interval.

    Examples
    --------
    >>> from seqkit.report.comparison_plots import TradeOffDisplay
    >>> made = TradeOffDisplay(["A", "B"], [1, 9], [2, 1], "mae", "seconds of training", ["A", "B"])
    >>> made.plot().ax_.get_xlabel()
    'seconds of training'
    """

    figsize = (6.0, 3.6)

    def __init__(
        self,
        names: Sequence[str],
        costs: Sequence[float],
        scores: Sequence[float],
        metric: str,
        cost: str,
        front: Sequence[str],
        intervals: Sequence[tuple[float | None, float | None]] = (),
    ) -> None:
        self.names, self.costs, self.scores = list(names), list(costs), list(scores)
        self.metric, self.cost, self.front = metric, cost, set(front)
        self.intervals = list(intervals) or [(None, None)] * len(self.names)

    @classmethod
    def from_comparison(
        cls, document: Mapping[str, Any], cost: str, *, ax: Axes | None = None
    ) -> TradeOffDisplay:
        """Make the display of a comparison, by a cost of it: ``seconds`` or ``bytes``."""
        metric = document["metric"]
        of_runs = document["scores"][metric]
        known = [
            run for run in document["runs"]
            if run[cost] is not None and of_runs[run["letter"]]["value"] is not None
        ]  # fmt: skip
        rows = [of_runs[run["letter"]] for run in known]
        size = 1000 if cost == "bytes" else 1
        display = cls(
            [run["letter"] for run in known],
            [run[cost] / size for run in known],
            [row["value"] for row in rows],
            metric,
            {"seconds": "seconds of training", "bytes": "kilobytes of weights"}[cost],
            document["pareto"].get(cost, ()),
            [(row["low"], row["high"]) for row in rows],
        )
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> TradeOffDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        front = sorted((c, s) for n, c, s in self._rows() if n in self.front)
        if len(front) > 1:
            ax.plot(*zip(*front, strict=True), color=ink(), linewidth=1, linestyle="--", alpha=0.5)
        for number, (name, cost, score) in enumerate(self._rows()):
            low, high = self.intervals[number]
            if low is not None and high is not None:
                ax.plot(
                    [cost, cost], [low, high], color=run_color(number), linewidth=1.6, alpha=0.6
                )
            face = run_color(number) if name in self.front else "none"
            ax.plot(
                [cost], [score], "o", color=run_color(number), markerfacecolor=face, markersize=8
            )
            ax.annotate(name, (cost, score), xytext=(7, 5), textcoords="offset points")
        if min(self.costs) > 0 and max(self.costs) / min(self.costs) > 30:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
        ax.margins(x=0.12)
        ax.set(xlabel=self.cost, ylabel=metric_title(self.metric))
        return self._done(ax)

    def _rows(self) -> list[tuple[str, float, float]]:
        return list(zip(self.names, self.costs, self.scores, strict=True))


class CurvesDisplay(Display):
    """Losses of several trainings on top of each other; dashed that of the validation part.

    Parameters
    ----------
    curves : mapping of str to mapping of str to sequence of float
        By run: ``loss`` and maybe ``val_loss``.

    Examples
    --------
    >>> from seqkit.report.comparison_plots import CurvesDisplay
    >>> CurvesDisplay({"A": {"loss": [2.0, 1.0]}, "B": {"loss": [3.0]}}).plot().ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
        self.curves = {
            who: {
                name: np.asarray(of_run[name], np.float64)
                for name in ("loss", "val_loss")
                if name in of_run
            }
            for who, of_run in curves.items()
        }

    @classmethod
    def from_comparison(
        cls, curves: Mapping[str, Mapping[str, Sequence[float]]], *, ax: Axes | None = None
    ) -> CurvesDisplay:
        """Make the display of the curves that :func:`seqkit.compare` read."""
        display = cls(curves)
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> CurvesDisplay:
        """Draw the display."""
        from matplotlib.ticker import MaxNLocator

        ax = axes_of(ax, self.figsize)
        every = []
        for number, (who, of_run) in enumerate(self.curves.items()):
            for name, values in of_run.items():
                every.append(values[np.isfinite(values)])
                label = who if name == "loss" else f"{who}, validation"
                ax.plot(np.arange(1, len(values) + 1), values, color=run_color(number), label=label,
                        linewidth=1.5, linestyle="-" if name == "loss" else "--",
                        marker="o" if len(values) == 1 else None)  # fmt: skip
        known = np.concatenate(every) if every else np.zeros(0)
        if len(known) and known.min() > 0 and known.max() / known.min() > 30:
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="epoch", ylabel="loss")
        if every:
            ax.legend(frameon=False, ncols=1 + len(self.curves) // 8, fontsize="small")
        return self._done(ax)
