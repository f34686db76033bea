"""What a run keeps of a fit under way, to resume from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqkit.runs.folder import RunFolder
    from seqkit.runs.tracking import Tracking
    from seqkit.system.progress import Progress

__all__ = ["CHECKPOINT", "Keeper"]

CHECKPOINT = Path("checkpoints", "last.npz")


class Keeper:
    """After each epoch: show, log and track it, and now and then keep the state to resume from."""

    SHARE = 20  # a checkpoint is written when this many times its own duration has passed,
    LEAST, MOST = 0.5, 30.0  # and these seconds at least or at most

    def __init__(self, folder: RunFolder, show: Progress | None, tracking: Tracking) -> None:
        self.folder = folder
        self.show = show
        self.tracking = tracking
        self.epochs = 0
        self._saved = time.monotonic()
        self._cost = 0.0
        (folder.path / CHECKPOINT).parent.mkdir(exist_ok=True)

    def __call__(self, epoch: int, logs: Mapping[str, float], get_state: Callable[[], Any]) -> None:
        """Be told of an epoch, as :func:`seqkit.training.fit` tells ``on_epoch``."""
        self.epochs += 1
        if self.show:
            self.show.epoch(epoch, logs)
        scores = " ".join(f"{name}={value:.6g}" for name, value in logs.items())
        self.folder.log(f"epoch {epoch + 1} {scores}")
        self.tracking.epoch(epoch, logs)
        begun = time.monotonic()
        if begun - self._saved >= min(self.MOST, max(self.LEAST, self.SHARE * self._cost)):
            get_state().save(self.folder.path / CHECKPOINT)
            self._saved = time.monotonic()
            self._cost = self._saved - begun
