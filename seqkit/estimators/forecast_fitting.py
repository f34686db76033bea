"""How a forecaster is fitted: its windows, what each network begins from, and the training."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from seqkit.auto import AUTO, chosen, forecast_combination, forecast_epochs
from seqkit.data.frequencies import auto_sizes
from seqkit.data.panel import Panel
from seqkit.data.windows import count_windows
from seqkit.errors import explain
from seqkit.estimators.base import TRAIN_SETTINGS
from seqkit.estimators.forecast_combining import check_combination, middle_of
from seqkit.estimators.forecast_data import ForecastData
from seqkit.estimators.forecast_predictions import BY_DATA
from seqkit.estimators.forecast_preparing import (
    check_counts,
    point_loss,
    scaling_statistics,
    tell_of_window_precision,
    window_sources,
)
from seqkit.estimators.forecast_rehearsal import rehearsed_share
from seqkit.estimators.forecast_transforming import (
    check_transform,
    check_transformable,
    powers_of,
    transformed,
)
from seqkit.estimators.forecast_weights import weighted
from seqkit.estimators.members import fits_of, member_seed, seed_of
from seqkit.estimators.starting import Start
from seqkit.network.architecture import Architecture
from seqkit.network.layers.theta import MOST_THETA_STEPS
from seqkit.network.layers.windows import default_patch
from seqkit.network.losses import Objective
from seqkit.network.settings import ForecastNetwork, names_of
from seqkit.recipe.schema import validate_parameters
from seqkit.stopping import forecast_patience, forecast_validation, patience_in_epochs, refit_of

__all__ = ["FORECAST_MODEL_SETTINGS", "ForecastFitting"]

FORECAST_MODEL_SETTINGS = (*names_of(ForecastNetwork), "horizon")
# Windows overlap: an epoch of all of them would say the same thing many times over.
MOST_BATCHES = 250


class ForecastFitting(ForecastData):
    """The half of a forecaster that trains; the public methods are the subclass."""

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: tuple[Any, ...] | None = None,
        callbacks: Iterable[Any] = (),
        on_epoch: Any = None,
        resume: Any = None,
        going_on: bool,
        partial_pass: bool = False,
    ) -> None:
        settings = self._settings(held=validation_data is not None)
        refit = refit_of(self.validation)[1]
        if refit and (going_on or partial_pass):
            self._refuse_refit("partial_fit" if partial_pass else "fit with warm_start")
        if partial_pass:
            settings.update(epochs=1, patience=0, validation=0)
            if settings["schedule"] == "cosine":  # how many passes will come is not known
                settings["schedule"] = "constant"
        start = None if going_on else self._read_start()
        panel = self._read_further(X, y) if going_on else self._read_first(X, y, start)
        head = self._head[0]
        if head.counts:
            check_counts(panel, type(self).__name__)
        notes = list(panel.notes)
        if not going_on:
            kept = self._settings_kept()
            notes += filter(None, auto_sizes(kept, panel.frequency, panel.lengths.tolist())[1:])
        if self._normalize != self.normalize:
            notes.append("the target is no feature, so windows are scaled by the training part")
            warnings.warn(
                f"{type(self).__name__}: y is no column of X, so that its past is no input: "
                "forecasts come from the features alone. Make it a column of X to have it seen.",
                stacklevel=5,
            )
        objective = self._objective()
        share = forecast_validation(settings["validation"], settings["patience"])
        parts, held_parts, left_out = self._divided(panel, X, sample_weight, validation_data, share)
        notes += [] if going_on else self._learn_share(parts, share)
        begin: dict[str, Any] = {"counts": head.counts, "start": start}
        phases = [self._phase(parts, held_parts, **begin, new=not going_on)]
        if refit:
            whole, left_out = self._whole(panel, X, sample_weight)
            phases.append(self._phase(whole, (None, None), **begin, new=True))
        loop = self._loop(settings, share, phases, notes)
        if refit and not loop["patience"]:  # too few windows to stop by
            phases = phases[1:]
        members = list(zip(*phases, strict=True))
        first = seed_of(self.random_state)
        seeds = [member_seed(first, number) for number in range(len(members))]
        starts = self._starts(seeds, loop, resume, going_on)
        loop |= {"loss": objective, "output": "normalized"}
        loop |= {"callbacks": tuple(callbacks), "verbose": self.verbose}
        trainings = [
            (parts, {**self._loop_of(parts, loop), "seed": seed, **begun})
            for parts, seed, begun in zip(members, seeds, starts, strict=True)
        ]
        fits = fits_of(trainings, on_epoch)
        self._adopt(fits, keep_state=self.warm_start or partial_pass)
        self.notes_ = (*notes, *left_out)
        self._tail_ = _tail_arrays(panel.tail(self._window))

    def _read_first(self, X: Any, y: Any, start: Start | None) -> Panel:
        """Read the series of a fit that begins anew, or from another's weights."""
        self._forget()
        self._keep_settings()
        self._settle(start)
        panel = self._read(X, y)
        self.auto_ = self._chosen_of(panel)
        return panel

    def _chosen_of(self, panel: Panel) -> dict[str, Any]:
        """Return what the settings that are auto become with these series; check those set."""
        kept = self._settings_kept()
        sizes, _ = auto_sizes(kept, panel.frequency, panel.lengths.tolist())
        self.auto_ = sizes  # on which the others depend
        if sizes:
            validate_parameters(type(self).__name__, self._task, kept | sizes)
        head, levels, _ = self._head
        season, inputs = self._fitted.season, self._reader.target_inputs
        check_transform(type(self).__name__, self._fitted.target_transform, head, inputs)
        if self._fitted.combine_with == "theta":
            check_combination(type(self).__name__, head, levels, season, inputs)
        chosen = sizes | self._epochs_of(panel.lengths)
        if self._fitted.combine_with != AUTO:
            return chosen
        possible = inputs and middle_of(head, levels) is not None and 2 * season <= MOST_THETA_STEPS
        alone = not (self._reader.columns.past or self._reader.columns.future)
        combination = forecast_combination(season, panel.lengths.tolist()) if alone else "none"
        return {"combine_with": combination if possible else "none"} | chosen

    def _epochs_of(self, lengths: np.ndarray) -> dict[str, int]:
        """Return what ``epochs`` becomes with series of these lengths, where it is auto."""
        if self.epochs != AUTO:
            return {}
        n_windows = count_windows(lengths, min(self._contexts), self._fitted.horizon)
        steps = self.steps_per_epoch or min(-(-n_windows // self.batch_size), MOST_BATCHES)
        return {"epochs": forecast_epochs(max(steps, 1), n_windows, self.batch_size)}

    def _read_further(self, X: Any, y: Any) -> Panel:
        """Read the series of a fit that goes on, which are of the columns of the one before."""
        self._check_settings_kept()
        before = self._sizes()
        if y is None or not self._reader.arrays:
            panel = self._read_again(X, y, "fit")
        else:
            self._reader.read(X)  # raises where these are other features
            panel = self._read(X, y)
        if self._sizes() != before:
            raise ValueError(
                explain(type(self).__name__, "targets and covariates",
                        f"those of the fit that is gone on with, {before}", self._sizes(),
                        "Fit anew with warm_start=False.")
            )  # fmt: skip
        self.auto_ = getattr(self, "auto_", {}) | self._epochs_of(panel.lengths)
        return panel

    def _learn_share(self, part: tuple[Panel, Panel | None], validation: float) -> list[str]:
        """Learn how much of a forecast is that of theta; return what to say of it."""
        if self._fitted.combination != "learned" or self._combination == "none":
            return []
        found = rehearsed_share(self, part, validation)
        if found is None:
            return ["no series can spare a horizon to learn the combination by: half and half"]
        self._share_ = found[0]
        return [f"theta has {found[0]:g} of the forecast, learned on {found[1]} held out"]

    def _seen(
        self, part: tuple[Any, Any], learn: bool = False, start: Start | None = None
    ) -> tuple[Any, Any]:
        """Return series as the networks see them, beside their weights.

        With `learn` the transform of the targets is that of these series, or of the start.
        """
        panel, weights = part
        transform = self._fitted.target_transform
        if panel is None or transform == "none":
            return part
        check_transformable(panel, transform, type(self).__name__)
        if learn:
            self._powers_ = powers_of(panel, transform, self._fitted.season)
            known = None if start is None else getattr(start.estimator, "_powers_", None)
            if known is not None and known.shape == self._powers_.shape:
                self._powers_ = known
        return transformed(panel, self._powers), weights

    def _phase(
        self, parts: Any, held_parts: Any, counts: bool, *, new: bool, start: Start | None
    ) -> list[dict[str, Any]]:
        """Return what training takes, for every network; with `new`, learn the statistics."""
        parts, held_parts = self._seen(parts, learn=new, start=start), self._seen(held_parts)
        constants = None
        if new:
            constants = scaling_statistics(parts[0], self.scale, self._normalize)
            self._window_offset_ = constants["window/offset"]
            self._window_scale_ = constants["window/scale"]
            if start is not None:
                constants = self._scaled_as(start, constants)
        sources = self._sources(parts, held_parts, counts)
        members = [self._member(context, self._variable_length_) for context in self._contexts]
        networks = self._to_train(members, start, seed_of(self.random_state))
        return [
            {**network, "source": source, "validation": watched, "constants": constants}
            for network, (source, watched) in zip(networks, sources, strict=True)
        ]

    def _sources(
        self,
        parts: tuple[Panel, Panel | None],
        held_parts: tuple[Panel | None, Panel | None],
        counts: bool,
    ) -> list[tuple[Any, Any]]:
        """Return the windows to train and to validate on, for every network."""
        (train, weights), (held, held_weights) = parts, held_parts
        offset, scale = self._window_space()
        sources, self._variable_length_ = window_sources(
            train,
            held,
            self._contexts,
            self._fitted.horizon,
            normalize=None if counts else self._normalize,
            offset=offset,
            scale=scale,
            target_inputs=self._reader.target_inputs,
        )
        tell_of_window_precision(train, sources, self._normalize, counts)
        return [
            (weighted(source, weights), weighted(watched, held_weights))
            for source, watched in sources
        ]

    def _loop(
        self, settings: dict[str, Any], share: Any, phases: list[Any], notes: list[str]
    ) -> dict[str, Any]:
        """Return the settings of training; choose what is ``auto``, and note what was chosen."""
        watched = [part["validation"] for part in phases[0]]
        n_held = min(0 if source is None else source.n_examples for source in watched)
        patience = forecast_patience(settings["patience"], n_held)
        values = {"validation": share, "patience": patience}
        self.auto_ |= {name: values[name] for name in values if settings[name] == AUTO}
        if len(phases) > 1 and not patience:
            self.auto_["validation"] = 0.0
        if settings["epochs"] != AUTO:  # a pass over further series is one epoch
            self.auto_.pop("epochs", None)
        # where nothing is held out there is nothing to say of stopping early
        said = {k: v for k, v in self.auto_.items() if n_held or k not in values}
        said = {k: v for k, v in said.items() if k not in BY_DATA}  # said with its reason
        if said:
            notes.append(chosen(said))
        loop = {name: settings[name] for name in TRAIN_SETTINGS} | {"patience": patience}
        if loop["epochs"] == AUTO:
            loop["epochs"] = self.auto_["epochs"]
        most = MOST_BATCHES * self.batch_size
        largest = max(part["source"].n_examples for phase in phases for part in phase)
        if self.steps_per_epoch is None and largest > most:
            loop["steps_per_epoch"] = MOST_BATCHES
            notes.append(f"an epoch draws {MOST_BATCHES} batches, as steps_per_epoch is not set")
        return loop

    def _loop_of(self, parts: Sequence[dict[str, Any]], loop: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of a network's training: its patience in epochs of its own."""
        steps = loop["steps_per_epoch"] or -(-parts[0]["source"].n_examples // loop["batch_size"])
        return {**loop, "patience": patience_in_epochs(loop["patience"], steps)}

    # --- the model -----------------------------------------------------------------------------

    def _objective(self) -> Objective:
        """Return what is minimised."""
        head, levels, _ = self._head
        loss = point_loss(type(self).__name__, self.loss, head)
        return Objective("forecast", loss, head.name, levels)

    @property
    def _patch(self) -> int:
        """Steps in a patch; by default a season, where the shortest context holds two."""
        patch: int | None = self._fitted.patch
        if patch is not None:
            return patch
        return default_patch(self._fitted.season, min(self._contexts))

    def _sizes(self) -> dict[str, Any]:
        reader = self._reader
        columns = reader.columns
        return {
            "n_targets": len(columns.targets),
            "n_past": len(columns.past_channels),
            "n_future": len(columns.future_channels),
            "n_static": len(columns.static_numbers),
            "static_categories": tuple(len(known) for _, known in columns.categories),
            "target_inputs": reader.target_inputs,
        }

    def _member(self, context: int, variable_length: bool) -> Architecture:
        """Return what builds a network of the ensemble."""
        settings = {name: getattr(self._fitted, name) for name in FORECAST_MODEL_SETTINGS}
        settings["normalize"] = self._normalize
        settings["patch"] = self._patch
        sizes = {"context_length": context, "variable_length": variable_length, **self._sizes()}
        return Architecture("forecaster", {**sizes, **settings})

    def _build(self) -> Architecture:
        contexts = self._contexts
        members = [self._member(context, self._variable_length_) for context in contexts]
        theta = self._theta
        powers = self._powers
        if len(members) == 1 and theta is None and powers is None:
            return members[0]
        whole: dict[str, Any] = {"members": members, "context_lengths": contexts}
        if powers is not None:
            whole["powers"] = powers
        if theta is not None:
            whole |= theta.settings()
        return Architecture("ensemble", whole)


def _tail_arrays(panel: Panel) -> dict[str, Any]:
    """The end of every series as plain arrays, so that it pickles and saves small."""
    return {
        name: getattr(panel, name)
        for name in ("values", "offsets", "ids", "times", "age", "static", "static_codes")
    }
