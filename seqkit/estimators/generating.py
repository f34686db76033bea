"""Go on with a series of tokens: one drawn after the other from what the network tells of the next.

Temperature divides the logits (Ackley, Hinton and Sejnowski 1985, section 2); ``top_k`` leaves the
k most probable tokens (Fan, Lewis and Dauphin 2018, section 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.errors import explain, suggest

if TYPE_CHECKING:
    from seqkit.network.streams import NetworkStream

__all__ = ["check_drawing", "codes_of", "drawn_tokens", "next_token"]


def next_token(
    logits: np.ndarray, temperature: float, top_k: int | None, rng: np.random.Generator
) -> int:
    """Return the number of a token drawn by its logit; of temperature 0 the most probable.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> logits = np.log([0.7, 0.2, 0.1])
    >>> drawn = [next_token(logits, 1.0, 2, rng) for _ in range(1000)]
    >>> abs(drawn.count(0) / 1000 - 7 / 9) < 0.04, 2 in drawn, next_token(logits, 0.0, None, rng)
    (True, False, 0)
    """
    if temperature == 0:
        return int(np.argmax(logits))
    logits = np.asarray(logits, np.float64) / temperature
    if top_k is not None and top_k < len(logits):
        # of equal logits those of lower numbers stay
        out = np.argsort(-logits, kind="stable")[top_k:]
        logits[out] = -np.inf
    shares = np.exp(logits - logits.max())
    return int(np.searchsorted(np.cumsum(shares), rng.random() * shares.sum(), side="right"))


def codes_of(owner: str, start: Any, tokens: np.ndarray) -> np.ndarray:
    """Return the numbers of the tokens of a beginning, each of which must be known."""
    given = list(start)
    known = {token: number for number, token in enumerate(tokens.tolist())}
    for token in given:
        if token not in known:
            expected = f"of the {len(tokens)} tokens of the fit"
            hint = suggest(token, list(known)) if isinstance(token, str) else ""
            raise ValueError(explain(owner, "every token of start", expected, token, hint))
    return np.array([known[token] for token in given], np.int64)


def drawn_tokens(
    stream: NetworkStream,
    begin: Sequence[int] | np.ndarray,
    n_steps: int,
    temperature: float,
    top_k: int | None,
    rng: np.random.Generator,
) -> list[int]:
    """Return the numbers of the tokens that follow a beginning; the network's codes are one more.

    Parameters
    ----------
    stream : NetworkStream
        One, at the begin of a series, which answers with logits.
    begin : sequence of int
        At least one.
    n_steps : int
    temperature, top_k
        As :func:`next_token` takes them.
    rng : numpy.random.Generator
    """
    logits = stream.run(np.asarray(begin)[:, None, None] + 1)[-1, 0]
    code = np.empty(1)
    found: list[int] = []
    while True:
        found.append(next_token(logits, temperature, top_k, rng))
        if len(found) == n_steps:
            return found
        code[0] = found[-1] + 1
        stream.step(code, logits)


def check_drawing(owner: str, n_steps: Any, temperature: Any, top_k: Any) -> None:
    """Raise unless these are a number of tokens, a temperature, and a number of choices."""
    if isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
        raise ValueError(explain(owner, "n_steps", "a positive integer", n_steps))
    if isinstance(temperature, bool) or not isinstance(temperature, Real):
        raise TypeError(explain(owner, "temperature", "a number of 0 or more", temperature))
    if not 0 <= float(temperature) < float("inf"):
        raise ValueError(explain(owner, "temperature", "a number of 0 or more", temperature))
    wrong = isinstance(top_k, bool) or not isinstance(top_k, Integral) or top_k < 1
    if top_k is not None and wrong:
        raise ValueError(explain(owner, "top_k", "a positive integer or None", top_k))
