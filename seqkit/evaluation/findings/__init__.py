"""Findings: coded checks of a run and of its data, each a row of :data:`FINDINGS`.

A check looks at :class:`~seqkit.evaluation.findings.evidence.Evidence` and says what it has found,
or nothing: a false alarm is worse than silence, so each threshold has its reason beside it.
:func:`find_all` returns what was found as plain data; ``docs/findings.md`` has a section a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqkit.evaluation.findings.evidence import SEVERITIES, Evidence, Finding
from seqkit.evaluation.findings.of_copies import OF_COPIES
from seqkit.evaluation.findings.of_data import OF_DATA
from seqkit.evaluation.findings.of_predictions import OF_PREDICTIONS
from seqkit.evaluation.findings.of_scores import OF_SCORES
from seqkit.evaluation.findings.of_training import OF_TRAINING

__all__ = ["FINDINGS", "Evidence", "Finding", "find_all", "finding_lines", "untold"]

FINDINGS: dict[str, Finding] = {
    row.code: row for row in (*OF_SCORES, *OF_COPIES, *OF_DATA, *OF_TRAINING, *OF_PREDICTIONS)
}
MOST_SAID = 3


def find_all(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what was found, the weightiest first.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    list of dict
        Each with ``code``, ``title``, ``severity``, ``sentence``, ``evidence`` (numbers), ``mend``
        (the recipe line, or what to do with the data) and ``docs`` (where it is explained); JSON's
        types only.

    Examples
    --------
    >>> [found["code"] for found in find_all(Evidence("regression", loss="mse", epochs=20,
    ...     history={"loss": [1.0, 9.0] * 10}))]
    ['SQ205']
    """
    found = []
    for row in FINDINGS.values():
        if any(getattr(evidence, need) is None for need in row.needs):
            continue
        result = row.check(evidence)
        if result is not None:
            found.append(
                {
                    "code": row.code,
                    "title": row.title,
                    "severity": row.severity,
                    "sentence": result.sentence,
                    "evidence": dict(result.numbers),
                    "mend": result.mend or row.mend,
                    "docs": row.docs,
                }
            )
    return sorted(found, key=lambda one: SEVERITIES.index(one["severity"]))


def untold(
    found: Sequence[Mapping[str, Any]], verdict: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:
    """Return the findings that the verdict beside them does not say already."""
    told = {row.code for row in FINDINGS.values() if row.told} if verdict else set()
    return [one for one in found if one["code"] not in told]


def finding_lines(
    found: Sequence[Mapping[str, Any]], verdict: Mapping[str, Any] | None, where: str
) -> list[str]:
    """Return what a terminal says of findings: the weightiest, and how to see the others.

    Parameters
    ----------
    found : sequence of mapping
        What :func:`find_all` returned.
    verdict : mapping or None
        That was said before.
    where : str
        What has all of them.
    """
    left = untold(found, verdict)
    said = [one for one in left if one["severity"] != "info"][:MOST_SAID]
    lines = [
        f"{one['code']} {one['severity']}: {one['sentence']} Try {one['mend']}" for one in said
    ]
    if len(left) > len(said):
        more = len(left) - len(said)
        what = "1 more finding" if more == 1 else f"{more} more findings"
        what = what if said else what.replace(" more", "")
        lines.append(f"{what}: {where}")
    return lines
