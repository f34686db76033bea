"""A pipeline of scikit-learn with a seqkit estimator at its end, as one ONNX file.

skl2onnx writes the transformers, :mod:`seqkit.exports.onnx_file` the estimator; they are joined.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import ExportError
from seqkit.exports.document import model_document
from seqkit.exports.examples import MOST, OUTPUTS, Example, asked
from seqkit.exports.onnx_file import build, check_onnx, session_of, stamp
from seqkit.exports.verifying import Ask
from seqkit.system import durable

if TYPE_CHECKING:
    from onnx import ModelProto
    from sklearn.pipeline import Pipeline

__all__ = ["pipeline_document", "pipeline_examples", "pipeline_model", "read", "stamp", "write"]

ROWS, SERIES, LABEL = "X", "transformed/series", "label"
ML_OPSET = 3
"""Of ``ai.onnx.ml``, where ONNX has imputers and scalers; ONNX Runtime 1.14 reads it too."""


def write(pipeline: Pipeline, path: Path) -> None:
    """Write the whole pipeline as one file of ONNX."""
    durable.write_file(path, pipeline_model(pipeline).SerializeToString())


def read(path: Path, pipeline: Pipeline) -> Ask:
    """Return what runs it, in ONNX Runtime."""
    session, output = session_of(path), OUTPUTS[pipeline[-1]._task]
    return lambda inputs: session.run([output], {ROWS: inputs[ROWS]})[0]


def pipeline_document(pipeline: Pipeline, origin: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what the file says of itself: that of the estimator, but for the input."""
    rows = {"name": ROWS, "dtype": "float32", "shape": ["batch", int(pipeline.n_features_in_)]}
    names = getattr(pipeline, "feature_names_in_", None)
    features = {} if names is None else {"features": [str(name) for name in names]}
    steps = [type(step).__name__ for _, step in _transformers(pipeline)]
    return model_document(pipeline[-1], origin) | {"inputs": [rows], "pipeline": steps} | features


def pipeline_examples(pipeline: Pipeline, data: Any = None) -> list[Example]:
    """Return a batch of one and one of many, and what the pipeline says of them.

    Parameters
    ----------
    pipeline : fitted Pipeline
    data : array or frame of shape (n_series, n_timesteps)

    Raises
    ------
    seqkit.errors.ExportError
        Without data: what the transformers take cannot be made up.
    """
    if data is None:
        hint = "Give it as data=X; or export with verify=False"
        raise ExportError(f"export: X is needed to prove a pipeline, found None. {hint}.")
    n = len(data)
    index = np.unique(np.linspace(0, n - 1, MOST).round().astype(int))
    rows = data.iloc[index] if hasattr(data, "iloc") else np.asarray(data)[index]
    last = pipeline[-1]
    series = pipeline[:-1].transform(rows) if _transformers(pipeline) else rows
    values = last._check_X(series, reset=False).values
    numbers = np.asarray(rows, np.float32)
    made = []
    for part in (slice(1), slice(None)):
        lengths = np.full(len(values[part]), values.shape[1], np.int32)
        example = asked(last, values[part], lengths)
        made.append(replace(example, inputs={ROWS: numbers[part], "x": example.inputs["x"]}))
    return made


def pipeline_model(pipeline: Pipeline) -> ModelProto:
    """Return the ONNX model of a fitted pipeline over rows of numbers.

    The input is ``X``, float32 of shape (batch, n_timesteps). Outputs are those of scikit-learn: of
    a classifier ``label`` and ``probabilities``, of a regressor ``prediction``.

    Parameters
    ----------
    pipeline : fitted Pipeline

    Raises
    ------
    seqkit.errors.ExportError
        Where a package is not installed, a transformer has no ONNX form, or the last step is not a
        SequenceClassifier or SequenceRegressor over series of one length.
    """
    check_onnx()
    from onnx import checker, compose

    last = pipeline[-1]
    model = (
        build(last) if getattr(last, "_task", None) in ("classification", "regression") else None
    )
    if model is None or [i.name for i in model.graph.input] != ["x"]:
        raise ExportError(
            "export: the last step of a pipeline must be a SequenceClassifier or a "
            f"SequenceRegressor over series of one length; it is {type(last).__name__}"
            f"{'' if model is None else ' over series of unequal lengths'}."
        )
    joined = compose.merge_models(
        _transforming(pipeline, model), model, io_map=[(SERIES, "x")], producer_name="seqkit"
    )
    if last._task == "classification":
        _with_labels(joined, last)
    checker.check_model(joined, full_check=True)
    return joined


def _transformers(pipeline: Pipeline) -> list[tuple[str, Any]]:
    return [(name, step) for name, step in pipeline.steps[:-1] if step not in (None, "passthrough")]


def _transforming(pipeline: Pipeline, model: ModelProto) -> ModelProto:
    """Return the model of what stands before the estimator, in the versions of the estimator's."""
    from onnx import TensorProto, compose, helper
    from sklearn.pipeline import Pipeline

    n, steps = pipeline.n_features_in_, _transformers(pipeline)
    opsets = [*model.opset_import, helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    numbers = helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["batch", n])
    nodes, constants, rows = [], [], ROWS
    if steps:
        made = compose.add_prefix(
            _converted(Pipeline(steps), n, opsets), "transformed/", rename_inputs=False
        )
        nodes, constants = [*made.graph.node], [*made.graph.initializer]
        rows = made.graph.output[0].name
    axis = "transformed/axis"
    constants.append(helper.make_tensor(axis, TensorProto.INT64, [1], [2]))
    kind = helper.make_node("Cast", [rows], ["transformed/rows"], to=TensorProto.FLOAT)
    nodes += [kind, helper.make_node("Unsqueeze", ["transformed/rows", axis], [SERIES])]
    shape = [
        dim.dim_value or dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim
    ]
    series = helper.make_tensor_value_info(SERIES, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "transformed", [numbers], [series], constants)
    return helper.make_model(graph, ir_version=model.ir_version, opset_imports=opsets)


def _converted(steps: Pipeline, n: int, opsets: Any) -> ModelProto:
    """Let skl2onnx write the transformers."""
    try:
        import skl2onnx
    except ImportError as error:
        hint = 'Install it with: pip install "seqkit[onnx]"'
        raise ExportError(f"export: a pipeline needs the package skl2onnx. {hint}") from error
    try:
        model: ModelProto = skl2onnx.to_onnx(
            steps, initial_types=[(ROWS, skl2onnx.common.data_types.FloatTensorType([None, n]))],
            target_opset={one.domain: one.version for one in opsets},
        )  # fmt: skip
    except (NameError, NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        # the first line says what; more of them are advice for people who write converters
        said = str(error).strip().split("\n")[0]
        raise ExportError(
            f"export: skl2onnx cannot write a step of the pipeline: {said}"
        ) from error
    return model


def _with_labels(model: ModelProto, classifier: Any) -> None:
    """Put the label before the probabilities, as ``predict`` has it."""
    from onnx import TensorProto, helper, numpy_helper

    probabilities, graph = OUTPUTS["classification"], model.graph
    kind: int
    shape: list[str | int | None]
    if classifier._labels:
        half = numpy_helper.from_array(np.array(0.5, np.float32), "label/half")
        graph.initializer.append(half)
        greater = helper.make_node("Greater", [probabilities, "label/half"], ["label/more"])
        cast = helper.make_node("Cast", ["label/more"], [LABEL], to=TensorProto.INT64)
        graph.node.extend([greater, cast])
        kind, shape = TensorProto.INT64, ["batch", len(classifier.classes_)]
    else:
        classes = np.asarray(classifier.classes_)
        known = classes.astype(object) if classes.dtype.kind in "OUST" else classes
        constant = numpy_helper.from_array(known, "label/classes")
        graph.initializer.append(constant)
        most = helper.make_node("ArgMax", [probabilities], ["label/place"], axis=1, keepdims=0)
        gather = helper.make_node("Gather", ["label/classes", "label/place"], [LABEL])
        graph.node.extend([most, gather])
        kind, shape = constant.data_type, ["batch"]
    graph.output.insert(0, helper.make_tensor_value_info(LABEL, kind, shape))
