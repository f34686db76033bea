"""How functions are compiled, and the cache that compiled kernels are kept in.

Numba's own cache is taken apart by pickle and by LLVM, neither of which looks at what it is given:
an empty file, as a loss of power leaves it, ends in an exception or takes the process down; a file
of somebody else's runs his code. So a file here begins with the digest of the rest, is loaded only
if that fits, and lies in a folder that nobody but the user can write to.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import llvmlite
import numba
import numpy as np
from numba import types as numba_types
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.extending import intrinsic

from seqkit.network.cpu.memory import vectors

__all__ = [
    "Double",
    "Doubles",
    "Floats",
    "Integers",
    "Matrix",
    "Single",
    "Steps",
    "Vector",
    "at",
    "compiled",
    "declared",
    "double",
    "is_compiled",
    "kernel",
    "single",
    "start",
]

single, double = np.float32, np.float64
# Numba says that it has types, and most of it has none
_config: Any = numba.config
types: Any = numba_types
_result: Any = CompileResult
_dumps: Any = dumps
_log = logging.getLogger(__name__)
DIGEST = hashlib.sha256().digest_size


def _candidates() -> Iterator[tuple[Path, str]]:
    """Yield folders that a cache may be made in, and where each name is from, the best first."""
    for variable, given in (
        ("NUMBA_CACHE_DIR", _config.CACHE_DIR),
        ("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME")),
    ):
        if given and os.path.isabs(given):
            yield Path(given) / ("" if variable == "NUMBA_CACHE_DIR" else "seqkit"), variable
        elif given:  # by the XDG specification, too; it would be the working folder's
            _log.warning("%s must be an absolute path; got %r, which is ignored", variable, given)
    homes = [os.environ.get("HOME", "")]
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        homes.append(pwd.getpwuid(os.getuid()).pw_dir)
    if os.name == "nt":
        homes.append(os.path.expanduser("~"))
    for home in homes:
        if os.path.isabs(home) and os.path.isdir(home):
            yield Path(home, ".cache", "seqkit"), "home"
    folder = tempfile.gettempdir()
    if not os.path.samefile(folder, os.getcwd()):
        user = os.getuid() if hasattr(os, "getuid") else "user"
        yield Path(folder, f"seqkit-{user}"), "temporary"


def _unusable(folder: Path) -> str:
    """Make a folder of the user alone, or return why it cannot be used."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.stat()
        if hasattr(os, "getuid"):
            if status.st_uid != os.getuid():
                return "it belongs to another user"
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return "others can write to it (chmod 700 helps)"
            if stat.S_IMODE(status.st_mode) != 0o700:
                folder.chmod(0o700)
        if not os.access(folder, os.W_OK):
            return "it cannot be written"
    except OSError as error:
        return error.strerror or str(error)
    return ""


@functools.cache
def _cache_folder() -> Path | None:
    """Return the folder of this version's kernels; None if there is nowhere to keep them.

    Not in the package's folder, Numba's own choice: what an uninstaller does not know of it leaves,
    and a folder that is left hides the next installation.
    """
    # what a kernel is made of: its own file does not tell, for kernels call into other files
    files = sorted(Path(__file__).parent.glob("*.py"))
    made_by = f"{sys.implementation.cache_tag} {numba.__version__} {llvmlite.__version__}"
    state = hashlib.sha256(made_by.encode() + b"".join(p.read_bytes() for p in files)).hexdigest()
    for parent, source in _candidates():
        # a folder that the user names may be everybody's, those that are made here may not
        folders = (
            [parent / state[:16]] if source == "NUMBA_CACHE_DIR" else [parent, parent / state[:16]]
        )
        for folder in folders:
            if why := _unusable(folder):
                _log.warning("%s is not used for compiled kernels: %s", folder, why)
                break
        else:
            return folders[-1]
    _log.warning("compiled kernels cannot be kept: every process compiles them anew")
    return None


@functools.cache
def _tell(what: str, folder: Path) -> None:
    """Say it once, not for every kernel."""
    _log.warning(what, folder)


@functools.cache
def _announce(module: str, folder: Path) -> None:
    """Say what the seconds are for, once for the kernels of a module."""
    _log.info("compiling the %s kernels for this processor, once: kept in %s", module, folder)


def is_compiled(family: str) -> bool:
    """Return whether the kernels of a family of cells are in the cache."""
    folder = _cache_folder()
    return folder is not None and any(folder.glob(f"{family}._{family}_backward-*.nbc"))


class _KernelCache(_Cache):
    """One file for each function and signature: a digest, then what Numba makes of the result."""

    def __init__(self, function: Any, folder: Path) -> None:
        self.folder = folder
        self.function = function
        self.module = function.__module__.rpartition(".")[2]

    @property
    def cache_path(self) -> str:
        return str(self.folder)

    def _path(self, signature: Any, codegen: Any) -> Path:
        key = hashlib.sha256(repr((signature, codegen.magic_tuple())).encode()).hexdigest()
        return self.folder / f"{self.module}.{self.function.__qualname__}-{key[:16]}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba's own cache fills its registries first, a third of a first small fit; what is loaded
        # is machine code, and whatever has to be compiled after all fills them by itself
        path = self._path(sig, target_context.codegen())
        try:
            content = path.read_bytes()
        except OSError:
            _announce(self.module, self.folder)
            return None
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            _tell("%s: a compiled kernel is damaged, and is compiled again", self.folder)
            return None
        return _result._rebuild(target_context, *pickle.loads(content[DIGEST:]))

    def save_overload(self, sig: Any, data: Any) -> None:
        if data.library.has_dynamic_globals:
            return
        content = _dumps(data._reduce())
        path = self._path(sig, data.codegen)
        beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
        try:
            try:
                beside.write_bytes(hashlib.sha256(content).digest() + content)
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        except OSError as error:
            why = error.strerror or str(error)
            _tell("%s: a compiled kernel cannot be kept: " + why, self.folder)

    def enable(self) -> None:
        """Do nothing: it is a cache from the beginning."""

    def disable(self) -> None:
        """Do nothing: Numba asks for it with lifted loops only, which there are none of."""

    def flush(self) -> None:
        """Forget all results of the function."""
        for path in self.folder.glob(f"*.{self.function.__qualname__}-*.nbc"):
            path.unlink(missing_ok=True)


# What the annotations of a kernel stand for: one signature a function, which is declared so.
Floats: TypeAlias = Any
"""A pointer to floats, as in C: an index is neither checked nor counted from the end."""
Vector: TypeAlias = np.ndarray
Matrix: TypeAlias = np.ndarray
Steps: TypeAlias = np.ndarray
Doubles: TypeAlias = np.ndarray
Integers: TypeAlias = np.ndarray
"""Arrays of one, two and three axes, C-ordered, of float32 (of float64: `Doubles`, of int64:
`Integers`); no others."""
Single: TypeAlias = Any
Double: TypeAlias = Any

_TYPES: dict[str, Any] = {
    "Floats": types.CPointer(types.float32),
    # a kernel takes pointers to its arrays, so that those that cannot be written to are welcome
    "Vector": types.Array(types.float32, 1, "C", readonly=True),
    "Matrix": types.Array(types.float32, 2, "C", readonly=True),
    "Steps": types.Array(types.float32, 3, "C", readonly=True),
    "Doubles": types.Array(types.float64, 1, "C"),
    "Integers": types.Array(types.int64, 1, "C"),
    "Single": types.float32,
    "Double": types.float64,
    "int": types.intp,
    "bool": types.boolean,
    "tuple[int, int, int]": types.UniTuple(types.intp, 3),
    "tuple[int, int, int, int]": types.UniTuple(types.intp, 4),
    "tuple[bool, bool]": types.UniTuple(types.boolean, 2),
}

# contract: a product and a sum in one instruction; nothing that treats NaN as impossible.
# No reference is counted: nothing here makes an array, and the caller keeps those it hands over.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": {"contract"},
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


def declared(function: Any) -> tuple[Any, ...]:
    """Return the types of a function's arguments, as its annotations say."""
    return tuple(_TYPES[v] for k, v in function.__annotations__.items() if k != "return")


def _dispatcher(function: Any, **options: Any) -> Any:
    dispatcher = numba.njit(**_OPTIONS, **options)(function)
    folder = _cache_folder()
    if folder is not None and hasattr(dispatcher, "targetctx"):  # else nothing is compiled at all
        dispatcher._cache = _KernelCache(function, folder)
    return dispatcher


def compiled(function: Any) -> Any:
    """Compile a function that kernels call: it can be called from nowhere else."""
    dispatcher = _dispatcher(function, no_cpython_wrapper=True)
    if hasattr(dispatcher, "targetctx"):
        # as declared, whatever it is called with: Numba makes one more of each number in the call
        compile_as = dispatcher.compile
        dispatcher.compile = lambda _signature: compile_as(declared(function))
    return dispatcher


class kernel:
    """A kernel, compiled when it is first called or loaded from the cache.

    It runs without the interpreter's lock. ``buffers`` are the sizes of the vectors that it works
    in: uninitialised, in one block, handed to it after its other arguments.
    """

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self.dispatcher = _dispatcher(function)
        self._lock = threading.Lock()
        self._call = self._first_call

    def _first_call(self, *arguments: Any) -> None:
        with self._lock:  # the directions of a layer come at once
            if self._call == self._first_call:
                if hasattr(self.dispatcher, "targetctx"):
                    self.dispatcher.compile(declared(self.dispatcher.py_func))
                    self.dispatcher.disable_compile()
                self._call = self.dispatcher
        self._call(*arguments)

    def __call__(self, *arguments: Any, buffers: Sequence[int] = ()) -> None:
        """Run it."""
        if not buffers:
            self._call(*arguments)
            return
        block, work = vectors(buffers)
        self._call(*arguments, *work)
        del block  # not before: the vectors do not keep it


def _of_array(_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return _TYPES["Floats"](array), generate


def _moved(_context: Any, pointer: Any, count: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.intp), generate


start: Any = intrinsic(_of_array)
"""``start(array)`` is the pointer to the first element of an array."""

at: Any = intrinsic(_moved)
"""``at(pointer, n)`` is the pointer to what is n floats further on."""
