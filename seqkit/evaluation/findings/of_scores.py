"""Findings in the scores: what ``metrics.json`` says of the model beside its baselines."""

from __future__ import annotations

import math

from seqkit.evaluation.findings.evidence import Evidence, Finding, Found
from seqkit.evaluation.metrics import METRICS
from seqkit.evaluation.verdict import FEW_FORECASTS, FEW_SERIES, number

__all__ = ["OF_SCORES"]

BELOW = 0.1  # of scores that end at 1
LARGER = 0.25  # of errors, which have no end
MENDS = {
    "forecasting": "data.split: {validation: ...} over as many seasons as the test part has, or a "
    "shorter time between training and forecasts",
}
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
    scores = evidence.held_scores
    assert scores is not None
    test, held = scores["test"], scores["validation"]
    few = FEW_FORECASTS if evidence.task == "forecasting" else FEW_SERIES
    if min(test.n, held.n) < few:
        return None
    up = METRICS[test.metric].greater_is_better
    worse = held.value - test.value if up else test.value - held.value
    spread = math.hypot(test.spread, held.spread)
    if not worse > max(BELOW if up else LARGER * held.value, ERRORS * spread):
        return None
    title = METRICS[test.metric].title
    return Found(
        f"{title} is {number(held.value)} on the validation part and {number(test.value)} on the "
        "test part.",
        {"metric": test.metric, "validation": held.value, "test": test.value,
         "standard_error": spread},
        MENDS.get(evidence.task, ""),
    )  # fmt: skip


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
        ("held_scores",),
        _below_validation,
        "data.split: {method: group} where series belong together",
        "What was held back of the training data is like them, the test part is not: it comes from "
        "another time, place or machine; or series that belong together stand on both sides of the "
        "division of training and validation part, which then looks too good.",
        "By the metric that decides: a share such as accuracy, or R², .1 lower, an error a "
        "quarter larger; and three standard errors of the difference (by chance once in 370), by a "
        "bootstrap over series or, of few that are forecast, over windows. Of 50 series or more in "
        "both parts (few long ones are cut into stretches), of ten windows that do not overlap.",
        "Where the test part is meant to be harder, as other speakers are; or where series grow, "
        "and their errors with them.",
    ),
)
