"""Networks of all kinds with Python's answers, for tests of the script that a page has."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.cells import CELLS
from seqkit.network.architecture import Architecture
from seqkit.network.decoders import DECODERS
from seqkit.network.native import NativeNetwork
from seqkit.report.page_model import _cells, _member
from seqkit.report.samples import packed

STEM = {"filters": 6, "kernel_size": 5, "stride": 2, "layers": 2, "pooling": "mean"}
BRANCH = {"filters": 4, "kernel_size": 4, "pooling": "max"}
SERIES: dict[str, dict[str, Any]] = {
    "stack": {"units": [4, 3], "bidirectional": True, "pooling": "mean_max", "patch": 3},
    "overlap": {"units": 3, "patch": 4, "overlap": 3, "pooling": "attention", "dense": [5]},
    "residual": {"units": [4, 4], "residual": True, "layer_norm": True, "pooling": "last"},
    "pyramid": {"units": [3, 3], "pyramid": 2, "bidirectional": True, "pooling": "max"},
    "stem": {"units": 3, "stem": STEM, "branch": BRANCH},
    "moves": {"units": 3, "moves": (-2, 0, 3), "normalize": "series", "pooling": "mean"},
    "deviations": {"units": 3, "deviations": True, "scale": "standard"},
    "differences": {"units": 3, "differences": True, "scale": "standard"},
    "averages": {"units": 3, "averages": (2, 7), "scale": "standard"},
    "several": {"units": 3, "multilabel": True},
}
FORECASTS: dict[str, dict[str, Any]] = {
    "last": {"normalize": "last", "departure_from": "last", "patch": 3},
    "season": {"normalize": "standard", "departure_from": "seasonal_naive", "season": 6},
    "none": {"normalize": "none", "quantiles": [0.1, 0.4, 0.5, 0.9], "dense": [4]},
    "channels": {"n_targets": 2, "channels": "independent", "normalize": "standard"},
    "covariates": {"n_past": 1, "n_future": 2, "n_static": 1, "static_categories": [3]},
    "student": {"distribution": "student_t", "normalize": "standard"},
    "counts": {"distribution": "negative_binomial", "normalize": "none"},
    "theta": {"departure_from": "theta", "season": 4, "normalize": "standard"},
    "theta of none": {"departure_from": "theta", "season": 1, "n_targets": 2},
    "learned theta": {"departure_from": "learned_theta", "season": 4, "normalize": "standard"},
    "learned theta of none": {"departure_from": "learned_theta", "season": 1, "n_targets": 2},
    "outside": {"n_past": 2, "target_inputs": False, "normalize": "none"},
}  # fmt: skip


def _case(name: str, made: Architecture, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return a network with weights that are all drawn, inputs of one example, and the answer."""
    network, rng = made.network, np.random.default_rng(len(name))
    weights = [
        (np.abs(w) + 0.5 if parameter.name in ("scale", "moving_variance") else
         w + rng.normal(0, 0.3, w.shape)).astype("float32")
        for w, parameter in zip(network.initial_weights(1), network.weights, strict=True)
    ]  # fmt: skip
    native = NativeNetwork(network)
    native.weights.load(weights)
    given: Any = inputs
    if not network.named_inputs:
        given = inputs["x"]
    elif "lengths" in {i.name for i in network.inputs}:
        given = inputs | {"lengths": np.array([inputs["x"].shape[1]], np.int32)}
    answer = native.predict(given)
    return {
        "name": name,
        "page": {
            "members": [_member(network.flat, weights)], "cells": _cells([network.flat]),
            "contexts": None, "powers": None,
        },
        "inputs": {key: packed(value) for key, value in inputs.items()},
        "answer": packed(answer),
    }  # fmt: skip


def series_case(name: str, kind: str, settings: dict[str, Any], steps: int = 23) -> dict[str, Any]:
    """Return a network of series, its inputs and its answer."""
    rng = np.random.default_rng(steps)
    size: dict[str, Any] = {"n_timesteps": 23, "n_features": 2}
    size |= {"n_classes": 3} if kind != "regressor" else {}
    size |= {"stem": None, "branch": None} if kind != "tagger" else {}
    made = Architecture(kind, size | settings)
    return _case(name, made, {"x": rng.normal(size=(1, steps, 2)).astype("float32")})


def _forecast(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    s = {"context_length": 17, "horizon": 7, "units": [4, 3], **settings}
    n = s.get("n_targets", 1) if s.get("target_inputs", True) else 0
    n += s.get("n_past", 0) + s.get("n_future", 0)
    inputs = {"x": rng.gamma(2, 3, size=(1, 17, n)).astype("float32")}
    if s.get("n_future"):
        inputs["future"] = rng.normal(size=(1, 7, s["n_future"])).astype("float32")
    if s.get("n_static"):
        inputs["static"] = rng.normal(size=(1, s["n_static"])).astype("float32")
    if s.get("static_categories"):
        inputs["static_codes"] = np.array([[2]], np.int32)
    return _case(name, Architecture("forecaster", s), inputs)


def cases() -> list[dict[str, Any]]:
    """Return a case for every cell, direction, pooling, decoder and setting of networks."""
    found = [
        series_case(f"{cell}{' both' if both else ''}", "classifier",
                {"cell": cell, "units": [4, 3], "bidirectional": both, "pooling": "last"})
        for cell in CELLS for both in (False, True)
    ]  # fmt: skip
    found += [series_case(name, "classifier", settings) for name, settings in SERIES.items()]
    found += [
        series_case("short", "classifier", {"n_timesteps": None, "variable_length": True,
                                        "units": 3, "patch": 4, "stem": STEM}, steps=9),
        series_case("regressor", "regressor", {"n_targets": 2, "units": 3}),
        series_case("quantiles", "regressor", {"quantiles": [0.1, 0.5, 0.9], "units": 3}),
        series_case("tagger", "tagger", {"units": 3, "bidirectional": True, "dense": [4]}),
    ]  # fmt: skip
    tokens = Architecture(
        "tagger", {"n_classes": 3, "n_timesteps": 6, "n_features": None, "n_tokens": 5, "units": 3}
    )
    found.append(_case("tokens", tokens, {"x": np.array([[1, 4, 0, 2, 2, 3]], np.int32)}))
    found += [_forecast(name, settings) for name, settings in FORECASTS.items()]
    cells = ("lstm", "gru", "simple_rnn", "fgr")
    found += [_forecast(f"{decoder} {cell}", {"decoder": decoder, "cell": cell, "patch": 3})
              for decoder in DECODERS for cell in cells]  # fmt: skip
    return found
