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


def call_examples(name: str, task: str, series: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return ways to call the model of a run: an id, a title and the text of each.

    Parameters
    ----------
    name : str
        Of the run folder.
    task : str
    series : mapping
        What the page shows of series: the names of their columns are in it.
    """
    run = _quoted(f"runs/{name}")
    if task == "forecasting":
        python = (
            "import pandas as pd\nfrom seqkit import load_run\n\n"
            f"forecaster = load_run({f'runs/{name}'!r})\n"
            "forecaster.forecast()                     # after the end of the series of the fit\n"
            'forecaster.forecast(pd.read_csv("new.csv"))  # after the end of others'
        )
        command = (
            f"seqkit forecast {run} -o forecast.csv\n"
            f"seqkit forecast {run} --data new.csv -o forecast.csv"
        )
        return [("python", "Python", python), ("command", "Command line", command)]
    if task not in _WHAT:
        return []
    what, method, shape = _WHAT[task]
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
