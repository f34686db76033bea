"""What the bits of a result may depend on besides recipe and data: packages, processor, threads."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from seqkit.network.cpu.shards import n_cores, n_side_by_side

__all__ = ["differences_of", "environment"]

PACKAGES = (
    "seqkit", "keras", "tensorflow", "numpy", "scikit-learn", "pandas", "numba", "llvmlite",
    "scipy", "pyarrow", "safetensors", "statsforecast",
)  # fmt: skip


def environment() -> dict[str, dict[str, Any]]:
    """Return ``versions`` and ``host`` as ``run.json`` has them.

    Returns
    -------
    dict
        ``versions`` of Python and packages by name. Of the ``host``: ``platform``, ``python``,
        ``machine``, ``processor`` (its name), ``compiled_for`` (what kernels are compiled for),
        ``cpus``, ``cores`` (that this process may use), ``threads`` (parts of a batch at a time),
        and ``blas`` (what NumPy multiplies with, for which processor, in how many threads).
    """
    import llvmlite.binding

    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    host = {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "compiled_for": str(llvmlite.binding.get_host_cpu_name()),
        "cpus": os.cpu_count(),
        "cores": n_cores(),
        "threads": n_side_by_side(),
        "blas": _blas(),
    }
    return {"versions": versions, "host": host}


def differences_of(
    then: dict[str, Any], now: dict[str, dict[str, Any]]
) -> dict[str, tuple[Any, Any]]:
    """Return what of an environment is another now, by name: what it was and is.

    Parameters
    ----------
    then : dict
        ``run.json``; what an earlier version of seqkit has not noted is None.
    now : dict
        Of :func:`environment`.

    Examples
    --------
    >>> now = {"versions": {"numpy": "2.4", "keras": "3.15"}, "host": {"cores": 2}}
    >>> differences_of({"versions": {"numpy": "2.3", "keras": "3.15"}}, now)
    {'numpy': ('2.3', '2.4'), 'cores': (None, 2)}
    """
    found = {}
    for part, values in now.items():
        noted = then.get(part)
        known = noted if isinstance(noted, dict) else {}
        found.update(
            {name: (known.get(name), value) for name, value in values.items()
             if known.get(name) != value}
        )  # fmt: skip
    return found


def _processor() -> str:
    """Return the name of the processor, as the system tells it."""
    if sys.platform.startswith("linux"):
        try:
            lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _blas() -> str:
    """Return which library NumPy multiplies with; what scikit-learn brings with it is another."""
    import threadpoolctl

    found = [one for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]
    found.sort(key=lambda one: "numpy" not in one["filepath"])
    if not found:
        return "unknown"
    one = found[0]
    words = (one["internal_api"], one["version"], one.get("architecture"))
    return f"{' '.join(map(str, words))}, {one['num_threads']} threads"
