"""Labelled series: each maps to a class or to a number.

What judges and draws is imported where it is used, so that a look at the data stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.embedded import DATASETS
from seqkit.data.embedded import load as load_embedded
from seqkit.data.labels import labels_like
from seqkit.data.readers import find_files, read_sequences, reader_of
from seqkit.data.splits import check_classes, check_same_labels, split
from seqkit.errors import DataError, RunError
from seqkit.flows.base import Assessment, Flow, Parts, heard

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.metrics import Predictions

__all__ = ["SeriesFlow"]


class SeriesFlow(Flow):
    """Labelled series: each maps to a class or to a number."""

    def load(self, data: str | None = None) -> Parts:
        """Read the data and divide it; with `data`, take that file as the test part."""
        recipe = self.recipe
        files: list[Path] = []
        with heard() as notes:
            if recipe.data.dataset is not None:
                loaded = load_embedded(recipe.data.dataset)
                train, test = loaded.train, loaded.test
                if train is None or test is None:
                    raise DataError(
                        f"{self.resolved.path}: data.dataset {recipe.data.dataset!r} is for "
                        f"{DATASETS[recipe.data.dataset].task}, not for {recipe.task}."
                    )
            else:
                train = self._read(recipe.data.path, files)
                path = recipe.data.test_path
                test = self._read(path, files) if path else None
            share = recipe.data.split
            divided = split(
                train, share.method, share.validation, 0.0 if test is not None else share.test,
                recipe.seed,
            )  # fmt: skip
            if data is not None:
                test = self._read(data, files)
            elif test is None:
                test = train[divided.test] if len(divided.test) else None
        validation = train[divided.validation] if len(divided.validation) else None
        train = train[divided.train]
        test = _labelled_like(test, train.y)
        if self.task.target == "label":
            check_classes(train.y, recipe.data.path or recipe.data.dataset)
            for name, part in (("validation", validation), ("test", test)):
                if part is not None:
                    check_same_labels(train.y, part.y, recipe.data.path or "data", name)
        columns = {"features": list(train.features)}
        return Parts(train, validation, test, notes, files, columns)

    def _read(self, pattern: str, files: list[Path]) -> Any:
        data = self.recipe.data
        found = find_files(pattern)
        files += found
        return read_sequences(
            found,
            layout=data.layout,
            target=data.target,
            features=data.features,
            series_id=data.series_id,
            time=data.time,
            group=data.group,
            missing=data.missing,
        )

    def describe(self, parts: Parts) -> dict[str, Any]:
        """Return the sizes of the parts, for people."""
        found = {}
        for name in ("train", "validation", "test"):
            part = getattr(parts, name)
            if part is None:
                continue
            low, high = part.lengths.min(), part.lengths.max()
            steps = f"{low}" if low == high else f"{low} to {high}"
            found[name] = f"{len(part)} series of {steps} steps, {len(part.features)} features"
        if self.task.target == "label":
            classes, counts = np.unique(parts.train.y, return_counts=True)
            found["classes"] = ", ".join(f"{c} ({n})" for c, n in zip(classes, counts, strict=True))
        return found

    def fit(self, estimator: Any, parts: Parts, on_epoch: Callable[..., None], resume: Any) -> None:
        """Fit the estimator on the training part, watching the validation part."""
        held = parts.validation
        estimator.fit(
            parts.train.X,
            parts.train.y,
            validation_data=None if held is None else (held.X, held.y),
            on_epoch=on_epoch,
            resume=resume,
        )

    def untrained(self, estimator: Any, parts: Parts) -> Any:
        """Return the model as it would be trained."""
        return estimator.untrained(parts.train.X, parts.train.y)

    def assess(self, estimator: Any, parts: Parts) -> Assessment:
        """Score the model beside the baselines on the validation and the test part."""
        from seqkit.evaluation.baselines import SeriesProblem, run_baselines
        from seqkit.evaluation.summary import evaluate, summarize

        classes = getattr(estimator, "classes_", None)
        # runs of earlier versions have whole numbers as text
        known = np.asarray(parts.train.y if classes is None else classes)
        parts = replace(
            parts,
            **{
                name: _labelled_like(getattr(parts, name), known)
                for name in ("train", "validation", "test")
            },
        )
        scores: dict[str, Any] = {}
        notes: list[str] = []
        # without a test part the validation part is all there is to show
        shown = parts.validation if parts.test is None else parts.test
        if shown is None:
            raise DataError(
                f"{self.resolved.path}: there is neither a test nor a validation part to score. "
                "Set data.split.test or data.test_path."
            )
        for name in ("test", "validation"):
            part = getattr(parts, name)
            if part is None:
                continue
            problem = SeriesProblem(parts.train, parts.train.y, part, classes, self.recipe.seed)
            baselines, said = run_baselines(self.task.name, problem, self.recipe.evaluate.baselines)
            notes += said
            scores[name] = evaluate(
                self.task.name,
                part.y,
                self._answer(estimator, part),
                metrics=self.recipe.evaluate.metrics,
                baselines=baselines,
                classes=classes,
            )
        document = summarize(self.task.name, scores, notes=notes)
        figures = self._figures(estimator, shown, self._answer(estimator, shown))
        return Assessment(document, self._frame(estimator, shown), figures)

    def _figures(self, estimator: Any, part: Any, answer: Any) -> dict[str, Any]:
        from seqkit.report.plots import ConfusionDisplay, HistoryDisplay, ResidualDisplay

        figures: dict[str, Any] = {"history": HistoryDisplay.from_estimator(estimator)}
        if self.task.target == "label":
            figures["confusion"] = ConfusionDisplay.from_predictions(
                part.y, answer.labels, classes=estimator.classes_
            )
        elif np.ndim(part.y) == 1:
            figures["residuals"] = ResidualDisplay.from_predictions(part.y, answer.values)
        return figures

    def _answer(self, estimator: Any, part: Any) -> Predictions:
        from seqkit.evaluation.metrics import Predictions

        if self.task.target == "label":
            probabilities = estimator.predict_proba(part.X)
            labels = estimator.classes_[probabilities.argmax(axis=1)]
            return Predictions(labels=labels, probabilities=probabilities)
        return Predictions(values=estimator.predict(part.X))

    def _frame(self, estimator: Any, part: Any, proba: bool = True) -> pd.DataFrame:
        import pandas as pd

        answer = self._answer(estimator, part)
        columns: dict[str, Any] = {"series": part.ids}
        if part.y is not None and np.ndim(part.y) == 1:
            columns["true"] = part.y
        if answer.labels is not None:
            columns["predicted"] = answer.labels
            if proba:
                for i, label in enumerate(estimator.classes_):
                    columns[f"p_{label}"] = answer.probabilities[:, i]
        else:
            values = answer.values.reshape(len(part), -1)
            for i in range(values.shape[1]):
                columns["predicted" if values.shape[1] == 1 else f"predicted_{i}"] = values[:, i]
        return pd.DataFrame(columns)

    def predict(
        self, estimator: Any, data: str, *, columns: dict[str, Any], proba: bool
    ) -> pd.DataFrame:
        """Return a row for each series of a file; it need not hold the target."""
        if proba and self.task.target != "label":
            raise DataError(f"--proba: {self.task.name} has no class probabilities.")
        files = find_files(data)
        roles = reader_of(files[0]).roles
        recipe = self.recipe.data
        given = {
            "layout": recipe.layout,
            "features": columns["features"],
            "series_id": recipe.series_id,
            "time": recipe.time,
        }
        asked = {name: value for name, value in given.items() if name in roles}
        sequences = read_sequences(files, missing=recipe.missing, **asked)
        return self._frame(estimator, sequences, proba)

    def forecast(self, *args: Any, **kwargs: Any) -> pd.DataFrame:
        """Refuse: nothing of a labelled series is forecast."""
        raise RunError(
            f"{self.resolved.path}: seqkit forecast needs a forecasting run; this is "
            f"{self.task.name}. Use seqkit predict."
        )


def _labelled_like(part: Any, known: Any) -> Any:
    """Return a part with its labels written as `known` ones are."""
    return part if part is None else replace(part, y=labels_like(part.y, known))
