"""Opening data files: every size is bounded before memory is taken, every error names the file.

What a file declares of itself (a shape, a number of rows, an unpacked size) is a claim that
anybody can write into a few bytes. It is compared with :data:`LIMITS` and with the size of the
file before an array is made. No format that is read here can carry code: pickles are refused.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from seqkit.errors import DataError, explain

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "LIMITS",
    "PACKINGS",
    "Limit",
    "check_columns",
    "check_names",
    "check_unpacked",
    "open_bytes",
    "open_text",
    "reading",
    "sized",
]

AGAIN = "Copy or download it again."


class Limit(NamedTuple):
    """One row of :data:`LIMITS`."""

    value: int
    what: str
    reason: str


LIMITS: dict[str, Limit] = {
    "files": Limit(
        100_000,
        "files of one path or pattern",
        "archives of one file a series have some ten thousand",
    ),
    "ratio": Limit(
        100,
        "times its own size that a compressed file may unpack to",
        "text and numbers pack 3 to 50 times, a bomb of zeros 200 to 1000 times",
    ),
    "slack": Limit(
        16 * 2**20,
        "bytes that any compressed file may unpack to, whatever its own size",
        "small files of zeros pack well, and that much memory does no harm",
    ),
    "members": Limit(
        10_000,
        "arrays of an .npz file",
        "a role in a part is one array: a dozen are in use",
    ),
    "columns": Limit(
        100_000,
        "columns of a table, or channels of a series",
        "each is an object with a name; a file of commas would fill the memory with them",
    ),
    "name": Limit(
        255,
        "characters of the name of a column, a series, a group or a class",
        "as long as a file name may be; an array of names takes the longest for each",
    ),
    "download": Limit(
        4 * 2**30,
        "bytes that a URL may lead to",
        "more than that is no table that fits into memory",
    ),
    "dictionary": Limit(
        128 * 2**20,
        "bytes of memory that unpacking an .xz file may take",
        "xz -9 asks for 64 MiB, a header for whatever it likes",
    ),
    "header": Limit(
        10_000,
        "bytes of the header of an array",
        "numpy's own limit for headers that are not trusted",
    ),
}


def memory() -> int:
    """Return the bytes of memory that are free now, the limit of a container included."""
    free = [2**33]  # where the system cannot say
    with contextlib.suppress(OSError, ValueError, AttributeError):
        free = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = [1024 * int(next(x for x in lines if x.startswith("MemAvailable")).split()[1])]
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text(encoding="ascii"))
        free.append(most - int((group / "memory.current").read_text(encoding="ascii")))
    return max(min(free), LIMITS["slack"].value)


def sized(path: Path) -> os.stat_result:
    """Return the facts of a regular file, or say why it cannot be read.

    Raises
    ------
    DataError
        A folder, a pipe or a device, a broken link, no such file, no permission.
    """
    with reading(path, "a file that can be opened"):
        if path.is_symlink() and not path.exists():
            got = f"a link to {str(path.readlink())!r}, which is not there"
            raise DataError(explain(str(path), "the file", "a file that exists", got))
        facts = path.stat()
        if path.is_dir():
            hint = f"Name the files in it, as in {str(path / '*.csv')!r}."
            raise DataError(explain("data", "path", "a file", str(path), hint))
        if not path.is_file():
            got = "a pipe, a socket or a device"
            hint = "Save its content in a file first."
            raise DataError(explain(str(path), "the file", "a regular file", got, hint))
    return facts


@contextlib.contextmanager
def reading(path: Path, expected: str, hint: str = AGAIN) -> Iterator[None]:
    """Turn whatever a parser makes of a damaged file into a `DataError` that names the file.

    A parser meets bytes that its authors never thought of, so what it raises is no fixed list.
    Keep the block to the parser's own calls.

    Parameters
    ----------
    path : Path
    expected : str
        What the file must be.
    hint : str
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser: what counts is what it returns
            yield
    except DataError:
        raise
    except MemoryError as error:
        got = "more than fits into memory"
        raise DataError(explain(str(path), "the file", expected, got, hint)) from error
    except OSError as error:
        # zlib, gzip and pyarrow raise OSErrors without a number for what the bytes hold
        text = error.strerror or _first_line(error)
        hint = "" if error.errno else hint
        raise DataError(explain(str(path), "the file", expected, text, hint)) from error
    except Exception as error:
        got = _first_line(error)
        raise DataError(explain(str(path), "the file", expected, got, hint)) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def check_unpacked(
    path: Path, packed: int, unpacked: int, free: int | None = None, what: str = "the file"
) -> None:
    """Raise where a file would unpack to more than `LIMITS` or free memory allow.

    Parameters
    ----------
    path : Path
    packed, unpacked : int
        Bytes of the file, and what it unpacks to (or says so).
    free : int, optional
        Free memory before anything was read; default: now.
    what : str, default="the file"
    """
    most = max(LIMITS["ratio"].value * packed, LIMITS["slack"].value)
    if unpacked > most:
        expected = f"at most {most:,} bytes unpacked ({LIMITS['ratio'].value} times its own size)"
        hint = "It may be made to fill the memory; if it is yours, store it unpacked."
        raise DataError(explain(str(path), what, expected, f"{unpacked:,} bytes", hint))
    free = memory() if free is None else free
    if unpacked > free:
        expected = f"at most the free memory, {free:,} bytes"
        hint = "Divide it, or use a computer with more memory."
        raise DataError(explain(str(path), what, expected, f"{unpacked:,} bytes", hint))


def check_columns(where: str, count: int) -> None:
    """Raise where there are more columns or channels than `LIMITS` allow."""
    if count > LIMITS["columns"].value:
        expected = f"at most {LIMITS['columns'].value:,}"
        hint = "Are rows and columns exchanged?"
        raise DataError(explain(where, "the number of columns", expected, count, hint))


def check_names(names: Iterable[Any], where: str, what: str) -> None:
    """Raise where a name is longer than `LIMITS` allow."""
    most = LIMITS["name"].value
    for name in names:
        if isinstance(name, str) and len(name) > most:
            raise DataError(explain(where, what, f"of at most {most} characters", name))


def _unzipped(path: Path) -> Any:
    """Open the one file of a zip archive."""
    store = zipfile.ZipFile(path)
    members = [m for m in store.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    if len(members) != 1:
        shown = ", ".join(repr(m.filename) for m in members[:5]) or "none"
        hint = "Unpack it, and name the files that are meant."
        raise DataError(
            explain(str(path), "the archive", "of one file", f"{len(members)} ({shown})", hint)
        )
    if members[0].flag_bits & 1:
        raise DataError(explain(str(path), "the archive", "open", "an encrypted one", "Unpack it."))
    return store.open(members[0])


class _Lzma(io.RawIOBase):
    """The bytes of an ``.xz`` file, its dictionary bounded: the header may ask for 4 GB."""

    def __init__(self, path: Path) -> None:
        self._file, self._unpacker = path.open("rb"), self._fresh()

    def _fresh(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=LIMITS["dictionary"].value)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        given = b""
        while True:
            if self._unpacker.eof:  # files may follow one another in one
                given = self._unpacker.unused_data.lstrip(b"\0") or self._file.read(2**16)
                if not given.lstrip(b"\0"):
                    return b""
                self._unpacker = self._fresh()
            elif self._unpacker.needs_input:
                given = self._file.read(2**16)
                if not given:
                    raise EOFError("the compressed file ended before its end-of-stream marker")
            if block := self._unpacker.decompress(given, size):
                return block
            given = b""

    def close(self) -> None:
        self._file.close()
        super().close()


PACKINGS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    ".gz": ("gzip", gzip.open),
    ".bz2": ("bzip2", bz2.open),
    ".xz": ("xz", _Lzma),
    ".zip": ("a zip archive", _unzipped),
}
"""How text files may be compressed: by ending, what that is called, and how it is opened."""


class _Watched(io.RawIOBase):
    """The bytes of a file: counted as they are unpacked, and, of text, none of them zero."""

    def __init__(self, path: Path, file: Any, packed: int, binary: bool) -> None:
        self._path, self._file, self._packed, self._count = path, file, packed, 0
        self._free, self._binary = memory(), binary

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        packing = PACKINGS.get(self._path.suffix.lower())
        with reading(self._path, f"whole {packing[0]}" if packing else "readable"):
            block = self._file.read(memoryview(buffer).nbytes)
        if b"\0" in block and not self._binary:
            expected, hint = "text in UTF-8", "Save it as UTF-8; UTF-16 and binary files are none."
            raise DataError(explain(str(self._path), "the file", expected, "NUL bytes", hint))
        self._count += len(block)
        check_unpacked(self._path, self._packed, self._count, self._free)
        memoryview(buffer).cast("B")[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_bytes(path: Path, binary: bool = False) -> IO[bytes]:
    """Open a text file, plain or compressed, as bytes that keep to `LIMITS`.

    Parameters
    ----------
    path : Path
    binary : bool, default=False
        Whether there may be NUL bytes, as in UTF-16.

    Raises
    ------
    DataError
        Here, or while it is read: a damaged compressed file, NUL bytes, more than may be unpacked.
    """
    packed = sized(path).st_size
    packing = PACKINGS.get(path.suffix.lower())
    with reading(path, "a file that can be opened" if packing is None else f"whole {packing[0]}"):
        file: Any = path.open("rb") if packing is None else packing[1](path)
    if packing is None:
        check_unpacked(path, packed, packed)
    return io.BufferedReader(_Watched(path, file, packed, binary), 2**18)


def open_text(path: Path, newline: str | None = None, encoding: str = "utf-8-sig") -> IO[str]:
    """Open a text file as `open_bytes` does; bytes of another encoding become lone surrogates."""
    wide = encoding.startswith(("utf-16", "utf-32"))
    file = open_bytes(path, binary=wide)
    errors = "replace" if wide else "surrogateescape"
    return io.TextIOWrapper(file, encoding=encoding, errors=errors, newline=newline)
