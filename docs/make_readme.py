"""Fill in what README.md shows: the recipe, what the commands print, the picture.

    python docs/make_readme.py

Runs the airline recipe as a user would; nothing is typed in by hand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAULTY = """\
task: classification
data:
  dataset: gunpoint
model:
  cell: lsmt
  dropuot: 0.2
train:
  epochs: 0
"""


def seqkit(*arguments: str, folder: Path) -> str:
    """Return what a command prints."""
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def filled(readme: str, name: str, text: str) -> str:
    """Return the page with the code block after ``<!-- NAME -->`` replaced."""
    pattern = rf"(<!-- {name} -->\n```\w+\n).*?(\n```)"
    page, count = re.subn(pattern, lambda m: m[1] + text + m[2], readme, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"README.md has {count} places for {name!r}, not 1")
    return page


def main() -> None:
    """Write README.md and its picture."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    recipe = (ROOT / "recipes" / "airline.yaml").read_text(encoding="utf-8")
    body = recipe[recipe.index("version:") :].strip()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        printed = seqkit("fit", str(ROOT / "recipes" / "airline.yaml"), folder=folder)
        [run] = (folder / "runs").iterdir()
        (ROOT / "docs" / "images").mkdir(exist_ok=True)
        shutil.copy(run / "plots" / "forecast.png", ROOT / "docs" / "images" / "airline.png")
        (folder / "recipe.yaml").write_text(FAULTY, encoding="utf-8")
        errors = seqkit("check", "recipe.yaml", folder=folder)
    page = filled(page, "recipe", body)
    page = filled(page, "output", printed)
    page = filled(page, "errors", errors)
    (ROOT / "README.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
