"""Resident memory and time of many fits in one process, as a search over parameters makes them.

    python benchmarks/fit_memory.py [--fits 200]

Eight architectures in turn, learning rate and seed new at every fit. Bound: 50 MB more after the
last fit than after the twentieth.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def resident() -> float:
    """Return the resident memory of this process in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--architectures", type=int, default=8)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/fit_memory.json")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from seqkit import training
    from seqkit.builders import build_classifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 50, 1)).astype("float32")
    y = (x.mean((1, 2)) > 0).astype("int32")
    rows = []
    print(f"{'fits':>6}{'resident MB':>13}{'seconds':>9}")
    started = time.perf_counter()
    for fit in range(1, options.fits + 1):
        units = 8 + 4 * (fit % options.architectures)

        def build(units: int = units) -> Any:
            return build_classifier(
                50, 1, 2, cell="lstm", units=units, bidirectional=False, dropout=0.1,
                pooling="last", patch=1,
            )  # fmt: skip

        source = training.ArraySource(x, y)
        fitted = training.fit(
            build, source, key=("memory", units), seed=fit, learning_rate=1e-3 * fit, epochs=2,
            patience=0, output="logits", metrics=["accuracy"],
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )  # fmt: skip
        training.predict(build, fitted.weights, source, key=("memory", units))
        if fit in (20, options.fits) or fit % 50 == 0:
            seconds = time.perf_counter() - started
            row = {"fits": fit, "resident_mb": resident(), "seconds": seconds}
            rows.append(row)
            print(f"{fit:6}{row['resident_mb']:13.1f}{row['seconds']:9.1f}")
    growth = rows[-1]["resident_mb"] - rows[0]["resident_mb"]
    print(f"growth from fit 20 to fit {options.fits}: {growth:.1f} MB (bound 50)")
    result = {"benchmark": "fit_memory", "when": datetime.now(UTC).isoformat(timespec="seconds"),
              "growth_mb": growth, "rows": rows}  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
