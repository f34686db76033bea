"""Garbage collection of Python, put off where it only costs time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collection_paused", "collection_rare"]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Put garbage collection off while many objects come to stay: imports, graphs.

    TensorFlow brings half a million objects, and each collection visits all of them: a sixth of
    the time of its import, and of tracing. Nothing is lost; the next collection frees it.

    Examples
    --------
    >>> with collection_paused():
    ...     gc.isenabled()
    False
    """
    if not gc.isenabled():  # by the program, or by another thread that will enable it again
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def collection_rare() -> Iterator[None]:
    """Let garbage be collected seldom, and not at the end: for a process that soon ends.

    Imports bring some hundred thousand objects that stay. Visiting them again and again, and
    twice more while the process ends, is a quarter of the time of a short command.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.freeze()  # the memory goes back to the system as a whole
