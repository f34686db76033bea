from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from seqkit.data.embedded import DATASETS, load
from seqkit.errors import DataError


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.name)
def test_every_row_loads_and_says_where_it_comes_from(row):
    loaded = load(row.name)
    assert row.source
    assert "licence" in row.terms
    assert (loaded.frame is None) == (row.task != "forecasting")
    for part in (loaded.train, loaded.test):
        if part is not None:
            assert len(part.y) == len(part)
            assert np.isfinite(part.values).all()


def test_the_sets_have_the_shapes_they_state():
    gunpoint = load("gunpoint")
    assert gunpoint.train.X.shape == (50, 150, 1)
    assert gunpoint.test.X.shape == (150, 150, 1)
    assert set(gunpoint.train.y) == set(gunpoint.test.y) == {1, 2}
    vowels = load("japanese_vowels")
    assert (len(vowels.train), len(vowels.test)) == (270, 370)
    lengths = np.concatenate([vowels.train.lengths, vowels.test.lengths])
    assert (lengths.min(), lengths.max()) == (7, 29)
    assert vowels.train.values.shape[1] == 12
    assert len(set(vowels.train.y)) == 9
    airline = load("airline").frame
    assert airline.columns.tolist() == ["month", "passengers"]
    assert len(airline) == 144
    assert (airline["month"] == pd.date_range("1949-01-01", periods=144, freq="MS")).all()
    assert airline["passengers"].iloc[[0, -1]].tolist() == [112, 432]


@pytest.mark.parametrize(
    ("name", "folder"), [("gunpoint", "GunPoint"), ("japanese_vowels", "JapaneseVowels")]
)
def test_the_values_are_those_of_the_source_to_the_last_bit(name, folder, data_folder):
    loaded = load(name)
    for part in ("train", "test"):
        stored = getattr(loaded, part)
        path = data_folder / "classification" / folder / f"{folder}_{part.upper()}.ts"
        lines = [
            line.strip().split(":")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip() and line[0] not in "#@"
        ]
        assert stored.y.tolist() == [int(line[-1]) for line in lines]
        for series, line in zip(stored, lines, strict=True):
            expected = np.array([[float(v) for v in channel.split(",")] for channel in line[:-1]])
            np.testing.assert_array_equal(series, expected.T)


def test_an_unknown_name_is_answered_with_a_near_one():
    with pytest.raises(DataError, match="did you mean 'gunpoint'"):
        load("gun_point")


def test_the_table_is_read_without_pandas_or_tensorflow():
    code = "import sys, seqkit.data.embedded; print({'pandas', 'tensorflow'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_the_guide_names_every_set_format_and_split():
    from conftest import ROOT

    from seqkit.data.readers import READERS
    from seqkit.data.splits import SPLITS

    guide = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    for name in [*DATASETS, *READERS, *SPLITS]:
        assert f"`{name}`" in guide
