"""Forecasting against known figures: the recipes of recipes/benchmarks, several seeds, one table.

    python benchmarks/forecasting.py                         # all tasks, five seeds
    python benchmarks/forecasting.py m4_hourly etth1_96      # some
    python benchmarks/forecasting.py --seeds 1 --set train.epochs=2
    python benchmarks/forecasting.py --validation m4_hourly  # what settings were chosen on

The data folder is $SEQKIT_DATA (docs/data.md). Settings were tuned on the validation part alone:
the last stretch before the test part, which ``--validation`` scores in its place.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from seqkit import SequenceForecaster
from seqkit.evaluation.backtest import backtest
from seqkit.evaluation.forecast_errors import forecast_case, forecast_score
from seqkit.recipe.reading import read_recipe
from seqkit.runs.experiment import set_threads

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data")) / "forecasting"
# The organisers' figures for Naive2 on the 414 hourly series, which OWA is relative to.
NAIVE2_SMAPE, NAIVE2_MASE = 18.383, 2.395


@dataclass(frozen=True)
class Task:
    """A row of the table: a recipe, its data, how it is scored and what is known."""

    recipe: str
    run: Callable[[dict[str, Any], bool], dict[str, float]]
    known: str
    main: str


# --- M4 ---------------------------------------------------------------------------------------


def _m4(name: str) -> list[np.ndarray]:
    with open(DATA / "M4" / name, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [np.array([float(v) for v in row[1:] if v not in ("", "NA")]) for row in rows]


def m4_hourly(settings: dict[str, Any], validation: bool) -> dict[str, float]:
    """414 series, 48 steps after the end; official definitions."""
    train, truth = _m4("Hourly-train.csv"), np.stack(_m4("Hourly-test.csv"))
    if validation:
        truth, train = np.stack([s[-48:] for s in train]), [s[:-48] for s in train]
    model, seconds = _fitted(settings, train)
    begun = time.perf_counter()
    case = forecast_case(truth[:, None], model.forecast()[:, None], history=train, season=24)
    scores = {name: float(forecast_score(name, case)) for name in ("smape", "mase")}
    scores["owa"] = (scores["smape"] / NAIVE2_SMAPE + scores["mase"] / NAIVE2_MASE) / 2
    return {**scores, "seconds": seconds, "predict": time.perf_counter() - begun}


# --- long-horizon sets ------------------------------------------------------------------------


def _sliding(values: np.ndarray, ends: tuple[int, int, int]) -> Callable[..., dict[str, float]]:
    """Every test window of a set standardised on its training part, as the literature has it."""

    def run(settings: dict[str, Any], validation: bool) -> dict[str, float]:
        n_train, n_validation, n_test = ends
        mean, std = values[:n_train].mean(0), values[:n_train].std(0)
        X = ((values - mean) / std).astype(np.float32)
        if settings["validation"]:
            settings = {**settings, "validation": n_validation - n_train}
        start, stop = (n_train, n_validation) if validation else (n_validation, n_test)
        fit_to = n_train if validation and not settings["validation"] else n_validation
        model, seconds = _fitted(settings, X[:fit_to])
        context, horizon = np.max(settings["context_length"]), settings["horizon"]
        begun = time.perf_counter()
        made = model.predict(X[start - context : stop])[context - 1 : -horizon]
        took = time.perf_counter() - begun
        came = np.lib.stride_tricks.sliding_window_view(X[start:stop], horizon, axis=0)
        error = made - came.transpose(0, 2, 1)
        last = X[start - 1 : stop - horizon][:, None] - came.transpose(0, 2, 1)
        return {
            "mse": float(np.mean(error**2)),
            "mae": float(np.mean(np.abs(error))),
            "naive_mse": float(np.mean(last**2)),
            "naive_mae": float(np.mean(np.abs(last))),
            "seconds": seconds,
            "predict": took,
        }

    return run


def etth1(settings: dict[str, Any], validation: bool) -> dict[str, float]:
    """7 variables, 12/4/4 months, every test window."""
    values = pd.read_csv(DATA / "ETTh1.csv").iloc[:14400, 1:].to_numpy(float)
    return _sliding(values, (8640, 11520, 14400))(settings, validation)


def exchange(settings: dict[str, Any], validation: bool) -> dict[str, float]:
    """8 exchange rates, 70/10/20 per cent."""
    values = pd.read_csv(DATA / "exchange_rate.txt.gz", header=None).to_numpy(float)
    n = len(values)
    return _sliding(values, (int(0.7 * n), n - int(0.2 * n), n))(settings, validation)


# --- one series -------------------------------------------------------------------------------


def _rolling(
    read: Callable[[], pd.DataFrame], windows: int, step: int, test: int, *metrics: str
) -> Callable[..., dict[str, float]]:
    """Rolling origin over the last `test` steps, beside the baselines."""

    def run(settings: dict[str, Any], validation: bool) -> dict[str, float]:
        frame = read()
        frame = frame.iloc[:-test] if validation else frame
        season = settings["season"]
        named = {k: v for k, v in settings.items() if k != "auto_baselines"}
        forecaster = SequenceForecaster(**named)
        found = backtest(forecaster, frame, windows=windows, step=step, season=season)
        names = ["naive", "seasonal_naive"]
        if settings["auto_baselines"]:  # no seed changes them
            names += ["auto_ets", "auto_theta"]
        part = found.evaluate(list(metrics), names)
        scores = dict(part["model"])
        for baseline in names:
            for metric in metrics:
                scores[f"{baseline}_{metric}"] = part["baselines"][baseline].get(metric)
        if "conformal" in part:
            scores["conformal_coverage"] = part["conformal"]["coverage"]
        return {**scores, "seconds": found.seconds}

    return run


def _airline() -> pd.DataFrame:
    frame = pd.read_csv(DATA / "Airline.csv")
    return frame.set_axis(["month", "passengers"], axis=1)


def _pollution() -> pd.DataFrame:
    frame = pd.read_csv(DATA / "pollution.csv")
    frame["time"] = pd.to_datetime(frame[["year", "month", "day", "hour"]])
    wind = pd.get_dummies(frame["cbwd"], prefix="wind", dtype=float)
    return frame[["time", "pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"]].join(wind)


def _series(name: str, time_column: str, target: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(DATA / name).set_axis([time_column, target], axis=1)


def _temperatures() -> pd.DataFrame:
    frame = pd.read_csv(DATA / "daily-min-temperatures.csv").set_axis(["day", "temp"], axis=1)
    # Melbourne's file leaves out the last day of leap years
    frame["day"] = pd.to_datetime(frame["day"])
    return frame.set_index("day").asfreq("D").reset_index()


POINT = ("mae", "smape", "mase")
TASKS: dict[str, Task] = {
    "m4_hourly": Task("m4_hourly", m4_hourly, "ES-RNN .440, seasonal naive .627", "owa"),
    "m4_hourly_fast": Task("m4_hourly_fast", m4_hourly, "one minute: .51", "owa"),
    "m4_hourly_default": Task("m4_hourly_default", m4_hourly, "defaults, season 24", "owa"),
    "etth1_96": Task("etth1_96", etth1, "SegRNN .368/.395, DLinear .386/.400", "mse"),
    "etth1_96_ensemble": Task("etth1_96_ensemble", etth1, "eight networks", "mse"),
    "etth1_192": Task("etth1_192", etth1, "SegRNN .408", "mse"),
    "etth1_336": Task("etth1_336", etth1, "SegRNN .444", "mse"),
    "etth1_720": Task("etth1_720", etth1, "SegRNN .446", "mse"),
    "etth1_long": Task("etth1_long", etth1, "720 to 96: SegRNN .351/.392, GRU 1.135/.844", "mse"),
    "exchange": Task("exchange", exchange, "repeat-last beside it", "mse"),
    "airline_12": Task("airline", _rolling(_airline, 1, 12, 12, *POINT), "AutoTheta .636", "mase"),
    "airline_24": Task("airline_24", _rolling(_airline, 1, 24, 24, *POINT), "", "mase"),
    "airline_rolling": Task("airline", _rolling(_airline, 13, 1, 24, *POINT), "", "mase"),
    "airline_default": Task(
        "airline_default", _rolling(_airline, 1, 12, 12, *POINT), "defaults, season 12", "mase"
    ),
    "airline_default_rolling": Task(
        "airline_default", _rolling(_airline, 13, 1, 24, *POINT), "defaults, season 12", "mase"
    ),
    "pollution": Task(
        "pollution",
        _rolling(_pollution, 364, 24, 8760, "mae", "weighted_quantile_loss", "coverage"),
        "25 % under seasonal naive; coverage 77 to 83 %",
        "weighted_quantile_loss",
    ),
    "sunspots": Task(
        "sunspots",
        _rolling(_series("monthly-sunspots.csv", "month", "spots"), 20, 12, 264, *POINT),
        "", "mase",
    ),
    "co2": Task(
        "co2",
        _rolling(_series("co2_weekly.csv", "week", "co2"), 10, 26, 312, *POINT),
        "", "mase",
    ),
    "temperatures": Task(
        "temperatures", _rolling(_temperatures, 12, 30, 365, *POINT), "", "mase"
    ),
}  # fmt: skip


def _fitted(settings: dict[str, Any], X: Any) -> tuple[SequenceForecaster, float]:
    """Fit on arrays: the recipe's names of columns are those of its file."""
    named = ("series_id", "time", "target", "frequency", "auto_baselines")
    settings = {k: v for k, v in settings.items() if k not in named}
    begun = time.perf_counter()
    model = SequenceForecaster(**settings).fit(X)
    return model, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], help="override, train.epochs=2")
    parser.add_argument(
        "--auto-baselines", action="store_true", help="AutoETS and AutoTheta beside single series"
    )
    parser.add_argument("--validation", action="store_true", help="score the validation part")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/forecasting.json")
    options = parser.parse_args()
    for name in options.tasks:
        if name not in TASKS:
            parser.error(f"unknown task {name!r}; known are {', '.join(TASKS)}")
    set_threads()
    kept = json.loads(options.out.read_text()) if options.out.is_file() else {}
    print(f"{'task':18}{'score':>10}{'mean':>10}{'spread':>9}{'seconds':>9}  known")
    for name in options.tasks or TASKS:
        task = TASKS[name]
        path = ROOT / "recipes" / "benchmarks" / f"{task.recipe}.yaml"
        settings = read_recipe(path, options.set).recipe.parameters()
        runs = []
        for seed in range(options.seeds):
            auto = options.auto_baselines and not settings["quantiles"] and seed == 0
            given = {**settings, "random_state": seed, "auto_baselines": auto}
            runs.append(task.run(given, options.validation))
        table = pd.DataFrame(runs).astype(float)
        mean, spread = table.mean(), table.std(ddof=0)
        for score in [c for c in table.columns if c not in ("seconds", "predict")]:
            first = score == task.main
            print(
                f"{name:18}{score:>10.10}{mean[score]:>10.4f}{spread[score]:>9.4f}"
                f"{mean['seconds']:>9.1f}  {task.known if first else ''}"
                if first or score in ("mse", "mae", "smape", "mase", "coverage")
                else f"{'':18}{score:40}{mean[score]:>10.4f}",
                flush=True,
            )
        if not options.validation:
            kept[name] = {
                "seeds": options.seeds,
                "set": options.set,
                "mean": mean.to_dict(),
                "spread": spread.to_dict(),
                "runs": runs,
                "host": f"{platform.machine()}, {os.cpu_count()} processors",
            }
            kept["versions"] = {k: version(k) for k in ("tensorflow", "keras", "numpy", "pandas")}
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
