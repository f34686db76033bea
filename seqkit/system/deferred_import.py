"""Modules of others that are imported when something of them is used, not when they are named.

scikit-learn imports all of ``scipy.stats`` for one function that no estimator here calls, pandas
for what it does with frames, ``scipy.special`` for arrays of other libraries: half of the time in
which a short command runs, or in which a program has its first small fit. Whoever uses something of
them has it then, in whatever thread.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["deferred", "lean_imports", "stand_in"]

_lock = threading.Lock()


class _Deferred(Loader):
    """Make a module at once, and run it when an attribute is used that it lacks."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        lock, begun = threading.RLock(), False

        def attribute(name: str) -> Any:
            nonlocal begun
            missing = AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            if name.startswith("__") and name != "__all__":  # read of any module, by the import
                raise missing
            with lock:  # of two threads one runs the module, the other waits for all of it
                if not begun:
                    begun = True
                    self.loader.exec_module(module)
                    vars(module).pop("__getattr__", None)
            if name not in vars(module):  # read by the module itself, half run
                raise missing
            return vars(module)[name]

        vars(module)["__getattr__"] = attribute


class _StandIn(ModuleType):
    """Has what the module of its name has, which is imported when it is asked for something."""

    def __getattr__(self, name: str) -> Any:
        _leave(self)
        return getattr(importlib.import_module(self.__name__), name)


def _leave(other: _StandIn) -> None:
    with _lock:
        if sys.modules.get(other.__name__) is other:
            del sys.modules[other.__name__]


@contextlib.contextmanager
def stand_in(name: str) -> Iterator[None]:
    """Let what is imported within have a module by its name that is imported when it is used.

    Afterwards it is as if nobody had imported it: whoever looks whether it is there, to know
    whether something may be an object of it, does not find it.

    Parameters
    ----------
    name : str
        Full name of a module; nothing happens if it has been imported already.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        yield
        return
    other = _StandIn(name)
    other.__spec__ = spec
    sys.modules.setdefault(name, other)
    parent, _, child = name.rpartition(".")
    if parent:  # `import a.b` names a, whose b is found
        vars(sys.modules[parent]).setdefault(child, other)
    try:
        yield
    finally:
        _leave(other)


class _Lean(Loader):
    """Run a module that imports others of which it uses nothing on the way."""

    def __init__(self, loader: Loader, *names: str) -> None:
        self.loader, self.names = loader, names

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        with contextlib.ExitStack() as stack:
            for name in self.names:
                stack.enter_context(stand_in(name))
            self.loader.exec_module(module)


class _Finder(MetaPathFinder):
    """Give the module of a name another loader, once."""

    def __init__(self, name: str, replaced: Callable[[Loader], Loader]) -> None:
        self.name, self.replaced = name, replaced

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = self.replaced(spec.loader)
        return spec


def deferred(name: str) -> None:
    """Run a module only when something of it is used, unless it has been imported already.

    Parameters
    ----------
    name : str
        Full name of a module.
    """
    _replace(name, _Deferred)


def lean_imports() -> None:
    """Put off what scikit-learn imports and hardly anything here uses."""
    deferred("scipy.stats")
    _replace("sklearn.utils", lambda loader: _Lean(loader, "pandas", "scipy.special"))


def _replace(name: str, replaced: Callable[[Loader], Loader]) -> None:
    waiting = any(isinstance(f, _Finder) and f.name == name for f in sys.meta_path)
    if name not in sys.modules and not waiting:
        sys.meta_path.insert(0, _Finder(name, replaced))
