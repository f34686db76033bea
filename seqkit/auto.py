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

from seqkit.auto_networks import (
    BY_NETWORK,
    ENSEMBLE_WORK,
    MOST_NETWORKS,
    UNCALIBRATED_WORK,
    moves_for,
    network_for,
    networks_for,
    patch_for,
    work_of,
)
from seqkit.stopping import (
    AUTO,
    LOSS_GOAL,
    STEPS_AFTER,
    calibrated,
    early_stopping,
    refit_of,
)

if TYPE_CHECKING:  # a recipe is read without NumPy
    import numpy as np

__all__ = [
    "AUTO",
    "Sample",
    "choose",
    "chosen",
    "forecast_combination",
    "forecast_epochs",
    "is_symbolic",
    "roughness",
    "shared_course",
]

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
BATCHES, SMALLEST_BATCH, LARGEST_BATCH = 10, 8, 64
"""Batches that an epoch should have at least, and the bounds of a batch's size."""
LEARNING_RATE = 3e-3
"""Step size at the start."""
GRADIENT_STEPS, MOST_EPOCHS, MOST_WORK = 3000, 1000, 7.5e6
"""Gradient steps of a whole fit, and what it is cut at: epochs, and work, which of unequal series
may be much: so much takes some two minutes of one processor (with a stem ENSEMBLE_WORK, which it
seldom needs: its losses fall sooner). Over 16 sets, on parts of their
training series held out, 3,000 steps were right in .778 of the cases where 1,000 were in .733; the
sets of many classes gain most."""

MIXUP, FEWEST_MIXED = 0.2, 100
"""How much the series of a classifier are mixed, and how many there must be at least."""
MOST_SYMBOLS = 10
"""Whole numbers less than so much apart are symbols, and are not mixed: half of one symbol and half
of another is neither. Of an embedded Reber grammar's continuations .958 were right with them mixed,
all without; of a counting language's .988 and all."""


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
    roughness : float
        As :func:`roughness` tells it.
    symbolic : bool
        As :func:`is_symbolic` tells it.
    """

    lengths: Sequence[int]
    sizes: Sequence[int]
    course: float = 0.0
    roughness: float = math.inf
    symbolic: bool = False

    @classmethod
    def of(cls, values: np.ndarray, lengths: np.ndarray | None, sizes: Sequence[int]) -> Sample:
        """Look at series, of `values` and `lengths` as :func:`roughness` takes them.

        Examples
        --------
        >>> import numpy as np
        >>> sample = Sample.of(np.eye(4)[:, :, None], None, [2, 2])
        >>> sample.lengths, round(sample.course, 2), round(sample.roughness, 2), sample.symbolic
        ([4], 0.0, 1.63, True)
        """
        return cls(
            [values.shape[1]] if lengths is None else lengths.tolist(),
            sizes,
            shared_course(values) if lengths is None else 0.0,
            roughness(values, lengths),
            is_symbolic(values, lengths),
        )


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


def roughness(values: np.ndarray, lengths: np.ndarray | None = None) -> float:
    """Return the spread of the differences of one step from the next, by that of the values.

    Parameters
    ----------
    values : ndarray of shape (n_series, n_timesteps, n_features)
        NaN does not count.
    lengths : ndarray of shape (n_series,), optional

    Returns
    -------
    float
        Mean over the features; infinite where nothing varies, or no series has two steps.

    Examples
    --------
    >>> import numpy as np
    >>> wave = np.sin(np.arange(628)[None, :, None] / 100)
    >>> noise = np.random.default_rng(0).normal(size=(1, 999, 1))
    >>> round(roughness(wave), 3), round(roughness(noise), 1)
    (0.01, 1.4)
    """
    import numpy as np

    if lengths is not None:
        there = np.arange(values.shape[1]) < lengths[:, None]
        values = np.where(there[:, :, None], values, np.nan)
    steps = values[:, 1:] - values[:, :-1]
    found = []
    for x, d in zip(np.moveaxis(values, 2, 0), np.moveaxis(steps, 2, 0), strict=True):
        x, d = x[~np.isnan(x)], d[~np.isnan(d)]
        spread = x.std() if len(x) else 0.0
        if spread > 0 and len(d):
            found.append(d.std() / spread)
    return float(np.mean(found)) if found else math.inf


def is_symbolic(values: np.ndarray, lengths: np.ndarray | None = None) -> bool:
    """Return whether series are of symbols, not of what is measured: between two there is nothing.

    That is, of whole numbers that are less than 10 apart, as symbols, events and what is on or
    off are written. NaN and padding do not count; `values` and `lengths` are as :func:`roughness`
    takes them.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.eye(3)[None]
    >>> is_symbolic(one), is_symbolic(one / 2), is_symbolic(10 * one)
    (True, False, False)
    """
    import numpy as np

    if lengths is not None:
        values = values[np.arange(values.shape[1]) < lengths[:, None]]
    low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
    if not high - low < MOST_SYMBOLS:
        return False
    return bool(((values == np.round(values)) | np.isnan(values)).all())


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


def choose(
    settings: Mapping[str, Any], sample: Sample, held: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the values of those settings that are ``auto``.

    Parameters
    ----------
    settings : mapping of str to object
        Those of :func:`network_for`, and ``deviations``, ``differences``, ``shift``, ``moves``,
        ``batch_size``, ``epochs``, ``steps_per_epoch``, ``learning_rate``, ``ensemble``,
        ``validation``, ``patience``, and of a classifier ``mixup`` and ``loss_goal``.
    sample : Sample
        The series of the fit, those to be held back among them.
    held
        As :func:`early_stopping` takes it.

    Examples
    --------
    >>> names = ["patch", "overlap", "pyramid", "stem", "units", "bidirectional", "pooling",
    ...          "deviations", "differences", "shift", "moves", "batch_size", "epochs",
    ...          "learning_rate", "validation", "patience", "ensemble", "mixup", "loss_goal"]
    >>> found = choose(dict.fromkeys(names, "auto") | {"steps_per_epoch": None},
    ...                Sample([150] * 100, [60, 40], roughness=0.05))
    >>> for name, value in found.items():  # doctest: +ELLIPSIS
    ...     print(name, value)
    patch [1, 1, 2, 5]
    overlap [0, 0, 2, 5]
    pyramid [1, 1, 2, 1]
    units [[32], [32], [32, 64], [32, 64]]
    bidirectional True
    pooling mean_max
    stem [{'filters': [32, 64, 64], 'kernel_size': [9, 7, 5], 'stride': [2, 2, 1], ...}, None, None]
    differences [True, False, True, True]
    deviations False
    shift 2
    moves [-2, -1, 0, 1, 2]
    batch_size 8
    epochs 231
    learning_rate 0.003
    mixup 0.2
    ensemble 4
    validation 0.0
    patience 0
    loss_goal None
    """
    sizes = sample.sizes
    validation, patience = early_stopping(settings["validation"], settings["patience"], sizes, held)
    trained = sum(sizes) if held is not None else sum(sizes) - round(validation * sum(sizes))
    batch = settings["batch_size"]
    if batch == AUTO:
        by_number = 2 ** round(math.log2(max(trained / BATCHES, 1)))
        batch = min(max(by_number, SMALLEST_BATCH), LARGEST_BATCH)
    steps = settings["steps_per_epoch"] or math.ceil(trained / batch)
    length, longest = statistics.median(sample.lengths), max(sample.lengths)
    classes = "loss_goal" in settings
    rough = sample.roughness if classes else math.inf  # what numbers ask for is seldom a shape
    found = network_for(length, settings, roughness=rough)
    shift = settings["shift"]
    if shift == AUTO:
        folded = found["patch"] * found["pyramid"]
        shift = (folded if found["stem"] is None else patch_for(length)) // 2
    an_epoch = max(trained, 1) * work_of(longest, found)
    epochs = min(math.ceil(GRADIENT_STEPS / max(steps, 1)), MOST_EPOCHS)
    watched = (held is not None or bool(validation)) and not refit_of(settings["validation"])[1]
    calibrate = calibrated(settings, sizes, watched)
    most_work = MOST_WORK if found["stem"] is None else ENSEMBLE_WORK / 2
    most_work *= UNCALIBRATED_WORK if calibrate and not watched else 1
    epochs = max(min(epochs, int(most_work // an_epoch)), 1)
    # whoever counts epochs knows what they cost, and what goes on from an optimizer is one network
    free = settings["epochs"] == AUTO and not settings.get("warm_start")
    mixup = settings.get("mixup", 0.0)
    if mixup == AUTO:
        mixup = MIXUP if trained >= FEWEST_MIXED and not sample.symbolic else 0.0
    # what is mixed is never learned by heart
    goal = LOSS_GOAL if free and not patience and classes and not mixup else None
    # they may learn sooner, or stop: then as many are trained as the work allows
    least = STEPS_AFTER / max(epochs * steps, 1) if goal or (patience and classes and free) else 1.0
    soonest = min(least, 1.0)
    passes = epochs * soonest * trained * longest / length
    most = MOST_NETWORKS if free else 1
    networks = networks_for(length, settings, most, passes, rough)
    for name in BY_NETWORK:
        values = [network[name] for network in networks]
        found[name] = values if any(value != values[0] for value in values) else values[0]
    found |= {
        "deviations": sample.course >= SHARED_COURSE and trained >= FEWEST_WITH_COURSE,
        "shift": shift,
        "moves": moves_for(shift),
        "batch_size": batch,
        "epochs": epochs,
        "learning_rate": LEARNING_RATE,
        "mixup": mixup,
        "ensemble": len(networks),
        "validation": validation,
        "patience": patience,
        "loss_goal": goal,
        "calibrate": calibrate,
    }
    wanted = {name for name in found if settings.get(name) == AUTO}
    if refit_of(settings["validation"])[1] and not patience:
        wanted.add("validation")
    return {name: value for name, value in found.items() if name in wanted}


def chosen(found: Mapping[str, Any]) -> str:
    """Return in words what ``auto`` has become, or nothing.

    Examples
    --------
    >>> chosen({"patch": [5, 9], "patience": 0, "loss_goal": 0.001})
    'auto: patch [5, 9], patience 0 (a hold-out would be too small to stop by), loss_goal 0.001'
    """
    why = " (a hold-out would be too small to stop by)"
    words = [
        f"{name} {value}{why if (name, value) == ('patience', 0) else ''}"
        for name, value in found.items()
    ]
    return f"auto: {', '.join(words)}" if words else ""
