"""What is said of files: short names, once for all that are alike, in lines that fit."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some

from seqkit.cli import cli
from seqkit.system.console import wrapped
from seqkit.system.notes import captured, short_path


def test_paths_are_short(tmp_path):
    assert short_path(tmp_path / "data" / "a.csv", tmp_path) == "data/a.csv"
    assert short_path(tmp_path / "a.csv", tmp_path / "recipes") == "../a.csv"
    assert short_path("/a.csv", "/one/two/three") == "/a.csv"
    assert short_path("a.csv", tmp_path) == "a.csv"
    assert short_path("https://x.org/a.csv") == "https://x.org/a.csv"


def test_what_is_said_of_many_files_is_said_once(tmp_path):
    log = logging.getLogger("seqkit.data.test")
    paths = [tmp_path / f"{i}.csv" for i in range(4)]
    for path in paths:
        path.touch()
    with captured(tmp_path) as notes:
        for path in (*paths, *paths):
            log.info("%s: read with %s", path, "tabs")
        log.info("%s: read with %s", str(paths[0]), "bars")
        log.warning("no file")
        log.warning("no file")
    assert notes == ["0.csv and 3 more: read with tabs", "0.csv: read with bars", "no file"]
    assert not logging.getLogger("seqkit").handlers


def test_lines_hang_and_words_stay_whole():
    text = wrapped("a note of many words " * 9 + "/a/path" * 20, 40, hang="  ")
    first, *others = text.splitlines()
    assert first[:6] == "a note"
    assert all(line.startswith("  ") for line in some(others))
    assert "/a/path" * 20 in text


def invoked(*arguments, status=0):
    result = CliRunner().invoke(cli, [str(one) for one in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def european(tmp_path, monkeypatch):
    """Work beside a file of which there is much to say; the recipe is in another folder."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    days = pd.date_range("2023-01-05", periods=160)
    table = pd.DataFrame({"Datum": days.strftime("%d.%m.%Y"), "y": 40 + np.arange(160) % 7})
    text = (
        table.assign(y=table["y"] + 0.5)
        .drop(index=[30, 31])
        .to_csv(index=False, sep=";", decimal=",")
    )
    (tmp_path / "a_file_of_daily_sales.csv").write_text(f"Umsätze des Ladens;\n{text}", "cp1252")
    return tmp_path


def test_everything_that_is_printed_fits_80_columns(european):
    data, recipe = "a_file_of_daily_sales.csv", "recipes/sales.yaml"
    small = ["--epochs", "1", "--set", "model.units=4", "--set", "model.patch=1", "--name", "a",
             "--set", "evaluate.baselines=[naive]"]  # fmt: skip
    said = [invoked("init", data, "-o", recipe), invoked("check", recipe, "--data")]
    said += [invoked("describe", data), invoked("describe", recipe)]
    said += [invoked("fit", recipe, "--dry-run"), invoked("fit", recipe, *small)]
    [run] = (european / "runs").iterdir()
    run = run.relative_to(european)
    said += [invoked("evaluate", run, "--data", data), invoked("forecast", run, "--data", data)]
    said += [invoked("predict", run, data, "-o", "answers.csv")]
    for text in some(said):
        lines = [line for line in text.splitlines() if "runs/" not in line]
        assert max(map(len, lines)) <= 80, text
        assert str(european) not in text
    # the run folder has no whole path either, but where the data are read again
    log = (european / run / "log.txt").read_text()
    assert "../a_file_of_daily_sales.csv: read with cells parted by semicolons" in log
    for name in ("log.txt", "report.html", "metrics.json"):
        text = (european / run / name).read_text()
        assert f"{european}/a_file_of_daily_sales.csv: " not in text


def test_a_recipe_is_described_with_its_settings(european):
    invoked("init", "a_file_of_daily_sales.csv", "-o", "r.yaml")
    text = invoked("describe", "r.yaml")
    assert text.startswith("a_file_of_daily_sales.csv: forecasting")
    assert "2 time stamps are absent" in text
    # what cannot be learned from is described, and said
    recipe = european / "r.yaml"
    recipe.write_text(re.sub(r"\n  missing: [^\n]*", "", recipe.read_text()))
    text = invoked("describe", "r.yaml")
    assert "cannot be learned from yet" in text
    assert "2 time stamps are absent" in text
    assert "--target is for data" in invoked("describe", "r.yaml", "--target", "y", status=2)
    assert "no such file" in invoked("describe", "none.yaml", status=2)
