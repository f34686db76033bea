"""Runs that learn the numbers of the next step: their scores, predictions and series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.network.mixtures import Mixture
from seqkit.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

    from seqkit.evaluation.metrics import Predictions

__all__ = ["number_steps_frame", "number_steps_predicted", "scored_by_numbers"]

NOTE = (
    "the numbers of the next step are learned, as a mixture of normal distributions: scores are "
    "{metrics}, beside {baselines}"
)


def scored_by_numbers(recipe: Any) -> tuple[Any, list[str]]:
    """Return a recipe whose default scores and baselines are those of numbers, and a note.

    What a recipe says are other scores than the default ones stays.
    """
    row, evaluate = TASKS[recipe.task], {}
    if recipe.evaluate.metrics == list(row.default_metrics):
        evaluate["metrics"] = list(row.next_metrics)
    if recipe.evaluate.baselines == list(row.default_baselines):
        evaluate["baselines"] = list(row.next_baselines)
    changed = recipe.evaluate.model_copy(update=evaluate)
    named = {name: ", ".join(getattr(changed, name)) for name in ("metrics", "baselines")}
    notes = [NOTE.format(**named)] if evaluate else []
    return recipe.model_copy(update={"evaluate": changed}), notes


def number_steps_predicted(estimator: Any, X: Any) -> Predictions:
    """Return the mean and the mixture of the numbers after every step, a list a series."""
    from seqkit.evaluation.metrics import Predictions

    mixtures = list(_each(estimator.predict_mixture(X)))
    return Predictions(
        values=[one.mean() for one in mixtures], probabilities=[one.packed() for one in mixtures]
    )


def _each(found: Any) -> Any:
    return found if isinstance(found, list) else (found[k] for k in range(len(found.weights)))


def number_steps_frame(part: Any, prediction: Predictions) -> pd.DataFrame:
    """Return a row for each step: its series, its number from 0, and the next numbers.

    Of each feature ``true_``, ``predicted_`` (the mean) and ``spread_`` (the standard deviation)
    with its name; ``nll`` is the negative log-likelihood of the truth.
    """
    import pandas as pd

    lengths, mixture = part.lengths, Mixture.of(np.concatenate(prediction.probabilities))
    columns: dict[str, Any] = {
        "series": np.repeat(part.ids, lengths),
        "step": np.arange(lengths.sum()) - np.repeat(part.offsets[:-1], lengths),
    }
    means, spreads = np.concatenate(prediction.values), mixture.std()
    for k, name in enumerate(part.features):
        if part.labels is not None:
            columns[f"true_{name}"] = part.labels[:, k]
        columns[f"predicted_{name}"] = means[:, k]
        columns[f"spread_{name}"] = spreads[:, k]
    if part.labels is not None:
        columns["nll"] = -mixture.log_density(part.labels)
    return pd.DataFrame(columns)
