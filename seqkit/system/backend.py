"""Whether Keras and TensorFlow can be used in this process, decided before either is imported."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["check_backend", "keras_backend"]

_FORKED = False


def keras_backend() -> str:
    """Return the backend that Keras has, or will have once it is imported.

    Examples
    --------
    >>> keras_backend()
    'tensorflow'
    """
    loaded: Any = sys.modules.get("keras")
    if hasattr(loaded, "config"):
        return str(loaded.config.backend())
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME")
    try:
        folder = Path.home() / ".keras" if home is None else Path(home)
        return str(json.loads((folder / "keras.json").read_text("utf-8"))["backend"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):  # as Keras itself does
        return "tensorflow"


def check_backend() -> None:
    """Raise where a graph cannot be built or run here.

    Raises
    ------
    RuntimeError
        If Keras has another backend than TensorFlow; or if this process was forked from one that
        had computed with TensorFlow, whose threads are not here, so that it would wait for ever.
    """
    backend = keras_backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"seqkit: Keras's backend must be tensorflow where Keras is needed; got {backend!r}. "
            "Set KERAS_BACKEND=tensorflow before Keras is imported."
        )
    if _FORKED:
        raise RuntimeError(
            "seqkit: TensorFlow cannot compute in a process that was forked after it had "
            "computed. Start processes by 'spawn' or 'forkserver', or let joblib do it; networks "
            "that are trained natively work in forked processes, too."
        )


def _in_child() -> None:
    """Note whether TensorFlow had started its threads before the fork."""
    global _FORKED
    context: Any = sys.modules.get("tensorflow.python.eager.context")
    running = None if context is None else context.context_safe()
    _FORKED = _FORKED or bool(running is not None and running._context_handle is not None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
