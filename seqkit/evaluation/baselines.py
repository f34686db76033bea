"""What a model must beat: one row a baseline, one interface.

A baseline takes a problem, that is the training part and what is asked, and answers with
:class:`~seqkit.evaluation.metrics.Predictions`, as a model does. Baselines of labelled series take
a :class:`SeriesProblem`, those of forecasts a :class:`ForecastProblem`.

Sources: Hyndman and Athanasopoulos (2021), "Forecasting: principles and practice", 3rd edition,
sections 5.2 (naive, seasonal naive, drift) and 5.5, table 5.2 (their intervals); Makridakis,
Spiliotis, Assimakopoulos (2020), "The M4 Competition", section 2 and the organisers' code (Naive2);
Dau et al. (2018), "The UCR time series archive" (one nearest neighbour by Euclidean distance).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from seqkit.data.sequences import Sequences
from seqkit.errors import explain, suggest
from seqkit.evaluation.metrics import Predictions

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

# Training series the nearest neighbour is looked for among. 10,000 against 10,000 of 500 steps take
# 2 seconds; the time grows with the product, and a baseline should not be the slow part of a run.
MOST_NEIGHBOURS = 10_000


@dataclass(frozen=True)
class SeriesProblem:
    """Labelled series to learn from, and series to answer for.

    Attributes
    ----------
    X_train, X : arrays, lists of arrays, or Sequences
        Series as ``(n_series, n_timesteps[, n_features])`` or a list of ``(n_timesteps_i,
        n_features)``.
    y_train : array of shape (n_series,) or (n_series, n_targets), or for tagging a list of arrays
    classes : array or None
        Classes in the order of the probabilities' columns; default: those of ``y_train``, sorted.
    seed : int
    """

    X_train: Any
    y_train: Any
    X: Any
    classes: Any = None
    seed: int = 0


@dataclass(frozen=True)
class ForecastProblem:
    """Series to go on with.

    Attributes
    ----------
    history : sequence of arrays of shape (n_timesteps_i,) or (n_timesteps_i, n_targets)
        All that is known of each series, oldest first; NaN where a value is missing.
    origins : array of int of shape (n_series, n_windows), or None
        Rolling origin: row t of a series' history is the last that window may see. ``None`` is one
        window, at the end of each series.
    horizon : int
    season : int
    levels : tuple of float
        Quantiles wanted besides the point forecast.
    """

    history: Sequence[Any]
    horizon: int
    season: int = 1
    origins: Any = None
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """One row of :data:`BASELINES`.

    Attributes
    ----------
    name, title, summary : str
    tasks : tuple of str
    predict : callable
        ``problem -> (Predictions, notes)``; a note says what had to be done to answer.
    source : str
    extra : str or None
        Extra of the package that has to be installed for it.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    predict: Callable[[Any], tuple[Predictions, list[str]]]
    summary: str
    source: str
    extra: str | None = None


# --- labelled series ------------------------------------------------------------------------------


def _series(X: Any) -> Any:
    return X.X if isinstance(X, Sequences) else X


def _majority(problem: SeriesProblem) -> tuple[Predictions, list[str]]:
    n = len(problem.X)
    y_train = problem.y_train
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
    model = DummyClassifier(strategy="prior").fit(np.zeros((len(y), 1)), y)
    shares = model.predict_proba([[0.0]])[0]
    if classes is not None:
        order = np.asarray(classes)
        seen = dict(zip(model.classes_.tolist(), shares.tolist(), strict=True))
        shares = np.asarray([seen.get(label, 0.0) for label in order.tolist()])
    return np.asarray(model.predict([[0.0]])[0]), shares


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
            values = np.stack([_filled(column) for column in values.T], axis=1)
        rows.append(values.astype(np.float32).ravel())
    return np.stack(rows)  # (n_series, length * n_features)


def _filled(column: Floats) -> Floats:
    known = np.isfinite(column)
    if not known.any():
        return np.zeros_like(column)
    steps = np.arange(len(column))
    return np.interp(steps, steps[known], column[known])


def _nearest_neighbour(problem: SeriesProblem) -> tuple[Predictions, list[str]]:
    train, asked, y_train = (
        _series(problem.X_train),
        _series(problem.X),
        np.asarray(problem.y_train),
    )
    notes = []
    if len(train) > MOST_NEIGHBOURS:
        generator = np.random.default_rng(problem.seed)
        kept = np.sort(generator.choice(len(train), MOST_NEIGHBOURS, replace=False))
        notes.append(
            f"nearest_neighbour: looked among {MOST_NEIGHBOURS} of {len(train)} training series, "
            "drawn at random"
        )
        train, y_train = [train[int(i)] for i in kept], y_train[kept]
    lengths = [len(series) for series in train]
    length = int(np.median(lengths))
    if {*lengths, *(len(series) for series in asked)} != {length}:
        notes.append(
            f"nearest_neighbour: series resampled linearly to their median length, {length} steps"
        )
    known, rows = _rows(train, length), _rows(asked, length)
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
    model = KNeighborsClassifier(1, algorithm="brute").fit(known, y_train)
    return Predictions(labels=model.predict(rows)), notes


def _mean(problem: SeriesProblem) -> tuple[Predictions, list[str]]:
    y = np.asarray(problem.y_train, dtype=np.float64)
    return Predictions(values=np.repeat(y.mean(axis=0)[None], len(problem.X), axis=0)), []


# --- forecasts ------------------------------------------------------------------------------------


def is_seasonal(series: npt.ArrayLike, season: int) -> bool:
    """Test for seasonality with 90 % confidence, as the organisers of M4 did before Naive2.

    The autocorrelation at the season's lag is compared with
    ``1.645 * sqrt((1 + 2 * sum(r[1..season-1] ** 2)) / n)``; a series shorter than three seasons is
    taken as not seasonal.

    Examples
    --------
    >>> import numpy as np
    >>> is_seasonal(np.tile([1.0, 5.0, 3.0, 2.0], 6), 4)
    True
    >>> is_seasonal(np.arange(24.0) % 5, 4)
    False
    """
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if season < 2 or n < 3 * season:
        return False
    centred = values - values.mean()
    variance = centred @ centred
    if variance == 0:
        return False
    r = np.asarray([centred[k:] @ centred[: n - k] for k in range(1, season + 1)]) / variance
    limit = 1.645 * math.sqrt((1 + 2 * float(r[:-1] @ r[:-1])) / n)
    return bool(abs(r[-1]) > limit)


def seasonal_indices(series: npt.ArrayLike, season: int, *, multiplicative: bool = True) -> Floats:
    """Classical decomposition's seasonal figure, aligned with the start of the series.

    The trend is the centred moving average over one season (2 x season for an even one), the figure
    the mean of series / trend (or series - trend) at each place in the season, divided by (or less)
    its own mean: what R's ``decompose`` computes.

    Returns
    -------
    ndarray of shape (season,)

    Examples
    --------
    >>> import numpy as np
    >>> seasonal_indices(np.tile([1.0, 3.0], 4), 2)
    array([0.5, 1.5])
    """
    values = np.asarray(series, dtype=np.float64)
    if season % 2:
        weights = np.full(season, 1.0) / season
    else:
        weights = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    trend = np.convolve(values, weights, mode="valid")
    start = len(weights) // 2
    middle = values[start : start + len(trend)]
    apart = middle / trend if multiplicative else middle - trend
    place = (np.arange(len(trend)) + start) % season
    figure = np.bincount(place, apart, season) / np.bincount(place, minlength=season)
    return figure / figure.mean() if multiplicative else figure - figure.mean()


def _naive(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    step = np.arange(1, horizon + 1)
    return np.repeat(past[-1], horizon), _deviation(past[1:] - past[:-1]) * np.sqrt(step)


def _seasonal_naive(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    if len(past) < season:
        return _naive(past, horizon, season)
    step = np.arange(horizon)
    spread = _deviation(past[season:] - past[:-season]) * np.sqrt(step // season + 1)
    return past[-season:][step % season], spread


def _drift(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    if len(past) < 2:
        return _naive(past, horizon, season)
    step, n = np.arange(1, horizon + 1), len(past)
    slope = (past[-1] - past[0]) / (n - 1)
    spread = _deviation(past[1:] - past[:-1] - slope, 1) * np.sqrt(step * (1 + step / (n - 1)))
    return past[-1] + slope * step, spread


def _naive2(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    none = np.full(horizon, np.nan)
    if not is_seasonal(past, season):
        return np.repeat(past[-1], horizon), none
    # M4's series are positive; where one is not, no ratio to its trend exists.
    multiplicative = bool((past > 0).all())
    figure = seasonal_indices(past, season, multiplicative=multiplicative)
    place = (len(past) - 1 + np.arange(horizon + 1)) % season
    last, ahead = figure[place[0]], figure[place[1:]]
    return (past[-1] / last * ahead if multiplicative else past[-1] - last + ahead), none


def _deviation(residuals: Floats, fitted: int = 0) -> float:
    """Root mean squared residual, with the fitted parameters taken off (FPP3, eq. 5.1)."""
    count = len(residuals) - fitted
    return float(np.sqrt(residuals @ residuals / count)) if count > 0 else 0.0


def _each_window(
    one: Callable[[Floats, int, int], tuple[Floats, Floats]],
) -> Callable[[ForecastProblem], tuple[Predictions, list[str]]]:
    """Answer for every series, window and target with the same rule for one series."""

    def predict(problem: ForecastProblem) -> tuple[Predictions, list[str]]:
        horizon, season = problem.horizon, problem.season
        blocks, notes = [], []
        short = empty = 0
        for i, series in enumerate(problem.history):
            values = np.asarray(series, dtype=np.float64)
            columns = values[:, None] if values.ndim == 1 else values
            ends = [len(columns) - 1] if problem.origins is None else np.asarray(problem.origins)[i]
            for end in ends:
                for column in columns[: int(end) + 1].T:
                    past = _filled(column[_first_known(column) :])
                    short += len(past) < season
                    empty += not len(past)
                    nothing = np.full(horizon, np.nan)
                    blocks.append(one(past, horizon, season) if len(past) else (nothing, nothing))
        n_windows = len(ends)
        shape = (len(problem.history), n_windows, columns.shape[1], horizon)
        point = np.stack([block[0] for block in blocks]).reshape(shape).swapaxes(2, 3)
        spread = np.stack([block[1] for block in blocks]).reshape(shape).swapaxes(2, 3)
        if short and one is _seasonal_naive:
            notes.append(f"seasonal_naive: {short} histories shorter than a season; naive there")
        if empty:
            notes.append(f"{one.__name__[1:]}: {empty} histories hold no known value")
        quantiles = None
        if problem.levels and np.isfinite(spread).all():
            away = np.asarray([NormalDist().inv_cdf(level) for level in problem.levels])
            quantiles = point[..., None] + spread[..., None] * away
        return Predictions(values=point, quantiles=quantiles, levels=problem.levels), notes

    return predict


def _first_known(column: Floats) -> int:
    known = np.isfinite(column)
    return int(known.argmax()) if known.any() else len(column)


def _statsforecast(
    model: str,
) -> Callable[[ForecastProblem], tuple[Predictions, list[str]]]:
    """Let statsforecast choose and fit a model for every series, window and target."""

    def one(past: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
        from statsforecast import models

        # A season of which the history holds less than two cannot be fitted.
        length = season if len(past) >= 2 * season else 1
        fitted = getattr(models, model)(season_length=length)
        answer = fitted.forecast(y=past, h=horizon, level=[_ONE_DEVIATION])
        high = answer[f"hi-{_ONE_DEVIATION}"]
        return answer["mean"], (high - answer["mean"]) / NormalDist().inv_cdf(
            0.5 + _ONE_DEVIATION / 200
        )

    one.__name__ = f"_{model.lower()}"
    return _each_window(one)


_ONE_DEVIATION = 68
_FPP3 = "Hyndman and Athanasopoulos (2021), FPP3, section 5.2; intervals: table 5.2"
_CLASSES = ("classification", "tagging")

BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline("majority", "majority class", _CLASSES, _majority,
                 "the most frequent class of the training part, with the classes' shares as "
                 "probabilities", "scikit-learn: sklearn.dummy.DummyClassifier(strategy='prior')"),
        Baseline("nearest_neighbour", "1-nearest neighbour", ("classification",),
                 _nearest_neighbour,
                 "the class of the nearest training series: Euclidean distance, features "
                 "standardised, unequal lengths resampled linearly to the median one",
                 "Dau et al. (2018), UCR archive; sklearn.neighbors.KNeighborsClassifier"),
        Baseline("mean", "mean", ("regression",), _mean, "the mean of the training part",
                 "scikit-learn: sklearn.dummy.DummyRegressor"),
        Baseline("naive", "naive", ("forecasting",), _each_window(_naive),
                 "the last known value", _FPP3),
        Baseline("seasonal_naive", "seasonal naive", ("forecasting",),
                 _each_window(_seasonal_naive), "the value one season before", _FPP3),
        Baseline("drift", "drift", ("forecasting",), _each_window(_drift),
                 "the line through the first and the last value", _FPP3),
        Baseline("naive2", "Naive2", ("forecasting",), _each_window(_naive2),
                 "the last value, seasonally adjusted where a 90 % test finds a season",
                 "Makridakis, Spiliotis, Assimakopoulos (2020), M4 competition"),
        Baseline("auto_ets", "AutoETS", ("forecasting",), _statsforecast("AutoETS"),
                 "exponential smoothing chosen by information criterion, one a series",
                 "statsforecast: AutoETS", "baselines"),
        Baseline("auto_theta", "AutoTheta", ("forecasting",), _statsforecast("AutoTheta"),
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
        if of_task[name].extra and find_spec("statsforecast") is None:
            raise ImportError(
                f"the baseline {name!r} needs statsforecast: "
                f"pip install 'seqkit[{of_task[name].extra}]'"
            )
    return {name: of_task[name] for name in names}


def run_baselines(
    task: str, problem: SeriesProblem | ForecastProblem, names: Sequence[str] | None = None
) -> tuple[dict[str, Predictions], list[str]]:
    """Let baselines answer a problem.

    Parameters
    ----------
    task : {"classification", "regression", "tagging", "forecasting"}
    problem : SeriesProblem or ForecastProblem
    names : sequence of str, optional
        Default: all of the task that need no extra.

    Returns
    -------
    answers : dict of str to Predictions
    notes : list of str

    Examples
    --------
    >>> answers, _ = run_baselines("forecasting", ForecastProblem([[1, 2, 3, 4]], 3, 2), ["drift"])
    >>> answers["drift"].values.ravel()
    array([5., 6., 7.])
    """
    answers, notes = {}, []
    for name, row in find_baselines(task, names).items():
        answers[name], said = row.predict(problem)
        notes += said
    return answers, notes
