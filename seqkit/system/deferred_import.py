"""Modules of others that are imported when something of them is used, not when they are named.

scikit-learn imports all of ``scipy.stats`` for one function that no estimator here calls, which is
a third of the time in which a short command runs, or in which a program has its first small fit.
Whoever uses something of it has it then, in whatever thread.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["deferred"]


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


class _Finder(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Deferred(spec.loader)
        return spec


def deferred(name: str) -> None:
    """Run a module only when something of it is used, unless it has been imported already.

    Parameters
    ----------
    name : str
        Full name of a module.
    """
    waiting = any(isinstance(f, _Finder) and f.name == name for f in sys.meta_path)
    if name not in sys.modules and not waiting:
        sys.meta_path.insert(0, _Finder(name))
