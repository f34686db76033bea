from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, some
from scipy.io import savemat

from seqkit.data.readers import read_frame, read_sequences
from seqkit.data.splits import split


def prepare(script, *arguments, status=0):
    """Run a script of recipes/prepare and return what it says."""
    command = [sys.executable, str(ROOT / "recipes" / "prepare" / f"{script}.py")]
    ran = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)
    assert ran.returncode == status, ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def recordings():
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(-2000, 2000, 1000).astype(np.int16)
        for name in ("Normal_0", "B007_0", "B007_1", "OR021at6_3", "OR021at3_3")
    }


def test_windows_of_one_part_never_hold_samples_of_another(tmp_path, recordings):
    arrays = {**recordings, **{f"{name}_scale": np.float64(1e-3) for name in recordings}}
    np.savez(tmp_path / "in.npz", **arrays)
    prepare("bearing_windows", tmp_path / "in.npz", tmp_path / "new" / "out.npz", "--length", 50,
            "--step", 20, "--validation", 0.2, "--test", 0.3)  # fmt: skip
    s = read_sequences(tmp_path / "new" / "out.npz")
    assert sorted(set(s.y.tolist())) == ["B007", "Normal", "OR021"]
    assert "OR021at3_3" not in s.groups  # the position at 3 o'clock is another fault
    np.testing.assert_allclose(s.X.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(s.X.std(axis=1), 1, atol=1e-5)
    stretches = {"train": (0, 500), "validation": (500, 700), "test": (700, 1000)}
    for name in ("Normal_0", "B007_1"):
        for part, (start, stop) in some(stretches.items()):
            signal = recordings[name][start:stop].astype(float)
            raw = np.stack([signal[i : i + 50] for i in range(0, stop - start - 49, 20)])
            expected = (raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True)
            got = s[(s.groups == name) & (s.parts == part)].X[:, :, 0]
            np.testing.assert_allclose(got, expected, atol=1e-5)
    parts = split(s)
    assert all(set(s.parts[i]) == {name} for name, i in zip(stretches, parts, strict=True))


def test_matlab_recordings_give_the_same_windows(tmp_path, recordings):
    np.savez(tmp_path / "in.npz", **recordings)
    (tmp_path / "mat").mkdir()
    for name, signal in recordings.items():
        file = tmp_path / "mat" / f"{name.replace('at', '@')}.mat"
        savemat(file, {"X097_DE_time": signal[:, None], "X097_FE_time": signal[:, None] * 0})
    prepare("bearing_windows", tmp_path / "in.npz", tmp_path / "a.npz", "--length", 100)
    prepare("bearing_windows", tmp_path / "mat", tmp_path / "b.npz", "--length", 100)
    a, b = (read_sequences(tmp_path / f"{name}.npz") for name in "ab")
    by_name = [s[np.lexsort((np.arange(len(s)), np.char.replace(s.groups, "@", "at")))]
               for s in (a, b)]  # fmt: skip
    np.testing.assert_array_equal(by_name[0].values, by_name[1].values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--length", 5000), "no window of 5000 samples"),
        (("--test", 0.6, "--validation", 0.5), "must leave something to train on"),
        (("--loads", "0,4"), "loads must be among 0, 1, 2, 3"),
    ],
)
def test_bad_options_are_answered(tmp_path, recordings, arguments, message):
    np.savez(tmp_path / "in.npz", **recordings)
    status = 1 if "--length" in arguments else 2
    assert message in prepare(
        "bearing_windows", tmp_path / "in.npz", tmp_path / "out.npz", *arguments, status=status
    )


def test_the_real_recordings_give_ten_classes(tmp_path, data_folder):
    source = data_folder / "vibration" / "CWRU" / "cwru_12k_de.npz"
    prepare("bearing_windows", source, tmp_path / "out.npz", "--length", 512, "--step", 4096)
    s = read_sequences(tmp_path / "out.npz")
    assert len(set(s.y.tolist())) == 10
    assert len(set(s.groups.tolist())) == 37
    for part in some(split(s)):
        assert len(set(s.y[part].tolist())) == 10


def write_engines(folder, train, test, left):
    rng = np.random.default_rng(0)

    def flights(lengths):
        rows = [
            [i + 1, c + 1, *rng.normal(size=24)] for i, n in enumerate(lengths) for c in range(n)
        ]
        table = np.array(rows)
        table[:, 4] = 100.0  # the third setting never changes
        return table

    np.savetxt(folder / "train_FD001.txt", flights(train))
    np.savetxt(folder / "test_FD001.txt", flights(test))
    np.savetxt(folder / "RUL_FD001.txt", left, fmt="%d")


def test_engines_are_cut_before_they_fail(tmp_path):
    write_engines(tmp_path, [200, 40], [30, 35], [150, 12])
    said = prepare("engine_life", tmp_path, tmp_path / "out", "--cuts", 5)
    assert "constant in training: setting_3" in said
    train, test = (
        read_sequences(
            tmp_path / "out" / f"engine_life_{part}.parquet",
            series_id="series", time="cycle", target="rul", group="engine",
        )
        for part in ("train", "test")
    )  # fmt: skip
    assert len(train) == 10
    assert train.values.shape[1] == test.values.shape[1] == 24
    life = np.where(train.groups == 1, 200, 40)
    np.testing.assert_array_equal(train.y, np.minimum(life - train.lengths, 125))
    assert train.lengths.min() >= 30
    assert train.y.min() >= 1
    assert test.y.tolist() == [150.0, 12.0]
    assert test.lengths.tolist() == [30, 35]
    original = np.loadtxt(tmp_path / "train_FD001.txt")[:, [2, 3, *range(5, 26)]]
    np.testing.assert_array_equal(next(iter(train))[:, :-1], original[: train.lengths[0]])
    for series in (*train, *test):
        np.testing.assert_array_equal(series[:, -1], np.arange(1, len(series) + 1))
    prepare("engine_life", tmp_path, tmp_path / "out", "--cap-test")
    capped = pd.read_parquet(tmp_path / "out" / "engine_life_test.parquet")
    assert sorted(capped["rul"].unique()) == [12.0, 125.0]


def test_the_real_engines(tmp_path, data_folder):
    prepare("engine_life", data_folder / "vibration" / "CMAPSS", tmp_path, "--cuts", 2)
    test = read_sequences(
        tmp_path / "engine_life_test.parquet",
        series_id="series", time="cycle", target="rul", group="engine",
    )  # fmt: skip
    assert len(test) == 100
    assert (test.lengths.min(), test.lengths.max()) == (31, 303)
    assert test.y[:3].tolist() == [112.0, 98.0, 69.0]


def test_missing_engines_are_named(tmp_path):
    assert "there is no such file" in prepare("engine_life", tmp_path, tmp_path, status=1)


def test_air_quality_gets_one_column_of_hours(tmp_path, data_folder):
    source = data_folder / "forecasting" / "pollution.csv"
    prepare("air_quality", source, tmp_path / "air.csv")
    frame = read_frame(tmp_path / "air.csv", columns=["time", "pm2.5", "dew_point", "wind_speed"])
    assert len(frame) == 43824
    assert frame["pm2.5"].isna().sum() == 2067
    stamps = pd.to_datetime(frame["time"])
    assert (stamps == pd.date_range("2010-01-01", periods=43824, freq="h")).all()
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "no column year" in prepare(
        "air_quality", tmp_path / "other.csv", tmp_path / "x.csv", status=1
    )


def test_m4_hourly_puts_the_test_steps_behind_the_training_steps(tmp_path):
    (tmp_path / "train.csv").write_text('"V1","V2","V3","V4"\n"H2","1","2","3"\n"H1","7",,\n')
    (tmp_path / "test.csv").write_text('"V1","V2"\n"H1","8"\n"H2","4"\n')
    out = tmp_path / "new" / "m4.parquet"
    said = prepare("m4_hourly", tmp_path / "train.csv", tmp_path / "test.csv", out)
    assert "2 series, 6 rows" in said
    table = pd.read_parquet(out)
    assert table["unique_id"].tolist() == ["H1"] * 2 + ["H2"] * 4
    assert table["ds"].tolist() == [1, 2, 1, 2, 3, 4]
    assert table["y"].tolist() == [7, 8, 1, 2, 3, 4]
    (tmp_path / "test.csv").write_text('"V1","V2"\n"H1","8"\n')
    said = prepare("m4_hourly", tmp_path / "train.csv", tmp_path / "test.csv", out, status=1)
    assert "series H2" in said


def test_exchange_rates_get_names(tmp_path):
    (tmp_path / "rates.txt").write_text("1,2,3,4,5,6,7,8\n2,3,4,5,6,7,8,9\n")
    prepare("exchange_rate", tmp_path / "rates.txt", tmp_path / "rates.csv")
    table = read_frame(tmp_path / "rates.csv")
    assert list(table.columns) == [f"r{k}" for k in range(8)]
    (tmp_path / "rates.txt").write_text("1,2\n")
    said = prepare("exchange_rate", tmp_path / "rates.txt", tmp_path / "rates.csv", status=1)
    assert "2 columns, expected 8" in said
