"""Whole fits of a small bidirectional LSTM: seqkit, a plain PyTorch loop and stock Keras ``fit``.

    python benchmarks/fit_small.py [--sets GunPoint ...] [--seeds 3] [--repeats 3] [--threads 2]

Every contender trains the same model (64 units each way, last forward and last backward state,
dropout 0.2, Adam 1e-3, batch 16, 60 epochs, inputs standardised) in a process of its own, in turn;
the order changes from round to round. Cold is the first fit of a process, imports left out; warm
the median of the fits after it. Floors, warm: 1.3 times PyTorch, 4 times Keras; targets 2 and 6.
PyTorch's threads wait for one another: on a busy machine its times mean nothing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
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

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SETS = ("GunPoint", "ItalyPowerDemand", "BasicMotions")
EPOCHS, BATCH, UNITS, DROPOUT, RATE = 60, 16, 64, 0.2, 1e-3


def load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised ``(n, time, features)`` arrays and integer labels."""
    folder = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"))
    parts = []
    for part in ("TRAIN", "TEST"):
        text = (folder / "classification" / name / f"{name}_{part}.ts").read_text().splitlines()
        rows = [line.split(":") for line in text if line and line[0] not in "#@"]
        x = np.array([[c.split(",") for c in row[:-1]] for row in rows], np.float32)
        parts.append((x.transpose(0, 2, 1), np.array([row[-1].strip() for row in rows])))
    (x, y), (x_test, y_test) = parts
    mean, std = x.mean((0, 1)), x.std((0, 1))
    classes = sorted(set(y))
    code = {label: i for i, label in enumerate(classes)}
    return (
        (x - mean) / std,
        np.array([code[v] for v in y], np.int32),
        (x_test - mean) / std,
        np.array([code[v] for v in y_test], np.int32),
    )


# Each contender: prepare(name, threads) -> fit(seed) -> seconds, accuracy


def seqkit_fits(data: Any, threads: int) -> Any:
    import tensorflow as tf

    _tensorflow_threads(tf, threads)
    from seqkit import training
    from seqkit.network.architecture import Architecture
    from seqkit.network.losses import Objective

    x, y, x_test, y_test = data
    settings = {
        "n_timesteps": x.shape[1], "n_features": x.shape[2], "n_classes": int(y.max()) + 1,
        "cell": "lstm", "units": UNITS, "bidirectional": True, "dropout": DROPOUT,
        "recurrent_dropout": 0.0, "residual": False, "pooling": "last", "patch": 1, "dense": (),
        "scale": "none",
    }  # fmt: skip
    build = Architecture("classifier", settings)

    def fit(seed: int) -> tuple[float, float, float]:
        started = time.perf_counter()
        fitted = training.fit(
            build, training.ArraySource(x, y), key="benchmark", seed=seed, epochs=EPOCHS,
            batch_size=BATCH, learning_rate=RATE, patience=0, clipnorm=None, output="logits",
            loss=Objective("crossentropy"),
        )  # fmt: skip
        assert fitted.trainer == "native"
        took = time.perf_counter() - started
        started = time.perf_counter()
        answers = training.predict(
            build, fitted.weights, training.ArraySource(x_test), key="benchmark"
        )
        return took, float((answers.argmax(1) == y_test).mean()), time.perf_counter() - started

    return fit


def keras_fits(data: Any, threads: int) -> Any:
    import keras
    import tensorflow as tf

    _tensorflow_threads(tf, threads)
    x, y, x_test, y_test = data

    def fit(seed: int) -> tuple[float, float, float]:
        keras.utils.set_random_seed(seed)
        started = time.perf_counter()
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                keras.layers.Bidirectional(keras.layers.LSTM(UNITS)),
                keras.layers.Dropout(DROPOUT),
                keras.layers.Dense(int(y.max()) + 1),
            ]
        )
        model.compile(
            keras.optimizers.Adam(RATE),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
        took = time.perf_counter() - started
        started = time.perf_counter()
        answers = model.predict(x_test, batch_size=256, verbose=0)
        return took, float((answers.argmax(1) == y_test).mean()), time.perf_counter() - started

    return fit


def torch_fits(data: Any, threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    x, y, x_test, y_test = data

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(x.shape[2], UNITS, batch_first=True, bidirectional=True)
            self.drop = torch.nn.Dropout(DROPOUT)
            self.head = torch.nn.Linear(2 * UNITS, int(y.max()) + 1)

        def forward(self, batch: Any) -> Any:
            _, (h, _) = self.lstm(batch)
            return self.head(self.drop(torch.cat([h[0], h[1]], 1)))

    def fit(seed: int) -> tuple[float, float, float]:
        torch.manual_seed(seed)
        started = time.perf_counter()
        net = Net()
        optimizer = torch.optim.Adam(net.parameters(), RATE)
        loss_of = torch.nn.CrossEntropyLoss()
        inputs, labels = torch.from_numpy(x), torch.from_numpy(y).long()
        for _ in range(EPOCHS):
            net.train()
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                loss_of(net(inputs[rows]), labels[rows]).backward()
                optimizer.step()
        took = time.perf_counter() - started
        started = time.perf_counter()
        net.eval()
        with torch.no_grad():
            answers = net(torch.from_numpy(x_test)).numpy()
        return took, float((answers.argmax(1) == y_test).mean()), time.perf_counter() - started

    return fit


def _tensorflow_threads(tf: Any, threads: int) -> None:
    """One thread an op, as many ops at a time as there are threads; 0 leaves the defaults."""
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


CONTENDERS = {"seqkit": seqkit_fits, "torch": torch_fits, "keras": keras_fits}


def child(contender: str, name: str, seeds: int, threads: int) -> None:
    """Print the times of one process as JSON: a cold fit, then a warm one a seed."""
    np.random.seed(0)
    fit = CONTENDERS[contender](load(name), threads)
    cold = fit(0)[0]
    warm = [fit(seed) for seed in range(seeds)]
    print(json.dumps({"cold": cold, "warm": warm}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", type=int, default=3, help="warm fits of a process")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each contender")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", nargs=2, metavar=("CONTENDER", "SET"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/fit_small.json")
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.seeds, options.threads)
        return
    rows = []
    names = list(CONTENDERS)
    print(f"{'set':18}{'':8}{'cold s':>9}{'warm s':>9}{'predict ms':>12}{'accuracy':>10}")
    for name in options.sets:
        runs: dict[str, list[Any]] = {contender: [] for contender in names}
        for repeat in range(options.repeats):
            for contender in names[repeat % 3 :] + names[: repeat % 3]:
                text = subprocess.run(
                    [sys.executable, __file__, "--child", contender, name,
                     "--seeds", str(options.seeds), "--threads", str(options.threads)],
                    env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
                    capture_output=True, text=True, check=True, timeout=1200,
                ).stdout  # fmt: skip
                runs[contender].append(json.loads(text.splitlines()[-1]))
        row: dict[str, Any] = {"set": name}
        for contender in names:
            warm = [fit for run in runs[contender] for fit in run["warm"]]
            row[contender] = {
                "cold_seconds": statistics.median(run["cold"] for run in runs[contender]),
                "warm_seconds": statistics.median(fit[0] for fit in warm),
                "warm_all": [fit[0] for fit in warm],
                "accuracy": statistics.mean(fit[1] for fit in warm),
                "predict_seconds": statistics.median(fit[2] for fit in warm),
            }
            r = row[contender]
            print(
                f"{name:18}{contender:8}{r['cold_seconds']:9.2f}{r['warm_seconds']:9.2f}"
                f"{1e3 * r['predict_seconds']:12.1f}{r['accuracy']:10.3f}"
            )
        ours = row["seqkit"]
        for other in ("torch", "keras"):
            row[f"warm_over_{other}"] = row[other]["warm_seconds"] / ours["warm_seconds"]
            row[f"cold_over_{other}"] = row[other]["cold_seconds"] / ours["cold_seconds"]
        print(
            f"{name:18}times faster, warm: PyTorch {row['warm_over_torch']:.2f}, "
            f"Keras {row['warm_over_keras']:.2f}; cold: {row['cold_over_torch']:.2f}, "
            f"{row['cold_over_keras']:.2f}"
        )
        rows.append(row)
    versions = {p: importlib.metadata.version(p) for p in ("tensorflow", "keras", "torch", "numpy")}
    result = {
        "benchmark": "fit_small", "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
        "threads": options.threads, "versions": versions, "epochs": EPOCHS, "batch": BATCH,
        "units": UNITS, "rows": rows,
    }  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
