"""The report of a run: one page that needs nothing but itself.

:func:`write_report` reads what a run folder holds and renders ``templates/report.html``. All
text of the user's, from names of series to the recipe, is escaped; pictures are inlined as SVG that
has been stripped of everything that could act or load.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from seqkit.errors import RecipeError, RunError
from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.findings import untold
from seqkit.evaluation.metrics import METRICS
from seqkit.evaluation.summary import best_of, counted, heading, score_rows
from seqkit.evaluation.verdict import judge, number
from seqkit.recipe.reading import read_recipe
from seqkit.recipe.writing import beside_defaults
from seqkit.report.calling import call_examples
from seqkit.report.canvas import INK
from seqkit.report.page import page_data, read_history
from seqkit.report.samples import SAMPLE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["in_script", "inline_svg", "rendered", "template_text", "write_report"]

MOST_LINES = 200
NAMED = ("path", "dataset", "target")  # what no recipe is without
MOST_SERIES = 10

# In this order, then any other picture by name.
PLOTS = {
    "forecast": "Forecast",
    "horizon": "Error by step of the horizon",
    "confusion": "Confusion of classes",
    "residuals": "Predicted and true",
    "scores": "Scores",
    "history": "Training",
}

TURNS = {sign: f"\\u{sign:04x}" for sign in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Signs that turn the order of what follows, which might then read as something else: by name."""

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run folder, from the files that are there.

    Parameters
    ----------
    folder : Path
        With ``run.json`` and, each where it exists, ``metrics.json``, ``history.csv``,
        ``predictions.parquet``, ``series.json``, ``model.json``, ``network.json`` and
        ``weights.safetensors``, ``recipe.yaml``, ``recipe.resolved.yaml``, ``log.txt`` and
        ``plots/*.svg`` or ``.png``.

    Returns
    -------
    Path
        The report: one file, readable offline.

    Raises
    ------
    RunError
        If the folder holds no ``run.json``, or a file of it is damaged.
    """
    from seqkit.report.page_model import page_model  # loads estimators

    folder = Path(folder)
    record = _json(folder / "run.json")
    if record is None:
        raise RunError(f"{folder}: this is no run folder: it has no run.json.")
    summary, model = _json(folder / "metrics.json"), _json(folder / "model.json")
    sample = _json(folder / SAMPLE)
    unnamed = bool(sample and sample.get("left_out"))  # series that nothing may tell of
    log, left_out = _log(folder / "log.txt")
    frame = _predictions(folder / "predictions.parquet")
    task = str((summary or {}).get("task") or record.get("task", ""))
    history = read_history(_text(folder / "history.csv"), model)
    data = page_data(task, frame, summary, sample, history)
    data["model"] = page_model(folder, model, sample)
    name = folder.name.removesuffix(".partial")
    page = rendered(
        "report.html",
        name=name,
        record=record,
        facts=_facts(record),
        verdict=_verdict(summary),
        findings=_findings(summary),
        tables=_tables(summary),
        hardest=None if unnamed else _hardest(summary),
        mistakes=None if unnamed else _mistakes(frame),
        notes=(summary or {}).get("notes", []),
        plots=_plots(folder / "plots", _drawn(data)),
        training=_training(history),
        log=log,
        left_out=left_out,
        given=_text(folder / "recipe.yaml"),
        resolved=_marked(folder / "recipe.resolved.yaml"),
        calls=call_examples(
            name,
            task,
            data.get("series", {}),
            bool((model or {}).get("parameters", {}).get("future_covariates")),
        ),
        data=data,
        **_scripts(data),
    )
    target = folder / "report.html"
    beside = folder / "report.html.new"
    beside.write_text(page, encoding="utf-8", errors="backslashreplace")
    beside.replace(target)
    return target


def rendered(template: str, **values: Any) -> str:
    """Return a page of a template of this package, in the style that all of them have."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        ours = isinstance(value, Markup) or not isinstance(value, str)
        return value if ours else value.translate(TURNS)

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=finalize,
    )  # fmt: skip
    style = Markup(template_text("style.css"))
    return environment.from_string(template_text(template)).render(style=style, **values)


def template_text(name: str) -> str:
    """Return a file of the templates of this package."""
    return files("seqkit.report").joinpath("templates", name).read_text("utf-8")


SCRIPTS = ("uPlot.iife.min.js", "charts.js", "model.js", "series.js", "playground.js", "page.js")
"""What a page runs, in this order."""


def _scripts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scripts of a page, its data as JSON that ends no script, and what may run.

    The content security policy names each script by its digest: nothing else runs.
    """
    from markupsafe import Markup

    folder = files("seqkit.report").joinpath("assets")
    texts = [folder.joinpath(name).read_text("utf-8").strip() for name in SCRIPTS]
    digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts]
    return {
        "scripts": [Markup(text) for text in texts],
        "allowed": " ".join(f"'sha256-{digest}'" for digest in digests),
        "plot_style": Markup(folder.joinpath("uPlot.min.css").read_text("utf-8").strip()),
        "json": Markup(in_script(data)),
    }


def in_script(data: Any) -> str:
    r"""Return JSON for a script element: nothing in it ends the element or a line of it.

    Examples
    --------
    >>> print(in_script({"a": "</script>"}))
    {"a":"\u003c/script\u003e"}
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.translate({sign: f"\\{name}" for sign, name in TURNS.items()})
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("utf-8", "backslashreplace").decode()


def _predictions(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    import pandas as pd

    with path.open("rb") as file:  # pyarrow takes no name that is not UTF-8
        return pd.read_parquet(file)


def _marked(path: Path) -> list[tuple[str, str | None]] | None:
    """Return the lines of the whole recipe, with the default where a value is another."""
    text = _text(path)
    if text is None:
        return None
    try:
        recipe = read_recipe(path).recipe
    except RecipeError:  # of another version: as it is
        return [(line, None) for line in text.splitlines()]
    data = {name: value for name, value in recipe.data if name in NAMED and value}
    try:  # what is filled in where a recipe says nothing else
        return beside_defaults(recipe, read_recipe({"task": recipe.task, "data": data}).recipe)
    except RecipeError:
        return beside_defaults(recipe)


def _drawn(data: Mapping[str, Any]) -> set[str]:
    """Return the kinds of pictures that the page draws itself."""
    has = {
        "forecast": data.get("series", {}).get("kept") and data["task"] == "forecasting",
        "horizon": "byStep" in data,
        "confusion": "confusion" in data,
        "residuals": data.get("residuals"),
        "history": "history" in data,
    }
    return {kind for kind, there in has.items() if there}


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _json(path: Path) -> dict[str, Any] | None:
    text = _text(path)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise RunError(f"{path}: damaged: {error}. Restore the folder from a copy.") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: damaged: it holds no mapping. Restore the folder from a copy.")
    return content


def _title(who: str) -> str:
    return BASELINES[who].title if who in BASELINES else who


def _tables(summary: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Scores of each part: metrics down, the model and its baselines across."""
    if summary is None:
        return []
    parts = dict(summary["parts"])
    counts = dict(summary["n"])
    order = sorted(parts, key=lambda name: (name != "test", name != "sample"))
    if "backtest" in summary:
        parts["backtest"], counts["backtest"] = summary["backtest"], summary["backtest"]["n"]
        order.append("backtest")
    tables = []
    for part in order:
        metrics, rows = score_rows(parts[part])
        lines = []
        for j, metric in enumerate(metrics):
            values = {who: scores[j] for who, scores in rows}
            best = best_of(metric, values)
            cells = [(number(value), who in best, who == "model") for who, value in values.items()]
            source = METRICS[metric].source if metric in METRICS else ""
            lines.append({"title": heading(metric), "source": source, "cells": cells})
        caption = counted(counts[part])
        if "refit" in parts[part]:  # from rolling origins
            again = "fitted again at each" if parts[part]["refit"] else "fitted once"
            apart = "a step" if parts[part]["step"] == 1 else f"{parts[part]['step']} steps"
            caption += f"; origins {apart} apart, {again}"
        tables.append(
            {
                "part": part,
                "caption": caption,
                "columns": [_title(who) for who, _ in rows],
                "lines": lines,
                "conformal": parts[part].get("conformal"),
            }
        )
    return tables


def _verdict(summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the verdict of a run; of one that was written before there were any, by its scores."""
    if summary is None or "verdict" in summary:
        return (summary or {}).get("verdict")
    return judge(summary)


def _findings(summary: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return what was found, but for what the verdict says; earlier versions looked for nothing."""
    return untold((summary or {}).get("findings", ()), _verdict(summary))


def _hardest(summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """List the series the model forecast worst."""
    part = (summary or {}).get("parts", {}).get("test", {})
    by_series = part.get("by_series")
    if not by_series:
        return None
    for metric in ("mase", *by_series["model"]):
        values = by_series["model"].get(metric)
        if values is None or METRICS[metric].greater_is_better is not False:
            continue
        ranked = sorted(
            (i for i, value in enumerate(values) if value is not None),
            key=lambda i: -values[i],
        )[:MOST_SERIES]
        rivals = [who for who, of in by_series["baselines"].items() if metric in of]
        rows = [
            [
                by_series["ids"][i],
                number(values[i]),
                *(number(by_series["baselines"][who][metric][i]) for who in rivals),
            ]
            for i in ranked
        ]
        columns = ["series", "model", *(_title(who) for who in rivals)]
        return {"metric": heading(metric), "columns": columns, "rows": rows}
    return None


def _mistakes(frame: pd.DataFrame | None) -> dict[str, Any] | None:
    """List the wrong predictions a classifier was surest of."""
    if frame is None:
        return None
    sure = [name for name in frame.columns if str(name).startswith("p_")]
    if not {"series", "true", "predicted"} <= set(frame.columns) or not sure:
        return None
    wrong = frame[frame["true"].astype(str) != frame["predicted"].astype(str)].copy()
    wrong["sure"] = wrong[sure].max(axis=1)
    worst = wrong.sort_values("sure", ascending=False).head(MOST_SERIES)
    rows = [
        [str(row["series"]), str(row["true"]), str(row["predicted"]), f"{row['sure']:.3f}"]
        for _, row in worst.iterrows()
    ]
    return {"wrong": len(wrong), "of": len(frame), "rows": rows}


def _training(history: Mapping[str, Any] | None) -> str | None:
    """Say how long was trained, what the losses were, and which epoch's weights were kept."""
    if history is None:
        return None
    curves, n_stopped = history["curves"], history["stopped"]
    n_epochs = max(map(len, curves.values()), default=0)
    said = [f"{n_stopped or n_epochs} epoch{'s' if (n_stopped or n_epochs) > 1 else ''}"]
    known = [(v, k) for k, v in enumerate(curves.get("val_loss", ()), 1) if v is not None]
    if known:
        best, epoch = min(known)
        said.append(f"lowest validation loss {number(best)} after epoch {epoch}")
    if n_stopped:
        said.append(f"stopped, then trained anew on all for {n_epochs - n_stopped} epochs")
    said.append(f"the weights are those after epoch {history['best'] - n_stopped}")
    several = f"the first of {1 + len(history['others'])} networks: " if history["others"] else ""
    return several + "; ".join(said)


def _log(path: Path) -> tuple[list[str], int]:
    """Return the log but for its epochs, which the history holds, and how many lines are left out.

    What was inferred, repaired or dropped stands at the head, how the run ended at the end.
    """
    lines = [
        line
        for line in (_text(path) or "").splitlines()
        if not re.match(r"(\S+ )?epoch \d+ ", line)
    ]
    over = max(0, len(lines) - MOST_LINES)
    half = MOST_LINES // 2
    return (lines[:half] + lines[-half:] if over else lines), over


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Flatten ``run.json`` into lines of name and value."""
    facts = []
    for key, value in record.items():
        if isinstance(value, Mapping):
            facts += [(f"{key}: {name}", _plain(inner)) for name, inner in value.items()]
        else:
            facts.append((key, _plain(value)))
    return facts


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plots(folder: Path, drawn: set[str]) -> list[dict[str, Any]]:
    """Inline every picture that the page does not draw itself: SVG where there is one, else PNG."""
    from markupsafe import Markup

    pictures: dict[str, Path] = {}
    for suffix in (".png", ".svg"):
        pictures |= {path.stem: path for path in sorted(folder.glob(f"*{suffix}"))}
    known = list(PLOTS)

    def kind_of(stem: str) -> str | None:
        return next((kind for kind in known if stem.startswith(kind)), None)

    def order(stem: str) -> tuple[int, int, str]:
        kind = kind_of(stem)
        return (len(known) if kind is None else known.index(kind), len(stem), stem)

    plots = []
    left = [stem for stem in pictures if kind_of(stem) not in drawn]
    for number_, stem in enumerate(sorted(left, key=order)):
        kind, again = kind_of(stem), re.search(r"_(\d+)$", stem)
        title = stem.replace("_", " ").capitalize() if kind is None else PLOTS[kind]
        title += f" {again[1]}" if kind is not None and again else ""
        path = pictures[stem]
        if path.suffix == ".svg":
            picture = inline_svg(path, f"plot{number_}", title)
        else:
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            picture = Markup('<img alt="{}" src="data:image/png;base64,{}">').format(title, data)
        plots.append({"title": title, "picture": picture})
    return plots


def inline_svg(path: Path, prefix: str, title: str) -> Any:
    """Return an SVG that can neither act nor load, in the colours of the page."""
    from markupsafe import Markup

    try:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    except ElementTree.ParseError as error:
        raise RunError(f"{path}: damaged: {error}. Restore the folder from a copy.") from error
    harmless = {
        f"{{{_SVG}}}{tag}"
        for tag in ("svg", "g", "defs", "path", "use", "text", "tspan", "rect", "circle", "line",
                    "polyline", "polygon", "ellipse", "clipPath", "style", "image", "title",
                    "linearGradient", "stop")
    }  # fmt: skip
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag not in harmless:
                parent.remove(child)
        for key, value in list(parent.attrib.items()):
            name = key.rsplit("}", 1)[-1].lower()
            outward = name == "href" and not value.startswith(("#", "data:image/png;base64,"))
            if name.startswith("on") or outward or re.search(r"url\(\s*['\"]?(?!#)", value):
                del parent.attrib[key]
                continue
            # Pictures on one page must not share names.
            if name == "id":
                parent.set(key, f"{prefix}-{value}")
            elif name == "href" and value.startswith("#"):
                parent.set(key, f"#{prefix}-{value[1:]}")
            else:
                own = re.sub(r"url\(#", f"url(#{prefix}-", value)
                parent.set(key, own.replace(INK, "currentColor"))
        if parent.tag.endswith("}style") and (
            "@import" in (parent.text or "") or "url(" in (parent.text or "")
        ):
            parent.text = ""
    width = root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-label", title)
    if width is not None and re.fullmatch(r"[\d.]+(pt|px)?", width):
        root.set("style", f"max-width:{width}")
    return Markup(ElementTree.tostring(root, encoding="unicode"))
