"""Progress: a line that fits the terminal, plain lines where there is none."""

from __future__ import annotations

import io
import re

import pytest
from conftest import some
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from seqkit.system.progress import Progress, epoch_line, fitting

LOGS = {
    "loss": 0.40432101,
    "accuracy": 0.9312345,
    "learning_rate": 5.483e-08,
    "val_loss": 1.2345678e-05,
    "val_accuracy": 0.8765432,
}


def shown(width, terminal=True, epochs=12_000, passes=2):
    """Return the lines of a training of several networks, escapes taken out."""
    file = io.StringIO()
    console = Console(
        width=width, file=file, force_terminal=terminal, highlight=False, soft_wrap=True
    )
    with Progress(console) as progress:
        progress.doing("reading " + "a rather long name of a file " * 5)
        progress.say("a note that is longer than a narrow terminal " * 3)
        progress.begin(epochs)
        for _ in range(passes):
            for epoch in range(3):
                progress.epoch(epoch, LOGS)
                if progress._live is not None:
                    progress._live.refresh()
        progress.end()
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_line_fits_the_terminal(width):
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(width))
    lines = [line for line in re.split(r"[\r\n]+", text) if line]
    assert max(map(len, some(lines))) <= width
    assert any("network 2 epoch 3/12000" in line for line in lines)
    assert any("loss 0.4043" in line for line in lines if "epoch" in line)


def test_no_control_characters_where_there_is_no_terminal():
    text = shown(80, terminal=False)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "reading" not in text
    # what programs search is the log of the run, where lines are whole
    assert "a note that is longer than a narrow terminal " * 3 in " ".join(text.split()) + " "
    assert text.splitlines()[-1].startswith("network 2 epoch 3/12000  loss 0.4043")


@given(width=st.integers(0, 200))
def test_scores_that_fit_are_whole_and_losses_come_first(width):
    text = fitting(LOGS, width)
    assert len(text) <= width
    names = [part.split()[0] for part in text.split("  ")] if text else []
    assert names == ["loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"][: len(names)]
    assert len(epoch_line("epoch 1/2", LOGS, max(width, 9))) <= max(width, 9)


def test_an_error_leaves_no_line_that_moves():
    progress = Progress(Console(width=60, file=io.StringIO(), force_terminal=True))
    progress.doing("reading")
    assert progress._live is not None
    progress.__exit__(ValueError)
    assert progress._live is None
