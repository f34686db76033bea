"""What may change in a finished run: its page, written again, and what is noted of exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqkit.errors import RunError
from seqkit.runs.folder import PARTIAL, _encoded, _hold, _locate, open_run
from seqkit.system import durable
from seqkit.system.documents import digest_of

__all__ = ["amended", "rewritten"]


def rewritten(path: Path, write: Callable[[Path], Path]) -> Path:
    """Let `write` write a file of a finished run again; its digest, and no other, is noted anew.

    Raises
    ------
    RunError
        If the run is not finished, another process is at work on it, or it cannot be written.
    """
    files: list[Path] = []

    def change(record: dict[str, Any], path: Path) -> None:
        files.append(write(path))
        if isinstance(record.get("files"), dict):  # format 1 has none
            record["files"][files[0].relative_to(path).as_posix()] = digest_of(files[0])

    amended(path, change)
    return files[0]


def amended(path: Path, change: Callable[[dict[str, Any], Path], None]) -> None:
    """Let `change` change the record of a finished run, which no other process is at work on.

    Raises
    ------
    RunError
        If the run is not finished, another process is at work on it, or it cannot be written.
    """
    path = _locate(path)
    status = open_run(path, whole=False)["status"]
    if status not in ("complete", "failed") or path.name.endswith(PARTIAL):
        raise RunError(f"{path}: the run is not finished. Go on with: seqkit fit --resume {path}")
    try:
        lock = _hold(path)
        if lock is None:
            raise RunError(f"{path}: another process is at work on this run.")
        with lock:
            record = open_run(path, whole=False)
            before = json.dumps(record)
            change(record, path)
            if json.dumps(record) != before:
                durable.write_file(path / "run.json", _encoded(record))
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}.") from error
