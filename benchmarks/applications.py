"""The applications: recipes of recipes/ run as a user runs them, beside baselines and papers.

    python benchmarks/applications.py [NAME ...] [--seeds 1] [--set train.epochs=2 ...]
                                      [--output FILE] [--go-on]

Data come from SEQKIT_DATA (default: ../shared/data); an application whose data are not there is
left out, and that is said. Each is prepared by its script of recipes/prepare, trained by its recipe
with seeds 0, 1, ... and judged by the test part, which nothing was chosen by. Writes
benchmarks/results/applications.json after every seed; applications that were not asked for stay as
they were there, and with ``--go-on`` the seeds that it has. Seconds are of a whole run: reading,
training, scores and report; processor seconds are those of all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "applications.json"
DATA = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"))
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
N_KEYS, LOWEST = 88, 21
Figures = dict[str, float]
More = Callable[[Any, Path], tuple[Figures, Figures]]


# figures that a run does not have itself: of the model, and of baselines ------------------------


def lives(estimator: Any, run: Path) -> tuple[Figures, Figures]:
    """Return errors of remaining lives, those of the test part as they are and at most 125."""
    import pandas as pd
    from sklearn.linear_model import Ridge

    table = pd.read_parquet(run / "predictions.parquet")

    def errors(predicted: Any, true: Any) -> Figures:
        made, off = np.asarray(predicted), np.asarray(true)
        capped = np.minimum(off, 125)
        return {
            "rmse_uncapped": float(np.sqrt(np.mean((made - off) ** 2))),
            "rmse_capped": float(np.sqrt(np.mean((made - capped) ** 2))),
        }

    X, y, X_test, y_test = (
        part
        for name in ("train", "test")
        for part in _last_flights(pd.read_parquet(f"data/engine_life_{name}.parquet"))
    )
    mean, deviation = X.mean(axis=0), X.std(axis=0) + 1e-9
    ridge = Ridge(1.0).fit((X - mean) / deviation, y)
    linear = errors(ridge.predict((X_test - mean) / deviation), y_test)
    return errors(table["predicted"], table["true"]), {f"linear_{k}": v for k, v in linear.items()}


def _last_flights(frame: Any, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return the sensors of the last flights of every series in a row, and its life."""
    known = {"series", "engine", "cycle", "rul"}
    names = [c for c in frame.columns if c not in known]
    groups = [group for _, group in frame.groupby("series", sort=False)]
    rows = [group[names].to_numpy()[-n:] for group in groups]
    rows = [np.concatenate([np.repeat(r[:1], n - len(r), axis=0), r]).ravel() for r in rows]
    return np.stack(rows), np.array([group["rul"].iloc[-1] for group in groups])


def of_chords(name: str) -> More:
    """Return what else is known of the chords of a piece: see `chords`."""

    def chords(estimator: Any, run: Path) -> tuple[Figures, Figures]:
        """Return the likelihood without the first chord, and that of keys that stay as they are.

        Papers ask from the second chord on (as Bai et al. 2018) or of all; a baseline is the
        probability of a key by whether it sounds now, as often as in training (each case counted
        once more).
        """
        parts = {part: _rolls(f"data/{name}_{part}.feather") for part in ("train", "test")}
        before, after = (np.concatenate(rolls) > 0 for rolls in zip(*parts["train"], strict=True))
        # (2, 88): a key sounds next, by whether it sounds now
        chance = np.stack([
            (1 + (after & here).sum(axis=0)) / (2 + here.sum(axis=0)) for here in (~before, before)
        ])  # fmt: skip
        X, y = zip(*parts["test"], strict=True)
        keep = [np.where(x > 0, chance[1], chance[0]) for x in X]
        made = estimator.predict_proba([x.astype(np.float64) for x in X])
        (run / "sample.txt").write_text(chorale(estimator, y[0][:8]))
        return (
            {"nll_from_second": _sum_over_keys(made, y, 1)},
            {"same_again": _sum_over_keys(keep, y, 0),
             "same_again_from_second": _sum_over_keys(keep, y, 1)},
        )  # fmt: skip

    return chords


def chorale(estimator: Any, begin: np.ndarray, n_steps: int = 24, seed: int = 1) -> str:
    """Return how a piece begins and how the model goes on with it, a line a chord.

    Keys are drawn one by one, each by its probability, those below .05 left out.
    """
    rng = np.random.default_rng(seed)
    roll = np.vstack([np.zeros((1, N_KEYS)), begin]).astype(np.float64)
    for _ in range(n_steps):
        p = estimator.predict_proba([roll])[0][-1]
        roll = np.vstack([roll, (rng.random(N_KEYS) < p) & (p >= 0.05)])
    lines = [
        " ".join(f"{NOTES[(k + LOWEST) % 12]}{(k + LOWEST) // 12 - 1}" for k in np.flatnonzero(row))
        for row in roll[1:]
    ]
    return "\n".join([*lines[: len(begin)], "...", *lines[len(begin) :]])


def _rolls(file: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what sounds now and next, of every piece."""
    import pandas as pd

    frame = pd.read_feather(file)
    pieces = [group for _, group in frame.groupby("piece", sort=False)]
    return [
        tuple(piece.filter(like=what).to_numpy() for what in ("now_", "key_"))  # type: ignore[misc]
        for piece in pieces
    ]


def _sum_over_keys(made: Any, true: Any, first: int) -> float:
    """Return the negative log-likelihood of a step, summed over keys, mean over steps."""
    steps = [
        -np.log(np.where(y > 0, p, 1 - p)).sum(axis=1)[first:]
        for p, y in zip(made, true, strict=True)
    ]
    return float(np.concatenate(steps).mean())


def text(estimator: Any, run: Path) -> tuple[Figures, Figures]:
    """Return bits a character of the test part as one text, and those of six letters' counts."""
    train, test = (Path(f"data/shakespeare_{n}.txt").read_text() for n in ("train", "test"))
    codes = np.searchsorted(estimator.tokens_, list(test[1:]))
    logs = estimator.predict_log_proba([test])[0][:-1]
    bits = -logs[np.arange(len(codes)), codes].mean() / np.log(2)
    (run / "sample.txt").write_text(sample(estimator))
    return {"bits_one_text": float(bits)}, {"six_letters_bits": letters(train, test, 6)}


def sample(estimator: Any) -> str:
    """Return what the model writes on."""
    return "ROMEO:" + estimator.generate(400, start="ROMEO:", temperature=0.8, seed=1)


def letters(train: str, test: str, order: int) -> float:
    """Return bits a character by counts of what followed up to `order` - 1 letters.

    Orders are interpolated as by Witten and Bell (1991): a context leaves to the next shorter one
    as much as it has seen different letters.
    """
    alphabet = len(set(train + test))
    counts: list[dict[str, dict[str, int]]] = [{} for _ in range(order)]
    for i, letter in enumerate(train):
        for n in range(min(order, i + 1)):
            after = counts[n].setdefault(train[i - n : i], {})
            after[letter] = after.get(letter, 0) + 1
    totals = [{c: sum(after.values()) for c, after in seen.items()} for seen in counts]
    bits = 0.0
    for i in range(1, len(test)):
        p = 1 / alphabet
        for n in range(min(order, i + 1)):
            context = test[i - n : i]
            after = counts[n].get(context)
            if after is None:
                break
            total = totals[n][context]
            p = (after.get(test[i], 0) + len(after) * p) / (total + len(after))
        bits -= np.log2(p)
    return bits / (len(test) - 1)


def linear_digits(estimator: Any, run: Path) -> tuple[Figures, Figures]:
    """Return the accuracy of a linear model of the coefficients, stretched to 20 frames."""
    from seqkit.evaluation.baselines import resample

    with np.load("data/spoken_digits.npz") as stored:
        X = [x[:n] for x, n in zip(stored["X"], stored["lengths"], strict=True)]
        y, learned = stored["y"], stored["part"] == "train"
    rows = np.stack([resample(x, 20).ravel() for x in X])
    return {}, {"linear": _linear(rows, y, learned)}


def linear_spectrum(file: str) -> More:
    """Return the accuracy of a linear model of the logarithm of a window's spectrum."""

    def spectrum(estimator: Any, run: Path) -> tuple[Figures, Figures]:
        with np.load(file) as stored:
            X, y, part = stored["X"][:, :, 0], stored["y"], stored["part"]
        rows = np.log(np.abs(np.fft.rfft(X * np.hanning(X.shape[1])))[:, 1:] + 1e-3)
        kept = part != "validation"
        return {}, {"linear_spectrum": _linear(rows[kept], y[kept], part[kept] == "train")}

    return spectrum


def linear_frames(estimator: Any, run: Path) -> tuple[Figures, Figures]:
    """Return the accuracy of a linear model of a frame and the five before and after it."""
    import pandas as pd

    rows, y, learned = [], [], []
    for part in ("train", "test"):
        table = pd.read_parquet(f"data/framewise_digits_{part}.parquet")
        for _, one in table.groupby("sequence"):
            x = np.pad(one.filter(regex="^c").to_numpy(), ((5, 5), (0, 0)), mode="edge")
            around = np.lib.stride_tricks.sliding_window_view(x, 11, axis=0)
            keep = slice(None, None, 4 if part == "train" else 1)
            rows.append(around.reshape(len(one), -1)[keep])
            y.append(one["digit"].to_numpy()[keep])
            learned.append(np.full(len(y[-1]), part == "train"))
    found = _linear(np.concatenate(rows), np.concatenate(y), np.concatenate(learned))
    return {}, {"linear_11_frames": found}


def _linear(rows: np.ndarray, y: np.ndarray, learned: np.ndarray) -> float:
    """Return the accuracy of logistic regression on the rows that it was not given."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, C=0.1))
    return float(model.fit(rows[learned], y[learned]).score(rows[~learned], y[~learned]))


# the applications -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Application:
    """One row: a recipe, how its data are made, and what is asked of it."""

    title: str
    source: str  # below DATA
    script: tuple[str, ...]  # of recipes/prepare, its options
    output: str  # below data/
    figure: str
    known: str
    target: str
    more: More | None = None


_BEARING = ("vibration/CWRU/cwru_12k_de.npz", "bearing_windows.py")
_MUSIC = "Chung 2014: GRU 8.54, LSTM 8.67; Bai 2018: GRU 8.43, LSTM 8.45, TCN 8.10"
_FSDD = "speech/FSDD/fsdd_mfcc13.npz"


def _bearing(split: str, title: str, target: str, output: str) -> Application:
    source, script = _BEARING
    more = linear_spectrum(f"data/{output}")
    options = (script, "--split", split)
    return Application(title, source, options, output, "accuracy", "-", target, more)


def _chords(title: str, file: str, options: tuple[str, ...], output: str, known: str,
            target: str) -> Application:  # fmt: skip
    script = ("chords.py", *options)
    more = of_chords(output)
    return Application(title, f"music/{file}.mat", script, output, "nll", known, target, more)


APPLICATIONS: dict[str, Application] = {
    "tiny_shakespeare": Application(
        "tiny Shakespeare, bits a character", "text/tinyshakespeare/input.txt",
        ("shakespeare.py",), ".", "bits",
        "char-rnn and its kin 2.0 to 2.15", "under 2.2 in 20 minutes", text),
    "jsb_chorales": _chords(
        "JSB chorales, nats a step", "JSB_Chorales", (), "jsb_chorales", _MUSIC, "under 8.40"),
    "jsb_chorales_all_keys": _chords(
        "JSB chorales, learned in all keys", "JSB_Chorales", ("--transpose",),
        "jsb_chorales_all_keys", _MUSIC, "under 8.10"),
    "nottingham": _chords(
        "Nottingham, nats a step", "Nottingham", (), "nottingham",
        "Bai 2018: LSTM 3.29, GRU 3.46, TCN 3.07", "under 3.25"),
    "spoken_digits": Application(
        "spoken digits, FSDD, accuracy", _FSDD, ("spoken_digits.py",), "spoken_digits.npz",
        "accuracy", "linear model .857", ".97", linear_digits),
    "engine_life": Application(
        "C-MAPSS FD001 remaining life, RMSE", "vibration/CMAPSS",
        ("engine_life.py", "--cuts", "20", "--window", "80"), ".",
        "rmse", "Zheng 2017: LSTM 16.14; later LSTMs 12.6 to 14.9", "under 14.5", lives),
    "bearing_faults": _bearing(
        "stretches", "CWRU bearing faults, disjoint stretches, accuracy", "above .99",
        "bearing_windows.npz"),
    "bearing_faults_by_load": _bearing(
        "load", "CWRU, learned from loads 1 and 2, judged by 3", "reported",
        "bearing_by_load.npz"),
    "bearing_faults_by_bearing": _bearing(
        "bearing", "CWRU, bearings never seen, three faults", "reported",
        "bearing_by_bearing.npz"),
    "pen_digits": Application(
        "pen digits, accuracy", "handwriting/penbased.dat", ("pen_digits.py",),
        "pen_digits.npz", "accuracy", "-", "reported"),
    "framewise_digits": Application(
        "digits frame by frame, both directions, accuracy", _FSDD, ("framewise_digits.py",),
        "framewise_digits", "accuracy", "Graves 2005, phonemes: both ahead", "ahead",
        linear_frames),
    "framewise_digits_forward": Application(
        "digits frame by frame, one direction", _FSDD, ("framewise_digits.py",),
        "framewise_digits", "accuracy", "-", "-"),
    "atis_tags": Application(
        "ATIS parts of speech, accuracy", "text/UD_English-Atis", ("atis_tags.py",), ".",
        "accuracy", "-", ".97"),
}  # fmt: skip


# running ----------------------------------------------------------------------------------------


def prepare(name: str, source: Path) -> None:
    """Make the data of an application in the working folder."""
    row = APPLICATIONS[name]
    script, *options = row.script
    command = [sys.executable, str(ROOT / "recipes" / "prepare" / script), *options, str(source),
               str(Path("data") / row.output)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def judge(name: str, seed: int, overrides: list[str]) -> dict[str, Any]:
    """Run a recipe in the working folder and return its figures."""
    from seqkit import load_run, read_recipe, run

    row = APPLICATIONS[name]
    recipe = read_recipe(ROOT / "recipes" / f"{name}.yaml", overrides=overrides, seed=seed)
    wall, processor = time.perf_counter(), time.process_time()
    document = run(recipe).document
    seconds, spent = time.perf_counter() - wall, time.process_time() - processor
    folder = Path(document["run"])
    test = document["metrics"]["parts"]["test"]
    baselines = {who: scores.get(row.figure) for who, scores in test["baselines"].items()}
    estimator: Any = load_run(folder)
    found = {k: v for k, v in test["model"].items() if v is not None}
    if row.more is not None:
        own, others = row.more(estimator, folder)
        found |= own
        baselines |= others
    kept = {file.stem: file.read_text() for file in folder.glob("sample.txt")}
    return {
        "seed": seed, "figures": found, "baselines": baselines, "seconds": round(seconds, 1),
        "processor_seconds": round(spent, 1), "epochs": estimator.n_iter_,
        "best_epoch": estimator.best_epoch_, **kept,
    }  # fmt: skip


def line(name: str, result: dict[str, Any]) -> str:
    """Return a result as a line of a table."""
    row, runs = APPLICATIONS[name], result["runs"]
    values = [one["figures"][row.figure] for one in runs]
    others = {k: v for k, v in runs[0]["baselines"].items() if v is not None}
    beside = ", ".join(f"{who} {value:.4g}" for who, value in others.items())
    seconds = np.mean([one["seconds"] for one in runs])
    return (
        f"{row.title:<52}{np.mean(values):>8.4f} ± {np.std(values):.4f} ({len(runs)})"
        f"{seconds:>7.0f} s   {beside}   [{row.known}; target {row.target}]"
    )


def measure(
    name: str, seeds: list[int], overrides: list[str], runs: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Prepare, run and judge an application in a folder of its own, with one seed after another.

    Yields the result after each of them, `runs` before it included.
    """
    row, source, here = APPLICATIONS[name], DATA / APPLICATIONS[name].source, Path.cwd()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        try:
            Path("data").mkdir()
            prepare(name, source.resolve())
            for seed in seeds:
                runs = sorted([*runs, judge(name, seed, overrides)], key=lambda one: one["seed"])
                yield {
                    "title": row.title, "figure": row.figure, "known": row.known,
                    "target": row.target, "measured": datetime.now(UTC).date().isoformat(),
                    "settings": overrides, "runs": runs,
                    "versions": {
                        p: version(p) for p in ("seqkit", "numpy", "numba", "scikit-learn")
                    }
                    | {"python": platform.python_version()},
                }  # fmt: skip
        finally:
            os.chdir(here)


def main() -> None:
    """Run the applications and write what was found."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--set", nargs="+", default=[], metavar="SETTING=VALUE")
    options.add_argument("--output", type=Path, help="where the results go as JSON")
    options.add_argument("--go-on", action="store_true", help="keep the seeds that are there")
    given = options.parse_args()
    unknown = set(given.names) - set(APPLICATIONS)
    if unknown:
        options.error(f"{', '.join(sorted(unknown))}: not among {', '.join(APPLICATIONS)}")
    output = given.output or (None if given.set else RESULTS)
    if given.go_on and output is None:
        options.error("--go-on: name the results to go on with --output")
    output = None if output is None else output.resolve()
    for name in given.names or APPLICATIONS:
        if not (source := DATA / APPLICATIONS[name].source).exists():
            print(f"{name}: left out, no {source}", flush=True)
            continue
        held = read(output).get(name, {}) if given.go_on else {}
        if held.get("settings", given.set) != given.set:
            options.error(f"--go-on: the seeds of {name} that are there have {held['settings']}")
        runs = held.get("runs", [])
        seeds = [seed for seed in range(given.seeds) if seed not in [one["seed"] for one in runs]]
        for result in measure(name, seeds, given.set, runs) if seeds else ():
            print(line(name, result), flush=True)
            if output is not None:  # after each: they take long
                known = read(output)
                output.write_text(json.dumps({**known, name: result}, indent=1) + "\n")


def read(output: Path | None) -> dict[str, Any]:
    """Return the results that a file has."""
    return json.loads(output.read_text()) if output is not None and output.exists() else {}


if __name__ == "__main__":
    main()
