"""Forecast with an exported model, by NumPy and ONNX Runtime alone.

    python forecast.py model.onnx past.csv 48 [future.csv] [column=value ...]

past.csv has a row a time step, oldest first, and a column a channel; future.csv the channels that
are known ahead, from the step after past.csv's last one on; a static column has one value. Prints a
row a step: the quantiles of each target (or the parameters of its distribution), in units.
"""

import csv
import json
import sys

import numpy as np
import onnxruntime


def load(path):
    """Return what runs a file, and what the file says of itself."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session, json.loads(session.get_modelmeta().custom_metadata_map["seqkit"])


def forecast(session, facts, past, n_steps, future=None, static=None):
    """Forecast what comes after `past` (steps, channels): (n_steps, targets[, quantiles])."""
    tensors = {tensor["name"]: tensor for tensor in facts["inputs"]}
    (_, window, n_channels), horizon = tensors["x"]["shape"], facts["horizon"]
    names, codes = facts.get("future", []), facts.get("static_codes", {})
    if n_steps > horizon and facts["channels"] != facts["targets"] + names:
        raise ValueError(f"at most {horizon} steps: what past covariates will be is not known")
    if len(past) < window and "lengths" not in tensors:
        raise ValueError(f"the model reads {window} steps; past has {len(past)}")
    if names and (future is None or len(future) < n_steps):
        raise ValueError(f"future must have {n_steps} rows, of {names}")
    blocks = np.arange(-(-n_steps // horizon) * horizon).reshape(-1, horizon)
    given = {
        "static": [static[name] for name in facts.get("static", []) if name not in codes],
        "static_codes": [  # 0 is a text that was not there in training
            known.index(static[name]) + 1 if static[name] in known else 0
            for name, known in codes.items()
        ],
    }
    answers = []
    for block in blocks:
        seen = past[-window:]
        given["x"], given["lengths"] = np.zeros((window, n_channels)), len(seen)
        given["x"][window - len(seen) :] = seen
        if names:  # the last row stands for what is past the steps asked for
            given["future"] = future[np.minimum(block, len(future) - 1)]
        inputs = {name: np.array([given[name]], one["dtype"]) for name, one in tensors.items()}
        answers.append(session.run(None, inputs)[0][0])
        if block[-1] + 1 < n_steps:  # go on from the median
            levels = answers[-1].reshape(horizon, len(facts["targets"]), -1)
            middle = levels[:, :, levels.shape[2] // 2 if "quantiles" in facts else 0]
            following = np.column_stack([middle, given["future"]] if names else [middle])
            past = np.concatenate([past, following])
    return np.concatenate(answers)[:n_steps]


def table(path, names):
    """Return columns of a CSV file: (rows, names)."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [[float(row[name]) for name in names] for row in csv.DictReader(file)]
    return np.array(rows).reshape(-1, len(names))


if __name__ == "__main__":
    path, past, n_steps, *more = sys.argv[1:]
    session, facts = load(path)
    static = dict(word.split("=", 1) for word in more if "=" in word)
    future = [table(word, facts.get("future", [])) for word in more if "=" not in word]
    past = table(past, facts["channels"])
    made = forecast(session, facts, past, int(n_steps), *future, static=static)
    for step in made.reshape(len(made), -1):
        print(*(f"{value:.9g}" for value in step), sep=",")
