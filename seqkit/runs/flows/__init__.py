"""The flows of data through a run: labelled series, labelled steps, and forecasting.

A flow loads the parts, fits the estimator, and scores it beside the baselines; :data:`FLOWS`
says which flow a kind of target takes. :mod:`seqkit.runs.experiment` runs either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seqkit.estimators.saving import estimator_class
from seqkit.recipe.completion import with_chosen, with_sizes
from seqkit.runs.flows.base import Assessment, Flow, Parts
from seqkit.runs.flows.forecast import ForecastFlow
from seqkit.runs.flows.series import SeriesFlow
from seqkit.runs.flows.steps import StepsFlow
from seqkit.tasks import TASKS

if TYPE_CHECKING:
    from seqkit.recipe.reading import Resolved

__all__ = [
    "FLOWS",
    "Assessment",
    "Flow",
    "Parts",
    "begun",
    "check_data",
    "checked_parts",
    "flow_of",
]

FLOWS: dict[str, type[Flow]] = {
    "label": SeriesFlow,
    "number": SeriesFlow,
    "labels": StepsFlow,
    "series": ForecastFlow,
}


def flow_of(resolved: Resolved) -> Any:
    """Return the flow of a recipe's task."""
    return FLOWS[TASKS[resolved.recipe.task].target](resolved)


def begun(resolved: Resolved) -> tuple[Resolved, dict[str, str] | None]:
    """Return a recipe whose network is, where it is auto, that of its start; and what that is."""
    recipe: Any = resolved.recipe
    if recipe.train.start is None:
        return resolved, None
    estimator: Any = estimator_class(recipe.task)(**recipe.parameters())
    start = estimator._read_start()
    settled = estimator._settled(start)
    recipe = with_chosen(recipe, settled)
    sizes = {k: v for k, v in settled.items() if k in ("context_length", "horizon", "season")}
    recipe = with_sizes(recipe, sizes) if sizes else recipe
    if recipe.task == "forecasting" and recipe.model.patch is None:
        model = recipe.model.model_copy(update={"patch": settled["patch"]})
        recipe = recipe.model_copy(update={"model": model})
    return replace(resolved, recipe=recipe), {"path": recipe.train.start, "weights": start.digest}


def check_data(resolved: Resolved) -> dict[str, Any]:
    """Read the data of a recipe, check all that a fit would, and say what there is."""
    return checked_parts(resolved)[2]


def checked_parts(resolved: Resolved) -> tuple[Any, Parts, dict[str, Any]]:
    """Read and check the data as :func:`check_data` does; return flow and parts as well."""
    flow = flow_of(begun(resolved)[0])
    parts = flow.load()
    flow.check(parts)
    said = {"said": parts.notes, "notes": parts.unlike}
    sizes = {**flow.describe(parts), **{name: notes for name, notes in said.items() if notes}}
    return flow, parts, sizes
