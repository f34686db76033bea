"""Series in `.npz` files of NumPy."""

from __future__ import annotations

import logging
import math
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from seqkit.data.archive import Read, default_names
from seqkit.data.files import (
    AGAIN,
    LIMITS,
    check_columns,
    check_names,
    check_unpacked,
    reading,
    sized,
)
from seqkit.data.sequences import Sequences, concatenate
from seqkit.errors import DataError, explain, suggest

if TYPE_CHECKING:
    from seqkit.data.roles import Roles

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
    arrays = _arrays(path)
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


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an archive, every size checked before memory is taken."""
    packed = sized(path).st_size
    with reading(path, "an .npz archive, as numpy.savez writes it"), zipfile.ZipFile(path) as store:
        members = store.infolist()
        if len(members) > LIMITS["members"].value:
            expected = f"at most {LIMITS['members'].value}"
            raise DataError(explain(str(path), "the number of arrays", expected, len(members)))
        check_unpacked(path, packed, sum(member.file_size for member in members))
        arrays: dict[str, np.ndarray] = {}
        for member in members:
            name = member.filename
            key = name.removesuffix(".npy")
            if key == name or key in arrays or member.flag_bits & 1 or member.compress_type not in (
                zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
            ):  # fmt: skip
                got = (
                    "another kind of file" if key == name else
                    "a second one of that name" if key in arrays else
                    "an encrypted one" if member.flag_bits & 1 else
                    f"compression {member.compress_type}"
                )  # fmt: skip
                expected = "an .npy array, stored or deflated, once"
                hint = "Write the file with numpy.savez or numpy.savez_compressed."
                raise DataError(explain(str(path), f"member {name!r}", expected, got, hint))
            with store.open(member) as file:
                arrays[key] = _array(file, key, member.file_size, path)
    return arrays


def _array(file: IO[bytes], key: str, size: int, path: Path) -> np.ndarray:
    """Read one array whose header promises what the member holds, and no pickled objects."""
    what = f"array {key!r}"
    form = np.lib.format
    version = form.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        expected = "of format 1.0 or 2.0"  # 3.0 is for names of fields, which no array here has
        raise DataError(explain(str(path), what, expected, version))
    read_header = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file, max_header_size=LIMITS["header"].value)
    if dtype.hasobject:
        hint = "Store right-padded series and an array lengths."
        got = "pickled objects, which are never loaded"
        raise DataError(explain(str(path), what, "plain", got, hint))
    if dtype.kind not in "fiubUS":
        raise DataError(explain(str(path), what, "of numbers or text", str(dtype)))
    declared = math.prod(shape) * dtype.itemsize
    held = size - file.tell()
    if min(shape, default=0) < 0 or declared != held:
        expected = f"of the {held:,} bytes that follow its header"
        raise DataError(explain(str(path), what, expected, f"{dtype} {shape}", AGAIN))
    flat = np.frombuffer(file.read(held), dtype) if held else np.empty(0, dtype)
    array = flat.astype(dtype.newbyteorder("="))  # a copy: what was read cannot be written to
    if dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    elif dtype.kind == "U":
        "".join(array.tolist()).encode()  # raises on what is no Unicode
    return array.reshape(shape, order="F" if fortran_order else "C")


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
        array = arrays[key]
        if array.dtype.kind == "U":
            check_names(array.ravel().tolist(), str(path), key)
        if array.shape[:1] != (len(X),) or array.ndim > (2 if name == names["y"] else 1):
            expected = f"of {len(X)} entries, one a series"
            raise DataError(explain(str(path), key, expected, array.shape))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            got = float(array[~np.isfinite(array)][0])
            raise DataError(explain(str(path), key, "finite in every series", got))
        return array

    key = f"X{_end(part)}"
    used.add(key)
    X = arrays[key]
    if X.dtype.kind not in "fiub" or X.ndim not in (2, 3) or 0 in X.shape:
        expected = "numbers of shape (n_series, n_timesteps) or (n_series, n_timesteps, n_features)"
        raise DataError(explain(str(path), key, expected, f"{X.dtype} {X.shape}"))
    X = X[:, :, None] if X.ndim == 2 else X
    check_columns(f"{path}: {key}", X.shape[2])
    features = default_names(X.shape[2])
    if "features" in arrays:
        used.add("features")
        features = tuple(map(str, arrays["features"].ravel().tolist()))
        check_names(features, str(path), "each of features")
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
