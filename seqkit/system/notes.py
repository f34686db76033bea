"""What modules log while they work, captured as lines for people."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["captured", "short_path"]


def short_path(path: str | os.PathLike[str], folder: str | os.PathLike[str] = ".") -> str:
    """Return a path from a folder, or the whole one where that is shorter; a URL as it is.

    Examples
    --------
    >>> short_path("/home/me/sales/data/2024.csv", "/home/me/sales")
    'data/2024.csv'
    >>> short_path("/data/2024.csv", "/home/me/sales"), short_path("s3://data/2024.csv")
    ('/data/2024.csv', 's3://data/2024.csv')
    """
    whole = os.fspath(path)
    if not os.path.isabs(whole):
        return whole
    try:
        return min(os.path.relpath(whole, folder), whole, key=len)
    except ValueError:  # another drive
        return whole


@contextlib.contextmanager
def captured(folder: str | os.PathLike[str] = ".") -> Iterator[list[str]]:
    """Capture what seqkit's modules log meanwhile: what they inferred, repaired or left out.

    The list is filled in the end: what was said of several files alike is one line.

    Parameters
    ----------
    folder : path, default="."
        Files are named from here.
    """
    said: dict[object, tuple[str, dict[str, None]]] = {}

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            args = record.args if isinstance(record.args, tuple) else ()
            first = args[0] if args else None
            if not isinstance(first, (str, Path)) or not os.path.exists(first):
                said.setdefault(record.getMessage(), (record.getMessage(), {}))
                return
            # what comes after the first arguments is an example, or a count
            alike = (record.msg, *map(str, args[1:3]))
            text = record.getMessage().replace(str(first), "{}", 1)
            said.setdefault(alike, (text, {}))[1][short_path(first, folder)] = None

    lines: list[str] = []
    logger = logging.getLogger("seqkit")
    collector = Collector(logging.INFO)
    level, through = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(collector)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = through
        for text, names in said.values():
            first, *more = [*names] or [""]
            named = f"{first} and {len(more)} more" if more else first
            lines.append(text.replace("{}", named, 1) if names else text)
