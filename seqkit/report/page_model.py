"""The model of a run as its page takes it: networks as data, weights as text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.cells import CELLS
from seqkit.errors import RunError
from seqkit.estimators.saving import NETWORK, WEIGHTS, load_estimator
from seqkit.network.document import as_document
from seqkit.network.graph import Network
from seqkit.system.documents import LARGEST_JSON, read_file

__all__ = ["MOST_WEIGHTS", "page_model", "page_networks"]

MOST_WEIGHTS = 200_000
"""Numbers of all networks together; as text of a page about a megabyte."""


def page_model(
    folder: Path, model: Mapping[str, Any] | None, sample: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the model of a run folder for its page; or ``{"absent": why}``.

    Parameters
    ----------
    folder : pathlib.Path
    model : mapping, optional
        ``model.json``.
    sample : mapping, optional
        ``series.json``: without series there is nothing to try a model on.
    """
    file = folder / WEIGHTS[2]
    if model is None or not file.is_file() or not (folder / NETWORK).is_file():
        return {"absent": "the run folder has no network.json and weights that a page can compute"}
    if sample is None:
        return {"absent": "the run folder keeps no series to try it on, as runs of this version do"}
    if sample.get("left_out"):
        return {"absent": "the run keeps no series to try it on (evaluate.keep_series: false)"}
    if file.stat().st_size > 16 * MOST_WEIGHTS:  # with what else the file holds
        return {"absent": _too_many(file.stat().st_size // 4)}
    networks = read_file(folder / NETWORK, LARGEST_JSON)
    try:
        estimator = load_estimator(model, file.read_bytes(), folder, networks=networks)
    except RunError as error:
        return {"absent": str(error)}
    return page_networks(estimator)


def _too_many(n: int) -> str:
    return f"it has {n:,} weights; a page computes up to {MOST_WEIGHTS:,}"


def page_networks(estimator: Any) -> dict[str, Any]:
    """Return a fitted estimator's networks for a page; or ``{"absent": why}``.

    Parameters
    ----------
    estimator : fitted estimator

    Returns
    -------
    dict
        ``members``: of each network its flat description, the places of its weights and their
        numbers (float32, base64); ``cells``: the rows of :data:`seqkit.cells.CELLS` they are of.
    """
    if getattr(estimator, "trainer_", "native") != "native":
        return {"absent": "its network was trained in Keras"}
    if getattr(estimator, "_of_numbers", False):
        return {"absent": "a page computes no mixtures, which tell the numbers of the next step"}
    weights, members = estimator._member_weights(), estimator._build().members
    total = sum(int(np.size(w)) for own in weights for w in own)
    if total > MOST_WEIGHTS:
        return {"absent": _too_many(total)}
    document: dict[str, Any] = {
        "members": [
            _member(one.network.flat, own) for one, own in zip(members, weights, strict=True)
        ],
        "cells": _cells([one.network.flat for one in members]),
        "contexts": None,
        "powers": None,
    }
    if estimator._task == "forecasting":
        reader, theta = estimator._reader, estimator._theta
        powers = estimator._powers
        document |= {
            "contexts": list(estimator._contexts),
            "powers": None if powers is None else list(powers),
            "horizon": estimator._fitted.horizon,
            "targets": len(reader.columns.targets),
            "channels": list(map(str, reader.columns.series)),
            "targetInputs": reader.target_inputs,
            "head": estimator._head[0].name,
            "theta": None if theta is None else {
                "horizon": theta.horizon, "season": theta.season, "window": theta.window,
                "combine": asdict(theta.combine),
            },
        }  # fmt: skip
    if hasattr(estimator, "tokens_") and estimator.tokens_ is not None:
        document["tokens"] = [str(token) for token in estimator.tokens_]
    if hasattr(estimator, "classes_"):
        document["classes"] = [str(label) for label in np.ravel(estimator.classes_)]
    return document


def _member(network: Network, weights: list[np.ndarray]) -> dict[str, Any]:
    numbers = np.concatenate([np.ravel(w) for w in weights]).astype("<f4")
    return {
        "network": as_document(network),
        "weights": [[w.node, w.name, list(w.shape)] for w in network.weights],
        "numbers": base64.b64encode(numbers.tobytes()).decode("ascii"),
    }


def _cells(networks: list[Network]) -> dict[str, Any]:
    """Return the rows of the cells that networks have, without what is only for readers."""
    names = {getattr(node.layer, "cell", None) for one in networks for node in one.nodes}
    found = {}
    for name in sorted(name for name in names if name):
        row = asdict(CELLS[name])
        told = ("equations", "citation", "history", "name")
        kept = {key: value for key, value in row.items() if key not in told}
        found[name] = kept | {"family": CELLS[name].family}
    return found
