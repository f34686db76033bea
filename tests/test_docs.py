"""The Python examples of README and docs run as they stand, and their links lead somewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import some
from test_guides import GUIDES

import seqkit.layers  # noqa: F401  so that Keras can read what is exported
from seqkit.cli import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]
LINKS = [
    (page, target)
    for page in PAGES
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    if not target.startswith("http")
]


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Work where the files lie that examples name: the recipes, walks.csv and load.csv."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    rng = np.random.default_rng(0)
    walks = [
        {"trial": trial, "timestamp": step, "x": x, "label": ("walk", "run")[trial % 2]}
        for trial in range(40)
        for step, x in enumerate(rng.normal(trial % 2, 1, 12))
    ]
    pd.DataFrame(walks).to_csv("walks.csv", index=False)
    stamps = pd.date_range("2024-01-01", periods=100, freq="h")
    pd.DataFrame({"time": stamps, "load": rng.normal(size=100)}).to_csv("load.csv", index=False)


def test_no_page_is_left_out():
    """Every Markdown file with Python in it is a page whose Python runs."""
    rooms = ("docs", "benchmarks", "recipes", "seqkit", "tests")
    written = [
        *ROOT.glob("*.md"),
        *(page for room in rooms for page in (ROOT / room).rglob("*.md")),
    ]
    found = {
        page
        for page in some(written)
        if re.search(r"```\s*(python|py|pycon)\b|^>>> ", page.read_text(encoding="utf-8"), re.M)
    }
    assert found == set(some(PYTHON))
    for page in PYTHON:  # in the one form that is looked for below
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"```\s*(py|pycon)\b|^ +```\s*py|^>>> ", text, re.MULTILINE), page


@pytest.mark.parametrize(
    "page",
    [page for page in PYTHON if page.stem not in GUIDES],  # those also run what is between
    ids=lambda p: p.name,
)
def test_examples_run(page, beside, capsys):
    space: dict[str, object] = {}
    text = page.read_text(encoding="utf-8")
    for code in some(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
        exec(compile(code, str(page), "exec"), space)
    if page.name == "README.md":
        assert float(capsys.readouterr().out.split()[0]) > 0.9


def test_the_readme_lists_the_files_of_a_run(beside):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [table] = re.findall(r"<!-- files -->\n(.*?)\n\n", text, re.DOTALL)
    listed = some(re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE))
    small = ["--set", "train.epochs=1", "--set", "export=[keras]", "--quiet"]
    done = CliRunner().invoke(cli, ["fit", "recipes/airline.yaml", *small])
    assert done.exit_code == 0, done.output
    [run] = Path("runs").iterdir()
    there = {path.name + "/" * path.is_dir() for path in run.iterdir()}
    assert set(listed) == there
    assert [file.name for file in (run / "export").iterdir()] == ["keras.keras"]
    commands = some(re.findall(r"^seqkit ([^#\n]* RUN\b[^#\n]*)", text, re.MULTILINE))
    for command in commands:
        words = [str(run) if word == "RUN" else word for word in command.split()]
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, (command, done.output)
    exported, written = (
        keras.saving.load_model(path, compile=False)
        for path in ("model.keras", run / "export" / "keras.keras")
    )
    x = np.random.default_rng(0).normal(300, 50, (2, *exported.inputs[0].shape[1:]))
    given = {exported.inputs[0].name: x.astype("float32")}
    np.testing.assert_array_equal(exported(given), written(given))


@pytest.mark.parametrize(("page", "target"), LINKS, ids=lambda part: getattr(part, "name", part))
def test_links_lead_somewhere(page, target):
    assert (page.parent / target).exists()


def test_the_readme_has_the_two_commands_ci_runs():
    lines = re.findall(r"^pip install .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) == 2
