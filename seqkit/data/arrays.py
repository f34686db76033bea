"""Series in `.npz` files of NumPy."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqkit.data.archive import Read, default_names
from seqkit.data.sequences import Sequences, concatenate
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    from seqkit.data.tables import Roles

__all__ = ["PARTS", "read_npz"]

log = logging.getLogger(__name__)

PARTS = ("train", "validation", "test")


def read_npz(path: Path, roles: Roles) -> Read:
    """Read an `.npz` file.

    Keys: ``X`` (n_series, n_timesteps) or (n_series, n_timesteps, n_features); ``y`` (n_series,)
    or another name given as `target`; and where there are such, ``lengths`` (n_series,) valid steps
    of right-padded series, ``group`` (n_series,), ``id`` (n_series,), ``features`` (n_features,)
    names, ``part`` (n_series,) of "train", "validation" and "test". Instead of ``part`` each key
    may end in ``_train``, ``_validation`` or ``_test``.

    Parameters
    ----------
    path : Path
    roles : Roles
        `target`, `series_id` and `group` name other keys than ``y``, ``id`` and ``group``.

    Raises
    ------
    DataError
        A damaged file, pickled objects, a missing key, shapes that do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise DataError(explain(str(path), "the file", "an .npz archive", "one array"))
            arrays = {key: _array(stored, key, path) for key in stored.files}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as fault:
        if isinstance(fault, DataError):
            raise
        raise DataError(explain(str(path), "the file", "a whole .npz", str(fault))) from fault
    names = {
        "y": roles.targets[0] if roles.targets else "y",
        "id": roles.series_id or "id",
        "group": roles.group or "group",
    }
    if len(roles.targets) > 1:
        expected = "one name; the array itself may have several columns"
        raise DataError(explain(str(path), "target", expected, list(roles.targets)))
    parts = [part for part in PARTS if f"X_{part}" in arrays]
    if "X" not in arrays and not parts:
        expected = "an array X, or X_train and X_test"
        raise DataError(explain(str(path), "the file", expected, list(arrays)[:12]))
    if "X" in arrays and parts:
        raise DataError(explain(str(path), "the arrays", "X or X_train, X_test", list(arrays)[:12]))
    for role, key in (
        ("target", roles.targets and names["y"]),
        ("series_id", roles.series_id),
        ("group", roles.group),
    ):
        if key and not any(f"{key}{_end(part)}" in arrays for part in parts or [""]):
            expected = "an array of the file (" + ", ".join(list(arrays)[:12]) + ")"
            raise DataError(explain(str(path), role, expected, key, suggest(key, arrays)))
    used: set[str] = set()
    read = [_part(arrays, part, names, path, used) for part in parts or [""]]
    unused = sorted(set(arrays) - used)
    if unused:
        log.warning("%s: arrays that are not used: %s", path, ", ".join(unused))
    return Read(concatenate(read) if len(read) > 1 else read[0], lambda i, step: str(path))


def _array(stored: np.lib.npyio.NpzFile, key: str, path: Path) -> np.ndarray:
    try:
        return stored[key]
    except ValueError as fault:
        mend = "Store right-padded series and an array lengths."
        got = "pickled objects, which are never loaded"
        raise DataError(explain(str(path), f"array {key!r}", "plain", got, mend)) from fault


def _end(part: str) -> str:
    return f"_{part}" if part else ""


def _part(
    arrays: dict[str, np.ndarray], part: str, names: dict[str, str], path: Path, used: set[str]
) -> Sequences:
    """Return the series of one part, or of the whole file where `part` is empty."""

    def column(name: str) -> np.ndarray | None:
        key = f"{name}{_end(part)}"
        if key not in arrays:
            return None
        used.add(key)
        if arrays[key].shape[:1] != (len(X),):
            expected = f"of {len(X)} entries, one a series"
            raise DataError(explain(str(path), key, expected, arrays[key].shape))
        return arrays[key]

    key = f"X{_end(part)}"
    used.add(key)
    X = arrays[key]
    if X.dtype.kind not in "fiub" or X.ndim not in (2, 3) or 0 in X.shape:
        expected = "numbers of shape (n_series, n_timesteps) or (n_series, n_timesteps, n_features)"
        raise DataError(explain(str(path), key, expected, f"{X.dtype} {X.shape}"))
    X = X[:, :, None] if X.ndim == 2 else X
    features = default_names(X.shape[2])
    if "features" in arrays:
        used.add("features")
        features = tuple(map(str, arrays["features"].ravel().tolist()))
        if len(features) != X.shape[2]:
            raise DataError(explain(str(path), "features", f"{X.shape[2]} names", len(features)))
    lengths = column("lengths")
    if lengths is None:
        lengths = np.full(len(X), X.shape[1])
    whole = lengths.dtype.kind in "iu" and lengths.ndim == 1
    if not whole or lengths.min() < 1 or lengths.max() > X.shape[1]:
        expected = f"whole numbers from 1 to {X.shape[1]}"
        raise DataError(explain(str(path), f"lengths{_end(part)}", expected, lengths.tolist()[:12]))
    stated = np.full(len(X), part) if part else column("part")
    if stated is not None and not set(stated.tolist()) <= set(PARTS):
        wrong = next(one for one in stated.tolist() if one not in PARTS)
        expected = "one of " + ", ".join(PARTS)
        raise DataError(explain(str(path), "part", expected, wrong, suggest(wrong, PARTS)))
    return Sequences(
        X[np.arange(X.shape[1]) < lengths[:, None]].astype(np.float64),
        np.concatenate([[0], np.cumsum(lengths)]),
        features,
        y=column(names["y"]),
        ids=column(names["id"]),
        groups=column(names["group"]),
        parts=stated,
    )
