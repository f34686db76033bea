"""Write docs/findings.md from the table of findings."""

from __future__ import annotations

import textwrap
from pathlib import Path

from seqkit.evaluation.findings import FINDINGS, Finding
from seqkit.evaluation.findings.evidence import SEVERITIES

HERE = Path(__file__).parent
WIDTH = 98
GROUPS = {
    "0": ("Scores", "what `metrics.json` says of the model beside its baselines"),
    "1": ("Data", "what needs no model; `seqkit check --data` looks for these alone"),
    "2": ("Training", "the curves of every network's training: the worst is named"),
    "3": (
        "Predictions",
        "what was predicted of the test part, and how gates of all networks stand",
    ),
}
HEAD = """# Findings

At the end of a run its data, its training and its predictions are looked through. What is found
stands at the head of `report.html`, in `metrics.json` (`findings`: code, severity, sentence,
evidence, recipe line, and where it is explained) and so in `--json`; the terminal says the three
weightiest. This page has a section a code; it is written from the table in
`seqkit/evaluation/findings/` by `python docs/make_findings.py`, and `seqkit list findings` says
the same.

Before anything is trained:

```sh
seqkit check recipe.yaml --data              # of the data of a recipe
seqkit check --data sales.csv --target sales # of a file, read as seqkit init would read it
```

The status is 1 where a finding is an error or a warning, else 0, as that of a linter; with
`--json` there is one document. `seqkit describe` says the same findings beside tables of what is
in the data.

| severity | what it means |
|---|---|
| error | the scores cannot be trusted, or the model has learned nothing |
| warning | the model could be better, or is not what it seems |
| info | worth knowing; not said in the terminal |

A false alarm is worse than silence: each check has a threshold, whose reason stands beside it,
and none of error or warning comes with the embedded sets and their recipes.
"""


def filled(text: str) -> str:
    """Return a paragraph in lines of a width."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def sentence(text: str) -> str:
    """Return a text that begins with a capital, code aside, and ends with a full stop."""
    begin = text if "." in text.split()[0] else text[0].upper() + text[1:]
    return begin if begin.endswith(".") else f"{begin}."


def section(row: Finding) -> str:
    """Return the section of a finding."""
    told = " The verdict says it." if row.told else ""
    return "\n\n".join(
        [
            f'<a id="{row.code.lower()}"></a>\n### {row.code} {row.title}',
            filled(f"*{row.severity}.* {row.meaning}{told}"),
            filled(f"**Evidence.** {sentence(row.threshold)}"),
            filled(f"**Mend.** {sentence(row.mend)}"),
            filled(f"**When to ignore it.** {row.ignore}"),
        ]
    )


def page() -> str:
    """Return the page."""
    assert all(f"| {severity} |" in HEAD for severity in SEVERITIES)
    parts = [HEAD.rstrip()]
    for digit, (title, what) in GROUPS.items():
        rows = [row for row in FINDINGS.values() if row.code[2] == digit]
        parts.append(f"## {title}\n\n{sentence(what)}")
        parts += map(section, rows)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    (HERE / "findings.md").write_text(page(), encoding="utf-8")
