"""Answers after every observation: what a fitted estimator makes of series that are not over.

A stream knows what has come as states of the network's layers, so that an answer takes as long as
its own observation, however many there were before.
"""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqkit.data.missing import LARGEST
from seqkit.errors import DataError, explain
from seqkit.network.cpu.sequences import unsupported
from seqkit.network.layers.combining import Sigmoid, Softmax
from seqkit.network.layers.recurrent import Recurrent

if TYPE_CHECKING:
    from seqkit.network.streams import NetworkStream, StreamState

__all__ = ["Answer", "BaseStream", "SeriesStream", "Streaming", "chosen_streams", "network_stream"]

Observation: TypeAlias = npt.ArrayLike | Hashable
Answer: TypeAlias = Any
"""An array; a number of a single target and stream; None while there is no answer."""
_NUMBERS = "fiub"


class BaseStream:
    """What streams of all estimators share: the shapes of observations, and messages about them.

    Parameters
    ----------
    owner : str
    n_streams, n_features : int
    missing : str
        What the fit did about missing values.
    fills : bool
        Whether a stream can do that, too.
    """

    owner: str
    n_streams: int
    n_features: int
    missing: str
    fills: bool
    _shapes: set[tuple[int, ...]]

    def __init__(
        self, owner: str, n_streams: int, n_features: int, missing: str, fills: bool
    ) -> None:
        if isinstance(n_streams, bool) or not isinstance(n_streams, Integral) or n_streams < 1:
            raise ValueError(explain(owner, "n_streams", "a positive integer", n_streams))
        self.owner, self.n_streams, self.n_features = owner, int(n_streams), n_features
        self.missing, self.fills = missing, fills
        self._shapes = {(n_streams, n_features)}
        if n_features == 1:
            self._shapes.add((n_streams,))
        if n_streams == 1:
            self._shapes.add((n_features,))

    def _as_numbers(self, x: Any) -> np.ndarray:
        """Return an observation as an array of one of the shapes it may have."""
        try:
            array = np.asarray(x)
        except ValueError as error:  # rows of unequal lengths
            raise TypeError(self._unlike(x)) from error
        if array.shape == () and (1,) in self._shapes:
            array = array.reshape(1)
        if array.dtype.kind == "O":  # None, and numbers of other libraries
            try:
                array = array.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise TypeError(self._unlike(x)) from error
        if array.dtype.kind not in _NUMBERS:
            raise TypeError(self._unlike(x))
        if array.shape not in self._shapes:
            raise DataError(self._unlike(array.shape))
        return array

    def _unlike(self, got: Any) -> str:
        one = f"an observation of {self.n_features} numbers"
        expected = one if self.n_streams == 1 else f"{one} for each of {self.n_streams} streams"
        hint = "" if self.n_streams > 1 else "Several streams are asked for with n_streams."
        return explain(f"{self.owner}.push", "x", expected, got, hint)

    def _refuse(self, x: np.ndarray, n_seen: np.ndarray) -> None:
        """Raise because of a value that is infinite, or missing where it must not be."""
        x = np.asarray(x, np.float64).reshape(self.n_streams, self.n_features)
        gap = np.isnan(x)
        large = ~(np.abs(x) <= LARGEST) & ~gap
        bad, expected, hint = large, f"finite, and no larger than {LARGEST:g}", ""
        if not large.any():
            bad, expected = gap, "there, not NaN"
            if self.missing == "error":
                hint = "Fit with missing='indicator', and the last value is held."
            elif self.missing == "interpolate":
                hint = (
                    "A line to the next value is not known before that has come: fit with "
                    "missing='indicator', and the last value is held."
                )
            if self.fills:
                bad = gap & (n_seen == 0)[:, None]
                expected = "there in the first observation: nothing is known yet to be held"
                hint = "Begin the stream where every feature has been observed."
        stream, feature = np.argwhere(bad)[0]
        where = f"x, stream {stream}, feature {feature}"
        raise DataError(
            explain(f"{self.owner}.push", where, expected, float(x[stream, feature]), hint)
        )


class SeriesStream(BaseStream):
    """Streams of observations through a fitted classifier, regressor or tagger.

    Made by :meth:`SequenceClassifier.stream` and those of the other estimators. It keeps the
    weights of the fit: what is done to the estimator afterwards does not reach it. One thread at a
    time may push.

    Attributes
    ----------
    n_streams, n_features : int
    """

    def __init__(self, estimator: Any, n_streams: int) -> None:
        owner = f"{type(estimator).__name__}.stream"
        check_is_fitted(estimator)
        missing = estimator._fitted.missing
        if levels := getattr(estimator._fitted, "quantiles", None):
            expected = "left out: a stream answers with one number a target"
            raise ValueError(explain(owner, "quantiles", expected, levels, "Fit without."))
        self._codes: dict[Any, int] | None = None
        if getattr(estimator, "_of_tokens", False):
            self._codes = {token: k for k, token in enumerate(estimator.tokens_.tolist(), 1)}
        holds = missing == "indicator" and self._codes is None
        super().__init__(
            owner, n_streams, estimator._n_channels_ // (2 if holds else 1), missing, holds
        )
        if self._codes is not None:  # numbers may be tokens: none is taken as it is
            self._shapes = set()
        self._network = network_stream(estimator, self.n_streams, owner=owner, holds=holds)
        self._x = np.zeros(self.n_streams * self.n_features)
        self._out = np.zeros(self.n_streams * self._network.width)
        self._space: tuple[np.ndarray, np.ndarray] | None = None
        self._flat = False
        self._mixture: Any = None
        if getattr(estimator, "_of_numbers", False):
            self._mixture = estimator._mixture_reader()
        elif hasattr(estimator, "_spread_"):
            self._space = estimator._spread_, estimator._offset_
            self._flat = not estimator._many_targets_

    def push(self, x: Observation) -> Answer:
        """Take the next observation of every stream, and return the answers after it.

        They are those that the estimator gives to the series so far: of a classifier and a tagger
        the probabilities (as `predict_proba`, of a tagger at the last step), of a regressor the
        target in its units, of the numbers of the next step their mean (as `predict`).

        Parameters
        ----------
        x : array-like of shape (n_features,) or (n_streams, n_features)
            Of one feature also a number, or one for each stream; a tagger of tokens takes a token,
            or a list of one for each stream.

        Returns
        -------
        ndarray of shape (n_answers,) or (n_streams, n_answers), or float, or None
            As many axes as `x`: without that of the streams where `x` has none. A regressor of one
            target has no axis for it. None until a patch is full, where the network has one; NaN in
            the row of a stream that others are ahead of.

        Raises
        ------
        ValueError, TypeError
            If an observation is not what it must be; the streams are then as they were.
        """
        if type(x) is not np.ndarray or x.shape not in self._shapes or x.dtype.kind not in "fiu":
            x, is_one = self._given(x)
        else:
            is_one = self.n_streams == 1 and x.ndim == 1
        self._x[:] = x if x.ndim == 1 else x.reshape(-1)
        network = self._network
        if network.most is not None and network.n_seen.max() >= network.most:
            self._refuse_longer(network.most)
        status = network.step(self._x, self._out)
        if status == 1:
            self._refuse(self._x, network.n_seen)
        answer: Any = self._out.copy() if is_one else self._out.reshape(self.n_streams, -1).copy()
        if self._mixture is not None:
            answer = self._mixture(answer).mean()
        if self._space is not None:
            answer = answer * self._space[0] + self._space[1]
            if self._flat:
                answer = float(answer[0]) if is_one else answer[:, 0]
        if status == 2:
            ready = network.n_seen >= network.least
            if not ready.any():
                return None
            answer[~ready] = np.nan
        return answer

    def _given(self, x: Any) -> tuple[np.ndarray, bool]:
        """Return an observation as numbers, and whether it is one stream's, without an axis."""
        if self._codes is None:
            array = self._as_numbers(x)
            return array, self.n_streams == 1 and array.ndim == 1
        is_one = isinstance(x, str) or not np.ndim(x)
        tokens = [x] if is_one else np.asarray(x).tolist()
        if len(tokens) != self.n_streams:
            expected = f"a token for each of {self.n_streams} streams"
            raise DataError(explain(f"{self.owner}.push", "x", expected, x))
        texts = isinstance(next(iter(self._codes)), str)
        for token in tokens:
            if isinstance(token, str) != texts or not isinstance(token, str | Integral):
                known = [*self._codes][:3]
                expected = f"tokens such as {known}, as in the fit"
                raise TypeError(explain(f"{self.owner}.push", "x", expected, token))
        # a token that the fit has not seen is an unknown one
        return np.array([self._codes.get(token, 0) for token in tokens], np.float64), is_one

    def _refuse_longer(self, most: int) -> None:
        expected = (
            f"at most {most} of a series, with deviations from the course of those of the fit"
        )
        hint = "Begin anew with reset, or fit with deviations=False."
        raise ValueError(explain(f"{self.owner}.push", "observations", expected, most + 1, hint))

    @property
    def n_seen(self) -> np.ndarray:
        """Observations of each stream so far."""
        seen: np.ndarray = self._network.n_seen.copy()
        return seen

    @property
    def state(self) -> StreamState:
        """All that is known of the observations so far: a copy, which pickles; set, it goes on.

        Raises
        ------
        ValueError, TypeError
            When set to one of other weights, or of another number of streams.
        """
        return self._network.state

    @state.setter
    def state(self, given: StreamState) -> None:
        self._network.state = given

    def reset(self, which: Any = None) -> None:
        """Let streams begin anew.

        Parameters
        ----------
        which : int, or sequence of int or bool, default=None
            Of the streams; None = all.
        """
        self._network.reset(chosen_streams(self.owner, which, self.n_streams))


def chosen_streams(owner: str, which: Any, n_streams: int) -> np.ndarray:
    """Return the numbers of streams."""
    streams = np.arange(n_streams)
    try:
        return streams if which is None else np.atleast_1d(streams[which])
    except (IndexError, TypeError) as error:
        expected = f"numbers of streams below {n_streams}, or None for all"
        raise ValueError(explain(f"{owner}.reset", "which", expected, which)) from error


def network_stream(
    estimator: Any, n_streams: int = 1, *, owner: str, holds: bool = False, logits: bool = False
) -> NetworkStream:
    """Return streams through the networks of an estimator.

    Parameters
    ----------
    estimator : a fitted estimator of series
    n_streams : int
    owner : str
        For errors.
    holds : bool
        Whether what is missing is held, and marked.
    logits : bool
        Whether an answer is what the loss sees, whatever is predicted.
    """
    networks = [member.network for member in estimator._build(False).members]
    for node in networks[0].nodes:
        if isinstance(node.layer, Recurrent) and (why := unsupported(node.layer.row)):
            raise ValueError(explain(owner, "the network", "one with compiled kernels", why))
    from seqkit.network.streams import NetworkStream  # brings in Numba

    kinds = {node.name: type(node.layer) for node in networks[0].nodes}
    answers: dict[Any, str] = {Softmax: "softmax", Sigmoid: "sigmoid"}
    answer = "number" if logits else answers.get(kinds[networks[0].output], "number")
    weights = estimator._member_weights()
    return NetworkStream(networks, weights, n_streams, answer, holds, owner)


class Streaming:
    """What makes streams of an estimator of series."""

    def stream(self, n_streams: int = 1) -> SeriesStream:
        """Return streams that answer after every observation, from what they have seen so far.

        Parameters
        ----------
        n_streams : int, default=1
            Series that go on side by side, each for itself.

        Returns
        -------
        seqkit.estimators.streaming.SeriesStream

        Raises
        ------
        ValueError
            If the network needs a series to its end: of both directions, or normalised by series.

        Examples
        --------
        >>> import numpy as np
        >>> from seqkit import SequenceClassifier
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(20, 12, 2)), np.arange(20) % 2
        >>> model = SequenceClassifier(units=8, bidirectional=False, patch=1, epochs=2, ensemble=1,
        ...                            random_state=0).fit(X, y)
        >>> stream = model.stream()
        >>> answers = [stream.push(x) for x in X[0]]
        >>> bool(np.allclose(answers[-1], model.predict_proba(X[:1])[0], atol=1e-6))
        True
        """
        return SeriesStream(self, n_streams)
