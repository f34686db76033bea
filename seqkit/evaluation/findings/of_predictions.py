"""Findings in what a model predicts, and in how its gates stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.evaluation.findings.evidence import (
    Evidence,
    Finding,
    Found,
    GateShares,
    WindowErrors,
    some_of,
    worst_network,
)

__all__ = ["OF_PREDICTIONS"]

Floats = npt.NDArray[np.float64]

FEWEST_TRUE = 5  # cases of a class: of one that is found half of the time all are missed once in 32
FEWEST_SURE = 50  # series: a share of them has a standard error of .07 at most
BINS, DRAWS, MOST_DRAWN = 10, 1000, 20_000
WRONG = 0.1  # of a share: who says .9 and means .8
BY_CHANCE = 1e-3  # once in 1000
ERRORS = 3.0
FEWEST_WINDOWS = 5
FEWEST_CASES = 10  # forecasts that do not overlap
CORRELATED = 0.3  # leaves .91 of the variance: less is no gain
BIASED = 0.5  # of the mean absolute error
SHARE_OF_SERIES, SHARE_OF_ERROR, FEWEST_SERIES = 0.05, 0.5, 20
SHUT = 0.95  # of a gate's activations


# classes ---------------------------------------------------------------------------------------


def _never_predicted(evidence: Evidence) -> Found | None:
    parts = (evidence.scores or {})["parts"]
    part: Any = parts.get("test") or next(iter(parts.values()), {})
    table = part.get("confusion")
    if table is None or part.get("collapsed"):
        return None
    counts = np.asarray(table["counts"])  # (true, predicted)
    never = np.flatnonzero((counts.sum(axis=0) == 0) & (counts.sum(axis=1) >= FEWEST_TRUE))
    if not len(never):
        return None
    cases = {str(table["labels"][i]): int(counts[i].sum()) for i in never}
    named = {one: one if any(map(str.isalnum, one)) else repr(one) for one in cases}
    shown = [f"{named[label]} (true of {n})" for label, n in cases.items()]
    mend = "more series of it, or one class together with one that is like it"
    return Found(
        f"Classes that are never answered: {some_of(shown)}.",
        {"cases": cases},
        mend if evidence.setting("train.class_weight") else "",
    )


def _ill_calibrated(evidence: Evidence) -> Found | None:
    given = evidence.probabilities
    assert given is not None
    p = np.asarray(given.probabilities, np.float64)
    if len(p) < FEWEST_SURE:
        return None
    sure, right = p.max(axis=1), p.argmax(axis=1) == given.truth
    rng = np.random.default_rng(0)
    mixed = rng.permutation(len(sure))[:MOST_DRAWN]  # equal ones must not stand by class
    order = mixed[np.argsort(sure[mixed], kind="stable")]
    sure, right = sure[order], right[order]
    off = _calibration_error(sure, right[None])[0]
    if off < WRONG:
        return None
    drawn = rng.random((DRAWS, len(sure))) < sure
    if (_calibration_error(sure, drawn) >= off).mean() > BY_CHANCE:
        return None
    said, was = float(sure.mean()), float(right.mean())
    how = "surer than it is right" if said > was else "less sure than it is right"
    return Found(
        f"The model is {how}: of its answers it is sure by {said:.2f} in the mean, and "
        f"{was:.2f} are right; calibration error {off:.2f}.",
        {"calibration_error": float(off), "confidence": said, "accuracy": was},
        "train.label_smoothing: 0.1" if evidence.setting("train.calibrate") is True else "",
    )


def _calibration_error(sure: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    """Return the expected calibration error of answers sorted by how sure they are.

    The mean over bins of equally many answers of how far the share of right ones, of each row of
    `right`, is from how sure they are.
    """
    bounds = np.linspace(0, len(sure), BINS + 1).astype(int)
    starts, sizes = bounds[:-1], np.diff(bounds)
    off = np.abs(np.add.reduceat(right - sure, starts, axis=1))  # (n_draws, BINS)
    error: Floats = (off / sizes) @ (sizes / len(sure))
    return error


# forecasts and numbers ---------------------------------------------------------------------------


def _cases(windows: WindowErrors) -> Floats:
    """Return which windows that do not overlap have errors, (n_series, n_windows)."""
    there: Any = np.isfinite(windows.apart).any(axis=(2, 3))
    return there  # type: ignore[no-any-return]


def _coverage_off(evidence: Evidence) -> Found | None:
    windows = evidence.windows
    assert windows is not None
    if windows.held is None:
        return None
    known = np.isfinite(windows.errors)
    n = int(_cases(windows).sum())
    if n < FEWEST_CASES:
        return None
    share = float(windows.held[known].mean())
    # the steps of a forecast err together: forecasts are counted, not their values
    spread = math.sqrt(windows.level * (1 - windows.level) / n)
    if abs(share - windows.level) < max(WRONG, ERRORS * spread):
        return None
    few = "too narrow" if share < windows.level else "too wide"
    return Found(
        f"Intervals meant to hold {windows.level:.0%} of the true values hold {share:.1%}: they "
        f"are {few}.",
        {"level": windows.level, "coverage": share, "cases": n},
        "seqkit forecast --interval 0.8, whose ends come from errors of the test part"
        if evidence.task == "forecasting"
        else "",
    )


def _scaled(windows: WindowErrors) -> Floats:
    """Return the errors that do not overlap, each series by the size of its own."""
    errors = windows.apart
    size = np.nanmean(np.where(np.isfinite(errors), np.abs(errors), np.nan), axis=(1, 2),
                      keepdims=True) if errors.size else errors  # fmt: skip
    return np.where(size > 0, errors / np.where(size > 0, size, 1.0), np.nan)


def _biased(evidence: Evidence) -> Found | None:
    windows = evidence.windows
    assert windows is not None
    errors = _scaled(windows)
    with np.errstate(invalid="ignore"):
        means = np.array([_mean(window) for window in np.moveaxis(errors, 1, 0)])
    means = means[np.isfinite(means)]
    if len(means) < FEWEST_WINDOWS:
        return None
    mean, spread = float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means))
    # of few windows their own spread is known badly: Student's t
    if abs(mean) < BIASED or abs(mean) < _student(len(means)) * spread:
        return None
    way = "low" if mean > 0 else "high"
    agree = int((np.sign(means) == np.sign(mean)).sum())
    return Found(
        f"Forecasts are too {way}: by {abs(mean):.0%} of their mean absolute error, in {agree} of "
        f"{len(means)} windows.",
        {"bias": mean, "windows": len(means), "agreeing": agree},
        "model.departure_from: seasonal_naive, or a shorter forecast.context_length"
        if evidence.setting("model.normalize") == "last"
        else "",
    )


def _student(n: int) -> float:
    """Return how many standard errors a mean of n is off by chance once in 1000."""
    from scipy.stats import t

    return float(t.ppf(1 - BY_CHANCE / 2, n - 1))


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _seasonal(evidence: Evidence) -> Found | None:
    windows = evidence.windows
    assert windows is not None
    season = windows.season
    errors = windows.apart  # (n_series, n_windows, horizon, n_targets)
    if season < 2 or windows.step < windows.horizon or windows.horizon == 1:
        return None
    if windows.step % windows.horizon:
        return None
    # the level of a window errs as one: what is left is the shape within it
    left = errors - np.nanmean(np.where(np.isfinite(errors), errors, np.nan), axis=2, keepdims=True)
    each = []
    for series in np.moveaxis(left, 3, 1).reshape(-1, left.shape[1] * left.shape[2]):
        if np.isfinite(series).all() and len(series) >= 3 * season and series.any():
            each.append(_correlation_at(series, season))
    if not each:
        return None
    r = float(np.median([one[0] for one in each]))
    bound = max(CORRELATED, ERRORS * float(np.median([one[1] for one in each])))
    if r < bound:
        return None
    return Found(
        f"Errors repeat themselves with the season: those {season} steps apart are correlated by "
        f"{r:.2f}.",
        {"correlation": r, "season": season, "bound": bound},
    )


def _correlation_at(x: Floats, lag: int) -> tuple[float, float]:
    """Return the autocorrelation at a lag and its standard error, by Bartlett's formula."""
    x = x - x.mean()
    full = x @ x
    r = [float(x[k:] @ x[:-k] / full) for k in range(1, lag + 1)]
    return r[-1], math.sqrt((1 + 2 * sum(one**2 for one in r[:-1])) / len(x))


def _going_on(evidence: Evidence) -> Found | None:
    windows = evidence.windows
    assert windows is not None
    errors = _scaled(windows)
    n_windows = errors.shape[1]
    if n_windows < FEWEST_CASES or windows.step > windows.horizon:
        return None
    levels = np.array(
        [[_mean(window) for window in series] for series in errors]
    )  # (series, windows)
    levels = levels[np.isfinite(levels).all(axis=1)]
    if not len(levels):
        return None
    levels = levels - levels.mean(axis=1, keepdims=True)
    # series err together: a pair of windows is one case, however many series there are
    pairs = (levels[:, 1:] * levels[:, :-1]).mean(axis=0)
    size = float((levels**2).mean())
    if size <= 0:
        return None
    r = float(pairs.mean()) / size
    spread = float(pairs.std(ddof=1)) / math.sqrt(len(pairs)) / size
    if r < CORRELATED or r < _student(len(pairs)) * spread:
        return None
    return Found(
        "Where a forecast was too low the next one is, too: the mean errors of windows that follow "
        f"each other are correlated by {r:.2f}.",
        {"correlation": r, "windows": n_windows, "series": len(levels)},
    )


def _concentrated(evidence: Evidence) -> Found | None:
    windows = evidence.windows
    assert windows is not None
    errors = np.abs(windows.errors)
    n = len(errors)
    if n < FEWEST_SERIES:
        return None
    each = np.array([_mean(series) for series in errors])
    if windows.scale is not None:
        scale = np.asarray(windows.scale, np.float64)
        each = np.where(scale > 0, each / np.where(scale > 0, scale, 1.0), np.nan)
    known = np.flatnonzero(np.isfinite(each))
    if len(known) < FEWEST_SERIES or each[known].sum() <= 0:
        return None
    worst = known[np.argsort(-each[known], kind="stable")][
        : max(int(SHARE_OF_SERIES * len(known)), 1)
    ]
    share = float(each[worst].sum() / each[known].sum())
    if share < SHARE_OF_ERROR:
        return None
    names = [str(windows.ids[i]) for i in worst]
    return Found(
        f"{share:.0%} of all error are of {len(worst)} of {len(known)} series: {some_of(names)}.",
        {"share": share, "worst": names[:100], "series": len(known)},
    )


# gates -------------------------------------------------------------------------------------------

# What a gate that is always shut, or always open, does; of the others one end is healthy: a forget
# gate near 1 is a long memory, an input or output gate near 1 lets everything pass.
SHUT_BELOW = {
    "i": "lets nothing in",
    "o": "lets nothing out",
    "f": "forgets everything at each step",
    "z": "forgets everything at each step",
}
OPEN_ABOVE = {"z": "keeps the state as it began"}


def _saturated(evidence: Evidence) -> Found | None:
    rows = evidence.gates or ()
    networks = range(1, max((row.network for row in rows), default=1) + 1)
    return worst_network([_shut([row for row in rows if row.network == n]) for n in networks])


def _shut(rows: Sequence[GateShares]) -> Found | None:
    """Return what gates of a network do not do any more."""
    said, numbers = [], {}
    for row in rows:
        if row.below >= SHUT and row.gate in SHUT_BELOW:
            what = f"is below .1 in {row.below:.0%}: it {SHUT_BELOW[row.gate]}"
        elif row.above >= SHUT and row.gate in OPEN_ABOVE:
            what = f"is above .9 in {row.above:.0%}: it {OPEN_ABOVE[row.gate]}"
        elif row.below + row.above >= SHUT and min(row.below, row.above) > 1 - SHUT:
            what = (
                f"is below .1 or above .9 in {row.below + row.above:.0%}: it hardly learns any more"
            )
        else:
            continue
        where = f"{row.layer} ({row.direction})" if row.direction else row.layer
        said.append(f"gate {row.gate} of {where} {what}")
        numbers[f"{row.layer} {row.direction} {row.gate}".replace("  ", " ")] = {
            "below": row.below, "above": row.above,
        }  # fmt: skip
    most = max((row.below + row.above for row in rows), default=0.0)
    return Found(f"{'; '.join(said)}.", numbers, weight=len(said) + most) if said else None


OF_PREDICTIONS = (
    Finding(
        "SQ301",
        "Classes that are never answered",
        "warning",
        ("scores",),
        _never_predicted,
        "train.class_weight: balanced",
        "The test part has series of a class that the model gives to none.",
        "No answer, where 5 cases or more were true: a class that is found half of the time is "
        "missed five times in a row once in 32.",
        "Where such a class was rare in training, and does not matter.",
    ),
    Finding(
        "SQ302",
        "Probabilities ill calibrated",
        "warning",
        ("probabilities",),
        _ill_calibrated,
        "train.calibrate: true",
        "What the model calls a probability is none: of answers it is sure of by .9 far fewer, or "
        "more, than nine in ten are right. The answers themselves are not worse for it.",
        "The expected calibration error in ten bins of equally many answers (Guo et al. 2017) is "
        ".1 or more, and larger than in 999 of 1000 draws of truths from the probabilities "
        "themselves (consistency resampling, Bröcker and Smith 2007): small parts are off by "
        "chance. From 50 series on.",
        "Where only the most probable class is used.",
    ),
    Finding(
        "SQ303",
        "Intervals hold too few or too many true values",
        "warning",
        ("windows",),
        _coverage_off,
        "train.calibration: 0.2",
        "An interval that is meant to hold eight of ten true values holds far fewer, or more: "
        "risks that are computed from it are wrong.",
        "The coverage is .1 off, and three standard errors, counting forecasts that do not "
        "overlap (or series) and not their values, which err together.",
        "Where only the point forecast is used.",
    ),
    Finding(
        "SQ304",
        "Forecasts are biased",
        "warning",
        ("windows",),
        _biased,
        "model.normalize: last",
        "Forecasts are nearly always too low, or too high: the level has moved since training, "
        "or a trend is not followed.",
        "The mean error is half of the mean absolute one, each series by its own, and off zero "
        "by what chance does once in 1000 (Student's t over 5 windows or more that do not "
        "overlap).",
        "Where all windows lie in one odd time, as a year of its own.",
    ),
    Finding(
        "SQ305",
        "Errors are seasonal",
        "warning",
        ("windows",),
        _seasonal,
        "forecast.context_length of three seasons, or data.calendar",
        "What is left when the forecast is taken away still repeats itself: a part of the season "
        "was not learned.",
        "In the median over series the errors, without the level of their window, are correlated "
        "one season apart by .3 or more (less leaves .91 of the variance), and by three standard "
        "errors (Bartlett 1946). Three seasons of windows that do not overlap.",
        "Where the season of the test part was an odd one.",
    ),
    Finding(
        "SQ306",
        "Errors go on from window to window",
        "warning",
        ("windows",),
        _going_on,
        "model.normalize: last, or a longer forecast.context_length",
        "Where one forecast was too low the next is, too, though it has seen what came: the "
        "level is followed too slowly.",
        "The mean errors of windows that follow each other without overlap are correlated by .3 "
        "or more, and more than chance does once in 1000, counting pairs of windows and not "
        "series, which err together. Ten windows or more.",
        "Where something outside of the data, such as a sale, lasts for several windows.",
    ),
    Finding(
        "SQ307",
        "A few series have most of the error",
        "warning",
        ("windows",),
        _concentrated,
        "look at these series: report.html has the hardest; a wrong unit, a gap, another kind",
        "The score says something of these few, and hardly anything of the others.",
        "One series in twenty has half of the error or more, of 20 series or more; series to "
        "forecast by their own scale. Of errors that are exponentially distributed one in twenty "
        "has a fifth.",
        "Where these few are what it is about.",
    ),
    Finding(
        "SQ308",
        "Gates are saturated",
        "warning",
        ("gates",),
        _saturated,
        "train.learning_rate: a third of what it was, model.bias_initializer: forget_one, "
        "model.scale: standard",
        "A gate that is always shut takes no part, and hardly learns any more: the slope of a "
        "sigmoid is .09 at .1 and less below, of .25 at most.",
        "95 % of its activations below .1, of gates whose being shut stops the flow; above .9, "
        "of an update gate that never takes anything in; or on both sides. Karpathy, Johnson and "
        "Li (2016) look at the same shares. A forget gate above .9 is a long memory, and is not "
        "counted.",
        "Where a layer above does the work, and the scores are good.",
    ),
)
