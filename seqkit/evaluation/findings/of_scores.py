"""Findings in the scores: what ``metrics.json`` says of the model beside its baselines."""

from __future__ import annotations

import math

from seqkit.evaluation.findings.evidence import Evidence, Finding, Found
from seqkit.evaluation.verdict import FEW_SERIES

__all__ = ["OF_SCORES"]

BELOW = 0.1
ERRORS = 3.0  # standard errors: one in 370 by chance


def _no_better(evidence: Evidence) -> Found | None:
    verdict = evidence.verdict
    if verdict is None or verdict["better"]:
        return None
    names = ("metric", "value", "rival", "rival_value", "difference", "part")
    return Found(
        f"{verdict['rival']} is no worse than the model: {verdict['metric']} "
        f"{verdict['rival_value']} against {verdict['value']}.",
        {name: verdict[name] for name in names},
        "; ".join(verdict["try"]),
    )


def _one_answer(evidence: Evidence) -> Found | None:
    verdict = evidence.verdict
    if verdict is None or not verdict["collapsed"]:
        return None
    return Found(verdict["collapsed"], {"part": verdict["part"]})


def _below_validation(evidence: Evidence) -> Found | None:
    scores = evidence.scores or {}
    parts, n = scores["parts"], scores["n"]
    if not {"test", "validation"} <= parts.keys():
        return None
    test, held = (parts[name]["model"].get("accuracy") for name in ("test", "validation"))
    sizes = [n[name]["series"] for name in ("test", "validation")]
    if test is None or held is None or min(sizes) < FEW_SERIES:
        return None
    spread = math.sqrt(sum(a * (1 - a) / k for a, k in zip((test, held), sizes, strict=True)))
    if held - test < max(BELOW, ERRORS * spread):
        return None
    return Found(
        f"Accuracy is {held:.3f} on the validation part and {test:.3f} on the test part.",
        {"validation": held, "test": test, "standard_error": spread},
    )


OF_SCORES = (
    Finding(
        "SQ001",
        "No better than the best baseline",
        "warning",
        ("scores",),
        _no_better,
        "what the verdict says, or the baseline itself",
        "A method that learns little or nothing does as well. By the metric that decides, the "
        "first of the task; of many series to forecast a scaled one.",
        "Any difference: who is no better gives no reason to be chosen. On how much the comparison "
        "rests, and whether the difference may be chance, stands in the verdict.",
        "Where the verdict says that the difference may be chance; and where nothing can be "
        "better: a random walk is forecast best by its last value.",
        told=True,
    ),
    Finding(
        "SQ002",
        "One answer for everything",
        "error",
        ("scores",),
        _one_answer,
        "train.learning_rate: a tenth of what it was, and train.epochs twice as many",
        "The model gives every series the same answer: it has learned the most frequent class, or "
        "the mean, and nothing of the series.",
        "One class only, or numbers that differ by less than a hundredth of what the truth differs "
        "by, where the truth has more than one.",
        "Never: a constant does the same.",
        told=True,
    ),
    Finding(
        "SQ003",
        "Test part far below the validation part",
        "warning",
        ("scores",),
        _below_validation,
        "data.split: {method: group} where series belong together",
        "What was held back of the training data is like them, the test part is not: it comes from "
        "another time, place or machine; or series that belong together stand on both sides of the "
        "division of training and validation part, which then looks too good.",
        "Accuracy .1 lower, and three standard errors of the difference (by chance once in 370), "
        "with 50 series or more in both parts.",
        "Where the test part is meant to be harder, as other speakers are.",
    ),
)
