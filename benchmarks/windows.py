"""Windows of many long series: windows trained a second, and the memory that takes.

    python benchmarks/windows.py [--series 10000] [--length 1000] [--seconds 20] [--threads 2]

An LSTM forecaster (32 units, direct decoder) looks at 168 steps and forecasts 24, batch 256; the
windows are gathered by offset inside the graph. Memory is the peak resident size of the process
over what it was when TensorFlow, the traced graph and a small fit were there, but no data; the
bound is twice the data.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CONTEXT, HORIZON, BATCH, UNITS = 168, 24, 256, 32


def status(field: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in text.splitlines() if line.startswith(field)).split()[1])


def waves(n_series: int, length: int) -> Any:
    """Return a panel of noisy daily waves, made block by block in place."""
    from seqkit.data.panel import ColumnRoles, Panel

    rng = np.random.default_rng(0)
    values = np.empty((n_series * length, 1), np.float32)
    day = np.sin(np.arange(length, dtype=np.float32) * np.float32(2 * np.pi / 24))
    for i in range(n_series):
        block = values[i * length : (i + 1) * length, 0]
        rng.standard_normal(out=block, dtype=np.float32)
        block *= 0.3
        block += day
    offsets = np.arange(n_series + 1, dtype=np.int64) * length
    return Panel(values, offsets, np.arange(n_series), None, ColumnRoles(targets=("load",)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--length", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of training that is timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/windows.json")
    options = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    from seqkit import training
    from seqkit.builders import build_forecaster
    from seqkit.data.windows import WindowSource

    def build() -> Any:
        return build_forecaster(CONTEXT, HORIZON, units=UNITS, scale="none", normalize="none")

    def fit(panel: Any, **settings: Any) -> Any:
        source = WindowSource(panel, CONTEXT, HORIZON)
        return source, training.fit(
            build, source, key="windows", seed=0, loss="mse", batch_size=BATCH, patience=0,
            epochs=1, output="normalized", **settings,
        )  # fmt: skip

    small = waves(20, options.length)
    fit(small)
    started = time.perf_counter()
    fit(small, steps_per_epoch=32)
    steps = max(16, int(options.seconds * 32 / (time.perf_counter() - started)))
    before = status("VmRSS")
    panel = waves(options.series, options.length)
    data = panel.values.nbytes
    made = status("VmRSS") - before

    class Enough(Exception):
        """Enough of a full pass has been seen."""

    def look(epoch: int, done: int, of: int) -> None:
        if time.perf_counter() - started > options.seconds / 2:
            raise Enough

    started = time.perf_counter()
    source, _ = fit(panel, steps_per_epoch=steps)
    drawn = steps * BATCH / (time.perf_counter() - started)
    started = time.perf_counter()
    with contextlib.suppress(Enough):
        fit(panel, on_progress=look)  # the shuffled order of all windows
    peak = status("VmHWM") - before
    result = {
        "benchmark": "windows",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "threads": options.threads,
        "versions": {p: importlib.metadata.version(p) for p in ("tensorflow", "keras", "numpy")},
        "series": options.series,
        "length": options.length,
        "context": CONTEXT,
        "horizon": HORIZON,
        "batch": BATCH,
        "units": UNITS,
        "windows": source.n_examples,
        "windows_a_second": drawn,
        "data_bytes": data,
        "resident_after_data": made,
        "peak_bytes": peak,
        "peak_over_data": peak / data,
    }
    print(f"{'windows':>12}{'windows/s':>12}{'data MB':>10}{'peak MB':>10}{'peak/data':>11}")
    print(
        f"{source.n_examples:12,}{drawn:12,.0f}{data / 1e6:10.1f}{peak / 1e6:10.1f}"
        f"{peak / data:11.2f}"
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
