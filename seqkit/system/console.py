"""Standard output and error as they are: of any encoding, closed, full, or without a reader.

What a command has to say never stops its work: a run that took hours is written although
its messages cannot be.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TolerantStream", "open_streams", "rich_console", "say", "say_lines", "wrapped"]

ERRORS = "seqkit.plain"
PLAIN = str.maketrans(
    {
        "↑": "^", "↓": "v", "–": "-", "—": "-", "−": "-", "…": ".", "²": "2", "×": "x", "·": ".",
        "±": "~", "≤": "<", "≥": ">", "→": ">", "“": '"', "”": '"', "‘": "'", "’": "'", "─": "-",
        "━": "-", "│": "|", "█": "#", "╸": "-", "╺": "-",
    }
)  # fmt: skip
"""What stands for a character that an encoding has not got: one for one, for columns' sake."""


def _plainer(error: UnicodeError) -> tuple[bytes, int]:
    """Encode what an encoding has not got; a file name that is no text, as the bytes it is."""
    assert isinstance(error, UnicodeEncodeError)  # for the type checker: it is registered for these
    text = error.object[error.start : error.end].translate(PLAIN)
    try:
        return text.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        return text.encode("ascii", "backslashreplace"), error.end


codecs.register_error(ERRORS, _plainer)


class TolerantStream:
    """A text stream whose failing stops no command; the first failure is kept in `failure`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        with contextlib.suppress(AttributeError, ValueError, OSError):  # no file of the system's
            stream.reconfigure(errors=ERRORS)

    def write(self, text: str) -> int:
        """Write a text, if it can be."""
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Pass on what is in the buffer, if it can be."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        # what is still in a buffer must not fail once more when the interpreter ends
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_streams() -> None:
    """Make standard output and error of this process such that writing to them always works.

    A closed one becomes the null device: else the next file that is opened takes its number, and
    messages of libraries land in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115
    sys.stdout, sys.stderr = TolerantStream(sys.stdout), TolerantStream(sys.stderr)


def say(text: str, err: bool = False) -> None:
    """Print a line, and everything before it."""
    stream = sys.stderr if err else sys.stdout
    if stream is not None:
        stream.write(f"{text}\n")
        stream.flush()


def wrapped(text: str, width: int, indent: str = "", hang: str | None = None) -> str:
    """Return a text in lines of a width; a word that is longer stays whole, as a path must.

    Parameters
    ----------
    text : str
    width : int
    indent : str, default=""
        Before the first line.
    hang : str, default=None
        Before the others; default: the indent and, where there is one, two spaces more.
    """
    import textwrap

    if hang is None:
        hang = indent + "  " * bool(indent)
    return textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=hang,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def say_lines(lines: Iterable[str], err: bool = False) -> None:
    """Print lines in the width of the terminal; one that has line breaks is as it should be."""
    width = shutil.get_terminal_size().columns
    for line in lines:
        say(line if "\n" in line else wrapped(line, width, hang="  ") or "", err)


def rich_console() -> Console:
    """Return a console on standard output; its boxes are ASCII where the encoding asks for it."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)
