"""What is held back: early stopping, how long a fit waits, which losses it compares; calibration.

The rule stands here once, for estimators and recipes alike.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AUTO",
    "CALIBRATION_PART",
    "FEWEST_HELD",
    "IMBALANCED",
    "LOSS_GOAL",
    "REFIT",
    "calibrated",
    "early_stopping",
    "epochs_after",
    "forecast_patience",
    "forecast_validation",
    "has_learned",
    "patience_in_epochs",
    "refit_of",
    "smoothed",
    "smoothing_window",
]

AUTO = "auto"
REFIT = "refit"

FEWEST_HELD = 50
"""Validation series, or windows, below which early stopping is off. An accuracy of .85 measured on
50 series has a standard error of .05, about what epochs near the best one differ by; on 5 series it
has one of .16, and the best epoch is a matter of luck."""
FEWEST_SPARED = 250
"""The same where they would have to be taken from the training series, which miss them: with 250 of
those, 0.15 held out and training stopped by them cost .085 of accuracy in the mean of six sets."""
FEWEST_OF_A_CLASS = 2
"""Held-out series of the rarest class below which early stopping is off."""
SHARE, PATIENCE = 0.15, 10
"""Share held back, and epochs of patience, where early stopping is on."""
STEPS_OF_PATIENCE = 50
"""Gradient steps that an epoch of patience lasts at least. With 20 series an epoch is a step or
two, after which no loss has reason to be lower."""
SMOOTHED = 5
"""Epochs (of 50 gradient steps at least) whose validation losses are looked at together, but half
the patience at most."""
LOSS_GOAL = 1e-3
"""Training loss of a classifier, a cross-entropy, below which it has learned its series. Of 22 sets
14 came there within 1,200 of 3,000 steps; trained for 1,000 they were right as often (.795 of the
cases, .797 after 3,000), the others not (.701 and .723)."""
STEPS_TO_LEARN, STEPS_AFTER = 50, 1000
"""Gradient steps whose losses are looked at together for that, and those of a fit at least."""
IMBALANCED, CALIBRATION_PART = 0.6, 1 / 3
"""Share of the most frequent class from which on probabilities are calibrated, and the part that is
held out to learn how. In three splits of Earthquakes, .824 of one class, networks were right of .77
of the part that was held out; of no other set of the rules is a class so frequent and so little to
be learned."""


def refit_of(validation: Any) -> tuple[Any, bool]:
    """Return what ``validation`` holds back, and whether all is trained on anew afterwards.

    Examples
    --------
    >>> refit_of("refit"), refit_of({"refit": 0.2}), refit_of(0.2), refit_of("auto")
    ((0.15, True), (0.2, True), (0.2, False), ('auto', False))
    """
    if isinstance(validation, Mapping):
        return validation[REFIT], True
    return (SHARE, True) if validation == REFIT else (validation, False)


def early_stopping(
    validation: float | str | Mapping[str, float],
    patience: int | str,
    sizes: Sequence[int],
    held: Sequence[int] | None = None,
) -> tuple[float, int]:
    """Decide what is held back, and how long a fit waits for a better validation loss.

    What the user has set is obeyed. What is ``auto`` depends on the part that is held out, or would
    be: with fewer than 50 series in it (250 if nobody has asked for it, since training misses
    them), or fewer than two of some class, its loss says too little to choose an epoch by. Then all
    series are trained on, the learning rate follows its schedule to the end, and the last weights
    are kept. With ``refit`` training misses nothing in the end: 50 are enough, and where there are
    fewer nothing is held back either.

    Parameters
    ----------
    validation : float, "auto", "refit" or {"refit": float}
        Share of the training series to hold back.
    patience : int or "auto"
        In epochs, as :func:`patience_in_epochs` counts them; 0 = never stop early.
    sizes : sequence of int
        Training series of each class, those to be held back among them; of regression, of all.
    held : sequence of int, optional
        The same of a validation part that is given.

    Returns
    -------
    validation : float
    patience : int

    Examples
    --------
    >>> early_stopping("auto", "auto", [10, 10])
    (0.0, 0)
    >>> early_stopping("auto", "auto", [2000, 2000]), early_stopping("auto", "auto", [500, 500])
    ((0.15, 10), (0.0, 0))
    >>> early_stopping("auto", 5, [10, 10]), early_stopping(0.25, "auto", [10, 10])
    ((0.15, 5), (0.25, 0))
    >>> early_stopping("refit", "auto", [500, 500]), early_stopping("refit", "auto", [100, 100])
    ((0.15, 10), (0.0, 0))
    """
    asked, refit = refit_of(validation)
    share = SHARE if asked == AUTO else float(asked)
    fewest = FEWEST_HELD
    if held is None:
        held = [math.floor(share * size) for size in sizes]
        fewest = FEWEST_SPARED if asked == AUTO else FEWEST_HELD
    if patience == AUTO:
        enough = sum(held) >= fewest and min(held) >= FEWEST_OF_A_CLASS
        patience = PATIENCE if enough else 0
    if (asked == AUTO or refit) and not patience:
        share = 0.0
    return share, int(patience)


def calibrated(settings: Mapping[str, Any], sizes: Sequence[int], watched: bool) -> bool:
    """Return whether probabilities are calibrated on series that were not trained on.

    Where one class is so frequent that a network which has learned little is worse than it, and
    either a part is held out anyway (`watched`) or one can be that says enough. Whoever counts
    epochs or weighs classes is not surprised by it.

    Examples
    --------
    >>> auto = {"calibrate": "auto", "epochs": "auto"}
    >>> calibrated(auto, [264, 58], False), calibrated(auto, [160, 162], False)
    (True, False)
    >>> calibrated(auto, [26, 6], False), calibrated({"calibrate": True}, [26, 6], False)
    (False, True)
    """
    asked = settings.get("calibrate", False)
    if asked != AUTO:
        return bool(asked)
    free = settings["epochs"] == AUTO and not settings.get("warm_start")
    held = [math.floor(CALIBRATION_PART * size) for size in sizes]
    enough = watched or (sum(held) >= FEWEST_HELD and min(held) >= FEWEST_OF_A_CLASS)
    imbalanced = len(sizes) > 1 and max(sizes) >= IMBALANCED * sum(sizes)
    return free and enough and imbalanced and settings.get("class_weight") is None


def forecast_validation(validation: Any, patience: int | str) -> float:
    """Decide how much of the end of every series a forecaster holds back.

    Nothing, unless the user asks for a part to stop by: the end of a series says most about what
    comes after it, while of many series in no order some can be spared.

    Examples
    --------
    >>> forecast_validation("auto", "auto"), forecast_validation("auto", 5)
    (0, 0.15)
    >>> forecast_validation(24, "auto"), forecast_validation({"refit": 24}, "auto")
    (24, 24)
    """
    share: float | str = refit_of(validation)[0]
    if isinstance(share, str):
        return 0 if patience == AUTO or not patience else SHARE
    return share


def forecast_patience(patience: int | str, held: int) -> int:
    """Decide how long a fit of a forecaster waits for a better validation loss.

    As :func:`early_stopping`, with windows for series: with fewer than 50 in the part that is held
    out, or given, its loss says too little to choose an epoch by.

    Examples
    --------
    >>> forecast_patience("auto", held=200), forecast_patience("auto", held=12)
    (10, 0)
    """
    if isinstance(patience, str):
        return PATIENCE if held >= FEWEST_HELD else 0
    return patience


def patience_in_epochs(patience: int, steps: int) -> int:
    """Return after how many epochs without a better validation loss training stops.

    Patience ``p`` is ``p`` epochs, and ``50 p`` gradient steps at least: an epoch of fewer steps
    counts as a part of one.

    Examples
    --------
    >>> patience_in_epochs(10, steps=200), patience_in_epochs(10, steps=2)
    (10, 250)
    """
    return max(patience, math.ceil(STEPS_OF_PATIENCE * patience / steps))


def smoothing_window(patience: int, steps: int) -> int:
    """Return how many epochs' validation losses early stopping looks at together.

    As many as make 5 epochs of patience, but no more than half the patience: a change for the
    better is seen in time.

    Parameters
    ----------
    patience : int
        In epochs as they are, as :func:`patience_in_epochs` returns it; 0 = nothing is stopped.
    steps : int
        Gradient steps of an epoch.

    Examples
    --------
    >>> smoothing_window(10, steps=200), smoothing_window(250, steps=2), smoothing_window(2, 200)
    (5, 125, 1)
    """
    return max(min(patience_in_epochs(SMOOTHED, steps), math.ceil(patience / 2)), 1)


def smoothed(losses: Sequence[float], window: int) -> float:
    """Return the validation loss that early stopping compares: the median of the last ones.

    An epoch is the best by what it and those before it reached, so that none is by luck alone:
    a single low loss moves a median of five hardly at all, and a mean by a fifth of its depth.

    Parameters
    ----------
    losses : sequence of float
        An epoch each, up to now.
    window : int
        As :func:`smoothing_window` returns it; fewer at the beginning.

    Examples
    --------
    >>> curve = [9, 7, 1, 6, 5, 4, 3]
    >>> [smoothed(curve[:n], window=5) for n in range(1, 8)]
    [9, 8.0, 7, 6.5, 6, 5, 4]
    """
    return statistics.median(losses[-window:])


def has_learned(losses: Sequence[float], goal: float | None, steps: int) -> bool:
    """Return whether the training loss has come below a goal: the median of the last epochs'.

    Parameters
    ----------
    losses : sequence of float
        Of training, an epoch each, up to now.
    goal : float or None
        None = there is none.
    steps : int
        Gradient steps of an epoch; epochs of 50 steps are looked at together, or one.

    Examples
    --------
    >>> has_learned([0.5, 0.1, 0.0005, 0.2, 0.0006, 0.0004], 0.001, steps=17)
    True
    >>> has_learned([0.0005, 0.0001], 0.001, steps=17), has_learned([0.0005], 0.001, steps=60)
    (False, True)
    """
    window = math.ceil(STEPS_TO_LEARN / steps)
    if goal is None or len(losses) < window:
        return False
    return statistics.median(losses[-window:]) < goal


def epochs_after(learned: int, epochs: int, steps: int) -> int:
    """Return the epochs of a fit that has learned after so many: half as many again.

    The learning rate follows its schedule to the end of those, so that the last weights are those
    of small steps. With fewer than 1,000 gradient steps in all it goes on until then.

    Examples
    --------
    >>> epochs_after(100, epochs=1000, steps=3), epochs_after(400, epochs=1000, steps=3)
    (334, 600)
    >>> epochs_after(900, epochs=1000, steps=3)
    1000
    """
    return min(epochs, max(math.ceil(1.5 * learned), math.ceil(STEPS_AFTER / steps)))
