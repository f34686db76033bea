"""Forecasting: the end of every series is the test part.

What scores and draws is imported where it is used, so that reading the data stays quick.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.embedded import DATASETS
from seqkit.data.embedded import load as load_embedded
from seqkit.data.frequencies import auto_sizes
from seqkit.data.novelty import seen, unlike
from seqkit.data.readers import ReadSettings, find_files, read_frame
from seqkit.data.roles import as_names
from seqkit.errors import DataError
from seqkit.recipe.completion import with_sizes, with_windows
from seqkit.runs.flows.base import Assessment, Flow, Parts, form_notes, refused, shown_path
from seqkit.system.notes import captured

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.backtest import BacktestResult
    from seqkit.network.architecture import Architecture
    from seqkit.report.plots import ForecastDisplay

__all__ = ["ForecastFlow"]

MOST_PICTURES = 3  # series whose forecast is drawn
# Settings of `data` that name columns, which must be there.
NAMED = (
    "series_id", "time", "target", "past_covariates", "future_covariates", "static_covariates",
)  # fmt: skip
VALUES = ("target", "past_covariates", "future_covariates")


class ForecastFlow(Flow):
    """Forecasting: the end of every series is the test part."""

    def load(
        self,
        data: str | None = None,
        estimator: Any = None,
        columns: dict[str, Any] | None = None,
    ) -> Parts:
        """Read the table, once, and set the end of every series aside.

        Parameters
        ----------
        data : str, default=None
            Replaces the table of the recipe.
        estimator : fitted forecaster, default=None
            Reads as it read the series of its fit; nothing is set aside for another one.
        columns : dict, default=None
            What is known of those of training: dates in `data` are read as theirs were.
        """
        frame, named, files, notes = self._frame(data, columns)
        paths = {"train": named, "test": named}
        with refused(named):
            if estimator is not None and not self.recipe.evaluate.backtest.refit:
                whole = estimator._reading(frame)
            else:
                whole = self.estimator()._reading(frame, fitted=False)
            whole = whole.on_grid()
            if estimator is not None:
                form = frame.attrs.get("date_form", "")
                unlike = form_notes(columns or {}, form, self.named(named))
                return Parts(None, None, whole, notes, files, {}, unlike, paths)
            lengths = whole.rows.lengths
            clock = whole.rows.columns.clock
            notes += self._settle_sizes(None if clock is None else clock.frequency, lengths)
            notes += self._settle_windows(lengths)
            test = self.recipe.data.split.test
            # a fraction is of each series' own length
            tail = np.floor(lengths * test) if isinstance(test, float) else test
            train = whole.until(np.maximum(lengths - tail, 0).astype(np.int64))
        kept: dict[str, Any] = {"columns": list(map(str, frame.columns))}
        kept["seen"] = seen(*self._facts(train))
        if form := frame.attrs.get("date_form"):
            kept["date_form"] = form
        whole = whole.like(train.panel.columns)
        epochs = {} if estimator is not None else self.estimator()._epochs_of(train.rows.lengths)
        return Parts(train, None, whole, notes, files, kept, [], paths, epochs)

    def _settle_sizes(self, frequency: str | None, lengths: np.ndarray) -> list[str]:
        """Let the data say context length, horizon and season, where the recipe does not."""
        settings = self.recipe.parameters()
        sizes, said = auto_sizes(settings, frequency, lengths.tolist())
        if not sizes:
            return []
        self.recipe = with_sizes(self.recipe, sizes)
        self.resolved = replace(self.resolved, recipe=self.recipe)
        return [said]

    def _settle_windows(self, lengths: np.ndarray) -> list[str]:
        """Let the data say how many windows the backtest has, where the recipe does not."""
        recipe = with_windows(self.recipe, lengths.tolist())
        if recipe is self.recipe:
            return []
        self.recipe, self.resolved = recipe, replace(self.resolved, recipe=recipe)
        backtest = self.recipe.evaluate.backtest
        windows = "1 window" if backtest.windows == 1 else f"{backtest.windows} windows"
        return [f"evaluate.backtest.windows: {windows} of {self.recipe.forecast.horizon} steps"]

    def _frame(
        self, data: str | None, columns: dict[str, Any] | None = None
    ) -> tuple[pd.DataFrame, str, list[Path], list[str]]:
        """Return the table as it is, its name for errors, the files, and what was said.

        With `columns`, what is known of those of training, dates are read as they were.
        """
        recipe = self.recipe.data
        columns = columns if data else None
        files: list[Path] = []
        with captured(self.folder) as notes:
            if recipe.dataset is not None and data is None:
                frame = load_embedded(recipe.dataset).frame
                if frame is None:
                    raise DataError(
                        f"{self.resolved.path}: data.dataset {recipe.dataset!r} is for "
                        f"{DATASETS[recipe.dataset].task}, not for forecasting."
                    )
            else:
                files += find_files(data or recipe.path)
                named = [name for role in NAMED for name in as_names(getattr(recipe, role))]
                labels = as_names(recipe.series_id)
                numbers = [name for role in VALUES for name in as_names(getattr(recipe, role))]

                def read(settings: ReadSettings) -> pd.DataFrame:
                    return read_frame(
                        files,
                        columns=named,
                        labels=labels,
                        numbers=numbers,
                        time=recipe.time,
                        layout=recipe.layout,
                        settings=settings,
                    )

                frame = self.as_in_training(read, columns, shown_path(data or recipe.path))
        return (
            frame,
            shown_path(data or recipe.path or f"data.dataset {recipe.dataset}"),
            files,
            notes,
        )

    def _compared(self) -> list[str]:
        """Return the columns whose values are compared with those of training."""
        recipe = self.recipe.data
        # a window that is standardised has no scale of its own
        own = self.recipe.model.normalize == "none"
        targets = as_names(recipe.target) if own else ()
        return [*targets, *as_names(recipe.past_covariates), *as_names(recipe.future_covariates)]

    def _facts(self, series: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the columns that are compared, and the lengths of the series."""
        rows = series.rows
        there = rows.columns.series  # a column of categories is there as its channels
        columns = [there.index(name) for name in self._compared() if name in there]
        return rows.values[:, columns], rows.lengths

    def _unlike(self, columns: dict[str, Any], series: Any, where: str) -> list[str]:
        known = columns.get("seen")
        if not known:
            return []
        values, lengths = self._facts(series)
        # a forecast sees its context only: what is longer than the training part is no matter
        lengths = np.minimum(lengths, known["lengths"][1])
        compared = [name for name in self._compared() if name in series.rows.columns.series]
        return unlike(known, values, lengths, compared, self.named(where))

    def check(self, parts: Parts) -> None:
        """Raise all that fitting and scoring would refuse of the data; train nothing."""
        from seqkit.evaluation.backtest import rolling_plan

        recipe = self.recipe.evaluate.backtest
        self.check_baselines()
        estimator = self.estimator()
        with refused(parts.named["train"]):
            parts.checked = estimator._checked(parts.train)
            rolling_plan(
                estimator,
                parts.test,
                windows=recipe.windows,
                step=recipe.step,
                refit=recipe.refit,
                prefit=not recipe.refit,
            )

    def _padded(self, parts: Parts, name: str) -> Any:
        return getattr(parts, name)

    def describe(self, parts: Parts) -> dict[str, Any]:
        """Return the sizes of the table, for people."""
        rows, backtest = parts.test.rows, self.recipe.evaluate.backtest
        low, high = int(rows.lengths.min()), int(rows.lengths.max())
        windows = "1 window" if backtest.windows == 1 else f"{backtest.windows} windows"
        apart = "" if backtest.windows == 1 else f", {backtest.step} steps apart"
        return {
            "series": f"{len(rows)} of {low if low == high else f'{low} to {high}'} steps",
            "training": f"{len(parts.train.rows.values)} of {len(rows.values)} steps",
            "test": f"{windows} of {self.recipe.forecast.horizon} steps{apart}",
        }

    def fit(self, estimator: Any, parts: Parts, on_epoch: Callable[..., None], resume: Any) -> None:
        """Fit the forecaster on all that comes before the test part."""
        series, parts.checked = parts.checked or parts.train, None
        with refused(parts.named["train"]):
            estimator.fit(series, on_epoch=on_epoch, resume=resume)

    def architecture(self, estimator: Any, parts: Parts) -> Architecture:
        """Return the network that would be trained."""
        self.check(parts)
        with refused(parts.named["train"]):
            architecture: Architecture = estimator._planned(parts.checked)[0]
            return architecture

    def remarks(self, estimator: Any) -> list[str]:
        """Return what the log should say of a fitted forecaster, a line each."""
        return [*estimator.notes_, *super().remarks(estimator)]

    def assess(self, estimator: Any, parts: Parts) -> Assessment:
        """Forecast the test part from rolling origins, beside the baselines."""
        from seqkit.evaluation.summary import summarize
        from seqkit.report.plots import HistoryDisplay, HorizonErrorDisplay

        recipe = self.recipe.evaluate
        with refused(parts.named["test"]):
            rolled = self._rolled(estimator, parts.test, recipe.backtest.refit)
        names, absent = self.baselines_here()
        scores = rolled.evaluate(recipe.metrics, names)
        sample = scores.pop("sample", None)
        document = summarize(
            "forecasting",
            {"test": scores, **({} if sample is None else {"sample": sample})},
            notes=absent,
            settings=self.recipe.model_dump(),
            history=estimator.history_,
        )
        figures = {
            **_pictures(rolled),
            "horizon": HorizonErrorDisplay.from_summary(scores),
            "history": HistoryDisplay.from_estimator(estimator),
        }
        shown = functools.partial(self._sample, estimator, parts, rolled, names)
        rows = _forecast_rows(rolled, "owa" in scores["model"])
        validated = self._validated(estimator, parts)
        return Assessment(document, rows, figures, shown, rolled, validated)

    def _validated(self, estimator: Any, parts: Parts) -> Callable[[], pd.DataFrame] | None:
        """Return what forecasts the validation part as the test part was, where there is one."""
        recipe, horizon = self.recipe.evaluate, self.recipe.forecast.horizon
        held = getattr(estimator, "auto_", {}).get("validation", self.recipe.data.split.validation)
        anew = recipe.backtest.refit or hasattr(estimator, "stopped_histories_")
        if parts.train is None or anew or not isinstance(held, int | float) or not held:
            return None
        n = parts.train.rows.lengths
        tail = np.full_like(n, held) if held >= 1 else np.maximum(np.ceil(held * n), horizon)
        spare = n - tail >= horizon + (max(estimator._contexts) + 1) // 2
        if not spare.any():
            return None
        windows = max((int(tail[spare].min()) - horizon) // recipe.backtest.step + 1, 1)

        def rows() -> pd.DataFrame:
            from seqkit.evaluation.backtest import backtest

            rolled = backtest(
                estimator, parts.train, windows=windows, step=recipe.backtest.step,
                season=recipe.season, prefit=True,
            )  # fmt: skip
            frame = _forecast_rows(rolled)
            # a series that is too short to spare its end was learned whole
            kept = {str(rolled.data.ids[k]) for k in np.flatnonzero(spare)}
            known: pd.DataFrame = frame[frame["series"].astype(str).isin(kept)]
            return known

        return rows

    def _sample(
        self, estimator: Any, parts: Parts, rolled: BacktestResult, names: list[str]
    ) -> dict[str, Any]:
        """Return what a page shows of the forecasts, and of the data."""
        from seqkit.evaluation.baselines import BASELINES
        from seqkit.report.samples import described_data, forecast_sample

        beside = [name for name in names if name in BASELINES and not BASELINES[name].extra]
        panel = getattr(rolled.data, "reading", parts.test).panel
        context = estimator._window if hasattr(estimator, "weights_") else 1
        found = forecast_sample(rolled, beside, context, panel)
        whole = {name: getattr(parts, name) for name in ("train", "test")}
        rows = {name: None if one is None else one.rows for name, one in whole.items()}
        return found | {"part": "test", "data": described_data(rows)}

    def _rolled(self, estimator: Any, series: Any, refit: bool) -> BacktestResult:
        """Forecast the test part from the rolling origins of the recipe."""
        from seqkit.evaluation.backtest import backtest

        recipe = self.recipe.evaluate
        if refit:  # what was loaded from a run folder knows no seed
            estimator = self.estimator()
        return backtest(
            estimator,
            series,
            windows=recipe.backtest.windows,
            step=recipe.backtest.step,
            season=recipe.season,
            prefit=not refit,
            refit=refit,
        )

    def predict(
        self, estimator: Any, data: str, *, columns: dict[str, Any], proba: bool
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return the forecast made at every row of a file, and notes."""
        if proba:
            raise DataError("--proba: forecasting has no class probabilities.")
        frame = self._frame(data, columns)[0]
        with refused(data):
            series = estimator._reading(frame)
            notes = form_notes(columns, frame.attrs.get("date_form", ""), self.named(data))
            return estimator.predict(series), notes + self._unlike(columns, series, data)

    def forecast(
        self,
        estimator: Any,
        data: str | None,
        *,
        columns: dict[str, Any],
        horizon: int | None,
        future: str | None,
        interval: float | None = None,
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return what comes after the end of every series, and notes.

        With `interval` there are columns ``{target}_low80`` and ``{target}_high80`` (for 0.8) as
        well: split-conformal, from the errors on the rolling origins of the run's own test part.
        """
        frame, where, _, _ = self._frame(data, columns)
        recipe = self.recipe.data
        coming = None
        if future is not None:
            # the covariates of a column a series are shared by all
            layout = "files" if recipe.layout == "files" else "long"
            coming = self.as_in_training(
                lambda s: read_frame(future, time=recipe.time, layout=layout, settings=s),
                columns,
                future,
            )
        with refused(where, future):
            series = estimator._reading(frame)
            prediction, panel = estimator._forecast(series, horizon, coming)
        table = estimator._frame_of(prediction, panel)
        if interval is not None:
            own = series if data is None else self.load(estimator=estimator).test
            self._widen(estimator, series, own, prediction, table, interval)
        notes = form_notes(columns, frame.attrs.get("date_form", ""), self.named(where))
        return table, notes + self._unlike(columns, series, where)

    def _widen(
        self,
        estimator: Any,
        series: Any,
        own: Any,
        prediction: np.ndarray,
        table: pd.DataFrame,
        level: float,
    ) -> None:
        """Add conformal intervals to a forecast of series, from the errors on the run's own."""
        from seqkit.evaluation.forecast_errors import Undefined, naive_scale

        n_steps = prediction.shape[1]
        if n_steps > estimator.horizon:
            raise DataError(
                f"--interval: errors are known for {estimator.horizon} steps, not for {n_steps}; "
                "leave out --horizon or --interval."
            )
        rolled = self._rolled(estimator, own, refit=False)
        try:
            fitted = rolled.conformal(level)
        except Undefined as reason:
            raise DataError(f"--interval {level:g}: {reason}.") from reason
        scale = naive_scale(series.rows.targets(), rolled.season)  # (n_series, n_targets)
        scale[~np.isfinite(scale) | (scale <= 0)] = 1.0  # as where the widths come from
        point = estimator._point(prediction)
        low, high = point, point
        if rolled.prediction.quantiles is not None and len(rolled.prediction.levels) > 1:
            outer = [min(rolled.prediction.levels), max(rolled.prediction.levels)]
            low, high = np.moveaxis(estimator._quantiles(prediction, outer), -1, 0)
        away = fitted.width[:n_steps] * scale[:, None]
        for k, name in enumerate(series.rows.columns.targets):
            table[f"{name}_low{100 * level:g}"] = (low - away)[:, :, k].ravel()
            table[f"{name}_high{100 * level:g}"] = (high + away)[:, :, k].ravel()


def _forecast_rows(rolled: BacktestResult, naive2: bool = False) -> pd.DataFrame:
    """Return a row for each series, window, step and target of a backtest.

    ``naive_mae`` and ``naive_mse`` are what MASE and RMSSE divide by, ``naive2``, where it is
    asked for, the forecast whose errors those of OWA are relative to.
    """
    import pandas as pd

    from seqkit.evaluation.forecast_errors import naive_scale

    n_targets = rolled.truth.shape[-1]
    series, window, step, target = np.indices(rolled.truth.shape)
    data = rolled.data
    names = getattr(data, "targets", ("y",) if n_targets == 1 else tuple(range(n_targets)))
    row = rolled.origins[:, :, None, None] + 1 + step
    columns: dict[str, Any] = {
        "series": np.asarray(data.ids, dtype=object)[series].ravel(),
        "window": window.ravel(),
        "step": step.ravel() + 1,
        "row": row.ravel(),
        "target": np.asarray(names, dtype=object)[target].ravel(),
        "true": rolled.truth.ravel(),
        "forecast": rolled.prediction.values.ravel(),
    }
    if rolled.prediction.quantiles is not None:
        for i, level in enumerate(rolled.prediction.levels):
            columns[f"q{level:g}"] = rolled.prediction.quantiles[..., i].ravel()
    for power, name in enumerate(("naive_mae", "naive_mse"), start=1):
        scale = naive_scale(rolled.history, rolled.season, power)  # (n_series, n_targets)
        columns[name] = scale[series, target].ravel()
    if naive2:
        columns["naive2"] = np.ravel(rolled.baselines(["naive2"])[0]["naive2"].values)
    rows = pd.DataFrame(columns)
    known: pd.DataFrame = rows[rolled.origins[series, window].ravel() >= 0].reset_index(drop=True)
    return known


def _pictures(rolled: BacktestResult) -> dict[str, ForecastDisplay]:
    """Return the last window of the first series, a baseline beside each."""
    from seqkit.report.plots import ForecastDisplay

    baselines, _ = rolled.baselines(["seasonal_naive" if rolled.season > 1 else "naive"])
    shown = np.flatnonzero(rolled.origins[:, -1] >= 0)[:MOST_PICTURES]
    return {
        f"forecast_{n + 1}" if n else "forecast": ForecastDisplay.from_backtest(
            rolled, int(series), baselines=baselines
        )
        for n, series in enumerate(shown)
    }
