"""What a finished run gives: its estimator, scores, predictions, forecasts, exports."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from seqkit.errors import DataError, RecipeError, RunError
from seqkit.estimators.saving import NETWORK, WEIGHTS, load_estimator, read_estimator
from seqkit.exports import EXPORTS
from seqkit.exports import export as write_export
from seqkit.recipe.reading import read_recipe
from seqkit.report.tables import without_formulas
from seqkit.runs.amending import amended
from seqkit.runs.flows import flow_of
from seqkit.runs.folder import open_run, read_verified
from seqkit.system.console import rich_console, say, say_lines, wrapped
from seqkit.system.documents import LARGEST_JSON, damaged, parse_json

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.estimators.classifier import SequenceClassifier
    from seqkit.estimators.forecaster import SequenceForecaster
    from seqkit.estimators.regressor import SequenceRegressor
    from seqkit.estimators.tagger import SequenceTagger

    Estimator: TypeAlias = (
        SequenceClassifier | SequenceRegressor | SequenceForecaster | SequenceTagger
    )

__all__ = [
    "Result",
    "evaluate",
    "export",
    "forecast",
    "generate",
    "load",
    "load_run",
    "open_finished",
    "origin_of",
    "predict",
]

LARGEST_RECIPE, LARGEST_WEIGHTS = 1 << 20, 1 << 31  # bytes


@dataclass
class Result:
    """What a command returns.

    Attributes
    ----------
    document : dict
        All of it in JSON's types.
    lines : list of str
        What a person is told, after the table.
    scores : dict or None
        The content of ``metrics.json``, shown as a table.
    estimator : SequenceClassifier, SequenceRegressor, SequenceForecaster or None
        The fitted estimator.
    status : int
        With which the command ends.
    """

    document: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    scores: dict[str, Any] | None = None
    estimator: Estimator | None = None
    status: int = 0

    def print(self) -> None:
        """Print the scores beside those of the baselines, and the lines."""
        if self.scores is not None:
            from seqkit.evaluation.findings import finding_lines
            from seqkit.evaluation.summary import as_tables
            from seqkit.evaluation.verdict import sentences

            console = rich_console()
            shown = 2 if "sample" in self.scores["parts"] else 1
            for table in as_tables(self.scores, console.width)[:shown]:
                console.print(table)
            verdict = self.scores.get("verdict")
            if verdict is not None:
                say(wrapped(" ".join(sentences(verdict)), console.width))
                for advice in verdict["try"]:
                    say(wrapped(f"try {advice}", console.width, "  "))
            found = self.scores.get("findings", ())
            where = "the report has all; seqkit list findings says what they mean"
            for line in finding_lines(found, verdict, where):
                say(wrapped(line, console.width, hang="  "))
        say_lines(self.lines)


def load_run(run: str | os.PathLike[str]) -> Estimator:
    """Return the fitted estimator of a complete run folder.

    Raises
    ------
    seqkit.errors.RunError
        If the folder is missing, damaged, incomplete or of a newer version.

    Examples
    --------
    Of a run of ``seqkit fit``, ``load_run("runs/20260901-1412-gait-3f2a").predict(X)``; that of
    :func:`run` is loaded in its example.

    >>> load_run("runs/no-such-run")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    seqkit.errors.RunError: ...
    """
    return open_finished(Path(run))[1]


def load(path: str | os.PathLike[str]) -> Estimator:
    """Return a fitted estimator: one that was saved by its ``save``, or that of a run folder.

    Nothing in either could run.

    Raises
    ------
    seqkit.errors.RunError
        If the folder is missing, damaged, incomplete or of a newer version.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from seqkit import SequenceRegressor
    >>> X = np.arange(60.0).reshape(12, 5)
    >>> model = SequenceRegressor(units=2, epochs=1).fit(X, X[:, 0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/model")
    ...     bool((load(f"{folder}/model").predict(X) == model.predict(X)).all())
    True
    """
    is_run = (Path(path) / "run.json").is_file()
    estimator: Estimator = load_run(path) if is_run else read_estimator(path)
    return estimator


def open_finished(path: Path) -> tuple[Any, Estimator, dict[str, Any]]:
    """Return the flow of a finished run, its estimator, and its ``model.json``."""
    record = open_run(path)
    format = record["format"]
    recipe = path / "recipe.resolved.yaml"
    read_verified(path, record, recipe.name, LARGEST_RECIPE)
    try:
        flow = flow_of(read_recipe(recipe))
    except RecipeError as error:
        raise damaged(recipe, error) from error
    try:
        description = parse_json(read_verified(path, record, "model.json", LARGEST_JSON))
        weights = read_verified(path, record, WEIGHTS[format], LARGEST_WEIGHTS)
        networks = None
        if format > 1:
            networks = read_verified(path, record, NETWORK, LARGEST_JSON)
        estimator = load_estimator(description, weights, path, format, networks)
    except (ValueError, MemoryError) as error:
        if isinstance(error, RunError):
            raise
        raise damaged(path / "model.json", error or "it asks for too much memory") from error
    if flow.recipe.task != description["task"] or not description["columns"]:
        raise damaged(path / "model.json", "it is not of the recipe beside it")
    return flow, estimator, description


def evaluate(run: str | os.PathLike[str], data: str | None = None) -> Result:
    """Score a run on its test part, or on a file, beside the baselines."""
    flow, estimator, description = open_finished(Path(run))
    parts = flow.load(data, estimator, description["columns"])
    assessment = flow.assess(estimator, parts)
    document = {"run": str(run), "metrics": assessment.document, "notes": parts.unlike}
    return Result(document, _notes(parts.unlike), assessment.document, estimator)


def predict(
    run: str | os.PathLike[str],
    data: str,
    output: Path,
    *,
    proba: bool = False,
    interval: float | None = None,
    raw_text: bool = False,
) -> Result:
    """Write what a run's model predicts for the series of a file."""
    flow, estimator, description = open_finished(Path(run))
    wanted: dict[str, Any] = {"columns": description["columns"], "proba": proba}
    if interval is not None:
        if flow.task.name != "regression":
            hint = " Use seqkit forecast." if flow.task.name == "forecasting" else ""
            raise DataError(f"--interval: {flow.task.name} has no intervals to predict.{hint}")
        wanted["interval"] = interval
    frame, notes = flow.predict(estimator, data, **wanted)
    return _written(frame, output, notes, raw_text)


def forecast(
    run: str | os.PathLike[str],
    data: str | None = None,
    *,
    horizon: int | None = None,
    future: str | None = None,
    interval: float | None = None,
    output: Path | None = None,
    raw_text: bool = False,
) -> Result:
    """Forecast what comes after the end of every series of a run's data, or of a file."""
    flow, estimator, description = open_finished(Path(run))
    frame, notes = flow.forecast(
        estimator,
        data,
        columns=description["columns"],
        horizon=horizon,
        future=future,
        interval=interval,
    )
    if output is not None:
        return _written(frame, output, notes, raw_text)
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    # columns that do not fit go below
    text = frame.to_string(index=False, line_width=shutil.get_terminal_size().columns)
    lines = [text, *_notes(notes)]
    return Result({"forecast": rows, "notes": notes}, lines)


def generate(
    run: str | os.PathLike[str],
    n_steps: int,
    output: Path | None = None,
    *,
    start: str | None = None,
    **drawn: Any,
) -> Result:
    """Go on with a series, as :meth:`SequenceTagger.generate` does.

    Parameters
    ----------
    run : path
    n_steps : int
    output : Path, default=None
        A table with a row a step, the start's among them, and a column for each label, or number;
        not of tokens.
    start : str, default=None
        A text; of labels or numbers a file like those of the run, whose first series it is.
    **drawn
        ``temperature``, ``top_k``, ``threshold`` and ``seed``.
    """
    flow, estimator, description = open_finished(Path(run))
    if getattr(flow, "asks_next", False) is False:
        raise RunError(
            f"{flow.resolved.path}: seqkit generate needs a run with data.target: next; this is "
            f"{flow.task.name} of other targets."
        )
    model: Any = estimator
    tokens = hasattr(model, "tokens_")
    letters = tokens and model.tokens_.dtype.itemsize == 4
    if output is not None and tokens:
        raise DataError(
            f"{output}: a table is made of several labels, or numbers, a step; this run has tokens."
        )
    begin: Any = start if letters or start is None else start.split()
    if not tokens and start is not None:
        begin = cast(Any, flow).begun(start, description["columns"])
    try:
        found = model.generate(n_steps, begin, **drawn)
    except ValueError as error:
        raise DataError(str(error)) from error
    if tokens:
        whole = (start or "") + found if letters else " ".join([*(begin or []), *map(str, found)])
        return Result({"text": whole, **drawn}, whole.splitlines())
    steps = found if begin is None else np.concatenate([begin.astype(found.dtype), found])
    names = description["columns"]["features"]
    if output is None:
        return _told(steps, names, drawn, numbers=model._of_numbers)
    import pandas as pd

    table = pd.DataFrame(steps, columns=names)
    table.insert(0, "step", np.arange(len(table)))
    return _written(table, output, [], raw_text=False)


def _told(steps: Any, names: list[str], drawn: dict[str, Any], numbers: bool) -> Result:
    """Return steps a line each: their numbers, or the names of the labels that are there."""
    if numbers:
        lines = [" ".join(f"{value:.6g}" for value in one) for one in steps.tolist()]
        document = {"steps": steps.tolist(), "features": names, **drawn}
        return Result(document, [" ".join(names), *lines])
    lines = [" ".join(name for name, on in zip(names, one, strict=True) if on) for one in steps]
    document = {"steps": steps.tolist(), "labels": names, **drawn}
    return Result(document, [line or "-" for line in lines])


def export(
    run: str | os.PathLike[str],
    format: str,
    output: Path,
    *,
    streaming: bool = False,
    verify: bool = True,
) -> Result:
    """Write a run's model in a format of ``seqkit.exports.EXPORTS``, proved by the run's data.

    What was found is written into the artefact, and into the run's record.
    """
    format = f"{format}_streaming" if streaming else format
    if format not in EXPORTS:
        known = ", ".join(EXPORTS)
        raise DataError(f"export: format must be one of {known}; got {format!r}.")
    flow, estimator, description = open_finished(Path(run))
    data, notes = None, []
    if verify:
        try:
            data = flow.shown(flow.load(None, estimator, description["columns"]))
        except DataError as error:
            notes.append(f"the run's data cannot be read, made-up data stand for them: {error}")
    origin = origin_of(flow, open_run(Path(run)))
    made = write_export(estimator, output, format, data=data, verify=verify, origin=origin)
    entry = {"format": format, "path": str(made.path.absolute()), **made.document()}

    def note(record: dict[str, Any], _: Path) -> None:
        record.setdefault("exports", {})[entry["path"]] = entry

    try:
        amended(Path(run), note)
    except RunError as error:  # somebody else's run, say; the artefact is there all the same
        notes.append(f"the run's record was left as it is: {error}")
    document = entry | {"path": str(made.path), "notes": notes}
    return Result(document, [made.sentence(), *_notes(notes)])


def origin_of(flow: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Return what an export says of the run that it is of."""
    return {"recipe": flow.resolved.dump(), "data": record["data"]}


def _notes(notes: list[str]) -> list[str]:
    return [f"note: {note}" for note in notes]


def _written(frame: pd.DataFrame, output: Path, notes: list[str], raw_text: bool) -> Result:
    """Write a table as its ending says; in CSV, text starts no formula unless that is wanted."""
    if output.suffix not in (".csv", ".parquet"):
        raise DataError(f"{output}: the output file must end in .csv or .parquet.")
    try:
        if output.suffix == ".csv":
            table = frame if raw_text else without_formulas(frame)
            # a file name that is no UTF-8 may name a series
            table.to_csv(output, index=False, errors="backslashreplace")
        else:
            with output.open("wb") as file:  # pyarrow takes no name that is not UTF-8
                frame.to_parquet(file, index=False)
    except OSError as error:
        raise RunError(f"{output}: cannot be written: {error.strerror or error}.") from error
    document = {"path": str(output), "rows": len(frame), "notes": notes}
    return Result(document, [f"{output}: {len(frame)} rows", *_notes(notes)])
