"""What ``auto`` becomes: settings that the number and the length of the series decide.

Every rule stands here once, for estimators and recipes alike. What a fit has chosen is its
``auto_``, and a line in the log of a run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from seqkit.convolutions import (
    MOST_STEM_STEPS,
    convolutions_of,
    multiplications,
    stem_for,
    steps_after,
)
from seqkit.stopping import (
    AUTO,
    LOSS_GOAL,
    calibrated,
    early_stopping,
    refit_of,
)

if TYPE_CHECKING:  # a recipe is read without NumPy
    import numpy as np

__all__ = [
    "AUTO",
    "BY_NETWORK",
    "COUNTED",
    "Sample",
    "choose",
    "chosen",
    "forecast_combination",
    "forecast_epochs",
    "moves_for",
    "network_for",
    "patch_for",
    "settings_of_network",
    "shared_course",
    "widths_of",
    "work_of",
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
UNITS, LEARNING_RATE = (32, 64), 3e-3
"""Widths of the recurrent layers, and the step size at the start. Layers of 128 were right as often
on the two largest sets (.883 of 2,975 series and .815 of 600, where 64 have .883 and .812), with
either step size tried, and take two and a half times as long."""
STEM_UNITS = (32,)
"""Widths of the recurrent layers behind a stem whose steps are pooled as well. Of held-out parts of
ten sets such a network was right in .85 of the cases; layers of 32 and 64 behind a stem that is not
pooled in .80, taking a third longer."""
PYRAMIDS = (3, 1)
"""How many times as fine as the others' the patches of the first recurrent layer are, in the first
network of a fit, the second, and so on in turn."""
COUNTED = ("patch", "overlap", "pyramid")
BY_NETWORK = (*COUNTED, "stem", "branch")
"""Settings that may be a list, a value for each network of an ensemble."""
MOST_NETWORKS, ENSEMBLE_WORK = 3, 4e6
"""Networks of an ensemble, and the work of their fits together, or of one network with a stem: a
million take 10 to 14 seconds of a processor, all of it less than a minute. Of small sets one
network with a stem was right in .957 of the cases, three in .971. Without a stem, on 14 sets that
are learned soon: one .795, two unlike ones .806, three .806, four .811, three alike .798."""
WORK_UNITS = 64
"""Work is counted in steps of two layers of so many units."""
CONVOLVED = 100_000
"""Multiplications of convolutions that take as long as such a step."""
RECURRENT_STEPS = 32
"""Steps that a series of median length has after patching, about."""
BATCHES, SMALLEST_BATCH, LARGEST_BATCH = 10, 8, 64
"""Batches that an epoch should have at least, and the bounds of a batch's size."""
GRADIENT_STEPS, MOST_EPOCHS, MOST_WORK = 3000, 1000, 7.5e6
"""Gradient steps of a whole fit, and what it is cut at: epochs, and work, which of unequal series
may be much: so much takes some two minutes of one processor (with a stem ENSEMBLE_WORK, which it
seldom needs: its losses fall sooner). Over 16 sets, on parts of their
training series held out, 3,000 steps were right in .778 of the cases where 1,000 were in .733; the
sets of many classes gain most."""

UNCALIBRATED_WORK = 0.6
"""Share of the work that a fit is left where another one, on two thirds of the series, follows."""

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


def network_for(
    length: float | None, settings: Mapping[str, Any], number: int = 0
) -> dict[str, Any]:
    """Return what of a network may be ``auto``: what is set is obeyed.

    A stem of convolutions reads a series, unless `patch`, `overlap` or `pyramid` is set. Without
    one (``None``) it is folded into about 32 patches, each of which reads its neighbours too where
    `patch` is ``auto``; and where there are several layers without residual sums, the first of
    them reads finer patches, in each network of an ensemble others: they err differently.

    Parameters
    ----------
    length : float or None
        Time steps of a series; None = not known.
    settings : mapping of str to object
        ``units``, ``bidirectional``, ``pooling``, ``patch``, ``overlap``, ``pyramid``, ``stem``,
        ``branch``, and ``residual``, ``layer_norm``.
    number : int, default=0
        Of the network in an ensemble.

    Examples
    --------
    >>> network_for(300, {"patch": 10})["pyramid"]
    1
    >>> for name, value in network_for(300, {}).items():  # doctest: +ELLIPSIS
    ...     print(name, value)
    patch 1
    overlap 0
    pyramid 1
    units [32]
    bidirectional True
    pooling mean_max
    stem {'filters': [32, 64, 64], 'kernel_size': [9, 7, 5], 'stride': [2, 2, 2], ...}
    branch None
    >>> [network_for(300, {"stem": None}, number)["patch"] for number in range(3)]
    [3, 10, 3]
    >>> one = network_for(1, {})  # one step has no other end, and is its own mean
    >>> one["bidirectional"], one["pooling"]
    (False, 'last')
    """
    names = (*BY_NETWORK, "units", "bidirectional", "pooling")
    given = {name: settings[name] for name in names if settings.get(name, AUTO) != AUTO}
    given = settings_of_network(given, number)
    if "stem" not in given and not given.keys() & set(COUNTED):
        given["stem"] = stem_for(length)
    if given.get("stem") is not None:  # it makes of a series what patches are made for
        rows = convolutions_of("auto", "stem", given["stem"])
        length = None if length is None else steps_after(length, rows)
        steps = 1 if length is None else math.ceil(length / MOST_STEM_STEPS)
        given = {"patch": steps, "overlap": 0, "pyramid": 1} | given
    whole = 1 if length is None else patch_for(length)
    free = "patch" not in given
    flat = not free or settings.get("residual", False)
    flat = flat or len(widths_of(given.get("units", UNITS))) < 2
    pyramid = given.get("pyramid", 1 if flat else PYRAMIDS[number % len(PYRAMIDS)])
    patch = given.get("patch", max(round(whole / pyramid), 1))
    if free and "pyramid" not in given:
        pyramid = 1 if pyramid == 1 else max(round(whole / patch), 1)
    several = length is None or length > patch
    units = list(UNITS)
    if settings.get("residual"):  # a sum is of equals
        units = [max(UNITS)] * len(UNITS)
    elif given.get("stem") is not None and pyramid == 1 and not settings.get("layer_norm"):
        units = list(STEM_UNITS)
    found = {
        "patch": patch,
        "overlap": patch if free and patch > 1 else 0,
        "pyramid": pyramid,
        "units": units,
        "bidirectional": several,
        "pooling": "mean_max" if several else "last",
        "stem": None,
        "branch": None,
    }
    return found | given


def settings_of_network(settings: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the settings of a network of an ensemble: of lists with a value for each its own.

    Examples
    --------
    >>> settings_of_network({"patch": [3, 10], "units": [32, 64]}, number=2)
    {'patch': 3, 'units': [32, 64]}
    """
    own = {
        name: settings[name][number % len(settings[name])]
        for name in BY_NETWORK
        if isinstance(settings.get(name), list | tuple)
    }
    return {**settings, **own}


def networks_for(
    length: float, settings: Mapping[str, Any], most: int = 1, passes: float = 0.0
) -> list[dict[str, Any]]:
    """Return the networks of a fit, each as :func:`network_for` describes it.

    As many as `ensemble` says, or as the longest list of settings holds; else as many as can be
    trained within a bound on the work.

    Parameters
    ----------
    length : float
        Time steps of a series.
    settings : mapping of str to object
        As :func:`network_for` takes them, and ``ensemble``.
    most : int, default=1
        Networks where neither says how many.
    passes : float, default=0.0
        How often a fit sees a series of this length.

    Examples
    --------
    >>> bare = {"stem": None}
    >>> few, many = (networks_for(200, bare, 3, 3000 * batch) for batch in (8, 64))
    >>> [network["pyramid"] for network in few], len(many)
    ([4, 1, 4], 1)
    >>> len(networks_for(300, {"patch": [10, 5]})), len(networks_for(300, {"ensemble": 4}))
    (2, 4)
    """
    n = settings.get("ensemble", AUTO)
    given = [settings.get(name) for name in BY_NETWORK]
    listed = max(len(value) if isinstance(value, list | tuple) else 1 for value in given)
    if n == AUTO and listed > 1:
        n = listed
    found = [network_for(length, settings, k) for k in range(most if n == AUTO else n)]
    if n == AUTO:
        together = accumulate(passes * work_of(length, network) for network in found)
        found = found[: max(sum(work <= ENSEMBLE_WORK for work in together), 1)]
    return found


def widths_of(units: int | Sequence[int]) -> tuple[int, ...]:
    """Return the width of every recurrent layer: one number is a stack of one.

    Examples
    --------
    >>> widths_of(8), widths_of([8, 4])
    ((8,), (8, 4))
    """
    return tuple(int(u) for u in units) if isinstance(units, Sequence) else (int(units),)


def work_of(length: float, network: Mapping[str, Any]) -> float:
    """Return what a series costs, in recurrent steps of two layers of 64 units.

    A step takes time of its own, as much as the products of 64 units take, and more with the
    square of the width.

    Parameters
    ----------
    length : float
        Time steps.
    network : mapping
        As :func:`network_for` returns it.

    Examples
    --------
    >>> flat = network_for(320, {"patch": 10, "units": [64, 64]})
    >>> work_of(320, flat), work_of(320, flat | {"units": [128, 128]})
    (32.0, 80.0)
    >>> work_of(320, network_for(320, {})), work_of(320, network_for(320, {"stem": None}))
    (32.6216, 51.4375)
    """
    work = 0.0
    for name in ("stem", "branch"):
        if network.get(name) is not None:
            rows = convolutions_of("auto", name, network[name])
            work += multiplications(length, 1, rows) * 4 * WORK_UNITS**2 / CONVOLVED
            length = steps_after(length, rows) if name == "stem" else length
    steps = math.ceil(length / network["patch"])
    for layer, width in enumerate(widths_of(network["units"])):
        steps = math.ceil(steps / network["pyramid"]) if layer == 1 else steps
        work += steps * (WORK_UNITS**2 + width**2)
    return work / (4 * WORK_UNITS**2)


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


def patch_for(length: float) -> int:
    """Return how many steps of a series of this length are folded into one of 32 at most.

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
        Those of :func:`network_for`, and ``deviations``, ``shift``, ``moves``, ``batch_size``,
        ``epochs``, ``steps_per_epoch``, ``learning_rate``, ``ensemble``, ``validation``,
        ``patience``, and of a classifier ``loss_goal``.
    sample : Sample
        The series of the fit, those to be held back among them.
    held
        As :func:`early_stopping` takes it.

    Examples
    --------
    >>> names = ["patch", "overlap", "pyramid", "stem", "units", "bidirectional", "pooling",
    ...          "deviations", "shift", "moves", "batch_size", "epochs", "learning_rate",
    ...          "validation", "patience", "ensemble", "loss_goal"]
    >>> found = choose(dict.fromkeys(names, "auto") | {"steps_per_epoch": None},
    ...                Sample([150] * 100, [60, 40]))
    >>> for name, value in found.items():  # doctest: +ELLIPSIS
    ...     print(name, value)
    patch 1
    overlap 0
    pyramid 1
    units [32]
    bidirectional True
    pooling mean_max
    stem {'filters': [32, 64, 64], 'kernel_size': [9, 7, 5], 'stride': [2, 2, 1], ...}
    deviations False
    shift 2
    moves [-2, -1, 0, 1, 2]
    batch_size 8
    epochs 231
    learning_rate 0.003
    ensemble 3
    validation 0.0
    patience 0
    loss_goal 0.001
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
    found = network_for(length, settings)
    shift = settings["shift"]
    if shift == AUTO:
        folded = found["patch"] * found["pyramid"]
        shift = (folded if found["stem"] is None else patch_for(length)) // 2
    an_epoch = max(trained, 1) * work_of(longest, found)
    epochs = min(math.ceil(GRADIENT_STEPS / max(steps, 1)), MOST_EPOCHS)
    watched = (held is not None or bool(validation)) and not refit_of(settings["validation"])[1]
    calibrate = calibrated(settings, sizes, watched)
    most_work = MOST_WORK if found["stem"] is None else ENSEMBLE_WORK
    most_work *= UNCALIBRATED_WORK if calibrate and not watched else 1
    epochs = max(min(epochs, int(most_work // an_epoch)), 1)
    # whoever counts epochs knows what they cost, and what goes on from an optimizer is one network
    free = settings["epochs"] == AUTO and not settings.get("warm_start")
    most = MOST_NETWORKS if free else 1
    networks = networks_for(length, settings, most, epochs * trained * longest / length)
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
        "ensemble": len(networks),
        "validation": validation,
        "patience": patience,
        "loss_goal": LOSS_GOAL if free and not patience else None,
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
