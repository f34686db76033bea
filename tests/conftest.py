from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-docs", action="store_true", help="write measured tables into docs/")
    parser.addoption("--pictures", help="folder for pictures of the pages of test_browser.py")
    parser.addoption(
        "--minutes",
        type=float,
        help="how long each attack of tests/attack goes on; default: its floor",
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say of every attack what it tried and what escaped; workers send it with their reports."""
    lines = {
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "attack"
    }
    if lines:
        terminalreporter.section("attacks")
        for line in sorted(lines):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of the real data sets (see docs/data.md); skips where there is none.

    A folder that SEQKIT_DATA names must be there: whoever sets it means these tests to run.
    """
    folder = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        assert "SEQKIT_DATA" not in os.environ, f"SEQKIT_DATA={folder} is no folder"
        pytest.skip(f"no real data sets at {folder}; set SEQKIT_DATA to run this test")
    return folder.resolve()


def some(items: Iterable[T]) -> list[T]:
    """Return the items of what must not be empty: a loop over nothing tests nothing."""
    found = list(items)
    assert found, "there is nothing to test"
    return found
