"""Raw inputs as an artefact takes them, beside what the estimator says of them.

An artefact is proved by rows of the run's own data; where none are at hand, by rows that are drawn
from what the scaling layers have learned of the training part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.data.panel import Panel
from seqkit.data.sequences import Padded
from seqkit.data.windows import WindowSource
from seqkit.network.graph import Input
from seqkit.network.layers.base import Array, Shape

__all__ = ["Example", "Signature", "Tensor", "asked", "examples_of", "output_of", "signature_of"]

MOST = 32
"""Series, or windows, in the larger batch."""
MADE_STEPS = 24
"""Steps of made series, where the model takes any number of them."""


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, type and axes; an open axis has a name.

    Parameters
    ----------
    name, dtype : str
    shape : tuple of int or str
        ``batch`` first.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Signature:
    """What a whole model takes, in raw units, and what it answers.

    Parameters
    ----------
    inputs : tuple of Tensor
    output : Tensor
        ``probabilities`` of classes (or labels), ``prediction`` of numbers, ``mixture`` of the
        numbers of a next step, ``forecast``.
    """

    inputs: tuple[Tensor, ...]
    output: Tensor


@dataclass(frozen=True)
class Example:
    """One batch.

    Parameters
    ----------
    inputs : dict of str to ndarray
        By the names of the signature, the batch first.
    answers : ndarray of shape (batch, ...)
        What the estimator says, float64.
    valid : ndarray of bool of shape (batch, time), or None
        Steps that have an answer, of models that answer every step.
    """

    inputs: dict[str, Array]
    answers: Array
    valid: Array | None = None


OUTPUTS = {
    "classification": "probabilities",
    "tagging": "probabilities",
    "regression": "prediction",
    "forecasting": "forecast",
}


def signature_of(estimator: Any) -> Signature:
    """Return the inputs and the output of the whole model of a fitted estimator."""
    architecture = estimator._build()
    network = architecture.members[0].network
    shapes: dict[str, tuple[str, Shape]] = {i.name: (i.dtype, i.shape) for i in network.inputs}
    if estimator._task == "forecasting":
        networks = estimator._networks
        dtype, shape = shapes["x"]
        shapes["x"] = dtype, (networks.window, *shape[1:])
        if networks.theta is not None:
            shapes["lengths"] = "int32", ()
    inputs = tuple(Tensor(name, dtype, _axes(shape)) for name, (dtype, shape) in shapes.items())
    shape = network.shapes[network.output]
    output = Tensor(output_of(estimator), "float32", _axes(shape))
    return Signature(inputs, output)


def output_of(estimator: Any) -> str:
    """Return what the answer of a fitted estimator is called in all formats."""
    return "mixture" if getattr(estimator, "_of_numbers", False) else OUTPUTS[estimator._task]


def _axes(shape: Shape) -> tuple[int | str, ...]:
    return ("batch", *("time" if n is None else n for n in shape))


def examples_of(estimator: Any, data: Any = None) -> list[Example]:
    """Return batches of one and of many, of several lengths where the model takes them.

    Parameters
    ----------
    estimator : fitted estimator
    data : as `X` of its ``predict``, default=None
        Rows to take them from; None: a forecaster's own last windows, series drawn at random.
    """
    if estimator._task == "forecasting":
        return list(_windows(estimator, data))
    padded = _drawn(estimator) if data is None else estimator._check_X(data, reset=False)
    return list(_series(estimator, padded))


# series -----------------------------------------------------------------------------------------


def _series(estimator: Any, padded: Padded) -> Iterator[Example]:
    values, n_steps = padded.values, padded.values.shape[1]
    lengths = padded.lengths
    lengths = np.full(len(values), n_steps, np.int32) if lengths is None else lengths
    if not _takes_lengths(estimator):
        taken = _input_of(estimator).shape[0] or n_steps
        whole = np.flatnonzero(lengths == taken)
        if not len(whole):  # of data of other lengths, which the artefact does not take
            yield from _series(estimator, _drawn(estimator))
            return
        values, lengths = values[whole], lengths[whole]
    rows = np.unique(np.linspace(0, len(values) - 1, MOST).round().astype(int))
    values, lengths = values[rows], lengths[rows]
    yield asked(estimator, values[:1], lengths[:1])
    yield asked(estimator, values, lengths)
    if _takes_lengths(estimator):
        rng = np.random.default_rng(0)
        shorter = (lengths * rng.uniform(0.3, 1, len(lengths))).astype(np.int32)
        yield asked(estimator, values, np.maximum(shorter, estimator._fewest_steps()))


def _input_of(estimator: Any) -> Input:
    inputs: tuple[Input, ...] = estimator._build().members[0].network.inputs
    return next(i for i in inputs if i.name == "x")


def _takes_lengths(estimator: Any) -> bool:
    return any(i.name == "lengths" for i in estimator._build().members[0].network.inputs)


def asked(estimator: Any, values: Array, lengths: Array) -> Example:
    """Return one batch, cut to its longest series, and what the estimator says of it.

    Parameters
    ----------
    estimator : fitted estimator of series
    values : ndarray of shape (batch, time, features)
        As its own check leaves them.
    lengths : ndarray of int of shape (batch,)
    """
    n_steps = int(lengths.max())
    valid = np.arange(n_steps) < lengths[:, None]
    values = values[:, :n_steps].copy()
    values[~valid] = 0
    equal = bool(valid.all())
    padded = Padded(values, None if equal else lengths.astype(np.int32))
    if estimator._task == "regression":
        answers = estimator._in_units(padded)
    else:
        answers = estimator._predict_raw(padded).mean(0)
    x = values if estimator._task == "tagging" and values.ndim == 2 else values.astype(np.float32)
    inputs = {"x": x}
    if _takes_lengths(estimator):
        inputs["lengths"] = lengths.astype(np.int32)
    return Example(inputs, answers, valid if estimator._task == "tagging" else None)


def _drawn(estimator: Any) -> Padded:
    """Draw series about as those that were trained on."""
    rng = np.random.default_rng(0)
    network, x = estimator._build().members[0].network, _input_of(estimator)
    n_steps = x.shape[0] or MADE_STEPS
    if x.dtype != "float32":
        codes = rng.integers(1, len(estimator.tokens_) + 1, (MOST, n_steps), np.int32)
        return Padded(codes, None)
    saved = {w.path: value for w, value in zip(network.weights, estimator.weights_, strict=False)}
    walk = rng.normal(size=(MOST, n_steps, int(x.shape[-1] or 1))).cumsum(1) / np.sqrt(n_steps)
    offset = saved.get("standardize/offset", np.zeros(1))
    return Padded(offset + saved.get("standardize/scale", np.ones(1)) * walk, None)


# windows ----------------------------------------------------------------------------------------


def _windows(estimator: Any, data: Any) -> Iterator[Example]:
    networks, n_parts = estimator._networks, 8
    window, shortest = networks.window, max(networks.contexts)
    horizon = estimator._fitted.horizon
    panel = estimator._panel(None) if data is None else estimator._reader.read(data)
    kept = np.unique(np.linspace(0, len(panel) - 1, n_parts).round().astype(int))
    panel = panel.select(kept).tail(window + MOST + horizon)
    lengths = networks.variable_length or networks.theta is not None
    source = WindowSource(
        panel, window, horizon, origins="all", shortest=shortest, targets=False, lengths=lengths,
        target_inputs=networks.target_inputs,
    )  # fmt: skip
    index = np.arange(source.n_examples)
    rows = source.rows(index)[1]
    answers = networks.by_origin(panel)[rows]
    index = index[np.isfinite(answers).all(axis=tuple(range(1, answers.ndim)))]
    if len(index):
        few = index[np.unique(np.linspace(0, len(index) - 1, MOST).round().astype(int))]
        for part in (few[:1], few):
            yield Example(source.take(part)[0], answers[part])
    else:  # where what is ahead is not known, the last row stands for it
        whole = panel.select(np.flatnonzero(panel.lengths >= shortest))
        steps = np.repeat(whole.values[whole.offsets[1:] - 1][:, None], horizon, axis=1)
        for n in sorted({min(1, len(whole)), len(whole)} - {0}):
            yield _at_ends(networks, whole.select(np.arange(n)), steps[:n])
    if not networks.variable_length or networks.window < 4:
        return
    short = panel.tail(max(2, shortest // 2) + (horizon if panel.n_future else 0))
    steps = np.zeros((len(short), horizon, short.values.shape[1]))
    if panel.n_future:  # the last rows are the steps ahead
        steps = short.values[short.offsets[1:, None] - np.arange(horizon, 0, -1)]
        short = short.rows(np.zeros_like(short.lengths), short.lengths - horizon)
    yield _at_ends(networks, short, steps)


def _at_ends(networks: Any, panel: Panel, steps: Array) -> Example:
    """Return the last windows of series, with the rows ahead of them."""
    source = WindowSource(
        panel.extend(steps), networks.window, networks.horizon, origins="last",
        back=networks.horizon, targets=False, target_inputs=networks.target_inputs,
        lengths=networks.variable_length or networks.theta is not None,
    )  # fmt: skip
    return Example(source.take(np.arange(len(panel)))[0], networks.after_end(panel, steps))
