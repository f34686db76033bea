"""The run folder: everything one run made, written whole or not at all.

A run works in ``NAME.partial`` beside its final place and is renamed when it is whole, so a
folder without that ending is always complete (or says itself that its training failed).
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from seqkit.documents import REMEDY, damaged, digest_of, parse_json, read_file
from seqkit.errors import RunError
from seqkit.estimators.saving import WEIGHTS

__all__ = [
    "FORMAT",
    "PARTIAL",
    "RunFolder",
    "fingerprint",
    "open_run",
    "read_verified",
    "versions",
]

FORMAT = 2
PARTIAL = ".partial"
LARGEST_RECORD = 1 << 24  # bytes of run.json


class RunFolder:
    """A run folder that is being written.

    Parameters
    ----------
    path : pathlib.Path
        The ``.partial`` folder; exists.

    Attributes
    ----------
    path : pathlib.Path
    record : dict
        What ``run.json`` holds.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path = path
        self.record = record
        self._started = time.monotonic() - record.get("seconds", 0.0)

    @classmethod
    def create(cls, out: Path, name: str, record: Mapping[str, Any]) -> RunFolder:
        """Make a new folder ``out/20260901-1412-NAME-3f2a.partial``.

        Raises
        ------
        RunError
            If `out` cannot be written.
        """
        now = datetime.datetime.now().astimezone()
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "run"
        try:
            out.mkdir(parents=True, exist_ok=True)
            while True:
                mark = hashlib.sha256(f"{now.isoformat()}{os.urandom(8)!r}".encode()).hexdigest()
                path = out / f"{now:%Y%m%d-%H%M}-{stem}-{mark[:4]}"
                if not path.exists():
                    path = path.with_name(path.name + PARTIAL)
                    path.mkdir()
                    break
        except OSError as error:
            raise RunError(
                f"{out}: the output folder cannot be written: {error.strerror or error}. Name "
                "another one with --out."
            ) from error
        folder = cls(
            path,
            {
                "format": FORMAT,
                "status": "running",
                "started": now.isoformat(timespec="seconds"),
                **record,
                "versions": versions(),
                "host": {
                    "platform": platform.platform(),
                    "python": platform.python_version(),
                    "cpus": os.cpu_count(),
                },
            },
        )
        folder.note()
        return folder

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Open an interrupted run to go on with it.

        Raises
        ------
        RunError
            If it is complete, failed, damaged or of a newer version.
        """
        path = _locate(path)
        record = open_run(path, whole=False)
        if record["status"] not in ("running", "interrupted"):
            raise RunError(
                f"{path}: the run is {record['status']}, there is nothing to resume. Start a new "
                "one with its recipe.resolved.yaml."
            )
        return cls(path, record)

    def note(self, **changes: Any) -> None:
        """Update ``run.json``."""
        self.record.update(changes, seconds=round(time.monotonic() - self._started, 3))
        self.write("run.json", self.record)

    def write(self, name: str, content: Any) -> Path:
        """Write a text, or a JSON document, so that a reader sees the old or the new one."""
        if not isinstance(content, str):
            content = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(target.name + ".new")
        beside.write_text(content, encoding="utf-8")
        beside.replace(target)
        return target

    def log(self, line: str) -> None:
        """Append a line with the time to ``log.txt``."""
        stamp = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write("".join(f"{stamp} {part}\n" for part in line.splitlines() or [""]))

    def finish(self, status: str) -> Path:
        """Note the status and the digests, and rename the folder to its final name."""
        self.note(status=status, format=FORMAT, files=_digests(self.path))
        final = self.path.with_name(self.path.name.removesuffix(PARTIAL))
        self.path.rename(final)
        self.path = final
        return final

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    @contextlib.contextmanager
    def removed_when_unwritable(self) -> Iterator[None]:
        """Leave nothing half-written when the disk is full or goes away.

        Raises
        ------
        RunError
            Instead of the ``OSError``.
        """
        try:
            yield
        except OSError as error:
            self.remove()
            raise RunError(
                f"{self.path}: the run folder cannot be written: {error.strerror or error}. "
                "Nothing was kept; free some space or name another folder with --out."
            ) from error


def open_run(path: Path, whole: bool = True) -> dict[str, Any]:
    """Return the checked ``run.json`` of a run folder.

    Parameters
    ----------
    path : pathlib.Path
    whole : bool, default=True
        Whether only a complete run will do.

    Raises
    ------
    RunError
        If it is no run folder, damaged, of a newer version, or not complete.
    """
    path = _locate(path)
    file = path / "run.json"
    if not file.is_file():
        raise RunError(f"{path}: this is no run folder: it has no run.json.")
    content = read_file(file, LARGEST_RECORD)
    try:
        record = parse_json(content)
        written, status = record["format"], record["status"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(file, error) from error
    if type(written) is not int or written < 1:
        raise damaged(file, f"format must be a positive integer; got {written!r}")
    if written > FORMAT:
        raise RunError(
            f"{file}: the run has format {written!r}, this seqkit reads up to {FORMAT}. Update "
            "seqkit."
        )
    if whole and status != "complete":
        mend = " Go on with: seqkit fit --resume " + str(path) if status != "failed" else ""
        raise RunError(f"{path}: the run is not complete, but {status}.{mend}")
    needed = ["recipe.resolved.yaml"]
    if whole:
        needed += [WEIGHTS[written], "model.json", "metrics.json"]
    lost = [name for name in needed if not (path / name).is_file()]
    if lost:
        raise RunError(f"{path}: damaged: {', '.join(lost)} missing. {REMEDY}")
    if whole and written > 1:
        files = record.get("files")
        if not isinstance(files, dict) or not all(isinstance(d, str) for d in files.values()):
            raise damaged(file, "it must have the digests of all files, as 'files'")
    return record


def read_verified(path: Path, record: dict[str, Any], name: str, most: int) -> bytes:
    """Return the content of a file of a complete run, which is as the run has left it.

    Parameters
    ----------
    path : pathlib.Path
    record : dict
        Of :func:`open_run`.
    name : str
    most : int
        Bytes that it may have.

    Raises
    ------
    RunError
        If it is missing, changed or added since, a link, or too large. Folders of format 1 keep no
        digests; theirs is not compared.
    """
    file = _locate(path) / name
    content = read_file(file, most)
    if record["format"] > 1:
        noted = record["files"].get(name)
        if noted is None:
            raise damaged(file, "it was added after the run")
        if hashlib.sha256(content).hexdigest() != noted:
            raise damaged(file, "it was changed after the run")
    return content


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a run folder but ``run.json``, which holds them."""
    return {
        file.relative_to(folder).as_posix(): digest_of(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file != folder / "run.json"
    }


def _locate(path: Path) -> Path:
    """Return the folder, or its unfinished form where only that exists."""
    path = Path(path)
    if path.is_dir():
        return path
    partial = path.with_name(path.name + PARTIAL)
    if partial.is_dir():
        return partial
    raise RunError(f"{path}: there is no such run folder.")


def versions() -> dict[str, str]:
    """Return the versions of what a result may depend on."""
    found = {"python": sys.version.split()[0]}
    for name in ("seqkit", "keras", "tensorflow", "numpy", "scikit-learn", "pandas"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def fingerprint(paths: list[Path]) -> dict[str, str]:
    """Return the SHA-256 of every file a run has read."""
    digests = {}
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        digests[str(path)] = digest.hexdigest()
    return digests
