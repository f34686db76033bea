"""What is in a run folder, and how it is read again: by this version and by those before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqkit import experiment

RUNS = Path(__file__).parent / "runs"
STORED = sorted(path.parent for path in RUNS.glob("*/*/run"))


@pytest.mark.parametrize("stored", STORED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_runs_of_earlier_versions_answer_as_they_did(stored, tmp_path):
    run = shutil.copytree(stored, tmp_path / "stored") / "run"
    proba = stored.name == "classification"
    experiment.predict(run, str(stored / "data.csv"), tmp_path / "p.csv", proba=proba)
    _same(tmp_path / "p.csv", stored / "expected.csv")
    if (stored / "expected_forecast.csv").is_file():
        experiment.forecast(run, output=tmp_path / "f.csv")
        _same(tmp_path / "f.csv", stored / "expected_forecast.csv")


def _same(found: Path, expected: Path) -> None:
    found, expected = pd.read_csv(found), pd.read_csv(expected)
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if expected[name].dtype.kind == "f":
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)
        else:
            assert found[name].tolist() == expected[name].tolist()
