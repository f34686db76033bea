"""A run trained again from what its folder says, and what is not equal to the last bit."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import DataError, RunError, TrainingError, shown
from seqkit.estimators.weights_file import described
from seqkit.recipe.reading import read_recipe
from seqkit.runs.environment import differences_of, environment
from seqkit.runs.experiment import fitted, history_text
from seqkit.runs.finished import Result, load_run
from seqkit.runs.flows import begun, flow_of
from seqkit.runs.folder import fingerprint, open_run, read_verified
from seqkit.system.commands import DIFFERENT
from seqkit.system.documents import LARGEST_JSON, damaged, parse_json

if TYPE_CHECKING:
    import pyarrow as pa

    from seqkit.runs.flows import Parts
    from seqkit.system.progress import Progress

__all__ = ["Outcome", "reproduce"]

LARGEST_TABLE = 1 << 31  # bytes
Difference = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a training has come to, as it is compared with another of the same.

    Attributes
    ----------
    weights : dict of str to array
        By path, in the order of the network.
    history : list of dict
        A row an epoch, of ``history.csv``: column to text.
    histories : list of dict
        Of every network of the estimator: name to a number an epoch.
    scores : dict
        What ``metrics.json`` says of each part.
    predictions : pyarrow.Table or None
        The content of ``predictions.parquet``; None where a folder of format 1 has none.
    """

    weights: dict[str, np.ndarray]
    history: list[dict[str, str]]
    histories: list[dict[str, list[float]]]
    scores: dict[str, Any]
    predictions: pa.Table | None

    @classmethod
    def of(
        cls, estimator: Any, history: str, scores: dict[str, Any], predictions: bytes | None
    ) -> Outcome:
        """Return the outcome from an estimator and the content of a run's files."""
        import pyarrow.parquet as pq

        weights = dict(zip(described(estimator._build()), estimator.weights_, strict=True))
        rows = list(csv.DictReader(io.StringIO(history, newline="")))
        histories = getattr(estimator, "histories_", [estimator.history_])
        table = None if predictions is None else pq.read_table(io.BytesIO(predictions))
        return cls(weights, rows, histories, scores["parts"], table)


def reproduce(run: str | os.PathLike[str], *, show: Progress | None = None) -> Result:
    """Train a complete run again and compare weights, history, predictions and scores bit for bit.

    It is trained from its resolved recipe, with the same data, from the start it began from if it
    had one. The run is not altered, and no other is made.

    Parameters
    ----------
    run : path
    show : Progress, default=None

    Returns
    -------
    Result
        With the estimator that was trained again. The ``document`` says whether all is ``equal``,
        and of what is not: the first epoch (``history``), the first parameter (``weights``), the
        first column (``predictions``) and the first score; and what is another ``environment``.

    Raises
    ------
    seqkit.errors.RunError
        If the folder is not whole, or its data or the fit it began from have changed since.
    seqkit.errors.DataError
        If its data are not there any more.
    seqkit.errors.TrainingError
        If the training breaks off, which it had not.
    """
    with show or contextlib.nullcontext():
        path = Path(run)
        record = open_run(path)
        before = _stored(path, record, load_run(path))
        flow, parts = _loaded(path, record, show)
        try:
            told = None if show is None else lambda epoch, logs, _: show.epoch(epoch, logs)
            estimator = fitted(flow, parts, told, show=show)
        except TrainingError as error:
            message = f"{path}: trained again, it breaks off: {error}"
            raise TrainingError(message, error.history, error.state) from error
        except ValueError as error:  # an estimator refuses data this way
            raise DataError(f"{path}: cannot be trained again: {error}") from error
        if show:
            show.doing("scoring the model beside its baselines")
        assessment = flow.assess(estimator, parts)
        after = Outcome.of(
            estimator,
            history_text(estimator),
            json.loads(json.dumps(assessment.document)),
            assessment.predictions.to_parquet(index=False),
        )
    compared = {
        "history": _epochs(before, after),
        "weights": _parameters(before.weights, after.weights),
        "predictions": _tables(before.predictions, after.predictions),
        "scores": _scores(before.scores, after.scores),
    }
    found = {name: difference for name, difference in compared.items() if difference}
    others = differences_of(record, environment())
    document = {
        "run": str(run),
        "equal": not found,
        "differences": found,
        "environment": {name: {"then": a, "now": b} for name, (a, b) in others.items()},
    }
    lines = [*_lines(document), *_environment_lines(others, bool(found))]
    return Result(document, lines, None, estimator, DIFFERENT if found else 0)


def _stored(path: Path, record: dict[str, Any], estimator: Any) -> Outcome:
    """Return the outcome that a run folder holds, its files as the run has left them."""
    metrics, history = path / "metrics.json", path / "history.csv"
    table = path / "predictions.parquet"
    try:
        scores = parse_json(read_verified(path, record, metrics.name, LARGEST_JSON))
        text = read_verified(path, record, history.name, LARGEST_JSON).decode()
        kept = record["format"] > 1 or table.exists()
        rows = read_verified(path, record, table.name, LARGEST_TABLE) if kept else None
        return Outcome.of(estimator, text, scores, rows)
    except RunError:
        raise
    except (ValueError, KeyError, TypeError, OSError, csv.Error) as error:
        raise damaged(path, error) from error


def _loaded(path: Path, record: dict[str, Any], show: Progress | None) -> tuple[Any, Parts]:
    """Return the flow and the data that a run was trained with; refuse others."""
    if show:
        show.doing("reading the data")
    resolved, start = begun(read_recipe(path / "recipe.resolved.yaml"))
    noted = record.get("start") or {}
    if (start or {}).get("weights") != noted.get("weights"):
        raise RunError(
            f"{path}: the fit {resolved.recipe.train.start} has changed since this one began from "
            "it. Restore it."
        )
    flow = flow_of(resolved)
    parts = flow.load()
    now, then = fingerprint(parts.files), record.get("data")
    known = list(then.values()) if isinstance(then, dict) else []
    if list(now.values()) != known:  # a folder may have been moved together with its data
        others = [name for name, digest in now.items() if digest not in known] or list(now)
        raise RunError(
            f"{path}: its data have changed since the run: {', '.join(others)}. Only with the same "
            "bytes can it be trained again. Restore them; or fit others anew: seqkit fit "
            f"{path / 'recipe.resolved.yaml'}"
        )
    flow.check(parts)
    return flow, parts


def _epochs(before: Outcome, after: Outcome) -> Difference | None:
    """Return the first epoch whose logged numbers differ."""
    for number, pair in enumerate(zip(before.history, after.history, strict=False)):
        if pair[0] != pair[1]:
            return _epoch(pair, int(after.history[number]["epoch"]), 1)
    if len(before.history) != len(after.history):
        ends = [len(before.history), len(after.history)]
        return {"network": 1, "epoch": min(ends) + 1, "epochs": ends}
    for number, curves in enumerate(zip(before.histories, after.histories, strict=False), start=1):
        for epoch, rows in enumerate(zip(*map(_as_rows, curves), strict=False), start=1):
            if rows[0] != rows[1]:
                return _epoch(rows, epoch, number)
    return None


def _as_rows(curves: Mapping[str, list[float]]) -> Iterator[dict[str, str]]:
    for row in zip(*curves.values(), strict=True):
        yield dict(zip(curves, (repr(float(value)) for value in row), strict=True))


def _epoch(rows: tuple[dict[str, str], dict[str, str]], epoch: int, network: int) -> Difference:
    then, now = rows
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    training = {"training": now["training"]} if now.get("training") else {}
    values = {name: {"then": then.get(name), "now": now.get(name)} for name in names}
    return {**training, "network": network, "epoch": epoch, "values": values}


def _parameters(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> Difference | None:
    """Return the first parameter that differs, by how much, and how many do."""
    paths = list({**before, **after})
    different = [path for path in paths if not _same_bits(before.get(path), after.get(path))]
    if not different:
        return None
    first = different[0]
    then, now = before.get(first), after.get(first)
    shapes = {"then": None if then is None else list(then.shape),
              "now": None if now is None else list(now.shape)}  # fmt: skip
    found: Difference = {"parameter": first, "different": len(different), "of": len(paths)}
    if then is None or now is None or then.shape != now.shape:
        return {**found, "shape": shapes}
    return {**found, "greatest_difference": _greatest(then, now)}


def _tables(before: pa.Table | None, after: pa.Table | None) -> Difference | None:
    """Return the first column of predictions that differs."""
    if before is None or after is None:
        return None
    for name in dict.fromkeys([*before.column_names, *after.column_names]):
        if name not in before.column_names or name not in after.column_names:
            return {"column": name, "there": "then" if name in before.column_names else "now"}
        then, now = (table.column(name).to_numpy(zero_copy_only=False) for table in (before, after))
        if _same_bits(then, now):
            continue
        found: Difference = {"column": name}
        if then.shape != now.shape:
            return {**found, "rows": {"then": len(then), "now": len(now)}}
        if then.dtype.kind == now.dtype.kind == "f":
            found["greatest_difference"] = _greatest(then, now)
        return found
    return None


def _same_bits(then: np.ndarray | None, now: np.ndarray | None) -> bool:
    if then is None or now is None or then.dtype != now.dtype or then.shape != now.shape:
        return False
    if then.dtype.kind == "O":
        return all(repr(a) == repr(b) for a, b in zip(then.flat, now.flat, strict=True))
    return then.tobytes() == now.tobytes()


def _greatest(then: np.ndarray, now: np.ndarray) -> float | None:
    """Return the greatest difference of two arrays; None where it is that of NaN to a number."""
    greatest = float(np.max(np.abs(then.astype(np.float64) - now.astype(np.float64))))
    return greatest if np.isfinite(greatest) else None


def _scores(before: Any, after: Any, path: str = "") -> Difference | None:
    """Return the first score that differs, by its path in ``metrics.json``."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            inner = f"{path}.{name}" if path else str(name)
            if found := _scores(before.get(name), after.get(name), inner):
                return found
        return None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            if found := _scores(*pair, f"{path}[{number}]"):
                return found
        return None
    return None if repr(before) == repr(after) else {"score": path, "then": before, "now": after}


def _lines(document: dict[str, Any]) -> list[str]:
    """Return what a person is told of the comparison."""
    if document["equal"]:
        return [f"{document['run']}: equal bit for bit: history, weights, predictions and scores"]
    lines = [f"{document['run']}: trained again, but different"]
    for name, found in document["differences"].items():
        lines.append(f"{name}: {_WORDS[name](found)}")
    return lines


def _epoch_words(found: Difference) -> str:
    which = f"network {found['network']}, " if found["network"] > 1 else ""
    where = f"{which}{found.get('training', '')} epoch {found['epoch']}".replace("  ", " ").strip()
    if "epochs" in found:
        return f"{found['epochs'][0]} epochs then, {found['epochs'][1]} now; equal before {where}"
    values = [f"{n} {v['then']} then, {v['now']} now" for n, v in found["values"].items()]
    return f"first in {where}: {'; '.join(values)}"


def _size_words(found: Difference) -> str:
    if "greatest_difference" in found:
        size = found["greatest_difference"]
        return "not finite in one of them" if size is None else f"by up to {size:.3g}"
    sizes = found.get("shape", found.get("rows"))
    return "other values" if sizes is None else f"{sizes['then']} then, {sizes['now']} now"


def _weight_words(found: Difference) -> str:
    count = f"{found['different']} of {found['of']} parameters differ"
    return f"first {found['parameter']}, {_size_words(found)}; {count}"


def _column_words(found: Difference) -> str:
    if "there" in found:
        return f"{found['column']} is only there {found['there']}"
    return f"first {found['column']}, {_size_words(found)}"


def _score_words(found: Difference) -> str:
    return f"first {found['score']}: {shown(found['then'])} then, {shown(found['now'])} now"


_WORDS = {
    "history": _epoch_words,
    "weights": _weight_words,
    "predictions": _column_words,
    "scores": _score_words,
}


def _environment_lines(others: Mapping[str, tuple[Any, Any]], different: bool) -> list[str]:
    """Return what is another environment, a line each, where that may be why."""
    if not others:
        return ["environment: the same, as far as it is noted"] if different else []
    if not different:
        return [f"although the environment is another: {', '.join(others)}"]
    return [
        f"environment: {name} {'not noted' if then is None else then} then, {now} now"
        for name, (then, now) in others.items()
    ]
