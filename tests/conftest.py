from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-docs", action="store_true", help="write measured tables into docs/")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of the real data sets (see docs/data.md); skips where there is none."""
    folder = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data sets at {folder}; set SEQKIT_DATA to run this test")
    return folder.resolve()
