"""100,000 series from Parquet: seconds, peak memory, and forecasts a second.

    python benchmarks/scale.py [--series 100000] [--length 200] [--steps 500] [--horizon 24]

A long frame (text ids, daily stamps, float32 values) is written to Parquet first, by another
process. Then a forecaster of 64 units (its defaults otherwise; context 56, season 7) reads it,
trains on batches of 256 windows, and forecasts the end of all series. The bounds: 3 GB of resident
memory at the most, and 20,000 series forecast a second.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
MOST_MB, LEAST_RATE = 3000, 20_000


def write(path: str, n: int, length: int) -> None:
    """Write noisy weekly waves, one row group a tenth of the series."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    stamps = np.datetime64("2024-01-01", "D") + np.arange(length)
    schema = pa.schema(
        [("unique_id", pa.string()), ("ds", pa.timestamp("ms")), ("y", pa.float32())]
    )
    with pq.ParquetWriter(path, schema) as file:
        for part in np.array_split(np.arange(n), 10):
            level = rng.uniform(10, 1000, (len(part), 1))
            wave = 1 + 0.3 * np.sin(2 * np.pi * (np.arange(length) + part[:, None] % 7) / 7)
            values = level * wave * rng.normal(1, 0.05, (len(part), length))
            ids = np.repeat([f"series {i}" for i in part], length)
            days = np.tile(stamps, len(part)).astype("datetime64[ms]")
            columns = [ids, days, values.ravel().astype(np.float32)]
            file.write_table(pa.table(columns, schema=schema))


def peak_mb() -> float:
    """Return the most memory this process has had, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--horizon", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "series.parquet")
        writer = multiprocessing.get_context("spawn").Process(
            target=write, args=(path, options.series, options.length)
        )
        writer.start()
        writer.join()
        size = os.path.getsize(path) / 1e6

        import pandas as pd

        from seqkit import SequenceForecaster

        begun = time.perf_counter()
        frame = pd.read_parquet(path)
        read = time.perf_counter() - begun
    model = SequenceForecaster(
        context_length=56, horizon=options.horizon, season=7, units=64, batch_size=256, epochs=1,
        steps_per_epoch=options.steps, random_state=0,
    )  # fmt: skip
    begun = time.perf_counter()
    model.fit(frame)
    fit = time.perf_counter() - begun
    del frame
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        made = model.forecast()
        seconds.append(time.perf_counter() - begun)
    assert len(made) == options.series * options.horizon
    rates = [options.series / s for s in seconds]
    found = {
        "read_seconds": read, "fit_seconds": fit, "first_forecast_seconds": seconds[0],
        "series_a_second": float(np.median(rates)), "peak_mb": peak_mb(), "file_mb": size,
        "trainer": model.trainer_,
    }  # fmt: skip
    for name, value in found.items():
        print(f"{name:24}{value if isinstance(value, str) else f'{value:,.1f}':>12}")
    print(f"peak {found['peak_mb']:.0f} MB (bound {MOST_MB}), "
          f"{found['series_a_second']:,.0f} series a second (bound {LEAST_RATE:,})")  # fmt: skip
    names = ("numpy", "pandas", "pyarrow", "scikit-learn", "numba")
    result = {
        "benchmark": "scale", "series": options.series, "length": options.length,
        "steps": options.steps, "horizon": options.horizon, "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in names},
        "when": datetime.now(UTC).isoformat(timespec="seconds"), **found,
    }  # fmt: skip
    out = ROOT / "benchmarks/results/scale.json"
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
