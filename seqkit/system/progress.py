"""Progress of a run: a live bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seqkit.system.console import rich_console

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress"]


class Progress:
    """Shows a run as it goes.

    Parameters
    ----------
    console : rich.console.Console, default=None
        Where to print; standard output by default. Control characters are written only where it
        is a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or rich_console()
        self._bar: Any = None
        self._last: str | None = None  # what has not been said of the last epoch
        self._said = 0.0

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, markup=False)

    def begin(self, epochs: int) -> None:
        """Start the bar of a training of at most `epochs` epochs."""
        self._epochs = epochs
        self._said = time.monotonic()
        if not (self.console.is_terminal or self.console.is_jupyter):
            return
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("training"),
            progress.BarColumn(bar_width=30),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}"),
            console=self.console,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=epochs)

    def epoch(self, number: int, logs: Mapping[str, float]) -> None:
        """Show an epoch that is done; the first is number 0."""
        scores = "  ".join(f"{name} {value:.4g}" for name, value in logs.items())
        self._last = f"epoch {number + 1}/{self._epochs}  {scores}"
        if self._bar is not None:
            self._bar.update(self._task, completed=number + 1, description=scores)
        elif time.monotonic() - self._said > 5:  # a log wants a sign of life, not every epoch
            self._said = time.monotonic()
            self.say(self._last)
            self._last = None

    def end(self) -> None:
        """Take the bar away and say how the last epoch was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._last is not None:
            self.say(self._last)
            self._last = None
