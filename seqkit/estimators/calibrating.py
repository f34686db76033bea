"""Probabilities brought down to what held-out series say of them.

A network that has learned its series by heart is sure of what it says, of new ones too. Where one
class is far more frequent than all others, and little can be learned, its guesses are then worse
than that class alone.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.auto_networks import BY_NETWORK, values_of
from seqkit.errors import explain
from seqkit.estimators.checked import Checked
from seqkit.estimators.examples import Examples
from seqkit.estimators.facts import ELSEWHERE
from seqkit.stopping import CALIBRATION_PART

__all__ = ["Calibrating", "shrinkage"]

_TINY = 1e-30  # a probability that float32 has rounded to 0 still has a logarithm
KERNEL, BIAS = "logits/kernel", "logits/bias"

log = logging.getLogger(__name__)


def shrinkage(
    probabilities: np.ndarray, truth: np.ndarray, prior: np.ndarray, weight: np.ndarray | None
) -> float:
    """Return how much of the log probabilities is to be believed, from 0 to 1.

    The factor ``a`` with the least cross entropy of the truth under
    ``softmax(a log p + (1 - a) log prior)``, which is convex in it: temperature scaling (Guo et al.
    2017, On calibration of modern neural networks, section 4.2) towards the frequencies of the
    classes instead of towards equal ones.

    Parameters
    ----------
    probabilities : ndarray of shape (n_series, n_classes)
        Of series that were not trained on.
    truth : ndarray of int of shape (n_series,)
    prior : ndarray of shape (n_classes,)
        Frequencies of the classes.
    weight : ndarray of shape (n_series,) or None

    Examples
    --------
    >>> sure_and_wrong = np.array([[0.999, 0.001], [0.001, 0.999]] * 5)
    >>> shrinkage(sure_and_wrong, np.array([0, 0] * 5), np.array([0.8, 0.2]), None) < 0.2
    True
    >>> shrinkage(sure_and_wrong, np.array([0, 1] * 5), np.array([0.8, 0.2]), None) > 0.99
    True
    """
    from scipy.optimize import minimize_scalar  # a fit that is not calibrated needs no SciPy

    own, frequent = np.log(np.maximum(probabilities, _TINY)), np.log(prior)

    def loss(a: float) -> float:
        logits = a * own + (1 - a) * frequent
        top = logits.max(axis=1)
        total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        losses = total - logits[np.arange(len(truth)), truth]
        return float(np.average(losses, weights=weight))

    inner = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-5})
    return min(0.0, 1.0, float(inner.x), key=loss)  # the search never tries the ends


class Calibrating:
    """The part of a classifier that learns how far its probabilities are to be believed."""

    auto_: dict[str, Any]
    calibrate: Any
    _tell_of_collapse: Any
    classes_: np.ndarray
    weights_: list[np.ndarray]
    predict_proba: Any
    _build: Any
    _hold_out: Any
    _labels: Any
    _unfitted: Any

    def _choose(
        self, settings: dict[str, Any], examples: Examples, held: Examples | None
    ) -> dict[str, Any]:
        if self._labels and self.calibrate is True:  # before anything is trained
            expected = "False or auto where a series has several labels"
            raise ValueError(explain(type(self).__name__, "calibrate", expected, True))
        chosen: dict[str, Any] = super()._choose(settings, examples, held)  # type: ignore[misc]
        return chosen

    def _calibrate(self, held: Examples | None, whole: Examples, seed: int) -> None:
        """Shrink the answers of the networks, where that is asked for.

        What they are shrunk by is learned from the part that training was stopped by, or else from
        a fit like this one on two thirds of the series, asked for the last.
        """
        self.__dict__.pop("calibration_", None)
        if not self.auto_.get("calibrate", self.calibrate):
            return
        asked, part = self, held
        if part is None:
            log.info("calibrate: a fit on two thirds of the series, to be asked for the others")
            rehearsed, part = self._hold_out(whole, CALIBRATION_PART, seed)
            read = {k: v for k, v in vars(self).items() if k not in ("auto_", *ELSEWHERE)}
            asked = self._rehearsal(seed).fit(Checked(SimpleNamespace(**read), rehearsed))
        weight = whole.given
        counts = np.bincount(whole.target, weight, minlength=len(self.classes_))
        prior = counts / counts.sum()
        own = asked.predict_proba(part.padded)
        a = shrinkage(own, part.target, prior, part.given)
        self._shrink(a, np.log(prior))
        self.calibration_ = a
        left = a * np.log(np.maximum(own, _TINY)) + (1 - a) * np.log(prior)
        if (left.argmax(axis=1) == prior.argmax()).all():
            log.warning(
                "calibrate: of %d held-out series too few were told apart: what they show is how "
                "frequent the classes are, and the answer to nearly every series will be %r",
                len(own),
                self.classes_.tolist()[prior.argmax()],
            )

    def _rehearsal(self, seed: int) -> Any:
        """Return an estimator like this one, of one network, with what auto has become."""
        given = {**self._unfitted().get_params(deep=False), **self.auto_}
        for name in BY_NETWORK:
            given[name] = (*values_of(name, given[name]), given[name])[0]
        given |= {
            "calibrate": False, "ensemble": 1, "validation": 0.0, "patience": 0,
            "warm_start": False, "random_state": seed, "verbose": 0,
        }  # fmt: skip
        found = type(self)(**given)
        found._tell_of_collapse = lambda examples: None  # what it knows is told by what it is for
        return found

    def _shrink(self, a: float, log_prior: np.ndarray) -> None:
        """Put the factor into the last layer of every network: its logits are linear in it."""
        paths = [w.path for member in self._build().members for w in member.network.weights]
        for k, path in enumerate(paths):
            if path in (KERNEL, BIAS):
                shrunk = a * self.weights_[k] + (0 if path == KERNEL else (1 - a) * log_prior)
                self.weights_[k] = shrunk.astype(np.float32)
