from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import some

from seqkit.cells import ALIASES, CELLS, find_cell

ISSUE = [
    "simple_rnn",
    "lstm_1997",
    "lstm",
    "vanilla",
    "nig",
    "nfg",
    "nog",
    "niaf",
    "noaf",
    "cifg",
    "fgr",
    "gru",
    "gru_reset_before",
]


def test_every_cell_of_the_history_is_there_once():
    assert list(CELLS) == ISSUE
    assert all(name == cell.name for name, cell in CELLS.items())
    assert {ALIASES["np"]} == {"lstm"}


@pytest.mark.parametrize("name", CELLS)
def test_equations_tell_every_state_and_gate(name):
    cell = CELLS[name]
    text = " ".join(cell.equations)
    for state in some(cell.states):
        assert f"{state}_t = " in text
    for gate in some(cell.gates):
        assert {"c": "g_t = "}.get(gate, "h}_t = " if gate == "h" and cell.reset != "none" else
                                   f"{gate}_t = ") in text  # fmt: skip
    for gate in cell.peepholes:
        assert f"p_{gate} " in text
    for absent in {"i", "f", "o"} - set(cell.gates):
        assert f"W_{absent}" not in text


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("lstm", {"gates": ("c", "i", "f", "o")}),
        ("lstm", {"gates": ("c",)}),
        ("lstm", {"peepholes": ("c",)}),
        ("nig", {"peepholes": ("i", "f")}),
        ("vanilla", {"peepholes": ("o", "i")}),
        ("lstm", {"coupled": True}),
        ("nig", {"coupled": True}),
        ("gru", {"coupled": True}),
        ("gru", {"reset": "none"}),
        ("lstm", {"reset": "after"}),
        ("gru", {"reset": "sometimes"}),
        ("fgr", {"gate_recurrence": ("i",)}),
        ("lstm", {"states": ("h",)}),
        ("lstm", {"output_activation": "relu"}),
        ("lstm", {"citation": ""}),
    ],
)
def test_meaningless_combinations_are_refused(name, change):
    with pytest.raises(ValueError, match=f"cell '{name}': .* must be"):
        dataclasses.replace(CELLS[name], **change)


def test_unknown_cell_says_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'vanilla'"):
        find_cell("vanila")


def test_table_needs_no_tensorflow():
    code = "import sys, seqkit.cells; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_page_is_up_to_date():
    docs = Path(__file__).resolve().parents[1] / "docs"
    spec = importlib.util.spec_from_file_location("make_cells", docs / "make_cells.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (docs / "cells.md").read_text() == module.page(), "run python docs/make_cells.py"
    for name in CELLS:
        assert (docs / "cells" / f"{name}.svg").is_file()
