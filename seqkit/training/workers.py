"""One thread a worker where joblib runs several processes side by side."""

from __future__ import annotations

import multiprocessing
import os

__all__ = ["follow_joblib"]

_SETTINGS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def follow_joblib() -> int | None:
    """Give TensorFlow as many threads as joblib gives each of its loky workers.

    joblib divides the cores among its workers and tells numerical libraries so through
    ``OMP_NUM_THREADS`` and the like, which TensorFlow does not read: two workers on two cores would
    run with two threads each and get in each other's way. It is called when this package is
    imported, before TensorFlow makes its threads, and does nothing outside a worker. A setting in
    the environment stands; ``joblib.parallel_config("loky", inner_max_num_threads=n)`` decides n.

    Returns
    -------
    int or None
        Threads a worker; None outside of one.

    Examples
    --------
    >>> follow_joblib() is None
    True
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if not multiprocessing.current_process().name.startswith("Loky") or not given.isdigit():
        return None
    for name in _SETTINGS:
        os.environ.setdefault(name, given)
    return int(os.environ[_SETTINGS[0]])
