"""The guides are followed literally: their Python and commands run, in order, in an empty folder.

What a page shows after a block is what the block printed, numbers aside; tables that say what the
code holds say it word for word. `pytest tests/test_guides.py --write-docs` writes both anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import some

from seqkit.data.frequencies import HABITS
from seqkit.evaluation.verdict import ADVICE

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"```(python|yaml|sh|text)\n(.*?)```", re.DOTALL)
GUIDES = [
    "first-forecast", "first-classifier", "choosing", "comparing", "dates", "history", "serving",
    "streaming",
    "gates-and-gradients",
]  # fmt: skip
PROGRAMS = {"seqkit": "seqkit.cli", "saved_model_cli": "tensorflow.python.tools.saved_model_cli"}
RUN = r"\d{8}-\d{4}-(\w+)-[0-9a-f]{4}"


def commanded(lines: str, folder: Path) -> str:
    """Run commands as a user would; RUN is the newest run folder."""
    printed = []
    for line in some(re.sub(r" #.*", "", lines).strip().splitlines()):
        program, *words = shlex.split(line)
        assert program in PROGRAMS, line
        runs = sorted(folder.glob("runs/*"), key=lambda run: run.stat().st_mtime)
        words = [str(runs[-1].relative_to(folder)) if word == "RUN" else word for word in words]
        done = subprocess.run(
            [sys.executable, "-m", PROGRAMS[program], *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            # TensorFlow's own programs greet there, on every machine in another way
            stderr=subprocess.STDOUT if program == "seqkit" else subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        printed.append(done.stdout)
    # how many lines tell of epochs is a matter of the machine's speed: the last one stands for all
    text = re.sub(r"(^epoch .*\n)+(?=^epoch )", "", "".join(printed), flags=re.MULTILINE)
    return text.replace(f"{folder.resolve()}{os.sep}", "")


def bare(text: str, folder: Path) -> str:
    """Return what is compared: neither numbers nor widths, nor which of two runs was faster."""
    text = re.sub(r"[\s─-╿]", "", re.sub(RUN, r"RUN-\1", text))
    text = text.replace(re.sub(r"\s", "", f"{folder.resolve()}{os.sep}"), "")
    text = re.sub(r"(secondsoftrainingnonebeats:)[A-Z](,[A-Z])*", r"\1#", text)
    return re.sub(r"-?\d[\d.,]*(e[+-]?\d+)?", "#", text)


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_followed_literally(name, tmp_path, monkeypatch, pytestconfig):
    monkeypatch.chdir(tmp_path)
    page = DOCS / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    space: dict[str, object] = {}
    printed, shown = "", 0
    for block in some(list(BLOCK.finditer(text))):
        kind, body = block.groups()
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(body, str(page), "exec"), space)
            printed = out.getvalue()
        elif kind == "yaml":
            [file] = re.findall(r"^# (\S+\.yaml)$", body.splitlines()[0])
            (tmp_path / file).write_text(body, encoding="utf-8")
        elif kind == "sh":
            printed = commanded(body, tmp_path)
        else:
            shown += 1
            if pytestconfig.getoption("--write-docs"):
                lines = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
                fresh = page.read_text(encoding="utf-8").split("```text\n")
                fresh[shown] = f"{lines}\n```" + fresh[shown].split("```", 1)[1]
                page.write_text("```text\n".join(fresh), encoding="utf-8")
            else:
                assert bare(body, tmp_path) == bare(printed, tmp_path)
    assert shown


def rows(page: str, name: str) -> list[list[str]]:
    """Return the cells of the table after ``<!-- NAME -->``, without its head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    [table] = re.findall(rf"<!-- {name} -->\n(.*?)(?:\n\n|\Z)", text, re.DOTALL)
    return [line.strip("| ").split(" | ") for line in some(table.strip().splitlines()[2:])]


def test_the_habits_of_every_frequency_are_listed():
    expected = [
        [h.name, str(h.season) if h.season > 1 else "none", str(h.horizon), str(h.context), h.why]
        for h in HABITS.values()
    ]
    assert rows("choosing.md", "habits") == expected


def test_every_advice_is_listed_with_its_evidence():
    listed = [(row[0], row[-1]) for row in rows("choosing.md", "advice")]
    assert listed == [(advice.name, advice.evidence) for advice in ADVICE]


def test_it_is_said_where_the_data_of_every_recipe_are_to_be_had():
    """Whoever adds a recipe says where its set comes from."""
    listed = [
        name for row in rows("public-data.md", "sets") for name in re.findall("`(.+?)`", row[0])
    ]
    assert sorted(listed) == sorted(some([path.name for path in ROOT.glob("recipes/*.yaml")]))
