"""What ``auto`` becomes: settings that the number and the length of the series decide.

Every rule stands here once, for estimators and recipes alike. What a fit has chosen is its
``auto_``, and a line in the log of a run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a recipe is read without NumPy
    import numpy as np

__all__ = [
    "AUTO",
    "REFIT",
    "Sample",
    "choose",
    "chosen",
    "early_stopping",
    "forecast_combination",
    "forecast_epochs",
    "forecast_patience",
    "forecast_validation",
    "moves_for",
    "network_for",
    "patch_for",
    "patience_in_epochs",
    "refit_of",
    "shared_course",
    "smoothed",
    "smoothing_window",
]

AUTO = "auto"
REFIT = "refit"

# early stopping
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

# forecasting
FEWEST_SEASONS, MOST_SEASONS = 2, 30
"""Seasons (years where there is none) that series of median length hold, for a theta forecast to be
combined with the network's. Of fewer than two no season is known. On validation windows of the six
sets of tourism and M1 (4 to 24 seasons) and of the airline series (10) the mean of both was better
than either, but for one; on M4 Hourly (38), sunspots (213), lynx (100) the network alone was, by a
sixth to a third."""
FORECAST_STEPS, FORECAST_PASSES = (1200, 4000, 25_000), (3, 20)
"""Gradient steps of a whole fit, and passes over all windows: 20 passes within 1,200 to 4,000
steps; more where those would not be 3 passes, within 25,000. Windows of a series overlap, and more
steps learn them by heart. On validation windows of tourism and M1 25,000 steps were worse than
2,500 to 7,500 in five of the six sets, by 2 to 12 %; of 30 of their series (400 to 1,900 windows)
4,000 were most often worse than 500 to 1,500, by up to a third. The airline series, with 97
windows, wants 1,200; on M4 Hourly, with 300,000, errors went on falling (MASE .99, .90, .83 after
4,000, 10,000 and 25,000)."""
MOST_FORECAST_EPOCHS = 300

# sizes
UNITS, LEARNING_RATE = (64, 64), 3e-3
"""Widths of the recurrent layers, and the step size at the start. Layers of 128 were right as often
on the two largest sets (.883 of 2,975 series and .815 of 600, where 64 have .883 and .812), with
either step size tried, and take two and a half times as long."""
ENSEMBLE = ((1.8e6, 3), (3.6e6, 2))
"""Recurrent steps of a fit with layers of 64 units up to which it is of so many networks: a million
take 13 to 20 seconds of a processor. On the 22 sets of the rules a second network was worth .010 of
accuracy and a third .004; twice as many gradient steps of one .004."""
RECURRENT_STEPS = 32
"""Steps that a series of median length has after patching, at most."""
BATCHES, SMALLEST_BATCH, LARGEST_BATCH = 10, 8, 64
"""Batches that an epoch should have at least, and the bounds of a batch's size."""
GRADIENT_STEPS, MOST_EPOCHS, MOST_STEPS = 3000, 1000, 7.5e6
"""Gradient steps of a whole fit, and what it is cut at: epochs, and recurrent steps (epochs, series
and steps of the longest multiplied), which of unequal series may be many: so many take some two
minutes of one processor. Over 16 sets, on parts of their
training series held out, 3,000 steps were right in .778 of the cases where 1,000 were in .733; the
sets of many classes gain most."""

# what the series are like
SHARED_COURSE = 0.95
"""Share of all variance that the mean course of the series explains, from which on deviations from
it are a feature of their own. Of the sets that rules were chosen on, spectra and outlines are
above; what differs between their classes is a few hundredths of what the network sees otherwise."""
FEWEST_WITH_COURSE = 20
"""Series from which on the mean and spread of single time steps are known well enough."""


@dataclass(frozen=True)
class Sample:
    """What ``auto`` looks at: the series of a fit.

    Attributes
    ----------
    lengths : sequence of int
        Time steps of the series.
    sizes : sequence of int
        How many there are of each class; of regression, of all.
    course : float
        Share of the variance that the mean course explains; 0 where lengths differ.
    """

    lengths: Sequence[int]
    sizes: Sequence[int]
    course: float = 0.0


def shared_course(values: np.ndarray) -> float:
    """Return the share of the series' variance that their mean course explains.

    Parameters
    ----------
    values : ndarray of shape (n_series, n_timesteps, n_features)
        Of one length; NaN does not count.

    Examples
    --------
    >>> import numpy as np
    >>> course = np.sin(np.arange(50.0))[None, :, None]
    >>> differing = np.linspace(-1, 1, 30)[:, None, None]
    >>> shared_course(course + 0.1 * differing) > 0.98, shared_course(differing + 0 * course)
    (True, 0.0)
    """
    import numpy as np

    missing = np.isnan(values)
    count = np.maximum((~missing).sum(0), 1)
    mean = np.where(missing, 0.0, values).sum(0) / count  # (n_timesteps, n_features)
    whole = np.average(mean, axis=0, weights=count)
    explained = (count * (mean - whole) ** 2).sum(0)
    total = np.where(missing, 0.0, (values - whole) ** 2).sum((0, 1))
    varying = total > 0
    if not varying.any():
        return 0.0
    return float(np.mean(explained[varying] / total[varying]))


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


def forecast_combination(season: int, lengths: Sequence[int]) -> str:
    """Decide whether a theta forecast is combined with the network's.

    Examples
    --------
    >>> forecast_combination(12, [144]), forecast_combination(24, [700, 960])
    ('theta', 'none')
    """
    seasons = statistics.median(lengths) / season
    return "theta" if FEWEST_SEASONS <= seasons <= MOST_SEASONS else "none"


def forecast_epochs(steps: int, n_windows: int, batch_size: int) -> int:
    """Decide how many epochs of this many gradient steps a forecaster is trained.

    Examples
    --------
    >>> forecast_epochs(250, 10_000, 32), forecast_epochs(25, 800, 32), forecast_epochs(4, 100, 32)
    (16, 48, 300)
    >>> forecast_epochs(250, 300_000, 32)
    100
    """
    fewest, usual, most = FORECAST_STEPS
    least, enough = (passes * n_windows / batch_size for passes in FORECAST_PASSES)
    wanted = min(max(min(max(enough, fewest), usual), least), most)
    return min(max(round(wanted / steps), 1), MOST_FORECAST_EPOCHS)


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


def network_for(steps: float | None) -> dict[str, Any]:
    """Return the recurrent stack for series of so many steps after patching, and its pooling.

    Parameters
    ----------
    steps : float or None
        None = not known.

    Examples
    --------
    >>> network_for(30)
    {'units': [64, 64], 'bidirectional': True, 'pooling': 'mean_max'}
    >>> network_for(1)  # one step has no other end, and is its own mean
    {'units': [64, 64], 'bidirectional': False, 'pooling': 'last'}
    """
    several = steps is None or steps > 1
    return {
        "units": list(UNITS),
        "bidirectional": several,
        "pooling": "mean_max" if several else "last",
    }


def networks_for(steps: float, units: int | Sequence[int]) -> int:
    """Decide how many networks a prediction is the mean of: three, fewer where training is long.

    Parameters
    ----------
    steps : float
        Recurrent steps of a fit: epochs, series and steps of the longest multiplied.
    units : int or sequence of int

    Examples
    --------
    >>> networks_for(3000 * 8 * 32, [64, 64]), networks_for(3000 * 64 * 32, [64, 64])
    (3, 1)
    """
    widths = units if isinstance(units, Sequence) else [units]
    work = steps * sum(width**2 for width in widths) / sum(width**2 for width in UNITS)
    return next((n for most, n in ENSEMBLE if work <= most), 1)


def moves_for(shift: int) -> list[int]:
    """Return the moves that a prediction is the mean over, of series moved by up to `shift`.

    On the 22 sets of the rules their mean was right in .011 more of the cases than the series as
    it stands, of whatever network.

    Examples
    --------
    >>> moves_for(7), moves_for(1), moves_for(0)
    ([-7, -3, 0, 3, 7], [-1, 0, 1], [])
    """
    moves = {0, shift, -shift, shift // 2, -(shift // 2)}
    return sorted(moves) if shift else []


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


def patch_for(length: float) -> int:
    """Return the patch that leaves at most 32 steps of a series of this length.

    Examples
    --------
    >>> patch_for(24), patch_for(150)
    (1, 5)
    """
    return max(math.ceil(length / RECURRENT_STEPS), 1)


def choose(
    settings: Mapping[str, Any], sample: Sample, held: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the values of those settings that are ``auto``.

    Parameters
    ----------
    settings : mapping of str to object
        ``units``, ``bidirectional``, ``pooling``, ``patch``, ``deviations``, ``shift``,
        ``moves``, ``batch_size``, ``epochs``, ``steps_per_epoch``, ``learning_rate``,
        ``ensemble``, ``validation``, ``patience``.
    sample : Sample
        The series of the fit, those to be held back among them.
    held
        As :func:`early_stopping` takes it.

    Examples
    --------
    >>> names = ["units", "bidirectional", "pooling", "patch", "deviations", "shift", "moves",
    ...          "batch_size",        "epochs", "learning_rate", "validation", "patience",
    ...          "ensemble"]
    >>> found = choose(dict.fromkeys(names, "auto") | {"steps_per_epoch": None},
    ...                Sample([150] * 100, [60, 40]))
    >>> for name, value in found.items():
    ...     print(name, value)
    units [64, 64]
    bidirectional True
    pooling mean_max
    patch 5
    deviations False
    shift 2
    moves [-2, -1, 0, 1, 2]
    batch_size 8
    epochs 231
    learning_rate 0.003
    ensemble 3
    validation 0.0
    patience 0
    """
    sizes = sample.sizes
    validation, patience = early_stopping(settings["validation"], settings["patience"], sizes, held)
    trained = sum(sizes) if held is not None else sum(sizes) - round(validation * sum(sizes))
    batch = settings["batch_size"]
    if batch == AUTO:
        by_number = 2 ** round(math.log2(max(trained / BATCHES, 1)))
        batch = min(max(by_number, SMALLEST_BATCH), LARGEST_BATCH)
    steps = settings["steps_per_epoch"] or math.ceil(trained / batch)
    length, patch = statistics.median(sample.lengths), settings["patch"]
    if patch == AUTO:
        patch = patch_for(length)
    found = network_for(math.ceil(length / patch))
    units = found["units"] if settings["units"] == AUTO else settings["units"]
    shift = patch // 2 if settings["shift"] == AUTO else settings["shift"]
    an_epoch = max(trained, 1) * math.ceil(max(sample.lengths) / patch)
    epochs = min(math.ceil(GRADIENT_STEPS / max(steps, 1)), MOST_EPOCHS)
    epochs, networks = max(min(epochs, int(MOST_STEPS // an_epoch)), 1), 1
    if settings["epochs"] == AUTO and not settings.get("warm_start"):
        networks = networks_for(epochs * an_epoch, units)
    found |= {
        "patch": patch,
        "deviations": sample.course >= SHARED_COURSE and trained >= FEWEST_WITH_COURSE,
        "shift": shift,
        "moves": moves_for(shift),
        "batch_size": batch,
        "epochs": epochs,
        "learning_rate": LEARNING_RATE,
        "ensemble": networks,
        "validation": validation,
        "patience": patience,
    }
    wanted = {name for name in found if settings[name] == AUTO}
    if refit_of(settings["validation"])[1] and not patience:
        wanted.add("validation")
    return {name: value for name, value in found.items() if name in wanted}


def chosen(found: Mapping[str, Any]) -> str:
    """Return in words what ``auto`` has become, or nothing.

    Examples
    --------
    >>> chosen({"patch": 5, "validation": 0.0, "patience": 0})
    'auto: patch 5, validation 0.0, patience 0 (a hold-out would be too small to stop by)'
    """
    words = ", ".join(f"{name} {value}" for name, value in found.items())
    if found.get("patience") == 0:
        words += " (a hold-out would be too small to stop by)"
    return f"auto: {words}" if words else ""
