"""Pictures of forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqkit.errors import explain
from seqkit.report.canvas import (
    BLUE,
    OTHERS,
    Display,
    axes_of,
    ink,
    legend_above,
    metric_title,
    prediction_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from seqkit.evaluation.backtest import BacktestResult
    from seqkit.evaluation.metrics import Predictions

__all__ = ["ForecastDisplay", "HorizonErrorDisplay"]

Floats = npt.NDArray[np.float64]


class ForecastDisplay(Display):
    """A forecast after its history, with its intervals, the truth and a baseline.

    Parameters
    ----------
    history : array-like of shape (n_timesteps,)
        What the forecaster saw, oldest first.
    forecast : array-like of shape (horizon,)
    quantiles : array-like of shape (horizon, n_levels), optional
    levels : sequence of float
        Levels of the quantiles; pairs that mirror each other are drawn as bands.
    truth : array-like of shape (horizon,), optional
        What came; NaN where unknown.
    baselines : mapping of str to array-like of shape (horizon,), optional
    time : array-like of shape (n_timesteps + horizon,), optional
        Time stamps, or numbers, of history and forecast; default: steps from the forecast's origin.
    name : str, optional
        Of the series, for the title.
    label : str, optional
        Name and unit of what is measured, for the vertical axis.

    Attributes
    ----------
    ax_, figure_
        Set by :meth:`plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.report.plots import ForecastDisplay
    >>> display = ForecastDisplay.from_predictions([1.0, 2.0, 3.0], [4.0, 5.0]).plot()
    >>> display.ax_.get_xlabel()
    'steps from the origin'
    """

    figsize = (8.0, 3.8)

    def __init__(
        self,
        history: Any,
        forecast: Any,
        *,
        quantiles: Any = None,
        levels: Sequence[float] = (),
        truth: Any = None,
        baselines: Mapping[str, Any] | None = None,
        time: Any = None,
        name: str | None = None,
        label: str | None = None,
    ) -> None:
        self.history = np.asarray(history, dtype=np.float64)
        self.forecast = np.asarray(forecast, dtype=np.float64)
        self.quantiles = None if quantiles is None else np.asarray(quantiles, dtype=np.float64)
        self.levels = tuple(levels)
        self.truth = None if truth is None else np.asarray(truth, dtype=np.float64)
        self.baselines = {key: np.asarray(value) for key, value in (baselines or {}).items()}
        n, horizon = len(self.history), len(self.forecast)
        self.time = np.arange(1 - n, horizon + 1) if time is None else np.asarray(time)
        self._numbered = time is None
        self.name = name
        self.label = label
        if self.history.ndim != 1 or self.forecast.ndim != 1:
            shapes = (self.history.shape, self.forecast.shape)
            raise ValueError(
                explain("ForecastDisplay", "history and forecast", "one series each", shapes)
            )
        if len(self.time) != n + horizon:
            raise ValueError(
                explain("ForecastDisplay", "time", f"of length {n + horizon}", len(self.time))
            )

    @classmethod
    def from_predictions(
        cls, history: Any, y_pred: Any, *, ax: Axes | None = None, **more: Any
    ) -> ForecastDisplay:
        """Make the display of one series from numbers, and draw it where ``ax`` is given."""
        display = cls(history, y_pred, **more)
        return display.plot(ax=ax) if ax is not None else display

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        horizon: int | None = None,
        ax: Axes | None = None,
        **more: Any,
    ) -> ForecastDisplay:
        """Forecast after the end of one array, or hold out its last rows and forecast those.

        Parameters
        ----------
        estimator : fitted forecaster
        X : array-like of shape (n_timesteps,) or (n_timesteps, n_features)
            The history; the target is ``y``, or else the first column.
        y : array-like of shape (n_timesteps,), optional
        horizon : int, optional
            Rows at the end of ``X`` that are kept from the forecaster and drawn as the truth;
            default: none, the forecast goes on from the end.
        """
        X = np.asarray(X)
        target = np.asarray(X if y is None else y, dtype=np.float64)
        target = target if target.ndim == 1 else target[:, 0]
        end = len(X) - (horizon or 0)
        forecast = np.asarray(estimator.forecast(X[:end], horizon=horizon), dtype=np.float64)
        forecast = forecast.reshape(len(forecast), -1)[:, 0]
        if horizon:
            more.setdefault("truth", target[end:])
        return cls.from_predictions(target[:end], forecast, ax=ax, **more)

    @classmethod
    def from_backtest(
        cls,
        rolled: BacktestResult,
        series: int = 0,
        window: int = -1,
        *,
        target: int = 0,
        baselines: Mapping[str, Predictions] | None = None,
        ax: Axes | None = None,
        **more: Any,
    ) -> ForecastDisplay:
        """Make the display of one window of a backtest.

        Parameters
        ----------
        rolled : BacktestResult
        series, window, target : int
            Which one; the last window by default.
        baselines : mapping of str to Predictions, optional
            To draw beside it, from :meth:`BacktestResult.baselines`; default: the seasonal naive
            forecast where there is a season, else the naive one.
        """
        end = int(rolled.origins[series, window]) + 1
        horizon = rolled.truth.shape[2]
        if not end:
            raise ValueError(
                explain("ForecastDisplay", "the window", "one that the series has", window)
            )
        if baselines is None:
            one = "seasonal_naive" if rolled.season > 1 else "naive"
            baselines, _ = rolled.baselines([one])
        quantiles, stamps = rolled.prediction.quantiles, rolled.data.stamps(series)
        several = len(rolled.data.ids) > 1
        more = {
            "truth": rolled.truth[series, window, :, target],
            "quantiles": None if quantiles is None else quantiles[series, window, :, target],
            "levels": rolled.prediction.levels,
            "baselines": {
                name: baseline.values[series, window, :, target]
                for name, baseline in baselines.items()
            },
            "time": None if stamps is None else stamps[: end + horizon],
            "name": str(rolled.data.ids[series]) if several else None,
            "label": rolled.data.targets[target] if rolled.data.targets else None,
            **more,
        }
        return cls.from_predictions(
            rolled.data.values[series][:end, target],
            rolled.prediction.values[series, window, :, target],
            ax=ax,
            **more,
        )

    def plot(self, ax: Axes | None = None, *, history_steps: int | None = None) -> ForecastDisplay:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        history_steps : int, optional
            Steps of history to show; default: three horizons, at least 20.
        """
        ax = axes_of(ax, self.figsize)
        n, horizon = len(self.history), len(self.forecast)
        shown = min(n, max(3 * horizon, 20) if history_steps is None else history_steps)
        before, after = self.time[n - shown : n], self.time[n:]
        few = horizon <= 48
        ax.plot(before, self.history[n - shown :], color=ink(), linewidth=1.2, label="history")
        if self.truth is not None:  # goes on where the history ends: it is the same series
            joined = self.time[max(n - 1, 0) :]
            value = np.concatenate([self.history[n - 1 :], self.truth]) if n else self.truth
            ax.plot(joined, value, color=ink(), linewidth=1.2, linestyle=(0, (2, 1.5)),
                    label="truth")  # fmt: skip
        for i, (low, high, share) in enumerate(self._bands()):
            ax.fill_between(after, low, high, color=BLUE, alpha=0.16 + 0.12 * i, linewidth=0,
                            label=f"{share:.0%} interval")  # fmt: skip
        for color, (key, value) in zip(OTHERS, self.baselines.items(), strict=False):
            ax.plot(after, value, color=color, linewidth=1.2, label=prediction_title(key))
        ax.plot(after, self.forecast, color=BLUE, linewidth=1.8, label="forecast",
                marker="o" if few else None, markersize=3)  # fmt: skip
        if np.issubdtype(self.time.dtype, np.datetime64):
            from matplotlib import dates

            untyped: Any = dates  # Matplotlib has no hints for these two
            locator = untyped.AutoDateLocator(minticks=4, maxticks=9)
            ax.xaxis.set_major_locator(locator)
            ax.xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator))
        elif self._numbered:
            ax.set_xlabel("steps from the origin")
        ax.margins(x=0.01)
        if self.label:
            ax.set_ylabel(self.label)
        legend_above(ax, None if self.name is None else str(self.name))
        return self._done(ax)

    def _bands(self) -> list[tuple[Floats, Floats, float]]:
        if self.quantiles is None:
            return []
        order = sorted(self.levels)
        column = {level: self.quantiles[:, self.levels.index(level)] for level in order}
        pairs = [
            (low, high)
            for low, high in zip(order, reversed(order), strict=True)
            if low < high and abs(low + high - 1) < 1e-6
        ]
        return [(column[low], column[high], high - low) for low, high in pairs]


class HorizonErrorDisplay(Display):
    """Error at each step of the horizon, beside the baselines.

    Parameters
    ----------
    scores : mapping of str to sequence of float
        One value a step for ``"model"`` and each baseline; None or NaN where there is none.
    metric : str
        A name of :data:`seqkit.evaluation.metrics.METRICS`, for the axis.

    Examples
    --------
    >>> from seqkit.report.plots import HorizonErrorDisplay
    >>> display = HorizonErrorDisplay.from_predictions(
    ...     [[1.0, 2.0]], {"model": [[1.0, 2.5]], "naive": [[0.0, 0.0]]})
    >>> display.scores["naive"].tolist()
    [1.0, 2.0]
    """

    figsize = (7.0, 3.6)

    def __init__(self, scores: Mapping[str, Any], metric: str = "mae") -> None:
        self.scores = {
            who: np.asarray([np.nan if v is None else v for v in values], dtype=np.float64)
            for who, values in scores.items()
        }
        self.metric = metric

    @classmethod
    def from_summary(
        cls, part: Mapping[str, Any], metric: str = "mae", *, ax: Axes | None = None
    ) -> HorizonErrorDisplay:
        """Make the display of a part of ``metrics.json``."""
        by_step = part["by_step"]
        rows = {"model": by_step["model"], **by_step["baselines"]}
        display = cls({who: of[metric] for who, of in rows.items() if metric in of}, metric)
        return display.plot(ax=ax) if ax is not None else display

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Mapping[str, Any],
        *,
        metric: str = "mae",
        history: Any = None,
        season: int = 1,
        ax: Axes | None = None,
    ) -> HorizonErrorDisplay:
        """Score forecasts of the model and its baselines, by name, at each step."""
        from seqkit.evaluation.forecast_errors import forecast_case, forecast_score

        scores = {
            who: forecast_score(
                metric, forecast_case(y_true, values, history=history, season=season), "step"
            )
            for who, values in y_pred.items()
        }
        display = cls(scores, metric)
        return display.plot(ax=ax) if ax is not None else display

    def plot(self, ax: Axes | None = None) -> HorizonErrorDisplay:
        """Draw the display."""
        from matplotlib.ticker import MaxNLocator

        ax = axes_of(ax, self.figsize)
        colors = iter(OTHERS * 3)
        for who, values in self.scores.items():
            mine = who == "model"
            ax.plot(np.arange(1, len(values) + 1), values, color=BLUE if mine else next(colors),
                    linewidth=2.0 if mine else 1.2, zorder=3 if mine else 2,
                    label=prediction_title(who), markersize=3,
                    marker="o" if len(values) <= 24 else None)  # fmt: skip
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="step of the horizon", ylabel=metric_title(self.metric))
        ax.set_ylim(bottom=0)
        legend_above(ax)
        return self._done(ax)
