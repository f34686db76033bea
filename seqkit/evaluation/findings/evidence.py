"""What a finding is, and what checks look at: plain arrays and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.data.describing import ColumnFacts, SeriesPart, column_facts
from seqkit.evaluation.resampling import Score, drawn_weights

__all__ = [
    "SEVERITIES",
    "ClassProbabilities",
    "Evidence",
    "Finding",
    "Found",
    "GateShares",
    "Novelty",
    "PartScore",
    "WindowErrors",
    "some_of",
    "worst_network",
]

Floats = npt.NDArray[np.float64]

SEVERITIES = ("error", "warning", "info")
"""The weightiest first: the scores cannot be trusted; the model could be better; worth knowing."""
DRAWS = 300  # of a bootstrap: its spread is then known to 4 %
NAMED = 5  # series or features that are named in a sentence


def some_of(names: Sequence[Any]) -> str:
    """Name the first few, and count the others.

    Examples
    --------
    >>> some_of("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(str, names[:NAMED])) + more


@dataclass(frozen=True)
class Novelty:
    """What the test part is compared with.

    Attributes
    ----------
    known : mapping
        What :func:`seqkit.data.novelty.seen` says of the training part.
    values : ndarray of shape (n_rows, n_features)
    lengths : sequence of int
        Steps of each series of the test part.
    names : sequence of str
        Of the features.
    """

    known: Mapping[str, Any]
    values: Floats
    lengths: Sequence[int]
    names: Sequence[str]


@dataclass(frozen=True)
class ClassProbabilities:
    """What a classifier said of series that it was not trained on.

    Attributes
    ----------
    truth : ndarray of int of shape (n_series,)
        Column of the true class.
    probabilities : ndarray of shape (n_series, n_classes)
    """

    truth: npt.NDArray[np.int64]
    probabilities: Floats


@dataclass(frozen=True)
class WindowErrors:
    """Forecasts of rolling origins beside the truth; of labelled series one window of one step.

    Attributes
    ----------
    ids : sequence
        Names of the series.
    errors : ndarray of shape (n_series, n_windows, horizon, n_targets)
        Truth less prediction; NaN where either is unknown.
    held : ndarray of bool of the same shape, or None
        Whether the truth lies in the interval.
    level : float
        Share that the interval should hold.
    step : int
        Steps from one window to the next.
    season : int
        Steps in a season.
    scale : ndarray of shape (n_series,) or None
        Mean absolute error of the naive forecast of each series, where sizes differ.
    """

    ids: Sequence[Any]
    errors: Floats
    held: npt.NDArray[np.bool_] | None = None
    level: float = 0.8
    step: int = 1
    season: int = 1
    scale: Floats | None = None

    @property
    def horizon(self) -> int:
        """Steps of a forecast."""
        return int(self.errors.shape[2])

    @property
    def apart(self) -> Floats:
        """The errors of the windows that do not overlap, the last one among them."""
        every = -(-self.horizon // self.step)
        return self.errors[:, ::-1][:, ::every][:, ::-1]


@dataclass(frozen=True)
class GateShares:
    """How a gate of a recurrent layer stands, over units, steps and series.

    Attributes
    ----------
    layer, direction, gate : str
    below, above : float
        Share of its activations below .1, and above .9.
    network : int
        Of an ensemble, from 1.
    """

    layer: str
    direction: str
    gate: str
    below: float
    above: float
    network: int = 1


@dataclass(frozen=True)
class PartScore:
    """What a model scores in a part by the metric that decides.

    Attributes
    ----------
    metric : str
        A row of :data:`seqkit.evaluation.metrics.METRICS`.
    value, spread : float
        The score, and its standard error.
    n : int
        Series, or whatever else it is made of that errs by itself.
    """

    metric: str
    value: float
    spread: float
    n: int

    @classmethod
    def of(cls, metric: str, score: Score, block: int = 1) -> PartScore:
        """Return that of a score that can be drawn again: the spread is that of a bootstrap."""
        n = len(score.columns)
        draws = [score(weights) for weights in drawn_weights(n, DRAWS, block=block)]
        return cls(metric, score.of_all(), float(np.nanstd(np.concatenate(draws))), n // block)


@dataclass(frozen=True)
class Evidence:
    """All that checks look at; what is None is not known, and what needs it is not checked.

    Attributes
    ----------
    task : str
    settings : mapping
        The recipe, every setting filled.
    parts : tuple of SeriesPart, optional
        The training part, or all series where parts are cut from their ends, comes first.
    continuous : bool
        Whether the values are measured numbers; not tokens, or notes that are there or not.
    targets : sequence of ndarray of shape (n_timesteps, n_targets), optional
        The training part of series to forecast.
    gaps : mapping of str to int, optional
        Time stamps that are absent from each series.
    novelty : Novelty, optional
    scores : mapping, optional
        The content of ``metrics.json``.
    history : mapping of str to sequence of float, optional
        Curves of the training that was watched, a value an epoch; of an ensemble, the first
        network's.
    best_epoch : int
        Whose weights were kept, counted from 0; -1 = of the last.
    others : tuple of (mapping, int)
        Both of every other network.
    epochs : int
        As many as were allowed.
    loss : str
        What was minimised.
    probabilities : ClassProbabilities, optional
    windows : WindowErrors, optional
    held_scores : mapping of str to PartScore, optional
        Of the test and the validation part.
    gates : sequence of GateShares, optional
    """

    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[SeriesPart, ...] | None = None
    continuous: bool = True
    targets: Sequence[Floats] | None = None
    gaps: Mapping[str, int] | None = None
    novelty: Novelty | None = None
    scores: Mapping[str, Any] | None = None
    history: Mapping[str, Sequence[float]] | None = None
    best_epoch: int = -1
    others: tuple[tuple[Mapping[str, Sequence[float]], int], ...] = ()
    epochs: int = 0
    loss: str = ""
    probabilities: ClassProbabilities | None = None
    windows: WindowErrors | None = None
    held_scores: Mapping[str, PartScore] | None = None
    gates: Sequence[GateShares] | None = None

    def setting(self, path: str, default: Any = None) -> Any:
        """Return a setting by its dotted path."""
        value: Any = self.settings
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value

    def networks(self) -> list[Evidence]:
        """Return the evidence of each network, as if it were the only one."""
        alone = replace(self, others=())
        return [alone, *(replace(alone, history=h, best_epoch=best) for h, best in self.others)]

    @property
    def train(self) -> SeriesPart:
        """The part that is learned from."""
        assert self.parts is not None
        return self.parts[0]

    @property
    def held_out(self) -> tuple[SeriesPart, ...]:
        """The parts that are to judge it."""
        return () if self.parts is None else self.parts[1:]

    @cached_property
    def columns(self) -> list[ColumnFacts]:
        """Facts of every feature of the training part."""
        return column_facts(self.train, each=self.task == "forecasting")

    @property
    def verdict(self) -> Mapping[str, Any] | None:
        """Whether the model beats its baselines, where that is known."""
        return (self.scores or {}).get("verdict")


@dataclass(frozen=True)
class Found:
    """What a check has found.

    Attributes
    ----------
    sentence : str
        For people: what there is, with numbers.
    numbers : mapping
        The evidence in JSON's types.
    mend : str
        In place of the row's, where the recipe line depends on what was found.
    weight : float
        How bad it is, beside the same of other networks.
    """

    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    mend: str = ""
    weight: float = 0.0


def worst_network(found: Sequence[Found | None]) -> Found | None:
    """Return what is worst of what was found in each network, and say in which.

    Examples
    --------
    >>> worst_network([None, Found("It leaps.", weight=1), Found("It falls.", weight=2)]).sentence
    'It falls. That is network 3 of 3, the worst of 2 with this finding.'
    >>> worst_network([Found("It leaps.")]).sentence
    'It leaps.'
    """
    there = [(one.weight, -k, one) for k, one in enumerate(found) if one is not None]
    if not there:
        return None
    _, place, worst = max(there, key=lambda item: item[:2])
    if len(found) == 1:
        return worst
    said = f"{worst.sentence} That is network {1 - place} of {len(found)}, "
    said += "the only one" if len(there) == 1 else f"the worst of {len(there)}"
    numbers = {
        **worst.numbers,
        "network": 1 - place,
        "networks": sorted(1 - k for _, k, _ in there),
    }
    return replace(worst, sentence=f"{said} with this finding.", numbers=numbers)


@dataclass(frozen=True)
class Finding:
    """One row of :data:`~seqkit.evaluation.findings.FINDINGS`.

    Attributes
    ----------
    code : str
        ``SQ`` and three digits: 0 scores, 1 data, 2 training, 3 predictions and network.
    title : str
    severity : str
        One of :data:`SEVERITIES`.
    needs : tuple of str
        Fields of :class:`Evidence` that must be known; those of data need no model.
    check : callable
        ``Evidence -> Found or None``.
    mend : str
        What to write into the recipe, or to do with the data.
    meaning : str
        What it means, for the docs.
    threshold : str
        When it is found, and why there.
    ignore : str
        When it is nothing to mind.
    told : bool
        Whether the verdict says it, so that people are not told twice.
    """

    code: str
    title: str
    severity: str
    needs: tuple[str, ...]
    check: Callable[[Evidence], Found | None]
    mend: str
    meaning: str
    threshold: str
    ignore: str
    told: bool = False

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"finding {self.code}: severity must be one of {SEVERITIES}")

    @property
    def docs(self) -> str:
        """Where it is explained."""
        return f"docs/findings.md#{self.code.lower()}"

    @property
    def of_data(self) -> bool:
        """Whether it needs no model."""
        return {*self.needs} <= {"parts", "targets", "gaps", "novelty"}
