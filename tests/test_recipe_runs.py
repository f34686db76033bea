"""Every recipe of recipes/ runs: those on embedded data as they are, the others on a slice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from seqkit.cli import cli

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def fit(name, *settings):
    """Fit a recipe in the working folder; return the scores of its test part."""
    arguments = ["fit", str(RECIPES / f"{name}.yaml"), "--json"]
    for setting in settings:
        arguments += ["--set", setting]
    result = CliRunner().invoke(cli, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["metrics"]["parts"]["test"]


def prepare(script, *arguments):
    command = [sys.executable, str(RECIPES / "prepare" / script), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_gunpoint():
    scores = fit("gunpoint", "train.epochs=3", "model.units=8")
    assert set(scores["baselines"]) == {"majority", "nearest_neighbour"}


def test_japanese_vowels():
    scores = fit("japanese_vowels", "train.epochs=6", "model.units=16")
    assert scores["model"]["accuracy"] > 2 * scores["baselines"]["majority"]["accuracy"]


def test_airline():
    scores = fit("airline", "train.epochs=3", "model.units=8")
    assert set(scores["baselines"]) == {"naive", "seasonal_naive", "drift"}
    assert len(scores["by_step"]["model"]["mae"]) == 12


def test_bearing_faults(folder, data_folder):
    windows = folder / "bearing_windows.npz"
    prepare(
        "bearing_windows.py", data_folder / "vibration/CWRU/cwru_12k_de.npz", windows,
        "--loads", "0", "--length", "1024",
    )  # fmt: skip
    with np.load(windows, allow_pickle=False) as file:
        whole = dict(file)
    n = len(whole["y"])
    keep = np.random.default_rng(0).permutation(n)[:240]
    np.savez(windows, **{k: v[keep] if np.shape(v)[:1] == (n,) else v for k, v in whole.items()})
    scores = fit("bearing_faults", "train.epochs=2", "model.units=8")
    assert len(scores["confusion"]["labels"]) == 10


def test_engine_life(folder, data_folder):
    prepare("engine_life.py", data_folder / "vibration/CMAPSS", folder, "--cuts", "2")
    for part in ("train", "test"):
        path = folder / f"engine_life_{part}.parquet"
        frame = pd.read_parquet(path)
        kept = frame["series"].unique()[:30]
        frame[frame["series"].isin(kept)].to_parquet(path)
    scores = fit("engine_life", "train.epochs=2", "model.units=8")
    assert {"rmse", "mae", "r2"} <= set(scores["model"])


def test_electricity_transformer(folder, data_folder):
    pd.read_csv(data_folder / "forecasting/ETTh1.csv", nrows=1500).to_csv(
        folder / "ETTh1.csv", index=False
    )
    scores = fit(
        "electricity_transformer", "train.epochs=1", "train.steps_per_epoch=5", "model.units=8",
        "data.split.validation=200", "data.split.test=288", "evaluate.backtest.windows=2",
    )  # fmt: skip
    assert np.isfinite(scores["model"]["mae"])


def test_air_quality(folder, data_folder):
    prepare("air_quality.py", data_folder / "forecasting/pollution.csv", folder / "air_quality.csv")
    frame = pd.read_csv(folder / "air_quality.csv", nrows=2000)
    frame.to_csv(folder / "air_quality.csv", index=False)
    scores = fit(
        "air_quality", "train.epochs=1", "train.steps_per_epoch=5", "model.units=8",
        "data.split.validation=200", "data.split.test=240", "evaluate.backtest.windows=5",
    )  # fmt: skip
    assert 0 <= scores["model"]["coverage"] <= 1
