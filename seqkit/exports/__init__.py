"""Formats a trained model leaves seqkit in: a row of :data:`EXPORTS` each, proved as it is made."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqkit.errors import ExportError, explain, suggest
from seqkit.system import durable

if TYPE_CHECKING:
    import os

    from sklearn.base import BaseEstimator

    from seqkit.estimators.inputs import SeriesInput
    from seqkit.exports.verifying import Agreement

__all__ = ["EXPORTS", "Export", "Exported", "export"]

FLOAT32 = 1e-5
"""Relative difference that other kernels of float32 may make."""


@dataclass(frozen=True)
class Export:
    """One row of :data:`EXPORTS`.

    Attributes
    ----------
    name : str
        As in ``--format`` and in a recipe's ``export``.
    summary : str
    suffix : str
        Ending of the file, or empty for a folder.
    module : str
        Has ``write(estimator, path)``; ``stamp(path, document)``, which puts JSON into what was
        written; and ``read(path, estimator)``, which returns what runs it, inputs by name to
        answers.
    example : str
        Python that asks it: `{path}` for the path, `{inputs}` for the inputs as the Keras model
        takes them, `{arguments}` for the same by name.
    tolerance : float or None
        Relative difference from the estimator's own answers at which it is refused; None where
        rounding is what the format is for, and the difference is told only.
    requires : tuple of str, default=()
        Modules that write and run it, beside what seqkit needs itself.
    extra : str, default=""
        The extra of seqkit that installs them.
    pipelines : str, default=""
        The module of the format for whole pipelines of scikit-learn, where it can hold such.
    """

    name: str
    summary: str
    suffix: str
    module: str
    example: str
    tolerance: float | None = FLOAT32
    requires: tuple[str, ...] = ()
    extra: str = ""
    pipelines: str = ""

    def require(self) -> None:
        """Raise an ExportError where a module that it needs is not installed."""
        missing = [name for name in self.requires if importlib.util.find_spec(name) is None]
        if missing:
            raise ExportError(
                f"export: the format {self.name} needs {' and '.join(missing)}, which this Python "
                f"has not. Install it: pip install 'seqkit[{self.extra}]'"
            )

    def load(self) -> Any:
        """Return the module that writes the format."""
        return importlib.import_module(self.module)

    def for_pipelines(self) -> Any:
        """Return the module that writes whole pipelines, or raise an ExportError."""
        if not self.pipelines:
            able = " or ".join(row.name for row in EXPORTS.values() if row.pipelines)
            raise ExportError(
                f"export: a pipeline must be exported as {able}; found {self.name}. Or export its "
                "last step alone."
            )
        return importlib.import_module(self.pipelines)


LITERT = (
    "from ai_edge_litert.interpreter import Interpreter\n"
    "model = Interpreter({path!r}).get_signature_runner()\nmodel({arguments})"
)

EXPORTS: dict[str, Export] = {
    row.name: row
    for row in (
        Export(
            "keras",
            "one .keras file; Keras reads it where seqkit is installed",
            ".keras",
            "seqkit.exports.keras_file",
            "import keras, seqkit.layers\nmodel = keras.saving.load_model({path!r})\n"
            "model.predict({inputs})",
        ),
        Export(
            "saved_model",
            "a TensorFlow SavedModel folder; TensorFlow alone serves it",
            "",
            "seqkit.exports.saved_model",
            "import tensorflow as tf\nmodel = tf.saved_model.load({path!r})\n"
            'model.signatures["serving_default"]({arguments})',
        ),
        Export(
            "litert",
            "a .tflite file of float32; LiteRT runs it, with builtin operations only",
            ".tflite",
            "seqkit.exports.litert",
            LITERT,
            requires=("ai_edge_litert",),
            extra="litert",
        ),
        Export(
            "litert_int8",
            "a .tflite file with larger matrices in 8 bits, which rounds its answers",
            ".tflite",
            "seqkit.exports.litert_int8",
            LITERT,
            tolerance=None,
            requires=("ai_edge_litert",),
            extra="litert",
        ),
        Export(
            "onnx",
            "one .onnx file of ONNX's own operations; ONNX Runtime alone runs it",
            ".onnx",
            "seqkit.exports.onnx_file",
            "import onnxruntime\nmodel = onnxruntime.InferenceSession({path!r})\n"
            "model.run(None, dict({arguments}))",
            requires=("onnx", "onnxruntime"),
            extra="onnx",
            pipelines="seqkit.exports.pipelines",
        ),
        Export(
            "onnx_streaming",
            "the same for one observation after the other: states in, states out",
            ".onnx",
            "seqkit.exports.onnx_streaming_file",
            "import onnxruntime\nmodel = onnxruntime.InferenceSession({path!r})\n"
            "answer, *states = model.run(None, {{'x': x[:, 0], **states}})",
            requires=("onnx", "onnxruntime"),
            extra="onnx",
        ),
    )
}


@dataclass(frozen=True)
class Exported:
    """What :func:`export` has written.

    Attributes
    ----------
    path : pathlib.Path
    format : str
    agreement : Agreement or None
        How far its answers are from the estimator's; None where nobody has looked.
    """

    path: Path
    format: str
    agreement: Agreement | None

    def document(self) -> dict[str, Any]:
        """Return how it was verified, in JSON's types."""
        return {"verified": False if self.agreement is None else self.agreement.document()}

    def sentence(self) -> str:
        """Say it to a person."""
        if self.agreement is None:
            return f"{self.path}: not verified"
        return f"{self.path}: verified on {self.agreement.sentence()}"


def export(
    estimator: BaseEstimator,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    data: SeriesInput | None = None,
    verify: bool = True,
    origin: dict[str, object] | None = None,
) -> Exported:
    """Write a fitted estimator's model in a format of :data:`EXPORTS`, whole and proved.

    What is written takes raw values and answers in the units of the target. Before it has its name
    it is run, and its answers are compared with the estimator's; if they are further apart than the
    format allows, nothing is left.

    Parameters
    ----------
    estimator : fitted estimator, or fitted sklearn.pipeline.Pipeline that ends in one
        A pipeline over rows of numbers is one ONNX file, where skl2onnx can write its other steps;
        its answers are those of scikit-learn, the label too.
    path : path-like
        File or folder to write; must not exist.
    format : str, default=None
        A key of :data:`EXPORTS`; None: the first whose ending the path has.
    data : as `X` of the estimator's ``predict``, default=None
        Rows to prove it by; None: a forecaster's own last windows, series drawn at random; a
        pipeline has none.
    verify : bool, default=True
        Whether to prove it. If not, its metadata say so.
    origin : dict, default=None
        What its metadata say beside that: the recipe, the data.

    Returns
    -------
    Exported

    Raises
    ------
    ValueError
        For an unknown format.
    seqkit.errors.ExportError
        If `path` exists, has another ending than the format's, or cannot be written; if the format
        needs a package that is not there; if the model cannot be written in it; or if its answers
        are others.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from seqkit import SequenceRegressor, export
    >>> X = np.arange(60.0).reshape(12, 5)
    >>> model = SequenceRegressor(units=2, epochs=1).fit(X, X[:, 0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = export(model, f"{folder}/model.keras", data=X)
    >>> written.agreement.holds
    True
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    path = Path(path)
    row = _row(path, format)
    row.require()
    if path.suffix != row.suffix and row.suffix:
        raise ExportError(f"{path}: a {row.name} export is a file that ends in {row.suffix}.")
    if path.exists() or path.is_symlink():
        raise ExportError(f"{path}: exists already and is not overwritten. Name another path.")
    beside = path.with_name(f"{path.stem}.{uuid.uuid4().hex[:8]}{durable.BESIDE}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        agreement = _written(estimator, beside, row, data, verify, origin)
        beside.rename(path)
    except UnicodeEncodeError as error:
        raise ExportError(
            f"{path}: the name must be UTF-8 for a {row.name} export. Name another path."
        ) from error
    except OSError as error:
        raise ExportError(f"{path}: cannot be written: {error.strerror or error}.") from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
    return Exported(path, row.name, agreement)


def _row(path: Path, format: str | None) -> Export:
    if format is None:
        fitting = [row for row in EXPORTS.values() if row.suffix and path.suffix == row.suffix]
        if fitting:
            return fitting[0]
        endings = ", ".join(f"{row.suffix} ({row.name})" for row in EXPORTS.values() if row.suffix)
        expected = f"given where the path does not end in one of {endings}"
        raise ValueError(explain("export", "format", expected, None))
    if format not in EXPORTS:
        expected = f"one of {', '.join(EXPORTS)}"
        raise ValueError(explain("export", "format", expected, format, suggest(format, EXPORTS)))
    return EXPORTS[format]


def _written(
    estimator: Any, path: Path, row: Export, data: Any, verify: bool,
    origin: dict[str, Any] | None,
) -> Agreement | None:  # fmt: skip
    """Write, prove and stamp an artefact under its passing name."""
    from sklearn.pipeline import Pipeline

    from seqkit.exports.verifying import agreement

    if isinstance(estimator, Pipeline):
        module = row.for_pipelines()
        document_of, examples_of = module.pipeline_document, module.pipeline_examples
        task = str(getattr(estimator[-1], "_task", ""))
    else:
        from seqkit.exports.document import model_document as document_of
        from seqkit.exports.examples import examples_of

        module, task = row.load(), estimator._task
    found = None
    try:
        module.write(estimator, path)
    except ValueError as error:  # of a network that has no such form
        raise ExportError(str(error)) from error
    if verify:
        source = "made-up data" if data is None else "data given"
        if data is None and task == "forecasting":
            source = "the training data"
        if origin and data is not None:
            source = "the run's data"
        examples = examples_of(estimator, data)
        if not examples:
            raise ExportError(
                "export: data must have a series as long as the model's window to prove it by; it "
                "has none. Give longer ones, or export with verify=False."
            )
        found = agreement(module.read(path, estimator), examples, task, row.tolerance, source)
        if not found.holds:
            raise ExportError(
                f"export: the {row.name} artefact must answer as the estimator does, within "
                f"{row.tolerance:g} of the greatest answer; its answers are {found.relative:.2g} "
                f"apart ({found.absolute:.3g} in units). Nothing was written."
            )
    verified = {"verified": False if found is None else found.document()}
    module.stamp(path, document_of(estimator, origin) | verified)
    return found
