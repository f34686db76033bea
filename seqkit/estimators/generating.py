"""Go on with a series: one step drawn after the other from what the network tells of the next.

Temperature divides the logits (Ackley, Hinton and Sejnowski 1985, section 2); ``top_k`` leaves the
k most probable tokens, or labels (Fan, Lewis and Dauphin 2018, section 5.1). Several labels of a
step are drawn each by itself, as the network tells their probabilities (Boulanger-Lewandowski et
al. 2012 draw the keys of a chord so from their RNN without an RBM).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqkit.data.steps import NEXT
from seqkit.errors import explain, suggest
from seqkit.estimators.inputs import apart_from_settings
from seqkit.estimators.streaming import network_stream

if TYPE_CHECKING:
    from seqkit.network.mixtures import Mixture
    from seqkit.network.streams import NetworkStream

__all__ = ["Generating", "next_labels", "next_token"]


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


def next_labels(
    logits: np.ndarray, temperature: float, top_k: int | None, threshold: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Return 1 for each label that is drawn by its logit; of temperature 0 the more probable ones.

    Examples
    --------
    >>> rng, logits = np.random.default_rng(0), np.array([2.0, -2.0, -9.0])
    >>> drawn = np.mean([next_labels(logits, 1.0, None, 0.001, rng) for _ in range(1000)], axis=0)
    >>> drawn.round(1).tolist(), next_labels(logits, 0.0, None, 0.0, rng).tolist()
    ([0.9, 0.1, 0.0], [1, 0, 0])
    """
    logits = np.asarray(logits, np.float64)
    if temperature == 0:
        drawn = logits > 0
    else:
        shares = np.exp(-np.logaddexp(0.0, -logits / temperature))
        drawn = (rng.random(len(logits)) < shares) & (shares >= threshold)
    if top_k is not None:
        drawn[np.argsort(-logits, kind="stable")[top_k:]] = False
    return drawn.astype(np.int64)


def _codes_of(owner: str, start: Any, tokens: np.ndarray) -> np.ndarray:
    """Return the numbers of the tokens of a beginning, each of which must be known."""
    given = list(start)
    known = {token: number for number, token in enumerate(tokens.tolist())}
    for token in given:
        if token not in known:
            expected = f"of the {len(tokens)} tokens of the fit"
            hint = suggest(token, list(known)) if isinstance(token, str) else ""
            raise ValueError(explain(owner, "every token of start", expected, token, hint))
    return np.array([known[token] for token in given], np.int64)


def _drawn_tokens(
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


def _labels_of(owner: str, start: Any, n_labels: int) -> np.ndarray:
    """Return the steps of a beginning, each of as many labels of 0 and 1 as those of the fit."""
    given = np.asarray(start)
    fits = given.ndim == 2 and given.shape[1] == n_labels and given.dtype.kind in "fiub"
    if not fits or not np.isin(given, (0, 1)).all():
        expected = f"an array of shape (n_timesteps, {n_labels}) of 0 and 1"
        got = given if given.ndim < 2 or fits else f"an array of shape {given.shape}"
        raise ValueError(explain(owner, "start", expected, got))
    return given.astype(np.int64)


def _drawn_labels(
    stream: NetworkStream, begin: np.ndarray, n_steps: int, temperature: float, top_k: int | None,
    threshold: float, rng: np.random.Generator,
) -> list[np.ndarray]:  # fmt: skip
    """Return the steps that follow a beginning, drawn by :func:`next_labels`."""
    logits = stream.run(np.asarray(begin)[:, None, :])[-1, 0]
    found: list[np.ndarray] = []
    while True:
        found.append(next_labels(logits, temperature, top_k, threshold, rng))
        if len(found) == n_steps:
            return found
        stream.step(found[-1].astype(np.float64), logits)


def _drawn_numbers(
    stream: NetworkStream, begin: np.ndarray, n_steps: int, temperature: float,
    mixture_of: Callable[[np.ndarray], Mixture], rng: np.random.Generator,
) -> list[np.ndarray]:  # fmt: skip
    """Return the steps that follow a beginning, drawn as :meth:`Mixture.sample` draws."""
    free = stream.run(begin[:, None, :])[-1, 0]
    found: list[np.ndarray] = []
    while True:
        found.append(mixture_of(free).sample(rng, temperature=temperature)[0])
        if len(found) == n_steps:
            return found
        stream.step(found[-1], free)


def _check_drawing(owner: str, n_steps: Any, temperature: Any, top_k: Any, threshold: Any) -> None:
    """Raise unless these are a number of steps, a temperature, a number of choices and a share."""
    if isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
        raise ValueError(explain(owner, "n_steps", "a positive integer", n_steps))
    for name, value, most in (
        ("temperature", temperature, float("inf")), ("threshold", threshold, 1.0)
    ):  # fmt: skip
        expected = "a number of 0 or more" if most > 1 else "a number from 0 to below 1"
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(explain(owner, name, expected, value))
        if not 0 <= float(value) < most:
            raise ValueError(explain(owner, name, expected, value))
    wrong = isinstance(top_k, bool) or not isinstance(top_k, Integral) or top_k < 1
    if top_k is not None and wrong:
        raise ValueError(explain(owner, "top_k", "a positive integer or None", top_k))


class Generating:
    """The half of a tagger that goes on with series."""

    classes_: np.ndarray
    tokens_: np.ndarray
    _shares_: np.ndarray
    _fitted: Any
    _of_tokens: Any
    _of_numbers: Any
    _marginal_: np.ndarray
    _numbers_of: Any
    _mixture_of: Any

    @apart_from_settings
    def generate(
        self,
        n_steps: int,
        start: str
        | Sequence[str]
        | Sequence[int]
        | Sequence[Sequence[float]]
        | np.ndarray
        | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        threshold: float = 0.0,
    ) -> str | list[str] | list[int] | npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        """Go on with a series: draw one step after the other, each from those before it.

        A step takes as long as the first, however many came before: the states of the recurrent
        layers are carried on. For models of ``target="next"``.

        Parameters
        ----------
        n_steps : int
            Tokens, or steps of several labels or of numbers, to draw.
        start : str, list of tokens or array-like of shape (n_timesteps, n_labels) or \
(n_timesteps, n_features), default=None
            How the series begins. None: with a token drawn by its share in the training series, or
            with labels drawn so, or with numbers drawn from the normal distribution that has the
            mean and the spread of the training series; that is the first step of those returned.
        temperature : float, default=1.0
            Logits are divided by it: below 1 more of what is probable, above 1 more of everything;
            0 = the most probable token always, or the labels that are more probable than not. Of
            numbers the logits of the components are divided by it, and their scales multiplied by
            its square root; 0 = the mean of the most probable component.
        top_k : int, default=None
            Draw among so many of the most probable tokens, or so many labels a step at most; None =
            among all.
        seed : int, default=None
            The same integer gives the same steps.
        threshold : float, default=0.0
            Labels that are less probable are not drawn; of several labels a step only.

        Returns
        -------
        str, list or ndarray of shape (n_steps, n_labels) or (n_steps, n_features)
            What follows, without the start: a text where all tokens are single characters; 1 for
            each label that is drawn; numbers in the units of the data.

        Raises
        ------
        ValueError, TypeError
            If the model does not tell next steps, or an argument is not what it must be.
        """
        check_is_fitted(self)
        owner = f"{type(self).__name__}.generate"
        if self._fitted.target != NEXT:
            expected, hint = 'fitted with target="next"', "Only such a model tells what comes."
            raise ValueError(explain(owner, "the model", expected, self._fitted.target, hint))
        _check_drawing(owner, n_steps, temperature, top_k, threshold)
        rng, alone = np.random.default_rng(seed), start is None or not len(start)
        if self._of_numbers:
            for name, given in (("top_k", top_k), ("threshold", threshold)):
                if given:
                    raise ValueError(explain(owner, name, "left out with numbers", given))
            return self._next_numbers(owner, n_steps, None if alone else start, temperature, rng)
        if not self._of_tokens:
            found = [(rng.random(len(self._shares_)) < self._shares_).astype(np.int64)] * alone
            begin = np.array(found) if alone else _labels_of(owner, start, len(self.classes_))
            if n_steps > len(found):
                stream = network_stream(self, owner=owner, logits=True)
                how = temperature, top_k, threshold, rng
                found += _drawn_labels(stream, begin, n_steps - len(found), *how)
            return np.array(found)
        if threshold:
            expected = "left out with tokens, of which one is drawn in any case"
            raise ValueError(explain(owner, "threshold", expected, threshold, "Give top_k."))
        codes = [int(rng.choice(len(self.tokens_), p=self._shares_))] if alone else []
        first = codes or _codes_of(owner, start, self.tokens_)
        if n_steps > len(codes):
            stream = network_stream(self, owner=owner, logits=True)
            codes += _drawn_tokens(stream, first, n_steps - len(codes), temperature, top_k, rng)
        tokens: list[Any] = self.tokens_[codes].tolist()
        letters = self.tokens_.dtype.kind == "U" and self.tokens_.dtype.itemsize == 4
        return "".join(tokens) if letters else tokens

    def _next_numbers(
        self, owner: str, n_steps: int, start: Any, temperature: float, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the steps of numbers that follow a beginning."""
        mean, spread = self._marginal_
        own = [] if start is not None else [mean + spread * rng.standard_normal(len(mean))]
        begin = np.array(own) if start is None else self._numbers_of(owner, start)
        if n_steps > len(own):
            stream = network_stream(self, owner=owner, logits=True)
            left = n_steps - len(own)
            own += _drawn_numbers(stream, begin, left, temperature, self._mixture_of, rng)
        return np.array(own)
