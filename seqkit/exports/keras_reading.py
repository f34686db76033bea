"""A ``.keras`` file from anywhere: checked as data first, and only then given to Keras."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqkit.errors import RunError
from seqkit.estimators.keras_weights import check_keras_file, check_numbers
from seqkit.exports.document import FORMAT
from seqkit.exports.keras_file import MEMBER
from seqkit.system.backend import check_backend
from seqkit.system.documents import LARGEST_JSON, damaged, parse_json, read_file

if TYPE_CHECKING:
    import keras

__all__ = ["load_keras"]

LARGEST = 1 << 31  # bytes
AGAIN = "Export it again: seqkit export RUN --format keras."


def load_keras(path: str | os.PathLike[str]) -> keras.Model:
    """Return the model of a ``.keras`` file that seqkit has exported, whoever sends it.

    Before Keras sees anything of it these are checked: the archive, its members and their sizes;
    that the configuration names only layers of seqkit's and those of Keras that seqkit's models are
    made of, without functions; that all weights are plain, finite numbers, and that the network
    has as many, which is known before memory is taken. Then Keras builds it, in ``safe_mode``.
    Models of other programs are refused, however harmless: give those to
    ``keras.saving.load_model`` if you trust who made them.

    Parameters
    ----------
    path : path
        A plain file of at most 2 GB, no link.

    Returns
    -------
    keras.Model
        Takes raw values, answers in units.

    Raises
    ------
    seqkit.errors.RunError
        If it is anything else, or was written by a newer version.
    RuntimeError
        If Keras has another backend than TensorFlow.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from seqkit import SequenceRegressor, export
    >>> X = np.arange(60.0).reshape(12, 5)
    >>> model = SequenceRegressor(units=2, epochs=1).fit(X, X[:, 0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = export(model, f"{folder}/model.keras", "keras")
    ...     load_keras(f"{folder}/model.keras").output_shape
    (None, 1)
    """
    check_backend()
    file = Path(path)
    content = read_file(file, LARGEST, AGAIN)
    try:
        parts = check_keras_file(content, {MEMBER: LARGEST_JSON})
        if MEMBER in parts:
            _check_document(parse_json(parts.pop(MEMBER)), file)
        return _built(parts)
    except RunError:
        raise
    except Exception as error:  # of Keras and TensorFlow, for which content has no bounds
        raise damaged(file, error or "it asks for too much memory", AGAIN) from error


def _check_document(document: Any, file: Path) -> None:
    """Raise unless what an export says of itself is of a version that is known."""
    written = document.get("format") if isinstance(document, dict) else None
    if type(written) is not int or written < 1:
        raise ValueError(f"format in its {MEMBER} must be a positive integer")
    if written > FORMAT:
        raise RunError(
            f"{file}: it has format {str(written)[:20]}, this seqkit reads up to {FORMAT}. "
            "Update seqkit."
        )


def _built(parts: dict[str, bytes]) -> keras.Model:
    """Return the model of checked parts, after its size has been compared with its weights."""
    import keras

    import seqkit.layers  # noqa: F401  # registers them with Keras
    from seqkit.training.initial import BUILD_LOCK

    config = parse_json(parts["config.json"])
    if config.get("class_name") != "Functional":
        raise ValueError("it is no functional model")
    n_numbers, n_arrays, digests = check_numbers(parts["model.weights.h5"])
    with BUILD_LOCK:
        # Keras notes in the thread which variables have yet to be filled: those of a model that is
        # only looked at are forgotten with theirs
        with ThreadPoolExecutor(1) as thread:
            sizes = thread.submit(_sizes, config).result()
        weights = [size for size, is_weight in sizes if is_weight]
        # besides the weights there is a state of random numbers for each layer that drops out
        if sum(weights) != n_numbers or not len(weights) <= n_arrays <= len(sizes):
            raise ValueError(
                f"it has {n_numbers} numbers in {n_arrays} arrays; its network has {sum(weights)} "
                f"in {len(weights)}"
            )
        with tempfile.TemporaryDirectory() as folder:
            alone = Path(folder) / "model.keras"
            with zipfile.ZipFile(alone, "w") as archive:
                for name, part in parts.items():
                    archive.writestr(name, part)
            model = keras.saving.load_model(alone, compile=False, safe_mode=True)
    # Keras only warns of weights that it does not find by their names, and draws others
    taken = [v.numpy() for v in model.variables if _is_weight(v)]
    if sorted(hashlib.sha256(w.tobytes()).hexdigest() for w in taken) != digests:
        raise ValueError("its weights are not where its network has them")
    return model


def _sizes(config: dict[str, Any]) -> list[tuple[int, bool]]:
    """Return the size of each variable, and whether it is a weight; none of them is allocated."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    return [(math.prod(v.shape), _is_weight(v)) for v in model.variables]


def _is_weight(variable: Any) -> bool:
    return "float" in str(variable.dtype)
