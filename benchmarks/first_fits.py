"""Time what a person waits for: the first fit of a process, whole commands, the first fit ever.

    python benchmarks/first_fits.py                         # this checkout alone
    python benchmarks/first_fits.py --before ../seqkit-old  # beside another checkout, by turns
    python benchmarks/first_fits.py --only recursive --rounds 9

Every time is that of a whole Python process, imports and all; sides take turns, and the medians are
compared. Compiled kernels are in the cache, but for the case ``first fit ever``, which has an empty
one (its time less that of ``small fit`` is what compiling costs).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIT = """
import sys
import numpy as np
import seqkit
t = np.arange(600)
wave = 10 + np.sin(t * np.pi / 12) + np.random.default_rng(0).normal(size=600) / 10
small = dict(context_length=48, horizon=24, patch=12, units=32, epochs=3, random_state=0)
"""
SERIES = """
X, y = np.random.default_rng(0).normal(size=(40, 60)), np.arange(40) % 2
seqkit.SequenceClassifier(units=16, epochs=5, random_state=0, {more}).fit(X, y)
"""
FORECAST = "\nseqkit.SequenceForecaster(**small, {more}).fit({data})"
COVARIATES = """
import pandas as pd
frame = pd.DataFrame({"id": t // 300, "time": pd.date_range("2020", periods=600, freq="h"),
                      "y": wave, "ahead": np.cos(t * np.pi / 12), "size": 1.0 + t // 300,
                      "kind": np.where(t < 300, "a", "b")})
seqkit.SequenceForecaster(**small, series_id="id", time="time", target="y",
                          future_covariates=["ahead"], static_covariates=["size", "kind"],
                          ).fit(frame)
"""
SCRIPTS = {
    "small fit": FIT + SERIES.format(more=""),
    "rmsprop, attention": FIT + SERIES.format(more="optimizer='rmsprop', pooling='attention'"),
    "direct": FIT + FORECAST.format(more="", data="wave"),
    "segment": FIT + FORECAST.format(more="decoder='segment'", data="wave"),
    "recursive": FIT + FORECAST.format(more="decoder='recursive'", data="wave"),
    "distribution": FIT + FORECAST.format(more="distribution='student_t'", data="wave"),
    "covariates": FIT + COVARIATES,
}
COMMANDS = {
    "seqkit fit airline": ["fit", "recipes/airline.yaml", "--out", "{folder}", "--name", "airline"],
    "seqkit predict": ["predict", "{run}", "{data}", "--output", "{folder}/p.csv"],
    "seqkit forecast": ["forecast", "{run}", "--output", "{folder}/f.csv"],
}
EVER = "first fit ever"


def seconds(command: list[str], checkout: Path, **environment: str) -> float:
    """Return how long a command takes in a checkout."""
    variables = {**os.environ, "PYTHONPATH": str(checkout), **environment}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True)
    taken = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}")
    return taken


def run_of(checkout: Path, folder: Path) -> tuple[str, str]:
    """Fit airline once; return the run and a file of data to predict."""
    command = [sys.executable, "cli.py", "fit", "recipes/airline.yaml", "--out", str(folder)]
    seconds(command, checkout)
    [run] = [path for path in folder.iterdir() if (path / "run.json").is_file()]
    return str(run), str(checkout / "seqkit/data/embedded/airline.csv")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[*SCRIPTS, *COMMANDS, EVER])
    parser.add_argument("--out", type=Path, default=HERE / "results/first_fits.json")
    options = parser.parse_args()
    sides = {"now": HERE.parent}
    if options.before:
        sides = {"before": options.before.resolve(), **sides}
    rows = []
    print(f"{'case':24}" + "".join(f"{side + ' s':>12}" for side in sides) + f"{'ratio':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        made = {}
        if set(options.only) & set(COMMANDS):
            made = {side: run_of(path, Path(scratch, side)) for side, path in sides.items()}
        for case in options.only:
            taken: dict[str, list[float]] = {side: [] for side in sides}
            rounds = min(options.rounds, 3) if case == EVER else options.rounds
            for number in range(rounds):
                for side, checkout in sides.items():
                    environment = {}
                    if case in COMMANDS:
                        run, data = made[side]
                        folder = Path(scratch, f"{side}-{number}-{len(rows)}")
                        folder.mkdir()
                        words = {"folder": folder, "run": run, "data": data}
                        given = [part.format(**words) for part in COMMANDS[case]]
                        command = [sys.executable, "cli.py", *given]
                    else:
                        script = SCRIPTS["small fit" if case == EVER else case]
                        command = [sys.executable, "-c", script]
                    if case == EVER:
                        cache = tempfile.mkdtemp(dir=scratch)
                        environment = {"NUMBA_CACHE_DIR": cache, "XDG_CACHE_HOME": cache}
                    taken[side].append(seconds(command, checkout, **environment))
            middle = {side: statistics.median(values) for side, values in taken.items()}
            ratio = middle["before"] / middle["now"] if "before" in middle else None
            rows.append({"case": case, "seconds": middle, "all": taken, "ratio": ratio})
            shown = "".join(f"{value:12.2f}" for value in middle.values())
            print(f"{case:24}{shown}" + ("" if ratio is None else f"{ratio:9.2f}"), flush=True)
    names = ("numpy", "numba", "scikit-learn", "pandas", "tensorflow", "keras")
    result = {
        "benchmark": "first_fits",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {"python": platform.python_version(), **{n: version(n) for n in names}},
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
