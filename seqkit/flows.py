"""The two flows of data through a run: labelled series, and forecasting.

A flow loads the parts, fits the estimator, and judges it beside the baselines; :data:`FLOWS`
says which flow a kind of target takes. :mod:`seqkit.experiment` runs either.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seqkit.data.embedded import load as load_embedded
from seqkit.errors import DataError, RunError
from seqkit.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.recipe.reading import Resolved

__all__ = ["FLOWS", "Assessment", "Parts", "describe_data", "flow_of"]


@dataclass
class Parts:
    """The data of a run.

    Attributes
    ----------
    train, validation, test
        ``Sequences``, or long data frames when forecasting; ``None`` where there is none.
    notes : list of str
        What was inferred, repaired or dropped on the way.
    files : list of pathlib.Path
        What was read.
    columns : dict
        Names, for ``model.json``.
    """

    train: Any
    validation: Any
    test: Any
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass
class Assessment:
    """How a fitted model did.

    Attributes
    ----------
    document : dict
        The content of ``metrics.json``.
    predictions : pandas.DataFrame
        One row a series of the test part, or a row a forecast step.
    figures : dict of str to Display
        What is drawn into ``plots/``.
    """

    document: dict[str, Any]
    predictions: pd.DataFrame
    figures: Mapping[str, Any]


class Flow:
    """What both flows share."""

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved
        self.recipe: Any = resolved.recipe
        self.task = TASKS[self.recipe.task]

    def estimator(self) -> Any:
        """Return the unfitted estimator of the recipe."""
        from seqkit.estimators.saving import estimator_class

        return estimator_class(self.task.name)(**self.recipe.parameters())

    def remarks(self, estimator: Any) -> list[str]:
        """Return what the log should say of a fitted estimator, a line each."""
        kernels = [
            f"{layer.name}: {layer.kernel_report()}"
            for layer in estimator.model_._flatten_layers()
            if hasattr(layer, "kernel_report")
        ]
        return [
            f"best epoch {estimator.best_epoch_ + 1} of {estimator.n_iter_}",
            *kernels,
        ]

    def files(self, pattern: str) -> list[Path]:
        """Return the files a path or a glob of the recipe names."""
        return [Path(path) for path in sorted(glob.glob(pattern))] or [Path(pattern)]


class SeriesFlow(Flow):
    """Labelled series: each maps to a class or to a number."""

    def load(self, data: str | None = None) -> Parts:
        """Read the data and divide it; with `data`, read that file as the test part."""
        from seqkit.data.splits import check_classes, split

        recipe = self.recipe
        notes: list[str] = []
        files: list[Path] = []
        if recipe.data.dataset is not None:
            loaded = load_embedded(recipe.data.dataset)
            train, test = loaded.train, loaded.test
        else:
            train = self._read(recipe.data.path, files)
            test = self._read(recipe.data.test_path, files) if recipe.data.test_path else None
        if train.parts is not None and test is None:
            by_part = {name: train[train.parts == name] for name in np.unique(train.parts)}
            train, test = by_part.get("train"), by_part.get("test")
            validation = by_part.get("validation")
        else:
            validation = None
        divided = split(
            train,
            recipe.data.split.method,
            validation=0.0 if validation is not None else recipe.data.split.validation,
            test=0.0 if test is not None else recipe.data.split.test,
            seed=recipe.seed,
        )
        if test is None:
            test = train[divided.test]
        if validation is None and len(divided.validation):
            validation = train[divided.validation]
        train = train[divided.train]
        if data is not None:
            test = self._read(data, files)
        if self.task.target == "label":
            check_classes(train, test)
        return Parts(
            train, validation, test, notes, files, {"features": list(train.features)}
        )

    def _read(self, pattern: str, files: list[Path]) -> Any:
        from seqkit.data.readers import read_sequences

        data = self.recipe.data
        files += self.files(pattern)
        return read_sequences(
            pattern,
            layout=data.layout,
            target=data.target,
            features=data.features,
            series_id=data.series_id,
            time=data.time,
            group=data.group,
            missing=data.missing,
            labels=self.task.target == "label",
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
            found["classes"] = ", ".join(
                f"{c} ({n})" for c, n in zip(classes, counts, strict=True)
            )
        return found

    def fit(
        self, estimator: Any, parts: Parts, on_epoch: Callable[..., None], resume: Any
    ) -> None:
        """Fit the estimator on the training part, watching the validation part."""
        held = parts.validation
        estimator.fit(
            parts.train.X,
            parts.train.y,
            validation_data=None if held is None else (held.X, held.y),
            on_epoch=on_epoch,
            resume=resume,
        )

    def load_state(self, path: Path) -> Any:
        """Return the training state of a checkpoint."""
        from seqkit.training import TrainingState

        return TrainingState.load(path)

    def untrained(self, estimator: Any, parts: Parts) -> Any:
        """Return the model as it would be trained."""
        return estimator.untrained(parts.train.X, parts.train.y)

    def assess(self, estimator: Any, parts: Parts) -> Assessment:
        """Score the model beside the baselines on validation and test part."""
        from seqkit.evaluation.baselines import SeriesProblem, run_baselines
        from seqkit.evaluation.summary import summarize

        answers = {}
        notes: list[str] = []
        classes = getattr(estimator, "classes_", None)
        for name in ("validation", "test"):
            part = getattr(parts, name)
            if part is None:
                continue
            problem = SeriesProblem(
                parts.train.X, parts.train.y, part.X, classes, self.recipe.seed
            )
            baselines, said = run_baselines(self.task.name, problem, self.recipe.evaluate.baselines)
            notes += [note for note in said if note not in notes]
            answers[name] = (part.y, self._answer(estimator, part), baselines)
        document = summarize(
            self.task.name,
            answers,
            metrics=self.recipe.evaluate.metrics,
            classes=classes,
            notes=notes,
        )
        figures = self._figures(estimator, parts.test, answers["test"][1])
        return Assessment(document, self._frame(estimator, parts.test), figures)

    def _answer(self, estimator: Any, part: Any) -> Any:
        from seqkit.evaluation.metrics import Predictions

        if self.task.target == "label":
            probabilities = estimator.predict_proba(part.X)
            labels = estimator.classes_[probabilities.argmax(axis=1)]
            return Predictions(labels=labels, probabilities=probabilities)
        return Predictions(values=estimator.predict(part.X))

    def _figures(self, estimator: Any, test: Any, answer: Any) -> dict[str, Any]:
        from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay, confusion_matrix

        from seqkit.report.plots import HistoryDisplay

        figures: dict[str, Any] = {"history": HistoryDisplay.from_estimator(estimator)}
        return figures

    def _frame(self, estimator: Any, part: Any, proba: bool = True) -> pd.DataFrame:
        import pandas as pd

        answer = self._answer(estimator, part)
        columns: dict[str, Any] = {"series": part.ids}
        if part.y is not None and part.y.ndim == 1:
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

    def predict(self, estimator: Any, data: str, proba: bool) -> pd.DataFrame:
        """Return a row for each series of a file."""
        if proba and self.task.target != "label":
            raise DataError(f"--proba: a {self.task.name} has no class probabilities.")
        return self._frame(estimator, self._read_unlabelled(data), proba)

    def forecast(self, *args: Any, **kwargs: Any) -> pd.DataFrame:
        """Refuse: nothing of a labelled series is forecast."""
        raise RunError(
            f"{self.resolved.path}: seqkit forecast needs a forecasting run; this is "
            f"{self.task.name}. Use seqkit predict."
        )


FLOWS: dict[str, type[Flow]] = {"label": SeriesFlow, "number": SeriesFlow}


def flow_of(resolved: Resolved) -> Any:
    """Return the flow of a recipe's task."""
    return FLOWS[TASKS[resolved.recipe.task].target](resolved)


def describe_data(resolved: Resolved) -> dict[str, Any]:
    """Read the data of a recipe and say what there is."""
    flow = flow_of(resolved)
    return flow.describe(flow.load())
