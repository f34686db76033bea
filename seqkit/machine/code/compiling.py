"""How functions become machine code, and where that is kept."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

__all__ = ["bare", "compiled", "is_compiled", "single"]

single = np.float32
_config: Any = numba.config


@functools.cache
def _cache_folder() -> str:
    """Return the folder of this machine code; nothing if it cannot be written.

    Not in the package's folder, Numba's own choice: what an uninstaller does not know of it leaves,
    and a folder that is left hides the next installation.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    # Numba looks for changes in the file a function is in, not in those that it calls into.
    files = sorted(Path(__file__).parent.glob("*.py"))
    state = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:16]
    folder = os.path.join(_config.CACHE_DIR or os.path.join(base, "seqkit"), state)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return ""
    return folder if os.access(folder, os.W_OK) else ""


def is_compiled(family: str) -> bool:
    """Return whether the machine code of a family of cells is on disk."""
    folder = _cache_folder()
    return bool(folder) and any(Path(folder).glob(f"*/{family}.{family}_backward*.nbc"))


def compiled(function: Any) -> Any:
    """Compile without the interpreter's lock; keep the code on disk where that is possible."""
    # contract: a product and a sum in one instruction; nothing that treats NaN as impossible
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    folder = _cache_folder()
    if not folder:
        return numba.njit(**options)(function)
    before = _config.CACHE_DIR
    _config.CACHE_DIR = folder  # looked up here and now
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        _config.CACHE_DIR = before


def _without_count(_context: Any, array: Any) -> Any:
    """Return the same array without a count of who uses it: to name its rows costs nothing then.

    For arguments of a function, which the caller keeps.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = context.make_array(signature.args[0])(context, builder, arguments[0])
        for field in ("meminfo", "parent"):
            setattr(found, field, ir.Constant(getattr(found, field).type, None))
        return found._getvalue()

    return array(array), generate


bare: Any = intrinsic(_without_count)
