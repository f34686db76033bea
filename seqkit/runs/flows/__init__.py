"""The flows of data through a run: labelled series, labelled steps, and forecasting.

A flow loads the parts, fits the estimator, and scores it beside the baselines; :data:`FLOWS`
says which flow a kind of target takes. :mod:`seqkit.runs.experiment` runs either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqkit.runs.flows.base import Assessment, Flow, Parts
from seqkit.runs.flows.forecast import ForecastFlow
from seqkit.runs.flows.series import SeriesFlow
from seqkit.runs.flows.steps import StepsFlow
from seqkit.tasks import TASKS

if TYPE_CHECKING:
    from seqkit.recipe.reading import Resolved

__all__ = ["FLOWS", "Assessment", "Flow", "Parts", "check_data", "flow_of"]

FLOWS: dict[str, type[Flow]] = {
    "label": SeriesFlow,
    "number": SeriesFlow,
    "labels": StepsFlow,
    "series": ForecastFlow,
}


def flow_of(resolved: Resolved) -> Any:
    """Return the flow of a recipe's task."""
    return FLOWS[TASKS[resolved.recipe.task].target](resolved)


def check_data(resolved: Resolved) -> dict[str, Any]:
    """Read the data of a recipe, check all that a fit would, and say what there is."""
    flow = flow_of(resolved)
    parts = flow.load()
    flow.check(parts)
    said = {"said": parts.notes, "notes": parts.unlike}
    return {**flow.describe(parts), **{name: notes for name, notes in said.items() if notes}}
