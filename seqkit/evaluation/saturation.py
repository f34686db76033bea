"""How often the gates of a fitted network are shut or wide open: the one place that counts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.estimators.inspection import Inspected, inspected
from seqkit.evaluation.findings.evidence import GateShares
from seqkit.network.recurrences import recurrences

__all__ = ["gate_shares", "saturation"]

LOW, HIGH = 0.1, 0.9
"""A gate below or above these is saturated (Karpathy, Johnson and Li 2016, section 4.2)."""
AT_ONCE = 64  # series whose gates are in memory
MOST_SERIES, MOST_STEPS = 64, 200_000  # series, or windows, and steps of all of them, for findings
LONGEST = 2000  # steps of a series that findings look at


def saturation(found: Inspected) -> list[dict[str, Any]]:
    """Return how often each gate is shut or wide open, over all steps of all series.

    Returns
    -------
    list of dict
        With ``layer``, ``direction``, ``gate``, and ``below`` and ``above``, each of shape
        (units,): the share of steps at which a unit's gate is below .1 and above .9.
    """
    totals: dict[tuple[int, str, str], list[Any]] = {}
    native = found.native()
    for first in range(0, len(found), AT_ONCE):
        part = found.take(np.arange(first, min(first + AT_ONCE, len(found))))
        for one in recurrences(native, part.inputs):
            for gate, values in one.gate_values().items():
                values = values.reshape(-1, one.units)
                values = values[~np.isnan(values[:, 0])]
                sums = totals.setdefault((one.layer, one.direction, gate), [0, 0, 0])
                sums[0] += len(values)
                sums[1] = sums[1] + (values < LOW).sum(axis=0)
                sums[2] = sums[2] + (values > HIGH).sum(axis=0)
    return [
        {"layer": layer, "direction": direction, "gate": gate, "below": below / n,
         "above": above / n}
        for (layer, direction, gate), (n, below, above) in totals.items()
    ]  # fmt: skip


def gate_shares(estimator: Any, X: Any) -> list[GateShares]:
    """Return how often the gates of every network are below .1 and above .9, over some series.

    Parameters
    ----------
    estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
        Fitted.
    X : object
        Series as it takes them; some of them are looked at, from the first to the last.

    Returns
    -------
    list of GateShares
        A row a network, layer, direction and gate; empty of cells without gates.
    """
    found = []
    for number, one in enumerate(_networks(estimator, X), 1):
        rows = saturation(one)
        both = {row["layer"] for row in rows if row["direction"] == "backward"}
        for row in rows:
            alone = row["direction"] == "forward" and row["layer"] not in both
            found.append(
                GateShares(
                    f"recurrent_{row['layer']}", "" if alone else row["direction"], row["gate"],
                    float(row["below"].mean()), float(row["above"].mean()), number,
                )
            )  # fmt: skip
    return found


def _networks(estimator: Any, X: Any) -> Iterator[Inspected]:
    """Yield every network with some of the series, or windows, as it takes them."""
    windows, weights = estimator._task == "forecasting", estimator._member_weights()
    first = None
    for number, own in enumerate(weights):
        if first is None or windows:
            first = inspected(estimator, X, member=number, many=True)
            if estimator._task == "tagging":  # of which texts may be very long
                first = first.until(LONGEST)
            n_steps = first.values.shape[1] * len(weights)
            most = int(np.clip(MOST_STEPS // max(n_steps, 1), 1, MOST_SERIES))
            first = first.take(np.linspace(0, len(first) - 1, min(len(first), most)).astype(int))
            yield first
        else:  # what is read is the same
            members = estimator._build("lengths" in _named(first.inputs)).members
            yield replace(first, network=members[number].network, weights=own)


def _named(inputs: Any) -> Any:
    return inputs if isinstance(inputs, dict) else ()
