"""A grid search of 24 fits: seqkit, skorch with PyTorch, stock Keras in a hand-written estimator.

    python benchmarks/grid_search.py [--rounds 3] [--series train|all] [--no-memory]

GunPoint (150 steps, 1 feature, 2 classes; ``train`` are its 50 training series, ``all`` its 200),
an LSTM, two learning rates, two sizes, two dropout rates, three folds, 20 epochs, batches of 16
(``--batch-size``), Adam, accuracy, no refit. The contenders take turns. Every search is the first
of its process, so it pays for its own tracing and for starting its own workers; imports are not
counted. ``again`` is a second search in the same process. ``n_jobs`` 1 and 2 are tried (processes
by loky, and threads but for Keras); the best of each contender is compared as well.

TensorFlow has one thread inside an operation, as docs/training.md advises; PyTorch its default.

Resident memory: that of a seqkit process after 20 and after 200 fits over the same grid.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RATES, SIZES, DROPOUTS = (1e-3, 1e-2), (32, 64), (0.0, 0.2)
EPOCHS, FOLDS = 20, 3
FLOORS = {"skorch": (1.3, 2.0), "keras": (4.0, 6.0)}  # at least, aimed at
WAYS = {
    "seqkit": (("none", 1), ("threading", 2), ("loky", 2)),
    "skorch": (("none", 1), ("threading", 2), ("loky", 2)),
    "keras": (("none", 1), ("loky", 2)),
}


def seqkit_search(batch_size: int) -> tuple[Any, dict[str, list[Any]]]:
    from seqkit import SequenceClassifier

    net = SequenceClassifier(
        cell="lstm", bidirectional=False, pooling="last", patch=1, epochs=EPOCHS,
        batch_size=batch_size, schedule="constant", clipnorm=None, validation=0.0, patience=0,
        random_state=0,
    )  # fmt: skip
    return net, {"learning_rate": RATES, "units": SIZES, "dropout": DROPOUTS}


def skorch_search(batch_size: int) -> tuple[Any, dict[str, list[Any]]]:
    import torch
    from skorch import NeuralNetClassifier
    from torch_lstm import LastState

    torch.manual_seed(0)
    net = NeuralNetClassifier(
        LastState, max_epochs=EPOCHS, batch_size=batch_size, optimizer=torch.optim.Adam,
        criterion=torch.nn.CrossEntropyLoss, iterator_train__shuffle=True, train_split=None,
        verbose=0,
    )  # fmt: skip
    return net, {"lr": RATES, "module__units": SIZES, "module__dropout": DROPOUTS}


def keras_search(batch_size: int) -> tuple[Any, dict[str, list[Any]]]:
    from stock_keras import KerasLSTM

    from seqkit.runs.experiment import set_threads

    set_threads()  # Keras is not slower so
    net = KerasLSTM(epochs=EPOCHS, batch_size=batch_size)
    return net, {"learning_rate": RATES, "units": SIZES, "dropout": DROPOUTS}


CONTENDERS = {"seqkit": seqkit_search, "skorch": skorch_search, "keras": keras_search}


def data(series: str) -> tuple[Any, Any]:
    import numpy as np

    from seqkit.data.embedded import load

    parts = load("gunpoint")
    X, y = parts.train.X, parts.train.y
    if series == "all":
        X, y = np.concatenate([X, parts.test.X]), np.concatenate([y, parts.test.y])
    return X.astype(np.float32), (y == y[0]).astype(np.int64)


def one(
    name: str, backend: str, n_jobs: int, series: str, batch_size: int
) -> dict[str, Any]:  # fmt: skip
    """Run the search twice in this process."""
    from joblib import parallel_config
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    net, grid = CONTENDERS[name](batch_size)
    X, y = data(series)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    seconds = []
    for _ in range(2):
        search = GridSearchCV(
            net, {k: list(v) for k, v in grid.items()}, cv=folds, refit=False, n_jobs=n_jobs,
            error_score="raise",
        )  # fmt: skip
        began = time.perf_counter()
        if backend == "none":
            search.fit(X, y)
        else:
            with parallel_config(backend, n_jobs=n_jobs):
                search.fit(X, y)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[0], "again": seconds[1], "accuracy": search.best_score_}


def resident() -> float:
    """Return the resident memory of this process in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory(series: str, fits: int, batch_size: int) -> dict[str, float]:
    """Fit one clone after the other over the grid, as a search does; return MB by fits."""
    from sklearn.base import clone

    net, grid = seqkit_search(batch_size)
    X, y = data(series)
    found = {}
    settings = itertools.cycle(itertools.product(*grid.values()))
    for fit in range(1, fits + 1):
        model = clone(net).set_params(**dict(zip(grid, next(settings), strict=True)), epochs=5)
        model.fit(X, y).predict(X)
        if fit in (20, fits):
            found[str(fit)] = resident()
    return found


def in_a_process(*arguments: str) -> Any:
    """Run this file in a process of its own and return the JSON that it prints last."""
    places = [str(ROOT), str(ROOT / "benchmarks/contenders")]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore",
           "PYTHONPATH": os.pathsep.join(places)}  # fmt: skip
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the median of every contender's ways."""
    rows = []
    for name, ways in WAYS.items():
        for backend, n_jobs in ways:
            mine = [r for r in runs if (r["name"], r["backend"]) == (name, backend)]
            if mine:
                middle = {k: statistics.median(r[k] for r in mine) for k in ("seconds", "again")}
                spread = [min(r["seconds"] for r in mine), max(r["seconds"] for r in mine)]
                rows.append(
                    {"name": name, "backend": backend, "n_jobs": n_jobs, **middle,
                     "spread": spread, "accuracy": mine[0]["accuracy"]}
                )  # fmt: skip
    return rows


def ratios(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many times as long the others take, with one job and with their best."""
    found: dict[str, dict[str, float]] = {}
    for other in FLOORS:
        for kind in ("n_jobs=1", "best n_jobs"):
            chosen = {
                name: min(
                    (r["seconds"] for r in rows
                     if r["name"] == name and (kind != "n_jobs=1" or r["n_jobs"] == 1)),
                    default=float("nan"),
                )
                for name in ("seqkit", other)
            }  # fmt: skip
            found.setdefault(other, {})[kind] = chosen[other] / chosen["seqkit"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--series", choices=("train", "all"), default="train")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--only", nargs="*", default=list(WAYS))
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, backend, n_jobs = options.one
        print(json.dumps(one(name, backend, int(n_jobs), options.series, options.batch_size)))
        return
    if options.memory:
        print(json.dumps(memory(options.series, options.fits, options.batch_size)))
        return
    same = ["--series", options.series, "--batch-size", str(options.batch_size)]
    runs = []
    for turn in range(options.rounds):
        for name in options.only:
            for backend, n_jobs in WAYS[name]:
                try:
                    found = in_a_process("--one", name, backend, str(n_jobs), *same)
                except SystemExit as error:  # a contender that dies is told of, and left out
                    print(f"round {turn + 1} {error}", flush=True)
                    continue
                runs.append({"name": name, "backend": backend, "n_jobs": n_jobs, **found})
                print(f"round {turn + 1} {name:8}{backend:10}{n_jobs} {found}", flush=True)
    rows = summary(runs)
    print(f"\n{'':10}{'workers':>12}{'search s':>10}{'again s':>9}{'s a fit':>9}{'accuracy':>10}")
    for row in rows:
        way = f"{row['backend']} {row['n_jobs']}"
        print(f"{row['name']:10}{way:>12}{row['seconds']:10.2f}{row['again']:9.2f}"
              f"{row['seconds'] / 24:9.3f}{row['accuracy']:10.3f}")  # fmt: skip
    times = ratios(rows)
    for other, found in times.items():
        floor, target = FLOORS[other]
        print(f"{other} takes " + ", ".join(f"{v:.2f} times ({k})" for k, v in found.items())
              + f"; at least {floor}, aimed at {target}")  # fmt: skip
    held = None
    if not options.no_memory:
        held = in_a_process("--memory", *same, "--fits", str(options.fits))
        few, many = held["20"], held[str(options.fits)]
        print(f"resident after 20 fits {few:.0f} MB, after {options.fits} {many:.0f} MB: "
              f"{many - few:+.1f} MB (bound 50)")  # fmt: skip
    versions = {
        name: importlib.metadata.version(name)
        for name in ("tensorflow", "keras", "torch", "skorch", "scikit-learn", "numpy")
    }
    result = {
        "benchmark": "grid_search", "series": options.series,
        "batch_size": options.batch_size, "host": platform.processor(),
        "cores": os.cpu_count(), "load": os.getloadavg(), "python": platform.python_version(),
        "versions": versions, "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows, "ratios": times, "resident_mb": held, "runs": runs,
    }  # fmt: skip
    print("versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    ending = "" if options.series == "train" else f"_{options.series}"
    out = options.out or ROOT / f"benchmarks/results/grid_search{ending}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
