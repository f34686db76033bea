"""Time training as users train: fits of `SequenceClassifier` beside a plain PyTorch loop.

    python benchmarks/train_step.py                          # the whole table, about an hour
    python benchmarks/train_step.py --units 64 --time 50     # a part of it
    python benchmarks/train_step.py --only lstm-2x64-bi-b16-t50 --seconds 5
    python benchmarks/train_step.py --every 12 --seconds 1   # a look at all of it
    python benchmarks/train_step.py --units 256 --time 50 --into  # anew in the table

A case is a cell, layers, directions, units, batch and time; both sides train the same network (last
states, a dense layer, cross-entropy, Adam) on the same series for as many steps, and all that a fit
does is timed: making the network and its initial weights, shuffling, gathering batches, steps.
Steps a fit are such that it takes some `TURN` seconds. The sides live in processes of their own and
take turns (the other sleeps meanwhile), so that neither waiting threads of one nor a busy spell of
the machine falls on one side only. Each may use as many threads as there are processors (PyTorch is
told so). A fit that is not timed comes first: kernels are loaded, and compiled if need be.

The time of a step is the median over fits of seconds by steps; a ratio above 1 means that seqkit is
faster. On a busy machine PyTorch's times mean little: its threads wait for one another.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
FEATURES, CLASSES, RATE = 8, 4, 1e-3
BATCHES = 4  # an epoch
GRID: dict[str, list[Any]] = {
    "cell": ["lstm", "gru"],
    "layers": [1, 2, 3],
    "directions": [1, 2],
    "units": [32, 64, 128, 256],
    "batch": [16, 64],
    "time": [50, 200],
}
SIDES = ("seqkit", "torch")
TURN = 1.0  # seconds a fit is meant to take, at least an epoch
ROUNDS = 3  # at least

Case = dict[str, Any]
Fit = Callable[[int], None]


def name_of(case: Case) -> str:
    """Return how ``--only`` calls a case."""
    ways = "bi" if case["directions"] == 2 else "uni"
    network = f"{case['layers']}x{case['units']}-{ways}"
    return f"{case['cell']}-{network}-b{case['batch']}-t{case['time']}"


def flops(cell: str, layers: int, directions: int, units: int, batch: int, time: int) -> float:
    """Return the multiplications and additions of the matrix products of a training step."""
    gates = 4 if cell == "lstm" else 3
    columns, total, features = gates * units, 0, FEATURES
    for _ in range(layers):
        total += directions * 2 * batch * time * columns * (features + units)
        features = units * directions
    return 3.0 * total  # forward, gradient of the inputs, gradient of the weights


def data(case: Case) -> tuple[Any, Any]:
    """Return standardised series of noise and labels: times do not depend on what is learnt."""
    import numpy as np

    rng = np.random.default_rng(0)
    n = case["batch"] * BATCHES
    x = rng.normal(size=(n, case["time"], FEATURES)).astype(np.float32)
    return x, np.arange(n) % CLASSES


def seqkit_fit(case: Case) -> Fit:
    """Return a fit of so many epochs by the estimator, with its native network."""
    from seqkit import SequenceClassifier

    x, y = data(case)
    settings = {
        "cell": case["cell"], "units": (case["units"],) * case["layers"],
        "bidirectional": case["directions"] == 2, "batch_size": case["batch"], "dropout": 0.0,
        "pooling": "last", "patch": 1, "scale": "none", "schedule": "constant",
        "learning_rate": RATE, "clipnorm": None, "validation": 0, "patience": 0, "random_state": 0,
    }  # fmt: skip

    def fit(epochs: int) -> None:
        fitted = SequenceClassifier(**settings, epochs=epochs).fit(x, y)
        assert fitted.trainer_ == "native", fitted.trainer_

    return fit


def torch_fit(case: Case) -> Fit:
    """Return a fit of so many epochs by a loop as PyTorch's tutorials have it."""
    import torch

    torch.set_num_threads(n_processors())
    x, y = (torch.from_numpy(array) for array in data(case))
    kind = torch.nn.LSTM if case["cell"] == "lstm" else torch.nn.GRU
    units, layers, directions = case["units"], case["layers"], case["directions"]

    def fit(epochs: int) -> None:
        torch.manual_seed(0)
        rnn = kind(FEATURES, units, layers, batch_first=True, bidirectional=directions == 2)
        head = torch.nn.Linear(units * directions, CLASSES)
        optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], RATE)
        loss_of = torch.nn.CrossEntropyLoss()
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(case["batch"]):
                optimizer.zero_grad()
                state = rnn(x[rows])[1]
                h = state[0] if case["cell"] == "lstm" else state
                loss_of(head(torch.cat(tuple(h[-directions:]), 1)), y[rows]).backward()
                optimizer.step()

    return fit


MAKERS: dict[str, Callable[[Case], Fit]] = {"seqkit": seqkit_fit, "torch": torch_fit}


def worker(make: Callable[[Case], Fit], pipe: Any) -> None:
    """Answer the parent: ``(case, 0)`` prepares and gives seconds an epoch, else epochs to time."""
    fit: Fit = lambda epochs: None  # noqa: E731
    while (question := pipe.recv()) is not None:
        case, epochs = question
        if not epochs:
            fit = make(case)
            fit(1)
        begun = time.perf_counter()
        fit(epochs or 1)
        pipe.send(time.perf_counter() - begun)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return float(statistics.median(values))


def n_processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("numba", "llvmlite", "numpy", "torch", "tensorflow", "keras"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        **found,
        "python": platform.python_version(),
        "cpus": str(n_processors()),
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measure(
    cases: Sequence[Case],
    sides: Sequence[str],
    seconds: float,
    makers: dict[str, Callable[[Case], Fit]] = MAKERS,
    flops: Callable[..., float] = flops,
) -> Iterator[Case]:
    """Yield each case with the milliseconds of a step on each side, in about `seconds` a case."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for side in sides:
        pipes[side], other = context.Pipe()
        processes.append(context.Process(target=worker, args=(makers[side], other), daemon=True))
        processes[-1].start()

    def ask(side: str, case: Case, epochs: int) -> float:
        pipes[side].send((case, epochs))
        return float(pipes[side].recv())

    for case in cases:
        one = {side: ask(side, case, 0) for side in sides}
        epochs = max(1, min(round(TURN / min(one.values())), round(4 * TURN / max(one.values()))))
        rounds = max(ROUNDS, round(seconds / (epochs * sum(one.values()))))
        taken: dict[str, list[float]] = {side: [] for side in sides}
        for n in range(rounds):
            for side in sides if n % 2 else reversed(sides):
                taken[side].append(1e3 * ask(side, case, epochs) / (epochs * BATCHES))
        row = {**case, "steps": epochs * BATCHES, "rounds": rounds, "flops": flops(**case)}
        for side in sides:
            low, _, high = statistics.quantiles(taken[side], n=4)
            row[f"{side}_ms"] = median(taken[side])
            row[f"{side}_spread"] = (high - low) / row[f"{side}_ms"]
        yield row
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join(10)


def summary_of(rows: Sequence[Case]) -> dict[str, Any]:
    """Return the geometric mean and the least of PyTorch's time by seqkit's, by cell and of all."""
    summary = {}
    for cell in [*dict.fromkeys(row["cell"] for row in rows), "all"]:
        some = [row for row in rows if cell in ("all", row["cell"])]
        ratios = [row["torch_ms"] / row["seqkit_ms"] for row in some]
        least = min(range(len(some)), key=ratios.__getitem__)
        summary[f"{cell} against torch"] = {
            "geometric_mean": math.exp(sum(map(math.log, ratios)) / len(ratios)),
            "least": ratios[least],
            "least_case": name_of(some[least]),
            "slower_than_0.95": sum(ratio < 0.95 for ratio in ratios),
            "cases": len(ratios),
        }
    return summary


def options() -> argparse.Namespace:
    """Return the command line's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, values in GRID.items():
        parser.add_argument(f"--{name}", nargs="+", default=values, type=type(values[0]))
    parser.add_argument(
        "--only", nargs="+", default=(), help="cases by name: lstm-1x32-uni-b16-t50"
    )
    parser.add_argument("--every", type=int, default=1, help="each so many-th case alone")
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--seconds", type=float, default=5.0, help="about, a case")
    parser.add_argument("--into", action="store_true", help="replace these cases in the output")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "train_step.json")
    return parser.parse_args()


def main() -> None:
    """Measure, print and write."""
    args = options()
    names = list(GRID)
    cases = [
        dict(zip(names, c, strict=True))
        for c in itertools.product(*(getattr(args, name) for name in names))
    ]
    if unknown := set(args.only) - {name_of(case) for case in cases}:
        raise SystemExit(f"--only: no case is called {', '.join(sorted(unknown))}")
    cases = [case for case in cases if not args.only or name_of(case) in args.only][:: args.every]
    sides = [side for side in SIDES if side in args.sides]
    print(versions())
    print("  ".join(f"{h:>10}" for h in [*names, *(f"{s} ms" for s in sides), "ratio", "GFLOP/s"]))
    rows = []
    for row in measure(cases, sides, args.seconds):
        cells = [str(row[n]) for n in names] + [f"{row[f'{s}_ms']:.2f}" for s in sides]
        if len(sides) == 2:
            cells.append(f"{row['torch_ms'] / row['seqkit_ms']:.2f}")
        cells.append(f"{row['flops'] / (row[f'{sides[0]}_ms'] * 1e6):.0f}")
        print("  ".join(f"{c:>10}" for c in cells), flush=True)
        rows.append({**row, "when": datetime.now(UTC).isoformat(timespec="seconds")})
    if args.into:
        anew = {name_of(row): row for row in rows}
        before = json.loads(args.output.read_text())["rows"]
        rows = [anew.pop(name_of(row), row) for row in before] + list(anew.values())
    summary = summary_of(rows) if len(sides) == 2 else {}
    for name, values in summary.items():
        print(f"{name}: " + ", ".join(
            f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()
        ))  # fmt: skip
    result = {
        "benchmark": "train_step", "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "seconds": args.seconds, "summary": summary, "rows": rows,
    }  # fmt: skip
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {args.output}")


if __name__ == "__main__":
    main()
