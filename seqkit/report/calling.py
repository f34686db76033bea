"""How the model of a run is called, as text to be copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["call_examples"]

_WHAT = {
    "classification": ("classes", "predict_proba", "series of (n_timesteps, n_features)"),
    "regression": ("numbers", "predict", "series of (n_timesteps, n_features)"),
    "tagging": ("labels", "predict_proba", "series of (n_timesteps, n_features), or of tokens"),
}


def call_examples(
    name: str, task: str, series: Mapping[str, Any], future: bool = False
) -> list[tuple[str, str, str]]:
    """Return ways to call the model of a run: an id, a title and the text of each.

    Parameters
    ----------
    name : str
        Of the run folder.
    task : str
    series : mapping
        What the page shows of series: the names of their columns are in it.
    future : bool, default=False
        Whether a forecaster is told covariates over the horizon.
    """
    run = _quoted(f"runs/{name}")
    if task == "forecasting":
        known = (
            'future = pd.read_csv("future.csv")  # covariates over the horizon\n' if future else ""
        )
        also, option = ("future=future", " --future future.csv") if future else ("", "")
        python = (
            "import pandas as pd\nfrom seqkit import load_run\n\n"
            f"forecaster = load_run({f'runs/{name}'!r})\n{known}"
            f"forecaster.forecast({also})  # after the end of the series of the fit\n"
            f'forecaster.forecast(pd.read_csv("new.csv"){", " * future}{also})  # of others'
        )
        command = (
            f"seqkit forecast {run}{option} -o forecast.csv\n"
            f"seqkit forecast {run} --data new.csv{option} -o forecast.csv"
        )
        return [("python", "Python", python), ("command", "Command line", command)]
    if task not in _WHAT:
        return []
    what, method, shape = _WHAT[task]
    if task == "tagging" and "labels" not in series and "columns" in series:
        what, method, shape = "means of the next numbers", "predict_mixture", _WHAT["regression"][2]
    columns = ", ".join(" ".join(str(one).split()) for one in series.get("features", ())[:8])
    python = (
        "from seqkit import load_run\n\n"
        f"model = load_run({f'runs/{name}'!r})\n"
        f"model.predict(X)  # {what}; X: {shape}" + (f": {columns}" if columns else "")
    )
    if method != "predict":
        python += f"\nmodel.{method}(X)"
    command = f"seqkit predict {run} new.csv -o predictions.csv"
    return [("python", "Python", python), ("command", "Command line", command)]


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
