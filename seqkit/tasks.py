"""The tasks a sequence model can learn, as a table of plain data.

A row says what the network's head gives, which loss it learns from, and what it is judged by.
Everything that depends on the task reads :data:`TASKS`; nothing branches on a task's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["TASKS", "Task", "has_statsforecast"]


def has_statsforecast() -> bool:
    """Tell whether the statistical forecasts of statsforecast can be had; imports nothing."""
    return find_spec("statsforecast") is not None


@dataclass(frozen=True)
class Task:
    """One row of :data:`TASKS`.

    Attributes
    ----------
    name : str
        As in a recipe's ``task``.
    estimator : str
        Class that fits it, as ``module:name``.
    summary : str
        What is learned, for ``seqkit list tasks``.
    target : {"label", "number", "labels", "series"}
        What one series is mapped to: a class, a number (or several), a class (or the next numbers)
        for each of its steps, or its own future.
    loss : str
        What ``loss: auto`` means.
    losses : tuple of str
        Allowed values of ``loss`` besides ``auto``.
    metrics : tuple of str
        All metrics that apply.
    default_metrics : tuple of str
        The ones shown when a recipe names none; the first decides a comparison.
    baselines : tuple of str
        What the model is always shown beside.
    fitted_baselines : tuple of str
        What it is shown beside where statsforecast is installed: a model of its own a history.
    next_metrics, next_baselines : tuple of str
        What is shown in place of the default ones where the numbers of the next step are learned.
    trained_output : str or None
        Layer whose output the loss sees; ``None`` means the model's own output.
    interval_metrics : tuple of str
        What quantiles and intervals are judged by, beside the others.
    more_baselines : tuple of str
        Baselines that are shown where a recipe names them.
    """

    name: str
    estimator: str
    summary: str
    target: str
    loss: str
    losses: tuple[str, ...]
    metrics: tuple[str, ...]
    default_metrics: tuple[str, ...]
    baselines: tuple[str, ...]
    trained_output: str | None = None
    fitted_baselines: tuple[str, ...] = ()
    more_baselines: tuple[str, ...] = ()
    interval_metrics: tuple[str, ...] = ()
    next_metrics: tuple[str, ...] = ()
    next_baselines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = {*self.default_metrics, *self.next_metrics} - set(self.metrics)
        if unknown:
            raise ValueError(f"task {self.name!r}: default metrics {unknown} are not its metrics")
        if self.loss not in self.losses:
            raise ValueError(f"task {self.name!r}: loss {self.loss!r} is not one of its losses")

    @property
    def all_baselines(self) -> tuple[str, ...]:
        """All that a recipe may name."""
        return (
            *self.baselines, *self.next_baselines, *self.fitted_baselines, *self.more_baselines
        )  # fmt: skip

    @property
    def default_baselines(self) -> tuple[str, ...]:
        """What the model is shown beside when a recipe names none, with what is installed here."""
        return (*self.baselines, *(self.fitted_baselines if has_statsforecast() else ()))


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="classification",
            estimator="seqkit.estimators.classifier:SequenceClassifier",
            summary="one class for a whole series",
            target="label",
            loss="crossentropy",
            losses=("crossentropy", "focal"),
            metrics=(
                "accuracy",
                "balanced_accuracy",
                "f1_macro",
                "f1_micro",
                "f1_weighted",
                "precision_macro",
                "recall_macro",
                "matthews",
                "log_loss",
                "roc_auc",
            ),
            default_metrics=("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"),
            baselines=("majority", "nearest_neighbour"),
            trained_output="logits",
        ),
        Task(
            name="regression",
            estimator="seqkit.estimators.regressor:SequenceRegressor",
            summary="one number, or several, for a whole series",
            target="number",
            loss="mse",
            losses=("mse", "mae", "huber", "pinball"),
            metrics=(
                "mae",
                "rmse",
                "mse",
                "median_absolute_error",
                "r2",
                "pinball",
                "coverage",
                "interval_width",
                "interval_score",
            ),
            default_metrics=("mae", "rmse", "r2"),
            interval_metrics=("pinball", "coverage", "interval_width", "interval_score"),
            baselines=("mean", "nearest_neighbour"),
            trained_output="standardized",
        ),
        Task(
            name="tagging",
            estimator="seqkit.estimators.tagger:SequenceTagger",
            summary="a label for every time step, or the next token or numbers",
            target="labels",
            loss="crossentropy",
            losses=("crossentropy", "focal"),
            metrics=(
                "accuracy",
                "balanced_accuracy",
                "f1_macro",
                "f1_micro",
                "f1_weighted",
                "precision_macro",
                "recall_macro",
                "matthews",
                "segment_f1",
                "nll",
                "bits",
                "rmse",
                "mae",
            ),
            default_metrics=("accuracy", "f1_macro", "segment_f1", "nll", "bits"),
            baselines=("majority", "token_majority"),
            next_metrics=("nll", "rmse", "mae"),
            next_baselines=("random_walk", "normal"),
            trained_output="logits",
        ),
        Task(
            name="forecasting",
            estimator="seqkit.estimators.forecaster:SequenceForecaster",
            summary="the next steps of one series or of many",
            target="series",
            loss="mae",
            losses=("mae", "mse", "huber", "pinball", "nll"),
            metrics=(
                "mae",
                "rmse",
                "mse",
                "mape",
                "smape",
                "mase",
                "rmsse",
                "owa",
                "weighted_quantile_loss",
                "crps",
                "coverage",
                "interval_width",
            ),
            default_metrics=("mae", "rmse", "smape", "mase", "rmsse"),
            baselines=("naive", "seasonal_naive", "drift"),
            fitted_baselines=("auto_ets", "auto_theta"),
            more_baselines=("naive2",),
            interval_metrics=("weighted_quantile_loss", "coverage", "interval_width"),
        ),
    )
}
