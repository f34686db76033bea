"""What a model must beat: one row a baseline, one interface.

A baseline takes a problem, that is the training part and the series to predict, and returns
:class:`~seqkit.evaluation.metrics.Predictions`, as a model does. Baselines of labelled series take
a :class:`SeriesProblem`, those of forecasts a :class:`ForecastProblem`.

Source of the nearest neighbour: Dau et al. (2018), "The UCR time series archive". Forecasts are in
:mod:`seqkit.evaluation.forecast_baselines`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqkit.data.sequences import Sequences
from seqkit.errors import explain, suggest
from seqkit.evaluation.forecast_baselines import (
    ForecastProblem,
    drift,
    each_window,
    filled,
    is_seasonal,
    naive,
    naive2,
    seasonal_indices,
    seasonal_naive,
    statsforecast,
)
from seqkit.evaluation.metrics import Predictions
from seqkit.network.mixtures import Mixture
from seqkit.tasks import has_statsforecast

__all__ = [
    "BASELINES",
    "Baseline",
    "ForecastProblem",
    "SeriesProblem",
    "find_baselines",
    "is_seasonal",
    "resample",
    "run_baselines",
    "seasonal_indices",
]

Floats = npt.NDArray[np.float64]

# Training series the nearest neighbour is searched among. 10,000 against 10,000 of 500 steps take
# 2 seconds; the time grows with the product, and a baseline should not be the slow part of a run.
MOST_NEIGHBOURS = 10_000


@dataclass(frozen=True)
class SeriesProblem:
    """Labelled series to learn from, and series to predict.

    Attributes
    ----------
    X_train, X : arrays, lists of arrays, or Sequences
        Series as ``(n_series, n_timesteps[, n_features])`` or a list of ``(n_timesteps_i,
        n_features)``.
    y_train : array of shape (n_series,) or (n_series, n_targets), or for tagging a list of arrays
    classes : array or None
        Classes in the order of the probabilities' columns; default: those of ``y_train``, sorted.
    seed : int
    levels : tuple of float
        Of the quantiles of numbers, which a baseline predicts where it can.
    """

    X_train: Any
    y_train: Any
    X: Any
    classes: Any = None
    seed: int = 0
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """One row of :data:`BASELINES`.

    Attributes
    ----------
    name, title, summary : str
    tasks : tuple of str
    predict : callable
        ``problem -> (Predictions, notes)``; a note says what had to be done to predict, or why
        there is no prediction (None).
    source : str
    extra : str or None
        Extra of the package that has to be installed for it; it fits a model to every history, so
        that of many histories a sample is enough.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    predict: Callable[[Any], tuple[Predictions | None, list[str]]]
    summary: str
    source: str
    extra: str | None = None


# --- labelled series ------------------------------------------------------------------------------


def _series(X: Any) -> Any:
    return X.X if isinstance(X, Sequences) else X


def _majority(problem: SeriesProblem) -> tuple[Predictions | None, list[str]]:
    n = len(problem.X)
    y_train = problem.y_train
    if _of_next_numbers(problem):
        return None, ["majority: left out, since it is of classes"]
    if isinstance(y_train, list | tuple) and np.ndim(y_train[0]) > 0:  # a label a time step
        steps = np.concatenate([np.asarray(labels) for labels in y_train])
        lengths = [len(series) for series in _series(problem.X)]
        labels, shares = _most_frequent(steps, problem.classes)
        return Predictions(
            labels=[np.repeat(labels[None], length, axis=0) for length in lengths],
            probabilities=[np.tile(shares, (length, 1)) for length in lengths],
        ), []
    label, shares = _most_frequent(np.asarray(y_train), problem.classes)
    return Predictions(
        labels=np.repeat(label[None], n, axis=0), probabilities=np.tile(shares, (n, 1))
    ), []


def _most_frequent(y: Any, classes: Any) -> tuple[Any, Floats]:
    if np.ndim(y) == 2:  # several binary labels
        shares = np.asarray(y, dtype=np.float64).mean(axis=0)
        return (shares >= 0.5).astype(np.asarray(y).dtype), shares
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior").fit(np.zeros((len(y), 1)), y)
    shares = model.predict_proba([[0.0]])[0]
    if classes is not None:
        order = np.asarray(classes)
        seen = dict(zip(model.classes_.tolist(), shares.tolist(), strict=True))
        shares = np.asarray([seen.get(label, 0.0) for label in order.tolist()])
    return np.asarray(model.predict([[0.0]])[0]), shares


def _token_majority(problem: SeriesProblem) -> tuple[Predictions | None, list[str]]:
    """Give the most frequent label of each step's token; of an unknown token that of all steps.

    The probabilities are shares, as if every token had been seen once more with the labels' shares
    among all steps (a Dirichlet prior of weight 1), so that no label that there is has none.
    """
    train, tested = problem.X_train, problem.X
    if getattr(train, "tokens", None) is None or np.ndim(problem.y_train[0]) != 1:
        return None, ["token_majority: left out, since it is of one label a token"]
    from scipy.sparse import coo_array

    labels = np.concatenate(problem.y_train)
    classes = np.unique(labels) if problem.classes is None else np.asarray(problem.classes)
    order = np.argsort(classes)
    columns = order[np.searchsorted(classes[order], labels)]
    tokens, rows = np.unique(train.tokens, return_inverse=True)
    shape = (len(tokens) + 1, len(classes))  # and a row for a token that is unknown
    counts = coo_array((np.ones(len(rows)), (rows, columns)), shape).tocsr()
    shares = np.bincount(columns, minlength=len(classes)) / len(columns)
    places = np.minimum(np.searchsorted(tokens, tested.tokens), len(tokens) - 1)
    places = np.where(tokens[places] == tested.tokens, places, len(tokens))
    asked = counts[places].toarray()
    probabilities = (asked + shares) / (asked.sum(axis=1, keepdims=True) + 1)
    # ties, and unknown tokens, go to the label that is more frequent among all
    best = classes[(asked + 1e-9 * shares).argmax(axis=1)]
    return Predictions(labels=tested.each(best), probabilities=tested.each(probabilities)), []


def resample(series: npt.ArrayLike, length: int) -> Floats:
    """Stretch or shrink a series to a length, linearly between its steps.

    Parameters
    ----------
    series : array-like of shape (n_timesteps,) or (n_timesteps, n_features)
    length : int

    Returns
    -------
    ndarray of shape (length, n_features)

    Examples
    --------
    >>> resample([0.0, 2.0, 4.0], 5).ravel()
    array([0., 1., 2., 3., 4.])
    """
    values = np.asarray(series, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if len(values) == length:
        return values
    old, new = np.linspace(0, 1, len(values)), np.linspace(0, 1, length)
    return np.stack([np.interp(new, old, column) for column in values.T], axis=1)


def _rows(X: Any, length: int) -> npt.NDArray[np.float32]:
    """One row a series, missing values filled linearly along time."""
    rows = []
    for series in X:
        values = resample(series, length)
        if np.isnan(values).any():
            values = np.stack([filled(column) for column in values.T], axis=1)
        rows.append(values.astype(np.float32).ravel())
    return np.stack(rows)  # (n_series, length * n_features)


def _nearest_neighbour(problem: SeriesProblem) -> tuple[Predictions, list[str]]:
    train, tested, y_train = (
        _series(problem.X_train),
        _series(problem.X),
        np.asarray(problem.y_train),
    )
    notes = []
    if len(train) > MOST_NEIGHBOURS:
        generator = np.random.default_rng(problem.seed)
        kept = np.sort(generator.choice(len(train), MOST_NEIGHBOURS, replace=False))
        notes.append(
            f"nearest_neighbour: searched among {MOST_NEIGHBOURS} of {len(train)} training series, "
            "drawn at random"
        )
        train, y_train = [train[int(i)] for i in kept], y_train[kept]
    lengths = [len(series) for series in train]
    length = int(np.median(lengths))
    if {*lengths, *(len(series) for series in tested)} != {length}:
        notes.append(
            f"nearest_neighbour: series resampled linearly to their median length, {length} steps"
        )
    known, rows = _rows(train, length), _rows(tested, length)
    n_features = known.shape[1] // length
    # One mean and one deviation a feature: equal weight to channels of different units.
    every = known.reshape(-1, n_features)
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    deviation[deviation == 0] = 1
    for block in (known, rows):
        steps = block.reshape(-1, n_features)
        steps -= mean
        steps /= deviation
    # Brute force goes through scikit-learn's chunked distances: memory stays that of the data.
    from sklearn.neighbors import NearestNeighbors  # a third of a second, which few need

    model = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    answers = y_train[model.kneighbors(rows, return_distance=False)[:, 0]]
    numbers = answers if answers.dtype.kind in "fiu" else None
    return Predictions(labels=answers, values=numbers), notes  # each task takes its own


def _of_next_numbers(problem: SeriesProblem) -> bool:
    """Whether what is asked of every step are the numbers of the next one."""
    y, X = problem.y_train, problem.X
    numbers = isinstance(y, list | tuple) and np.ndim(y[0]) == 2 and y[0].dtype.kind == "f"
    return numbers and getattr(X, "tokens", None) is None


def _normal(means: list[Floats], scale: Floats) -> Predictions:
    """Return normal distributions with these means of every step, and one scale a feature."""
    least = np.where(scale > 0, scale, np.finfo(np.float64).tiny)  # of values that never change
    mixtures = [
        Mixture(np.ones((len(m), 1)), m[:, None], np.broadcast_to(least, m.shape)[:, None]).packed()
        for m in means
    ]
    return Predictions(values=means, probabilities=mixtures)


def _random_walk(problem: SeriesProblem) -> tuple[Predictions | None, list[str]]:
    """Give the step's own numbers for the next, with the spread of the differences in training."""
    if not _of_next_numbers(problem):
        return None, ["random_walk: left out, since it is of the numbers of the next step"]
    series = zip(_series(problem.X_train), problem.y_train, strict=True)
    steps = np.concatenate([np.asarray(y) - np.asarray(x, np.float64) for x, y in series])
    means = [np.asarray(x, np.float64) for x in _series(problem.X)]
    return _normal(means, np.sqrt((steps**2).mean(axis=0))), []


def _overall_normal(problem: SeriesProblem) -> tuple[Predictions | None, list[str]]:
    """Give every step the mean and the spread of all numbers in training."""
    if not _of_next_numbers(problem):
        return None, ["normal: left out, since it is of the numbers of the next step"]
    y = np.concatenate([np.asarray(one, np.float64) for one in problem.y_train])
    means = [np.repeat(y.mean(axis=0)[None], len(x), axis=0) for x in _series(problem.X)]
    return _normal(means, y.std(axis=0)), []


def _mean(problem: SeriesProblem) -> tuple[Predictions, list[str]]:
    y = np.asarray(problem.y_train, dtype=np.float64)
    n, quantiles = len(problem.X), None
    if problem.levels:
        quantiles = np.moveaxis(np.quantile(y, problem.levels, axis=0), 0, -1)
        quantiles = np.repeat(quantiles[None], n, axis=0)
    values = np.repeat(y.mean(axis=0)[None], n, axis=0)
    return Predictions(values=values, quantiles=quantiles, levels=problem.levels), []


_FPP3 = "Hyndman and Athanasopoulos (2021), FPP3, section 5.2; intervals: table 5.2"
_CLASSES = ("classification", "tagging")

BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline("majority", "majority class", _CLASSES, _majority,
                 "the most frequent class of the training part, with the classes' shares as "
                 "probabilities", "scikit-learn: sklearn.dummy.DummyClassifier(strategy='prior')"),
        Baseline("token_majority", "most frequent of the token", ("tagging",), _token_majority,
                 "the most frequent label of a step's token in the training part; of series of "
                 "numbers there is none",
                 "Charniak et al. (1993), Equations for part-of-speech tagging, section 3"),
        Baseline("random_walk", "random walk", ("tagging",), _random_walk,
                 "the step's own numbers for the next one, with normal differences as large as "
                 "those in the training part; of next numbers only",
                 "Hyndman and Athanasopoulos (2021), FPP3, section 9.1"),
        Baseline("normal", "overall normal", ("tagging",), _overall_normal,
                 "the mean of all numbers in the training part, with their spread; of next numbers "
                 "only", "a normal distribution by maximum likelihood"),
        Baseline("nearest_neighbour", "1-nearest neighbour", ("classification", "regression"),
                 _nearest_neighbour,
                 "the class or number of the nearest training series: Euclidean distance, features "
                 "standardised, unequal lengths resampled linearly to the median one",
                 "Dau et al. (2018), UCR archive; sklearn.neighbors.NearestNeighbors"),
        Baseline("mean", "mean", ("regression",), _mean,
                 "the mean of the training part, and its quantiles",
                 "scikit-learn: sklearn.dummy.DummyRegressor"),
        Baseline("naive", "naive", ("forecasting",), each_window(naive),
                 "the last known value", _FPP3),
        Baseline("seasonal_naive", "seasonal naive", ("forecasting",),
                 each_window(seasonal_naive), "the value one season before", _FPP3),
        Baseline("drift", "drift", ("forecasting",), each_window(drift),
                 "the line through the first and the last value", _FPP3),
        Baseline("naive2", "Naive2", ("forecasting",), each_window(naive2),
                 "the last value, seasonally adjusted where a 90 % test finds a season",
                 "Makridakis, Spiliotis, Assimakopoulos (2020), M4 competition"),
        Baseline("auto_ets", "AutoETS", ("forecasting",), statsforecast("AutoETS"),
                 "exponential smoothing chosen by information criterion, one a series",
                 "statsforecast: AutoETS", "baselines"),
        Baseline("auto_theta", "AutoTheta", ("forecasting",), statsforecast("AutoTheta"),
                 "the Theta method's best variant, one a series",
                 "statsforecast: AutoTheta", "baselines"),
    )
}  # fmt: skip


def find_baselines(task: str, names: Sequence[str] | None = None) -> dict[str, Baseline]:
    """Return the rows of :data:`BASELINES` that are named, or all of a task that need no extra.

    Raises
    ------
    ValueError
        If a name is unknown, or is of another task.
    ImportError
        If a named one needs an extra that is not installed.

    Examples
    --------
    >>> list(find_baselines("classification"))
    ['majority', 'nearest_neighbour']
    """
    of_task = {name: row for name, row in BASELINES.items() if task in row.tasks}
    if names is None:
        return {name: row for name, row in of_task.items() if row.extra is None}
    for name in names:
        if name not in of_task:
            hint = suggest(name, of_task)
            expected = f"one of {list(of_task)}"
            raise ValueError(explain("baselines", f"a baseline of {task}", expected, name, hint))
        if of_task[name].extra and not has_statsforecast():
            raise ImportError(
                f"the baseline {name!r} needs statsforecast: "
                f"pip install 'seqkit[{of_task[name].extra}]'"
            )
    return {name: of_task[name] for name in names}


def run_baselines(
    task: str, problem: SeriesProblem | ForecastProblem, names: Sequence[str] | None = None
) -> tuple[dict[str, Predictions], list[str]]:
    """Return the predictions of baselines for a problem.

    Parameters
    ----------
    task : {"classification", "regression", "tagging", "forecasting"}
    problem : SeriesProblem or ForecastProblem
    names : sequence of str, optional
        Default: all of the task that need no extra.

    Returns
    -------
    predictions : dict of str to Predictions
    notes : list of str

    Examples
    --------
    >>> problem = ForecastProblem([[1, 2, 3, 4]], 3, 2)
    >>> predictions, _ = run_baselines("forecasting", problem, ["drift"])
    >>> predictions["drift"].values.ravel()
    array([5., 6., 7.])
    """
    predictions, notes = {}, []
    for name, row in find_baselines(task, names).items():
        predicted, said = row.predict(problem)
        if predicted is not None:
            predictions[name] = predicted
        notes += said
    return predictions, notes
