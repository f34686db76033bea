"""The Python examples of README and docs run as they stand, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import some

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("extending.md", "scikit-learn.md", "training.md")),
]
LINKS = [
    (page, target)
    for page in PAGES
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    if not target.startswith("http")
]


@pytest.mark.parametrize("page", RUN, ids=lambda p: p.name)
def test_examples_run(page, capsys):
    space: dict[str, object] = {}
    text = page.read_text(encoding="utf-8")
    for code in some(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
        exec(compile(code, str(page), "exec"), space)
    if page.name == "README.md":
        assert float(capsys.readouterr().out.split()[0]) > 0.9


@pytest.mark.parametrize(("page", "target"), LINKS, ids=lambda part: getattr(part, "name", part))
def test_links_lead_somewhere(page, target):
    assert (page.parent / target).exists()


def test_the_readme_has_the_two_commands_ci_runs():
    lines = re.findall(r"^pip install .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) == 2
