"""A comparison of runs as tables in a terminal, and as a page.

Both are written of the document that :func:`seqkit.compare` makes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from seqkit.errors import RunError
from seqkit.evaluation.summary import heading
from seqkit.evaluation.verdict import number
from seqkit.recipe.writing import flow
from seqkit.report.canvas import Display, save_displays
from seqkit.report.comparison_plots import CurvesDisplay, DifferencesDisplay, TradeOffDisplay
from seqkit.report.html import inline_svg, rendered
from seqkit.system.console import rich_console, say, wrapped

__all__ = ["print_comparison", "write_comparison"]

MOST_SETTINGS = 12  # of a run that a terminal shows
LONGEST_VALUE = 60  # characters of a setting's value there
COSTS = {"seconds": "seconds of training", "bytes": "bytes of weights"}


def signed(value: float | None) -> str:
    """Show a difference with its sign.

    Examples
    --------
    >>> signed(0.5), signed(-0.25), signed(0.0)
    ('+0.5000', '-0.2500', '0')
    """
    if value is None or value == 0:
        return number(value)
    return f"{'+' if value > 0 else '-'}{number(abs(value))}"


def _interval(one: Mapping[str, Any]) -> str:
    if one["low"] is None:
        return ""
    return f"[{one['low']:.3g}, {one['high']:.3g}]"


def basis(document: Mapping[str, Any]) -> str:
    """Say what the comparison rests on."""
    units, runs = document["units"], document["runs"]
    if units["n"] <= units["block"]:
        return (
            f"It rests on {units['n']} {units['what']}: there is nothing to draw, and no interval."
        )
    together = f", {units['block']} neighbours together," if units["block"] > 1 else ""
    text = (
        f"Intervals of {document['level']:.0%}, by {document['draws']:,} draws of the "
        f"{units['n']:,} {units['what']}{together} that all runs share"
    )
    if len(runs) > 2:
        return f"{text}; what is beyond chance is so after Holm's correction over the runs."
    return f"{text}."


def against(row: Mapping[str, Any], all_runs: Sequence[str]) -> tuple[str, str]:
    """Return what a baseline is called, with the runs whose it is, and the runs' relative errors.

    Examples
    --------
    >>> against({"title": "naive", "relative": {"A": 0.5, "B": 0.75}}, "AB")
    ('naive', 'A 0.500, B 0.750 times it')
    >>> against({"title": "majority class", "relative": {"B": None}}, "AB")
    ('majority class (of B)', '')
    """
    runs, whose = row["relative"], ""
    if len(runs) < len(all_runs):
        whose = f" (of {', '.join(runs)})"
    known = [f"{letter} {share:.3f}" for letter, share in runs.items() if share is not None]
    return row["title"] + whose, f"{', '.join(known)} times it" if known else ""


def by_chance(one: Mapping[str, Any]) -> str:
    """Say whether a difference is beyond chance, and to whose good."""
    if one["p"] is None:
        return "no interval"
    if not one["beyond_chance"]:
        return "may be chance"
    return {True: "better", False: "worse", None: "beyond chance"}[one["better"]]


def changes(document: Mapping[str, Any], letter: str) -> list[tuple[str, str, str]]:
    """Return the settings of a run that are not those of the first: name, there, and here."""
    first = document["runs"][0]["letter"]
    return [
        (row["setting"], flow(row["values"][first]), flow(row["values"][letter]))
        for row in document["recipe"]
        if row["values"][first] != row["values"][letter]
    ]


def _size(n: int) -> str:
    return f"{n / 1000:,.0f} kB" if n >= 1000 else f"{n} bytes"


# in a terminal --------------------------------------------------------------------------------


def print_comparison(document: Mapping[str, Any]) -> None:
    """Print a comparison, in the width of the terminal."""
    console = rich_console()
    first, *others = (run["letter"] for run in document["runs"])
    for run in document["runs"]:
        took = "" if run["seconds"] is None else f", {run['seconds']:.3g} s of training"
        say(f"{run['letter']}  {run['path']}: {_size(run['bytes'])}{took}")
    units = document["units"]
    table = Table(title=f"test ({units['n']:,} {units['what']})", title_justify="left")
    table.add_column("")
    table.add_column("score", overflow="fold")
    table.add_column(f"less that of {first}", overflow="fold")
    for metric, of_runs in document["scores"].items():
        table.add_row(f"[bold]{heading(metric)}[/bold]")
        for letter, one in of_runs.items():
            moved = document["differences"][metric].get(letter)
            star = "*" if moved and moved["beyond_chance"] else ""
            told = f"{signed(moved['value'])} {_interval(moved)}{star}" if moved else ""
            table.add_row(f"  {letter}", _plain_cell(f"{number(one['value'])} {_interval(one)}"),
                          _plain_cell(told))  # fmt: skip
        for row in document["baselines"][metric]:
            title, shares = against(row, list(of_runs))
            table.add_row(_plain_cell(f"  {title}"), number(row["value"]), _plain_cell(shares))
    console.print(table)
    beside = any(document["baselines"].values())
    caption = "* beyond chance" + ("; below the runs the best baseline" if beside else "")
    say(wrapped(caption, console.width))
    say(wrapped(basis(document), console.width))
    for cost, names in document["pareto"].items():
        beats = f"by {heading(document['metric'])} and {COSTS[cost]} none beats: {', '.join(names)}"
        say(wrapped(beats, console.width, hang="  "))
    for letter in others:
        _print_changes(document, letter, console.width)
    for row in document["by_series"]:
        say(wrapped(_wins(row, first, units), console.width, hang="  "))
    for note in document["notes"]:
        say(wrapped(f"note: {note}", console.width, hang="  "))
    if "page" in document:
        say(f"page: {document['page']}")


def _plain_cell(text: str) -> Any:
    from rich.text import Text

    return Text(text.rstrip())


def _print_changes(document: Mapping[str, Any], letter: str, width: int) -> None:
    changed = changes(document, letter)
    first = document["runs"][0]["letter"]
    say(f"{letter} has the settings of {first}" + (", but for:" if changed else ""))
    for name, there, here in changed[:MOST_SETTINGS]:
        there, here = (v if len(v) <= LONGEST_VALUE else f"{v[:LONGEST_VALUE]}..."
                       for v in (there, here))  # fmt: skip
        say(wrapped(f"{name}: {here}, not {there}", width, "  "))
    if len(changed) > MOST_SETTINGS:
        say(f"  and {len(changed) - MOST_SETTINGS} more; --json and the page have all")


def _wins(row: Mapping[str, Any], first: str, units: Mapping[str, Any]) -> str:
    text = (
        f"{row['run']} is better than {first} in {row['better']:,} of {units['n']:,} "
        f"{units['what']}, worse in {row['worse']:,}, by {heading(row['metric'])}"
    )
    for name in ("best", "worst"):
        if row[name]:
            one = row[name][0]
            text += (
                f"; {name} in {one['name']}: {number(one['value'])}, {first} {number(one['first'])}"
            )
    return text


# as a page ------------------------------------------------------------------------------------


def write_comparison(
    document: Mapping[str, Any], curves: Mapping[str, Mapping[str, list[float]]], path: Path
) -> Path:
    """Write a comparison as one page, readable offline.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    page = rendered(
        "comparison.html",
        document=document,
        runs=[
            run | {
                "size": _size(run["bytes"]),
                "on": [COSTS[cost] for cost, names in document["pareto"].items()
                       if run["letter"] in names],
            }
            for run in document["runs"]
        ],
        tables=[_score_table(document, metric) for metric in document["scores"]],
        changes={run["letter"]: changes(document, run["letter"]) for run in document["runs"][1:]},
        decided={
            letter: {"shown": f"{signed(one['value'])} {_interval(one)}", "chance": by_chance(one)}
            for letter, one in document["differences"][document["metric"]].items()
        },
        deciding=heading(document["metric"]),
        first=document["runs"][0]["letter"],
        basis=basis(document),
        plots=_pictures(document, curves),
        heading=heading,
        number=number,
    )  # fmt: skip
    try:
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}.") from error
    return path


def _score_table(document: Mapping[str, Any], metric: str) -> dict[str, Any]:
    rows = []
    for letter, one in document["scores"][metric].items():
        moved = document["differences"][metric].get(letter)
        row = {"run": letter, "score": number(one["value"]), "interval": _interval(one)}
        row |= dict.fromkeys(("difference", "its", "p", "chance"), "")
        if moved:
            row |= {
                "difference": signed(moved["value"]),
                "its": _interval(moved),
                "p": "" if moved["p_holm"] is None else f"{moved['p_holm']:.3g}",
                "chance": by_chance(moved),
            }
        rows.append(row)
    letters = list(document["scores"][metric])
    beside = [(*against(row, letters), number(row["value"]))
              for row in document["baselines"][metric]]  # fmt: skip
    return {"title": heading(metric), "rows": rows, "baselines": beside}


def _pictures(
    document: Mapping[str, Any], curves: Mapping[str, Mapping[str, list[float]]]
) -> list[dict[str, Any]]:
    """Draw what a page shows, as SVG in its own colours."""
    metric = document["metric"]
    shown: dict[str, tuple[str, Display]] = {
        "difference": (
            f"Difference by {heading(metric)}, with its interval; grey what may be chance",
            DifferencesDisplay.from_comparison(document, metric),
        )
    }
    for cost, title in COSTS.items():
        if document["pareto"].get(cost):
            made = TradeOffDisplay.from_comparison(document, cost)
            shown[cost] = (f"Score and {title}; filled what none beats in both", made)
    if any(curves.values()):
        known = {letter: of_run for letter, of_run in curves.items() if "loss" in of_run}
        shown["curves"] = ("Training; dashed on the validation part", CurvesDisplay(known))
    with tempfile.TemporaryDirectory() as folder:
        displays = {name: display for name, (_, display) in shown.items()}
        save_displays(Path(folder), displays, (".svg",))
        return [
            {"title": title, "picture": inline_svg(Path(folder, f"{name}.svg"), name, title)}
            for name, (title, _) in shown.items()
        ]
