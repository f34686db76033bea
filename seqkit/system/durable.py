"""Files that outlast a crash: a reader, now or after a loss of power, finds the old or the new.

A name must never stand for something half-written. So content goes into a file beside, is flushed
to the disk, and only then takes the name; the folder, which holds the name, is flushed last. The
order is that of Pillai et al. (2014), "All File Systems Are Not Created Equal", section 3.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["BESIDE", "sync", "sync_tree", "write_file", "writing"]

BESIDE = ".new"
"""How the names of files end that are being written; one that is there later is left by a crash."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Give a binary file to write to, which takes the name `path` when all is written and flushed.

    If anything fails, what stood under that name still does.
    """
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{BESIDE}")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Write a whole file."""
    with writing(path) as file:
        file.write(content)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders, and flushes names by itself
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush a folder with all that is in it."""

    def refuse(error: OSError) -> None:
        raise error

    for path, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            sync(Path(path, name))
        sync(Path(path))
