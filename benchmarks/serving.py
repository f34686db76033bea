"""What an exported model takes: size, difference, one series, many, in every format.

    python benchmarks/serving.py [--seconds 8] [--only WORD] [--output RESULTS.json]

A case is a task and a cell; the network has two layers of 64 units in both directions over 100
steps (a forecaster's 48 steps lead to 12, in one direction). It is fitted for one epoch, exported
in every format that there is, and asked: one series, and a batch of 64. Beside the formats stand
the estimator's own answer and, where PyTorch can be imported and has the cell, a module of the same
size with weights of its own, written by `torch.onnx` and run by the same ONNX Runtime; `keras` is
`keras.Model.predict`. ONNX Runtime and LiteRT have one thread for one series; for the batch every
runtime has what it takes by itself. All take turns in blocks of some milliseconds, whose first call
does not count; of one series the least and the median over calls are kept, of a batch the most
series a second. With `--only` the cases whose names hold a word are measured, and others stay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from seqkit import (
    ExportError,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    SequenceTagger,
    export,
)
from seqkit.exports import EXPORTS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "serving.json"
FEATURES, CLASSES, UNITS, STEPS, BATCH = 3, 4, 64, 100, 64
BLOCK = 8.0
"""Milliseconds of a block: many calls of what is fast."""
SLOW = 10.0
"""Milliseconds of a call from which on it takes every sixth turn."""
SERIES: dict[str, Any] = {
    "units": [UNITS, UNITS], "stem": None, "patch": 1, "ensemble": 1, "moves": [], "epochs": 1,
    "random_state": 0,
}  # fmt: skip
Inputs = dict[str, np.ndarray]
Ask = Callable[[Inputs], Any]


def series_of(n: int, seed: int = 1) -> np.ndarray:
    """Draw series."""
    return np.random.default_rng(seed).normal(2, 3, (n, STEPS, FEATURES)).astype(np.float32)


def classifier(**settings: Any) -> tuple[Any, np.ndarray]:
    """Return a classifier and series."""
    X = series_of(BATCH)
    return SequenceClassifier(**SERIES | settings).fit(X, np.arange(BATCH) % CLASSES), X


def regressor(**settings: Any) -> tuple[Any, np.ndarray]:
    """Return a regressor and series."""
    X = series_of(BATCH)
    return SequenceRegressor(**SERIES | settings).fit(X, X[:, -1, 0]), X


def tagger(**settings: Any) -> tuple[Any, np.ndarray]:
    """Return a tagger of four labels and series."""
    X = series_of(BATCH)
    given = {name: SERIES[name] for name in ("units", "epochs", "random_state")}
    labels = (X[:, :, 0] > 0).astype(int) * 2 + (X[:, :, 1] > 0)
    return SequenceTagger(**given | settings).fit(X, labels), X


def forecaster(**settings: Any) -> tuple[Any, np.ndarray]:
    """Return a forecaster of quantiles, and a series that has as many windows as a batch."""
    t = np.arange(400)
    wave = 20 + 5 * np.sin(t * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=len(t))
    made = SequenceForecaster(
        context_length=48, horizon=12, units=[UNITS, UNITS], patch=1, ensemble=1,
        combine_with="none", quantiles=[0.1, 0.5, 0.9], epochs=1, random_state=0, **settings,
    ).fit(wave)  # fmt: skip
    return made, wave[: 48 + BATCH - 1]


CASES: dict[str, tuple[Callable[..., tuple[Any, np.ndarray]], dict[str, Any]]] = {
    "classifier, lstm": (classifier, {"cell": "lstm"}),
    "classifier, gru": (classifier, {"cell": "gru"}),
    "classifier, vanilla": (classifier, {"cell": "vanilla"}),
    "regressor, lstm": (regressor, {"cell": "lstm"}),
    "tagger, lstm": (tagger, {"cell": "lstm"}),
    "tagger, lstm, one direction": (tagger, {"cell": "lstm", "bidirectional": False}),
    "forecaster, gru": (forecaster, {"cell": "gru"}),
}


def inputs_of(model: Any, data: np.ndarray) -> Inputs:
    """Return a batch as an artefact takes it."""
    if model._task == "forecasting":
        windows = np.lib.stride_tricks.sliding_window_view(data, 48)[:BATCH, :, None]
        inputs = {"x": windows.astype(np.float32)}
    else:
        inputs = {"x": data}
    if any(i.name == "lengths" for i in model._build().members[0].network.inputs):
        inputs["lengths"] = np.full(len(inputs["x"]), inputs["x"].shape[1], np.int32)
    return inputs


def native(model: Any, data: np.ndarray) -> Ask:
    """Return what asks the estimator itself."""
    if model._task == "forecasting":  # of a batch: a forecast from every row with a full window
        return lambda one: model.forecast(data[:48]) if len(one["x"]) == 1 else model.predict(data)
    ask = getattr(model, "predict_proba", model.predict)
    return lambda inputs: ask(inputs["x"])


def runs(path: Path, n_threads: int) -> Ask:
    """Return what asks an ONNX file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    known = {one.name for one in session.get_inputs()}
    return lambda inputs: session.run(None, {k: v for k, v in inputs.items() if k in known})[0]


def opened(format: str, path: Path) -> tuple[Ask, Ask]:
    """Return what asks an artefact: for one series, and for a batch."""
    if format == "onnx":
        return runs(path, 1), runs(path, 0)
    if format == "saved_model":
        import tensorflow as tf

        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
        ask = lambda given: serve(**{k: tf.constant(v) for k, v in given.items()})  # noqa: E731
        return ask, ask
    if format.startswith("litert"):
        from ai_edge_litert.interpreter import Interpreter

        one, many = (Interpreter(str(path), num_threads=n) for n in (1, os.cpu_count()))
        first, second = one.get_signature_runner(), many.get_signature_runner()
        return lambda given: first(**given), lambda given: second(**given)
    if format == "onnx_streaming":  # whole series, observation by observation
        from seqkit.exports.onnx_streaming_file import read

        ask = read(path, SequenceTagger())
        return ask, ask
    import keras

    import seqkit.layers  # noqa: F401

    model = keras.saving.load_model(path)
    single = len(model.inputs) == 1
    ask = lambda given: model.predict(given["x"] if single else given, verbose=0)  # noqa: E731
    return ask, ask


def torch_file(model: Any, path: Path, inputs: Inputs) -> bool:
    """Write a module of the same size by `torch.onnx`; return whether there is one."""
    cell = {"lstm": "LSTM", "gru": "GRU"}.get(model.cell)
    try:
        import torch
    except ImportError:
        return False
    if cell is None or model._task == "forecasting":
        return False
    both = model.bidirectional is not False
    n_out = {"regression": 1, "classification": CLASSES, "tagging": CLASSES}[model._task]

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = getattr(torch.nn, cell)(
                FEATURES, UNITS, 2, bidirectional=both, batch_first=True
            )
            self.head = torch.nn.Linear(UNITS * (1 + both), n_out)

        def forward(self, x: Any) -> Any:
            out, state = self.layers((x - 2) / 3)
            if model._task == "tagging":
                return torch.softmax(self.head(out), 2)
            last = state[0] if cell == "LSTM" else state
            answer = self.head(torch.cat([last[-2], last[-1]], 1))
            return torch.softmax(answer, 1) if n_out > 1 else answer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this way of exporting is an older one
        torch.onnx.export(
            Module().eval(), (torch.tensor(inputs["x"][:1]),), str(path), input_names=["x"],
            dynamic_axes={"x": {0: "batch", 1: "time"}}, opset_version=18, dynamo=False,
        )  # fmt: skip
    return True


def size_of(path: Path) -> float:
    """Return the kilobytes of a file or a folder."""
    return 1e-3 * sum(p.stat().st_size for p in [path, *path.rglob("*")] if p.is_file())


def block(ask: Ask, inputs: Inputs) -> list[float]:
    """Return milliseconds of calls, behind one that brings back what others drove from caches."""
    ask(inputs)
    spent: list[float] = []
    while sum(spent) < BLOCK:
        begin = time.perf_counter()
        ask(inputs)
        spent.append((time.perf_counter() - begin) * 1e3)
    return spent


def measured(asks: dict[str, tuple[Ask, Ask]], inputs: Inputs, seconds: float) -> dict[str, Any]:
    """Return the figures of all, which take turns."""
    single = {name: array[:1] for name, array in inputs.items()}
    ones: dict[str, list[float]] = {name: [] for name in asks}
    many: dict[str, list[float]] = {name: [] for name in asks}
    stop, turn = time.perf_counter() + seconds, 0
    while time.perf_counter() < stop or turn < 12:
        for name, (one, batch) in asks.items():
            if turn % 6 and min(ones[name]) > SLOW:
                continue
            ones[name] += block(one, single)
            if turn % 6 == 0:
                many[name] += block(batch, inputs)
        turn += 1
    return {
        name: {
            "least_ms": min(ones[name]), "median_ms": statistics.median(ones[name]),
            "series_a_second": 1e3 * len(inputs["x"]) / min(many[name]), "calls": len(ones[name]),
        }
        for name in asks
    }  # fmt: skip


def case(name: str, seconds: float) -> list[dict[str, Any]]:
    """Return a row a format."""
    make, settings = CASES[name]
    model, data = make(**settings)
    inputs = inputs_of(model, data)
    facts: dict[str, dict[str, Any]] = {"estimator": {}}
    asks: dict[str, tuple[Ask, Ask]] = {"estimator": (native(model, data),) * 2}
    with tempfile.TemporaryDirectory() as folder:
        for format, row in EXPORTS.items():
            path = Path(folder) / f"{format}{row.suffix}"
            try:
                made = export(model, path, format, data=data)
            except ExportError as error:
                print(f"{name}, {format}: {error}")
                continue
            facts[format] = {"kilobytes": size_of(path), "relative": made.agreement.relative}
            asks[format] = opened(format, path)
        other = Path(folder) / "torch.onnx"
        if torch_file(model, other, inputs):
            facts["torch.onnx"] = {"kilobytes": size_of(other)}
            asks["torch.onnx"] = runs(other, 1), runs(other, 0)
        figures = measured(asks, inputs, seconds)
    return [{"case": name, "format": f, **facts[f], **figures[f]} for f in asks]


def versions() -> dict[str, str]:
    """Return what was measured with."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "numba", "onnxruntime", "keras", "tensorflow", "ai-edge-litert", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of a case")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    before = json.loads(args.output.read_text())["rows"] if args.only else []
    rows = {name: [row for row in before if row["case"] == name] for name in CASES}
    result: dict[str, Any] = {"versions": versions()}
    result["measured"] = datetime.now(UTC).date().isoformat()
    for name in CASES:
        if args.only not in name:
            continue
        rows[name] = case(name, args.seconds)
        for row in rows[name]:
            least, median, many = (row[k] for k in ("least_ms", "median_ms", "series_a_second"))
            print(f"{name:28}{row['format']:16}{least:9.3f} ms{median:9.3f} ms{many:9.0f} a second")
        told = [row for case_rows in rows.values() for row in case_rows]
        args.output.write_text(json.dumps({**result, "rows": told}, indent=1) + "\n")


if __name__ == "__main__":
    main()
