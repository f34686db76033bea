"""Pictures of a run, each a display object as scikit-learn has them.

A display is made by ``from_estimator`` or ``from_predictions``, holds the numbers it draws, and
draws them by ``plot(ax=...)``, which sets ``ax_`` and ``figure_``. :func:`save_displays` writes
several into a folder. Importing this module loads no Matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import explain
from seqkit.report.canvas import (
    BLUE,
    ORANGE,
    Display,
    axes_of,
    ink,
    log_scale,
    metric_title,
    panels_of,
    prediction_title,
    save_displays,
)
from seqkit.report.forecast_plots import ForecastDisplay, HorizonErrorDisplay
from seqkit.training.run import NORMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ConfusionDisplay",
    "ForecastDisplay",
    "HistoryDisplay",
    "HorizonErrorDisplay",
    "ResidualDisplay",
    "ScoresDisplay",
    "save_displays",
]


class HistoryDisplay(Display):
    """Loss on the training and the validation part, epoch by epoch; and its gradient's norm.

    Where the history has them, there are below: mean and greatest norm of the gradient of a step,
    and the share of steps whose gradient was clipped.

    Parameters
    ----------
    history : mapping of str to sequence of float
        As ``history_`` of a fitted estimator: ``loss``, ``val_loss``, and maybe more.
    metric : str, default="loss"
        What is drawn, with its ``val_`` counterpart.
    best_epoch : int, optional
        Whose weights were kept, counted from 1. Default: that of the lowest validation loss, or
        the last one where nothing was validated.
    stopped : mapping of str to sequence of float, optional
        The same as `history` of a training before, which decided how long to train anew; it is
        drawn before the other.
    others : sequence of such mappings, default=()
        Of the further networks of an ensemble, each with its training before; drawn thinly.

    Examples
    --------
    >>> from seqkit.report.plots import HistoryDisplay
    >>> HistoryDisplay({"loss": [2.0, 1.0], "val_loss": [1.0, 2.0]}).best_epoch
    1
    """

    def __init__(
        self,
        history: Mapping[str, Sequence[float]],
        *,
        metric: str = "loss",
        best_epoch: int | None = None,
        stopped: Mapping[str, Sequence[float]] | None = None,
        others: Sequence[Mapping[str, Sequence[float]]] = (),
    ) -> None:
        if metric not in history:
            raise ValueError(explain("HistoryDisplay", "metric", f"one of {list(history)}", metric))
        before = stopped or {}
        self.history = {
            key: np.asarray([*before.get(key, ()), *history.get(key, ())], dtype=np.float64)
            for key in (metric, f"val_{metric}")
            if key in history or key in before
        }
        self.others = [
            {key: np.asarray(of[key], dtype=np.float64) for key in self.history if key in of}
            for of in others
        ]
        self.norms = {
            key: np.asarray([*before.get(key, ()), *history[key]], dtype=np.float64)
            for key in NORMS
            if key in history and bool(before) <= (key in before)
        }
        if self.norms:
            self.figsize = (7.0, 5.6)
        self.n_stopped = len(before.get(metric, ()))
        self.metric = metric
        validated = self.history.get(f"val_{metric}")
        if self.n_stopped:
            best_epoch = len(self.history[metric])
        elif best_epoch is not None:
            pass
        elif validated is None:
            best_epoch = len(self.history[metric]) or None
        elif np.isfinite(validated).any():
            best_epoch = int(np.where(np.isfinite(validated), validated, np.inf).argmin()) + 1
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Axes | None = None, **more: Any
    ) -> HistoryDisplay:
        """Make the display of a fitted estimator's histories; it marks ``best_epoch_``."""
        histories = getattr(estimator, "histories_", (estimator.history_,))
        nothing: Mapping[str, Sequence[float]] = {}
        stopped = getattr(estimator, "stopped_histories_", (nothing,) * len(histories))
        others = [
            {key: [*before.get(key, ()), *values] for key, values in of.items()}
            for before, of in zip(stopped[1:], histories[1:], strict=True)
        ]
        kept = {"best_epoch": estimator.best_epoch_ + 1, "stopped": stopped[0], "others": others}
        display = cls(estimator.history_, **{**kept, **more})
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> HistoryDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        panels = panels_of(ax, [3.0, 1.4, 0.8])[0] if self.norms else [ax]
        titles = {self.metric: "training", f"val_{self.metric}": "validation"}
        for color, (key, values) in zip((BLUE, ORANGE), self.history.items(), strict=False):
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, values, color=color, linewidth=1.6, label=titles[key],
                    marker="o" if len(values) <= 20 else None, markersize=3)  # fmt: skip
            for other in self.others:
                if key in other:
                    drawn = np.arange(1, len(other[key]) + 1)
                    ax.plot(drawn, other[key], color=color, linewidth=0.7, alpha=0.5)
        if self.best_epoch is not None and len(self.history[self.metric]) > 1:
            ax.axvline(self.best_epoch, color=ink(), linewidth=0.9, linestyle=":",
                       label=f"weights kept, epoch {self.best_epoch}")  # fmt: skip
        if self.n_stopped:
            ax.axvline(self.n_stopped + 0.5, color=ink(), linewidth=0.9, linestyle="--",
                       label="anew on all from here")  # fmt: skip
        every = np.concatenate([v for of in (self.history, *self.others) for v in of.values()])
        every = every[np.isfinite(every)]
        if len(every) and every.min() > 0 and every.max() / every.min() > 30:
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("")
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(ylabel=self.metric.replace("_", " "))
        ax.legend(frameon=False)
        if self.norms:
            self._plot_norms(*panels[1:])
        panels[-1].set_xlabel("epoch")
        return self._done(ax)

    def _plot_norms(self, ax: Axes, below: Axes) -> None:
        """Draw the norms of the gradient, and how many steps were clipped."""
        mean, greatest, clipped = (self.norms[key] for key in NORMS)
        epochs = np.arange(1, len(mean) + 1)
        ax.plot(epochs, greatest, color=BLUE, linewidth=0.9, alpha=0.6, label="greatest")
        ax.plot(epochs, mean, color=BLUE, linewidth=1.6, label="mean")
        if (greatest > 0).any():
            log_scale(ax)
        ax.set_ylabel("gradient")
        ax.legend(frameon=False, fontsize="small", ncols=2)
        below.bar(epochs, clipped, width=1.0, color=ORANGE)
        below.set(ylim=(0, 1), ylabel="clipped")


class ResidualDisplay(Display):
    """Predicted against true numbers of a regression, with their intervals where there are any.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_series,)
    interval : tuple of two array-like of shape (n_series,), optional
        Lower and upper ends, as ``predict_interval`` gives them. An interval that holds the truth
        crosses the line where both are equal.
    label : str, optional
        Name and unit of the target.
    seed : int, default=0
        Of the draw that is shown where there are more than 5,000 points.

    Examples
    --------
    >>> from seqkit.report.plots import ResidualDisplay
    >>> ResidualDisplay.from_predictions([1.0, 2.0], [1.5, 2.0]).plot().ax_.get_ylabel()
    'predicted'
    """

    figsize = (5.0, 4.6)
    most = 5000

    def __init__(
        self,
        y_true: Any,
        y_pred: Any,
        *,
        interval: tuple[Any, Any] | None = None,
        label: str | None = None,
        seed: int = 0,
    ):
        self.y_true = np.asarray(y_true, dtype=np.float64).ravel()
        self.y_pred = np.asarray(y_pred, dtype=np.float64).ravel()
        self.interval = None
        given = {"y_pred": self.y_pred}
        if interval is not None:
            low, high = (np.asarray(end, dtype=np.float64).ravel() for end in interval)
            self.interval = low, high
            given |= {"the lower end of interval": low, "the upper end of interval": high}
        for name, values in given.items():
            if self.y_true.shape != values.shape:
                expected = f"of {len(self.y_true)} values"
                raise ValueError(explain("ResidualDisplay", name, expected, len(values)))
        self.label = label
        self.seed = seed

    @classmethod
    def from_predictions(
        cls, y_true: Any, y_pred: Any, *, ax: Axes | None = None, **more: Any
    ) -> ResidualDisplay:
        """Make the display from numbers."""
        display = cls(y_true, y_pred, **more)
        return display.plot(ax=ax) if ax is not None else display

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Axes | None = None, **more: Any
    ) -> ResidualDisplay:
        """Make the display of what a fitted regressor predicts for ``X``.

        Of one that is calibrated ``interval=estimator.predict_interval(X)`` adds its intervals.
        """
        return cls.from_predictions(y, estimator.predict(X), ax=ax, **more)

    def plot(self, ax: Axes | None = None) -> ResidualDisplay:
        """Draw the display."""
        ax = axes_of(ax, self.figsize)
        true, predicted, said = self.y_true, self.y_pred, []
        drawn: Any = slice(None)
        if len(true) > self.most:
            drawn = np.random.default_rng(self.seed).choice(len(true), self.most, replace=False)
            true, predicted = true[drawn], predicted[drawn]
            said.append(f"{self.most:,} of {len(self.y_true):,} drawn at random")
        many = len(true) > 300
        if self.interval is not None:
            low, high = self.interval
            within = (low <= self.y_true) & (self.y_true <= high)
            said.append(f"the truth is within {within.sum():,} of {len(within):,} intervals")
            colors = [BLUE if inside else ORANGE for inside in within[drawn]]
            ax.vlines(true, low[drawn], high[drawn], colors=colors, linewidth=0.8 if many else 1.6,
                      alpha=0.25, rasterized=len(true) > 2000)  # fmt: skip
        ax.set_title("; ".join(said), loc="left", fontsize="small")
        ax.scatter(true, predicted, s=10 if many else 22, color=BLUE, alpha=0.35 if many else 0.7,
                   linewidths=0, rasterized=len(true) > 2000)  # fmt: skip
        both = np.concatenate([true, predicted])
        ends = np.nanmin(both), np.nanmax(both)
        ax.plot(ends, ends, color=ink(), linewidth=0.9, linestyle=":", label="equal")
        what = f" {self.label}" if self.label else ""
        ax.set(xlabel=f"true{what}", ylabel=f"predicted{what}")
        ax.legend(frameon=False, loc="upper left")
        return self._done(ax)


class ScoresDisplay(Display):
    """One metric of the model and its baselines, as bars.

    Parameters
    ----------
    scores : mapping of str to float or None
    metric : str

    Examples
    --------
    >>> from seqkit.report.plots import ScoresDisplay
    >>> ScoresDisplay({"model": 0.9, "majority": 0.5}, "accuracy").plot().ax_.get_xlabel()
    'accuracy'
    """

    figsize = (7.0, 2.4)

    def __init__(self, scores: Mapping[str, float | None], metric: str) -> None:
        self.scores = {who: value for who, value in scores.items() if value is not None}
        self.metric = metric

    @classmethod
    def from_summary(
        cls, part: Mapping[str, Any], metric: str, *, ax: Axes | None = None
    ) -> ScoresDisplay:
        """Make the display of a part of ``metrics.json``."""
        rows = {"model": part["model"], **part["baselines"]}
        display = cls({who: of.get(metric) for who, of in rows.items()}, metric)
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> ScoresDisplay:
        """Draw the display."""
        from seqkit.evaluation.verdict import number

        ax = axes_of(ax, self.figsize)
        names = list(reversed(self.scores))
        values = [self.scores[who] for who in names]
        colors = [BLUE if who == "model" else "#9aa0a6" for who in names]
        bars = ax.barh([prediction_title(who) for who in names], values, color=colors, height=0.62)
        ax.bar_label(bars, [number(value) for value in values], padding=4, fontsize="small")
        ax.grid(axis="y", visible=False)
        ax.margins(x=0.12)
        ax.set_xlabel(metric_title(self.metric))
        return self._done(ax)


class ConfusionDisplay(Display):
    """Counts of true against predicted classes: scikit-learn's display, made to stay readable.

    Parameters
    ----------
    counts : array-like of shape (n_classes, n_classes)
        True classes down, predicted ones across.
    labels : sequence

    Examples
    --------
    >>> from seqkit.report.plots import ConfusionDisplay
    >>> ConfusionDisplay.from_predictions(["a", "b"], ["a", "a"]).counts.tolist()
    [[1, 0], [1, 0]]
    """

    most_numbers = 20

    def __init__(self, counts: Any, labels: Sequence[Any]) -> None:
        self.counts = np.asarray(counts)
        self.labels = [str(label) for label in labels]
        size = min(10.0, 2.6 + 0.42 * len(self.labels) + 0.05 * min(18, max(map(len, self.labels))))
        self.figsize = (size + 0.4, size)

    @classmethod
    def from_predictions(
        cls, y_true: Any, y_pred: Any, *, classes: Any = None, ax: Axes | None = None
    ) -> ConfusionDisplay:
        """Make the display from labels."""
        from seqkit.evaluation.metrics import confusion_table

        display = cls(**confusion_table(y_true, y_pred, classes))
        return display.plot(ax=ax) if ax is not None else display

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Axes | None = None
    ) -> ConfusionDisplay:
        """Make the display of what a fitted classifier predicts for ``X``."""
        return cls.from_predictions(y, estimator.predict(X), classes=estimator.classes_, ax=ax)

    def plot(self, ax: Axes | None = None) -> ConfusionDisplay:
        """Draw the display."""
        from sklearn.metrics import ConfusionMatrixDisplay

        ax = axes_of(ax, self.figsize)
        ax.grid(visible=False)
        n = len(self.labels)
        shown = [label if len(label) <= 18 else label[:17] + "…" for label in self.labels]
        turned = n > 1 and max(len(label) for label in shown) * n > 40
        ConfusionMatrixDisplay(self.counts, display_labels=shown).plot(
            ax=ax, cmap="Blues", colorbar=n > self.most_numbers,
            include_values=n <= self.most_numbers, values_format="d",
            xticks_rotation=60.0 if turned else 0.0,
            text_kw={"fontsize": "small" if n > 8 else "medium"},
        )  # fmt: skip
        if turned:
            for label in ax.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, labelsize="small" if n > 12 else "medium")
        ax.set(xlabel="predicted", ylabel="true")
        return self._done(ax)
