"""Time a training step of seqkit's recurrent layers against PyTorch and stock Keras.

    python benchmarks/train_step.py                      # the whole grid
    python benchmarks/train_step.py --threads own        # TensorFlow's own threads
    python benchmarks/train_step.py --units 64 --time 50 # part of the grid

A step is forward, loss, backward, Adam (of each side's own training loop). TensorFlow has one
thread inside an operation and as many operations at a time as there are processors, as seqkit's
command line sets them; both seqkit and Keras are faster so. The three frameworks live in
processes of their own that take turns (the others sleep meanwhile), so that neither waiting
threads of one nor a busy spell of the machine falls on one side only. PyTorch has two threads.
Stock Keras runs as a graph step in both its settings (`implementation` 2 and 1), of which the
faster counts. Medians; ratios above 1 mean seqkit is faster.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
FEATURES, CLASSES = 8, 4
GRID = {
    "cell": ["lstm", "gru"],
    "layers": [1, 2, 3],
    "directions": [1, 2],
    "units": [32, 64, 128, 256],
    "batch": [16, 64],
    "time": [50, 200],
}
SIDES = ("seqkit", "torch", "keras")
KERAS_SETTINGS = (2, 1)  # Keras's `implementation`: one product for all gates, or one a gate


def flops(cell: str, layers: int, directions: int, units: int, batch: int, time: int) -> float:
    """Return the multiplications and additions of the matrix products of a training step."""
    gates = 4 if cell == "lstm" else 3
    columns, total, features = gates * units, 0, FEATURES
    for _ in range(layers):
        total += directions * 2 * batch * time * columns * (features + units)
        features = units * directions
    return 3.0 * total  # forward, gradient of the inputs, gradient of the weights


def tensorflow_steps(side: str, threads: str):
    import tensorflow as tf

    if threads != "own":
        intra, inter = (int(n) for n in threads.split(","))
        tf.config.threading.set_intra_op_parallelism_threads(intra)
        tf.config.threading.set_inter_op_parallelism_threads(inter)
    import keras
    import numpy as np

    def build(cell, layers, directions, units, batch, time, setting):
        from seqkit.recurrent import Bidirectional, GatedRNN

        h = inputs = keras.Input((time, FEATURES), batch_size=batch)
        for k in range(layers):
            options = {"return_sequences": k < layers - 1}
            if side == "seqkit":
                layer = (GatedRNN if directions == 1 else Bidirectional)(units, cell, **options)
            else:
                kind = keras.layers.LSTM if cell == "lstm" else keras.layers.GRU
                layer = kind(units, implementation=setting, **options)
                layer = layer if directions == 1 else keras.layers.Bidirectional(layer)
            h = layer(h)
        model = keras.Model(inputs, keras.layers.Dense(CLASSES)(h))
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        update = optimizer.apply
        if side == "seqkit":  # as its training loop does
            from seqkit.training.optimizing import apply_gradients

            rate = tf.constant(optimizer.learning_rate)

            def update(gradients, variables):
                apply_gradients(optimizer, gradients, variables, rate, None)

        rng = np.random.default_rng(0)
        x = tf.constant(rng.normal(size=(batch, time, FEATURES)), tf.float32)
        y = tf.constant(rng.integers(0, CLASSES, batch))

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                value = loss(y, model(x, training=True))
            gradients = tape.gradient(value, model.trainable_variables)
            update(gradients, model.trainable_variables)
            return value

        return lambda: step().numpy()

    settings = (None,) if side == "seqkit" else KERAS_SETTINGS
    return lambda *case: [build(*case, setting) for setting in settings]


def torch_steps():
    import torch

    torch.set_num_threads(2)

    def build(cell, layers, directions, units, batch, time):
        kind = torch.nn.LSTM if cell == "lstm" else torch.nn.GRU
        rnn = kind(FEATURES, units, layers, batch_first=True, bidirectional=directions == 2)
        head = torch.nn.Linear(units * directions, CLASSES)
        optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()])
        loss = torch.nn.CrossEntropyLoss()
        x, y = torch.randn(batch, time, FEATURES), torch.randint(0, CLASSES, (batch,))

        def step():
            optimizer.zero_grad()
            value = loss(head(rnn(x)[0][:, -1]), y)
            value.backward()
            optimizer.step()
            return value.item()

        return [step]

    return build


WARM, TURN = 0.02, 0.08  # seconds a side computes before it is timed, and while it is
STEADY = 0.15  # a case gets up to three times its turns until no side's times spread further


def worker(side: str, threads: str, pipe) -> None:
    """Answer the questions of the parent: build a case, time a step of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    make = torch_steps() if side == "torch" else tensorflow_steps(side, threads)
    steps, best = [], 0
    while (question := pipe.recv()) is not None:
        kind, value = question
        if kind == "case":
            steps = make(*value)
            once = []
            for step in steps:  # trace, warm up, and find the faster setting
                for _ in range(2):
                    step()
                start = time.perf_counter()
                step()
                once.append(time.perf_counter() - start)
            best = once.index(min(once))
            pipe.send(min(once))
        else:
            taken = []
            begun = time.perf_counter()  # untimed: caches and threads are still another's
            while time.perf_counter() - begun < WARM:
                steps[best]()
            for _ in range(value):
                start = time.perf_counter()
                steps[best]()
                taken.append(time.perf_counter() - start)
            pipe.send(taken)


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def spread(values):
    """Return how far the middle half of the times reaches, as a part of their median."""
    values = sorted(values)
    quarter = len(values) // 4
    return (values[-1 - quarter] - values[quarter]) / median(values)


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def product_peak(seconds: float = 1.0) -> float:
    """Return the single-precision matrix product rate of this machine, FLOP/s, by PyTorch."""
    import torch

    torch.set_num_threads(2)
    a, best, start = torch.randn(2048, 2048), math.inf, time.perf_counter()
    while time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begin)
    return 2 * 2048**3 / best


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {k: version(k) for k in ("tensorflow", "keras", "torch", "numpy")} | {
        "python": platform.python_version(),
        "cpus": str(os.cpu_count()),
    }


def measure(cases, sides, threads, seconds, on_case) -> list[dict]:
    """Time every case, the sides taking turns, about `seconds` a case."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for side in sides:
        pipes[side], other = context.Pipe()
        processes.append(context.Process(target=worker, args=(side, threads, other), daemon=True))
        processes[-1].start()
    rows = []
    for case in cases:
        once = {}
        for side, pipe in pipes.items():
            pipe.send(("case", tuple(case.values())))
            once[side] = pipe.recv()
        taken: dict[str, list[float]] = {side: [] for side in sides}
        rounds = max(3, min(9, int(seconds / max(sum(once.values()), TURN))))
        repeats = {s: max(1, min(30, int(TURN / max(once[s], 1e-4)))) for s in sides}
        for n in range(3 * rounds):
            if n >= rounds and max(map(spread, taken.values())) < STEADY:
                break
            for side in sides if n % 2 else reversed(sides):
                pipes[side].send(("time", repeats[side]))
                taken[side] += pipes[side].recv()
        row = {**case, **{f"{s}_ms": 1e3 * median(taken[s]) for s in sides}}
        row["flops"] = flops(**case)
        rows.append(row)
        on_case(row)
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join(10)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, values in GRID.items():
        parser.add_argument(f"--{name}", nargs="+", default=values, type=type(values[0]))
    parser.add_argument(
        "--threads",
        default=f"1,{os.cpu_count()}",
        help="intra,inter for TensorFlow, or own for what it takes by itself; default %(default)s",
    )
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--seconds", type=float, default=1.5, help="about, a case")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    names = list(GRID)
    cases = [
        dict(zip(names, c, strict=True))
        for c in itertools.product(*(getattr(args, name) for name in names))
    ]
    sides = tuple(s for s in SIDES if s in args.sides)
    peak = product_peak()
    print(f"{versions()}  product peak {peak / 1e9:.0f} GFLOP/s  threads {args.threads}")
    others = [s for s in sides if s != "seqkit"]
    head = [*names, *(f"{s} ms" for s in sides), *(f"x {s}" for s in others), "% of peak"]
    print("  ".join(f"{h:>10}" for h in head))

    def show(row):
        cells = [str(row[n]) for n in names] + [f"{row[f'{s}_ms']:.2f}" for s in sides]
        cells += [f"{row[f'{s}_ms'] / row['seqkit_ms']:.2f}" for s in others]
        cells.append(f"{100 * row['flops'] / (row['seqkit_ms'] / 1e3) / peak:.0f}")
        print("  ".join(f"{c:>10}" for c in cells), flush=True)

    rows = measure(cases, sides, args.threads, args.seconds, show)
    summary = {}
    for cell in args.cell:
        for other in others:
            ratios = [r[f"{other}_ms"] / r["seqkit_ms"] for r in rows if r["cell"] == cell]
            summary[f"{cell} against {other}"] = {
                "geometric_mean": geometric_mean(ratios),
                "least": min(ratios),
                "slower_than_0.95": sum(r < 0.95 for r in ratios),
                "cases": len(ratios),
            }
            print(f"{cell} against {other}: " + ", ".join(
                f"{k} {v:.2f}" for k, v in summary[f"{cell} against {other}"].items()
            ))  # fmt: skip
    output = args.output or HERE / "results" / "train_step.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "versions": versions(),
        "threads": args.threads,
        "product_peak_gflops": peak / 1e9,
        "summary": summary,
        "rows": rows,
    }
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {output}")


if __name__ == "__main__":
    main()
