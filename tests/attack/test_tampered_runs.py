"""Tampered run folders and .keras files: refused with a RunError, or as good as untouched.

Nothing is ever run.

Half of those that have digests are signed anew, as somebody would who knows of them: then what is
in the files has to be refused for itself. A change that only makes another run of it (a name, a
number within its range) cannot be told from a run; such a run has to answer in order.
"""

from __future__ import annotations

import random
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqkit import export, load_keras, read_recipe
from seqkit.errors import DataError, RunError
from seqkit.runs import experiment

from . import tampering

FLOOR, FLOOR_KERAS = 300, 100
STORED = Path(__file__).parents[1] / "runs" / "0.1.0"
SECONDS, KILOBYTES = 10, 600_000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Runs of every task, of format 1 and of today's, each with what it answers."""
    made = []
    root = tmp_path_factory.mktemp("runs")
    for stored in sorted(STORED.iterdir()):
        old = shutil.copytree(stored, root / "old" / stored.name) / "run"
        recipe = read_recipe(old / "recipe.resolved.yaml")
        new = Path(experiment.run(recipe, out=root / "new" / stored.name).document["run"])
        for run in (old, new):
            made.append((run, stored / "data.csv", _answers(run, stored / "data.csv", root)))
    return made


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A file that appears if the module that foreign classes name is imported, or a shell runs."""
    trace = tmp_path / "executed"
    (tmp_path / f"{tampering.CANARY}.py").write_text(f"open({str(trace)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return trace


def _answers(run, data, folder):
    """Return what a run answers, from its folder alone and for a file."""
    estimator = experiment.load_run(run)
    experiment.predict(run, str(data), folder / "answer.csv")
    answers = [pd.read_csv(folder / "answer.csv")]
    if hasattr(estimator, "forecast"):
        answers.append(pd.DataFrame(estimator.forecast()))
    return answers


def _same(found, expected):
    return all(
        list(a.columns) == list(b.columns)
        and len(a) == len(b)
        and all(
            np.allclose(a[name], b[name], rtol=1e-5, equal_nan=True)
            if b[name].dtype.kind == "f"
            else a[name].tolist() == b[name].tolist()
            for name in b
        )
        for a, b in zip(found, expected, strict=True)
    )


def test_tampered_runs(attack, folders, canary, tmp_path):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in attack.tries(FLOOR):
        rng = random.Random(seed)
        run, data, expected = folders[seed % len(folders)]
        new = (run / "weights.safetensors").exists()
        table = {**tampering.ANY, **(tampering.NEW if new else tampering.OLD)}
        name = list(table)[seed // len(folders) % len(table)]
        here = tmp_path / str(seed)
        copy = shutil.copytree(run, here / "run")
        others = [
            f for f, _, _ in folders if (f / "weights.safetensors").exists() == new and f != run
        ]
        table[name](copy, rng, rng.choice(others))
        signed = new and rng.random() < 0.6
        if signed:
            try:
                tampering.sign(copy)
            except (ValueError, OSError, TypeError, KeyError, AttributeError, RecursionError):
                signed = False  # run.json itself is what was tampered with
        what = f"{name}, {'signed anew' if signed else 'not signed'}, {run.parent.name}"
        begun = time.process_time()  # on a busy machine a clock says little
        try:
            found = _answers(copy, data, tmp_path)
        except (RunError, DataError) as error:
            if len(str(error)) > 2000 or "\n" in str(error):
                attack.escape(seed, f"{what}: a message of {len(str(error))} characters")
        except Exception as error:
            attack.escape(seed, f"{what}: {type(error).__name__}: {str(error)[:200]}")
        else:
            trusted = new and not signed
            if (trusted or name in tampering.HARMLESS) and not _same(found, expected):
                attack.escape(seed, f"{what}: another answer")
        taken = time.process_time() - begun
        if taken > SECONDS:
            attack.escape(seed, f"{what}: {taken:.0f} s")
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if now - peak > KILOBYTES:
            attack.escape(seed, f"{what}: {(now - peak) // 1000} MB")
            peak = now
        if canary.exists() or Path(tampering.CANARY).exists():
            attack.escape(seed, f"{what}: something was executed")
            canary.unlink(missing_ok=True)
        shutil.rmtree(here, ignore_errors=True)


def test_tampered_keras_files(attack, folders, canary, tmp_path):
    """As for runs of format 1, and with no settings beside them that the file would have to fit."""
    exported = []
    for number, (run, _, _) in enumerate(folders):
        folder = tmp_path / f"exported-{number}"
        folder.mkdir()
        export(experiment.load_run(run), folder / "model.keras", "keras", verify=False)
        load_keras(folder / "model.keras")
        exported.append(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in attack.tries(FLOOR_KERAS):
        rng = random.Random(seed)
        copy = shutil.copytree(exported[seed % len(exported)], tmp_path / str(seed))
        name = list(tampering.OLD)[seed // len(exported) % len(tampering.OLD)]
        tampering.OLD[name](copy, rng, copy)
        begun = time.process_time()
        try:
            model = load_keras(copy / "model.keras")
            if not all(np.isfinite(weight.numpy()).all() for weight in model.weights):
                attack.escape(seed, f"{name}: weights that are not finite")
        except RunError as error:
            if len(str(error)) > 2000 or "\n" in str(error):
                attack.escape(seed, f"{name}: a message of {len(str(error))} characters")
        except Exception as error:
            attack.escape(seed, f"{name}: {type(error).__name__}: {str(error)[:200]}")
        taken = time.process_time() - begun
        if taken > SECONDS:
            attack.escape(seed, f"{name}: {taken:.0f} s")
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if now - peak > KILOBYTES:
            attack.escape(seed, f"{name}: {(now - peak) // 1000} MB")
            peak = now
        if canary.exists() or Path(tampering.CANARY).exists():
            attack.escape(seed, f"{name}: something was executed")
            canary.unlink(missing_ok=True)
        shutil.rmtree(copy)
