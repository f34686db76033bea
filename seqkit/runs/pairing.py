"""Predictions of several runs, paired: the same series, the same origin, the same step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqkit.errors import RunError
from seqkit.evaluation.forecast_errors import ForecastCase, Undefined
from seqkit.evaluation.metrics import Predictions
from seqkit.evaluation.resampling import Cases, Score, forecast_sums, score_sums
from seqkit.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BY_STEP", "Paired", "Units", "paired", "unit_names", "units_of"]

Ints = npt.NDArray[np.int64]
KEYS = {
    "label": ("series",),
    "number": ("series",),
    "labels": ("series", "step"),
    "series": ("series", "row", "step", "target"),
}
"""What names a prediction, by the target of its task."""
BY_STEP = ("nll", "log_loss")
"""What says more of one series than its label being right does."""
ENOUGH_SERIES = 10  # fewer are not drawn themselves where there is something finer to draw
STRETCHES = 100  # that few long series of steps are cut into
SHORTEST = 20  # steps of such a stretch


@dataclass(frozen=True)
class Units:
    """What the bootstrap draws.

    Attributes
    ----------
    what : str
        Name of several of them.
    of_case : ndarray of int of shape (n_cases,)
        From 0 on.
    n : int
    block : int
        Neighbours that are drawn together.
    """

    what: str
    of_case: Ints
    n: int
    block: int = 1


@dataclass(frozen=True)
class Paired:
    """Predictions of several runs, a row each of what all share.

    Attributes
    ----------
    task : str
    frames : dict of str to DataFrame
        By the letter of the run, rows in the same order.
    keys : DataFrame
        What names the rows.
    lengths : dict of str to int
        Rows that each run has by itself.
    """

    task: str
    frames: dict[str, pd.DataFrame]
    keys: pd.DataFrame
    lengths: dict[str, int]

    @cached_property
    def of_series(self) -> Ints:
        """The series of every row, from 0 on."""
        codes: Ints = _codes(self.keys["series"])
        return codes

    @property
    def n_series(self) -> int:
        """How many series there are."""
        return int(self.of_series.max()) + 1

    def score(self, name: str, letter: str, units: Units) -> Score | str:
        """Return a metric of a run as a function of weights; or why there is none."""
        frame = self.frames[letter]
        try:
            if TASKS[self.task].target == "series":
                pairs = _codes(self.keys["series"] + "\0" + self.keys["target"].astype(str))
                return forecast_sums(name, _forecast_case(frame), units.of_case, pairs)
            if name == "segment_f1" and units.what == "stretches":
                raise Undefined("runs of a label are cut where series are")
            return score_sums(name, _cases(frame, units.of_case, TASKS[self.task].target))
        except Undefined as reason:
            return str(reason)


def _codes(names: Any) -> Ints:
    import pandas as pd

    codes: Ints = pd.factorize(names)[0].astype(np.int64)
    return codes


def paired(task: str, frames: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> Paired:
    """Pair predictions by what names them.

    Parameters
    ----------
    task : str
    frames : mapping of str to DataFrame
        Predictions as runs keep them, by the letter of the run.
    names : mapping of str to str
        The folder of each, for errors.

    Raises
    ------
    RunError
        If runs share nothing, or the truth of what they share is not the same.
    """
    import pandas as pd

    target = TASKS[task].target
    keys = KEYS[target]
    indexes = {}
    for letter, frame in frames.items():
        lost = [name for name in keys if name not in frame]
        if lost or not any(str(name).startswith("true") for name in frame):
            missing = ", ".join(lost) or "the truth"
            raise RunError(f"{names[letter]}: predictions.parquet has no {missing}; fit again.")
        columns = [frame[k].astype(str) if k in ("series", "target") else frame[k] for k in keys]
        index = pd.MultiIndex.from_arrays(columns, names=keys)
        if index.has_duplicates:
            twice = index[index.duplicated()][0]
            raise RunError(f"{names[letter]}: predictions.parquet has two rows of {twice}.")
        indexes[letter] = index
    first, *others = indexes
    shared = indexes[first]
    for letter in others:
        shared = shared[shared.isin(indexes[letter])]
    if not len(shared):
        raise RunError(
            f"compare: {', '.join(names.values())} were asked about no common test series. Compare "
            "runs with the same test part."
        )
    rows = {k: frames[k].iloc[index.get_indexer(shared)] for k, index in indexes.items()}
    for letter in others:
        _check_truth(rows[first], rows[letter], shared, (names[first], names[letter]))
    lengths = {letter: len(frame) for letter, frame in frames.items()}
    order = np.argsort(_codes(shared.get_level_values("series")), kind="stable")
    kept = {k: frame.iloc[order].reset_index(drop=True) for k, frame in rows.items()}
    return Paired(task, kept, shared.to_frame(index=False).iloc[order].reset_index(drop=True),
                  lengths)  # fmt: skip


def _check_truth(
    one: pd.DataFrame, other: pd.DataFrame, shared: pd.MultiIndex, names: tuple[str, str]
) -> None:
    truths = [[name for name in frame if str(name).startswith("true")] for frame in (one, other)]
    truths = [[name for name in some if name != "true_probability"] for some in truths]
    if truths[0] != truths[1]:
        raise RunError(f"compare: {names[0]} learned {truths[0]}, {names[1]} {truths[1]}.")
    for name in truths[0]:
        a, b = one[name].to_numpy(), other[name].to_numpy()
        if all(np.issubdtype(values.dtype, np.number) for values in (a, b)):
            same = np.isclose(a.astype(float), b.astype(float), rtol=1e-6, equal_nan=True)
        else:
            same = a.astype(str) == b.astype(str)
        if not same.all():
            where = shared[int(np.argmin(same))]
            raise RunError(
                f"compare: the truth of {names[0]} and {names[1]} differs in "
                f"{int((~same).sum())} of {len(same)} rows they share, first in {where}: they were "
                "not scored on the same test part."
            )


def units_of(pairs: Paired) -> Units:
    """Return what is drawn: series; where they are few, forecast origins or stretches of steps."""
    target, n_series = TASKS[pairs.task].target, pairs.n_series
    if target == "series":
        keys = pairs.keys
        origins = (keys["row"] - keys["step"]).to_numpy(np.int64)
        # series end together: their windows are counted from the end
        last = np.full(n_series, -1)
        np.maximum.at(last, pairs.of_series, origins)
        back, of_case = np.unique(origins - last[pairs.of_series], return_inverse=True)
        if n_series >= ENOUGH_SERIES or n_series >= len(back):
            return Units("series", pairs.of_series, n_series)
        apart = int(np.diff(back).min()) if len(back) > 1 else 1
        block = -(-int(keys["step"].max()) // apart)
        return Units("windows", of_case.reshape(-1).astype(np.int64), len(back), max(block, 1))
    if target == "labels" and n_series < ENOUGH_SERIES:
        steps = pairs.keys["step"].to_numpy(np.int64)
        long = max(len(steps) // STRETCHES, SHORTEST)
        _, of_case = np.unique(
            np.stack([pairs.of_series, steps // long]), axis=1, return_inverse=True
        )
        of_case = of_case.reshape(-1).astype(np.int64)
        if of_case.max() + 1 > n_series:
            return Units("stretches", of_case, int(of_case.max()) + 1)
    return Units("series", pairs.of_series, n_series)


def unit_names(pairs: Paired, units: Units) -> list[str]:
    """Return what people call each unit."""
    begins = np.unique(units.of_case, return_index=True)[1]
    rows = pairs.keys.iloc[begins]
    if units.what == "series":
        return [str(name) for name in rows["series"]]
    if units.what == "windows":
        if pairs.n_series > 1:
            return [f"window {number} of {units.n}" for number in range(1, units.n + 1)]
        origins = zip(rows["row"], rows["step"], strict=True)
        return [f"window from row {row - step + 1}" for row, step in origins]
    begun = zip(rows["series"], rows["step"], strict=True)
    return [f"{name} from step {step}" for name, step in begun]


def _cases(frame: pd.DataFrame, units: Ints, target: str) -> Cases:
    """Return truth and predictions of labelled series or steps."""
    if target == "number" or "nll" in frame:
        return _number_cases(frame, units)
    true = frame["true"].to_numpy().astype(str)
    labels = frame["predicted"].to_numpy().astype(str)
    sure = [name for name in frame if str(name).startswith("p_")]
    surprise = None
    if "true_probability" in frame:
        with np.errstate(divide="ignore"):
            surprise = -np.log(frame["true_probability"].to_numpy(np.float64))
    return Cases(
        true,
        Predictions(labels=labels, probabilities=frame[sure].to_numpy() if sure else None),
        units,
        np.array([str(name).removeprefix("p_") for name in sure]),
        surprise,
    )


def _number_cases(frame: pd.DataFrame, units: Ints) -> Cases:
    names = [str(name) for name in frame]
    ends = [name.removeprefix("true") for name in names if name.startswith("true")]
    blocks = []
    levels: tuple[float, ...] = ()
    for end in ends:
        made = f"predicted{end}"
        at = {float(n.rpartition("_q")[2]): n for n in names if n.startswith(f"{made}_q")}
        if not at:  # the ends of a conformal interval are its quantiles
            for low in (name for name in names if name.startswith(f"{made}_low")):
                share = low.rpartition("_low")[2]
                level = float(share) / 100
                at = {(1 - level) / 2: low, (1 + level) / 2: f"{made}_high{share}"}
        levels = tuple(at)
        blocks.append(frame[list(at.values())].to_numpy(np.float64))
    several = len(ends) > 1
    values = frame[[f"predicted{end}" for end in ends]].to_numpy(np.float64)
    quantiles = np.stack(blocks, axis=1) if levels else None
    prediction = Predictions(
        values=values if several else values[:, 0],
        quantiles=quantiles if quantiles is None or several else quantiles[:, 0],
        levels=levels,
    )
    true = frame[[f"true{end}" for end in ends]].to_numpy(np.float64)
    surprise = frame["nll"].to_numpy(np.float64) if "nll" in frame else None
    return Cases(true if several else true[:, 0], prediction, units, surprise=surprise)


def _forecast_case(frame: pd.DataFrame) -> ForecastCase:
    """Return forecasts with one value a row."""

    def column(name: str) -> Any:
        return frame[name].to_numpy(np.float64).reshape(-1, 1, 1, 1) if name in frame else None

    levels = {float(n[1:]): n for n in map(str, frame) if n[:1] == "q" and n[1:2].isdigit()}
    quantiles = None
    if levels:
        quantiles = frame[list(levels.values())].to_numpy(np.float64)
        quantiles = quantiles.reshape(-1, 1, 1, 1, len(levels))
    return ForecastCase(
        column("true"), column("forecast"), quantiles, tuple(levels),
        absolute_scale=column("naive_mae"), squared_scale=column("naive_mse"),
        naive2=column("naive2"),
    )  # fmt: skip
