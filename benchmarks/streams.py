"""An observation of a stream: `stream.push` beside ONNX Runtime's step and asking `predict` again.

    python benchmarks/streams.py [--seconds 3] [--only WORD] [--output RESULTS.json]

A recurrent network of one direction answers after every observation: scaled input, recurrent
layers, the last state, a dense layer, softmax. ONNX Runtime (where `onnx` and `onnxruntime` can be
imported; one thread) is given the same fitted weights as a graph of one step, the states fed back
by hand as its users do; both must give the same probabilities. A stem has no step in ONNX. Asking
again is `predict_proba` of the last 200 observations. A forecaster reads its last window at every
observation. Beside them stands what one whole series takes, asked alone. All take turns in short
blocks; a figure is the fastest of them, in microseconds of an observation of all streams. With
`--only` the rows whose names hold a word are measured, and others stay.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from seqkit import SequenceClassifier, SequenceForecaster, SequenceRegressor, SequenceTagger

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "streams.json"
FEATURES, CLASSES, UNITS, STEPS = 8, 4, 64, 200
STEM: dict[str, Any] = {"filters": [32, 64, 64], "kernel_size": [9, 7, 5], "stride": [2, 2, 1]}
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "GRU": ({}, 1),
    "LSTM": ({"cell": "lstm"}, 1),
    "simple": ({"cell": "simple_rnn"}, 1),
    "GRU, two layers": ({"units": [UNITS, UNITS]}, 1),
    "GRU, mean and max": ({"pooling": "mean_max"}, 1),
    "GRU, a stem": ({"stem": STEM}, 1),
    "GRU, three networks": ({"ensemble": 3}, 1),
    "GRU, 32 streams": ({}, 32),
    "LSTM, 32 streams": ({"cell": "lstm"}, 32),
}
FORECASTERS: dict[str, dict[str, Any]] = {
    "forecaster, 48 steps": {"context_length": 48, "horizon": 12, "patch": 1},
    "forecaster, patches of 24": {"context_length": 72, "horizon": 24, "patch": 24},
}
ALONE = "two layers, both directions"
Call = Callable[[np.ndarray], Any]


def fitted(settings: dict[str, Any]) -> SequenceClassifier:
    """Return a classifier that has seen a few series."""
    rng = np.random.default_rng(0)
    X = rng.normal(2, 3, size=(32, 40, FEATURES)).astype(np.float32)
    given: dict[str, Any] = {
        "units": UNITS, "cell": "gru", "pooling": "last", "bidirectional": False, "patch": 1,
        "ensemble": 1, "moves": [], "epochs": 1, "random_state": 0,
    }  # fmt: skip
    return SequenceClassifier(**given | settings).fit(X, np.arange(32) % CLASSES)


def packed(cell: str, kernel: Any, recurrent: Any, bias: Any) -> list[np.ndarray]:
    """Return the weights of a layer as ONNX has them: gates in its order, a row a unit."""
    n = recurrent.shape[0]
    order = {"lstm": (0, 3, 1, 2)}.get(cell, range(kernel.shape[1] // n))

    def gates(a: np.ndarray) -> np.ndarray:
        return np.concatenate([a[..., k * n : (k + 1) * n] for k in order], -1)

    both = [*bias] if bias.ndim == 2 else [bias, np.zeros_like(bias)]
    W, R, B = gates(kernel).T, gates(recurrent).T, np.concatenate([gates(b) for b in both])
    return [np.ascontiguousarray(array[None]) for array in (W, R, B)]


def onnx_step(model: SequenceClassifier, settings: dict[str, Any], n_streams: int) -> Call | None:
    """Return a step of ONNX Runtime, or nothing where there is none."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    if not set(settings) <= {"cell", "units"}:
        return None
    cell = settings.get("cell", "gru")
    network = model._build(False).network
    weights = {w.path: v for w, v in zip(network.weights, model.weights_, strict=True)}
    kind = {"gru": "GRU", "lstm": "LSTM", "simple_rnn": "RNN"}[cell]
    constants: dict[str, np.ndarray] = {
        "offset": weights["standardize/offset"], "scale": weights["standardize/scale"],
        "W": weights["logits/kernel"], "b": weights["logits/bias"],
    }  # fmt: skip
    nodes = [
        helper.make_node("Sub", ["x", "offset"], ["apart"]),
        helper.make_node("Div", ["apart", "scale"], ["in_0"]),
    ]
    states = ["h", "c"] if cell == "lstm" else ["h"]
    n_layers = sum(path.endswith("/recurrent_kernel") for path in weights)
    shape, inputs, outputs = [1, n_streams, UNITS], [], []
    for k in range(n_layers):
        names = [f"{name}_{k}" for name in ("W", "R", "B")]
        own = [weights[f"recurrent_{k + 1}/{name}"] for name in ("kernel", "recurrent_kernel",
                                                                 "bias")]  # fmt: skip
        constants |= dict(zip(names, packed(cell, *own), strict=True))
        before = [f"{s}_{k}" for s in states]
        after = [f"{s}_{k}_next" for s in states]
        more = {"linear_before_reset": 1} if cell == "gru" else {}
        nodes.append(helper.make_node(
            kind, [f"in_{k}", *names, "", *before], ["", *after], hidden_size=UNITS, **more,
        ))  # fmt: skip
        nodes.append(helper.make_node("Identity", [after[0]], [f"in_{k + 1}"]))
        inputs += before
        outputs += after
    nodes += [
        helper.make_node("MatMul", [f"in_{n_layers}", "W"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"], axis=-1),
    ]

    def of(name: str, of_shape: list[int]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, of_shape)

    graph = helper.make_graph(
        nodes, "step", [of("x", [1, n_streams, FEATURES]), *(of(i, shape) for i in inputs)],
        [of("p", [1, n_streams, CLASSES]), *(of(o, shape) for o in outputs)],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    held = {name: np.zeros(shape, np.float32) for name in inputs}

    def step(x: np.ndarray) -> np.ndarray:
        nonlocal held
        answer, *after = session.run(None, {"x": x.reshape(1, n_streams, FEATURES), **held})
        held = dict(zip(inputs, after, strict=True))
        return answer[0]

    return step


def fastest(calls: dict[str, Call | None], rows: np.ndarray, seconds: float) -> dict[str, float]:
    """Return microseconds a call of the fastest block of each, which take turns."""
    best = {name: float("inf") for name, call in calls.items() if call is not None}
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for name in best:
            call = calls[name]
            assert call is not None
            block = rows[:1] if name == "again" else rows
            begin = time.perf_counter()
            for x in block:
                call(x)
            best[name] = min(best[name], (time.perf_counter() - begin) / len(block) * 1e6)
    return best


def series_case(name: str, seconds: float) -> dict[str, Any]:
    """Return the figures of a classifier."""
    settings, n_streams = CASES[name]
    model, rng = fitted(settings), np.random.default_rng(1)
    rows = rng.normal(2, 3, size=(STEPS, n_streams, FEATURES)).astype(np.float32)
    stream, step = model.stream(n_streams), onnx_step(model, settings, n_streams)
    whole = np.ascontiguousarray(rows.transpose(1, 0, 2))
    answers = [stream.push(x) for x in rows]
    np.testing.assert_allclose(answers[-1], model.predict_proba(whole), atol=1e-6)
    if step is not None:
        for x, answer in zip(rows, answers, strict=True):
            np.testing.assert_allclose(step(x), answer, atol=1e-5)
    calls: dict[str, Call | None] = {
        "push": stream.push, "onnx": step, "again": lambda _x: model.predict_proba(whole),
    }  # fmt: skip
    given = rows[:, 0] if n_streams == 1 else rows
    return {"case": name, "streams": n_streams, **fastest(calls, given, seconds)}


def tagger_case(seconds: float) -> dict[str, Any]:
    """Return the figures of a tagger of tokens."""
    model = SequenceTagger(units=UNITS, target="next", epochs=1, random_state=0)
    model.fit(["the quick brown fox jumps over the lazy dog"] * 8)
    text = ("pack my box with five dozen liquor jugs " * 5)[:STEPS]
    stream = model.stream()
    calls: dict[str, Call | None] = {
        "push": stream.push, "again": lambda _x: model.predict_proba([text]),
    }  # fmt: skip
    return {"case": "GRU, tokens", "streams": 1, **fastest(calls, list(text), seconds)}  # type: ignore[arg-type]


def forecaster_case(name: str, seconds: float) -> dict[str, Any]:
    """Return the figures of a forecaster, which reads its whole window again."""
    t = np.arange(600)
    wave = 20 + 5 * np.sin(t * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=len(t))
    model = SequenceForecaster(**FORECASTERS[name], units=UNITS, epochs=1, random_state=0).fit(wave)
    stream = model.stream()
    for x in wave[:STEPS]:
        answer = stream.push(x)
    np.testing.assert_allclose(answer, model.forecast(wave[:STEPS]), rtol=1e-6)
    calls: dict[str, Call | None] = {
        "push": stream.push, "again": lambda _x: model.forecast(wave[:STEPS]),
    }  # fmt: skip
    return {"case": name, "streams": 1, **fastest(calls, wave[:1], seconds)}


def alone_case(kind: Any, seconds: float) -> dict[str, Any]:
    """Return what an estimator takes for one series of 100 steps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(32, 100, 3)).astype(np.float32)
    model = kind(units=[UNITS, UNITS], patch=1, stem=None, ensemble=1, moves=[], epochs=1,
                 random_state=0).fit(X, np.arange(32) % CLASSES)  # fmt: skip
    ask = getattr(model, "predict_proba", model.predict)
    calls: dict[str, Call | None] = {"again": lambda _x: ask(X[:1])}
    name = kind.__name__.removeprefix("Sequence").lower()
    return {"case": f"{name}, {ALONE}", "streams": 1, **fastest(calls, X[:1], seconds)}


def versions() -> dict[str, str]:
    """Return what was measured with."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "numba", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _line(row: dict[str, Any]) -> str:
    push, onnx, again = (row.get(name) for name in ("push", "onnx", "again"))
    figures = [push, onnx, onnx / push if onnx else None, again, again / push if push else None]
    return f"{row['case']:42}" + "".join(f"{'-' if f is None else f'{f:.1f}':>10}" for f in figures)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of a case")
    parser.add_argument("--only", default="", help="rows whose names hold this")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    heads = ("push us", "ONNX us", "ratio", "again us", "ratio")
    print(f"{'':42}" + "".join(f"{head:>10}" for head in heads))
    seconds, kinds = args.seconds, (SequenceClassifier, SequenceRegressor)
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        **{name: partial(series_case, name, seconds) for name in CASES},
        "GRU, tokens": partial(tagger_case, seconds),
        **{name: partial(forecaster_case, name, seconds) for name in FORECASTERS},
        **{f"{kind.__name__.removeprefix('Sequence').lower()}, {ALONE}":
           partial(alone_case, kind, seconds) for kind in kinds},
    }  # fmt: skip
    before = json.loads(args.output.read_text())["rows"] if args.only else []
    rows = {row["case"]: row for row in before}
    for name, case in cases.items():
        if args.only in name:
            rows[name] = case()
            print(_line(rows[name]), flush=True)
    result = {"versions": versions(), "measured": datetime.now(UTC).date().isoformat()}
    told = [rows[name] for name in cases if name in rows]
    args.output.write_text(json.dumps({**result, "rows": told}, indent=1) + "\n")


if __name__ == "__main__":
    main()
