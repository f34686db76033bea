"""Time steps of convolutional stems before a GRU: `SequenceClassifier` beside a PyTorch loop.

    python benchmarks/stems.py [--seconds 5] [--filters 64] [--output RESULTS.json]

Both sides train three convolutions (9, 7 and 5 steps, the first strides by 2), batch normalisation
and ReLU after each, then a GRU of 64 units over the steps and a dense layer on its last state, on
the same series for as many steps; how it is timed stands in ``train_step.py``. The two libraries
live in processes of their own and take turns.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import train_step  # noqa: E402
from train_step import CLASSES, FEATURES, RATE, Case, Fit, data, measure, versions  # noqa: E402

GRID = {"filters": [16, 64, 128], "batch": [8, 32], "time": [100, 400]}
KERNELS, STRIDES, UNITS = (9, 7, 5), (2, 1, 1), 64
RESULTS = HERE / "results" / "stems.json"


def flops(filters: int, batch: int, time: int) -> float:
    """Return the multiplications and additions of the products of a training step."""
    total, features, steps = 0.0, FEATURES, time
    for size, stride in zip(KERNELS, STRIDES, strict=True):
        steps = -(-steps // stride)
        total += 2.0 * batch * steps * size * features * filters
        features = filters
    total += 2.0 * batch * steps * 3 * UNITS * (features + UNITS)
    return 3 * total


def seqkit_fit(case: Case) -> Fit:
    """Return a fit of so many epochs by the estimator."""
    from seqkit import SequenceClassifier

    x, y = data(case)
    stem = {"filters": case["filters"], "kernel_size": list(KERNELS), "stride": list(STRIDES)}
    settings = {
        "stem": stem, "units": UNITS, "bidirectional": False, "batch_size": case["batch"],
        "dropout": 0.0, "pooling": "last", "patch": 1, "scale": "none", "schedule": "constant",
        "learning_rate": RATE, "clipnorm": None, "validation": 0, "patience": 0, "random_state": 0,
        "shift": 0, "moves": [],
    }  # fmt: skip

    def fit(epochs: int) -> None:
        fitted = SequenceClassifier(**settings, epochs=epochs).fit(x, y)
        assert fitted.trainer_ == "native", fitted.trainer_

    return fit


def torch_fit(case: Case) -> Fit:
    """Return a fit of so many epochs by a loop as PyTorch's tutorials have it."""
    import torch

    torch.set_num_threads(train_step.n_processors())
    x, y = (torch.from_numpy(array) for array in data(case))
    nn, filters = torch.nn, case["filters"]

    def fit(epochs: int) -> None:
        torch.manual_seed(0)
        stem, features = nn.Sequential(), FEATURES
        for size, stride in zip(KERNELS, STRIDES, strict=True):
            stem.append(nn.Conv1d(features, filters, size, stride, (size - 1) // 2))
            stem.extend([nn.BatchNorm1d(filters), nn.ReLU()])
            features = filters
        rnn, head = nn.GRU(filters, UNITS, batch_first=True), nn.Linear(UNITS, CLASSES)
        weights = [*stem.parameters(), *rnn.parameters(), *head.parameters()]
        optimizer, loss_of = torch.optim.Adam(weights, RATE), nn.CrossEntropyLoss()
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(case["batch"]):
                optimizer.zero_grad()
                steps = stem(x[rows].transpose(1, 2)).transpose(1, 2)
                loss_of(head(rnn(steps)[1][-1]), y[rows]).backward()
                optimizer.step()

    return fit


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, values in GRID.items():
        parser.add_argument(f"--{name}", nargs="+", default=values, type=int)
    parser.add_argument("--seconds", type=float, default=5.0, help="about, a case")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    grid = itertools.product(*(getattr(args, name) for name in GRID))
    cases = [dict(zip(GRID, values, strict=True)) for values in grid]
    makers = {"seqkit": seqkit_fit, "torch": torch_fit}
    print(f"{'filters':>7}{'batch':>7}{'time':>6}{'seqkit ms':>11}{'torch ms':>10}{'ratio':>7}")
    rows = []
    for row in measure(cases, tuple(makers), args.seconds, makers, flops):
        rows.append(row)
        ratio = row["torch_ms"] / row["seqkit_ms"]
        print(
            f"{row['filters']:>7}{row['batch']:>7}{row['time']:>6}{row['seqkit_ms']:>11.2f}"
            f"{row['torch_ms']:>10.2f}{ratio:>7.2f}",
            flush=True,
        )
    result = {"versions": versions(), "measured": datetime.now(UTC).date().isoformat()}
    args.output.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
