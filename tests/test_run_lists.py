"""Runs as they lie in their folders: a table of them, one by itself, its report again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import some

from seqkit import run
from seqkit.cli import VARIABLE, cli
from seqkit.errors import RunError
from seqkit.runs import catalog
from seqkit.runs.folder import is_running, open_run, read_verified
from seqkit.system.documents import digest_of

STORED = sorted((Path(__file__).parent / "runs").glob("*/*/run"))
RECIPE = {
    "task": "classification",
    "data": {"dataset": "gunpoint"},
    "model": {"units": 2, "patch": 30},
    "train": {"epochs": 1, "ensemble": 1},
    "evaluate": {"baselines": ["majority"]},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Path(run(RECIPE, out=tmp_path_factory.mktemp("made"), name="tiny").document["run"])


@pytest.fixture
def folder(made, tmp_path):
    """A folder with a run that is whole, one that was broken off, a damaged one, and an old one."""
    runs = tmp_path / "runs"
    shutil.copytree(made, runs / made.name)
    partial = shutil.copytree(made, runs / f"{made.name}-b.partial")
    record = json.loads((partial / "run.json").read_text())
    (partial / "run.json").write_text(json.dumps(record | {"status": "running"}))
    damaged = shutil.copytree(made, runs / f"{made.name}-c")
    (damaged / "metrics.json").write_text("{")
    shutil.copytree(STORED[0], runs / "older")
    (runs / "notes").mkdir()
    return runs


def invoke(*words, width=80):
    result = CliRunner().invoke(cli, [str(w) for w in words], env={"COLUMNS": str(width)})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_folder_of_runs_is_listed(folder, made):
    rows = catalog.list_runs(folder).document["runs"]
    assert [(row["name"], row["status"]) for row in rows] == [
        (made.name, "complete"),
        (f"{made.name}-b", "interrupted"),
        (f"{made.name}-c", "damaged"),
        ("older", "complete"),
    ]
    whole = rows[0]
    scores = json.loads((made / "metrics.json").read_text())
    assert (whole["task"], whole["metric"]) == ("classification", "accuracy")
    assert whole["score"] == scores["parts"]["test"]["model"]["accuracy"]
    better = "beats" if scores["verdict"]["better"] else "does not beat"
    assert whole["verdict"] == f"{better} majority class"
    assert "metrics.json" in rows[2]["error"]
    assert rows[3]["verdict"]  # judged now: its version had no verdicts


@pytest.mark.parametrize("width", [40, 60, 70, 80, 120])
def test_the_table_fits_the_terminal(folder, width):
    result = invoke("list", "runs", folder, width=width)
    assert result.exit_code == 0
    assert "interrupted" in "".join(result.output.split())
    assert max(map(len, result.output.splitlines())) <= width
    words = "".join(c if c.isalnum() or c in "-." else " " for c in result.output).split()
    assert "accuracy" in words  # and not cut
    assert "majority" in words


def test_a_list_of_runs_as_json(folder):
    document = json.loads(invoke("list", "runs", folder, "--json").output)
    assert document["folder"] == str(folder)
    assert len(document["runs"]) == 4


def test_what_there_is_no_list_of_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("list", "runs")
    assert result.exit_code == 2
    assert "runs: there is no such folder" in result.output
    assert "a folder has runs" in invoke("list", "cells", tmp_path).output
    assert "Did you mean 'runs'?" in invoke("list", "rums").output
    (tmp_path / "runs").mkdir()
    assert invoke("list", "runs").output.strip() == "runs: there are no runs"
    assert "runs" in invoke("list").output


def test_one_run_is_shown_with_how_it_was_made(made):
    document = json.loads(invoke("show", made, "--json").output)
    settings = {row["setting"]: row for row in document["settings"]}
    assert settings["model.units"] == {"setting": "model.units", "value": 2, "default": "auto"}
    assert "model.cell" not in settings
    assert document["findings"] == json.loads((made / "metrics.json").read_text())["findings"]
    assert document["timings"].keys() == {"fit", "evaluation"}
    text = invoke("show", made).output
    assert "model.units: 2  (default auto)" in text
    assert "seed: 0" in text
    assert "accuracy" in text
    assert max(map(len, text.splitlines())) <= max(80, len(f"run: {made}"))


def test_findings_of_a_run_are_shown(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    scores = json.loads((copy / "metrics.json").read_text())
    finding = {"code": "SQ999", "severity": "error", "sentence": "Nothing.", "mend": "all"}
    (copy / "metrics.json").write_text(json.dumps(scores | {"findings": [finding]}))
    record = json.loads((copy / "run.json").read_text())
    record["files"]["metrics.json"] = digest_of(copy / "metrics.json")
    (copy / "run.json").write_text(json.dumps(record))
    assert json.loads(invoke("show", copy, "--json").output)["findings"] == [finding]
    assert "SQ999 error: Nothing. Try all" in invoke("show", copy).output


@pytest.mark.parametrize("stored", STORED, ids=lambda path: path.parent.name)
def test_runs_of_earlier_versions_are_shown_and_reported(stored, tmp_path):
    copy = shutil.copytree(stored, tmp_path / "copy")
    before = {path.name: path.read_bytes() for path in some(copy.iterdir()) if path.is_file()}
    assert invoke("show", copy).exit_code == 0
    result = invoke("report", copy)
    assert result.exit_code == 0, result.output
    assert "<h2>Scores</h2>" in (copy / "report.html").read_text("utf-8")
    mine = {"report.html"} if open_run(copy)["format"] == 1 else {"report.html", "run.json"}
    for name, content in before.items():
        assert name in mine or (copy / name).read_bytes() == content, name


def test_a_report_written_again_leaves_a_record_that_is_right(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    page = (copy / "report.html").read_bytes()
    (copy / "report.html").write_text("an old one")
    with pytest.raises(RunError, match="changed after the run"):
        read_verified(copy, open_run(copy), "report.html", 1 << 24)
    result = json.loads(invoke("report", copy, "--json").output)
    assert Path(result["report"]) == copy / "report.html"
    record, before = open_run(copy), open_run(made)
    assert {name: d for name, d in record.items() if name != "files"} == {
        name: d for name, d in before.items() if name != "files"
    }
    for name in some(record["files"]):
        read_verified(copy, record, name, 1 << 24)
        if name != "report.html":
            assert record["files"][name] == before["files"][name]
    assert len((copy / "report.html").read_bytes()) > len(page) / 2
    assert is_running(copy) is not True


def test_a_report_does_not_bless_what_was_changed(made, tmp_path):
    copy = shutil.copytree(made, tmp_path / "copy")
    with (copy / "metrics.json").open("a") as file:
        file.write(" ")
    invoke("report", copy)
    with pytest.raises(RunError, match="changed after the run"):
        read_verified(copy, open_run(copy), "metrics.json", 1 << 24)


def test_a_run_that_is_not_finished_has_no_report(folder, made):
    result = invoke("report", folder / f"{made.name}-b.partial")
    assert result.exit_code == 2
    assert "the run is not finished. Go on with: seqkit fit --resume" in result.output
    assert invoke("report", folder / "notes").exit_code == 2


def test_shells_complete_the_commands():
    for begun, command in (("com", "compare"), ("sh", "show"), ("rep", "report")):
        done = subprocess.run(
            [sys.executable, "-m", "seqkit.cli"],
            env={**os.environ, VARIABLE: "bash_complete", "COMP_WORDS": f"seqkit {begun}",
                 "COMP_CWORD": "1"},
            capture_output=True,
            text=True,
        )  # fmt: skip
        assert command in done.stdout
