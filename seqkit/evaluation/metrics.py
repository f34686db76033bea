"""What a model is measured by: one row a metric, with where its definition comes from.

Metrics of labels, probabilities and numbers are scikit-learn's own functions. Errors of forecasts,
which scikit-learn does not have, are in :mod:`seqkit.evaluation.forecast_errors`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.errors import explain, suggest
from seqkit.evaluation import interval_scores
from seqkit.evaluation.forecast_errors import Undefined
from seqkit.network.mixtures import Mixture

__all__ = [
    "METRICS",
    "Metric",
    "Predictions",
    "Undefined",
    "confusion_table",
    "find_metrics",
    "metric_value",
    "run_counts",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """What a model, or a baseline, predicted. Only the parts it gives are set.

    Attributes
    ----------
    labels : array of shape (n_series,), or for tagging a list of arrays
        Of several labels a series 0 and 1 of shape ``(n_series, n_labels)``: accuracy is then the
        share of series whose labels are all right; balanced accuracy, Matthews correlation, log
        loss and ROC AUC are the mean over labels.
    probabilities : array of shape (n_series, n_classes), or for tagging a list of arrays
        Of the numbers of next steps mixtures of normal distributions, ``(n_steps, n_components, 1 +
        2 n_features)``: weight, means, scales of each component.
    values : array
        Numbers: ``(n_series,)`` or ``(n_series, n_targets)`` of a regression, of next steps a list
        of ``(n_steps, n_features)``; point forecasts as
        ``(n_series, horizon)``, ``(n_series, n_windows, horizon)`` or ``(n_series, n_windows,
        horizon, n_targets)``.
    quantiles : array of the shape of ``values`` and one axis of ``levels`` at the end
    levels : tuple of float
    samples : array of the shape of ``values`` and one axis at the end
    """

    labels: Any = None
    probabilities: Any = None
    values: Any = None
    quantiles: Any = None
    levels: tuple[float, ...] = ()
    samples: Any = None


@dataclass(frozen=True)
class Metric:
    """One row of :data:`METRICS`.

    Attributes
    ----------
    name : str
    title : str
        As a table or a plot shows it.
    tasks : tuple of str
    function : callable or None
        ``function(y_true, prediction, *, classes, sample_weight) -> float`` for labels,
        probabilities and values, with ``levels`` in place of ``classes`` for quantiles;
        ``None`` where the metric is of forecasts only.
    greater_is_better : bool or None
        ``None`` where neither is: coverage should be the interval's nominal one, and only an
        interval that has it should be narrow.
    needs : {"labels", "segments", "probabilities", "values", "history", "quantiles", "naive2"}
        Which part of the prediction it reads, or what it needs besides a forecast; segments are
        the labels of each series by itself.
    source : str
        Where the definition comes from.
    unit : str
        ``"%"``, ``"y"`` (that of the target) or nothing.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    function: Callable[..., float] | None
    greater_is_better: bool | None
    needs: str
    source: str
    unit: str = ""


def _scikit(name: str) -> Callable[..., Any]:
    """Return a metric of scikit-learn, imported only now: forecasts need none of them."""
    from sklearn import metrics

    metric: Callable[..., Any] = getattr(metrics, name)
    return metric


def _of_labels(name: str, **fixed: Any) -> Callable[..., float]:
    def score(y_true: Array, labels: Array, *, classes: Any, sample_weight: Any) -> float:
        with warnings.catch_warnings():
            # A predicted class that the part does not hold is counted as a plain error.
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            return float(_scikit(name)(y_true, labels, sample_weight=sample_weight, **fixed))

    return score


def _of_each_label(name: str) -> Callable[..., float]:
    """Return a metric of classes that is the mean over labels where a series has several."""
    score_one = _of_labels(name)

    def score(y_true: Array, labels: Array, **given: Any) -> float:
        if np.ndim(y_true) == 1:
            return score_one(y_true, labels, **given)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A single label was found")
            each = zip(y_true.T, labels.T, strict=True)
            return float(np.mean([score_one(one, other, **given) for one, other in each]))

    return score


def _of_values(name: str) -> Callable[..., float]:
    def score(y_true: Array, values: Array, *, classes: Any, sample_weight: Any) -> float:
        if name == "r2_score" and len(y_true) < 2:
            raise Undefined("R2 needs at least two series")
        return float(_scikit(name)(y_true, values, sample_weight=sample_weight))

    return score


def _known_classes(y_true: Array, classes: Any, n_columns: int) -> Array:
    if classes is None:
        raise Undefined("the classes in the order of the probabilities' columns are needed")
    order = np.asarray(classes)
    if len(order) != n_columns:
        expected = f"one a class ({len(order)})"
        raise ValueError(explain("probabilities", "the columns", expected, n_columns))
    unseen = np.setdiff1d(y_true, order)
    if len(unseen):
        raise Undefined(f"classes that the model never saw: {_listed(unseen)}")
    return order


def _listed(values: Sequence[Any] | Array, most: int = 5) -> str:
    shown = ", ".join(str(value) for value in list(values)[:most])
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _log_loss(y_true: Array, probabilities: Array, *, classes: Any, sample_weight: Any) -> float:
    if np.ndim(y_true) == 2:  # several binary labels: the mean over them
        columns = range(np.shape(y_true)[1])
        losses = [
            _scikit("log_loss")(y_true[:, j], probabilities[:, j], labels=[0, 1],
                        sample_weight=sample_weight)
            for j in columns
        ]  # fmt: skip
        return float(np.mean(losses))
    order = _known_classes(y_true, classes, probabilities.shape[1])
    if not np.array_equal(order, np.sort(order)):
        position = np.argsort(order)
        order, probabilities = order[position], probabilities[:, position]
    # float32 rows sum to one within 1e-7 only, and scikit-learn warns of more than its own epsilon
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    return float(
        _scikit("log_loss")(y_true, probabilities, labels=order, sample_weight=sample_weight)
    )


def _roc_auc(y_true: Array, probabilities: Array, *, classes: Any, sample_weight: Any) -> float:
    if np.ndim(y_true) == 2:
        constant = [j for j in range(y_true.shape[1]) if len(np.unique(y_true[:, j])) < 2]
        if constant:
            raise Undefined(f"labels {_listed(constant)} are always, or never, set in this part")
        return float(_scikit("roc_auc_score")(y_true, probabilities, sample_weight=sample_weight))
    order = _known_classes(y_true, classes, probabilities.shape[1])
    absent = np.setdiff1d(order, y_true)
    if len(absent):
        raise Undefined(f"no series of this part has class {_listed(absent)}")
    # One class against the rest, averaged: roc_auc_score(multi_class="ovr"), but free of its demand
    # that the rows sum to one within 1e-8.
    columns = range(1, 2) if len(order) == 2 else range(len(order))
    areas = [
        _scikit("roc_auc_score")(
            y_true == order[j], probabilities[:, j], sample_weight=sample_weight
        )
        for j in columns
    ]
    return float(np.mean(areas))


def _nll(y_true: Array, probabilities: Array, *, classes: Any, sample_weight: Any) -> float:
    if np.ndim(probabilities) == 3:  # mixtures, of numbers
        logs = Mixture.of(probabilities).log_density(y_true)
        return -float(np.average(logs, weights=sample_weight))
    if np.ndim(y_true) == 2:  # several labels a step: summed over them
        chosen = np.where(np.asarray(y_true) > 0, probabilities, 1 - probabilities)
        with np.errstate(divide="ignore"):
            return float(np.average(-np.log(chosen).sum(axis=1), weights=sample_weight))
    order = _known_classes(y_true, classes, probabilities.shape[1])
    position = np.argsort(order)
    columns = position[np.searchsorted(order[position], y_true)]
    with np.errstate(divide="ignore"):
        losses = -np.log(probabilities[np.arange(len(columns)), columns])
    return float(np.average(losses, weights=sample_weight))


def _bits(y_true: Array, probabilities: Array, **given: Any) -> float:
    if np.ndim(probabilities) == 3:
        raise Undefined("bits are of classes: numbers have a density")
    return float(_nll(y_true, probabilities, **given) / np.log(2))


def _runs(labels: Array) -> set[tuple[int, int, Any]]:
    """Return the runs of one label in a series: begin, end, label."""
    labels = np.asarray(labels)
    begins = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    ends = np.append(begins[1:], len(labels))
    return set(zip(begins.tolist(), ends.tolist(), labels[begins].tolist(), strict=True))


def _segment_f1(y_true: Any, labels: Any, *, classes: Any, sample_weight: Any) -> float:
    both, total = run_counts(y_true, labels).sum(axis=0)
    return float(2 * both / total)


def run_counts(y_true: Any, labels: Any) -> npt.NDArray[np.int64]:
    """Count the runs of one label, a row a series: those that are right, and true and predicted.

    Examples
    --------
    >>> run_counts([[0, 0, 1]], [[0, 1, 1]])
    array([[0, 4]])
    """
    if any(np.ndim(one) != 1 for one in (*y_true, *labels)):
        raise Undefined("runs are of one label a step")
    rows = []
    for true, predicted in zip(y_true, labels, strict=True):
        true_runs, runs = _runs(true), _runs(predicted)
        rows.append((len(true_runs & runs), len(true_runs) + len(runs)))
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


_LABELS = ("classification", "tagging")
_PARTS = ("classification",)
_NUMBERS = ("regression", "tagging", "forecasting")
_SKLEARN = "scikit-learn: sklearn.metrics."
_M4 = "Makridakis, Spiliotis, Assimakopoulos (2020), M4 competition, section 2"
_M5 = "Makridakis, Spiliotis, Assimakopoulos (2022), M5 accuracy competition, eq. 1"
_ALL_VALUES = "mean over all series, windows and steps"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _LABELS, _of_labels("accuracy_score"), True, "labels",
               _SKLEARN + "accuracy_score"),
        Metric("balanced_accuracy", "balanced accuracy", _LABELS,
               _of_each_label("balanced_accuracy_score"), True, "labels",
               _SKLEARN + "balanced_accuracy_score"),
        Metric("f1_macro", "macro F1", _LABELS,
               _of_labels("f1_score", average="macro", zero_division=0), True, "labels",
               _SKLEARN + "f1_score(average='macro')"),
        Metric("f1_micro", "micro F1", _LABELS,
               _of_labels("f1_score", average="micro", zero_division=0), True, "labels",
               _SKLEARN + "f1_score(average='micro')"),
        Metric("f1_weighted", "weighted F1", _LABELS,
               _of_labels("f1_score", average="weighted", zero_division=0), True, "labels",
               _SKLEARN + "f1_score(average='weighted')"),
        Metric("precision_macro", "macro precision", _LABELS,
               _of_labels("precision_score", average="macro", zero_division=0), True, "labels",
               _SKLEARN + "precision_score(average='macro')"),
        Metric("recall_macro", "macro recall", _LABELS,
               _of_labels("recall_score", average="macro", zero_division=0), True, "labels",
               _SKLEARN + "recall_score(average='macro')"),
        Metric("matthews", "Matthews correlation", _LABELS, _of_each_label("matthews_corrcoef"),
               True, "labels", _SKLEARN + "matthews_corrcoef"),
        Metric("segment_f1", "segment F1", ("tagging",), _segment_f1, True, "segments",
               "F1 of runs of one label, a run being right as a whole: as Tjong Kim Sang and De "
               "Meulder (2003), CoNLL-2003, section 2.3, count entities"),
        Metric("nll", "negative log-likelihood a step", ("tagging",), _nll, False,
               "probabilities", "mean of -ln p(label), of several labels summed over them: "
               "Boulanger-Lewandowski, Bengio, Vincent (2012), table 1; of numbers of the density, "
               "in their units: Graves (2013), section 4"),
        Metric("bits", "bits a step", ("tagging",), _bits, False, "probabilities",
               "mean of -log2 p(label), of characters bits a character: Graves (2013), section 3"),
        Metric("log_loss", "log loss", _PARTS, _log_loss, False, "probabilities",
               _SKLEARN + "log_loss"),
        Metric("roc_auc", "ROC AUC", _PARTS, _roc_auc, True, "probabilities",
               _SKLEARN + "roc_auc_score(multi_class='ovr', average='macro')"),
        Metric("mae", "MAE", _NUMBERS, _of_values("mean_absolute_error"),
               False, "values", _SKLEARN + "mean_absolute_error; forecasts: " + _ALL_VALUES, "y"),
        Metric("mse", "MSE", ("regression", "forecasting"), _of_values("mean_squared_error"),
               False, "values", _SKLEARN + "mean_squared_error; forecasts: " + _ALL_VALUES),
        Metric("rmse", "RMSE", _NUMBERS,
               _of_values("root_mean_squared_error"), False, "values",
               _SKLEARN + "root_mean_squared_error; forecasts: " + _ALL_VALUES, "y"),
        Metric("median_absolute_error", "median absolute error", ("regression",),
               _of_values("median_absolute_error"), False, "values",
               _SKLEARN + "median_absolute_error", "y"),
        Metric("r2", "R2", ("regression",), _of_values("r2_score"), True, "values",
               _SKLEARN + "r2_score"),
        Metric("mape", "MAPE", ("forecasting",), None, False, "values",
               "utilsforecast.losses.mape, in percent; steps whose true value is 0 left out", "%"),
        Metric("smape", "sMAPE", ("forecasting",), None, False, "values", _M4, "%"),
        Metric("mase", "MASE", ("forecasting",), None, False, "history",
               _M4 + "; Hyndman and Koehler (2006)"),
        Metric("rmsse", "RMSSE", ("forecasting",), None, False, "history",
               _M5 + "; with the season's lag"),
        Metric("owa", "OWA", ("forecasting",), None, False, "naive2", _M4),
        Metric("weighted_quantile_loss", "weighted quantile loss", ("forecasting",), None, False,
               "quantiles", "gluonts: Evaluator, mean_wQuantileLoss"),
        Metric("crps", "CRPS", ("forecasting",), None, False, "quantiles",
               "Gneiting and Raftery (2007), eq. 21, of samples; Laio and Tamea (2007), eq. 15, "
               "of quantiles", "y"),
        Metric("pinball", "pinball loss", ("regression",), interval_scores.pinball, False,
               "quantiles", "mean over the levels: Koenker and Bassett (1978)", "y"),
        Metric("coverage", "coverage", ("regression", "forecasting"), interval_scores.coverage,
               None, "quantiles", "share of true values within the outermost quantiles"),
        Metric("interval_width", "interval width", ("regression", "forecasting"),
               interval_scores.interval_width, None, "quantiles",
               "mean distance of the outermost quantiles", "y"),
        Metric("interval_score", "interval score", ("regression",),
               interval_scores.interval_score, False, "quantiles",
               "of the outermost quantiles: Gneiting and Raftery (2007), eq. 43", "y"),
    )
}  # fmt: skip


def find_metrics(task: str, names: Sequence[str] | None = None) -> dict[str, Metric]:
    """Return the rows of :data:`METRICS` that are named, or all of a task.

    Raises
    ------
    ValueError
        If a name is unknown, or is of another task.

    Examples
    --------
    >>> list(find_metrics("regression"))[:5]
    ['mae', 'mse', 'rmse', 'median_absolute_error', 'r2']
    """
    of_task = {name: metric for name, metric in METRICS.items() if task in metric.tasks}
    if not of_task:
        tasks = sorted({task for metric in METRICS.values() for task in metric.tasks})
        raise ValueError(explain("metrics", "the task", f"one of {tasks}", task))
    if names is None:
        return of_task
    for name in names:
        if name not in of_task:
            hint = suggest(name, of_task)
            raise ValueError(
                explain("metrics", f"a metric of {task}", f"one of {list(of_task)}", name, hint)
            )
    return {name: of_task[name] for name in names}


def metric_value(
    metric: Metric,
    y_true: Any,
    prediction: Predictions,
    *,
    classes: Any = None,
    sample_weight: Any = None,
) -> float:
    """Score labels, probabilities or numbers by one metric.

    Raises
    ------
    Undefined
        If it holds no such part, or the score does not exist; the message is the reason.
    """
    given = getattr(prediction, metric.needs, None)
    if given is None or metric.function is None:
        raise Undefined(f"no {metric.needs} were predicted")
    given = np.asarray(given)
    if metric.needs != "labels" and not np.isfinite(given).all():
        raise Undefined(f"the predicted {metric.needs} are not all finite")
    beside = {"classes": classes}
    if metric.needs == "quantiles":
        beside = {"levels": prediction.levels}
    value = metric.function(np.asarray(y_true), given, sample_weight=sample_weight, **beside)
    if not np.isfinite(value):
        raise Undefined("it has no finite value")
    return value


def confusion_table(y_true: Any, labels: Any, classes: Any = None) -> Mapping[str, list[Any]]:
    """Count true (rows) against predicted (columns) classes, ready for JSON.

    Examples
    --------
    >>> confusion_table(["a", "b", "b"], ["a", "a", "b"])
    {'labels': ['a', 'b'], 'counts': [[1, 0], [1, 1]]}
    """
    y_true, labels = np.asarray(y_true), np.asarray(labels)
    if y_true.ndim != 1 or labels.ndim != 1:
        expected, hint = "a class for each series", "Of several labels take one: y[:, 0]."
        shapes = f"arrays of shape {y_true.shape} and {labels.shape}"
        raise ValueError(explain("confusion_table", "y_true and labels", expected, shapes, hint))
    labelled = np.union1d(y_true, labels)
    order = labelled if classes is None else np.concatenate(
        [np.asarray(classes), np.setdiff1d(labelled, classes)]
    )  # fmt: skip
    counts = _scikit("confusion_matrix")(y_true, labels, labels=order)
    return {"labels": order.tolist(), "counts": counts.tolist()}
