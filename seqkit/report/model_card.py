"""The model card of a run: what it is, what it was trained on, how good it is, how to ask it.

Sections and the metadata block are those of Hugging Face's model cards (Mitchell et al. 2019,
"Model Cards for Model Reporting"). What only people know of a model, such as what it is meant for,
is left for them to write, in the words that Hugging Face has for it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.metrics import METRICS
from seqkit.evaluation.summary import best_of, counted, heading, score_rows
from seqkit.evaluation.verdict import number, sentences
from seqkit.exports import EXPORTS
from seqkit.network.document import network_of
from seqkit.network.graph import Network
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.summary import summary_lines
from seqkit.report.html import template_text
from seqkit.system import durable
from seqkit.system.documents import LARGEST_JSON, parse_json, read_file

__all__ = ["CARD", "write_card"]

CARD = "MODEL_CARD.md"
PIPELINES = {"forecasting": "time-series-forecasting"}
"""Hugging Face's name of a task, where it has one."""


def write_card(folder: Path, findings: tuple[str, ...] = ()) -> Path:
    """Write ``MODEL_CARD.md`` into a run folder, from the files that are there.

    Parameters
    ----------
    folder : Path
        With ``run.json``, ``metrics.json``, ``network.json``, ``weights.safetensors`` and
        ``recipe.resolved.yaml``.
    findings : tuple of str
        Sentences on what to beware of.

    Returns
    -------
    Path
    """
    from jinja2 import Environment, StrictUndefined

    folder = Path(folder)
    record, scores = (_document(folder / name) for name in ("run.json", "metrics.json"))
    networks = [network_of(one) for one in _document(folder / "network.json")]
    recipe = (folder / "recipe.resolved.yaml").read_text(encoding="utf-8")
    verdict = scores.get("verdict")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = _plain
    name = folder.name.removesuffix(".partial")
    text = environment.from_string(template_text("model_card.md.jinja")).render(
        metadata=_metadata(name, record, scores, networks, recipe),
        name=name,
        record=record,
        n_networks=len(networks),
        summary="\n".join(summary_lines(networks[0])),
        n_bytes=(folder / "weights.safetensors").stat().st_size,
        recipe=recipe.strip(),
        findings=findings,
        verdict=() if verdict is None else sentences(verdict),
        parts=_parts(scores),
        metrics=_metrics(scores),
        exports=_exports(record, networks[0]),
        notes=scores.get("notes", []),
    )
    target = folder / CARD
    durable.write_file(target, text.encode(errors="backslashreplace"))
    return target


def _document(path: Path) -> Any:
    return parse_json(read_file(path, LARGEST_JSON))


def _metadata(
    name: str,
    record: Mapping[str, Any],
    scores: Mapping[str, Any],
    networks: list[Network],
    recipe: str,
) -> str:
    """Return the metadata block, as YAML: the scores in the form of Papers with Code."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    task, dataset = record["task"], yaml.load(recipe)["data"].get("dataset")
    layers = [node.layer for one in networks for node in one.flat.nodes]
    cells = sorted({layer.cell for layer in layers if isinstance(layer, Recurrent)})
    metrics = scores["parts"].get("test", next(iter(scores["parts"].values())))["model"]
    about = {"type": PIPELINES.get(task, task), "name": task}
    found = [
        {"type": metric, "name": METRICS[metric].title, "value": float(f"{value:.6g}")}
        for metric, value in metrics.items()
        if value is not None and metric in METRICS
    ]
    files = ", ".join(sorted({Path(file).name for file in record["data"]}))
    data = {"type": dataset or "private", "name": dataset or files}
    document: dict[str, Any] = {
        "library_name": "seqkit",
        **({"pipeline_tag": PIPELINES[task]} if task in PIPELINES else {}),
        "tags": ["seqkit", "time-series", task, *cells],
        "model-index": [
            {"name": name, "results": [{"task": about, "dataset": data, "metrics": found}]}
        ],
    }
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue().strip()


def _parts(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a table for each part: metrics down, the model and its baselines across."""
    tables = []
    for part, content in scores["parts"].items():
        metrics, rows = score_rows(content)
        lines = []
        for j, metric in enumerate(metrics):
            values = {who: one[j] for who, one in rows}
            best = best_of(metric, values)
            cells = [
                f"**{number(value)}**" if who in best else number(value)
                for who, value in values.items()
            ]
            lines.append([heading(metric), *cells])
        titles = [BASELINES[who].title if who in BASELINES else who for who, _ in rows]
        tables.append({"part": part, "size": counted(scores["n"][part]), "columns": titles,
                       "lines": lines})  # fmt: skip
    return tables


def _metrics(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the metrics are, and where they are from."""
    part = next(iter(scores["parts"].values()))
    return [(heading(name), METRICS[name].source) for name in part["model"] if name in METRICS]


def _exports(record: Mapping[str, Any], network: Network) -> list[dict[str, Any]]:
    """Return how each artefact is asked, and how it was verified."""
    artefacts = []
    named = ", ".join(f"{one.name!r}: {one.name}" for one in network.inputs)
    inputs = f"{{{named}}}" if network.named_inputs else "x"
    arguments = ", ".join(f"{one.name}={one.name}" for one in network.inputs)
    for format, entry in record.get("exports", {}).items():
        if format in EXPORTS:
            row = EXPORTS[format]
            example = row.example.format(path=entry["path"], inputs=inputs, arguments=arguments)
            artefacts.append({"format": format, "summary": row.summary, "example": example,
                              **entry})  # fmt: skip
    return artefacts


def _plain(text: Any) -> str:
    """Return a text of the data's or the recipe's that is no Markdown and no HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", str(text)).replace("\n", " ")
