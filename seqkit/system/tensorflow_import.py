"""TensorFlow as the command line wants it: silent, with threads of its own, and only if needed.

Native networks need no TensorFlow, so it is not imported beforehand: what has to be done when
it is imported is done then.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from seqkit.system.collection import collection_paused

__all__ = ["greeting_dropped", "when_imported"]


def when_imported(then: Callable[[], None]) -> None:
    """Silence TensorFlow's greeting when it is imported, and call `then` right after."""
    if "tensorflow" in sys.modules:
        then()
        return
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(then))


class _Finder(MetaPathFinder):
    """Steps in once, when ``tensorflow`` is imported."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.then = then

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Silent(spec.loader, self.then)
        return spec


class _Silent(Loader):
    """Loads a module as its own loader does, without a word on standard error."""

    def __init__(self, loader: Loader, then: Callable[[], None]) -> None:
        self.loader = loader
        self.then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with greeting_dropped(), collection_paused():
            self.loader.exec_module(module)
        self.then()


@contextlib.contextmanager
def greeting_dropped() -> Iterator[None]:
    """Drop what is written to standard error meanwhile.

    Compiled code greets on the file descriptor itself, before any setting of it is read.
    """
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
