"""The files that names, patterns and URLs stand for."""

from __future__ import annotations

import contextlib
import difflib
import functools
import glob
import hashlib
import itertools
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from seqkit.data.files import LIMITS, reading, sized
from seqkit.errors import DataError, explain

__all__ = ["fetched", "find_files", "is_url"]

log = logging.getLogger(__name__)

BLOCK = 2**20


def find_files(
    paths: str | Path | Sequence[str | Path], folders: Sequence[str | Path] = (".",)
) -> list[Path]:
    """Return the files that names and patterns stand for, each once, patterns sorted by name.

    Parameters
    ----------
    paths : str, Path, or a list of them
        File names, or patterns with ``*``, ``?``, ``[...]`` and ``**``. A file whose name is
        the pattern itself comes first. URLs where fsspec is installed.
    folders : sequence of str or Path, default=(".",)
        Where relative names are searched for; the first folder that has a match counts.

    Raises
    ------
    DataError
        No such file (with near names), an empty file, a folder, a pattern without a match.
    """
    files: dict[Path, None] = {}
    for one in [paths] if isinstance(paths, str | Path) else paths:
        if is_url(one):
            files[fetched(str(one))] = None
            continue
        if "\0" in str(one):
            raise DataError(explain("data", "path", "a file name, without NUL", str(one)))
        with reading(Path(one), "a file name", "Name the home folder in full."):
            name = str(Path(one).expanduser())
        candidates = [Path(name)] if Path(name).is_absolute() else [Path(f) / name for f in folders]
        pattern = any(c in name for c in "*?[")
        for candidate in candidates:
            if _there(candidate):
                matches = [candidate]
            elif pattern:
                matches = _matching(candidate)
            else:
                matches = []
            if matches:
                break
        else:
            _raise_missing(name, candidates, pattern)
        for candidate in matches:
            if sized(candidate).st_size == 0:
                raise DataError(
                    explain(str(candidate), "the file", "data", "an empty file (0 bytes)")
                )
        files.update(dict.fromkeys(matches))
    if not files:
        raise DataError(explain("data", "path", "at least one file", paths))
    return list(files)


def _there(path: Path) -> bool:
    """Whether there is something of that name, be it a broken link."""
    try:
        return path.is_symlink() or path.exists()
    except OSError as error:  # a name too long, a folder that may not be opened
        got = error.strerror or str(error)
        raise DataError(explain(str(path), "path", "a file that can be opened", got)) from error


def _matching(path: Path) -> list[Path]:
    """Return the files a pattern stands for, sorted by name."""
    most = LIMITS["files"].value
    with reading(path, "a pattern of file names", ""):
        matches = list(itertools.islice(glob.iglob(str(path), recursive=True), most + 1))
    if len(matches) > most:
        hint = "Use a narrower pattern."
        raise DataError(
            explain(
                str(path), "the pattern", f"of at most {most:,} files", f"more than {most:,}", hint
            )
        )
    return [path for path in map(Path, sorted(matches)) if not path.is_dir()]


def _raise_missing(name: str, paths: list[Path], pattern: bool) -> NoReturn:
    if pattern:
        shown = " or ".join(str(path) for path in paths)
        raise DataError(explain("data", "path", "a pattern that matches files", shown))
    hint = ""
    for path in paths:
        # a hint is worth no second error
        with contextlib.suppress(OSError):
            names = [p.name for p in path.parent.iterdir()]
            if near := difflib.get_close_matches(path.name, names, n=3):
                hint = f"Did you mean {' or '.join(near)}?"
                break
    else:
        missing = [str(p.parent) for p in paths if not p.parent.is_dir()]
        hint = f"There is no folder {missing[0]}." if missing else ""
    searched = "" if Path(name).is_absolute() else f" (from {Path.cwd()})"
    raise DataError(explain("data", "path", "a file that exists", name + searched, hint))


def is_url(name: object) -> bool:
    """Whether a name is a URL, as ``https://...``, ``s3://...``, and no path.

    Examples
    --------
    >>> is_url("s3://bucket/load.csv"), is_url("data/load.csv")
    (True, False)
    """
    return bool(re.match(r"[a-z][a-z0-9+.-]*:(//|:)", str(name)))


@functools.cache
def fetched(url: str) -> Path:
    """Return the copy of the file at a URL, made anew once a process.

    The copy has a place of its own that depends on the URL alone, so that a run which goes on finds
    its data under the same name.

    Parameters
    ----------
    url : str
        Of any protocol of fsspec.

    Raises
    ------
    DataError
        fsspec is not installed; the file cannot be had, or is larger than the bounds.
    """
    try:
        import fsspec
    except ImportError:
        hint = "Install it with: pip install fsspec; or download the file."
        raise DataError(explain(url, "fsspec", "installed, to read URLs", None, hint)) from None
    name = re.sub(r"[^\w.-]", "_", re.sub(r"[?#].*", "", url).rstrip("/").rpartition("/")[2])
    path = _folder() / hashlib.sha256(url.encode()).hexdigest()[:16] / (name or "file")
    with reading(Path(url), "a file that can be had", "Is the address right, and open to you?"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd, part = tempfile.mkstemp(dir=path.parent)
        try:
            with fsspec.open(url, "rb") as source, os.fdopen(fd, "wb") as file:
                _copy(source, file, url, path.parent)
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    log.info("%s was copied to %s", url, path)
    return path


def _folder() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return home / "seqkit" / "urls"


def _copy(source: object, file: object, url: str, folder: Path) -> None:
    most = min(LIMITS["download"].value, shutil.disk_usage(folder).free // 2)
    size = 0
    while block := source.read(BLOCK):  # type: ignore[attr-defined]
        size += len(block)
        if size > most:
            hint = "Download it yourself, if it is meant."
            raise DataError(
                explain(url, "the file", f"at most {most:,} bytes", f"more than {most:,}", hint)
            )
        file.write(block)  # type: ignore[attr-defined]
