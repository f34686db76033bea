"""Files of a run folder, read with bounds: what is too large, too deep or no file is refused.

A run folder may come from anywhere. So a file's kind and size are checked before it is read, and a
JSON document's size, depth and keys before anything is made of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from seqkit.errors import RunError

__all__ = ["DEPTH", "LARGEST_JSON", "damaged", "digest_of", "parse_json", "read_file"]

LARGEST_JSON = 1 << 25
"""Bytes of a JSON document: 32 MB are the names of a million series."""
DEPTH = 32
_BRACKETS = 1 << 19  # a list or a map takes some hundred bytes of memory, however short it is
REMEDY = "Restore the folder from a copy, or fit again."


def damaged(file: Path, why: object, remedy: str = REMEDY) -> RunError:
    """Return the error of a file that is not as seqkit wrote it."""
    # what a tampered file says may be long, and no text that a terminal can show
    text = " ".join(str(why).encode("utf-8", "backslashreplace").decode().split())
    return RunError(f"{file}: damaged: {text[:300].rstrip('.')}. {remedy}")


def read_file(file: Path, most: int, remedy: str = REMEDY) -> bytes:
    """Return the content of a plain file of at most `most` bytes; `remedy` ends what errors say.

    Raises
    ------
    RunError
        If it is missing, a link, no plain file (a pipe would never end), too large or unreadable.
    """
    try:
        # a link may lead anywhere, and the opening of a pipe waits for its other end
        handle = os.open(
            file,
            os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0),
        )  # fmt: skip
        with os.fdopen(handle, "rb") as opened:
            about = os.fstat(opened.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise damaged(file, "it is no plain file", remedy)
            if about.st_size > most:
                size = f"it has {about.st_size} bytes, where {most} is the limit"
                raise damaged(file, size, remedy)
            content = opened.read(most + 1)
    except OSError as error:
        why = "it is a link to another file" if file.is_symlink() else error.strerror or error
        raise damaged(file, f"it cannot be read: {why}", remedy) from error
    if len(content) > most:
        raise damaged(file, f"it has over {most} bytes", remedy)
    return content


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def parse_json(content: bytes, most: int = LARGEST_JSON) -> Any:
    """Return what a JSON document says.

    Raises
    ------
    ValueError
        If it is too large or deep, or has a key twice, or numbers that are not finite.

    Examples
    --------
    >>> parse_json(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse_json(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: the key 'a' stands there twice
    """
    if len(content) > most:
        raise ValueError(f"it has {len(content)} bytes, where {most} is the limit")
    if content.count(b"[") + content.count(b"{") > _BRACKETS:
        raise ValueError(f"it has more than {_BRACKETS} lists and maps")
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {DEPTH}") from error
    level = [value]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (list, dict))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return value
    raise ValueError(f"it is nested deeper than {DEPTH}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands there twice")
    return document


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float("inf"):
        raise ValueError(f"the number {text[:40]} is too large")
    return value
