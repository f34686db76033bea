"""MiniRocket (Dempster et al. 2021) with its defaults on the sets of classification.py.

    python benchmarks/minirocket.py [--sets GunPoint ...] [--seeds 5]

Beside the classifiers' figures: the same series, missing values interpolated, aeon's
``MiniRocketClassifier`` (aeon is a dependency of this script alone). It takes series of one length,
so unequal ones are filled up with zeros at their end. Seconds are those of the processors.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from aeon.classification.convolution_based import MiniRocketClassifier
from classification import RESULTS, files, folder, load


def panel(X: Any, longest: int) -> np.ndarray:
    """Return series as aeon has them, (n_series, n_features, n_timesteps)."""
    out = np.zeros((len(X), np.shape(X[0])[1] if np.ndim(X[0]) > 1 else 1, longest))
    for row, x in zip(out, X, strict=True):
        x = np.asarray(x, float).reshape(len(x), -1)
        for k, column in enumerate(x.T):
            known = np.flatnonzero(~np.isnan(column))
            row[k, : len(x)] = np.interp(np.arange(len(x)), known, column[known])
    return out


def main() -> None:
    """Run the sets and write what was found."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--sets", nargs="+", help="default: all")
    options.add_argument("--seeds", type=int, default=5)
    given = options.parse_args()
    rows = []
    for name in given.sets or list(files(folder())):
        X, y, X_test, y_test = load(name)
        longest = max(len(x) for part in (X, X_test) for x in part)
        train, test = panel(X, longest), panel(X_test, longest)
        row: dict[str, Any] = {"set": name, "accuracy": [], "seconds": []}
        for seed in range(given.seeds):
            began = time.process_time()
            model = MiniRocketClassifier(random_state=seed).fit(train, y)
            row["seconds"].append(time.process_time() - began)
            row["accuracy"].append(float(np.mean(model.predict(test) == y_test)))
        print(
            f"{name:<24}{np.mean(row['accuracy']):>8.3f}{np.mean(row['seconds']):>8.2f}", flush=True
        )
        rows.append(row)
    print(f"mean of {len(rows)}: {np.mean([np.mean(row['accuracy']) for row in rows]):.4f}")
    if given.sets:
        return
    document = {
        "versions": {p: version(p) for p in ("aeon", "numpy", "numba", "scikit-learn")}
        | {"python": platform.python_version()},
        "measured": datetime.now(UTC).date().isoformat(),
        "seeds": given.seeds,
        "clock": "processor",
        "rows": rows,
    }
    RESULTS.with_name("minirocket.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
