"""The TensorFlow SavedModel: stock TensorFlow operations only, so nothing else serves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqkit.exports.document import model_document, several_labels
from seqkit.exports.examples import signature_of
from seqkit.exports.keras_file import as_given
from seqkit.exports.verifying import Ask

__all__ = ["SIGNATURES", "read", "stamp", "write", "write_function"]

Tensor = Any

SIGNATURES = ("serving_default", "serve")
"""Names of the one signature: what TensorFlow Serving calls, and what Keras calls its own."""


def write(estimator: Any, path: Path) -> None:
    """Write a SavedModel with named inputs and outputs; its ``serve`` gives the answer alone.

    Beside the answer the signature gives what its axes are called (``classes``, ``targets``,
    ``quantiles``, ``parameters``), once a row as TensorFlow Serving wants it, and of classes the
    most probable one, ``predicted``.
    """
    from seqkit.network.keras.kernels import portable

    with portable(tensor_lists=True):
        write_function(estimator, path, described=True)


def write_function(estimator: Any, path: Path, described: bool) -> None:
    """Write what the estimator's model computes; `described`: with what its answer means."""
    import tensorflow as tf

    signature, model = signature_of(estimator), estimator.model_
    specs = {
        one.name: tf.TensorSpec(
            [None if isinstance(n, str) else n for n in one.shape], one.dtype, one.name
        )
        for one in signature.inputs
    }
    served = tf.Module()
    served.held = [variable.value for variable in model.variables]
    served.serve = tf.function(
        lambda given: model(given, training=False),
        input_signature=[as_given(model, specs)], autograph=False,
    )  # fmt: skip

    def named(**inputs: Tensor) -> dict[str, Tensor]:
        answer = served.serve(as_given(model, inputs))
        more = _meaning(estimator, answer, inputs.get("lengths")) if described else {}
        return {signature.output.name: answer, **more}

    traced = tf.function(named, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(served, str(path), signatures=dict.fromkeys(SIGNATURES, traced))


def _meaning(estimator: Any, answer: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
    """Return what an answer's axes are called, and the classes that it speaks for."""
    import tensorflow as tf

    document, batch = model_document(estimator), tf.shape(answer)[0]
    names = {name: document.get(name) for name in ("targets", "quantiles", "parameters")}
    if hasattr(estimator, "classes_"):
        names["classes"] = [str(one) for one in estimator.classes_]
    rows = {
        name: tf.repeat(tf.constant(list(given))[None], batch, axis=0)
        for name, given in names.items()
        if given
    }
    if "classes" not in rows:
        return rows
    nothing: Any = ""
    if several_labels(estimator):
        predicted, nothing = tf.cast(answer > 0.5, tf.int64), 0
    else:
        predicted = tf.gather(tf.constant(names["classes"]), tf.argmax(answer, -1))
    if lengths is not None and estimator._task == "tagging":  # of the padding
        valid = tf.sequence_mask(lengths, tf.shape(answer)[1])
        valid = valid[..., None] if len(predicted.shape) > 2 else valid
        predicted = tf.where(valid, predicted, nothing)
    return {"predicted": predicted, **rows}


def stamp(path: Path, document: dict[str, Any]) -> None:
    """Write ``assets.extra/seqkit.json``: what a tensor cannot say."""
    extra = path / "assets.extra"
    extra.mkdir()
    (extra / "seqkit.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read(path: Path, estimator: Any) -> Ask:
    """Return what runs it."""
    import tensorflow as tf

    served, output = tf.saved_model.load(str(path)), signature_of(estimator).output.name

    def ask(inputs: dict[str, Any]) -> Any:
        given = {name: tf.constant(value) for name, value in inputs.items()}
        return served.signatures[SIGNATURES[0]](**given)[output].numpy()

    return ask
