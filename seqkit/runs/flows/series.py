"""Labelled series: each maps to a class or to a number.

What scores and draws is imported where it is used, so that reading the data stays quick.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.auto import AUTO, Sample, choose, chosen
from seqkit.data.embedded import DATASETS
from seqkit.data.embedded import load as load_embedded
from seqkit.data.labels import labels_like
from seqkit.data.novelty import seen, unlike
from seqkit.data.readers import (
    ReadSettings,
    column_names,
    find_files,
    read_sequences,
    reader_for,
)
from seqkit.data.roles import as_names
from seqkit.data.sequences import Padded, as_padded, pad
from seqkit.data.splits import check_classes, check_same_labels, split
from seqkit.errors import DataError, RunError, explain
from seqkit.recipe.completion import with_chosen
from seqkit.runs.flows.base import Assessment, Flow, Parts, form_notes, refused, shown_path
from seqkit.stopping import early_stopping, refit_of
from seqkit.system.notes import captured

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.metrics import Predictions
    from seqkit.network.architecture import Architecture
    from seqkit.runs.flows.intervals import NumberPredictions

__all__ = ["SeriesFlow"]


class SeriesFlow(Flow):
    """Labelled series: each maps to a class or to a number."""

    def load(
        self,
        data: str | None = None,
        estimator: Any = None,
        columns: dict[str, Any] | None = None,
    ) -> Parts:
        """Read the data and divide it; with `data`, take that file as the test part.

        Labelled series are read in the same way, whether there is a fitted `estimator` or not;
        dates in `data` as those of training were, of whose `columns` this is known.
        """
        recipe = self.recipe
        files: list[Path] = []
        with captured(self.folder) as notes:
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
                kept = {"date_form": train.date_form}
                test = self._read(path, files, kept) if path else None
            named = shown_path(recipe.data.path or f"data.dataset {recipe.data.dataset}")
            tested = shown_path(data or recipe.data.test_path or named)
            _check_targets(train, named)
            divided = self._divide(train, 0.0 if test is not None else recipe.data.split.test)
            if data is not None:
                test = self._read(data, files, columns or {"date_form": train.date_form})
            elif test is None:
                test = train[divided.test] if len(divided.test) else None
        validation = train[divided.validation] if len(divided.validation) else None
        whole = train[np.union1d(divided.train, divided.validation)] if self.refits else None
        train = train[divided.train]
        if test is not None:
            _check_targets(test, tested)
            test = with_features(test, train.features, tested)
            test = _labelled_like(test, train.y)
        if self.task.target == "label":
            check_classes(train.y, named)
            for name, part, where in (("validation", validation, named), ("test", test, tested)):
                if part is not None:
                    check_same_labels(train.y, part.y, where, name)
        held = None if validation is None else self._sizes(train, validation)
        sample = Sample.of(*pad(train.values, train.lengths), self._sizes(train))
        auto = choose(recipe.parameters(), sample, held)
        if self.refits and held is None:  # too few to stop by
            auto |= {"validation": 0.0, "patience": 0}
        if auto:
            notes.append(chosen(auto))
        known = seen(train.values, train.lengths)
        facts: dict[str, Any] = {"features": list(train.features), "seen": known}
        if train.date_form:
            facts["date_form"] = train.date_form
        strange = [] if test is None else unlike(
            known, test.values, test.lengths, test.features,
            self.named(data or recipe.data.test_path or recipe.data.path or named),
        )  # fmt: skip
        if test is not None and data is not None:
            strange += form_notes(columns or facts, test.date_form, self.named(data))
        paths = {"train": named, "test": tested}
        parts = Parts(train, validation, test, notes, files, facts, strange, paths, auto)
        return replace(parts, whole=whole)

    @property
    def refits(self) -> bool:
        """Whether the validation part is trained on, too, in the end."""
        return refit_of(self.recipe.data.split.validation)[1]

    def check(self, parts: Parts) -> None:
        """Raise all that fitting and scoring would refuse of the data; train nothing."""
        if not self._scored(parts):
            neither = "neither a test nor a validation part"
            if self.refits:
                neither = "no test part, and all else is trained on with validation: refit: nothing"
            raise DataError(
                f"{self.resolved.path}: there is {neither} to score. "
                "Set data.split.test or data.test_path."
            )
        if getattr(self.recipe.train, "calibration", 0):
            from seqkit.runs.flows.intervals import check_level

            check_level(self.recipe, len(parts.train), parts.named["train"])
        estimator = self.estimator().set_params(**parts.auto)
        with refused(parts.named["train"]):
            parts.checked = estimator._checked(
                *self._labelled(parts, "train"), **self._watched(parts)
            )
        if parts.test is not None:
            with refused(parts.named["test"]):
                parts.checked[0].estimator._check_X(self._padded(parts, "test"), reset=False)

    def filled(self, parts: Parts) -> str:
        """Return the recipe with all that the data have decided, as YAML that runs again."""
        return replace(self.resolved, recipe=self._decided(parts)).dump()

    def _decided(self, parts: Parts) -> Any:
        """Return the recipe with all that the data have decided."""
        # a recipe that refits is one with patience, also where there was nothing to stop by
        found = {k: v for k, v in parts.auto.items() if not (self.refits and k == "patience")}
        return with_chosen(self.recipe, found)

    def _scored(self, parts: Parts) -> list[str]:
        """Return the names of the parts that the model is not trained on in the end."""
        names = ("test",) if self.refits else ("test", "validation")
        return [name for name in names if getattr(parts, name) is not None]

    def _padded(self, parts: Parts, name: str) -> Padded:
        """Return a part as models take it, made once."""
        if name not in parts.padded:
            missing = self.recipe.data.missing
            part = getattr(parts, name)
            parts.padded[name] = as_padded(part, missing=missing, dtype=None)
        return parts.padded[name]

    def _labelled(self, parts: Parts, name: str) -> tuple[Padded, Any]:
        return self._padded(parts, name), getattr(parts, name).y

    def _watched(self, parts: Parts) -> dict[str, Any]:
        """Return the argument of a fit that is the validation part."""
        held = None if parts.validation is None else self._labelled(parts, "validation")
        return {"validation_data": held}

    def _divide(self, series: Any, test: float | None) -> Any:
        """Divide the series into parts; an automatic validation part is one that says enough."""
        share = self.recipe.data.split
        chosen = share.validation == AUTO or self.refits

        def divided(validation: float) -> Any:
            return split(series, share.method, validation, test, self.recipe.seed)

        parts = divided(0.0 if chosen else share.validation)
        own = len(parts.validation) > 0
        if not chosen or (own and not self.refits):  # set, or the file has its own
            return parts
        # Where little is held out nothing is; the part of a file is then trained on like the rest.
        undivided = parts._replace(
            train=np.union1d(parts.train, parts.validation), validation=parts.validation[:0]
        )
        train, patience = series[undivided.train], self.recipe.train.patience
        validation, _ = early_stopping(share.validation, patience, self._sizes(train))
        if not (validation or own):
            return undivided
        # The same seed gives the same test part. Whole groups, or the latest series, may hold other
        # classes than were counted on.
        held = parts if own else divided(validation)
        sizes = self._sizes(train, series[held.validation])
        _, waits = early_stopping(share.validation, patience, self._sizes(train), sizes)
        return held if waits else undivided

    def _sizes(self, series: Any, held: Any = None) -> list[int]:
        """Return the number of series of each class, or of all; or of those held back of them."""
        part = series if held is None else held
        if self.task.target != "label":
            return [len(part)]
        return [int(np.sum(part.y == label)) for label in np.unique(series.y)]

    def _read(self, pattern: str, files: list[Path], columns: dict[str, Any] | None = None) -> Any:
        data = self.recipe.data
        paths = find_files(pattern)
        files += paths

        def read(settings: ReadSettings) -> Any:
            return read_sequences(
                paths,
                layout=data.layout,
                target=data.target,
                features=data.features,
                series_id=data.series_id,
                time=data.time,
                group=data.group,
                missing=data.missing,
                label_from=_plain(data.label_from),
                settings=settings,
            )

        series = self.as_in_training(read, columns, shown_path(pattern))
        if self.task.target == "number" and np.ndim(series.y) == 2 and series.y.shape[1] == 1:
            return replace(series, y=series.y[:, 0])  # a column is one target, as for the estimator
        return series

    def describe(self, parts: Parts) -> dict[str, Any]:
        """Return the sizes of the parts, for people."""
        sizes = {}
        for name in ("train", "validation", "test"):
            part = getattr(parts, name)
            if part is None:
                continue
            low, high = part.lengths.min(), part.lengths.max()
            steps = f"{low}" if low == high else f"{low} to {high}"
            sizes[name] = f"{len(part)} series of {steps} steps, {len(part.features)} features"
        if self.task.target == "label":
            classes, counts = np.unique(parts.train.y, return_counts=True)
            sizes["classes"] = ", ".join(f"{c} ({n})" for c, n in zip(classes, counts, strict=True))
        return sizes

    def fit(self, estimator: Any, parts: Parts, on_epoch: Callable[..., None], resume: Any) -> None:
        """Fit the estimator on the training part, watching the validation part."""
        estimator.set_params(**parts.auto)
        if parts.checked is None:
            series, watched = self._labelled(parts, "train"), self._watched(parts)
        else:
            train, held = parts.checked
            series, watched = (train, None), {"validation_data": held and (held, None)}
            parts.checked = None
        with refused(parts.named["train"]):
            estimator.fit(*series, **watched, on_epoch=on_epoch, resume=resume)

    def architecture(self, estimator: Any, parts: Parts) -> Architecture:
        """Return the network that would be trained."""
        self.check(parts)
        estimator.set_params(**parts.auto)
        with refused(parts.named["train"]):
            architecture: Architecture = estimator._planned(parts.checked[0], None)[0]
            return architecture

    def assess(self, estimator: Any, parts: Parts) -> Assessment:
        """Score the model beside the baselines on the validation and the test part."""
        from seqkit.evaluation.baselines import SeriesProblem, run_baselines
        from seqkit.evaluation.summary import score_model, summarize

        classes = getattr(estimator, "classes_", None)
        # runs of earlier versions have whole numbers as text
        known = np.asarray(parts.train.y if classes is None else classes)
        parts = replace(
            parts,
            **{
                name: _labelled_like(getattr(parts, name), known)
                for name in ("train", "validation", "test", "whole")
            },
        )
        scores: dict[str, Any] = {}
        notes: list[str] = []
        predictions: dict[str, Predictions] = {}
        if not self._scored(parts):
            self.check(parts)
        learned = parts.train if parts.whole is None else parts.whole
        for name in self._scored(parts):
            part = getattr(parts, name)
            with refused(parts.named["test" if name == "test" else "train"]):
                predictions[name] = self._predictions(estimator, self._padded(parts, name))
            problem = SeriesProblem(
                learned, learned.y, part, classes, self.recipe.seed, predictions[name].levels
            )
            baselines, said = run_baselines(self.task.name, problem, self.recipe.evaluate.baselines)
            notes += said
            scores[name] = score_model(
                self.task.name,
                part.y,
                predictions[name],
                metrics=self.recipe.evaluate.metrics,
                baselines=baselines,
                classes=classes,
            )
            shown: Any = predictions[name]
            if getattr(shown, "interval", None) is not None:
                from seqkit.runs.flows.intervals import conformal_part

                names, n = self._target_names(part.y), len(estimator._scores_)
                scores[name]["conformal"] = conformal_part(part.y, shown, names, n)
        document = summarize(
            self.task.name,
            scores,
            notes=notes,
            settings=self._decided(parts).model_dump(),
            history=estimator.history_,
        )
        # without a test part the validation part is all there is to show
        name, prediction = next(iter(predictions.items()))
        shown = getattr(parts, name)
        figures = self._figures(estimator, shown, prediction)
        frame = self._frame(estimator, shown, prediction)
        sample = functools.partial(self._sample, parts, name, frame)
        validated = None
        if name == "test" and (held := predictions.get("validation")) is not None:
            validated = functools.partial(self._frame, estimator, parts.validation, held)
        return Assessment(document, frame, figures, sample, (shown, prediction), validated)

    def _sample(self, parts: Parts, name: str, frame: pd.DataFrame) -> dict[str, Any]:
        """Return what a page shows of the series of a part, and of the data of all parts."""
        from seqkit.report.samples import described_data, series_sample

        part = getattr(parts, name)
        values, features = self._shown_values(parts, name)
        whole = {one: getattr(parts, one) for one in ("train", "validation", "test")}
        found = series_sample(frame, part, values, features)
        return found | {"part": name, "data": described_data(whole, self._shown_labels(whole))}

    def _shown_values(self, parts: Parts, name: str) -> tuple[list[np.ndarray], list[str]]:
        """Return the series of a part as the network takes them, and names of their columns."""
        padded, names = self._padded(parts, name), list(getattr(parts, name).features)
        names += [f"missing: {one}" for one in names][: padded.values.shape[2] - len(names)]
        lengths = padded.lengths
        if lengths is None:
            return list(padded.values), names
        return [one[:n] for one, n in zip(padded.values, lengths, strict=True)], names

    def _shown_labels(self, parts: dict[str, Any]) -> dict[str, Any] | None:
        """Return the classes of the series of each part."""
        if self.task.target != "label" or any(
            part is not None and np.ndim(part.y) != 1 for part in parts.values()
        ):
            return None
        return {name: part.y for name, part in parts.items() if part is not None}

    def _figures(self, estimator: Any, part: Any, prediction: Predictions) -> dict[str, Any]:
        from seqkit.report.plots import ConfusionDisplay, HistoryDisplay, ResidualDisplay

        figures: dict[str, Any] = {"history": HistoryDisplay.from_estimator(estimator)}
        if self.task.target == "label":
            figures["confusion"] = ConfusionDisplay.from_predictions(
                part.y, prediction.labels, classes=estimator.classes_
            )
            return figures
        rows = (part.y, prediction.values, *(getattr(prediction, "interval", None) or ()))
        columns = [np.reshape(row, (len(row), -1)).T for row in rows]
        names = self._target_names(part.y)
        for k, (name, true, predicted, *interval) in enumerate(zip(names, *columns, strict=True)):
            one = len(names) == 1
            figures["residuals" if one else f"residuals_{k + 1}"] = ResidualDisplay(
                true, predicted, interval=tuple(interval) or None, label=None if one else name
            )
        return figures

    def _target_names(self, y: Any) -> list[str]:
        names = list(as_names(self.recipe.data.target))
        n = np.shape(y)[1] if np.ndim(y) == 2 else 1
        return names if len(names) == n else [str(k) for k in range(n)]

    def _predictions(self, estimator: Any, X: Any) -> Predictions:
        from seqkit.evaluation.metrics import Predictions

        if self.task.target == "label":
            probabilities = estimator.predict_proba(X)
            labels = estimator.classes_[probabilities.argmax(axis=1)]
            return Predictions(labels=labels, probabilities=probabilities)
        return self._numbers(estimator, X)

    def _numbers(self, estimator: Any, X: Any, level: float | None = None) -> NumberPredictions:
        from seqkit.runs.flows.intervals import level_of, numbers_of

        shown = level_of(self.recipe) if level is None else level
        return numbers_of(estimator, X, shown, asked=level is not None)

    def _frame(
        self, estimator: Any, part: Any, prediction: Any, proba: bool = True
    ) -> pd.DataFrame:
        import pandas as pd

        columns: dict[str, Any] = {"series": part.ids}
        if prediction.labels is None:
            from seqkit.runs.flows.intervals import number_columns

            names = self._target_names(prediction.values)
            return pd.DataFrame(columns | number_columns(part.y, prediction, names))
        if part.y is not None and np.ndim(part.y) == 1:
            columns["true"] = part.y
        columns["predicted"] = prediction.labels
        if proba:
            for i, label in enumerate(estimator.classes_):
                columns[f"p_{label}"] = prediction.probabilities[:, i]
        return pd.DataFrame(columns)

    def predict(
        self,
        estimator: Any,
        data: str,
        *,
        columns: dict[str, Any],
        proba: bool,
        interval: float | None = None,
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return a row for each series of a file, which need not hold the target, and notes."""
        if proba and self.task.target != "label":
            raise DataError(f"--proba: {self.task.name} has no class probabilities.")
        files = find_files(data)
        reader = reader_for(files[0])
        recipe = self.recipe.data
        settings = ReadSettings.of(recipe)
        given = {
            "layout": recipe.layout,
            "features": columns["features"],
            "series_id": recipe.series_id,
            "time": recipe.time,
        }
        if reader.layout(recipe.layout, recipe.series_id, recipe.time) == "wide":
            # the columns are the steps; a target among them must be known for what it is
            there = set.intersection(*(set(column_names(path, settings)) for path in files))
            given["features"] = recipe.features
            given["target"] = [name for name in as_names(recipe.target) if name in there] or None
        readable = {name: value for name, value in given.items() if name in reader.roles}
        sequences = self.as_in_training(
            lambda said: read_sequences(files, missing=recipe.missing, settings=said, **readable),
            columns,
            data,
        )
        with refused(data):
            padded = as_padded(sequences, missing=recipe.missing, dtype=None)
            prediction = (
                self._predictions(estimator, padded)
                if interval is None
                else self._numbers(estimator, padded, interval)
            )
            frame = self._frame(estimator, replace(sequences, y=None), prediction, proba)
        facts = (sequences.values, sequences.lengths, sequences.features, self.named(data))
        notes = form_notes(columns, sequences.date_form, self.named(data))
        return frame, notes + unlike(columns.get("seen"), *facts)

    def forecast(self, *args: Any, **kwargs: Any) -> tuple[pd.DataFrame, list[str]]:
        """Refuse: nothing of a labelled series is forecast."""
        raise RunError(
            f"{self.resolved.path}: seqkit forecast needs a forecasting run; this is "
            f"{self.task.name}. Use seqkit predict."
        )


def _plain(label_from: Any) -> Any:
    """Return where labels stand as the reader takes it."""
    return label_from.model_dump() if hasattr(label_from, "model_dump") else label_from


def _check_targets(part: Any, where: str) -> None:
    """Raise where labelled series have no labels."""
    if part.y is None:
        hint = "Name the column with data.target, or bring a file that has them."
        raise DataError(explain(where, "the series", "labelled", "no target", hint))


def with_features(test: Any, features: tuple[str, ...], where: str) -> Any:
    """Return a test part with the features the model takes, in their order."""
    if sorted(test.features) != sorted(features):
        expected = f"those of training, {list(features)[:12]}"
        hint = "Name them in data.features."
        raise DataError(explain(where, "the features", expected, list(test.features)[:12], hint))
    return test if test.features == features else test.select(features, where)


def _labelled_like(part: Any, known: Any) -> Any:
    """Return a part with its labels written as `known` ones are."""
    return part if part is None else replace(part, y=labels_like(part.y, known))
