"""Write docs/benchmarks.md from what the benchmarks wrote.

    python docs/make_benchmarks.py

Every figure comes from benchmarks/results/; nothing is typed in by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value: Any, digits: int = 3) -> str:
    """Return a figure, or a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{digits}f}"


def versions(result: dict[str, Any]) -> str:
    """Return the versions a result was measured with."""
    found = result.get("versions", {})
    return ", ".join(f"{k} {v}" for k, v in found.items())


FORECASTS = {  # task -> its score, what it is called, the naive figures beside it
    "m4_hourly_fast": ("owa", "M4 Hourly, OWA, one network"),
    "m4_hourly": ("owa", "M4 Hourly, OWA, six networks"),
    "m4_hourly_default": ("owa", "M4 Hourly, OWA, defaults"),
    "etth1_96": ("mse", "ETTh1 96 to 96, MSE"),
    "etth1_96_ensemble": ("mse", "ETTh1 96 to 96, MSE, eight networks"),
    "etth1_192": ("mse", "ETTh1 96 to 192, MSE, four networks"),
    "etth1_336": ("mse", "ETTh1 96 to 336, MSE, four networks"),
    "etth1_720": ("mse", "ETTh1 96 to 720, MSE, four networks"),
    "etth1_long": ("mse", "ETTh1 720 to 96, MSE"),
    "exchange": ("mse", "exchange rates 96 to 96, MSE"),
    "airline_12": ("mase", "airline, last 12 months, MASE"),
    "airline_24": ("mase", "airline, last 24 months, MASE"),
    "airline_rolling": ("mase", "airline, 13 origins, MASE"),
    "airline_default": ("mase", "airline, last 12 months, MASE, defaults"),
    "airline_default_rolling": ("mase", "airline, 13 origins, MASE, defaults"),
    "pollution": ("weighted_quantile_loss", "PM2.5, 24 hours, weighted quantile loss"),
    "sunspots": ("mase", "sunspots, MASE"),
    "co2": ("mase", "weekly CO2, MASE"),
    "temperatures": ("mase", "daily temperatures, MASE"),
}
BESIDE = ("naive", "seasonal_naive", "auto_ets", "auto_theta")


def forecasting(result: dict[str, Any]) -> str:
    """Mean and spread over seeds, beside the baselines."""
    rows = []
    for task, (score, words) in FORECASTS.items():
        if task not in result:
            continue
        mean, spread = result[task]["mean"], result[task]["spread"]
        beside = [number(mean.get(f"{name}_{score}")) for name in BESIDE]
        rows.append(
            [words, f"{mean[score]:.4f} ± {spread[score]:.4f}", result[task]["seeds"],
             number(mean["seconds"], 0), *beside]
        )  # fmt: skip
        if "coverage" in mean:
            covered = f"{mean['coverage']:.3f} ± {spread['coverage']:.3f}"
            rows.append(["its 80 % interval covers", covered, result[task]["seeds"], *["-"] * 5])
    head = ["task", "mean ± spread", "seeds", "seconds a fit", "naive", "seasonal naive",
            "AutoETS", "AutoTheta"]  # fmt: skip
    return table(head, rows)


def competitions(result: dict[str, Any]) -> str:
    """Mean and spread over seeds, beside AutoETS, AutoTheta and the seasonal naive forecast."""
    rows, ratios = [], []
    for name, one in result.items():
        if not isinstance(one, dict) or "baselines" not in one:
            continue
        mean, spread, known = one["mean"], one["spread"], one["baselines"]
        beside = [known[b]["mase"] for b in ("auto_ets", "auto_theta", "seasonal_naive")]
        ratios.append(math.log(one["ratio"]))
        rows.append(
            [name.replace("_", " "), one["series"], one["horizon"],
             f"{mean['mase']:.3f} ± {spread['mase']:.3f}", number(mean["smape"], 2),
             *map(number, beside), number(one["ratio"]), number(mean["seconds"], 0)]
        )  # fmt: skip
    ratio = number(math.exp(sum(ratios) / len(ratios)))
    rows.append(["geometric mean", *[""] * 7, ratio, ""])
    head = ["set", "series", "steps ahead", "MASE, defaults", "sMAPE", "AutoETS", "AutoTheta",
            "seasonal naive", "MASE over AutoETS's", "seconds a fit"]  # fmt: skip
    return table(head, rows)


def train_step(result: dict[str, Any]) -> str:
    """Geometric means over the grid, and the cases that are slower."""
    rows = [
        [name, number(s["geometric_mean"], 2), number(s["least"], 2), s["slower_than_0.95"],
         s["cases"]]
        for name, s in result["summary"].items()
    ]  # fmt: skip
    text = table(["", "geometric mean", "least", "under 0.95", "cases"], rows)
    names = ("cell", "layers", "directions", "units", "batch", "time")
    others = {"torch_ms": "PyTorch", "keras_ms": "Keras"}
    others = {k: who for k, who in others.items() if k in result["rows"][0]}
    slower = [
        [*(row[n] for n in names), number(row["seqkit_ms"], 1),
         *(number(row[k] / row["seqkit_ms"], 2) for k in others)]
        for row in result["rows"]
        if min(row[k] for k in others) / row["seqkit_ms"] < 0.95
    ]  # fmt: skip
    if slower:
        text += "\n\nCases in which another is faster:\n\n"
        text += table([*names, "ms", *(f"{who} takes" for who in others.values())], slower)
    return text


def stems(result: dict[str, Any]) -> str:
    """Milliseconds of a step with a convolutional stem, beside PyTorch's."""
    rows = [
        [row["filters"], row["batch"], row["time"], number(row["seqkit_ms"], 2),
         number(row["torch_ms"], 2), number(row["torch_ms"] / row["seqkit_ms"], 2)]
        for row in result["rows"]
    ]  # fmt: skip
    ratios = [row["torch_ms"] / row["seqkit_ms"] for row in result["rows"]]
    middle = math.exp(sum(map(math.log, ratios)) / len(ratios))
    rows.append(["geometric mean", "", "", "", "", number(middle, 2)])
    head = ["filters", "batch", "steps", "seqkit, ms", "PyTorch, ms", "ratio"]
    return table(head, rows)


def serving(result: dict[str, Any]) -> str:
    """Return size, difference and times of every format."""
    rows = [
        [row["case"], f"`{row['format']}`", number(row.get("kilobytes"), 0),
         f"{row['relative']:.1g}" if "relative" in row else "-", number(row["least_ms"], 2),
         number(row["median_ms"], 2), f"{row['series_a_second']:,.0f}"]
        for row in result["rows"]
    ]  # fmt: skip
    head = ["network", "format", "kB", "difference", "one series, ms: least", "median",
            "64 at once, series a second"]  # fmt: skip
    return table(head, rows)


def streams(result: dict[str, Any]) -> str:
    """Microseconds of an observation, beside ONNX Runtime's step and asking again."""
    rows = [
        [row["case"], row["streams"], number(row.get("push"), 1), number(row.get("onnx"), 1),
         number(row["onnx"] / row["push"], 1) if "onnx" in row else "-", number(row["again"], 0),
         number(row["again"] / row["push"], 1) if "push" in row else "-"]
        for row in result["rows"]
    ]  # fmt: skip
    head = ["", "streams", "push, µs", "ONNX Runtime, µs", "ratio", "predict again, µs", "ratio"]
    return table(head, rows)


def fit_small(result: dict[str, Any]) -> str:
    """Seconds of whole fits."""
    rows = [
        [row["set"], who, number(row[who]["cold_seconds"], 2), number(row[who]["warm_seconds"], 2),
         number(row.get(f"warm_over_{who}"), 2), number(row[who]["accuracy"])]
        for row in result["rows"]
        for who in ("seqkit", "torch", "keras")
    ]  # fmt: skip
    return table(["set", "", "first fit s", "later s", "times seqkit's", "accuracy"], rows)


def first_fits(result: dict[str, Any]) -> str:
    """Seconds of whole processes, before and now."""
    sides = list(result["rows"][0]["seconds"])
    rows = [
        [row["case"], *(number(row["seconds"][side], 2) for side in sides), number(row["ratio"], 2)]
        for row in result["rows"]
    ]
    return table(["", *(f"{side} s" for side in sides), "ratio"], rows)


def variants(result: dict[str, Any]) -> str:
    """Time a step of each cell relative to lstm."""
    units = sorted({r["units"] for r in result["rows"]})
    cells = list(dict.fromkeys(r["cell"] for r in result["rows"]))
    found = {(r["cell"], r["units"]): r["relative"] for r in result["rows"]}
    rows = [[f"`{cell}`", *(number(found[cell, u], 2) for u in units)] for cell in cells]
    return table(["cell", *(f"{u} units" for u in units)], rows)


def grid_search(result: dict[str, Any]) -> str:
    """Seconds of a search of 24 fits."""
    rows = [
        [r["name"], f"{r['backend']} {r['n_jobs']}", number(r["seconds"], 1),
         number(r["again"], 1)]
        for r in result["rows"]
    ]  # fmt: skip
    text = table(["", "workers", "first search, s", "second search, s"], rows)
    held = result.get("resident_mb")
    if held:
        text += "\n\nResident memory of the process over fits: "
        text += ", ".join(f"{k} {v:.0f} MB" for k, v in held.items()) + "."
    return text


def forecast_speed(result: dict[str, Any]) -> str:
    """Seconds of the same network and steps."""
    ours = result["median"]["seqkit"]
    rows = [
        [name, number(m["start"], 1), number(m["fit"], 1), number(m["predict"], 2),
         number((m["fit"] + m["predict"]) / (ours["fit"] + ours["predict"]), 2),
         number(m["start"] / ours["start"], 2), number(m["mase"], 2)]
        for name, m in result["median"].items()
    ]  # fmt: skip
    return table(
        ["", "start s", "fit s", "forecast s", "fit and forecast: times seqkit's",
         "start: times seqkit's", "MASE"], rows
    )  # fmt: skip


def classification(result: dict[str, Any]) -> str:
    """Mean accuracy of the defaults beside the baselines and what is published."""
    known = result["published"]
    bare, stems = (
        {row["set"]: row["accuracy"] for row in json.loads(file.read_text())["rows"]}
        for file in (RESULTS / f"classification_{kind}.json" for kind in ("recurrent", "stem"))
    )
    rocket = json.loads((RESULTS / "minirocket.json").read_text())["rows"]
    kernels = {row["set"]: (row["accuracy"], row["seconds"]) for row in rocket}
    digits = (3, 1)
    others = ("1NN-DTW", "ResNet", "InceptionTime", "MiniROCKET", "MR-Hydra")
    rows, complete = [], []

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def varied(scores: list[float]) -> str:
        deviation = math.sqrt(mean([(s - mean(scores)) ** 2 for s in scores]))
        return number(mean(scores)) + (f" ± {deviation:.3f}" if len(scores) > 1 else "")

    for row in result["rows"]:
        scores, published = row["accuracy"], known.get(row["set"], {})
        figures = [float(published.get(name) or "nan") for name in others]
        rows.append(
            [row["set"], row["series"], *map(varied, (scores, bare[row["set"]], stems[row["set"]])),
             *map(number, map(mean, kernels[row["set"]]), digits),
             number(mean(row["nearest_neighbour"])), number(mean(row["majority"])),
             *map(number, figures), number(mean(row["seconds"]), 0)]
        )  # fmt: skip
        if published and all(published.values()):
            complete.append([mean(scores), mean(bare[row["set"]]), mean(stems[row["set"]]),
                             mean(kernels[row["set"]][0]),
                             mean(row["nearest_neighbour"]), mean(row["majority"]),
                             *figures])  # fmt: skip
    every = [mean([mean(row[k]) for row in result["rows"]])
             for k in ("accuracy", "nearest_neighbour", "majority")]  # fmt: skip
    for place, other in enumerate((bare, stems), start=1):
        every.insert(place, mean([mean(scores) for scores in other.values()]))
    every.insert(3, mean([mean(scores) for scores, _ in kernels.values()]))
    spent = number(mean([mean(seconds) for _, seconds in kernels.values()]), 1)
    whole = number(mean([mean(row["seconds"]) for row in result["rows"]]), 0)
    means = list(map(number, every))
    means.insert(4, spent)
    rows.append([f"mean of {len(rows)}", "", *means, *["-"] * len(others), whole])
    if complete:
        means = [number(mean(list(column))) for column in zip(*complete, strict=True)]
        means.insert(4, "")
        rows.append([f"mean of {len(complete)} with all published figures", "", *means, ""])
    head = ["set", "training series", "defaults", "purely recurrent", "with a stem",
            "MiniRocket here",
            "its fit, s (processor)", "1-NN", "majority class",
            *others, f"fit, s ({result['clock']})"]  # fmt: skip
    return table(head, rows)


def regression(result: dict[str, Any]) -> str:
    """Errors of the defaults beside those of the mean and of the nearest neighbour."""
    rows = []
    for row in result["rows"]:
        columns = [row[who] for who in ("model", "nearest_neighbour", "mean")]
        share = [ours / min(others) for ours, *others in zip(*columns, strict=True)]
        means = [sum(values) / len(values) for values in (*columns, share, row["seconds"])]
        rows.append([row["set"], row["series"], *(f"{value:.4g}" for value in means[:3]),
                     f"{number(means[3])} (worst {number(max(share))})",
                     number(means[4], 0)])  # fmt: skip
    head = ["set", "training series", f"defaults, RMSE (seeds: {result['seeds']})", "1-NN", "mean",
            "share of the better one's error", "fit, s (processors)"]  # fmt: skip
    return table(head, rows)


def scale(result: dict[str, Any]) -> str:
    """Seconds, memory and rate with many series."""
    head = ["series", "steps each", "file, MB", "read, s", "fit, s", "forecasts a second",
            "peak memory, MB"]  # fmt: skip
    row = [f"{result['series']:,}", result["length"], number(result["file_mb"], 0),
           number(result["read_seconds"], 1), number(result["fit_seconds"], 1),
           f"{result['series_a_second']:,.0f}", f"{result['peak_mb']:,.0f}"]  # fmt: skip
    return table(head, [row])


def applications(result: dict[str, Any]) -> str:
    """Figures of the recipes beside baselines and papers."""
    rows = []
    for name, one in result.items():
        runs = one["runs"]
        values = [run["figures"][one["figure"]] for run in runs]
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
        figure = f"{mean:.3f}" + (f" ± {spread:.3f}" if len(values) > 1 else "")
        others = {k: v for run in runs for k, v in run["baselines"].items() if v is not None}
        more = [f"{k.replace('_', ' ')} {sum(r['figures'][k] for r in runs) / len(runs):.3f}"
                for k in MORE if k in runs[0]["figures"]]  # fmt: skip
        beside = ", ".join(f"{k.replace('_', ' ')} {number(v)}" for k, v in others.items())
        spent = sum(run["processor_seconds"] for run in runs) / len(runs)
        rows.append([f"[{one['title']}](../recipes/{name}.yaml)", figure, len(runs),
                     "; ".join(more) or "-", beside, one["known"], one["target"],
                     number(spent, 0)])  # fmt: skip
    head = ["recipe", "test part", "seeds", "also", "baselines", "papers", "aim",
            "processor seconds"]  # fmt: skip
    return table(head, rows)


MORE = ("rmse_capped", "nll_from_second", "bits_one_text", "segment_f1")


def fill(page: Path, text: str) -> None:
    """Write a table between the marks of a guide."""
    begin, end = "<!-- applications -->", "<!-- end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


SECTIONS: list[tuple[str, str, str, Callable[[dict[str, Any]], str]]] = [
    ("forecasting", "Forecasting", """\
Mean and spread (standard deviation) over seeds; `seconds` is one fit on two processors. Settings
were compared on the stretch before the test part (`--validation`), but for the learning rate of the
airline recipes, which was once tried on its test years. To read the table by: OWA .440 is the
winner of the M4 competition (Smyl 2020), 1 its Naive2. On ETTh1 SegRNN (Lin et al. 2023) reports
MSE .368, .408, .444 and .446 from 96 to 96, 192, 336 and 720 steps, and .351 from 720 to 96;
DLinear (Zeng et al. 2023) .386 from 96 to 96.""", forecasting),
    ("competitions", "Forecasting with the defaults: tourism and M1", """\
Official test parts; the network sees 8 years, 16 quarters or 36 months, and nothing else is set but
horizon and season. Defaults were chosen on the end of the training parts alone (`--validation`).
Mean and spread (standard deviation) over seeds; MASE is scaled by the seasonal naive error of the
training part. Beside it AutoETS, AutoTheta and the seasonal naive forecast, MASE too.""",
     competitions),
    ("classification", "Classification with the defaults", """\
Accuracy of `SequenceClassifier()` on the standard test parts, mean and spread (standard deviation)
over five seeds; nothing is tuned a set. Seconds are those of the processors, of which a fit uses
two at a time: by the clock of two free ones the longest, Epilepsy's, took 50. Beside it purely
recurrent networks, `stem=None`, up to four of them, and two networks that both have a stem,
`ensemble=2`, five seeds, too; and MiniRocket (Dempster et al. 2021) of aeon, run here (`python
benchmarks/minirocket.py --seeds 1`; unequal series filled up with zeros). 1-NN is the nearest
neighbour by Euclidean distance. Published figures: one seed or the mean of several, as tsml-eval
has them.""", classification),
    ("regression", "Regression with the defaults", """\
`SequenceRegressor()` on seven made sets of which the truth is known, drawn anew with each seed, and
on the engines of C-MAPSS FD001 (their test part). Seconds are those of the processors, all threads
together.""", regression),
    ("applications", "Applications", """\
Recipes of `recipes/` on real data, trained with seeds 0, 1, ..., judged by the official test part
where there is one. Mean and spread (standard deviation) over seeds.
What each is, and what else was tried: [Applications](applications.md).""", applications),
    ("train_step", "A training step", """\
Seconds a step of a plain PyTorch loop (two threads) divided by those of a `SequenceClassifier`, in
whole fits of as many steps, over layers, directions, units, batch and time. Above 1 seqkit is
faster.""", train_step),
    ("stems", "A training step with convolutions", """\
Three convolutions (9, 7 and 5 steps, the first strides by 2) with batch normalisation and ReLU,
then a GRU of 64 units, in whole fits of as many steps. Above 1 seqkit is faster.""", stems),
    ("streams", "An observation of a stream", """\
Networks of one direction, layers of 64 units, 8 scaled features, 4 classes: `stream.push` of one
observation (of each stream) from raw values to probabilities; ONNX Runtime's step of the same
weights on one thread, its states fed back; and `predict_proba` of the last 200 observations (a
forecaster's `forecast`). A forecaster reads its last window again, of 48 steps or of 72 in patches
of 24. The last rows are of one whole series of 100 steps, asked alone. The fastest of many blocks
that take turns. A stem has no step in ONNX; its three convolutions read ahead, so that some steps
are computed anew each time.""", streams),
    ("serving", "An exported model", """\
Two layers of 64 units in both directions over 100 steps of 3 features; a forecaster reads 48 steps
in one direction and says 12 with three quantiles. `estimator` is seqkit's own answer, `keras` is
`keras.Model.predict`, `torch.onnx` a PyTorch module of the same size with weights of its own, run
by the same ONNX Runtime. The difference is from the estimator's, as a share of the greatest.
One series is asked on one thread in ONNX Runtime and LiteRT, 64 at once with what each runtime
takes by itself; `onnx_streaming` takes whole series observation by observation. All take turns in
short blocks whose first call does not count, on a machine that did other work besides: the least
says what each takes, the median what it took then.""", serving),
    ("fit_small", "Whole fits", """\
A bidirectional LSTM of 64 units, 60 epochs, batches of 16, for seqkit, a plain PyTorch loop and
stock Keras.""", fit_small),
    ("first_fits", "What a person waits for", """\
Whole Python processes, imports and all, medians; `before` is the commit before networks became
descriptions, whose decoders, distributions and covariates trained in a traced graph. The first fit
ever begins without compiled kernels.""", first_fits),
    ("variants", "The cells", """\
Time of a training step relative to `lstm`. `fgr` has nine recurrent matrices more than `lstm`'s
four, so that its products alone are 3.25 times as many.""", variants),
    ("grid_search", "Grid search", """\
24 fits of a small LSTM on GunPoint in scikit-learn's `GridSearchCV`. The first search of a process
loads compiled kernels or traces graphs and starts its workers; its imports are not counted.""",
     grid_search),
    ("forecast_speed", "Forecasting beside NeuralForecast and Darts", """\
The same LSTM (two layers of 128 units, 168 steps seen, 48 forecast), batches of 128 windows of M4
Hourly, 100 steps, a process each; `start` is from import to the end of the first step.
After so few steps nobody's forecast is good.""", forecast_speed),
    ("scale", "Many series", """\
A long frame of text ids, days and values from Parquet; a GRU of 64 units sees 56 days, trains on
500 batches of 256 windows, and forecasts the 24 days after the end of every series. The fit
includes making a panel of the frame, the memory all of it.""", scale),
]  # fmt: skip


def main() -> None:
    """Write the page."""
    parts = [
        "# Benchmarks\n\nWritten by `python docs/make_benchmarks.py` from benchmarks/results/."
    ]
    for name, title, words, show in SECTIONS:
        path = RESULTS / f"{name}.json"
        if not path.is_file():
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        said = versions(next(iter(result.values())) if name == "applications" else result)
        if name == "applications":
            fill(ROOT / "docs" / "applications.md", show(result))
        parts.append(
            f"## {title}\n\n{words}\n\n{show(result)}\n\n`python benchmarks/{name}.py`"
            + (f" ({said})" if said else "")
        )
    (ROOT / "docs" / "benchmarks.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
