"""``SequenceRegressor()`` with its defaults, beside the mean and 1-nearest neighbour.

    python benchmarks/regression.py [--sets peaks ...] [--seeds 5] [--series 200] [--jobs 1]
                                    [--validation] [--set units=128 ...] [--output FILE]

Made sets, of which the truth is known, each drawn anew with its seed: ``--series`` to learn from
and 500 to be judged by; and the engines of C-MAPSS FD001 where SEQKIT_DATA/vibration holds them
(default: ../shared/data), cut and labelled as recipes/prepare/engine_life.py does. Nothing is tuned
a set. ``--validation`` keeps away from the test parts: made sets of other seeds, a third of the
training engines. Floor: below the error of both baselines on every set. Seconds are those of the
processors, all threads together.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "regression.json"
TEST, STEPS = 500, 96
Drawn = tuple[Any, np.ndarray]


# made sets: series, and the number that each was made by ----------------------------------------


def frequency(rng: np.random.Generator, n: int) -> Drawn:
    """Draw noisy sines of any phase; their frequency, in waves a series."""
    y, phase = rng.uniform(1, 8, n), rng.uniform(0, 2 * np.pi, n)
    waves = np.sin(2 * np.pi * np.outer(y, np.arange(STEPS) / STEPS) + phase[:, None])
    return waves + rng.normal(0, 0.3, waves.shape), y


def bump(rng: np.random.Generator, n: int) -> Drawn:
    """Draw one bump of any width and height; where it is."""
    y = rng.uniform(8, STEPS - 8, n)
    width, height = rng.uniform(2, 6, (n, 1)), rng.uniform(1, 2, (n, 1))
    shape = height * np.exp(-(((np.arange(STEPS) - y[:, None]) / width) ** 2) / 2)
    return shape + rng.normal(0, 0.15, shape.shape), y


def end(rng: np.random.Generator, n: int) -> Drawn:
    """Draw random walks of unequal length; the mean of their last tenth."""
    X = [rng.normal(size=m).cumsum() for m in rng.integers(STEPS // 2, STEPS, n)]
    y = np.array([x[-max(len(x) // 10, 1) :].mean() for x in X])
    return [x[:, None] for x in X], y


def peaks(rng: np.random.Generator, n: int) -> Drawn:
    """Draw noise with narrow peaks of differing height; how many there are."""
    y = rng.integers(0, 9, n)
    X = rng.normal(0, 0.2, (n, STEPS))
    for x, count in zip(X, y, strict=True):
        places = 8 * rng.choice(STEPS // 8 - 1, count, replace=False)
        for place in places + rng.integers(2, 7, count):
            x[place : place + 3] += rng.uniform(1, 3) * np.array([0.5, 1, 0.5])
    return X, y.astype(float)


def adding(rng: np.random.Generator, n: int) -> Drawn:
    """Draw numbers, two of them marked in a second channel; their sum.

    The adding problem (Hochreiter and Schmidhuber 1997, section 5.4).
    """
    numbers, marks = rng.uniform(0, 1, (n, STEPS // 2)), np.zeros((n, STEPS // 2))
    first, last = rng.integers(0, STEPS // 4, n), rng.integers(STEPS // 4, STEPS // 2, n)
    rows = np.arange(n)
    marks[rows, first] = marks[rows, last] = 1
    return np.stack([numbers, marks], axis=-1), numbers[rows, first] + numbers[rows, last]


def decay(rng: np.random.Generator, n: int) -> Drawn:
    """Draw decays from any height, to any level; their rate."""
    y = rng.uniform(0.02, 0.2, n)
    height, level = rng.uniform(1, 5, (n, 1)), rng.normal(0, 1, (n, 1))
    X = level + height * np.exp(-np.outer(y, np.arange(STEPS)))
    return X + rng.normal(0, 0.1, X.shape), y


def damping(rng: np.random.Generator, n: int) -> Drawn:
    """Draw a damped oscillation and the force that began it, two channels; the damping."""
    y = rng.uniform(0.01, 0.1, n)
    waves, begins = rng.uniform(4, 10, (n, 1)), rng.integers(0, STEPS // 4, (n, 1))
    since = np.arange(STEPS) - begins
    force = rng.uniform(0.5, 2, (n, 1))
    ringing = np.exp(-y[:, None] * since) * np.sin(2 * np.pi * waves * since / STEPS)
    X = np.stack([np.where(since >= 0, force * ringing, 0), force * (since == 0)], axis=-1)
    return X + rng.normal(0, 0.05, X.shape), y


MADE: dict[str, Callable[[np.random.Generator, int], Drawn]] = {
    made.__name__: made for made in (frequency, bump, end, peaks, adding, decay, damping)
}

# engines ----------------------------------------------------------------------------------------


def engines() -> Path:
    """Return where C-MAPSS would be."""
    return Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"), "vibration/CMAPSS")


def engine_life(validation: bool, seed: int) -> tuple[Any, ...]:
    """Return pieces of engines and the flights left after each, to learn from and to judge by."""
    sys.path.insert(0, str(ROOT / "recipes" / "prepare"))
    from engine_life import COLUMNS, cut_engines, read_flights

    train, test = (read_flights(engines() / f"{part}_FD001.txt") for part in ("train", "test"))
    names = [c for c in COLUMNS[2:] if train[c].nunique() > 1]
    pieces = cut_engines(train, 10, 30, 125, np.random.default_rng(seed))

    def drawn(frame: Any) -> tuple[Any, np.ndarray, np.ndarray]:
        groups = [group for _, group in frame.groupby("series", sort=False)]
        last = [group.iloc[-1] for group in groups]
        number, life = (np.array([row[c] for row in last]) for c in ("engine", "rul"))
        return [group[names].to_numpy(float) for group in groups], life.astype(float), number

    X, y, engine = drawn(pieces)
    if validation:
        held = np.isin(engine, np.random.default_rng(seed).permutation(np.unique(engine))[::3])
        return (*_rows(X, y, ~held), *_rows(X, y, held))
    lives = np.loadtxt(engines() / "RUL_FD001.txt")
    test.insert(0, "series", test["engine"])
    test.insert(1, "rul", lives[test["engine"].to_numpy() - 1])
    X_test, y_test, _ = drawn(test)
    return X, y, X_test, np.minimum(y_test, 125)  # no more is learned


def _rows(X: list[np.ndarray], y: np.ndarray, which: np.ndarray) -> Drawn:
    return [X[i] for i in np.flatnonzero(which)], y[which]


# judging ----------------------------------------------------------------------------------------


def judge(
    name: str, seeds: int, series: int, validation: bool, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the errors of a set."""
    from seqkit import SequenceRegressor
    from seqkit.evaluation.baselines import SeriesProblem, find_baselines

    found: dict[str, list[float]] = {}
    trained: dict[str, Any] = {}
    for seed in range(seeds):
        if name == "engine_life":
            X, y, X_test, y_test = engine_life(validation, seed)
        else:
            rng = np.random.default_rng([list(MADE).index(name), seed, validation])
            (X, y), (X_test, y_test) = MADE[name](rng, series), MADE[name](rng, TEST)
        model = SequenceRegressor(random_state=seed, **settings)
        started = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - started
        problem = SeriesProblem(X, y, X_test, None, 0)
        rows = find_baselines("regression", ["mean", "nearest_neighbour"]).values()
        answers = {row.name: row.predict(problem)[0].values for row in rows}
        answers["model"] = model.predict(X_test)
        for who, answer in answers.items():
            error = float(np.sqrt(np.mean((answer - y_test) ** 2)))
            found.setdefault(who, []).append(error)
        found.setdefault("seconds", []).append(seconds)
        trained = {"epochs": model.n_iter_, **model.auto_}
    return {"set": name, "series": len(y), "auto": trained, **found}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as text."""
    lines = [
        f"{'set':<14}{'series':>7}{'RMSE':>10}{'spread':>9}{'1-NN':>10}{'mean':>10}"
        f"{'of best':>9}{'worst':>7}{'s':>7}"
    ]
    for row in rows:
        model, near, mean = (np.array(row[k]) for k in ("model", "nearest_neighbour", "mean"))
        share = model / np.minimum(near, mean)  # of the better baseline's error
        lines.append(
            f"{row['set']:<14}{row['series']:>7}{model.mean():>10.4g}{model.std():>9.2g}"
            f"{near.mean():>10.4g}{mean.mean():>10.4g}{share.mean():>9.3f}{share.max():>7.3f}"
            f"{np.mean(row['seconds']):>7.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the sets and write what was found."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [*MADE, *(["engine_life"] if engines().is_dir() else [])]
    options.add_argument("--sets", nargs="+", choices=names, default=names, metavar="SET")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--series", type=int, default=200, help="to learn from, of made sets")
    options.add_argument("--jobs", type=int, default=1, help="sets at a time")
    options.add_argument("--validation", action="store_true", help="no test parts")
    options.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="a setting")
    options.add_argument("--output", type=Path, help="where the results go as JSON")
    given = options.parse_args()
    settings = {}
    for text in given.set:
        key, _, value = text.partition("=")
        try:
            settings[key] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            settings[key] = value
    rows = []
    print(table([]), flush=True)
    with ProcessPoolExecutor(given.jobs) as pool:
        jobs = [
            pool.submit(judge, name, given.seeds, given.series, given.validation, settings)
            for name in given.sets
        ]
        for job in jobs:
            rows.append(job.result())
            print(table(rows[-1:]).splitlines()[1], flush=True)
    output = given.output
    usual = given.sets == names and given.series == options.get_default("series")
    if output is None and usual and not (given.validation or settings):
        output = RESULTS
    if output is not None:
        document = {
            "versions": {p: version(p) for p in ("seqkit", "numpy", "numba", "scikit-learn")}
            | {"python": platform.python_version()},
            "measured": datetime.now(UTC).date().isoformat(),
            "seeds": given.seeds,
            "clock": "processor",
            "validation": given.validation,
            "settings": settings,
            "rows": rows,
        }
        output.write_text(json.dumps(document, indent=1) + "\n")
        print(f"wrote {output}")


if __name__ == "__main__":
    main()
