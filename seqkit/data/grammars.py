"""Problems of formal languages: strings, and at each step the symbols that may follow.

Recurrent networks learned to predict them before there were corpora; they are public in
:mod:`seqkit.data.synthetic`, with those of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqkit.errors import DataError, explain

__all__ = [
    "EMBEDDED_REBER",
    "REBER",
    "REBER_SYMBOLS",
    "Grammar",
    "check_at_least",
    "continual_reber",
    "counting_language",
    "embedded_reber",
    "in_grammar",
    "one_hot",
]

Floats: TypeAlias = NDArray[np.float32]
Grammar: TypeAlias = Mapping[str, Mapping[str, str]]
"""For every state the symbols that may follow, and the state each leads to; from "0" to "end"."""

REBER_SYMBOLS = "BTPSXVE"
REBER: Grammar = {
    "0": {"B": "1"},
    "1": {"T": "2", "P": "3"},
    "2": {"S": "2", "X": "4"},
    "3": {"T": "3", "V": "5"},
    "4": {"X": "3", "S": "6"},
    "5": {"P": "4", "V": "6"},
    "6": {"E": "end"},
}
"""The Reber grammar (Reber 1967; Cleeremans, Servan-Schreiber and McClelland 1989)."""

EMBEDDED_REBER: Grammar = {
    "0": {"B": "1"},
    "1": {"T": "T0", "P": "P0"},
    **{
        way + state: {symbol: way + following for symbol, following in row.items()}
        for way in "TP"
        for state, row in REBER.items()
    },
    "Tend": {"T": "2"},
    "Pend": {"P": "2"},
    "2": {"E": "end"},
}
"""A Reber string between two T or two P: the last but one symbol is the second one again."""


def counting_language(
    n_series: int, letters: str = "ab", low: int = 1, high: int = 10, seed: int = 0
) -> tuple[list[Floats], list[Floats]]:
    """Return strings of a^n b^n, or a^n b^n c^n, and the symbols that may follow each step.

    A string is S, n times each of the letters, and T; the network sees all but T, and says what may
    come next: after an a another one or a b, once there is a b what the count says (Gers and
    Schmidhuber 2001, who trained on small n and tested on large ones). "ab" is context-free,
    "abc" context-sensitive.

    From the last symbol alone one errs at each string's last b (and last c), and gets no string
    right. Of all steps that is, with `low` 1 and `high` 3 or more, 1 - 1 / (high + 2) for "ab" and
    1 - 4 / (3 * high + 5) for "abc".

    Parameters
    ----------
    n_series : int
    letters : str, default="ab"
        At least two, different, not S or T.
    low, high : int, default=1 and 10
        The least and the largest n; each is as likely.
    seed : int, default=0

    Returns
    -------
    X : list of n_series ndarrays of shape (1 + n_i * len(letters), 1 + len(letters)), float32
        1 for the symbol of a step, else 0: S, and the letters.
    y : list of n_series ndarrays of the same shapes, float32
        1 for every symbol that may be the next, else 0: the letters, and T.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = counting_language(1, low=2, high=2)
    >>> ["Sab"[code] for code in X[0].argmax(axis=1)]
    ['S', 'a', 'a', 'b', 'b']
    >>> ["/".join(s for s, legal in zip("abT", step) if legal) for step in y[0]]
    ['a', 'a/b', 'a/b', 'b', 'T']
    """
    where = "counting_language"
    check_at_least(where, 1, n_series=n_series, low=low)
    check_at_least(where, low, high=high)
    if len(letters) < 2 or len({*letters, "S", "T"}) < len(letters) + 2:
        raise DataError(explain(where, "letters", "two or more, different, not S or T", letters))
    X, y = [], []
    for n in np.random.default_rng(seed).integers(low, high, n_series, endpoint=True):
        word = "".join(letter * n for letter in letters)
        X.append(one_hot("S" + word, "S" + letters))
        legal = one_hot(word + "T", letters + "T")
        legal[1 : n + 1, :2] = 1.0  # how many there will be is not yet known
        y.append(legal)
    return X, y


def embedded_reber(n_series: int, seed: int = 0) -> tuple[list[Floats], list[Floats]]:
    """Return strings of the embedded Reber grammar, and the symbols that may follow each step.

    A string begins with B, then T or P, then a string of the Reber grammar, the same T or P again,
    and E; where two symbols may follow, each is as likely. The network sees all but the last E and
    says what may come next; what may, follows from the grammar, `EMBEDDED_REBER` (Hochreiter and
    Schmidhuber 1997, section 5.1, experiment 1). Strings have 9 symbols or more, 12 on average.

    Who knows all but the second symbol can only guess the last but one: half of the strings are
    right, or, where both are named, 10/11 of the steps and no string. From the last symbol alone
    at best .55 of the steps are right, and no string.

    Parameters
    ----------
    n_series : int
    seed : int, default=0

    Returns
    -------
    X : list of n_series ndarrays of shape (n_timesteps_i, 7), float32
        1 for the symbol of a step, in the order of `REBER_SYMBOLS`, else 0.
    y : list of n_series ndarrays of shape (n_timesteps_i, 7), float32
        1 for every symbol that may be the next, else 0.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = embedded_reber(1)
    >>> string = "".join(REBER_SYMBOLS[code] for code in X[0].argmax(axis=1)) + "E"
    >>> string, in_grammar(string), in_grammar(string[:-2] + "SE")
    ('BPBPVPXTTTTVVEPE', True, False)
    >>> "".join(s for s, legal in zip(REBER_SYMBOLS, y[0][1]) if legal)
    'B'
    """
    check_at_least("embedded_reber", 1, n_series=n_series)
    rng = np.random.default_rng(seed)
    walks = [_walk(rng) for _ in range(n_series)]
    X = [one_hot(string[:-1], REBER_SYMBOLS) for string, _ in walks]
    return X, [_successors(states[:-1]) for _, states in walks]


def continual_reber(n_series: int, n_timesteps: int = 100, seed: int = 0) -> tuple[Floats, Floats]:
    """Return streams of embedded Reber strings, and the symbols that may follow each step.

    The strings of :func:`embedded_reber` one after the other, with no sign between them but their
    own E and B: the network has to find out by itself when to forget (Gers, Schmidhuber and Cummins
    2000). A stream ends where it has `n_timesteps`, within a string.

    Who knows all but the second symbol of a string can only guess the last but one: half of the
    strings are right, or, where both are named, 11/12 of the steps and no string. From the last
    symbol alone at best .54 of the steps are right.

    Parameters
    ----------
    n_series, n_timesteps : int
    seed : int, default=0

    Returns
    -------
    X : ndarray of shape (n_series, n_timesteps, 7), float32
        1 for the symbol of a step, in the order of `REBER_SYMBOLS`, else 0.
    y : ndarray of shape (n_series, n_timesteps, 7), float32
        1 for every symbol that may be the next, else 0; after the last E of a string this is B.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> X, y = continual_reber(1, n_timesteps=30)
    >>> "".join(REBER_SYMBOLS[code] for code in X[0].argmax(axis=1))
    'BPBPVPXTTTTVVEPEBPBPVVEPEBPBPV'
    """
    check_at_least("continual_reber", 1, n_series=n_series, n_timesteps=n_timesteps)
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(n_series):
        stream, path = "", list[str]()
        while len(stream) < n_timesteps:
            string, states = _walk(rng)
            stream += string
            path += [*states[:-1], "0"]  # the end of a string is where the next one begins
        X.append(one_hot(stream[:n_timesteps], REBER_SYMBOLS))
        y.append(_successors(path[:n_timesteps]))
    return np.stack(X), np.stack(y)


def in_grammar(string: str, grammar: Grammar = EMBEDDED_REBER) -> bool:
    """Return whether a string is one of a grammar, from its first symbol to its last.

    Parameters
    ----------
    string : str
    grammar : mapping of str to mapping of str to str, default=EMBEDDED_REBER
        Of each state the symbols that may follow, and where each leads; from "0" to "end".

    Examples
    --------
    >>> in_grammar("BTBPVVETE"), in_grammar("BTBPVVEPE"), in_grammar("BPVVE", REBER)
    (True, False, True)
    """
    state = "0"
    for symbol in string:
        following = grammar.get(state, {}).get(symbol)
        if following is None:
            return False
        state = following
    return state == "end"


def one_hot(symbols: Iterable[str], alphabet: str) -> NDArray[np.float32]:
    """Return ``(n_symbols, len(alphabet))``, 1 for each symbol."""
    codes = [alphabet.index(symbol) for symbol in symbols]
    return np.eye(len(alphabet), dtype=np.float32)[codes]


def check_at_least(where: str, least: int, **values: int) -> None:
    """Check that arguments are integers of some size or more."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DataError(explain(where, name, f"an integer of {least} or more", value))


def _walk(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return a random string of the embedded Reber grammar, and the state after each symbol."""
    string, states, state = "", list[str](), "0"
    while state != "end":
        ways = list(EMBEDDED_REBER[state].items())
        symbol, state = ways[rng.integers(len(ways))]
        string += symbol
        states.append(state)
    return string, states


def _successors(states: list[str]) -> NDArray[np.float32]:
    """Return ``(n_states, 7)``, 1 for each symbol that may follow a state."""
    rows = [[symbol in EMBEDDED_REBER[state] for symbol in REBER_SYMBOLS] for state in states]
    return np.array(rows, np.float32)
