"""The ONNX file of one observation after the other: states in, states out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seqkit.exports.onnx_file import build_streaming, session_of, stamp
from seqkit.exports.verifying import Ask
from seqkit.network.layers.base import Array
from seqkit.system import durable

__all__ = ["read", "stamp", "write"]

NEXT = "/next"


def write(estimator: Any, path: Path) -> None:
    """Write the step of the model as one file of ONNX."""
    durable.write_file(path, build_streaming(estimator).SerializeToString())


def read(path: Path, estimator: Any) -> Ask:
    """Return what runs it over whole series: observation by observation, the states handed on.

    The answer is that to each series at its own last step; of taggers those of all steps.
    """
    session = session_of(path)
    shapes = {i.name: i.shape for i in session.get_inputs() if i.name != "x"}
    kinds = {i.name: np.int64 if "int64" in i.type else np.float32 for i in session.get_inputs()}
    answer, *states = [output.name for output in session.get_outputs()]

    def ask(inputs: dict[str, Array]) -> Array:
        x = inputs["x"]
        n, n_steps = x.shape[:2]
        carried = {name: np.zeros((n, *shape[1:]), kinds[name]) for name, shape in shapes.items()}
        made = []
        for step in range(n_steps):
            out, *after = session.run([answer, *states], {"x": x[:, step], **carried})
            carried = dict(zip((name.removesuffix(NEXT) for name in states), after, strict=True))
            made.append(out)
        by_step: Array = np.stack(made, axis=1)
        if estimator._task == "tagging":
            return by_step
        last = inputs.get("lengths", np.full(n, n_steps)) - 1
        answers: Array = by_step[np.arange(n), last]
        return answers

    return ask
