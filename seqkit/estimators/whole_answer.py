"""What an estimator answers as a whole: its networks together, and a theta forecast beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seqkit.estimators.as_read import AsRead, ThetaRead
from seqkit.estimators.inspection import Inspected

__all__ = ["WholeAnswer"]

Array = np.ndarray
Given = Sequence[Mapping[str, Array]]


class WholeAnswer:
    """The answers for some series, as a function of what every part of an estimator reads.

    Networks are combined as the estimator does it: forecasts by their median, others by their mean;
    a theta forecast then has its share.

    Parameters
    ----------
    networks : sequence of Inspected
        Of the same series, or windows.
    forecasting : bool
    slopes : bool, default=True
        Whether gradients are wanted.
    alone : bool, default=False
        Whether nothing stands beside the networks.

    Attributes
    ----------
    readers : list of AsRead or ThetaRead
        The theta forecast is the last.
    parts : list of dict of str to ndarray
        What each of them reads.
    """

    def __init__(
        self, networks: Sequence[Inspected], forecasting: bool, slopes: bool = True,
        alone: bool = False,
    ) -> None:  # fmt: skip
        first = networks[0]
        self.forecasting = forecasting
        self._networks = [AsRead(one, forecasting, slopes) for one in networks]
        beside = None if alone else first.beside
        self._theta = None if beside is None else ThetaRead(first)
        self._combine = None if beside is None else beside.theta.combine
        theta = [] if self._theta is None else [self._theta]
        self.readers: list[AsRead | ThetaRead] = [*self._networks, *theta]
        self.parts = [reader.parts for reader in self.readers]

    def answer(self, given: Given) -> Array:
        """Return the points, ``(n_series, ...)``, for parts in place of those read."""
        n = len(self._networks)
        made = [one.forward(own) for one, own in zip(self._networks, given[:n], strict=True)]
        self._made = np.stack(made)
        combined = (np.median if self.forecasting else np.mean)(self._made, axis=0)
        points: Array = combined @ self._weights(combined.shape[-1])
        if self._theta is not None:
            points = points + self._theta.share * self._theta.forward(given[-1])[..., 0]
        return points

    def _weights(self, n_parameters: int) -> Array:
        """Return what each quantile of the combined networks has in the point."""
        weights = np.zeros(n_parameters)
        weights[n_parameters // 2] = 1.0
        if self._combine is not None:  # which moves them as a whole, by their middle
            middle = np.array(self._combine.middle or (1.0,))[:n_parameters]
            weights = weights - self._combine.share * middle
        return weights

    def slopes(self, given: Given, weights: Array) -> tuple[Array, list[dict[str, Array]]]:
        """Return the answers, and the gradients by what is read of their sum by `weights`.

        Parameters
        ----------
        given : sequence of mapping of str to ndarray
        weights : ndarray
            Of the shape of one answer.
        """
        points = self.answer(given)
        d = np.broadcast_to(weights, points.shape)[..., None]
        of_networks = d * self._weights(self._made.shape[-1]) * self._part()
        gradients = [
            one.backward(own) for one, own in zip(self._networks, of_networks, strict=True)
        ]
        if self._theta is not None:
            gradients.append(self._theta.backward(d * self._theta.share))
        return points, gradients

    def _part(self) -> Array:
        """Return the part that each network has in what they are combined to."""
        n = len(self._networks)
        if not self.forecasting:
            return np.full(self._made.shape, 1 / n)
        rank = self._made.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
        middle = {(n - 1) // 2, n // 2}
        part: Array = np.isin(rank, list(middle)) / len(middle)
        return part
