"""Modules of others that are imported when something of them is used, not when they are named.

scikit-learn imports all of ``scipy.stats`` for one function that no estimator here calls, which is
a third of the time in which a short command runs. The command line puts it off; a program that
imports seqkit is not touched.
"""

from __future__ import annotations

import importlib.util
import sys
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
        def attribute(name: str) -> Any:
            if name.startswith("__") and name != "__all__":  # read of any module, by the import
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            vars(module).pop("__getattr__", None)
            self.loader.exec_module(module)
            return getattr(module, name)

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
    if name not in sys.modules:
        sys.meta_path.insert(0, _Finder(name))
