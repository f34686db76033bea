"""Pictures of what mattered: importance over many series, attributions over one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.evaluation.attributions import Attribution, attribute
from seqkit.evaluation.importance import Importance, permutation_importance
from seqkit.report.canvas import BLUE, ORANGE, Display, axes_of, ink, metric_title, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AttributionDisplay", "ImportanceDisplay"]

MOST_FEATURES = 6  # that are drawn, those with most first
MOST_BARS = 20


class ImportanceDisplay(Display):
    """How much worse a score is without a feature or a stretch of time, with its spread.

    Parameters
    ----------
    importance : Importance
        As :func:`~seqkit.evaluation.importance.permutation_importance` gives it.

    Attributes
    ----------
    ax_, figure_
        Set by :meth:`plot`; ``axes_`` are the panels, of which ``ax_`` is the first.

    Examples
    --------
    >>> from seqkit.evaluation.importance import Importance
    >>> from seqkit.report.attribution_plots import ImportanceDisplay
    >>> rows = [{"kind": "feature", "name": "load", "mean": 0.3, "spread": 0.02}]
    >>> ImportanceDisplay(Importance("accuracy", 0.9, 40, rows)).plot().ax_.get_xlabel()
    'accuracy lost (0.9 as it is)'
    """

    axes_: list[Axes]

    def __init__(self, importance: Importance) -> None:
        self.importance = importance
        rows = importance.rows
        features = sorted((r for r in rows if r["kind"] == "feature"), key=lambda r: -r["mean"])
        self.panels = {
            kind: part[:MOST_BARS]
            for kind, part in (
                ("feature", features),
                ("time", [r for r in rows if r["kind"] == "time"]),
            )
            if part
        }
        self.figsize = (7.0, 1.2 + 0.3 * sum(map(len, self.panels.values())))

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, metric: str | None = None,
        ax: Axes | None = None, **more: Any,
    ) -> ImportanceDisplay:  # fmt: skip
        """Make the display of a fitted estimator on series with their targets.

        Parameters
        ----------
        estimator, X, y, **more
            As in :func:`~seqkit.evaluation.importance.permutation_importance`.
        metric : str, optional
            Default: the first of the task.
        """
        metrics = None if metric is None else [metric]
        display = cls(permutation_importance(estimator, X, y, metrics=metrics, **more)[0])
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> ImportanceDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        panels = [ax]
        if len(self.panels) > 1:
            panels = panels_of(ax, [len(rows) + 0.6 for rows in self.panels.values()])[0]
        for panel, (kind, rows) in zip(panels, self.panels.items(), strict=True):
            shown = rows[::-1]  # the first on top
            names = [row["name"] for row in shown]
            panel.barh(
                range(len(shown)), [row["mean"] for row in shown],
                xerr=[row["spread"] for row in shown], height=0.62,
                color=BLUE if kind == "feature" else ORANGE,
                error_kw={"ecolor": ink(), "elinewidth": 0.9},
            )  # fmt: skip
            panel.set_yticks(range(len(shown)), names)
            panel.grid(axis="y", visible=False)
            panel.axvline(0, color=ink(), linewidth=0.9)
            panel.set_title(
                "features" if kind == "feature" else "time", loc="left", fontsize="small", pad=3
            )
        title = metric_title(self.importance.metric)
        lost = "lost" if self._greater else "added"
        panels[-1].set_xlabel(f"{title} {lost} ({self.importance.score:.4g} as it is)")
        self.axes_ = panels
        return self._done(ax)

    @property
    def _greater(self) -> bool:
        from seqkit.evaluation.metrics import METRICS

        return METRICS[self.importance.metric].greater_is_better is True


class AttributionDisplay(Display):
    """What each value of a series added to an answer (red) or took from it (blue).

    A panel is a feature, those with most first; behind its course is the attribution of each step.

    Parameters
    ----------
    attribution : Attribution
        As :func:`~seqkit.evaluation.attributions.attribute` gives it.

    Attributes
    ----------
    ax_, figure_
        Set by :meth:`plot`; ``axes_`` are the panels, of which ``ax_`` is the first.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.evaluation.attributions import Attribution
    >>> from seqkit.report.attribution_plots import AttributionDisplay
    >>> values, series = {"x": np.array([0.1, 0.2])}, {"x": np.array([1.0, 3.0])}
    >>> one = Attribution(values, series, 0.8, 0.5, "probability of up", "0", 2)
    >>> print(AttributionDisplay(one).plot().ax_.get_title(loc="left"))
    series 0: probability of up 0.8, 0.5 at the baseline
    x
    """

    axes_: list[Axes]

    def __init__(self, attribution: Attribution) -> None:
        self.attribution = attribution
        weights = {name: np.abs(a).sum() for name, a in attribution.values.items()}
        some = [name for name in weights if weights[name] > 0] or list(weights)
        self.shown = sorted(some, key=lambda name: -weights[name])[:MOST_FEATURES]
        self.figsize = (8.0, 1.0 + 1.4 * len(self.shown))

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, series: int | str = 0, *, ax: Axes | None = None, **more: Any
    ) -> AttributionDisplay:
        """Make the display of an answer of a fitted estimator for a series.

        Parameters
        ----------
        estimator, X, series, **more
            As in :func:`~seqkit.evaluation.attributions.attribute`.
        """
        display = cls(attribute(estimator, X, series, **more))
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> AttributionDisplay:
        """Draw the display."""
        ax, one = axes_of(ax, self.figsize), self.attribution
        panels, bars = panels_of(ax, [1.0] * len(self.shown), bars=True)
        most = max((float(np.abs(one.values[name]).max()) for name in self.shown), default=0.0)
        most = most or 1.0
        for panel, name in zip(panels, self.shown, strict=True):
            panel.grid(visible=False)
            values, course = one.values[name], one.series[name]
            low, high = (0.0, 1.0) if one.words is not None else (course.min(), course.max())
            margin = 0.08 * (high - low) or 0.5
            colors: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -1.4 * most, "vmax": 1.4 * most}
            image = panel.imshow(
                values[None], aspect="auto", interpolation="nearest",
                extent=(-0.5, len(values) - 0.5, low - margin, high + margin), **colors,
            )  # fmt: skip
            if one.words is None:
                panel.plot(course, color="#0b0b0c", linewidth=1.2)
                panel.set_title(name, loc="left", fontsize="small", pad=3)
            else:
                for k, code in enumerate(course.astype(int)):
                    panel.text(k, 0.5, str(one.words[code]), ha="center", va="center",
                               color="#0b0b0c", fontsize="small")  # fmt: skip
                panel.set_yticks([])
            if len(values) > one.n_steps:
                panel.axvline(one.n_steps - 0.5, color="#0b0b0c", linewidth=0.9, linestyle="--")
        longest = max(len(one.values[name]) for name in self.shown)
        ax.set_xlim(-0.5, longest - 0.5)
        said = f"series {one.name}: {one.what} {one.answer:.4g}, {one.baseline:.4g} at the baseline"
        of_first = ax.get_title(loc="left")
        ax.set_title(f"{said}\n{of_first}".rstrip(), loc="left", fontsize="small", pad=3)
        for bar in bars[1:]:
            bar.set_axis_off()
        where: dict[str, Any] = (
            {"cax": bars[0]} if bars else {"ax": ax, "fraction": 0.02, "pad": 0.01}
        )
        scale: dict[str, Any] = {"ticks": [-most, 0, most], "format": "{x:.2g}"}
        bar = ax.get_figure().colorbar(image, **where, **scale)  # type: ignore[union-attr]
        bar.ax.tick_params(labelsize="x-small", length=2)
        ahead = ", and on over the horizon (dashed line)" if longest > one.n_steps else ""
        panels[-1].set_xlabel(f"time step{' of the window' if ahead else ''}{ahead}")
        self.axes_ = panels
        return self._done(ax)
