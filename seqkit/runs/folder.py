"""The run folder: everything one run made, written whole or not at all.

A run works in ``NAME.partial`` beside its final folder and is renamed when it is whole, so a
folder without that ending is always complete (or says itself that its training failed).

A process that works on a run holds a lock on its ``log.txt``. The lock ends with the process,
however that ends, so a run that says it is running and has no lock was interrupted. ``run.json`` is
written after all that a resume needs; a folder without it is what a process left that died before.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar

from seqkit.errors import RunError, shown
from seqkit.estimators.saving import NETWORK, WEIGHTS
from seqkit.runs.environment import environment
from seqkit.system import durable
from seqkit.system.documents import REMEDY, damaged, digest_of, parse_json, read_file

if sys.platform != "win32":
    import fcntl

__all__ = [
    "FORMAT",
    "PARTIAL",
    "RunFolder",
    "fingerprint",
    "is_running",
    "open_run",
    "read_verified",
]

FORMAT = 2
PARTIAL = ".partial"
STATUSES = ("running", "interrupted", "complete", "failed")
LOG = "log.txt"
FIRST = frozenset({LOG, "recipe.yaml", "recipe.resolved.yaml"})
"""What a folder may hold before it holds ``run.json``."""
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
LARGEST_RECORD = 1 << 24  # bytes of run.json


class RunFolder:
    """A run folder that is being written, by one process at a time.

    A context manager: leaving it lets another process go on, and turns an ``OSError`` into a
    ``RunError`` that says how. Nothing is deleted then.

    Parameters
    ----------
    path : pathlib.Path
        The ``.partial`` folder; exists.
    record : dict
    lock : file
        The log, opened and locked.

    Attributes
    ----------
    path : pathlib.Path
    record : dict
        What ``run.json`` holds.
    cleared : list of str
        A line about every folder without content that was cleared away.
    current : RunFolder or None
        Of the class: the one this process writes last and has not finished. What stops a run
        unforeseen is told in its log.
    """

    current: ClassVar[RunFolder | None] = None

    def __init__(self, path: Path, record: dict[str, Any], lock: IO[bytes]) -> None:
        self.path = path
        self.record = record
        self.cleared: list[str] = []
        self._lock = lock
        self._started = time.monotonic() - record.get("seconds", 0.0)
        RunFolder.current = self

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._lock.close()
        if isinstance(error, OSError):
            raise _broken_off(self.path, error) from error

    @classmethod
    def create(
        cls, out: Path, name: str, record: Mapping[str, Any], files: Mapping[str, str]
    ) -> RunFolder:
        """Make a new folder ``out/20260901-1412-NAME-3f2a.partial`` that holds these files.

        Raises
        ------
        RunError
            If `out` cannot be written.
        """
        now = datetime.datetime.now().astimezone()
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "run"
        made = None
        try:
            out.mkdir(parents=True, exist_ok=True)
            cleared = _clear(out)
            while True:
                path = out / f"{now:%Y%m%d-%H%M}-{stem}-{os.urandom(2).hex()}"
                partial = path.with_name(path.name + PARTIAL)
                if path.exists() or partial.exists():
                    continue
                with contextlib.suppress(FileExistsError):  # another process was faster
                    partial.mkdir()
                    made = partial
                    with contextlib.suppress(FileNotFoundError):  # cleared away meanwhile
                        if lock := _hold(partial):
                            break
            folder = cls(
                partial,
                {
                    "format": FORMAT,
                    "status": "running",
                    "started": now.isoformat(timespec="seconds"),
                    **record,
                    **environment(),
                },
                lock,
            )
            folder.cleared = cleared
            for file, content in files.items():
                folder.write(file, content)
            folder.note()
            folder._note_locks()
            durable.sync(out)
        except OSError as error:
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)
            raise RunError(
                f"{out}: the output folder cannot be written: {error.strerror or error}. Name "
                "another one with --out."
            ) from error
        return folder

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Open an interrupted run to go on with it; or one that is complete but for its name.

        Raises
        ------
        RunError
            If it is finished, damaged, of a newer version, or another process is at work on it.
        """
        path = _locate(path)
        _unfinished(path)
        try:
            lock = _hold(path)
        except OSError as error:
            raise _broken_off(path, error) from error
        if lock is None:
            raise RunError(
                f"{path}: another process is at work on this run. Wait until it has ended."
            )
        try:
            record = _unfinished(path)  # as it is now that no other process can change it
            for left in path.rglob(f"*{durable.BESIDE}"):
                left.unlink()
            folder = cls(path, record, lock)
            folder._note_locks()
        except OSError as error:
            lock.close()
            raise _broken_off(path, error) from error
        except BaseException:
            lock.close()
            raise
        return folder

    def _note_locks(self) -> None:
        if _lock(self._lock.fileno()) is None:
            self.log("there are no locks here: nothing keeps a second process off this run")

    def note(self, **changes: Any) -> None:
        """Update ``run.json``; a status that makes the run whole waits for all files to be so."""
        if changes.get("status") in ("complete", "failed"):
            durable.sync_tree(self.path)
        self.record.update(changes, seconds=round(time.monotonic() - self._started, 3))
        self.write("run.json", self.record)

    def write(self, name: str, content: Any) -> Path:
        """Write bytes, a text, or a JSON document; a reader sees the old or the new one."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.write_file(target, content if isinstance(content, bytes) else _encoded(content))
        return target

    def log(self, line: str) -> None:
        """Append a line with the time to ``log.txt``."""
        stamp = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        with (self.path / LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(f"{stamp} {part}\n" for part in line.splitlines() or [""]))

    def finish(self, status: str) -> Path:
        """Note the status and the digests and, once all is on the disk, give the final name."""
        self.note(status=status, format=FORMAT, files=_digests(self.path))
        final = self.path.with_name(self.path.name.removesuffix(PARTIAL))
        if final != self.path:
            if final.exists():
                raise RunError(
                    f"{final}: this exists already, so the finished run stays at {self.path}. Move "
                    f"what is in its way, then: seqkit fit --resume {self.path}"
                )
            self.path = self.path.rename(final)
        durable.sync(final.parent)
        RunFolder.current = None
        return final

    def discard(self) -> None:
        """Delete the folder: for a run that began with this command and has trained nothing."""
        shutil.rmtree(self.path, ignore_errors=True)


def _encoded(content: Any) -> bytes:
    """Return a text, or a JSON document, in UTF-8."""
    if not isinstance(content, str):
        content = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # a file name that is no UTF-8 becomes an escape, which JSON reads back as that name
    encoded: bytes = content.encode(errors="backslashreplace")
    return encoded


def _broken_off(path: Path, error: OSError) -> RunError:
    where = f" ({error.filename})" if error.filename else ""
    what = f"{path}: the run was broken off: {error.strerror or error}{where}."
    if not path.name.endswith(PARTIAL):
        return RunError(f"{what} It is complete, but might not outlast a loss of power now.")
    return RunError(
        f"{what} All that was written is kept; once the folder can be written again, go on with: "
        f"seqkit fit --resume {path}"
    )


def _lock(handle: int, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed; return whether that went, None where it never does.

    ``flock`` belongs to the opened file, not to the process as ``lockf`` does: reading the file
    somewhere else and closing it there does not end it.
    """
    if sys.platform == "win32":
        return None  # an open file would keep the folder from being renamed
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _hold(path: Path) -> IO[bytes] | None:
    """Return the log of a run folder, locked, or None if another process has it."""
    file = (path / LOG).open("ab")
    try:
        # who had the lock before may have renamed or deleted what has been opened
        if _lock(file.fileno()) is not False and _same(file, path / LOG):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _same(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def is_running(path: Path) -> bool | None:
    """Return whether a process is at work on a run folder; None where there are no locks."""
    try:
        with (path / LOG).open("rb") as file:
            got = _lock(file.fileno(), shared=True)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return None if got is None else not got


def _clear(out: Path) -> list[str]:
    """Delete what processes left in `out` that died before their run began; say so, a line each."""
    said = []
    for path in sorted(out.glob(f"*{PARTIAL}")):
        if re.fullmatch(r"\d{8}-\d{4}-.+-[0-9a-f]{4}\.partial", path.name) and _empty(path):
            with contextlib.suppress(OSError):  # another process's, or it is being filled
                if next(path.iterdir(), None) is not None:
                    lock = _hold(path)
                    if lock is None:
                        continue
                    with lock:
                        if _lock(lock.fileno()) is None or not _empty(path):
                            continue
                        for file in path.iterdir():
                            file.unlink()
                path.rmdir()
                said.append(f"{path}: cleared away: its process ended before the run began")
    return said


def _empty(path: Path) -> bool:
    """Return whether a folder holds nothing but what comes before ``run.json``."""
    with contextlib.suppress(OSError):
        return all(
            not file.is_dir() and (file.name in FIRST or file.name.endswith(durable.BESIDE))
            for file in path.iterdir()
        )
    return False


def _unfinished(path: Path) -> dict[str, Any]:
    """Return ``run.json`` of a run that can be gone on with."""
    if not (path / "run.json").is_file() and path.name.endswith(PARTIAL) and _empty(path):
        raise RunError(
            f"{path}: the process ended before the run began, there is nothing to resume. Start a "
            "new one; that clears this away."
        )
    record = open_run(path, whole=False)
    if record["status"] in ("complete", "failed") and not path.name.endswith(PARTIAL):
        raise RunError(
            f"{path}: the run is {record['status']}, there is nothing to resume. Start a new "
            "one with its recipe.resolved.yaml."
        )
    return record


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
    if status not in STATUSES:
        raise RunError(
            f"{file}: status must be one of {', '.join(STATUSES)}; got {shown(status)}. {REMEDY}"
        )
    if type(written) is not int or written < 1:
        raise damaged(file, f"format must be a positive integer; got {shown(written)}")
    if written > FORMAT:
        raise RunError(
            f"{file}: the run has format {shown(written)}, this seqkit reads up to {FORMAT}. "
            "Update seqkit."
        )
    partial = path.name.endswith(PARTIAL)
    if whole and (status != "complete" or partial):
        hint = f" Go on with: seqkit fit --resume {path}"
        if status == "failed" and not partial:
            hint = ""
        elif running := is_running(path):
            status, hint = "running", " Wait until its process has ended."
        elif running is False or status == "complete":
            status = "interrupted"
        raise RunError(f"{path}: the run is not complete, but {status}.{hint}")
    needed = ["recipe.resolved.yaml"]
    if whole:
        needed += [WEIGHTS[written], "model.json", "metrics.json"]
        needed += [NETWORK] if written > 1 else []
    lost = [name for name in needed if not (path / name).is_file()]
    if lost:
        raise RunError(f"{path}: damaged: {', '.join(lost)} missing. {REMEDY}")
    if whole and written > 1:
        files = record.get("files")
        if not isinstance(files, dict) or not all(isinstance(d, str) for d in files.values()):
            raise damaged(file, "it must have the digests of all files, as 'files'")
    checked: dict[str, Any] = record
    return checked


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
