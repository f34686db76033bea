"""Run every recipe of recipes/ as a user does and show its scores beside the baselines.

    python benchmarks/recipes.py [NAME ...]

The real data sets come from SEQKIT_DATA (default ../shared/data); a recipe whose data are not there
is left out and said so. Writes benchmarks/results/recipes.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"))
PREPARE = {
    "bearing_faults": (
        "bearing_windows.py", "vibration/CWRU/cwru_12k_de.npz", "bearing_windows.npz"
    ),
    "engine_life": ("engine_life.py", "vibration/CMAPSS", "."),
    "air_quality": ("air_quality.py", "forecasting/pollution.csv", "air_quality.csv"),
    "electricity_transformer": (None, "forecasting/ETTh1.csv", "ETTh1.csv"),
}  # fmt: skip


def prepared(name: str, folder: Path) -> bool:
    """Put the data of a recipe where it looks for them."""
    if name not in PREPARE:
        return True
    script, source, target = PREPARE[name]
    if not (DATA / source).exists():
        print(f"{name}: left out, no {DATA / source}")
        return False
    if script is None:
        (folder / target).symlink_to((DATA / source).resolve())
        return True
    program = ROOT / "recipes" / "prepare" / script
    command = [sys.executable, str(program), str(DATA / source), str(folder / target)]
    subprocess.run(command, check=True, capture_output=True)
    return True


def main(names: list[str]) -> None:
    results = {}
    for name in names or [p.stem for p in sorted((ROOT / "recipes").glob("*.yaml"))]:
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "data").mkdir()
            if not prepared(name, Path(work) / "data"):
                continue
            begun = time.perf_counter()
            command = [sys.executable, str(ROOT / "cli.py"), "fit", "--json",
                       str(ROOT / "recipes" / f"{name}.yaml")]  # fmt: skip
            done = subprocess.run(command, cwd=work, capture_output=True, text=True)
            seconds = time.perf_counter() - begun
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr}")
            document = json.loads(done.stdout)
            record = json.loads((Path(work) / document["run"] / "run.json").read_text())
            part = document["metrics"]["parts"]["test"]
            results[name] = {
                "seconds": round(seconds, 1),
                "fit_seconds": record["timings"]["fit"],
                "versions": record["versions"],
                "model": part["model"],
                "baselines": part["baselines"],
            }
            print(f"{name}: {seconds:.1f} s in all, {record['timings']['fit']:.1f} s fitting")
            for metric, value in part["model"].items():
                beside = ", ".join(
                    f"{who} {scores[metric]:.4g}"
                    for who, scores in part["baselines"].items()
                    if scores.get(metric) is not None
                )
                shown = "-" if value is None else f"{value:.4g}"
                print(f"  {metric:24s} {shown:>8s}   {beside}")
    path = ROOT / "benchmarks" / "results" / "recipes.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **results}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
