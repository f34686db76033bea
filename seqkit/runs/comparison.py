"""Finished runs beside each other on the test part they share.

Predictions are paired by series, origin and step, so only what every run was asked about counts;
the truth has to be the same in all of them. The arithmetic is in
:mod:`seqkit.evaluation.comparing`, the page and the tables in :mod:`seqkit.report.comparison`.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import RunError
from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.comparing import DRAWS, LEVEL_OF_INTERVALS, compared, pareto
from seqkit.evaluation.metrics import METRICS
from seqkit.runs.catalog import FinishedRun, finished_run, letters
from seqkit.runs.folder import PARTIAL
from seqkit.runs.pairing import BY_STEP, Paired, Units, paired, unit_names, units_of

if TYPE_CHECKING:
    from seqkit.evaluation.resampling import Score

__all__ = ["Comparison", "compare", "expanded"]

MOST_NAMED = 5  # series named on either side
FEW_UNITS = 10
MOST_RUNS = 26
OF_SEVERAL_LABELS = ("accuracy", "nll", "bits")


@dataclass(frozen=True)
class Comparison:
    """How runs compare.

    Attributes
    ----------
    document : dict
        In JSON's types: ``runs``, ``scores``, ``differences``, ``baselines``, ``recipe``,
        ``by_series`` and what they rest on.
    curves : dict of str to dict
        The history of every run, by its letter.
    """

    document: dict[str, Any]
    curves: dict[str, dict[str, list[float]]]

    def print(self) -> None:
        """Print it as tables that fit the terminal."""
        from seqkit.report.comparison import print_comparison

        print_comparison(self.document)


def expanded(given: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the run folders of names and patterns, and which of a pattern are left out.

    Parameters
    ----------
    given : sequence of str
        Folders, and patterns such as ``runs/*gait*``; of a pattern only complete runs count.

    Raises
    ------
    RunError
        If a pattern matches no run.
    """
    found: dict[str, Path] = {}
    notes = []
    for one in given:
        if not glob.has_magic(one) or Path(one).is_dir():
            found.setdefault(os.path.realpath(one), Path(one))
            continue
        matched = [p for p in sorted(map(Path, glob.glob(one))) if (p / "run.json").is_file()]
        unfinished = [path for path in matched if path.name.endswith(PARTIAL)]
        notes += [f"{path} is left out: it is not complete" for path in unfinished]
        if len(matched) == len(unfinished):
            raise RunError(f"{one}: no complete run folder matches this pattern.")
        for path in matched:
            if path not in unfinished:
                found.setdefault(os.path.realpath(path), path)
    return list(found.values()), notes


def compare(
    runs: Sequence[str | os.PathLike[str]],
    *,
    output: Path | None = None,
    n_draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Score finished runs on the test part they share, the first beside each of the others.

    Parameters
    ----------
    runs : sequence of paths
        Run folders, or patterns; the others are compared with the first.
    output : pathlib.Path, default=None
        Page to write.
    n_draws : int, default=2000
        Of the bootstrap.
    seed : int, default=0

    Raises
    ------
    seqkit.errors.RunError
        If a run is not complete, learned another task, or shares no test series with the others.

    Examples
    --------
    >>> import tempfile
    >>> from seqkit import compare, run
    >>> recipe = {"task": "classification", "seed": 0, "data": {"dataset": "gunpoint"},
    ...           "model": {"cell": "gru", "units": 4, "patch": 10}, "train": {"epochs": 2}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = [run(recipe | {"seed": seed}, out=folder).document["run"] for seed in (0, 1)]
    ...     found = compare(made, n_draws=200)
    >>> found.document["units"]["what"], found.document["units"]["n"]
    ('series', 150)
    """
    paths, notes = expanded([os.fspath(run) for run in runs])
    if not 2 <= len(paths) <= MOST_RUNS:
        hint = " One by itself is looked at by: seqkit show RUN" if len(paths) == 1 else ""
        raise RunError(
            f"compare: from 2 to {MOST_RUNS} different run folders are compared; got {len(paths)}."
            f"{hint}"
        )
    opened = dict(zip(letters(len(paths)), map(finished_run, paths), strict=True))
    tasks = {letter: run.task for letter, run in opened.items()}
    if len(set(tasks.values())) > 1:
        got = ", ".join(f"{opened[letter].path}: {task}" for letter, task in tasks.items())
        raise RunError(f"compare: the runs must be of one task; got {got}.")
    frames = {letter: _predictions(run) for letter, run in opened.items()}
    pairs = paired(next(iter(tasks.values())), frames, {k: str(r.path) for k, r in opened.items()})
    units = units_of(pairs)
    notes += _data_notes(opened, pairs)
    if units.n < FEW_UNITS:
        notes.append(
            f"{units.n} {units.what}: intervals of fewer than {FEW_UNITS} are narrower than they "
            "say"
        )
    document: dict[str, Any] = {
        "task": pairs.task,
        "runs": [_about(letter, run) for letter, run in opened.items()],
        "shared": {"values": len(pairs.keys), "of": pairs.lengths},
        "units": {"what": units.what, "n": units.n, "block": units.block},
        "draws": n_draws,
        "level": LEVEL_OF_INTERVALS,
        "correction": "Holm over the comparisons of a metric" if len(opened) > 2 else None,
    }
    names, spelled = _metrics(opened)
    scores, said = _scores(pairs, units, names)
    notes += [*spelled, *said]
    if not scores:
        raise RunError(f"compare: no score can be had of these predictions. {' '.join(said)}")
    document |= _scored(scores, n_draws, seed, units.block)
    document["baselines"], left = _baselines(opened, pairs, document["scores"])
    notes += left
    deciding = _deciding(scores, pairs)
    document["metric"] = deciding
    document["pareto"] = _fronts(document, deciding)
    document["by_series"] = _by_series(scores, deciding, pairs, units)
    document["recipe"] = _settings(opened)
    curves = {letter: run.history for letter, run in opened.items()}
    if len({run.settings.get("train.loss") for run in opened.values()}) > 1:
        notes.append("the training losses are different ones: their curves have no common scale")
    document["notes"] = notes
    result = Comparison(document, curves)
    if output is not None:
        from seqkit.report.comparison import write_comparison

        write_comparison(document, curves, output)
        document["page"] = str(output)
    return result


def _predictions(run: FinishedRun) -> Any:
    import pandas as pd

    content = run.read("predictions.parquet")
    try:
        return pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow has errors of its own
        from seqkit.system.documents import damaged

        raise damaged(run.path / "predictions.parquet", error) from error


def _about(letter: str, run: FinishedRun) -> dict[str, Any]:
    return {
        "letter": letter,
        "name": run.path.name,
        "path": str(run.path),
        "started": run.record.get("started"),
        "seconds": run.record.get("timings", {}).get("fit"),
        "bytes": run.weight_bytes,
        "epochs": len(next(iter(run.history.values()), [])),
    }


def _data_notes(runs: Mapping[str, FinishedRun], pairs: Paired) -> list[str]:
    """Say where runs were not scored on the same test part."""
    prints = {k: sorted(run.record.get("data", {}).values()) for k, run in runs.items()}
    first, *others = prints
    notes = [
        f"the data of {letter} are not those of {first}, byte for byte; the truth of what they "
        "share is the same"
        for letter in others
        if prints[letter] != prints[first]
    ]
    n = len(pairs.keys)
    for letter, length in pairs.lengths.items():
        if length != n:
            notes.append(f"{n:,} of the {length:,} predictions of {letter} are shared by all")
    return notes


def _scored_part(run: FinishedRun) -> dict[str, Any]:
    """Return the scores of the part that the predictions of a run are of."""
    parts = run.summary["parts"]
    found: dict[str, Any] = parts["test"] if "test" in parts else next(iter(parts.values()))
    return found


def _baselines(
    runs: Mapping[str, FinishedRun], pairs: Paired, scores: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return the best baseline of each metric, and of what share of its error each run's is.

    Runs keep the scores of baselines, not their predictions, so that there is no interval, and none
    of runs whose test part is only shared in part.
    """
    whole = {k: run for k, run in runs.items() if pairs.lengths[k] == len(pairs.keys)}
    found: dict[str, list[dict[str, Any]]] = {}
    for metric in scores:
        up = METRICS[metric].greater_is_better
        best: dict[tuple[str, float], dict[str, Any]] = {}
        for letter, run in whole.items():
            known = {who: of[metric] for who, of in _scored_part(run)["baselines"].items()
                     if of.get(metric) is not None}  # fmt: skip
            if up is None or not known:
                continue
            name = (max if up else min)(known, key=known.__getitem__)
            row = best.setdefault((name, round(known[name], 12)), {
                "name": name, "title": BASELINES[name].title if name in BASELINES else name,
                "value": known[name], "relative": {},
            })  # fmt: skip
            own = scores[metric][letter]["value"]
            errs = not up and own is not None and known[name] > 0
            row["relative"][letter] = own / known[name] if errs else None
        found[metric] = list(best.values())
    partly = [k for k in runs if k not in whole and _scored_part(runs[k])["baselines"]]
    if not partly:
        return found, []
    return found, [f"the baselines of {', '.join(partly)} are left out: their scores are of a test "
                   "part that is not shared as a whole"]  # fmt: skip


def _metrics(runs: Mapping[str, FinishedRun]) -> tuple[list[str], list[str]]:
    """Return the metrics that runs were scored by, those of the first one first, and a note."""
    names: dict[str, None] = {}
    for run in runs.values():
        names |= dict.fromkeys(_scored_part(run)["model"])
    known = [name for name in names if name in METRICS]
    first = next(iter(runs.values()))
    if first.task == "tagging" and isinstance(first.settings.get("data.target"), list):
        kept = [name for name in known if name in OF_SEVERAL_LABELS]
        return kept, ["of several labels a step, only what counts them together is compared"]
    return known, []


def _scores(
    pairs: Paired, units: Units, names: Sequence[str]
) -> tuple[dict[str, dict[str, Score]], list[str]]:
    """Return every metric of every run that can be drawn again, and why others cannot."""
    scores, notes = {}, []
    for name in names:
        found: dict[str, Score] = {}
        reasons: dict[str, list[str]] = {}
        for letter in pairs.frames:
            made = pairs.score(name, letter, units)
            if isinstance(made, str):
                reasons.setdefault(made, []).append(letter)
            else:
                found[letter] = made
        if reasons:
            said = "; ".join(f"of {', '.join(who)}: {reason}" for reason, who in reasons.items())
            notes.append(f"{METRICS[name].title} is left out, {said}")
        else:
            scores[name] = found
    return scores, notes


def _scored(
    scores: Mapping[str, Mapping[str, Score]], n_draws: int, seed: int, block: int
) -> dict[str, Any]:
    """Return scores and differences of every metric, as the document has them."""
    estimates: dict[str, Any] = {}
    differences: dict[str, Any] = {}
    for name, of_runs in scores.items():
        values, moved = compared(of_runs, n_draws=n_draws, seed=seed, block=block)
        estimates[name] = {letter: _plain(asdict(one)) for letter, one in values.items()}
        up = METRICS[name].greater_is_better
        differences[name] = {}
        for letter, one in moved.items():
            better = None if up is None or not one.beyond_chance else (one.value > 0) == up
            differences[name][letter] = _plain(asdict(one)) | {"better": better}
    return {"scores": estimates, "differences": differences}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as JSON has them: what is not finite is None."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in values.items()
    }


def _deciding(scores: Mapping[str, Any], pairs: Paired) -> str:
    """Return the metric that decides: over many series a scaled one, else the first of them."""
    known = [name for name in scores if METRICS[name].greater_is_better is not None]
    if "mase" in known and pairs.n_series > 1:
        return "mase"
    return known[0] if known else next(iter(scores))


def _fronts(document: Mapping[str, Any], metric: str) -> dict[str, list[str]]:
    """Return the runs that none beats in score and cost together."""
    up = METRICS[metric].greater_is_better
    fronts: dict[str, list[str]] = {}
    for cost in ("seconds", "bytes"):
        known = [
            (run["letter"], run[cost], document["scores"][metric][run["letter"]]["value"])
            for run in document["runs"]
            if run[cost] is not None
            and document["scores"][metric][run["letter"]]["value"] is not None
        ]
        if up is not None and known:
            names, costs, values = zip(*known, strict=True)
            on = pareto(costs, values, up)
            fronts[cost] = [name for name, there in zip(names, on, strict=True) if there]
    return fronts


def _by_series(
    scores: Mapping[str, Mapping[str, Score]], deciding: str, pairs: Paired, units: Units
) -> list[dict[str, Any]]:
    """Return where each run is better than the first, and where it is worse, the farthest first."""
    metric = next((name for name in BY_STEP if name in scores), deciding)
    up = METRICS[metric].greater_is_better
    of_runs = {letter: score.of_each() for letter, score in scores[metric].items()}
    first, *others = of_runs
    base = of_runs[first]
    if up is None or base is None:
        return []
    names = unit_names(pairs, units)
    rows = []
    for letter in others:
        own: Any = of_runs[letter]
        ahead = np.where(np.isfinite(own - base), own - base if up else base - own, 0.0)
        order = np.argsort(-ahead, kind="stable")

        def told(index: Any, own: Any = own) -> list[dict[str, Any]]:
            return [
                _plain({"name": names[i], "value": float(own[i]), "first": float(base[i])})
                for i in index
            ]

        rows.append(
            {
                "run": letter,
                "metric": metric,
                "better": int((ahead > 0).sum()),
                "equal": int((ahead == 0).sum()),
                "worse": int((ahead < 0).sum()),
                "best": told([i for i in order[:MOST_NAMED] if ahead[i] > 0]),
                "worst": told([i for i in order[::-1][:MOST_NAMED] if ahead[i] < 0]),
            }
        )
    return rows


def _settings(runs: Mapping[str, FinishedRun]) -> list[dict[str, Any]]:
    """Return the settings that are not the same in all runs, the first's value beside the others'.

    A setting that a run made before does not have is None there.
    """
    first, *others = runs.values()
    paths = dict.fromkeys(path for run in runs.values() for path in run.settings)
    return [
        {
            "setting": path,
            "values": {letter: run.settings.get(path) for letter, run in runs.items()},
        }
        for path in paths
        if any(run.settings.get(path) != first.settings.get(path) for run in others)
    ]
