"""Whether a model beats its baselines, on how much that rests, and what to try where it does not.

:func:`judge` says it once, from what ``metrics.json`` holds; terminal and report show its words.
What to try is a table, :data:`ADVICE`: each row says when it applies, and on what that rests. What
the course of the training says stands in :mod:`seqkit.evaluation.findings`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqkit.evaluation.baselines import BASELINES
from seqkit.evaluation.metrics import METRICS

__all__ = ["ADVICE", "Advice", "Case", "deciding", "judge", "number", "sentences"]

# Labelled series below which a score is called a hint: of 50, an accuracy of .8 has a standard
# error of .06, which is more than most differences between methods.
FEW_SERIES = 50
# Forecasts that do not overlap, below which a score is called a hint. The steps of one forecast err
# together, so it is forecasts that count, not their values; of ten, the mean error of a method is
# known to about a third of its spread.
FEW_FORECASTS = 10
MOST_ADVICE = 3
FEWEST_EPOCHS = 10  # fewer have hardly begun


def number(value: float | None) -> str:
    """Show a score with four significant digits, or a dash where none exists.

    Examples
    --------
    >>> number(0.91336), number(1234.56), number(0.00002), number(None)
    ('0.9134', '1235', '2e-05', '–')
    """
    if value is None:
        return "–"
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-3:
        return f"{value:.4g}"
    if size >= 1000:
        return f"{value:.0f}"
    return f"{value:#.4g}" if value else "0"


# what to try ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model that does not beat its best baseline.

    Attributes
    ----------
    task, rival : str
        The rival is the best baseline.
    ahead : tuple of str
        All baselines that are better than the model.
    collapsed : bool
        Whether the model has one answer for everything.
    settings : mapping
        The recipe, every setting filled; empty where there is none.
    loss : sequence of float
        An epoch each.
    """

    task: str
    rival: str
    ahead: tuple[str, ...] = ()
    collapsed: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    loss: Sequence[float] = ()

    def setting(self, path: str, default: Any = None) -> Any:
        """Return a setting by its dotted path."""
        value: Any = self.settings
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value

    @property
    def season(self) -> int:
        """Steps in a season."""
        return int(self.setting("evaluate.season", 1))

    @property
    def contexts(self) -> list[int]:
        """Every context length; empty where it is not known."""
        given = self.setting("forecast.context_length")
        if given is None or isinstance(given, str):  # auto
            return []
        return [given] if isinstance(given, int) else list(given)


@dataclass(frozen=True)
class Advice:
    """One row of :data:`ADVICE`.

    Attributes
    ----------
    name : str
    applies : callable
        ``Case -> bool``
    text : callable
        ``Case -> str``: what to write into the recipe, and why.
    evidence : str
        What the row rests on.
    """

    name: str
    applies: Callable[[Case], bool]
    text: Callable[[Case], str]
    evidence: str


def _seasonal(case: Case) -> bool:
    return (
        "seasonal_naive" in case.ahead
        and case.season > 1
        and case.setting("model.departure_from") == "none"
        and bool(case.contexts)
        and min(case.contexts) >= case.season
        and case.setting("model.decoder", "direct") != "recursive"
    )


ADVICE: tuple[Advice, ...] = (
    Advice(
        "collapsed",
        lambda case: case.collapsed,
        lambda case: (
            "train.learning_rate ten times lower, and train.epochs twice as many: a network with "
            "one answer has learned nothing yet"
        ),
        "a network of one answer has the loss of the majority or the mean; too large a first step "
        "(Pascanu, Mikolov, Bengio 2013) or too few of them leave it there",
    ),
    Advice(
        "hardly begun",
        lambda case: 0 < len(case.loss) < FEWEST_EPOCHS,
        lambda case: f"train.epochs: {10 * len(case.loss)}: {len(case.loss)} have hardly begun",
        "gunpoint, 1, 30, 120 epochs: accuracy .68, .97, .99",
    ),
    Advice(
        "departure",
        _seasonal,
        lambda case: (
            "model.departure_from: seasonal_naive: the network then learns what differs from the "
            "season before, and begins no worse than it"
        ),
        "airline, 13 windows, stopped after 10 epochs: MASE 2.10, with it 1.08, seasonal naive "
        "1.80. Of a model that already beats it, no gain: .45 becomes .59",
    ),
    Advice(
        "longer context",
        lambda case: (
            case.task == "forecasting"
            and case.season > 1
            and bool(case.contexts)
            and max(case.contexts) < 3 * case.season
        ),
        lambda case: (
            f"forecast.context_length: {3 * case.season}: three seasons, where the series are long "
            "enough"
        ),
        "one, two, three seasons seen: MASE of airline .88, .52, .45 (three seeds, 13 windows), of "
        "16 tourism months 1.92, 1.62, 1.56 (three seeds, 5 windows)",
    ),
    Advice(
        "shorter context",
        lambda case: (
            case.task == "forecasting"
            and case.season == 1
            and len(case.contexts) == 1
            and case.contexts[0] > 3 * case.setting("forecast.horizon", case.contexts[0])
        ),
        lambda case: (
            f"forecast.context_length: {2 * case.setting('forecast.horizon', 1)}: without a season "
            "what is long ago says little"
        ),
        "contexts of four, two, one horizons: MASE of tourism years 3.01, 2.97, 3.23, of M1 years "
        "2.68, 2.58, 2.65 (two seeds)",
    ),
    Advice(
        "ensemble",
        lambda case: not case.collapsed and case.setting("train.ensemble") == 1,
        lambda case: (
            f"train.ensemble: 5: the {'median' if case.task == 'forecasting' else 'mean'} of "
            "networks from different seeds; five times as long"
        ),
        "airline: MASE .45 becomes .42 (13 windows); Smyl (2020), winner of M4",
    ),
    Advice(
        "data",
        lambda case: case.task != "forecasting" and case.rival == "nearest_neighbour",
        lambda case: (
            "more labelled series, or the 1-nearest neighbour itself: a network needs more of a "
            "class than one that looks like it"
        ),
        "Dau et al. (2018), UCR archive: 1-NN is hard to beat on small training parts",
    ),
)


# the verdict ----------------------------------------------------------------------------------


def judge(
    summary: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, Any] | None:
    """Say whether the model beats its best baseline, by the metric that decides.

    Parameters
    ----------
    summary : mapping
        What :func:`seqkit.evaluation.summary.summarize` returns.
    settings : mapping, optional
        The recipe, for what to try.
    history : mapping, optional
        ``loss`` of every epoch.

    Returns
    -------
    dict or None
        ``better``, ``metric``, ``value``, ``rival``, ``rival_value``, ``difference``, and the
        sentences ``rests_on``, ``few`` and ``collapsed`` (each None where there is none), and
        ``try``, a list. None where there is nothing to compare.
    """
    parts = summary["parts"]
    first = "test" if "test" in parts else next(iter(parts), None)
    compared = [
        duel
        for name in (first, "sample")
        if name is not None and name in parts
        for duel in [_duel(parts[name], summary["n"][name], name)]
        if duel is not None
    ]
    if not compared and "backtest" in summary:
        duel = _duel(summary["backtest"], summary["backtest"]["n"], "backtest")
        compared = [] if duel is None else [duel]
    if not compared:
        return None
    verdict = min(compared, key=lambda duel: duel.pop("margin"))
    part = summary["backtest"] if verdict["part"] == "backtest" else parts[verdict["part"]]
    n = part["n"] if verdict["part"] == "backtest" else summary["n"][verdict["part"]]
    verdict |= _rests_on(part, n, verdict)
    collapsed = part.get("collapsed")
    verdict["collapsed"] = collapsed and f"The model has collapsed: it answers {collapsed}."
    losses = history or {}
    case = Case(
        summary["task"],
        verdict.pop("key"),
        verdict.pop("ahead"),
        bool(collapsed),
        settings or {},
        losses.get("loss", ()),
    )
    perfect = verdict.pop("perfect")  # nothing can be better
    wanted = collapsed or not (verdict["better"] or perfect)
    advice = [row.text(case) for row in ADVICE if row.applies(case)] if wanted else []
    verdict["try"] = advice[:MOST_ADVICE]
    return verdict


def deciding(part: Mapping[str, Any], n: Mapping[str, int]) -> list[str]:
    """Return the metrics in the order in which they decide: over many series a scaled one first."""
    names = list(part["model"])
    return sorted(names, key=lambda name: name != "mase") if n["series"] > 1 else names


def _duel(part: Mapping[str, Any], n: Mapping[str, int], name: str) -> dict[str, Any] | None:
    """Compare the model with the best baseline of a part, by the first metric that can."""
    for metric in deciding(part, n):
        value = part["model"][metric]
        others = {
            who: scores[metric]
            for who, scores in part["baselines"].items()
            if scores.get(metric) is not None
        }
        up = METRICS[metric].greater_is_better if metric in METRICS else None
        if value is None or not others or up is None:
            continue
        rival = (max if up else min)(others, key=lambda who: others[who])
        ahead = value - others[rival] if up else others[rival] - value
        size = abs(others[rival])
        if up or not size or min(value, others[rival]) < 0:  # of what has no natural zero
            difference = f"{number(abs(ahead))} {'more' if (ahead > 0) == up else 'less'}"
        else:
            difference = f"{abs(ahead) / size:.1%} {'less' if ahead > 0 else 'more'}"
        return {
            "ahead": tuple(w for w, of in others.items() if (of > value if up else of < value)),
            "better": ahead > 0,
            "perfect": value == (1.0 if up else 0.0),
            "metric": METRICS[metric].title,
            "value": number(value),
            "rival": BASELINES[rival].title if rival in BASELINES else rival,
            "rival_value": number(others[rival]),
            "difference": difference if ahead else "the same",
            "part": name,
            "key": rival,
            "margin": ahead / size if size else ahead,
            "raw": (value, others[rival]) if metric == "accuracy" else None,
            "by": metric,
        }
    return None


def _rests_on(
    part: Mapping[str, Any], n: Mapping[str, int], verdict: dict[str, Any]
) -> dict[str, str | None]:
    """Say on how much a comparison rests, and whether that is little."""
    raw, metric = verdict.pop("raw"), verdict.pop("by")
    if "values" not in n:
        series = n["series"]
        few = None
        if series < FEW_SERIES:
            few = f"That is few: below {FEW_SERIES} series a score is a hint."
        elif raw is not None:
            error = 2 * math.sqrt(sum(share * (1 - share) for share in raw) / series)
            if abs(raw[0] - raw[1]) < error:
                few = f"With {series} series a difference below {number(error)} may be chance."
        return {"rests_on": f"It rests on {series:,} series.", "few": few}
    values, series = n["values"], n["series"]
    if "forecasts" in n:  # a sample of windows
        forecasts = apart = n["forecasts"]
        what = f"{forecasts:,} forecasts, drawn at random"
    else:
        windows = n["windows"]
        steps = len(next(iter(part.get("by_step", {}).get("model", {}).values()), ())) or 1
        step = part.get("step", steps)
        forecasts = windows * series
        apart = series * max(((windows - 1) * step + steps) // steps, 1)
        apart = min(apart, forecasts)
        overlap = " overlapping" if apart < forecasts else ""
        what = f"{windows}{overlap} windows" if windows > 1 else "1 window"
        what += f" of {series:,} series" if series > 1 else ""
    few = None
    if apart < FEW_FORECASTS:
        one = "one forecast" if apart == 1 else f"{apart} forecasts that do not overlap"
        few = f"That is few: {one}; below {FEW_FORECASTS} a score is a hint."
    else:
        few = _by_chance(part, metric, verdict["key"])
    return {"rests_on": f"It rests on {values:,} values: {what}.", "few": few}


def _by_chance(part: Mapping[str, Any], metric: str, rival: str) -> str | None:
    """Say whether the difference is within what the series scatter by: twice its standard error."""
    by_series = part.get("by_series", {"model": {}})
    if metric not in by_series["model"]:
        return None
    pairs = (by_series["model"][metric], by_series["baselines"][rival][metric])
    apart = np.subtract(*(np.asarray(scores, dtype=np.float64) for scores in pairs))
    apart = apart[np.isfinite(apart)]
    if len(apart) < FEW_FORECASTS or abs(apart.mean()) > 2 * apart.std(ddof=1) / len(apart) ** 0.5:
        return None
    return f"Over {len(apart)} series, which differ, so small a difference may be chance."


def sentences(verdict: Mapping[str, Any]) -> list[str]:
    """Return a verdict in words, a sentence each, for a terminal."""
    beats = "beats" if verdict["better"] else "does not beat"
    on = " on the sample" if verdict["part"] == "sample" else ""
    said = [
        f"The model {beats} its best baseline{on}, {verdict['rival']}: {verdict['metric']} "
        f"{verdict['value']} against {verdict['rival_value']} ({verdict['difference']}).",
        verdict["rests_on"],
        verdict["few"],
        verdict["collapsed"],
    ]
    return [sentence for sentence in said if sentence]
