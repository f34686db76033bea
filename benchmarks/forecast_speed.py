"""The same LSTM and number of steps on M4 Hourly: seqkit, NeuralForecast, Darts; alternating.

    python benchmarks/forecast_speed.py --peers /path/to/venv/bin/python --rounds 3

Two layers of 128 units, 168 steps seen, 48 forecast, batches of 128 windows, Adam 1e-3. Each fit
runs in a fresh process: import to the first step, fit, forecast of all 414 series, scores.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEQKIT_DATA", ROOT.parent / "shared" / "data")) / "forecasting" / "M4"
CONTEXT, HORIZON, LAYERS, UNITS, BATCH = 168, 48, 2, 128, 128


def read(name):
    import numpy as np

    with open(DATA / name, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [np.array([float(v) for v in row[1:] if v not in ("", "NA")], "f") for row in rows]


def scored(made):
    import numpy as np

    train, truth = read("Hourly-train.csv"), np.stack(read("Hourly-test.csv"))
    error = np.abs(truth - made)
    scale = np.array([np.mean(np.abs(s[24:] - s[:-24])) for s in train])
    smape = float(np.mean(200 * error / (np.abs(truth) + np.abs(made))))
    return {"smape": smape, "mase": float(np.mean(error.mean(1) / scale))}


def run_seqkit(steps):
    begun = time.perf_counter()
    from seqkit import SequenceForecaster

    train = read("Hourly-train.csv")
    settings = {
        "context_length": CONTEXT, "horizon": HORIZON, "cell": "lstm", "units": [UNITS] * LAYERS,
        "patch": 1, "batch_size": BATCH, "validation": 0, "patience": 0, "random_state": 0,
    }  # fmt: skip
    SequenceForecaster(**settings, epochs=1, steps_per_epoch=1).fit(train)
    ready = time.perf_counter() - begun
    begun = time.perf_counter()
    model = SequenceForecaster(**settings, epochs=1, steps_per_epoch=steps).fit(train)
    fit = time.perf_counter() - begun
    begun = time.perf_counter()
    made = model.forecast()
    return {"start": ready, "fit": fit, "predict": time.perf_counter() - begun, **scored(made)}


def run_neuralforecast(steps):
    begun = time.perf_counter()
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    import numpy as np
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE
    from neuralforecast.models import LSTM

    train = read("Hourly-train.csv")
    frame = pd.concat(
        pd.DataFrame({"unique_id": i, "ds": np.arange(len(s)), "y": s}) for i, s in enumerate(train)
    )

    def model(n):
        return LSTM(
            h=HORIZON, input_size=CONTEXT, encoder_n_layers=LAYERS, encoder_hidden_size=UNITS,
            decoder_hidden_size=UNITS, decoder_layers=1, loss=MAE(), max_steps=n,
            windows_batch_size=BATCH, batch_size=32, learning_rate=1e-3, scaler_type="standard",
            recurrent=False, enable_progress_bar=False, logger=False, enable_checkpointing=False,
            enable_model_summary=False, random_seed=1,
        )  # fmt: skip

    NeuralForecast([model(1)], freq=1).fit(frame)
    ready = time.perf_counter() - begun
    begun = time.perf_counter()
    forecaster = NeuralForecast([model(steps)], freq=1)
    forecaster.fit(frame)
    fit = time.perf_counter() - begun
    begun = time.perf_counter()
    made = forecaster.predict()["LSTM"].to_numpy().reshape(len(train), HORIZON)
    return {"start": ready, "fit": fit, "predict": time.perf_counter() - begun, **scored(made)}


def run_darts(steps):
    begun = time.perf_counter()
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    import numpy as np
    import torch
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from darts.models import BlockRNNModel

    train = [TimeSeries.from_values(s) for s in read("Hourly-train.csv")]
    scaler = Scaler()
    scaled = scaler.fit_transform(train)
    quiet = {
        "enable_progress_bar": False, "enable_model_summary": False, "logger": False,
        "accelerator": "cpu", "enable_checkpointing": False,
    }  # fmt: skip

    def model(n):
        return BlockRNNModel(
            input_chunk_length=CONTEXT, output_chunk_length=HORIZON, model="LSTM",
            hidden_dim=UNITS, n_rnn_layers=LAYERS, batch_size=BATCH, n_epochs=1, dropout=0.0,
            loss_fn=torch.nn.L1Loss(), optimizer_kwargs={"lr": 1e-3}, random_state=0,
            pl_trainer_kwargs={**quiet, "max_steps": n},
        )  # fmt: skip

    model(1).fit(scaled)
    ready = time.perf_counter() - begun
    begun = time.perf_counter()
    forecaster = model(steps)
    forecaster.fit(scaled)
    fit = time.perf_counter() - begun
    begun = time.perf_counter()
    made = scaler.inverse_transform(forecaster.predict(HORIZON, scaled))
    made = np.stack([one.values()[:, 0] for one in made])
    return {"start": ready, "fit": fit, "predict": time.perf_counter() - begun, **scored(made)}


RUNS = {"seqkit": run_seqkit, "neuralforecast": run_neuralforecast, "darts": run_darts}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", help="Python with neuralforecast and darts", default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--only", nargs="*", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--child", choices=list(RUNS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(RUNS[options.child](options.steps)))
        return
    found = {name: [] for name in options.only}
    for _ in range(options.rounds):
        for name in options.only:
            python = sys.executable if name == "seqkit" else options.peers or sys.executable
            env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
            command = [python, __file__, "--child", name, "--steps", str(options.steps)]
            done = subprocess.run(command, capture_output=True, text=True, env=env)
            if done.returncode:
                print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
                continue
            found[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
            print(name, {k: round(v, 3) for k, v in found[name][-1].items()}, flush=True)
    medians = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in found.items()
        if runs
    }
    print(f"\n{'':16}" + "".join(f"{k:>10}" for k in ("start", "fit", "predict", "smape", "mase")))
    for name, row in medians.items():
        print(f"{name:16}" + "".join(f"{value:>10.2f}" for value in row.values()))
    target = ROOT / "benchmarks" / "results" / "forecast_speed.json"
    document = {"steps": options.steps, "median": medians, "runs": found}
    target.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
