"""Forecasting with the defaults: six sets of tourism and M1, official test parts, one table.

    python benchmarks/competitions.py                              # all sets, five seeds
    python benchmarks/competitions.py m1_monthly tourism_yearly    # some
    python benchmarks/competitions.py --seeds 1 --set epochs=30 --out /tmp/tried.json
    python benchmarks/competitions.py --validation                 # what defaults were chosen on
    python benchmarks/competitions.py --validation --series 10     # ten of each, others each seed

The data folder is $SEQKIT_DATA (docs/data.md). Nothing is set but the window, the horizon and the
season. Defaults were chosen with ``--validation``: the last `horizon` steps of every training part,
never the test part. AutoETS and AutoTheta are statsforecast's (``pip install seqkit[baselines]``);
where it is not installed, those kept from an earlier run stand in the table.

MASE is scaled by the seasonal naive error of the training part, mean over the series; the ratio is
to that of AutoETS.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqkit import SequenceForecaster
from seqkit.evaluation.baselines import ForecastProblem, run_baselines
from seqkit.evaluation.forecast_errors import forecast_case, forecast_score
from seqkit.runs.experiment import set_threads

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data"))
BASELINES = ("auto_ets", "auto_theta", "seasonal_naive")


@dataclass(frozen=True)
class Competition:
    """A set: steps ahead, steps in a season, steps that the network sees."""

    horizon: int
    season: int
    context_length: int


SETS = {
    "tourism_yearly": Competition(4, 1, 8),
    "tourism_quarterly": Competition(8, 4, 16),
    "tourism_monthly": Competition(24, 12, 36),
    "m1_yearly": Competition(6, 1, 8),
    "m1_quarterly": Competition(8, 4, 16),
    "m1_monthly": Competition(18, 12, 36),
}


def parts(name: str, validation: bool) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the series to learn from, and what came after each of them."""
    frame = pd.read_csv(DATA / "forecasting" / "competitions" / f"{name}.csv.gz")
    horizon, season = SETS[name].horizon, SETS[name].season
    by_part = {
        part: [g["y"].to_numpy(float) for _, g in rows.groupby("unique_id", sort=False)]
        for part, rows in frame.groupby("part")
    }
    if not validation:
        return by_part["train"], np.stack(by_part["test"])
    # what is left must be as long as the shortest training part, and have differences over a season
    spared = [y for y in by_part["train"] if len(y) - horizon > max(6, season)]
    spared = [y for y in spared if (y[season:-horizon] != y[: -horizon - season]).any()]
    return [y[:-horizon] for y in spared], np.stack([y[-horizon:] for y in spared])


def drawn(
    train: list[np.ndarray], truth: np.ndarray, n: int, seed: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return `n` of the series, drawn at random."""
    which = np.random.default_rng(1000 * n + seed).choice(len(train), n, replace=False)
    return [train[i] for i in which], truth[which]


def mean_of(found: list[Any]) -> Any:
    """Return the mean of scores that have the same names; None where some are not there."""
    return None if None in found else pd.DataFrame(found).mean().to_dict()


def scores(train: list[np.ndarray], truth: np.ndarray, made: Any, season: int) -> dict[str, float]:
    """Return MASE and sMAPE of forecasts, mean over the series."""
    case = forecast_case(truth[:, None], np.asarray(made)[:, None], history=train, season=season)
    return {name: float(forecast_score(name, case)) for name in ("mase", "smape")}


def baseline(name: str, train: list[np.ndarray], truth: np.ndarray, row: Competition) -> Any:
    """Return the scores of a baseline, and its seconds; None where it is not installed."""
    if name != "seasonal_naive" and find_spec("statsforecast") is None:
        return None
    begun = time.perf_counter()
    problem = ForecastProblem(train, row.horizon, row.season)
    values = np.asarray(run_baselines("forecasting", problem, [name])[0][name].values)
    found = scores(train, truth, values.reshape(truth.shape), row.season)
    return {**found, "seconds": time.perf_counter() - begun}


def network(train: list[np.ndarray], truth: np.ndarray, row: Competition, **more: Any) -> Any:
    """Return the scores of the forecaster, its seconds, and what ``auto`` became."""
    begun = time.perf_counter()
    named = {name: getattr(row, name) for name in ("context_length", "horizon", "season")}
    model = SequenceForecaster(**{**named, **more}).fit(train)
    found = scores(train, truth, model.forecast().reshape(truth.shape), row.season)
    return {**found, "seconds": time.perf_counter() - begun}, model.auto_


def setting(text: str) -> tuple[str, Any]:
    """Return a setting that was given as name=value."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], help="override, epochs=30")
    parser.add_argument("--validation", action="store_true", help="the end of the training parts")
    parser.add_argument("--series", type=int, help="so many of each set, others for every seed")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/competitions.json")
    options = parser.parse_args()
    for name in options.sets:
        if name not in SETS:
            parser.error(f"unknown set {name!r}; known are {', '.join(SETS)}")
    more = dict(setting(one) for one in options.set)
    out = options.out
    if out is None and not options.validation and not more and options.series is None:
        out = ROOT / "benchmarks" / "results" / "competitions.json"
    kept = json.loads(out.read_text()) if out is not None and out.is_file() else {}
    set_threads()
    print(
        f"{'set':18}{'series':>7}{'ahead':>6}{'MASE':>8}{'spread':>8}{'sMAPE':>7}{'s':>6}"
        f"{'AutoETS':>9}{'AutoTheta':>10}{'s. naive':>9}{'ratio':>7}"
    )
    for name in options.sets or SETS:
        row = SETS[name]
        train, truth = parts(name, options.validation)
        before = kept.get(name, {}).get("baselines", {})
        samples = [(train, truth)]
        if options.series is not None:
            samples = [drawn(train, truth, options.series, k) for k in range(options.seeds)]
        made = {
            b: mean_of([baseline(b, *sample, row) for sample in samples]) or before.get(b)
            for b in BASELINES
        }
        runs = [
            network(*samples[k % len(samples)], row, random_state=k, **more)
            for k in range(options.seeds)
        ]
        table = pd.DataFrame([run for run, _ in runs])
        mean, spread = table.mean(), table.std(ddof=0)
        known = [np.nan if made[b] is None else made[b]["mase"] for b in BASELINES]
        kept[name] = {
            "series": len(samples[0][0]), "horizon": row.horizon,
            "context_length": row.context_length,
            "seeds": options.seeds, "auto": runs[0][1], "mean": mean.to_dict(),
            "spread": spread.to_dict(), "runs": [run for run, _ in runs], "baselines": made,
            "ratio": mean["mase"] / known[0],
        }  # fmt: skip
        print(
            f"{name:18}{len(samples[0][0]):>7}{row.horizon:>6}"
            f"{mean['mase']:>8.3f}{spread['mase']:>8.3f}"
            f"{mean['smape']:>7.2f}{mean['seconds']:>6.0f}{known[0]:>9.3f}{known[1]:>10.3f}"
            f"{known[2]:>9.3f}{mean['mase'] / known[0]:>7.3f}",
            flush=True,
        )
        kept["host"] = f"{platform.machine()}, {os.cpu_count()} processors"
        kept["versions"] = {k: version(k) for k in ("numpy", "numba", "pandas")}
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(kept, indent=1))
    ratios = [kept[name]["ratio"] for name in options.sets or SETS]
    print(f"geometric mean of the ratios {np.exp(np.mean(np.log(ratios))):.3f}")


if __name__ == "__main__":
    main()
