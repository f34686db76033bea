"""``SequenceClassifier()`` with its defaults, beside 1-nearest neighbour and the majority class.

    python benchmarks/classification.py [--sets GunPoint ...] [--seeds 5] [--jobs 1] [--validation]
                                        [--set units=128 ...] [--go-on RESULTS.json]

Runs over the 45 sets in SEQKIT_DATA/classification (default: ../shared/data/classification), each
on its standard split, a process a set. Nothing is tuned a set: missing values are interpolated
where there are any, all else is the default. ``--validation`` looks at training parts only
(stratified folds, or a hold-out where there are many series) and is what settings are chosen by;
with ``--set`` a setting is tried there. Floors: mean accuracy above 1-nearest neighbour's, no set
under its majority class, no fit over two minutes. Seconds are those of the processors, all threads
together, so that a busy machine does not spoil them.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "classification.json"
FOLDS, MANY, HELD = 3, 300, 1 / 3
"""Training parts of up to MANY series are cross-validated, of larger ones a share is held out."""


def folder() -> Path:
    """Return where the sets are."""
    found = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data")) / "classification"
    if not found.is_dir():
        raise SystemExit(f"{found} is not there: name the folder of the data sets in SEQKIT_DATA")
    return found


def files(base: Path) -> dict[str, tuple[Path, Path]]:
    """Return the training and test file of every set, by name."""
    found = {}
    for path in sorted(base.rglob("*_TRAIN.*")):
        test = path.with_name(path.name.replace("_TRAIN.", "_TEST."))
        found[path.name.partition("_TRAIN.")[0]] = path, test
    if (trace := base / "Trace" / "Trace.npz").is_file():
        found["Trace"] = trace, trace
    return dict(sorted(found.items()))


def load(name: str) -> tuple[Any, Any, Any, Any]:
    """Return series and labels of training and test part."""
    from seqkit.data.readers import read_sequences

    train, test = files(folder())[name]
    if train == test:
        with np.load(train) as held:
            return held["X_train"], held["y_train"], held["X_test"], held["y_test"]
    parts = [read_sequences(path, missing="interpolate") for path in (train, test)]
    return parts[0].X, parts[0].y, parts[1].X, parts[1].y


def take(X: Any, rows: np.ndarray) -> Any:
    """Return some of the series."""
    return X[rows] if isinstance(X, np.ndarray) else [X[i] for i in rows]


def folds(y: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows to fit and rows to judge by, out of a training part."""
    from sklearn.model_selection import StratifiedKFold, train_test_split

    rarest = np.unique(y, return_counts=True)[1].min()
    if rarest < 2:
        return  # a class of one series cannot be on both sides
    if len(y) <= MANY:
        splitter = StratifiedKFold(int(min(FOLDS, rarest)), shuffle=True, random_state=seed)
        yield from splitter.split(np.zeros(len(y)), y)
    else:
        yield tuple(
            train_test_split(np.arange(len(y)), test_size=HELD, random_state=seed, stratify=y)
        )


def judge(name: str, seed: int, validation: bool, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of a set with a seed."""
    from seqkit import SequenceClassifier
    from seqkit.evaluation.baselines import SeriesProblem, find_baselines

    X, y, X_test, y_test = load(name)
    holes = any(np.isnan(x).any() for part in (X, X_test) for x in part)
    missing = {"missing": "interpolate"} if holes else {}
    parts = [(X, y, X_test, y_test)]
    if validation:
        parts = [(take(X, a), y[a], take(X, b), y[b]) for a, b in folds(y, seed)]
    found: dict[str, list[float]] = {}
    trained: dict[str, Any] = {}
    for x, labels, x_held, labels_held in parts:
        model = SequenceClassifier(random_state=seed, **missing, **settings)
        began = time.process_time()
        model.fit(x, labels)
        scores = {
            "seconds": time.process_time() - began,
            "accuracy": float(model.score(x_held, labels_held)),
        }
        trained = {"epochs": model.n_iter_, **getattr(model, "auto_", {})}
        problem = SeriesProblem(x, labels, x_held, model.classes_, 0)
        for row in find_baselines("classification", ["majority", "nearest_neighbour"]).values():
            right = row.predict(problem)[0].labels == labels_held
            scores[row.name] = float(np.mean(right))
        for key, value in scores.items():
            found.setdefault(key, []).append(value)
    means = {key: [float(np.mean(values))] for key, values in found.items()}
    return {"set": name, "series": len(y), "auto": trained, "seeds": [seed], **means}


def joined(rows: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    """Put the scores of a further seed beside those that there are."""
    whole = rows.setdefault(row["set"], row)
    if whole is not row:
        for key, value in row.items():
            whole[key] = whole[key] + value if isinstance(value, list) else value


def table(rows: list[dict[str, Any]], known: dict[str, dict[str, str]]) -> str:
    """Return the results as text."""
    lines = [
        f"{'set':<24}{'series':>7}{'accuracy':>10}{'spread':>8}{'1-NN':>7}{'major':>7}{'s':>7}"
    ]
    for row in rows:
        lines.append(
            f"{row['set']:<24}{row['series']:>7}{np.mean(row['accuracy']):>10.3f}"
            f"{np.std(row['accuracy']):>8.3f}{np.mean(row['nearest_neighbour']):>7.3f}"
            f"{np.mean(row['majority']):>7.3f}{np.mean(row['seconds']):>7.1f}"
        )
    mean = {key: np.mean([np.mean(row[key]) for row in rows]) for key in SCORES}
    lines.append(
        f"{f'mean of {len(rows)}':<24}{'':>7}{mean['accuracy']:>10.3f}{'':>8}"
        f"{mean['nearest_neighbour']:>7.3f}{mean['majority']:>7.3f}"
    )
    both = [row for row in rows if all(known.get(row["set"], {"": ""}).values())]
    if both:
        ours = np.mean([np.mean(row["accuracy"]) for row in both])
        lines.append(f"{f'mean of {len(both)} published':<24}{'':>7}{ours:>10.3f}")
    return "\n".join(lines)


SCORES = ("accuracy", "nearest_neighbour", "majority")


def main() -> None:
    """Run the sets and write what was found."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--sets", nargs="+", help="default: all")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--jobs", type=int, default=1, help="sets at a time")
    options.add_argument("--validation", action="store_true", help="training parts only")
    options.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="a setting")
    options.add_argument("--output", type=Path, help="where the results go as JSON")
    options.add_argument("--go-on", type=Path, metavar="JSON", help="keep the seeds that it has")
    given = options.parse_args()
    base = folder()
    names = given.sets or list(files(base))
    if unknown := sorted(set(names) - set(files(base))):
        raise SystemExit(f"no such set: {', '.join(unknown)}; there are {', '.join(files(base))}")
    settings = {}
    for text in given.set:
        key, _, value = text.partition("=")
        try:
            settings[key] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            settings[key] = value
    with (base / "published.csv").open() as file:
        known = {row.pop("dataset"): row for row in csv.DictReader(file)}
    output = given.output
    if output is None and not (given.validation or settings or given.sets):
        output = RESULTS
    rows: dict[str, dict[str, Any]] = {}
    if given.go_on:
        held = json.loads(given.go_on.read_text())
        if (held["settings"], held["validation"]) != (settings, given.validation):
            options.error(f"--go-on: its seeds have {held['settings']}, not {settings}")
        rows = {row["set"]: row for row in held["rows"]}
    asked = [
        (seed, name)
        for seed in range(given.seeds)
        for name in names
        if seed not in rows.get(name, {"seeds": []})["seeds"]
    ]
    with ProcessPoolExecutor(given.jobs) as pool:
        jobs = [pool.submit(judge, name, seed, given.validation, settings) for seed, name in asked]
        for job in as_completed(jobs):
            row = job.result()
            if "accuracy" not in row:
                print(f"{row['set']}: a class of one series cannot be validated", flush=True)
                continue
            print(table([row], {}).splitlines()[1], flush=True)
            joined(rows, row)
            if output is not None:  # a long run may be cut off
                write(output, [rows[name] for name in sorted(rows)], given, settings, known)
    print(table([rows[name] for name in sorted(rows)], known))


def write(
    output: Path, rows: list[dict[str, Any]], given: Any, settings: dict[str, Any], known: Any
) -> None:
    """Write what was found, with the versions that it was found with."""
    document = {
        "versions": {p: version(p) for p in ("seqkit", "numpy", "numba", "scikit-learn")}
        | {"python": platform.python_version()},
        "measured": datetime.now(UTC).date().isoformat(),
        "seeds": max(len(row["seeds"]) for row in rows),
        "clock": "processor",
        "validation": given.validation,
        "settings": settings,
        "published": known,
        "rows": rows,
    }
    output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
