"""Problems by which recurrent networks were compared, as functions of plain arguments and a seed.

Each returns `X`, `y` as the estimators take them. Series of one length are an array
``(n_series, n_timesteps, n_features)``, others a list of arrays ``(n_timesteps_i, n_features)``.
Where every step has a label, or symbols that may follow, `y` is an array or a list of that form,
too. The same arguments and seed give the same data. What a trivial answer scores is said of each;
`docs/history.md` runs them. Those of formal languages are in :mod:`seqkit.data.grammars`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqkit.data.grammars import (
    EMBEDDED_REBER,
    REBER,
    REBER_SYMBOLS,
    Grammar,
    check_at_least,
    continual_reber,
    counting_language,
    embedded_reber,
    in_grammar,
    one_hot,
)
from seqkit.data.sequences import as_padded
from seqkit.errors import DataError, explain

__all__ = [
    "EMBEDDED_REBER",
    "REBER",
    "REBER_SYMBOLS",
    "TEMPORAL_ORDER_SYMBOLS",
    "Grammar",
    "adding_problem",
    "continual_reber",
    "copy_memory",
    "counting_language",
    "embedded_reber",
    "in_grammar",
    "join_series",
    "spike_delays",
    "temporal_order",
]

Floats: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[Any]
TEMPORAL_ORDER_SYMBOLS = "EBabcdXY"


def adding_problem(
    n_series: int, n_timesteps: int = 50, seed: int = 0
) -> tuple[Floats, NDArray[np.float64]]:
    """Return the adding problem: the sum of two marked numbers of a long series.

    Of every series two steps, anywhere, are marked. Hochreiter and Schmidhuber (1997, section 5.4,
    experiment 4) drew from [-1, 1], marked the ends of a series by -1 and scaled the sum; this is
    the form that others took up (Le, Jaitly and Hinton 2015; Bai, Kolter and Koltun 2018).

    Always to answer 1 has a mean squared error of 1/6 = .167, the variance of the sum of two
    uniform numbers, and no constant has less.

    Parameters
    ----------
    n_series : int
    n_timesteps : int, default=50
        At least 2.
    seed : int, default=0

    Returns
    -------
    X : ndarray of shape (n_series, n_timesteps, 2), float64
        Numbers from [0, 1), and the marks: 1 at two steps, else 0.
    y : ndarray of shape (n_series,), float64
        The sum of the two marked numbers.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = adding_problem(10_000)
    >>> X.shape, bool(y[0] == X[0, X[0, :, 1] == 1, 0].sum())
    ((10000, 50, 2), True)
    >>> print(f"{((y - 1) ** 2).mean():.2f}")
    0.17
    """
    check_at_least("adding_problem", 1, n_series=n_series)
    check_at_least("adding_problem", 2, n_timesteps=n_timesteps)
    rng = np.random.default_rng(seed)
    X = np.zeros((n_series, n_timesteps, 2))
    X[:, :, 0] = rng.random((n_series, n_timesteps))
    marked = rng.random((n_series, n_timesteps)).argpartition(1, axis=1)[:, :2]
    np.put_along_axis(X[:, :, 1], marked, 1.0, axis=1)
    return X, X.prod(axis=2).sum(axis=1)


def copy_memory(
    n_series: int, delay: int = 100, n_copied: int = 10, n_symbols: int = 8, seed: int = 0
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the copy memory problem: symbols are to be repeated after a long pause.

    A series is `n_copied` symbols, ``delay - 1`` blanks, a sign to begin, and `n_copied` blanks.
    Its labels are blanks, and at the last `n_copied` steps the symbols of the beginning (Arjovsky,
    Shah and Bengio 2016, section 4.1, where 10 of 8 symbols are copied).

    Without memory the best is blanks, and a guess at the end: a cross-entropy of
    ``n_copied * log(n_symbols) / (delay + 2 * n_copied)`` a step, 10 log 8 / (T + 20) as published,
    and ``(delay + n_copied + n_copied / n_symbols) / (delay + 2 * n_copied)`` of the labels.

    Parameters
    ----------
    n_series : int
    delay : int, default=100
        Steps from the last symbol to the sign, T.
    n_copied : int, default=10
    n_symbols : int, default=8
        At least 2.
    seed : int, default=0

    Returns
    -------
    X : ndarray of shape (n_series, delay + 2 * n_copied, n_symbols + 2), float32
        1 for the symbol of a step, else 0: symbols, blank, sign.
    y : ndarray of shape (n_series, delay + 2 * n_copied), int64
        A label a step: the number of a symbol; `n_symbols` is the blank.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = copy_memory(1, delay=3, n_copied=2)
    >>> X[0].argmax(axis=1).tolist()
    [6, 5, 8, 8, 9, 8, 8]
    >>> y[0].tolist()
    [8, 8, 8, 8, 8, 6, 5]
    """
    check_at_least("copy_memory", 1, n_series=n_series, delay=delay, n_copied=n_copied)
    check_at_least("copy_memory", 2, n_symbols=n_symbols)
    symbols = np.random.default_rng(seed).integers(n_symbols, size=(n_series, n_copied))
    shown = np.full((n_series, delay + 2 * n_copied), n_symbols)
    y = shown.copy()
    shown[:, :n_copied] = y[:, -n_copied:] = symbols
    shown[:, n_copied + delay - 1] = n_symbols + 1
    return np.eye(n_symbols + 2, dtype=np.float32)[shown], y


def temporal_order(
    n_series: int, n_relevant: int = 2, n_timesteps: int = 100, seed: int = 0
) -> tuple[list[Floats], Labels]:
    """Return the temporal order problem: in which order X and Y came, far apart among others.

    A series begins with E, ends with B, and in between has a, b, c, d at random, but X or Y at
    `n_relevant` steps, whose order is the class (Hochreiter and Schmidhuber 1997, section 5.6,
    experiments 6a and 6b). For 100 steps lengths are from 100 to 110, and X or Y come at a step
    from 10 to 20 and one from 50 to 60 (6a), or from 10 to 20, 33 to 43 and 66 to 76 (6b); else
    all that is in proportion. A class has a name of its own, "XY", where the paper has a letter.

    Chance has an accuracy of 1/4 (6a) or 1/8 (6b); who knows only the last one, 1/2 or 1/4.

    Parameters
    ----------
    n_series : int
    n_relevant : {2, 3}, default=2
        2 is experiment 6a, 3 is 6b.
    n_timesteps : int, default=100
        Length of the shortest series, at least 10; the longest has a tenth more.
    seed : int, default=0

    Returns
    -------
    X : list of n_series ndarrays of shape (n_timesteps_i, 8), float32
        1 for the symbol of a step, in the order of `TEMPORAL_ORDER_SYMBOLS`, else 0.
    y : ndarray of shape (n_series,), str
        "XX", "XY", "YX" or "YY"; "XXX" to "YYY".

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = temporal_order(2, n_timesteps=20)
    >>> ["".join(TEMPORAL_ORDER_SYMBOLS[code] for code in x.argmax(axis=1)) for x in X]
    ['EbbYaaadcdccXccccdbdcB', 'EcdXadacabbbXaaaacccB']
    >>> y.tolist()
    ['YX', 'XX']
    """
    check_at_least("temporal_order", 1, n_series=n_series)
    check_at_least("temporal_order", 10, n_timesteps=n_timesteps)
    windows = {2: ((0.1, 0.2), (0.5, 0.6)), 3: ((0.1, 0.2), (0.33, 0.43), (0.66, 0.76))}
    if n_relevant not in windows:
        raise DataError(explain("temporal_order", "n_relevant", "2 or 3", n_relevant))
    rng = np.random.default_rng(seed)
    X, y = [], []
    for length in rng.integers(n_timesteps, round(1.1 * n_timesteps), n_series, endpoint=True):
        symbols = rng.choice(list("abcd"), length)
        symbols[0], symbols[-1] = "E", "B"
        bounds = np.array(windows[n_relevant]) * n_timesteps
        first, last = bounds.round().astype(int).T
        where = rng.integers(first, last, endpoint=True)
        symbols[where] = rng.choice(list("XY"), n_relevant)
        y.append("".join(symbols[where]))
        X.append(one_hot(symbols, TEMPORAL_ORDER_SYMBOLS))
    return X, np.array(y)


def spike_delays(
    n_series: int, delay: int = 10, n_delays: int = 2, n_intervals: int = 3, seed: int = 0
) -> tuple[list[Floats], NDArray[np.int64]]:
    """Return a timing task: how many steps are between the last two spikes of a train.

    A train begins and ends with a spike. Each interval is `delay` steps, or one, two ... more, at
    random; `y` is what the last one has above `delay`. With peepholes an LSTM tells intervals of 49
    from those of 50 steps (Gers, Schraudolph and Schmidhuber 2002, measuring spike delays). This is
    a small form of that task: whole trains with one answer, not one at each spike of a stream.

    As classes, chance has an accuracy of 1 / n_delays; as numbers, the mean has a mean squared
    error of (n_delays ** 2 - 1) / 12.

    Parameters
    ----------
    n_series : int
    delay : int, default=10
        Steps of the shortest interval, from one spike to the next.
    n_delays : int, default=2
        Number of different intervals, at least 2.
    n_intervals : int, default=3
        Intervals of a train.
    seed : int, default=0

    Returns
    -------
    X : list of n_series ndarrays of shape (n_timesteps_i, 1), float32
        1 at a spike, else 0.
    y : ndarray of shape (n_series,), int64
        From 0 to ``n_delays - 1``; a class or a number.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = spike_delays(1, delay=4)
    >>> X[0].ravel().astype(int).tolist(), int(y[0])
    ([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], 1)
    """
    where = "spike_delays"
    check_at_least(where, 1, n_series=n_series, delay=delay, n_intervals=n_intervals)
    check_at_least(where, 2, n_delays=n_delays)
    more = np.random.default_rng(seed).integers(n_delays, size=(n_series, n_intervals))
    X = []
    for train in more:
        spikes = np.concatenate([[0], np.cumsum(delay + train)])
        x = np.zeros((spikes[-1] + 1, 1), np.float32)
        x[spikes] = 1.0
        X.append(x)
    return X, more[:, -1]


def join_series(
    X: Any,
    y: ArrayLike,
    n_series: int,
    n_joined: tuple[int, int] = (2, 5),
    silence: tuple[int, int] = (0, 0),
    silence_label: str | int = -1,
    seed: int = 0,
) -> tuple[list[Floats], list[Labels]]:
    """Join labelled series, drawn at random, to longer ones with a label for every step.

    From spoken digits, say, it makes continuous speech of which every frame's word is known, as in
    framewise classification (Graves and Schmidhuber 2005). Series are drawn anew each time, so give
    it training and test series apart.

    The most frequent label for all steps has an accuracy of that label's share; for `k` classes of
    as many steps 1 / k.

    Parameters
    ----------
    X : list of arrays of shape (n_timesteps_i, n_features), array of 3 dimensions, or Sequences
    y : array-like of shape (n_given,)
        The label of each.
    n_series : int
        Number of series to make.
    n_joined : tuple of two int, default=(2, 5)
        Fewest and most series that are joined to one.
    silence : tuple of two int, default=(0, 0)
        Fewest and most steps of zeros before each, and after the last.
    silence_label : str or int, default=-1
        Their label: text where labels are text, and not one of `y`.
    seed : int, default=0

    Returns
    -------
    X : list of n_series ndarrays of shape (n_timesteps_i, n_features)
    y : list of n_series ndarrays of shape (n_timesteps_i,)
        The label of each step.

    Raises
    ------
    DataError
        An argument is out of range, or labels and series do not go together.

    Examples
    --------
    >>> words = [np.full((2, 1), 3.0), np.full((3, 1), 7.0)]
    >>> X, y = join_series(words, ["three", "seven"], 1, (2, 2), (1, 2), "", seed=1)
    >>> X[0].ravel().tolist()
    [0.0, 0.0, 3.0, 3.0, 0.0, 0.0, 7.0, 7.0, 7.0, 0.0]
    >>> y[0].tolist()
    ['', '', 'three', 'three', '', '', 'seven', 'seven', 'seven', '']
    """
    where = "join_series"
    check_at_least(where, 1, n_series=n_series)
    for name, (low, high), least in (("n_joined", n_joined, 1), ("silence", silence, 0)):
        check_at_least(where, least, **{name: low})
        check_at_least(where, low, **{name: high})
    values, lengths = as_padded(X, where=where, dtype=None)
    labels = np.asarray(y)
    if labels.shape != (len(values),):
        raise DataError(explain(where, "y", f"of shape ({len(values)},)", labels.shape))
    if silence[1]:
        if isinstance(silence_label, str) != (labels.dtype.kind in "UO"):
            raise DataError(explain(where, "silence_label", "of the kind of y", silence_label))
        if silence_label in labels.tolist():
            raise DataError(explain(where, "silence_label", "none of the labels", silence_label))
        labels = np.append(labels, silence_label)
    rng = np.random.default_rng(seed)
    steps = np.full(len(values), values.shape[1]) if lengths is None else lengths
    joined, stepwise = [], []
    for count in rng.integers(*n_joined, n_series, endpoint=True):
        drawn = rng.integers(len(values), size=count)
        pauses = rng.integers(*silence, count + 1, endpoint=True)
        quiet = [np.zeros((pause, values.shape[2]), values.dtype) for pause in pauses]
        loud = [values[i, : steps[i]] for i in drawn]
        joined.append(np.concatenate([*_alternating(quiet, loud)]))
        runs = [*_alternating([(-1, pause) for pause in pauses], [(i, steps[i]) for i in drawn])]
        stepwise.append(np.repeat(labels[[i for i, _ in runs]], [n for _, n in runs]))
    return joined, stepwise


def _alternating(outer: list[Any], inner: list[Any]) -> Iterable[Any]:
    """Yield the first of one list, the first of the other, and so on; the one has one more."""
    for pair in zip(outer, inner, strict=False):
        yield from pair
    yield outer[-1]
