"""Write one run of every task as this version writes it: ``python tests/runs/make.py FOLDER``.

When the format of run folders changes, this is run once, into a folder that is named after the
format, and what it wrote is kept: tests/test_old_artefacts.py opens all of them. What is there
already is never made anew: it stands for what users have.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from seqkit import load_run, read_recipe
from seqkit.runs import experiment
from seqkit.runs.checkpoints import Keeper
from seqkit.runs.flows import begun, flow_of

HOME = "/home/user/project"
KEPT = (
    "run.json", "model.json", "network.json", "weights.safetensors", "recipe.yaml",
    "recipe.resolved.yaml", "history.csv", "metrics.json", "predictions.parquet", "log.txt",
)  # fmt: skip
"""Of a complete run; its report and pictures are large, and are not read again."""
CHECKPOINT = "checkpoints/last.npz"
CONTINUED = ("train.optimizer=sgd", "train.learning_rate=0.01", "train.epochs=1", "seed=9")
"""How a fixture is gone on from; with Adam a step would be as long for the smallest gradient."""


def labelled(folder: Path) -> None:
    """Series of 6 to 9 steps, each with a label and a number, each step with a label."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "trial": f"s{trial:02d}", "step": step, "ax": round(rng.normal(trial % 3), 3),
            "ay": round(rng.normal(), 3), "kind": ("rest", "run", "walk")[trial % 3],
            "dose": round(10 * (trial % 4) + trial / 7, 2), "phase": "ab"[(trial + step) // 3 % 2],
        }
        for trial in range(18)
        for step in range(6 + trial % 4)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "data.csv", index=False)


def meters(folder: Path) -> None:
    """Two series of 40 days with a category."""
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({
            "meter": name, "day": pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d"),
            "load": (level + np.sin(np.arange(40) / 3) + rng.normal(size=40) / 5).round(3),
            "region": region,
        })
        for name, level, region in (("a", 10, "north"), ("b", 20, "south"))
    ]  # fmt: skip
    pd.concat(frames).to_csv(folder / "data.csv", index=False)


SERIES = {"path": "data.csv", "series_id": "trial", "time": "step", "features": ["ax", "ay"]}
SPLIT = {"split": {"validation": 0, "test": 0.25}}
TRAIN = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "patience": 0}
TASKS = {
    "classification": (labelled, {
        "task": "classification", "seed": 1, "data": {**SERIES, **SPLIT, "target": "kind"},
        "model": {"units": 3, "patch": 1, "stem": {"filters": [3], "kernel_size": [3]}},
        "train": {**TRAIN, "ensemble": 2},
    }),
    "regression": (labelled, {
        "task": "regression", "seed": 2, "data": {**SERIES, **SPLIT, "target": "dose"},
        "model": {"units": 3, "patch": 2, "pooling": "attention", "bidirectional": True,
                  "quantiles": [0.1, 0.5, 0.9]},
        "train": TRAIN,
    }),
    "tagging": (labelled, {
        "task": "tagging", "seed": 3, "data": {**SERIES, **SPLIT, "target": "phase"},
        "model": {"cell": "lstm", "units": 3, "bidirectional": True}, "train": TRAIN,
    }),
    "forecasting": (meters, {
        "task": "forecasting", "seed": 4,
        "data": {"path": "data.csv", "target": "load", "series_id": "meter", "time": "day",
                 "static_covariates": ["region"], "calendar": ["weekday"],
                 "split": {"validation": 0, "test": 6}},
        "model": {"units": 3}, "train": {**TRAIN, "ensemble": 2},
        "forecast": {"context_length": [8, 6], "horizon": 3, "quantiles": [0.1, 0.5, 0.9]},
        "evaluate": {"season": 7, "baselines": ["naive"], "backtest": {"windows": 2, "step": 3}},
    }),
}  # fmt: skip


class Interrupting:
    """Progress that breaks off a run in its third epoch."""

    def epoch(self, epoch: int, logs: object) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupting:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left open."""

    def begin(self, *told: object) -> None:
        """Show nothing."""

    doing = say = begin

    def end(self) -> None:
        """Show nothing."""


def tidied(run: Path, folder: Path, name: str) -> Path:
    """Move what is kept of a run beside its data, without a trace of where it was made."""
    target = folder / name
    whole = not name.endswith(".partial")
    for file in KEPT if whole else (*KEPT, CHECKPOINT):
        if (run / file).exists():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(run / file, target / file)
    resolved = target / "recipe.resolved.yaml"
    for recipe in (resolved, target / "recipe.yaml"):
        recipe.write_text(recipe.read_text().replace(str(folder / "data.csv"), "../data.csv"))
    log = target / "log.txt"
    log.write_text(log.read_text().replace(str(folder), HOME))
    record = json.loads((target / "run.json").read_text())
    record["data"] = {f"{HOME}/data.csv": next(iter(record["data"].values()))}
    record |= {"base": HOME, "settings": hashlib.sha256(resolved.read_bytes()).hexdigest()}
    if "files" in record:
        kept = sorted(file for file in KEPT if (target / file).exists() and file != "run.json")
        record["files"] = {
            file: hashlib.sha256((target / file).read_bytes()).hexdigest() for file in kept
        }
    (target / "run.json").write_text(json.dumps(record, indent=2) + "\n")
    return target


@contextmanager
def every_epoch_kept() -> Iterator[None]:
    """Write a checkpoint after each epoch."""
    before = Keeper.LEAST, Keeper.SHARE
    Keeper.LEAST, Keeper.SHARE = 0.0, 0.0
    try:
        yield
    finally:
        Keeper.LEAST, Keeper.SHARE = before


def continued(start: Path, folder: Path, output: Path) -> Path:
    """Go on from a run, or a saved estimator, for an epoch; write what comes of it predicts."""
    overrides = (*CONTINUED, f"train.start={json.dumps(str(start))}")
    recipe = read_recipe(folder / "run" / "recipe.resolved.yaml", overrides=overrides)
    flow = flow_of(begun(recipe)[0])
    parts = flow.load()
    flow.check(parts)
    wanted = {"columns": parts.columns, "proba": recipe.recipe.task == "classification"}
    frame, _ = flow.predict(experiment.fitted(flow, parts), str(folder / "data.csv"), **wanted)
    frame.to_csv(output, index=False)
    return output


def predicted(run: Path, folder: Path, output: Path) -> Path:
    """Predict the data of a run."""
    proba = json.loads((run / "run.json").read_text())["task"] == "classification"
    experiment.predict(run, str(folder / "data.csv"), output, proba=proba)
    return output


def write(root: Path) -> None:
    """Write all tasks, and a run that was broken off."""
    for name, (data, recipe) in TASKS.items():
        folder, out = root.resolve() / name, root.resolve() / "working"
        folder.mkdir(parents=True)
        data(folder)
        recipe["data"]["path"] = str(folder / "data.csv")
        made = Path(experiment.run(recipe, out=out).document["run"])
        run = tidied(made, folder, "run")
        load_run(run).save(folder / "estimator")
        predicted(run, folder, folder / "expected.csv")
        if name == "forecasting":
            experiment.forecast(run, output=folder / "expected_forecast.csv")
        continued(run, folder, folder / "continued.csv")
        if name == "regression":
            with every_epoch_kept():
                try:
                    longer = {**recipe, "train": {**TRAIN, "epochs": 4}}
                    experiment.run(longer, out=out / "broken", show=Interrupting())
                except KeyboardInterrupt:
                    [broken] = (out / "broken").iterdir()
            partial = tidied(broken, folder, "broken.partial")
            (partial / "history.csv").unlink(missing_ok=True)
            finished = Path(experiment.resume(broken).document["run"])
            predicted(finished, folder, folder / "resumed.csv")
        shutil.rmtree(out)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
