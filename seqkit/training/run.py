"""A fit under way: what every way of training shares."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from seqkit.stopping import epochs_after, has_learned, smoothed
from seqkit.training.sources import Batch, Source, Stream, batches_of
from seqkit.training.state import TrainingState

__all__ = ["NORMS", "SCHEDULES", "GradientNorms", "Run"]

LOOK_SECONDS = 1.0
"""Progress within an epoch is told about this often."""

PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_FLOOR = 0.5, 5, 1e-3
"""``plateau``: after 5 epochs without a better loss the rate is halved, down to a thousandth."""


def _constant(base: float, steps: np.ndarray, total: int) -> np.ndarray:
    return np.full(len(steps), base)


def _cosine(base: float, steps: np.ndarray, total: int) -> np.ndarray:
    return 0.5 * base * (1.0 + np.cos(np.pi * steps / max(total, 1)))


SCHEDULES: dict[str, Callable[[float, np.ndarray, int], np.ndarray]] = {
    "constant": _constant,
    "cosine": _cosine,
    "plateau": _constant,  # the base itself changes between epochs
}
"""Learning rate of the steps ``steps`` out of ``total``. Cosine: Loshchilov and Hutter (2017),
equation 5 without restarts, from the learning rate to 0 over all steps of the fit."""


NORMS = ("grad_norm", "grad_norm_max", "clipped")
"""What an epoch's logs say of its gradients."""


class GradientNorms:
    """The global norm of the gradient at every step of an epoch, before it is clipped.

    Parameters
    ----------
    clipnorm : float or None
        The norm above which a step was clipped.
    """

    def __init__(self, clipnorm: float | None) -> None:
        self.most = np.inf if clipnorm is None else clipnorm
        self.norms: list[float] = []

    def add(self, norm: float) -> None:
        """Add that of a step."""
        self.norms.append(norm)

    def result(self) -> dict[str, float]:
        """Return mean and greatest norm, and the share of steps that were clipped."""
        norms = np.asarray(self.norms or [np.nan])
        clipped = float(np.mean(norms > self.most))
        return dict(zip(NORMS, (float(norms.mean()), float(norms.max()), clipped), strict=True))


@dataclasses.dataclass
class Run:
    """A fit under way: its settings and what it has reached.

    A subclass says how epochs are run, and where the weights are meanwhile.
    """

    source: Source | Stream
    validation: Source | Stream | None
    epochs: int
    batch_size: int
    schedule: str
    steps_per_epoch: int | None
    clipnorm: float | None
    window: int
    loss_goal: float | None
    first_rate: float
    state: TrainingState
    progress: Callable[[int, int, int], None] | None

    def begin(self) -> None:
        """Make ready what all runs need; the weights are loaded."""
        self.best: Sequence[Any] | None = self.state.best_weights
        self.bases: dict[int, float] = {}  # rate before the schedule, by epoch
        # a fit that goes on from another's weights compares its own losses only
        fresh = self.state.best_epoch is None
        self.before = len(self.state.history.get("val_loss", ())) if fresh else 0
        self.learned: int | None = None  # epochs after which the loss was below its goal
        losses = self.state.history.get("loss", [])
        for epoch in range(1, len(losses) + 1):
            self.note_learned(losses[:epoch])
        self.remember()

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.steps_per_epoch or -(-self.source.n_examples // self.batch_size)

    # -- what a subclass says ----------------------------------------------------------------

    def load(self, state: TrainingState) -> None:
        """Set weights, optimizer and random state."""
        raise NotImplementedError

    def copy_state(self) -> TrainingState:
        """Return the state as it is now, in arrays of its own."""
        raise NotImplementedError

    def weights_now(self) -> Sequence[Any]:
        """Return the weights as they are now, likewise."""
        raise NotImplementedError

    def run_epoch(self) -> dict[str, float]:
        """Run the next epoch; return its loss and metrics."""
        raise NotImplementedError

    def evaluate(self) -> dict[str, float]:
        """Return loss and metrics on the validation examples, named ``val_...``."""
        raise NotImplementedError

    def sync(self, callbacks: Any, left: float | None) -> None:
        """Take over a learning rate that callbacks have set since it was `left` as it was."""

    # -- what all share ----------------------------------------------------------------------

    def learning_rate(self) -> float:
        """Return the rate of the epoch's last step."""
        last = np.array([(self.state.epoch + 1) * self.steps - 1])
        base, total = self.state.learning_rate, self.epochs_in_all() * self.steps
        return float(SCHEDULES[self.schedule](base, last, total)[0])

    def note_learned(self, losses: Sequence[float]) -> None:
        """Note the first epoch after which the training loss is below its goal."""
        if self.learned is None and has_learned(losses, self.loss_goal, self.steps):
            self.learned = len(losses)

    def epochs_in_all(self) -> int:
        """Return how many epochs the fit has, as it was known at the present one."""
        if self.learned is None or self.state.epoch < self.learned:
            return self.epochs
        return epochs_after(self.learned, self.epochs, self.steps)

    def rates(self) -> np.ndarray:
        """Return the learning rate of every step of the next epoch."""
        first = self.state.epoch * self.steps
        steps = np.arange(first, first + self.steps)
        base, total = self.state.learning_rate, self.epochs_in_all() * self.steps
        return SCHEDULES[self.schedule](base, steps, total).astype(np.float32)

    def batches(self) -> Iterator[Batch]:
        """Yield the shuffled batches of the next epoch."""
        key = self.state.seed, self.state.epoch
        return batches_of(self.source, self.batch_size, key, self.steps_per_epoch)

    def remember(self) -> None:
        """Keep the state as it is now; a diverging fit goes back to it."""
        self.kept = (time.perf_counter(), self.copy_state())

    def track_best(self, logs: dict[str, float]) -> None:
        """Note the best epoch and lower the rate on a plateau; the history has the epoch."""
        state = self.state
        self.bases[state.epoch] = state.learning_rate
        value = logs.get("val_loss")
        if value is not None:
            level = smoothed(state.history["val_loss"][self.before :], self.window)
            if level < state.best_value:
                state.best_value, state.best_epoch, state.wait = level, state.epoch, 0
                self.best = self.weights_now()
            else:
                state.wait += 1
        if self.schedule == "plateau":
            watched = logs["loss"] if value is None else value
            if watched < state.plateau_value:
                state.plateau_value, state.plateau_wait = watched, 0
            else:
                state.plateau_wait += 1
            if state.plateau_wait >= PLATEAU_PATIENCE:
                state.plateau_wait = 0
                floor = self.first_rate * PLATEAU_FLOOR
                state.learning_rate = max(state.learning_rate * PLATEAU_FACTOR, floor)

    def current_state(self) -> TrainingState:
        """Return the state as it is now, as read-only arrays of its own."""
        return _as_arrays(self.copy_state())

    def state_before(self, epoch: int) -> TrainingState:
        """Return the state before a diverging epoch, by running again from the one that is kept."""
        kept = _as_arrays(self.kept[1])
        final, self.state, self.progress = self.state, kept, None
        self.load(kept)
        for self.state.epoch in range(kept.epoch, epoch):
            self.state.learning_rate = self.bases[self.state.epoch]
            self.run_epoch()
        self.state = final
        return self.current_state()


def _as_arrays(state: TrainingState) -> TrainingState:
    lists = {name: getattr(state, name) for name in TrainingState.LISTS}
    arrays: dict[str, Any] = {
        k: None if v is None else [_frozen(tensor) for tensor in v] for k, v in lists.items()
    }
    return dataclasses.replace(state, **arrays)


def _frozen(tensor: Any) -> np.ndarray:
    """Return a read-only array: nobody may change a state that others hold."""
    array = np.array(tensor)
    array.flags.writeable = False
    return array
