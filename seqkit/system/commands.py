"""Commands whose errors are messages and whose help ends with examples.

What a user can correct is one message and a status of 2, what was not foreseen one with a log.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from typing import Any

import click

from seqkit.errors import DataError, ExportError, RecipeError, RunError, TrainingError
from seqkit.system.console import say, say_lines

__all__ = [
    "DIFFERENT",
    "FAILED",
    "USER_ERROR",
    "Command",
    "Group",
    "print_json",
    "print_result",
    "progress_of",
]

USER_ERROR, FAILED = 2, 1
DIFFERENT = 3
"""The exit status of a comparison that went well and found no equality."""
MOST_CHARACTERS = 2000  # of a line of an error
MISTAKES = (RecipeError, DataError, RunError, ExportError)


def _bounded(line: str) -> str:
    """Cut a line that data made long, but keep its end, which says how to correct it."""
    return line if len(line) <= MOST_CHARACTERS else f"{line[:1000]} ... {line[-500:]}"


class _Failure(click.ClickException):
    """An error that is shown as its message alone, with the exit status it has."""

    def __init__(self, error: BaseException, exit_code: int, as_json: bool) -> None:
        super().__init__("\n".join(map(_bounded, str(error).splitlines())))
        self.exit_code = exit_code  # type: ignore[misc]
        self.error = error
        self.as_json = as_json

    def show(self, file: Any = None) -> None:
        """Print it."""
        if self.as_json:
            messages = list(getattr(self.error, "messages", ())) or [self.message]
            messages = list(map(_bounded, messages))
            print_json({"error": type(self.error).__name__, "messages": messages})
        elif isinstance(self.error, RecipeError):
            # one error a line and nothing else, as compilers do it and editors read it
            say(self.message, err=True)
        else:
            text = f"Error: {self.message}"
            if sys.stderr is not None and sys.stderr.isatty():
                say_lines(text.splitlines(), err=True)
            else:  # what searches messages finds them whole
                say(text, err=True)


class Command(click.Command):
    """A command whose errors are messages, never tracebacks, for what a user can correct.

    Parameters
    ----------
    examples : tuple of str
        Command lines, shown at the end of the help; a test runs them.
    """

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, a line each, never wrapped: they are there to be copied."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")

    def invoke(self, context: click.Context) -> Any:
        """Run the command; what a user can correct becomes a message."""
        as_json = bool(context.params.get("as_json"))
        try:
            return super().invoke(context)
        except MISTAKES as error:
            raise _Failure(error, USER_ERROR, as_json) from error
        except TrainingError as error:
            raise _Failure(error, FAILED, as_json) from error
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # the last net
            raise _Failure(_unforeseen(error), FAILED, as_json) from error


def _unforeseen(error: Exception) -> RuntimeError:
    """Write the traceback of an error that was not foreseen into a log, and name the log."""
    text = "".join(traceback.format_exception(error))
    runs = sys.modules.get("seqkit.runs.folder")
    folder = None if runs is None else runs.RunFolder.current
    try:
        if folder is not None and folder.path.is_dir():
            folder.log(text)
            path = str(folder.path / "log.txt")
        else:
            handle, path = tempfile.mkstemp(prefix="seqkit-", suffix=".log")
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        where = f"The traceback is in {path}."
    except OSError as failed:
        where = f"The traceback could not be kept: {failed}."
    first = " ".join(str(error).split())
    shown = first if len(first) <= 200 else first[:200] + "..."
    return RuntimeError(
        f"seqkit stopped at something it did not foresee, {type(error).__name__}: {shown}. {where}"
    )


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def print_json(document: Any, indent: int | None = None) -> None:
    """Print one JSON document, in ASCII where the encoding of standard output asks for it."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent, allow_nan=False)
    say(text)


def progress_of(quiet: bool, as_json: bool) -> Any:
    """Return what shows progress, or None for nothing at all."""
    if quiet or as_json:
        return None
    from seqkit.system.progress import Progress

    return Progress()


def print_result(result: Any, quiet: bool, as_json: bool) -> None:
    """Print what a command returns, and end with its status if it has one.

    `result` has a ``document``, can ``print`` itself, and may have a ``status``.
    """
    if as_json:
        print_json(result.document)
    elif not quiet:
        result.print()
    if status := getattr(result, "status", 0):
        raise click.exceptions.Exit(status)
