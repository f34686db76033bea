"""LiteRT (``.tflite``): float32, or int8 weights, of builtin operations only; batch and time open.

What a ``.tflite`` file says of itself is in an archive at its end, where TensorFlow Lite's metadata
have their files, too: runtimes do not look at it, and any program for ZIP archives reads it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from seqkit.errors import ExportError
from seqkit.exports.examples import signature_of
from seqkit.exports.keras_file import stamp
from seqkit.exports.saved_model import SIGNATURES, write_function
from seqkit.exports.verifying import Ask
from seqkit.system.tensorflow_import import greeting_dropped

__all__ = ["convert", "read", "stamp", "write"]


def write(estimator: Any, path: Path) -> None:
    """Write the model in float32."""
    convert(estimator, path, int8=False)


def convert(estimator: Any, path: Path, int8: bool) -> None:
    """Write the model; `int8`: with larger matrices in 8 bits, a scale a row (dynamic range).

    Raises
    ------
    seqkit.errors.ExportError
        If LiteRT has no operation for something; it is named, and the layer that needs it.
    """
    from seqkit.network.keras.kernels import portable

    with tempfile.TemporaryDirectory() as folder:
        with portable(tensor_lists=False):
            write_function(estimator, Path(folder), described=False)
        path.write_bytes(_converted(folder, int8))


def _converted(saved_model: str, int8: bool) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, list(SIGNATURES[:1]))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        return bytes(converter.convert())
    except Exception as error:  # of a kind that TensorFlow does not make public
        raise ExportError(_refusal(error)) from error


def _refusal(error: Any) -> str:
    """Say which operations LiteRT has not, and in which layers they stand."""
    missing = []
    for one in getattr(error, "errors", ()):
        if one.operator.name:
            where = one.location.call[0].name if one.location.call else ""
            layer = where.partition("@")[0].rpartition("/")[0]
            missing.append(
                one.operator.name.removeprefix("tf.") + (f" in {layer}" if layer else "")
            )
    if not missing:
        return f"export: LiteRT cannot hold this model: {str(error).splitlines()[0]}"
    return (
        f"export: LiteRT has no operation for {', '.join(dict.fromkeys(missing))}. Export it as "
        "saved_model or onnx instead."
    )


def read(path: Path, estimator: Any) -> Ask:
    """Return what runs it."""
    from ai_edge_litert.interpreter import Interpreter

    with greeting_dropped():
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
    runner, output = interpreter.get_signature_runner(), signature_of(estimator).output.name
    return lambda inputs: runner(**inputs)[output]
