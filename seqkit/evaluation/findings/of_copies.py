"""Findings in the parts of the data: what stands in two of them, or twice in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.data.describing import (
    DISTINCT,
    RUN,
    SeriesPart,
    duplicates,
    overlap_in_time,
    shared_runs,
)
from seqkit.evaluation.findings.evidence import Evidence, Finding, Found, some_of

__all__ = ["OF_COPIES"]


MOSTLY = 12  # different values of a run of 16: coarse sensors repeat shorter stretches by chance


def stamp(time: Any) -> str:
    """Return a time stamp for people."""
    return str(time).removesuffix(".000000").removesuffix("T00:00:00")


def _telling(part: SeriesPart) -> set[Any]:
    """Return the series of too few different values to be the same by chance hardly ever."""
    return {
        name
        for name, series in zip(part.ids, part.series(), strict=True)
        if len(np.unique(series[np.isfinite(series)])) >= DISTINCT
    }


def _twice(train: SeriesPart, part: SeriesPart) -> list[Any]:
    """Return the series of a part that are series of the training part, too."""
    both = [g for g in duplicates([train, part]) if len({whose for whose, _ in g}) == 2]
    names = [series for group in both for whose, series in group if whose == part.name]
    telling = _telling(part) if names else set()
    return [name for name in names if name in telling]


def _learned_and_tested(evidence: Evidence) -> Found | None:
    if not evidence.continuous:
        return None
    said, numbers = [], {}
    for part in evidence.held_out:
        twice = _twice(evidence.train, part)
        if twice:
            said.append(
                f"{len(twice)} series of the {part.name} part are in the training part, too: "
                f"{some_of(twice)}."
            )
            numbers[part.name] = len(twice)
    return Found(" ".join(said), numbers) if said else None


def _of_one_recording(evidence: Evidence) -> Found | None:
    if not evidence.continuous:
        return None
    said, numbers = [], {}
    for part in evidence.held_out:
        shared = shared_runs(evidence.train, part, MOSTLY)
        if shared:
            twice = {*_twice(evidence.train, part)}
            shared = [name for name in shared if name not in twice]
        if shared:
            said.append(
                f"{len(shared)} series of the {part.name} part share {RUN} steps in a row or more "
                f"with a training series: {some_of(shared)}."
            )
            numbers[part.name] = len(shared)
    return Found(" ".join(said), numbers) if said else None


def _same_twice(evidence: Evidence) -> Found | None:
    """Series that stand twice in the training part, with one label or with two."""
    found = _repeated(evidence)
    if found is None or found[1]:
        return None
    groups = found[0]
    again = sum(map(len, groups)) - len(groups)
    first = " = ".join(str(name) for name in groups[0][:3])
    return Found(
        f"{again} series of the {evidence.train.name} part are the same as another: {first}.",
        {"series": again},
    )


def _two_labels(evidence: Evidence) -> Found | None:
    found = _repeated(evidence)
    if found is None or not found[1]:
        return None
    group = found[1][0]
    return Found(
        f"{sum(map(len, found[1]))} training series are the same as another of another label: "
        f"{' = '.join(str(name) for name in group[:3])}.",
        {"series": sum(map(len, found[1]))},
    )


def _repeated(evidence: Evidence) -> tuple[list[list[Any]], list[list[Any]]] | None:
    """Return groups of equal training series, and those of them that have several labels."""
    if not evidence.continuous:
        return None
    train = evidence.train
    groups = [[name for _, name in group] for group in duplicates([train])]
    telling = _telling(train) if groups else set()
    groups = [group for group in groups if group[0] in telling]
    if not groups:
        return None
    split: list[list[Any]] = []
    if evidence.task == "classification" and train.y is not None:
        label = dict(zip(train.ids, np.asarray(train.y).tolist(), strict=True))
        split = [group for group in groups if len({label[name] for name in group}) > 1]
    return groups, split


def _overlap(evidence: Evidence) -> Found | None:
    for part in evidence.held_out:
        overlap = overlap_in_time(evidence.train, part)
        if overlap is not None:
            end, begin = map(stamp, overlap)
            return Found(
                f"The training part ends {end}, after the {part.name} part begins, {begin}.",
                {"part": part.name, "training_ends": end, "begins": begin},
            )
    return None


OF_COPIES = (
    Finding(
        "SQ101",
        "The same series in training and in test",
        "error",
        ("parts",),
        _learned_and_tested,
        "keep each series in one part: leave the copies out, or data.split: {method: group}",
        "What is tested was learned: the score says how well the model remembers.",
        "One series, value for value. Series of fewer than 4 different values are not counted: "
        "they may be equal by chance.",
        "Where equal series are what happens, as a sensor that is switched off.",
    ),
    Finding(
        "SQ102",
        "Windows of one recording in training and in test",
        "error",
        ("parts",),
        _of_one_recording,
        "data.split: {method: group}, data.group: the recording",
        "Windows that were cut from one recording and overlap, or lie side by side, are on both "
        "sides of the division: what is tested was trained on, in part.",
        "16 steps in a row, of 4 different values or more, that are equal in all features: "
        "measured numbers have that by chance hardly ever.",
        "Where signals are made by a machine and repeat themselves to the last digit.",
    ),
    Finding(
        "SQ103",
        "Equal series with different labels",
        "warning",
        ("parts",),
        _two_labels,
        "keep the right one of each",
        "No model can tell them apart: one of the labels is wrong, or what they differ by was not "
        "recorded.",
        "One pair, value for value, of 4 different values or more.",
        "Where a label is a matter of opinion and several people gave theirs.",
    ),
    Finding(
        "SQ104",
        "The same series twice",
        "info",
        ("parts",),
        _same_twice,
        "keep one of each",
        "A series that stands in the training part twice counts twice; and if one of them gets "
        "into the test part, it was learned.",
        "One pair, value for value, of 4 different values or more.",
        "Where copies were made on purpose, to give some series more weight.",
    ),
    Finding(
        "SQ105",
        "The parts overlap in time",
        "info",
        ("parts",),
        _overlap,
        "data.split: {method: time}, if what is to be predicted lies in the future",
        "The training part knows what came after series of the test part. A model that is to say "
        "what comes is tested too kindly; one that is to say what a series is, is not.",
        "Any overlap of the time stamps, of labelled series that have some.",
        "Where time is no matter: recordings of people, machines, words.",
    ),
)
