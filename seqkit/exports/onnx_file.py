"""The ONNX file: a graph of ONNX's own operations, written without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import ExportError, explain
from seqkit.exports.examples import output_of
from seqkit.exports.verifying import Ask
from seqkit.system import durable

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["build", "build_streaming", "check_onnx", "read", "session_of", "stamp", "write"]

DOCUMENT = "seqkit"
"""Key of the model's metadata that has all that it says of itself, as JSON."""


def write(estimator: Any, path: Path) -> None:
    """Write the model as one file of ONNX."""
    durable.write_file(path, build(estimator).SerializeToString())


def stamp(path: Path, document: dict[str, Any]) -> None:
    """Put the document into the metadata: as JSON, and what is short by its own key."""
    import onnx
    from onnx import helper

    model = onnx.load(path)
    short = {k: v for k, v in document.items() if isinstance(v, str) and k != "recipe"}
    classes = {"classes": json.dumps(document["classes"])} if "classes" in document else {}
    helper.set_model_props(model, {**short, **classes, DOCUMENT: json.dumps(document)})
    durable.write_file(path, model.SerializeToString())


def read(path: Path, estimator: Any) -> Ask:
    """Return what runs it, in ONNX Runtime."""
    session = session_of(path)
    return lambda inputs: session.run(None, inputs)[0]


def session_of(path: Path) -> Any:
    """Open a file in ONNX Runtime, on the processor."""
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def build(estimator: Any) -> ModelProto:
    """Return the ONNX model of a fitted estimator: raw values in, predictions in units out.

    Inputs have the names of the networks' (``x``, and ``lengths``, ``future``, ``static``,
    ``static_codes`` where there are such), float32 and int32; the batch is open, and so is time
    where the networks take series of any length. The output is ``probabilities`` of classes or
    labels, ``mixture`` of the numbers of a next step (weight, means and scales of each component),
    ``prediction`` of a regressor, ``forecast`` of a forecaster, whose last axis is that of
    quantiles or of a distribution's parameters. An ensemble is one graph.

    Parameters
    ----------
    estimator : fitted estimator

    Raises
    ------
    seqkit.errors.ExportError
        Where the package onnx is not installed.
    """
    check_onnx()
    from seqkit.network.onnx.model import onnx_model

    return _called(onnx_model(estimator._build().network, _weights(estimator)), estimator)


def build_streaming(estimator: Any) -> ModelProto:
    """Return the ONNX model of one observation after the other: states in, states out.

    Inputs are ``x`` of shape (batch, features), or (batch,) of tokens, and the states, which begin
    as zeros: ``n_seen``, int64, and those of the layers, float32, such as ``recurrent_1/h``.
    Outputs are the answer to the series so far, named as by :func:`build`, and every state under
    its name and ``/next``, to be handed in with the next observation. Before a network's first
    patch is full, the answer is that to a series shorter than a patch.

    Parameters
    ----------
    estimator : fitted SequenceClassifier, SequenceRegressor or SequenceTagger

    Raises
    ------
    seqkit.errors.ExportError
        Where the package onnx is not installed.
    ValueError
        If a layer needs more of a series than what has come; says which, and what to set.
    """
    check_onnx()
    from seqkit.network.onnx.streaming import streaming_model

    if estimator._task == "forecasting":
        expected = "of a classifier, a regressor or a tagger"
        hint = "A forecaster answers from a window: give its own graph the last rows."
        raise ValueError(
            explain("export", "a streaming graph", expected, type(estimator).__name__, hint)
        )
    network = estimator._build(False).network
    return _called(streaming_model(network, _weights(estimator), "export"), estimator)


def _called(model: ModelProto, estimator: Any) -> ModelProto:
    """Give the answer, which is the first output, its name in all formats."""
    before, name = model.graph.output[0].name, output_of(estimator)
    for node in model.graph.node:
        if node.output[0] == before:
            node.output[0] = name
    model.graph.output[0].name = name
    return model


def check_onnx() -> None:
    """Raise where the package onnx is not installed."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        hint = 'Install it with: pip install "seqkit[onnx]"'
        raise ExportError(f"export: onnx needs the package onnx. {hint}") from error


def _weights(estimator: Any) -> list[np.ndarray]:
    return [array for weights in estimator._member_weights() for array in weights]
