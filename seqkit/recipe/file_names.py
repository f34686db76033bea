"""What a file is by its name."""

from __future__ import annotations

from pathlib import PurePath

__all__ = ["is_table"]

TABLE_ENDINGS = (
    ".parquet",
    ".feather",
    ".xlsx",
    *(
        ending + packing
        for ending in (".csv", ".jsonl")
        for packing in ("", ".gz", ".bz2", ".xz", ".zip")
    ),
)


def is_table(path: str | list[str] | None) -> bool:
    """Return whether a file of this name, or the first of several, holds a table of named columns.

    Examples
    --------
    >>> is_table("data/load.csv.gz"), is_table("GunPoint_TRAIN.ts")
    (True, False)
    """
    path = path[0] if isinstance(path, list) else path
    return path is not None and PurePath(path).name.lower().endswith(TABLE_ENDINGS)
