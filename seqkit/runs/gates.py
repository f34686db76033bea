"""How the gates of a fitted network stand over some series, as the findings take it.

The compiled kernels keep the activations of the gates for the gradient; they are read from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seqkit.data.windows import WindowSource
from seqkit.estimators.examples import take_series
from seqkit.estimators.training_parts import inputs_of
from seqkit.evaluation.findings.evidence import GateShares
from seqkit.network.cpu.sequences import unsupported
from seqkit.network.graph import Network
from seqkit.network.layers.base import Saved
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.native import FlatWeights, needed_nodes
from seqkit.network.ops import NUMPY

__all__ = ["gate_shares"]

ACTIVATIONS = {"lstm": 2, "gru": 1}
"""Which of the arrays that the kernels of a family save holds the activations of its gates."""
LOW, HIGH = 0.1, 0.9
MOST_SERIES, MOST_STEPS = 64, 200_000  # series, or windows, and steps of all of them
LONGEST = 2000  # steps of labelled steps


def gate_shares(estimator: Any, X: Any) -> list[GateShares] | None:
    """Return how often the gates of the first network are below .1 and above .9.

    Parameters
    ----------
    estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
        Fitted.
    X : object
        Series as it takes them; some of them are looked at, from the first to the last.

    Returns
    -------
    list of GateShares or None
        A row a layer, direction and gate, empty of cells without gates; None where the cell has no
        compiled kernels.
    """
    forecaster = hasattr(estimator, "_networks")
    network, inputs = (_of_windows if forecaster else _of_series)(estimator, X)
    if network is None:
        return None
    found = []
    weights = estimator._member_weights()[0]
    for layer, saved, lengths in _recurrences(network, weights, inputs):
        position = ACTIVATIONS.get(layer.row.family)
        gates = [name for name in layer.row.gates if name not in ("c", "h")]
        if position is None:
            continue
        for direction in saved["directions"]:
            batch = direction.batch
            parts = [batch._of_part(*cut)[position] for cut in batch.cuts]
            whole = np.concatenate(parts, axis=1)  # (steps, series, columns)
            valid = np.ones(whole.shape[:2], bool)
            if lengths is not None:
                valid = np.arange(len(whole))[:, None] < np.asarray(lengths)
            split = np.split(whole[valid], len(layer.row.gates), axis=-1)
            by_name = dict(zip(layer.row.gates, split, strict=True))
            way = ("backward" if direction.reverse else "forward") if layer.bidirectional else ""
            found += [
                GateShares(saved["name"], way, name, float((by_name[name] < LOW).mean()),
                           float((by_name[name] > HIGH).mean()))
                for name in gates
            ]  # fmt: skip
    return found


def _recurrences(
    network: Network, weights: list[Any], inputs: Any
) -> Iterator[tuple[Recurrent, Saved, Any]]:
    """Run a network; yield its recurrent layers that read series, what they saved, and lengths."""
    flat, values = network.flat, dict(inputs)
    loaded = FlatWeights(network)
    loaded.load(weights)
    for node in needed_nodes(flat, flat.trained):
        saved = Saved(None)
        given = [None if ref is None else values[ref] for ref in node.inputs]
        out = node.layer.forward(NUMPY, loaded.values[node.shares or node.name], saved, *given)
        names = [node.name, *(f"{node.name}:{k}" for k in range(1, node.layer.n_outputs))]
        values |= zip(names, out if len(names) > 1 else [out], strict=True)
        if isinstance(node.layer, Recurrent) and node.shares is None and len(given) <= 2:
            saved["name"] = node.name
            yield node.layer, saved, (*given, None)[1]


def _chosen(n: int, n_steps: int) -> Any:
    most = int(np.clip(MOST_STEPS // max(n_steps, 1), 1, MOST_SERIES))
    return np.linspace(0, n - 1, min(n, most)).astype(int)


def _of_series(estimator: Any, X: Any) -> tuple[Network | None, dict[str, Any]]:
    """Return the first network of an estimator of series, and what it takes of some of them."""
    padded = estimator._check_X(X, reset=False)
    padded = take_series(padded, _chosen(len(padded.values), min(padded.values.shape[1], LONGEST)))
    variable = estimator._variable_length_ or padded.lengths is not None
    network = estimator._build(variable).members[0].network
    if _has_none(network):
        return None, {}
    given = inputs_of(padded, variable)
    inputs = given if isinstance(given, dict) else {network.inputs[0].name: given}
    if estimator._task == "tagging":  # of which texts may be very long
        inputs["x"] = inputs["x"][:, :LONGEST]
        if "lengths" in inputs:
            inputs["lengths"] = np.minimum(inputs["lengths"], LONGEST)
    return network, {name: _as_taken(value) for name, value in inputs.items()}


def _of_windows(estimator: Any, X: Any) -> tuple[Network | None, dict[str, Any]]:
    """Return the first network of a forecaster, and what it takes of windows all over time."""
    networks = estimator._networks
    panel = networks._seen(estimator._reader.read(X), type(estimator).__name__)
    source = WindowSource(
        panel, networks.contexts[0], networks.horizon, targets=False, origins="all",
        lengths=networks.variable_length or None, target_inputs=networks.target_inputs,
        normalize=networks.normalize, offset=networks.offset, scale=networks.scale,
    )  # fmt: skip
    every = np.arange(source.n_examples)
    if panel.n_future:  # the horizon must be known
        series, origin = source.rows(every)
        every = every[origin + networks.horizon < panel.offsets[1:][series]]
    network = networks.build(networks.contexts[0], source.with_lengths).network
    if _has_none(network) or not len(every):
        return None, {}
    inputs = source.take(every[_chosen(len(every), networks.contexts[0])])[0]
    given = inputs if isinstance(inputs, dict) else {network.inputs[0].name: inputs}
    return network, {name: _as_taken(value) for name, value in given.items()}


def _has_none(network: Network) -> bool:
    """Return whether a recurrent layer has no compiled kernels here."""
    layers = [node.layer for node in network.flat.nodes if isinstance(node.layer, Recurrent)]
    return any(unsupported(layer.row) for layer in layers)


def _as_taken(values: Any) -> Any:
    """Return numbers in the network's precision; codes and lengths as they are."""
    values = np.asarray(values)
    return values.astype(np.float32) if values.dtype.kind == "f" else values
