"""Findings in the data, which need no model: its columns, classes, scales and seasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.data.describing import SeriesPart
from seqkit.data.novelty import THRESHOLDS, far_features
from seqkit.evaluation.findings.evidence import Evidence, Finding, Found, some_of
from seqkit.evaluation.findings.seasons import missed_season

__all__ = ["OF_DATA"]

INVENTED = 0.5  # of a feature's values: most of what is learned from it are guesses then
EXACT = 1e-9  # of the variance that a feature leaves open of the target
FEWEST_EQUAL = 10  # series, and steps, below which a feature may equal a target by chance
FEW_OF_A_CLASS = 5
ALL_BUT = 0.9  # of one class
FEW_FAR, SHARE_FAR = 3, 1e-3  # values, and share of all: more are no strays, but how it is
RARE = 0.5  # of a fair share: a class with less is called rare, as `seqkit init` does
SOME = 3  # features that are shown with their ranges


# columns ---------------------------------------------------------------------------------------


def _constant(evidence: Evidence) -> Found | None:
    if not evidence.continuous:
        return None
    names = [facts.name for facts in evidence.columns if facts.constant]
    if not names:
        return None
    mend = "data.features without them"
    if evidence.task == "forecasting":
        mend = "data.past_covariates and data.future_covariates without them"
    return Found(
        f"Constant, or never known, in the {evidence.train.name} part: {some_of(names)}. "
        "Nothing is learned from them.",
        {"features": names},
        mend,
    )


def _missing(evidence: Evidence) -> Found | None:
    if evidence.setting("data.missing") == "indicator":
        return None
    n = len(evidence.train.values) - evidence.train.absent
    shares = {
        facts.name: facts.missing / n
        for facts in evidence.columns
        if n and facts.missing / n > INVENTED and facts.distinct
    }
    if not shares:
        return None
    worst = sorted(shares, key=lambda name: -shares[name])
    shown = [f"{name} {shares[name]:.0%}" for name in worst]
    return Found(f"Values are missing: of {some_of(shown)}.", {"shares": shares})


def _far_values(evidence: Evidence) -> Found | None:
    if not evidence.continuous:
        return None
    most = max(FEW_FAR, SHARE_FAR * len(evidence.train.values))
    far = [facts for facts in evidence.columns if 0 < facts.outliers <= most]
    far.sort(key=lambda facts: -facts.outliers)
    if not far:
        return None
    shown = [f"{f.outliers} of {f.name}, the farthest is {f.worst}" for f in far]
    return Found(f"Far out lie {some_of(shown)}.", {"values": {f.name: f.outliers for f in far}})


def _target_among_features(evidence: Evidence) -> Found | None:
    if evidence.task == "forecasting":
        names = _future_targets(evidence)
    elif evidence.continuous and evidence.train.y is not None:
        of_task: dict[str, Callable[[SeriesPart], list[str]]] = {
            "classification": _labels_as_features,
            "regression": _numbers_as_features,
            "tagging": _step_labels_as_features,
        }
        names = of_task[evidence.task](evidence.train)
    else:
        names = []
    if not names:
        return None
    return Found(f"Known beside each series, and the target itself: {some_of(names)}.",
                 {"features": names})  # fmt: skip


def _same_partition(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Return whether two columns divide their rows into the same groups, two or more of them."""
    codes = [np.unique(column, return_inverse=True)[1] for column in (one, other)]
    n = codes[0].max() + 1
    pairs = len(np.unique(codes[0] * (codes[1].max() + 1) + codes[1]))
    return bool(n > 1 and n == codes[1].max() + 1 == pairs)


def _within(part: SeriesPart) -> npt.NDArray[np.float64]:
    """Return the features that are constant in every series: (n_series, n_features), else NaN."""
    starts = part.offsets[:-1]
    if not len(starts) or not part.lengths.all():
        return np.full((0, len(part.features)), np.nan)
    low, high = (reduce.reduceat(part.values, starts) for reduce in (np.minimum, np.maximum))
    return np.where((low == high).all(axis=0), low, np.nan)


def _labels_as_features(part: SeriesPart) -> list[str]:
    static, y = _within(part), np.asarray(part.y)
    if len(static) < FEWEST_EQUAL or len(np.unique(y)) > len(y) / 2:
        return []
    return [
        name
        for name, column in zip(part.features, static.T, strict=True)
        if np.isfinite(column).all() and _same_partition(column, y)
    ]


def _numbers_as_features(part: SeriesPart) -> list[str]:
    static = _within(part)
    if len(static) < FEWEST_EQUAL:
        return []
    y = np.asarray(part.y, np.float64).reshape(len(part.y), -1)
    return [
        name
        for name, column in zip(part.features, static.T, strict=True)
        if any(_affine(column, target) for target in y.T)
    ]


def _affine(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> bool:
    """Return whether one column is the other in another unit."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known] - x[known].mean() if known.any() else x[known], y[known]
    if len(x) < FEWEST_EQUAL or len(np.unique(y)) < FEWEST_EQUAL:
        return False
    y = y - y.mean()
    full = (x @ x) * (y @ y)
    return bool(full > 0 and (x @ y) ** 2 > (1 - EXACT) * full)


def _step_labels_as_features(part: SeriesPart) -> list[str]:
    labels = np.asarray(part.y)
    if len(labels) != len(part.values) or len(labels) < 10 * FEWEST_EQUAL:
        return []
    columns = labels[:, None] if labels.ndim == 1 else labels
    return [
        name
        for name, feature in zip(part.features, part.values.T, strict=True)
        if np.isfinite(feature).all()
        and any(_same_partition(feature, column) for column in columns.T)
    ]


def _future_targets(evidence: Evidence) -> list[str]:
    part = evidence.train
    future = evidence.setting("data.future_covariates") or ()
    n = len(evidence.targets[0][0]) if evidence.targets else 0
    known = [name for name in future if name in part.features]
    return [
        name
        for name in known
        if any(_affine(part.values[:, part.features.index(name)], part.values[:, k])
               for k in range(n))
    ]  # fmt: skip


# classes ---------------------------------------------------------------------------------------


def _counts(evidence: Evidence) -> Counter[str]:
    train = evidence.train
    if evidence.task != "classification" or train.y is None:
        return Counter()
    return Counter(map(str, np.asarray(train.y).tolist()))


def _few_of_a_class(evidence: Evidence) -> Found | None:
    counts = _counts(evidence)
    few = {label: n for label, n in counts.items() if n < FEW_OF_A_CLASS}
    if not few:
        return None
    shown = [f"{label} ({n})" for label, n in sorted(few.items(), key=lambda item: item[1])]
    return Found(f"Classes of few training series: {some_of(shown)}.", {"series": few})


def _nearly_one_class(evidence: Evidence) -> Found | None:
    counts = _counts(evidence)
    if len(counts) < 2 or evidence.setting("train.class_weight") not in (None, "none"):
        return None
    label, n = counts.most_common(1)[0]
    share = n / sum(counts.values())
    if share <= ALL_BUT:
        return None
    return Found(
        f"{share:.1%} of the training series are of class {label}: who always says so is right as "
        "often.",
        {"class": label, "share": share},
    )


def _rare(evidence: Evidence) -> Found | None:
    counts = _counts(evidence)
    if _nearly_one_class(evidence) or evidence.setting("train.class_weight") not in (None, "none"):
        return None
    fair = sum(counts.values()) / max(len(counts), 1)
    rare = {label: n for label, n in counts.items() if n < RARE * fair}
    if not rare:
        return None
    shown = [f"{label} ({n})" for label, n in sorted(rare.items(), key=lambda item: item[1])]
    return Found(f"Rare classes of the training part: {some_of(shown)}.", {"series": rare})


# parts, and time --------------------------------------------------------------------------------


def _other_scale(evidence: Evidence) -> Found | None:
    novelty = evidence.novelty
    assert novelty is not None
    if not evidence.continuous:
        return None
    far = far_features(novelty.known, novelty.values)
    if not far:
        return None
    shown = [
        f"{novelty.names[one.feature]} {one.low:g} to {one.high:g} (training: {one.known_low:g} to "
        f"{one.known_high:g})"
        for one in far[:SOME]
    ]
    more = f" and {len(far) - SOME} more" if len(far) > SOME else ""
    return Found(
        f"The test part has values far outside those of training: {', '.join(shown)}{more}.",
        {"features": {novelty.names[one.feature]: one._asdict() for one in far}},
    )


def _other_lengths(evidence: Evidence) -> Found | None:
    novelty = evidence.novelty
    assert novelty is not None
    if evidence.task == "forecasting" or not len(novelty.lengths):
        return None
    shortest, longest = novelty.known["lengths"]
    few, most = int(np.min(novelty.lengths)), int(np.max(novelty.lengths))
    longer, shorter = (THRESHOLDS[name].value for name in ("longer", "shorter"))
    if most <= longer * longest and few >= shorter * shortest:
        return None
    return Found(
        f"Series of the test part have {few} to {most} steps, those of training {shortest} to "
        f"{longest}.",
        {"test": [few, most], "training": [shortest, longest]},
    )


def _gaps(evidence: Evidence) -> Found | None:
    gaps = evidence.gaps
    if not gaps:
        return None
    return Found(
        f"{sum(gaps.values())} time stamps are absent between the first and the last, in "
        f"{len(gaps)} series: {some_of([*gaps])}; they are no rows, and count as steps of them.",
        {"absent": sum(gaps.values()), "series": len(gaps)},
    )


def _other_season(evidence: Evidence) -> Found | None:
    assert evidence.targets is not None
    season = evidence.setting("evaluate.season", 1)
    season = season if isinstance(season, int) else 1
    found = missed_season(evidence.targets, season)
    if found is None:
        return None
    steps, ratio = found
    return Found(
        f"The series repeat themselves every {steps} steps, evaluate.season is {season}: what was "
        f"{steps} steps before is off by {ratio:.0%} of what values of other distances are.",
        {"season": steps, "ratio": ratio, "given": season},
        f"evaluate.season: {steps}, and forecast.context_length of so many steps or more",
    )


OF_DATA = (
    Finding(
        "SQ106",
        "The target is among the features",
        "error",
        ("parts",),
        _target_among_features,
        "data.features (or data.future_covariates) without it",
        "A feature tells what is asked for: the target under another name, in another unit or as a "
        "number. The model will be perfect here and useless where the target is not known.",
        "A feature that is constant in every series and divides them as the classes do, or is a "
        "target but for its unit (all but 1e-9 of the variance); of labelled steps one that "
        "divides the steps as the labels do; of forecasts a future covariate. Ten series, a "
        "hundred steps or more: by chance it does not happen.",
        "Where it will be known when predictions are asked for: then no model is needed.",
    ),
    Finding(
        "SQ107",
        "A feature is constant or never known",
        "warning",
        ("parts",),
        _constant,
        "data.features without them",
        "Nothing can be learned from it; if it varies in the test part, the model has never seen "
        "that.",
        "Fewer than two different values in the training part.",
        "Where later data will vary, and the model is trained anew with them.",
    ),
    Finding(
        "SQ108",
        "Most values of a feature are missing",
        "warning",
        ("parts",),
        _missing,
        "data.missing: indicator, or data.features without it",
        "What is missing is filled between its neighbours; of such a feature the network sees "
        "mostly guesses. With an indicator it is told which values were measured.",
        "More than half of the values: guesses are the majority.",
        "Where values change so slowly that lines between them are as good as measurements.",
    ),
    Finding(
        "SQ109",
        "Values far out",
        "info",
        ("parts",),
        _far_values,
        "model.scale: robust, or an empty cell where a value stands for a missing one",
        "Single values so far from all others that they decide the scaling: a sentinel as -999, a "
        "slip of the unit, or rare events.",
        "A robust z above 10 (Iglewicz and Hoaglin 1993), where a normal variable has one value in "
        "10**23; of series to forecast each by itself. Three values of a feature, or one in a "
        "thousand, at most: where there are more, that is how it is distributed.",
        "Where such events are what is looked for.",
    ),
    Finding(
        "SQ110",
        "Few series of a class",
        "info",
        ("parts",),
        _few_of_a_class,
        "more series of it, or one class together with one that is like it",
        "What is common to a class cannot be told from so few; its scores in the test part say "
        "next to nothing.",
        "Fewer than 5 training series: with 5, a form that half of its series have is missed "
        "once in 32, with 3 once in 8.",
        "Where the series of a class are as good as equal.",
    ),
    Finding(
        "SQ111",
        "Nearly all of one class",
        "warning",
        ("parts",),
        _nearly_one_class,
        "train.class_weight: balanced, and evaluate.metrics: [balanced_accuracy, f1_macro]",
        "Accuracy says little: who always answers the frequent class has nearly the best of it.",
        "More than nine in ten of the training series, and train.class_weight is not set: an "
        "accuracy of .9 then is that of no model.",
        "Where the rare classes do not matter.",
    ),
    Finding(
        "SQ112",
        "Rare classes",
        "info",
        ("parts",),
        _rare,
        "train.class_weight: balanced",
        "Classes that are rare weigh little in the loss, and are answered seldom.",
        "Less than half of an equal share, and train.class_weight is not set.",
        "Where a mistake costs the same whatever the class is.",
    ),
    Finding(
        "SQ113",
        "The test part has another scale",
        "warning",
        ("novelty",),
        _other_scale,
        "the unit of the files; or model.normalize: standard, so that levels are no matter",
        "The network has never seen such values: its gates saturate, and what it says of them is "
        "arbitrary.",
        "More than the whole range of training outside of it: another unit lies far beyond (mV for "
        "V), an outlier of training widens the range. Targets that are normalised window by window "
        "are not compared.",
        "Where one stray value of the test part lies there.",
    ),
    Finding(
        "SQ114",
        "The test part has other lengths",
        "info",
        ("novelty",),
        _other_lengths,
        "series that are cut alike",
        "A recurrence goes on well for some more steps than it was trained for, not for any "
        "number; a series cut short lacks what its label may depend on.",
        "Longer than twice the longest of training, or shorter than half of the shortest.",
        "Where the label of a series shows in its first steps.",
    ),
    Finding(
        "SQ115",
        "Time stamps are absent",
        "info",
        ("gaps",),
        _gaps,
        "data.missing: interpolate, or indicator",
        "Between the first and the last time stamp some are not there; the values of those steps "
        "are missing.",
        "One, by the frequency of the series.",
        "Where nothing happens then, as in nights of a shop; better rows of 0.",
    ),
    Finding(
        "SQ116",
        "A season that the recipe does not know",
        "warning",
        ("targets",),
        _other_season,
        "evaluate.season",
        "The series repeat themselves, but the seasonal naive forecast and scaled errors use "
        "another season, or none: the baseline is too weak, and the context may be too short to "
        "see it.",
        "In the median over series (20 at most) values one season apart differ by less than .6 "
        "of what values of half to one and a half of its steps apart do, or the changes from step "
        "to step do so, where series wander or bend; of trends and random walks that is about 1. "
        "It must hold after eight repetitions, too, or as many as half of a series has: an "
        "oscillation fades. Where a season is given: and by less than .75 of what that one "
        "leaves. Four seasons of half of the series, and 60 steps or more; gaps are left out.",
        "Where the repetition is known to have ended.",
    ),
)
