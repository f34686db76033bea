"""What each format of run folders, saved estimators and checkpoints has held still says the same.

tests/runs/ has a folder for each, as it was written then (`tests/runs/make.py` writes today's),
with what it predicted, and what came of it when it was gone on from.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import some
from runs.make import continued, predicted

import seqkit
from seqkit import read_recipe
from seqkit.data.readers import find_files
from seqkit.runs import experiment, folder
from seqkit.tasks import TASKS

RUNS = Path(__file__).parent / "runs"
STORED = sorted(path.parent for path in RUNS.glob("*/*/run"))
CURRENT = [path for path in STORED if path.parent.name != "0.1.0"]
named = {"ids": lambda path: f"{path.parent.name}-{path.name}"}


@pytest.fixture
def stored(request, tmp_path):
    """A copy that may be written to."""
    return shutil.copytree(request.param, tmp_path / "stored")


each = pytest.mark.parametrize("stored", STORED, indirect=True, **named)
since_2 = pytest.mark.parametrize("stored", CURRENT, indirect=True, **named)


def same(found: Path, expected: Path) -> None:
    """Compare tables within 1e-6; those of format 1 are of another trainer's kernels."""
    version = json.loads((expected.parent / "run" / "run.json").read_text())["format"]
    close = {"rtol": 1e-4, "atol": 1e-5} if version == 1 else {"rtol": 1e-6, "atol": 1e-6}
    one, other = pd.read_csv(found), pd.read_csv(expected)
    assert list(one.columns) == list(other.columns)
    for name in some(other):
        if other[name].dtype.kind == "f":
            np.testing.assert_allclose(one[name], other[name], **close)
        else:
            assert one[name].tolist() == other[name].tolist()


def test_every_format_and_task_has_its_fixture():
    """A new format, or a new task, is not done before a folder of it is kept."""
    found = {json.loads((path / "run" / "run.json").read_text())["format"] for path in STORED}
    assert found == set(range(1, folder.FORMAT + 1))
    newest = [p for p in CURRENT if p.parent.name == f"format-{folder.FORMAT}"]
    assert {path.name for path in newest} == set(TASKS)


@each
def test_it_predicts_and_forecasts_as_it_did(stored, tmp_path):
    predicted(stored / "run", stored, tmp_path / "p.csv")
    same(tmp_path / "p.csv", stored / "expected.csv")
    if (stored / "expected_forecast.csv").is_file():
        experiment.forecast(stored / "run", output=tmp_path / "f.csv")
        same(tmp_path / "f.csv", stored / "expected_forecast.csv")


def numbers(value, path=""):
    """Yield the numbers of a document by their path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from numbers(inner, f"{path}[{number}]")
    elif isinstance(value, float):
        yield path, value


@since_2
def test_it_is_scored_as_it_was(stored):
    kept = json.loads((stored / "run" / "metrics.json").read_text())["parts"]
    found = dict(numbers(experiment.evaluate(stored / "run").document["metrics"]["parts"]))
    for path, value in some(numbers(kept)):
        np.testing.assert_allclose(found[path], value, rtol=1e-5, atol=1e-6, err_msg=path)


@since_2
def test_a_saved_estimator_is_that_of_the_run(stored):
    saved, run = seqkit.load(stored / "estimator"), seqkit.load(stored / "run")
    assert type(saved).load(stored / "estimator").get_params() == saved.get_params()
    for one, other in zip(saved.weights_, run.weights_, strict=True):
        np.testing.assert_array_equal(one, other)
    if hasattr(saved, "forecast"):
        pd.testing.assert_frame_equal(saved.forecast(), run.forecast())
    else:
        X = np.random.default_rng(0).normal(size=(3, 9, 2))
        np.testing.assert_array_equal(saved.predict(X), run.predict(X))


@since_2
@pytest.mark.parametrize("kind", ["run", "estimator"])
def test_it_is_gone_on_from_as_it_was(stored, kind, tmp_path):
    continued(stored / kind, stored, tmp_path / "c.csv")
    same(tmp_path / "c.csv", stored / "continued.csv")


BROKEN = sorted(path.parent for path in RUNS.glob("*/*/broken.partial"))


@pytest.mark.parametrize("stored", BROKEN, indirect=True, **named)
def test_a_run_that_was_broken_off_is_resumed_as_it_was(stored, tmp_path):
    partial = stored / "broken.partial"
    record = json.loads((partial / "run.json").read_text())
    recipe = read_recipe(partial / "recipe.resolved.yaml").recipe
    [data] = find_files(recipe.data.path)  # where the data lie is another folder now
    record["data"] = {str(data): next(iter(record["data"].values()))}
    (partial / "run.json").write_text(json.dumps(record))
    run = Path(experiment.resume(partial).document["run"])
    assert "resumed after epoch 2" in (run / "log.txt").read_text()
    predicted(run, stored, tmp_path / "r.csv")
    same(tmp_path / "r.csv", stored / "resumed.csv")
