"""Progress of a run: a live line on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seqkit.system.console import rich_console, wrapped

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress", "epoch_line", "fitting"]

BAR = 20  # widest bar


class Progress:
    """Shows a run as it goes.

    Parameters
    ----------
    console : rich.console.Console, default=None
        Where to print; standard output by default. Control characters are written only where it
        is a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._live: Any = None  # the line that is rewritten: what is being done, or the bar
        self._bar: Any = None
        self._last: str | None = None  # what has not been said of the last epoch
        self._said = 0.0

    @property
    def console(self) -> Console:
        """Where it prints; made when there is something to print: rich takes time to import."""
        if self._console is None:
            self._console = rich_console()
        return self._console

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def say(self, text: str) -> None:
        """Print a line, or as many as it takes."""
        self._still()
        self.console.print(wrapped(text, self.console.width, hang="  "), markup=False)

    def doing(self, what: str) -> None:
        """Show what takes a while, on a terminal, until something else is shown."""
        if (self._console is None and not sys.stdout.isatty()) or not self._moves:
            return
        self._still()
        from rich.text import Text

        line = Text(f"{what} ...", no_wrap=True, overflow="ellipsis")
        self._live = self.console.status(line)
        self._live.start()

    def begin(self, epochs: int, times: int = 1) -> None:
        """Start the bar of trainings of at most `epochs` epochs, so many times a network."""
        self._still()
        self._epochs, self._times = epochs, times
        self._trainings, self._done = 0, 0
        self._said = self._begun = time.monotonic()
        if not self._moves:
            return
        from rich.live import Live

        self._live = Live(console=self.console, transient=True, refresh_per_second=8)
        self._live.start()
        self._bar = self._live

    def epoch(self, number: int, logs: Mapping[str, float]) -> None:
        """Show an epoch that is done; the first, of each network, is number 0."""
        if number < self._done:
            self._trainings += 1
            self._begun = time.monotonic()
        self._done = number + 1
        self._last = epoch_line(self._count(), logs, self.console.width)
        if self._bar is not None:
            self._bar.update(self._moving(logs))
        elif time.monotonic() - self._said > 5:  # a log wants a sign of life, not every epoch
            self._said = time.monotonic()
            self.say(self._last)
            self._last = None

    def end(self) -> None:
        """Take the bar away and say how the last epoch was."""
        self._still()
        if self._last is not None:
            self.say(self._last)
            self._last = None

    @property
    def _moves(self) -> bool:
        return bool(self.console.is_terminal or self.console.is_jupyter)

    def _still(self) -> None:
        """Take away the line that moves."""
        if self._live is not None:
            self._live.stop()
            self._live = self._bar = None

    def _count(self) -> str:
        number, again = divmod(self._trainings, self._times)
        network = f"network {number + 1} " if number else ""
        return f"{network}{'anew, ' if again else ''}epoch {self._done}/{self._epochs}"

    def _moving(self, logs: Mapping[str, float]) -> Any:
        """Return the line of a training under way: bar, times, scores, as many as fit."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width = self.console.width - 1  # a full line wraps on some terminals
        count, done = self._count(), self._done
        gone = time.monotonic() - self._begun
        times = f"{_clock(gone)} <{_clock(gone / done * (self._epochs - done))}"
        bar = max(min(BAR, width // 5), 4)
        scores = fitting(logs, width - len(count) - len(times) - bar - 6)
        row = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            row.add_column(no_wrap=True, overflow="crop")
        row.add_row(
            Text(count),
            ProgressBar(total=self._epochs, completed=done, width=bar),
            Text(times),
            Text(scores),
        )
        return row


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def epoch_line(count: str, logs: Mapping[str, float], width: int) -> str:
    """Return what is said of an epoch, in one line of a width.

    Examples
    --------
    >>> epoch_line("epoch 7/60", {"loss": 0.40432, "learning_rate": 0.001}, 80)
    'epoch 7/60  loss 0.4043  learning_rate 0.001'
    >>> epoch_line("epoch 7/60", {"loss": 0.40432, "learning_rate": 0.001}, 30)
    'epoch 7/60  loss 0.4043'
    """
    return f"{count}  {fitting(logs, width - len(count) - 2)}".rstrip()


def fitting(logs: Mapping[str, float], width: int) -> str:
    """Return as many scores as fit into a width, losses first; of gradients the history tells."""
    shown: list[str] = []
    told = [name for name in logs if name != "clipped" and not name.startswith("grad_norm")]
    for name in sorted(told, key=lambda name: (not name.endswith("loss"), name == "learning_rate")):
        score = f"{name} {logs[name]:.4g}"
        if len("  ".join([*shown, score])) > width:
            break
        shown.append(score)
    return "  ".join(shown)
