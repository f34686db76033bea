"""Forecasting: the end of every series is the test part.

What judges and draws is imported where it is used, so that a look at the data stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.embedded import DATASETS
from seqkit.data.embedded import load as load_embedded
from seqkit.data.novelty import seen, unlike
from seqkit.data.readers import find_files, read_frame
from seqkit.errors import DataError, explain
from seqkit.flows.base import Assessment, Flow, Parts, heard, refusals, shown_path

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.backtest import Backtest
    from seqkit.network.architecture import Architecture
    from seqkit.report.plots import ForecastDisplay

__all__ = ["ForecastFlow"]

MOST_PICTURES = 3  # series whose forecast is drawn


class ForecastFlow(Flow):
    """Forecasting: the end of every series is the test part."""

    def load(self, data: str | None = None) -> Parts:
        """Read the table and set the end of every series aside; `data` replaces the table."""
        recipe = self.recipe.data
        files: list[Path] = []
        with heard() as notes:
            if recipe.dataset is not None and data is None:
                frame = load_embedded(recipe.dataset).frame
                if frame is None:
                    raise DataError(
                        f"{self.resolved.path}: data.dataset {recipe.dataset!r} is for "
                        f"{DATASETS[recipe.dataset].task}, not for forecasting."
                    )
            else:
                frame = self._read(data or recipe.path, files)
        named = shown_path(data or recipe.path or f"data.dataset {recipe.dataset}")
        place, length = self._places(frame, named)
        test = recipe.split.test
        # a fraction is of each series' own length
        tail = np.floor(length * test) if isinstance(test, float) else np.full_like(length, test)
        train = frame[place < length - tail]
        columns = {"columns": list(map(str, frame.columns)), "seen": self._seen(train)}
        places = {"train": named, "test": named}
        return Parts(train, None, frame, notes, files, columns, [], places)

    def _read(self, pattern: str, files: list[Path]) -> pd.DataFrame:
        recipe = self.recipe.data
        files += find_files(pattern)
        named = [recipe.series_id, recipe.time]
        for several in (
            recipe.target,
            recipe.past_covariates,
            recipe.future_covariates,
            recipe.static_covariates,
        ):
            named += [several] if isinstance(several, str) else several or []
        columns = [name for name in named if name is not None]
        return read_frame(files, columns=columns, labels=[recipe.series_id])

    def _series_id(self, frame: pd.DataFrame) -> str | None:
        named = self.recipe.data.series_id
        return named if named is not None else ("unique_id" if "unique_id" in frame else None)

    def _places(self, frame: pd.DataFrame, where: str) -> tuple[np.ndarray, np.ndarray]:
        """Return for each row its step within its series, and that series' length."""
        series_id = self._series_id(frame)
        if series_id is None:
            return np.arange(len(frame)), np.full(len(frame), len(frame))
        absent = np.flatnonzero(frame[series_id].isna().to_numpy())
        if absent.size:
            what = f"series_id {series_id!r}, row {absent[0]}"
            raise DataError(explain(where, what, "present in every row", "nothing"))
        groups = frame.groupby(series_id, sort=False)
        return groups.cumcount().to_numpy(), groups[series_id].transform("size").to_numpy()

    def _compared(self) -> list[str]:
        """Return the columns whose values are compared with those of training."""
        recipe = self.recipe.data
        # a window that is standardised has no scale of its own
        own = self.recipe.model.normalize == "none" and recipe.target is not None
        targets = [recipe.target] if isinstance(recipe.target, str) else recipe.target or []
        covariates = [*(recipe.past_covariates or ()), *(recipe.future_covariates or ())]
        return [*(targets if own else ()), *covariates]

    def _facts(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the columns that are compared, and the lengths of the series."""
        import pandas as pd

        names = self._compared()
        numbers = [pd.to_numeric(frame[name].astype(object), errors="coerce") for name in names]
        values = np.stack(numbers, axis=1) if names else np.empty((len(frame), 0))
        series_id = self._series_id(frame)
        if series_id is None:
            return values, np.array([len(frame)])
        return values, frame.groupby(series_id, sort=False).size().to_numpy()

    def _seen(self, train: pd.DataFrame) -> dict[str, Any] | None:
        return seen(*self._facts(train)) if len(train) else None

    def _unlike(self, columns: dict[str, Any], frame: pd.DataFrame, where: str) -> list[str]:
        known = columns.get("seen")
        if not known:
            return []
        values, lengths = self._facts(frame)
        # a forecast sees its context only: what is longer than the training part is no matter
        lengths = np.minimum(lengths, known["lengths"][1])
        return unlike(known, values, lengths, self._compared(), where)

    def check(self, parts: Parts) -> None:
        """Raise all that fitting and scoring would refuse of the data; train nothing."""
        from seqkit.evaluation.backtest import rolling_plan

        recipe = self.recipe.evaluate.backtest
        estimator = self.estimator()
        with refusals(parts.named["train"]):
            estimator.check(parts.train, asked=parts.test)
            rolling_plan(
                estimator,
                parts.test,
                windows=recipe.windows,
                step=recipe.step,
                refit=recipe.refit,
                prefit=not recipe.refit,
            )

    def describe(self, parts: Parts) -> dict[str, Any]:
        """Return the sizes of the table, for people."""
        _, length = self._places(parts.test, parts.named["test"])
        backtest = self.recipe.evaluate.backtest
        series_id = self._series_id(parts.test)
        n_series = 1 if series_id is None else parts.test[series_id].nunique()
        low, high = int(length.min()), int(length.max())
        return {
            "series": f"{n_series} of {low if low == high else f'{low} to {high}'} steps",
            "training": f"{len(parts.train)} of {len(parts.test)} steps",
            "test": f"{backtest.windows} windows of {self.recipe.forecast.horizon} steps, "
            f"{backtest.step} steps apart",
        }

    def fit(self, estimator: Any, parts: Parts, on_epoch: Callable[..., None], resume: Any) -> None:
        """Fit the forecaster on all that comes before the test part."""
        with refusals(parts.named["train"]):
            estimator.fit(parts.train, on_epoch=on_epoch, resume=resume)

    def architecture(self, estimator: Any, parts: Parts) -> Architecture:
        """Return the network that would be trained."""
        self.check(parts)
        with refusals(parts.named["train"]):
            return estimator._planned(parts.train)[0]

    def remarks(self, estimator: Any) -> list[str]:
        """Return what the log should say of a fitted forecaster, a line each."""
        return [*estimator.notes_, *super().remarks(estimator)]

    def assess(self, estimator: Any, parts: Parts) -> Assessment:
        """Forecast the test part from rolling origins, beside the baselines."""
        from seqkit.evaluation.summary import summarize
        from seqkit.report.plots import HistoryDisplay, HorizonErrorDisplay

        recipe = self.recipe.evaluate
        with refusals(parts.named["test"]):
            rolled = self._rolled(estimator, parts.test, recipe.backtest.refit)
        scores = rolled.evaluate(recipe.metrics, recipe.baselines)
        document = summarize("forecasting", {"test": scores})
        figures = {
            **_pictures(rolled),
            "horizon": HorizonErrorDisplay.from_summary(scores),
            "history": HistoryDisplay.from_estimator(estimator),
        }
        return Assessment(document, _forecast_rows(rolled), figures)

    def _rolled(self, estimator: Any, frame: pd.DataFrame, refit: bool) -> Backtest:
        """Forecast the test part from the rolling origins of the recipe."""
        from seqkit.evaluation.backtest import backtest

        recipe = self.recipe.evaluate
        return backtest(
            estimator,
            frame,
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
        frame = self._read(data, [])
        with refusals(data):
            return estimator.predict(frame), self._unlike(columns, frame, data)

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
        parts = self.load(data)
        frame, where = parts.test, parts.named["test"]
        coming = None if future is None else read_frame(future)
        with refusals(where, future):
            answer = estimator.forecast(frame, horizon=horizon, future=coming)
        if interval is not None:
            self._widen(estimator, frame, answer, horizon, coming, interval)
        return answer, self._unlike(columns, frame, where)

    def _widen(
        self,
        estimator: Any,
        frame: pd.DataFrame,
        answer: pd.DataFrame,
        horizon: int | None,
        coming: pd.DataFrame | None,
        level: float,
    ) -> None:
        """Add conformal intervals to a forecast."""
        from seqkit.evaluation.forecast_errors import Undefined, naive_scale
        from seqkit.evaluation.rolling_data import rolling_data

        n_steps = horizon or estimator.horizon
        if n_steps > estimator.horizon:
            raise DataError(
                f"--interval: errors are known for {estimator.horizon} steps, not for {n_steps}; "
                "leave out --horizon or --interval."
            )
        rolled = self._rolled(estimator, self.load().test, refit=False)
        try:
            fitted = rolled.conformal(level)
        except Undefined as reason:
            raise DataError(f"--interval {level:g}: {reason}.") from reason
        series = rolling_data(frame, None, estimator)
        whose = np.zeros(len(answer) // n_steps, dtype=np.int64)
        series_id = self._series_id(frame)
        if series_id is not None:
            place = {name: i for i, name in enumerate(series.ids)}
            whose = np.array([place[name] for name in answer[series_id][::n_steps]])
        scale = naive_scale(series.values, rolled.season)[whose]  # (n_series, n_targets)
        scale[~np.isfinite(scale) | (scale <= 0)] = 1.0  # as where the widths come from
        ends = None
        if rolled.answer.quantiles is not None and len(rolled.answer.levels) > 1:
            outer = [min(rolled.answer.levels), max(rolled.answer.levels)]
            ends = estimator.forecast_quantiles(frame, horizon, coming, outer)
            ends = np.reshape(ends, (len(whose), n_steps, -1, 2))
        for k, name in enumerate(series.targets):
            point = answer[name].to_numpy().reshape(-1, n_steps)
            low, high = (point, point) if ends is None else (ends[:, :, k, 0], ends[:, :, k, 1])
            away = fitted.width[:n_steps, k] * scale[:, k, None]
            answer[f"{name}_low{100 * level:g}"] = (low - away).ravel()
            answer[f"{name}_high{100 * level:g}"] = (high + away).ravel()


def _forecast_rows(rolled: Backtest) -> pd.DataFrame:
    """Return a row for each series, window, step and target of a backtest."""
    import pandas as pd

    n_targets = rolled.truth.shape[-1]
    series, window, step, target = np.indices(rolled.truth.shape)
    data = rolled.data
    names = getattr(data, "targets", ("y",) if n_targets == 1 else tuple(range(n_targets)))
    place = rolled.origins[:, :, None, None] + 1 + step
    columns: dict[str, Any] = {
        "series": np.asarray(data.ids, dtype=object)[series].ravel(),
        "window": window.ravel(),
        "step": step.ravel() + 1,
        "row": place.ravel(),
        "target": np.asarray(names, dtype=object)[target].ravel(),
        "true": rolled.truth.ravel(),
        "forecast": rolled.answer.values.ravel(),
    }
    if rolled.answer.quantiles is not None:
        for i, level in enumerate(rolled.answer.levels):
            columns[f"q{level:g}"] = rolled.answer.quantiles[..., i].ravel()
    rows = pd.DataFrame(columns)
    return rows[rolled.origins[series, window].ravel() >= 0].reset_index(drop=True)


def _pictures(rolled: Backtest) -> dict[str, ForecastDisplay]:
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
