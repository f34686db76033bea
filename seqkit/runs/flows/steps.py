"""Series with a label at every step, or whose next step is asked for.

What scores and draws is imported where it is used, so that reading the data stays quick.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.auto import chosen
from seqkit.auto_steps import choose_for_steps
from seqkit.data.dialect import ReadSettings
from seqkit.data.labels import labels_like
from seqkit.data.novelty import seen, unlike
from seqkit.data.readers import find_files
from seqkit.data.step_tables import join_steps, read_steps
from seqkit.data.steps import NEXT, Steps, are_labels, following
from seqkit.errors import DataError, explain
from seqkit.runs.flows.base import Assessment, Parts, form_notes, refused, shown_path
from seqkit.runs.flows.next_numbers import (
    number_steps_frame,
    number_steps_predicted,
    scored_by_numbers,
)
from seqkit.runs.flows.series import SeriesFlow, with_features
from seqkit.system.notes import captured

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.metrics import Predictions

__all__ = ["StepsFlow"]

MOST_DRAWN = 40
"""Labels above which no picture shows which is taken for which."""


class StepsFlow(SeriesFlow):
    """Series with a label at every step, or whose next step is asked for."""

    of_numbers = False
    """Whether the data are numbers whose next are learned; known once they are loaded."""

    @property
    def asks_next(self) -> bool:
        """Whether what is learned is the next step itself: its token, labels or numbers."""
        return bool(self.recipe.data.target == NEXT)

    def load(
        self,
        data: str | None = None,
        estimator: Any = None,
        columns: dict[str, Any] | None = None,
    ) -> Parts:
        """Read the data and divide it; with `data`, take that file as the test part."""
        recipe = self.recipe
        files: list[Path] = []
        with captured(self.folder) as notes:
            train = self._read(recipe.data.path, files)
            kept = columns or {"date_form": train.date_form}
            if recipe.data.validation_path:
                held = self._read(recipe.data.validation_path, files, kept)
                train = _beside(train, held, shown_path(recipe.data.validation_path))
            path = recipe.data.test_path
            test = self._read(path, files, kept) if path else None
            divided = self._divide(train, 0.0 if test is not None else recipe.data.split.test)
            if data is not None:
                test = self._read(data, files, kept)
            elif test is None:
                test = train[divided.test] if len(divided.test) else None
        named = shown_path(recipe.data.path)
        tested = shown_path(data or path or recipe.data.path)
        validation = train[divided.validation] if len(divided.validation) else None
        whole = train[np.union1d(divided.train, divided.validation)] if self.refits else None
        train = train[divided.train]
        if test is not None:
            test = _like(test, train, tested)
        self.of_numbers = self.asks_next and train.tokens is None and not are_labels(train.values)
        if self.of_numbers:
            self.recipe, said = scored_by_numbers(self.recipe)
            notes += said
        auto = self._auto(train, validation)
        if auto:
            notes.append(chosen(auto))
        known = None if train.tokens is not None else seen(train.values, train.lengths)
        facts: dict[str, Any] = {"features": list(train.features), "seen": known}
        if train.date_form:
            facts["date_form"] = train.date_form
        strange = [] if test is None else self._strange(facts, test, data or path or named)
        if test is not None and data is not None:
            strange += form_notes(columns or facts, test.date_form, self.named(data))
        paths = {"train": named, "test": tested}
        parts = Parts(train, validation, test, notes, files, facts, strange, paths, auto)
        return replace(parts, whole=whole)

    def _auto(self, train: Steps, validation: Steps | None) -> dict[str, Any]:
        """Return what settings that are ``auto`` become with these series."""
        held = None if validation is None else validation.lengths.tolist()
        auto = choose_for_steps(self.recipe.parameters(), train.lengths.tolist(), held)
        if self.refits and held is None:  # too few to stop by
            auto |= {"validation": 0.0, "patience": 0}
        return auto

    def _strange(self, facts: dict[str, Any], test: Steps, where: Any) -> list[str]:
        """Return how a part is unlike those of training."""
        if test.tokens is not None:
            return []
        known = facts.get("seen")
        return unlike(known, test.values, test.lengths, test.features, self.named(where))

    def _read(self, pattern: Any, files: list[Path], columns: Any = None, **changed: Any) -> Steps:
        data = self.recipe.data
        paths = find_files(pattern)
        files += paths
        roles = {
            "target": None if self.asks_next else data.target,
            "features": data.features,
            "group": data.group,
            **changed,
        }

        def read(settings: ReadSettings) -> Steps:
            return read_steps(
                paths, series_id=data.series_id, time=data.time, missing=data.missing,
                settings=settings, **roles,
            )  # fmt: skip

        return self.as_in_training(read, columns, shown_path(pattern))

    def _padded(self, parts: Parts, name: str) -> Any:
        """Return a part as estimators take it."""
        return getattr(parts, name)

    def _labelled(self, parts: Parts, name: str) -> tuple[Any, Any]:
        return getattr(parts, name), None

    def describe(self, parts: Parts) -> dict[str, Any]:
        """Return the sizes of the parts, for people."""
        sizes = {}
        for name in ("train", "validation", "test"):
            part = getattr(parts, name)
            if part is None:
                continue
            low, high = part.lengths.min(), part.lengths.max()
            steps = f"{low}" if low == high else f"{low} to {high}"
            what = f"{len(part.features)} features"
            if part.tokens is not None:
                what = f"{len(np.unique(part.tokens))} different tokens"
            sizes[name] = f"{len(part)} series of {steps} steps, {what}"
        labels, names = parts.train.labels, self.recipe.data.target
        if self.of_numbers:
            sizes["numbers of the next step"] = ", ".join(parts.train.features[:MOST_DRAWN])
            return sizes
        if self.asks_next and parts.train.tokens is None:
            labels, names = parts.train.values, parts.train.features
        if labels is not None and labels.ndim == 2:
            shares = zip(names, labels.mean(axis=0), strict=True)
            some = [f"{name} ({share:.2%})" for name, share in shares]
            more = [f"{len(some) - MOST_DRAWN} more"] if len(some) > MOST_DRAWN else []
            sizes["labels of steps"] = ", ".join(some[:MOST_DRAWN] + more)
        elif not self.asks_next:
            classes, counts = np.unique(labels, return_counts=True)
            some = [f"{c} ({n})" for c, n in zip(classes, counts, strict=True)][:MOST_DRAWN]
            more = [f"{len(classes) - len(some)} more"] if len(classes) > len(some) else []
            sizes["labels of steps"] = ", ".join(some + more)
        return sizes

    def assess(self, estimator: Any, parts: Parts) -> Assessment:
        """Score the model beside the baselines on the validation and the test part."""
        from seqkit.evaluation.baselines import SeriesProblem, run_baselines
        from seqkit.evaluation.summary import score_model, summarize

        classes, scores = getattr(estimator, "classes_", None), {}
        notes: list[str] = []
        predictions: dict[str, tuple[Steps, Predictions]] = {}
        if not self._scored(parts):
            self.check(parts)
        learned = self._asked(parts.train if parts.whole is None else parts.whole)
        for name in self._scored(parts):
            part = self._asked(getattr(parts, name))
            with refused(parts.named["test" if name == "test" else "train"]):
                predictions[name] = part, self._predictions(estimator, part)
            y_train = learned.each(learned.labels)
            problem = SeriesProblem(learned, y_train, part, classes, self.recipe.seed)
            baselines, said = run_baselines(self.task.name, problem, self.recipe.evaluate.baselines)
            notes += said
            scores[name] = score_model(
                self.task.name,
                part.each(part.labels),
                predictions[name][1],
                metrics=self.recipe.evaluate.metrics,
                baselines=baselines,
                classes=classes,
            )
        document = summarize(
            self.task.name,
            scores,
            notes=notes,
            settings=self._decided(parts).model_dump(),
            history=estimator.history_,
        )
        name = next(iter(predictions))
        part, prediction = predictions[name]
        figures = self._figures(estimator, part, prediction)
        frame = self._frame(estimator, part, prediction, proba=False)
        sample = functools.partial(self._sample, parts, name, frame)
        validated = None
        if name == "test" and (held := predictions.get("validation")) is not None:
            validated = functools.partial(self._frame, estimator, *held, proba=False)
        return Assessment(document, frame, figures, sample, (part, prediction), validated)

    def _shown_values(self, parts: Parts, name: str) -> tuple[list[np.ndarray], list[str]]:
        """Return the numbers or the tokens of the series of a part, and names of their columns."""
        part = self._asked(getattr(parts, name))
        if part.tokens is not None:
            return part.each(part.tokens), ["token"]
        return list(part), list(part.features)

    def _shown_labels(self, parts: dict[str, Any]) -> dict[str, Any] | None:
        """Return the labels of the steps of each part, where a step has one."""
        there = {name: part.labels for name, part in parts.items() if part is not None}
        if self.asks_next or any(one is None or np.ndim(one) != 1 for one in there.values()):
            return None
        return there

    def _asked(self, part: Steps) -> Any:
        """Return a part with what is asked of its steps as their labels."""
        return following(part, self.of_numbers) if self.asks_next else part

    def _predictions(self, estimator: Any, X: Any) -> Predictions:
        from seqkit.evaluation.metrics import Predictions

        if estimator._of_numbers:
            return number_steps_predicted(estimator, X)
        probabilities = list(estimator.predict_proba(X))
        if estimator._multilabel_:
            labels = [(one > 0.5).astype(np.int64) for one in probabilities]
            return Predictions(labels=labels, probabilities=probabilities)
        labels = [estimator.classes_[one.argmax(axis=1)] for one in probabilities]
        return Predictions(labels=labels, probabilities=probabilities)

    def _figures(self, estimator: Any, part: Any, prediction: Predictions) -> dict[str, Any]:
        from seqkit.report.plots import ConfusionDisplay, HistoryDisplay, ResidualDisplay

        figures: dict[str, Any] = {"history": HistoryDisplay.from_estimator(estimator)}
        if estimator._of_numbers:
            if part.labels.shape[1] == 1:
                pair = part.labels[:, 0], np.concatenate(prediction.values)[:, 0]
                figures["residuals"] = ResidualDisplay.from_predictions(*pair)
        elif len(estimator.classes_) <= MOST_DRAWN and not estimator._multilabel_:
            figures["confusion"] = ConfusionDisplay.from_predictions(
                part.labels, np.concatenate(prediction.labels), classes=estimator.classes_
            )
        return figures

    def _frame(
        self, estimator: Any, part: Any, prediction: Predictions, proba: bool = True
    ) -> pd.DataFrame:
        """Return a row for each step: its series, its number from 0, the label and how sure.

        Of several labels those that are there, by their columns' names, one behind the other.
        """
        if estimator._of_numbers:
            return number_steps_frame(part, prediction)
        import pandas as pd

        lengths = part.lengths
        probabilities = np.concatenate(prediction.probabilities)
        columns: dict[str, Any] = {
            "series": np.repeat(part.ids, lengths),
            "step": np.arange(lengths.sum()) - np.repeat(part.offsets[:-1], lengths),
        }
        if part.tokens is not None:
            columns["token"] = part.tokens
        predicted, names = np.concatenate(prediction.labels), estimator.classes_
        if estimator._multilabel_:
            names = np.array(part.features if self.asks_next else self.recipe.data.target)
            probability = np.where(predicted > 0, probabilities, 1 - probabilities).prod(axis=1)
        else:
            probability = probabilities.max(axis=1)
        if part.labels is not None:
            columns["true"] = _spelled(part.labels, names)
            columns["true_probability"] = _likelihood(part.labels, probabilities, names)
        columns["predicted"] = _spelled(predicted, names)
        columns["probability"] = probability
        if proba:
            for i, label in enumerate(names):
                columns[f"p_{label}"] = probabilities[:, i]
        return pd.DataFrame(columns)

    def predict(
        self,
        estimator: Any,
        data: str,
        *,
        columns: dict[str, Any],
        proba: bool,
        interval: float | None = None,  # of numbers only
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return a row for each step of a file, which need not hold the labels, and notes."""
        if proba and estimator._of_numbers:
            raise DataError("--proba: the numbers of a next step have no class probabilities.")
        features = None if data.endswith(".txt") else columns["features"]
        steps = self._read(data, [], columns, target=None, features=features, group=None)
        with refused(data):
            prediction = self._predictions(estimator, steps)
        notes = form_notes(columns, steps.date_form, self.named(data))
        frame = self._frame(estimator, steps, prediction, proba)
        return frame, notes + self._strange(columns, steps, data)

    def begun(self, path: str, columns: dict[str, Any]) -> np.ndarray:
        """Return the steps of the first series of a file: labels, or numbers, as were learned."""
        steps = self._read(path, [], columns, features=columns["features"], group=None)
        return steps.each(steps.values)[0]


def _spelled(labels: np.ndarray, names: np.ndarray) -> Any:
    """Return labels for people: of several a step the names of those that are there."""
    if labels.ndim == 1:
        return labels
    return [" ".join(names[one > 0].tolist()) for one in labels]


def _likelihood(labels: np.ndarray, probabilities: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the probability that was given to the truth; of a class never learned 0."""
    if labels.ndim == 2:
        chosen: np.ndarray = np.where(labels > 0, probabilities, 1 - probabilities).prod(axis=1)
        return chosen
    column = np.searchsorted(names, labels).clip(max=len(names) - 1)
    found: np.ndarray = probabilities[np.arange(len(labels)), column]
    return np.where(names[column] == labels, found, 0.0)


def _beside(train: Steps, held: Steps, where: str) -> Steps:
    """Return the series of both as one, which says itself which are to validate on."""
    held = _like(held, train, where)
    both = join_steps([train, held])
    parts = np.repeat(["train", "validation"], [len(train), len(held)])
    found: Any = replace(both, parts=parts)
    return found  # type: ignore[no-any-return]


def _like(test: Steps, train: Steps, where: str) -> Any:
    """Return a test part with the features, and its labels written, as those of training."""
    if (test.tokens is None) != (train.tokens is None):
        kinds = ["numbers" if part.tokens is None else "tokens" for part in (train, test)]
        raise DataError(explain(where, "the series", f"of {kinds[0]}, as training", kinds[1]))
    test = with_features(test, train.features, where)
    return replace(test, labels=labels_like(test.labels, train.labels))
