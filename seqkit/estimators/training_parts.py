"""What the networks of a fit of labelled series are trained on, and the statistics they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit import training
from seqkit.data.scaling import fit_scaler
from seqkit.data.sequences import Padded
from seqkit.errors import explain
from seqkit.estimators.examples import Examples, tell_of_precision
from seqkit.estimators.starting import Start
from seqkit.network.architecture import Architecture
from seqkit.network.layers.averages import Averages
from seqkit.network.layers.base import Saved
from seqkit.network.layers.normalization import BatchNormalization
from seqkit.network.ops import NUMPY

__all__ = ["TrainingParts", "inputs_of", "sync_standardized"]

_LEAST_SPREAD = 1e-3
"""Spread of a time step, of that of all, below which its deviations are not blown up further."""


class TrainingParts:
    """The half of an estimator that makes sources of series, and learns what scales them."""

    auto_: dict[str, Any]
    deviations: Any
    scale: Any
    weights_: list[np.ndarray]
    _build: Any
    _fitted: Any
    _objective: Any
    _scaled_as: Any
    _to_train: Any
    _n_channels_: int
    _n_course_: int
    _trained_target: Any
    _variable_length_: bool

    def _fit_statistics(self, train: Examples) -> dict[str, np.ndarray]:
        """Return the statistics of the scaling layers by variable path, from training rows."""
        course = self._course_statistics(train) if self._n_course_ else {}
        settings = {**vars(self._fitted), **self.auto_}
        asked = settings.get("differences")
        differs = asked is True or (isinstance(asked, list | tuple) and any(asked))
        if differs and settings["normalize"] == "none":
            course |= _difference_statistics(train)
        if self.scale == "none":
            return course
        rows, weight = train.steps()
        offset, scale = fit_scaler(self.scale, rows, weight)
        if rows.dtype == np.float64:
            what = f"{type(self).__name__}: feature {{}}"
            tell_of_precision(rows, scale, what, "the network sees float32 and loses that")
        if settings.get("averages") and settings["normalize"] == "none":
            course |= _average_statistics(train, settings["averages"], self.scale, offset, scale)
        return {"standardize/offset": offset, "standardize/scale": scale, **course}

    def _course_statistics(self, train: Examples) -> dict[str, np.ndarray]:
        """Return mean and spread of every time step over the series."""
        values, weight = np.asarray(train.padded.values, np.float64), train.given
        mean = np.average(values, axis=0, weights=weight)
        spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
        # a step at which all series are alike has nothing to tell, however little they differ
        whole = values.std(axis=(0, 1))
        least = np.where(whole > 0, _LEAST_SPREAD * whole, 1.0)
        return {"deviations/offset": mean, "deviations/scale": np.maximum(spread, least)}

    def _part(
        self,
        train: Examples,
        held: Examples | None,
        varied: Mapping[str, Any],
        new: bool,
        seed: int,
        start: Start | None,
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return what training on a part takes, in all and by network.

        `varied` says how its series are; `new` learns the statistics of scaling layers.
        """
        constants = None
        if new:
            self._read_shape(train)
            constants = {
                path: np.asarray(value, np.float32)
                for path, value in self._fit_statistics(train).items()
            }
            if start is not None:
                constants = self._scaled_as(start, constants)
        members = self._build(longest=train.padded.values.shape[1]).members
        # of like lengths, and so of like classes, a batch is no sample: its statistics mislead
        nodes = [node.layer for member in members for node in member.network.nodes]
        alike = not any(isinstance(layer, BatchNormalization) for layer in nodes)
        scaling = constants if constants is not None else self._known_constants(members[0])
        alpha = varied.get("mixup", 0.0)
        mixup = training.Mixup(alpha, self._n_marks) if alpha else None
        part = {
            "source": self._source(train, self._augmentation(varied, scaling), mixup, alike),
            "validation": None if held is None else self._source(held),
            "constants": constants,
            "loss": self._objective(),
        }
        networks = self._to_train(members, start, seed)
        for one, member in zip(networks, members, strict=True):
            if constants is not None:  # of several networks not all read the same
                paths = {weight.path for weight in member.network.weights}
                one["constants"] = {k: v for k, v in constants.items() if k in paths}
        return part, networks

    def _read_shape(self, train: Examples) -> None:
        """Keep what the network is made for: series of one length or not, and of which."""
        self._variable_length_ = train.padded.lengths is not None
        deviations = self.auto_.get("deviations", self._fitted.deviations)
        if deviations and self._variable_length_:
            expected = "False or auto where series are of different lengths"
            hint = "They have no course in common."
            raise ValueError(explain(type(self).__name__, "deviations", expected, True, hint))
        self._n_course_ = train.padded.values.shape[1] if deviations else 0

    def _known_constants(self, member: Architecture) -> dict[str, np.ndarray]:
        """Return by path what the first network of the last fit has been given or has learned."""
        return {w.path: v for w, v in zip(member.network.weights, self.weights_, strict=False)}

    def _augmentation(
        self, varied: Mapping[str, Any], constants: Mapping[str, np.ndarray]
    ) -> training.Augmentation | None:
        """Return what becomes of the series of a batch; none where they stay as they are."""
        varied = {name: value for name, value in varied.items() if name != "mixup"}
        if not any(varied.values()):
            return None
        scaling: dict[str, Any] = {
            name: constants[path]
            for name, path in (("offset", "standardize/offset"), ("spread", "standardize/scale"))
            if path in constants
        }
        return training.Augmentation(n_marks=self._n_marks, **scaling, **varied)

    @property
    def _n_marks(self) -> int:
        """How many of the features mark gaps, at the end."""
        return self._n_channels_ // 2 if self._fitted.missing == "indicator" else 0

    def _source(
        self,
        examples: Examples,
        augment: training.Augmentation | None = None,
        mixup: training.Mixup | None = None,
        alike: bool = False,
    ) -> training.ArraySource:
        inputs = inputs_of(examples.padded, self._variable_length_)
        target = self._trained_target(examples.target)
        timed: tuple[str, ...] = ("x",)
        if self._objective().steps:
            by_step = examples.weight is not None and examples.weight.ndim > 1
            timed = ("x", "y", "weight") if by_step else ("x", "y")
        return training.ArraySource(
            inputs, target, examples.weight, augment=augment, mixup=mixup, timed=timed, alike=alike
        )


def _difference_statistics(train: Examples) -> dict[str, np.ndarray]:
    """Return the spread about 0 of the differences from one step to the next, of each feature."""
    values, lengths = np.asarray(train.padded.values, np.float64), train.padded.lengths
    steps = values[:, 1:] - values[:, :-1]
    there = np.ones(steps.shape[:2])
    if lengths is not None:
        there = (np.arange(1, values.shape[1]) < lengths[:, None]).astype(np.float64)
    weight = there if train.given is None else there * train.given[:, None]
    squares = np.where(there[:, :, None] > 0, steps, 0.0) ** 2 * weight[:, :, None]
    spread = np.sqrt(squares.sum((0, 1)) / max(weight.sum(), np.finfo(np.float64).tiny))
    return {"differences/scale": np.where(spread > 0, spread, 1.0)}


def _average_statistics(
    train: Examples, steps: Sequence[int], how: str, offset: np.ndarray, scale: np.ndarray
) -> dict[str, np.ndarray]:
    """Return offset and scale of averages of series that are scaled already."""
    values = (np.asarray(train.padded.values, np.float64) - offset) / scale
    means = Averages(tuple(steps)).forward(NUMPY, {}, Saved(), values)
    rows, weight = replace(train, padded=Padded(means, train.padded.lengths)).steps()
    by, spread = fit_scaler(how, rows, weight)
    return {"standardize_averages/offset": by, "standardize_averages/scale": spread}


def inputs_of(padded: Padded, variable_length: bool) -> Any:
    """Return what a network takes: the series, with their lengths where these may differ."""
    if not variable_length:
        return padded.values
    n, n_steps = padded.values.shape[:2]
    lengths = np.full(n, n_steps, np.int32) if padded.lengths is None else padded.lengths
    return {"x": padded.values, "lengths": lengths}


def sync_standardized(estimator: Any, weights: Mapping[str, list[np.ndarray]]) -> None:
    """Let the units that answers are computed in, in float64, be those of new weights."""
    for path, name in (("output/offset", "_offset_"), ("output/scale", "_spread_")):
        given = weights[path][0]
        if not np.array_equal(getattr(estimator, name).astype(np.float32), given):
            setattr(estimator, name, given.astype(np.float64))
